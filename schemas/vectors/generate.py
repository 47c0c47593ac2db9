"""Write the test vectors, or compare them with what would be written: `python -m schemas.vectors.generate [--check]`.

All randomness is injected, so every run on every engine writes the same bytes; a changed file means a changed protocol.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from schemas.vectors.authenticity_vectors import write_authenticity
from schemas.vectors.basics import write_digests, write_encodings, write_generators, write_keys, write_openings
from schemas.vectors.operation_vectors import write_operations
from schemas.vectors.range_vectors import write_ranges
from schemas.vectors.sheet import Sheet
from schemas.vectors.statement_vectors import write_statements
from zkcore import engine
from zkcore.suite import Suite

DIRECTORY = Path(__file__).resolve().parent

WRITERS: Sequence[Callable[[Suite], Sheet]] = (
    write_generators,
    write_encodings,
    write_keys,
    write_openings,
    write_digests,
    write_statements,
    write_ranges,
    write_operations,
    write_authenticity,
)


def render(sheet: Sheet) -> str:
    """A file's text: one fixed layout, so that differences are readable."""
    return json.dumps(sheet.document(), indent=1, ensure_ascii=True) + "\n"


def files(suite: Suite) -> Iterable[tuple[Path, str]]:
    """Every file of vectors with the text that belongs into it."""
    for writer in WRITERS:
        sheet = writer(suite)
        yield DIRECTORY / f"{sheet.name}.json", render(sheet)


def drifted(suite: Suite) -> list[str]:
    """Names of the files that are missing or differ from what the code would write."""
    return [path.name for path, text in files(suite) if not path.is_file() or path.read_text(encoding="utf-8") != text]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; with --check, 1 when a file is not what the code would write."""
    parser = argparse.ArgumentParser(prog="python -m schemas.vectors.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file would change")
    parser.add_argument("--engine", help="the engine to compute with (default: the best present)")
    options = parser.parse_args(arguments)
    suite = engine.load(options.engine)
    if options.check:
        names = drifted(suite)
        if names:
            sys.stderr.write(
                f"these vectors are not what the code writes: {', '.join(names)}; see `git diff` after `make vectors`\n"
            )
        return 1 if names else 0
    for path, text in files(suite):
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
