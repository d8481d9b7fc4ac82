"""Structured logs to stdout, one JSON line an event."""

from __future__ import annotations

import logging
import sys

import structlog

from provider.ports.work import Log


def open_log(process: str, level: str = "INFO") -> Log:
    """A log whose lines carry `process`. Never hand it a key, a password, a prompt or an answer."""
    number = logging.getLevelNamesMapping()[level]
    logging.basicConfig(stream=sys.stdout, level=max(number, logging.WARNING), format="%(message)s")
    # Alembic tells each step of every start at INFO.
    logging.getLogger("alembic").setLevel(max(number, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(sort_keys=True, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    return Log(structlog.get_logger().bind(process=process).info)
