//! Public arithmetic against k256, on all paths that the processor has: for honest input, and for what an adversary would send.
//!
//! A failure would be: a sum or a decoded point that differs from k256's, on any input, on any path.

use k256::elliptic_curve::PrimeField;
use k256::elliptic_curve::ops::Reduce;
use k256::{ProjectivePoint, Scalar, U256};
use proptest::prelude::*;
use tradeveil_native::arithmetic::{FixedPoints, Point, decode_points, fold, msm, msm_threaded};
use tradeveil_native::lanes::CpuPath;
use tradeveil_native::secret;

/// Runs a check on every path that this processor has. Tests run side by side and this switch is global, but all paths must give
/// one result, so that a switch in the middle of another test changes nothing that it checks.
fn on_all_paths(check: impl Fn()) {
    for path in CpuPath::available() {
        path.take();
        check();
    }
    CpuPath::take_fastest();
}

fn scalar(seed: u64) -> Scalar {
    let mut bytes = [0u8; 32];
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for chunk in bytes.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes());
    }
    Scalar::reduce(&U256::from_be_slice(&bytes))
}

fn points(count: usize) -> Vec<ProjectivePoint> {
    (0..count as u64).map(|i| ProjectivePoint::GENERATOR * scalar(i + 1000)).collect()
}

fn expected(scalars: &[Scalar], points: &[ProjectivePoint]) -> Point {
    let sum: ProjectivePoint = points.iter().zip(scalars).map(|(point, scalar)| point * scalar).sum();
    Point::from_projective(&sum)
}

fn check(scalars: &[Scalar], projective: &[ProjectivePoint]) {
    let affine = Point::from_projectives(projective);
    let wanted = expected(scalars, projective);
    on_all_paths(|| {
        assert_eq!(msm(scalars, &affine), wanted);
        assert_eq!(msm_threaded(scalars, &affine, 2), wanted);
    });
}

#[test]
fn sizes() {
    for count in [0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 100, 150, 300, 700] {
        let scalars: Vec<_> = (0..count as u64).map(scalar).collect();
        check(&scalars, &points(count));
    }
}

#[test]
fn large() {
    let count = 6000;
    let scalars: Vec<_> = (0..count as u64).map(scalar).collect();
    check(&scalars, &points(count));
}

/// Equal points, inverses and the identity, with scalars that make their sums meet in the buckets.
#[test]
fn adversarial_points() {
    let (p, q) = (ProjectivePoint::GENERATOR * scalar(1), ProjectivePoint::GENERATOR * scalar(2));
    let endomorphic = p * lambda();
    for count in [4, 40, 400] {
        let mixtures: [Vec<ProjectivePoint>; 6] = [
            vec![p; count],
            (0..count).map(|i| if i % 2 == 0 { p } else { -p }).collect(),
            (0..count).map(|i| [p, -p, ProjectivePoint::IDENTITY, q][i % 4]).collect(),
            vec![ProjectivePoint::IDENTITY; count],
            (0..count).map(|i| [p, endomorphic, -p, -endomorphic][i % 4]).collect(),
            (0..count).map(|i| p * Scalar::from(i as u64 / 2 + 1)).collect(),
        ];
        for mixture in &mixtures {
            for scalars in adversarial_scalars(count) {
                check(&scalars, mixture);
            }
        }
    }
}

fn adversarial_scalars(count: usize) -> Vec<Vec<Scalar>> {
    let two_128 = Scalar::from_u128(u128::MAX) + Scalar::ONE;
    vec![
        vec![Scalar::ZERO; count],
        vec![Scalar::ONE; count],
        vec![-Scalar::ONE; count],
        vec![scalar(7); count],
        vec![two_128; count],
        vec![two_128 - Scalar::ONE; count],
        vec![lambda(); count],
        (0..count as u64).map(|i| if i % 2 == 0 { scalar(9) } else { -scalar(9) }).collect(),
        (0..count as u64).map(|i| Scalar::from(i % 3)).collect(),
        (0..count as u64).map(scalar).collect(),
    ]
}

fn lambda() -> Scalar {
    Scalar::reduce(&U256::from_be_hex("5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72"))
}

/// Sums from multiples, with scalars that make equal points and inverses meet in the buckets.
#[test]
fn fixed_points() {
    let p = ProjectivePoint::GENERATOR * scalar(1);
    let mixture: Vec<_> = (0..40).map(|i| [p, -p, p * lambda(), p + p][i % 4]).collect();
    for fixed in [points(0), points(1), points(2), points(5), points(130), points(258), mixture] {
        let table = FixedPoints::new(&Point::from_projectives(&fixed));
        for scalars in adversarial_scalars(fixed.len()) {
            let wanted = expected(&scalars, &fixed);
            on_all_paths(|| assert_eq!(table.msm(&scalars), wanted));
        }
    }
}

/// In two parts where that is cheaper: beside few other points, and not beside many.
#[test]
fn when_fixed_points_pay() {
    let table = FixedPoints::new(&Point::from_projectives(&points(258)));
    assert_eq!((table.len(), table.is_empty()), (258, false));
    assert!(table.pay(0) && table.pay(35));
    assert!(!table.pay(10_000));
}

