"""Detect the encoding of a text that is neither ASCII nor UTF-8, or refuse to.

Each possible encoding decodes the words that have bytes beyond ASCII. For each language that uses the encoding, the
words get a likelihood: from the letters of the language, from what stands around them, and from what never occurs,
such as capital letters and symbols inside words. The best encoding is taken if the next one that gives a
different text is clearly less likely.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice, pairwise

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.reading.file_form import canonical_encoding
from openprofiles.uploads.reading.language_words import WORDS

# A vertical bar can be the second byte of a character in East Asian encodings, so it does not separate words here.
_SEPARATORS_TO_BLANKS = bytes.maketrans(b',;"' + bytes(range(32)), b" " * 35)
_ASCII_BYTES = bytes(range(128))
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_MAX_WORDS = 250
_FIRST_WORDS = 50
_MAX_CUT_LINE_BYTES = 1 << 16
_MAX_WORD_BYTES = 200
# Of each byte that comes only later in the file, this many words are read in addition.
_LATER_WORDS = 20
_EXAMPLES = 2

# Natural logarithms of likelihoods, all of them.
_PRIORS = {
    "cp1252": 0.0,
    **dict.fromkeys(("cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874"), -2.5),
    **dict.fromkeys(("cp932", "gb18030", "big5", "cp949"), -2.5),
}
_RARE_PRIORS = (("iso", -3.5), ("koi8", -3.5), ("euc", -3.5), ("mac", -5.0), ("cp", -5.0))
_REGION_BONUS = 3.0
# How much the best must be above the next to be taken, and to be taken without a word.
_CLEAR = 4.5
# One word may look like a word of another language, so few words must be clearer, except in the usual encoding.
_CLEAR_IN_FEW_WORDS = 4.0
_PLAIN = 12.0
# The average of a character below which even the best is not a text of any known language. A character of an East
# Asian script is one of thousands, so each of them is less likely.
_IMPLAUSIBLE, _IMPLAUSIBLE_EAST_ASIAN = -6.0, -8.5
_KEPT_BELOW_BEST = 45.0

_FOREIGN_LETTER = -7.5
_UNKNOWN_LETTER = -12.0
_IMPOSSIBLE = -14.0
_WRONG_CASE = -6.0
_MIXED_SCRIPTS = -7.0
_STANDS_ALONE = -3.0
_LOWER_FIRST = -1.0
_INSIDE_WORDS = frozenset("’")
_AT_WORDS = frozenset("’‘“”„«»…®™ºª¿¡–")
_USUAL_SYMBOLS = frozenset("’‘“”„«»…®™ºª¿¡–—€©°§£·•½²³№±\u00a0\u3000・（）ー、。「」，：")
_NEIGHBOUR_WEIGHT = 3.0

# The regions (ISO 3166) of each language; the usual encodings of a language are likelier in its regions.
_REGIONS = {
    "pl": "PL", "cs": "CZ SK", "hu": "HU", "ro": "RO MD", "hr": "HR RS SI BA ME", "lt": "LT", "lv": "LV", "et": "EE",
    "tr": "TR CY", "ru": "RU BY KZ KG BG", "uk": "UA", "el": "GR CY", "he": "IL", "ar": "EG SA AE JO LB MA DZ TN IQ KW",
    "th": "TH", "ja": "JP", "zh-hans": "CN SG", "zh-hant": "TW HK MO", "ko": "KR",
}  # fmt: skip


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
    """

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
        super().__init__(f"{self.reason} Name the encoding, or save the file as UTF-8.")
        self.candidates = candidates


def describe_candidates(candidates: Iterable[Candidate]) -> str:
    """Show the examples of each encoding to the owner of the file: ``cp1250: Łukasz, Żak; windows-1252: £ukasz, ¯ak``.

    Never store or log it: the examples are customers' data.
    """
    return "; ".join(f"{one.encoding}: {', '.join(one.examples)}" for one in candidates if one.examples)


