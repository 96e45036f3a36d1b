"""What the asynchronous client knows of asynchronous calls and dead letters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import TypeVar

from faasioflex.client import calls
from faasioflex.client.models import CallbackKey, DeadLetter, Invocation, Redriven
from faasioflex.client.request import Request
from faasioflex.model.names import FunctionName

T = TypeVar("T")
Name = str | FunctionName


class AsyncQueueMethods(ABC):
    """Such a call is made by ``execute(..., mode="async")``."""

    async def cancel(self, invocation_id: str) -> Invocation:
        """Take an asynchronous call back, whether it waits or runs. Raises: InvocationNotFound, WrongState."""
        return await self._send(calls.cancel(invocation_id))

    async def dead_letters(self, function: Name | None = None) -> AsyncIterator[DeadLetter]:
        """Calls that were given up: of one function, or all that you may see."""
        name = None if function is None else await self.name(function)
        cursor: str | None = None
        while True:
            page = await self._send(calls.dead_letters(name, None, cursor))
            for letter in page.items:
                yield letter
            cursor = page.next
            if cursor is None:
                return

    async def dead_letter(self, invocation_id: str) -> DeadLetter:
        """One, with what the function was given. Raises: DeadLetterNotFound."""
        return await self._send(calls.dead_letter(invocation_id))

    async def redrive(self, invocation_id: str) -> Invocation:
        """Run a dead letter again; the new call. Raises: DeadLetterNotFound."""
        return await self._send(calls.redrive(invocation_id))

    async def redrive_all(self, function: Name) -> Redriven:
        """Run all dead letters of a function again, as far as the queue has room."""
        return await self._send(calls.redrive_all(await self.name(function)))

    async def delete_dead_letter(self, invocation_id: str) -> None:
        """Throw one away. Raises: DeadLetterNotFound."""
        return await self._send(calls.delete_dead_letter(invocation_id))

    async def purge(self, function: Name) -> int:
        """Throw all dead letters of a function away; how many."""
        return await self._send(calls.purge(await self.name(function)))

    async def callback_key(self, namespace: str | None = None) -> CallbackKey:
        """What callbacks of the namespace's functions are signed with."""
        return await self._send(calls.callback_key(await self.space(namespace)))

    @abstractmethod
    async def name(self, name: Name) -> FunctionName:
        """With its namespace."""

    @abstractmethod
    async def space(self, namespace: str | None) -> str:
        """The one that is named, else the caller's own."""

    @abstractmethod
    async def _send(self, request: Request[T]) -> T:
        """One request and its answer."""
