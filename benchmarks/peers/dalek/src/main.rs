//! Bulletproofs over ristretto255, by the authors of curve25519-dalek. Verifies proofs one by one only.

use std::error::Error;

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use measure::Peer;
use merlin::Transcript;

const BITS: usize = 64;

struct Dalek {
    generators: BulletproofGens,
    pedersen: PedersenGens,
}

fn transcript() -> Transcript {
    Transcript::new(b"benchmark")
}

impl Peer for Dalek {
    type Proof = (Vec<CompressedRistretto>, RangeProof);
    type Batch = ();

    fn prove(&self, values: &[u64]) -> Option<Self::Proof> {
        let blindings: Vec<_> = values.iter().map(|_| Scalar::from_bytes_mod_order(measure::random_bytes())).collect();
        let (generators, pedersen) = (&self.generators, &self.pedersen);
        let made = RangeProof::prove_multiple(generators, pedersen, &mut transcript(), values, &blindings, BITS);
        made.ok().map(|(proof, commitments)| (commitments, proof))
    }

    fn verify(&self, (commitments, proof): &Self::Proof) -> bool {
        proof.verify_multiple(&self.generators, &self.pedersen, &mut transcript(), commitments, BITS).is_ok()
    }

    fn size(&self, (_, proof): &Self::Proof) -> usize {
        proof.to_bytes().len()
    }

    fn misattributed(&self, (_, proof): &Self::Proof, (commitments, _): &Self::Proof) -> Self::Proof {
        (commitments.clone(), proof.clone())
    }

    fn batch(&self, _: &[Self::Proof]) -> Option<Self::Batch> {
        None
    }

    fn verify_batch(&self, (): Self::Batch) -> bool {
        false
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    measure::run(&Dalek { generators: BulletproofGens::new(BITS, 2), pedersen: PedersenGens::default() })
}
