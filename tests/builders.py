"""A small world for tests: an attester, an owner, a regulator and a bank with their secrets, and the operations they make.

Everything is made by zkcore.secret from a seed, so a failure repeats. The builders know the ledger's rules but no service and
no database: `committed(leaf)` says what an operation leads to when it was accepted with that leaf, and a test that commits
through something else passes the leaf it was given. Objects are immutable: a test that needs the state "before" keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from parties.common.request_keys import RequestSecret, sign_identity
from schemas.callers import CALLER_SIZE
from schemas.entries import AttesterKey, Genesis, Kind, RegulatorKey
from schemas.identities import REQUESTING_ROLES, Identity, RequestKey, Role
from schemas.messages import (
    ApplyMessage,
    CloseMessage,
    DecideMessage,
    DisburseMessage,
    DrawMessage,
    FinancingRequest,
    ReduceMessage,
    RegisterMessage,
    RegistrationRequest,
    StepsRequest,
)
from zkcore import PROTOCOL_VERSION, ledger
from zkcore.commitments import HandledCommitment
from zkcore.context import ABSENT
from zkcore.ledger import ApplicationState, DocumentFacts, DocumentState, DrawState, Parameters
from zkcore.operations import (
    CLEARED,
    MEMO_SIZE,
    OWNER,
    REGULATOR,
    REPAID_OWN_FUNDS,
    Amend,
    Apply,
    ChangeStatus,
    Close,
    Consent,
    Decide,
    Disburse,
    Draft,
    Draw,
    Headroom,
    Memos,
    Overdrawn,
    Reduce,
    Register,
    View,
)
from zkcore.randomness import Randomness, SeededRandomness, random_nonzero_scalar
from zkcore.secret import operations
from zkcore.secret.keys import SigningSecret, ViewSecret, blind_view_key
from zkcore.secret.memos import SealSecret
from zkcore.secret.opening import Opening, fresh_opening
from zkcore.suite import Suite

ORIGIN = "log.example/tests"
KIND = "export-declaration"
CURRENCY = "USD"
NOW = 1_750_000_000
"""When the tests take place, unix seconds."""
DRAFT_LIFE = 7 * 86_400
ANYBODY = bytes(CALLER_SIZE)
"""In place of a sealed caller where nobody opens one."""
ANY_LEAF = bytes([0x1E]) * 32
"""The leaf of an operation in tests that commit nowhere."""


@dataclass(frozen=True)
class World:
    """The parties with all their secrets, and the log they agreed on. One owner and one bank are enough for most tests."""

    suite: Suite
    randomness: Randomness
    attester: SigningSecret
    attester_seal: SealSecret
    regulator: ViewSecret
    regulator_seal: SealSecret
    owner: ViewSecret
    bank: SigningSecret
    genesis: Genesis
    parameters: Parameters

    def alone(self, name: str) -> World:
        """The same parties with randomness of its own: threads cannot share a stream, and the more was read from one the slower
        it is."""
        return replace(self, randomness=SeededRandomness(name.encode()))

    def identifier(self) -> bytes:
        """32 fresh bytes: a document, draw or application id."""
        return self.randomness.read(32)

    def memos(self) -> Memos:
        """Two memos of the right size that nobody can open."""
        return Memos(self.randomness.read(MEMO_SIZE), self.randomness.read(MEMO_SIZE))

    def opening(self, amount: int) -> Opening:
        """An opening of this amount, freshly blinded."""
        return fresh_opening(self.suite, amount, self.randomness)


def make_kind(name: str = KIND, **changed: Any) -> Kind:
    """A kind of document: export declarations as they ship, but for what is `changed`."""
    usual = {
        "name": name,
        "attester": "customs",
        "restores": ["released", "repaid-own-funds"],
        "counters": ["financing"],
        "use": "cumulative",
        "reservation_days": 90,
        "applications": "optional",
        "shares": {},
    }
    return Kind.model_validate({**usual, **changed})


def make_world(suite: Suite, seed: bytes = b"a small world", kinds: Sequence[Kind] = ()) -> World:
    """All parties with fresh keys, and a genesis with one attester and these kinds of document, or the usual one."""
    randomness = SeededRandomness(seed)
    attester, attester_seal = SigningSecret.generate(suite, randomness), SealSecret(randomness.read(32))
    regulator, regulator_seal = ViewSecret.generate(suite, randomness), SealSecret(randomness.read(32))
    genesis = Genesis(
        time=NOW,
        protocol=PROTOCOL_VERSION,
        suite=suite.identifier,
        generators=suite.generators_digest,
        origin=ORIGIN,
        epoch=1,
        regulator=RegulatorKey(
            holder="regulator",
            key=regulator.public(suite).encode(),
            seal_key=regulator_seal.public,
            proof=regulator.prove_possession(suite, ORIGIN, "regulator", regulator_seal.public, randomness),
        ),
        attesters=[
            AttesterKey(
                role="customs",
                holder="customs",
                key=attester.public(suite).encode(),
                seal_key=attester_seal.public,
                proof=attester.prove_possession(suite, ORIGIN, "customs", attester_seal.public, randomness),
            )
        ],
        kinds=list(kinds) or [make_kind()],
    )
    return World(
        suite,
        randomness,
        attester,
        attester_seal,
        regulator,
        regulator_seal,
        ViewSecret.generate(suite, randomness),
        SigningSecret.generate(suite, randomness),
        genesis,
        genesis.parameters(suite),
    )


def make_identity(
    world: World, role: Role, holder: str, key: ViewSecret | SigningSecret, seal: SealSecret, origin: str = ORIGIN
) -> Identity:
    """The identity file of a party, with its proofs of possession."""
    request = RequestSecret(seal.encode())
    bound = key.prove_possession(world.suite, origin, holder, seal.public, world.randomness, request.public)
    named = RequestKey(key=request.public, proof=bound, signature=bytes(64))
    identity = Identity(
        role=role,
        holder=holder,
        name=holder.capitalize(),
        origin=origin,
        key=key.public(world.suite).encode(),
        seal_key=seal.public,
        proof=key.prove_possession(world.suite, origin, holder, seal.public, world.randomness),
        request_key=named if role in REQUESTING_ROLES else None,
    )
    return sign_identity(identity, request) if role in REQUESTING_ROLES else identity


# --- documents ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paper:
    """A committed document with what its owner knows: its key s', and the headroom in minor units."""

    state: DocumentState
    secret: ViewSecret
    headroom: int

    @property
    def facts(self) -> DocumentFacts:
        return ledger.facts(self.state)


