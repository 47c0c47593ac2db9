"""Applications: what an enterprise asks of a bank on which documents, and, if it wishes, its consent beforehand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from parties.common.credentials import APPLICATION_FIELDS
from parties.common.errors import InputError, Refused
from parties.common.money import Money, money_text
from parties.enterprise.wallet import Desk, OwnedDocument, Wallet, load_wallet_numbers, view_current
from schemas.domain.conversion import Rate, convert_up, share_of
from schemas.domain.currency import Currency
from schemas.domain.identifiers import PaperNumber
from schemas.identities import Identity
from schemas.messages import ConsentMessage
from schemas.sealed import Application, ApplicationLine, ConsentOffer, Loan
from schemas.wire import SecretMessage
from zkcore.context import ABSENT
from zkcore.errors import ZkError
from zkcore.group import encode_scalar
from zkcore.operations import CLEARED, DELETED
from zkcore.randomness import random_nonzero_scalar
from zkcore.secret.keys import shift_signing_key
from zkcore.secret.opening import fresh_opening
from zkcore.secret.operations import ConsentRequest, prove_application, prove_consent

FOLDER = "applications"
SECONDS_A_DAY = 86_400
MAXIMUM_DAYS = 366
MAXIMUM_LINES = 100
LONGEST_PURPOSE = 200
_LINE = re.compile(r"\s*([^=\s]+?)(?:/([A-Za-z]{3}|[0-9]{3}))?(?::([a-z][a-z0-9-]+))?\s*(?:=\s*(.+))?")
_PERCENT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,4})?")


class ApplicationRecord(SecretMessage):
    """Our own copy of an application, against which the bank's drafts are checked."""

    tradeveil: Literal["application-record"] = "application-record"
    bank: Identity
    application: Application


@dataclass(frozen=True, repr=False)
class AskedLine:
    """A line as a person writes it: a paper's number, its currency and counter if needed, and the amount if stated."""

    number: str
    currency: Currency | None
    amount: Money | None
    counter: str | None = None

    @classmethod
    def parse(cls, text: str) -> AskedLine:
        """From "NUMBER=USD 600000.00", "NUMBER", "NUMBER/USD" or "NUMBER:payment". Raises InputError, DomainError."""
        match = _LINE.fullmatch(text)
        if match is None:
            raise InputError(
                "line",
                f'--line {text!r} is not a line; write it like "232520260028296053=USD 600000.00", or the number alone',
                f"--line {text!r} 格式有误；请按“232520260028296053=USD 600000.00”填写，或只写编号",
            )
        number, alpha, counter, money = match.groups()
        return cls(
            PaperNumber.parse(number).text,
            None if alpha is None else Currency.parse(alpha),
            None if money is None else Money.parse(money),
            counter,
        )


@dataclass(frozen=True, repr=False)
class Terms:
    """What is asked.

    days, seconds: how long it is good for; seconds, where given, in place of days
    share: per cent of each declared limit, for lines without an amount
    loan, rate: a loan in another currency; a line without an amount gets what of the converted loan the other lines leave
    consent: whether to consent beforehand, so that the regulator's prover can answer the bank's draft
    """

    bank: Identity
    lines: tuple[AskedLine, ...]
    days: int = 7
    seconds: int | None = None
    share: Fraction | None = None
    loan: Money | None = None
    rate: Rate | None = None
    consent: bool = False
    purpose: str = ""


def parse_share(text: str) -> Fraction:
    """Per cent, from "80" or "62.5". Raises InputError."""
    if not _PERCENT.fullmatch(text.strip()) or not 0 < Fraction(text.strip()) <= 100:
        raise InputError(
            "share", f"--share {text!r} is not a percentage; write it like 80", f"--share {text!r} 不是有效百分比；例如 80"
        )
    return Fraction(text.strip())


