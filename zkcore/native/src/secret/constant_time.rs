//! Products of secret scalars with public points, in time that depends on how many there are alone.

use k256::{ProjectivePoint, Scalar};

use crate::arithmetic::Point;
use crate::lanes::straus::{Row, sum_all, sum_rows};

/// Σ scalar·point of each row, up to eight rows side by side. The points are public, the scalars and sums may be secret.
pub fn sums(rows: &[Row<'_>]) -> Vec<Point> {
    sum_rows(rows)
}

/// scalars[i]·points[i] for each i. The points are public, the scalars and the products may be secret.
///
/// # Panics
/// When the lengths differ.
pub fn products(scalars: &[Scalar], points: &[Point]) -> Vec<ProjectivePoint> {
    assert_eq!(scalars.len(), points.len(), "as many scalars as points");
    let rows: Vec<Row<'_>> = scalars.iter().zip(points).map(|term| vec![term]).collect();
    sum_rows(&rows).into_iter().map(Point::to_projective_secret).collect()
}

/// Σ scalars[i]·points[i]. The points are public, the scalars and the sum may be secret.
///
/// # Panics
/// When the lengths differ.
pub fn combine(scalars: &[Scalar], points: &[Point]) -> ProjectivePoint {
    assert_eq!(scalars.len(), points.len(), "as many scalars as points");
    sum_all(scalars, points).to_projective_secret()
}