class StrangeWords:
    """The words of a file that have bytes beyond ASCII."""

    def __init__(self) -> None:
        self._words: dict[bytes, None] = {}
        # The bytes beyond ASCII that were found so far.
        self._seen: set[int] = set()
        # The line that the last part ends within, if it is not too long.
        self._cut_line = b""

    @property
    def has_cut_line(self) -> bool:
        """Whether the next part is needed although it is ASCII: a word of the last one may continue in it."""
        return not self._cut_line.isascii()

    def add(self, part: bytes, *, is_last: bool = False) -> None:
        """Take the words of the next part of the file."""
        lines = self._cut_line + part
        self._cut_line = b""
        if not is_last and (end := _last_line_end(lines)) > 0:
            if len(lines) - end <= _MAX_CUT_LINE_BYTES:
                self._cut_line = lines[end:]
            lines = lines[:end]
        found = set(lines.translate(None, _ASCII_BYTES + bytes(self._seen)))
        if not found and len(self._words) >= _MAX_WORDS:
            return
        # Without a regular expression, which would be slow in a word of a megabyte.
        strange = [
            word[:_MAX_WORD_BYTES] for word in lines.translate(_SEPARATORS_TO_BLANKS).split() if not word.isascii()
        ]
        for word in strange:
            if len(self._words) >= _MAX_WORDS:
                break
            self._words[word] = None
        self._seen.update(byte for word in self._words for byte in word if byte >= 128)
        for byte in sorted(found - self._seen):
            self._words.update(dict.fromkeys(islice((word for word in strange if byte in word), _LATER_WORDS)))
        self._seen |= found

    @property
    def words(self) -> list[bytes]:
        return list(self._words)


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
    languages = _languages()
    kept = set(_encodings())
    if len(words) > 2 * _FIRST_WORDS:
        first = _score(words[:_FIRST_WORDS], kept, languages, region)
        best = max(score for score, _ in first.values())
        kept = {name for name, (score, _) in first.items() if score >= best - _KEPT_BELOW_BEST}
    scored = _score(words, kept, languages, region)
    # Of those that give the same text, the usual one.
    order = sorted(scored, key=lambda name: (-scored[name][0], -_prior(name), _encodings().index(name)))
    different: list[str] = []
    texts: set[str] = set()
    for name in order:
        if scored[name][1] not in texts:
            texts.add(scored[name][1])
            different.append(name)
    best_score, best_text = scored[different[0]]
    margin = best_score - scored[different[1]][0] if len(different) > 1 else math.inf
    floor = _IMPLAUSIBLE_EAST_ASIAN if different[0] in _FREQUENT else _IMPLAUSIBLE
    average = (best_score - _prior(different[0])) / max(1, len(_BEYOND_ASCII.findall(best_text)))
    needed = _CLEAR + (0.0 if different[0] == "cp1252" else _CLEAR_IN_FEW_WORDS / len(words))
    is_clear = margin >= needed and average >= floor
    return EncodingGuess(
        candidates=_with_examples([(name, scored[name][1]) for name in different[: 2 if is_clear else 3]]),
        is_clear=is_clear,
        is_plain=margin >= _PLAIN,
    )


def _with_examples(decoded: list[tuple[str, str]]) -> tuple[Candidate, ...]:
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


@dataclass(frozen=True, slots=True)
class _Language:
    encodings: tuple[str, ...]
    is_latin: bool
    # The logarithm of how frequent each letter is among those beyond ASCII.
    letters: dict[str, float]
    before: dict[str, float]
    after: dict[str, float]
    regions: frozenset[str]


@functools.cache
def _languages() -> tuple[_Language, ...]:
    return tuple(_learn(name, encodings, words) for name, (encodings, words) in WORDS.items())


@functools.cache
def _encodings() -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for language in _languages() for name in language.encodings))