def make_application(desk: Desk, wallet: Wallet, terms: Terms) -> Application:
    """The application, not yet stored. Raises InputError, Refused, DomainError with what to mend."""
    _check_bank(desk, terms.bank)
    longest = MAXIMUM_DAYS * SECONDS_A_DAY
    if (
        not 1 <= terms.days <= MAXIMUM_DAYS
        or not 1 <= (terms.seconds or 1) <= longest
        or not 1 <= len(terms.lines) <= MAXIMUM_LINES
    ):
        raise InputError(
            "terms",
            f"an application has 1 to {MAXIMUM_LINES} lines and is good for 1 to {MAXIMUM_DAYS} days",
            f"每份申请 1 至 {MAXIMUM_LINES} 行，有效期 1 至 {MAXIMUM_DAYS} 天",
        )
    if len(terms.purpose) > LONGEST_PURPOSE:
        raise InputError(
            "purpose", f"--purpose is at most {LONGEST_PURPOSE} characters", f"--purpose 不超过 {LONGEST_PURPOSE} 个字符"
        )
    documents = [require_financeable(desk, choose_document(wallet, line)) for line in terms.lines]
    if len({document.facts.document for document in documents}) != len(documents):
        raise InputError("repeated", "a document stands twice in the application", "申请中有重复的单证")
    amounts = choose_amounts(documents, terms)
    financing = desk.randomness.read(32)
    expires = desk.now + (terms.days * SECONDS_A_DAY if terms.seconds is None else terms.seconds)
    _check_reservation(desk, documents, expires)
    return Application(
        financing=financing,
        bank=terms.bank.holder,
        bank_key=terms.bank.key,
        applicant=desk.viewer.identity.holder,
        applicant_name=desk.viewer.identity.name,
        seal_key=desk.viewer.seal.public,
        loan=_loan(terms),
        purpose=terms.purpose,
        expires=expires,
        lines=[
            _line(desk, terms, document, amount, financing, expires)
            for document, amount in zip(documents, amounts, strict=True)
        ],
    )


def _check_reservation(desk: Desk, documents: Sequence[OwnedDocument], expires: int) -> None:
    """A draw is reserved until the application expires, which its kind bounds. Raises InputError."""
    kinds = desk.log.parameters.kinds
    for document in documents:
        longest = kinds[document.credential.kind].reservation
        if expires > desk.now + longest:
            days = longest // SECONDS_A_DAY
            raise InputError(
                "days",
                f"an application on {document.credential.number} is good for at most {days} days; choose --days",
                f"{document.credential.number} 的申请最长有效 {days} 天；请调整 --days",
            )


_DURATION = re.compile(r"([0-9]{1,8})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": SECONDS_A_DAY}


