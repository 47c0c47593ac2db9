"""The calls of institutions about themselves, and alerts to the regulator."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from schemas import problems
from schemas.answers import AlertAnswer, AlertsPage, RequestKeyAnswer
from schemas.callers import AlertMessage, RequestKeyChange
from service import examples
from service.bodies import SentByAnybody, SentByBank, check_export_token, read_message
from service.institutions.alerts import alerts_page
from service.institutions.rotation import change_key
from service.openapi import OF_WRITES, json_body, problem_answers, success
from service.paging import USUAL_PAGE, PageLength, PageStart
from service.routes import Service, created, found

_CREATED = 201

router = APIRouter(prefix="/v1")


@router.post(
    "/institutions/self/keys",
    summary="Change to a further request key",
    operation_id="change_request_key",
    tags=["institutions"],
    status_code=_CREATED,
    response_model=RequestKeyAnswer,
    responses={
        _CREATED: success("Both keys are good until the old one ends", examples.KEY_CHANGED, replays=True),
        **problem_answers(*OF_WRITES, problems.PROOF_INVALID, problems.ALREADY_EXISTS),
    },
    openapi_extra=json_body(RequestKeyChange, "The new key, which signs that it is this institution's", examples.KEY_CHANGE),
)
def change_request_key(service: Service, sent: SentByAnybody) -> Response:
    """The request is signed with the old key and the body with the new one. The old one ends after an overlap."""
    return created(change_key(service, sent.caller, sent.key, read_message(RequestKeyChange, sent.body)))


@router.post(
    "/alerts",
    summary="Alert the regulator",
    operation_id="send_alert",
    tags=["institutions"],
    status_code=_CREATED,
    response_model=AlertAnswer,
    responses={
        _CREATED: success("Kept for the regulator", examples.ALERTED, replays=True),
        **problem_answers(*OF_WRITES),
    },
    openapi_extra=json_body(AlertMessage, "A memo of one size, sealed to the regulator by the sender", examples.ALERT),
)
def send_alert(service: Service, sent: SentByBank) -> Response:
    """A bank tells the regulator of something, as of a declaration that a stranger presented. Nobody else can read it."""
    message, now = read_message(AlertMessage, sent.body), service.clock()
    answer = AlertAnswer(time=now).model_dump_json().encode("utf-8")
    return created(service.institutions.alert(sent.caller, sent.key, message.memo, answer, now))


@router.get(
    "/alerts",
    summary="Alerts for the regulator",
    operation_id="get_alerts",
    tags=["institutions"],
    dependencies=[Depends(check_export_token)],
    response_model=AlertsPage,
    responses={
        200: success("A page of alerts in order", examples.ALERTS),
        **problem_answers(problems.MALFORMED, problems.UNAUTHORISED),
    },
)
def get_alerts(
    service: Service,
    start: PageStart = 0,
    limit: PageLength = USUAL_PAGE,
) -> Response:
    """Sealed: only the regulator's key opens one. `next` says where the following page starts, or is null at the end."""
    return found(alerts_page(service.storage, start, limit))
