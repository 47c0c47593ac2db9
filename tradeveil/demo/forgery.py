"""Forging programs: what a dishonest party could send at most, so that the service can be seen to refuse it.

Nothing here is used to make a true operation. Each function breaks exactly one thing and makes everything else as well as its
party can, so that a refusal is for that one thing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from parties.bank.application import read_application
from parties.bank.cli import open_desk as open_bank
from parties.bank.desk import Desk as BankDesk
from parties.common import runtime
from parties.common.credentials import credential_facts
from parties.common.home import Home
from parties.common.keyring import load_viewer
from parties.common.ledger_view import document_state, open_view, request_view
from parties.common.sealed_files import read_sealed, write_sealed
from parties.enterprise.cli import open_desk as open_wallet
from parties.enterprise.wallet import Desk as WalletDesk
from parties.enterprise.wallet import discover, view_document
from parties.regulator.bureau import Bureau
from schemas.canonical import canonical
from schemas.messages import DraftMessage, DrawMessage, FinancingRequest, HeadroomMessage
from schemas.sealed import ApplicationLine, ApprovalFile, DraftFile, DraftLine
from zkcore import ledger, statements
from zkcore.context import ID_SIZE
from zkcore.group import decode_scalar
from zkcore.ledger import DocumentFacts, DocumentState, Parameters
from zkcore.operations import MEMO_SIZE, OWNER, REGULATOR, Consent, Draft, Draw, Headroom, Memos
from zkcore.randomness import Randomness, random_nonzero_scalar
from zkcore.secret.keys import SigningSecret
from zkcore.secret.opening import Opening, fresh_opening
from zkcore.secret.operations import handled_commitment, prove_draft, prove_headroom
from zkcore.secret.range_proof import prove_range
from zkcore.secret.sigma import prove_batchable
from zkcore.suite import Suite

# --- a dishonest wallet ---------------------------------------------------------------------------------------------------


def approve_beyond_headroom(home: Path, service: str, draft: Path, approval: Path) -> None:
    """A wallet that approves whatever it is asked: where the headroom does not suffice, it proves it for a balance that it
    invents, which is the most that the owner's key can do. Writes the approval for the bank."""
    desk = open_wallet(home, service)
    file = read_sealed(draft, DraftFile, desk.viewer.seal)
    lines = [_approve_line(desk, line) for line in file.lines]
    write_sealed(approval, ApprovalFile(financing=file.financing, refused=None, lines=lines), file.reply_to)


def _approve_line(desk: WalletDesk, line: DraftLine) -> HeadroomMessage:
    suite = desk.suite
    document = discover(desk).find(line.draft.document)
    if document is None:
        raise ValueError("the draft is not on a document of this wallet")
    view, opened = view_document(desk, document)
    state = document_state(suite, view)
    opening = Opening(line.opening.amount, decode_scalar(suite.group, line.opening.blinding))
    left = (opened.headroom or 0) - opening.amount
    if left < 0:
        state, left = _enriched(suite, desk.log.parameters, state, -left, desk.randomness), 0
    headroom = prove_headroom(
        suite,
        desk.log.parameters,
        state,
        line.draft.decode(suite.group),
        prover=OWNER,
        secret=document.secret,
        opening=opening,
        left=left,
        randomness=desk.randomness,
    )
    return HeadroomMessage.of(headroom)


def _enriched(suite: Suite, parameters: Parameters, state: DocumentState, amount: int, randomness: Randomness) -> DocumentState:
    """The document as it would be with this much more headroom (minor units). It is not what the service holds."""
    gift = handled_commitment(suite, fresh_opening(suite, amount, randomness), state.owner, parameters.regulator)
    return replace(state, residual=state.residual + gift)


