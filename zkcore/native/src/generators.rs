//! The independent generators of the suite, and their digest. They are given from outside: Python hashes them to the curve.

use std::sync::{Arc, OnceLock};

use crate::arithmetic::{FixedPoints, Point};
use crate::transcript::{DIGEST_SIZE, LABEL_GENERATORS, digest};
use crate::{Code, Error, Result};

/// The suite's name, which is in every tag (SPEC.md, section 2).
pub const SUITE_IDENTIFIER: &str = "tradeveil_Shake128_secp256k1";
/// The domain separation tag that H, G_i and H_i are hashed to the curve with (SPEC.md, section 4).
pub const GENERATORS_DST: &[u8] = b"TRADEVEIL-V01-CS01-with-secp256k1_XMD:SHA-256_SSWU_RO_";
/// How many G_i, and as many H_i, a suite has: 8 values of 64 bits in one range proof.
pub const MAXIMUM_VECTORS: usize = 512;
/// Of the vectors, those that a range proof for two values of 64 bits has, the largest that an operation has.
const USUAL_VECTORS: usize = 128;

/// G carries amounts, H blindings; G_i and H_i are the vectors of range proofs (SPEC.md, section 4).
#[derive(Clone)]
pub struct Generators {
    /// The curve's generator.
    pub g: Point,
    /// The blinding generator.
    pub h: Point,
    /// G_0, G_1, …
    pub g_vector: Vec<Point>,
    /// H_0, H_1, …, as many as G_i.
    pub h_vector: Vec<Point>,
    /// `generators_digest`, 32 bytes over all of them.
    pub digest: [u8; DIGEST_SIZE],
    usual: OnceLock<Arc<FixedPoints>>,
}

impl Generators {
    /// Generators whose digest the caller has checked, or has as a constant of the protocol.
    ///
    /// # Errors
    /// `Engine` unless g is the curve's generator, none is the identity, and there are as many G_i as H_i, at most 512.
    pub fn new(h: Point, g_vector: Vec<Point>, h_vector: Vec<Point>, digest: [u8; DIGEST_SIZE]) -> Result<Self> {
        if g_vector.len() != h_vector.len() || g_vector.len() > MAXIMUM_VECTORS {
            return Err(Error::new(Code::Engine, "a suite has as many G_i as H_i, at most 512"));
        }
        if h.is_identity() || g_vector.iter().chain(&h_vector).any(Point::is_identity) {
            return Err(Error::new(Code::Engine, "a generator is the identity"));
        }
        Ok(Self { g: Point::GENERATOR, h, g_vector, h_vector, digest, usual: OnceLock::new() })
    }

    /// G, H, then as many G_i, then as many H_i as most proofs need, with their multiples. Made when first asked for: 30 ms.
    pub fn usual(&self) -> &FixedPoints {
        self.usual.get_or_init(|| {
            let count = self.usual_vectors();
            let points = [&self.g, &self.h].into_iter().chain(&self.g_vector[..count]).chain(&self.h_vector[..count]);
            Arc::new(FixedPoints::new(&points.copied().collect::<Vec<_>>()))
        })
    }

    /// How many G_i, and as many H_i, are among [`Self::usual`].
    pub fn usual_vectors(&self) -> usize {
        self.g_vector.len().min(USUAL_VECTORS)
    }

    /// 32 bytes over the suite's name, the tag and the generators. Equals `digest` when all 512 vectors are there and right.
    ///
    /// # Errors
    /// `Identity` when a generator is the identity.
    pub fn recompute_digest(&self) -> Result<[u8; DIGEST_SIZE]> {
        let points = [&self.g, &self.h].into_iter().chain(&self.g_vector).chain(&self.h_vector);
        let encoded = points.map(Point::encode).collect::<Result<Vec<_>>>()?;
        let mut parts = vec![SUITE_IDENTIFIER.as_bytes(), GENERATORS_DST];
        parts.extend(encoded.iter().map(|point| &point[..]));
        digest(LABEL_GENERATORS, &parts)
    }
}
