"""Find out what a load would do: the same plan, the same comparison with what is stored, and nothing written.

Counts are those that the load would have if nothing else wrote to the domain. Of what would be created and changed a
sample is kept, encrypted as failed rows are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace

import pyarrow as pa
import pyarrow.compute

from openprofiles.bulk.chunks import ChunkSize
from openprofiles.bulk.compare import differs_sql
from openprofiles.bulk.images import image_columns
from openprofiles.bulk.leased_work import check_stop
from openprofiles.bulk.steps import Stopped
from openprofiles.bulk.stored_values import column_of, stored_value
from openprofiles.facts.keys import field_key_name
from openprofiles.facts.standard_profile import KEY_PATHS
from openprofiles.store.leased_jobs import LeasedUpload
from openprofiles.store.note_tables import PREVIEW_SAMPLES
from openprofiles.uploads.failures.failed_row_cipher import FailedRowCipher
from openprofiles.uploads.failures.failed_row_content import FailedRowContents
from openprofiles.uploads.failures.original_rows import OriginalRows
from openprofiles.uploads.loading.follow import RecordCounts, follow_records
from openprofiles.uploads.loading.load_work import Load, TooManyFailed
from openprofiles.uploads.loading.preview_store import PREVIEW_PID_BASE, PreviewStore
from openprofiles.uploads.loading.record_values import changed_parts, match_targets, new_parts
from openprofiles.uploads.loading.same_customer import without_keys_of_others
from openprofiles.uploads.loading.unchanged_records import count_unchanged
from openprofiles.uploads.preview_sample import PreviewSample, write_sample

PREVIEW = "preview"

MAX_CREATED_SAMPLES = 20
MAX_UPDATED_SAMPLES = 100


def preview_records(load: Load, originals: OriginalRows, cipher: FailedRowCipher | None) -> None:
    """Count what would become of all records that are planned, and write that to the preview's own job.

    Raises:
        Stopped: see there.
        TooManyFailed: as the load would.
    """
    counts = RecordCounts()
    samples = list(_preview_new(load, counts))
    samples += _preview_changed(load, counts)
    samples = _with_lines(load, samples)
    shadow = _make_shadow(load)
    followed = replace(
        load,
        job=_with_index(load),
        pid_base=PREVIEW_PID_BASE,
        # Without what stands in the file, which would be read from its beginning again.
        failed_rows=FailedRowContents(originals, None),
    )
    followed_counts: list[RecordCounts] = []
    too_many_failed = None
    try:
        follow_records(followed, shadow, 0, lambda _upto, found: followed_counts.append(found))
    except TooManyFailed as error:
        too_many_failed = error
    contents = pa.table(
        {
            "number": pa.array(range(len(samples)), pa.int64()),
            "content": [
                None if cipher is None else write_sample(cipher, number, sample)
                for number, sample in enumerate(samples)
            ],
        },
        schema=pa.schema([("number", pa.int64()), ("content", pa.binary())]),
    )
    with load.store.chunk() as state:
        check_stop(state)
        if cipher is not None:
            load.store.add_notes(PREVIEW_SAMPLES, contents)
        load.store.record_progress(phase=PREVIEW, position=1, **asdict(sum(followed_counts, counts)))
    if too_many_failed is not None:
        raise too_many_failed


def _preview_new(load: Load, counts: RecordCounts) -> Iterator[PreviewSample]:
    created, records = load.scratch.only_row(
        "select count(*), coalesce(sum(row_count), 0)::bigint from target where pid is null"
    )
    counts.created += created
    counts.updated += records - created
    sampled = 0
    for part in new_parts(load):
        for row in part.slice(0, MAX_CREATED_SAMPLES - sampled).to_pylist():
            sampled += 1
            values = [(path, None, row[f"v{index}"] or None) for index, path in enumerate(load.paths)]
            yield PreviewSample(row["target"], None, tuple(value for value in values if value[2] is not None))
        if sampled >= MAX_CREATED_SAMPLES:
            break
    if records > created:
        for part in new_parts(load, only_several=True):
            _check_stop(load)
            counts.unchanged += count_unchanged(load, part, None)


def _preview_changed(load: Load, counts: RecordCounts) -> list[PreviewSample]:
    match_targets(load)
    samples: list[PreviewSample] = []
    size = ChunkSize(5_000)
    # Without those that only keys are made of.
    columns = image_columns(load.paths)
    with load.made_ahead(lambda ahead: changed_parts(ahead, 0, size, columns), 1) as parts:
        for _version, targets, stored in parts:
            _check_stop(load)
            targets = without_keys_of_others(targets, stored, cursor=load.cursor, job=load.job, mapping=load.mapping)
            counts.updated += pa.compute.sum(targets["row_count"]).as_py() or 0
            counts.unchanged += count_unchanged(load, targets, stored)
            if len(samples) < MAX_UPDATED_SAMPLES:
                samples += _sample_changes(load, targets, stored, MAX_UPDATED_SAMPLES - len(samples))
    return samples


def _with_lines(load: Load, samples: list[PreviewSample]) -> list[PreviewSample]:
    """The samples with the lines that their records begin on."""
    load.scratch.put("sampled", pa.table({"record": pa.array([one.record for one in samples], pa.int64())}))
    rows = load.scratch.table("select record, line from staged semi join sampled using (record)").to_pylist()
    lines = {row["record"]: row["line"] for row in rows}
    return [replace(sample, line=lines.get(sample.record)) for sample in samples]


def _check_stop(load: Load) -> None:
    if load.store.read_job().stop_requested:
        raise Stopped


def _sample_changes(load: Load, targets: pa.Table, stored: pa.Table, count: int) -> list[PreviewSample]:
    load.cursor.put("chosen", targets)
    load.cursor.put("stored", stored)
    differs = differs_sql(load, stored)
    columns = ", ".join(
        f"{differs[index]} as d{index}, v{index} as a{index}, {stored_value(path)} as b{index}"
        for index, path in enumerate(load.paths)
    )
    rows = load.cursor.table(
        f"select target, pid, {columns} from chosen join stored using (pid) where {' or '.join(differs)} "
        f"order by pid limit {count}"
    )
    pids = rows["pid"].combine_chunks().cast(pa.int64())
    ids = {row["pid"]: row["profile_id"] for row in load.store.read_profiles(pids, ["profile_id"]).to_pylist()}
    return [
        PreviewSample(
            row["target"],
            ids[row["pid"]],
            tuple(
                (path, row[f"b{index}"], row[f"a{index}"] or None)
                for index, path in enumerate(load.paths)
                if row[f"d{index}"]
            ),
        )
        for row in rows.to_pylist()
        # One that was deleted meanwhile is left out.
        if row["pid"] in ids
    ]


def _with_index(load: Load) -> LeasedUpload:
    """The job as if its unique key's field were indexed already, as the load would see to first."""
    path = load.mapping.unique_key.path
    if load.mapping.key_name != field_key_name(path) or path in load.job.indexed_paths:
        return load.job
    return replace(load.job, indexed_paths=(*load.job.indexed_paths, path))


def _make_shadow(load: Load) -> PreviewStore:
    paths = {path for rule in load.key_rules for path in rule.paths}
    paths |= {*load.paths, *KEY_PATHS.get(load.mapping.key_name, ())}
    columns = sorted({column_of(path) for path in paths})
    with suppress(ValueError):
        columns.remove("attributes")
    return PreviewStore(load.scratch, load.store, columns, load.mapping)
