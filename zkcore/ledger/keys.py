"""Possession of keys: what is shown when a key is enrolled.

SPEC.md: keys in section 9, the statements `view-key-possession` and `signing-key-possession` in section 5, the two payloads
(`possession`, `request key`) in section 3. A key without such a proof may be made from another's: it must be refused.
"""

from __future__ import annotations

from zkcore import statements
from zkcore.context import ABSENT, NO_CURRENCY, Context
from zkcore.group import Element
from zkcore.ledger.claims import sigma_claim
from zkcore.statements import Statement
from zkcore.suite import Suite
from zkcore.transcript import LABEL_PAYLOAD, digest, text
from zkcore.verifying.batch import Claim


def possession_context(
    origin: str, statement: Statement, holder: str, seal_key: bytes, request_key: bytes | None = None
) -> Context:
    """Bound to the log, to its holder's name or number (printable ASCII) and to the key that is sealed to (X25519, 32 bytes).

    With a request key (Ed25519 of RFC 8032, 32 bytes) it is another proof: that the holder names this key for signing its
    requests. Neither is good as the other. Raises EncodingError for a holder that is not printable ASCII.
    """
    named = [b"possession", text(holder), seal_key]
    payload = digest(LABEL_PAYLOAD, named if request_key is None else [b"request-key", *named[1:], request_key])
    return Context(origin, statement.name, ABSENT, ABSENT, ABSENT, NO_CURRENCY, 0, payload)


def view_key_claim(
    suite: Suite,
    origin: str,
    holder: str,
    seal_key: bytes,
    key: Element,
    proof: bytes,
    label: str = "view-key",
    request_key: bytes | None = None,
) -> Claim:
    """The holder of a view key (owner, regulator) knows s with H = s*key (SPEC.md, section 9). `proof`: 65 bytes."""
    statement = statements.VIEW_KEY_POSSESSION
    context = possession_context(origin, statement, holder, seal_key, request_key)
    return sigma_claim(suite, label, statement, context, {"P": key}, proof)


def signing_key_claim(
    suite: Suite,
    origin: str,
    holder: str,
    seal_key: bytes,
    key: Element,
    proof: bytes,
    label: str = "signing-key",
    request_key: bytes | None = None,
) -> Claim:
    """The holder of a signing key (attester, bank) knows k with key = k*G (SPEC.md, section 9). `proof`: 65 bytes."""
    statement = statements.SIGNING_KEY_POSSESSION
    context = possession_context(origin, statement, holder, seal_key, request_key)
    return sigma_claim(suite, label, statement, context, {"K": key}, proof)
