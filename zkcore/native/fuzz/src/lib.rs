//! What each fuzz target does with its bytes. `tests/hostile.rs` of the engine runs the same functions on the corpora.
//!
//! A failure is a panic: of the engine itself, or here, where its answer is not that of k256 or not the only one allowed.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::sync::LazyLock;

use k256::elliptic_curve::PrimeField;
use k256::elliptic_curve::ops::Reduce;
use k256::elliptic_curve::sec1::{FromSec1Point, Sec1Point};
use k256::{AffinePoint, ProjectivePoint, Scalar, Secp256k1, U256};
use tradeveil_native::Code;
use tradeveil_native::arithmetic::{Point, decode_points, fold, msm, msm_threaded};
use tradeveil_native::context::{Context, Fields};
use tradeveil_native::generators::Generators;
use tradeveil_native::relations::{Equation, LinearRelation};
use tradeveil_native::scalars::{decode_scalar, encode_scalar};
use tradeveil_native::secret::logarithm::{Search, Table};
use tradeveil_native::secret::{combine, products};
use tradeveil_native::statements::ALL;
use tradeveil_native::verifying::batch::{Claim, verify};

/// A target's name and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 8] = [
    ("points", points),
    ("scalars", scalars),
    ("sums", sums),
    ("contexts", contexts),
    ("relations", relations),
    ("proofs", proofs),
    ("claims", claims),
    ("tables", tables),
];

static GENERATORS: LazyLock<Generators> = LazyLock::new(common::generators);
static ACCEPTED: LazyLock<Vec<Claim>> = LazyLock::new(|| common::claims::accepted(&GENERATORS));

/// Bytes that choose what happens; zeros when they are used up.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    fn below(&mut self, bound: usize) -> usize {
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) % bound
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn bytes(&mut self, most: usize) -> &'a [u8] {
        let size = self.below(most + 1).min(self.0.len());
        self.0.split_off(..size).expect("no more than there are")
    }

    fn rest(self) -> &'a [u8] {
        self.0
    }

    /// A scalar of those that go wrong most easily, or any.
    fn scalar(&mut self) -> Scalar {
        match self.byte() {
            0..50 => Scalar::from(u64::from(self.byte())),
            50..100 => -Scalar::from(u64::from(self.byte())),
            100..160 => Scalar::from(1u128 << 127) + Scalar::from(u64::from(self.byte())),
            _ => {
                let mut bytes = [0; 32];
                bytes.iter_mut().for_each(|byte| *byte = self.byte());
                Scalar::reduce(&U256::from_be_slice(&bytes))
            }
        }
    }

    /// A small multiple of G, so that equal and inverse points and the identity come up.
    fn point(&mut self) -> Point {
        let multiple = ProjectivePoint::GENERATOR * Scalar::from(u64::from(self.byte() & 15));
        Point::from_projective(&if self.byte() & 1 == 1 { -multiple } else { multiple })
    }
}

/// Encodings of points, 33 bytes each: accepted exactly when k256 does, and the point is the same.
pub fn points(data: &[u8]) {
    let (encoded, _) = data.as_chunks::<33>();
    let expected: Vec<Option<Point>> = encoded
        .iter()
        .map(|bytes| {
            let compressed = Sec1Point::<Secp256k1>::from_bytes(bytes).ok().filter(|point| point.is_compressed())?;
            let affine = AffinePoint::from_sec1_point(&compressed).into_option()?;
            Some(Point::from_projective(&affine.into()))
        })
        .collect();
    for (bytes, expected) in encoded.iter().zip(&expected) {
        let decoded = decode_points(std::slice::from_ref(bytes));
        assert_eq!(decoded.as_ref().ok().map(|points| points[0]), *expected);
        if let Ok(points) = decoded {
            assert_eq!(points[0].encode().unwrap(), *bytes);
        }
    }
    match decode_points(encoded) {
        Ok(points) => assert_eq!(points.into_iter().map(Some).collect::<Vec<_>>(), expected),
        Err((index, error)) => {
            assert_eq!(error.code, Code::Point);
            assert!(expected[index].is_none());
        }
    }
}

