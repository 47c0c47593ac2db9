"""The service keeps, logs, exports and is sent nothing that was planted: no amount, number or name, in no usual form.

What must hold: the search over everything that a demonstration leaves finds nothing; and the search is one that would find. So
every single form is planted on purpose, in the bytes and as a value, and must be found; and in random material nothing is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from schemas.domain.currency import Currency
from tests.played import Performance, performance
from tradeveil.demo import cast, checks
from tradeveil.demo.kept import clear_material, material
from tradeveil.demo.scan import (
    CHANCE_BUDGET,
    SHORTEST_NUMBER,
    Background,
    Corpus,
    Finding,
    Form,
    Search,
    Value,
    amount_forms,
    clear_values,
    identifier_forms,
    name_forms,
)

pytestmark = pytest.mark.slow
USD = Currency.parse("USD")
NAME = "苏州虚构精密机械有限公司"


@pytest.fixture(scope="session")
def performed(tmp_path_factory: pytest.TempPathFactory) -> Performance:
    return performance(tmp_path_factory)


@pytest.fixture(scope="session")
def corpora(performed: Performance) -> list[Corpus]:
    return [*material(performed.root), Corpus("what was sent", performed.played.sent)]


@pytest.fixture(scope="session")
def search(performed: Performance, corpora: list[Corpus]) -> Search:
    return Search(performed.played.forms, corpora)


# --- nothing is found -----------------------------------------------------------------------------------------------------


def test_nothing_that_was_planted_is_found(performed: Performance, search: Search) -> None:
    found = search.findings(clear_material(performed.root))
    assert [str(finding) for finding in found] == []


def test_nothing_was_found_while_the_service_ran(performed: Performance) -> None:
    """With its write-ahead log, which is gone when it has ended."""
    privacy = performed.played.summary.privacy
    assert privacy is not None
    assert privacy.findings == ()
    assert privacy.searched["service.db-wal"] > 100_000
    assert privacy.searched["what was sent"] > 300_000
    assert privacy.searched["service.err"] > 10_000


def test_the_parties_hold_what_the_service_does_not(performed: Performance, search: Search) -> None:
    """The same search over the parties' homes finds what was planted: it is really there, and really looked for."""
    homes = performed.root / "homes"
    held = [Corpus(str(path.relative_to(homes)), path.read_bytes()) for path in homes.rglob("*.json")]
    found = {finding.label for corpus in held for finding in search.in_bytes(corpus)}
    for kind in ("declaration number", "credit code", "bank code", "company name", "bank name", "reference"):
        assert any(label.startswith(kind) for label in found), kind


def test_everything_of_the_sample_is_looked_for(search: Search) -> None:
    needles = {form.needle for form in search.forms}
    for declaration in cast.declarations():
        assert declaration.number.text.encode() in needles
        for company in (declaration.owner, declaration.consignor):
            assert company.credit_code.text.encode() in needles
            assert company.name.encode("utf-8") in needles
            assert company.name.encode("gb18030") in needles
        assert all(str(item.total).encode() in needles for item in declaration.items)
    for minor in cast.limits().values():
        assert str(minor).encode() in needles


@pytest.mark.parametrize(
    "amount",
    [
        *("600,000.00", "50,000.01", "80,000.00", "20,000.00", "16,666,667", "1,833,333", "49,040.40", "12,260.10"),
        *("12,345.67", "220,000.00", "900,000.00", "850,000.00", "825,000.00", "800,000.00", "12,500.00", "750,000.00"),
    ],
)
def test_amounts_of_the_stories_are_looked_for(search: Search, amount: str) -> None:
    """Drawn, asked in vain, left."""
    assert amount.encode() in {form.needle for form in search.forms}


def test_papers_that_banks_checked_are_looked_for(search: Search) -> None:
    """As they were registered, and as they were presented: also what is malformed, or nobody's."""
    needles = {form.needle for form in search.forms}
    exports = (*checks.checked_exports(), checks.XIAMENS, checks.PROBED)
    rows, _ = checks.checked_rows()
    presented = {field for row in rows for field in list(row.values())[:2]} | {checks.NOBODYS}
    assert {text.encode() for text in presented} | {export.number.encode() for export in exports} <= needles


# --- everything would be found --------------------------------------------------------------------------------------------


def test_every_form_is_found_in_the_bytes(search: Search) -> None:
    """Each long enough form between random bytes; and most forms are long enough."""
    noise = random.Random(1)
    data = b"".join(b"|" + form.needle + b"|" + noise.randbytes(9) for form in search.anywhere)
    found = {(finding.label, finding.how) for finding in search.in_bytes(Corpus("planted", data))}
    assert found >= {(form.label, form.how) for form in search.anywhere}
    assert len(search.anywhere) > 0.75 * len(search.forms)


def test_every_form_is_found_as_a_value(search: Search) -> None:
    """Each form of any length, where it stands by itself: except numbers that counts look like."""
    for form in search.forms:
        found = list(search.in_values([("planted", _as_value(form.needle))]))
        short = form.needle.isdigit() and len(form.needle) < SHORTEST_NUMBER
        assert short != (form.label in {finding.label for finding in found}), form


