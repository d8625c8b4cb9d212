"""What a loader remembers of its job for the next one: small numbers by name, in a file next to the scratch database.

Each is a line of a file that only grows. To append one takes 1 us of processor time, and a statement in DuckDB 400 us
and a wait for the disk; a small load remembers some twenty.
"""

from __future__ import annotations

import os
from pathlib import Path

_FILE_NAME = "facts"


class ScratchFacts:
    """The numbers that are remembered. May be used from several threads.

    A process that is killed while it writes leaves part of a line; that number counts as not written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE_NAME
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            os.ftruncate(self._file, len(whole))
        # The last line of a name counts.
        self._numbers = dict(_read_line(line) for line in whole.decode().splitlines())

    def remember(self, name: str, number: int) -> None:
        """Keep a number for a loader that continues where this one stopped.

        Raises:
            OSError: the disk is full.
        """
        line = f"{number} {name}\n".encode()
        if (written := os.write(self._file, line)) < len(line):
            # There was room for a part of it. To write the rest says what is wrong.
            os.write(self._file, line[written:])
        self._numbers[name] = number

    def recall(self, name: str) -> int | None:
        """Return the number that was kept under this name, if any."""
        return self._numbers.get(name)

    def close(self) -> None:
        os.close(self._file)


def _read_line(line: str) -> tuple[str, int]:
    number, _, name = line.partition(" ")
    return name, int(number)
