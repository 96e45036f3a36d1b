"""The body of ``POST /functions/execute``, and what may be said of a call that is queued: checked the same at every edge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from faasioflex.model.callback import LONGEST_URL
from faasioflex.model.errors import FieldError, Invalid
from faasioflex.model.names import LONGEST_SECRET_NAME, SECRET_NAME_PATTERN, FunctionName
from faasioflex.model.queue import MOST_PRIORITY, Callback
from faasioflex.model.validation import invalid, validate

LONGEST_KEY = 200
MOST_DELAY_S = 7 * 86_400
MAX_REVISION = 2_000_000_000
ONLY_ASYNC = ("callback", "not_before", "priority", "order_key")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class CallbackIn(_Strict):
    url: str = Field(min_length=1, max_length=LONGEST_URL)
    secret: str | None = Field(None, pattern=SECRET_NAME_PATTERN, max_length=LONGEST_SECRET_NAME)


def _callback(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


def _moment(value: object) -> float | str | None:
    if isinstance(value, str):
        try:
            good = datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            good = False
    else:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        good = value is None or (number and 0 <= cast(float, value) <= MOST_DELAY_S)
    if not good:
        raise PydanticCustomError(
            "moment", f"Must be a time like 2026-01-31T12:00:00Z, or 0 to {MOST_DELAY_S} seconds from now"
        )
    return cast("float | str | None", value)


_MOMENT_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": MOST_DELAY_S},
        {"type": "string", "format": "date-time"},
        {"type": "null"},
    ]
}
_URL = {"type": "string", "minLength": 1, "maxLength": LONGEST_URL}
_CALLBACK_SCHEMA = {
    "anyOf": [
        _URL,
        {
            "type": "object",
            "required": ["url"],
            "additionalProperties": False,
            "properties": {
                "url": _URL,
                "secret": {
                    "anyOf": [
                        {"type": "string", "pattern": SECRET_NAME_PATTERN, "maxLength": LONGEST_SECRET_NAME},
                        {"type": "null"},
                    ]
                },
            },
        },
        {"type": "null"},
    ]
}


class QueuedIn(_Strict):
    """Of a queued call; the same by execute and by headers of the direct path."""

    idempotency_key: str | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_KEY,
        description="Calls of one caller, function and key within 24 hours are one call, also with mode sync",
    )
    callback: Annotated[CallbackIn | None, BeforeValidator(_callback), WithJsonSchema(_CALLBACK_SCHEMA)] = Field(
        None,
        description="Where the outcome is posted, signed: a URL, or a URL and the name of the namespace's secret that signs it",
    )
    not_before: Annotated[float | str | None, PlainValidator(_moment), WithJsonSchema(_MOMENT_SCHEMA)] = Field(
        None, description=f"Not earlier than this time (RFC 3339), or so many seconds from now; at most {MOST_DELAY_S}"
    )
    priority: int = Field(0, ge=0, le=MOST_PRIORITY, description="Higher ones go first")
    order_key: str | None = Field(
        None, min_length=1, max_length=LONGEST_KEY, description="With order fifo-per-key: calls of one key go in order"
    )

    def due(self, now: float, place: str = "/not_before") -> float | None:
        """Seconds since the epoch before which it is not run; None: at once. Raises: Invalid."""
        if self.not_before is None:
            return None
        said = self.not_before
        at = datetime.fromisoformat(said).timestamp() if isinstance(said, str) else now + said
        if at > now + MOST_DELAY_S + 1:
            raise invalid(FieldError(place, f"Is more than {MOST_DELAY_S} seconds from now"))
        return at if at > now else None

    @property
    def posted_to(self) -> Callback | None:
        return Callback(self.callback.url, self.callback.secret) if self.callback is not None else None


class ExecuteIn(QueuedIn):
    function: str = Field(min_length=1, max_length=81, description="ns/name, or name in the caller's own namespace")
    payload: Any = Field(None, description="Any JSON; the function gets it as the body of POST /")
    revision: int | None = Field(None, ge=1, le=MAX_REVISION)
    mode: Literal["sync", "async"] = Field(
        "sync", description="async: answered when the call is stored; GET /invocations/{id} tells what became of it"
    )
    timeout_s: float | None = Field(None, ge=0.1, le=3600, description="Shorter than the function's own, if at all")


def read_execute(document: object) -> ExecuteIn:
    """Raises: Invalid."""
    asked = validate(ExecuteIn, document)
    try:
        FunctionName.parse(asked.function)
    except Invalid as error:
        raise invalid(FieldError("/function", error.message)) from None
    if asked.mode == "sync":
        early = [name for name in ONLY_ASYNC if getattr(asked, name) not in (None, 0)]
        if early:
            raise invalid(*(FieldError(f"/{name}", 'Only with "mode": "async"') for name in early))
    return asked
