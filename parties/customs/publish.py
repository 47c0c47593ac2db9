"""Publishes what banks check papers against: one sealed record for each declaration and currency, under every new key anew.

What a record is made of lies in the home: in `unpublished` until the service has it, then in `records`. So an interrupted run
goes on where it stopped, and a rotation of the service's evaluation key needs nothing but this home.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from parties.common.authenticity import NO_KEY, evaluate, live_keys, make_record
from parties.common.client import Log, ServiceClient
from parties.common.credentials import RECORD_FIELDS, Said, issue_credential
from parties.common.errors import Refused
from parties.common.home import Home
from parties.common.keyring import Signer
from parties.customs.papers import Attested
from schemas.authenticity import MAXIMUM_RECORDS, EvaluationKeyMessage, PublicationRequest, RecordMessage
from schemas.entries import Kind
from schemas.identities import Identity
from schemas.sealed import Credential, MinorUnits, Presentation
from schemas.wire import Currency, Epoch, Holder, Name, SecretMessage
from zkcore.authenticity import PaperFields
from zkcore.randomness import Randomness, random_nonzero_scalar
from zkcore.secret.keys import blind_view_key
from zkcore.suite import Suite

RECORDS, UNPUBLISHED = "records", "unpublished"
LONGEST_NAME = 80
_ID_SIZE = 32

Progress = Callable[[int, int], None]


class Office(Protocol):
    """Customs at work, as far as publishing needs it."""

    @property
    def suite(self) -> Suite: ...
    @property
    def home(self) -> Home: ...
    @property
    def signer(self) -> Signer: ...
    @property
    def client(self) -> ServiceClient: ...
    @property
    def randomness(self) -> Randomness: ...


class RecordDraft(SecretMessage):
    """What a record is made of. `epoch`: under whose key it was last published; null before the first time."""

    kind: Name
    number: str
    holder: Holder
    currency: Currency
    total: MinorUnits
    declared: str
    credential: Presentation
    epoch: Epoch | None = None

    @property
    def fields(self) -> PaperFields:
        return PaperFields(self.kind, self.number, self.holder, self.currency, self.total, self.declared)

    @property
    def file(self) -> str:
        """Its name in either folder."""
        return draft_file(self.kind, self.number, self.currency)


def draft_file(kind: str, number: str, currency: str) -> str:
    """The name of a paper's record in either folder: one, however many counters it has."""
    return f"{kind}.{number.lower()}.{currency.lower()}.json"


def draft_of(credential: Credential) -> RecordDraft:
    """The record of a document, as its credential says."""
    return RecordDraft(
        kind=credential.kind,
        number=credential.number,
        holder=credential.holder,
        currency=credential.currency,
        total=credential.total,
        declared=credential.declared,
        credential=credential.present(RECORD_FIELDS),
    )


def keep_unpublished(home: Home, drafts: Sequence[RecordDraft]) -> None:
    """To be published next. One of the same paper that is published already will be replaced."""
    for draft in drafts:
        home.save(f"{UNPUBLISHED}/{draft.file}", draft)


def share_word(limit: int, total: int) -> Literal["whole", "part", "none"]:
    """How much of a declared total is financeable."""
    if limit == 0:
        return "none"
    return "whole" if limit == total else "part"


def draft_genuine(office: Office, log: Log, kind: Kind, paper: Attested, identity: Identity) -> None:
    """The record of a genuine paper that is no document, because nothing of it is financeable.

    Without it a bank would take a genuine paper for a forged one. Its credential names a random id that no document has, so a
    bank learns that the paper is authentic and not financeable. One that has a record already gets no other.
    """
    file = draft_file(kind.name, paper.number, paper.currency)
    if any(office.home.exists(f"{folder}/{file}") for folder in (RECORDS, UNPUBLISHED)):
        return
    suite, randomness = office.suite, office.randomness
    blinding = random_nonzero_scalar(randomness, suite.group)
    said = Said(
        document=randomness.read(_ID_SIZE),
        kind=kind.name,
        counter=kind.counters[0],
        currency=paper.currency,
        epoch=log.parameters.epoch,
        number=paper.number,
        holder=identity.holder,
        name=paper.holder.name[:LONGEST_NAME],
        date=paper.date,
        declared=paper.declared,
        total=paper.total,
        limit=0,
        mode=paper.mode,
        share=share_word(0, paper.total),
        owner=blind_view_key(suite, suite.group.decode(identity.key), blinding).encode(),
    )
    keep_unpublished(office.home, [draft_of(issue_credential(suite, log.parameters, said, office.signer.secret, randomness))])


def publish_unpublished(office: Office, progress: Progress | None = None) -> int:
    """Publishes what is not published yet. Returns how many records. Hold the home's lock around it."""
    names = office.home.names(UNPUBLISHED)
    return _publish(office, live_keys(office.home, office.client)[0], names, progress) if names else 0


def publish_waiting(office: Office) -> tuple[int, int]:
    """The same where the service may have no key yet: (records published, records that wait for one)."""
    try:
        return publish_unpublished(office), 0
    except Refused as error:
        if error.code != NO_KEY:
            raise
        return 0, len(office.home.names(UNPUBLISHED))


def publish_all(office: Office, progress: Progress | None = None) -> int:
    """Publishes under the newest key every record that is not there. Returns how many. Hold the home's lock around it."""
    key = live_keys(office.home, office.client)[0]
    stale = [name for name in office.home.names(RECORDS) if office.home.load(name, RecordDraft).epoch != key.epoch]
    waiting = office.home.names(UNPUBLISHED)
    replaced = {name.removeprefix(UNPUBLISHED) for name in waiting}
    return _publish(office, key, [*waiting, *(name for name in stale if name.removeprefix(RECORDS) not in replaced)], progress)


def _publish(office: Office, key: EvaluationKeyMessage, names: Sequence[str], progress: Progress | None) -> int:
    for start in range(0, len(names), MAXIMUM_RECORDS):
        batch = names[start : start + MAXIMUM_RECORDS]
        _publish_batch(office, key, batch)
        if progress is not None:
            progress(start + len(batch), len(names))
    return len(names)


def _publish_batch(office: Office, key: EvaluationKeyMessage, names: Sequence[str]) -> None:
    """Sent again after an interruption, a record only replaces itself."""
    drafts = [office.home.load(name, RecordDraft) for name in names]
    found = evaluate(office.client, key, [draft.fields for draft in drafts], office.randomness)
    records = [
        RecordMessage(token=item.token, record=make_record(item, draft.credential, office.randomness))
        for item, draft in zip(found, drafts, strict=True)
    ]
    office.client.publish(PublicationRequest(epoch=key.epoch, records=records))
    for name, draft in zip(names, drafts, strict=True):
        office.home.save(f"{RECORDS}/{draft.file}", draft.model_copy(update={"epoch": key.epoch}))
        if name.startswith(UNPUBLISHED):
            office.home.remove(name)
