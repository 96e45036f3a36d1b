"""The gateway's view of the policy: for one function, the pids that may invoke it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Access:
    """``public``: everybody. ``signed_in``: every person and function with a token of full scope. ``pids``: these, besides."""

    public: bool = False
    signed_in: bool = False
    pids: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Revoked:
    """Tokens that are void before they expire: by ``jti``, and by uid all that were issued before a time (epoch seconds)."""

    jtis: frozenset[str] = frozenset()
    subjects: tuple[tuple[str, float], ...] = field(default=())  # sorted


NOTHING_REVOKED = Revoked()
