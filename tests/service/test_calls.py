"""Every call does what it says when all is well.

What must hold: the service's states are those that zkcore.ledger computes, receipts point at the entries that the export shows,
and the commitments open to what a plain integer says. A different order of keys in JSON would be no failure.
"""

from __future__ import annotations

import random

import pytest
import rfc8785

from schemas.answers import (
    DocumentStatus,
    DocumentView,
    EntriesPage,
    FinancingAnswer,
    Health,
    OwnerNotice,
    Ready,
    RegistrationAnswer,
    StepsAnswer,
)
from schemas.canonical import canonical
from schemas.entries import Genesis, decode_entry
from schemas.wire import encode_base64url
from tests.builders import (
    CURRENCY,
    KIND,
    NOW,
    Loan,
    Paper,
    make_close,
    make_draw,
    make_reduce,
    make_register,
    make_view,
    opens_to,
)
from tests.service.harness import Desk, accepted
from tlog.leaf import leaf_hash
from zkcore import engine
from zkcore.commitments import HandledCommitment
from zkcore.ledger.state import SETTLED, TRANSITIONS
from zkcore.operations import OWNER, REASONS, REGULATOR, RELEASED


def view_of(desk: Desk, paper: Paper, reader: str = OWNER) -> DocumentView:
    response = desk.send_view(make_view(desk.world, paper, reader=reader, issued=desk.now))
    assert response.status_code == 200, response.text
    return DocumentView.model_validate(response.json())


def test_parameters_are_the_genesis_entry(desk: Desk) -> None:
    response = desk.get("/v1/parameters")
    assert response.status_code == 200
    assert response.content == canonical(desk.world.genesis)
    assert Genesis.model_validate(response.json()) == desk.world.genesis


def test_health(desk: Desk) -> None:
    assert Health.model_validate(desk.get("/v1/health").json()) == Health(status="ok", engine=engine.load().engine)
    assert Ready.model_validate(desk.get("/v1/ready").json()) == Ready(status="ready", entries=1)


def test_register_then_status_and_notice(desk: Desk) -> None:
    document = make_register(desk.world, 100_000)
    accepted_answer = desk.send_documents([document])
    assert accepted_answer.status_code == 201
    id_ = encode_base64url(document.operation.document)
    status = DocumentStatus.model_validate(desk.get(f"/v1/documents/{id_}").json())
    state = document.committed(accepted(accepted_answer, RegistrationAnswer).receipts[0].leaf).state
    assert status == DocumentStatus(
        document=state.document,
        kind=KIND,
        counter="financing",
        currency=CURRENCY,
        status="cleared",
        financeable=True,
        overdrawn=False,
        replacement=None,
        revision=state.revision,
    )
    notice = OwnerNotice.model_validate(desk.get(f"/v1/documents/{id_}/notice").json())
    assert notice.memo == document.operation.memos.owner
    assert notice.owner == document.operation.owner.encode()


def test_receipts_point_at_the_exported_entries(desk: Desk) -> None:
    desk.now = NOW + 5
    documents = [make_register(desk.world, limit) for limit in (100, 200, 300)]
    receipts = desk.send_documents(documents).json()["receipts"]
    page = EntriesPage.model_validate(desk.export().json())
    assert [receipt["index"] for receipt in receipts] == [1, 2, 3]
    assert page.size == 4
    for document, receipt, exported in zip(documents, receipts, page.entries[1:], strict=True):
        assert exported.index == receipt["index"]
        assert exported.entry["time"] == receipt["time"] == NOW + 5
        assert exported.entry["body"]["document"] == encode_base64url(document.operation.document)


def test_export_goes_on_where_the_page_ended(desk: Desk) -> None:
    desk.register(1, 2, 3, 4)
    indices: list[int] = []
    following: int | None = 0
    while following is not None:
        page = EntriesPage.model_validate(desk.export(f"?from={following}&limit=2").json())
        indices += [item.index for item in page.entries]
        following = page.next
    assert indices == [0, 1, 2, 3, 4]
    beyond = EntriesPage.model_validate(desk.export("?from=99").json())
    assert beyond == EntriesPage(entries=[], next=None, size=5)


def test_exported_entries_are_what_was_hashed(desk: Desk) -> None:
    """A receipt's leaf is the hash of the canonical bytes, which an auditor gets back from the exported JSON."""
    paper = desk.register(100)[0]
    receipt = accepted(desk.send_draws([make_draw(desk.world, paper, 60)]), FinancingAnswer).draws[0].receipt
    exported = EntriesPage.model_validate(desk.export(f"?from={receipt.index}").json()).entries[0]
    encoded = rfc8785.dumps(exported.entry)
    decode_entry(encoded)
    assert leaf_hash(encoded) == receipt.leaf


def test_owner_and_regulator_see_the_private_state(desk: Desk) -> None:
    before = desk.register(100_000)[0]
    after, _ = desk.draw(before, 60_000)
    for reader in (OWNER, REGULATOR):
        view = view_of(desk, after, reader)
        assert view.residual == after.state.residual.encode()
        assert view.limit == before.state.limit.encode()
        assert (view.head, view.draws) == (after.state.head, 1)
        assert [entry["type"] for entry in view.entries] == ["register", "draw"]


