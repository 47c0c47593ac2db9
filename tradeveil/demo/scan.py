"""Searching what a service keeps, logs and is sent for what it must never see: amounts, numbers, names, in every usual form.

Two searches together cover every form of every secret:

* Anywhere in the bytes. Databases and exports are mostly random bytes and base64url text of random bytes, in which a short
  form occurs by chance. How often is computed from the material itself (`Background.chance`). The forms that occur most rarely
  are searched, as many as together fit into CHANCE_BUDGET, so that a false alarm comes less than once in ten thousand runs. In
  practice that is five or six bytes and more of raw data, and seven or eight characters and more of what could stand in base64.
* In every clear value: the cells of the database, the members of JSON, the words of a log line, except the opaque ones (bytes,
  and base64url of at least 16 bytes). Nothing random stands there, so every form is compared with whole values and words. Only
  whole numbers of fewer than SHORTEST_NUMBER digits are left out, since counts, ports and status codes look like them; and so
  are the bytes of numbers below 2**16, which are everywhere.

A finding names the secret by its label and never repeats it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from sqlalchemy import create_engine, inspect

from schemas.domain.currency import Currency, format_amount
from schemas.wire import decode_base64url
from service.storage import database_address

CHANCE_BUDGET = 1e-4
"""Expected false alarms of one whole search, over all forms and all material."""
SHORTEST_NUMBER = 6
"""Digits of the shortest whole number that counts as a finding in a clear value."""
SHORTEST_FORM = 3
"""Bytes of the shortest form of any kind."""
_OPAQUE_SIZE = 16
_PADDING = re.compile(rb"\x00{16,}")
_WORD = re.compile(r"[^\s\"'()\[\]{}<>:;|=]+")
_HASHES = ("sha256", "sha1", "md5")
_WIDTHS = (4, 8)


@dataclass(frozen=True)
class Form:
    """One way in which a secret could stand somewhere. `how` says which; the label says whose, and never what."""

    needle: bytes
    label: str
    how: str

    def __repr__(self) -> str:
        return f"Form({self.label}, {self.how}, {len(self.needle)} bytes)"


@dataclass(frozen=True)
class Corpus:
    """Material to search: a file's bytes, a log, what went over the wire."""

    name: str
    data: bytes

    def segments(self) -> Iterator[bytes]:
        """The data without long runs of zero bytes, which pad the pages of a database and are not random."""
        return (segment for segment in _PADDING.split(self.data) if segment)


@dataclass(frozen=True)
class Finding:
    """A secret was found."""

    label: str
    how: str
    where: str

    def __str__(self) -> str:
        return f"{self.label}, as {self.how}, in {self.where}"


# --- forms ----------------------------------------------------------------------------------------------------------------


def amount_forms(label: str, minor: int, currency: Currency) -> list[Form]:
    """An amount of minor units: as people write it, as a number of minor or whole units, as bytes."""
    written = format_amount(minor, currency)
    whole = format_amount(minor, currency).partition(".")[0]
    texts = {"minor units": str(minor), "plain": written.replace(",", ""), "with commas": written}
    if minor % 10**currency.exponent == 0:
        texts |= {"whole units": whole.replace(",", ""), "whole units with commas": whole}
    forms = [form for how, text in texts.items() for form in _encoded(label, how, text.encode())]
    return _distinct([*forms, *_integer_forms(label, minor)])


def identifier_forms(label: str, text: str) -> list[Form]:
    """A declaration number, credit code, reference: as text, as UTF-16, as a number, and hashed without a key."""
    forms = _encoded(label, "plain", text.encode("ascii")) + _encoded(label, "UTF-16", text.encode("utf-16-le"))
    if text.isdigit():
        forms += _integer_forms(label, int(text))
    return _distinct(forms + _hashed(label, text))


def name_forms(label: str, text: str) -> list[Form]:
    """A name in the encodings that people and programs use for Chinese, escaped for JSON and for an address, and hashed."""
    forms: list[Form] = []
    for encoding in ("utf-8", "gb18030", "utf-16-le", "utf-16-be"):
        forms += _encoded(label, encoding.upper(), text.encode(encoding))
    escaped = json.dumps(text)[1:-1].encode()
    forms += [Form(escaped, label, "JSON escapes"), Form(_upper_escapes(escaped), label, "JSON escapes in capitals")]
    forms.append(Form(urllib.parse.quote(text).encode(), label, "percent escapes"))
    return _distinct(forms + _hashed(label, text))


def _upper_escapes(escaped: bytes) -> bytes:
    return re.sub(rb"\\u([0-9a-f]{4})", lambda match: b"\\u" + match[1].upper(), escaped)


