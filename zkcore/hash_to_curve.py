"""Hashing to a curve: RFC 9380, suites secp256k1_XMD:SHA-256_SSWU_RO_ and P256_XMD:SHA-256_SSWU_RO_.

Nobody knows a linear relation between points made here from different messages or tags: that is why the generators come from
here. Messages are public, so nothing is constant-time. Field arithmetic is Python integers and serves every engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from zkcore.errors import EngineError, LengthError, PointError
from zkcore.group import Element, Group

_DIGEST_SIZE = 32  # SHA-256 output, bytes
_BLOCK_SIZE = 64  # SHA-256 input block, bytes
_SECURITY_BITS = 128


@dataclass(frozen=True)
class _Isogeny:
    """Rational map from the curve that the SSWU map hits to the group's own curve: x = x_numerator / x_denominator and
    y = y * y_numerator / y_denominator, polynomials in x with coefficients from the constant term up (k_(i,0), k_(i,1), ...).
    """

    x_numerator: tuple[int, ...]
    x_denominator: tuple[int, ...]
    y_numerator: tuple[int, ...]
    y_denominator: tuple[int, ...]


@dataclass(frozen=True)
class _Parameters:
    """Of the simplified SWU map onto y^2 = x^3 + a*x + b (RFC 9380, section 6.6.2). Without `isogeny`, that is the group's
    own curve.
    """

    z: int
    a: int
    b: int
    isogeny: _Isogeny | None


# RFC 9380, section 8.7 and appendix E.1.
_SECP256K1 = _Parameters(
    z=-11,
    a=0x3F8731ABDD661ADCA08A5558F0F5D272E953D363CB6F0E5D405447C01A444533,
    b=1771,
    isogeny=_Isogeny(
        x_numerator=(
            0x8E38E38E38E38E38E38E38E38E38E38E38E38E38E38E38E38E38E38DAAAAA8C7,
            0x07D3D4C80BC321D5B9F315CEA7FD44C5D595D2FC0BF63B92DFFF1044F17C6581,
            0x534C328D23F234E6E2A413DECA25CAECE4506144037C40314ECBD0B53D9DD262,
            0x8E38E38E38E38E38E38E38E38E38E38E38E38E38E38E38E38E38E38DAAAAA88C,
        ),
        x_denominator=(
            0xD35771193D94918A9CA34CCBB7B640DD86CD409542F8487D9FE6B745781EB49B,
            0xEDADC6F64383DC1DF7C4B2D51B54225406D36B641F5E41BBC52A56612A8C6D14,
            1,
        ),
        y_numerator=(
            0x4BDA12F684BDA12F684BDA12F684BDA12F684BDA12F684BDA12F684B8E38E23C,
            0xC75E0C32D5CB7C0FA9D0A54B12A0A6D5647AB046D686DA6FDFFC90FC201D71A3,
            0x29A6194691F91A73715209EF6512E576722830A201BE2018A765E85A9ECEE931,
            0x2F684BDA12F684BDA12F684BDA12F684BDA12F684BDA12F684BDA12F38E38D84,
        ),
        y_denominator=(
            0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFF93B,
            0x7A06534BB8BDB49FD5E9E6632722C2989467C1BFC8E8D978DFB425D2685C2573,
            0x6484AA716545CA2CF3A70C3FA8FE337E0A3D21162F0D6299A7BF8192BFD2A76F,
            1,
        ),
    ),
)

# RFC 9380, section 8.2.
_P256 = _Parameters(
    z=-10,
    a=-3,
    b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    isogeny=None,
)

_PARAMETERS = {"secp256k1": _SECP256K1, "P-256": _P256}


def hash_to_curve(group: Group, message: bytes, dst: bytes) -> Element:
    """A point of the group that behaves as a random oracle of the message (RFC 9380, section 3).

    `dst` is the domain separation tag, 1 to 255 bytes. Raises LengthError for another length, EngineError for a group without
    a suite here.
    """
    return hash_all_to_curve(group, [message], dst)[0]


def hash_all_to_curve(group: Group, messages: Sequence[bytes], dst: bytes) -> list[Element]:
    """The point of each message, several times as fast as one by one. Raises like hash_to_curve."""
    parameters = _PARAMETERS.get(group.name)
    if parameters is None:
        raise EngineError(f"no hash-to-curve suite for the group {group.name}")
    fields = [u for message in messages for u in hash_to_field(message, dst, group.p, 2)]
    mapped = _map_to_curve(group, parameters, fields)
    return [first + second for first, second in zip(mapped[::2], mapped[1::2], strict=True)]


def hash_to_field(message: bytes, dst: bytes, modulus: int, count: int) -> list[int]:
    """`count` integers below a prime modulus, uniform up to 2**-128 (RFC 9380, section 5.2). Raises LengthError."""
    width = (modulus.bit_length() + _SECURITY_BITS + 7) // 8
    uniform = expand_message_xmd(message, dst, count * width)
    return [int.from_bytes(uniform[i * width : (i + 1) * width], "big") % modulus for i in range(count)]


def expand_message_xmd(message: bytes, dst: bytes, size: int) -> bytes:
    """`size` uniform bytes (RFC 9380, section 5.3.1, with SHA-256).

    Raises LengthError unless the size is 0 to 8,160 bytes and the tag 1 to 255 bytes.
    """
    blocks = -(-size // _DIGEST_SIZE)
    if not 0 <= blocks <= 255:
        raise LengthError(f"at most {255 * _DIGEST_SIZE} bytes can be expanded, {size} asked")
    if not 1 <= len(dst) <= 255:
        raise LengthError(f"a domain separation tag is 1 to 255 bytes, got {len(dst)}")
    tag = dst + bytes([len(dst)])
    seed = hashlib.sha256(bytes(_BLOCK_SIZE) + message + size.to_bytes(2, "big") + b"\0" + tag).digest()
    output, block, first = b"", bytes(_DIGEST_SIZE), int.from_bytes(seed, "big")
    for index in range(1, blocks + 1):
        mixed = (first ^ int.from_bytes(block, "big")).to_bytes(_DIGEST_SIZE, "big")
        block = hashlib.sha256(mixed + bytes([index]) + tag).digest()
        output += block
    return output[:size]


def inverses(values: Sequence[int], modulus: int) -> list[int]:
    """The inverse of each value modulo a prime, for the price of one inversion and a few products each. None may be zero."""
    products, product = [], 1
    for value in values:
        products.append(product)
        product = product * value % modulus
    inverse, found = pow(product, -1, modulus), []
    for value, before in zip(reversed(values), reversed(products), strict=True):
        found.append(inverse * before % modulus)
        inverse = inverse * value % modulus
    return found[::-1]


def _map_to_curve(group: Group, parameters: _Parameters, fields: Sequence[int]) -> list[Element]:
    candidates = _simplified_swu(parameters, group.p, fields)
    if parameters.isogeny is None:
        return [_lift(group, u, *pair) for u, pair in zip(fields, candidates, strict=True)]
    points = [_solve(parameters, group.p, u, *pair) for u, pair in zip(fields, candidates, strict=True)]
    return [_apply(parameters.isogeny, group, x, y) for x, y in points]


def _simplified_swu(parameters: _Parameters, p: int, fields: Sequence[int]) -> list[tuple[int, int]]:
    """For each field element two x coordinates; the first that is on the curve is the map's (RFC 9380, section 6.6.2)."""
    z, a, b = parameters.z, parameters.a, parameters.b
    zu2s = [z * u * u % p for u in fields]
    # The denominator is zero for u = 0 and for the roots of -1/z: the exceptional case of the map.
    denominators = [(zu2 * zu2 + zu2) % p for zu2 in zu2s]
    inverted = inverses([a * (denominator or z) % p for denominator in denominators], p)
    found = []
    for zu2, denominator, inverse in zip(zu2s, denominators, inverted, strict=True):
        x = (-b * (denominator + 1) if denominator else b) * inverse % p
        found.append((x, zu2 * x % p))
    return found


