"""The rows that exchange the values of two fields: their columns are probably exchanged in the file, or mapped so.

First and last names have a notice of their own (``other_names``).
"""

from __future__ import annotations

from openprofiles.uploads.loading.replaced_values import ReplacedValues
from openprofiles.uploads.mappings.name_fields import PERSON
from openprofiles.uploads.notices import EXCHANGED_VALUES, Notice, is_doubtful

_MOST_PAIRS = 10


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
