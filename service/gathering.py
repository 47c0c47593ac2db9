"""Work that costs little more for many than for one: whoever comes while it is being done is done next, together.

Nobody waits for company. Who comes alone is worked for at once, as a group of one; who comes while a group is at work joins the
one that follows it. So groups grow with the load by themselves, and an idle service is as fast as without any of this.

One of the waiting threads does the work for its group (the leader); there is no thread that must be started, watched or ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Generic, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Failed:
    """What one member of a group gets instead of its result: this is raised to it, and to nobody else."""

    error: Exception


@dataclass(eq=False)
class _Place(Generic[T, R]):
    """A member that waits. It is woken once: with its outcome, or to lead the next group, of which it is the first."""

    item: T
    woken: Event = field(default_factory=Event)
    leads: bool = False
    outcome: R | Failed | None = None


class Gathering(Generic[T, R]):
    """Does `work` for groups of items; `work` returns one outcome an item, in order, or raises what all of the group get.

    largest: weight of a group at most, asked anew for each; an item that weighs more is a group of its own
    weigh: of one item; without it every item weighs 1
    lanes: groups that may be at work at the same time
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Sequence[R | Failed]],
        largest: Callable[[], int],
        weigh: Callable[[T], int] = lambda item: 1,
        lanes: int = 1,
    ) -> None:
        self._work, self._largest, self._weigh = work, largest, weigh
        self._waiting: deque[_Place[T, R]] = deque()
        self._free, self._lock = lanes, Lock()

    def submit(self, item: T) -> R:
        """The result for this item, waiting for it. Raises what `work` raised for it or for its whole group.

        Whatever `work` raises, each member of its group is woken with an outcome.
        """
        own: _Place[T, R] = _Place(item)
        with self._lock:
            if self._free:
                self._free -= 1
                own.leads = True
            else:
                self._waiting.append(own)
        if not own.leads:
            own.woken.wait()
        if own.leads:
            self._lead(own)
        if isinstance(own.outcome, Failed):
            raise own.outcome.error
        return cast("R", own.outcome)

    def _lead(self, first: _Place[T, R]) -> None:
        group = self._with_company(first)
        for place, outcome in zip(group, self._outcomes([place.item for place in group]), strict=True):
            place.outcome = outcome
        self._hand_over()
        for place in group[1:]:
            place.woken.set()

    def _outcomes(self, items: Sequence[T]) -> Sequence[R | Failed]:
        """One each, whatever happens: a member without an outcome would wait for ever."""
        try:
            outcomes = self._work(items)
            if len(outcomes) == len(items):
                return outcomes
            error = RuntimeError("a group was not given one outcome each")
        except Exception as raised:  # noqa: BLE001 - each member raises it in its own thread
            return [Failed(raised)] * len(items)
        except BaseException as raised:  # noqa: BLE001 - a panic of the native engine is one
            error = RuntimeError(type(raised).__name__)
        return [Failed(error)] * len(items)

    def _with_company(self, first: _Place[T, R]) -> list[_Place[T, R]]:
        """The leader, and those that wait, in order, until the group is full."""
        group, free = [first], self._largest() - self._weigh(first.item)
        with self._lock:
            while self._waiting and (free := free - self._weigh(self._waiting[0].item)) >= 0:
                group.append(self._waiting.popleft())
        return group

    def _hand_over(self) -> None:
        """The first that waits leads next; where nobody waits, the lane is free."""
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            following = self._waiting.popleft()
        following.leads = True
        following.woken.set()
