"""Everything that the service knows of institutions, gathered once: the registry, the nonces, the blocks, the alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete
from sqlalchemy.sql import ClauseElement

from schemas.callers import CALLER_SIZE
from schemas.signatures import LIFE
from service.gathering import Failed, Gathering, Outcomes
from service.idempotency import Answer, RequestKey
from service.institutions import probing
from service.institutions.alerts import add_alert
from service.institutions.counting import REQUESTS, Budget, Use, count, count_or_refuse
from service.institutions.pseudonyms import Pseudonyms
from service.institutions.registry import Caller, Registry
from service.institutions.rules import Rules
from service.institutions.sealing import seal
from service.institutions.signatures import SignedRequest, invalid, read_signature
from service.institutions.tables import REQUEST_NONCES
from service.problems import not_permitted
from service.statements import RowStatement, Statement, adding, among
from service.storage import Storage


def _keeping(dialect: str) -> ClauseElement:
    return adding(dialect, REQUEST_NONCES).on_conflict_do_nothing().returning(REQUEST_NONCES.c.id)


def _taking_back(dialect: str) -> ClauseElement:
    return delete(REQUEST_NONCES).where(among(dialect, REQUEST_NONCES.c.id, "ids"))


def _forgetting(dialect: str) -> ClauseElement:
    return delete(REQUEST_NONCES).where(REQUEST_NONCES.c.until < bindparam("now"))


_TAKEN_BACK = Statement("take back nonces", _taking_back)
_FORGOTTEN = Statement("forget nonces", _forgetting)
_KEPT = RowStatement("keep nonces", _keeping, REQUEST_NONCES.c.keys())
_LARGEST_GROUP = 64
"""Requests that are admitted together, at most."""
_NONCE_MARGIN = 2 * LIFE
"""Seconds that a nonce is kept beyond its signature's end, since clocks of several processes may differ."""


@dataclass(frozen=True)
class Arrival:
    """A request whose caller is asked for. `origin`: the log's name; `now`: unix seconds by the service's clock."""

    request: SignedRequest
    origin: str
    now: int

    def admission(self) -> Admission:
        """What is left to ask once its signature holds. Raises Refusal (signature-invalid)."""
        signature = read_signature(self.request, self.origin, self.now)
        signature.verify()
        return Admission(signature.key, signature.nonce_digest, signature.created + _NONCE_MARGIN, self.now)


@dataclass(frozen=True)
class Admission:
    """A request whose signature holds under `key`, to be counted, and remembered by its nonce (a digest, 32 bytes)."""

    key: bytes
    nonce: bytes
    until: int
    now: int


def _unseen(connection: Connection, asked: Mapping[int, Admission]) -> list[int]:
    """Keep the nonces; the places of those that were not kept before, the first where one stands twice."""
    first = {item.nonce: place for place, item in sorted(asked.items(), reverse=True)}
    rows = [{"id": nonce, "until": asked[place].until} for nonce, place in sorted(first.items())]
    return sorted(first[nonce] for (nonce,) in _KEPT.change_and_return(connection, rows))


class Institutions:
    """One log's institutions. `seal_key`: the regulator's, from the genesis; `service_key`: the service's own, 32 bytes."""

    def __init__(self, storage: Storage, service_key: bytes, seal_key: bytes, rules: Rules) -> None:
        self.rules, self._storage, self._seal_key = rules, storage, seal_key
        self._names = Pseudonyms(service_key)
        self.registry = Registry(storage, self._names)
        self._arrivals = Gathering[Arrival, Caller]("arrivals", self._authenticate, _LARGEST_GROUP)
        self._forgotten = 0

    # --- every request ----------------------------------------------------------------------------------------------------

    def authenticate(self, arrival: Arrival) -> Future[Caller]:
        """Who signed this request, which is counted and cannot come again by then.

        Fails with Refusal: a signature that is not good, a key that is nobody's or not good now, a nonce that was seen before,
        or too many requests.
        """
        return self._arrivals.submit(arrival)

    def _authenticate(self, arrivals: Sequence[Arrival]) -> list[Caller | Failed]:
        outcomes = Outcomes[Caller](len(arrivals))
        admissions = outcomes.each(lambda place: arrivals[place].admission())
        outcomes.settle(dict(zip(admissions, self._admit(list(admissions.values())), strict=True)))
        return outcomes.all()

    def _admit(self, asked: Sequence[Admission]) -> list[Caller | Failed]:
        """Those that come together, each by itself: what is refused of one leaves nothing."""
        if not asked:
            return []
        unknown = not_permitted("the key of this signature (keyid) is not registered, not active, or revoked")
        seen = invalid("signature-input", "this nonce was used before: sign anew for every attempt")
        # What a crash may take back is a nonce of its last moment; the writes themselves are replayed by their keys.
        with self._storage.noting("admit_requests") as connection:
            found = self.registry.callers(connection, [(item.key, item.now) for item in asked])
            callers = {place: caller for place, caller in enumerate(found) if caller is not None}
            self._forget_nonces(connection, min(item.now for item in asked))
            unseen = _unseen(connection, {place: asked[place] for place in callers})
            uses = [Use(callers[place], REQUESTS, 1, asked[place].now) for place in unseen]
            refusals = dict(zip(unseen, count(connection, uses), strict=True))
            refused = [asked[place].nonce for place, refusal in refusals.items() if refusal is not None]
            if refused:
                _TAKEN_BACK.do(connection, {"ids": refused})
        outcomes: list[Caller | Failed] = []
        for place in range(len(asked)):
            refusal = refusals.get(place, seen) if place in callers else unknown
            outcomes.append(callers[place] if refusal is None else Failed(refusal))
        return outcomes

    def _forget_nonces(self, connection: Connection, now: int) -> None:
        """Those whose time is over, once a second."""
        if now != self._forgotten:
            _FORGOTTEN.do(connection, {"now": now})
            self._forgotten = now

    def count(self, caller: Caller, budget: Budget, amount: int, now: int) -> None:
        """Use `amount` of a budget, up the hierarchy. Raises Refusal when it is too much; nothing is counted then."""
        with self._storage.writing("count") as connection:
            count_or_refuse(connection, [Use(caller, budget, amount, now)])

    def sealed(self, caller: Caller) -> bytes:
        """Who called, for the regulator alone: CALLER_SIZE bytes, never the same twice."""
        return seal(self._seal_key, caller.note(), CALLER_SIZE)

    def owner(self, caller: Caller, batch: bytes) -> bytes:
        """Under what a batch is its caller's institution's: 32 bytes that name neither, so that no two batches show that they
        are of one institution."""
        return self._names.pair(caller.institution, batch)

    def close(self) -> None:
        """Finish what waits, and take nothing more."""
        self._arrivals.close()

    # --- probing ----------------------------------------------------------------------------------------------------------

    def pairs(self, caller: Caller, documents: Iterable[bytes]) -> dict[bytes, bytes]:
        """By what blocks of the caller's institution on these documents are kept (32 bytes that name neither): the document."""
        return {self._names.pair(caller.institution, document): document for document in documents}

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
