//! Field and curve arithmetic on several elements side by side, in time that does not depend on their values.
//!
//! A [`Lanes`] is a set of instructions: [`Portable`] works on one element at a time with 128-bit products, `Avx2` on four with
//! 32-bit products, `Avx512` on eight with the 52-bit multiply-add of AVX-512 IFMA. Algorithms are written once, generically, as
//! a [`Kernel`], and [`dispatch`] runs them on the best that the processor has.
//!
//! Outside of vectors, an element of GF(p), p = 2^256 − 2^32 − 977, is five limbs of 52 bits, least significant first. *Reduced* means: limbs 0 to
//! 3 below 2^52, limb 4 at most 2^48 + 2^9, so that the value is below 2p and stands for zero only as 0 or as p. *Loose* means:
//! limbs below 2^53. Vectors of AVX2 have limbs of their own, and say what these words mean there. Every operation returns reduced elements; those that take loose ones say so.

// Limb i of one number goes with limb i of others: that is read best as an index.
#![allow(clippy::needless_range_loop)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod curve;
mod portable;
pub mod straus;

use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub use portable::Portable;

use crate::arithmetic::Point;

/// Limbs of an element.
pub type Limbs = [u64; 5];

pub(crate) const MASK_52: u64 = (1 << 52) - 1;
pub(crate) const MASK_48: u64 = (1 << 48) - 1;
/// 2^256 mod p.
pub(crate) const FOLD_256: u64 = 0x1_0000_03D1;
/// 2^260 mod p.
pub(crate) const FOLD_260: u64 = FOLD_256 << 4;
/// The field prime p.
pub const P: Limbs = [0xF_FFFE_FFFF_FC2F, MASK_52, MASK_52, MASK_52, MASK_48];
/// 2p, limb by limb: from it any reduced element can be taken without a borrow.
pub(crate) const P_2: Limbs = [P[0] * 2, P[1] * 2, P[2] * 2, P[3] * 2, P[4] * 2];
/// 8p, limb by limb: from it two loose elements can be taken without a borrow.
pub(crate) const P_8: Limbs = [P[0] * 8, P[1] * 8, P[2] * 8, P[3] * 8, P[4] * 8];
/// The element 0.
pub const ZERO: Limbs = [0; 5];
/// The element 1.
pub const ONE: Limbs = [1, 0, 0, 0, 0];

/// One bit a lane, lane 0 lowest.
pub type Mask = u8;

/// Arithmetic on `WIDTH` field elements at once. See the module for *reduced* and *loose*.
pub trait Lanes: Copy + Send + Sync + 'static {
    /// How many elements a `Field` holds: 1, 4 or 8.
    const WIDTH: usize;
    /// Up to so many terms, a sum of products is faster from tables of multiples than by sorting into buckets (measured).
    const TABLES_MOST: usize;
    /// `WIDTH` field elements.
    type Field: Copy + Send + Sync;

    /// Run a kernel with these instructions enabled.
    fn run<K: Kernel>(self, kernel: K) -> K::Output;
    /// The same element in every lane.
    fn splat(self, limbs: Limbs) -> Self::Field;
    /// a·b.
    fn mul(self, a: Self::Field, b: Self::Field) -> Self::Field;
    /// a².
    fn square(self, a: Self::Field) -> Self::Field;
    /// a + b, of loose elements.
    fn add(self, a: Self::Field, b: Self::Field) -> Self::Field;
    /// a − b, of loose elements.
    fn sub(self, a: Self::Field, b: Self::Field) -> Self::Field;
    /// a − b − c, of loose elements.
    fn sub_both(self, a: Self::Field, b: Self::Field, c: Self::Field) -> Self::Field;
    /// k·a for k below 2^8.
    fn small(self, a: Self::Field, k: u64) -> Self::Field;
    /// −a in the lanes of the mask, a in the others; the result is loose.
    fn negate_if(self, mask: Mask, a: Self::Field) -> Self::Field;
    /// The lanes of a reduced element that are zero modulo p.
    fn is_zero(self, a: Self::Field) -> Mask;
    /// False only when no lane of a reduced element is zero; cheaper than `is_zero`.
    fn may_be_zero(self, a: Self::Field) -> bool;
    /// `set` in the lanes of the mask, `clear` in the others.
    fn select(self, mask: Mask, set: Self::Field, clear: Self::Field) -> Self::Field;
    /// The lanes in which the small numbers of two vectors are equal. `digits` has `WIDTH` numbers.
    fn equal(self, digits: &[u8], number: u8) -> Mask;
    /// The coordinates of the points at these `WIDTH` indices.
    fn load(self, points: &[Point], indices: &[u32]) -> (Self::Field, Self::Field);
    /// Say that an item, which begins a line of the cache, will be loaded soon.
    fn prefetch<T>(self, items: &[T], index: usize);
    /// Write reduced coordinates to the points at these `WIDTH` indices, below 2^256 but not necessarily canonical.
    fn store(self, x: Self::Field, y: Self::Field, points: &mut [Point], indices: &[u32]);
    /// One lane of an element.
    fn lane(self, a: Self::Field, lane: usize) -> Limbs;
}

