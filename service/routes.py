"""The calls of the service, each a thin line from HTTP to one named function. Sync functions run in the thread pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from schemas import problems
from schemas.answers import (
    DocumentReceipt,
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
from schemas.entries import Genesis
from schemas.messages import (
    AmendMessage,
    ChangeStatusMessage,
    FinancingRequest,
    OverdrawnMessage,
    RegistrationRequest,
    StepsRequest,
    ViewMessage,
)
from service import committing, examples, reading
from service.bodies import (
    DocumentId,
    JsonBody,
    Sent,
    SentByAttester,
    SentByBank,
    SentByRegulator,
    check_export_token,
    check_same,
    read_message,
)
from service.committing import CommitDesk, Decoded, Submission
from service.idempotency import Answer
from service.openapi import OF_BODIES, OF_WRITES, json_body, problem_answers, success
from service.paging import USUAL_PAGE, PageLength, PageStart
from service.problems import RETRY_AFTER, Refusal
from service.verifier import Verifier

_CREATED = 201

router = APIRouter(prefix="/v1")


async def _verifier(request: Request) -> Verifier:
    # Asynchronous, though it waits for nothing: others are run in a thread each.
    verifier: Verifier = request.app.state.verifier
    return verifier


Service = Annotated[Verifier, Depends(_verifier)]


async def _commit(request: Request, sent: Sent, read: Callable[[Verifier], Decoded]) -> Response:
    """Commit what was sent, once `read` has decoded it. Raises Refusal."""
    verifier: Verifier = request.app.state.verifier
    desk: CommitDesk = request.app.state.desk
    return created(await desk.commit(Submission(sent.key, len(sent.body), lambda: read(verifier))))


_Change = TypeVar("_Change", ChangeStatusMessage, AmendMessage, OverdrawnMessage)


async def _commit_change(
    request: Request, document: bytes, sent: Sent, model: type[_Change], decoded: Callable[[Verifier, _Change], Decoded]
) -> Response:
    """Commit what was sent about the document that the path names. Raises Refusal."""

    def read(verifier: Verifier) -> Decoded:
        message = read_message(model, sent.body)
        check_same(document, message.document, "/document")
        return decoded(verifier, message)

    return await _commit(request, sent, read)


def json_answer(body: bytes, status: int = 200, replayed: bool = False) -> Response:
    """JSON that is encoded already."""
    headers = {"Cache-Control": "no-store", **({"Idempotency-Replayed": "true"} if replayed else {})}
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def found(answer: BaseModel, headers: Mapping[str, str] | None = None) -> Response:
    """What was asked for."""
    response = json_answer(answer.model_dump_json().encode("utf-8"))
    response.headers.update(headers or {})
    return response


def created(answer: Answer) -> Response:
    """What was written, now or before."""
    return json_answer(answer.body, _CREATED, answer.replayed)


@router.get(
    "/parameters",
    summary="What this log is about",
    operation_id="get_parameters",
    tags=["log"],
    response_model=Genesis,
    responses={200: success("The log's first entry, which fixes suite, keys and kinds", examples.GENESIS), **problem_answers()},
)
def get_parameters(service: Service) -> Response:
    """The genesis: check its proofs of possession before you use its keys."""
    return json_answer(service.genesis)


@router.post(
    "/documents",
    summary="Register documents",
    operation_id="register_documents",
    tags=["documents"],
    status_code=_CREATED,
    response_model=RegistrationAnswer,
    responses={
        _CREATED: success("All were registered", examples.REGISTERED, replays=True),
        **problem_answers(*OF_WRITES, problems.PROOF_INVALID, problems.REGISTRATION_REFUSED, problems.ALREADY_EXISTS),
    },
    openapi_extra=json_body(RegistrationRequest, "1 to 100 documents of one attester", examples.REGISTRATION),
)
async def register_documents(request: Request, sent: SentByAttester) -> Response:
    """The attester registers documents with committed limits: all or none."""
    return await _commit(
        request, sent, lambda verifier: committing.registration(verifier, read_message(RegistrationRequest, sent.body))
    )


@router.get(
    "/documents/{id}",
    summary="A document's status",
    operation_id="get_document",
    tags=["documents"],
    response_model=DocumentStatus,
    responses={
        200: success("What whoever knows the id may see", examples.STATUS),
        **problem_answers(problems.MALFORMED, problems.DOCUMENT_UNKNOWN),
    },
)
def get_document(service: Service, document: DocumentId) -> Response:
    """Kind, currency, status, financeable or not. Nothing of draws or headroom."""
    return found(reading.status(service, document))


_OF_CHANGES = problem_answers(*OF_WRITES, problems.DOCUMENT_UNKNOWN, problems.CHANGE_REFUSED, problems.PROOF_INVALID)
_CHANGED = success("The document was changed", examples.DOCUMENT_RECEIPT, replays=True)


@router.post(
    "/documents/{id}/status",
    summary="Say what became of a document",
    operation_id="change_status",
    tags=["documents"],
    status_code=_CREATED,
    response_model=DocumentReceipt,
    responses={_CREATED: _CHANGED, **_OF_CHANGES},
    openapi_extra=json_body(ChangeStatusMessage, "The new status, signed for the document's revision", examples.CHANGE),
)
async def change_status(request: Request, document: DocumentId, sent: SentByAttester) -> Response:
    """The attester clears, freezes or deletes a document, or says that the goods came back. Draws stay as they are."""
    return await _commit_change(request, document, sent, ChangeStatusMessage, committing.status_change)


@router.post(
    "/documents/{id}/amendments",
    summary="Amend a document's limit",
    operation_id="amend_document",
    tags=["documents"],
    status_code=_CREATED,
    response_model=DocumentReceipt,
    responses={_CREATED: _CHANGED, **_OF_CHANGES},
    openapi_extra=json_body(AmendMessage, "The new limit, proven for the document's revision", examples.AMENDMENT),
)
async def amend_document(request: Request, document: DocumentId, sent: SentByAttester) -> Response:
    """The attester commits to another limit. Where more is drawn already, nothing can be drawn until that is mended."""
    return await _commit_change(request, document, sent, AmendMessage, committing.amendment)


@router.post(
    "/documents/{id}/overdrawn",
    summary="Show that a document is overdrawn",
    operation_id="show_overdrawn",
    tags=["documents"],
    status_code=_CREATED,
    response_model=DocumentReceipt,
    responses={
        _CREATED: success("It is marked as overdrawn until something changes", examples.DOCUMENT_RECEIPT, replays=True),
        **problem_answers(*OF_WRITES, problems.DOCUMENT_UNKNOWN, problems.ALREADY_EXISTS, problems.PROOF_INVALID),
    },
    openapi_extra=json_body(OverdrawnMessage, "The regulator's proof for the document's head", examples.OVERDRAWN),
)
async def show_overdrawn(request: Request, document: DocumentId, sent: SentByRegulator) -> Response:
    """The regulator shows that more is drawn than the limit, and not how much more."""
    return await _commit_change(request, document, sent, OverdrawnMessage, committing.overdrawn)


@router.get(
    "/documents/{id}/notice",
    summary="The attester's notice for the owner",
    operation_id="get_notice",
    tags=["documents"],
    response_model=OwnerNotice,
    responses={
        200: success("The sealed memo", examples.NOTICE),
        **problem_answers(problems.MALFORMED, problems.DOCUMENT_UNKNOWN),
    },
)
def get_notice(service: Service, document: DocumentId) -> Response:
    """A sealed memo that the owner alone can open. A wallet restored from its seed finds its documents by it."""
    return found(reading.notice(service, document))


@router.post(
    "/documents/{id}/view",
    summary="A document's private state",
    operation_id="view_document",
    tags=["documents"],
    response_model=DocumentView,
    responses={
        200: success("Residual, head and all entries of the document", examples.PRIVATE_STATE),
        **problem_answers(*OF_BODIES, problems.DOCUMENT_UNKNOWN, problems.EXPIRED, problems.ALREADY_EXISTS),
    },
    openapi_extra=json_body(ViewMessage, "A proof of knowledge of the reader's key, fresh and used once", examples.VIEW),
)
def view_document(service: Service, document: DocumentId, body: JsonBody) -> Response:
    """For whoever proves to be the owner or the regulator; everybody else is told that there is no such document."""
    message = read_message(ViewMessage, body)
    check_same(document, message.document, "/document")
    return found(reading.view(service, message))


@router.post(
    "/financings",
    summary="Verify and commit a financing",
    operation_id="commit_financing",
    tags=["financings"],
    status_code=_CREATED,
    response_model=FinancingAnswer,
    responses={
        _CREATED: success("All draws were committed", examples.FINANCED, replays=True),
        **problem_answers(
            *OF_WRITES,
            problems.DOCUMENT_REPEATED,
            problems.DOCUMENT_UNKNOWN,
            problems.DRAW_UNKNOWN,
            problems.EXPIRED,
            problems.RESERVATION_TOO_LONG,
            problems.DOCUMENT_NOT_FINANCEABLE,
            problems.APPLICATION_REFUSED,
            problems.MOVE_REFUSED,
            problems.PROOF_INVALID,
            problems.CONSENT_INVALID,
            problems.CONSENT_USED,
            problems.ALREADY_EXISTS,
            problems.HEADROOM_NOT_PROVEN,
            problems.BLOCKED_ON_DOCUMENT,
            problems.LIMIT_REACHED,
        ),
    },
    openapi_extra=json_body(
        FinancingRequest, "1 to 100 draws on as many documents; `consent` and `moves` are null unless used", examples.FINANCING
    ),
)
async def commit_financing(request: Request, sent: SentByBank) -> Response:
    """Every draw with the bank's draft and the headroom proof that answers it: all or none are committed."""
    return await _commit(
        request,
        sent,
        lambda verifier: committing.financing(verifier, sent.caller, sent.key, read_message(FinancingRequest, sent.body)),
    )


