"""Replaying test vectors: derive from a vector's inputs what it must contain, and verify it like a verifier that got it.

README.md beside this file explains the format for implementers; this is our own implementation of it. Whoever tests an engine
calls `derive` and compares byte for byte, then `verify`, then `verify` on every reject.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.messages import (
    AmendMessage,
    ApplyMessage,
    ChangeStatusMessage,
    CloseMessage,
    DecideMessage,
    DisburseMessage,
    DrawMessage,
    ExpireMessage,
    OverdrawnMessage,
    ReduceMessage,
    RegisterMessage,
    ViewMessage,
)
from schemas.sealed import Credential, Presentation
from schemas.wire import encode_base64url
from zkcore import authenticity, ledger, statements
from zkcore.authenticity import PaperFields
from zkcore.commitments import HandledCommitment
from zkcore.context import Context
from zkcore.errors import BatchRejected, StateError
from zkcore.group import Element, Group, decode_scalar, encode_scalar
from zkcore.ledger import ApplicationState, DocumentState, DrawState, KindPolicy, Parameters
from zkcore.operations import Draw, Expire, Memos
from zkcore.oprf import suite as oprf_suite
from zkcore.randomness import SeededRandomness
from zkcore.secret import operations as proving
from zkcore.secret.keys import SigningSecret, ViewSecret, blind_view_key, derive_bytes, document_id, shift_signing_key
from zkcore.secret.memos import SealSecret
from zkcore.secret.opening import Opening, check_amount, check_opening, open_by_logarithm
from zkcore.secret.range_proof import prove_range
from zkcore.secret.records import open_record, seal_record
from zkcore.secret.sigma import prove_batchable
from zkcore.suite import GENERATORS_DST, Suite
from zkcore.transcript import digest
from zkcore.verifying.batch import Claim, RangeClaim, SigmaClaim, verify

Vector = Mapping[str, Any]


@dataclass(frozen=True)
class Replay:
    """How the vectors of one file are replayed. `verify` raises a ZkError for what must be refused."""

    derive: Callable[[Suite, Vector], dict[str, Any]]
    verify: Callable[[Suite, Vector], None]


def patched(base: Vector, patch: list[dict[str, Any]]) -> dict[str, Any]:
    """The base with a JSON Patch (RFC 6902) of replace, remove and add operations applied."""
    result = copy.deepcopy(dict(base))
    for operation in patch:
        *path, last = operation["path"].removeprefix("/").split("/")
        target: Any = result
        for name in path:
            target = target[int(name)] if isinstance(target, list) else target[name]
        key = int(last) if isinstance(target, list) else last
        if operation["op"] == "remove":
            del target[key]
        elif operation["op"] == "replace" and not isinstance(target, list) and key not in target:
            raise ValueError(f"there is nothing to replace at {operation['path']}")
        else:
            target[key] = copy.deepcopy(operation["value"])
    return result


def _element(group: Group, text: str) -> Element:
    return group.decode(bytes.fromhex(text))


def _scalar(group: Group, text: str) -> int:
    return decode_scalar(group, bytes.fromhex(text))


def scalar_text(suite: Suite, scalar: int) -> str:
    """A scalar, reduced, as 64 hexadecimal digits."""
    return encode_scalar(suite.group, scalar % suite.group.order).hex()


def _one(suite: Suite, claim: Claim) -> None:
    """Verify a single claim and raise what is wrong with it, without the batch around it."""
    try:
        verify(suite, [claim])
    except BatchRejected as rejected:
        raise rejected.failures[0][1] from None


def _nothing(suite: Suite, vector: Vector) -> dict[str, Any]:
    return {}


# --- generators, encodings, keys, openings, digests -----------------------------------------------------------------------


def _derive_generators(suite: Suite, vector: Vector) -> dict[str, Any]:
    g_vectors, h_vectors = suite.vectors(max(vector["indices"]) + 1)
    rows = [{"index": i, "G": g_vectors[i].encode().hex(), "H": h_vectors[i].encode().hex()} for i in vector["indices"]]
    return {
        "dst": GENERATORS_DST.decode("ascii"),
        "G": suite.G.encode().hex(),
        "H": suite.H.encode().hex(),
        "vectors": rows,
        "digest": suite.generators_digest.hex(),
    }


def _verify_generators(suite: Suite, vector: Vector) -> None:
    _derive_generators(suite, vector)


def _verify_encoding(suite: Suite, vector: Vector) -> None:
    data = bytes.fromhex(vector["bytes"])
    if vector["type"] == "element":
        again = suite.group.decode(data).encode()
    elif vector["type"] == "scalar":
        again = encode_scalar(suite.group, decode_scalar(suite.group, data))
    else:
        again = HandledCommitment.decode(suite.group, data).encode()
    if again != data:
        raise ValueError("an encoding that decodes is canonical")


def _derive_key(suite: Suite, vector: Vector) -> dict[str, Any]:
    return _KEYS[vector["type"]](suite, vector)


def _verify_key(suite: Suite, vector: Vector) -> None:
    _derive_key(suite, vector)


def _derive_view_key(suite: Suite, vector: Vector) -> dict[str, Any]:
    secret = ViewSecret.derive(suite, bytes.fromhex(vector["seed"]))
    return {"secret": scalar_text(suite, secret.scalar), "public": secret.public(suite).encode().hex()}


def _derive_seal_key(suite: Suite, vector: Vector) -> dict[str, Any]:
    secret = SealSecret.derive(bytes.fromhex(vector["seed"]))
    return {"secret": secret.encode().hex(), "public": secret.public.hex()}


def _derive_signing_key(suite: Suite, vector: Vector) -> dict[str, Any]:
    return {"public": SigningSecret(int(vector["secret"], 16)).public(suite).encode().hex()}


def _derive_blinded(suite: Suite, vector: Vector) -> dict[str, Any]:
    secret, blinding = ViewSecret(int(vector["secret"], 16)), int(vector["blinding"], 16)
    blinded = secret.blinded(suite, blinding)
    public = blind_view_key(suite, secret.public(suite), blinding)
    return {"blinded_secret": scalar_text(suite, blinded.scalar), "blinded_public": public.encode().hex()}


def _derive_shifted(suite: Suite, vector: Vector) -> dict[str, Any]:
    secret, shift = SigningSecret(int(vector["secret"], 16)), int(vector["shift"], 16)
    public = shift_signing_key(suite, secret.public(suite), shift)
    return {
        "shifted_secret": scalar_text(suite, secret.shifted(suite, shift).scalar),
        "shifted_public": public.encode().hex(),
    }


def _derive_document_id(suite: Suite, vector: Vector) -> dict[str, Any]:
    return {"document": document_id(bytes.fromhex(vector["mailbox"]), vector["index"]).hex()}


def _derive_mailbox(suite: Suite, vector: Vector) -> dict[str, Any]:
    ours, theirs = (SealSecret(bytes.fromhex(vector[name])) for name in ("secret", "other_secret"))
    return {"mailbox": ours.shared(theirs.public).hex()}


def _derive_any_bytes(suite: Suite, vector: Vector) -> dict[str, Any]:
    purpose, secret = vector["purpose"].encode("ascii"), bytes.fromhex(vector["secret"])
    return {"bytes": derive_bytes(purpose, secret, vector["size"], vector["index"]).hex()}


_KEYS: dict[str, Callable[[Suite, Vector], dict[str, Any]]] = {
    "derive-bytes": _derive_any_bytes,
    "view-key": _derive_view_key,
    "seal-key": _derive_seal_key,
    "signing-key": _derive_signing_key,
    "blinded-view-key": _derive_blinded,
    "shifted-signing-key": _derive_shifted,
    "mailbox": _derive_mailbox,
    "document-id": _derive_document_id,
}


def _derive_opening(suite: Suite, vector: Vector) -> dict[str, Any]:
    group, opening = suite.group, _opening(suite, vector)
    owner, regulator = (_view_secret(suite, vector[name]).public(suite) for name in ("owner_secret", "regulator_secret"))
    committed = proving.handled_commitment(suite, opening, owner, regulator)
    return {
        "P_owner": owner.encode().hex(),
        "P_regulator": regulator.encode().hex(),
        "C": committed.commitment.encode().hex(),
        "D_owner": committed.owner.encode().hex(),
        "D_regulator": committed.regulator.encode().hex(),
        "amount_point": group.mul(opening.amount, suite.G).encode().hex() if opening.amount else "",
    }


def _verify_opening(suite: Suite, vector: Vector) -> None:
    commitment = _element(suite.group, vector["C"])
    check_opening(suite, commitment, _opening(suite, vector))
    for reader in ("owner", "regulator"):
        secret, handle = _view_secret(suite, vector[f"{reader}_secret"]), _element(suite.group, vector[f"D_{reader}"])
        check_amount(suite, secret, commitment, handle, vector["amount"])
        if vector["bound"]:
            open_by_logarithm(suite, secret, commitment, handle, vector["bound"])


def _derive_digest(suite: Suite, vector: Vector) -> dict[str, Any]:
    return {"digest": digest(vector["label"].encode("ascii"), [bytes.fromhex(part) for part in vector["parts"]]).hex()}


def _verify_digest(suite: Suite, vector: Vector) -> None:
    _derive_digest(suite, vector)


def _opening(suite: Suite, vector: Vector) -> Opening:
    return Opening(vector["amount"], _scalar(suite.group, vector["blinding"]))


def _view_secret(suite: Suite, text: str) -> ViewSecret:
    return ViewSecret(_scalar(suite.group, text))


def _signing_secret(suite: Suite, text: str) -> SigningSecret:
    return SigningSecret(_scalar(suite.group, text))


# --- statements and range proofs ------------------------------------------------------------------------------------------

_STATEMENTS = {statement.name: statement for statement in statements.ALL}
_RANGES = {statement.name: statement for statement in statements.ALL_RANGES}


def _context(vector: Vector) -> Context:
    fields, raw = vector["context"], bytes.fromhex
    return Context(
        fields["origin"],
        vector["statement"],
        raw(fields["document"]),
        raw(fields["head"]),
        raw(fields["draw"]),
        fields["currency"],
        fields["epoch"],
        raw(fields["payload"]),
    )


def _derive_statement(suite: Suite, vector: Vector) -> dict[str, Any]:
    statement, context = _STATEMENTS[vector["statement"]], _context(vector)
    statement.check_context(context)
    elements = {name: _element(suite.group, text) for name, text in vector["elements"].items()}
    witness = statement.witness(**{name: _scalar(suite.group, text) for name, text in vector["witness"].items()})
    randomness = SeededRandomness(bytes.fromhex(vector["seed"]))
    proof = prove_batchable(context.tag(suite), statement.instance(suite, elements), witness, randomness)
    return {"session_id": context.session_id(suite).hex(), "proof": proof.hex()}


def _verify_statement(suite: Suite, vector: Vector) -> None:
    statement, context = _STATEMENTS[vector["statement"]], _context(vector)
    statement.check_context(context)
    elements = {name: _element(suite.group, text) for name, text in vector["elements"].items()}
    relation = statement.instance(suite, elements)
    _one(suite, SigmaClaim("proof", context.session_id(suite), relation, bytes.fromhex(vector["proof"])))


def _range_session(suite: Suite, vector: Vector) -> bytes:
    if "statement" not in vector:
        return bytes.fromhex(vector["session_id"])
    context = _context(vector)
    _RANGES[vector["statement"]].check_context(context)
    return context.session_id(suite)


def _derive_range(suite: Suite, vector: Vector) -> dict[str, Any]:
    session_id, group = _range_session(suite, vector), suite.group
    openings = [(item["value"], _scalar(group, item["blinding"])) for item in vector["openings"]]
    values = [group.mul(value, suite.G) + group.mul(blinding, suite.H) for value, blinding in openings]
    proof = prove_range(suite, session_id, openings, vector["bits"], SeededRandomness(bytes.fromhex(vector["seed"])))
    return {"values": [value.encode().hex() for value in values], "session_id": session_id.hex(), "proof": proof.hex()}


def _verify_range(suite: Suite, vector: Vector) -> None:
    values = tuple(_element(suite.group, text) for text in vector["values"])
    session_id, proof = _range_session(suite, vector), bytes.fromhex(vector["proof"])
    _one(suite, RangeClaim("proof", session_id, values, vector["bits"], proof))


# --- operations: states ---------------------------------------------------------------------------------------------------


def parse_parameters(group: Group, fields: Vector) -> Parameters:
    kinds = {
        name: KindPolicy(
            name=name,
            attester=kind["attester"],
            restores=frozenset(kind["restores"]),
            counters=tuple(kind["counters"]),
            single_use=kind["single_use"],
            reservation=kind["reservation"],
            applied_for=kind["applied_for"],
        )
        for name, kind in fields["kinds"].items()
    }
    attesters = {_element(group, item["key"]): item["role"] for item in fields["attesters"]}
    return Parameters(fields["origin"], fields["epoch"], _element(group, fields["regulator"]), attesters, kinds)


def _handled(group: Group, text: str) -> HandledCommitment:
    return HandledCommitment.decode(group, bytes.fromhex(text))


def parse_document(group: Group, fields: Vector) -> DocumentState:
    return DocumentState(
        document=bytes.fromhex(fields["document"]),
        kind=fields["kind"],
        counter=fields["counter"],
        currency=fields["currency"],
        epoch=fields["epoch"],
        owner=_element(group, fields["owner"]),
        limit=_handled(group, fields["limit"]),
        residual=_handled(group, fields["residual"]),
        head=bytes.fromhex(fields["head"]),
        draws=fields["draws"],
        status=fields["status"],
        revision=bytes.fromhex(fields["revision"]),
        replacement=bytes.fromhex(fields["replacement"]),
        taken=fields["taken"],
        overdrawn=bytes.fromhex(fields["overdrawn"]),
    )


def parse_draw(group: Group, fields: Vector) -> DrawState:
    return DrawState(
        draw=bytes.fromhex(fields["draw"]),
        document=bytes.fromhex(fields["document"]),
        key=_element(group, fields["key"]),
        outstanding=_handled(group, fields["outstanding"]),
        head=bytes.fromhex(fields["head"]),
        stage=fields["stage"],
        expires=fields["expires"],
    )


def parse_application(group: Group, fields: Vector) -> ApplicationState:
    return ApplicationState(
        draw=bytes.fromhex(fields["draw"]),
        document=bytes.fromhex(fields["document"]),
        key=_element(group, fields["key"]),
        application=bytes.fromhex(fields["application"]),
        expires=fields["expires"],
        stage=fields["stage"],
        head=bytes.fromhex(fields["head"]),
    )


def document_fields(state: DocumentState) -> dict[str, Any]:
    """A document's state as vectors write it."""
    return {
        "document": state.document.hex(),
        "kind": state.kind,
        "counter": state.counter,
        "currency": state.currency,
        "epoch": state.epoch,
        "owner": state.owner.encode().hex(),
        "limit": state.limit.encode().hex(),
        "residual": state.residual.encode().hex(),
        "head": state.head.hex(),
        "draws": state.draws,
        "status": state.status,
        "revision": state.revision.hex(),
        "replacement": state.replacement.hex(),
        "taken": state.taken,
        "overdrawn": state.overdrawn.hex(),
    }


