"""From a request to a call that the queue has stored: whoever asks for it, by execute or on the direct path."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from faasioflex.identity.policy import Resource, permitted
from faasioflex.invoker.call import Call
from faasioflex.invoker.caller import Caller
from faasioflex.invoker.queue.options import CallOptions
from faasioflex.model.callback import check_url
from faasioflex.model.egress import Destination
from faasioflex.model.errors import FieldError, Invalid, NotAllowed, PayloadTooLarge
from faasioflex.model.execute import QueuedIn
from faasioflex.model.invocation import Invocation
from faasioflex.model.validation import invalid, pointer, validate

MIB = 1024 * 1024
LONGEST_BODY = 12 * MIB - 256 * 1024  # in base64, with everything else of the call, it fits a message of 16 MiB
_RESPOND_ASYNC = re.compile(r"(?:^|,)\s*respond-async\s*(?:$|[,;=])", re.IGNORECASE)
OPTIONS = {
    "idempotency_key": "Idempotency-Key",
    "callback": "Ffx-Callback",
    "not_before": "Ffx-Not-Before",
    "priority": "Ffx-Priority",
    "order_key": "Ffx-Order-Key",
}
_SECRET_NAME = "Ffx-Callback-Secret"  # noqa: S105
_NOT_FOR_THE_FUNCTION = frozenset({b"prefer", *(name.lower().encode() for name in (*OPTIONS.values(), _SECRET_NAME))})
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


Accept = Callable[[Call, CallOptions], Awaitable[Invocation]]


@dataclass(frozen=True)
class Places:
    """Where the options stood, for errors."""

    prefix: tuple[str, ...] = ()
    names: dict[str, str] | None = None

    def of(self, option: str) -> str:
        return pointer(*self.prefix, (self.names or {}).get(option, option))


OF_BODY = Places()
OF_HEADERS = Places(("headers",), OPTIONS)


class Acceptance:
    """``queue``: asks the policy and stores the call. ``callback_hosts``: the operator's setting. ``clock``: epoch seconds."""

    def __init__(
        self, queue: Accept, *, callback_hosts: Sequence[Destination] = (), clock: Callable[[], float] = time.time
    ) -> None:
        self._queue = queue
        self._callback_hosts = tuple(callback_hosts)
        self._clock = clock

    async def accept(self, call: Call, options: QueuedIn, places: Places = OF_BODY) -> Invocation:
        """``call.body`` is whole.

        Raises: what the policy says; Invalid, RevisionNotFound, PayloadTooLarge, TooManyCalls, Unavailable.
        """
        check_key(call.caller, options, places)
        due = options.due(self._clock(), places.of("not_before"))
        if options.callback is not None:
            if call.caller.principal.kind == "anonymous":  # else anybody could have anybody posted to
                raise invalid(FieldError(places.of("callback"), "Needs a token: nobody in particular has no callbacks"))
            try:
                check_url(options.callback.url, self._callback_hosts)
            except ValueError as error:
                raise invalid(FieldError(places.of("callback"), str(error))) from None
            check_secret(call, options)
        if len(call.body.whole or b"") > LONGEST_BODY:
            raise too_large(call)
        call.headers = [field for field in call.headers if field[0].lower() not in _NOT_FOR_THE_FUNCTION]
        asked = CallOptions(
            idempotency_key=options.idempotency_key,
            not_before=due,
            priority=options.priority,
            order_key=options.order_key or "",
            callback=options.posted_to,
        )
        return await self._queue(call, asked)


def check_key(caller: Caller, options: QueuedIn, places: Places) -> None:
    """Nobody in particular has no keys: another one's call of the same key would be theirs. Raises: Invalid."""
    if options.idempotency_key is not None and caller.principal.kind == "anonymous":
        raise invalid(
            FieldError(places.of("idempotency_key"), "Needs a token: without one nobody knows whose key it is")
        )


def check_secret(call: Call, options: QueuedIn) -> None:
    """Who could have anything signed with a secret could guess it at leisure. Raises: NotAllowed."""
    namespace = call.target.function.namespace
    if options.callback is None or options.callback.secret is None:
        return
    if "deploy" not in permitted(call.caller.principal, Resource("secret", namespace)):
        raise NotAllowed(
            f"You may not have callbacks signed with secrets of {namespace}: that takes who may set them. Leave the secret out, "
            "and the callback key of the namespace signs"
        )


def too_large(call: Call) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"A call that is queued holds at most {LONGEST_BODY} bytes: call the function at {call.target.prefix} without "
        "respond-async, which streams"
    )


def wants_async(request: web.BaseRequest) -> bool:
    """``Prefer: respond-async`` (RFC 7240), in any of several fields."""
    return any(_RESPOND_ASYNC.search(value) for value in request.headers.getall("Prefer", []))


def options_of(request: web.BaseRequest) -> QueuedIn:
    """From the headers of the direct path. Raises: Invalid."""
    document: dict[str, Any] = {}
    wrong = []
    for option, header in OPTIONS.items():
        values = request.headers.getall(header, [])
        if len(values) > 1:
            wrong.append(FieldError(OF_HEADERS.of(option), "Send it once"))
        elif values:
            document[option] = values[0].strip()
    if wrong:
        raise invalid(*wrong)
    key = document.get("idempotency_key", "")
    if len(key) > 2 and key[0] == key[-1] == '"':  # a string of structured fields (RFC 9651)
        document["idempotency_key"] = key[1:-1]
    if document.get("priority", "").isdecimal() and len(document["priority"]) < 4:
        document["priority"] = int(document["priority"])
    if _NUMBER.fullmatch(document.get("not_before", "")):
        document["not_before"] = float(document["not_before"])
    if "callback" in document and _SECRET_NAME in request.headers:
        document["callback"] = {"url": document["callback"], "secret": request.headers[_SECRET_NAME].strip()}
    try:
        return validate(QueuedIn, document)
    except Invalid as error:
        raise invalid(*(FieldError(_header_pointer(one.pointer), one.message) for one in error.errors)) from None


def _header_pointer(place: str) -> str:
    option, _, part = place.removeprefix("/").partition("/")
    return pointer("headers", _SECRET_NAME) if part == "secret" else OF_HEADERS.of(option)
