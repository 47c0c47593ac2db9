"""Writes the vectors of generators, encodings, keys, openings and digests."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schemas.vectors.cast import Cast, word
from schemas.vectors.replay import scalar_text
from schemas.vectors.sheet import Sheet, replaced
from zkcore.amounts import MAXIMUM
from zkcore.context import ABSENT
from zkcore.group import SCALAR_SIZE
from zkcore.operations import AMENDMENTS, DECISIONS, REASONS, STATUSES
from zkcore.secret.opening import Opening
from zkcore.suite import Suite
from zkcore.transcript import LABEL_DRAW_HEAD, LABEL_HEAD, LABEL_PAYLOAD, LABEL_REVISION


def bad_points(suite: Suite, good: bytes) -> Iterable[tuple[str, str, bytes, str]]:
    """Every way in which 33 bytes, or nearly so many, are not a point: (name, words, bytes, error)."""
    x, p = good[1:], suite.group.p
    for prefix in (0x00, 0x01, 0x04, 0x05, 0x06, 0x07, 0xFF):
        yield f"prefix-{prefix:02x}", f"the prefix of a point is {prefix:02x}", bytes([prefix]) + x, "point"
    yield "identity-padded", "the identity, padded to 33 bytes", bytes(33), "point"
    yield "identity", "the identity as SEC1 writes it, one byte", bytes(1), "length"
    yield "x-is-p", "the x coordinate is the field prime", b"\x02" + p.to_bytes(32, "big"), "point"
    yield "x-lifted", "the x coordinate 1, on the curve, plus the field prime", b"\x02" + (p + 1).to_bytes(32, "big"), "point"
    yield "x-largest", "the x coordinate is 2**256 - 1", b"\x03" + bytes([0xFF]) * 32, "point"
    yield "x-not-on-curve", "the x coordinate is 5, where the curve has no point", b"\x02" + (5).to_bytes(32, "big"), "point"
    yield "x-zero", "the x coordinate is 0, where the curve has no point", b"\x02" + bytes(32), "point"


def bad_scalars(suite: Suite) -> Iterable[tuple[str, str, bytes, str]]:
    """Every way in which bytes are not a scalar."""
    order = suite.group.order
    yield "order", "the scalar is the group order", order.to_bytes(SCALAR_SIZE, "big"), "scalar"
    yield "order-plus-1", "the scalar is the group order plus 1", (order + 1).to_bytes(SCALAR_SIZE, "big"), "scalar"
    yield "largest", "the scalar is 2**256 - 1", bytes([0xFF]) * SCALAR_SIZE, "scalar"


def write_generators(suite: Suite) -> Sheet:
    """G, H, some of the range-proof vectors and the digest of all."""
    sheet = Sheet(
        suite, "generators", "H and the range-proof vectors are hashed to the curve; digest covers all 1,026 generators."
    )
    sheet.accept("generators", {"indices": [0, 1, 2, 3, 63, 64, 127, 255, 256, 511]})
    return sheet


def write_encodings(suite: Suite) -> Sheet:
    """Points, scalars, commitments with handles: what decodes and what does not."""
    sheet = Sheet(suite, "encodings", "Encodings are canonical: every accepted one is written back as the same bytes.")
    order = suite.group.order
    point = suite.H.encode()
    sheet.accept("element", {"type": "element", "bytes": point.hex()})
    sheet.accept("element/odd-y", {"type": "element", "bytes": (-suite.H).encode().hex()})
    for name, words, data, error in bad_points(suite, point):
        sheet.reject("element", name, words, replaced("/bytes", data.hex()), error)
    sheet.reject("element", "short", "the last byte is missing", replaced("/bytes", point[:-1].hex()), "length")
    sheet.reject("element", "long", "a zero byte is appended", replaced("/bytes", (point + b"\0").hex()), "length")
    uncompressed = b"\x04" + point[1:] + bytes(32)
    sheet.reject("element", "uncompressed", "65 bytes stand where 33 do", replaced("/bytes", uncompressed.hex()), "length")
    sheet.reject("element", "empty", "there are no bytes", replaced("/bytes", ""), "length")

    for name, value in (("zero", 0), ("one", 1), ("largest", order - 1)):
        sheet.accept(f"scalar/{name}", {"type": "scalar", "bytes": value.to_bytes(SCALAR_SIZE, "big").hex()})
    for name, words, data, error in bad_scalars(suite):
        sheet.reject("scalar/largest", name, words, replaced("/bytes", data.hex()), error)
    sheet.reject("scalar/one", "short", "the first byte is missing", replaced("/bytes", "00" * 30 + "01"), "length")
    sheet.reject("scalar/one", "long", "a zero byte is appended", replaced("/bytes", "00" * 31 + "0100"), "length")

    handled = point + suite.G.encode() + (-suite.H).encode()
    sheet.accept("handled-commitment", {"type": "handled-commitment", "bytes": handled.hex()})
    for index, part in enumerate(("commitment", "owner", "regulator")):
        with_identity = handled[: 33 * index] + bytes(33) + handled[33 * index + 33 :]
        words = f"the {part} part is the identity, padded"
        sheet.reject("handled-commitment", f"identity-{part}", words, replaced("/bytes", with_identity.hex()), "point")
    sheet.reject("handled-commitment", "two-parts", "a part is missing", replaced("/bytes", handled[:66].hex()), "length")
    sheet.reject("handled-commitment", "long", "a byte is appended", replaced("/bytes", handled.hex() + "00"), "length")
    return sheet


def write_keys(suite: Suite) -> Sheet:
    """From seeds to keys, blinded and shifted keys, shared mailboxes and document ids."""
    sheet = Sheet(suite, "keys", "Derived keys; scalars and secrets are hexadecimal.")
    cast, seed, order = Cast(suite), word("seed").hex(), suite.group.order
    sheet.accept("derive-bytes", {"type": "derive-bytes", "purpose": "view-key", "secret": seed, "index": 0, "size": 48})
    sheet.reject("derive-bytes", "short-secret", "15 secret bytes", replaced("/secret", seed[:30]), "scalar")
    sheet.accept("view-key", {"type": "view-key", "seed": seed})
    sheet.reject("view-key", "short-seed", "a seed of 15 bytes", replaced("/seed", seed[:30]), "scalar")
    sheet.accept("view-key/long-seed", {"type": "view-key", "seed": word("long-seed", 64).hex()})
    sheet.accept("seal-key", {"type": "seal-key", "seed": seed})

    secret = scalar_text(suite, cast.enterprise.scalar)
    blinding = scalar_text(suite, cast.scalar("blinding-of-key/a"))
    sheet.accept("blinded-view-key", {"type": "blinded-view-key", "secret": secret, "blinding": blinding})
    for name, value in (("zero", 0), ("order", order)):
        text = value.to_bytes(SCALAR_SIZE, "big").hex()
        sheet.reject("blinded-view-key", f"secret-{name}", f"the secret is {name}", replaced("/secret", text), "scalar")
        sheet.reject("blinded-view-key", f"blinding-{name}", f"the blinding is {name}", replaced("/blinding", text), "scalar")

    bank, shift = scalar_text(suite, cast.bank.scalar), scalar_text(suite, cast.scalar("shift/a"))
    sheet.accept("signing-key", {"type": "signing-key", "secret": bank})
    sheet.reject("signing-key", "zero", "the secret is zero", replaced("/secret", "00" * 32), "scalar")
    sheet.accept("shifted-signing-key", {"type": "shifted-signing-key", "secret": bank, "shift": shift})
    opposite = replaced("/shift", scalar_text(suite, -cast.bank.scalar))
    sheet.reject("shifted-signing-key", "to-zero", "the shift is the negated secret", opposite, "key")

    ours, theirs = word("attester/seal-secret").hex(), word("enterprise/seal-secret").hex()
    mailbox = sheet.accept("mailbox/attester", {"type": "mailbox", "secret": ours, "other_secret": theirs})
    sheet.accept("mailbox/enterprise", {"type": "mailbox", "secret": theirs, "other_secret": ours})
    for index in (0, 1, 2, 1000):
        vector = {"type": "document-id", "mailbox": mailbox["mailbox"], "index": index}
        sheet.accept(f"document-id/{index}", vector)
    return sheet


def write_openings(suite: Suite) -> Sheet:
    """Commitments with handles, and what opens them."""
    sheet = Sheet(suite, "openings", "C = a*G + r*H, D = r*P; a reader computes a*G = C - s*D (amount_point) and compares.")
    cast = Cast(suite)
    secrets = {
        "owner_secret": scalar_text(suite, cast.owner("a").scalar),
        "regulator_secret": scalar_text(suite, cast.regulator.scalar),
    }
    # Without a bound the amount is only compared, with one it is also searched as a discrete logarithm up to that bound.
    for name, amount, bound in (("searched", 12_345, 20_000), ("at-the-bound", 20_000, 20_000), ("one", 1, 1)):
        sheet.accept(name, _opening(suite, cast, amount, name) | secrets | {"bound": bound})
    for name, amount in (("million", 100_000_000), ("largest", MAXIMUM), ("nothing", 0)):
        sheet.accept(name, _opening(suite, cast, amount, name) | secrets | {"bound": 0})

    base = "searched"
    sheet.reject(base, "amount-plus-1", "the amount is one more", replaced("/amount", 12_346), "opening")
    other = replaced("/blinding", scalar_text(suite, cast.scalar("blinding/other")))
    sheet.reject(base, "other-blinding", "the blinding is another", other, "opening")
    for reader in ("owner", "regulator"):
        handle = suite.group.mul(cast.scalar("blinding/other"), suite.H).encode().hex()
        sheet.reject(base, f"other-handle-{reader}", "the handle is another", replaced(f"/D_{reader}", handle), "opening")
        key = replaced(f"/{reader}_secret", scalar_text(suite, cast.scalar("other-key")))
        sheet.reject(base, f"other-key-{reader}", "the reader has another key", key, "opening")
    sheet.reject(base, "bound-too-low", "the search ends below the amount", replaced("/bound", 12_344), "opening")
    sheet.reject("largest", "too-large", "the amount is 2**48", replaced("/amount", MAXIMUM + 1), "amount")
    sheet.reject("nothing", "negative", "the amount is -1", replaced("/amount", -1), "amount")
    return sheet


def _opening(suite: Suite, cast: Cast, amount: int, name: str) -> dict[str, object]:
    opening: Opening = cast.opening(amount, name)
    return {"amount": opening.amount, "blinding": scalar_text(suite, opening.blinding)}


def write_digests(suite: Suite) -> Sheet:
    """Payloads and heads as digests over framed parts."""
    sheet = Sheet(suite, "digests", "digest(label, parts): 32 bytes over the parts, framed; heads and payloads are made of it.")
    owner, regulator = word("memo/owner", 1584), word("memo/regulator", 1584)
    document, draw, head, leaf = word("document/a"), word("draw/a"), word("head"), word("leaf")
    point = suite.H.encode()
    time = (1_800_000_000).to_bytes(8, "little")

    def add(label: bytes, name: str) -> Callable[..., None]:
        def accept(*parts: bytes) -> None:
            sheet.accept(name, {"label": label.decode("ascii"), "parts": [part.hex() for part in parts]})

        return accept

    add(LABEL_HEAD, "head/registered")(b"register", document, leaf)
    for word_ in ("draw", "reduce", "status", "amend", "disburse", "close", "expire"):
        add(LABEL_HEAD, f"head/{word_}")(word_.encode("ascii"), head, leaf)
    add(LABEL_HEAD, "head/overdrawn")(b"overdrawn", head)
    add(LABEL_REVISION, "revision/registered")(document, leaf)
    add(LABEL_REVISION, "revision/changed")(head, leaf)
    for word_ in ("apply", "draw"):
        add(LABEL_DRAW_HEAD, f"draw-head/first/{word_}")(word_.encode("ascii"), draw, leaf)
    for word_ in ("decide", "draw", "move", "disburse", "reduce", "close", "expire"):
        add(LABEL_DRAW_HEAD, f"draw-head/{word_}")(word_.encode("ascii"), head, leaf)
    add(LABEL_PAYLOAD, "payload/possession")(b"possession", b"91320581MA1P3K7L9H", bytes(range(32)))
    add(LABEL_PAYLOAD, "payload/credential")(b"credential", b'{"number":"223320260000000018"}')
    add(LABEL_PAYLOAD, "payload/register")(b"register", b"export-declaration", b"financing", b"cleared", owner, regulator)
    for status in STATUSES:
        add(LABEL_PAYLOAD, f"payload/status/{status}")(b"status", status.encode("ascii"), ABSENT, owner, regulator)
    add(LABEL_PAYLOAD, "payload/status/replaced")(b"status", b"deleted", document, owner, regulator)
    for reason in AMENDMENTS:
        add(LABEL_PAYLOAD, f"payload/amend/{reason}")(b"amend", reason.encode("ascii"), owner, regulator)
    add(LABEL_PAYLOAD, "payload/overdrawn")(b"overdrawn")
    add(LABEL_PAYLOAD, "payload/application")(b"application", draw, point, time)
    add(LABEL_PAYLOAD, "payload/apply")(b"apply", point, draw, time, bytes(65), owner, regulator)
    for decision in DECISIONS:
        add(LABEL_PAYLOAD, f"payload/decide/{decision}")(b"decide", decision.encode("ascii"), owner, regulator)
    add(LABEL_PAYLOAD, "payload/draw")(b"draw", point, point * 3, time, b"", b"", owner, regulator)
    add(LABEL_PAYLOAD, "payload/consented-draw")(b"draw", point, point * 3, time, draw + point, b"", owner, regulator)
    add(LABEL_PAYLOAD, "payload/moved-draw")(b"draw", point, point * 3, time, b"", draw, owner, regulator)
    add(LABEL_PAYLOAD, "payload/consent")(b"consent", draw, point, point, time)
    add(LABEL_PAYLOAD, "payload/disburse")(b"disburse", owner, regulator)
    for reason in REASONS:
        add(LABEL_PAYLOAD, f"payload/reduce/{reason}")(b"reduce", reason.encode("ascii"), owner, regulator)
    add(LABEL_PAYLOAD, "payload/close")(b"close")
    add(LABEL_PAYLOAD, "payload/view")(b"view", b"owner", bytes(range(16)), time)
    return sheet