def draw_fields(state: DrawState) -> dict[str, Any]:
    """A draw's state as vectors write it."""
    return {
        "draw": state.draw.hex(),
        "document": state.document.hex(),
        "key": state.key.encode().hex(),
        "outstanding": state.outstanding.encode().hex(),
        "head": state.head.hex(),
        "stage": state.stage,
        "expires": state.expires,
    }


def application_fields(state: ApplicationState) -> dict[str, Any]:
    """An application's state as vectors write it."""
    return {
        "draw": state.draw.hex(),
        "document": state.document.hex(),
        "key": state.key.encode().hex(),
        "application": state.application.hex(),
        "expires": state.expires,
        "stage": state.stage,
        "head": state.head.hex(),
    }


def parameters_fields(parameters: Parameters) -> dict[str, Any]:
    """A log's parameters as vectors write them."""
    kinds = {
        name: {
            "attester": kind.attester,
            "restores": sorted(kind.restores),
            "counters": list(kind.counters),
            "single_use": kind.single_use,
            "reservation": kind.reservation,
            "applied_for": kind.applied_for,
        }
        for name, kind in parameters.kinds.items()
    }
    return {
        "origin": parameters.origin,
        "epoch": parameters.epoch,
        "regulator": parameters.regulator.encode().hex(),
        "attesters": [{"key": key.encode().hex(), "role": role} for key, role in parameters.attesters.items()],
        "kinds": kinds,
    }


