"""The official vectors of draft-irtf-cfrg-sigma-protocols-03 over P-256: our generic code is the draft's, byte for byte.

Must hold: every proof is regenerated from the draft's test generator, every accept verifies, and every reject is refused for
the reason that its comment gives (where the draft leaves the reason to the implementation's order of checks, ours is written
here). Batches of batchable proofs are accepted exactly when all of them are. Codecs and sponge are tested in
test_transcript.py.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from threading import Lock
from typing import Any

import pytest

from zkcore.engines.openssl import p256
from zkcore.errors import (
    BatchRejected,
    IdentityError,
    InstanceError,
    LengthError,
    PointError,
    ScalarError,
    SigmaRejected,
    ZkError,
)
from zkcore.group import SCALAR_SIZE, decode_scalar
from zkcore.hash_to_curve import hash_to_curve
from zkcore.relations import LinearRelation, parse_relation
from zkcore.secret.sigma import check_witness, prove_batchable, prove_compact
from zkcore.suite import Suite
from zkcore.transcript import DuplexSponge, derive_session_id
from zkcore.verifying.batch import SigmaClaim, verify
from zkcore.verifying.sigma import verify_batchable, verify_compact

Read = Callable[[str], Any]
Vector = dict[str, str]

VALID = "sigma-protocols/sigma-proofs_Shake128_P256.json"
INVALID = "sigma-protocols/sigma-proofs-invalid_Shake128_P256.json"

REASONS: dict[str, type[ZkError]] = {
    "batchable/A1": PointError,  # prefix 04
    "batchable/A2": PointError,  # prefix 06
    "batchable/A2b": PointError,  # prefix 07
    "batchable/A3": PointError,  # x + p
    "batchable/A4": PointError,  # zeros for the identity
    "batchable/A6": PointError,  # x without a point
    "batchable/B1": ScalarError,  # response above the order
    "compact/B2": ScalarError,  # challenge above the order
    "batchable/C1": LengthError,
    "batchable/C2": LengthError,
    "compact/C1": LengthError,
    "compact/C2": LengthError,
    "compact/D1": IdentityError,  # zero challenge and response simulate the identity as commitment
    "batchable/E1": InstanceError,  # a scalar in no equation
    "batchable/E1b": InstanceError,
    "batchable/E2": IdentityError,  # an image that is the identity
    "batchable/E3": InstanceError,  # an element that is no point, met while the instance is read
    "batchable/E4": InstanceError,  # an element index without element
    "batchable/F1b": SigmaRejected,  # another tag
    "compact/F1b": SigmaRejected,
    "batchable/F2b": SigmaRejected,  # the equations swapped
    "compact/F2b": SigmaRejected,
    "batchable/F3": SigmaRejected,  # an element changed
    "compact/F3": SigmaRejected,
    "compact/F4": SigmaRejected,  # batchable as compact
    "batchable/F4b": SigmaRejected,  # compact as batchable
    "batchable/H1": SigmaRejected,  # response + 1
    "batchable/H2": SigmaRejected,  # another commitment
    "compact/H3": SigmaRejected,  # another challenge
}


class P256Suite(Suite):
    """What a batch needs of a suite, over P-256: sigma proofs use no range-proof vectors."""

    def __init__(self) -> None:
        self.group = p256()
        self.engine = "openssl"
        self.G = self.group.generator()
        self.H = hash_to_curve(self.group, b"H", b"TRADEVEIL-TESTS-with-P256_XMD:SHA-256_SSWU_RO_")
        self._vectors = ((), ())
        self._lock = Lock()
        self.twin = None


class TestGenerator:
    """The draft's seeded generator: the stream of a sponge whose session id comes from the tag."""

    __test__ = False

    def __init__(self, marker: str, vector: Vector) -> None:
        tag = f"TestDRNG-SIGMA-PROOFS-{marker}{vector['Ciphersuite']}-{vector['Relation']}"
        self._sponge = DuplexSponge(derive_session_id(tag.encode("ascii")))

    def read(self, size: int) -> bytes:
        return self._sponge.squeeze(size)


