"""The log: one line per event, as text or JSON, on standard error.

A customer's data never stands in it. Exceptions are therefore described by their type and place; what they say is
repeated only for our own and those of the operating system and of SQLite, which name columns and files, never values.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

_PLAIN = re.compile(r"[!#-~]+")

# That of this process, once it is set.
_format = "text"

_FREE_OF_VALUES = ("openprofiles.", "pysqlite3.")


def set_up_logs(log_format: Literal["text", "json"] | str) -> None:
    """Send all log lines of this process, including those of libraries, to standard error."""
    global _format
    _format = log_format
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _describe_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        # The exception is text already, so the renderer's own formatter never sees one.
        renderer = structlog.dev.ConsoleRenderer(colors=False, timestamp_key="time", pad_event_to=0)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # They log each step of a migration, each start and end of a server, and where keys and addresses were found.
    # Our own log lines say what matters of this.
    for name in ("alembic", "uvicorn.error", "botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


class RequestLog:
    """Writes the line of a request, in the form of all others but in a twentieth of the time: there is one for each."""

    def __init__(self, logger_name: str) -> None:
        self._logger = logging.getLogger(logger_name)

    def write(self, fields: Mapping[str, str | int | float]) -> None:
        """Write one line. The fields must hold nothing that a caller made up, except a method."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        time = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        name = self._logger.name
        if _format == "json":
            line = json.dumps({**fields, "event": "request", "level": "info", "logger": name, "time": time})
        else:
            told = " ".join([f"{field}={_plain(value)}" for field, value in sorted(fields.items())])
            line = f"{time} [info     ] request [{name}] {told}"
        # Standard error is written line by line. Where it cannot be, the answer has gone out all the same.
        with suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")


def _plain(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def describe_exception(exception: BaseException) -> str:
    """Format a traceback without values of variables and messages of other libraries' exceptions."""
    chain: list[BaseException] = []
    current: BaseException | None = exception
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\ncaused:\n".join(_describe_one(one) for one in reversed(chain))


def _describe_one(exception: BaseException) -> str:
    kind = f"{type(exception).__module__}.{type(exception).__qualname__}"
    if isinstance(exception, OSError):
        said = f": {exception.strerror}"
    elif kind.startswith(_FREE_OF_VALUES):
        said = f": {exception}"
    else:
        said = ""
    lines = "".join(traceback.format_tb(exception.__traceback__)) + kind + said
    if isinstance(exception, BaseExceptionGroup):
        lines += "".join(f"\nwith:\n{describe_exception(part)}" for part in exception.exceptions)
    return lines


def _describe_exc_info(_logger: object, _method: str, event: EventDict) -> EventDict:
    exc_info: ExcInfo | BaseException | bool | None = event.pop("exc_info", None)
    exception: BaseException | None
    match exc_info:
        case BaseException():
            exception = exc_info
        case (_, BaseException() as exception, TracebackType() | None):
            pass
        case True:
            exception = sys.exception()
        case _:
            exception = None
    if exception is not None:
        event["exception"] = describe_exception(exception)
    return event
