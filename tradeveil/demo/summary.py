"""What came of a demonstration: every expectation by name, and the figures, for people and for programs.

The summary holds counts, verdicts and times. Steps are named as the story tells them; no other amount stands in it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Expectation:
    """Something that had to come out exactly so. `detail` says what came out instead; empty where it held."""

    story: str
    name: str
    holds: bool
    detail: str = ""

    @property
    def title(self) -> str:
        """How tests and people refer to it: unique in a demonstration."""
        return f"{self.story}: {self.name}"


@dataclass(frozen=True)
class Timing:
    """A step and how long it took, in seconds."""

    story: str
    step: str
    seconds: float


@dataclass(frozen=True)
class Opened:
    """What the regulator opened: how many amounts, whether all are equal to the planted ones, and how many alerts."""

    amounts: int
    equal: bool
    alerts: int


@dataclass(frozen=True)
class Privacy:
    """What the search for secrets covered. `searched`: bytes by material; `findings`: labels, never the secrets themselves."""

    forms: int
    anywhere: int
    expected_by_chance: float
    searched: dict[str, int]
    findings: tuple[str, ...]


@dataclass
class Summary:
    """Filled while the demonstration runs.

    accepted: by operation; refused_by_service: by problem type; refused_by_parties: by the reason a party's program gave
    service_peak: bytes of memory that the service's process held at most
    """

    engine: str
    expectations: list[Expectation] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)
    refused_by_service: Counter[str] = field(default_factory=Counter)
    refused_by_parties: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    documents: int = 0
    opened: Opened | None = None
    audit: dict[str, Any] = field(default_factory=dict)
    privacy: Privacy | None = None
    service_peak: int = 0
    seconds: float = 0.0

    @property
    def failed(self) -> list[Expectation]:
        """The expectations that did not hold."""
        return [item for item in self.expectations if not item.holds]

    @property
    def ok(self) -> bool:
        """Whether everything was exactly as expected, to the end."""
        return bool(self.expectations) and not self.failed and None not in (self.opened, self.privacy)

    def seconds_by_story(self) -> dict[str, float]:
        """Seconds of each story, in order."""
        totals: dict[str, float] = {}
        for timing in self.timings:
            totals[timing.story] = totals.get(timing.story, 0.0) + timing.seconds
        return totals

    def as_json(self) -> dict[str, Any]:
        """For programs. Stable names; seconds rounded to milliseconds."""
        return {
            "ok": self.ok,
            "engine": self.engine,
            "documents": self.documents,
            "entries": self.entries,
            "accepted": dict(sorted(self.accepted.items())),
            "refused": {
                "by_service": dict(sorted(self.refused_by_service.items())),
                "by_parties": dict(sorted(self.refused_by_parties.items())),
            },
            "opened": self.opened
            and {
                "amounts": self.opened.amounts,
                "equal_to_planted": self.opened.equal,
                "alerts": self.opened.alerts,
            },
            "audit": self.audit,
            "privacy": self.privacy
            and {
                "forms": self.privacy.forms,
                "searched_bytes": self.privacy.searched,
                "findings": list(self.privacy.findings),
                "expected_by_chance": self.privacy.expected_by_chance,
            },
            "expectations": {
                "held": len(self.expectations) - len(self.failed),
                "failed": [{"name": item.title, "detail": item.detail} for item in self.failed],
            },
            "service_peak_memory_bytes": self.service_peak,
            "seconds": {
                "total": round(self.seconds, 3),
                "by_story": {story: round(seconds, 3) for story, seconds in self.seconds_by_story().items()},
                "steps": [{"story": item.story, "step": item.step, "seconds": round(item.seconds, 3)} for item in self.timings],
            },
        }
