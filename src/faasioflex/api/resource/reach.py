"""Who reaches a function, and how often: CORS and rate limits. Both change in place."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from faasioflex.api.resource.limits import Strict
from faasioflex.model.function import Cors, RateLimit

MOST = 1_000_000
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_CORS = Cors(())


def _origin(text: str) -> str:
    if text == "*":
        return text
    wrong = PydanticCustomError("origin", "Must be a site as browsers name it, like https://app.example.com, or *")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise wrong from None
    made = f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port is not None else "")
    if parts.scheme not in ("http", "https") or not parts.hostname or made != text or not text.isascii():
        raise wrong
    return text


def _method(text: str) -> str:
    if text not in _METHODS:
        raise PydanticCustomError("method", "Must be one of {names}", {"names": ", ".join(_METHODS)})
    return text


def _header(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", text, re.ASCII) is None:
        raise PydanticCustomError("header", "Must be a header's name: letters, digits and hyphens")
    return text


Origin = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_origin)]
Method = Annotated[str, AfterValidator(_method)]
HeaderName = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_header)]


class CorsIn(Strict):
    """Which other sites' pages may call the function from a browser, and read its answers."""

    allow_origins: list[Origin] = Field(min_length=1, max_length=50, description="https://host[:port], or * for all")
    allow_methods: list[Method] = Field(default_factory=lambda: list(_CORS.allow_methods), max_length=len(_METHODS))
    allow_headers: list[HeaderName] = Field(
        default_factory=list, max_length=50, description="That pages may send, Authorization among them"
    )
    expose_headers: list[HeaderName] = Field(
        default_factory=list, max_length=50, description="Of answers, that pages may read"
    )
    allow_credentials: bool = Field(_CORS.allow_credentials, description="Cookies; tokens need Authorization instead")
    max_age_s: int = Field(_CORS.max_age_s, ge=0, le=86_400, description="How long a browser need not ask again")

    @model_validator(mode="after")
    def _not_all(self) -> CorsIn:
        if self.allow_credentials and "*" in self.allow_origins:
            raise PydanticCustomError("credentials", "allow_credentials needs allow_origins that are named, not *")
        return self

    def value(self) -> Cors:
        return Cors(
            tuple(self.allow_origins),
            tuple(self.allow_methods),
            tuple(self.allow_headers),
            tuple(self.expose_headers),
            self.allow_credentials,
            self.max_age_s,
        )


class RateLimitIn(Strict):
    """How often the function may be called over HTTP; what is more gets 429."""

    calls_per_minute: int | None = Field(None, ge=1, le=MOST, description="By all callers together; null: no bound")
    per_caller_per_minute: int | None = Field(
        None, ge=1, le=MOST, description="By one caller; of those without a token, from one address; null: no bound"
    )
    burst: int | None = Field(
        None, ge=1, le=MOST, description="Calls that may come at once after a pause; null: a minute's"
    )

    def value(self) -> RateLimit:
        return RateLimit(**dict(self))
