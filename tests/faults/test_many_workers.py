"""Two servers and three workers on one PostgreSQL, and workers that are killed with SIGKILL again and again."""

from __future__ import annotations

import base64
import bisect
import hashlib
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select, update

from acceptance.running import is_running, running_server, wait_until
from budgets import IS_LONG, KILLS
from faults.loads import (
    CHANGED_BY_A_NEW_SCRATCH,
    COLUMNS,
    ENTANGLED,
    Installation,
    Rows,
    differences,
    make_csv,
    make_failing_row,
    make_row,
    new_installation,
)
from faults.processes import WorkerProcess, kill_all, read_log, running_worker
from openprofiles.clock import utc_now
from openprofiles.credentials.administer import read_admin_credential
from openprofiles.master_key import load_master_key
from openprofiles.settings import Settings
from openprofiles.store import tables
from openprofiles.store.connections import Store
from openprofiles.store.open import open_store
from postgresql_server import PostgresqlServer

JOBS_OF_DOMAIN = {"alpha": 7, "beta": 6, "gamma": 4, "delta": 3}
JOB_COUNT = sum(JOBS_OF_DOMAIN.values())
SERVERS, WORKERS = 2, 3
ROWS_PER_JOB = 6_000 if IS_LONG else 600
WANTED_KILLS = KILLS // 2
DEADLINE_SECONDS = 400.0 if IS_LONG else 120.0
# Between two kills, so that those that come are spread over the twenty jobs.
MOST_SECONDS_BETWEEN_KILLS = 0.5

_POLL_SECONDS = 0.2

_FIELDS = {
    column.header: {"Source": f"_source.{column.header}", "Target": f"_profile.{column.path}"} for column in COLUMNS
}


@dataclass(frozen=True)
class Order:
    """An upload job that is to be started."""

    domain: str
    name: str
    rows: list[list[str]]
    status: str


