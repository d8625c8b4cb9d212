"""Failed rows grouped by what is wrong with them."""

from __future__ import annotations

import pytest

from openprofiles.store.upload_jobs import RowFault
from openprofiles.uploads.failures import faults
from openprofiles.uploads.failures.failure_groups import group_failures
from openprofiles.uploads.job_report import FaultCount
from openprofiles.uploads.jobs import FailedRow
from openprofiles.uploads.reading.dialect import COMMAS, Dialect

HEADERS = ["Email", "First"]


def row(number: int, content: bytes | None, *found: RowFault) -> FailedRow:
    return FailedRow(number, number + 1, found, content)


def test_each_reason_has_its_first_rows_as_examples() -> None:
    email = RowFault(faults.NOT_AN_EMAIL_ADDRESS, "Email", None)
    long = RowFault(faults.VALUE_TOO_LONG, "First", 300)
    rows = [row(number, f"no{number};Ada".encode(), email) for number in range(1, 6)]
    rows.append(row(6, b"no6;" + b"x" * 300, email, long))

    first, second, third = group_failures(
        [
            FaultCount(email.code, "Email", 1_000_000),
            FaultCount(long.code, "First", 2),
            FaultCount(faults.NUL_BYTE, None, 1),
        ],
        rows,
        HEADERS,
        Dialect(";", '"'),
    )

    assert (first.count, first.sentence) == (1_000_000, "The value in column Email is not a valid email address.")
    assert [(one.line, one.text) for one in first.examples] == [(2, "no1"), (3, "no2"), (4, "no3")]
    assert second.sentence == (
        "The value in column First is too long for its field. A field takes 255 characters, "
        "AdditionalInformation 1,000."
    )
    assert [(one.line, one.text) for one in second.examples] == [(7, "x" * 119 + "…")]
    assert third.examples == []


@pytest.mark.parametrize(
    ("content", "column", "text"),
    [
        (b'a"b,c', None, 'a"b,c'),
        (b'"a"b,c', "Email", '"a"b,c'),
        (b"caf\xe9,x", "Email", r"caf\xe9"),
        (b",x", "Email", ""),
        (None, "Email", None),
        (b"a,b", "Other", "a,b"),
    ],
)
def test_what_is_shown_of_a_row(content: bytes | None, column: str | None, text: str | None) -> None:
    fault = RowFault(faults.NOT_A_DATE, column, None)

    (group,) = group_failures([FaultCount(fault.code, column, 1)], [row(1, content, fault)], HEADERS, COMMAS)

    assert [one.text for one in group.examples] == [text]


@pytest.mark.parametrize("code", faults.CODES)
def test_every_code_has_a_sentence_for_many_rows(code: str) -> None:
    sentence = faults.sentence_for_many(code, "First")

    assert "{" not in sentence
    assert "None" not in sentence
