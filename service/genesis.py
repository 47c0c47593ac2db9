"""The beginning of a log: its first entry, composed from its parties' identities and checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.canonical import parse_strict
from schemas.entries import AttesterKey, Genesis, Kind, RegulatorKey, encode_entry
from schemas.identities import Identity, Role
from schemas.wire import Origin
from service.storage import Storage
from zkcore import PROTOCOL_VERSION
from zkcore.errors import ZkError
from zkcore.suite import Suite

_FIRST_EPOCH = 1
_LARGEST_FILE = 100_000


class GenesisError(Exception):
    """A log cannot begin so; the message says what to mend."""


def compose(
    suite: Suite,
    origin: str,
    regulator: Identity,
    attesters: Sequence[tuple[str, Identity]],
    kinds: Sequence[Kind],
    time: int,
) -> Genesis:
    """The first entry of a log; `attesters` are (the role in which it attests, its identity).

    Raises GenesisError unless every identity has its role, this origin and its own key.
    """
    _check_origin(origin)
    _check_identity(suite, origin, regulator, "regulator")
    for _, attester in attesters:
        _check_identity(suite, origin, attester, "attester")
    if len({attester.holder for _, attester in attesters}) != len(attesters):
        raise GenesisError("two attesters have the same identifier; give each identity file once")
    try:
        genesis = Genesis(
            time=time,
            protocol=PROTOCOL_VERSION,
            suite=suite.identifier,
            generators=suite.generators_digest,
            origin=origin,
            epoch=_FIRST_EPOCH,
            regulator=RegulatorKey(**_public_key(regulator)),
            attesters=[AttesterKey(role=role, **_public_key(attester)) for role, attester in attesters],
            kinds=list(kinds),
        )
        genesis.parameters(suite)
    except ValidationError as error:
        raise GenesisError(f"the log's first entry would not be valid: {error.errors()[0]['msg']}") from error
    except ZkError as error:
        raise GenesisError(f"the keys do not fit together ({error.code}): {error}") from error
    return genesis


def _check_origin(origin: str) -> None:
    try:
        TypeAdapter(Origin).validate_python(origin)
    except ValidationError as error:
        raise GenesisError("an origin is 3 to 100 characters of a-z 0-9 . - / and starts with a letter or digit") from error


def _check_identity(suite: Suite, origin: str, identity: Identity, role: Role) -> None:
    who = f"the identity of {identity.holder}"
    if identity.role != role:
        raise GenesisError(f"{who} is that of a party in the role {identity.role}, and this place is for the role {role}")
    if identity.origin != origin:
        raise GenesisError(f"{who} is for the log {identity.origin}, not for {origin}; have it make its keys for this origin")
    try:
        identity.check(suite)
    except ZkError as error:
        raise GenesisError(f"{who} has no valid proof of possession ({error.code}); ask it for the file again") from error


def _public_key(identity: Identity) -> dict[str, Any]:
    return {"holder": identity.holder, "key": identity.key, "seal_key": identity.seal_key, "proof": identity.proof}


def read_identity(path: Path) -> Identity:
    """An identity file. Raises GenesisError when it cannot be read or is not one."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE)
    except OSError as error:
        raise GenesisError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return Identity.model_validate(parse_strict(data))
    except ValueError as error:
        raise GenesisError(f"{path} is not an identity file; each party's `keys` command writes one (identity.json)") from error


def store(storage: Storage, genesis: Genesis) -> None:
    """Begin the log. Raises GenesisError when the database holds one."""
    if storage.holds_log():
        raise GenesisError("the database holds a log already; a log is begun once")
    storage.begin_log(encode_entry(genesis), genesis.time)
