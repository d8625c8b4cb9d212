"""The members of a segment: rows of profiles for which an expression holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection

from openprofiles.clock import LAST_MOMENT_MS, to_milliseconds
from openprofiles.expressions.tree import EVERYBODY, Expression
from openprofiles.store.expressions.conditions import Conditions, EngineTests, Surroundings
from openprofiles.store.expressions.fragments import Sql, joined, sql
from openprofiles.store.expressions.postgresql_tests import PostgresqlTests
from openprofiles.store.expressions.sqlite_tests import SqliteTests

_TESTS: dict[str, type[EngineTests]] = {"sqlite": SqliteTests, "postgresql": PostgresqlTests}


def allow_long_statements(connection: Connection) -> None:
    """Let the statements of this transaction take longer than a request may."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("set local statement_timeout = 0"))


def count_members(connection: Connection, domain_id: int, expression: Expression, surroundings: Surroundings) -> int:
    """Count the unexpired profiles of a domain for which an expression holds."""
    dialect = connection.dialect.name
    if expression == EVERYBODY:
        # An index has the number.
        query = sql("select count(*) from profile p where {0}", _is_living_by_index(domain_id, surroundings.now))
        return _number(connection, query)
    condition = _condition(dialect, expression, surroundings)
    # In one statement, so of one state of the store. Few have expired, and an index finds them. To read the time of
    # each, one of the last columns, takes a quarter of the time of a simple count.
    query = sql(
        "select (select count(*) from profile p where {0} and {1}) - "
        "(select count(*) from profile p where {2} and {1})",
        _of_domain(dialect, domain_id),
        condition,
        _is_expired(domain_id, surroundings.now),
    )
    return _number(connection, query)


def read_members(
    connection: Connection,
    domain_id: int,
    expression: Expression,
    surroundings: Surroundings,
    *,
    after_pid: int,
    upto_pid: int,
    limit: int,
) -> list[tuple[int, str]]:
    """Read the row numbers and ids of members in a range of row numbers, ascending."""
    dialect = connection.dialect.name
    query = sql(
        "select p.pid, p.profile_id from profile p where p.pid > {0} and p.pid <= {1} and {2} order by p.pid limit {3}",
        after_pid,
        upto_pid,
        members_condition(dialect, domain_id, expression, surroundings),
        limit,
    )
    return [(pid, profile_id) for pid, profile_id in _execute(connection, query)]


def read_members_among(
    connection: Connection,
    domain_id: int,
    expression: Expression,
    surroundings: Surroundings,
    pids: Sequence[int] | range,
) -> dict[int, str]:
    """Read the ids of members with these row numbers, by row number."""
    dialect = connection.dialect.name
    if pids and pids[-1] - pids[0] + 1 == len(pids):
        # In the order of the table: a load has created them one after the other.
        is_row = sql("p.pid between {0} and {1}", pids[0], pids[-1])
    else:
        is_row = is_among(dialect, pids)
    query = sql(
        "select p.pid, p.profile_id from profile p where {0} and {1}",
        is_row,
        members_condition(dialect, domain_id, expression, surroundings),
    )
    return dict(_execute(connection, query))


def is_among(dialect: str, pids: Sequence[int]) -> Sql:
    """Build the condition that a row ``p`` has one of these row numbers."""
    if dialect == "sqlite":
        return sql("p.pid in (select value from json_each({0}))", json.dumps(pids))
    return sql("p.pid = any(cast(string_to_array({0}, ',') as bigint[]))", ",".join(map(str, pids)))


def engine_tests(dialect: str) -> EngineTests:
    """Return the tests of an engine."""
    return _TESTS[dialect]()


def members_condition(dialect: str, domain_id: int, expression: Expression, surroundings: Surroundings) -> Sql:
    """Build the condition that a row ``p`` is a member: of the domain, and unexpired."""
    parts = [
        _of_domain(dialect, domain_id),
        _condition(dialect, expression, surroundings),
        _is_living(dialect, surroundings.now),
    ]
    return joined(" and ", parts)


def _condition(dialect: str, expression: Expression, surroundings: Surroundings) -> Sql:
    return joined("", [Conditions(engine_tests(dialect), surroundings).of(expression)])


def _of_domain(dialect: str, domain_id: int) -> Sql:
    # The table is read in its order, not in that of an index on the domain.
    return sql("+p.domain_id = {0}" if dialect == "sqlite" else "p.domain_id = {0}", domain_id)


def _is_living(dialect: str, now: datetime) -> Sql:
    return sql("+p.expires_at > {0}" if dialect == "sqlite" else "p.expires_at > {0}", to_milliseconds(now))


def _is_living_by_index(domain_id: int, now: datetime) -> Sql:
    return sql(
        f"p.domain_id = {{0}} and p.expires_at > {{1}} and p.expires_at < {LAST_MOMENT_MS}",
        domain_id,
        to_milliseconds(now),
    )


def _is_expired(domain_id: int, now: datetime) -> Sql:
    return sql(
        f"p.domain_id = {{0}} and p.expires_at <= {{1}} and p.expires_at < {LAST_MOMENT_MS}",
        domain_id,
        to_milliseconds(now),
    )


def _number(connection: Connection, query: Sql) -> int:
    return int(_execute(connection, query)[0][0])


def _execute(connection: Connection, query: Sql) -> list[tuple[Any, ...]]:
    found = connection.exec_driver_sql(query.of_driver(connection.dialect.name), query.parameters)
    return [tuple(row) for row in found]
