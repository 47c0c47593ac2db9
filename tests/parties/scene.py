"""The scene on which tests of several parties play: the real service in this process, Customs, an exporter, a regulator, banks.

Each party has a home of its own below one directory and acts through its own library, as its commands do. The connection can
lose requests on the way to the service, or answers on the way back.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.testclient import TestClient

from parties.bank.application import CheckedApplication, check_application, read_application
from parties.bank.commit import commit
from parties.bank.desk import Desk as BankDesk
from parties.bank.draft import Terms as DraftTerms
from parties.bank.draft import prepare_draft, write_draft
from parties.bank.records import FinancingRecord
from parties.bank.repayment import Instruction, disburse
from parties.common.client import Backoff, ServiceClient
from parties.common.home import Home, read_identity
from parties.common.keyring import About, Signer, Viewer, create_signer, create_viewer, load_signer, load_viewer
from parties.common.money import Money
from parties.common.request_keys import Requester, RequestSigner
from parties.common.sealed_files import read_sealed, write_sealed
from parties.customs.enrol import enrol
from parties.customs.register import Office, register_declarations
from parties.enterprise.apply import AskedLine, Terms, make_application, store_application
from parties.enterprise.approve import decide
from parties.enterprise.seed import create_wallet, new_words
from parties.enterprise.wallet import Desk as OwnerDesk
from parties.enterprise.wallet import discover, view_documents
from parties.regulator.bureau import Bureau
from schemas.entries import Kind
from schemas.identities import Identity
from schemas.kinds import load_kinds
from schemas.sealed import ApprovalFile, DraftFile
from service.app import create_app
from service.authenticity.keys import create_keys
from service.genesis import compose, store
from service.institutions.cli import admit_identity
from service.institutions.pseudonyms import Pseudonyms
from service.institutions.registry import Registry
from service.settings import Settings
from service.storage import open_storage
from service.verifier import Verifier
from zkcore import engine
from zkcore.randomness import Randomness, SeededRandomness
from zkcore.secret.keys import ViewSecret
from zkcore.secret.memos import SealSecret
from zkcore.suite import Suite

ORIGIN = "scene.example/log"
NOW = 1_750_000_000
TOKEN = "t" * 40
SERVICE_KEY = b"k" * 32
HOLDER = "91330206MA2AF8CXX8"
FIRST, SECOND, YEN = "310120260512345678", "310120260512345679", "310120260512345680"
"""Declarations of the scene that the fixtures register: over USD 1,000,000.00, USD 48,200.00 and JPY 18,500,000."""


class Wire(TestClient):
    """A connection that loses the next so many requests, or the next so many answers; `sent` is every body that arrived."""

    lose_requests = 0
    lose_answers = 0

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.sent: list[tuple[str, bytes, str]] = []

    def request(self, method: str, url: Any, **options: Any) -> httpx.Response:
        if self.lose_requests:
            self.lose_requests -= 1
            raise httpx.ConnectError("lost")
        response: httpx.Response = super().request(method, url, **options)
        if method == "POST":
            self.sent.append((str(url), options["content"], options["headers"].get("Idempotency-Key", "")))
            if self.lose_answers:
                self.lose_answers -= 1
                raise httpx.ReadTimeout("lost")
        return response


@dataclass
class Scene:
    """Everybody, ready to act at `now`."""

    directory: Path
    suite: Suite = field(default_factory=lambda: engine.load())
    randomness: Randomness = field(default_factory=lambda: SeededRandomness(b"scene"))
    now: int = NOW
    database: str = ""
    kinds: Sequence[Kind] = field(default_factory=load_kinds)
    roles: Sequence[str] = ()

    def __post_init__(self) -> None:
        suite = self.suite
        self.directory.mkdir(exist_ok=True)
        database = self.database or f"sqlite:///{self.directory / 'service.db'}"
        if not (self.directory / "customs").exists():
            self._make_keys()
            self._begin_log(database)
        self.customs = load_signer(self.home("customs"), suite, "attester")
        self.regulator = load_viewer(self.home("regulator"), suite, "regulator")
        self.exporter = load_viewer(self.home("exporter"), suite, "enterprise")
        keys = self.directory / "evaluation-keys.json"
        if not keys.exists():
            create_keys(keys, self.now)
        settings = Settings(database, TOKEN, SERVICE_KEY, evaluation_keys=keys)
        self.wire = Wire(create_app(settings, suite, lambda: self.now))
        self.client = ServiceClient(self.wire, Backoff(()))
        self.customs_client = self.signing(self.customs)

    def _make_keys(self) -> None:
        suite, rng, customs = self.suite, self.randomness, self.home("customs")
        signer = create_signer(customs, suite, About("attester", "customs", "Customs", ORIGIN), rng)
        view, seal = ViewSecret.generate(suite, rng), SealSecret(rng.read(32))
        create_viewer(self.home("regulator"), suite, About("regulator", "regulator", "Bureau", ORIGIN), view, seal, rng)
        home, words = self.home("exporter"), new_words(rng)
        exporter = create_wallet(home, suite, origin=ORIGIN, holder=HOLDER, name="Ningbo Exports", words=words, randomness=rng)
        enrol(customs, suite, signer, [exporter.identity])
        for role in self.roles:
            other = create_signer(self.home(role), suite, About("attester", role, role.capitalize(), ORIGIN), rng)
            enrol(self.home(role), suite, other, [exporter.identity])

    def _begin_log(self, database: str) -> None:
        regulator = read_identity(self.home("regulator").path("identity.json"))
        attesters = [(role, read_identity(self.home(role).path("identity.json"))) for role in ("customs", *self.roles)]
        storage = open_storage(database, self.suite.group, 1)
        store(storage, compose(self.suite, ORIGIN, regulator, attesters, self.kinds, self.now))
        registry = Registry(storage, Pseudonyms(SERVICE_KEY))
        for identity in (regulator, *(attester for _, attester in attesters)):
            admit_identity(registry, identity, self.now)
        storage.close()

    def close(self) -> None:
        """Everything is on the disk afterwards."""
        self.wire.close()
        self.wire.app.state.verifier.storage.close()  # type: ignore[attr-defined]

    def copy(self, directory: Path) -> Scene:
        """The same scene again below another directory: close this one first."""
        shutil.copytree(self.directory, directory, dirs_exist_ok=True)
        return Scene(directory, self.suite, SeededRandomness(b"copied scene"), self.now)

    def attester(self, role: str) -> Signer:
        """The attester of this role."""
        return load_signer(self.home(role), self.suite, "attester")

    def home(self, name: str) -> Home:
        return Home.create(self.directory / name)

    def signing(self, who: Signer | Viewer) -> ServiceClient:
        """A client that signs its writes as this institution."""
        return self.connect("", who.requester)

    def connect(self, url: str, who: Requester | None = None) -> ServiceClient:
        """Stands in for parties.common.runtime.connect."""
        if who is None:
            return self.client
        return ServiceClient(self.wire, Backoff(()), RequestSigner(who, lambda: self.now, self.randomness))

    # --- each party at work

    def register(self, *declarations: tuple[str, str]) -> None:
        """Customs registers (number, "USD 1000000.00") of the exporter."""
        office = Office(self.suite, self.home("customs"), self.customs, self.customs_client, self.randomness)
        report = register_declarations(office, declarations_csv(declarations))
        assert not report.errors, report.errors

    def owner(self) -> OwnerDesk:
        home = self.home("exporter")
        return OwnerDesk.open(self.suite, home, self.exporter, self.client, self.randomness, self.now)

    def bank(self, name: str) -> BankDesk:
        """A bank of this name, whose keys are made when it first appears."""
        home = self.home(f"bank-{name.lower()}")
        signer = self._bank_keys(home, name)
        return BankDesk(self.suite, home, signer, self.signing(signer), self.randomness, self.now)

    def _bank_keys(self, home: Home, name: str) -> Signer:
        if home.exists("keys.json"):
            return load_signer(home, self.suite, "bank")
        made = create_signer(home, self.suite, About("bank", f"bank-{name.lower()}", f"Bank {name}", ORIGIN), self.randomness)
        self.admit(made.identity)
        return made

    def admit(self, identity: Identity) -> None:
        """The operator admits an institution."""
        verifier: Verifier = self.wire.app.state.verifier  # type: ignore[attr-defined]
        admit_identity(verifier.institutions.registry, identity, self.now)

    def bureau(self) -> Bureau:
        return Bureau(self.suite, self.regulator, self.signing(self.regulator), self.randomness, self.now)

    # --- files from hand to hand

    def path(self, name: str) -> Path:
        return self.directory / name

    def apply(self, bank: BankDesk, lines: Sequence[str], *, consent: bool = False, **terms: Any) -> Path:
        """The exporter's application, as a file for the bank."""
        desk = self.owner()
        asked = tuple(AskedLine.parse(line) for line in lines)
        wanted = Terms(bank=read_identity(bank.home.path("identity.json")), lines=asked, consent=consent, **terms)
        application = make_application(desk, discover(desk), wanted)
        store_application(desk, wanted.bank, application)
        path = self.path("application.json")
        write_sealed(path, application, bank.signer.identity.seal_key)
        return path

    def check(self, bank: BankDesk, path: Path) -> CheckedApplication:
        return check_application(bank, read_application(path, bank.signer))

    def draft(self, bank: BankDesk, application: Path, terms: DraftTerms | None = None) -> tuple[FinancingRecord, Path]:
        """The bank's draft, as a file for its prover."""
        record = prepare_draft(bank, self.check(bank, application), terms or DraftTerms())
        path = self.path("draft.json")
        write_draft(bank, record, path)
        return record, path

    def approve(self, draft: Path) -> ApprovalFile:
        """The exporter's answer to a draft."""
        desk = self.owner()
        return decide(desk, discover(desk), read_sealed(draft, DraftFile, self.exporter.seal)).approval

    def lend(
        self, bank: BankDesk, lines: Sequence[str], terms: DraftTerms | None = None, *, disbursed: bool = False
    ) -> FinancingRecord:
        """A whole financing, from application to commitment, or to the disbursement of all of it."""
        _, draft = self.draft(bank, self.apply(bank, lines), terms)
        record = commit(bank, self.approve(draft))
        return disburse(bank, Instruction(reference=record.reference)).record if disbursed else record

    def headroom(self) -> dict[str, int | None]:
        """What is left on each declaration, as the exporter sees it."""
        desk = self.owner()
        return {item.credential.number: opened.headroom for item, opened in view_documents(desk, discover(desk).documents)}


def declarations_csv(declarations: Sequence[tuple[str, str]]) -> bytes:
    """Cleared declarations of the exporter in the Customs form, one item each."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_ROW))
    writer.writeheader()
    for number, value in declarations:
        money = Money.parse(value)
        total = value.split()[1]
        writer.writerow({**_ROW, "declaration_number": number, "total": total, "currency": money.currency.alpha})
    return text.getvalue().encode()


_ROW = {
    "declaration_number": "",
    "consignor_name": "Ningbo Exports",
    "consignor_credit_code": HOLDER,
    "owner_name": "Ningbo Exports",
    "owner_credit_code": HOLDER,
    "declared_on": "2026-01-05",
    "exported_on": "2026-01-07",
    "supervision_mode": "0110",
    "terms_of_delivery": "FOB",
    "contract": "C-1",
    "bill_of_lading": "B-1",
    "item_number": "1",
    "hs_code": "8471300000",
    "item_name": "goods",
    "quantity": "1",
    "unit": "piece",
    "total": "",
    "currency": "",
    "status": "cleared",
}
