"""Mutations of what becomes of documents, applications and draws, from a status to an expiry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from schemas.messages import AmendMessage, DecideMessage, DisburseMessage, DrawMessage, OverdrawnMessage
from schemas.vectors import dishonest
from schemas.vectors.cast import EXPIRES, KIND, ORIGIN, SINGLE, memos, word
from schemas.vectors.dishonest import Secret
from schemas.vectors.replay import parameters_fields, parse_document
from schemas.vectors.sheet import Patch, replaced
from schemas.vectors.story import (
    ENDS,
    FIRST,
    LIMIT,
    LOWERED,
    PARTS,
    REST,
    ZEROS,
    Changes,
    Story,
    memo_mutations,
    proof_mutations,
    shifted,
)
from schemas.wire import encode_base64url
from zkcore import ledger
from zkcore.commitments import HandledCommitment
from zkcore.operations import Draw
from zkcore.randomness import SeededRandomness
from zkcore.secret.keys import SigningSecret, ViewSecret

_STATUS = "status.proof"
_AMEND = ("amend.proof", "amend.range")
_OVERDRAWN = ("overdrawn.proof", "overdrawn.range")
_APPLY = ("apply.consent", "apply.proof")
_DECIDE = "decide.proof"
_DISBURSE = ("disburse.proof", "disburse.range")
_ANOTHER = encode_base64url(word("another"))


def reject_lives(story: Story) -> None:
    """All of them."""
    for part in (_reject_statuses, _reject_replacements, _reject_amendments, _lie_about_amendments):
        part(story)
    for part in (_reject_overdrawn, _lie_about_overdrafts, _reject_applications, _reject_decisions, _reject_applied):
        part(story)
    for part in (_reject_moves, _lie_about_moves, _reject_disbursements, _lie_about_disbursements, _reject_expiries):
        part(story)


def _message_patch(message: Any) -> Patch:
    return replaced("/message", message.model_dump(mode="json"))


def _of_everything(change: Changes, *labels: str) -> None:
    """What every proof of these operations is bound to besides its own fields."""
    change("origin", "the log is another", "/parameters/origin", f"other.{ORIGIN}", *labels)
    change("currency", "the document's currency is another", "/state/document/currency", "EUR", *labels)
    change("epoch", "the document's epoch is the next", "/state/document/epoch", 2, *labels)


# --- documents ------------------------------------------------------------------------------------------------------------


def _reject_attesters(story: Story, base: str, label: str) -> None:
    """Who may say what becomes of a document."""
    change, suite, cast = Changes(story, base), story.suite, story.cast
    stranger, carrier = cast.other_bank.public(suite), cast.carrier.public(suite)
    key = encode_base64url(stranger.encode())
    change("attester-unknown", "the attester is not one of the log's", "/message/attester", key, error="key")
    other = encode_base64url(carrier.encode())
    change("attester-of-other-role", "the attester is the log's, but of another role", "/message/attester", other, error="key")
    change("kind-of-other-role", "the document's kind is attested by another role", "/state/document/kind", SINGLE, error="key")
    attesters = [*parameters_fields(story.parameters)["attesters"], {"key": stranger.encode().hex(), "role": "customs"}]
    patch = replaced("/message/attester", key) + replaced("/parameters/attesters", attesters)
    story.reject(base, "attester", "the attester is another one of this role", patch, label)


def _reject_statuses(story: Story) -> None:
    base, message = "status/freeze", story.message("status/freeze")
    change, elsewhere = Changes(story, base), story.after("register/other")
    _of_everything(change, _STATUS)
    _reject_attesters(story, base, _STATUS)
    change("document", "the state is another document's", "/state/document", elsewhere, error="state")
    patch = replaced("/state/document", elsewhere) + replaced("/message/document", story.message("register/other")["document"])
    story.reject(base, "on-other-document", "state and message name another document", patch, _STATUS)
    change("older-revision", "the document's revision is another", "/state/document/revision", word("older").hex(), _STATUS)
    change("replayed", "the same change again, on the state it left", "/state/document", story.after(base), error="state")
    words = "the same change again, when the document had been cleared anew"
    change("replayed-later", words, "/state/document", story.after("status/unfreeze"), _STATUS)
    change("status", "the status is another that could follow", "/message/status", "returned", _STATUS)
    for before, after in (("cleared", "declared"), ("cleared", "customs-released"), ("cleared", "cleared")):
        patch = replaced("/state/document/status", before) + replaced("/message/status", after)
        story.reject(base, f"{before}-to-{after}", f"a document that is {before} becomes {after}", patch, error="state")
    for before in ("returned", "deleted"):
        change(f"from-{before}", f"the document is {before}", "/state/document/status", before, error="state")
    change("replacement", "a document that is frozen is replaced", "/message/replacement", _ANOTHER, error="state")
    for name, words, patch in memo_mutations("/message/memos", message["memos"]):
        story.reject(base, name, words, patch, _STATUS)
    proof_mutations(story, base, "/message/proof", _STATUS, story.message("status/return")["proof"])


def _reject_replacements(story: Story) -> None:
    base = "status/replace"
    change = Changes(story, base)
    change("other", "the replacement is another", "/message/replacement", _ANOTHER, _STATUS)
    change("none", "there is no replacement", "/message/replacement", None, _STATUS)
    change("itself", "the document is said to replace itself", "/message/replacement", _own_id(story, base), error="state")
    change("zeros", "the replacement is 32 zero bytes, for null", "/message/replacement", ZEROS, error="encoding")
    change("returned", "the document is said to be returned", "/message/status", "returned", error="state")
    change = Changes(story, "status/delete")
    replacement = story.message(base)["replacement"]
    change("replacement", "a replacement stands where none was said", "/message/replacement", replacement, _STATUS)


def _own_id(story: Story, base: str) -> Any:
    return story.message(base)["document"]


def _reject_amendments(story: Story) -> None:
    base, message, other = "amend/up", story.message("amend/up"), story.message("amend/down")
    change, suite, elsewhere = Changes(story, base), story.suite, story.after("register/other")
    _of_everything(change, *_AMEND)
    _reject_attesters(story, base, "amend.proof")
    change("document", "the state is another document's", "/state/document", elsewhere, error="state")
    patch = replaced("/state/document", elsewhere) + replaced("/message/document", story.message("register/other")["document"])
    story.reject(base, "on-other-document", "state and message name another document", patch, *_AMEND)
    change("older-revision", "the document's revision is another", "/state/document/revision", word("older").hex(), *_AMEND)
    change("replayed", "the same amendment again, on the state it left", "/state/document", story.after(base), *_AMEND)
    change("after-a-freeze", "the document was frozen since", "/state/document", story.after("status/freeze"), *_AMEND)
    for status in ("returned", "deleted"):
        change(f"status-{status}", f"the document is {status}", "/state/document/status", status, error="state")
    change("reason", "the reason is another", "/message/reason", "partly-returned", *_AMEND)
    change("owner", "the document's owner is another", "/state/document/owner", elsewhere["owner"], "amend.proof")
    key = story.cast.enterprise.public(suite).encode().hex()
    change("regulator", "the regulator's key is another", "/parameters/regulator", key, "amend.proof")
    for part, name in enumerate(PARTS):
        labels = _AMEND if part == 0 else ("amend.proof",)
        moved = shifted(story, message["limit"], part)
        change(f"limit-{name}", f"the {name} part of the limit is another", "/message/limit", moved, *labels)
    for name, words, patch in memo_mutations("/message/memos", message["memos"]):
        story.reject(base, name, words, patch, *_AMEND)
    proof_mutations(story, base, "/message/proof", "amend.proof", other["proof"])
    proof_mutations(story, base, "/message/range_proof", "amend.range", other["range_proof"])


def _lie_about_amendments(story: Story) -> None:
    suite, cast, document = story.suite, story.cast, story.document("draw/first")
    fresh = cast.scalar("lie/amendment")
    honest = Secret(LIMIT, fresh).handled(suite, document.owner, story.parameters.regulator)
    stranger = suite.group.mul(fresh, cast.other_bank.public(suite))
    blinding_of_draw = cast.opening(FIRST, "draw/first").blinding
    lies: dict[str, tuple[str, Secret, dict[str, Any], tuple[str, ...], str]] = {
        "zero": ("to 0", Secret(0, fresh), {}, ("amend.range",), ""),
        "negative": ("to -1", Secret(-1, fresh), {}, ("amend.range",), ""),
        "too-large": ("to 2**48", Secret(1 << 48, fresh), {}, ("amend.range",), ""),
        "2**64": ("to 2**64", Secret(1 << 64, fresh), {}, ("amend.range",), ""),
        "handle-owner": (
            "with an owner's handle for another key",
            Secret(LIMIT, fresh),
            {"committed": replace(honest, owner=stranger)},
            ("amend.proof",),
            "",
        ),
        "handle-regulator": (
            "with a regulator's handle for another key",
            Secret(LIMIT, fresh),
            {"committed": replace(honest, regulator=stranger)},
            ("amend.proof",),
            "",
        ),
        "by-a-bank": (
            "by a bank in the attester's name",
            Secret(LIMIT, fresh),
            {"attester": cast.bank, "named": cast.attester.public(suite)},
            ("amend.proof",),
            "",
        ),
        "cancelled": ("with the draw's blinding, which cancels", Secret(LIMIT, blinding_of_draw), {}, (), "identity"),
    }
    for name, (words, limit, changed, labels, error) in lies.items():
        arguments: dict[str, Any] = {
            "attester": cast.attester,
            "limit": limit,
            "reason": "amended",
            "memos": memos("amend/up"),
            "randomness": SeededRandomness(word(f"seed/amendment/{name}")),
        }
        operation = dishonest.amend(suite, story.parameters, ledger.attested_facts(document), **{**arguments, **changed})
        patch = _message_patch(AmendMessage.of(operation))
        story.reject("amend/up", f"lie-{name}", f"an amendment {words}", patch, *labels, error=error)


def _reject_overdrawn(story: Story) -> None:
    base, other = "overdrawn", story.message("overdrawn/one")
    change, elsewhere = Changes(story, base), story.after("register/other")
    _of_everything(change, *_OVERDRAWN)
    change("document", "the state is another document's", "/state/document", elsewhere, error="state")
    patch = replaced("/state/document", elsewhere) + replaced("/message/document", story.message("register/other")["document"])
    story.reject(base, "on-other-document", "state and message name another document", patch, *_OVERDRAWN)
    change("older-head", "the document's head is another", "/state/document/head", word("older head").hex(), *_OVERDRAWN)
    change("replayed", "the same again, on the state it left", "/state/document", story.after(base), error="state")
    words = "the document was amended upwards since"
    change("after-an-amendment", words, "/state/document", story.after("amend/largest"), *_OVERDRAWN)
    residual = elsewhere["residual"]
    change("residual", "the residual is another", "/state/document/residual", residual, "overdrawn.proof")
    key = story.cast.enterprise.public(story.suite).encode().hex()
    change("regulator", "the regulator's key is another", "/parameters/regulator", key, "overdrawn.proof")
    change("over", "the commitment to the excess is another", "/message/over", other["over"], *_OVERDRAWN)
    proof_mutations(story, base, "/message/proof", "overdrawn.proof", other["proof"])
    proof_mutations(story, base, "/message/range_proof", "overdrawn.range", other["range_proof"])


def _lie_about_overdrafts(story: Story) -> None:
    """By the regulator's key, of documents that are not overdrawn, and by other keys, of one that is."""
    suite, cast, regulator = story.suite, story.cast, story.cast.regulator
    left, over = LIMIT - FIRST, FIRST - LOWERED
    lies: dict[str, tuple[str, str, int, ViewSecret, str]] = {
        "headroom": ("40,000,000 are left, said to be an excess of -40,000,000", "draw/first", -left, regulator, "range"),
        "headroom-said": ("40,000,000 are left, said to be an excess of 1", "draw/first", 1, regulator, "proof"),
        "brim": ("nothing is left and nothing in excess", "amend/to-the-brim", 0, regulator, "range"),
        "brim-said": ("nothing is left, said to be an excess of 1", "amend/to-the-brim", 1, regulator, "proof"),
        "more": ("one more than it is", "amend/down", over + 1, regulator, "proof"),
        "owner": ("proven by the document's owner", "amend/down", over, cast.owner("a"), "proof"),
        "stranger": ("proven with somebody's key", "amend/down", over, ViewSecret(7), "proof"),
    }
    for name, (words, on, excess, secret, label) in lies.items():
        document = story.document(on)
        seed = SeededRandomness(word(f"seed/overdraft/{name}"))
        operation = dishonest.overdrawn(suite, story.parameters, document, secret=secret, over=excess, randomness=seed)
        patch = _message_patch(OverdrawnMessage.of(operation)) + replaced("/state/document", story.after(on))
        story.reject("overdrawn", f"lie-{name}", f"the excess: {words}", patch, f"overdrawn.{label}")


