"""An upload job from the uploaded file to its end, in a process of its own; or its preview, which writes no profile.

The steps are in ``_Loading.steps``. The phases that they record:

    stage          the file is being read; nothing is written, so a loader that takes over begins again
    report         failed rows are written up to record ``position``
    create         new profiles are written up to record ``position``
    update         changes of existing profiles are written up to row number ``position``
    follow         records that are followed one by one are written up to record ``position``
    unindex        ``position`` keys that updates removed are out of the index
    index          ``position`` keys are in the index
    preview        the results of a preview are written

If the scratch database is lost as well, it is made again from the file. What the store already has stays, and the
other records are followed one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from openprofiles.bulk.key_writes import ADD, REMOVE, build_field_index
from openprofiles.bulk.leased_work import check_stop
from openprofiles.bulk.run_job import End, JobEnded, failed, run_job
from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.steps import Part, Standing, Step, Stopped, WriteEnded
from openprofiles.clock import Clock
from openprofiles.errors import InvalidRequest
from openprofiles.facts.keys import field_key_name
from openprofiles.job_kinds import UPLOAD
from openprofiles.master_key import MasterKey, load_master_key
from openprofiles.settings import Settings
from openprofiles.store.bulk import BulkStore
from openprofiles.store.leased_jobs import LeasedUpload
from openprofiles.store.note_tables import ORDERED_RECORDS, REPEATED_ROWS
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, UploadJobStatus
from openprofiles.uploads.arrival.client_token import decrypt_client_token
from openprofiles.uploads.arrival.files import Files, open_files
from openprofiles.uploads.failures.failed_row_cipher import FailedRowCipher, decrypt_failed_rows_key
from openprofiles.uploads.failures.failed_row_content import FailedRowContents
from openprofiles.uploads.failures.original_rows import OriginalRows
from openprofiles.uploads.job_options import CLEAR, REFUSE, JobOptions
from openprofiles.uploads.loading.code_dates import find_code_dates
from openprofiles.uploads.loading.cut_off_texts import find_cut_off_texts
from openprofiles.uploads.loading.damaged_values import find_damaged_values
from openprofiles.uploads.loading.deleted_rows import find_deleted_rows
from openprofiles.uploads.loading.exchanged_values import find_exchanged_values, find_taken_values
from openprofiles.uploads.loading.failed_rows_report import end_of_rows, report_failed_rows, require_enough_rows
from openprofiles.uploads.loading.follow import FOLLOW, follow_records
from openprofiles.uploads.loading.index import KeySorting, write_load_keys
from openprofiles.uploads.loading.load_work import Load
from openprofiles.uploads.loading.marked_values import find_marked_values
from openprofiles.uploads.loading.merge import CREATE, UPDATE, create_profiles, update_profiles
from openprofiles.uploads.loading.mixed_addresses import find_mixed_addresses
from openprofiles.uploads.loading.older_rows import find_older_rows
from openprofiles.uploads.loading.other_customers import find_other_customers
from openprofiles.uploads.loading.other_names import compared_names, find_other_names
from openprofiles.uploads.loading.placeholder_values import find_placeholder_values
from openprofiles.uploads.loading.plan import plan, plan_again
from openprofiles.uploads.loading.preview import PREVIEW, preview_records
from openprofiles.uploads.loading.probable_doubles import find_probable_doubles
from openprofiles.uploads.loading.repeated_rows import count_repeated_rows, repeated_rows
from openprofiles.uploads.loading.replaced_values import ReplacedValues
from openprofiles.uploads.loading.reversed_names import find_reversed_names
from openprofiles.uploads.loading.shared_keys import find_shared_keys
from openprofiles.uploads.loading.short_rows import find_short_rows
from openprofiles.uploads.loading.shortened_values import find_shortened_values
from openprofiles.uploads.loading.sparse_rows import create_sparse_rows_table, find_sparse_rows
from openprofiles.uploads.loading.split_values import find_split_values
from openprofiles.uploads.loading.stage import FileRejected, find_noticed_lines, stage
from openprofiles.uploads.loading.unlikely_dates import find_unlikely_dates
from openprofiles.uploads.loading.unusual_keys import find_unusual_keys
from openprofiles.uploads.loading.whole_names import find_names_replaced_by_whole_ones, find_whole_names
from openprofiles.uploads.loading.wide_rows import find_wide_rows
from openprofiles.uploads.mappings.upload_mapping import UploadMapping, read_mapping
from openprofiles.uploads.notices import SHORTENED_VALUES, TAKEN_EMAIL_ROWS, Notice, describe_refusal, with_more
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS, FileForm
from openprofiles.uploads.reading.file_header import read_file_header
from openprofiles.uploads.reading.file_text import FileDamaged
from openprofiles.uploads.reading.uploaded_file import UploadedFile

STAGE = "stage"
PLAN = "plan"
REPORT = "report"


# With less, sorting and merging would take the memory from each other.
_SORTING_AHEAD_BYTES = 240_000_000

# No version that a domain ever has.
_NEVER = -1


def run(store: BulkStore, settings: Settings, clock: Clock) -> None:
    """Run the leased job, an upload or its preview, to its end; see ``run_load``."""
    run_load(
        store,
        load_master_key(settings),
        # Its worker has made sure that they are this store's.
        open_files(settings),
        settings.scratch_folder,
        memory_limit_bytes=settings.memory_limit_bytes,
        max_unpacked_bytes=settings.max_upload_size_bytes,
        undo_days=settings.undo_days,
        keeps_replaced=settings.history_content_days > 0,
        strict=settings.compat_strict,
        clock=clock,
    )


def run_load(
    store: BulkStore,
    master_key: MasterKey,
    files: Files,
    scratch_folder: Path,
    *,
    memory_limit_bytes: int,
    max_unpacked_bytes: int,
    undo_days: int,
    keeps_replaced: bool,
    strict: bool,
    clock: Clock,
) -> UploadJobStatus:
    """Bring the leased job to its end.

    Args:
        undo_days: how long after its end the job can be undone, unless another loader of it has fixed that; 0 keeps
            nothing for that.
        keeps_replaced: whether the values that the load replaces are kept although it cannot be undone.

    Returns:
        its final status.

    Raises:
        LeaseLost: another worker has the job; nothing may be removed.
        Exception: a fault of ours or of the machine; the job can be taken up again where it stood.
    """
    job = store.read_upload()
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

    @contextmanager
    def begin(scratch: Scratch) -> Iterator[_Loading]:
        with OriginalRows(file) as originals, ExitStack() as at_end:
            yield _Loading(
                store, scratch, job, mapping, file, originals, cipher, at_end, undo_days, keeps_replaced, strict, clock,
            )  # fmt: skip

    status = run_job(store, job, scratch_folder, begin, memory_limit_bytes=memory_limit_bytes, clock=clock)
    if not job.is_preview:
        files.remove(job.file_name)
    return status


@dataclass
class _Loading:
    """The steps of a load or a preview.

    Attributes:
        job: as it was when this loader took it over.
        _at_end: closed when the steps are through.
    """

    _store: BulkStore
    _scratch: Scratch
    job: LeasedUpload
    _mapping: UploadMapping
    _file: UploadedFile
    _originals: OriginalRows
    _cipher: FailedRowCipher | None
    _at_end: ExitStack
    _undo_days: int
    _keeps_replaced: bool
    _strict: bool
    _clock: Clock
    _sorting: KeySorting | None = None

    def __post_init__(self) -> None:
        self._failed_rows = FailedRowContents(self._originals, self._cipher)
        self._options = JobOptions.from_json(self.job.options)
        if self.job.phase == REPORT and (self.job.is_preview or not self._scratch.is_done("planned")):
            # Nothing is written to the profiles yet. The plan that was reported is lost; another may find otherwise.
            self.job = _begin_again(self._store)

    @property
    def steps(self) -> list[Step]:
        is_written = self.job.phase == PREVIEW
        prepare = [
            Step(
                name=STAGE,
                run=self._stage,
                part=Part.PREPARE,
                is_done=lambda: is_written or self._scratch.is_done("staged"),
            ),
            Step(
                name=PLAN,
                run=self._plan,
                part=Part.PREPARE,
                is_done=lambda: is_written or self._scratch.is_done("planned"),
            ),
            Step(name=REPORT, run=self._report, part=Part.PREPARE),
        ]
        if self.job.is_preview:
            return [*prepare, Step(name=PREVIEW, run=self._preview, part=Part.PREPARE)]
        return [
            *prepare,
            Step(name=CREATE, run=self._create, part=Part.WRITE),
            Step(name=UPDATE, run=self._update, part=Part.WRITE),
            Step(name=FOLLOW, run=self._follow, part=Part.WRITE),
            Step(name=ADD, run=self._index, part=Part.FINISH, phases=(REMOVE, ADD)),
        ]

    def give_up(self) -> End:
        message = self.job.failure_message or UPLOAD.gave_up_message
        return End(UploadJobStatus.FAILED, INTERNAL_FAILURE, message)

    def end(self) -> End:
        """Find how the job ends, also if another loader has run its steps."""
        return end_of_rows(self._store.read_upload(), self._options)

    def _stage(self, _at: Standing | None) -> None:
        try:
            _stage(self._store, self._scratch, self.job, self._mapping, self._file, strict=self._strict)
        except FileRejected as error:
            raise JobEnded(failed(str(error))) from None

    def _plan(self, _at: Standing | None) -> None:
        _plan(self._store, self._scratch, self.job, self._mapping)

    def _report(self, at: Standing | None) -> None:
        if at is None or at.phase != REPORT:
            _report_plan(self._store, self._scratch, self._mapping, self._file, undo_days=self._undo_days)
        report_failed_rows(
            self._store, self._scratch, self._failed_rows, at.position if at and at.phase == REPORT else 0
        )
        job = self._store.read_upload()
        if not job.is_preview and self._options.doubtful_rows == REFUSE:
            notices = [Notice.from_json(notice) for notice in self._store.read_notices()]
            if reason := describe_refusal(notices):
                raise JobEnded(failed(reason))
        require_enough_rows(job, self._options)

    @cached_property
    def _load(self) -> Load:
        """What the steps after the report share."""
        scratch, job = self._scratch, self._store.read_upload()
        return Load(
            scratch=scratch,
            cursor=scratch,
            store=self._store,
            reader=self._store,
            job=job,
            mapping=self._mapping,
            paths=self._mapping.paths,
            options=self._options,
            source=self._options.source,
            clears=self._options.blank_cells == CLEAR,
            key_version=scratch.recall("key_version") or 0,
            bytes_per_record=scratch.recall("bytes_per_record") or 1_000,
            all_new=bool(scratch.recall("all_new")),
            pid_base=job.pid_base or 0,
            expires_at=job.started_at + timedelta(days=job.data_expiry_days),
            failed_rows=self._failed_rows,
            keeps_images=not job.is_preview and (bool(job.undo_days) or self._keeps_replaced),
            clock=self._clock,
        )

    def _preview(self, at: Standing | None) -> None:
        if at is None:
            preview_records(self._load, self._originals, self._cipher)

    def _create(self, at: Standing | None) -> None:
        # A plan that was made again has set everything apart that is not written.
        with self._writing():
            if not self._scratch.recall("made_again"):
                create_profiles(self._load, at.position if at else 0)

    def _update(self, at: Standing | None) -> None:
        with self._writing():
            if not self._scratch.recall("made_again"):
                update_profiles(self._load, at.position if at else 0)

    def _follow(self, at: Standing | None) -> None:
        with self._writing():
            follow_records(
                self._load,
                self._store,
                at.position if at else 0,
                lambda upto, counts: self._store.record_progress(phase=FOLLOW, position=upto, **asdict(counts)),
            )

    def _index(self, _at: Standing | None) -> None:
        scratch, job = self._scratch, self._store.read_upload()
        # The list of added keys that was made again may be shorter than the one that the position counts; writing a key
        # twice does no harm. That of removed keys is always the same.
        position = 0 if scratch.recall("made_again") and job.phase == ADD else job.position
        created = _created_so_far(scratch, job.phase, job.position)
        write_load_keys(self._load, created, job.phase, position, self._sorting)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Sort the keys of the planned profiles in a thread, as long as all of them are going to be written."""
        # Twice the work needs twice the memory: not after a death, which may have been for want of it.
        is_possible = self.job.failed_attempts == 0 and self._scratch.memory_limit_bytes >= _SORTING_AHEAD_BYTES
        is_possible = is_possible and not self._scratch.has_few_records
        if is_possible and self._sorting is None:
            self._sorting = KeySorting(self._at_end.enter_context(self._load.in_another_thread()))
            self._at_end.callback(self._sorting.close)
        try:
            yield
        except (Stopped, WriteEnded):
            if self._sorting is not None:
                self._sorting.close()
                self._sorting = None
            raise


