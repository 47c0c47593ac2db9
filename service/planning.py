"""What each write must prove, and what it writes.

A `plan_` function reads the rows, has zkcore.ledger build every statement from them, and verifies all claims of the request in
one batch; it raises Refusal or returns the plan. The plan itself is called inside the transaction with the time of the entries:
it verifies nothing, and only computes the entries and the states that follow from the rows that were read.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from schemas import problems
from schemas.answers import DrawReceipt, FinancingAnswer, Receipt, RegistrationAnswer
from schemas.entries import Closed, Drawn, Reduced, Registered, encode_entry
from schemas.messages import CloseMessage, DrawMessage, ReduceMessage, RegisterMessage
from service.institutions.registry import Caller
from service.problems import Failure, Refusal, decoding, lines_refusal, refuse_lines, require_claims
from service.storage import Changes, Plan
from service.verifier import Verifier
from tlog.leaf import leaf_hash
from zkcore import ledger
from zkcore.errors import IdentityError, KeyRejected, StateError, ZkError
from zkcore.ledger import DocumentState, DrawState, Parameters
from zkcore.operations import Close, Draw, Reduce, Register
from zkcore.verifying.batch import Claim

# --- register -------------------------------------------------------------------------------------------------------------


def plan_registration(verifier: Verifier, documents: Sequence[Register]) -> Plan:
    """Each limit is in range, committed by an attester of this log, and readable by owner and regulator; each id is new."""
    claims = [claim for line, operation in enumerate(documents) for claim in _registration_claims(verifier, line, operation)]
    require_claims(verifier.suite, claims)
    ids = [operation.document for operation in documents]
    _refuse_taken(ids, verifier.storage.documents(ids))
    return partial(_registered, documents)


def _registration_claims(verifier: Verifier, line: int, operation: Register) -> list[Claim]:
    try:
        with decoding(f"/documents/{line}"):
            return ledger.check_register(verifier.suite, verifier.parameters, operation, f"{line}:register")
    except (StateError, KeyRejected) as error:
        raise lines_refusal(problems.REGISTRATION_REFUSED, [(line, error)]) from error


def _registered(documents: Sequence[Register], time: int) -> Changes:
    entries = [encode_entry(Registered(time=time, body=RegisterMessage.of(operation))) for operation in documents]
    leaves = [leaf_hash(entry) for entry in entries]
    return Changes(
        entries=[(operation.document, entry) for operation, entry in zip(documents, entries, strict=True)],
        answer=lambda first: RegistrationAnswer(
            receipts=[Receipt(index=index, time=time, leaf=leaf) for index, leaf in enumerate(leaves, first)]
        ),
        registered=[ledger.registered(operation, leaf) for operation, leaf in zip(documents, leaves, strict=True)],
    )


# --- financing ------------------------------------------------------------------------------------------------------------


def plan_financing(verifier: Verifier, caller: Caller, draws: Sequence[Draw], now: int) -> Plan:
    """Every draw is made by its bank, agreed to by the owner, and covered by its document's headroom at this moment.

    Refusals come in this order: what the bank's part fails, what is known of ids and consents, and headroom last.
    """
    _refuse_blocked(verifier, caller, draws, now)
    documents = _documents(verifier, [draw.draft.document for draw in draws])
    _refuse_expired(draws, now)
    claims: list[Claim] = []
    failures: list[Failure] = []
    for line, (document, draw) in enumerate(zip(documents, draws, strict=True)):
        with decoding(f"/lines/{line}"):
            facts = ledger.facts(document)
            claims += ledger.check_draft(verifier.suite, verifier.parameters, facts, draw.draft, f"{line}:draw")
        try:
            claims += ledger.check_headroom(
                verifier.suite, verifier.parameters, document, draw.draft, draw.headroom, f"{line}:draw"
            )
        except (StateError, IdentityError) as error:
            failures.append((_unfit(line, document, error), error))
    try:
        require_claims(verifier.suite, claims, failures)
    except Refusal as refusal:
        if refusal.problem is problems.HEADROOM_NOT_PROVEN:
            _refuse_used(verifier, draws)
        raise
    _refuse_used(verifier, draws)
    # Sealed afresh for every line: two entries with one box would show that they are of one financing.
    return partial(_drawn, documents, draws, [verifier.institutions.sealed(caller) for _ in draws])


def _unfit(line: int, document: DocumentState, error: ZkError) -> str:
    """What a headroom part fails before any proof is looked at. What depends on the document's state fails as headroom does;
    what is left is a prover that does not fit the consent."""
    of_state = isinstance(error, IdentityError) or document.draws >= ledger.MAXIMUM_DRAWS
    return f"{line}:draw.headroom" if of_state else f"{line}:draw.consent"


def _documents(verifier: Verifier, ids: Sequence[bytes]) -> list[DocumentState]:
    """The documents of the lines. Refuses one that stands twice or is not there."""
    repeated = StateError("the document stands on an earlier line, too")
    refuse_lines(problems.DOCUMENT_REPEATED, [(line, repeated) for line, id_ in enumerate(ids) if id_ in ids[:line]])
    known = verifier.storage.documents(ids)
    unknown = StateError("no such document")
    refuse_lines(problems.DOCUMENT_UNKNOWN, [(line, unknown) for line, id_ in enumerate(ids) if id_ not in known])
    return [known[id_] for id_ in ids]


def _refuse_expired(draws: Sequence[Draw], time: int) -> None:
    late = StateError("the draft has expired")
    refuse_lines(problems.EXPIRED, [(line, late) for line, draw in enumerate(draws) if draw.draft.expires < time])


def _refuse_blocked(verifier: Verifier, caller: Caller, draws: Sequence[Draw], now: int) -> None:
    """Before any proof is looked at: whoever is blocked learns nothing more, not even of a draw that would fit."""
    documents = [draw.draft.document for draw in draws]
    blocked = verifier.institutions.blocked(caller, documents, now)
    error = StateError("your institution is blocked on this document")
    refuse_lines(problems.BLOCKED_ON_DOCUMENT, [(line, error) for line, id_ in enumerate(documents) if id_ in blocked])


def _consents(draws: Sequence[Draw]) -> list[tuple[bytes, bytes] | None]:
    """The (document, application) of each line's consent: an application is drawn once on a document."""
    drafts = [draw.draft for draw in draws]
    return [None if draft.consent is None else (draft.document, draft.consent.application) for draft in drafts]