@dataclass(frozen=True)
class States:
    """What the verifier holds of an operation's subjects. `moved`, `replaced`: the draw to take over, and its document."""

    parameters: Parameters
    vector: Vector
    group: Group

    def _fields(self, name: str) -> Any:
        return self.vector["state"].get(name)

    @property
    def document(self) -> DocumentState:
        return parse_document(self.group, self._fields("document"))

    @property
    def draw(self) -> DrawState:
        return parse_draw(self.group, self._fields("draw"))

    @property
    def application(self) -> ApplicationState | None:
        fields = self._fields("application")
        return None if fields is None else parse_application(self.group, fields)

    @property
    def moved(self) -> DrawState | None:
        fields = self._fields("moved")
        return None if fields is None else parse_draw(self.group, fields)

    @property
    def replaced(self) -> DocumentState:
        return parse_document(self.group, self._fields("replaced"))


def _states(suite: Suite, vector: Vector) -> States:
    return States(parse_parameters(suite.group, vector["parameters"]), vector, suite.group)


def _memos(inputs: Vector) -> Memos:
    return Memos(bytes.fromhex(inputs["memos"]["owner"]), bytes.fromhex(inputs["memos"]["regulator"]))


def _seeded(inputs: Vector) -> SeededRandomness:
    return SeededRandomness(bytes.fromhex(inputs["seed"]))


