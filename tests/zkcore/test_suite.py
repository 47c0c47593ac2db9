"""One suite over every engine: the same generators, their digest a constant, and an engine chosen in one place.

A failure would be: a generator with a known or repeated origin, a digest that differs from the generators in use, an engine
that is taken although it is broken, or that is passed over although it was asked for by name.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zkcore import engine
from zkcore.engines import openssl
from zkcore.engines.reference import ReferenceGroup
from zkcore.errors import EngineError, LengthError
from zkcore.group import Element, Group
from zkcore.hash_to_curve import hash_to_curve
from zkcore.suite import GENERATORS_DST, Suite

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=engine.available())
def suite(request: pytest.FixtureRequest) -> Suite:
    """A new one, of which no vector has been computed yet."""
    return Suite(engine.load(request.param).group, request.param)


# --- generators -------------------------------------------------------------------------------------------------------


def test_the_digest_is_that_of_the_generators(suite: Suite) -> None:
    assert len(suite.generators_digest) == 32
    assert suite.recompute_generators_digest() == suite.generators_digest


def test_generators_come_from_where_the_specification_says(suite: Suite) -> None:
    g_vectors, h_vectors = suite.vectors(3)
    assert suite.identifier == "tradeveil_Shake128_secp256k1"
    assert suite.group.generator() == suite.G
    for message, generator in ((b"H", suite.H), (b"G_vector\0\0\0\2", g_vectors[2]), (b"H_vector\0\0\0\2", h_vectors[2])):
        assert hash_to_curve(suite.group, message, GENERATORS_DST) == generator


def test_generators_are_all_different_and_none_is_another_ones_inverse() -> None:
    suite = Suite(openssl.secp256k1(), "openssl")
    g_vectors, h_vectors = suite.vectors(512)
    points = [suite.G, suite.H, *g_vectors, *h_vectors]
    assert len({point.encode()[1:] for point in points}) == 1026


def test_vectors_grow_and_keep_their_beginning(suite: Suite) -> None:
    assert suite.vectors(0) == ((), ())
    few, more, few_again = suite.vectors(2), suite.vectors(5), suite.vectors(2)
    assert few == few_again
    assert [len(vector) for vector in more] == [5, 5]
    assert (more[0][:2], more[1][:2]) == few
    assert more[0][0] is few[0][0]


@pytest.mark.parametrize("count", [-1, 513, 10**9])
def test_a_suite_has_512_vectors(suite: Suite, count: int) -> None:
    with pytest.raises(LengthError):
        suite.vectors(count)
    with pytest.raises(LengthError):
        suite.prepare(count)


def test_what_is_prepared_is_not_computed_later(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.prepare(4)
    monkeypatch.setattr(Suite, "_hash", lambda *arguments: pytest.fail("a vector is hashed when it is used"))
    assert [len(vector) for vector in suite.vectors(4)] == [4, 4]


def test_threads_share_a_suite(suite: Suite) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(suite.vectors, [16, 3, 9, 16, 1, 12, 16, 5]))
    everything = suite.vectors(16)
    assert all(result == (everything[0][: len(result[0])], everything[1][: len(result[1])]) for result in results)


def test_the_suite_is_over_secp256k1_only() -> None:
    with pytest.raises(EngineError):
        Suite(openssl.p256(), "openssl")


# --- choice of an engine ----------------------------------------------------------------------------------------------


def test_engines_are_listed_best_first() -> None:
    assert engine.available() in (["native", "openssl", "reference"], ["openssl", "reference"])


@pytest.mark.parametrize("name", engine.available())
def test_an_engine_is_opened_once(name: str) -> None:
    suite = engine.load(name)
    assert suite.engine == name
    assert engine.load(name) is suite
    engine.self_test(suite)


def test_the_best_engine_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, ""):
        monkeypatch.delenv(engine.ENVIRONMENT_VARIABLE, raising=False)
        if value is not None:
            monkeypatch.setenv(engine.ENVIRONMENT_VARIABLE, value)
        assert engine.load().engine == engine.available()[0]


def test_the_environment_chooses_and_an_argument_overrules_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.ENVIRONMENT_VARIABLE, "reference")
    assert engine.load().engine == "reference"
    assert engine.load("openssl").engine == "openssl"


def test_an_unknown_engine_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="openssl, reference"):
        engine.load("abacus")
    monkeypatch.setenv(engine.ENVIRONMENT_VARIABLE, "abacus")
    with pytest.raises(EngineError):
        engine.load()


@pytest.mark.parametrize(
    "missing, environment, argument, expected",
    [
        (["tradeveil_native"], "", "", "openssl"),
        (["tradeveil_native"], "", "native", "run `make native`"),
        (["tradeveil_native", "petlib"], "", "", "reference"),
        (["petlib"], "", "openssl", "install petlib"),
        (["petlib"], "openssl", "", "install petlib"),
        (["tradeveil_native", "py_ecc"], "", "", "openssl"),
        (["py_ecc"], "", "reference", "install py_ecc"),
        (["tradeveil_native", "petlib", "py_ecc"], "", "", "no engine is installed"),
    ],
)
def test_a_missing_engine_is_passed_over_unless_asked_for(
    missing: list[str], environment: str, argument: str, expected: str
) -> None:
    program = f"""
