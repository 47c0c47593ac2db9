"""The proofs of requests that come together are verified together, in one multi-scalar multiplication.

Alone, most of what a draw costs is for generators that every draw shares. Together, each pays its own points and little more.
SPEC.md, section 8, has the weights, and why a false claim among true ones passes with probability 2**-128 at most.

What somebody who sends false proofs can do to the others. A group that does not hold is halved until each false claim is named
(zkcore.verifying.batch), so its honest members are accepted, and wait for the search: with f false claims among c, at most
2·f·log2(c) + 1 further sums, of ever fewer terms; with all of them false, no more than each alone would cost. After such a
group the next may have half of its claims at most, and only a group without a false claim lets the bound double again. Under
steady attack every request is soon verified alone, as if there were no groups: a false request then takes its own time and
nothing more. The first groups of an attack make others wait, once, for less than twice the search through the largest. A group
has never more than LARGEST claims, unless it is one request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from service.gathering import Failed
from service.problems import Failure
from zkcore.errors import BatchRejected, EngineError, ZkError
from zkcore.suite import Suite
from zkcore.verifying.batch import Claim, verify

LARGEST = 512
"""Claims of a group: some 128 draws, beyond which a draw hardly gets cheaper. A request with more is a group of its own."""

Verdict = Sequence[Failure] | Failed
"""What of a request's claims does not hold (nothing: all do), or what came in between and says nothing about them."""


@dataclass
class Bound:
    """How many claims the next group may have. Several threads may change it at once: it is right either way."""

    claims: int = LARGEST

    def failed(self, claims: int) -> None:
        """A group of so many claims had a false one."""
        self.claims = max(1, claims // 2)

    def held(self) -> None:
        """A group had none."""
        self.claims = min(LARGEST, 2 * self.claims)


@dataclass(frozen=True)
class JointVerification:
    """Verifies requests that are there at once. `bound`: claims that a group may have just now, at most."""

    suite: Suite
    bound: Bound = field(default_factory=Bound)

    def verify(self, requests: Sequence[Sequence[Claim]]) -> list[Verdict]:
        """Of each request: in as few groups as the bound allows. A request without claims is refused: nothing was proven."""
        verdicts: list[Verdict] = []
        while group := self._next(requests[len(verdicts) :]):
            found = self.verify_as_one(group)
            if any(not isinstance(verdict, Failed) and verdict for verdict in found):
                self.bound.failed(sum(map(len, group)))
            elif not any(isinstance(verdict, Failed) for verdict in found):
                self.bound.held()
            verdicts += found
        return verdicts

    def _next(self, requests: Sequence[Sequence[Claim]]) -> Sequence[Sequence[Claim]]:
        claims = count = 0
        while count < len(requests) and (not count or claims + len(requests[count]) <= self.bound.claims):
            claims += len(requests[count])
            count += 1
        return requests[:count]

    def verify_as_one(self, requests: Sequence[Sequence[Claim]]) -> list[Verdict]:
        """The same in one multi-scalar multiplication whatever the bound, which it leaves alone: for whoever keeps nobody
        waiting. No request gets less than it would get alone."""
        if len(requests) < 2 or not all(requests):
            return [self._alone(own) for own in requests]
        claims = [replace(claim, label=f"{i} {claim.label}") for i, own in enumerate(requests) for claim in own]
        try:
            verify(self.suite, claims)
        except BatchRejected as rejected:
            if rejected.failures:
                return _by_request(len(requests), rejected.failures)
        except EngineError:  # says nothing about any of them
            pass
        else:
            return [()] * len(requests)
        return [self._alone(own) for own in requests]

    def _alone(self, claims: Sequence[Claim]) -> Verdict:
        try:
            verify(self.suite, claims)
        except BatchRejected as rejected:
            return rejected.failures or Failed(rejected)
        except ZkError as error:
            return Failed(error)
        return ()


def _by_request(count: int, failures: Sequence[Failure]) -> list[Verdict]:
    """To each request what failed of its own claims, under its own labels."""
    own: list[list[Failure]] = [[] for _ in range(count)]
    for label, error in failures:
        number, _, name = label.partition(" ")
        own[int(number)].append((name, error))
    return list(own)
