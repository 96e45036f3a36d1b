"""What an answer means as the result of an invocation. Pure."""

from __future__ import annotations

import base64
import json
from typing import Any

from faasioflex.invoker.http1.head import ResponseHead
from faasioflex.model.errors import DeadlineExceeded, FunctionError
from faasioflex.model.invocation import CallError, Invocation, invocation_document

LONGEST_MESSAGE = 4096


def result_of(content_type: str, body: bytes) -> Any:
    """JSON as it is, text as a string, nothing as None, other bytes as ``{"base64", "content_type"}``."""
    if not body:
        return None
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    try:
        if kind == "application/json" or kind.endswith("+json"):
            return json.loads(body)
        if kind.startswith("text/"):
            return body.decode(_charset(parameters))
    except (ValueError, LookupError, RecursionError):
        pass  # it is not what it says: then it is bytes
    return {"base64": base64.b64encode(body).decode(), "content_type": content_type or "application/octet-stream"}


def error_of(head: ResponseHead, body: bytes) -> CallError | None:
    """None for a success; for 400 and above what the function said of it."""
    if head.status < 400:
        return None
    code = DeadlineExceeded.code if head.status == DeadlineExceeded.status else FunctionError.code
    return CallError(code, _message(head, body)[:LONGEST_MESSAGE], head.status)


def to_json_bytes(invocation: Invocation) -> bytes:
    """The invocation's document as a message: what execute and calls over NATS answer, and callbacks bring."""
    return json.dumps(invocation_document(invocation)).encode()


def content_type_of(head: ResponseHead) -> str:
    return (head.get(b"content-type") or b"").decode("latin-1")


def _message(head: ResponseHead, body: bytes) -> str:
    kind = content_type_of(head)
    said = result_of(kind, body)
    if isinstance(said, dict):
        for member in ("detail", "message", "error", "title"):
            if isinstance(said.get(member), str) and said[member]:
                return str(said[member])
    if isinstance(said, str) and said.strip() and kind.startswith("text/plain"):
        return said.strip()
    return f"The function answered {head.status} {head.reason.decode('latin-1')}".strip()


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"') or "utf-8"
    return "utf-8"
