"""SQL segments: which queries are taken, what they become, and that DuckDB computes as Spark does."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

import budgets
from budgets import IS_LONG
from openprofiles.facts.standard_profile import FIELDS
from openprofiles.segments.sql import query_run
from openprofiles.segments.sql.query_check import CheckedQuery, SqlFault, check_query
from openprofiles.segments.sql.query_run import Limits, QueryFailed, require_runs
from openprofiles.segments.sql.tables import MOMENT, PROFILE, PROFILE_ID, SqlTable, snake

NOW = datetime(2026, 12, 1, 12, 30, tzinfo=UTC)
moment = datetime.fromisoformat
OWN = {name: name for name in (PROFILE_ID, "created_at", "updated_at")}
TABLES = [
    SqlTable(
        (PROFILE, "_profile", "profile_standard", "customer_profiles"),
        OWN | {snake(field.path): field.path for field in FIELDS},
        {"created_at": MOMENT, "updated_at": MOMENT},
    ),
    SqlTable(
        ("web_orders", "Web-Orders"),
        {name: name for name in (PROFILE_ID, "updated_at", "total", "Total", "status", "pid", "ordered_at")},
        {"updated_at": MOMENT},
        "Web-Orders",
        1,
    ),
]


def check(query: str) -> CheckedQuery:
    return check_query(query, TABLES, NOW)


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("select profile_id from profile", {"profile": {"profile_id"}}),
        ("SELECT ProfileId FROM Customer_Profiles;", {"profile": {"profile_id"}}),
        (
            "select * from profile where Address.Country = 'US' and birthDate < '1990-01-01'",
            {"profile": {"profile_id", "address_country", "birth_date"}},
        ),
        (
            "select profile_id from profile where attributes['loyalty tier'] = 'gold' or Attributes.vip = 'yes'",
            {"profile": {"profile_id", "Attributes.loyalty tier", "Attributes.vip"}},
        ),
        (
            "select profile_id from profile where attributes['Foo'] = 'a' or attributes['foo'] = 'b'",
            {"profile": {"profile_id", "Attributes.Foo", "Attributes.foo"}},
        ),
        (
            "select profile_id from (select profile_id, attributes['Foo'], status from profile p join web_orders o "
            "on o.profile_id = p.profile_id where pid = '5') x where Foo = 'a' and status = 'paid'".replace(
                "select profile_id, attributes['Foo']", "select p.profile_id, attributes['Foo'] as Foo"
            ),
            {
                "profile": {"profile_id", "Attributes.Foo"},
                "web_orders": {"profile_id", "status", "pid"},
            },
        ),
        (
            "select p.profile_id from profile p join web_orders o on o.profile_id = p.profile_id "
            "group by p.profile_id having sum(o.total) > 100 order by sum(o.total) desc limit 10",
            {"profile": {"profile_id"}, "web_orders": {"profile_id", "total"}},
        ),
        (
            "with spent as (select profile_id, sum(total) as t from `Web-Orders` group by profile_id) "
            "select s.profile_id from spent s where s.T > (select percentile(t, 0.9) from spent)",
            {"web_orders": {"profile_id", "total"}},
        ),
        (
            "select profile_id, c from (select profile_id, count(*) c from web_orders group by 1) where c > 1",
            {"web_orders": {"profile_id"}},
        ),
        (
            "with X as (select profile_id from profile) select profile_id from x",
            {"profile": {"profile_id"}},
        ),
        (
            "select profile_id, sum(total) as total from web_orders group by profile_id having total > 1 order by 1",
            {"web_orders": {"profile_id", "total"}},
        ),
        # A column of the query around it.
        (
            "select profile_id from profile p where exists (select 1 from web_orders o "
            "where o.profile_id = p.profile_id and o.ordered_at > date_sub(current_date(), 60) and first_name = 'Ann')",
            {"profile": {"profile_id", "first_name"}, "web_orders": {"profile_id", "ordered_at"}},
        ),
        (
            "select profile_id from (select profile_id, row_number() over (partition by address_country "
            "order by created_at desc) as n from profile) x where n <= 2",
            {"profile": {"profile_id", "address_country", "created_at"}},
        ),
        (
            "/* all */ select profile_id from profile union select profile_id from web_orders "
            "where status = 'a;b' -- the end",
            {"profile": {"profile_id"}, "web_orders": {"profile_id", "status"}},
        ),
        ("select /*+ BROADCAST(p) */ p.profile_id from profile p", {"profile": {"profile_id"}}),
        (
            "select profile_id from profile where " + " or ".join(["first_name = 'x'"] * 900),
            {"profile": {"profile_id", "first_name"}},
        ),
        (
            f"select profile_id from profile where first_name = '{'x' * 49_000}'",
            {"profile": {"profile_id", "first_name"}},
        ),
    ],
)
def test_a_query_that_reads_tables_of_the_domain_is_taken(query: str, columns: dict[str, set[str]]) -> None:
    found = check(query)

    names = {table.duckdb_name: table.name for table in TABLES}
    assert {names[table]: set(read.values()) for table, read in found.columns.items()} == columns
    assert "BROADCAST" not in found.text
    require_runs(found, TABLES)


def from_profile(condition: str) -> str:
    return f"select profile_id from profile where {condition}"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        # Other statements.
        ("", "Give one query; there are 0 statements."),
        ("drop table profile", "Only SELECT is allowed, and this is DROP."),
        ("select profile_id from profile; drop table profile", "Give one query; there are 2 statements."),
        ("insert into profile values ('a')", "Only SELECT is allowed, and this is INSERT."),
        ("delete from profile", "Only SELECT is allowed, and this is DELETE."),
        ("update profile set first_name = 'x'", "Only SELECT is allowed, and this is UPDATE."),
        ("create table x as select profile_id from profile", "Only SELECT is allowed, and this is CREATE."),
        ("copy profile to '/tmp/x'", "Only SELECT is allowed"),
        ("attach '/tmp/x.db' as x", "Unexpected token"),
        ("set memory_limit = '10TB'", "Only SELECT is allowed, and this is SET."),
        ("pragma database_list", "Only SELECT is allowed"),
        ("install httpfs", "Only SELECT is allowed"),
        ("describe profile", "Only SELECT is allowed, and this is DESCRIBE."),
        ("explain select profile_id from profile", "Only SELECT is allowed"),
        ("show tables", "Only SELECT is allowed"),
        # Files, functions of tables, and other tables.
        ("select profile_id from '/etc/passwd'", "There is no table /etc/passwd."),
        ("select profile_id from read_csv('/etc/passwd')", "The function read_csv is not allowed."),
        ("select profile_id from glob('/*')", "Something is missing, near ')'"),
        ("select profile_id from range(1000000000)", "The function range is not allowed."),
        ("select profile_id from information_schema.tables", "A schema in front of a table is not allowed here."),
        ("select profile_id from duckdb_settings()", "The function duckdb_settings is not allowed."),
        ("select profile_id from sqlite_master", "There is no table sqlite_master."),
        ("select profile_id from pid", "There is no table pid."),
        ("select profile_id from values ('a') as t(profile_id)", "VALUES is not allowed."),
        ("select profile_id from profile, lateral (select 1)", "LATERAL is not allowed."),
        ("select profile_id from profile lateral view explode(attributes) t as k, v", "LATERAL VIEW is not"),
        ("select profile_id from profile tablesample (10 percent)", "TABLESAMPLE is not allowed here."),
        ("with recursive x as (select 1) select profile_id from profile", "WITH RECURSIVE is not allowed."),
        ("select transform(profile_id) using 'cat' from profile", "QUERYTRANSFORM is not allowed."),
        ("select profile_id from profile pivot (count(*) for first_name in ('a'))", "is not allowed"),
        # Functions that read elsewhere, or make much of little.
        (from_profile("read_text('/etc/passwd') = 'x'"), "The function read_text is not allowed. (line 1, column 38)"),
        (from_profile("getenv('HOME') = 'x'"), "The function getenv is not allowed."),
        (from_profile("current_setting('x') = 'x'"), "The function current_setting is not allowed."),
        (from_profile("repeat('x', 1000000000) = 'x'"), "The function repeat is not allowed."),
        (from_profile("lpad('x', 1000000000, 'y') = 'x'"), "is not allowed"),
        (from_profile("rpad('x', 1000000000, 'y') = 'x'"), "is not allowed"),
        (from_profile("space(1000000000) = 'x'"), "is not allowed"),
        (from_profile("size(sequence(1, 1000000000)) > 1"), "is not allowed"),
        (from_profile("reflect('java.lang.Runtime', 'exec') = 'x'"), "The function reflect is not allowed."),
        (from_profile("java_method('java.lang.Runtime', 'exec') = 'x'"), "The function java_method is not allowed."),
        (from_profile("size(collect_list(first_name)) > 1"), "is not allowed"),
        (from_profile("exists(array(1), x -> x > 0)"), "is not allowed"),
        # Columns.
        ("select frist_name from profile", "no column frist_name. Did you mean 'first_name'? (line 1, column 8)"),
        (from_profile("atributes['x'] = 'y'"), "There is no column atributes. Did you mean 'attributes'?"),
        ("select first_name from profile", "of the members; it has 0. (line 1, column 8)"),
        ("select profile_id, profile_id from profile", "one column profile_id, the ids of the members; it has 2."),
        ("select * from profile p join web_orders o on p.profile_id = o.profile_id", "Name the columns here"),
        (
            "select p.profile_id, o.profile_id from profile p join web_orders o on p.profile_id = o.profile_id",
            "one column profile_id, the ids of the members; it has 2. (line 1, column 10)",
        ),
        ("select profile_id from (select * from profile) x", "Name the columns here instead of writing *."),
        ("select a.profile_id from profile a, profile b where first_name = 'x'", "is in several tables: a, b."),
        (from_profile("attributes[first_name] = 'x'"), "Name one attribute: attributes['name']."),
        (from_profile("pid = 1"), "There is no column pid."),
        ("select profile_id from profile limit (select 1)", "LIMIT and OFFSET take a whole number."),
        ("select profile_id from profile limit 99999999999999999999", "LIMIT and OFFSET take a whole number."),
        ("select p.profile_id from profile p join web_orders o using (pid)", "USING (write ON instead) is not allowed"),
        ("select p.profile_id from profile p natural join web_orders o", "NATURAL (write ON instead) is not allowed"),
        ("select p.profile_id from profile p left semi join web_orders o on true", "SEMI JOIN is not allowed."),
        (from_profile("first_name[0] = 'x'"), "Only attributes['name'] can have brackets."),
        (from_profile("cast(first_name as array<int>) is null"), "The type ARRAY<INT> is not allowed."),
        (from_profile("date_trunc(first_name, birth_date) = 1"), "Write one of these units: YEAR,"),
        (from_profile("extract(dow from birth_date) = 1"), "Write one of these units: YEAR,"),
        ("select profile_id from profile\nwhere frist_name = 'x'", "(line 2, column 7)"),
        ("select p.profile_id from profile p, profile p", "Alias already used: p."),
        (from_profile("datediff() > 1"), "a function may lack an argument"),
        ("select profile_id from web_orders where TOTAL = '5'", "TOTAL may mean Total or total."),
        ("with PROFILE as (select 1 as profile_id) select profile_id from profile", "The name PROFILE is taken"),
        ("with x(a) as (select profile_id from profile) select a as profile_id from x", "A list of columns"),
        (from_profile("months_between(" * 8 + "birth_date" + ",birth_date)" * 8 + " = 1"), "is not allowed"),
        (from_profile("substring('a', substring('a', 1, 1), 1) = 'a'"), "SUBSTRING is not allowed in"),
        # Size and depth.
        (from_profile(f"first_name = '{'x' * 50_000}'"), "characters; at most 50,000 are allowed."),
        (from_profile("(" * 2_000 + "1 = 1" + ")" * 2_000), "nested too deeply"),
        (from_profile(" or ".join(["first_name = 'x'"] * 1_200)), "more than 5,000 elements"),
        ("select p0.profile_id from profile p0" + "".join(f", profile p{n}" for n in range(1, 14)), "13 joins; at"),
        (from_profile("first_name = 'x"), "a quote or a comment may not be closed."),
        ("select profile_id from profile where (", "SegmentSqlQuery: "),
    ],
)  # fmt: skip
def test_everything_else_is_refused_with_its_place(query: str, message: str) -> None:
    with pytest.raises(SqlFault) as caught:
        check(query)

    assert message in str(caught.value)


def test_what_only_duckdb_knows_is_refused_before_the_query_runs() -> None:
    query = check("select profile_id from profile group by first_name")

    with pytest.raises(QueryFailed, match="must appear in the GROUP BY clause"):
        require_runs(query, TABLES)


# Computed by hand, by the documentation of Spark. The profile of the test has these values.
ROW = {
    "first_name": "abc",
    "last_name": "7",
    "birth_date": "2024-03-05",
    "Attributes.n": "12.5",
    "Attributes.bad": "x1",
    "Attributes.when": "2024-03-05T10:20:30Z",
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("last_name + 1", 8.0),
        ("attributes['n'] * 2", 25.0),
        ("attributes['bad'] + 1", None),
        ("attributes['n'] > 3", True),
        ("last_name > 12", False),
        ("attributes['bad'] > 3", None),
        ("attributes['n'] between 12 and 13", True),
        ("last_name in (7, 8)", True),
        ("7 / 0", None),
        ("7 div 2", 3),
        ("7.5 div 2", 3),
        ("cast('12.7' as int)", 12),
        ("cast(-12.7 as int)", -12),
        ("coalesce(attributes['bad'], 0) + coalesce(middle_name, 0)", None),
        ("coalesce(middle_name, 0) + 1", 1.0),
        ("sum(case when first_name = 'abc' then attributes['n'] else 0 end) over ()", 12.5),
        ("greatest(last_name, 5)", "7"),
        ("nullif(last_name, 7)", None),
        ("'a%b' like 'a\\%%'", True),
        ("'axb' like 'a\\%%'", False),
        ("attributes['bad'] = true", None),
        ("-7 % 3", -1),
        ("cast('12x' as int)", None),
        ("cast('12' as int) + 1", 13),
        ("cast(attributes['n'] as decimal(10, 1))", Decimal("12.5")),
        ("not attributes['bad']", None),
        ("if(attributes['bad'], 1, 2)", 2),
        ("attributes['bad'] or true", True),
        ("substring(first_name, attributes['bad'], 1)", None),
        ("left(first_name, last_name)", "abc"),
        ("date_add(birth_date, last_name)", moment("2024-03-12 00:00:00")),
        ("coalesce(middle_name, first_name)", "abc"),
        ("nvl(middle_name, 'x')", "x"),
        ("nvl2(middle_name, 1, 2)", 2),
        ("if(first_name = 'abc', 1, 2)", 1),
        ("isnull(middle_name)", True),
        ("isnotnull(middle_name)", False),
        ("greatest(1, 3, 2)", 3),
        ("round(2.5)", 3),
        ("substring(first_name, 2, 1)", "b"),
        ("concat(first_name, '-', last_name)", "abc-7"),
        ("concat(first_name, middle_name)", None),
        ("concat_ws('-', first_name, middle_name, last_name)", "abc-7"),
        ("instr(first_name, 'c')", 3),
        ("locate('b', first_name)", 2),
        ("startswith(first_name, 'ab')", True),
        ("endswith(first_name, 'bc')", True),
        ("first_name like 'a_c'", True),
        ("first_name rlike 'b'", True),
        ("regexp_extract(first_name, '(b)(c)', 2)", "c"),
        ("regexp_replace(first_name, '[ab]', 'x')", "xxc"),
        ("length(first_name)", 3),
        ("translate(first_name, 'ab', 'xy')", "xyc"),
        ("current_date()", date(2026, 12, 1)),
        ("now()", moment("2026-12-01 12:30:00")),
        ("current_timestamp()", moment("2026-12-01 12:30:00")),
        ("datediff(current_date(), birth_date)", 1001),
        ("datediff(birth_date, '2024-03-01')", 4),
        ("birth_date < current_date()", True),
        ("date_add(birth_date, 30)", moment("2024-04-04 00:00:00")),
        ("date_sub('2024-03-01', 1)", moment("2024-02-29 00:00:00")),
        ("date_sub(current_date(), 60)", moment("2026-10-02 00:00:00")),
        ("add_months('2024-01-31', 1)", moment("2024-02-29 00:00:00")),
        ("to_date('03/05/2024', 'MM/dd/yyyy')", date(2024, 3, 5)),
        ("to_date(attributes['bad'], 'MM/dd/yyyy')", None),
        ("to_date(attributes['bad'])", None),
        ("year(birth_date)", 2024),
        ("month(birth_date)", 3),
        ("dayofmonth(birth_date)", 5),
        # A Tuesday; Sunday is 1.
        ("dayofweek(birth_date)", 3),
        ("quarter(birth_date)", 1),
        ("hour(attributes['when'])", 10),
        ("date_trunc('month', birth_date)", moment("2024-03-01 00:00:00")),
        ("last_day(birth_date)", date(2024, 3, 31)),
        ("birth_date + interval 3 days", moment("2024-03-08 00:00:00")),
        ("date_format(birth_date, 'yyyy-MM')", "2024-03"),
        ("extract(year from birth_date)", 2024),
        ("date '2024-01-02'", date(2024, 1, 2)),
        ("timestamp '2024-01-02 03:04:05'", moment("2024-01-02 03:04:05")),
        ("case when last_name > 6 then 'a' else 'b' end", "a"),
        ("sum(last_name) over ()", 7.0),
        ("rank() over (order by birth_date)", 1),
    ],
)  # fmt: skip
def test_duckdb_computes_as_spark_does(expression: str, expected: Any) -> None:
    query = check(f"select profile_id, {expression} as v from profile")

    assert run_here(query, [ROW]) == [expected]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("count(*)", 4),
        ("percentile_approx(last_name, 0.8)", 5.0),
        ("count(distinct last_name)", 3),
        ("sum(last_name)", 10.0),
        ("avg(last_name)", 2.5),
        ("min(last_name)", "1"),
        ("percentile(last_name, 0.5)", 2.0),
        ("percentile(last_name, 0.25)", 1.75),
        ("percentile(last_name, 0.9)", 4.1),
        ("stddev_pop(last_name)", 1.5),
        ("max_by(first_name, last_name)", "d"),
        ("count_if(last_name > 1)", 3),
    ],
)
def test_duckdb_aggregates_as_spark_does(expression: str, expected: Any) -> None:
    rows = [{"first_name": name, "last_name": number} for name, number in zip("abcd", "1225", strict=True)]
    query = check(f"select max(profile_id) as profile_id, {expression} as v from profile")

    assert run_here(query, rows) == [pytest.approx(expected) if isinstance(expected, float) else expected]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("row_number() over (order by last_name desc, first_name)", [4, 2, 3, 1]),
        ("rank() over (order by last_name + 0)", [1, 2, 2, 4]),
        ("dense_rank() over (order by last_name + 0)", [1, 2, 2, 3]),
        ("sum(last_name) over (order by first_name)", [1, 3, 5, 10]),
        ("sum(last_name) over (partition by birth_date)", [3, 3, 7, 7]),
        ("count(*) over (partition by last_name)", [1, 2, 2, 1]),
        ("lag(first_name) over (order by first_name)", [None, "a", "b", "c"]),
        ("lead(first_name) over (partition by birth_date order by first_name)", ["b", None, "d", None]),
        ("first_value(first_name) over (partition by birth_date order by first_name desc)", ["b", "b", "d", "d"]),
        (
            "avg(last_name) over (order by first_name rows between 1 preceding and current row)",
            [1.0, 1.5, 2.0, 3.5],
        ),
    ],
)
def test_duckdb_computes_windows_as_spark_does(expression: str, expected: list[Any]) -> None:
    days = ("2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02")
    rows = [
        {"first_name": name, "last_name": number, "birth_date": day}
        for name, number, day in zip("abcd", "1225", days, strict=True)
    ]
    query = check(
        f"select profile_id, v from (select profile_id, first_name, {expression} as v from profile) order by first_name"
    )

    assert run_here(query, rows) == expected


def test_a_query_may_have_fifty_thousand_characters() -> None:
    longest = from_profile("first_name = 'x'").ljust(50_000)

    assert check(longest).id_column == "profile_id"
    with pytest.raises(SqlFault, match=r"has 50,001 characters; at most 50,000 are allowed"):
        check(longest + " ")


def run_here(query: CheckedQuery, rows: list[dict[str, str]]) -> list[Any]:
    """Run a query in this process, as its text is; return its last column."""
    connection = duckdb.connect()
    names = query.columns["t0"]
    connection.execute(f"create table t0 ({', '.join(f'{query_run._quoted(name)} varchar' for name in names)})")
    for number, row in enumerate(rows):
        values = [str(number) if source == PROFILE_ID else row.get(source) for source in names.values()]
        connection.execute(f"insert into t0 values ({', '.join('?' * len(names))})", values)
    return [row[-1] for row in connection.execute(query.text).fetchall()]


def made_database(folder: Path, rows: int) -> None:
    connection = duckdb.connect(str(folder / "tables.duckdb"))
    connection.execute(
        f"create table profile as select i as pid, cast(i as varchar) as profile_id, 'x' as first_name "
        f"from range({rows}) t(i)"
    )
    connection.close()


@pytest.mark.parametrize(
    ("query", "limits", "message"),
    [
        (
            "select count(*) from profile a, profile b, profile c, profile d, profile e",
            Limits(seconds=1),
            "The query took more than 1 seconds.",
        ),
        (
            "select length(replace(repeat('x', 300000000), 'x', 'yyyyyyyy'))",
            Limits(memory_bytes=400_000_000, seconds=30),
            "The query needed more than 0.4 GB of memory.",
        ),
    ],
)
def test_a_query_that_takes_too_much_is_ended(tmp_path: Path, query: str, limits: Limits, message: str) -> None:
    """As if the check had let it through."""
    made_database(tmp_path, 10_000)

    with pytest.raises(QueryFailed, match=message.replace(".", r"\.")):
        query_run._run(tmp_path, query, empty_tables=None, limits=limits)


ATTACKS = [
    "select * from read_text('/etc/passwd')",
    "select * from read_csv('/etc/passwd')",
    "select * from '/etc/passwd'",
    "select * from glob('/etc/*')",
    "copy profile to '/tmp/openprofiles-escaped.csv'",
    "attach '/tmp/openprofiles-escaped.db' as x",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "reset lock_configuration",
    "pragma memory_limit = '10TB'",
    "select * from request",
    "create table x as select 1",
    "insert into profile values (1, 'a', 'b')",
    "export database '/tmp/openprofiles-escaped'",
    "import database '/tmp'",
    "select getenv('PATH')",
    "checkpoint; select 1 from read_blob('/etc/passwd')",
]


# Each takes a process.
@pytest.mark.parametrize("query", ATTACKS if IS_LONG else ATTACKS[::3])
def test_the_process_of_a_query_reads_and_writes_nothing_else(tmp_path: Path, query: str) -> None:
    """As if the check had let it through."""
    made_database(tmp_path, 1)

    with pytest.raises(QueryFailed):
        query_run._run(tmp_path, query, empty_tables=None, limits=Limits(seconds=10))
    assert not list(Path("/tmp").glob("openprofiles-escaped*"))  # noqa: S108 (where the attacks write)


WORDS = (
    *("select", "profile_id", "from", "profile", "where", "and", "or", "not", "(", ")", ",", "*", "=", "<", "+", "-"),
    *("web_orders", "o", "p", ".", "first_name", "attributes", "['tier']", "[", "]", "'x'", "1", "null", "as", "join"),
    *("on", "group by", "having", "order by", "limit", "union", "with", "t", "case", "when", "then", "else", "end"),
    *("in", "between", "like", "is", "exists", "count", "sum", "max", "over", "partition by", "cast", "int", "date"),
    *("interval", "days", "current_date", "datediff", "substring", "left", "values", ";", "--", "/*", '"', "`", "é"),
    *("lateral view", "explode", "tablesample", "for update", "into", "distinct", "all", "using", "natural", "cross"),
)  # fmt: skip
# So that some get as far as names and types.
PHRASES = (
    "select profile_id from profile where",
    "select p.profile_id from profile p join web_orders o on o.profile_id = p.profile_id",
    "with t as (select profile_id, total from web_orders) select profile_id from t",
    "select profile_id, count(*) as c from web_orders group by profile_id having",
)


@budgets.QUERIES
@given(
    start=st.sampled_from(("", *PHRASES)),
    words=st.lists(st.sampled_from((*WORDS, *PHRASES)), max_size=12),
)
def test_any_text_is_a_query_or_refused(start: str, words: list[str]) -> None:
    """Only a refusal is raised: no request may get a 5xx."""
    with suppress(SqlFault):
        check(" ".join((start, *words)))
