"""Build SQL that finds a value of a standard field that says less than the one that it replaces.

Programs and people fill a cell in this way if they have no value, or one of another form: ``-`` or ``0`` in place of a
city, an email address or ``Friend`` in place of a first name, a phone number without its area code, a street without
its number, a masked value, a year in place of a date. Other forms are usual in some companies: ``Mueller`` in place of
``Müller``, capital letters, initials of first names.
"""

from __future__ import annotations

from openprofiles.facts.placeholders import sql_is_placeholder, sql_is_stored_placeholder
from openprofiles.facts.standard_profile import FIELD_BY_PATH, KEY_PATHS, PHONE_KEY
from openprofiles.uploads.loading.birth_dates import BIRTH_DATE, sql_are_other_dates, sql_is_day_zero
from openprofiles.uploads.loading.known_values import KNOWN, sql_is_one_of
from openprofiles.uploads.loading.marked_values import sql_is_marked

_NAMES = ("FirstName", "MiddleName", "LastName")
_FILLERS = ("xxx", "please select", "not provided", "[not provided]", "not available", "not specified")
# These placeholders are names, too.
_ALSO_NAMES = ("na", "nan", "nil")
# What newsletters call a reader without a name, and titles.
_NO_NAMES = (
    *("friend", "there", "guest", "customer", "valued customer", "sir", "madam"),
    *(f"{title}{dot}" for title in ("mr", "mrs", "ms", "dr", "miss", "herr", "frau", "madame") for dot in ("", ".")),
)
_NO_DATES = "(1900-01-01|9999-12-31|0?1[./]0?1[./]1900|31[.]12[.]9999|12/31/9999)([ T].*)?"
# What takes the place of the letters or digits that nobody should see.
_MASK = "[*\u2022\u25cf]{2}|[xX]{3}"
# NA is also a region and a country, and some of the others are one of a list.
_NOT_FILLED = (".State", ".Province", ".Country", ".County", "GenderString", "TypeString", "ProfileType")
_TRANSLITERATED = dict(zip("äöüÄÖÜßæøå", ("ae", "oe", "ue", "Ae", "Oe", "Ue", "ss", "ae", "oe", "aa"), strict=True))
# With all four digits of its year: 1/1/1985.
_SHORTEST_DATE = 8
# Of local numbers, and the digits that an area code has at least. Numbers of a whole country are longer.
_LOCAL_DIGITS, _FEWEST_OF_AREA = range(5, 9), 3
# Of letters that have cases; any other class takes DuckDB milliseconds to compile.
_UPPER, _LOWER = r"[A-Z\x{c0}-\x{24f}\x{400}-\x{4ff}]", r"[a-z\x{c0}-\x{24f}\x{400}-\x{4ff}]"


def sql_is_worse(path: str, new: str, old: str) -> str:
    """Build an SQL condition: the value says less. That of an attribute never does.

    Args:
        path: of the field.
    """
    if path not in FIELD_BY_PATH:
        return "false"
    conditions = [sql_is_marked(new, old)]
    if not path.endswith(_NOT_FILLED):
        # Stored placeholders are counted in new profiles too.
        is_counted = f"coalesce({sql_is_stored_placeholder(new)}, false)"
        if path == BIRTH_DATE:
            is_counted += f" and not {sql_is_day_zero(new)}"
        conditions.append(f"{_sql_is_filler(path, new)} and not {_sql_is_filler(path, old)} and not ({is_counted})")
    if path in _NAMES:
        conditions.append(f"contains({new}, '@') and not contains({old}, '@')")
    if path == _NAMES[2]:
        conditions.append(_sql_is_initial(new, old))
    if path == "GenderString":
        news, olds = (sql_is_one_of(text, KNOWN["no_genders"]) for text in (new, old))
        conditions.append(f"{news} and not {olds}")
    if path == BIRTH_DATE:
        news, olds = (f"regexp_matches({text}, '[0-9]{{4}}')" for text in (new, old))
        has_no_year = f"not {news} and not {sql_are_other_dates(new, old)}"
        conditions.append(f"{olds} and ({has_no_year} or length({new}) < {_SHORTEST_DATE} and contains({old}, {new}))")
    if path.endswith("EmailAddress"):
        conditions.append(f"ends_with({new}, '.invalid') and not ends_with({old}, '.invalid')")
    if path in KEY_PATHS[PHONE_KEY]:
        conditions.append(_sql_lost_area(new, old))
    if path.endswith(".Address1"):
        number = "[0-9]+ ?[A-Za-z]?"
        conditions.append(
            f"not regexp_matches({new}, '[0-9]') and ("
            f"starts_with({old}, {new}) and regexp_full_match({old}[length({new}) + 1:], ',? {number}') or "
            f"ends_with({old}, {new}) and regexp_full_match({old}[:-length({new}) - 1], '{number},? '))"
        )
    return _any_of(conditions)


def sql_is_masked(new: str, old: str) -> str:
    """Build an SQL condition: the value has a mask, and the one that it replaces has not."""
    masked = [f"regexp_matches({text}, '{_MASK}')" for text in (new, old)]
    return f"({masked[0]} and not {masked[1]} and not starts_with({new}, {old}))"


def sql_is_plainer(path: str, new: str, old: str) -> str:
    """Build an SQL condition: the value has another form that says less, but which a company may write everywhere."""
    conditions = []
    if path in FIELD_BY_PATH:
        conditions.append(f"{new} = {_sql_transliterated(old)}")
    if path in _NAMES[:2]:
        conditions.append(_sql_is_initial(new, old))
    # Elsewhere a text in capitals may be a code.
    if path in (*_NAMES, "BusinessName") or path.endswith((".Address1", ".City")):
        is_word = f"regexp_matches({old}, '{_UPPER}{_LOWER}{_LOWER}')"
        conditions.append(f"{new} in (upper({old}), lower({old})) and {is_word}")
    return _any_of(conditions)


def _any_of(conditions: list[str]) -> str:
    return f"({' or '.join(f'({condition})' for condition in conditions) or 'false'})"


def _sql_is_initial(new: str, old: str) -> str:
    first = f"{old}[1]"
    return f"{new} in ({first}, {first} || '.') and length({old}) > 2 and lower({first}) <> {first}"


def _sql_is_filler(path: str, value: str) -> str:
    fillers = [f"lower({value}) in {_FILLERS}", f"regexp_full_match({value}, '0+')"]
    if path in _NAMES:
        fillers += [f"lower({value}) in {_NO_NAMES}"]
        fillers += [f"{sql_is_placeholder(value)} and lower({value}) not in {_ALSO_NAMES}"]
    else:
        fillers.append(sql_is_placeholder(value))
    if path == BIRTH_DATE:
        fillers += [f"regexp_full_match({value}, '{_NO_DATES}')", sql_is_day_zero(value)]
    return _any_of(fillers)


def _sql_transliterated(text: str) -> str:
    for letter, letters in _TRANSLITERATED.items():
        text = f"replace({text}, '{letter}', '{letters}')"
    return text


def _sql_lost_area(new: str, old: str) -> str:
    news, olds = (f"regexp_replace({text}, '[^0-9]', '', 'g')" for text in (new, old))
    return (
        f"length({news}) between {_LOCAL_DIGITS[0]} and {_LOCAL_DIGITS[-1]} and ends_with({olds}, {news}) "
        # One of two numbers has lost nothing.
        f"and length({olds}) between length({news}) + {_FEWEST_OF_AREA} and 15 and not regexp_matches({old}, '[/,;]')"
    )
