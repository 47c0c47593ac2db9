"""The log's entries: canonical JSON, at most 65,535 bytes. The first is the genesis, which fixes what the log is about.

Entries contain no head and no amount: a bank that sees two of its own entries on one document cannot tell whether another
bank drew in between. What a bank commits carries who called (`caller`), sealed by the service to the regulator: it is no part
of what was proven, and no rule depends on it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from schemas.callers import SealedCaller
from schemas.canonical import canonical, parse_strict
from schemas.messages import CloseMessage, DrawMessage, Reason, ReduceMessage, RegisterMessage
from schemas.wire import Digest, Epoch, Holder, Message, Name, Origin, Point, Proof, SealKey, Seconds
from zkcore import PROTOCOL_VERSION
from zkcore.errors import EncodingError
from zkcore.ledger import KindPolicy, Parameters, signing_key_claim, view_key_claim
from zkcore.suite import Suite
from zkcore.verifying.batch import verify

MAXIMUM_ENTRY_SIZE = 65_535


class RegulatorKey(Message):
    """The regulator's public view key of one epoch, with its proof of possession, and its seal key."""

    holder: Holder
    key: Point
    seal_key: SealKey
    proof: Proof


class AttesterKey(Message):
    """An attester's public signing key with its proof of possession, and its seal key."""

    holder: Holder
    key: Point
    seal_key: SealKey
    proof: Proof


class Kind(Message):
    """A kind of document: which reasons of a reduction give headroom back."""

    name: Name
    restores: list[Reason]


class Genesis(Message):
    """What a log is about. `protocol`, `suite` and `generators` say how everything after it is to be checked."""

    type: Literal["genesis"] = "genesis"
    time: Seconds
    protocol: int = Field(ge=1, lt=1 << 16)
    suite: str = Field(pattern=r"^[!-~]{1,100}$")
    generators: Digest
    origin: Origin
    epoch: Epoch
    regulator: RegulatorKey
    attesters: list[AttesterKey] = Field(min_length=1, max_length=100)
    kinds: list[Kind] = Field(min_length=1, max_length=100)

    def parameters(self, suite: Suite) -> Parameters:
        """The ledger's parameters, after every check: version, suite, generators, distinct keys, proofs of possession.

        Raises EncodingError for another protocol, suite or generators; PointError, KeyRejected, BatchRejected for bad keys.
        """
        if (self.protocol, self.suite, self.generators) != (PROTOCOL_VERSION, suite.identifier, suite.generators_digest):
            raise EncodingError("this log is of another protocol version, suite or set of generators than this program")
        if len({kind.name for kind in self.kinds}) != len(self.kinds):
            raise EncodingError("a kind of document stands twice in the genesis")
        decode = suite.group.decode
        regulator, attesters = decode(self.regulator.key), [decode(item.key) for item in self.attesters]
        kinds = {kind.name: KindPolicy(kind.name, frozenset(kind.restores)) for kind in self.kinds}
        parameters = Parameters(self.origin, self.epoch, regulator, tuple(attesters), kinds)
        parameters.check()
        held = self.regulator
        claims = [view_key_claim(suite, self.origin, held.holder, held.seal_key, regulator, held.proof, "regulator")]
        for item, key in zip(self.attesters, attesters, strict=True):
            label = f"attester {item.holder}"
            claims.append(signing_key_claim(suite, self.origin, item.holder, item.seal_key, key, item.proof, label))
        verify(suite, claims)
        return parameters


class Registered(Message):
    """A document was registered."""

    type: Literal["register"] = "register"
    time: Seconds
    body: RegisterMessage


class Drawn(Message):
    """A draw was verified and committed."""

    type: Literal["draw"] = "draw"
    time: Seconds
    body: DrawMessage
    caller: SealedCaller


class Reduced(Message):
    """A draw was reduced."""

    type: Literal["reduce"] = "reduce"
    time: Seconds
    body: ReduceMessage
    caller: SealedCaller


class Closed(Message):
    """A draw was closed."""

    type: Literal["close"] = "close"
    time: Seconds
    body: CloseMessage
    caller: SealedCaller


Entry = Annotated[Genesis | Registered | Drawn | Reduced | Closed, Field(discriminator="type")]
_ADAPTER: TypeAdapter[Genesis | Registered | Drawn | Reduced | Closed] = TypeAdapter(Entry)


def encode_entry(entry: Genesis | Registered | Drawn | Reduced | Closed) -> bytes:
    """Canonical bytes. Raises EncodingError above 65,535 bytes."""
    data = canonical(entry)
    if len(data) > MAXIMUM_ENTRY_SIZE:
        raise EncodingError(f"an entry is at most {MAXIMUM_ENTRY_SIZE} bytes")
    return data


def decode_entry(data: bytes) -> Genesis | Registered | Drawn | Reduced | Closed:
    """Inverse of encode_entry. Raises EncodingError for anything that is not exactly one canonical entry."""
    if len(data) > MAXIMUM_ENTRY_SIZE:
        raise EncodingError(f"an entry is at most {MAXIMUM_ENTRY_SIZE} bytes")
    try:
        entry = _ADAPTER.validate_python(parse_strict(data))
    except (ValueError, ValidationError) as error:
        raise EncodingError("not a log entry of this protocol version") from error
    if canonical(entry) != data:
        raise EncodingError("the entry is not canonical JSON (RFC 8785)")
    return entry
