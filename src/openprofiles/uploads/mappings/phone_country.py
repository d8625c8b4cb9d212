"""Whether a file's phone numbers without a country code belong to the country that they would be read as.

A domain has one such country, which cannot be changed. If it is the wrong one, numbers are compared by digits that are
not theirs, and nothing shows it. The numbers themselves say which countries they are possible in; the other columns
and numbers of the file say which of these is likely.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openprofiles.facts.standard_profile import EMAIL_KEY, PHONE_KEY, field_of_target
from openprofiles.uploads.mappings.header_names import words_of
from openprofiles.uploads.mappings.header_words import LANGUAGES
from openprofiles.uploads.mappings.suggest import SuggestedField
from openprofiles.uploads.mappings.value_kinds import ValueKind, may_be

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_MOST_NUMBERS = 100
# So few decide whether a country is looked at in full.
_FIRST_NUMBERS = 12
# With fewer numbers than these, nothing is said against the country unless the rest of the file is plain.
_FEWEST_NUMBERS = 3
_PLAIN_POINTS = 2
# A country is doubted if less than this share of the numbers are valid there, and another one has the second share.
_DOUBTED_SHARE = 0.5
_LIKELY_SHARE = 0.85
_CLEAR_LEAD = 0.5
_MOST_SHOWN = 3

_WITH_COUNTRY_CODE = re.compile(r"\s*'?\(?\s*(\+|00(?=[1-9]))")
# Numbers that need no library to see that they are of the United States, or of their neighbors.
_PLAIN_US = re.compile(r"1?[2-9][0-9]{2}[2-9][0-9]{6}")
_NOT_DIGITS = re.compile("[^0-9]")
# The end of an email address, where it is that of a country and not sold as a word.
_TOP_LEVEL = re.compile(r"@.*\.([A-Za-z]{2})\s*\Z")
_SOLD_AS_WORDS = frozenset(("ai", "ac", "ag", "cc", "co", "fm", "io", "is", "la", "me", "sh", "to", "tv", "ws"))
_REGION_OF_TOP_LEVEL = {"uk": "GB"}

_COUNTRIES = tomllib.loads(Path(__file__).with_name("countries.toml").read_text(encoding="utf-8"))
_COUNTRY_NAMES: Mapping[str, Sequence[str]] = {region: names.split() for region, names in _COUNTRIES["names"].items()}
_REGION_OF_NAME = {name.casefold(): region for region, names in _COUNTRY_NAMES.items() for name in names}
_POSTAL_CODES = [
    (re.compile(form, re.IGNORECASE), regions.split()) for form, regions in _COUNTRIES["postal_codes"].items()
]


@dataclass(frozen=True, slots=True)
class PhoneCountry:
    """What a file shows of the country of its phone numbers.

    Attributes:
        region: the country (ISO 3166) that numbers without a country code are read as.
        number_count: how many such numbers the first rows have.
        valid_count: how many of them are valid in ``region``.
        likely: other countries in which most of them are valid, the likeliest first, with the number of valid ones;
            empty if ``region`` is not in doubt.
        is_clear: whether the first of ``likely`` is clearly the likeliest.
        has_several: whether ``region`` is in doubt, and a column of countries names several.
    """

    region: str
    number_count: int
    valid_count: int
    likely: tuple[tuple[str, int], ...] = ()
    is_clear: bool = False
    has_several: bool = False

    @property
    def suggested(self) -> str | None:
        """The country that the file suggests instead; None if it suggests no single one."""
        return self.likely[0][0] if self.is_clear else None

    def describe(self) -> str:
        """Describe in a sentence how the numbers are read."""
        return f"Phone numbers without a country code are treated as numbers from {country_name(self.region)}."

    def describe_doubt(self) -> str | None:
        """Describe in a sentence why the country may be wrong; None if it is not in doubt."""
        numbers = "1 such number" if self.number_count == 1 else f"{self.number_count} such numbers"
        valid = f"Valid in {country_name(self.region)}: {self.valid_count} of {numbers} in the first rows"
        if self.has_several:
            return f"{valid}. The file has customers from several countries: write their numbers with the country code."
        if not self.likely:
            return None
        others = " and ".join(f"{count} in {country_name(region)}" for region, count in self.likely)
        return f"{valid}; {others}."


def country_name(region: str) -> str:
    """Return a country for people: its name, if it is known, and its code."""
    if region == "US":
        return "the United States (US)"
    if region == "GB":
        return "the United Kingdom (GB)"
    names = _COUNTRY_NAMES.get(region)
    article = "the " if region == "NL" else ""
    return region if names is None else f"{article}{names[0]} ({region})"


def weigh_phone_country(
    fields: Iterable[SuggestedField], headers: Sequence[str], rows: Sequence[Sequence[str]], region: str
) -> PhoneCountry | None:
    """Weigh the country of a file's phone numbers; None if it has none without a country code.

    Args:
        fields: the columns that are loaded.
        headers, rows: the header of the file, and its first rows.
        region: the country that the numbers would be read as.
    """
    columns = {
        field.target: [row[index] for row in rows if index < len(row) and row[index].strip()]
        for field in fields
        if (index := headers.index(field.header)) >= 0
    }
    phones = [
        # A spreadsheet that took a number for an amount has added it.
        value.strip().removesuffix(".0")
        for target, values in columns.items()
        if (standard := field_of_target(target)) is not None and standard.key_name == PHONE_KEY
        for value in values
        if may_be(ValueKind.PHONE_NUMBER, value)
    ]
    with_code = [value for value in phones if _WITH_COUNTRY_CODE.match(value)]
    national = [value for value in phones if not _WITH_COUNTRY_CODE.match(value)][:_MOST_NUMBERS]
    if not national:
        return None
    valid_count = _count_read(national, region)
    if valid_count >= _DOUBTED_SHARE * len(national):
        return PhoneCountry(region, len(national), valid_count)
    if _has_several_countries(columns):
        return PhoneCountry(region, len(national), valid_count, has_several=True)
    points = _points(with_code, columns, headers)
    found = [
        (points[other] + count / len(national), other, count)
        for other in sorted(_COUNTRY_NAMES.keys() | {one for one, worth in points.items() if worth > 0})
        if other != region
        and _count_valid(national[:_FIRST_NUMBERS], other) >= _DOUBTED_SHARE * len(national[:_FIRST_NUMBERS])
        and (count := _count_valid(national, other)) >= _LIKELY_SHARE * len(national)
    ]
    found.sort(key=lambda one: (-one[0], one[1]))
    if len(national) < _FEWEST_NUMBERS and not (found and points[found[0][1]] >= _PLAIN_POINTS):
        return PhoneCountry(region, len(national), valid_count)
    # Numbers are valid in many countries by chance, so something else has to agree.
    is_clear = bool(found) and points[found[0][1]] >= _CLEAR_LEAD
    is_clear = is_clear and (len(found) == 1 or found[0][0] - found[1][0] >= _CLEAR_LEAD)
    shown = found[: 1 if is_clear else _MOST_SHOWN]
    return PhoneCountry(
        region, len(national), valid_count, tuple((other, count) for _, other, count in shown), is_clear
    )


def _has_several_countries(columns: Mapping[str, Sequence[str]]) -> bool:
    """Return whether a column of countries names several, and not one in nearly all rows."""
    for target, values in columns.items():
        named = Counter(filter(None, map(_region_of_name, values))) if target.endswith(".Country") else Counter()
        if named and max(named.values()) < _LIKELY_SHARE * named.total():
            return True
    return False


def _points(with_code: Sequence[str], columns: Mapping[str, Sequence[str]], headers: Sequence[str]) -> dict[str, float]:
    """Add up what the rest of the file says for each country: at most 2 for each kind of evidence."""
    points: defaultdict[str, float] = defaultdict(float)
    codes = _regions_of(with_code)
    for region, count in codes.items():
        points[region] += 2 * count / len(with_code)
    for target, values in columns.items():
        if not values:
            continue
        if target.endswith(".Country"):
            named = Counter(filter(None, map(_region_of_name, values)))
            for region, count in named.items():
                points[region] += 2 * count / len(values)
        elif (standard := field_of_target(target)) is not None and standard.key_name == EMAIL_KEY:
            ends = Counter(filter(None, map(_region_of_address, values)))
            for region, count in ends.items():
                points[region] += count / len(values)
        elif target.endswith(".PostalCode"):
            for pattern, regions in _POSTAL_CODES:
                share = sum(pattern.fullmatch(value.strip()) is not None for value in values) / len(values)
                if share >= _LIKELY_SHARE:
                    for region in regions:
                        points[region] += 1 if len(regions) == 1 else 0.5
    for language, share in zip(LANGUAGES, _language_shares(headers), strict=True):
        for position, region in enumerate(language.countries):
            points[region] += share * (2 if position == 0 else 1)
    return points


def _language_shares(headers: Sequence[str]) -> list[float]:
    """Return the share of each language of ``header_words`` in the header.

    Names that several languages have do not count.
    """
    words = [
        frozenset(" ".join((*language.fields.values(), *language.address.values())).split()) for language in LANGUAGES
    ]
    counts = [0] * len(words)
    for header in headers:
        languages = [number for number, known in enumerate(words) if "".join(words_of(header)) in known]
        if len(languages) == 1:
            counts[languages[0]] += 1
    # A single name may stand in the file of any language.
    return [min(1, count / 2) * count / max(1, sum(counts)) for count in counts]


def _region_of_name(text: str) -> str | None:
    name = text.strip()
    if len(name) == 2 and name.isalpha() and name.isascii():
        return {"UK": "GB"}.get(name.upper(), name.upper())
    return next((region for word in name.casefold().split() if (region := _REGION_OF_NAME.get(word))), None)


def _region_of_address(text: str) -> str | None:
    match = _TOP_LEVEL.search(text)
    if match is None or match[1].lower() in _SOLD_AS_WORDS:
        return None
    end = match[1].lower()
    return _REGION_OF_TOP_LEVEL.get(end, end.upper())


def _regions_of(with_code: Sequence[str]) -> Counter[str]:
    """Count the countries of numbers with a country code."""
    import phonenumbers

    found: Counter[str] = Counter()
    for value in with_code[:_MOST_NUMBERS]:
        digits = value.strip().lstrip("'(").strip()
        number = _parse("+" + digits.removeprefix("00") if digits.startswith("00") else digits)
        region = None if number is None else phonenumbers.region_code_for_number(number)
        if region is not None:
            found[region] += 1
    return found


def _count_read(numbers: Sequence[str], region: str) -> int:
    """Count the numbers that a country reads as they are meant: valid ones, and those without an area code."""
    if region == "US":
        count = sum(_PLAIN_US.fullmatch(_NOT_DIGITS.sub("", number)) is not None for number in numbers)
        if count >= _DOUBTED_SHARE * len(numbers):
            return count
    import phonenumbers

    count = 0
    for parsed in filter(None, (_parse(number, region) for number in numbers)):
        is_local = (
            phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY
        )
        count += is_local or phonenumbers.is_valid_number_for_region(parsed, region)
    return count


def _count_valid(numbers: Sequence[str], region: str) -> int:
    import phonenumbers

    parsed = filter(None, (_parse(number, region) for number in numbers))
    return sum(phonenumbers.is_valid_number_for_region(number, region) for number in parsed)


def _parse(number: str, region: str | None = None) -> PhoneNumber | None:
    import phonenumbers

    try:
        return phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
