"""Cells such as ``="00123"``, whose value is the text between the quotes."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.uploads.reading.file_form import STRICT_OPTIONS
from openprofiles.uploads.reading.file_sample import sample_beginning
from openprofiles.uploads.reading.text_formulas import sql_text_of_formula, text_of_formula

DATABASE = duckdb.connect()


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('="00123"', "00123"),
        ('="say ""hi"""', 'say "hi"'),
        ('="a\nb"', "a\nb"),
        ('=""', ""),
        ('="a"&"b"', '="a"&"b"'),
        (' ="01"', "01"),
        ('="01"\u00a0', "01"),
        ('\t\'="01" ', "01"),
        ('"="01"', '"="01"'),
        ("''=\"01\"", "''=\"01\""),
        ('="01" and more', '="01" and more'),
        ('="', '="'),
        ('="""', '="""'),
        ("=1+1", "=1+1"),
    ],
)
def test_the_value_of_a_text_formula_is_its_text(cell: str, text: str) -> None:
    assert text_of_formula(cell) == text


@given(st.lists(st.text(st.sampled_from("=\"'aé\n \u00a0")), max_size=20))
def test_python_and_duckdb_find_the_same_text(cells: list[str]) -> None:
    found = DATABASE.execute(
        f"select {sql_text_of_formula('cell')} from (select unnest(?::varchar[]) as cell)", [cells]
    ).fetchall()

    assert [text for (text,) in found] == list(map(text_of_formula, cells))


def test_the_sample_and_the_header_have_the_texts_unless_aws_reads_the_file() -> None:
    data = b'="No","=""Zip"""\n="007","=""00501"""\n'

    _, sample = sample_beginning(data)
    _, strict = sample_beginning(data, STRICT_OPTIONS, strict=True)

    assert (sample.headers, sample.rows) == (["No", "Zip"], [["007", "00501"]])
    assert (strict.headers, strict.rows) == (['="No"', '="Zip"'], [['="007"', '="00501"']])
