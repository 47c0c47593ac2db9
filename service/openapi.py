"""The OpenAPI 3.1 description: every request, every answer, every problem, each with an example.

FastAPI describes paths and parameters. Bodies are described here, since the service parses them itself, and so are problems,
whose media type is not the framework's.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas import problems
from schemas.messages import (
    AmendMessage,
    ChangeStatusMessage,
    FinancingRequest,
    OverdrawnMessage,
    RegistrationRequest,
    StepsRequest,
    ViewMessage,
)
from schemas.problems import CONTENT_TYPE, Problem, ProblemType

_SCHEMAS = "#/components/schemas/"
_DESCRIBED_HERE: tuple[type[BaseModel], ...] = (
    RegistrationRequest,
    ChangeStatusMessage,
    AmendMessage,
    OverdrawnMessage,
    FinancingRequest,
    StepsRequest,
    ViewMessage,
    Problem,
)

ALWAYS = (problems.INTERNAL, problems.UNAVAILABLE)
"""What any call may be answered."""
OF_BODIES = (problems.MALFORMED, problems.TOO_LARGE, problems.UNSUPPORTED_MEDIA)
"""What any call with a body may be answered."""
OF_WRITES = (*OF_BODIES, problems.KEY_MISSING, problems.KEY_REUSED, problems.IN_FLIGHT)
"""What any write may be answered."""


def problem_answers(*types: ProblemType) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems, and with those that any may."""
    answers: dict[int | str, dict[str, Any]] = {}
    for kind in sorted({*types, *ALWAYS}, key=lambda kind: (kind.status, kind.slug)):
        answer = answers.setdefault(kind.status, {"description": "", "content": {CONTENT_TYPE: {"examples": {}}}})
        answer["description"] = "; ".join(filter(None, [answer["description"], f"`{kind.slug}`: {kind.title}"]))
        content = answer["content"][CONTENT_TYPE]
        content["schema"] = {"$ref": _SCHEMAS + Problem.__name__}
        content["examples"][kind.slug] = {"summary": kind.title, "value": _problem_example(kind)}
    return answers


def _problem_example(kind: ProblemType) -> dict[str, Any]:
    return Problem(
        type=kind.uri,
        title=kind.title,
        title_zh=kind.title_zh,
        status=kind.status,
        detail=kind.advice,
        detail_zh=kind.advice_zh,
    ).model_dump(mode="json")


def success(description: str, example: dict[str, Any], *, replays: bool = False) -> dict[str, Any]:
    """The description and example of a success."""
    answer: dict[str, Any] = {"description": description, "content": {"application/json": {"example": example}}}
    if replays:
        schema = {"type": "string", "const": "true"}
        answer["headers"] = {
            "Idempotency-Replayed": {"description": "present when the answer was given before", "schema": schema}
        }
    return answer


def json_body(model: type[BaseModel], description: str, example: dict[str, Any]) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads this message."""
    content = {"application/json": {"schema": {"$ref": _SCHEMAS + model.__name__}, "example": example}}
    return {"requestBody": {"description": description, "required": True, "content": content}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole description. Made once and kept."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        _, definitions = models_json_schema(
            [(model, "validation") for model in _DESCRIBED_HERE], ref_template=_SCHEMAS + "{model}"
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(definitions["$defs"])
        _drop_framework_problems(document)
        app.openapi_schema = document
    return app.openapi_schema


def _drop_framework_problems(document: dict[str, Any]) -> None:
    """FastAPI describes its own answer to bad parameters, which this service never gives."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    operations = chain.from_iterable(path.values() for path in document["paths"].values())
    for operation in operations:
        answer = operation["responses"].get("422", {})
        if "application/json" in answer.get("content", {}):
            del operation["responses"]["422"]
