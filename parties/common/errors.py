"""The errors that parties' tools show to people: in English and Chinese, saying what to do next, each with its exit code.

No message contains a secret. A command turns any of them into one line on the screen and its exit code in one place
(parties.common.commands); library functions raise them and print nothing.
"""

from __future__ import annotations

from schemas import problems
from schemas.problems import TYPE_PREFIX, UNAVAILABLE, Problem, of_uri

EXIT_REFUSED = 1
EXIT_INPUT = 2
EXIT_UNREACHABLE = 3
_SERVER_ERROR = 500
_UNDECIDED = frozenset(
    kind.slug for kind in (problems.IN_FLIGHT, problems.SIGNATURE_INVALID, problems.NOT_PERMITTED, problems.RATE_LIMITED)
)


class PartyError(Exception):
    """Base of the family. `code` is stable and for programs; the messages are for people."""

    exit_code: int = EXIT_REFUSED

    def __init__(self, code: str, message_en: str, message_zh: str) -> None:
        super().__init__(code, message_en, message_zh)
        self.code = code
        self.message_en = message_en
        self.message_zh = message_zh

    def __str__(self) -> str:
        return f"{self.message_en} / {self.message_zh}"


class Refused(PartyError):
    """What was asked is well-formed and is refused: by the service, by a wallet, by a rule."""

    exit_code = EXIT_REFUSED


class InputError(PartyError):
    """A file, an argument or a directory is not what it should be."""

    exit_code = EXIT_INPUT


class HomeError(InputError):
    """A party's directory lacks what the command needs, holds it already, or is in use."""


class ServiceUnreachable(PartyError):
    """No answer came from the service, after every attempt."""

    exit_code = EXIT_UNREACHABLE


class ServiceMisbehaved(Refused):
    """The service answered something that is not an answer of this protocol, or that contradicts itself."""


class ServiceRefused(Refused):
    """The service refused; `problem` says what and why, in English. `slug` is its type without the common prefix.

    The Chinese is that of the list of types; only of a type that a newer service added, there is none here.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.slug = problem.type.removeprefix(TYPE_PREFIX)
        known = of_uri(problem.type)
        title_zh, advice_zh = (known.title_zh, known.advice_zh) if known else (problem.title, problem.detail)
        super().__init__(self.slug, f"{problem.title}. {problem.detail}", f"{title_zh}。{advice_zh}")
        if self.slug == UNAVAILABLE.slug:
            self.exit_code = EXIT_UNREACHABLE

    @property
    def decided(self) -> bool:
        """Whether the service decided about what was asked. If not, an earlier sending of the same bytes may have been, or may
        yet be, accepted: they are to be sent again. Who calls is asked before what is asked was looked at."""
        return self.problem.status < _SERVER_ERROR and self.slug not in _UNDECIDED
