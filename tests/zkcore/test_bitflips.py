"""Every bit of an operation counts: flipped, the operation is refused.

Covered is every byte of every operation that carries a proof: ids, keys, commitments and handles, expiries, consents, memos and
all proofs, for draws in all four forms (proven by the owner, consented, moved, applied for). A flip that is accepted is a
failure, and so is any other exception than a refusal. With TRADEVEIL_EXHAUSTIVE=1 every single bit is flipped (minutes);
otherwise a seeded sample over every field.

Speed: a flip is refused as soon as one claim is, so the claims are verified one at a time, the cheap ones first; half of the
flipped points are no points and cost nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.messages import (
    AmendMessage,
    ApplyMessage,
    ChangeStatusMessage,
    CloseMessage,
    DecideMessage,
    DisburseMessage,
    DrawMessage,
    OverdrawnMessage,
    ReduceMessage,
    RegisterMessage,
    ViewMessage,
)
from schemas.wire import decode_base64url, encode_base64url
from tests.builders import (
    World,
    flip,
    make_amend,
    make_apply,
    make_close,
    make_decide,
    make_disburse,
    make_draw,
    make_moved_draw,
    make_overdrawn,
    make_reduce,
    make_register,
    make_status,
    make_view,
    make_world,
)
from zkcore import engine, ledger
from zkcore.errors import ZkError
from zkcore.operations import ACCEPTED, DELETED, FROZEN, RELEASED
from zkcore.verifying.batch import Claim, verify

EXHAUSTIVE = os.environ.get("TRADEVEIL_EXHAUSTIVE") == "1"
SAMPLE = 125
"""Flips of an operation when not exhaustive; each field gets at least a few."""
SECONDS_BITS = 48
NUMBER_BITS = 31
WORDS = {"prover", "kind", "counter", "status", "currency", "reason", "decision", "reader"}
"""Fields that are words of a closed list or names. Their exchange is a vector."""

SUITE = engine.load()

Fields = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A field of the message: its path in the JSON, and how many bits can be flipped."""

    path: tuple[str, ...]
    bits: int

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def flipped(self, message: Fields, bit: int) -> Fields:
        """The message with one bit of this field flipped."""
        name, *rest = self.path
        value = message[name]
        if rest:
            return {**message, name: Field(tuple(rest), self.bits).flipped(value, bit)}
        if isinstance(value, int):
            return {**message, name: value ^ 1 << bit}
        return {**message, name: encode_base64url(flip(decode_base64url(value), bit))}


def fields_of(message: Fields, path: tuple[str, ...] = ()) -> Iterator[Field]:
    """Every field that is bytes or a number."""
    for name, value in message.items():
        here = (*path, name)
        if isinstance(value, dict):
            yield from fields_of(value, here)
        elif isinstance(value, int):
            yield Field(here, NUMBER_BITS if name == "epoch" else SECONDS_BITS)
        elif value is not None and name not in WORDS:
            yield Field(here, 8 * len(decode_base64url(value)))


@dataclass(frozen=True)
class Request:
    """An operation that is accepted: its message, and the claims that a message of its kind makes on the state before it."""

    message: Fields
    claims: Callable[[Fields], list[Claim]]

    def verify(self, message: Fields) -> None:
        """Decode and verify, claim by claim, the cheap ones first. Raises ZkError as soon as one is refused."""
        for claim in self.claims(message):
            verify(SUITE, [claim])


def fields(message: Any) -> Fields:
    content: Fields = message.model_dump(mode="json")
    return content


@cache
def requests() -> dict[str, Request]:
    """All operations, by name."""
    return {**document_requests(), **draw_requests(), **step_requests()}


def document_requests() -> dict[str, Request]:
    world = make_world(SUITE, b"bit flips of documents")
    parameters, group = world.parameters, SUITE.group
    new = make_register(world, 1_000_000)
    paper = new.committed()
    drawn, _ = make_draw(world, paper, 600_000).committed()
    lowered = make_amend(world, drawn, 1_000_000, 500_000)
    overdrawn = lowered.committed(drawn)

    def deleting(message: Fields) -> list[Claim]:
        operation = ChangeStatusMessage.model_validate(message).decode(group)
        return ledger.check_status(SUITE, parameters, drawn.state, operation)

    return {
        "register": Request(
            fields(RegisterMessage.of(new.operation)),
            lambda message: ledger.check_register(SUITE, parameters, RegisterMessage.model_validate(message).decode(group)),
        ),
        "status": Request(fields(ChangeStatusMessage.of(make_status(world, drawn, FROZEN))), deleting),
        "status-replaced": Request(
            fields(ChangeStatusMessage.of(make_status(world, drawn, DELETED, world.identifier()))), deleting
        ),
        "amend": Request(
            fields(AmendMessage.of(lowered.operation)),
            lambda message: ledger.check_amend(
                SUITE, parameters, drawn.state, AmendMessage.model_validate(message).decode(group)
            ),
        ),
        "overdrawn": Request(
            fields(OverdrawnMessage.of(make_overdrawn(world, overdrawn))),
            lambda message: ledger.check_overdrawn(
                SUITE, parameters, overdrawn.state, OverdrawnMessage.model_validate(message).decode(group)
            ),
        ),
        "view": Request(
            fields(ViewMessage.of(make_view(world, drawn))),
            lambda message: ledger.check_view(
                SUITE, parameters, drawn.state, ViewMessage.model_validate(message).decode(group)
            ),
        ),
    }


