"""What the failed rows of a job failed for, the reasons grouped, with the first rows that have each as examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from openprofiles.master_key import MasterKey
from openprofiles.profiles.session import Reading
from openprofiles.store.upload_jobs import RowFault
from openprofiles.uploads import jobs
from openprofiles.uploads.failures.failed_rows_csv import split_row
from openprofiles.uploads.failures.faults import sentence_for_many
from openprofiles.uploads.job_report import FaultCount, JobReport
from openprofiles.uploads.jobs import FailedRow
from openprofiles.uploads.reading.dialect import Dialect

EXAMPLES_PER_GROUP = 3

_SHOWN_CHARACTERS = 120
_REASONS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Example:
    """A failed row.

    Attributes:
        line: of the file, from 1.
        text: the value at fault, or the row as a whole where no column is; cut, and None if it was not kept. Bytes that
            are not UTF-8 are written as ``\\xe9``.
    """

    line: int
    text: str | None


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """All rows that have one fault in one column."""

    code: str
    column_name: str | None
    count: int
    sentence: str
    examples: list[Example] = field(default_factory=list)


def read_failures(session: Reading, master_key: MasterKey, report: JobReport) -> tuple[list[FailureGroup], int, bool]:
    """Return why rows failed.

    Returns:
        the most frequent reasons, how many more there are, and whether the rows are still kept.
    """
    if not report.fault_counts:
        return [], 0, False
    job_id = report.job.job_id
    headers, dialect = jobs.read_file_columns(session, job_id)
    counts = report.fault_counts[:_REASONS_SHOWN]
    rows = jobs.list_example_rows(
        session,
        master_key,
        job_id,
        [(one.code, one.column_name, one.first_record) for one in counts],
        rows_per_reason=EXAMPLES_PER_GROUP,
    )
    return group_failures(counts, rows, headers, dialect), len(report.fault_counts) - len(counts), bool(rows)


def group_failures(
    counts: Sequence[FaultCount], rows: Sequence[FailedRow], headers: Sequence[str], dialect: Dialect
) -> list[FailureGroup]:
    """Make a group for each count, in their order, with examples from the given rows.

    Args:
        counts: of an account, perhaps only the first.
        rows: some failed rows.
        headers: the names of the columns of the file.
        dialect: of the rows.
    """
    groups = {
        (one.code, one.column_name): FailureGroup(
            one.code, one.column_name, one.count, sentence_for_many(one.code, one.column_name)
        )
        for one in counts
    }
    for row in rows:
        for fault in row.faults:
            group = groups.get((fault.code, fault.column_name))
            if group is not None and len(group.examples) < EXAMPLES_PER_GROUP:
                group.examples.append(Example(row.line, _text_of(row, fault, headers, dialect)))
    return list(groups.values())


def _text_of(row: FailedRow, fault: RowFault, headers: Sequence[str], dialect: Dialect) -> str | None:
    if row.content is None:
        return None
    cells, _ = split_row(row.content, headers, dialect)
    if cells and fault.column_name in headers:
        text = cells[headers.index(fault.column_name)]
    else:
        text = row.content[: _SHOWN_CHARACTERS * 4].decode("utf-8", "surrogateescape")
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return shown.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
