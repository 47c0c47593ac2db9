"""How bytes and numbers stand in JSON, and the base of every message.

Bytes are base64url without padding, in canonical form: one value has one spelling. Unknown fields are refused. Numbers are
integers below 2**53, so that every JSON reader sees the same value.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from zkcore.commitments import HANDLED_COMMITMENT_SIZE
from zkcore.group import ELEMENT_SIZE, SCALAR_SIZE
from zkcore.operations import EXPIRES_MAXIMUM, MEMO_SIZE

_ANY_SIZE = "^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?$"
_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")
_LAST = {0: "", 2: "AQgw", 3: "AEIMQUYcgkosw048"}
"""Which characters can be last, by how many stand after the last group of four: the others have stray bits."""


def encode_base64url(data: bytes) -> str:
    """Base64url (RFC 4648, section 5) without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes:
    """Inverse of encode_base64url. Raises ValueError for padding, white space, other alphabets and stray bits."""
    if not _ALPHABET.fullmatch(text):
        raise ValueError("bytes are base64url (A-Z a-z 0-9 - _) without padding")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("bytes are base64url without padding; this length cannot be one") from error
    if len(text) % 4 and text[-1] not in _LAST[len(text) % 4]:
        raise ValueError("bytes are base64url in canonical form; the last character has stray bits")
    return data


class Base64Url:
    """Annotation: bytes of `least` to `most` bytes, written as base64url in JSON."""

    def __init__(self, least: int, most: int | None = None) -> None:
        self.least, self.most = least, least if most is None else most

    def _decode(self, value: Any) -> bytes:
        if not isinstance(value, str | bytes):
            raise ValueError("bytes are a base64url string")
        if isinstance(value, str) and len(value) > (4 * self.most + 2) // 3:
            raise ValueError(f"at most {self.most} bytes ({(4 * self.most + 2) // 3} characters) stand here")
        data = decode_base64url(value) if isinstance(value, str) else value
        if not self.least <= len(data) <= self.most:
            size = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
            raise ValueError(f"{size} bytes stand here, got {len(data)}")
        return data

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._decode,
            serialization=core_schema.plain_serializer_function_ser_schema(
                encode_base64url, return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        least, most = (4 * self.least + 2) // 3, (4 * self.most + 2) // 3
        described = {"type": "string", "contentEncoding": "base64url"}
        if self.least != self.most:
            return {**described, "pattern": _ANY_SIZE, "minLength": least, "maxLength": most}
        whole, last = least - (least % 4 > 0), _LAST[least % 4]
        return {**described, "pattern": f"^[A-Za-z0-9_-]{{{whole}}}" + (f"[{last}]$" if last else "$")}


Identifier = Annotated[bytes, Base64Url(32)]
Digest = Annotated[bytes, Base64Url(32)]
Nonce = Annotated[bytes, Base64Url(16)]
SealKey = Annotated[bytes, Base64Url(32)]
RequestPublicKey = Annotated[bytes, Base64Url(32)]
RequestSignature = Annotated[bytes, Base64Url(64)]
Point = Annotated[bytes, Base64Url(ELEMENT_SIZE)]
Scalar = Annotated[bytes, Base64Url(SCALAR_SIZE)]
Handled = Annotated[bytes, Base64Url(HANDLED_COMMITMENT_SIZE)]
Memo = Annotated[bytes, Base64Url(MEMO_SIZE)]
Proof = Annotated[bytes, Base64Url(1, 2048)]
Seconds = Annotated[int, Field(ge=0, le=EXPIRES_MAXIMUM, description="unix seconds")]
Epoch = Annotated[int, Field(ge=1, lt=1 << 32)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 letters")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,63}$")]
Words = Annotated[str, Field(max_length=2_000)]
Holder = Annotated[str, Field(pattern=r"^[!-~]{1,100}$", description="a party: printable ASCII without spaces")]
Origin = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.\-/]{2,99}$", description="the log's name")]


class Message(BaseModel):
    """Base of every message: strict types, no unknown fields, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SecretMessage(Message):
    """Base of messages that contain an amount, a name or a secret: they do not print, nor does what is wrong with them."""

    model_config = ConfigDict(hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"

    __str__ = __repr__

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Nothing: pretty printers, as those of rich tracebacks, ask here and not for the repr."""
        return iter(())
