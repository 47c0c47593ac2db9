//! Several sums of products side by side (Straus 1964), a sum a lane, in time that depends on their shape alone.
//!
//! Scalars are halved by the endomorphism and cut into signed digits of four bits. A multiple is chosen from a table of eight by
//! looking at all of them, and every addition is a complete one, so nothing depends on a scalar or a point. It serves secrets;
//! for public data it is also the fastest way up to about a hundred terms.

use k256::Scalar;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::curve::{Projective, point_of_lane};
use super::{Kernel, Lanes, Mask, Portable, ZERO, dispatch};
use crate::arithmetic::Point;
use crate::arithmetic::endomorphism::{Half, beta, halve};

/// One digit more than a half has nibbles, for the carry of signed ones.
const DIGITS: usize = 33;
/// Multiples 1 to 8 of a point.
const MULTIPLES: usize = 8;
/// The most lanes that there are.
const MOST: usize = 8;

/// A sum to compute: pairs of scalar and point.
pub type Row<'a> = Vec<(&'a Scalar, &'a Point)>;

/// Σ scalar·point of each row.
pub fn sum_rows(rows: &[Row<'_>]) -> Vec<Point> {
    dispatch(SumRows { rows })
}

/// Σ scalars[i]·points[i], the terms spread over the lanes.
pub fn sum_all(scalars: &[Scalar], points: &[Point]) -> Point {
    dispatch(SumAll { scalars, points })
}

struct SumRows<'a> {
    rows: &'a [Row<'a>],
}

impl Kernel for SumRows<'_> {
    type Output = Vec<Point>;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Vec<Point> {
        let mut sums = Vec::with_capacity(self.rows.len());
        for rows in self.rows.chunks(L::WIDTH) {
            let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
            let mut columns = Vec::with_capacity(longest);
            for place in 0..longest {
                let mut column = Column::default();
                for (lane, row) in rows.iter().enumerate() {
                    if let Some(&(scalar, point)) = row.get(place) {
                        column.set(lane, scalar, point);
                    }
                }
                columns.push(column);
            }
            let affine = lane_sums(l, &columns).to_affine(l);
            sums.extend((0..rows.len()).map(|lane| point_of_lane(l, affine, lane)));
        }
        sums
    }
}

struct SumAll<'a> {
    scalars: &'a [Scalar],
    points: &'a [Point],
}

impl Kernel for SumAll<'_> {
    type Output = Point;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Point {
        let mut columns = Vec::with_capacity(self.points.len().div_ceil(L::WIDTH));
        for (scalars, points) in self.scalars.chunks(L::WIDTH).zip(self.points.chunks(L::WIDTH)) {
            let mut column = Column::default();
            for (lane, (scalar, point)) in scalars.iter().zip(points).enumerate() {
                column.set(lane, scalar, point);
            }
            columns.push(column);
        }
        let sums = lane_sums(l, &columns);
        let mut total = Projective::identity(Portable);
        for lane in 0..L::WIDTH {
            total = Projective::add(Portable, total, Projective::splat(Portable, sums.lane(l, lane)));
        }
        point_of_lane(Portable, total.to_affine(Portable), 0)
    }
}

/// One term in each lane: its point, and the digits of both halves of its scalar.
struct Column {
    points: [Point; MOST],
    halves: [Digits; 2],
}

/// Signed digits, lowest first: magnitudes of 0 to 8 a lane, and the lanes whose digit is negative.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Digits {
    magnitudes: [[u8; MOST]; DIGITS],
    negative: [Mask; DIGITS],
}

impl Default for Column {
    fn default() -> Self {
        let zero = || Digits { magnitudes: [[0; MOST]; DIGITS], negative: [0; DIGITS] };
        Self { points: [Point::IDENTITY; MOST], halves: [zero(), zero()] }
    }
}

impl Column {
    fn set(&mut self, lane: usize, scalar: &Scalar, point: &Point) {
        self.points[lane] = *point;
        let mut halves = halve(scalar);
        for (digits, half) in self.halves.iter_mut().zip(&halves) {
            digits.set(lane, half);
        }
        halves.iter_mut().for_each(|half| half.magnitude.zeroize());
    }
}

impl Digits {
    /// magnitude + 8·Σ16^i has plain digits n_i; then magnitude = Σ (n_i − 8)·16^i, with n itself for the highest.
    fn set(&mut self, lane: usize, half: &Half) {
        let flip = u8::from(half.negative);
        let mut carry = 0u8;
        for place in 0..DIGITS {
            let nibble = if place < 32 { (half.magnitude >> (4 * place)) as u8 & 15 } else { 0 };
            let plain = nibble + 8 + carry;
            carry = plain >> 4;
            let digit = (plain & 15).wrapping_sub(8);
            let sign = digit >> 7; // 1 for a negative digit
            self.magnitudes[place][lane] = (digit ^ 0u8.wrapping_sub(sign)).wrapping_add(sign);
            self.negative[place] |= (sign ^ flip) << lane;
        }
    }
}

/// Σ over the columns, in every lane.
#[inline(always)]
fn lane_sums<L: Lanes>(l: L, columns: &[Column]) -> Projective<L> {
    let mut tables: Vec<[Projective<L>; MULTIPLES]> = Vec::with_capacity(2 * columns.len());
    let beta = l.splat(beta());
    let indices = [0, 1, 2, 3, 4, 5, 6, 7];
    for column in columns {
        let point = Projective::from_affine(l, l.load(&column.points, &indices[..L::WIDTH]));
        let mut table = [point; MULTIPLES];
        for multiple in 1..MULTIPLES {
            table[multiple] = Projective::add(l, table[multiple - 1], point);
        }
        tables.push(table);
        for multiple in &mut table {
            multiple.x = l.mul(multiple.x, beta);
        }
        tables.push(table);
    }
    let mut total = Projective::identity(l);
    for place in (0..DIGITS).rev() {
        if place + 1 < DIGITS {
            for _ in 0..4 {
                total = Projective::double(l, total);
            }
        }
        for (number, table) in tables.iter().enumerate() {
            let digits = &columns[number / 2].halves[number % 2];
            let magnitudes = &digits.magnitudes[place][..L::WIDTH];
            total = Projective::add(l, total, choose(l, table, magnitudes, digits.negative[place]));
        }
    }
    total
}

/// ±magnitude·P from the table of P's multiples, all of which are looked at.
#[inline(always)]
fn choose<L: Lanes>(l: L, table: &[Projective<L>; MULTIPLES], magnitudes: &[u8], negative: Mask) -> Projective<L> {
    let mut chosen = Projective::identity(l);
    for (number, multiple) in table.iter().enumerate() {
        chosen = Projective::select(l, l.equal(magnitudes, number as u8 + 1), *multiple, chosen);
    }
    chosen.y = l.select(negative, l.sub(l.splat(ZERO), chosen.y), chosen.y);
    chosen
}
