"""The closed list of problem types (RFC 9457): everything the service can answer that is not a success.

A problem's `type` is TYPE_PREFIX followed by its slug. Titles and advice are in English and Chinese, and a caller gets those of
the language it asks for. A refusal says what to do next and nothing about anybody else's business: an unknown document and one
that is not the caller's get the same answer, and a headroom proof against an old state the same as a false one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field

from schemas.chinese import in_chinese
from schemas.languages import CHINESE, Language
from schemas.wire import Count, Message, Words

TYPE_PREFIX = "urn:tradeveil:problem:"
CONTENT_TYPE = "application/problem+json"


Repeat = Literal["same", "changed", "no"]
"""What sending again is good for. same: the very same request may succeed, later; changed: another one may, mended as the
advice says; no: neither."""


@dataclass(frozen=True)
class ProblemType:
    """One entry of the list: stable slug, HTTP status, title and advice in both languages, and whether sending again helps."""

    slug: str
    status: int
    title: str
    title_zh: str
    advice: str
    advice_zh: str
    repeat: Repeat = "changed"

    @property
    def uri(self) -> str:
        return TYPE_PREFIX + self.slug

    def title_in(self, language: Language) -> str:
        return self.title_zh if language == CHINESE else self.title

    def advice_in(self, language: Language) -> str:
        return self.advice_zh if language == CHINESE else self.advice


class LineProblem(Message):
    """What is wrong with one line of a request. `line` counts from 0."""

    line: Count
    type: Words
    code: Words
    detail: Words

    def in_language(self, language: Language) -> Self:
        """With its detail, which is English, in this language."""
        if language != CHINESE:
            return self
        kind = of_uri(self.type)
        titles = {} if kind is None else {kind.title: kind.title_zh}
        return self.model_copy(update={"detail": titles.get(self.detail) or in_chinese(self.detail, self.code)})


class FieldProblem(Message):
    """What is wrong with one field of a malformed request. `path` is a JSON pointer."""

    path: Words
    detail: Words

    def in_language(self, language: Language) -> Self:
        """With its detail, which is English, in this language."""
        return self.model_copy(update={"detail": in_chinese(self.detail)}) if language == CHINESE else self


class Problem(Message):
    """The body of every answer that is not a success, in the language of its Content-Language."""

    type: Words
    title: Words
    status: int = Field(ge=400, le=599)
    detail: Words
    lines: list[LineProblem] = Field(default_factory=list)
    fields: list[FieldProblem] = Field(default_factory=list)

    @classmethod
    def of(
        cls,
        kind: ProblemType,
        language: Language = "en",
        *,
        lines: Iterable[LineProblem] = (),
        fields: Iterable[FieldProblem] = (),
    ) -> Self:
        """A problem of this type for who reads this language; details of lines and fields are given in English."""
        return cls(
            type=kind.uri,
            title=kind.title_in(language),
            status=kind.status,
            detail=kind.advice_in(language),
            lines=[line.in_language(language) for line in lines],
            fields=[field.in_language(language) for field in fields],
        )

    def in_language(self, language: Language) -> Self:
        """The same problem, which was written in English, for who reads this language."""
        kind = of_uri(self.type)
        return self if kind is None else self.of(kind, language, lines=self.lines, fields=self.fields)


class ProblemDescription(Message):
    """A problem type, for whoever looks it up. `operations` are the operationIds that may answer it."""

    type: Words
    slug: Words
    status: int = Field(ge=400, le=599)
    title: Words
    detail: Words
    repeat: Repeat
    operations: list[Words]

    @classmethod
    def of(cls, kind: ProblemType, operations: Iterable[str], language: Language = "en") -> Self:
        return cls(
            type=kind.uri,
            slug=kind.slug,
            status=kind.status,
            title=kind.title_in(language),
            detail=kind.advice_in(language),
            repeat=kind.repeat,
            operations=list(operations),
        )


class ProblemList(Message):
    """Every problem type."""

    problems: list[ProblemDescription]


def _p(
    slug: str, status: int, title: str, title_zh: str, advice: str, advice_zh: str, repeat: Repeat = "changed"
) -> ProblemType:
    return ProblemType(slug, status, title, title_zh, advice, advice_zh, repeat)


MALFORMED = _p(
    "malformed-request",
    400,
    "The request is malformed",
    "请求格式有误",
    "Mend the named fields and send again; the schema is at /openapi.json.",
    "请修正所列字段后重新提交；格式说明见 /openapi.json。",
)
TOO_LARGE = _p(
    "request-too-large",
    413,
    "The request is too large",
    "请求过大",
    "Split it into several requests.",
    "请拆分为多个请求。",
)
UNSUPPORTED_MEDIA = _p(
    "unsupported-media-type",
    415,
    "The request is not JSON",
    "请求不是 JSON",
    "Send a body with Content-Type: application/json.",
    "请以 Content-Type: application/json 提交。",
)
KEY_MISSING = _p(
    "idempotency-key-missing",
    400,
    "No Idempotency-Key",
    "缺少幂等键",
    "Send an Idempotency-Key header of 16 to 64 characters A-Z a-z 0-9 - _, fresh for every new request.",
    "请在请求头 Idempotency-Key 中提供 16 至 64 个字符（A-Z a-z 0-9 - _），每个新请求用新键。",
)
KEY_REUSED = _p(
    "idempotency-key-reused",
    422,
    "This Idempotency-Key was used for another request",
    "该幂等键已用于另一请求",
    "Use a fresh key for a new request; resend the very same bytes to repeat the old one.",
    "新请求请用新键；重发旧请求请原样提交。",
)
IN_FLIGHT = _p(
    "request-in-flight",
    409,
    "The same request is being worked on",
    "相同请求正在处理",
    "Wait a second and send the same request again.",
    "请稍候片刻后原样重发。",
    "same",
)
UNAUTHORISED = _p(
    "unauthorised",
    401,
    "This needs a token",
    "需要访问令牌",
    "Send Authorization: Bearer with the token that the operator gave you.",
    "请在 Authorization: Bearer 中提供运营方发放的令牌。",
)
SIGNATURE_INVALID = _p(
    "signature-invalid",
    401,
    "The request is not signed as it must be",
    "请求签名无效",
    "Mend what the named field says, check your clock, and sign again; nothing was written.",
    "请按所列字段的说明修正，核对系统时间后重新签名；本次未写入任何内容。",
)
NOT_PERMITTED = _p(
    "not-permitted",
    403,
    "Your institution may not do this",
    "贵机构无此权限",
    "Ask the operator which keys and which role your institution is registered with.",
    "请向运营方核对贵机构登记的密钥与角色。",
)
RATE_LIMITED = _p(
    "rate-limited",
    429,
    "Too many requests of your institution or one above it",
    "本机构或上级机构的请求过于频繁",
    "Send the request again, signed anew, after the time in Retry-After.",
    "请在 Retry-After 所示时间后重新签名并提交。",
)
LIMIT_REACHED = _p(
    "limit-reached",
    429,
    "Your institution or one above it has reached its limit for today",
    "本机构或上级机构已达当日限额",
    "Go on after the time in Retry-After, or ask the operator for a higher limit; nothing was written.",
    "请在 Retry-After 所示时间后继续，或向运营方申请提高限额；本次未写入任何内容。",
)
BLOCKED_ON_DOCUMENT = _p(
    "blocked-on-document",
    403,
    "Your institution may not draw on this document for now",
    "贵机构暂时不能在该单证上登记",
    "Headroom was not proven too often within a day. Wait a day, or ask the operator; its owner and the regulator were told.",
    "一日内余额未获证明的次数过多。请一日后再试，或联系运营方；单证所有人和监管方已获知。",
)
NOT_FOUND = _p(
    "not-found",
    404,
    "There is nothing at this address",
    "该地址不存在",
    "See /openapi.json for the addresses there are.",
    "可用地址见 /openapi.json。",
    "no",
)
METHOD_NOT_ALLOWED = _p(
    "method-not-allowed",
    405,
    "This address does not take this method",
    "该地址不支持此方法",
    "See /openapi.json for the methods it takes.",
    "可用方法见 /openapi.json。",
    "no",
)
DOCUMENT_UNKNOWN = _p(
    "document-unknown",
    404,
    "No such document for you",
    "没有您可用的该单证",
    "Check the document's id with its owner. The answer is the same for a document that is not yours.",
    "请与单证所有人核对编号。不属于您的单证，答复相同。",
    "no",
)
DRAW_UNKNOWN = _p(
    "draw-unknown",
    404,
    "No such draw",
    "没有该笔登记",
    "Check the draw's id in your own records.",
    "请核对本行记录中的登记编号。",
    "no",
)
WRONG_STAGE = _p(
    "wrong-stage",
    409,
    "The draw or application is at another stage",
    "该笔登记或申请所处阶段不符",
    "The line says at which. Look it up in your own records, and take the step that follows from there.",
    "所处阶段见该行说明。请核对本行记录，并办理相应的下一步。",
)
BATCH_UNKNOWN = _p(
    "batch-unknown",
    404,
    "No such batch for you",
    "没有您可用的该批次",
    "Check the batch's id in your own records; send the batch again under its Idempotency-Key to be told the id.",
    "请核对本行记录中的批次编号；以原幂等键重发该批次可重新获得编号。",
    "no",
)
ALREADY_EXISTS = _p(
    "already-exists",
    409,
    "This id is taken",
    "该编号已被使用",
    "Draw a fresh random id and make the proofs again.",
    "请重新生成随机编号并重新出具证明。",
)
REGISTRATION_REFUSED = _p(
    "registration-refused",
    422,
    "The document cannot be registered",
    "单证无法登记",
    "Fetch the parameters again and check kind, attester and key epoch.",
    "请重新获取参数，并核对单证种类、签发方和密钥期次。",
)
CHANGE_REFUSED = _p(
    "change-refused",
    409,
    "The document cannot be changed so",
    "单证不能作此变更",
    "The line says why. Fetch the document's status again, and check status, kind and attester.",
    "原因见该行说明。请重新获取单证状态，并核对状态、种类和签发方。",
)
DOCUMENT_NOT_FINANCEABLE = _p(
    "document-not-financeable",
    409,
    "The document is not financeable now",
    "单证目前不可融资",
    "Fetch its status; a draw is possible once its attester has cleared it and it is not overdrawn.",
    "请查询单证状态；签发方确认结关且单证未超额后方可登记。",
)
APPLICATION_REFUSED = _p(
    "application-refused",
    409,
    "The draw does not follow from an approved application",
    "该笔登记没有相应的已批准申请",
    "Put the application and its approval on the log first, with the draw's id and key.",
    "请先以该笔登记的编号和密钥登记申请及其批准。",
)
MOVE_REFUSED = _p(
    "move-refused",
    409,
    "The draw cannot be moved so",
    "该笔登记不能如此转移",
    "A draw moves once, under its own key, from a deleted document to the one that replaces it.",
    "登记只能转移一次，须用其原密钥，由已删单证转至替代单证。",
)
RESERVATION_TOO_LONG = _p(
    "reservation-too-long",
    422,
    "The draft expires too late",
    "草案有效期过长",
    "The kind of document says in the parameters how many days a reservation may last; draft again with an earlier expiry.",
    "单证种类的参数规定了预留的最长天数；请缩短有效期后重新出具草案。",
)
PROOF_INVALID = _p(
    "proof-invalid",
    422,
    "A proof does not hold",
    "证明不成立",
    "Make the proof again from the present parameters and your own records; nothing was written.",
    "请依据最新参数和本方记录重新出具证明；本次未写入任何内容。",
)
HEADROOM_NOT_PROVEN = _p(
    "headroom-not-proven",
    409,
    "The headroom is not proven for the document's present state",
    "未能证明单证当前余额足够",
    "Ask the owner for a fresh headroom proof; nothing was written.",
    "请向单证所有人索取新的余额证明；本次未写入任何内容。",
)
CONSENT_INVALID = _p(
    "consent-invalid",
    422,
    "The owner's consent does not cover this draw",
    "所有人的授权不适用于本次登记",
    "A consent is for one document, one bank, one amount and one time; ask the owner for the right one.",
    "授权仅对特定单证、银行、金额和期限有效；请向所有人索取相应授权。",
)
CONSENT_USED = _p(
    "consent-used",
    409,
    "The owner's consent was already used",
    "该授权已被使用",
    "A consent is for one draw; ask the owner for a new one.",
    "一次授权仅限一笔登记；请向所有人索取新的授权。",
)
EXPIRED = _p(
    "expired",
    422,
    "The draft or request has expired",
    "草案或请求已过期",
    "Check your clock, then start again from a new application.",
    "请检查系统时间，并重新发起申请。",
)
DOCUMENT_REPEATED = _p(
    "document-repeated",
    422,
    "A document stands twice in one financing",
    "同一笔融资中单证重复",
    "Draw once on each document of a financing.",
    "同一笔融资中，每份单证只能登记一次。",
)
EVALUATION_EPOCH = _p(
    "evaluation-epoch-unknown",
    409,
    "There is no evaluation key of this epoch, or its epoch has ended",
    "该期次的评估密钥不存在或已停用",
    "Fetch the evaluation keys again and use the last epoch that has no end.",
    "请重新获取评估密钥，并使用最新的有效期次。",
)
BUDGET_SPENT = _p(
    "evaluation-budget-spent",
    429,
    "Your budget of evaluations for today is spent",
    "今日的核验额度已用完",
    "Send the same request again after the time in Retry-After, or ask the operator for a larger budget.",
    "请在 Retry-After 所示时间后重新提交，或向运营方申请提高额度。",
)
RECORD_REPEATED = _p(
    "record-repeated",
    422,
    "A token stands twice in one publication",
    "同一次发布中令牌重复",
    "Publish one record for each token.",
    "每个令牌只发布一条记录。",
)
INTERNAL = _p(
    "internal-error",
    500,
    "The service failed",
    "服务内部错误",
    "Nothing was written. Send the same request again; if it fails again, tell the operator the time.",
    "本次未写入任何内容。请原样重发；如仍失败，请将时间告知运营方。",
    "same",
)
UNAVAILABLE = _p(
    "unavailable",
    503,
    "The service cannot work right now",
    "服务暂不可用",
    "Send the same request again after the time in Retry-After.",
    "请在 Retry-After 所示时间后原样重发。",
    "same",
)

ALL: tuple[ProblemType, ...] = (
    MALFORMED,
    TOO_LARGE,
    UNSUPPORTED_MEDIA,
    KEY_MISSING,
    KEY_REUSED,
    IN_FLIGHT,
    UNAUTHORISED,
    SIGNATURE_INVALID,
    NOT_PERMITTED,
    RATE_LIMITED,
    LIMIT_REACHED,
    BLOCKED_ON_DOCUMENT,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    DOCUMENT_UNKNOWN,
    DRAW_UNKNOWN,
    WRONG_STAGE,
    BATCH_UNKNOWN,
    ALREADY_EXISTS,
    REGISTRATION_REFUSED,
    CHANGE_REFUSED,
    DOCUMENT_NOT_FINANCEABLE,
    APPLICATION_REFUSED,
    MOVE_REFUSED,
    RESERVATION_TOO_LONG,
    PROOF_INVALID,
    HEADROOM_NOT_PROVEN,
    CONSENT_INVALID,
    CONSENT_USED,
    EXPIRED,
    DOCUMENT_REPEATED,
    EVALUATION_EPOCH,
    BUDGET_SPENT,
    RECORD_REPEATED,
    INTERNAL,
    UNAVAILABLE,
)

_BY_URI = {kind.uri: kind for kind in ALL}


def of_uri(uri: str) -> ProblemType | None:
    """The type that a problem names, or None where the list has it not: a newer service may have more."""
    return _BY_URI.get(uri)