def _leaf(vector: Vector) -> bytes:
    return bytes.fromhex(vector["leaf"])


def _after(message: Any, **states: DocumentState | DrawState | ApplicationState | None) -> dict[str, Any]:
    """What a vector derives: the message, and the states afterwards by name."""
    after: dict[str, Any] = {}
    for name, state in states.items():
        if isinstance(state, DocumentState):
            after[name] = document_fields(state)
        elif isinstance(state, DrawState):
            after[name] = draw_fields(state)
        elif state is not None:
            after[name] = application_fields(state)
    return {"message": message.model_dump(mode="json"), "after": after}


# --- operations: the attester's and the regulator's -----------------------------------------------------------------------


def _derive_register(suite: Suite, vector: Vector) -> dict[str, Any]:
    inputs = vector["inputs"]
    operation = proving.prove_register(
        suite,
        _states(suite, vector).parameters,
        document=bytes.fromhex(inputs["document"]),
        kind=inputs["kind"],
        counter=inputs["counter"],
        status=inputs["status"],
        currency=inputs["currency"],
        owner=_view_secret(suite, inputs["owner_secret"]).public(suite),
        attester=_signing_secret(suite, inputs["attester_secret"]),
        opening=_opening(suite, inputs["limit"]),
        memos=_memos(inputs),
        randomness=_seeded(inputs),
    )
    return _after(RegisterMessage.of(operation), document=ledger.registered(operation, _leaf(vector)))


