"""A message with a secret prints its name and nothing else, and what is wrong with one is told without quoting it.

Must hold for every secret message of the schemas and the parties: no field shows in repr, str or what pretty printers and
tracebacks show; no refused value shows in a validation error. A failure would be an amount, a name or a key in a terminal or a
log. Names of fields may show. So may what the holder of a message asks it for (a field, a dump): that is what it is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from rich.pretty import pretty_repr

from schemas.wire import Message, SecretMessage
from tests.schemas.forms import (
    NUMBER,
    Form,
    at,
    fields,
    full,
    message_classes,
    messages,
    name,
    places,
    secret_classes,
    with_value,
)

every_secret = pytest.mark.parametrize("form", secret_classes(), ids=name)
PLANTED = "planted-secret-7351"
WRONG: list[Any] = [
    PLANTED,
    [PLANTED],
    {PLANTED: PLANTED},
    PLANTED.encode(),
    7351.7351,
    -7351,
    7351 << 64,
    PLANTED * 10_000,
    None,
]


def leaves(value: Any) -> Iterator[Any]:
    """Everything in a message that is no container."""
    if isinstance(value, BaseModel):
        for _, inner in value:
            yield from leaves(inner)
    elif isinstance(value, list | dict):
        for inner in value if isinstance(value, list) else value.values():
            yield from leaves(inner)
    else:
        yield value


def shown(message: object) -> list[str]:
    """All the ways in which a message comes to be printed."""
    plain = [repr(message), str(message), f"{message}", f"{message!r:>5}", repr([message]), repr({"key": message})]
    return [*plain, pretty_repr(message), pretty_repr([message]), pretty_repr({"key": message}, max_width=20)]


def test_secret_messages_are_found() -> None:
    assert {"Credential", "KeysFile", "FinancingRecord", "WalletFile", "DocumentRecord"} <= {
        form.__name__ for form in secret_classes()
    }


@every_secret
def test_a_secret_message_shows_its_name_alone(form: type[Message]) -> None:
    message = form.model_validate(full(form))
    told = [leaf for leaf in leaves(message) if leaf == NUMBER or (isinstance(leaf, str | bytes) and len(leaf) >= 8)]
    hidden = f"{form.__name__}(hidden)"
    assert repr(message) == hidden
    for text in shown(message):
        assert text.replace(hidden, "").replace(f"{form.__name__}()", "").strip(" []{}':,\nkey") == ""
        for leaf in told:
            assert str(leaf) not in text
            assert repr(leaf) not in text


@every_secret
@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_value_changes_what_is_shown(form: type[Message], data: st.DataObject) -> None:
    one, two = data.draw(messages(form)), data.draw(messages(form))
    assert shown(one) == shown(two)


@every_secret
def test_a_refused_value_is_not_quoted(form: type[Message]) -> None:
    """Every place with every planted value, refused alone; and the whole replaced.

    Where a form is named that there is none of, its name is quoted: it is one of a handful of words of ours, and no value.
    """
    message = full(form)
    for path, _ in places(Form(form)):
        for wrong in WRONG:
            try:
                form.model_validate(with_value(message, path, wrong))
            except ValidationError as error:
                if any(item["type"] == "union_tag_invalid" for item in error.errors(include_input=False)):
                    continue
                text = str(error) + repr(error)
                assert "7351" not in text.replace(f".{PLANTED}", "").replace(f"\n{PLANTED}\n", ""), path
    with pytest.raises(ValidationError) as refused:
        form.model_validate({**message, "surplus": PLANTED})
    assert "7351" not in str(refused.value) + repr(refused.value)
    with pytest.raises(ValidationError) as refused:
        form.model_validate_json(f'{{"amount": {PLANTED}}}')
    assert "7351" not in str(refused.value) + repr(refused.value)


def test_no_open_message_holds_a_secret_one() -> None:
    """Its validation errors would quote what stands in it."""
    for form in message_classes():
        if not issubclass(form, SecretMessage):
            inner = [field.chosen.base for _, field in places(Form(form)) if field.chosen.is_model]
            assert not any(issubclass(found, SecretMessage) for found in inner), form


def test_no_field_of_a_secret_message_is_left_out() -> None:
    """The planted values reach every field: a sample holds them all."""
    for form in secret_classes():
        message = full(form)
        assert all(at(message, (field,)) is not None for field in fields(form))
