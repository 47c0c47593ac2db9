"""What several plans share: refusals that name the lines of a request, counted from 0."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from schemas import problems
from schemas.problems import ProblemType
from service.problems import Failure, lines_refusal, refuse_claims, refuse_lines
from service.storage import Plan, Seen
from zkcore.errors import IdentityError, StateError, ZkError
from zkcore.ledger import DocumentState
from zkcore.verifying.batch import Claim


@dataclass(frozen=True)
class Unproven:
    """A write of which everything is right but its proofs, which are still to be verified.

    claims: what they have to prove, labelled `line:statement`; None where nobody has to prove anything
    plan: what to write, given what of the claims does not hold. Raises Refusal
    """

    claims: Sequence[Claim] | None
    plan: Callable[[Sequence[Failure]], Plan]


def proven(plan: Plan) -> Callable[[Sequence[Failure]], Plan]:
    """This plan, when every claim holds."""

    def planned(failures: Sequence[Failure]) -> Plan:
        refuse_claims(failures)
        return plan

    return planned


def documents_of_lines(seen: Seen, ids: Sequence[bytes]) -> list[DocumentState]:
    """The documents of the lines. Refuses one that stands twice (SPEC.md, section 10.5) or is not there."""
    refuse_repeated(ids)
    known = seen.documents
    unknown = StateError("no such document")
    refuse_lines(problems.DOCUMENT_UNKNOWN, [(line, unknown) for line, id_ in enumerate(ids) if id_ not in known])
    return [known[id_] for id_ in ids]


def refuse_repeated(ids: Sequence[bytes]) -> None:
    """Refuses a document that stands on an earlier line, too."""
    repeated = StateError("the document stands on an earlier line, too")
    refuse_lines(problems.DOCUMENT_REPEATED, [(line, repeated) for line, id_ in enumerate(ids) if id_ in ids[:line]])


def refuse_taken(ids: Sequence[bytes], known: Container[bytes]) -> None:
    """Refuses a new id that is in use, or that stands on an earlier line."""
    error = StateError("the id is taken")
    taken = [(line, error) for line, id_ in enumerate(ids) if id_ in known or id_ in ids[:line]]
    refuse_lines(problems.ALREADY_EXISTS, taken)


@contextmanager
def refused_as(problem: ProblemType, line: int, *errors: type[ZkError]) -> Iterator[None]:
    """What fails on its face refuses the request with this problem, naming the line."""
    try:
        yield
    except errors as error:
        raise lines_refusal(problem, [(line, error)]) from error


@contextmanager
def unblinded_refused(line: int) -> Iterator[None]:
    """An amount whose blinding cancels that of a balance is as good as unproven (SPEC.md, section 10: `identity`)."""
    with refused_as(problems.PROOF_INVALID, line, IdentityError):
        yield
