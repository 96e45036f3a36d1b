"""What functions may import: ``from ffx_runtime import Response``."""

from ffx_runtime.cloudevent import CloudEvent
from ffx_runtime.context import Cancelled, Context
from ffx_runtime.event import BadRequest, Event, Headers
from ffx_runtime.response import Response

__all__ = ["BadRequest", "Cancelled", "CloudEvent", "Context", "Event", "Headers", "Response"]
