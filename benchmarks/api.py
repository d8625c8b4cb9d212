"""Measure how fast the API answers, idle and during a load, in comparison with a bare route."""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request as PutRequest
from urllib.request import urlopen

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from benchmarks import data
from benchmarks.loads import DOMAIN, ROOT, Figures, import_command
from benchmarks.processes import run
from postgresql_server import PostgresqlServer

_SECONDS = 3.0
_TURN_SECONDS = 1.5
CLIENTS = (1, 16)
READS = ("SearchProfiles", "GetUploadJob")
_WRITE_PAUSE_SECONDS = 0.01
# A load first runs at normal priority, so that a short one is fast. That time is not part of these figures.
QUICK_LOAD_SECONDS = 5.0
_REGION = "us-east-1"
_START_SECONDS = 60.0

Answer = dict[str, float]


@dataclass(frozen=True)
class Place:
    """A data folder, and the URL of the database if the store is not in the folder."""

    folder: Path
    store: str | None = None

    @property
    def options(self) -> list[str | Path]:
        """Return the options with which a command finds the store."""
        return ["--data", self.folder, *(("--store", self.store) if self.store else ())]


class ApiBenchmark:
    """Measure a server with a million profiles. All requests are signed in advance, with one credential.

    Args:
        postgresql: where the store is, in databases of its own; None for the embedded store.
        prefix: of the figures' names.
    """

    def __init__(
        self,
        folder: Path,
        file: Path,
        figures: Figures,
        *,
        postgresql: PostgresqlServer | None = None,
        prefix: str = "",
    ) -> None:
        self._file = file
        self._figures = figures
        self._postgresql = postgresql
        self._prefix = prefix
        name = "data-api" if postgresql is None else "data-api-postgresql"
        self._prepared = Place(folder / name, None if postgresql is None else postgresql.create_database())
        shutil.rmtree(self._prepared.folder, ignore_errors=True)
        run(import_command(file, *self._prepared.options))

    def round(self) -> None:
        """Measure everything once."""
        for measure_part in (self._measure_idle, self._measure_reads_during_load, self._measure_writes_during_load):
            # Each part gets its own copy of the store, so that it does not affect the next one.
            with self.copy() as place, running_server(place) as port:
                measure_part(Caller(place.folder, port))

    def measure_bare_route(self) -> None:
        """Measure the answers of a route that does no work."""
        with _bare_route() as port:
            for clients in CLIENTS:
                request = f"GET /domains/{DOMAIN} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
                self._add(f"bare route, {clients}", measure(port, clients, [request]))

    @contextmanager
    def copy(self) -> Iterator[Place]:
        """Copy the store for the duration of the block."""
        folder = self._prepared.folder.with_name(f"{self._prepared.folder.name}-round")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._prepared.folder, folder)
        store = None if self._postgresql is None else self._postgresql.create_database(template=self._prepared.store)
        # Otherwise the first writes would wait until the whole copy is on the disk.
        os.sync()
        yield Place(folder, store)
        if self._postgresql is not None and store is not None:
            self._postgresql.drop_database(store)
        shutil.rmtree(folder)

    def _measure_idle(self, caller: Caller) -> None:
        port = caller.port
        for clients in CLIENTS:
            self._add(f"GetUploadJob, idle, {clients}", measure(port, clients, [caller.get_upload_job()]))
            self._add(f"SearchProfiles, idle, {clients}", measure(port, clients, caller.searches()))
        writes = measure(port, 1, caller.writes(), pause_seconds=_WRITE_PAUSE_SECONDS)
        self._add("CreateProfile, idle, 1", writes)

    def _measure_reads_during_load(self, caller: Caller) -> None:
        for (operation, clients), answer in reads_during_load(caller, self._file).items():
            self._add(f"{operation}, loading, {clients}", answer)

    def _measure_writes_during_load(self, caller: Caller) -> None:
        """Measure writes into the domain of a running load, which has to repeat chunks."""
        job = caller.start_load("writes", self._file)
        answers = []
        while caller.status(job) == "IN_PROGRESS":
            answers.append(
                measure(
                    caller.port, 1, caller.writes(job[0]), seconds=_TURN_SECONDS, pause_seconds=_WRITE_PAUSE_SECONDS
                )
            )
        self._add("CreateProfile, loading, 1", _median_of(answers))

    def _add(self, name: str, answer: Answer) -> None:
        for figure in ("per_second", "p50_ms", "p99_ms", "longest_ms"):
            self._figures.add(f"{self._prefix}{name}, {figure}", answer[figure])


