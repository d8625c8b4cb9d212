"""What a loader records of its progress, chunk by chunk."""

from __future__ import annotations

import shutil
from itertools import groupby

from load.loading import Shop
from load.oracle import Column
from openprofiles.uploads.progress import progress_of

EMAIL = Column("Email", "EmailAddress")
FIRST = Column("First", "FirstName")


def test_a_running_job_tells_the_bytes_that_it_has_read_and_when_each_step_began(shop: Shop) -> None:
    shop.create_profile(EmailAddress="old@x", ingested=True)
    rows = b"".join(b"%d@x,Ada\n" % number for number in range(20))
    job = shop.create_job((EMAIL, FIRST), "Email", b"Email,First\nold@x,Bea\n,nobody\n" + rows)
    loader = shop.place.loader

    event = loader.send(shop.claim(job, rows_per_chunk=8, block_bytes=100, pause_at=[0]))
    seen = []
    while event["event"] == "paused":
        seen.append(shop.job(job))
        event = loader.go_on()

    assert event["event"] == "ended", event
    running = [one for one in seen if one.phase is not None]
    read = [one.done or 0 for one in running if one.phase == "stage"]
    assert read == sorted(read)
    assert read[0] == 0
    assert read[-1] == job.file_size_bytes
    assert any(one.phase == "update" for one in running)
    progresses = [progress_of(one, one.step_started_at or one.created_at) for one in running]
    steps = [progress.step for progress in progresses if progress is not None]
    assert sorted(set(steps)) == [1, 2, 3, 4]
    assert steps == sorted(steps)
    # Reading and planning are one phase to the loader, so the second step begins with its first chunk.
    for _, of_phase in groupby(
        running, key=lambda one: {"create": "load", "update": "load"}.get(one.phase or "", one.phase)
    ):
        assert len({one.step_started_at for one in of_phase}) == 1


def test_a_file_that_is_read_again_after_a_death_begins_its_step_again(shop: Shop) -> None:
    rows = b"".join(b"%d@x,Ada\n" % number for number in range(20))
    job = shop.create_job((EMAIL, FIRST), "Email", b"Email,First\n" + rows)
    loader = shop.place.loader
    loader.send(shop.claim(job, block_bytes=100, pause_at=[0]))
    while not shop.job(job).done:
        loader.go_on()
    before = shop.job(job)
    loader.die()
    shop.release(job)
    shutil.rmtree(shop.place.settings.scratch_folder / job.job_id)

    loader.send(shop.claim(job, block_bytes=100, pause_at=[0]))
    event = loader.go_on()
    after = shop.job(job)
    loader.go_on_to_the_end(event)

    assert after.done == 0
    assert before.step_started_at is not None
    assert after.step_started_at is not None
    assert after.step_started_at > before.step_started_at
