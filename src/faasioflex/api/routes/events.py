"""CloudEvents of every change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response

from faasioflex.api.authority import SIGNED_IN, resource_of
from faasioflex.api.context import Context, Services
from faasioflex.api.identity import Caller
from faasioflex.api.problems import problems
from faasioflex.api.routes.logs import Follow, Since, Tail, since_time
from faasioflex.api.streams import CONTENT, lines
from faasioflex.bus import buckets
from faasioflex.bus.port import StreamMessage
from faasioflex.identity.policy import Kind, Resource, permitted
from faasioflex.identity.principal import Principal
from faasioflex.model.alert import PLATFORM
from faasioflex.model.errors import NotAuthenticated
from faasioflex.model.messages import EVENTS_SUBJECT
from faasioflex.model.names import FunctionName

router = APIRouter(tags=["observing"], dependencies=SIGNED_IN)
ALONE: dict[str, Kind] = {"user": "user", "group": "group", "token": "token"}  # nouns of what is in no namespace
OF_NAMESPACE: dict[str, Kind] = {"namespace": "namespace", "binding": "namespace", "secret": "secret"}
log = structlog.get_logger(__name__)


@router.get(
    "/events",
    responses={200: {"description": "CloudEvents 1.0", "content": CONTENT}, **problems()},
    response_class=Response,
)
async def get_events(
    request: Request,
    context: Context,
    caller: Caller,
    *,
    follow: Follow = False,
    since: Since = None,
    tail: Tail = None,
) -> Response:
    """Of what the caller may read: functions, revisions and instances that change; people, groups and grants."""
    begin = since_time(since, context.now())
    messages = context.bus.read(buckets.EVENTS.name, f"{EVENTS_SUBJECT}.>", since=begin, last=tail, follow=follow)
    return lines(request, messages, _events_for(request, context, caller), context.closing.is_set if follow else None)


def _events_for(
    request: Request, context: Services, caller: Principal
) -> Callable[[StreamMessage], Mapping[str, Any] | None]:
    """As the caller's rights are when each is sent: a stream that is followed does not outlive them."""
    shown = request.headers.getlist("authorization")

    def document(message: StreamMessage) -> Mapping[str, Any] | None:
        try:
            now = context.identity.authenticate.bearer(shown)
        except NotAuthenticated:
            return None
        return _event(message) if _may_read(request, context, now, message.subject) else None

    return document


def _may_read(request: Request, context: Services, caller: Principal, subject: str) -> bool:
    """By the event's subject: ``ffx.event.NOUN.VERB.NAMESPACE.NAME``, or ``ffx.event.NOUN.VERB.NAME`` of what is in none."""
    noun, _, *about = subject.removeprefix(f"{EVENTS_SUBJECT}.").split(".")
    if noun in ALONE:
        return "read" in permitted(caller, Resource(ALONE[noun]))
    if noun in OF_NAMESPACE:
        return "read" in permitted(caller, Resource(OF_NAMESPACE[noun], about[0]))
    if noun == "alert" and about == [PLATFORM]:
        return "read" in permitted(caller, Resource("platform"))
    if len(about) != 2:
        return False
    name = FunctionName(*about)
    entry = context.registry.functions.entries.get(name.key)
    verbs = permitted(caller, resource_of(request, name, entry.value if entry is not None else None))
    if noun == "grant":  # who else was let in is for those who let in, and for those who may read people
        return "admin" in verbs or ("read" in verbs and "read" in permitted(caller, Resource("user")))
    return "read" in verbs


def _event(message: StreamMessage) -> Mapping[str, Any] | None:
    try:
        event = json.loads(message.data)
    except ValueError:
        log.warning("an event cannot be read", subject=message.subject)
        return None
    return event if isinstance(event, dict) else None