# --- applications ---------------------------------------------------------------------------------------------------------


def _reject_applications(story: Story) -> None:
    base, message = "apply", story.message("apply")
    change, elsewhere = Changes(story, base), story.after("register/other")
    _of_everything(change, *_APPLY)
    change("document", "the state is another document's", "/state/document", elsewhere, error="state")
    patch = replaced("/state/document", elsewhere) + replaced("/message/document", story.message("register/other")["document"])
    story.reject(base, "on-other-document", "state and message name another document", patch, *_APPLY)
    change("draw", "the draw's id is another", "/message/draw", _ANOTHER, "apply.proof")
    change("draw-absent", "the draw's id is all zero", "/message/draw", ZEROS, error="context")
    change("key", "the draw's key is another bank's", "/message/key", story.message("draw/other")["draft"]["key"], *_APPLY)
    change("application", "the financing is another", "/message/application", _ANOTHER, *_APPLY)
    change("expires", "the expiry is a second later", "/message/expires", EXPIRES + 1, *_APPLY)
    change("expired", "the application has expired", "/time", EXPIRES + 1, error="state")
    change("owner", "the document's owner is another", "/state/document/owner", elsewhere["owner"], "apply.consent")
    for name, words, patch in memo_mutations("/message/memos", message["memos"]):
        story.reject(base, name, words, patch, "apply.proof")
    other = story.message("view/owner")["proof"]
    proof_mutations(story, base, "/message/consent", "apply.consent", other, "apply.proof")
    proof_mutations(story, base, "/message/proof", "apply.proof", story.message("decide/accept")["proof"])


