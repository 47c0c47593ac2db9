"""Reads the tables that ship beside this code. A broken table is a broken installation, and fails at the first use."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(file: str, section: str) -> dict[str, Any]:
    """One section of one shipped TOML file. Treat it as read-only: it is shared."""
    content = tomllib.loads(files("schemas.domain").joinpath(file).read_text(encoding="utf-8"))
    section_content: dict[str, Any] = content[section]
    return section_content
