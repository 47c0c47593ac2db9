"""docs/PROBLEMS.md: every problem type, one by one, from schemas.problems and the OpenAPI description."""

from __future__ import annotations

import json
from typing import Any

from schemas.languages import CHINESE
from schemas.problems import ALL, Problem, ProblemType
from service.openapi import occurrences

_HEAD = """# Problem types

Everything the service answers that is not a success is a problem document (RFC 9457, `application/problem+json`) of this
closed list, in English or, by `Accept-Language`, in Chinese. Nothing is written when one is answered. `lines` and `fields` name
what is wrong where that can be named: lines count from 0, `path` is a JSON pointer. The service itself serves this list, in one
language, at `GET /v1/problems` and `GET /v1/problems/{slug}`.

This page is generated from `schemas/problems.py` by `python -m tradeveil.describe`.

| slug | status | title | |
|---|---|---|---|
"""

_REPEAT = {
    "same": "send the very same request again, with the same `Idempotency-Key`. 原样重发（幂等键不变）有效。",
    "changed": "only once it is mended as the advice says. 按提示修正后重发才有效。",
    "no": "no. 重发无效。",
}


def problems_page(document: dict[str, Any]) -> str:
    """The page, for this OpenAPI description."""
    where = occurrences(document)
    kinds = sorted(ALL, key=lambda kind: (kind.status, kind.slug))
    rows = "".join(f"| [`{kind.slug}`](#{kind.slug}) | {kind.status} | {kind.title} | {kind.title_zh} |\n" for kind in kinds)
    return _HEAD + rows + "".join(_section(kind, where.get(kind.slug, [])) for kind in kinds)


def _section(kind: ProblemType, operations: list[str]) -> str:
    found = ", ".join(f"`{name}`" for name in operations) or "any address or method that the description does not have"
    return f"""
## {kind.slug}

**{kind.title}** ({kind.status}). {kind.advice}

**{kind.title_zh}**（{kind.status}）。{kind.advice_zh}

- Where 何处: {found}.
- Sending again 重发: {_REPEAT[kind.repeat]}

```json
{_example(kind)}
```
"""


def _example(kind: ProblemType) -> str:
    shown = Problem.of(kind, CHINESE).model_dump(mode="json", exclude_defaults=True)
    return json.dumps(shown, ensure_ascii=False, indent=2)
