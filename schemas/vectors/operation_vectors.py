"""Writes the vectors of whole operations: verified against a given state, as the service and the auditor do it.

Here are the mutations of registering, drawing, reducing, closing and viewing; those of the rest of a life are in lives.py.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.messages import CloseMessage, DrawMessage, ReduceMessage, RegisterMessage
from schemas.vectors import dishonest
from schemas.vectors.cast import COUNTER, CURRENCY, EXPIRES, KIND, ORIGIN, SINGLE, TIME, Cast, memos, word
from schemas.vectors.dishonest import Secret
from schemas.vectors.lives import reject_lives
from schemas.vectors.replay import parameters_fields, parse_document, parse_draw
from schemas.vectors.sheet import Patch, Sheet, Vector, replaced
from schemas.vectors.story import (
    CONSENTED,
    ENDS,
    FIRST,
    LIMIT,
    PARTS,
    REPAID,
    ZEROS,
    Changes,
    Story,
    flipped,
    memo_mutations,
    proof_mutations,
    shifted,
)
from schemas.wire import decode_base64url, encode_base64url
from zkcore import ledger
from zkcore.commitments import HandledCommitment
from zkcore.ledger import DocumentState
from zkcore.operations import STATUSES, Consent, Draft, Draw
from zkcore.randomness import SeededRandomness
from zkcore.secret.keys import SigningSecret, ViewSecret
from zkcore.secret.operations import ConsentRequest, prove_consent
from zkcore.suite import Suite

_REGISTER = ("register.proof", "register.range")
_BANK = "draw.commitment"
_HEADROOM = ("draw.headroom", "draw.range")
_DRAW = (_BANK, *_HEADROOM)
_REDUCE = ("reduce.proof", "reduce.range")


def write_operations(suite: Suite) -> Sheet:
    """All operations of a log: what is accepted, and everything that must not be."""
    about = "Whole operations: `message` is the wire's, `state` the verifier's own before it, `after` its state afterwards."
    story = Story(Sheet(suite, "operations", about), Cast(suite))
    story.tell()
    for part in (_reject_registers, _lie_about_limits, _reject_draws, _lie_about_headroom, _reject_consented):
        part(story)
    for part in (_reject_reductions, _lie_about_reductions, _reject_closures, _reject_views):
        part(story)
    reject_lives(story)
    return story.sheet


# --- register -------------------------------------------------------------------------------------------------------------


def _reject_registers(story: Story) -> None:
    base, message, other = "register/first", story.message("register/first"), story.message("register/other")
    suite, cast = story.suite, story.cast

    change = Changes(story, base)

    change("origin", "the log is another", "/parameters/origin", f"other.{ORIGIN}", *_REGISTER)
    change("document", "the document is another", "/message/document", other["document"], *_REGISTER)
    change("document-absent", "the document's id is all zero", "/message/document", ZEROS, error="context")
    change("currency", "the currency is another", "/message/currency", "EUR", *_REGISTER)
    change("kind-unknown", "the log has no such kind", "/message/kind", "tax-filing", error="state")
    change("kind-of-other-role", "documents of the kind are attested by another role", "/message/kind", SINGLE, error="key")
    change("counter-unknown", "the kind has no such counter", "/message/counter", "refund", error="state")
    change("counter", "the counter is another one of the kind's", "/message/counter", "payment", *_REGISTER)
    for status in ("frozen", "returned", "deleted"):
        change(f"status-{status}", f"the document is registered as {status}", "/message/status", status, error="state")
    change("status", "the status is another", "/message/status", "declared", *_REGISTER)
    kinds = parameters_fields(story.parameters)["kinds"]
    kinds["tax-filing"] = kinds[KIND]
    patch = replaced("/message/kind", "tax-filing") + replaced("/parameters/kinds", kinds)
    story.reject(base, "kind", "the kind is another one of the log's", patch, *_REGISTER)
    change("epoch-stale", "the epoch is not the log's", "/message/epoch", 2, error="state")
    patch = replaced("/message/epoch", 2) + replaced("/parameters/epoch", 2)
    story.reject(base, "epoch", "message and log are of the next epoch", patch, *_REGISTER)
    stranger = cast.other_bank.public(suite)
    key = encode_base64url(stranger.encode())
    change("attester-unknown", "the attester is not one of the log's", "/message/attester", key, error="key")
    attesters = [*parameters_fields(story.parameters)["attesters"], {"key": stranger.encode().hex(), "role": "customs"}]
    patch = replaced("/message/attester", key) + replaced("/parameters/attesters", attesters)
    story.reject(base, "attester", "the attester is another one of the log's", patch, "register.proof")
    key = encode_base64url(cast.carrier.public(suite).encode())
    change("attester-of-other-role", "the attester is the log's, but of another role", "/message/attester", key, error="key")
    regulator = encode_base64url(story.parameters.regulator.encode())
    change("owner-is-regulator", "the owner's key is the regulator's", "/message/owner", regulator, error="key")
    change("owner-is-attester", "the owner's key is the attester's", "/message/owner", message["attester"], error="key")
    change("owner", "the owner's key is another", "/message/owner", other["owner"], "register.proof")
    key = cast.enterprise.public(suite).encode().hex()
    change("regulator", "the regulator's key is another", "/parameters/regulator", key, "register.proof")
    for part, name in enumerate(PARTS):
        labels = _REGISTER if part == 0 else ("register.proof",)
        change(
            f"limit-{name}",
            f"the {name} part of the limit is another",
            "/message/limit",
            shifted(story, message["limit"], part),
            *labels,
        )
    for name, words, patch in memo_mutations("/message/memos", message["memos"]):
        story.reject(base, name, words, patch, *_REGISTER)
    proof_mutations(story, base, "/message/proof", "register.proof", other["proof"])
    proof_mutations(story, base, "/message/range_proof", "register.range", other["range_proof"])


def _lie_about_limits(story: Story) -> None:
    suite, cast = story.suite, story.cast
    for name, limit in (("zero", 0), ("negative", -1), ("too-large", 1 << 48), ("2**64", 1 << 64)):
        operation = dishonest.register(
            suite,
            story.parameters,
            document=word("document/a"),
            kind=KIND,
            counter=COUNTER,
            status="cleared",
            currency=CURRENCY,
            owner=cast.owner("a").public(suite),
            attester=cast.attester,
            limit=Secret(limit, cast.scalar(f"limit/lie/{name}")),
            memos=memos("register/first"),
            randomness=SeededRandomness(word(f"seed/limit/{name}")),
        )
        patch = replaced("/message", RegisterMessage.of(operation).model_dump(mode="json"))
        words = f"the limit is {limit}, by an attester whose program does not check"
        story.reject("register/first", f"limit-{name}", words, patch, "register.range")


# --- draw -----------------------------------------------------------------------------------------------------------------


def _reject_draws(story: Story) -> None:
    base, message, other = "draw/first", story.message("draw/first"), story.message("draw/other")
    suite, vector = story.suite, story.sheet.vector("draw/first")

    change = Changes(story, base)

    change("origin", "the log is another", "/parameters/origin", f"other.{ORIGIN}", *_DRAW)
    key = story.cast.enterprise.public(suite).encode().hex()
    change("regulator", "the regulator's key is another", "/parameters/regulator", key, _BANK)
    elsewhere = story.sheet.vector("draw/other")["state"]["document"]
    change("document", "the state is another document's", "/state/document", elsewhere, error="state")
    patch = replaced("/state/document", elsewhere) + replaced("/message/draft/document", other["draft"]["document"])
    story.reject(base, "on-other-document", "state and draft name another document", patch, *_DRAW)
    change("older-head", "the document's head is another", "/state/document/head", word("older head").hex(), *_HEADROOM)
    after = vector["after"]["document"]
    change("replayed", "the same draw again, on the state it left", "/state/document", after, *_HEADROOM)
    change("residual", "the residual is another", "/state/document/residual", elsewhere["residual"], "draw.headroom")
    change("currency", "the document's currency is another", "/state/document/currency", "EUR", *_DRAW)
    change("epoch", "the document's epoch is the next", "/state/document/epoch", 2, *_DRAW)
    change("owner", "the document's owner is another", "/state/document/owner", elsewhere["owner"], _BANK, "draw.headroom")
    change("too-many-draws", "the document has carried 2**20 draws", "/state/document/draws", 1 << 20, error="state")
    change("draw", "the draw's id is another", "/message/draft/draw", other["draft"]["draw"], *_DRAW)
    change("draw-absent", "the draw's id is all zero", "/message/draft/draw", ZEROS, error="context")
    change("key", "the draw's key is another bank's", "/message/draft/key", other["draft"]["key"], *_DRAW)
    change("expires", "the expiry is a second later", "/message/draft/expires", EXPIRES + 1, *_DRAW)
    for part, name in enumerate(PARTS):
        moved = shifted(story, message["draft"]["amount"], part)
        change(f"amount-{name}", f"the {name} part of the amount is another", "/message/draft/amount", moved, *_DRAW)
    _refuse_by_rule(change, vector)
    for name, words, patch in memo_mutations("/message/draft/memos", message["draft"]["memos"]):
        story.reject(base, name, words, patch, *_DRAW)
    change("left", "the commitment to what is left is another", "/message/headroom/left", other["headroom"]["left"], *_HEADROOM)
    change("prover", "the regulator is said to have proven", "/message/headroom/prover", "regulator", error="state")
    change("other-line", "the headroom part is another line's", "/message/headroom", other["headroom"], *_HEADROOM)
    draft = {**other["draft"], "document": message["draft"]["document"]}
    change("other-draft", "the bank's part is another line's", "/message/draft", draft, *_DRAW)
    proof_mutations(story, base, "/message/draft/proof", _BANK, other["draft"]["proof"])
    proof_mutations(story, base, "/message/headroom/proof", "draw.headroom", other["headroom"]["proof"])
    proof_mutations(story, base, "/message/headroom/range_proof", "draw.range", other["headroom"]["range_proof"])
    before = story.sheet.vector("draw/first")["state"]["document"]
    patch = replaced("/state/document", story.after("draw/single"))
    story.reject("draw/single", "again", "the document of single use is in use by this draw", patch, error="state")
    words = "the state is older than the one that the headroom was proven on"
    story.reject("draw/second", "older-state", words, replaced("/state/document", before), *_HEADROOM)


def _refuse_by_rule(change: Changes, vector: Vector) -> None:
    """What is refused whatever is proven: the document's status, its use, the time, a missing application."""
    for status in STATUSES:
        if status != "cleared":
            change(f"status-{status}", f"the document is {status}", "/state/document/status", status, error="state")
    head = vector["state"]["document"]["head"]
    change("overdrawn", "the document was shown to be overdrawn", "/state/document/overdrawn", head, error="state")
    change("taken", "the document is of single use and in use", "/state/document/taken", True, error="state")
    change("time", "the draft has expired", "/time", EXPIRES + 1, error="state")
    path = f"/parameters/kinds/{KIND}"
    change("reservation", "the kind has shorter reservations", f"{path}/reservation", EXPIRES - TIME - 1, error="state")
    change("application-required", "the kind needs an application", f"{path}/applied_for", True, error="state")
    moves = encode_base64url(word("another"))
    change("moves", "the draft names a draw to take over, and there is none", "/message/draft/moves", moves, error="state")


