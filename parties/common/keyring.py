"""A party's keys as they lie in its home, and the identity it hands to others.

A party has a view key (enterprise, regulator) or a signing key (customs, bank), and a seal key for memos and files; an
institution also has a key that signs its requests, made from its secret. `keys.json` holds the secrets, `identity.json` the
public half with its proofs of possession, and `request-key.json` which of its request keys an institution has come to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from parties.common.errors import HomeError, InputError
from parties.common.home import IDENTITY_FILE, KEYS_FILE, Home
from parties.common.request_keys import Requester, RequestSecret, sign_identity
from schemas.identities import REQUESTING_ROLES, Identity, RequestKey, Role
from schemas.wire import Count, Holder, Message, Origin, Scalar, SealKey, SecretMessage
from zkcore.group import decode_scalar, encode_scalar
from zkcore.randomness import Randomness
from zkcore.secret.keys import SigningSecret, ViewSecret, derive_bytes
from zkcore.secret.memos import SEAL_KEY_SIZE, SealSecret
from zkcore.suite import Suite

_HOLDER = re.compile(r"[!-~]{1,100}")
_ORIGIN = re.compile(r"[a-z0-9][a-z0-9.\-/]{2,99}")
_NAME = re.compile(r".{1,100}")


class KeysFile(SecretMessage):
    """`secret`: the scalar of a view or signing key. `seal_secret`: an X25519 secret key. 32 bytes each."""

    tradeveil: Literal["keys"] = "keys"
    role: Role
    holder: Holder
    origin: Origin
    secret: Scalar
    seal_secret: SealKey


class RequestKeyFile(Message):
    """Which request key is in use, counted from 0. `rotating`: the Idempotency-Key of a change to the next one that may have
    reached the service, or null."""

    tradeveil: Literal["request-key"] = "request-key"
    generation: Count
    rotating: str | None = None


REQUEST_KEY_FILE = "request-key.json"


def derive_request_secret(secret: bytes, generation: int = 0) -> RequestSecret:
    """The request key of a party's secret (32 bytes), so that a home that is restored has it again; `generation` counts the
    keys that it has had."""
    return RequestSecret(derive_bytes(b"request-key", secret, 32, generation))


@dataclass(frozen=True, repr=False)
class Signer:
    """An attester or a bank with its keys."""

    identity: Identity
    secret: SigningSecret
    seal: SealSecret
    request: RequestSecret

    @property
    def requester(self) -> Requester:
        """Who signs requests to the service."""
        return Requester(self.request, self.identity.origin)

    def __repr__(self) -> str:
        return f"Signer({self.identity.role}, hidden)"


@dataclass(frozen=True, repr=False)
class Viewer:
    """An enterprise or a regulator with its keys. `request`: what a regulator signs requests with; an enterprise signs none."""

    identity: Identity
    secret: ViewSecret
    seal: SealSecret
    request: RequestSecret | None

    @property
    def requester(self) -> Requester:
        """Who signs requests to the service. Raises ValueError for an enterprise."""
        if self.request is None:
            raise ValueError("an enterprise signs no requests")
        return Requester(self.request, self.identity.origin)

    def __repr__(self) -> str:
        return f"Viewer({self.identity.role}, hidden)"


@dataclass(frozen=True)
class About:
    """Who a party is: `holder` is the identifier its proof of possession is bound to, `name` what people read."""

    role: Role
    holder: str
    name: str
    origin: str

    def check(self) -> None:
        """Raises InputError, naming what others could not read."""
        for value, form, option, rule_en, rule_zh in (
            (
                self.holder,
                _HOLDER,
                "--holder",
                "printable ASCII without spaces, at most 100 characters",
                "不含空格的可见 ASCII 字符",
            ),
            (self.origin, _ORIGIN, "--origin", "3 to 100 characters of a-z 0-9 . - /", "3 至 100 个字符：a-z 0-9 . - /"),
            (self.name, _NAME, "--name", "1 to 100 printable characters", "1 至 100 个可见字符"),
        ):
            if not form.fullmatch(value):
                raise InputError("identity", f"{option}: {value!r} is not {rule_en}", f"{option}：{value!r} 应为{rule_zh}")
        if not self.name.isprintable():
            raise InputError("identity", "--name: a name is printable text", "--name：名称应为可见字符")


def create_signer(home: Home, suite: Suite, about: About, randomness: Randomness) -> Signer:
    """Fresh keys, written to the home. Raises HomeError when it has keys already, InputError."""
    about.check()
    secret, seal = SigningSecret.generate(suite, randomness), SealSecret(randomness.read(SEAL_KEY_SIZE))
    request = derive_request_secret(encode_scalar(suite.group, secret.scalar))
    signer = Signer(_identity(suite, about, secret, seal, request, randomness), secret, seal, request)
    _write(home, suite, signer.identity, secret.scalar, seal)
    return signer


def create_viewer(
    home: Home, suite: Suite, about: About, secret: ViewSecret, seal: SealSecret, randomness: Randomness
) -> Viewer:
    """Writes these keys (generated by a regulator, derived from a seed by an enterprise). Raises HomeError when it has keys."""
    about.check()
    request = derive_request_secret(encode_scalar(suite.group, secret.scalar)) if about.role in REQUESTING_ROLES else None
    viewer = Viewer(_identity(suite, about, secret, seal, request, randomness), secret, seal, request)
    _write(home, suite, viewer.identity, secret.scalar, seal)
    return viewer


def load_signer(home: Home, suite: Suite, role: Role) -> Signer:
    """Raises HomeError, saying which command makes keys, when there are none or they are another role's."""
    identity, keys = _load(home, role)
    request = derive_request_secret(keys.secret, request_generation(home).generation)
    return Signer(identity, SigningSecret(decode_scalar(suite.group, keys.secret)), SealSecret(keys.seal_secret), request)


