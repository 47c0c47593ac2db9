"""What an engine may offer besides its group: whole batches verified and whole proofs made by single calls.

An engine without a twin goes through the Python code of `zkcore.verifying` and `zkcore.secret`, which is the specification: a
twin accepts, refuses and produces exactly the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zkcore.errors import ZkError
    from zkcore.group import Element
    from zkcore.relations import LinearRelation
    from zkcore.verifying.batch import Claim


class SigmaProver(Protocol):
    """The making of sigma proofs over one group."""

    def __call__(self, session_id: bytes, relation: LinearRelation, witness: Sequence[int], nonces: bytes) -> bytes:
        """A batchable proof; `nonces` are 48 random bytes a scalar. Raises what zkcore.secret.sigma raises."""
        ...


class OwnLogarithmTable(Protocol):
    """An engine's own table for zkcore.secret.opening.LogarithmTable."""

    @property
    def bits(self) -> int:
        """It holds 2**bits multiples of G."""
        ...

    def find(self, point: Element, bound: int, progress: Callable[[int, int], None] | None) -> int:
        """As LogarithmTable.find, for a bound that is not negative."""
        ...

    def to_bytes(self) -> bytes:
        """With a version and a checksum."""
        ...


class Twin(Protocol):
    """The protocol over one suite, in an engine's own code."""

    def prepare(self, vectors: int) -> None:
        """Compute now what range proofs with so many vectors need, and would otherwise have to wait for once."""
        ...

    def failures(self, claims: Sequence[Claim], threads: int) -> list[tuple[int, ZkError]]:
        """The claims that do not hold, by index, each with the error it raises alone. Raises BatchRejected for an empty batch,
        EngineError for what says nothing about a claim.
        """
        ...

    def prove_range(self, session_id: bytes, openings: Sequence[tuple[int, int]], bits: int, random: bytes) -> bytes:
        """A range proof; `random` is 48 bytes a scalar, in the order of SPEC.md section 7.3.

        Raises what zkcore.secret.range_proof raises.
        """
        ...

    def logarithm_table(self, entries: int) -> OwnLogarithmTable:
        """A table of at least so many multiples of G, or of as many as the engine's largest has."""
        ...

    def logarithm_table_from(self, data: bytes) -> OwnLogarithmTable:
        """Inverse of its `to_bytes`. Raises EngineError for anything that is not exactly a whole table."""
        ...
