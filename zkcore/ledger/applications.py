"""Applications: on the log before anything is drawn, so that the regulator sees every stage.

SPEC.md: the statements `application`, `apply` and `decide` in section 5, their payloads in section 3, stages and rules in
sections 10.2 and 10.3, why a bank gains nothing by repeating an owner's part in section 13.
"""

from __future__ import annotations

from dataclasses import replace

from zkcore import statements
from zkcore.context import ABSENT, Context
from zkcore.errors import EncodingError, StateError
from zkcore.ledger.claims import sigma_claim
from zkcore.ledger.state import (
    APPLIED,
    DECISIONS_AT,
    ApplicationState,
    DocumentFacts,
    DocumentState,
    Parameters,
    facts,
)
from zkcore.operations import DECISIONS, Apply, Decide, application_payload
from zkcore.suite import Suite
from zkcore.transcript import LABEL_DRAW_HEAD, digest
from zkcore.verifying.batch import Claim


def application_context(parameters: Parameters, document: DocumentFacts, payload: bytes) -> Context:
    """The owner's part is bound to the document, its currency, the epoch, and the payload of `application_payload` (32 bytes).

    Raises ContextError for a malformed field, as every context does (SPEC.md, section 3).
    """
    name = statements.APPLICATION.name
    return Context(parameters.origin, name, document.document, ABSENT, ABSENT, document.currency, document.epoch, payload)


def apply_context(parameters: Parameters, document: DocumentFacts, operation: Apply) -> Context:
    """The bank's part is bound to the draw, too, and to everything in the application.

    Raises EncodingError for an expiry that is no time.
    """
    name, payload = statements.APPLY.name, operation.payload()
    return Context(
        parameters.origin, name, document.document, ABSENT, operation.draw, document.currency, document.epoch, payload
    )


def check_apply(
    suite: Suite, parameters: Parameters, document: DocumentState, operation: Apply, label: str = "apply"
) -> list[Claim]:
    """The owner applied and the bank has it: both claims must verify (SPEC.md, sections 5 and 8).

    Raises StateError for another document, EncodingError for an expiry that is no time. Whether the draw's id is new is for
    whoever has the log, and whether it comes in time for check_apply_time.
    """
    if operation.document != document.document:
        raise StateError("the application is for another document")
    known = facts(document)
    payload = application_payload(operation.application, operation.key, operation.expires)
    by_owner = application_context(parameters, known, payload)
    by_bank = apply_context(parameters, known, operation)
    return [
        sigma_claim(
            suite, f"{label}.consent", statements.APPLICATION, by_owner, {"P_owner": document.owner}, operation.consent
        ),
        sigma_claim(suite, f"{label}.proof", statements.APPLY, by_bank, {"K": operation.key}, operation.proof),
    ]


def check_apply_time(operation: Apply, at: int) -> None:
    """An application reaches the log before it expires. `at`: the entry's unix seconds. Raises StateError."""
    if operation.expires < at:
        raise StateError("the application has expired")


def applied(operation: Apply, leaf: bytes) -> ApplicationState:
    """The state of a new application: `applied`, with its first head (SPEC.md, section 10.3). `leaf`: 32 bytes."""
    head = digest(LABEL_DRAW_HEAD, [b"apply", operation.draw, leaf])
    return ApplicationState(
        operation.draw, operation.document, operation.key, operation.application, operation.expires, APPLIED, head
    )


def decide_context(
    parameters: Parameters, document: DocumentFacts, application: ApplicationState, operation: Decide
) -> Context:
    """Bound to the document, the draw and the application's head, so that a decision is for one stage (SPEC.md, section 5)."""
    return Context(
        parameters.origin,
        statements.DECIDE.name,
        document.document,
        application.head,
        application.draw,
        document.currency,
        document.epoch,
        operation.payload(),
    )


def check_decide(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    application: ApplicationState,
    operation: Decide,
    label: str = "decide",
) -> list[Claim]:
    """The claim must verify (SPEC.md, sections 10.2 and 10.3).

    Raises StateError for another application or a decision that its stage does not have, EncodingError for an unknown one.
    """
    if operation.decision not in DECISIONS:
        raise EncodingError(f"a decision is one of {', '.join(DECISIONS)}")
    if operation.draw != application.draw or application.document != document.document:
        raise StateError("the decision is about another application, or the application is for another document")
    if operation.decision not in DECISIONS_AT.get(application.stage, frozenset()):
        raise StateError(f"an application that is {application.stage} does not become {operation.decision}")
    context = decide_context(parameters, document, application, operation)
    return [sigma_claim(suite, f"{label}.proof", statements.DECIDE, context, {"K": application.key}, operation.proof)]


def decided(application: ApplicationState, operation: Decide, leaf: bytes) -> ApplicationState:
    """The application after the decision, with its head moved by the entry's leaf (32 bytes)."""
    return replace(application, stage=operation.decision, head=digest(LABEL_DRAW_HEAD, [b"decide", application.head, leaf]))
