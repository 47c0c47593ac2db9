"""What a service keeps, writes and exports, as whoever takes the disk finds it: the material that is searched for secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import create_engine

from service.settings import DATABASE_NAME
from service.storage import database_address
from tradeveil.demo.scan import Corpus, Value, database_values, line_values

LOG = "server.log"
"""What a database server logs, in its files."""

WRITE_AHEAD_LOG = "pg_wal"
_PAGE, _FIRST_HEADER, _HEADER = 8192, 40, 24
"""Bytes of a page of the write-ahead log, and of what stands before its records (PostgreSQL's access/xlog_internal.h)."""


@dataclass(frozen=True)
class DatabaseServer:
    """A PostgreSQL database, empty at first, whose server nobody else uses and whose files we may read.

    url: of the database, with a user who may order a checkpoint
    files: the server's data directory, with its tables, write-ahead log and temporary files, and what it logs in `server.log`
    before: SHA-256 of its files as they were before anything was kept in them. Most of a new server's files stay so.
    """

    url: str = field(repr=False)
    files: Path
    before: frozenset[bytes] = field(default=frozenset(), repr=False)

    @classmethod
    def unused(cls, url: str, files: Path) -> DatabaseServer:
        """A server that nothing was kept in yet."""
        server = cls(url, files)
        return replace(server, before=frozenset(hashlib.sha256(corpus.data).digest() for corpus in server.corpora()))

    def corpora(self) -> Iterator[Corpus]:
        """Every file that is not as before, after a checkpoint: what is in the server's memory alone would be missed."""
        self._checkpoint()
        for path in sorted(self.files.rglob("*")):
            try:
                data = path.read_bytes() if path.is_file() else b""
            except FileNotFoundError:  # Some come and go meanwhile.
                continue
            if hashlib.sha256(data).digest() not in self.before:
                log = path.parent.name == WRITE_AHEAD_LOG
                yield Corpus(str(path.relative_to(self.files)), _records(data) if log else data)

    def _checkpoint(self) -> None:
        engine = create_engine(database_address(self.url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("CHECKPOINT")
        engine.dispose()


def _records(segment: bytes) -> bytes:
    """The records of a file of the write-ahead log, each in one piece: where one passes the end of a page, a header cuts it."""
    rest = (segment[start + _HEADER : start + _PAGE] for start in range(_PAGE, len(segment), _PAGE))
    return segment[_FIRST_HEADER:_PAGE] + b"".join(rest)


def material(root: Path, server: DatabaseServer | None = None) -> list[Corpus]:
    """The files of the service's directory, its logs, the export and its database server, as they are now."""
    files = [*(root / "service").iterdir(), *(root / "logs").iterdir(), root / "papers" / "export.jsonl"]
    found = [Corpus(path.name, path.read_bytes()) for path in sorted(files) if path.is_file()]
    return found if server is None else [*found, *server.corpora()]


def clear_material(root: Path, server: DatabaseServer | None = None) -> Iterator[tuple[str, Value]]:
    """Every clear value of the same: the cells of the database, and the words of all that is text."""
    yield from database_values(f"sqlite:///{root / 'service' / DATABASE_NAME}" if server is None else server.url)
    for corpus in material(root):
        if not corpus.name.startswith(DATABASE_NAME):
            yield from line_values(corpus)
    if server is not None:
        yield from line_values(Corpus(LOG, (server.files / LOG).read_bytes()))