def parse_duration(text: str) -> int:
    """Seconds, from "30m", "36h", "7d" or "45s". Raises InputError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise InputError(
            "duration",
            f"--valid-for {text!r} is not a duration; write it like 36h, 30m or 7d",
            f"--valid-for {text!r} 不是有效时长；例如 36h、30m 或 7d",
        )
    return int(match[1]) * _UNITS[match[2]]


def store_application(desk: Desk, bank: Identity, application: Application) -> None:
    """Keeps our copy. Store it before the file leaves the house."""
    with desk.home.lock():
        record = ApplicationRecord(bank=bank, application=application)
        desk.home.save_new(application_file(application.financing), record)


def load_application(desk: Desk, financing: bytes) -> ApplicationRecord | None:
    """Our copy of the application of this financing, if there is one."""
    name = application_file(financing)
    return desk.home.load(name, ApplicationRecord) if desk.home.exists(name) else None


def application_file(financing: bytes) -> str:
    return f"{FOLDER}/{financing.hex()}.json"


def _check_bank(desk: Desk, bank: Identity) -> None:
    if bank.role != "bank" or bank.origin != desk.viewer.identity.origin:
        raise InputError(
            "not-a-bank",
            f"--bank: this is the identity of a {bank.role} of {bank.origin}; "
            f"a bank of {desk.viewer.identity.origin} is needed",
            f"--bank：这是 {bank.origin} 的 {bank.role} 身份；需要 {desk.viewer.identity.origin} 的银行身份",
        )
    try:
        bank.check(desk.suite)
    except ZkError as error:
        raise Refused(
            "possession-not-proven",
            f"the bank's identity does not prove that the bank has its key ({error.code}); ask the bank for the file again",
            f"银行身份文件未能证明其掌握密钥（{error.code}）；请向银行重新索取",
        ) from error


# --- documents and amounts ------------------------------------------------------------------------------------------------


def choose_document(wallet: Wallet, line: AskedLine) -> OwnedDocument:
    """The document that a line means: the one of its currency and counter, or the only one of its paper. Raises InputError."""
    found = wallet.of_number(line.number)
    wanted = line.currency or (None if line.amount is None else line.amount.currency)
    if not found:
        raise InputError(
            "no-such-document",
            f"your wallet has no document of {line.number}; see: tradeveil enterprise documents",
            f"钱包中没有 {line.number} 的单证；请查看：tradeveil enterprise documents",
        )
    fitting = [document for document in found if wanted is None or document.credential.currency == wanted.alpha]
    if len({document.credential.currency for document in fitting}) == 1:
        return _of_counter(fitting, line)
    if len(fitting) != 1:
        has, example = ", ".join(document.credential.currency for document in found), found[0].credential.currency
        raise InputError(
            "which-currency",
            f"{line.number} has documents in {has}; name one, like {line.number}/{example}",
            f"{line.number} 的单证币种为 {has}；请注明，例如 {line.number}/{example}",
        )
    return fitting[0]


def _of_counter(documents: Sequence[OwnedDocument], line: AskedLine) -> OwnedDocument:
    """The one of the counter that is named, or the only one."""
    fitting = [document for document in documents if line.counter in (None, document.credential.counter)]
    if len(fitting) == 1:
        return fitting[0]
    has, example = ", ".join(document.credential.counter for document in documents), documents[0].credential.counter
    raise InputError(
        "which-counter",
        f"{line.number} counts {has} apart; name one, like {line.number}:{example}",
        f"{line.number} 按 {has} 分别计数；请注明，例如 {line.number}:{example}",
    )


def require_financeable(desk: Desk, document: OwnedDocument) -> OwnedDocument:
    """The document with its attester's newest credential. Raises Refused when it cannot be financed now, saying why."""
    current, opened = view_current(desk, document)
    state, number = opened.state, document.credential.number
    if state.status == DELETED and state.replacement != ABSENT:
        known = load_wallet_numbers(desk).get(state.replacement, "?")
        raise Refused(
            "not-financeable",
            f"{number} was deleted and replaced by {known}; apply on that one",
            f"{number} 已删单，由 {known} 替代；请以后者申请",
        )
    if state.status != CLEARED:
        raise Refused(
            "not-financeable",
            f"{number} is {state.status}; only a cleared paper can be financed",
            f"{number} 的状态为 {state.status}；仅已结关的单证可融资",
        )
    if opened.overdrawn:
        raise Refused(
            "not-financeable",
            f"{number} is overdrawn: more is drawn on it than its present limit; repay first, or ask its attester",
            f"{number} 已超额：登记总额超过现有额度；请先还款或联系签发方",
        )
    return current


def choose_amounts(documents: Sequence[OwnedDocument], terms: Terms) -> list[int]:
    """Minor units for each line: stated, a share of the limit, or of a converted loan. Raises InputError, DomainError."""
    given = [_stated(document, line, terms.share) for document, line in zip(documents, terms.lines, strict=True)]
    if terms.loan is not None:
        given = _with_loan(documents, given, terms.loan, terms.rate)
    amounts: list[int] = []
    for document, line, amount in zip(documents, terms.lines, given, strict=True):
        limit, alpha = document.credential.limit, document.credential.currency
        if amount is None:
            raise InputError(
                "amount-missing",
                f'{line.number} has no amount; write "{line.number}={alpha} …", or give --share, or --loan with --rate',
                f"{line.number} 没有金额；请写“{line.number}={alpha} …”，或使用 --share，或 --loan 与 --rate",
            )
        if not 1 <= amount <= limit:
            shown = f"{money_text(amount, alpha)}", money_text(limit, alpha)
            raise InputError(
                "over-limit",
                f"{shown[0]} is asked on {line.number}; it must be more than zero and at most its limit, {shown[1]}",
                f"{line.number} 申请 {shown[0]}；须大于零且不超过其额度 {shown[1]}",
            )
        amounts.append(amount)
    return amounts


