"""Institutions' programs sign what they write, change their keys, and tell the regulator of things.

Must hold: every attempt is signed anew, so that a repetition is no replay; a change of keys survives lost calls and
a crash, even after the old key has ended; a step that the service did not look at, because of who called, is kept and completed
later; an alert is read by the regulator, with who really sent it. A failure would be a bank that locks itself out, or one that
forgets a draw that the service has. The request that docs/API.md shows is what the signer makes, byte for byte.
"""

from __future__ import annotations

import base64

import httpx
import pytest

from parties.bank.alert import Told, send_alert
from parties.bank.commit import commit
from parties.common.client import Backoff, ServiceClient
from parties.common.errors import InputError, ServiceRefused, ServiceUnreachable
from parties.common.home import read_identity
from parties.common.keyring import load_signer, request_generation
from parties.common.request_keys import Requester, RequestSecret, RequestSigner
from parties.common.rotation import rotate_key
from parties.regulator.alerts import UNREADABLE, describe, open_alerts, rows
from parties.regulator.open import fetch_entries, open_log
from parties.regulator.report import caller_text
from schemas import problems
from schemas.answers import RequestKeyAnswer, SealedAlert
from schemas.callers import AlertMessage, CallerNote
from schemas.request_keys import verify_signature
from schemas.sealed import AlertMemo
from service.institutions.registry import Registry
from tests.conftest import ROOT
from tests.parties.scene import FIRST, ORIGIN, TOKEN, Scene

DAY = 86_400


def registry(scene: Scene) -> Registry:
    found: Registry = scene.wire.app.state.verifier.institutions.registry  # type: ignore[attr-defined]
    return found


def rotate(scene: Scene, name: str = "A") -> RequestKeyAnswer:
    return rotate_key(scene.bank(name).home, scene.suite, "bank", scene.signing, scene.randomness)


def test_a_repetition_is_signed_anew(scene: Scene) -> None:
    """The first answer is lost; the client sends the same bytes again, with another signature, and is answered."""
    bank = scene.bank("A")
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 5.00"]))
    signer = RequestSigner(bank.signer.requester, lambda: scene.now, scene.randomness)
    patient = ServiceClient(scene.wire, Backoff((0.0,)), signer)
    approval = scene.approve(draft)
    scene.wire.lose_answers = 1
    record = commit(type(bank)(bank.suite, bank.home, bank.signer, patient, bank.randomness, bank.now), approval)
    assert record.committed
    first, second = [sent for sent in scene.wire.sent if sent[0] == "/v1/financings"]
    assert first == second


def test_a_client_without_a_key_writes_nothing(scene: Scene) -> None:
    bank = scene.bank("A")
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 5.00"]))
    approval = scene.approve(draft)
    unsigned = type(bank)(bank.suite, bank.home, bank.signer, scene.client, bank.randomness, bank.now)
    with pytest.raises(ServiceRefused) as caught:
        commit(unsigned, approval)
    assert caught.value.slug == problems.SIGNATURE_INVALID.slug


def test_a_bank_that_may_not_call_keeps_what_it_was_about_to_do(scene: Scene) -> None:
    """It may have reached the service before: forgetting it could lose a draw."""
    bank = scene.bank("A")
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 5.00"]))
    approval = scene.approve(draft)
    scene.wire.lose_answers = 1
    with pytest.raises(ServiceUnreachable):
        commit(bank, approval)
    registry(scene).revoke("bank-a", scene.now)
    with pytest.raises(ServiceRefused) as caught:
        commit(bank, approval)
    assert caught.value.slug == problems.NOT_PERMITTED.slug
    assert [record.pending is not None for record in bank.book] == [True]
    registry(scene).restore("bank-a")
    assert commit(bank, approval).committed


# --- a change of keys -----------------------------------------------------------------------------------------------------


def test_a_change_of_keys(scene: Scene) -> None:
    old = scene.bank("A").signer
    answer = rotate(scene)
    bank = scene.bank("A")
    assert answer.key == bank.signer.request.public != old.request.public
    identity = read_identity(bank.home.path("identity.json"))
    identity.check(scene.suite)
    assert identity.request_key is not None
    assert identity.request_key.key == answer.key
    assert (identity.key, identity.seal_key) == (old.identity.key, old.identity.seal_key)
    scene.lend(bank, [f"{FIRST}=USD 5.00"])
    scene.now = answer.old_key_until
    with pytest.raises(ServiceRefused):
        scene.signing(old).alert(_alert(), "0123456789abcdef")
    assert rotate(scene).key != answer.key
    assert request_generation(bank.home).generation == 2


def _alert() -> AlertMessage:
    return AlertMessage(memo=bytes(1584))


@pytest.mark.parametrize("lost", ["lose_requests", "lose_answers"])
@pytest.mark.parametrize("later", [0, 3 * DAY])
def test_a_change_of_keys_survives_a_lost_call(scene: Scene, lost: str, later: int) -> None:
    """Also when the same command is run again only after the old key has ended."""
    bank = scene.bank("A")
    setattr(scene.wire, lost, 1)
    with pytest.raises(ServiceUnreachable):
        rotate(scene)
    assert load_signer(bank.home, scene.suite, "bank").request.public == bank.signer.request.public
    scene.now += later
    answer = rotate(scene)
    assert scene.bank("A").signer.request.public == answer.key
    send_alert(scene.bank("A"), Told("other"))


