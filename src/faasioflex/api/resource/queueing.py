"""``async`` and ``cache`` of the function resource: calls that wait in the queue, answers that are kept. Both change in place."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from faasioflex.api.resource.limits import Strict
from faasioflex.model.function import AsyncOrder, AsyncPolicy, CachePolicy

_ASYNC = AsyncPolicy()
_KEYS = ("method", "path", "query", "body")


def _outcome(text: str) -> str:
    if re.fullmatch(r"error|[45]xx|[45][0-9]{2}", text, re.ASCII) is None:
        raise PydanticCustomError("status", "Must be a status like 503, a class like 5xx, or error")
    return text


def _key(text: str) -> str:
    if text not in _KEYS and re.fullmatch(r"header:[a-z0-9][a-z0-9-]{0,63}", text, re.ASCII) is None:
        raise PydanticCustomError("key", "Must be method, path, query, body or header:NAME in lower case")
    return text


class AsyncIn(Strict):
    """How asynchronous calls are made: how often, how long, how many at once. Changes in place."""

    max_attempts: int = Field(_ASYNC.max_attempts, ge=1, le=100, description="Then it is a dead letter")
    max_age_s: float = Field(_ASYNC.max_age_s, ge=1, le=14 * 86_400, description="Older calls are dead letters")
    backoff_s: float = Field(
        _ASYNC.backoff_s, ge=0, le=3600, description="Before the second attempt; doubled each time, with jitter"
    )
    retry_on: list[Annotated[str, AfterValidator(_outcome)]] = Field(
        default_factory=lambda: list(_ASYNC.retry_on),
        max_length=50,
        description="Statuses that are tried again, like 503 or 5xx; error: it did not answer",
    )
    concurrency: int | None = Field(
        _ASYNC.concurrency, ge=1, le=100_000, description="Of the queue's calls at once; null: what the instances carry"
    )
    order: AsyncOrder = Field(_ASYNC.order, description="fifo-per-key: calls of one order key one after the other")
    result_ttl_s: float = Field(_ASYNC.result_ttl_s, ge=1, le=30 * 86_400, description="So long an outcome is kept")

    def value(self) -> AsyncPolicy:
        return AsyncPolicy(**{**dict(self), "retry_on": tuple(self.retry_on)})


class CacheIn(Strict):
    """Answers that are given again without a call. Changes in place."""

    ttl_s: float = Field(gt=0, le=365 * 86_400, description="At most; an answer's Cache-Control may say less")
    key: list[Annotated[str, AfterValidator(_key)]] = Field(
        default_factory=lambda: ["method", "path", "query"],
        min_length=1,
        max_length=20,
        description="What makes two calls the same: method, path, query, body, header:NAME",
    )
    shared: bool = Field(
        False, description="One caller may be given what another asked for; public functions always do that"
    )

    def value(self) -> CachePolicy:
        return CachePolicy(self.ttl_s, tuple(self.key), self.shared)
