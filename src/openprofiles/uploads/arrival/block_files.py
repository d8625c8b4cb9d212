"""Hand bytes in memory to DuckDB's file readers, without a file on the disk."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fsspec import AbstractFileSystem

_PROTOCOL = "openprofiles"


class BlockFiles:
    """Blocks of bytes, readable under a path by the connections of one DuckDB database, in several threads."""

    def __init__(self, connection: Any) -> None:
        self._file_system = _MemoryFileSystem()
        self._numbers = itertools.count(1)
        if connection.filesystem_is_registered(_PROTOCOL):
            connection.unregister_filesystem(_PROTOCOL)
        connection.register_filesystem(self._file_system)

    @contextmanager
    def offer(self, data: bytes) -> Iterator[str]:
        """Yield the path under which the bytes can be read inside the ``with`` block."""
        # A path of its own for each block: DuckDB may remember what it read under an earlier one.
        name = f"block-{next(self._numbers)}"
        self._file_system.blocks[name] = data
        try:
            yield f"{_PROTOCOL}://{name}"
        finally:
            del self._file_system.blocks[name]


class _MemoryFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """As much of a file system as DuckDB asks for: does the path exist, how large is it, open it."""

    protocol = _PROTOCOL
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.blocks: dict[str, bytes] = {}

    def info(self, path: str, **_: object) -> dict[str, object]:
        name = self._strip_protocol(path)
        return {"name": name, "size": len(self.blocks[name]), "type": "file"}

    def glob(self, path: str, **_: object) -> list[str]:
        return [self._strip_protocol(path)]

    def modified(self, _path: str) -> float:
        return 0.0

    def _open(self, path: str, **_: object) -> io.BytesIO:
        return io.BytesIO(self.blocks[self._strip_protocol(path)])
