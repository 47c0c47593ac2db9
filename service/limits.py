"""Bounds on what callers can make the service hold: bytes of one request, and requests at one time. Pure ASGI."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas import problems
from service.problems import PROBLEM_KEY, RETRY_AFTER, Refusal, problem_response

_ALIVE = "/v1/health"


class RequestLimit:
    """At most so many requests at work or waiting; further ones are told to come back.

    Whether the process is alive is answered in any case: one that is busy must not be ended for it.
    """

    def __init__(self, app: ASGIApp, maximum: int) -> None:
        self._app, self._free = app, maximum

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == _ALIVE:
            await self._app(scope, receive, send)
        elif self._free <= 0:
            await _refuse(Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER), scope, receive, send)
        else:
            self._free -= 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._free += 1


class BodyLimit:
    """At most so many bytes of body, whether the sender announces them or not. `larger`: the bound of single paths."""

    def __init__(self, app: ASGIApp, maximum: int, larger: Mapping[str, int] | None = None) -> None:
        self._app, self._maximum, self._larger = app, maximum, larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        maximum = self._larger.get(scope["path"], self._maximum)
        if self._announced(scope) > maximum:
            await _refuse(Refusal(problems.TOO_LARGE), scope, receive, send)
        else:
            await self._app(scope, self._counted(receive, maximum), send)

    def _announced(self, scope: Scope) -> int:
        """The Content-Length; 0 without a readable one, since what arrives is counted in any case."""
        lengths = [value for name, value in scope["headers"] if name == b"content-length" and value.isdigit()]
        return max((int(value[:20]) for value in lengths), default=0)

    def _counted(self, receive: Receive, maximum: int) -> Receive:
        """The same stream of messages, cut off by Refusal where it passes the limit."""
        left = maximum

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise Refusal(problems.TOO_LARGE)
            return message

        return counted


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    scope[PROBLEM_KEY] = refusal.problem.slug
    await problem_response(refusal, scope)(scope, receive, send)
