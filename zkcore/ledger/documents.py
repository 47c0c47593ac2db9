"""Documents: registered, changed, amended, shown to be overdrawn, vouched for, viewed.

SPEC.md: statements in section 5, statuses in section 10.2, rules in section 10.3, credentials in section 16. The functions that
return claims take nothing for true until all of those have verified; `leaf` is 32 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from zkcore import statements
from zkcore.amounts import MAXIMUM
from zkcore.commitments import HandledCommitment
from zkcore.context import ABSENT, Context
from zkcore.errors import EncodingError, KeyRejected, StateError
from zkcore.group import Element
from zkcore.ledger.claims import range_claim, sigma_claim
from zkcore.ledger.state import (
    STATUSES_AFTER,
    DocumentFacts,
    DocumentState,
    Parameters,
    blinded_balance,
    facts,
    reader_key,
)
from zkcore.operations import (
    AMENDMENTS,
    CLEARED,
    CUSTOMS_RELEASED,
    DECLARED,
    DELETED,
    STATUSES,
    Amend,
    ChangeStatus,
    Overdrawn,
    Register,
    View,
)
from zkcore.suite import Suite
from zkcore.transcript import LABEL_HEAD, LABEL_PAYLOAD, LABEL_REVISION, digest
from zkcore.verifying.batch import Claim

STATUSES_AT_FIRST = (DECLARED, CUSTOMS_RELEASED, CLEARED)
"""With which a document can be registered (SPEC.md, section 10.3)."""

# --- register -------------------------------------------------------------------------------------------------------------


def register_context(parameters: Parameters, operation: Register, statement: str) -> Context:
    """Bound to the document, its currency, the epoch, and the payload: kind, counter, status, memos (SPEC.md, section 3)."""
    payload = operation.payload()
    return Context(
        parameters.origin, statement, operation.document, ABSENT, ABSENT, operation.currency, operation.epoch, payload
    )


def limit_elements(parameters: Parameters, owner: Element, attester: Element, limit: HandledCommitment) -> dict[str, Element]:
    """The elements of the statements `register` and `amend`."""
    return {
        "C": limit.commitment,
        "D_owner": limit.owner,
        "D_regulator": limit.regulator,
        "P_owner": owner,
        "P_regulator": parameters.regulator,
        "A": attester,
    }


def limit_values(suite: Suite, limit: HandledCommitment) -> list[Element]:
    """The values of `register-range` and `amend-range`: v - 1 and 2**48 - 1 - v, in minor units (SPEC.md, section 5)."""
    return [limit.commitment - suite.G, suite.group.msm([MAXIMUM], [suite.G]) - limit.commitment]


def check_attester(parameters: Parameters, kind: str, attester: Element) -> None:
    """Whether this key may attest documents of this kind; a credential's reader asks this, too.

    Raises KeyRejected for a key that is none of this log, or of a role that does not attest this kind; StateError for a kind
    that the log does not have.
    """
    if kind not in parameters.kinds:
        raise StateError("this log has no documents of this kind; see its parameters for the kinds it has")
    role = parameters.attesters.get(attester)
    if role is None:
        raise KeyRejected("the attester is not one of this log")
    if role != parameters.kinds[kind].attester:
        raise KeyRejected("documents of this kind are attested by another role; see the log's parameters")


def check_register(suite: Suite, parameters: Parameters, operation: Register, label: str = "register") -> list[Claim]:
    """A limit of 1 to 2**48 - 1 minor units, committed by an attester of the kind's role: the returned claims must all verify.

    Raises StateError for a kind, counter, first status or epoch that the log does not have, KeyRejected for the keys of
    attester or owner (SPEC.md, section 10.3). Whether the document's id is new is for whoever has the log.
    """
    if operation.kind not in parameters.kinds:
        raise StateError("this log has no documents of this kind; see its parameters for the kinds it has")
    if operation.counter not in parameters.kinds[operation.kind].counters:
        raise StateError("documents of this kind have no such counter; see the log's parameters for those they have")
    if operation.status not in STATUSES_AT_FIRST:
        raise StateError(f"a document is registered as one of {', '.join(STATUSES_AT_FIRST)}")
    check_attester(parameters, operation.kind, operation.attester)
    if operation.epoch != parameters.epoch:
        raise StateError("the regulator's key epoch is not the present one; fetch the parameters again")
    if operation.owner.is_identity or operation.owner in (parameters.regulator, *parameters.attesters):
        raise KeyRejected("the owner's key is the identity or the key of another role")
    sigma, bound = statements.REGISTER, statements.REGISTER_RANGE
    elements = limit_elements(parameters, operation.owner, operation.attester, operation.limit)
    values = limit_values(suite, operation.limit)
    at_sigma = register_context(parameters, operation, sigma.name)
    at_range = register_context(parameters, operation, bound.name)
    return [
        sigma_claim(suite, f"{label}.proof", sigma, at_sigma, elements, operation.proof),
        range_claim(suite, f"{label}.range", bound, at_range, values, operation.range_proof),
    ]


def registered(operation: Register, leaf: bytes) -> DocumentState:
    """The state of a new document."""
    return DocumentState(
        document=operation.document,
        kind=operation.kind,
        counter=operation.counter,
        currency=operation.currency,
        epoch=operation.epoch,
        owner=operation.owner,
        limit=operation.limit,
        residual=operation.limit,
        head=digest(LABEL_HEAD, [b"register", operation.document, leaf]),
        draws=0,
        status=operation.status,
        revision=next_revision(operation.document, leaf),
        replacement=ABSENT,
        taken=False,
        overdrawn=ABSENT,
    )


def next_revision(before: bytes, leaf: bytes) -> bytes:
    """The revision of a document after an entry of its attester; before the first, its id stands for it.

    32 bytes each; SPEC.md, section 10.1.
    """
    return digest(LABEL_REVISION, [before, leaf])


def credential_context(parameters: Parameters, document: DocumentFacts, said: bytes) -> Context:
    """A credential is bound to the document and to the canonical bytes (RFC 8785) of what it says (SPEC.md, section 16)."""
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
    """The attester vouches for these bytes (SPEC.md, section 16). Raises KeyRejected when it is not one of this log.

    signature: 65 bytes, a proof of the statement `credential`

    Whether its role is that of the kind in those bytes is for `check_attester`: the bytes are not read here.
    """
    if attester not in parameters.attesters:
        raise KeyRejected("the credential is not from an attester of this log")
    context = credential_context(parameters, document, said)
    return sigma_claim(suite, label, statements.CREDENTIAL, context, {"A": attester}, signature)


# --- what becomes of a document -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AttestedFacts:
    """What an attester must know of a document to change it. It knows nothing of draws."""

    document: bytes
    kind: str
    currency: str
    epoch: int
    owner: Element
    revision: bytes


def attested_facts(document: DocumentState) -> AttestedFacts:
    """These facts of a document that the verifier knows."""
    return AttestedFacts(document.document, document.kind, document.currency, document.epoch, document.owner, document.revision)


def revision_context(parameters: Parameters, document: AttestedFacts, statement: str, payload: bytes) -> Context:
    """Bound to the document and to its revision: what its attester said before. The attester never sees a head.

    payload: 32 bytes; SPEC.md, sections 5 and 10.1
    """
    return Context(
        parameters.origin,
        statement,
        document.document,
        document.revision,
        ABSENT,
        document.currency,
        document.epoch,
        payload,
    )


def check_status(
    suite: Suite, parameters: Parameters, document: DocumentState, operation: ChangeStatus, label: str = "status"
) -> list[Claim]:
    """The returned claim must verify (SPEC.md, sections 10.2 and 10.3).

    Raises StateError for another document, a status that does not follow or a replacement that is none, EncodingError for an
    unknown status, KeyRejected for an attester that is not of the kind's role.
    """
    if operation.document != document.document:
        raise StateError("the change is of another document")
    if operation.status not in STATUSES:
        raise EncodingError(f"a status is one of {', '.join(STATUSES)}")
    if operation.status not in STATUSES_AFTER[document.status]:
        raise StateError(f"a document that is {document.status} does not become {operation.status}")
    if operation.replacement != ABSENT and operation.status != DELETED:
        raise StateError("only a deleted document has a replacement")
    if operation.replacement == document.document:
        raise StateError("a document does not replace itself")
    check_attester(parameters, document.kind, operation.attester)
    statement = statements.DOCUMENT_STATUS
    context = revision_context(parameters, attested_facts(document), statement.name, operation.payload())
    return [sigma_claim(suite, f"{label}.proof", statement, context, {"A": operation.attester}, operation.proof)]


def status_changed(document: DocumentState, operation: ChangeStatus, leaf: bytes) -> DocumentState:
    """The document afterwards. Its head moves, so that no draw proven before is committed after."""
    return replace(
        document,
        status=operation.status,
        replacement=operation.replacement,
        head=digest(LABEL_HEAD, [b"status", document.head, leaf]),
        revision=next_revision(document.revision, leaf),
    )


def check_amend(
    suite: Suite, parameters: Parameters, document: DocumentState, operation: Amend, label: str = "amend"
) -> list[Claim]:
    """The returned claims must all verify (SPEC.md, sections 5 and 10.3).

    Raises StateError for a document that is at its end, KeyRejected for another's attester, EncodingError for an unknown
    reason, IdentityError when the blinding of the new limit cancels that of the residual.
    """
    if operation.document != document.document:
        raise StateError("the amendment is of another document")
    if operation.reason not in AMENDMENTS:
        raise EncodingError(f"a reason of an amendment is one of {', '.join(AMENDMENTS)}")
    if not STATUSES_AFTER[document.status]:
        raise StateError(f"a document that is {document.status} is not amended")
    check_attester(parameters, document.kind, operation.attester)
    blinded_balance(document.residual - document.limit + operation.limit)
    sigma, bound = statements.AMEND, statements.AMEND_RANGE
    facts, payload = attested_facts(document), operation.payload()
    elements = limit_elements(parameters, document.owner, operation.attester, operation.limit)
    at_sigma = revision_context(parameters, facts, sigma.name, payload)
    at_range = revision_context(parameters, facts, bound.name, payload)
    return [
        sigma_claim(suite, f"{label}.proof", sigma, at_sigma, elements, operation.proof),
        range_claim(suite, f"{label}.range", bound, at_range, limit_values(suite, operation.limit), operation.range_proof),
    ]


def amended(document: DocumentState, operation: Amend, leaf: bytes) -> DocumentState:
    """The document with its new limit; what was drawn counts on (SPEC.md, section 13, "Amend").

    Raises IdentityError where check_amend does.
    """
    return replace(
        document,
        limit=operation.limit,
        residual=blinded_balance(document.residual - document.limit + operation.limit),
        head=digest(LABEL_HEAD, [b"amend", document.head, leaf]),
        revision=next_revision(document.revision, leaf),
    )


# --- overdrawn ------------------------------------------------------------------------------------------------------------


def overdrawn_context(parameters: Parameters, document: DocumentState, operation: Overdrawn, statement: str) -> Context:
    """Bound to the document and to its head: the proof says nothing once anything has changed (SPEC.md, section 5)."""
    return Context(
        parameters.origin,
        statement,
        document.document,
        document.head,
        ABSENT,
        document.currency,
        document.epoch,
        operation.payload(),
    )


def overdrawn_elements(parameters: Parameters, document: DocumentState, over: Element) -> dict[str, Element]:
    """The elements of the statement `overdrawn`: the residual is the verifier's own."""
    return {
        "P": parameters.regulator,
        "R": document.residual.commitment,
        "E_R": document.residual.regulator,
        "C_over": over,
    }


