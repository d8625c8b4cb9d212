"""Measure segments on a million profiles: counts, exports, SQL, membership over HTTP, and calculated attributes.

Also what subscriptions cost in addition to a load.

Processor seconds of the process; on PostgreSQL those of the connection's process for counts, and both for exports.
"""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import text

from acceptance.running import RunningServer, running_server, wait_until
from openprofiles.calculated.definitions import get_calculated, list_calculated
from openprofiles.calculated.profile_values import calculate_for, calculate_for_all
from openprofiles.clock import utc_now
from openprofiles.expressions.operators import OPERATORS
from openprofiles.expressions.tree import EVERYBODY, Every, Expression, Field, Some, Test
from openprofiles.objects import objects, type_definitions
from openprofiles.profiles.domains import create_domain
from openprofiles.profiles.session import Reading, reading, writing
from openprofiles.segments.exports.files import write_csv, write_json_lines, write_orc
from openprofiles.segments.sql.query_check import check_query
from openprofiles.segments.sql.query_run import QueryTables
from openprofiles.segments.sql.tables import list_tables
from openprofiles.settings import PostgresqlUrl, Settings
from openprofiles.store.connections import Connection, Store
from openprofiles.store.domains import read_domain
from openprofiles.store.export_rows import ConnectionRows, open_sqlite_rows
from openprofiles.store.expressions.conditions import Surroundings
from openprofiles.store.expressions.fragments import Sql
from openprofiles.store.open import open_store
from openprofiles.store.postgresql import PostgresqlStore
from openprofiles.store.segment_export import SegmentExport
from openprofiles.store.segment_rows import count_members, members_condition
from openprofiles.store.sqlite import SqliteStore
from postgresql_server import PostgresqlServer
from processor_time import processor_seconds

ROWS = 1_000_000
_ROUNDS = 3
_MEMBERSHIPS = 300
# Each makes a standard object, and a profile has at most 1,000 objects.
_ORDERS_OF_ONE = 500
_PROFILES_WITH_ORDERS, _ORDERS_EACH = 5_000, 20
_FOLLOWED_ROWS = 200_000
_SUBSCRIPTIONS = 10
_SQL_QUERIES = {
    "two columns": ("select profile_id from profile where address_country = 'US' and gender_string = 'FEMALE'", "1.5"),
    "an attribute, a date and an average": (
        "select profile_id from profile where attributes['ltv'] > (select avg(attributes['ltv']) from profile) "
        "and datediff(current_date(), birth_date) > 365 * 60",
        "",
    ),
}
_ADDRESS = ("Address1", "City", "State", "Country", "PostalCode", "County", "Province")
_SCALARS = (
    "AccountNumber", "PartyTypeString", "BusinessName", "FirstName", "MiddleName", "LastName", "BirthDate",
    "GenderString", "PhoneNumber", "MobilePhoneNumber", "HomePhoneNumber", "BusinessPhoneNumber", "EmailAddress",
    "PersonalEmailAddress", "BusinessEmailAddress", "AdditionalInformation",
)  # fmt: skip
_ATTRIBUTES = ("tier", "ltv", "last_purchase", "segment", "score", "channel", "visits", "rare")


