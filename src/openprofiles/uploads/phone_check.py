"""The check that a value is a phone number, in Python and in SQL.

A number that is possible in the domain's country, or has a country code, is a phone number. Any other is taken for one
of another country, written without its code. But a value that is also written like something else is judged more
strictly: a date is not a phone number, digits and postal codes must be possible in the domain's country, and amounts,
ids and network addresses must be valid there. Where numbers are written with a leading zero, digits without it must be
valid, too, unless they begin with the country's code: nearly any count of digits is possible in some countries. SQL
accepts only what is plainly a number and calls the Python function
for the rest; a test compares the two.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from openprofiles.facts.blanks import BLANKS
from openprofiles.facts.normal_forms import EXTENSION_WORDS, identity_key
from openprofiles.facts.standard_profile import PHONE_KEY
from openprofiles.uploads.mappings.value_kinds import is_date

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_FEWEST_DIGITS, _MOST_DIGITS = 6, 15
_FEWEST_DIGITS_WITH_COUNTRY = 8
# Of a number that repeats one digit after its country code.
_FEWEST_REPEATED = 5
# More than any number with an extension has.
_MOST_CHARACTERS = 100

_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d"), "-")
_BLANK = re.compile(f"[{re.escape(BLANKS)}]")
_SCHEME = re.compile(r"tel:", re.IGNORECASE)
# As the library reads them, except that a comma alone does not begin one: an amount has one, too.
_EXTENSION = re.compile(rf"(?:;ext=|[,;]? ?{EXTENSION_WORDS}|[ -]?# ?)[0-9]{{1,9}}#?\Z", re.IGNORECASE)
_CHARACTERS = re.compile(r"[(]?\+?[(]?[0-9][0-9 ()./-]*")
_YEAR = "(?:19|20)[0-9]{2}"
_MONTH_OR_DAY = "(?:0[1-9]|[12][0-9]|3[01])"
_MONTH = re.compile(f"{_YEAR}[./-]{_MONTH_OR_DAY}|{_MONTH_OR_DAY}[./-]{_YEAR}")
_DECIMAL_NUMBER = re.compile(r"[0-9]+\.[0-9]{1,2}")
_DIGITS_WITHOUT_ZERO = re.compile(r"[1-9][0-9]*(?:[ -][0-9]+)?")
# 030 123456 may be a number of another country.
_DIGITS_OR_POSTAL_CODE = re.compile(rf"{_DIGITS_WITHOUT_ZERO.pattern}|0[0-9]*(?:-[0-9]{{1,4}})?")
# Amounts, tax ids (123-45-6789), network addresses, days (20230115). 206.5550123 and 555.0123 are numbers.
_AMOUNT_OR_ID = re.compile(
    r"(?![2-9][0-9]{2}\.(?:[0-9]{3})?[0-9]{4}\Z)(?:0|[1-9][0-9]*)[./][0-9]+|[0-9]{3}-[0-9]{2}-[0-9]{4}"
    rf"|[1-9][0-9]{{0,2}}(?:\.(?:0|[1-9][0-9]{{0,2}})){{3}}|{_YEAR}{_MONTH_OR_DAY}{_MONTH_OR_DAY}"
)

_SQL_PLAIN_US = r"(\+?1[ .-]?)?(\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}|(\+?1)?[2-9][0-9]{9}"
# With its country code, or with the leading zero and the parts of a number of another country.
_SQL_PLAIN = r"\+[1-9][0-9 ()/-]*|0[1-9][0-9]*[ /][0-9][0-9 -]*"
_SQL_ENDS_IN_ONE_DIGIT = "|".join(f"({digit}[^0-9]*){{{_FEWEST_REPEATED}}}$" for digit in range(10))


def looks_like_phone(text: str, phone_region: str) -> bool:
    """Return whether a text is a phone number.

    Args:
        phone_region: country of numbers without a country code.
    """
    if len(text) > _MOST_CHARACTERS:
        return False
    number = _SCHEME.sub("", text if text.isascii() else _in_ascii(text), count=1).strip(BLANKS)
    bare = _EXTENSION.sub("", number)
    digits = re.sub(r"[^0-9]", "", bare)
    if not _CHARACTERS.fullmatch(bare) or len(digits) > _MOST_DIGITS or len(set(digits)) == 1:
        return False
    if is_date(bare.split(" ")[0]) or _MONTH.fullmatch(bare) or _DECIMAL_NUMBER.fullmatch(bare):
        return False
    form = _international(bare, phone_region)
    if form is None and digits.startswith("00"):
        form = _international(f"+{digits[2:]}", phone_region)
    if form is not None and len(set(form[-_FEWEST_REPEATED:])) == 1 and _repeats_one_digit(form):
        return False
    if len(digits) < _FEWEST_DIGITS or _AMOUNT_OR_ID.fullmatch(bare):
        return form is not None and _is_valid(form)
    if form is not None:
        lacks_zero = _DIGITS_WITHOUT_ZERO.fullmatch(bare) is not None and form != f"+{digits}"
        return not lacks_zero or not _has_leading_zero(phone_region) or _is_valid_or_short(form, phone_region)
    if "+" in bare:
        return len(digits) >= _FEWEST_DIGITS_WITH_COUNTRY
    return not _DIGITS_OR_POSTAL_CODE.fullmatch(bare)


def sql_looks_like_phone(value: str, phone_region: str) -> str:
    """Build SQL (DuckDB) for ``looks_like_phone`` of a text expression that is not null."""
    digits = f"length(regexp_replace({value}, '[^0-9]', '', 'g'))"
    is_plain = f"regexp_full_match({value}, '{_SQL_PLAIN}') and {digits} between 9 and 13"
    if phone_region == "US":
        is_plain = f"(regexp_full_match({value}, '{_SQL_PLAIN_US}') or {is_plain})"
    return (
        f"case when {is_plain} and not regexp_matches({value}, '{_SQL_ENDS_IN_ONE_DIGIT}') then true "
        f"else openprofiles_looks_like_phone({value}) end"
    )


def _international(number: str, phone_region: str) -> str | None:
    """Return a number with its country code; None if it is not possible."""
    form = identity_key(PHONE_KEY, number, phone_region)
    return form if form is not None and form.startswith("+") else None


def _repeats_one_digit(form: str) -> bool:
    """Return whether the number after the country code is one repeated digit."""
    return len(set(str(_parse(form).national_number))) == 1


def _is_valid(form: str) -> bool:
    # Here, since most processes never need it, and it takes 15 ms to import.
    import phonenumbers

    return phonenumbers.is_valid_number(_parse(form))


def _has_leading_zero(phone_region: str) -> bool:
    """Return whether the numbers of a country are written with a leading zero."""
    from phonenumbers import PhoneMetadata

    metadata = PhoneMetadata.metadata_for_region(phone_region)
    return metadata is not None and (metadata.national_prefix or "").startswith("0")


def _is_valid_or_short(form: str, phone_region: str) -> bool:
    """Return whether a number is valid, or the short number of a service."""
    import phonenumbers

    return _is_valid(form) or phonenumbers.is_valid_short_number_for_region(_parse(form), phone_region)


def _parse(form: str) -> PhoneNumber:
    import phonenumbers

    return phonenumbers.parse(form)


def _in_ascii(text: str) -> str:
    """Replace digits, dashes and blanks of other scripts, and leave out what is not visible."""
    visible = [char for char in _BLANK.sub(" ", text).translate(_DASHES) if unicodedata.category(char) != "Cf"]
    return "".join(char if (digit := unicodedata.digit(char, None)) is None else str(digit) for char in visible)
