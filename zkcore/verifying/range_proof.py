"""Bulletproofs (Bünz, Bootle, Boneh, Poelstra, Wuille, Maxwell 2018, sections 3 and 4.3), verifying side.

The statement, for m committed values of n bits each:

    PoK{ (v_j, gamma_j) : V_j = v_j*G + gamma_j*H  and  0 <= v_j < 2**n,  j = 0 ... m-1 }

Nothing here is secret and nothing here multiplies an element: `range_equations` reads the proof, derives every challenge again
and returns two equations for the batch to check. The names of the paper are kept: A, S, T1, T2, t_x, tau_x, mu, L, R, a, b for
the parts of a proof; y, z, x, w, u for the challenges; N = n*m for the length of the vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

from zkcore.errors import EncodingError, LengthError, RangeRejected
from zkcore.group import ELEMENT_SIZE, SCALAR_SIZE, Element, Group, decode_scalar, encode_scalar
from zkcore.suite import Suite
from zkcore.transcript import EXTRA, DuplexSponge, decode_uint, field_width, frame
from zkcore.verifying.equation import Equation

SCHEME_BULLETPROOFS = 1
SUPPORTED_BITS = (8, 16, 32, 64)
SUPPORTED_COUNTS = (1, 2, 4, 8)

_LABEL = b"range-proof"


def proof_size(bits: int, count: int) -> int:
    """Bytes of a proof for `count` values of `bits` bits. Raises EncodingError for a size that is not offered."""
    return 1 + ELEMENT_SIZE * (4 + 2 * _rounds(bits, count)) + SCALAR_SIZE * 5


def _rounds(bits: int, count: int) -> int:
    """Rounds of the inner-product argument: log2(bits * count)."""
    if bits not in SUPPORTED_BITS:
        raise EncodingError(f"a range proof has one of {SUPPORTED_BITS} bits, not {bits}")
    if count not in SUPPORTED_COUNTS:
        raise EncodingError(f"a range proof has one of {SUPPORTED_COUNTS} values, not {count}")
    return (bits * count).bit_length() - 1


@dataclass(frozen=True, repr=False)
class RangeProof:
    """The parts of a proof. `rounds` holds (L, R) of each round of the inner-product argument, the halving of N first."""

    A: Element
    S: Element
    T1: Element
    T2: Element
    t_x: int
    tau_x: int
    mu: int
    rounds: tuple[tuple[Element, Element], ...]
    a: int
    b: int

    @classmethod
    def decode(cls, suite: Suite, data: bytes, bits: int, count: int) -> Self:
        """Read a proof for `count` values of `bits` bits.

        Raises EncodingError (size not offered, scheme byte), LengthError (any length but proof_size), PointError, ScalarError.
        Size and scheme are checked before any curve arithmetic. The identity has no encoding, so it raises PointError.
        """
        if len(data) != proof_size(bits, count):
            raise LengthError(f"this range proof is {proof_size(bits, count)} bytes, got {len(data)}")
        if data[0] != SCHEME_BULLETPROOFS:
            raise EncodingError(f"the scheme of a range proof is {SCHEME_BULLETPROOFS}, not {data[0]}")
        opening = 1 + 4 * ELEMENT_SIZE
        folding = opening + 3 * SCALAR_SIZE
        closing = len(data) - 2 * SCALAR_SIZE
        points = _split(data[1:opening] + data[folding:closing], ELEMENT_SIZE)
        scalars = _split(data[opening:folding] + data[closing:], SCALAR_SIZE)
        A, S, T1, T2, *folded = (suite.group.decode(part) for part in points)
        t_x, tau_x, mu, a, b = (decode_scalar(suite.group, part) for part in scalars)
        rounds = tuple(zip(folded[::2], folded[1::2], strict=True))
        return cls(A, S, T1, T2, t_x, tau_x, mu, rounds, a, b)

    def encode(self, group: Group) -> bytes:
        """Scheme byte || A S T1 T2 || t_x tau_x mu || L R of each round || a b. Raises IdentityError, ScalarError."""
        head = [element.encode() for element in (self.A, self.S, self.T1, self.T2)]
        evaluation = [encode_scalar(group, scalar) for scalar in (self.t_x, self.tau_x, self.mu)]
        rounds = [element.encode() for element in chain.from_iterable(self.rounds)]
        final = [encode_scalar(group, scalar) for scalar in (self.a, self.b)]
        return bytes([SCHEME_BULLETPROOFS]) + b"".join(head + evaluation + rounds + final)

    def __repr__(self) -> str:
        return f"RangeProof({1 + ELEMENT_SIZE * (4 + 2 * len(self.rounds)) + SCALAR_SIZE * 5} bytes)"


def _split(data: bytes, size: int) -> Iterable[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


class RangeTranscript:
    """The Fiat–Shamir transcript, one method a message of the prover. Prover and verifier run the same one.

    Everything sent so far is absorbed before a challenge is drawn, the statement (generators, n, m, every V) first of all. The
    session id binds the context. Only a and b are never absorbed: no challenge follows them, and the batch absorbs the whole
    proof before it draws its weights.
    """

    def __init__(self, suite: Suite, session_id: bytes, bits: int, values: Sequence[Element]) -> None:
        """Raises LengthError for a session id that is not 32 bytes, IdentityError for a value that is the identity."""
        self._group = suite.group
        self._sponge = DuplexSponge(session_id)
        numbers = [bits.to_bytes(4, "little"), len(values).to_bytes(4, "little")]
        scheme = bytes([SCHEME_BULLETPROOFS])
        self._sponge.absorb(frame([_LABEL, scheme, suite.generators_digest, *numbers, *(value.encode() for value in values)]))

    def vectors(self, a: Element, s: Element) -> tuple[int, int]:
        """Absorb A, S; draw y, z."""
        self._absorb_elements(a, s)
        return self._challenge(), self._challenge()

    def polynomial(self, t1: Element, t2: Element) -> int:
        """Absorb T1, T2; draw x."""
        self._absorb_elements(t1, t2)
        return self._challenge()

    def evaluation(self, t_x: int, tau_x: int, mu: int) -> int:
        """Absorb t_x, tau_x, mu; draw w."""
        self._sponge.absorb(b"".join(encode_scalar(self._group, scalar) for scalar in (t_x, tau_x, mu)))
        return self._challenge()

    def folding(self, left: Element, right: Element) -> int:
        """Absorb L, R of one round; draw u."""
        self._absorb_elements(left, right)
        return self._challenge()

    def _absorb_elements(self, *elements: Element) -> None:
        self._sponge.absorb(b"".join(element.encode() for element in elements))

    def _challenge(self) -> int:
        """A nonzero scalar. Zero has probability 2**-256, and every challenge is divided by or must not vanish."""
        challenge = decode_uint(self._sponge.squeeze(field_width(self._group.order) + EXTRA), self._group.order)
        if not challenge:
            raise RangeRejected("a challenge of this range proof is zero; the prover starts again with fresh randomness")
        return challenge


def range_equations(
    suite: Suite, session_id: bytes, values: Sequence[Element], bits: int, proof: bytes
) -> tuple[Equation, Equation]:
    """The two equations that hold exactly if the proof is right: that of t(x), then that of the inner product.

    `values` are the commitments V in order, `session_id` 32 bytes that bind the whole context. The caller must check both
    equations, each under its own random weight drawn after the proof was fixed. Raises EncodingError (scheme, bits or count not
    offered, no values), LengthError (proof, session id), PointError, ScalarError, IdentityError (a value), RangeRejected (a
    challenge is zero). Evaluates nothing on the curve beyond decoding.
    """
    parts = RangeProof.decode(suite, proof, bits, len(values))
    transcript = RangeTranscript(suite, session_id, bits, values)
    y, z = transcript.vectors(parts.A, parts.S)
    x = transcript.polynomial(parts.T1, parts.T2)
    w = transcript.evaluation(parts.t_x, parts.tau_x, parts.mu)
    us = [transcript.folding(left, right) for left, right in parts.rounds]
    order = suite.group.order
    return (
        _polynomial_equation(order, parts, values, bits, y, z, x),
        _inner_product_equation(order, parts, bits, y, z, x, w, us),
    )


def _polynomial_equation(
    order: int, parts: RangeProof, values: Sequence[Element], bits: int, y: int, z: int, x: int
) -> Equation:
    """(t_x - delta(y, z))*G + tau_x*H - sum(z**(2+j) * V_j) - x*T1 - x**2*T2 = identity."""
    weights = []
    weight = z * z % order
    for _ in values:
        weights.append(order - weight)
        weight = weight * z % order
    return Equation(
        terms=(*zip(weights, values, strict=True), (-x % order, parts.T1), (-x * x % order, parts.T2)),
        g=(parts.t_x - delta(order, bits, len(values), y, z)) % order,
        h=parts.tau_x,
    )


def delta(order: int, bits: int, count: int, y: int, z: int) -> int:
    """delta(y, z) = (z - z**2) * <1, y^N> - sum(z**(3+j) for j < m) * (2**n - 1), the public part of t(0)."""
    y_sum = _power_sum(y, bits * count, order)
    z_sum = _power_sum(z, count, order)
    return (z * (1 - z) * y_sum - z * z * z * z_sum * ((1 << bits) - 1)) % order


def _inner_product_equation(
    order: int, parts: RangeProof, bits: int, y: int, z: int, x: int, w: int, us: Sequence[int]
) -> Equation:
    """A + x*S - mu*H + sum(u_k**2 * L_k + u_k**-2 * R_k) + w*(t_x - a*b)*G + <gs, G_vector> + <hs, H_vector> = identity.

    gs_i = -z - a*s_i and hs_i = z + y**-i * (z**(2+j) * 2**k - b/s_i) for i = j*n + k, where s_i is the product of all u,
    inverted where their bit of i is 0. Bit 0 of i belongs to the last round. Each of the three vectors is a product over the
    bits of i, hence built by doubling.
    """
    y_inverse, *u_inverses = _inverses([y, *us], order)
    u_squares = [u * u % order for u in us]
    inverse_squares = [u * u % order for u in u_inverses]
    y_powers = [y_inverse]  # y**-(2**bit) for each bit of i
    for _ in us[1:]:
        y_powers.append(y_powers[-1] * y_powers[-1] % order)

    a_folded = _bit_products(-parts.a * _product(u_inverses, order), reversed(u_squares), order)
    b_factors = (inverse * power for inverse, power in zip(reversed(inverse_squares), y_powers, strict=True))
    b_folded = _bit_products(-parts.b * _product(us, order), b_factors, order)
    value_bits = bits.bit_length() - 1  # so many low bits of i count bits of a value, the others count values
    place_values = [pow(2, 1 << bit, order) for bit in range(value_bits)]
    place_values += [pow(z, 1 << bit, order) for bit in range(len(us) - value_bits)]
    places = _bit_products(z * z, (place * power for place, power in zip(place_values, y_powers, strict=True)), order)

    lefts = zip(u_squares, (left for left, _ in parts.rounds), strict=True)
    rights = zip(inverse_squares, (right for _, right in parts.rounds), strict=True)
    return Equation(
        terms=((1, parts.A), (x, parts.S), *lefts, *rights),
        g=w * (parts.t_x - parts.a * parts.b) % order,
        h=-parts.mu % order,
        gs=tuple([(folded - z) % order for folded in a_folded]),
        hs=tuple([(z + place + folded) % order for place, folded in zip(places, b_folded, strict=True)]),
    )


def _bit_products(start: int, factors: Iterable[int], order: int) -> list[int]:
    """products[i] = start * product of those factors[bit] whose bit of i is 1, by one multiplication each."""
    products = [start % order]
    for factor in factors:
        reduced = factor % order
        products += [product * reduced % order for product in products]
    return products


def _power_sum(base: int, count: int, order: int) -> int:
    """1 + base + ... + base**(count-1) for a count that is a power of two, as the product of (1 + base**(2**bit))."""
    total = 1
    for _ in range(count.bit_length() - 1):
        total = total * (1 + base) % order
        base = base * base % order
    return total


def _product(factors: Iterable[int], order: int) -> int:
    product = 1
    for factor in factors:
        product = product * factor % order
    return product


def _inverses(scalars: Sequence[int], order: int) -> list[int]:
    """Inverses of nonzero scalars at the price of one inversion (Montgomery's trick)."""
    prefixes = [1]
    for scalar in scalars:
        prefixes.append(prefixes[-1] * scalar % order)
    inverse = pow(prefixes.pop(), -1, order)
    inverses = []
    for scalar, prefix in zip(reversed(scalars), reversed(prefixes), strict=True):
        inverses.append(inverse * prefix % order)
        inverse = inverse * scalar % order
    inverses.reverse()
    return inverses