@dataclass(frozen=True)
class NewDocument:
    """A registration as the attester makes it."""

    operation: Register
    secret: ViewSecret
    limit: Opening

    def committed(self, leaf: bytes = ANY_LEAF) -> Paper:
        return Paper(ledger.registered(self.operation, leaf), self.secret, self.limit.amount)


def make_register(
    world: World,
    limit: int,
    *,
    document: bytes | None = None,
    kind: str = KIND,
    counter: str = "financing",
    status: str = CLEARED,
    currency: str = CURRENCY,
    attester: SigningSecret | None = None,
    parameters: Parameters | None = None,
) -> NewDocument:
    """A document of the world's owner under a fresh blinded key; with `parameters` not the world's, one to be refused."""
    blinding = random_nonzero_scalar(world.randomness, world.suite.group)
    opening = world.opening(limit)
    operation = operations.prove_register(
        world.suite,
        parameters or world.parameters,
        document=document or world.identifier(),
        kind=kind,
        counter=counter,
        status=status,
        currency=currency,
        owner=blind_view_key(world.suite, world.owner.public(world.suite), blinding),
        attester=attester or world.attester,
        opening=opening,
        memos=world.memos(),
        randomness=world.randomness,
    )
    return NewDocument(operation, world.owner.blinded(world.suite, blinding), opening)


