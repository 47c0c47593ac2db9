"""Linear relations: the draft's ten validations, each by an instance that fails it and nothing else, and the serialization.

A failure would be: an instance accepted that proves nothing, two instances with one serialization, a parser that accepts what
the serializer would not write or that allocates what a header promises. Why the validations matter is shown on three of them: a
verifier without them accepts proofs made without any witness.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcore import engine
from zkcore.errors import IdentityError, InstanceError, LengthError, SigmaRejected, WitnessError, ZkError
from zkcore.group import ELEMENT_SIZE, Element, encode_scalar
from zkcore.randomness import SystemRandomness
from zkcore.relations import Equation, LinearRelation, parse_relation
from zkcore.secret.sigma import check_witness, prove_batchable
from zkcore.suite import Suite
from zkcore.verifying.sigma import verify_batchable, verify_compact

SUITE = engine.load("openssl")  # whose proofs are made by the Python code, which some tests bend
GROUP = SUITE.group
TAG = b"TRADEVEIL-TEST-RELATIONS"

Row = tuple[list[tuple[int, int]], list[tuple[int, int, int]]]


@pytest.fixture(params=engine.available())
def suite(request: pytest.FixtureRequest) -> Suite:
    return engine.load(request.param)


def relation(elements: list[Element], *rows: Row, group: Suite = SUITE) -> LinearRelation:
    """An instance over the generator and these elements; a row is (image, terms)."""
    equations = tuple(Equation(tuple(image), tuple(terms)) for image, terms in rows)
    return LinearRelation(group.group, (group.G, *elements), equations)


def knowledge(suite: Suite, scalar: int = 5) -> LinearRelation:
    """X = x*G: valid."""
    return relation([suite.group.mul(scalar, suite.G)], ([(1, 1)], [(0, 0, 1)]), group=suite)


# --- the ten validations --------------------------------------------------------------------------------------------------

IDENTITY, X, H = GROUP.identity(), GROUP.mul(5, SUITE.G), SUITE.H
GOOD: Row = ([(1, 1)], [(0, 0, 1)])

INVALID: dict[str, tuple[LinearRelation, type[ZkError]]] = {
    "1 no equation": (relation([]), InstanceError),
    "2 no terms": (relation([X], GOOD, ([(1, 1)], [])), InstanceError),
    "2 no image": (relation([X], GOOD, ([], [(0, 0, 1)])), InstanceError),
    "3 element index of 33 bits in an image": (relation([X], GOOD, ([(1 << 32, 1)], [(0, 0, 1)])), InstanceError),
    "3 element index of 33 bits in a term": (relation([X], GOOD, ([(1, 1)], [(0, 1 << 32, 1)])), InstanceError),
    "3 scalar index of 33 bits": (relation([X], ([(1, 1)], [(1 << 32, 0, 1)])), InstanceError),
    "3 negative element index": (relation([X], ([(-1, 1)], [(0, 0, 1)])), InstanceError),
    "3 negative scalar index": (relation([X], ([(1, 1)], [(-1, 0, 1)])), InstanceError),
    "4 element index too high in an image": (relation([X], GOOD, ([(2, 1)], [(0, 0, 1)])), InstanceError),
    "4 element index too high in a term": (relation([X], ([(1, 1)], [(0, 2, 1)])), InstanceError),
    "5 element in no equation": (relation([X, H], GOOD), InstanceError),
    "6 scalar in no equation": (relation([X], ([(1, 1)], [(1, 0, 1)])), InstanceError),
    "7 element 0 is not the generator": (LinearRelation(GROUP, (H, X), (Equation(((1, 1),), ((0, 0, 1),)),)), InstanceError),
    "7 no elements": (LinearRelation(GROUP, (), (Equation(((0, 1),), ((0, 0, 1),)),)), InstanceError),
    "8 an element is the identity": (relation([X, IDENTITY], ([(1, 1), (2, 1)], [(0, 0, 1)])), IdentityError),
    "9 an image is the identity": (relation([X], GOOD, ([(1, 1), (1, -1)], [(0, 0, 1)])), IdentityError),
    "9 an image of opposite elements": (relation([X, -X], GOOD, ([(1, 1), (2, 1)], [(0, 0, 1)])), IdentityError),
    "10 a column is the identity": (relation([X], ([(1, 1)], [(0, 0, 1), (1, 0, 1), (1, 0, -1)])), InstanceError),
    "10 a column of opposite elements": (
        relation([X, H, -H], ([(1, 1)], [(0, 0, 1), (1, 2, 1), (1, 3, 1)])),
        InstanceError,
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_instance_is_refused_everywhere(name: str) -> None:
    """By validation, by both verifiers and by the prover, before anything of a proof is looked at."""
    instance, error = INVALID[name]
    with pytest.raises(error):
        instance.validate()
    for verify in (verify_batchable, verify_compact):
        with pytest.raises(error):
            verify(TAG, instance, b"")
    with pytest.raises(error):
        prove_batchable(TAG, instance, [5] * min(instance.scalar_count, 2), SystemRandomness())


def test_valid_instances_pass(suite: Suite) -> None:
    group, g, h = suite.group, suite.G, suite.H
    commitment = group.mul(7, g) + group.mul(11, h)
    knowledge(suite).validate()
    relation([h, commitment], ([(2, 1)], [(0, 0, 1), (1, 1, 1)]), group=suite).validate()
    # A column may be the identity in one equation if it is not in another, and an element may stand twice.
    relation([h, h, commitment], ([(3, 1)], [(0, 0, 1), (1, 1, 1)]), ([(3, 2)], [(0, 0, 2), (1, 2, 2)]), group=suite).validate()
    rows = (([(1, 1)], [(0, 0, 1), (1, 0, 1), (1, 0, -1)]), ([(1, 1)], [(1, 0, 1)]))
    relation([group.mul(5, g)], *rows, group=suite).validate()


UNSOUND = {
    "6 scalar in no equation": ([0, 5], "responses that nothing checks"),
    "9 an image is the identity": ([5], "a second equation that holds for everybody"),
    "10 a column is the identity": ([5, 1], "a scalar that nothing fixes"),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_without_validation_a_proof_attests_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verifier that does not validate accepts proofs of such instances; some accept a response that was changed at will."""
    instance, _ = INVALID[name]
    if name.startswith("9"):
        instance = relation([X], ([(1, 1), (1, -1)], [(0, 0, 1)]))
    witness = [0] if name.startswith("9") else UNSOUND[name][0]
    monkeypatch.setattr(LinearRelation, "validate", lambda self: None)
    proof = prove_batchable(TAG, instance, witness, SystemRandomness())
    verify_batchable(TAG, instance, proof)
    if not name.startswith("9"):
        free = 0 if name.startswith("6") else 1
        at = len(proof) - 32 * (instance.scalar_count - free)
        verify_batchable(TAG, instance, proof[:at] + encode_scalar(GROUP, 1234) + proof[at + 32 :])
    monkeypatch.undo()
    with pytest.raises(ZkError):
        verify_batchable(TAG, instance, proof)


