"""People are answered in the language they ask for, and details mean the same in both.

Must hold: quality values decide as RFC 9110 says; what cannot be read changes nothing; every detail that the service itself can
write has its Chinese. A failure would be Chinese for who asked for English, or the reverse. Not a failure: English for who asks
for neither, and a detail that a new version of a library words anew.
"""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from schemas import problems
from schemas.canonical import parse_strict
from schemas.chinese import _REASONS, in_chinese
from schemas.languages import CHINESE, ENGLISH, preferred
from schemas.messages import FinancingRequest, ViewMessage
from schemas.problems import FieldProblem, LineProblem, Problem
from tests.schemas.forms import message_classes
from zkcore.errors import ZkError

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize(
    "accepted, language",
    [
        ("", ENGLISH),
        ("fr, de;q=0.5", ENGLISH),
        ("*", ENGLISH),
        ("zh", CHINESE),
        ("ZH-hans-cn", CHINESE),
        ("zh-CN,zh;q=0.9,en;q=0.8", CHINESE),
        ("en-GB,en;q=0.9,zh;q=0.8", ENGLISH),
        ("en;q=0.5, zh;q=0.6", CHINESE),
        ("en, zh", ENGLISH),
        ("zh, en", CHINESE),
        ("fr, zh;q=0.1", CHINESE),
        ("zh;q=0", ENGLISH),
        ("zh;q=0, *", ENGLISH),
        ("en;q=0", ENGLISH),
        ("en;q=0, *", CHINESE),
        ("en;q=0.5, *", CHINESE),
        ("zh ; q=0.30 , en ;q=0.2", CHINESE),
        ("zh;q=1.001", ENGLISH),
        ("zh;q=nan", ENGLISH),
        ("zh;q=-1", ENGLISH),
        ("zhx", ENGLISH),
        ("z\u4e2d, \x00, ;;;,,, zh", CHINESE),
        (",".join(["fr"] * 16) + ",zh", ENGLISH),
    ],
)
def test_quality_values_decide(accepted: str, language: str) -> None:
    assert preferred(accepted) == language


def test_every_code_of_the_family_has_its_chinese() -> None:
    def below(kind: type[ZkError]) -> set[str]:
        return {kind.code}.union(*(below(child) for child in kind.__subclasses__() if child.__module__.startswith("zkcore")))

    assert below(ZkError) == set(_REASONS)
    assert all(HAN.search(chinese) for chinese in _REASONS.values())


def spoilt() -> list[object]:
    """Values of all kinds, wherever a message may stand."""
    wrong = [None, True, 1, -1, 1.5, 1 << 60, "", "x", "=", "A" * 43, "B" * 43, "A" * 10_000, [], [1], [{}] * 101, {}, {"x": 1}]
    whole = {"document": "A" * 43, "reader": "owner", "nonce": "A" * 22, "issued": 1, "proof": "AA"}
    return [*wrong, *({**whole, name: value} for name in whole for value in wrong), *({"lines": value} for value in wrong)]


def test_what_pydantic_says_of_our_messages_has_its_chinese() -> None:
    told = set()
    for value in spoilt():
        for form in (ViewMessage, FinancingRequest, *message_classes()):
            try:
                form.model_validate(value)
            except ValidationError as error:
                told |= {item["msg"].removeprefix("Value error, ") for item in error.errors()}
    assert len(told) > 20
    assert [text for text in sorted(told) if not HAN.search(in_chinese(text))] == []


@pytest.mark.parametrize("text", [b"", b"{", b'{"a":1,"a":1}', b"NaN", b"[" * 100_000, b"\xff"])
def test_what_is_not_json(text: bytes) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is what is tested
        parse_strict(text)
    assert HAN.search(in_chinese(f"not JSON as this service reads it: {caught.value}"))


def test_variable_parts_stay() -> None:
    assert in_chinese("33 bytes stand here, got 5") == "此处应为 33 字节，实为 5 字节"
    assert in_chinese("1 to 2048 bytes stand here, got 0") == "此处应为 1 至 2048 字节，实为 0 字节"
    assert in_chinese("not JSON as this service reads it: NaN is not JSON") == "不是本服务可读的 JSON（NaN 不是 JSON）"
    assert in_chinese("something new", "sigma") == "证明不成立"
    assert in_chinese("something new") == "something new"


def test_a_problem_is_in_one_language() -> None:
    kind = problems.HEADROOM_NOT_PROVEN
    lines = [
        LineProblem(line=0, type=kind.uri, code="state", detail=kind.title),
        LineProblem(line=1, type=kind.uri, code="sigma", detail="the proof does not satisfy its verification equation"),
    ]
    fields = [FieldProblem(path="/lines/0", detail="Field required")]
    english = Problem.of(kind, lines=lines, fields=fields)
    assert (english.title, english.detail) == (kind.title, kind.advice)
    assert (english.lines, english.fields) == (lines, fields)
    chinese = Problem.of(kind, CHINESE, lines=lines, fields=fields)
    assert (chinese.title, chinese.detail) == (kind.title_zh, kind.advice_zh)
    assert [line.detail for line in chinese.lines] == [kind.title_zh, "证明不满足验证方程"]
    assert [field.detail for field in chinese.fields] == ["缺少该字段"]
    assert (chinese.type, chinese.status) == (english.type, english.status)