/// An algorithm over any lanes. `run` and all it calls must be `#[inline(always)]` to be compiled for the instructions in use.
pub trait Kernel {
    /// What it computes.
    type Output;
    /// Compute it.
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// A path that arithmetic can take, by the instructions it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuPath {
    /// AVX-512 with IFMA: eight elements at a time.
    Avx512Ifma,
    /// AVX2: four at a time.
    Avx2,
    /// Every processor's: one at a time.
    Portable,
}

impl CpuPath {
    /// All paths, best first.
    const ALL: [Self; 3] = [Self::Avx512Ifma, Self::Avx2, Self::Portable];

    /// Those that this processor has, best first; the last is `Portable`.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|path| path.is_present()).collect()
    }

    /// The one that [`dispatch`] takes.
    pub fn current() -> Self {
        let allowed = &Self::ALL[FIRST_ALLOWED.load(Ordering::Relaxed)..];
        allowed.iter().copied().find(|path| path.is_present()).unwrap_or(Self::Portable)
    }

    /// Take no better path than this one from now on, in the whole process: for tests and comparisons.
    pub fn limit(self) {
        FIRST_ALLOWED.store(self as usize, Ordering::Relaxed);
    }

    /// `avx512ifma`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512Ifma => "avx512ifma",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    fn is_present(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Ifma => Avx512::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::detect().is_some(),
            Self::Portable => true,
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }
}

/// The index in [`CpuPath::ALL`] from which on paths are taken.
static FIRST_ALLOWED: AtomicUsize = AtomicUsize::new(0);

/// Run a kernel on the best lanes that this processor has.
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    match (CpuPath::current(), Avx512::detect(), Avx2::detect()) {
        (CpuPath::Avx512Ifma, Some(lanes), _) => return lanes.run(kernel),
        (CpuPath::Avx2, _, Some(lanes)) => return lanes.run(kernel),
        _ => {}
    }
    Portable.run(kernel)
}

/// Nanoseconds a multiplication, a squaring and a square root take on this machine, each element of a full vector counted: the
/// figures from which benchmarks compute what the processor itself would allow. Takes some milliseconds.
pub fn field_costs() -> [f64; 3] {
    dispatch(FieldCosts)
}

struct FieldCosts;

impl Kernel for FieldCosts {
    type Output = [f64; 3];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> [f64; 3] {
        const ROUNDS: usize = 20_000;
        let mut values = [l.splat([3, 1, 4, 1, 5]); 4];
        let mut costs = [f64::INFINITY; 3];
        for _ in 0..5 {
            let start = std::time::Instant::now();
            for _ in 0..ROUNDS {
                for value in &mut values {
                    *value = l.mul(*value, *value);
                }
            }
            let multiplied = start.elapsed();
            for _ in 0..ROUNDS {
                for value in &mut values {
                    *value = l.square(*value);
                }
            }
            let squared = start.elapsed() - multiplied;
            for _ in 0..ROUNDS / 200 {
                values = curve::square_roots(l, values);
            }
            let rooted = start.elapsed() - multiplied - squared;
            for (cost, (time, rounds)) in
                costs.iter_mut().zip([(multiplied, ROUNDS), (squared, ROUNDS), (rooted, ROUNDS / 200)])
            {
                *cost = cost.min(time.as_secs_f64() * 1e9 / (rounds * 4 * L::WIDTH) as f64);
            }
        }
        // The result is looked at, so that nothing of it is left out.
        if values.iter().any(|&value| l.is_zero(value) != 0) { [f64::NAN; 3] } else { costs }
    }
}

/// The canonical form, below p, as four 64-bit limbs.
pub fn canonical(limbs: Limbs) -> [u64; 4] {
    let mut l = limbs;
    for _ in 0..2 {
        let top = l[4] >> 48;
        l[4] &= MASK_48;
        l[0] += top * FOLD_256;
        for i in 0..4 {
            l[i + 1] += l[i] >> 52;
            l[i] &= MASK_52;
        }
    }
    // l < 2^256; l − p without branching on it: l + 2^256 − p overflows 2^256 exactly when l ≥ p.
    let mut m = l;
    m[0] += FOLD_256;
    for i in 0..4 {
        m[i + 1] += m[i] >> 52;
        m[i] &= MASK_52;
    }
    let take = 0u64.wrapping_sub(m[4] >> 48);
    m[4] &= MASK_48;
    for i in 0..5 {
        l[i] = (m[i] & take) | (l[i] & !take);
    }
    pack(l)
}

/// Four 64-bit limbs from five of 52 bits, of a value below 2^256.
pub(crate) fn pack(l: Limbs) -> [u64; 4] {
    [l[0] | l[1] << 52, l[1] >> 12 | l[2] << 40, l[2] >> 24 | l[3] << 28, l[3] >> 36 | l[4] << 16]
}

/// Five limbs of 52 bits from four of 64.
pub(crate) fn unpack(w: [u64; 4]) -> Limbs {
    [
        w[0] & MASK_52,
        (w[0] >> 52 | w[1] << 12) & MASK_52,
        (w[1] >> 40 | w[2] << 24) & MASK_52,
        (w[2] >> 28 | w[3] << 36) & MASK_52,
        w[3] >> 16,
    ]
}
