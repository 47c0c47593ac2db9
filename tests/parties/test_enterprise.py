"""The exporter's wallet: keys from words, documents found again, applications that say what is meant, approvals that prove.

Must hold: the same words give the same keys, documents and draws; an amount is converted and rounded as the rules say; a draft
is approved only when it is what was applied for and the headroom suffices; the answer to a bank shows no figure. A failure
would be an approval of anything else, a figure in a refusal, or a document that is not found. Not a failure: that a restored
wallet asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from parties.bank.commit import commit
from parties.bank.desk import Desk as BankDesk
from parties.bank.draft import Terms as DraftTerms
from parties.bank.draft import draft_file, make_drafts, prepare_draft
from parties.common.errors import InputError, Refused, ServiceMisbehaved
from parties.common.home import Home
from parties.common.keyring import load_viewer
from parties.common.ledger_view import request_view
from parties.common.memos import memo_for
from parties.common.money import Money
from parties.common.sealed_files import read_sealed
from parties.customs.enrol import Enterprise, enterprise_file
from parties.enterprise.apply import AskedLine, Terms, load_application, make_application, parse_share, store_application
from parties.enterprise.approve import Decision, decide
from parties.enterprise.seed import create_wallet, entropy_of, new_words
from parties.enterprise.wallet import WALLET_FILE, Desk, Wallet, discover, open_notice, view_document
from schemas.answers import OwnerNotice
from schemas.canonical import canonical
from schemas.domain.conversion import Rate
from schemas.domain.errors import DomainError
from schemas.identities import Identity
from schemas.sealed import Application, DraftFile, DraftLine, OwnerRegisterMemo
from tests.parties.scene import HOLDER, NOW, ORIGIN, Scene
from zkcore import engine
from zkcore.group import encode_scalar
from zkcore.randomness import SeededRandomness
from zkcore.secret.keys import document_id

A, B, YEN = "310420260083605699", "310420260091484937", "425820260051682861"
WORDS = " ".join(["abandon"] * 23 + ["art"])


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene with three documents, to be copied: A with USD 1,000,000.00, B with USD 48,200.00, YEN with JPY 18,500,000."""
    directory = tmp_path_factory.mktemp("played")
    scene = Scene(directory)
    scene.register((A, "USD 1000000.00"), (B, "USD 48200.00"), (YEN, "JPY 18500000"))
    scene.bank("A")
    scene.bank("B")
    scene.close()
    return directory


