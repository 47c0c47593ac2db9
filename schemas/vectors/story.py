"""The accepted operations of the vectors: lives of documents, applications and draws, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.vectors.cast import COUNTER, CURRENCY, EXPIRES, KIND, SINGLE, TIME, Cast, memos, word
from schemas.vectors.replay import parameters_fields, parse_application, parse_document, parse_draw, scalar_text
from schemas.vectors.sheet import Patch, Sheet, Vector, replaced
from schemas.wire import decode_base64url, encode_base64url
from zkcore.amounts import MAXIMUM
from zkcore.commitments import HandledCommitment
from zkcore.context import ABSENT
from zkcore.ledger import ApplicationState, DocumentState, DrawState
from zkcore.operations import Memos
from zkcore.secret.keys import SigningSecret, ViewSecret
from zkcore.secret.opening import Opening

LIMIT, FIRST, SECOND, CONSENTED, REPAID = 100_000_000, 60_000_000, 40_000_000, 10_000_000, 20_000_000
REST = 10_000_000
"""What is released when a draw is disbursed in part."""
LOWERED = 50_000_000
"""A limit that leaves a document overdrawn by FIRST - LOWERED."""

_FAILURES = ("sigma", "range", "length", "point", "scalar", "identity")


class Story:
    """The accepted operations, each on the state that those before it left."""

    def __init__(self, sheet: Sheet, cast: Cast) -> None:
        self.sheet, self.cast, self.suite = sheet, cast, sheet.suite
        self.parameters = cast.parameters

    def tell(self) -> None:
        """All of it."""
        for part in (self._register, self._draw, self._apply, self._disburse, self._reduce_and_close):
            part()
        for part in (self._change, self._show_overdrawn, self._move, self._expire, self._view):
            part()

    def _accept(
        self, name: str, operation: str, state: Mapping[str, Any], inputs: Mapping[str, Any], time: int = TIME
    ) -> Vector:
        vector = {
            "operation": operation,
            "parameters": parameters_fields(self.parameters),
            "state": state,
            "inputs": {**inputs, "seed": word(f"seed/operation/{name}").hex()},
            "time": time,
            "leaf": word(f"leaf/{name}").hex(),
        }
        return self.sheet.accept(name, vector)

    def reject(self, base: str, name: str, mutation: str, patch: Patch, *labels: str, error: str = "") -> None:
        """A batch whose failing claims are exactly these, or (with `error`) what is refused before any proof is looked at."""
        self.sheet.reject(base, name, mutation, patch, *([error] if error else _FAILURES))
        failures = self.sheet.rejected(f"{base}/{name}").get("failures", {})
        if set(failures) != set(labels):
            raise ValueError(f"{base}/{name} fails in {sorted(failures)}, not in {sorted(labels)}")

    def after(self, name: str, state: str = "document") -> dict[str, Any]:
        """A state after an accepted operation, as vectors write it."""
        fields: dict[str, Any] = self.sheet.vector(name)["after"][state]
        return fields

    def before(self, name: str) -> dict[str, Any]:
        """All states before an accepted operation, as vectors write them."""
        fields: dict[str, Any] = self.sheet.vector(name)["state"]
        return fields

    def message(self, name: str) -> Any:
        """The message of an accepted operation."""
        return self.sheet.vector(name)["message"]

    def document(self, name: str) -> DocumentState:
        """The document's state after an accepted operation."""
        return parse_document(self.suite.group, self.after(name))

    def drawn(self, name: str) -> DrawState:
        """The draw's state after an accepted operation."""
        return parse_draw(self.suite.group, self.after(name, "draw"))

    def application(self, name: str) -> ApplicationState:
        """The application's state after an accepted operation."""
        return parse_application(self.suite.group, self.after(name, "application"))

    def _of(self, opening: Opening) -> dict[str, Any]:
        return {"amount": opening.amount, "blinding": scalar_text(self.suite, opening.blinding)}

    def _secret(self, amount: int, name: str) -> dict[str, Any]:
        return self._of(self.cast.opening(amount, name))

    def _text(self, secret: ViewSecret | SigningSecret) -> str:
        return scalar_text(self.suite, secret.scalar)

    # --- documents --------------------------------------------------------------------------------------------------------

    def _register(self) -> None:
        for name, document, limit, kind, status in (
            ("register/first", "a", LIMIT, KIND, "cleared"),
            ("register/other", "b", LIMIT, KIND, "cleared"),
            ("register/one", "c", 1, KIND, "cleared"),
            ("register/largest", "d", MAXIMUM, KIND, "customs-released"),
            ("register/single", "e", LIMIT, SINGLE, "cleared"),
            ("register/declared", "f", LIMIT, KIND, "declared"),
            ("register/replacement", "g", LIMIT, KIND, "cleared"),
        ):
            inputs = {
                "document": word(f"document/{document}").hex(),
                "kind": kind,
                "counter": COUNTER,
                "status": status,
                "currency": CURRENCY,
                "owner_secret": self._text(self.cast.owner(document)),
                "attester_secret": self._text(self.cast.carrier if kind == SINGLE else self.cast.attester),
                "limit": self._secret(limit, f"limit/{document}"),
                "memos": memo_fields(memos(name)),
            }
            self._accept(name, "register", {"document": None}, inputs)

    def _change(self) -> None:
        for name, before, status, replacement in (
            ("status/freeze", "draw/first", "frozen", ABSENT),
            ("status/unfreeze", "status/freeze", "cleared", ABSENT),
            ("status/clear", "register/declared", "cleared", ABSENT),
            ("status/release", "register/declared", "customs-released", ABSENT),
            ("status/return", "draw/first", "returned", ABSENT),
            ("status/delete", "draw/first", "deleted", ABSENT),
            ("status/replace", "draw/first", "deleted", word("document/g")),
        ):
            inputs = {
                "attester_secret": self._text(self.cast.attester),
                "status": status,
                "replacement": replacement.hex(),
                "memos": memo_fields(memos(name)),
            }
            self._accept(name, "status", {"document": self.after(before)}, inputs)
        for name, before, limit, reason in (
            ("amend/up", "draw/first", LIMIT + 1, "amended"),
            ("amend/down", "draw/first", LOWERED, "partly-returned"),
            ("amend/to-the-brim", "draw/first", FIRST, "amended"),
            ("amend/by-one", "draw/first", FIRST - 1, "amended"),
            ("amend/undrawn", "register/first", 1, "amended"),
            ("amend/largest", "amend/down", MAXIMUM, "amended"),
        ):
            inputs = {
                "attester_secret": self._text(self.cast.attester),
                "limit": self._secret(limit, name),
                "reason": reason,
                "memos": memo_fields(memos(name)),
            }
            self._accept(name, "amend", {"document": self.after(before)}, inputs)

    def _show_overdrawn(self) -> None:
        for name, before, over in (("overdrawn", "amend/down", FIRST - LOWERED), ("overdrawn/one", "amend/by-one", 1)):
            inputs = {"regulator_secret": self._text(self.cast.regulator), "over": over}
            self._accept(name, "overdrawn", {"document": self.after(before)}, inputs)

    # --- applications and draws -------------------------------------------------------------------------------------------

    def _apply(self) -> None:
        draw, key = word("draw/draw/applied").hex(), self._text(self.cast.draw_key("draw/applied"))
        inputs: dict[str, Any] = {
            "draw": draw,
            "draw_key_secret": key,
            "application": word("application/apply").hex(),
            "expires": EXPIRES,
            "owner_secret": self._text(self.cast.owner("a")),
            "memos": memo_fields(memos("apply")),
        }
        self._accept("apply", "apply", {"document": self.after("register/first")}, inputs)
        for name, before, decision in (
            ("decide/accept", "apply", "accepted"),
            ("decide/approve", "decide/accept", "approved"),
            ("decide/reject-applied", "apply", "rejected"),
            ("decide/reject-accepted", "decide/accept", "rejected"),
            ("decide/reject-approved", "decide/approve", "rejected"),
        ):
            state = {"document": self.after("register/first"), "application": self.after(before, "application")}
            inputs = {"draw_key_secret": key, "decision": decision, "memos": memo_fields(memos(name))}
            self._accept(name, "decide", state, inputs)
        approved = {"application": self.after("decide/approve", "application")}
        self._take("draw/applied", "register/first", "a", FIRST, LIMIT - FIRST, approved)

    def _draw(self) -> None:
        self._take("draw/first", "register/first", "a", FIRST, LIMIT - FIRST)
        self._take("draw/second", "draw/first", "a", SECOND, 0)
        self._take("draw/other", "register/other", "b", FIRST, LIMIT - FIRST)
        self._take("draw/smallest", "register/one", "c", 1, 0)
        self._take("draw/consented", "draw/first", "a", CONSENTED, LIMIT - FIRST - CONSENTED, consented=True)
        self._take("draw/single", "register/single", "e", FIRST, LIMIT - FIRST)

    def _move(self) -> None:
        """A reservation, and what was disbursed in part, from the deleted document a to g."""
        replaced_document = self.after("status/replace")
        for name, moved, amount, by_regulator, outstanding in (
            ("draw/moved", "draw/first", FIRST, False, self.cast.opening(FIRST, "draw/first")),
            ("draw/moved-by-regulator", "draw/first", FIRST, True, self.cast.opening(FIRST, "draw/first")),
            ("draw/moved-disbursed", "disburse/part", FIRST - REST, False, self.disbursed_in_part()),
        ):
            state = {"moved": self.after(moved, "draw"), "replaced": replaced_document}
            extra = {"outstanding": self._of(outstanding)}
            self._take(
                name, "register/replacement", "g", amount, LIMIT - amount, state, by_regulator, "draw/first", extra, memos(name)
            )

    def _take(
        self,
        name: str,
        before: str,
        document: str,
        amount: int,
        left: int,
        state: Mapping[str, Any] | None = None,
        consented: bool = False,
        key: str = "",
        extra: Mapping[str, Any] | None = None,
        sealed: Memos | None = None,
    ) -> None:
        """A draw; what a draw moves (`extra`) the regulator proves without a consent."""
        owner = self._text(self.cast.owner(document))
        consent = {
            "application": word(f"application/{name}").hex(),
            "asked": self._secret(amount, f"{name}/asked"),
            "owner_secret": owner,
        }
        inputs = {
            "draw": word(f"draw/{name}").hex(),
            "draw_key_secret": self._text(self.cast.draw_key(key or name)),
            "amount": self._secret(amount, name),
            "expires": EXPIRES,
            "consent": consent if consented and extra is None else None,
            "prover": "regulator" if consented else "owner",
            "prover_secret": self._text(self.cast.regulator) if consented else owner,
            "left": left,
            "memos": memo_fields(sealed or memos(name)),
            **(extra or {}),
        }
        self._accept(name, "draw", {"document": self.after(before), **(state or {})}, inputs)

    # --- what follows a draw ----------------------------------------------------------------------------------------------

    def disbursed_in_part(self) -> Opening:
        """What is outstanding on the first draw when REST of it was released."""
        drawn, rest = self.cast.opening(FIRST, "draw/first"), self.cast.opening(REST, "disburse/part")
        return drawn.minus(self.suite, rest)

    def _states(self, name: str) -> dict[str, Any]:
        return {"document": self.after(name), "draw": self.after(name, "draw")}

    def _disburse(self) -> None:
        for name, before, rest in (
            ("disburse/all", "draw/first", 0),
            ("disburse/part", "draw/first", REST),
            ("disburse/all-but-one", "draw/first", 1),
            ("disburse/one", "draw/first", FIRST - 1),
            ("disburse/single", "draw/single", 0),
        ):
            inputs = {
                "draw_key_secret": self._text(self.cast.draw_key(before)),
                "outstanding": self._secret(FIRST, before),
                "rest": self._secret(rest, name) if rest else None,
                "memos": memo_fields(memos(name)),
            }
            self._accept(name, "disburse", self._states(before), inputs)

    def _reduce_and_close(self) -> None:
        drawn, repaid = self.cast.opening(FIRST, "draw/first"), self.outstanding()
        self._reduce("reduce/own-funds", "disburse/all", drawn, REPAID, "repaid-own-funds")
        self._reduce("reduce/proceeds", "disburse/all", drawn, REPAID, "repaid-proceeds")
        self._reduce("reduce/one", "draw/first", drawn, 1, "released")
        self._reduce("reduce/released", "draw/first", drawn, FIRST, "released")
        self._reduce("reduce/rest", "reduce/own-funds", repaid, FIRST - REPAID, "written-off")
        self._reduce("reduce/settled", "reduce/own-funds", repaid, FIRST - REPAID, "repaid-proceeds")
        single = self.cast.opening(FIRST, "draw/single")
        self._reduce("reduce/single", "draw/single", single, FIRST, "released", "draw/single")
        for name, before, opening, key in (
            ("close", "reduce/settled", repaid, "draw/first"),
            ("close/written-off", "reduce/rest", repaid, "draw/first"),
            ("close/released", "reduce/released", drawn, "draw/first"),
            ("close/single", "reduce/single", single, "draw/single"),
        ):
            rest = opening.minus(self.suite, self.cast.opening(opening.amount, before))
            inputs = {"draw_key_secret": self._text(self.cast.draw_key(key)), "outstanding": self._of(rest)}
            self._accept(name, "close", self._states(before), inputs)

    def _reduce(self, name: str, before: str, outstanding: Opening, amount: int, reason: str, key: str = "draw/first") -> None:
        inputs = {
            "draw_key_secret": self._text(self.cast.draw_key(key)),
            "outstanding": self._of(outstanding),
            "amount": self._secret(amount, name),
            "reason": reason,
            "memos": memo_fields(memos(name)),
        }
        self._accept(name, "reduce", self._states(before), inputs)

    def outstanding(self) -> Opening:
        """The opening of what is outstanding on the first draw after its repayment from own funds."""
        drawn, repaid = self.cast.opening(FIRST, "draw/first"), self.cast.opening(REPAID, "reduce/own-funds")
        return drawn.minus(self.suite, repaid)

    def _expire(self) -> None:
        for name, before in (("expire", "draw/first"), ("expire/single", "draw/single"), ("expire/rest", "reduce/one")):
            self._accept(name, "expire", self._states(before), {}, EXPIRES + 1)

    def _view(self) -> None:
        for reader, secret in (("owner", self.cast.owner("a")), ("regulator", self.cast.regulator)):
            inputs = {"reader": reader, "reader_secret": self._text(secret), "issued": EXPIRES}
            self._accept(f"view/{reader}", "view", {"document": self.after("draw/first")}, inputs)


