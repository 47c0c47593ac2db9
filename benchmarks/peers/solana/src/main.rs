//! Bulletproofs over ristretto255, by the Solana project: dalek's, rewritten. Verifies proofs one by one only; what it calls a
//! batch is one proof over several values.

use std::error::Error;

use measure::Peer;
use solana_zk_elgamal_proof_interface::proof_data::{BatchedRangeProofU64Data, BatchedRangeProofU128Data};
use solana_zk_sdk::encryption::pedersen::Pedersen;
use solana_zk_sdk::zk_elgamal_proof_program::{
    VerifyZkProof, build_batched_range_proof_u64_data, build_batched_range_proof_u128_data,
};

struct Solana;

/// The library has a type for each total of bits.
#[derive(Clone)]
enum Proof {
    Single(BatchedRangeProofU64Data),
    Double(BatchedRangeProofU128Data),
}

impl Peer for Solana {
    type Proof = Proof;
    type Batch = ();

    fn prove(&self, values: &[u64]) -> Option<Self::Proof> {
        let (commitments, openings): (Vec<_>, Vec<_>) = values.iter().map(|value| Pedersen::new(*value)).unzip();
        let (commitments, openings) = (commitments.iter().collect(), openings.iter().collect());
        let (values, bits) = (values.to_vec(), vec![64; values.len()]);
        match values.len() {
            1 => build_batched_range_proof_u64_data(commitments, values, bits, openings).ok().map(Proof::Single),
            2 => build_batched_range_proof_u128_data(commitments, values, bits, openings).ok().map(Proof::Double),
            _ => None,
        }
    }

    fn verify(&self, proof: &Self::Proof) -> bool {
        match proof {
            Proof::Single(data) => data.verify_proof().is_ok(),
            Proof::Double(data) => data.verify_proof().is_ok(),
        }
    }

    fn size(&self, proof: &Self::Proof) -> usize {
        match proof {
            Proof::Single(data) => size_of_val(&data.proof),
            Proof::Double(data) => size_of_val(&data.proof),
        }
    }

    fn misattributed(&self, proof: &Self::Proof, other: &Self::Proof) -> Self::Proof {
        match (proof, other) {
            (Proof::Single(proof), Proof::Single(other)) => {
                Proof::Single(BatchedRangeProofU64Data { context: other.context, ..*proof })
            }
            (Proof::Double(proof), Proof::Double(other)) => {
                Proof::Double(BatchedRangeProofU128Data { context: other.context, ..*proof })
            }
            _ => unreachable!("the measurement compares proofs over equally many values"),
        }
    }

    fn batch(&self, _: &[Self::Proof]) -> Option<Self::Batch> {
        None
    }

    fn verify_batch(&self, (): Self::Batch) -> bool {
        false
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    measure::run(&Solana)
}
