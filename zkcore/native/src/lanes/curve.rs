//! Curve arithmetic over any lanes: y² = x³ + 7, complete projective formulas, inversion and square roots.
//!
//! Nothing here branches on a coordinate, so all of it serves secrets as well.

use super::{Lanes, Limbs, ONE, ZERO};
use crate::arithmetic::Point;

/// 3·b of the curve.
const THREE_B: u64 = 21;

/// One point a lane in homogeneous coordinates (X : Y : Z), x = X/Z, y = Y/Z; the identity is (0 : 1 : 0).
#[derive(Clone, Copy)]
pub struct Projective<L: Lanes> {
    /// X.
    pub x: L::Field,
    /// Y.
    pub y: L::Field,
    /// Z.
    pub z: L::Field,
}

impl<L: Lanes> Projective<L> {
    /// The identity in every lane.
    #[inline(always)]
    pub fn identity(l: L) -> Self {
        Self { x: l.splat(ZERO), y: l.splat(ONE), z: l.splat(ZERO) }
    }

    /// Points given by their affine coordinates, (0, 0) being the identity.
    #[inline(always)]
    pub fn from_affine(l: L, (x, y): (L::Field, L::Field)) -> Self {
        let identity = l.is_zero(y);
        let one = l.splat(ONE);
        Self { x, y: l.select(identity, one, y), z: l.select(identity, l.splat(ZERO), one) }
    }

    /// P + Q, complete (Renes, Costello, Batina 2016, algorithm 7).
    #[inline(always)]
    pub fn add(l: L, p: Self, q: Self) -> Self {
        let (xx, yy, zz) = (l.mul(p.x, q.x), l.mul(p.y, q.y), l.mul(p.z, q.z));
        let xy = l.sub_both(l.mul(l.add(p.x, p.y), l.add(q.x, q.y)), xx, yy);
        let yz = l.sub_both(l.mul(l.add(p.y, p.z), l.add(q.y, q.z)), yy, zz);
        let xz = l.sub_both(l.mul(l.add(p.x, p.z), l.add(q.x, q.z)), xx, zz);
        let xx3 = l.small(xx, 3);
        let bzz = l.small(zz, THREE_B);
        let (plus, minus) = (l.add(yy, bzz), l.sub(yy, bzz));
        let bxz = l.small(xz, THREE_B);
        Self {
            x: l.sub(l.mul(xy, minus), l.mul(yz, bxz)),
            y: l.add(l.mul(minus, plus), l.mul(bxz, xx3)),
            z: l.add(l.mul(plus, yz), l.mul(xx3, xy)),
        }
    }

    /// P + Q for an affine Q that is not the identity, complete otherwise (algorithm 8).
    #[inline(always)]
    pub fn add_affine(l: L, p: Self, (qx, qy): (L::Field, L::Field)) -> Self {
        let (xx, yy) = (l.mul(p.x, qx), l.mul(p.y, qy));
        let xy = l.sub_both(l.mul(l.add(p.x, p.y), l.add(qx, qy)), xx, yy);
        let yz = l.add(l.mul(qy, p.z), p.y);
        let xz = l.add(l.mul(qx, p.z), p.x);
        let xx3 = l.small(xx, 3);
        let bz = l.small(p.z, THREE_B);
        let (plus, minus) = (l.add(yy, bz), l.sub(yy, bz));
        let bxz = l.small(xz, THREE_B);
        Self {
            x: l.sub(l.mul(xy, minus), l.mul(yz, bxz)),
            y: l.add(l.mul(minus, plus), l.mul(bxz, xx3)),
            z: l.add(l.mul(plus, yz), l.mul(xx3, xy)),
        }
    }

    /// 2·P, complete (algorithm 9).
    #[inline(always)]
    pub fn double(l: L, p: Self) -> Self {
        let (yy, yz, bzz) = (l.square(p.y), l.mul(p.y, p.z), l.small(l.square(p.z), THREE_B));
        let yy8 = l.small(yy, 8);
        let plus = l.add(yy, bzz);
        let minus = l.sub(yy, l.small(bzz, 3));
        let xy = l.mul(p.x, p.y);
        Self { x: l.small(l.mul(minus, xy), 2), y: l.add(l.mul(minus, plus), l.mul(bzz, yy8)), z: l.mul(yz, yy8) }
    }

    /// `p` in the lanes of the mask, `q` in the others.
    #[inline(always)]
    pub fn select(l: L, mask: super::Mask, p: Self, q: Self) -> Self {
        Self { x: l.select(mask, p.x, q.x), y: l.select(mask, p.y, q.y), z: l.select(mask, p.z, q.z) }
    }

