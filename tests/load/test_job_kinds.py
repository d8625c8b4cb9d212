"""A new kind of job is a module and an entry in ``KINDS``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from load import toy_job
from load.loading import DEADLINE_SECONDS, NOW, Shop
from openprofiles.ids import new_job_id
from openprofiles.job_kinds import KINDS
from openprofiles.store.job_queue import claim_next_job, find_job, insert_job
from openprofiles.uploads import jobs
from openprofiles.uploads.progress import progress_of


def test_a_new_kind_of_job_is_claimed_run_shown_and_ended(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # The entry.
    monkeypatch.setitem(KINDS, toy_job.TOY.name, toy_job.TOY)
    job_id = new_job_id(NOW)
    with shop.store.write() as connection:
        values = {"job_id": job_id, "domain_id": shop.domain.domain_id, "status": "IN_PROGRESS"}
        insert_job(
            connection, toy_job.TOY, values | {"created_at": NOW, "started_at": NOW, "phase": "count", "position": 1}
        )
        lease_until = NOW + timedelta(minutes=1)
        claimed = claim_next_job(connection, owner="w", now=NOW, lease_until=lease_until, job_id=job_id)
    assert claimed is not None
    shown = progress_of(claimed, NOW)
    assert shown is not None
    assert (shown.doing, shown.step_count) == ("Counting", 1)

    # In a process of its own, as all loaders: a SQLite file is open through one library in each process.
    settings = json.dumps(shop.place.settings.to_json())
    subprocess.run(
        [sys.executable, "-m", "load.toy_job", settings, str(claimed.job_number), str(claimed.epoch)],
        check=True,
        timeout=DEADLINE_SECONDS,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )

    with shop.store.read() as connection:
        ended = find_job(connection, shop.domain.domain_id, claimed.job_number)
    assert ended is not None
    shown = progress_of(ended, NOW)
    assert shown is not None
    assert (ended.status, shown.done, shown.total) == ("SUCCEEDED", 3, 3)
    # AWS's API does not show it.
    assert jobs.list_jobs(shop.store, shop.domain, max_results=10, next_token=None).items == []
