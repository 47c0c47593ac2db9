"""Credentials: what an attester says of a document, signed, of which the owner shows to each reader what it needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict

from parties.common.errors import Refused
from schemas.sealed import Credential, Presentation
from zkcore.errors import ZkError
from zkcore.ledger import DocumentFacts, Parameters, check_attester, check_credential
from zkcore.randomness import Randomness
from zkcore.secret.keys import SigningSecret
from zkcore.secret.operations import sign_credential
from zkcore.suite import Suite
from zkcore.verifying.batch import Claim, verify

APPLICATION_FIELDS = ("number", "holder", "name", "date", "limit")
"""What an owner shows the bank it applies to."""
RECORD_FIELDS = ("number", "holder", "declared", "total", "share")
"""What a record shows whoever opens it: what it had to know, and whether all of it, a part or nothing is financeable."""
_SALTS_SIZE = 32
_UNSIGNED = b"\x00"


class Said(TypedDict):
    """What a credential says besides who signed it, as in schemas.sealed.Credential."""

    document: bytes
    kind: str
    counter: str
    currency: str
    epoch: int
    number: str
    holder: str
    name: str
    date: str
    declared: str
    total: int
    limit: int
    mode: str
    share: Literal["whole", "part", "none"]
    owner: bytes


def credential_facts(suite: Suite, credential: Credential | Presentation) -> DocumentFacts:
    """What the maker of a draw must know of the document. Raises PointError for a bad owner's key."""
    owner = suite.group.decode(credential.owner)
    return DocumentFacts(credential.document, credential.currency, credential.epoch, owner)


def issue_credential(
    suite: Suite, parameters: Parameters, said: Said, attester: SigningSecret, randomness: Randomness
) -> Credential:
    """A credential signed by this attester."""
    salts = randomness.read(_SALTS_SIZE)
    unsigned = Credential(**said, attester=attester.public(suite).encode(), salts=salts, signature=_UNSIGNED)
    facts = credential_facts(suite, unsigned)
    signature = sign_credential(suite, parameters, facts, attester, unsigned.present(()).said(), randomness)
    return unsigned.model_copy(update={"signature": signature})


def verify_credential(suite: Suite, parameters: Parameters, credential: Credential) -> DocumentFacts:
    """The facts of a document that an attester of this log vouches for, every field of it. Raises Refused when none does."""
    return verify_presentation(suite, parameters, credential.present(("number",)))


def verify_presentation(
    suite: Suite, parameters: Parameters, presentation: Presentation, needed: Iterable[str] = ("number",)
) -> DocumentFacts:
    """The facts of a document that an attester of this log vouches for, with the fields that are shown.

    Raises Refused when none does, or a field that is `needed` is not shown.
    """
    try:
        presentation.check(needed)
        facts = credential_facts(suite, presentation)
        verify(suite, [presentation_claim(suite, parameters, presentation, "credential")])
    except ZkError as error:
        raise _invalid(presentation, error) from error
    return facts


def presentation_claim(suite: Suite, parameters: Parameters, presentation: Presentation, label: str) -> Claim:
    """The signature as a claim for a batch. Raises ZkError for an attester that is not this log's or not one of this kind, or
    malformed values.

    `presentation.check` is the caller's to call: the signature says nothing of the disclosures.
    """
    facts, attester = credential_facts(suite, presentation), suite.group.decode(presentation.attester)
    check_attester(parameters, presentation.kind, attester)
    return check_credential(suite, parameters, facts, attester, presentation.said(), presentation.signature, label)


def check_disclosures(presentation: Presentation, needed: Iterable[str]) -> None:
    """That the fields shown have signed digests, and those needed are among them. Raises Refused. Checks no signature."""
    try:
        presentation.check(needed)
    except ZkError as error:
        raise _invalid(presentation, error) from error


def _invalid(presentation: Presentation, error: ZkError) -> Refused:
    shown = next((item.value for item in presentation.disclosed if item.name == "number"), "—")
    return Refused(
        "credential-invalid",
        f"the credential of {shown} is not signed by an attester of this log, or does not show what is needed "
        f"({error.code}); do not rely on it",
        f"单证 {shown} 的凭证并非由本日志的签发方签署，或未出示所需内容（{error.code}）；请勿采信",
    )