def _lie_about_headroom(story: Story) -> None:
    """On a document of 100,000,000 that nobody has drawn on."""
    owner = story.cast.owner("a")
    lies = {
        "one-too-much": ("the draw is one more than the limit: what is left is -1", LIMIT + 1, -1, owner, ("draw.range",)),
        "far-too-much": ("the draw is 2**47 above the limit", LIMIT + 2**47, -(2**47), owner, ("draw.range",)),
        "said-to-suffice": ("the draw is one too much and what is left said to be 0", LIMIT + 1, 0, owner, ("draw.headroom",)),
        "amount-zero": ("the amount is 0", 0, LIMIT, owner, ("draw.range",)),
        "amount-negative": ("the amount is -1, which would raise the headroom", -1, LIMIT + 1, owner, ("draw.range",)),
        "bank-alone": ("the bank proves with a key of its own", FIRST, LIMIT - FIRST, ViewSecret(7), ("draw.headroom",)),
        "other-owner": (
            "the key is that of the same owner for another document",
            FIRST,
            LIMIT - FIRST,
            story.cast.owner("b"),
            ("draw.headroom",),
        ),
    }
    for name, (words, amount, left, secret, labels) in lies.items():
        draft, headroom_of = _dishonest_draft(story, name, Secret(amount, story.cast.scalar(f"lie/{name}")))
        operation = _with_headroom(story, draft, headroom_of, left, secret, name)
        story.reject("draw/first", f"lie-{name}", words, _draw_patch(operation), *labels)
    _lie_about_handles(story)
    _cancel_blindings(story)


