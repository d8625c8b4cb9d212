"""Detect the encoding of a text that is neither ASCII nor UTF-8, or refuse to.

Each possible encoding decodes the words that have bytes beyond ASCII. For each language that uses the encoding, the
words get a likelihood: from the letters of the language, from what stands around them, and from what never occurs,
such as capital letters and symbols inside words. The best encoding is taken if the next one that gives a
different text is clearly less likely.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.reading.encoding_likelihood import (
    BEYOND_ASCII,
    encodings,
    is_east_asian,
    prior,
    score_encodings,
)
from openprofiles.uploads.reading.file_form import canonical_encoding

# A vertical bar can be the second byte of a character in East Asian encodings, so it does not separate words here.
_SEPARATORS_TO_BLANKS = bytes.maketrans(b',;"' + bytes(range(32)), b" " * 35)
_ASCII_BYTES = bytes(range(128))
_MAX_WORDS = 250
_FIRST_WORDS = 50
_MAX_CUT_LINE_BYTES = 1 << 16
_MAX_WORD_BYTES = 200
# Of each byte that comes only later in the file, this many words are read in addition.
_LATER_WORDS = 20
_EXAMPLES = 2

# How much the best must be above the next to be taken, and to be taken without a word.
_CLEAR = 4.5
# One word may look like a word of another language, so few words must be clearer, except in the usual encoding.
_CLEAR_IN_FEW_WORDS = 4.0
_PLAIN = 12.0
# The average of a character below which even the best is not a text of any known language. A character of an East
# Asian script is one of thousands, so each of them is less likely.
_IMPLAUSIBLE, _IMPLAUSIBLE_EAST_ASIAN = -6.0, -8.5
_KEPT_BELOW_BEST = 45.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An encoding that may be that of the file, with some of its words as the encoding decodes them."""

    encoding: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EncodingGuess:
    """The likeliest encoding.

    Attributes:
        candidates: the likely encodings that give different texts, the likeliest first.
        is_clear: whether the first is likely enough to read the file with it.
        is_plain: whether the first is so likely that nobody need be asked to look.
    """

    candidates: tuple[Candidate, ...]
    is_clear: bool
    is_plain: bool


class EncodingUnclear(InvalidRequest):
    """The encoding of the file cannot be detected.

    The message names encodings only. The candidates show words of the file, which only its sender may see.

    Attributes:
        reason: the message without what can be done about it.
        advice: what can be done, instead of naming the encoding, as the end of a sentence.
    """

    advice = "save the file as UTF-8"

    def __init__(self, candidates: tuple[Candidate, ...], *, is_ascii: bool = False) -> None:
        names = ", ".join(one.encoding for one in candidates)
        cause = (
            "it is ASCII, but has what looks like letters in a 7-bit encoding"
            if is_ascii
            else "it is not UTF-8, and it cannot be determined from the text"
        )
        self.reason = f"The encoding of the file is unclear: {cause}." + (
            f" Likely encodings: {names}." if names else ""
        )
        super().__init__(f"{self.reason} Name the encoding, or {self.advice}.")
        self.candidates = candidates


class EncodingsMixed(EncodingUnclear):
    """Parts of the file have different encodings, as if files had been joined.

    Args:
        found: the encodings, with words that each decodes differently, and the line on which each is found first.
    """

    advice = "convert each part to UTF-8 before you join them"

    def __init__(self, found: Sequence[tuple[Candidate, int]]) -> None:
        parts = " and ".join(f"{candidate.encoding} (line {line:,})" for candidate, line in found)
        self.reason = f"Parts of the file have different encodings: {parts}."
        InvalidRequest.__init__(self, f"{self.reason} Name one encoding for the whole file, or {self.advice}.")
        self.candidates = tuple(candidate for candidate, _ in found)


def describe_candidates(candidates: Iterable[Candidate]) -> str:
    """Show the examples of each encoding to the owner of the file: ``cp1250: Łukasz, Żak; windows-1252: £ukasz, ¯ak``.

    Never store or log it: the examples are customers' data.
    """
    return "; ".join(f"{one.encoding}: {', '.join(one.examples)}" for one in candidates if one.examples)


