"""Byte order marks and Ctrl-Z that are left where files were joined."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.uploads.reading.stray_marks import without_stray_marks

MARK = b"\xef\xbb\xbf"
PIECES = st.sampled_from([MARK, b"\x1a", b"\n", b"\r\n", b"a,b", b" ", b'"', MARK[:1], MARK[:2], b"\xc3\xbf"])


@given(st.lists(PIECES, max_size=12), st.integers(1, 5))
def test_the_result_does_not_depend_on_the_parts(pieces: list[bytes], size: int) -> None:
    text = b"".join(pieces)
    kept = MARK if text.startswith(MARK) else b""
    expected = re.sub(rb"(?:\A|(?<=\n))(?:\xef\xbb\xbf|\x1a)+", b"", text.removeprefix(MARK))
    expected = re.sub(rb"\x1a(?=[\x1a \t\r\n]*\Z)", b"", expected)

    parts = [text[start : start + size] for start in range(0, len(text), size)]

    assert b"".join(without_stray_marks(parts)) == kept + expected


@pytest.mark.parametrize("end", [b"\x1a" * 100, b" \n" * 50_000])
def test_a_long_end_is_not_held_back(end: bytes) -> None:
    parts = [b"a\n", *(end for _ in range(20)), b"b\n"]

    assert b"".join(without_stray_marks(parts)).startswith(b"a\n")