@router.post(
    "/steps",
    summary="Take the steps of a financing",
    operation_id="take_steps",
    tags=["financings"],
    status_code=_CREATED,
    response_model=StepsAnswer,
    responses={
        _CREATED: success("All steps were taken", examples.STEPPED, replays=True),
        **problem_answers(
            *OF_WRITES,
            problems.DOCUMENT_REPEATED,
            problems.DOCUMENT_UNKNOWN,
            problems.DRAW_UNKNOWN,
            problems.ALREADY_EXISTS,
            problems.EXPIRED,
            problems.WRONG_STAGE,
            problems.PROOF_INVALID,
            problems.CONSENT_INVALID,
        ),
    },
    openapi_extra=json_body(
        StepsRequest,
        "1 to 100 steps, each of another draw on another document: an application, a decision about one, a disbursement, a "
        "reduction (release, repayment, write-off) or the end of a draw, proven for the head of the draw or application",
        examples.STEPS,
    ),
)
async def take_steps(request: Request, sent: SentByBank) -> Response:
    """What happens to a financing before and after its draws: all steps or none are taken.

    Whether a reduction gives headroom back depends on its reason and on the document's kind.
    """
    return await _commit(
        request, sent, lambda verifier: committing.steps(verifier, sent.caller, read_message(StepsRequest, sent.body))
    )


