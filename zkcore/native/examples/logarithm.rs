//! How long logarithms take on this machine: `cargo run --release --example logarithm`.
use std::time::Instant;

use k256::{ProjectivePoint, Scalar};
use tradeveil_native::secret::logarithm::{Search, Table};

fn main() {
    let start = Instant::now();
    let table = Table::new(22).unwrap();
    println!("table of 2^22: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    let bytes = table.to_bytes();
    println!("to {} bytes: {:.0} ms", bytes.len(), start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    Table::from_bytes(&bytes).unwrap();
    println!("and back: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    for bits in [32, 40, 44] {
        let (amount, bound) = ((1u64 << bits) - 1, (1u64 << bits) - 1);
        let point = ProjectivePoint::GENERATOR * Scalar::from(amount);
        let start = Instant::now();
        let mut search = Search::new(&table, point, bound);
        let prepared = start.elapsed();
        assert_eq!(search.run().unwrap(), amount);
        println!(
            "2^{bits} - 1: {:.2} ms, of which jumps {:.2}",
            start.elapsed().as_secs_f64() * 1e3,
            prepared.as_secs_f64() * 1e3
        );
    }
}
