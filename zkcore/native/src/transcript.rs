//! All hashing: the duplex sponge of draft-irtf-cfrg-fiat-shamir-03 (SHAKE128), its codecs, and every label and framing we use.
//!
//! SPEC.md, section 3. Sigma proofs, range proofs, weights, heads and digests absorb through this module and nowhere else, so
//! that domain separation can be read in one place.

use std::sync::LazyLock;

use k256::Scalar;
use k256::elliptic_curve::ff::FromUniformBytes;
use zeroize::Zeroize;

use crate::{Code, Error, Result};

/// Bytes that SHAKE128 absorbs or squeezes between two permutations.
pub const RATE: usize = 168;
/// Bytes of a session id.
pub const SESSION_ID_SIZE: usize = 32;
/// Bytes of a digest.
pub const DIGEST_SIZE: usize = 32;
/// Bytes that a challenge is decoded from: 16 more than a scalar has, so that reduction is uniform up to 2⁻¹²⁸.
pub const CHALLENGE_SIZE: usize = 48;

const SESSION_LABEL: &[u8; SESSION_ID_SIZE] = b"irtf-cfrg-fiat-shamir/session-id";

/// Label of the digest of the generators.
pub const LABEL_GENERATORS: &[u8] = b"TRADEVEIL-V01-generators";
/// Label of payload digests.
pub const LABEL_PAYLOAD: &[u8] = b"TRADEVEIL-V01-payload";
/// Label of the heads of documents.
pub const LABEL_HEAD: &[u8] = b"TRADEVEIL-V01-head";
/// Label of the heads of draws.
pub const LABEL_DRAW_HEAD: &[u8] = b"TRADEVEIL-V01-draw-head";
/// Tag of the sponge that weights are drawn from (SPEC.md, section 8).
pub const LABEL_BATCH: &[u8] = b"TRADEVEIL-V01-batch-verify";
/// Tag of the sponge that keys are derived with (SPEC.md, section 9).
pub const LABEL_DERIVE: &[u8] = b"TRADEVEIL-V01-derive";

const LANES: usize = 25;
/// SHAKE's domain bits and the first bit of the padding.
const PADDING: u64 = 0x1F;

/// The SHAKE128 duplex sponge of fiat-shamir-03: `squeeze` gives the next bytes of XOF(session id ‖ zeros ‖ absorbed).
///
/// Consecutive squeezes continue one stream; a non-empty absorb after a squeeze restarts it; absorbing nothing changes nothing.
/// Who absorbs a secret keeps the sponge in `Zeroizing`.
#[derive(Clone, Zeroize)]
pub struct DuplexSponge {
    /// Everything absorbed, not yet padded: whole blocks permuted, the rest xored in.
    state: [u64; LANES],
    /// Bytes of the block begun, below `RATE`.
    filled: usize,
    /// The block being squeezed, from a padded copy of `state`.
    output: [u64; LANES],
    /// Bytes of it that are used up; absorbing sets it to `NOT_SQUEEZING`.
    used: usize,
}

const NOT_SQUEEZING: usize = usize::MAX;

impl DuplexSponge {
    /// A sponge for this session.
    pub fn new(session_id: &[u8; SESSION_ID_SIZE]) -> Self {
        let mut sponge = Self { state: [0; LANES], filled: 0, output: [0; LANES], used: NOT_SQUEEZING };
        sponge.absorb(session_id);
        permute(&mut sponge.state); // the zeros that fill up the first block
        sponge.filled = 0;
        sponge
    }

    /// Absorb bytes of any length, unframed: the caller frames, or the length is fixed by the protocol.
    pub fn absorb(&mut self, mut data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.used = NOT_SQUEEZING;
        loop {
            let (now, later) = data.split_at(data.len().min(RATE - self.filled));
            self.xor(now);
            if self.filled < RATE {
                return;
            }
            permute(&mut self.state);
            self.filled = 0;
            data = later;
        }
    }

