"""An upload job of a file of objects, from the uploaded file to its end; or its preview, which writes nothing.

The steps are in ``_Loading.steps``. The phases that they record:

    stage          the file is being read; nothing is written, so a loader that takes over begins again
    report         failed rows are written up to record ``position``
    rehearse       rows without a profile are looked for, since the job has a limit of failed rows
    ingest         objects are ingested up to record ``position``
    preview        the results of a preview are written

Objects are ingested in the order of the file, as PutProfileObject would ingest them one after the other; a chunk is one
transaction. A row that finds no profile is a failed row, and not a dead letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property

import pyarrow as pa

from openprofiles.bulk.chunks import ChunkSize
from openprofiles.bulk.leased_work import check_stop
from openprofiles.bulk.run_job import End, JobEnded, failed, run_job
from openprofiles.bulk.scratch import Scratch
from openprofiles.bulk.steps import Part, Standing, Step, Stopped
from openprofiles.clock import Clock
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import ATTRIBUTES_PREFIX
from openprofiles.job_kinds import OBJECT_UPLOAD
from openprofiles.master_key import load_master_key
from openprofiles.objects.ingestion import Ingestion, Outcome
from openprofiles.objects.prepared_objects import PreparedObject, UsedType
from openprofiles.objects.used_types import find_used_type, with_definition
from openprofiles.profiles.profiles import SERVICE
from openprofiles.profiles.recorded_changes import RecordedChanges
from openprofiles.profiles.session import Reading, Writing, hold_domain
from openprofiles.settings import Settings
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.domains import find_domain_by_number
from openprofiles.store.leased_jobs import LeasedUpload
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.note_tables import FAILED_ROWS, PREVIEW_SAMPLES
from openprofiles.store.objects import count_objects
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, UploadJobStatus
from openprofiles.uploads.arrival.client_token import decrypt_client_token
from openprofiles.uploads.arrival.files import open_files
from openprofiles.uploads.failures.failed_row_cipher import FailedRowCipher, decrypt_failed_rows_key
from openprofiles.uploads.failures.failed_row_content import FailedRowContents
from openprofiles.uploads.failures.original_rows import OriginalRows
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.loading.failed_rows_report import end_of_rows, report_failed_rows, require_enough_rows
from openprofiles.uploads.loading.follow import RecordCounts
from openprofiles.uploads.loading.load_work import TooManyFailed
from openprofiles.uploads.loading.object_images import pack_changes
from openprofiles.uploads.loading.object_rehearsal import Rehearsal
from openprofiles.uploads.loading.object_rows import (
    FaultyRow,
    ObjectRow,
    contents_of_table,
    json_text,
    object_mapping,
    read_object,
    rejected_row,
    require_unique_key,
    unused_columns,
)
from openprofiles.uploads.loading.short_rows import find_short_rows
from openprofiles.uploads.loading.split_values import find_split_values
from openprofiles.uploads.loading.stage import FileRejected, find_noticed_lines, stage
from openprofiles.uploads.loading.wide_rows import find_wide_rows
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import MAX_LINES, UNUSED_COLUMN, Notice
from openprofiles.uploads.preview_sample import PreviewSample, write_sample
from openprofiles.uploads.reading.file_form import FileForm
from openprofiles.uploads.reading.file_header import read_file_header
from openprofiles.uploads.reading.file_text import FileDamaged
from openprofiles.uploads.reading.uploaded_file import UploadedFile

STAGE = "stage"
REPORT = "report"
REHEARSE = "rehearse"
INGEST = "ingest"
PREVIEW = "preview"

_FIRST_CHUNK = 200
# So many objects look together for what they need.
_GROUP_SIZE = 200
_MAX_SAMPLES = 100
_FAULTS = pa.schema(
    [
        ("record", pa.int64()),
        ("fault", pa.int64()),
        ("line", pa.int64()),
        ("code", pa.string()),
        ("column_name", pa.string()),
        ("detail", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class _FileRow:
    """A row of the file that is not faulty: its number, its line, and the JSON text of its object."""

    record: int
    line: int
    content: str


@dataclass(slots=True)
class _Results:
    """What became of some rows, up to a record."""

    last_record: int
    counts: RecordCounts = field(default_factory=RecordCounts)
    failed: list[tuple[ObjectRow, FaultyRow]] = field(default_factory=list)

    def add(self, row: ObjectRow, outcome: Outcome | FaultyRow) -> None:
        if isinstance(outcome, FaultyRow):
            self.counts.failed += 1
            self.failed.append((row, outcome))
        elif outcome.rejection is not None:
            self.add(row, rejected_row(outcome.rejection))
        elif outcome.before is None:
            self.counts.created += 1
        else:
            self.counts.updated += 1
            self.counts.unchanged += outcome.is_same


def run(store: LeasedStore, settings: Settings, clock: Clock) -> None:
    """Run the leased job, an upload of objects or its preview, to its end."""
    job = store.read_upload()
    if job.file_name is None or job.client_token is None:
        raise ValueError(f"Upload job {job.job_id} has no file.")
    master_key, files = load_master_key(settings), open_files(settings)
    file = UploadedFile(
        files,
        job.file_name,
        decrypt_client_token(master_key, job.client_token, job.job_id),
        FileForm.from_json(job.file_form) if job.file_form is not None else None,
        max_unpacked_bytes=settings.max_upload_size_bytes,
    )
    cipher = None
    if job.failed_rows_key is not None:
        cipher = FailedRowCipher(decrypt_failed_rows_key(master_key, job.failed_rows_key, job.job_id))

    @contextmanager
    def begin(scratch: Scratch) -> Iterator[_Loading]:
        with OriginalRows(file) as originals:
            yield _Loading(store, scratch, job, file, originals, cipher, settings, clock)

    run_job(store, job, settings.scratch_folder, begin, memory_limit_bytes=settings.memory_limit_bytes, clock=clock)
    if not job.is_preview:
        files.remove(job.file_name)


@dataclass
class _Loading:
    """The steps of a load of objects or of its preview."""

    _store: LeasedStore
    _scratch: Scratch
    job: LeasedUpload
    _file: UploadedFile
    _originals: OriginalRows
    _cipher: FailedRowCipher | None
    _settings: Settings
    _clock: Clock
    _mapping: UploadMapping | None = None

    def __post_init__(self) -> None:
        self._failed_rows = FailedRowContents(self._originals, self._cipher)
        self._options = JobOptions.from_json(self.job.options)

    @property
    def steps(self) -> list[Step]:
        prepare = [
            Step(name=STAGE, run=self._stage, part=Part.PREPARE, is_done=lambda: self._scratch.is_done("staged")),
            Step(name=REPORT, run=self._report, part=Part.PREPARE),
        ]
        if self.job.is_preview:
            return [*prepare, Step(name=PREVIEW, run=self._preview, part=Part.PREPARE)]
        if self._has_limit:
            prepare.append(Step(name=REHEARSE, run=self._rehearse, part=Part.PREPARE))
        return [*prepare, Step(name=INGEST, run=self._ingest, part=Part.WRITE)]

    def give_up(self) -> End:
        message = self.job.failure_message or OBJECT_UPLOAD.gave_up_message
        return End(UploadJobStatus.FAILED, INTERNAL_FAILURE, message)

    def end(self) -> End:
        """Find how the job ends, also if another loader has run its steps."""
        return end_of_rows(self._store.read_upload(), self._options)

    @property
    def _has_limit(self) -> bool:
        return self._options.max_failed_records is not None or self._options.max_failed_percent is not None

    def _stage(self, _at: Standing | None) -> None:
        store, scratch, job = self._store, self._scratch, self.job
        has_written = job.phase not in (None, STAGE)
        scratch.start_over()

        def on_block(record_count: int) -> None:
            if has_written:
                return
            with store.chunk() as state:
                check_stop(state)
                store.record_progress(phase=STAGE, position=record_count, done=self._file.read_bytes)

        on_block(0)
        try:
            form = self._file.detect(self._options.file, (), job.phone_region, strict=False, may_be_json=True)
            if job.file_form is None:
                with store.chunk() as state:
                    check_stop(state)
                    store.record_file_form(form.to_json())
                    store.check_lease()
            mapping = self._read_mapping()
            if not form.is_json_lines and not has_written:
                with self._reading() as session:
                    require_unique_key(mapping, self._used_type(session))
            with self._file.open() as reader:
                stage(
                    scratch,
                    reader.read,
                    mapping,
                    form,
                    self._options,
                    phone_region=job.phone_region,
                    strict=False,
                    has_written=has_written,
                    on_block=on_block,
                )
        except (InvalidRequest, FileDamaged, FileRejected) as error:
            raise JobEnded(failed(str(error))) from None
        # In their order, so that a range of them is found without looking at the others; the texts stay where they are.
        scratch.run(
            "create or replace table in_order as "
            "select record, rowid as place from staged anti join failed using (record) order by record"
        )
        scratch.mark_done("staged")

    def _report(self, at: Standing | None) -> None:
        store = self._store
        if at is None:
            self._report_file()
        report_failed_rows(store, self._scratch, self._failed_rows, at.position if at else 0)
        require_enough_rows(store.read_upload(), self._options)

    def _report_file(self) -> None:
        store, scratch = self._store, self._scratch
        notices = [
            *find_noticed_lines(scratch),
            *find_short_rows(scratch),
            *find_wide_rows(scratch),
            *find_split_values(scratch),
            *self._find_unused_columns(),
        ]
        header = self._read_header()
        with store.chunk() as state:
            check_stop(state)
            store.record_progress(phase=REPORT, position=0)
            pid_base = self.job.pid_base
            if pid_base is None:
                pid_base = 0 if self.job.is_preview else store.reserve_row_numbers(scratch.record_count) - 1
            store.record_plan(
                record_count=scratch.record_count,
                pid_base=pid_base,
                file_header=header,
                repeated_count=None,
                notices=[notice.to_json() for notice in notices],
                undo_days=None if self.job.is_preview else self._settings.undo_days,
            )

    def _find_unused_columns(self) -> list[Notice]:
        if self._file.form.is_json_lines:
            return []
        with self._reading() as session:
            unused = unused_columns(self._read_mapping(), self._used_type(session))
        count = self._scratch.record_count
        return [Notice(UNUSED_COLUMN, column, count, ()) for column in unused[:MAX_LINES]]

    def _rehearse(self, at: Standing | None) -> None:
        store = self._store
        # Beyond 0, there are too many, and their report was interrupted.
        reported = at.position if at is not None and at.phase == REHEARSE else 0
        if not reported:
            with store.chunk() as state:
                check_stop(state)
                store.record_progress(phase=REHEARSE, position=0)
            job = store.read_upload()
            failed_count = job.failed_count + sum(results.counts.failed for results, _ in self._rehearsed())
            if self._options.too_many_failed(failed_count, job.record_count or 0) is None:
                return
        for results, _ in self._rehearsed():
            if results.last_record > reported and results.failed:
                self._record_rehearsed(REHEARSE, results, RecordCounts(failed=results.counts.failed))
        job = store.read_upload()
        # Something else may have created profiles for some of these rows meanwhile.
        reason = self._options.too_many_failed(job.failed_count, job.record_count or 0) or "Too many rows failed."
        raise JobEnded(failed(f"{reason} Nothing was loaded."))

    def _preview(self, at: Standing | None) -> None:
        done = at.position if at is not None and at.phase == PREVIEW else 0
        sample_count = 0
        for results, of_rows in self._rehearsed():
            samples = of_rows[: _MAX_SAMPLES - sample_count]
            if results.last_record > done:
                self._record_rehearsed(PREVIEW, results, results.counts, samples, sample_count)
            sample_count += len(samples)

    def _record_rehearsed(
        self,
        phase: str,
        results: _Results,
        counts: RecordCounts,
        samples: Sequence[PreviewSample] = (),
        first_sample: int = 0,
    ) -> None:
        """Record what became of some rows in a rehearsal, with the samples from this number on."""
        store = self._store
        faults = list(self._with_contents(results))
        with store.chunk() as state:
            check_stop(state)
            store.record_progress(phase=phase, position=results.last_record, **asdict(counts))
            for part in faults:
                store.add_notes(FAILED_ROWS, part)
            if self._cipher is not None and samples:
                numbers = range(first_sample, first_sample + len(samples))
                contents = [
                    write_sample(self._cipher, number, sample) for number, sample in zip(numbers, samples, strict=True)
                ]
                columns = {"number": pa.array(numbers, pa.int64()), "content": pa.array(contents, pa.binary())}
                store.add_notes(PREVIEW_SAMPLES, pa.table(columns))

    def _rehearsed(self) -> Iterator[tuple[_Results, list[PreviewSample]]]:
        """Find out what the rows would do, some at a time, always the same ones, with samples of them."""
        rehearsal = Rehearsal(self._store.store, self._scratch.folder, self.job.domain_id, self._clock())
        try:
            for part in self._parts(0, ChunkSize(_GROUP_SIZE)):
                if self._store.read_job().stop_requested:
                    raise Stopped
                rows, read_by = self._read_rows(part)
                objects = [row.read for row in rows if isinstance(row.read, PreparedObject)]
                results, samples = _Results(part[-1].record), []
                with rehearsal.writing(objects) as session:
                    if session is None:
                        raise Stopped
                    object_type = self._used_type(session)
                    if object_type is not read_by:
                        rows = self._rows_of(session, part, object_type)
                    for row, outcome in _ingest_rows(session, rows):
                        results.add(row, outcome)
                        if isinstance(outcome, Outcome) and outcome.after is not None:
                            samples.append(_sample(row, outcome.before, outcome.after))
                yield results, [one for one in samples if one.fields]
        finally:
            rehearsal.close()

    def _ingest(self, at: Standing | None) -> None:
        store = self._store
        job = store.read_upload()
        keeps_images = bool(job.undo_days) or self._settings.history_content_days > 0
        position = at.position if at is not None and at.phase == INGEST else 0
        failed_count = job.failed_count
        size = ChunkSize(_FIRST_CHUNK)
        for part in self._parts(position, size):
            if self._options.too_many_failed(failed_count, job.record_count or 0):
                raise TooManyFailed
            rows, read_by = self._read_rows(part)
            # Some may fail in the chunk, and then it holds the domain while their content is read.
            self._originals.approach(part[0].record)
            with store.chunk() as state, size.timed(len(part)):
                check_stop(state)
                now = self._clock()
                domain = find_domain_by_number(store.connection, job.domain_id)
                if domain is None:
                    raise Stopped
                recorded = RecordedChanges()
                session = hold_domain(
                    store.connection, domain, now, SERVICE, keeps_replaced=keeps_images, recorded=recorded
                )
                object_type = self._used_type(session)
                if object_type is not read_by:
                    # It has changed since, or is a template that is used for the first time.
                    rows = self._rows_of(session, part, object_type)
                results = _Results(part[-1].record)
                for row, outcome in _ingest_rows(session, rows, pid_base=job.pid_base or 0):
                    results.add(row, outcome)
                store.record_progress(phase=INGEST, position=results.last_record, **asdict(results.counts))
                for faults in self._with_contents(results):
                    store.add_notes(FAILED_ROWS, faults)
                store.note_change(
                    ChangeAction.INGESTED,
                    sorted(recorded.profiles),
                    now,
                    added=recorded.profiles_added,
                    image=pack_changes(recorded.profiles.values()) if keeps_images else None,
                    object_type=object_type.name,
                )
                count_objects(store.connection, job.domain_id, recorded.objects_added)
            failed_count += results.counts.failed

    def _parts(self, position: int, size: ChunkSize) -> Iterator[list[_FileRow]]:
        """Read the rows after a record that are not faulty, in their order, some at a time."""
        mapping = self._read_mapping()
        names = ", ".join(f"v{index}" for index in range(len(mapping.fields)))
        first = int(self._scratch.value("select count(*) from in_order where record <= ?", [position]))
        with OriginalRows(self._file) as originals:
            while True:
                upto = first + size.rows
                least, most = self._scratch.only_row(
                    "select min(place), max(place) from in_order where rowid >= ? and rowid < ?", [first, upto]
                )
                if least is None:
                    return
                table = self._scratch.table(
                    f"select record, line, {names} from staged semi join "
                    "(select record from in_order where rowid >= ? and rowid < ?) using (record) "
                    "where staged.rowid between ? and ? order by record",
                    [first, upto, least, most],
                )
                first = upto
                records = table["record"].to_pylist()
                if self._file.form.is_json_lines:
                    contents = [json_text((originals.read(record) or b"").decode()) for record in records]
                else:
                    contents = contents_of_table(table, mapping)
                yield list(map(_FileRow, records, table["line"].to_pylist(), contents))

    def _read_rows(self, part: Sequence[_FileRow]) -> tuple[list[ObjectRow], UsedType]:
        """Read the objects of rows, by their type as it is now."""
        with self._reading() as session:
            object_type = self._used_type(session)
        return self._rows_of(session, part, object_type), object_type

    def _rows_of(self, session: Reading, part: Sequence[_FileRow], object_type: UsedType) -> list[ObjectRow]:
        salt, region = session.domain.object_salt, session.domain.phone_region
        return [
            ObjectRow(row.record, row.line, read_object(row.content, object_type, salt=salt, phone_region=region))
            for row in part
        ]

    @contextmanager
    def _reading(self) -> Iterator[Reading]:
        with self._store.store.read() as connection:
            domain = find_domain_by_number(connection, self.job.domain_id)
            if domain is None:
                raise Stopped
            yield Reading(connection=connection, domain=domain, now=self._clock())

    def _used_type(self, session: Reading) -> UsedType:
        """Find the type of the objects, which may have changed since the job was created.

        Raises:
            JobEnded: it was deleted.
        """
        try:
            found = find_used_type(session, self._type_name)
        except (NotFound, InvalidRequest) as error:
            raise JobEnded(failed(f"{error} The rows that were loaded by then are kept.")) from None
        return with_definition(session, found) if isinstance(session, Writing) else found

    @cached_property
    def _type_name(self) -> str:
        if self.job.object_type is None:
            raise ValueError(f"Upload job {self.job.job_id} has no object type.")
        return self.job.object_type

    def _read_mapping(self) -> UploadMapping:
        if self._mapping is None:
            with self._reading() as session:
                self._mapping = object_mapping(
                    self._read_header(), self._used_type(session), is_json_lines=self._file.form.is_json_lines
                )
        return self._mapping

    def _read_header(self) -> list[str]:
        with self._file.open() as reader:
            return read_file_header(reader.read, self._file.form)

    def _with_contents(self, results: _Results) -> Iterator[pa.Table]:
        """Make the failed rows of the store, with what stands in the file."""
        faults = [
            {"record": row.record, "fault": 0, "line": row.line, "code": one.code, "column_name": one.name}
            for row, one in results.failed
        ]
        return self._failed_rows.tables(pa.Table.from_pylist(faults, schema=_FAULTS))


def _ingest_rows(
    session: Writing, rows: Sequence[ObjectRow], *, pid_base: int | None = None
) -> Iterator[tuple[ObjectRow, Outcome | FaultyRow]]:
    """Ingest the objects of rows in their order.

    Args:
        pid_base: the row number of a profile that record r creates is ``pid_base + r``; None: the next free one.
    """
    ingestion = Ingestion(session)
    ingestion.expect_numbers(len(rows))
    for start in range(0, len(rows), _GROUP_SIZE):
        group = rows[start : start + _GROUP_SIZE]
        ingestion.read_ahead([row.read for row in group if isinstance(row.read, PreparedObject)])
        for row in group:
            if isinstance(row.read, FaultyRow):
                yield row, row.read
                continue
            if pid_base is not None:
                ingestion.reserved_pid = pid_base + row.record
            yield row, ingestion.ingest_or_reject(row.read)
    ingestion.finish()


def _sample(row: ObjectRow, before: Profile | None, after: Profile) -> PreviewSample:
    old, new = ({} if one is None else _values(one) for one in (before, after))
    changed = tuple((path, old.get(path), text) for path, text in new.items() if old.get(path) != text)
    return PreviewSample(row.record, None if before is None else str(before.profile_id), changed, row.line)


def _values(profile: Profile) -> dict[str, str]:
    return {**profile.values, **{ATTRIBUTES_PREFIX + name: text for name, text in profile.attributes.items()}}
