"""Probing: an institution that is refused too often on one document is kept off it for a day.

Each refusal for want of proven headroom tells a bank something, if little. Refusals are counted by keyed digest of
(institution, document), so the counters do not say who asked about what; a block names the document, because its owner is to
see it. SPEC.md, section 14, "What a refusal reveals"; SECURITY.md, "Probing", says what this does not stop.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from schemas.answers import Block
from schemas.callers import ProbingNote
from service.institutions.registry import Caller
from service.institutions.tables import BLOCKS, INSTITUTIONS, REFUSALS
from service.storage import Storage

WINDOW = 86_400
"""Seconds within which refusals add up."""
BLOCKED = 86_400
"""Seconds that a block lasts."""


def lock(connection: Connection, institution: bytes) -> None:
    """Refusals of one institution are counted one after another, so that no two overlook each other."""
    connection.execute(select(INSTITUTIONS.c.id).where(INSTITUTIONS.c.id == institution).with_for_update()).one()


def count_refusal(connection: Connection, pair: bytes, request: bytes, now: int) -> int:
    """Note a refused request, and return how many there were within the window. The same request counts once."""
    connection.execute(delete(REFUSALS).where(REFUSALS.c.time <= now - WINDOW))
    dialect = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(dialect(REFUSALS).values(pair=pair, request=request, time=now).on_conflict_do_nothing())
    return int(connection.scalar(select(func.count()).select_from(REFUSALS).where(REFUSALS.c.pair == pair)) or 0)


def block(connection: Connection, pair: bytes, document: bytes, now: int) -> int:
    """Keep the institution off the document, in place of an earlier block. Its refusals are forgotten. Until when."""
    connection.execute(delete(REFUSALS).where(REFUSALS.c.pair == pair))
    connection.execute(delete(BLOCKS).where(BLOCKS.c.pair == pair))
    connection.execute(insert(BLOCKS).values(pair=pair, document=document, time=now, until=now + BLOCKED))
    return now + BLOCKED


def unblock(connection: Connection, pair_of: Callable[[bytes], bytes], document: bytes | None) -> int:
    """Lift blocks of one institution, on one document or on every one that is blocked for anybody. How many."""
    blocked = [document] if document is not None else list(connection.scalars(select(BLOCKS.c.document).distinct()))
    pairs = [pair_of(each) for each in blocked]
    connection.execute(delete(REFUSALS).where(REFUSALS.c.pair.in_(pairs)))
    return connection.execute(delete(BLOCKS).where(BLOCKS.c.pair.in_(pairs))).rowcount


def blocks_on(storage: Storage, document: bytes) -> list[Block]:
    """The blocks there are or were on a document: when, until when, and not whose."""
    wanted = select(BLOCKS.c.time, BLOCKS.c.until).where(BLOCKS.c.document == document).order_by(BLOCKS.c.time, BLOCKS.c.pair)
    with storage.reading("blocks_on") as connection:
        return [Block(time=row.time, until=row.until) for row in connection.execute(wanted)]


def note(caller: Caller, document: bytes, refusals: int, until: int) -> ProbingNote:
    """What the regulator is told of a block."""
    who = caller.note()
    return ProbingNote(institution=who.institution, outlet=who.outlet, document=document, refusals=refusals, until=until)
