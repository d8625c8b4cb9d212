"""An upload job from the uploaded file to its end: stage, plan, merge, index, in a process of its own.

Where a job stands is written in its row, with the profiles themselves (``phase`` and ``position``); a loader that
takes the job up after another one died goes on there:

    stage          reading the file; nothing is written to the profiles yet, so it begins anew
    report         writing the failed rows, up to record ``position``
    create         new profiles are in up to record ``position``
    update         changes of existing profiles are in up to row number ``position``
    follow         records that are followed one by one are in up to record ``position``
    unindex        keys that updates removed are out, ``position`` of them
    index          keys are in, ``position`` of them

When the scratch database is lost as well, it is made again from the file; what the store already has stays, and the
rest is followed one by one.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pyarrow.compute as pc

from openprofiles.clock import Clock
from openprofiles.errors import InvalidRequest
from openprofiles.master_key import MasterKey
from openprofiles.profiles.keys import field_key_name
from openprofiles.store.bulk import BulkStore, LeasedJob
from openprofiles.store.upload_job_states import GAVE_UP_MESSAGE, INTERNAL_FAILURE, VALIDATION_FAILURE, UploadJobStatus
from openprofiles.uploads.arrival.client_token import decrypt_client_token
from openprofiles.uploads.arrival.files import Files
from openprofiles.uploads.failures.failed_row_cipher import FailedRowCipher, decrypt_failed_rows_key
from openprofiles.uploads.failures.failed_row_content import FailedRowContents
from openprofiles.uploads.failures.original_rows import OriginalRows
from openprofiles.uploads.job_options import REFUSE, JobOptions
from openprofiles.uploads.loading.follow import FOLLOW, follow_records
from openprofiles.uploads.loading.index import ADD, REMOVE, KeySorting, build_field_index, write_keys
from openprofiles.uploads.loading.leased_work import Stopped, check_stop
from openprofiles.uploads.loading.merge import (
    CREATE,
    UPDATE,
    Load,
    TooManyFailed,
    create_profiles,
    update_profiles,
)
from openprofiles.uploads.loading.other_names import find_other_names
from openprofiles.uploads.loading.placeholder_values import find_placeholder_values
from openprofiles.uploads.loading.plan import plan, plan_again
from openprofiles.uploads.loading.preview import PREVIEW, preview_records
from openprofiles.uploads.loading.probable_doubles import find_probable_doubles
from openprofiles.uploads.loading.repeated_rows import count_repeated_rows, repeated_rows
from openprofiles.uploads.loading.scratch import Scratch
from openprofiles.uploads.loading.scratch_folder import remove_scratch
from openprofiles.uploads.loading.shared_keys import find_shared_keys
from openprofiles.uploads.loading.short_rows import find_short_rows
from openprofiles.uploads.loading.shortened_values import find_shortened_values
from openprofiles.uploads.loading.sparse_rows import create_sparse_rows_table, find_sparse_rows
from openprofiles.uploads.loading.split_values import find_split_values
from openprofiles.uploads.loading.stage import FileRejected, find_noticed_lines, stage
from openprofiles.uploads.loading.step_times import StepTimes
from openprofiles.uploads.loading.unusual_keys import find_unusual_keys
from openprofiles.uploads.loading.wide_rows import find_wide_rows
from openprofiles.uploads.mappings.upload_mapping import UploadMapping, read_mapping
from openprofiles.uploads.notices import Notice, describe_refusal
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS, FileForm
from openprofiles.uploads.reading.file_header import read_file_header
from openprofiles.uploads.reading.file_text import FileDamaged
from openprofiles.uploads.reading.uploaded_file import UploadedFile

STAGE = "stage"
PLAN = "plan"
REPORT = "report"


class GaveUp(Exception):
    """Earlier loaders died too often; the keys of what they wrote are in, and the job ends here."""


@dataclass(frozen=True, slots=True)
class PreviewState:
    """What a preview needs beside a load."""

    originals: OriginalRows
    cipher: FailedRowCipher | None


# Each has as many faults as the mapping has fields, at worst.
_FAILED_RECORDS_PER_READ = 2_000

# With less, sorting and merging would take the memory from each other.
_SORTING_AHEAD_BYTES = 240_000_000

# No version that a domain ever has.
_NEVER = -1


def run_load(
    store: BulkStore,
    master_key: MasterKey,
    files: Files,
    scratch_folder: Path,
    *,
    memory_limit_bytes: int,
    max_unpacked_bytes: int,
    undo_days: int,
    strict: bool,
    clock: Clock,
) -> UploadJobStatus:
    """Bring the leased job to its end.

    Args:
        undo_days: how long after its end the job can be taken back, unless another loader of it has fixed that; 0 keeps
            nothing for that.

    Returns:
        its final status.

    Raises:
        LeaseLost: another worker has the job; nothing may be removed.
        Exception: a fault of ours or of the machine; the job can be taken up again where it stood.
    """
    job = store.read_job()
    if job.file_name is None or job.client_token is None:
        raise ValueError(f"Upload job {job.job_id} has no file.")
    mapping = replace(read_mapping(job.fields, job.unique_key, strict=False), matches_group=strict)
    file = UploadedFile(
        files,
        job.file_name,
        decrypt_client_token(master_key, job.client_token, job.job_id),
        FileForm.from_json(job.file_form) if job.file_form is not None else None,
        max_unpacked_bytes=max_unpacked_bytes,
    )
    cipher = None
    if job.failed_rows_key is not None:
        cipher = FailedRowCipher(decrypt_failed_rows_key(master_key, job.failed_rows_key, job.job_id))
    scratch = Scratch(
        scratch_folder / job.job_id,
        epoch=job.epoch,
        memory_limit_bytes=memory_limit_bytes,
        phone_region=job.phone_region,
    )
    times = StepTimes(scratch)
    try:
        with OriginalRows(file) as originals:
            failed_rows = FailedRowContents(originals, cipher)
            preview = PreviewState(originals, cipher) if job.is_preview else None
            status, message = _run_steps(
                store,
                scratch,
                job,
                mapping,
                file,
                failed_rows,
                preview,
                times,
                undo_days=undo_days,
                strict=strict,
                clock=clock,
            )
        reason = VALIDATION_FAILURE if status in (UploadJobStatus.FAILED, UploadJobStatus.PARTIALLY_SUCCEEDED) else None
    except GaveUp:
        status, reason, message = UploadJobStatus.FAILED, INTERNAL_FAILURE, job.failure_message or GAVE_UP_MESSAGE
    finally:
        scratch.close()
    _forget_notes(store)
    fault_counts = store.count_faults()
    completed_at, kept_days = clock(), store.read_job().undo_days
    with store.chunk() as state:
        if state.stop_requested and status in (UploadJobStatus.SUCCEEDED, UploadJobStatus.PARTIALLY_SUCCEEDED):
            # The stop was answered, although it came too late to keep anything from being written.
            status, reason = UploadJobStatus.STOPPED, None
        store.end_job(
            status=status,
            reason=reason,
            message=message,
            fault_counts=fault_counts,
            step_milliseconds=times.milliseconds,
            completed_at=completed_at,
            undo_until=completed_at + timedelta(days=kept_days) if kept_days else None,
        )
    if not job.is_preview:
        files.remove(job.file_name)
    remove_scratch(scratch_folder, job.job_id)
    return status


def _forget_notes(store: BulkStore) -> None:
    is_left = True
    while is_left:
        with store.chunk():
            is_left = store.forget_notes()
            store.check_lease()


def _run_steps(
    store: BulkStore,
    scratch: Scratch,
    job: LeasedJob,
    mapping: UploadMapping,
    file: UploadedFile,
    failed_rows: FailedRowContents,
    preview: PreviewState | None,
    times: StepTimes,
    *,
    undo_days: int,
    strict: bool,
    clock: Clock,
) -> tuple[UploadJobStatus, str | None]:
    """Everything but the end itself: the status that the job ends with, and why if it failed."""
    if job.gives_up and job.phase in (None, STAGE, REPORT):
        raise GaveUp
    if preview is not None and job.phase == PREVIEW:
        return _preview_end(store, JobOptions.from_json(job.options))
    try:
        if job.phase == REPORT and (preview is not None or not scratch.is_done("planned")):
            # Nothing is written to the profiles yet. The plan that was reported is gone; another may find otherwise.
            job = _begin_anew(store)
        if not scratch.is_done("staged"):
            with times.timed(STAGE):
                _stage(store, scratch, job, mapping, file, strict=strict)
        if not scratch.is_done("planned"):
            with times.timed(PLAN):
                _plan(store, scratch, job, mapping)
        with times.timed(REPORT):
            job = _report(store, scratch, mapping, file, failed_rows, undo_days=undo_days)
    except FileRejected as error:
        return UploadJobStatus.FAILED, str(error)
    except Stopped:
        return UploadJobStatus.STOPPED, None
    options = JobOptions.from_json(job.options)
    if job.phase == REPORT and preview is None and options.doubtful_rows == REFUSE:
        notices = [Notice.from_json(notice) for notice in store.read_notices()]
        if reason := describe_refusal(notices):
            return UploadJobStatus.FAILED, reason
    if job.phase == REPORT and (reason := options.too_many_failed(job.failed_count, job.record_count or 0)):
        return UploadJobStatus.FAILED, f"{reason} Nothing was loaded."
    if job.failed_count == job.record_count:
        return UploadJobStatus.FAILED, f"All {job.record_count} rows failed. See the failed rows for the reasons."
    load = Load(
        scratch=scratch,
        cursor=scratch,
        store=store,
        reader=store,
        job=job,
        mapping=mapping,
        options=options,
        key_version=scratch.recall("key_version") or 0,
        bytes_per_record=scratch.recall("bytes_per_record") or 1_000,
        all_new=bool(scratch.recall("all_new")),
        pid_base=job.pid_base or 0,
        expires_at=job.started_at + timedelta(days=job.data_expiry_days),
        failed_rows=failed_rows,
        keeps_images=bool(job.undo_days),
        clock=clock,
    )
    if preview is not None:
        return _preview(load, preview, times)
    stopped = job.stop_requested and job.phase in (REMOVE, ADD)
    # Twice the work needs twice the memory: not after a death, which may have been for want of it.
    sorts_ahead = (
        job.phase not in (REMOVE, ADD)
        and job.failed_attempts == 0
        and scratch.memory_limit_bytes >= _SORTING_AHEAD_BYTES
    )
    with load.in_another_thread() as ahead, ExitStack() as at_end:
        sorting = KeySorting(ahead) if sorts_ahead else None
        if sorting is not None:
            at_end.callback(sorting.close)
        if job.phase not in (REMOVE, ADD):
            try:
                _merge(load, times)
            except (Stopped, TooManyFailed) as end:
                stopped = isinstance(end, Stopped)
                if sorting is not None:
                    sorting.close()
                    sorting = None
        job = store.read_job()
        # The list of added keys that was made again may be shorter than the one that the position counts; writing a key
        # twice does no harm. That of removed keys is always the same.
        position = 0 if scratch.recall("made_again") and job.phase == ADD else job.position
        with times.timed(ADD):
            write_keys(load, _created_so_far(scratch, job.phase, job.position), job.phase, position, sorting)
    if job.gives_up:
        raise GaveUp
    if stopped:
        return UploadJobStatus.STOPPED, None
    # Also when the loader that came upon it died before the end.
    if reason := options.too_many_failed(job.failed_count, job.record_count or 0):
        return UploadJobStatus.FAILED, f"{reason} The rows that were already loaded are kept."
    if job.failed_count == job.record_count:
        return UploadJobStatus.FAILED, f"All {job.record_count} rows failed. See the failed rows for the reasons."
    return (UploadJobStatus.PARTIALLY_SUCCEEDED if job.failed_count else UploadJobStatus.SUCCEEDED), None


def _begin_anew(store: BulkStore) -> LeasedJob:
    """Forget what was reported, some at a time."""
    is_left = True
    while is_left:
        with store.chunk() as state:
            check_stop(state)
            is_left = store.forget_report()
            if not is_left:
                store.restart()
            store.check_lease()
    return store.read_job()


def _preview(load: Load, preview: PreviewState, times: StepTimes) -> tuple[UploadJobStatus, str | None]:
    """The status that the load would end with, and why if it would fail."""
    try:
        with times.timed(PREVIEW):
            preview_records(load, preview.originals, preview.cipher)
    except Stopped:
        return UploadJobStatus.STOPPED, None
    except TooManyFailed:
        # Told below, also by a loader that comes after the one that came upon it.
        pass
    return _preview_end(load.store, load.options)


def _preview_end(store: BulkStore, options: JobOptions) -> tuple[UploadJobStatus, str | None]:
    job = store.read_job()
    if reason := options.too_many_failed(job.failed_count, job.record_count or 0):
        return UploadJobStatus.FAILED, f"{reason} The rows that were already loaded are kept."
    if job.failed_count == job.record_count:
        return UploadJobStatus.FAILED, f"All {job.record_count} rows failed. See the failed rows for the reasons."
    return (UploadJobStatus.PARTIALLY_SUCCEEDED if job.failed_count else UploadJobStatus.SUCCEEDED), None


def _stage(
    store: BulkStore,
    scratch: Scratch,
    job: LeasedJob,
    mapping: UploadMapping,
    file: UploadedFile,
    *,
    strict: bool,
) -> None:
    has_written = job.phase not in (None, STAGE)
    options = JobOptions.from_json(job.options)
    scratch.start_over()

    def on_block(record_count: int) -> None:
        if has_written:
            return
        with store.chunk() as state:
            check_stop(state)
            store.record_progress(phase=STAGE, position=record_count, read_bytes=file.read_bytes)

    on_block(0)
    try:
        # AWS accepts one form only, and so does a server that holds callers to its limits.
        headers = [field.header for field in mapping.fields]
        form = file.detect(STRICT_OPTIONS if strict else options.file, headers, job.phone_region, strict=strict)
        if strict and form.compression != "none":
            raise FileRejected(f"The file is compressed with {form.compression}, which AWS does not accept.")
        if job.file_form is None:
            with store.chunk() as state:
                check_stop(state)
                store.record_file_form(form.to_json())
                store.record_progress(phase=STAGE, position=0)
        with file.open() as reader:
            record_count = stage(
                scratch,
                reader.read,
                mapping,
                form,
                options,
                phone_region=job.phone_region,
                strict=strict,
                on_block=on_block,
            )
            scratch.remember("bytes_per_record", reader.size_bytes // record_count)
    except (InvalidRequest, FileDamaged) as error:
        raise FileRejected(str(error)) from None
    scratch.remember("record_count", record_count)
    if has_written:
        scratch.remember("made_again", 1)
    scratch.mark_done("staged")


def _plan(store: BulkStore, scratch: Scratch, job: LeasedJob, mapping: UploadMapping) -> None:
    path = mapping.unique_key.path
    is_indexed = mapping.key_name != field_key_name(path) or path in job.whole_index_paths
    if mapping.key_name == field_key_name(path) and not job.is_preview:
        build_field_index(scratch, store, job, mapping.unique_key.path, phase=job.phase or STAGE, position=job.position)
    job = store.read_job()
    if job.stop_requested and job.phase == STAGE:
        raise Stopped
    options = JobOptions.from_json(job.options)
    if scratch.recall("made_again") and not job.is_preview:
        plan_again(scratch, store, job, mapping, options, may_set_apart=job.phase in (CREATE, UPDATE))
        # What was written between the first plan and now is not known, so every key is looked at again.
        scratch.remember("key_version", _NEVER)
    else:
        # A preview writes nothing, no index either.
        plan(scratch, store, job, mapping, options, unindexed=job.is_preview and not is_indexed)
        # Of the version read before the first look-up: whatever was written since is looked at again.
        scratch.remember("key_version", job.key_version)
    scratch.mark_done("planned")


def _report(
    store: BulkStore,
    scratch: Scratch,
    mapping: UploadMapping,
    file: UploadedFile,
    failed_rows: FailedRowContents,
    *,
    undo_days: int,
) -> LeasedJob:
    """Write the failed rows to the store, and reserve the row numbers of the profiles to come."""
    job = store.read_job()
    position = job.position if job.phase == REPORT else 0
    if job.phase in (None, STAGE):
        record_count = scratch.recall("record_count") or 0
        with file.open() as reader:
            header = read_file_header(reader.read, file.form)
        doubles = find_shared_keys(scratch, store, job, mapping)
        doubles += find_probable_doubles(scratch, store, job, mapping)
        notices = [
            *find_noticed_lines(scratch),
            *find_short_rows(scratch),
            *find_wide_rows(scratch),
            *find_split_values(scratch),
            *find_other_names(scratch, store, job, mapping, JobOptions.from_json(job.options)),
            *doubles,
            *find_placeholder_values(scratch, mapping),
            *find_shortened_values(scratch, mapping),
        ]
        if not mapping.matches_group:
            is_checked = mapping.unique_key.name in JobOptions.from_json(job.options).checks
            create_sparse_rows_table(scratch)
            if not is_checked:
                notices += find_sparse_rows(scratch, mapping)
            notices += find_unusual_keys(scratch, mapping, is_checked=is_checked)
        for rows in repeated_rows(scratch):
            with store.chunk() as state:
                check_stop(state)
                store.insert_repeated_rows(rows)
                store.record_progress(phase=STAGE, position=record_count)
        with store.chunk() as state:
            check_stop(state)
            store.insert_ordered_records(scratch.table("select record from ordered order by record"))
            # Last, since everybody who makes a profile waits for it. Records count from 1, so the first reserved number
            # is that of record 1.
            pid_base = job.pid_base
            if pid_base is None:
                pid_base = 0 if job.is_preview else store.reserve_row_numbers(record_count) - 1
            store.record_plan(
                record_count=record_count,
                pid_base=pid_base,
                file_header=header,
                repeated_count=count_repeated_rows(scratch),
                notices=[notice.to_json() for notice in notices],
                # From here on it holds for every loader of the job: images of a part of it would be of no use.
                undo_days=None if job.is_preview else undo_days,
            )
            store.record_progress(phase=REPORT, position=0)
    elif job.phase != REPORT:
        return job
    if not scratch.is_done("failed in order"):
        scratch.run("create or replace table failed_in_order as select * from failed order by record, fault")
        scratch.run("create or replace table failed_record as select record from failed_in_order where fault = 0")
        scratch.mark_done("failed in order")
    # The tables were made in order, so their row ids are: a range of them is read without looking at the others.
    first = int(scratch.value("select count(*) from failed_record where record <= ?", [position]))
    while True:
        after, upto = scratch.only_row(
            "select min(record) - 1, max(record) from failed_record where rowid >= ? and rowid < ?",
            [first, first + _FAILED_RECORDS_PER_READ],
        )
        if upto is None:
            return store.read_job()
        first += _FAILED_RECORDS_PER_READ
        rows = scratch.table(
            "select record, fault, line, code, column_name, detail from failed_in_order "
            "where record > ? and record <= ? order by record, fault",
            [after, upto],
        )
        for part in failed_rows.tables(rows):
            with store.chunk() as state:
                check_stop(state)
                store.insert_failed_rows(part)
                failed = pc.sum(pc.equal(part["fault"], 0)).as_py()
                store.record_progress(phase=REPORT, position=part["record"][-1].as_py(), failed=failed)


def _merge(load: Load, times: StepTimes) -> None:
    """Write all records, from where the job stands on."""
    phase, position = load.job.phase, load.job.position
    # A plan that was made again has set everything apart that is not written.
    if phase != FOLLOW and not load.scratch.recall("made_again"):
        if phase != UPDATE:
            with times.timed(CREATE):
                create_profiles(load, position if phase == CREATE else 0)
        with times.timed(UPDATE):
            update_profiles(load, position if phase == UPDATE else 0)
    with times.timed(FOLLOW):
        follow_records(load, position if phase == FOLLOW else 0)


def _created_so_far(scratch: Scratch, phase: str | None, position: int) -> str:
    """SQL condition on ``target``: the new profiles that are in the store when the job stands there."""
    if scratch.recall("made_again"):
        return "true"
    if phase == CREATE:
        return f"target <= {position}"
    return "false" if phase in (None, STAGE, REPORT) else "true"
