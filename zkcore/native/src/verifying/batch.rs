//! Batch verification: sigma equations and range proofs of many statements fold into one multi-scalar multiplication
//! (one a section, when there are thousands).
//!
//! Each equation is multiplied by its own 128-bit weight, squeezed from a sponge that has absorbed every statement and every byte
//! of every proof of the batch (SPEC.md, section 8). When the sum is not the identity, the batch is halved until the false claims
//! are named; weights are drawn afresh for every part.

use k256::ProjectivePoint;

use super::equation::WeightedSum;
use super::range_proof::{self, RangeProof};
use super::sigma::{self, SigmaProof};
use crate::arithmetic::point::ELEMENT_SIZE;
use crate::arithmetic::{Point, decode_points};
use crate::generators::Generators;
use crate::relations::LinearRelation;
use crate::scalars::{Scalar, invert_all};
use crate::transcript::{DuplexSponge, LABEL_BATCH, SESSION_ID_SIZE, derive_session_id};
use crate::{Code, Error, Result};

/// Claims that are decoded together: square roots and inversions are then shared by enough.
const BLOCK: usize = 128;
/// Claims that are folded into one multi-scalar multiplication: enough that more would gain little, few enough to bound memory.
const SECTION: usize = 4096;

/// A statement that the verifier built, with the proof that came for it.
#[derive(Clone)]
pub enum Claim {
    /// A batchable sigma proof.
    Sigma {
        /// What binds the context.
        session_id: [u8; SESSION_ID_SIZE],
        /// The instance.
        relation: LinearRelation,
        /// As it came.
        proof: Vec<u8>,
    },
    /// An aggregated range proof.
    Range {
        /// What binds the context.
        session_id: [u8; SESSION_ID_SIZE],
        /// The commitments, in order.
        values: Vec<Point>,
        /// Bits of each value.
        bits: u32,
        /// As it came.
        proof: Vec<u8>,
    },
}

impl Claim {
    /// Check all that comes before any point is decoded, and append the encodings of the proof's points.
    fn open(&self, generators: &Generators, encoded: &mut Vec<[u8; ELEMENT_SIZE]>) -> Result<()> {
        match self {
            Self::Sigma { relation, proof, .. } => sigma::open(relation, proof, encoded),
            Self::Range { values, bits, proof, .. } => range_proof::open(generators, *bits, values.len(), proof, encoded),
        }
    }

    /// Decode the rest, and draw the challenges.
    fn decode(&self, generators: &Generators, points: &[Point]) -> Result<Proof> {
        match self {
            Self::Sigma { session_id, relation, proof } => {
                SigmaProof::decode(session_id, relation, proof, points).map(Proof::Sigma)
            }
            Self::Range { session_id, values, bits, proof } => {
                RangeProof::decode(generators, session_id, values, *bits, proof, points).map(Box::new).map(Proof::Range)
            }
        }
    }

    fn is_range(&self) -> bool {
        matches!(self, Self::Range { .. })
    }

    fn equations(&self) -> usize {
        match self {
            Self::Sigma { relation, .. } => relation.equations.len(),
            Self::Range { .. } => 2,
        }
    }

    /// Absorb everything that the weights must depend on; `buffer` is scratch.
    fn absorb(&self, sponge: &mut DuplexSponge, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.clear();
        match self {
            Self::Sigma { session_id, relation, proof } => {
                relation.serialize_into(buffer)?;
                sponge.absorb(b"S");
                sponge.absorb(session_id);
                sponge.absorb_varlen(buffer)?;
                sponge.absorb_varlen(proof)
            }
            Self::Range { session_id, values, bits, proof } => {
                for value in values {
                    buffer.extend_from_slice(&(ELEMENT_SIZE as u32).to_le_bytes());
                    buffer.extend_from_slice(&value.encode()?);
                }
                sponge.absorb(b"R");
                sponge.absorb(session_id);
                sponge.absorb(&bits.to_le_bytes());
                sponge.absorb_varlen(buffer)?;
                sponge.absorb_varlen(proof)
            }
        }
    }

