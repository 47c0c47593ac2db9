"""Engine `native`: the Rust twin of zkcore in zkcore/native. The only file that knows the module `tradeveil_native`.

It offers the group, and beside it what the Python engines do step by step as single calls: the verification of a whole batch
and the making of a whole proof (zkcore.twin). All of these accept, refuse and produce the same bytes as the Python code, which
remains their specification. Work that takes more than some microseconds runs with the interpreter lock released.

`mul` and `products` are constant-time from the encoded scalar on. The Python integer before it is not, and cannot be wiped.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, final

import tradeveil_native as native

from zkcore import PROTOCOL_VERSION
from zkcore.errors import EngineError, LengthError, PointError, ZkError
from zkcore.group import ELEMENT_SIZE, SCALAR_SIZE, Element, Group
from zkcore.verifying.batch import Claim, RangeClaim

if TYPE_CHECKING:
    from zkcore.relations import LinearRelation
    from zkcore.suite import Suite

_INTERFACE_VERSION = 2
"""Of the functions of `tradeveil_native` as this file calls them."""

_USUAL_VECTORS = 128
"""Of a range proof for two values of 64 bits, the largest that an operation has."""
_MOST_VECTORS = 512
_LEAST_TABLE_BITS, _MOST_TABLE_BITS = 4, 26

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@final
class NativeGroup(Group):
    """secp256k1 (SEC 2). Always the same object: use `secp256k1()`."""

    name = "secp256k1"
    order = _ORDER
    p = 2**256 - 2**32 - 977
    a = 0
    b = 7

    def __init__(self) -> None:
        self.sigma_prover = _prove_sigma

    def __repr__(self) -> str:
        return "NativeGroup(secp256k1)"

    def generator(self) -> Element:
        return _GENERATOR

    def identity(self) -> Element:
        return _IDENTITY

    def from_affine(self, x: int, y: int) -> Element:
        if not (0 <= x < self.p and 0 <= y < self.p):
            raise PointError("a coordinate is not in [0, p)")
        if (y * y - x * x * x - self.b) % self.p:
            raise PointError("not a point of the curve")
        return native.decode(bytes([2 + y % 2]) + x.to_bytes(32, "big"))

    def decode(self, data: bytes) -> Element:
        return native.decode(data)

    def decode_many(self, encodings: Sequence[bytes]) -> list[Element]:
        if any(len(encoding) != ELEMENT_SIZE for encoding in encodings):
            return super().decode_many(encodings)  # finds the first that is refused, for whatever reason
        return [*native.decode_many(b"".join(encodings))]

    def mul(self, scalar: int, element: Element) -> Element:
        return native.products(_encode(scalar), (element,))[0]

    def products(self, scalars: Sequence[int], elements: Sequence[Element]) -> list[Element]:
        if len(scalars) != len(elements):
            raise LengthError(f"{len(scalars)} scalars for {len(elements)} elements")
        return [*native.products(b"".join(map(_encode, scalars)), elements)]

    def msm(self, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        if len(scalars) != len(elements):
            raise LengthError(f"{len(scalars)} scalars for {len(elements)} elements")
        return native.msm(b"".join(map(_encode, scalars)), elements, 1)

    def twin(self, suite: Suite) -> NativeTwin:
        return NativeTwin(suite)


@final
class NativeTwin:
    """zkcore.twin.Twin over one suite."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._generators = cache(self._make_generators)

    def prepare(self, vectors: int) -> None:
        self._generators(_tier(vectors)).prepare()

    def failures(self, claims: Sequence[Claim], threads: int) -> list[tuple[int, ZkError]]:
        return native.verify(self._generators(self._size_for(claims)), claims, threads)

    def prove_range(self, session_id: bytes, openings: Sequence[tuple[int, int]], bits: int, random: bytes) -> bytes:
        blindings = b"".join(_encode(blinding) for _, blinding in openings)
        generators = self._generators(_tier(bits * len(openings)))
        return native.prove_range(generators, session_id, [value for value, _ in openings], blindings, bits, random)

    def logarithm_table(self, entries: int) -> native.LogarithmTable:
        bits = (entries - 1).bit_length()
        return native.LogarithmTable(min(max(bits, _LEAST_TABLE_BITS), _MOST_TABLE_BITS))

    def logarithm_table_from(self, data: bytes) -> native.LogarithmTable:
        return native.LogarithmTable.from_bytes(data)

    @staticmethod
    def _size_for(claims: Sequence[Claim]) -> int:
        """Vectors that the range proofs among the claims need; those of a size that is not offered are refused without any."""
        sizes = {claim.bits * len(claim.values) for claim in claims if isinstance(claim, RangeClaim)}
        return max((_tier(size) for size in sizes if size <= _MOST_VECTORS), default=0)

    def _make_generators(self, count: int) -> native.Generators:
        g_vector, h_vector = self._suite.vectors(count)
        return native.Generators(self._suite.H, g_vector, h_vector, self._suite.generators_digest)


def _prove_sigma(session_id: bytes, relation: LinearRelation, witness: Sequence[int], nonces: bytes) -> bytes:
    return native.prove_sigma(session_id, relation, b"".join(map(_encode, witness)), nonces)


def _tier(vectors: int) -> int:
    """So many are hashed to the curve for proofs that need so many: few sizes, so that they are kept."""
    return _USUAL_VECTORS if vectors <= _USUAL_VECTORS else _MOST_VECTORS


def _encode(scalar: int) -> bytes:
    return (scalar % _ORDER).to_bytes(SCALAR_SIZE, "big")


def check_build() -> None:
    """Raises EngineError when the module was built for another version of the protocol or of this file."""
    build = native.build_info()
    built, wanted = (build.get("protocol"), build.get("interface")), (PROTOCOL_VERSION, _INTERFACE_VERSION)
    if built != wanted:
        raise EngineError(
            f"the native engine is stale: it was built for protocol {built[0]} and interface {built[1]}, "
            f"and this is protocol {wanted[0]} and interface {wanted[1]}; run `make native`"
        )


def secp256k1() -> NativeGroup:
    """The group of the Tradeveil suite. Always the same object. Raises EngineError when the module is stale."""
    check_build()
    return _GROUP


def field_costs() -> dict[str, float]:
    """Nanoseconds that a field "multiplication", "squaring" and "square_root" take here, an element, for benchmarks."""
    return native.field_costs()


def describe() -> str:
    """The build on one line, like "0.1.0, avx512ifma, rustc 1.95.0"."""
    build = native.build_info()
    return f"{build['version']}, {native.cpu_path()}, rustc {build['rustc']}"


_GENERATOR, _IDENTITY = native.generator(), native.identity()
_GROUP = NativeGroup()
