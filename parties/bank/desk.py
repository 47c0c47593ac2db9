"""What every step of a bank works with, gathered once: keys, home, service, randomness, time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from parties.bank.records import Book
from parties.common.client import Log, ServiceClient
from parties.common.home import Home
from parties.common.keyring import Signer
from parties.common.pinning import pinned_log
from zkcore.group import decode_scalar
from zkcore.randomness import Randomness
from zkcore.secret.keys import SigningSecret
from zkcore.suite import Suite


@dataclass(frozen=True)
class Desk:
    """A bank at work. `now` in unix seconds: one command takes place at one time."""

    suite: Suite
    home: Home
    signer: Signer
    client: ServiceClient
    randomness: Randomness
    now: int

    @cached_property
    def log(self) -> Log:
        """The service's log, checked; it must be the one that the bank's keys are for, and that it worked with before."""
        return pinned_log(self.home, self.client, self.suite, self.signer.identity.origin)

    @property
    def book(self) -> Book:
        return Book(self.home)

    def draw_key(self, shift: bytes) -> SigningSecret:
        """The key of a draw: the bank's own, shifted. Raises ScalarError."""
        return self.signer.secret.shifted(self.suite, decode_scalar(self.suite.group, shift))
