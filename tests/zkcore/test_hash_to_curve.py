"""Hashing to the curve is RFC 9380, byte for byte, on both curves and in both engines.

A failure would be: a point, field element or expanded string other than the official vectors say, two messages or tags with one
point, or an exceptional input that raises or leaves the curve.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkcore import engine
from zkcore import hash_to_curve as module
from zkcore.engines import openssl
from zkcore.engines.reference import ReferenceGroup
from zkcore.errors import EngineError, LengthError
from zkcore.group import Group
from zkcore.hash_to_curve import expand_message_xmd, hash_to_curve, hash_to_field

Read = Callable[[str], Any]

SUITES: dict[str, tuple[Group, str]] = {
    **{name: (engine.load(name).group, "secp256k1_XMD_SHA-256_SSWU_RO_") for name in engine.available()},
    "p256": (openssl.p256(), "P256_XMD_SHA-256_SSWU_RO_"),
}


@pytest.mark.parametrize("name", engine.available())
def test_known_answer_secp256k1(name: str) -> None:
    group, _ = SUITES[name]
    point = hash_to_curve(group, b"", b"QUUX-V01-CS02-with-secp256k1_XMD:SHA-256_SSWU_RO_")
    assert point.encode()[1:].hex() == "c1cae290e291aee617ebaef1be6d73861479c48b841eaba9b7b5852ddfeb1346"


def test_known_answer_p256() -> None:
    point = hash_to_curve(openssl.p256(), b"", b"QUUX-V01-CS02-with-P256_XMD:SHA-256_SSWU_RO_")
    assert point.encode()[1:].hex() == "2c15230b26dbc6fc9a37051158c95b79656e17a1a920b11394ca91c44247d3e4"


def test_known_answer_of_the_expander() -> None:
    # RFC 9380, appendix K.1.
    expanded = expand_message_xmd(b"", b"QUUX-V01-CS02-with-expander-SHA256-128", 32)
    assert expanded.hex() == "68a985b87eb6b46952128911f2a4412bbc302a9d759667f87f7a21d803f07235"


@pytest.mark.parametrize("name", SUITES)
def test_official_vectors(name: str, official_vectors: Read) -> None:
    group, file = SUITES[name]
    suite = official_vectors(f"hash-to-curve/{file}.json")
    dst = suite["dst"].encode()
    assert suite["randomOracle"] is True
    assert int(suite["field"]["p"], 16) == group.p
    assert suite["vectors"]
    for vector in suite["vectors"]:
        message = vector["msg"].encode()
        assert hash_to_field(message, dst, group.p, 2) == [int(u, 16) for u in vector["u"]]
        for label, u in zip(("Q0", "Q1"), vector["u"], strict=True):
            assert module._map_to_curve(group, module._PARAMETERS[group.name], [int(u, 16)]) == [_affine(group, vector[label])]
        assert hash_to_curve(group, message, dst) == _affine(group, vector["P"])


def _affine(group: Group, point: dict[str, str]) -> object:
    return group.from_affine(int(point["x"], 16), int(point["y"], 16))


@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(min_size=1, max_size=40)), min_size=2, max_size=4, unique=True))
def test_other_messages_and_tags_give_other_points(inputs: list[tuple[bytes, bytes]]) -> None:
    group = openssl.secp256k1()
    assert len({hash_to_curve(group, message, dst) for message, dst in inputs}) == len(inputs)


@pytest.mark.parametrize("size", [0, 256, 1000])
def test_a_tag_has_1_to_255_bytes(size: int) -> None:
    assert len(expand_message_xmd(b"", b"x" * 255, 32)) == 32
    with pytest.raises(LengthError):
        hash_to_curve(openssl.secp256k1(), b"", b"x" * size)


def test_expanded_sizes() -> None:
    for size in (0, 1, 31, 32, 33, 255 * 32):
        assert len(expand_message_xmd(b"m", b"tag", size)) == size
    for size in (-32, 255 * 32 + 1, 2**16):
        with pytest.raises(LengthError):
            expand_message_xmd(b"m", b"tag", size)


@pytest.mark.parametrize("name", SUITES)
def test_zero_maps_to_a_point(name: str) -> None:
    """u = 0 is the exceptional case of the simplified SWU map."""
    group, _ = SUITES[name]
    [point] = module._map_to_curve(group, module._PARAMETERS[group.name], [0])
    assert not point.is_identity


@pytest.mark.parametrize("name", SUITES)
def test_many_at_once_are_each_alone(name: str) -> None:
    """The exceptional case among others, too: one inversion serves them all."""
    group, _ = SUITES[name]
    messages = [b"", b"a", b"b", b"a" * 200]
    tag = b"tag of a test"
    assert module.hash_all_to_curve(group, messages, tag) == [hash_to_curve(group, message, tag) for message in messages]
    assert module.hash_all_to_curve(group, [], tag) == []
    fields = [5, 0, 6]
    alone = [module._map_to_curve(group, module._PARAMETERS[group.name], [u])[0] for u in fields]
    assert module._map_to_curve(group, module._PARAMETERS[group.name], fields) == alone


@given(st.lists(st.integers(1, 100), max_size=5))
def test_inverses(values: list[int]) -> None:
    assert module.inverses(values, 101) == [pow(value, -1, 101) for value in values]


def test_the_kernel_of_the_isogeny_maps_to_the_identity() -> None:
    group, isogeny = openssl.secp256k1(), module._SECP256K1.isogeny
    assert isogeny is not None
    x = -isogeny.x_denominator[1] * pow(2, -1, group.p) % group.p
    assert module._evaluate(isogeny.x_denominator, x, group.p) == 0
    assert module._apply(isogeny, group, x, 1).is_identity


def test_a_group_without_a_suite_is_refused() -> None:
    group = ReferenceGroup()
    group.name = "curve of nobody"
    with pytest.raises(EngineError):
        hash_to_curve(group, b"", b"tag")
