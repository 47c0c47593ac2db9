"""Numbers that identify: of a declaration (海关编号) and of a company (统一社会信用代码).

Both are text, always. Both are guessable, so neither ever leaves its party in plain form, and neither prints by accident.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from stdnum.cn import uscc

from schemas.domain.errors import DomainError, ErrorCode, quote

_DIGITS = re.compile(r"[0-9]{18}")
_TAX_REFUND = re.compile(r"[0-9]{21}")
_CONSOLIDATED_LIST = re.compile(r"[0-9]{8}[IE][0-9]{9}")
_SPREADSHEET_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)?[Ee]\+?[0-9]+|[0-9]+\.[0-9]+")
_IMPORT = re.compile(r"[0-9]{4}20[0-9]{2}1[0-9]{9}(?:[0-9]{3})?")
_FLAGS = {"export": "0", "import": "1"}
_PAPER_NUMBER = re.compile(r"[0-9A-Z][0-9A-Z._-]{0,31}")
Flow = Literal["export", "import"]
"""Which way the goods of a declaration go."""

_CREDIT_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_CODE = re.compile(f"[{_CREDIT_CODE_ALPHABET}]{{2}}[0-9]{{6}}[{_CREDIT_CODE_ALPHABET}]{{10}}")


@dataclass(frozen=True, order=True, slots=True, repr=False)
class DeclarationNumber:
    """Eighteen digits: Customs office 4, year 4, flag 1 (0 is export, 1 import), serial 9. There is no check digit.

    Made by `parse` only.
    """

    text: str

    @classmethod
    def parse(cls, text: str, flow: Flow = "export") -> DeclarationNumber:
        """From 18 digits, or the 21 of a tax-refund file, whose last three number the item and are dropped.

        Raises DomainError (declaration-number) otherwise: for what a spreadsheet made of it, for a declaration of goods that go
        the other way, for a consolidated list.
        """
        number = text.strip().removeprefix("'")  # The mark by which spreadsheets keep a number as text.
        if _TAX_REFUND.fullmatch(number):
            number = number[:18]
        if not _DIGITS.fullmatch(number):
            raise _not_a_declaration_number(number)
        if number[8] != _FLAGS[flow]:
            raise _another_flow(number, flow)
        if not number[4:].startswith("20"):
            raise DomainError(
                ErrorCode.DECLARATION_NUMBER,
                f"digits 5 to 8 of {quote(number)} are the year and should start with 20; compare it with the paper",
                f"海关编号 {quote(number)} 的第 5 至 8 位是年份，应以 20 开头；请与报关单核对",
            )
        return cls(number)

    @property
    def customs_office(self) -> str:
        """Four digits."""
        return self.text[:4]

    @property
    def year(self) -> int:
        return int(self.text[4:8])

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return "DeclarationNumber(hidden)"


@dataclass(frozen=True, order=True, slots=True, repr=False)
class PaperNumber:
    """The number of a paper of any kind, as its attester writes it: at most 32 digits, capital letters, dots and dashes.

    Made by `parse` only.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> PaperNumber:
        """In either case; a Customs number of 21 digits becomes the 18 of its declaration.

        Raises DomainError (declaration-number) otherwise, as for what a spreadsheet made of it.
        """
        number = text.strip().removeprefix("'").upper()
        if _SPREADSHEET_NUMBER.fullmatch(number):
            raise _not_a_declaration_number(number)
        if _TAX_REFUND.fullmatch(number):
            number = number[:18]
        if not _PAPER_NUMBER.fullmatch(number):
            raise DomainError(
                ErrorCode.DECLARATION_NUMBER,
                f"{quote(text)} is not the number of a paper: write at most 32 digits, letters, dots and dashes",
                f"{quote(text)} 不是有效的单证编号；最多 32 个数字、字母、点或短横线",
            )
        return cls(number)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return "PaperNumber(hidden)"


