"""Kinds of documents as configuration: adding one is a table in a file, not code."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from schemas.entries import Kind


def load_kinds(path: Path | None = None) -> list[Kind]:
    """The kinds of a TOML file in its order; without a path, of the `kinds.toml` that ships beside this code.

    Raises OSError for a file that cannot be read, ValueError (with what to mend) for one that is not a table of kinds.
    """
    source = files("schemas").joinpath("kinds.toml") if path is None else path
    tables = tomllib.loads(source.read_text(encoding="utf-8"))
    if not tables:
        raise ValueError("a log needs at least one kind of document")
    return [_kind(name, table) for name, table in tables.items()]


def _kind(name: str, table: object) -> Kind:
    fields = table if isinstance(table, dict) else {}
    if "name" in fields:
        raise ValueError(f"the kind [{name}] has its name in its heading; remove the field `name`")
    try:
        return Kind.model_validate({"shares": {}, **fields, "name": name})
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ValueError(f"the kind [{name}] is not described as kinds.toml says: {reasons}") from error
