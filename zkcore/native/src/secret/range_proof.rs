//! Bulletproofs, proving side (SPEC.md, section 7.3). Statement, names and transcript are those of `verifying::range_proof`.
//!
//! What is secret and what is not. Values, blindings, bits, alpha, rho, s_L, s_R, tau_1 and tau_2 are secret: [`evaluate`] lets
//! them meet the curve only in `products`, in `combine` and in additions whose number and order do not depend on them, and
//! nothing there branches on them or looks up by them, except the refusal of a value out of range. The vectors l = l(x) and
//! r = r(x) of the inner-product argument are not secret (SPEC.md, section 7.6), so that [`Evaluation::prove_inner_product`],
//! which gets nothing else, is variable-time.

use k256::ProjectivePoint;
use k256::elliptic_curve::subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroizing;

use super::opening::commitments;
use super::{combine, decode_random};
use crate::arithmetic::{Point, fold, msm};
use crate::generators::Generators;
use crate::scalars::{Scalar, encode_scalar};
use crate::transcript::{CHALLENGE_SIZE, SESSION_ID_SIZE};
use crate::verifying::range_proof::{RangeTranscript, SCHEME_BULLETPROOFS, proof_size, rounds};
use crate::{Code, Error, Result};

/// Random bytes that a proof for `count` values of `bits` bits takes: 48·(2N + 4), N = bits·count.
///
/// # Errors
/// `Encoding` for a size that is not offered.
pub fn random_size(bits: u32, count: usize) -> Result<usize> {
    Ok(CHALLENGE_SIZE * ((2 << rounds(bits, count)?) + 4))
}

/// Prove that V_j = value·G + blinding·H holds a value in [0, 2^bits) for each (value, blinding) of `openings`, in order.
///
/// `random` are [`random_size`] fresh uniform bytes, 48 for each scalar, in this order, with N = bits·len(openings): alpha, rho,
/// s_L[0 … N−1], s_R[0 … N−1], tau_1, tau_2.
///
/// # Errors
/// `Encoding` for bits or a number of openings that are not offered; `Witness` for a value out of range; `Length` for another
/// number of random bytes; `Engine` when the suite has fewer vectors than N; `Identity` for the opening (0, 0); `Range` when a
/// challenge is zero (probability 2⁻²⁵⁶; call again with fresh bytes).
pub fn prove(
    generators: &Generators,
    session_id: &[u8; SESSION_ID_SIZE],
    openings: &[(u64, Scalar)],
    bits: u32,
    random: &[u8],
) -> Result<Vec<u8>> {
    evaluate(generators, session_id, openings, bits, random)?.prove_inner_product(generators)
}

/// A proof made as far as t_x, tau_x and mu. Nothing in it is secret any more.
pub struct Evaluation {
    proof: Vec<u8>,
    transcript: RangeTranscript,
    y: Scalar,
    w: Scalar,
    left: Vec<Scalar>,
    right: Vec<Scalar>,
}

/// The constant-time part of [`prove`]: all that has to do with secrets. Arguments and errors are those of `prove`.
///
/// # Errors
/// Those of [`prove`].
pub fn evaluate(
    generators: &Generators,
    session_id: &[u8; SESSION_ID_SIZE],
    openings: &[(u64, Scalar)],
    bits: u32,
    random: &[u8],
) -> Result<Evaluation> {
    let count = openings.len();
    let mut proof = Vec::with_capacity(proof_size(bits, count)?);
    check_values(openings, bits)?;
    let masks = Masks::decode(random, random_size(bits, count)?)?;
    let size = masks.s_left().len();
    if generators.g_vector.len() < size {
        return Err(Error::new(Code::Engine, "the engine was given fewer vectors than this range proof needs"));
    }

    let value_bits = value_bits(openings, bits);
    let points = commit_vectors(generators, openings, &value_bits, &masks);
    let (values, vectors) = points.split_at(count);
    let mut transcript = RangeTranscript::new(generators, session_id, bits, values)?;
    proof.push(SCHEME_BULLETPROOFS);
    let (y, z) = transcript.vectors(append_points(&mut proof, vectors)?)?;

    let value_weights = &powers(z, count + 2)[2..];
    let polynomials = Polynomials::new(bits, &value_bits, &masks, y, z, value_weights);
    let coefficients = Zeroizing::new([(polynomials.t_1(), *masks.tau(1)), (polynomials.t_2(), *masks.tau(2))]);
    let t_points = Point::from_projectives(&commitments(generators, &*coefficients));
    let x = transcript.polynomial(append_points(&mut proof, &t_points)?)?;

    let (left, right) = polynomials.at(x);
    let t_x = inner(&left, &right);
    // The last term, the blindings of the values, must not be forgotten: without it the public parts of the proof add up to a
    // multiple of value·G, which can be searched.
    let blindings = value_weights.iter().zip(openings).map(|(weight, (_, blinding))| weight * blinding).sum::<Scalar>();
    let tau_x = (masks.tau(2) * &x + masks.tau(1)) * x + blindings;
    let mu = masks.alpha() + (masks.rho() * &x);
    let w = transcript.evaluation(append_scalars(&mut proof, &[t_x, tau_x, mu]))?;
    Ok(Evaluation { proof, transcript, y, w, left, right })
}

