//! Every fuzz target on its corpus, on bytes of the corpus cut and changed, and on noise: what `make fuzz` searches for hours
//! stays found. A failure is a panic of the engine, or an answer that is not the only one allowed.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

use targets::TARGETS;
use tradeveil_native::transcript::{DuplexSponge, derive_session_id};

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(directory).expect("a corpus").map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn corpora() {
    for (name, target) in TARGETS {
        let seeds = corpus(name);
        assert!(!seeds.is_empty(), "{name} has a corpus");
        seeds.iter().for_each(|seed| target(seed));
    }
}

#[test]
fn what_is_cut_changed_or_noise() {
    for (name, target) in TARGETS {
        let mut random = DuplexSponge::new(&derive_session_id(name.as_bytes()));
        let mut below = |bound: usize| u32::from_le_bytes(random.squeeze()) as usize % bound;
        for seed in corpus(name).into_iter().chain([vec![]]).take(12) {
            target(&seed[..below(seed.len() + 1)]);
            let mut changed = seed.clone();
            if !seed.is_empty() {
                changed[below(seed.len())] ^= 1 << below(8);
            }
            target(&changed);
            target(&(0..below(400)).map(|_| below(256) as u8).collect::<Vec<_>>());
        }
    }
}