@router.get(
    "/entries",
    summary="Export the log",
    operation_id="export_entries",
    tags=["log"],
    dependencies=[Depends(check_export_token)],
    response_model=EntriesPage,
    responses={
        200: success("A page of entries in order", examples.PAGE),
        **problem_answers(problems.MALFORMED, problems.UNAUTHORISED),
    },
)
def export_entries(
    service: Service,
    start: PageStart = 0,
    limit: PageLength = USUAL_PAGE,
) -> Response:
    """For auditors. `from` counts entries. `next` says where the following page starts, or is null at the end."""
    return found(reading.export(service, start, limit))


@router.get(
    "/health",
    summary="Whether the process is alive",
    operation_id="get_health",
    tags=["operations"],
    response_model=Health,
    responses={200: success("It is", examples.HEALTH), **problem_answers()},
)
async def get_health(service: Service) -> Response:
    """Asks nobody, not even the database: start the process anew when this fails, and not when the database does."""
    return found(reading.health(service))


@router.get(
    "/ready",
    summary="Whether the service can work now",
    operation_id="get_ready",
    tags=["operations"],
    response_model=Ready,
    responses={200: success("It can", examples.READY), **problem_answers()},
)
def get_ready(request: Request, service: Service) -> Response:
    """Asks the database. 503 without it, and while the service is about to stop: send requests elsewhere for that time."""
    if request.app.state.draining:
        raise Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER)
    return found(reading.ready(service))
