"""Every statement that Tradeveil proves, written once, as data. SPEC.md section 5 gives them under the same names.

A statement is a list of equations over named elements and scalars, in Camenisch-Stadler notation: capital names are public
elements, lower-case names are secret scalars, G is the curve's generator and H the blinding generator. `requires` names the
context fields that must be present; all others must be ABSENT, so that a proof can never be read in two contexts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

from zkcore.context import ABSENT, NO_CURRENCY, Context
from zkcore.errors import ContextError, InstanceError
from zkcore.group import Element
from zkcore.relations import Equation, LinearRelation

if TYPE_CHECKING:
    from zkcore.suite import Suite

_TERM = re.compile(r"([+-]?)\s*(?:([a-z_]+)\*)?([A-Z][A-Za-z_]*)\s*")


@dataclass(frozen=True)
class Statement:
    """A named linear relation over named elements. The order of first appearance numbers elements and scalars."""

    name: str
    scalars: tuple[str, ...]
    equations: tuple[str, ...]
    requires: frozenset[str]

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """Names of the elements in order: G first, then as they appear, left to right and top to bottom."""
        names = ["G"]
        for equation in self.equations:
            for _, _, element in _TERM.findall(equation.replace("=", " ")):
                if element not in names:
                    names.append(element)
        return tuple(names)

    @cached_property
    def rows(self) -> tuple[Equation, ...]:
        """The equations with names replaced by indices."""
        rows = []
        for equation in self.equations:
            left, right = equation.split("=")
            image = tuple((self.elements.index(e), -1 if sign == "-" else 1) for sign, _, e in _TERM.findall(left))
            terms = tuple(
                (self.scalars.index(s), self.elements.index(e), -1 if sign == "-" else 1) for sign, s, e in _TERM.findall(right)
            )
            rows.append(Equation(image, terms))
        return tuple(rows)

    def instance(self, suite: Suite, elements: Mapping[str, Element]) -> LinearRelation:
        """The relation over these elements; G and H are the suite's. Raises InstanceError when a name is missing or unknown."""
        if elements.keys() != self._given:
            raise InstanceError(f"the statement {self.name} is over {', '.join(self.elements)}")
        values = {"G": suite.G, "H": suite.H, **elements}
        return LinearRelation(suite.group, tuple([values[name] for name in self.elements]), self.rows)

    @cached_property
    def _given(self) -> frozenset[str]:
        """Names of the elements that do not come from the suite."""
        return frozenset(self.elements) - {"G", "H"}

    def witness(self, **scalars: int) -> tuple[int, ...]:
        """The scalars by name, in the statement's order."""
        if set(scalars) != set(self.scalars):
            raise InstanceError(f"the witness of {self.name} is {', '.join(self.scalars)}")
        return tuple(scalars[name] for name in self.scalars)

    def check_context(self, context: Context) -> None:
        """Raises ContextError unless the context names this statement and has exactly the fields that it requires."""
        if context.statement != self.name:
            raise ContextError(f"a context of {context.statement} was used for {self.name}")
        _check_fields(self.name, self.requires, context)


def _check_fields(name: str, requires: frozenset[str], context: Context) -> None:
    present = (
        context.document != ABSENT,
        context.head != ABSENT,
        context.draw != ABSENT,
        context.currency != NO_CURRENCY,
        context.epoch != 0,
        context.payload != ABSENT,
    )
    if present != _expected(requires):
        raise ContextError(f"the context of {name} has exactly these fields: {', '.join(sorted(requires))}")


@cache
def _expected(requires: frozenset[str]) -> tuple[bool, ...]:
    return tuple(field in requires for field in ("document", "head", "draw", "currency", "epoch", "payload"))