def _stated(document: OwnedDocument, line: AskedLine, share: Fraction | None) -> int | None:
    if line.amount is not None:
        if line.amount.currency.alpha != document.credential.currency:
            raise InputError(
                "another-currency",
                f"{line.number} is in {document.credential.currency}, and the amount in {line.amount.currency}; "
                "use --loan and --rate for a loan in another currency",
                f"{line.number} 的币种是 {document.credential.currency}，而金额是 {line.amount.currency}；"
                "外币贷款请用 --loan 与 --rate",
            )
        return line.amount.minor
    return None if share is None else share_of(document.credential.limit, share)


def _with_loan(
    documents: Sequence[OwnedDocument], given: Sequence[int | None], loan: Money, rate: Rate | None
) -> list[int | None]:
    """The amounts, of which a missing one is what the converted loan leaves. They must make up the loan exactly."""
    alphas = {document.credential.currency for document in documents}
    if rate is None or len(alphas) != 1:
        raise InputError(
            "loan",
            "--loan needs --rate, and documents of one currency",
            "--loan 须与 --rate 一同使用，且各单证币种相同",
        )
    alpha = alphas.pop()
    needed = convert_up(loan.minor, loan.currency, Currency.parse(alpha), rate)
    stated = sum(amount for amount in given if amount is not None)
    missing = sum(amount is None for amount in given)
    if missing > 1 or stated > needed or (missing == 0 and stated != needed) or (missing == 1 and stated == needed):
        raise InputError(
            "loan",
            f"the loan converts to {money_text(needed, alpha)} (rounded up), and the lines state {money_text(stated, alpha)}; "
            "leave the amount of exactly one line open, or make them equal",
            f"贷款折合 {money_text(needed, alpha)}（向上取整），各行合计 {money_text(stated, alpha)}；"
            "请只留一行不填金额，或使合计相等",
        )
    return [needed - stated if amount is None else amount for amount in given]


# --- messages -------------------------------------------------------------------------------------------------------------


def _loan(terms: Terms) -> Loan | None:
    if terms.loan is None or terms.rate is None:
        return None
    return Loan(currency=terms.loan.currency.alpha, amount=terms.loan.minor, rate=terms.rate.text)


def _line(desk: Desk, terms: Terms, document: OwnedDocument, amount: int, financing: bytes, expires: int) -> ApplicationLine:
    suite = desk.suite
    shift = random_nonzero_scalar(desk.randomness, suite.group)
    applied = prove_application(
        suite,
        desk.log.parameters,
        document.facts,
        document.secret,
        application=financing,
        key=shift_signing_key(suite, suite.group.decode(terms.bank.key), shift),
        expires=expires,
        randomness=desk.randomness,
    )
    return ApplicationLine(
        credential=document.credential.present(APPLICATION_FIELDS),
        amount=amount,
        key_shift=encode_scalar(suite.group, shift),
        applied=applied,
        consent=_consent(desk, terms, document, amount, shift, financing, expires) if terms.consent else None,
    )


def _consent(
    desk: Desk, terms: Terms, document: OwnedDocument, amount: int, shift: int, financing: bytes, expires: int
) -> ConsentOffer:
    """Our consent to this bank (by the draw's key), this amount (by its commitment) and this time."""
    suite = desk.suite
    key = shift_signing_key(suite, suite.group.decode(terms.bank.key), shift)
    asked = fresh_opening(suite, amount, desk.randomness)
    request = ConsentRequest(financing, key, asked, expires)
    consent = prove_consent(suite, desk.log.parameters, document.facts, document.secret, request, desk.randomness)
    blinding = encode_scalar(suite.group, asked.blinding)
    return ConsentOffer(consent=ConsentMessage.of(consent), blinding=blinding)
