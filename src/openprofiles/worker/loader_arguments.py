"""The arguments that a worker passes to its loader, and the loader's exit statuses.

In a module of its own, so that a worker need not import the libraries of the loader.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

EXIT_ENDED = 0
EXIT_FAULT = 1
EXIT_LEASE_LOST = 3
EXIT_PARENT_DIED = 4
EXIT_NO_ROOM = 5
EXIT_UNREACHABLE = 6
EXIT_FILE_MISSING = 7
EXIT_FILE_DAMAGED = 8
EXIT_SCRATCH_NOT_WRITABLE = 9


@dataclass(frozen=True, slots=True)
class LoaderArguments:
    """The arguments of a loader.

    The store may hold a password: the arguments go through a pipe, which nobody else can read.

    Attributes:
        settings: those of its worker, by ``Settings.to_json``.
        yields: whether a long load gives way to other programs, among them a server.
    """

    settings: dict[str, Any]
    yields: bool
    job_number: int
    owner: str
    epoch: int
    kind: str

    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def from_line(line: bytes) -> LoaderArguments:
        return LoaderArguments(**json.loads(line))
