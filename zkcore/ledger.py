"""The rules: what an operation must prove against the verifier's own state, and what the state is afterwards.

Pure functions over immutable states. The service calls them with rows of its database, the auditor with what it replayed; both
build every statement here, from their own state, never from what was submitted. `leaf` is the 32-byte hash of the log entry
that records the operation.

Wrap-around: every accepted draw proves its headroom in [0, 2**64) and its amount in [1, 2**64], and the limit is below 2**48:
so the integers behind R = C_V - sum(C_i) + sum(C_p) can never differ from their residues modulo the 256-bit order;
MAXIMUM_DRAWS keeps even the sum of all ranges (2**20 * 2**64) far below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from zkcore import statements
from zkcore.amounts import MAXIMUM
from zkcore.commitments import HandledCommitment
from zkcore.context import ABSENT, NO_CURRENCY, Context
from zkcore.errors import EncodingError, IdentityError, KeyRejected, StateError
from zkcore.group import Element
from zkcore.operations import (
    OWNER,
    REASONS,
    REGULATOR,
    Close,
    Consent,
    Draft,
    Draw,
    Headroom,
    Reduce,
    Register,
    View,
    consent_payload,
)
from zkcore.statements import RangeStatement, Statement
from zkcore.suite import Suite
from zkcore.transcript import LABEL_DRAW_HEAD, LABEL_HEAD, LABEL_PAYLOAD, digest, text
from zkcore.verifying.batch import Claim, RangeClaim, SigmaClaim

MAXIMUM_DRAWS = 1 << 20
"""Draws a document can carry over its life."""


@dataclass(frozen=True)
class KindPolicy:
    """A kind of document. `restores`: the reasons whose reduction gives headroom back."""

    name: str
    restores: frozenset[str]


@dataclass(frozen=True)
class Parameters:
    """The public facts of a log that its first entry fixes."""

    origin: str
    epoch: int
    regulator: Element
    attesters: tuple[Element, ...]
    kinds: Mapping[str, KindPolicy]

    def check(self) -> None:
        """Raises KeyRejected when a key is the identity or stands twice."""
        keys = [self.regulator, *self.attesters]
        if any(key.is_identity for key in keys) or len(set(keys)) != len(keys):
            raise KeyRejected("a key is the identity, or one key is used for two roles")


@dataclass(frozen=True)
class DocumentState:
    """A document as the verifier knows it. `residual` is the limit less what counts; `draws` is how many there have been."""

    document: bytes
    kind: str
    currency: str
    epoch: int
    owner: Element
    limit: HandledCommitment
    residual: HandledCommitment
    head: bytes
    draws: int


@dataclass(frozen=True)
class DrawState:
    """A draw as the verifier knows it."""

    draw: bytes
    document: bytes
    key: Element
    outstanding: HandledCommitment
    head: bytes
    closed: bool


@dataclass(frozen=True)
class DocumentFacts:
    """What the makers of a draw must know of a document, besides the log's parameters: no state, no limit."""

    document: bytes
    currency: str
    epoch: int
    owner: Element


def facts(document: DocumentState) -> DocumentFacts:
    """The facts of a document that the verifier knows."""
    return DocumentFacts(document.document, document.currency, document.epoch, document.owner)


def blinded_balance(balance: HandledCommitment) -> HandledCommitment:
    """A balance that an operation leaves behind, which must have an encoding.

    Whoever knows every blinding behind a balance can choose one that cancels them. The balance would then stand unblinded and
    could be neither stored nor stated. Raises IdentityError.
    """
    if any(element.is_identity for element in (balance.commitment, balance.owner, balance.regulator)):
        raise IdentityError("the balance left would stand without a blinding; commit again with a fresh one")
    return balance


def reader_key(parameters: Parameters, document: DocumentState, reader: str) -> Element:
    """The public view key of "owner" or "regulator" for this document."""
    if reader not in (OWNER, REGULATOR):
        raise EncodingError("a reader is owner or regulator")
    return document.owner if reader == OWNER else parameters.regulator


# --- possession of keys ---------------------------------------------------------------------------------------------------


def possession_context(
    origin: str, statement: Statement, holder: str, seal_key: bytes, request_key: bytes | None = None
) -> Context:
    """Bound to the log, to its holder's name or number (printable ASCII) and to the key that is sealed to for this holder.

    With a request key (Ed25519, 32 bytes) it is another proof: that the holder names this key for signing its requests.
    """
    named = [b"possession", text(holder), seal_key]
    payload = digest(LABEL_PAYLOAD, named if request_key is None else [b"request-key", *named[1:], request_key])
    return Context(origin, statement.name, ABSENT, ABSENT, ABSENT, NO_CURRENCY, 0, payload)


