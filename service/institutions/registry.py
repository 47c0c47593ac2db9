"""The registry: institutions, who is below whom, their request keys and limits.

An institution's identifier is the `holder` of its identity. A child has its parent's role; a legal-person bank, a branch and an
outlet are the deepest there is. Whoever is revoked, or below one who is, may not call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args

from sqlalchemy import Connection, FromClause, RowMapping, Select, delete, insert, select, update

from schemas.callers import CallerNote
from service.institutions.pseudonyms import Pseudonyms
from service.institutions.tables import INSTITUTIONS, LIMITS, REQUEST_KEYS
from service.statements import Statement, among
from service.storage import Storage
from service.tables import StoredRow

Role = Literal["attester", "bank", "regulator", "auditor", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)
DEEPEST = 3
"""Legal person, branch, outlet."""


def _keys(dialect: str) -> Select[Any]:
    """Keys with those whose they are and everybody above them, the nearest first; a row for each of their limits."""
    path = [INSTITUTIONS.alias(f"member_{above}") for above in range(DEEPEST)]
    joined: FromClause = REQUEST_KEYS.join(path[0], path[0].c.id == REQUEST_KEYS.c.institution)
    for below, above in pairwise(path):
        joined = joined.outerjoin(above, above.c.id == below.c.parent)
    joined = joined.outerjoin(LIMITS, LIMITS.c.institution.in_([member.c.id for member in path]))
    columns = [column.label(f"{member.name}_{column.name}") for member in path for column in member.c]
    return (
        select(*REQUEST_KEYS.c, *columns, LIMITS.c.institution.label("limited"), LIMITS.c.what, LIMITS.c.most)
        .select_from(joined)
        .where(among(dialect, REQUEST_KEYS.c.key, "keys"))
    )


_KEYS = Statement("callers", _keys)


class RegistryError(Exception):
    """The registry cannot be changed so; the message says what to mend."""


@dataclass(frozen=True)
class Member:
    """One institution of a caller's path. `limits`: how much of what it and all below it may use in one window."""

    id: bytes
    holder: str = field(repr=False)
    limits: Mapping[str, int] = field(repr=False)


@dataclass(frozen=True)
class Caller:
    """Who signed a request. `path`: the legal person first, then the branch and the outlet where the key is theirs.

    key: the request key that signed, 32 bytes
    """

    role: Role
    path: tuple[Member, ...]
    key: bytes = field(repr=False)

    @property
    def institution(self) -> bytes:
        """The id of the legal person: blocks and Idempotency-Keys are the whole institution's."""
        return self.path[0].id

    @property
    def member(self) -> Member:
        """Whose key it is: the institution, branch or outlet itself."""
        return self.path[-1]

    def note(self) -> CallerNote:
        """What the regulator is told of it, sealed."""
        return CallerNote(institution=self.path[0].holder, outlet=[member.holder for member in self.path[1:]])


@dataclass(frozen=True)
class KeyState:
    """A request key as the registry has it; times in unix seconds."""

    key: bytes
    active_from: int
    active_until: int | None
    revoked: int | None

    def good(self, now: int) -> bool:
        """Whether a request may be signed with it now."""
        until = self.active_until
        return self.revoked is None and self.active_from <= now and (until is None or now < until)


@dataclass(frozen=True)
class Institution:
    """An institution as an operator sees it."""

    holder: str
    role: Role
    parent: str | None
    admitted: int
    revoked: int | None
    keys: Sequence[KeyState]
    limits: Mapping[str, int]


