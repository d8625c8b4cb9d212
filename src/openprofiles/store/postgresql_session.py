"""How every session with a PostgreSQL store is set, whichever driver opens it."""

from __future__ import annotations

from collections.abc import Mapping

COMMON_SESSION: Mapping[str, str] = {
    # Who was suspended within a transaction must not keep a domain to itself.
    "idle_in_transaction_session_timeout": "60s",
    # A host that is gone says nothing; what it held is free again after some twenty seconds.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
}


def session_statement(settings: Mapping[str, str]) -> str:
    """One statement that sets them all: each of its own would be a journey to the server."""
    return "select " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
