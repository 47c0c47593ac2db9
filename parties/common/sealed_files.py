"""Files that one party hands to another: sealed to the reader's key, so that they may travel by any way.

An envelope shows what kind of file it is and eight bytes of the key it is for, and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from parties.common.errors import InputError
from parties.common.home import read_message, write_private
from schemas.canonical import canonical, parse_strict
from schemas.sealed import Application, ApprovalFile, DraftFile, SealedFile
from schemas.wire import decode_base64url, encode_base64url
from zkcore.errors import MemoError
from zkcore.secret.memos import SealSecret, seal

Content = Application | DraftFile | ApprovalFile
C = TypeVar("C", Application, DraftFile, ApprovalFile)

_KINDS: dict[type[BaseModel], tuple[str, str, str]] = {
    Application: ("application", "an application (from an enterprise to its bank)", "融资申请（企业交银行）"),
    DraftFile: ("draft", "a draft (from a bank to the enterprise, or to the regulator)", "登记草案（银行交企业或监管方）"),
    ApprovalFile: ("approval", "an approval (the answer to a bank's draft)", "批准文件（对银行草案的答复）"),
}


def key_hint(seal_key: bytes) -> str:
    """The eight bytes (hex) of a public seal key by which a reader knows that a file is for it."""
    return seal_key[:8].hex()


def seal_file(content: Content, seal_key: bytes) -> SealedFile:
    """The envelope of this content for the holder of a seal key. Raises KeyRejected for an unusable key."""
    kind = _KINDS[type(content)][0]
    sealed = seal(seal_key, canonical(content))
    return SealedFile.model_validate({"tradeveil": kind, "to": key_hint(seal_key), "sealed": encode_base64url(sealed)})


def open_file(file: SealedFile, form: type[C], secret: SealSecret) -> C:
    """The content of an envelope. Raises InputError: another kind of file, for another party, or changed on its way."""
    _check_kind(file, form)
    if file.to != key_hint(secret.public):
        raise InputError(
            "sealed-for-another",
            f"this file is sealed for another party (key {file.to}…, yours is {key_hint(secret.public)}…); "
            "check --home, or ask the sender to seal it for your identity file",
            f"此文件是密封给另一方的（密钥 {file.to}…，您的是 {key_hint(secret.public)}…）；"
            "请检查 --home，或请发送方按您的身份文件重新生成",
        )
    try:
        return form.model_validate(parse_strict(secret.open(decode_base64url(file.sealed))))
    except (MemoError, ValidationError, ValueError):
        # Not chained: what the cause quotes may be a secret.
        raise InputError(
            "changed",
            "this file cannot be opened: it was changed or cut off on its way; ask the sender for it again",
            "此文件无法打开：传送中被改动或不完整；请向发送方重新索取",
        ) from None


def write_sealed(path: Path, content: Content, seal_key: bytes) -> None:
    """Writes the file, whole or not at all, over one of that name. Raises InputError where it cannot."""
    write_private(path, seal_file(content, seal_key).model_dump_json(indent=1).encode() + b"\n")


def read_sealed(path: Path, form: type[C], secret: SealSecret) -> C:
    """Reads and opens a file. Raises InputError, with what to do."""
    return open_file(read_message(path, SealedFile), form, secret)


def _check_kind(file: SealedFile, form: type[C]) -> None:
    expected, expected_en, expected_zh = _KINDS[form]
    if file.tradeveil == expected:
        return
    found_en, found_zh = next((en, zh) for kind, en, zh in _KINDS.values() if kind == file.tradeveil)
    raise InputError(
        "wrong-kind-of-file",
        f"this is {found_en}; this command expects {expected_en}",
        f"这是{found_zh}；此命令需要{expected_zh}",
    )
