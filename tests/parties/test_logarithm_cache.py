"""The table of logarithms on disk. A failure would be: a table that is not the one asked for, a damaged file that is believed
or that stops a regulator's work, a file that others can read, a second computation where the file would have served.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from parties.common import logarithm_cache
from parties.common.logarithm_cache import kept_table
from zkcore import engine
from zkcore.errors import OpeningError
from zkcore.secret.keys import ViewSecret
from zkcore.secret.opening import LogarithmTable, open_many_by_logarithm

BITS = 12
own_table = pytest.mark.skipif("native" not in engine.available(), reason="only the native engine keeps tables")


class Said:
    def __init__(self) -> None:
        self.words: list[str] = []

    def __call__(self, english: str, chinese: str) -> None:
        self.words.append(english)


@own_table
def test_a_table_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite, said, directory = engine.load("native"), Said(), tmp_path / "cache"
    first = kept_table(suite, directory, BITS, said)
    (file,) = directory.iterdir()
    assert file.stat().st_mode & 0o077 == 0
    made = file.read_bytes()
    assert first.to_bytes() == made
    monkeypatch.setattr(logarithm_cache.LogarithmTable, "__init__", lambda *args: pytest.fail("computed again"))
    again = kept_table(suite, directory, BITS, said)
    for amount in (0, 1, 4096, 123_456_789):
        assert again.find(suite.group.mul(amount, suite.G), 1 << 30) == amount
    assert said.words == []


@own_table
@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:-1] + bytes([data[-1] ^ 1])])
def test_a_damaged_file_is_replaced_and_said(tmp_path: Path, damage: object) -> None:
    suite, said = engine.load("native"), Said()
    kept_table(suite, tmp_path, BITS, said)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))  # type: ignore[operator]
    table = kept_table(suite, tmp_path, BITS, said)
    assert table.find(suite.group.mul(77, suite.G), 100) == 77
    assert file.read_bytes() == whole
    assert len(said.words) == 1
    assert "damaged" in said.words[0]


def test_engines_without_tables_make_them_each_time(tmp_path: Path) -> None:
    suite = engine.load("openssl")
    table = kept_table(suite, tmp_path, BITS, Said())
    assert table.to_bytes() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", engine.available())
def test_handles_are_opened_in_bulk(name: str) -> None:
    suite, secret = engine.load(name), ViewSecret(0xABCDEF)
    key, table = secret.public(suite), LogarithmTable(suite, 64)
    group, amounts = suite.group, [0, 1, 500, 999]
    pairs = [(group.mul(a, suite.G) + group.mul(a + 7, suite.H), group.mul(a + 7, key)) for a in amounts]
    stranger = (suite.H, suite.G)
    assert open_many_by_logarithm(suite, secret, [*pairs, stranger], 999, table) == [*amounts, None]
    assert open_many_by_logarithm(suite, secret, pairs, 998, table) == [0, 1, 500, None]
    assert open_many_by_logarithm(suite, secret, [], 998, table) == []


@own_table
def test_a_search_of_the_native_engine_tells_progress_and_can_be_ended() -> None:
    suite, steps = engine.load("native"), []
    table = LogarithmTable(suite, 16)

    def progress(done: int, most: int) -> None:
        steps.append((done, most))
        if len(steps) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        table.find(suite.H, 1 << 40, progress)
    assert steps[0][0] < steps[1][0] <= steps[1][1]
    with pytest.raises(OpeningError):
        table.find(suite.H, 1000)
    with pytest.raises(OpeningError):
        table.find(suite.G, -1)
