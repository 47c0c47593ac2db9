"""Making operations: every proof that a party produces, each beside the statement it satisfies.

The order in which randomness is drawn is part of the test vectors: the sigma proof first, then the range proof.
Provers check what they are given before they answer (a draft's proof, its memo against its commitment), and raise WitnessError
instead of producing a proof that cannot verify.

SPEC.md: statements in section 5, sigma proofs in section 6, range proofs in section 7, what provers must check before they
answer in section 14, "Key holders who answer". Amounts are minor units, ids 32 bytes, times unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zkcore import ledger, statements
from zkcore.amounts import MAXIMUM, Amount, Limit
from zkcore.commitments import HandledCommitment
from zkcore.context import Context
from zkcore.errors import WitnessError
from zkcore.group import Element
from zkcore.ledger import ApplicationState, AttestedFacts, DocumentFacts, DocumentState, DrawState, Parameters
from zkcore.operations import (
    OWNER,
    Amend,
    Apply,
    ChangeStatus,
    Close,
    Consent,
    Decide,
    Disburse,
    Draft,
    Headroom,
    Memos,
    Overdrawn,
    Reduce,
    Register,
    View,
    application_payload,
    consent_payload,
)
from zkcore.randomness import Randomness, random_nonzero_scalar
from zkcore.secret.keys import SigningSecret, ViewSecret
from zkcore.secret.opening import Opening, check_amount, check_opening
from zkcore.secret.range_proof import prove_range
from zkcore.secret.sigma import prove_batchable
from zkcore.statements import RangeStatement, Statement
from zkcore.suite import Suite
from zkcore.verifying.batch import verify

_UNPROVEN = b""


def handled_commitment(suite: Suite, opening: Opening, owner: Element, regulator: Element) -> HandledCommitment:
    """C = a*G + r*H with the handles r*P of both readers: 99 bytes encoded (SPEC.md, sections 2 and 5)."""
    scalars = [opening.amount, *[opening.blinding] * 3]
    amount, blinding, *handles = suite.group.products(scalars, [suite.G, suite.H, owner, regulator])
    return HandledCommitment(amount + blinding, *handles)


def _prove(
    suite: Suite,
    statement: Statement,
    context: Context,
    elements: dict[str, Element],
    witness: dict[str, int],
    randomness: Randomness,
) -> bytes:
    statement.check_context(context)
    instance = statement.instance(suite, elements)
    return prove_batchable(context.tag(suite), instance, statement.witness(**witness), randomness)


def _prove_range(
    suite: Suite, statement: RangeStatement, context: Context, openings: Sequence[tuple[int, int]], randomness: Randomness
) -> bytes:
    statement.check_context(context)
    return prove_range(suite, context.session_id(suite), openings, statement.bits, randomness)


def prove_register(
    suite: Suite,
    parameters: Parameters,
    *,
    document: bytes,
    kind: str,
    counter: str,
    status: str,
    currency: str,
    owner: Element,
    attester: SigningSecret,
    opening: Opening,
    memos: Memos,
    randomness: Randomness,
) -> Register:
    """The attester's registration of a document whose limit is opening.amount. Raises AmountError outside 1 … 2**48 - 1."""
    limit = Limit(opening.amount).minor_units
    committed = handled_commitment(suite, opening, owner, parameters.regulator)
    unproven = Register(
        document,
        kind,
        counter,
        status,
        currency,
        parameters.epoch,
        attester.public(suite),
        owner,
        committed,
        memos,
        _UNPROVEN,
        _UNPROVEN,
    )
    sigma, bound = statements.REGISTER, statements.REGISTER_RANGE
    proof = _prove(
        suite,
        sigma,
        ledger.register_context(parameters, unproven, sigma.name),
        ledger.limit_elements(parameters, owner, unproven.attester, committed),
        {"v": limit, "r": opening.blinding, "alpha": attester.scalar},
        randomness,
    )
    context = ledger.register_context(parameters, unproven, bound.name)
    range_proof = _prove_range(suite, bound, context, _limit_openings(suite, opening), randomness)
    return replace(unproven, proof=proof, range_proof=range_proof)


