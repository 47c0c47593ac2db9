"""The list of problem types, so that the `type` of a refusal can be looked up at the service that refused."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from schemas import problems
from schemas.languages import Language
from schemas.problems import ProblemDescription, ProblemList, ProblemType
from schemas.wire import Message
from service import examples
from service.openapi import occurrences, problem_answers, success
from service.problems import Refusal, in_language, language_of

router = APIRouter(prefix="/v1")

_KNOWN = {kind.slug: kind for kind in problems.ALL}
Slug = Annotated[str, Path(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=64, examples=[problems.HEADROOM_NOT_PROVEN.slug])]


@router.get(
    "/problems",
    summary="Every problem type",
    operation_id="list_problems",
    tags=["reference"],
    response_model=ProblemList,
    responses={200: success("The closed list", examples.PROBLEMS, texts=True), **problem_answers()},
)
async def list_problems(request: Request) -> Response:
    """All that the service can answer that is not a success, in the language of Accept-Language."""
    language = language_of(request.scope)
    described = [_described(request, kind, language) for kind in problems.ALL]
    return _answer(ProblemList(problems=described), language)


@router.get(
    "/problems/{slug}",
    summary="One problem type",
    operation_id="get_problem",
    tags=["reference"],
    response_model=ProblemDescription,
    responses={
        200: success("The type that a problem's `type` ends with", examples.PROBLEM, texts=True),
        **problem_answers(problems.MALFORMED, problems.NOT_FOUND),
    },
)
async def get_problem(request: Request, slug: Slug) -> Response:
    """What it means, where it occurs, what to do, and whether sending again helps."""
    kind = _KNOWN.get(slug)
    if kind is None:
        raise Refusal(problems.NOT_FOUND)
    language = language_of(request.scope)
    return _answer(_described(request, kind, language), language)


def _described(request: Request, kind: ProblemType, language: Language) -> ProblemDescription:
    return ProblemDescription.of(kind, occurrences(request.app.openapi()).get(kind.slug, ()), language)


def _answer(message: Message, language: Language) -> Response:
    headers = {"Cache-Control": "no-cache", **in_language(language)}
    return Response(message.model_dump_json(), headers=headers, media_type="application/json")
