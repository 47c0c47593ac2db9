//! The project's vectors of statements and range proofs: every accept holds, alone and in batches, and every reject is refused
//! with exactly its code. Batches name the false claims, all of them and no other.
//!
//! A failure would be: a reject that verifies or is refused for another reason, a false claim that hides behind others, a true
//! one that is named.

mod common;

use common::claims::{FILES, accepted};
use common::{bytes, generators, patched, text, vectors};
use tradeveil_native::verifying::batch::{Claim, verify};
use tradeveil_native::{Code, Error, statements};

fn codes(outcome: std::result::Result<(), Vec<(usize, Error)>>) -> Vec<(usize, Code)> {
    outcome.err().unwrap_or_default().into_iter().map(|(index, error)| (index, error.code)).collect()
}

#[test]
fn accepts_hold_alone_and_together() {
    let generators = generators();
    let claims = accepted(&generators);
    for claim in &claims {
        assert_eq!(verify(&generators, std::slice::from_ref(claim), 1), Ok(()));
    }
    let many: Vec<Claim> = claims.iter().cycle().take(300).cloned().collect();
    for threads in [0, 1, 2, 7] {
        assert_eq!(verify(&generators, &many, threads), Ok(()));
    }
}

#[test]
fn sessions_are_those_of_the_contexts() {
    let generators = generators();
    for (name, read) in FILES {
        for vector in vectors(name)["accept"].as_array().unwrap() {
            let (Claim::Sigma { session_id, .. } | Claim::Range { session_id, .. }) = read(&generators, vector).unwrap();
            assert_eq!(session_id, *bytes(text(&vector["session_id"])), "{}", vector["id"]);
        }
    }
}

#[test]
fn rejects_are_refused_with_their_codes() {
    let generators = generators();
    for (name, read) in FILES {
        let file = vectors(name);
        for reject in file["reject"].as_array().unwrap() {
            let code = match read(&generators, &patched(&file, reject)) {
                Err(error) => error.code,
                Ok(claim) => {
                    let failures = codes(verify(&generators, &[claim], 1));
                    assert_eq!(failures.len(), 1, "{} is refused", reject["id"]);
                    failures[0].1
                }
            };
            assert_eq!(code.as_str(), text(&reject["error"]), "{}", reject["id"]);
        }
    }
}

#[test]
fn batches_name_exactly_the_false_claims() {
    let generators = generators();
    let truths = accepted(&generators);
    let mut lies = Vec::new();
    for (name, read) in FILES {
        let file = vectors(name);
        for reject in file["reject"].as_array().unwrap().iter().step_by(41) {
            if let Ok(claim) = read(&generators, &patched(&file, reject)) {
                lies.push((claim, text(&reject["error"]).to_owned()));
            }
        }
    }
    assert!(lies.len() > 10);
    for stride in [1, 2, 5, 17] {
        let (mut claims, mut expected) = (Vec::new(), Vec::new());
        for (index, (lie, code)) in lies.iter().step_by(stride).enumerate() {
            claims.extend(truths.iter().cycle().skip(index * 7).take(index % 11).cloned());
            expected.push((claims.len(), code.as_str()));
            claims.push(lie.clone());
        }
        for threads in [1, 2] {
            let failures = codes(verify(&generators, &claims, threads));
            let failures: Vec<_> = failures.into_iter().map(|(index, code)| (index, code.as_str())).collect();
            assert_eq!(failures, expected);
        }
    }
}

#[test]
fn every_flipped_byte_is_refused() {
    let generators = generators();
    for claim in accepted(&generators).iter().step_by(5) {
        let size = match claim {
            Claim::Sigma { proof, .. } | Claim::Range { proof, .. } => proof.len(),
        };
        let flipped: Vec<Claim> = (0..size)
            .step_by(13)
            .map(|at| {
                let mut lie = claim.clone();
                let (Claim::Sigma { proof, .. } | Claim::Range { proof, .. }) = &mut lie;
                proof[at] ^= 1 << (at % 8);
                lie
            })
            .collect();
        assert_eq!(codes(verify(&generators, &flipped, 2)).len(), flipped.len());
    }
}

#[test]
fn an_empty_batch_is_refused() {
    assert_eq!(codes(verify(&generators(), &[], 1)), [(0, Code::Batch)]);
}

#[test]
fn vectors_that_were_not_given_are_asked_for() {
    let mut generators = generators();
    let claims = accepted(&generators);
    generators.g_vector.truncate(8);
    generators.h_vector.truncate(8);
    let failures = codes(verify(&generators, &claims, 1));
    assert!(!failures.is_empty() && failures.iter().all(|(_, code)| *code == Code::Engine));
}

#[test]
fn elements_are_numbered_as_they_appear() {
    assert_eq!(statements::DRAW.elements().join(" "), "G C H D_owner P_owner D_regulator P_regulator K");
    assert_eq!(statements::HEADROOM_BY_OWNER.elements().join(" "), "G H P R C E_R E_C C_left");
    assert_eq!(statements::OVERDRAWN.elements().join(" "), "G H P R E_R C_over");
    let row = &statements::HEADROOM_BY_OWNER.rows()[1];
    let minus = |element| (element, -tradeveil_native::scalars::Scalar::ONE);
    assert_eq!(row.image[1], minus(4));
    assert_eq!((row.terms[2].1, row.terms[2].2), minus(6));
}
