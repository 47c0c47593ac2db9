"""Commitments with handles: C = a*G + r*H, D_owner = r*P_owner, D_regulator = r*P_regulator (twisted ElGamal).

They add component by component, so a running residual needs no memory of past blindings.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkcore.errors import EncodingError, LengthError
from zkcore.group import ELEMENT_SIZE, Element, Group

READERS = ("owner", "regulator")
HANDLED_COMMITMENT_SIZE = 3 * ELEMENT_SIZE


@dataclass(frozen=True)
class HandledCommitment:
    """A Pedersen commitment with one handle a reader; 99 bytes encoded: C, D_owner, D_regulator."""

    commitment: Element
    owner: Element
    regulator: Element

    def __add__(self, other: HandledCommitment) -> HandledCommitment:
        return HandledCommitment(self.commitment + other.commitment, self.owner + other.owner, self.regulator + other.regulator)

    def __sub__(self, other: HandledCommitment) -> HandledCommitment:
        return HandledCommitment(self.commitment - other.commitment, self.owner - other.owner, self.regulator - other.regulator)

    def handle(self, reader: str) -> Element:
        """The handle of "owner" or "regulator"."""
        if reader not in READERS:
            raise EncodingError("a reader is owner or regulator")
        return self.owner if reader == "owner" else self.regulator

    def encode(self) -> bytes:
        """99 bytes. Raises IdentityError when a component is the identity."""
        return self.commitment.encode() + self.owner.encode() + self.regulator.encode()

    @classmethod
    def decode(cls, group: Group, data: bytes) -> HandledCommitment:
        """Inverse of encode. Raises LengthError or PointError."""
        if len(data) != HANDLED_COMMITMENT_SIZE:
            raise LengthError(f"a commitment with its handles is {HANDLED_COMMITMENT_SIZE} bytes, got {len(data)}")
        return cls(*group.decode_many([data[i : i + ELEMENT_SIZE] for i in range(0, len(data), ELEMENT_SIZE)]))
