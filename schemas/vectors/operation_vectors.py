"""Writes the vectors of whole operations: verified against a given state, as the service and the auditor do it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from schemas.messages import CloseMessage, DrawMessage, ReduceMessage, RegisterMessage
from schemas.vectors import dishonest
from schemas.vectors.cast import CURRENCY, EXPIRES, KIND, ORIGIN, Cast, memos, word
from schemas.vectors.dishonest import Secret
from schemas.vectors.replay import parameters_fields, parse_document, parse_draw, scalar_text
from schemas.vectors.sheet import Patch, Sheet, Vector, replaced
from schemas.wire import decode_base64url, encode_base64url
from zkcore import ledger
from zkcore.amounts import MAXIMUM
from zkcore.commitments import HandledCommitment
from zkcore.ledger import DocumentState, DrawState
from zkcore.operations import Consent, Draft, Draw, Memos
from zkcore.randomness import SeededRandomness
from zkcore.secret.keys import SigningSecret, ViewSecret
from zkcore.secret.operations import ConsentRequest, prove_consent
from zkcore.suite import Suite

_LIMIT, _FIRST, _SECOND, _CONSENTED, _REPAID = 100_000_000, 60_000_000, 40_000_000, 10_000_000, 20_000_000

_REGISTER = ("register.proof", "register.range")
_BANK = "draw.commitment"
_HEADROOM = ("draw.headroom", "draw.range")
_DRAW = (_BANK, *_HEADROOM)
_REDUCE = ("reduce.proof", "reduce.range")


def write_operations(suite: Suite) -> Sheet:
    """Register, draw, reduce, close and view: one story of a document, and everything that must not happen to it."""
    about = "Whole operations: `message` is the wire's, `state` the verifier's own before it, `after` its state afterwards."
    story = _Story(Sheet(suite, "operations", about), Cast(suite))
    story.register()
    story.draw()
    story.reduce_and_close()
    story.view()
    for part in (_reject_registers, _lie_about_limits, _reject_draws, _lie_about_headroom, _reject_consented):
        part(story)
    for part in (_reject_reductions, _lie_about_reductions, _reject_closures, _reject_views):
        part(story)
    return story.sheet


class _Story:
    """The accepted operations, each on the state that those before it left."""

    def __init__(self, sheet: Sheet, cast: Cast) -> None:
        self.sheet, self.cast, self.suite = sheet, cast, sheet.suite
        self.parameters = cast.parameters

    def _accept(self, name: str, operation: str, state: Mapping[str, Any], inputs: Mapping[str, Any]) -> Vector:
        vector = {
            "operation": operation,
            "parameters": parameters_fields(self.parameters),
            "state": state,
            "inputs": {**inputs, "seed": word(f"seed/operation/{name}").hex()},
            "leaf": word(f"leaf/{name}").hex(),
        }
        return self.sheet.accept(name, vector)

    def reject(self, base: str, name: str, mutation: str, patch: Patch, *labels: str, error: str = "") -> None:
        """A batch whose failing claims are exactly these, or (with `error`) what is refused before any proof is looked at."""
        self.sheet.reject(
            base, name, mutation, patch, *([error] if error else ["sigma", "range", "length", "point", "scalar", "identity"])
        )
        failures = self.sheet.rejected(f"{base}/{name}").get("failures", {})
        if set(failures) != set(labels):
            raise ValueError(f"{base}/{name} fails in {sorted(failures)}, not in {sorted(labels)}")

    def document(self, name: str) -> DocumentState:
        """The document's state after an accepted operation."""
        return parse_document(self.suite.group, self.sheet.vector(name)["after"]["document"])

    def drawn(self, name: str) -> DrawState:
        """The draw's state after an accepted operation."""
        return parse_draw(self.suite.group, self.sheet.vector(name)["after"]["draw"])

    def _secret(self, amount: int, name: str) -> dict[str, Any]:
        return {"amount": amount, "blinding": scalar_text(self.suite, self.cast.opening(amount, name).blinding)}

    def _text(self, secret: ViewSecret | SigningSecret) -> str:
        return scalar_text(self.suite, secret.scalar)

    # --- the story --------------------------------------------------------------------------------------------------------

    def register(self) -> None:
        for name, document, limit in (
            ("register/first", "a", _LIMIT),
            ("register/other", "b", _LIMIT),
            ("register/one", "c", 1),
            ("register/largest", "d", MAXIMUM),
        ):
            inputs = {
                "document": word(f"document/{document}").hex(),
                "kind": KIND,
                "currency": CURRENCY,
                "owner_secret": self._text(self.cast.owner(document)),
                "attester_secret": self._text(self.cast.attester),
                "limit": self._secret(limit, f"limit/{document}"),
                "memos": _memo_fields(memos(name)),
            }
            self._accept(name, "register", {"document": None, "draw": None}, inputs)

    def draw(self) -> None:
        self._draw("draw/first", "register/first", "a", _FIRST, _LIMIT - _FIRST)
        self._draw("draw/second", "draw/first", "a", _SECOND, 0)
        self._draw("draw/other", "register/other", "b", _FIRST, _LIMIT - _FIRST)
        self._draw("draw/smallest", "register/one", "c", 1, 0)
        self._draw("draw/consented", "draw/first", "a", _CONSENTED, _LIMIT - _FIRST - _CONSENTED, consented=True)

    def _draw(self, name: str, before: str, document: str, amount: int, left: int, consented: bool = False) -> None:
        owner = self._text(self.cast.owner(document))
        consent = {
            "application": word(f"application/{name}").hex(),
            "asked": self._secret(amount, f"{name}/asked"),
            "owner_secret": owner,
        }
        inputs = {
            "draw": word(f"draw/{name}").hex(),
            "draw_key_secret": self._text(self.cast.draw_key(name)),
            "amount": self._secret(amount, name),
            "expires": EXPIRES,
            "consent": consent if consented else None,
            "prover": "regulator" if consented else "owner",
            "prover_secret": self._text(self.cast.regulator) if consented else owner,
            "left": left,
            "memos": _memo_fields(memos(name)),
        }
        self._accept(name, "draw", {"document": self.sheet.vector(before)["after"]["document"], "draw": None}, inputs)

    def reduce_and_close(self) -> None:
        self._reduce("reduce/own-funds", "draw/first", _FIRST, "draw/first", _REPAID, "repaid-own-funds")
        rest, name = _FIRST - _REPAID, "reduce/rest"
        self._reduce("reduce/proceeds", "draw/first", _FIRST, "draw/first", _REPAID, "repaid-proceeds")
        self._reduce("reduce/one", "draw/first", _FIRST, "draw/first", 1, "released")
        self._reduce(name, "reduce/own-funds", rest, "", rest, "written-off")
        inputs = {"draw_key_secret": self._text(self.cast.draw_key("draw/first")), "outstanding": self._left_over()}
        self._accept("close", "close", dict(self.sheet.vector(name)["after"]), inputs)

    def _reduce(self, name: str, before: str, outstanding: int, opened: str, amount: int, reason: str) -> None:
        opening = self.cast.opening(outstanding, opened) if opened else self.outstanding()
        inputs = {
            "draw_key_secret": self._text(self.cast.draw_key("draw/first")),
            "outstanding": {"amount": opening.amount, "blinding": scalar_text(self.suite, opening.blinding)},
            "amount": self._secret(amount, name),
            "reason": reason,
            "memos": _memo_fields(memos(name)),
        }
        self._accept(name, "reduce", dict(self.sheet.vector(before)["after"]), inputs)

    def outstanding(self) -> Any:
        """The opening of what is outstanding on the first draw after its repayment from own funds."""
        drawn, repaid = self.cast.opening(_FIRST, "draw/first"), self.cast.opening(_REPAID, "reduce/own-funds")
        return drawn.minus(self.suite, repaid)

    def _left_over(self) -> dict[str, Any]:
        rest = self.outstanding().minus(self.suite, self.cast.opening(_FIRST - _REPAID, "reduce/rest"))
        return {"amount": rest.amount, "blinding": scalar_text(self.suite, rest.blinding)}

    def view(self) -> None:
        for reader, secret in (("owner", self.cast.owner("a")), ("regulator", self.cast.regulator)):
            inputs = {"reader": reader, "reader_secret": self._text(secret), "issued": EXPIRES}
            state = {"document": self.sheet.vector("draw/first")["after"]["document"], "draw": None}
            self._accept(f"view/{reader}", "view", state, inputs)


