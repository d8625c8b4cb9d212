"""Expressions mean the same in Python, in the SQL of SQLite and in that of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import budgets
from openprofiles.clock import to_milliseconds
from openprofiles.expressions.evaluate import ProfileValues, holds
from openprofiles.expressions.operators import OPERATORS, Kind
from openprofiles.expressions.tree import (
    Every,
    Expression,
    Field,
    JobRelation,
    Not,
    ProfileTime,
    Some,
    Test,
)
from openprofiles.facts.records import Profile
from openprofiles.ids import new_profile_id
from openprofiles.settings import PostgresqlUrl
from openprofiles.store.connections import Connection, Store
from openprofiles.store.expressions.conditions import Surroundings
from openprofiles.store.expressions.fragments import Sql, sql
from openprofiles.store.postgresql import PostgresqlStore
from openprofiles.store.prepared import written_together
from openprofiles.store.profiles import insert_profile
from openprofiles.store.segment_rows import count_members, read_members
from openprofiles.store.sqlite import SqliteStore
from openprofiles.store.tables import metadata
from postgresql_server import PostgresqlServer

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DOMAIN_ID = 1

NUMBERS = (
    "12", "12.0", "+12", "-12", " 7 ", "\t7\n", "7\u00a0", "1,000", "0x10", "inf", "nan", "-inf", "1e400", "-1e400",
    "1e-400", "-0", "0", "0.0", "0e5", "5.", ".5", ".", "", "+", "-", "1e5", "1E+05", "1e0001", "1_000", "\u0663",
    "9007199254740993", "9007199254740992", "0.1", "12abc", "e5", "true",
)  # fmt: skip
DATES = (
    "2024-10-01", "2024/10/01", "2024-10/01", "2024-10-01T10:00:00Z", "2024-10-01 10:00:00", "2024-10-01T10:00",
    "2024-10-01T10:00Z", "2024-10-01T10:00:00.5Z", "2024-10-01T10:00:00.9999999Z", "2024-10-01T10:00:00.",
    "2024-10-01Z", "2024-10-01T10:00:00+02:00", "2024-10-01T10:00:00-14:00", "2024-10-01T10:00:00+15:00",
    "2024-10-01T10:00:00+02:60", "2024-10-01 01:30:00+02:00", "2024/10/01 10:00:00", "2024/02/30", "2024-02-30",
    "2024-02-29", "2023-02-29", "2024-13-01", "2024-00-10", "2024-10-00", "2024-10-32", "0000-01-01", "0001-01-01",
    "0001-01-01T00:00:00+14:00", "9999-12-31", "9999-12-31T23:59:59-14:00", "2024-10-01T24:00:00Z",
    "2024-10-01T23:60:00Z", "2024-10-01T23:59:60Z", "10/01/2024", "20241001", "1727776800", "1727776800000",
    "17277768000", "now", "12:00", "2024-10-01T10:00:00z", "2024-10-01t10:00:00Z", "2024-10-01T10:00:00Z ",
    " 2024-10-01", "1969-12-31T23:59:59.999Z", "2024-10-01T10", "2024-10-01T1:00:00Z",
)  # fmt: skip
LISTS = (
    '["abc","12"]', '["abc", 12, 1.50, 1e2, true, null]', '["a"', "[]", '[["abc"],{"a":"abc"}]', '["\\u00e9"]',
    '["\\u0000"]', '["\\ud83d\\ude00"]', '["\\ud83d"]', '["a\tb"]', "[NaN]", "[Infinity]", "[1,]", '["abc"] ',
    ' ["abc"]', '["abc"]x', "[-0]", '["true"]', "[0x1]", "['abc']", "[+1]", "[.5]", "[5.]", '["\\x41"]', "[01]",
    "[abc]", '[1e999999,"a"]',
)  # fmt: skip
WORDS = (
    "abc", "ABC", "ab", "c", "%", "_", "a%c", "a_c", "*", "[a]", "'", '"', "\\", "\\\\", "\u00e9", "e\u0301", "\u00df",
    "SS", "\U0001f600", "null", "\u0130", "a b", "?", "{0}", "x",
)  # fmt: skip
TEXTS = (*WORDS, *NUMBERS, *DATES, *LISTS)
NAMES = (
    "plain",
    "a.b",
    'q"n',
    "back\\slash",
    "with blank",
    "\U0001f600",
    "\u00e4rger",
    "$.x",
    "%s",
    "it's",
    "tab\tname",
    "0",
)


def _profile(pid: int, values: dict[str, str], attributes: dict[str, str]) -> Profile:
    return Profile(
        pid=pid,
        domain_id=DOMAIN_ID,
        profile_id=new_profile_id(NOW, pid),
        values=values,
        attributes=attributes,
        created_at=NOW - timedelta(days=pid),
        updated_at=NOW - timedelta(hours=pid),
        expires_at=NOW + timedelta(days=1),
    )


def _profiles() -> list[Profile]:
    made = [_profile(1, {}, {})]
    for number, text in enumerate(TEXTS):
        other = TEXTS[(number * 7 + 3) % len(TEXTS)]
        values = {path: one for path, one in (("AdditionalInformation", text), ("BirthDate", other)) if one}
        if text and number % 3:
            values["GenderString"] = text
        attributes = {NAMES[number % len(NAMES)]: text, "plain": text, "other": other}
        made.append(_profile(len(made) + 1, values, {name: one for name, one in attributes.items() if one}))
    return made


PROFILES = _profiles()


def _insert(store: Store) -> None:
    with store.write() as connection:
        metadata.create_all(connection)
        with written_together(connection) as writes:
            for profile in PROFILES:
                insert_profile(writes, profile)
            # Of another domain, and expired: never members.
            insert_profile(writes, replace(PROFILES[5], pid=10_001, domain_id=2))
            insert_profile(writes, replace(PROFILES[5], pid=10_002, expires_at=NOW))


@pytest.fixture(scope="module")
def stores(postgresql_server: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    """Open a store of each engine with the same profiles."""
    opened: list[Store] = [
        SqliteStore(tmp_path_factory.mktemp("expressions") / "openprofiles.db"),
        PostgresqlStore(PostgresqlUrl(postgresql_server.create_database())),
    ]
    for store in opened:
        _insert(store)
    yield opened
    for store in opened:
        store.close()


JOBS = {"first": range(1, 40), "second": range(30, 60)}


def _no_segment(name: str) -> Expression:
    raise AssertionError(name)


def _values(profile: Profile) -> ProfileValues:
    return ProfileValues(
        texts={**profile.values, **{f"Attributes.{name}": text for name, text in profile.attributes.items()}},
        times={
            ProfileTime.CREATED_AT: to_milliseconds(profile.created_at),
            ProfileTime.UPDATED_AT: to_milliseconds(profile.updated_at),
        },
        now=NOW,
        calculated=lambda _calculated: None,
        segment=_no_segment,
        is_of_job=lambda _relation, job_id: profile.pid in JOBS[job_id],
    )


SURROUNDINGS = Surroundings(
    now=NOW,
    segment=_no_segment,
    calculated_test=lambda _test: Sql("1 = 0"),
    is_of_job=lambda _relation, job_id: sql("p.pid between {0} and {1}", JOBS[job_id][0], JOBS[job_id][-1]),
)
VALUES = {profile.pid: _values(profile) for profile in PROFILES}


def _differences(stores: list[Store], expression: Expression) -> dict[str, list[tuple[int, Any]]]:
    expected = {pid for pid, values in VALUES.items() if holds(expression, values)}
    found = {}
    for store in stores:
        with store.read() as connection:
            members = read_members(
                connection, DOMAIN_ID, expression, SURROUNDINGS, after_pid=0, upto_pid=20_000, limit=1_000
            )
            pids = [pid for pid, _ in members]
            assert count_members(connection, DOMAIN_ID, expression, SURROUNDINGS) == len(pids)
            wrong = expected.symmetric_difference(pids)
            found[connection.dialect.name] = [(pid, VALUES[pid].texts if pid in VALUES else None) for pid in wrong]
    return found


NOTHING: dict[str, list[tuple[int, Any]]] = {"sqlite": [], "postgresql": []}

BOUNDS = ("now", "now-3y", "now-30d/M", "-P2W", "P30D", "now/w")
FIELDS = st.sampled_from(
    [Field(path) for path in ("AdditionalInformation", "BirthDate", "Gender", "MiddleName", "Attributes.other")]
    + [Field(f"Attributes.{name}") for name in NAMES]
)
VALUE_TEXTS = st.sampled_from([text for text in TEXTS if text])


@st.composite
def _field_tests(draw: st.DrawFn) -> Test:
    operator = draw(st.sampled_from(list(OPERATORS.values())))
    values: st.SearchStrategy[Any] = VALUE_TEXTS | FIELDS
    if operator.kind is Kind.DATE:
        values = st.sampled_from(BOUNDS) | values
    if operator.kind is Kind.TEXT:
        values = values | st.sampled_from(["a", "1", "20", "0", "Z", "]", "e"])
    most = 2 if operator.is_range else 4
    return Test(draw(FIELDS), operator, tuple(draw(st.lists(values, min_size=1, max_size=most))))


_TIME_TESTS = st.builds(
    lambda operand, operator, values: Test(operand, operator, tuple(values)),
    st.sampled_from(list(ProfileTime)),
    st.sampled_from([one for one in OPERATORS.values() if one.kind is Kind.DATE]),
    st.lists(st.sampled_from([*BOUNDS, "2026-11-27", "2024-10-01T10:00:00Z"]), min_size=1, max_size=2),
)
_JOB_TESTS = st.builds(
    lambda relation, name, values: Test(relation, OPERATORS[name], tuple(values)),
    st.sampled_from(list(JobRelation)),
    st.sampled_from(["INCLUSIVE", "EXCLUSIVE"]),
    st.lists(st.sampled_from(list(JOBS)), min_size=1, max_size=2),
)
EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    _field_tests() | _TIME_TESTS | _JOB_TESTS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda parts: Every(tuple(parts)))
        | st.lists(inner, max_size=4).map(lambda parts: Some(tuple(parts)))
        | inner.map(Not)
    ),
    max_leaves=8,
)


@budgets.EXPRESSIONS
@given(expression=EXPRESSIONS)
def test_an_expression_has_the_same_members_in_python_and_on_every_engine(
    stores: list[Store], expression: Expression
) -> None:
    assert _differences(stores, expression) == NOTHING


@budgets.LOOKS
@given(one=EXPRESSIONS, other=EXPRESSIONS)
def test_counts_of_combined_expressions_agree_on_every_engine(
    stores: list[Store], one: Expression, other: Expression
) -> None:
    both, either = Every((one, other)), Some((one, other))

    for store in stores:
        with store.read() as connection:

            def count(expression: Expression, connection: Connection = connection) -> int:
                return count_members(connection, DOMAIN_ID, expression, SURROUNDINGS)

            assert count(one) + count(Not(one)) == len(PROFILES)
            assert count(Not(Not(one))) == count(one)
            assert count(either) == count(one) + count(other) - count(both)
            assert count(Not(both)) == count(Some((Not(one), Not(other))))
            assert count(Not(either)) == count(Every((Not(one), Not(other))))


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_with_every_value_has_the_same_members_everywhere(stores: list[Store], name: str) -> None:
    operator = OPERATORS[name]
    for value in [text for text in TEXTS if text]:
        for path in ("Attributes.plain", "AdditionalInformation"):
            values = (value, "9999") if operator.is_range and value < "9" else (value,)
            assert _differences(stores, Test(Field(path), operator, values)) == NOTHING, (path, value)