@functools.cache
def _latin_letters() -> frozenset[str]:
    return frozenset(letter for one in _languages() if one.is_latin for letter in one.letters)


def _learn(name: str, encodings: tuple[str, ...], words: str) -> _Language:
    text = " " + " ".join("".join(map(_lower, words)).split()) + " "
    letters = Counter(c for c in text if not c.isascii())
    every = Counter(text)
    total, total_letters = len(text), letters.total()
    pairs = Counter(a + b for a, b in pairwise(text))

    def ratios(*, before: bool) -> dict[str, float]:
        # How much likelier a neighbour is at this letter than anywhere.
        ratio = {}
        for letter, count in letters.items():
            for other, other_count in every.items():
                share = other_count / total
                seen = pairs[other + letter if before else letter + other]
                likelihood = (seen + _NEIGHBOUR_WEIGHT * share) / (count + _NEIGHBOUR_WEIGHT)
                ratio[other + letter if before else letter + other] = math.log(likelihood / share)
        return ratio

    is_latin = not any(c for c in letters if c.isalpha() and not _is_latin(c))
    # The many signs of East Asian scripts say little about their neighbours in so few words.
    has_neighbours = len(letters) < 100
    return _Language(
        encodings=encodings,
        is_latin=is_latin,
        letters={letter: math.log((count + 0.5) / (total_letters + 20)) for letter, count in letters.items()},
        before=ratios(before=True) if has_neighbours else {},
        after=ratios(before=False) if has_neighbours else {},
        regions=frozenset(_REGIONS.get(name, "").split()),
    )


@functools.cache
def _lower(c: str) -> str:
    """Return the small letter.

    That of the Turkish capital I with a dot is two characters, so this one stays as it is.
    """
    lower = c.lower()
    return lower if len(lower) == 1 else c


@functools.cache
def _is_latin(c: str) -> bool:
    return c.isascii() or unicodedata.name(c, "").startswith(("LATIN", "FEMININE ORDINAL", "MASCULINE ORDINAL"))


@functools.cache
def _script(c: str) -> str:
    return "LATIN" if _is_latin(c) else unicodedata.name(c, "?").split()[0].split("-")[0]


def _prior(encoding: str) -> float:
    if encoding in _PRIORS:
        return _PRIORS[encoding]
    return next(prior for beginning, prior in _RARE_PRIORS if encoding.startswith(beginning))


def _score(
    words: list[bytes], encodings: Iterable[str], languages: tuple[_Language, ...], region: str | None
) -> dict[str, tuple[float, str]]:
    """Return the score of each encoding in its likeliest language, and the words as decoded."""
    joined = b"\n".join(words)
    scored = {}
    for encoding in encodings:
        text = joined.decode(encoding, "replace")
        spots = Counter(_spots(text))
        fixed = 0.0
        letters: list[tuple[str, str, str, int]] = []
        for (before, c, after), count in spots.items():
            if c.isalpha() and c not in "ºª":
                fixed += count * _score_shape(before, c, after)
                letters.append((_lower(before), _lower(c), _lower(after), count))
            else:
                fixed += count * _score_other(before, c, after)
        best = -math.inf
        for language in languages:
            if encoding in language.encodings:
                score = _score_letters(letters, language, encoding)
                bonus = _REGION_BONUS if region is not None and region in language.regions else 0.0
                best = max(best, score + bonus)
        scored[encoding] = (fixed + best + _prior(encoding), text)
    return scored


def _spots(text: str) -> Iterable[tuple[str, str, str]]:
    for match in _BEYOND_ASCII.finditer(text):
        at = match.start()
        yield text[at - 1] if at else "\n", match.group(), text[at + 1] if at + 1 < len(text) else "\n"


