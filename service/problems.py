"""The one place where refusals become problem documents (RFC 9457).

Everything else in the service raises Refusal with a type of the closed list in schemas.problems, or lets one of the functions
here turn what zkcore or pydantic raised into one. No answer contains what was refused, only where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from schemas import problems
from schemas.languages import ENGLISH, Language, preferred
from schemas.problems import CONTENT_TYPE, FieldProblem, LineProblem, Problem, ProblemType
from zkcore.errors import (
    ContextError,
    EncodingError,
    IdentityError,
    LengthError,
    PointError,
    ScalarError,
    StateError,
    ZkError,
)

RETRY_AFTER = {"Retry-After": "1"}
PROBLEM_KEY = "tradeveil.problem"
"""Where a request's scope keeps the slug of the problem it was answered with, for the log."""

_MOST_FIELDS = 20
_LONGEST_POINTER = 200

_UNREADABLE = (LengthError, PointError, IdentityError, ScalarError, EncodingError, ContextError)

_OF_CLAIM: dict[str, ProblemType] = {
    "register.proof": problems.PROOF_INVALID,
    "register.range": problems.PROOF_INVALID,
    "status.proof": problems.PROOF_INVALID,
    "amend.proof": problems.PROOF_INVALID,
    "amend.range": problems.PROOF_INVALID,
    "overdrawn.proof": problems.PROOF_INVALID,
    "overdrawn.range": problems.PROOF_INVALID,
    "apply.consent": problems.CONSENT_INVALID,
    "apply.proof": problems.PROOF_INVALID,
    "decide.proof": problems.PROOF_INVALID,
    "draw.commitment": problems.PROOF_INVALID,
    "draw.consent": problems.CONSENT_INVALID,
    "draw.headroom": problems.HEADROOM_NOT_PROVEN,
    "draw.range": problems.HEADROOM_NOT_PROVEN,
    "disburse.proof": problems.PROOF_INVALID,
    "disburse.range": problems.PROOF_INVALID,
    "reduce.proof": problems.PROOF_INVALID,
    "reduce.range": problems.PROOF_INVALID,
    "close.proof": problems.PROOF_INVALID,
}