# --- draws ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loan:
    """A committed draw with what its bank knows: the draw's key, and the opening of what is outstanding."""

    state: DrawState
    key: SigningSecret
    outstanding: Opening


@dataclass(frozen=True)
class NewDraw:
    """A whole draw, as the bank commits it."""

    world: World
    operation: Draw
    paper: Paper
    key: SigningSecret
    opening: Opening
    moved: DrawState | None = None

    def committed(self, leaf: bytes = ANY_LEAF) -> tuple[Paper, Loan]:
        """The document after this draw, and the draw."""
        document, draw = ledger.drawn(self.world.parameters, self.paper.state, self.operation, leaf, self.moved)
        after = replace(self.paper, state=document, headroom=self.paper.headroom - self.opening.amount)
        return after, Loan(draw, self.key, self.opening)


def make_consent(
    world: World,
    paper: Paper,
    amount: int,
    key: SigningSecret,
    expires: int = NOW + DRAFT_LIFE,
    application: bytes | None = None,
) -> tuple[Consent, Opening]:
    """The owner's consent beforehand to a draw of `amount` under this key, and the opening of the amount consented to."""
    asked = world.opening(amount)
    request = operations.ConsentRequest(application or world.identifier(), key.public(world.suite), asked, expires)
    consent = operations.prove_consent(world.suite, world.parameters, paper.facts, paper.secret, request, world.randomness)
    return consent, asked


def make_draft(
    world: World,
    paper: Paper,
    opening: Opening,
    key: SigningSecret,
    *,
    draw: bytes | None = None,
    expires: int = NOW + DRAFT_LIFE,
    consent: tuple[Consent, Opening] | None = None,
    moved: Loan | None = None,
) -> Draft:
    """The bank's part of a draw of opening.amount."""
    given, asked = consent or (None, None)
    return operations.prove_draft(
        world.suite,
        world.parameters,
        paper.facts,
        draw=draw or world.identifier(),
        key=key,
        opening=opening,
        expires=expires,
        memos=world.memos(),
        consent=given,
        asked=asked,
        moved=None if moved is None else (moved.state, moved.outstanding),
        randomness=world.randomness,
    )


def make_headroom(world: World, paper: Paper, draft: Draft, opening: Opening, moved: DrawState | None = None) -> Headroom:
    """The owner's part of a draw, or the regulator's when the draft has a consent. Raises WitnessError past the headroom."""
    by_owner = draft.consent is None
    return operations.prove_headroom(
        world.suite,
        world.parameters,
        paper.state,
        draft,
        prover=OWNER if by_owner else REGULATOR,
        secret=paper.secret if by_owner else world.regulator,
        opening=opening,
        left=paper.headroom - opening.amount,
        moved=moved,
        randomness=world.randomness,
    )


def make_draw(
    world: World,
    paper: Paper,
    amount: int,
    *,
    draw: bytes | None = None,
    expires: int = NOW + DRAFT_LIFE,
    consented: bool = False,
    key: SigningSecret | None = None,
) -> NewDraw:
    """A whole draw under this or a fresh key; `consented` has the owner consent beforehand and the regulator prove."""
    key = key or world.bank.shifted(world.suite, random_nonzero_scalar(world.randomness, world.suite.group))
    opening = world.opening(amount)
    consent = make_consent(world, paper, amount, key, expires) if consented else None
    draft = make_draft(world, paper, opening, key, draw=draw, expires=expires, consent=consent)
    return NewDraw(world, Draw(draft, make_headroom(world, paper, draft, opening)), paper, key, opening)


