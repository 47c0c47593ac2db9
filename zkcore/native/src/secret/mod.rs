//! All that touches a secret: constant-time in the values of its secret arguments, and wiped after use.

mod constant_time;
pub mod logarithm;
pub mod opening;
pub mod range_proof;
pub mod sigma;

pub use constant_time::{combine, products, sums};

use zeroize::Zeroizing;

use crate::scalars::Scalar;
use crate::transcript::decode_uint;

/// The scalars of random bytes, 48 each, in order.
fn decode_random(random: &[u8]) -> Zeroizing<Vec<Scalar>> {
    Zeroizing::new(random.as_chunks().0.iter().map(decode_uint).collect())
}
