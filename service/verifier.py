"""What every request needs: the suite, the log's parameters, the database and the clock. It holds no secret of any party."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.entries import Genesis, decode_entry
from service.idempotency import InFlight
from service.settings import SettingsError
from service.storage import Storage
from zkcore.ledger import Parameters
from zkcore.suite import Suite

Clock = Callable[[], int]
"""Unix seconds."""
_WARM_VECTORS = 128
"""Range-proof vectors that every draw's verification uses."""


@dataclass(frozen=True)
class Verifier:
    """One service process at work."""

    suite: Suite
    parameters: Parameters
    genesis: bytes
    storage: Storage
    clock: Clock
    in_flight: InFlight = field(default_factory=InFlight)


def open_verifier(suite: Suite, storage: Storage, clock: Clock) -> Verifier:
    """Read the log's first entry and check it again. Raises SettingsError without a log, ZkError for one of another suite."""
    found = storage.entries(0, 1)[1] if storage.holds_log() else []
    if not found:
        raise SettingsError("the database holds no log; begin one with: tradeveil serve init")
    data = found[0][1]
    genesis = decode_entry(data)
    if not isinstance(genesis, Genesis):
        raise SettingsError("the log in this database does not begin with a genesis")
    suite.vectors(_WARM_VECTORS)
    return Verifier(suite, genesis.parameters(suite), data, storage, clock)
