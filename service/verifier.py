"""What every request needs: the suite, the log's parameters, the database and the clock. It holds no secret of any party."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.entries import Genesis, decode_entry
from service.idempotency import InFlight
from service.institutions.desk import Institutions
from service.institutions.rules import Rules
from service.migrations import newest
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
    institutions: Institutions
    in_flight: InFlight = field(default_factory=InFlight)


def open_verifier(suite: Suite, storage: Storage, clock: Clock, service_key: bytes, rules: Rules | None = None) -> Verifier:
    """Read the log's first entry and check it again. `service_key`: 32 bytes, the service's own.

    Raises SettingsError without a log or with tables of a version that this code cannot work with, ZkError for a log of another
    suite, PseudonymError under another key than the institutions were registered under.
    """
    found = storage.entries(0, 1)[1] if storage.holds_log() else []
    if not found:
        raise SettingsError("the database holds no log; begin one with: tradeveil serve init")
    _check_version(storage.version())
    data = found[0][1]
    genesis = decode_entry(data)
    if not isinstance(genesis, Genesis):
        raise SettingsError("the log in this database does not begin with a genesis")
    suite.prepare(_WARM_VECTORS)
    institutions = Institutions(storage, service_key, genesis.regulator.seal_key, rules or Rules())
    institutions.registry.check_key()
    return Verifier(suite, genesis.parameters(suite), data, storage, clock, institutions)


def _check_version(found: int) -> None:
    """Tables of the next version serve as well: migrations are additive, and made while services of the version before run."""
    own = newest()
    if found < own:
        raise SettingsError(
            f"the database's tables are of version {found}, and this service works with version {own}; "
            "back the database up, then move them with: tradeveil serve migrate --directory …"
        )
    if found > own + 1:
        raise SettingsError(
            f"the database's tables are of version {found}, and this service works with version {own}; update the service"
        )
