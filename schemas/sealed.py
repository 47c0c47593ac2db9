"""What is inside sealed memos and sealed files. Parties only: the service never imports this module.

Everything here contains amounts, names or secrets. Amounts are minor units. Scalars are 32 bytes, big-endian. SPEC.md: memos in
section 11; credentials, presentations and records in section 16, after SD-JWT (RFC 9901): digests and disclosures as in section
4.2 there, under a signature of ours and without its key binding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from schemas.canonical import canonical_value
from schemas.messages import ConsentMessage, DraftMessage, HeadroomMessage
from schemas.wire import (
    Base64Url,
    Currency,
    Digest,
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
from zkcore.authenticity import SALT_SIZE, field_digest, field_salt
from zkcore.errors import EncodingError

MinorUnits = Annotated[int, Field(ge=1, le=MAXIMUM, description="minor units of the currency")]
Text = Annotated[str, Field(max_length=200)]


class OpeningMessage(SecretMessage):
    """(amount, blinding) of a commitment: C = amount*G + blinding*H (SPEC.md, section 5)."""

    amount: Annotated[int, Field(ge=0, le=MAXIMUM)]
    blinding: Scalar


# --- credentials -----------------------------------------------------------------------------------------------------------

FIELDS = ("number", "holder", "name", "date", "declared", "total", "limit", "mode", "share")
"""The fields of a credential that its holder shows or does not show, each by itself."""

_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


class Disclosure(SecretMessage):
    """One field of a credential, shown (RFC 9901, 4.2.1). `value` as text: of an amount its minor units, in decimal digits."""

    name: Name
    salt: Annotated[bytes, Base64Url(SALT_SIZE)]
    value: Text

    def digest(self) -> bytes:
        """What the attester signed in its place."""
        return field_digest(self.salt, self.name, self.value.encode("utf-8"))


class Presentation(SecretMessage):
    """A credential as somebody is shown it: what the attester signed, and those fields that the reader needs.

    `signature` (statement `credential`) is over everything but itself and `disclosed`. The digests are in ascending order, so
    that their places say nothing. Fields are read with the properties below, which raise EncodingError for one that is not
    shown; nothing of it is to be believed before `check` and the signature have passed.
    """

    document: Identifier
    kind: Name
    counter: Name
    currency: Currency
    epoch: Epoch
    owner: Point
    attester: Point
    digests: list[Digest] = Field(min_length=1, max_length=32)
    disclosed: list[Disclosure] = Field(max_length=32)
    signature: Proof

    def said(self) -> bytes:
        """What the signature is over: the canonical JSON (RFC 8785) of what is not a disclosure."""
        return canonical_value(self.model_dump(mode="json", exclude={"signature", "disclosed"}))

    def check(self, needed: Iterable[str] = ()) -> None:
        """Every disclosure is of a signed digest, no field is shown twice, and those `needed` are. Raises EncodingError.

        Says nothing of the signature: zkcore.ledger.check_credential does (SPEC.md, section 16).
        """
        if any(left >= right for left, right in pairwise(self.digests)):
            raise EncodingError("the digests of a credential are in ascending order, each once")
        names = [item.name for item in self.disclosed]
        if len(set(names)) != len(names):
            raise EncodingError("a field of the credential is disclosed twice")
        if any(item.digest() not in self.digests for item in self.disclosed):
            raise EncodingError("a disclosed field is not one that the attester signed")
        for name in needed:
            self._shown(name)

    @property
    def number(self) -> str:
        return self._shown("number")

    @property
    def holder(self) -> str:
        return self._shown("holder")

    @property
    def name(self) -> str:
        return self._shown("name")

    @property
    def date(self) -> str:
        return self._shown("date")

    @property
    def declared(self) -> str:
        return self._shown("declared")

    @property
    def share(self) -> str:
        return self._shown("share")

    @property
    def total(self) -> int:
        return self._minor_units("total")

    @property
    def limit(self) -> int:
        return self._minor_units("limit")

    def _shown(self, name: str) -> str:
        for item in self.disclosed:
            if item.name == name:
                return item.value
        raise EncodingError(f"the credential does not disclose the field {name}")

    def _minor_units(self, name: str) -> int:
        value = self._shown(name)
        if not _WHOLE_NUMBER.fullmatch(value):
            raise EncodingError(f"the field {name} of the credential is not a number of minor units")
        return int(value)


class Credential(SecretMessage):
    """What an attester says of a document, whole, as its owner keeps it. `present` shows of it what a reader needs.

    date: when the goods left, or else when they were declared
    declared: when they were declared, by which a bank that holds the paper asks for it
    total, limit: declared and financeable value in minor units; the limit is 0 where nothing is financeable
    mode: supervision mode, or what corresponds to it in another kind
    share: whether the limit is the whole total, a part of it, or none
    salts: 32 secret bytes from which the salt of each field follows
    """

    document: Identifier
    kind: Name
    counter: Name
    currency: Currency
    epoch: Epoch
    number: str = Field(max_length=32)
    holder: Holder
    name: Annotated[str, Field(max_length=80)]
    date: str = Field(max_length=10)
    declared: str = Field(max_length=10)
    total: MinorUnits
    limit: Annotated[int, Field(ge=0, le=MAXIMUM)]
    mode: str = Field(max_length=16)
    share: Literal["whole", "part", "none"]
    owner: Point
    attester: Point
    salts: Annotated[bytes, Base64Url(32)]
    signature: Proof

    def present(self, shown: Iterable[str]) -> Presentation:
        """The credential with these fields disclosed. Raises KeyError for what is no field."""
        fields = {name: self._disclosure(name) for name in FIELDS}
        return Presentation(
            document=self.document,
            kind=self.kind,
            counter=self.counter,
            currency=self.currency,
            epoch=self.epoch,
            owner=self.owner,
            attester=self.attester,
            digests=sorted(item.digest() for item in fields.values()),
            disclosed=[fields[name] for name in shown],
            signature=self.signature,
        )

    def _disclosure(self, name: str) -> Disclosure:
        return Disclosure(name=name, salt=field_salt(self.salts, name), value=str(getattr(self, name)))


# --- memos on the log ------------------------------------------------------------------------------------------------------


class OwnerRegisterMemo(SecretMessage):
    """Attester to owner: the whole credential, the blinding t of the document's key, the opening of the limit."""

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


class AlertMemo(SecretMessage):
    """Bank to regulator, outside the log: something that nobody else is to know. What does not apply is empty.

    kind: wrong-owner (a declaration presented by another than its owner), unknown-document, bad-memo, forgery-suspected,
          not-confirmed (a check found no such paper: unknown, another's, or wrong particulars), other
    holder: of whom it is told, as far as known
    """

    kind: Literal["wrong-owner", "unknown-document", "bad-memo", "forgery-suspected", "not-confirmed", "other"]
    bank: Holder
    bank_name: Annotated[str, Field(max_length=100)]
    number: Annotated[str, Field(max_length=32)]
    holder: Annotated[str, Field(max_length=100)]
    document: Identifier | None
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
    """One document of an application: its credential as the bank is shown it, the amount asked, the shift of the draw's key.

    `applied` is the owner's part of the application (statement `application`), with which the bank puts it on the log.
    """

    credential: Presentation
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


# --- records on the service ------------------------------------------------------------------------------------------------


class RecordContent(SecretMessage):
    """What a record holds, for whoever has the fields of the paper: the credential, with those fields and the share shown.

    Sealed it is zkcore.authenticity.RECORD_SIZE bytes, whatever it holds (SPEC.md, section 16).
    """

    credential: Presentation
