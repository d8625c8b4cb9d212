"""Text that a program decoded incorrectly or escaped before it wrote the file is recognized."""

from __future__ import annotations

from html.entities import html5
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.cli.source_file import open_source
from openprofiles.uploads.loading.misread_rows import may_be_misread
from openprofiles.uploads.reading.file_form import FileOptions
from openprofiles.uploads.reading.misread_text import find_misread, has_escapes, sql_is_misread

DATABASE = duckdb.connect()
NAMES = ("J\u00fcrgen", "Jos\u00e9", "Citt\u00e0", "Mu\u00f1oz", "Stra\u00dfe", "Ren\u00e9e", "\u00d6zil", "M\u00e4rz")


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp850"])
@pytest.mark.parametrize("name", NAMES)
def test_a_misread_name_is_found(encoding: str, name: str) -> None:
    assert find_misread(name.encode().decode(encoding))
    assert may_be_misread(name.encode().decode(encoding).encode())


@pytest.mark.parametrize("text", ["\u0141ukasz", "Dvo\u0159\u00e1k", "\u0418\u0432\u0430\u043d"])
def test_a_misread_name_of_central_or_eastern_europe_is_found(text: str) -> None:
    assert find_misread(text.encode().decode("cp1252", "replace"))


@pytest.mark.parametrize(
    "text",
    [
        *NAMES,
        *("S\u00c3O PAULO", "IRM\u00c3\u201d", "CAF\u00c9\u201d", "\u00c5SA", "\u00c4\u2026", "NI\u00d1O"),
        *("R\u0102ZVAN", "\u00c2NGELA", "\u00de\u00d3R\u00d0UR", "\u00d6sterreich \u2013 \u00c4", "50 \u20ac"),
    ],
)
def test_a_right_text_is_not_taken_for_misread(text: str) -> None:
    assert not find_misread(text)


@pytest.mark.parametrize(
    "letter", sorted({letter for letter in "".join(NAMES) if not letter.isascii()} | set("\u0142\u0161"))
)
def test_an_escaped_letter_is_found(letter: str) -> None:
    texts = [f"Ab&#{ord(letter)};c", f"Ab\\u{ord(letter):04x}c", f"Ab{quote(letter)}c", f"Ab&#x{ord(letter):X};"]
    texts += [f"Ab&{name}c" for name, text in html5.items() if text == letter and name.endswith(";")]

    assert [text for text in texts if not find_misread(text) or not may_be_misread(text.encode())] == []


@pytest.mark.parametrize(
    "text",
    [
        "J?rgen",
        "M??ller Ltd",
        "Zo\u00e9 M?ller",
        "=?UTF-8?Q?J=C3=BCrgen?=",
        "=?utf-8?b?Wm/Dqw==?=",
        "J=C3=BCrgen",
        "O\\'Neil",
        "Pine Rd 12_x000D_",
    ],
)
def test_a_question_mark_for_a_letter_and_the_escapes_of_email_and_databases_are_found(text: str) -> None:
    assert find_misread(text)
    assert may_be_misread(f"7,{text},Ulm\n".encode())


@pytest.mark.parametrize(
    "text",
    [
        "https://x.example/page?ref",
        "page?ref=a",
        "page?utm_source",
        "Really? Yes",
        "?",
        "a? b",
        "C=C3",
        "1=?2",
        "\\'",
        "['a\\'b']",
    ],
)
def test_question_marks_and_signs_in_other_texts_are_not_damage(text: str) -> None:
    assert not find_misread(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "AT&T;",
            "R&D",
            "&",
            "Smith &amp Sons",
            "a&b;c",
            "100%",
            "%C3",
            "50%CE",
            "C:\\users",
            "CORP\\u1234",
            "CORP\\ufaber",
        ),
        *(
            "https://x.example/?q=m%C3%BC",
            "/m%C3%BC",
            "q=m%C3%BC",
            "<p>Smith &amp; Sons</p>",
            '["Ren\\u00e9"]',
            "x%20y",
        ),
    ],
)
def test_a_text_or_address_with_such_characters_is_not_taken_for_escaped(text: str) -> None:
    assert not find_misread(text)


def test_import_warns_of_misread_text_before_it_loads(tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"

    def doubts(text: str) -> list[str]:
        file.write_text(text, encoding="utf-8")
        with open_source(file, FileOptions(), None, 1 << 20) as source:
            return list(source.describe_doubts())

    assert doubts("Email,Name\na@x.example,J\u00fcrgen\n") == []
    (doubt,) = doubts("Email,Name\na@x.example,J\u00c3\u00bcrgen\n")
    assert doubt.startswith(
        "Some of the text seems to have been decoded incorrectly or escaped before the file was written"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<b>Ana</b>",
        '<a href="mailto:ana@x.example">ana@x.example</a>',
        "<span class='n'>Ana</span>",
        "<STRONG>Ana</STRONG>",
        "<strong></strong>",
        "[ana@x.example](mailto:ana@x.example)",
    ],
)
def test_a_value_that_is_formatted_for_a_page_is_found(text: str) -> None:
    assert find_misread(text)
    assert has_escapes(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "<p>Met at the fair.</p>",
        "Prefers <b>email</b> to calls",
        "<ana@x.example>",
        "a < b > c",
        "<b>",
        "[1] (see b)",
        "Ana [Sales](HQ)",
        "Call back<br>",
        '<a href="https://x.example">Website</a>',
        "[Offer](https://x.example/a)",
        "see [page](https://x.example/a) first",
    ],
)
def test_a_note_in_html_and_signs_in_other_texts_are_not_formatted_values(text: str) -> None:
    assert not find_misread(text)


PARTS = st.sampled_from(
    [*"aB1_ '</=?\"{%&;\n\x1f\ufffd\x83", *"\u00c3\u00c2\u00bc\u00bb\u00e2\u20ac\u0102\u0178\u221a\u251c\u2557"]
)
ESCAPES = st.sampled_from(
    [
        "&amp;",
        "&#39;",
        "&Uuml;",
        "&szlig;",
        "\\u00e9",
        "\\u2019",
        "\\u4e2d",
        "%C3",
        "%bc",
        "%E2%82",
        "=C3=BC",
        "_x000D_",
        "a?b",
        "\\'",
        "=?utf-8?q?",
        "<b>",
        "</b>",
        "<a href=mailto:x>",
        "</a>",
        "[x](mailto:",
        ")",
    ]
)


@given(st.lists(st.lists(PARTS | ESCAPES, max_size=9).map("".join), max_size=9))
def test_python_duckdb_and_the_quick_look_at_bytes_agree(texts: list[str]) -> None:
    found = DATABASE.execute(
        f"select {sql_is_misread('text')} from (select unnest(?::varchar[]) as text)", [texts]
    ).fetchall()

    assert [is_misread for (is_misread,) in found] == [find_misread(text) is not None for text in texts]
    # The quick look only leaves parts of the file out.
    assert all(may_be_misread(text.encode()) for text in texts if find_misread(text))