def _begin_again(store: BulkStore) -> LeasedUpload:
    """Forget what was reported, some at a time."""
    is_left = True
    while is_left:
        with store.chunk() as state:
            check_stop(state)
            is_left = store.forget_report()
            if not is_left:
                store.restart()
            store.check_lease()
    return store.read_upload()


def _stage(
    store: BulkStore,
    scratch: Scratch,
    job: LeasedUpload,
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
            store.record_progress(phase=STAGE, position=record_count, done=file.read_bytes)

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
                store.check_lease()
        with file.open() as reader:
            record_count = stage(
                scratch,
                reader.read,
                mapping,
                form,
                options,
                phone_region=job.phone_region,
                strict=strict,
                has_written=has_written,
                on_block=on_block,
            )
            scratch.remember("bytes_per_record", reader.size_bytes // record_count)
    except (InvalidRequest, FileDamaged) as error:
        raise FileRejected(str(error)) from None
    if has_written:
        scratch.remember("made_again", 1)
    scratch.mark_done("staged")


def _plan(store: BulkStore, scratch: Scratch, job: LeasedUpload, mapping: UploadMapping) -> None:
    path = mapping.unique_key.path
    is_indexed = mapping.key_name != field_key_name(path) or path in job.whole_index_paths
    if mapping.key_name == field_key_name(path) and not job.is_preview:
        build_field_index(scratch, store, job, path)
    job = store.read_upload()
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


def _report_plan(
    store: BulkStore, scratch: Scratch, mapping: UploadMapping, file: UploadedFile, *, undo_days: int
) -> None:
    """Write what the plan has found, and reserve the row numbers of the profiles to come."""
    job = store.read_upload()
    record_count = scratch.record_count
    with file.open() as reader:
        header = read_file_header(reader.read, file.form)
    notices = _find_notices(store, scratch, job, mapping)
    repeated_count = count_repeated_rows(scratch)
    for rows in repeated_rows(scratch) if repeated_count else ():
        with store.chunk() as state:
            check_stop(state)
            store.add_notes(REPEATED_ROWS, rows)
            store.check_lease()
    with store.chunk() as state:
        check_stop(state)
        store.add_notes(ORDERED_RECORDS, scratch.table("select record from ordered order by record"))
        store.record_progress(phase=REPORT, position=0)
        # Last, since everybody who makes a profile waits for it. Records count from 1, so the first reserved number is
        # that of record 1.
        pid_base = job.pid_base
        if pid_base is None:
            pid_base = 0 if job.is_preview else store.reserve_row_numbers(record_count) - 1
        store.record_plan(
            record_count=record_count,
            pid_base=pid_base,
            file_header=header,
            repeated_count=repeated_count,
            notices=[notice.to_json() for notice in notices],
            # From here on it holds for every loader of the job: images of a part of it would be of no use.
            undo_days=None if job.is_preview else undo_days,
        )


def _find_notices(store: BulkStore, scratch: Scratch, job: LeasedUpload, mapping: UploadMapping) -> list[Notice]:
    options = JobOptions.from_json(job.options)
    replaced = ReplacedValues(scratch, store, job, mapping, options)
    doubles = find_shared_keys(scratch, store, job, mapping)
    doubles += find_probable_doubles(scratch, store, job, mapping)
    others = find_other_names(scratch, store, mapping, options)
    if not compared_names(mapping, options):
        # Addresses of other customers have been counted.
        by_email = not any(one.code == TAKEN_EMAIL_ROWS and one.is_doubtful for one in doubles)
        others += find_other_customers(replaced, by_email=by_email)
    # Whole customers are not columns that were sorted alone.
    taken = [] if any(one.is_doubtful for one in others) else find_taken_values(replaced)
    damaged = with_more(find_damaged_values(replaced), find_names_replaced_by_whole_ones(replaced))
    without_zeros = [notice.path for notice in damaged if notice.code == SHORTENED_VALUES and notice.path]
    notices = [
        *find_noticed_lines(scratch),
        *find_short_rows(scratch),
        *find_wide_rows(scratch),
        *find_split_values(scratch),
        *others,
        *doubles,
        *find_placeholder_values(scratch, mapping),
        *with_more(damaged, find_shortened_values(scratch, mapping, without_zeros, job.phone_region)),
        *find_deleted_rows(scratch, mapping),
        *find_marked_values(scratch, mapping),
        *find_code_dates(scratch, mapping),
        *find_cut_off_texts(scratch, mapping),
        *find_reversed_names(scratch, mapping),
        *find_whole_names(scratch, mapping),
        *find_exchanged_values(replaced),
        *taken,
        *find_older_rows(replaced),
        *find_mixed_addresses(replaced),
        *find_unlikely_dates(scratch, mapping, job.started_at),
    ]
    replaced.close()
    if not mapping.matches_group:
        is_checked = mapping.unique_key.name in options.checks
        create_sparse_rows_table(scratch)
        if not is_checked:
            notices += find_sparse_rows(scratch, mapping)
        notices += find_unusual_keys(scratch, mapping, is_checked=is_checked)
    return notices


def _created_so_far(scratch: Scratch, phase: str | None, position: int) -> str:
    """SQL condition on ``target``: the new profiles that are in the store when the job stands there."""
    if scratch.recall("made_again"):
        return "true"
    if phase == CREATE:
        return f"target <= {position}"
    return "false" if phase in (None, STAGE, REPORT) else "true"
