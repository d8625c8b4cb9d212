"""Words as the search for customers compares them: without regard to case and accents, the same on every engine.

A letter with two usual spellings makes two words, so that *Schäfer* is found as *schafer* and as *schaefer*. A word is
compared from its beginning. Phone numbers are searched by their digits, with or without the code of the country.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from openprofiles.facts.normal_forms import country_code
from openprofiles.facts.standard_profile import ADDRESSES, EMAIL_KEY, FULL_NAME_PATHS, KEY_PATHS, PHONE_KEY

WORD_PATHS = (
    *FULL_NAME_PATHS,
    "BusinessName",
    "AccountNumber",
    *KEY_PATHS[EMAIL_KEY],
    *(f"{address}.City" for address in ADDRESSES),
)
PHONE_PATHS = KEY_PATHS[PHONE_KEY]
SEARCHED_PATHS = (*WORD_PATHS, *PHONE_PATHS)

# Longer words are cut, in a profile and in a search.
MAX_WORD_LENGTH = 64
MAX_WORDS = 100
# A search with more words is no longer one that somebody types.
MAX_SEARCHED_WORDS = 16

_WORD = re.compile(r"[^\W_]+")
_NOT_A_DIGIT = re.compile(r"[^0-9]+")
_LATIN_MARKS = re.compile("[\u0300-\u036f]+")
_FEWEST_DIGITS = 3
# The codes of countries with one and with two digits; all others have three.
_CODES_OF_ONE_DIGIT = frozenset("17")
_CODES_OF_TWO_DIGITS = re.compile("2[07]|3[0-4]|36|39|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")
# With fewer, a number that begins with 00 is a local one.
_FEWEST_INTERNATIONAL_DIGITS = 7
# Letters that Unicode does not take apart.
_PLAIN = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ı": "i", "ð": "d", "þ": "th"})
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})


def words_of_profile(values: Mapping[str, str]) -> str:
    """Write the words of a profile, each once, in order, with blanks between them; empty if it has none.

    Args:
        values: those of the standard fields, by path.
    """
    texts = " ".join(filter(None, map(values.get, WORD_PATHS)))
    found = {word[:MAX_WORD_LENGTH] for spelling in _spellings(texts) for word in _WORD.findall(spelling)}
    for path in PHONE_PATHS:
        if text := values.get(path):
            found.update(_phone_words(text))
    return " ".join(sorted(found)[:MAX_WORDS])


def searched_words(text: str, phone_region: str = "US") -> list[tuple[str, ...]]:
    """Return the words of a text that is searched for, each with its spellings; a profile must have one of each.

    What looks like a phone number may be one number, or several words.

    Args:
        phone_region: the country whose phone numbers are stored without its code.
    """
    digits = _digits(text)
    number = digits.lstrip("0")[:MAX_WORD_LENGTH]
    if len(digits) >= _FEWEST_DIGITS and number and not any(one.isalpha() or one == "@" for one in text):
        # Each part or the number, so all parts or the number.
        parts = [part[:MAX_WORD_LENGTH] for part in _WORD.findall(next(_spellings(text)))]
        numbers = [number] if len(number) >= _FEWEST_DIGITS else []
        if _has_country_code(text, digits) and number.startswith(code := country_code(phone_region)):
            numbers += filter(None, [number.removeprefix(code).lstrip("0")])
        return [tuple(dict.fromkeys((part, *numbers))) for part in parts[:MAX_SEARCHED_WORDS]]
    # Each spelling has as many words.
    spellings = [_WORD.findall(spelling) for spelling in _spellings(text)]
    words = (tuple(dict.fromkeys(word[:MAX_WORD_LENGTH] for word in each)) for each in zip(*spellings, strict=True))
    return list(words)[:MAX_SEARCHED_WORDS]


def has_words(words: str, searched: Sequence[tuple[str, ...]]) -> bool:
    """Return whether a profile with these words is found by a search."""
    each = words.split()
    return all(any(word.startswith(spellings) for word in each) for spellings in searched)


def _spellings(text: str) -> Iterator[str]:
    """Yield a text without case and accents; if it has umlauts, also with these spelled out."""
    if text.isascii():
        yield text.lower()
        return
    folded = unicodedata.normalize("NFC", text).casefold()
    yield _without_marks(folded.translate(_PLAIN))
    spelled_out = folded.translate(_SPELLED_OUT)
    if spelled_out != folded:
        yield _without_marks(spelled_out.translate(_PLAIN))


def _without_marks(text: str) -> str:
    # Those of Latin letters are enough for most texts. What is taken apart may have capitals.
    plain = _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", text))
    if plain.isascii():
        return plain.lower()
    return "".join(one for one in plain if not unicodedata.combining(one)).casefold()


def _digits(text: str) -> str:
    """Return the digits of a phone number, of any script."""
    if not text.isascii():
        text = "".join(
            str(unicodedata.digit(one)) if one.isdigit() else one for one in unicodedata.normalize("NFKC", text)
        )
    # As +49 (0)170: this zero is only dialled without the code of the country.
    return _NOT_A_DIGIT.sub("", text.replace("(0)", "") if "+" in text else text)


def _has_country_code(text: str, digits: str) -> bool:
    if text.lstrip().startswith(("+", "\uff0b")):
        return True
    return digits.startswith("00") and digits[2:3] != "0" and len(digits) >= _FEWEST_INTERNATIONAL_DIGITS


def _phone_words(text: str) -> Iterator[str]:
    digits = _digits(text)
    number = digits.lstrip("0")[:MAX_WORD_LENGTH]
    if not number:
        return
    yield number
    if _has_country_code(text, digits):
        length = 1 if number[0] in _CODES_OF_ONE_DIGIT else 2 if _CODES_OF_TWO_DIGITS.match(number) else 3
        if rest := number[length:].lstrip("0"):
            yield rest
