"""What the blocking client knows of asynchronous calls and dead letters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TypeVar

from faasioflex.client import calls
from faasioflex.client.models import CallbackKey, DeadLetter, Invocation, Redriven
from faasioflex.client.request import Request
from faasioflex.model.names import FunctionName

T = TypeVar("T")
Name = str | FunctionName


class QueueMethods(ABC):
    """Such a call is made by ``execute(..., mode="async")``."""

    def cancel(self, invocation_id: str) -> Invocation:
        """Take an asynchronous call back, whether it waits or runs. Raises: InvocationNotFound, WrongState."""
        return self._send(calls.cancel(invocation_id))

    def dead_letters(self, function: Name | None = None) -> Iterator[DeadLetter]:
        """Calls that were given up: of one function, or all that you may see."""
        name = None if function is None else self.name(function)
        cursor: str | None = None
        while True:
            page = self._send(calls.dead_letters(name, None, cursor))
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def dead_letter(self, invocation_id: str) -> DeadLetter:
        """One, with what the function was given. Raises: DeadLetterNotFound."""
        return self._send(calls.dead_letter(invocation_id))

    def redrive(self, invocation_id: str) -> Invocation:
        """Run a dead letter again; the new call. Raises: DeadLetterNotFound."""
        return self._send(calls.redrive(invocation_id))

    def redrive_all(self, function: Name) -> Redriven:
        """Run all dead letters of a function again, as far as the queue has room."""
        return self._send(calls.redrive_all(self.name(function)))

    def delete_dead_letter(self, invocation_id: str) -> None:
        """Throw one away. Raises: DeadLetterNotFound."""
        return self._send(calls.delete_dead_letter(invocation_id))

    def purge(self, function: Name) -> int:
        """Throw all dead letters of a function away; how many."""
        return self._send(calls.purge(self.name(function)))

    def callback_key(self, namespace: str | None = None) -> CallbackKey:
        """What callbacks of the namespace's functions are signed with."""
        return self._send(calls.callback_key(self.space(namespace)))

    @abstractmethod
    def name(self, name: Name) -> FunctionName:
        """With its namespace."""

    @abstractmethod
    def space(self, namespace: str | None) -> str:
        """The one that is named, else the caller's own."""

    @abstractmethod
    def _send(self, request: Request[T]) -> T:
        """One request and its answer."""