def measure_table() -> str:
    """Measure everything; return the tables of benchmarks/README.md."""
    server = PostgresqlServer(("fsync=on", "shared_buffers=512MB", "max_wal_size=4GB"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            file = _make_file(folder / "customers.csv")
            url = server.create_database()
            for more in ((), ("--store", url)):
                arguments = (
                    "--data",
                    str(folder / "data"),
                    "--domain",
                    "shop",
                    "--unique-key",
                    "AccountNumber",
                    "--yes",
                )
                command = [sys.executable, "-m", "openprofiles", "import", str(file), *arguments, *more]
                subprocess.run(command, check=True, capture_output=True)
            few = _first_rows(file, folder / "few.csv")
            file.unlink()
            stores: dict[str, Store] = {
                "SQLite": SqliteStore(folder / "data" / "openprofiles.db"),
                "PostgreSQL": PostgresqlStore(PostgresqlUrl(url)),
            }
            with stores["PostgreSQL"].write() as connection:
                connection.execute(text("analyze profile"))
            counts = _measure_counts(stores)
            exports = _measure_exports(stores, folder / "data" / "openprofiles.db", folder / "exports")
            for store in stores.values():
                store.close()
            by_sql = _measure_sql(folder / "data" / "openprofiles.db", folder / "sql")
            membership = _measure_membership(folder / "data")
            followed = _measure_following(few, folder)
            calculated = _measure_calculated(folder / "objects")
            return "\n\n".join((counts, exports, by_sql, membership, followed, calculated))
        finally:
            server.close()


def _make_file(path: Path) -> Path:
    """Write customers with 30 columns and 8 attributes, the same on every machine."""
    draw = random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        addresses = [f"{address}.{member}" for address in ("Address", "ShippingAddress") for member in _ADDRESS]
        writer.writerow([*_SCALARS, *addresses, *_ATTRIBUTES])
        for row in range(ROWS):
            day = f"20{draw.randrange(15, 27)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"
            places = [
                value
                for _ in range(2)
                for value in (
                    f"{row % 9000} Main Street", draw.choice(("Chicago", "Berlin", "Paris", "Oslo", "Austin")),
                    draw.choice(("IL", "NY", "CA", "TX")), draw.choice(("US", "US", "US", "CA", "DE", "FR")),
                    str(draw.randrange(10_000, 99_999)), f"County {row % 90}", f"Prov {row % 30}",
                )
            ]  # fmt: skip
            writer.writerow(
                [
                    f"C{row:08}", draw.choice(("INDIVIDUAL", "BUSINESS")), f"Firm {row % 5000}",
                    draw.choice(("Anna", "Bob", "Cleo", "Dan")) + str(row % 1009), "M",
                    draw.choice(("Smith", "Jones", "Lee")) + str(row % 1013),
                    f"19{draw.randrange(40, 99)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}",
                    draw.choice(("MALE", "FEMALE")), *(f"+1{code}{2_000_000 + row}" for code in (202, 303, 404, 505)),
                    f"c{row}@example.com", f"p{row}@example.org", f"b{row}@example.net", f"note {row % 100}", *places,
                    draw.choice(("gold", "silver", "bronze", "basic")), f"{draw.random() * 5000:.2f}",
                    f"{day}T{draw.randrange(24):02}:00:00Z" if row % 2 else day, draw.choice("abcdefgh"),
                    str(draw.randrange(100)), draw.choice(("web", "shop", "phone")), str(draw.randrange(40)),
                    "jackpot" if row % 1000 == 0 else "no",
                ]
            )  # fmt: skip
    return path


def _test(path: str, name: str, *values: str) -> Test:
    return Test(Field(path), OPERATORS[name], values)


_STANDARD = (
    _test("Address.Country", "INCLUSIVE", "US", "CA"), _test("GenderString", "INCLUSIVE", "FEMALE"),
    _test("Address.City", "EXCLUSIVE", "Oslo"), _test("PartyTypeString", "INCLUSIVE", "INDIVIDUAL"),
    _test("Address.State", "INCLUSIVE", "IL", "NY", "CA"), _test("FirstName", "BEGINS_WITH", "A", "B", "C"),
    _test("EmailAddress", "ENDS_WITH", "example.com"), _test("LastName", "CONTAINS", "e"),
    _test("ShippingAddress.Country", "INCLUSIVE", "US", "CA", "DE"), _test("BusinessName", "BEGINS_WITH", "Firm"),
)  # fmt: skip
_CUSTOM = tuple(
    _test(f"Attributes.{name}", operator, *values)
    for name, operator, *values in (
        ("tier", "INCLUSIVE", "gold", "silver"), ("ltv", "GREATER_THAN", "1000"), ("segment", "EXCLUSIVE", "a"),
        ("channel", "INCLUSIVE", "web", "shop"), ("score", "LESS_THAN", "80"), ("visits", "GREATER_THAN", "3"),
        ("rare", "INCLUSIVE", "no"), ("tier", "EXCLUSIVE", "basic"), ("channel", "CONTAINS", "e"),
        ("score", "GREATER_THAN", "5"),
    )
)  # fmt: skip
_CASES: tuple[tuple[str, Expression, tuple[float | None, float | None]], ...] = (
    ("everybody", EVERYBODY, (None, None)),
    ("1 standard condition", Every(_STANDARD[:1]), (0.35, 0.45)),
    ("5 standard conditions", Every(_STANDARD[:5]), (0.35, 0.45)),
    ("10 standard conditions", Every(_STANDARD), (0.35, 0.45)),
    ("any of 10 standard conditions", Some(_STANDARD), (0.35, 0.45)),
    ("1 attribute", Every(_CUSTOM[:1]), (1.1, 1.0)),
    ("5 attributes", Every(_CUSTOM[:5]), (1.1, 1.0)),
    ("10 attributes", Every(_CUSTOM), (1.1, 1.0)),
    ("a rare attribute", _test("Attributes.rare", "INCLUSIVE", "jackpot"), (1.1, 1.0)),
    ("5 standard conditions and 5 attributes", Every(_STANDARD[:5] + _CUSTOM[:5]), (1.1, 1.0)),
    ("a date", _test("BirthDate", "BEFORE", "1980-01-01"), (1.6, 3.5)),
    ("a date in an attribute, relative", _test("Attributes.last_purchase", "BETWEEN", "now-3y"), (1.6, 3.5)),
)


def _no_segment(name: str) -> Expression:
    raise LookupError(name)


def _surroundings() -> Surroundings:
    nothing = Sql("1 = 0")
    return Surroundings(
        now=datetime.now(UTC),
        segment=_no_segment,
        calculated_test=lambda _test: nothing,
        is_of_job=lambda _relation, _job: nothing,
    )


def _seconds_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _connected(store: Store) -> Iterator[tuple[Connection, Callable[[], float]]]:
    """Open a connection; yield it with a function that returns the processor seconds of who counts."""
    with store.read() as connection:
        if connection.dialect.name == "sqlite":
            yield connection, time.process_time
        else:
            # One process, whose time can be read.
            connection.execute(text("set local max_parallel_workers_per_gather = 0"))
            pid: int = connection.execute(text("select pg_backend_pid()")).scalar_one()
            yield connection, lambda: _seconds_of(pid)


def _measure_counts(stores: dict[str, Store]) -> str:
    lines = ["| Count of 1M profiles, processor s | SQLite | limit | PostgreSQL | limit |", "| --- " * 5 + "|"]
    for name, expression, limits in _CASES:
        cells = []
        for store, limit in zip(stores.values(), limits, strict=True):
            with _connected(store) as (connection, seconds):
                taken = []
                for _ in range(_ROUNDS):
                    before = seconds()
                    count_members(connection, 1, expression, _surroundings())
                    taken.append(seconds() - before)
            cells += [f"{statistics.median(taken):.2f}", "" if limit is None else str(limit)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _measure_exports(stores: dict[str, Store], database: Path, folder: Path) -> str:
    lines = [
        "| Export of 1M profiles with 38 fields | SQLite, processor s | PostgreSQL, processor s | limit | MB |",
        "| --- " * 5 + "|",
    ]
    for data_format, limit in (("CSV", 10), ("JSONL", 5), ("ORC", 10)):
        cells, size_bytes = [], 0
        for store in stores.values():
            taken = []
            for _ in range(_ROUNDS):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                taken.append(_export_seconds(store, database, data_format, folder))
                size_bytes = sum(path.stat().st_size for path in folder.iterdir())
            cells.append(f"{statistics.median(taken):.1f}")
        lines.append(f"| {data_format} | {' | '.join(cells)} | {limit} | {size_bytes / 1e6:,.0f} |")
    shutil.rmtree(folder)
    return "\n".join(lines)


def _export_seconds(store: Store, database: Path, data_format: str, folder: Path) -> float:
    """Export everybody; return the processor seconds, on PostgreSQL also those of its process."""
    before = time.process_time()
    with _connected(store) as (connection, seconds):
        members = members_condition(connection.dialect.name, 1, EVERYBODY, _surroundings())
        if connection.dialect.name != "sqlite":
            others = seconds()
            _export(SegmentExport(ConnectionRows(connection), members), data_format, folder)
            return time.process_time() - before + seconds() - others
    store.close()
    with open_sqlite_rows(database) as rows:
        _export(SegmentExport(rows, members), data_format, folder)
    return time.process_time() - before


def _export(export: SegmentExport, data_format: str, folder: Path) -> None:
    columns = export.read_columns(with_attributes=data_format != "JSONL")
    if data_format == "JSONL":
        list(write_json_lines(export.read_json_lines(columns), folder))
    else:
        write = write_csv if data_format == "CSV" else write_orc
        list(write(columns.names, export.read_rows(columns), folder))


def _measure_sql(database: Path, folder: Path) -> str:
    """Measure SQL segments as a job finds their members, with the process of the query."""
    store = SqliteStore(database)
    lines = ["| SQL segment over 1M profiles, on SQLite | processor s | limit |", "| --- | --- | --- |"]
    for name, (query, limit) in _SQL_QUERIES.items():
        taken = []
        for _ in range(_ROUNDS):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            with store.read() as connection:
                session = Reading(connection=connection, domain=read_domain(connection, "shop"), now=utc_now())
                tables = list_tables(session)
            store.close()
            before = sum(os.times()[:4])
            of_query = QueryTables(folder, check_query(query, tables, session.now), tables)
            with open_sqlite_rows(database) as rows:
                of_query.add_profiles(rows, session)
            of_query.find_members()
            taken.append(sum(os.times()[:4]) - before)
        lines.append(f"| {name} | {statistics.median(taken):.2f} | {limit} |")
    shutil.rmtree(folder)
    store.close()
    return "\n".join(lines)


def _measure_following(file: Path, folder: Path) -> str:
    """Measure a load with subscriptions, until they have looked at all of it."""
    seconds = {}
    for followed in (0, _SUBSCRIPTIONS):
        data_folder = folder / f"followed-{followed}"
        absent = {"AWS_ENDPOINT_URL_KINESIS": "http://127.0.0.1:9"}
        with running_server(data_folder, "--workers", "1", **absent) as server:
            client = server.client()
            client.create_domain(DomainName="shop", DefaultExpirationDays=1098)
            client.associate_stream_for_segments(
                DomainName="shop",
                DestinationArn="arn:aws:kinesis:us-east-1:000000000000:stream/absent",
                DestinationRoleArn="arn:aws:iam::000000000000:role/absent",
            )
            for number in range(followed):
                test = {"DimensionType": "INCLUSIVE", "Values": [str(number), str(number + 50)]}
                client.create_segment_definition(
                    DomainName="shop",
                    SegmentDefinitionName=f"s{number}",
                    DisplayName="x",
                    SegmentGroups={
                        "Groups": [{"Dimensions": [{"ProfileAttributes": {"Attributes": {"score": test}}}]}]
                    },
                )
                client.put_segment_subscription(DomainName="shop", SegmentDefinitionName=f"s{number}")
            wait_until(lambda: _feed_lag(server) == 0.0, "the subscriptions have started")
            before = processor_seconds(server.process.pid)
            arguments = ("--domain", "shop", "--unique-key", "AccountNumber", "--yes")
            command = [sys.executable, "-m", "openprofiles", "import", str(file), *arguments]
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, **server.variables()})
            wait_until(lambda: _feed_lag(server) == 0.0, "the subscriptions have caught up", 600)
            seconds[followed] = processor_seconds(server.process.pid) - before
    without, ratio = seconds[0], seconds[_SUBSCRIPTIONS] / seconds[0]
    return (
        f"| Load of {_FOLLOWED_ROWS:,} rows through a server, with all of its processes | processor s | | limit |\n"
        f"| --- | --- | --- | --- |\n| without subscriptions | {without:.1f} | | |\n"
        f"| with {_SUBSCRIPTIONS}, until they have looked at all changes | {seconds[_SUBSCRIPTIONS]:.1f} "
        f"| {ratio:.2f}x | 1.8x |"
    )


def _feed_lag(server: RunningServer) -> float:
    """Read how long the oldest change has waited for a subscription."""
    text_of_metrics = server.get("/metrics")[2].decode()
    found = re.search(r'openprofiles_feed_lag_seconds\{feed="segment_subscription"\} (\S+)', text_of_metrics)
    assert found is not None
    return float(found[1])


def _first_rows(file: Path, path: Path) -> Path:
    with file.open(encoding="utf-8") as source, path.open("w", encoding="utf-8") as target:
        target.writelines(islice(source, _FOLLOWED_ROWS + 1))
    return path


def _measure_membership(data_folder: Path) -> str:
    with running_server(data_folder, "--workers", "0") as server:
        client = server.client()
        groups = {"Groups": [{"Dimensions": [{"ProfileAttributes": {"Address": {
            "Country": {"DimensionType": "INCLUSIVE", "Values": ["US"]}}}}]}]}  # fmt: skip
        client.create_segment_definition(
            DomainName="shop", SegmentDefinitionName="us", DisplayName="US", SegmentGroups=groups
        )
        (found,) = client.search_profiles(DomainName="shop", KeyName="_account", Values=["C00000007"])["Items"]
        calls: dict[str, Callable[[], Any]] = {
            "GetDomain": lambda: client.get_domain(DomainName="shop"),
            "GetSegmentMembership of one profile": lambda: client.get_segment_membership(
                DomainName="shop", SegmentDefinitionName="us", ProfileIds=[found["ProfileId"]]
            ),
        }
        lines = ["| Over HTTP, with boto3 | p50, ms |", "| --- | --- |"]
        for name, call in calls.items():
            taken = []
            for _ in range(_MEMBERSHIPS):
                started = time.perf_counter()
                call()
                taken.append(1000 * (time.perf_counter() - started))
            lines.append(f"| {name} | {statistics.median(taken):.1f} |")
    return "\n".join(lines)


def _measure_calculated(folder: Path) -> str:
    store = open_store(Settings(data_folder=folder))
    now = datetime.now(UTC).replace(microsecond=0)
    domain = create_domain(store, "shop", default_expiration_days=1098, config={}, tags={}, phone_region="US", now=now)
    definition = {
        "Description": "Orders",
        "AllowProfileCreation": True,
        "Fields": {
            "id": {"Source": "_source.id", "Target": "_order.Name"},
            "mail": {"Source": "_source.mail", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
            "total": {"Source": "_source.total", "Target": "_order.TotalPrice"},
        },
        "Keys": {
            "orderId": [{"StandardIdentifiers": ["UNIQUE", "ORDER"], "FieldNames": ["id"]}],
            "_email": [{"StandardIdentifiers": ["PROFILE"], "FieldNames": ["mail"]}],
        },
    }
    with writing(store, domain.name, now, "benchmark") as session:
        type_definitions.put_object_type(session, "Orders", definition, {}, strict=False)
    everyone = ["ada@example.com"] * _ORDERS_OF_ONE
    everyone += [f"u{row % _PROFILES_WITH_ORDERS}@example.com" for row in range(_PROFILES_WITH_ORDERS * _ORDERS_EACH)]
    for start in range(0, len(everyone), 500):
        some = [
            json.dumps({"id": f"A-{start + row}", "mail": mail, "total": (start + row) % 97 + 0.5})
            for row, mail in enumerate(everyone[start : start + 500])
        ]
        with writing(store, domain.name, now, "benchmark") as session:
            objects.put_objects(session, "Orders", some)
    with reading(store, domain.name, now) as session:
        from openprofiles.facts.keys import SearchKey
        from openprofiles.profiles.search import search_profiles

        page = search_profiles(session, [SearchKey("_email", ("ada@example.com",))], max_results=1)
        profile = page.found[0].profile
        taken = []
        for _ in range(10):
            before = time.process_time()
            list(calculate_for(session, [profile], list_calculated(session)))
            taken.append(1000 * (time.process_time() - before))
        before = time.process_time()
        count = sum(1 for _ in calculate_for_all(session, get_calculated(session, "_orders_total_price_sum")))
        of_all = time.process_time() - before
    store.close()
    of_one = f"{_ORDERS_OF_ONE:,} orders, so {2 * _ORDERS_OF_ONE:,} objects"
    return (
        "| Calculated attributes, on SQLite | processor time | limit |\n| --- | --- | --- |\n"
        f"| the 32 defaults of a profile with {of_one} | {statistics.median(taken):.0f} ms | 10 ms |\n"
        f"| a sum for a segment, over {count:,} profiles with {len(everyone):,} orders | {of_all:.2f} s | |"
    )