    /// Xor bytes that fit the block begun into the state, by lanes of 8 bytes.
    fn xor(&mut self, data: &[u8]) {
        let to_lane = data.len().min(self.filled.wrapping_neg() % 8);
        let (head, aligned) = data.split_at(to_lane);
        self.xor_within_lane(head);
        let lanes = aligned.chunks_exact(8);
        let tail = lanes.remainder();
        for (state, lane) in self.state[self.filled / 8..].iter_mut().zip(lanes) {
            *state ^= u64::from_le_bytes(lane.try_into().expect("chunks of 8 bytes"));
        }
        self.filled += aligned.len() - tail.len();
        self.xor_within_lane(tail);
    }

    fn xor_within_lane(&mut self, data: &[u8]) {
        if !data.is_empty() {
            let lane = data.iter().rev().fold(0, |lane, byte| lane << 8 | u64::from(*byte));
            self.state[self.filled / 8] ^= lane << (8 * (self.filled % 8));
            self.filled += data.len();
        }
    }

    /// Absorb SerializeVarLenString(data).
    ///
    /// # Errors
    /// `Length` for 2³² bytes or more.
    pub fn absorb_varlen(&mut self, data: &[u8]) -> Result<()> {
        self.absorb(&length_prefix(data.len())?);
        self.absorb(data);
        Ok(())
    }

    /// Fill `out` with the next bytes of the stream.
    pub fn squeeze_into(&mut self, out: &mut [u8]) {
        if out.is_empty() {
            return;
        }
        if self.used == NOT_SQUEEZING {
            self.output = self.state;
            self.output[self.filled / 8] ^= PADDING << (8 * (self.filled % 8));
            self.output[RATE / 8 - 1] ^= 1 << 63;
            permute(&mut self.output);
            self.used = 0;
        }
        let mut filled = 0;
        while filled < out.len() {
            if self.used == RATE {
                permute(&mut self.output);
                self.used = 0;
            }
            let lane = &self.output[self.used / 8].to_le_bytes()[self.used % 8..];
            let size = lane.len().min(out.len() - filled);
            out[filled..filled + size].copy_from_slice(&lane[..size]);
            self.used += size;
            filled += size;
        }
    }

    /// The next `SIZE` bytes of the stream.
    pub fn squeeze<const SIZE: usize>(&mut self) -> [u8; SIZE] {
        let mut out = [0; SIZE];
        self.squeeze_into(&mut out);
        out
    }

    /// A challenge: `DecodeUint` of the next 48 bytes. It may be zero, with probability 2⁻²⁵⁶.
    pub fn challenge(&mut self) -> Scalar {
        decode_uint(&self.squeeze())
    }
}

fn permute(state: &mut [u64; LANES]) {
    keccak::Keccak::new().with_f1600(|f1600| f1600(state));
}

/// DeriveSessionID of fiat-shamir-03: 32 bytes from a tag of any length.
pub fn derive_session_id(tag: &[u8]) -> [u8; SESSION_ID_SIZE] {
    static START: LazyLock<DuplexSponge> = LazyLock::new(|| DuplexSponge::new(SESSION_LABEL));
    let mut sponge = START.clone();
    sponge.absorb(tag);
    sponge.squeeze()
}

/// SerializeVarLenString: 4-byte little-endian length, then the bytes.
///
/// # Errors
/// `Length` for 2³² bytes or more.
pub fn serialize_varlen(data: &[u8]) -> Result<Vec<u8>> {
    frame(&[data])
}

fn length_prefix(size: usize) -> Result<[u8; 4]> {
    let size = u32::try_from(size).map_err(|_| Error::new(Code::Length, "a variable-length string is below 2**32 bytes"))?;
    Ok(size.to_le_bytes())
}

/// DecodeUint: 48 squeezed bytes, little-endian, reduced modulo the group order, in constant time.
pub fn decode_uint(data: &[u8; CHALLENGE_SIZE]) -> Scalar {
    let mut wide = [0; 64]; // big-endian
    for (to, from) in wide.iter_mut().rev().zip(data) {
        *to = *from;
    }
    let scalar = Scalar::from_uniform_bytes(&wide);
    wide.zeroize();
    scalar
}

/// Concatenate parts so that the boundaries can be read back: each as a variable-length string.
///
/// # Errors
/// `Length` for a part of 2³² bytes or more.
pub fn frame(parts: &[&[u8]]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| 4 + part.len()).sum());
    for part in parts {
        out.extend_from_slice(&length_prefix(part.len())?);
        out.extend_from_slice(part);
    }
    Ok(out)
}

