"""Every bit of a draw request counts: flipped, the request is refused.

Covered is every byte of a whole draw with a consent (and of one without): ids, key, commitment and handles, expiry, consent,
memos and all proofs. A flip that is accepted is a failure, and so is any other exception than a refusal. With
TRADEVEIL_EXHAUSTIVE=1 every single bit of both requests is flipped (minutes); otherwise a seeded sample over every field.

Speed: a flip is refused as soon as one claim is, so the claims are verified one at a time, those first that a flip of this
field must falsify; half of the flipped points are no points and cost nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from schemas.messages import DrawMessage
from schemas.wire import decode_base64url, encode_base64url
from tests.builders import Paper, World, flip, make_draw, make_register, make_world
from zkcore import engine, ledger
from zkcore.errors import ZkError
from zkcore.operations import Draw
from zkcore.verifying.batch import verify

EXHAUSTIVE = os.environ.get("TRADEVEIL_EXHAUSTIVE") == "1"
SAMPLE = 125
"""Flips of a request when not exhaustive; each field gets at least a few."""
EXPIRES_BITS = 48

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
    """Every field that is bytes or a number. The prover is a word of two, and its exchange is a vector."""
    for name, value in message.items():
        here = (*path, name)
        if isinstance(value, dict):
            yield from fields_of(value, here)
        elif isinstance(value, int):
            yield Field(here, EXPIRES_BITS)
        elif value is not None and here != ("headroom", "prover"):
            yield Field(here, 8 * len(decode_base64url(value)))


@dataclass(frozen=True)
class Request:
    """A draw that is accepted, and the state that it is accepted on."""

    world: World
    paper: Paper
    message: Fields

    def verify(self, message: Fields) -> None:
        """Decode and verify, claim by claim, the cheap ones first. Raises ZkError as soon as one is refused."""
        operation = DrawMessage.model_validate(message).decode(SUITE.group)
        claims = ledger.check_draw(SUITE, self.world.parameters, self.paper.state, operation)
        for claim in claims:
            verify(SUITE, [claim])


def make_request(consented: bool) -> Request:
    world = make_world(SUITE, b"bit flips")
    paper = make_register(world, 1_000_000).committed()
    operation: Draw = make_draw(world, paper, 600_000, consented=consented).operation
    return Request(world, paper, DrawMessage.of(operation).model_dump(mode="json"))


@pytest.fixture(scope="module", params=[False, True], ids=["by-owner", "consented"])
def request_(request: pytest.FixtureRequest) -> Request:
    return make_request(request.param)


def test_the_request_itself_is_accepted(request_: Request) -> None:
    request_.verify(request_.message)


def test_every_byte_is_covered(request_: Request) -> None:
    """The fields that are flipped are the message: nothing was forgotten when a field was added."""
    covered = {field.name: field.bits for field in fields_of(request_.message)}
    expected = {"draft.document", "draft.draw", "draft.key", "draft.amount", "draft.expires", "draft.proof"}
    expected |= {"draft.memos.owner", "draft.memos.regulator", "headroom.left", "headroom.proof", "headroom.range_proof"}
    if request_.message["draft"]["consent"]:
        expected |= {"draft.consent.application", "draft.consent.asked", "draft.consent.proof"}
    assert set(covered) == expected
    assert sum(covered.values()) > 36_000


def flips(message: Fields, exhaustive: bool) -> Iterator[tuple[Field, int]]:
    """All flips, or a seeded sample of them: in every field its first and last bit, the rest by length of the fields' roots."""
    random, fields = Random("bit flips"), list(fields_of(message))
    if exhaustive:
        yield from ((field, bit) for field in fields for bit in range(field.bits))
        return
    share = SAMPLE / sum(field.bits**0.5 for field in fields)
    for field in fields:
        count = max(4, round(share * field.bits**0.5))
        yield from ((field, bit) for bit in {0, field.bits - 1, *random.sample(range(field.bits), count)})


def test_every_flip_is_refused(request_: Request) -> None:
    accepted, refused = [], 0
    for field, bit in flips(request_.message, EXHAUSTIVE):
        try:
            request_.verify(field.flipped(request_.message, bit))
        except ZkError:
            refused += 1
        else:
            accepted.append(f"bit {bit} of {field.name}")
    assert accepted == []
    assert refused >= (36_000 if EXHAUSTIVE else SAMPLE)


def test_flips_of_state_are_refused_too(request_: Request) -> None:
    """What the verifier itself holds: a proof for another document, head or residual is no proof for this one."""
    state, parameters = request_.paper.state, request_.world.parameters
    operation = DrawMessage.model_validate(request_.message).decode(SUITE.group)
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
