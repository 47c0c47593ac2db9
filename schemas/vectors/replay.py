"""Replaying test vectors: derive from a vector's inputs what it must contain, and verify it like a verifier that got it.

README.md beside this file explains the format for implementers; this is our own implementation of it. Whoever tests an engine
calls `derive` and compares byte for byte, then `verify`, then `verify` on every reject.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.messages import CloseMessage, DrawMessage, ReduceMessage, RegisterMessage, ViewMessage
from schemas.sealed import Credential, Presentation
from schemas.wire import encode_base64url
from zkcore import authenticity, ledger, statements
from zkcore.authenticity import PaperFields
from zkcore.commitments import HandledCommitment
from zkcore.context import Context
from zkcore.errors import BatchRejected
from zkcore.group import Element, Group, decode_scalar, encode_scalar
from zkcore.ledger import DocumentState, DrawState, KindPolicy, Parameters
from zkcore.operations import Draw, Memos
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


# --- operations -----------------------------------------------------------------------------------------------------------


def parse_parameters(group: Group, fields: Vector) -> Parameters:
    kinds = {name: KindPolicy(name, frozenset(reasons)) for name, reasons in fields["kinds"].items()}
    attesters = tuple(_element(group, text) for text in fields["attesters"])
    return Parameters(fields["origin"], fields["epoch"], _element(group, fields["regulator"]), attesters, kinds)


def _handled(group: Group, text: str) -> HandledCommitment:
    return HandledCommitment.decode(group, bytes.fromhex(text))


def parse_document(group: Group, fields: Vector) -> DocumentState:
    return DocumentState(
        bytes.fromhex(fields["document"]),
        fields["kind"],
        fields["currency"],
        fields["epoch"],
        _element(group, fields["owner"]),
        _handled(group, fields["limit"]),
        _handled(group, fields["residual"]),
        bytes.fromhex(fields["head"]),
        fields["draws"],
    )


def parse_draw(group: Group, fields: Vector) -> DrawState:
    return DrawState(
        bytes.fromhex(fields["draw"]),
        bytes.fromhex(fields["document"]),
        _element(group, fields["key"]),
        _handled(group, fields["outstanding"]),
        bytes.fromhex(fields["head"]),
        fields["closed"],
    )


def document_fields(state: DocumentState) -> dict[str, Any]:
    """A document's state as vectors write it."""
    return {
        "document": state.document.hex(),
        "kind": state.kind,
        "currency": state.currency,
        "epoch": state.epoch,
        "owner": state.owner.encode().hex(),
        "limit": state.limit.encode().hex(),
        "residual": state.residual.encode().hex(),
        "head": state.head.hex(),
        "draws": state.draws,
    }


def draw_fields(state: DrawState) -> dict[str, Any]:
    """A draw's state as vectors write it."""
    return {
        "draw": state.draw.hex(),
        "document": state.document.hex(),
        "key": state.key.encode().hex(),
        "outstanding": state.outstanding.encode().hex(),
        "head": state.head.hex(),
        "closed": state.closed,
    }


def parameters_fields(parameters: Parameters) -> dict[str, Any]:
    """A log's parameters as vectors write them."""
    return {
        "origin": parameters.origin,
        "epoch": parameters.epoch,
        "regulator": parameters.regulator.encode().hex(),
        "attesters": [key.encode().hex() for key in parameters.attesters],
        "kinds": {name: sorted(kind.restores) for name, kind in parameters.kinds.items()},
    }


def _memos(inputs: Vector) -> Memos:
    return Memos(bytes.fromhex(inputs["memos"]["owner"]), bytes.fromhex(inputs["memos"]["regulator"]))


def _seeded(inputs: Vector) -> SeededRandomness:
    return SeededRandomness(bytes.fromhex(inputs["seed"]))


def _after(document: DocumentState | None, draw: DrawState | None) -> dict[str, Any]:
    return {
        "document": None if document is None else document_fields(document),
        "draw": None if draw is None else draw_fields(draw),
    }


def _derive_register(suite: Suite, vector: Vector) -> dict[str, Any]:
    inputs, parameters = vector["inputs"], parse_parameters(suite.group, vector["parameters"])
    operation = proving.prove_register(
        suite,
        parameters,
        document=bytes.fromhex(inputs["document"]),
        kind=inputs["kind"],
        currency=inputs["currency"],
        owner=_view_secret(suite, inputs["owner_secret"]).public(suite),
        attester=_signing_secret(suite, inputs["attester_secret"]),
        opening=_opening(suite, inputs["limit"]),
        memos=_memos(inputs),
        randomness=_seeded(inputs),
    )
    after = _after(ledger.registered(operation, bytes.fromhex(vector["leaf"])), None)
    return {"message": RegisterMessage.of(operation).model_dump(mode="json"), "after": after}


