"""Draws: verified and committed, moved, disbursed, reduced, closed, expired.

SPEC.md: statements in section 5, stages in section 10.2, rules in sections 10.3 and 10.4, why the total stays within the limit
in section 13. Claims that are returned must all verify; their labels and order are those of section 8. Amounts are minor units,
`leaf` is 32 bytes, times are unix seconds.
"""

from __future__ import annotations

from dataclasses import replace

from zkcore import statements
from zkcore.commitments import HandledCommitment
from zkcore.context import ABSENT, Context
from zkcore.errors import EncodingError, StateError
from zkcore.group import Element
from zkcore.ledger.claims import range_claim, sigma_claim
from zkcore.ledger.state import (
    CLOSE,
    DISBURSE,
    EXPIRE,
    MAXIMUM_DRAWS,
    MOVE,
    RESERVED,
    ApplicationState,
    DocumentFacts,
    DocumentState,
    DrawState,
    Parameters,
    blinded_balance,
    facts,
    next_stage,
    reader_key,
)
from zkcore.operations import (
    APPROVED,
    OWNER,
    REASONS,
    REGULATOR,
    RELEASED,
    Close,
    Consent,
    Disburse,
    Draft,
    Draw,
    Headroom,
    Reduce,
    consent_payload,
)
from zkcore.statements import Statement
from zkcore.suite import Suite
from zkcore.transcript import LABEL_DRAW_HEAD, LABEL_HEAD, digest
from zkcore.verifying.batch import Claim


def draft_context(
    parameters: Parameters, document: DocumentFacts, draft: Draft, statement: str, head: bytes = ABSENT
) -> Context:
    """The bank's part is bound to document, draw, currency, epoch and payload; the bank does not see the head."""
    return Context(
        parameters.origin, statement, document.document, head, draft.draw, document.currency, document.epoch, draft.payload()
    )


def draft_statement(draft: Draft) -> Statement:
    """`moved-draw` for one that takes over another, `consented-draw` when the owner consented beforehand, else `draw`."""
    if draft.moves is not None:
        return statements.MOVED_DRAW
    return statements.DRAW if draft.consent is None else statements.CONSENTED_DRAW


def draft_elements(
    parameters: Parameters, document: DocumentFacts, draft: Draft, moved: DrawState | None = None
) -> dict[str, Element]:
    """The elements of the statement `draw`, `consented-draw` or, with the draw that is moved, `moved-draw`."""
    elements = {
        "C": draft.amount.commitment,
        "D_owner": draft.amount.owner,
        "D_regulator": draft.amount.regulator,
        "P_owner": document.owner,
        "P_regulator": parameters.regulator,
        "K": draft.key,
    }
    if moved is not None:
        return {**elements, "O": moved.outstanding.commitment}
    return elements if draft.consent is None else {**elements, "C_asked": draft.consent.asked}


def consent_context(parameters: Parameters, document: DocumentFacts, payload: bytes) -> Context:
    """A consent is bound to the document, its currency, the epoch, and the payload of `consent_payload` (32 bytes)."""
    return Context(
        parameters.origin,
        statements.CONSENT.name,
        document.document,
        ABSENT,
        ABSENT,
        document.currency,
        document.epoch,
        payload,
    )


def check_consent(
    suite: Suite, parameters: Parameters, document: DocumentFacts, draft: Draft, consent: Consent, label: str
) -> Claim:
    """The owner knows s' and agreed to this application, key, amount and expiry (SPEC.md, section 5, `consent`)."""
    payload = consent_payload(consent.application, draft.key, consent.asked, draft.expires)
    context = consent_context(parameters, document, payload)
    return sigma_claim(suite, f"{label}.consent", statements.CONSENT, context, {"P_owner": document.owner}, consent.proof)


def check_draft(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    draft: Draft,
    label: str = "draw",
    moved: DrawState | None = None,
) -> list[Claim]:
    """What the bank's part (and a consent beforehand) must prove. Provers check it before they answer a draft, too.

    `moved` is the draw that the draft names to take over. Raises StateError when the draft does not fit it.
    """
    if draft.document != document.document:
        raise StateError("the draft is for another document")
    _check_moved(draft, moved)
    statement = draft_statement(draft)
    context = draft_context(parameters, document, draft, statement.name)
    elements = draft_elements(parameters, document, draft, moved)
    claims = [sigma_claim(suite, f"{label}.commitment", statement, context, elements, draft.proof)]
    if draft.consent is not None:
        claims.append(check_consent(suite, parameters, document, draft, draft.consent, label))
    return claims


