"""The rows that change an address, of which a part stays that belongs to the one before.

By default, a blank cell and a missing column change nothing. So customers who move keep the apartment, the state or the
postal code of their old address, if the file has no new one.
"""

from __future__ import annotations

from openprofiles.facts.standard_profile import ADDRESSES
from openprofiles.uploads.loading.replaced_values import ReplacedValues
from openprofiles.uploads.notices import MIXED_ADDRESSES, Notice

_FEWEST = 5
_STREET, _PLACES = "Address1", ("City", "PostalCode")


def find_mixed_addresses(replaced: ReplacedValues) -> list[Notice]:
    """Count the rows by the field that stays; the plan must be made."""
    notices = []
    for address in ADDRESSES:
        street, *places = (f"{address}.{part}" for part in (_STREET, *_PLACES))
        places = [path for path in places if path in replaced.header_of]
        if not places or replaced.updated_count < _FEWEST or not replaced.summarize_changes(street, "count(*)"):
            continue
        # Another number in the street, since spelling hardly changes it.
        has_moved = f"{_sql_digits(replaced.new(street))} <> {_sql_digits(replaced.old(street))}"
        has_moved += f" and ({' or '.join(_sql_differ(replaced.new(path), replaced.old(path)) for path in places)})"
        kept = [path for path in replaced.kept_if_blank if path.startswith(f"{address}.")]
        conditions = [f"{has_moved} and {replaced.new(path)} is null and {replaced.old(path)} <> ''" for path in kept]
        found = replaced.find(list(dict.fromkeys([street, *places, *kept])), *conditions)
        notices += [
            Notice(MIXED_ADDRESSES, path, rows.count, rows.lines)
            for path, rows in zip(kept, found, strict=True)
            if rows.count >= _FEWEST
        ]
    return notices


def _sql_digits(text: str) -> str:
    return f"regexp_replace({text}, '[^0-9]', '', 'g')"


def _sql_differ(new: str, old: str) -> str:
    """Build an SQL condition: neither text begins with the other one, whatever its case, accents and signs."""
    news, olds = (f"regexp_replace(lower(strip_accents({text})), '[ .,/''-]', '', 'g')" for text in (new, old))
    return f"not (starts_with({news}, {olds}) or starts_with({olds}, {news}))"