@dataclass(frozen=True)
class RangeStatement:
    """A named aggregated range proof: every value, in order, is in [0, 2**bits)."""

    name: str
    values: tuple[str, ...]
    bits: int
    requires: frozenset[str]

    def check_context(self, context: Context) -> None:
        """Raises ContextError unless the context names this statement and has exactly the fields that it requires."""
        if context.statement != self.name:
            raise ContextError(f"a context of {context.statement} was used for {self.name}")
        _check_fields(self.name, self.requires, context)


_OF_DOCUMENT = frozenset({"document", "currency", "epoch", "payload"})
_OF_DRAW = _OF_DOCUMENT | {"draw"}
_AT_HEAD = _OF_DRAW | {"head"}
_DOCUMENT_AT_HEAD = _OF_DOCUMENT | {"head"}

# ZKP{(s): H = s*P}. Knowledge of a view key, shown when it is enrolled; payload: its holder.
VIEW_KEY_POSSESSION = Statement("view-key-possession", ("s",), ("H = s*P",), frozenset({"payload"}))

# ZKP{(k): K = k*G}. Knowledge of a signing key, shown when it is enrolled; payload: its holder.
SIGNING_KEY_POSSESSION = Statement("signing-key-possession", ("k",), ("K = k*G",), frozenset({"payload"}))

# The attester registers a limit v readable by the document's owner and the regulator; A is the attester's signing key.
REGISTER = Statement(
    "register",
    ("v", "r", "alpha"),
    ("C = v*G + r*H", "D_owner = r*P_owner", "D_regulator = r*P_regulator", "A = alpha*G"),
    _OF_DOCUMENT,
)
# 1 <= v <= 2**48 - 1.
REGISTER_RANGE = RangeStatement("register-range", ("C - G", "(2**48 - 1)*G - C"), 64, _OF_DOCUMENT)

# The attester says what became of a document. The context's head is the document's revision, the chain of its attester's words.
DOCUMENT_STATUS = Statement("document-status", ("alpha",), ("A = alpha*G",), _DOCUMENT_AT_HEAD)

# The attester replaces the limit by v. The context's head is the document's revision.
AMEND = Statement("amend", REGISTER.scalars, REGISTER.equations, _DOCUMENT_AT_HEAD)
# 1 <= v <= 2**48 - 1.
AMEND_RANGE = RangeStatement("amend-range", REGISTER_RANGE.values, 64, _DOCUMENT_AT_HEAD)

# The regulator shows that the residual is -m: R = -m*G + s*E_R by what a handle is. The context's head is the document's.
OVERDRAWN = Statement("overdrawn", ("s", "m", "b"), ("H = s*P", "R = s*E_R - m*G", "C_over = m*G + b*H"), _DOCUMENT_AT_HEAD)
# 1 <= m.
OVERDRAWN_RANGE = RangeStatement("overdrawn-range", ("C_over - G",), 64, _DOCUMENT_AT_HEAD)

# The owner applies for a draw under this key; payload: financing, draw key, expiry.
APPLICATION = Statement("application", ("s",), ("H = s*P_owner",), _OF_DOCUMENT)

# The bank has the application; K is the draw's own key, which signs all that follows.
APPLY = Statement("apply", ("k",), ("K = k*G",), _OF_DRAW)

# The bank decides about the application. The context's head is the application's.
DECIDE = Statement("decide", ("k",), ("K = k*G",), _AT_HEAD)

# The attester vouches for what a document says, to whoever is shown it; payload: the digest of what it says.
CREDENTIAL = Statement("credential", ("alpha",), ("A = alpha*G",), _OF_DOCUMENT)

