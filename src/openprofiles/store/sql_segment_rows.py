"""What the query of an SQL segment reads: columns of the profiles of a domain, as Arrow batches of texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from openprofiles.expressions.tree import EVERYBODY
from openprofiles.facts.standard_profile import FIELD_BY_PATH, attribute_of_target
from openprofiles.store.export_rows import ExportRows
from openprofiles.store.expressions.conditions import Surroundings
from openprofiles.store.expressions.fragments import Sql, sql
from openprofiles.store.segment_rows import engine_tests, members_condition

ROW_NUMBER = "pid"


def read_profile_columns(
    rows: ExportRows, domain_id: int, surroundings: Surroundings, columns: Mapping[str, str]
) -> Iterator[pa.RecordBatch]:
    """Read columns of the unexpired profiles of a domain, the row number first.

    Args:
        columns: by name: the path of a field or attribute, ``profile_id``, or a time, which is read in milliseconds.
    """
    tests = engine_tests(rows.dialect)

    def value(source: str) -> Sql:
        attribute = attribute_of_target(source)
        if attribute:
            return tests.attribute(attribute)
        return Sql(f"p.{FIELD_BY_PATH[source].column}" if source in FIELD_BY_PATH else f"cast(p.{source} as text)")

    members = members_condition(rows.dialect, domain_id, EVERYBODY, surroundings)
    values = [Sql("cast(p.pid as text)"), *map(value, columns.values())]
    return rows.read(values, [ROW_NUMBER, *columns], sql("from profile p where {0}", members))
