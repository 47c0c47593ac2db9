//! Claims as Python holds them (`zkcore.verifying.batch`), and the verification of a whole batch.

use std::collections::HashMap;
use std::sync::Arc;

use k256::Scalar;
use k256::elliptic_curve::PrimeField;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};
use pyo3::{intern, types::PyInt};

use super::convert::compute;
use super::element::{Element, element, points, values};
use super::generators::Generators;
use crate::relations::{Equation, LinearRelation};
use crate::scalars::{SCALAR_SIZE, decode_scalar};
use crate::transcript::SESSION_ID_SIZE;
use crate::verifying::batch::{self, Claim};
use crate::{Code, Error, Result};

/// Verify claims together: `SigmaClaim`s and `RangeClaim`s in any order, on up to `threads` cores. Returns what fails, as pairs of
/// its index and the exception that it raises alone; an empty list says that every claim holds.
#[pyfunction]
pub fn verify<'py>(
    py: Python<'py>,
    generators: &Bound<'py, Generators>,
    claims: &Bound<'py, PyAny>,
    threads: usize,
) -> PyResult<Bound<'py, PyList>> {
    let mut reader = Reader::new(py);
    let drafts = claims.try_iter()?.map(|claim| reader.claim(&claim?)).collect::<PyResult<Vec<_>>>()?;
    let generators = generators.get().inner();
    let elements = values(&reader.elements);
    let failures = compute(py, || {
        let points = points(&elements);
        let mut rest = &points[..];
        let (mut claims, mut numbers, mut failures) = (Vec::with_capacity(drafts.len()), Vec::new(), Vec::new());
        for (number, draft) in drafts.into_iter().enumerate() {
            let (own, others) = rest.split_at(draft.elements);
            rest = others;
            match draft.claim(own) {
                Ok(claim) => {
                    claims.push(claim);
                    numbers.push(number);
                }
                Err(error) => failures.push((number, error)),
            }
        }
        if (claims.is_empty() && failures.is_empty()) || !claims.is_empty() {
            let found = batch::verify(generators, &claims, threads).err().unwrap_or_default();
            failures.extend(found.into_iter().map(|(index, error)| (numbers.get(index).copied().unwrap_or(0), error)));
        }
        // These say nothing about a claim.
        match failures.iter().find(|(_, error)| matches!(error.code, Code::Engine | Code::Batch)) {
            Some((_, error)) => Err(error.clone()),
            None => Ok(failures),
        }
    })?;
    let mut failures = failures;
    failures.sort_by_key(|(number, _)| *number);
    let pairs = failures.into_iter().map(|(number, error)| (number, PyErr::from(error).into_value(py)));
    PyList::new(py, pairs)
}

/// A relation as Python holds it (`zkcore.relations.LinearRelation`).
pub fn relation(py: Python<'_>, given: &Bound<'_, PyAny>) -> PyResult<LinearRelation> {
    let mut reader = Reader::new(py);
    let equations = reader.relation(given)?;
    Ok(LinearRelation { elements: points(&values(&reader.elements)), equations })
}

/// A claim without its points, which are brought into affine form together.
struct Draft {
    session_id: Vec<u8>,
    proof: Vec<u8>,
    elements: usize,
    kind: Kind,
}

enum Kind {
    Sigma(Arc<[Equation]>),
    Range(u32),
}

impl Draft {
    fn claim(self, points: &[crate::arithmetic::Point]) -> Result<Claim> {
        let wrong =
            |id: Vec<u8>| Error::new(Code::Length, format!("a session id is {SESSION_ID_SIZE} bytes, got {}", id.len()));
        let session_id = self.session_id.try_into().map_err(wrong)?;
        let (elements, proof) = (points.to_vec(), self.proof);
        Ok(match self.kind {
            Kind::Sigma(equations) => Claim::Sigma { session_id, relation: LinearRelation { elements, equations }, proof },
            Kind::Range(bits) => Claim::Range { session_id, values: elements, bits, proof },
        })
    }
}

