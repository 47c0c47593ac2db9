"""Financings: the draws of one, verified and committed together (SPEC.md, sections 10.4 and 10.5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from schemas import problems
from schemas.answers import DrawReceipt, FinancingAnswer, Receipt
from schemas.entries import Drawn, encode_entry
from schemas.messages import DrawMessage
from service.institutions.registry import Caller
from service.planning.shared import Unproven, documents_of_lines, refuse_taken, refused_as
from service.problems import Failure, Refusal, decoding, refuse_claims, refuse_lines
from service.storage import Changes, Plan, Seen, Wanted
from service.verifier import Verifier
from tlog.leaf import leaf_hash
from zkcore import ledger
from zkcore.errors import IdentityError, StateError, ZkError
from zkcore.ledger import ApplicationState, DocumentState, DrawState, Parameters
from zkcore.operations import Draw
from zkcore.verifying.batch import Claim


@dataclass(frozen=True)
class Line:
    """A draw with the rows that it rests on."""

    number: int
    draw: Draw
    document: DocumentState
    application: ApplicationState | None
    moved: DrawState | None


def draws_rest_on(draws: Sequence[Draw], pairs: Collection[bytes]) -> Wanted:
    """What has to be read before a financing of these draws is planned. `pairs`: what blocks on its documents are kept by."""
    drafts = [draw.draft for draw in draws]
    moves = [draft.moves for draft in drafts if draft.moves is not None]
    consents = [consent for consent in _consents(draws) if consent]
    return Wanted([draft.document for draft in drafts], [*(draft.draw for draft in drafts), *moves], consents, pairs)


def check_financing(
    verifier: Verifier, caller: Caller, draws: Sequence[Draw], now: int, seen: Seen, blocked: Collection[bytes]
) -> Unproven:
    """Every draw is made by its bank, agreed to by the owner, and covered by its document's headroom at this moment.

    Raises Refusal: what anybody can see comes first, then what the bank's part fails on its face. The plan does, too, in this
    order: what the bank's part fails, what is known of ids and consents, and headroom last: a request that fails otherwise is
    told nothing of headroom (SPEC.md, section 14, "What a refusal reveals").

    now: unix seconds; blocked: documents on which the caller is blocked
    """
    _refuse_blocked(draws, blocked)
    lines = _lines(seen, draws)
    _refuse_times(verifier.parameters, lines, now)
    _refuse_unfinanceable(verifier.parameters, lines)
    claims: list[Claim] = []
    unfit: list[Failure] = []
    for line in lines:
        claims += _draft_claims(verifier, line)
        try:
            claims += ledger.check_headroom(
                verifier.suite,
                verifier.parameters,
                line.document,
                line.draw.draft,
                line.draw.headroom,
                f"{line.number}:draw",
            )
        except (StateError, IdentityError) as error:
            unfit.append((_unfit(line.number, line.document, error), error))

    def plan(failures: Sequence[Failure]) -> Plan:
        try:
            refuse_claims([*unfit, *failures])
        except Refusal as refusal:
            if refusal.problem is problems.HEADROOM_NOT_PROVEN:
                _refuse_used(seen, draws)
            raise
        _refuse_used(seen, draws)
        # Sealed afresh for every line: two entries with one box would show that they are of one financing.
        callers = [verifier.institutions.sealed(caller) for _ in lines]
        return partial(_drawn, verifier.parameters, lines, callers)

    return Unproven(claims, plan)


def _refuse_blocked(draws: Sequence[Draw], blocked: Collection[bytes]) -> None:
    """Before any proof is looked at: whoever is blocked learns nothing more, not even of a draw that would fit."""
    documents = [draw.draft.document for draw in draws]
    error = StateError("your institution is blocked on this document")
    refuse_lines(problems.BLOCKED_ON_DOCUMENT, [(line, error) for line, id_ in enumerate(documents) if id_ in blocked])


def _lines(seen: Seen, draws: Sequence[Draw]) -> list[Line]:
    """The rows that the draws rest on. Refuses what is not there, and a move between documents that do not follow."""
    documents = documents_of_lines(seen, [draw.draft.document for draw in draws])
    _refuse_unknown_moves(seen, draws)
    lines = []
    for number, (draw, document) in enumerate(zip(draws, documents, strict=True)):
        taken_over = None if draw.draft.moves is None else seen.draws[draw.draft.moves]
        lines.append(Line(number, draw, document, seen.applications.get(draw.draft.draw), taken_over))
    _refuse_moves(seen, lines)
    return lines


def _refuse_unknown_moves(seen: Seen, draws: Sequence[Draw]) -> None:
    """Refuses a draw to take over that is not there, or that two lines take over."""
    named = [draw.draft.moves for draw in draws]
    unknown, repeated = StateError("no such draw"), StateError("an earlier line moves this draw, too")
    refuse_lines(problems.DRAW_UNKNOWN, [(line, unknown) for line, id_ in enumerate(named) if id_ and id_ not in seen.draws])
    refuse_lines(problems.MOVE_REFUSED, [(line, repeated) for line, id_ in enumerate(named) if id_ and id_ in named[:line]])


def _refuse_moves(seen: Seen, lines: Sequence[Line]) -> None:
    for line in lines:
        if line.moved is not None:
            with refused_as(problems.MOVE_REFUSED, line.number, StateError):
                ledger.check_replaced(line.document, seen.documents[line.moved.document], line.moved)


def _refuse_times(parameters: Parameters, lines: Sequence[Line], time: int) -> None:
    for line in lines:
        draft = line.draw.draft
        too_late = draft.expires < time
        with refused_as(problems.EXPIRED if too_late else problems.RESERVATION_TOO_LONG, line.number, StateError):
            ledger.check_draw_time(parameters, line.document, draft, time)


def _refuse_unfinanceable(parameters: Parameters, lines: Sequence[Line]) -> None:
    for line in lines:
        with refused_as(problems.DOCUMENT_NOT_FINANCEABLE, line.number, StateError):
            ledger.check_financeable(line.document)
        with refused_as(problems.APPLICATION_REFUSED, line.number, StateError):
            ledger.check_application(parameters, line.document, line.draw.draft, line.application)


def _draft_claims(verifier: Verifier, line: Line) -> list[Claim]:
    """What the bank's part must prove. What is wrong with it on its face can only be with the draw that it takes over."""
    with refused_as(problems.MOVE_REFUSED, line.number, StateError), decoding(f"/lines/{line.number}"):
        facts, label = ledger.facts(line.document), f"{line.number}:draw"
        return ledger.check_draft(verifier.suite, verifier.parameters, facts, line.draw.draft, label, line.moved)


