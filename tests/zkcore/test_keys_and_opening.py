"""Keys and what they open: enrolment, blinding, shifting, derivation, bounded logarithms, openings that do not match.

A failure would be: a key enrolled that nobody possesses, or that is somebody else's; a proof of possession that serves
another holder or log; a zero where the mathematics needs an inverse; a search that does not end, or ends with a wrong amount;
a commitment that is said to be what it is not; and a secret that prints.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcore import engine, ledger
from zkcore.amounts import MAXIMUM, Amount, Limit
from zkcore.commitments import HandledCommitment
from zkcore.errors import AmountError, BatchRejected, EncodingError, KeyRejected, OpeningError, ScalarError, SigmaRejected
from zkcore.group import Element
from zkcore.randomness import SeededRandomness, SystemRandomness, random_nonzero_scalar
from zkcore.secret.keys import (
    SigningSecret,
    ViewSecret,
    blind_view_key,
    derive_bytes,
    document_id,
    shift_signing_key,
)
from zkcore.secret.memos import SealSecret
from zkcore.secret.opening import (
    LogarithmTable,
    Opening,
    amount_point,
    check_amount,
    check_opening,
    fresh_opening,
    open_by_logarithm,
)
from zkcore.secret.operations import ConsentRequest, handled_commitment
from zkcore.suite import Suite
from zkcore.verifying.batch import Claim, verify

SUITE = engine.load()
GROUP = SUITE.group
ORDER = GROUP.order
RANDOMNESS = SeededRandomness(b"keys and openings")
ORIGIN, HOLDER, SEAL = "log.example", "91320581MA1P3K7L9H", b"s" * 32

scalars = st.integers(1, ORDER - 1)


@pytest.fixture(params=engine.available())
def suite(request: pytest.FixtureRequest) -> Suite:
    return engine.load(request.param)


# --- possession -----------------------------------------------------------------------------------------------------------


def view_claim(
    suite: Suite, key: Element, proof: bytes, holder: str = HOLDER, origin: str = ORIGIN, seal: bytes = SEAL
) -> Claim:
    return ledger.view_key_claim(suite, origin, holder, seal, key, proof)


def signing_claim(
    suite: Suite, key: Element, proof: bytes, holder: str = HOLDER, origin: str = ORIGIN, seal: bytes = SEAL
) -> Claim:
    return ledger.signing_key_claim(suite, origin, holder, seal, key, proof)


def refuse(suite: Suite, claim: Claim) -> None:
    with pytest.raises(BatchRejected) as refused:
        verify(suite, [claim])
    ((_, error),) = refused.value.failures
    assert type(error) is SigmaRejected


@pytest.mark.parametrize("kind", [ViewSecret, SigningSecret])
def test_possession_is_bound_to_key_holder_and_log(suite: Suite, kind: type[ViewSecret] | type[SigningSecret]) -> None:
    claim = view_claim if kind is ViewSecret else signing_claim
    secret, other = kind.generate(suite, RANDOMNESS), kind.generate(suite, RANDOMNESS)
    key, proof = secret.public(suite), secret.prove_possession(suite, ORIGIN, HOLDER, SEAL, RANDOMNESS)
    verify(suite, [claim(suite, key, proof)])
    refuse(suite, claim(suite, other.public(suite), proof))
    refuse(suite, claim(suite, -key, proof))
    refuse(suite, claim(suite, key + suite.G, proof))
    refuse(suite, claim(suite, key, proof, holder="91330206MA2AF8CXX8"))
    refuse(suite, claim(suite, key, proof, origin="other.example"))
    refuse(suite, claim(suite, key, proof, seal=b"t" * 32))
    refuse(suite, claim(suite, key, other.prove_possession(suite, ORIGIN, HOLDER, SEAL, RANDOMNESS)))


def test_a_proof_for_one_kind_of_key_is_none_for_the_other() -> None:
    """Even where both statements hold for one element: H = s*P and P = k*G have different names."""
    view = ViewSecret.generate(SUITE, RANDOMNESS)
    refuse(SUITE, signing_claim(SUITE, view.public(SUITE), view.prove_possession(SUITE, ORIGIN, HOLDER, SEAL, RANDOMNESS)))
    signing = SigningSecret.generate(SUITE, RANDOMNESS)
    refuse(SUITE, view_claim(SUITE, signing.public(SUITE), signing.prove_possession(SUITE, ORIGIN, HOLDER, SEAL, RANDOMNESS)))


@pytest.mark.parametrize("holder", ["企业", "a\nb", "a\0b"])
def test_a_holder_is_printable_ascii(holder: str) -> None:
    with pytest.raises(EncodingError):
        ViewSecret(5).prove_possession(SUITE, ORIGIN, holder, SEAL, RANDOMNESS)


def test_a_rogue_key_made_from_anothers_is_refused() -> None:
    """P_rogue = G - P has no possessor; without the proof it would cancel P in a sum of keys."""
    honest = ViewSecret.generate(SUITE, RANDOMNESS)
    rogue = SUITE.G - honest.public(SUITE)
    for secret in (honest, ViewSecret(1)):
        refuse(SUITE, view_claim(SUITE, rogue, secret.prove_possession(SUITE, ORIGIN, HOLDER, SEAL, RANDOMNESS)))


# --- blinding and shifting ------------------------------------------------------------------------------------------------


@given(scalars, scalars)
@settings(max_examples=25)
def test_blinded_keys_belong_to_blinded_secrets(secret: int, blinding: int) -> None:
    view = ViewSecret(secret)
    assert view.blinded(SUITE, blinding).public(SUITE) == blind_view_key(SUITE, view.public(SUITE), blinding)
    assert GROUP.mul(view.blinded(SUITE, blinding).scalar, blind_view_key(SUITE, view.public(SUITE), blinding)) == SUITE.H


@given(scalars, st.integers(0, ORDER - 1))
@settings(max_examples=25)
def test_shifted_keys_belong_to_shifted_secrets(secret: int, shift: int) -> None:
    signing = SigningSecret(secret)
    if (secret + shift) % ORDER:
        assert signing.shifted(SUITE, shift).public(SUITE) == shift_signing_key(SUITE, signing.public(SUITE), shift)


@pytest.mark.parametrize("zero", [0, ORDER, -ORDER, 2 * ORDER])
def test_zero_is_no_key_and_no_blinding(zero: int) -> None:
    key = GROUP.mul(5, SUITE.H)
    for attempt in (
        lambda: ViewSecret(zero).public(SUITE),
        lambda: ViewSecret(5).blinded(SUITE, zero),
        lambda: SigningSecret(zero).public(SUITE),
        lambda: SigningSecret(5).shifted(SUITE, zero - 5),
        lambda: blind_view_key(SUITE, key, zero),
    ):
        with pytest.raises(ScalarError):
            attempt()


def test_the_identity_is_neither_blinded_nor_shifted() -> None:
    with pytest.raises(KeyRejected):
        blind_view_key(SUITE, GROUP.identity(), 5)
    with pytest.raises(KeyRejected):
        shift_signing_key(SUITE, GROUP.identity(), 5)
    with pytest.raises(KeyRejected):
        shift_signing_key(SUITE, GROUP.mul(5, SUITE.G), ORDER - 5)


# --- derivation -----------------------------------------------------------------------------------------------------------


def test_derived_keys_are_the_same_on_every_engine() -> None:
    seed = b"a seed of thirty-two bytes......"
    keys = {ViewSecret.derive(engine.load(name), seed).public(engine.load(name)).encode() for name in engine.available()}
    assert len(keys) == 1
    assert ViewSecret.derive(SUITE, seed).scalar != ViewSecret.derive(SUITE, seed[:-1]).scalar


def test_derivations_are_separated() -> None:
    """By purpose, secret, index and, since everything is framed, by where one ends and the next begins."""
    secret = b"s" * 16
    derived = [
        derive_bytes(b"a", secret, 32),
        derive_bytes(b"b", secret, 32),
        derive_bytes(b"a", secret + b"s", 32),
        derive_bytes(b"as", secret, 32),
        derive_bytes(b"a", secret, 32, 1),
        document_id(secret, 0),
        document_id(secret, 1),
        SealSecret.derive(secret).encode(),
    ]
    assert len(set(derived)) == len(derived)
    assert derive_bytes(b"a", secret, 64)[:32] == derive_bytes(b"a", secret, 32)


@pytest.mark.parametrize("secret", [b"", b"s" * 15])
def test_short_secrets_derive_nothing(secret: bytes) -> None:
    for derive in (
        lambda: derive_bytes(b"a", secret, 32),
        lambda: ViewSecret.derive(SUITE, secret),
        lambda: document_id(secret, 0),
    ):
        with pytest.raises(ScalarError):
            derive()


# --- amounts and openings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Amount, Limit])
def test_amounts_and_limits_have_bounds(kind: type[Amount] | type[Limit]) -> None:
    assert kind(1).minor_units == 1
    assert kind(MAXIMUM).minor_units == 2**48 - 1
    wrong: list[Any] = [0, -1, 2**48, 2**64, 1.0, "1", True, None]
    for value in wrong:
        with pytest.raises(AmountError):
            kind(value)


def test_an_opening_may_hold_nothing_but_not_less() -> None:
    assert Opening(0, 5).amount == 0
    wrong: list[Any] = [-1, 2**48, 1.5, True, "1"]
    for value in wrong:
        with pytest.raises(AmountError):
            Opening(value, 5)
    with pytest.raises(AmountError):
        Opening(1, 5).minus(SUITE, Opening(2, 5))


@given(st.integers(0, MAXIMUM), st.integers(0, MAXIMUM), scalars, scalars)
@settings(max_examples=25)
def test_commitments_add_component_by_component(a: int, b: int, r: int, q: int) -> None:
    more, less = Opening(max(a, b), r), Opening(min(a, b), q)
    owner, regulator = ViewSecret(3), ViewSecret(7)
    keys = owner.public(SUITE), regulator.public(SUITE)
    whole, part = handled_commitment(SUITE, more, *keys), handled_commitment(SUITE, less, *keys)
    rest = more.minus(SUITE, less)
    difference = whole - part
    assert difference + part == whole
    if r != q:
        assert difference == handled_commitment(SUITE, rest, *keys)
        assert HandledCommitment.decode(GROUP, difference.encode()) == difference
    check_opening(SUITE, difference.commitment, rest)
    for secret, handle in ((owner, difference.owner), (regulator, difference.regulator)):
        check_amount(SUITE, secret, difference.commitment, handle, rest.amount)
        assert amount_point(SUITE, secret, difference.commitment, handle) == GROUP.mul(rest.amount, SUITE.G)


def test_an_opening_that_does_not_match_is_refused(suite: Suite) -> None:
    opening = fresh_opening(suite, 1000, RANDOMNESS)
    commitment = opening.commit(suite)
    check_opening(suite, commitment, opening)
    wrong = [Opening(999, opening.blinding), Opening(1000, opening.blinding + 1), Opening(0, 0)]
    for claimed in wrong:
        with pytest.raises(OpeningError):
            check_opening(suite, commitment, claimed)


def test_a_decrypted_amount_is_compared_with_the_commitment(suite: Suite) -> None:
    secret, stranger = ViewSecret(3), ViewSecret(4)
    opening = fresh_opening(suite, 1000, RANDOMNESS)
    commitment, handle = opening.commit(suite), suite.group.mul(opening.blinding, secret.public(suite))
    check_amount(suite, secret, commitment, handle, 1000)
    for key, point, amount in (
        (secret, handle, 999),
        (secret, handle, 0),
        (stranger, handle, 1000),
        (secret, handle + suite.G, 1000),
    ):
        with pytest.raises(OpeningError):
            check_amount(suite, key, commitment, point, amount)


def test_no_handled_commitment_without_three_points() -> None:
    parts = [GROUP.mul(5, SUITE.G), GROUP.mul(6, SUITE.G), GROUP.mul(7, SUITE.G)]
    handled = HandledCommitment(*parts)
    assert (handled.handle("owner"), handled.handle("regulator")) == (parts[1], parts[2])
    with pytest.raises(EncodingError):
        handled.handle("bank")


# --- bounded logarithms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [0, 1, 2, 10, 1000, 4095, 4096, 4097])
@pytest.mark.parametrize("baby_steps", [1, 2, 7, 64])
def test_logarithms_at_the_bounds(bound: int, baby_steps: int) -> None:
    table = LogarithmTable(SUITE, baby_steps)
    stride = 2 * baby_steps + 1
    around = {0, 1, bound - 1, bound, bound // 2, stride - 1, stride, stride + 1, baby_steps, baby_steps + 1}
    for amount in sorted(value for value in around if 0 <= value <= bound):
        assert table.find(GROUP.mul(amount, SUITE.G), bound) == amount
    for amount in (bound + 1, bound + 2, bound + baby_steps, bound + stride, -1, -baby_steps, ORDER // 2, MAXIMUM + bound):
        with pytest.raises(OpeningError):
            table.find(GROUP.mul(amount, SUITE.G), bound)


@given(st.integers(0, 1 << 20), st.integers(0, 1 << 20))
@settings(max_examples=40)
def test_a_logarithm_is_found_exactly_when_it_is_within_the_bound(amount: int, bound: int) -> None:
    table, point = LogarithmTable.for_bound(SUITE, 1 << 10), GROUP.mul(amount, SUITE.G)
    if amount <= bound:
        assert table.find(point, bound) == amount
    else:
        with pytest.raises(OpeningError):
            table.find(point, bound)


def test_a_search_ends_after_the_steps_it_announces() -> None:
    steps: list[tuple[int, int]] = []
    suite = engine.load("openssl")  # an engine's own table has steps of another size
    with pytest.raises(OpeningError):
        LogarithmTable(suite, 16).find(suite.H, 33 * 5000, lambda done, most: steps.append((done, most)))
    assert steps[0] == (0, 5001)
    assert all(done <= most for done, most in steps)
    assert [done for done, _ in steps] == list(range(0, 5001, 1024))


@pytest.mark.parametrize("bound", [-1, -(2**48)])
def test_a_negative_bound_finds_nothing(bound: int) -> None:
    for point in (GROUP.identity(), SUITE.G, -SUITE.G):
        with pytest.raises(OpeningError):
            LogarithmTable(SUITE, 4).find(point, bound)


def test_a_table_has_entries() -> None:
    for steps in (0, -5):
        with pytest.raises(OpeningError):
            LogarithmTable(SUITE, steps)


def test_opening_by_logarithm(suite: Suite) -> None:
    secret, stranger = ViewSecret(3), ViewSecret(4)
    for amount in (0, 1, 500):
        opening = fresh_opening(suite, amount, RANDOMNESS)
        commitment, handle = opening.commit(suite), suite.group.mul(opening.blinding, secret.public(suite))
        assert open_by_logarithm(suite, secret, commitment, handle, 500) == amount
        with pytest.raises(OpeningError):
            open_by_logarithm(suite, stranger, commitment, handle, 500)
        if amount:
            with pytest.raises(OpeningError):
                open_by_logarithm(suite, secret, commitment, handle, amount - 1)


# --- secrets do not print -------------------------------------------------------------------------------------------------


def test_secrets_print_only_their_kind() -> None:
    number = 0x0123456789ABCDEF0123456789ABCDEF
    opening = Opening(123_456_789, number)
    secrets: list[object] = [ViewSecret(number), SigningSecret(number), opening, Amount(123_456_789), Limit(123_456_789)]
    secrets += [ConsentRequest(b"a" * 32, SUITE.G, opening, 5), SealSecret(number.to_bytes(32, "big"))]
    for secret in secrets:
        for text in (repr(secret), str(secret), f"{secret}", repr([secret]), repr({"key": secret})):
            for planted in (str(number), f"{number:x}", f"{number:X}", "123456789", "123_456_789", "75bcd15"):
                assert planted not in text


def test_errors_tell_no_secret() -> None:
    """Neither in their message nor in what they are raised from."""
    planted = (123_456_789, 0x0123456789ABCDEF0123456789ABCDEF)
    opening, secret = Opening(*planted), ViewSecret(planted[1])
    attempts = (
        lambda: check_opening(SUITE, SUITE.G, opening),
        lambda: check_amount(SUITE, secret, SUITE.H, SUITE.G, planted[0]),
        lambda: opening.minus(SUITE, Opening(123_456_790, 1)),
        lambda: Amount(planted[0] << 48),
        lambda: LogarithmTable(SUITE, 4).find(SUITE.H, 100),
        lambda: SealSecret.derive(planted[1].to_bytes(32, "big")).open(bytes(100)),
        lambda: SealSecret(planted[1].to_bytes(16, "big")),
    )
    for attempt in attempts:
        with pytest.raises(Exception) as raised:  # noqa: PT011
            attempt()
        error: BaseException | None = raised.value
        while error is not None:
            text = repr(error) + str(error)
            assert not any(f in text for value in planted for f in (str(value), f"{value:x}", f"{value:X}"))
            error = error.__cause__ or error.__context__


def test_fresh_openings_are_blinded_afresh() -> None:
    openings = {fresh_opening(SUITE, 5, SystemRandomness()).commit(SUITE) for _ in range(8)}
    assert len(openings) == 8
    assert random_nonzero_scalar(SystemRandomness(), GROUP) != 0
