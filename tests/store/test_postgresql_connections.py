"""How connections to PostgreSQL are set, so that a host that is gone is noticed."""

from __future__ import annotations

import os
import socket

import pytest

from openprofiles.settings import PostgresqlUrl
from openprofiles.store.postgresql import PostgresqlStore
from openprofiles.store.postgresql_session import connection_url
from postgresql_server import PostgresqlServer


def test_a_host_that_no_longer_answers_is_given_up_within_half_a_minute(postgresql_server: PostgresqlServer) -> None:
    store = PostgresqlStore(PostgresqlUrl(postgresql_server.create_database()))
    with store.read() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        with socket.socket(fileno=os.dup(driver.fileno())) as its_socket:
            options = {
                name: its_socket.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
                for name in ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
            }
    store.close()

    assert options == {"TCP_USER_TIMEOUT": 30_000, "TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://u:p@h/db", "postgresql://u:p@h/db?connect_timeout=10&keepalives_idle=10"),
        ("postgresql://u:p@h/db?sslmode=require", "postgresql://u:p@h/db?sslmode=require&connect_timeout=10&keep"),
        ("postgresql://h/db?connect_timeout=3", "postgresql://h/db?connect_timeout=3&keepalives_idle=10"),
    ],
)
def test_what_the_url_says_itself_is_left_as_it_is(given: str, expected: str) -> None:
    assert connection_url(PostgresqlUrl(given)).startswith(expected)
