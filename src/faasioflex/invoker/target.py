"""Which function a request is for, and the target that its instance sees. Nothing is ever percent-decoded."""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.model.errors import FunctionNotFound, NotFound
from faasioflex.model.names import FunctionName, is_name

PREFIX = "/f/"


@dataclass(frozen=True)
class Target:
    """``path`` is the request target of the instance: begins with ``/``, query included, escapes as they came."""

    function: FunctionName
    path: str
    revision: int | None = None  # named by the gateway
    counted: bool = False  # by the gateway, which handed the call over out of the revision's cluster

    @property
    def prefix(self) -> str:
        return f"{PREFIX}{self.function}"


def checked(namespace: str, name: str) -> FunctionName:
    """Raises: FunctionNotFound where these cannot be names."""
    if not (is_name(namespace) and is_name(name)):
        raise FunctionNotFound("There is no function of that name: a call goes to /f/NAMESPACE/NAME")
    return FunctionName(namespace, name)


def from_path(raw: str) -> Target:
    """Read ``/f/ns/name[/rest][?query]``.

    Raises: NotFound for another path, FunctionNotFound for what cannot be a name.
    """
    path, mark, query = raw.partition("?")
    if not path.startswith(PREFIX):
        raise NotFound("Functions are called at /f/NAMESPACE/NAME")
    namespace, _, rest = path.removeprefix(PREFIX).partition("/")
    name, _, rest = rest.partition("/")
    return Target(checked(namespace, name), f"/{rest}{mark}{query}")


def from_headers(raw: str, namespace: str, name: str, revision: str | None) -> Target:
    """What the gateway has parsed and rewritten already: ``raw`` is the instance's target.

    Raises: FunctionNotFound.
    """
    number = int(revision) if revision and revision.isascii() and revision.isdigit() and len(revision) < 10 else None
    return Target(checked(namespace, name), raw if raw.startswith("/") else f"/{raw}", number, counted=True)
