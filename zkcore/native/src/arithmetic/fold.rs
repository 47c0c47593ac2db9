//! Folding of public vectors: many sums with the same scalars, a sum a lane.

use k256::Scalar;

use super::endomorphism::{Half, beta, split};
use super::point::Point;
use crate::lanes::curve::{Projective, point_of_lane};
use crate::lanes::{Kernel, Lanes, ZERO, dispatch};

/// Digits are odd and below 2^(WIDTH − 1) in absolute value, and of WIDTH neighbours at most one is not zero.
const WIDTH: u32 = 5;
/// Odd multiples 1, 3, … 15 of a point.
const MULTIPLES: usize = 1 << (WIDTH - 2);
/// A half has 128 bits; its digits may need one more.
const DIGITS: usize = 129;

/// With n = points.len() / weights.len(): Σ_k weights[k]·points[k·n + i] for each i below n. Public data, variable-time.
///
/// # Panics
/// When there are no weights, or the number of points is not a multiple of theirs.
pub fn fold(points: &[Point], weights: &[Scalar]) -> Vec<Point> {
    assert!(points.len().is_multiple_of(weights.len()), "as many points for each weight");
    dispatch(Fold { points, weights })
}

struct Fold<'a> {
    points: &'a [Point],
    weights: &'a [Scalar],
}

impl Kernel for Fold<'_> {
    type Output = Vec<Point>;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Vec<Point> {
        let count = self.points.len() / self.weights.len();
        let digits: Vec<[i8; DIGITS]> = self.weights.iter().flat_map(split).map(non_adjacent).collect();
        let beta = l.splat(beta());
        let mut sums = Vec::with_capacity(count);
        let mut tables: Vec<[Projective<L>; MULTIPLES]> = Vec::with_capacity(digits.len());
        let mut indices = [0u32; 8];
        for start in (0..count).step_by(L::WIDTH) {
            tables.clear();
            for part in 0..self.weights.len() {
                for (lane, index) in indices[..L::WIDTH].iter_mut().enumerate() {
                    *index = (part * count + (start + lane).min(count - 1)) as u32;
                }
                let point = Projective::from_affine(l, l.load(self.points, &indices[..L::WIDTH]));
                let twice = Projective::double(l, point);
                let mut table = [point; MULTIPLES];
                for multiple in 1..MULTIPLES {
                    table[multiple] = Projective::add(l, table[multiple - 1], twice);
                }
                tables.push(table);
                for multiple in &mut table {
                    multiple.x = l.mul(multiple.x, beta);
                }
                tables.push(table);
            }
            let mut total = Projective::identity(l);
            for place in (0..DIGITS).rev() {
                total = Projective::double(l, total);
                for (digits, table) in digits.iter().zip(&tables) {
                    let digit = digits[place];
                    if digit != 0 {
                        let mut multiple = table[usize::from(digit.unsigned_abs()) / 2];
                        if digit < 0 {
                            multiple.y = l.sub(l.splat(ZERO), multiple.y);
                        }
                        total = Projective::add(l, total, multiple);
                    }
                }
            }
            let affine = total.to_affine(l);
            sums.extend((0..L::WIDTH.min(count - start)).map(|lane| point_of_lane(l, affine, lane)));
        }
        sums
    }
}

/// The non-adjacent form of a half, lowest digit first.
fn non_adjacent(half: Half) -> [i8; DIGITS] {
    let mut digits = [0i8; DIGITS];
    let (mut rest, mut place) = (half.magnitude, 0);
    let mut carry = false; // into bit 128
    while rest != 0 || carry {
        if rest & 1 == 1 {
            let low = (rest & ((1 << WIDTH) - 1)) as i8;
            let digit = if low >= 1 << (WIDTH - 1) { low - (1 << WIDTH) } else { low };
            digits[place] = if half.negative { -digit } else { digit };
            if digit < 0 {
                let (sum, overflow) = rest.overflowing_add(u128::from(digit.unsigned_abs()));
                (rest, carry) = (sum, carry | overflow);
            } else {
                rest -= u128::from(digit.unsigned_abs());
            }
        }
        rest = rest >> 1 | u128::from(carry) << 127;
        carry = false;
        place += 1;
    }
    digits
}