def _integer_forms(label: str, number: int) -> list[Form]:
    """Big- and little-endian bytes, as few as hold the number and in the usual widths; none of a number below 2**16."""
    least = (number.bit_length() + 7) // 8
    if least < SHORTEST_FORM:
        return []
    forms = []
    for width in sorted({least, *(width for width in _WIDTHS if width >= least)}):
        forms += _encoded(label, f"{width} bytes big-endian", number.to_bytes(width, "big"))
        forms += _encoded(label, f"{width} bytes little-endian", number.to_bytes(width, "little"))
    return forms


def _hashed(label: str, text: str) -> list[Form]:
    """What is guessable is not hidden by a hash without a key."""
    forms = []
    for name in _HASHES:
        digest = hashlib.new(name, text.encode(), usedforsecurity=False).digest()
        forms += _encoded(label, f"{name} of it", digest)
    return forms


def _encoded(label: str, how: str, content: bytes) -> list[Form]:
    """The bytes themselves, in hexadecimal, and in base64 wherever they start in a longer text."""
    forms = [
        Form(content, label, how),
        Form(content.hex().encode(), label, f"{how}, hexadecimal"),
        Form(content.hex().upper().encode(), label, f"{how}, hexadecimal in capitals"),
    ]
    for offset in range(3):
        inner = _base64_inner(content, offset)
        forms.append(Form(inner, label, f"{how}, base64 at {offset}"))
        forms.append(Form(inner.translate(bytes.maketrans(b"+/", b"-_")), label, f"{how}, base64url at {offset}"))
    whole = base64.b64encode(content)
    forms += [
        Form(whole, label, f"{how}, base64"),
        Form(base64.urlsafe_b64encode(content).rstrip(b"="), label, f"{how}, base64url"),
    ]
    return forms


