"""Exports of a segment: the same profiles in every format and on every engine."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.orc
import pytest

from openprofiles.expressions.tree import EVERYBODY
from openprofiles.facts.records import Profile
from openprofiles.ids import new_profile_id
from openprofiles.operations.profile_shapes import profile_answer
from openprofiles.profiles.session import Reading
from openprofiles.segments.exports import files
from openprofiles.segments.exports.files import Part, write_csv, write_json_lines, write_orc
from openprofiles.segments.surroundings import sql_surroundings
from openprofiles.store import export_rows
from openprofiles.store.connections import Store
from openprofiles.store.domains import read_domain
from openprofiles.store.export_rows import ConnectionRows, open_sqlite_rows
from openprofiles.store.expressions.fragments import Sql
from openprofiles.store.prepared import written_together
from openprofiles.store.profiles import insert_profile
from openprofiles.store.segment_export import SegmentExport
from openprofiles.store.segment_rows import members_condition
from store.made_rows import NOW, make_domain

NASTY = ('a"b', "a,b", "line\nbreak", "carriage\rreturn", "=1+1", "'", "\\", "\u00e9\U0001f600", "\t", ':null,"x":null')
PREFERENCES = {"Phone": [{"KeyName": "k", "KeyValue": "v"}]}


def profiles(domain_id: int) -> list[Profile]:
    made: list[dict[str, Any]] = [
        {},
        {"values": {"FirstName": "Ann", "GenderString": "FEMALE", "Address.City": "Rome", "Address.Country": "IT"}},
        {"values": {"FirstName": "Bob", "PartyTypeString": "Company"}, "engagement_preferences": PREFERENCES},
        *({"values": {"LastName": text}, "attributes": {text: text, "n": "1"}} for text in NASTY),
    ]
    return [
        Profile(
            pid=pid,
            domain_id=domain_id,
            profile_id=new_profile_id(NOW, pid),
            created_at=NOW,
            updated_at=NOW,
            expires_at=NOW + timedelta(days=1),
            **{"values": {}} | one,
        )
        for pid, one in enumerate(made, 1)
    ]


@pytest.fixture
def stored(store: Store) -> list[Profile]:
    made = profiles(make_domain(store, "shop").domain_id)
    with store.write() as connection, written_together(connection) as writes:
        for one in made:
            insert_profile(writes, one)
    return made


def export(store: Store, use: Callable[[SegmentExport], Any]) -> Any:
    """Use an export as its job opens it."""
    with store.read() as connection:
        domain = read_domain(connection, "shop")
        session = Reading(connection=connection, domain=domain, now=NOW)
        dialect = connection.dialect.name
        members = members_condition(dialect, domain.domain_id, EVERYBODY, sql_surroundings(session))
        if dialect != "sqlite":
            return use(SegmentExport(ConnectionRows(connection), members))
        path = Path(connection.exec_driver_sql("select file from pragma_database_list").scalar_one())
    store.close()
    with open_sqlite_rows(path) as rows:
        return use(SegmentExport(rows, members))


def in_columns(store: Store, write: Any, folder: Path) -> tuple[list[str], list[Part]]:
    def run(one: SegmentExport) -> tuple[list[str], list[Part]]:
        columns = one.read_columns(with_attributes=True)
        return columns.names, list(write(columns.names, one.read_rows(columns), folder))

    found: tuple[list[str], list[Part]] = export(store, run)
    return found


def expected_rows(stored: Sequence[Profile], names: Sequence[str]) -> list[list[str | None]]:
    return [
        [
            str(one.profile_id),
            *(one.values.get(name) or one.attributes.get(name.removeprefix("Attributes.")) for name in names[1:]),
        ]
        for one in stored
    ]


def test_csv_has_the_columns_that_any_member_has_and_reads_back_equal(
    store: Store, stored: list[Profile], tmp_path: Path
) -> None:
    names, (part,) = in_columns(store, write_csv, tmp_path)

    with part.file.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == names
    assert names[:7] == [
        "ProfileId", "PartyTypeString", "FirstName", "LastName", "GenderString", "Address.City", "Address.Country"
    ]  # fmt: skip
    assert names[7:] == [f"Attributes.{name}" for name in sorted({*NASTY, "n"})]
    assert rows == [[text or "" for text in row] for row in expected_rows(stored, names)]
    assert part.rows == len(stored)
    columns = ", ".join(f"'c{number}': 'varchar'" for number in range(len(names)))
    form = "header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', new_line = '\\n'"
    query = f"select * from read_csv('{part.file}', columns = {{{columns}}}, {form})"
    assert [list(row) for row in duckdb.connect().execute(query).fetchall()] == expected_rows(stored, names)


def test_a_field_that_only_the_last_member_has_is_a_column(
    store: Store, stored: list[Profile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_rows, "_ROWS_AT_ONCE", 2)
    rare = f"Attributes.{NASTY[-1]}"

    names, (part,) = in_columns(store, write_csv, tmp_path)

    with part.file.open(encoding="utf-8", newline="") as file:
        values = [row[rare] for row in csv.DictReader(file)]
    assert rare in names
    assert values == [""] * (len(stored) - 1) + [NASTY[-1]]


def test_orc_has_the_same_rows_as_texts(store: Store, stored: list[Profile], tmp_path: Path) -> None:
    names, (part,) = in_columns(store, write_orc, tmp_path)

    table = pyarrow.orc.read_table(part.file)
    assert table.column_names == names
    assert {str(kind) for kind in table.schema.types} == {"string"}
    assert [list(row) for row in zip(*table.to_pydict().values(), strict=True)] == expected_rows(stored, names)


def test_json_lines_are_profiles_as_the_api_answers_them(store: Store, stored: list[Profile], tmp_path: Path) -> None:
    def write(one: SegmentExport) -> list[Part]:
        columns = one.read_columns(with_attributes=False)
        return list(write_json_lines(one.read_json_lines(columns), tmp_path))

    (part,) = export(store, write)

    lines = part.file.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [json.loads(json.dumps(profile_answer(one))) for one in stored]


def test_members_that_all_have_the_same_fields_are_written_whole_as_well(store: Store, tmp_path: Path) -> None:
    domain_id = make_domain(store, "shop").domain_id
    one = Profile(
        pid=1, domain_id=domain_id, profile_id=new_profile_id(NOW, 1), values={"FirstName": ':null'},
        created_at=NOW, updated_at=NOW, expires_at=NOW + timedelta(days=1),
    )  # fmt: skip
    with store.write() as connection, written_together(connection) as writes:
        insert_profile(writes, one)

    def read(it: SegmentExport) -> list[str]:
        batches = it.read_json_lines(it.read_columns(with_attributes=False))
        return [line for batch in batches for line in batch.column(0).to_pylist()]

    assert [json.loads(line) for line in export(store, read)] == [{"ProfileId": one.profile_id, "FirstName": ":null"}]


def test_without_members_there_is_one_file_with_the_header(store: Store, tmp_path: Path) -> None:
    make_domain(store, "shop")

    (_, (of_csv,)), (_, (of_orc,)) = (in_columns(store, write, tmp_path) for write in (write_csv, write_orc))

    assert of_csv.file.read_bytes() == b'"ProfileId"\n'
    assert pyarrow.orc.read_table(of_orc.file).num_rows == of_orc.rows == of_csv.rows == 0
    (lines,) = write_json_lines(iter(()), tmp_path)
    assert (lines.file.read_bytes(), lines.rows) == (b"", 0)


def test_an_export_goes_into_parts_each_with_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PART_BYTES", 100)
    texts = pa.schema([("a", pa.string()), ("b", pa.string())])
    batches = [pa.record_batch([["x" * 20] * rows, [None] * rows], schema=texts) for rows in (3, 3, 3, 2)]

    parts = list(write_csv(["a", "b"], iter(batches), tmp_path))

    assert [(one.file.name, one.rows) for one in parts] == [
        ("part-00000.csv", 6), ("part-00001.csv", 5)
    ]  # fmt: skip
    assert all(one.file.read_text().startswith('"a","b"\n') for one in parts)


@pytest.mark.parametrize(
    ("path", "kind", "descending", "expected"),
    [
        ("Attributes.v", "STRING", False, ["10", "9", "B", "a", None]),
        ("Attributes.v", "STRING", True, ["a", "B", "9", "10", None]),
        ("Attributes.v", "NUMBER", False, ["9", "10", "a", "B", None]),
        ("BirthDate", "DATE", True, ["9", "a", "10", "B", None]),
    ],
)
def test_members_come_in_the_order_of_a_field_those_without_it_last(
    store: Store, path: str, kind: str, descending: bool, expected: list[str | None]
) -> None:
    domain_id = make_domain(store, "shop").domain_id
    given = [("a", "2001-01-01"), ("10", "2000/12/31"), ("9", "2002-01-01"), ("B", "no date"), (None, None)]
    with store.write() as connection, written_together(connection) as writes:
        for pid, (value, day) in enumerate(given, 1):
            insert_profile(
                writes,
                Profile(
                    pid=pid, domain_id=domain_id, profile_id=new_profile_id(NOW, pid),
                    values={"BirthDate": day} if day else {}, attributes={"v": value} if value else {},
                    created_at=NOW, updated_at=NOW, expires_at=NOW + timedelta(days=1),
                ),
            )  # fmt: skip

    def read(one: SegmentExport) -> list[str | None]:
        order: list[Sql] = one.order_by(path, kind, descending=descending)
        columns = one.read_columns(with_attributes=True)
        return [text for batch in one.read_rows(columns, order) for text in batch["Attributes.v"].to_pylist()]

    assert export(store, read) == expected