def _verify_register(suite: Suite, vector: Vector) -> None:
    operation = RegisterMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_register(suite, parse_parameters(suite.group, vector["parameters"]), operation))


def _derive_draw(suite: Suite, vector: Vector) -> dict[str, Any]:
    parameters, document = (
        parse_parameters(suite.group, vector["parameters"]),
        parse_document(suite.group, vector["state"]["document"]),
    )
    inputs, randomness = vector["inputs"], _seeded(vector["inputs"])
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
        randomness=randomness,
    )
    operation = Draw(draft, headroom)
    after = _after(*ledger.drawn(document, operation, bytes.fromhex(vector["leaf"])))
    return {"message": DrawMessage.of(operation).model_dump(mode="json"), "after": after}


def _verify_draw(suite: Suite, vector: Vector) -> None:
    parameters, document = (
        parse_parameters(suite.group, vector["parameters"]),
        parse_document(suite.group, vector["state"]["document"]),
    )
    operation = DrawMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_draw(suite, parameters, document, operation))


def _derive_reduce(suite: Suite, vector: Vector) -> dict[str, Any]:
    parameters, document, draw = _stateful(suite, vector)
    inputs = vector["inputs"]
    operation, _ = proving.prove_reduce(
        suite,
        parameters,
        ledger.facts(document),
        draw,
        key=_signing_secret(suite, inputs["draw_key_secret"]),
        outstanding=_opening(suite, inputs["outstanding"]),
        opening=_opening(suite, inputs["amount"]),
        reason=inputs["reason"],
        memos=_memos(inputs),
        randomness=_seeded(inputs),
    )
    after = _after(*ledger.reduced(parameters, document, draw, operation, bytes.fromhex(vector["leaf"])))
    return {"message": ReduceMessage.of(operation).model_dump(mode="json"), "after": after}


def _verify_reduce(suite: Suite, vector: Vector) -> None:
    parameters, document, draw = _stateful(suite, vector)
    operation = ReduceMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_reduce(suite, parameters, ledger.facts(document), draw, operation))


def _derive_close(suite: Suite, vector: Vector) -> dict[str, Any]:
    parameters, document, draw = _stateful(suite, vector)
    inputs = vector["inputs"]
    operation = proving.prove_close(
        suite,
        parameters,
        ledger.facts(document),
        draw,
        key=_signing_secret(suite, inputs["draw_key_secret"]),
        outstanding=_opening(suite, inputs["outstanding"]),
        randomness=_seeded(inputs),
    )
    after = _after(document, ledger.closed(draw, bytes.fromhex(vector["leaf"])))
    return {"message": CloseMessage.of(operation).model_dump(mode="json"), "after": after}


def _verify_close(suite: Suite, vector: Vector) -> None:
    parameters, document, draw = _stateful(suite, vector)
    operation = CloseMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_close(suite, parameters, ledger.facts(document), draw, operation))


def _derive_view(suite: Suite, vector: Vector) -> dict[str, Any]:
    parameters, document = (
        parse_parameters(suite.group, vector["parameters"]),
        parse_document(suite.group, vector["state"]["document"]),
    )
    inputs = vector["inputs"]
    operation = proving.prove_view(
        suite,
        parameters,
        ledger.facts(document),
        reader=inputs["reader"],
        secret=_view_secret(suite, inputs["reader_secret"]),
        issued=inputs["issued"],
        randomness=_seeded(inputs),
    )
    return {"message": ViewMessage.of(operation).model_dump(mode="json"), "after": _after(document, None)}


def _verify_view(suite: Suite, vector: Vector) -> None:
    parameters, document = (
        parse_parameters(suite.group, vector["parameters"]),
        parse_document(suite.group, vector["state"]["document"]),
    )
    operation = ViewMessage.model_validate(vector["message"]).decode(suite.group)
    verify(suite, ledger.check_view(suite, parameters, document, operation))


def _stateful(suite: Suite, vector: Vector) -> tuple[Parameters, DocumentState, DrawState]:
    group, state = suite.group, vector["state"]
    return (
        parse_parameters(group, vector["parameters"]),
        parse_document(group, state["document"]),
        parse_draw(group, state["draw"]),
    )


_OPERATIONS = {
    "register": Replay(_derive_register, _verify_register),
    "draw": Replay(_derive_draw, _verify_draw),
    "reduce": Replay(_derive_reduce, _verify_reduce),
    "close": Replay(_derive_close, _verify_close),
    "view": Replay(_derive_view, _verify_view),
}


def _derive_operation(suite: Suite, vector: Vector) -> dict[str, Any]:
    return _OPERATIONS[vector["operation"]].derive(suite, vector)


def _verify_operation(suite: Suite, vector: Vector) -> None:
    _OPERATIONS[vector["operation"]].verify(suite, vector)


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
