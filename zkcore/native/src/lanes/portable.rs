//! One element at a time, with 64 × 64 → 128-bit products: for every processor.

use super::{FOLD_256, Kernel, Lanes, Limbs, Mask, carry, pack, unpack};
use crate::arithmetic::point::{PRIME, Point};

/// The instructions that every processor has.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

/// Four limbs of 64 bits, least significant first: any value below 2^256, which stands for what it is modulo p.
type Words = [u64; 4];

/// a + b·c + carry, low and high.
#[inline(always)]
fn multiply_add(a: u64, b: u64, c: u64, carry: u64) -> (u64, u64) {
    let sum = u128::from(b) * u128::from(c) + u128::from(a) + u128::from(carry);
    (sum as u64, (sum >> 64) as u64)
}

/// a + b + carry, and the carry.
#[inline(always)]
fn add_carry(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(u64::from(carry));
    (sum, first | second)
}

/// a − b − borrow, and the borrow.
#[inline(always)]
fn sub_borrow(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(u64::from(borrow));
    (difference, first | second)
}

/// The same word, of which the compiler knows nothing: it cannot find out that there are but two values it can have, and branch
/// on which it is, as it does in loops where it expects a branch to be faster than a computation.
#[inline(always)]
#[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
#[allow(unsafe_code)]
fn opaque(mut word: u64) -> u64 {
    // SAFETY: there are no instructions between the word's going in and its coming out.
    unsafe { core::arch::asm!("/* {0} */", inout(reg) word, options(pure, nomem, nostack, preserves_flags)) };
    word
}

#[inline(always)]
#[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
fn opaque(word: u64) -> u64 {
    std::hint::black_box(word)
}

/// All bits where it is said, else none.
#[inline(always)]
fn all_if(said: bool) -> u64 {
    opaque(0u64.wrapping_sub(u64::from(said)))
}

/// 2^256 mod p where it is said, else 0, without a branch.
#[inline(always)]
fn fold_if(said: bool) -> u64 {
    FOLD_256 & all_if(said)
}

/// a + more, for a below 2^256 and more below 2^67 as two words.
#[inline(always)]
fn add_words(a: Words, more: [u64; 2]) -> Words {
    let (w0, carry) = a[0].overflowing_add(more[0]);
    let (w1, carry) = add_carry(a[1], more[1], carry);
    let (w2, carry) = a[2].overflowing_add(u64::from(carry));
    let (w3, carry) = a[3].overflowing_add(u64::from(carry));
    // After a carry what is left is below 2^67, so that there is no other.
    let (w0, carry) = w0.overflowing_add(fold_if(carry));
    [w0, w1 + u64::from(carry), w2, w3]
}

/// What stands above 2^256 is folded onto what stands below.
#[inline(always)]
fn reduce_wide(w: [u64; 8]) -> Words {
    let (w0, carry) = multiply_add(w[0], w[4], FOLD_256, 0);
    let (w1, carry) = multiply_add(w[1], w[5], FOLD_256, carry);
    let (w2, carry) = multiply_add(w[2], w[6], FOLD_256, carry);
    let (w3, carry) = multiply_add(w[3], w[7], FOLD_256, carry);
    // The carry is below 2^34, so this is below 2^67.
    let above = u128::from(carry) * u128::from(FOLD_256);
    add_words([w0, w1, w2, w3], [above as u64, (above >> 64) as u64])
}

#[inline(always)]
fn subtract(a: Words, b: Words) -> Words {
    let (w0, borrow) = a[0].overflowing_sub(b[0]);
    let (w1, borrow) = sub_borrow(a[1], b[1], borrow);
    let (w2, borrow) = sub_borrow(a[2], b[2], borrow);
    let (w3, borrow) = sub_borrow(a[3], b[3], borrow);
    // 2^256 was added: it is taken away again as 2^256 mod p; should that borrow once more, what is left is so large that the
    // second time cannot.
    let (w0, borrow) = w0.overflowing_sub(fold_if(borrow));
    let (w1, borrow) = w1.overflowing_sub(u64::from(borrow));
    let (w2, borrow) = w2.overflowing_sub(u64::from(borrow));
    let (w3, borrow) = w3.overflowing_sub(u64::from(borrow));
    [w0.wrapping_sub(fold_if(borrow)), w1, w2, w3]
}

#[inline(always)]
fn choose(mask: u64, set: Words, clear: Words) -> Words {
    std::array::from_fn(|i| (set[i] & mask) | (clear[i] & !mask))
}

#[inline(always)]
fn keep(mask: Mask) -> u64 {
    all_if(mask & 1 == 1)
}

impl Lanes for Portable {
    const WIDTH: usize = 1;
    const TABLES_MOST: usize = 12;
    type Field = Words;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn splat(self, limbs: Limbs) -> Words {
        pack(carry(limbs))
    }

