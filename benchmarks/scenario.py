"""What is measured: one log with its parties, its documents, and what happens to them.

Keys and documents come from fixed seeds, so that every process that takes part has the same ones. Proofs are made with the
world's randomness, the operating system's: no two are alike. All amounts are invented.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from schemas.entries import AttesterKey, Genesis, Kind, RegulatorKey
from zkcore import PROTOCOL_VERSION, ledger
from zkcore.context import ABSENT
from zkcore.ledger import DocumentState, DrawState, Parameters
from zkcore.operations import (
    CLEARED,
    MEMO_SIZE,
    OWNER,
    REPAID_OWN_FUNDS,
    Close,
    Disburse,
    Draft,
    Draw,
    Headroom,
    Memos,
    Reduce,
    Register,
    View,
)
from zkcore.randomness import Randomness, SeededRandomness, random_nonzero_scalar
from zkcore.secret.keys import SigningSecret, ViewSecret, blind_view_key
from zkcore.secret.memos import SealSecret
from zkcore.secret.opening import Opening, fresh_opening
from zkcore.secret.operations import (
    handled_commitment,
    prove_close,
    prove_disburse,
    prove_draft,
    prove_headroom,
    prove_reduce,
    prove_register,
    prove_view,
)
from zkcore.suite import Suite

LIMIT = 100_000_000  # minor units: 1,000,000.00
TIME = 1_700_000_000  # of every entry, so that documents can be proven in parallel and put into one log
EXPIRES = TIME + 86_400
ORIGIN = "benchmarks.example/log"
_KIND = "export-declaration"
_COUNTER = "financing"
_CURRENCY = "USD"


@dataclass(frozen=True, repr=False)
class World:
    """The parties' secrets and the log's first entry. `memos` stand for any: proofs bind them, nobody here opens them."""

    suite: Suite
    randomness: Randomness
    genesis: Genesis
    parameters: Parameters
    attester: SigningSecret
    owner: ViewSecret
    bank: SigningSecret
    seal: SealSecret
    memos: Memos

    @classmethod
    def open(cls, suite: Suite, randomness: Randomness) -> World:
        """The same world in every process; proofs will be made with `randomness`."""
        seeded = SeededRandomness(b"benchmarks world")
        regulator, owner = (ViewSecret.generate(suite, seeded) for _ in range(2))
        attester, bank = (SigningSecret.generate(suite, seeded) for _ in range(2))
        seal = SealSecret.derive(seeded.read(32))
        memos = Memos(seeded.read(MEMO_SIZE), seeded.read(MEMO_SIZE))
        genesis = _genesis(suite, regulator, attester, seal, seeded)
        return cls(suite, randomness, genesis, genesis.parameters(suite), attester, owner, bank, seal, memos)


def _genesis(suite: Suite, regulator: ViewSecret, attester: SigningSecret, seal: SealSecret, randomness: Randomness) -> Genesis:
    return Genesis(
        time=TIME,
        protocol=PROTOCOL_VERSION,
        suite=suite.identifier,
        generators=suite.generators_digest,
        origin=ORIGIN,
        epoch=1,
        regulator=RegulatorKey(
            holder="regulator",
            key=regulator.public(suite).encode(),
            seal_key=seal.public,
            proof=regulator.prove_possession(suite, ORIGIN, "regulator", seal.public, randomness),
        ),
        attesters=[
            AttesterKey(
                role="customs",
                holder="customs",
                key=attester.public(suite).encode(),
                seal_key=seal.public,
                proof=attester.prove_possession(suite, ORIGIN, "customs", seal.public, randomness),
            )
        ],
        kinds=[
            Kind(
                name=_KIND,
                attester="customs",
                restores=["released", "repaid-own-funds"],
                counters=[_COUNTER],
                use="cumulative",
                reservation_days=90,
                applications="optional",
                shares={},
            )
        ],
    )


@dataclass(frozen=True, repr=False)
class Document:
    """A document, its owner's key for it, the opening of its limit, and how much is left on it."""

    state: DocumentState
    secret: ViewSecret
    limit: Opening
    left: int


@dataclass(frozen=True, repr=False)
class Loan:
    """A draw with the bank's key for it and the opening of what is outstanding."""

    state: DrawState
    key: SigningSecret
    outstanding: Opening


def document(world: World, index: int) -> Document:
    """The document of this index as if it were registered: what a draw must prove does not depend on how it came in."""
    suite, seeded = world.suite, SeededRandomness(b"benchmarks document %d" % index)
    blinding = random_nonzero_scalar(seeded, suite.group)
    owner = blind_view_key(suite, world.owner.public(suite), blinding)
    opening = fresh_opening(suite, LIMIT, seeded)
    limit = handled_commitment(suite, opening, owner, world.parameters.regulator)
    state = DocumentState(
        document=seeded.read(32),
        kind=_KIND,
        counter=_COUNTER,
        currency=_CURRENCY,
        epoch=world.parameters.epoch,
        owner=owner,
        limit=limit,
        residual=limit,
        head=seeded.read(32),
        draws=0,
        status=CLEARED,
        revision=seeded.read(32),
        replacement=ABSENT,
        taken=False,
        overdrawn=ABSENT,
    )
    return Document(state, world.owner.blinded(suite, blinding), opening, LIMIT)