@dataclass(frozen=True, order=True, slots=True, repr=False)
class CreditCode:
    """A unified social credit code (USCC, GB 32100): 18 characters, the last of which checks the others.

    Made by `parse` only.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> CreditCode:
        """In either case, with spaces around. Raises DomainError (credit-code), saying which character to look at if it can."""
        code = text.strip().upper()
        if len(code) != 18:
            raise _credit_code_error(
                text, f"has {len(code)} characters and should have 18", f"共 {len(code)} 个字符，应为 18 个字符"
            )
        for position, character in enumerate(code, start=1):
            if character not in _CREDIT_CODE_ALPHABET:
                raise _credit_code_error(
                    text,
                    f"has {quote(character)} at position {position}; it has digits, and capital letters except I, O, S, V, Z",
                    f"第 {position} 位是 {quote(character)}；只能使用数字和除 I、O、S、V、Z 以外的大写字母",
                )
        if not _CREDIT_CODE.fullmatch(code):
            raise _credit_code_error(text, "should have digits at positions 3 to 8", "第 3 至 8 位应为数字")
        # The library's whole check demands digits in the first two places, where GB 32100 also has letters; the sum is right.
        if uscc.calc_check_digit(code[:17]) != code[17]:
            raise _credit_code_error(
                text,
                "does not match its check character, so at least one is mistyped; compare it with the licence",
                "校验位不符，至少有一个字符有误；请与营业执照核对",
            )
        return cls(code)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return "CreditCode(hidden)"


def is_import(text: str) -> bool:
    """Whether this is the well-formed number of an import declaration, in any form that `DeclarationNumber.parse` reads."""
    return _IMPORT.fullmatch(text.strip().removeprefix("'")) is not None


def _not_a_declaration_number(number: str) -> DomainError:
    if _CONSOLIDATED_LIST.fullmatch(number.upper()):
        return DomainError(
            ErrorCode.DECLARATION_NUMBER,
            f"{quote(number)} is the number of a consolidated list; write the number of the export declaration",
            f"{quote(number)} 是清单编号；请填写出口报关单的海关编号",
        )
    if _SPREADSHEET_NUMBER.fullmatch(number):
        return DomainError(
            ErrorCode.DECLARATION_NUMBER,
            f"{quote(number)} is what a spreadsheet made of a declaration number, and its last digits are lost; "
            "format the column as text, enter the 18 digits again from the paper, and save",
            f"{quote(number)} 是电子表格改写后的海关编号，末尾数字已丢失；请将该列设为文本格式，按报关单重新填写 18 位数字",
        )
    return DomainError(
        ErrorCode.DECLARATION_NUMBER,
        f"{quote(number)} is not a declaration number: it has {len(number)} characters and should be 18 digits",
        f"{quote(number)} 不是有效的海关编号：共 {len(number)} 个字符，应为 18 位数字",
    )


_FLOWS_ZH = {"export": "出口", "import": "进口"}


def _another_flow(number: str, flow: Flow) -> DomainError:
    other: Flow = "import" if flow == "export" else "export"
    flag, other_flag = _FLAGS[flow], _FLAGS[other]
    if number[8] == other_flag:
        return DomainError(
            ErrorCode.DECLARATION_NUMBER,
            f"{quote(number)} is an {other} declaration (its 9th digit is {other_flag}); "
            f"only {flow} declarations ({flag}) are accepted here",
            f"{quote(number)} 是{_FLOWS_ZH[other]}报关单（第 9 位为 {other_flag}）；"
            f"此处只受理{_FLOWS_ZH[flow]}报关单（第 9 位为 {flag}）",
        )
    return DomainError(
        ErrorCode.DECLARATION_NUMBER,
        f"the 9th digit of {quote(number)} should be {flag} ({flow}); compare it with the paper",
        f"海关编号 {quote(number)} 的第 9 位应为 {flag}（{_FLOWS_ZH[flow]}）；请与报关单核对",
    )


def _credit_code_error(text: str, why_en: str, why_zh: str) -> DomainError:
    return DomainError(
        ErrorCode.CREDIT_CODE,
        f"credit code {quote(text)} {why_en}",
        f"统一社会信用代码 {quote(text)} {why_zh}",
    )
