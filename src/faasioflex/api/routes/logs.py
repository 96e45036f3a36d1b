"""Log lines of instances and builds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response

from faasioflex.api.authority import Observe
from faasioflex.api.context import Services, services_of
from faasioflex.api.problems import problems
from faasioflex.api.resource.document import invalid
from faasioflex.api.resource.times import parse_since, rfc3339
from faasioflex.api.streams import CONTENT, lines
from faasioflex.bus import buckets
from faasioflex.bus.codec import decode
from faasioflex.bus.port import StreamMessage
from faasioflex.model.errors import FieldError, Invalid
from faasioflex.model.function import FunctionRecord
from faasioflex.model.instance import LogLine
from faasioflex.model.messages import BUILD_LOGS_SUBJECT, LOGS_SUBJECT
from faasioflex.model.names import FunctionName

router = APIRouter(tags=["observing"])
log = structlog.get_logger(__name__)

Follow = Annotated[bool, Query(description="Go on with new lines until the caller leaves")]
Since = Annotated[str | None, Query(max_length=40, description="10m (s, m, h, d) or RFC 3339")]
Revision = Annotated[int | None, Query(ge=1, le=2_000_000_000)]
Tail = Annotated[int | None, Query(ge=0, le=20_000, description="At most so many of the newest")]
RESPONSES: dict[int | str, dict[str, Any]] = {200: {"description": "Lines", "content": CONTENT}, **problems(404)}


@dataclass(frozen=True)
class Lines:
    """Which lines: the query parameters of both logs."""

    follow: Follow = False
    since: Since = None
    revision: Revision = None
    tail: Tail = None


Wanted = Annotated[Lines, Depends()]


@router.get("/functions/{namespace}/{name}/logs", responses=RESPONSES, response_class=Response)
async def get_logs(request: Request, function: Observe, wanted: Wanted) -> Response:
    """What instances wrote, and what the platform has to say about them."""
    return await _answer(request, function, wanted, buckets.LOGS.name, LOGS_SUBJECT)


@router.get("/functions/{namespace}/{name}/build-log", responses=RESPONSES, response_class=Response)
async def get_build_log(request: Request, function: Observe, wanted: Wanted) -> Response:
    """What builds wrote."""
    return await _answer(request, function, wanted, buckets.BUILD_LOGS.name, BUILD_LOGS_SUBJECT)


async def _answer(request: Request, function: FunctionName, wanted: Lines, stream: str, subject: str) -> Response:
    context = services_of(request)
    begin = since_time(wanted.since, context.now())
    record = (await context.registry.find(function)).value
    messages = context.bus.read(
        stream,
        f"{subject}.{function.key}",
        since=max(begin or 0.0, record.created_at),  # a function of that name before this one is another
        last=wanted.tail,
        follow=wanted.follow,
    )
    return lines(request, messages, _line(wanted.revision), _ended(context, record) if wanted.follow else None)


def since_time(since: str | None, now: float) -> float | None:
    """Raises: Invalid."""
    begin = parse_since(since, now) if since is not None else None
    if since is not None and begin is None:
        raise invalid(FieldError("/query/since", "Must be like 10m (s, m, h, d), or RFC 3339 with its zone"))
    return begin


def _line(revision: int | None) -> Callable[[StreamMessage], Mapping[str, Any] | None]:
    def document(message: StreamMessage) -> Mapping[str, Any] | None:
        try:
            line = decode(LogLine, message.data)
        except Invalid as error:
            log.warning("a log line cannot be read", subject=message.subject, error=str(error))
            return None
        if revision is not None and line.revision != revision:
            return None
        return {
            "time": rfc3339(line.time),
            "revision": line.revision,
            "instance": line.instance,
            "stream": line.stream,
            "request_id": line.request_id,
            "message": line.message,
        }

    return document


def _ended(context: Services, record: FunctionRecord) -> Callable[[], bool]:
    """The platform stops, or the function is gone."""

    def ended() -> bool:
        entry = context.registry.functions.entries.get(record.function.key)
        return context.closing.is_set() or entry is None or entry.value.uid != record.uid

    return ended
