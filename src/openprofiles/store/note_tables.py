"""The tables in which a job notes what it finds and does: rows that begin with the number of the job."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class NoteTable:
    """A table of notes.

    Attributes:
        name: of the table. See ``tables``.
        rows: its other columns.
        may_be_there: whether rows may be there already; those stay.
    """

    name: str
    rows: pa.Schema
    may_be_there: bool = False


_NUMBER, _TEXT = pa.int64(), pa.string()

FAILED_ROWS = NoteTable(
    "failed_row",
    pa.schema(
        {
            "record": _NUMBER,
            "fault": pa.int32(),
            "line": _NUMBER,
            "code": _TEXT,
            "column_name": _TEXT,
            "detail": _NUMBER,
            "content": pa.binary(),
        }
    ),
)
REPEATED_ROWS = NoteTable(
    "repeated_row",
    pa.schema(dict.fromkeys(("record", "line", "first_record", "first_line"), _NUMBER)),
    may_be_there=True,
)
ORDERED_RECORDS = NoteTable("ordered_record", pa.schema({"record": _NUMBER}), may_be_there=True)
PREVIEW_SAMPLES = NoteTable("preview_sample", pa.schema({"number": _NUMBER, "content": pa.binary()}))
ABSENT_KEYS = NoteTable(
    "undo_absent_key", pa.schema({"name": _TEXT, "value": _TEXT, "pid": _NUMBER}), may_be_there=True
)
KEPT_PROFILES = NoteTable(
    "undo_kept_profile", pa.schema({"pid": _NUMBER, "profile_id": _TEXT, "was_created": pa.bool_()})
)
