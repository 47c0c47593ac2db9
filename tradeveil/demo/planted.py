"""What really happens, in plain integers: the model that the opened log must equal, and the list of all that is secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from parties.common.money import Money
from schemas.domain.currency import Currency
from schemas.domain.declaration import Declaration
from tradeveil.demo import cast
from tradeveil.demo.cast import Bank
from tradeveil.demo.scan import Form, amount_forms, identifier_forms, name_forms

RESTORING = ("released", "repaid-own-funds")


@dataclass(frozen=True, repr=False)
class PlantedDraw:
    """A draw as it was made. Amounts in minor units."""

    bank: str
    reference: str
    amount: int
    outstanding: int
    stage: str = "reserved"


@dataclass(repr=False)
class PlantedDocument:
    """A document as it was declared, with what was drawn on it. Amounts in minor units."""

    currency: Currency
    limit: int
    headroom: int
    draws: dict[str, PlantedDraw] = field(default_factory=dict)

    def as_opened(self) -> dict[str, Any]:
        """The same in the words of `tradeveil regulator open --json`."""
        draws = self.draws.values()
        return {
            "limit": self.limit,
            "drawn": sum(draw.amount for draw in draws),
            "outstanding": sum(draw.outstanding for draw in draws),
            "headroom": self.headroom,
            "draws": [
                {
                    "bank": draw.bank,
                    "reference": draw.reference,
                    "amount": draw.amount,
                    "outstanding": draw.outstanding,
                    "stage": draw.stage,
                }
                for draw in draws
            ],
        }


class Planted:
    """The whole truth of one demonstration. Nothing of it may reach the service."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, Currency], PlantedDocument] = {}
        self._papers: list[Declaration] = []
        self._amounts: dict[tuple[int, Currency], str] = {}
        self._references: list[str] = []
        self._presented: list[str] = []
        self.declare(cast.declarations())

    def declare(self, papers: Iterable[Declaration]) -> None:
        """Declarations that Customs registers, or refuses: secrets in either case."""
        declarations = tuple(papers)
        self._papers += declarations
        for (number, currency), minor in cast.limits_of(declarations).items():
            self.documents[number, currency] = PlantedDocument(currency, minor, minor)
            self._note(minor, currency, f"limit of a declaration ending {number[-3:]}")
        for declaration in declarations:
            for item in declaration.items:
                self._note(item.total, item.currency, f"item of a declaration ending {declaration.number.text[-3:]}")

    def __repr__(self) -> str:
        return "Planted(hidden)"

    def ask(self, money: Money, what: str) -> None:
        """An amount that was named and may not come to anything: a secret all the same."""
        self._note(money.minor, money.currency, what)

    def refer(self, reference: str) -> None:
        """A bank's reference: a secret, whether anything comes of the draft or not."""
        self._references.append(reference)

    def present(self, *fields: str) -> None:
        """What a bank's file of papers names, true or false, as it stands there."""
        self._presented += fields

    def draw(self, number: str, bank: Bank, reference: str, money: Money) -> None:
        """A draw was committed."""
        document = self.documents[number, money.currency]
        document.headroom -= money.minor
        document.draws[reference] = PlantedDraw(bank.code, reference, money.minor, money.minor)
        self._note(money.minor, money.currency, f"draw {reference}")
        self._note(document.headroom, money.currency, f"headroom after {reference}")

    def disburse(self, number: str, alpha: str, reference: str, released: Money | None = None) -> None:
        """A draw was paid out: all of it, or all but what was released."""
        document = self.documents[number, Currency.parse(alpha)]
        draw, rest = document.draws[reference], 0 if released is None else released.minor
        document.draws[reference] = replace(draw, outstanding=draw.outstanding - rest, stage="disbursed")
        document.headroom += rest
        self._note(rest, document.currency, f"rest of {reference}")

    def amend(self, number: str, limit: Money) -> None:
        """The attester set another limit."""
        document = self.documents[number, limit.currency]
        document.headroom += limit.minor - document.limit
        document.limit = limit.minor
        self._note(limit.minor, limit.currency, f"amended limit of a declaration ending {number[-3:]}")
        self._note(abs(document.headroom), limit.currency, f"what is overdrawn on a declaration ending {number[-3:]}")

    def move(self, number: str, replacement: str, alpha: str, reference: str) -> None:
        """A draw moved to the document that replaces its own."""
        currency = Currency.parse(alpha)
        old, new = self.documents[number, currency], self.documents[replacement, currency]
        draw = old.draws[reference]
        old.draws[reference] = replace(draw, outstanding=0, stage="moved")
        new.draws[reference] = replace(draw, amount=draw.outstanding)
        new.headroom -= draw.outstanding
        self._note(new.headroom, currency, f"headroom after {reference} moved")

    def expire(self, number: str, alpha: str, reference: str) -> None:
        """A reservation freed itself."""
        document = self.documents[number, Currency.parse(alpha)]
        draw = document.draws[reference]
        document.headroom += draw.outstanding
        document.draws[reference] = replace(draw, outstanding=0, stage="expired")

    def reduce(self, number: str, reference: str, money: Money, reason: str, *, settled: bool = False) -> None:
        """A draw was reduced."""
        document = self.documents[number, money.currency]
        draw, stage = document.draws[reference], "settled" if settled else "partly-repaid"
        document.draws[reference] = replace(draw, outstanding=draw.outstanding - money.minor, stage=stage)
        if reason in RESTORING:
            document.headroom += money.minor
        self._note(money.minor, money.currency, f"reduction of {reference}")

    def headroom(self, number: str, alpha: str) -> int:
        """What is left, in minor units."""
        return self.documents[number, Currency.parse(alpha)].headroom

    def differences(self, opened: Sequence[Mapping[str, Any]]) -> list[str]:
        """Where an opened log is not this truth, by declaration number. Empty: every amount is equal to the planted one."""
        found = {(item["number"], item["currency"]): _compared(item) for item in opened}
        planted = {(number, currency.alpha): item.as_opened() for (number, currency), item in self.documents.items()}
        different = [key for key in {**planted, **found} if planted.get(key) != found.get(key)]
        return [f"{number} {alpha}" for number, alpha in different] + ["a document stands twice"] * (len(opened) != len(found))

    def count_amounts(self) -> int:
        """How many amounts the regulator must find: limits and headrooms, draws with what is outstanding."""
        return sum(2 + 2 * len(document.draws) for document in self.documents.values())

    def forms(self) -> list[Form]:
        """Every form of every secret."""
        forms = [form for (minor, currency), label in self._amounts.items() for form in amount_forms(label, minor, currency)]
        named = [("reference", self._references), ("presented", self._presented)]
        forms += [form for what, values in named for form in _each(identifier_forms, what, values)]
        return [*forms, *_paper_forms(self._papers), *_party_forms(self._papers)]

    def _note(self, minor: int, currency: Currency, label: str) -> None:
        if minor:
            self._amounts.setdefault((minor, currency), label)


