"""Passwords: which are taken, how they are kept, and how they are compared without telling who exists."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import ParamSpec, TypeVar

import argon2
import bcrypt

from faasioflex.model.errors import FieldError, Invalid, Unavailable

P = ParamSpec("P")
T = TypeVar("T")
SHORTEST, LONGEST = 10, 256
AT_ONCE = 2  # each takes 46 MiB and a core
WAITING = 32
# One of the settings of OWASP's list that weigh the same for attackers. RFC 9106's second choice (64 MiB, t=3) takes 300 ms of a
# core here, as long as a whole login may; this one 100 ms, and most of its cost is memory, which is what attackers' chips lack.
_HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)


@cache
def breached() -> frozenset[str]:
    text = resources.files("faasioflex.identity.issuer").joinpath("breached.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def check(password: str, email: str = "") -> None:
    """Raises: Invalid, which says what a better one is like and never the password."""
    if len(password) < SHORTEST:
        raise _weak(f"The password is too short: take at least {SHORTEST} characters")
    if len(password) > LONGEST:
        raise _weak(f"The password is too long: take at most {LONGEST} characters")
    lowered = password.casefold()
    if lowered in breached() or lowered == email.casefold() or len(set(lowered)) < 4:
        raise _weak("The password is among those that attackers try first: take another one")


def _weak(message: str) -> Invalid:
    return Invalid(message, errors=(FieldError("/password", message),))


class Passwords:
    """Hashing happens in threads, few at a time; who comes when too many wait is told to come again."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def hashed(self, password: str) -> str:
        """argon2id. Raises: Unavailable."""
        return await self._run(_HASHER.hash, password)

    async def matches(self, kept: str | None, password: str) -> bool:
        """``kept`` None: nobody; it takes as long all the same. Raises: Unavailable."""
        return await self._run(_matches, kept, password[: LONGEST + 1])

    async def _run(self, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        if self._waiting >= WAITING:
            raise Unavailable("Too many people log in this moment: try again in a few seconds")
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work, *given, **named)
        finally:
            self._waiting -= 1


def outdated(kept: str) -> bool:
    """Whether it is to be hashed again when the password is known: bcrypt, or weaker parameters than now."""
    return not kept.startswith("$argon2id$") or _HASHER.check_needs_rehash(kept)


def _matches(kept: str | None, password: str) -> bool:
    if kept is not None and kept.startswith("$2"):
        try:
            return bcrypt.checkpw(password.encode()[:72], kept.encode())
        except ValueError:
            return False
    try:
        return _HASHER.verify(kept or _nobodys(), password) and kept is not None
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody's password")
