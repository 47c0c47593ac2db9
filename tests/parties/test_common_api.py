"""The generated client says what the description says, and every operation can be called through it.

Must hold: the module is what the generator writes; each operation with a message for an answer is a method, typed by the
messages of schemas/; over the real application every one succeeds, and every refusal is raised. A failure would be an operation
that a bank cannot call, or one that it repeats though it does harm. Not a failure: operations that answer no message.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping
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
from parties.common.request_keys import RequestSecret
from schemas import problems
from schemas.authenticity import EvaluationRequest, LookupRequest, PublicationRequest, RecordMessage, StatusesRequest
from schemas.callers import AlertMessage, RequestKeyChange
from schemas.canonical import canonical
from schemas.messages import AmendMessage, ChangeStatusMessage, OverdrawnMessage, ViewMessage
from schemas.request_keys import rotation_bytes
from service.app import create_app, openapi_document
from service.authenticity.keys import create_keys
from service.settings import Settings
from tests.builders import (
    NOW,
    ORIGIN,
    World,
    financing_request,
    make_amend,
    make_close,
    make_disburse,
    make_draw,
    make_overdrawn,
    make_reduce,
    make_register,
    make_status,
    make_view,
    make_world,
    registration_request,
    steps_request,
)
from tests.service.harness import ATTESTER_KEY, BANK, BANK_KEY, REGULATOR_KEY, SERVICE_KEY, TOKEN, begin_log, signer
from tradeveil.describing.client_code import Inexpressible, client_code
from zkcore import engine
from zkcore.authenticity import RECORD_SIZE
from zkcore.operations import CLEARED, FROZEN
from zkcore.oprf import client as oblivious

DOCUMENT = openapi_document()
OPERATIONS = {operation["operationId"]: operation for path in DOCUMENT["paths"].values() for operation in path.values()}
WITHOUT_METHOD = {"commit_batch", "follow_batch"}
"""What takes or answers no message."""
NEXT_KEY = RequestSecret(b"n" * 32)
OF_ATTESTERS = {"register_documents", "change_status", "amend_document", "publish_credentials"}


class Noting:
    """Sends as the parties' clients do, each operation as whom it is for, and notes what was sent."""

    def __init__(self, clients: Mapping[str, ServiceClient]) -> None:
        self.calls: list[Call] = []
        self.clients = clients

    def __call__(self, call: Call, form: type[A]) -> A:
        self.calls.append(call)
        who = "attester" if call.operation in OF_ATTESTERS else "bureau" if call.operation == "show_overdrawn" else "bank"
        send: Send = self.clients[who].send
        return send(call, form)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(engine.load())


@pytest.fixture
def noting(world: World, tmp_path: Path) -> Iterator[Noting]:
    database, keys = f"sqlite:///{tmp_path / 'service.db'}", tmp_path / "evaluation-keys.json"
    begin_log(world, database)
    create_keys(keys, NOW)
    app = create_app(Settings(database, TOKEN, SERVICE_KEY, evaluation_keys=keys), world.suite, lambda: NOW)
    with TestClient(app) as http:
        secrets = {"attester": ATTESTER_KEY, "bank": BANK_KEY, "bureau": REGULATOR_KEY}
        yield Noting({who: ServiceClient(http, Backoff(()), signer(key, lambda: NOW)) for who, key in secrets.items()})