def _memo_fields(pair: Memos) -> dict[str, str]:
    return {"owner": pair.owner.hex(), "regulator": pair.regulator.hex()}


def _message(story: _Story, name: str) -> Any:
    return story.sheet.vector(name)["message"]


def _flipped(text: str) -> str:
    """Base64url with the last bit of its bytes flipped."""
    data = decode_base64url(text)
    return encode_base64url(data[:-1] + bytes([data[-1] ^ 1]))


def _moved(story: _Story, text: str, part: int) -> str:
    """A commitment with handles (base64url) of which one part is another point."""
    handled = HandledCommitment.decode(story.suite.group, decode_base64url(text))
    parts = [handled.commitment, handled.owner, handled.regulator]
    parts[part] = parts[part] + story.suite.G
    return encode_base64url(HandledCommitment(*parts).encode())


_PARTS = ("commitment", "owner", "regulator")


def _memo_mutations(path: str, message: Mapping[str, str]) -> Iterable[tuple[str, str, Patch]]:
    swapped = {"owner": message["regulator"], "regulator": message["owner"]}
    yield "memos-swapped", "the memos are exchanged", replaced(path, swapped)
    for reader in ("owner", "regulator"):
        patch = replaced(f"{path}/{reader}", _flipped(message[reader]))
        yield f"memo-{reader}", f"a bit of the {reader}'s memo is flipped", patch


