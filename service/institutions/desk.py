"""Everything that the service knows of institutions, gathered once: the registry, the nonces, the blocks, the alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, insert
from sqlalchemy.exc import IntegrityError

from schemas.callers import CALLER_SIZE
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
from service.storage import Storage


class Institutions:
    """One log's institutions. `seal_key`: the regulator's, from the genesis; `service_key`: the service's own, 32 bytes."""

    def __init__(self, storage: Storage, service_key: bytes, seal_key: bytes, rules: Rules) -> None:
        self.rules, self._storage, self._seal_key = rules, storage, seal_key
        self._names = Pseudonyms(service_key)
        self.registry = Registry(storage, self._names)

    # --- every request ----------------------------------------------------------------------------------------------------

    def admit(self, caller: Caller, nonce: bytes, until: int, budget: Budget, now: int) -> None:
        """Count one request and remember its nonce (a digest, 32 bytes) until then. Raises Refusal: too many, or seen."""
        try:
            with self._storage.writing("admit_request") as connection:
                connection.execute(delete(REQUEST_NONCES).where(REQUEST_NONCES.c.until < now))
                connection.execute(insert(REQUEST_NONCES).values(id=nonce, until=until))
                count(connection, caller, budget, 1, now)
        except IntegrityError as error:
            raise invalid("signature-input", "this nonce was used before: sign anew for every attempt") from error

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
        with self._storage.reading("blocked") as connection:
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