def register(world: World, paper: Document) -> Register:
    """The attester's registration of it."""
    return prove_register(
        world.suite,
        world.parameters,
        document=paper.state.document,
        kind=_KIND,
        counter=_COUNTER,
        status=paper.state.status,
        currency=_CURRENCY,
        owner=paper.state.owner,
        attester=world.attester,
        opening=paper.limit,
        memos=world.memos,
        randomness=world.randomness,
    )


def bank(world: World, number: int) -> SigningSecret:
    """The key of the bank of this number, the same in every process."""
    return SigningSecret.generate(world.suite, SeededRandomness(b"benchmarks bank %d" % number))


def draw_key(world: World, lender: SigningSecret | None = None) -> SigningSecret:
    """A fresh key of the world's bank, or of another, for one draw."""
    return (lender or world.bank).shifted(world.suite, random_nonzero_scalar(world.randomness, world.suite.group))


def bank_part(world: World, paper: Document, key: SigningSecret, opening: Opening, expires: int = EXPIRES) -> Draft:
    """The bank's draft of a draw of opening.amount."""
    return prove_draft(
        world.suite,
        world.parameters,
        ledger.facts(paper.state),
        draw=world.randomness.read(32),
        key=key,
        opening=opening,
        expires=expires,
        memos=world.memos,
        consent=None,
        asked=None,
        randomness=world.randomness,
    )


def owner_part(world: World, paper: Document, draft: Draft, opening: Opening) -> Headroom:
    """The owner's answer to the draft, which it checks first."""
    return prove_headroom(
        world.suite,
        world.parameters,
        paper.state,
        draft,
        prover=OWNER,
        secret=paper.secret,
        opening=opening,
        left=paper.left - opening.amount,
        randomness=world.randomness,
    )


def draw(
    world: World, paper: Document, amount: int, lender: SigningSecret | None = None, expires: int = EXPIRES
) -> tuple[Draw, SigningSecret, Opening]:
    """A whole draw of the world's bank, or of another, with the key and the opening of it."""
    key, opening = draw_key(world, lender), fresh_opening(world.suite, amount, world.randomness)
    draft = bank_part(world, paper, key, opening, expires)
    return Draw(draft, owner_part(world, paper, draft, opening)), key, opening


def after_draw(
    world: World, paper: Document, operation: Draw, key: SigningSecret, opening: Opening, leaf: bytes
) -> tuple[Document, Loan]:
    """Document and loan after the draw was committed."""
    state, drawn = ledger.drawn(world.parameters, paper.state, operation, leaf)
    return replace(paper, state=state, left=paper.left - opening.amount), Loan(drawn, key, opening)


def disburse(world: World, paper: Document, loan: Loan) -> Disburse:
    """The bank pays out all that is reserved."""
    operation, _ = prove_disburse(
        world.suite,
        world.parameters,
        ledger.facts(paper.state),
        loan.state,
        key=loan.key,
        outstanding=loan.outstanding,
        rest=None,
        memos=world.memos,
        randomness=world.randomness,
    )
    return operation


def after_disburse(paper: Document, loan: Loan, operation: Disburse, leaf: bytes) -> tuple[Document, Loan]:
    """Document and loan after all of it was paid out."""
    state, drawn = ledger.disbursed(paper.state, loan.state, operation, leaf)
    return replace(paper, state=state), replace(loan, state=drawn)


def reduce(world: World, paper: Document, loan: Loan, amount: int) -> tuple[Reduce, Opening]:
    """The bank's reduction of the loan from own funds, and the opening of the rest."""
    return prove_reduce(
        world.suite,
        world.parameters,
        ledger.facts(paper.state),
        loan.state,
        key=loan.key,
        outstanding=loan.outstanding,
        opening=fresh_opening(world.suite, amount, world.randomness),
        reason=REPAID_OWN_FUNDS,
        memos=world.memos,
        randomness=world.randomness,
    )


def after_reduce(
    world: World, paper: Document, loan: Loan, operation: Reduce, rest: Opening, leaf: bytes
) -> tuple[Document, Loan]:
    """Document and loan after the reduction was committed."""
    state, reduced = ledger.reduced(world.parameters, paper.state, loan.state, operation, leaf)
    left = paper.left + loan.outstanding.amount - rest.amount
    return replace(paper, state=state, left=left), replace(loan, state=reduced, outstanding=rest)


def close(world: World, paper: Document, loan: Loan) -> Close:
    """The bank closes a loan of which nothing is outstanding."""
    return prove_close(
        world.suite,
        world.parameters,
        ledger.facts(paper.state),
        loan.state,
        key=loan.key,
        outstanding=loan.outstanding,
        randomness=world.randomness,
    )


def view(world: World, paper: Document) -> View:
    """The owner asks for the document's private state."""
    return prove_view(
        world.suite,
        world.parameters,
        ledger.facts(paper.state),
        reader=OWNER,
        secret=paper.secret,
        issued=TIME,
        randomness=world.randomness,
    )