def _verify_register(suite: Suite, vector: Vector) -> None:
    operation = RegisterMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_register(suite, _states(suite, vector).parameters, operation))


def _derive_status(suite: Suite, vector: Vector) -> dict[str, Any]:
    states, inputs = _states(suite, vector), vector["inputs"]
    operation = proving.prove_status(
        suite,
        states.parameters,
        ledger.attested_facts(states.document),
        attester=_signing_secret(suite, inputs["attester_secret"]),
        status=inputs["status"],
        replacement=bytes.fromhex(inputs["replacement"]),
        memos=_memos(inputs),
        randomness=_seeded(inputs),
    )
    after = ledger.status_changed(states.document, operation, _leaf(vector))
    return _after(ChangeStatusMessage.of(operation), document=after)


def _verify_status(suite: Suite, vector: Vector) -> None:
    states = _states(suite, vector)
    operation = ChangeStatusMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_status(suite, states.parameters, states.document, operation))


def _derive_amend(suite: Suite, vector: Vector) -> dict[str, Any]:
    states, inputs = _states(suite, vector), vector["inputs"]
    operation = proving.prove_amend(
        suite,
        states.parameters,
        ledger.attested_facts(states.document),
        attester=_signing_secret(suite, inputs["attester_secret"]),
        opening=_opening(suite, inputs["limit"]),
        reason=inputs["reason"],
        memos=_memos(inputs),
        randomness=_seeded(inputs),
    )
    return _after(AmendMessage.of(operation), document=ledger.amended(states.document, operation, _leaf(vector)))


def _verify_amend(suite: Suite, vector: Vector) -> None:
    states = _states(suite, vector)
    operation = AmendMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_amend(suite, states.parameters, states.document, operation))


def _derive_overdrawn(suite: Suite, vector: Vector) -> dict[str, Any]:
    states, inputs = _states(suite, vector), vector["inputs"]
    operation = proving.prove_overdrawn(
        suite,
        states.parameters,
        states.document,
        secret=_view_secret(suite, inputs["regulator_secret"]),
        over=inputs["over"],
        randomness=_seeded(inputs),
    )
    return _after(OverdrawnMessage.of(operation), document=ledger.shown_overdrawn(states.document))


def _verify_overdrawn(suite: Suite, vector: Vector) -> None:
    states = _states(suite, vector)
    operation = OverdrawnMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_overdrawn(suite, states.parameters, states.document, operation))


# --- operations: applications and draws -----------------------------------------------------------------------------------


