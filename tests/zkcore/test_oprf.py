"""Oblivious evaluation is RFC 9497, and a client accepts nothing but what the published key evaluated.

A failure would be: bytes other than the official vectors say; an output that depends on the blinding; an evaluation accepted
that was made in part or whole with another key, or for other elements; an identity, empty batch or malformed proof that passes.
That two evaluations of one input have one output is no failure, it is what the function is for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkcore.errors import EvaluationRejected, IdentityError, KeyRejected, LengthError, ScalarError, ZkError
from zkcore.group import Element
from zkcore.oprf import client, suite
from zkcore.oprf.client import Blinding, blind, finalize
from zkcore.oprf.evaluator import EvaluationKey, evaluate
from zkcore.randomness import SeededRandomness, SystemRandomness

Read = Callable[[str], Any]

GROUP = suite.group()
KEY = EvaluationKey.derive(bytes([0xA3]) * 32, b"test key")
INPUTS = [b"\x00", b"Z" * 17, b""]


class Fixed:
    """Randomness that makes these scalars, one after the other."""

    def __init__(self, *scalars: int) -> None:
        self._scalars = list(scalars)

    def read(self, size: int) -> bytes:
        return self._scalars.pop(0).to_bytes(size, "little")


def evaluated() -> tuple[Blinding, list[Element], bytes]:
    blinding = blind(INPUTS, SeededRandomness(b"client"))
    return blinding, *evaluate(KEY, blinding.elements, SeededRandomness(b"evaluator"))


def test_known_answer() -> None:
    """RFC 9497, appendix A.3.2, vector 1."""
    blinding = blind([b"\x00"], Fixed(0x3338FA65EC36E0290022B48EB562889D89DBFA691D1CDE91517FA222ED7AD364))
    assert blinding.elements[0].encode().hex() == "02dd05901038bb31a6fae01828fd8d0e49e35a486b5c5d4b4994013648c01277da"
    answer, proof = evaluate(KEY, blinding.elements, Fixed(0xF9DB001266677F62C095021DB018CD8CBB55941D4073698CE45C405D1348B7B1))
    assert answer[0].encode().hex() == "0209f33cab60cf8fe69239b0afbcfcd261af4c1c5632624f2e9ba29b90ae83e4a2"
    assert proof.hex().startswith("e7c2b3c5c954c035949f1f74e6bce2ed539a3be267d1481e9ddb178533df4c26")
    outputs = finalize(blinding, KEY.public(), answer, proof)
    assert outputs[0].hex() == "0412e8f78b02c415ab3a288e228978376f99927767ff37c5718d420010a645a1"


def test_official_vectors(official_vectors: Read) -> None:
    [own] = [s for s in official_vectors("voprf/allVectors.json") if (s["identifier"], s["mode"]) == ("P256-SHA256", 1)]
    key = EvaluationKey.derive(bytes.fromhex(own["seed"]), bytes.fromhex(own["keyInfo"]))
    assert key.encode().hex() == own["skSm"]
    assert key.public().encode().hex() == own["pkSm"]
    assert len(own["vectors"]) == 3
    for vector in own["vectors"]:
        inputs = [bytes.fromhex(data) for data in vector["Input"].split(",")]
        blinding = blind(inputs, Fixed(*(int(scalar, 16) for scalar in vector["Blind"].split(","))))
        assert [element.encode().hex() for element in blinding.elements] == vector["BlindedElement"].split(",")
        answer, proof = evaluate(key, blinding.elements, Fixed(int(vector["Proof"]["r"], 16)))
        assert [element.encode().hex() for element in answer] == vector["EvaluationElement"].split(",")
        assert proof.hex() == vector["Proof"]["proof"]
        assert [data.hex() for data in finalize(blinding, key.public(), answer, proof)] == vector["Output"].split(",")


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=6))
def test_outputs_depend_on_key_and_input_alone(inputs: list[bytes]) -> None:
    def outputs(key: EvaluationKey) -> list[bytes]:
        blinding = blind(inputs, SystemRandomness())
        return finalize(blinding, key.public(), *evaluate(key, blinding.elements, SystemRandomness()))

    first = outputs(KEY)
    assert first == outputs(KEY)
    assert len(set(first)) == len(set(inputs))
    assert not set(first) & set(outputs(EvaluationKey.generate(SystemRandomness())))


def test_what_is_sent_is_never_the_same() -> None:
    sent = [blind([b"same"], SystemRandomness()).elements[0].encode() for _ in range(20)]
    assert len(set(sent)) == 20
    assert suite.hash_to_group(b"same").encode() not in sent


def test_every_flipped_bit_of_a_proof_is_refused() -> None:
    blinding, answer, proof = evaluated()
    for position in range(8 * len(proof)):
        mutated = bytearray(proof)
        mutated[position // 8] ^= 1 << position % 8
        with pytest.raises((EvaluationRejected, ScalarError)):
            finalize(blinding, KEY.public(), answer, bytes(mutated))


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_a_proof_has_64_bytes(size: int) -> None:
    blinding, answer, proof = evaluated()
    with pytest.raises(LengthError):
        finalize(blinding, KEY.public(), answer, (proof + proof)[:size])


@pytest.mark.parametrize("half", [0, 1])
def test_a_scalar_of_a_proof_is_below_the_order(half: int) -> None:
    blinding, answer, proof = evaluated()
    parts = [proof[:32], proof[32:]]
    parts[half] = (int.from_bytes(parts[half], "big") % 2**32 + GROUP.order).to_bytes(32, "big")
    with pytest.raises(ScalarError):
        finalize(blinding, KEY.public(), answer, b"".join(parts))


def test_another_key_is_refused() -> None:
    blinding, answer, proof = evaluated()
    other = EvaluationKey.generate(SystemRandomness())
    with pytest.raises(EvaluationRejected):
        finalize(blinding, other.public(), answer, proof)
    with pytest.raises(EvaluationRejected):
        finalize(blinding, KEY.public(), *evaluate(other, blinding.elements, SystemRandomness()))
    with pytest.raises(KeyRejected):
        finalize(blinding, GROUP.identity(), answer, proof)


def test_one_element_of_another_key_is_refused() -> None:
    blinding, answer, _ = evaluated()
    other = EvaluationKey.generate(SystemRandomness())
    for place in range(len(answer)):
        mixed = list(answer)
        mixed[place] = GROUP.mul(other.scalar, blinding.elements[place])
        with pytest.raises(EvaluationRejected):
            finalize(blinding, KEY.public(), mixed, _proof_over(blinding.elements, mixed))


def test_swapped_elements_are_refused() -> None:
    blinding, answer, proof = evaluated()
    with pytest.raises(EvaluationRejected):
        finalize(blinding, KEY.public(), [answer[1], answer[0], answer[2]], proof)
    swapped = replace(blinding, elements=(blinding.elements[1], blinding.elements[0], blinding.elements[2]))
    with pytest.raises(EvaluationRejected):
        finalize(swapped, KEY.public(), answer, proof)


def test_a_proof_for_other_elements_is_refused() -> None:
    _, _, proof = evaluated()
    blinding = blind(INPUTS, SystemRandomness())
    answer, _ = evaluate(KEY, blinding.elements, SystemRandomness())
    with pytest.raises(EvaluationRejected):
        finalize(blinding, KEY.public(), answer, proof)


def test_shifts_that_cancel_pass_only_where_all_weights_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluator that adds X to one answer and takes it from another: no single answer is right, and their plain sum is."""
    blinding, answer, _ = evaluated()
    shift = GROUP.mul(5, GROUP.generator())
    forged = [answer[0] + shift, answer[1] - shift, answer[2]]
    with pytest.raises(EvaluationRejected):
        finalize(blinding, KEY.public(), forged, _proof_over(blinding.elements, forged))
    monkeypatch.setattr(suite, "composite_weights", lambda _public, own, _other: [1] * len(own))
    finalize(blinding, KEY.public(), forged, _proof_over(blinding.elements, forged))


