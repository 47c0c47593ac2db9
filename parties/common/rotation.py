"""A change of an institution's request key, which a crash or a lost answer at any point does not leave half done.

What is under way is kept in the home before it is sent, with its Idempotency-Key; the same command run again completes it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from parties.common import output, runtime
from parties.common.client import ServiceClient, idempotency_key
from parties.common.errors import ServiceMisbehaved, ServiceRefused
from parties.common.home import IDENTITY_FILE, Home
from parties.common.keyring import REQUEST_KEY_FILE, RequestKeyFile, Signer, load_signer, next_request_key, request_generation
from schemas import problems
from schemas.answers import RequestKeyAnswer
from schemas.callers import RequestKeyChange
from schemas.identities import Role
from schemas.request_keys import rotation_bytes
from zkcore.randomness import Randomness
from zkcore.suite import Suite


def rotate_key(
    home: Home, suite: Suite, role: Role, connect: Callable[[Signer], ServiceClient], randomness: Randomness
) -> RequestKeyAnswer:
    """Change to the next request key: the present one signs for it, and ends after the service's overlap.

    `connect` makes a client that signs as somebody. Raises what the client raises; the present key stays in use then.
    """
    with home.lock():
        signer, state = load_signer(home, suite, role), request_generation(home)
        begun = state.model_copy(update={"rotating": state.rotating or idempotency_key(randomness)})
        home.save(REQUEST_KEY_FILE, begun)
        following = next_request_key(home, suite, signer, randomness)
        answer = _send(connect, signer, following, begun, again=state.rotating is not None)
        home.save(IDENTITY_FILE, following.identity)
        home.save(REQUEST_KEY_FILE, RequestKeyFile(generation=state.generation + 1))
    return answer


def _send(
    connect: Callable[[Signer], ServiceClient], signer: Signer, following: Signer, begun: RequestKeyFile, *, again: bool
) -> RequestKeyAnswer:
    key, identity = following.request.public, following.identity
    signature = following.request.sign(rotation_bytes(identity.origin, identity.holder, key))
    message, repeated = RequestKeyChange(key=key, signature=signature), begun.rotating or ""
    try:
        answer = connect(signer).change_request_key(message, repeated)
    except ServiceRefused as error:
        if not again or error.slug != problems.NOT_PERMITTED.slug:
            raise
        # The change reached the service long ago, and the old key has ended since: the new one asks for the same answer.
        answer = connect(following).change_request_key(message, repeated)
    if answer.key != key:
        raise ServiceMisbehaved(
            "service-misbehaved", "the service confirms another key than was sent", "服务确认的密钥与所提交的不同"
        )
    return answer


def rotate_request_key(home: Home, role: Role, service: str) -> None:
    """The command `rotate-key` of whichever institution."""
    answer = rotate_key(
        home, runtime.suite(), role, lambda signer: runtime.connect(service, signer.requester), runtime.randomness()
    )
    until = datetime.fromtimestamp(answer.old_key_until, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    output.say(
        f"The new key signs from now on; the old one ends at {until}. {home.path(IDENTITY_FILE)} names the new one.",
        f"新密钥即刻启用，旧密钥于 {until} 失效。{home.path(IDENTITY_FILE)} 已更新。",
    )
