"""Find rows whose unique key looks unlike nearly all others, whatever else they hold.

They may describe the columns (``varchar(50)``, ``{"ImportId":"_recordId"}``, ``e.g. 12345``) or be commented out
(``#1020``). Such a row is loaded, since some customers have unusual numbers, and counted for the user.

Only looks that do not vary in a list of keys are compared. Random identifiers such as ``cus_P0xYz0`` begin and end with
any letter or digit, names begin with any word, and in some lists two kinds of numbers are normal.
"""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.facts.sql_text import sql_text
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES, UNUSUAL_KEY_ROWS, Notice

_FEWEST_USUAL_KEYS = 20
# One of so many keys may look different; from two on, both kinds are normal.
_KEYS_PER_UNUSUAL_KEY = 20
# Descriptions of columns stand directly below the header, where they do not count as a kind of keys.
_FIRST_RECORDS = 3
_MOST_KEYS_IN_SAMPLE = 10_000
# Sparse rows have a notice of their own.
_ROWS = "staged anti join sparse_row using (record) where key is not null"

_HAS_AT = "@"
_HAS_DIGIT = "[0-9]"
# Signs with which identifiers begin do not count: +1, '00123, "A", _id, -5, (206) 555-0100.
_BEGINS_WITH_SIGN = r"^ *([!#$%&*,./:;<=>?@\[\\\]^`{|}~•]|\([^0-9])"
_BEGINS_WITH_DASHES = "^ *--"
_HAS_DASH_INSIDE = "[^ -] *-"
_BEGINS_WITH_DIGIT = r"""^ *[+'"‘’“”(]*[0-9]"""
# Letters of the usual scripts; the class of all of them takes a millisecond to compile.
_LETTERS = r"A-Za-zÀ-\x{1FFF}\x{3040}-\x{D7FF}"
_BEGINS_WITH_LETTER = f"^ *[{_LETTERS}]"
_BEGINS_WITH_WORD = f"^ *[^0-9 ]*[{_LETTERS}][^0-9 ]* +[^ ]"
_ENDS_WITH_DIGIT = "[0-9] *$"
# They show what numbers and codes have in common, but not names.
_LOOKS_OF_CODES = (_BEGINS_WITH_DIGIT, _BEGINS_WITH_LETTER, _BEGINS_WITH_WORD, _ENDS_WITH_DIGIT)
_LOOKS = (
    _HAS_AT,
    _HAS_DIGIT,
    _BEGINS_WITH_SIGN,
    _BEGINS_WITH_DASHES,
    _HAS_DASH_INSIDE,
    *_LOOKS_OF_CODES,
)


def find_unusual_keys(scratch: ScratchCursor, mapping: UploadMapping, *, is_checked: bool) -> list[Notice]:
    """Count the rows with an unusual key that are loaded; the plan must be made, and ``sparse_row`` be there.

    Args:
        is_checked: whether the job checks the values of the unique key. ``#ann@example.com`` passes.
    """
    if scratch.record_count < _FEWEST_USUAL_KEYS:
        return []
    key = f"v{mapping.fields.index(mapping.unique_key)}"
    is_unusual = _sql_is_unusual(key, _find_usual_looks(scratch, key), is_checked=is_checked)
    if is_unusual is None:
        return []
    scratch.run(
        f"create or replace temp table unusual_key as select record, line from {_ROWS} and {is_unusual} "
        "and record not in (select record from failed)"
    )
    count, later = scratch.only_row(f"select count(*), count(*) filter (record > {_FIRST_RECORDS}) from unusual_key")
    notices = []
    if count and _is_usual(int(scratch.value(f"select count(*) from {_ROWS}")) - count, later):
        lines = scratch.table(f"select line from unusual_key order by record limit {MAX_LINES}")["line"].to_pylist()
        notices.append(Notice(UNUSUAL_KEY_ROWS, None, count, tuple(lines)))
    scratch.run("drop table unusual_key")
    return notices


def _find_usual_looks(scratch: ScratchCursor, key: str) -> dict[str, bool]:
    """Find the looks that nearly all keys have, and those that hardly any has, in a sample of the rows."""
    step = -(-scratch.record_count // _MOST_KEYS_IN_SAMPLE)
    is_later = f"record > {_FIRST_RECORDS}"
    looks = ", ".join(f"{_sql_has(key, look)} as has{index}" for index, look in enumerate(_LOOKS))
    counts = ", ".join(
        f"count(*) filter (has{index}), count(*) filter (has{index} and is_later)" for index in range(len(_LOOKS))
    )
    total, total_later, *found = scratch.only_row(
        f"select count(*), count(*) filter (is_later), {counts} from (select {is_later} as is_later, {looks} "
        f"from {_ROWS} and (record % {step} = 0 or not is_later))"
    )
    usual = {}
    for look, has, has_later in zip(_LOOKS, found[::2], found[1::2], strict=True):
        if _is_usual(has, total_later - has_later):
            usual[look] = True
        elif _is_usual(total - has, has_later):
            usual[look] = False
    return usual


def _is_usual(count: int, others: int) -> bool:
    return count >= _FEWEST_USUAL_KEYS and count >= (_KEYS_PER_UNUSUAL_KEY - 1) * others


def _sql_is_unusual(key: str, usual: dict[str, bool], *, is_checked: bool) -> str | None:
    """SQL condition: a key differs from the usual looks; None if it cannot.

    Args:
        usual: the looks that nearly all keys have, and those that hardly any has.
        is_checked: leave out what a check of the key decides better.
    """
    compared = {}
    if usual.get(_BEGINS_WITH_SIGN) is False:
        compared[_BEGINS_WITH_SIGN] = False
    if usual.get(_BEGINS_WITH_DASHES) is False and usual.get(_HAS_DASH_INSIDE) is False:
        compared[_BEGINS_WITH_DASHES] = False
    if is_checked:
        pass
    elif usual.get(_HAS_AT):
        compared[_HAS_AT] = True
    elif usual.get(_HAS_DIGIT):
        compared |= {look: usual[look] for look in _LOOKS_OF_CODES if look in usual}
    if not compared:
        return None
    differs = " or ".join(f"{'not ' if has else ''}{_sql_has(key, look)}" for look, has in compared.items())
    plain = _plain_key(compared)
    # Most keys are plain, which one look shows.
    return f"({differs})" if plain is None else f"not regexp_full_match({key}, {sql_text(plain)}) and ({differs})"


def _plain_key(compared: dict[str, bool]) -> str | None:
    """Return a pattern of keys that have all of these looks; None if there is no simple pattern."""
    first = _alphanumeric(compared.get(_BEGINS_WITH_DIGIT), compared.get(_BEGINS_WITH_LETTER))
    last = _alphanumeric(compared.get(_ENDS_WITH_DIGIT), None)
    if compared.get(_BEGINS_WITH_WORD) or not first:
        return None
    inner = "[!-~]*"
    return f"[{first}]{inner}{f'@{inner}' if compared.get(_HAS_AT) else ''}[{last}]"


def _alphanumeric(is_digit: bool | None, is_letter: bool | None) -> str:
    """Return the digits, the letters or both, for a character class."""
    digits = "" if is_digit is False or is_letter else "0-9"
    letters = "" if is_letter is False or is_digit else "A-Za-z"
    return digits + letters


def _sql_has(value: str, pattern: str) -> str:
    return f"regexp_matches({value}, {sql_text(pattern)})"
