"""Fork the loaders of programs from a process that has imported all modules.

The tests load several hundred small files, and two thirds of the processor time of such a load are for importing
libraries. Servers and workers are started as for a user. The worker starts ``python -m openprofiles.worker.loader``,
and ``at_start/sitecustomize.py`` hands its standard streams to a process forked here, which runs the loader's
``main``.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from acceptance.fork_server import ForkServer, fork_for_each, receive_order, send_status, take_over
from chunk_sizes import fix_chunk_size

_AT_START = Path(__file__).with_name("at_start")
# What a loader imports once it knows the engine.
_LATE_MODULES = (
    "openprofiles.store.sqlite_bulk",
    "adbc_driver_sqlite.dbapi",
    "phonenumbers.data.region_US",
)
# In the folder of the process that forks: where the loaders that start wait.
_HOLD = "hold"


class ForkedLoaders:
    """The process that forks. It ends when this process ends, after the loaders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        address = folder / "loaders"
        self._server = ForkServer(address, __name__)
        # For the environment of a server.
        self.variables = {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(_AT_START), os.environ.get("PYTHONPATH", "")))),
            "FORKED_LOADERS": str(address),
        }

    @contextmanager
    def held(self, phase: str, *, rows_per_chunk: int) -> Iterator[None]:
        """Let a load write few rows at a time, and stand still after its first chunk of a phase.

        It goes on at the end of the block. A loader that has started its job before the block does not wait.
        """
        hold = self._folder / _HOLD
        hold.with_suffix(".new").write_text(json.dumps({"phase": phase, "rows_per_chunk": rows_per_chunk}))
        hold.with_suffix(".new").rename(hold)
        try:
            yield
        finally:
            hold.unlink()

    def close(self) -> None:
        """End the process, once the loaders have ended."""
        self._server.close()


def _serve(listener: socket.socket) -> None:
    for name in ("openprofiles.worker.loader", *_LATE_MODULES):
        importlib.import_module(name)
    from openprofiles.bulk.scratch import warm_up
    from openprofiles.worker import loader

    warm_up()
    loader.warm_up = lambda: None  # type: ignore[attr-defined]
    # Otherwise each child would copy what the collector looks at.
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1
    fork_for_each(listener, _become_loader)
    # DuckDB's driver would print which of the frozen objects are left.
    gc.unfreeze()


def _become_loader(connection: socket.socket) -> None:
    """Become the loader, and never return."""
    status = 1
    try:
        received = receive_order(connection)
        assert received is not None, "the program that started this loader ended before it sent its order"
        streams, order = received
        # A loader has no arguments.
        take_over(streams, order["variables"], order["folder"])
        connection.send(str(os.getpid()).encode())
        sys.argv = ["openprofiles.worker.loader"]
        from openprofiles.worker import loader

        loader.open_bulk_store = _holding(loader.open_bulk_store)  # type: ignore[attr-defined]
        status = loader.main()
    except BaseException:  # noqa: BLE001 (an interpreter prints it, whatever it is)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        send_status(connection, status)
        os._exit(status)


def _holding(open_bulk_store: Any) -> Any:
    """Return a function that opens a store whose chunks wait as ``ForkedLoaders.held`` says."""

    def open_store(*arguments: Any) -> Any:
        store = open_bulk_store(*arguments)
        hold = Path(os.environ["FORKED_LOADERS"]).with_name(_HOLD)
        with suppress(FileNotFoundError):
            order = json.loads(hold.read_text())
            fix_chunk_size(order["rows_per_chunk"])
            _hold(store, order["phase"], hold)
        return store

    return open_store


def _hold(store: Any, phase: str, hold: Path) -> None:
    record_progress, chunk = store.record_progress, store.chunk
    phases = [""]

    def note_phase(*, phase: str, **more: Any) -> None:
        record_progress(phase=phase, **more)
        phases.append(phase)

    @contextmanager
    def waiting_chunk() -> Iterator[Any]:
        while phases[-1] == phase and hold.exists():
            time.sleep(0.02)
        with chunk() as state:
            yield state

    store.record_progress, store.chunk = note_phase, waiting_chunk


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as opened:
        _serve(opened)
