"""Engine `openssl`: OpenSSL's elliptic curves through the C bindings of petlib 0.0.45. The only file that knows petlib.

The C functions are called directly and every result is checked here, because petlib leaves some of its own checks to
`__debug__`, which `python -O` removes. OpenSSL's error queue is emptied whenever a call fails, so a refused point leaves
nothing behind that a later call on the same thread could mistake for its own failure.

Elements and groups are never changed after they are made and may be shared between threads; the scratch space that OpenSSL
needs (BN_CTX) is petlib's, one for each thread. OpenSSL's calls run with the interpreter lock released.

`mul` runs OpenSSL's Montgomery ladder, whose time does not depend on the scalar. The Python integers around it are not constant
time, so production proving with secrets wants an engine that is constant-time throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, final

from zkcore.errors import EngineError, IdentityError, LengthError, PointError
from zkcore.group import ELEMENT_SIZE, SCALAR_SIZE, Element, Group

try:
    from petlib.bindings import _C, _FFI
    from petlib.bn import get_ctx
except Exception as error:  # petlib reports a missing libcrypto as OSError, AttributeError or TypeError
    raise ImportError("petlib or the OpenSSL library it needs cannot be loaded") from error
if _C is None:
    raise ImportError("the compiled part of petlib cannot be loaded")

_NID_P256 = 415
_NID_SECP256K1 = 714

# Points in one call of EC_POINTs_mul: with fewer the shared doublings show, with more the tables outgrow the processor's cache.
_CHUNK = 512


@final
class OpenSSLElement:
    """An EC_POINT that nobody changes. Its `repr` names the group only, since an element may be secret.

    The encoding is kept once it is known: transcripts absorb the same element many times, and OpenSSL inverts a coordinate for
    each encoding.
    """

    __slots__ = ("_encoded", "_group", "_point")

    def __init__(self, group: OpenSSLGroup, point: Any, encoded: bytes | None = None) -> None:
        self._group = group
        self._point = point
        self._encoded = encoded

    def __add__(self, other: OpenSSLElement) -> OpenSSLElement:
        group, result = self._group, self._group._new_point()
        _require(_C.EC_POINT_add(group._curve, result, self._point, group._point(other), get_ctx().bnctx))
        return OpenSSLElement(group, result)

    def __sub__(self, other: OpenSSLElement) -> OpenSSLElement:
        return self + -other

    def __neg__(self) -> OpenSSLElement:
        group, result = self._group, self._group._new_point()
        _require(_C.EC_POINT_copy(result, self._point))
        _require(_C.EC_POINT_invert(group._curve, result, get_ctx().bnctx))
        return OpenSSLElement(group, result)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OpenSSLElement) or other._group is not self._group:
            return NotImplemented
        result: int = _C.EC_POINT_cmp(self._group._curve, self._point, other._point, get_ctx().bnctx)
        _require(result in (0, 1))
        return result == 0

    def __hash__(self) -> int:
        return hash(self._octets())

    def __repr__(self) -> str:
        return f"OpenSSLElement({self._group.name})"

    @property
    def is_identity(self) -> bool:
        result: int = _C.EC_POINT_is_at_infinity(self._group._curve, self._point)
        return result == 1

    def encode(self) -> bytes:
        """33 bytes, compressed SEC1. Raises IdentityError for the identity."""
        octets = self._octets()
        if len(octets) != ELEMENT_SIZE:
            raise IdentityError("the identity has no encoding")
        return octets

    def _octets(self) -> bytes:
        """SEC1 as OpenSSL writes it: 33 bytes, or the single byte 00 for the identity."""
        if self._encoded is None:
            form, buffer = _C.POINT_CONVERSION_COMPRESSED, _FFI.new("unsigned char[]", ELEMENT_SIZE)
            size = _C.EC_POINT_point2oct(self._group._curve, self._point, form, buffer, ELEMENT_SIZE, get_ctx().bnctx)
            _require(size in (1, ELEMENT_SIZE))
            self._encoded = bytes(_FFI.buffer(buffer, size))
        return self._encoded


@final
class OpenSSLGroup(Group):
    """One of OpenSSL's named prime-order curves. Use `secp256k1()` or `p256()`: elements of two instances do not mix."""

    def __init__(self, nid: int, name: str) -> None:
        self.name = name
        self._curve = _owned(_C.EC_GROUP_new_by_curve_name(nid), _C.EC_GROUP_free)
        p, a, b, order = (_bignum(0) for _ in range(4))
        _require(_C.EC_GROUP_get_curve_GFp(self._curve, p, a, b, get_ctx().bnctx))
        _require(_C.EC_GROUP_get_order(self._curve, order, get_ctx().bnctx))
        self.p, self.a, self.b, self.order = (_integer(number) for number in (p, a, b, order))
        base, infinity = self._new_point(), self._new_point()
        _require(_C.EC_POINT_copy(base, _C.EC_GROUP_get0_generator(self._curve)))
        _require(_C.EC_POINT_set_to_infinity(self._curve, infinity))
        self._generator, self._identity = OpenSSLElement(self, base), OpenSSLElement(self, infinity)

    def __repr__(self) -> str:
        return f"OpenSSLGroup({self.name})"

    def generator(self) -> OpenSSLElement:
        return self._generator

    def identity(self) -> OpenSSLElement:
        return self._identity

    def from_affine(self, x: int, y: int) -> OpenSSLElement:
        if not (0 <= x < self.p and 0 <= y < self.p):
            raise PointError("a coordinate is not in [0, p)")
        return OpenSSLElement(self, self._parse(b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")))

    def decode(self, data: bytes) -> OpenSSLElement:
        if len(data) != ELEMENT_SIZE:
            raise LengthError(f"an element is {ELEMENT_SIZE} bytes, got {len(data)}")
        if data[0] not in (2, 3):
            raise PointError("an element starts with the byte 02 or 03")
        if int.from_bytes(data[1:], "big") >= self.p:
            raise PointError("the x coordinate is not below the field prime")
        encoded = bytes(data)
        return OpenSSLElement(self, self._parse(encoded), encoded)

    def mul(self, scalar: int, element: Element) -> OpenSSLElement:
        # A call with one point and no multiple of the generator is what makes OpenSSL take its ladder.
        number, result = _bignum(scalar % self.order), self._new_point()
        _require(_C.EC_POINT_mul(self._curve, result, _FFI.NULL, self._point(element), number, get_ctx().bnctx))
        return OpenSSLElement(self, result)

    def msm(self, scalars: Sequence[int], elements: Sequence[Element]) -> OpenSSLElement:
        if len(scalars) != len(elements):
            raise LengthError(f"{len(scalars)} scalars for {len(elements)} elements")
        total = self._identity
        nothing = _bignum(0)  # A multiple of the generator, even zero, keeps OpenSSL from its slow ladder for a single point.
        for start in range(0, len(scalars), _CHUNK):
            numbers = [_bignum(scalar % self.order) for scalar in scalars[start : start + _CHUNK]]
            points = [self._point(element) for element in elements[start : start + _CHUNK]]
            part = self._new_point()
            _require(_C.EC_POINTs_mul(self._curve, part, nothing, len(points), points, numbers, get_ctx().bnctx))
            total = total + OpenSSLElement(self, part)
        return total

    def _new_point(self) -> Any:
        return _owned(_C.EC_POINT_new(self._curve), _C.EC_POINT_clear_free)

    def _point(self, element: Element) -> Any:
        if not isinstance(element, OpenSSLElement) or element._group is not self:
            raise EngineError("an element of another group or engine; decode its encoding with this group first")
        return element._point

    def _parse(self, octets: bytes) -> Any:
        result = self._new_point()
        if _C.EC_POINT_oct2point(self._curve, result, octets, len(octets), get_ctx().bnctx) != 1:
            _forget_errors()
            raise PointError("not a point of the curve")
        return result


_groups: dict[int, OpenSSLGroup] = {}
_groups_lock = Lock()


def secp256k1() -> OpenSSLGroup:
    """The group of the Tradeveil suite (SEC 2). Always the same object."""
    return _group(_NID_SECP256K1, "secp256k1")


def p256() -> OpenSSLGroup:
    """NIST P-256, on which the official vectors of the drafts we follow are given. Always the same object."""
    return _group(_NID_P256, "P-256")


def library_version() -> str:
    """The loaded library as it names itself, like "OpenSSL 3.0.15 3 Sep 2024"."""
    return bytes(_FFI.string(_C.OpenSSL_version(_C.OPENSSL_VERSION))).decode("ascii")


def _group(nid: int, name: str) -> OpenSSLGroup:
    with _groups_lock:
        if nid not in _groups:
            _groups[nid] = OpenSSLGroup(nid, name)
        return _groups[nid]


def _require(result: int) -> None:
    """Raise EngineError unless the call returned 1. On valid points it fails only for want of memory or of randomness."""
    if result != 1:
        _forget_errors()
        raise EngineError("OpenSSL could not complete an operation on the curve; see that the machine has memory to spare")


def _forget_errors() -> None:
    while _C.ERR_get_error():
        pass


def _owned(pointer: Any, free: Any) -> Any:
    """The pointer, freed when the last reference goes. Raises EngineError for NULL."""
    if pointer == _FFI.NULL:
        _forget_errors()
        raise EngineError("OpenSSL has no memory left for an object, or does not know the curve")
    return _FFI.gc(pointer, free)


def _bignum(value: int) -> Any:
    """A BIGNUM of an integer in [0, 2**256). OpenSSL clears its memory when it is freed."""
    number = _owned(_C.BN_new(), _C.BN_clear_free)
    if _C.BN_bin2bn(value.to_bytes(SCALAR_SIZE, "big"), SCALAR_SIZE, number) == _FFI.NULL:
        _forget_errors()
        raise EngineError("OpenSSL has no memory left for a number")
    return number


def _integer(number: Any) -> int:
    buffer = _FFI.new("unsigned char[]", SCALAR_SIZE)
    return int.from_bytes(bytes(_FFI.buffer(buffer, _C.BN_bn2bin(number, buffer))), "big")
