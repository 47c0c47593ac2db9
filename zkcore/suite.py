"""The cipher suite: one group, its independent generators and their digest. Holds no secret and is shared between threads.

G carries amounts and H blindings; G_i and H_i are the vectors of range proofs. G is the curve's generator, all others are
hashed to the curve, so nobody knows a linear relation between any of them.
"""

from __future__ import annotations

from threading import Lock

from zkcore.errors import EngineError, LengthError
from zkcore.group import Element, Group
from zkcore.hash_to_curve import hash_to_curve
from zkcore.transcript import LABEL_GENERATORS, digest, text

SUITE_IDENTIFIER = "tradeveil_Shake128_secp256k1"
GROUP_NAME = "secp256k1"
GENERATORS_DST = b"TRADEVEIL-V01-CS01-with-secp256k1_XMD:SHA-256_SSWU_RO_"
MAXIMUM_VECTORS = 512  # 8 values of 64 bits in one range proof

# Absorbed by every transcript. A constant, so that starting need not hash the 1,025 points it covers; a test and
# `tradeveil doctor` compare it with `Suite.recompute_generators_digest`.
GENERATORS_DIGEST = bytes.fromhex("02f6263831d4534c77714c3cef048a30a74055e7d3a9ca31936c9bf689f43738")


class Suite:
    """The suite over one engine's group. Two suites over different engines produce and accept the same bytes."""

    identifier = SUITE_IDENTIFIER
    generators_digest = GENERATORS_DIGEST

    def __init__(self, group: Group, engine: str) -> None:
        """Raises EngineError unless the group is secp256k1."""
        if group.name != GROUP_NAME:
            raise EngineError(f"the suite {SUITE_IDENTIFIER} is over {GROUP_NAME}, not {group.name}")
        self.group = group
        self.engine = engine
        self.G = group.generator()
        self.H = hash_to_curve(group, b"H", GENERATORS_DST)
        self._vectors: tuple[tuple[Element, ...], tuple[Element, ...]] = ((), ())
        self._lock = Lock()
        self.twin = group.twin(self)

    def __repr__(self) -> str:
        return f"Suite({self.identifier}, engine={self.engine})"

    def vectors(self, count: int) -> tuple[tuple[Element, ...], tuple[Element, ...]]:
        """The first `count` range-proof vectors (G_0 ... , H_0 ...), computed when first asked for and then kept.

        Raises LengthError unless 0 <= count <= 512.
        """
        if not 0 <= count <= MAXIMUM_VECTORS:
            raise LengthError(f"a suite has {MAXIMUM_VECTORS} vectors, {count} asked")
        with self._lock:
            g_known, h_known = self._vectors
            missing = range(len(g_known), count)
            g_known += tuple(self._hash(b"G_vector", index) for index in missing)
            h_known += tuple(self._hash(b"H_vector", index) for index in missing)
            self._vectors = g_known, h_known
        return g_known[:count], h_known[:count]

    def prepare(self, count: int) -> None:
        """Compute now what proofs with `count` vectors need, and the first would otherwise wait for. Raises as `vectors`."""
        self.vectors(count)
        if self.twin is not None:
            self.twin.prepare(count)

    def recompute_generators_digest(self) -> bytes:
        """32 bytes over the suite's name, the tag and all 1,026 generators. Equals `generators_digest` in a sound engine."""
        g_vectors, h_vectors = self.vectors(MAXIMUM_VECTORS)
        points = [self.G, self.H, *g_vectors, *h_vectors]
        return digest(LABEL_GENERATORS, [text(self.identifier), GENERATORS_DST, *(point.encode() for point in points)])

    def _hash(self, name: bytes, index: int) -> Element:
        return hash_to_curve(self.group, name + index.to_bytes(4, "big"), GENERATORS_DST)