def make_orders(seed: int) -> list[Order]:
    """Twenty jobs, the domains mixed. Those of one domain share many customers, so that their order matters."""
    dice = random.Random(seed)
    domains = [domain for domain, count in JOBS_OF_DOMAIN.items() for _ in range(count)]
    dice.shuffle(domains)
    orders = []
    for number, domain in enumerate(domains):
        customers = dice.sample(range(ROWS_PER_JOB * 2), ROWS_PER_JOB)
        customers += dice.choices(customers, k=ROWS_PER_JOB // 10)
        rows = [make_row(dice, f"c{customer}@{domain}.example", "") for customer in customers]
        # Some of these are found by several profiles once an earlier job was there.
        entangled = [
            make_row(dice, f"chain-{n}@{ENTANGLED}", f"chain-{n + dice.choice((1, 1, 7))}@{ENTANGLED}")
            for n in range(30)
        ]
        failing = [make_failing_row(dice, n) for n in range(40)]
        status = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED")[number % 4]
        rows = {"SUCCEEDED": rows, "PARTIALLY_SUCCEEDED": [*rows, *entangled, *failing], "FAILED": failing}[status]
        dice.shuffle(rows)
        orders.append(Order(domain, f"job {number}", rows, status))
    return orders


def start_job(client: Any, order: Order) -> str:
    """Create the job, upload its file and start it, as a program with an AWS SDK does; its id."""
    job_id: str = client.create_upload_job(
        DomainName=order.domain, DisplayName=order.name, Fields=_FIELDS, UniqueKey="Email"
    )["JobId"]
    path = client.get_upload_job_path(DomainName=order.domain, JobId=job_id)
    token = path["ClientToken"]
    with requests.Session() as session:
        session.trust_env = False
        answer = session.put(
            path["Url"],
            data=make_csv(order.rows),
            headers={
                "x-amz-server-side-encryption-customer-algorithm": "AES256",
                "x-amz-server-side-encryption-customer-key": token,
                "x-amz-server-side-encryption-customer-key-MD5": base64.b64encode(
                    hashlib.md5(base64.b64decode(token)).digest()
                ).decode(),
            },
            timeout=60,
        )
    assert answer.status_code == 200, answer.text
    client.start_upload_job(DomainName=order.domain, JobId=job_id)
    return job_id


class Workers:
    """Workers that run side by side, each of which can be killed and is followed by another then."""

    def __init__(self, installation: Installation, store: Store, dice: random.Random) -> None:
        self.kills = 0
        self._installation = installation
        self._store = store
        self._dice = dice
        self._running: list[tuple[WorkerProcess, ExitStack]] = []

    def start(self) -> None:
        stack = ExitStack()
        self._running.append((stack.enter_context(running_worker(self._installation)), stack))

    def kill_one(self) -> None:
        """Kill one that holds a job, alone or with its loaders, and start another; none if nobody has one."""
        at_work = [one for one in self._running if self._is_at_work(one[0])]
        if not at_work:
            return
        worker, stack = self._dice.choice(at_work)
        loaders = worker.loaders()
        is_alone = self._dice.random() < 0.5
        kill_all([worker.process.pid, *([] if is_alone else loaders)])
        wait_until(lambda: not any(map(is_running, loaders)), "the loaders of a dead worker end by themselves")
        self.kills += self._let_leases_run_out(worker)
        self._running.remove((worker, stack))
        stack.close()
        self.start()

    def stop(self) -> list[int]:
        """Their exit statuses."""
        return [worker.stop() for worker, _ in self._running]

    def close(self) -> None:
        for _, stack in self._running:
            stack.close()

    def _is_at_work(self, worker: WorkerProcess) -> bool:
        job = tables.job
        with self._store.read() as connection:
            return connection.execute(select(job.c.job_id).where(_is_held_by(worker))).first() is not None

    def _let_leases_run_out(self, worker: WorkerProcess) -> bool:
        """Make it 15 seconds later for the jobs of one that is dead; whether it had any."""
        with self._store.write() as connection:
            changed = connection.execute(
                update(tables.job).where(_is_held_by(worker)).values(lease_until=utc_now() - timedelta(days=1))
            )
        return changed.rowcount > 0


def _is_held_by(worker: WorkerProcess) -> Any:
    return tables.job.c.lease_owner.like(f"%:{worker.process.pid}:%")


@contextmanager
def opened_store(installation: Installation) -> Iterator[Store]:
    store = open_store(Settings(data_folder=installation.data_folder, store=installation.store))
    try:
        yield store
    finally:
        store.close()


def server_folders(installation: Installation) -> list[Path]:
    """A data folder for each server. They share the master key and, for want of a bucket, the uploaded files."""
    first = Settings(data_folder=installation.data_folder, store=installation.store)
    load_master_key(first)
    folders = [first.data_folder]
    for number in range(1, SERVERS):
        other = Settings(
            data_folder=first.data_folder.with_name(f"{first.data_folder.name}-{number}"), store=installation.store
        )
        other.data_folder.mkdir(mode=0o700)
        shutil.copy(first.master_key_path, other.master_key_path)
        other.uploads_folder.symlink_to(first.uploads_folder)
        folders.append(other.data_folder)
    return folders


def administrator(data_folder: Path) -> tuple[str, str]:
    """The keys of the administrator, whose file is in the folder of the server that started first."""
    made = read_admin_credential(Settings(data_folder=data_folder))
    return made.access_key_id, made.secret_access_key


def run_jobs(installation: Installation, orders: list[Order], kills: int, dice: random.Random) -> dict[str, Rows]:
    """Have all jobs started and run to their ends, while workers are killed; what they leave in the store."""
    with ExitStack() as stack:
        store = stack.enter_context(opened_store(installation))
        assert installation.store is not None
        options = ("--workers", "0", "--store", installation.store.text)
        clients = [
            stack.enter_context(running_server(folder, *options)).client(*administrator(installation.data_folder))
            for folder in server_folders(installation)
        ]
        workers = Workers(installation, store, dice)
        stack.callback(workers.close)
        for _ in range(WORKERS):
            workers.start()
        for domain in JOBS_OF_DOMAIN:
            clients[0].create_domain(DomainName=domain, DefaultExpirationDays=30)
        job_ids = [start_job(clients[number % SERVERS], order) for number, order in enumerate(orders)]

        def status(number: int) -> str:
            """By the server that has not started it."""
            told = clients[(number + 1) % SERVERS].get_upload_job(
                DomainName=orders[number].domain, JobId=job_ids[number]
            )
            return str(told["Status"])

        ended: dict[str, str] = {}
        deadline = time.monotonic() + DEADLINE_SECONDS
        kill_at = time.monotonic()
        while len(ended) < len(orders):
            assert time.monotonic() < deadline, f"{ended}\n{read_log(installation.data_folder)}"
            if workers.kills < kills and time.monotonic() >= kill_at:
                workers.kill_one()
                kill_at = time.monotonic() + dice.uniform(0.0, MOST_SECONDS_BETWEEN_KILLS)
            left = [number for number, order in enumerate(orders) if order.name not in ended]
            told = {orders[number].name: status(number) for number in left}
            ended |= {name: status for name, status in told.items() if status != "IN_PROGRESS"}
            # Loaders run when nobody else wants the processor, so who asks without a pause keeps them from it.
            time.sleep(_POLL_SECONDS)
        assert ended == {order.name: order.status for order in orders}, read_log(installation.data_folder)
        assert workers.kills == kills, "the jobs have ended before all kills"
        assert set(workers.stop()) == {0}
        return read_what_is_left(store)


def read_what_is_left(store: Store) -> dict[str, Rows]:
    """All rows that the jobs wrote, without times, and with a job's name and the record in place of a row number: which
    job of which domain comes first is free, and so are the row numbers."""
    with store.read() as connection:
        read = {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in tables.metadata.sorted_tables
        }
    common = {job["job_number"]: job for job in read["job"]}
    jobs = sorted((common[row["job_number"]] | row for row in read["upload_job"]), key=lambda job: job["pid_base"])
    bases = [job["pid_base"] for job in jobs]
    names = {job["job_number"]: job["display_name"] for job in jobs}
    domains = {row["domain_id"]: row["name"] for row in read["domain"]}
    expiries = {job["started_at"] + timedelta(days=job["data_expiry_days"]): job["display_name"] for job in jobs}

    def origin(pid: int) -> tuple[str, int]:
        job = jobs[bisect.bisect_left(bases, pid) - 1]
        return job["display_name"], pid - job["pid_base"]

    profiles: Rows = {}
    for row in read["profile"]:
        assert int(row["profile_id"][-12:], 16) == row["pid"]
        kept = _without(row, "pid", "profile_id", "created_at", "updated_at")
        if ENTANGLED in row["email_address"]:
            del kept["revision"]
        profiles[origin(row["pid"])] = kept | {
            "domain_id": domains[row["domain_id"]],
            "last_upload_job": names[row["last_upload_job"]],
            "expires_at": expiries[row["expires_at"]],
        }
    assert len(profiles) == len(read["profile"])
    counted = ("status", "status_reason", "phase", "position", "record_count", "created_count", "updated_count")
    return {
        "profile": profiles,
        "profile_key": {
            (domains[row["domain_id"]], row["name"], row["value"], origin(row["pid"])): {}
            for row in read["profile_key"]
        },
        "failed_row": {
            (names[row["upload_job_id"]], row["record"], row["fault"]): _without(row, "upload_job_id", "content")
            for row in read["failed_row"]
        },
        "upload_job": {
            job["display_name"]: {name: job[name] for name in (*counted, "failed_count", "failed_attempts")}
            for job in jobs
        },
        "domain": {row["name"]: {"profile_count": row["profile_count"]} for row in read["domain"]},
        "row_sequence": {row["name"]: row for row in read["row_sequence"]},
        "pending_keys": {row["pending_keys_id"]: {} for row in read["pending_keys"]},
        "ordered_record": {(row["upload_job_id"], row["record"]): {} for row in read["ordered_record"]},
    }


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


@pytest.mark.long(
    daily="tests/faults/test_kills.py::"
    "test_a_server_killed_with_all_its_processes_goes_on_with_its_load_when_it_starts_again"
)
def test_twenty_jobs_end_as_undisturbed_although_workers_are_killed(
    tmp_path: Path, postgresql_server: PostgresqlServer
) -> None:
    orders = make_orders(seed=1)
    undisturbed = new_installation(tmp_path / "undisturbed", postgresql_server)
    disturbed = new_installation(tmp_path / "disturbed", postgresql_server)

    expected = run_jobs(undisturbed, orders, 0, random.Random(2))
    found = run_jobs(disturbed, orders, WANTED_KILLS, random.Random(3))

    assert len(expected["upload_job"]) == JOB_COUNT == 20
    assert expected["pending_keys"] == expected["ordered_record"] == {}
    assert all(row["profile_count"] > ROWS_PER_JOB for row in expected["domain"].values())
    assert differences(expected, found, without=CHANGED_BY_A_NEW_SCRATCH) == []
