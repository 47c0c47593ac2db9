"""Every form of message in the project, and for each: values of it at random, one full sample, and all that is wrong for it.

All is read from the fields' own annotations, so a new message, or a new field of one, is tested without being listed anywhere.
Bytes of a point's size are points: a message made here can be decoded, though no proof in it holds.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import parties
import schemas
import service
from schemas.wire import Base64Url, Message, SecretMessage, encode_base64url
from zkcore import engine
from zkcore.group import ELEMENT_SIZE

SUITE = engine.load()
POINTS = [SUITE.group.mul(factor, SUITE.G).encode() for factor in range(1, 17)]
WORDS = ("USD", "planted-word", "0123456789abcdef", "PLANTED WORDS")
"""Text for the samples: every pattern of a field fits one of them."""
NUMBER = 271_828_182
"""A number that stands in no sample by accident."""
Path = tuple[str | int, ...]


@cache
def message_classes() -> tuple[type[Message], ...]:
    """Every message of the schemas, the service and the parties, in order of name."""
    for package in (schemas, service, parties):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    found = {form for form in _below(Message) if not form.__module__.startswith("tests.")} - {SecretMessage}
    return tuple(sorted(found, key=lambda form: (form.__module__, form.__qualname__)))


def secret_classes() -> list[type[Message]]:
    """Those that must not print."""
    return [form for form in message_classes() if issubclass(form, SecretMessage)]


def _below(form: type[Message]) -> Iterator[type[Message]]:
    for child in form.__subclasses__():
        yield child
        yield from _below(child)


def name(form: type[Message]) -> str:
    """How a test of this form is called."""
    return f"{form.__module__}.{form.__qualname__}"


# --- what a field may hold ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Form:
    """A type with its bounds. `least` and `most`: of a number itself, or of the length of text, bytes or a list."""

    base: Any
    least: int | None = None
    most: int | None = None
    octets: bool = False
    pattern: str | None = None

    @property
    def is_model(self) -> bool:
        return isinstance(self.base, type) and issubclass(self.base, BaseModel)

    @property
    def options(self) -> tuple[Form, ...]:
        """What a union is of; otherwise the form alone."""
        if get_origin(self.base) in (Union, types.UnionType):
            return tuple(form_of(option) for option in get_args(self.base))
        return (self,)

    @property
    def chosen(self) -> Form:
        """The first option that is something."""
        return next(option for option in self.options if option.base is not type(None))

    @property
    def optional(self) -> bool:
        return any(option.base is type(None) for option in self.options)


def form_of(annotation: Any, metadata: tuple[Any, ...] = ()) -> Form:
    """The form that an annotation describes."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return form_of(inner, (*metadata, *more))
    flat = [part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
    least: Any = None  # a bound of a number may be of any type that compares; all here are whole numbers
    most: Any = None
    pattern: str | None = None
    octets = False
    for item in flat:
        match item:
            case Base64Url():
                least, most, octets = item.least, item.most, True
            case Ge(bound):
                least = bound
            case Gt(bound):
                least = int(str(bound)) + 1
            case Le(bound):
                most = bound
            case Lt(bound):
                most = int(str(bound)) - 1
            case MinLen(bound):
                least = bound
            case MaxLen(bound):
                most = bound
            case _:
                pattern = getattr(item, "pattern", pattern)
    return Form(annotation, least, most, octets, pattern)


def fields(form: type[BaseModel]) -> dict[str, Form]:
    """The forms of a message's fields."""
    return {name: form_of(field.annotation, tuple(field.metadata)) for name, field in form.model_fields.items()}


# --- values at random -----------------------------------------------------------------------------------------------------

printable = st.characters(categories=("L", "N", "P", "S"))
objects = st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), max_size=3)


@cache
def messages(form: type[Message]) -> st.SearchStrategy[Message]:
    """Valid messages of this form."""
    return st.builds(form, **{name: values(field) for name, field in fields(form).items()})


