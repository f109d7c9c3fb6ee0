"""Logs: JSON lines, with everything taken out that could name a person or open a door.

A log line is made of fields that are listed here; a field that is not listed is dropped, so that a
new call site cannot leak by accident. Query strings and bodies are never logged.
"""

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

# What may be said. Opaque identifiers, counts, names of checks and of our own code; no free values.
ALLOWED_FIELDS = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "request_id",
        "method",
        "route",
        "status",
        "seconds",
        "service",
        "agency",
        "party",
        "refusal",
        "error",
        "height",
        "batch",
        "count",
        "worker",
        "version",
        "group",
        "step",
    }
)


def drop_unlisted_fields(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Processor: keep the listed fields only; say how many were dropped, not which values."""
    dropped = [name for name in event if name not in ALLOWED_FIELDS]
    for name in dropped:
        del event[name]
    return event


def set_up_logging(stream: TextIO | None = None) -> None:
    """Send our log, and the warnings of libraries without their details, to `stream`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            drop_unlisted_fields,
            structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_LibraryFormatter())
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)


class _LibraryFormatter(logging.Formatter):
    """Library records without their messages, which hold foreign values."""

    def format(self, record: logging.LogRecord) -> str:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        fields = {
            "event": "library",
            "logger": record.name,
            "level": record.levelname.lower(),
            "error": kind,
            "place": f"{record.module}:{record.lineno}",
        }
        return json.dumps(fields)
