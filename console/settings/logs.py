"""Structured logs: one line an event, with the request's or the operation's id on it."""

from __future__ import annotations

import os
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
]
_RENDERER: Any = (
    structlog.processors.JSONRenderer()
    if os.environ.get("EVENKEEL_LOG_FORMAT") == "json"
    else structlog.dev.ConsoleRenderer(
        colors=False,
        pad_event_to=0,
        # Never the pretty ones: they print local variables, and those hold secrets.
        exception_formatter=structlog.dev.plain_traceback,
    )
)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _RENDERER],
            "foreign_pre_chain": _SHARED,
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("EVENKEEL_LOG_LEVEL", "INFO")},
    "loggers": {
        "paramiko": {"level": "CRITICAL"},
        "axes": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING"},
        "django_structlog": {"level": "WARNING"},
    },
}


def configure_structlog() -> None:
    """Send structlog through the standard library, so that there is one stream."""
    structlog.configure(
        processors=[
            *_SHARED,
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
