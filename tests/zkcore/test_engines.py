"""Every engine is the same group: same bytes, same refusals, for honest and for hostile input.

A failure would be: two engines that disagree on a result or on what they refuse; an accepted encoding that is not the one
canonical encoding of a point; a point of an attacker's choice (equal, inverse, identity) that makes a sum wrong; a result that
depends on `python -O`, on an earlier failure or on another thread. Timing is not tested here.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from petlib.bindings import get_errors

from zkcore import engine
from zkcore.engines import openssl
from zkcore.errors import EngineError, IdentityError, LengthError, PointError, ScalarError, ZkError
from zkcore.group import Element, Group, decode_scalar, encode_scalar

ROOT = Path(__file__).resolve().parents[2]

P = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
GENERATOR = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

# The native engine may be absent from a machine; where it is required, its absence is an error here.
ENGINES = engine.available()
GROUPS: dict[str, Callable[[], Group]] = {
    **{name: lambda name=name: engine.load(name).group for name in ENGINES},
    "p256": openssl.p256,
}

scalars = st.integers(0, ORDER - 1) | st.sampled_from([0, 1, 2, ORDER - 1, ORDER, ORDER + 1, 2**255, 2**256, -1])
# Few multiples of the generator, so that equal, inverse and identity elements meet often.
multiples = st.integers(-4, 4)


@pytest.fixture(params=list(GROUPS))
def group(request: pytest.FixtureRequest) -> Group:
    return GROUPS[request.param]()


@pytest.fixture(params=ENGINES)
def secp256k1(request: pytest.FixtureRequest) -> Group:
    return GROUPS[request.param]()


def point(x: int, prefix: int = 2) -> bytes:
    return bytes([prefix]) + x.to_bytes(32, "big")


def element(group: Group, multiple: int) -> Element:
    """A small multiple of the generator, made by additions alone."""
    total, step = group.identity(), group.generator() if multiple > 0 else -group.generator()
    for _ in range(abs(multiple)):
        total = total + step
    return total


def octets(value: Element) -> bytes:
    return b"identity" if value.is_identity else value.encode()


# --- encodings --------------------------------------------------------------------------------------------------------


def test_parameters_are_those_of_the_standard(secp256k1: Group) -> None:
    assert (secp256k1.name, secp256k1.p, secp256k1.a, secp256k1.b, secp256k1.order) == ("secp256k1", P, 0, 7, ORDER)
    assert secp256k1.generator().encode().hex() == GENERATOR


# x = 1 is on secp256k1 and x = 5 is not. The square root of what belongs to x = 5 would be needed for either prefix.
BAD_POINTS = {
    "identity padded to 33 bytes": bytes(33),
    "prefix 00": point(1, 0),
    "prefix 01": point(1, 1),
    "prefix 04 of uncompressed points": point(1, 4),
    "prefix 05": point(1, 5),
    "prefix 06 of hybrid points": point(1, 6),
    "prefix 07 of hybrid points": point(1, 7),
    "prefix ff": point(1, 255),
    "x = p": point(P),
    "x = p + 1, which is 1 lifted": point(P + 1),
    "x = 2**256 - 1": point(2**256 - 1),
    "x without a point, even": point(5),
    "x without a point, odd": point(5, 3),
    "x = 0, which has no point": point(0),
}


@pytest.mark.parametrize("data", BAD_POINTS.values(), ids=BAD_POINTS.keys())
def test_bad_points_are_refused(secp256k1: Group, data: bytes) -> None:
    secp256k1.decode(point(1))
    with pytest.raises(PointError):
        secp256k1.decode(data)


def test_every_prefix_but_two_is_refused(group: Group) -> None:
    x = group.generator().encode()[1:]
    for prefix in set(range(256)) - {2, 3}:
        with pytest.raises(PointError):
            group.decode(bytes([prefix]) + x)


@pytest.mark.parametrize("size", [0, 1, 32, 34, 65, 66, 10_000])
@pytest.mark.parametrize("first", [0, 2, 4])
def test_wrong_lengths_are_refused(group: Group, size: int, first: int) -> None:
    # Size 1 with first byte 0 is SEC1's identity, size 65 with first byte 4 has the form of an uncompressed point.
    data = (bytes([first]) + group.generator().encode()[1:] * 400)[:size]
    with pytest.raises(LengthError):
        group.decode(data)


def test_an_uncompressed_point_of_the_curve_is_refused(secp256k1: Group) -> None:
    x, y = (
        0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
        0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
    )
    assert secp256k1.from_affine(x, y) == secp256k1.generator()
    with pytest.raises(LengthError):
        secp256k1.decode(b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big"))


@pytest.mark.parametrize(
    "coordinates",
    [(0, 0), (1, 1), (5, 1), (-1, 1), (1, -1), (P, 0), (2**256, 1), (1, 2**256), (2**300, 2**300)],
)
def test_bad_coordinates_are_refused(secp256k1: Group, coordinates: tuple[int, int]) -> None:
    with pytest.raises(PointError):
        secp256k1.from_affine(*coordinates)


def test_lifted_coordinates_are_refused(secp256k1: Group) -> None:
    y = pow(8, (P + 1) // 4, P)
    secp256k1.from_affine(1, y)
    for x, lifted in ((1 + P, y), (1, y + P)):
        with pytest.raises(PointError):
            secp256k1.from_affine(x, lifted)


def test_the_identity_has_no_encoding(group: Group) -> None:
    g = group.generator()
    for identity in (group.identity(), g - g, group.mul(0, g), group.mul(group.order, g), group.msm([], []), -group.identity()):
        assert identity.is_identity
        assert identity == group.identity()
        assert hash(identity) == hash(group.identity())
        with pytest.raises(IdentityError):
            identity.encode()


@given(st.binary(min_size=33, max_size=33) | st.binary(min_size=32, max_size=32).map(lambda x: b"\x02" + x))
def test_engines_agree_on_what_they_decode(data: bytes) -> None:
    results = []
    for name in ENGINES:
        try:
            results.append(GROUPS[name]().decode(data).encode().hex())
        except ZkError as error:
            results.append(error.code)
    assert len(set(results)) == 1
    assert results[0] in (data.hex(), "point")


def test_scalars_are_canonical(group: Group) -> None:
    for scalar in (0, 1, group.order - 1):
        assert decode_scalar(group, encode_scalar(group, scalar)) == scalar
    for scalar in (group.order, group.order + 1, 2**256 - 1):
        with pytest.raises(ScalarError):
            decode_scalar(group, scalar.to_bytes(32, "big"))
    for scalar in (-1, group.order, 2**256):
        with pytest.raises(ScalarError):
            encode_scalar(group, scalar)
    for size in (0, 31, 33, 64):
        with pytest.raises(LengthError):
            decode_scalar(group, bytes(size))


# --- the group --------------------------------------------------------------------------------------------------------


def test_equality_and_hash_are_by_value(group: Group) -> None:
    g = group.generator()
    ways = [g + g + g, group.mul(3, g), group.msm([3], [g]), group.decode((g + g + g).encode()), element(group, 3)]
    assert len(set(ways)) == 1
    assert all(left == right for left in ways for right in ways)
    assert g != -g
    assert g != group.identity()
    anything: object = g.encode()
    assert g != anything


def test_negation(group: Group) -> None:
    g = group.generator()
    assert g + -g == group.identity()
    assert g + g + -g == g
    assert {g.encode()[0], (-g).encode()[0]} == {2, 3}
    assert g.encode()[1:] == (-g).encode()[1:]


def test_operations_leave_their_operands_alone(group: Group) -> None:
    g, h = element(group, 3), element(group, 5)
    before = g.encode(), h.encode()
    for _ in (g + h, g - h, -g, group.mul(7, g), group.msm([1, 2], [g, h]), g == h, hash(g)):
        assert (g.encode(), h.encode()) == before


@settings(max_examples=30)
@given(scalars, scalars, multiples, multiples)
def test_group_laws(a: int, b: int, m: int, n: int) -> None:
    for make in GROUPS.values():
        group = make()
        g, h = element(group, m), element(group, n)
        assert g + h == h + g
        assert (g + h) - h == g
        assert group.mul(a, g + h) == group.mul(a, g) + group.mul(a, h)
        assert group.mul(a + b, g) == group.mul(a, g) + group.mul(b, g)
        assert group.mul(a, group.mul(b, g)) == group.mul(a * b, g)
        assert group.mul(-a, g) == -group.mul(a, g)
        assert group.mul(a + group.order, g) == group.mul(a, g)
        assert group.mul(group.order, g).is_identity


@settings(max_examples=50)
@given(st.lists(st.tuples(scalars, st.integers(0, ORDER - 1) | multiples), max_size=9))
def test_engines_produce_the_same_bytes(terms: list[tuple[int, int]]) -> None:
    results = []
    for name in ENGINES:
        group = GROUPS[name]()
        elements = [group.mul(multiple, group.generator()) for _, multiple in terms]
        products = [group.mul(scalar, value) for (scalar, _), value in zip(terms, elements, strict=True)]
        total = group.identity()
        for product in products:
            total = total + product
        assert group.msm([scalar for scalar, _ in terms], elements) == total
        together = group.products([scalar for scalar, _ in terms], elements)
        results.append([octets(value) for value in (*elements, *products, *(-product for product in products), total)])
        assert [octets(value) for value in together] == [octets(value) for value in products]
    assert all(result == results[0] for result in results)


# --- sums of an attacker's choice -------------------------------------------------------------------------------------


@given(st.lists(st.tuples(scalars, multiples), max_size=40))
def test_sums_with_equal_inverse_and_identity_elements(terms: list[tuple[int, int]]) -> None:
    for name in ENGINES:
        group = GROUPS[name]()
        elements = [element(group, multiple) for _, multiple in terms]
        expected = sum(scalar * multiple for scalar, multiple in terms)
        assert group.msm([scalar for scalar, _ in terms], elements) == group.mul(expected, group.generator())


@pytest.mark.parametrize("count", [1, 2, 3, 31, 64, 300])
def test_sums_that_cancel_or_repeat(group: Group, count: int) -> None:
    g = element(group, 3)
    same = [g] * count
    assert group.msm([1] * count, same) == group.mul(count, g)
    assert group.msm([group.order - 1] * count, same) == group.mul(-count, g)
    assert group.msm([0] * count, same).is_identity
    assert group.msm([2**255 + 1] * count, [group.identity()] * count).is_identity
    assert group.msm([7, 7] * count, [g, -g] * count).is_identity
    assert group.msm([5, -5] * count, [g, g] * count).is_identity


@pytest.mark.parametrize("count", [511, 512, 513, 1025])
def test_sums_around_the_size_of_a_chunk(count: int) -> None:
    for name in ENGINES:
        group = GROUPS[name]()
        elements = [group.generator()]
        while len(elements) < count:
            elements.append(elements[-1] + group.generator())
        factors = [pow(3, index, group.order) for index in range(count)]
        expected = sum(factor * (index + 1) for index, factor in enumerate(factors))
        assert group.msm(factors, elements) == group.mul(expected, group.generator())


def test_a_sum_needs_as_many_scalars_as_elements(group: Group) -> None:
    g = group.generator()
    for factors, elements in (([1], []), ([], [g]), ([1, 2], [g])):
        with pytest.raises(LengthError):
            group.msm(factors, elements)


# --- surroundings -----------------------------------------------------------------------------------------------------


def test_elements_of_two_engines_or_curves_do_not_mix() -> None:
    groups = [make() for make in GROUPS.values()]
    for group, other in itertools.permutations(groups, 2):
        own, stranger = group.generator(), other.generator()
        assert own != stranger
        with pytest.raises(EngineError):
            group.mul(2, stranger)
        with pytest.raises(EngineError):
            group.msm([1, 2], [own, stranger])
        with pytest.raises(EngineError):
            own + stranger
        with pytest.raises(EngineError):
            own - stranger


def test_a_printed_element_shows_no_coordinates(group: Group) -> None:
    g = group.generator()
    assert g.encode().hex()[2:10] not in repr(g).lower()
    assert str(int(g.encode()[1:].hex(), 16)) not in repr(g)


def test_refusals_leave_openssl_withoutget_errors() -> None:
    group = openssl.secp256k1()
    get_errors()
    for data in BAD_POINTS.values():
        with pytest.raises(PointError):
            group.decode(data)
        assert get_errors() == []
    with pytest.raises(PointError):
        group.from_affine(1, 1)
    assert get_errors() == []


def _python(*arguments: str) -> list[str]:
    """The words that another interpreter prints."""
    run = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, cwd=ROOT)
    return run.stdout.split()


def test_refusals_do_not_depend_on_assertions() -> None:
    """`python -O` removes petlib's own checks, and any assert of ours."""
    program = """
import sys
from zkcore import engine
from zkcore.engines import openssl
from zkcore.engines.reference import ReferenceGroup
from zkcore.errors import ZkError
assert False, "-O is not in force"
for group in (openssl.secp256k1(), ReferenceGroup()):
    print(group.decode(group.generator().encode()).encode().hex())
    for line in sys.argv[1:]:
        try:
            print(group.decode(bytes.fromhex(line)))
        except ZkError as error:
            print(error.code)
"""
    lines = [data.hex() for data in BAD_POINTS.values()]
    assert _python("-O", "-c", program, *lines) == ([GENERATOR] + ["point"] * len(lines)) * 2


def test_the_reference_engine_leaves_the_recursion_limit_alone() -> None:
    """py_ecc raises it, which would let deeply nested input crash the process instead of raising an exception."""
    program = "import sys; print(sys.getrecursionlimit()); import zkcore.engines.reference; print(sys.getrecursionlimit())"
    before, after = _python("-c", program)
    assert before == after


def test_threads_share_groups_and_elements(group: Group) -> None:
    g = element(group, 5)
    elements = [element(group, multiple) for multiple in range(1, 30)]
    expected = [group.mul(k, g).encode() for k in range(1, 9)]

    def work(k: int) -> bytes:
        for _ in range(3):
            assert group.msm([k] * len(elements), elements) == group.mul(k * 435, group.generator())
            with pytest.raises(PointError):
                group.decode(bytes(33))
            assert group.decode(g.encode()) == g
        return group.mul(k, g).encode()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(1, 9))) == expected
