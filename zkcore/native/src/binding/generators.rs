//! The suite's generators, which Python hashes to the curve and hands over once.

use pyo3::prelude::*;

use super::convert::compute;
use super::element::{Element, elements, points, values};
use crate::generators;
use crate::transcript::DIGEST_SIZE;
use crate::{Code, Error};

/// G, H, the vectors G_i and H_i, and the digest of all. Raises `EngineError` for the identity or for unequal vectors.
#[pyclass(frozen, module = "tradeveil_native")]
pub struct Generators(generators::Generators);

impl Generators {
    /// The generators themselves.
    pub fn inner(&self) -> &generators::Generators {
        &self.0
    }
}

#[pymethods]
impl Generators {
    #[new]
    fn new(h: &Bound<'_, Element>, g_vector: &Bound<'_, PyAny>, h_vector: &Bound<'_, PyAny>, digest: &[u8]) -> PyResult<Self> {
        let (g_vector, h_vector) = (elements(g_vector)?, elements(h_vector)?);
        let wrong = |_| Error::new(Code::Engine, format!("a digest is {DIGEST_SIZE} bytes, got {}", digest.len()));
        let digest = digest.try_into().map_err(wrong)?;
        let made =
            generators::Generators::new(h.get().point(), points(&values(&g_vector)), points(&values(&h_vector)), digest)?;
        Ok(Self(made))
    }

    /// Compute now what verification would compute when it first needs it.
    fn prepare(&self, py: Python<'_>) -> PyResult<()> {
        compute(py, || {
            self.0.usual();
            Ok(())
        })
    }
}
