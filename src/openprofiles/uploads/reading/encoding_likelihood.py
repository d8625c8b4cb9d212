"""How likely a text is in an encoding: by the letters of the languages that use it, and the characters around them."""

from __future__ import annotations

import functools
import math
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

# A character, and those before and after it.
_Spot = tuple[str, str, str]

BEYOND_ASCII = re.compile("[^\x00-\x7f]")

# Natural logarithms of likelihoods, all of them.
_PRIORS = {
    "cp1252": 0.0,
    **dict.fromkeys(("cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874"), -2.5),
    **dict.fromkeys(("cp932", "gb18030", "big5", "cp949"), -2.5),
}
_RARE_PRIORS = (("iso", -3.5), ("koi8", -3.5), ("euc", -3.5), ("mac", -5.0), ("cp", -5.0))
_REGION_BONUS = 3.0

_FOREIGN_LETTER = -7.5
# What no letter of the right language in its right place scores.
_STRANGE = -6.0
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

_LANGUAGES_FILE = Path(__file__).with_name("language_words.toml")


@dataclass(frozen=True, slots=True)
class Language:
    encodings: tuple[str, ...]
    is_latin: bool
    # The logarithm of how frequent each letter is among those beyond ASCII.
    letters: dict[str, float]
    before: dict[str, float]
    after: dict[str, float]
    # The usual encodings of a language are likelier in its regions.
    regions: frozenset[str]


@functools.cache
def languages() -> tuple[Language, ...]:
    return tuple(map(_learn, tomllib.loads(_LANGUAGES_FILE.read_text(encoding="utf-8")).values()))


@functools.cache
def encodings() -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for language in languages() for name in language.encodings))


@functools.cache
def _latin_letters() -> frozenset[str]:
    return frozenset(letter for one in languages() if one.is_latin for letter in one.letters)


def _learn(language: Mapping[str, str]) -> Language:
    text = " " + " ".join("".join(map(_lower, language["words"])).split()) + " "
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
    return Language(
        encodings=tuple(language["encodings"].split()),
        is_latin=is_latin,
        letters={letter: math.log((count + 0.5) / (total_letters + 20)) for letter, count in letters.items()},
        before=ratios(before=True) if has_neighbours else {},
        after=ratios(before=False) if has_neighbours else {},
        regions=frozenset(language.get("regions", "").split()),
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


def prior(encoding: str) -> float:
    if encoding in _PRIORS:
        return _PRIORS[encoding]
    return next(prior for beginning, prior in _RARE_PRIORS if encoding.startswith(beginning))


def score_encodings(words: Sequence[bytes], names: Iterable[str], region: str | None) -> dict[str, tuple[float, str]]:
    """Return the score of each encoding in its likeliest language, and the words as decoded."""
    joined = b"\n".join(words)
    scored = {}
    for encoding in names:
        text = joined.decode(encoding, "replace")
        fixed, letters = _score_spots(_spots(text))
        best = -math.inf
        for language in languages():
            if encoding in language.encodings:
                score = _score_letters(letters, language, encoding)
                bonus = _REGION_BONUS if region is not None and region in language.regions else 0.0
                best = max(best, score + bonus)
        scored[encoding] = (fixed + best + prior(encoding), text)
    return scored


def score_words(words: Sequence[bytes], encoding: str) -> list[list[float]]:
    """Return the score of each word, in each language that uses the encoding; UTF-8 is used by all."""
    texts = [_score_spots(_spots(word.decode(encoding, "replace"))) for word in words]
    return [
        [fixed + _score_letters(letters, language, encoding) for fixed, letters in texts]
        for language in languages()
        if encoding == "utf-8" or encoding in language.encodings
    ]


def find_strange_words(words: Sequence[bytes], encoding: str) -> list[int]:
    """Find the words with a character that is foreign to their likeliest language."""
    found = [language for language in languages() if encoding in language.encodings]
    totals = [sum(scores) for scores in score_words(words, encoding)]
    language = found[totals.index(max(totals))]
    return [
        number
        for number, word in enumerate(words)
        if any(_score_spot(spot, language, encoding) <= _STRANGE for spot in _spots(word.decode(encoding, "replace")))
    ]


def is_east_asian(encoding: str) -> bool:
    """Return whether an encoding has thousands of characters."""
    return encoding in _FREQUENT


def _score_spots(spots: Iterable[_Spot]) -> tuple[float, list[tuple[str, str, str, int]]]:
    """Score what does not depend on the language, and list the letters with their neighbours."""
    fixed = 0.0
    letters: list[tuple[str, str, str, int]] = []
    for (before, c, after), count in Counter(spots).items():
        if c.isalpha() and c not in "ºª":
            fixed += count * _score_shape(before, c, after)
            letters.append((_lower(before), _lower(c), _lower(after), count))
        else:
            fixed += count * _score_other(before, c, after)
    return fixed, letters


def _score_spot(spot: _Spot, language: Language, encoding: str) -> float:
    fixed, letters = _score_spots([spot])
    return fixed + _score_letters(letters, language, encoding)


def _spots(text: str) -> Iterable[_Spot]:
    for match in BEYOND_ASCII.finditer(text):
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


def _score_letters(letters: list[tuple[str, str, str, int]], language: Language, encoding: str) -> float:
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