/// The bytes of a protocol string.
///
/// # Errors
/// `Encoding` unless it is printable ASCII.
pub fn text(value: &str) -> Result<&[u8]> {
    if value.bytes().all(|byte| (0x20..0x7F).contains(&byte)) {
        Ok(value.as_bytes())
    } else {
        Err(Error::new(Code::Encoding, "a protocol string is printable ASCII"))
    }
}

/// 32 bytes over framed parts under one of the labels above.
///
/// # Errors
/// `Length` for a part of 2³² bytes or more.
pub fn digest(label: &[u8], parts: &[&[u8]]) -> Result<[u8; DIGEST_SIZE]> {
    let mut sponge = DuplexSponge::new(&derive_session_id(label));
    for part in parts {
        sponge.absorb_varlen(part)?;
    }
    Ok(sponge.squeeze())
}

#[cfg(test)]
mod tests {
    //! The sponge is the draft's, whatever the lengths in which it is fed and read.

    use super::*;

    fn session() -> [u8; 32] {
        std::array::from_fn(|i| i as u8)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn official_answers() {
        let squeezed: [u8; 32] = DuplexSponge::new(&session()).squeeze();
        assert_eq!(hex(&squeezed), "63e1b3543377fab6fb8cf0f7698a9980ca0211d5bc4aba213dd7a6ef7dd63cfa");
        let derived = derive_session_id(b"interop-test-v00");
        assert_eq!(hex(&derived), "b508aca89eecac56cd33e4a28f817f43f849d035922f354173ae8466628308cf");
    }

    #[test]
    fn pieces_make_the_same_stream() {
        let data: Vec<u8> = (0..1000).map(|i| (i * 7 + i / 256) as u8).collect();
        let sizes: &[usize] = &[1, 3, 7, 8, 9, 32, 33, 167, 168, 169, 335, 1000];
        // Every piece is a permutation, of which Miri makes a few a second.
        for &size in if cfg!(miri) { &sizes[7..] } else { sizes } {
            let (mut whole, mut pieces) = (DuplexSponge::new(&session()), DuplexSponge::new(&session()));
            whole.absorb(&data);
            let expected: [u8; 500] = whole.squeeze();
            for piece in data.chunks(size) {
                pieces.absorb(piece);
                pieces.absorb(b"");
                pieces.squeeze::<5>(); // is forgotten by the next absorb
            }
            let mut squeezed = [0; 500];
            pieces.absorb(b"");
            let mut pieces = {
                let mut again = DuplexSponge::new(&session());
                data.chunks(size).for_each(|piece| again.absorb(piece));
                assert_eq!(pieces.squeeze::<495>(), expected[5..]);
                again
            };
            squeezed.chunks_mut(size).for_each(|piece| pieces.squeeze_into(piece));
            assert_eq!(squeezed, expected);
        }
    }

    #[test]
    fn uints_are_reduced() {
        let mut order = [0; 48];
        let bytes = (-Scalar::ONE).to_bytes();
        for (to, from) in order.iter_mut().zip(bytes.iter().rev()) {
            *to = *from;
        }
        assert_eq!(decode_uint(&order), -Scalar::ONE);
        order[0] += 1;
        assert_eq!(decode_uint(&order), Scalar::ZERO);
        let two_to_256 = std::array::from_fn(|i| u8::from(i == 32));
        let two_to_128 = Scalar::from(u128::MAX) + Scalar::ONE;
        assert_eq!(decode_uint(&two_to_256), two_to_128.square());
    }

    #[test]
    fn framing_leaves_no_ambiguity() {
        assert_eq!(serialize_varlen(b"proof").unwrap(), b"\x05\0\0\0proof");
        assert_ne!(frame(&[b"ab", b"c"]).unwrap(), frame(&[b"a", b"bc"]).unwrap());
        assert_ne!(digest(LABEL_HEAD, &[b"a"]).unwrap(), digest(LABEL_DRAW_HEAD, &[b"a"]).unwrap());
    }

    #[test]
    fn text_is_printable_ascii() {
        assert_eq!(text("a b").unwrap(), b"a b");
        for refused in ["a\n", "\u{7f}", "é"] {
            assert_eq!(text(refused).unwrap_err().code, Code::Encoding);
        }
    }
}
