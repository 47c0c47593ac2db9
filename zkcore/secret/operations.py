"""Making operations: every proof that a party produces, each beside the statement it satisfies.

The order in which randomness is drawn is part of the test vectors: the sigma proof first, then the range proof.
Provers check what they are given before they answer (a draft's proof, its memo against its commitment), and raise WitnessError
instead of producing a proof that cannot verify.
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
from zkcore.ledger import DocumentFacts, DocumentState, DrawState, Parameters
from zkcore.operations import (
    OWNER,
    Close,
    Consent,
    Draft,
    Headroom,
    Memos,
    Reduce,
    Register,
    View,
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
    """C = a*G + r*H with the handles r*P of both readers."""
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
        ledger.register_elements(parameters, unproven),
        {"v": limit, "r": opening.blinding, "alpha": attester.scalar},
        randomness,
    )
    ranges = [(limit - 1, opening.blinding), (MAXIMUM - limit, -opening.blinding % suite.group.order)]
    context = ledger.register_context(parameters, unproven, bound.name)
    return replace(unproven, proof=proof, range_proof=_prove_range(suite, bound, context, ranges, randomness))


def sign_credential(
    suite: Suite, parameters: Parameters, document: DocumentFacts, attester: SigningSecret, said: bytes, randomness: Randomness
) -> bytes:
    """The attester's signature (65 bytes) over what it says of a document, to be shown to whom the owner chooses."""
    context = ledger.credential_context(parameters, document, said)
    elements, witness = {"A": attester.public(suite)}, {"alpha": attester.scalar}
    return _prove(suite, statements.CREDENTIAL, context, elements, witness, randomness)


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
    """The owner's consent beforehand, made with the document's key s'. Raises AmountError, WitnessError for another key."""
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
    randomness: Randomness,
) -> Draft:
    """The bank's part of a draw of opening.amount. With a consent, `asked` is the opening of the amount consented to.

    Raises AmountError outside 1 … 2**48 - 1, WitnessError when the consent is for another amount.
    """
    amount = Amount(opening.amount).minor_units
    if (consent is None) != (asked is None):
        raise WitnessError("a consent comes with the opening of the amount it is for")
    committed = handled_commitment(suite, opening, document.owner, parameters.regulator)
    unproven = Draft(document.document, draw, key.public(suite), committed, expires, consent, memos, _UNPROVEN)
    witness = {"a": amount, "r": opening.blinding, "k": key.scalar}
    if asked is not None:
        if asked.amount != amount:
            raise WitnessError("the owner consented to another amount; ask for a new consent")
        witness["d"] = (opening.blinding - asked.blinding) % suite.group.order
    statement = ledger.draft_statement(unproven)
    context = ledger.draft_context(parameters, document, unproven, statement.name)
    elements = ledger.draft_elements(parameters, document, unproven)
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
    randomness: Randomness,
) -> Headroom:
    """The owner's or the regulator's part of a draw: `left` minor units remain after it.

    secret is the prover's key for this document; opening is the draft's, which the bank disclosed; left is what the prover
    knows to remain after the draw. Checks the draft's own proof first. Raises WitnessError when the headroom does not suffice
    or a figure is wrong, OpeningError when the draft does not open as told, BatchRejected when its proof is false,
    IdentityError when its blinding cancels the residual's.
    """
    verify(suite, ledger.check_draft(suite, parameters, ledger.facts(document), draft))
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
    """The bank's reduction by opening.amount, and the opening of what remains outstanding.

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
    """The bank's proof that nothing is outstanding. Raises WitnessError when something is, OpeningError for a wrong opening."""
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
    """A reader's request for a document's private state; secret is the reader's key for this document."""
    unproven = View(document.document, reader, randomness.read(16), issued, _UNPROVEN)
    key = document.owner if reader == OWNER else parameters.regulator
    context = ledger.view_context(parameters, document, unproven)
    proof = _prove(suite, statements.VIEW, context, {"P": key}, {"s": secret.scalar}, randomness)
    return replace(unproven, proof=proof)
