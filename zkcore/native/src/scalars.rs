//! Scalars: integers modulo the group order, their encoding, and sums and products of many of them.

use k256::elliptic_curve::bigint::{U256, U512};
use k256::elliptic_curve::ff::PrimeField;
use k256::elliptic_curve::ops::Reduce;

pub use k256::Scalar;

use crate::{Code, Error, Result};

/// Bytes of an encoded scalar: big-endian, below the group order.
pub const SCALAR_SIZE: usize = 32;

/// 32 bytes, big-endian.
pub fn encode_scalar(scalar: &Scalar) -> [u8; SCALAR_SIZE] {
    scalar.to_bytes().into()
}

/// Inverse of [`encode_scalar`].
///
/// # Errors
/// `Length` unless there are 32 bytes; `Scalar` when the value is not below the group order.
pub fn decode_scalar(data: &[u8]) -> Result<Scalar> {
    let bytes: [u8; SCALAR_SIZE] = data.try_into().map_err(|_| Error::new(Code::Length, "a scalar is 32 bytes"))?;
    let scalar = Scalar::from_repr(bytes.into()).into_option();
    scalar.ok_or_else(|| Error::new(Code::Scalar, "the scalar is not below the group order"))
}

/// Replace nonzero public scalars by their inverses, at the price of one inversion (Montgomery's trick).
///
/// # Panics
/// When one of them is zero.
pub fn invert_all(scalars: &mut [Scalar]) {
    let mut prefixes = Vec::with_capacity(scalars.len());
    let mut product = Scalar::ONE;
    for scalar in scalars.iter() {
        prefixes.push(product);
        product *= scalar;
    }
    let mut inverse = product.invert_vartime().into_option().expect("no scalar is zero");
    for (scalar, prefix) in scalars.iter_mut().zip(prefixes).rev() {
        let inverted = inverse * prefix;
        inverse *= *scalar;
        *scalar = inverted;
    }
}

/// Append start · Π factors[k], over those k where bit k of i is 1, for each i from 0 to 2^len(factors) − 1.
pub fn bit_products(start: Scalar, factors: &[Scalar], out: &mut Vec<Scalar>) {
    let begin = out.len();
    out.reserve(1 << factors.len());
    out.push(start);
    for factor in factors {
        // The first product is the factor itself where the start is 1, as in half of the calls.
        out.push(if start == Scalar::ONE { *factor } else { start * factor });
        for index in begin + 1..out.len() - 1 {
            let product = out[index] * factor;
            out.push(product);
        }
    }
}

/// 1 + base + … + base^(2^rounds − 1), as the product of (1 + base^(2^k)).
pub fn power_sum(mut base: Scalar, rounds: usize) -> Scalar {
    let mut total = Scalar::ONE;
    for _ in 0..rounds {
        total *= Scalar::ONE + base;
        base = base.square();
    }
    total
}

/// A scalar in limbs, least significant first.
pub type Words = [u64; 4];

/// The limbs of a scalar.
pub fn words(scalar: &Scalar) -> Words {
    U256::from(scalar).to_words()
}

/// A sum of products of public scalars that is reduced once, when it is read. Holds 2⁶⁴ products and more.
#[derive(Clone, Copy, Default)]
pub struct WideSum([u64; 9]);

impl WideSum {
    /// Add a·b.
    #[inline(always)]
    pub fn add_product(&mut self, a: &Words, b: &Words) {
        let mut product = [0u64; 8];
        for i in 0..4 {
            let mut carry = 0;
            for j in 0..4 {
                let term = u128::from(a[i]) * u128::from(b[j]) + u128::from(product[i + j]) + u128::from(carry);
                (product[i + j], carry) = (term as u64, (term >> 64) as u64);
            }
            product[i + 4] = carry;
        }
        let mut carry = false;
        for (limb, term) in self.0.iter_mut().zip(product) {
            let (sum, first) = limb.overflowing_add(term);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, first | second);
        }
        self.0[8] += u64::from(carry);
    }

    /// Add the other sum.
    pub fn add(&mut self, other: &Self) {
        let mut carry = 0;
        for (limb, term) in self.0.iter_mut().zip(other.0) {
            let sum = u128::from(*limb) + u128::from(term) + carry;
            (*limb, carry) = (sum as u64, sum >> 64);
        }
    }

    /// The sum modulo the group order.
    pub fn reduce(&self) -> Scalar {
        let low: [u64; 8] = std::array::from_fn(|i| self.0[i]);
        let two_to_512 = Scalar::reduce(&U512::MAX) + Scalar::ONE;
        Scalar::reduce(&U512::from_words(low)) + two_to_512 * Scalar::from(self.0[8])
    }
}

