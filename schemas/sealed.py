"""What is inside sealed memos and sealed files. Parties only: the service never imports this module.

Everything here contains amounts, names or secrets. Amounts are minor units. Scalars are 32 bytes, big-endian.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.messages import ConsentMessage, DraftMessage, HeadroomMessage
from schemas.wire import (
    Currency,
    Epoch,
    Holder,
    Identifier,
    Message,
    Name,
    Point,
    Proof,
    Scalar,
    SealKey,
    Seconds,
    SecretMessage,
)
from zkcore.amounts import MAXIMUM

MinorUnits = Annotated[int, Field(ge=1, le=MAXIMUM, description="minor units of the currency")]
Text = Annotated[str, Field(max_length=200)]


class OpeningMessage(SecretMessage):
    """(amount, blinding) of a commitment."""

    amount: Annotated[int, Field(ge=0, le=MAXIMUM)]
    blinding: Scalar


# --- memos on the log ------------------------------------------------------------------------------------------------------


class Credential(SecretMessage):
    """What the attester says of a document. `signature` (statement `credential`) is over everything but itself."""

    document: Identifier
    kind: Name
    counter: Name
    currency: Currency
    epoch: Epoch
    number: str = Field(max_length=32)
    holder: Holder
    name: Annotated[str, Field(max_length=80)]
    date: str = Field(max_length=10)
    limit: MinorUnits
    owner: Point
    attester: Point
    signature: Proof


class OwnerRegisterMemo(SecretMessage):
    """Attester to owner: the credential, the blinding t of the document's key, the opening of the limit."""

    credential: Credential
    key_blinding: Scalar
    blinding: Scalar


class RegulatorRegisterMemo(SecretMessage):
    """Attester to regulator: what document this is and the opening of its limit."""

    number: str = Field(max_length=32)
    holder: Holder
    name: Annotated[str, Field(max_length=80)]
    date: str = Field(max_length=10)
    limit: MinorUnits
    blinding: Scalar


class StatusMemo(SecretMessage):
    """Attester to owner and to regulator: why the status changed. `replacement`: the number of the paper that stands for it."""

    note: Text
    replacement: str = Field(max_length=32)


class OwnerAmendMemo(SecretMessage):
    """Attester to owner: the credential that tells the new limit, and the blinding of that limit."""

    credential: Credential
    blinding: Scalar
    note: Text


class RegulatorAmendMemo(SecretMessage):
    """Attester to regulator: the opening of the new limit."""

    limit: MinorUnits
    blinding: Scalar
    note: Text


class ApplyMemo(SecretMessage):
    """Bank to owner and to regulator: what was asked, by whom it was received."""

    amount: MinorUnits
    bank: Holder
    bank_name: Annotated[str, Field(max_length=80)]
    outlet: Annotated[str, Field(max_length=80)]
    reference: Annotated[str, Field(max_length=64)]
    financing: Identifier
    purpose: Text
    note: Text


class DecideMemo(SecretMessage):
    """Bank to owner and to regulator: why, and by which of its people ("" if not told)."""

    by: Annotated[str, Field(max_length=64)]
    reference: Annotated[str, Field(max_length=64)]
    note: Text


class DrawMemo(SecretMessage):
    """Bank to owner and to regulator: the opening of the draw and who drew for what."""

    amount: MinorUnits
    blinding: Scalar
    bank: Holder
    bank_name: Annotated[str, Field(max_length=80)]
    outlet: Annotated[str, Field(max_length=80)]
    reference: Annotated[str, Field(max_length=64)]
    financing: Identifier
    note: Text


class ReduceMemo(SecretMessage):
    """Bank to owner and to regulator: the opening of the reduction."""

    amount: MinorUnits
    blinding: Scalar
    reference: Annotated[str, Field(max_length=64)]
    note: Text


class DisburseMemo(SecretMessage):
    """Bank to owner and to regulator: what was paid out, and the blinding of the rest that is released, if there is one."""

    paid: MinorUnits
    rest: Annotated[int, Field(ge=0, le=MAXIMUM)]
    blinding: Scalar | None
    reference: Annotated[str, Field(max_length=64)]
    note: Text


# --- files between parties -------------------------------------------------------------------------------------------------


class SealedFile(Message):
    """The envelope of a file for one party. `to`: the first 8 bytes (hex) of its reader's seal key, which name nobody."""

    tradeveil: Literal["application", "draft", "approval"]
    version: int = Field(default=1, ge=1, le=1)
    to: str = Field(pattern=r"^[0-9a-f]{16}$")
    sealed: str = Field(max_length=1 << 26)


class Loan(SecretMessage):
    """The loan behind a draw when it is in another currency. `rate` as stated, e.g. "100 JPY = 4.80 CNY"."""

    currency: Currency
    amount: MinorUnits
    rate: Annotated[str, Field(max_length=64)]


class ConsentOffer(SecretMessage):
    """A consent beforehand and the blinding of the amount it is for."""

    consent: ConsentMessage
    blinding: Scalar


class ApplicationLine(SecretMessage):
    """One document of an application: its credential, the amount asked on it, and the shift that makes the draw's key.

    `applied` is the owner's part of the application (statement `application`), with which the bank puts it on the log.
    """

    credential: Credential
    amount: MinorUnits
    key_shift: Scalar
    applied: Proof
    consent: ConsentOffer | None


class Application(SecretMessage):
    """Enterprise to bank. `financing` is random and names the whole; `expires` bounds everything that follows from it."""

    financing: Identifier
    bank: Holder
    bank_key: Point
    applicant: Holder
    applicant_name: Annotated[str, Field(max_length=100)]
    seal_key: SealKey
    loan: Loan | None
    purpose: Text
    expires: Seconds
    lines: list[ApplicationLine] = Field(min_length=1, max_length=100)


class DraftLine(SecretMessage):
    """One draft with its opening, so that the prover can check it and make the range proof.

    `replaced`: where the draft takes over another draw, the deleted document which that one is on.
    """

    draft: DraftMessage
    opening: OpeningMessage
    replaced: Identifier | None = None


class DraftFile(SecretMessage):
    """Bank to owner (or to the regulator's prover, when the owner consented beforehand)."""

    financing: Identifier
    bank: Holder
    bank_name: Annotated[str, Field(max_length=100)]
    reply_to: SealKey
    lines: list[DraftLine] = Field(min_length=1, max_length=100)


class ApprovalFile(SecretMessage):
    """Owner or regulator to bank: a headroom proof a line, or the refusal of the whole. A refusal says nothing of figures."""

    financing: Identifier
    refused: Literal["cannot-be-proven", "not-applied-for", "expired"] | None
    lines: list[HeadroomMessage] = Field(max_length=100)
