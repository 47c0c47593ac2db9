"""What only the outermost layer may reach for: the clock, the system's randomness, the network, the engine.

Library functions take these as arguments; commands take them from here, and tests replace them here.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from parties.common.client import ServiceClient
from parties.common.errors import InputError
from parties.common.home import read_bytes
from zkcore import engine
from zkcore.randomness import Randomness, SystemRandomness
from zkcore.suite import Suite

if TYPE_CHECKING:
    from parties.common.request_keys import Requester, RequestSigner

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)


def suite() -> Suite:
    """The suite over the chosen engine. Raises EngineError with what to install."""
    return engine.load()


def now() -> int:
    """Unix seconds."""
    return int(time.time())


def randomness() -> Randomness:
    """The operating system's."""
    return SystemRandomness()


def connect(url: str, who: Requester | None = None) -> ServiceClient:
    """A client of the service at this address, which signs writes with this party's request key. Raises InputError for what is
    no address."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError(
            "service-address",
            f"{url!r} is not the address of a service; write it like http://127.0.0.1:8440",
            f"{url!r} 不是有效的服务地址；请按 http://127.0.0.1:8440 的格式填写",
        )
    # A proxy of the environment cannot reach this very machine.
    http = httpx.Client(base_url=parsed, timeout=_TIMEOUT, trust_env=parsed.host not in _THIS_MACHINE)
    return ServiceClient(http, signer=None if who is None else request_signer(who))


def request_signer(who: Requester) -> RequestSigner:
    """Signs this institution's requests, by the real clock."""
    from parties.common.request_keys import RequestSigner  # which an auditor, who signs nothing, does not load

    return RequestSigner(who, now, randomness())


def read_token(path: Path) -> str:
    """The export token that a file holds: one line of printable ASCII. Raises InputError."""
    token = read_bytes(path, 4096).decode("ascii", "replace").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError("token-file", f"{path} does not hold a token on one line", f"{path} 中没有单行的访问令牌")
    return token
