"""parties/common/api.py: one method an operation of the OpenAPI description, over the messages that schemas/ has already.

An operation becomes a method by its operationId. Its parameters: those of the path, the body, the query, then by name the
token and the headers that it needs. An `id` in a path is called by what it is the id of. What a transport adds to every call is
left to it. Operations whose body or answer is no JSON message (lines, a stream, a file) have no method; the module names them.
"""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from schemas import answers, authenticity, callers, entries, messages, problems

_KNOWN: tuple[ModuleType, ...] = (answers, authenticity, callers, entries, messages, problems)
_OF_TRANSPORT = frozenset({"accept-language", "authorization", "content-digest", "signature", "signature-input"})
_TYPES = {"string": "str", "integer": "int", "boolean": "bool"}
_SAFE = frozenset({"get", "head"})
_KEY = "Idempotency-Key"
_BEARER, _SIGNATURE = "HTTPBearer", "RequestSignature"
_LONGEST = 128

_HEAD = '''"""Every operation of the service, typed: generated from its OpenAPI description by `python -m tradeveil.describe`.

What sends a call (parties.common.client) repeats it, reads the answer and raises what a refusal says.{without}
"""

from __future__ import annotations

from parties.common.calls import Call, Send{segment}
{imports}

class Api:
    """The service's operations by their operationIds."""

    def __init__(self, send: Send) -> None:
        self._send = send
'''


class Inexpressible(Exception):
    """The description has something that a method cannot say yet."""


@dataclass(frozen=True)
class _Parameter:
    """A parameter of a method. `wire`: the expression of its text on the wire; `default`: as source, or None where required."""

    name: str
    type: str
    wire: str
    default: str | None = None

    @property
    def source(self) -> str:
        return f"{self.name}: {self.type}" + ("" if self.default is None else f" = {self.default}")


def client_code(document: dict[str, Any]) -> str:
    """The module's source for this description. Raises Inexpressible."""
    methods, without, used = [], [], set[str]()
    for path, item in sorted(document["paths"].items()):
        for verb, operation in sorted(item.items()):
            answer = _answer(operation)
            if answer is None or not _takes_json(operation):
                without.append(operation["operationId"])
                continue
            body = _body(operation)
            used |= {answer} if body is None else {answer, body}
            methods.append(_method(path, verb, operation, answer, body))
    source = "".join(methods)
    named = f"\nWithout a method, since what they take or answer is no message: {', '.join(without)}." if without else ""
    segment = ", segment" if "segment(" in source else ""
    return _HEAD.format(without=named, segment=segment, imports=_imports(used, source)) + source


def _imports(used: set[str], source: str) -> str:
    lines = []
    for module in _KNOWN:
        names = sorted(
            name for name in used if vars(module).get(name) is not None and vars(module)[name].__module__ == module.__name__
        )
        if names:
            lines.append(_wrapped(f"from {module.__name__} import ", names))
    if "encode_base64url(" in source:
        lines.append("from schemas.wire import encode_base64url\n")
    return "".join(lines)


def _wrapped(start: str, names: list[str]) -> str:
    line = start + ", ".join(names) + "\n"
    return line if len(line) <= _LONGEST else f"{start}(\n" + "".join(f"    {name},\n" for name in names) + ")\n"


def _answer(operation: dict[str, Any]) -> str | None:
    """The name of the message that a success is, or None where it is something else."""
    ((_, success),) = ((status, answer) for status, answer in operation["responses"].items() if status.startswith("2"))
    schema = success.get("content", {}).get("application/json", {}).get("schema", {})
    return _message(schema["$ref"]) if "$ref" in schema else None


def _takes_json(operation: dict[str, Any]) -> bool:
    return "requestBody" not in operation or "application/json" in operation["requestBody"]["content"]


def _body(operation: dict[str, Any]) -> str | None:
    if "requestBody" not in operation:
        return None
    return _message(operation["requestBody"]["content"]["application/json"]["schema"]["$ref"])


def _message(reference: str) -> str:
    name = reference.removeprefix("#/components/schemas/")
    if not any(name in vars(module) for module in _KNOWN):
        raise Inexpressible(f"{name} is in none of the modules that the client takes its messages from")
    return name


