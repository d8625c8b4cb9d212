"""Normal forms of keys: the one definition of when two values are the same email, phone, account or name.

Values are stored verbatim. Each has two normal forms. The *search form* (``normal_key``) is what the index holds and
what searches compare. The *identity form* (``identity_key``) is what upload jobs compare to decide who is the same
customer: it keeps the case of an account number, the extension of a phone number, and the text of a phone that is not
a number. The search form of a value can be computed from its identity form (``search_form``), so the index finds every
candidate.

Characters that nobody sees (Unicode's format characters, Cf) count in neither form of an email address or a phone
number, and not in the search form of an account number. A placeholder such as NULL has neither form of these three.

The definition here has two implementations that must agree on every input: Python, for single values, and SQL for
DuckDB, for a file of millions. The SQL decides only what is plain (see ``_PLAIN``, or a plain North American phone
number) and calls the Python below for the rest, so the two cannot drift apart on a Unicode table; a test compares them
on all code points.

Normalise nowhere else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from openprofiles.facts.blanks import BLANKS
from openprofiles.facts.placeholders import PLACEHOLDERS
from openprofiles.facts.standard_profile import ACCOUNT_KEY, EMAIL_KEY, FULL_NAME_KEY, PHONE_KEY

# Characters of which any text is composed already (NFC), and whose lower case is one such character, the same in DuckDB
# as in Python; no blanks or format characters among them. Most names of Europe and East Asia are written in these:
# ASCII, Latin, Greek, Cyrillic, kana, CJK ideographs, Hangul syllables. As in a character class of RE2.
_PLAIN = "".join(
    (
        "!-~",
        "\\x{a1}-\\x{ac}\\x{ae}-\\x{12f}\\x{131}-\\x{24f}",
        "\\x{388}-\\x{3f3}\\x{3f5}-\\x{481}\\x{48a}-\\x{52f}",
        "\\x{3041}-\\x{3096}\\x{30a1}-\\x{30fa}\\x{4e00}-\\x{9fff}\\x{ac00}-\\x{d7a3}",
    )
)

# Blanks that look like others and do not break a line. No email address has one, so it was pasted by mistake.
_NO_BREAK_BLANKS = dict.fromkeys(map(ord, "\u00a0\u2007\u202f"))

_BLANK_RUN = re.compile(f"[{re.escape(BLANKS)}]+")

# What follows the search form of a phone in its identity form: an extension (as in RFC 3966), or the whole text.
_EXTENSION = ";ext="
_TEXT = ";text="

# The words that are written before the digits of an extension.
EXTENSION_WORDS = r"(?:extension|extensi\u00f3n|e?xtn?|x|anexo|int|\u0434\u043e\u0431)\.?:? ?"
_PHONE_WORDS = re.compile(rf"\A\s*tel:|;ext=|(?<![^\W\d_]){EXTENSION_WORDS}(?=[0-9])", re.IGNORECASE)

# A phone number that a program took for a number.
_DECIMAL_PHONE = re.compile(r"\+?[0-9]+\.0", re.ASCII)

_PHONE_PUNCTUATION = str.maketrans("", "", " ().-")
_PLAIN_US_PHONE = re.compile(r"(?:\+?1)?[2-9][0-9]{9}", re.ASCII)
_SQL_GAP = "[ ().-]*"
_SQL_PLAIN_US_PHONE = f"{_SQL_GAP}(\\+?1)?{_SQL_GAP}[2-9][0-9]{{2}}{_SQL_GAP}[0-9]{{3}}{_SQL_GAP}[0-9]{{4}}{_SQL_GAP}"


# Before the path of a field in the name of the key that indexes it for upload jobs. The dot keeps it apart from every
# key that a caller can name: those have none.
FIELD_KEY_PREFIX = "_profile."


def normal_key(name: str, text: str, phone_region: str) -> str | None:
    """Return the normal form of a key's value; None if the value gives no key.

    Args:
        name: the key's name. Names other than the standard keys compare by exact value; fields that upload jobs are
            indexed by, without surrounding blanks and composed (NFC).
        phone_region: ISO 3166 country of numbers without a country code, such as ``US``.
    """
    if name == PHONE_KEY:
        return normal_phone(text, phone_region)
    if name == EMAIL_KEY:
        return _normal_email(text)
    if name == ACCOUNT_KEY:
        return _normal_account(text)
    if name == FULL_NAME_KEY:
        return normal_full_name(text)
    return _trimmed_text(text) if name.startswith(FIELD_KEY_PREFIX) else text or None


def has_finer_identity(name: str) -> bool:
    """Return whether different identity forms of a key can have the same search form."""
    return name in (ACCOUNT_KEY, PHONE_KEY)


def identity_key(name: str, text: str, phone_region: str) -> str | None:
    """Return the identity form of a key's value; None if the value gives no key.

    Args:
        name: as of ``normal_key``; not that of full names, which identify nobody.
    """
    if name == PHONE_KEY:
        return _identity_phone(text, phone_region)
    if name == ACCOUNT_KEY:
        return _identity_account(text)
    return normal_key(name, text, phone_region)


def search_form(name: str, identity: str) -> str:
    """Return the search form of a value from its identity form."""
    if name == PHONE_KEY:
        return identity.partition(";")[0]
    if name == ACCOUNT_KEY:
        return _normal_account(identity) or identity
    return _trimmed_text(identity) or identity


def normal_text(text: str) -> str | None:
    """Trim blanks, compose (NFC), and convert to lower case code point by code point."""
    trimmed = text.strip(BLANKS)
    if trimmed.isascii():
        return trimmed.lower() or None
    # Lower case of the whole text would depend on context (a final sigma); two spellings of one
    # address must not differ by what follows a letter.
    lowered = "".join(map(str.lower, unicodedata.normalize("NFC", trimmed)))
    return unicodedata.normalize("NFC", lowered)


def normal_full_name(*parts: str | None) -> str | None:
    """Join the given parts of a name by single spaces, in the form of ``normal_text``."""
    return normal_text(_BLANK_RUN.sub(" ", " ".join(part for part in parts if part)))


def normal_phone(text: str, phone_region: str) -> str | None:
    """Return a phone number in E.164 form if possible, otherwise its digits.

    Possible, not valid: AWS's own example number is not valid, and a number plan changes faster than files do.
    An extension does not count, nor does a trailing .0. A text without any digit holds no key.
    """
    return _without_extension(_identity_phone(text, phone_region))


def phone_regions() -> set[str]:
    """Return the countries (ISO 3166) whose phone numbers can be read without a country code."""
    import phonenumbers

    return set(phonenumbers.SUPPORTED_REGIONS)


def country_code(phone_region: str) -> str:
    """Return the country code of phone numbers, such as 49, for a country (ISO 3166)."""
    if phone_region == "US":
        # Most files need the library for nothing else.
        return "1"
    import phonenumbers

    return str(phonenumbers.country_code_for_region(phone_region))


def _without_extension(phone: str | None) -> str | None:
    return None if phone is None else search_form(PHONE_KEY, phone)


def visible_text(text: str) -> str:
    """Remove the characters that nobody sees (format characters, Unicode's Cf)."""
    return text if text.isascii() else "".join(char for char in text if unicodedata.category(char) != "Cf")


def _normal_email(text: str) -> str | None:
    return _unless_placeholder(normal_text(visible_text(text).translate(_NO_BREAK_BLANKS)))


def _normal_account(text: str) -> str | None:
    return _unless_placeholder(normal_text(visible_text(text)))


def _identity_account(text: str) -> str | None:
    return None if _normal_account(text) is None else _trimmed_text(text)


def _unless_placeholder(form: str | None) -> str | None:
    return None if form in PLACEHOLDERS else form


def _trimmed_text(text: str) -> str | None:
    """Trim blanks and compose (NFC)."""
    return unicodedata.normalize("NFC", text.strip(BLANKS)) or None


def _identity_phone(text: str, phone_region: str) -> str | None:
    """Return the identity form of a phone: with its extension, or with its text."""
    number = visible_text(text).strip(BLANKS)
    if number.endswith(".0") and _DECIMAL_PHONE.fullmatch(number):
        number = number[:-2]
    if phone_region == "US":
        bare = number.translate(_PHONE_PUNCTUATION)
        if _PLAIN_US_PHONE.fullmatch(bare):
            return "+1" + bare[-10:]
    return _library_phone(number, phone_region)


@lru_cache(maxsize=65_536)
def _library_phone(text: str, phone_region: str) -> str | None:
    # Here, since most processes never need it, and it takes 15 ms to import.
    import phonenumbers

    digits = "".join(str(unicodedata.digit(char)) for char in text if unicodedata.digit(char, None) is not None)
    form, extension = digits, None
    try:
        number = phonenumbers.parse(text, phone_region)
    except phonenumbers.NumberParseException:
        pass
    else:
        if phonenumbers.is_possible_number(number):
            form = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            extension = number.extension
    if not form or normal_text(text) in PLACEHOLDERS:
        return None
    if any(map(str.isalpha, _PHONE_WORDS.sub("", text))):
        # Room 12 and Desk 12 are not one number.
        return f"{form}{_TEXT}{normal_text(text)}"
    return f"{form}{_EXTENSION}{extension}" if extension else form


def sql_functions(phone_region: str) -> dict[str, Callable[[str], str | None]]:
    """Return the Python functions that the SQL below calls, by name."""
    return {
        "openprofiles_normal_email": _normal_email,
        "openprofiles_normal_account": _normal_account,
        "openprofiles_identity_account": _identity_account,
        "openprofiles_normal_full_name": normal_full_name,
        "openprofiles_normal_phone": lambda text: normal_phone(text, phone_region),
        "openprofiles_identity_phone": lambda text: _identity_phone(text, phone_region),
        "openprofiles_trimmed_text": _trimmed_text,
    }


def sql_normal_key(name: str, value: str, phone_region: str) -> str:
    """Build SQL (DuckDB) for ``normal_key`` of a text expression; null gives null."""
    if name == PHONE_KEY:
        return _sql_phone(value, phone_region, "openprofiles_normal_phone")
    if name == EMAIL_KEY:
        return _sql_plain_or(value, _sql_lower(value), "openprofiles_normal_email")
    if name == ACCOUNT_KEY:
        return _sql_plain_or(value, _sql_lower(value), "openprofiles_normal_account")
    return _sql_trimmed_text(value) if name.startswith(FIELD_KEY_PREFIX) else f"nullif({value}, '')"


def sql_identity_key(name: str, value: str, phone_region: str) -> str:
    """Build SQL (DuckDB) for ``identity_key`` of a text expression; null gives null."""
    if name == PHONE_KEY:
        return _sql_phone(value, phone_region, "openprofiles_identity_phone")
    if name == ACCOUNT_KEY:
        return _sql_plain_or(value, _sql_unless_placeholder(value, value), "openprofiles_identity_account")
    return sql_normal_key(name, value, phone_region)


def sql_search_form(name: str, identity: str) -> str:
    """Build SQL (DuckDB) for ``search_form`` of a text expression; null gives null."""
    if name == PHONE_KEY:
        return f"split_part({identity}, ';', 1)"
    if name == ACCOUNT_KEY:
        return _sql_plain_or(identity, f"lower({identity})", "openprofiles_normal_account")
    return _sql_trimmed_text(identity)


def sql_normal_full_name(first: str, middle: str, last: str) -> str:
    """Build SQL (DuckDB) for ``normal_full_name`` of three text expressions, which may be null."""
    joined = f"concat_ws(' ', nullif({first}, ''), nullif({middle}, ''), nullif({last}, ''))"
    return (
        f"case when {joined} = '' then null "
        f"when regexp_full_match({joined}, '[{_PLAIN}]+( [{_PLAIN}]+)*') then lower({joined}) "
        f"else openprofiles_normal_full_name({joined}) end"
    )


def _sql_lower(value: str) -> str:
    return _sql_unless_placeholder(value, f"lower({value})")


def _sql_unless_placeholder(value: str, form: str) -> str:
    """Build SQL for a form of a plain text; null if the text is a placeholder."""
    words = ", ".join(f"'{word}'" for word in PLACEHOLDERS)
    # Most values are longer or begin with a digit, so that they need not be compared.
    may_be = f"strlen({value}) <= {max(map(len, PLACEHOLDERS))} and {value} not between '0' and ':'"
    return f"case when {may_be} and lower({value}) in ({words}) then null else {form} end"


def _sql_trimmed_text(value: str) -> str:
    return _sql_plain_or(value, value, "openprofiles_trimmed_text")


def _sql_plain_or(value: str, plain: str, function: str) -> str:
    """Build SQL for the form of a plain text; for others it calls a function."""
    return (
        f"case when {value} is null then null "
        f"when regexp_full_match({value}, '[{_PLAIN}]([ {_PLAIN}]*[{_PLAIN}])?') then {plain} "
        f"else {function}({value}) end"
    )


def _sql_phone(value: str, phone_region: str, function: str) -> str:
    library = f"{function}({value})"
    if phone_region != "US":
        return f"case when {value} is null then null else {library} end"
    bare = value
    for char in " ().-":
        # One function that takes several characters away needs twice the time of all of these.
        bare = f"replace({bare}, '{char}', '')"
    return (
        f"case when {value} is null then null "
        f"when regexp_full_match({value}, '{_SQL_PLAIN_US_PHONE}') then '+1' || right({bare}, 10) else {library} end"
    )