def _derive_apply(suite: Suite, vector: Vector) -> dict[str, Any]:
    states, inputs, randomness = _states(suite, vector), vector["inputs"], _seeded(vector["inputs"])
    key, known = _signing_secret(suite, inputs["draw_key_secret"]), ledger.facts(states.document)
    application, expires = bytes.fromhex(inputs["application"]), inputs["expires"]
    consent = proving.prove_application(
        suite,
        states.parameters,
        known,
        _view_secret(suite, inputs["owner_secret"]),
        application=application,
        key=key.public(suite),
        expires=expires,
        randomness=randomness,
    )
    operation = proving.prove_apply(
        suite,
        states.parameters,
        known,
        draw=bytes.fromhex(inputs["draw"]),
        key=key,
        application=application,
        expires=expires,
        consent=consent,
        memos=_memos(inputs),
        randomness=randomness,
    )
    return _after(ApplyMessage.of(operation), document=states.document, application=ledger.applied(operation, _leaf(vector)))


def _verify_apply(suite: Suite, vector: Vector) -> None:
    states = _states(suite, vector)
    operation = ApplyMessage.model_validate(vector["message"]).decode(suite.group)
    ledger.check_apply_time(operation, vector["time"])
    verify(suite, ledger.check_apply(suite, states.parameters, states.document, operation))


def _application(states: States) -> ApplicationState:
    if states.application is None:
        raise StateError("there is no such application")
    return states.application


def _derive_decide(suite: Suite, vector: Vector) -> dict[str, Any]:
    states, inputs = _states(suite, vector), vector["inputs"]
    application = _application(states)
    operation = proving.prove_decide(
        suite,
        states.parameters,
        ledger.facts(states.document),
        application,
        key=_signing_secret(suite, inputs["draw_key_secret"]),
        decision=inputs["decision"],
        memos=_memos(inputs),
        randomness=_seeded(inputs),
    )
    after = ledger.decided(application, operation, _leaf(vector))
    return _after(DecideMessage.of(operation), document=states.document, application=after)


def _verify_decide(suite: Suite, vector: Vector) -> None:
    states = _states(suite, vector)
    operation = DecideMessage.model_validate(vector["message"]).decode(suite.group)
    known = ledger.facts(states.document)
    verify(suite, ledger.check_decide(suite, states.parameters, known, _application(states), operation))


def _derive_draw(suite: Suite, vector: Vector) -> dict[str, Any]:
    states, inputs, randomness = _states(suite, vector), vector["inputs"], _seeded(vector["inputs"])
    parameters, document, moved = states.parameters, states.document, states.moved
    key, opening = _signing_secret(suite, inputs["draw_key_secret"]), _opening(suite, inputs["amount"])
    consent, asked = None, None
    if inputs["consent"] is not None:
        asked = _opening(suite, inputs["consent"]["asked"])
        application = bytes.fromhex(inputs["consent"]["application"])
        request = proving.ConsentRequest(application, key.public(suite), asked, inputs["expires"])
        owner = _view_secret(suite, inputs["consent"]["owner_secret"])
        consent = proving.prove_consent(suite, parameters, ledger.facts(document), owner, request, randomness)
    draft = proving.prove_draft(
        suite,
        parameters,
        ledger.facts(document),
        draw=bytes.fromhex(inputs["draw"]),
        key=key,
        opening=opening,
        expires=inputs["expires"],
        memos=_memos(inputs),
        consent=consent,
        asked=asked,
        moved=None if moved is None else (moved, _opening(suite, inputs["outstanding"])),
        randomness=randomness,
    )
    headroom = proving.prove_headroom(
        suite,
        parameters,
        document,
        draft,
        prover=inputs["prover"],
        secret=_view_secret(suite, inputs["prover_secret"]),
        opening=opening,
        left=inputs["left"],
        moved=moved,
        randomness=randomness,
    )
    operation, leaf = Draw(draft, headroom), _leaf(vector)
    after, draw = ledger.drawn(parameters, document, operation, leaf, moved)
    return _after(
        DrawMessage.of(operation),
        document=after,
        draw=draw,
        application=None if states.application is None else ledger.reserved(states.application, leaf),
        moved=None if moved is None else ledger.moved_away(moved, leaf),
    )


def _verify_draw(suite: Suite, vector: Vector) -> None:
    states = _states(suite, vector)
    parameters, document, moved = states.parameters, states.document, states.moved
    operation = DrawMessage.model_validate(vector["message"]).decode(suite.group)
    ledger.check_draw_time(parameters, document, operation.draft, vector["time"])
    ledger.check_application(parameters, document, operation.draft, states.application)
    if moved is not None:
        ledger.check_replaced(document, states.replaced, moved)
    verify(suite, ledger.check_draw(suite, parameters, document, operation, moved=moved))


