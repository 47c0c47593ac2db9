//! Commitments from their openings, openings checked, and amounts uncovered with a view key (SPEC.md, sections 2 and 9).
//!
//! Amounts, blindings and keys are secret; commitments and handles are public, and so is whether an opening fits.

use k256::ProjectivePoint;
use k256::elliptic_curve::subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::products;
use crate::arithmetic::Point;
use crate::generators::Generators;
use crate::scalars::Scalar;
use crate::{Code, Error};

/// amount·G + blinding·H.
pub fn commit(generators: &Generators, amount: u64, blinding: &Scalar) -> Point {
    Point::from_projective(&commitments(generators, &[(Scalar::from(amount), *blinding)])[0])
}

/// The commitment C = amount·G + blinding·H with its handles: C, D_owner, D_regulator, each handle blinding·P.
pub fn handled_commitment(
    generators: &Generators,
    amount: u64,
    blinding: &Scalar,
    owner: &Point,
    regulator: &Point,
) -> [Point; 3] {
    let scalars = Zeroizing::new([Scalar::from(amount), *blinding, *blinding, *blinding]);
    let parts = Zeroizing::new(products(&*scalars, &[generators.g, generators.h, *owner, *regulator]));
    let points = Point::from_projectives(&[parts[0] + parts[1], parts[2], parts[3]]);
    [points[0], points[1], points[2]]
}

/// value·G + blinding·H for each pair, all products together.
pub(super) fn commitments(generators: &Generators, pairs: &[(Scalar, Scalar)]) -> Vec<ProjectivePoint> {
    let scalars: Zeroizing<Vec<_>> = Zeroizing::new(pairs.iter().flat_map(|(value, blinding)| [*value, *blinding]).collect());
    let points: Vec<_> = pairs.iter().flat_map(|_| [generators.g, generators.h]).collect();
    let products = Zeroizing::new(products(&scalars, &points));
    products.as_chunks().0.iter().map(|[value, blinding]| value + blinding).collect()
}

/// Check that each commitment is amount·G + blinding·H. All are computed before any is compared, and every comparison shows only
/// its outcome.
///
/// # Errors
/// `Opening`, with the index of the first that does not match.
pub fn check_openings(generators: &Generators, openings: &[(Point, u64, Scalar)]) -> std::result::Result<(), (usize, Error)> {
    let pairs: Zeroizing<Vec<_>> =
        Zeroizing::new(openings.iter().map(|(_, amount, blinding)| (Scalar::from(*amount), *blinding)).collect());
    let computed = Zeroizing::new(commitments(generators, &pairs));
    for (index, ((commitment, _, _), opened)) in openings.iter().zip(computed.iter()).enumerate() {
        if !bool::from(commitment.to_projective().ct_eq(opened)) {
            return Err((index, Error::new(Code::Opening, "the opening does not match the commitment")));
        }
    }
    Ok(())
}

/// C − s·D = a·G for each (C, D), where D is the handle of the key with secret s.
///
/// The results are secret: from a·G a small amount can be searched. The caller wipes them.
pub fn amount_points(secret: &Scalar, pairs: &[(Point, Point)]) -> Vec<ProjectivePoint> {
    let handles: Vec<_> = pairs.iter().map(|(_, handle)| *handle).collect();
    let shares = Zeroizing::new(multiples(secret, &handles));
    pairs.iter().zip(shares.iter()).map(|((commitment, _), share)| commitment.to_projective() - share).collect()
}

/// secret·P for each point.
#[cfg(not(feature = "leaky"))]
fn multiples(secret: &Scalar, points: &[Point]) -> Vec<ProjectivePoint> {
    products(&Zeroizing::new(vec![*secret; points.len()]), points)
}

/// The same by doubling and, where a bit of the secret is set, adding: the mistake that `tests/constant_time.rs` must see.
#[cfg(feature = "leaky")]
fn multiples(secret: &Scalar, points: &[Point]) -> Vec<ProjectivePoint> {
    let bytes = crate::scalars::encode_scalar(secret);
    let bits = || bytes.iter().flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1));
    let multiple = |point: ProjectivePoint| {
        bits().fold(ProjectivePoint::IDENTITY, |sum, bit| if bit == 1 { sum.double() + point } else { sum.double() })
    };
    points.iter().map(|point| multiple(point.to_projective())).collect()
}

/// Check that the key with this secret opens each (C, D) to its amount.
///
/// # Errors
/// `Opening`, with the index of the first that does not match.
pub fn check_amounts(
    generators: &Generators,
    secret: &Scalar,
    claims: &[(Point, Point, u64)],
) -> std::result::Result<(), (usize, Error)> {
    let pairs: Vec<_> = claims.iter().map(|(commitment, handle, _)| (*commitment, *handle)).collect();
    let amounts: Zeroizing<Vec<_>> = Zeroizing::new(claims.iter().map(|(_, _, amount)| Scalar::from(*amount)).collect());
    let opened = Zeroizing::new(amount_points(secret, &pairs));
    let expected = Zeroizing::new(products(&amounts, &vec![generators.g; claims.len()]));
    match opened.iter().zip(expected.iter()).position(|(opened, expected)| !bool::from(opened.ct_eq(expected))) {
        Some(index) => Err((index, Error::new(Code::Opening, "the claimed amount does not match the commitment"))),
        None => Ok(()),
    }
}
