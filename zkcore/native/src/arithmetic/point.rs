//! Points in affine form, and their encoding.

use k256::elliptic_curve::group::Curve;
use k256::elliptic_curve::sec1::{FromSec1Point, Sec1Point, ToSec1Point};
use k256::elliptic_curve::subtle::{ConditionallySelectable, ConstantTimeEq};
use k256::{AffinePoint, ProjectivePoint, Scalar, Secp256k1};

use crate::lanes::curve::square_roots;
use crate::lanes::{Kernel, Lanes, canonical, dispatch, unpack};
use crate::{Code, Error, Result};

/// Bytes of an encoded point: compressed SEC1.
pub const ELEMENT_SIZE: usize = 33;

/// The field prime p, least significant limb first.
pub(crate) const PRIME: [u64; 4] = [0xFFFF_FFFE_FFFF_FC2F, u64::MAX, u64::MAX, u64::MAX];

/// A point of secp256k1: canonical affine coordinates as four little-endian 64-bit limbs. (0, 0) stands for the identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C, align(64))]
pub struct Point {
    pub(crate) x: [u64; 4],
    pub(crate) y: [u64; 4],
}

impl Point {
    /// The neutral element.
    pub const IDENTITY: Self = Self { x: [0; 4], y: [0; 4] };

    /// The standard generator G (SEC 2, section 2.4.1).
    pub const GENERATOR: Self = Self {
        x: [0x59F2_815B_16F8_1798, 0x029B_FCDB_2DCE_28D9, 0x55A0_6295_CE87_0B07, 0x79BE_667E_F9DC_BBAC],
        y: [0x9C47_D08F_FB10_D4B8, 0xFD17_B448_A685_5419, 0x5DA4_FBFC_0E11_08A8, 0x483A_DA77_26A3_C465],
    };

    /// Whether this is the neutral element.
    pub fn is_identity(&self) -> bool {
        self.x == [0; 4] && self.y == [0; 4]
    }

    /// 33 bytes, compressed SEC1.
    ///
    /// # Errors
    /// `Identity` for the identity, which has no encoding.
    pub fn encode(&self) -> Result<[u8; ELEMENT_SIZE]> {
        if self.is_identity() {
            return Err(Error::new(Code::Identity, "the identity has no encoding"));
        }
        let mut out = [0; ELEMENT_SIZE];
        out[0] = 2 + (self.y[0] & 1) as u8;
        out[1..].copy_from_slice(&to_be_bytes(&self.x));
        Ok(out)
    }

    /// −P where it is said, else P.
    #[inline(always)]
    pub(crate) fn negated_if(self, negate: bool) -> Self {
        if !negate || self.is_identity() {
            return self;
        }
        let mut borrow = false;
        let mut y = [0; 4];
        for i in 0..4 {
            let (difference, first) = PRIME[i].overflowing_sub(self.y[i]);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            (y[i], borrow) = (difference, first | second);
        }
        Self { x: self.x, y }
    }

    /// The point in the projective coordinates of k256.
    pub fn to_projective(&self) -> ProjectivePoint {
        if self.is_identity() {
            return ProjectivePoint::IDENTITY;
        }
        let encoded =
            Sec1Point::<Secp256k1>::from_affine_coordinates(&to_be_bytes(&self.x).into(), &to_be_bytes(&self.y).into(), false);
        let affine = AffinePoint::from_sec1_point(&encoded).into_option();
        affine.expect("a Point is on the curve").into()
    }

    /// The same in time that does not depend on the point, not even on whether it is the identity: for points that may be secret.
    pub fn to_projective_secret(self) -> ProjectivePoint {
        if cfg!(feature = "leaky") {
            return self.to_projective(); // the mistake that `tests/constant_time.rs` must see
        }
        // No point of the curve has y = 0.
        let identity = self.y.ct_eq(&[0; 4]);
        let word =
            |own: &[u64; 4], other: &[u64; 4]| std::array::from_fn(|i| u64::conditional_select(&own[i], &other[i], identity));
        let proper = Self { x: word(&self.x, &Self::GENERATOR.x), y: word(&self.y, &Self::GENERATOR.y) }.to_projective();
        ProjectivePoint::conditional_select(&proper, &ProjectivePoint::IDENTITY, identity)
    }

    /// From the projective coordinates of k256: one inversion. For several points use [`Point::from_projectives`].
    pub fn from_projective(point: &ProjectivePoint) -> Self {
        Self::from_affine(&point.to_affine())
    }

    /// From projective coordinates, at the price of one inversion for all.
    pub fn from_projectives(points: &[ProjectivePoint]) -> Vec<Self> {
        let mut affine = vec![AffinePoint::IDENTITY; points.len()];
        ProjectivePoint::batch_normalize(points, &mut affine);
        affine.iter().map(Self::from_affine).collect()
    }