class Refusal(Exception):
    """A request is refused with a problem of the closed list. Nothing was written."""

    def __init__(
        self,
        problem: ProblemType,
        *,
        lines: Sequence[LineProblem] = (),
        fields: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(problem.slug)
        self.problem = problem
        self.lines = tuple(lines)
        self.fields = tuple(fields)
        self.headers = headers


# --- what zkcore raises ---------------------------------------------------------------------------------------------------


def lines_refusal(problem: ProblemType, lines: Sequence[tuple[int, ZkError]]) -> Refusal:
    """The refusal that names these lines (counted from 0) with what each would raise alone.

    Headroom that is not proven looks the same whatever the reason: the proof may be false, or the document's state another by
    now, and the difference would tell a bank what others do.
    """
    if problem is problems.HEADROOM_NOT_PROVEN:
        lines = [(line, StateError(problem.title)) for line in sorted({line for line, _ in lines})]
    found = [LineProblem(line=line, type=problem.uri, code=error.code, detail=str(error)) for line, error in lines]
    return Refusal(problem, lines=found)


def refuse_lines(problem: ProblemType, lines: Sequence[tuple[int, ZkError]]) -> None:
    """Raises Refusal naming these lines; returns when there are none."""
    if lines:
        raise lines_refusal(problem, lines)


Failure = tuple[str, ZkError]
"""The label of a claim, and what is wrong with it."""


_ORDER = (problems.PROOF_INVALID, problems.CONSENT_INVALID, problems.HEADROOM_NOT_PROVEN, problems.DOCUMENT_UNKNOWN)
"""Which refusal a request gets when its claims fail for several reasons: what its maker can mend by itself comes first."""


def refuse_claims(failures: Sequence[Failure]) -> None:
    """Raises Refusal for the first type in order that any claim failed with; returns when none failed. Claims are labelled
    `line:statement`, like `3:draw.consent`."""
    if failures:
        raise _claims_refusal(failures)


def _claims_refusal(failures: Sequence[Failure]) -> Refusal:
    lines: dict[str, list[tuple[int, ZkError]]] = {}
    for label, error in failures:
        line, _, name = label.partition(":")
        lines.setdefault(_OF_CLAIM[name].slug, []).append((int(line), error))
    for problem in _ORDER:
        if problem.slug in lines:
            return lines_refusal(problem, lines[problem.slug])
    return Refusal(problems.INTERNAL)  # a batch of nothing: our own mistake, and no reason to accept


def not_permitted(detail: str) -> Refusal:
    """The caller may not do this; `detail` says what is lacking."""
    return Refusal(problems.NOT_PERMITTED, fields=[FieldProblem(path="/header/signature-input", detail=detail)])


@contextmanager
def decoding(pointer: str) -> Iterator[None]:
    """What zkcore cannot read of the message at this JSON pointer makes the request malformed."""
    try:
        yield
    except _UNREADABLE as error:
        raise malformed(pointer, str(error)) from error


# --- what pydantic and FastAPI raise --------------------------------------------------------------------------------------


def malformed(pointer: str, detail: str) -> Refusal:
    """The request is malformed at one place."""
    return Refusal(problems.MALFORMED, fields=[FieldProblem(path=pointer, detail=detail)])


def of_validation(errors: Sequence[Any], content: Any = None) -> Refusal:
    """The request is malformed in these places, as pydantic found them in the content of its body."""
    fields = [
        FieldProblem(path=_pointer(_places(_location(error), content)), detail=_detail(error))
        for error in errors[:_MOST_FIELDS]
    ]
    return Refusal(problems.MALFORMED, fields=fields)


def _detail(error: Any) -> str:
    """What is wrong, without what was sent: of a form that is not known, pydantic would quote the name."""
    if error.get("type", "").startswith("union_tag"):
        return "this names none of the forms that can stand here; see the schema"
    return str(error["msg"]).removeprefix("Value error, ")


def _location(error: Any) -> tuple[str | int, ...]:
    """Where an error is. A form that is not chosen rightly is the mistake of the field that chooses it."""
    location: tuple[str | int, ...] = error["loc"]
    return (*location, "type") if error.get("type", "").startswith("union_tag") else location


def _places(location: Sequence[str | int], content: Any) -> Iterator[str | int]:
    """The location without what is no place in the content: pydantic names the chosen form of a union there, too."""
    for number, part in enumerate(location):
        if isinstance(content, dict) and part not in content and number + 1 < len(location):
            continue
        yield part
        try:
            content = content[part]
        except (LookupError, TypeError):
            content = None


def _pointer(location: Iterable[str | int]) -> str:
    """A JSON pointer (RFC 6901). The sender chose the names in it, so it is cut to a bound and to printable ASCII."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    pointer = "".join(f"/{part}" for part in escaped)
    return ascii(pointer[:_LONGEST_POINTER])[1:-1]


# --- answers --------------------------------------------------------------------------------------------------------------


def problem_of(refusal: Refusal, language: Language = ENGLISH) -> Problem:
    """The document that says why, for who reads this language."""
    return Problem.of(refusal.problem, language, lines=refusal.lines, fields=refusal.fields)


def problem_response(refusal: Refusal, scope: Scope) -> Response:
    """The answer to a refused request, in the language that it asks for."""
    language = language_of(scope)
    headers = {"Cache-Control": "no-store", **in_language(language), **(refusal.headers or {})}
    body = problem_of(refusal, language).model_dump_json()
    return Response(body, status_code=refusal.problem.status, headers=headers, media_type=CONTENT_TYPE)


def language_of(scope: Scope) -> Language:
    """The language that a request asks for."""
    return preferred(",".join(Headers(scope=scope).getlist("accept-language")))


def in_language(language: Language) -> dict[str, str]:
    """The headers of an answer with texts for people in it."""
    return {"Content-Language": language, "Vary": "Accept-Language"}


def refusal_of(error: Exception) -> Refusal:
    """What the caller is told of any exception that reached the edge."""
    match error:
        case Refusal():
            return error
        case RequestValidationError():  # of path, query and header parameters: pointers start with where one stands
            return of_validation(error.errors())
        case HTTPException(status_code=404):
            return Refusal(problems.NOT_FOUND)
        case HTTPException(status_code=405):
            return Refusal(problems.METHOD_NOT_ALLOWED, headers=error.headers)
        case HTTPException() | ClientDisconnect():
            return Refusal(problems.MALFORMED)
        case OperationalError() | InterfaceError() | PoolTimeout():
            return Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER)
        case _:
            return Refusal(problems.INTERNAL)


def _methods(request: Request) -> set[str]:
    """What an address takes, by the description: the framework would name the methods of the first of its routes alone."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    wanted = {path: re.sub(r"\{[^}]*\}", "[^/]+", path) for path in paths}
    return {method.upper() for path, form in wanted.items() if re.fullmatch(form, request.url.path) for method in paths[path]}


def install_problems(app: FastAPI) -> None:
    """Every known exception gets its problem. Unknown ones reach the request log, which answers for them."""

    async def handle(request: Request, error: Exception) -> Response:
        refusal = refusal_of(error)
        if refusal.problem is problems.METHOD_NOT_ALLOWED:
            refusal.headers = {"Allow": ", ".join(sorted(_methods(request)))} if _methods(request) else refusal.headers
        request.scope[PROBLEM_KEY] = refusal.problem.slug
        return problem_response(refusal, request.scope)

    known = (Refusal, RequestValidationError, HTTPException, ClientDisconnect, OperationalError, InterfaceError, PoolTimeout)
    for kind in known:
        app.add_exception_handler(kind, handle)
