"""The description says what the service does: every route, every answer, every problem, with examples of the right form."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from schemas import answers, messages, problems
from schemas.entries import Genesis
from schemas.problems import CONTENT_TYPE, Problem
from service.app import openapi_document
from service.routes import router
from tests.service.harness import Desk

DOCUMENT = openapi_document()
OPERATIONS = [(method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()]
IDS = [operation["operationId"] for _, _, operation in OPERATIONS]
UNREACHABLE = {problems.NOT_FOUND.slug, problems.METHOD_NOT_ALLOWED.slug}
"""Answers to addresses and methods that the description does not have."""


def model(reference: dict[str, str]) -> type[BaseModel]:
    """The message that a reference names."""
    name = reference["$ref"].removeprefix("#/components/schemas/")
    known: dict[str, Any] = {**vars(answers), **vars(messages), "Genesis": Genesis, "Problem": Problem}
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
    found = [route for route in router.routes if isinstance(route, APIRoute)]
    routes = {(route.path, method.lower()) for route in found for method in route.methods or ()}
    assert routes == {(path, method) for method, path, _ in OPERATIONS}
    assert len(set(IDS)) == len(IDS) == 12


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
        media = "application/json" if status in successes else CONTENT_TYPE
        assert list(answer["content"]) == [media]
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
    content = body["content"]["application/json"]
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
        writes = "201" in operation["responses"]
        assert [item["name"] for item in headers] == (["Idempotency-Key"] if writes else []), path
        assert all(item["required"] for item in headers)
        assert ("Idempotency-Replayed" in operation["responses"].get("201", {}).get("headers", {})) == writes


def test_the_export_is_behind_a_bearer_token() -> None:
    secured = [path for _, path, operation in OPERATIONS if operation.get("security")]
    assert secured == ["/v1/entries"]
