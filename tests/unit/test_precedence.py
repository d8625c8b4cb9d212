"""Which source wins a field, and that Python and SQL agree about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.facts.precedence import FILE, HAND, OVERWRITING_FILE, PROTECTED, Source, sql_set_by_hand

SOURCES = {"hand": HAND, "file": FILE, "overwriting file": OVERWRITING_FILE}
PATHS = ("FirstName", "Attributes.it's", "Attributes.", "Address.City")
STORED = "stored.origins"

some_paths = st.frozensets(st.sampled_from(PATHS))
# Set by hand, or given by objects whose type has a priority.
some_kept = st.frozensets(st.sampled_from(PATHS + tuple(PROTECTED + path for path in PATHS)))


@pytest.fixture(scope="module")
def duck() -> Iterator[Any]:
    connection = duckdb.connect()
    yield connection
    connection.close()


def in_sql(duck: Any, expression: str, set_by_hand: frozenset[str]) -> Any:
    # As the store has it: null if no field was set by hand.
    origins = json.dumps(sorted(set_by_hand)) if set_by_hand else None
    duck.execute("create or replace temp table stored as select ?::varchar as origins", [origins])
    return duck.execute(f"select {expression} from stored").fetchone()[0]


@pytest.mark.parametrize(
    ("source", "set_by_hand", "wins"),
    [
        ("hand", {"LastName"}, True),
        ("file", {"LastName"}, False),
        ("file", {"FirstName"}, True),
        ("overwriting file", {"LastName"}, True),
        ("hand", {"=LastName"}, True),
        ("file", {"=LastName"}, False),
        ("overwriting file", {"=LastName", "LastName"}, False),
        ("file", {"=FirstName"}, True),
    ],
)
def test_a_file_yields_to_a_person_unless_it_overwrites(source: str, set_by_hand: set[str], *, wins: bool) -> None:
    assert SOURCES[source].wins("LastName", set_by_hand) is wins


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("hand", {"LastName", "Attributes.tier"}),
        ("file", {"LastName", "FirstName"}),
        ("overwriting file", {"LastName"}),
    ],
)
def test_a_person_sets_what_has_a_value_and_releases_what_is_cleared(source: str, left: set[str]) -> None:
    written = {"FirstName": False, "Attributes.tier": True}

    assert SOURCES[source].leaves_set_by_hand(written, {"LastName", "FirstName"}) == left


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
@given(set_by_hand=some_kept)
def test_python_and_sql_agree_on_who_wins(duck: Any, source: Source, set_by_hand: frozenset[str]) -> None:
    for path in PATHS:
        found = in_sql(duck, source.sql_wins(path, sql_set_by_hand(STORED)), set_by_hand)

        assert found is source.wins(path, set_by_hand)


@pytest.mark.parametrize("source", [FILE, OVERWRITING_FILE], ids=["file", "overwriting file"])
@given(set_by_hand=some_kept, mapped=some_paths, written=some_paths)
def test_python_and_sql_agree_on_what_a_file_leaves(
    duck: Any, source: Source, set_by_hand: frozenset[str], mapped: frozenset[str], written: frozenset[str]
) -> None:
    conditions = {path: str(path in written).lower() for path in mapped}

    found = in_sql(duck, source.sql_leaves_set_by_hand(conditions, sql_set_by_hand(STORED)), set_by_hand)

    assert set(found) == source.leaves_set_by_hand(dict.fromkeys(mapped & written, True), set_by_hand)
