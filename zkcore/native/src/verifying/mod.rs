//! Verification: what a proof must satisfy as equations, and one multi-scalar multiplication for all of them.

pub mod batch;
mod equation;
pub mod range_proof;
pub mod sigma;
