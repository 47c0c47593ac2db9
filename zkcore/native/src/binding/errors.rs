//! The one place that turns an error of this crate into the exception that the Python engines raise for the same thing.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::{Code, Error};

/// The exception of `zkcore.errors` with this code and message, so that `?` is all that a function of the module needs.
///
/// `BatchRejected` names failed claims instead of carrying a message, and here there is none to name: a batch without a claim.
impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        Python::attach(|py| {
            let raised = || {
                let class = py.import("zkcore.errors")?.getattr(class(error.code))?;
                match error.code {
                    Code::Batch => class.call1((PyTuple::empty(py),)),
                    _ => class.call1((error.message.as_ref(),)),
                }
            };
            // What prevents making the exception (no zkcore, no memory) is itself an exception, and no success.
            raised().map_or_else(|failure| failure, PyErr::from_value)
        })
    }
}

/// The name of the class in `zkcore.errors` that carries this code.
fn class(code: Code) -> &'static str {
    match code {
        Code::Length => "LengthError",
        Code::Point => "PointError",
        Code::Identity => "IdentityError",
        Code::Scalar => "ScalarError",
        Code::Encoding => "EncodingError",
        Code::Instance => "InstanceError",
        Code::Context => "ContextError",
        Code::Sigma => "SigmaRejected",
        Code::Range => "RangeRejected",
        Code::Batch => "BatchRejected",
        Code::Witness => "WitnessError",
        Code::Opening => "OpeningError",
        Code::Engine => "EngineError",
    }
}
