//! Four elements at a time, one a 64-bit lane, with the 32-bit products of AVX2: for processors without AVX-512 IFMA.
//!
//! Within this module an element is ten limbs of 26 bits, so that the products of a column add up without a carry. *Reduced*
//! means: limbs 0 to 8 below 2^26, limb 9 at most 2^22 + 2^4, so that the value is below 2p and stands for zero only as 0 or as p.
//! *Loose* means: limbs below 2^27. Products look at the low 32 bits of a limb, which is all that there ever are.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::{Kernel, Lanes, Limbs, Mask, P};
use crate::arithmetic::Point;

/// A witness that this processor has AVX2: only [`Avx2::detect`] makes one, which is what makes the instructions below safe to
/// execute.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

type V = __m256i;

/// Four field elements: limb i of all of them in vector i.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Field4([V; LIMBS]);

const LIMBS: usize = 10;
const MASK_26: u64 = (1 << 26) - 1;
const MASK_22: u64 = (1 << 22) - 1;
/// 2^260 mod p is 2^36 and so much, 2^36 being 2^10 in the next limb.
const FOLD_260: u64 = 0x3D10;
/// 2^256 mod p is 2^32 and so much, 2^32 being 2^6 in the next limb.
const FOLD_256: u64 = 0x3D1;
/// The prime p in limbs of 26 bits.
const P_26: [u64; LIMBS] = halves(P);

/// Limbs of 26 bits from limbs of 52.
const fn halves(limbs: Limbs) -> [u64; LIMBS] {
    let mut out = [0; LIMBS];
    let mut i = 0;
    while i < limbs.len() {
        (out[2 * i], out[2 * i + 1]) = (limbs[i] & MASK_26, limbs[i] >> 26);
        i += 1;
    }
    out
}

