"""A connection that loses things: a request on its way, an answer on its way back; or it delivers a request twice, at once or
long after.

Modelled on the proxy of divviup/janus' simulation. What really happened is known to the test alone: it is kept beside what the
caller was told.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import httpx


class Fate(Enum):
    """What becomes of one request."""

    DELIVERED = "delivered"
    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    DUPLICATED = "duplicated"
    COPY_ANSWERED = "answered to its copy"
    """Duplicated, too, and the caller hears what was answered to the copy."""


class LossyTransport(httpx.BaseTransport):
    """Passes requests on to `inner` as `choose` has it.

    answers: all that was answered since it was last emptied, whether the caller saw it or not
    request: the last that it was given, byte for byte, whatever became of it
    """

    def __init__(self, inner: httpx.BaseTransport, choose: Callable[[], Fate]) -> None:
        self._inner, self._choose = inner, choose
        self.answers: list[httpx.Response] = []
        self.request: httpx.Request | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer. Raises ConnectError or ReadTimeout where something is lost."""
        self.request = request
        fate = self._choose()
        if fate is Fate.REQUEST_LOST:
            raise httpx.ConnectError("the request is lost", request=request)
        answer = self.deliver(request)
        match fate:
            case Fate.ANSWER_LOST:
                raise httpx.ReadTimeout("the answer is lost", request=request)
            case Fate.DUPLICATED:
                self.deliver(request)
            case Fate.COPY_ANSWERED:
                return self.deliver(request)
        return answer

    def deliver(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on as it is, as often as you like."""
        answer = self._inner.handle_request(request)
        answer.read()
        self.answers.append(answer)
        return answer
