"""An audit follows documents and financings through their whole life, and finds every step that its rules do not have.

Must hold: a log with every type of entry passes, and the audit counts its stages and statuses; the state digest tells logs
apart that differ in any of them. A failure would be a step at the wrong stage, after its time, or by the wrong party, that
passes. Not a failure: an application that is never decided about, or a document that stays overdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from parties.auditor.replay import Verdict, replay
from schemas.entries import Amended, Applied, Decided, Disbursed, Drawn, Expired, Genesis, ShownOverdrawn, StatusChanged
from schemas.messages import DrawMessage, ExpireMessage
from tests.builders import ANYBODY, DRAFT_LIFE, NOW, World, flip, make_draw, make_kind, make_moved_draw, make_world
from tests.parties.logbook import Entry, Logbook, bent, export_lines
from zkcore import engine
from zkcore.operations import ACCEPTED, APPROVED, CLEARED, DECLARED, DELETED, FROZEN, REJECTED, REPAID_OWN_FUNDS, WRITTEN_OFF
from zkcore.secret.operations import handled_commitment
from zkcore.suite import Suite

SUITE: Suite = engine.load()


def book(seed: bytes = b"a life", **changed: Any) -> Logbook:
    return Logbook(make_world(SUITE, seed, [make_kind(**changed)]))


def verdict_of(written: Logbook) -> Verdict:
    return replay(SUITE, written.lines())


def failure_of(entries: list[Entry]) -> tuple[int, str]:
    verdict = replay(SUITE, export_lines(entries))
    assert not verdict.ok
    return verdict.failures[0].index, verdict.failures[0].code


@dataclass(frozen=True)
class Life:
    """A log with every type of entry, and where each stands."""

    world: World
    entries: tuple[Entry, ...]
    verdict: Verdict

    def place(self, form: type[Entry]) -> int:
        """The place of the first entry of this type."""
        return next(index for index, entry in enumerate(self.entries) if isinstance(entry, form))


@pytest.fixture(scope="module")
def life() -> Life:
    written = book()
    written.register(1_000, status=DECLARED)
    written.status(0, CLEARED)
    for _ in range(2):
        written.apply(0)
        written.decide(len(written.applications) - 1, ACCEPTED)
    written.decide(0, APPROVED)
    written.decide(1, REJECTED)
    written.draw(0, 600, applied=0)
    written.disburse(0, rest=100)
    written.reduce(0, 50, REPAID_OWN_FUNDS)
    written.draw(0, 300, expires=written.now + 2)
    written.amend(0, 700)
    written.overdrawn(0)
    written.now += 10
    written.expire(1)
    written.register(700)
    written.status(0, DELETED, replacement=1)
    written.move(0, 1)
    written.reduce(2, 450, WRITTEN_OFF)
    written.close(2)
    return Life(written.world, tuple(written.entries), verdict_of(written))


def test_a_whole_life_passes(life: Life) -> None:
    assert life.verdict.failures == ()
    assert life.verdict.ok
    assert set(life.verdict.by_type) == {
        "genesis",
        "register",
        "status",
        "amend",
        "overdrawn",
        "apply",
        "decide",
        "draw",
        "disburse",
        "reduce",
        "close",
        "expire",
    }
    assert life.verdict.stages == {"application rejected": 1, "expired": 1, "moved": 1, "written-off": 1}
    assert life.verdict.statuses == {"cleared": 1, "deleted": 1}
    assert (life.verdict.draws_open, life.verdict.draws_closed) == (0, 3)


def test_the_reference_engine_comes_to_the_same_state(life: Life) -> None:
    verdict = replay(engine.load("reference"), export_lines(list(life.entries)))
    assert (verdict.ok, verdict.state) == (True, life.verdict.state)


def test_the_state_depends_on_every_entry(life: Life) -> None:
    lines = export_lines(list(life.entries))
    states = [replay(SUITE, lines[:count]).state for count in range(1, len(lines) + 1)]
    assert len(set(states)) == len(states)


def test_an_overdrawn_document_is_counted_until_something_changes() -> None:
    written = book()
    written.register(1_000)
    written.draw(0, 900)
    written.disburse(0)
    written.amend(0, 800)
    assert verdict_of(written).overdrawn == 0
    written.overdrawn(0)
    assert verdict_of(written).overdrawn == 1
    written.reduce(0, 500, REPAID_OWN_FUNDS)
    verdict = verdict_of(written)
    assert (verdict.ok, verdict.overdrawn) == (True, 0)
    written.draw(0, 400)
    assert verdict_of(written).ok


# --- bent entries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form,part,code",
    [
        (StatusChanged, "proof", "sigma"),
        (Amended, "proof", "sigma"),
        (Amended, "range_proof", "range"),
        (ShownOverdrawn, "proof", "sigma"),
        (ShownOverdrawn, "range_proof", "range"),
        (Applied, "proof", "sigma"),
        (Applied, "consent", "sigma"),
        (Decided, "proof", "sigma"),
        (Disbursed, "proof", "sigma"),
        (Disbursed, "range_proof", "range"),
    ],
)
def test_a_flipped_bit_in_a_proof_is_found_where_it_is(life: Life, form: type[Entry], part: str, code: str) -> None:
    index, entries = life.place(form), list(life.entries)
    entry = entries[index]
    assert not isinstance(entry, Genesis)
    proof = getattr(entry.body, part)
    entries[index] = bent(entry, **{part: flip(proof, 8 * len(proof) - 8)})
    assert failure_of(entries) == (index, code)


@pytest.mark.parametrize(
    "form,fields,code",
    [
        (StatusChanged, {"status": "customs-released"}, "sigma"),
        (StatusChanged, {"status": "declared"}, "state"),
        (StatusChanged, {"replacement": bytes([1]) * 32}, "state"),
        (StatusChanged, {"document": bytes([1]) * 32}, "state"),
        (Amended, {"reason": "partly-returned"}, "sigma"),
        (ShownOverdrawn, {"document": bytes([1]) * 32}, "state"),
        (Applied, {"expires": NOW + DRAFT_LIFE + 1}, "sigma"),
        (Applied, {"expires": NOW - 1}, "state"),
        (Applied, {"draw": bytes([1]) * 32}, "sigma"),
        (Decided, {"decision": "rejected"}, "sigma"),
        (Decided, {"decision": "approved"}, "state"),
        (Decided, {"draw": bytes([1]) * 32}, "state"),
        (Disbursed, {"rest": None, "range_proof": None}, "length"),
        (Disbursed, {"range_proof": None}, "length"),
        (Expired, {"draw": bytes([1]) * 32}, "state"),
    ],
)
def test_a_changed_field_is_found_where_it_is(life: Life, form: type[Entry], fields: dict[str, object], code: str) -> None:
    index, entries = life.place(form), list(life.entries)
    entries[index] = bent(entries[index], **fields)
    assert failure_of(entries) == (index, code)


def test_a_later_status_of_the_same_document_is_against_its_revision(life: Life) -> None:
    entries: list[Entry] = [entry for entry in life.entries if not isinstance(entry, Amended)]
    assert failure_of(entries)[1] == "sigma"


# --- rules ----------------------------------------------------------------------------------------------------------------


def test_nothing_is_drawn_on_a_document_that_is_not_cleared() -> None:
    for status in (DECLARED, FROZEN):
        written = book(status.encode())
        written.register(1_000, status=DECLARED if status == DECLARED else CLEARED)
        if status == FROZEN:
            written.status(0, FROZEN)
        written.draw(0, 1)
        assert failure_of(written.entries) == (len(written.entries) - 1, "state")


def test_nothing_is_drawn_on_a_document_shown_to_be_overdrawn() -> None:
    written = book()
    written.register(1_000)
    written.draw(0, 900)
    written.amend(0, 800)
    written.overdrawn(0)
    # The proof itself is for a residual that its maker invented; the rule stands before any proof.
    world, paper = written.world, written.papers[0]
    gift = handled_commitment(SUITE, world.opening(200), paper.state.owner, world.parameters.regulator)
    richer = replace(paper, state=replace(paper.state, residual=paper.state.residual + gift), headroom=paper.headroom + 200)
    later: Entry = Drawn(time=written.now, body=DrawMessage.of(make_draw(world, richer, 50).operation), caller=ANYBODY)
    verdict = replay(SUITE, export_lines([*written.entries, later]))
    assert [(failure.index, failure.code) for failure in verdict.failures] == [(5, "state")]
    assert "not financeable" in verdict.failures[0].message


def test_times_are_checked() -> None:
    late = book(b"late disbursement")
    late.register(1_000)
    late.draw(0, 500, expires=late.now + 2)
    late.now += 5
    late.disburse(0)
    assert failure_of(late.entries) == (3, "state")
    early = book(b"early expiry")
    early.register(1_000)
    early.draw(0, 500)
    early.expire(0)
    assert failure_of(early.entries) == (3, "state")
    long = book(b"long reservation", reservation_days=1)
    long.register(1_000)
    long.draw(0, 500, expires=long.now + 86_400 + 3)
    assert failure_of(long.entries) == (2, "state")


def test_a_disbursed_draw_does_not_expire() -> None:
    written = book()
    written.register(1_000)
    written.draw(0, 500, expires=written.now + 2)
    written.disburse(0)
    written.now += 10
    later: Entry = Expired(time=written.now, body=ExpireMessage(draw=written.loans[0][1].state.draw))
    assert failure_of([*written.entries, later]) == (4, "state")


def test_an_application_that_is_required_is_asked_for() -> None:
    written = book(b"required", applications="required")
    written.register(1_000)
    written.apply(0)
    written.decide(0, ACCEPTED)
    written.decide(0, APPROVED)
    written.draw(0, 500, applied=0)
    assert verdict_of(written).ok
    without = book(b"without", applications="required")
    without.register(1_000)
    without.draw(0, 500)
    assert failure_of(without.entries) == (2, "state")


@pytest.mark.parametrize("decisions", [(), (ACCEPTED,), (REJECTED,), (ACCEPTED, REJECTED)])
def test_a_draw_after_an_application_that_is_not_approved_is_found(decisions: tuple[str, ...]) -> None:
    written = book()
    written.register(1_000)
    written.apply(0)
    for decision in decisions:
        written.decide(0, decision)
    written.draw(0, 500, applied=0)
    assert failure_of(written.entries) == (3 + len(decisions), "state")


def test_a_paper_of_single_use_is_used_once() -> None:
    written = book(b"single", use="single")
    written.register(1_000)
    written.draw(0, 500)
    written.reduce(0, 500, "released")
    written.close(0)
    written.draw(0, 400)
    written.disburse(1)
    assert verdict_of(written).ok
    written.draw(0, 100)
    assert failure_of(written.entries) == (7, "state")


def test_a_draw_moves_once_and_only_to_the_replacement() -> None:
    written = book()
    written.register(1_000)
    written.register(1_000)
    written.draw(0, 500)
    written.status(0, DELETED, replacement=1)
    _, before = written.loans[0]
    written.move(0, 1)
    assert verdict_of(written).ok
    twice = make_moved_draw(written.world, written.papers[1], before).operation
    again: Entry = Drawn(time=written.now, body=DrawMessage.of(twice), caller=ANYBODY)
    assert failure_of([*written.entries, again]) == (6, "state")
    elsewhere = book(b"elsewhere")
    elsewhere.register(1_000)
    elsewhere.register(1_000)
    elsewhere.draw(0, 500)
    elsewhere.move(0, 1)
    assert failure_of(elsewhere.entries) == (4, "state")
