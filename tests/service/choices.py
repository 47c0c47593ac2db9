"""Choices that Hypothesis makes for the model of integers; and forgeries: right operations, one bit of one proof another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import strategies as st

from schemas import problems
from tests.builders import NewDocument, flip
from tests.service.model import Amendment, Closure, Disbursal, Financing, Line, Reduction, Registration, Showing, StatusChange

T = TypeVar("T")


def pick(data: st.DataObject, among: Sequence[T], label: str) -> T:
    """One of them, shown by its place."""
    return among[data.draw(st.integers(0, len(among) - 1), label=label)]


def pick_several(data: st.DataObject, among: Sequence[T], number: int, label: str) -> list[T]:
    """As many different ones as there are, at most `number`."""
    left = list(among)
    return [left.pop(data.draw(st.integers(0, len(left) - 1), label=label)) for _ in range(min(number, len(left)))]


def whether(data: st.DataObject, label: str) -> bool:
    """Yes or no."""
    return data.draw(st.booleans(), label=label)


def up_to(data: st.DataObject, most: int) -> int:
    """An amount of 1 to `most`, often all of it."""
    return data.draw(st.one_of(st.just(most), st.integers(1, most)), label="amount")


def part_of(data: st.DataObject, whole: int) -> int:
    """An amount of 0 to less than the whole, often 0."""
    return data.draw(st.one_of(st.just(0), st.integers(0, whole - 1)), label="part")


# --- forgeries ------------------------------------------------------------------------------------------------------------


def flipped(data: st.DataObject, proof: bytes) -> bytes:
    """With one bit another."""
    return flip(proof, data.draw(st.integers(0, 8 * len(proof) - 1), label="bit"))


def forge(data: st.DataObject, operation: Any) -> Any:
    """An operation with one of its proofs forged; of several equals, any."""
    parts = [part for part in ("proof", "range_proof") if getattr(operation, part, b"")]
    part = pick(data, parts, "part")
    return replace(operation, **{part: flipped(data, getattr(operation, part))})


def forge_registration(data: st.DataObject, document: NewDocument) -> Registration:
    return Registration([replace(document, operation=forge(data, document.operation))], problems.PROOF_INVALID)


def forge_change(data: st.DataObject, change: StatusChange) -> StatusChange:
    return replace(change, change=forge(data, change.change), flaw=problems.PROOF_INVALID)


def forge_amendment(data: st.DataObject, amendment: Amendment) -> Amendment:
    made = amendment.amendment
    forged = replace(made, operation=forge(data, made.operation))
    return replace(amendment, amendment=forged, flaw=problems.PROOF_INVALID)


def forge_showing(data: st.DataObject, showing: Showing) -> Showing:
    return replace(showing, overdrawn=forge(data, showing.overdrawn), flaw=problems.PROOF_INVALID)


def forge_line(data: st.DataObject, line: Line) -> Line:
    """The bank's part, the owner's consent, or the headroom."""
    draw = line.draw.operation
    part = pick(data, ["draft", "headroom", *(["consent"] if draw.draft.consent else [])], "part of the draw")
    if part == "draft":
        forged, flaw = replace(draw, draft=forge(data, draw.draft)), problems.PROOF_INVALID
    elif part == "headroom":
        forged, flaw = replace(draw, headroom=forge(data, draw.headroom)), problems.HEADROOM_NOT_PROVEN
    else:
        consent = forge(data, draw.draft.consent)
        forged, flaw = replace(draw, draft=replace(draw.draft, consent=consent)), problems.CONSENT_INVALID
    return replace(line, draw=replace(line.draw, operation=forged), flaw=flaw)


def forge_draw(data: st.DataObject, line: Line) -> Financing:
    return Financing([forge_line(data, line)])


S = TypeVar("S", Disbursal, Reduction)


def forge_made(data: st.DataObject, step: S) -> S:
    made = replace(step.made, operation=forge(data, step.made.operation))
    return replace(step, made=made, flaw=problems.PROOF_INVALID)


def forge_closure(data: st.DataObject, closure: Closure) -> Closure:
    return replace(closure, made=forge(data, closure.made), flaw=problems.PROOF_INVALID)
