"""`python -m benchmarks`."""

from __future__ import annotations

from benchmarks.cli import app

if __name__ == "__main__":  # The processes that prove in parallel import this module again.
    app(prog_name="python -m benchmarks")
