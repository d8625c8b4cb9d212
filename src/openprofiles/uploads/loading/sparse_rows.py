"""Find rows that are probably not customers: totals, headings of sections, and notes of a report.

Such a row has hardly any value besides the text in the column of the unique key, while most rows have many. It is
loaded, since it may be a customer about whom little is known, and counted for the user.
"""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.facts.sql_text import sql_text
from openprofiles.uploads.loading.noticed_values import count_loaded_rows
from openprofiles.uploads.loading.value_looks import sql_common_looks, sql_differs
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import SPARSE_ROWS, Notice

_FEWEST_FIELDS = 2
# With fewer fields, a row with its unique key alone is nothing special.
_FEWEST_FIELDS_OF_LONE_KEY = 3
_FEWEST_USUAL_ROWS = 10
# So many of the rows must have values in more than half of the fields.
_USUAL_SHARE = 0.8
_MOST_USUAL_ROWS = 10_000
# The first word of a line of totals, or of a note at the end of a report.
_NOT_A_CUSTOMER = (
    r"(?i)^[^\pL]*(grand )?(sub)?(total|totals|totale|totaal|totaux|totalt|sum|summe|zwischensumme|gesamt|gesamtsumme|"
    r"somme|suma|razem|count|anzahl|records|rows|printed|generated|exported|created|page|end of)([^\pL]|$)"
)


def create_sparse_rows_table(scratch: ScratchCursor) -> None:
    """Create the table of rows that ``find_sparse_rows`` fills, so that no other notice counts them again."""
    scratch.run("create or replace temp table sparse_row (record bigint, line bigint)")


def find_sparse_rows(scratch: ScratchCursor, mapping: UploadMapping) -> list[Notice]:
    """Count the rows that are loaded although they are probably not customers; the plan must be made."""
    field_count = len(mapping.fields)
    if field_count < _FEWEST_FIELDS or scratch.record_count < _FEWEST_USUAL_ROWS:
        return []
    key = f"v{mapping.fields.index(mapping.unique_key)}"
    filled = " + ".join(f"coalesce((v{index} <> '')::smallint, 0)" for index in range(field_count))
    is_lone_key = f"{filled} = 1" if field_count >= _FEWEST_FIELDS_OF_LONE_KEY else "false"
    is_usual = f"2 * ({filled}) > {field_count}"
    total, usual = scratch.only_row(f"select count(*), count(*) filter ({is_usual}) from staged where key is not null")
    if not _FEWEST_USUAL_ROWS <= usual < total or usual < _USUAL_SHARE * total:
        return []
    scratch.run(
        f"""
        insert into sparse_row
        with usual as (
            select {key} as value from staged where key is not null and {is_usual} limit {_MOST_USUAL_ROWS}
        ), look as (
            select {sql_common_looks("value", "key")} from usual
        )
        select record, line from staged anti join failed using (record), look
        where key is not null and not ({is_usual}) and (
            {is_lone_key} or regexp_matches({key}, {sql_text(_NOT_A_CUSTOMER)})
            or {sql_differs(key, "key", _FEWEST_USUAL_ROWS)}
        )
        """
    )
    return count_loaded_rows(scratch, SPARSE_ROWS, None, "sparse_row")
