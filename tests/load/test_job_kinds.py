"""A new kind of job is a module and an entry in ``KINDS``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

import by_hand
from load import toy_job
from load.loading import DEADLINE_SECONDS, NOW, Shop
from openprofiles.job_kinds import KINDS
from openprofiles.profiles import domains
from openprofiles.store import tables
from openprofiles.store.job_queue import Job, claim_next_job, find_job, list_running_jobs, update_job
from openprofiles.store.schedules import add_due_jobs
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.uploads import jobs
from openprofiles.uploads.progress import progress_of


@pytest.fixture
def claimed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A toy job that was added when it was due, and claimed."""
    # The entry.
    monkeypatch.setitem(KINDS, toy_job.TOY.name, toy_job.TOY)
    domain_id = shop.domain.domain_id
    with shop.store.write() as connection:
        connection.execute(
            insert(tables.schedule).values(domain_id=domain_id, kind="toy", every_seconds=60, next_at=NOW)
        )
        add_due_jobs(connection, NOW)
        (job_id,) = list_running_jobs(connection, domain_id)
        lease_until = NOW + timedelta(minutes=1)
        claimed = claim_next_job(connection, owner="w", now=NOW, lease_until=lease_until, job_id=job_id)
    assert claimed is not None
    return claimed


def run(shop: Shop, claimed: Job) -> Job:
    """Run the job to its end, in a process of its own, as all loaders.

    A SQLite file is open through one library in each process.
    """
    settings = json.dumps(shop.place.settings.to_json())
    subprocess.run(
        [sys.executable, "-m", "load.toy_job", settings, str(claimed.job_number), str(claimed.epoch)],
        check=True,
        timeout=DEADLINE_SECONDS,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    with shop.store.read() as connection:
        ended = find_job(connection, claimed.domain_id, claimed.job_number)
    assert ended is not None
    return ended


def test_a_new_kind_of_job_is_added_when_it_is_due_claimed_run_shown_and_ended(shop: Shop, claimed: Job) -> None:
    assert progress_of(claimed, NOW) is None

    ended = run(shop, claimed)

    shown = progress_of(ended, NOW)
    assert shown is not None
    assert (ended.status, shown.doing, shown.step_count) == ("SUCCEEDED", "Counting", 1)
    assert (shown.done, shown.total) == (3, 3)
    # AWS's API does not show it.
    assert by_hand.read(shop.store, shop.domain, jobs.list_jobs, max_results=10).items == []


def test_a_job_of_a_new_kind_can_be_stopped(shop: Shop, claimed: Job) -> None:
    with shop.store.write() as connection:
        update_job(connection, claimed, only_in=UploadJobStatus.IN_PROGRESS, stop_requested_at=NOW)

    ended = run(shop, claimed)

    assert (ended.status, ended.position, ended.failed_attempts) == ("STOPPED", 0, 0)


def test_a_job_of_a_new_kind_stops_when_its_domain_is_deleted(shop: Shop, claimed: Job) -> None:
    by_hand.write(shop.store, shop.name, domains.delete_domain)

    ended = run(shop, claimed)

    assert (ended.status, ended.position, ended.failed_attempts) == ("STOPPED", 0, 0)
