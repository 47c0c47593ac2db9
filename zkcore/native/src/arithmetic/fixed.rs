//! Multi-scalar multiplication of points that are known beforehand, for public scalars.
//!
//! Of each point there is a multiple for every window, 2^(width·window)·P, so that a digit is worth the same in all windows: they
//! share one set of buckets (Brickell, Gordon, McCurley, Wilson 1992, with the buckets of Pippenger), which may then be wide.

use k256::Scalar;

use super::endomorphism::{beta, split};
use super::pippenger::{Plan, msm_of_multiples};
use super::point::Point;
use crate::lanes::curve::{Projective, point_of_lane};
use crate::lanes::{Kernel, Lanes, dispatch};

/// Points, none of which is the identity, with their multiples.
#[derive(Clone)]
pub struct FixedPoints {
    count: usize,
    plan: Plan,
    /// A window's points, then λ times each of them; window after window.
    rows: Vec<Point>,
}

impl FixedPoints {
    /// Takes some 0.1 ms a point, and 1.7 KB.
    pub fn new(points: &[Point]) -> Self {
        let plan = Plan::with_multiples(2 * points.len());
        Self { count: points.len(), plan, rows: dispatch(Multiples { points, plan }) }
    }

    /// How many points.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a sum of these and so many other points is cheaper in two parts than as one.
    pub fn pay(&self, others: usize) -> bool {
        self.plan.cost(2 * self.count) + cost(others) < cost(self.count + others)
    }

    /// Σ scalars[i]·points[i], variable-time.
    ///
    /// # Panics
    /// Unless there are as many scalars as points.
    pub fn msm(&self, scalars: &[Scalar]) -> Point {
        assert_eq!(scalars.len(), self.count, "as many scalars as points");
        let halves: Vec<_> = scalars.iter().map(split).collect();
        let (first, second) = (halves.iter().map(|[first, _]| *first), halves.iter().map(|[_, second]| *second));
        msm_of_multiples(&first.chain(second).collect::<Vec<_>>(), &self.rows, self.plan)
    }
}

/// Of a sum of so many points of which nothing is known, in additions.
fn cost(points: usize) -> usize {
    Plan::for_size(2 * points).cost(2 * points)
}

struct Multiples<'a> {
    points: &'a [Point],
    plan: Plan,
}

impl Kernel for Multiples<'_> {
    type Output = Vec<Point>;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Vec<Point> {
        let count = self.points.len();
        let mut rows = vec![Point::IDENTITY; 2 * count * self.plan.windows];
        let beta = l.splat(beta());
        let mut indices = [0u32; 8];
        for start in (0..count).step_by(L::WIDTH) {
            for (lane, index) in indices[..L::WIDTH].iter_mut().enumerate() {
                *index = (start + lane).min(count - 1) as u32;
            }
            let mut multiple = Projective::from_affine(l, l.load(self.points, &indices[..L::WIDTH]));
            for window in rows.chunks_exact_mut(2 * count) {
                let (x, y) = multiple.to_affine(l);
                let turned = l.mul(x, beta);
                for lane in 0..L::WIDTH.min(count - start) {
                    window[start + lane] = point_of_lane(l, (x, y), lane);
                    window[count + start + lane] = point_of_lane(l, (turned, y), lane);
                }
                for _ in 0..self.plan.width {
                    multiple = Projective::double(l, multiple);
                }
            }
        }
        rows
    }
}
