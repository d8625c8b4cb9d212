"""The rows that exchange the values of two fields, or give a customer the value that another customer had.

Either two columns are exchanged, in the file or the mapping, or one of them was sorted alone or has moved by a row.
First and last names have a notice of their own (``other_names``), and so have email addresses (``taken_emails``).
"""

from __future__ import annotations

from openprofiles.facts.standard_profile import FIELD_BY_PATH
from openprofiles.uploads.loading.replaced_values import ReplacedValues
from openprofiles.uploads.loading.taken_emails import EMAIL_PATH
from openprofiles.uploads.mappings.name_fields import PERSON
from openprofiles.uploads.notices import EXCHANGED_VALUES, TAKEN_VALUES, Notice, is_doubtful

_MOST_PAIRS = 10
_MOST_FIELDS = 10
_FEWEST_TAKEN = 20
# Shorter ones of an attribute may be positions in a list, which is sorted in another way each time.
_SHORTEST_ATTRIBUTE = 7


def find_exchanged_values(replaced: ReplacedValues) -> list[Notice]:
    """Count the rows, for each of the two fields; the plan must be made."""
    notices = []
    for pair in replaced.find_exchanged_fields()[:_MOST_PAIRS]:
        if {*pair} == {*PERSON}:
            continue
        (new, old), (other_new, other_old) = ((replaced.new(path), replaced.old(path)) for path in pair)
        is_exchanged = f"{new} <> {old} and {new} = {other_old} and {other_new} = {old}"
        (found,) = replaced.find(pair, is_exchanged)
        # Fields of few values, such as yes and no, or a status and the one before it, may exchange them by chance.
        if found.count and 2 * max(replaced.count_distinct_found(path, is_exchanged) for path in pair) <= found.count:
            continue
        doubtful = is_doubtful(found.count, replaced.updated_count)
        notices += [Notice(EXCHANGED_VALUES, path, found.count, found.lines, doubtful) for path in pair]
    return notices


def find_taken_values(replaced: ReplacedValues) -> list[Notice]:
    """Count the rows by field, if most changes of a field only exchange its values; the plan must be made.

    A value is exchanged if as many of the rows have it now as had it before. Where customers get new values, this is
    so in few rows, by chance.
    """
    notices = []
    for path in replaced.find_moved_fields()[:_MOST_FIELDS]:
        if path in (EMAIL_PATH, *PERSON):
            continue
        new, old = replaced.new(path), replaced.old(path)
        (changed,) = replaced.find([path], f"{new} <> {old}")
        moved = " union all ".join(
            f"select pid, {value} as value, {sign} as sign from replacing where {new} is distinct from {old}"
            for value, sign in ((new, 1), (old, -1))
        )
        # Several rows of one customer may have values in turn.
        is_exchanged = "sum(sign) = 0 and min(pid) <> max(pid)"
        exchanged = replaced.put_values(f"select value from ({moved}) group by value having {is_exchanged}")
        is_taken = f"{new} <> {old} and {new} in {exchanged}"
        if path not in FIELD_BY_PATH:
            is_taken += f" and strlen({new}) >= {_SHORTEST_ATTRIBUTE}"
        found = replaced.describe_found(path, is_taken)
        distinct = replaced.count_distinct_found(path, is_taken)
        if distinct >= _FEWEST_TAKEN and 2 * found.count > changed.count:
            doubtful = is_doubtful(found.count, replaced.updated_count)
            notices.append(Notice(TAKEN_VALUES, path, found.count, found.lines, doubtful))
    return notices
