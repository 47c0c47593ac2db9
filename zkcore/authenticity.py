"""Authenticity without disclosure: what is evaluated obliviously, what becomes of the outputs, and salted digests of fields.

Everything is framed, so that no two sets of fields have one encoding. SPEC.md, section 16, is normative. The oblivious function
is that of RFC 9497 (section 3.3.2, VOPRF; SPEC.md, section 15); salted digests in place of fields are what SD-JWT does
(RFC 9901, section 4.2), over our framing, hash and signature.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zkcore.amounts import MAXIMUM
from zkcore.errors import AmountError, EncodingError, LengthError
from zkcore.oprf.suite import OUTPUT_SIZE
from zkcore.transcript import (
    DIGEST_SIZE,
    LABEL_FIELD,
    LABEL_FIELD_SALT,
    LABEL_KEY_INPUT,
    LABEL_RECORD_KEY,
    LABEL_TOKEN,
    LABEL_TOKEN_INPUT,
    digest,
    frame,
    text,
)

TOKEN_SIZE = DIGEST_SIZE
"""Bytes of a token."""
SALT_SIZE = 16
"""Bytes of the salt of one field."""
RECORD_SIZE = 1_320
"""Bytes of a sealed record, whatever is in it: a nonce of 24, the content padded to 1,280, a tag of 16."""

_CURRENCY = re.compile(r"[A-Z]{3}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, repr=False)
class PaperFields:
    """What whoever holds a paper can read on it. Secret: it does not print.

    kind: of the document, as the log names it
    number: normalised (a declaration's 18 digits)
    holder: credit code of the owner
    currency: ISO letters; a paper with several currencies is as many sets of fields
    total: declared value in this currency, minor units, 1 to 2**48 - 1
    date: the day it was declared, year-month-day
    """

    kind: str
    number: str
    holder: str
    currency: str
    total: int
    date: str

    def __repr__(self) -> str:
        return "PaperFields(hidden)"

    def token_input(self) -> bytes:
        """What the token is evaluated from: kind, number and currency. Raises EncodingError for an empty or non-ASCII field."""
        return frame([LABEL_TOKEN_INPUT, _nonempty(self.kind), _nonempty(self.number), _currency(self.currency)])

    def key_input(self) -> bytes:
        """What the record's key is evaluated from: every field. Raises EncodingError, AmountError."""
        if not 1 <= self.total <= MAXIMUM:
            raise AmountError("a total is 1 to 2**48 - 1 minor units")
        if not _DATE.fullmatch(self.date):
            raise EncodingError("a date is written year-month-day")
        parts = (_nonempty(self.kind), _nonempty(self.number), _nonempty(self.holder), _currency(self.currency))
        return frame([LABEL_KEY_INPUT, *parts, self.total.to_bytes(8, "little"), text(self.date)])


def token(output: bytes) -> bytes:
    """The 32 bytes by which a record is found, from the output (32 bytes) at a token input. Raises LengthError."""
    return digest(LABEL_TOKEN, [_output(output)])


def record_key(output: bytes) -> bytes:
    """The 32 bytes that open a record, from the output (32 bytes) at a key input. Raises LengthError."""
    return digest(LABEL_RECORD_KEY, [_output(output)])


def field_salt(secret: bytes, name: str) -> bytes:
    """The salt of one field of a credential: 16 bytes, from the credential's 32 secret ones. Raises LengthError."""
    if len(secret) != DIGEST_SIZE:
        raise LengthError(f"salts are derived from {DIGEST_SIZE} bytes, got {len(secret)}")
    return digest(LABEL_FIELD_SALT, [secret, _nonempty(name)])[:SALT_SIZE]


def field_digest(salt: bytes, name: str, value: bytes) -> bytes:
    """What an attester signs in place of a field: 32 bytes that say nothing without the salt.

    value: the field's text as UTF-8, of an amount its minor units in decimal digits
    Raises LengthError for a salt of another size, EncodingError for an empty name.
    """
    if len(salt) != SALT_SIZE:
        raise LengthError(f"a field's salt is {SALT_SIZE} bytes, got {len(salt)}")
    return digest(LABEL_FIELD, [salt, _nonempty(name), value])


def _output(output: bytes) -> bytes:
    if len(output) != OUTPUT_SIZE:
        raise LengthError(f"an output of the oblivious function is {OUTPUT_SIZE} bytes, got {len(output)}")
    return output


def _nonempty(value: str) -> bytes:
    if not value:
        raise EncodingError("a field is empty")
    return text(value)


def _currency(value: str) -> bytes:
    if not _CURRENCY.fullmatch(value):
        raise EncodingError("a currency is three capital letters")
    return text(value)
