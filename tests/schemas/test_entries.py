"""Every operation survives the wire, and every entry of the log has one encoding.

Must hold: operation -> message -> JSON -> message -> operation comes back to the same, with either engine; an entry reads back
from its canonical bytes and from no others. A failure would be a field lost on the way, or one entry with two hashes. Whether
proofs hold is not asked here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.canonical import canonical, parse_strict
from schemas.entries import (
    MAXIMUM_ENTRY_SIZE,
    Amended,
    AnyEntry,
    Applied,
    Closed,
    Decided,
    Disbursed,
    Drawn,
    Expired,
    Reduced,
    Registered,
    ShownOverdrawn,
    StatusChanged,
    decode_entry,
    encode_entry,
)
from schemas.messages import (
    AmendMessage,
    ApplyMessage,
    ChangeStatusMessage,
    CloseMessage,
    DecideMessage,
    DisburseMessage,
    DrawMessage,
    ExpireMessage,
    OverdrawnMessage,
    ReduceMessage,
    RegisterMessage,
    ViewMessage,
)
from tests.builders import (
    ANYBODY,
    NOW,
    make_amend,
    make_apply,
    make_close,
    make_decide,
    make_disburse,
    make_draw,
    make_kind,
    make_moved_draw,
    make_overdrawn,
    make_reduce,
    make_register,
    make_status,
    make_view,
    make_world,
)
from tests.schemas.forms import messages
from zkcore import engine
from zkcore.errors import EncodingError, PointError
from zkcore.operations import Expire

SUITE = engine.load()
WORLD = make_world(SUITE)
DOCUMENT = make_register(WORLD, 100_000)
PAPER = DOCUMENT.committed()
DRAW = make_draw(WORLD, PAPER, 60_000)
CONSENTED = make_draw(WORLD, PAPER, 60_000, consented=True)
DRAWN, RESERVED = DRAW.committed()
MOVED = make_moved_draw(WORLD, make_register(WORLD, 100_000).committed(), RESERVED)
DISBURSED, PART = make_disburse(WORLD, DRAWN, RESERVED), make_disburse(WORLD, DRAWN, RESERVED, 1)
_, LOAN = DISBURSED.committed(DRAWN, RESERVED)
LOWERED = make_amend(WORLD, DRAWN, 100_000, 1)
APPLIED = make_apply(WORLD, PAPER)
REDUCTION = make_reduce(WORLD, DRAWN, LOAN, 60_000)
REDUCED, SETTLED = REDUCTION.committed(WORLD, DRAWN, LOAN)
CLOSE = make_close(WORLD, REDUCED, SETTLED)


@dataclass(frozen=True)
class Trip:
    """A kind of message and an operation to send in it."""

    form: Any
    operation: Any


TRIPS = {
    "register": Trip(RegisterMessage, DOCUMENT.operation),
    "draw": Trip(DrawMessage, DRAW.operation),
    "consented draw": Trip(DrawMessage, CONSENTED.operation),
    "moved draw": Trip(DrawMessage, MOVED.operation),
    "status": Trip(ChangeStatusMessage, make_status(WORLD, PAPER, "frozen")),
    "replaced": Trip(ChangeStatusMessage, make_status(WORLD, PAPER, "deleted", WORLD.identifier())),
    "amend": Trip(AmendMessage, LOWERED.operation),
    "overdrawn": Trip(OverdrawnMessage, make_overdrawn(WORLD, LOWERED.committed(DRAWN))),
    "apply": Trip(ApplyMessage, APPLIED.operation),
    "decide": Trip(DecideMessage, make_decide(WORLD, PAPER, APPLIED.committed(), APPLIED.key, "accepted")),
    "disburse": Trip(DisburseMessage, DISBURSED.operation),
    "disburse part": Trip(DisburseMessage, PART.operation),
    "expire": Trip(ExpireMessage, Expire(RESERVED.state.draw)),
    "reduce": Trip(ReduceMessage, REDUCTION.operation),
    "close": Trip(CloseMessage, CLOSE),
    "view": Trip(ViewMessage, make_view(WORLD, PAPER)),
}


@pytest.mark.parametrize("name", TRIPS)
@pytest.mark.parametrize("engine_name", engine.available())
def test_an_operation_survives_the_wire(name: str, engine_name: str) -> None:
    trip, group = TRIPS[name], engine.load(engine_name).group
    sent = trip.form.of(trip.operation)
    read = trip.form.model_validate(parse_strict(canonical(sent)))
    assert read == sent
    assert trip.form.of(read.decode(group)) == sent
    if engine_name == SUITE.engine:
        assert read.decode(group) == trip.operation


@pytest.mark.parametrize(
    "name, path",
    [
        ("register", ("attester",)),
        ("register", ("owner",)),
        ("register", ("limit",)),
        ("consented draw", ("draft", "key")),
        ("consented draw", ("draft", "amount")),
        ("consented draw", ("draft", "consent", "asked")),
        ("draw", ("headroom", "left")),
        ("reduce", ("amount",)),
        ("status", ("attester",)),
        ("amend", ("attester",)),
        ("amend", ("limit",)),
        ("overdrawn", ("over",)),
        ("apply", ("key",)),
        ("disburse part", ("rest",)),
    ],
)
def test_what_is_no_point_is_refused_when_decoded(name: str, path: tuple[str, ...]) -> None:
    trip = TRIPS[name]
    value = json.loads(canonical(trip.form.of(trip.operation)))
    place = value
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = "A" * len(place[path[-1]])  # all zero bytes
    with pytest.raises(PointError):
        trip.form.model_validate(value).decode(SUITE.group)


def test_a_replacement_that_is_absent_is_null() -> None:
    """32 zero bytes would be a second way to write it."""
    value = json.loads(canonical(ChangeStatusMessage.of(TRIPS["status"].operation)))
    assert value["replacement"] is None
    with pytest.raises(EncodingError):
        ChangeStatusMessage.model_validate({**value, "replacement": "A" * 43}).decode(SUITE.group)


def _caller(entry: Any) -> dict[str, bytes]:
    """Who called, in the entries that banks make."""
    return {"caller": ANYBODY} if "caller" in entry.model_fields else {}


WRITTEN: dict[str, Any] = {
    "register": Registered,
    "draw": Drawn,
    "consented draw": Drawn,
    "moved draw": Drawn,
    "status": StatusChanged,
    "replaced": StatusChanged,
    "amend": Amended,
    "overdrawn": ShownOverdrawn,
    "apply": Applied,
    "decide": Decided,
    "disburse": Disbursed,
    "disburse part": Disbursed,
    "reduce": Reduced,
    "close": Closed,
    "expire": Expired,
}
ENTRIES: dict[str, AnyEntry] = {
    "genesis": WORLD.genesis,
    **{
        name: entry(time=NOW, body=TRIPS[name].form.of(TRIPS[name].operation), **_caller(entry))
        for name, entry in WRITTEN.items()
    },
}


def test_there_is_one_of_every_entry() -> None:
    assert {type(entry) for entry in ENTRIES.values()} == set(get_args(AnyEntry))


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_has_one_encoding(name: str) -> None:
    data = encode_entry(ENTRIES[name])
    assert decode_entry(data) == ENTRIES[name]
    assert encode_entry(decode_entry(data)) == data
    value = json.loads(data)
    others = [
        json.dumps(value).encode(),  # spaces
        json.dumps(dict(reversed(value.items())), separators=(",", ":")).encode(),  # another order
        data + b"\n",
        b" " + data,
        data.replace(b'"type"', b'"\\u0074ype"'),
        data[:-1],
        data + data,
        data.replace(b'"time":', b'"time":1,"time":', 1),
        data.replace(f'"time":{NOW}'.encode(), f'"time":{NOW}.0'.encode()),
        data.replace(b'"type":"', b'"type":"x', 1),
        data[:-1] + b',"zzz":1}',
    ]
    for other in others:
        assert other != data
        with pytest.raises(EncodingError):
            decode_entry(other)


def test_an_entry_is_bounded() -> None:
    with pytest.raises(EncodingError):
        decode_entry(b'"' + b"a" * 70_000 + b'"')
    for name, entry in ENTRIES.items():
        assert len(encode_entry(entry)) <= 65_535, name


# --- whatever is read -----------------------------------------------------------------------------------------------------

FORMS: list[Any] = list(get_args(AnyEntry))


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(data=st.data(), form=st.sampled_from(FORMS))
def test_any_entry_reads_back(data: st.DataObject, form: Any) -> None:
    entry: Any = data.draw(messages(form))
    assert decode_entry(encode_entry(entry)) == entry


def only_as_it_stands(data: bytes) -> None:
    """What is read is written again as the same bytes; whatever else is refused, in zkcore's own family."""
    try:
        entry = decode_entry(data)
    except EncodingError:
        return
    assert encode_entry(entry) == data


@settings(max_examples=150)
@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_anything_at_all_is_an_entry_or_refused(data: bytes) -> None:
    only_as_it_stands(data)


@settings(max_examples=150)
@given(name=st.sampled_from(sorted(ENTRIES)), place=st.integers(0, 400), octet=st.binary(max_size=2), cut=st.integers(0, 2))
def test_a_bent_entry_is_another_or_refused(name: str, place: int, octet: bytes, cut: int) -> None:
    data = encode_entry(ENTRIES[name])
    start = place % len(data)
    only_as_it_stands(data[:start] + octet + data[start + cut :])


def test_an_entry_that_is_too_long_is_not_written() -> None:
    longest = WORLD.genesis.model_copy(update={"kinds": [make_kind("freight-bill", restores=["released"] * 6_000)]})
    assert len(canonical(longest)) > MAXIMUM_ENTRY_SIZE
    with pytest.raises(EncodingError):
        encode_entry(longest)
