"""JSON objects as rows: every value as it is written, or the line that cannot be read."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from openprofiles.cli.importer import ImportFault
from openprofiles.cli.source_file import open_source
from openprofiles.uploads.job_options import CLEAR, JobOptions
from openprofiles.uploads.reading.file_form import FileOptions
from openprofiles.uploads.reading.records import Scanner
from openprofiles.uploads.reading.tables import json_rows
from openprofiles.uploads.reading.tables.convert import convert_json_lines
from openprofiles.uploads.reading.tables.json_rows import JsonRows, json_kind
from openprofiles.uploads.reading.tables.table import TableUnreadable, write_table


def open_rows(content: bytes, part_bytes: int = 1 << 20) -> JsonRows:
    def open_bytes() -> Callable[[int], bytes]:
        file = io.BytesIO(content)
        return lambda size_bytes: file.read(min(size_bytes, part_bytes))

    return JsonRows(open_bytes, content[:65536])


def read(content: bytes | str, part_bytes: int = 1 << 20) -> list[list[str]]:
    return [
        list(row) for row in open_rows(content.encode() if isinstance(content, str) else content, part_bytes).rows()
    ]


def read_value(written: str) -> str:
    """Read one member whose value is written like this."""
    return read(f'{{"a": {written}, "b": 1}}')[1][0]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"a\\nb"', "a\nb"),
        ("5", "5"),
        ("5.0", "5"),
        ("-0.0", "0"),
        ("1.50", "1.50"),
        ("1.5e3", "1500"),
        ("1e-7", "0.0000001"),
        ("12345678901234567890", "12345678901234567890"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ("9" * 5000, "9" * 5000),
        ("1e400", "1e400"),
        ("1e999999999", "1e999999999"),
        ("1e99999999999999999999", "1e99999999999999999999"),
        ("-1.5E-99999999999999999999", "-1.5E-99999999999999999999"),
        ("true", "true"),
        ("null", ""),
        ("NaN", ""),
        ("[1.0, 1e400, {}]", "[1.0, 1e400, {}]"),
        ('["ü", NaN, null, {"x": [true]}]', '["ü", null, null, {"x": [true]}]'),
    ],
)
def test_a_value_is_read_as_it_is_written(written: str, value: str) -> None:
    assert read_value(written) == value


OBJECTS = [
    {"E-mail": "ada@example.com", "address": {"city": "Köln", "geo": {"lat": 1}}},
    {"E-mail": "zoe@example.com", "tags": ["a", {"b": 1}]},
    {},
]
ROWS = [
    ["E-mail", "address.city", "address.geo.lat", "tags"],
    ["ada@example.com", "Köln", "1", ""],
    ["zoe@example.com", "", "", '["a", {"b": 1}]'],
    ["", "", "", ""],
]


@pytest.mark.parametrize("part_bytes", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(map(json.dumps, OBJECTS)),
        "\r\n".join(map(json.dumps, OBJECTS)) + "\r\n",
        json.dumps(OBJECTS),
        json.dumps(OBJECTS, indent=2) + "\n",
        "\n".join(json.dumps(one, indent=1, ensure_ascii=False) for one in OBJECTS),
    ],
    ids=["lines", "CRLF", "array", "indented array", "indented objects"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16le", "utf-16be"])
def test_objects_are_read_one_by_one_however_they_are_separated(text: str, encoding: str, part_bytes: int) -> None:
    # Blank rows keep the numbers of lines.
    rows = [row for row in read(text.encode(encoding), part_bytes) if row]

    assert rows == ROWS


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ('{"a": 1}\n\n{"a": 2}\n{"a": "x\\ny"}\n{"a": 3}', [1, 3, 4, 5]),
        ('[\n  {\n    "a": 1\n  },\n  {\n    "a": 2\n  }\n]\n', [2, 5]),
        # Several on one line are numbered one by one.
        ('[{"a": 1}, {"a": 2},\n{"a": 3}]', [1, 2, 3]),
    ],
)
def test_the_row_of_an_object_is_its_line_in_the_file(content: str, lines: list[int]) -> None:
    rows = open_rows(content.encode())
    with write_table(rows.rows(), 1000) as table:
        scanner = Scanner(table.read, rows.account.csv_form.dialect)
        assert scanner.read_header().line == 0
        (block,) = scanner.blocks()

    assert block.line.tolist() == lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n[2]\n', "The object on line 2 of the file is not a JSON object"),
        ('{"a": 1}\n\n{"a": \n', r"The object that begins on line 3 of the file is not valid JSON \(on line 4\)"),
        ('{"a": 1}\n{"a": 1\n{"a": 2}\n', r"begins on line 2 of the file is not valid JSON \(on line 3\)"),
        ('{"a": 1}\n{"b": 1, "a": 1, "b": 2}\n', "The object on line 2 of the file has the member 'b' twice"),
        ('{"a": {"b": 1},\n "a.b": 2}\n', "The object on line 1 of the file has the member 'a.b' twice"),
        ('{"a": [{"b": 1, "b": 2}]}', "has the member 'b' twice"),
        ('{"a": 1}\n{"a": Infinity}\n', "The object on line 2 of the file has the number Infinity"),
        ('{"a": 1}\n{"\\ud800": 1}\n', "The object on line 2 of the file has a member whose name has characters"),
        ('{"a": ' + "[" * 100_000, "nested too deeply"),
        ('[{"a": 1},\n{"a": 2}', "The JSON array is not closed on line 2, the last line of the file"),
        ('[{"a": 1}\n{"a": 2}]', "The object on line 2 of the file is not valid JSON: a comma is missing"),
        ('[{"a": 1}]\n[{"a": 1}]', "Line 2 of the file has text after the end of the JSON array"),
        ('[{"a": 1},]', "The object on line 1 of the file is not valid JSON"),
        ("{}\n{}", "The file has no JSON object with members"),
        ("[]", "The file has no JSON object with members"),
        ('[["a"], ["b"]]', "The object on line 1 of the file is not a JSON object"),
        ('["a", "b"]', "The object on line 1 of the file is not a JSON object"),
        ('{"a": 1},\n{"a": 2}', "Line 1 of the file has a comma after a JSON object"),
        (
            '{"' + "x" * 1_000_000 + '": {' + ", ".join(f'"{number}": 1' for number in range(18)) + "}}",
            "names are too long",
        ),
        (
            "".join(f'{{"{number}{"x" * 9_000_000}": 1}}\n' for number in range(2)),
            "The names of the members up to line 2 have more than",
        ),
        ('[{"a": 1},, {"a": 2}]', "The object on line 1 of the file is not valid JSON"),
        ("".join(f'{{"{number}": 1}}\n' for number in range(20_000)), "more than 16,384 different members"),
        ('{"a": 1}'.encode("utf-16") + b"\n", "on line 1 or after it that are not valid UTF-16"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(content: str | bytes, message: str) -> None:
    with pytest.raises(TableUnreadable, match=message):
        read(content)


@pytest.mark.parametrize("value", [b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff"', b'["\\ud800"]'])
def test_a_value_that_is_not_text_makes_only_its_row_invalid(value: bytes) -> None:
    rows = open_rows(b'{"a": ' + value + b'}\n{"a": "b"}\n').rows()

    with write_table(rows, 1000) as table:
        lines = table.read().splitlines()

    with pytest.raises(UnicodeDecodeError):
        lines[1].decode()
    assert (lines[0], lines[2]) == (b"a", b"b")


def test_nan_is_blank_and_counted() -> None:
    rows = open_rows(b'{"a": NaN, "b": 1}\n{"a": "NaN"}\n')

    assert list(rows.rows())[1:] == [["", "1"], ["NaN", ""]]
    assert rows.account.notes() == ["1 cell is NaN (not a number) and is read as blank."]


def test_a_member_that_is_missing_clears_no_field_but_null_does(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": "1", "b": null, "c": {"d": ""}}\n\n{"a": "2", "b": ""}\n{"a": "3", "b": "x", "e": "y"}\n')

    with open_source(path, FileOptions(), None, 1000) as source:
        clearing = JobOptions(blank_cells=CLEAR)
        source.check_clearing(clearing, ["a", "b"])
        source.check_clearing(JobOptions(), ["c.d"])
        with pytest.raises(ImportFault, match=r"has objects without some of the members.*Columns: 'c.d', 'e'"):
            source.check_clearing(clearing, ["a", "c.d", "e"])


@pytest.mark.parametrize(
    ("content", "blank_rows", "records"),
    [
        ('{"a": "x", "b": ""}\n\n{}\n{"b": null}\n{"b": "y"}', [3, 4], [1, 5]),
        # A row of one blank cell is a record: it fails, since it has no unique key.
        ('{"a": "x"}\n\n{}\n{"a": " "}\n{"a": "y"}', [], [1, 3, 4, 5]),
    ],
)
def test_an_object_without_a_value_is_counted_as_a_blank_row_or_fails(
    content: str, blank_rows: list[int], records: list[int]
) -> None:
    rows = open_rows(content.encode())
    with write_table(rows.rows(), 1000) as table:
        scanner = Scanner(table.read, rows.account.csv_form.dialect)
        scanner.read_header()
        (block,) = scanner.blocks()

    assert (scanner.blank_row_lines, block.line.tolist()) == (blank_rows, records)


def test_a_single_object_around_a_list_of_objects_is_reported() -> None:
    rows = open_rows(b'{"count": 2, "customers": [{"a": 1}, {"a": 2}]}')
    assert len(list(rows.rows())) == 2
    (note, advice) = rows.account.notes()
    assert note == "The file is one JSON object, so it is read as one row."
    assert advice.startswith("Its member 'customers' is a list of objects. If these are the customers, ")
    assert """jq '.["customers"]' FILE""" in advice

    several = open_rows(b'{"a": 1, "orders": [{"b": 1}]}\n{"a": 2, "orders": [{"b": 2}]}\n')
    assert len(list(several.rows())) == 3
    assert several.account.notes() == []


def test_an_object_whose_members_seem_to_be_the_rows_is_refused_with_what_to_do() -> None:
    keyed = b'{"C1": {"email": "a@x", "name": "A"}, "C2": {"email": "b@x"}}\n'
    other = b'{"name": {"first": "A"}, "address": {"city": "Rome"}}'

    with pytest.raises(TableUnreadable, match=r"members seem to be the rows.*jq .*put \[ and \] around it") as refused:
        list(open_rows(keyed).rows())
    in_array, single = (open_rows(data) for data in (b"[" + keyed + b"]", other))
    rows = [list(in_array.rows()), list(single.rows()), list(open_rows(keyed * 2).rows())]

    assert "C1" not in str(refused.value)
    assert [len(found) for found in rows] == [2, 2, 3]
    assert (in_array.account.describe(), single.account.describe()) == ("JSON array", "a JSON object")


def test_an_object_of_many_megabytes_is_refused_instead_of_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "_MAX_OBJECT_CHARACTERS", 1000)
    monkeypatch.setattr(json_rows, "_READ_BYTES", 100)
    read_bytes = 0

    def open_bytes() -> Callable[[int], bytes]:
        def read_part(size_bytes: int) -> bytes:
            nonlocal read_bytes
            read_bytes += size_bytes
            return b'{"a": "' if read_bytes == size_bytes else b"x" * size_bytes

        return read_part

    with pytest.raises(TableUnreadable, match="The object on line 1"):
        list(JsonRows(open_bytes, b'{"a": "').rows())
    assert read_bytes < 10_000


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b'{"a": 1}', "JSON lines"),
        (b'\xef\xbb\xbf\n {\n  "a', "JSON lines"),
        (b"{}", "JSON lines"),
        (b' [\n {"a', "JSON array"),
        ('[{"a'.encode("utf-16"), "JSON array"),
        (b"{a},b\n", None),
        (b"[1, 2]", None),
        (b'"{""a"": 1}",b\n', None),
        (b"", None),
    ],
)
def test_json_is_known_by_its_first_characters(head: bytes, kind: str | None) -> None:
    assert json_kind(head) == kind


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b'{"a": 1.50, "b": {"c": [1, null]}}\n\n{"a": 2}\n', None),
        (b'\xef\xbb\xbf{"a": 1}\nno JSON\n', None),
        (b'[\n{"a": 1.50},\n\n{"a": {"b": [1e400, true]}}]', ["", '{"a": 1.50}', "", '{"a": {"b": [1e400, true]}}']),
        (b'[{"a": 1}, {"a": 2}]', ['{"a": 1}', '{"a": 2}']),
        (b'{\n  "a": 1\n}\n{\n  "a": 2\n}\n', ['{"a": 1}', "", "", '{"a": 2}']),
        ('{"a": "é"}'.encode("utf-16"), ['{"a": "é"}']),
        (gzip.compress(b'[{"a": "x"}]'), ['{"a": "x"}']),
    ],
    ids=["lines", "mark", "array", "one line", "many lines", "utf-16", "gzip"],
)
def test_objects_come_one_on_a_line_with_the_number_of_the_line_they_begin_on(
    content: bytes, lines: list[str] | None
) -> None:
    file = io.BytesIO(content)

    found = convert_json_lines(file, 1_000_000)

    assert found is not None
    converted, form = found
    assert (form.is_json_lines, form.describe()) == (True, "JSON lines")
    if lines is None:
        assert converted is file
        assert converted.read() == content
    else:
        with converted:
            assert converted.read().decode().splitlines() == lines


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b'"a","b"\n', b""], ids=["text", "quotes", "empty"])
def test_a_file_without_objects_is_left_as_it_is(content: bytes) -> None:
    file = io.BytesIO(content)

    assert convert_json_lines(file, 1_000_000) is None
    assert file.read() == content


def test_objects_that_are_too_many_or_broken_are_refused() -> None:
    with pytest.raises(TableUnreadable, match="is not valid JSON"):
        convert_json_lines(io.BytesIO(b'[{"a": 1}, {"a"]'), 1_000_000)
    with pytest.raises(TableUnreadable, match="larger than the limit of 20 bytes"):
        convert_json_lines(io.BytesIO(b'[{"a": 1}, {"a": 2}, {"a": 3}]'), 20)