def draw_requests() -> dict[str, Request]:
    world = make_world(SUITE, b"bit flips of draws")
    paper, other = make_register(world, 1_000_000).committed(), make_register(world, 1_000_000).committed()
    drawn, loan = make_draw(world, paper, 600_000).committed()
    moved = make_moved_draw(world, other, loan)

    def request(operation: Any, state: Any, moved: Any = None) -> Request:
        def claims(message: Fields) -> list[Claim]:
            changed = DrawMessage.model_validate(message).decode(SUITE.group)
            return ledger.check_draw(SUITE, world.parameters, state, changed, moved=moved)

        return Request(fields(DrawMessage.of(operation)), claims)

    return {
        "draw": request(make_draw(world, paper, 600_000).operation, paper.state),
        "draw-consented": request(make_draw(world, paper, 600_000, consented=True).operation, paper.state),
        "draw-moved": request(moved.operation, other.state, loan.state),
        **after_draws(world, drawn, loan),
    }


def after_draws(world: World, paper: Any, loan: Any) -> dict[str, Request]:
    parameters = world.parameters
    released = make_reduce(world, paper, loan, 600_000, RELEASED)
    emptied, empty = released.committed(world, paper, loan)

    def disbursing(message: Fields) -> list[Claim]:
        operation = DisburseMessage.model_validate(message).decode(SUITE.group)
        return ledger.check_disburse(SUITE, parameters, paper.facts, loan.state, operation)

    def reducing(message: Fields) -> list[Claim]:
        operation = ReduceMessage.model_validate(message).decode(SUITE.group)
        return ledger.check_reduce(SUITE, parameters, paper.facts, loan.state, operation)

    def closing(message: Fields) -> list[Claim]:
        operation = CloseMessage.model_validate(message).decode(SUITE.group)
        return ledger.check_close(SUITE, parameters, emptied.facts, empty.state, operation)

    return {
        "disburse": Request(fields(DisburseMessage.of(make_disburse(world, paper, loan).operation)), disbursing),
        "disburse-part": Request(fields(DisburseMessage.of(make_disburse(world, paper, loan, 7).operation)), disbursing),
        "reduce": Request(fields(ReduceMessage.of(released.operation)), reducing),
        "close": Request(fields(CloseMessage.of(make_close(world, emptied, empty))), closing),
    }


def step_requests() -> dict[str, Request]:
    world = make_world(SUITE, b"bit flips of steps")
    parameters, paper = world.parameters, make_register(world, 1_000_000).committed()
    new = make_apply(world, paper)
    state = new.committed()
    accepted = make_decide(world, paper, state, new.key, ACCEPTED)

    def applying(message: Fields) -> list[Claim]:
        operation = ApplyMessage.model_validate(message).decode(SUITE.group)
        return ledger.check_apply(SUITE, parameters, paper.state, operation)

    def deciding(message: Fields) -> list[Claim]:
        operation = DecideMessage.model_validate(message).decode(SUITE.group)
        return ledger.check_decide(SUITE, parameters, paper.facts, state, operation)

    return {
        "apply": Request(fields(ApplyMessage.of(new.operation)), applying),
        "decide": Request(fields(DecideMessage.of(accepted)), deciding),
    }


NAMES = (
    "register",
    "status",
    "status-replaced",
    "amend",
    "overdrawn",
    "view",
    "draw",
    "draw-consented",
    "draw-moved",
    "disburse",
    "disburse-part",
    "reduce",
    "close",
    "apply",
    "decide",
)


@pytest.fixture(scope="module", params=NAMES)
def request_(request: pytest.FixtureRequest) -> Request:
    return requests()[request.param]


def test_every_request_is_tested() -> None:
    assert set(requests()) == set(NAMES)


def test_the_request_itself_is_accepted(request_: Request) -> None:
    request_.verify(request_.message)