def _proof_mutations(story: _Story, base: str, path: str, label: str, other: str) -> None:
    """A proof replaced by another accepted operation's, cut and lengthened."""
    message: Any = story.sheet.vector(base)
    for name in path.removeprefix("/").split("/"):
        message = message[name]
    proof, name = decode_base64url(message), path.removeprefix("/message/").replace("/", "-")
    story.reject(base, f"{name}-other", "the proof is another operation's", replaced(path, other), label)
    for change, words, data in (
        ("truncated", "the last byte of the proof is missing", proof[:-1]),
        ("extended", "a zero byte is appended to the proof", proof + b"\0"),
        ("changed", "the last scalar of the proof is one more or less", proof[:-1] + bytes([proof[-1] ^ 1])),
    ):
        story.reject(base, f"{name}-{change}", words, replaced(path, encode_base64url(data)), label)


# --- register -------------------------------------------------------------------------------------------------------------


def _reject_registers(story: _Story) -> None:
    base, message, other = "register/first", _message(story, "register/first"), _message(story, "register/other")
    suite, cast = story.suite, story.cast

    def change(name: str, words: str, path: str, value: Any, *labels: str, error: str = "") -> None:
        story.reject(base, name, words, replaced(path, value), *labels, error=error)

    change("origin", "the log is another", "/parameters/origin", f"other.{ORIGIN}", *_REGISTER)
    change("document", "the document is another", "/message/document", other["document"], *_REGISTER)
    zeros = encode_base64url(bytes(32))
    change("document-absent", "the document's id is all zero", "/message/document", zeros, error="context")
    change("currency", "the currency is another", "/message/currency", "EUR", *_REGISTER)
    change("kind-unknown", "the log has no such kind", "/message/kind", "tax-filing", error="state")
    kinds = {**parameters_fields(story.parameters)["kinds"], "tax-filing": []}
    patch = replaced("/message/kind", "tax-filing") + replaced("/parameters/kinds", kinds)
    story.reject(base, "kind", "the kind is another one of the log's", patch, *_REGISTER)
    change("epoch-stale", "the epoch is not the log's", "/message/epoch", 2, error="state")
    patch = replaced("/message/epoch", 2) + replaced("/parameters/epoch", 2)
    story.reject(base, "epoch", "message and log are of the next epoch", patch, *_REGISTER)
    stranger = cast.other_bank.public(suite)
    key = encode_base64url(stranger.encode())
    change("attester-unknown", "the attester is not one of the log's", "/message/attester", key, error="key")
    attesters = [*parameters_fields(story.parameters)["attesters"], stranger.encode().hex()]
    patch = replaced("/message/attester", key) + replaced("/parameters/attesters", attesters)
    story.reject(base, "attester", "the attester is another one of the log's", patch, "register.proof")
    regulator = encode_base64url(story.parameters.regulator.encode())
    change("owner-is-regulator", "the owner's key is the regulator's", "/message/owner", regulator, error="key")
    change("owner-is-attester", "the owner's key is the attester's", "/message/owner", message["attester"], error="key")
    change("owner", "the owner's key is another", "/message/owner", other["owner"], "register.proof")
    key = cast.enterprise.public(suite).encode().hex()
    change("regulator", "the regulator's key is another", "/parameters/regulator", key, "register.proof")
    for part, name in enumerate(_PARTS):
        labels = _REGISTER if part == 0 else ("register.proof",)
        change(
            f"limit-{name}",
            f"the {name} part of the limit is another",
            "/message/limit",
            _moved(story, message["limit"], part),
            *labels,
        )
    for name, words, patch in _memo_mutations("/message/memos", message["memos"]):
        story.reject(base, name, words, patch, *_REGISTER)
    _proof_mutations(story, base, "/message/proof", "register.proof", other["proof"])
    _proof_mutations(story, base, "/message/range_proof", "register.range", other["range_proof"])