    fn from_affine(affine: &AffinePoint) -> Self {
        let encoded = affine.to_sec1_point(false);
        match (encoded.x(), encoded.y()) {
            (Some(x), Some(y)) => Self { x: from_be_bytes(x.as_slice()), y: from_be_bytes(y.as_slice()) },
            _ => Self::IDENTITY,
        }
    }
}

/// Its `Debug` names the type alone, since a point may be secret (a·G opens a).
impl std::fmt::Debug for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Point(secp256k1)")
    }
}

/// Decode compressed points, many square roots at a time.
///
/// # Errors
/// `Point` for the first (by index, which is returned with it) that has a prefix other than 02 or 03, x ≥ p, or no y.
pub fn decode_points(encoded: &[[u8; ELEMENT_SIZE]]) -> std::result::Result<Vec<Point>, (usize, Error)> {
    for (index, data) in encoded.iter().enumerate() {
        check_form(data).map_err(|error| (index, error))?;
    }
    dispatch(Decompress { encoded }).map_err(|index| (index, not_a_point()))
}

fn check_form(data: &[u8; ELEMENT_SIZE]) -> Result<()> {
    if data[0] != 2 && data[0] != 3 {
        return Err(Error::new(Code::Point, "an element starts with the byte 02 or 03"));
    }
    let x = from_be_bytes(&data[1..]);
    if x.iter().rev().ge(PRIME.iter().rev()) {
        return Err(Error::new(Code::Point, "the x coordinate is not below the field prime"));
    }
    Ok(())
}

struct Decompress<'a> {
    encoded: &'a [[u8; ELEMENT_SIZE]],
}

impl Kernel for Decompress<'_> {
    type Output = std::result::Result<Vec<Point>, usize>;

    /// y = (x³ + 7)^((p + 1)/4), of the parity that the prefix says. The index of an x without a point otherwise.
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let padded = self.encoded.len().next_multiple_of(L::WIDTH);
        let mut points: Vec<Point> = Vec::with_capacity(padded);
        points.extend(self.encoded.iter().map(|data| Point { x: from_be_bytes(&data[1..]), y: [0; 4] }));
        points.resize(padded, Point { x: [1, 0, 0, 0], y: [0; 4] }); // 1 + 7 is a square
        let mut start = 0;
        while padded - start >= 4 * L::WIDTH {
            lift::<L, 4>(l, &mut points, start)?;
            start += 4 * L::WIDTH;
        }
        while start < padded {
            lift::<L, 1>(l, &mut points, start)?;
            start += L::WIDTH;
        }
        points.truncate(self.encoded.len());
        for (point, data) in points.iter_mut().zip(self.encoded) {
            let y = canonical(unpack(point.y));
            *point = Point { x: from_be_bytes(&data[1..]), y }.negated_if(y[0] as u8 & 1 != data[0] & 1);
        }
        Ok(points)
    }
}

/// Put a y, of either sign, to each x of K vectors. The index of an x without one otherwise.
#[inline(always)]
fn lift<L: Lanes, const K: usize>(l: L, points: &mut [Point], start: usize) -> std::result::Result<(), usize> {
    let seven = l.splat([7, 0, 0, 0, 0]);
    let (mut xs, mut cubics) = ([seven; K], [seven; K]);
    let mut indices = [[0u32; 8]; K];
    for k in 0..K {
        for (lane, index) in indices[k].iter_mut().enumerate() {
            *index = (start + k * L::WIDTH + lane) as u32;
        }
        xs[k] = l.load(points, &indices[k][..L::WIDTH]).0;
        cubics[k] = l.add(l.mul(l.square(xs[k]), xs[k]), seven);
    }
    let roots = square_roots(l, cubics);
    for k in 0..K {
        let lifted = l.is_zero(l.sub(l.square(roots[k]), cubics[k])).trailing_ones() as usize;
        if lifted < L::WIDTH {
            return Err(start + k * L::WIDTH + lifted); // of the input, since padding has a y
        }
        l.store(xs[k], roots[k], points, &indices[k][..L::WIDTH]);
    }
    Ok(())
}

fn not_a_point() -> Error {
    Error::new(Code::Point, "not a point of the curve")
}

fn to_be_bytes(limbs: &[u64; 4]) -> [u8; 32] {
    let mut out = [0; 32];
    for (chunk, limb) in out.chunks_exact_mut(8).zip(limbs.iter().rev()) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    out
}

fn from_be_bytes(bytes: &[u8]) -> [u64; 4] {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().rev().zip(bytes.chunks_exact(8)) {
        *limb = u64::from_be_bytes(chunk.try_into().expect("chunks of 8 bytes"));
    }
    limbs
}

/// A scalar as four little-endian 64-bit limbs.
pub(crate) fn limbs_of_scalar(scalar: &Scalar) -> [u64; 4] {
    from_be_bytes(&scalar.to_bytes())
}