def _solve(parameters: _Parameters, p: int, u: int, x: int, other: int) -> tuple[int, int]:
    """The point of y^2 = x^3 + a*x + b. Needs p = 3 mod 4 and a*b != 0."""
    a, b = parameters.a, parameters.b
    y = pow(x * x * x + a * x + b, (p + 1) // 4, p)
    if (y * y - (x * x * x + a * x + b)) % p:
        # No square root here, so there is one at the other candidate, because z is not a square.
        x = other
        y = pow(x * x * x + a * x + b, (p + 1) // 4, p)
    return x, y if y % 2 == u % 2 else -y % p


def _lift(group: Group, u: int, x: int, other: int) -> Element:
    """The same on the group's own curve, where decoding takes the root: y is as odd as u, and never zero in a prime order."""
    sign = bytes([2 + u % 2])
    try:
        return group.decode(sign + x.to_bytes(32, "big"))
    except PointError:
        return group.decode(sign + other.to_bytes(32, "big"))


def _apply(isogeny: _Isogeny, group: Group, x: int, y: int) -> Element:
    """The image of a point. The kernel goes to the identity (RFC 9380, section 6.6.3)."""
    p = group.p
    x_denominator, y_denominator = _evaluate(isogeny.x_denominator, x, p), _evaluate(isogeny.y_denominator, x, p)
    if x_denominator == 0 or y_denominator == 0:
        return group.identity()
    inverse = pow(x_denominator * y_denominator, -1, p)
    image_x = _evaluate(isogeny.x_numerator, x, p) * y_denominator * inverse % p
    image_y = y * _evaluate(isogeny.y_numerator, x, p) * x_denominator * inverse % p
    return group.from_affine(image_x, image_y)


def _evaluate(coefficients: Sequence[int], x: int, p: int) -> int:
    result = 0
    for coefficient in reversed(coefficients):
        result = (result * x + coefficient) % p
    return result
