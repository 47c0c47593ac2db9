//! Bulletproofs (Bünz, Bootle, Boneh, Poelstra, Wuille, Maxwell 2018, sections 3 and 4.3), verifying side; SPEC.md, section 7.
//!
//! The statement, for m committed values of n bits each:
//!
//! ```text
//! PoK{ (v_j, gamma_j) : V_j = v_j*G + gamma_j*H  and  0 <= v_j < 2**n,  j = 0 ... m-1 }
//! ```
//!
//! Nothing here is secret and nothing here multiplies an element. The names of the paper are kept: A, S, T1, T2, t_x, tau_x, mu,
//! L, R, a, b for the parts of a proof; y, z, x, w, u for the challenges; N = n·m for the length of the vectors.

use super::equation::WeightedSum;
use crate::arithmetic::Point;
use crate::arithmetic::point::ELEMENT_SIZE;
use crate::generators::Generators;
use crate::scalars::{SCALAR_SIZE, Scalar, WideSum, add_outer_product, bit_products, decode_scalar, power_sum};
use crate::transcript::{DuplexSponge, SESSION_ID_SIZE, frame};
use crate::{Code, Error, Result};

/// The first byte of a proof.
pub const SCHEME_BULLETPROOFS: u8 = 1;
/// Bits that a value may have.
pub const SUPPORTED_BITS: [u32; 4] = [8, 16, 32, 64];
/// How many values one proof may be about.
pub const SUPPORTED_COUNTS: [usize; 4] = [1, 2, 4, 8];

/// Rounds for 8 values of 64 bits.
const MAXIMUM_ROUNDS: usize = 9;

const LABEL: &[u8] = b"range-proof";
/// Where t_x begins: after the scheme, A, S, T1 and T2.
const OPENING: usize = 1 + 4 * ELEMENT_SIZE;
/// Where L_1 begins: after t_x, tau_x and mu.
const FOLDING: usize = OPENING + 3 * SCALAR_SIZE;

/// Bytes of a proof for `count` values of `bits` bits: 293 + 66·d, d the rounds.
///
/// # Errors
/// `Encoding` for a size that is not offered.
pub fn proof_size(bits: u32, count: usize) -> Result<usize> {
    Ok(1 + ELEMENT_SIZE * (4 + 2 * rounds(bits, count)?) + SCALAR_SIZE * 5)
}

/// Rounds of the inner-product argument: log₂(bits·count).
///
/// # Errors
/// `Encoding` for a size that is not offered.
pub fn rounds(bits: u32, count: usize) -> Result<usize> {
    if !SUPPORTED_BITS.contains(&bits) {
        return Err(Error::new(Code::Encoding, format!("a range proof has one of {SUPPORTED_BITS:?} bits, not {bits}")));
    }
    if !SUPPORTED_COUNTS.contains(&count) {
        return Err(Error::new(Code::Encoding, format!("a range proof has one of {SUPPORTED_COUNTS:?} values, not {count}")));
    }
    Ok((bits as usize * count).ilog2() as usize)
}

/// The Fiat–Shamir transcript (SPEC.md, section 7.2), one method a message of the prover. Prover and verifier run the same one.
///
/// Everything sent so far is absorbed before a challenge is drawn, the statement (generators, n, m, every V) first of all. The
/// session id binds the context. Only a and b are never absorbed: no challenge follows them, and the batch absorbs the whole
/// proof before it draws its weights. Messages come as they are encoded, one after the other.
pub struct RangeTranscript {
    sponge: DuplexSponge,
}

impl RangeTranscript {
    /// Absorb the statement.
    ///
    /// # Errors
    /// `Identity` for a value that is the identity.
    pub fn new(generators: &Generators, session_id: &[u8; SESSION_ID_SIZE], bits: u32, values: &[Point]) -> Result<Self> {
        let mut sponge = DuplexSponge::new(session_id);
        let count = (values.len() as u32).to_le_bytes();
        sponge.absorb(&frame(&[LABEL, &[SCHEME_BULLETPROOFS], &generators.digest, &bits.to_le_bytes(), &count])?);
        for value in values {
            sponge.absorb_varlen(&value.encode()?)?;
        }
        Ok(Self { sponge })
    }

    /// Absorb A ‖ S; draw y, z.
    ///
    /// # Errors
    /// `Range` when a challenge is zero, here and in what follows.
    pub fn vectors(&mut self, a_and_s: &[u8]) -> Result<(Scalar, Scalar)> {
        self.sponge.absorb(a_and_s);
        Ok((self.challenge()?, self.challenge()?))
    }

    /// Absorb T1 ‖ T2; draw x.
    ///
    /// # Errors
    /// As [`Self::vectors`].
    pub fn polynomial(&mut self, t1_and_t2: &[u8]) -> Result<Scalar> {
        self.sponge.absorb(t1_and_t2);
        self.challenge()
    }

