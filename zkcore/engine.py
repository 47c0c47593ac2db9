"""The one place that chooses an engine and opens the suite over it.

Without an explicit name the best engine present is taken, and a missing one passed over. An engine asked for by name and
missing, or present and stale or failing its self-test, is an error: nothing falls back silently from those. Of the native
engine, TRADEVEIL_REQUIRE_NATIVE=1 makes its absence an error, too, and TRADEVEIL_WITHOUT_NATIVE=1 does as if it were absent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from zkcore import statements
from zkcore.errors import EngineError, IdentityError, PointError, ZkError
from zkcore.group import ELEMENT_SIZE, Element, Group
from zkcore.hash_to_curve import hash_to_curve
from zkcore.suite import Suite
from zkcore.verifying.batch import SigmaClaim

ENVIRONMENT_VARIABLE = "TRADEVEIL_ENGINE"
REQUIRE_NATIVE = "TRADEVEIL_REQUIRE_NATIVE"
WITHOUT_NATIVE = "TRADEVEIL_WITHOUT_NATIVE"


def _native() -> Group:
    if os.environ.get(WITHOUT_NATIVE) == "1":
        raise ImportError(f"{WITHOUT_NATIVE}=1 hides the native engine")
    from zkcore.engines import native

    return native.secp256k1()


def _openssl() -> Group:
    from zkcore.engines import openssl

    return openssl.secp256k1()


def _reference() -> Group:
    from zkcore.engines import reference

    return reference.ReferenceGroup()


# Best first. An opener raises ImportError when what its engine needs is not installed.
_OPENERS: dict[str, Callable[[], Group]] = {"native": _native, "openssl": _openssl, "reference": _reference}
_PACKAGES = {
    "native": "tradeveil-native (run `make native`; it needs a Rust toolchain)",
    "openssl": "petlib (with a C compiler and the OpenSSL headers)",
    "reference": "py_ecc",
}

_suites: dict[str, Suite] = {}
_lock = Lock()


def available() -> list[str]:
    """Names of the engines that can be loaded on this machine, best first.

    Raises EngineError when the native engine is required and absent, or stale.
    """
    return [name for name in _OPENERS if _present(name)]


def load(name: str | None = None) -> Suite:
    """The suite over the named engine; without a name, over the one the environment variable TRADEVEIL_ENGINE names; without
    that, over the best present. Self-tested when first loaded; afterwards the same object.

    Raises EngineError when the engine is unknown, missing, stale or fails its self-test.
    """
    name = name or os.environ.get(ENVIRONMENT_VARIABLE) or next(filter(_present, _OPENERS), None)
    if name is None:
        raise EngineError(f"no engine is installed: install {' or '.join(_PACKAGES.values())}")
    if name not in _OPENERS:
        raise EngineError(f"there is no engine of that name; the engines are {', '.join(_OPENERS)}")
    with _lock:
        if name not in _suites:
            _suites[name] = _open(name)
        return _suites[name]


def describe(name: str) -> str:
    """The build of an engine that is present, on one line: versions, and the path it takes on this processor."""
    if name == "native":
        from zkcore.engines import native

        return native.describe()
    if name == "openssl":
        from zkcore.engines import openssl

        return openssl.library_version()
    return "pure Python"


def self_test(suite: Suite) -> None:
    """Known answers and identities that any engine must satisfy. Takes milliseconds.

    Raises EngineError naming the first that fails.
    """
    with _failing_as_engine(suite.engine):
        _test_known_answers(suite)
        _test_codec(suite)
        _test_arithmetic(suite)
        _test_own_proofs(suite)


def _present(name: str) -> bool:
    try:
        _OPENERS[name]()
    except ImportError as error:
        if name == "native" and os.environ.get(REQUIRE_NATIVE) == "1" and os.environ.get(WITHOUT_NATIVE) != "1":
            raise EngineError(f"{REQUIRE_NATIVE}=1, and the native engine is not installed: run `make native`") from error
        return False
    return True


def _open(name: str) -> Suite:
    try:
        group = _OPENERS[name]()
    except ImportError as error:
        raise EngineError(f"the engine {name} is not installed: install {_PACKAGES[name]}, or choose another") from error
    with _failing_as_engine(name):
        suite = Suite(group, name)
    self_test(suite)
    return suite


@contextmanager
def _failing_as_engine(name: str) -> Iterator[None]:
    """A broken engine may raise any error of the family; to the caller it is the engine that fails."""
    try:
        yield
    except EngineError:
        raise
    except ZkError as error:
        raise EngineError(f"the engine {name} fails its self-test: unexpected error {error.code}") from error


def _expect(suite: Suite, holds: bool, what: str) -> None:
    if not holds:
        raise EngineError(f"the engine {suite.engine} fails its self-test: {what}")


def _test_known_answers(suite: Suite) -> None:
    group = suite.group
    generator = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")  # SEC 2, section 2.4.1
    _expect(suite, suite.G.encode() == generator, "generator")
    _expect(suite, group.mul(group.order - 1, suite.G) == -suite.G, "order of the generator")
    # RFC 9380, appendix J.8.1, the empty message.
    hashed = hash_to_curve(group, b"", b"QUUX-V01-CS02-with-secp256k1_XMD:SHA-256_SSWU_RO_")
    expected = group.from_affine(
        0xC1CAE290E291AEE617EBAEF1BE6D73861479C48B841EABA9B7B5852DDFEB1346,
        0x64FA678E07AE116126F08B022A94AF6DE15985C996C3A91B64C406A960E51067,
    )
    _expect(suite, hashed == expected, "hash to curve")


def _test_codec(suite: Suite) -> None:
    group = suite.group
    _expect(suite, group.decode(suite.H.encode()) == suite.H, "round trip of an encoding")
    _expect(suite, group.decode((-suite.H).encode()) == -suite.H, "round trip of an encoding")
    try:
        group.identity().encode()
    except IdentityError:
        pass
    else:
        _expect(suite, False, "the identity was encoded")
    # The identity padded to full length, an uncompressed prefix, x = p, and x = 5, at which the curve has no point.
    for refused in (0, (4 << 256) + 1, (2 << 256) + group.p, (2 << 256) + 5):
        try:
            group.decode(refused.to_bytes(ELEMENT_SIZE, "big"))
        except PointError:
            continue
        _expect(suite, False, "a bad encoding was decoded")


def _test_arithmetic(suite: Suite) -> None:
    group, g, h = suite.group, suite.G, suite.H
    _expect(suite, (g - g).is_identity and g + group.identity() == g, "addition of the identity")
    _expect(suite, g + g == group.mul(2, g), "doubling")
    scalars = [0, 1, group.order - 1, 2**128 + 1, group.order // 3, group.order // 3, 7]
    elements: list[Element] = [g, h, g, h, g, -g, group.identity()]
    total = group.identity()
    for scalar, element in zip(scalars, elements, strict=True):
        total = total + group.mul(scalar, element)
    _expect(suite, group.msm(scalars, elements) == total, "multi-scalar multiplication")
    _expect(suite, group.msm([], []).is_identity, "the empty sum")


def _test_own_proofs(suite: Suite) -> None:
    """What an engine proves and verifies by its own code: the bytes are those that the Python code makes."""
    group, twin = suite.group, suite.twin
    if group.sigma_prover is None or twin is None:
        return
    session = bytes([7]) * 32
    relation = statements.SIGNING_KEY_POSSESSION.instance(suite, {"K": group.mul(5, suite.G)})
    known = bytes.fromhex(
        "020749c032a024d68bdf31087df79def59035ca707ae228f1c99e4cd33160ee529"
        "5219bd9c42ee953756e46b5a6c7536cf738cd2b2b1aa41935e987c8086c120ee"
    )
    _expect(suite, group.sigma_prover(session, relation, [5], bytes(range(48))) == known, "a proof of its own")
    claims = [SigmaClaim("true", session, relation, known), SigmaClaim("false", bytes(32), relation, known)]
    _expect(suite, [index for index, _ in twin.failures(claims, 1)] == [1], "verdicts of its own")
