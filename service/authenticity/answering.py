"""What the service does for authenticity: evaluate, store, look up. It never learns what any of it is about.

SPEC.md, sections 15 and 16; evaluations are those of RFC 9497 in mode VOPRF.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from schemas import problems
from schemas.authenticity import (
    EvaluationAnswer,
    EvaluationKeys,
    EvaluationRequest,
    LookupAnswer,
    LookupRequest,
    PublicationAnswer,
    PublicationRequest,
)
from service.authenticity import storage as records
from service.authenticity.keys import KeyRing
from service.institutions.counting import EVALUATIONS
from service.institutions.desk import Institutions
from service.institutions.registry import Caller
from service.problems import Refusal, decoding
from service.storage import Storage
from service.verifier import Clock
from zkcore.authenticity import RECORD_SIZE
from zkcore.oprf import suite
from zkcore.oprf.evaluator import evaluate
from zkcore.randomness import SystemRandomness
from zkcore.transcript import frame

_DECOY_LABEL = b"TRADEVEIL-V01-decoy"


@dataclass(frozen=True)
class Authenticity:
    """One service process at this work."""

    storage: Storage
    ring: KeyRing
    institutions: Institutions
    clock: Clock


def keys(authenticity: Authenticity) -> EvaluationKeys:
    """Every epoch's public key."""
    return EvaluationKeys(keys=authenticity.ring.now().public)


def evaluation(authenticity: Authenticity, caller: Caller, request: EvaluationRequest) -> EvaluationAnswer:
    """The blinded elements (33 bytes each, P-256) under the epoch's key, with one proof. They are uniform whatever was blinded.

    RFC 9497, sections 2.2.1 and 3.3.2. Raises Refusal: evaluation-epoch-unknown, evaluation-budget-spent, malformed-request.
    """
    key = authenticity.ring.now().find(request.epoch)
    group, blinded = suite.group(), []
    for place, data in enumerate(request.blinded):
        with decoding(f"/blinded/{place}"):
            blinded.append(group.decode(data))
    _count(authenticity, caller, len(blinded))
    with decoding("/blinded"):
        evaluated, proof = evaluate(key, blinded, SystemRandomness())
    return EvaluationAnswer(evaluated=[element.encode() for element in evaluated], proof=proof)


def publication(authenticity: Authenticity, request: PublicationRequest) -> PublicationAnswer:
    """Store an attester's records of an epoch that has not ended. Raises Refusal: evaluation-epoch-unknown, record-repeated."""
    authenticity.ring.now().find(request.epoch)
    tokens = [item.token for item in request.records]
    if len(set(tokens)) != len(tokens):
        raise Refusal(problems.RECORD_REPEATED)
    records.store_records(authenticity.storage, request.epoch, [(item.token, item.record) for item in request.records])
    return PublicationAnswer(stored=len(request.records))


def lookup(authenticity: Authenticity, caller: Caller, request: LookupRequest) -> LookupAnswer:
    """A record for each token, or what looks like one.

    The noise is made for every token, so that the time does not tell which of them are known either (SPEC.md, section 16).
    Raises Refusal: evaluation-epoch-unknown, evaluation-budget-spent.
    """
    found = authenticity.ring.now()
    found.find(request.epoch)
    _count(authenticity, caller, len(request.tokens))
    noise = [decoy(found.decoys, token) for token in request.tokens]
    known = records.find_records(authenticity.storage, request.epoch, request.tokens)
    return LookupAnswer(records=[known.get(token, other) for token, other in zip(request.tokens, noise, strict=True)])


def _count(authenticity: Authenticity, caller: Caller, elements: int) -> None:
    """Use so much of the caller's day. An attester has no such limit: it made the numbers that others could guess."""
    if caller.role != "attester":
        authenticity.institutions.count(caller, EVALUATIONS, elements, authenticity.clock())


def decoy(secret: bytes, token: bytes) -> bytes:
    """What an unknown token finds: always the same for one token, and without the secret like a record (SHAKE256 as a PRF).

    secret: 32 bytes; token: 32 bytes; returns RECORD_SIZE bytes
    """
    return hashlib.shake_256(frame([_DECOY_LABEL, secret, token])).digest(RECORD_SIZE)