def _check_moved(draft: Draft, moved: DrawState | None) -> None:
    if draft.moves != (None if moved is None else moved.draw):
        raise StateError("the draft takes over another draw than this one")
    if moved is None:
        return
    if draft.consent is not None:
        raise StateError("a draw that is moved needs no consent: the document was replaced by its attester")
    if draft.key != moved.key:
        raise StateError("a draw is moved under its own key")
    next_stage(moved, MOVE)
    if moved.stage == RESERVED and draft.expires > moved.expires:
        raise StateError("a reservation that is moved does not last longer than before")


def check_replaced(document: DocumentState, replaced: DocumentState, moved: DrawState) -> None:
    """A draw moves from a deleted document to the one that replaces it. Raises StateError otherwise (SPEC.md, section 10.4)."""
    if moved.document != replaced.document or replaced.replacement != document.document:
        raise StateError("the document does not replace the one that was drawn on")
    alike = (document.kind, document.counter, document.currency) == (replaced.kind, replaced.counter, replaced.currency)
    if not alike:
        raise StateError("a replacement is of the same kind, counter and currency")


def check_draw_time(parameters: Parameters, document: DocumentState, draft: Draft, at: int) -> None:
    """A draft is committed before it expires, and no reservation is longer than its kind allows. Raises StateError.

    `at`: the entry's unix seconds. SPEC.md, section 10.4, rule 2.
    """
    if draft.expires < at:
        raise StateError("the draft has expired")
    if draft.expires > at + parameters.kinds[document.kind].reservation:
        raise StateError("the draft expires later than a reservation on a document of this kind can")


def check_application(
    parameters: Parameters, document: DocumentState, draft: Draft, application: ApplicationState | None
) -> None:
    """A draw follows its own approved application, where there is one or its kind demands one. Raises StateError.

    SPEC.md, section 10.4, rule 3.
    """
    if application is None:
        if parameters.kinds[document.kind].applied_for and draft.moves is None:
            raise StateError("a draw on a document of this kind needs an approved application on the log")
        return
    if (application.draw, application.document, application.key) != (draft.draw, draft.document, draft.key):
        raise StateError("the draw's application is for another document or another key")
    if application.stage != APPROVED:
        raise StateError(f"the draw's application is {application.stage} and not approved")
    if draft.expires > application.expires:
        raise StateError("the draft expires after its application")


def headroom_statement(prover: str) -> Statement:
    """`headroom-by-owner` or `headroom-by-regulator` (SPEC.md, section 5). Raises EncodingError for another prover."""
    if prover not in (OWNER, REGULATOR):
        raise EncodingError("a headroom prover is owner or regulator")
    return statements.HEADROOM_BY_OWNER if prover == OWNER else statements.HEADROOM_BY_REGULATOR


def headroom_context(parameters: Parameters, document: DocumentState, draft: Draft, statement: str) -> Context:
    """Bound to everything the draft is bound to, and to the document's head: worthless after any other draw on it."""
    return draft_context(parameters, facts(document), draft, statement, document.head)


def headroom_elements(
    parameters: Parameters, document: DocumentState, draft: Draft, prover: str, left: Element
) -> dict[str, Element]:
    """The elements of the headroom statements: the residual is the verifier's own."""
    return {
        "P": reader_key(parameters, document, prover),
        "R": document.residual.commitment,
        "C": draft.amount.commitment,
        "E_R": document.residual.handle(prover),
        "E_C": draft.amount.handle(prover),
        "C_left": left,
    }


def headroom_values(suite: Suite, draft: Draft, left: Element) -> list[Element]:
    """The values of `headroom-range`: a - 1 and m, what is left. A draw of nothing, or of more than there is, has no proof."""
    return [draft.amount.commitment - suite.G, left]


