"""The list of problem types is closed, and every one helps whoever meets it.

Must hold: slugs are unique and stable in form, statuses are errors, titles and advice are there in both languages; the service
uses no type that is not in the list. A failure would be an answer that no client can have prepared for.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import service
from schemas import problems
from schemas.problems import ALL, TYPE_PREFIX, ProblemType

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_slugs_are_unique_and_nothing_is_left_out() -> None:
    assert len({kind.slug for kind in ALL}) == len(ALL)
    defined = {value.slug for value in vars(problems).values() if isinstance(value, ProblemType)}
    assert defined == {kind.slug for kind in ALL}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.slug)
def test_each_type_says_what_to_do_in_both_languages(kind: ProblemType) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.slug)
    assert kind.uri == TYPE_PREFIX + kind.slug
    assert 400 <= kind.status <= 599
    for text in (kind.title, kind.advice):
        assert text
        assert not CHINESE.search(text)
    for text in (kind.title_zh, kind.advice_zh):
        assert CHINESE.search(text)


def test_the_service_uses_every_type_and_no_other() -> None:
    code = "\n".join(path.read_text("utf-8") for path in Path(service.__path__[0]).rglob("*.py"))
    used = set(re.findall(r"problems\.([A-Z_]+)", code))
    names = {name for name, value in vars(problems).items() if isinstance(value, ProblemType)}
    assert used <= names | {"ALL"}
    assert names <= used