def _proof_over(blinded: Sequence[Element], answered: Sequence[Element]) -> bytes:
    """The proof that an evaluator would make which claims these answers: everything honest but the answers."""
    public, nonce = KEY.public(), 77
    weights = suite.composite_weights(public, blinded, answered)
    m, z = GROUP.msm(weights, blinded), GROUP.msm(weights, answered)
    challenge = suite.challenge(public, (m, z), (GROUP.mul(nonce, GROUP.generator()), GROUP.mul(nonce, m)))
    response = (nonce - challenge * KEY.scalar) % GROUP.order
    return challenge.to_bytes(32, "big") + response.to_bytes(32, "big")


def test_the_helper_proves_what_is_true() -> None:
    blinding, answer, _ = evaluated()
    finalize(blinding, KEY.public(), answer, _proof_over(blinding.elements, answer))


def test_an_identity_is_refused_on_both_sides() -> None:
    blinding, answer, proof = evaluated()
    for place in range(len(answer)):
        with pytest.raises(IdentityError):
            finalize(blinding, KEY.public(), [*answer[:place], GROUP.identity(), *answer[place + 1 :]], proof)
        with pytest.raises(IdentityError):
            evaluate(KEY, [*blinding.elements[:place], GROUP.identity(), *blinding.elements[place + 1 :]], SystemRandomness())


