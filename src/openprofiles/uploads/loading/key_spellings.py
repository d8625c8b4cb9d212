"""How programs write one code in several ways: its dashes, a GUID, an ID of Salesforce; as SQL (DuckDB) of ``key``."""

from __future__ import annotations

# Hyphens and dashes other than the hyphen-minus, and blanks, which stand for it.
OTHER_SEPARATORS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212 \u00a0"
SEPARATORS = f"[-{OTHER_SEPARATORS}]+"

_HEX = "[0-9A-Fa-f]"
_GUID = f"{_HEX}{{8}}-({_HEX}{{4}}-){{3}}{_HEX}{{12}}"
IS_BARE_GUID = f"strlen(key) = 32 and regexp_full_match(key, '{_HEX}*')"
IS_GUID = f"strlen(key) = 36 and regexp_full_match(key, '{_GUID}')"
IS_GUID_IN_BRACES = f"strlen(key) = 38 and regexp_full_match(key, '\\{{{_GUID}\\}}')"
GUID_OF_BARE = "concat_ws('-', key[1:8], key[9:12], key[13:16], key[17:20], key[21:32])"
GUID_IN_BRACES = "key[2:37]"

# 15 letters and digits, whose case matters, and in some exports three more that show which of them are upper case.
IS_SHORT_ID = "strlen(key) = 15 and regexp_full_match(key, '[0-9A-Za-z]*') and regexp_matches(key, '[A-Za-z]')"
_CASES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def _cases_of(first: int) -> str:
    bits = (f"{1 << bit} * (key[{first + bit}] between 'A' and 'Z')::integer" for bit in range(5))
    return f"substr('{_CASES}', 1 + {' + '.join(bits)}, 1)"


_CASES_OF_ID = " || ".join(_cases_of(first) for first in (1, 6, 11))
LONG_ID = f"key || {_CASES_OF_ID}"
_IS_LONG_ID = (
    "strlen(key) = 18 and regexp_full_match(key, '[0-9A-Za-z]*') and regexp_matches(key, '[A-Za-z].*...') "
    f"and right(key, 3) = {_CASES_OF_ID}"
)

# The other ways to write a code, each null if there is none.
_BARE = f"case when {IS_GUID} then replace(key, '-', '') when {IS_GUID_IN_BRACES} then replace(key[2:37], '-', '') end"
_HYPHENATED = (
    f"case when {IS_BARE_GUID} then {GUID_OF_BARE} when {IS_GUID_IN_BRACES} then {GUID_IN_BRACES} else key end"
)
_IS_ANY_GUID = f"(({IS_BARE_GUID}) or ({IS_GUID}) or ({IS_GUID_IN_BRACES}))"
_GUID_SPELLINGS = (
    f"case when {_IS_ANY_GUID} then {_HYPHENATED} end",
    f"case when {_IS_ANY_GUID} then '{{' || {_HYPHENATED} || '}}' end",
    _BARE,
)
_HAS_SEPARATOR = f"regexp_full_match(key, '[0-9A-Za-z]+({SEPARATORS}[0-9A-Za-z]+)+') and not ({IS_GUID})"
CODE_SPELLINGS = (
    *(
        f"case when {_HAS_SEPARATOR} then regexp_replace(key, '{SEPARATORS}', '{separator}', 'g') end"
        for separator in f"-{OTHER_SEPARATORS}"
    ),
    # In an index that distinguishes them, upper and lower case.
    *(f"{case}({spelling})" for spelling in _GUID_SPELLINGS for case in ("lower", "upper")),
    f"case when {IS_SHORT_ID} then {LONG_ID} end",
    f"case when {_IS_LONG_ID} then key[1:15] end",
)
# Those whose case matters.
EXACT_SPELLINGS = range(len(CODE_SPELLINGS) - 2, len(CODE_SPELLINGS))