/// Nothing but the outcome for all values together depends on them.
fn check_values(openings: &[(u64, Scalar)], bits: u32) -> Result<()> {
    let excess = openings.iter().fold(0, |excess, (value, _)| excess | (value >> (bits - 1) >> 1));
    if excess != 0 {
        return Err(Error::new(Code::Witness, format!("a value to prove in range is not in [0, 2**{bits})")));
    }
    Ok(())
}

/// The scalars that hide everything else: alpha, rho, s_L, s_R, tau_1, tau_2.
struct Masks(Zeroizing<Vec<Scalar>>);

impl Masks {
    fn decode(random: &[u8], size: usize) -> Result<Self> {
        if random.len() != size {
            return Err(Error::new(Code::Length, format!("this range proof takes {size} random bytes")));
        }
        Ok(Self(decode_random(random)))
    }

    fn alpha(&self) -> &Scalar {
        &self.0[0]
    }

    fn rho(&self) -> &Scalar {
        &self.0[1]
    }

    /// s_L, then s_R.
    fn vectors(&self) -> &[Scalar] {
        &self.0[2..self.0.len() - 2]
    }

    fn s_left(&self) -> &[Scalar] {
        let vectors = self.vectors();
        &vectors[..vectors.len() / 2]
    }

    fn s_right(&self) -> &[Scalar] {
        let vectors = self.vectors();
        &vectors[vectors.len() / 2..]
    }

    /// tau_1 or tau_2.
    fn tau(&self, index: usize) -> &Scalar {
        &self.0[self.0.len() - 3 + index]
    }
}

/// a_L: the bits of each value, the least first.
fn value_bits(openings: &[(u64, Scalar)], bits: u32) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(bits as usize * openings.len()));
    for (value, _) in openings {
        out.extend((0..bits).map(|place| (value >> place & 1) as u8));
    }
    out
}

/// Every V_j, then A, then S, at the price of one inversion.
fn commit_vectors(generators: &Generators, openings: &[(u64, Scalar)], value_bits: &[u8], masks: &Masks) -> Vec<Point> {
    let mut pairs = Zeroizing::new(Vec::with_capacity(openings.len() + 1));
    pairs.extend(openings.iter().map(|(value, blinding)| (Scalar::from(*value), *blinding)));
    pairs.push((Scalar::ZERO, *masks.alpha()));
    let mut points = Zeroizing::new(commitments(generators, &pairs));
    points[openings.len()] += commit_bits(generators, value_bits);
    let with_s: Vec<_> = points.iter().copied().chain([commit_masks(generators, masks)]).collect();
    Point::from_projectives(&with_s)
}

/// ⟨a_L, G_vector⟩ + ⟨a_L − 1, H_vector⟩: each bit selects G_i or −H_i, and either is added.
///
/// Nothing is precomputed for this: bringing the generators into k256's form takes a fortieth of the time of S.
fn commit_bits(generators: &Generators, value_bits: &[u8]) -> ProjectivePoint {
    let mut sum = ProjectivePoint::IDENTITY;
    for ((g, h), bit) in generators.g_vector.iter().zip(&generators.h_vector).zip(value_bits) {
        sum += ProjectivePoint::conditional_select(&-h.to_projective(), &g.to_projective(), Choice::from(*bit));
    }
    sum
}

/// S = rho·H + ⟨s_L, G_vector⟩ + ⟨s_R, H_vector⟩. Who learns s_L and l learns the bits.
fn commit_masks(generators: &Generators, masks: &Masks) -> ProjectivePoint {
    let size = masks.s_left().len();
    let mut scalars = Zeroizing::new(Vec::with_capacity(2 * size + 1));
    scalars.push(*masks.rho());
    scalars.extend_from_slice(masks.vectors());
    let points = [&[generators.h], &generators.g_vector[..size], &generators.h_vector[..size]].concat();
    combine(&scalars, &points)
}