def _as_value(needle: bytes) -> Value:
    """As a database or JSON would give it back."""
    if needle.isdigit():
        return int(needle) if not needle.startswith(b"0") else needle.decode()
    return needle.decode() if needle.isascii() and needle.decode().isprintable() else needle


def test_forms_that_are_too_short_for_the_bytes(search: Search) -> None:
    """Nothing that people read is among them but small whole numbers; the others are bytes of numbers, and base64 of those."""
    skipped_forms = set(search.forms) - set(search.anywhere)
    skipped = {form.how for form in skipped_forms}
    assert not {how for how in skipped if how in ("with commas", "UTF-8", "GB18030")}
    assert {form.needle for form in skipped_forms if form.how == "plain"} <= {b"0.01"}
    assert max(len(form.needle) for form in skipped_forms) <= 8


# --- planted where a service might really leave it ------------------------------------------------------------------------

Plant = Callable[[Path], None]
SECRET = 350_000_00
"""B's draw of story 1: four bytes, none of them zero, as most amounts are."""


def _in_database(statement: str, *values: object) -> Plant:
    def plant(root: Path) -> None:
        with closing(sqlite3.connect(root / "service" / "service.db")) as connection:
            connection.execute("CREATE TABLE planted (value)")
            connection.execute(statement, values)
            connection.commit()

    return plant


def _in_log(line: bytes) -> Plant:
    def plant(root: Path) -> None:
        with (root / "logs" / "service.err").open("ab") as log:
            log.write(line + b"\n")

    return plant


def _in_export(entry: dict[str, object]) -> Plant:
    def plant(root: Path) -> None:
        with (root / "papers" / "export.jsonl").open("a", encoding="utf-8") as export:
            export.write(json.dumps({"entry": entry, "index": 999}, separators=(",", ":")) + "\n")

    return plant


def _blob(inner: bytes, before: int) -> bytes:
    noise = random.Random(before)
    return noise.randbytes(before) + inner + noise.randbytes(20)