def make_moved_draw(world: World, paper: Paper, loan: Loan, *, expires: int = NOW + DRAFT_LIFE) -> NewDraw:
    """A draw on `paper` that takes over what is outstanding on another document's."""
    opening = world.opening(loan.outstanding.amount)
    draft = make_draft(world, paper, opening, loan.key, expires=expires, moved=loan)
    headroom = make_headroom(world, paper, draft, opening, loan.state)
    return NewDraw(world, Draw(draft, headroom), paper, loan.key, opening, loan.state)


def make_overdraw(world: World, paper: Paper, amount: int, *, expires: int = NOW + DRAFT_LIFE) -> NewDraw:
    """A draw past the headroom, to be refused: its headroom is proven for the same document with a higher limit."""
    raised = world.opening(amount + max(0, -paper.headroom))
    lent = operations.handled_commitment(world.suite, raised, paper.state.owner, world.parameters.regulator)
    residual = paper.state.residual + lent
    richer = replace(paper, state=replace(paper.state, residual=residual), headroom=paper.headroom + raised.amount)
    return replace(make_draw(world, richer, amount, expires=expires), paper=paper)


# --- what becomes of a document -------------------------------------------------------------------------------------------


def make_status(world: World, paper: Paper, status: str, replacement: bytes = ABSENT) -> ChangeStatus:
    """The attester's word on a document."""
    return operations.prove_status(
        world.suite,
        world.parameters,
        ledger.attested_facts(paper.state),
        attester=world.attester,
        status=status,
        replacement=replacement,
        memos=world.memos(),
        randomness=world.randomness,
    )


@dataclass(frozen=True)
class NewAmendment:
    """An amendment as the attester makes it. `before`: the limit that it replaces, minor units."""

    operation: Amend
    limit: Opening
    before: int

    def committed(self, paper: Paper, leaf: bytes = ANY_LEAF) -> Paper:
        """The document with its new limit; its headroom can be negative."""
        state = ledger.amended(paper.state, self.operation, leaf)
        return replace(paper, state=state, headroom=paper.headroom - self.before + self.limit.amount)


def make_amend(world: World, paper: Paper, before: int, limit: int, reason: str = "amended") -> NewAmendment:
    """The attester replaces a limit of `before` minor units by another one."""
    opening = world.opening(limit)
    operation = operations.prove_amend(
        world.suite,
        world.parameters,
        ledger.attested_facts(paper.state),
        attester=world.attester,
        opening=opening,
        reason=reason,
        memos=world.memos(),
        randomness=world.randomness,
    )
    return NewAmendment(operation, opening, before)


def make_overdrawn(world: World, paper: Paper) -> Overdrawn:
    """The regulator's proof that the headroom is negative. Raises WitnessError when it is not."""
    return operations.prove_overdrawn(
        world.suite,
        world.parameters,
        paper.state,
        secret=world.regulator,
        over=-paper.headroom,
        randomness=world.randomness,
    )


def make_overstatement(world: World, paper: Paper, over: int) -> Overdrawn:
    """That a document is overdrawn which is not, to be refused: it is proven for the same document with a lower limit."""
    lowered = world.opening(paper.headroom + over)
    lent = operations.handled_commitment(world.suite, lowered, paper.state.owner, world.parameters.regulator)
    state = replace(paper.state, residual=paper.state.residual - lent)
    return make_overdrawn(world, replace(paper, state=state, headroom=-over))


# --- applications ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewApplication:
    """An application as the bank puts it on the log, with the draw's key."""

    operation: Apply
    key: SigningSecret

    def committed(self, leaf: bytes = ANY_LEAF) -> ApplicationState:
        return ledger.applied(self.operation, leaf)


