//! Bulletproofs+ over ristretto255, by the Tari project. One function verifies one proof and many; it splits a batch into parts
//! of 256 proofs. It takes commitments decoded.

use std::error::Error;

use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use measure::Peer;
use tari_bulletproofs_plus::Transcript;
use tari_bulletproofs_plus::commitment_opening::CommitmentOpening;
use tari_bulletproofs_plus::generators::pedersen_gens::ExtensionDegree;
use tari_bulletproofs_plus::range_parameters::RangeParameters;
use tari_bulletproofs_plus::range_proof::VerifyAction;
use tari_bulletproofs_plus::range_statement::RangeStatement;
use tari_bulletproofs_plus::range_witness::RangeWitness;
use tari_bulletproofs_plus::ristretto::{RistrettoRangeProof, create_pedersen_gens_with_extension_degree};

const BITS: usize = 64;

struct Tari {
    parameters: RangeParameters<RistrettoPoint>,
}

fn transcript() -> Transcript {
    Transcript::new(b"benchmark")
}

impl Peer for Tari {
    type Proof = (RangeStatement<RistrettoPoint>, RistrettoRangeProof);
    type Batch = (Vec<Transcript>, Vec<RangeStatement<RistrettoPoint>>, Vec<RistrettoRangeProof>);

    fn prove(&self, values: &[u64]) -> Option<Self::Proof> {
        let blindings: Vec<_> = values.iter().map(|_| Scalar::from_bytes_mod_order(measure::random_bytes())).collect();
        let commit = |(value, blinding): (&u64, &Scalar)| self.parameters.pc_gens().commit(&Scalar::from(*value), &[*blinding]);
        let commitments = values.iter().zip(&blindings).map(commit).collect::<Result<Vec<_>, _>>().ok()?;
        let openings = values.iter().zip(&blindings).map(|(value, blinding)| CommitmentOpening::new(*value, vec![*blinding]));
        let witness = RangeWitness::init(openings.collect()).ok()?;
        let statement = RangeStatement::init(self.parameters.clone(), commitments, vec![None; values.len()], None).ok()?;
        let proof = RistrettoRangeProof::prove(&mut transcript(), &statement, &witness).ok()?;
        Some((statement, proof))
    }

    fn verify(&self, proof: &Self::Proof) -> bool {
        let (statement, proof) = (std::slice::from_ref(&proof.0), std::slice::from_ref(&proof.1));
        RistrettoRangeProof::verify_batch(&mut [transcript()], statement, proof, VerifyAction::VerifyOnly).is_ok()
    }

    fn size(&self, (_, proof): &Self::Proof) -> usize {
        proof.to_bytes().len()
    }

    fn misattributed(&self, (_, proof): &Self::Proof, (statement, _): &Self::Proof) -> Self::Proof {
        (statement.clone(), proof.clone())
    }

    fn batch(&self, proofs: &[Self::Proof]) -> Option<Self::Batch> {
        let (statements, made) = proofs.iter().cloned().unzip();
        Some((vec![transcript(); proofs.len()], statements, made))
    }

    fn verify_batch(&self, (mut transcripts, statements, proofs): Self::Batch) -> bool {
        RistrettoRangeProof::verify_batch(&mut transcripts, &statements, &proofs, VerifyAction::VerifyOnly).is_ok()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let pedersen = create_pedersen_gens_with_extension_degree(ExtensionDegree::DefaultPedersen);
    measure::run(&Tari { parameters: RangeParameters::init(BITS, 2, pedersen).map_err(|error| error.to_string())? })
}
