"""Every message is read back as it was written, and nothing else is read as one.

Must hold for every form of message, also of those that parties keep in their homes: encoding and decoding are inverse; a wrong
type, length, spelling or number, an unknown field and a missing one are refused; so is a point that is none, when decoded. A
failure would be a second spelling of one value, a number that two readers see differently, or a field that passes unread. Which
of two errors is named is no failure, nor is a proof that does not hold: nothing is verified here.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from schemas.canonical import canonical, parse_strict
from schemas.messages import (
    CloseMessage,
    ConsentMessage,
    DraftMessage,
    DrawMessage,
    HeadroomMessage,
    MemosMessage,
    ReduceMessage,
    RegisterMessage,
    ViewMessage,
)
from schemas.wire import Message, decode_base64url, encode_base64url
from tests.schemas.forms import (
    SUITE,
    Form,
    at,
    fields,
    full,
    message_classes,
    messages,
    name,
    places,
    with_value,
    wrong_values,
)
from zkcore.errors import PointError
from zkcore.group import ELEMENT_SIZE

GROUP = SUITE.group
every_form = pytest.mark.parametrize("form", message_classes(), ids=name)
OPERATIONS: list[Any] = [
    RegisterMessage,
    ConsentMessage,
    DraftMessage,
    HeadroomMessage,
    DrawMessage,
    ReduceMessage,
    CloseMessage,
    ViewMessage,
]
every_operation = pytest.mark.parametrize("form", OPERATIONS, ids=name)


# --- all messages ---------------------------------------------------------------------------------------------------------


def test_all_messages_are_found() -> None:
    """A model with the framework's own leniency would be tested nowhere here."""
    assert len(message_classes()) > 50
    loose = [form for form in BaseModel.__subclasses__() if form.__module__.split(".")[0] in ("schemas", "service", "parties")]
    assert loose == [Message]


@every_form
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_was_written_is_read(form: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(form))
    written = canonical(message)
    assert form.model_validate(parse_strict(written)) == message
    assert canonical(form.model_validate(parse_strict(written))) == written
    assert form.model_validate(parse_strict(message.model_dump_json(indent=2).encode())) == message


@every_form
def test_what_does_not_belong_there_is_refused(form: type[Message]) -> None:
    message = full(form)
    form.model_validate(message)
    for path, field in places(Form(form)):
        for what, value in wrong_values(field, at(message, path)):
            try:
                form.model_validate(with_value(message, path, value))
            except ValidationError:
                continue
            pytest.fail(f"{what} passes at {path}")


@every_form
def test_unknown_and_missing_fields_are_refused(form: type[Message]) -> None:
    message = full(form)
    for path, field in places(Form(form)):
        chosen = field.chosen
        if not chosen.is_model:
            continue
        here = at(message, path)
        with pytest.raises(ValidationError, match="extra_forbidden"):
            form.model_validate(with_value(message, path, {**here, "surplus": None}))
        for missing in fields(chosen.base):
            rest = {key: value for key, value in here.items() if key != missing}
            if chosen.base.model_fields[missing].is_required():
                with pytest.raises(ValidationError, match="missing"):
                    form.model_validate(with_value(message, path, rest))


@pytest.mark.parametrize("form", [form for form in message_classes() if form.__module__.startswith("schemas.")], ids=name)
def test_text_that_travels_is_bounded(form: type[Message]) -> None:
    """The bound is also what makes the framework look at each character, and refuse half a one."""
    for path, field in places(Form(form)):
        chosen = field.chosen
        assert chosen.base is not str or chosen.pattern is not None or chosen.most is not None, path


@every_form
def test_a_message_does_not_change(form: type[Message]) -> None:
    message = form.model_validate(full(form))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(message, next(iter(fields(form))), None)


# --- operations -----------------------------------------------------------------------------------------------------------


@every_operation
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_messages_and_operations_are_two_forms_of_one_thing(form: Any, data: st.DataObject) -> None:
    message: Any = data.draw(messages(form))
    operation = message.decode(GROUP)
    assert form.of(operation) == message
    assert form.of(operation).decode(GROUP) == operation


@settings(max_examples=5)
@given(messages(MemosMessage))
def test_memos_come_back(message: Any) -> None:
    assert MemosMessage.of(message.decode()) == message


BAD_POINTS = {
    "the identity": bytes(33),
    "prefix 04": b"\x04" + bytes(31) + b"\x01",
    "x above the prime": b"\x02" + b"\xff" * 32,
    "not on the curve": b"\x02" + bytes(31) + b"\x05",
}


@every_operation
def test_a_point_that_is_none_is_refused_when_decoded(form: Any) -> None:
    """Each place of each field of points, with each kind of bad point; the form alone cannot tell."""
    message = full(form)
    found = 0
    for path, field in places(Form(form)):
        octets = field.chosen
        if not octets.octets or octets.least not in (ELEMENT_SIZE, 3 * ELEMENT_SIZE):
            continue
        good = decode_base64url(at(message, path))
        for start in range(0, len(good), ELEMENT_SIZE):
            found += 1
            for bad in BAD_POINTS.values():
                changed = good[:start] + bad + good[start + ELEMENT_SIZE :]
                decoded = form.model_validate(with_value(message, path, encode_base64url(changed)))
                with pytest.raises(PointError):
                    decoded.decode(GROUP)
    assert found or form in (CloseMessage, ViewMessage)
