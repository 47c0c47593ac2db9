"""Reading what callers send: headers, path parameters, and JSON bodies parsed strictly and by ourselves.

The JSON reader refuses duplicate names, NaN, huge numbers, deep nesting and bad UTF-8 before a model sees anything, which a
framework's own reader does not.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ValidationError

from schemas import problems
from schemas.canonical import parse_strict
from schemas.wire import Identifier
from service.idempotency import RequestKey
from service.institutions.caller import RequestSignature
from service.institutions.registry import Caller
from service.openapi import IDEMPOTENCY_KEY
from service.problems import Refusal, malformed, of_validation

M = TypeVar("M", bound=BaseModel)


def read_message(model: type[M], body: bytes) -> M:
    """The message in a body. Raises Refusal (malformed) naming the fields that are wrong."""
    try:
        content = parse_strict(body)
    except ValueError as error:
        raise malformed("", f"not JSON as this service reads it: {error}") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise of_validation(error.errors(include_url=False, include_context=False, include_input=False), content) from error


def check_same(identifier: bytes, named: bytes, pointer: str) -> None:
    """The path and the body name one thing. Raises Refusal otherwise."""
    if identifier != named:
        raise malformed(pointer, "this is another id than that of the path")


async def _json_body(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" or request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(problems.UNSUPPORTED_MEDIA)
    return await request.body()


JsonBody = Annotated[bytes, Depends(_json_body)]
"""The bytes of a body that says to be JSON."""

_IDEMPOTENCY_KEY = re.compile(IDEMPOTENCY_KEY["schema"]["pattern"], re.ASCII)


def idempotency_key(request: Request) -> str:
    """The key under which a write is done once. Raises Refusal (idempotency-key-missing)."""
    keys = request.headers.getlist("idempotency-key")
    if len(keys) != 1 or not _IDEMPOTENCY_KEY.fullmatch(keys[0]):
        raise Refusal(problems.KEY_MISSING)
    return keys[0]


@dataclass(frozen=True)
class Sent:
    """A write as it was sent: by whom, under which key, and its body."""

    caller: Caller
    key: RequestKey
    body: bytes


class _Write(RequestSignature):
    """All that a write depends on, at once: the framework solves every dependency of every request anew."""

    async def __call__(self, request: Request) -> Sent:
        caller, key, body = await self.caller(request), idempotency_key(request), await _json_body(request)
        return Sent(caller, RequestKey.of(caller.institution, key, request.method, request.scope["path"], body), body)


SentByAnybody = Annotated[Sent, Depends(_Write())]
SentByAttester = Annotated[Sent, Depends(_Write("attester"))]
SentByBank = Annotated[Sent, Depends(_Write("bank"))]
SentByRegulator = Annotated[Sent, Depends(_Write("regulator"))]
"""Which write this is, from its caller's institution, its Idempotency-Key, method, path and body."""

_EXAMPLE_ID = "q8S0rkYHJBHWx3o6fVjEwVJzB4T0X1mUu9bJpYzq1dI"
DocumentId = Annotated[Identifier, Path(alias="id", description="32 bytes as base64url, random", examples=[_EXAMPLE_ID])]
DrawId = Annotated[Identifier, Path(alias="id", description="32 bytes as base64url, random", examples=[_EXAMPLE_ID])]


_BEARER = HTTPBearer(auto_error=False, description="The export token that the operator gave to the auditor.")


async def check_export_token(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
    """Raises Refusal unless the request carries the export token. Compared in constant time."""
    expected: str = request.app.state.settings.export_token
    sent = b"" if given is None else given.credentials.encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(sent, expected.encode("ascii")):
        raise Refusal(problems.UNAUTHORISED, headers={"WWW-Authenticate": "Bearer"})
