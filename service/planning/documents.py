"""Documents: registered, changed and amended by their attesters, shown to be overdrawn by the regulator (SPEC.md, 10.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from schemas import problems
from schemas.answers import DocumentReceipt, Receipt, RegistrationAnswer
from schemas.entries import Amended, AnyEntry, Registered, ShownOverdrawn, StatusChanged, encode_entry
from schemas.messages import AmendMessage, ChangeStatusMessage, OverdrawnMessage, RegisterMessage
from service.planning.shared import Unproven, proven, refuse_taken, refused_as, unblinded_refused
from service.problems import Failure, Refusal, decoding, refuse_claims
from service.storage import Changes, Plan, Seen
from service.verifier import Verifier
from tlog.leaf import leaf_hash
from zkcore import ledger
from zkcore.errors import KeyRejected, StateError
from zkcore.ledger import DocumentState
from zkcore.operations import Amend, ChangeStatus, Overdrawn, Register
from zkcore.verifying.batch import Claim


def check_registration(verifier: Verifier, documents: Sequence[Register], seen: Seen) -> Unproven:
    """Each limit is in range, committed by an attester of this log, and readable by owner and regulator; each id is new.

    Raises Refusal: registration-refused, proof-invalid, already-exists, malformed-request.
    """
    claims = [claim for line, operation in enumerate(documents) for claim in _registration_claims(verifier, line, operation)]

    def plan(failures: Sequence[Failure]) -> Plan:
        refuse_claims(failures)
        refuse_taken([operation.document for operation in documents], seen.documents)
        return partial(_registered, documents)

    return Unproven(claims, plan)


def _registration_claims(verifier: Verifier, line: int, operation: Register) -> list[Claim]:
    with refused_as(problems.REGISTRATION_REFUSED, line, StateError, KeyRejected), decoding(f"/documents/{line}"):
        return ledger.check_register(verifier.suite, verifier.parameters, operation, f"{line}:register")


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


def check_status(verifier: Verifier, operation: ChangeStatus, seen: Seen) -> Unproven:
    """An attester of the document's kind says what became of it, and it follows from what was said before.

    Raises Refusal: document-unknown, change-refused, proof-invalid.
    """
    document = _document(seen, operation.document)
    with refused_as(problems.CHANGE_REFUSED, 0, StateError, KeyRejected):
        claims = ledger.check_status(verifier.suite, verifier.parameters, document, operation, "0:status")
    return Unproven(claims, proven(partial(_status_changed, document, operation)))


def _document(seen: Seen, document: bytes) -> DocumentState:
    found = seen.documents.get(document)
    if found is None:
        raise Refusal(problems.DOCUMENT_UNKNOWN)
    return found


def _status_changed(document: DocumentState, operation: ChangeStatus, time: int) -> Changes:
    entry = StatusChanged(time=time, body=ChangeStatusMessage.of(operation))
    return _changed(document, entry, lambda leaf: ledger.status_changed(document, operation, leaf))


def check_amendment(verifier: Verifier, operation: Amend, seen: Seen) -> Unproven:
    """An attester of the document's kind commits to another limit, in range and readable by owner and regulator.

    Raises Refusal: document-unknown, change-refused, proof-invalid.
    """
    document = _document(seen, operation.document)
    with refused_as(problems.CHANGE_REFUSED, 0, StateError, KeyRejected), unblinded_refused(0):
        claims = ledger.check_amend(verifier.suite, verifier.parameters, document, operation, "0:amend")
    return Unproven(claims, proven(partial(_amended, document, operation)))


def _amended(document: DocumentState, operation: Amend, time: int) -> Changes:
    entry = Amended(time=time, body=AmendMessage.of(operation))
    return _changed(document, entry, lambda leaf: ledger.amended(document, operation, leaf))


def check_overdrawn(verifier: Verifier, operation: Overdrawn, seen: Seen) -> Unproven:
    """The regulator shows that the residual is negative at this moment.

    Raises Refusal: document-unknown, already-exists where it was shown and nothing has changed, proof-invalid.
    """
    document = _document(seen, operation.document)
    with refused_as(problems.ALREADY_EXISTS, 0, StateError):
        claims = ledger.check_overdrawn(verifier.suite, verifier.parameters, document, operation, "0:overdrawn")
    return Unproven(claims, proven(partial(_shown_overdrawn, document, operation)))


def _shown_overdrawn(document: DocumentState, operation: Overdrawn, time: int) -> Changes:
    entry = ShownOverdrawn(time=time, body=OverdrawnMessage.of(operation))
    return _changed(document, entry, lambda leaf: ledger.shown_overdrawn(document))


def _changed(document: DocumentState, entry: AnyEntry, change: Callable[[bytes], DocumentState]) -> Changes:
    data = encode_entry(entry)
    leaf = leaf_hash(data)
    after = change(leaf)
    return Changes(
        entries=[(document.document, data)],
        answer=lambda index: DocumentReceipt(
            document=document.document,
            revision=after.revision,
            receipt=Receipt(index=index, time=entry.time, leaf=leaf),
        ),
        documents=[(document.head, after)],
    )
