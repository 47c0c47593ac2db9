"""Authenticity on the wire: what the service evaluates, stores and gives back without knowing what it is about."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.answers import DocumentStatus
from schemas.wire import Base64Url, Count, Digest, Epoch, Identifier, Message, Point, Seconds
from zkcore.authenticity import RECORD_SIZE
from zkcore.oprf.suite import MAXIMUM_BATCH, PROOF_SIZE

MAXIMUM_ROWS = 5_000
"""Papers in one check: two evaluations, one token and one document each."""
MAXIMUM_RECORDS = 500
"""Records in one publication: some 900,000 bytes."""

Record = Annotated[bytes, Base64Url(RECORD_SIZE)]


class EvaluationKeyMessage(Message):
    """A key of evaluations while it is in use: of one epoch, since when, and until when if it is no more. P-256, compressed."""

    epoch: Epoch
    key: Point
    since: Seconds
    until: Seconds | None


class EvaluationKeys(Message):
    """Every epoch there was, in order. Those without `until` evaluate; use the last of them."""

    keys: list[EvaluationKeyMessage]


class EvaluationRequest(Message):
    """Blinded elements (P-256, compressed), all under the key of one epoch."""

    epoch: Epoch
    blinded: list[Point] = Field(min_length=1, max_length=MAXIMUM_BATCH)


class EvaluationAnswer(Message):
    """The evaluated elements in the order of the request, and one proof for all of them (RFC 9497, mode VOPRF)."""

    evaluated: list[Point]
    proof: Annotated[bytes, Base64Url(PROOF_SIZE)]


class RecordMessage(Message):
    """A sealed record under its token."""

    token: Digest
    record: Record


class PublicationRequest(Message):
    """Records of one epoch from an attester. A token that is there already gets the new record."""

    epoch: Epoch
    records: list[RecordMessage] = Field(min_length=1, max_length=MAXIMUM_RECORDS)


class PublicationAnswer(Message):
    """How many records were stored: all of them."""

    stored: Count


class LookupRequest(Message):
    """Tokens of one epoch."""

    epoch: Epoch
    tokens: list[Digest] = Field(min_length=1, max_length=MAXIMUM_ROWS)


class LookupAnswer(Message):
    """What each token finds, in the order of the request. For a token without a record it is noise that looks like one."""

    records: list[Record]


class StatusesRequest(Message):
    """Random ids of documents, which only those know to whom a document was shown."""

    documents: list[Identifier] = Field(min_length=1, max_length=MAXIMUM_ROWS)


class StatusesAnswer(Message):
    """The status of each document that there is, once."""

    statuses: list[DocumentStatus]