def make_apply(
    world: World, paper: Paper, *, draw: bytes | None = None, expires: int = NOW + DRAFT_LIFE, consent: bytes | None = None
) -> NewApplication:
    """The owner's application to the bank, under a fresh key. `consent`: the owner's part, if it shall not be the right one."""
    key = world.bank.shifted(world.suite, random_nonzero_scalar(world.randomness, world.suite.group))
    application = world.identifier()
    right = operations.prove_application(
        world.suite,
        world.parameters,
        paper.facts,
        paper.secret,
        application=application,
        key=key.public(world.suite),
        expires=expires,
        randomness=world.randomness,
    )
    operation = operations.prove_apply(
        world.suite,
        world.parameters,
        paper.facts,
        draw=draw or world.identifier(),
        key=key,
        application=application,
        expires=expires,
        consent=consent or right,
        memos=world.memos(),
        randomness=world.randomness,
    )
    return NewApplication(operation, key)


def make_decide(world: World, paper: Paper, state: ApplicationState, key: SigningSecret, decision: str) -> Decide:
    """The bank's decision about an application."""
    return operations.prove_decide(
        world.suite,
        world.parameters,
        paper.facts,
        state,
        key=key,
        decision=decision,
        memos=world.memos(),
        randomness=world.randomness,
    )


# --- what follows a draw --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewDisbursement:
    """A disbursement, as the bank makes it. `released`: minor units of the rest."""

    operation: Disburse
    released: int
    outstanding: Opening

    def committed(self, paper: Paper, loan: Loan, leaf: bytes = ANY_LEAF) -> tuple[Paper, Loan]:
        """The document with the rest back, and the draw, disbursed."""
        document, draw = ledger.disbursed(paper.state, loan.state, self.operation, leaf)
        after = replace(paper, state=document, headroom=paper.headroom + self.released)
        return after, replace(loan, state=draw, outstanding=self.outstanding)


def make_disburse(world: World, paper: Paper, loan: Loan, rest: int = 0) -> NewDisbursement:
    """The bank pays out all but `rest`. Raises WitnessError when nothing would be paid out."""
    operation, left = operations.prove_disburse(
        world.suite,
        world.parameters,
        paper.facts,
        loan.state,
        key=loan.key,
        outstanding=loan.outstanding,
        rest=world.opening(rest) if rest else None,
        memos=world.memos(),
        randomness=world.randomness,
    )
    return NewDisbursement(operation, rest, left)


def expire(paper: Paper, loan: Loan, leaf: bytes = ANY_LEAF) -> tuple[Paper, Loan]:
    """The document with its headroom back, and the draw, after the reservation freed itself."""
    document, draw = ledger.expired(paper.state, loan.state, leaf)
    after = replace(paper, state=document, headroom=paper.headroom + loan.outstanding.amount)
    return after, replace(loan, state=draw)


@dataclass(frozen=True)
class NewReduction:
    """A reduction, as the bank makes it."""

    operation: Reduce
    amount: int
    rest: Opening

    def committed(self, world: World, paper: Paper, loan: Loan, leaf: bytes = ANY_LEAF) -> tuple[Paper, Loan]:
        """The document (with the headroom back where its kind gives it back) and the draw after the reduction."""
        document, draw = ledger.reduced(world.parameters, paper.state, loan.state, self.operation, leaf)
        restored = self.amount if document.head != paper.state.head else 0
        after = replace(paper, state=document, headroom=paper.headroom + restored)
        return after, replace(loan, state=draw, outstanding=self.rest)


def make_reduce(world: World, paper: Paper, loan: Loan, amount: int, reason: str = REPAID_OWN_FUNDS) -> NewReduction:
    """A reduction by `amount`. Raises WitnessError when more is reduced than is outstanding."""
    operation, rest = operations.prove_reduce(
        world.suite,
        world.parameters,
        paper.facts,
        loan.state,
        key=loan.key,
        outstanding=loan.outstanding,
        opening=world.opening(amount),
        reason=reason,
        memos=world.memos(),
        randomness=world.randomness,
    )
    return NewReduction(operation, amount, rest)


def make_close(world: World, paper: Paper, loan: Loan) -> Close:
    """The end of a draw. Raises WitnessError when something is outstanding."""
    return operations.prove_close(
        world.suite,
        world.parameters,
        paper.facts,
        loan.state,
        key=loan.key,
        outstanding=loan.outstanding,
        randomness=world.randomness,
    )


