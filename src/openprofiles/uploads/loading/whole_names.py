"""Find the whole name of a customer in the field of the first or last name: ``Ana Silva`` instead of ``Ana``."""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.uploads.loading.noticed_values import count_loaded_rows
from openprofiles.uploads.loading.replaced_values import ReplacedValues
from openprofiles.uploads.mappings.name_fields import PERSON
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import DAMAGED_VALUES, REVERSED_NAME_ROWS, Notice, is_doubtful

# Names are compared in some parts of the file, each so many neighbors; all rows only if these show it.
_PARTS, _ROWS_PER_PART = 10, 400
_FEWEST, _SHARE = 5, 0.05
# A column of whole names, beside which the one of last names is empty.
_FEWEST_WITHOUT_LAST, _SHARE_OF_LAST, _SHARE_OF_SEVERAL_WORDS = 20, 0.05, 0.5


def find_names_replaced_by_whole_ones(replaced: ReplacedValues) -> list[Notice]:
    """Count the rows by field, if they are many; the plan must be made."""
    if not {*PERSON} <= replaced.header_of.keys():
        return []
    notices = []
    for path in replaced.find_fields({"contains(new, ' ') and contains(new, old)": PERSON}):
        (other,) = {*PERSON} - {path}
        new, old, other_new, other_old = (sql(field) for field in (path, other) for sql in (replaced.new, replaced.old))
        # A name that was split in the wrong place gets another last name.
        keeps_other = f"coalesce({other_new}, {other_old}) in ({other_old}, {new})"
        is_whole = f"replace({new}, ',', '') in ({old} || ' ' || {other_old}, {other_old} || ' ' || {old})"
        (found,) = replaced.find([path, other], f"{is_whole} and {keeps_other}")
        if is_doubtful(found.count, replaced.updated_count):
            notices.append(Notice(DAMAGED_VALUES, path, found.count, found.lines, is_doubtful=True))
    return notices


def find_whole_names(scratch: ScratchCursor, mapping: UploadMapping) -> list[Notice]:
    """Count the rows by field, if they are a part of the file; the plan must be made."""
    value_of = {field.path: f"v{index}" for index, field in enumerate(mapping.fields)}
    if mapping.matches_group or not {*PERSON} <= value_of.keys():
        return []
    first, last = (value_of[path] for path in PERSON)
    has_several = f"contains({first}, ' ')"
    are_whole = [
        f"contains({name}, ' ') and {other} <> '' and "
        f"(ends_with({name}, ' ' || {other}) or starts_with(replace({name}, ',', ''), {other} || ' '))"
        for name, other in ((first, last), (last, first))
    ]
    conditions = (*are_whole, has_several, f"{first} <> ''", f"{last} <> ''")
    counts = ", ".join(f"count(*) filter ({condition})" for condition in conditions)
    part = f"record % {scratch.record_count // _PARTS + 1} < {_ROWS_PER_PART}"
    *wholes, several, firsts, lasts = scratch.only_row(f"select {counts} from staged where {part}")
    notices: list[Notice] = []
    for path, is_whole, count in zip(PERSON, are_whole, wholes, strict=True):
        is_found = count >= max(_FEWEST, _SHARE * firsts)
        if path == PERSON[0] and firsts >= _FEWEST_WITHOUT_LAST and lasts <= _SHARE_OF_LAST * firsts:
            is_found = several > _SHARE_OF_SEVERAL_WORDS * firsts
            is_whole = has_several
        if is_found:
            notices += count_loaded_rows(scratch, REVERSED_NAME_ROWS, path, "staged", f"{is_whole} and key is not null")
    return notices
