//! What every peer's program does: prove, show that a false proof is refused, then run on request what is asked for.
//!
//! The program answers lines. First, unasked, `{"bytes": {...}, "operations": [...]}`: sizes of its proofs, and what it can do.
//! Then, for each line `OPERATION SECONDS` on its input, `{"nanoseconds": [...]}`: how long each run took, as many runs as fit
//! into that time and at least one. It ends with its input. So whoever asks can let the peers take turns, and noise of the
//! machine hits all of them alike.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::{Duration, Instant};

use serde_json::json;

/// Numbers of proofs that are verified together.
pub const BATCHES: [usize; 4] = [1, 10, 100, 1000];

/// A library that proves that committed values lie in [0, 2^64).
pub trait Peer {
    /// Commitments, and the proof that the committed values are in range.
    type Proof: Clone;
    /// Proofs in the form in which the library takes a batch.
    type Batch;

    /// Commits to the values and proves them in range together; `None` when the library has no such aggregation.
    fn prove(&self, values: &[u64]) -> Option<Self::Proof>;

    /// Whether the library accepts the proof, in its function for a single one.
    fn verify(&self, proof: &Self::Proof) -> bool;

    /// Bytes of the proof, commitments not counted.
    fn size(&self, proof: &Self::Proof) -> usize;

    /// `proof` for the commitments of `other`: false.
    fn misattributed(&self, proof: &Self::Proof, other: &Self::Proof) -> Self::Proof;

    /// What `verify_batch` takes; `None` when the library cannot verify proofs together.
    fn batch(&self, proofs: &[Self::Proof]) -> Option<Self::Batch>;

    /// Whether the library accepts all proofs of the batch.
    fn verify_batch(&self, batch: Self::Batch) -> bool;
}

/// 32 random bytes of the operating system.
pub fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}

/// The whole program. Its one argument is the size of the largest batch to prepare.
///
/// # Errors
/// A false proof that is accepted, a true one that is refused, an unknown operation, or the error of the input or output.
pub fn run<P: Peer>(peer: &P) -> Result<(), Box<dyn Error>> {
    let most = std::env::args().nth(1).ok_or("the size of the largest batch is missing")?.parse()?;
    let bench = Bench::prepare(peer, most)?;
    bench.check()?;
    answer(&bench.describe())?;
    for line in stdin().lock().lines() {
        let line = line?;
        let (operation, seconds) = line.split_once(' ').ok_or("a request is an operation and a number of seconds")?;
        let runs = bench.measure(operation, Duration::try_from_secs_f64(seconds.parse()?)?)?;
        answer(&json!({ "nanoseconds": runs }))?;
    }
    Ok(())
}

fn answer(content: &serde_json::Value) -> Result<(), Box<dyn Error>> {
    let mut out = stdout().lock();
    writeln!(out, "{content}")?;
    Ok(out.flush()?)
}

/// Proofs ready to be verified.
struct Bench<'a, P: Peer> {
    peer: &'a P,
    single: Vec<P::Proof>,
    double: Option<P::Proof>,
    batches: Vec<usize>,
}

impl<'a, P: Peer> Bench<'a, P> {
    fn prepare(peer: &'a P, most: usize) -> Result<Self, Box<dyn Error>> {
        let first = peer.prove(&[u64::MAX]).ok_or("the peer proves nothing")?;
        let batches = match peer.batch(std::slice::from_ref(&first)) {
            Some(_) => BATCHES.into_iter().filter(|count| *count <= most).collect(),
            None => vec![],
        };
        let count = batches.iter().copied().max().unwrap_or(2).max(2);
        let rest = (1..count).map(|index| peer.prove(&[index as u64]).ok_or("the peer proves no second time"));
        let single = std::iter::once(Ok(first)).chain(rest).collect::<Result<_, _>>()?;
        Ok(Self { peer, single, double: peer.prove(&[1, u64::MAX]), batches })
    }

    /// True proofs are accepted and false ones refused, alone and as the last of each batch; otherwise no figure means anything.
    fn check(&self) -> Result<(), Box<dyn Error>> {
        let mut proofs = self.single.clone();
        let last = proofs.len() - 1;
        let false_proof = self.peer.misattributed(&proofs[last], &proofs[0]);
        if !proofs.iter().chain(&self.double).all(|proof| self.peer.verify(proof)) {
            return Err("a true proof was refused".into());
        }
        if self.peer.verify(&false_proof) {
            return Err("a false proof was accepted".into());
        }
        for count in &self.batches {
            if !self.verify_batch(&proofs[..*count]).ok_or("no batch")? {
                return Err("a batch of true proofs was refused".into());
            }
            let kept = std::mem::replace(&mut proofs[count - 1], false_proof.clone());
            if self.verify_batch(&proofs[..*count]).ok_or("no batch")? {
                return Err("a batch with a false proof was accepted".into());
            }
            proofs[count - 1] = kept;
        }
        Ok(())
    }

    fn verify_batch(&self, proofs: &[P::Proof]) -> Option<bool> {
        Some(self.peer.verify_batch(self.peer.batch(proofs)?))
    }

    fn describe(&self) -> serde_json::Value {
        let mut bytes = BTreeMap::from([("1x64", self.peer.size(&self.single[0]))]);
        let mut operations = vec!["prove-1x64".to_owned(), "verify-1x64".to_owned()];
        if let Some(double) = &self.double {
            bytes.insert("2x64", self.peer.size(double));
            operations.extend(["prove-2x64".to_owned(), "verify-2x64".to_owned()]);
        }
        operations.extend(self.batches.iter().map(|count| format!("batch-{count}")));
        json!({ "bytes": bytes, "operations": operations })
    }

    fn measure(&self, operation: &str, budget: Duration) -> Result<Vec<u64>, Box<dyn Error>> {
        let double = || self.double.as_ref().ok_or("the peer has no proof of two values");
        match operation {
            "prove-1x64" => repeat(budget, || Ok(()), |()| self.peer.prove(&[u64::MAX]).is_some()),
            "prove-2x64" => repeat(budget, || Ok(()), |()| self.peer.prove(&[1, u64::MAX]).is_some()),
            "verify-1x64" => repeat(budget, || Ok(&self.single[0]), |proof| self.peer.verify(proof)),
            "verify-2x64" => repeat(budget, double, |proof| self.peer.verify(proof)),
            _ => {
                let count: usize = operation.strip_prefix("batch-").ok_or("an unknown operation")?.parse()?;
                let proofs = self.single.get(..count).ok_or("a batch larger than was prepared")?;
                repeat(
                    budget,
                    || self.peer.batch(proofs).ok_or("the peer has no batches"),
                    |batch| self.peer.verify_batch(batch),
                )
            }
        }
    }
}

/// Nanoseconds of each run of `action`, without the time that its `input` takes to make.
fn repeat<T>(
    budget: Duration,
    input: impl Fn() -> Result<T, &'static str>,
    action: impl Fn(T) -> bool,
) -> Result<Vec<u64>, Box<dyn Error>> {
    let (begun, mut runs) = (Instant::now(), vec![]);
    while runs.is_empty() || begun.elapsed() < budget {
        let input = input()?;
        let started = Instant::now();
        let done = action(input);
        runs.push(u64::try_from(started.elapsed().as_nanos())?);
        if !done {
            return Err("a run failed".into());
        }
    }
    Ok(runs)
}
