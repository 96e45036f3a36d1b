"""Which functions the suite asks. ``can`` names what not every kind of function has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faasioflex.runtime.language import Language, language
from support.runtime_instance import FUNCTIONS


@dataclass(frozen=True)
class Subject:
    """``like_another``: only how its code is loaded differs from another subject; what serves it is the same program."""

    folder: str
    language: str
    can: frozenset[str]
    like_another: bool = False

    @property
    def code(self) -> Path:
        return FUNCTIONS / self.folder

    @property
    def runtime(self) -> Language:
        return language(self.language)


# stdout: what it prints there is the log, not the answer.        stuck: code can refuse to be cancelled
# streams-requests: it is called before the body is there         blocks-loop: /spin holds up the server's own event loop
# prefix: it is told its prefix                                   closes: a stream whose client goes is told so
# sockets: /socket is a WebSocket that sends texts back in capitals
# breaks: an answer can fail after its first piece
SUBJECTS = [
    Subject("python-sync", "python", frozenset({"stdout", "stuck", "closes", "breaks"})),
    Subject("python-async", "python", frozenset({"stdout", "stuck", "blocks-loop", "closes", "breaks"})),
    Subject(
        "python-asgi",
        "python",
        frozenset({"stdout", "stuck", "blocks-loop", "streams-requests", "prefix", "sockets", "closes", "breaks"}),
    ),
    Subject("python-wsgi", "python", frozenset({"stdout", "stuck", "streams-requests", "prefix", "closes", "breaks"})),
    Subject("node-handle", "node", frozenset({"stdout", "stuck", "blocks-loop", "closes", "breaks"})),
    Subject("node-cjs", "node", frozenset({"stdout", "stuck", "blocks-loop", "closes", "breaks"}), like_another=True),
    Subject("node-ts", "node", frozenset({"stdout", "stuck", "blocks-loop", "closes", "breaks"}), like_another=True),
    Subject(
        "node-app",
        "node",
        frozenset({"stdout", "blocks-loop", "streams-requests", "prefix", "closes", "breaks"}),
    ),
    Subject("go-handle", "go", frozenset({"stdout", "stuck", "closes", "breaks"})),
    Subject(
        "go-handler",
        "go",
        frozenset({"stdout", "stuck", "streams-requests", "prefix", "sockets", "closes", "breaks"}),
    ),
    Subject("exec-shell", "exec", frozenset({"streams-requests"})),
    Subject("bash", "bash", frozenset({"streams-requests"})),
]


def that_can(*abilities: str) -> list[Subject]:
    return [one for one in SUBJECTS if one.can.issuperset(abilities)]


def name_of(subject: Subject) -> str:
    return subject.folder