    /// One lane, for other lanes to go on with.
    #[inline(always)]
    pub fn lane(self, l: L, lane: usize) -> [Limbs; 3] {
        [l.lane(self.x, lane), l.lane(self.y, lane), l.lane(self.z, lane)]
    }

    /// The point given by one lane's coordinates, in every lane.
    #[inline(always)]
    pub fn splat(l: L, [x, y, z]: [Limbs; 3]) -> Self {
        Self { x: l.splat(x), y: l.splat(y), z: l.splat(z) }
    }

    /// Affine coordinates, (0, 0) for the identity. One inversion for all lanes.
    #[inline(always)]
    pub fn to_affine(self, l: L) -> (L::Field, L::Field) {
        let inverse = invert(l, self.z); // of zero it is zero
        (l.mul(self.x, inverse), l.mul(self.y, inverse))
    }
}

/// The canonical point of one lane.
#[inline(always)]
pub fn point_of_lane<L: Lanes>(l: L, (x, y): (L::Field, L::Field), lane: usize) -> Point {
    Point { x: super::canonical(l.lane(x, lane)), y: super::canonical(l.lane(y, lane)) }
}

#[inline(always)]
fn squares<L: Lanes>(l: L, a: L::Field, count: u32) -> L::Field {
    let mut a = a;
    for _ in 0..count {
        a = l.square(a);
    }
    a
}

/// (a^(2^2 − 1), a^(2^22 − 1), a^(2^223 − 1)): the common beginning of p − 2 and (p + 1)/4.
#[inline(always)]
fn chain<L: Lanes>(l: L, a: L::Field) -> (L::Field, L::Field, L::Field) {
    let x2 = l.mul(l.square(a), a);
    let x3 = l.mul(l.square(x2), a);
    let x6 = l.mul(squares(l, x3, 3), x3);
    let x9 = l.mul(squares(l, x6, 3), x3);
    let x11 = l.mul(squares(l, x9, 2), x2);
    let x22 = l.mul(squares(l, x11, 11), x11);
    let x44 = l.mul(squares(l, x22, 22), x22);
    let x88 = l.mul(squares(l, x44, 44), x44);
    let x176 = l.mul(squares(l, x88, 88), x88);
    let x220 = l.mul(squares(l, x176, 44), x44);
    let x223 = l.mul(squares(l, x220, 3), x3);
    (x2, x22, x223)
}

/// a⁻¹ = a^(p − 2), and 0 for 0.
#[inline(always)]
pub fn invert<L: Lanes>(l: L, a: L::Field) -> L::Field {
    let (x2, x22, x223) = chain(l, a);
    let t = l.mul(squares(l, x223, 23), x22);
    let t = l.mul(squares(l, t, 5), a);
    let t = l.mul(squares(l, t, 3), x2);
    l.mul(squares(l, t, 2), a)
}

/// Candidates for square roots, a^((p + 1)/4) each: roots exactly of those a that are squares. Four vectors at a time keep the
/// multipliers busy while each chain waits for itself.
#[inline(always)]
pub fn square_roots<L: Lanes, const K: usize>(l: L, a: [L::Field; K]) -> [L::Field; K] {
    let x2 = mul_each(l, squares_each(l, a, 1), a);
    let x3 = mul_each(l, squares_each(l, x2, 1), a);
    let x6 = mul_each(l, squares_each(l, x3, 3), x3);
    let x9 = mul_each(l, squares_each(l, x6, 3), x3);
    let x11 = mul_each(l, squares_each(l, x9, 2), x2);
    let x22 = mul_each(l, squares_each(l, x11, 11), x11);
    let x44 = mul_each(l, squares_each(l, x22, 22), x22);
    let x88 = mul_each(l, squares_each(l, x44, 44), x44);
    let x176 = mul_each(l, squares_each(l, x88, 88), x88);
    let x220 = mul_each(l, squares_each(l, x176, 44), x44);
    let x223 = mul_each(l, squares_each(l, x220, 3), x3);
    let t = mul_each(l, squares_each(l, x223, 23), x22);
    let t = mul_each(l, squares_each(l, t, 6), x2);
    squares_each(l, t, 2)
}

#[inline(always)]
fn mul_each<L: Lanes, const K: usize>(l: L, mut a: [L::Field; K], b: [L::Field; K]) -> [L::Field; K] {
    for k in 0..K {
        a[k] = l.mul(a[k], b[k]);
    }
    a
}

#[inline(always)]
fn squares_each<L: Lanes, const K: usize>(l: L, mut a: [L::Field; K], count: u32) -> [L::Field; K] {
    for _ in 0..count {
        for value in &mut a {
            *value = l.square(*value);
        }
    }
    a
}