def _reject_decisions(story: Story) -> None:
    base, message = "decide/accept", story.message("decide/accept")
    change, elsewhere = Changes(story, base), story.after("register/other")
    _of_everything(change, _DECIDE)
    change("older-head", "the application's head is another", "/state/application/head", word("older head").hex(), _DECIDE)
    replayed = story.after(base, "application")
    change("replayed", "the same decision again, on the state it left", "/state/application", replayed, error="state")
    change("decision", "the decision is another that could follow", "/message/decision", "rejected", _DECIDE)
    change("decision-too-early", "what is applied for is approved", "/message/decision", "approved", error="state")
    for stage in ("approved", "rejected", "reserved"):
        change(f"stage-{stage}", f"the application is {stage}", "/state/application/stage", stage, error="state")
    change("draw", "the decision names another draw", "/message/draw", _ANOTHER, error="state")
    change("document", "the application is for another document", "/state/document", elsewhere, error="state")
    key = story.after("draw/other", "draw")["key"]
    change("key", "the application's key is another bank's", "/state/application/key", key, _DECIDE)
    for name, words, patch in memo_mutations("/message/memos", message["memos"]):
        story.reject(base, name, words, patch, _DECIDE)
    proof_mutations(story, base, "/message/proof", _DECIDE, story.message("decide/reject-applied")["proof"])
    document = parse_document(story.suite.group, story.before(base)["document"])
    operation = dishonest.decide(
        story.suite,
        story.parameters,
        ledger.facts(document),
        story.application("apply"),
        key=story.cast.other_bank,
        decision="accepted",
        memos=memos(base),
        randomness=SeededRandomness(word("seed/decision/other-bank")),
    )
    patch = _message_patch(DecideMessage.of(operation))
    story.reject(base, "lie-other-bank", "another bank decides with its own key", patch, _DECIDE)


