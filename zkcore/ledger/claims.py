"""Claims of statements under their contexts: what zkcore.verifying.batch verifies together (SPEC.md, sections 5 and 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zkcore.context import Context
from zkcore.group import Element
from zkcore.statements import RangeStatement, Statement
from zkcore.suite import Suite
from zkcore.verifying.batch import Claim, RangeClaim, SigmaClaim


def sigma_claim(
    suite: Suite, label: str, statement: Statement, context: Context, elements: Mapping[str, Element], proof: bytes
) -> Claim:
    """That a sigma proof of the statement holds (SPEC.md, section 6). `proof` as it was sent: decoded when it is verified.

    Raises ContextError for a context that is not the statement's, InstanceError for elements that are not.
    """
    statement.check_context(context)
    return SigmaClaim(label, context.session_id(suite), statement.instance(suite, elements), proof)


def range_claim(
    suite: Suite, label: str, statement: RangeStatement, context: Context, values: Sequence[Element], proof: bytes
) -> Claim:
    """That a range proof of the values holds (SPEC.md, section 7). `proof` as it was sent: decoded when it is verified.

    Raises ContextError for a context that is not the statement's.
    """
    statement.check_context(context)
    return RangeClaim(label, context.session_id(suite), tuple(values), statement.bits, proof)
