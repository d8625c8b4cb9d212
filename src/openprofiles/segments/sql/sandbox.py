"""The process that runs the query of an SQL segment: it has no store, no keys and an empty environment.

It is started as a program, reads one line of JSON from its standard input (the path of a DuckDB file, the query and the
limits), and writes the row numbers of the members, eight bytes each. It imports nothing else of openprofiles. The
process that started it watches its memory, since DuckDB's own limit does not hold for everything.
"""

from __future__ import annotations

import ctypes
import json
import resource
import signal
import sys
from typing import Any

import duckdb

from openprofiles.segments.sql import sandbox_exits

_ROWS_AT_ONCE = 100_000
_PR_SET_PDEATHSIG = 1


def main() -> int:
    _end_with_parent()
    request = json.loads(sys.stdin.readline())
    try:
        _answer(request)
    except duckdb.OutOfMemoryException:
        return sandbox_exits.NO_MEMORY
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
        # It names parts of the query, no values.
        sys.stderr.write(str(error).splitlines()[0])
        return sandbox_exits.NOT_VALID
    except Exception as error:  # noqa: BLE001 (nothing is hidden: the status says that it failed)
        # Its message may have values of customers.
        sys.stderr.write(type(error).__name__)
        return sandbox_exits.FAULT
    sys.stdout.flush()
    return sandbox_exits.DONE


def _end_with_parent() -> None:
    """Have the kernel end this process with the one that watches it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl failed")


def _answer(request: dict[str, Any]) -> None:
    seconds, empty_tables = request["seconds"], request["empty_tables"]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (request["spill_bytes"], request["spill_bytes"]))
    connection = duckdb.connect(
        request["database"],
        read_only=empty_tables is None,
        config={
            "threads": 1,
            "memory_limit": f"{request['memory_bytes']}B",
            "temp_directory": request["spill_folder"],
            "max_temp_directory_size": f"{request['spill_bytes']}B",
            "python_enable_replacements": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    for statement in empty_tables or ():
        connection.execute(statement)
    connection.execute("set timezone = 'UTC'")
    # Of this process; the query has no way to name either.
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    if empty_tables is not None:
        connection.execute(f"explain {request['query']}").fetchall()
        return
    result = connection.execute(request["query"])
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        sys.stdout.buffer.write(b"".join(number.to_bytes(8, "little") for (number,) in rows))


if __name__ == "__main__":
    sys.exit(main())
