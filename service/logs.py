"""Structured logs that could be published: one JSON object a line, without bodies, ids, headers or addresses.

Document and draw ids open a document's status, so a path is logged as its route. Exceptions are logged as their type and where
they were raised, never as their message, which may quote what was being worked on.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from asyncio import CancelledError
from traceback import extract_tb
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas import problems
from service.metrics import count_request
from service.problems import PROBLEM_KEY, RETRY_AFTER, Refusal, problem_response, refusal_of

_LOGGER = logging.getLogger("tradeveil.service")
_FIELDS = "tradeveil_fields"
_SERVER_ERROR = 500


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time, level, logger, worker (a process id), event, and the fields that are named."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "worker": record.process,
            "event": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True)


def describe(error: BaseException) -> dict[str, Any]:
    """An exception's type and the places it passed, outermost first."""
    places = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
    return {"error": type(error).__name__, "at": places[-8:]}


def log_event(level: int, event: str, **fields: Any) -> None:
    """One line of the service's own log."""
    _LOGGER.log(level, event, extra={_FIELDS: fields})


def configure_logs() -> None:
    """Send everything from `info` on, ours and the server's, to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _LOGGER.setLevel(logging.INFO)
    # The driver quotes what the database said, and so what was being written; what matters of it is raised, too.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL + 1)


class RequestLog:
    """Logs and counts every request once it is answered, and answers for exceptions that nothing else knows."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, the caller gets an answer and the log the place
            log_event(logging.ERROR, "failed", **describe(error))
            if not status:
                await self._answer(refusal_of(error), scope, receive, noting)
        except CancelledError:  # the service stops, and the time that requests at work are given has passed
            if not status:
                await self._answer(Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER), scope, receive, noting)
            _note_request(scope, status, time.perf_counter() - started)
            raise
        _note_request(scope, status, time.perf_counter() - started)

    async def _answer(self, refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        scope[PROBLEM_KEY] = refusal.problem.slug
        await problem_response(refusal, scope)(scope, receive, send)


def _note_request(scope: Scope, status: int, seconds: float) -> None:
    level = logging.ERROR if status >= _SERVER_ERROR else logging.INFO
    route = getattr(scope.get("route"), "path", None)
    problem = scope.get(PROBLEM_KEY)
    count_request(scope["method"], route, status, problem, seconds)
    milliseconds = round(1000 * seconds, 1)
    log_event(level, "request", method=scope["method"], route=route, status=status, problem=problem, milliseconds=milliseconds)
