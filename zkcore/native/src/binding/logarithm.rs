//! Bounded discrete logarithms, found step by step so that Python can show progress or interrupt.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::convert::compute;
use super::element::Element;
use crate::secret::logarithm::{Search, Table};

/// Steps with the interpreter's lock released, some milliseconds of them, before progress is told.
const STEPS: usize = 32;

/// Multiples 1 to 2^bits of G. Raises OpeningError for a size that is not offered.
#[pyclass(frozen, module = "tradeveil_native")]
pub struct LogarithmTable(Table);

#[pymethods]
impl LogarithmTable {
    #[new]
    fn new(py: Python<'_>, bits: u32) -> PyResult<Self> {
        compute(py, || Table::new(bits)).map(Self)
    }

    /// Inverse of `to_bytes`. Raises EngineError for anything that is not exactly a whole table.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        compute(py, || Table::from_bytes(data)).map(Self)
    }

    /// The table with a checksum, to be kept in a file.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &compute(py, || Ok(self.0.to_bytes()))?))
    }

    /// How many multiples it holds, as a power of two.
    #[getter]
    fn bits(&self) -> u32 {
        self.0.bits()
    }

    /// The a in [0, bound] with a·G = point. Raises OpeningError when there is none. `progress` is called, from the first step on, with
    /// the giant steps done and to be done at most; what it raises ends the search.
    fn find(
        &self,
        py: Python<'_>,
        point: &Bound<'_, Element>,
        bound: u64,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<u64> {
        let point = *point.get().projective();
        let mut search = compute(py, || Ok(Search::new(&self.0, point, bound)))?;
        loop {
            if let Some(progress) = &progress {
                progress.call1(search.progress())?;
            }
            let found = compute(py, || {
                for _ in 0..STEPS {
                    if let Some(amount) = search.step()? {
                        return Ok(Some(amount));
                    }
                }
                Ok(None)
            })?;
            if let Some(amount) = found {
                return Ok(amount);
            }
            py.check_signals()?;
        }
    }
}
