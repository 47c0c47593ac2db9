//! The project's vectors of statements, range proofs and openings, proven again: the same bytes from the same seeds.
//!
//! A failure would be: another byte than a vector has, a proof of what the witness does not satisfy, a panic on hostile input.

mod common;

use common::{bytes, generators, points, text, vectors};
use serde_json::Value;
use tradeveil_native::Code;
use tradeveil_native::arithmetic::Point;
use tradeveil_native::generators::Generators;
use tradeveil_native::relations::LinearRelation;
use tradeveil_native::scalars::{Scalar, decode_scalar};
use tradeveil_native::secret::{opening, range_proof, sigma};
use tradeveil_native::statements::Statement;
use tradeveil_native::transcript::{DuplexSponge, derive_session_id};
use tradeveil_native::verifying::batch::{Claim, verify};

/// `SeededRandomness` of zkcore/randomness.py.
fn seeded(seed: &[u8], size: usize) -> Vec<u8> {
    let tag = [b"TRADEVEIL-TEST-RANDOMNESS", seed].concat();
    let mut out = vec![0; size];
    DuplexSponge::new(&derive_session_id(&tag)).squeeze_into(&mut out);
    out
}

fn scalar(hex: &Value) -> Scalar {
    decode_scalar(&bytes(text(hex))).unwrap()
}

fn session_id(vector: &Value) -> [u8; 32] {
    bytes(text(&vector["session_id"])).try_into().unwrap()
}

fn accepts(name: &str) -> Vec<Value> {
    vectors(name)["accept"].as_array().unwrap().clone()
}

/// The instance and the witness of a vector, in the statement's order.
fn instance(generators: &Generators, vector: &Value) -> (LinearRelation, Vec<Scalar>) {
    let statement = Statement::by_name(text(&vector["statement"])).unwrap();
    let elements = vector["elements"].as_object().unwrap();
    let named: Vec<_> = elements.keys().map(String::as_str).zip(points(elements.values()).unwrap()).collect();
    let witness = statement.scalars.iter().map(|name| scalar(&vector["witness"][*name])).collect();
    (statement.instance(generators, &named).unwrap(), witness)
}

fn openings(vector: &Value) -> Vec<(u64, Scalar)> {
    let items = vector["openings"].as_array().unwrap();
    items.iter().map(|item| (item["value"].as_u64().unwrap(), scalar(&item["blinding"]))).collect()
}

#[test]
fn statements() {
    let generators = generators();
    for vector in accepts("statements.json") {
        let (relation, witness) = instance(&generators, &vector);
        let nonces = seeded(&bytes(text(&vector["seed"])), sigma::random_size(&relation));
        let proof = sigma::prove_batchable(&session_id(&vector), &relation, &witness, &nonces).unwrap();
        assert_eq!(proof, bytes(text(&vector["proof"])), "{}", vector["id"]);
    }
}

#[test]
fn ranges() {
    let generators = generators();
    for vector in accepts("ranges.json") {
        let (openings, bits) = (openings(&vector), vector["bits"].as_u64().unwrap() as u32);
        let values: Vec<_> = openings.iter().map(|(value, blinding)| opening::commit(&generators, *value, blinding)).collect();
        assert_eq!(values, points(vector["values"].as_array().unwrap().iter()).unwrap());
        let random = seeded(&bytes(text(&vector["seed"])), range_proof::random_size(bits, openings.len()).unwrap());
        let proof = range_proof::prove(&generators, &session_id(&vector), &openings, bits, &random).unwrap();
        assert_eq!(proof, bytes(text(&vector["proof"])), "{}", vector["id"]);
    }
}

#[test]
fn openings_and_view_keys() {
    let generators = generators();
    for vector in accepts("openings.json") {
        let (amount, blinding) = (vector["amount"].as_u64().unwrap(), scalar(&vector["blinding"]));
        let names = ["P_owner", "P_regulator", "C", "D_owner", "D_regulator"];
        let [owner, regulator, c, d_owner, d_regulator] =
            points(names.iter().map(|name| &vector[*name])).unwrap().try_into().unwrap();
        let made = opening::handled_commitment(&generators, amount, &blinding, &owner, &regulator);
        assert_eq!(made, [c, d_owner, d_regulator]);
        opening::check_openings(&generators, &[(c, amount, blinding)]).unwrap();
        for (reader, handle) in [("owner_secret", d_owner), ("regulator_secret", d_regulator)] {
            let secret = scalar(&vector[reader]);
            let opened = Point::from_projectives(&opening::amount_points(&secret, &[(c, handle)]));
            let expected = bytes(text(&vector["amount_point"]));
            assert_eq!(opened[0].encode().map_or(vec![], Vec::from), expected);
            opening::check_amounts(&generators, &secret, &[(c, handle, amount)]).unwrap();
            let (index, refused) =
                opening::check_amounts(&generators, &secret, &[(c, handle, amount), (c, handle, amount + 1)]).unwrap_err();
            assert_eq!((index, refused.code), (1, Code::Opening));
        }
    }
}