def _reject_applied(story: Story) -> None:
    base = "draw/applied"
    change = Changes(story, base)
    for stage in ("applied", "accepted", "rejected", "reserved"):
        change(f"application-{stage}", f"its application is {stage}", "/state/application/stage", stage, error="state")
    other = word("another").hex()
    change(
        "application-document", "its application is for another document", "/state/application/document", other, error="state"
    )
    change("application-draw", "its application is for another draw", "/state/application/draw", other, error="state")
    key = story.after("draw/other", "draw")["key"]
    change("application-key", "its application is another bank's", "/state/application/key", key, error="state")
    change("application-expired", "its application expires earlier", "/state/application/expires", EXPIRES - 1, error="state")
    patch = [*replaced(f"/parameters/kinds/{KIND}/applied_for", True), {"op": "remove", "path": "/state/application"}]
    story.reject(base, "application-missing", "its kind needs an application, and there is none", patch, error="state")


# --- draws that move ------------------------------------------------------------------------------------------------------


def _reject_moves(story: Story) -> None:
    base = "draw/moved"
    change, first = Changes(story, base), story.message("draw/first")
    change("moves", "the draw names another to take over", "/message/draft/moves", _ANOTHER, error="state")
    change("moves-nothing", "the draw names none to take over", "/message/draft/moves", None, error="state")
    gone: Patch = [{"op": "remove", "path": "/state/moved"}]
    story.reject(base, "unknown", "there is no such draw to take over", gone, error="state")
    for stage in ENDS:
        change(f"stage-{stage}", f"the draw to take over is {stage}", "/state/moved/stage", stage, error="state")
    change("replayed", "the draw was moved already", "/state/moved", story.after(base, "moved"), error="state")
    outstanding = story.after("draw/other", "draw")["outstanding"]
    change("outstanding", "what is outstanding is another", "/state/moved/outstanding", outstanding, "draw.commitment")
    change("repaid-since", "part was released since", "/state/moved", story.after("disburse/part", "draw"), "draw.commitment")
    key = story.after("draw/other", "draw")["key"]
    change("key-of-moved", "the draw to take over is another bank's", "/state/moved/key", key, error="state")
    change("key", "the draw's key is another", "/message/draft/key", story.message("draw/other")["draft"]["key"], error="state")
    change("moved-expires", "the reservation would last longer", "/state/moved/expires", EXPIRES - 1, error="state")
    other = word("another").hex()
    change("on-other-document", "the draw to take over is on another document", "/state/moved/document", other, error="state")
    change("replacement", "the document is replaced by another", "/state/replaced/replacement", other, error="state")
    absent = bytes(32).hex()
    change("not-replaced", "the document was not replaced", "/state/replaced/replacement", absent, error="state")
    for field, value in (("kind", SINGLE), ("counter", "payment"), ("currency", "EUR")):
        change(f"replaced-{field}", f"the {field} was another", f"/state/replaced/{field}", value, error="state")
    change("frozen", "the replacement is frozen", "/state/document/status", "frozen", error="state")
    change("taken", "the replacement is of single use and in use", "/state/document/taken", True, error="state")
    head = word("older head").hex()
    change("older-head", "the document's head is another", "/state/document/head", head, "draw.headroom", "draw.range")
    consent = story.message("draw/consented")["draft"]["consent"]
    change("consent", "there is a consent, too", "/message/draft/consent", consent, error="state")
    change("proof", "the proof is that of the first draw", "/message/draft/proof", first["draft"]["proof"], "draw.commitment")