def memo_fields(pair: Memos) -> dict[str, str]:
    """Two memos as vectors write them."""
    return {"owner": pair.owner.hex(), "regulator": pair.regulator.hex()}


# --- mutations that many operations share ---------------------------------------------------------------------------------

ENDS = ("settled", "released", "expired", "written-off", "moved")
PARTS = ("commitment", "owner", "regulator")
ZEROS = encode_base64url(bytes(32))


class Changes:
    """One replacement after the other, on one accepted operation."""

    def __init__(self, story: Story, base: str) -> None:
        self._story, self._base = story, base

    def __call__(self, name: str, words: str, path: str, value: Any, *labels: str, error: str = "") -> None:
        self._story.reject(self._base, name, words, replaced(path, value), *labels, error=error)


def flipped(text: str) -> str:
    """Base64url with the last bit of its bytes flipped."""
    data = decode_base64url(text)
    return encode_base64url(data[:-1] + bytes([data[-1] ^ 1]))


def shifted(story: Story, text: str, part: int) -> str:
    """A commitment with handles (base64url) of which one part is another point."""
    handled = HandledCommitment.decode(story.suite.group, decode_base64url(text))
    parts = [handled.commitment, handled.owner, handled.regulator]
    parts[part] = parts[part] + story.suite.G
    return encode_base64url(HandledCommitment(*parts).encode())


