"""Dead letters and keys of callbacks, as answers."""

from __future__ import annotations

import base64
import json
from typing import Any

from pydantic import Field

from faasioflex.api.resource.shapes import InvocationOut, Shape, Time
from faasioflex.api.resource.times import rfc3339
from faasioflex.model.invocation import invocation_document
from faasioflex.model.queue import DeadLetter, QueuedCall


class DeadLetterOut(InvocationOut):
    last_error: str | None = Field(description="Of the last attempt")
    died_at: Time


class WholeDeadLetterOut(DeadLetterOut):
    method: str
    path: str
    payload: Any = Field(description='What the function was given: JSON, text, or {"base64", "content_type"}')


class DeadLetterPage(Shape):
    items: list[DeadLetterOut]
    next: str | None = Field(description="The cursor of the next page; null on the last")


class RedrivenOut(Shape):
    redriven: int = Field(description="Calls that are queued again")
    left: int = Field(description="Dead letters that could not be queued now, so they are there still")


class PurgedOut(Shape):
    purged: int = Field(description="Dead letters that are gone")


class CallbackKeyOut(Shape):
    """Of Standard Webhooks: whsec_ and base64."""

    key: str
    previous: list[str] = Field(description="Those that 'ffx secret rotate' replaced within a day: they still sign too")


def dead_letter_document(letter: DeadLetter) -> dict[str, Any]:
    error = letter.invocation.error
    said = letter.call.last_error or (error.message if error is not None else None)
    return {**invocation_document(letter.invocation), "last_error": said, "died_at": rfc3339(letter.died_at)}


def whole_dead_letter_document(letter: DeadLetter) -> dict[str, Any]:
    call = letter.call
    return {**dead_letter_document(letter), "method": call.method, "path": call.path, "payload": _payload(call)}


def _payload(call: QueuedCall) -> Any:
    body = base64.b64decode(call.body_base64)
    kind = next((value for name, value in call.headers if name.lower() == "content-type"), "")
    plain = kind.partition(";")[0].strip().lower()
    try:
        if plain == "application/json" or plain.endswith("+json"):
            return json.loads(body)
        if not body or plain.startswith("text/"):
            return body.decode()
    except (ValueError, RecursionError):
        pass  # it is not what it says: then it is bytes
    return {"base64": call.body_base64, "content_type": kind or "application/octet-stream"}
