"""Writes the vectors of sigma proofs: every statement accepted, and mutated in every way that must be refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

from schemas.vectors.basics import bad_points, bad_scalars
from schemas.vectors.cast import CURRENCY, EPOCH, ORIGIN, Cast, word
from schemas.vectors.replay import scalar_text
from schemas.vectors.sheet import Sheet, Vector, replaced
from zkcore import statements
from zkcore.amounts import MAXIMUM
from zkcore.context import ABSENT, NO_CURRENCY
from zkcore.group import ELEMENT_SIZE, SCALAR_SIZE, Element
from zkcore.statements import RangeStatement, Statement
from zkcore.suite import Suite

_IDENTIFIERS = ("document", "head", "draw", "payload")


@dataclass(frozen=True)
class Case:
    """An accepted vector to be: a statement, its public elements, a witness."""

    name: str
    statement: Statement
    elements: Mapping[str, Element]
    witness: Mapping[str, int]


def context_fields(statement: Statement | RangeStatement, name: str) -> dict[str, Any]:
    """A context with exactly the fields that the statement requires."""
    fields: dict[str, Any] = {"origin": ORIGIN}
    for field in ("document", "head", "draw"):
        fields[field] = (word(f"{field}/{name}") if field in statement.requires else ABSENT).hex()
    fields["currency"] = CURRENCY if "currency" in statement.requires else NO_CURRENCY
    fields["epoch"] = EPOCH if "epoch" in statement.requires else 0
    fields["payload"] = (word(f"payload/{name}") if "payload" in statement.requires else ABSENT).hex()
    return fields


def write_statements(suite: Suite) -> Sheet:
    """Every statement of zkcore.statements.ALL."""
    sheet = Sheet(suite, "statements", "Sigma proofs: element 0 is G, H stands where the statement names it.")
    vectors = [_accept(sheet, case) for case in cases(Cast(suite))]
    of_statement: dict[str, Vector] = {}
    for vector in vectors:
        of_statement.setdefault(vector["statement"], vector)
    for vector in of_statement.values():
        statement = _statement(vector["statement"])
        mutate_context(sheet, vector, statement, "sigma")
        _mutate_elements(sheet, vector)
        _mutate_proof(sheet, vector, statement)
    _swap_siblings(sheet, of_statement)
    _break_encodings(sheet, of_statement["draw"])
    _degenerate(sheet, of_statement)
    return sheet


def _accept(sheet: Sheet, case: Case) -> Vector:
    suite = sheet.suite
    vector = {
        "statement": case.statement.name,
        "context": context_fields(case.statement, case.name),
        "elements": {name: element.encode().hex() for name, element in case.elements.items()},
        "witness": {name: scalar_text(suite, scalar) for name, scalar in case.witness.items()},
        "seed": word(f"seed/{case.name}").hex(),
    }
    return sheet.accept(case.name, vector)


# --- what is accepted -----------------------------------------------------------------------------------------------------


def cases(cast: Cast) -> Iterable[Case]:
    suite, mul = cast.suite, cast.suite.group.mul
    view, signing, owner = cast.enterprise, cast.bank, cast.owner("a")
    alpha = cast.attester.scalar
    yield Case("view-key-possession", statements.VIEW_KEY_POSSESSION, {"P": view.public(suite)}, {"s": view.scalar})
    yield Case("signing-key-possession", statements.SIGNING_KEY_POSSESSION, {"K": signing.public(suite)}, {"k": signing.scalar})
    yield Case("credential", statements.CREDENTIAL, {"A": mul(alpha, suite.G)}, {"alpha": alpha})
    yield Case("document-status", statements.DOCUMENT_STATUS, {"A": mul(alpha, suite.G)}, {"alpha": alpha})
    yield Case("application", statements.APPLICATION, {"P_owner": owner.public(suite)}, {"s": owner.scalar})
    key = cast.draw_key("a")
    for statement in (statements.APPLY, statements.DECIDE, statements.DISBURSE):
        yield Case(statement.name, statement, {"K": key.public(suite)}, {"k": key.scalar})
    yield Case("consent", statements.CONSENT, {"P_owner": owner.public(suite)}, {"s": owner.scalar})
    yield Case("view/owner", statements.VIEW, {"P": owner.public(suite)}, {"s": owner.scalar})
    yield Case("view/regulator", statements.VIEW, {"P": cast.regulator.public(suite)}, {"s": cast.regulator.scalar})
    for name, amount in (("", 100_000_000), ("/one", 1), ("/largest", MAXIMUM)):
        yield _limit(cast, statements.REGISTER, name, amount)
        yield _limit(cast, statements.AMEND, name, amount)
        yield _draw(cast, f"draw{name}", amount)
        yield _part(cast, statements.REDUCE, name, amount)
        yield _part(cast, statements.DISBURSE_PART, name, amount)
        yield _overdrawn(cast, f"overdrawn{name}", amount)
    yield _same_amount(cast, statements.CONSENTED_DRAW, "C_asked", 60_000_000)
    yield _same_amount(cast, statements.MOVED_DRAW, "O", 60_000_000)
    for prover in ("owner", "regulator"):
        yield _headroom(cast, f"headroom-by-{prover}", prover, 40_000_000)
        yield _headroom(cast, f"headroom-by-{prover}/nothing-left", prover, 0)
    q, k = cast.scalar("blinding/outstanding"), cast.draw_key("a").scalar
    yield Case("close", statements.CLOSE, {"O": mul(q, suite.H), "K": mul(k, suite.G)}, {"q": q, "k": k})


def _handles(cast: Cast, amount: int, name: str) -> tuple[dict[str, Element], int]:
    suite, mul, opening = cast.suite, cast.suite.group.mul, cast.opening(amount, name)
    owner, regulator = cast.owner("a").public(suite), cast.regulator.public(suite)
    elements = {
        "C": opening.commit(suite),
        "D_owner": mul(opening.blinding, owner),
        "D_regulator": mul(opening.blinding, regulator),
        "P_owner": owner,
        "P_regulator": regulator,
    }
    return elements, opening.blinding


def _limit(cast: Cast, statement: Statement, name: str, amount: int) -> Case:
    """`register` and `amend`."""
    elements, r = _handles(cast, amount, f"{statement.name}{name}")
    witness = {"v": amount, "r": r, "alpha": cast.attester.scalar}
    return Case(f"{statement.name}{name}", statement, elements | {"A": cast.attester.public(cast.suite)}, witness)


def _draw(cast: Cast, name: str, amount: int) -> Case:
    elements, r = _handles(cast, amount, name)
    key = cast.draw_key("a")
    return Case(name, statements.DRAW, elements | {"K": key.public(cast.suite)}, {"a": amount, "r": r, "k": key.scalar})


def _part(cast: Cast, statement: Statement, name: str, amount: int) -> Case:
    """`reduce` and `disburse-part`."""
    elements, r = _handles(cast, amount, f"{statement.name}{name}")
    key = cast.draw_key("a")
    witness = {"p": amount, "r": r, "k": key.scalar}
    return Case(f"{statement.name}{name}", statement, elements | {"K": key.public(cast.suite)}, witness)


def _same_amount(cast: Cast, statement: Statement, other: str, amount: int) -> Case:
    """`consented-draw` and `moved-draw`: the amount is that of another commitment."""
    case, before = _draw(cast, statement.name, amount), cast.opening(amount, f"{statement.name}/asked")
    difference = case.witness["r"] - before.blinding
    elements = {**case.elements, other: before.commit(cast.suite)}
    return Case(statement.name, statement, elements, {**case.witness, "d": difference})


def _overdrawn(cast: Cast, name: str, over: int) -> Case:
    suite, secret = cast.suite, cast.regulator
    blinding, excess = cast.scalar(f"blinding/{name}/residual"), cast.opening(over, f"{name}/over")
    elements = {
        "P": secret.public(suite),
        "R": suite.group.mul(blinding, suite.H) - suite.group.mul(over, suite.G),
        "E_R": suite.group.mul(blinding, secret.public(suite)),
        "C_over": excess.commit(suite),
    }
    return Case(name, statements.OVERDRAWN, elements, {"s": secret.scalar, "m": over, "b": excess.blinding})


def _headroom(cast: Cast, name: str, prover: str, left: int) -> Case:
    suite, mul = cast.suite, cast.suite.group.mul
    secret = cast.owner("a") if prover == "owner" else cast.regulator
    residual, draw = cast.opening(left + 60_000_000, f"{name}/residual"), cast.opening(60_000_000, f"{name}/draw")
    remaining, reader = cast.opening(left, f"{name}/left"), secret.public(suite)
    elements = {
        "P": reader,
        "R": residual.commit(suite),
        "C": draw.commit(suite),
        "E_R": mul(residual.blinding, reader),
        "E_C": mul(draw.blinding, reader),
        "C_left": remaining.commit(suite),
    }
    statement = statements.HEADROOM_BY_OWNER if prover == "owner" else statements.HEADROOM_BY_REGULATOR
    return Case(name, statement, elements, {"s": secret.scalar, "m": left, "b": remaining.blinding})


# --- what is refused ------------------------------------------------------------------------------------------------------


def mutate_context(sheet: Sheet, vector: Vector, statement: Statement | RangeStatement, error: str) -> None:
    """Every field changed, one at a time: another value is another proof's, a missing or superfluous one no context at all."""
    base, fields = vector["id"], vector["context"]

    def change(name: str, words: str, field: str, value: Any, expected: str) -> None:
        sheet.reject(base, f"context/{name}", words, replaced(f"/context/{field}", value), expected)

    change("origin", "the origin is another log's", "origin", "other.tradeveil.example", error)
    change("origin-malformed", "the origin has a capital letter", "origin", "Vectors.tradeveil.example", "context")
    for field in _IDENTIFIERS:
        if field in statement.requires:
            other = bytes.fromhex(fields[field])
            change(field, f"the {field} is another", field, (other[:-1] + bytes([other[-1] ^ 1])).hex(), error)
            change(f"{field}-absent", f"the {field} is absent", field, ABSENT.hex(), "context")
        else:
            change(field, f"a {field} stands where none does", field, word(f"other-{field}").hex(), "context")
        change(f"{field}-short", f"the {field} has 31 bytes", field, "11" * 31, "context")
    if "currency" in statement.requires:
        change("currency", "the currency is another", "currency", "EUR", error)
        change("currency-absent", "the currency is absent", "currency", NO_CURRENCY, "context")
        change("epoch", "the epoch is the next", "epoch", EPOCH + 1, error)
        change("epoch-absent", "the epoch is absent", "epoch", 0, "context")
    else:
        change("currency", "a currency stands where none does", "currency", "USD", "context")
        change("epoch", "an epoch stands where none does", "epoch", 1, "context")
    change("currency-malformed", "the currency is in small letters", "currency", "usd", "context")


