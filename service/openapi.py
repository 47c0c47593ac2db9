"""The OpenAPI 3.1 description: every request, every answer, every problem, each with an example.

FastAPI describes paths and parameters. Bodies are described here, since the service parses them itself, and so are problems,
whose media type is not the framework's.
"""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas import problems
from schemas.answers import BatchProgress
from schemas.authenticity import EvaluationRequest, LookupRequest, PublicationRequest, StatusesRequest
from schemas.callers import AlertMessage, RequestKeyChange
from schemas.languages import CHINESE, ENGLISH
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
    EvaluationRequest,
    PublicationRequest,
    LookupRequest,
    StatusesRequest,
    RequestKeyChange,
    AlertMessage,
    Problem,
    BatchProgress,
)

ALWAYS = (problems.INTERNAL, problems.UNAVAILABLE)
"""What any call may be answered."""
OF_BODIES = (problems.MALFORMED, problems.TOO_LARGE, problems.UNSUPPORTED_MEDIA)
"""What any call with a body may be answered."""
OF_SIGNED = (problems.SIGNATURE_INVALID, problems.NOT_PERMITTED, problems.RATE_LIMITED)
"""What any signed request may be answered."""
OF_WRITES = (*OF_BODIES, *OF_SIGNED, problems.KEY_MISSING, problems.KEY_REUSED, problems.IN_FLIGHT)
"""What any write may be answered."""


_OF_KEYS = "Fresh and random for every new request. Sent again with the same bytes, the request is answered as before."
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": _OF_KEYS,
    "schema": {
        "type": "string",
        "pattern": "^[A-Za-z0-9_-]{16,64}$",
        "title": "Idempotency-Key",
        "description": _OF_KEYS,
        "examples": ["8vVYc2m0Tn6Jt1oQWb3fXg"],
    },
}
"""The header of every write, which is read after its signature: nobody is told of anything else before."""

_OF_TEXTS = {
    "Content-Language": {"description": "the language of its texts", "schema": {"type": "string", "enum": [ENGLISH, CHINESE]}}
}


def problem_answers(*types: ProblemType) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems, and with those that any may."""
    answers: dict[int | str, dict[str, Any]] = {}
    for kind in sorted({*types, *ALWAYS}, key=lambda kind: (kind.status, kind.slug)):
        answer = answers.setdefault(
            kind.status, {"description": "", "headers": _OF_TEXTS, "content": {CONTENT_TYPE: {"examples": {}}}}
        )
        answer["description"] = "; ".join(filter(None, [answer["description"], f"`{kind.slug}`: {kind.title}"]))
        content = answer["content"][CONTENT_TYPE]
        content["schema"] = {"$ref": _SCHEMAS + Problem.__name__}
        content["examples"][kind.slug] = {"summary": kind.title, "value": Problem.of(kind).model_dump(mode="json")}
    return answers


def success(description: str, example: dict[str, Any], *, replays: bool = False, texts: bool = False) -> dict[str, Any]:
    """The description and example of a success. `texts`: it has texts for people, in one language or the other."""
    answer: dict[str, Any] = {"description": description, "content": {"application/json": {"example": example}}}
    if texts:
        answer["headers"] = _OF_TEXTS
    if replays:
        schema = {"type": "string", "const": "true"}
        answer["headers"] = {
            "Idempotency-Replayed": {"description": "present when the answer was given before", "schema": schema}
        }
    return answer


def json_body(model: type[BaseModel], description: str, example: dict[str, Any], *, repeatable: bool = False) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads this message. `repeatable`: sent again, it does no harm, without any key."""
    content = {"application/json": {"schema": {"$ref": _SCHEMAS + model.__name__}, "example": example}}
    body = {"requestBody": {"description": description, "required": True, "content": content}}
    return {**body, "x-repeatable": True} if repeatable else body


def lines_body(model: type[BaseModel], description: str, example: dict[str, Any]) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads such a message from each line."""
    schema = {
        "type": "string",
        "contentMediaType": "application/x-ndjson",
        "contentSchema": {"$ref": _SCHEMAS + model.__name__},
    }
    content = {"application/x-ndjson": {"schema": schema, "example": json.dumps(example, separators=(",", ":")) + "\n"}}
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
        _describe_keys(document)
        app.openapi_schema = document
    return app.openapi_schema


def occurrences(document: dict[str, Any]) -> dict[str, list[str]]:
    """The operationIds that may answer each problem, by its slug."""
    found: dict[str, list[str]] = {}
    for operation in chain.from_iterable(path.values() for path in document["paths"].values()):
        for answer in operation["responses"].values():
            for slug in answer["content"].get(CONTENT_TYPE, {}).get("examples", {}):
                found.setdefault(slug, []).append(operation["operationId"])
    return found


def _describe_keys(document: dict[str, Any]) -> None:
    """Whatever may lack a key takes one."""
    keyed = set(occurrences(document)[problems.KEY_MISSING.slug])
    for operation in chain.from_iterable(path.values() for path in document["paths"].values()):
        if operation["operationId"] in keyed:
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)


def _drop_framework_problems(document: dict[str, Any]) -> None:
    """FastAPI describes its own answer to bad parameters, which this service never gives."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    operations = chain.from_iterable(path.values() for path in document["paths"].values())
    for operation in operations:
        answer = operation["responses"].get("422", {})
        if "application/json" in answer.get("content", {}):
            del operation["responses"]["422"]
