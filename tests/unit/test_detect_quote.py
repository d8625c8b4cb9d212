"""Single quotes are the quotes of a file only if its beginning proves it."""

from __future__ import annotations

import pytest

from openprofiles.uploads.reading.detect_quote import SingleQuotes, find_single_quotes

PLAIN = "".join(f"{number};Ann {number};x\n" for number in range(50))


@pytest.mark.parametrize(
    ("rows", "joins_lines"),
    [
        ("'1';'Ann';'x'\n'2';'Bo';''\n'3';'Cy';'y'\n", False),
        ("1;'Ann';x\n2;'Bo';\n3;'Cy';y\n4;Di;y\n", False),
        # The cell holds the delimiter, and is one only in quotes.
        (PLAIN + "1;'Ann; Bo';x\n", False),
        (PLAIN + "1;'it''s; so';x\n", False),
        (PLAIN + "1;'two\nlines';x\n", True),
        (PLAIN + "1;'two\nlines; and more';'it''s'\n", True),
    ],
)
def test_single_quotes_are_proven_by_most_cells_of_a_column_and_by_what_they_hold(rows: str, joins_lines: bool) -> None:
    text = ("No;Name;Note\n" + rows).encode()

    assert find_single_quotes(text, ";") == SingleQuotes(joins_lines)


@pytest.mark.parametrize(
    "rows",
    [
        PLAIN,
        PLAIN + "1;'Bob';x\n",
        PLAIN + "1;'Bob';x\n2;'tis;x\n",
        PLAIN + "1;O'Neil;x\n2;rock 'n' roll;x\n",
        PLAIN + "1;'tis the season;x\n" + PLAIN + "2;'twas;x\n",
        # A joined row would have too many cells.
        "1;'tis;x\n2;so';x\n",
        "1;'Ann';\"x; y\"\n" * 5,
        "1;'Bob';x\n",
        "",
    ],
)
def test_apostrophes_prove_nothing(rows: str) -> None:
    assert find_single_quotes(("No;Name;Note\n" + rows).encode(), ";") is None


@pytest.mark.parametrize("rows", ["1;'s-Hertogenbosch;\n2;O'Neil;x\n3;Cy;\"two\nlines\"\n", "'x'\t\r\n"])
def test_malformed_quotes_prove_nothing(rows: str) -> None:
    assert find_single_quotes(b"No;Name;Note\n" + rows.encode(), ";") is None


def test_bytes_that_are_not_utf_8_are_read_like_others() -> None:
    text = b"No;Name;Note\n" + b"1;'Ann\xff';'two\nlines'\n" * 3

    assert find_single_quotes(text, ";") == SingleQuotes(join_lines=True)