# --- witnesses ------------------------------------------------------------------------------------------------------------


def test_a_prover_refuses_a_wrong_witness(suite: Suite) -> None:
    instance = knowledge(suite, 5)
    for wrong in ([6], [], [5, 5], [0]):
        with pytest.raises(WitnessError):
            check_witness(instance, wrong)
        with pytest.raises(WitnessError):
            prove_batchable(TAG, instance, wrong, SystemRandomness())
    verify_batchable(TAG, instance, prove_batchable(TAG, instance, [5], SystemRandomness()))
    with pytest.raises(SigmaRejected):
        verify_batchable(b"another tag", instance, prove_batchable(TAG, instance, [5], SystemRandomness()))


# --- serialization --------------------------------------------------------------------------------------------------------

coefficients = st.integers(-3, 3) | st.integers(0, GROUP.order - 1)


@st.composite
def instances(draw: st.DrawFn) -> LinearRelation:
    """Well-formed instances, valid or not, whose highest element index is in use."""
    count = draw(st.integers(1, 4))
    index = st.integers(0, count)
    rows: list[Row] = draw(
        st.lists(
            st.tuples(
                st.lists(st.tuples(index, coefficients), min_size=1, max_size=3),
                st.lists(st.tuples(st.integers(0, 3), index, coefficients), min_size=1, max_size=4),
            ),
            min_size=1,
            max_size=4,
        )
    )
    rows.append(([(count, 1)], [(0, 0, 1)]))
    return relation([GROUP.mul(i + 2, H) for i in range(count)], *rows)


def reduced(instance: LinearRelation) -> LinearRelation:
    """The instance with its coefficients in [0, order), as an encoding has them."""
    order = instance.group.order
    rows = tuple(
        Equation(tuple((e, c % order) for e, c in row.image), tuple((s, e, c % order) for s, e, c in row.terms))
        for row in instance.equations
    )
    return LinearRelation(instance.group, instance.elements, rows)


@given(instances())
@settings(max_examples=60)
def test_serialization_round_trips(instance: LinearRelation) -> None:
    data = instance.serialized
    parsed = parse_relation(GROUP, data)
    assert parsed == reduced(instance)
    assert parsed.serialized == data
    for broken in (data[:-1], data + b"\0", data[:-ELEMENT_SIZE]):
        with pytest.raises((InstanceError, LengthError)):
            parse_relation(GROUP, broken)


def test_engines_serialize_alike() -> None:
    assert len({knowledge(engine.load(name)).serialized for name in engine.available()}) == 1


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


ONE = (1).to_bytes(32, "big")
ROW = u32(1) + u32(1) + ONE + u32(1) + u32(0) + u32(0) + ONE
MALFORMED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "three bytes": lambda: b"\1\0\0",
    "no equations": lambda: u32(0) + X.encode(),
    "no image": lambda: u32(1) + u32(0) + u32(1) + u32(0) + u32(0) + ONE + X.encode(),
    "no terms": lambda: u32(1) + u32(1) + u32(1) + ONE + u32(0) + X.encode(),
    "four thousand million equations": lambda: u32(2**32 - 1) + ROW + X.encode(),
    "four thousand million terms": lambda: u32(1) + u32(1) + u32(1) + ONE + u32(2**32 - 1) + u32(0) + u32(0) + ONE + X.encode(),
    "more equations than there are": lambda: u32(2) + ROW + X.encode(),
    "coefficient is the order": lambda: u32(1) + ROW[:-32] + GROUP.order.to_bytes(32, "big") + X.encode(),
    "element missing": lambda: u32(1) + ROW,
    "element superfluous": lambda: u32(1) + ROW + X.encode() + H.encode(),
    "element uncompressed": lambda: u32(1) + ROW + b"\4" + X.encode()[1:] + bytes(32),
    "element with prefix 04": lambda: u32(1) + ROW + b"\4" + X.encode()[1:],
    "element is the identity": lambda: u32(1) + ROW + bytes(33),
    "element index of four thousand million": lambda: u32(1) + u32(1) + u32(2**32 - 1) + ROW[8:] + X.encode(),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_serialization_is_refused(name: str) -> None:
    with pytest.raises(InstanceError):
        parse_relation(GROUP, MALFORMED[name]())


def test_the_identity_is_not_serialized() -> None:
    with pytest.raises(IdentityError):
        _ = relation([IDENTITY], GOOD).serialized
