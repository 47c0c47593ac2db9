"""The table of logarithms on disk: computed once, kept with a checksum, made again when damaged. It holds no secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from parties.common.home import read_bytes, write_private
from zkcore.errors import EngineError
from zkcore.secret.opening import LogarithmTable
from zkcore.suite import Suite

LEAST_BITS, DEFAULT_BITS, MOST_BITS = 12, 22, 26
"""A table holds 2**bits multiples, in 18 bytes each: 75 MB by default, with which amounts below 2**40 take milliseconds."""
_MOST_BYTES = 24 << MOST_BITS


def kept_table(suite: Suite, directory: Path, bits: int, say: Callable[[str, str], None]) -> LogarithmTable:
    """The table of 2**bits multiples from this directory, made and put there when it is not there yet or is damaged.

    With an engine that has no stored form, the table is made for this run alone. A wrong table can hide an amount, never give a
    wrong one: what it finds is checked. `say` is told, in English and Chinese, what was wrong with the file.

    Raises InputError when the file cannot be written.
    """
    if suite.twin is None:
        return LogarithmTable(suite)
    path = directory / f"logarithms-{bits}.table"
    if path.exists():
        try:
            return LogarithmTable.from_bytes(suite, read_bytes(path, _MOST_BYTES))
        except EngineError:
            say(f"{path} is damaged or of another version; it is made again.", f"{path} 已损坏或版本不符，将重新生成。")
    table = LogarithmTable(suite, 1 << bits)
    content = table.to_bytes()
    if content is not None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, content)
    return table
