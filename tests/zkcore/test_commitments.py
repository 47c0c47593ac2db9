"""Commitments with handles add up, for every reader.

Must hold: the sum and the difference of commitments open, under the owner's and under the regulator's key, to the sum and the
difference of the amounts, so that a residual needs no memory of past blindings; the codec is strict and inverse to itself. A
failure would be a balance that one reader opens to another figure than the other, or an encoding that stands for two values.
Nothing is said here about negative amounts, which range proofs exclude.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcore import engine
from zkcore.commitments import HANDLED_COMMITMENT_SIZE, HandledCommitment
from zkcore.errors import EncodingError, IdentityError, LengthError, PointError
from zkcore.randomness import SeededRandomness
from zkcore.secret.keys import ViewSecret
from zkcore.secret.opening import Opening, amount_point, check_amount
from zkcore.secret.operations import handled_commitment

SUITE = engine.load()
RANDOMNESS = SeededRandomness(b"commitments")
OWNER, REGULATOR = (ViewSecret.generate(SUITE, RANDOMNESS) for _ in range(2))

amounts = st.integers(0, (1 << 47) - 1)
blindings = st.integers(1, SUITE.group.order - 1)
openings = st.builds(Opening, amounts, blindings)


def commit(opening: Opening) -> HandledCommitment:
    return handled_commitment(SUITE, opening, OWNER.public(SUITE), REGULATOR.public(SUITE))


def opens(handled: HandledCommitment, amount: int) -> None:
    for secret, reader in ((OWNER, "owner"), (REGULATOR, "regulator")):
        check_amount(SUITE, secret, handled.commitment, handled.handle(reader), amount)


@settings(max_examples=25)
@given(openings, openings)
def test_sums_and_differences_open_for_both_readers(one: Opening, two: Opening) -> None:
    opens(commit(one) + commit(two), one.amount + two.amount)
    high, low = sorted((one, two), key=lambda opening: opening.amount, reverse=True)
    if high.blinding != low.blinding:
        opens(commit(high) - commit(low), high.amount - low.amount)


@settings(max_examples=15)
@given(openings, openings)
def test_a_difference_below_zero_opens_to_no_amount(one: Opening, two: Opening) -> None:
    """It wraps around the group's order: what stands there is minus the amount, which only a range proof can tell apart."""
    high, low = sorted((one, two), key=lambda opening: opening.amount, reverse=True)
    wrapped = commit(low) - commit(high)
    point = amount_point(SUITE, OWNER, wrapped.commitment, wrapped.owner)
    assert point == -SUITE.group.msm([high.amount - low.amount], [SUITE.G])


@settings(max_examples=15)
@given(openings, openings, openings)
def test_the_order_of_operations_does_not_matter(one: Opening, two: Opening, three: Opening) -> None:
    a, b, c = commit(one), commit(two), commit(three)
    assert (a + b) + c == a + (b + c) == c + b + a
    assert a + b - b == a


@settings(max_examples=15)
@given(openings)
def test_the_codec_is_inverse_to_itself(opening: Opening) -> None:
    handled = commit(opening)
    data = handled.encode()
    assert len(data) == HANDLED_COMMITMENT_SIZE
    assert HandledCommitment.decode(SUITE.group, data) == handled
    assert HandledCommitment.decode(SUITE.group, data).encode() == data


@pytest.mark.parametrize("size", [0, 1, 98, 100, 198])
def test_other_lengths_are_refused(size: int) -> None:
    data = (commit(Opening(5, 7)).encode() * 2)[:size]
    with pytest.raises(LengthError):
        HandledCommitment.decode(SUITE.group, data)


@pytest.mark.parametrize("part", [0, 33, 66])
def test_a_bad_point_in_any_part_is_refused(part: int) -> None:
    data = bytearray(commit(Opening(5, 7)).encode())
    data[part] = 4
    with pytest.raises(PointError):
        HandledCommitment.decode(SUITE.group, bytes(data))
    data[part : part + 33] = bytes(33)
    with pytest.raises(PointError):
        HandledCommitment.decode(SUITE.group, bytes(data))


def test_the_identity_has_no_encoding() -> None:
    handled = commit(Opening(5, 7))
    with pytest.raises(IdentityError):
        (handled - handled).encode()


def test_there_are_two_readers() -> None:
    with pytest.raises(EncodingError):
        commit(Opening(5, 7)).handle("bank")