    fn rejection(&self) -> Error {
        match self {
            Self::Sigma { .. } => Error::new(Code::Sigma, "the proof does not satisfy its verification equation"),
            Self::Range { .. } => Error::new(Code::Range, "the range proof does not satisfy its verification equation"),
        }
    }
}

/// A decoded proof.
enum Proof {
    Sigma(SigmaProof),
    Range(Box<RangeProof>),
}

/// A claim that is well-formed: only its equations are left to be checked.
struct Prepared<'a> {
    /// Its number in the batch.
    number: usize,
    claim: &'a Claim,
    proof: Proof,
}

impl Prepared<'_> {
    fn add_to(&self, weights: &[Scalar], sum: &mut WeightedSum) {
        match (self.claim, &self.proof) {
            (Claim::Sigma { relation, .. }, Proof::Sigma(proof)) => proof.add_to(relation, weights, sum),
            (Claim::Range { values, bits, .. }, Proof::Range(proof)) => {
                proof.add_to(values, *bits, [weights[0], weights[1]], sum);
            }
            _ => unreachable!("a claim is decoded as what it is"),
        }
    }
}

/// Verify claims of any kinds together, on up to `threads` cores.
///
/// # Errors
/// Every claim that does not hold, in order, with the error that it raises alone: `Length`, `Encoding`, `Point`, `Scalar`,
/// `Instance`, `Identity`, `Sigma`, `Range`. An empty batch is refused with `Batch` (at index 0): a caller with nothing to check
/// has made a mistake. `Engine` says nothing about a claim: fewer vectors were given than it needs.
pub fn verify(generators: &Generators, claims: &[Claim], threads: usize) -> std::result::Result<(), Vec<(usize, Error)>> {
    if claims.is_empty() {
        return Err(vec![(0, Error::new(Code::Batch, "a batch has at least one claim"))]);
    }
    let blocks: Vec<&[Claim]> = claims.chunks(BLOCK).collect();
    let decoded = in_parallel(blocks.len(), threads, |block| decode_block(generators, blocks[block]));
    let (mut prepared, mut failures) = (Vec::with_capacity(claims.len()), Vec::new());
    for ((number, claim), proof) in claims.iter().enumerate().zip(decoded.into_iter().flatten()) {
        match proof {
            Ok(proof) => prepared.push(Prepared { number, claim, proof }),
            Err(error) => failures.push((number, error)),
        }
    }
    // Range proofs last: whoever sends many false claims shall not make every part of the search pay for their vectors.
    prepared.sort_by_key(|item| item.claim.is_range());
    let search = Search { generators, threads };
    match search.false_items(&prepared, false) {
        Ok(items) => failures.extend(items.into_iter().map(|item| (item.number, item.claim.rejection()))),
        Err(error) => failures.push((prepared[0].number, error)),
    }
    if failures.is_empty() {
        return Ok(());
    }
    failures.sort_by_key(|(number, _)| *number);
    Err(failures)
}

/// Decode the proofs of a block: all points at once and, when one of them is refused, claim by claim.
fn decode_block(generators: &Generators, claims: &[Claim]) -> Vec<Result<Proof>> {
    let mut encoded = Vec::new();
    let mut ends = Vec::with_capacity(claims.len());
    for claim in claims {
        let opened = claim.open(generators, &mut encoded);
        ends.push(opened.map(|()| encoded.len()));
    }
    let all = decode_points(&encoded).ok();
    let mut start = 0;
    let mut proofs: Vec<Result<Proof>> = Vec::with_capacity(claims.len());
    for (claim, end) in claims.iter().zip(ends) {
        proofs.push(end.and_then(|end| {
            let range = std::mem::replace(&mut start, end)..end;
            match &all {
                Some(points) => claim.decode(generators, &points[range]),
                None => claim.decode(generators, &decode_points(&encoded[range]).map_err(|(_, error)| error)?),
            }
        }));
    }
    invert_challenges(&mut proofs);
    proofs
}

