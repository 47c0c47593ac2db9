"""The acts that stories are made of: each is a command that a person would type, with what it must lead to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from parties.common import runtime
from parties.common.home import Home
from parties.common.keyring import load_signer
from parties.common.money import Money, money_text
from schemas.problems import TYPE_PREFIX
from tradeveil.demo import cast
from tradeveil.demo.cast import Bank, Enterprise
from tradeveil.demo.commands import CommandFailed, Ran
from tradeveil.demo.exports import Export, customs_sheet, read
from tradeveil.demo.narrative import Narrator
from tradeveil.demo.planted import Planted
from tradeveil.demo.scan import Corpus
from tradeveil.demo.stage import Stage
from tradeveil.demo.summary import Expectation, Summary, Timing

OPENING = "opening"
"""The story in which everybody gets keys and Customs registers the sample."""


@dataclass(frozen=True)
class Answer:
    """A command that answers with a file for somebody: what it said, and the file."""

    ran: Ran
    paper: Path

    @property
    def accepted(self) -> bool:
        return self.ran.exit_code == 0


@dataclass
class Step:
    """Something done in a story; `sees` adds what a party sees when it is done."""

    seen: list[tuple[str, str]] = field(default_factory=list)

    def sees(self, who: str, what: str) -> None:
        self.seen.append((who, what))


class Play:
    """One demonstration under way: where it takes place, what is planted, what is told, what came out."""

    def __init__(self, stage: Stage, planted: Planted, narrator: Narrator, summary: Summary) -> None:
        self.stage, self.planted, self.narrator, self.summary = stage, planted, narrator, summary
        self.story = OPENING
        self._papers = count(1)
        self._seen_by: dict[str, list[str]] = {}

    # --- telling and expecting --------------------------------------------------------------------------------------------

    @contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """A step of the story, timed."""
        step, started = Step(), time.perf_counter()
        with self.narrator.waiting(f"{self.story}: {what}"):
            yield step
        seconds = time.perf_counter() - started
        self.summary.timings.append(Timing(self.story, what, seconds))
        self.narrator.step(what, seconds)
        for who, saw in step.seen:
            self.narrator.sees(who, saw)

    def expect(self, name: str, holds: bool, detail: object = "") -> None:
        """Write down an expectation; `detail` says what came out, for when it does not hold."""
        item = Expectation(self.story, name, holds, "" if holds else str(detail))
        self.summary.expectations.append(item)
        if not holds:
            self.narrator.failed(item.title, item.detail)

    @contextmanager
    def nothing_written(self, name: str) -> Iterator[None]:
        """Expects that the log does not grow within."""
        before = self.stage.entries()
        yield
        after = self.stage.entries()
        self.expect(name, after == before, f"the log grew from {before} to {after} entries")

    # --- commands ---------------------------------------------------------------------------------------------------------

    def run(self, role: str, command: str, who: str, *arguments: str, service: bool = True) -> Ran:
        """`tradeveil ROLE COMMAND --home … [--service …] ARGUMENTS`, as the party whose home is in this folder."""
        options = ["--home", str(self.stage.home(who)), *(["--service", self.stage.address] if service else [])]
        ran = self.stage.commands.run(role, command, *options, *arguments)
        self._seen_by.setdefault(who, []).append(ran.text)
        return ran

    def must(self, role: str, command: str, who: str, *arguments: str, service: bool = True) -> Ran:
        """The same, which has to end with exit code 0. Raises CommandFailed."""
        ran = self.run(role, command, who, *arguments, service=service)
        if ran.exit_code != 0:
            raise CommandFailed(ran)
        return ran

    def seen_by(self, who: str) -> list[Corpus]:
        """Everything a party has: the files of its home, and what its commands showed."""
        home = self.stage.home(who)
        files = [path for path in sorted(home.rglob("*")) if path.is_file()]
        shown = Corpus(f"what {who}'s commands showed", "\n".join(self._seen_by.get(who, [])).encode())
        return [shown, *(Corpus(str(path.relative_to(home)), path.read_bytes()) for path in files)]

    def paper(self, kind: str) -> Path:
        """A fresh name for a file on its way."""
        return self.stage.paper(f"{next(self._papers):03}-{kind}.json")

    # --- Customs ----------------------------------------------------------------------------------------------------------

    def register(self, exports: Sequence[Export]) -> bool:
        """Customs registers more declarations; planted. Whether each has the limit that it must have."""
        sheet = customs_sheet(exports)
        declarations = read(sheet)
        self.planted.declare(declarations)
        paper = self.paper("declarations").with_suffix(".csv")
        paper.write_bytes(sheet)
        report = self.run("customs", "register", "customs", str(paper), "--json").json()
        registered = {(item["number"], item["currency"]): item["limit"] for item in report["registered"]}
        self.summary.documents += len(registered)
        limits = {(number, currency.alpha): minor for (number, currency), minor in cast.limits_of(declarations).items()}
        return not report["errors"] and registered == limits

    # --- an exporter ------------------------------------------------------------------------------------------------------

    def apply(self, who: str, bank: Bank, lines: Sequence[str], *options: str) -> Answer:
        """The exporter with this credit code applies to a bank; lines like "NUMBER=USD 600000.00"."""
        paper = self.paper("application")
        asked = [part for line in lines for part in ("--line", line)]
        identity = str(self.stage.home(bank.folder) / "identity.json")
        folder = self.exporter(who).folder
        ran = self.run("enterprise", "apply", folder, "--bank", identity, *asked, *options, "--json", "-o", str(paper))
        return Answer(ran, paper)

    def approve(self, who: str, draft: Path, *options: str) -> Answer:
        """The exporter's wallet answers a draft. A refusal is counted by its reason."""
        paper = self.paper("approval")
        ran = self.run("enterprise", "approve", self.exporter(who).folder, str(draft), *options, "--json", "-o", str(paper))
        return self._answered(ran, paper)

    def exporter(self, code: str) -> Enterprise:
        return cast.enterprises()[code]

    def document(self, who: str, number: str) -> dict[str, Any]:
        """What an exporter's wallet says of its declaration, in minor units."""
        found = self.must("enterprise", "documents", self.exporter(who).folder, "--json").json()
        return next(item for item in found if item["number"] == number)

    def expect_headroom(self, name: str, who: str, number: str, minor: int) -> str:
        """Expects the wallet to find this headroom (minor units), and the model to know no other. As people read it."""
        seen = self.document(who, number)
        alpha, found = seen["currency"], seen["headroom"]
        self.expect(name, found == minor == self.planted.headroom(number, alpha), "the wallet or the model has another")
        return money_text(found, alpha)

    # --- a bank -----------------------------------------------------------------------------------------------------------

    def draft(self, bank: Bank, application: Path, reference: str) -> Path:
        """The bank drafts what it was applied for."""
        self.planted.refer(reference)
        paper = self.paper("draft")
        self.must("bank", "draft", bank.folder, str(application), "--reference", reference, "-o", str(paper))
        return paper

    def commit(self, bank: Bank, approval: Path) -> Ran:
        """The bank verifies and commits; with a prover's refusal in hand it only learns of that."""
        return self.run("bank", "commit", bank.folder, str(approval), "--json")

    def prove_by_regulator(self, draft: Path) -> Answer:
        """The regulator's prover answers a draft."""
        paper = self.paper("approval")
        return Answer(self.run("regulator", "approve", "regulator", str(draft), "-o", str(paper)), paper)

    def drafted(self, who: str, bank: Bank, lines: Sequence[str], reference: str, *options: str) -> Path:
        """An application, and the bank's draft of it."""
        for line in lines:
            if "=" in line:
                self.planted.ask(Money.parse(line.partition("=")[2]), f"asked in {reference}")
        application = self.apply(who, bank, lines, *options)
        if not application.accepted:
            raise CommandFailed(application.ran)
        return self.draft(bank, application.paper, reference)

    def draw(self, who: str, bank: Bank, number: str, money: str, reference: str) -> bool:
        """The whole way from application to commit, on one document; planted if it succeeds."""
        draft = self.drafted(who, bank, [f"{number}={money}"], reference)
        committed = self.commit(bank, self.approve(who, draft).paper).exit_code == 0
        if committed:
            self.planted.draw(number, bank, reference, Money.parse(money))
        return committed

    def disburse(self, bank: Bank, number: str, reference: str, alpha: str = "USD", released: str = "", paid: str = "") -> bool:
        """The bank pays out: all, or `paid`, with the rest `released`; planted if it succeeds."""
        amount = ("--amount", paid) if paid else ()
        booked = self.run("bank", "disburse", bank.folder, "--reference", reference, *amount, "--json").exit_code == 0
        if booked:
            self.planted.disburse(number, alpha, reference, Money.parse(released) if released else None)
        return booked

    def repay(self, bank: Bank, number: str, reference: str, money: str, reason: str, *, settle: bool = False) -> bool:
        """The bank books a repayment; planted if it succeeds."""
        options = ["--settle"] if settle else []
        arguments = ("--reference", reference, "--amount", money, "--reason", reason, *options, "--json")
        booked = self.run("bank", "repay", bank.folder, *arguments).exit_code == 0
        if booked:
            self.planted.reduce(number, reference, Money.parse(money), reason, settled=settle)
        return booked

    # --- anybody ----------------------------------------------------------------------------------------------------------

    def post(self, bank: Bank, path: str, body: bytes, key: str) -> httpx.Response:
        """A write to the service that a bank signs, without its program."""
        signer = load_signer(Home(self.stage.home(bank.folder)), runtime.suite(), "bank")
        return self.stage.wire.post(path, body, key, signer.requester)

    def _answered(self, ran: Ran, paper: Path) -> Answer:
        if ran.exit_code == 1:
            self.summary.refused_by_parties[str(ran.json()["refused"])] += 1
        return Answer(ran, paper)


def problem_of(response: httpx.Response) -> str:
    """The slug of the problem that the service answered; empty for a success."""
    if response.is_success:
        return ""
    return str(response.json()["type"]).removeprefix(TYPE_PREFIX)
