"""Batch verification: sigma equations and range proofs of many statements fold into one multi-scalar multiplication.

Each equation is multiplied by its own 128-bit weight, squeezed from a sponge that has absorbed every statement and every byte
of every proof of the batch (sigma-protocols-03, Batch verification). When the sum is not the identity, the batch is halved
until the false claims are named; weights are drawn afresh for every part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkcore.errors import BatchRejected, EngineError, RangeRejected, SigmaRejected, ZkError
from zkcore.group import Element
from zkcore.relations import LinearRelation
from zkcore.suite import Suite
from zkcore.transcript import LABEL_BATCH, DuplexSponge, derive_session_id, frame, serialize_varlen
from zkcore.verifying import sigma
from zkcore.verifying.equation import Equation
from zkcore.verifying.range_proof import range_equations

_WEIGHT_SIZE = 16


@dataclass(frozen=True)
class SigmaClaim:
    """A batchable sigma proof together with the relation the verifier built for it."""

    label: str
    session_id: bytes
    relation: LinearRelation
    proof: bytes

    def equations(self, suite: Suite) -> tuple[Equation, ...]:
        """Decode the proof and return what must be the identity. Raises what zkcore.verifying.sigma raises."""
        return tuple(Equation(tuple(row)) for row in sigma.rows(self.relation, self.session_id, self.proof))

    def absorbed(self) -> bytes:
        """Everything the weights must depend on."""
        return b"S" + self.session_id + serialize_varlen(self.relation.serialized) + serialize_varlen(self.proof)

    def rejection(self) -> ZkError:
        return SigmaRejected("the proof does not satisfy its verification equation")


@dataclass(frozen=True)
class RangeClaim:
    """An aggregated range proof together with the values the verifier computed for it."""

    label: str
    session_id: bytes
    values: tuple[Element, ...]
    bits: int
    proof: bytes

    def equations(self, suite: Suite) -> tuple[Equation, ...]:
        """Decode the proof and return what must be the identity. Raises what zkcore.verifying.range_proof raises."""
        return range_equations(suite, self.session_id, self.values, self.bits, self.proof)

    def absorbed(self) -> bytes:
        """Everything the weights must depend on."""
        values = frame(value.encode() for value in self.values)
        return (
            b"R" + self.session_id + self.bits.to_bytes(4, "little") + serialize_varlen(values) + serialize_varlen(self.proof)
        )

    def rejection(self) -> ZkError:
        return RangeRejected("the range proof does not satisfy its verification equation")


Claim = SigmaClaim | RangeClaim


@dataclass(frozen=True)
class _Prepared:
    claim: Claim
    equations: tuple[Equation, ...]
    absorbed: bytes


def verify(suite: Suite, claims: Sequence[Claim], threads: int = 1) -> None:
    """Return when every claim holds. Raises BatchRejected naming each claim that does not, with the error it raises alone.

    An empty batch is refused (BatchRejected without names): a caller with nothing to check has made a mistake. EngineError is
    passed on: it says nothing about a claim. An engine that can uses up to `threads` cores.
    """
    if not claims:
        raise BatchRejected([])
    if suite.twin is not None:
        found = [(claims[index].label, error) for index, error in suite.twin.failures(claims, threads)]
        if found:
            raise BatchRejected(found)
        return
    prepared, failures = [], []
    for claim in claims:
        try:
            equations = claim.equations(suite)
            prepared.append(_Prepared(claim, equations, claim.absorbed()))
        except EngineError:
            raise  # an engine that fails has not judged the claim
        except ZkError as error:
            failures.append((claim.label, error))
    # Range proofs last: whoever sends many false claims shall not make every part of the search pay for their vectors.
    prepared.sort(key=lambda item: isinstance(item.claim, RangeClaim))
    failures += [(item.claim.label, item.claim.rejection()) for item in _false(suite, prepared)]
    if failures:
        order = {claim.label: index for index, claim in enumerate(claims)}
        raise BatchRejected(sorted(failures, key=lambda failure: order[failure[0]]))


def _false(suite: Suite, items: Sequence[_Prepared], known: bool = False) -> list[_Prepared]:
    """The items whose equations do not hold, found by halving. `known`: that there is one needs no fold to be seen."""
    if not items or (not known and _fold(suite, items).is_identity):
        return []
    if len(items) == 1:
        return list(items)
    half = len(items) // 2
    first = _false(suite, items[:half])
    return first + _false(suite, items[half:], known=not first)


def _weights(items: Sequence[_Prepared], count: int) -> list[int]:
    sponge = DuplexSponge(derive_session_id(LABEL_BATCH))
    for item in items:
        sponge.absorb(item.absorbed)
    stream = sponge.squeeze(_WEIGHT_SIZE * count)
    return [int.from_bytes(stream[i : i + _WEIGHT_SIZE], "little") for i in range(0, len(stream), _WEIGHT_SIZE)]


def _fold(suite: Suite, items: Sequence[_Prepared]) -> Element:
    """The weighted sum of every equation of the items, in one multi-scalar multiplication."""
    equations = [equation for item in items for equation in item.equations]
    weights = _weights(items, len(equations))
    width = max(len(equation.gs) for equation in equations)
    g, h, gs, hs = 0, 0, [0] * width, [0] * width
    sums: dict[Element, int] = {}
    for weight, equation in zip(weights, equations, strict=True):
        g += weight * equation.g
        h += weight * equation.h
        for i, scalar in enumerate(equation.gs):
            gs[i] += weight * scalar
        for i, scalar in enumerate(equation.hs):
            hs[i] += weight * scalar
        for scalar, element in equation.terms:
            sums[element] = sums.get(element, 0) + weight * scalar
    vectors_g, vectors_h = suite.vectors(width)
    elements = [suite.G, suite.H, *vectors_g, *vectors_h, *sums]
    scalars = [g, h, *gs, *hs, *sums.values()]
    order = suite.group.order
    return suite.group.msm([scalar % order for scalar in scalars], elements)
