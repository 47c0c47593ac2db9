"""The sponge and codecs are those of draft-irtf-cfrg-fiat-shamir-03, byte for byte, and framing leaves no ambiguity.

A failure would be: another byte than the official vectors say, an accepted encoding that the codec would not write, or two
lists of parts with one digest. The sumcheck example of the draft's appendix A is verified here with our codec, so that its
accept and its rejects test the sponge over several rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkcore.engines.openssl import p256
from zkcore.errors import EncodingError, LengthError, ScalarError, SigmaRejected, ZkError
from zkcore.group import encode_scalar
from zkcore.transcript import (
    LABEL_BATCH,
    LABEL_HEAD,
    DuplexSponge,
    decode_uint,
    derive_session_id,
    deserialize_uint,
    deserialize_varlen,
    digest,
    field_width,
    frame,
    serialize_uint,
    serialize_varlen,
    text,
)

Read = Callable[[str], Any]

CODEC = "sigma-protocols/fiatShamirCodecVectors.json"
SPONGE = "sigma-protocols/fiatShamirShake128Vectors.json"


def test_sponge_known_answer() -> None:
    sponge = DuplexSponge(bytes(range(32)))
    assert sponge.squeeze(32).hex() == "63e1b3543377fab6fb8cf0f7698a9980ca0211d5bc4aba213dd7a6ef7dd63cfa"


def test_official_vectors(official_vectors: Read) -> None:
    vectors = official_vectors(CODEC) + official_vectors(SPONGE)
    assert {vector["Function"] for vector in vectors} == set(_RUNNERS)
    for vector in vectors:
        run = _RUNNERS[vector["Function"]]
        if vector.get("Expected") == "reject":
            with pytest.raises(_REASONS[vector["Name"]]):
                run(vector)
        else:
            run(vector)


def test_squeezing_nothing_and_absorbing_nothing_change_nothing() -> None:
    plain, poked = DuplexSponge(bytes(32)), DuplexSponge(bytes(32))
    for sponge in (plain, poked):
        sponge.absorb(b"message")
    poked.absorb(b"")
    assert poked.squeeze(0) == b""
    assert poked.squeeze(7) + poked.squeeze(9) == plain.squeeze(16)


def test_absorbing_after_a_squeeze_restarts_the_stream() -> None:
    split, whole = DuplexSponge(bytes(32)), DuplexSponge(bytes(32))
    split.absorb(b"ab")
    split.squeeze(100)
    split.absorb(b"c")
    whole.absorb(b"abc")
    assert split.squeeze(32) == whole.squeeze(32)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_session_id_has_exactly_32_bytes(size: int) -> None:
    with pytest.raises(LengthError):
        DuplexSponge(bytes(size))


@given(st.integers(2, 2**300), st.data())
def test_integers_round_trip_and_only_canonical_ones_decode(modulus: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, modulus - 1))
    encoding = serialize_uint(value, modulus)
    assert deserialize_uint(encoding + b"rest", modulus) == (value, b"rest")
    for outside in (-1, modulus):
        with pytest.raises(ScalarError):
            serialize_uint(outside, modulus)
    lifted = modulus + value
    if lifted < 256 ** field_width(modulus):
        with pytest.raises(ScalarError):
            deserialize_uint(lifted.to_bytes(field_width(modulus), "little"), modulus)


@pytest.mark.parametrize("size", [0, 32, 47, 49])
def test_a_challenge_is_decoded_from_exactly_48_bytes(size: int) -> None:
    with pytest.raises(LengthError):
        decode_uint(bytes(size), p256().order)


@given(st.lists(st.binary(max_size=9), max_size=5))
def test_framing_can_be_read_back(parts: list[bytes]) -> None:
    rest, read = frame(parts), []
    while rest:
        part, rest = deserialize_varlen(rest)
        read.append(part)
    assert read == parts


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0", b"\1\0\0\0", b"\5\0\0\0four", b"\xff\xff\xff\xffshort", b"\0\0\0\x80" + bytes(9)]
)
def test_a_length_beyond_the_data_is_refused(data: bytes) -> None:
    """Before anything of that length is allocated."""
    with pytest.raises(LengthError):
        deserialize_varlen(data)


def test_digest_separates_boundaries_and_labels() -> None:
    digests = {
        digest(LABEL_HEAD, [b"ab", b"c"]),
        digest(LABEL_HEAD, [b"a", b"bc"]),
        digest(LABEL_HEAD, [b"abc"]),
        digest(LABEL_HEAD, [b"abc", b""]),
        digest(LABEL_HEAD, []),
        digest(LABEL_BATCH, [b"abc"]),
    }
    assert len(digests) == 6
    assert {len(value) for value in digests} == {32}


@pytest.mark.parametrize("value", ["\n", "é", "中", "a\0", 7, None, b"x"])
def test_text_takes_printable_ascii_strings_only(value: Any) -> None:
    with pytest.raises(EncodingError):
        text(value)


def _serialize_varlen(vector: dict[str, Any]) -> None:
    data, encoding = bytes.fromhex(vector["Input"]), bytes.fromhex(vector["Output"])
    assert serialize_varlen(data) == encoding
    assert deserialize_varlen(encoding) == (data, b"")


def _deserialize_varlen(vector: dict[str, Any]) -> None:
    deserialize_varlen(bytes.fromhex(vector["Input"]))


def _serialize_uint(vector: dict[str, Any]) -> None:
    value, modulus = int(vector["Value"], 16), int(vector["Modulus"], 16)
    assert serialize_uint(value, modulus).hex() == vector["Output"]


def _deserialize_uint(vector: dict[str, Any]) -> None:
    deserialize_uint(bytes.fromhex(vector["Input"]), int(vector["Modulus"], 16))


def _serialize_field(vector: dict[str, Any]) -> None:
    assert vector["ByteOrder"] == "big-endian"
    assert int(vector["Modulus"], 16) == p256().order
    assert encode_scalar(p256(), int(vector["Value"], 16)).hex() == vector["Output"]


def _deserialize_field(vector: dict[str, Any]) -> None:
    rest, coordinates = bytes.fromhex(vector["Input"]), []
    for _ in range(vector["ExtensionDegree"]):
        coordinate, rest = deserialize_uint(rest, int(vector["Modulus"], 16))
        coordinates.append(coordinate)
    assert coordinates == [int(coordinate, 16) for coordinate in vector["Coordinates"]]


def _decode_uint(vector: dict[str, Any]) -> None:
    if "Input" in vector:
        data = bytes.fromhex(vector["Input"])
    else:
        data = _run(vector)
        assert data.hex() == vector["Output"]
    assert decode_uint(data, int(vector["Modulus"], 16)) == int(vector["Challenge"], 16)


def _duplex_sponge(vector: dict[str, Any]) -> None:
    assert _run(vector).hex() == vector["Output"]


def _run(vector: dict[str, Any]) -> bytes:
    sponge, output = DuplexSponge(bytes.fromhex(vector["SessionId"])), b""
    for operation in vector["Operations"]:
        if operation["type"] == "absorb":
            sponge.absorb(bytes.fromhex(operation["data"]))
        else:
            output += sponge.squeeze(operation["length"])
    return output


def _derive_session_id(vector: dict[str, Any]) -> None:
    assert derive_session_id(bytes.fromhex(vector["Tag"])).hex() == vector["Output"]


def _sumcheck(vector: dict[str, Any]) -> None:
    if "Tag" in vector:
        assert derive_session_id(bytes.fromhex(vector["Tag"])).hex() == vector["SessionId"]
    modulus, variables = int(vector["Modulus"], 16), vector["NumVariables"]
    evaluation = _verify_sumcheck(vector, modulus, variables)
    assert evaluation == int(vector["FinalEvaluation"], 16)
    assert evaluation == _fold(vector["Witness"], _challenges(vector, modulus, variables), modulus)


def _verify_sumcheck(vector: dict[str, Any], modulus: int, variables: int) -> int:
    """The verifier of the draft's appendix A up to the evaluation that it would compare with a commitment."""
    claimed, narg = int(vector["ClaimedSum"], 16), bytes.fromhex(vector["Narg"])
    for challenge in _challenges(vector, modulus, variables):
        constant, narg = deserialize_uint(narg, modulus)
        slope, narg = deserialize_uint(narg, modulus)
        if (2 * constant + slope - claimed) % modulus:
            raise SigmaRejected("the round polynomial does not sum to the claim")
        claimed = (constant + slope * challenge) % modulus
    if narg:
        raise LengthError("bytes after the last round")
    return claimed


