"""The seed of a wallet: 24 English words (BIP-39) that a person writes down, and from which every key comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from mnemonic import Mnemonic

from parties.common.errors import InputError
from parties.common.home import Home, read_bytes, write_private
from parties.common.keyring import About, Viewer, create_viewer
from schemas.domain.identifiers import CreditCode
from zkcore.randomness import Randomness
from zkcore.secret.keys import ViewSecret
from zkcore.secret.memos import SealSecret
from zkcore.suite import Suite

WORDS = 24
_ENTROPY_SIZE = 32


@cache
def _list() -> Mnemonic:
    return Mnemonic("english")


def new_words(randomness: Randomness) -> str:
    """24 fresh words with one space between them: 256 bits, and 8 bits of check sum."""
    return _list().to_mnemonic(randomness.read(_ENTROPY_SIZE))


def entropy_of(words: str) -> bytes:
    """The 32 secret bytes behind 24 words, in any case and spacing. Raises InputError, saying which word is wrong if it can."""
    found = words.lower().split()
    if len(found) != WORDS:
        raise InputError(
            "words", f"a seed has {WORDS} words, and here are {len(found)}", f"助记词应为 {WORDS} 个，现有 {len(found)} 个"
        )
    known = set(_list().wordlist)
    wrong = [str(place) for place, word in enumerate(found, start=1) if word not in known]
    if wrong:
        places = ", ".join(wrong)
        raise InputError(
            "words",
            f"these words, counted from 1, are not in the list of words: {places}; compare them with what was written down",
            f"第 {places} 个词不在词表中；请与抄录内容核对",
        )
    if not _list().check(" ".join(found)):
        raise InputError(
            "words",
            "the words do not fit together: one is wrong, or two are exchanged; compare them with what was written down",
            "助记词校验不符：有词错误或顺序颠倒；请与抄录内容核对",
        )
    return bytes(_list().to_entropy(found))


@contextmanager
def kept_words(path: Path | None, words: str) -> Iterator[None]:
    """Around the making of keys: the words are in the file first, because keys without them would be lost with the wallet; and
    not left there when no keys were made. Raises InputError where the file exists: it may hold another wallet's words.
    """
    if path is None:
        yield
        return
    if path.exists():
        raise InputError("already-there", f"{path} exists and is not overwritten", f"{path} 已存在，不会覆盖")
    write_private(path, words.encode() + b"\n")
    try:
        yield
    except BaseException:
        path.unlink()
        raise


def read_words(path: Path) -> str:
    """The words that a text file holds. Raises InputError."""
    return read_bytes(path, 4096).decode("ascii", "replace")


def create_wallet(
    home: Home, suite: Suite, *, origin: str, holder: str, name: str, words: str, randomness: Randomness
) -> Viewer:
    """The keys that these words give, written to the home; the same words give the same keys on every machine.

    Raises InputError for bad words, DomainError for a bad credit code, HomeError when the home has keys.
    """
    entropy = entropy_of(words)
    about = About("enterprise", CreditCode.parse(holder).text, name, origin)
    secret, seal = ViewSecret.derive(suite, entropy), SealSecret.derive(entropy)
    return create_viewer(home, suite, about, secret, seal, randomness)