def view_key_claim(
    suite: Suite,
    origin: str,
    holder: str,
    seal_key: bytes,
    key: Element,
    proof: bytes,
    label: str = "view-key",
    request_key: bytes | None = None,
) -> Claim:
    """The holder knows s with H = s*key."""
    statement = statements.VIEW_KEY_POSSESSION
    context = possession_context(origin, statement, holder, seal_key, request_key)
    return _sigma(suite, label, statement, context, {"P": key}, proof)


def signing_key_claim(
    suite: Suite,
    origin: str,
    holder: str,
    seal_key: bytes,
    key: Element,
    proof: bytes,
    label: str = "signing-key",
    request_key: bytes | None = None,
) -> Claim:
    """The holder knows k with key = k*G."""
    statement = statements.SIGNING_KEY_POSSESSION
    context = possession_context(origin, statement, holder, seal_key, request_key)
    return _sigma(suite, label, statement, context, {"K": key}, proof)


def _sigma(
    suite: Suite, label: str, statement: Statement, context: Context, elements: Mapping[str, Element], proof: bytes
) -> Claim:
    statement.check_context(context)
    return SigmaClaim(label, context.session_id(suite), statement.instance(suite, elements), proof)


def _range(suite: Suite, label: str, statement: RangeStatement, context: Context, values: list[Element], proof: bytes) -> Claim:
    statement.check_context(context)
    return RangeClaim(label, context.session_id(suite), tuple(values), statement.bits, proof)


# --- register -------------------------------------------------------------------------------------------------------------


def register_context(parameters: Parameters, operation: Register, statement: str) -> Context:
    """Bound to the document, its currency, the epoch, and the payload (kind, memos)."""
    payload = operation.payload()
    return Context(
        parameters.origin, statement, operation.document, ABSENT, ABSENT, operation.currency, operation.epoch, payload
    )


def register_elements(parameters: Parameters, operation: Register) -> dict[str, Element]:
    """The elements of the statement `register`."""
    return {
        "C": operation.limit.commitment,
        "D_owner": operation.limit.owner,
        "D_regulator": operation.limit.regulator,
        "P_owner": operation.owner,
        "P_regulator": parameters.regulator,
        "A": operation.attester,
    }


def register_values(suite: Suite, operation: Register) -> list[Element]:
    """The values of `register-range`: v - 1 and 2**48 - 1 - v."""
    limit = operation.limit.commitment
    return [limit - suite.G, suite.group.msm([MAXIMUM], [suite.G]) - limit]


def check_register(suite: Suite, parameters: Parameters, operation: Register, label: str = "register") -> list[Claim]:
    """Raises StateError or KeyRejected for what is wrong on its face; the returned claims must all verify."""
    if operation.kind not in parameters.kinds:
        raise StateError("this log has no documents of this kind; see its parameters for the kinds it has")
    if operation.attester not in parameters.attesters:
        raise KeyRejected("the attester is not one of this log")
    if operation.epoch != parameters.epoch:
        raise StateError("the regulator's key epoch is not the present one; fetch the parameters again")
    if operation.owner.is_identity or operation.owner in (parameters.regulator, *parameters.attesters):
        raise KeyRejected("the owner's key is the identity or the key of another role")
    sigma, bound = statements.REGISTER, statements.REGISTER_RANGE
    elements, values = register_elements(parameters, operation), register_values(suite, operation)
    return [
        _sigma(suite, f"{label}.proof", sigma, register_context(parameters, operation, sigma.name), elements, operation.proof),
        _range(
            suite, f"{label}.range", bound, register_context(parameters, operation, bound.name), values, operation.range_proof
        ),
    ]


def registered(operation: Register, leaf: bytes) -> DocumentState:
    """The state of a new document."""
    head = digest(LABEL_HEAD, [b"register", operation.document, leaf])
    return DocumentState(
        operation.document,
        operation.kind,
        operation.currency,
        operation.epoch,
        operation.owner,
        operation.limit,
        operation.limit,
        head,
        0,
    )


def credential_context(parameters: Parameters, document: DocumentFacts, said: bytes) -> Context:
    """A credential is bound to the document and to the canonical bytes of what it says."""
    payload = digest(LABEL_PAYLOAD, [b"credential", said])
    name = statements.CREDENTIAL.name
    return Context(parameters.origin, name, document.document, ABSENT, ABSENT, document.currency, document.epoch, payload)