import sys
sys.modules.update(dict.fromkeys({missing!r}))
from zkcore import engine
from zkcore.errors import EngineError
try:
    print(engine.load({argument!r}).engine)
except EngineError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={engine.ENVIRONMENT_VARIABLE: environment},
    )
    assert expected in run.stdout


# --- self-test --------------------------------------------------------------------------------------------------------


class Sound(Group):
    """Passes everything on to the reference engine; its children each break one thing."""

    def __init__(self) -> None:
        self.inner = ReferenceGroup()
        self.name, self.order = self.inner.name, self.inner.order
        self.p, self.a, self.b = self.inner.p, self.inner.a, self.inner.b

    def generator(self) -> Element:
        return self.inner.generator()

    def identity(self) -> Element:
        return self.inner.identity()

    def from_affine(self, x: int, y: int) -> Element:
        return self.inner.from_affine(x, y)

    def decode(self, data: bytes) -> Element:
        return self.inner.decode(data)

    def mul(self, scalar: int, element: Element) -> Element:
        return self.inner.mul(scalar, element)

    def msm(self, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        return self.inner.msm(scalars, elements)


class OtherGenerator(Sound):
    def generator(self) -> Element:
        return self.inner.mul(2, self.inner.generator())


class IdentityWithCoordinates(Sound):
    def identity(self) -> Element:
        return self.inner.generator()


class HybridPrefix(Sound):
    def decode(self, data: bytes) -> Element:
        return self.inner.decode(bytes([2 + data[0] % 2]) + data[1:])


class LiftedCoordinate(Sound):
    def decode(self, data: bytes) -> Element:
        x = int.from_bytes(data[1:], "big") % self.p
        return self.inner.decode(data[:1] + (x or 1).to_bytes(32, "big"))


class WrongSign(Sound):
    def decode(self, data: bytes) -> Element:
        return self.inner.decode(b"\x02" + data[1:]) if data[0] in (2, 3) else self.inner.decode(data)


class TruncatedScalar(Sound):
    def mul(self, scalar: int, element: Element) -> Element:
        return self.inner.mul(scalar % 2**128, element)


class SumWithoutTheLast(Sound):
    def msm(self, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        return self.inner.msm(scalars[:2], elements[:2])


class SumOfDistinctElements(Sound):
    def msm(self, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        distinct = dict(zip(elements, scalars, strict=True))
        return self.inner.msm(list(distinct.values()), list(distinct))


class MapOffTheCurve(Sound):
    def from_affine(self, x: int, y: int) -> Element:
        return self.inner.from_affine(x, y + 1)


def test_a_sound_engine_passes_its_self_test() -> None:
    engine.self_test(Suite(Sound(), "sound"))


@pytest.mark.parametrize("broken", Sound.__subclasses__())
def test_a_broken_engine_fails_its_self_test(broken: type[Sound], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine._OPENERS, "broken", broken)
    with pytest.raises(EngineError, match="broken fails its self-test"):
        engine.load("broken")
    assert "broken" not in engine._suites
