"""The description says what the service does: every route, every answer, every problem, with examples of the right form."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from schemas import answers, authenticity, callers, messages, problems
from schemas.entries import Genesis
from schemas.problems import CONTENT_TYPE
from service.app import openapi_document
from service.authenticity.routes import router as authenticity_router
from service.batches.routes import router as batches_router
from service.institutions.routes import router as institutions
from service.reference import routes as reference
from service.routes import router
from tests.service.harness import Desk

DOCUMENT = openapi_document()
OPERATIONS = [(method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()]
IDS = [operation["operationId"] for _, _, operation in OPERATIONS]
UNREACHABLE = {problems.METHOD_NOT_ALLOWED.slug}
"""Answers to methods that the description does not have."""


def model(reference: dict[str, str]) -> type[BaseModel]:
    """The message that a reference names."""
    name = reference["$ref"].removeprefix("#/components/schemas/")
    modules = (answers, messages, problems, callers, authenticity)
    known: dict[str, Any] = {name: item for module in modules for name, item in vars(module).items()}
    known |= {"Genesis": Genesis}
    found: type[BaseModel] = known[name]
    return found


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        inner = set().union(*(references(item) for item in value.values()))
        return inner | ({value["$ref"]} if isinstance(value.get("$ref"), str) else set())
    return set().union(*(references(item) for item in value)) if isinstance(value, list) else set()


def test_it_is_openapi_3_1_and_is_served(desk: Desk) -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert desk.get("/openapi.json").json() == DOCUMENT


def test_every_route_is_described() -> None:
    areas = (router, batches_router, institutions, authenticity_router, reference.router)
    found = [route for area in areas for route in area.routes if isinstance(route, APIRoute)]
    routes = {(route.path, method.lower()) for route in found for method in route.methods or ()}
    assert routes == {(path, method) for method, path, _ in OPERATIONS}
    assert len(set(IDS)) == len(IDS) == 26


def test_names_are_snake_case() -> None:
    assert all(name.isascii() and name == name.lower() and "-" not in name for name in IDS)


@pytest.mark.parametrize("operation", [operation for _, _, operation in OPERATIONS], ids=IDS)
def test_every_answer_is_described_with_an_example(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    successes = [status for status in operation["responses"] if status.startswith("2")]
    assert len(successes) == 1
    for status, answer in operation["responses"].items():
        assert answer["description"]
        streams = "text/event-stream" in answer["content"]
        media = CONTENT_TYPE if status not in successes else "text/event-stream" if streams else "application/json"
        assert list(answer["content"]) == [media]
        if streams:
            data = answer["content"][media]["example"].split("data: ")[1].split("\n")[0]
            answers.BatchProgress.model_validate_json(data)
            continue
        content = answer["content"][media]
        form = model(content["schema"])
        examples = [content["example"]] if status in successes else [item["value"] for item in content["examples"].values()]
        assert examples
        for example in examples:
            form.model_validate(example)


@pytest.mark.parametrize("operation", [operation for _, _, operation in OPERATIONS], ids=IDS)
def test_every_body_is_described_with_an_example(operation: dict[str, Any]) -> None:
    if "requestBody" not in operation:
        return
    body = operation["requestBody"]
    assert body["required"]
    ((media, content),) = body["content"].items()
    if media == "application/x-ndjson":
        for line in content["example"].splitlines():
            model(content["schema"]["contentSchema"]).model_validate_json(line)
        return
    assert media == "application/json"
    model(content["schema"]).model_validate(content["example"])


def test_every_reference_leads_somewhere() -> None:
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert references(DOCUMENT) <= known
    assert "HTTPValidationError" not in str(DOCUMENT)


def test_every_problem_of_the_list_is_somewhere() -> None:
    described = {
        slug
        for _, _, operation in OPERATIONS
        for answer in operation["responses"].values()
        for slug in answer["content"].get(CONTENT_TYPE, {}).get("examples", {})
    }
    assert described == {kind.slug for kind in problems.ALL} - UNREACHABLE


def test_writes_need_a_key_and_say_when_they_replay() -> None:
    for _, path, operation in OPERATIONS:
        headers = [item for item in operation.get("parameters", []) if item["in"] == "header"]
        written = next((operation["responses"][status] for status in ("201", "202") if status in operation["responses"]), {})
        if path.endswith("/events"):
            assert [item["name"] for item in headers] == ["Last-Event-ID"]
            continue
        assert [item["name"] for item in headers] == (["Idempotency-Key"] if written else []), path
        assert all(item["required"] for item in headers)
        assert ("Idempotency-Replayed" in written.get("headers", {})) == bool(written)


def test_the_export_is_behind_a_bearer_token() -> None:
    assert secured("HTTPBearer") == {("get", "/v1/entries"), ("get", "/v1/alerts")}


def test_every_write_is_signed() -> None:
    """And what is counted for a caller, is an attester's to say, or is a caller's own, though it needs no Idempotency-Key."""
    writes = {(method, path) for method, path, operation in OPERATIONS if "201" in operation["responses"]}
    writes |= {("post", path) for path in ("/v1/evaluations", "/v1/credentials", "/v1/credentials/lookups")}
    batches = {("post", "/v1/batches"), ("get", "/v1/batches/{id}"), ("get", "/v1/batches/{id}/events")}
    assert secured("RequestSignature") == writes | batches
    assert DOCUMENT["components"]["securitySchemes"]["RequestSignature"]["scheme"] == "signature"


def secured(scheme: str) -> set[tuple[str, str]]:
    """The operations that need this and nothing else."""
    return {(method, path) for method, path, operation in OPERATIONS if operation.get("security") == [{scheme: []}]}
