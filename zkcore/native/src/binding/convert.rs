//! What crosses the border: bytes to scalars, Python's objects to ours, and computations run with the interpreter's lock released.

use std::panic::{AssertUnwindSafe, catch_unwind};

use k256::Scalar;
use pyo3::prelude::*;
use zeroize::Zeroizing;

use crate::scalars::{SCALAR_SIZE, decode_scalar};
use crate::{Code, Error, Result};

/// Run a computation with the interpreter's lock released. Its error becomes the exception of `zkcore.errors`; so does a panic,
/// as `EngineError`: it would be a mistake in this crate, and whoever asked must not take it for a verdict.
pub fn compute<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    let outcome = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    let result = outcome.unwrap_or_else(|_| {
        Err(Error::new(Code::Engine, "the native engine stopped at a mistake of its own and decided nothing; please report it"))
    });
    Ok(result?)
}

/// Scalars from their encodings, one after the other. They may be secret and are wiped after use.
///
/// # Errors
/// `Length` unless there are `count` of them, `Scalar` for one that is not below the order.
pub fn scalars(data: &[u8], count: usize) -> Result<Zeroizing<Vec<Scalar>>> {
    let (encoded, rest) = data.as_chunks::<SCALAR_SIZE>();
    if encoded.len() != count || !rest.is_empty() {
        return Err(Error::new(Code::Length, format!("{} bytes of scalars for {count} elements", data.len())));
    }
    encoded.iter().map(|scalar| decode_scalar(scalar)).collect::<Result<Vec<_>>>().map(Zeroizing::new)
}
