"""A home keeps to the log it began with.

Must hold: another first entry under the same name is refused, whichever key in it was exchanged, and the pinned one stays. A
failure would be a party that seals amounts to a key that the service slipped in later. Not a failure: that the first contact is
trusted; its digest is to be compared by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from parties.common.client import Log, ServiceClient
from parties.common.errors import ServiceMisbehaved
from parties.common.home import Home
from parties.common.pinning import pinned_log
from schemas.entries import Genesis
from tests.builders import ORIGIN, make_world
from zkcore import engine
from zkcore.suite import Suite

SUITE = engine.load()


@dataclass
class Serving:
    """Stands for a client of a service that serves this genesis."""

    genesis: Genesis

    def parameters(self, suite: Suite, origin: str) -> Log:
        assert origin == self.genesis.origin
        return Log(self.genesis, self.genesis.parameters(suite))

    def client(self) -> ServiceClient:
        return cast(ServiceClient, self)


def test_another_genesis_later_is_refused_and_the_first_one_stays(tmp_path: Path) -> None:
    first, second = (Serving(make_world(SUITE, seed).genesis) for seed in (b"first world", b"second world"))
    home = Home.create(tmp_path / "home")
    assert pinned_log(home, first.client(), SUITE, ORIGIN).genesis == first.genesis
    assert pinned_log(home, first.client(), SUITE, ORIGIN).genesis == first.genesis
    with pytest.raises(ServiceMisbehaved) as refused:
        pinned_log(home, second.client(), SUITE, ORIGIN)
    assert refused.value.code == "another-genesis"
    assert pinned_log(home, first.client(), SUITE, ORIGIN).genesis == first.genesis


def test_even_a_later_beginning_of_the_same_keys_is_another_log(tmp_path: Path) -> None:
    genesis = make_world(SUITE).genesis
    home = Home.create(tmp_path / "home")
    pinned_log(home, Serving(genesis).client(), SUITE, ORIGIN)
    later = genesis.model_copy(update={"time": genesis.time + 1})
    with pytest.raises(ServiceMisbehaved):
        pinned_log(home, Serving(later).client(), SUITE, ORIGIN)
