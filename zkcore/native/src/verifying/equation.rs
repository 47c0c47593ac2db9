//! A weighted sum of verification equations. Verifying code states equations by adding them here and evaluates none of them.
//!
//! An equation is the claim that a linear combination of public elements is the identity. Each is multiplied by its own random
//! weight when it is added, so that G, H and the range-proof vectors are paid for once in a batch.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use k256::ProjectivePoint;

use crate::arithmetic::{Point, msm_threaded};
use crate::generators::Generators;
use crate::scalars::{Scalar, WideSum};

const G: usize = 0;
const H: usize = 1;
/// G and H.
const OWN: usize = 2;
/// A slot of the index that holds nothing. No index is so high: memory ends before.
const EMPTY: u64 = u64::MAX;

/// Σ scalar·element, with the scalars of equal elements added up: honest batches share keys, and whoever attacks chooses elements.
pub(super) struct WeightedSum {
    /// Distinct elements, G and H first, and their scalars.
    points: Vec<Point>,
    scalars: Vec<Scalar>,
    /// The scalars of G_0, G_1, … and H_0, H_1, …, unreduced.
    pub gs: Vec<WideSum>,
    pub hs: Vec<WideSum>,
    /// shifts[k] is added to the scalars of all H_i with i < 2^k, and subtracted from those of the G_i.
    shifts: [Scalar; 10],
    index: Index,
}

/// Finds an element's number: open addressing with linear probing, at most half full. A slot is 32 bits of hash and 32 of number.
struct Index {
    slots: Vec<u64>,
    key: [u64; 4],
}

impl Index {
    /// The hash depends on the whole x under a key drawn anew, so that nobody can choose elements that collide.
    fn hash(&self, point: &Point) -> u64 {
        let fold = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            product as u64 ^ (product >> 64) as u64
        };
        let low = fold(point.x[0] ^ self.key[0], point.x[1] ^ self.key[1]);
        let high = fold(point.x[2] ^ self.key[2], point.x[3] ^ self.key[3]);
        fold(low ^ self.key[3], high ^ self.key[0])
    }

    /// The number of this element in `points`, or `next` after noting it.
    fn number(&mut self, point: &Point, points: &[Point]) -> usize {
        let hash = self.hash(point);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let entry = self.slots[slot];
            if entry == EMPTY {
                self.slots[slot] = hash >> 32 << 32 | points.len() as u64;
                return points.len();
            }
            let number = entry as u32 as usize;
            if entry >> 32 == hash >> 32 && points[number] == *point {
                return number;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self, points: &[Point]) {
        let size = self.slots.len() * 4;
        self.slots = vec![EMPTY; size];
        for number in 0..points.len() {
            self.number(&points[number], &points[..number]);
        }
    }
}

impl WeightedSum {
    pub fn new(generators: &Generators) -> Self {
        let state = RandomState::new();
        let index = Index { slots: vec![EMPTY; 256], key: std::array::from_fn(|i| state.hash_one(i)) };
        let (gs, hs) = (Vec::new(), Vec::new());
        let mut sum = Self { points: Vec::new(), scalars: Vec::new(), gs, hs, shifts: [Scalar::ZERO; 10], index };
        sum.add(Scalar::ZERO, &generators.g);
        sum.add(Scalar::ZERO, &generators.h);
        sum
    }

    /// Add scalar·element.
    #[inline]
    pub fn add(&mut self, scalar: Scalar, point: &Point) {
        let number = self.index.number(point, &self.points);
        if number < self.points.len() {
            self.scalars[number] += scalar;
            return;
        }
        self.points.push(*point);
        self.scalars.push(scalar);
        if self.points.len() * 2 > self.index.slots.len() {
            self.index.grow(&self.points);
        }
    }

    /// Add scalar·G.
    pub fn add_g(&mut self, scalar: Scalar) {
        self.scalars[G] += scalar;
    }

    /// Add scalar·H.
    pub fn add_h(&mut self, scalar: Scalar) {
        self.scalars[H] += scalar;
    }

    /// Make place for 2^rounds vectors of each kind, and add −z·G_i + z·H_i for each of them.
    pub fn shift(&mut self, rounds: usize, z: Scalar) {
        if self.gs.len() < 1 << rounds {
            self.gs.resize(1 << rounds, WideSum::default());
            self.hs.resize(1 << rounds, WideSum::default());
        }
        self.shifts[rounds] += z;
    }

    /// Add the other sum.
    pub fn add_sum(&mut self, other: Self) {
        for (point, scalar) in other.points.iter().zip(other.scalars) {
            self.add(scalar, point);
        }
        for (own, theirs) in [(&mut self.gs, &other.gs), (&mut self.hs, &other.hs)] {
            own.resize(own.len().max(theirs.len()), WideSum::default());
            own.iter_mut().zip(theirs).for_each(|(sum, part)| sum.add(part));
        }
        self.shifts.iter_mut().zip(other.shifts).for_each(|(sum, part)| *sum += part);
    }

    /// The sum's value: the identity when every equation holds and, but for a chance of 2⁻¹²⁸, only then.
    pub fn evaluate(self, generators: &Generators, threads: usize) -> ProjectivePoint {
        let Self { points, scalars, gs, hs, shifts, index } = self;
        drop(index);
        let shift = |i: usize| (0..shifts.len()).filter(|rounds| i < 1 << rounds).map(|rounds| shifts[rounds]).sum::<Scalar>();
        let of_gs: Vec<_> = gs.iter().enumerate().map(|(i, sum)| sum.reduce() - shift(i)).collect();
        let of_hs: Vec<_> = hs.iter().enumerate().map(|(i, sum)| sum.reduce() + shift(i)).collect();
        let usual = generators.usual_vectors();
        if !gs.is_empty() && gs.len() <= usual && generators.usual().pay(points.len() - OWN) {
            let zeros = || std::iter::repeat_n(Scalar::ZERO, usual - gs.len());
            let own = scalars[..OWN].iter().copied();
            let fixed: Vec<_> = own.chain(of_gs).chain(zeros()).chain(of_hs).chain(zeros()).collect();
            let others = msm_threaded(&scalars[OWN..], &points[OWN..], threads);
            return generators.usual().msm(&fixed).to_projective() + others.to_projective();
        }
        let vectors = generators.g_vector[..gs.len()].iter().chain(&generators.h_vector[..hs.len()]);
        let points: Vec<_> = points.iter().chain(vectors).copied().collect();
        msm_threaded(&[scalars, of_gs, of_hs].concat(), &points, threads).to_projective()
    }
}
