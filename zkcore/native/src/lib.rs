//! The native engine of Tradeveil: the fast twin of `zkcore`'s Python.
//!
//! Modules carry the names of the Python modules that they mirror, in the same order of things; `zkcore/SPEC.md` is normative
//! for both. `arithmetic` is for public data and variable-time; `secret` holds all that touches a secret and is constant-time.

#[cfg(all(feature = "leaky", feature = "python"))]
compile_error!("the feature `leaky` is for tests/constant_time.rs alone and must not be in the Python module");

#[cfg(feature = "python")]
mod binding;
mod error;

pub mod arithmetic;
pub mod context;
pub mod generators;
pub mod lanes;
pub mod relations;
pub mod scalars;
pub mod secret;
pub mod statements;
pub mod transcript;
pub mod verifying;

pub use error::{Code, Error, Result};

/// The version of the protocol that this crate speaks, the same as `zkcore.PROTOCOL_VERSION`.
pub const PROTOCOL_VERSION: u32 = 1;