# --- operations: what follows a draw --------------------------------------------------------------------------------------


def _derive_disburse(suite: Suite, vector: Vector) -> dict[str, Any]:
    states, inputs = _states(suite, vector), vector["inputs"]
    operation, _ = proving.prove_disburse(
        suite,
        states.parameters,
        ledger.facts(states.document),
        states.draw,
        key=_signing_secret(suite, inputs["draw_key_secret"]),
        outstanding=_opening(suite, inputs["outstanding"]),
        rest=None if inputs["rest"] is None else _opening(suite, inputs["rest"]),
        memos=_memos(inputs),
        randomness=_seeded(inputs),
    )
    document, draw = ledger.disbursed(states.document, states.draw, operation, _leaf(vector))
    return _after(DisburseMessage.of(operation), document=document, draw=draw)


def _verify_disburse(suite: Suite, vector: Vector) -> None:
    states = _states(suite, vector)
    operation = DisburseMessage.model_validate(vector["message"]).decode(suite.group)
    ledger.check_disburse_time(states.draw, vector["time"])
    verify(suite, ledger.check_disburse(suite, states.parameters, ledger.facts(states.document), states.draw, operation))


def _derive_reduce(suite: Suite, vector: Vector) -> dict[str, Any]:
    states, inputs = _states(suite, vector), vector["inputs"]
    operation, _ = proving.prove_reduce(
        suite,
        states.parameters,
        ledger.facts(states.document),
        states.draw,
        key=_signing_secret(suite, inputs["draw_key_secret"]),
        outstanding=_opening(suite, inputs["outstanding"]),
        opening=_opening(suite, inputs["amount"]),
        reason=inputs["reason"],
        memos=_memos(inputs),
        randomness=_seeded(inputs),
    )
    document, draw = ledger.reduced(states.parameters, states.document, states.draw, operation, _leaf(vector))
    return _after(ReduceMessage.of(operation), document=document, draw=draw)


def _verify_reduce(suite: Suite, vector: Vector) -> None:
    states = _states(suite, vector)
    operation = ReduceMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_reduce(suite, states.parameters, ledger.facts(states.document), states.draw, operation))


def _derive_close(suite: Suite, vector: Vector) -> dict[str, Any]:
    states, inputs = _states(suite, vector), vector["inputs"]
    operation = proving.prove_close(
        suite,
        states.parameters,
        ledger.facts(states.document),
        states.draw,
        key=_signing_secret(suite, inputs["draw_key_secret"]),
        outstanding=_opening(suite, inputs["outstanding"]),
        randomness=_seeded(inputs),
    )
    document, draw = ledger.closed(states.parameters, states.document, states.draw, _leaf(vector))
    return _after(CloseMessage.of(operation), document=document, draw=draw)


def _verify_close(suite: Suite, vector: Vector) -> None:
    states = _states(suite, vector)
    operation = CloseMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_close(suite, states.parameters, ledger.facts(states.document), states.draw, operation))


def _derive_expire(suite: Suite, vector: Vector) -> dict[str, Any]:
    states = _states(suite, vector)
    document, draw = ledger.expired(states.document, states.draw, _leaf(vector))
    return _after(ExpireMessage.of(Expire(states.draw.draw)), document=document, draw=draw)


def _verify_expire(suite: Suite, vector: Vector) -> None:
    """The draw is the one in the state, which a service finds by the id that the message names."""
    states = _states(suite, vector)
    if ExpireMessage.model_validate(vector["message"]).decode(suite.group).draw != states.draw.draw:
        raise StateError("there is no such draw")
    ledger.check_expire(states.draw, vector["time"])


def _derive_view(suite: Suite, vector: Vector) -> dict[str, Any]:
    states, inputs = _states(suite, vector), vector["inputs"]
    operation = proving.prove_view(
        suite,
        states.parameters,
        ledger.facts(states.document),
        reader=inputs["reader"],
        secret=_view_secret(suite, inputs["reader_secret"]),
        issued=inputs["issued"],
        randomness=_seeded(inputs),
    )
    return _after(ViewMessage.of(operation), document=states.document)


def _verify_view(suite: Suite, vector: Vector) -> None:
    states = _states(suite, vector)
    operation = ViewMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_view(suite, states.parameters, states.document, operation))


