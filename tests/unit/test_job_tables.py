"""What ``openprofiles jobs`` prints fits the terminal, and nothing in it steers one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.cells import cell_len

from openprofiles.cli.job_tables import account_lines, failed_row_lines, job_lines
from openprofiles.cli.terminal_text import cut, wrapped
from openprofiles.cli.text_table import Column, table_lines
from openprofiles.uploads.mappings.upload_mapping import MappedField, UploadMapping

WIDTHS = (40, 80, 133, 200)
LONG_NAME = "customers of the spring campaign " * 8
NASTY_NAME = "\x1b[31mred\x1b[0m\r\n\t\x00\x9b2J\u202egnp.exe\u2028end"
WIDE_NAME = "顧客リスト" * 30
COMBINED_NAME = "e\u0301" * 200
NAMES = (LONG_NAME, NASTY_NAME, WIDE_NAME, COMBINED_NAME, "", " ", "a" * 255)
NOON = datetime(2026, 1, 31, 12, 0, 0, 999_000, tzinfo=UTC).timestamp()

STATE: dict[str, Any] = {
    "Status": "PARTIALLY_SUCCEEDED",
    "Phase": "index",
    "Position": 0,
    "RecordCount": 10_000_000,
    "CreatedRecords": 4_000_000,
    "UpdatedRecords": 5_000_000,
    "UnchangedRecords": 1_500_000,
    "FailedRecords": 900_000,
    "ProcessedRecords": 9_900_000,
    "Message": "The column " + LONG_NAME,
    "RepeatedRecords": 1_234_567,
    "Steps": [{"Step": "stage", "Seconds": 1234.5}, {"Step": "index", "Seconds": 0.25}],
}
NO_COUNTS = {f"{name}Records": 0 for name in ("Created", "Updated", "Unchanged", "Failed", "Processed")}


def column(name: str) -> dict[str, str]:
    return {"Column": name} if name else {}


def listed(name: str, number: int = 0, **changes: Any) -> dict[str, Any]:
    times = {"CreatedAt": NOON, "StartedAt": NOON, "CompletedAt": NOON}
    return {"JobId": f"{number:032x}", "DisplayName": name, **STATE, **times, **changes}


def account(name: str) -> dict[str, Any]:
    return {
        **listed(name),
        "Faults": [{"Code": "AMBIGUOUS_UNIQUE_KEY", "Count": 900_000, **column(each)} for each in NAMES],
        "StatusReason": "VALIDATION_FAILURE",
        "StopRequested": False,
        "DataExpiry": 1098,
        "UniqueKey": name,
        "ColumnsNotMapped": NAMES,
        "RecordsPerSecond": 98_765,
        "UndoUntil": NOON,
    }


def mapping(name: str, *others: str) -> UploadMapping:
    key = MappedField("key", name, "EmailAddress")
    return UploadMapping((key, *(MappedField("x", each, "Attributes." + "x" * 255) for each in others)), key)


def rows() -> list[dict[str, Any]]:
    message = "The value in column {} has 300 characters, which is too long for its field."
    faults = [{"Code": "AMBIGUOUS_UNIQUE_KEY", "Message": message.format(name), **column(name)} for name in NAMES]
    return [{"Record": 9_999_999, "Line": 10_000_001, "Faults": faults}, {"Record": 3, "Line": 4, "Faults": faults[:1]}]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_no_line_is_wider_than_the_terminal_or_steers_it(name: str, width: int) -> None:
    lines = [
        *job_lines([listed(name), listed("a.csv")], width),
        *account_lines(account(name), mapping(name, *NAMES), "d" * 64, width),
        *failed_row_lines(rows(), width),
    ]

    assert max(cell_len(line) for line in lines) <= width
    assert [line for line in lines if not line.isprintable()] == []


def test_on_80_columns_a_job_takes_two_lines_with_numbers_below_each_other() -> None:
    small = listed("a.csv", 2, **NO_COUNTS)
    del small["RecordCount"]

    lines = list(job_lines([listed(LONG_NAME, 1), small], 80))

    assert lines == [
        "JOB ID                            STATUS               CREATED AT",
        "  NAME                            ROWS    CREATED    UPDATED  UNCHANGED   FAILED",
        "00000000000000000000000000000001  PARTIALLY_SUCCEEDED  2026-01-31T12:00:00Z",
        "  customers of the spring…  10,000,000  4,000,000  3,500,000  1,500,000  900,000",
        "00000000000000000000000000000002  PARTIALLY_SUCCEEDED  2026-01-31T12:00:00Z",
        "  a.csv                              -          0          0          0        0",
    ]


def test_on_a_wide_terminal_a_job_takes_one_line() -> None:
    lines = list(job_lines([listed("a.csv")], 160))

    assert len(lines) == 2
    assert lines[1].split() == [
        "0" * 32,
        "PARTIALLY_SUCCEEDED",
        "2026-01-31T12:00:00Z",
        "a.csv",
        "10,000,000",
        "4,000,000",
        "3,500,000",
        "1,500,000",
        "900,000",
    ]


def test_on_80_columns_each_fault_takes_one_line() -> None:
    lines = list(failed_row_lines(rows(), 80))

    assert len(lines) == 1 + len(NAMES) + 1
    assert lines[0].split() == ["ROW", "LINE", "COLUMN", "CODE", "MESSAGE"]
    assert lines[-1].startswith("        3           4  customer")


def test_an_account_has_counts_that_add_up_below_each_other() -> None:
    lines = list(account_lines(account("Email"), mapping("Email"), "demo", 80))

    start = lines.index("Rows")
    assert lines[start + 1 : start + 9] == [
        "  created                4,000,000",
        "  updated                3,500,000",
        "  unchanged              1,500,000",
        "  failed                   900,000",
        "  not processed            100,000",
        "  all rows in the file  10,000,000",
        "Rows with the unique key of an earlier row: 1,234,567. Unless they fail, they",
        "overwrite its values.",
    ]
    assert "  stage  1,234.500" in lines
    assert "  index      0.250" in lines


def test_an_account_of_a_job_that_waits_for_its_file_leaves_out_what_is_not_known() -> None:
    waiting = {
        "JobId": "0" * 32,
        "DisplayName": "Email",
        "Status": "CREATED",
        "StopRequested": False,
        "DataExpiry": 1098,
        "UniqueKey": "Email",
        "CreatedAt": NOON,
        **NO_COUNTS,
    }

    assert list(account_lines(waiting, mapping("Email"), "demo", 80)) == [
        "Upload job 00000000000000000000000000000000",
        "  domain       demo",
        "  name         Email",
        "  status       CREATED",
        "  unique key   Email",
        "  data expiry  1,098 days",
        "  created at   2026-01-31T12:00:00Z",
        "",
        "Rows",
        "  created                       0",
        "  updated                       0",
        "  unchanged                     0",
        "  failed                        0",
        "  not yet processed             0",
        "  all rows in the file  not known",
        "",
        "Columns",
        "  COLUMN  GOES TO",
        "  Email   EmailAddress (unique key)",
    ]


def test_a_message_is_broken_between_words_and_shown_whole() -> None:
    message = "The file has no column of the name " + "x" * 50

    lines = list(wrapped(message, 20))

    assert max(map(len, lines)) == 20
    assert "".join(lines).replace(" ", "") == message.replace(" ", "")
    assert lines[0] == "The file has no"


@pytest.mark.parametrize(
    ("text", "width", "told"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("顧客名", 6, "顧客名"), ("顧客名", 5, "顧客…"), ("顧客名", 4, "顧…")],
)
def test_what_is_cut_says_so(text: str, width: int, told: str) -> None:
    assert cut(text, width) == told


def test_a_cell_that_may_not_be_cut_is_whole_even_where_it_does_not_fit() -> None:
    lines = list(table_lines([Column("ID"), Column("N", is_number=True)], [("x" * 30, "5")], 20))

    assert lines == ["ID", "  N", "x" * 30, "  5"]


def test_a_table_without_rows_is_its_headings() -> None:
    assert list(table_lines([Column("ID"), Column("N", is_number=True)], [], 20)) == ["ID  N"]