impl Avx2 {
    /// The witness, on a processor that has the instructions.
    pub fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat(x: u64) -> V {
    _mm256_set1_epi64x(x as i64)
}

#[inline]
#[target_feature(enable = "avx2")]
fn and(a: V, bits: u64) -> V {
    _mm256_and_si256(a, splat(bits))
}

#[inline]
#[target_feature(enable = "avx2")]
fn zero() -> Field4 {
    Field4([_mm256_setzero_si256(); LIMBS])
}

/// Carry from limb to limb; the last keeps what it gets.
#[inline]
#[target_feature(enable = "avx2")]
fn carry(mut x: [V; LIMBS]) -> Field4 {
    for i in 0..LIMBS - 1 {
        x[i + 1] = _mm256_add_epi64(x[i + 1], _mm256_srli_epi64::<26>(x[i]));
        x[i] = and(x[i], MASK_26);
    }
    Field4(x)
}

/// From limbs below 2^36, the last below 2^32, to a reduced element.
#[inline]
#[target_feature(enable = "avx2")]
fn reduce(mut x: [V; LIMBS]) -> Field4 {
    let top = _mm256_srli_epi64::<22>(x[9]);
    x[9] = and(x[9], MASK_22);
    x[0] = _mm256_add_epi64(x[0], _mm256_mul_epu32(top, splat(FOLD_256)));
    x[1] = _mm256_add_epi64(x[1], _mm256_slli_epi64::<6>(top));
    carry(x)
}

/// What stands below and above the bit where the next limb begins.
#[inline]
#[target_feature(enable = "avx2")]
fn cut(column: V) -> (V, V) {
    (and(column, MASK_26), _mm256_srli_epi64::<26>(column))
}

/// Nineteen columns of a product of reduced elements, each below 2^56, to a reduced element.
///
/// Only the last carries run from limb to limb, since every such step waits for the one before it. All others are passed on to
/// the next limb side by side, which leaves limbs below 2^30.
#[inline]
#[target_feature(enable = "avx2")]
fn reduce_wide(mut c: [V; 2 * LIMBS - 1]) -> Field4 {
    // The upper half, from 2^260 on, is folded onto the lower.
    let fold = splat(FOLD_260);
    let mut passed = _mm256_setzero_si256();
    for k in 0..LIMBS {
        let limb = if k < LIMBS - 1 {
            let (low, high) = cut(c[LIMBS + k]);
            let limb = _mm256_add_epi64(low, passed);
            passed = high;
            c[k + 1] = _mm256_add_epi64(c[k + 1], _mm256_slli_epi64::<10>(limb));
            limb
        } else {
            passed // below 2^19, since limb 9 of a factor is short
        };
        c[k] = _mm256_add_epi64(c[k], _mm256_mul_epu32(limb, fold));
    }
    let last = passed;
    let mut out = [_mm256_setzero_si256(); LIMBS];
    passed = out[0];
    for k in 0..LIMBS - 1 {
        let (low, high) = cut(c[k]);
        out[k] = _mm256_add_epi64(low, passed);
        passed = high;
    }
    // So is what is above 2^256, below 2^35.
    let highest = _mm256_add_epi64(c[LIMBS - 1], passed);
    out[LIMBS - 1] = and(highest, MASK_22);
    let (low, high) = cut(_mm256_add_epi64(_mm256_srli_epi64::<22>(highest), _mm256_slli_epi64::<14>(last)));
    let fold = splat(FOLD_256);
    out[0] = _mm256_add_epi64(out[0], _mm256_mul_epu32(low, fold));
    out[1] = _mm256_add_epi64(out[1], _mm256_add_epi64(_mm256_slli_epi64::<6>(low), _mm256_mul_epu32(high, fold)));
    out[2] = _mm256_add_epi64(out[2], _mm256_slli_epi64::<6>(high));
    carry(out)
}

/// Column K of a product: Σ a[i]·b[K − i]. One after the other, columns need few registers at a time. The range excludes its end
/// because one that includes it is not unrolled, which takes half as long again.
#[inline]
#[target_feature(enable = "avx2")]
fn column<const K: usize>(a: &[V; LIMBS], b: &[V; LIMBS]) -> V {
    let first = K.saturating_sub(LIMBS - 1);
    let mut sum = _mm256_mul_epu32(a[first], b[K - first]);
    for i in first + 1..K - first + 1 {
        sum = _mm256_add_epi64(sum, _mm256_mul_epu32(a[i], b[K - i]));
    }
    sum
}

/// Column K of a square, given a and 2a.
#[inline]
#[target_feature(enable = "avx2")]
fn column_of_square<const K: usize>(a: &[V; LIMBS], twice: &[V; LIMBS]) -> V {
    let first = K.saturating_sub(LIMBS - 1);
    let mut sum = if K.is_multiple_of(2) { _mm256_mul_epu32(a[K / 2], a[K / 2]) } else { _mm256_setzero_si256() };
    for i in first..K.div_ceil(2) {
        sum = _mm256_add_epi64(sum, _mm256_mul_epu32(twice[i], a[K - i]));
    }
    sum
}

/// An array of one function at each number.
macro_rules! each {
    ($function:ident, $a:expr, $b:expr; $($k:literal)*) => { [$($function::<$k>($a, $b)),*] };
}

// Products are long, and faster to call than to have everywhere.
#[inline(never)]
#[target_feature(enable = "avx2")]
fn mul(Field4(a): &Field4, Field4(b): &Field4) -> Field4 {
    reduce_wide(each!(column, a, b; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18))
}

#[inline(never)]
#[target_feature(enable = "avx2")]
fn square(Field4(a): &Field4) -> Field4 {
    let mut twice = *a;
    for limb in &mut twice {
        *limb = _mm256_add_epi64(*limb, *limb);
    }
    reduce_wide(each!(column_of_square, a, &twice; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18))
}

/// Rows become columns: `rows[i]` lane j goes to vector j lane i.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(rows: [V; 4]) -> [V; 4] {
    let (low_01, high_01) = (_mm256_unpacklo_epi64(rows[0], rows[1]), _mm256_unpackhi_epi64(rows[0], rows[1]));
    let (low_23, high_23) = (_mm256_unpacklo_epi64(rows[2], rows[3]), _mm256_unpackhi_epi64(rows[2], rows[3]));
    [
        _mm256_permute2x128_si256::<0x20>(low_01, low_23),
        _mm256_permute2x128_si256::<0x20>(high_01, high_23),
        _mm256_permute2x128_si256::<0x31>(low_01, low_23),
        _mm256_permute2x128_si256::<0x31>(high_01, high_23),
    ]
}

/// Limbs of 26 bits from words of 64.
#[inline]
#[target_feature(enable = "avx2")]
fn unpack([w0, w1, w2, w3]: [V; 4]) -> Field4 {
    let limb = |bits| and(bits, MASK_26);
    Field4([
        limb(w0),
        limb(_mm256_srli_epi64::<26>(w0)),
        limb(_mm256_or_si256(_mm256_srli_epi64::<52>(w0), _mm256_slli_epi64::<12>(w1))),
        limb(_mm256_srli_epi64::<14>(w1)),
        limb(_mm256_or_si256(_mm256_srli_epi64::<40>(w1), _mm256_slli_epi64::<24>(w2))),
        limb(_mm256_srli_epi64::<2>(w2)),
        limb(_mm256_srli_epi64::<28>(w2)),
        limb(_mm256_or_si256(_mm256_srli_epi64::<54>(w2), _mm256_slli_epi64::<10>(w3))),
        limb(_mm256_srli_epi64::<16>(w3)),
        _mm256_srli_epi64::<42>(w3),
    ])
}

