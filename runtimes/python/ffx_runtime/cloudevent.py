"""CloudEvents 1.0 over HTTP: binary mode (``ce-*`` headers) and structured mode (``application/cloudevents+json``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

_STRUCTURED = "application/cloudevents+json"
_REQUIRED = ("specversion", "id", "source", "type")
_OPTIONAL = ("subject", "time", "datacontenttype", "dataschema")


@dataclass(frozen=True)
class CloudEvent:
    """``data`` is JSON where ``datacontenttype`` says so (or is absent), else text or bytes. ``time`` is RFC 3339 text."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    extensions: dict[str, Any] = field(default_factory=dict)
    data: Any = None


def is_cloud_event(headers: Mapping[str, str]) -> bool:
    return "ce-specversion" in headers or _media_type(headers.get("content-type", "")) == _STRUCTURED


def read_cloud_event(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    """Read the event of a request for which :func:`is_cloud_event` holds.

    Raises: ValueError, which says what is wrong.
    """
    if _media_type(headers.get("content-type", "")) == _STRUCTURED:
        return _structured(body)
    attributes: dict[str, Any] = {
        name.removeprefix("ce-"): unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    content_type = headers.get("content-type")
    attributes["datacontenttype"] = content_type
    return _event(attributes, _data(body, content_type) if body else None)


def _structured(body: bytes) -> CloudEvent:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the body is not a JSON object")
    data = document.pop("data", None)
    encoded = document.pop("data_base64", None)
    if encoded is not None:
        import base64

        data = base64.b64decode(encoded, validate=True)
    return _event(document, data)


def _event(attributes: dict[str, Any], data: Any) -> CloudEvent:
    known: dict[str, Any] = {}
    for name in _REQUIRED:
        value = attributes.pop(name, None)
        if not isinstance(value, str) or not value:
            raise ValueError(f"the attribute {name} is missing")
        known[name] = value
    if not known["specversion"].startswith("1."):
        raise ValueError(f"specversion {known['specversion']} is not 1.x")
    for name in _OPTIONAL:
        value = attributes.pop(name, None)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"the attribute {name} is not text")
        known[name] = value
    return CloudEvent(**known, extensions=attributes, data=data)


def _data(body: bytes, content_type: str | None) -> Any:
    media_type = _media_type(content_type or "application/json")
    if media_type == "application/json" or media_type.endswith("+json"):
        return json.loads(body)
    return body.decode() if media_type.startswith("text/") else body


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