def _text(data: bytes) -> str:
    """Base64url without padding, as everywhere in this project."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_INSERT = "INSERT INTO planted VALUES (?)"
PLANTS: dict[str, Plant] = {
    "an integer column": _in_database(_INSERT, SECRET),
    "a text column": _in_database(_INSERT, "USD 350,000.00"),
    "a short blob": _in_database(_INSERT, SECRET.to_bytes(4, "big")),
    "eight bytes in a longer blob": _in_database(_INSERT, _blob(SECRET.to_bytes(8, "little"), 24)),
    "JSON in a blob": _in_database(_INSERT, json.dumps({"answer": [{"left": SECRET}]}).encode()),
    "a name as UTF-8": _in_database(_INSERT, NAME),
    "a name as GB18030": _in_database(_INSERT, _blob(NAME.encode("gb18030"), 5)),
    "a log message": _in_log(b'{"event": "drawn", "detail": "bank asked 350000.00 of the limit"}'),
    "a number in a log": _in_log(b'{"event": "drawn", "minor": 35000000}'),
    "a log that is not JSON": _in_log(b"Traceback: amount=350000.00 refused"),
    "a name in a log, escaped": _in_log(json.dumps({"event": "asked", "who": NAME}).encode()),
    "an address in a log": _in_log(b"GET /v1/by-number/232520260028296053?from=0"),
    "a number in the export": _in_export({"type": "draw", "amount": SECRET}),
    "hexadecimal in the export": _in_export({"memo": SECRET.to_bytes(8, "big").hex()}),
    "a hash of a number": _in_export({"document": _text(hashlib.sha256(b"232520260028296053").digest())}),
    **{
        f"text in base64url, {before} bytes off": _in_export({"memo": _text(_blob(b"USD 350,000.00", 30 + before))})
        for before in range(3)
    },
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
def test_what_is_planted_on_purpose_is_found(performed: Performance, tmp_path: Path, plant: Plant) -> None:
    """The whole search over a copy of everything, with one leak in it."""
    for folder in ("service", "logs"):
        shutil.copytree(performed.root / folder, tmp_path / folder)
    (tmp_path / "papers").mkdir()
    shutil.copy(performed.root / "papers" / "export.jsonl", tmp_path / "papers")
    plant(tmp_path)
    search = Search(performed.played.forms, material(tmp_path))
    assert search.findings(clear_material(tmp_path)) != []


def test_a_finding_does_not_repeat_the_secret() -> None:
    form = amount_forms("draw 7", SECRET, USD)[0]
    finding = Finding(form.label, form.how, "service.db")
    assert str(finding) == "draw 7, as minor units, in service.db"
    assert "350" not in repr(form) + repr(finding)


# --- forms ----------------------------------------------------------------------------------------------------------------


def _needles(forms: list[Form]) -> set[bytes]:
    return {form.needle for form in forms}


def test_forms_of_an_amount() -> None:
    expected = {
        b"35000000",
        b"350000.00",
        b"350,000.00",
        b"350000",
        b"350,000",
        bytes.fromhex("02160ec0"),
        bytes.fromhex("c00e1602"),
        bytes.fromhex("0000000002160ec0"),
        bytes.fromhex("c00e160200000000"),
        b"02160ec0",
        b"0000000002160EC0",
        base64.b64encode(b"350,000.00")[:13],
        base64.b64encode(b"x350,000.00")[2:14],
        base64.b64encode(b"xx350,000.00")[3:16],
    }
    assert expected <= _needles(amount_forms("draw", SECRET, USD))


def test_a_small_number_has_no_bytes_of_its_own() -> None:
    assert all(form.needle.isascii() for form in amount_forms("draw", 1, USD))


def test_forms_of_an_identifier() -> None:
    number = "232520260028296053"
    expected = {number.encode(), number.encode("utf-16-le"), int(number).to_bytes(8, "big")}
    expected.add(hashlib.sha256(number.encode()).digest())
    assert expected <= _needles(identifier_forms("number", number))


def test_forms_of_a_name() -> None:
    expected = {NAME.encode(encoding) for encoding in ("utf-8", "gb18030", "utf-16-le", "utf-16-be")}
    expected |= {
        b"\\u82cf\\u5dde" + json.dumps(NAME[2:])[1:-1].encode(),
        hashlib.sha1(NAME.encode(), usedforsecurity=False).hexdigest().encode(),
    }
    assert expected <= _needles(name_forms("name", NAME))


@pytest.mark.parametrize("offset", range(3))
@pytest.mark.parametrize("following", [b"", b"\x00", b"\xff\xff"])
def test_base64_of_a_form_does_not_depend_on_its_neighbours(offset: int, following: bytes) -> None:
    forms = identifier_forms("text", "USD600,000.00")
    whole = base64.urlsafe_b64encode(b"\xaa" * (30 + offset) + b"USD600,000.00" + following)
    assert any(form.needle in whole for form in forms if f"base64 at {offset}" in form.how)


# --- chance ---------------------------------------------------------------------------------------------------------------


def test_chance_is_what_random_material_shows() -> None:
    """Short needles in random bytes, base64url and digits: as many as expected, within what such counts vary by."""
    noise = random.Random(7)
    raw = Corpus("raw", noise.randbytes(1 << 20))
    text = Corpus("text", base64.urlsafe_b64encode(noise.randbytes(3 << 18)))
    for corpus, needle in ((raw, b"\xa7\x91"), (text, b"q3"), (text, b"A7-")):
        expected = Background([corpus]).chance(needle)
        counted = sum(corpus.data.startswith(needle, place) for place in range(len(corpus.data)))
        # Never fewer than there are; and twice as many where two alphabets share the characters.
        assert counted < expected + 5 * expected**0.5 + 1 < 2.5 * counted + 20, (corpus.name, needle)


def test_in_random_material_nothing_is_found(search: Search, corpora: list[Corpus]) -> None:
    """As much of it as the demonstration left, of the same kinds."""
    noise = random.Random(11)
    size = sum(len(corpus.data) for corpus in corpora) // 2
    random_corpora = [Corpus("raw", noise.randbytes(size)), Corpus("text", _text(noise.randbytes(3 * size // 4)).encode())]
    again = Search(search.forms, random_corpora)
    assert again.findings() == []
    assert 0 < again.expected_by_chance <= CHANCE_BUDGET


def test_a_longer_number_is_another_number() -> None:
    search = Search(amount_forms("draw", SECRET, USD), [Corpus("log", b"at 1350000000 and 35000000 of")])
    assert [finding.how for finding in search.findings()] == ["minor units"]
    assert Search(search.forms, [Corpus("log", b"at 1350000000 and 350000001")]).findings() == []


def test_padding_of_database_pages_is_no_number() -> None:
    page = random.Random(3).randbytes(500) + bytes(500) + SECRET.to_bytes(4, "big") + random.Random(4).randbytes(500)
    found = Search(amount_forms("draw", SECRET, USD), [Corpus("page", page)]).findings()
    assert [finding.how for finding in found if finding.how.startswith("8 bytes")] == []


# --- values ---------------------------------------------------------------------------------------------------------------


def test_opaque_values_are_left_out_and_clear_ones_are_not() -> None:
    cell = {"id": _text(random.Random(5).randbytes(32)), "kind": "export-declaration", "draws": 3, "none": None, "yes": True}
    values = [value for _, value in clear_values("row", [cell, json.dumps(cell).encode(), random.Random(6).randbytes(33)])]
    assert values == 2 * ["id", "kind", "export-declaration", "draws", 3, "none", "yes"]


@pytest.mark.parametrize("value", [200, 44, 8440, 12.5, "2026-11-23T22:25:47Z", 1_790_000_000])
def test_what_a_service_may_tell_is_no_finding(search: Search, value: Value) -> None:
    assert list(search.in_values([("log", value)])) == []