#[test]
fn openings_that_do_not_match_are_named() {
    let generators = generators();
    let right = |i: u64| (opening::commit(&generators, i, &Scalar::from(i + 7)), i, Scalar::from(i + 7));
    let mut openings: Vec<_> = (0..20).map(right).collect();
    opening::check_openings(&generators, &openings).unwrap();
    opening::check_openings(&generators, &[]).unwrap();
    (openings[11].1, openings[13].2) = (12, Scalar::ONE);
    let (index, refused) = opening::check_openings(&generators, &openings).unwrap_err();
    assert_eq!((index, refused.code), (11, Code::Opening));
    // The opening (0, 0) is that of the identity.
    opening::check_openings(&generators, &[(Point::IDENTITY, 0, Scalar::ZERO)]).unwrap();
    assert!(opening::check_openings(&generators, &[(generators.g, 0, Scalar::ZERO)]).is_err());
}

#[test]
fn a_false_statement_is_not_proven() {
    let generators = generators();
    for vector in accepts("statements.json") {
        let (relation, witness) = instance(&generators, &vector);
        let nonces = seeded(b"nonces", sigma::random_size(&relation));
        let refusal =
            |witness: &[Scalar], nonces: &[u8]| sigma::prove_batchable(&[7; 32], &relation, witness, nonces).unwrap_err().code;
        for index in 0..witness.len() {
            let mut other = witness.clone();
            other[index] += Scalar::ONE;
            assert_eq!(refusal(&other, &nonces), Code::Witness);
        }
        assert_eq!(refusal(&witness[1..], &nonces), Code::Witness);
        assert_eq!(refusal(&[&witness[..], &[Scalar::ONE]].concat(), &nonces), Code::Witness);
        assert_eq!(refusal(&witness, &nonces[1..]), Code::Length);
        assert_eq!(refusal(&witness, &vec![0; nonces.len()]), Code::Identity);
    }
}

#[test]
fn instances_are_validated_before_anything_is_proven() {
    let generators = generators();
    let (relation, witness) = instance(&generators, &accepts("statements.json")[0]);
    let nonces = seeded(b"nonces", sigma::random_size(&relation));
    let mut identity = relation.clone();
    *identity.elements.last_mut().unwrap() = Point::IDENTITY;
    let mut unused = relation.clone();
    unused.elements.push(generators.h);
    for (bad, code) in [(identity, Code::Identity), (unused, Code::Instance)] {
        assert_eq!(sigma::prove_batchable(&[7; 32], &bad, &witness, &nonces).unwrap_err().code, code);
    }
}

#[test]
fn ranges_that_are_refused() {
    let generators = generators();
    let one = Scalar::ONE;
    let refusal = |generators: &Generators, openings: &[(u64, Scalar)], bits: u32, random: &[u8]| {
        range_proof::prove(generators, &[7; 32], openings, bits, random).unwrap_err().code
    };
    let random = seeded(b"random", range_proof::random_size(8, 1).unwrap());
    for (openings, bits, code) in [
        (vec![], 64, Code::Encoding),
        (vec![(1, one); 3], 64, Code::Encoding),
        (vec![(1, one)], 0, Code::Encoding),
        (vec![(1, one)], 65, Code::Encoding),
        (vec![(256, one)], 8, Code::Witness),
        (vec![(0, one), (u64::MAX, one)], 8, Code::Witness),
        (vec![(1, one)], 64, Code::Length),
        (vec![(0, Scalar::ZERO)], 8, Code::Identity),
    ] {
        assert_eq!(refusal(&generators, &openings, bits, &random), code);
    }
    assert_eq!(refusal(&generators, &[(1, one)], 8, &random[1..]), Code::Length);
    let mut few = generators.clone();
    few.g_vector.truncate(7);
    few.h_vector.truncate(7);
    assert_eq!(refusal(&few, &[(1, one)], 8, &random), Code::Engine);
}

#[test]
fn every_size_verifies() {
    let generators = generators();
    let mut claims = vec![];
    for (bits, count) in [8, 16, 32, 64].iter().flat_map(|bits| [1, 2, 4, 8].map(|count| (*bits, count))) {
        let openings: Vec<_> =
            (0..count as u64).map(|i| (u64::MAX >> (64 - bits) >> i, Scalar::from(i) - Scalar::ONE)).collect();
        let random = seeded(&[bits as u8, count as u8], range_proof::random_size(bits, count).unwrap());
        let proof = range_proof::prove(&generators, &[7; 32], &openings, bits, &random).unwrap();
        let values = openings.iter().map(|(value, blinding)| opening::commit(&generators, *value, blinding)).collect();
        claims.push(Claim::Range { session_id: [7; 32], values, bits, proof });
    }
    verify(&generators, &claims, 1).unwrap();
}
