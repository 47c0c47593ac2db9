"""Who plays in the test vectors: keys, parameters and names, all from fixed words, so that every run writes the same files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from zkcore.group import Element
from zkcore.ledger import KindPolicy, Parameters
from zkcore.operations import MEMO_SIZE, Memos
from zkcore.randomness import SeededRandomness, random_nonzero_scalar
from zkcore.secret.keys import SigningSecret, ViewSecret
from zkcore.secret.opening import Opening
from zkcore.suite import Suite

ORIGIN = "vectors.tradeveil.example"
KIND = "export-declaration"
SINGLE = "freight-bill"
"""A kind of single use, attested by another role."""
COUNTER = "financing"
RESERVATION = 90 * 86_400
"""Seconds."""
CURRENCY = "USD"
EPOCH = 1
EXPIRES = 1_800_000_000
TIME = EXPIRES - 7 * 86_400
"""When the entries are written, unix seconds."""


def word(name: str, size: int = 32) -> bytes:
    """Bytes of a name: fixed, but without any structure that could hide an error."""
    return SeededRandomness(b"vectors/" + name.encode("ascii")).read(size)


def memos(name: str) -> Memos:
    """Two memos that nobody can open."""
    return Memos(word(f"{name}/owner-memo", MEMO_SIZE), word(f"{name}/regulator-memo", MEMO_SIZE))


@dataclass(frozen=True)
class Cast:
    """Keys of the parties. Public values only make sense within one engine; secrets are the same in all."""

    suite: Suite

    def scalar(self, name: str) -> int:
        """A nonzero scalar of a name."""
        return random_nonzero_scalar(SeededRandomness(b"vectors/scalar/" + name.encode("ascii")), self.suite.group)

    def opening(self, amount: int, name: str) -> Opening:
        """An opening with the blinding of a name."""
        return Opening(amount, self.scalar(f"blinding/{name}"))

    @cached_property
    def regulator(self) -> ViewSecret:
        return ViewSecret(self.scalar("regulator"))

    @cached_property
    def attester(self) -> SigningSecret:
        return SigningSecret(self.scalar("attester"))

    @cached_property
    def carrier(self) -> SigningSecret:
        """The attester of SINGLE."""
        return SigningSecret(self.scalar("carrier"))

    @cached_property
    def enterprise(self) -> ViewSecret:
        return ViewSecret(self.scalar("enterprise"))

    @cached_property
    def bank(self) -> SigningSecret:
        return SigningSecret(self.scalar("bank"))

    @cached_property
    def other_bank(self) -> SigningSecret:
        return SigningSecret(self.scalar("other-bank"))

    def owner(self, document: str) -> ViewSecret:
        """The enterprise's key for one document."""
        return self.enterprise.blinded(self.suite, self.scalar(f"blinding-of-key/{document}"))

    def draw_key(self, draw: str) -> SigningSecret:
        """The bank's key for one draw."""
        return self.bank.shifted(self.suite, self.scalar(f"shift/{draw}"))

    @cached_property
    def parameters(self) -> Parameters:
        restores = frozenset({"released", "repaid-own-funds"})
        kinds = {
            KIND: KindPolicy(KIND, "customs", restores, (COUNTER, "payment"), False, RESERVATION, False),
            SINGLE: KindPolicy(SINGLE, "logistics", frozenset({"released"}), (COUNTER,), True, RESERVATION, False),
        }
        regulator: Element = self.regulator.public(self.suite)
        attesters = {self.attester.public(self.suite): "customs", self.carrier.public(self.suite): "logistics"}
        return Parameters(ORIGIN, EPOCH, regulator, attesters, kinds)