def _challenges(vector: dict[str, Any], modulus: int, variables: int) -> Iterable[int]:
    sponge, narg = DuplexSponge(bytes.fromhex(vector["SessionId"])), bytes.fromhex(vector["Narg"])
    sponge.absorb(serialize_uint(variables, 2**32) + serialize_uint(int(vector["ClaimedSum"], 16), modulus))
    width = field_width(modulus)
    for index in range(variables):
        sponge.absorb(narg[2 * width * index : 2 * width * (index + 1)])
        yield int.from_bytes(sponge.squeeze(width), "little") % modulus


def _fold(table: list[int], challenges: Iterable[int], modulus: int) -> int:
    for challenge in challenges:
        table = [(even + challenge * (odd - even)) % modulus for even, odd in zip(table[::2], table[1::2], strict=True)]
    return table[0]


_REASONS: dict[str, type[ZkError]] = {
    "deserialize_uint_reject_modulus": ScalarError,
    "deserialize_uint_reject_short": LengthError,
    "deserialize_field_reject_second_coordinate": ScalarError,
    "deserialize_varlen_reject_truncated": LengthError,
    "deserialize_varlen_reject_overflow": LengthError,
    "sumcheck_reject_noncanonical_coefficient": ScalarError,
    "sumcheck_reject_round_identity": SigmaRejected,
    "sumcheck_reject_trailing_bytes": LengthError,
}

_RUNNERS: dict[str, Callable[[dict[str, Any]], None]] = {
    "SerializeVarLenString": _serialize_varlen,
    "DeserializeVarLenString": _deserialize_varlen,
    "SerializeUint": _serialize_uint,
    "DeserializeUint": _deserialize_uint,
    "SerializeField": _serialize_field,
    "DeserializeField": _deserialize_field,
    "DecodeUint": _decode_uint,
    "DuplexSponge": _duplex_sponge,
    "DeriveSessionID": _derive_session_id,
    "Sumcheck": _sumcheck,
}