/// Encodings of scalars: canonical ones alone.
pub fn scalars(data: &[u8]) {
    let decoded = decode_scalar(data);
    let expected = <[u8; 32]>::try_from(data).ok().and_then(|bytes| Scalar::from_repr(bytes.into()).into_option());
    assert_eq!(decoded.as_ref().ok(), expected.as_ref());
    if let Ok(scalar) = decoded {
        assert_eq!(encode_scalar(&scalar), *data);
    }
}

/// Sums of an attacker's choice, each way there is, against k256.
pub fn sums(data: &[u8]) {
    let mut choices = Choices(data);
    let copies = 1 + choices.below(40); // so that few bytes make many terms
    let (mut factors, mut elements) = (Vec::new(), Vec::new());
    while !choices.is_empty() && factors.len() < 24 {
        factors.push(choices.scalar());
        elements.push(choices.point());
    }
    let each: Vec<_> = factors.iter().zip(&elements).map(|(factor, element)| element.to_projective() * factor).collect();
    let sum: ProjectivePoint = each.iter().sum();
    assert!(products(&factors, &elements) == each);
    assert!(combine(&factors, &elements) == sum);
    if !factors.is_empty() {
        assert_eq!(fold(&elements, &factors), [Point::from_projective(&sum)]);
    }
    let (factors, elements) = (factors.repeat(copies), elements.repeat(copies));
    let sum = Point::from_projective(&(sum * Scalar::from(copies as u64)));
    assert_eq!(msm(&factors, &elements), sum);
    assert_eq!(msm_threaded(&factors, &elements, 2), sum);
}

/// Contexts of any content: a tag, or a refusal.
pub fn contexts(data: &[u8]) {
    let mut choices = Choices(data);
    let words = std::array::from_fn::<_, 3, _>(|_| String::from_utf8_lossy(choices.bytes(120)).into_owned());
    let mut identifier = || if choices.byte() & 1 == 1 { choices.bytes(40).to_vec() } else { vec![choices.byte(); 32] };
    let (document, head, draw, payload) = (identifier(), identifier(), identifier(), identifier());
    let known = ALL[choices.below(ALL.len())];
    let statement = if choices.byte() & 1 == 1 { known.name } else { &words[1] };
    let fields = Fields {
        origin: &words[0],
        statement,
        document: &document,
        head: &head,
        draw: &draw,
        currency: &words[2],
        epoch: u64::from(choices.byte()) << (choices.byte() % 64),
        payload: &payload,
    };
    match Context::new(&fields) {
        Ok(context) => {
            let _ = known.check_context(&context);
            match (context.tag(&GENERATORS), context.session_id(&GENERATORS)) {
                (Ok(tag), Ok(_)) => assert!(tag.starts_with(b"TRADEVEIL-V01-")),
                (Err(error), Err(again)) => assert_eq!((error.code, &again), (Code::Encoding, &error)),
                _ => panic!("a session id is that of the tag"),
            }
        }
        Err(error) => assert_eq!(error.code, Code::Context),
    }
}

/// Instances of any shape: refused, or serialized and of the size that a proof of theirs has; never a proof of none.
pub fn relations(data: &[u8]) {
    let mut choices = Choices(data);
    let mut elements: Vec<_> = (0..choices.below(6)).map(|_| choices.point()).collect();
    if choices.below(4) != 0 {
        elements.insert(0, Point::GENERATOR); // which an instance needs
    }
    let index = |choices: &mut Choices| match choices.byte() {
        255 => u32::MAX,
        byte => u32::from(byte % 8),
    };
    let equations = (0..choices.below(4))
        .map(|_| Equation {
            image: (0..choices.below(4)).map(|_| (index(&mut choices), choices.scalar())).collect(),
            terms: (0..choices.below(5)).map(|_| (index(&mut choices), index(&mut choices), choices.scalar())).collect(),
        })
        .collect();
    let relation = LinearRelation { elements, equations };
    let valid = relation.validate();
    if valid.is_ok() {
        assert!(relation.serialized().is_ok());
        assert_eq!(relation.proof_size(), 33 * relation.equations.len() + 32 * relation.scalar_count());
    }
    let claim = Claim::Sigma { session_id: [1; 32], relation, proof: choices.rest().to_vec() };
    let refused = verify(&GENERATORS, &[claim], 1).unwrap_err();
    if let Err(error) = valid {
        assert!([error.code, Code::Length].contains(&refused[0].1.code));
    }
}

