"""Names of namespaces and functions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from faasioflex.model.errors import Invalid

NAME_PATTERN = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
ADMIN_NAMESPACE = "admin"
SECRET_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"  # noqa: S105
LONGEST_SECRET_NAME = 64
_SECRET_NAME = re.compile(SECRET_NAME_PATTERN[1:-1], re.ASCII)


def is_name(text: str) -> bool:
    """Whether ``text`` may name a namespace or a function (``fullmatch``: a trailing newline is refused)."""
    return _NAME.fullmatch(text) is not None


def is_secret_name(text: str) -> bool:
    """Whether ``text`` may name a secret: it is a file's name in instances, so neither hidden nor a way out of its folder."""
    return len(text) <= LONGEST_SECRET_NAME and _SECRET_NAME.fullmatch(text) is not None


@dataclass(frozen=True, order=True)
class FunctionName:
    """``namespace/name``. Hashable, sorts by namespace; made by :meth:`parse` or from parts that were checked."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def key(self) -> str:
        """The key of its records in every bucket, and the tail of its subjects: ``ns.name``."""
        return f"{self.namespace}.{self.name}"

    @classmethod
    def from_key(cls, key: str) -> FunctionName:
        """Inverse of :attr:`key`."""
        namespace, name = key.split(".")
        return cls(namespace, name)

    @classmethod
    def parse(cls, text: str, default_namespace: str = ADMIN_NAMESPACE) -> FunctionName:
        """Read ``ns/name`` or ``name``.

        Raises: Invalid, which tells the rule.
        """
        namespace, slash, name = text.rpartition("/")
        made = cls(namespace if slash else default_namespace, name)
        if not (is_name(made.namespace) and is_name(made.name)):
            raise Invalid(
                f"{text!r} is not a function's name: use name or namespace/name, each of a-z, 0-9 and '-', at most 40 "
                "characters, starting with a letter and not ending in '-'"
            )
        return made