@pytest.fixture
def scene(played: Path, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(played).copy(tmp_path)
    yield scene
    scene.close()


# --- words ----------------------------------------------------------------------------------------------------------------


def test_words_are_bip_39() -> None:
    """The test vector of BIP-39 for 32 zero bytes, and the way back from fresh words."""
    assert entropy_of(WORDS) == bytes(32)
    fresh = new_words(SeededRandomness(b"words"))
    assert len(fresh.split()) == 24
    assert entropy_of(f"  {fresh.upper()}\n") == entropy_of(fresh) == SeededRandomness(b"words").read(32)


@pytest.mark.parametrize(
    "words,says",
    [
        ("", "here are 0"),
        ("abandon art", "here are 2"),
        (WORDS.replace("art", "artt"), "24; compare"),
        ("xx " + WORDS.removeprefix("abandon "), "1; compare"),
        (WORDS.replace("art", "able"), "do not fit together"),
    ],
)
def test_wrong_words_are_pointed_at_and_never_quoted(words: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        entropy_of(words)
    assert "artt" not in str(caught.value)
    assert "abandon" not in str(caught.value)


def test_the_same_words_give_the_same_keys(tmp_path: Path) -> None:
    suite = engine.load()
    made = [
        create_wallet(
            Home.create(tmp_path / name),
            suite,
            origin=ORIGIN,
            holder=HOLDER.lower(),
            name="N",
            words=WORDS,
            randomness=SeededRandomness(name.encode()),
        )
        for name in ("one", "two")
    ]
    assert made[0].secret == made[1].secret
    assert made[0].identity.seal_key == made[1].identity.seal_key
    assert made[0].identity.holder == HOLDER
    assert load_viewer(Home(tmp_path / "two"), suite, "enterprise").secret == made[0].secret


def test_a_mistyped_credit_code_is_refused(tmp_path: Path) -> None:
    home = Home.create(tmp_path)
    with pytest.raises(DomainError, match="check character"):
        create_wallet(
            home,
            engine.load(),
            origin=ORIGIN,
            holder=HOLDER[:-1] + "7",
            name="N",
            words=WORDS,
            randomness=SeededRandomness(b""),
        )
    assert list(tmp_path.iterdir()) == []


# --- finding documents ----------------------------------------------------------------------------------------------------


def numbers(wallet: Wallet) -> list[str]:
    return [document.credential.number for document in wallet.documents]


def test_documents_are_found_and_remembered(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    notice = scene.client.notice

    def noted(document: bytes) -> OwnerNotice:
        asked.append(document)
        return notice(document)

    monkeypatch.setattr(scene.client, "notice", noted)
    desk = scene.owner()
    assert numbers(discover(desk)) == [A, B, YEN]
    assert len(asked) == 3 + 20
    asked.clear()
    assert numbers(discover(desk)) == [A, B, YEN]
    assert len(asked) == 20
    scene.register(("310420260000000017", "USD 1"))
    assert numbers(discover(desk)) == [A, B, YEN, "310420260000000017"]


@pytest.mark.parametrize("gap,found", [(19, True), (20, False)])
def test_the_gap_limit(scene: Scene, gap: int, found: bool) -> None:
    customs = scene.home("customs")
    enterprise = customs.load(enterprise_file(HOLDER), Enterprise)
    customs.save(enterprise_file(HOLDER), enterprise.model_copy(update={"next": 3 + gap}))
    scene.register(("310420260000000017", "USD 1"))
    assert ("310420260000000017" in numbers(discover(scene.owner()))) is found


def test_a_lost_wallet_finds_everything_again(scene: Scene) -> None:
    scene.lend(scene.bank("A"), [f"{A}=USD 600000.00"])
    before = discover(scene.owner())
    scene.home("exporter").remove(WALLET_FILE)
    again = discover(scene.owner())
    assert [item.credential for item in again.documents] == [item.credential for item in before.documents]
    opened = view_document(scene.owner(), again.documents[0])[1]
    assert (opened.headroom, opened.drawn, opened.alerts) == (400_000_00, 600_000_00, ())
    assert opened.draws[0].memo is not None
    assert opened.draws[0].memo.bank == "bank-a"


@pytest.mark.parametrize("change", ["garbage", "blinding", "holder", "signature", "currency", "owner", "another document"])
def test_what_is_left_for_us_is_checked(scene: Scene, change: str) -> None:
    """Each change is one that an operator who serves notices could make, or an attester who leaves them."""
    desk = scene.owner()
    attester = desk.log.genesis.attesters[0]
    mailbox = desk.viewer.seal.shared(attester.seal_key)
    notice = scene.client.notice(document_id(mailbox, 0))
    memo, document = open_notice(desk, attester, notice)
    assert document.credential.number == A
    other = scene.client.notice(document_id(mailbox, 1))
    changed = {
        "garbage": notice.model_copy(update={"memo": bytes(len(notice.memo))}),
        "blinding": _resealed(desk, notice, memo.model_copy(update={"key_blinding": encode_scalar(desk.suite.group, 5)})),
        "holder": _said(desk, notice, memo, holder="91320581MA1P3K7L9H"),
        "signature": _said(desk, notice, memo, limit=10**12),
        "currency": notice.model_copy(update={"currency": "EUR"}),
        "owner": notice.model_copy(update={"owner": other.owner}),
        "another document": notice.model_copy(update={"memo": other.memo}),
    }
    with pytest.raises(Refused) as caught:
        open_notice(desk, attester, changed[change])
    assert caught.value.code in ("document-doubtful", "credential-invalid")


def _resealed(desk: Desk, notice: Any, memo: OwnerRegisterMemo) -> Any:
    return notice.model_copy(update={"memo": memo_for(desk.viewer.seal.public, memo)})


def _said(desk: Desk, notice: Any, memo: OwnerRegisterMemo, **change: Any) -> Any:
    credential = memo.credential.model_copy(update=change)
    return _resealed(desk, notice, memo.model_copy(update={"credential": credential}))


def test_one_bad_notice_does_not_hide_the_others(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, notice = scene.owner(), scene.client.notice
    bad = document_id(desk.viewer.seal.shared(desk.log.genesis.attesters[0].seal_key), 1)

    def served(document: bytes) -> Any:
        answer = notice(document)
        return answer.model_copy(update={"memo": bytes(len(answer.memo))}) if document == bad else answer

    monkeypatch.setattr(scene.client, "notice", served)
    wallet = discover(desk)
    assert numbers(wallet) == [A, YEN]
    assert [(doubt.attester, doubt.index) for doubt in wallet.doubts] == [("customs", 1)]


def test_a_service_that_tells_another_state_is_found_out(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = scene.owner()
    first, second, _ = discover(desk).documents
    other = request_view(
        desk.client, desk.suite, desk.log, second.facts, desk.reader(second), now=NOW, randomness=desk.randomness
    )
    monkeypatch.setattr(scene.client, "view", lambda message: other)
    with pytest.raises((ServiceMisbehaved, Refused)):
        view_document(desk, first)


# --- applying -------------------------------------------------------------------------------------------------------------


def bank_identity(desk: BankDesk) -> Identity:
    return desk.signer.identity


def apply(scene: Scene, *lines: str, bank: str = "A", **terms: Any) -> Application:
    desk = scene.owner()
    identity = bank_identity(scene.bank(bank))
    wanted = Terms(bank=identity, lines=tuple(AskedLine.parse(line) for line in lines), **terms)
    application = make_application(desk, discover(desk), wanted)
    store_application(desk, identity, application)
    return application


def amounts(application: Application) -> list[int]:
    return [line.amount for line in application.lines]


def test_an_application_says_what_was_meant(scene: Scene) -> None:
    application = apply(scene, f"{A}=USD 600000.00", days=3, purpose="steel")
    assert (amounts(application), application.bank, application.applicant) == ([600_000_00], "bank-a", HOLDER)
    assert (application.expires, application.loan, application.purpose) == (NOW + 3 * 86_400, None, "steel")
    assert application.lines[0].consent is None
    record = load_application(scene.owner(), application.financing)
    assert record is not None
    assert record.application == application


def test_a_share_of_every_limit(scene: Scene) -> None:
    assert amounts(apply(scene, A, B, share=Fraction(80))) == [800_000_00, 38_560_00]
    assert amounts(apply(scene, B, share=Fraction("33.33"))) == [16_065_06]
    assert amounts(apply(scene, f"{A}=USD 5", B, share=Fraction(50))) == [5_00, 24_100_00]


def test_a_loan_in_another_currency_is_rounded_up(scene: Scene) -> None:
    loan, rate = Money.parse("CNY 800000.00"), Rate.parse("100 JPY = 4.80 CNY")
    application = apply(scene, YEN, loan=loan, rate=rate)
    assert amounts(application) == [16_666_667]
    assert application.loan is not None
    assert (application.loan.amount, application.loan.currency, application.loan.rate) == (
        800_000_00,
        "CNY",
        "100 JPY = 4.80 CNY",
    )
    assert amounts(apply(scene, f"{YEN}=JPY 16666667", loan=loan, rate=rate)) == [16_666_667]


def test_the_line_left_open_gets_what_the_loan_leaves(scene: Scene) -> None:
    loan, rate = Money.parse("CNY 700000.00"), Rate.parse("1 USD = 7.00 CNY")
    assert amounts(apply(scene, f"{B}=USD 48200", A, loan=loan, rate=rate)) == [48_200_00, 51_800_00]


CNY, RATE = Money.parse("CNY 800000.00"), Rate.parse("100 JPY = 4.80 CNY")


@pytest.mark.parametrize(
    "lines,terms,code",
    [
        (["310420260000000099=USD 1"], {}, "no-such-document"),
        ([A], {}, "amount-missing"),
        ([f"{A}=USD 1000000.01"], {}, "over-limit"),
        ([f"{A}=USD 1", f"{A}=USD 2"], {}, "repeated"),
        ([f"{A}=EUR 1"], {}, "which-currency"),
        ([f"{A}/USD=JPY 1"], {}, "another-currency"),
        ([f"{A}/EUR"], {"share": Fraction(5)}, "which-currency"),
        ([YEN], {"loan": CNY}, "loan"),
        ([f"{YEN}=JPY 16666666"], {"loan": CNY, "rate": RATE}, "loan"),
        ([YEN, A], {"loan": CNY, "rate": RATE}, "loan"),
        ([YEN], {"loan": Money.parse("CNY 900000.00"), "rate": RATE}, "over-limit"),
        ([YEN], {"loan": CNY, "rate": Rate.parse("1 USD = 7 CNY")}, "rate"),
        ([f"{A}=USD 1"], {"days": 0}, "terms"),
        ([f"{A}=USD 1"], {"days": 400}, "terms"),
        ([], {}, "terms"),
        ([f"{A}=USD 1"], {"purpose": "x" * 201}, "purpose"),
    ],
)
def test_applications_that_cannot_be_meant(scene: Scene, lines: list[str], terms: dict[str, Any], code: str) -> None:
    with pytest.raises((InputError, DomainError)) as caught:
        apply(scene, *lines, **terms)
    assert getattr(caught.value, "code", "") == code
    assert scene.home("exporter").names("applications") == []


@pytest.mark.parametrize(
    "line", ["", "=USD 1", f"{A} USD 1", f"{A}=", f"{A}/", "2.3E+17=USD 1", f"{YEN}=JPY 100.5", f"{A}=999 1"]
)
def test_lines_that_are_none(line: str) -> None:
    with pytest.raises((InputError, DomainError)):
        AskedLine.parse(line)


@pytest.mark.parametrize("text", ["", "0", "101", "eighty", "-5", "80%", "1e1", "٨٠"])
def test_shares_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="write it like 80"):
        parse_share(text)


def test_an_application_needs_the_identity_of_a_bank(scene: Scene) -> None:
    desk = scene.owner()
    wallet = discover(desk)
    good = bank_identity(scene.bank("A"))
    line = (AskedLine.parse(f"{A}=USD 1"),)
    for changed in ({"role": "attester"}, {"origin": "another.example/log"}):
        with pytest.raises(InputError, match="--bank"):
            make_application(desk, wallet, Terms(good.model_copy(update=changed), line))
    with pytest.raises(Refused, match="does not prove"):
        make_application(desk, wallet, Terms(good.model_copy(update={"holder": "another"}), line))


# --- approving ------------------------------------------------------------------------------------------------------------


def drafted(scene: Scene, *lines: str, bank: str = "A", terms: DraftTerms | None = None, redo: bool = False) -> DraftFile:
    desk = scene.bank(bank)
    path = scene.apply(desk, lines)
    record = prepare_draft(desk, scene.check(desk, path), terms or DraftTerms(), redo=redo)
    return draft_file(desk, record)


def answer(scene: Scene, file: DraftFile, *accepted: str) -> Decision:
    desk = scene.owner()
    return decide(desk, discover(desk), file, [Money.parse(text) for text in accepted])


def test_a_draft_is_approved_and_commits(scene: Scene) -> None:
    decision = answer(scene, drafted(scene, f"{A}=USD 600000.00"))
    assert decision.refusal is None
    assert [(item.before, item.after) for item in decision.lines] == [(1_000_000_00, 400_000_00)]
    assert commit(scene.bank("A"), decision.approval).committed


def test_less_may_be_granted(scene: Scene) -> None:
    file = drafted(scene, f"{A}=USD 600000.00", terms=DraftTerms(granted=Money.parse("USD 500000.00")))
    assert answer(scene, file).lines[0].after == 500_000_00


def test_exactly_everything_and_one_cent_more(scene: Scene) -> None:
    scene.lend(scene.bank("A"), [f"{A}=USD 950000.00"])
    short = answer(scene, drafted(scene, f"{A}=USD 50000.01", bank="B"))
    assert short.approval.refused == "cannot-be-proven"
    assert short.refusal is not None
    assert "USD 50,000.00 left" in short.refusal.message_en
    assert "USD 0.01 is missing" in short.refusal.message_en
    for figure in (b"50000", b"50,000", b"5000000", b"5000001"):
        assert figure not in canonical(short.approval)
    assert short.approval.lines == []
    exact = answer(scene, drafted(scene, f"{A}=USD 50000.00", bank="B"))
    assert (exact.refusal, exact.lines[0].after) == (None, 0)


def test_one_line_too_many_refuses_the_whole(scene: Scene) -> None:
    scene.lend(scene.bank("A"), [f"{B}=USD 10000.00"])
    decision = answer(scene, drafted(scene, f"{A}=USD 1", f"{B}=USD 48000", bank="B"))
    assert (decision.approval.refused, decision.approval.lines) == ("cannot-be-proven", [])
    assert [item.after < 0 for item in decision.lines] == [False, True]


def changed_line(file: DraftFile, **change: Any) -> DraftFile:
    line = file.lines[0]
    return file.model_copy(update={"lines": [line.model_copy(update=change)]})


def changed_draft(file: DraftFile, **change: Any) -> DraftFile:
    return changed_line(file, draft=file.lines[0].draft.model_copy(update=change))


@pytest.mark.parametrize(
    "change", ["bank", "reply_to", "opening", "proof", "expires", "draw", "document", "memo", "key", "repeated"]
)
def test_a_draft_that_is_not_what_was_applied_for(scene: Scene, change: str) -> None:
    file = drafted(scene, f"{A}=USD 600000.00")
    other = drafted(scene, f"{B}=USD 1.00", bank="B")
    line = file.lines[0]
    opening = line.opening.model_copy(update={"amount": 1})
    files = {
        "bank": file.model_copy(update={"bank": "bank-b"}),
        "reply_to": file.model_copy(update={"reply_to": other.reply_to}),
        "opening": changed_line(file, opening=opening),
        "proof": changed_draft(file, proof=bytes(len(line.draft.proof))),
        "expires": changed_draft(file, expires=line.draft.expires + 1),
        "draw": changed_draft(file, draw=b"d" * 32),
        "document": changed_draft(file, document=b"d" * 32),
        "memo": changed_draft(file, memos=other.lines[0].draft.memos),
        "key": file.model_copy(update={"lines": other.lines, "bank": file.bank}),
        "repeated": file.model_copy(update={"lines": [line, line]}),
    }
    decision = answer(scene, files[change])
    assert decision.approval.refused == "not-applied-for"
    assert decision.approval.lines == []
    assert decision.refusal is not None


def dishonest(scene: Scene, bank: str, *lines: str, **change: Any) -> DraftFile:
    """A draft that a bank makes of an application that it changed after it had checked it."""
    desk = scene.bank(bank)
    checked = scene.check(desk, scene.apply(desk, lines))
    application = checked.application
    changed_lines = [line.model_copy(update={k: v for k, v in change.items() if k == "amount"}) for line in application.lines]
    fields = {k: v for k, v in change.items() if k != "amount"}
    changed = application.model_copy(update={"lines": changed_lines, **fields})
    items = tuple(replace(item, line=line) for item, line in zip(checked.lines, changed_lines, strict=True))
    return draft_file(desk, prepare_draft(desk, replace(checked, application=changed, lines=items), DraftTerms()))


def test_a_bank_that_takes_more_than_was_asked(scene: Scene) -> None:
    decision = answer(scene, dishonest(scene, "A", f"{A}=USD 10.00", amount=10_01))
    assert decision.approval.refused == "not-applied-for"
    assert decision.refusal is not None
    assert "you applied for USD 10.00" in decision.refusal.message_en


def test_a_bank_that_takes_longer_than_was_given(scene: Scene) -> None:
    desk = scene.bank("A")
    record = prepare_draft(desk, scene.check(desk, scene.apply(desk, [f"{A}=USD 10.00"])), DraftTerms())
    longer = make_drafts(desk, record.model_copy(update={"expires": NOW + 30 * 86_400}), DraftTerms())
    decision = answer(scene, draft_file(desk, longer))
    assert decision.approval.refused == "not-applied-for"


def test_drafts_on_one_application_cannot_add_up(scene: Scene) -> None:
    desk = scene.bank("A")
    path = scene.apply(desk, [f"{A}=USD 100.00"])
    checked = scene.check(desk, path)
    first = draft_file(desk, prepare_draft(desk, checked, DraftTerms()))
    second = draft_file(desk, prepare_draft(desk, checked, DraftTerms(granted=Money.parse("USD 0.01")), redo=True))
    third = draft_file(desk, prepare_draft(desk, checked, DraftTerms(), redo=True))
    assert answer(scene, first).refusal is None
    assert commit(desk, answer(scene, third).approval).committed
    decision = answer(scene, second)
    assert decision.approval.refused == "not-applied-for"
    assert decision.refusal is not None
    assert "USD 100.00 is drawn already" in decision.refusal.message_en


def test_an_expired_draft(scene: Scene) -> None:
    file = drafted(scene, f"{A}=USD 1.00")
    scene.now += 8 * 86_400
    assert answer(scene, file).approval.refused == "expired"


def test_a_draft_on_another_line_is_not_applied_for(scene: Scene) -> None:
    first = drafted(scene, f"{A}=USD 1.00")
    second = drafted(scene, f"{B}=USD 1.00", bank="B")
    crossed = first.model_copy(update={"lines": [*first.lines, *second.lines]})
    assert answer(scene, crossed).approval.refused == "not-applied-for"


def test_a_consented_draft_is_the_regulators_to_answer(scene: Scene) -> None:
    desk = scene.bank("A")
    record = prepare_draft(desk, scene.check(desk, scene.apply(desk, [f"{A}=USD 1.00"], consent=True)), DraftTerms())
    with pytest.raises(InputError, match="regulator answers"):
        answer(scene, draft_file(desk, record))


def test_a_restored_wallet_asks_what_is_accepted(scene: Scene) -> None:
    file = drafted(scene, f"{A}=USD 600000.00", f"{B}=USD 5.00", terms=DraftTerms(reference="R-7"))
    exporter = scene.home("exporter")
    for name in [*exporter.names("applications"), WALLET_FILE]:
        exporter.remove(name)
    for accepted in ([], ["USD 600000.00"], ["USD 600000.00", "USD 5.01"], ["USD 600000.00", "USD 5", "USD 5"]):
        with pytest.raises(InputError, match="R-7") as caught:
            answer(scene, file, *accepted)
        assert '--accept "USD 600,000.00" --accept "USD 5.00"' in str(caught.value)
    decision = answer(scene, file, "USD 5.00", "USD 600,000.00")
    assert decision.refusal is None
    assert commit(scene.bank("A"), decision.approval).committed


def test_a_race_is_lost_and_cannot_be_mended(scene: Scene) -> None:
    first, second = drafted(scene, f"{B}=USD 40000", bank="A"), drafted(scene, f"{B}=USD 40000", bank="B")
    approvals = answer(scene, first).approval, answer(scene, second).approval
    assert commit(scene.bank("A"), approvals[0]).committed
    with pytest.raises(Refused) as caught:
        commit(scene.bank("B"), approvals[1])
    assert caught.value.code == "headroom-not-proven"
    assert answer(scene, second).approval.refused == "cannot-be-proven"


def test_nothing_of_a_decision_prints(scene: Scene) -> None:
    decision = answer(scene, drafted(scene, f"{A}=USD 600000.00"))
    shown = repr(decision) + repr(decision.lines[0]) + repr(decision.lines[0].line) + repr(decision.approval)
    assert "60000000" not in shown
    assert A not in shown


def test_drafts_travel_sealed(scene: Scene, tmp_path: Path) -> None:
    _, path = scene.draft(scene.bank("A"), scene.apply(scene.bank("A"), [f"{A}=USD 1.00"]))
    line: DraftLine = read_sealed(path, DraftFile, scene.exporter.seal).lines[0]
    assert line.opening.amount == 100
    with pytest.raises(InputError, match="sealed for another"):
        read_sealed(path, DraftFile, scene.regulator.seal)