def _dishonest_draft(
    story: Story, name: str, amount: Secret, committed: HandledCommitment | None = None
) -> tuple[Draft, Secret]:
    draft = dishonest.draft(
        story.suite,
        story.parameters,
        ledger.facts(story.document("register/first")),
        draw=word(f"draw/lie/{name}"),
        key=story.cast.draw_key("draw/first"),
        amount=amount,
        expires=EXPIRES,
        memos=memos("draw/first"),
        randomness=SeededRandomness(word(f"seed/draft/{name}")),
        committed=committed,
    )
    return draft, amount


def _with_headroom(story: Story, draft: Draft, amount: Secret, left: int, secret: ViewSecret, name: str) -> Draw:
    headroom = dishonest.headroom(
        story.suite,
        story.parameters,
        story.document("register/first"),
        draft,
        prover="owner",
        secret=secret,
        amount=amount,
        left=left,
        randomness=SeededRandomness(word(f"seed/headroom/{name}")),
    )
    return Draw(draft, headroom)


def _draw_patch(operation: Draw) -> Patch:
    return replaced("/message", DrawMessage.of(operation).model_dump(mode="json"))


def _lie_about_handles(story: Story) -> None:
    """Handles to wrong keys, and one by which bank and owner would together shift what is left."""
    suite, cast, mul = story.suite, story.cast, story.suite.group.mul
    honest = Secret(FIRST, cast.scalar("lie/handles"))
    owner, regulator = cast.owner("a").public(suite), story.parameters.regulator
    handles = honest.handled(suite, owner, regulator)
    stranger = mul(honest.blinding, cast.other_bank.public(suite))
    for name, words, committed, labels in (
        ("handle-owner", "the owner's handle is for another key", replace(handles, owner=stranger), (_BANK, "draw.headroom")),
        ("handle-regulator", "the regulator's handle is for another key", replace(handles, regulator=stranger), (_BANK,)),
    ):
        draft, amount = _dishonest_draft(story, name, honest, committed)
        operation = _with_headroom(story, draft, amount, LIMIT - FIRST, cast.owner("a"), name)
        story.reject("draw/first", f"lie-{name}", words, _draw_patch(operation), *labels)

    # The owner knows s: a handle with the component s**-1 * delta * G makes the headroom proof true for delta more.
    excess = 50_000_000
    overdrawn = Secret(LIMIT + excess, cast.scalar("lie/shifted"))
    component = mul(pow(cast.owner("a").scalar, -1, suite.group.order) * excess, suite.G)
    committed = overdrawn.handled(suite, owner, regulator)
    draft, amount = _dishonest_draft(story, "shifted", overdrawn, replace(committed, owner=committed.owner + component))
    operation = _with_headroom(story, draft, amount, 0, cast.owner("a"), "shifted")
    words = "owner and bank overdraw by 50,000,000 with a component of G in the owner's handle"
    story.reject("draw/first", "lie-handle-shifted", words, _draw_patch(operation), _BANK)