    // Products are long: having them everywhere takes a minute to compile, which builds for tests are spared.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn mul(self, a: Words, b: Words) -> Words {
        let mut wide = [0u64; 8];
        for i in 0..4 {
            let mut carry = 0;
            for j in 0..4 {
                (wide[i + j], carry) = multiply_add(wide[i + j], a[i], b[j], carry);
            }
            wide[i + 4] = carry;
        }
        reduce_wide(wide)
    }

    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn square(self, a: Words) -> Words {
        // Products of different words, once.
        let (w1, carry) = multiply_add(0, a[0], a[1], 0);
        let (w2, carry) = multiply_add(0, a[0], a[2], carry);
        let (w3, w4) = multiply_add(0, a[0], a[3], carry);
        let (w3, carry) = multiply_add(w3, a[1], a[2], 0);
        let (w4, w5) = multiply_add(w4, a[1], a[3], carry);
        let (w5, w6) = multiply_add(w5, a[2], a[3], 0);
        // Twice, and the squares of each.
        let twice = [
            w1 << 1,
            w2 << 1 | w1 >> 63,
            w3 << 1 | w2 >> 63,
            w4 << 1 | w3 >> 63,
            w5 << 1 | w4 >> 63,
            w6 << 1 | w5 >> 63,
            w6 >> 63,
        ];
        let squares: [u128; 4] = std::array::from_fn(|i| u128::from(a[i]) * u128::from(a[i]));
        let (r1, carry) = twice[0].overflowing_add((squares[0] >> 64) as u64);
        let (r2, carry) = add_carry(twice[1], squares[1] as u64, carry);
        let (r3, carry) = add_carry(twice[2], (squares[1] >> 64) as u64, carry);
        let (r4, carry) = add_carry(twice[3], squares[2] as u64, carry);
        let (r5, carry) = add_carry(twice[4], (squares[2] >> 64) as u64, carry);
        let (r6, carry) = add_carry(twice[5], squares[3] as u64, carry);
        let r7 = twice[6] + (squares[3] >> 64) as u64 + u64::from(carry);
        reduce_wide([squares[0] as u64, r1, r2, r3, r4, r5, r6, r7])
    }

    #[inline(always)]
    fn add(self, a: Words, b: Words) -> Words {
        let (w0, carry) = a[0].overflowing_add(b[0]);
        let (w1, carry) = add_carry(a[1], b[1], carry);
        let (w2, carry) = add_carry(a[2], b[2], carry);
        let (w3, carry) = add_carry(a[3], b[3], carry);
        add_words([w0, w1, w2, w3], [fold_if(carry), 0])
    }

    #[inline(always)]
    fn sub(self, a: Words, b: Words) -> Words {
        subtract(a, b)
    }

    #[inline(always)]
    fn sub_both(self, a: Words, b: Words, c: Words) -> Words {
        subtract(subtract(a, b), c)
    }

    #[inline(always)]
    fn small(self, a: Words, k: u64) -> Words {
        let (w0, carry) = multiply_add(0, a[0], k, 0);
        let (w1, carry) = multiply_add(0, a[1], k, carry);
        let (w2, carry) = multiply_add(0, a[2], k, carry);
        let (w3, carry) = multiply_add(0, a[3], k, carry);
        add_words([w0, w1, w2, w3], [carry * FOLD_256, 0])
    }

    #[inline(always)]
    fn negate_if(self, mask: Mask, a: Words) -> Words {
        choose(keep(mask), subtract([0; 4], a), a)
    }

    #[inline(always)]
    fn is_zero(self, a: Words) -> Mask {
        let differs = |other: Words| (a[0] ^ other[0]) | (a[1] ^ other[1]) | (a[2] ^ other[2]) | (a[3] ^ other[3]);
        u8::from(differs([0; 4]) == 0) | u8::from(differs(PRIME) == 0)
    }

    #[inline(always)]
    fn may_be_zero(self, a: Words) -> bool {
        a[1] == PRIME[1] || a[1] == 0
    }

    #[inline(always)]
    fn select(self, mask: Mask, set: Words, clear: Words) -> Words {
        choose(keep(mask), set, clear)
    }

    #[inline(always)]
    fn equal(self, digits: &[u8], number: u8) -> Mask {
        use subtle::ConstantTimeEq;
        digits[0].ct_eq(&number).unwrap_u8()
    }

    #[inline(always)]
    fn load(self, points: &[Point], indices: &[u32]) -> (Words, Words) {
        let point = &points[indices[0] as usize];
        (point.x, point.y)
    }

    #[inline(always)]
    fn prefetch<T>(self, _items: &[T], _index: usize) {}

    #[inline(always)]
    fn store(self, x: Words, y: Words, points: &mut [Point], indices: &[u32]) {
        points[indices[0] as usize] = Point { x, y };
    }

    #[inline(always)]
    fn lane(self, a: Words, _lane: usize) -> Limbs {
        unpack(a)
    }
}