def _with_more(world: World, paper: Paper, loan: Loan, amount: int) -> Loan:
    """The same draw with so much more outstanding, as its bank may pretend."""
    raised = world.opening(amount)
    lent = operations.handled_commitment(world.suite, raised, paper.state.owner, world.parameters.regulator)
    blinding = (loan.outstanding.blinding + raised.blinding) % world.suite.group.order
    state = replace(loan.state, outstanding=loan.state.outstanding + lent)
    return replace(loan, state=state, outstanding=Opening(loan.outstanding.amount + amount, blinding))


def make_overreduce(world: World, paper: Paper, loan: Loan, amount: int, reason: str = REPAID_OWN_FUNDS) -> NewReduction:
    """A reduction by more than is outstanding, to be refused: it is proven for the same draw with so much more outstanding."""
    return make_reduce(world, paper, _with_more(world, paper, loan, amount), amount, reason)


def make_overrelease(world: World, paper: Paper, loan: Loan, rest: int) -> NewDisbursement:
    """A disbursement of which all that is reserved or more is the rest, to be refused, proven as make_overreduce has it."""
    return make_disburse(world, paper, _with_more(world, paper, loan, rest), rest)


def make_early_close(world: World, paper: Paper, loan: Loan) -> Close:
    """The end of a draw on which something is outstanding, to be refused: it is proven for the same draw with nothing."""
    rest = world.opening(loan.outstanding.amount)
    repaid = operations.handled_commitment(world.suite, rest, paper.state.owner, world.parameters.regulator)
    poorer = replace(
        loan,
        state=replace(loan.state, outstanding=loan.state.outstanding - repaid),
        outstanding=loan.outstanding.minus(world.suite, rest),
    )
    return make_close(world, paper, poorer)


def make_view(world: World, paper: Paper, *, reader: str = OWNER, secret: ViewSecret | None = None, issued: int = NOW) -> View:
    """A reader's request for the private state. `secret` is the reader's key, if it shall not be the right one."""
    right = paper.secret if reader == OWNER else world.regulator
    return operations.prove_view(
        world.suite,
        world.parameters,
        paper.facts,
        reader=reader,
        secret=secret or right,
        issued=issued,
        randomness=world.randomness,
    )


# --- messages -------------------------------------------------------------------------------------------------------------


def registration_request(documents: Sequence[NewDocument]) -> RegistrationRequest:
    """The message that registers them together."""
    return RegistrationRequest(documents=[RegisterMessage.of(document.operation) for document in documents])


def financing_request(draws: Sequence[NewDraw]) -> FinancingRequest:
    """The message that commits them together."""
    return FinancingRequest(lines=[DrawMessage.of(draw.operation) for draw in draws])


_STEPS: dict[type, tuple[str, Any]] = {
    Apply: ("apply", ApplyMessage),
    Decide: ("decide", DecideMessage),
    Disburse: ("disburse", DisburseMessage),
    Reduce: ("reduce", ReduceMessage),
    Close: ("close", CloseMessage),
}


def steps_request(steps: Sequence[Apply | Decide | Disburse | Reduce | Close]) -> StepsRequest:
    """The message that takes them together."""
    named = [(*_STEPS[type(step)], step) for step in steps]
    return StepsRequest.model_validate({"steps": [{"type": name, "body": form.of(step)} for name, form, step in named]})


def flip(data: bytes, bit: int) -> bytes:
    """The bytes with one bit flipped, counted from the first byte's lowest."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def opens_to(world: World, handled: HandledCommitment, amount: int) -> bool:
    """Whether the regulator's key opens the commitment to this amount."""
    point = handled.commitment - world.suite.group.mul(world.regulator.scalar, handled.regulator)
    return point == world.suite.group.mul(amount, world.suite.G)