def _mutate_elements(sheet: Sheet, vector: Vector) -> None:
    base, elements, suite = vector["id"], vector["elements"], sheet.suite
    for name, text in elements.items():
        element = suite.group.decode(bytes.fromhex(text))
        for word_, other in (("plus-g", element + suite.G), ("plus-h", element + suite.H), ("negated", -element)):
            patch = replaced(f"/elements/{name}", other.encode().hex())
            sheet.reject(base, f"element/{name}/{word_}", f"the element {name} is another ({word_})", patch, "sigma")
        patch = replaced(f"/elements/{name}", bytes(ELEMENT_SIZE).hex())
        sheet.reject(base, f"element/{name}/zero-bytes", f"the element {name} is 33 zero bytes", patch, "point")
        gone = [{"op": "remove", "path": f"/elements/{name}"}]
        sheet.reject(base, f"element/{name}/missing", f"the element {name} is missing", gone, "instance")
    names = list(elements)
    for first, second in pairwise(names):
        swap = replaced(f"/elements/{first}", elements[second]) + replaced(f"/elements/{second}", elements[first])
        sheet.reject(base, f"element/{first}-and-{second}", f"{first} and {second} are exchanged", swap, "sigma")
    extra = [{"op": "add", "path": "/elements/X", "value": suite.H.encode().hex()}]
    sheet.reject(base, "element/superfluous", "there is an element that the statement does not have", extra, "instance")