def check_headroom(
    suite: Suite, parameters: Parameters, document: DocumentState, draft: Draft, headroom: Headroom, label: str = "draw"
) -> list[Claim]:
    """What the owner's or the regulator's part must prove against the document's present state.

    Raises StateError, and IdentityError when the draw's blinding cancels the residual's: that depends on the residual, so a
    caller answers it as it answers a false headroom proof. SPEC.md, section 10.4, rules 1 and 4.
    """
    if draft.moves is None and (headroom.prover == REGULATOR) != (draft.consent is not None):
        raise StateError("a headroom proof by the regulator needs the owner's consent; one by the owner is itself the consent")
    if document.draws >= MAXIMUM_DRAWS:
        raise StateError("this document has carried as many draws as a document can")
    if document.taken:
        raise StateError("a document of single use is in use")
    blinded_balance(document.residual - draft.amount)
    sigma, bound = headroom_statement(headroom.prover), statements.HEADROOM_RANGE
    elements = headroom_elements(parameters, document, draft, headroom.prover, headroom.left)
    return [
        sigma_claim(
            suite,
            f"{label}.headroom",
            sigma,
            headroom_context(parameters, document, draft, sigma.name),
            elements,
            headroom.proof,
        ),
        range_claim(
            suite,
            f"{label}.range",
            bound,
            headroom_context(parameters, document, draft, bound.name),
            headroom_values(suite, draft, headroom.left),
            headroom.range_proof,
        ),
    ]


def check_financeable(document: DocumentState) -> None:
    """Raises StateError for a document that its attester has not cleared, or that was shown to be overdrawn: SPEC.md, 10.1."""
    if not document.financeable:
        raise StateError("the document is not financeable now; see its status")


def check_draw(
    suite: Suite,
    parameters: Parameters,
    document: DocumentState,
    operation: Draw,
    label: str = "draw",
    moved: DrawState | None = None,
) -> list[Claim]:
    """All that a draw must prove (SPEC.md, sections 10.4 and 10.5). Raises StateError for a document that is not financeable.

    Raises what check_draft and check_headroom do. Times, applications, replacements, and that ids are new have functions of
    their own, or are for whoever has the log.
    """
    check_financeable(document)
    return [
        *check_draft(suite, parameters, facts(document), operation.draft, label, moved),
        *check_headroom(suite, parameters, document, operation.draft, operation.headroom, label),
    ]


def drawn(
    parameters: Parameters, document: DocumentState, operation: Draw, leaf: bytes, moved: DrawState | None = None
) -> tuple[DocumentState, DrawState]:
    """The document after the draw, and the new draw. Raises IdentityError where check_headroom does.

    A draw that takes over another one is where that one was; `moved_away` is what becomes of the other. SPEC.md, section 10.4.
    """
    draft = operation.draft
    after = replace(
        document,
        residual=blinded_balance(document.residual - draft.amount),
        head=digest(LABEL_HEAD, [b"draw", document.head, leaf]),
        draws=document.draws + 1,
        taken=parameters.kinds[document.kind].single_use,
    )
    head = digest(LABEL_DRAW_HEAD, [b"draw", draft.draw, leaf])
    stage = RESERVED if moved is None else moved.stage
    return after, DrawState(draft.draw, document.document, draft.key, draft.amount, head, stage, draft.expires)


def moved_away(draw: DrawState, leaf: bytes) -> DrawState:
    """A draw whose outstanding amount another one has taken over: at its end. Raises StateError for one that was at an end."""
    return replace(draw, stage=next_stage(draw, MOVE), head=digest(LABEL_DRAW_HEAD, [b"move", draw.head, leaf]))


def reserved(application: ApplicationState, leaf: bytes) -> ApplicationState:
    """An application whose draw is committed: at its end (SPEC.md, section 10.2)."""
    return replace(application, stage=RESERVED, head=digest(LABEL_DRAW_HEAD, [b"draw", application.head, leaf]))


# --- disburse, reduce, close, expire --------------------------------------------------------------------------------------


def _at_draw(parameters: Parameters, document: DocumentFacts, draw: DrawState, statement: str, payload: bytes) -> Context:
    return Context(
        parameters.origin, statement, document.document, draw.head, draw.draw, document.currency, document.epoch, payload
    )


def reduce_context(
    parameters: Parameters, document: DocumentFacts, draw: DrawState, operation: Reduce, statement: str
) -> Context:
    """Bound to the document, the draw and the draw's head."""
    return _at_draw(parameters, document, draw, statement, operation.payload())


def reduce_elements(
    parameters: Parameters, document: DocumentFacts, draw: DrawState, amount: HandledCommitment
) -> dict[str, Element]:
    """The elements of the statements `reduce` and `disburse-part`."""
    return {
        "C": amount.commitment,
        "D_owner": amount.owner,
        "D_regulator": amount.regulator,
        "P_owner": document.owner,
        "P_regulator": parameters.regulator,
        "K": draw.key,
    }