# The bank commits to a draw of a, readable by owner and regulator; K is the draw's own key. The bank does not see the head.
DRAW = Statement(
    "draw",
    ("a", "r", "k"),
    ("C = a*G + r*H", "D_owner = r*P_owner", "D_regulator = r*P_regulator", "K = k*G"),
    _OF_DRAW,
)
# The same when the owner consented beforehand to the amount committed in C_asked.
CONSENTED_DRAW = Statement(
    "consented-draw",
    ("a", "r", "k", "d"),
    (*DRAW.equations, "C - C_asked = d*H"),
    _OF_DRAW,
)
# The same when the draw takes over what is outstanding, O, on a draw of a deleted document.
MOVED_DRAW = Statement(
    "moved-draw",
    ("a", "r", "k", "d"),
    (*DRAW.equations, "C - O = d*H"),
    _OF_DRAW,
)
# The owner's consent beforehand; payload: application, draw key, C_asked, expiry.
CONSENT = Statement("consent", ("s",), ("H = s*P_owner",), _OF_DOCUMENT)

# Whoever holds a reader's key shows what is left after the draw. R and E_R: the residual and the reader's handle of it;
# C and E_C: the draw and the reader's handle of it; C_left: a fresh commitment to the headroom m that remains.
_HEADROOM = ("H = s*P", "R - C = m*G + s*E_R - s*E_C", "C_left = m*G + b*H")
HEADROOM_BY_OWNER = Statement("headroom-by-owner", ("s", "m", "b"), _HEADROOM, _AT_HEAD)
HEADROOM_BY_REGULATOR = Statement("headroom-by-regulator", ("s", "m", "b"), _HEADROOM, _AT_HEAD)
# 1 <= a and 0 <= m, both below 2**64 (and so, with m + a at most the limit, below 2**48).
HEADROOM_RANGE = RangeStatement("headroom-range", ("C - G", "C_left"), 64, _AT_HEAD)

# The holder of the draw's key pays out all that is reserved. The context's head is the draw's.
DISBURSE = Statement("disburse", ("k",), ("K = k*G",), _AT_HEAD)
# The same when only part is paid out: the rest p is released.
DISBURSE_PART = Statement(
    "disburse-part",
    ("p", "r", "k"),
    ("C = p*G + r*H", "D_owner = r*P_owner", "D_regulator = r*P_regulator", "K = k*G"),
    _AT_HEAD,
)
# 1 <= p and p < outstanding.
DISBURSE_RANGE = RangeStatement("disburse-range", ("C - G", "O - C - G"), 64, _AT_HEAD)

# The holder of the draw's key reduces what is outstanding by p. The context's head is the draw's.
REDUCE = Statement(
    "reduce",
    ("p", "r", "k"),
    ("C = p*G + r*H", "D_owner = r*P_owner", "D_regulator = r*P_regulator", "K = k*G"),
    _AT_HEAD,
)
# 1 <= p and p <= outstanding.
REDUCE_RANGE = RangeStatement("reduce-range", ("C - G", "O - C"), 64, _AT_HEAD)

# The holder of the draw's key shows that nothing is outstanding. The context's head is the draw's.
CLOSE = Statement("close", ("q", "k"), ("O = q*H", "K = k*G"), _AT_HEAD)

# A reader asks for the document's private state; payload: reader, nonce and time of the request.
VIEW = Statement("view", ("s",), ("H = s*P",), _OF_DOCUMENT)

ALL: tuple[Statement, ...] = (
    VIEW_KEY_POSSESSION,
    SIGNING_KEY_POSSESSION,
    REGISTER,
    DOCUMENT_STATUS,
    AMEND,
    OVERDRAWN,
    CREDENTIAL,
    APPLICATION,
    APPLY,
    DECIDE,
    DRAW,
    CONSENTED_DRAW,
    MOVED_DRAW,
    CONSENT,
    HEADROOM_BY_OWNER,
    HEADROOM_BY_REGULATOR,
    DISBURSE,
    DISBURSE_PART,
    REDUCE,
    CLOSE,
    VIEW,
)
ALL_RANGES: tuple[RangeStatement, ...] = (
    REGISTER_RANGE,
    AMEND_RANGE,
    OVERDRAWN_RANGE,
    HEADROOM_RANGE,
    DISBURSE_RANGE,
    REDUCE_RANGE,
)
