//! How long the public arithmetic takes on this machine: `cargo run --release --example arithmetic`.
use std::time::Instant;

use k256::{ProjectivePoint, Scalar};
use tradeveil_native::arithmetic::{FixedPoints, Point, decode_points, fold, msm};
use tradeveil_native::lanes::{CpuPath, field_costs};
use tradeveil_native::secret::{combine, products};

fn best(mut action: impl FnMut()) -> f64 {
    (0..7)
        .map(|_| {
            let start = Instant::now();
            action();
            start.elapsed().as_secs_f64() * 1e6
        })
        .fold(f64::INFINITY, f64::min)
}

fn main() {
    let step = ProjectivePoint::GENERATOR * Scalar::from(0x1234_5678_9ABC_DEF1u64);
    let mut current = ProjectivePoint::GENERATOR;
    let projective: Vec<_> = (0..16_384)
        .map(|_| {
            current += step;
            current
        })
        .collect();
    let points = Point::from_projectives(&projective);
    let mut scalar = Scalar::from(3u64);
    let scalars: Vec<_> = (0..16_384u64)
        .map(|i| {
            scalar = scalar * scalar + Scalar::from(i);
            scalar
        })
        .collect();
    let encoded: Vec<_> = points.iter().map(|point| point.encode().unwrap()).collect();
    for path in CpuPath::available() {
        path.take();
        let [multiplication, squaring, root] = field_costs();
        println!("{}: multiplication {multiplication:.1} ns, squaring {squaring:.1} ns, root {root:.0} ns", path.name());
        for size in [2, 8, 16, 17, 24, 32, 48, 64, 128, 146, 256, 1024, 4096, 16_384] {
            let time = best(|| {
                msm(&scalars[..size], &points[..size]);
            });
            println!("  msm of {size}: {time:.1} µs, {:.3} µs a point", time / size as f64);
        }
        for size in [130, 258] {
            let mut made = None;
            let making = best(|| made = Some(FixedPoints::new(&points[..size])));
            let fixed = made.expect("it was made");
            let time = best(|| {
                fixed.msm(&scalars[..size]);
            });
            println!(
                "  msm of {size} fixed points: {time:.1} µs, {:.3} µs a point; made in {making:.0} µs",
                time / size as f64
            );
        }
        for size in [1, 8, 258] {
            let time = best(|| {
                products(&scalars[..size], &points[..size]);
            });
            println!(
                "  {size} secret products: {time:.1} µs; sum {:.1} µs",
                best(|| {
                    combine(&scalars[..size], &points[..size]);
                })
            );
        }
        for parts in [2, 4, 8] {
            println!(
                "  fold 128 points by {parts}: {:.1} µs",
                best(|| {
                    fold(&points[..128], &scalars[..parts]);
                })
            );
        }
        for size in [1, 32, 1024] {
            let time = best(|| {
                decode_points(&encoded[..size]).unwrap();
            });
            println!("  decode {size}: {:.3} µs a point", time / size as f64);
        }
    }
}
