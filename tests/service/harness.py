"""A client of a service in the same process, which also looks into its database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel
from sqlalchemy import Engine, MetaData, create_engine

from schemas.answers import DocumentReceipt, FinancingAnswer, RegistrationAnswer, StepsAnswer
from schemas.canonical import canonical
from schemas.messages import AmendMessage, ChangeStatusMessage, OverdrawnMessage, ViewMessage
from schemas.problems import CONTENT_TYPE, Problem, ProblemType
from schemas.wire import encode_base64url
from service.app import create_app
from service.genesis import store
from service.settings import TOKEN_NAME, Settings
from service.storage import database_address, open_storage
from service.verifier import Verifier
from tests.builders import (
    NOW,
    Loan,
    NewDocument,
    NewDraw,
    NewReduction,
    Paper,
    World,
    financing_request,
    make_amend,
    make_disburse,
    make_draw,
    make_register,
    make_status,
    registration_request,
    steps_request,
)
from zkcore import ledger
from zkcore.context import ABSENT
from zkcore.operations import (
    Amend,
    Apply,
    ChangeStatus,
    Close,
    Decide,
    Disburse,
    Overdrawn,
    Reduce,
    View,
)

TOKEN = "a-token-for-the-auditors-of-this-test"
A = TypeVar("A", bound=BaseModel)
JSON = {"Content-Type": "application/json"}
Dump = dict[str, list[tuple[Any, ...]]]


@dataclass
class Desk:
    """A service at work. `now` is its clock, which stands still."""

    world: World
    app: FastAPI
    client: TestClient
    database: Engine
    now: int = NOW
    _keys: Iterator[int] = field(default_factory=count)

    @property
    def verifier(self) -> Verifier:
        verifier: Verifier = self.app.state.verifier
        return verifier

    def key(self) -> str:
        """A fresh Idempotency-Key."""
        return f"test-request-{next(self._keys):08}"

    def dump(self) -> Dump:
        """Every row of every table that there is."""
        tables = MetaData()
        tables.reflect(self.database)
        with self.database.connect() as connection:
            rows = {table.name: [tuple(row) for row in connection.execute(table.select())] for table in tables.sorted_tables}
        return {name: sorted(found, key=repr) for name, found in rows.items()}

    # --- calls that answer whatever comes -------------------------------------------------------------------------------

    def post(self, path: str, message: BaseModel | bytes, *, key: str | None = None, **headers: str) -> httpx.Response:
        """Send a message, or bytes as they are, with a fresh Idempotency-Key unless one is given."""
        body = message if isinstance(message, bytes) else canonical(message)
        sent = {**JSON, "Idempotency-Key": key or self.key(), **headers}
        response: httpx.Response = self.client.post(path, content=body, headers=sent)
        return response

    def get(self, path: str, **headers: str) -> httpx.Response:
        response: httpx.Response = self.client.get(path, headers=headers)
        return response

    def export(self, query: str = "") -> httpx.Response:
        return self.get(f"/v1/entries{query}", Authorization=f"Bearer {TOKEN}")

    def send_documents(self, documents: Sequence[NewDocument], key: str | None = None) -> httpx.Response:
        return self.post("/v1/documents", registration_request(documents), key=key)

    def send_draws(self, draws: Sequence[NewDraw], key: str | None = None) -> httpx.Response:
        return self.post("/v1/financings", financing_request(draws), key=key)

    def send_steps(self, *steps: Apply | Decide | Disburse | Reduce | Close, key: str | None = None) -> httpx.Response:
        return self.post("/v1/steps", steps_request(steps), key=key)

    def send_reduction(self, reduction: NewReduction, key: str | None = None) -> httpx.Response:
        return self.send_steps(reduction.operation, key=key)

    def send_close(self, operation: Close, key: str | None = None) -> httpx.Response:
        return self.send_steps(operation, key=key)

    def send_status(self, operation: ChangeStatus, key: str | None = None) -> httpx.Response:
        message = ChangeStatusMessage.of(operation)
        return self.post(f"/v1/documents/{encode_base64url(message.document)}/status", message, key=key)

    def send_amendment(self, operation: Amend, key: str | None = None) -> httpx.Response:
        message = AmendMessage.of(operation)
        return self.post(f"/v1/documents/{encode_base64url(message.document)}/amendments", message, key=key)

    def send_overdrawn(self, operation: Overdrawn, key: str | None = None) -> httpx.Response:
        message = OverdrawnMessage.of(operation)
        return self.post(f"/v1/documents/{encode_base64url(message.document)}/overdrawn", message, key=key)

    def send_view(self, operation: View) -> httpx.Response:
        message = ViewMessage.of(operation)
        return self.post(f"/v1/documents/{encode_base64url(message.document)}/view", message)

    # --- calls that must succeed ----------------------------------------------------------------------------------------

    def register(self, *limits: int, currency: str = "USD") -> list[Paper]:
        """Documents with these limits, registered together."""
        documents = [make_register(self.world, limit, currency=currency) for limit in limits]
        answer = accepted(self.send_documents(documents), RegistrationAnswer)
        return [document.committed(receipt.leaf) for document, receipt in zip(documents, answer.receipts, strict=True)]

    def finance(self, *draws: NewDraw) -> list[tuple[Paper, Loan]]:
        """Commit these draws together."""
        answer = accepted(self.send_draws(draws), FinancingAnswer)
        return [draw.committed(line.receipt.leaf) for draw, line in zip(draws, answer.draws, strict=True)]

    def draw(self, paper: Paper, amount: int) -> tuple[Paper, Loan]:
        """Draw this amount."""
        return self.finance(make_draw(self.world, paper, amount))[0]

    def disburse(self, paper: Paper, loan: Loan, rest: int = 0) -> tuple[Paper, Loan]:
        """Pay out all that is reserved but `rest`."""
        disbursement = make_disburse(self.world, paper, loan, rest)
        answer = accepted(self.send_steps(disbursement.operation), StepsAnswer)
        return disbursement.committed(paper, loan, answer.steps[0].receipt.leaf)

    def lend(self, paper: Paper, amount: int) -> tuple[Paper, Loan]:
        """Draw and disburse this amount."""
        return self.disburse(*self.draw(paper, amount))

    def reduce(self, reduction: NewReduction, paper: Paper, loan: Loan) -> tuple[Paper, Loan]:
        """Commit a reduction."""
        answer = accepted(self.send_reduction(reduction), StepsAnswer)
        return reduction.committed(self.world, paper, loan, answer.steps[0].receipt.leaf)

    def change(self, paper: Paper, status: str, replacement: bytes = ABSENT) -> Paper:
        """The attester says what became of a document."""
        operation = make_status(self.world, paper, status, replacement)
        answer = accepted(self.send_status(operation), DocumentReceipt)
        return replace(paper, state=ledger.status_changed(paper.state, operation, answer.receipt.leaf))

    def amend(self, paper: Paper, before: int, limit: int) -> Paper:
        """The attester replaces the limit of `before` minor units."""
        amendment = make_amend(self.world, paper, before, limit)
        answer = accepted(self.send_amendment(amendment.operation), DocumentReceipt)
        return amendment.committed(paper, answer.receipt.leaf)


@contextmanager
def make_desk(world: World, database: str, **options: Any) -> Iterator[Desk]:
    """A service over an empty database at this URL; `options` are Settings."""
    engine = create_engine(database_address(database))
    empty(engine)
    begin_log(world, database)
    settings = replace(Settings(database, TOKEN, workers=8), **options)
    desk: Desk
    app = create_app(settings, world.suite, lambda: desk.now)
    with TestClient(app) as client:
        desk = Desk(world, app, client, engine)
        yield desk
    engine.dispose()


def begin_log(world: World, database: str) -> None:
    """A log with the world's genesis in an empty database."""
    storage = open_storage(database, world.suite.group, workers=1)
    store(storage, world.genesis)
    storage.close()


def make_directory(directory: Path) -> None:
    """What `tradeveil serve run` needs in its directory where the database is elsewhere."""
    token = directory / TOKEN_NAME
    token.write_text(TOKEN)
    token.chmod(0o600)


def empty(engine: Engine) -> None:
    """Drop every table."""
    tables = MetaData()
    tables.reflect(engine)
    tables.drop_all(engine)


def accepted(response: httpx.Response, form: type[A]) -> A:
    """The answer to a write that was accepted."""
    assert response.status_code == 201, response.text
    return form.model_validate(response.json())


def refused(response: httpx.Response, expected: ProblemType) -> Problem:
    """The problem document, after checking that it is this one in every respect."""
    assert response.status_code == expected.status, response.text
    assert response.headers["Content-Type"] == CONTENT_TYPE
    problem = Problem.model_validate(response.json())
    assert (problem.type, problem.status) == (expected.uri, expected.status)
    assert problem.detail == expected.advice
    assert problem.detail_zh == expected.advice_zh
    return problem


@contextmanager
def unchanged(desk: Desk) -> Iterator[None]:
    """Nothing of the database changes within."""
    before = desk.dump()
    yield
    assert desk.dump() == before
