"""The generated files are what the code says: JSON Schemas and the OpenAPI description.

A failure is a changed message or route whose description was not written anew (`make schemas`), or a schema that is none. The
schemas' wording is nobody's business here.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from schemas.entries import Drawn, Registered
from tests.builders import ANYBODY, NOW, financing_request, make_draw, make_register, make_world, registration_request
from tradeveil import describe
from zkcore import engine


def test_nothing_drifted() -> None:
    assert describe.drift() == []


@pytest.mark.parametrize("path", sorted((describe.ROOT / "json").glob("*.json")), ids=lambda path: path.stem)
def test_each_schema_is_one(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))


def complaints(schema: str, message: BaseModel) -> list[str]:
    description = json.loads((describe.ROOT / "json" / f"{schema}.json").read_text("utf-8"))
    return [error.message for error in Draft202012Validator(description).iter_errors(message.model_dump(mode="json"))]


def test_real_messages_fit_their_schemas_and_bent_ones_do_not() -> None:
    world = make_world(engine.load())
    document = make_register(world, 1_000)
    registration = registration_request([document])
    financing = financing_request([make_draw(world, document.committed(), 600, consented=True)])
    assert complaints("registration-request", registration) == []
    assert complaints("financing-request", financing) == []
    assert complaints("entry", Registered(time=NOW, body=registration.documents[0])) == []
    assert complaints("entry", Drawn(time=NOW, body=financing.lines[0], caller=ANYBODY)) == []
    assert complaints("financing-request", registration)
    assert complaints("registration-request", registration.model_copy(update={"documents": []}))
    short = registration.documents[0].model_copy(update={"proof": b""})
    assert complaints("registration-request", registration.model_copy(update={"documents": [short]}))
