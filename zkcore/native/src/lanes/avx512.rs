//! Eight elements at a time, one a 64-bit lane, with the 52-bit multiply-add of AVX-512 IFMA.
//!
//! A multiply-add looks at the low 52 bits of its factors alone. That is why elements are kept reduced, and why the carries of a
//! product's upper half need no masks. Only this module, its sibling for AVX2 and the Python binding contain `unsafe`.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::{FOLD_256, FOLD_260, Kernel, Lanes, Limbs, MASK_48, MASK_52, Mask, P, P_2, P_8};
use crate::arithmetic::Point;

/// A witness that this processor has AVX-512 F, DQ and IFMA: only [`Avx512::detect`] makes one, which is what makes the
/// instructions below safe to execute.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

type V = __m512i;

/// Eight field elements: limb i of all of them in vector i.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Field8([V; 5]);

impl Avx512 {
    /// The witness, on a processor that has the instructions.
    pub fn detect() -> Option<Self> {
        let present = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512ifma");
        present.then_some(Self(()))
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn splat(x: u64) -> V {
    _mm512_set1_epi64(x as i64)
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn carry(mut x: [V; 5]) -> [V; 5] {
    let mask = splat(MASK_52);
    for i in 0..4 {
        x[i + 1] = _mm512_add_epi64(x[i + 1], _mm512_srli_epi64::<52>(x[i]));
        x[i] = _mm512_and_si512(x[i], mask);
    }
    x
}

/// From limbs below 2^60 to a reduced element.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn reduce(mut x: [V; 5]) -> Field8 {
    let top = _mm512_srli_epi64::<48>(x[4]);
    x[4] = _mm512_and_si512(x[4], splat(MASK_48));
    x[0] = _mm512_madd52lo_epu64(x[0], top, splat(FOLD_256));
    Field8(carry(x))
}

/// Ten columns of a product of reduced elements, each below 2^57, to a reduced element.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn reduce_wide(mut c: [V; 10]) -> Field8 {
    for i in 5..9 {
        c[i + 1] = _mm512_add_epi64(c[i + 1], _mm512_srli_epi64::<52>(c[i]));
    }
    let fold = splat(FOLD_260);
    let mut above = _mm512_setzero_si512();
    for i in 0..5 {
        c[i] = _mm512_madd52lo_epu64(c[i], c[i + 5], fold);
        if i < 4 {
            c[i + 1] = _mm512_madd52hi_epu64(c[i + 1], c[i + 5], fold);
        } else {
            above = _mm512_madd52hi_epu64(above, c[9], fold);
        }
    }
    let top = _mm512_add_epi64(_mm512_slli_epi64::<4>(above), _mm512_srli_epi64::<48>(c[4]));
    c[4] = _mm512_and_si512(c[4], splat(MASK_48));
    let fold = splat(FOLD_256);
    c[0] = _mm512_madd52lo_epu64(c[0], top, fold);
    c[1] = _mm512_madd52hi_epu64(c[1], top, fold);
    Field8(carry([c[0], c[1], c[2], c[3], c[4]]))
}

// Products are long: having them everywhere takes a minute to compile, which builds for tests are spared.
#[cfg_attr(debug_assertions, inline(never))]
#[cfg_attr(not(debug_assertions), inline)]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn mul(a: Field8, b: Field8) -> Field8 {
    let mut c = [_mm512_setzero_si512(); 10];
    for i in 0..5 {
        for j in 0..5 {
            c[i + j] = _mm512_madd52lo_epu64(c[i + j], a.0[i], b.0[j]);
            c[i + j + 1] = _mm512_madd52hi_epu64(c[i + j + 1], a.0[i], b.0[j]);
        }
    }
    reduce_wide(c)
}

#[cfg_attr(debug_assertions, inline(never))]
#[cfg_attr(not(debug_assertions), inline)]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn square(a: Field8) -> Field8 {
    let mut c = [_mm512_setzero_si512(); 10];
    for i in 0..5 {
        for j in i + 1..5 {
            c[i + j] = _mm512_madd52lo_epu64(c[i + j], a.0[i], a.0[j]);
            c[i + j + 1] = _mm512_madd52hi_epu64(c[i + j + 1], a.0[i], a.0[j]);
        }
    }
    for column in &mut c[1..9] {
        *column = _mm512_add_epi64(*column, *column);
    }
    for i in 0..5 {
        c[2 * i] = _mm512_madd52lo_epu64(c[2 * i], a.0[i], a.0[i]);
        c[2 * i + 1] = _mm512_madd52hi_epu64(c[2 * i + 1], a.0[i], a.0[i]);
    }
    reduce_wide(c)
}