/// Reads claims, and the equations of each statement once.
struct Reader<'py> {
    py: Python<'py>,
    elements: Vec<Bound<'py, Element>>,
    /// By the address of the tuple, which is kept so that no other takes its place.
    equations: HashMap<usize, (Arc<[Equation]>, Bound<'py, PyAny>)>,
}

impl<'py> Reader<'py> {
    fn new(py: Python<'py>) -> Self {
        Self { py, elements: Vec::new(), equations: HashMap::new() }
    }

    fn claim(&mut self, claim: &Bound<'py, PyAny>) -> PyResult<Draft> {
        let py = self.py;
        let session_id = bytes(claim, intern!(py, "session_id"))?;
        let proof = bytes(claim, intern!(py, "proof"))?;
        let before = self.elements.len();
        let kind = match claim.getattr_opt(intern!(py, "relation"))? {
            Some(relation) => Kind::Sigma(self.relation(&relation)?),
            None => {
                self.take(&claim.getattr(intern!(py, "values"))?)?;
                // A number that is no u32 is not one of those offered either.
                Kind::Range(claim.getattr(intern!(py, "bits"))?.extract().unwrap_or(0))
            }
        };
        Ok(Draft { session_id, proof, elements: self.elements.len() - before, kind })
    }

    fn relation(&mut self, relation: &Bound<'py, PyAny>) -> PyResult<Arc<[Equation]>> {
        self.take(&relation.getattr(intern!(self.py, "elements"))?)?;
        let given = relation.getattr(intern!(self.py, "equations"))?;
        let address = given.as_ptr() as usize;
        if let Some((equations, _)) = self.equations.get(&address) {
            return Ok(equations.clone());
        }
        let rows = given.try_iter()?.map(|row| self.equation(&row?)).collect::<PyResult<Vec<_>>>()?;
        let equations: Arc<[Equation]> = rows.into();
        self.equations.insert(address, (equations.clone(), given));
        Ok(equations)
    }

    fn take(&mut self, given: &Bound<'py, PyAny>) -> PyResult<()> {
        for item in given.cast::<PyTuple>()?.iter() {
            self.elements.push(element(&item)?.clone());
        }
        Ok(())
    }

    fn equation(&self, row: &Bound<'py, PyAny>) -> PyResult<Equation> {
        let (mut image, mut terms) = (Vec::new(), Vec::new());
        for pair in row.getattr(intern!(self.py, "image"))?.try_iter()? {
            let (element, coefficient) = pair?.extract::<(Bound<'py, PyAny>, Bound<'py, PyAny>)>()?;
            image.push((index(&element)?, self.coefficient(&coefficient)?));
        }
        for triple in row.getattr(intern!(self.py, "terms"))?.try_iter()? {
            let (scalar, element, coefficient) =
                triple?.extract::<(Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>)>()?;
            terms.push((index(&scalar)?, index(&element)?, self.coefficient(&coefficient)?));
        }
        Ok(Equation { image, terms })
    }

    /// A public coefficient: any integer, modulo the order. Nearly always 1 or −1.
    fn coefficient(&self, given: &Bound<'py, PyAny>) -> PyResult<Scalar> {
        if let Ok(small) = given.extract::<i64>() {
            let magnitude = Scalar::from(small.unsigned_abs());
            return Ok(if small < 0 { -magnitude } else { magnitude });
        }
        let order = self.py.get_type::<PyInt>().call1((Scalar::MODULUS.trim_start_matches("0x"), 16))?;
        let reduced = given.rem(order)?.call_method1(intern!(self.py, "to_bytes"), (SCALAR_SIZE, "big"))?;
        Ok(decode_scalar(reduced.cast::<PyBytes>()?.as_bytes())?)
    }
}

fn bytes(claim: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<Vec<u8>> {
    Ok(claim.getattr(name)?.cast::<PyBytes>()?.as_bytes().to_vec())
}

/// An index of the draft's 32 bits. Raises `InstanceError` for any other, as the instance's validation does.
fn index(given: &Bound<'_, PyAny>) -> PyResult<u32> {
    given.extract().map_err(|_| Error::new(Code::Instance, "an index or size does not fit 32 bits").into())
}
