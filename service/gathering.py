"""Work that costs little more for many than for one: whoever comes while it is being done is done next, together.

Nobody waits for company. What comes alone is done at once, as a group of one; what comes while a group is at work joins the one
that follows it. So groups grow with the load by themselves, and an idle service is as fast as without any of this.

Groups are worked on by threads of the gathering's own, so that whoever waits need not be one: a request waits as a future, and
thousands can. A waiting thread or task costs nothing but its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Failed:
    """What one member of a group gets instead of its result: this is raised to it, and to nobody else."""

    error: Exception


class Outcomes(Generic[R]):
    """What becomes of each of a group, by its place. Whoever has an outcome is out of what follows."""

    def __init__(self, count: int) -> None:
        self._count, self._found = count, dict[int, R | Failed]()

    def left(self) -> list[int]:
        """The places of those without an outcome."""
        return [place for place in range(self._count) if place not in self._found]

    def each(self, step: Callable[[int], T]) -> dict[int, T]:
        """What the step gives for each that is left; what it raises for one is the outcome of that one."""
        given: dict[int, T] = {}
        for place in self.left():
            try:
                given[place] = step(place)
            except Exception as error:  # noqa: BLE001 - of this one alone
                self._found[place] = Failed(error)
        return given

    def without_failed(self, given: Mapping[int, T | Failed]) -> dict[int, T]:
        """Failures are outcomes; the rest is given back."""
        self._found |= {place: item for place, item in given.items() if isinstance(item, Failed)}
        return {place: item for place, item in given.items() if not isinstance(item, Failed)}

    def settle(self, outcomes: Mapping[int, R | Failed]) -> None:
        """These are the outcomes of those."""
        self._found |= outcomes

    def all(self) -> list[R | Failed]:
        """Of every one."""
        return [self._found[place] for place in range(self._count)]


@dataclass(eq=False)
class _Place(Generic[T, R]):
    """A member that waits."""

    item: T
    outcome: Future[R] = field(default_factory=Future)


class Gathering(Generic[T, R]):
    """Does `work` for groups of items; `work` returns one outcome an item, in order, or raises what all of the group get.

    name: of its threads
    largest: weight of a group at most
    weigh: of one item; without it every item weighs 1, and one that weighs more than a group may is a group of its own
    lanes: groups that may be at work at the same time
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[T]], Sequence[R | Failed]],
        largest: int,
        weigh: Callable[[T], int] = lambda item: 1,
        lanes: int = 1,
    ) -> None:
        self._work, self._largest, self._weigh = work, largest, weigh
        self._waiting: deque[_Place[T, R]] = deque()
        self._free, self._lock = lanes, Lock()
        self._threads = ThreadPoolExecutor(lanes, name)

    def submit(self, item: T) -> Future[R]:
        """The result for this item, as a future of threads; a task waits for it by asyncio.wrap_future. It fails with what
        `work` raised for the item or for its whole group. Whatever `work` raises, each member of its group gets an outcome."""
        place: _Place[T, R] = _Place(item)
        with self._lock:
            self._waiting.append(place)
            if not self._free:
                return place.outcome
            self._free -= 1
        self._threads.submit(self._serve)
        return place.outcome

    def close(self) -> None:
        """Finish what is at work or waits, and end the threads. Nothing can be submitted from then on."""
        self._threads.shutdown()

    def _serve(self) -> None:
        """Group after group, until nobody waits."""
        while group := self._next():
            for place, outcome in zip(group, self._outcomes([place.item for place in group]), strict=True):
                if isinstance(outcome, Failed):
                    place.outcome.set_exception(outcome.error)
                else:
                    place.outcome.set_result(outcome)

    def _next(self) -> list[_Place[T, R]]:
        """Those that wait, in order, until the group is full. Where nobody waits, the lane is free. Who gave up is left out."""
        group: list[_Place[T, R]] = []
        free = self._largest
        with self._lock:
            while self._waiting and (not group or self._weigh(self._waiting[0].item) <= free):
                place = self._waiting.popleft()
                if place.outcome.set_running_or_notify_cancel():
                    free -= self._weigh(place.item)
                    group.append(place)
            if not group:
                self._free += 1
        return group

    def _outcomes(self, items: Sequence[T]) -> Sequence[R | Failed]:
        """One each, whatever happens: a member without an outcome would wait for ever."""
        try:
            outcomes = self._work(items)
            if len(outcomes) == len(items):
                return outcomes
            error = RuntimeError("a group was not given one outcome each")
        except Exception as raised:  # noqa: BLE001 - each member gets it
            return [Failed(raised)] * len(items)
        except BaseException as raised:  # noqa: BLE001 - a panic of the native engine is one
            error = RuntimeError(type(raised).__name__)
        return [Failed(error)] * len(items)
