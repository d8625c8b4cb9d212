"""Which values cannot identify a customer, in Python and in the SQL for a file of millions."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

import budgets
from openprofiles.facts.placeholders import (
    PLACEHOLDERS,
    is_leftover,
    is_placeholder,
    is_shortened_number,
    sql_is_leftover,
    sql_is_placeholder,
    sql_is_shortened_number,
)

DATABASE = duckdb.connect()
SHORTENED = ["4.91512E+11", "1E+11", "4,9E+11", "9e+100", " 1.0E+12\u00a0"]
IDS = ["12E4", "1E11", "E+11", "12.5E+11", "1E+1", "1E+1000", "NULLA", "n/a n/a", "Nan Goldin", "0", "--x", "cus_1E+11"]
LEFTOVERS = [
    "#NV",
    "#BEZUG!",
    "#\u00a1VALOR!",
    "#\u00bfNOMBRE?",
    "#N/D",
    "#GETTING_DATA",
    " #REF!\u00a0",
    "####",
    "Err:502",
    '"',
]
LEFTOVERS += [
    "[object Object]",
    "{{first_name}}",
    "\u00abVorname\u00bb",
    "<<First Name>>",
    "%FIRST_NAME%",
    "*|FNAME|*",
    "''",
]
VALUES = [
    "#1020",
    "###",
    "#WOW!",
    "\u00ab\u0413\u0430\u0437\u043f\u0440\u043e\u043c\u00bb",
    "\u00abEtoile\u00bb",
    "100%",
    "'",
    "(206) 555-0100",
]
VALUES += ["#nv", "Err", "{a}", "x {{y}}", "#NV 2", "5'", "<null>", "%%", "[object]", "**"]


@pytest.mark.parametrize("text", [*PLACEHOLDERS, "NULL", "N/A", "None", " NaN\u00a0", "\ufeff-\t", "#DIV/0!"])
def test_a_placeholder_identifies_nobody(text: str) -> None:
    assert is_placeholder(text)
    assert not is_shortened_number(text)


@pytest.mark.parametrize("text", SHORTENED)
def test_a_number_that_a_spreadsheet_has_shortened_identifies_nobody(text: str) -> None:
    assert is_shortened_number(text)
    assert not is_placeholder(text)


@pytest.mark.parametrize("text", IDS)
def test_an_id_that_looks_similar_is_a_value(text: str) -> None:
    assert not is_placeholder(text)
    assert not is_shortened_number(text)


@pytest.mark.parametrize("text", LEFTOVERS)
def test_what_a_program_leaves_instead_of_a_value_identifies_nobody(text: str) -> None:
    assert is_leftover(text)


@pytest.mark.parametrize("text", [*VALUES, *IDS])
def test_a_value_that_looks_similar_is_not_a_leftover(text: str) -> None:
    assert not is_leftover(text)


def case_variants(texts: list[str]) -> st.SearchStrategy[str]:
    blanks = st.sampled_from(["", " ", "\u00a0", "\u3000\ufeff", " " * 70])
    change = st.sampled_from([str.upper, str.lower, str.title, lambda text: text.replace("n", "\u0131")])
    return st.builds(
        lambda text, changed, before, after: before + changed(text) + after,
        st.sampled_from(texts),
        change,
        blanks,
        blanks,
    )


@budgets.QUERIES
@given(
    texts=st.lists(
        st.text() | case_variants([*PLACEHOLDERS, *SHORTENED, *IDS, *LEFTOVERS, *VALUES]), min_size=40, max_size=60
    )
)
def test_the_sql_agrees_with_python(texts: list[str]) -> None:
    texts = [text for text in texts if "\0" not in text]
    found = DATABASE.execute(
        f"select {sql_is_placeholder('text')}, {sql_is_shortened_number('text')}, {sql_is_leftover('text')} "
        "from (select unnest(?::varchar[]) as text)",
        [texts],
    ).fetchall()

    assert found == [(is_placeholder(text), is_shortened_number(text), is_leftover(text)) for text in texts]
