"""What every test may use: the official vectors, and hypothesis without deadlines (machines differ, results must not)."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
OFFICIAL_VECTORS = ROOT.parent / "shared" / "vectors"

settings.register_profile("tradeveil", deadline=None)
settings.load_profile("tradeveil")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A test that starts a service sets up its log on the standard error of that moment, which a later test's must not meet."""
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)


@pytest.fixture(scope="session")
def official_vectors() -> Callable[[str], Any]:
    """Reader of the official test vectors: the parsed JSON file at a path below `shared/vectors` beside the checkout.

    They belong to others and are not copied into the project. Without the folder a test skips and says so; where the
    environment variable CI is set it fails, so that no pipeline passes by skipping.
    """
    if not OFFICIAL_VECTORS.is_dir():
        message = "the official vectors (shared/vectors) are not beside the checkout"
        if os.environ.get("CI"):
            pytest.fail(f"{message}, and CI must have them")
        pytest.skip(message)

    def read(path: str) -> Any:
        return json.loads((OFFICIAL_VECTORS / path).read_text(encoding="utf-8"))

    return read
