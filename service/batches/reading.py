"""The body of a batch: newline-delimited JSON, a financing on each line, read as it comes and held once.

Its signature is checked before any of it is read, and its digest as it is read: a body of 48 MB is taken from banks alone, and
from few at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from schemas import problems
from schemas.answers import MAXIMUM_BATCH
from service.bodies import idempotency_key
from service.idempotency import RequestKey
from service.institutions.caller import RequestSignature
from service.institutions.registry import Caller
from service.institutions.signatures import ContentDigest
from service.problems import RETRY_AFTER, Refusal, malformed
from zkcore.transcript import frame

MEDIA_TYPE = "application/x-ndjson"
LARGEST_LINE = 1 << 20
"""Bytes of one financing, as in a request of its own."""
_UPLOADS = 2
"""Batches that a process receives at one time: each may be as large as the route's limit."""

_uploads = 0


async def _lines(request: Request) -> list[bytes]:
    """The lines, without their ends. Raises Refusal for another media type, and naming the first line that cannot be one."""
    global _uploads
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != MEDIA_TYPE or request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(problems.UNSUPPORTED_MEDIA)
    if _uploads >= _UPLOADS:
        raise Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER)
    _uploads += 1
    try:
        return await _split(request)
    finally:
        _uploads -= 1


async def _split(request: Request) -> list[bytes]:
    lines: list[bytes] = []
    rest = bytearray()
    digest = ContentDigest(request.headers["content-digest"])
    async for chunk in request.stream():
        digest.update(chunk)
        *ended, begun = chunk.split(b"\n")
        for part in ended:
            _add(lines, bytes(rest + part))
            rest.clear()
        rest += begun
        _check_length(len(lines), rest)
    digest.check()
    if rest:
        _add(lines, bytes(rest))
    if not lines:
        raise malformed("", "a batch has at least one line")
    return lines


def _add(lines: list[bytes], line: bytes) -> None:
    number = len(lines)
    _check_length(number, line)
    if number == MAXIMUM_BATCH:
        raise malformed(f"/{number}", f"a batch has at most {MAXIMUM_BATCH} lines")
    if not line.strip():
        raise malformed(f"/{number}", "a line is a financing, and this one is empty")
    lines.append(line)


def _check_length(number: int, line: bytes | bytearray) -> None:
    if len(line) > LARGEST_LINE:
        raise malformed(f"/{number}", f"a line has at most {LARGEST_LINE} bytes")


@dataclass(frozen=True)
class SentLines:
    """A batch as it was sent: by whom, under which key, and the lines of a body that says to be newline-delimited JSON."""

    caller: Caller
    key: RequestKey
    lines: list[bytes]


class _Batch(RequestSignature):
    async def __call__(self, request: Request) -> SentLines:
        # By its head alone: a body is large, and nothing of it is taken from whoever is nobody.
        caller, key, lines = await self.caller_of_head(request), idempotency_key(request), await _lines(request)
        return SentLines(caller, _batch_key(caller, key, request.scope["path"], lines), lines)


def _batch_key(caller: Caller, key: str, path: str, lines: Sequence[bytes]) -> RequestKey:
    digest = hashlib.sha256(frame([caller.institution, key.encode("ascii")])).digest()
    whole = hashlib.sha256()
    for line in lines:
        whole.update(hashlib.sha256(line).digest())
    return RequestKey(digest, hashlib.sha256(frame([b"batch", path.encode("utf-8"), whole.digest()])).digest())


LinesSentByBank = Annotated[SentLines, Depends(_Batch("bank"))]
"""Which batch this is, from its caller's institution, its Idempotency-Key, its path and its lines."""