def test_a_change_that_is_refused_leaves_the_key(scene: Scene) -> None:
    bank = scene.bank("A")
    registry(scene).revoke("bank-a", scene.now)
    with pytest.raises(ServiceRefused):
        rotate(scene)
    assert scene.bank("A").signer.request.public == bank.signer.request.public
    registry(scene).restore("bank-a")
    send_alert(scene.bank("A"), Told("other"))
    rotate(scene)


# --- what the regulator sees ----------------------------------------------------------------------------------------------


def test_alerts_reach_the_regulator(scene: Scene) -> None:
    bank = scene.bank("A")
    send_alert(bank, Told("wrong-owner", FIRST, "91350211MA31QW5E9P", "A-1", "presented by Xiamen"))
    [alert] = open_alerts(scene.regulator, scene.client.all_alerts(TOKEN))
    assert alert.caller == CallerNote(institution="bank-a", outlet=[])
    assert isinstance(alert.told, AlertMemo)
    assert (alert.told.number, alert.told.holder, alert.differs) == (FIRST, "91350211MA31QW5E9P", False)
    shown = " ".join(rows([alert])[0])
    assert all(word in shown for word in ("wrong-owner", FIRST, "bank-a", "presented by Xiamen"))
    assert describe([alert])[0]["kind"] == "wrong-owner"
    for wrong in (Told("nonsense"), Told("other", note="x" * 201), Told("other", number="1" * 33)):
        with pytest.raises(InputError):
            send_alert(bank, wrong)


def test_an_alert_in_anothers_name_or_of_garbage_is_shown_as_such(scene: Scene) -> None:
    liar = scene.bank("B")
    send_alert(type(liar)(liar.suite, liar.home, scene.bank("A").signer, liar.client, liar.randomness, liar.now), Told("other"))
    liar.client.alert(_alert(), "0123456789abcdef")
    lying, garbage = open_alerts(scene.regulator, scene.client.all_alerts(TOKEN))
    assert lying.differs
    assert lying.caller == garbage.caller == CallerNote(institution="bank-b", outlet=[])
    assert "SAYS TO BE bank-a" in rows([lying])[0][-1]
    assert garbage.kind == UNREADABLE
    unreadable = SealedAlert(index=0, time=0, source="service", caller=bytes(432), memo=bytes(1584))
    assert "?" in rows(open_alerts(scene.regulator, [unreadable]))[0]


def test_the_regulator_sees_who_called_and_is_warned_where_it_differs(scene: Scene) -> None:
    """Bank B sends what bank A drafted: valid by every proof, and not what the memo says."""
    scene.lend(scene.bank("B"), [f"{FIRST}=USD 7.00"])
    bank = scene.bank("A")
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 5.00"]))
    other = scene.signing(scene.bank("B").signer)
    commit(type(bank)(bank.suite, bank.home, bank.signer, other, bank.randomness, bank.now), scene.approve(draft))
    opened = open_log(scene.suite, scene.regulator, fetch_entries(scene.client, TOKEN))
    honest, false = [item for document in opened.documents for item in document.draws]
    assert caller_text(honest.caller) == caller_text(false.caller) == "bank-b"
    assert [(alert.code, alert.draw) for alert in opened.alerts] == [("caller-differs", false.state.draw)]
    assert opened.origin == ORIGIN


# --- what the documentation shows -----------------------------------------------------------------------------------------

_SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
"""RFC 8032, section 7.1, test 1."""


class _Counting:
    """Randomness that counts from 0."""

    def read(self, size: int) -> bytes:
        return bytes(range(size))


def _example() -> tuple[str, dict[str, str], str]:
    """The request of docs/API.md: its first line, its fields and its body."""
    page = (ROOT / "docs" / "API.md").read_text(encoding="utf-8")
    head, _, body = page.split("```http\n", 1)[1].split("\n```", 1)[0].partition("\n\n")
    first, *fields = head.splitlines()
    return first, dict(line.split(": ", 1) for line in fields), body


def test_the_worked_example_is_what_the_signer_makes() -> None:
    first, fields, body = _example()
    method, path, _ = first.split()
    unsigned = {name: fields[name] for name in ("Host", "Content-Type", "Idempotency-Key")}
    request = httpx.Request(method, f"https://{fields['Host']}{path}", content=body.encode(), headers=unsigned)
    who = Requester(RequestSecret(_SECRET), "trade.example/log")
    signed = next(RequestSigner(who, lambda: 1_767_225_600, _Counting()).auth_flow(request))
    assert {name: signed.headers[name] for name in fields} == fields


def test_the_signature_base_of_the_worked_example_is_what_it_signs() -> None:
    page = (ROOT / "docs" / "API.md").read_text(encoding="utf-8")
    base = page.split("without an end to the last:\n\n```\n", 1)[1].split("\n```", 1)[0]
    signature = _example()[1]["Signature"].removeprefix("tradeveil=:").removesuffix(":")
    verify_signature(RequestSecret(_SECRET).public, base.encode(), base64.b64decode(signature))
