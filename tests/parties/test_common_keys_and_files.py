"""Keys, identities, credentials, money and the files that parties hand each other.

Must hold: what a party made, it and the right reader can read again, and nobody else; every mistake of a person has an answer
that says what to do. A failure would be a file opened by the wrong party, a key of another role accepted, or a printed secret.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parties.common.credentials import Said, issue_credential, verify_credential, verify_presentation
from parties.common.errors import HomeError, InputError, PartyError, Refused
from parties.common.home import Home, read_identity, write_private
from parties.common.keyring import About, create_signer, create_viewer, load_signer, load_viewer
from parties.common.memos import memo_for, open_memo
from parties.common.money import Money, money_text
from parties.common.sealed_files import key_hint, open_file, read_sealed, seal_file, write_sealed
from schemas.domain.currency import Currency
from schemas.domain.errors import DomainError
from schemas.sealed import Application, ApprovalFile, DraftFile, OpeningMessage, ReduceMemo, SealedFile
from schemas.wire import decode_base64url, encode_base64url
from tests.builders import KIND, ORIGIN, World, make_register, make_world
from zkcore import engine
from zkcore.errors import MemoError
from zkcore.operations import MEMO_SIZE
from zkcore.randomness import SeededRandomness
from zkcore.secret.keys import ViewSecret
from zkcore.secret.memos import SealSecret
from zkcore.suite import Suite

BANK = About("bank", "BANK-A", "Bank A 甲银行", ORIGIN)
REFUSAL = ApprovalFile(financing=b"f" * 32, refused="cannot-be-proven", lines=[])


@pytest.fixture(scope="module")
def suite() -> Suite:
    return engine.load()


@pytest.fixture(scope="module")
def world(suite: Suite) -> World:
    return make_world(suite)


# --- keys -----------------------------------------------------------------------------------------------------------------


def test_a_signer_comes_back_with_the_same_keys(tmp_path: Path, suite: Suite) -> None:
    home = Home.create(tmp_path)
    made = create_signer(home, suite, BANK, SeededRandomness(b"1"))
    loaded = load_signer(home, suite, "bank")
    assert (loaded.identity, loaded.secret, loaded.seal.encode()) == (made.identity, made.secret, made.seal.encode())
    read_identity(home.path("identity.json")).check(suite)


def test_a_viewer_comes_back_with_the_same_keys(tmp_path: Path, suite: Suite) -> None:
    home, randomness = Home.create(tmp_path), SeededRandomness(b"2")
    secret, seal = ViewSecret.generate(suite, randomness), SealSecret(randomness.read(32))
    create_viewer(home, suite, About("regulator", "regulator", "R", ORIGIN), secret, seal, randomness)
    loaded = load_viewer(home, suite, "regulator")
    assert (loaded.secret, loaded.seal.public) == (secret, seal.public)
    loaded.identity.check(suite)


def test_keys_are_made_once(tmp_path: Path, suite: Suite) -> None:
    home = Home.create(tmp_path)
    made = create_signer(home, suite, BANK, SeededRandomness(b"1"))
    with pytest.raises(HomeError, match="not overwritten"):
        create_signer(home, suite, BANK, SeededRandomness(b"2"))
    assert load_signer(home, suite, "bank").identity == made.identity


def test_keys_of_another_role_are_not_used(tmp_path: Path, suite: Suite) -> None:
    home = Home.create(tmp_path)
    create_signer(home, suite, BANK, SeededRandomness(b"1"))
    with pytest.raises(HomeError, match="check --home"):
        load_signer(home, suite, "attester")


@pytest.mark.parametrize(
    "role, command", [("attester", "customs keys"), ("bank", "bank keys"), ("enterprise", "enterprise keys")]
)
def test_without_keys_the_command_that_makes_them_is_named(tmp_path: Path, suite: Suite, role: Any, command: str) -> None:
    with pytest.raises(HomeError, match=f"tradeveil {command} --home"):
        load_viewer(Home(tmp_path), suite, role)


@pytest.mark.parametrize(
    "change, option",
    [
        ({"holder": ""}, "--holder"),
        ({"holder": "A B"}, "--holder"),
        ({"holder": "甲"}, "--holder"),
        ({"origin": "UPPER.example"}, "--origin"),
        ({"origin": "a"}, "--origin"),
        ({"name": ""}, "--name"),
        ({"name": "a\u200bb\n"}, "--name"),
        ({"name": "x" * 101}, "--name"),
    ],
)
def test_what_others_could_not_read_is_refused_before_anything_is_written(
    tmp_path: Path, suite: Suite, change: dict[str, Any], option: str
) -> None:
    home = Home.create(tmp_path / "home")
    with pytest.raises(InputError, match=option):
        create_signer(home, suite, replace(BANK, **change), SeededRandomness(b"1"))
    assert list(home.directory.iterdir()) == []


def test_keys_do_not_print(tmp_path: Path, suite: Suite) -> None:
    signer = create_signer(Home.create(tmp_path), suite, BANK, SeededRandomness(b"1"))
    shown = repr(signer) + str(signer) + repr(signer.secret) + repr(signer.seal)
    assert str(signer.secret.scalar) not in shown
    assert signer.seal.encode().hex() not in shown


# --- sealed files ---------------------------------------------------------------------------------------------------------


def test_a_sealed_file_is_for_its_reader_alone(tmp_path: Path) -> None:
    reader, other = SealSecret(b"r" * 32), SealSecret(b"o" * 32)
    path = tmp_path / "approval.json"
    write_sealed(path, REFUSAL, reader.public)
    assert read_sealed(path, ApprovalFile, reader) == REFUSAL
    with pytest.raises(InputError, match="sealed for another party") as caught:
        read_sealed(path, ApprovalFile, other)
    assert key_hint(reader.public) in str(caught.value)
    assert b"cannot-be-proven" not in path.read_bytes()


@pytest.mark.parametrize("form, expected", [(Application, "expects an application"), (DraftFile, "expects a draft")])
def test_another_kind_of_file_is_named(form: Any, expected: str) -> None:
    reader = SealSecret(b"r" * 32)
    with pytest.raises(InputError, match=f"this is an approval .*{expected}"):
        open_file(seal_file(REFUSAL, reader.public), form, reader)


def test_a_relabelled_file_is_refused() -> None:
    reader = SealSecret(b"r" * 32)
    file = seal_file(REFUSAL, reader.public).model_copy(update={"tradeveil": "draft"})
    with pytest.raises(InputError, match="ask the sender"):
        open_file(file, DraftFile, reader)


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_changed_file_is_refused(place: int) -> None:
    reader = SealSecret(b"r" * 32)
    file = seal_file(REFUSAL, reader.public)
    sealed = bytearray(decode_base64url(file.sealed))
    sealed[place] ^= 1
    for changed in (encode_base64url(bytes(sealed)), file.sealed[:-4], "", "=", "ä"):
        with pytest.raises(InputError, match="changed or cut off"):
            open_file(file.model_copy(update={"sealed": changed}), ApprovalFile, reader)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"PK\x03\x04", b'{"tradeveil": "invoice"}', b'{"tradeveil":"draft","version":2}']
)
def test_what_is_no_sealed_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    write_private(path, content)
    with pytest.raises(InputError, match="expected form"):
        read_sealed(path, ApprovalFile, SealSecret(b"r" * 32))


def test_an_envelope_shows_nobody() -> None:
    file = seal_file(REFUSAL, SealSecret(b"r" * 32).public)
    assert set(SealedFile.model_fields) == {"tradeveil", "version", "to", "sealed"}
    assert len(file.to) == 16


# --- memos ----------------------------------------------------------------------------------------------------------------


def test_memos_have_one_size_and_one_reader() -> None:
    reader = SealSecret(b"r" * 32)
    memo = ReduceMemo(amount=5, blinding=bytes(32), reference="R", note="")
    longer = memo.model_copy(update={"note": "备注" * 100})
    assert len(memo_for(reader.public, memo)) == len(memo_for(reader.public, longer)) == MEMO_SIZE
    assert open_memo(reader, memo_for(reader.public, longer), ReduceMemo) == longer
    with pytest.raises(MemoError):
        open_memo(SealSecret(b"o" * 32), memo_for(reader.public, memo), ReduceMemo)


@pytest.mark.parametrize("form", [ReduceMemo, OpeningMessage])
def test_a_memo_of_another_form_is_refused_without_being_quoted(form: Any) -> None:
    reader = SealSecret(b"r" * 32)
    with pytest.raises(MemoError) as caught:
        open_memo(reader, memo_for(reader.public, REFUSAL), form)
    assert caught.value.__cause__ is None


# --- credentials ----------------------------------------------------------------------------------------------------------


def said(world: World) -> Said:
    document = make_register(world, 100_00).operation
    return Said(
        document=document.document,
        kind=KIND,
        counter="financing",
        currency="USD",
        epoch=1,
        number="232520260028296053",
        holder="91320581MA1P3K7L9H",
        name="苏州",
        date="2026-03-06",
        declared="2026-03-02",
        total=250_00,
        limit=100_00,
        mode="0615",
        share="part",
        owner=document.owner.encode(),
    )


def test_a_credential_holds(world: World) -> None:
    credential = issue_credential(world.suite, world.parameters, said(world), world.attester, world.randomness)
    facts = verify_credential(world.suite, world.parameters, credential)
    assert (facts.document, facts.currency, facts.epoch) == (credential.document, "USD", 1)
    presented = credential.present(["number", "limit"])
    assert verify_presentation(world.suite, world.parameters, presented, ["number", "limit"]) == facts
    assert (presented.number, presented.limit) == ("232520260028296053", 100_00)
    assert b"signature" not in presented.said()
    assert b"disclosed" not in presented.said()


@pytest.mark.parametrize(
    "change",
    [
        {"limit": 100_01},
        {"number": "232520260028296054"},
        {"holder": "91330206MA2AF8CXX8"},
        {"name": "宁波"},
        {"date": "2026-03-07"},
        {"declared": "2026-03-03"},
        {"total": 250_01},
        {"mode": "0110"},
        {"share": "whole"},
        {"salts": b"s" * 32},
        {"currency": "EUR"},
        {"epoch": 2},
        {"kind": "another-kind"},
        {"counter": "payment"},
        {"document": b"d" * 32},
        {"signature": b"x" * 65},
        {"owner": b"\x02" + bytes(32)},
    ],
)
def test_a_changed_credential_does_not(world: World, change: dict[str, Any]) -> None:
    credential = issue_credential(world.suite, world.parameters, said(world), world.attester, world.randomness)
    with pytest.raises(Refused, match="not signed by an attester"):
        verify_credential(world.suite, world.parameters, credential.model_copy(update=change))


def test_a_credential_of_somebody_else_does_not(world: World) -> None:
    credential = issue_credential(world.suite, world.parameters, said(world), world.bank, world.randomness)
    with pytest.raises(Refused):
        verify_credential(world.suite, world.parameters, credential)


# --- money ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, minor, shown",
    [
        ("USD 600000.00", 600_000_00, "USD 600,000.00"),
        ("usd 600,000.5", 600_000_50, "USD 600,000.50"),
        ("116 18500000", 18_500_000, "JPY 18,500,000"),
        ("  CNY   0.01 ", 1, "CNY 0.01"),
    ],
)
def test_money(text: str, minor: int, shown: str) -> None:
    money = Money.parse(text)
    assert (money.minor, money.text()) == (minor, shown)
    assert str(minor) not in repr(money)


@pytest.mark.parametrize(
    "text", ["", "USD", "600000.00", "USD600000", "USD 1 000", "XXX 5", "999 5", "JPY 100.5", "USD -1", "USD 0"]
)
def test_what_is_no_money(text: str) -> None:
    with pytest.raises(DomainError):
        Money.parse(text)


def test_money_text_writes_nothing_left_and_overdrawn() -> None:
    assert money_text(0, "USD") == "USD 0.00"
    assert money_text(-1, "JPY") == "JPY -1"
    assert Currency.parse("JPY").exponent == 0


def test_party_errors_are_bilingual() -> None:
    error = PartyError("code", "say", "说")
    assert str(error) == "say / 说"
