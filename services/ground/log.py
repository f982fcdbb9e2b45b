"""Logging: one line an event, a verb with fields, ids only. JSON for machines, coloured lines on a terminal."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

from services.ground.settings import Settings


def configure_logging(settings: Settings) -> None:
    """Send our events, and the libraries' own log lines, to standard error in one format."""
    on_terminal = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def logger(service: str) -> structlog.stdlib.BoundLogger:
    """A logger that puts the service's name on each line."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(service=service)
    return bound
