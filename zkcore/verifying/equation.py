"""A verification equation as data: the claim that a linear combination of public elements is the identity.

Verifying code states equations and evaluates none of them. The batch multiplies each with a random weight, adds them up and
evaluates one multi-scalar multiplication, so that G, H and the range-proof vectors are paid for once.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkcore.group import Element


@dataclass(frozen=True)
class Equation:
    """The claim: sum(scalar * element over `terms`) + g*G + h*H + <gs, G_vector> + <hs, H_vector> = identity.

    Coefficients are scalars in [0, order). `gs` and `hs` begin at index 0 of the suite's vectors and may be shorter than them.
    """

    terms: tuple[tuple[int, Element], ...]
    g: int = 0
    h: int = 0
    gs: tuple[int, ...] = ()
    hs: tuple[int, ...] = ()