def test_a_view_shows_the_entries_of_its_document_alone(desk: Desk) -> None:
    first, second = desk.register(100, 200)
    second, loan = desk.lend(second, 50)
    first, _ = desk.draw(first, 10)
    second_after = desk.reduce(make_reduce(desk.world, second, loan, 50), second, loan)[0]
    assert [entry["type"] for entry in view_of(desk, first).entries] == ["register", "draw"]
    assert [entry["type"] for entry in view_of(desk, second_after).entries] == ["register", "draw", "disburse", "reduce"]


def test_exactly_used_up_is_valid(desk: Desk) -> None:
    """Story 1, the accepted part: 600,000.00 and 350,000.00 and 50,000.00 of 1,000,000.00."""
    paper = desk.register(1_000_000_00)[0]
    for amount in (600_000_00, 350_000_00, 50_000_00):
        paper, _ = desk.draw(paper, amount)
    assert paper.headroom == 0
    assert opens_to(desk.world, paper.state.residual, 0)


def test_a_financing_over_several_documents(desk: Desk) -> None:
    """Story 5, the accepted part: 80 per cent of six declarations, in one call."""
    limits = [48_200_00, 36_750_00, 52_040_00, 61_300_50, 27_999_50, 23_710_00]
    papers = desk.register(*limits)
    shares = [limit * 80 // 100 for limit in limits]
    committed = desk.finance(*(make_draw(desk.world, paper, share) for paper, share in zip(papers, shares, strict=True)))
    for (paper, _), limit, share in zip(committed, limits, shares, strict=True):
        view = view_of(desk, paper)
        residual = HandledCommitment.decode(desk.world.suite.group, view.residual)
        assert opens_to(desk.world, residual, limit - share)


def test_a_consented_financing_is_proven_by_the_regulator(desk: Desk) -> None:
    paper = desk.register(100_000)[0]
    after, _ = desk.finance(make_draw(desk.world, paper, 70_000, consented=True))[0]
    assert view_of(desk, after).residual == after.state.residual.encode()


@pytest.mark.parametrize("reason", REASONS)
def test_reduce_gives_headroom_back_where_the_kind_says_so(desk: Desk, reason: str) -> None:
    """Story 3: repaid from own funds, 300,000 can be drawn again; from proceeds, 100,000."""
    make = desk.draw if reason == RELEASED else desk.lend
    paper, loan = make(desk.register(300_000)[0], 200_000)
    paper, loan = desk.reduce(make_reduce(desk.world, paper, loan, 200_000, reason), paper, loan)
    restored = reason in ("released", "repaid-own-funds")
    assert paper.headroom == (300_000 if restored else 100_000)
    assert view_of(desk, paper).head == paper.state.head
    desk.draw(paper, paper.headroom)


def test_reduce_in_parts_then_close(desk: Desk) -> None:
    paper, loan = desk.lend(desk.register(1_000)[0], 600)
    for amount in (100, 499, 1):
        paper, loan = desk.reduce(make_reduce(desk.world, paper, loan, amount), paper, loan)
    receipt = accepted(desk.send_close(make_close(desk.world, paper, loan)), StepsAnswer).steps[0]
    assert receipt.draw == loan.state.draw
    state = desk.verifier.storage.draws([loan.state.draw])[loan.state.draw]
    assert state.stage == SETTLED
    assert state.head == receipt.head


def test_times_of_entries_never_go_back(desk: Desk) -> None:
    """An auditor refuses a log that does; so a clock that was set back stamps the time of the last entry."""
    desk.now = NOW + 100
    paper = desk.register(1_000)[0]
    desk.now = NOW + 40
    receipt = accepted(desk.send_draws([make_draw(desk.world, paper, 10)]), FinancingAnswer).draws[0].receipt
    assert receipt.time == NOW + 100


def test_a_random_walk_matches_plain_integers(desk: Desk) -> None:
    """Draws, reductions and closures in an order that a seed gives; every residual and outstanding opens to the integer's."""
    walk, world, storage = random.Random(20260101), desk.world, desk.verifier.storage
    papers = desk.register(5_000, 800)
    loans: list[tuple[int, Loan]] = []
    for _ in range(14):
        which = walk.randrange(len(papers))
        if loans and walk.random() < 0.5:
            which, loan = loans.pop(walk.randrange(len(loans)))
            papers[which] = _reduce_or_close(desk, walk, which, papers[which], loan, loans)
        elif papers[which].headroom:
            make = walk.choice([desk.draw, desk.lend])
            papers[which], loan = make(papers[which], walk.randint(1, papers[which].headroom))
            loans.append((which, loan))
    for paper in papers:
        state = storage.documents([paper.state.document])[paper.state.document]
        assert state == paper.state
        assert opens_to(world, state.residual, paper.headroom)
    for _, loan in loans:
        assert storage.draws([loan.state.draw]) == {loan.state.draw: loan.state}


def _reduce_or_close(
    desk: Desk, walk: random.Random, which: int, paper: Paper, loan: Loan, loans: list[tuple[int, Loan]]
) -> Paper:
    if not loan.outstanding.amount:
        accepted(desk.send_close(make_close(desk.world, paper, loan)), StepsAnswer)
        return paper
    amount = walk.choice([loan.outstanding.amount, walk.randint(1, loan.outstanding.amount)])
    reasons = [reason for reason in REASONS if reason in TRANSITIONS[loan.state.stage]]
    reduction = make_reduce(desk.world, paper, loan, amount, walk.choice(reasons))
    paper, loan = desk.reduce(reduction, paper, loan)
    loans.append((which, loan))
    return paper