def _lie_about_moves(story: Story) -> None:
    suite, cast, base = story.suite, story.cast, "draw/moved"
    document, moved = parse_document(suite.group, story.before(base)["document"]), story.drawn("draw/first")
    its = cast.opening(FIRST, "draw/first")
    own, foreign = cast.draw_key("draw/first"), cast.other_bank
    cases: tuple[tuple[str, str, int, SigningSecret], ...] = (
        ("more", "one more than is outstanding is moved", FIRST + 1, own),
        ("less", "one less than is outstanding is moved", FIRST - 1, own),
        ("other-bank", "another bank moves it in the name of the draw's key", FIRST, foreign),
    )
    for name, words, amount, key in cases:
        taken = Secret(amount, cast.scalar(f"lie/move/{name}"))
        draft = dishonest.draft(
            suite,
            story.parameters,
            ledger.facts(document),
            draw=word(f"draw/lie/move/{name}"),
            key=key,
            amount=taken,
            expires=EXPIRES,
            memos=memos(base),
            randomness=SeededRandomness(word(f"seed/move/{name}")),
            moved=(moved, Secret(its.amount, its.blinding)),
            named=moved.key,
        )
        headroom = dishonest.headroom(
            suite,
            story.parameters,
            document,
            draft,
            prover="owner",
            secret=cast.owner("g"),
            amount=taken,
            left=LIMIT - amount,
            randomness=SeededRandomness(word(f"seed/move-headroom/{name}")),
        )
        patch = _message_patch(DrawMessage.of(Draw(draft, headroom)))
        story.reject(base, f"lie-{name}", words, patch, "draw.commitment")


