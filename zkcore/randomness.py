"""Randomness is an argument: provers take a source, and only the outermost layer passes the operating system's.

`SystemRandomness` is for real use. `SeededRandomness` makes the same bytes from the same seed: it exists so that test vectors
can be written and replayed, and must never make a real proof.
"""

from __future__ import annotations

import os
from typing import Protocol

from zkcore.group import Group
from zkcore.transcript import DuplexSponge, decode_uint, derive_session_id

_EXTRA = 16
_BLOCK = 1 << 14


class Randomness(Protocol):
    """A source of uniform bytes."""

    def read(self, size: int) -> bytes:
        """`size` uniform bytes."""
        ...


class SystemRandomness:
    """The operating system's source."""

    def read(self, size: int) -> bytes:
        return os.urandom(size)

    def __repr__(self) -> str:
        return "SystemRandomness()"


class SeededRandomness:
    """A SHAKE128 stream from a seed of any length. For test vectors only."""

    def __init__(self, seed: bytes) -> None:
        self._sponge = DuplexSponge(derive_session_id(b"TRADEVEIL-TEST-RANDOMNESS" + seed))
        self._unread = b""

    def read(self, size: int) -> bytes:
        if len(self._unread) < size:
            # Each squeeze computes the stream from its beginning, so it is asked for seldom and for much.
            self._unread += self._sponge.squeeze(size + _BLOCK)
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def __repr__(self) -> str:
        return "SeededRandomness(test only)"


def random_scalar_size(group: Group) -> int:
    """Random bytes that a scalar takes: 48 for a group of 256 bits."""
    return (group.order.bit_length() + 7) // 8 + _EXTRA


def random_scalar(randomness: Randomness, group: Group) -> int:
    """A uniform scalar in [0, order): 48 bytes little-endian reduced, bias below 2**-128 (fiat-shamir-03, DecodeUint)."""
    return decode_uint(randomness.read(random_scalar_size(group)), group.order)


def random_nonzero_scalar(randomness: Randomness, group: Group) -> int:
    """A uniform scalar in [1, order)."""
    while True:
        scalar = random_scalar(randomness, group)
        if scalar:
            return scalar
