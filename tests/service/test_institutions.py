"""The registry, its limits, the change of keys, alerts, and the operator's commands.

Must hold: a limit holds for an institution with all below it, exactly, also when many ask at once, and what is refused is not
counted; a change of keys needs both keys, keeps both good for the overlap and ends the old one then; an alert is kept once,
in order, and only its sealed bytes; the commands say what to mend. A failure would be an outlet that escapes its bank's
limit, or a key that somebody else put in.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from parties.common.request_keys import RequestSecret
from schemas import problems
from schemas.answers import AlertsPage, RequestKeyAnswer
from schemas.callers import AlertMessage, CallerNote, RequestKeyChange
from schemas.canonical import canonical, parse_strict
from schemas.request_keys import rotation_bytes
from schemas.wire import decode_base64url, encode_base64url
from service.cli import app
from service.gathering import Failed
from service.institutions.counting import DRAWS, Budget
from service.institutions.desk import Admission
from service.institutions.registry import Caller, RegistryError
from service.problems import Refusal
from tests.builders import ORIGIN, Paper, World, make_draw, make_identity, make_reduce
from tests.service.harness import (
    ATTESTER,
    ATTESTER_KEY,
    BANK,
    BANK_KEY,
    TOKEN,
    Desk,
    accepted,
    make_directory,
    process,
    refused,
    unchanged,
)
from zkcore.operations import MEMO_SIZE, RELEASED

MINUTE, DAY = 60, 86_400


def caller(desk: Desk, secret: RequestSecret) -> Caller:
    found = desk.verifier.institutions.registry.caller(secret.public, desk.now)
    assert found is not None
    return found


def set_limits(desk: Desk, holder: str, **limits: int | None) -> None:
    named = {name.replace("_", "-"): most for name, most in limits.items()}
    desk.verifier.institutions.registry.set_limits(holder, named)


# --- who is who -----------------------------------------------------------------------------------------------------------


def test_a_caller_is_its_whole_path(desk: Desk) -> None:
    desk.admit("branch", "bank", parent=BANK)
    outlet = desk.admit("outlet", "bank", parent="branch")
    found = caller(desk, outlet)
    assert [member.holder for member in found.path] == [BANK, "branch", "outlet"]
    assert found.note() == CallerNote(institution=BANK, outlet=["branch", "outlet"])
    assert found.institution == caller(desk, BANK_KEY).institution
    assert "outlet" not in repr(found)


def test_what_the_registry_refuses(desk: Desk) -> None:
    registry = desk.verifier.institutions.registry
    desk.admit("branch", "bank", parent=BANK)
    desk.admit("outlet", "bank", parent="branch")
    with unchanged(desk):
        for holder, role, parent, key in (
            (BANK, "bank", None, b"1" * 32),
            ("other", "bank", None, BANK_KEY.public),
            ("other", "attester", BANK, b"1" * 32),
            ("other", "bank", "nobody", b"1" * 32),
            ("other", "bank", "outlet", b"1" * 32),
            ('quo"ted', "bank", None, b"1" * 32),
            ("other", "enterprise", None, b"1" * 32),
        ):
            with pytest.raises(RegistryError):
                registry.admit(holder, role, key, desk.now, parent=parent)  # type: ignore[arg-type]
        for act in (lambda: registry.revoke("nobody", 1), lambda: registry.revoke_key(BANK, b"1" * 32, 1)):
            with pytest.raises(RegistryError):
                act()


def test_the_longest_names_fit_into_the_sealed_box(desk: Desk) -> None:
    names = [letter * 100 for letter in "abc"]
    desk.admit(names[0], "bank")
    desk.admit(names[1], "bank", parent=names[0])
    longest = caller(desk, desk.admit(names[2], "bank", parent=names[1]))
    assert len(desk.verifier.institutions.sealed(longest)) == len(desk.verifier.institutions.sealed(caller(desk, BANK_KEY)))


def test_who_called_is_sealed_to_the_regulator_and_never_the_same_twice(desk: Desk, world: World) -> None:
    first, second = desk.register(500, 500)
    (paper, loan), _ = desk.finance(make_draw(world, first, 100), make_draw(world, second, 5))
    desk.reduce(make_reduce(world, paper, loan, 60, RELEASED), paper, loan)
    entries = [item["entry"] for item in desk.export().json()["entries"]]
    boxes = [entry["caller"] for entry in entries if entry["type"] in ("draw", "reduce")]
    assert len(set(boxes)) == len(boxes) == 3
    assert {len(box) for box in boxes} == {576}
    assert all("caller" not in entry for entry in entries if entry["type"] in ("genesis", "register"))
    for box in boxes:
        content = world.regulator_seal.open(decode_base64url(box)).rpartition(b"\x80")[0]
        assert CallerNote.model_validate(parse_strict(content)) == CallerNote(institution=BANK, outlet=[])


# --- limits ---------------------------------------------------------------------------------------------------------------


def test_requests_per_minute(desk: Desk) -> None:
    set_limits(desk, BANK, requests_per_minute=2)
    desk.now += MINUTE - desk.now % MINUTE
    for _ in range(2):
        refused(desk.post("/v1/financings", b"{}"), problems.MALFORMED)
    desk.now += 20
    with unchanged(desk):
        response = desk.post("/v1/financings", b"{}")
    refused(response, problems.RATE_LIMITED)
    assert response.headers["Retry-After"] == "40"
    desk.now += 40
    refused(desk.post("/v1/financings", b"{}"), problems.MALFORMED)


def test_a_parents_limit_holds_for_all_below_it(desk: Desk) -> None:
    set_limits(desk, BANK, requests_per_minute=3)
    desk.admit("branch", "bank", parent=BANK)
    outlets = [desk.admit(f"outlet-{i}", "bank", parent="branch") for i in range(2)]
    lone = desk.admit("lone", "bank")
    for secret in (*outlets, BANK_KEY):
        refused(desk.post("/v1/financings", b"{}", signed_by=secret), problems.MALFORMED)
    for secret in (*outlets, BANK_KEY):
        refused(desk.post("/v1/financings", b"{}", signed_by=secret), problems.RATE_LIMITED)
    refused(desk.post("/v1/financings", b"{}", signed_by=lone), problems.MALFORMED)
    desk.verifier.institutions.registry.set_limits("branch", {"requests-per-minute": 0})
    desk.now += MINUTE
    refused(desk.post("/v1/financings", b"{}", signed_by=outlets[0]), problems.RATE_LIMITED)
    refused(desk.post("/v1/financings", b"{}"), problems.MALFORMED)


def test_draws_per_day_count_lines_that_were_committed(desk: Desk, world: World) -> None:
    set_limits(desk, BANK, draws_per_day=3)
    first, second, third = desk.register(500, 500, 500)
    draws = [make_draw(world, first, 5), make_draw(world, second, 5)]
    assert desk.send_draws(draws, key="the-key-of-one-request").status_code == 201
    assert desk.send_draws(draws, key="the-key-of-one-request").headers["Idempotency-Replayed"] == "true"
    refused(desk.send_draws([make_draw(world, first, 5)]), problems.HEADROOM_NOT_PROVEN)
    after = draws[0].committed()[0]
    with unchanged(desk):
        both = [make_draw(world, third, 5), make_draw(world, desk_state(desk, after), 5)]
        response = desk.send_draws(both)
    refused(response, problems.LIMIT_REACHED)
    assert int(response.headers["Retry-After"]) == DAY - desk.now % DAY
    assert desk.send_draws([make_draw(world, third, 5)]).status_code == 201
    desk.now += DAY
    assert desk.send_draws([make_draw(world, desk_state(desk, after), 5)]).status_code == 201


def desk_state(desk: Desk, paper: Paper) -> Paper:
    """The document as the service has it."""
    state = desk.verifier.storage.documents([paper.state.document])[paper.state.document]
    return replace(paper, state=state)


def test_no_limit_is_passed_when_many_ask_at_once(desk: Desk) -> None:
    set_limits(desk, BANK, requests_per_minute=10)
    outlets = [desk.admit(f"outlet-{i}", "bank", parent=BANK) for i in range(4)]

    def ask(place: int) -> httpx.Response:
        return desk.post("/v1/financings", b"{}", signed_by=outlets[place % 4])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(24)))
    assert sorted(answer.status_code for answer in answers) == [400] * 10 + [429] * 14


def test_any_budget_is_counted_the_same_way(desk: Desk) -> None:
    """What other parts of the service limit: an amount at once, up the hierarchy, all or nothing."""
    evaluations = Budget("evaluations-per-day", DAY, problems.LIMIT_REACHED)
    desk.verifier.institutions.registry.set_limits(BANK, {"evaluations-per-day": 500})
    outlet = caller(desk, desk.admit("outlet", "bank", parent=BANK))
    institutions = desk.verifier.institutions
    institutions.count(outlet, evaluations, 400, desk.now)
    with unchanged(desk), pytest.raises(Refusal):
        institutions.count(caller(desk, BANK_KEY), evaluations, 101, desk.now)
    institutions.count(caller(desk, BANK_KEY), evaluations, 100, desk.now)
    institutions.count(outlet, DRAWS, 10**6, desk.now)
    rows = {(row[1], row[3]) for row in desk.dump()["counters"]}
    assert {("evaluations-per-day", 500), ("evaluations-per-day", 400)} <= rows


def test_counters_of_earlier_windows_are_forgotten(desk: Desk) -> None:
    for _ in range(3):
        refused(desk.post("/v1/financings", b"{}"), problems.MALFORMED)
        desk.now += MINUTE
    requests = [row for row in desk.dump()["counters"] if row[1] == "requests-per-minute"]
    assert len(requests) == 1


# --- a change of keys -----------------------------------------------------------------------------------------------------

NEXT = RequestSecret(b"n" * 32)


def change(new: RequestSecret, *, holder: str = BANK, origin: str = ORIGIN, by: RequestSecret | None = None) -> bytes:
    signature = (by or new).sign(rotation_bytes(origin, holder, new.public))
    return canonical(RequestKeyChange(key=new.public, signature=signature))


KEYS = "/v1/institutions/self/keys"


def test_both_keys_are_good_until_the_old_one_ends(desk: Desk) -> None:
    answer = accepted(desk.post(KEYS, change(NEXT)), RequestKeyAnswer)
    assert answer == RequestKeyAnswer(key=NEXT.public, active_from=desk.now, old_key_until=desk.now + DAY)
    for secret in (BANK_KEY, NEXT):
        refused(desk.post("/v1/financings", b"{}", signed_by=secret), problems.MALFORMED)
    desk.now += DAY - 1
    refused(desk.post("/v1/financings", b"{}"), problems.MALFORMED)
    desk.now += 1
    refused(desk.post("/v1/financings", b"{}"), problems.NOT_PERMITTED)
    refused(desk.post("/v1/financings", b"{}", signed_by=NEXT), problems.MALFORMED)


def test_a_change_is_repeated_without_harm(desk: Desk) -> None:
    first = desk.post(KEYS, change(NEXT), key="the-key-of-this-change")
    desk.now += 60
    again = desk.post(KEYS, change(NEXT), key="the-key-of-this-change")
    assert (again.status_code, again.content) == (201, first.content)
    by_itself = desk.post(KEYS, change(NEXT), key="the-key-of-this-change", signed_by=NEXT)
    assert (by_itself.status_code, by_itself.content) == (201, first.content)
    desk.now += DAY
    refused(desk.post("/v1/financings", b"{}"), problems.NOT_PERMITTED)


@pytest.mark.parametrize(
    "body",
    [
        change(NEXT, by=BANK_KEY),
        change(NEXT, holder="another"),
        change(NEXT, origin="another.example/log"),
        canonical(RequestKeyChange(key=bytes(32), signature=bytes(64))),
        canonical(RequestKeyChange(key=b"\x01" + bytes(31), signature=b"\x01" + bytes(63))),
    ],
    ids=["signed by the old key", "for another holder", "for another log", "zero", "of low order"],
)
def test_a_change_that_the_new_key_did_not_sign(desk: Desk, body: bytes) -> None:
    with unchanged(desk):
        refused(desk.post(KEYS, body), problems.PROOF_INVALID)


def test_a_key_that_is_or_was_anybodys(desk: Desk) -> None:
    other = desk.admit("another-bank", "bank")
    with unchanged(desk):
        refused(desk.post(KEYS, change(other)), problems.ALREADY_EXISTS)
    accepted(desk.post(KEYS, change(NEXT)), RequestKeyAnswer)
    desk.verifier.institutions.registry.revoke_key(BANK, NEXT.public, desk.now)
    with unchanged(desk):
        refused(desk.post(KEYS, change(NEXT)), problems.ALREADY_EXISTS)


# --- alerts ---------------------------------------------------------------------------------------------------------------


def alerts(desk: Desk, query: str = "") -> AlertsPage:
    response = desk.get(f"/v1/alerts{query}", Authorization=f"Bearer {TOKEN}")
    assert response.status_code == 200
    return AlertsPage.model_validate(response.json())


def test_alerts_are_kept_once_and_in_order(desk: Desk) -> None:
    memos = [bytes([i]) * MEMO_SIZE for i in range(5)]
    for memo in memos:
        body = canonical(AlertMessage(memo=memo))
        key = f"the-key-of-alert-{memo[0]}"
        assert desk.post("/v1/alerts", body, key=key).status_code == 201
        assert desk.post("/v1/alerts", body, key=key).headers["Idempotency-Replayed"] == "true"
    page = alerts(desk)
    assert [item.memo for item in page.alerts] == memos
    assert [item.index for item in page.alerts] == list(range(5))
    assert {item.source for item in page.alerts} == {"party"}
    assert (page.next, page.size) == (None, 5)
    page = alerts(desk, "?from=1&limit=2")
    assert ([item.index for item in page.alerts], page.next) == ([1, 2], 3)
    assert alerts(desk, "?from=5") == AlertsPage(alerts=[], next=None, size=5)


def test_alerts_need_the_token(desk: Desk) -> None:
    for headers in ({}, {"Authorization": "Bearer of-another"}):
        refused(desk.get("/v1/alerts", **headers), problems.UNAUTHORISED)


def test_an_alert_has_one_size(desk: Desk) -> None:
    for size in (0, MEMO_SIZE - 1, MEMO_SIZE + 1):
        body = b'{"memo":"' + encode_base64url(bytes(size)).encode() + b'"}'
        with unchanged(desk):
            refused(desk.post("/v1/alerts", body), problems.MALFORMED)


# --- the operator's commands ----------------------------------------------------------------------------------------------


@pytest.fixture
def directory(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADEVEIL_DATABASE", desk.database.url.render_as_string(hide_password=False))
    make_directory(tmp_path)
    return tmp_path


def run(directory: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["institutions", *arguments, "--directory", str(directory)])
    assert result.exit_code == code, result.output
    return result.output


def test_the_life_of_an_institution(desk: Desk, world: World, directory: Path, tmp_path: Path) -> None:
    identity = make_identity(world, "bank", "BANKX", world.bank, world.attester_seal)
    path = tmp_path / "bank.json"
    path.write_bytes(canonical(identity))
    assert identity.request_key is not None
    key, secret = encode_base64url(identity.request_key.key), RequestSecret(world.attester_seal.encode())
    assert "BANKX is admitted in the role bank" in run(directory, "add", str(path), "--draws-per-day", "7")
    desk.now = 2_000_000_000  # the command has the machine's clock
    refused(desk.post("/v1/financings", b"{}", signed_by=secret), problems.MALFORMED)
    shown = run(directory, "list")
    assert f"key {key} good" in shown
    assert "draws-per-day 7" in shown
    run(directory, "limits", "BANKX", "--requests-per-minute", "0")
    refused(desk.post("/v1/financings", b"{}", signed_by=secret), problems.RATE_LIMITED)
    run(directory, "revoke", "BANKX")
    refused(desk.post("/v1/financings", b"{}", signed_by=secret), problems.NOT_PERMITTED)
    run(directory, "revoke", "BANKX", "--restore")
    refused(desk.post("/v1/financings", b"{}", signed_by=secret), problems.RATE_LIMITED)
    run(directory, "revoke", "BANKX", "--key", key)
    refused(desk.post("/v1/financings", b"{}", signed_by=secret), problems.NOT_PERMITTED)
    assert f"key {key} revoked" in run(directory, "list")
    assert "0 block(s) lifted" in run(directory, "unblock", "BANKX")


def test_what_the_commands_refuse(desk: Desk, world: World, directory: Path, tmp_path: Path) -> None:
    good = make_identity(world, "bank", "BANKX", world.bank, world.attester_seal)
    stranger = make_identity(world, "bank", "BANKX", world.bank, world.attester_seal, "another.example/log")
    cases = {
        "another.example/log": stranger,
        "(batch)": good.model_copy(update={"holder": "BANKY"}),
        "needs no account": make_identity(world, "enterprise", "owner", world.owner, world.attester_seal),
    }
    path = tmp_path / "identity.json"
    with unchanged(desk):
        for said, identity in cases.items():
            path.write_bytes(canonical(identity))
            output = run(directory, "add", str(path), code=2)
            assert said in output or said == "(batch)"
            assert "error:" in output
        path.write_bytes(canonical(good))
        assert "cannot be admitted as attester" in run(directory, "add", str(path), "--role", "attester", code=2)
        assert "is not registered" in run(directory, "add", str(path), "--parent", "nobody", code=2)
        assert "is not registered" in run(directory, "revoke", "nobody", code=2)
        assert "43 characters" in run(directory, "revoke", BANK, "--key", "AAAA", code=2)
        assert "name a limit" in run(directory, "limits", BANK, code=2)


def test_under_another_key_of_the_service_nothing_is_read(desk: Desk, directory: Path) -> None:
    (directory / "service.key").write_text(encode_base64url(b"another key of thirty-two bytes!"))
    assert "under another service.key" in run(directory, "list", code=2)
    (directory / "service.key").chmod(0o644)
    assert "chmod 600" in run(directory, "list", code=2)
    (directory / "service.key").unlink()
    assert "bring back your copy" in run(directory, "list", code=2)


def test_a_service_does_not_start_under_another_key(desk: Desk, directory: Path) -> None:
    (directory / "service.key").write_text(encode_base64url(b"another key of thirty-two bytes!"))
    with process(directory) as (service, ready):
        assert not ready
        assert service.wait(60) == 2
        assert service.stderr is not None
        assert "under another service.key" in service.stderr.read()


def test_a_lost_key_of_the_service_is_not_replaced(desk: Desk, directory: Path) -> None:
    (directory / "service.key").unlink()
    found = CliRunner().invoke(app, ["migrate", "--directory", str(directory)])
    assert found.exit_code == 2
    assert "bring the file back from its backup" in found.output
    assert not (directory / "service.key").exists()


def test_every_command_has_an_example() -> None:
    for name in ("add", "list", "revoke", "key", "limits", "unblock"):
        shown = CliRunner().invoke(app, ["institutions", name, "--help"]).output
        assert f"tradeveil serve institutions {name}" in " ".join(shown.split())


def test_of_requests_that_are_admitted_together_each_is_by_itself(desk: Desk) -> None:
    """One that comes twice is admitted once; those beyond a limit are refused, and leave neither a nonce nor a count."""
    institutions = desk.verifier.institutions
    set_limits(desk, BANK, requests_per_minute=3)
    bank, customs, nobody = BANK_KEY.public, ATTESTER_KEY.public, bytes(32)

    def admission(key: bytes, nonce: int) -> Admission:
        return Admission(key, bytes([nonce]) * 32, desk.now + 600, desk.now)

    def told(*asked: Admission) -> list[object]:
        """The caller's holder, or the problem."""
        found = institutions._admit(asked)
        errors = [item.error if isinstance(item, Failed) else None for item in found]
        problems_ = [error.problem if isinstance(error, Refusal) else error for error in errors]
        return [
            item.member.holder if isinstance(item, Caller) else problem for item, problem in zip(found, problems_, strict=True)
        ]

    asked = [admission(bank, 1), admission(customs, 2), admission(bank, 1), admission(nobody, 8)]
    asked += [admission(bank, nonce) for nonce in (3, 4, 5, 6)]
    twice, too_many, unknown = problems.SIGNATURE_INVALID, problems.RATE_LIMITED, problems.NOT_PERMITTED
    assert told(*asked) == [BANK, ATTESTER, twice, unknown, BANK, BANK, too_many, too_many]
    rows = desk.dump()
    assert sorted(row[0][0] for row in rows["request_nonces"]) == [1, 2, 3, 4]
    assert sorted(row[-1] for row in rows["counters"]) == [1, 3]
    assert told(admission(bank, 5), admission(customs, 7)) == [too_many, ATTESTER]
    assert told(admission(nobody, 9)) == [unknown]
    desk.now += MINUTE
    assert told(admission(bank, 5)) == [BANK]
    assert sorted(row[-1] for row in desk.dump()["counters"]) == [1, 2]
