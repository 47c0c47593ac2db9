"""Kinds of documents are configuration: each of the shipped ones, and a seventh in a file, goes its whole way by the same code.

Must hold: an attester registers the kinds of its role and no other, in each counter; counters of one paper are counted apart; a
paper of single use is drawn on once. A failure would be a kind that needs code, a limit shared by two counters, or a second
draw on a used paper. Not a failure: what an authority chooses to write into its file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from parties.bank.draft import Terms
from parties.bank.repayment import Instruction, release, repay
from parties.common.errors import InputError, Refused, ServiceRefused
from parties.common.keyring import About, create_signer
from parties.common.money import Money
from parties.customs.enrol import enrol
from parties.customs.register import Office, Report, register_declarations
from schemas.kinds import load_kinds
from tests.parties.scene import HOLDER, ORIGIN, Scene, declarations_csv

SEVENTH = """
[warehouse-receipt]
attester = "warehouse"
restores = ["released", "repaid-proceeds"]
counters = ["storage", "pledge"]
use = "cumulative"
reservation_days = 10
applications = "required"
"""
HEADER = "单证编号,企业名称,统一社会信用代码,日期,金额,币制,状态"


def papers(*rows: tuple[str, str]) -> bytes:
    """(number, "USD 10.00") of the exporter, cleared."""
    lines = [
        f"{number},Ningbo Exports,{HOLDER},2026-01-05,{money.split()[1]},{money.split()[0]},cleared" for number, money in rows
    ]
    return "\n".join([HEADER, *lines]).encode()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A log with the six kinds that ship and a seventh from a file, and an attester of every role."""
    path = tmp_path / "kinds.toml"
    shipped = Path(__file__).resolve().parents[2] / "schemas" / "kinds.toml"
    path.write_text(shipped.read_text("utf-8") + SEVENTH, encoding="utf-8")
    made = Scene(tmp_path / "scene", kinds=load_kinds(path), roles=("tax", "logistics", "insurer", "warehouse"))
    yield made
    made.close()


def office(scene: Scene, role: str) -> Office:
    attester = scene.attester(role)
    return Office(scene.suite, scene.home(role), attester, scene.signing(attester), scene.randomness)


def register(scene: Scene, role: str, kind: str, content: bytes) -> Report:
    return register_declarations(office(scene, role), content, kind=kind)


def test_a_seventh_kind_goes_its_whole_way(scene: Scene) -> None:
    report = register(scene, "warehouse", "warehouse-receipt", papers(("CK-2026-001", "USD 1000.00")))
    assert [(record.kind, record.counter) for record in report.registered] == [
        ("warehouse-receipt", "storage"),
        ("warehouse-receipt", "pledge"),
    ]
    bank = scene.bank("A")
    with pytest.raises(InputError, match="storage, pledge"):
        scene.apply(bank, ["CK-2026-001=USD 900.00"])
    with pytest.raises(InputError, match="10 days"):
        scene.apply(bank, ["CK-2026-001:pledge=USD 900.00"], days=11)
    scene.lend(bank, ["CK-2026-001:pledge=USD 900.00"], Terms(reference="L-1"), disbursed=True)
    with pytest.raises(Refused):
        scene.lend(bank, ["CK-2026-001:pledge=USD 100.01"])
    scene.lend(bank, ["CK-2026-001:storage=USD 1000.00"], Terms(reference="L-2"))
    # Its file says that what is repaid from proceeds gives headroom back.
    repay(bank, Instruction("repaid-proceeds", reference="L-1", settle=True))
    assert scene.lend(bank, ["CK-2026-001:pledge=USD 1000.00"]).committed


@pytest.mark.parametrize(
    "role,kind",
    [
        ("tax", "service-trade-filing"),
        ("tax", "capital-account-voucher"),
        ("logistics", "freight-bill"),
        ("insurer", "export-credit-insurance"),
    ],
)
def test_the_other_shipped_kinds(scene: Scene, role: str, kind: str) -> None:
    assert len(register(scene, role, kind, papers(("SW-1", "USD 500.00"))).registered) == 1
    record = scene.lend(scene.bank("A"), ["SW-1=USD 400.00"], Terms(reference="L-1"), disbursed=True)
    assert record.lines[0].credential.kind == kind
    assert repay(scene.bank("A"), Instruction("repaid-own-funds", reference="L-1", settle=True)).line.standing is not None


def test_an_import_declaration_counts_payment_and_financing_apart(scene: Scene) -> None:
    number = "310120261512345678"
    content = declarations_csv([(number, "USD 1000.00")])
    report = register(scene, "customs", "import-declaration", content)
    assert [record.counter for record in report.registered] == ["payment", "financing"]
    bank = scene.bank("A")
    scene.lend(bank, [f"{number}:payment=USD 1000.00"])
    assert scene.lend(bank, [f"{number}:financing=USD 1000.00"]).committed
    assert register(scene, "customs", "export-declaration", content).refused_rows == [2]


def test_a_paper_of_single_use_is_used_once(scene: Scene) -> None:
    register(scene, "logistics", "freight-bill", papers(("YD-1", "USD 500.00")))
    bank = scene.bank("A")
    scene.lend(bank, ["YD-1=USD 100.00"], Terms(reference="L-1"))
    with pytest.raises(ServiceRefused):
        scene.lend(bank, ["YD-1=USD 100.00"], Terms(reference="L-2"))
    release(bank, Instruction(reference="L-1"))
    scene.lend(bank, ["YD-1=USD 300.00"], Terms(reference="L-3"), disbursed=True)
    repay(bank, Instruction("repaid-own-funds", Money.parse("USD 300.00"), settle=True, reference="L-3"))
    with pytest.raises(ServiceRefused):
        scene.lend(bank, ["YD-1=USD 1.00"], Terms(reference="L-4"))


@pytest.mark.parametrize(
    "role,kind",
    [("tax", "export-declaration"), ("customs", "freight-bill"), ("warehouse", "service-trade-filing"), ("tax", "no")],
)
def test_a_kind_of_another_role_is_refused(scene: Scene, role: str, kind: str) -> None:
    before = scene.client.ready().entries
    with pytest.raises(Refused) as refused:
        register(scene, role, kind, papers(("SW-1", "USD 500.00")))
    assert refused.value.code == "another-kind"
    assert scene.client.ready().entries == before


def test_a_stranger_attests_nothing(scene: Scene) -> None:
    home = scene.home("stranger")
    signer = create_signer(home, scene.suite, About("attester", "stranger", "S", ORIGIN), scene.randomness)
    enrol(home, scene.suite, signer, [scene.exporter.identity])
    with pytest.raises(Refused, match="attester of this service"):
        register_declarations(Office(scene.suite, home, signer, scene.client, scene.randomness), papers(("A-1", "USD 1.00")))