class Registry:
    """The institutions of one database, read and changed under the service's key."""

    def __init__(self, storage: Storage, pseudonyms: Pseudonyms) -> None:
        self._storage, self._names = storage, pseudonyms

    # --- who calls --------------------------------------------------------------------------------------------------------

    def caller(self, key: bytes, now: int) -> Caller | None:
        """Whose key this is, if it is good now and nobody on its holder's path is revoked."""
        with self._storage.reading("caller") as connection:
            return self.callers(connection, [(key, now)])[0]

    def callers(self, connection: Connection, asked: Sequence[tuple[bytes, int]]) -> list[Caller | None]:
        """The same for each of many keys and times, in the transaction of whoever asks."""
        rows: dict[bytes, list[StoredRow]] = defaultdict(list)
        wanted = list({key for key, _ in asked})
        for row in _KEYS.ask_by_name(connection, {"keys": wanted}):
            rows[row["key"]].append(row)
        found = {(key, now): self._caller(rows[key], now) if key in rows else None for key, now in set(asked)}
        return [found[each] for each in asked]

    def _caller(self, rows: Sequence[StoredRow], now: int) -> Caller | None:
        """Of one key's rows."""
        row = rows[0]
        path = [f"member_{above}" for above in reversed(range(DEEPEST)) if row[f"member_{above}_id"] is not None]
        revoked = any(row[f"{member}_revoked"] is not None for member in path)
        deeper = row[f"{path[0]}_parent"] is not None  # than there may be one: whoever is above was not looked at
        if revoked or deeper or not _key_of(row).good(now):
            return None
        limits = _limits((each["limited"], each["what"], each["most"]) for each in rows)
        ids = [row[f"{member}_id"] for member in path]
        own = [
            Member(id_, self._names.open(row[f"{member}_holder"]), limits.get(id_, {}))
            for member, id_ in zip(path, ids, strict=True)
        ]
        return Caller(row[f"{path[0]}_role"], tuple(own), row["key"])

    # --- what an operator does --------------------------------------------------------------------------------------------

    def admit(
        self,
        holder: str,
        role: Role,
        key: bytes,
        now: int,
        *,
        parent: str | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """A new institution with its first request key (Ed25519, 32 bytes). Raises RegistryError.

        holder: its identifier; parent: that of whoever is above it; limits: by the names of service.institutions.counting
        """
        if role not in ROLES:
            raise RegistryError(f"a role is one of: {', '.join(ROLES)}")
        if '"' in holder or "\\" in holder:
            raise RegistryError('an identifier of an institution has no " and no \\ in it')
        id_ = self._names.institution(holder)
        with self._storage.writing("admit_institution") as connection:
            if _exists(connection, id_):
                raise RegistryError(f"{holder} is registered already; `list` shows it")
            _refuse_taken_key(connection, key)
            above = None if parent is None else self._parent(connection, parent, role)
            connection.execute(
                insert(INSTITUTIONS).values(
                    id=id_, holder=self._names.seal(holder), role=role, parent=above, admitted=now, revoked=None
                )
            )
            _add_key(connection, id_, key, now)
            _set_limits(connection, id_, limits or {})

    def _parent(self, connection: Connection, holder: str, role: Role) -> bytes:
        id_ = self._existing(connection, holder)
        path = _path(connection, id_)
        if path[0]["role"] != role:
            raise RegistryError(f"a child has its parent's role, and {holder} is in the role {path[0]['role']}")
        if len(path) >= DEEPEST:
            raise RegistryError("an outlet has none below it: bank, branch and outlet are the deepest there is")
        return id_

    def revoke(self, holder: str, now: int) -> None:
        """The institution and all below it may not call any more. Raises RegistryError."""
        with self._storage.writing("revoke_institution") as connection:
            id_ = self._existing(connection, holder)
            connection.execute(update(INSTITUTIONS).where(INSTITUTIONS.c.id == id_).values(revoked=now))

    def restore(self, holder: str) -> None:
        """Takes a revocation of the institution back; revoked keys stay so. Raises RegistryError."""
        with self._storage.writing("restore_institution") as connection:
            id_ = self._existing(connection, holder)
            connection.execute(update(INSTITUTIONS).where(INSTITUTIONS.c.id == id_).values(revoked=None))

    def revoke_key(self, holder: str, key: bytes, now: int) -> None:
        """One key is good no more, at once and for ever: it is never given out again. Raises RegistryError."""
        with self._storage.writing("revoke_key") as connection:
            own = (REQUEST_KEYS.c.key == key, REQUEST_KEYS.c.institution == self._existing(connection, holder))
            if connection.execute(update(REQUEST_KEYS).where(*own).values(revoked=now)).rowcount != 1:
                raise RegistryError(f"{holder} has no such key; `list` shows those it has")

    def give_key(self, holder: str, key: bytes, now: int) -> None:
        """A further key, as when all of an institution's were lost. Raises RegistryError."""
        with self._storage.writing("give_key") as connection:
            _refuse_taken_key(connection, key)
            _add_key(connection, self._existing(connection, holder), key, now)

    def set_limits(self, holder: str, limits: Mapping[str, int | None]) -> None:
        """New limits of an institution; None takes one away. Raises RegistryError."""
        with self._storage.writing("set_limits") as connection:
            id_ = self._existing(connection, holder)
            for what in limits:
                connection.execute(delete(LIMITS).where(LIMITS.c.institution == id_, LIMITS.c.what == what))
            _set_limits(connection, id_, {what: most for what, most in limits.items() if most is not None})

    def check_key(self) -> None:
        """Raises PseudonymError unless the institutions, where there are any, were registered under this service's key."""
        with self._storage.asking("check_key") as connection:
            sealed = connection.scalar(select(INSTITUTIONS.c.holder).limit(1))
        if sealed is not None:
            self._names.open(sealed)

    def require(self, holder: str) -> bytes:
        """The id of a legal person or whoever is below it. Raises RegistryError when there is none."""
        with self._storage.reading("require_institution") as connection:
            return self._existing(connection, holder)

    def everyone(self) -> list[Institution]:
        """All of them, parents before children."""
        with self._storage.reading("list_institutions") as connection:
            rows = connection.execute(select(INSTITUTIONS).order_by(INSTITUTIONS.c.admitted)).mappings().all()
            limits = _limits(connection.execute(select(LIMITS.c.institution, LIMITS.c.what, LIMITS.c.most)).all())
            keys: dict[bytes, list[KeyState]] = {}
            for row in connection.execute(select(REQUEST_KEYS).order_by(REQUEST_KEYS.c.active_from)).mappings():
                keys.setdefault(row["institution"], []).append(_key_of(row))
        names = {row["id"]: self._names.open(row["holder"]) for row in rows}
        above = {row["id"]: row["parent"] for row in rows}
        found = [(row, _line(row["id"], above, names)) for row in rows]
        return [
            Institution(
                names[row["id"]],
                row["role"],
                names.get(row["parent"]),
                row["admitted"],
                row["revoked"],
                keys.get(row["id"], []),
                limits.get(row["id"], {}),
            )
            for row, _ in sorted(found, key=lambda item: item[1])
        ]

    def _existing(self, connection: Connection, holder: str) -> bytes:
        id_ = self._names.institution(holder)
        if not _exists(connection, id_):
            raise RegistryError(f"{holder} is not registered; `list` shows who is")
        return id_


def add_next_key(connection: Connection, caller: Caller, key: bytes, now: int, ends: int) -> tuple[int, int]:
    """A further key of the caller's, whose present one ends. Returns from when the new one is good, and when the old one ends.

    A key that is the caller's already changes nothing. Raises RegistryError for a key that is, or was, anybody else's.
    """
    mine = select(REQUEST_KEYS).where(REQUEST_KEYS.c.key == key)
    known = connection.execute(mine).mappings().one_or_none()
    if known is None:
        _add_key(connection, caller.member.id, key, now)
        old = select(REQUEST_KEYS.c.active_until).where(REQUEST_KEYS.c.key == caller.key)
        until = connection.scalar(old)
        ends = ends if until is None else min(ends, int(until))
        connection.execute(update(REQUEST_KEYS).where(REQUEST_KEYS.c.key == caller.key).values(active_until=ends))
        return now, ends
    if known["institution"] != caller.member.id or not _key_of(known).good(now):
        raise RegistryError("this key is or was in use; make another")
    return int(known["active_from"]), ends


def _line(id_: bytes, above: Mapping[bytes, bytes | None], names: Mapping[bytes, str]) -> list[str]:
    """The names from the top down to an institution."""
    parent = above[id_]
    return [*(_line(parent, above, names) if parent is not None else []), names[id_]]


def _path(connection: Connection, id_: bytes) -> list[RowMapping]:
    """An institution and those above it, the topmost first."""
    found: list[RowMapping] = []
    following: bytes | None = id_
    while following is not None and len(found) < DEEPEST:
        row = connection.execute(select(INSTITUTIONS).where(INSTITUTIONS.c.id == following)).mappings().one()
        found.insert(0, row)
        following = row["parent"]
    return found


def _limits(rows: Iterable[tuple[bytes, str, int]]) -> dict[bytes, dict[str, int]]:
    """By institution and budget, how much of it there is."""
    found: dict[bytes, dict[str, int]] = defaultdict(dict)
    for institution, what, most in rows:
        found[institution][what] = most
    return found


def _key_of(row: StoredRow) -> KeyState:
    return KeyState(row["key"], row["active_from"], row["active_until"], row["revoked"])


def _exists(connection: Connection, id_: bytes) -> bool:
    return connection.scalar(select(INSTITUTIONS.c.id).where(INSTITUTIONS.c.id == id_)) is not None


def _refuse_taken_key(connection: Connection, key: bytes) -> None:
    if connection.scalar(select(REQUEST_KEYS.c.key).where(REQUEST_KEYS.c.key == key)) is not None:
        raise RegistryError("this request key is registered already; every institution has keys of its own")


def _add_key(connection: Connection, institution: bytes, key: bytes, now: int) -> None:
    values: dict[str, Any] = {"key": key, "institution": institution, "active_from": now, "active_until": None, "revoked": None}
    connection.execute(insert(REQUEST_KEYS).values(values))


def _set_limits(connection: Connection, institution: bytes, limits: Mapping[str, int]) -> None:
    rows = [{"institution": institution, "what": what, "most": most} for what, most in limits.items()]
    if rows:
        connection.execute(insert(LIMITS), rows)
