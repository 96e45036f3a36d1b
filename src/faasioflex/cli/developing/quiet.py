"""What the platform's parts write into their log is not for whoever develops a function: warnings of ours stay."""

from __future__ import annotations

import logging
import sys

import structlog


def without_log() -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
