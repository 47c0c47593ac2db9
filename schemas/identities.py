"""Public identities of the parties, as files that they hand to each other: keys with proofs of possession, no secrets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.wire import Holder, Message, Origin, Point, Proof, SealKey
from zkcore.ledger import signing_key_claim, view_key_claim
from zkcore.suite import Suite
from zkcore.verifying.batch import verify

Role = Literal["attester", "bank", "enterprise", "regulator"]
VIEW_KEY_ROLES = ("enterprise", "regulator")


class Identity(Message):
    """Who a party is to the others. `key` is a view key (enterprise, regulator) or a signing key (attester, bank).

    `holder` is the identifier that the proof of possession is bound to (a USCC, a bank code, "customs", "regulator");
    `name` is what people read. `seal_key` is where memos and files for this party are sealed to.
    """

    tradeveil: Literal["identity"] = "identity"
    role: Role
    holder: Holder
    name: str = Field(min_length=1, max_length=100)
    origin: Origin
    key: Point
    seal_key: SealKey
    proof: Proof

    @model_validator(mode="after")
    def _printable(self) -> Identity:
        if not self.name.isprintable():
            raise ValueError("a name is printable text")
        return self

    def check(self, suite: Suite) -> None:
        """Raises PointError for a bad key, BatchRejected when the proof of possession does not hold."""
        claim = view_key_claim if self.role in VIEW_KEY_ROLES else signing_key_claim
        key = suite.group.decode(self.key)
        verify(suite, [claim(suite, self.origin, self.holder, self.seal_key, key, self.proof, self.holder)])
