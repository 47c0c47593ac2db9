"""A scene in which Customs has registered three declarations, a fresh copy of it for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parties.scene import FIRST, SECOND, YEN, Scene


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    made = Scene(tmp_path_factory.mktemp("registered"))
    made.register((FIRST, "USD 1000000.00"), (SECOND, "USD 48200.00"), (YEN, "JPY 18500000"))
    made.close()
    return made


@pytest.fixture
def scene(registered: Scene, tmp_path: Path) -> Iterator[Scene]:
    copied = registered.copy(tmp_path)
    yield copied
    copied.close()
