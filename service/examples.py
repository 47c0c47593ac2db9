"""Examples for the OpenAPI description. Every value has the right form; proofs and points among them are no real ones.

None holds a null, which the framework would leave out: so the financing shows a consent and a move at once, of which a real
draw has at most one.
"""

from __future__ import annotations

from typing import Any

from schemas import problems
from schemas.problems import ProblemDescription
from schemas.wire import encode_base64url


def _octets(size: int, seed: int = 7) -> str:
    """An example of `size` bytes."""
    return encode_base64url(bytes((seed * 37 + 101 * i + i * i // 7) % 256 for i in range(size)))


def _points(count: int, seed: int) -> str:
    return encode_base64url(b"".join(b"\x02" + bytes((seed + 53 * i + j * j) % 256 for j in range(32)) for i in range(count)))


_MEMOS = {"owner": _octets(1584, 1), "regulator": _octets(1584, 2)}
_DRAFT = {
    "document": _octets(32, 3),
    "draw": _octets(32, 4),
    "key": _points(1, 5),
    "amount": _points(3, 6),
    "expires": 1_750_604_800,
    "consent": {"application": _octets(32, 30), "asked": _points(1, 31), "proof": _octets(65, 32)},
    "moves": _octets(32, 42),
    "memos": _MEMOS,
    "proof": _octets(293, 7),
}
_HEADROOM = {"prover": "regulator", "left": _points(1, 8), "proof": _octets(195, 9), "range_proof": _octets(755, 10)}
_DOCUMENT = {
    "document": _octets(32, 3),
    "kind": "export-declaration",
    "counter": "financing",
    "status": "cleared",
    "currency": "USD",
    "epoch": 1,
    "attester": _points(1, 11),
    "owner": _points(1, 12),
    "limit": _points(3, 13),
    "memos": _MEMOS,
    "proof": _octets(228, 14),
    "range_proof": _octets(755, 15),
}

REGISTRATION: dict[str, Any] = {"documents": [_DOCUMENT]}
FINANCING: dict[str, Any] = {"lines": [{"draft": _DRAFT, "headroom": _HEADROOM}]}
REDUCTION: dict[str, Any] = {
    "draw": _octets(32, 4),
    "amount": _points(3, 16),
    "reason": "repaid-own-funds",
    "memos": _MEMOS,
    "proof": _octets(228, 17),
    "range_proof": _octets(755, 18),
}
STEPS: dict[str, Any] = {"steps": [{"type": "reduce", "body": REDUCTION}]}
CHANGE: dict[str, Any] = {
    "document": _octets(32, 3),
    "attester": _points(1, 11),
    "status": "deleted",
    "replacement": _octets(32, 33),
    "memos": _MEMOS,
    "proof": _octets(65, 34),
}
AMENDMENT: dict[str, Any] = {
    "document": _octets(32, 3),
    "attester": _points(1, 11),
    "reason": "partly-returned",
    "limit": _points(3, 35),
    "memos": _MEMOS,
    "proof": _octets(228, 36),
    "range_proof": _octets(755, 37),
}
OVERDRAWN: dict[str, Any] = {
    "document": _octets(32, 3),
    "over": _points(1, 38),
    "proof": _octets(195, 39),
    "range_proof": _octets(689, 40),
}
VIEW: dict[str, Any] = {
    "document": _octets(32, 3),
    "reader": "owner",
    "nonce": _octets(16, 20),
    "issued": 1_750_000_000,
    "proof": _octets(65, 21),
}

RECEIPT: dict[str, Any] = {"index": 42, "time": 1_750_000_000, "leaf": _octets(32, 22)}
DRAW_RECEIPT: dict[str, Any] = {"draw": _octets(32, 4), "head": _octets(32, 23), "receipt": RECEIPT, "caller": _octets(432, 33)}
KEY_CHANGE: dict[str, Any] = {"key": _octets(32, 34), "signature": _octets(64, 35)}
KEY_CHANGED: dict[str, Any] = {"key": _octets(32, 34), "active_from": 1_750_000_000, "old_key_until": 1_750_086_400}
ALERT: dict[str, Any] = {"memo": _octets(1584, 36)}
ALERTED: dict[str, Any] = {"time": 1_750_000_000}
_SEALED_ALERT = {"index": 0, "time": 1_750_000_000, "source": "party", "caller": _octets(432, 37), "memo": _octets(1584, 36)}
ALERTS: dict[str, Any] = {"alerts": [_SEALED_ALERT], "next": 1, "size": 2}
REGISTERED: dict[str, Any] = {"receipts": [RECEIPT]}
FINANCED: dict[str, Any] = {"draws": [DRAW_RECEIPT]}
STEPPED: dict[str, Any] = {"steps": [DRAW_RECEIPT]}
DOCUMENT_RECEIPT: dict[str, Any] = {"document": _octets(32, 3), "revision": _octets(32, 41), "receipt": RECEIPT}
STATUS: dict[str, Any] = {
    "document": _octets(32, 3),
    "kind": "export-declaration",
    "counter": "financing",
    "currency": "USD",
    "status": "deleted",
    "financeable": False,
    "overdrawn": False,
    "replacement": _octets(32, 33),
    "revision": _octets(32, 41),
}
BATCH: dict[str, Any] = {"batch": _octets(32, 33), "total": 500}
BATCH_PAGE: dict[str, Any] = {
    **BATCH,
    "done": 120,
    "failed": 1,
    "lines": [],
    "next": 120,
}
BATCH_EVENT = 'event: progress\ndata: {"total":500,"done":120,"failed":1}\nid: 120\nretry: 1000\n\n'
NOTICE: dict[str, Any] = {
    "document": _octets(32, 3),
    "currency": "USD",
    "epoch": 1,
    "owner": _points(1, 12),
    "memo": _octets(1584, 1),
}
EVALUATION_KEYS: dict[str, Any] = {
    "keys": [{"epoch": 1, "key": _points(1, 40), "since": 1_750_000_000, "until": 1_760_000_000}]
}
EVALUATION: dict[str, Any] = {"epoch": 1, "blinded": [_points(1, 41), _points(1, 42)]}
EVALUATED: dict[str, Any] = {"evaluated": [_points(1, 43), _points(1, 44)], "proof": _octets(64, 45)}
PUBLICATION: dict[str, Any] = {"epoch": 1, "records": [{"token": _octets(32, 46), "record": _octets(1320, 47)}]}
PUBLISHED: dict[str, Any] = {"stored": 1}
LOOKUP: dict[str, Any] = {"epoch": 1, "tokens": [_octets(32, 46)]}
LOOKED_UP: dict[str, Any] = {"records": [_octets(1320, 47)]}
STATUSES_ASKED: dict[str, Any] = {"documents": [_octets(32, 3)]}
STATUSES: dict[str, Any] = {"statuses": [STATUS]}
_ENTRY = {"type": "register", "time": 1_750_000_000, "body": _DOCUMENT}
PRIVATE_STATE: dict[str, Any] = {
    **{name: _DOCUMENT[name] for name in ("document", "kind", "counter", "currency", "epoch", "owner", "limit")},
    "residual": _points(3, 24),
    "head": _octets(32, 25),
    "draws": 0,
    "status": "deleted",
    "revision": _octets(32, 41),
    "replacement": _octets(32, 33),
    "taken": False,
    "overdrawn": False,
    "entries": [_ENTRY],
    "blocks": [{"time": 1_750_000_000, "until": 1_750_086_400}],
}
PAGE: dict[str, Any] = {"entries": [{"index": 1, "entry": _ENTRY}], "next": 2, "size": 43}
PROBLEM: dict[str, Any] = ProblemDescription.of(problems.HEADROOM_NOT_PROVEN, ["commit_financing"]).model_dump()
PROBLEMS: dict[str, Any] = {"problems": [PROBLEM]}
HEALTH: dict[str, Any] = {"status": "ok", "engine": "native"}
READY: dict[str, Any] = {"status": "ready", "entries": 2}
_KEY = {"holder": "regulator", "key": _points(1, 26), "seal_key": _octets(32, 27), "proof": _octets(65, 28)}
GENESIS: dict[str, Any] = {
    "type": "genesis",
    "time": 1_750_000_000,
    "protocol": 1,
    "suite": "tradeveil_Shake128_secp256k1",
    "generators": _octets(32, 29),
    "origin": "log.example/export",
    "epoch": 1,
    "regulator": _KEY,
    "attesters": [{"role": "customs", **_KEY, "holder": "customs"}],
    "kinds": [
        {
            "name": "export-declaration",
            "attester": "customs",
            "restores": ["released", "repaid-own-funds"],
            "counters": ["financing"],
            "use": "cumulative",
            "reservation_days": 90,
            "applications": "optional",
            "shares": {"0110": 100},
        }
    ],
}