class Caller:
    """Sign the requests to measure, and send all others through boto3."""

    def __init__(self, folder: Path, port: int) -> None:
        admin = json.loads((folder / "admin-credential.json").read_bytes())
        self.port = port
        self.access_key_id, self.secret = admin["access_key_id"], admin["secret_access_key"]
        self._credentials = Credentials(self.access_key_id, self.secret)
        self.client: Any = boto3.client(
            "customer-profiles",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name=_REGION,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret,
            config=Config(retries={"max_attempts": 1}, proxies={}),
        )

    def get_upload_job(self) -> str:
        return self.signed("GET", f"/domains/{DOMAIN}/upload-jobs/{self.newest_job()}")

    def jobs(self) -> list[Any]:
        """Return the items of ListUploadJobs, newest first."""
        items: list[Any] = self.client.list_upload_jobs(DomainName=DOMAIN)["Items"]
        return items

    def newest_job(self) -> str:
        job: str = self.client.list_upload_jobs(DomainName=DOMAIN)["Items"][-1]["JobId"]
        return job

    def find(self, key_name: str, value: str) -> str:
        """Return the id of the first profile that has this key."""
        found: str = self.client.search_profiles(DomainName=DOMAIN, KeyName=key_name, Values=[value])["Items"][0][
            "ProfileId"
        ]
        return found

    def searches(self) -> list[str]:
        """Return searches by email for customers from all parts of the store."""
        found = []
        for number in range(1, 900_000, 4_500):
            email = next(data.customers([number])).split(",")[3]
            body = json.dumps({"KeyName": "_email", "Values": [email]})
            found.append(self.signed("POST", f"/domains/{DOMAIN}/profiles/search", body))
        return found

    def writes(self, domain: str = DOMAIN) -> list[str]:
        body = json.dumps({"FirstName": "Ada", "EmailAddress": f"ada-{time.monotonic_ns()}@example.com"})
        return [self.signed("POST", f"/domains/{domain}/profiles", body)]

    def start_load(self, domain: str, file: Path) -> tuple[str, str]:
        """Create, upload and start an upload job in a new domain; return domain and job id."""
        job = self.upload(domain, file)
        self.start(job)
        return job

    def upload(self, domain: str, file: Path) -> tuple[str, str]:
        """Create an upload job in a new domain and upload its file; return domain and job id."""
        name = f"{domain}-{time.monotonic_ns()}"
        self.client.create_domain(DomainName=name, DefaultExpirationDays=30)
        job_id = self.client.create_upload_job(
            DomainName=name,
            DisplayName="benchmark",
            Fields={
                column: {"Source": f"_source.{column}", "Target": f"_profile.{target}", "ContentType": "STRING"}
                for column, target in data.TARGETS.items()
            },
            UniqueKey=data.UNIQUE_KEY,
        )["JobId"]
        path = self.client.get_upload_job_path(DomainName=name, JobId=job_id)
        with file.open("rb") as content:
            request = PutRequest(path["Url"], content, method="PUT")  # noqa: S310 (our own server)
            request.add_header("Content-Length", str(file.stat().st_size))
            for header, value in _sse_headers(path["ClientToken"]).items():
                request.add_header(header, value)
            urlopen(request).close()  # noqa: S310
        return name, job_id

    def start(self, job: tuple[str, str]) -> None:
        self.client.start_upload_job(DomainName=job[0], JobId=job[1])

    def status(self, job: tuple[str, str]) -> str:
        status: str = self.client.get_upload_job(DomainName=job[0], JobId=job[1])["Status"]
        return status

    def signed(self, method: str, path: str, body: str = "") -> str:
        """Return a signed request, as it goes over the wire."""
        request = AWSRequest(
            method, f"http://127.0.0.1:{self.port}{path}", {"Content-Type": "application/json"}, body or None
        )
        SigV4Auth(self._credentials, "profile", _REGION).add_auth(request)
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        return (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{head}"
            f"Content-Length: {len(body.encode())}\r\n\r\n{body}"
        )


def reads_during_load(caller: Caller, file: Path) -> dict[tuple[str, int], Answer]:
    """Read in short turns during a load, from its sixth second to its end.

    This way, each of its steps is measured.

    Returns:
        The figures by operation and number of clients.
    """
    searches, get_upload_job = caller.searches(), [caller.get_upload_job()]
    job = caller.start_load("reads", file)
    time.sleep(QUICK_LOAD_SECONDS)
    turns: dict[tuple[str, int], list[Answer]] = {}
    while True:
        for clients in CLIENTS:
            for operation, requests in (("SearchProfiles", searches), ("GetUploadJob", get_upload_job)):
                answer = measure(caller.port, clients, requests, seconds=_TURN_SECONDS)
                if caller.status(job) != "IN_PROGRESS":
                    return {name: _median_of(answers) for name, answers in turns.items()}
                turns.setdefault((operation, clients), []).append(answer)


def _median_of(answers: list[Answer]) -> Answer:
    """Combine the figures of all turns: medians, and the longest wait."""
    found = {name: statistics.median(answer[name] for answer in answers) for name in answers[0]}
    return {**found, "longest_ms": max(answer["longest_ms"] for answer in answers)}


def _sse_headers(client_token: str) -> dict[str, str]:
    import base64
    import hashlib

    key = base64.b64decode(client_token)
    return {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": client_token,
        "x-amz-server-side-encryption-customer-key-MD5": base64.b64encode(
            hashlib.md5(key, usedforsecurity=False).digest()
        ).decode(),
    }


def measure(
    port: int, clients: int, requests: list[str], *, seconds: float = _SECONDS, pause_seconds: float = 0.0
) -> Answer:
    """Send requests for a number of seconds, from a separate process."""
    orders = {
        "port": port,
        "clients": clients,
        "seconds": seconds,
        "requests": requests,
        "pause_seconds": pause_seconds,
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.client"],
        input=json.dumps(orders),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    answer: Answer = json.loads(done.stdout)
    return answer


@contextmanager
def running_server(place: Place, *options: str) -> Iterator[int]:
    """Run a server on a free port; yield the port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "openprofiles", "serve", *place.options, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "http://" in line:
                yield int(line.split()[-1].rsplit(":", 1)[1])
                break
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _bare_route() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.bare_route", str(port)], cwd=ROOT)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()
