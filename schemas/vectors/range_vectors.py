"""Writes the vectors of range proofs: all sizes that matter, the statements made of them, and what must be refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.vectors import dishonest
from schemas.vectors.basics import bad_points, bad_scalars
from schemas.vectors.cast import Cast, word
from schemas.vectors.dishonest import Secret
from schemas.vectors.replay import scalar_text
from schemas.vectors.sheet import Sheet, Vector, replaced
from schemas.vectors.statement_vectors import context_fields, mutate_context
from zkcore import statements
from zkcore.amounts import MAXIMUM
from zkcore.group import ELEMENT_SIZE, SCALAR_SIZE
from zkcore.randomness import SeededRandomness
from zkcore.statements import RangeStatement
from zkcore.suite import Suite

_SIZES: Sequence[tuple[int, list[int]]] = (
    (8, [0]),
    (8, [255]),
    (8, [7, 200]),
    (8, [0, 1, 2, 3, 252, 253, 254, 255]),
    (16, [0, 65_535, 1, 40_000]),
    (32, [4_294_967_295]),
    (32, [123_456_789, 123_456_789]),
    (64, [0]),
    (64, [2**64 - 1]),
    (64, [99_999_999, 0]),
    (64, [1, 2**32, 2**48, 2**63]),
    (64, [0, 1, 2, 3, 2**48 - 1, 2**48, 2**63, 2**64 - 1]),
)


def write_ranges(suite: Suite) -> Sheet:
    """Bulletproofs by session id, and every range statement of zkcore.statements.ALL_RANGES."""
    sheet = Sheet(suite, "ranges", "Aggregated range proofs: every value is in [0, 2**bits); values[i] opens to openings[i].")
    cast = Cast(suite)
    for bits, values in _SIZES:
        largest = "/largest" if values == [2**bits - 1] else ""
        _accept(sheet, cast, f"{bits}x{len(values)}{largest}", bits, values)
    for vector in [_accept_statement(sheet, cast, statement) for statement in statements.ALL_RANGES]:
        statement = next(item for item in statements.ALL_RANGES if item.name == vector["statement"])
        mutate_context(sheet, vector, statement, "range")
    _swap_siblings(sheet)
    two = sheet.vector("64x2")
    _mutate_sizes(sheet, two)
    _mutate_values(sheet, two)
    _mutate_proof(sheet, two, rounds=7)
    _mutate_scalars(sheet, two, rounds=7)
    _lie(sheet, cast)
    return sheet


def _openings(cast: Cast, values: Sequence[int], name: str) -> list[dict[str, Any]]:
    blindings = (scalar_text(cast.suite, cast.scalar(f"range/{name}/{i}")) for i in range(len(values)))
    return [{"value": value, "blinding": blinding} for value, blinding in zip(values, blindings, strict=True)]


def _accept(sheet: Sheet, cast: Cast, name: str, bits: int, values: Sequence[int]) -> Vector:
    vector = {
        "session_id": word(f"session/{name}").hex(),
        "bits": bits,
        "openings": _openings(cast, values, name),
        "seed": word(f"seed/range/{name}").hex(),
    }
    return sheet.accept(name, vector)


def _accept_statement(sheet: Sheet, cast: Cast, statement: RangeStatement) -> Vector:
    vector = {
        "statement": statement.name,
        "context": context_fields(statement, statement.name),
        "bits": statement.bits,
        "openings": _openings(cast, [59_999_999, MAXIMUM - 60_000_000][: len(statement.values)], statement.name),
        "seed": word(f"seed/range/{statement.name}").hex(),
    }
    return sheet.accept(statement.name, vector)


def _swap_siblings(sheet: Sheet) -> None:
    for base, name in (
        ("headroom-range", "reduce-range"),
        ("reduce-range", "headroom-range"),
        ("reduce-range", "disburse-range"),
        ("disburse-range", "reduce-range"),
    ):
        words = f"the proof stands for the statement {name}"
        sheet.reject(base, f"as-{name}", words, replaced("/statement", name), "range")
    for base, name in (("register-range", "amend-range"), ("amend-range", "register-range")):
        vector, sibling = sheet.vector(base), next(item for item in statements.ALL_RANGES if item.name == name)
        shared = {field: vector["context"][field] for field in ("document", "currency", "epoch", "payload")}
        patch = replaced("/statement", name) + replaced("/context", context_fields(sibling, base) | shared)
        sheet.reject(base, f"as-{name}", f"the proof stands for the statement {name}", patch, "range")


def _mutate_sizes(sheet: Sheet, vector: Vector) -> None:
    """Other bits and counts. Eight values of 16 bits and four of 32 have proofs of the same length as 2 of 64."""
    base, values = vector["id"], vector["values"]

    def change(name: str, words: str, bits: int, listed: list[str], error: str) -> None:
        patch = replaced("/bits", bits) + replaced("/values", listed)
        sheet.reject(base, f"size/{name}", words, patch, error)

    change("bits-32", "the values are said to have 32 bits", 32, values, "length")
    change("32x4", "the proof is said to be of four values of 32 bits", 32, values + values, "range")
    change("16x8", "the proof is said to be of eight values of 16 bits", 16, values * 4, "range")
    change("one-value", "a value is missing", 64, values[:1], "length")
    change("three-values", "there are three values", 64, [*values, values[0]], "encoding")
    change("sixteen-values", "there are sixteen values", 8, values * 8, "encoding")
    change("no-values", "there are no values", 64, [], "encoding")
    for bits in (0, 1, 48, 63, 65, 128):
        change(f"bits-{bits}", f"the values are said to have {bits} bits", bits, values, "encoding")


def _mutate_values(sheet: Sheet, vector: Vector) -> None:
    base, values, suite = vector["id"], vector["values"], sheet.suite
    elements = [suite.group.decode(bytes.fromhex(text)) for text in values]
    vector_g, vector_h = suite.vectors(1)
    shifts = {"plus-g": suite.G, "plus-h": suite.H, "plus-g-vector": vector_g[0], "plus-h-vector": vector_h[0]}
    for index, element in enumerate(elements):
        for name, shift in shifts.items():
            patch = replaced(f"/values/{index}", (element + shift).encode().hex())
            sheet.reject(base, f"value-{index}/{name}", f"a value is another ({name})", patch, "range")
        patch = replaced(f"/values/{index}", (-element).encode().hex())
        sheet.reject(base, f"value-{index}/negated", "a value is negated", patch, "range")
    sheet.reject(base, "values-swapped", "the values are exchanged", replaced("/values", values[::-1]), "range")
    sheet.reject(base, "value-twice", "the first value stands twice", replaced("/values", values[:1] * 2), "range")
    patch = replaced("/values/0", bytes(ELEMENT_SIZE).hex())
    sheet.reject(base, "value-0/identity", "a value is the identity, padded", patch, "point")
    other = replaced("/session_id", word("another session").hex())
    sheet.reject(base, "session", "the session is another", other, "range")
    short = replaced("/session_id", "11" * 31)
    sheet.reject(base, "session-short", "the session id has 31 bytes", short, "length")


def _points(rounds: int) -> dict[str, int]:
    """Where each point of a proof starts."""
    places = {name: 1 + index * ELEMENT_SIZE for index, name in enumerate(("A", "S", "T1", "T2"))}
    start = 1 + 4 * ELEMENT_SIZE + 3 * SCALAR_SIZE
    for index in range(rounds):
        places[f"L{index}"] = start + 2 * index * ELEMENT_SIZE
        places[f"R{index}"] = start + (2 * index + 1) * ELEMENT_SIZE
    return places


def _scalars(rounds: int) -> dict[str, int]:
    """Where each scalar of a proof starts."""
    start = 1 + 4 * ELEMENT_SIZE
    places = {name: start + index * SCALAR_SIZE for index, name in enumerate(("t_x", "tau_x", "mu"))}
    end = start + 3 * SCALAR_SIZE + 2 * rounds * ELEMENT_SIZE
    return places | {"a": end, "b": end + SCALAR_SIZE}


def _mutate_proof(sheet: Sheet, vector: Vector, rounds: int) -> None:
    base, proof, group = vector["id"], bytes.fromhex(vector["proof"]), sheet.suite.group

    def change(name: str, words: str, data: bytes, error: str) -> None:
        sheet.reject(base, f"proof/{name}", words, replaced("/proof", data.hex()), error)

    change("empty", "the proof is empty", b"", "length")
    change("truncated", "the last byte is missing", proof[:-1], "length")
    change("extended", "a zero byte is appended", proof + b"\0", "length")
    for scheme in (0, 2, 255):
        change(f"scheme-{scheme}", f"the scheme byte is {scheme}", bytes([scheme]) + proof[1:], "encoding")
    places, size = _points(rounds), ELEMENT_SIZE
    first = places["L0"]
    change("round-missing", "a round is missing", proof[:first] + proof[first + 2 * size :], "length")
    change("round-twice", "a round stands twice", proof[: first + 2 * size] + proof[first:], "length")
    change("unequal-rounds", "the last R is missing", proof[: places["R6"]] + proof[places["R6"] + size :], "length")
    for name, at in places.items():
        other = (group.decode(proof[at : at + size]) + sheet.suite.G).encode()
        change(f"{name}-other", f"{name} is another point", proof[:at] + other + proof[at + size :], "range")
        change(f"{name}-identity", f"{name} is the identity, padded", proof[:at] + bytes(size) + proof[at + size :], "point")
    for name, words, data, _ in bad_points(sheet.suite, proof[places["A"] : places["S"]]):
        if len(data) == size:
            change(f"A-{name}", f"A: {words}", proof[: places["A"]] + data + proof[places["S"] :], "point")
    for left, right in (("A", "S"), ("T1", "T2"), ("L0", "R0"), ("L6", "R6"), ("L0", "L1")):
        low, high = places[left], places[right]
        swapped = proof[:low] + proof[high : high + size] + proof[low + size : high] + proof[low : low + size]
        change(f"{left}-and-{right}", f"{left} and {right} are exchanged", swapped + proof[high + size :], "range")


def _mutate_scalars(sheet: Sheet, vector: Vector, rounds: int) -> None:
    base, proof, order = vector["id"], bytes.fromhex(vector["proof"]), sheet.suite.group.order
    for name, at in _scalars(rounds).items():
        value = int.from_bytes(proof[at : at + SCALAR_SIZE], "big")
        for change, other in (("plus-1", (value + 1) % order), ("negated", order - value), ("zero", 0)):
            data = proof[:at] + other.to_bytes(SCALAR_SIZE, "big") + proof[at + SCALAR_SIZE :]
            words = f"{name} is another scalar ({change})"
            sheet.reject(base, f"proof/{name}-{change}", words, replaced("/proof", data.hex()), "range")
        for bad, words, scalar, error in bad_scalars(sheet.suite):
            data = proof[:at] + scalar + proof[at + SCALAR_SIZE :]
            sheet.reject(base, f"proof/{name}-{bad}", f"{name}: {words}", replaced("/proof", data.hex()), error)


def _lie(sheet: Sheet, cast: Cast) -> None:
    """Provers that skip their check: the commitments hold what is out of range, the proof its lowest bits."""
    suite, bits = sheet.suite, 64
    lies = {
        "minus-one": ("the second value is -1", [99_999_999, -1]),
        "too-large": ("the second value is 2**64", [99_999_999, 2**64]),
        "order-minus-one": ("the first value is the order minus 1", [suite.group.order - 1, 0]),
        "cancelling": ("the values are 1 and -1, whose sum is in range", [1, -1]),
    }
    for name, (words, values) in lies.items():
        session, seed = word("session/64x2"), SeededRandomness(word(f"seed/lie/{name}"))
        secrets = [Secret(value, cast.scalar(f"range/lie/{name}/{index}")) for index, value in enumerate(values)]
        proof = dishonest.prove_range(suite, session, secrets, bits, seed)
        patch = replaced("/values", [secret.commit(suite).encode().hex() for secret in secrets])
        sheet.reject("64x2", f"lie/{name}", words, patch + replaced("/proof", proof.hex()), "range")

    # The right numbers on other bases: a value with a component on a range-proof vector.
    secrets = [Secret(99_999_999, cast.scalar("range/lie/base/0")), Secret(0, cast.scalar("range/lie/base/1"))]
    proof = dishonest.prove_range(suite, word("session/64x2"), secrets, bits, SeededRandomness(word("seed/lie/base")))
    shifted = [secrets[0].commit(suite) + suite.vectors(1)[0][0], secrets[1].commit(suite)]
    patch = replaced("/values", [value.encode().hex() for value in shifted]) + replaced("/proof", proof.hex())
    sheet.reject("64x2", "lie/other-base", "the first value has a component on a range-proof vector", patch, "range")
