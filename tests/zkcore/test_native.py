"""The native engine beside Python's: the same verdicts, the same bytes, the same statements, and nothing that hides a mistake.

A failure would be: a claim that one engine accepts and another refuses, or for another reason; a statement that Rust spells
otherwise than Python; an old build that is used; a panic that ends the process or looks like a verdict; a lock held while it
computes, so that a service stands still; an absence that goes unnoticed where the engine is required.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import flip
from zkcore import engine
from zkcore.errors import BatchRejected, EngineError, InstanceError, LengthError, PointError, ScalarError, WitnessError
from zkcore.group import Element
from zkcore.randomness import SeededRandomness, random_nonzero_scalar
from zkcore.relations import Equation, LinearRelation
from zkcore.secret.range_proof import prove_range
from zkcore.secret.sigma import prove_batchable
from zkcore.suite import Suite
from zkcore.transcript import derive_session_id
from zkcore.verifying.batch import Claim, RangeClaim, SigmaClaim, verify

ROOT = Path(__file__).resolve().parents[2]

if "native" not in engine.available():
    pytest.skip("the native engine is not installed here", allow_module_level=True)

import tradeveil_native as module  # noqa: E402

from zkcore.engines import native  # noqa: E402

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
NATIVE, PYTHON = engine.load("native"), engine.load("openssl")


# --- the same verdicts and bytes ------------------------------------------------------------------------------------------


def verdict(suite: Suite, claims: list[Claim], threads: int = 1) -> list[tuple[str, str]]:
    """The label of each refused claim with the code of its error."""
    try:
        verify(suite, claims, threads)
    except BatchRejected as refused:
        return [(label, error.code) for label, error in refused.failures]
    return []


def moved(suite: Suite, elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """The same elements in another engine."""
    return tuple(
        suite.group.identity() if element.is_identity else suite.group.decode(element.encode()) for element in elements
    )


def in_engine(suite: Suite, claim: Claim) -> Claim:
    if isinstance(claim, RangeClaim):
        return replace(claim, values=moved(suite, claim.values))
    relation = LinearRelation(suite.group, moved(suite, claim.relation.elements), claim.relation.equations)
    return replace(claim, relation=relation)


def both(claims: list[Claim]) -> list[tuple[str, str]]:
    """The verdict, when both engines give the same and threads change nothing."""
    found = verdict(NATIVE, claims)
    assert verdict(NATIVE, claims, 3) == found
    assert verdict(PYTHON, [in_engine(PYTHON, claim) for claim in claims]) == found
    return found


COEFFICIENTS = [1, -1, 2, -3, 2**63, -(2**64), ORDER - 1, ORDER + 1, 2**300]
"""Public factors: nearly all are 1 or -1, any integer is allowed."""


def relation_of(seed: bytes, equations: int, scalars: int) -> tuple[LinearRelation, list[int]]:
    """An instance in the native engine whose equations hold every scalar on every base, and a witness of it."""
    randomness, group = SeededRandomness(seed), NATIVE.group
    choose = randomness.read(equations * scalars * 2)
    witness = [random_nonzero_scalar(randomness, group) for _ in range(scalars)]
    bases = [NATIVE.G, *(group.mul(2 + index, NATIVE.H) for index in range(3))]
    elements, rows = list(bases), []
    for row in range(equations):
        cells = [choose[2 * (row * scalars + s) :][:2] for s in range(scalars)]
        terms = tuple((s, cell[0] % len(bases), COEFFICIENTS[cell[1] % len(COEFFICIENTS)]) for s, cell in enumerate(cells))
        sign = 1 if row % 2 == 0 else -1
        rows.append(Equation(((len(elements), sign),), terms))
        total = group.msm([sign * witness[s] * c for s, _, c in terms], [bases[e] for _, e, _ in terms])
        elements.append(total)
    used = [0, *sorted({e for row in rows for _, e, _ in row.terms} - {0}), *range(len(bases), len(elements))]
    number = {old: new for new, old in enumerate(used)}
    numbered = tuple(
        Equation(tuple((number[e], c) for e, c in row.image), tuple((s, number[e], c) for s, e, c in row.terms)) for row in rows
    )
    return LinearRelation(group, tuple(elements[old] for old in used), numbered), witness


def sigma_claim(label: str, seed: bytes, equations: int, scalars: int) -> SigmaClaim:
    relation, witness = relation_of(seed, equations, scalars)
    proof = prove_batchable(seed, relation, witness, SeededRandomness(seed))
    return SigmaClaim(label, derive_session_id(seed), relation, proof)


@pytest.fixture(scope="module")
def truths() -> list[Claim]:
    """Claims of several shapes."""
    made: list[Claim] = [sigma_claim(f"{n} equations", bytes([n]), n, 1 + n % 3) for n in range(1, 6)]
    for bits, values in ((8, (0, 255)), (16, (9,)), (64, (2**64 - 1,))):
        openings = [(value, 77 + value) for value in values]
        commitments = tuple(NATIVE.group.msm(opening, [NATIVE.G, NATIVE.H]) for opening in openings)
        proof = prove_range(NATIVE, bytes(32), openings, bits, SeededRandomness(bytes([bits])))
        made.append(RangeClaim(f"range of {bits}", bytes(32), commitments, bits, proof))
    return made


@settings(max_examples=20)
@given(st.binary(max_size=4), st.integers(1, 4), st.integers(1, 4))
def test_sigma_proofs_have_the_same_bytes(seed: bytes, equations: int, scalars: int) -> None:
    relation, witness = relation_of(seed, equations, scalars)
    same = LinearRelation(PYTHON.group, moved(PYTHON, relation.elements), relation.equations)
    assert same.serialized == relation.serialized
    proofs = [prove_batchable(b"tag", of, witness, SeededRandomness(seed)) for of in (relation, same)]
    assert proofs[0] == proofs[1]
    wrong = [*witness[:-1], witness[-1] + 1]
    for of in (relation, same):
        with pytest.raises(WitnessError):
            prove_batchable(b"tag", of, wrong, SeededRandomness(seed))


def test_truths_are_accepted_by_both(truths: list[Claim]) -> None:
    assert both(truths) == []
    assert both(truths * 20) == []


@settings(max_examples=60)
@given(st.data())
def test_lies_are_refused_by_both_for_the_same_reason(truths: list[Claim], data: st.DataObject) -> None:
    claims = list(truths)
    for index in data.draw(st.sets(st.integers(0, len(truths) - 1), max_size=3), label="which"):
        claims[index] = data.draw(st.sampled_from(LIES), label="how")(
            claims[index], data.draw(st.integers(0, 2**16), label="place")
        )
    found = both(claims)
    assert [label for label, _ in found] == [claim.label for claim, truth in zip(claims, truths, strict=True) if claim != truth]


def with_elements(claim: Claim, elements: tuple[Element, ...]) -> Claim:
    if isinstance(claim, RangeClaim):
        return replace(claim, values=elements)
    return replace(claim, relation=LinearRelation(claim.relation.group, elements, claim.relation.equations))


def elements_of(claim: Claim) -> tuple[Element, ...]:
    return claim.values if isinstance(claim, RangeClaim) else claim.relation.elements


def other_element(claim: Claim, place: int) -> Claim:
    elements = list(elements_of(claim))
    elements[place % len(elements)] = NATIVE.group.mul(place + 99, NATIVE.G)
    return with_elements(claim, tuple(elements))


def identity_element(claim: Claim, place: int) -> Claim:
    elements = list(elements_of(claim))
    elements[place % len(elements)] = NATIVE.group.identity()
    return with_elements(claim, tuple(elements))


def fewer_elements(claim: Claim, place: int) -> Claim:
    return with_elements(claim, elements_of(claim)[:-1])


def more_elements(claim: Claim, place: int) -> Claim:
    return with_elements(claim, (*elements_of(claim), NATIVE.H))


LIES: list[Callable[[Claim, int], Claim]] = [
    lambda claim, place: replace(claim, proof=flip(claim.proof, place % (8 * len(claim.proof)))),
    lambda claim, place: replace(claim, proof=claim.proof[: place % len(claim.proof)]),
    lambda claim, place: replace(claim, proof=claim.proof + bytes(1 + place % 40)),
    lambda claim, place: replace(claim, session_id=flip(claim.session_id, place % 256)),
    lambda claim, place: replace(claim, bits=place) if isinstance(claim, RangeClaim) else replace(claim, proof=b""),
    other_element,
    identity_element,
    fewer_elements,
    more_elements,
]


INSTANCES = {
    "no equations": (),
    "no terms": (Equation(((1, 1),), ()),),
    "no image": (Equation((), ((0, 0, 1),)),),
    "an element that is not there": (Equation(((7, 1),), ((0, 0, 1),)),),
    "an unused element": (Equation(((0, 1),), ((0, 0, 1),)),),
    "a scalar left out": (Equation(((1, 1),), ((1, 0, 1),)),),
    "an index of 33 bits": (Equation(((1, 1),), ((2**32, 0, 1),)),),
    "a negative index": (Equation(((1, 1),), ((-1, 0, 1),)),),
    "a coefficient of zero": (Equation(((1, 1),), ((0, 0, 0),)),),
    "a coefficient of the order": (Equation(((1, 1),), ((0, 0, ORDER),)),),
}


@pytest.mark.parametrize("rows", INSTANCES.values(), ids=INSTANCES.keys())
def test_instances_without_meaning_are_refused_by_both(rows: tuple[Equation, ...]) -> None:
    for suite in (NATIVE, PYTHON):
        relation = LinearRelation(suite.group, (suite.G, suite.H), rows)
        with pytest.raises(InstanceError):
            prove_batchable(b"tag", relation, [1], SeededRandomness(b""))


# --- the border -----------------------------------------------------------------------------------------------------------


def test_many_encodings_are_decoded_or_the_first_bad_one_refused() -> None:
    good = [NATIVE.G.encode(), (-NATIVE.H).encode()] * 20
    assert NATIVE.group.decode_many(good) == [NATIVE.G, -NATIVE.H] * 20
    assert NATIVE.group.decode_many([]) == []
    for bad, error in ((bytes(33), PointError), (b"", LengthError), (good[0] + b"\0", LengthError)):
        for suite in (NATIVE, PYTHON):
            with pytest.raises(error):
                suite.group.decode_many([*good, bad, good[0]])
            with pytest.raises(PointError):
                suite.group.decode_many([bytes(33), bad])


def test_what_is_no_element_is_refused() -> None:
    for stranger in (PYTHON.G, None, 5, b"", NATIVE.G.encode()):
        with pytest.raises(EngineError):
            module.products(bytes(32), (stranger,))
        with pytest.raises(EngineError):
            module.msm(bytes(32), (stranger,), 1)


def test_scalars_cross_whole_and_canonical() -> None:
    assert module.products(b"", ()) == []
    for factors in (b"", bytes(31), bytes(33), bytes(64)):
        with pytest.raises(LengthError):
            module.products(factors, (NATIVE.G,))
        with pytest.raises(LengthError):
            module.msm(factors, (NATIVE.G,), 1)
    with pytest.raises(ScalarError):
        module.msm(ORDER.to_bytes(32, "big"), (NATIVE.G,), 1)


def test_a_mistake_of_the_engine_is_an_error_and_the_process_lives() -> None:
    for _ in range(3):
        with pytest.raises(EngineError, match="decided nothing"):
            module.panic()
    assert NATIVE.group.mul(2, NATIVE.G) == NATIVE.G + NATIVE.G


def test_too_few_vectors_are_no_verdict(truths: list[Claim]) -> None:
    generators = module.Generators(NATIVE.H, *NATIVE.vectors(8), NATIVE.generators_digest)
    with pytest.raises(EngineError):
        module.verify(generators, truths, 1)
    with pytest.raises(EngineError):
        module.Generators(NATIVE.H, NATIVE.vectors(8)[0], NATIVE.vectors(7)[1], NATIVE.generators_digest)
    with pytest.raises(EngineError):
        module.Generators(NATIVE.group.identity(), (), (), NATIVE.generators_digest)


def test_other_threads_run_while_it_computes(truths: list[Claim]) -> None:
    """A second thread takes steps in the middle of a long call; with the interpreter's lock held it could not."""
    steps: list[float] = []
    ended = threading.Event()

    def count() -> None:
        while not ended.is_set():
            steps.append(time.perf_counter())
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    try:
        start = time.perf_counter()
        scalars, elements = [3**200 + k for k in range(4000)], [NATIVE.G, NATIVE.H] * 2000
        for _ in range(3):
            NATIVE.group.products(scalars, elements)
        end = time.perf_counter()
    finally:
        ended.set()
        counter.join()
    inside = [step for step in steps if start < step < end]
    assert len(inside) > 5


