"""Find signs that a file is cut off in the unique key of its last row, such as by a download that broke off.

``ann@example.co`` passes every check, and a customer number without its last digits is one. Many whole files have no
line end after the last row either, so the key itself must look cut off.
"""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor

_FEWEST_KEYS = 20


def find_cut_off_line(
    scratch: ScratchCursor, last_record: int, key_value: str, key_column: int, column_count: int
) -> int | None:
    """Return the line of the last row if its unique key may be cut off, in a file without a line end at its end.

    Args:
        key_value: the column of ``staged`` with the value of the unique key.
        key_column: the column of the file with the unique key.
        column_count: of the header.
    """
    rows = scratch.connection.execute(
        f"select line, lower({key_value}) from staged left join short_row using (record, line) "
        f"where record = ? and key is not null and coalesce(cells, {column_count}) = {key_column} + 1",
        [last_record],
    ).fetchall()
    if not rows:
        return None
    line, key = rows[0]
    # Of an email address, the domain shows it.
    domain = key[key.rfind("@") :] if "@" in key else ""
    count, shortest, same, longer = scratch.only_row(
        f"""
        select count(*), min(length({key_value})), count(*) filter (ends_with(lower({key_value}), ?)),
            count(*) filter (contains(lower({key_value}), ?))
        from staged where key is not null and record <> ?
        """,
        [domain, domain, last_record],
    )
    is_part_of_domain = domain != "" and same == 0 < longer
    return int(line) if count >= _FEWEST_KEYS and (len(key) < shortest or is_part_of_domain) else None
