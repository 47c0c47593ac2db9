"""The calls of authenticity, each a thin line from HTTP to one named function."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from schemas import problems
from schemas.authenticity import (
    EvaluationAnswer,
    EvaluationKeys,
    EvaluationRequest,
    LookupAnswer,
    LookupRequest,
    PublicationAnswer,
    PublicationRequest,
    StatusesAnswer,
    StatusesRequest,
)
from service import examples, reading
from service.authenticity import answering
from service.authenticity.answering import Authenticity
from service.bodies import JsonBody, read_message
from service.institutions.caller import Attester, Bank, Evaluator
from service.openapi import OF_BODIES, OF_SIGNED, json_body, problem_answers, success
from service.routes import Service, found

router = APIRouter(prefix="/v1")


async def _authenticity(request: Request) -> Authenticity:
    # Asynchronous, though it waits for nothing: others are run in a thread each.
    authenticity: Authenticity = request.app.state.authenticity
    return authenticity


Work = Annotated[Authenticity, Depends(_authenticity)]


@router.get(
    "/evaluation-keys",
    summary="Keys of evaluations",
    operation_id="get_evaluation_keys",
    tags=["authenticity"],
    response_model=EvaluationKeys,
    responses={200: success("Every epoch, in order", examples.EVALUATION_KEYS), **problem_answers()},
)
def get_evaluation_keys(work: Work) -> Response:
    """Keep what you see: the key of an epoch never changes. Use the last epoch without `until`."""
    return found(answering.keys(work))


@router.post(
    "/evaluations",
    summary="Evaluate blinded elements",
    operation_id="evaluate",
    tags=["authenticity"],
    response_model=EvaluationAnswer,
    responses={
        200: success("Evaluated elements and one proof", examples.EVALUATED),
        **problem_answers(*OF_BODIES, *OF_SIGNED, problems.EVALUATION_EPOCH, problems.BUDGET_SPENT),
    },
    openapi_extra=json_body(
        EvaluationRequest, "1 to 10,000 elements of P-256, two for each paper", examples.EVALUATION, repeatable=True
    ),
)
def evaluate(work: Work, caller: Evaluator, body: JsonBody) -> Response:
    """RFC 9497, P256-SHA256, mode VOPRF. The service cannot tell what was blinded; check the proof before you use anything."""
    return found(answering.evaluation(work, caller, read_message(EvaluationRequest, body)))


@router.post(
    "/credentials",
    summary="Publish sealed records",
    operation_id="publish_credentials",
    tags=["authenticity"],
    response_model=PublicationAnswer,
    responses={
        200: success("All are stored", examples.PUBLISHED),
        **problem_answers(*OF_BODIES, *OF_SIGNED, problems.EVALUATION_EPOCH, problems.RECORD_REPEATED),
    },
    openapi_extra=json_body(
        PublicationRequest, "1 to 500 records of one epoch, no token twice", examples.PUBLICATION, repeatable=True
    ),
)
def publish_credentials(work: Work, caller: Attester, body: JsonBody) -> Response:
    """From an attester. Sent again it changes nothing; another record under the same token replaces the one before."""
    return found(answering.publication(work, read_message(PublicationRequest, body)))


@router.post(
    "/credentials/lookups",
    summary="Find sealed records",
    operation_id="look_up_credentials",
    tags=["authenticity"],
    response_model=LookupAnswer,
    responses={
        200: success("Something for every token", examples.LOOKED_UP),
        **problem_answers(*OF_BODIES, *OF_SIGNED, problems.EVALUATION_EPOCH, problems.BUDGET_SPENT),
    },
    openapi_extra=json_body(LookupRequest, "1 to 5,000 tokens of one epoch", examples.LOOKUP, repeatable=True),
)
def look_up_credentials(work: Work, caller: Bank, body: JsonBody) -> Response:
    """An unknown token finds noise of a record's size, always the same: only the right key tells it from a record."""
    return found(answering.lookup(work, caller, read_message(LookupRequest, body)))


@router.post(
    "/statuses",
    summary="The status of many documents",
    operation_id="get_statuses",
    tags=["documents"],
    response_model=StatusesAnswer,
    responses={200: success("Of those that there are", examples.STATUSES), **problem_answers(*OF_BODIES)},
    openapi_extra=json_body(StatusesRequest, "1 to 5,000 random ids", examples.STATUSES_ASKED, repeatable=True),
)
def get_statuses(service: Service, body: JsonBody) -> Response:
    """As for one document, for whoever knows the ids. An id that is no document's is left out."""
    return found(reading.statuses(service, read_message(StatusesRequest, body).documents))