def check_overdrawn(
    suite: Suite, parameters: Parameters, document: DocumentState, operation: Overdrawn, label: str = "overdrawn"
) -> list[Claim]:
    """The residual is negative, by 1 minor unit or more: the returned claims must all verify (SPEC.md, sections 5 and 13).

    Raises StateError for another document, and for one that was shown to be overdrawn and has not changed since.
    """
    if operation.document != document.document:
        raise StateError("the proof is of another document")
    if document.is_overdrawn:
        raise StateError("this was shown already, and nothing has changed since")
    sigma, bound = statements.OVERDRAWN, statements.OVERDRAWN_RANGE
    elements = overdrawn_elements(parameters, document, operation.over)
    at_sigma = overdrawn_context(parameters, document, operation, sigma.name)
    at_range = overdrawn_context(parameters, document, operation, bound.name)
    return [
        sigma_claim(suite, f"{label}.proof", sigma, at_sigma, elements, operation.proof),
        range_claim(suite, f"{label}.range", bound, at_range, [operation.over - suite.G], operation.range_proof),
    ]


def shown_overdrawn(document: DocumentState) -> DocumentState:
    """The document, known to be overdrawn for as long as its head stays.

    The head moves, so that of two proofs made at one head one is taken, and whatever was read before is written no more. The
    entry has no part in it: it says nothing that the head before does not say.
    """
    head = digest(LABEL_HEAD, [b"overdrawn", document.head])
    return replace(document, head=head, overdrawn=head)


# --- view -----------------------------------------------------------------------------------------------------------------


def view_context(parameters: Parameters, document: DocumentFacts, operation: View) -> Context:
    """Bound to the document and to the reader, nonce (16 bytes) and time of the request (SPEC.md, sections 3 and 5)."""
    name = statements.VIEW.name
    return Context(
        parameters.origin, name, document.document, ABSENT, ABSENT, document.currency, document.epoch, operation.payload()
    )


def check_view(
    suite: Suite, parameters: Parameters, document: DocumentState, operation: View, label: str = "view"
) -> list[Claim]:
    """The caller knows the owner's or the regulator's key (SPEC.md, section 10.3): the returned claim must verify.

    Raises StateError for another document, EncodingError for a reader that is neither. Whether the time is near and the nonce
    new is for whoever has a clock and a memory.
    """
    if operation.document != document.document:
        raise StateError("the view is of another document")
    key = reader_key(parameters, document, operation.reader)
    context = view_context(parameters, facts(document), operation)
    return [sigma_claim(suite, label, statements.VIEW, context, {"P": key}, operation.proof)]
