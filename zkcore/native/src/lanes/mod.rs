//! Field and curve arithmetic on several elements side by side, in time that does not depend on their values.
//!
//! A [`Lanes`] is a set of instructions: [`Portable`] works on one element at a time with 128-bit products, `Avx2` on four with
//! 32-bit products, `Avx512` on eight with the 52-bit multiply-add of AVX-512 IFMA. Algorithms are written once, generically, as
//! a [`Kernel`], and [`dispatch`] runs them on the fastest that the processor has.
//!
//! Outside of vectors, an element of GF(p), p = 2^256 − 2^32 − 977, is five limbs of 52 bits, least significant first. *Reduced* means: limbs 0 to
//! 3 below 2^52, limb 4 at most 2^48 + 2^9, so that the value is below 2p and stands for zero only as 0 or as p. *Loose* means:
//! limbs below 2^53. `Portable` and `Avx2` have limbs of their own, and say what these words mean there. Every operation returns reduced elements; those that take loose ones say so.

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
use std::time::Instant;

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
    /// All paths, the widest first.
    const ALL: [Self; 3] = [Self::Avx512Ifma, Self::Avx2, Self::Portable];

    /// Those that this processor has, the widest first; the last is `Portable`.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|path| path.is_present()).collect()
    }

    /// The one that [`dispatch`] takes: the fastest, unless it was told to take another. All of them give the same results.
    pub fn current() -> Self {
        match TAKEN.load(Ordering::Relaxed) {
            UNDECIDED => Self::take_fastest(),
            number => Self::ALL[number],
        }
    }

    /// Take this path from now on, in the whole process, if the processor has it: for tests and comparisons.
    pub fn take(self) {
        if self.is_present() {
            TAKEN.store(self as usize, Ordering::Relaxed);
        }
    }

    /// Take the path that is the fastest on this processor, which is measured now, in a few milliseconds. Returns it.
    ///
    /// AVX-512 IFMA always is. Whether four products of 32 bits at a time are faster than one of 64 depends on the processor: on
    /// some, AVX2 is done in halves.
    pub fn take_fastest() -> Self {
        let fastest = match Self::available()[..] {
            [Self::Avx512Ifma, ..] => Self::Avx512Ifma,
            [Self::Avx2, ..] if Self::Avx2.cost_of_addition() < Self::Portable.cost_of_addition() => Self::Avx2,
            _ => Self::Portable,
        };
        fastest.take();
        fastest
    }

    /// Nanoseconds of what most additions of points consist of: five multiplications and a squaring.
    fn cost_of_addition(self) -> f64 {
        let [multiplication, squaring, _] = run_on(self, FieldCosts { rounds: 400 });
        5.0 * multiplication + squaring
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

/// No path was taken yet.
const UNDECIDED: usize = usize::MAX;
/// The index in [`CpuPath::ALL`] of the path that is taken.
static TAKEN: AtomicUsize = AtomicUsize::new(UNDECIDED);

/// Run a kernel on the fastest lanes that this processor has.
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    run_on(CpuPath::current(), kernel)
}

fn run_on<K: Kernel>(path: CpuPath, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    match (path, Avx512::detect(), Avx2::detect()) {
        (CpuPath::Avx512Ifma, Some(lanes), _) => return lanes.run(kernel),
        (CpuPath::Avx2, _, Some(lanes)) => return lanes.run(kernel),
        _ => {}
    }
    Portable.run(kernel)
}

/// Nanoseconds a multiplication, a squaring and a square root take on this machine, each element of a full vector counted: the
/// figures from which benchmarks compute what the processor itself would allow. Takes some milliseconds.
pub fn field_costs() -> [f64; 3] {
    dispatch(FieldCosts { rounds: 20_000 })
}

struct FieldCosts {
    rounds: usize,
}

impl Kernel for FieldCosts {
    type Output = [f64; 3];

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> [f64; 3] {
        let (rounds, roots) = (self.rounds, self.rounds.div_ceil(200));
        let mut values = [l.splat([3, 1, 4, 1, 5]); 4];
        let mut costs = [f64::INFINITY; 3];
        for _ in 0..5 {
            let start = Instant::now();
            for _ in 0..rounds {
                for value in &mut values {
                    *value = l.mul(*value, *value);
                }
            }
            let multiplied = start.elapsed();
            for _ in 0..rounds {
                for value in &mut values {
                    *value = l.square(*value);
                }
            }
            let squared = start.elapsed() - multiplied;
            for _ in 0..roots {
                values = curve::square_roots(l, values);
            }
            let rooted = start.elapsed() - multiplied - squared;
            for (cost, (time, count)) in costs.iter_mut().zip([(multiplied, rounds), (squared, rounds), (rooted, roots)]) {
                *cost = cost.min(time.as_secs_f64() * 1e9 / (count * 4 * L::WIDTH) as f64);
            }
        }
        // The result is looked at, so that nothing of it is left out.
        if values.iter().any(|&value| l.is_zero(value) != 0) { [f64::NAN; 3] } else { costs }
    }
}

