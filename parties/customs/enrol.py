"""Enrolment: the enterprises whose declarations Customs registers, each with the view key that its documents are for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from parties.common.errors import PartyError, Refused
from parties.common.home import Home
from parties.common.keyring import Signer
from schemas.domain.errors import DomainError
from schemas.domain.identifiers import CreditCode
from schemas.identities import Identity
from schemas.wire import Count, SecretMessage
from zkcore.errors import ZkError
from zkcore.suite import Suite

FOLDER = "enterprises"


class Enterprise(SecretMessage):
    """An enrolled enterprise. `next` counts the documents registered for it: its next document's id is made from it."""

    identity: Identity
    next: Count


@dataclass(frozen=True)
class Enrolment:
    """What became of one identity: `state` is enrolled, already (the very same one was there), or refused with an error."""

    identity: Identity
    state: str
    error: PartyError | DomainError | None = None


def enterprise_file(holder: str) -> str:
    """Name of the file of an enterprise in the home; a digest, because a holder's identifier may not be a file name."""
    return f"{FOLDER}/{hashlib.sha256(holder.encode()).hexdigest()[:32]}.json"


def load_enterprise(home: Home, holder: str) -> Enterprise | None:
    """The enterprise of this credit code, if it is enrolled."""
    name = enterprise_file(holder)
    return home.load(name, Enterprise) if home.exists(name) else None


def enrol(home: Home, suite: Suite, customs: Signer, identities: Sequence[Identity]) -> list[Enrolment]:
    """Checks each identity and keeps the good ones; one that is refused does not hinder the others."""
    with home.lock():
        known = [home.load(name, Enterprise).identity for name in home.names(FOLDER)]
        return [_enrol_one(home, suite, customs, identity, known) for identity in identities]


def _enrol_one(home: Home, suite: Suite, customs: Signer, identity: Identity, known: list[Identity]) -> Enrolment:
    if identity in known:
        return Enrolment(identity, "already")
    try:
        check_enterprise(suite, customs, identity)
        _check_duplicates(identity, known)
    except (PartyError, DomainError) as error:
        return Enrolment(identity, "refused", error)
    home.save(enterprise_file(identity.holder), Enterprise(identity=identity, next=0))
    known.append(identity)
    return Enrolment(identity, "enrolled")


def check_enterprise(suite: Suite, customs: Signer, identity: Identity) -> None:
    """An enterprise of our log, with a valid credit code, that holds its keys. Raises Refused, DomainError."""
    if identity.role != "enterprise":
        raise Refused(
            "another-role",
            f"this is the identity of a {identity.role}, not of an enterprise",
            f"这是 {identity.role} 的身份文件，不是企业的",
        )
    if identity.origin != customs.identity.origin:
        raise Refused(
            "another-log",
            f"this identity is for the log {identity.origin}, and ours is {customs.identity.origin}; "
            "it needs keys made with that --origin",
            f"此身份属于日志 {identity.origin}，本方日志为 {customs.identity.origin}；请用后者重新生成密钥",
        )
    CreditCode.parse(identity.holder)
    try:
        identity.check(suite)
        customs.seal.shared(identity.seal_key)
    except ZkError as error:
        raise Refused(
            "possession-not-proven",
            f"the identity does not prove that its holder has the keys ({error.code}); ask for the file again",
            f"该身份文件未能证明持有人掌握密钥（{error.code}）；请重新索取",
        ) from error


def _check_duplicates(identity: Identity, known: Sequence[Identity]) -> None:
    if any(other.holder == identity.holder for other in known):
        raise Refused(
            "holder-enrolled",
            f"{identity.holder} is enrolled with other keys; documents are sealed to those, so they cannot simply be exchanged",
            f"{identity.holder} 已用其他密钥登记；已登记单证以原密钥密封，不能直接更换",
        )
    if any(other.key == identity.key or other.seal_key == identity.seal_key for other in known):
        raise Refused(
            "key-enrolled",
            "another enterprise is enrolled with the same key; every enterprise has keys of its own",
            "另一企业已使用相同密钥登记；每家企业须使用自己的密钥",
        )
