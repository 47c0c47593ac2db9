"""Every operation of the service, typed: generated from its OpenAPI description by `python -m tradeveil.describe`.

What sends a call (parties.common.client) repeats it, reads the answer and raises what a refusal says.
Without a method, since what they take or answer is no message: commit_batch, follow_batch.
"""

from __future__ import annotations

from parties.common.calls import Call, Send, segment
from schemas.answers import (
    AlertAnswer,
    AlertsPage,
    BatchPage,
    DocumentReceipt,
    DocumentStatus,
    DocumentView,
    EntriesPage,
    FinancingAnswer,
    Health,
    OwnerNotice,
    Ready,
    RegistrationAnswer,
    RequestKeyAnswer,
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
from schemas.problems import ProblemDescription, ProblemList
from schemas.wire import encode_base64url


class Api:
    """The service's operations by their operationIds."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def get_alerts(self, from_: int = 0, limit: int = 500, *, token: str) -> AlertsPage:
        """Alerts for the regulator. Sealed: only the regulator's key opens one."""
        call = Call(
            "get_alerts",
            "GET",
            "/v1/alerts",
            repeatable=True,
            query={"from": str(from_), "limit": str(limit)},
            token=token,
        )
        return self._send(call, AlertsPage)

    def send_alert(self, body: AlertMessage, *, idempotency_key: str) -> AlertAnswer:
        """Alert the regulator. A bank tells the regulator of something, as of a declaration that a stranger presented."""
        call = Call(
            "send_alert",
            "POST",
            "/v1/alerts",
            repeatable=True,
            headers={"Idempotency-Key": idempotency_key},
            signed=True,
            body=body,
        )
        return self._send(call, AlertAnswer)

    def get_batch(self, batch: bytes, from_: int = 0, limit: int = 500) -> BatchPage:
        """The answers of a batch. `from` counts lines."""
        call = Call(
            "get_batch",
            "GET",
            f"/v1/batches/{encode_base64url(batch)}",
            repeatable=True,
            query={"from": str(from_), "limit": str(limit)},
            signed=True,
        )
        return self._send(call, BatchPage)

    def publish_credentials(self, body: PublicationRequest) -> PublicationAnswer:
        """Publish sealed records. From an attester."""
        call = Call("publish_credentials", "POST", "/v1/credentials", repeatable=True, signed=True, body=body)
        return self._send(call, PublicationAnswer)

    def look_up_credentials(self, body: LookupRequest) -> LookupAnswer:
        """Find sealed records. An unknown token finds noise of a record's size, always the same: only the right key tells it
        from a record.
        """
        call = Call("look_up_credentials", "POST", "/v1/credentials/lookups", repeatable=True, signed=True, body=body)
        return self._send(call, LookupAnswer)

    def register_documents(self, body: RegistrationRequest, *, idempotency_key: str) -> RegistrationAnswer:
        """Register documents. The attester registers documents with committed limits: all or none."""
        call = Call(
            "register_documents",
            "POST",
            "/v1/documents",
            repeatable=True,
            headers={"Idempotency-Key": idempotency_key},
            signed=True,
            body=body,
        )
        return self._send(call, RegistrationAnswer)

    def get_document(self, document: bytes) -> DocumentStatus:
        """A document's status. Kind, currency, status, financeable or not."""
        call = Call("get_document", "GET", f"/v1/documents/{encode_base64url(document)}", repeatable=True)
        return self._send(call, DocumentStatus)

    def amend_document(self, document: bytes, body: AmendMessage, *, idempotency_key: str) -> DocumentReceipt:
        """Amend a document's limit. The attester commits to another limit."""
        call = Call(
            "amend_document",
            "POST",
            f"/v1/documents/{encode_base64url(document)}/amendments",
            repeatable=True,
            headers={"Idempotency-Key": idempotency_key},
            signed=True,
            body=body,
        )
        return self._send(call, DocumentReceipt)

    def get_notice(self, document: bytes) -> OwnerNotice:
        """The attester's notice for the owner. A sealed memo that the owner alone can open."""
        call = Call("get_notice", "GET", f"/v1/documents/{encode_base64url(document)}/notice", repeatable=True)
        return self._send(call, OwnerNotice)

    def show_overdrawn(self, document: bytes, body: OverdrawnMessage, *, idempotency_key: str) -> DocumentReceipt:
        """Show that a document is overdrawn. The regulator shows that more is drawn than the limit, and not how much more."""
        call = Call(
            "show_overdrawn",
            "POST",
            f"/v1/documents/{encode_base64url(document)}/overdrawn",
            repeatable=True,
            headers={"Idempotency-Key": idempotency_key},
            signed=True,
            body=body,
        )
        return self._send(call, DocumentReceipt)

    def change_status(self, document: bytes, body: ChangeStatusMessage, *, idempotency_key: str) -> DocumentReceipt:
        """Say what became of a document. The attester clears, freezes or deletes a document, or says that the goods came
        back.
        """
        call = Call(
            "change_status",
            "POST",
            f"/v1/documents/{encode_base64url(document)}/status",
            repeatable=True,
            headers={"Idempotency-Key": idempotency_key},
            signed=True,
            body=body,
        )
        return self._send(call, DocumentReceipt)

    def view_document(self, document: bytes, body: ViewMessage) -> DocumentView:
        """A document's private state. For whoever proves to be the owner or the regulator; everybody else is told that there
        is no such document.
        """
        call = Call("view_document", "POST", f"/v1/documents/{encode_base64url(document)}/view", repeatable=False, body=body)
        return self._send(call, DocumentView)

    def export_entries(self, from_: int = 0, limit: int = 500, *, token: str) -> EntriesPage:
        """Export the log. For auditors."""
        call = Call(
            "export_entries",
            "GET",
            "/v1/entries",
            repeatable=True,
            query={"from": str(from_), "limit": str(limit)},
            token=token,
        )
        return self._send(call, EntriesPage)

    def get_evaluation_keys(self) -> EvaluationKeys:
        """Keys of evaluations. Keep what you see: the key of an epoch never changes."""
        call = Call("get_evaluation_keys", "GET", "/v1/evaluation-keys", repeatable=True)
        return self._send(call, EvaluationKeys)

    def evaluate(self, body: EvaluationRequest) -> EvaluationAnswer:
        """Evaluate blinded elements. RFC 9497, P256-SHA256, mode VOPRF."""
        call = Call("evaluate", "POST", "/v1/evaluations", repeatable=True, signed=True, body=body)
        return self._send(call, EvaluationAnswer)

    def commit_financing(self, body: FinancingRequest, *, idempotency_key: str) -> FinancingAnswer:
        """Verify and commit a financing. Every draw with the bank's draft and the headroom proof that answers it: all or
        none are committed.
        """
        call = Call(
            "commit_financing",
            "POST",
            "/v1/financings",
            repeatable=True,
            headers={"Idempotency-Key": idempotency_key},
            signed=True,
            body=body,
        )
        return self._send(call, FinancingAnswer)

    def get_health(self) -> Health:
        """Whether the process is alive. Asks nobody, not even the database: start the process anew when this fails, and not
        when the database does.
        """
        call = Call("get_health", "GET", "/v1/health", repeatable=True)
        return self._send(call, Health)

    def change_request_key(self, body: RequestKeyChange, *, idempotency_key: str) -> RequestKeyAnswer:
        """Change to a further request key. The request is signed with the old key and the body with the new one."""
        call = Call(
            "change_request_key",
            "POST",
            "/v1/institutions/self/keys",
            repeatable=True,
            headers={"Idempotency-Key": idempotency_key},
            signed=True,
            body=body,
        )
        return self._send(call, RequestKeyAnswer)

    def get_parameters(self) -> Genesis:
        """What this log is about. The genesis: check its proofs of possession before you use its keys."""
        call = Call("get_parameters", "GET", "/v1/parameters", repeatable=True)
        return self._send(call, Genesis)

    def list_problems(self) -> ProblemList:
        """Every problem type. All that the service can answer that is not a success, in the language of Accept-Language."""
        call = Call("list_problems", "GET", "/v1/problems", repeatable=True)
        return self._send(call, ProblemList)

    def get_problem(self, slug: str) -> ProblemDescription:
        """One problem type. What it means, where it occurs, what to do, and whether sending again helps."""
        call = Call("get_problem", "GET", f"/v1/problems/{segment(slug)}", repeatable=True)
        return self._send(call, ProblemDescription)

    def get_ready(self) -> Ready:
        """Whether the service can work now. Asks the database."""
        call = Call("get_ready", "GET", "/v1/ready", repeatable=True)
        return self._send(call, Ready)

    def get_statuses(self, body: StatusesRequest) -> StatusesAnswer:
        """The status of many documents. As for one document, for whoever knows the ids."""
        call = Call("get_statuses", "POST", "/v1/statuses", repeatable=True, body=body)
        return self._send(call, StatusesAnswer)

    def take_steps(self, body: StepsRequest, *, idempotency_key: str) -> StepsAnswer:
        """Take the steps of a financing. What happens to a financing before and after its draws: all steps or none are
        taken.
        """
        call = Call(
            "take_steps",
            "POST",
            "/v1/steps",
            repeatable=True,
            headers={"Idempotency-Key": idempotency_key},
            signed=True,
            body=body,
        )
        return self._send(call, StepsAnswer)
