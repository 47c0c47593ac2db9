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

/// a·b in full.
#[inline(always)]
fn wide(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

/// A product given as nine sums of columns, reduced. It must be inlined, so that each sum is added up where it is needed and none
/// goes through memory: written with arrays of columns, a product takes three times as long.
#[inline(always)]
fn reduce_wide(columns: [u128; 9]) -> Limbs {
    let [c0, c1, c2, c3, c4, c5, c6, c7, c8] = columns;
    let low = |c: u128| c as u64 & MASK_52;
    // What stands above 2^260, in limbs; the last may be larger.
    let c6 = c6 + (c5 >> 52);
    let c7 = c7 + (c6 >> 52);
    let c8 = c8 + (c7 >> 52);
    // It is folded onto the lower columns, and carries go up to 2^256.
    let c0 = c0 + wide(low(c5), FOLD_260);
    let c1 = c1 + wide(low(c6), FOLD_260) + (c0 >> 52);
    let c2 = c2 + wide(low(c7), FOLD_260) + (c1 >> 52);
    let c3 = c3 + wide(low(c8), FOLD_260) + (c2 >> 52);
    let c4 = c4 + wide((c8 >> 52) as u64, FOLD_260) + (c3 >> 52);
    let r0 = wide((c4 >> 48) as u64, FOLD_256) + u128::from(low(c0));
    let r1 = low(c1) + (r0 >> 52) as u64;
    let r2 = low(c2) + (r1 >> 52);
    let r3 = low(c3) + (r2 >> 52);
    let r4 = (c4 as u64 & MASK_48) + (r3 >> 52);
    [low(r0), r1 & MASK_52, r2 & MASK_52, r3 & MASK_52, r4]
}

#[inline(always)]
fn keep(mask: Mask) -> u64 {
    0u64.wrapping_sub(u64::from(mask & 1))
}

impl Lanes for Portable {
    const WIDTH: usize = 1;
    const TABLES_MOST: usize = 12;
    type Field = Limbs;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn splat(self, limbs: Limbs) -> Limbs {
        limbs
    }

    // Products are long: having them everywhere takes a minute to compile, which builds for tests are spared.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn mul(self, a: Limbs, b: Limbs) -> Limbs {
        reduce_wide([
            wide(a[0], b[0]),
            wide(a[0], b[1]) + wide(a[1], b[0]),
            wide(a[0], b[2]) + wide(a[1], b[1]) + wide(a[2], b[0]),
            wide(a[0], b[3]) + wide(a[1], b[2]) + wide(a[2], b[1]) + wide(a[3], b[0]),
            wide(a[0], b[4]) + wide(a[1], b[3]) + wide(a[2], b[2]) + wide(a[3], b[1]) + wide(a[4], b[0]),
            wide(a[1], b[4]) + wide(a[2], b[3]) + wide(a[3], b[2]) + wide(a[4], b[1]),
            wide(a[2], b[4]) + wide(a[3], b[3]) + wide(a[4], b[2]),
            wide(a[3], b[4]) + wide(a[4], b[3]),
            wide(a[4], b[4]),
        ])
    }

    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn square(self, a: Limbs) -> Limbs {
        let (twice_0, twice_1, twice_2, twice_3) = (2 * a[0], 2 * a[1], 2 * a[2], 2 * a[3]);
        reduce_wide([
            wide(a[0], a[0]),
            wide(twice_0, a[1]),
            wide(twice_0, a[2]) + wide(a[1], a[1]),
            wide(twice_0, a[3]) + wide(twice_1, a[2]),
            wide(twice_0, a[4]) + wide(twice_1, a[3]) + wide(a[2], a[2]),
            wide(twice_1, a[4]) + wide(twice_2, a[3]),
            wide(twice_2, a[4]) + wide(a[3], a[3]),
            wide(twice_3, a[4]),
            wide(a[4], a[4]),
        ])
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
