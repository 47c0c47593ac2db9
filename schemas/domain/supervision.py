"""Supervision modes (监管方式): the Customs procedure a shipment goes under.

It decides how far a declaration is financeable; each mode's share is the policy of a kind of document (schemas/kinds.toml).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from schemas.domain.errors import DomainError, ErrorCode, quote
from schemas.domain.tables import table


@dataclass(frozen=True, slots=True)
class SupervisionMode:
    """code: four digits."""

    code: str
    name_en: str
    name_zh: str

    def __str__(self) -> str:
        return self.code


class SupervisionModes:
    """The modes that a deployment knows. The shipped table is `default_modes()`; an authority may make its own."""

    def __init__(self, modes: Iterable[SupervisionMode]) -> None:
        self._by_code = {mode.code: mode for mode in modes}

    def find(self, code: str) -> SupervisionMode:
        """Raises DomainError (supervision-mode) for a code that is not in the table."""
        mode = self._by_code.get(code.strip())
        if mode is not None:
            return mode
        accepted = ", ".join(sorted(self._by_code))
        raise DomainError(
            ErrorCode.SUPERVISION_MODE,
            f"supervision mode {quote(code)} is not known; write the four digits of one of: {accepted}",
            f"监管方式 {quote(code)} 无法识别；请填写四位代码，可用：{accepted}",
        )


@cache
def default_modes() -> SupervisionModes:
    """The shipped table, supervision_modes.toml."""
    rows = table("supervision_modes.toml", "modes")
    return SupervisionModes(SupervisionMode(code, row["en"], row["zh"]) for code, row in rows.items())
