"""Credentials: what an attester says of a document, signed, for the owner to show to whom it chooses."""

from __future__ import annotations

from typing import TypedDict

import rfc8785

from parties.common.errors import Refused
from schemas.sealed import Credential
from zkcore.errors import ZkError
from zkcore.ledger import DocumentFacts, Parameters, check_credential
from zkcore.randomness import Randomness
from zkcore.secret.keys import SigningSecret
from zkcore.secret.operations import sign_credential
from zkcore.suite import Suite
from zkcore.verifying.batch import verify

_UNSIGNED = b"\x00"


class Said(TypedDict):
    """What a credential says besides who signed it. `limit` in minor units; `owner` is the document's blinded key, 33 bytes."""

    document: bytes
    kind: str
    counter: str
    currency: str
    epoch: int
    number: str
    holder: str
    name: str
    date: str
    limit: int
    owner: bytes


def said_bytes(credential: Credential) -> bytes:
    """What the signature is over: the canonical JSON (RFC 8785) of the credential without its signature."""
    return rfc8785.dumps(credential.model_dump(mode="json", exclude={"signature"}))


def credential_facts(suite: Suite, credential: Credential) -> DocumentFacts:
    """What the maker of a draw must know of the document. Raises PointError for a bad owner's key."""
    owner = suite.group.decode(credential.owner)
    return DocumentFacts(credential.document, credential.currency, credential.epoch, owner)


def issue_credential(
    suite: Suite, parameters: Parameters, said: Said, attester: SigningSecret, randomness: Randomness
) -> Credential:
    """A credential signed by this attester."""
    unsigned = Credential(**said, attester=attester.public(suite).encode(), signature=_UNSIGNED)
    facts = credential_facts(suite, unsigned)
    signature = sign_credential(suite, parameters, facts, attester, said_bytes(unsigned), randomness)
    return unsigned.model_copy(update={"signature": signature})


def verify_credential(suite: Suite, parameters: Parameters, credential: Credential) -> DocumentFacts:
    """The facts of a document that an attester of this log vouches for. Raises Refused when none does."""
    try:
        facts = credential_facts(suite, credential)
        attester = suite.group.decode(credential.attester)
        signature = credential.signature
        verify(suite, [check_credential(suite, parameters, facts, attester, said_bytes(credential), signature)])
    except ZkError as error:
        raise Refused(
            "credential-invalid",
            f"the credential of {credential.number} is not signed by an attester of this log ({error.code}); do not rely on it",
            f"单证 {credential.number} 的凭证并非由本日志的签发方签署（{error.code}）；请勿采信",
        ) from error
    return facts
