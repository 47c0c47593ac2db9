"""An application as a bank receives it: opened, and checked before anybody spends a thought on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parties.bank.desk import Desk
from parties.common.credentials import APPLICATION_FIELDS, check_disclosures, verify_presentation
from parties.common.errors import Refused, ServiceRefused
from parties.common.keyring import Signer
from parties.common.money import money_text
from parties.common.sealed_files import read_sealed
from parties.common.words import STATUSES_ZH
from schemas import problems
from schemas.domain.conversion import Rate, convert_up
from schemas.domain.currency import Currency
from schemas.sealed import Application, ApplicationLine, Presentation
from zkcore.errors import ZkError
from zkcore.group import SCALAR_SIZE
from zkcore.ledger import DocumentFacts
from zkcore.secret.keys import SigningSecret


@dataclass(frozen=True, repr=False)
class CheckedLine:
    """A line whose credential holds and whose document is financeable. `key` is the key of the draw to be made."""

    line: ApplicationLine
    facts: DocumentFacts
    key: SigningSecret


@dataclass(frozen=True, repr=False)
class CheckedApplication:
    """An application that passed every check."""

    application: Application
    lines: tuple[CheckedLine, ...]

    @property
    def consented(self) -> bool:
        """Whether the owner consented beforehand to every line, so that the regulator's prover can answer the draft."""
        return all(item.line.consent is not None for item in self.lines)


def read_application(path: Path, signer: Signer) -> Application:
    """Open a file with the bank's seal key. Raises InputError, Refused for credentials that do not show what is needed."""
    application = read_sealed(path, Application, signer.seal)
    check_shown(application)
    return application


def check_shown(application: Application) -> None:
    """What a bank needs of each credential is disclosed; whether it is signed is check_line's to say. Raises Refused."""
    for line in application.lines:
        check_disclosures(line.credential, APPLICATION_FIELDS)


def check_application(desk: Desk, application: Application) -> CheckedApplication:
    """All checks, those that need nobody first. Raises Refused, saying which line."""
    check_shown(application)
    check_terms(desk.signer, application, desk.now)
    lines = tuple(check_line(desk, index, line) for index, line in enumerate(application.lines))
    for index, line in enumerate(application.lines):
        check_status(desk, index, line.credential)
    return CheckedApplication(application, lines)


def check_terms(signer: Signer, application: Application, now: int) -> None:
    """For this bank, not expired, each document and draw key once, all of one holder, loan converted as stated."""
    identity = signer.identity
    if (application.bank, application.bank_key) != (identity.holder, identity.key):
        raise Refused(
            "another-bank",
            "this application is for another bank or another key of yours",
            "该申请不是提交给本行（或本行现用密钥）的",
        )
    if application.expires <= now:
        raise Refused("expired", "this application has expired; ask for a new one", "该申请已过期；请重新申请")
    _once([line.credential.document for line in application.lines], "document", "单证")
    _once([line.key_shift for line in application.lines], "draw key", "登记密钥")
    if any(line.credential.holder != application.applicant for line in application.lines):
        raise Refused(
            "another-holder",
            "a document of this application is not the applicant's own",
            "申请中有单证不属于申请人",
        )
    check_loan(application)


def _once(values: Sequence[bytes], what_en: str, what_zh: str) -> None:
    if max(Counter(values).values()) > 1:
        raise Refused("repeated", f"a {what_en} stands twice in this application", f"申请中有重复的{what_zh}")


def check_loan(application: Application) -> None:
    """A loan in another currency converts, rounded up, to exactly what is asked. Raises Refused, DomainError."""
    if application.loan is None:
        return
    loan, alphas = application.loan, {line.credential.currency for line in application.lines}
    if len(alphas) != 1:
        raise Refused(
            "loan-conversion",
            "a loan in another currency is drawn on documents of one currency; ask for one application a currency",
            "外币贷款对应的单证须为同一币种；请按币种分别申请",
        )
    currency = Currency.parse(alphas.pop())
    needed = convert_up(loan.amount, Currency.parse(loan.currency), currency, Rate.parse(loan.rate))
    asked = sum(line.amount for line in application.lines)
    if asked != needed:
        right, wrong = money_text(needed, currency.alpha), money_text(asked, currency.alpha)
        raise Refused(
            "loan-conversion",
            f"the loan converts to {right} at the stated rate, and {wrong} is asked",
            f"按所列汇率，贷款折合 {right}，而申请金额为 {wrong}",
        )


def check_line(desk: Desk, index: int, line: ApplicationLine) -> CheckedLine:
    """What one line says by itself, and that an attester of this log vouches for its document. Raises Refused."""
    if line.amount > line.credential.limit:
        raise _refused(index, "over-limit", "more is asked than the document's limit", "申请金额超过单证额度")
    if line.key_shift == bytes(SCALAR_SIZE):
        raise _refused(
            index, "key-shift", "the draw's key would be the bank's own and show whose it is", "登记密钥会暴露本行身份"
        )
    facts = verify_presentation(desk.suite, desk.log.parameters, line.credential, APPLICATION_FIELDS)
    try:
        return CheckedLine(line, facts, desk.draw_key(line.key_shift))
    except ZkError as error:
        raise _refused(index, "key-shift", "the draw's key is malformed", "登记密钥格式有误") from error


def check_status(desk: Desk, index: int, credential: Presentation) -> None:
    """The service has the document, as the credential says, and it is financeable. Raises Refused."""
    try:
        status = desk.client.status(credential.document)
    except ServiceRefused as error:
        if error.slug != problems.DOCUMENT_UNKNOWN.slug:
            raise
        raise _refused(index, error.slug, "the service has no such document", "服务中没有该单证") from error
    told = (status.document, status.kind, status.counter, status.currency)
    if told != (credential.document, credential.kind, credential.counter, credential.currency):
        raise _refused(
            index,
            "contradiction",
            "the service knows this document as another kind, counter or currency",
            "单证种类、计数或币种与服务记录不符",
        )
    if not status.financeable:
        why_en = "overdrawn" if status.overdrawn else status.status
        why_zh = "已超额" if status.overdrawn else STATUSES_ZH[status.status]
        raise _refused(
            index,
            "not-financeable",
            f"the document is not financeable now ({why_en})",
            f"该单证目前不可融资（{why_zh}）",
        )


def _refused(index: int, code: str, message_en: str, message_zh: str) -> Refused:
    return Refused(code, f"line {index + 1}: {message_en}", f"第 {index + 1} 行：{message_zh}")