def test_a_composite_that_is_the_identity_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    blinding, answer, proof = evaluated()
    monkeypatch.setattr(suite, "composite_weights", lambda _public, own, _other: [0] * len(own))
    with pytest.raises(EvaluationRejected):
        finalize(blinding, KEY.public(), answer, proof)
    with pytest.raises(IdentityError):
        evaluate(KEY, blinding.elements, SystemRandomness())


def test_the_size_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    blinding, answer, proof = evaluated()
    monkeypatch.setattr(suite, "MAXIMUM_BATCH", 2)
    for action in (
        lambda: blind([], SystemRandomness()),
        lambda: blind(INPUTS, SystemRandomness()),
        lambda: evaluate(KEY, [], SystemRandomness()),
        lambda: evaluate(KEY, blinding.elements, SystemRandomness()),
        lambda: finalize(blinding, KEY.public(), [], proof),
        lambda: finalize(blinding, KEY.public(), answer[:2], proof),
    ):
        with pytest.raises(LengthError):
            action()


def test_an_input_has_at_most_65535_bytes() -> None:
    blind([bytes(65_535)], SystemRandomness())
    with pytest.raises(LengthError):
        blind([bytes(65_536)], SystemRandomness())


@pytest.mark.parametrize(
    "action",
    [
        lambda: EvaluationKey.derive(bytes(31), b""),
        lambda: EvaluationKey.derive(bytes(32), bytes(65_536)),
        lambda: EvaluationKey.decode(bytes(31)),
        lambda: EvaluationKey.decode(bytes(32)),
        lambda: EvaluationKey.decode(GROUP.order.to_bytes(32, "big")),
    ],
)
def test_bad_keys_are_refused(action: Callable[[], object]) -> None:
    with pytest.raises(ZkError) as caught:
        action()
    assert caught.value.code in ("length", "scalar")


def test_a_key_survives_its_encoding_and_does_not_print() -> None:
    assert EvaluationKey.decode(KEY.encode()) == KEY
    assert str(KEY.scalar) not in repr(KEY)
    assert repr(KEY) == "EvaluationKey(32 bytes)"
    blinding = blind([b"31041020250"], SystemRandomness())
    assert repr(blinding) == "Blinding(1 inputs)"


def test_a_seed_that_derives_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "hash_to_scalar", lambda _data, _label: 0)
    with pytest.raises(ScalarError):
        EvaluationKey.derive(bytes(32), b"")


def test_the_client_does_not_know_the_key() -> None:
    assert not hasattr(client, "EvaluationKey")