def _cancel_blindings(story: Story) -> None:
    """Bank and owner choose the blinding of the limit, so that the residual would stand without one."""
    amount = Secret(FIRST, story.cast.opening(LIMIT, "limit/a").blinding)
    draft, _ = _dishonest_draft(story, "cancelled", amount)
    operation = _with_headroom(story, draft, amount, LIMIT - FIRST, story.cast.owner("a"), "cancelled")
    words = "the draw's blinding is the limit's, so that the residual would have none"
    story.reject("draw/first", "cancelled-blinding", words, _draw_patch(operation), error="identity")


# --- draw with a consent beforehand ---------------------------------------------------------------------------------------


def _reject_consented(story: Story) -> None:
    base, message = "draw/consented", story.message("draw/consented")
    first = story.message("draw/first")
    everything = (_BANK, "draw.consent", *_HEADROOM)

    change = Changes(story, base)

    change("consent-missing", "there is no consent", "/message/draft/consent", None, error="state")
    change("prover", "the owner is said to have proven", "/message/headroom/prover", "owner", error="state")
    application = encode_base64url(word("another application"))
    change("application", "the application is another", "/message/draft/consent/application", application, *everything)
    change("asked", "the amount asked is another", "/message/draft/consent/asked", first["draft"]["key"], *everything)
    change(
        "asked-is-amount",
        "the amount asked is the draw's commitment itself",
        "/message/draft/consent/asked",
        encode_base64url(decode_base64url(message["draft"]["amount"])[:33]),
        *everything,
    )
    change("expires", "the expiry is a second later", "/message/draft/expires", EXPIRES + 1, *everything)
    change("key", "the draw's key is another", "/message/draft/key", first["draft"]["key"], *everything)
    change("older-head", "the document's head is another", "/state/document/head", word("older head").hex(), *_HEADROOM)
    regulator = story.cast.other_bank.public(story.suite).encode().hex()
    change("regulator", "the regulator's key is another", "/parameters/regulator", regulator, _BANK, "draw.headroom")
    other = story.sheet.vector("view/owner")["message"]["proof"]
    proof_mutations(story, base, "/message/draft/consent/proof", "draw.consent", other)
    _misuse_consents(story)