/// Carry between limbs, and fold what stands above 2^256. A reduced element is below 2^256 then.
#[inline(always)]
pub(crate) fn carry(mut l: Limbs) -> Limbs {
    let top = l[4] >> 48;
    l[4] &= MASK_48;
    l[0] += top * FOLD_256;
    for i in 0..4 {
        l[i + 1] += l[i] >> 52;
        l[i] &= MASK_52;
    }
    l
}

/// The canonical form, below p, as four 64-bit limbs.
pub fn canonical(limbs: Limbs) -> [u64; 4] {
    let mut l = carry(carry(limbs));
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

#[cfg(test)]
mod tests {
    use k256::elliptic_curve::bigint::{NonZero, U256, U512};

    use super::*;

    /// Where carries and borrows run through: zero, one, p and 2^256 and what stands beside them, single bits, and the like.
    fn edges() -> Vec<U256> {
        let p = prime();
        let mut edges = vec![U256::ZERO, U256::ONE, U256::from(2u8), p, U256::MAX];
        edges.extend([1u64, 2, 977, FOLD_256 - 1, FOLD_256].map(|k| p.wrapping_sub(&U256::from(k))));
        edges.extend([1u64, 2, FOLD_256 - 1].map(|k| p.wrapping_add(&U256::from(k))));
        edges.extend([1u64, FOLD_256 - 1, FOLD_256, FOLD_256 + 1].map(U256::from));
        edges.extend([52, 63, 64, 104, 127, 128, 192, 208, 255].map(|bit| U256::ONE << bit));
        edges.extend([64, 128, 192].map(|bits| U256::MAX << bits));
        edges.extend([64, 128, 192].map(|bits| U256::MAX >> bits));
        // And what has bits everywhere.
        let mut dense =
            U256::from_words([0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB, 0xD6E8_FEB8_6659_FD93]);
        for _ in 0..12 {
            edges.push(dense);
            dense = dense.wrapping_mul(&dense).wrapping_add(&(dense >> 3));
        }
        edges
    }

    fn prime() -> U256 {
        U256::ZERO.wrapping_sub(&U256::from(FOLD_256))
    }

    fn modulo(value: U512) -> U256 {
        let (low, _) = value.rem(&NonZero::new(U512::from(&prime())).unwrap()).split();
        low
    }

    fn limbs(value: &U256) -> Limbs {
        unpack(*value.as_limbs().map(|limb| limb.0).first_chunk().unwrap())
    }

    /// Every operation on a value of 256 bits, canonical or not, against integers.
    struct AgainstIntegers;

    impl Kernel for AgainstIntegers {
        type Output = ();

        fn run<L: Lanes>(self, l: L) {
            let wide = |value: &U256| U512::from(value);
            let p = wide(&prime());
            let field = |value: &U256| l.splat(limbs(value));
            let check = |found: L::Field, wanted: U512, what: &str, of: &[&U256]| {
                for lane in [0, L::WIDTH - 1] {
                    let found = U256::from_words(canonical(l.lane(found, lane)));
                    assert_eq!(found, modulo(wanted), "{what} of {of:?}");
                }
            };
            let edges = edges();
            // Miri takes a tenth of a second for each: p and what stands beside it are there, too.
            let (step, others) = if cfg!(miri) { (4, &edges[3..6]) } else { (1, &edges[..]) };
            for a in edges.iter().step_by(step) {
                let x = field(a);
                check(x, wide(a), "value", &[a]);
                check(l.square(x), wide(a) * wide(a), "square", &[a]);
                for k in [0, 1, 3, 8, 21, 255] {
                    check(l.small(x, k), wide(a) * U512::from(k), "small multiple", &[a]);
                }
                check(l.add(l.negate_if(u8::MAX, x), x), U512::ZERO, "negation", &[a]);
                check(l.negate_if(0, x), wide(a), "no negation", &[a]);
                let zero = modulo(wide(a)) == U256::ZERO;
                let all = (1u16 << L::WIDTH) as u8;
                assert_eq!(l.is_zero(x), if zero { all.wrapping_sub(1) } else { 0 }, "zero: {a:?}");
                assert!(l.may_be_zero(x) || !zero, "zero: {a:?}");
                for b in others {
                    let y = field(b);
                    check(l.mul(x, y), wide(a) * wide(b), "product", &[a, b]);
                    check(l.add(x, y), wide(a) + wide(b), "sum", &[a, b]);
                    check(l.sub(x, y), wide(a) + p + p - wide(b), "difference", &[a, b]);
                    check(l.sub_both(x, y, y), wide(a) + p + p + p + p - wide(b) - wide(b), "double difference", &[a, b]);
                    check(l.select(u8::MAX, x, y), wide(a), "selected", &[a, b]);
                    check(l.select(0, x, y), wide(b), "not selected", &[a, b]);
                }
            }
        }
    }

    #[test]
    fn every_operation_on_edges() {
        for path in CpuPath::available() {
            run_on(path, AgainstIntegers);
        }
    }

    #[test]
    fn the_path_that_is_taken() {
        for path in CpuPath::available() {
            path.take();
            assert_eq!(CpuPath::current(), path);
        }
        let fastest = CpuPath::take_fastest();
        assert_eq!(CpuPath::current(), fastest);
        assert!(CpuPath::available().contains(&fastest));
    }
}