def _refuse_used(verifier: Verifier, draws: Sequence[Draw]) -> None:
    consents = _consents(draws)
    used = verifier.storage.consents_among([consent for consent in consents if consent])
    error = StateError("the consent was used before")
    refuse_lines(problems.CONSENT_USED, [(line, error) for line, consent in enumerate(consents) if consent in used])
    ids = [draw.draft.draw for draw in draws]
    _refuse_taken(ids, verifier.storage.draws_among(ids))


def _drawn(documents: Sequence[DocumentState], draws: Sequence[Draw], callers: Sequence[bytes], time: int) -> Changes:
    _refuse_expired(draws, time)
    entries = [
        encode_entry(Drawn(time=time, body=DrawMessage.of(draw), caller=caller))
        for draw, caller in zip(draws, callers, strict=True)
    ]
    leaves = [leaf_hash(entry) for entry in entries]
    after = [ledger.drawn(*line) for line in zip(documents, draws, leaves, strict=True)]
    states = [draw for _, draw in after]
    return Changes(
        entries=[(document.document, entry) for document, entry in zip(documents, entries, strict=True)],
        answer=lambda first: FinancingAnswer(
            draws=[_receipt(state, first + line, time, leaves[line], callers[line]) for line, state in enumerate(states)]
        ),
        drawn=states,
        documents=[(before.head, document) for before, (document, _) in zip(documents, after, strict=True)],
        consents=[consent for consent in _consents(draws) if consent],
    )


# --- reduce and close -----------------------------------------------------------------------------------------------------


def plan_reduction(verifier: Verifier, caller: Caller, operation: Reduce) -> Plan:
    """The bank of the draw reduces it by at least one minor unit and at most what is outstanding."""
    document, draw = _open_draw(verifier, operation.draw)
    with _unblinded_refused():
        claims = ledger.check_reduce(verifier.suite, verifier.parameters, ledger.facts(document), draw, operation, "0:reduce")
    require_claims(verifier.suite, claims)
    return partial(_reduced, verifier.parameters, document, draw, operation, verifier.institutions.sealed(caller))


def _open_draw(verifier: Verifier, draw: bytes) -> tuple[DocumentState, DrawState]:
    """A draw and its document. Refuses one that is not there or is closed."""
    state = verifier.storage.draw(draw)
    if state is None:
        raise Refusal(problems.DRAW_UNKNOWN)
    if state.closed:
        raise Refusal(problems.DRAW_CLOSED)
    return verifier.storage.documents([state.document])[state.document], state


@contextmanager
def _unblinded_refused() -> Iterator[None]:
    """A reduction whose blinding cancels that of a balance is as good as unproven."""
    try:
        yield
    except IdentityError as error:
        raise lines_refusal(problems.PROOF_INVALID, [(0, error)]) from error


def _reduced(
    parameters: Parameters, document: DocumentState, draw: DrawState, operation: Reduce, caller: bytes, time: int
) -> Changes:
    entry = encode_entry(Reduced(time=time, body=ReduceMessage.of(operation), caller=caller))
    leaf = leaf_hash(entry)
    with _unblinded_refused():
        document_after, draw_after = ledger.reduced(parameters, document, draw, operation, leaf)
    return Changes(
        entries=[(document.document, entry)],
        answer=lambda index: _receipt(draw_after, index, time, leaf, caller),
        documents=[(document.head, document_after)] if document_after != document else [],
        draws=[(draw.head, draw_after)],
    )


def plan_closure(verifier: Verifier, caller: Caller, operation: Close) -> Plan:
    """The bank of the draw shows that nothing is outstanding on it."""
    document, draw = _open_draw(verifier, operation.draw)
    facts = ledger.facts(document)
    claims = ledger.check_close(verifier.suite, verifier.parameters, facts, draw, operation, "0:close")
    require_claims(verifier.suite, claims)
    return partial(_closed, draw, operation, verifier.institutions.sealed(caller))


def _closed(draw: DrawState, operation: Close, caller: bytes, time: int) -> Changes:
    entry = encode_entry(Closed(time=time, body=CloseMessage.of(operation), caller=caller))
    leaf = leaf_hash(entry)
    after = ledger.closed(draw, leaf)
    return Changes(
        entries=[(draw.document, entry)],
        answer=lambda index: _receipt(after, index, time, leaf, caller),
        draws=[(draw.head, after)],
    )


# --- shared ---------------------------------------------------------------------------------------------------------------


def _receipt(draw: DrawState, index: int, time: int, leaf: bytes, caller: bytes) -> DrawReceipt:
    return DrawReceipt(draw=draw.draw, head=draw.head, receipt=Receipt(index=index, time=time, leaf=leaf), caller=caller)


def _refuse_taken(ids: Sequence[bytes], known: Container[bytes]) -> None:
    """Refuses a new id that is in use, or that stands on an earlier line."""
    error = StateError("the id is taken")
    taken = [(line, error) for line, id_ in enumerate(ids) if id_ in known or id_ in ids[:line]]
    refuse_lines(problems.ALREADY_EXISTS, taken)
