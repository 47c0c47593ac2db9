"""A file of test vectors while it is written: accepts with what they derive, rejects that name the accept they come from."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from schemas.vectors.replay import REPLAYS, patched
from zkcore import PROTOCOL_VERSION
from zkcore.errors import BatchRejected, ZkError
from zkcore.suite import SUITE_IDENTIFIER, Suite

Vector = dict[str, Any]
Patch = list[dict[str, Any]]


def replaced(path: str, value: Any) -> Patch:
    """A patch of one replacement."""
    return [{"op": "replace", "path": path, "value": value}]


class Sheet:
    """One file. Every vector is replayed as it is added: a vector that does not do what it says is an error of the writer."""

    def __init__(self, suite: Suite, name: str, about: str) -> None:
        self.suite, self.name, self._about = suite, name, about
        self._replay = REPLAYS[name]
        self._accept: dict[str, Vector] = {}
        self._reject: dict[str, Vector] = {}

    def accept(self, identifier: str, vector: Vector) -> Vector:
        """Add an accepted vector, completed with what its inputs derive."""
        if identifier in self._accept:
            raise ValueError(f"two vectors are called {identifier}")
        complete = {"id": identifier, **vector}
        complete |= self._replay.derive(self.suite, complete)
        self._replay.verify(self.suite, complete)
        self._accept[identifier] = complete
        return complete

    def vector(self, identifier: str) -> Vector:
        """An accepted vector added before."""
        return self._accept[identifier]

    def rejected(self, identifier: str) -> Vector:
        """A rejected vector added before."""
        return self._reject[identifier]

    def reject(self, base: str, name: str, mutation: str, patch: Patch, *errors: str) -> None:
        """Add a vector that must be refused with one of these error codes; the file names the one it is."""
        identifier = f"{base}/{name}"
        if identifier in self._reject:
            raise ValueError(f"two vectors are called {identifier}")
        vector: Vector = {"id": identifier, "base": base, "mutation": mutation, "patch": patch}
        self._reject[identifier] = vector | self._verdict(identifier, patched(self._accept[base], patch), errors)

    def _verdict(self, identifier: str, vector: Vector, errors: Sequence[str]) -> Vector:
        try:
            self._replay.verify(self.suite, vector)
        except BatchRejected as error:
            failures = {label: failure.code for label, failure in error.failures}
            if set(failures.values()) - set(errors):
                raise ValueError(f"{identifier} is refused with {failures}, not {errors}") from error
            return {"error": error.code, "failures": failures}
        except ZkError as error:
            if error.code not in errors:
                raise ValueError(f"{identifier} is refused with {error.code}, not {errors}") from error
            return {"error": error.code}
        raise ValueError(f"{identifier} is not refused")

    def document(self) -> Vector:
        """The content of the file."""
        head = {"about": self._about, "protocol": PROTOCOL_VERSION, "suite": SUITE_IDENTIFIER}
        return copy.deepcopy({**head, "accept": list(self._accept.values()), "reject": list(self._reject.values())})