def check_credential(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    attester: Element,
    said: bytes,
    signature: bytes,
    label: str = "credential",
) -> Claim:
    """The attester vouches for these bytes. Raises KeyRejected when it is not one of this log."""
    if attester not in parameters.attesters:
        raise KeyRejected("the credential is not from an attester of this log")
    context = credential_context(parameters, document, said)
    return _sigma(suite, label, statements.CREDENTIAL, context, {"A": attester}, signature)


# --- draw -----------------------------------------------------------------------------------------------------------------


def draft_context(
    parameters: Parameters, document: DocumentFacts, draft: Draft, statement: str, head: bytes = ABSENT
) -> Context:
    """The bank's part is bound to document, draw, currency, epoch and payload; the bank does not see the head."""
    return Context(
        parameters.origin, statement, document.document, head, draft.draw, document.currency, document.epoch, draft.payload()
    )


def draft_statement(draft: Draft) -> Statement:
    """`draw`, or `consented-draw` when the owner consented beforehand."""
    return statements.DRAW if draft.consent is None else statements.CONSENTED_DRAW


def draft_elements(parameters: Parameters, document: DocumentFacts, draft: Draft) -> dict[str, Element]:
    """The elements of the statement `draw` or `consented-draw`."""
    elements = {
        "C": draft.amount.commitment,
        "D_owner": draft.amount.owner,
        "D_regulator": draft.amount.regulator,
        "P_owner": document.owner,
        "P_regulator": parameters.regulator,
        "K": draft.key,
    }
    return elements if draft.consent is None else {**elements, "C_asked": draft.consent.asked}


def consent_context(parameters: Parameters, document: DocumentFacts, payload: bytes) -> Context:
    """A consent is bound to the document, its currency, the epoch, and the payload of `consent_payload`."""
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
    """The owner knows s' and agreed to this application, key, amount and expiry."""
    payload = consent_payload(consent.application, draft.key, consent.asked, draft.expires)
    context = consent_context(parameters, document, payload)
    return _sigma(suite, f"{label}.consent", statements.CONSENT, context, {"P_owner": document.owner}, consent.proof)


def check_draft(
    suite: Suite, parameters: Parameters, document: DocumentFacts, draft: Draft, label: str = "draw"
) -> list[Claim]:
    """What the bank's part (and a consent beforehand) must prove. Provers check it before they answer a draft, too."""
    if draft.document != document.document:
        raise StateError("the draft is for another document")
    statement = draft_statement(draft)
    context = draft_context(parameters, document, draft, statement.name)
    elements = draft_elements(parameters, document, draft)
    claims = [_sigma(suite, f"{label}.commitment", statement, context, elements, draft.proof)]
    if draft.consent is not None:
        claims.append(check_consent(suite, parameters, document, draft, draft.consent, label))
    return claims


def headroom_statement(prover: str) -> Statement:
    """`headroom-by-owner` or `headroom-by-regulator`."""
    if prover not in (OWNER, REGULATOR):
        raise EncodingError("a headroom prover is owner or regulator")
    return statements.HEADROOM_BY_OWNER if prover == OWNER else statements.HEADROOM_BY_REGULATOR


def headroom_context(parameters: Parameters, document: DocumentState, draft: Draft, statement: str) -> Context:
    """Bound to everything the draft is bound to, and to the document's head."""
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
    """The values of `headroom-range`: a - 1 and m."""
    return [draft.amount.commitment - suite.G, left]


def check_headroom(
    suite: Suite, parameters: Parameters, document: DocumentState, draft: Draft, headroom: Headroom, label: str = "draw"
) -> list[Claim]:
    """What the owner's or the regulator's part must prove against the document's present state.

    Raises StateError, and IdentityError when the draw's blinding cancels the residual's: that depends on the residual, so a
    caller answers it as it answers a false headroom proof.
    """
    if (headroom.prover == REGULATOR) != (draft.consent is not None):
        raise StateError("a headroom proof by the regulator needs the owner's consent; one by the owner is itself the consent")
    if document.draws >= MAXIMUM_DRAWS:
        raise StateError("this document has carried as many draws as a document can")
    blinded_balance(document.residual - draft.amount)
    sigma, bound = headroom_statement(headroom.prover), statements.HEADROOM_RANGE
    elements = headroom_elements(parameters, document, draft, headroom.prover, headroom.left)
    return [
        _sigma(
            suite,
            f"{label}.headroom",
            sigma,
            headroom_context(parameters, document, draft, sigma.name),
            elements,
            headroom.proof,
        ),
        _range(
            suite,
            f"{label}.range",
            bound,
            headroom_context(parameters, document, draft, bound.name),
            headroom_values(suite, draft, headroom.left),
            headroom.range_proof,
        ),
    ]


