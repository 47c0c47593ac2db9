//! No leak of a secret through time is to be seen in proving, committing and opening, and one is seen in a product that leaks.
//!
//! The method is dudect's (Reparaz, Balasch, Verbauwhede 2017): the same function on a fixed secret and on random ones, in random
//! order, and Welch's t-test between the two sets of times, with the slowest cropped at several levels, since noise lies there.
//! A t beyond the bound is measured again with fresh inputs: a leak stays, noise does not.
//!
//! `TRADEVEIL_TIMINGS=N` multiplies the measurements: without it gross leaks are seen, in a run of some minutes finer ones. With
//! the feature `leaky`, which makes one product and one conversion branch on their secrets, the test demands that these are seen,
//! and nothing else but what ends in such a conversion.

mod common;

use std::hint::black_box;
use std::time::Instant;

use common::generators;
use tradeveil_native::arithmetic::Point;
use tradeveil_native::generators::Generators;
use tradeveil_native::lanes::CpuPath;
use tradeveil_native::relations::LinearRelation;
use tradeveil_native::scalars::Scalar;
use tradeveil_native::secret::{combine, opening, products, range_proof, sigma};
use tradeveil_native::statements::DRAW;
use tradeveil_native::transcript::{DuplexSponge, decode_uint, derive_session_id};

/// Beyond it a difference is no chance (dudect's own bound), when it is seen again and again.
const BOUND: f64 = 4.5;
const ATTEMPTS: usize = 4;
/// The parts of all times that are looked at, the fastest of them.
const CROPS: [f64; 6] = [1.0, 0.95, 0.9, 0.75, 0.5, 0.25];
const WARM_UP: usize = 20;
const SESSION: [u8; 32] = [7; 32];

/// Random values that nobody needs to guess wrong.
struct Random(DuplexSponge);

impl Random {
    fn new(seed: usize) -> Self {
        Self(DuplexSponge::new(&derive_session_id(&seed.to_le_bytes())))
    }

    fn bytes(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        self.0.squeeze_into(&mut bytes);
        bytes
    }

    fn coin(&mut self) -> bool {
        self.0.squeeze::<1>()[0] & 1 == 1
    }

    fn amount(&mut self) -> u64 {
        u64::from_le_bytes(self.0.squeeze())
    }

    fn scalar(&mut self) -> Scalar {
        decode_uint(&self.0.squeeze())
    }

    /// `count` scalars: the same small ones each time, or random ones.
    fn scalars(&mut self, fixed: bool, count: usize) -> Vec<Scalar> {
        (0..count).map(|_| if fixed { Scalar::ONE } else { self.scalar() }).collect()
    }
}

/// The largest |t| of Welch's test between the times of the fixed secret (`true`) and those of random ones, over all crops.
fn statistic(times: &[(bool, f64)]) -> f64 {
    let mut sorted: Vec<f64> = times.iter().map(|(_, time)| *time).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let t = |most: f64| {
        let moments = |class: bool| {
            let own = || times.iter().filter(|(of, time)| *of == class && *time <= most).map(|(_, time)| *time);
            let count = own().count() as f64;
            let mean = own().sum::<f64>() / count;
            (mean, own().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0) / count)
        };
        let ((mean, error), (other_mean, other_error)) = (moments(true), moments(false));
        (mean - other_mean).abs() / (error + other_error).sqrt()
    };
    let crops = CROPS.iter().map(|part| t(sorted[((sorted.len() - 1) as f64 * part) as usize]));
    // A class of which a crop leaves nothing has no mean; then the larger crops tell.
    crops.filter(|t| t.is_finite()).fold(0.0, f64::max)
}

/// The functions whose time depends on a secret.
struct Leaks {
    names: Vec<&'static str>,
    /// Multiplies every number of measurements.
    factor: usize,
}

impl Leaks {
    fn new() -> Self {
        let factor =
            std::env::var("TRADEVEIL_TIMINGS").map_or(1, |value| value.parse().expect("TRADEVEIL_TIMINGS is a number"));
        Self { names: Vec::new(), factor }
    }

    /// Note the name if the time of `run` depends on whether `make` made its input for a fixed secret (`true`) or a random one.
    fn look<I, O>(&mut self, name: &'static str, count: usize, make: impl Fn(bool, &mut Random) -> I, run: impl Fn(&I) -> O) {
        for attempt in 0..ATTEMPTS {
            let mut random = Random::new(attempt);
            // All inputs are made before anything is measured: to make a fixed one takes less than to make a random one, and what
            // that leaves in the caches would show.
            let inputs: Vec<_> = (0..WARM_UP + count * self.factor)
                .map(|_| {
                    let fixed = random.coin();
                    (fixed, make(fixed, &mut random))
                })
                .collect();
            let times = inputs.iter().map(|(fixed, input)| {
                let start = Instant::now();
                black_box(run(black_box(input)));
                (*fixed, start.elapsed().as_nanos() as f64)
            });
            let times: Vec<_> = times.skip(WARM_UP).collect();
            let t = statistic(&times);
            println!("{name}, {}, {} measurements: |t| = {t:.1}", CpuPath::current().name(), times.len());
            if t < BOUND {
                return;
            }
        }
        self.names.push(name);
    }
}

