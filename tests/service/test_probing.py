"""Story: a bank tries 900,000, then 850,000, then 825,000 on a declaration with 800,000 left, and is stopped.

The applications are signed by the owner, the drafts and the requests are the bank's own, and the headroom proofs are the most
that a dishonest wallet's key can make. Must hold: nothing of it is ever committed; after the third refusal within a day the
institution, with all its outlets, is kept off this document for a day, also with a draw that would fit, before any proof is
looked at; its owner sees that and not who; the regulator is told who, sealed; the database says neither. Another bank, another
document and the day after are as before. A failure would be a fourth question, or an honest bank kept off by a request that was
only repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

from parties.bank.commit import commit
from parties.bank.desk import Desk as BankDesk
from parties.common.errors import ServiceRefused
from parties.common.sealed_files import read_sealed
from parties.enterprise.cli import _show_blocks
from parties.enterprise.wallet import discover, view_documents
from parties.regulator.alerts import open_alerts, rows
from schemas import problems
from schemas.callers import ProbingNote
from schemas.sealed import ApprovalFile, DraftFile
from service.institutions.registry import RegistryError
from service.storage import database_address
from tests.builders import World, make_draw, make_overdraw
from tests.parties.scene import FIRST, SECOND, TOKEN, Scene
from tests.service.harness import BANK, Desk, empty, make_desk, refused
from tradeveil.demo.forgery import _approve_line

DAY = 86_400


@pytest.fixture
def scene(tmp_path: Path, database: str) -> Iterator[Scene]:
    engine = create_engine(database_address(database))
    empty(engine)
    engine.dispose()
    made = Scene(tmp_path, database=database)
    made.register((FIRST, "USD 1000000.00"), (SECOND, "USD 48200.00"))
    made.lend(made.bank("A"), [f"{FIRST}=USD 200000.00"])
    yield made
    made.close()


def forged(scene: Scene, bank: BankDesk, line: str) -> ApprovalFile:
    """An application of the owner's, the bank's draft, and the answer of a wallet that approves whatever it is asked."""
    _, draft = scene.draft(bank, scene.apply(bank, [line]))
    owner = scene.owner()
    file = read_sealed(draft, DraftFile, scene.exporter.seal)
    lines = [_approve_line(owner, each) for each in file.lines]
    return ApprovalFile(financing=file.financing, refused=None, lines=lines)


def refusal(action: Callable[[], Any]) -> str:
    with pytest.raises(ServiceRefused) as caught:
        action()
    return caught.value.slug


def draws_on(scene: Scene) -> int:
    """How many draws the log has: applications and decisions are entries, too."""
    return sum(item.entry["type"] == "draw" for item in scene.client.all_entries(TOKEN))


def probe(scene: Scene, bank: BankDesk, number: str = FIRST, amounts: tuple[int, ...] = (900_000, 850_000, 825_000)) -> None:
    """The three attempts."""
    for amount in amounts:
        approval = forged(scene, bank, f"{number}=USD {amount}.00")
        assert refusal(lambda a=approval: commit(bank, a)) == problems.HEADROOM_NOT_PROVEN.slug  # type: ignore[misc]


def test_the_story(scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    bank = scene.bank("C")
    drawn = draws_on(scene)
    for amount in (900_000, 850_000, 825_000):
        _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD {amount}.00"]))
        assert scene.approve(draft).refused == "cannot-be-proven", "an honest wallet proves nothing"
    probe(scene, bank)

    # A draw that would fit, honestly proven: refused before any proof is looked at.
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 100.00"]))
    approval = scene.approve(draft)
    assert approval.refused is None
    with monkeypatch.context() as patched:
        patched.setattr("service.joint.verify", lambda *_: pytest.fail("a proof was looked at"))
        assert refusal(lambda: commit(bank, approval)) == problems.BLOCKED_ON_DOCUMENT.slug
    assert draws_on(scene) == drawn

    # Its owner sees when, and not who.
    owner = scene.owner()
    documents = discover(owner).documents
    seen = {item.credential.number: opened for item, opened in view_documents(owner, documents)}
    assert [(block.time, block.until) for block in seen[FIRST].blocks] == [(scene.now, scene.now + DAY)]
    assert seen[SECOND].blocks == ()
    _show_blocks([(item, seen[item.credential.number]) for item in documents])
    told = capsys.readouterr().err
    assert FIRST in told
    assert "bank-c" not in told.lower()

    # The regulator is told who and where.
    [alert] = open_alerts(scene.regulator, scene.client.all_alerts(TOKEN))
    assert isinstance(alert.told, ProbingNote)
    assert (alert.told.institution, alert.told.document, alert.told.until) == (
        "bank-c",
        seen[FIRST].state.document,
        scene.now + DAY,
    )
    assert alert.caller is not None
    assert alert.caller.institution == "bank-c"
    assert "probing-blocked" in rows([alert])[0]

    # Others, and other documents, are as before; and so is the bank itself the day after.
    scene.lend(scene.bank("A"), [f"{FIRST}=USD 1000.00"])
    scene.lend(bank, [f"{SECOND}=USD 1000.00"])
    scene.now += DAY
    scene.lend(scene.bank("C"), [f"{FIRST}=USD 100.00"])


def test_the_database_does_not_say_who_asked_about_what(scene: Scene) -> None:
    bank = scene.bank("C")
    probe(scene, bank)
    scene.lend(scene.bank("A"), [f"{SECOND}=USD 40000.00"])
    probe(scene, bank, SECOND, (48_000, 9_000))
    engine = create_engine(database_address(scene.database))
    with engine.connect() as connection:
        tables = inspect(engine).get_table_names()
        found = {name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))] for name in tables}  # noqa: S608
        institutions = {row[0] for row in found["institutions"]}
    engine.dispose()
    shown = repr(found)
    assert all(word not in shown for word in ("bank-c", "bank-a", "BANK-C"))
    for row in (*found["blocks"], *found["refusals"]):
        assert not institutions & set(row)
    assert len(found["blocks"]) == 1
    assert len(found["refusals"]) == 2


def test_it_is_lifted_by_the_operator(scene: Scene) -> None:
    bank = scene.bank("C")
    probe(scene, bank)
    institutions = scene.wire.app.state.verifier.institutions  # type: ignore[attr-defined]
    with pytest.raises(RegistryError):
        institutions.unblock("nobody")
    assert institutions.unblock("bank-a") == 0
    document = discover(scene.owner()).of_number(SECOND)[0].facts.document
    assert institutions.unblock("bank-c", document) == 0
    assert institutions.unblock("bank-c") == 1
    scene.lend(bank, [f"{FIRST}=USD 100.00"])


# --- what counts ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def strict(world: World, database: str) -> Iterator[Desk]:
    """A service that blocks after three refusals."""
    with make_desk(world, database, refusals=3) as desk:
        yield desk


def blocks(desk: Desk) -> int:
    return len(desk.dump()["blocks"])


def test_one_request_counts_once_however_often_it_is_sent(strict: Desk, world: World) -> None:
    """As a network does that loses the answers."""
    paper = strict.register(500)[0]
    draw = make_overdraw(world, paper, 501)
    for _ in range(5):
        refused(strict.send_draws([draw], key="the-key-of-one-request"), problems.HEADROOM_NOT_PROVEN)
    assert (blocks(strict), len(strict.dump()["refusals"])) == (0, 1)


def test_refusals_of_more_than_a_day_ago_do_not_count(strict: Desk, world: World) -> None:
    paper = strict.register(500)[0]

    def ask() -> None:
        draw = make_overdraw(world, paper, 501)
        refused(strict.send_draws([draw]), problems.HEADROOM_NOT_PROVEN)

    ask()
    ask()
    strict.now += DAY
    ask()
    ask()
    assert blocks(strict) == 0
    strict.now += DAY - 1
    ask()
    assert blocks(strict) == 1


def test_outlets_ask_for_the_whole_bank(strict: Desk, world: World) -> None:
    paper = strict.register(500)[0]
    branch = strict.admit("branch", "bank", parent=BANK)
    outlets = [branch, *(strict.admit(f"outlet-{i}", "bank", parent="branch") for i in range(2))]
    for secret in outlets:
        refused(strict.send_draws([make_overdraw(world, paper, 501)], signed_by=secret), problems.HEADROOM_NOT_PROVEN)
    refused(strict.send_draws([make_draw(world, paper, 5)]), problems.BLOCKED_ON_DOCUMENT)
    other = strict.admit("another-bank", "bank")
    assert strict.send_draws([make_draw(world, paper, 5)], signed_by=other).status_code == 201


def test_a_block_names_its_lines_and_stops_the_whole_financing(strict: Desk, world: World) -> None:
    first, second = strict.register(500, 500)
    for _ in range(3):
        refused(strict.send_draws([make_overdraw(world, first, 501)]), problems.HEADROOM_NOT_PROVEN)
    problem = refused(
        strict.send_draws([make_draw(world, second, 5), make_draw(world, first, 5)]), problems.BLOCKED_ON_DOCUMENT
    )
    assert [line.line for line in problem.lines] == [1]
    assert strict.send_draws([make_draw(world, second, 5)]).status_code == 201


def test_what_was_accepted_before_a_block_is_still_answered(strict: Desk, world: World) -> None:
    paper = strict.register(500)[0]
    draw = make_draw(world, paper, 5)
    answer = strict.send_draws([draw], key="the-key-of-one-request")
    assert answer.status_code == 201
    after = draw.committed()[0]
    for _ in range(3):
        refused(strict.send_draws([make_overdraw(world, after, 501)]), problems.HEADROOM_NOT_PROVEN)
    assert blocks(strict) == 1
    assert strict.send_draws([draw], key="the-key-of-one-request").content == answer.content


def test_only_unproven_headroom_counts(strict: Desk, world: World) -> None:
    """Other refusals leave nothing but that a request was signed and counted."""
    paper = strict.register(500)[0]
    accepted = make_draw(world, paper, 5, draw=b"d" * 32)
    assert strict.send_draws([accepted]).status_code == 201
    for draw in (
        make_draw(world, accepted.committed()[0], 5, expires=strict.now - 1),
        make_draw(world, accepted.committed()[0], 5, draw=b"d" * 32),
    ):
        before = {name: rows_ for name, rows_ in strict.dump().items() if name not in ("request_nonces", "counters")}
        assert strict.send_draws([draw]).status_code in (409, 422)
        after = strict.dump()
        assert all(after[name] == rows_ for name, rows_ in before.items())
