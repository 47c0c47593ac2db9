"""Writes the vectors of authenticity: inputs of the oblivious function, tokens, keys, records, credentials field by field."""

from __future__ import annotations

from typing import Any

from schemas.sealed import Credential
from schemas.vectors.cast import Cast, word
from schemas.vectors.sheet import Sheet, replaced
from zkcore.suite import Suite

_PAPER = {
    "kind": "export-declaration",
    "number": "232520260028296053",
    "holder": "91320581MA1P3K7L9H",
    "currency": "USD",
    "total": 100_000_000,
    "date": "2026-03-02",
}


def write_authenticity(suite: Suite) -> Sheet:
    """From the fields of a paper to its record, and from a credential to what is shown of it."""
    sheet = Sheet(
        suite,
        "authenticity",
        "Inputs are evaluated with RFC 9497 (P256-SHA256, VOPRF) under `key`; token and record key follow from the outputs.",
    )
    _papers(sheet)
    _presentations(sheet, Cast(suite))
    return sheet


def _papers(sheet: Sheet) -> None:
    base = {"type": "paper", "key": word("evaluation-key").hex(), "nonce": word("nonce", 24).hex(), "content": b"{}".hex()}
    sheet.accept("paper", {**base, **_PAPER})
    sheet.accept("paper/second-currency", {**base, **_PAPER, "currency": "EUR", "total": 1})
    sheet.accept("paper/largest-total", {**base, **_PAPER, "total": (1 << 48) - 1})
    for name, mutation, path, value, error in (
        ("no-number", "the number is empty", "/number", "", "encoding"),
        ("no-kind", "the kind is empty", "/kind", "", "encoding"),
        ("no-holder", "the holder is empty", "/holder", "", "encoding"),
        ("wide-digits", "the number is written in wide digits", "/number", "２３２５２０２６００２８２９６０５３", "encoding"),
        ("line-feed", "a line feed follows the number", "/number", f"{_PAPER['number']}\n", "encoding"),
        ("small-currency", "the currency is in small letters", "/currency", "usd", "encoding"),
        ("currency-code", "the currency is a Customs code", "/currency", "502", "encoding"),
        ("slashed-date", "the date is written with slashes", "/date", "2026/03/02", "encoding"),
        ("total-zero", "the total is zero", "/total", 0, "amount"),
        ("total-too-large", "the total is 2**48", "/total", 1 << 48, "amount"),
        ("another-number", "the number is another, and so is the token", "/number", "232520260028296054", "memo"),
        ("another-holder", "the holder is another", "/holder", "91330206MA2AF8CXX8", "memo"),
        ("another-total", "the total is one minor unit more", "/total", 100_000_001, "memo"),
        ("another-date", "the date is a day later", "/date", "2026-03-03", "memo"),
        ("another-currency", "the currency is another", "/currency", "EUR", "memo"),
        ("another-kind", "the kind is another", "/kind", "import-declaration", "memo"),
        ("another-key", "the evaluation key is of another epoch", "/key", word("evaluation-key/2").hex(), "memo"),
    ):
        sheet.reject("paper", name, mutation, replaced(path, value), error)
    record = sheet.vector("paper")["record"]
    flipped = record[:-2] + f"{int(record[-2:], 16) ^ 1:02x}"
    sheet.reject("paper", "bit", "the last bit of the record is another", replaced("/record", flipped), "memo")
    sheet.reject("paper", "short", "the record lacks its last byte", replaced("/record", record[:-2]), "length")
    other = sheet.vector("paper/second-currency")["record"]
    sheet.reject("paper", "record-of-another", "the record is that of the other currency", replaced("/record", other), "memo")


def credential(cast: Cast, number: str) -> Credential:
    """A credential of the cast, with a signature that these vectors do not look at."""
    return Credential(
        document=word(f"document/{number}"),
        kind="export-declaration",
        counter="financing",
        currency="USD",
        epoch=1,
        number=number,
        holder="91320581MA1P3K7L9H",
        name="苏州虚构精密机械有限公司",
        date="2026-03-06",
        declared="2026-03-02",
        total=100_000_000,
        limit=40_000_000,
        mode="0615",
        share="part",
        owner=cast.owner("a").public(cast.suite).encode(),
        attester=cast.attester.public(cast.suite).encode(),
        salts=word(f"salts/{number}"),
        signature=bytes(65),
    )


def _presentations(sheet: Sheet, cast: Cast) -> None:
    one, other = (credential(cast, number) for number in ("232520260028296053", "232520260028296054"))

    def accept(name: str, shown: tuple[str, ...]) -> Any:
        fields = one.model_dump(mode="json", exclude={"signature"})
        return sheet.accept(name, {"type": "presentation", "credential": fields, "shown": list(shown)})

    accept("presentation/nothing", ())
    record = accept("presentation/record", ("number", "holder", "declared", "total", "share"))
    base = "presentation/record"
    digests, disclosed = record["digests"], record["disclosed"]
    strange = other.present(["number"])
    stranger = strange.disclosed[0].model_dump(mode="json")
    swapped = [{**disclosed[0], "salt": disclosed[1]["salt"]}, {**disclosed[1], "salt": disclosed[0]["salt"]}, *disclosed[2:]]
    for name, mutation, path, value in (
        ("value", "the number is another", "/disclosed/0/value", "232520260028296054"),
        ("salt", "the salt is zero", "/disclosed/0/salt", "A" * 22),
        ("name", "the number is shown as the holder's code", "/disclosed/0/name", "name"),
        ("salts-exchanged", "two salts are exchanged", "/disclosed", swapped),
        ("twice", "a field is disclosed twice", "/disclosed", [*disclosed, disclosed[0]]),
        ("two-values", "a field is disclosed with two values", "/disclosed", [*disclosed, {**disclosed[0], "value": "1"}]),
        ("of-another", "a disclosure is that of another credential", "/disclosed/0", stranger),
        ("missing", "the share is not disclosed", "/disclosed", disclosed[:-1]),
        ("digests-exchanged", "two digests are exchanged", "/digests", [digests[1], digests[0], *digests[2:]]),
        ("digest-twice", "a digest stands twice", "/digests", [digests[0], *digests]),
    ):
        sheet.reject(base, name, mutation, replaced(path, value), "encoding")
    gone = [digest for digest in digests if digest != record["digest_of_first"]]
    sheet.reject(base, "digest-gone", "the digest of a disclosed field is not there", replaced("/digests", gone), "encoding")
