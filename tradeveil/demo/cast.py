"""Who plays, and with which declarations: the synthetic sample that ships with the project, and three fictitious banks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from schemas.domain.csv_form import read_declarations
from schemas.domain.currency import Currency
from schemas.domain.declaration import Declaration, Status
from schemas.domain.errors import DomainError, ErrorCode
from schemas.kinds import load_kinds

ORIGIN = "demo.tradeveil.example/exports"


@dataclass(frozen=True)
class Bank:
    """A bank: the folder of its home, its institution code, and its names."""

    folder: str
    code: str
    name: str
    short: str


@dataclass(frozen=True)
class Enterprise:
    """An exporter: the folder of its home, its credit code, and its name as on its declarations."""

    folder: str
    code: str
    name: str


BANK_A = Bank("bank-a", "320500730101", "Bank A 虚构甲银行", "Bank A")
BANK_B = Bank("bank-b", "330200730202", "Bank B 虚构乙银行", "Bank B")
BANK_C = Bank("bank-c", "500000730303", "Bank C 虚构丙银行", "Bank C")
BANKS = (BANK_A, BANK_B, BANK_C)

SUZHOU = "91320581MA1P3K7L9H"
NINGBO = "91330206MA2AF8CXX8"
CHONGQING = "91500106MA5U7RGD35"
XIAMEN = "91350211MA31QW5E9P"
QINGDAO = "91370212MA3NBH6U31"
SHENZHEN = "91440300MA5GK7T2XY"

ONE_FOR_THREE = "232520260028296053"
RACE = "310420260083605699"
REPAID = "800320260025945192"
YEN = "425820260051682861"
SIX = (
    "371120260049030534",
    "371120260071208355",
    "371120260016216196",
    "371120260033545514",
    "371120260073624004",
    "371120260090650682",
)
CONSENTED = "310420260091484937"
LOST_WALLET = "232520260046223349"
STEP_BY_STEP = "232520260088375570"
"""Released by Customs and not cleared yet when the sample is registered."""
AMENDED = "530420260055545676"
DELETED, REPLACEMENT = "310420260068432146", "224820260019436497"
EXPIRING = "425820260026024289"
OTHER_OF_NINGBO = "310420260075929228"
"""A declaration in USD that no story draws on, for a consent to be misused on."""


def sample_bytes() -> bytes:
    """The sample of declarations, as Customs gets it."""
    return (files("schemas.domain") / "samples" / "declarations.csv").read_bytes()


@cache
def declarations() -> tuple[Declaration, ...]:
    """The declarations of the sample. Raises ValueError when it is not faultless."""
    reading = read_declarations(sample_bytes())
    if reading.errors:
        raise ValueError(f"the sample of declarations has errors: {reading.errors[0]}")
    return reading.declarations


@cache
def enterprises() -> dict[str, Enterprise]:
    """Every owner of a declaration of the sample, by credit code."""
    names = {declaration.owner.credit_code.text: declaration.owner.name for declaration in declarations()}
    return {code: Enterprise(f"exporter-{code[2:6]}-{code[-4:].lower()}", code, name) for code, name in names.items()}


_REGISTERED = (Status.DECLARED, Status.RELEASED, Status.CLEARED)


@cache
def limits() -> dict[tuple[str, Currency], int]:
    """The limits of what the sample makes."""
    return limits_of(declarations())


def limits_of(papers: Iterable[Declaration]) -> dict[tuple[str, Currency], int]:
    """The limit (minor units) of every document that these papers make, by declaration number and currency.

    What is declared or released is registered too, and can be financed once it is cleared.
    """
    shares = next(kind.shares for kind in load_kinds() if kind.name == "export-declaration")
    registered = [paper for paper in papers if paper.status in _REGISTERED]
    found = ((paper.number.text, _financeable(paper, shares)) for paper in registered)
    return {(number, currency): minor for number, limits in found for currency, minor in limits.items()}


def _financeable(paper: Declaration, shares: Mapping[str, int]) -> dict[Currency, int]:
    """What is financeable once it is cleared; nothing where nobody pays."""
    try:
        return paper.shares(shares)
    except DomainError as error:
        if error.code is ErrorCode.NOT_FINANCEABLE:
            return {}
        raise