def reduce_values(suite: Suite, draw: DrawState, amount: HandledCommitment) -> list[Element]:
    """The values of `reduce-range`: p - 1 and outstanding - p (SPEC.md, section 5)."""
    return [amount.commitment - suite.G, draw.outstanding.commitment - amount.commitment]


def _check_draw_of(document: DocumentFacts, draw: DrawState, named: bytes) -> None:
    if named != draw.draw or draw.document != document.document:
        raise StateError("the operation is for another draw, or the draw is on another document")


def check_reduce(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    draw: DrawState,
    operation: Reduce,
    label: str = "reduce",
) -> list[Claim]:
    """A reduction by 1 minor unit up to all that is outstanding (SPEC.md, sections 10.3 and 13, "Reduce").

    Raises StateError for another draw or one at a stage without such a reduction, EncodingError for an unknown reason,
    IdentityError when the blinding of the reduction cancels that of what is outstanding.
    """
    _check_draw_of(document, draw, operation.draw)
    if operation.reason not in REASONS:
        raise EncodingError(f"a reason is one of {', '.join(REASONS)}")
    next_stage(draw, operation.reason)
    blinded_balance(draw.outstanding - operation.amount)
    sigma, bound = statements.REDUCE, statements.REDUCE_RANGE
    elements = reduce_elements(parameters, document, draw, operation.amount)
    values = reduce_values(suite, draw, operation.amount)
    at_sigma = reduce_context(parameters, document, draw, operation, sigma.name)
    at_range = reduce_context(parameters, document, draw, operation, bound.name)
    return [
        sigma_claim(suite, f"{label}.proof", sigma, at_sigma, elements, operation.proof),
        range_claim(suite, f"{label}.range", bound, at_range, values, operation.range_proof),
    ]


def reduced(
    parameters: Parameters, document: DocumentState, draw: DrawState, operation: Reduce, leaf: bytes
) -> tuple[DocumentState, DrawState]:
    """The document (changed only where the kind's policy gives headroom back) and the draw after the reduction.

    Raises IdentityError where check_reduce does, and when the blinding of the reduction cancels the residual's.
    """
    after = replace(
        draw,
        outstanding=blinded_balance(draw.outstanding - operation.amount),
        head=digest(LABEL_DRAW_HEAD, [b"reduce", draw.head, leaf]),
        stage=next_stage(draw, operation.reason),
    )
    if not restores(parameters, document, operation.reason):
        return document, after
    head = digest(LABEL_HEAD, [b"reduce", document.head, leaf])
    return replace(document, residual=blinded_balance(document.residual + operation.amount), head=head), after


def restores(parameters: Parameters, document: DocumentState, reason: str) -> bool:
    """Whether a reduction for this reason gives headroom back. What is released before disbursement always does.

    For all other reasons the kind's policy says so (SPEC.md, section 10.3, and docs/DATA_MODEL.md).
    """
    return reason == RELEASED or reason in parameters.kinds[document.kind].restores


def close_context(parameters: Parameters, document: DocumentFacts, draw: DrawState, operation: Close) -> Context:
    """Bound to the document, the draw and the draw's head."""
    return _at_draw(parameters, document, draw, statements.CLOSE.name, operation.payload())


def close_elements(draw: DrawState) -> dict[str, Element]:
    """The elements of the statement `close`."""
    return {"O": draw.outstanding.commitment, "K": draw.key}


def check_close(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    draw: DrawState,
    operation: Close,
    label: str = "close",
) -> list[Claim]:
    """Nothing is outstanding: O = q*H (SPEC.md, section 5, `close`). Raises StateError for another draw or one at its end."""
    _check_draw_of(document, draw, operation.draw)
    next_stage(draw, CLOSE)
    context = close_context(parameters, document, draw, operation)
    return [sigma_claim(suite, f"{label}.proof", statements.CLOSE, context, close_elements(draw), operation.proof)]


def closed(parameters: Parameters, document: DocumentState, draw: DrawState, leaf: bytes) -> tuple[DocumentState, DrawState]:
    """The document (a paper of single use is free again when its draw was released) and the draw, closed: SPEC.md, 10.3."""
    stage = next_stage(draw, CLOSE)
    after = replace(draw, stage=stage, head=digest(LABEL_DRAW_HEAD, [b"close", draw.head, leaf]))
    if stage != RELEASED or not document.taken:
        return document, after
    return replace(document, taken=False, head=digest(LABEL_HEAD, [b"close", document.head, leaf])), after