def _limit_openings(suite: Suite, limit: Opening) -> list[tuple[int, int]]:
    """The openings of `register-range` and `amend-range`."""
    return [(limit.amount - 1, limit.blinding), (MAXIMUM - limit.amount, -limit.blinding % suite.group.order)]


def prove_status(
    suite: Suite,
    parameters: Parameters,
    document: AttestedFacts,
    *,
    attester: SigningSecret,
    status: str,
    replacement: bytes,
    memos: Memos,
    randomness: Randomness,
) -> ChangeStatus:
    """The attester's word on what became of a document (`document-status`, a proof of 65 bytes).

    document: with the revision that the word is for; replacement: ABSENT but for a deleted document that has one
    """
    unproven = ChangeStatus(document.document, attester.public(suite), status, replacement, memos, _UNPROVEN)
    statement = statements.DOCUMENT_STATUS
    context = ledger.revision_context(parameters, document, statement.name, unproven.payload())
    elements, witness = {"A": unproven.attester}, {"alpha": attester.scalar}
    return replace(unproven, proof=_prove(suite, statement, context, elements, witness, randomness))


def prove_amend(
    suite: Suite,
    parameters: Parameters,
    document: AttestedFacts,
    *,
    attester: SigningSecret,
    opening: Opening,
    reason: str,
    memos: Memos,
    randomness: Randomness,
) -> Amend:
    """The attester's new limit of a document, opening.amount (`amend`, `amend-range`), for the revision it has.

    Raises AmountError outside 1 … 2**48 - 1.
    """
    limit = Limit(opening.amount).minor_units
    committed = handled_commitment(suite, opening, document.owner, parameters.regulator)
    unproven = Amend(document.document, attester.public(suite), reason, committed, memos, _UNPROVEN, _UNPROVEN)
    sigma, bound = statements.AMEND, statements.AMEND_RANGE
    proof = _prove(
        suite,
        sigma,
        ledger.revision_context(parameters, document, sigma.name, unproven.payload()),
        ledger.limit_elements(parameters, document.owner, unproven.attester, committed),
        {"v": limit, "r": opening.blinding, "alpha": attester.scalar},
        randomness,
    )
    context = ledger.revision_context(parameters, document, bound.name, unproven.payload())
    range_proof = _prove_range(suite, bound, context, _limit_openings(suite, opening), randomness)
    return replace(unproven, proof=proof, range_proof=range_proof)


def prove_overdrawn(
    suite: Suite,
    parameters: Parameters,
    document: DocumentState,
    *,
    secret: ViewSecret,
    over: int,
    randomness: Randomness,
) -> Overdrawn:
    """The regulator's proof that `over` minor units more are drawn on a document than its limit.

    Statements: `overdrawn`, `overdrawn-range`. It commits to the figure and does not tell it. secret: the regulator's view key.

    Raises WitnessError when the document is not overdrawn, OpeningError when the figure is wrong.
    """
    if not 1 <= over <= MAXIMUM:
        raise WitnessError("the document is not overdrawn")
    check_amount(suite, secret, -document.residual.commitment, -document.residual.regulator, over)
    blinding = random_nonzero_scalar(randomness, suite.group)
    unproven = Overdrawn(document.document, Opening(over, blinding).commit(suite), _UNPROVEN, _UNPROVEN)
    sigma, bound = statements.OVERDRAWN, statements.OVERDRAWN_RANGE
    proof = _prove(
        suite,
        sigma,
        ledger.overdrawn_context(parameters, document, unproven, sigma.name),
        ledger.overdrawn_elements(parameters, document, unproven.over),
        {"s": secret.scalar, "m": over, "b": blinding},
        randomness,
    )
    context = ledger.overdrawn_context(parameters, document, unproven, bound.name)
    range_proof = _prove_range(suite, bound, context, [(over - 1, blinding)], randomness)
    return replace(unproven, proof=proof, range_proof=range_proof)


