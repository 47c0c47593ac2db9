"""The generated client says what the description says, and every operation can be called through it.

Must hold: the module is what the generator writes; each operation with a message for an answer is a method, typed by the
messages of schemas/; over the real application every one succeeds, and every refusal is raised. A failure would be an operation
that a bank cannot call, or one that it repeats though it does harm. Not a failure: operations that answer no message.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from parties.common import api
from parties.common.api import Api
from parties.common.calls import A, Call, Send
from parties.common.client import Backoff, ServiceClient
from parties.common.errors import ServiceRefused
from schemas import problems
from schemas.messages import CloseMessage, ReduceMessage, ViewMessage
from service.app import create_app, openapi_document
from service.genesis import store
from service.settings import Settings
from service.storage import open_storage
from tests.builders import (
    NOW,
    World,
    financing_request,
    make_close,
    make_draw,
    make_reduce,
    make_register,
    make_view,
    make_world,
    registration_request,
)
from tradeveil.describing.client_code import Inexpressible, client_code
from zkcore import engine

TOKEN = "t" * 40
DOCUMENT = openapi_document()
OPERATIONS = {operation["operationId"]: operation for path in DOCUMENT["paths"].values() for operation in path.values()}


class Noting:
    """Sends as the parties' client does, and notes what was sent."""

    def __init__(self, send: Send) -> None:
        self.calls: list[Call] = []
        self._send = send

    def __call__(self, call: Call, form: type[A]) -> A:
        self.calls.append(call)
        return self._send(call, form)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(engine.load())


@pytest.fixture
def noting(world: World, tmp_path: Path) -> Iterator[Noting]:
    database = f"sqlite:///{tmp_path / 'service.db'}"
    storage = open_storage(database, world.suite.group, 1)
    store(storage, world.genesis)
    storage.close()
    with TestClient(create_app(Settings(database, TOKEN), world.suite, lambda: NOW)) as http:
        yield Noting(ServiceClient(http, Backoff(())).send)


def test_every_operation_is_called(noting: Noting, world: World) -> None:
    client, keys = Api(noting), iter(f"a-key-for-request-{number}" for number in range(9))
    assert client.get_parameters() == world.genesis
    new = make_register(world, 500)
    receipt = client.register_documents(registration_request([new]), idempotency_key=next(keys)).receipts[0]
    paper = new.committed(receipt.leaf)
    document = paper.state.document
    assert client.get_document(document).financeable
    assert client.get_notice(document).document == document
    assert client.view_document(document, ViewMessage.of(make_view(world, paper))).draws == 0
    made = make_draw(world, paper, 200)
    drawn = client.commit_financing(financing_request([made]), idempotency_key=next(keys)).draws[0]
    paper, loan = made.committed(drawn.receipt.leaf)
    reduction = make_reduce(world, paper, loan, 200)
    draw = loan.state.draw
    reduced = client.reduce_draw(draw, ReduceMessage.of(reduction.operation), idempotency_key=next(keys))
    paper, loan = reduction.committed(world, paper, loan, reduced.receipt.leaf)
    client.close_draw(draw, CloseMessage.of(make_close(world, paper, loan)), idempotency_key=next(keys))
    assert [item.index for item in client.export_entries(1, 2, token=TOKEN).entries] == [1, 2]
    assert client.get_health().status == "ok"
    assert client.get_ready().entries == 5
    slug = client.list_problems().problems[0].slug
    assert client.get_problem(slug).slug == slug
    assert {call.operation for call in noting.calls} == OPERATIONS.keys()
    assert {call.operation for call in noting.calls if not call.repeatable} == {"view_document"}


def test_a_refusal_is_raised(noting: Noting) -> None:
    with pytest.raises(ServiceRefused) as caught:
        Api(noting).export_entries(token="wrong")
    assert caught.value.slug == problems.UNAUTHORISED.slug
    assert "wrong" not in repr(noting.calls)


def test_every_operation_is_a_typed_method() -> None:
    methods = {name: function for name, function in inspect.getmembers(Api, inspect.isfunction) if not name.startswith("_")}
    assert methods.keys() == OPERATIONS.keys()
    for name, function in methods.items():
        answer = inspect.get_annotations(function, eval_str=True)["return"]
        assert issubclass(answer, BaseModel), name
        success = next(item for status, item in OPERATIONS[name]["responses"].items() if status.startswith("2"))
        assert success["content"]["application/json"]["schema"]["$ref"].endswith(f"/{answer.__name__}")


def test_the_module_is_what_the_generator_writes() -> None:
    assert inspect.getsource(api) == client_code(DOCUMENT)


def changed(**change: Any) -> dict[str, Any]:
    """The description with another form of the parameter `limit`."""
    document = copy.deepcopy(DOCUMENT)
    (limit,) = (item for item in document["paths"]["/v1/entries"]["get"]["parameters"] if item["name"] == "limit")
    limit |= change
    return document


def test_what_cannot_be_said_is_told() -> None:
    with pytest.raises(Inexpressible, match="limit"):
        client_code(changed(schema={"type": "array"}))
    with pytest.raises(Inexpressible, match="has no default"):
        client_code(changed(schema={"type": "integer"}))
    document = copy.deepcopy(DOCUMENT)
    document["paths"]["/v1/health"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"] += "ier"
    with pytest.raises(Inexpressible, match="Healthier"):
        client_code(document)


def test_streams_are_named_and_left_out() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["paths"]["/v1/health"]["get"]["responses"]["200"]["content"] = {"text/event-stream": {}}
    source = client_code(document)
    assert "Without a method, since their answers are no messages: get_health." in source
    assert "def get_health" not in source
    compile(source, "api.py", "exec")
