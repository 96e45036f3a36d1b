"""CloudEvents of every change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response

from faasioflex.api.context import Context
from faasioflex.api.problems import problems
from faasioflex.api.routes.logs import Follow, Since, Tail, since_time
from faasioflex.api.streams import CONTENT, lines
from faasioflex.bus import buckets
from faasioflex.bus.port import StreamMessage
from faasioflex.model.messages import EVENTS_SUBJECT

router = APIRouter(tags=["observing"])
log = structlog.get_logger(__name__)


@router.get(
    "/events",
    responses={200: {"description": "CloudEvents 1.0", "content": CONTENT}, **problems()},
    response_class=Response,
)
async def get_events(
    request: Request, context: Context, follow: Follow = False, since: Since = None, tail: Tail = None
) -> Response:
    """Functions registered, updated, deployed, failed, scaled and deleted; instances started, stopped and crashed."""
    begin = since_time(since, context.now())
    messages = context.bus.read(buckets.EVENTS.name, f"{EVENTS_SUBJECT}.>", since=begin, last=tail, follow=follow)
    return lines(request, messages, _event, context.closing.is_set if follow else None)


def _event(message: StreamMessage) -> Mapping[str, Any] | None:
    try:
        event = json.loads(message.data)
    except ValueError:
        log.warning("an event cannot be read", subject=message.subject)
        return None
    return event if isinstance(event, dict) else None