    /// Absorb t_x ‖ tau_x ‖ mu; draw w.
    ///
    /// # Errors
    /// As [`Self::vectors`].
    pub fn evaluation(&mut self, scalars: &[u8]) -> Result<Scalar> {
        self.sponge.absorb(scalars);
        self.challenge()
    }

    /// Absorb L ‖ R of one round; draw u.
    ///
    /// # Errors
    /// As [`Self::vectors`].
    pub fn folding(&mut self, left_and_right: &[u8]) -> Result<Scalar> {
        self.sponge.absorb(left_and_right);
        self.challenge()
    }

    /// A nonzero scalar. Zero has probability 2⁻²⁵⁶, and every challenge is divided by or must not vanish.
    fn challenge(&mut self) -> Result<Scalar> {
        let challenge = self.sponge.challenge();
        if bool::from(challenge.is_zero()) {
            return Err(Error::new(Code::Range, "a challenge of this range proof is zero; prove again with fresh randomness"));
        }
        Ok(challenge)
    }
}

/// A decoded proof with its challenges.
pub(super) struct RangeProof {
    /// A, S, T1, T2, then L and R of each round.
    points: Box<[Point]>,
    t_x: Scalar,
    tau_x: Scalar,
    mu: Scalar,
    a: Scalar,
    b: Scalar,
    z: Scalar,
    x: Scalar,
    w: Scalar,
    /// y, then u of each round; and the inverses, which the batch computes for many proofs at once.
    pub challenges: Box<[Scalar]>,
    pub inverses: Box<[Scalar]>,
}

/// Check all that comes before any point is decoded, and append the encodings of the proof's points.
pub(super) fn open(
    generators: &Generators,
    bits: u32,
    count: usize,
    proof: &[u8],
    encoded: &mut Vec<[u8; ELEMENT_SIZE]>,
) -> Result<()> {
    let size = proof_size(bits, count)?;
    if proof.len() != size {
        return Err(Error::new(Code::Length, format!("this range proof is {size} bytes, got {}", proof.len())));
    }
    if proof[0] != SCHEME_BULLETPROOFS {
        return Err(Error::new(Code::Encoding, format!("the scheme of a range proof is 1, not {}", proof[0])));
    }
    if generators.g_vector.len().min(generators.h_vector.len()) < bits as usize * count {
        return Err(Error::new(Code::Engine, "the engine was given fewer vectors than this range proof needs"));
    }
    encoded.extend_from_slice(proof[1..OPENING].as_chunks().0);
    encoded.extend_from_slice(proof[FOLDING..size - 2 * SCALAR_SIZE].as_chunks().0);
    Ok(())
}

impl RangeProof {
    /// The rest of decoding, and the challenges; `points` were decoded from what [`open`] appended.
    pub fn decode(
        generators: &Generators,
        session_id: &[u8; SESSION_ID_SIZE],
        values: &[Point],
        bits: u32,
        proof: &[u8],
        points: &[Point],
    ) -> Result<Self> {
        let closing = proof.len() - 2 * SCALAR_SIZE;
        let mut scalars = [Scalar::ZERO; 5];
        let encoded = proof[OPENING..FOLDING].chunks_exact(SCALAR_SIZE).chain(proof[closing..].chunks_exact(SCALAR_SIZE));
        for (scalar, data) in scalars.iter_mut().zip(encoded) {
            *scalar = decode_scalar(data)?;
        }
        let [t_x, tau_x, mu, a, b] = scalars;
        let mut transcript = RangeTranscript::new(generators, session_id, bits, values)?;
        let (vectors, polynomial) = proof[1..OPENING].split_at(2 * ELEMENT_SIZE);
        let (y, z) = transcript.vectors(vectors)?;
        let x = transcript.polynomial(polynomial)?;
        let w = transcript.evaluation(&proof[OPENING..FOLDING])?;
        let mut challenges = vec![y];
        for round in proof[FOLDING..closing].chunks_exact(2 * ELEMENT_SIZE) {
            challenges.push(transcript.folding(round)?);
        }
        let inverses = Box::default();
        Ok(Self { points: points.into(), t_x, tau_x, mu, a, b, z, x, w, challenges: challenges.into(), inverses })
    }

    /// Add the two equations that hold exactly if the proof is right, each under its weight (SPEC.md, section 7.4).
    pub fn add_to(&self, values: &[Point], bits: u32, weights: [Scalar; 2], sum: &mut WeightedSum) {
        let squared = |(u, inverse): (&Scalar, &Scalar)| [u.square(), inverse.square()];
        let squares: Vec<_> = self.challenges[1..].iter().zip(&self.inverses[1..]).map(squared).collect();
        self.add_polynomial_equation(values, bits, weights[0], sum);
        self.add_inner_product_equation(&squares, weights[1], sum);
        self.add_vectors(&squares, bits, weights[1], sum);
    }