def check_draw(
    suite: Suite, parameters: Parameters, document: DocumentState, operation: Draw, label: str = "draw"
) -> list[Claim]:
    """All that a draw must prove."""
    return [
        *check_draft(suite, parameters, facts(document), operation.draft, label),
        *check_headroom(suite, parameters, document, operation.draft, operation.headroom, label),
    ]


def drawn(document: DocumentState, operation: Draw, leaf: bytes) -> tuple[DocumentState, DrawState]:
    """The document after the draw, and the new draw. Raises IdentityError where check_headroom does."""
    draft = operation.draft
    after = replace(
        document,
        residual=blinded_balance(document.residual - draft.amount),
        head=digest(LABEL_HEAD, [b"draw", document.head, leaf]),
        draws=document.draws + 1,
    )
    head = digest(LABEL_DRAW_HEAD, [b"draw", draft.draw, leaf])
    return after, DrawState(draft.draw, document.document, draft.key, draft.amount, head, closed=False)


# --- reduce and close -----------------------------------------------------------------------------------------------------


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
    """The elements of the statement `reduce`."""
    return {
        "C": amount.commitment,
        "D_owner": amount.owner,
        "D_regulator": amount.regulator,
        "P_owner": document.owner,
        "P_regulator": parameters.regulator,
        "K": draw.key,
    }


def reduce_values(suite: Suite, draw: DrawState, amount: HandledCommitment) -> list[Element]:
    """The values of `reduce-range`: p - 1 and outstanding - p."""
    return [amount.commitment - suite.G, draw.outstanding.commitment - amount.commitment]


def check_open(draw: DrawState) -> None:
    """Raises StateError when the draw is closed."""
    if draw.closed:
        raise StateError("the draw is closed")


def _check_draw_of(document: DocumentFacts, draw: DrawState, named: bytes) -> None:
    check_open(draw)
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
    """The returned claims must all verify.

    Raises StateError for a closed or another draw, EncodingError for an unknown reason, IdentityError when the blinding of the
    reduction cancels that of what is outstanding.
    """
    _check_draw_of(document, draw, operation.draw)
    if operation.reason not in REASONS:
        raise EncodingError(f"a reason is one of {', '.join(REASONS)}")
    blinded_balance(draw.outstanding - operation.amount)
    sigma, bound = statements.REDUCE, statements.REDUCE_RANGE
    elements = reduce_elements(parameters, document, draw, operation.amount)
    values = reduce_values(suite, draw, operation.amount)
    at_sigma = reduce_context(parameters, document, draw, operation, sigma.name)
    at_range = reduce_context(parameters, document, draw, operation, bound.name)
    return [
        _sigma(suite, f"{label}.proof", sigma, at_sigma, elements, operation.proof),
        _range(suite, f"{label}.range", bound, at_range, values, operation.range_proof),
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
    )
    if operation.reason not in parameters.kinds[document.kind].restores:
        return document, after
    head = digest(LABEL_HEAD, [b"reduce", document.head, leaf])
    return replace(document, residual=blinded_balance(document.residual + operation.amount), head=head), after


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
    """Raises StateError for a closed or another draw; the returned claim must verify."""
    _check_draw_of(document, draw, operation.draw)
    context = close_context(parameters, document, draw, operation)
    return [_sigma(suite, f"{label}.proof", statements.CLOSE, context, close_elements(draw), operation.proof)]


def closed(draw: DrawState, leaf: bytes) -> DrawState:
    """The draw, closed."""
    return replace(draw, closed=True, head=digest(LABEL_DRAW_HEAD, [b"close", draw.head, leaf]))


# --- view -----------------------------------------------------------------------------------------------------------------


def view_context(parameters: Parameters, document: DocumentFacts, operation: View) -> Context:
    """Bound to the document and to the reader, nonce and time of the request."""
    name = statements.VIEW.name
    return Context(
        parameters.origin, name, document.document, ABSENT, ABSENT, document.currency, document.epoch, operation.payload()
    )


def check_view(
    suite: Suite, parameters: Parameters, document: DocumentState, operation: View, label: str = "view"
) -> list[Claim]:
    """The caller knows the owner's or the regulator's key. Raises StateError for another document."""
    if operation.document != document.document:
        raise StateError("the view is of another document")
    key = reader_key(parameters, document, operation.reader)
    context = view_context(parameters, facts(document), operation)
    return [_sigma(suite, label, statements.VIEW, context, {"P": key}, operation.proof)]