def disburse_statement(operation: Disburse) -> Statement:
    """`disburse`, or `disburse-part` when a rest is released."""
    return statements.DISBURSE if operation.rest is None else statements.DISBURSE_PART


def disburse_context(
    parameters: Parameters, document: DocumentFacts, draw: DrawState, operation: Disburse, statement: str
) -> Context:
    """Bound to the document, the draw and the draw's head."""
    return _at_draw(parameters, document, draw, statement, operation.payload())


def disburse_elements(
    parameters: Parameters, document: DocumentFacts, draw: DrawState, operation: Disburse
) -> dict[str, Element]:
    """The elements of the statement `disburse` or `disburse-part`."""
    if operation.rest is None:
        return {"K": draw.key}
    return reduce_elements(parameters, document, draw, operation.rest)


def disburse_values(suite: Suite, draw: DrawState, rest: HandledCommitment) -> list[Element]:
    """The values of `disburse-range`: p - 1 and outstanding - p - 1. Something is released and something is paid out."""
    return [rest.commitment - suite.G, draw.outstanding.commitment - rest.commitment - suite.G]


def check_disburse(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    draw: DrawState,
    operation: Disburse,
    label: str = "disburse",
) -> list[Claim]:
    """The bank pays out what it reserved, all or all but a rest (SPEC.md, sections 10.3 and 13, "Disburse").

    Raises StateError for another draw or one that is not reserved, EncodingError for a range proof of nothing, IdentityError
    when the blinding of the rest cancels that of what is outstanding.
    """
    _check_draw_of(document, draw, operation.draw)
    next_stage(draw, DISBURSE)
    sigma, bound = disburse_statement(operation), statements.DISBURSE_RANGE
    context = disburse_context(parameters, document, draw, operation, sigma.name)
    elements = disburse_elements(parameters, document, draw, operation)
    claims = [sigma_claim(suite, f"{label}.proof", sigma, context, elements, operation.proof)]
    if operation.rest is None:
        if operation.range_proof:
            raise EncodingError("a disbursement of everything has no range proof")
        return claims
    blinded_balance(draw.outstanding - operation.rest)
    at_range = disburse_context(parameters, document, draw, operation, bound.name)
    values = disburse_values(suite, draw, operation.rest)
    return [*claims, range_claim(suite, f"{label}.range", bound, at_range, values, operation.range_proof)]


def check_disburse_time(draw: DrawState, at: int) -> None:
    """A reservation is disbursed by its expiry. `at`: the entry's unix seconds. Raises StateError (SPEC.md, section 10.3)."""
    if draw.expires < at:
        raise StateError("the reservation has expired")


def disbursed(document: DocumentState, draw: DrawState, operation: Disburse, leaf: bytes) -> tuple[DocumentState, DrawState]:
    """The document (with the rest back) and the draw, disbursed. Raises IdentityError where a balance would stand unblinded."""
    head = digest(LABEL_DRAW_HEAD, [b"disburse", draw.head, leaf])
    after = replace(draw, stage=next_stage(draw, DISBURSE), head=head)
    if operation.rest is None:
        return document, after
    freed = replace(
        document,
        residual=blinded_balance(document.residual + operation.rest),
        head=digest(LABEL_HEAD, [b"disburse", document.head, leaf]),
    )
    return freed, replace(after, outstanding=blinded_balance(draw.outstanding - operation.rest))


def check_expire(draw: DrawState, at: int) -> None:
    """A reservation frees itself after its expiry. `at`: the entry's unix seconds. Nothing is proven; raises StateError.

    SPEC.md, section 10.3: at each second either `disburse` or `expire` is possible, and never both.
    """
    next_stage(draw, EXPIRE)
    if draw.expires >= at:
        raise StateError("the reservation has not expired")


def expired(document: DocumentState, draw: DrawState, leaf: bytes) -> tuple[DocumentState, DrawState]:
    """The document with its headroom back, and the draw, whose `outstanding` stays what was freed.

    Raises IdentityError where the document's balance would stand unblinded.
    """
    freed = replace(
        document,
        residual=blinded_balance(document.residual + draw.outstanding),
        head=digest(LABEL_HEAD, [b"expire", document.head, leaf]),
        taken=False,
    )
    head = digest(LABEL_DRAW_HEAD, [b"expire", draw.head, leaf])
    return freed, replace(draw, stage=next_stage(draw, EXPIRE), head=head)