OPERATIONS: Mapping[str, Replay] = {
    "register": Replay(_derive_register, _verify_register),
    "status": Replay(_derive_status, _verify_status),
    "amend": Replay(_derive_amend, _verify_amend),
    "overdrawn": Replay(_derive_overdrawn, _verify_overdrawn),
    "apply": Replay(_derive_apply, _verify_apply),
    "decide": Replay(_derive_decide, _verify_decide),
    "draw": Replay(_derive_draw, _verify_draw),
    "disburse": Replay(_derive_disburse, _verify_disburse),
    "reduce": Replay(_derive_reduce, _verify_reduce),
    "close": Replay(_derive_close, _verify_close),
    "expire": Replay(_derive_expire, _verify_expire),
    "view": Replay(_derive_view, _verify_view),
}
"""By the name of their entries; a view has none."""


def _derive_operation(suite: Suite, vector: Vector) -> dict[str, Any]:
    return OPERATIONS[vector["operation"]].derive(suite, vector)


def _verify_operation(suite: Suite, vector: Vector) -> None:
    OPERATIONS[vector["operation"]].verify(suite, vector)


# --- authenticity ---------------------------------------------------------------------------------------------------------


class _Nonce:
    """Randomness that is one given nonce."""

    def __init__(self, nonce: bytes) -> None:
        self._nonce = nonce

    def read(self, size: int) -> bytes:
        return self._nonce[:size]


def _paper(vector: Vector) -> PaperFields:
    return PaperFields(*(vector[name] for name in ("kind", "number", "holder", "currency", "total", "date")))


def _evaluated(vector: Vector, data: bytes) -> bytes:
    """F of the input, without blinding: what a client gets whatever it blinds with."""
    group = oprf_suite.group()
    key = decode_scalar(group, bytes.fromhex(vector["key"]))
    return oprf_suite.output(data, group.mul(key, oprf_suite.hash_to_group(data)))


def _derive_authenticity(suite: Suite, vector: Vector) -> dict[str, Any]:
    if vector["type"] == "presentation":
        shown = _credential(vector).present(vector["shown"])
        first = shown.disclosed[0].digest() if shown.disclosed else b""
        told = shown.model_dump(mode="json")
        names = {"digests": told["digests"], "disclosed": told["disclosed"], "digest_of_first": encode_base64url(first)}
        return {**names, "said": shown.said().decode("utf-8")}
    paper = _paper(vector)
    token_input, key_input = paper.token_input(), paper.key_input()
    token, key = authenticity.token(_evaluated(vector, token_input)), authenticity.record_key(_evaluated(vector, key_input))
    record = seal_record(key, token, bytes.fromhex(vector["content"]), _Nonce(bytes.fromhex(vector["nonce"])))
    inputs = {"token_input": token_input.hex(), "key_input": key_input.hex()}
    return {**inputs, "token": token.hex(), "record_key": key.hex(), "record": record.hex()}


def _verify_authenticity(suite: Suite, vector: Vector) -> None:
    if vector["type"] == "presentation":
        fields = {"digests": vector["digests"], "disclosed": vector["disclosed"]}
        shown = _credential(vector).present(()).model_dump(mode="json") | fields
        Presentation.model_validate(shown).check(vector["shown"])
        return
    paper = _paper(vector)
    token = authenticity.token(_evaluated(vector, paper.token_input()))
    key = authenticity.record_key(_evaluated(vector, paper.key_input()))
    if open_record(key, token, bytes.fromhex(vector["record"])) != bytes.fromhex(vector["content"]):
        raise ValueError("a record that opens has the content it was made of")


def _credential(vector: Vector) -> Credential:
    return Credential.model_validate({**vector["credential"], "signature": encode_base64url(bytes(65))})


REPLAYS: dict[str, Replay] = {
    "authenticity": Replay(_derive_authenticity, _verify_authenticity),
    "generators": Replay(_derive_generators, _verify_generators),
    "encodings": Replay(_nothing, _verify_encoding),
    "keys": Replay(_derive_key, _verify_key),
    "openings": Replay(_derive_opening, _verify_opening),
    "digests": Replay(_derive_digest, _verify_digest),
    "statements": Replay(_derive_statement, _verify_statement),
    "ranges": Replay(_derive_range, _verify_range),
    "operations": Replay(_derive_operation, _verify_operation),
}
"""One entry a file of vectors, in the order in which an implementer wants them."""
