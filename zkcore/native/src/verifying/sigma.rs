//! Verification of batchable sigma proofs for linear relations (draft-irtf-cfrg-sigma-protocols-03; SPEC.md, section 6).

use super::equation::WeightedSum;
use crate::arithmetic::Point;
use crate::arithmetic::point::ELEMENT_SIZE;
use crate::relations::{LinearRelation, scaled};
use crate::scalars::{SCALAR_SIZE, Scalar, decode_scalar};
use crate::transcript::{DuplexSponge, SESSION_ID_SIZE};
use crate::{Code, Error, Result};

/// DeriveChallenge of the draft: absorb the serialized relation, then the commitment; decode 48 squeezed bytes.
pub fn derive_challenge(session_id: &[u8; SESSION_ID_SIZE], statement: &[u8], commitment: &[u8]) -> Scalar {
    let mut sponge = DuplexSponge::new(session_id);
    sponge.absorb(statement);
    sponge.absorb(commitment);
    sponge.challenge()
}

/// A decoded batchable proof with its challenge.
pub(super) struct SigmaProof {
    /// One element an equation.
    commitment: Box<[Point]>,
    /// One scalar a witness scalar.
    response: Box<[Scalar]>,
    challenge: Scalar,
}

/// Check all that comes before any point is decoded, and append the encodings of the commitment.
pub(super) fn open(relation: &LinearRelation, proof: &[u8], encoded: &mut Vec<[u8; ELEMENT_SIZE]>) -> Result<()> {
    relation.validate()?;
    let size = relation.proof_size();
    if proof.len() != size {
        return Err(Error::new(Code::Length, format!("this sigma proof is {size} bytes, got {}", proof.len())));
    }
    encoded.extend_from_slice(proof[..ELEMENT_SIZE * relation.equations.len()].as_chunks().0);
    Ok(())
}

impl SigmaProof {
    /// The rest of decoding, and the challenge; `commitment` was decoded from what [`open`] appended.
    pub fn decode(
        session_id: &[u8; SESSION_ID_SIZE],
        relation: &LinearRelation,
        proof: &[u8],
        commitment: &[Point],
    ) -> Result<Self> {
        let (encoded, response) = proof.split_at(ELEMENT_SIZE * commitment.len());
        let response = response.chunks_exact(SCALAR_SIZE).map(decode_scalar).collect::<Result<_>>()?;
        let challenge = derive_challenge(session_id, &relation.serialized()?, encoded);
        Ok(Self { commitment: commitment.into(), response, challenge })
    }

    /// Add T_j + c·image_j − Σ coefficient·response·element, for each equation j under its weight.
    pub fn add_to(&self, relation: &LinearRelation, weights: &[Scalar], sum: &mut WeightedSum) {
        for ((commitment, equation), weight) in self.commitment.iter().zip(relation.equations.iter()).zip(weights) {
            sum.add(*weight, commitment);
            let challenge = self.challenge * weight;
            for (element, coefficient) in &equation.image {
                sum.add(scaled(&challenge, coefficient), &relation.elements[*element as usize]);
            }
            for (scalar, element, coefficient) in &equation.terms {
                let response = self.response[*scalar as usize] * weight;
                sum.add(-scaled(&response, coefficient), &relation.elements[*element as usize]);
            }
        }
    }
}