def _lie_about_limits(story: _Story) -> None:
    suite, cast = story.suite, story.cast
    for name, limit in (("zero", 0), ("negative", -1), ("too-large", 1 << 48), ("2**64", 1 << 64)):
        operation = dishonest.register(
            suite,
            story.parameters,
            document=word("document/a"),
            kind=KIND,
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


def _reject_draws(story: _Story) -> None:
    base, message, other = "draw/first", _message(story, "draw/first"), _message(story, "draw/other")
    suite, vector = story.suite, story.sheet.vector("draw/first")

    def change(name: str, words: str, path: str, value: Any, *labels: str, error: str = "") -> None:
        story.reject(base, name, words, replaced(path, value), *labels, error=error)

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
    zeros = encode_base64url(bytes(32))
    change("draw-absent", "the draw's id is all zero", "/message/draft/draw", zeros, error="context")
    change("key", "the draw's key is another bank's", "/message/draft/key", other["draft"]["key"], *_DRAW)
    change("expires", "the expiry is a second later", "/message/draft/expires", EXPIRES + 1, *_DRAW)
    for part, name in enumerate(_PARTS):
        moved = _moved(story, message["draft"]["amount"], part)
        change(f"amount-{name}", f"the {name} part of the amount is another", "/message/draft/amount", moved, *_DRAW)
    for name, words, patch in _memo_mutations("/message/draft/memos", message["draft"]["memos"]):
        story.reject(base, name, words, patch, *_DRAW)
    change("left", "the commitment to what is left is another", "/message/headroom/left", other["headroom"]["left"], *_HEADROOM)
    change("prover", "the regulator is said to have proven", "/message/headroom/prover", "regulator", error="state")
    change("other-line", "the headroom part is another line's", "/message/headroom", other["headroom"], *_HEADROOM)
    draft = {**other["draft"], "document": message["draft"]["document"]}
    change("other-draft", "the bank's part is another line's", "/message/draft", draft, *_DRAW)
    _proof_mutations(story, base, "/message/draft/proof", _BANK, other["draft"]["proof"])
    _proof_mutations(story, base, "/message/headroom/proof", "draw.headroom", other["headroom"]["proof"])
    _proof_mutations(story, base, "/message/headroom/range_proof", "draw.range", other["headroom"]["range_proof"])
    before = story.sheet.vector("draw/first")["state"]["document"]
    words = "the state is older than the one that the headroom was proven on"
    story.reject("draw/second", "older-state", words, replaced("/state/document", before), *_HEADROOM)


def _lie_about_headroom(story: _Story) -> None:
    """On a document of 100,000,000 that nobody has drawn on."""
    owner = story.cast.owner("a")
    lies = {
        "one-too-much": ("the draw is one more than the limit: what is left is -1", _LIMIT + 1, -1, owner, ("draw.range",)),
        "far-too-much": ("the draw is 2**47 above the limit", _LIMIT + 2**47, -(2**47), owner, ("draw.range",)),
        "said-to-suffice": ("the draw is one too much and what is left said to be 0", _LIMIT + 1, 0, owner, ("draw.headroom",)),
        "amount-zero": ("the amount is 0", 0, _LIMIT, owner, ("draw.range",)),
        "amount-negative": ("the amount is -1, which would raise the headroom", -1, _LIMIT + 1, owner, ("draw.range",)),
        "bank-alone": ("the bank proves with a key of its own", _FIRST, _LIMIT - _FIRST, ViewSecret(7), ("draw.headroom",)),
        "other-owner": (
            "the key is that of the same owner for another document",
            _FIRST,
            _LIMIT - _FIRST,
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
    story: _Story, name: str, amount: Secret, committed: HandledCommitment | None = None
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


def _with_headroom(story: _Story, draft: Draft, amount: Secret, left: int, secret: ViewSecret, name: str) -> Draw:
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


def _lie_about_handles(story: _Story) -> None:
    """Handles to wrong keys, and one by which bank and owner would together shift what is left."""
    suite, cast, mul = story.suite, story.cast, story.suite.group.mul
    honest = Secret(_FIRST, cast.scalar("lie/handles"))
    owner, regulator = cast.owner("a").public(suite), story.parameters.regulator
    handles = honest.handled(suite, owner, regulator)
    stranger = mul(honest.blinding, cast.other_bank.public(suite))
    for name, words, committed, labels in (
        ("handle-owner", "the owner's handle is for another key", replace(handles, owner=stranger), (_BANK, "draw.headroom")),
        ("handle-regulator", "the regulator's handle is for another key", replace(handles, regulator=stranger), (_BANK,)),
    ):
        draft, amount = _dishonest_draft(story, name, honest, committed)
        operation = _with_headroom(story, draft, amount, _LIMIT - _FIRST, cast.owner("a"), name)
        story.reject("draw/first", f"lie-{name}", words, _draw_patch(operation), *labels)

    # The owner knows s: a handle with the component s**-1 * delta * G makes the headroom proof true for delta more.
    excess = 50_000_000
    overdrawn = Secret(_LIMIT + excess, cast.scalar("lie/shifted"))
    component = mul(pow(cast.owner("a").scalar, -1, suite.group.order) * excess, suite.G)
    committed = overdrawn.handled(suite, owner, regulator)
    draft, amount = _dishonest_draft(story, "shifted", overdrawn, replace(committed, owner=committed.owner + component))
    operation = _with_headroom(story, draft, amount, 0, cast.owner("a"), "shifted")
    words = "owner and bank overdraw by 50,000,000 with a component of G in the owner's handle"
    story.reject("draw/first", "lie-handle-shifted", words, _draw_patch(operation), _BANK)


def _cancel_blindings(story: _Story) -> None:
    """Bank and owner choose the blinding of the limit, so that the residual would stand without one."""
    amount = Secret(_FIRST, story.cast.opening(_LIMIT, "limit/a").blinding)
    draft, _ = _dishonest_draft(story, "cancelled", amount)
    operation = _with_headroom(story, draft, amount, _LIMIT - _FIRST, story.cast.owner("a"), "cancelled")
    words = "the draw's blinding is the limit's, so that the residual would have none"
    story.reject("draw/first", "cancelled-blinding", words, _draw_patch(operation), error="identity")


# --- draw with a consent beforehand ---------------------------------------------------------------------------------------


def _reject_consented(story: _Story) -> None:
    base, message = "draw/consented", _message(story, "draw/consented")
    first = _message(story, "draw/first")
    everything = (_BANK, "draw.consent", *_HEADROOM)

    def change(name: str, words: str, path: str, value: Any, *labels: str, error: str = "") -> None:
        story.reject(base, name, words, replaced(path, value), *labels, error=error)

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
    _proof_mutations(story, base, "/message/draft/consent/proof", "draw.consent", other)
    _misuse_consents(story)


def _misuse_consents(story: _Story) -> None:
    """A consent that holds, used for what it does not say. Everything else about these draws is proven as it should be."""
    suite, cast = story.suite, story.cast
    document, key = story.document("draw/first"), cast.draw_key("draw/consented")
    asked = cast.opening(_CONSENTED, "draw/consented/asked")
    request = ConsentRequest(word("application/misused"), key.public(suite), asked, EXPIRES)

    def consent(of: DocumentState, owner: ViewSecret, requested: ConsentRequest) -> Consent:
        randomness = SeededRandomness(word("seed/consent"))
        return prove_consent(suite, story.parameters, ledger.facts(of), owner, requested, randomness)

    honest = consent(document, cast.owner("a"), request)
    elsewhere = consent(story.document("register/other"), cast.owner("b"), request)
    replaced_key = cast.other_bank.shifted(suite, cast.scalar("shift/draw/consented"))
    own = replace(request, key=replaced_key.public(suite))
    cases = (
        ("other-bank", "the consent is for another bank", honest, replaced_key, _CONSENTED, EXPIRES, "draw.consent"),
        ("other-amount", "the consent is for another amount", honest, key, _CONSENTED + 1, EXPIRES, _BANK),
        ("other-document", "the consent is for another document", elsewhere, key, _CONSENTED, EXPIRES, "draw.consent"),
        ("expired-later", "the consent expires earlier", honest, key, _CONSENTED, EXPIRES + 60, "draw.consent"),
        (
            "by-bank",
            "the bank made the consent itself",
            consent_by(story, own),
            replaced_key,
            _CONSENTED,
            EXPIRES,
            "draw.consent",
        ),
    )
    for name, words, given, signer, amount, expires, label in cases:
        operation = _consented(story, document, given, signer, Secret(amount, cast.scalar("misused")), expires, name)
        story.reject("draw/consented", f"consent-{name}", words, _draw_patch(operation), label)


def consent_by(story: _Story, request: ConsentRequest) -> Consent:
    """A consent by somebody who does not know the owner's key."""
    document = replace(ledger.facts(story.document("draw/first")), owner=ViewSecret(7).public(story.suite))
    return prove_consent(
        story.suite, story.parameters, document, ViewSecret(7), request, SeededRandomness(word("seed/by-bank"))
    )


def _consented(
    story: _Story, document: DocumentState, consent: Consent, key: SigningSecret, amount: Secret, expires: int, name: str
) -> Draw:
    suite, cast = story.suite, story.cast
    asked = cast.opening(_CONSENTED, "draw/consented/asked")
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
        left=_LIMIT - _FIRST - amount.amount,
        randomness=SeededRandomness(word(f"seed/misused-headroom/{name}")),
    )
    return Draw(draft, headroom)


# --- reduce, close, view --------------------------------------------------------------------------------------------------


def _reject_reductions(story: _Story) -> None:
    base, message = "reduce/own-funds", _message(story, "reduce/own-funds")
    other, vector = _message(story, "reduce/one"), story.sheet.vector("reduce/own-funds")
    elsewhere = story.sheet.vector("draw/other")["after"]

    def change(name: str, words: str, path: str, value: Any, *labels: str, error: str = "") -> None:
        story.reject(base, name, words, replaced(path, value), *labels, error=error)

    change("origin", "the log is another", "/parameters/origin", f"other.{ORIGIN}", *_REDUCE)
    change("older-head", "the draw's head is another", "/state/draw/head", word("older head").hex(), *_REDUCE)
    change("replayed", "the same reduction again, on the state it left", "/state/draw", vector["after"]["draw"], *_REDUCE)
    change("closed", "the draw is closed", "/state/draw/closed", True, error="state")
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
    for part, name in enumerate(_PARTS):
        labels = _REDUCE if part == 0 else ("reduce.proof",)
        moved = _moved(story, message["amount"], part)
        change(f"amount-{name}", f"the {name} part of the amount is another", "/message/amount", moved, *labels)
    for name, words, patch in _memo_mutations("/message/memos", message["memos"]):
        story.reject(base, name, words, patch, *_REDUCE)
    _proof_mutations(story, base, "/message/proof", "reduce.proof", other["proof"])
    _proof_mutations(story, base, "/message/range_proof", "reduce.range", other["range_proof"])


def _lie_about_reductions(story: _Story) -> None:
    suite, cast, bank = story.suite, story.cast, story.cast.draw_key("draw/first")
    document, draw = story.document("draw/first"), story.drawn("draw/first")
    opening = cast.opening(_FIRST, "draw/first")
    fresh = cast.scalar("lie/reduction")
    lies: dict[str, tuple[str, int, int, SigningSecret, tuple[str, ...], str]] = {
        "too-much": ("one more than is outstanding", _FIRST + 1, fresh, bank, ("reduce.range",), ""),
        "zero": ("nothing", 0, fresh, bank, ("reduce.range",), ""),
        "negative": ("-1, which would raise what is outstanding", -1, fresh, bank, ("reduce.range",), ""),
        "other-bank": ("by another bank with its own key", _REPAID, fresh, cast.other_bank, ("reduce.proof",), ""),
        "cancelled": ("with the draw's own blinding, which cancels", _REPAID, opening.blinding, bank, (), "identity"),
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


def _reject_closures(story: _Story) -> None:
    base, suite, cast = "close", story.suite, story.cast
    vector, elsewhere = story.sheet.vector("close"), story.sheet.vector("draw/other")["after"]

    def change(name: str, words: str, path: str, value: Any, *labels: str, error: str = "") -> None:
        story.reject(base, name, words, replaced(path, value), *labels, error=error)

    change("origin", "the log is another", "/parameters/origin", f"other.{ORIGIN}", "close.proof")
    change("older-head", "the draw's head is another", "/state/draw/head", word("older head").hex(), "close.proof")
    change("closed", "the draw is closed already", "/state/draw", vector["after"]["draw"], error="state")
    change("other-draw", "the state is another draw's", "/state/draw", elsewhere["draw"], error="state")
    change("other-document", "the draw is on another document", "/state/document", elsewhere["document"], error="state")
    change("draw", "the closure names another draw", "/message/draw", encode_base64url(word("another")), error="state")
    change("key", "the draw's key is another bank's", "/state/draw/key", elsewhere["draw"]["key"], "close.proof")
    change("currency", "the document's currency is another", "/state/document/currency", "EUR", "close.proof")
    outstanding = story.sheet.vector("reduce/rest")["state"]["draw"]["outstanding"]
    change("outstanding", "something is outstanding", "/state/draw/outstanding", outstanding, "close.proof")
    other = _message(story, "view/owner")["proof"]
    _proof_mutations(story, base, "/message/proof", "close.proof", other)

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


def _reject_views(story: _Story) -> None:
    other = story.sheet.vector("draw/other")["after"]["document"]
    for reader in ("owner", "regulator"):
        base, message = f"view/{reader}", _message(story, f"view/{reader}")

        def change(name: str, words: str, path: str, value: Any, *labels: str, error: str = "", at: str = base) -> None:
            story.reject(at, name, words, replaced(path, value), *labels, error=error)

        change("origin", "the log is another", "/parameters/origin", f"other.{ORIGIN}", "view")
        change("nonce", "the nonce is another", "/message/nonce", _flipped(message["nonce"]), "view")
        change("issued", "the time is a second later", "/message/issued", EXPIRES + 1, "view")
        change("state", "the state is another document's", "/state/document", other, error="state")
        patch = replaced("/state/document", other) + replaced(
            "/message/document", _message(story, "draw/other")["draft"]["document"]
        )
        story.reject(base, "document", "state and message name another document", patch, "view")
        swapped = "regulator" if reader == "owner" else "owner"
        change("reader", "the reader is said to be the other", "/message/reader", swapped, "view")
        _proof_mutations(story, base, "/message/proof", "view", _message(story, f"view/{swapped}")["proof"])