/// Words of 64 bits from a reduced element.
#[inline]
#[target_feature(enable = "avx2")]
fn pack(a: &Field4) -> [V; 4] {
    let Field4(l) = reduce(a.0); // below 2^256 now
    let or = |parts: [V; 3]| _mm256_or_si256(_mm256_or_si256(parts[0], parts[1]), parts[2]);
    let w2 = or([_mm256_srli_epi64::<24>(l[4]), _mm256_slli_epi64::<2>(l[5]), _mm256_slli_epi64::<28>(l[6])]);
    [
        or([l[0], _mm256_slli_epi64::<26>(l[1]), _mm256_slli_epi64::<52>(l[2])]),
        or([_mm256_srli_epi64::<12>(l[2]), _mm256_slli_epi64::<14>(l[3]), _mm256_slli_epi64::<40>(l[4])]),
        _mm256_or_si256(w2, _mm256_slli_epi64::<54>(l[7])),
        or([_mm256_srli_epi64::<10>(l[7]), _mm256_slli_epi64::<16>(l[8]), _mm256_slli_epi64::<42>(l[9])]),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(points: &[Point], indices: &[u32]) -> (Field4, Field4) {
    let (mut xs, mut ys) = ([_mm256_setzero_si256(); 4], [_mm256_setzero_si256(); 4]);
    for (lane, &index) in indices[..4].iter().enumerate() {
        let point = &points[index as usize];
        // SAFETY: each coordinate is 32 bytes (four u64), and a Point is aligned to 64.
        unsafe {
            xs[lane] = _mm256_load_si256(std::ptr::from_ref(&point.x).cast());
            ys[lane] = _mm256_load_si256(std::ptr::from_ref(&point.y).cast());
        }
    }
    (unpack(transpose(xs)), unpack(transpose(ys)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(x: &Field4, y: &Field4, points: &mut [Point], indices: &[u32]) {
    let (xs, ys) = (transpose(pack(x)), transpose(pack(y)));
    for (lane, &index) in indices[..4].iter().enumerate() {
        let point = &mut points[index as usize];
        // SAFETY: each coordinate is 32 bytes (four u64) in which any bits are valid, and a Point is aligned to 64.
        unsafe {
            _mm256_store_si256(std::ptr::from_mut(&mut point.x).cast(), xs[lane]);
            _mm256_store_si256(std::ptr::from_mut(&mut point.y).cast(), ys[lane]);
        }
    }
}

/// All bits of the lanes of a mask.
#[inline]
#[target_feature(enable = "avx2")]
fn spread(mask: Mask) -> V {
    let places = _mm256_setr_epi64x(1, 2, 4, 8);
    _mm256_cmpeq_epi64(_mm256_and_si256(splat(u64::from(mask)), places), places)
}

/// The lanes of which all bits are set.
#[inline]
#[target_feature(enable = "avx2")]
fn gather(lanes: V) -> Mask {
    _mm256_movemask_pd(_mm256_castsi256_pd(lanes)) as Mask
}

#[inline]
#[target_feature(enable = "avx2")]
fn is_zero(a: &Field4) -> Mask {
    let mut bits = a.0[0];
    let mut from_p = _mm256_xor_si256(a.0[0], splat(P_26[0]));
    for i in 1..LIMBS {
        bits = _mm256_or_si256(bits, a.0[i]);
        from_p = _mm256_or_si256(from_p, _mm256_xor_si256(a.0[i], splat(P_26[i])));
    }
    let zero = _mm256_setzero_si256();
    gather(_mm256_or_si256(_mm256_cmpeq_epi64(bits, zero), _mm256_cmpeq_epi64(from_p, zero)))
}

/// a + 8p − b − c, limb by limb: 8p has room for two loose elements.
#[inline]
#[target_feature(enable = "avx2")]
fn sub_both(a: &Field4, b: &Field4, c: &Field4) -> Field4 {
    reduce(std::array::from_fn(|i| {
        let raised = _mm256_add_epi64(a.0[i], splat(8 * P_26[i]));
        _mm256_sub_epi64(raised, _mm256_add_epi64(b.0[i], c.0[i]))
    }))
}

// In every method below: SAFETY: `self` is a witness that the processor has AVX2, which is all that the functions called need;
// they touch no memory but what their references give them.
impl Lanes for Avx2 {
    const WIDTH: usize = 4;
    const TABLES_MOST: usize = 16;
    type Field = Field4;

    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2")]
        fn enabled<K: Kernel>(lanes: Avx2, kernel: K) -> K::Output {
            kernel.run(lanes)
        }
        // SAFETY: the witness.
        unsafe { enabled(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, limbs: Limbs) -> Field4 {
        let limbs = halves(limbs);
        // SAFETY: the witness.
        unsafe {
            let mut out = zero();
            for i in 0..LIMBS {
                out.0[i] = splat(limbs[i]);
            }
            out
        }
    }

    #[inline(always)]
    fn mul(self, a: Field4, b: Field4) -> Field4 {
        // SAFETY: the witness.
        unsafe { mul(&a, &b) }
    }

    #[inline(always)]
    fn square(self, a: Field4) -> Field4 {
        // SAFETY: the witness.
        unsafe { square(&a) }
    }

    #[inline(always)]
    fn add(self, a: Field4, b: Field4) -> Field4 {
        let mut sum = a;
        for i in 0..LIMBS {
            // SAFETY: the witness.
            sum.0[i] = unsafe { _mm256_add_epi64(a.0[i], b.0[i]) };
        }
        // SAFETY: the witness.
        unsafe { reduce(sum.0) }
    }

    #[inline(always)]
    fn sub(self, a: Field4, b: Field4) -> Field4 {
        // SAFETY: the witness.
        unsafe { sub_both(&a, &b, &zero()) }
    }

    #[inline(always)]
    fn sub_both(self, a: Field4, b: Field4, c: Field4) -> Field4 {
        // SAFETY: the witness.
        unsafe { sub_both(&a, &b, &c) }
    }

    #[inline(always)]
    fn small(self, a: Field4, k: u64) -> Field4 {
        let mut product = a;
        for i in 0..LIMBS {
            // SAFETY: the witness.
            product.0[i] = unsafe { _mm256_mul_epu32(a.0[i], splat(k)) };
        }
        // SAFETY: the witness.
        unsafe { reduce(product.0) }
    }

    #[inline(always)]
    fn negate_if(self, mask: Mask, a: Field4) -> Field4 {
        let mut out = a;
        for i in 0..LIMBS {
            // SAFETY: the witness.
            out.0[i] = unsafe {
                let negative = _mm256_sub_epi64(splat(2 * P_26[i]), a.0[i]);
                _mm256_blendv_epi8(a.0[i], negative, spread(mask))
            };
        }
        out
    }

    #[inline(always)]
    fn is_zero(self, a: Field4) -> Mask {
        // SAFETY: the witness.
        unsafe { is_zero(&a) }
    }

    #[inline(always)]
    fn may_be_zero(self, a: Field4) -> bool {
        // SAFETY: the witness.
        unsafe {
            let zero = _mm256_cmpeq_epi64(a.0[2], _mm256_setzero_si256());
            gather(_mm256_or_si256(zero, _mm256_cmpeq_epi64(a.0[2], splat(P_26[2])))) != 0
        }
    }

    #[inline(always)]
    fn select(self, mask: Mask, set: Field4, clear: Field4) -> Field4 {
        let mut out = clear;
        for i in 0..LIMBS {
            // SAFETY: the witness.
            out.0[i] = unsafe { _mm256_blendv_epi8(clear.0[i], set.0[i], spread(mask)) };
        }
        out
    }

    #[inline(always)]
    fn equal(self, digits: &[u8], number: u8) -> Mask {
        let packed = i32::from_le_bytes(digits[..4].try_into().expect("four digits"));
        // SAFETY: the witness.
        unsafe { gather(_mm256_cmpeq_epi64(_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(packed)), splat(u64::from(number)))) }
    }

    #[inline(always)]
    fn load(self, points: &[Point], indices: &[u32]) -> (Field4, Field4) {
        // SAFETY: the witness.
        unsafe { load(points, indices) }
    }

    #[inline(always)]
    fn prefetch<T>(self, items: &[T], index: usize) {
        let item: *const T = items.as_ptr().wrapping_add(index);
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(item.cast()) };
    }

    #[inline(always)]
    fn store(self, x: Field4, y: Field4, points: &mut [Point], indices: &[u32]) {
        // SAFETY: the witness.
        unsafe { store(&x, &y, points, indices) }
    }

    #[inline(always)]
    fn lane(self, a: Field4, lane: usize) -> Limbs {
        std::array::from_fn(|i| {
            let mut halves = [[0u64; 4]; 2];
            // SAFETY: the witness; each half has room for four lanes, and the store needs no alignment.
            unsafe {
                _mm256_storeu_si256(halves[0].as_mut_ptr().cast(), a.0[2 * i]);
                _mm256_storeu_si256(halves[1].as_mut_ptr().cast(), a.0[2 * i + 1]);
            }
            halves[0][lane] + (halves[1][lane] << 26)
        })
    }
}
