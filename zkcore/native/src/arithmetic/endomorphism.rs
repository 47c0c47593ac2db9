//! The endomorphism of secp256k1: λ·(x, y) = (β·x, y), which halves the length of scalars (Gallant, Lambert, Vanstone 2001).
//!
//! Every k is k₁ + k₂·λ modulo the order with |k₁|, |k₂| below 2^128. The lattice basis (a₁, b₁), (a₂, b₂) and the rounded
//! quotients are those of Guide to Elliptic Curve Cryptography, algorithm 3.74; tests check them against the definition.

use k256::Scalar;

use crate::arithmetic::point::limbs_of_scalar;
use crate::lanes::{Limbs, unpack};

/// A scalar below 2^128 in absolute value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Half {
    pub magnitude: u128,
    pub negative: bool,
}

/// β, a cube root of one modulo p.
pub(crate) fn beta() -> Limbs {
    unpack([0xC139_6C28_7195_01EE, 0x9CF0_4975_12F5_8995, 0x6E64_479E_AC34_34E9, 0x7AE9_6A2B_657C_0710])
}

const A_1: u128 = 0x3086_D221_A7D4_6BCD_E86C_90E4_9284_EB15; // b₂ is the same number
const MINUS_B_1: u128 = 0xE443_7ED6_010E_8828_6F54_7FA9_0ABF_E4C3;
const A_2_LOW: u128 = 0x14CA_50F7_A8E2_F3F6_57C1_108D_9D44_CFD8; // a₂ is 2^128 more
/// ⌊2^384·b₂/n⌉ and ⌊−2^384·b₁/n⌉.
const G_1: [u64; 4] = [0xE893_209A_45DB_B031, 0x3DAA_8A14_71E8_CA7F, 0xE86C_90E4_9284_EB15, 0x3086_D221_A7D4_6BCD];
const G_2: [u64; 4] = [0x1571_B4AE_8AC4_7F71, 0x2212_08AC_9DF5_06C6, 0x6F54_7FA9_0ABF_E4C4, 0xE443_7ED6_010E_8828];

/// (k₁, k₂) with k = k₁ + k₂·λ, of a public k. One below 2^128 stays whole, since random weights are so short.
pub(crate) fn split(scalar: &Scalar) -> [Half; 2] {
    let k = limbs_of_scalar(scalar);
    if k[2] | k[3] == 0 {
        return [Half { magnitude: wide(k[0], k[1]), negative: false }, Half { magnitude: 0, negative: false }];
    }
    halve(scalar)
}

/// (k₁, k₂) with k = k₁ + k₂·λ, in time that does not depend on k.
pub(crate) fn halve(scalar: &Scalar) -> [Half; 2] {
    let k = limbs_of_scalar(scalar);
    let (low, high) = (wide(k[0], k[1]), wide(k[2], k[3]));
    let (c_1, c_2) = (rounded(k, G_1), rounded(k, G_2));
    let first = minus(minus((low, high), product(c_1, A_1)), product(c_2, A_2_LOW));
    let first = (first.0, first.1.wrapping_sub(c_2));
    let second = minus(product(c_1, MINUS_B_1), product(c_2, A_1));
    [signed(first), signed(second)]
}

fn wide(low: u64, high: u64) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

/// ⌊k·g/2^384⌉.
fn rounded(k: [u64; 4], g: [u64; 4]) -> u128 {
    let mut product = [0u64; 8];
    for (i, &left) in k.iter().enumerate() {
        let mut carry = 0u128;
        for (j, &right) in g.iter().enumerate() {
            let sum = u128::from(left) * u128::from(right) + u128::from(product[i + j]) + carry;
            product[i + j] = sum as u64;
            carry = sum >> 64;
        }
        product[i + 4] = carry as u64;
    }
    wide(product[6], product[7]) + u128::from(product[5] >> 63)
}

/// a·b as (low, high) halves.
fn product(a: u128, b: u128) -> (u128, u128) {
    let (a_low, a_high, b_low, b_high) = (a as u64, (a >> 64) as u64, b as u64, (b >> 64) as u64);
    let low = u128::from(a_low) * u128::from(b_low);
    let (cross, overflow) = (u128::from(a_low) * u128::from(b_high)).overflowing_add(u128::from(a_high) * u128::from(b_low));
    let (low, carry) = low.overflowing_add(cross << 64);
    let high = u128::from(a_high) * u128::from(b_high) + (cross >> 64) + (u128::from(overflow) << 64) + u128::from(carry);
    (low, high)
}

/// a − b modulo 2^256.
fn minus(a: (u128, u128), b: (u128, u128)) -> (u128, u128) {
    let (low, borrow) = a.0.overflowing_sub(b.0);
    (low, a.1.wrapping_sub(b.1).wrapping_sub(u128::from(borrow)))
}

/// A number modulo 2^256 that is small in absolute value.
fn signed((low, high): (u128, u128)) -> Half {
    let sign = high >> 127;
    Half { magnitude: (low ^ 0u128.wrapping_sub(sign)).wrapping_add(sign), negative: sign == 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k256::U256;
    use k256::elliptic_curve::PrimeField;
    use k256::elliptic_curve::ops::Reduce;
    use proptest::prelude::*;

    fn lambda() -> Scalar {
        let hex = "5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72";
        Scalar::reduce(&U256::from_be_hex(hex))
    }

    fn value(half: Half) -> Scalar {
        let scalar = Scalar::from_u128(half.magnitude);
        if half.negative { -scalar } else { scalar }
    }

    fn check(k: Scalar) {
        for [first, second] in [split(&k), halve(&k)] {
            assert_eq!(value(first) + value(second) * lambda(), k);
        }
    }

    #[test]
    fn edges() {
        let two_128 = Scalar::from_u128(u128::MAX) + Scalar::ONE;
        for k in [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, lambda(), -lambda(), two_128, two_128 - Scalar::ONE, -two_128] {
            check(k);
        }
    }

    proptest! {
        #[test]
        fn any_scalar(bytes: [u8; 32]) {
            check(Scalar::reduce(&U256::from_be_slice(&bytes)));
        }
    }
}
