"""The log: one line per event, as text or JSON, on standard error.

It is the standard library's logging, with events instead of texts. A library for that would take a fifth of the time
in which a process starts.

It never contains a customer's data. So an exception is logged by its type and location; its message is logged only if
it comes from us, the operating system or SQLite, whose messages name columns and files, never values.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal, TextIO

_PLAIN = re.compile(r"[!#-~]+")

# That of this process, once it is set.
_format = "text"

_REPEAT_SECONDS = 1.0

_FREE_OF_VALUES = ("openprofiles.", "pysqlite3.")


def set_up_logs(log_format: Literal["text", "json"] | str) -> None:
    """Send all log lines of this process, including those of libraries, to standard error."""
    global _format
    _format = log_format
    handler = _LinesOnce(sys.stderr)
    handler.setFormatter(_JsonLine() if log_format == "json" else _TextLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # They log each step of a migration, each start and end of a server, and where keys and addresses were found.
    # Our own log lines say what matters of this.
    for name in ("alembic", "uvicorn.error", "botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


class EventLogger:
    """Logs events: each has a name and fields."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, event: str, **fields: object) -> None:
        """Log an event of the usual course."""
        self._logger.info({"event": event, **fields})

    def warning(self, event: str, **fields: object) -> None:
        """Log an event that somebody may have to look at."""
        self._logger.warning({"event": event, **fields})

    def error(self, event: str, **fields: object) -> None:
        """Log an error."""
        self._logger.error({"event": event, **fields})

    def exception(self, event: str, exception: BaseException | None = None, **fields: object) -> None:
        """Log an error with an exception, by default the one that is being handled."""
        self._logger.error({"event": event, **fields}, exc_info=exception or True)


def _described(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a log entry, of ours or of a library."""
    fields = dict(record.msg) if isinstance(record.msg, dict) else {"event": record.getMessage()}
    fields |= {"level": record.levelname.lower(), "logger": record.name, "time": _time(record.created)}
    if record.exc_info and record.exc_info[1] is not None:
        fields["exception"] = describe_exception(record.exc_info[1])
    return fields


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_described(record), default=repr)


class _TextLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = _described(record)
        exception = fields.pop("exception", None)
        line = _line(fields.pop("time"), fields.pop("level"), fields.pop("event"), fields.pop("logger"), fields)
        return line if exception is None else f"{line}\n{exception}"


def _line(time: str, level: str, event: str, logger: str, fields: Mapping[str, object]) -> str:
    values = "".join([f" {name}={_plain(value)}" for name, value in sorted(fields.items())])
    return f"{time} [{level:9}] {event} [{logger}]{values}"


class _LinesOnce(logging.StreamHandler[TextIO]):
    """Write a repeated line at most once a second, with the number of times it was left out.

    Otherwise an error that comes with every connection, or with every turn of a loop, would fill the disk.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        # By what is the same in all of them, the oldest first.
        self._recent: dict[Hashable, _Recent] = {}
        self._is_timed = False

    def emit(self, record: logging.LogRecord) -> None:
        self._write_left_out()
        identity = _identity(record)
        recent = self._recent.get(identity)
        if recent is None:
            self._recent[identity] = _Recent(monotonic() + _REPEAT_SECONDS)
            super().emit(record)
            return
        recent.left_out_count += 1
        recent.last = record
        self._set_timer()

    def close(self) -> None:
        with self._locked():
            self._write_left_out(at_end=True)
        super().close()

    def _set_timer(self) -> None:
        if not self._is_timed:
            self._is_timed = True
            timer = threading.Timer(_REPEAT_SECONDS, self._write_in_time)
            timer.daemon = True
            timer.start()

    def _write_in_time(self) -> None:
        with self._locked():
            self._is_timed = False
            self._write_left_out()
            if any(recent.last is not None for recent in self._recent.values()):
                self._set_timer()

    def _write_left_out(self, *, at_end: bool = False) -> None:
        now = monotonic()
        while self._recent:
            identity, recent = next(iter(self._recent.items()))
            if not at_end and recent.until > now:
                return
            del self._recent[identity]
            if recent.last is not None:
                super().emit(_with_count(recent.last, recent.left_out_count))
                if not at_end:
                    self._recent[identity] = _Recent(now + _REPEAT_SECONDS)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


@dataclass(slots=True)
class _Recent:
    until: float
    left_out_count: int = 0
    last: logging.LogRecord | None = None


def _identity(record: logging.LogRecord) -> Hashable:
    """Identify a log entry by everything except its time."""
    if isinstance(record.msg, dict):
        content = repr([(name, value) for name, value in record.msg.items() if name != "time"])
    else:
        content = repr((record.msg, record.args))
    raised = record.exc_info[1] if record.exc_info else None
    trace = raised.__traceback__ if raised is not None else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = (type(raised), trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace is not None else None
    return (record.name, record.levelno, content, place)


def _with_count(record: logging.LogRecord, count: int) -> logging.LogRecord:
    counted = copy(record)
    if isinstance(record.msg, dict):
        counted.msg = record.msg | {"repeated": count}
    else:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            # A library's arguments do not fit its text. Writing the line reports that, where it is written first.
            text = str(record.msg)
        counted.msg, counted.args = f"{text} (repeated {count} times)", None
    return counted


class RequestLog:
    """Writes the line of a request, in the form of all others but in a twentieth of the time: there is one for each."""

    def __init__(self, logger_name: str) -> None:
        self._logger = logging.getLogger(logger_name)

    def write(self, fields: Mapping[str, str | int | float]) -> None:
        """Write one line. The fields must hold nothing that a caller made up, except a method."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        time = _time(datetime.now(UTC).timestamp())
        name = self._logger.name
        if _format == "json":
            line = json.dumps({**fields, "event": "request", "level": "info", "logger": name, "time": time})
        else:
            line = _line(time, "info", "request", name, fields)
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
