"""Run real workers and their loaders, and kill them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from acceptance.running import children_of, command, environment, is_running, wait_until
from budgets import IS_LONG
from faults.loads import Installation, Rows, opened, read_store
from load.loading import AnyJob, Shop, assert_index_and_log_are_right
from openprofiles import job_kinds
from openprofiles.clock import utc_now
from openprofiles.store import job_queue
from openprofiles.store.job_queue import Job

# A machine may be slow; nothing here takes half as long. The long form kills five times as often.
DEADLINE_SECONDS = 480.0 if IS_LONG else 120.0

LOADER = "loader"
WORKER = "worker"
BOTH = "worker and loader"

# Those that are recorded, in order.
PHASES = tuple(phase for phase in job_kinds.UPLOAD.phases if phase != "plan")
UNDO_PHASES = job_kinds.UNDO.phases


def tree_of(pid: int) -> list[int]:
    """List the process and all its descendants."""
    return [pid, *(descendant for child in children_of(pid) for descendant in tree_of(child))]


def kill_all(pids: list[int]) -> None:
    """Kill the processes with SIGKILL, and wait until they are gone."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in pids:
        wait_until(lambda pid=pid: not is_running(pid), f"process {pid} is gone")  # type: ignore[misc]


@dataclass
class WorkerProcess:
    """The running command ``openprofiles worker``."""

    process: subprocess.Popen[bytes]

    def loaders(self) -> list[int]:
        return [pid for pid in children_of(self.process.pid) if is_running(pid)]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(DEADLINE_SECONDS)


@contextmanager
def running_worker(installation: Installation) -> Iterator[WorkerProcess]:
    """Run a worker; its log is appended to a file next to the data folder."""
    with _log_path(installation.data_folder).open("ab") as log:
        process = subprocess.Popen(command("worker", *installation.options), env=environment(), stderr=log)
    try:
        yield WorkerProcess(process)
    finally:
        if process.poll() is None:
            kill_all(tree_of(process.pid))
        process.wait()


def let_lease_run_out(shop: Shop, job: Job) -> None:
    """Expire the lease of a dead worker, as if 15 seconds had passed."""
    with shop.store.write() as connection:
        job_queue.extend_lease(connection, shop.job(job), utc_now() - timedelta(days=1))


def run_undisturbed(installation: Installation) -> dict[str, Rows]:
    """Return the store after an undisturbed load of a copy of the installation."""
    copy = installation.copy(installation.data_folder.with_name(f"{installation.data_folder.name}-undisturbed"))
    with opened(copy) as (shop, job), running_worker(copy) as worker:
        wait_until(lambda: shop.job(job).status != "IN_PROGRESS", "the job ends", DEADLINE_SECONDS)
        assert worker.stop() == 0
        ended = shop.job(job)
        assert ended.status == "PARTIALLY_SUCCEEDED", read_log(copy.data_folder)
        assert min(ended.created_count, ended.updated_count, ended.failed_count) > 0
        assert_index_and_log_are_right(shop)
        return read_store(shop)


def read_log(data_folder: Path) -> str:
    """Return the end of the log of this data folder's workers."""
    return _log_path(data_folder).read_text()[-5000:]


def _log_path(data_folder: Path) -> Path:
    return data_folder.with_name(f"{data_folder.name}.log")


@dataclass
class Kills:
    """The number of processes that were killed so far, by the phase of their job.

    Attributes:
        order: the phases of the job.
    """

    wanted: int
    dice: random.Random
    order: tuple[str, ...] = PHASES
    phases: Counter[str] = field(default_factory=Counter)
    victims: Counter[str] = field(default_factory=Counter)
    # The phases whose first moment has passed in the present load.
    begun: set[str] = field(default_factory=set)

    @property
    def count(self) -> int:
        return self.phases.total()

    @property
    def missing(self) -> set[str]:
        """Return the phases in which nothing was killed yet."""
        return set(self.order) - set(self.phases)

    @property
    def is_random_due(self) -> bool:
        """Return whether another random kill is due, to spread them over the phases."""
        all_random = self.wanted - len(self.order)
        begun = len(self.begun & set(self.order))
        return self.count - begun < all_random * min(1.0, (begun + 1) / len(self.order))

    def __str__(self) -> str:
        return f"{self.count} kills, by phase {dict(self.phases)}, of {dict(self.victims)}"


def run_with_kills(installation: Installation, shop: Shop, job: AnyJob, kills: Kills) -> AnyJob:
    """Run the job to its end while workers and loaders are killed.

    They are killed at the beginning of each phase in which nothing was killed yet, and at random moments."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    kills.begun = set(kills.phases)
    # The loader of a worker that was killed may have come to the end of the job by itself.
    while shop.job(job).status == "IN_PROGRESS" or shop.place.left_files(job):
        with running_worker(installation) as worker:
            while _wait_for_the_moment(shop, job, kills, worker, deadline):
                if _kill(shop, job, kills, worker) != LOADER:
                    break
            else:
                wait_until(lambda: not shop.place.left_files(job), "the job's files are removed", DEADLINE_SECONDS)
                assert worker.stop() == 0
        let_lease_run_out(shop, job)
    return shop.job(job)


def _wait_for_the_moment(shop: Shop, job: Job, kills: Kills, worker: WorkerProcess, deadline: float) -> bool:
    """Wait until a kill is due; return False when the job has ended."""
    # Once the last phase has begun, the load may end before any later moment.
    longest_seconds = 0.4 if kills.order[-1] in kills.begun else 2.5
    moment = time.monotonic() + kills.dice.uniform(0.0, longest_seconds)
    while (now := shop.job(job)).status == "IN_PROGRESS":
        assert worker.process.poll() is None, f"the worker has ended by itself: {_told(shop, now, kills)}"
        assert time.monotonic() < deadline, f"the job does not end: {_told(shop, now, kills)}"
        is_moment = now.phase in set(kills.order) - kills.begun or (kills.is_random_due and time.monotonic() >= moment)
        if is_moment and worker.loaders():
            return True
        time.sleep(0.005)
    return False


def _told(shop: Shop, job: Job, kills: Kills) -> str:
    return f"phase {job.phase}, {kills}\n{read_log(shop.place.settings.data_folder)}"


def _kill(shop: Shop, job: Job, kills: Kills, worker: WorkerProcess) -> str:
    """Kill one of the two or both; return which."""
    victim = kills.dice.choice((LOADER, WORKER, BOTH))
    if victim == LOADER and shop.job(job).failed_attempts > 1:
        # A third loader that dies without progress would be the end of the job; a worker's death does not count.
        victim = BOTH
    loaders = worker.loaders()
    if victim == BOTH:
        kill_all([worker.process.pid, *loaders])
    elif victim == LOADER:
        kill_all(loaders)
    else:
        kill_all([worker.process.pid])
        wait_until(lambda: not any(map(is_running, loaders)), "the loader of a dead worker ends by itself")
    after = shop.job(job)
    kills.begun.add(after.phase or "")
    if loaders and after.status == "IN_PROGRESS":
        kills.phases[after.phase or "before the first"] += 1
        kills.victims[victim] += 1
    if after.status != "IN_PROGRESS":
        # A loader that died when its job had ended leaves the file, which is removed two minutes after its last change.
        for path in shop.place.settings.uploads_folder.glob(f"{job.job_id}*"):
            os.utime(path, (0, 0))
    return victim