def memo_mutations(path: str, message: Mapping[str, str]) -> Iterable[tuple[str, str, Patch]]:
    """Memos exchanged and changed."""
    swapped = {"owner": message["regulator"], "regulator": message["owner"]}
    yield "memos-swapped", "the memos are exchanged", replaced(path, swapped)
    for reader in ("owner", "regulator"):
        patch = replaced(f"{path}/{reader}", flipped(message[reader]))
        yield f"memo-{reader}", f"a bit of the {reader}'s memo is flipped", patch


def proof_mutations(story: Story, base: str, path: str, label: str, other: str, *more: str) -> None:
    """A proof replaced by another accepted operation's, cut and lengthened. `more`: other claims that the proof is bound to."""
    message: Any = story.sheet.vector(base)
    for name in path.removeprefix("/").split("/"):
        message = message[name]
    proof, name = decode_base64url(message), path.removeprefix("/message/").replace("/", "-")
    story.reject(base, f"{name}-other", "the proof is another operation's", replaced(path, other), label, *more)
    for change, words, data in (
        ("truncated", "the last byte of the proof is missing", proof[:-1]),
        ("extended", "a zero byte is appended to the proof", proof + b"\0"),
        ("changed", "the last scalar of the proof is one more or less", proof[:-1] + bytes([proof[-1] ^ 1])),
    ):
        story.reject(base, f"{name}-{change}", words, replaced(path, encode_base64url(data)), label, *more)
