"""How the process that runs the query of an SQL segment ends: its exit statuses."""

from __future__ import annotations

DONE = 0
NOT_VALID = 3
NO_MEMORY = 4
FAULT = 5
