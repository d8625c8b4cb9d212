"""Numbers that lost digits in a spreadsheet: ``6.01232E+15``, ``1067.0`` or, in the unique key, rounded to 15 digits.

A row whose unique key is a number of the first kind fails. One of the last kind may be right, but if nearly all long
numbers end in zeros, they are not. Nor are they if nearly all are just what a program writes of a 64-bit float, as
JavaScript does: of exact numbers of 18 digits, a hundredth is. Postal codes that have lost their leading zeros are
recognized by the state of their row, or if they are the minority in a country whose codes are all longer.
"""

from __future__ import annotations

from collections.abc import Collection

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.facts.placeholders import sql_is_shortened_number
from openprofiles.uploads.loading.known_values import KNOWN, sql_is_one_of
from openprofiles.uploads.loading.noticed_values import count_loaded_rows, find_noticed_values
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES, SHORTENED_VALUES, Notice

_LONG = "[1-9][0-9]{15,24}"
# Spreadsheets keep 15 digits.
_ROUNDED = "[1-9][0-9]{14}0+"
_FEWEST_LONG_KEYS = 10
_ROUNDED_SHARE = 0.9
# As of most floats, the last digit of a shorter one is right.
_DIGITS_OF_FLOATS = "between 17 and 19"
_FEWEST_FLOATS, _SHARE_OF_FLOATS = 20, 0.95
_KEYS_IN_SAMPLE = 1_000
_FEWEST_SHORT_CODES, _SHARE_OF_SHORT_CODES, _SHARE_AGAINST = 10, 0.3, 0.1
_FEWEST_REGIONS = 5


def find_shortened_values(
    scratch: ScratchCursor, mapping: UploadMapping, counted: Collection[str], phone_region: str
) -> list[Notice]:
    """Count the rows by field, and those whose unique key was rounded; the plan must be made.

    Args:
        counted: the fields in which numbers with ``.0`` or without leading zeros are counted already.
        phone_region: the country of customers for whom the file names none.
    """
    if mapping.matches_group:
        return []
    notices = find_noticed_values(scratch, mapping, SHORTENED_VALUES, (_sql_is_shortened,))
    # In attributes, such as an amount, this is normal.
    left_out = {mapping.unique_key.path, *counted}
    standard = [field for field in mapping.fields if field.standard and field.path not in left_out]
    notices += find_noticed_values(scratch, mapping, SHORTENED_VALUES, (_sql_is_decimal,), fields=standard)
    notices += _find_short_codes(scratch, mapping, counted, phone_region)
    return _find_rounded_keys(scratch, f"v{mapping.fields.index(mapping.unique_key)}") + notices


def _sql_is_shortened(value: str) -> str:
    # What few values have is looked for first, in a fifth of the time.
    return f"{value} between '0' and ':' and contains({value}, '+') and {sql_is_shortened_number(value)}"


def _sql_is_decimal(value: str) -> str:
    return f"{value} between '0' and ':' and ends_with({value}, '.0') and regexp_full_match({value}, '[0-9]{{3,}}[.]0')"


def _find_short_codes(
    scratch: ScratchCursor, mapping: UploadMapping, counted: Collection[str], phone_region: str
) -> list[Notice]:
    """Count the rows whose postal code has lost its zeros; but not those of fields that are counted already."""
    notices: list[Notice] = []
    value_of = {field.path: f"v{index}" for index, field in enumerate(mapping.fields)}
    for path in sorted(path for path in value_of.keys() - counted if path.endswith(".PostalCode")):
        code, address = value_of[path], path.removesuffix("PostalCode")
        sizes = (f"count(*) filter (strlen({code}) {size})" for size in ("between 3 and 4", "= 5"))
        short, whole = scratch.only_row(f"select {', '.join(sizes)} from staged")
        if not _FEWEST_SHORT_CODES <= short <= whole:
            continue
        states = [value_of[address + member] for member in ("State", "Province") if address + member in value_of]
        own = KNOWN["countries_with_zeros"].get(phone_region)
        most, contrary = whole, "false"
        if states:
            is_short = f"strlen({code}) between 3 and 4"
            is_short += f" and ({' or '.join(sql_is_one_of(state, KNOWN['states_with_zeros']) for state in states)})"
        elif own:
            is_short, contrary = f"strlen({code}) = 4", f"{code} like '0____'"
            if country := value_of.get(f"{address}Country"):
                is_short += f" and ({country} is null or {sql_is_one_of(country, ['', *own['names']])})"
            if own["never_after_zero"]:
                contrary += f" or {is_short} and starts_with({code}, '{own['never_after_zero']}')"
            most = _SHARE_OF_SHORT_CODES * (short + whole)
        else:
            continue
        is_short += f" and regexp_full_match({code}, '[1-9][0-9]+')"
        found, against, regions = scratch.only_row(
            f"select count(*) filter ({is_short}), count(*) filter ({contrary}), "
            f"count(distinct left({code}, 1)) filter (strlen({code}) = 5) from staged"
        )
        # Whose customers are of one region may have some of a country next to it, with shorter codes.
        is_far = bool(states) or regions >= _FEWEST_REGIONS
        if is_far and _FEWEST_SHORT_CODES <= found <= most and against <= _SHARE_AGAINST * found:
            notices += count_loaded_rows(scratch, SHORTENED_VALUES, path, "staged", f"{is_short} and key is not null")
    return notices


def _find_rounded_keys(scratch: ScratchCursor, key: str) -> list[Notice]:
    """Count the rows whose key was rounded, if nearly all long keys were, as the first ones show."""
    if scratch.record_count < _FEWEST_LONG_KEYS:
        return []
    long = (
        f"from staged where {key} between '1' and ':' and strlen({key}) >= 16 and regexp_full_match({key}, '{_LONG}') "
        "and key is not null and record not in (select record from failed)"
    )
    is_rounded = f"regexp_full_match({key}, '{_ROUNDED}')"
    is_float = f"try_cast(try_cast({key} as double)::text as decimal(38, 0))::text = {key}"
    for rows, condition, fewest, share in (
        (long, is_rounded, _FEWEST_LONG_KEYS, _ROUNDED_SHARE),
        (f"{long} and strlen({key}) {_DIGITS_OF_FLOATS}", is_float, _FEWEST_FLOATS, _SHARE_OF_FLOATS),
    ):
        for of_each, sample in ((f"distinct {key}", f" limit {_KEYS_IN_SAMPLE}"), ("*", "")):
            total, count = scratch.only_row(
                f"select count({of_each}), count({of_each}) filter ({condition}) from (select {key} {rows}{sample})"
            )
            if total < fewest:
                return []
            if count < share * total:
                break
        else:
            first = scratch.table(f"select line {rows} and {condition} order by record limit {MAX_LINES}")["line"]
            return [Notice(SHORTENED_VALUES, None, count, tuple(first.to_pylist()))]
    return []
