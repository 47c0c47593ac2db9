"""What every step of a regulator bureau works with, gathered once: keys, service, randomness, time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from parties.common.client import Log, ServiceClient
from parties.common.errors import HomeError
from parties.common.keyring import Viewer
from parties.common.ledger_view import Reader
from schemas.entries import Genesis
from zkcore.randomness import Randomness
from zkcore.suite import Suite


def regulator_reader(viewer: Viewer) -> Reader:
    """The regulator as a reader of handles and memos."""
    return Reader("regulator", viewer.secret, viewer.seal)


def check_own_log(viewer: Viewer, genesis: Genesis) -> None:
    """Raises HomeError unless the log's regulator is the holder of these keys."""
    regulator, identity = genesis.regulator, viewer.identity
    if (genesis.origin, regulator.key, regulator.seal_key) != (identity.origin, identity.key, identity.seal_key):
        raise HomeError(
            "another-regulator",
            f"the log {genesis.origin} is under another regulator's key than the one in this home; check --home",
            f"日志 {genesis.origin} 使用的监管密钥与此目录中的不同；请检查 --home",
        )


@dataclass(frozen=True)
class Bureau:
    """A bureau at work. `now` in unix seconds: one command takes place at one time."""

    suite: Suite
    viewer: Viewer
    client: ServiceClient
    randomness: Randomness
    now: int

    @cached_property
    def log(self) -> Log:
        """The service's log, checked; it must be the one under the bureau's key."""
        log = self.client.parameters(self.suite, self.viewer.identity.origin)
        check_own_log(self.viewer, log.genesis)
        return log

    @property
    def reader(self) -> Reader:
        return regulator_reader(self.viewer)