def sign_credential(
    suite: Suite, parameters: Parameters, document: DocumentFacts, attester: SigningSecret, said: bytes, randomness: Randomness
) -> bytes:
    """The attester's signature (65 bytes) over what it says of a document, to be shown to whom the owner chooses.

    said: the canonical JSON (RFC 8785) of the credential without signature and disclosures (SPEC.md, section 16)
    """
    context = ledger.credential_context(parameters, document, said)
    elements, witness = {"A": attester.public(suite)}, {"alpha": attester.scalar}
    return _prove(suite, statements.CREDENTIAL, context, elements, witness, randomness)


def prove_application(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    secret: ViewSecret,
    *,
    application: bytes,
    key: Element,
    expires: int,
    randomness: Randomness,
) -> bytes:
    """The owner's part of an application (65 bytes), made with the document's key s': a draw under `key`, until `expires`."""
    context = ledger.application_context(parameters, document, application_payload(application, key, expires))
    return _prove(suite, statements.APPLICATION, context, {"P_owner": document.owner}, {"s": secret.scalar}, randomness)


def prove_apply(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    *,
    draw: bytes,
    key: SigningSecret,
    application: bytes,
    expires: int,
    consent: bytes,
    memos: Memos,
    randomness: Randomness,
) -> Apply:
    """The bank's part of an application (`apply`): that it has it, with the owner's part `consent` (by prove_application)."""
    unproven = Apply(document.document, draw, key.public(suite), application, expires, consent, memos, _UNPROVEN)
    context = ledger.apply_context(parameters, document, unproven)
    proof = _prove(suite, statements.APPLY, context, {"K": unproven.key}, {"k": key.scalar}, randomness)
    return replace(unproven, proof=proof)


def prove_decide(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    application: ApplicationState,
    *,
    key: SigningSecret,
    decision: str,
    memos: Memos,
    randomness: Randomness,
) -> Decide:
    """The bank's decision about an application (`decide`, a proof of 65 bytes), for the head that this one has."""
    unproven = Decide(application.draw, decision, memos, _UNPROVEN)
    context = ledger.decide_context(parameters, document, application, unproven)
    proof = _prove(suite, statements.DECIDE, context, {"K": application.key}, {"k": key.scalar}, randomness)
    return replace(unproven, proof=proof)


@dataclass(frozen=True, repr=False)
class ConsentRequest:
    """What an owner consents to: this bank (by the draw's key), this amount (by its opening), until `expires`."""

    application: bytes
    key: Element
    opening: Opening
    expires: int

    def __repr__(self) -> str:
        return "ConsentRequest(hidden)"


def prove_consent(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    secret: ViewSecret,
    request: ConsentRequest,
    randomness: Randomness,
) -> Consent:
    """The owner's consent beforehand (`consent`), by the document's key s'.

    Raises AmountError, WitnessError for another key.
    """
    Amount(request.opening.amount)
    asked = request.opening.commit(suite)
    payload = consent_payload(request.application, request.key, asked, request.expires)
    context = ledger.consent_context(parameters, document, payload)
    proof = _prove(suite, statements.CONSENT, context, {"P_owner": document.owner}, {"s": secret.scalar}, randomness)
    return Consent(request.application, asked, proof)


def prove_draft(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    *,
    draw: bytes,
    key: SigningSecret,
    opening: Opening,
    expires: int,
    memos: Memos,
    consent: Consent | None,
    asked: Opening | None,
    moved: tuple[DrawState, Opening] | None = None,
    randomness: Randomness,
) -> Draft:
    """The bank's part of a draw of opening.amount (`draw`). With a consent, `asked` is the opening of the amount consented to.

    `moved` is the draw on a deleted document that this one takes over, with the opening of what is outstanding on it. The
    statement is `consented-draw` with a consent, `moved-draw` with a move.

    Raises AmountError outside 1 … 2**48 - 1, WitnessError when the consent, or what is outstanding, is for another amount.
    """
    amount = Amount(opening.amount).minor_units
    if (consent is None) != (asked is None):
        raise WitnessError("a consent comes with the opening of the amount it is for")
    committed = handled_commitment(suite, opening, document.owner, parameters.regulator)
    taken_over, its_opening = moved or (None, None)
    moves = None if taken_over is None else taken_over.draw
    unproven = Draft(document.document, draw, key.public(suite), committed, expires, consent, moves, memos, _UNPROVEN)
    witness = {"a": amount, "r": opening.blinding, "k": key.scalar}
    if asked is not None:
        if asked.amount != amount:
            raise WitnessError("the owner consented to another amount; ask for a new consent")
        witness["d"] = (opening.blinding - asked.blinding) % suite.group.order
    if taken_over is not None and its_opening is not None:
        check_opening(suite, taken_over.outstanding.commitment, its_opening)
        if its_opening.amount != amount:
            raise WitnessError("a draw is moved with exactly what is outstanding on it")
        witness["d"] = (opening.blinding - its_opening.blinding) % suite.group.order
    statement = ledger.draft_statement(unproven)
    context = ledger.draft_context(parameters, document, unproven, statement.name)
    elements = ledger.draft_elements(parameters, document, unproven, taken_over)
    return replace(unproven, proof=_prove(suite, statement, context, elements, witness, randomness))


