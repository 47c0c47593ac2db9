//! The closed family of errors, with the codes of `zkcore.errors`. Messages never contain a secret or the bytes refused.

use std::borrow::Cow;
use std::fmt;

/// What went wrong, by the stable code that test vectors name (SPEC.md, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// An encoding has not exactly the length that its type demands.
    Length,
    /// Not a canonical compressed SEC1 point.
    Point,
    /// The identity stands where a proper point is demanded.
    Identity,
    /// A scalar is not below the group order, or is zero where it must be invertible.
    Scalar,
    /// A structured encoding is not canonical.
    Encoding,
    /// A linear relation fails the draft's instance validation.
    Instance,
    /// A proof context lacks a field or has one of the wrong form.
    Context,
    /// A well-formed sigma proof does not satisfy its equations.
    Sigma,
    /// A well-formed range proof does not satisfy its equations.
    Range,
    /// A batch without a claim.
    Batch,
    /// A prover was asked to prove what its witness does not satisfy.
    Witness,
    /// No amount within the bound fits, or a claimed opening does not match.
    Opening,
    /// The engine itself fails: a table that is damaged, a processor that cannot do what was asked.
    Engine,
}

impl Code {
    /// The code as the protocol spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Point => "point",
            Self::Identity => "identity",
            Self::Scalar => "scalar",
            Self::Encoding => "encoding",
            Self::Instance => "instance",
            Self::Context => "context",
            Self::Sigma => "sigma",
            Self::Range => "range",
            Self::Batch => "batch",
            Self::Witness => "witness",
            Self::Opening => "opening",
            Self::Engine => "engine",
        }
    }
}

/// An error of the family: a code, and a message that says what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The stable code.
    pub code: Code,
    /// For people. Equal codes may come with other messages.
    pub message: Cow<'static, str>,
}

impl Error {
    /// An error of this code.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code.as_str())
    }
}

impl std::error::Error for Error {}

/// What anything fallible here returns.
pub type Result<T> = std::result::Result<T, Error>;
