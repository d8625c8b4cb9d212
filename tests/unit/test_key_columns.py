"""Keys of many profiles at a time: the same as those of one at a time."""

from __future__ import annotations

import json

import duckdb
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

import budgets
from openprofiles.bulk.key_columns import key_rules, sql_keys
from openprofiles.bulk.sql_functions import register_sql_functions
from openprofiles.bulk.stored_values import stored_value
from openprofiles.facts.keys import derived_keys
from openprofiles.facts.standard_profile import FIELD_BY_PATH, FULL_NAME_PATHS, KEY_PATHS

KEYED_PATHS = [path for paths in KEY_PATHS.values() for path in paths] + list(FULL_NAME_PATHS)
INDEXED = ("FirstName", "Attributes.a/b~'c", "Address.City")

value = st.one_of(
    st.none(),
    st.sampled_from(["Ada@x.com", "(555) 123-4567", "A  b", "\u00c9", " ", "n/a", "A\u200bda@x.com", "5551234567.0"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1),
)


@budgets.STATEMENTS
@given(values=st.fixed_dictionaries(dict.fromkeys([*KEYED_PATHS, "Address.City"], value)), attribute=value)
def test_the_keys_of_a_stored_profile_are_the_same_in_sql(values: dict[str, str | None], attribute: str | None) -> None:
    with duckdb.connect() as duck:
        duck.execute("set threads = 1")
        register_sql_functions(duck, "US")
        attributes = {"a/b~'c": attribute} if attribute else {}
        row = {FIELD_BY_PATH[path].column: [text] for path, text in values.items()}
        row["attributes"] = [json.dumps(attributes) if attributes else None]
        duck.register("stored", pa.table({name: pa.array(cells, pa.string()) for name, cells in row.items()}))

        found = {
            (name, key)
            for name, key, _ in duck.sql(
                sql_keys(key_rules([*values, INDEXED[1]], INDEXED), stored_value, "US", "stored", "1")
            ).fetchall()
        }

    present = {path: text for path, text in values.items() if text}
    assert found == set(derived_keys(present, attributes, "US", INDEXED))
