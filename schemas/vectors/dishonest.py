"""Provers that skip their own checks. They make the proofs that vectors and tests demand to be refused.

An honest prover refuses a false statement before anything leaves it, so it cannot show that a verifier refuses one. These run
the same algorithms over whatever they are given: amounts may be negative, zero or too large, witnesses may not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from zkcore import ledger, statements
from zkcore.commitments import HandledCommitment
from zkcore.context import Context
from zkcore.group import Element
from zkcore.ledger import ApplicationState, AttestedFacts, DocumentFacts, DocumentState, DrawState, Parameters
from zkcore.operations import Amend, Close, Consent, Decide, Disburse, Draft, Headroom, Memos, Overdrawn, Reduce, Register
from zkcore.randomness import Randomness, random_nonzero_scalar, random_scalar
from zkcore.relations import LinearRelation
from zkcore.secret import range_proof
from zkcore.secret.keys import SigningSecret, ViewSecret
from zkcore.secret.sigma import linear_map
from zkcore.statements import RangeStatement, Statement
from zkcore.suite import Suite
from zkcore.verifying.sigma import derive_challenge, encode_scalars


@dataclass(frozen=True)
class Secret:
    """What a commitment is said to hold: any integer, and a blinding."""

    amount: int
    blinding: int

    def commit(self, suite: Suite) -> Element:
        """amount*G + blinding*H, the amount taken modulo the order."""
        return suite.group.mul(self.amount, suite.G) + suite.group.mul(self.blinding, suite.H)

    def handled(self, suite: Suite, owner: Element, regulator: Element) -> HandledCommitment:
        """The commitment with honest handles."""
        mul = suite.group.mul
        return HandledCommitment(self.commit(suite), mul(self.blinding, owner), mul(self.blinding, regulator))


class _Everywhere(int):
    """A number that says it is in every range, so that the prover of a range goes on with it."""

    def __ge__(self, other: Any) -> bool:
        return True

    def __lt__(self, other: Any) -> bool:
        return True


def prove_sigma(session_id: bytes, relation: LinearRelation, witness: Sequence[int], randomness: Randomness) -> bytes:
    """A sigma proof of a statement that need not hold: neither the instance nor the witness is checked."""
    group = relation.group
    nonces = [random_scalar(randomness, group) for _ in range(relation.scalar_count)]
    commitment = b"".join(element.encode() for element in linear_map(relation, nonces))
    challenge = derive_challenge(group, session_id, relation.serialized, commitment)
    response = [(nonce + scalar * challenge) % group.order for nonce, scalar in zip(nonces, witness, strict=True)]
    return commitment + encode_scalars(group, response)


def prove_range(suite: Suite, session_id: bytes, secrets: Sequence[Secret], bits: int, randomness: Randomness) -> bytes:
    """A range proof over any integers: it proves their lowest bits, while the commitments hold the whole."""
    openings = [(_Everywhere(secret.amount), secret.blinding) for secret in secrets]
    suite.vectors(bits * len(secrets))  # computed here, they are kept
    in_python = copy(suite)
    in_python.twin = None  # an engine's own prover cannot be talked into anything
    return range_proof.prove_range(in_python, session_id, openings, bits, randomness)


def _prove(
    suite: Suite,
    statement: Statement,
    context: Context,
    elements: Mapping[str, Element],
    witness: Mapping[str, int],
    randomness: Randomness,
) -> bytes:
    instance = statement.instance(suite, elements)
    return prove_sigma(context.session_id(suite), instance, statement.witness(**witness), randomness)


def _prove_range(
    suite: Suite, statement: RangeStatement, context: Context, secrets: Sequence[Secret], randomness: Randomness
) -> bytes:
    return prove_range(suite, context.session_id(suite), secrets, statement.bits, randomness)


def _limit_ranges(limit: Secret) -> list[Secret]:
    """What `register-range` and `amend-range` are over."""
    return [Secret(limit.amount - 1, limit.blinding), Secret((1 << 48) - 1 - limit.amount, -limit.blinding)]


def register(
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
    limit: Secret,
    memos: Memos,
    randomness: Randomness,
) -> Register:
    """A registration with any limit."""
    committed, public = limit.handled(suite, owner, parameters.regulator), attester.public(suite)
    unproven = Register(document, kind, counter, status, currency, parameters.epoch, public, owner, committed, memos, b"", b"")
    sigma, bound = statements.REGISTER, statements.REGISTER_RANGE
    context = ledger.register_context(parameters, unproven, sigma.name)
    elements = ledger.limit_elements(parameters, owner, public, committed)
    witness = {"v": limit.amount, "r": limit.blinding, "alpha": attester.scalar}
    proof = _prove(suite, sigma, context, elements, witness, randomness)
    context = ledger.register_context(parameters, unproven, bound.name)
    range_proof = _prove_range(suite, bound, context, _limit_ranges(limit), randomness)
    return replace(unproven, proof=proof, range_proof=range_proof)


def amend(
    suite: Suite,
    parameters: Parameters,
    document: AttestedFacts,
    *,
    attester: SigningSecret,
    limit: Secret,
    reason: str,
    memos: Memos,
    randomness: Randomness,
    committed: HandledCommitment | None = None,
    named: Element | None = None,
) -> Amend:
    """An amendment to any limit; `committed` in place of honest handles; `named` is the attester that it is said to be by."""
    committed = committed or limit.handled(suite, document.owner, parameters.regulator)
    public = named or attester.public(suite)
    unproven = Amend(document.document, public, reason, committed, memos, b"", b"")
    sigma, bound = statements.AMEND, statements.AMEND_RANGE
    context = ledger.revision_context(parameters, document, sigma.name, unproven.payload())
    elements = ledger.limit_elements(parameters, document.owner, public, committed)
    witness = {"v": limit.amount, "r": limit.blinding, "alpha": attester.scalar}
    proof = _prove(suite, sigma, context, elements, witness, randomness)
    context = ledger.revision_context(parameters, document, bound.name, unproven.payload())
    range_proof = _prove_range(suite, bound, context, _limit_ranges(limit), randomness)
    return replace(unproven, proof=proof, range_proof=range_proof)


def overdrawn(
    suite: Suite,
    parameters: Parameters,
    document: DocumentState,
    *,
    secret: ViewSecret,
    over: int,
    randomness: Randomness,
) -> Overdrawn:
    """A proof of any excess, by anybody with any key."""
    excess = Secret(over, random_nonzero_scalar(randomness, suite.group))
    unproven = Overdrawn(document.document, excess.commit(suite), b"", b"")
    sigma, bound = statements.OVERDRAWN, statements.OVERDRAWN_RANGE
    context = ledger.overdrawn_context(parameters, document, unproven, sigma.name)
    elements = ledger.overdrawn_elements(parameters, document, unproven.over)
    witness = {"s": secret.scalar, "m": over, "b": excess.blinding}
    proof = _prove(suite, sigma, context, elements, witness, randomness)
    context = ledger.overdrawn_context(parameters, document, unproven, bound.name)
    ranges = [Secret(over - 1, excess.blinding)]
    return replace(unproven, proof=proof, range_proof=_prove_range(suite, bound, context, ranges, randomness))


def draft(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    *,
    draw: bytes,
    key: SigningSecret,
    amount: Secret,
    expires: int,
    memos: Memos,
    randomness: Randomness,
    committed: HandledCommitment | None = None,
    consent: Consent | None = None,
    asked: Secret | None = None,
    moved: tuple[DrawState, Secret] | None = None,
    named: Element | None = None,
) -> Draft:
    """The bank's part of a draw of any amount; `committed` in place of honest handles.

    A consent may be for another amount, and what is outstanding on the draw that is moved may be another one. `named` is the
    draw's key that it is said to be by.
    """
    committed = committed or amount.handled(suite, document.owner, parameters.regulator)
    taken_over, its = moved or (None, None)
    moves = None if taken_over is None else taken_over.draw
    public = named or key.public(suite)
    unproven = Draft(document.document, draw, public, committed, expires, consent, moves, memos, b"")
    witness = {"a": amount.amount, "r": amount.blinding, "k": key.scalar}
    if (before := its or asked) is not None:
        witness["d"] = amount.blinding - before.blinding
    statement = ledger.draft_statement(unproven)
    context = ledger.draft_context(parameters, document, unproven, statement.name)
    elements = ledger.draft_elements(parameters, document, unproven, taken_over)
    return replace(unproven, proof=_prove(suite, statement, context, elements, witness, randomness))


def headroom(
    suite: Suite,
    parameters: Parameters,
    document: DocumentState,
    drafted: Draft,
    *,
    prover: str,
    secret: ViewSecret,
    amount: Secret,
    left: int,
    randomness: Randomness,
) -> Headroom:
    """A headroom proof with any `left`, by anybody with any key."""
    after = Secret(left, random_nonzero_scalar(randomness, suite.group))
    remaining = after.commit(suite)
    sigma, bound = ledger.headroom_statement(prover), statements.HEADROOM_RANGE
    context = ledger.headroom_context(parameters, document, drafted, sigma.name)
    elements = ledger.headroom_elements(parameters, document, drafted, prover, remaining)
    witness = {"s": secret.scalar, "m": left, "b": after.blinding}
    proof = _prove(suite, sigma, context, elements, witness, randomness)
    context = ledger.headroom_context(parameters, document, drafted, bound.name)
    ranges = [Secret(amount.amount - 1, amount.blinding), after]
    return Headroom(prover, remaining, proof, _prove_range(suite, bound, context, ranges, randomness))


def decide(
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
    """Any decision, by anybody with any key."""
    unproven = Decide(application.draw, decision, memos, b"")
    context = ledger.decide_context(parameters, document, application, unproven)
    proof = _prove(suite, statements.DECIDE, context, {"K": application.key}, {"k": key.scalar}, randomness)
    return replace(unproven, proof=proof)


def disburse(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    draw: DrawState,
    *,
    key: SigningSecret,
    outstanding: Secret,
    rest: Secret | None,
    memos: Memos,
    randomness: Randomness,
    committed: HandledCommitment | None = None,
) -> Disburse:
    """A disbursement of all but any rest; `committed` in place of honest handles."""
    if rest is None:
        unproven = Disburse(draw.draw, None, memos, b"", b"")
        context = ledger.disburse_context(parameters, document, draw, unproven, statements.DISBURSE.name)
        proof = _prove(suite, statements.DISBURSE, context, {"K": draw.key}, {"k": key.scalar}, randomness)
        return replace(unproven, proof=proof)
    committed = committed or rest.handled(suite, document.owner, parameters.regulator)
    unproven = Disburse(draw.draw, committed, memos, b"", b"")
    sigma, bound = statements.DISBURSE_PART, statements.DISBURSE_RANGE
    context = ledger.disburse_context(parameters, document, draw, unproven, sigma.name)
    elements = ledger.disburse_elements(parameters, document, draw, unproven)
    witness = {"p": rest.amount, "r": rest.blinding, "k": key.scalar}
    proof = _prove(suite, sigma, context, elements, witness, randomness)
    context = ledger.disburse_context(parameters, document, draw, unproven, bound.name)
    left = Secret(outstanding.amount - rest.amount - 1, outstanding.blinding - rest.blinding)
    ranges = [Secret(rest.amount - 1, rest.blinding), left]
    return replace(unproven, proof=proof, range_proof=_prove_range(suite, bound, context, ranges, randomness))


def reduce(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    draw: DrawState,
    *,
    key: SigningSecret,
    outstanding: Secret,
    amount: Secret,
    reason: str,
    memos: Memos,
    randomness: Randomness,
) -> Reduce:
    """A reduction by any amount."""
    committed = amount.handled(suite, document.owner, parameters.regulator)
    unproven = Reduce(draw.draw, committed, reason, memos, b"", b"")
    sigma, bound = statements.REDUCE, statements.REDUCE_RANGE
    context = ledger.reduce_context(parameters, document, draw, unproven, sigma.name)
    elements = ledger.reduce_elements(parameters, document, draw, committed)
    witness = {"p": amount.amount, "r": amount.blinding, "k": key.scalar}
    proof = _prove(suite, sigma, context, elements, witness, randomness)
    context = ledger.reduce_context(parameters, document, draw, unproven, bound.name)
    rest = Secret(outstanding.amount - amount.amount, outstanding.blinding - amount.blinding)
    ranges = [Secret(amount.amount - 1, amount.blinding), rest]
    return replace(unproven, proof=proof, range_proof=_prove_range(suite, bound, context, ranges, randomness))


def close(
    suite: Suite,
    parameters: Parameters,
    document: DocumentFacts,
    draw: DrawState,
    *,
    key: SigningSecret,
    blinding: int,
    randomness: Randomness,
) -> Close:
    """A closure whatever is outstanding."""
    unproven = Close(draw.draw, b"")
    context = ledger.close_context(parameters, document, draw, unproven)
    witness = {"q": blinding, "k": key.scalar}
    proof = _prove(suite, statements.CLOSE, context, ledger.close_elements(draw), witness, randomness)
    return replace(unproven, proof=proof)
