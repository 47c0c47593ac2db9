"""Everything that the service knows of institutions, gathered once: the registry, the nonces, the blocks, the alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert
from sqlalchemy.exc import IntegrityError

from schemas.callers import CALLER_SIZE
from service.gathering import Failed, Gathering
from service.idempotency import Answer, RequestKey
from service.institutions import probing
from service.institutions.alerts import add_alert
from service.institutions.counting import Budget, count
from service.institutions.pseudonyms import Pseudonyms
from service.institutions.registry import Caller, Registry
from service.institutions.rules import Rules
from service.institutions.sealing import seal
from service.institutions.signatures import invalid
from service.institutions.tables import REQUEST_NONCES
from service.problems import Refusal
from service.storage import Storage

_LARGEST_GROUP = 64
"""Requests that are admitted in one transaction, at most."""


@dataclass(frozen=True)
class Admission:
    """A request whose signature holds, to be counted and remembered."""

    caller: Caller
    nonce: bytes
    until: int
    budget: Budget
    now: int


def _admit_one(connection: Connection, item: Admission) -> Failed | None:
    try:
        with connection.begin_nested():
            connection.execute(insert(REQUEST_NONCES).values(id=item.nonce, until=item.until))
            count(connection, item.caller, item.budget, 1, item.now)
    except IntegrityError:
        return Failed(invalid("signature-input", "this nonce was used before: sign anew for every attempt"))
    except Refusal as refusal:
        return Failed(refusal)
    return None


class Institutions:
    """One log's institutions. `seal_key`: the regulator's, from the genesis; `service_key`: the service's own, 32 bytes."""

    def __init__(self, storage: Storage, service_key: bytes, seal_key: bytes, rules: Rules) -> None:
        self.rules, self._storage, self._seal_key = rules, storage, seal_key
        self._names = Pseudonyms(service_key)
        self.registry = Registry(storage, self._names)
        self._admissions = Gathering(self._admit, lambda: _LARGEST_GROUP)

    # --- every request ----------------------------------------------------------------------------------------------------

    def admit(self, caller: Caller, nonce: bytes, until: int, budget: Budget, now: int) -> None:
        """Count one request and remember its nonce (a digest, 32 bytes) until then. Raises Refusal: too many, or seen."""
        self._admissions.submit(Admission(caller, nonce, until, budget, now))

    def _admit(self, asked: Sequence[Admission]) -> list[Failed | None]:
        """Those that come together in one transaction, each by itself: what is refused of one leaves nothing.

        Counters are taken in the order of their institutions, so that two processes cannot wait for each other.
        """
        in_order = sorted(range(len(asked)), key=lambda place: [member.id for member in asked[place].caller.path])
        outcomes: list[Failed | None] = [None] * len(asked)
        with self._storage.writing("admit_requests") as connection:
            if connection.dialect.name == "postgresql":
                # What a crash may take back is a nonce of its last moment; the writes themselves are replayed by their keys.
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            connection.execute(delete(REQUEST_NONCES).where(REQUEST_NONCES.c.until < min(item.now for item in asked)))
            for place in in_order:
                outcomes[place] = _admit_one(connection, asked[place])
        return outcomes

    def count(self, caller: Caller, budget: Budget, amount: int, now: int) -> None:
        """Use `amount` of a budget, up the hierarchy. Raises Refusal when it is too much; nothing is counted then."""
        with self._storage.writing("count") as connection:
            count(connection, caller, budget, amount, now)

    def sealed(self, caller: Caller) -> bytes:
        """Who called, for the regulator alone: CALLER_SIZE bytes, never the same twice."""
        return seal(self._seal_key, caller.note(), CALLER_SIZE)

    # --- probing ----------------------------------------------------------------------------------------------------------

    def blocked(self, caller: Caller, documents: Sequence[bytes], now: int) -> set[bytes]:
        """Those of the documents on which the caller's institution is blocked now."""
        pairs = {self._names.pair(caller.institution, document): document for document in documents}
        with self._storage.asking("blocked") as connection:
            return {pairs[pair] for pair in probing.blocked_among(connection, list(pairs), now)}

    def note_refusals(self, caller: Caller, key: RequestKey, documents: Iterable[bytes], now: int) -> None:
        """The caller's request was refused because the headroom of these documents was not proven. One request counts once,
        however often it is sent; the last that is one too many blocks the institution there and tells the regulator."""
        with self._storage.writing("note_refusals") as connection:
            probing.lock(connection, caller.institution)
            for document in documents:
                pair = self._names.pair(caller.institution, document)
                refusals = probing.count_refusal(connection, pair, key.fingerprint, now)
                if refusals >= self.rules.refusals:
                    until = probing.block(connection, pair, document, now)
                    note = probing.note(caller, document, refusals, until)
                    add_alert(connection, "service", self.sealed(caller), seal(self._seal_key, note), now)

    def unblock(self, holder: str, document: bytes | None = None) -> int:
        """Lift the blocks of a legal person, on one document or on all. How many there were. Raises RegistryError."""
        institution = self.registry.require(holder)
        with self._storage.writing("unblock") as connection:
            return probing.unblock(connection, lambda on: self._names.pair(institution, on), document)

    # --- what is told -----------------------------------------------------------------------------------------------------

    def alert(self, caller: Caller, key: RequestKey, memo: bytes, body: bytes, now: int) -> Answer:
        """Keep a party's alert for the regulator, once; `body` is the answer to it."""

        def keep(connection: Connection) -> bytes:
            add_alert(connection, "party", self.sealed(caller), memo, now)
            return body

        return self._storage.write_once(key, "alert", keep)
