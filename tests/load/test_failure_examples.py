"""Examples of what failed: each reason has some, wherever in the file its rows are and however many others failed."""

from __future__ import annotations

import json

from sqlalchemy import update

import by_hand
from load.loading import Shop
from load.oracle import Column
from openprofiles.store.tables import upload_job
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs
from openprofiles.uploads.failures.failure_groups import FailureGroup, group_failures
from openprofiles.uploads.job_report import read_report

COLUMNS = (Column("Email", "EmailAddress"), Column("First", "FirstName"))
LONG = "x" * 300
BLANKS = 1000


def groups(shop: Shop, job: UploadJob) -> list[FailureGroup]:
    counts = by_hand.read(shop.store, shop.domain, read_report, job.job_id).fault_counts
    rows = by_hand.read(
        shop.store,
        shop.domain,
        jobs.list_example_rows,
        shop.place.master_key,
        job.job_id,
        [(one.code, one.column_name, one.first_record) for one in counts],
        rows_per_reason=3,
    )
    headers, dialect = by_hand.read(shop.store, shop.domain, jobs.read_file_columns, job.job_id)
    return group_failures(counts, rows, headers, dialect)


def load_in_blocks(shop: Shop) -> UploadJob:
    """Many rows that fail for one reason, then some good ones, a few that fail for another, and one for a third."""
    blank = ",Nobody\n" * BLANKS
    good = "".join(f"{number}@x,Ann\n" for number in range(50))
    long = "".join(f"long{number}@x,{LONG}\n" for number in range(5))
    return shop.load(COLUMNS, "Email", f"Email,First\n{blank}{good}{long}a@x,b,c\n".encode())


def test_rows_that_fail_for_another_reason_far_behind_are_examples_too(shop: Shop) -> None:
    first, second, third = groups(shop, load_in_blocks(shop))

    assert (first.code, first.count) == ("MISSING_UNIQUE_KEY", BLANKS)
    assert [example.line for example in first.examples] == [2, 3, 4]
    assert (second.column_name, second.count) == ("First", 5)
    behind = BLANKS + 52
    assert [example.line for example in second.examples] == [behind, behind + 1, behind + 2]
    assert all(example.text is not None and example.text.startswith("xxx") for example in second.examples)
    assert (third.column_name, third.count) == (None, 1)
    assert [(example.line, example.text) for example in third.examples] == [(behind + 5, "a@x,b,c")]


def test_a_job_of_an_earlier_version_has_examples_of_its_first_failed_rows(shop: Shop) -> None:
    job = load_in_blocks(shop)
    with shop.store.write() as connection:
        counts = [
            [one.code, one.column_name, one.count]
            for one in by_hand.read(shop.store, shop.domain, read_report, job.job_id).fault_counts
        ]
        connection.execute(
            update(upload_job)
            .where(upload_job.c.job_number == job.job_number)
            .values(fault_counts=json.loads(json.dumps(counts)))
        )

    assert [len(group.examples) for group in groups(shop, job)] == [3, 0, 0]


def test_a_row_with_several_faults_is_an_example_of_each(shop: Shop) -> None:
    columns = (*COLUMNS, Column("Last", "LastName"))
    job = shop.load(columns, "Email", f"Email,First,Last\na@x,{LONG},{LONG}\n".encode())

    assert [[example.line for example in group.examples] for group in groups(shop, job)] == [[2], [2]]
