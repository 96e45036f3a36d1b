"""The launcher's own log: JSON lines on stderr, as structlog writes them elsewhere, without loading it."""

from __future__ import annotations

import json
import logging
import sys
import time

log = logging.getLogger("faasioflex.launcher")
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        content = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _KNOWN},
        }
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return json.dumps(content, default=str)


def set_up() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
