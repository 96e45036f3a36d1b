"""What Envoy answers itself is a problem document (RFC 9457), with the codes of model/errors."""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.gateway.envoy.limits import LIMITED_HEADER
from faasioflex.gateway.envoy.proto import Json, overwrite
from faasioflex.model import errors

PROBLEMS = "https://faasioflex.dev/problems/"
MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Reply:
    """``statuses`` as Envoy has them, or every one ``up_to``; narrowed by ``flags`` (of the response) and by ``of_function``
    (the direct path).

    ``status`` None keeps Envoy's.
    """

    statuses: tuple[int, ...]
    error: type[errors.FfxError]
    detail: str
    status: int | None = None
    flags: tuple[str, ...] = ()
    of_function: bool | None = None
    title: str | None = None
    up_to: int | None = None
    says_when: bool = False  # the answer has its Retry-After already


# The first that fits answers.
REPLIES = (
    Reply(
        (400,),
        errors.BadRequest,
        "The request cannot be read: its path may not hold '.' or '..' segments, backslashes, NUL or control characters, "
        "and it must be well-formed HTTP.",
    ),
    Reply((403,), errors.NotAllowed, "The gateway takes neither CONNECT nor an upgrade to anything but WebSocket."),
    Reply((404,), errors.NotFound, "There is nothing at this address."),
    Reply((405,), errors.MethodNotAllowed, "TRACE is not taken here."),
    Reply(
        (408,),
        errors.BadRequest,
        "The request did not arrive in time: send its headers and body without long pauses.",
        title="The request took too long",
    ),
    Reply((413,), errors.PayloadTooLarge, "The body is larger than this function takes (limits.payload_bytes)."),
    Reply((426,), errors.BadRequest, "Use HTTP/1.1 or HTTP/2.", title="HTTP/1.0 is not spoken here"),
    Reply(
        (429,),
        errors.RateLimited,
        f"More calls in a minute than are let through for %RESP({LIMITED_HEADER})%. Try again after Retry-After seconds.",
        says_when=True,
    ),
    Reply(
        (431,),
        errors.BadRequest,
        "The headers are too large: at most 60 KiB and 100 of them.",
        title="The headers are too large",
    ),
    Reply(
        (502, 503),
        errors.FunctionError,
        "The function's answer is not valid HTTP.",
        status=502,
        flags=("UPE",),
        of_function=True,
    ),
    Reply(
        (502, 503),
        errors.InstanceEnded,
        "The instance that had this call ended before it answered: it crashed, ran out of memory or was killed. The "
        "function's logs tell. The call was not repeated because it may have had an effect.",
        status=502,
        flags=("UC", "UR"),
        of_function=True,
    ),
    Reply(
        (502, 503),
        errors.Unavailable,
        "The part of the platform that had this call ended before it answered. It was not repeated because it may have had "
        "an effect; send it again if that does no harm.",
        status=503,
        flags=("UC", "UR", "UPE"),
    ),
    Reply((503,), errors.Unavailable, "The gateway has too much to do. Try again shortly.", flags=("OM", "UO")),
    Reply(
        (502, 503), errors.Unavailable, "A part of the platform is away for the moment. Try again shortly.", status=503
    ),
    Reply(
        (504,),
        errors.DeadlineExceeded,
        "No answer within the function's timeout (limits.timeout_s), or too long a silence during it.",
    ),
    # What answers a WebSocket's handshake with 200 or a redirect is cut off by Envoy, which keeps the status alone.
    Reply(
        (),
        errors.FunctionError,
        "What is called here did not accept the WebSocket: it answered the handshake as an ordinary request. Call it without "
        "the header Upgrade, or let it answer 101.",
        status=502,
        title="No WebSocket here",
        up_to=399,
    ),
    Reply((500, 501), errors.FfxError, "The gateway cannot serve this request."),
)


def local_replies(first: tuple[Reply, ...] = ()) -> Json:
    """``first`` come before the others."""
    return {
        "mappers": [_mapper(reply) for reply in (*first, *REPLIES)],
        "body_format": _body(errors.FfxError, "The gateway cannot serve this request.", None),
    }


def _mapper(reply: Reply) -> Json:
    filters: list[Json] = [_any(_statuses(reply))]
    if reply.flags:
        filters.append({"response_flag_filter": {"flags": list(reply.flags)}})
    if reply.of_function is not None:
        filters.append({"header_filter": {"header": {"name": "x-ffx-function", "present_match": reply.of_function}}})
    mapper: Json = {
        "filter": filters[0] if len(filters) == 1 else {"and_filter": {"filters": filters}},
        "body_format_override": _body(reply.error, reply.detail, reply.title),
    }
    if reply.status is not None:
        mapper["status_code"] = reply.status
    if reply.error.retry_after_s is not None and not reply.says_when:
        mapper["headers_to_add"] = [overwrite("retry-after", str(reply.error.retry_after_s))]
    return mapper


def _any(filters: list[Json]) -> Json:
    return filters[0] if len(filters) == 1 else {"or_filter": {"filters": filters}}


def _statuses(reply: Reply) -> list[Json]:
    made = [_status(status, "EQ") for status in reply.statuses]
    return made if reply.up_to is None else [*made, _status(reply.up_to, "LE")]


def _status(status: int, op: str) -> Json:
    comparison = {"op": op, "value": {"default_value": status, "runtime_key": f"ffx.no_such_key.{status}"}}
    return {"status_code_filter": {"comparison": comparison}}


def _body(error: type[errors.FfxError], detail: str, title: str | None) -> Json:
    return {
        "json_format": {
            "type": PROBLEMS + error.code,
            "title": title or error.title,
            "status": "%RESPONSE_CODE%",
            "detail": detail,
            "code": error.code,
            "request_id": "%REQ(X-REQUEST-ID)%",
        },
        "content_type": MEDIA_TYPE,
    }