def _unfit(line: int, document: DocumentState, error: ZkError) -> str:
    """What a headroom part fails before any proof is looked at. What depends on the document's state fails as headroom does;
    what is left is a prover that does not fit the consent."""
    of_state = isinstance(error, IdentityError) or document.draws >= ledger.MAXIMUM_DRAWS or document.taken
    return f"{line}:draw.headroom" if of_state else f"{line}:draw.consent"


def _consents(draws: Sequence[Draw]) -> list[tuple[bytes, bytes] | None]:
    """The (document, application) of each line's consent: an application is drawn once on a document."""
    drafts = [draw.draft for draw in draws]
    return [None if draft.consent is None else (draft.document, draft.consent.application) for draft in drafts]


def _refuse_used(seen: Seen, draws: Sequence[Draw]) -> None:
    error = StateError("the consent was used before")
    refuse_lines(
        problems.CONSENT_USED, [(line, error) for line, consent in enumerate(_consents(draws)) if consent in seen.consents]
    )
    refuse_taken([draw.draft.draw for draw in draws], seen.draws)


def _drawn(parameters: Parameters, lines: Sequence[Line], callers: Sequence[bytes], time: int) -> Changes:
    _refuse_times(parameters, lines, time)
    entries = [
        encode_entry(Drawn(time=time, body=DrawMessage.of(line.draw), caller=caller))
        for line, caller in zip(lines, callers, strict=True)
    ]
    leaves = [leaf_hash(entry) for entry in entries]
    numbered = list(zip(lines, leaves, strict=True))
    after = [ledger.drawn(parameters, line.document, line.draw, leaf, line.moved) for line, leaf in numbered]
    return Changes(
        entries=[(line.document.document, entry) for line, entry in zip(lines, entries, strict=True)],
        answer=lambda first: FinancingAnswer(
            draws=[
                DrawReceipt(
                    draw=state.draw,
                    head=state.head,
                    receipt=Receipt(index=index, time=time, leaf=leaf),
                    caller=caller,
                )
                for index, ((_, state), leaf, caller) in enumerate(zip(after, leaves, callers, strict=True), first)
            ]
        ),
        drawn=[state for _, state in after],
        documents=[(line.document.head, document) for line, (document, _) in zip(lines, after, strict=True)],
        draws=[(line.moved.head, ledger.moved_away(line.moved, leaf)) for line, leaf in numbered if line.moved],
        applications=[
            (line.application.head, ledger.reserved(line.application, leaf)) for line, leaf in numbered if line.application
        ],
        consents=[consent for consent in _consents([line.draw for line in lines]) if consent],
    )
