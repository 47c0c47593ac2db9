"""Sealed memos: one size for all, opened by one key only, and whatever was changed is noticed.

A failure would be: a length that tells something about the content, a memo that another key opens, a changed memo that opens, a
second encoding of one content, an unusable key that goes unnoticed, a mailbox that both sides compute differently.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import flip
from zkcore.errors import KeyRejected, LengthError, MemoError
from zkcore.operations import MEMO_SIZE, Memos
from zkcore.secret.memos import CONTENT_SIZE, SealSecret, seal, seal_memo

READER, STRANGER = SealSecret(b"r" * 32), SealSecret(b"s" * 32)

LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    (2**255 - 19 - 1).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 19 + 1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
]
"""Points of small order (RFC 7748, section 6.1): a secret shared with one would be known to everybody."""


@given(st.binary(max_size=CONTENT_SIZE))
@settings(max_examples=40)
def test_a_memo_has_one_size_and_opens(content: bytes) -> None:
    memo = seal_memo(READER.public, content)
    assert len(memo) == MEMO_SIZE
    assert READER.open_memo(memo) == content


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"\x80" * 9, b"\0", b"\0" * 9, b"a\x80", b"a\0", b"\x80\0", bytes(CONTENT_SIZE)]
)
def test_padding_is_unambiguous(content: bytes) -> None:
    assert READER.open_memo(seal_memo(READER.public, content)) == content


def test_the_longest_content_fits_and_no_longer() -> None:
    assert READER.open_memo(seal_memo(READER.public, b"x" * CONTENT_SIZE)) == b"x" * CONTENT_SIZE
    with pytest.raises(LengthError):
        seal_memo(READER.public, b"x" * (CONTENT_SIZE + 1))


def test_memos_of_one_content_are_all_different() -> None:
    assert len({seal_memo(READER.public, b"same") for _ in range(8)}) == 8


def test_only_its_reader_opens_a_memo() -> None:
    memo = seal_memo(READER.public, b"content")
    with pytest.raises(MemoError):
        STRANGER.open_memo(memo)


def test_a_changed_memo_does_not_open() -> None:
    memo = seal_memo(READER.public, b"content")
    for bit in Random("memos").sample(range(8 * MEMO_SIZE), 200):
        with pytest.raises(MemoError):
            READER.open_memo(flip(memo, bit))


@pytest.mark.parametrize("memo", [b"", b"x", bytes(48), bytes(MEMO_SIZE - 1), bytes(MEMO_SIZE), bytes(MEMO_SIZE + 1)])
def test_what_is_no_memo_does_not_open(memo: bytes) -> None:
    with pytest.raises(MemoError):
        READER.open_memo(memo)
    with pytest.raises(MemoError):
        READER.open(memo)


@pytest.mark.parametrize(
    "padded",
    [
        bytes(1536),
        b"content" + bytes(1529),
        b"content\x80" + bytes(1527) + b"x",
        b"c\x80" + b"\1" * 1534,
        b"\x80" + b"a" * 1535,
    ],
)
def test_malformed_padding_is_refused(padded: bytes) -> None:
    assert len(padded) == 1536
    with pytest.raises(MemoError):
        READER.open_memo(seal(READER.public, padded))


def test_a_sealed_box_of_another_size_is_no_memo() -> None:
    sealed = seal(READER.public, b"short\x80")
    assert READER.open(sealed) == b"short\x80"
    with pytest.raises(MemoError):
        READER.open_memo(sealed)


@pytest.mark.parametrize("size", [0, 1, MEMO_SIZE - 1, MEMO_SIZE + 1])
def test_an_operation_carries_memos_of_one_size(size: int) -> None:
    for owner, regulator in ((size, MEMO_SIZE), (MEMO_SIZE, size)):
        with pytest.raises(LengthError):
            Memos(bytes(owner), bytes(regulator))


@pytest.mark.parametrize("key", LOW_ORDER)
def test_keys_of_low_order_are_refused(key: bytes) -> None:
    for point in (key, flip(key, 255)):  # X25519 ignores the highest bit
        with pytest.raises(KeyRejected):
            seal(point, b"content")
        with pytest.raises(KeyRejected):
            seal_memo(point, b"content")
        with pytest.raises(KeyRejected):
            READER.shared(point)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_of_wrong_length_are_refused(size: int) -> None:
    for attempt in (lambda: seal(bytes(size), b""), lambda: READER.shared(bytes(size)), lambda: SealSecret(bytes(size))):
        with pytest.raises(LengthError):
            attempt()


def test_both_sides_share_one_mailbox() -> None:
    other = SealSecret(b"o" * 32)
    assert READER.shared(other.public) == other.shared(READER.public)
    assert READER.shared(other.public) != READER.shared(STRANGER.public)


def test_a_seal_key_comes_from_its_seed_and_from_its_encoding() -> None:
    seed = b"a seed of thirty-two bytes......"
    secret = SealSecret.derive(seed)
    assert secret.encode() == SealSecret.derive(seed).encode()
    again = SealSecret(secret.encode())
    assert again.public == secret.public
    assert again.open_memo(seal_memo(secret.public, b"content")) == b"content"