def test_it_serves_many_threads(truths: list[Claim]) -> None:
    lies = [replace(truths[0], proof=flip(truths[0].proof, 3)), *truths[1:]]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda lie: verdict(NATIVE, lies if lie else truths, 2), [False, True] * 12))
    assert found == [[], verdict(NATIVE, lies)] * 12


# --- which build, and whether there is one ---------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [{"protocol": 0}, {"interface": 0}, {"protocol": None}])
def test_a_stale_build_is_an_error_and_not_passed_over(changed: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    build = {**module.build_info(), **changed}
    monkeypatch.setattr(module, "build_info", lambda: build)
    monkeypatch.setattr(engine, "_suites", {})
    monkeypatch.delenv(engine.ENVIRONMENT_VARIABLE, raising=False)
    for name in (None, "native"):
        with pytest.raises(EngineError, match=r"stale.*make native"):
            engine.load(name)
    with pytest.raises(EngineError, match="stale"):
        engine.available()


def chosen(**environment: str) -> str:
    """The engine that another process takes, or what it says, with the native one as if it were not installed unless told."""
    program = """
import os, sys
if os.environ.get("MISSING"):
    sys.modules["tradeveil_native"] = None
from zkcore import engine
from zkcore.errors import EngineError
try:
    print(engine.load().engine)
except EngineError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    return run.stdout


def test_the_environment_requires_or_hides_it() -> None:
    assert chosen() == "native\n"
    assert chosen(TRADEVEIL_REQUIRE_NATIVE="1") == "native\n"
    assert chosen(TRADEVEIL_WITHOUT_NATIVE="1") == "openssl\n"
    assert chosen(TRADEVEIL_WITHOUT_NATIVE="1", TRADEVEIL_REQUIRE_NATIVE="1") == "openssl\n"
    assert chosen(MISSING="1") == "openssl\n"
    assert "run `make native`" in chosen(MISSING="1", TRADEVEIL_REQUIRE_NATIVE="1")


def test_the_build_says_what_it_is() -> None:
    assert module.cpu_path() in ("avx512ifma", "avx2", "portable")
    assert engine.describe("native") == native.describe()
    assert all(word in native.describe() for word in (module.cpu_path(), "rustc"))
    assert module.build_info()["profile"] == "release"