def _misuse_consents(story: Story) -> None:
    """A consent that holds, used for what it does not say. Everything else about these draws is proven as it should be."""
    suite, cast = story.suite, story.cast
    document, key = story.document("draw/first"), cast.draw_key("draw/consented")
    asked = cast.opening(CONSENTED, "draw/consented/asked")
    request = ConsentRequest(word("application/misused"), key.public(suite), asked, EXPIRES)

    def consent(of: DocumentState, owner: ViewSecret, requested: ConsentRequest) -> Consent:
        randomness = SeededRandomness(word("seed/consent"))
        return prove_consent(suite, story.parameters, ledger.facts(of), owner, requested, randomness)

    honest = consent(document, cast.owner("a"), request)
    elsewhere = consent(story.document("register/other"), cast.owner("b"), request)
    replaced_key = cast.other_bank.shifted(suite, cast.scalar("shift/draw/consented"))
    own = replace(request, key=replaced_key.public(suite))
    cases = (
        ("other-bank", "the consent is for another bank", honest, replaced_key, CONSENTED, EXPIRES, "draw.consent"),
        ("other-amount", "the consent is for another amount", honest, key, CONSENTED + 1, EXPIRES, _BANK),
        ("other-document", "the consent is for another document", elsewhere, key, CONSENTED, EXPIRES, "draw.consent"),
        ("expired-later", "the consent expires earlier", honest, key, CONSENTED, EXPIRES + 60, "draw.consent"),
        (
            "by-bank",
            "the bank made the consent itself",
            consent_by(story, own),
            replaced_key,
            CONSENTED,
            EXPIRES,
            "draw.consent",
        ),
    )
    for name, words, given, signer, amount, expires, label in cases:
        operation = _consented(story, document, given, signer, Secret(amount, cast.scalar("misused")), expires, name)
        story.reject("draw/consented", f"consent-{name}", words, _draw_patch(operation), label)


def consent_by(story: Story, request: ConsentRequest) -> Consent:
    """A consent by somebody who does not know the owner's key."""
    document = replace(ledger.facts(story.document("draw/first")), owner=ViewSecret(7).public(story.suite))
    return prove_consent(
        story.suite, story.parameters, document, ViewSecret(7), request, SeededRandomness(word("seed/by-bank"))
    )


