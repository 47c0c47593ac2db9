"""Every refusal: the right problem of the closed list, and a database that is byte for byte what it was.

A failure would be another problem type, a line that is not named, a row that changed, or an answer that tells a bank more than
that its headroom is not proven. The wording of a line's detail may change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from schemas import problems
from schemas.answers import RegistrationAnswer
from schemas.messages import ChangeStatusMessage, DrawMessage, FinancingRequest
from schemas.wire import encode_base64url
from tests.builders import (
    NOW,
    NewDraw,
    World,
    flip,
    make_close,
    make_consent,
    make_draft,
    make_draw,
    make_headroom,
    make_kind,
    make_overdraw,
    make_reduce,
    make_register,
    make_status,
    make_view,
)
from tests.service.harness import JSON, Desk, accepted, make_desk, refused, unchanged
from zkcore import ledger, statements
from zkcore.context import ABSENT
from zkcore.operations import OWNER, REGULATOR, Draw
from zkcore.secret.keys import SigningSecret, ViewSecret
from zkcore.secret.opening import Opening
from zkcore.secret.operations import ConsentRequest, prove_consent
from zkcore.secret.sigma import prove_batchable
from zkcore.suite import Suite
from zkcore.verifying.batch import Claim, verify


def with_draft(draw: NewDraw, /, **changes: Any) -> NewDraw:
    """The draw with other fields in its draft; its proofs stay as they were."""
    return replace(draw, operation=replace(draw.operation, draft=replace(draw.operation.draft, **changes)))


def with_headroom(draw: NewDraw, /, **changes: Any) -> NewDraw:
    """The draw with other fields in its headroom part; its proofs stay as they were."""
    return replace(draw, operation=replace(draw.operation, headroom=replace(draw.operation.headroom, **changes)))


# --- registrations --------------------------------------------------------------------------------------------------------


def test_a_stranger_does_not_register(desk: Desk) -> None:
    stranger = SigningSecret.generate(desk.world.suite, desk.world.randomness)
    parameters = replace(desk.world.parameters, attesters={stranger.public(desk.world.suite): "customs"})
    good, bad = make_register(desk.world, 1), make_register(desk.world, 1, attester=stranger, parameters=parameters)
    with unchanged(desk):
        problem = refused(desk.send_documents([good, bad]), problems.REGISTRATION_REFUSED)
    assert [(line.line, line.code) for line in problem.lines] == [(1, "key")]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"epoch": 2}, id="another epoch of the regulator's key"),
        pytest.param({"kinds": {"freight-bill": make_kind("freight-bill").policy()}}, id="a kind this log has not"),
    ],
)
def test_other_parameters_are_refused(desk: Desk, changes: dict[str, Any]) -> None:
    parameters = replace(desk.world.parameters, **changes)
    kind = next(iter(parameters.kinds))
    document = make_register(desk.world, 1, kind=kind, parameters=parameters)
    with unchanged(desk):
        problem = refused(desk.send_documents([document]), problems.REGISTRATION_REFUSED)
    assert problem.lines[0].code == "state"


@pytest.mark.parametrize("part", ["proof", "range_proof"])
def test_a_changed_proof_does_not_register_and_takes_the_others_with_it(desk: Desk, part: str) -> None:
    good, bad = make_register(desk.world, 500), make_register(desk.world, 500)
    changed = flip(getattr(bad.operation, part), 8 * len(getattr(bad.operation, part)) - 8)
    changes: dict[str, Any] = {part: changed}
    bad = replace(bad, operation=replace(bad.operation, **changes))
    with unchanged(desk):
        problem = refused(desk.send_documents([good, bad]), problems.PROOF_INVALID)
    assert [(line.line, line.code) for line in problem.lines] == [(1, "sigma" if part == "proof" else "range")]


def test_other_facts_under_the_same_proof(desk: Desk) -> None:
    document = make_register(desk.world, 500)
    attempts = [
        replace(document.operation, currency="EUR"),
        replace(document.operation, document=desk.world.identifier()),
        replace(document.operation, memos=desk.world.memos()),
    ]
    for operation in attempts:
        with unchanged(desk):
            refused(desk.send_documents([replace(document, operation=operation)]), problems.PROOF_INVALID)


def test_a_document_registers_once(desk: Desk) -> None:
    document = make_register(desk.world, 500)
    assert desk.send_documents([document]).status_code == 201
    again = make_register(desk.world, 900, document=document.operation.document)
    with unchanged(desk):
        problem = refused(desk.send_documents([make_register(desk.world, 1), again]), problems.ALREADY_EXISTS)
    assert [line.line for line in problem.lines] == [1]


def test_an_id_stands_once_in_a_registration(desk: Desk) -> None:
    document = make_register(desk.world, 500)
    with unchanged(desk):
        refused(desk.send_documents([document, document]), problems.ALREADY_EXISTS)


# --- financings -----------------------------------------------------------------------------------------------------------


def test_an_unknown_document(desk: Desk, world: World) -> None:
    known = desk.register(500)[0]
    unknown = make_register(world, 500).committed()
    with unchanged(desk):
        problem = refused(
            desk.send_draws([make_draw(world, known, 1), make_draw(world, unknown, 1)]), problems.DOCUMENT_UNKNOWN
        )
    assert [line.line for line in problem.lines] == [1]


def test_a_document_stands_once_in_a_financing(desk: Desk, world: World) -> None:
    first, second = desk.register(500, 500)
    draws = [make_draw(world, paper, 1) for paper in (first, second, first)]
    with unchanged(desk):
        problem = refused(desk.send_draws(draws), problems.DOCUMENT_REPEATED)
    assert [line.line for line in problem.lines] == [2]


def test_an_expired_draft(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    draw = make_draw(world, paper, 1, expires=NOW + 10)
    desk.now = NOW + 11
    with unchanged(desk):
        refused(desk.send_draws([draw]), problems.EXPIRED)
    desk.now = NOW + 10
    desk.finance(draw)


def test_a_draft_that_the_log_has_passed_is_expired_whatever_the_clock_says(desk: Desk, world: World) -> None:
    """An auditor compares the expiry with the entry's time, which never goes back."""
    desk.now = NOW + 100
    paper = desk.register(500)[0]
    desk.now = NOW
    with unchanged(desk):
        refused(desk.send_draws([make_draw(world, paper, 1, expires=NOW + 50)]), problems.EXPIRED)