def values(form: Form) -> st.SearchStrategy[Any]:
    """Valid values of this form."""
    if form.octets:
        return _octets(form)
    if len(form.options) > 1:
        return st.one_of([values(option) for option in form.options])
    if form.is_model:
        return messages(form.base)
    match get_origin(form.base) or form.base:
        case types.NoneType:
            return st.none()
        case origin if origin is Literal:
            return st.sampled_from(get_args(form.base))
        case origin if origin is list:
            least = form.least or 0
            return st.lists(values(form_of(*get_args(form.base))), min_size=least, max_size=max(least, min(2, form.most or 2)))
        case origin if origin is dict:
            key, value = get_args(form.base)
            return objects if value is Any else st.dictionaries(values(form_of(key)), values(form_of(value)), max_size=3)
        case base if base is bool:
            return st.booleans()
        case base if base is int:
            return st.integers(form.least, form.most if form.most is not None else (1 << 53) - 1)
        case base if base is str and form.pattern is not None:
            return st.from_regex(re.compile(form.pattern, re.ASCII), fullmatch=True).filter(lambda text: "\n" not in text)
        case base if base is str:
            return st.text(printable, min_size=form.least or 0, max_size=min(form.most or 20, 20))
    raise NotImplementedError(f"a value of {form}")


def _octets(form: Form) -> st.SearchStrategy[bytes]:
    least, most = form.least or 0, form.most or 0
    if least == most and least % ELEMENT_SIZE == 0 and least <= 3 * ELEMENT_SIZE:
        return st.lists(st.sampled_from(POINTS), min_size=least // ELEMENT_SIZE, max_size=least // ELEMENT_SIZE).map(b"".join)
    if most <= 64:
        return st.binary(min_size=least, max_size=most)
    sizes = st.integers(least, most) if least == most else st.sampled_from(sorted({least, least + 1, 65, most}))
    return st.builds(lambda size, seed: bytes((seed + i * i) % 256 for i in range(size)), sizes, st.integers(0, 255))


# --- one full sample, and all its places ----------------------------------------------------------------------------------


def sample(form: Form) -> Any:
    """One value of this form as JSON has it, with every optional field there and one item in every list."""
    if form.octets:
        return encode_base64url(_sample_octets(form))
    form = form.chosen
    if form.octets:
        return sample(form)
    if form.is_model:
        return {name: sample(field) for name, field in fields(form.base).items()}
    match get_origin(form.base) or form.base:
        case origin if origin is Literal:
            return get_args(form.base)[0]
        case origin if origin is list:
            return [sample(form_of(*get_args(form.base)))]
        case origin if origin is dict:
            value = get_args(form.base)[1]
            return {"planted": "PLANTED WORDS"} if value is Any else {"0110": sample(form_of(value))}
        case base if base is bool:
            return True
        case base if base is int:
            return NUMBER if form.most is None else min(NUMBER, form.most)
        case base if base is str:
            word = next(word for word in reversed(WORDS) if form.pattern is None or re.fullmatch(form.pattern, word, re.ASCII))
            return word[: form.most]
    raise NotImplementedError(f"a sample of {form}")


def _sample_octets(form: Form) -> bytes:
    size = form.least or 0
    if size % ELEMENT_SIZE == 0 and size <= 3 * ELEMENT_SIZE:
        return b"".join(POINTS[: size // ELEMENT_SIZE])
    return bytes((0xA7 + 29 * i) % 256 for i in range(max(size, 20) if form.most and form.most > 20 else size))


def full(form: type[Message]) -> dict[str, Any]:
    """One full message of this form as JSON has it."""
    return dict(sample(Form(form)))


def places(form: Form, path: Path = ()) -> Iterator[tuple[Path, Form]]:
    """Every place in a sample with its form, from the outside in."""
    yield path, form
    chosen = form.chosen
    if chosen.octets:
        return
    if chosen.is_model:
        for field_name, field in fields(chosen.base).items():
            yield from places(field, (*path, field_name))
    elif get_origin(chosen.base) is list:
        yield from places(form_of(*get_args(chosen.base)), (*path, 0))


def at(value: Any, path: Path) -> Any:
    """What stands at a place."""
    for step in path:
        value = value[step]
    return value


def with_value(value: Any, path: Path, changed: Any) -> Any:
    """The same JSON with another value at one place."""
    if not path:
        return changed
    copied: Any = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = with_value(value[path[0]], path[1:], changed)
    return copied


# --- what is wrong for a form ---------------------------------------------------------------------------------------------


def wrong_values(form: Form, good: Any) -> Iterator[tuple[str, Any]]:
    """Values that do not belong where `good` stands, each with its name."""
    if not form.optional:
        yield "null", None
    chosen = form.chosen
    kind = "bytes" if chosen.octets else "object" if chosen.is_model else get_origin(chosen.base) or chosen.base
    if kind in (dict, "object"):
        yield from [("true", True), ("a number", 1), ("text", "{}"), ("a list", []), ("itself in a list", [good])]
        return
    yield "an object", {}
    yield "a float", 1.0
    yield "NaN", float("nan")
    if kind is not bool:
        yield from [("true", True), ("false", False)]
    if kind is list:
        yield from [("text", "[]"), ("its item alone", good[0]), ("an object of items", {"0": good[0]})]
        yield from [("too many", good * (chosen.most + 1))] if chosen.most else []
        yield from [("too few", [])] if chosen.least else []
        return
    yield from [("a list", []), ("itself in a list", [good])]
    if kind is int:
        yield from _wrong_numbers(chosen, good)
    elif kind is not Literal or not isinstance(good, int):
        yield from [("zero", 0), ("one", 1), ("a huge number", 10**4_000)]
    if kind == "bytes":
        yield from _wrong_octets(chosen, good)
    elif isinstance(good, str):
        yield from _wrong_texts(chosen, good)


def _wrong_numbers(form: Form, good: int) -> Iterator[tuple[str, Any]]:
    yield from [
        ("as text", str(good)),
        ("as a float", float(good)),
        ("2**53", 1 << 53),
        ("2**64", 1 << 64),
        ("infinity", 1e400),
    ]
    yield from [("10**4000", 10**4_000), ("minus one", -1)]
    yield from [("below", form.least - 1)] if form.least is not None else []
    yield from [("above", form.most + 1)] if form.most is not None else []


def _wrong_octets(form: Form, good: str) -> Iterator[tuple[str, Any]]:
    yield from [("padded", good + "="), ("a line feed", good + "\n"), ("a space", " " + good), ("NUL", good + "\0")]
    yield "another alphabet", "+/" + good[2:]
    yield "a byte too few", encode_base64url(bytes((form.least or 1) - 1))
    yield "a byte too many", encode_base64url(bytes((form.most or 0) + 1))
    yield "very long", "A" * 100_000
    if len(good) % 4:
        yield "stray bits", good[:-1] + chr(ord(good[-1]) + 1) if good[-1] not in "Z9z-_" else good[:-1] + "B"


def _wrong_texts(form: Form, good: str) -> Iterator[tuple[str, Any]]:
    yield "bytes", good.encode()
    if form.base is not str or form.pattern is not None or form.most is not None:
        yield "half a character", "\ud800"
    if form.base is not str:
        yield from [("another word", good + "x"), ("upper case", good.upper())]
    if form.pattern is not None or form.base is not str:
        yield from [
            ("empty", ""),
            ("a line feed", good + "\n"),
            ("NUL", good + "\0"),
            ("a letter of another script", "а" + good),
        ]
    elif form.most is not None:
        yield "too long", "x" * (form.most + 1)
    if form.base is str and form.least:
        yield "empty", ""
