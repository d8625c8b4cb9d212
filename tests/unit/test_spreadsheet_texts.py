"""Texts that a spreadsheet would calculate: which ones get an apostrophe, and that it is removed again."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.uploads.failures.spreadsheet_texts import (
    add_apostrophe,
    needs_apostrophe,
    remove_apostrophe,
    sql_remove_apostrophe,
)

DATABASE = duckdb.connect()
TEXTS = st.text(st.sampled_from("'=@+-\t\r\n 0aé(),./\ufffd"), max_size=6) | st.text()


@pytest.mark.parametrize(
    "text",
    ["=1+1", "@sum(1)", "\ttab", "\rreturn", "'quoted'", "''", "+cmd|' /C calc'!A0", "-1+2", "+49-30-123", "-a", "+\n"],
)
def test_a_text_that_a_spreadsheet_would_calculate_gets_an_apostrophe(text: str) -> None:
    assert add_apostrophe(text) == "'" + text


@pytest.mark.parametrize(
    "text",
    ["", "Ada", "a=b", " =1", "+49 30 123456", "+1 (555) 010", "-5", "-1,234.50", "+", "-", "- 5", "a'b"],
)
def test_every_other_text_stays_as_it_is(text: str) -> None:
    assert add_apostrophe(text) == text


@pytest.mark.parametrize("text", ["'Ada", "'5", "'", "'+49 30 123456"])
def test_an_apostrophe_that_was_not_added_is_not_removed(text: str) -> None:
    assert remove_apostrophe(text) == text


@given(TEXTS)
def test_every_text_is_read_back_as_it_was(text: str) -> None:
    assert remove_apostrophe(add_apostrophe(text)) == text
    assert not needs_apostrophe(add_apostrophe(text)) or add_apostrophe(text).startswith("'")


@given(st.lists(TEXTS.filter(lambda text: "\0" not in text), max_size=20))
def test_python_and_duckdb_remove_the_same_apostrophes(texts: list[str]) -> None:
    # Those that were written, and those that stand there otherwise.
    texts += [add_apostrophe(text) for text in texts]

    found = DATABASE.execute(
        f"select {sql_remove_apostrophe('cell')} from (select unnest(?::varchar[]) as cell)", [texts]
    ).fetchall()

    assert [row[0] for row in found] == [remove_apostrophe(text) for text in texts]
