//! The Python module `tradeveil_native`. Only `zkcore/engines/native.py` imports it.
//!
//! Long work runs with the interpreter's lock released. Errors cross as the classes of `zkcore.errors`, by their code, and so
//! does a panic in such work, which would be a mistake in this crate: the process lives.

// PyO3's macros write the calls of the interpreter's C interface.
#![allow(unsafe_code)]

mod claims;
mod convert;
mod element;
mod errors;
mod generators;
mod logarithm;
mod proofs;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::PROTOCOL_VERSION;
use crate::lanes::CpuPath;

/// The version of this module's functions as `zkcore/engines/native.py` calls them.
const INTERFACE_VERSION: u32 = 2;

/// What this module was built from and with: `version` (of the distribution), `protocol`, `interface`, `profile`, `rustc` (its
/// version), `target`. The same sources and tools give the same answer everywhere.
#[pyfunction]
fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("protocol", PROTOCOL_VERSION)?;
    info.set_item("interface", INTERFACE_VERSION)?;
    info.set_item("profile", env!("TRADEVEIL_PROFILE"))?;
    info.set_item("rustc", env!("TRADEVEIL_RUSTC"))?;
    info.set_item("target", env!("TRADEVEIL_TARGET"))?;
    Ok(info)
}

/// The path that arithmetic takes on this processor: `avx512ifma`, `avx2` or `portable`.
#[pyfunction]
fn cpu_path() -> &'static str {
    CpuPath::current().name()
}

/// Nanoseconds a field `multiplication`, `squaring` and `square_root` take here, an element: for benchmarks.
#[pyfunction]
fn field_costs(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let costs = PyDict::new(py);
    for (name, cost) in ["multiplication", "squaring", "square_root"].into_iter().zip(py.detach(crate::lanes::field_costs)) {
        costs.set_item(name, cost)?;
    }
    Ok(costs)
}

/// The native engine of Tradeveil.
#[pymodule]
mod tradeveil_native {
    #[pymodule_export]
    use super::claims::verify;
    #[pymodule_export]
    use super::element::{Element, decode, decode_many, generator, identity, msm, panic, products};
    #[pymodule_export]
    use super::generators::Generators;
    #[pymodule_export]
    use super::logarithm::LogarithmTable;
    #[pymodule_export]
    use super::proofs::{prove_range, prove_sigma};
    #[pymodule_export]
    use super::{build_info, cpu_path, field_costs};
}