def test_every_byte_is_covered() -> None:
    """The fields that are flipped are the message: nothing was forgotten when a field was added."""
    memos = {"memos.owner", "memos.regulator"}
    proofs = {"proof", "range_proof"}
    draft = {"document", "draw", "key", "amount", "expires", "proof", *memos}
    headroom = {"headroom.left", "headroom.proof", "headroom.range_proof"}
    draw = {f"draft.{name}" for name in draft} | headroom
    expected: dict[str, set[str]] = {
        "register": {"document", "epoch", "attester", "owner", "limit"} | memos | proofs,
        "status": {"document", "attester", "proof"} | memos,
        "status-replaced": {"document", "attester", "replacement", "proof"} | memos,
        "amend": {"document", "attester", "limit"} | memos | proofs,
        "overdrawn": {"document", "over"} | proofs,
        "view": {"document", "nonce", "issued", "proof"},
        "draw": draw,
        "draw-consented": draw | {"draft.consent.application", "draft.consent.asked", "draft.consent.proof"},
        "draw-moved": draw | {"draft.moves"},
        "disburse": {"draw", "proof"} | memos,
        "disburse-part": {"draw", "rest"} | memos | proofs,
        "reduce": {"draw", "amount"} | memos | proofs,
        "close": {"draw", "proof"},
        "apply": {"document", "draw", "key", "application", "expires", "consent", "proof"} | memos,
        "decide": {"draw", "proof"} | memos,
    }
    for name, request in requests().items():
        covered = {field.name: field.bits for field in fields_of(request.message)}
        assert set(covered) == expected[name], name
        if "draft.memos.owner" in covered:
            assert sum(covered.values()) > 36_000


def flips(message: Fields, exhaustive: bool) -> Iterator[tuple[Field, int]]:
    """All flips, or a seeded sample of them: in every field its first and last bit, the rest by length of the fields' roots."""
    random, listed = Random("bit flips"), list(fields_of(message))
    if exhaustive:
        yield from ((field, bit) for field in listed for bit in range(field.bits))
        return
    share = SAMPLE / sum(field.bits**0.5 for field in listed)
    for field in listed:
        count = max(4, round(share * field.bits**0.5))
        yield from ((field, bit) for bit in {0, field.bits - 1, *random.sample(range(field.bits), count)})


def test_every_flip_is_refused(request_: Request) -> None:
    accepted, refused = [], 0
    for field, bit in flips(request_.message, EXHAUSTIVE):
        try:
            request_.verify(field.flipped(request_.message, bit))
        except (ZkError, ValidationError):  # an epoch of 0 is refused before anything is decoded
            refused += 1
        else:
            accepted.append(f"bit {bit} of {field.name}")
    assert accepted == []
    assert refused >= SAMPLE


def test_flips_of_state_are_refused_too() -> None:
    """What the verifier itself holds: a proof for another document, head or residual is no proof for this one."""
    world = make_world(SUITE, b"flips of state")
    paper = make_register(world, 1_000_000).committed()
    operation = make_draw(world, paper, 600_000).operation
    state, parameters = paper.state, world.parameters
    changes: list[Callable[[int], Any]] = [
        lambda bit: {"document": flip(state.document, bit)},
        lambda bit: {"head": flip(state.head, bit)},
        lambda bit: {"epoch": state.epoch ^ 1 << bit % 16},
    ]
    random = Random("flips of state")
    for change in changes:
        for bit in random.sample(range(256), 6):
            changed = replace(state, **change(bit))
            with pytest.raises(ZkError):
                verify(SUITE, ledger.check_draw(SUITE, parameters, changed, operation))


def test_flips_of_heads_and_revisions_are_refused_too() -> None:
    """Steps are bound to the head of what they are a step of, and an attester's word to the revision."""
    world = make_world(SUITE, b"flips of heads")
    paper, parameters = make_register(world, 1_000_000).committed(), world.parameters
    drawn, loan = make_draw(world, paper, 600_000).committed()
    applied = make_apply(world, paper)
    application = applied.committed()
    decision = make_decide(world, paper, application, applied.key, ACCEPTED)
    frozen, lowered = make_status(world, drawn, FROZEN), make_amend(world, drawn, 1_000_000, 5)
    overdrawn = lowered.committed(drawn)
    shown, paid = make_overdrawn(world, overdrawn), make_disburse(world, drawn, loan).operation

    def flipped(state: Any, name: str, bit: int) -> Any:
        return replace(state, **{name: flip(getattr(state, name), bit)})

    checks: list[Callable[[int], list[Claim]]] = [
        lambda bit: ledger.check_status(SUITE, parameters, flipped(drawn.state, "revision", bit), frozen),
        lambda bit: ledger.check_amend(SUITE, parameters, flipped(drawn.state, "revision", bit), lowered.operation),
        lambda bit: ledger.check_overdrawn(SUITE, parameters, flipped(overdrawn.state, "head", bit), shown),
        lambda bit: ledger.check_decide(SUITE, parameters, paper.facts, flipped(application, "head", bit), decision),
        lambda bit: ledger.check_disburse(SUITE, parameters, drawn.facts, flipped(loan.state, "head", bit), paid),
    ]
    for check in checks:
        for bit in (0, 100, 255):
            with pytest.raises(ZkError):
                verify(SUITE, check(bit))
