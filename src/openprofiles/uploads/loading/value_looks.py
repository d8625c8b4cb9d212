"""SQL (DuckDB) for what the values of a column have in common, and for values that differ from all of them."""

from __future__ import annotations

from collections.abc import Sequence

from openprofiles.facts.sql_text import sql_text

# Blanks inside, an at sign, a digit, a letter.
KEY_PATTERNS = ("[^ ] +[^ ]", "@", "[0-9]", "[A-Za-z]")


def sql_common_looks(value: str, name: str, patterns: Sequence[str] = KEY_PATTERNS) -> str:
    """SQL for the columns of an aggregate over some values: how many there are, and what all and none of them are.

    Args:
        value: null where there is none.
        name: what the names of these columns begin with.
    """
    looks = ", ".join(
        f"bool_and({_sql_has(value, pattern)}) as {name}_all{i}, bool_or({_sql_has(value, pattern)}) as {name}_any{i}"
        for i, pattern in enumerate(patterns)
    )
    return f"count({value}) as {name}_count, {looks}"


def sql_differs(value: str, name: str, fewest: int, patterns: Sequence[str] = KEY_PATTERNS) -> str:
    """SQL condition: a value differs from what all of the others have in common.

    Args:
        name: as of ``sql_common_looks``, whose columns must be there.
        fewest: so many other values must be there.
    """
    differs = " or ".join(
        f"({name}_all{i} and not {_sql_has(value, pattern)}) or (not {name}_any{i} and {_sql_has(value, pattern)})"
        for i, pattern in enumerate(patterns)
    )
    return f"coalesce({value} <> '' and {name}_count >= {fewest} and ({differs}), false)"


def _sql_has(value: str, pattern: str) -> str:
    return f"regexp_matches({value}, {sql_text(pattern)})"
