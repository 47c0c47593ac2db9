"""Every statement, as data: complete, refused by the prover without its witness, bound to exactly the context it requires.

A failure would be: a notation that is read as another relation than it says, a proof that an honest prover cannot make, a
prover that lets out a proof of what is false, a context with a field missing, superfluous or malformed that is accepted all
the same, and two statements that could be taken for one another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.vectors.cast import Cast
from schemas.vectors.statement_vectors import Case, cases
from zkcore import engine, statements
from zkcore.context import ABSENT, NO_CURRENCY, Context
from zkcore.errors import ContextError, InstanceError, SigmaRejected, WitnessError
from zkcore.randomness import SeededRandomness, SystemRandomness
from zkcore.relations import Equation
from zkcore.secret.sigma import prove_batchable
from zkcore.statements import RangeStatement, Statement
from zkcore.verifying.sigma import verify_batchable

SUITE = engine.load()
CASES = list(cases(Cast(SUITE)))
IDS = [case.name for case in CASES]
EVERYTHING: tuple[Statement | RangeStatement, ...] = (*statements.ALL, *statements.ALL_RANGES)


def context_of(statement: Statement | RangeStatement, **changed: Any) -> Context:
    """A context with exactly what the statement requires, then changed."""
    required = statement.requires
    fields: dict[str, Any] = {
        "origin": "log.example",
        "statement": statement.name,
        "document": b"d" * 32 if "document" in required else ABSENT,
        "head": b"h" * 32 if "head" in required else ABSENT,
        "draw": b"w" * 32 if "draw" in required else ABSENT,
        "currency": "USD" if "currency" in required else NO_CURRENCY,
        "epoch": 1 if "epoch" in required else 0,
        "payload": b"p" * 32 if "payload" in required else ABSENT,
    }
    return Context(**(fields | changed))


# --- the notation ---------------------------------------------------------------------------------------------------------


def test_draw_is_read_as_it_is_written() -> None:
    assert statements.DRAW.elements == ("G", "C", "H", "D_owner", "P_owner", "D_regulator", "P_regulator", "K")
    assert statements.DRAW.rows == (
        Equation(((1, 1),), ((0, 0, 1), (1, 2, 1))),  # C = a*G + r*H
        Equation(((3, 1),), ((1, 4, 1),)),  # D_owner = r*P_owner
        Equation(((5, 1),), ((1, 6, 1),)),  # D_regulator = r*P_regulator
        Equation(((7, 1),), ((2, 0, 1),)),  # K = k*G
    )


def test_headroom_is_read_as_it_is_written() -> None:
    assert statements.HEADROOM_BY_OWNER.elements == ("G", "H", "P", "R", "C", "E_R", "E_C", "C_left")
    assert statements.HEADROOM_BY_OWNER.rows == (
        Equation(((1, 1),), ((0, 2, 1),)),  # H = s*P
        Equation(((3, 1), (4, -1)), ((1, 0, 1), (0, 5, 1), (0, 6, -1))),  # R - C = m*G + s*E_R - s*E_C
        Equation(((7, 1),), ((1, 0, 1), (2, 1, 1))),  # C_left = m*G + b*H
    )


def test_consented_draw_adds_one_equation() -> None:
    assert statements.CONSENTED_DRAW.elements == (*statements.DRAW.elements, "C_asked")
    assert statements.CONSENTED_DRAW.rows == (*statements.DRAW.rows, Equation(((1, 1), (8, -1)), ((3, 2, 1),)))


def test_the_notation_is_the_only_source() -> None:
    """Every name of the notation is read, and nothing else: rebuilt from indices, the equations are what was written."""
    for statement in statements.ALL:
        for written, row in zip(statement.equations, statement.rows, strict=True):
            left = _join((coefficient, statement.elements[element]) for element, coefficient in row.image)
            right = _join((c, f"{statement.scalars[s]}*{statement.elements[e]}") for s, e, c in row.terms)
            assert f"{left} = {right}" == written


def _join(terms: Any) -> str:
    text = "".join(f" {'-' if coefficient == -1 else '+'} {name}" for coefficient, name in terms)
    return text.removeprefix(" + ")


def test_names_are_distinct_and_tell_statements_apart() -> None:
    names = [statement.name for statement in EVERYTHING]
    assert len(set(names)) == len(names)
    tags = {context_of(statement).tag(SUITE) for statement in EVERYTHING}
    assert len(tags) == len(names)
    for statement in EVERYTHING:
        assert context_of(statement).tag(SUITE).startswith(b"TRADEVEIL-V01-" + statement.name.encode() + b"-DSFS-with-")


# --- completeness and witnesses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=IDS)
@pytest.mark.parametrize("name", engine.available())
def test_completeness(case: Case, name: str) -> None:
    """With the elements decoded by the engine at hand."""
    suite = engine.load(name)
    elements = {key: suite.group.decode(element.encode()) for key, element in case.elements.items()}
    instance, tag = case.statement.instance(suite, elements), context_of(case.statement).tag(suite)
    proof = prove_batchable(tag, instance, case.statement.witness(**case.witness), SeededRandomness(case.name.encode()))
    assert len(proof) == instance.proof_size
    verify_batchable(tag, instance, proof)
    other = context_of(case.statement, origin="other.example").tag(suite)
    with pytest.raises(SigmaRejected):
        verify_batchable(other, instance, proof)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_prover_refuses_a_wrong_witness(case: Case) -> None:
    instance, tag = case.statement.instance(SUITE, case.elements), context_of(case.statement).tag(SUITE)
    for name, scalar in case.witness.items():
        wrong = case.statement.witness(**{**case.witness, name: scalar + 1})
        with pytest.raises(WitnessError):
            prove_batchable(tag, instance, wrong, SystemRandomness())


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_proofs_of_one_statement_differ(case: Case) -> None:
    """Fresh randomness, fresh proof: no proof may serve as an identifier."""
    instance, tag = case.statement.instance(SUITE, case.elements), context_of(case.statement).tag(SUITE)
    witness = case.statement.witness(**case.witness)
    assert prove_batchable(tag, instance, witness, SystemRandomness()) != prove_batchable(
        tag, instance, witness, SystemRandomness()
    )


def test_elements_and_witnesses_are_given_by_name() -> None:
    case = next(case for case in CASES if case.statement is statements.DRAW)
    elements, witness = dict(case.elements), dict(case.witness)
    for changed in (
        {name: element for name, element in elements.items() if name != "K"},
        elements | {"X": SUITE.G},
        elements | {"H": SUITE.G},  # G and H are the suite's; nobody hands others in
        elements | {"G": SUITE.H},
    ):
        with pytest.raises(InstanceError):
            statements.DRAW.instance(SUITE, changed)
    for scalars in ({"a": 1, "r": 2}, witness | {"x": 1}, {}):
        with pytest.raises(InstanceError):
            statements.DRAW.witness(**scalars)
    assert statements.DRAW.witness(k=3, r=2, a=1) == (1, 2, 3)


# --- contexts -------------------------------------------------------------------------------------------------------------

PRESENT: dict[str, Any] = {"document": b"x" * 32, "head": b"x" * 32, "draw": b"x" * 32, "payload": b"x" * 32}
PRESENT |= {"currency": "EUR", "epoch": 2}
MISSING: dict[str, Any] = {"document": ABSENT, "head": ABSENT, "draw": ABSENT, "payload": ABSENT, "currency": NO_CURRENCY}
MISSING |= {"epoch": 0}


@pytest.mark.parametrize("statement", EVERYTHING, ids=[statement.name for statement in EVERYTHING])
def test_a_context_has_exactly_the_required_fields(statement: Statement | RangeStatement) -> None:
    statement.check_context(context_of(statement))
    for field in PRESENT:
        wrong = MISSING[field] if field in statement.requires else PRESENT[field]
        with pytest.raises(ContextError):
            statement.check_context(context_of(statement, **{field: wrong}))
    for other in EVERYTHING:
        if other is not statement:
            with pytest.raises(ContextError):
                statement.check_context(replace(context_of(statement), statement=other.name))


@pytest.mark.parametrize("statement", EVERYTHING, ids=[statement.name for statement in EVERYTHING])
def test_every_field_is_in_the_tag(statement: Statement | RangeStatement) -> None:
    tag = context_of(statement).tag(SUITE)
    changed = [context_of(statement, origin="log.example.org"), *(context_of(statement, **{f: v}) for f, v in PRESENT.items())]
    tags = {context.tag(SUITE) for context in changed}
    assert len(tags) == len(changed)
    assert tag not in tags
    assert tag.endswith(SUITE.generators_digest)


def test_the_tag_is_framed() -> None:
    """Bytes cannot move from one field into the next."""
    statement = statements.DRAW
    one = context_of(statement, origin="log.example", currency="USD").tag(SUITE)
    assert b"\x0b\0\0\0log.example\x20\0\0\0" in one
    assert b"\x03\0\0\0USD\x04\0\0\0\x01\0\0\0" in one


@pytest.mark.parametrize(
    "field, value",
    [
        ("origin", ""),
        ("origin", "ab"),
        ("origin", "Log.example"),
        ("origin", "log example"),
        ("origin", "log.example\n"),
        ("origin", "-log.example"),
        ("origin", "lög.example"),
        ("origin", "l" * 101),
        ("currency", "usd"),
        ("currency", "US"),
        ("currency", "USDX"),
        ("currency", "USD\n"),
        ("currency", ""),
        ("epoch", -1),
        ("epoch", 1 << 32),
        ("epoch", True),
        ("epoch", "1"),
        ("document", b""),
        ("document", b"d" * 31),
        ("document", b"d" * 33),
        ("document", "d" * 32),
        ("document", bytearray(32)),
        ("head", None),
        ("draw", b"d" * 33),
        ("payload", b"d" * 31),
    ],
)
def test_a_malformed_field_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ContextError):
        context_of(statements.DRAW, **{field: value})


def test_a_context_has_no_defaults() -> None:
    with pytest.raises(TypeError):
        Context("log.example", "draw")  # type: ignore[call-arg]