/// The vector polynomials l(X) = l_0 + l_1·X and r(X) = r_0 + r_1·X. Secret.
struct Polynomials<'a> {
    l_0: Zeroizing<Vec<Scalar>>,
    l_1: &'a [Scalar],
    r_0: Zeroizing<Vec<Scalar>>,
    r_1: Zeroizing<Vec<Scalar>>,
}

impl<'a> Polynomials<'a> {
    /// l(X) = a_L − z + s_L·X and r(X) = y^N ∘ (a_L − 1 + z + s_R·X) + (z^(2+j)·2^k at index j·n + k).
    fn new(bits: u32, value_bits: &[u8], masks: &'a Masks, y: Scalar, z: Scalar, value_weights: &[Scalar]) -> Self {
        let y_powers = powers(y, value_bits.len());
        let mut places = Vec::with_capacity(value_bits.len());
        for weight in value_weights {
            let mut place = *weight;
            for _ in 0..bits {
                places.push(place);
                place += place;
            }
        }
        let l_0: Vec<_> = value_bits.iter().map(|bit| Scalar::from(u64::from(*bit)) - z).collect();
        let opposite = z + z - Scalar::ONE; // a_L − 1 + z is l_0 and so much
        let r_0 = l_0.iter().zip(&y_powers).zip(&places).map(|((l, power), place)| (l + opposite) * power + place).collect();
        let r_1 = masks.s_right().iter().zip(&y_powers).map(|(mask, power)| mask * power).collect();
        let (l_0, r_0, r_1) = (Zeroizing::new(l_0), Zeroizing::new(r_0), Zeroizing::new(r_1));
        Self { l_0, l_1: masks.s_left(), r_0, r_1 }
    }

    /// The coefficient of X in ⟨l(X), r(X)⟩.
    fn t_1(&self) -> Scalar {
        inner(&self.l_0, &self.r_1) + inner(self.l_1, &self.r_0)
    }

    /// The coefficient of X².
    fn t_2(&self) -> Scalar {
        inner(self.l_1, &self.r_1)
    }

    /// l(x) and r(x).
    fn at(&self, x: Scalar) -> (Vec<Scalar>, Vec<Scalar>) {
        let at_x = |constants: &[Scalar], slopes: &[Scalar]| {
            constants.iter().zip(slopes).map(|(constant, slope)| constant + (slope * &x)).collect()
        };
        (at_x(&self.l_0, self.l_1), at_x(&self.r_0, &self.r_1))
    }
}

impl Evaluation {
    /// The rest of [`prove`], variable-time: (L, R) of each round, a and b, showing ⟨left, right⟩ over G_vector, the elements
    /// y⁻ⁱ·H_i, and Q = w·G. `generators` are those of [`evaluate`].
    ///
    /// The factors y⁻ⁱ stay with the scalars: in every round the true element i is y⁻ⁱ times element i of `folded_h`.
    ///
    /// # Errors
    /// `Range` when a challenge is zero, `Identity` when an L or R is the identity (probability 2⁻²⁵⁶; prove again).
    pub fn prove_inner_product(self, generators: &Generators) -> Result<Vec<u8>> {
        let Self { mut proof, mut transcript, y, w, left: mut a, right: mut b } = self;
        let mut folded_g = FoldedVector::new(&generators.g_vector[..a.len()]);
        let mut folded_h = FoldedVector::new(&generators.h_vector[..a.len()]);
        let y_inverses = powers(invert(y), a.len());
        while a.len() > 1 {
            let half = a.len() / 2;
            let ((a_low, a_high), (b_low, b_high)) = (a.split_at(half), b.split_at(half));
            folded_g.compute_if_worthwhile();
            folded_h.compute_if_worthwhile();

            let mut left = Terms::of(w * inner(a_low, b_high), generators.g);
            folded_g.upper(a_low, &mut left);
            folded_h.lower(&entrywise(b_high, &y_inverses[..half]), &mut left);
            let mut right = Terms::of(w * inner(a_high, b_low), generators.g);
            folded_g.lower(a_high, &mut right);
            folded_h.upper(&entrywise(b_low, &y_inverses[half..2 * half]), &mut right);

            let u = transcript.folding(append_points(&mut proof, &sums(&left, &right))?)?;
            let u_inverse = invert(u);
            (a, b) = (halves(a_low, u, a_high, u_inverse), halves(b_low, u_inverse, b_high, u));
            folded_g.fold(u_inverse, u);
            folded_h.fold(u, u_inverse * y_inverses[half]);
        }
        append_scalars(&mut proof, &[a[0], b[0]]);
        Ok(proof)
    }
}