    /// (t_x − delta(y, z))·G + tau_x·H − Σ z^(2+j)·V_j − x·T1 − x²·T2 = identity.
    fn add_polynomial_equation(&self, values: &[Point], bits: u32, weight: Scalar, sum: &mut WeightedSum) {
        sum.add_g(weight * (self.t_x - delta(bits, values.len(), self.challenges[0], self.z)));
        sum.add_h(weight * self.tau_x);
        let mut power = weight * self.z.square();
        for value in values {
            sum.add(-power, value);
            power *= self.z;
        }
        let t1 = -weight * self.x;
        sum.add(t1, &self.points[2]);
        sum.add(t1 * self.x, &self.points[3]);
    }

    /// A + x·S − mu·H + Σ (u_k²·L_k + u_k⁻²·R_k) + w·(t_x − a·b)·G, what the equation has besides the vectors.
    fn add_inner_product_equation(&self, squares: &[[Scalar; 2]], weight: Scalar, sum: &mut WeightedSum) {
        sum.add(weight, &self.points[0]);
        sum.add(weight * self.x, &self.points[1]);
        sum.add_h(-weight * self.mu);
        sum.add_g(weight * self.w * (self.t_x - self.a * self.b));
        let folded = self.points[4..].as_chunks::<2>().0;
        for ([square, inverse], [left, right]) in squares.iter().zip(folded) {
            sum.add(weight * square, left);
            sum.add(weight * inverse, right);
        }
    }

    /// ⟨gs, G_vector⟩ + ⟨hs, H_vector⟩.
    ///
    /// gs_i = −z − a·s_i and hs_i = z + y⁻ⁱ·(z^(2+j)·2^k − b/s_i) for i = j·n + k, where s_i is the product of all u, inverted
    /// where their bit of i is 0. Bit 0 of i belongs to the last round. Each of the three vectors is a product over the bits of
    /// i, hence an outer product of one over the low bits with one over the high bits.
    fn add_vectors(&self, squares: &[[Scalar; 2]], bits: u32, weight: Scalar, sum: &mut WeightedSum) {
        let rounds = squares.len();
        sum.shift(rounds, weight * self.z);
        // Three vectors, with a factor for each bit of i.
        let mut factors = [[Scalar::ZERO; MAXIMUM_ROUNDS]; 3];
        let mut y_power = self.inverses[0]; // y^−(2^bit)
        let mut place = Scalar::from(2u32); // 2^(2^bit), then z^(2^bit) from where bits of i count values
        for (bit, [square, inverse]) in squares.iter().rev().enumerate() {
            if bit == bits.ilog2() as usize {
                place = self.z;
            }
            factors[0][bit] = *square;
            factors[1][bit] = inverse * &y_power;
            factors[2][bit] = place * y_power;
            y_power = y_power.square();
            place = place.square();
        }
        let starts = [
            -weight * self.a * self.inverses[1..].iter().product::<Scalar>(),
            -weight * self.b * self.challenges[1..].iter().product::<Scalar>(),
            weight * self.z.square(),
        ];
        add_bit_products(&mut sum.gs, starts[0], &factors[0][..rounds]);
        add_bit_products(&mut sum.hs, starts[1], &factors[1][..rounds]);
        add_bit_products(&mut sum.hs, starts[2], &factors[2][..rounds]);
    }
}

/// sums[i] += start · Π factors[k] over those k where bit k of i is 1, as an outer product of the high bits with the low bits.
fn add_bit_products(sums: &mut [WideSum], start: Scalar, factors: &[Scalar]) {
    let (low, high) = factors.split_at(factors.len() / 2);
    let mut products = Vec::with_capacity((1 << low.len()) + (1 << high.len()));
    bit_products(Scalar::ONE, low, &mut products);
    bit_products(start, high, &mut products);
    let (columns, rows) = products.split_at(1 << low.len());
    add_outer_product(sums, rows, columns);
}

/// delta(y, z) = (z − z²)·⟨1, y^N⟩ − Σ z^(3+j)·(2^n − 1) over j < m, the public part of t(0).
pub fn delta(bits: u32, count: usize, y: Scalar, z: Scalar) -> Scalar {
    let y_sum = power_sum(y, (bits as usize * count).ilog2() as usize);
    let z_sum = power_sum(z, count.ilog2() as usize);
    let largest = Scalar::from(u64::MAX >> (64 - bits));
    z * ((Scalar::ONE - z) * y_sum - z.square() * z_sum * largest)
}
