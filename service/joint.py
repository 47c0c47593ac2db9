"""The proofs of requests that come together are verified together, in one multi-scalar multiplication.

Alone, most of what a draw costs is for generators that every draw shares. Together, each pays its own points and little more.
SPEC.md, section 8, has the weights, and why a false claim among true ones passes with probability 2**-128 at most.

What somebody who sends false proofs can do to the others. A group that does not hold is halved until each false claim is named
(zkcore.verifying.batch), so its honest members are accepted, and wait for the search: with f false claims among c, at most
2·f·log2(c) + 1 further sums, of ever fewer terms; with all of them false, no more than each alone would cost. After such a
group the next may weigh half of it at most, and only a group without a false claim lets the bound double again. Under steady
attack every request is soon verified alone, as if there were no groups: a false request then takes its own time from its lane
and nothing more. The first groups of an attack make others wait, once, for less than twice the search through the largest.
A group is never larger than LARGEST claims, and there is a lane for every two cores.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from service.gathering import Failed, Gathering
from zkcore.errors import BatchRejected, EngineError, ZkError
from zkcore.suite import Suite
from zkcore.verifying.batch import Claim, verify

LARGEST = 512
"""Claims of a group: some 128 draws, beyond which a draw hardly gets cheaper. A request with more is a group of its own."""


@dataclass
class Bound:
    """How many claims the next group may have. Groups on several lanes may change it at once: it is right either way."""

    claims: int = LARGEST

    def failed(self, claims: int) -> None:
        """A group of so many claims had a false one."""
        self.claims = max(1, claims // 2)

    def held(self) -> None:
        """A group had none."""
        self.claims = min(LARGEST, 2 * self.claims)


@dataclass(frozen=True)
class JointVerification:
    """Verifies for all threads of a process. `bound`: claims that a group may have just now, at most."""

    suite: Suite
    bound: Bound = field(default_factory=Bound)
    _groups: Gathering[Sequence[Claim], None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        groups = Gathering(self._verify, lambda: self.bound.claims, len, lanes=max(1, (os.cpu_count() or 1) // 2))
        object.__setattr__(self, "_groups", groups)

    def verify(self, claims: Sequence[Claim]) -> None:
        """What zkcore.verifying.batch.verify does, with whoever else verifies now. Raises BatchRejected, EngineError."""
        self._groups.submit(claims)

    def rejection(self, claims: Sequence[Claim]) -> BatchRejected | None:
        """The same, with the rejection given back and not raised. Raises EngineError."""
        try:
            self.verify(claims)
        except BatchRejected as rejected:
            return rejected
        return None

    def verify_all(self, requests: Sequence[Sequence[Claim]]) -> list[Failed | None]:
        """Many requests that are there at once, in one multi-scalar multiplication: what each alone would fail with, if it
        would. On the thread of whoever calls, beside the lanes, so that a large batch keeps nobody waiting."""
        return self._verdicts(requests) if requests else []

    def _verify(self, requests: Sequence[Sequence[Claim]]) -> list[Failed | None]:
        """A group of a lane: how it went bounds the next."""
        verdicts = self._verdicts(requests)
        if any(verdict is not None and isinstance(verdict.error, BatchRejected) for verdict in verdicts):
            self.bound.failed(sum(map(len, requests)))
        elif all(verdict is None for verdict in verdicts):
            self.bound.held()
        return verdicts

    def _verdicts(self, requests: Sequence[Sequence[Claim]]) -> list[Failed | None]:
        if len(requests) == 1:
            return [self._alone(requests[0])]
        claims = [replace(claim, label=f"{i} {claim.label}") for i, own in enumerate(requests) for claim in own]
        try:
            verify(self.suite, claims)
        except BatchRejected as rejected:
            return _by_request(len(requests), rejected.failures)
        except EngineError:  # says nothing about any of them
            return [self._alone(own) for own in requests]
        return [None] * len(requests)

    def _alone(self, claims: Sequence[Claim]) -> Failed | None:
        try:
            verify(self.suite, claims)
        except ZkError as error:
            return Failed(error)
        return None


def rejection_of(verdict: Failed | None) -> BatchRejected | None:
    """What a verdict rejects, if anything. Raises what else came in between: it says nothing about the claims."""
    if verdict is None:
        return None
    if isinstance(verdict.error, BatchRejected):
        return verdict.error
    raise verdict.error


def _by_request(count: int, failures: Sequence[tuple[str, ZkError]]) -> list[Failed | None]:
    """To each request what failed of its own claims, under its own labels."""
    own: list[list[tuple[str, ZkError]]] = [[] for _ in range(count)]
    for label, error in failures:
        number, _, name = label.partition(" ")
        own[int(number)].append((name, error))
    return [Failed(BatchRejected(found)) if found else None for found in own]
