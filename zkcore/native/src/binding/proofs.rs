//! The making of whole proofs. Witnesses, openings and random bytes are secret: they are wiped here; what Python had of them is not.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::claims::relation;
use super::convert::{compute, scalars};
use super::generators::Generators;
use crate::secret::{range_proof, sigma};
use crate::transcript::SESSION_ID_SIZE;
use crate::{Code, Error, Result};

/// A batchable sigma proof. `witness` is 32 bytes a scalar, `nonces` 48. Raises what `zkcore.secret.sigma` raises.
#[pyfunction]
pub fn prove_sigma<'py>(
    py: Python<'py>,
    session_id: &[u8],
    instance: &Bound<'py, PyAny>,
    witness: &[u8],
    nonces: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let instance = relation(py, instance)?;
    let proof = compute(py, || {
        let witness = scalars(witness, witness.len() / crate::scalars::SCALAR_SIZE)?;
        sigma::prove_batchable(session(session_id)?, &instance, &witness, nonces)
    })?;
    Ok(PyBytes::new(py, &proof))
}

/// An aggregated range proof for these values of `bits` bits, with 32 bytes a blinding and 48 bytes a random scalar. Raises what
/// `zkcore.secret.range_proof` raises.
#[pyfunction]
pub fn prove_range<'py>(
    py: Python<'py>,
    generators: &Bound<'py, Generators>,
    session_id: &[u8],
    amounts: Vec<u64>,
    blindings: &[u8],
    bits: u32,
    random: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let generators = generators.get().inner();
    let proof = compute(py, || {
        let amounts = zeroize::Zeroizing::new(amounts);
        let blindings = scalars(blindings, amounts.len())?;
        let openings = zeroize::Zeroizing::new(amounts.iter().copied().zip(blindings.iter().copied()).collect::<Vec<_>>());
        range_proof::prove(generators, session(session_id)?, &openings, bits, random)
    })?;
    Ok(PyBytes::new(py, &proof))
}

fn session(data: &[u8]) -> Result<&[u8; SESSION_ID_SIZE]> {
    data.try_into()
        .map_err(|_| Error::new(Code::Length, format!("a session id is {SESSION_ID_SIZE} bytes, got {}", data.len())))
}
