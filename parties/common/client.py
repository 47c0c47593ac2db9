"""The service's calls, typed: a message in, a message out, or one of three errors.

ServiceRefused carries the service's problem; ServiceUnreachable means that no answer came; ServiceMisbehaved that what came is
not an answer of this protocol. A write is repeated with the same Idempotency-Key and the same bytes, so a lost answer does no
harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from parties.common.errors import Refused, ServiceMisbehaved, ServiceRefused, ServiceUnreachable
from schemas import problems
from schemas.answers import (
    DocumentReceipt,
    DocumentStatus,
    DocumentView,
    EntriesPage,
    ExportedEntry,
    FinancingAnswer,
    Health,
    OwnerNotice,
    RegistrationAnswer,
    StepsAnswer,
)
from schemas.canonical import canonical, parse_strict
from schemas.entries import Genesis
from schemas.messages import (
    AmendMessage,
    ChangeStatusMessage,
    FinancingRequest,
    OverdrawnMessage,
    RegistrationRequest,
    StepsRequest,
    ViewMessage,
)
from schemas.problems import Problem
from schemas.wire import encode_base64url
from zkcore.errors import ZkError
from zkcore.ledger import Parameters
from zkcore.randomness import Randomness
from zkcore.suite import Suite

A = TypeVar("A", bound=BaseModel)
PAGE_SIZE = 500
_BUSY = (502, 503, 504)


@dataclass(frozen=True)
class Backoff:
    """How long to wait before each further attempt, in seconds; as many attempts follow the first as there are pauses."""

    pauses: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Log:
    """The log a service keeps: its first entry, and the parameters that follow from it after every check."""

    genesis: Genesis
    parameters: Parameters


def idempotency_key(randomness: Randomness) -> str:
    """A fresh key for one write: 24 random bytes. Keep it with the request until the answer is there."""
    return encode_base64url(randomness.read(24))


class ServiceClient:
    """Talks to one service. `http` has its base URL; tests hand in one that reaches the application in the same process."""

    def __init__(self, http: httpx.Client, backoff: Backoff | None = None) -> None:
        self._http = http
        self._backoff = backoff or Backoff()

    def parameters(self, suite: Suite, origin: str) -> Log:
        """The genesis, checked, and of the log that the caller's keys are for.

        Raises Refused when the service keeps another log than `origin`, ServiceMisbehaved for a genesis that fails its checks.
        """
        genesis = self._get("/v1/parameters", Genesis)
        if genesis.origin != origin:
            raise Refused(
                "another-log",
                f"this service keeps the log {genesis.origin}, and your keys are for {origin}; check --service",
                f"该服务维护的日志是 {genesis.origin}，而您的密钥属于 {origin}；请检查 --service",
            )
        try:
            return Log(genesis, genesis.parameters(suite))
        except ZkError as error:
            raise ServiceMisbehaved(
                "genesis-invalid",
                f"the parameters of this service fail their check ({error.code}): {error}; do not use it",
                f"该服务的参数未通过检查（{error.code}）；请勿使用",
            ) from error

    def register(self, request: RegistrationRequest, key: str) -> RegistrationAnswer:
        """Documents, all or none."""
        return self._write("/v1/documents", request, key, RegistrationAnswer)

    def status(self, document: bytes) -> DocumentStatus:
        return self._get(_document_path(document), DocumentStatus)

    def change_status(self, message: ChangeStatusMessage, key: str) -> DocumentReceipt:
        """An attester's word on what became of a document."""
        return self._write(f"{_document_path(message.document)}/status", message, key, DocumentReceipt)

    def amend(self, message: AmendMessage, key: str) -> DocumentReceipt:
        """Another limit of a document."""
        return self._write(f"{_document_path(message.document)}/amendments", message, key, DocumentReceipt)

    def show_overdrawn(self, message: OverdrawnMessage, key: str) -> DocumentReceipt:
        """The regulator's proof that a document is overdrawn. ServiceRefused with slug already-exists when that is known."""
        return self._write(f"{_document_path(message.document)}/overdrawn", message, key, DocumentReceipt)

    def notice(self, document: bytes) -> OwnerNotice:
        """What the attester left for the owner. ServiceRefused with slug document-unknown when there is no such document."""
        return self._get(f"{_document_path(document)}/notice", OwnerNotice)

    def view(self, message: ViewMessage) -> DocumentView:
        """A document's private state. The request is good for once, so after a lost answer make a fresh one."""
        path = f"{_document_path(message.document)}/view"
        return self._call("POST", path, DocumentView, content=canonical(message), once=True)

    def finance(self, request: FinancingRequest, key: str) -> FinancingAnswer:
        """Draws, all or none: verify and commit."""
        return self._write("/v1/financings", request, key, FinancingAnswer)

    def take_steps(self, request: StepsRequest, key: str) -> StepsAnswer:
        """Steps of a financing before and after its draws, all or none."""
        return self._write("/v1/steps", request, key, StepsAnswer)

    def entries(self, token: str, start: int = 0, limit: int = PAGE_SIZE) -> EntriesPage:
        """One page of the log, for who has the export token."""
        headers = {"Authorization": f"Bearer {token}"}
        return self._get(f"/v1/entries?from={start}&limit={limit}", EntriesPage, headers)

    def all_entries(
        self, token: str, start: int = 0, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[ExportedEntry]:
        """Every entry from `start` to the end, page by page. `progress` is called with (entries fetched, entries in the log).

        Raises ServiceMisbehaved when an entry is missing or out of its order.
        """
        expected, following = start, start
        while True:
            page = self.entries(token, following)
            for item in page.entries:
                if item.index != expected:
                    raise _misbehaved(f"entry {expected} of the log is missing", f"日志缺少第 {expected} 条")
                expected += 1
                yield item
            if progress is not None:
                progress(expected, page.size)
            if page.next is None:
                return
            if page.next != expected or not page.entries:
                raise _misbehaved("the pages of the log do not join", "日志分页不连续")
            following = page.next

    def health(self) -> Health:
        return self._get("/v1/health", Health)

    def _get(self, path: str, form: type[A], headers: dict[str, str] | None = None) -> A:
        return self._call("GET", path, form, headers=headers)

    def _write(self, path: str, message: BaseModel, key: str, form: type[A]) -> A:
        return self._call("POST", path, form, content=canonical(message), headers={"Idempotency-Key": key})

    def _call(
        self,
        method: str,
        path: str,
        form: type[A],
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        once: bool = False,
    ) -> A:
        """One call with its further attempts. `once`: only repeat what cannot have reached the service."""
        sent = {**(headers or {}), **({"Content-Type": "application/json"} if content is not None else {})}
        pauses = iter(self._backoff.pauses)
        while True:
            pause = next(pauses, None)
            try:
                response = self._http.request(method, path, content=content, headers=sent)
            except httpx.TransportError as error:
                arrived = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if pause is None or (once and arrived):
                    raise _unreachable(self._http, error) from error
            else:
                if pause is None or not _worth_repeating(response):
                    return _answer(response, form)
            self._backoff.sleep(pause)


def _document_path(document: bytes) -> str:
    return f"/v1/documents/{encode_base64url(document)}"


def _worth_repeating(response: httpx.Response) -> bool:
    """Whether the service, or a gateway before it, could not answer now; or is still at work on the same request."""
    if response.status_code == problems.IN_FLIGHT.status:
        return problems.IN_FLIGHT.uri.encode() in response.content
    return response.status_code in _BUSY


def _answer(response: httpx.Response, form: type[A]) -> A:
    content = _json(response)
    if response.is_success:
        try:
            return form.model_validate(content)
        except ValidationError as error:
            raise _misbehaved(
                f"the answer of the service is not a {form.__name__}; it may be of another version",
                f"服务的答复不是 {form.__name__}；版本可能不一致",
            ) from error
    try:
        problem = Problem.model_validate(content)
    except ValidationError as error:
        raise _misbehaved(
            f"the service answered {response.status_code} without saying why; check --service",
            f"服务返回 {response.status_code} 且未说明原因；请检查 --service",
        ) from error
    raise ServiceRefused(problem)


def _json(response: httpx.Response) -> Any:
    try:
        return parse_strict(response.content)
    except ValueError as error:
        raise _misbehaved(
            f"the service answered {response.status_code} with something that is not JSON; check --service",
            f"服务返回 {response.status_code}，内容不是 JSON；请检查 --service",
        ) from error


def _misbehaved(message_en: str, message_zh: str) -> ServiceMisbehaved:
    return ServiceMisbehaved("service-misbehaved", message_en, message_zh)


def _unreachable(http: httpx.Client, error: Exception) -> ServiceUnreachable:
    return ServiceUnreachable(
        "service-unreachable",
        f"the service at {http.base_url} does not answer ({type(error).__name__}); check --service and the network, "
        "and run the same command again: nothing is done twice",
        f"无法连接服务 {http.base_url}；请检查 --service 和网络后重新运行同一命令，不会重复办理",
    )