def _mutate_proof(sheet: Sheet, vector: Vector, statement: Statement) -> None:
    base, proof, suite = vector["id"], bytes.fromhex(vector["proof"]), sheet.suite
    order, split = suite.group.order, ELEMENT_SIZE * len(statement.equations)

    def change(name: str, words: str, data: bytes, *errors: str) -> None:
        sheet.reject(base, f"proof/{name}", words, replaced("/proof", data.hex()), *errors)

    change("empty", "the proof is empty", b"", "length")
    change("truncated", "the last byte is missing", proof[:-1], "length")
    change("without-last-scalar", "the last response is missing", proof[:-SCALAR_SIZE], "length")
    change("extended", "a zero byte is appended", proof + b"\0", "length")
    change("twice", "the proof stands twice", proof + proof, "length")
    change("compact", "the commitments are left out, as in the compact form", bytes(SCALAR_SIZE) + proof[split:], "length")
    for row in range(len(statement.equations)):
        at = row * ELEMENT_SIZE
        commitment = suite.group.decode(proof[at : at + ELEMENT_SIZE])
        other = (commitment + suite.G).encode()
        change(f"commitment-{row}", "a commitment is another", proof[:at] + other + proof[at + ELEMENT_SIZE :], "sigma")
        negated = (-commitment).encode()
        change(f"commitment-{row}-negated", "a commitment is negated", proof[:at] + negated + proof[at + 33 :], "sigma")
    for index in range(len(statement.scalars)):
        at = split + index * SCALAR_SIZE
        response = int.from_bytes(proof[at : at + SCALAR_SIZE], "big")
        for name, value in (("plus-1", (response + 1) % order), ("zero", 0)):
            data = proof[:at] + value.to_bytes(SCALAR_SIZE, "big") + proof[at + SCALAR_SIZE :]
            change(f"response-{index}-{name}", f"a response is another ({name})", data, "sigma")
        for name, words, scalar, error in bad_scalars(sheet.suite):
            data = proof[:at] + scalar + proof[at + SCALAR_SIZE :]
            change(f"response-{index}-{name}", words, data, error)
    # A flipped bit of a point may leave the curve, of a scalar the order; the file says which.
    for bit in sorted(Random(base).sample(range(8 * len(proof)), 8)):  # noqa: S311
        flipped = bytearray(proof)
        flipped[bit // 8] ^= 1 << bit % 8
        change(f"bit-{bit}", f"bit {bit % 8} of byte {bit // 8} is flipped", bytes(flipped), "sigma", "point", "scalar")


def _siblings(statement: Statement) -> Iterable[Statement]:
    """Statements with the same equations over elements and scalars of other names."""
    for other in statements.ALL:
        if other is not statement and other.rows == statement.rows:
            places = [name if name in ("G", "H") else "" for name in statement.elements]
            if places == [name if name in ("G", "H") else "" for name in other.elements]:
                yield other


def _swap_siblings(sheet: Sheet, of_statement: Mapping[str, Vector]) -> None:
    """The same equations under another name: only the context keeps the proofs apart."""
    for vector in of_statement.values():
        statement = _statement(vector["statement"])
        for sibling in _siblings(statement):
            shared = statement.requires & sibling.requires
            context = context_fields(sibling, vector["id"]) | {field: vector["context"][field] for field in shared}
            elements = _renamed(vector["elements"], statement, sibling)
            patch = replaced("/statement", sibling.name) + replaced("/context", context) + replaced("/elements", elements)
            words = f"the proof stands for the statement {sibling.name}"
            sheet.reject(vector["id"], f"as-{sibling.name}", words, patch, "sigma")


def _statement(name: str) -> Statement:
    return next(statement for statement in statements.ALL if statement.name == name)


def _renamed(elements: Mapping[str, str], statement: Statement, sibling: Statement) -> dict[str, str]:
    """The elements under the sibling's names, each in the place that it has."""
    names = dict(zip(statement.elements, sibling.elements, strict=True))
    return {names[name]: text for name, text in elements.items()}


def _break_encodings(sheet: Sheet, vector: Vector) -> None:
    """One element of a statement and one commitment of a proof in every bad encoding."""
    good, proof = bytes.fromhex(vector["elements"]["C"]), bytes.fromhex(vector["proof"])
    for name, words, data, error in bad_points(sheet.suite, good):
        sheet.reject(vector["id"], f"element/C/{name}", f"C: {words}", replaced("/elements/C", data.hex()), error)
    for name, words, data, _ in bad_points(sheet.suite, proof[:ELEMENT_SIZE]):
        if len(data) == ELEMENT_SIZE:
            patch = replaced("/proof", (data + proof[ELEMENT_SIZE:]).hex())
            sheet.reject(vector["id"], f"proof/commitment-0/{name}", f"the first commitment: {words}", patch, "point")


def _degenerate(sheet: Sheet, of_statement: Mapping[str, Vector]) -> None:
    """Elements whose combination is the identity: a statement that anything would satisfy."""
    vector = of_statement["consented-draw"]
    same = replaced("/elements/C_asked", vector["elements"]["C"])
    sheet.reject(vector["id"], "degenerate", "C_asked is C, so that their difference is the identity", same, "identity")
    vector = of_statement["moved-draw"]
    same = replaced("/elements/O", vector["elements"]["C"])
    sheet.reject(vector["id"], "degenerate", "O is C, so that their difference is the identity", same, "identity")
    vector = of_statement["headroom-by-owner"]
    same = replaced("/elements/R", vector["elements"]["C"])
    sheet.reject(vector["id"], "degenerate", "R is C, so that their difference is the identity", same, "identity")
