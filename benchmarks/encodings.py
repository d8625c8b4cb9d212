"""Measure which files are read in their own encoding, which are refused, and which are read wrong."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Iterator
from itertools import permutations

from benchmarks.encodings_names import NAMES, WESTERN_LANGUAGES
from openprofiles.errors import InvalidRequest
from openprofiles.uploads.reading.detect_form import detect_form
from openprofiles.uploads.reading.file_form import FileOptions

ROWS = (5, 50, 300)
OUTCOMES = ("read", "refused", "wrong")
_MAX_UNPACKED_BYTES = 1 << 24


def make_file(language: str, rows: int, seed: int) -> str:
    """Make the text of a file; some rows have no letter beyond ASCII, as in real files."""
    chance = random.Random(f"{language} {rows} {seed}")
    _, *columns = NAMES[language]
    lists = [column.split() for column in columns]
    lines = ["Email;First name;Last name;City"]
    lines += [
        ";".join((f"customer{number}@example.com", *(chance.choice(names) for names in lists)))
        for number in range(1, rows + 1)
    ]
    return "\r\n".join(lines) + "\r\n"


def read_outcome(text: str, encoding: str) -> str:
    """Return whether the file is read as its text, refused, or read wrong."""
    content = text.encode(encoding)
    try:
        form = detect_form(io.BytesIO(content), FileOptions(), None, max_unpacked_bytes=_MAX_UNPACKED_BYTES)
    except InvalidRequest:
        return "refused"
    # Rows with bytes that are not valid fail one by one, which refuses them, too.
    try:
        return "read" if content.decode(form.encoding) == text else "wrong"
    except UnicodeDecodeError:
        return "refused"


def measure(files: int) -> Iterator[tuple[str, str, int, Counter[str]]]:
    """Yield language, encoding, rows, and how many files had each outcome."""
    for language, (encodings, *_) in NAMES.items():
        for encoding in encodings:
            for rows in ROWS:
                yield (
                    language,
                    encoding,
                    rows,
                    Counter(read_outcome(make_file(language, rows, seed), encoding) for seed in range(files)),
                )


def mixed_outcome(language: str, first: str, second: str, rows: tuple[int, int], seed: int) -> str | None:
    """Return what becomes of two files that were joined, in these encodings; None if both encodings read both.

    Rows that fail, since they are not valid in the detected encoding, are not read wrong.
    """
    texts = make_file(language, rows[0], seed), make_file(language, rows[1], seed + 1).partition("\r\n")[2]
    parts = [text.encode(encoding) for text, encoding in zip(texts, (first, second), strict=True)]
    if any(_decodes(part, other, text) for part, other, text in zip(parts, (second, first), texts, strict=True)):
        return None
    content = b"".join(parts)
    try:
        form = detect_form(io.BytesIO(content), FileOptions(), None, max_unpacked_bytes=_MAX_UNPACKED_BYTES)
    except InvalidRequest:
        return "refused"
    lines = "".join(texts).split("\r\n")
    encoded = content.split(b"\r\n")
    are_read = [_decodes(line, form.encoding, text) for line, text in zip(encoded, lines, strict=True)]
    return "wrong" if False in are_read else "rows failed"


def _decodes(content: bytes, encoding: str, text: str) -> bool | None:
    """Return whether the content is read as the text; None if it is not valid in the encoding."""
    try:
        return content.decode(encoding) == text
    except UnicodeDecodeError:
        return None


def mixed_table() -> str:
    """Measure joined files in all pairs of encodings; return the table of benchmarks/README.md."""
    outcomes = ("refused", "rows failed", "wrong")
    lines = ["| Joined files | refused | rows failed | wrong |", "| --- | --- | --- | --- |"]
    for rows in ((5, 5), (50, 50), (300, 20), (20, 300), (300, 300)):
        counts = Counter(
            mixed_outcome(language, first, second, rows, 300)
            for language, (encodings, *_) in NAMES.items()
            for first, second in permutations([*encodings, "utf-8"], 2)
        )
        lines.append(f"| {rows[0]} and {rows[1]} rows | {' | '.join(str(counts[one]) for one in outcomes)} |")
    return "\n".join(lines)


def measure_table(files: int = 40) -> str:
    """Measure and return the tables of benchmarks/README.md."""
    by_rows: dict[int, Counter[str]] = {rows: Counter() for rows in ROWS}
    western: dict[int, Counter[str]] = {rows: Counter() for rows in ROWS}
    lines = ["| Language, encoding | 5 rows | 50 rows | 300 rows |", "| --- | --- | --- | --- |"]
    cells: dict[str, list[str]] = {}
    for language, encoding, rows, outcomes in measure(files):
        by_rows[rows] += outcomes
        if encoding == "cp1252" and language in WESTERN_LANGUAGES:
            western[rows] += outcomes
        cells.setdefault(f"{language}, {encoding}", []).append(
            " / ".join(str(outcomes[outcome]) for outcome in OUTCOMES)
        )
    lines += [f"| {name} | {' | '.join(row)} |" for name, row in cells.items()]
    summary = ["| Files read / refused / wrong, % | 5 rows | 50 rows | 300 rows |", "| --- | --- | --- | --- |"]
    for name, counts in (("all", by_rows), ("Windows-1252 in eight western languages", western)):
        summary.append(
            f"| {name} | "
            + " | ".join(
                " / ".join(f"{100 * counts[rows][outcome] / counts[rows].total():.1f}" for outcome in OUTCOMES)
                for rows in ROWS
            )
            + " |"
        )
    return "\n".join((*summary, "", mixed_table(), "", *lines))
