//! The context that every proof is bound to. It has no defaults: what a statement does not have is said to be absent.

use crate::generators::{Generators, SUITE_IDENTIFIER};
use crate::transcript::{SESSION_ID_SIZE, derive_session_id, frame, text};
use crate::{Code, Error, Result};

/// Bytes of an identifier, head or payload.
pub const ID_SIZE: usize = 32;
/// Stands for an identifier, head or payload that a statement does not have. Never a valid value of one.
pub const ABSENT: [u8; ID_SIZE] = [0; ID_SIZE];
/// Stands for a currency that a statement does not have.
pub const NO_CURRENCY: &str = "---";

/// Everything a proof is bound to besides its statement (SPEC.md, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    origin: &'a str,
    statement: &'a str,
    pub(crate) document: [u8; ID_SIZE],
    pub(crate) head: [u8; ID_SIZE],
    pub(crate) draw: [u8; ID_SIZE],
    currency: &'a str,
    pub(crate) epoch: u32,
    pub(crate) payload: [u8; ID_SIZE],
}

/// The fields of a context as they come, unchecked.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// The log's name: 3 to 100 characters of a-z 0-9 . - / that start with a letter or digit.
    pub origin: &'a str,
    /// The statement's name.
    pub statement: &'a str,
    /// 32 bytes, or [`ABSENT`].
    pub document: &'a [u8],
    /// 32 bytes, or [`ABSENT`].
    pub head: &'a [u8],
    /// 32 bytes, or [`ABSENT`].
    pub draw: &'a [u8],
    /// Three capital letters, or [`NO_CURRENCY`].
    pub currency: &'a str,
    /// The epoch of the regulator's key, from 1 and below 2³²; 0 where no regulator's key takes part.
    pub epoch: u64,
    /// The digest of the operation's other public fields: 32 bytes, or [`ABSENT`].
    pub payload: &'a [u8],
}

impl<'a> Context<'a> {
    /// Check the form of every field.
    ///
    /// # Errors
    /// `Context` for a field of the wrong form.
    pub fn new(fields: &Fields<'a>) -> Result<Self> {
        if !is_origin(fields.origin) {
            return Err(refused("an origin is 3 to 100 characters of a-z 0-9 . - / and starts with a letter or digit"));
        }
        if !is_currency(fields.currency) {
            return Err(refused("a currency is three capital letters (ISO 4217)"));
        }
        Ok(Self {
            origin: fields.origin,
            statement: fields.statement,
            document: identifier(fields.document, "the document of a context is 32 bytes")?,
            head: identifier(fields.head, "the head of a context is 32 bytes")?,
            draw: identifier(fields.draw, "the draw of a context is 32 bytes")?,
            payload: identifier(fields.payload, "the payload of a context is 32 bytes")?,
            currency: fields.currency,
            epoch: u32::try_from(fields.epoch).map_err(|_| refused("an epoch is a number below 2**32"))?,
        })
    }

    /// The statement's name.
    pub fn statement(&self) -> &str {
        self.statement
    }

    /// Three capital letters, or [`NO_CURRENCY`].
    pub fn currency(&self) -> &str {
        self.currency
    }

    /// The tag of sigma-protocols-03: name, version, statement, flavour and suite verbatim, then the framed fields.
    ///
    /// # Errors
    /// `Encoding` when the statement's name is not printable ASCII.
    pub fn tag(&self, generators: &Generators) -> Result<Vec<u8>> {
        let statement = text(self.statement)?;
        let fields = frame(&[
            self.origin.as_bytes(),
            &self.document,
            &self.head,
            &self.draw,
            self.currency.as_bytes(),
            &self.epoch.to_le_bytes(),
            &self.payload,
            &generators.digest,
        ])?;
        Ok([b"TRADEVEIL-V01-", statement, b"-DSFS-with-", SUITE_IDENTIFIER.as_bytes(), &fields].concat())
    }

    /// 32 bytes: DeriveSessionID of the tag.
    ///
    /// # Errors
    /// `Encoding` when the statement's name is not printable ASCII.
    pub fn session_id(&self, generators: &Generators) -> Result<[u8; SESSION_ID_SIZE]> {
        Ok(derive_session_id(&self.tag(generators)?))
    }
}

fn is_origin(origin: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = origin.as_bytes();
    (3..=100).contains(&bytes.len())
        && alphanumeric(&bytes[0])
        && bytes.iter().all(|byte| alphanumeric(byte) || b".-/".contains(byte))
}

fn is_currency(currency: &str) -> bool {
    currency == NO_CURRENCY || (currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase()))
}

fn identifier(data: &[u8], message: &'static str) -> Result<[u8; ID_SIZE]> {
    data.try_into().map_err(|_| refused(message))
}

fn refused(message: &'static str) -> Error {
    Error::new(Code::Context, message)
}
