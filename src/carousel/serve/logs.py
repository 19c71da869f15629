"""Logs as lines of JSON on standard error, an object in each: notices, defects, requests."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from carousel.terminal import logger

_FACTS = "facts"


class JsonLines(logging.Handler):
    """Writes records as objects: "time" (UTC), "level", "message", "process", and the record's
    facts; of an exception, "trace". What clients send stays within its line.

    >>> given = {"msg": "a request", "levelname": "INFO", "facts": {"status": 200}}
    >>> told = json.loads(JsonLines().format(logging.makeLogRecord(given)))
    >>> told["message"], told["level"], told["status"]
    ('a request', 'info', 200)
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "process": os.getpid(),
            **getattr(record, _FACTS, {}),
        }
        if record.exc_info:
            told["trace"] = logging.Formatter().formatException(record.exc_info)
        return json.dumps(told)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record at once."""
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:  # as every handler: a log that cannot be written ends nothing
            self.handleError(record)


def begin() -> None:
    """Log this way from now on, requests too, unless only errors are asked for."""
    quiet = logger.level >= logging.ERROR
    for name, level in (("carousel", logging.INFO), ("uvicorn", logging.WARNING)):
        one = logging.getLogger(name)
        one.handlers, one.propagate = [JsonLines()], False
        one.setLevel(logging.ERROR if quiet else level)


def note(message: str, **facts: Any) -> None:
    """Log what happened, with facts."""
    logger.info(message, extra={_FACTS: facts})
