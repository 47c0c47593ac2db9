//! Group arithmetic on public data. Everything here may be variable-time: **no secret may reach it**.

mod endomorphism;
mod pippenger;
pub mod point;

pub use point::{Point, decode_points};

pub use crate::lanes::cpu_path;

use k256::Scalar;

/// Σ scalars[i]·points[i] over public data, variable-time. Equal, inverse and identity points and any scalars are allowed.
///
/// # Panics
/// When the lengths differ.
pub fn msm(scalars: &[Scalar], points: &[Point]) -> Point {
    msm_threaded(scalars, points, 1)
}

/// The same on up to `threads` cores.
///
/// # Panics
/// When the lengths differ.
pub fn msm_threaded(scalars: &[Scalar], points: &[Point], threads: usize) -> Point {
    assert_eq!(scalars.len(), points.len(), "as many scalars as points");
    pippenger::msm(scalars, points, threads)
}