/// Anything in place of a proof: refused.
pub fn proofs(data: &[u8]) {
    let mut choices = Choices(data);
    let mut claim = ACCEPTED[choices.below(ACCEPTED.len())].clone();
    let (Claim::Sigma { proof, .. } | Claim::Range { proof, .. }) = &mut claim;
    let genuine = proof.clone();
    // Some of the genuine one may stand before and after what was sent.
    let (before, after) = (choices.below(genuine.len() + 1), choices.below(genuine.len() + 1));
    *proof = [&genuine[..before], choices.rest(), &genuine[after..]].concat();
    let holds = *proof == genuine;
    assert_eq!(verify(&GENERATORS, &[claim], 1).is_ok(), holds);
}

/// Genuine claims, some of them changed somewhere: exactly those are refused.
pub fn claims(data: &[u8]) {
    let mut choices = Choices(data);
    let threads = 1 + choices.below(2);
    let (mut claims, mut changed) = (Vec::new(), Vec::new());
    while claims.len() < 12 && (claims.is_empty() || !choices.is_empty()) {
        let mut claim = ACCEPTED[choices.below(ACCEPTED.len())].clone();
        if choices.byte() & 1 == 1 && change(&mut claim, &mut choices) {
            changed.push(claims.len());
        }
        claims.push(claim);
    }
    let refused = verify(&GENERATORS, &claims, threads).err().unwrap_or_default();
    assert_eq!(refused.into_iter().map(|(index, _)| index).collect::<Vec<_>>(), changed);
}

/// Change one byte or one element of a claim; says whether it is another one now.
fn change(claim: &mut Claim, choices: &mut Choices) -> bool {
    let (place, mask) = (choices.below(1 << 16), choices.byte());
    let element = choices.point();
    match claim {
        Claim::Sigma { session_id, proof, .. } | Claim::Range { session_id, proof, .. } if place % 4 != 0 => {
            let place = place / 4 % (proof.len() + session_id.len());
            match proof.get_mut(place) {
                Some(byte) => *byte ^= mask,
                None => session_id[place - proof.len()] ^= mask,
            }
            mask != 0
        }
        Claim::Sigma { relation: LinearRelation { elements, .. }, .. } | Claim::Range { values: elements, .. } => {
            let place = place / 4 % elements.len();
            std::mem::replace(&mut elements[place], element) != element
        }
    }
}

/// Tables of logarithms as they might lie on a disk: refused, or the very bytes that the table gives.
pub fn tables(data: &[u8]) {
    static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| Table::new(4).unwrap().to_bytes());
    if let Ok(table) = Table::from_bytes(data) {
        assert_eq!(table.to_bytes(), data);
        let mut search = Search::new(&table, ProjectivePoint::GENERATOR * Scalar::from(99u64), 100);
        while let Ok(None) = search.step() {}
    }
    let mut choices = Choices(data);
    let mut changed = WHOLE.clone();
    for _ in 0..=choices.below(3) {
        let place = choices.below(changed.len());
        changed[place] ^= choices.byte();
    }
    changed.truncate(changed.len() - choices.below(4).min(changed.len()));
    changed.extend_from_slice(choices.bytes(4));
    assert_eq!(Table::from_bytes(&changed).is_ok(), changed == *WHOLE);
}
