"""One tree of errors. Each has a stable ``code``, an HTTP status and a message that says what to do.

Drivers translate what their vendor raises into one of these at their boundary; the API renders any of them as an RFC 9457
problem document, the CLI prints message and code. Add a class here rather than a new tree elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one place of a document: an RFC 6901 ``pointer`` (``""`` is the whole) and a sentence."""

    pointer: str
    message: str


class FfxError(Exception):
    """Base of everything the platform reports. ``str(error)`` is the sentence that people see."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong inside the platform"
    retry_after_s: int | None = None

    def __init__(self, message: str, *, retry_after_s: int | None = None, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.errors = errors
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


class BadRequest(FfxError):
    code, status, title = "bad-request", 400, "The request cannot be read"


class NotAuthenticated(FfxError):
    """No token where one is needed, or one that does not hold; answers carry ``WWW-Authenticate: Bearer``."""

    code, status, title = "not-authenticated", 401, "Who are you?"
    pid: str = ""  # of a token that is ours, and is refused all the same; "" where it is not known to be one


class TokenExpired(NotAuthenticated):
    code, title = "token-expired", "The token has expired"


class TokenRevoked(NotAuthenticated):
    code, title = "token-revoked", "The token was revoked"


class NotAllowed(FfxError):
    code, status, title = "not-allowed", 403, "Not allowed"


class QuotaExceeded(NotAllowed):
    """The message says which quota of which namespace, and its value."""

    code, title = "quota-exceeded", "A quota of the namespace is used up"


class NotFound(FfxError):
    code, status, title = "not-found", 404, "Not found"


class FunctionNotFound(NotFound):
    code, title = "function-not-found", "No such function"


class RevisionNotFound(NotFound):
    code, title = "revision-not-found", "No such revision"


class InvocationNotFound(NotFound):
    code, title = "invocation-not-found", "No such invocation"


class SecretNotFound(NotFound):
    code, title = "secret-not-found", "No such secret"


class DeadLetterNotFound(NotFound):
    code, title = "dead-letter-not-found", "No such dead letter"


class MethodNotAllowed(FfxError):
    code, status, title = "method-not-allowed", 405, "Method not allowed"


class RequestTimeout(FfxError):
    """The client sends its request too slowly."""

    code, status, title = "request-timeout", 408, "The request came too slowly"


class UnsupportedMediaType(FfxError):
    code, status, title = "unsupported-media-type", 415, "The Content-Type is not taken here"


class Conflict(FfxError):
    """Somebody else wrote first (optimistic concurrency). Read again and repeat."""

    code, status, title = "conflict", 409, "Changed by somebody else"


class FunctionExists(Conflict):
    code, title = "function-exists", "The name is taken"


class WrongState(Conflict):
    """What is asked for cannot be done as things are now (not ready yet, being deleted, ended)."""

    code, title = "wrong-state", "Not possible as things are"


class PreconditionFailed(FfxError):
    code, status, title = "precondition-failed", 412, "If-Match does not hold"


class PayloadTooLarge(FfxError):
    code, status, title = "payload-too-large", 413, "Too large"


class Invalid(FfxError):
    """A document whose fields are wrong; ``errors`` names each."""

    code, status, title = "invalid", 422, "The document is not valid"


class BadArchive(Invalid):
    code, title = "bad-archive", "The archive is refused"


class NotSupportedYet(Invalid):
    code, title = "not-supported-yet", "Not supported yet"


class TooManyCalls(FfxError):
    """The function's queue is full, or a call waited longer than ``queue_wait_s``."""

    code, status, title = "queue-full", 429, "Too many calls"
    retry_after_s = 1


class RateLimited(TooManyCalls):
    """More calls in a minute than the function, the caller or the namespace's quota takes."""

    code, title = "rate-limited", "Too many calls in a short time"


class FunctionError(FfxError):
    """The function answered wrongly or raised."""

    code, status, title = "function-error", 500, "The function failed"


class InstanceEnded(FfxError):
    """The instance died (crash, out of memory) while it had the call."""

    code, status, title = "instance-ended", 502, "The function's instance ended during the call"


class BuildFailed(FfxError):
    code, status, title = "build-failed", 422, "The build failed"


class StartFailed(FfxError):
    """No instance of the revision becomes ready; the message holds its log's last lines."""

    code, status, title = "start-failed", 503, "The function does not start"
    retry_after_s = 5


class Unavailable(FfxError):
    """A part that is needed is away for the moment."""

    code, status, title = "unavailable", 503, "Not available right now"
    retry_after_s = 2


class NodeFull(FfxError):
    """The memory for instances is used up, and it is not this function's turn."""

    code, status, title = "node-full", 503, "No memory is left for another instance"
    retry_after_s = 5


class DeadlineExceeded(FfxError):
    code, status, title = "deadline-exceeded", 504, "The deadline has passed"


class NotCached(FfxError):
    """The request takes a kept answer only (``only-if-cached``), and there is none (RFC 9111, 5.2.1.7)."""

    code, status, title = "not-cached", 504, "No kept answer"


def tree() -> dict[str, type[FfxError]]:
    """Every error class by its code: the table behind the docs and the client."""
    found: dict[str, type[FfxError]] = {}
    todo: list[type[FfxError]] = [FfxError]
    while todo:
        kind = todo.pop(0)  # by generations: a class that joins two of the tree takes the place of neither
        found.setdefault(kind.code, kind)
        todo.extend(kind.__subclasses__())
    return found