# --- disbursements and expiries -------------------------------------------------------------------------------------------


def _reject_disbursements(story: Story) -> None:
    base, message, other = "disburse/part", story.message("disburse/part"), story.message("disburse/all-but-one")
    change, elsewhere = Changes(story, base), story.sheet.vector("draw/other")["after"]
    _of_everything(change, *_DISBURSE)
    change("older-head", "the draw's head is another", "/state/draw/head", word("older head").hex(), *_DISBURSE)
    change("replayed", "the same again, on the state it left", "/state/draw", story.after(base, "draw"), error="state")
    for stage in ("disbursed", "partly-repaid", "partly-written-off", *ENDS):
        change(f"stage-{stage}", f"the draw is {stage}", "/state/draw/stage", stage, error="state")
    change("expired", "the reservation has expired", "/time", EXPIRES + 1, error="state")
    change("other-draw", "the state is another draw's", "/state/draw", elsewhere["draw"], error="state")
    change("other-document", "the draw is on another document", "/state/document", elsewhere["document"], error="state")
    change("draw", "the disbursement names another draw", "/message/draw", _ANOTHER, error="state")
    change("key", "the draw's key is another bank's", "/state/draw/key", elsewhere["draw"]["key"], "disburse.proof")
    outstanding = elsewhere["draw"]["outstanding"]
    change("outstanding", "what is outstanding is another", "/state/draw/outstanding", outstanding, "disburse.range")
    owner = elsewhere["document"]["owner"]
    change("owner", "the document's owner is another", "/state/document/owner", owner, "disburse.proof")
    for part, name in enumerate(PARTS):
        labels = _DISBURSE if part == 0 else ("disburse.proof",)
        moved = shifted(story, message["rest"], part)
        change(f"rest-{name}", f"the {name} part of the rest is another", "/message/rest", moved, *labels)
    change("rest-missing", "there is a range proof and no rest", "/message/rest", None, error="encoding")
    patch = replaced("/message/rest", None) + replaced("/message/range_proof", None)
    story.reject(base, "all", "it is said to be of everything", patch, "disburse.proof")
    change("range-missing", "there is a rest and no range proof", "/message/range_proof", None, "disburse.range")
    for name, words, patch in memo_mutations("/message/memos", message["memos"]):
        story.reject(base, name, words, patch, *_DISBURSE)
    proof_mutations(story, base, "/message/proof", "disburse.proof", other["proof"])
    proof_mutations(story, base, "/message/range_proof", "disburse.range", other["range_proof"])
    _reject_whole_disbursements(story)