def load_viewer(home: Home, suite: Suite, role: Role) -> Viewer:
    """Raises HomeError, saying which command makes keys, when there are none or they are another role's."""
    identity, keys = _load(home, role)
    generation = request_generation(home).generation
    request = derive_request_secret(keys.secret, generation) if role in REQUESTING_ROLES else None
    return Viewer(identity, ViewSecret(decode_scalar(suite.group, keys.secret)), SealSecret(keys.seal_secret), request)


def request_generation(home: Home) -> RequestKeyFile:
    """Which request key the home has come to: the first, until it was changed."""
    return home.load(REQUEST_KEY_FILE, RequestKeyFile) if home.exists(REQUEST_KEY_FILE) else RequestKeyFile(generation=0)


def next_request_key(home: Home, suite: Suite, signer: Signer, randomness: Randomness) -> Signer:
    """The signer with its next request key, and an identity that names it. Nothing is written."""
    scalar = encode_scalar(suite.group, signer.secret.scalar)
    request = derive_request_secret(scalar, request_generation(home).generation + 1)
    identity = signer.identity
    about = About(identity.role, identity.holder, identity.name, identity.origin)
    renewed = _identity(suite, about, signer.secret, signer.seal, request, randomness)
    return Signer(renewed, signer.secret, signer.seal, request)


def _identity(
    suite: Suite,
    about: About,
    secret: SigningSecret | ViewSecret,
    seal: SealSecret,
    request: RequestSecret | None,
    randomness: Randomness,
) -> Identity:
    origin, holder = about.origin, about.holder
    proof = secret.prove_possession(suite, origin, holder, seal.public, randomness)
    request_key = None
    if request is not None:
        bound = secret.prove_possession(suite, origin, holder, seal.public, randomness, request.public)
        request_key = RequestKey(key=request.public, proof=bound, signature=bytes(64))
    identity = Identity(
        role=about.role,
        holder=holder,
        name=about.name,
        origin=origin,
        key=secret.public(suite).encode(),
        seal_key=seal.public,
        proof=proof,
        request_key=request_key,
    )
    return identity if request is None else sign_identity(identity, request)


def _write(home: Home, suite: Suite, identity: Identity, scalar: int, seal: SealSecret) -> None:
    keys = KeysFile(
        role=identity.role,
        holder=identity.holder,
        origin=identity.origin,
        secret=encode_scalar(suite.group, scalar),
        seal_secret=seal.encode(),
    )
    with home.lock():
        home.save_new(KEYS_FILE, keys)
        home.save(IDENTITY_FILE, identity)


def _load(home: Home, role: Role) -> tuple[Identity, KeysFile]:
    command = {"attester": "customs"}.get(role, role)
    holder = " --holder CODE --name NAME" if role in ("bank", "enterprise") else ""
    hint = f"tradeveil {command} keys --home {home.directory} --origin LOG{holder}"
    keys = home.load(KEYS_FILE, KeysFile, hint)
    identity = home.load(IDENTITY_FILE, Identity, hint)
    if (keys.role, keys.holder, keys.origin) != (identity.role, identity.holder, identity.origin) or keys.role != role:
        raise HomeError(
            "another-role",
            f"{home.directory} holds the keys of a {keys.role} ({keys.holder}), and this command is for a {role}; check --home",
            f"{home.directory} 中是 {keys.role}（{keys.holder}）的密钥，而此命令用于 {role}；请检查 --home",
        )
    return identity, keys