def prove_headroom(
    suite: Suite,
    parameters: Parameters,
    document: DocumentState,
    draft: Draft,
    *,
    prover: str,
    secret: ViewSecret,
    opening: Opening,
    left: int,
    moved: DrawState | None = None,
    randomness: Randomness,
) -> Headroom:
    """The owner's or the regulator's part of a draw (`headroom-by-…`, `headroom-range`): `left` minor units remain after it.

    secret is the prover's key for this document; opening is the draft's, which the bank disclosed; left is what the prover
    knows to remain after the draw; moved is the draw that the draft takes over. Checks the draft's own proof first.

    Raises WitnessError when the headroom does not suffice or a figure is wrong, OpeningError when the draft does not open as
    told, BatchRejected when its proof is false, IdentityError when its blinding cancels the residual's.
    """
    verify(suite, ledger.check_draft(suite, parameters, ledger.facts(document), draft, moved=moved))
    check_opening(suite, draft.amount.commitment, opening)
    if not 0 <= left <= MAXIMUM:
        raise WitnessError("the headroom of this document does not cover the draw")
    after = ledger.blinded_balance(document.residual - draft.amount)
    check_amount(suite, secret, after.commitment, after.handle(prover), left)
    blinding = random_nonzero_scalar(randomness, suite.group)
    remaining = Opening(left, blinding).commit(suite)
    sigma, bound = ledger.headroom_statement(prover), statements.HEADROOM_RANGE
    proof = _prove(
        suite,
        sigma,
        ledger.headroom_context(parameters, document, draft, sigma.name),
        ledger.headroom_elements(parameters, document, draft, prover, remaining),
        {"s": secret.scalar, "m": left, "b": blinding},
        randomness,
    )
    context = ledger.headroom_context(parameters, document, draft, bound.name)
    ranges = [(opening.amount - 1, opening.blinding), (left, blinding)]
    return Headroom(prover, remaining, proof, _prove_range(suite, bound, context, ranges, randomness))


def prove_disburse(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    draw: DrawState,
    *,
    key: SigningSecret,
    outstanding: Opening,
    rest: Opening | None,
    memos: Memos,
    randomness: Randomness,
) -> tuple[Disburse, Opening]:
    """The bank pays out what it reserved, all or all but `rest`; and the opening of what is outstanding then.

    Statements: `disburse`, or with a rest `disburse-part` and `disburse-range`.

    Raises AmountError, OpeningError when `outstanding` is not the draw's, WitnessError when nothing would be paid out,
    IdentityError when rest and outstanding have one blinding.
    """
    check_opening(suite, draw.outstanding.commitment, outstanding)
    if rest is None:
        unproven = Disburse(draw.draw, None, memos, _UNPROVEN, b"")
        context = ledger.disburse_context(parameters, document, draw, unproven, statements.DISBURSE.name)
        proof = _prove(suite, statements.DISBURSE, context, {"K": draw.key}, {"k": key.scalar}, randomness)
        return replace(unproven, proof=proof), outstanding
    amount = Amount(rest.amount).minor_units
    if amount >= outstanding.amount:
        raise WitnessError("nothing would be paid out; release the draw instead")
    left = outstanding.minus(suite, rest)
    committed = handled_commitment(suite, rest, document.owner, parameters.regulator)
    ledger.blinded_balance(draw.outstanding - committed)
    unproven = Disburse(draw.draw, committed, memos, _UNPROVEN, _UNPROVEN)
    sigma, bound = statements.DISBURSE_PART, statements.DISBURSE_RANGE
    proof = _prove(
        suite,
        sigma,
        ledger.disburse_context(parameters, document, draw, unproven, sigma.name),
        ledger.reduce_elements(parameters, document, draw, committed),
        {"p": amount, "r": rest.blinding, "k": key.scalar},
        randomness,
    )
    context = ledger.disburse_context(parameters, document, draw, unproven, bound.name)
    ranges = [(amount - 1, rest.blinding), (left.amount - 1, left.blinding)]
    return replace(unproven, proof=proof, range_proof=_prove_range(suite, bound, context, ranges, randomness)), left


