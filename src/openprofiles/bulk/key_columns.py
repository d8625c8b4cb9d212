"""SQL (DuckDB) for the keys that profiles are found by, many profiles at a time.

The same meaning as ``facts.keys.derived_keys``, in the same normal forms: a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from openprofiles.facts.keys import field_key_name
from openprofiles.facts.normal_forms import sql_normal_full_name, sql_normal_key
from openprofiles.facts.sql_text import sql_text
from openprofiles.facts.standard_profile import FULL_NAME_KEY, FULL_NAME_PATHS, KEY_PATHS

# SQL for the value of a field, by path; ``null`` if there is none.
ValueOf = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class KeyRule:
    """How one key is made: from any of its fields (or, for the full name, from all of them together)."""

    name: str
    paths: tuple[str, ...]

    def sql_forms(self, value_of: ValueOf, phone_region: str) -> list[str]:
        """Build SQL for the normal form of each field; forms may be null or equal."""
        values = [value_of(path) for path in self.paths]
        if self.name == FULL_NAME_KEY:
            first, middle, last = values
            return [sql_normal_full_name(first, middle, last)]
        return [sql_normal_key(self.name, value, phone_region) for value in values if value != NO_VALUE]


NO_VALUE = "null"


def sql_keys(rules: Iterable[KeyRule], value_of: ValueOf, phone_region: str, source: str, pid: str = "pid") -> str:
    """Build SQL for the keys of the profiles in a table: ``name``, ``value``, ``pid``.

    A key may come twice.

    Args:
        pid: SQL for the row number of the profile.
    """
    return f"select * from ({sql_keys_or_null(rules, value_of, phone_region, source, pid)}) where value is not null"


def sql_keys_or_null(
    rules: Iterable[KeyRule], value_of: ValueOf, phone_region: str, source: str, pid: str = "pid"
) -> str:
    """Build SQL as of ``sql_keys``, with a null value for fields without a key.

    For many profiles: DuckDB makes a normal form twice if it is also asked whether it is null.
    """
    parts = [
        f"select {sql_text(rule.name)} as name, {form} as value, {pid} as pid from {source}"
        for rule in rules
        for form in rule.sql_forms(value_of, phone_region)
    ]
    none = "select '' as name, null::varchar as value, 0::bigint as pid"
    return " union all ".join(parts) or none


def key_rules(paths: Iterable[str], indexed_paths: Iterable[str]) -> list[KeyRule]:
    """List the rules of the keys that a change of these fields can change.

    Args:
        paths: the fields that a job maps.
        indexed_paths: further fields that the domain is indexed by.
    """
    changed = set(paths)
    rules = [KeyRule(name, group) for name, group in KEY_PATHS.items() if changed.intersection(group)]
    if changed.intersection(FULL_NAME_PATHS):
        rules.append(KeyRule(FULL_NAME_KEY, FULL_NAME_PATHS))
    rules += [KeyRule(field_key_name(path), (path,)) for path in indexed_paths if path in changed]
    return rules
