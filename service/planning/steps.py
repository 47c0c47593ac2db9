"""Steps of a financing before and after its draws: applied for, decided, disbursed, reduced, closed; and what expires.

A request has one step a draw, on as many documents, so that a financing over several documents is whole at every step.
SPEC.md: stages in section 10.2, rules in section 10.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from schemas import problems
from schemas.answers import DocumentReceipt, DrawReceipt, Receipt, StepsAnswer
from schemas.entries import AnyEntry, Applied, Closed, Decided, Disbursed, Expired, Reduced, encode_entry
from schemas.messages import (
    ApplyMessage,
    CloseMessage,
    DecideMessage,
    DisburseMessage,
    ExpireMessage,
    ReduceMessage,
)
from service.institutions.registry import Caller
from service.planning.shared import Unproven, documents_of_lines, proven, refuse_taken, refused_as, unblinded_refused
from service.problems import Refusal, decoding, refuse_lines
from service.storage import Changes, Seen, Wanted
from service.verifier import Verifier
from tlog.leaf import leaf_hash
from zkcore import ledger
from zkcore.errors import StateError
from zkcore.ledger import ApplicationState, DocumentState, DrawState, Parameters
from zkcore.operations import Apply, Close, Decide, Disburse, Expire, Reduce
from zkcore.verifying.batch import Claim

Operation = Apply | Decide | Disburse | Reduce | Close
State = ApplicationState | DrawState


@dataclass(frozen=True)
class Line:
    """A step with the rows that it rests on.

    before: the application or the draw; None for an application that is new
    caller: who called, sealed; empty where nobody did
    """

    number: int
    operation: Operation | Expire
    document: DocumentState
    before: State | None
    caller: bytes


@dataclass(frozen=True)
class Outcome:
    """What a step leads to."""

    line: Line
    entry: bytes
    leaf: bytes
    document: DocumentState
    after: State

    def receipt(self, index: int, time: int) -> DrawReceipt:
        receipt = Receipt(index=index, time=time, leaf=self.leaf)
        return DrawReceipt(draw=self.after.draw, head=self.after.head, receipt=receipt, caller=self.line.caller)


def steps_rest_on(operations: Sequence[Operation]) -> Wanted:
    """What has to be read before these steps are planned."""
    documents = [operation.document for operation in operations if isinstance(operation, Apply)]
    return Wanted(documents, [operation.draw for operation in operations])


def check_steps(verifier: Verifier, caller: Caller, operations: Sequence[Operation], now: int, seen: Seen) -> Unproven:
    """Each step is made by the holder of its draw's key, and fits the stage that the draw or application has at this moment.

    Raises Refusal naming the lines: already-exists, draw-unknown, document-repeated, document-unknown, expired, wrong-stage,
    proof-invalid, consent-invalid, malformed-request. `now`: unix seconds; times are checked again
    when the entries are written.
    """
    lines = _lines(seen, operations, [verifier.institutions.sealed(caller) for _ in operations])
    _refuse_times(lines, now)
    claims = [claim for line in lines for claim in _claims(verifier, line)]
    return Unproven(claims, proven(partial(_stepped, verifier.parameters, lines)))


def _lines(seen: Seen, operations: Sequence[Operation], callers: Sequence[bytes]) -> list[Line]:
    """The rows that the steps rest on. Refuses what is not there, a new id that is taken, and two steps on one document."""
    refuse_taken([step.draw for step in operations if isinstance(step, Apply)], {*seen.draws, *seen.applications})
    before = [_before(step, seen) for step in operations]
    unknown = StateError("no such draw")
    absent = [line for line, step in enumerate(operations) if before[line] is None and not isinstance(step, Apply)]
    refuse_lines(problems.DRAW_UNKNOWN, [(line, unknown) for line in absent])
    documents = documents_of_lines(seen, [_document(*pair) for pair in zip(operations, before, strict=True)])
    found = enumerate(zip(operations, documents, before, callers, strict=True))
    return [Line(number, *line) for number, line in found]


def _before(step: Operation, seen: Seen) -> State | None:
    match step:
        case Apply():
            return None
        case Decide():
            return seen.applications.get(step.draw)
        case _:
            return seen.draws.get(step.draw)


def _document(step: Operation, before: State | None) -> bytes:
    if isinstance(step, Apply):
        return step.document
    if before is None:
        raise TypeError("a step other than an application rests on a row")
    return before.document


def _refuse_times(lines: Sequence[Line], time: int) -> None:
    for line in lines:
        with refused_as(problems.EXPIRED, line.number, StateError):
            match (line.operation, line.before):
                case (Apply() as step, _):
                    ledger.check_apply_time(step, time)
                case (Disburse(), DrawState() as draw):
                    ledger.check_disburse_time(draw, time)


def _claims(verifier: Verifier, line: Line) -> list[Claim]:
    """What the step must prove. What is wrong with it on its face can only be with the stage of its draw."""
    suite, parameters, facts = verifier.suite, verifier.parameters, ledger.facts(line.document)
    wrong_stage = refused_as(problems.WRONG_STAGE, line.number, StateError)
    with wrong_stage, decoding(f"/steps/{line.number}"), unblinded_refused(line.number):
        match (line.operation, line.before):
            case (Apply() as step, _):
                return ledger.check_apply(suite, parameters, line.document, step, f"{line.number}:apply")
            case (Decide() as step, ApplicationState() as application):
                return ledger.check_decide(suite, parameters, facts, application, step, f"{line.number}:decide")
            case (Disburse() as step, DrawState() as draw):
                return ledger.check_disburse(suite, parameters, facts, draw, step, f"{line.number}:disburse")
            case (Reduce() as step, DrawState() as draw):
                return ledger.check_reduce(suite, parameters, facts, draw, step, f"{line.number}:reduce")
            case (Close() as step, DrawState() as draw):
                return ledger.check_close(suite, parameters, facts, draw, step, f"{line.number}:close")
    raise TypeError("this operation is no step")


def _stepped(parameters: Parameters, lines: Sequence[Line], time: int) -> Changes:
    _refuse_times(lines, time)
    outcomes = [_outcome(parameters, line, time) for line in lines]
    return Changes(
        entries=[(outcome.document.document, outcome.entry) for outcome in outcomes],
        answer=lambda first: StepsAnswer(steps=[outcome.receipt(index, time) for index, outcome in enumerate(outcomes, first)]),
        documents=[
            (outcome.line.document.head, outcome.document) for outcome in outcomes if outcome.document != outcome.line.document
        ],
        draws=[
            (outcome.line.before.head, outcome.after)
            for outcome in outcomes
            if outcome.line.before is not None and isinstance(outcome.after, DrawState)
        ],
        applications=[
            (outcome.line.before.head, outcome.after)
            for outcome in outcomes
            if outcome.line.before is not None and isinstance(outcome.after, ApplicationState)
        ],
        applied=[
            outcome.after for outcome in outcomes if outcome.line.before is None and isinstance(outcome.after, ApplicationState)
        ],
    )


def _outcome(parameters: Parameters, line: Line, time: int) -> Outcome:
    """The entry of a step and what it leads to. Refuses one whose blinding cancels that of a balance."""
    data = encode_entry(_entry(line.operation, line.caller, time))
    leaf = leaf_hash(data)
    with unblinded_refused(line.number):
        document, after = _after(parameters, line, leaf)
    return Outcome(line, data, leaf, document, after)


def _entry(operation: Operation | Expire, caller: bytes, time: int) -> AnyEntry:
    match operation:
        case Apply():
            return Applied(time=time, body=ApplyMessage.of(operation), caller=caller)
        case Decide():
            return Decided(time=time, body=DecideMessage.of(operation), caller=caller)
        case Disburse():
            return Disbursed(time=time, body=DisburseMessage.of(operation), caller=caller)
        case Reduce():
            return Reduced(time=time, body=ReduceMessage.of(operation), caller=caller)
        case Close():
            return Closed(time=time, body=CloseMessage.of(operation), caller=caller)
        case Expire():
            return Expired(time=time, body=ExpireMessage.of(operation))


def _after(parameters: Parameters, line: Line, leaf: bytes) -> tuple[DocumentState, State]:
    match (line.operation, line.before):
        case (Apply() as step, _):
            return line.document, ledger.applied(step, leaf)
        case (Decide() as step, ApplicationState() as application):
            return line.document, ledger.decided(application, step, leaf)
        case (Disburse() as step, DrawState() as draw):
            return ledger.disbursed(line.document, draw, step, leaf)
        case (Reduce() as step, DrawState() as draw):
            return ledger.reduced(parameters, line.document, draw, step, leaf)
        case (Close(), DrawState() as draw):
            return ledger.closed(parameters, line.document, draw, leaf)
        case (Expire(), DrawState() as draw):
            return ledger.expired(line.document, draw, leaf)
    raise TypeError("this operation is no step")


# --- expiry ---------------------------------------------------------------------------------------------------------------


def check_expiry(verifier: Verifier, draw: bytes, now: int, seen: Seen) -> Unproven:
    """A reservation whose time is over frees itself: nobody proves anything. Refuses one that has not expired or is gone.

    `draw`: 32 bytes; `now`: unix seconds. SPEC.md, section 10.3, `expire`.
    """
    state = seen.draws.get(draw)
    if state is None:
        raise Refusal(problems.DRAW_UNKNOWN)
    with refused_as(problems.WRONG_STAGE, 0, StateError):
        ledger.check_expire(state, now)
    line = Line(0, Expire(draw), seen.documents[state.document], state, b"")
    return Unproven(None, proven(partial(_expired, verifier.parameters, line)))


def _expired(parameters: Parameters, line: Line, time: int) -> Changes:
    changes, document = _stepped(parameters, [line], time), line.document
    leaf = leaf_hash(changes.entries[0][1])
    return replace(
        changes,
        answer=lambda index: DocumentReceipt(
            document=document.document, revision=document.revision, receipt=Receipt(index=index, time=time, leaf=leaf)
        ),
    )