def _base64_inner(content: bytes, offset: int) -> bytes:
    """The characters of base64 that depend on nothing but the content, when `offset` bytes (mod 3) precede it."""
    encoded = base64.b64encode(bytes(offset) + content)
    return encoded[(0, 2, 3)[offset] : (offset + len(content)) * 8 // 6]


def _distinct(forms: Iterable[Form]) -> list[Form]:
    """One form a needle, the first named; what is shorter than SHORTEST_FORM is none."""
    found: dict[bytes, Form] = {}
    for form in forms:
        if len(form.needle) >= SHORTEST_FORM:
            found.setdefault(form.needle, form)
    return list(found.values())


# --- chance ---------------------------------------------------------------------------------------------------------------

_BASE64 = rb"A-Za-z0-9+/"
_BASE64URL = rb"A-Za-z0-9_\-"
_ALPHABETS = (("digits", rb"0-9", 10), ("hexadecimal", rb"0-9a-f", 16), ("base64", _BASE64, 64), ("base64url", _BASE64URL, 64))
_SHORTEST_RUN = 16
_ZEROS = re.compile(rb"\x00{3,}")


class Background:
    """How much of the material could be random text, by alphabet; and all of it, which could be random bytes."""

    def __init__(self, corpora: Iterable[Corpus]) -> None:
        segments = [segment for corpus in corpora for segment in corpus.segments()]
        self.bytes = sum(map(len, segments))
        self._zero_runs = sum(len(_ZEROS.findall(segment)) for segment in segments)
        self._texts: list[tuple[re.Pattern[bytes], int, int]] = []
        for _, alphabet, size in _ALPHABETS:
            run = re.compile(rb"[%s]{%d,}" % (alphabet, _SHORTEST_RUN))
            positions = sum(len(match[0]) for segment in segments for match in run.finditer(segment))
            self._texts.append((re.compile(rb"[%s]*" % alphabet), positions, size))

    def chance(self, needle: bytes) -> float:
        """How often the needle is expected by chance: each alphabet that has its characters, uniform in that much text.

        Zero bytes are not random: where one run of them ends or begins, the others of a padded number are all it takes.
        """
        expected = self.bytes / 256.0 ** len(needle)
        if _ZEROS.search(needle):
            expected += self._zero_runs / 256.0 ** (len(needle) - needle.count(0))
        for alphabet, positions, size in self._texts:
            if alphabet.fullmatch(needle):
                expected += positions / float(size) ** len(needle)
        return expected


# --- the search -----------------------------------------------------------------------------------------------------------


class Search:
    """Forms to be found nowhere in some material."""

    def __init__(self, forms: Iterable[Form], corpora: Iterable[Corpus]) -> None:
        self.forms = _distinct(forms)
        self.corpora = list(corpora)

    @cached_property
    def background(self) -> Background:
        return Background(self.corpora)

    @cached_property
    def anywhere(self) -> list[Form]:
        """The forms that are searched in all bytes: the rarest by chance, as many as fit into the budget."""
        chances = sorted((self.background.chance(form.needle), place) for place, form in enumerate(self.forms))
        sums = accumulate(chance for chance, _ in chances)
        return [self.forms[place] for (_, place), total in zip(chances, sums, strict=True) if total <= CHANCE_BUDGET]

    @property
    def expected_by_chance(self) -> float:
        """Expected false alarms; below CHANCE_BUDGET."""
        return sum(self.background.chance(form.needle) for form in self.anywhere)

    def findings(self, values: Iterable[tuple[str, Value]] = ()) -> list[Finding]:
        """Everything found, anywhere in the corpora and among the clear values, each once."""
        found = [finding for corpus in self.corpora for finding in self.in_bytes(corpus)]
        found += self.in_values(values)
        return list(dict.fromkeys(found))

    def in_bytes(self, corpus: Corpus) -> Iterator[Finding]:
        """What stands anywhere in a corpus, as often as it does."""
        for segment in corpus.segments():
            for form in _occurrences(segment, self._by_start, self._window):
                yield Finding(form.label, form.how, corpus.name)

    @cached_property
    def _window(self) -> int:
        return min((len(form.needle) for form in self.anywhere), default=1)

    @cached_property
    def _by_start(self) -> dict[bytes, list[Form]]:
        starts: defaultdict[bytes, list[Form]] = defaultdict(list)
        for form in self.anywhere:
            starts[form.needle[: self._window]].append(form)
        return dict(starts)

    @cached_property
    def _by_needle(self) -> dict[bytes, Form]:
        return {form.needle: form for form in self.forms}

    def in_values(self, values: Iterable[tuple[str, Value]]) -> Iterator[Finding]:
        """What clear values, or their words, are."""
        for where, value in values:
            for candidate in _candidates(value):
                form = self._by_needle.get(candidate)
                if form is not None and not (candidate.isdigit() and len(candidate) < SHORTEST_NUMBER):
                    yield Finding(form.label, form.how, where)


def _occurrences(data: bytes, by_start: dict[bytes, list[Form]], window: int) -> Iterator[Form]:
    for start in range(len(data) - window + 1):
        forms = by_start.get(data[start : start + window])
        if forms is not None:
            yield from (form for form in forms if _stands_at(data, start, form.needle))


def _stands_at(data: bytes, start: int, needle: bytes) -> bool:
    """Whether the needle is here; one of digits only as a whole number, since a longer number is another number."""
    if not data.startswith(needle, start):
        return False
    if not needle.isdigit():
        return True
    end = start + len(needle)
    return not data[max(0, start - 1) : start].isdigit() and not data[end : end + 1].isdigit()


# --- clear values ---------------------------------------------------------------------------------------------------------

Value = str | int | float | bytes


def _candidates(value: Value) -> set[bytes]:
    """A clear value as bytes, and its words."""
    if isinstance(value, bytes):
        return {value}
    text = str(value)
    words = {word.strip(".,!?") for word in _WORD.findall(text)}
    return {item.encode("utf-8", "surrogatepass") for item in {text, *words}}


def database_values(url: str) -> Iterator[tuple[str, Value]]:
    """Every clear value of the database at this URL, which may be in use: (table.column, value)."""
    engine = create_engine(database_address(url))
    try:
        with engine.connect() as connection:
            for table in inspect(connection).get_table_names():
                rows = connection.exec_driver_sql(f'SELECT * FROM "{table}"')  # noqa: S608 - the name is the database's own
                for row in rows.mappings():
                    for column, cell in row.items():
                        yield from clear_values(f"database {table}.{column}", cell)
    finally:
        engine.dispose()


def line_values(corpus: Corpus) -> Iterator[tuple[str, Value]]:
    """Every clear value of a text with a JSON document, or just words, a line."""
    for number, line in enumerate(corpus.data.splitlines(), 1):
        yield from clear_values(f"{corpus.name} line {number}", line)


def clear_values(where: str, value: Any) -> Iterator[tuple[str, Value]]:
    """The clear values inside a cell, a member, a line: what JSON it holds is taken apart, what is opaque is left out."""
    match value:
        case None | bool():
            return
        case bytes():
            yield from _clear_bytes(where, value)
        case str():
            if not _is_opaque(value):
                yield where, value
        case int() | float():
            yield where, value
        case list():
            for item in value:
                yield from clear_values(where, item)
        case dict():
            for name, item in value.items():
                yield where, str(name)
                yield from clear_values(f"{where} {name}", item)


def _clear_bytes(where: str, value: bytes) -> Iterator[tuple[str, Value]]:
    """Bytes that are JSON or a text are taken for what they are; others are opaque unless there are few of them."""
    text = _text_of(value)
    content = None if text is None else _json_of(text)
    if content is not None:
        yield from clear_values(where, content)
    elif text is not None:
        yield where, text
    elif len(value) < _OPAQUE_SIZE:
        yield where, value


def _text_of(value: bytes) -> str | None:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _json_of(text: str) -> list[Any] | dict[str, Any] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, list | dict) else None


def _is_opaque(text: str) -> bool:
    """Whether a text is base64url of 16 bytes or more that are not themselves a text."""
    try:
        data = decode_base64url(text)
    except ValueError:
        return False
    return len(data) >= _OPAQUE_SIZE and not data.isascii()
