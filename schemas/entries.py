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
from schemas.messages import (
    AmendMessage,
    ApplyMessage,
    ChangeStatusMessage,
    CloseMessage,
    DecideMessage,
    DisburseMessage,
    DrawMessage,
    ExpireMessage,
    OverdrawnMessage,
    Reason,
    ReduceMessage,
    RegisterMessage,
)
from schemas.wire import Digest, Epoch, Holder, Message, Name, Origin, Point, Proof, SealKey, Seconds
from zkcore import PROTOCOL_VERSION
from zkcore.errors import EncodingError, KeyRejected
from zkcore.ledger import KindPolicy, Parameters, signing_key_claim, view_key_claim
from zkcore.suite import Suite
from zkcore.verifying.batch import verify

MAXIMUM_ENTRY_SIZE = 65_535
_DAY = 86_400


class RegulatorKey(Message):
    """The regulator's public view key of one epoch, with its proof of possession, and its seal key."""

    holder: Holder
    key: Point
    seal_key: SealKey
    proof: Proof


class AttesterKey(Message):
    """An attester's public signing key with its proof of possession, its seal key, and the role in which it attests."""

    role: Name
    holder: Holder
    key: Point
    seal_key: SealKey
    proof: Proof


class Kind(Message):
    """A kind of document: who attests it, and the policy of its draws.

    attester: the role of its attesters
    restores: the reasons of a reduction that give headroom back; `released` always does, and is listed for readers
    counters: what its limit can count, each registered as a document of its own
    use: whether it can be drawn on again and again up to its limit, or once
    reservation_days: how long a draw may wait for its disbursement, at most
    applications: whether a draw needs an approved application on the log
    shares: the financeable part of the declared total by supervision mode, in whole percent; none where modes play no part
    """

    name: Name
    attester: Name
    restores: list[Reason]
    counters: list[Name] = Field(min_length=1, max_length=10)
    use: Literal["cumulative", "single"]
    reservation_days: int = Field(ge=1, le=3_650)
    applications: Literal["optional", "required"]
    shares: dict[Annotated[str, Field(pattern=r"^[0-9]{4}$")], Annotated[int, Field(ge=0, le=100)]]

    def policy(self) -> KindPolicy:
        """As the ledger knows it."""
        return KindPolicy(
            name=self.name,
            attester=self.attester,
            restores=frozenset(self.restores),
            counters=tuple(self.counters),
            single_use=self.use == "single",
            reservation=self.reservation_days * _DAY,
            applied_for=self.applications == "required",
        )


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
        roles = dict(zip(attesters, [item.role for item in self.attesters], strict=True))
        if len(roles) != len(attesters):
            raise KeyRejected("an attester's key stands twice in the genesis")
        kinds = {kind.name: kind.policy() for kind in self.kinds}
        parameters = Parameters(self.origin, self.epoch, regulator, roles, kinds)
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


class StatusChanged(Message):
    """An attester said what became of a document."""

    type: Literal["status"] = "status"
    time: Seconds
    body: ChangeStatusMessage


class Amended(Message):
    """An attester replaced a document's limit."""

    type: Literal["amend"] = "amend"
    time: Seconds
    body: AmendMessage


class ShownOverdrawn(Message):
    """The regulator showed that a document is overdrawn."""

    type: Literal["overdrawn"] = "overdrawn"
    time: Seconds
    body: OverdrawnMessage


class Applied(Message):
    """An application reached a bank."""

    type: Literal["apply"] = "apply"
    time: Seconds
    body: ApplyMessage
    caller: SealedCaller


class Decided(Message):
    """A bank decided about an application."""

    type: Literal["decide"] = "decide"
    time: Seconds
    body: DecideMessage
    caller: SealedCaller


class Drawn(Message):
    """A draw was verified and committed."""

    type: Literal["draw"] = "draw"
    time: Seconds
    body: DrawMessage
    caller: SealedCaller


class Disbursed(Message):
    """A draw was disbursed."""

    type: Literal["disburse"] = "disburse"
    time: Seconds
    body: DisburseMessage
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


class Expired(Message):
    """A reservation freed itself after its expiry."""

    type: Literal["expire"] = "expire"
    time: Seconds
    body: ExpireMessage


AnyEntry = (
    Genesis
    | Registered
    | StatusChanged
    | Amended
    | ShownOverdrawn
    | Applied
    | Decided
    | Drawn
    | Disbursed
    | Reduced
    | Closed
    | Expired
)
Entry = Annotated[AnyEntry, Field(discriminator="type")]
_ADAPTER: TypeAdapter[AnyEntry] = TypeAdapter(Entry)


def encode_entry(entry: AnyEntry) -> bytes:
    """Canonical bytes. Raises EncodingError above 65,535 bytes."""
    data = canonical(entry)
    if len(data) > MAXIMUM_ENTRY_SIZE:
        raise EncodingError(f"an entry is at most {MAXIMUM_ENTRY_SIZE} bytes")
    return data


def decode_entry(data: bytes) -> AnyEntry:
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
