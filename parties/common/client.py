"""The service's calls for the parties: a message in, a message out, or one of three errors.

What can be called is generated from the service's description (parties.common.api); here is how it is sent.

ServiceRefused carries the service's problem; ServiceUnreachable means that no answer came; ServiceMisbehaved that what came is
not an answer of this protocol. A write is repeated with the same Idempotency-Key and the same bytes, so a lost answer does no
harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import ValidationError

from parties.common.api import Api
from parties.common.calls import A, Call
from parties.common.errors import Refused, ServiceMisbehaved, ServiceRefused, ServiceUnreachable
from schemas import problems
from schemas.answers import (
    AlertAnswer,
    BatchAccepted,
    BatchLine,
    BatchPage,
    DocumentReceipt,
    DocumentStatus,
    DocumentView,
    EntriesPage,
    ExportedEntry,
    FinancingAnswer,
    Health,
    OwnerNotice,
    Ready,
    RegistrationAnswer,
    RequestKeyAnswer,
    SealedAlert,
    StepsAnswer,
)
from schemas.authenticity import (
    EvaluationAnswer,
    EvaluationKeys,
    EvaluationRequest,
    LookupAnswer,
    LookupRequest,
    PublicationAnswer,
    PublicationRequest,
    StatusesAnswer,
    StatusesRequest,
)
from schemas.callers import AlertMessage, RequestKeyChange
from schemas.canonical import parse_strict
from schemas.entries import Genesis
from schemas.languages import ENGLISH
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

PAGE_SIZE = 500
_BUSY = (502, 503, 504)
_BATCH_PAUSE = 0.2
_BATCH_PATIENCE = 600
"""Looks without anything decided since the last: two minutes."""


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
    """Talks to one service. `http` has its base URL; tests hand in one that reaches the application in the same process.

    With a signer, every write is signed, anew for every attempt.
    """

    def __init__(self, http: httpx.Client, backoff: Backoff | None = None, signer: httpx.Auth | None = None) -> None:
        self._http = http
        self._signer = signer
        self._backoff = backoff or Backoff()
        self._api = Api(self.send)

    def parameters(self, suite: Suite, origin: str) -> Log:
        """The genesis, checked, and of the log that the caller's keys are for.

        Raises Refused when the service keeps another log than `origin`, ServiceMisbehaved for a genesis that fails its checks.
        """
        genesis = self._api.get_parameters()
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
        return self._api.register_documents(request, idempotency_key=key)

    def status(self, document: bytes) -> DocumentStatus:
        return self._api.get_document(document)

    def notice(self, document: bytes) -> OwnerNotice:
        """What the attester left for the owner. ServiceRefused with slug document-unknown when there is no such document."""
        return self._api.get_notice(document)

    def view(self, message: ViewMessage) -> DocumentView:
        """A document's private state. The request is good for once, so after a lost answer make a fresh one."""
        return self._api.view_document(message.document, message)

    def finance(self, request: FinancingRequest, key: str) -> FinancingAnswer:
        """Draws, all or none: verify and commit."""
        return self._api.commit_financing(request, idempotency_key=key)

    def take_steps(self, request: StepsRequest, key: str) -> StepsAnswer:
        """Steps of a financing before and after its draws, all or none."""
        return self._api.take_steps(request, idempotency_key=key)

    def send_batch(self, lines: Sequence[bytes], key: str) -> BatchAccepted:
        """Financings, each a line of canonical JSON and each by itself. The answers are fetched with `batch_answers`."""
        headers = {"Idempotency-Key": key}
        call = Call("send_batch", "POST", "/v1/batches", repeatable=True, headers=headers, signed=True, lines=lines)
        return self.send(call, BatchAccepted)

    def batch(self, batch: bytes, start: int = 0) -> BatchPage:
        """The answers of a batch from line `start` on, up to the first that is not decided."""
        return self._api.get_batch(batch, start, PAGE_SIZE)

    def batch_answers(self, accepted: BatchAccepted, progress: Callable[[int, int], None]) -> Iterator[BatchLine]:
        """The answer of every line, in order, as they are decided. `progress` is called with (decided, lines in the batch).

        Raises ServiceMisbehaved when the pages do not join, ServiceUnreachable when nothing is decided for two minutes.
        """
        following, idle = 0, 0
        while True:
            page = self.batch(accepted.batch, following)
            progress(page.done, accepted.total)
            if [item.line for item in page.lines] != list(range(following, following + len(page.lines))):
                raise _misbehaved("the answers of the batch do not join", "批次答复不连续")
            yield from page.lines
            following += len(page.lines)
            if following == accepted.total:
                return
            if page.next != following:
                raise _misbehaved("the answers of the batch do not join", "批次答复不连续")
            idle = 0 if page.lines else idle + 1
            if idle > _BATCH_PATIENCE:
                raise ServiceUnreachable(
                    "batch-waits",
                    "the service has the batch and does not go on with it; run the same command again later",
                    "服务已收到批次但尚未处理；请稍后重新运行同一命令",
                )
            if not page.lines:
                self._backoff.sleep(_BATCH_PAUSE)

    def change_status(self, message: ChangeStatusMessage, key: str) -> DocumentReceipt:
        """What became of a document, in its attester's words."""
        return self._api.change_status(message.document, message, idempotency_key=key)

    def amend(self, message: AmendMessage, key: str) -> DocumentReceipt:
        """Another limit."""
        return self._api.amend_document(message.document, message, idempotency_key=key)

    def show_overdrawn(self, message: OverdrawnMessage, key: str) -> DocumentReceipt:
        """That more is drawn on a document than its limit."""
        return self._api.show_overdrawn(message.document, message, idempotency_key=key)

    def statuses(self, documents: Sequence[bytes]) -> StatusesAnswer:
        """The status of at most 5,000 documents; those that there are not are left out."""
        request = StatusesRequest(documents=list(documents))
        return self._api.get_statuses(request)

    def evaluation_keys(self) -> EvaluationKeys:
        return self._api.get_evaluation_keys()

    def evaluate(self, request: EvaluationRequest) -> EvaluationAnswer:
        """Blinded elements under the service's key. The proof is not checked here."""
        return self._api.evaluate(request)

    def publish(self, request: PublicationRequest) -> PublicationAnswer:
        """An attester's sealed records. Safe to send again: the same record is stored."""
        return self._api.publish_credentials(request)

    def look_up(self, request: LookupRequest) -> LookupAnswer:
        """A record, or what looks like one, for each token."""
        return self._api.look_up_credentials(request)

    def entries(self, token: str, start: int = 0, limit: int = PAGE_SIZE) -> EntriesPage:
        """One page of the log, for who has the export token."""
        return self._api.export_entries(start, limit, token=token)

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

    def change_request_key(self, message: RequestKeyChange, key: str) -> RequestKeyAnswer:
        """A further request key; the one that signs this request ends after an overlap."""
        return self._api.change_request_key(message, idempotency_key=key)

    def alert(self, message: AlertMessage, key: str) -> AlertAnswer:
        """A sealed memo for the regulator."""
        return self._api.send_alert(message, idempotency_key=key)

    def all_alerts(self, token: str, start: int = 0) -> Iterator[SealedAlert]:
        """Every alert from `start` to the end, for who has the export token. Raises ServiceMisbehaved when one is missing."""
        following = start
        while True:
            page = self._api.get_alerts(following, PAGE_SIZE, token=token)
            if [item.index for item in page.alerts] != list(range(following, following + len(page.alerts))):
                raise _misbehaved(f"an alert from {following} on is missing", f"缺少第 {following} 条起的警示")
            yield from page.alerts
            following += len(page.alerts)
            if page.next is None:
                return
            if page.next != following or not page.alerts:
                raise _misbehaved("the pages of alerts do not join", "警示分页不连续")

    def health(self) -> Health:
        """The process is alive, whether or not it can work."""
        return self._api.get_health()

    def ready(self) -> Ready:
        """It can work. ServiceRefused with slug unavailable when not."""
        return self._api.get_ready()

    def send(self, call: Call, form: type[A]) -> A:
        """One call with its further attempts. One that is not repeatable is repeated only when it cannot have arrived."""
        content, headers = call.content, {"Accept-Language": ENGLISH, **call.headers}
        if content is not None:
            headers["Content-Type"] = call.content_type
        if call.token is not None:
            headers["Authorization"] = f"Bearer {call.token}"
        auth = self._signer if call.signed else None
        pauses = iter(self._backoff.pauses)
        while True:
            pause = next(pauses, None)
            try:
                response = self._http.request(call.method, call.target, content=content, headers=headers, auth=auth)
            except httpx.TransportError as error:
                arrived = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if pause is None or (arrived and not call.repeatable):
                    raise _unreachable(self._http, error) from error
            else:
                if pause is None or not _worth_repeating(response):
                    return _answer(response, form)
            self._backoff.sleep(pause)


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