def test_a_draft_that_expires_while_its_proofs_are_verified_is_expired(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may have refused a repetition as too late by then: what it said must stay true."""
    draw = make_draw(world, desk.register(500)[0], 1, expires=NOW + 10)

    def slow(suite: Suite, claims: Sequence[Claim]) -> None:
        desk.now = NOW + 11
        verify(suite, claims)

    with monkeypatch.context() as patched, unchanged(desk):
        patched.setattr("service.joint.verify", slow)
        refused(desk.send_draws([draw]), problems.EXPIRED)
    desk.now = NOW + 10
    desk.finance(draw)


def test_one_minor_unit_too_much(desk: Desk, world: World) -> None:
    """Stories 1 and 5: past the headroom by 0.01, and no other line commits either."""
    paper, other = desk.register(100_000, 100_000)
    paper, _ = desk.draw(paper, 95_000)
    with unchanged(desk):
        problem = refused(
            desk.send_draws([make_draw(world, other, 1), make_overdraw(world, paper, 5_001)]), problems.HEADROOM_NOT_PROVEN
        )
    assert [line.line for line in problem.lines] == [1]
    desk.draw(paper, 5_000)


def test_a_stale_head_and_a_false_proof_get_the_same_answer(desk: Desk, world: World) -> None:
    before = desk.register(100_000)[0]
    stale = make_draw(world, before, 10)
    after, _ = desk.draw(before, 20)
    false = make_overdraw(world, after, 99_981)
    broken = make_draw(world, after, 10)
    broken = with_headroom(broken, range_proof=broken.operation.headroom.range_proof[:-1])
    answers = set()
    for draw in (stale, false, broken):
        with unchanged(desk):
            response = desk.send_draws([draw])
        refused(response, problems.HEADROOM_NOT_PROVEN)
        answers.add(response.content)
    assert len(answers) == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda world, draft: {"proof": flip(draft.proof, 8 * len(draft.proof) - 8)}, id="proof"),
        pytest.param(lambda world, draft: {"proof": draft.proof[:-1]}, id="short proof"),
        pytest.param(lambda world, draft: {"expires": draft.expires + 1}, id="expiry"),
        pytest.param(lambda world, draft: {"memos": world.memos()}, id="memos"),
        pytest.param(lambda world, draft: {"draw": world.identifier()}, id="draw id"),
        pytest.param(lambda world, draft: {"key": world.bank.public(world.suite)}, id="another bank's key"),
        pytest.param(lambda world, draft: {"amount": draft.amount + draft.amount}, id="twice the amount"),
        pytest.param(
            lambda world, draft: {"amount": replace(draft.amount, regulator=draft.amount.owner)}, id="handle of another reader"
        ),
    ],
)
def test_a_changed_draft(desk: Desk, world: World, change: Callable[..., dict[str, Any]]) -> None:
    paper = desk.register(500)[0]
    draw = make_draw(world, paper, 5)
    with unchanged(desk):
        problem = refused(desk.send_draws([with_draft(draw, **change(world, draw.operation.draft))]), problems.PROOF_INVALID)
    assert [line.line for line in problem.lines] == [0]


def test_a_draft_for_another_document(desk: Desk, world: World) -> None:
    """The proofs of one document under the id of another: both exist, both have the headroom."""
    first, second = desk.register(500, 500)
    draw = with_draft(make_draw(world, first, 5), document=second.state.document)
    with unchanged(desk):
        refused(desk.send_draws([draw]), problems.PROOF_INVALID)


def test_parts_of_two_draws_do_not_mix(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    one, two = make_draw(world, paper, 5), make_draw(world, paper, 5)
    mixed = replace(one, operation=Draw(one.operation.draft, two.operation.headroom))
    with unchanged(desk):
        refused(desk.send_draws([mixed]), problems.HEADROOM_NOT_PROVEN)


def test_a_draw_id_is_used_once(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    paper, loan = desk.draw(paper, 5)
    with unchanged(desk):
        refused(desk.send_draws([make_draw(world, paper, 5, draw=loan.state.draw)]), problems.ALREADY_EXISTS)


def test_a_draw_id_stands_once_in_a_financing(desk: Desk, world: World) -> None:
    first, second = desk.register(500, 500)
    id_ = world.identifier()
    with unchanged(desk):
        problem = refused(
            desk.send_draws([make_draw(world, first, 5, draw=id_), make_draw(world, second, 5, draw=id_)]),
            problems.ALREADY_EXISTS,
        )
    assert [line.line for line in problem.lines] == [1]


def test_a_blinding_that_cancels_out(desk: Desk, world: World) -> None:
    """A bank that learnt the limit's blinding and draws with it would leave handles that are the identity."""
    document = make_register(world, 500)
    paper = document.committed(accepted(desk.send_documents([document]), RegistrationAnswer).receipts[0].leaf)
    key, opening = SigningSecret.generate(world.suite, world.randomness), Opening(5, document.limit.blinding)
    headroom = make_draw(world, paper, 5).operation.headroom  # No honest prover answers such a draft.
    draw = NewDraw(world, Draw(make_draft(world, paper, opening, key), headroom), paper, key, opening)
    with unchanged(desk):
        refused(desk.send_draws([draw]), problems.HEADROOM_NOT_PROVEN)


def test_a_reduction_whose_blinding_cancels_out(desk: Desk, world: World) -> None:
    paper, loan = desk.lend(desk.register(500)[0], 100)
    reduction = make_reduce(world, paper, loan, 100)
    reduction = replace(reduction, operation=replace(reduction.operation, amount=loan.state.outstanding))
    with unchanged(desk):
        problem = refused(desk.send_reduction(reduction), problems.PROOF_INVALID)
    assert problem.lines[0].code == "identity"


def test_a_full_document(desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    paper, _ = desk.draw(desk.register(500)[0], 5)
    draw = make_draw(world, paper, 5)
    monkeypatch.setattr("zkcore.ledger.draws.MAXIMUM_DRAWS", 1)
    monkeypatch.setattr(ledger, "MAXIMUM_DRAWS", 1)
    with unchanged(desk):
        refused(desk.send_draws([draw]), problems.HEADROOM_NOT_PROVEN)


# --- consents -------------------------------------------------------------------------------------------------------------


def test_the_regulator_alone_does_not_draw(desk: Desk, world: World) -> None:
    """Story 6: without the owner's consent, a headroom proof by the regulator is refused."""
    paper = desk.register(500)[0]
    headroom = make_draw(world, paper, 5, consented=True).operation.headroom
    draw = make_draw(world, paper, 5)
    draw = replace(draw, operation=replace(draw.operation, headroom=headroom))
    with unchanged(desk):
        refused(desk.send_draws([draw]), problems.CONSENT_INVALID)


def test_an_owner_who_proves_needs_no_consent_beforehand(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    draw = with_headroom(make_draw(world, paper, 5, consented=True), prover=OWNER)
    with unchanged(desk):
        refused(desk.send_draws([draw]), problems.CONSENT_INVALID)


def test_a_consent_for_another_bank_amount_or_document(desk: Desk, world: World) -> None:
    """Story 6. Whoever moves a consent to another draw makes all of its own proofs right, and still has not that of s'."""
    paper, other = desk.register(500, 500)
    key, stranger = (SigningSecret.generate(world.suite, world.randomness) for _ in range(2))
    opening = world.opening(5)
    consent, asked = make_consent(world, paper, 5, key)
    rich, _ = make_consent(world, paper, 400, key)
    headroom = make_draw(world, paper, 5, consented=True).operation.headroom  # An honest prover would not answer these drafts.
    foreign, foreign_asked = make_consent(world, other, 5, key)
    attempts = {
        "another bank": (make_draft(world, paper, opening, stranger, consent=(consent, asked)), problems.CONSENT_INVALID),
        "another document": (
            make_draft(world, paper, opening, key, consent=(foreign, foreign_asked)),
            problems.CONSENT_INVALID,
        ),
        "another expiry": (
            make_draft(world, paper, opening, key, consent=(consent, asked), expires=NOW + 8 * 86_400),
            problems.CONSENT_INVALID,
        ),
        "another amount": (
            replace(make_draft(world, paper, opening, key, consent=(consent, asked)), consent=rich),
            problems.PROOF_INVALID,
        ),
    }
    for what, (draft, expected) in attempts.items():
        with unchanged(desk):
            problem = refused(desk.send_draws([NewDraw(world, Draw(draft, headroom), paper, key, opening)]), expected)
        assert problem.lines, what


def test_a_consent_is_used_once(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    application = world.identifier()
    for attempt in range(2):
        key, opening = SigningSecret.generate(world.suite, world.randomness), world.opening(5)
        consent = make_consent(world, paper, 5, key, application=application)
        draft = make_draft(world, paper, opening, key, consent=consent)
        draw = NewDraw(world, Draw(draft, make_headroom(world, paper, draft, opening)), paper, key, opening)
        if not attempt:
            paper, _ = desk.finance(draw)[0]
            continue
        with unchanged(desk):
            refused(desk.send_draws([draw]), problems.CONSENT_USED)


def test_a_consent_proven_anew_is_the_same_consent(desk: Desk, world: World) -> None:
    """Proofs are not unique, so other proof bytes make no other consent."""
    paper, key, asked = desk.register(500)[0], SigningSecret.generate(world.suite, world.randomness), world.opening(5)
    request = ConsentRequest(world.identifier(), key.public(world.suite), asked, NOW + 86_400)
    arguments = (world.suite, world.parameters, paper.facts, paper.secret, request, world.randomness)
    first, second = prove_consent(*arguments), prove_consent(*arguments)
    assert first.proof != second.proof
    for consent in (first, second):
        opening = world.opening(5)
        draft = make_draft(world, paper, opening, key, consent=(consent, asked), expires=NOW + 86_400)
        draw = NewDraw(world, Draw(draft, make_headroom(world, paper, draft, opening)), paper, key, opening)
        if consent is first:
            paper, _ = desk.finance(draw)[0]
            continue
        with unchanged(desk):
            refused(desk.send_draws([draw]), problems.CONSENT_USED)


# --- reductions and closures ----------------------------------------------------------------------------------------------


def test_an_unknown_draw(desk: Desk, world: World) -> None:
    paper = make_register(world, 500).committed()
    paper, loan = make_draw(world, paper, 5).committed()
    settled = make_reduce(world, paper, loan, 5, "released")
    _, empty = settled.committed(world, paper, loan)
    with unchanged(desk):
        refused(desk.send_reduction(settled), problems.DRAW_UNKNOWN)
        refused(desk.send_close(make_close(world, paper, empty)), problems.DRAW_UNKNOWN)


def test_a_reduction_by_more_than_is_outstanding(desk: Desk, world: World) -> None:
    paper, loan = desk.lend(desk.register(500)[0], 100)
    richer = replace(loan, outstanding=replace(loan.outstanding, amount=400))
    commitment = replace(richer.state.outstanding, commitment=richer.outstanding.commit(world.suite))
    forged = make_reduce(world, paper, replace(richer, state=replace(loan.state, outstanding=commitment)), 101)
    with unchanged(desk):
        refused(desk.send_reduction(forged), problems.PROOF_INVALID)


def test_a_reduction_by_somebody_else(desk: Desk, world: World) -> None:
    """Whoever knows the opening, but not the draw's key."""
    paper, loan = desk.lend(desk.register(500)[0], 100)
    key = SigningSecret.generate(world.suite, world.randomness)
    thief = replace(loan, key=key, state=replace(loan.state, key=key.public(world.suite)))
    with unchanged(desk):
        refused(desk.send_reduction(make_reduce(world, paper, thief, 100)), problems.PROOF_INVALID)


def test_a_reduction_with_another_reason_under_the_same_proof(desk: Desk, world: World) -> None:
    """A repayment from proceeds does not become one from own funds, which would give headroom back."""
    paper, loan = desk.lend(desk.register(500)[0], 100)
    reduction = make_reduce(world, paper, loan, 100, "repaid-proceeds")
    changed = replace(reduction, operation=replace(reduction.operation, reason="repaid-own-funds"))
    with unchanged(desk):
        refused(desk.send_reduction(changed), problems.PROOF_INVALID)


def test_a_reduction_is_for_one_head(desk: Desk, world: World) -> None:
    paper, loan = desk.lend(desk.register(500)[0], 100)
    first, second = make_reduce(world, paper, loan, 30), make_reduce(world, paper, loan, 30)
    desk.reduce(first, paper, loan)
    for reduction in (first, second):
        with unchanged(desk):
            refused(desk.send_reduction(reduction), problems.PROOF_INVALID)


def test_a_close_with_something_outstanding(desk: Desk, world: World) -> None:
    paper, loan = desk.lend(desk.register(500)[0], 100)
    settled = make_reduce(world, paper, loan, 100)
    _, pretended = settled.committed(world, paper, loan)
    with unchanged(desk):
        refused(desk.send_close(make_close(world, paper, pretended)), problems.PROOF_INVALID)


def test_a_closed_draw(desk: Desk, world: World) -> None:
    paper, loan = desk.lend(desk.register(500)[0], 100)
    late = make_reduce(world, paper, loan, 100)
    paper, loan = desk.reduce(make_reduce(world, paper, loan, 100), paper, loan)
    close = make_close(world, paper, loan)
    assert desk.send_close(close).status_code == 201
    with unchanged(desk):
        refused(desk.send_close(close), problems.WRONG_STAGE)
        refused(desk.send_reduction(late), problems.WRONG_STAGE)


def test_path_and_body_name_one_document(desk: Desk, world: World) -> None:
    message = ChangeStatusMessage.of(make_status(world, desk.register(500)[0], "frozen"))
    with unchanged(desk):
        problem = refused(
            desk.post(f"/v1/documents/{encode_base64url(world.identifier())}/status", message), problems.MALFORMED
        )
    assert [field.path for field in problem.fields] == ["/document"]


# --- private views and the export -----------------------------------------------------------------------------------------


def test_unknown_and_not_yours_get_the_same_answer(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    stranger = ViewSecret.generate(world.suite, world.randomness)
    imagined = replace(paper, state=replace(paper.state, owner=stranger.public(world.suite)), secret=stranger)
    unknown = make_register(world, 500).committed()
    short = make_view(world, paper)
    attempts = [
        make_view(world, imagined),
        replace(make_view(world, paper), reader=REGULATOR),
        make_view(world, unknown),
        replace(short, proof=short.proof[:-1]),
        replace(short, nonce=bytes(16)),
    ]
    answers = set()
    for attempt in attempts:
        with unchanged(desk):
            response = desk.send_view(attempt)
        refused(response, problems.DOCUMENT_UNKNOWN)
        answers.add(response.content)
    for path in ("", "/notice"):
        response = desk.get(f"/v1/documents/{encode_base64url(unknown.state.document)}{path}")
        refused(response, problems.DOCUMENT_UNKNOWN)
        answers.add(response.content)
    assert len(answers) == 1


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_view_is_of_these_minutes(desk: Desk, world: World, seconds: int) -> None:
    paper = desk.register(500)[0]
    with unchanged(desk):
        refused(desk.send_view(make_view(world, paper, issued=NOW + seconds)), problems.EXPIRED)
    assert desk.send_view(make_view(world, paper, issued=NOW + seconds // 301 * 300)).status_code == 200


def test_a_view_is_answered_once(desk: Desk, world: World) -> None:
    """Until its nonce is forgotten, when the request itself is too old."""
    paper = desk.register(500)[0]
    early = make_view(world, paper, issued=NOW + 300)
    assert desk.send_view(early).status_code == 200
    with unchanged(desk):
        refused(desk.send_view(early), problems.ALREADY_EXISTS)
    desk.now = NOW + 600
    assert desk.send_view(make_view(world, paper, issued=desk.now)).status_code == 200
    with unchanged(desk):
        refused(desk.send_view(early), problems.ALREADY_EXISTS)
    desk.now = NOW + 601
    assert len(desk.dump()["nonces"]) == 2
    assert desk.send_view(make_view(world, paper, issued=desk.now)).status_code == 200
    assert len(desk.dump()["nonces"]) == 2
    refused(desk.send_view(early), problems.EXPIRED)


def test_a_view_proven_anew_is_the_same_view(desk: Desk, world: World) -> None:
    """It is the nonce that is used up, not the bytes of the proof."""
    paper = desk.register(500)[0]
    view = make_view(world, paper)
    context = ledger.view_context(world.parameters, paper.facts, view)
    relation = statements.VIEW.instance(world.suite, {"P": paper.state.owner})
    anew = replace(view, proof=prove_batchable(context.tag(world.suite), relation, [paper.secret.scalar], world.randomness))
    assert anew.proof != view.proof
    verify(world.suite, ledger.check_view(world.suite, world.parameters, paper.state, anew))
    assert desk.send_view(view).status_code == 200
    with unchanged(desk):
        refused(desk.send_view(anew), problems.ALREADY_EXISTS)


@pytest.mark.parametrize("sent", [None, "Bearer", "Bearer wrong", "Basic YTpi", "Bearer \xff", "Bearer " + "x" * 8_000])
def test_the_export_needs_its_token(desk: Desk, sent: str | None) -> None:
    headers = {} if sent is None else {"Authorization": sent.encode("latin-1")}
    response = desk.client.get("/v1/entries?from=bad", headers=headers)
    refused(response, problems.UNAUTHORISED)
    assert response.headers["WWW-Authenticate"] == "Bearer"


# --- addresses and methods ------------------------------------------------------------------------------------------------


def test_addresses_and_methods_that_are_not(desk: Desk) -> None:
    for path in ("/", "/v1", "/v1/", "/v1/health/", "/v2/health", "/docs/", "/docs/x", "/v1/documents/a/b/c"):
        refused(desk.get(path), problems.NOT_FOUND)
    response = desk.client.delete("/v1/health")
    refused(response, problems.METHOD_NOT_ALLOWED)
    assert response.headers["Allow"] == "GET"
    refused(desk.get("/v1/financings"), problems.METHOD_NOT_ALLOWED)


# --- one bit anywhere -----------------------------------------------------------------------------------------------------


def test_any_changed_bit_of_a_draw_is_refused(desk: Desk, world: World) -> None:
    """A sample over every byte field of a consented draw; zkcore's own tests flip every bit."""
    paper = desk.register(500)[0]
    good = DrawMessage.of(make_draw(world, paper, 5, consented=True).operation).model_dump()
    for where, size in byte_fields(good):
        for bit in (0, 8 * size // 2 + 3, 8 * size - 1):
            body = FinancingRequest(lines=[DrawMessage.model_validate(changed(good, where, bit))])
            with unchanged(desk):
                response = desk.post("/v1/financings", body)
            assert 400 <= response.status_code < 500, (where, bit)
    assert desk.post("/v1/financings", FinancingRequest(lines=[DrawMessage.model_validate(good)])).status_code == 201


def byte_fields(message: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], int]]:
    if isinstance(message, dict):
        return [field for name, value in message.items() for field in byte_fields(value, (*path, name))]
    return [(path, len(message))] if isinstance(message, bytes) else []


def changed(message: Any, path: tuple[str, ...], bit: int) -> Any:
    if not path:
        return flip(message, bit)
    return {**message, path[0]: changed(message[path[0]], path[1:], bit)}


def test_ids_that_stand_for_nothing(desk: Desk, world: World) -> None:
    """32 zero bytes mean "absent" in a proof's context, so nothing can have them as its id."""
    paper = desk.register(500)[0]
    document = make_register(world, 500)
    nameless = replace(document, operation=replace(document.operation, document=ABSENT))
    with unchanged(desk):
        refused(desk.send_documents([nameless]), problems.MALFORMED)
        refused(desk.send_draws([with_draft(make_draw(world, paper, 5), draw=ABSENT)]), problems.MALFORMED)


def test_a_log_with_another_kind_keeps_its_own_policy(world: World, database: str) -> None:
    """What restores headroom is read from the genesis, not from the code."""
    kinds = [make_kind(restores=["written-off"])]
    genesis = world.genesis.model_copy(update={"kinds": kinds})
    other = replace(world, genesis=genesis, parameters=genesis.parameters(world.suite))
    with make_desk(other, database) as desk:
        paper, loan = desk.lend(desk.register(500)[0], 100)
        paper, loan = desk.reduce(make_reduce(other, paper, loan, 60, "repaid-own-funds"), paper, loan)
        assert paper.headroom == 400
        paper, loan = desk.reduce(make_reduce(other, paper, loan, 40, "written-off"), paper, loan)
        assert paper.headroom == 440
        desk.draw(paper, 440)


def test_bodies_of_another_type(desk: Desk) -> None:
    for sent in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json-seq"},
        {**JSON, "Content-Encoding": "gzip"},
    ):
        headers = {"Idempotency-Key": desk.key(), **sent}
        refused(desk.client.post("/v1/financings", content=b"{}", headers=headers), problems.UNSUPPORTED_MEDIA)
    headers = {"Idempotency-Key": desk.key(), "Content-Type": "Application/JSON; charset=utf-8"}
    refused(desk.client.post("/v1/financings", content=b"{}", headers=headers), problems.MALFORMED)