def _consented(
    story: Story, document: DocumentState, consent: Consent, key: SigningSecret, amount: Secret, expires: int, name: str
) -> Draw:
    suite, cast = story.suite, story.cast
    asked = cast.opening(CONSENTED, "draw/consented/asked")
    draft = dishonest.draft(
        suite,
        story.parameters,
        ledger.facts(document),
        draw=word(f"draw/misused/{name}"),
        key=key,
        amount=amount,
        expires=expires,
        memos=memos("draw/consented"),
        randomness=SeededRandomness(word(f"seed/misused/{name}")),
        consent=consent,
        asked=Secret(asked.amount, asked.blinding),
    )
    headroom = dishonest.headroom(
        suite,
        story.parameters,
        document,
        draft,
        prover="regulator",
        secret=cast.regulator,
        amount=amount,
        left=LIMIT - FIRST - amount.amount,
        randomness=SeededRandomness(word(f"seed/misused-headroom/{name}")),
    )
    return Draw(draft, headroom)


# --- reduce, close, view --------------------------------------------------------------------------------------------------


def _reject_reductions(story: Story) -> None:
    base, message = "reduce/own-funds", story.message("reduce/own-funds")
    other, vector = story.message("reduce/one"), story.sheet.vector("reduce/own-funds")
    elsewhere = story.sheet.vector("draw/other")["after"]

    change = Changes(story, base)

    change("origin", "the log is another", "/parameters/origin", f"other.{ORIGIN}", *_REDUCE)
    change("older-head", "the draw's head is another", "/state/draw/head", word("older head").hex(), *_REDUCE)
    change("replayed", "the same reduction again, on the state it left", "/state/draw", vector["after"]["draw"], *_REDUCE)
    for stage in ("reserved", *ENDS):
        change(f"stage-{stage}", f"the draw is {stage}", "/state/draw/stage", stage, error="state")
    change(
        "released",
        "the draw is disbursed, and the reduction said to be a release",
        "/message/reason",
        "released",
        error="state",
    )
    for reason in ("repaid-own-funds", "repaid-proceeds", "written-off"):
        patch = replaced("/message/reason", reason)
        story.reject("reduce/one", reason, f"the draw is reserved, and the reduction said to be {reason}", patch, error="state")
    change("other-draw", "the state is another draw's", "/state/draw", elsewhere["draw"], error="state")
    change("other-document", "the draw is on another document", "/state/document", elsewhere["document"], error="state")
    change("draw", "the reduction names another draw", "/message/draw", encode_base64url(word("another")), error="state")
    change("currency", "the document's currency is another", "/state/document/currency", "EUR", *_REDUCE)
    change("epoch", "the document's epoch is the next", "/state/document/epoch", 2, *_REDUCE)
    key = elsewhere["draw"]["key"]
    change("key", "the draw's key is another bank's", "/state/draw/key", key, "reduce.proof")
    outstanding = elsewhere["draw"]["outstanding"]
    change("outstanding", "what is outstanding is another", "/state/draw/outstanding", outstanding, "reduce.range")
    change("reason", "the reason is another", "/message/reason", "repaid-proceeds", *_REDUCE)
    for part, name in enumerate(PARTS):
        labels = _REDUCE if part == 0 else ("reduce.proof",)
        moved = shifted(story, message["amount"], part)
        change(f"amount-{name}", f"the {name} part of the amount is another", "/message/amount", moved, *labels)
    for name, words, patch in memo_mutations("/message/memos", message["memos"]):
        story.reject(base, name, words, patch, *_REDUCE)
    proof_mutations(story, base, "/message/proof", "reduce.proof", other["proof"])
    proof_mutations(story, base, "/message/range_proof", "reduce.range", other["range_proof"])