def prove_reduce(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    draw: DrawState,
    *,
    key: SigningSecret,
    outstanding: Opening,
    opening: Opening,
    reason: str,
    memos: Memos,
    randomness: Randomness,
) -> tuple[Reduce, Opening]:
    """The bank's reduction by opening.amount (`reduce`, `reduce-range`), and the opening of what remains outstanding.

    Raises AmountError, OpeningError when `outstanding` is not the draw's, WitnessError for more than is outstanding,
    IdentityError when both have one blinding.
    """
    amount = Amount(opening.amount).minor_units
    check_opening(suite, draw.outstanding.commitment, outstanding)
    if amount > outstanding.amount:
        raise WitnessError("more would be reduced than is outstanding on this draw")
    rest = outstanding.minus(suite, opening)
    committed = handled_commitment(suite, opening, document.owner, parameters.regulator)
    ledger.blinded_balance(draw.outstanding - committed)
    unproven = Reduce(draw.draw, committed, reason, memos, _UNPROVEN, _UNPROVEN)
    sigma, bound = statements.REDUCE, statements.REDUCE_RANGE
    proof = _prove(
        suite,
        sigma,
        ledger.reduce_context(parameters, document, draw, unproven, sigma.name),
        ledger.reduce_elements(parameters, document, draw, committed),
        {"p": amount, "r": opening.blinding, "k": key.scalar},
        randomness,
    )
    context = ledger.reduce_context(parameters, document, draw, unproven, bound.name)
    ranges = [(amount - 1, opening.blinding), (rest.amount, rest.blinding)]
    range_proof = _prove_range(suite, bound, context, ranges, randomness)
    return replace(unproven, proof=proof, range_proof=range_proof), rest


def prove_close(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    draw: DrawState,
    *,
    key: SigningSecret,
    outstanding: Opening,
    randomness: Randomness,
) -> Close:
    """The bank's proof that nothing is outstanding (`close`).

    Raises WitnessError when something is, OpeningError for a wrong opening.
    """
    check_opening(suite, draw.outstanding.commitment, outstanding)
    if outstanding.amount != 0:
        raise WitnessError("something is still outstanding on this draw; reduce it first")
    unproven = Close(draw.draw, _UNPROVEN)
    context = ledger.close_context(parameters, document, draw, unproven)
    witness = {"q": outstanding.blinding, "k": key.scalar}
    proof = _prove(suite, statements.CLOSE, context, ledger.close_elements(draw), witness, randomness)
    return replace(unproven, proof=proof)


def prove_view(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    *,
    reader: str,
    secret: ViewSecret,
    issued: int,
    randomness: Randomness,
) -> View:
    """A reader's request for a document's private state (`view`); secret is the reader's key for this document.

    Its nonce is 16 fresh bytes, and the service takes `issued` within 300 seconds of its clock: a view is good once.
    """
    unproven = View(document.document, reader, randomness.read(16), issued, _UNPROVEN)
    key = document.owner if reader == OWNER else parameters.regulator
    context = ledger.view_context(parameters, document, unproven)
    proof = _prove(suite, statements.VIEW, context, {"P": key}, {"s": secret.scalar}, randomness)
    return replace(unproven, proof=proof)