#[test]
fn decoding() {
    for count in [0, 1, 7, 8, 33, 100] {
        let wanted = Point::from_projectives(&points(count));
        let encoded: Vec<_> = wanted.iter().map(|point| point.encode().unwrap()).collect();
        on_all_paths(|| assert_eq!(decode_points(&encoded).unwrap(), wanted));
    }
}

#[test]
fn what_is_not_decoded() {
    let good = Point::GENERATOR.encode().unwrap();
    let x_of = |x: &str| -> [u8; 33] {
        let mut data = [2u8; 33];
        for (byte, pair) in data[1..].iter_mut().zip(x.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        data
    };
    let p = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";
    let above = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30";
    let five = "0000000000000000000000000000000000000000000000000000000000000005";
    let mut bad = vec![x_of(p), x_of(above), x_of(five), x_of(&"ff".repeat(32)), [0; 33]];
    for prefix in [0, 1, 4, 5, 6, 7, 255] {
        let mut data = good;
        data[0] = prefix;
        bad.push(data);
    }
    for data in bad {
        for position in [0, 3, 8, 40] {
            let mut list = vec![good; 41];
            list[position] = data;
            on_all_paths(|| {
                let (index, error) = decode_points(&list).unwrap_err();
                assert_eq!((index, error.code.as_str()), (position, "point"));
            });
        }
    }
}

#[test]
fn constants() {
    assert_eq!(Point::GENERATOR, Point::from_projective(&ProjectivePoint::GENERATOR));
    assert_eq!(Point::IDENTITY, Point::from_projective(&ProjectivePoint::IDENTITY));
}

#[test]
fn both_roots() {
    let good = Point::GENERATOR.encode().unwrap();
    let mut other = good;
    other[0] ^= 1;
    let negated = Point::from_projective(&-ProjectivePoint::GENERATOR);
    on_all_paths(|| assert_eq!(decode_points(&[good, other]).unwrap(), [Point::GENERATOR, negated]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Points from a small set and scalars from a mixture of small, close to the order and random ones.
    #[test]
    fn any_sum(terms in prop::collection::vec((0u64..6, 0u8..5, any::<u64>()), 0..120)) {
        let choose = |kind: u8, seed: u64| match kind {
            0 => Scalar::from(seed % 5),
            1 => -Scalar::from(seed % 5),
            2 => Scalar::from_u128(u128::from(seed) << 64),
            _ => scalar(seed),
        };
        let base = [ProjectivePoint::IDENTITY, ProjectivePoint::GENERATOR, -ProjectivePoint::GENERATOR];
        let projective: Vec<_> = terms.iter().map(|&(which, ..)| {
            base.get(which as usize).copied().unwrap_or_else(|| ProjectivePoint::GENERATOR * scalar(which))
        }).collect();
        let scalars: Vec<_> = terms.iter().map(|&(_, kind, seed)| choose(kind, seed)).collect();
        check(&scalars, &projective);
    }
}

#[test]
fn secret_sums() {
    for count in [0, 1, 2, 7, 8, 9, 17, 129] {
        let mut projective = points(count);
        if count > 2 {
            projective[1] = ProjectivePoint::IDENTITY;
            projective[2] = -projective[0];
        }
        let affine = Point::from_projectives(&projective);
        for scalars in adversarial_scalars(count) {
            let each: Vec<_> = projective.iter().zip(&scalars).map(|(point, scalar)| point * scalar).collect();
            on_all_paths(|| {
                assert_eq!(secret::products(&scalars, &affine), each);
                assert_eq!(secret::combine(&scalars, &affine), each.iter().sum::<ProjectivePoint>());
                let rows: Vec<_> = scalars.chunks(3).zip(affine.chunks(3)).map(|(s, p)| s.iter().zip(p).collect()).collect();
                let wanted: Vec<_> = each.chunks(3).map(|part| Point::from_projective(&part.iter().sum())).collect();
                assert_eq!(secret::sums(&rows), wanted);
            });
        }
    }
}

#[test]
fn folding() {
    for (count, parts) in [(1, 1), (2, 2), (8, 4), (24, 8), (40, 4)] {
        let mut projective = points(count);
        projective[count / 2] = ProjectivePoint::IDENTITY;
        let affine = Point::from_projectives(&projective);
        for weights in adversarial_scalars(parts) {
            let length = count / parts;
            let sum = |i: usize| (0..parts).map(|k| projective[k * length + i] * weights[k]).sum::<ProjectivePoint>();
            let wanted: Vec<_> = (0..length).map(|i| Point::from_projective(&sum(i))).collect();
            on_all_paths(|| assert_eq!(fold(&affine, &weights), wanted));
        }
    }
}

/// With the same points for all weights, sums of equal and of inverse points occur inside.
#[test]
fn folding_equal_points() {
    let affine = vec![Point::GENERATOR; 16];
    for weights in adversarial_scalars(4) {
        let wanted = Point::from_projective(&(ProjectivePoint::GENERATOR * weights.iter().sum::<Scalar>()));
        on_all_paths(|| assert_eq!(fold(&affine, &weights), vec![wanted; 4]));
    }
}
