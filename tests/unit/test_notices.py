"""The sentences about rows that are loaded with an outcome that the user may not expect."""

from __future__ import annotations

from openprofiles.uploads.notices import SHORT_ROWS, Notice, notice_sentence


def test_a_sentence_names_the_option_where_its_reader_has_it() -> None:
    notice = Notice(SHORT_ROWS, None, 2, (3, 5))

    assert notice_sentence(notice, "Email").endswith("(lines 3, 5). To reject such rows, use --short-rows reject.")
    assert notice_sentence(notice, "Email", short_rows_option="choose “They fail”").endswith(
        "To reject such rows, choose “They fail”."
    )
