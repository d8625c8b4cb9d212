"""Describe the other customers of the rows that a notice counts."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute

from openprofiles.store.bulk_protocols import ProfileReader


def describe_others(reader: ProfileReader, rows: pa.Table) -> tuple[str, ...]:
    """Name the other customer of each row: "line 3", or "profile ..." for a stored one.

    Args:
        rows: ``other_line``, the line of the other row or null; and ``pid``, the row number of the stored profile.
    """
    pids = pa.compute.unique(rows["pid"].combine_chunks().drop_null().cast(pa.int64())).sort()
    profiles = reader.read_profiles(pids, ["profile_id"]).to_pylist()
    id_of = {profile["pid"]: profile["profile_id"] for profile in profiles}
    return tuple(
        f"line {row['other_line']:,}" if row["other_line"] is not None else f"profile {id_of.get(row['pid'])}"
        for row in rows.select(["other_line", "pid"]).to_pylist()
    )
