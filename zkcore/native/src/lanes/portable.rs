//! One element at a time, with 64 × 64 → 128-bit products: for every processor.

use super::{FOLD_256, FOLD_260, Kernel, Lanes, Limbs, MASK_48, MASK_52, Mask, P, P_2, P_8, ZERO, pack, unpack};
use crate::arithmetic::Point;

/// The instructions that every processor has.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

/// Carry between limbs and fold what stands above 2^256: from limbs below 2^60 to a reduced element.
#[inline(always)]
fn reduce(mut l: Limbs) -> Limbs {
    let top = l[4] >> 48;
    l[4] &= MASK_48;
    l[0] += top * FOLD_256;
    for i in 0..4 {
        l[i + 1] += l[i] >> 52;
        l[i] &= MASK_52;
    }
    l
}

/// A product given as nine column sums, reduced.
#[inline(always)]
fn reduce_wide(mut c: [u128; 10]) -> Limbs {
    const MASK: u128 = MASK_52 as u128;
    for i in 0..9 {
        c[i + 1] += c[i] >> 52;
        c[i] &= MASK;
    }
    let mut r = [0u128; 5];
    for i in 0..5 {
        r[i] = c[i] + c[i + 5] * u128::from(FOLD_260);
    }
    for i in 0..4 {
        r[i + 1] += r[i] >> 52;
        r[i] &= MASK;
    }
    let top = r[4] >> 48;
    r[4] &= u128::from(MASK_48);
    r[0] += top * u128::from(FOLD_256);
    for i in 0..4 {
        r[i + 1] += r[i] >> 52;
        r[i] &= MASK;
    }
    [r[0] as u64, r[1] as u64, r[2] as u64, r[3] as u64, r[4] as u64]
}

#[inline(always)]
fn keep(mask: Mask) -> u64 {
    0u64.wrapping_sub(u64::from(mask & 1))
}

impl Lanes for Portable {
    const WIDTH: usize = 1;
    type Field = Limbs;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn splat(self, limbs: Limbs) -> Limbs {
        limbs
    }

    #[inline(always)]
    fn mul(self, a: Limbs, b: Limbs) -> Limbs {
        let mut c = [0u128; 10];
        for i in 0..5 {
            for j in 0..5 {
                c[i + j] += u128::from(a[i]) * u128::from(b[j]);
            }
        }
        reduce_wide(c)
    }

    #[inline(always)]
    fn square(self, a: Limbs) -> Limbs {
        let mut c = [0u128; 10];
        for i in 0..5 {
            for j in i + 1..5 {
                c[i + j] += u128::from(a[i] * 2) * u128::from(a[j]);
            }
            c[2 * i] += u128::from(a[i]) * u128::from(a[i]);
        }
        reduce_wide(c)
    }

    #[inline(always)]
    fn add(self, a: Limbs, b: Limbs) -> Limbs {
        reduce(std::array::from_fn(|i| a[i] + b[i]))
    }

    #[inline(always)]
    fn sub(self, a: Limbs, b: Limbs) -> Limbs {
        reduce(std::array::from_fn(|i| a[i] + P_8[i] - b[i]))
    }

    #[inline(always)]
    fn sub_both(self, a: Limbs, b: Limbs, c: Limbs) -> Limbs {
        reduce(std::array::from_fn(|i| a[i] + P_8[i] - b[i] - c[i]))
    }

    #[inline(always)]
    fn small(self, a: Limbs, k: u64) -> Limbs {
        reduce(std::array::from_fn(|i| a[i] * k))
    }

    #[inline(always)]
    fn negate_if(self, mask: Mask, a: Limbs) -> Limbs {
        let keep = keep(mask);
        std::array::from_fn(|i| ((P_2[i] - a[i]) & keep) | (a[i] & !keep))
    }

    #[inline(always)]
    fn is_zero(self, a: Limbs) -> Mask {
        u8::from(a == ZERO) | u8::from(a == P)
    }

    #[inline(always)]
    fn may_be_zero(self, a: Limbs) -> bool {
        a[1] == 0 || a[1] == MASK_52
    }

    #[inline(always)]
    fn select(self, mask: Mask, set: Limbs, clear: Limbs) -> Limbs {
        let keep = keep(mask);
        std::array::from_fn(|i| (set[i] & keep) | (clear[i] & !keep))
    }

    #[inline(always)]
    fn equal(self, digits: &[u8], number: u8) -> Mask {
        use subtle::ConstantTimeEq;
        digits[0].ct_eq(&number).unwrap_u8()
    }

    #[inline(always)]
    fn load(self, points: &[Point], indices: &[u32]) -> (Limbs, Limbs) {
        let point = &points[indices[0] as usize];
        (unpack(point.x), unpack(point.y))
    }

    #[inline(always)]
    fn prefetch<T>(self, _items: &[T], _index: usize) {}

    #[inline(always)]
    fn store(self, x: Limbs, y: Limbs, points: &mut [Point], indices: &[u32]) {
        points[indices[0] as usize] = Point { x: pack(reduce(x)), y: pack(reduce(y)) };
    }

    #[inline(always)]
    fn lane(self, a: Limbs, _lane: usize) -> Limbs {
        a
    }
}