def _compared(item: Mapping[str, Any]) -> dict[str, Any]:
    """Of an opened document, what was planted."""
    names = ("bank", "reference", "amount", "outstanding", "stage")
    draws = [{name: draw[name] for name in names} for draw in item["draws"]]
    return {**{name: item[name] for name in ("limit", "drawn", "outstanding", "headroom")}, "draws": draws}


def _each(make: Any, what: str, values: Iterable[str]) -> list[Form]:
    return [form for place, value in enumerate(dict.fromkeys(values), 1) for form in make(f"{what} {place}", value)]


def _paper_forms(papers: Sequence[Declaration]) -> list[Form]:
    """What identifies a declaration."""
    return [
        *_each(identifier_forms, "declaration number", (paper.number.text for paper in papers)),
        *_each(identifier_forms, "contract", (paper.contract for paper in papers)),
        *_each(identifier_forms, "bill of lading", (paper.bill_of_lading for paper in papers)),
    ]


def _party_forms(papers: Sequence[Declaration]) -> list[Form]:
    """What identifies an enterprise or a bank."""
    companies = [company for paper in papers for company in (paper.owner, paper.consignor)]
    return [
        *_each(identifier_forms, "credit code", (company.credit_code.text for company in companies)),
        *_each(identifier_forms, "bank code", (bank.code for bank in cast.BANKS)),
        *_each(name_forms, "company name", (company.name for company in companies)),
        *_each(name_forms, "bank name", (bank.name for bank in cast.BANKS)),
        *_each(name_forms, "bank's Chinese name", (bank.name.split(" ")[-1] for bank in cast.BANKS)),
    ]
