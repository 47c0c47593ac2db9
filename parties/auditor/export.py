"""An export: the whole log as a file of lines, each the canonical JSON of one entry with its index, for a replay anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from parties.common.client import ServiceClient
from parties.common.errors import InputError, ServiceMisbehaved
from schemas.answers import ExportedEntry
from schemas.canonical import canonical_value


def export_log(client: ServiceClient, token: str, path: Path, progress: Callable[[int, int], None] | None = None) -> int:
    """Fetch every entry and write them to a file, which appears only when it is whole. Returns how many there are.

    `progress` is called with (entries fetched, entries in the log). Raises PartyError.
    """
    return write_export(path, client.all_entries(token, progress=progress))


def write_export(path: Path, entries: Iterable[ExportedEntry]) -> int:
    """Write entries as an export (mode 0600), through a file beside it.

    Raises InputError where it cannot, ServiceMisbehaved for an entry that is not JSON with one encoding.
    """
    partial = path.with_name(f".{path.name}.partial")
    count = 0
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for entry in entries:
                file.write(_line(entry))
                count += 1
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(
            "not-written", f"{path} cannot be written: {error.strerror}", f"无法写入 {path}：{error.strerror}"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def _line(entry: ExportedEntry) -> bytes:
    """One line of an export, the entry as it was read: a model's own serialization would mend what is wrong with it."""
    try:
        return canonical_value({"entry": entry.entry, "index": entry.index}) + b"\n"
    except ValueError as error:
        raise ServiceMisbehaved(
            "service-misbehaved",
            f"entry {entry.index} of the log is not JSON with one encoding; the service may be of another version",
            f"日志第 {entry.index} 条不是规范的 JSON；服务版本可能不一致",
        ) from error