def test_every_operation_is_called(noting: Noting, world: World) -> None:
    client, keys = Api(noting), iter(f"a-key-for-request-{number:02}" for number in range(99))
    assert client.get_parameters() == world.genesis
    new = make_register(world, 500)
    receipt = client.register_documents(registration_request([new]), idempotency_key=next(keys)).receipts[0]
    paper = new.committed(receipt.leaf)
    document = paper.state.document
    assert client.get_document(document).financeable
    assert client.get_statuses(StatusesRequest(documents=[document])).statuses == [client.get_document(document)]
    assert client.get_notice(document).document == document
    assert client.view_document(document, ViewMessage.of(make_view(world, paper))).draws == 0
    made = make_draw(world, paper, 200)
    drawn = client.commit_financing(financing_request([made]), idempotency_key=next(keys)).draws[0]
    paper, loan = made.committed(drawn.receipt.leaf)
    disbursement = make_disburse(world, paper, loan)
    step = client.take_steps(steps_request([disbursement.operation]), idempotency_key=next(keys)).steps[0]
    paper, loan = disbursement.committed(paper, loan, step.receipt.leaf)
    amendment = make_amend(world, paper, 500, 100)
    amended = client.amend_document(document, AmendMessage.of(amendment.operation), idempotency_key=next(keys))
    paper = amendment.committed(paper, amended.receipt.leaf)
    shown = OverdrawnMessage.of(make_overdrawn(world, paper))
    assert client.show_overdrawn(document, shown, idempotency_key=next(keys)).document == document
    assert client.get_document(document).overdrawn
    reduction = make_reduce(world, paper, loan, 200)
    step = client.take_steps(steps_request([reduction.operation]), idempotency_key=next(keys)).steps[0]
    paper, loan = reduction.committed(world, paper, loan, step.receipt.leaf)
    client.take_steps(steps_request([make_close(world, paper, loan)]), idempotency_key=next(keys))
    frozen = ChangeStatusMessage.of(make_status(world, paper, FROZEN))
    client.change_status(document, frozen, idempotency_key=next(keys))
    assert client.get_document(document).status == FROZEN
    assert client.get_document(document).status != CLEARED
    assert [item.index for item in client.export_entries(1, 2, token=TOKEN).entries] == [1, 2]
    assert client.get_health().status == "ok"
    assert client.get_ready().entries == 9
    batch = noting.clients["bank"].send_batch([canonical(financing_request([made]))], next(keys))
    assert client.get_batch(batch.batch).total == 1
    _call_authenticity(client, world)
    client.send_alert(AlertMessage(memo=bytes(1584)), idempotency_key=next(keys))
    assert len(client.get_alerts(token=TOKEN).alerts) == 1
    signature = NEXT_KEY.sign(rotation_bytes(ORIGIN, BANK, NEXT_KEY.public))
    change = RequestKeyChange(key=NEXT_KEY.public, signature=signature)
    assert client.change_request_key(change, idempotency_key=next(keys)).key == NEXT_KEY.public
    slug = client.list_problems().problems[0].slug
    assert client.get_problem(slug).slug == slug
    assert {call.operation for call in noting.calls} == OPERATIONS.keys() - WITHOUT_METHOD
    assert {call.operation for call in noting.calls if not call.repeatable} == {"view_document"}


def _call_authenticity(client: Api, world: World) -> None:
    key = client.get_evaluation_keys().keys[0]
    blinding = oblivious.blind([b"a paper"], world.randomness)
    request = EvaluationRequest(epoch=key.epoch, blinded=[element.encode() for element in blinding.elements])
    assert len(client.evaluate(request).evaluated) == 1
    token, record = bytes(32), bytes(RECORD_SIZE)
    client.publish_credentials(PublicationRequest(epoch=key.epoch, records=[RecordMessage(token=token, record=record)]))
    assert client.look_up_credentials(LookupRequest(epoch=key.epoch, tokens=[token])).records == [record]


def test_a_refusal_is_raised(noting: Noting) -> None:
    with pytest.raises(ServiceRefused) as caught:
        Api(noting).export_entries(token="wrong")
    assert caught.value.slug == problems.UNAUTHORISED.slug
    assert "wrong" not in repr(noting.calls)


def test_every_operation_is_a_typed_method() -> None:
    methods = {name: function for name, function in inspect.getmembers(Api, inspect.isfunction) if not name.startswith("_")}
    assert methods.keys() == OPERATIONS.keys() - WITHOUT_METHOD
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
    assert "Without a method, since what they take or answer is no message: commit_batch, follow_batch, get_health." in source
    assert "def get_health" not in source
    compile(source, "api.py", "exec")