def name_of(vector: Vector) -> str:
    return "/".join(vector["Id"].rsplit("/", 2)[1:])


def relation_of(vector: Vector) -> LinearRelation:
    return parse_relation(p256(), bytes.fromhex(vector["Instance"]))


def check(vector: Vector) -> None:
    """Verify as the draft does: parse the instance, then the proof of its flavour."""
    verify_one = {"batchable": verify_batchable, "compact": verify_compact}[vector["Flavor"]]
    verify_one(vector["Tag"].encode("ascii"), relation_of(vector), bytes.fromhex(vector["NargString"]))


def test_all_proofs_are_regenerated(official_vectors: Read) -> None:
    for vector in official_vectors(VALID):
        relation, encoded = relation_of(vector), bytes.fromhex(vector["Witness"])
        assert relation.serialized.hex() == vector["Instance"]
        tag = vector["Tag"].encode("ascii")
        assert derive_session_id(tag).hex() == vector["SessionId"]
        parts = (encoded[i : i + SCALAR_SIZE] for i in range(0, len(encoded), SCALAR_SIZE))
        witness = [decode_scalar(relation.group, part) for part in parts]
        check_witness(relation, witness)
        marker, prove = {"batchable": ("DSFS-", prove_batchable), "compact": ("CMPT-", prove_compact)}[vector["Flavor"]]
        proof = prove(tag, relation, witness, TestGenerator(marker, vector))
        assert proof.hex() == vector["NargString"], vector["Id"]
        check(vector)


def test_all_flavours_and_relations_are_there(official_vectors: Read) -> None:
    vectors = official_vectors(VALID)
    assert {vector["Flavor"] for vector in vectors} == {"batchable", "compact"}
    assert len({vector["Relation"] for vector in vectors}) == 7
    assert len(official_vectors(INVALID)) == 33


def test_every_invalid_record_is_judged_rightly(official_vectors: Read) -> None:
    """The file repeats a few accepts, so that refusing everything is no way to pass."""
    judged = set()
    for vector in official_vectors(INVALID):
        if vector["Expected"] == "accept":
            check(vector)
            continue
        name = name_of(vector)
        with pytest.raises(ZkError) as refused:
            check(vector)
        assert type(refused.value) is REASONS[name], (name, vector["Comment"])
        judged.add(name)
    assert judged == set(REASONS)


def claim_of(vector: Vector) -> SigmaClaim:
    session_id = derive_session_id(vector["Tag"].encode("ascii"))
    return SigmaClaim(vector["Id"], session_id, relation_of(vector), bytes.fromhex(vector["NargString"]))


def batchable(vectors: list[Vector], expected: str) -> list[SigmaClaim]:
    """The claims of the batchable records whose instance can be read at all."""
    unreadable = {"batchable/E3", "batchable/E4"}
    records = [vector for vector in vectors if vector["Flavor"] == "batchable" and vector["Expected"] == expected]
    return [claim_of(vector) for vector in records if name_of(vector) not in unreadable]


def test_a_batch_of_accepts_is_accepted(official_vectors: Read) -> None:
    verify(P256Suite(), batchable(official_vectors(VALID), "accept") + batchable(official_vectors(INVALID), "accept"))


def test_a_batch_with_rejects_names_exactly_them(official_vectors: Read) -> None:
    suite, random = P256Suite(), Random("batches of official vectors")
    valid, invalid = batchable(official_vectors(VALID), "accept"), batchable(official_vectors(INVALID), "reject")
    for _ in range(20):
        bad = random.sample(invalid, random.randint(1, 4))
        batch = random.sample(valid, random.randint(0, len(valid))) + bad
        random.shuffle(batch)
        with pytest.raises(BatchRejected) as refused:
            verify(suite, batch)
        named = [(label, type(error)) for label, error in refused.value.failures]
        assert named == [(claim.label, REASONS[name_of({"Id": claim.label})]) for claim in batch if claim in bad]
