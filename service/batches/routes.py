"""The calls of batches."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from schemas import problems
from schemas.answers import MAXIMUM_BATCH, BatchAccepted, BatchLine, BatchPage, BatchProgress, FinancingAnswer
from schemas.languages import Language
from schemas.messages import FinancingRequest
from schemas.problems import Problem
from schemas.wire import Identifier
from service import examples
from service.batches.reading import LinesSentByBank, SentLines
from service.batches.storage import BatchStorage, Outcome, Progress
from service.batches.worker import BatchWorker
from service.idempotency import Answer
from service.institutions.caller import Bank
from service.institutions.registry import Caller
from service.openapi import OF_SIGNED, OF_WRITES, lines_body, problem_answers, success
from service.paging import USUAL_PAGE, PageLength, PageStart, digits_only
from service.problems import RETRY_AFTER, Refusal, in_language, language_of
from service.routes import Service, found, json_answer
from service.storage import Moved, Wanted
from service.verifier import Verifier

_ACCEPTED = 202
_ATTEMPTS = 3
_LOOK_EVERY = 0.2
LONGEST_STREAM = 20.0
"""Seconds after which a stream of events ends and is to be resumed: shorter than the grace in which a service stops."""

router = APIRouter(prefix="/v1/batches", tags=["batches"])
BatchId = Annotated[Identifier, Path(alias="id", description="as the batch was accepted", examples=[examples.BATCH["batch"]])]


def _progress(service: Verifier, batch: bytes, caller: Caller) -> Progress:
    """Raises Refusal alike for a batch that is not there and one that is somebody else's."""
    progress = BatchStorage(service.storage).progress(batch, service.institutions.owner(caller, batch))
    if progress is None:
        raise Refusal(problems.BATCH_UNKNOWN)
    return progress


@router.post(
    "",
    summary="Commit many financings",
    operation_id="commit_batch",
    status_code=_ACCEPTED,
    response_model=BatchAccepted,
    responses={
        _ACCEPTED: success("The batch is kept, and will be worked off", examples.BATCH, replays=True),
        **problem_answers(*OF_WRITES, problems.UNSUPPORTED_MEDIA),
    },
    openapi_extra=lines_body(
        FinancingRequest, f"1 to {MAXIMUM_BATCH} lines, each a financing as JSON without line breaks", examples.FINANCING
    ),
)
def commit_batch(request: Request, service: Service, sent: LinesSentByBank) -> Response:
    """Every line is a financing of its own: all of its draws are committed or none, whatever becomes of the others. The lines
    are not in order among each other: of two that draw on one document, the proof of one can hold. Ask for the answers, or
    listen to the progress, by the batch's id."""
    answer = _accept(service, sent)
    worker: BatchWorker = request.app.state.batches
    worker.wake()
    return json_answer(answer.body, _ACCEPTED, answer.replayed)


def _accept(service: Verifier, sent: SentLines) -> Answer:
    caller, key, lines = sent.caller, sent.key, sent.lines
    with service.in_flight.held(key):
        for _ in range(_ATTEMPTS):
            answered = service.storage.look(key, Wanted()).answer
            if answered is not None:
                return answered
            batch = secrets.token_bytes(32)
            owner = service.institutions.owner(caller, batch)
            body = BatchAccepted(batch=batch, total=len(lines)).model_dump_json().encode("utf-8")
            try:
                return BatchStorage(service.storage).accept(key, batch, owner, caller.key, lines, service.clock(), body)
            except Moved:
                continue
    raise Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER)


@router.get(
    "/{id}",
    summary="The answers of a batch",
    operation_id="get_batch",
    response_model=BatchPage,
    responses={
        200: success("A page of answers in the order of the lines", examples.BATCH_PAGE),
        **problem_answers(*OF_SIGNED, problems.MALFORMED, problems.BATCH_UNKNOWN),
    },
)
def get_batch(
    service: Service,
    request: Request,
    batch: BatchId,
    caller: Bank,
    start: PageStart = 0,
    limit: PageLength = USUAL_PAGE,
) -> Response:
    """`from` counts lines. Up to the first line that is not decided yet: `next` is where to go on, now or later, or null."""
    progress = _progress(service, batch, caller)
    outcomes = BatchStorage(service.storage).outcomes(batch, start, limit)
    following = start + len(outcomes)
    language = language_of(request.scope)
    page = BatchPage(
        batch=batch,
        total=progress.total,
        done=progress.done,
        failed=progress.failed,
        lines=[_line(outcome, language) for outcome in outcomes],
        next=following if following < progress.total else None,
    )
    return found(page, in_language(language))


def _line(outcome: Outcome, language: Language) -> BatchLine:
    """The answer to a line. A problem is kept in English, and told in the language that is asked for."""
    answer = FinancingAnswer.model_validate_json(outcome.body) if outcome.accepted else None
    problem = None if outcome.accepted else Problem.model_validate_json(outcome.body).in_language(language)
    return BatchLine(line=outcome.line, answer=answer, problem=problem)


def _known(service: Service, batch: BatchId, caller: Bank) -> Progress:
    return _progress(service, batch, caller)


Known = Annotated[Progress, Depends(_known)]
"""Asked before a stream is begun: afterwards it is too late for a problem document."""

LastEvent = Annotated[
    int, digits_only, Header(alias="Last-Event-ID", ge=0, le=MAXIMUM_BATCH, description="Lines decided when last heard of.")
]


@router.get(
    "/{id}/events",
    summary="The progress of a batch",
    operation_id="follow_batch",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "Server-sent events `progress`, each a BatchProgress; its id is how many lines are decided",
            "content": {"text/event-stream": {"example": examples.BATCH_EVENT}},
        },
        **problem_answers(*OF_SIGNED, problems.MALFORMED, problems.BATCH_UNKNOWN),
    },
)
async def follow_batch(
    service: Service, batch: BatchId, caller: Bank, known: Known, last: LastEvent = 0
) -> AsyncIterator[ServerSentEvent]:
    """An event whenever more lines are decided, and the end of the stream when all are. A stream lasts 20 seconds at most: what
    follows is resumed with Last-Event-ID, as browsers do by themselves."""
    progress, told, until = known, last, time.monotonic() + LONGEST_STREAM
    while True:
        finished = progress.done >= progress.total
        if progress.done > told or finished:
            told = progress.done
            data = BatchProgress(total=progress.total, done=progress.done, failed=progress.failed)
            yield ServerSentEvent(raw_data=data.model_dump_json(), event="progress", id=str(told), retry=1_000)
        if finished or time.monotonic() > until:
            return
        await asyncio.sleep(_LOOK_EVERY)
        progress = await to_thread.run_sync(_progress, service, batch, caller)