/// Rows become columns: `rows[i]` lane j goes to vector j lane i.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn transpose(rows: [V; 8]) -> [V; 8] {
    let mut pairs = rows;
    for i in 0..4 {
        pairs[2 * i] = _mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]);
    }
    // pairs[2i + h] has lane 2k + h of rows 2i, 2i + 1 in its k-th 128 bits.
    let mut out = rows;
    for h in 0..2 {
        let low = _mm512_shuffle_i64x2::<0b10_00_10_00>(pairs[h], pairs[2 + h]); // blocks 0, 2 of rows 0–3
        let high = _mm512_shuffle_i64x2::<0b11_01_11_01>(pairs[h], pairs[2 + h]); // blocks 1, 3
        let low_rest = _mm512_shuffle_i64x2::<0b10_00_10_00>(pairs[4 + h], pairs[6 + h]);
        let high_rest = _mm512_shuffle_i64x2::<0b11_01_11_01>(pairs[4 + h], pairs[6 + h]);
        out[h] = _mm512_shuffle_i64x2::<0b10_00_10_00>(low, low_rest);
        out[4 + h] = _mm512_shuffle_i64x2::<0b11_01_11_01>(low, low_rest);
        out[2 + h] = _mm512_shuffle_i64x2::<0b10_00_10_00>(high, high_rest);
        out[6 + h] = _mm512_shuffle_i64x2::<0b11_01_11_01>(high, high_rest);
    }
    out
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn unpack(w: [V; 4]) -> Field8 {
    let mask = splat(MASK_52);
    Field8([
        _mm512_and_si512(w[0], mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64::<52>(w[0]), _mm512_slli_epi64::<12>(w[1])), mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64::<40>(w[1]), _mm512_slli_epi64::<24>(w[2])), mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64::<28>(w[2]), _mm512_slli_epi64::<36>(w[3])), mask),
        _mm512_srli_epi64::<16>(w[3]),
    ])
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn pack(a: Field8) -> [V; 4] {
    let Field8(l) = reduce(a.0);
    [
        _mm512_or_si512(l[0], _mm512_slli_epi64::<52>(l[1])),
        _mm512_or_si512(_mm512_srli_epi64::<12>(l[1]), _mm512_slli_epi64::<40>(l[2])),
        _mm512_or_si512(_mm512_srli_epi64::<24>(l[2]), _mm512_slli_epi64::<28>(l[3])),
        _mm512_or_si512(_mm512_srli_epi64::<36>(l[3]), _mm512_slli_epi64::<16>(l[4])),
    ]
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn load(points: &[Point], indices: &[u32]) -> (Field8, Field8) {
    let mut rows = [_mm512_setzero_si512(); 8];
    for (row, &index) in rows.iter_mut().zip(&indices[..8]) {
        let point: &Point = &points[index as usize];
        // SAFETY: a Point is 64 bytes (repr C, eight u64) aligned to 64.
        *row = unsafe { _mm512_load_si512(std::ptr::from_ref(point).cast()) };
    }
    let [x0, x1, x2, x3, y0, y1, y2, y3] = transpose(rows);
    (unpack([x0, x1, x2, x3]), unpack([y0, y1, y2, y3]))
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn store(x: Field8, y: Field8, points: &mut [Point], indices: &[u32]) {
    let ([x0, x1, x2, x3], [y0, y1, y2, y3]) = (pack(x), pack(y));
    let rows = transpose([x0, x1, x2, x3, y0, y1, y2, y3]);
    for (row, &index) in rows.iter().zip(&indices[..8]) {
        let point: &mut Point = &mut points[index as usize];
        // SAFETY: a Point is 64 bytes (repr C, eight u64) aligned to 64, and any bits are valid in it.
        unsafe { _mm512_store_si512(std::ptr::from_mut(point).cast(), *row) };
    }
}

// In every method below: SAFETY: `self` is a witness that the processor has AVX-512 F, DQ and IFMA, which is all that the
// functions called need; they touch no memory but what their references give them.
impl Lanes for Avx512 {
    const WIDTH: usize = 8;
    const TABLES_MOST: usize = 96;
    type Field = Field8;

    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
        fn enabled<K: Kernel>(lanes: Avx512, kernel: K) -> K::Output {
            kernel.run(lanes)
        }
        // SAFETY: the witness.
        unsafe { enabled(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, limbs: Limbs) -> Field8 {
        // SAFETY: the witness.
        unsafe { Field8([splat(limbs[0]), splat(limbs[1]), splat(limbs[2]), splat(limbs[3]), splat(limbs[4])]) }
    }

    #[inline(always)]
    fn mul(self, a: Field8, b: Field8) -> Field8 {
        // SAFETY: the witness.
        unsafe { mul(a, b) }
    }

    #[inline(always)]
    fn square(self, a: Field8) -> Field8 {
        // SAFETY: the witness.
        unsafe { square(a) }
    }

    #[inline(always)]
    fn add(self, a: Field8, b: Field8) -> Field8 {
        let mut sum = a;
        for i in 0..5 {
            // SAFETY: the witness.
            sum.0[i] = unsafe { _mm512_add_epi64(a.0[i], b.0[i]) };
        }
        // SAFETY: the witness.
        unsafe { reduce(sum.0) }
    }

    #[inline(always)]
    fn sub(self, a: Field8, b: Field8) -> Field8 {
        let mut difference = a;
        for i in 0..5 {
            // SAFETY: the witness.
            difference.0[i] = unsafe { _mm512_sub_epi64(_mm512_add_epi64(a.0[i], splat(P_8[i])), b.0[i]) };
        }
        // SAFETY: the witness.
        unsafe { reduce(difference.0) }
    }

    #[inline(always)]
    fn sub_both(self, a: Field8, b: Field8, c: Field8) -> Field8 {
        let mut difference = a;
        for i in 0..5 {
            // SAFETY: the witness.
            difference.0[i] =
                unsafe { _mm512_sub_epi64(_mm512_sub_epi64(_mm512_add_epi64(a.0[i], splat(P_8[i])), b.0[i]), c.0[i]) };
        }
        // SAFETY: the witness.
        unsafe { reduce(difference.0) }
    }

    #[inline(always)]
    fn small(self, a: Field8, k: u64) -> Field8 {
        // SAFETY: the witness.
        unsafe {
            let (zero, k) = (_mm512_setzero_si512(), splat(k));
            let mut l = [zero; 5];
            for i in 0..5 {
                l[i] = _mm512_madd52lo_epu64(l[i], a.0[i], k);
                if i < 4 {
                    l[i + 1] = _mm512_madd52hi_epu64(l[i + 1], a.0[i], k);
                } else {
                    // What stands above limb 4 is put back on top of it, where `reduce` folds it.
                    let above = _mm512_madd52hi_epu64(zero, a.0[i], k);
                    l[i] = _mm512_add_epi64(l[i], _mm512_slli_epi64::<52>(above));
                }
            }
            reduce(l)
        }
    }

    #[inline(always)]
    fn negate_if(self, mask: Mask, a: Field8) -> Field8 {
        let mut out = a;
        for i in 0..5 {
            // SAFETY: the witness.
            out.0[i] = unsafe { _mm512_mask_sub_epi64(a.0[i], mask, splat(P_2[i]), a.0[i]) };
        }
        out
    }

    #[inline(always)]
    fn is_zero(self, a: Field8) -> Mask {
        // SAFETY: the witness.
        unsafe {
            let mut bits = a.0[0];
            let mut from_p = _mm512_xor_si512(a.0[0], splat(P[0]));
            for i in 1..5 {
                bits = _mm512_or_si512(bits, a.0[i]);
                from_p = _mm512_or_si512(from_p, _mm512_xor_si512(a.0[i], splat(P[i])));
            }
            _mm512_testn_epi64_mask(bits, bits) | _mm512_testn_epi64_mask(from_p, from_p)
        }
    }

    #[inline(always)]
    fn may_be_zero(self, a: Field8) -> bool {
        // SAFETY: the witness.
        unsafe {
            let zero = _mm512_testn_epi64_mask(a.0[1], a.0[1]);
            (zero | _mm512_cmpeq_epi64_mask(a.0[1], splat(MASK_52))) != 0
        }
    }

    #[inline(always)]
    fn select(self, mask: Mask, set: Field8, clear: Field8) -> Field8 {
        let mut out = clear;
        for i in 0..5 {
            // SAFETY: the witness.
            out.0[i] = unsafe { _mm512_mask_blend_epi64(mask, clear.0[i], set.0[i]) };
        }
        out
    }

    #[inline(always)]
    fn equal(self, digits: &[u8], number: u8) -> Mask {
        let packed = i64::from_le_bytes(digits[..8].try_into().expect("eight digits"));
        // SAFETY: the witness.
        unsafe { _mm512_cmpeq_epi64_mask(_mm512_cvtepu8_epi64(_mm_cvtsi64_si128(packed)), splat(u64::from(number))) }
    }

    #[inline(always)]
    fn load(self, points: &[Point], indices: &[u32]) -> (Field8, Field8) {
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
    fn store(self, x: Field8, y: Field8, points: &mut [Point], indices: &[u32]) {
        // SAFETY: the witness.
        unsafe { store(x, y, points, indices) }
    }

    #[inline(always)]
    fn lane(self, a: Field8, lane: usize) -> Limbs {
        std::array::from_fn(|i| {
            let mut limbs = [0u64; 8];
            // SAFETY: the witness; `limbs` has room for eight lanes, and the store needs no alignment.
            unsafe { _mm512_storeu_si512(limbs.as_mut_ptr().cast(), a.0[i]) };
            limbs[lane]
        })
    }
}
