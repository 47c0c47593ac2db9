"""A further request key of an institution: signed for by the present one, and signing for itself."""

from __future__ import annotations

from sqlalchemy import Connection

from schemas import problems
from schemas.answers import RequestKeyAnswer
from schemas.callers import RequestKeyChange
from schemas.request_keys import rotation_bytes, verify_signature
from service.idempotency import Answer, RequestKey
from service.institutions.registry import Caller, RegistryError, add_next_key
from service.problems import Refusal
from service.verifier import Verifier
from zkcore.errors import KeyRejected


def change_key(verifier: Verifier, caller: Caller, key: RequestKey, message: RequestKeyChange) -> Answer:
    """Register the new key, and let the one that signed the request end after the overlap (Rules.overlap).

    Raises Refusal: proof-invalid unless the new key (Ed25519, RFC 8032) signed that it is this institution's, already-exists
    for one that is or was in use.
    """
    try:
        signed = rotation_bytes(verifier.parameters.origin, caller.member.holder, message.key)
        verify_signature(message.key, signed, message.signature)
    except KeyRejected as error:
        raise Refusal(problems.PROOF_INVALID) from error
    now = verifier.clock()
    ends = now + int(verifier.institutions.rules.overlap.total_seconds())

    def register(connection: Connection) -> bytes:
        try:
            active_from, old_ends = add_next_key(connection, caller, message.key, now, ends)
        except RegistryError as error:
            raise Refusal(problems.ALREADY_EXISTS) from error
        answer = RequestKeyAnswer(key=message.key, active_from=active_from, old_key_until=old_ends)
        return answer.model_dump_json().encode("utf-8")

    return verifier.storage.write_once(key, "change_request_key", register)