class StrangeWords:
    """The words of a file that have bytes beyond ASCII, in the order of the file."""

    def __init__(self) -> None:
        self._lines: dict[bytes, int] = {}
        # The bytes beyond ASCII that were found so far.
        self._seen: set[int] = set()
        # The line that the last part ends within, if it is not too long.
        self._cut_line = b""

    @property
    def has_cut_line(self) -> bool:
        """Whether the next part is needed although it is ASCII: a word of the last one may continue in it."""
        return not self._cut_line.isascii()

    def add(self, part: bytes, *, first_line: int = 1, is_last: bool = False) -> None:
        """Take the words of the next part of the file.

        Args:
            first_line: the line on which the part begins.
        """
        lines = self._cut_line + part
        self._cut_line = b""
        if not is_last and (end := _last_line_end(lines)) >= 0:
            if len(lines) - end <= _MAX_CUT_LINE_BYTES:
                self._cut_line = lines[end + 1 :]
            lines = lines[:end]
        if lines.isascii():
            return
        found = set(lines.translate(None, _ASCII_BYTES + bytes(self._seen)))
        if not found and len(self._lines) >= _MAX_WORDS:
            return
        # Without a regular expression, which would be slow in a word of a megabyte.
        strange = [
            word[:_MAX_WORD_BYTES] for word in lines.translate(_SEPARATORS_TO_BLANKS).split() if not word.isascii()
        ]
        taken = islice((word for word in dict.fromkeys(strange) if word not in self._lines), _MAX_WORDS)
        self._take(list(taken)[: max(0, _MAX_WORDS - len(self._lines))], lines, first_line)
        self._seen.update(byte for word in self._lines for byte in word if byte >= 128)
        for byte in sorted(found - self._seen):
            self._take(list(islice((word for word in strange if byte in word), _LATER_WORDS)), lines, first_line)
        self._seen |= found

    def _take(self, words: Sequence[bytes], lines: bytes, first_line: int) -> None:
        """Keep words with their lines; they are in the order of the text."""
        line_end = b"\n" if b"\n" in lines else b"\r"
        line, offset = first_line, 0
        for word in words:
            found = lines.index(word, offset)
            line, offset = line + lines.count(line_end, offset, found), found
            self._lines.setdefault(word, line)

    @property
    def words(self) -> list[bytes]:
        return list(self._lines)

    @property
    def lines(self) -> Mapping[bytes, int]:
        """The line on which each word first occurs."""
        return self._lines


def _last_line_end(part: bytes) -> int:
    return max(part.rfind(b"\n"), part.rfind(b"\r"))


def guess_encoding(words: list[bytes], region: str | None = None) -> EncodingGuess:
    """Guess the encoding of words that are not UTF-8.

    Args:
        region: the country (ISO 3166) from which the file probably comes.
    """
    if not words:
        # All of them were in lines too long to look at.
        return EncodingGuess(candidates=(), is_clear=False, is_plain=False)
    kept = set(encodings())
    if len(words) > 2 * _FIRST_WORDS:
        first = score_encodings(words[:_FIRST_WORDS], kept, region)
        best = max(score for score, _ in first.values())
        kept = {name for name, (score, _) in first.items() if score >= best - _KEPT_BELOW_BEST}
    scored = score_encodings(words, kept, region)
    # Of those that give the same text, the usual one.
    order = sorted(scored, key=lambda name: (-scored[name][0], -prior(name), encodings().index(name)))
    different: list[str] = []
    texts: set[str] = set()
    for name in order:
        if scored[name][1] not in texts:
            texts.add(scored[name][1])
            different.append(name)
    best_score, best_text = scored[different[0]]
    margin = best_score - scored[different[1]][0] if len(different) > 1 else math.inf
    floor = _IMPLAUSIBLE_EAST_ASIAN if is_east_asian(different[0]) else _IMPLAUSIBLE
    average = (best_score - prior(different[0])) / max(1, len(BEYOND_ASCII.findall(best_text)))
    needed = _CLEAR + (0.0 if different[0] == "cp1252" else _CLEAR_IN_FEW_WORDS / len(words))
    is_clear = margin >= needed and average >= floor
    return EncodingGuess(
        candidates=with_examples([(name, scored[name][1]) for name in different[: 2 if is_clear else 3]]),
        is_clear=is_clear,
        is_plain=margin >= _PLAIN,
    )


def with_examples(decoded: list[tuple[str, str]]) -> tuple[Candidate, ...]:
    """Choose words that the encodings decode differently."""
    columns = [text.split("\n") for _, text in decoded]
    places = [place for place, words in enumerate(zip(*columns, strict=True)) if len(set(words)) == len(words)]
    places = (places or list(range(len(columns[0]))))[:_EXAMPLES]
    return tuple(
        Candidate(
            canonical_encoding(name),
            tuple("".join(c if c.isprintable() else "�" for c in column[place])[:40] for place in places),
        )
        for (name, _), column in zip(decoded, columns, strict=True)
    )