# --- misuse of a consent --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Conspiracy:
    """A bank that has got hold of an application with a consent, and a regulator's prover that checks nothing.

    line: the application's line with the consent in it, as the owner gave it to its bank
    bank: the bank that drafts; expires: until when the owner consented, unix seconds
    """

    bank: BankDesk
    regulator: Bureau
    line: ApplicationLine
    expires: int

    def _consent(self) -> tuple[Consent, Opening]:
        if self.line.consent is None:
            raise ValueError("this application has no consent")
        suite = self.bank.suite
        blinding = decode_scalar(suite.group, self.line.consent.blinding)
        return self.line.consent.consent.decode(suite.group), Opening(self.line.amount, blinding)

    def _facts(self) -> DocumentFacts:
        return credential_facts(self.bank.suite, self.line.credential)

    def _key(self) -> SigningSecret:
        return self.bank.draw_key(self.line.key_shift)

    def as_agreed(self) -> bytes:
        """Nothing is false: what the owner consented to. With another bank's desk, the wrong bank."""
        consent, asked = self._consent()
        return self._request(self._facts(), asked.amount, consent, asked)

    def another_amount(self, amount: int) -> bytes:
        """The commitment to the agreed amount is exchanged for one to another amount (minor units)."""
        consent, _ = self._consent()
        asked = fresh_opening(self.bank.suite, amount, self.bank.randomness)
        return self._request(self._facts(), amount, replace(consent, asked=asked.commit(self.bank.suite)), asked)

    def another_document(self, facts: DocumentFacts) -> bytes:
        """The consent is used on another document of the same owner."""
        consent, asked = self._consent()
        return self._request(facts, asked.amount, consent, asked)

    def no_consent(self) -> bytes:
        """The regulator's prover is used, and the owner never consented."""
        return self._request(self._facts(), self.line.amount, None, None)

    def _request(self, facts: DocumentFacts, amount: int, consent: Consent | None, asked: Opening | None) -> bytes:
        desk = self.bank
        opening = fresh_opening(desk.suite, amount, desk.randomness)
        draft = prove_draft(
            desk.suite,
            desk.log.parameters,
            facts,
            draw=desk.randomness.read(ID_SIZE),
            key=self._key(),
            opening=opening,
            expires=self.expires,
            memos=Memos(desk.randomness.read(MEMO_SIZE), desk.randomness.read(MEMO_SIZE)),
            consent=consent,
            asked=asked,
            randomness=desk.randomness,
        )
        return financing_bytes([Draw(draft, _prove_unchecked(self.regulator, facts, draft, opening))])


def open_conspiracy(
    bank_home: Path, owner_bank_home: Path, regulator_home: Path, service: str, application: Path
) -> Conspiracy:
    """The bank of `bank_home` has the application that the bank of `owner_bank_home` was given; they may be the same."""
    suite = runtime.suite()
    opened = read_application(application, open_bank(owner_bank_home, service).signer)
    viewer = load_viewer(Home(regulator_home), suite, "regulator")
    bureau = Bureau(suite, viewer, runtime.connect(service), runtime.randomness(), runtime.now())
    return Conspiracy(open_bank(bank_home, service), bureau, opened.lines[0], opened.expires)


def facts_of(home: Path, service: str, number: str) -> DocumentFacts:
    """What a cheating owner tells of another document of its own."""
    return discover(open_wallet(home, service)).of_number(number)[0].facts


def _prove_unchecked(bureau: Bureau, facts: DocumentFacts, draft: Draft, opening: Opening) -> Headroom:
    """The regulator's headroom proof as prove_headroom makes it, without a look at the draft's own proofs and consent."""
    suite, parameters, randomness = bureau.suite, bureau.log.parameters, bureau.randomness
    view = request_view(bureau.client, suite, bureau.log, facts, bureau.reader, now=bureau.now, randomness=randomness)
    state, opened = document_state(suite, view), open_view(suite, parameters, view, bureau.reader)
    left = (opened.headroom or 0) - opening.amount
    blinding = random_nonzero_scalar(randomness, suite.group)
    remaining = Opening(left, blinding).commit(suite)
    sigma, bound = statements.HEADROOM_BY_REGULATOR, statements.HEADROOM_RANGE
    instance = sigma.instance(suite, ledger.headroom_elements(parameters, state, draft, REGULATOR, remaining))
    tag = ledger.headroom_context(parameters, state, draft, sigma.name).tag(suite)
    witness = sigma.witness(s=bureau.viewer.secret.scalar, m=left, b=blinding)
    proof = prove_batchable(tag, instance, witness, randomness)
    session_id = ledger.headroom_context(parameters, state, draft, bound.name).session_id(suite)
    ranges = [(opening.amount - 1, opening.blinding), (left, blinding)]
    return Headroom(REGULATOR, remaining, proof, prove_range(suite, session_id, ranges, bound.bits, randomness))


def financing_bytes(draws: list[Draw]) -> bytes:
    """The body of a request that commits these draws."""
    lines = [DrawMessage(draft=DraftMessage.of(draw.draft), headroom=HeadroomMessage.of(draw.headroom)) for draw in draws]
    return canonical(FinancingRequest(lines=lines))