/// Folded generators are kept as points with pending weights until each stands for so many points, and then computed.
///
/// A round costs two multi-scalar multiplications of as many points as the pending form has. Computing by four costs about as
/// much as one of them, and then they are four times shorter (measured against 8, which is a little slower).
const FOLD_AT: usize = 4;
/// Fewer points than this are not computed: a sum of so few points and their weights costs little more than one of fewer.
const WORTHWHILE: usize = 4;

/// A vector of public elements whose halves are added up, round by round. Computes no more elements than it must.
///
/// Element i of a vector of length n is the sum of weights[k]·points[k·n + i].
struct FoldedVector {
    points: Vec<Point>,
    weights: Vec<Scalar>,
}

impl FoldedVector {
    fn new(points: &[Point]) -> Self {
        Self { points: points.to_vec(), weights: vec![Scalar::ONE] }
    }

    /// Append the terms of the combination of the lower half with these scalars.
    fn lower(&self, scalars: &[Scalar], terms: &mut Terms) {
        self.append(scalars, 0, terms);
    }

    /// Append the terms of the combination of the upper half with these scalars.
    fn upper(&self, scalars: &[Scalar], terms: &mut Terms) {
        self.append(scalars, 1, terms);
    }

    fn append(&self, scalars: &[Scalar], half: usize, terms: &mut Terms) {
        for (weight, block) in self.weights.iter().zip(self.points.chunks_exact(2 * scalars.len())) {
            terms.scalars.extend(scalars.iter().map(|scalar| weight * scalar));
            terms.points.extend_from_slice(&block[half * scalars.len()..][..scalars.len()]);
        }
    }

    /// Become low·(lower half) + high·(upper half).
    fn fold(&mut self, low: Scalar, high: Scalar) {
        self.weights = self.weights.iter().flat_map(|weight| [weight * &low, weight * &high]).collect();
    }

    /// Compute the elements when that saves more than it costs.
    fn compute_if_worthwhile(&mut self) {
        if self.weights.len() >= FOLD_AT && self.points.len() >= WORTHWHILE * self.weights.len() {
            self.points = fold(&self.points, &self.weights);
            self.weights = vec![Scalar::ONE];
        }
    }
}

/// What is to be multiplied and added.
struct Terms {
    scalars: Vec<Scalar>,
    points: Vec<Point>,
}

impl Terms {
    fn of(scalar: Scalar, point: Point) -> Self {
        Self { scalars: vec![scalar], points: vec![point] }
    }
}

/// L and R of one round.
fn sums(left: &Terms, right: &Terms) -> [Point; 2] {
    [msm(&left.scalars, &left.points), msm(&right.scalars, &right.points)]
}

/// low·low_factor + high·high_factor, entry by entry.
fn halves(low: &[Scalar], low_factor: Scalar, high: &[Scalar], high_factor: Scalar) -> Vec<Scalar> {
    low.iter().zip(high).map(|(low, high)| low * &low_factor + high * &high_factor).collect()
}

fn entrywise(left: &[Scalar], right: &[Scalar]) -> Vec<Scalar> {
    left.iter().zip(right).map(|(left, right)| left * right).collect()
}

fn inner(left: &[Scalar], right: &[Scalar]) -> Scalar {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// base^0 … base^(count−1).
fn powers(base: Scalar, count: usize) -> Vec<Scalar> {
    std::iter::successors(Some(Scalar::ONE), |power| Some(power * &base)).take(count).collect()
}

/// The inverse of a challenge, which is public and not zero.
fn invert(challenge: Scalar) -> Scalar {
    challenge.invert_vartime().expect("a challenge is not zero")
}

/// Append encoded points to the proof, and return what was appended, which the transcript absorbs.
fn append_points<'a>(proof: &'a mut Vec<u8>, points: &[Point]) -> Result<&'a [u8]> {
    let start = proof.len();
    for point in points {
        proof.extend_from_slice(&point.encode()?);
    }
    Ok(&proof[start..])
}

/// The same for scalars.
fn append_scalars<'a>(proof: &'a mut Vec<u8>, scalars: &[Scalar]) -> &'a [u8] {
    let start = proof.len();
    for scalar in scalars {
        proof.extend_from_slice(&encode_scalar(scalar));
    }
    &proof[start..]
}