@functools.lru_cache(maxsize=20_000)
def _score_shape(before: str, c: str, after: str) -> float:
    """Score what holds in every language: the case of a letter and the scripts around it."""
    score = 0.0
    in_word = before.isalpha() or after.isalpha()
    script = _script(c)
    if any(other.isalpha() and _script(other) != script for other in (before, after)):
        east_asian = script in {"CJK", "HIRAGANA", "KATAKANA", "HANGUL"}
        if not east_asian or (before.isascii() and before.islower()) or (after.isascii() and after.islower()):
            score += _MIXED_SCRIPTS
    if c.isupper():
        if before.islower():
            score += _WRONG_CASE
        elif before.isalpha() and after.islower():
            score += _WRONG_CASE / 2
        score -= 0.7
    elif c.islower():
        if before.isupper() and after.isupper():
            score += _WRONG_CASE
        elif not before.isalpha():
            score += _LOWER_FIRST
        elif after.isupper():
            score += _WRONG_CASE / 2
        if not in_word and c.lower() != c.upper():
            score += _STANDS_ALONE
    if c.isupper() and not in_word:
        score += _STANDS_ALONE
    if before.isdigit() or after.isdigit():
        score += _STANDS_ALONE
    return score


@functools.lru_cache(maxsize=20_000)
def _score_other(before: str, c: str, after: str) -> float:
    """Score a character that is not a letter."""
    category = unicodedata.category(c)
    if c == "\ufffd" or category in {"Cc", "Cn", "Co", "Cs"}:
        return _IMPOSSIBLE
    if category == "Mn" and unicodedata.name(c).startswith(("THAI", "ARABIC", "HEBREW")):
        return -3.5
    sides = before.isalpha() + after.isalpha()
    if sides == 2:
        return -2.5 if c in _INSIDE_WORDS else -6.0 if c in _USUAL_SYMBOLS and not _is_latin(before) else -10.0
    if sides == 1:
        if c in _INSIDE_WORDS and after.isalpha() and not _is_latin(after):
            return _IMPOSSIBLE
        return -3.5 if c in _AT_WORDS else -6.0 if c in _USUAL_SYMBOLS else -9.0
    return -3.0 if c in _USUAL_SYMBOLS else -8.0


def _score_letters(letters: list[tuple[str, str, str, int]], language: _Language, encoding: str) -> float:
    score = 0.0
    for before, c, after, count in letters:
        frequency = language.letters.get(c)
        if frequency is None:
            score += count * _score_unknown(c, language.is_latin, encoding)
            continue
        before = before if before.isalpha() else " "
        after = after if after.isalpha() else " "
        neighbours = language.before.get(before + c, 0.0) + language.after.get(c + after, 0.0)
        score += count * (frequency + max(neighbours, -4.0))
    return score


@functools.lru_cache(maxsize=20_000)
def _score_unknown(c: str, is_latin: bool, encoding: str) -> float:
    """Score a letter that the words of a language do not have."""
    script = _script(c)
    if script in {"CJK", "HANGUL"}:
        return -8.5 if _is_frequent(c, encoding) else -11.5
    if script in {"HIRAGANA", "KATAKANA"}:
        return -6.0
    if is_latin and c in _latin_letters():
        return _FOREIGN_LETTER
    return _UNKNOWN_LETTER if is_latin or script == "LATIN" else -10.0


# The character sets with levels, and the lead bytes of the level that has the frequent characters.
_FREQUENT = {
    "gb18030": ("gb2312", 0xB0, 0xD7),
    "big5": ("big5", 0xA4, 0xC6),
    "cp932": ("euc_jp", 0xB0, 0xCF),
    "euc_jp": ("euc_jp", 0xB0, 0xCF),
    "cp949": ("euc_kr", 0xB0, 0xC8),
}


def _is_frequent(c: str, encoding: str) -> bool:
    codec, first, last = _FREQUENT.get(encoding, ("ascii", 0, 0))
    coded = c.encode(codec, "ignore")
    return bool(coded) and first <= coded[0] <= last
