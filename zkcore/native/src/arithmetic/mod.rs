//! Group arithmetic on public data. Everything here may be variable-time: **no secret may reach it**.

pub(crate) mod endomorphism;
mod fixed;
mod fold;
mod pippenger;
pub mod point;

pub use fixed::FixedPoints;
pub use fold::fold;
pub use point::{Point, decode_points};

use crate::lanes::straus::sum_all;
use crate::lanes::{Kernel, Lanes, dispatch};

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
    if points.len() <= dispatch(TablesMost) { sum_all(scalars, points) } else { pippenger::msm(scalars, points, threads) }
}

struct TablesMost;

impl Kernel for TablesMost {
    type Output = usize;

    fn run<L: Lanes>(self, _lanes: L) -> usize {
        L::TABLES_MOST
    }
}