/// sums[i·len(columns) + j] += rows[i]·columns[j].
///
/// # Panics
/// When there are fewer sums than products.
pub fn add_outer_product(sums: &mut [WideSum], rows: &[Scalar], columns: &[Scalar]) {
    assert!(sums.len() >= rows.len() * columns.len(), "a sum for every product");
    let columns: Vec<Words> = columns.iter().map(words).collect();
    for (row, sums) in rows.iter().zip(sums.chunks_exact_mut(columns.len())) {
        let row = words(row);
        for (sum, column) in sums.iter_mut().zip(&columns) {
            sum.add_product(&row, column);
        }
    }
}

#[cfg(test)]
mod tests {
    //! Scalars have one encoding, and each shortcut gives what the long way gives.

    use super::*;

    fn some(count: u64) -> Vec<Scalar> {
        (1..=count).map(|i| -Scalar::from(i) * Scalar::from(u128::MAX / u128::from(i))).collect()
    }

    #[test]
    fn only_32_canonical_bytes_decode() {
        let largest = -Scalar::ONE;
        assert_eq!(decode_scalar(&encode_scalar(&largest)).unwrap(), largest);
        let mut order = encode_scalar(&largest);
        order[31] += 1;
        assert_eq!(decode_scalar(&order).unwrap_err().code, Code::Scalar);
        assert_eq!(decode_scalar(&[0xFF; 32]).unwrap_err().code, Code::Scalar);
        for size in [0, 31, 33] {
            assert_eq!(decode_scalar(&vec![0; size]).unwrap_err().code, Code::Length);
        }
    }

    #[test]
    fn inverses() {
        let scalars = some(9);
        let mut inverses = scalars.clone();
        invert_all(&mut inverses);
        assert!(scalars.iter().zip(inverses).all(|(scalar, inverse)| *scalar * inverse == Scalar::ONE));
        invert_all(&mut []);
    }

    #[test]
    fn products_by_bits() {
        let (start, factors) = (Scalar::from(3u32), some(4));
        let mut products = vec![Scalar::ZERO];
        bit_products(start, &factors, &mut products);
        for (i, product) in products[1..].iter().enumerate() {
            let chosen = factors.iter().enumerate().filter(|(bit, _)| i >> bit & 1 == 1).map(|(_, factor)| factor);
            assert_eq!(*product, start * chosen.product::<Scalar>());
        }
        assert_eq!(products.len(), 17);
    }

    #[test]
    fn sums_of_powers() {
        let base = some(1)[0];
        let powers = std::iter::successors(Some(Scalar::ONE), |power| Some(power * &base));
        assert_eq!(power_sum(base, 4), powers.take(16).sum());
        assert_eq!(power_sum(base, 0), Scalar::ONE);
    }

    #[test]
    fn wide_sums() {
        let mut sums = [WideSum::default(); 12];
        let (rows, columns) = (some(3), some(4));
        for _ in 0..5 {
            add_outer_product(&mut sums, &rows, &columns);
        }
        let copy = sums;
        sums.iter_mut().zip(copy).for_each(|(sum, same)| sum.add(&same));
        for (index, sum) in sums.iter().enumerate() {
            assert_eq!(sum.reduce(), Scalar::from(10u32) * rows[index / 4] * columns[index % 4]);
        }
    }
}
