"""Authenticity without disclosure, from the parties' side: evaluate obliviously, find records and open them.

A party keeps the keys of evaluations that it has seen: an epoch's key never changes, and a service that showed another would be
one that misbehaves. What a paper says leaves the party blinded or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from parties.common.client import ServiceClient
from parties.common.errors import Refused, ServiceMisbehaved
from parties.common.home import Home
from schemas.authenticity import MAXIMUM_ROWS, EvaluationKeyMessage, EvaluationRequest, LookupRequest
from schemas.canonical import canonical, parse_strict
from schemas.sealed import Presentation, RecordContent
from schemas.wire import Epoch, Message, Point
from zkcore import authenticity
from zkcore.authenticity import PaperFields
from zkcore.errors import MemoError, ZkError
from zkcore.oprf import client as oblivious
from zkcore.oprf import suite
from zkcore.randomness import Randomness
from zkcore.secret.records import open_record, seal_record

EXPORT_DECLARATION = "export-declaration"
NO_KEY = "no-evaluation-key"
"""The code of the refusal when a service cannot evaluate."""
SEEN_FILE = "evaluation-keys.json"
T = TypeVar("T")


class SeenKey(Message):
    """The key of an epoch."""

    epoch: Epoch
    key: Point


class SeenKeys(Message):
    """Every key of evaluations that this party has seen."""

    keys: list[SeenKey]


@dataclass(frozen=True, repr=False)
class Found:
    """What the evaluations of one paper gave: where its record is, and what opens it. 32 bytes each, secret."""

    token: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Found(hidden)"


def live_keys(home: Home, client: ServiceClient) -> list[EvaluationKeyMessage]:
    """The epochs that evaluate now, the newest first. What is seen for the first time is kept; hold the home's lock around it.

    Raises ServiceMisbehaved for another key of an epoch than before, Refused when the service has none.
    """
    told = client.evaluation_keys().keys
    seen = {item.epoch: item.key for item in home.load(SEEN_FILE, SeenKeys).keys} if home.exists(SEEN_FILE) else {}
    if any(seen.get(item.epoch, item.key) != item.key for item in told):
        raise ServiceMisbehaved(
            "another-evaluation-key",
            "the service shows another evaluation key for an epoch than before; do nothing, and tell the regulator",
            "该服务出示的评估密钥与此前不一致；请勿继续操作，并告知监管方",
        )
    fresh = {item.epoch: item.key for item in told if item.epoch not in seen}
    if fresh:
        keys = [SeenKey(epoch=epoch, key=key) for epoch, key in sorted({**seen, **fresh}.items())]
        home.save(SEEN_FILE, SeenKeys(keys=keys))
    live = sorted((item for item in told if item.until is None), key=lambda item: -item.epoch)
    if not live:
        raise Refused(
            NO_KEY,
            "the service has no evaluation key, so it cannot say what is authentic; tell its operator",
            "该服务没有评估密钥，无法核验真实性；请告知运营方",
        )
    return live


def evaluate(
    client: ServiceClient, key: EvaluationKeyMessage, papers: Sequence[PaperFields], randomness: Randomness
) -> list[Found]:
    """Token and record key of each paper, in as few requests as there can be: one for 5,000 papers.

    Raises ServiceMisbehaved when what comes back was not made with the key, ServiceRefused.
    """
    return [found for part in _parts(papers, MAXIMUM_ROWS) for found in _evaluate(client, key, part, randomness)]


def _evaluate(
    client: ServiceClient, key: EvaluationKeyMessage, papers: Sequence[PaperFields], randomness: Randomness
) -> Iterator[Found]:
    inputs = [paper.token_input() for paper in papers] + [paper.key_input() for paper in papers]
    blinding = oblivious.blind(inputs, randomness)
    request = EvaluationRequest(epoch=key.epoch, blinded=[element.encode() for element in blinding.elements])
    answer = client.evaluate(request)
    group = suite.group()
    try:
        evaluated = [group.decode(data) for data in answer.evaluated]
        outputs = oblivious.finalize(blinding, group.decode(key.key), evaluated, answer.proof)
    except ZkError as error:
        raise ServiceMisbehaved(
            "evaluation-invalid",
            f"what the service evaluated does not hold against its published key ({error.code}); do not use it",
            f"该服务的评估结果与其公布的密钥不符（{error.code}）；请勿使用",
        ) from error
    for token, opener in zip(outputs[: len(papers)], outputs[len(papers) :], strict=True):
        yield Found(authenticity.token(token), authenticity.record_key(opener))


def look_up(client: ServiceClient, epoch: int, found: Sequence[Found]) -> list[Presentation | None]:
    """What each paper's record holds; None where the fields open nothing, whatever the reason. Nothing of it is checked yet.

    Raises ServiceMisbehaved for another number of answers.
    """
    return [shown for part in _parts(found, MAXIMUM_ROWS) for shown in _look_up(client, epoch, part)]


def _look_up(client: ServiceClient, epoch: int, found: Sequence[Found]) -> Iterator[Presentation | None]:
    records = client.look_up(LookupRequest(epoch=epoch, tokens=[item.token for item in found])).records
    if len(records) != len(found):
        raise ServiceMisbehaved(
            "lookup-incomplete",
            f"the service answered {len(records):,} tokens of {len(found):,}",
            f"该服务只答复了 {len(found):,} 个令牌中的 {len(records):,} 个",
        )
    for item, record in zip(found, records, strict=True):
        yield _open(item, record)


def _open(found: Found, record: bytes) -> Presentation | None:
    try:
        content = open_record(found.key, found.token, record)
        return RecordContent.model_validate(parse_strict(content)).credential
    except (MemoError, ValidationError, ValueError):
        return None


def make_record(found: Found, presentation: Presentation, randomness: Randomness) -> bytes:
    """The sealed record of a paper. Raises LengthError when the presentation is too long for one."""
    return seal_record(found.key, found.token, canonical(RecordContent(credential=presentation)), randomness)


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