def _lie_about_reductions(story: Story) -> None:
    suite, cast, bank = story.suite, story.cast, story.cast.draw_key("draw/first")
    document, draw = story.document("disburse/all"), story.drawn("disburse/all")
    opening = cast.opening(FIRST, "draw/first")
    fresh = cast.scalar("lie/reduction")
    lies: dict[str, tuple[str, int, int, SigningSecret, tuple[str, ...], str]] = {
        "too-much": ("one more than is outstanding", FIRST + 1, fresh, bank, ("reduce.range",), ""),
        "zero": ("nothing", 0, fresh, bank, ("reduce.range",), ""),
        "negative": ("-1, which would raise what is outstanding", -1, fresh, bank, ("reduce.range",), ""),
        "other-bank": ("by another bank with its own key", REPAID, fresh, cast.other_bank, ("reduce.proof",), ""),
        "cancelled": ("with the draw's own blinding, which cancels", REPAID, opening.blinding, bank, (), "identity"),
    }
    for name, (words, amount, blinding, key, labels, error) in lies.items():
        operation = dishonest.reduce(
            suite,
            story.parameters,
            ledger.facts(document),
            draw,
            key=key,
            outstanding=Secret(opening.amount, opening.blinding),
            amount=Secret(amount, blinding),
            reason="repaid-own-funds",
            memos=memos("reduce/own-funds"),
            randomness=SeededRandomness(word(f"seed/reduction/{name}")),
        )
        patch = replaced("/message", ReduceMessage.of(operation).model_dump(mode="json"))
        story.reject("reduce/own-funds", f"lie-{name}", f"a reduction: {words}", patch, *labels, error=error)


def _reject_closures(story: Story) -> None:
    base, suite, cast = "close", story.suite, story.cast
    vector, elsewhere = story.sheet.vector("close"), story.sheet.vector("draw/other")["after"]

    change = Changes(story, base)

    change("origin", "the log is another", "/parameters/origin", f"other.{ORIGIN}", "close.proof")
    change("older-head", "the draw's head is another", "/state/draw/head", word("older head").hex(), "close.proof")
    change("closed", "the draw is closed already", "/state/draw", vector["after"]["draw"], error="state")
    for stage in ENDS:
        change(f"stage-{stage}", f"the draw is {stage}", "/state/draw/stage", stage, error="state")
    change("other-draw", "the state is another draw's", "/state/draw", elsewhere["draw"], error="state")
    change("other-document", "the draw is on another document", "/state/document", elsewhere["document"], error="state")
    change("draw", "the closure names another draw", "/message/draw", encode_base64url(word("another")), error="state")
    change("key", "the draw's key is another bank's", "/state/draw/key", elsewhere["draw"]["key"], "close.proof")
    change("currency", "the document's currency is another", "/state/document/currency", "EUR", "close.proof")
    outstanding = story.sheet.vector("reduce/rest")["state"]["draw"]["outstanding"]
    change("outstanding", "something is outstanding", "/state/draw/outstanding", outstanding, "close.proof")
    other = story.message("view/owner")["proof"]
    proof_mutations(story, base, "/message/proof", "close.proof", other)

    before = story.sheet.vector("reduce/rest")["state"]
    key, blinding = cast.draw_key("draw/first"), story.outstanding().blinding
    for name, words, signer in (
        ("", "the bank closes while", key),
        ("-other-bank", "another bank closes while", cast.other_bank),
    ):
        operation = dishonest.close(
            suite,
            story.parameters,
            ledger.facts(parse_document(suite.group, before["document"])),
            parse_draw(suite.group, before["draw"]),
            key=signer,
            blinding=blinding,
            randomness=SeededRandomness(word(f"seed/closure{name}")),
        )
        patch = replaced("/message", CloseMessage.of(operation).model_dump(mode="json")) + replaced("/state", before)
        story.reject(base, f"lie-outstanding{name}", f"{words} 40,000,000 are outstanding", patch, "close.proof")


def _reject_views(story: Story) -> None:
    other = story.sheet.vector("draw/other")["after"]["document"]
    for reader in ("owner", "regulator"):
        base, message = f"view/{reader}", story.message(f"view/{reader}")

        change = Changes(story, base)

        change("origin", "the log is another", "/parameters/origin", f"other.{ORIGIN}", "view")
        change("nonce", "the nonce is another", "/message/nonce", flipped(message["nonce"]), "view")
        change("issued", "the time is a second later", "/message/issued", EXPIRES + 1, "view")
        change("state", "the state is another document's", "/state/document", other, error="state")
        patch = replaced("/state/document", other) + replaced(
            "/message/document", story.message("draw/other")["draft"]["document"]
        )
        story.reject(base, "document", "state and message name another document", patch, "view")
        swapped = "regulator" if reader == "owner" else "owner"
        change("reader", "the reader is said to be the other", "/message/reader", swapped, "view")
        proof_mutations(story, base, "/message/proof", "view", story.message(f"view/{swapped}")["proof"])