/// Invert the challenges of all range proofs at the price of one inversion.
fn invert_challenges(proofs: &mut [Result<Proof>]) {
    let ranges = || proofs.iter().filter_map(|proof| if let Ok(Proof::Range(range)) = proof { Some(range) } else { None });
    let mut inverses: Vec<Scalar> = ranges().flat_map(|range| range.challenges.iter().copied()).collect();
    invert_all(&mut inverses);
    let mut rest = &inverses[..];
    for proof in proofs {
        if let Ok(Proof::Range(range)) = proof {
            let (own, others) = rest.split_at(range.challenges.len());
            (range.inverses, rest) = (own.into(), others);
        }
    }
}

/// The search for false claims.
struct Search<'a> {
    generators: &'a Generators,
    threads: usize,
}

impl Search<'_> {
    /// The items whose equations do not hold, found by halving. `known`: that there is one needs no fold to be seen.
    fn false_items<'i, 'a>(&self, items: &'i [Prepared<'a>], known: bool) -> Result<Vec<&'i Prepared<'a>>> {
        if items.is_empty() || (!known && self.fold(items)? == ProjectivePoint::IDENTITY) {
            return Ok(Vec::new());
        }
        if let [item] = items {
            return Ok(vec![item]);
        }
        let (first, second) = items.split_at(items.len() / 2);
        let mut found = self.false_items(first, false)?;
        found.extend(self.false_items(second, found.is_empty())?);
        Ok(found)
    }

    /// The weighted sum of every equation of the items, in one multi-scalar multiplication a section.
    fn fold(&self, items: &[Prepared]) -> Result<ProjectivePoint> {
        let weights = weights(items)?;
        let mut rest = &weights[..];
        let weighted: Vec<_> = items
            .iter()
            .map(|item| {
                let (own, others) = rest.split_at(item.claim.equations());
                rest = others;
                (item, own)
            })
            .collect();
        Ok(weighted.chunks(SECTION).map(|section| self.fold_section(section)).sum())
    }

    fn fold_section(&self, items: &[(&Prepared, &[Scalar])]) -> ProjectivePoint {
        // Shares are interleaved, since range proofs, which cost more, stand together at the end.
        let shares = self.threads.clamp(1, items.len().div_ceil(BLOCK));
        let sums = in_parallel(shares, self.threads, |share| {
            let mut sum = WeightedSum::new(self.generators);
            items.iter().skip(share).step_by(shares).for_each(|(item, weights)| item.add_to(weights, &mut sum));
            sum
        });
        let sum = sums.into_iter().reduce(|mut sum, part| {
            sum.add_sum(part);
            sum
        });
        sum.map_or(ProjectivePoint::IDENTITY, |sum| sum.evaluate(self.generators, self.threads))
    }
}

/// A weight for every equation of the items, in order.
fn weights(items: &[Prepared]) -> Result<Vec<Scalar>> {
    let mut sponge = DuplexSponge::new(&derive_session_id(LABEL_BATCH));
    let mut buffer = Vec::new();
    for item in items {
        item.claim.absorb(&mut sponge, &mut buffer)?;
    }
    let count = items.iter().map(|item| item.claim.equations()).sum();
    Ok((0..count).map(|_| Scalar::from(u128::from_le_bytes(sponge.squeeze()))).collect())
}

/// work(0), work(1), …, in order, computed on up to `threads` cores.
fn in_parallel<R: Send>(count: usize, threads: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let threads = threads.clamp(1, count.max(1));
    if threads == 1 {
        return (0..count).map(work).collect();
    }
    let work = &work;
    let mut parts: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || (first..count).step_by(threads).map(work).collect::<Vec<R>>()))
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("verification does not panic").into_iter()).collect()
    });
    (0..count).filter_map(|index| parts[index % threads].next()).collect()
}