fn draw(generators: &Generators, fixed: bool, random: &mut Random) -> (LinearRelation, Vec<Scalar>, Vec<u8>) {
    let readers = products(&random.scalars(false, 2), &[Point::GENERATOR; 2]);
    let readers = Point::from_projectives(&readers);
    let amount = if fixed { 0 } else { random.amount() };
    let [blinding, key] = random.scalars(fixed, 2).try_into().unwrap();
    let [c, d_owner, d_regulator] = opening::handled_commitment(generators, amount, &blinding, &readers[0], &readers[1]);
    let k = Point::from_projective(&combine(&[key], &[Point::GENERATOR]));
    let names = ["C", "D_owner", "P_owner", "D_regulator", "P_regulator", "K"];
    let named: Vec<_> = names.into_iter().zip([c, d_owner, readers[0], d_regulator, readers[1], k]).collect();
    let relation = DRAW.instance(generators, &named).unwrap();
    let nonces = random.bytes(sigma::random_size(&relation));
    (relation, vec![Scalar::from(amount), blinding, key], nonces)
}

/// The names of what leaks.
fn leaking() -> Vec<&'static str> {
    let generators = generators();
    let amount_of = |fixed: bool, random: &mut Random| if fixed { 0 } else { random.amount() };
    let mut leaks = Leaks::new();
    leaks.look(
        "sums",
        800,
        // The fixed sum is the identity, which has a form of its own.
        |fixed, random| if fixed { vec![Scalar::ZERO; 8] } else { random.scalars(false, 8) },
        |scalars| combine(scalars, &generators.g_vector[..8]),
    );
    let points = Point::from_projectives(&products(&Random::new(0).scalars(false, 64), &[Point::GENERATOR; 64]));
    leaks.look(
        "conversions",
        1500,
        // A product that is the identity is that of an amount of 0. By itself, since it is short beside the product.
        |fixed, random| if fixed { Point::IDENTITY } else { points[random.bytes(1)[0] as usize % points.len()] },
        |point| (0..16).map(|_| black_box(point).to_projective_secret()).collect::<Vec<_>>(),
    );
    leaks.look(
        "commitments",
        1500,
        |fixed, random| (amount_of(fixed, random), random.scalars(fixed, 1)[0]),
        |(amount, blinding)| opening::commit(&generators, *amount, blinding),
    );
    let pair = (generators.g_vector[0], generators.h_vector[0]);
    leaks.look("openings", 1500, |fixed, random| random.scalars(fixed, 1)[0], |secret| opening::amount_points(secret, &[pair]));
    leaks.look(
        "sigma proofs",
        400,
        |fixed, random| draw(&generators, fixed, random),
        |(relation, witness, nonces)| sigma::prove_batchable(&SESSION, relation, witness, nonces).unwrap(),
    );
    leaks.look(
        "range proofs",
        300,
        |fixed, random| {
            let openings = [(amount_of(fixed, random) >> 48, random.scalars(fixed, 1)[0])];
            (openings, random.bytes(range_proof::random_size(16, 1).unwrap()))
        },
        |(openings, masks)| range_proof::evaluate(&generators, &SESSION, openings, 16, masks).unwrap(),
    );
    leaks.names
}

#[test]
#[cfg(not(feature = "leaky"))]
fn nothing_leaks() {
    for path in CpuPath::available() {
        path.take();
        assert_eq!(leaking(), [""; 0], "{path:?}");
    }
}

#[test]
#[cfg(feature = "leaky")]
fn what_was_made_to_leak_is_seen() {
    for path in CpuPath::available() {
        path.take();
        let mut seen = leaking();
        // Sums and commitments end in a conversion, so that they may be seen as well, where little hides it.
        seen.retain(|name| !["sums", "commitments"].contains(name));
        assert_eq!(seen, ["conversions", "openings"], "{path:?}");
    }
}

#[test]
fn the_statistic_tells_chance_from_difference() {
    let mut random = Random::new(99);
    let mut times = |shift: f64| -> Vec<(bool, f64)> {
        (0..2000)
            .map(|_| {
                let class = random.coin();
                (class, random.bytes(4).iter().map(|byte| f64::from(*byte)).sum::<f64>() + if class { shift } else { 0.0 })
            })
            .collect()
    };
    assert!(statistic(&times(0.0)) < BOUND);
    assert!(statistic(&times(40.0)) > BOUND);
}
