"""Remove the values of deleted profiles from what loads have kept of them.

A load keeps the values that it replaces, those of a chunk in one image. Deleting a profile does not look through these
images, which would take longer than all else; a job of this kind does so for all profiles that were deleted since the
last one. The profiles stay in the images without their values, since an undo counts them.
"""

from __future__ import annotations

from contextlib import nullcontext

import pyarrow as pa
import pyarrow.compute

from openprofiles.bulk.images import pack_rows, unpack_images
from openprofiles.bulk.leased_work import check_stop
from openprofiles.bulk.run_job import End, run_job
from openprofiles.bulk.steps import Part, Standing, Step
from openprofiles.clock import Clock
from openprofiles.job_kinds import FORGET
from openprofiles.settings import Settings
from openprofiles.store.bulk import BulkStore
from openprofiles.store.bulk_protocols import NUMBERS
from openprofiles.store.upload_job_states import INTERNAL_FAILURE, UploadJobStatus

_FORGET = FORGET.steps[0].phases[0]


def run(store: BulkStore, settings: Settings, clock: Clock) -> None:
    """Run the leased job to its end."""
    forgetting = _Forgetting(store)
    run_job(
        store,
        forgetting.job,
        settings.scratch_folder,
        lambda _scratch: nullcontext(forgetting),
        memory_limit_bytes=settings.memory_limit_bytes,
        clock=clock,
    )
    # Otherwise the values would stay in the pages of the file until the worker empties the log.
    store.checkpoint()


class _Forgetting:
    """The step of the job."""

    def __init__(self, store: BulkStore) -> None:
        self._store = store
        self.job = store.read_job()

    @property
    def steps(self) -> list[Step]:
        return [Step(name=_FORGET, run=self._forget, part=Part.WRITE)]

    def give_up(self) -> End:
        return End(UploadJobStatus.FAILED, INTERNAL_FAILURE, self.job.failure_message or FORGET.gave_up_message)

    def end(self) -> End:
        return End(UploadJobStatus.SUCCEEDED)

    def _forget(self, _standing: Standing | None) -> None:
        # It begins again if it was interrupted: to look at what is done already takes little.
        while True:
            last, deleted = self._store.read_removed_pids()
            if not len(deleted):
                return
            self._forget_profiles(deleted)
            with self._store.chunk() as state:
                check_stop(state)
                self._store.note_forgotten(last)
                self._store.record_progress(phase=_FORGET, position=0)

    def _forget_profiles(self, deleted: pa.Array) -> None:
        store = self._store
        for upload_job_id, number, pids in store.list_images():
            if pids is not None and not pa.compute.any(pa.compute.is_in(pids, deleted)).as_py():
                continue
            for rows in unpack_images(iter(store.read_image(upload_job_id, number))):
                with store.chunk() as state:
                    check_stop(state)
                    store.replace_image(upload_job_id, number, pack_rows(_without_values(rows, deleted)))
                    store.record_progress(phase=_FORGET, position=number)
        for upload_job_id in store.list_jobs_with_absent_keys():
            for keys in store.read_absent_keys(upload_job_id):
                with store.chunk() as state:
                    check_stop(state)
                    for key in keys.filter(pa.compute.is_in(keys["pid"], deleted)).to_pylist():
                        store.forget_absent_key(upload_job_id, **key)
                    store.record_progress(phase=_FORGET, position=0)


def _without_values(rows: pa.Table, deleted: pa.Array) -> pa.Table:
    """Copy the rows of an image without the values of deleted profiles."""
    is_deleted = pa.compute.is_in(rows["pid"], deleted)
    # Copied by place, since a value that is made null would stay in the bytes.
    places = pa.compute.if_else(is_deleted, None, pa.array(range(rows.num_rows), pa.int64()))
    columns = [
        values if name in ("pid", *NUMBERS) else values.take(places)
        for name, values in zip(rows.column_names, rows.columns, strict=True)
    ]
    return pa.table(columns, schema=rows.schema)
