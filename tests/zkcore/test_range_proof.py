"""Range proofs: what is true can be proven, what is proven can be read in one way only, and nothing else is accepted.

Must hold: every value in [0, 2**bits) has a proof that both equations accept, on every engine, for every size that is offered;
the same randomness gives the same bytes on every engine; the equations agree with a verifier written as in the paper. A
failure: any other encoding, size, statement or context is accepted, or refused with another error than the one named. Not a
failure: two proofs of one statement differ (they are not identifiers).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcore import engine
from zkcore.errors import (
    BatchRejected,
    EncodingError,
    IdentityError,
    LengthError,
    PointError,
    RangeRejected,
    ScalarError,
    WitnessError,
    ZkError,
)
from zkcore.group import ELEMENT_SIZE, SCALAR_SIZE, Element
from zkcore.randomness import SeededRandomness, SystemRandomness, random_scalar
from zkcore.secret.range_proof import prove_range
from zkcore.suite import Suite
from zkcore.transcript import derive_session_id
from zkcore.verifying.batch import RangeClaim, verify
from zkcore.verifying.equation import Equation
from zkcore.verifying.range_proof import (
    SCHEME_BULLETPROOFS,
    SUPPORTED_BITS,
    SUPPORTED_COUNTS,
    RangeProof,
    RangeTranscript,
    delta,
    proof_size,
    range_equations,
)

SESSION = derive_session_id(b"TRADEVEIL-TEST-RANGE-PROOFS")
OTHER_SESSION = derive_session_id(b"TRADEVEIL-TEST-RANGE-PROOFS, another context")

Openings = Sequence[tuple[int, int]]


@pytest.fixture(scope="session", params=engine.available())
def suite(request: pytest.FixtureRequest) -> Suite:
    """The suite over each engine that is present."""
    return engine.load(request.param)


def commit(suite: Suite, openings: Openings) -> tuple[Element, ...]:
    mul = suite.group.mul
    return tuple(mul(value, suite.G) + mul(blinding, suite.H) for value, blinding in openings)


def value_of(suite: Suite, equation: Equation) -> Element:
    """What the equation claims to be the identity."""
    vector_g, vector_h = suite.vectors(len(equation.gs))
    scalars = [equation.g, equation.h, *equation.gs, *equation.hs, *(scalar for scalar, _ in equation.terms)]
    return suite.group.msm(scalars, [suite.G, suite.H, *vector_g, *vector_h, *(element for _, element in equation.terms)])


def check(suite: Suite, values: Sequence[Element], bits: int, proof: bytes, session_id: bytes = SESSION) -> None:
    """Verify one proof as the service does. Raises the error of the proof itself."""
    try:
        verify(suite, [RangeClaim("range", session_id, tuple(values), bits, proof)])
    except BatchRejected as rejected:
        ((_, error),) = rejected.failures
        raise error from None


def some_openings(bits: int, count: int) -> list[tuple[int, int]]:
    """The largest value, zero, and others between, with blindings that differ."""
    largest = (1 << bits) - 1
    return [(largest // divisor, 1000 + divisor) for divisor in (1, largest + 1, 2, 3, 5, 7, 11, 13)][:count]


# --- what is true can be proven -------------------------------------------------------------------------------------------


# Pure Python takes seconds for the large sizes; those that are quick show that it agrees.
SIZES = [
    (name, bits, count)
    for name, bits, count in itertools.product(engine.available(), SUPPORTED_BITS, SUPPORTED_COUNTS)
    if name != "reference" or bits * count <= 64
]


@pytest.mark.parametrize("name,bits,count", SIZES)
def test_every_size_is_complete(name: str, bits: int, count: int) -> None:
    suite, openings = engine.load(name), some_openings(bits, count)
    proof = prove_range(suite, SESSION, openings, bits, SystemRandomness())
    assert len(proof) == proof_size(bits, count)
    check(suite, commit(suite, openings), bits, proof)


@pytest.mark.parametrize("bits", SUPPORTED_BITS)
def test_the_bounds_are_in_range(suite: Suite, bits: int) -> None:
    for value in (0, 1, (1 << bits) - 1):
        openings = [(value, 7)]
        check(suite, commit(suite, openings), bits, prove_range(suite, SESSION, openings, bits, SystemRandomness()))


@pytest.mark.parametrize("bits", SUPPORTED_BITS)
def test_the_prover_refuses_what_is_out_of_range(suite: Suite, bits: int) -> None:
    order = suite.group.order
    for value in (-1, -5, 1 << bits, order - 5, order, 2**255):
        with pytest.raises(WitnessError) as refusal:
            prove_range(suite, SESSION, [(3, 4), (value, 7)], bits, SystemRandomness())
        assert str(value) not in str(refusal.value)


@settings(max_examples=8)
@given(data=st.data())
def test_values_and_blindings_of_all_kinds(suite: Suite, data: st.DataObject) -> None:
    bits, count = data.draw(st.sampled_from((8, 16))), data.draw(st.sampled_from((1, 2)))
    order = suite.group.order
    blinding = st.one_of(st.integers(1, order - 1), st.sampled_from((1, order - 1, -1, order + 1, 2**300)))
    opening = st.tuples(st.integers(0, (1 << bits) - 1), blinding)
    openings = data.draw(st.lists(opening, min_size=count, max_size=count))
    proof = prove_range(suite, SESSION, openings, bits, SeededRandomness(data.draw(st.binary(max_size=4))))
    values = commit(suite, openings)
    check(suite, values, bits, proof)
    for equation in range_equations(suite, SESSION, values, bits, proof):
        assert value_of(suite, equation).is_identity


def test_a_blinding_may_be_zero_but_not_with_the_value_zero(suite: Suite) -> None:
    openings = [(5, 0)]
    check(suite, commit(suite, openings), 8, prove_range(suite, SESSION, openings, 8, SystemRandomness()))
    with pytest.raises(IdentityError):
        prove_range(suite, SESSION, [(0, 0)], 8, SystemRandomness())


# --- one protocol, several engines ----------------------------------------------------------------------------------------


@settings(max_examples=5)
@given(
    values=st.lists(st.integers(0, 2**8 - 1), min_size=2, max_size=2),
    blindings=st.lists(st.integers(1, 2**256), min_size=2, max_size=2),
    seed=st.binary(max_size=8),
)
def test_engines_make_the_same_bytes_and_accept_each_others(values: list[int], blindings: list[int], seed: bytes) -> None:
    suites = [engine.load(name) for name in engine.available()]
    if len(suites) < 2:
        pytest.skip("only one engine is present")
    openings = list(zip(values, blindings, strict=True))
    proofs = {suite.engine: prove_range(suite, SESSION, openings, 8, SeededRandomness(seed)) for suite in suites}
    assert len(set(proofs.values())) == 1
    for suite, proof in itertools.product(suites, proofs.values()):
        check(suite, commit(suite, openings), 8, proof)


def test_randomness_is_drawn_in_the_documented_order(suite: Suite) -> None:
    group, order = suite.group, suite.group.order
    proof = prove_range(suite, SESSION, [(0xA5, 77)], 8, SeededRandomness(b"order"))
    stream = SeededRandomness(b"order")
    alpha, rho, *masks, tau_1, tau_2 = [random_scalar(stream, group) for _ in range(2 + 16 + 2)]

    parts = RangeProof.decode(suite, proof, 8, 1)
    transcript = RangeTranscript(suite, SESSION, 8, commit(suite, [(0xA5, 77)]))
    _, z = transcript.vectors(parts.A, parts.S)
    x = transcript.polynomial(parts.T1, parts.T2)
    value_bits = [1, 0, 1, 0, 0, 1, 0, 1]
    vector_g, vector_h = suite.vectors(8)
    bases = [suite.H, *vector_g, *vector_h]
    assert group.msm([alpha, *value_bits, *(bit - 1 for bit in value_bits)], bases) == parts.A
    assert group.msm([rho, *masks], bases) == parts.S
    assert parts.mu == (alpha + rho * x) % order
    assert parts.tau_x == (tau_2 * x * x + tau_1 * x + z * z * 77) % order


# --- the equations say what the paper says --------------------------------------------------------------------------------


def textbook_verdict(suite: Suite, values: Sequence[Element], bits: int, proof: bytes) -> tuple[bool, bool]:
    """The two checks of the paper, one after the other, with the generators folded as the prover folds them."""
    group, order, size = suite.group, suite.group.order, bits * len(values)
    parts = RangeProof.decode(suite, proof, bits, len(values))
    transcript = RangeTranscript(suite, SESSION, bits, values)
    y, z = transcript.vectors(parts.A, parts.S)
    x = transcript.polynomial(parts.T1, parts.T2)
    w = transcript.evaluation(parts.t_x, parts.tau_x, parts.mu)

    places = [pow(z, 2 + index // bits, order) * 2 ** (index % bits) for index in range(size)]
    known = (z - z * z) * sum(pow(y, i, order) for i in range(size)) - z * sum(places)
    assert delta(order, bits, len(values), y, z) == known % order
    weights = [pow(z, 2 + j, order) for j in range(len(values))]
    first = group.msm([parts.t_x, parts.tau_x], [suite.G, suite.H]) == group.msm(
        [*weights, known, x, x * x], [*values, suite.G, parts.T1, parts.T2]
    )

    vector_g, vector_h = suite.vectors(size)
    gs = list(vector_g)
    hs = [group.mul(pow(y, -i, order), element) for i, element in enumerate(vector_h)]
    exponents = [z * pow(y, i, order) + place for i, place in enumerate(places)]
    point = group.msm(
        [1, x, -parts.mu, w * parts.t_x, *[-z] * size, *exponents], [parts.A, parts.S, suite.H, suite.G, *gs, *hs]
    )
    for left, right in parts.rounds:
        u = transcript.folding(left, right)
        inverse, half = pow(u, -1, order), len(gs) // 2
        gs = [group.msm([inverse, u], pair) for pair in zip(gs[:half], gs[half:], strict=True)]
        hs = [group.msm([u, inverse], pair) for pair in zip(hs[:half], hs[half:], strict=True)]
        point = group.msm([u * u, 1, inverse * inverse], [left, point, right])
    second = point == group.msm([parts.a, parts.b, parts.a * parts.b * w], [gs[0], hs[0], suite.G])
    return first, second


@pytest.mark.parametrize("bits,count", [(8, 1), (8, 2), (16, 1)])
def test_the_equations_agree_with_the_textbook(suite: Suite, bits: int, count: int) -> None:
    openings = some_openings(bits, count)
    values = commit(suite, openings)
    proof = prove_range(suite, SESSION, openings, bits, SystemRandomness())
    assert textbook_verdict(suite, values, bits, proof) == (True, True)

    final_b = bytearray(proof)
    final_b[-1] ^= 1
    other_values = (*values[:-1], values[-1] + suite.G)
    for changed, statement in ((bytes(final_b), values), (proof, other_values)):
        verdict = tuple(value_of(suite, e).is_identity for e in range_equations(suite, SESSION, statement, bits, changed))
        assert verdict == textbook_verdict(suite, statement, bits, changed)
        assert verdict != (True, True)


# --- what is not a proof --------------------------------------------------------------------------------------------------

BITS, OPENINGS = 8, [(200, 11), (0, 12)]
POINTS = 4  # A, S, T1, T2 stand first, then three scalars, then L and R of four rounds, then two scalars
ROUNDS = 4


@pytest.fixture(scope="session")
def values(suite: Suite) -> tuple[Element, ...]:
    return commit(suite, OPENINGS)


@pytest.fixture(scope="session")
def proof(suite: Suite) -> bytes:
    """The accepted proof that every refused one below was made from."""
    return prove_range(suite, SESSION, OPENINGS, BITS, SeededRandomness(b"accepted"))


def offsets_of_points() -> list[int]:
    second = 1 + POINTS * ELEMENT_SIZE + 3 * SCALAR_SIZE
    return [1 + i * ELEMENT_SIZE for i in range(POINTS)] + [second + i * ELEMENT_SIZE for i in range(2 * ROUNDS)]


def offsets_of_scalars() -> list[int]:
    first = 1 + POINTS * ELEMENT_SIZE
    second = first + 3 * SCALAR_SIZE + 2 * ROUNDS * ELEMENT_SIZE
    return [first + i * SCALAR_SIZE for i in range(3)] + [second, second + SCALAR_SIZE]


def spliced(proof: bytes, offset: int, part: bytes) -> bytes:
    return proof[:offset] + part + proof[offset + len(part) :]


def test_the_accepted_proof_is_accepted(suite: Suite, values: tuple[Element, ...], proof: bytes) -> None:
    check(suite, values, BITS, proof)
    assert len(proof) == 1 + 33 * 4 + 32 * 3 + 33 * 2 * ROUNDS + 32 * 2


def _without_a_round(proof: bytes) -> bytes:
    return proof[:-64][: -2 * ELEMENT_SIZE] + proof[-64:]


def _with_a_round_more(proof: bytes) -> bytes:
    return proof[:-64] + proof[-64 - 2 * ELEMENT_SIZE : -64] + proof[-64:]


def _with_half_a_round_more(proof: bytes) -> bytes:
    return proof[:-64] + proof[-64 - ELEMENT_SIZE : -64] + proof[-64:]


@pytest.mark.parametrize(
    "mutate",
    [
        lambda proof: b"",
        lambda proof: proof[:1],
        lambda proof: proof[:-1],
        lambda proof: proof[:-SCALAR_SIZE],
        lambda proof: proof + b"\x00",
        lambda proof: proof + proof,
        lambda proof: proof + bytes(1 << 20),
        lambda proof: proof[1:],
        _without_a_round,
        _with_a_round_more,
        _with_half_a_round_more,
    ],
)
def test_other_lengths(suite: Suite, values: tuple[Element, ...], proof: bytes, mutate: Callable[[bytes], bytes]) -> None:
    with pytest.raises(LengthError):
        range_equations(suite, SESSION, values, BITS, mutate(proof))


@pytest.mark.parametrize("scheme", [0, 2, 0x80, 0xFF])
def test_other_schemes(suite: Suite, values: tuple[Element, ...], proof: bytes, scheme: int) -> None:
    assert proof[0] == SCHEME_BULLETPROOFS
    with pytest.raises(EncodingError):
        range_equations(suite, SESSION, values, BITS, spliced(proof, 0, bytes([scheme])))


def test_points_that_are_none(suite: Suite, values: tuple[Element, ...], proof: bytes) -> None:
    x_too_large = b"\x02" + suite.group.p.to_bytes(32, "big")
    not_on_the_curve = b"\x02" + (5).to_bytes(32, "big")
    identity = bytes(ELEMENT_SIZE)
    for offset in offsets_of_points():
        encoding = proof[offset : offset + ELEMENT_SIZE]
        prefixed = [bytes([prefix]) + encoding[1:] for prefix in (0, 1, 4, 5, 6, 7, 0xFF)]
        for part in (identity, x_too_large, not_on_the_curve, b"\x03" + b"\xff" * 32, *prefixed):
            with pytest.raises(PointError):
                range_equations(suite, SESSION, values, BITS, spliced(proof, offset, part))


def test_scalars_that_are_too_large(suite: Suite, values: tuple[Element, ...], proof: bytes) -> None:
    order = suite.group.order
    for offset in offsets_of_scalars():
        scalar = int.from_bytes(proof[offset : offset + SCALAR_SIZE], "big")
        again = [scalar + order] if scalar + order < 2**256 else []
        for number in (order, 2**256 - 1, *again):
            with pytest.raises(ScalarError):
                range_equations(suite, SESSION, values, BITS, spliced(proof, offset, number.to_bytes(32, "big")))


def test_zero_scalars_are_read_and_refused(suite: Suite, values: tuple[Element, ...], proof: bytes) -> None:
    for offset in offsets_of_scalars():
        with pytest.raises(RangeRejected):
            check(suite, values, BITS, spliced(proof, offset, bytes(SCALAR_SIZE)))


@pytest.mark.parametrize("bits", [-8, 0, 1, 7, 9, 12, 24, 63, 65, 128, 256, 2**40])
def test_bits_that_are_not_offered(suite: Suite, values: tuple[Element, ...], proof: bytes, bits: int) -> None:
    with pytest.raises(EncodingError):
        range_equations(suite, SESSION, values, bits, proof)
    with pytest.raises(EncodingError):
        prove_range(suite, SESSION, OPENINGS, bits, SystemRandomness())
    with pytest.raises(EncodingError):
        proof_size(bits, 1)


@pytest.mark.parametrize("count", [0, 3, 5, 6, 7, 9, 16])
def test_counts_that_are_not_offered(suite: Suite, values: tuple[Element, ...], proof: bytes, count: int) -> None:
    with pytest.raises(EncodingError):
        range_equations(suite, SESSION, (values * 8)[:count], BITS, proof)
    with pytest.raises(EncodingError):
        prove_range(suite, SESSION, (OPENINGS * 8)[:count], BITS, SystemRandomness())
    with pytest.raises(EncodingError):
        proof_size(8, count)


def test_a_value_that_is_the_identity(suite: Suite, values: tuple[Element, ...], proof: bytes) -> None:
    identity = suite.group.identity()
    for statement in ((identity, values[1]), (values[0], identity)):
        with pytest.raises(IdentityError):
            range_equations(suite, SESSION, statement, BITS, proof)


@pytest.mark.parametrize("session_id", [b"", SESSION[:-1], SESSION + b"\x00"])
def test_a_session_id_of_another_length(suite: Suite, values: tuple[Element, ...], proof: bytes, session_id: bytes) -> None:
    with pytest.raises(LengthError):
        range_equations(suite, session_id, values, BITS, proof)
    with pytest.raises(LengthError):
        prove_range(suite, session_id, OPENINGS, BITS, SystemRandomness())


def test_another_statement_or_context(suite: Suite, values: tuple[Element, ...], proof: bytes) -> None:
    first, second = values
    other_statements = [(second, first), (first, first), (first, second + suite.G), (first, second + suite.H), (-first, second)]
    for statement in other_statements:
        with pytest.raises(RangeRejected):
            check(suite, statement, BITS, proof)
    with pytest.raises(RangeRejected):
        check(suite, values, BITS, proof, OTHER_SESSION)


def test_another_size_of_the_same_length(suite: Suite, values: tuple[Element, ...], proof: bytes) -> None:
    """N = 16 both as two values of 8 bits and as one of 16: the bytes parse either way, and mean one."""
    assert proof_size(16, 1) == proof_size(8, 2)
    for value in values:
        with pytest.raises(RangeRejected):
            check(suite, [value], 16, proof)
    single = prove_range(suite, SESSION, [(200, 11)], 16, SystemRandomness())
    check(suite, values[:1], 16, single)
    with pytest.raises(RangeRejected):
        check(suite, (values[0], values[0]), 8, single)


def test_another_size_of_another_length(suite: Suite, values: tuple[Element, ...], proof: bytes) -> None:
    with pytest.raises(LengthError):
        range_equations(suite, SESSION, values, 16, proof)
    with pytest.raises(LengthError):
        range_equations(suite, SESSION, values[:1], BITS, proof)
    with pytest.raises(LengthError):
        range_equations(suite, SESSION, values * 2, BITS, proof)


def test_one_bit_of_every_byte(suite: Suite, values: tuple[Element, ...], proof: bytes) -> None:
    step = 13 if suite.engine == "reference" else 1  # pure Python would take half a minute
    for index in range(0, len(proof), step):
        flipped = spliced(proof, index, bytes([proof[index] ^ 1 << index % 8]))
        with pytest.raises((EncodingError, PointError, ScalarError, RangeRejected)):
            check(suite, values, BITS, flipped)


def test_parts_of_two_proofs_do_not_mix(suite: Suite, values: tuple[Element, ...], proof: bytes) -> None:
    other = prove_range(suite, SESSION, OPENINGS, BITS, SystemRandomness())
    assert other != proof
    for offset, size in [*((o, ELEMENT_SIZE) for o in offsets_of_points()), *((o, SCALAR_SIZE) for o in offsets_of_scalars())]:
        with pytest.raises(RangeRejected):
            check(suite, values, BITS, spliced(proof, offset, other[offset : offset + size]))


def test_a_challenge_that_is_zero(
    suite: Suite, values: tuple[Element, ...], proof: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "twin", None)  # an engine's own code cannot be bent like this
    monkeypatch.setattr("zkcore.verifying.range_proof.decode_uint", lambda data, modulus: 0)
    with pytest.raises(RangeRejected):
        range_equations(suite, SESSION, values, BITS, proof)
    with pytest.raises(RangeRejected):
        prove_range(suite, SESSION, OPENINGS, BITS, SystemRandomness())


# --- the codec ------------------------------------------------------------------------------------------------------------


def test_a_proof_is_written_as_it_was_read(suite: Suite, proof: bytes) -> None:
    parts = RangeProof.decode(suite, proof, BITS, 2)
    assert parts.encode(suite.group) == proof
    assert len(parts.rounds) == ROUNDS


def test_the_repr_shows_the_length_only(suite: Suite, proof: bytes) -> None:
    assert repr(RangeProof.decode(suite, proof, BITS, 2)) == f"RangeProof({len(proof)} bytes)"


@pytest.mark.parametrize("bits,count,size", [(8, 1, 491), (64, 1, 689), (64, 2, 755), (64, 8, 887)])
def test_sizes(bits: int, count: int, size: int) -> None:
    assert proof_size(bits, count) == size


@settings(max_examples=200)
@given(data=st.one_of(st.binary(max_size=600), st.binary(min_size=491, max_size=491)))
def test_arbitrary_bytes_are_refused_in_the_family(data: bytes) -> None:
    suite = engine.load()
    with pytest.raises(ZkError):
        check(suite, commit(suite, [(1, 1)]), 8, data)
