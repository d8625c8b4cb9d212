"""The customers that a load creates although they probably are customers already, whose unique keys differ.

They have the email address, the account number, the phone number and the name, or, in a list that was renumbered,
the name and the date of birth or the address of another customer (``shared_values``), or nearly the unique key of
another customer (``similar_keys``, ``similar_codes``, ``phone_spellings``). All are only
counted: a load never merges what has different keys. So are rows that give a customer the email address of another one
(``taken_emails``).
"""

from __future__ import annotations

from openprofiles.bulk.scratch import Scratch
from openprofiles.facts.standard_profile import EMAIL_KEY, PHONE_KEY
from openprofiles.store.bulk import BulkStore
from openprofiles.store.leased_jobs import LeasedUpload
from openprofiles.uploads.loading.notice_examples import describe_others
from openprofiles.uploads.loading.other_names import count_updates
from openprofiles.uploads.loading.phone_spellings import find_phone_spellings
from openprofiles.uploads.loading.shared_keys import NEW_KEYS
from openprofiles.uploads.loading.shared_values import SHARED_NAMES, SHARED_VALUES, find_shared_values
from openprofiles.uploads.loading.similar_codes import find_other_key_forms, find_similar_codes
from openprofiles.uploads.loading.similar_keys import find_similar_keys
from openprofiles.uploads.loading.taken_emails import EMAIL_PATH, find_taken_emails
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES, SIMILAR_KEY_ROWS, TAKEN_EMAIL_ROWS, Notice, is_doubtful

# The record of each row, and another customer: the record of one in the file, or the row number of a stored one.
_EMPTY = "create or replace temp table double (record bigint, other bigint, pid bigint)"


def find_probable_doubles(
    scratch: Scratch, store: BulkStore, job: LeasedUpload, mapping: UploadMapping
) -> list[Notice]:
    """Count the rows that create such customers, or take the address of one; the plan must be made."""
    if mapping.matches_group:
        return []
    notices = []
    if scratch.value(f"select exists (select 1 from {NEW_KEYS})"):
        notices += _find_new_doubles(scratch, store, job, mapping)
    if mapping.key_name != EMAIL_KEY:
        scratch.run(_EMPTY)
        find_taken_emails(scratch, store, job, mapping)
        notices += _make_notice(scratch, store, TAKEN_EMAIL_ROWS, EMAIL_PATH)
    return notices


def _find_new_doubles(scratch: Scratch, store: BulkStore, job: LeasedUpload, mapping: UploadMapping) -> list[Notice]:
    notices = []
    mapped = {field.path for field in mapping.fields}
    for shared in SHARED_VALUES:
        if mapping.key_name != shared.key_name and mapped.issuperset((shared.path, *shared.same_paths)):
            scratch.run(_EMPTY)
            find_shared_values(scratch, store, job, mapping, shared)
            notices += _make_notice(scratch, store, shared.code, shared.path)
    created_count = int(scratch.value("select count(*) from target where pid is null"))
    by_name = next((one for one in SHARED_NAMES if mapped.issuperset((one.path, *one.same_paths))), None)
    has_enough = is_doubtful(created_count, created_count)
    if has_enough and by_name is not None and not any(is_doubtful(one.count, created_count) for one in notices):
        scratch.run(_EMPTY)
        find_shared_values(scratch, store, job, mapping, by_name)
        found = _make_notice(scratch, store, by_name.code, by_name.path)
        # Two customers may have the same name and birthday, but not many.
        notices += [one for one in found if is_doubtful(one.count, created_count)]
    if mapping.key_name != EMAIL_KEY:
        scratch.run(_EMPTY)
        if mapping.key_name == PHONE_KEY:
            find_phone_spellings(scratch, store, job, mapping)
        else:
            find_similar_keys(scratch, store, job, mapping)
            find_similar_codes(scratch, store, mapping)
            notices += find_other_key_forms(scratch, store, mapping)
        notices += _make_notice(scratch, store, SIMILAR_KEY_ROWS, mapping.unique_key.path)
    return notices


def _make_notice(scratch: Scratch, store: BulkStore, code: str, path: str) -> list[Notice]:
    """Make a notice of the table ``double``, if it has any rows."""
    count = int(scratch.value("select count(distinct record) from double"))
    if not count:
        return []
    rows = scratch.table(
        "select record, any_value(s.line) as line, min(o.line) as other_line, min(pid) as pid from double d "
        "join staged s using (record) left join staged o on o.record = d.other "
        f"group by record order by record limit {MAX_LINES}"
    )
    lines, others = tuple(rows["line"].to_pylist()), describe_others(store, rows)
    # Nothing is lost by a second profile; an address that is overwritten is.
    doubtful = code == TAKEN_EMAIL_ROWS and is_doubtful(count, count_updates(scratch))
    return [Notice(code, path, count, lines, doubtful, others)]
