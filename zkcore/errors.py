"""The closed family of errors that zkcore raises, each with a stable code.

Verification raises one of these and never returns a bool, so a result cannot be ignored. The codes are part of the protocol:
test vectors name them, the service maps them to problem types at its edge, and they do not change within a protocol version.
No message ever contains a secret or the bytes that were refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class ZkError(Exception):
    """Base of the family. `code` is stable; the message says what to do next."""

    code: ClassVar[str] = "error"


class LengthError(ZkError):
    """An encoding has not exactly the length its type demands (short, long, or trailing bytes)."""

    code = "length"


class PointError(ZkError):
    """Not a canonical compressed SEC1 point: bad prefix, x not below the field prime, or not on the curve."""

    code = "point"


class IdentityError(ZkError):
    """The identity stands where a proper point is demanded."""

    code = "identity"


class ScalarError(ZkError):
    """A scalar is not below the group order, or is zero where it must be invertible."""

    code = "scalar"


class EncodingError(ZkError):
    """A structured encoding is not canonical: unknown scheme byte, bad framing, a value outside its set."""

    code = "encoding"


class InstanceError(ZkError):
    """A linear relation fails the instance validation of draft-irtf-cfrg-sigma-protocols-03."""

    code = "instance"


class ContextError(ZkError):
    """A proof context lacks a field or has one of the wrong form."""

    code = "context"


class KeyRejected(ZkError):
    """A public key is the identity, a duplicate of another reader's key, or its proof of possession fails."""

    code = "key"


class AmountError(ZkError):
    """An amount or limit is outside 1 … 2**48 - 1 minor units."""

    code = "amount"


class SigmaRejected(ZkError):
    """A well-formed sigma proof does not satisfy its verification equation."""

    code = "sigma"


class RangeRejected(ZkError):
    """A well-formed range proof does not satisfy its verification equation."""

    code = "range"


class EvaluationRejected(ZkError):
    """An oblivious evaluation was not made with the key that its evaluator has published."""

    code = "evaluation"


class BatchRejected(ZkError):
    """At least one claim of a batch is false. `failures` names each with the error it would raise alone."""

    code = "batch"

    def __init__(self, failures: Sequence[tuple[str, ZkError]]) -> None:
        self.failures = tuple(failures)
        names = ", ".join(f"{label} ({error.code})" for label, error in self.failures)
        super().__init__(f"these claims do not verify: {names}")


class WitnessError(ZkError):
    """A prover was asked to prove what its witness does not satisfy. Raised before anything leaves the prover."""

    code = "witness"


class OpeningError(ZkError):
    """A commitment cannot be opened: no amount within the bound fits, or a claimed opening does not match."""

    code = "opening"


class MemoError(ZkError):
    """A sealed memo cannot be opened with this key, or its content does not match the commitment it travels with."""

    code = "memo"


class StateError(ZkError):
    """An operation does not fit the state it names: unknown, closed, repeated, or past a bound."""

    code = "state"


class EngineError(ZkError):
    """The requested engine is missing, stale, or fails its self-test."""

    code = "engine"
