"""The settings of every session with a PostgreSQL store, for both drivers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from openprofiles.settings import PostgresqlUrl

COMMON_SESSION: Mapping[str, str] = {
    # Who was suspended within a transaction must not keep a domain to itself.
    "idle_in_transaction_session_timeout": "60s",
    # A host that is gone says nothing; what it held is free again after some twenty seconds.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
}


# The same seen from this side: without these, who waits for the answer of a host that is gone waits for hours.
_CONNECTION = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


def connection_url(url: PostgresqlUrl) -> str:
    """Add the time limits that a URL does not set itself."""
    parts = urlsplit(url.text)
    given = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    ours = [f"{name}={value}" for name, value in _CONNECTION.items() if name not in given]
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, *ours]))))


def session_statement(settings: Mapping[str, str]) -> str:
    """Build one statement that sets all settings, which saves a round trip for each."""
    return "select " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
