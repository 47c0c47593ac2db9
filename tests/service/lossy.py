"""A connection that loses things: a request on its way, an answer on its way back; or it delivers a request twice.

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


class LossyTransport(httpx.BaseTransport):
    """Passes requests on to `inner` as `choose` has it.

    answers: all that was answered since it was last emptied, whether the caller saw it or not
    """

    def __init__(self, inner: httpx.BaseTransport, choose: Callable[[], Fate]) -> None:
        self._inner, self._choose = inner, choose
        self.answers: list[httpx.Response] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, of a duplicate the second. Raises ConnectError or ReadTimeout where something is lost."""
        match self._choose():
            case Fate.REQUEST_LOST:
                raise httpx.ConnectError("the request is lost", request=request)
            case Fate.ANSWER_LOST:
                self._pass_on(request)
                raise httpx.ReadTimeout("the answer is lost", request=request)
            case Fate.DUPLICATED:
                self._pass_on(request)
        return self._pass_on(request)

    def _pass_on(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        answer.read()
        self.answers.append(answer)
        return answer