def _reject_whole_disbursements(story: Story) -> None:
    base, message, part = "disburse/all", story.message("disburse/all"), story.message("disburse/part")
    change, elsewhere = Changes(story, base), story.sheet.vector("draw/other")["after"]
    _of_everything(change, "disburse.proof")
    change("older-head", "the draw's head is another", "/state/draw/head", word("older head").hex(), "disburse.proof")
    change("key", "the draw's key is another bank's", "/state/draw/key", elsewhere["draw"]["key"], "disburse.proof")
    change("rest", "a rest is added, without a range proof", "/message/rest", part["rest"], *_DISBURSE)
    change("range", "a range proof is added", "/message/range_proof", part["range_proof"], error="encoding")
    for name, words, patch in memo_mutations("/message/memos", message["memos"]):
        story.reject(base, name, words, patch, "disburse.proof")
    proof_mutations(story, base, "/message/proof", "disburse.proof", story.message("close")["proof"])


def _lie_about_disbursements(story: Story) -> None:
    suite, cast, bank = story.suite, story.cast, story.cast.draw_key("draw/first")
    document, draw = story.document("draw/first"), story.drawn("draw/first")
    opening, fresh = cast.opening(FIRST, "draw/first"), cast.scalar("lie/disbursement")
    honest = Secret(REST, fresh).handled(suite, document.owner, story.parameters.regulator)
    stranger = replace(honest, regulator=suite.group.mul(fresh, cast.other_bank.public(suite)))
    lies: dict[str, tuple[str, Secret | None, SigningSecret, HandledCommitment | None, tuple[str, ...], str]] = {
        "everything": ("all is released, and nothing paid out", Secret(FIRST, fresh), bank, None, ("disburse.range",), ""),
        "too-much": ("one more than is reserved is released", Secret(FIRST + 1, fresh), bank, None, ("disburse.range",), ""),
        "zero": ("nothing is released as a part", Secret(0, fresh), bank, None, ("disburse.range",), ""),
        "negative": ("-1 is released, to pay out one more", Secret(-1, fresh), bank, None, ("disburse.range",), ""),
        "other-bank": ("by another bank with its own key", Secret(REST, fresh), cast.other_bank, None, ("disburse.proof",), ""),
        "other-bank-all": ("by another bank, of everything", None, cast.other_bank, None, ("disburse.proof",), ""),
        "handle": ("the regulator's handle is for another key", Secret(REST, fresh), bank, stranger, ("disburse.proof",), ""),
        "cancelled": ("with the draw's own blinding", Secret(REST, opening.blinding), bank, None, (), "identity"),
    }
    for name, (words, rest, key, committed, labels, error) in lies.items():
        operation = dishonest.disburse(
            suite,
            story.parameters,
            ledger.facts(document),
            draw,
            key=key,
            outstanding=Secret(opening.amount, opening.blinding),
            rest=rest,
            memos=memos("disburse/part"),
            randomness=SeededRandomness(word(f"seed/disbursement/{name}")),
            committed=committed,
        )
        patch = _message_patch(DisburseMessage.of(operation))
        story.reject("disburse/part", f"lie-{name}", f"a disbursement: {words}", patch, *labels, error=error)


def _reject_expiries(story: Story) -> None:
    change = Changes(story, "expire")
    change("too-early", "the reservation lasts to this very second", "/time", EXPIRES, error="state")
    change("draw", "the expiry names another draw", "/message/draw", _ANOTHER, error="state")
    for stage in ("disbursed", "partly-repaid", "partly-written-off", *ENDS):
        change(f"stage-{stage}", f"the draw is {stage}", "/state/draw/stage", stage, error="state")
    change("moved", "the draw was moved to another document", "/state/draw", story.after("draw/moved", "moved"), error="state")
