//! Bulletproofs over secp256k1, by the Grin project: a fork of the C library secp256k1-zkp. Its Rust interface proves one value.

use std::error::Error;

use measure::Peer;
use secp256k1zkp::key::SecretKey;
use secp256k1zkp::pedersen::{Commitment, RangeProof};
use secp256k1zkp::{ContextFlag, Secp256k1};

struct Grin {
    context: Secp256k1,
}

impl Grin {
    fn secret(&self) -> Option<SecretKey> {
        SecretKey::from_slice(&self.context, &measure::random_bytes()).ok()
    }
}

impl Peer for Grin {
    type Proof = (Commitment, RangeProof);
    type Batch = (Vec<Commitment>, Vec<RangeProof>);

    fn prove(&self, values: &[u64]) -> Option<Self::Proof> {
        let [value] = values else { return None };
        let blinding = self.secret()?;
        let commitment = self.context.commit(*value, blinding.clone()).ok()?;
        let proof = self.context.bullet_proof(*value, blinding, self.secret()?, self.secret()?, None, None).ok()?;
        Some((commitment, proof))
    }

    fn verify(&self, (commitment, proof): &Self::Proof) -> bool {
        self.context.verify_bullet_proof(*commitment, *proof, None).is_ok()
    }

    fn size(&self, (_, proof): &Self::Proof) -> usize {
        proof.plen
    }

    fn misattributed(&self, (_, proof): &Self::Proof, (commitment, _): &Self::Proof) -> Self::Proof {
        (*commitment, *proof)
    }

    fn batch(&self, proofs: &[Self::Proof]) -> Option<Self::Batch> {
        Some(proofs.iter().copied().unzip())
    }

    fn verify_batch(&self, (commitments, proofs): Self::Batch) -> bool {
        self.context.verify_bullet_proof_multi(commitments, proofs, None).is_ok()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    measure::run(&Grin { context: Secp256k1::with_caps(ContextFlag::Commit) })
}