def _method(path: str, verb: str, operation: dict[str, Any], answer: str, body: str | None) -> str:
    parameters = operation.get("parameters", [])
    inside = [_parameter(item, path) for item in parameters if item["in"] == "path"]
    query = {item["name"]: _parameter(item, path) for item in parameters if item["in"] == "query"}
    headers = {item["name"]: _parameter(item, path) for item in parameters if _is_header(item)}
    schemes = {name for scheme in operation.get("security", []) for name in scheme}
    token, signed = ["token: str"] if _BEARER in schemes else [], _SIGNATURE in schemes
    positional = (
        [item.source for item in inside] + ([f"body: {body}"] if body else []) + [item.source for item in query.values()]
    )
    named = token + [item.source for item in headers.values()]
    signature = ["self", *positional, *(["*", *named] if named else [])]
    arguments = [f'"{operation["operationId"]}"', f'"{verb.upper()}"', _path(path, inside)]
    arguments.append(f"repeatable={verb in _SAFE or _KEY in headers or operation.get('x-repeatable', False)}")
    arguments += [f"query={_mapping(query)}"] if query else []
    arguments += [f"headers={_mapping(headers)}"] if headers else []
    arguments += (["token=token"] if token else []) + (["signed=True"] if signed else [])
    arguments += ["body=body"] if body else []
    lines = [
        *_fitted(f"    def {operation['operationId']}(", signature, f") -> {answer}:"),
        *_docstring(operation),
        *_fitted("        call = Call(", arguments, ")"),
        f"        return self._send(call, {answer})",
    ]
    return "\n" + "\n".join(lines) + "\n"


def _fitted(start: str, items: list[str], end: str) -> Iterator[str]:
    """A list in brackets: on one line, or where it is too long for that, each item on a line of its own."""
    line = start + ", ".join(items) + end
    if len(line) <= _LONGEST:
        yield line
        return
    indent = " " * (len(start) - len(start.lstrip()))
    yield start
    yield from (f"{indent}    {item}," for item in items)
    yield indent + end


def _docstring(operation: dict[str, Any]) -> Iterator[str]:
    """Summary and the description's first sentence."""
    first = re.split(r"(?<=[.])\s", operation["description"].strip(), maxsplit=1)[0]
    said = f'"""{operation["summary"]}. {first}'
    lines = textwrap.wrap(said, _LONGEST - len('        """'), break_long_words=False, break_on_hyphens=False)
    yield from (f"        {line}" for line in lines[:-1])
    yield f'        {lines[-1]}"""' if len(lines) == 1 else f"        {lines[-1]}"
    if len(lines) > 1:
        yield '        """'


def _is_header(item: dict[str, Any]) -> bool:
    return item["in"] == "header" and item["name"].lower() not in _OF_TRANSPORT


def _parameter(item: dict[str, Any], path: str) -> _Parameter:
    name, schema = _name(item["name"], path), item["schema"]
    if schema.get("contentEncoding") == "base64url":
        found = _Parameter(name, "bytes", f"encode_base64url({name})")
    elif schema.get("type") in _TYPES:
        kind = _TYPES[schema["type"]]
        found = _Parameter(name, kind, name if kind == "str" else f"str({name})")
    else:
        raise Inexpressible(f"the parameter {item['name']} of {path} is of a form that the client cannot send: {schema}")
    if item["required"]:
        return found
    if "default" not in schema:
        raise Inexpressible(f"the parameter {item['name']} of {path} may be left out and has no default")
    return _Parameter(found.name, found.type, found.wire, repr(schema["default"]))


def _name(name: str, path: str) -> str:
    if name == "id":
        before = re.findall(r"/([a-z-]+)/\{id\}", path)
        name = re.sub(r"(?<=ch)es$|s$", "", before[0]) if before else "identifier"
    name = name.lower().replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


def _path(path: str, inside: list[_Parameter]) -> str:
    """The path as source: what stands in it is text of the base64url alphabet, or is escaped."""
    if not inside:
        return f'"{path}"'
    wires = iter(item.wire if item.type == "bytes" else f"segment({item.wire})" for item in inside)
    return 'f"' + re.sub(r"\{\w+\}", lambda _: "{" + next(wires) + "}", path) + '"'


def _mapping(parameters: dict[str, _Parameter]) -> str:
    return "{" + ", ".join(f'"{name}": {item.wire}' for name, item in parameters.items()) + "}"
