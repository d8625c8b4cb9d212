"""How fast the API answers, idle and while a file is loaded, beside a bare route."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from benchmarks.loads import ROOT, Figures
from benchmarks.processes import run

_SECONDS = 3.0
_CLIENTS = (1, 16)
_WRITE_PAUSE_SECONDS = 0.01
_REGION = "us-east-1"
_DOMAIN = "shop"
_START_SECONDS = 60.0

Answer = dict[str, float]


class ApiBenchmark:
    """Measures a server with a million profiles. Every request is signed before, by one credential."""

    def __init__(self, folder: Path, file: Path, figures: Figures) -> None:
        self._folder = folder / "data-api"
        self._file = file
        self._figures = figures
        shutil.rmtree(self._folder, ignore_errors=True)
        run(
            [
                *(sys.executable, "-m", "openprofiles", "import", file, "--data", self._folder),
                *("--domain", _DOMAIN, "--unique-key", data.UNIQUE_KEY),
                *(part for column, target in data.TARGETS.items() for part in ("--map", f"{column}={target}")),
            ]
        )

    def round(self) -> None:
        """Everything once."""
        with _bare_route() as port:
            for clients in _CLIENTS:
                request = f"GET /domains/{_DOMAIN} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
                self._add(f"bare route, {clients}", _measure(port, clients, [request]))
        with _server(self._folder) as port:
            self._measure_idle(port)
            self._measure_reads_during_load(port)
            self._measure_writes_during_load(port)

    def _measure_idle(self, port: int) -> None:
        caller = _Caller(self._folder, port)
        for clients in _CLIENTS:
            self._add(f"GetUploadJob, idle, {clients}", _measure(port, clients, [caller.get_upload_job()]))
            self._add(f"SearchProfiles, idle, {clients}", _measure(port, clients, caller.searches()))
        writes = _measure(port, 1, caller.writes(), pause_seconds=_WRITE_PAUSE_SECONDS)
        self._add("CreateProfile, idle, 1", writes)

    def _measure_reads_during_load(self, port: int) -> None:
        caller = _Caller(self._folder, port)
        job = caller.start_load("reads", self._file)
        for clients in _CLIENTS:
            self._add(f"SearchProfiles, loading, {clients}", _measure(port, clients, caller.searches()))
            self._add(f"GetUploadJob, loading, {clients}", _measure(port, clients, [caller.get_upload_job()]))
        if caller.status(job) != "IN_PROGRESS":
            print("the load ended before the measurement; take a larger file", flush=True)
        caller.wait_for(job)
        caller.client.delete_domain(DomainName=job[0])

    def _measure_writes_during_load(self, port: int) -> None:
        caller = _Caller(self._folder, port)
        job = caller.start_load("writes", self._file)
        longest, slow_p99, answers = 0.0, 0.0, 0
        while caller.status(job) == "IN_PROGRESS":
            found = _measure(port, 1, caller.writes(), seconds=2.0, pause_seconds=_WRITE_PAUSE_SECONDS)
            longest, slow_p99 = max(longest, found["longest_ms"]), max(slow_p99, found["p99_ms"])
            answers += int(found["count"])
        self._figures.add("CreateProfile, loading, 1, longest_ms", longest)
        self._figures.add("CreateProfile, loading, 1, p99_ms", slow_p99)
        self._figures.add("CreateProfile, loading, 1, count", answers)
        caller.client.delete_domain(DomainName=job[0])

    def _add(self, name: str, answer: Answer) -> None:
        for figure in ("per_second", "p50_ms", "p99_ms", "longest_ms"):
            self._figures.add(f"{name}, {figure}", answer[figure])


class _Caller:
    """Signs requests, and makes those that are not measured through boto3."""

    def __init__(self, folder: Path, port: int) -> None:
        admin = json.loads((folder / "admin-credential.json").read_bytes())
        self._port = port
        self._credentials = Credentials(admin["access_key_id"], admin["secret_access_key"])
        self.client: Any = boto3.client(
            "customer-profiles",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name=_REGION,
            aws_access_key_id=admin["access_key_id"],
            aws_secret_access_key=admin["secret_access_key"],
            config=Config(retries={"max_attempts": 1}, proxies={}),
        )

    def get_upload_job(self) -> str:
        job = self.client.list_upload_jobs(DomainName=_DOMAIN)["Items"][-1]["JobId"]
        return self._signed("GET", f"/domains/{_DOMAIN}/upload-jobs/{job}")

    def searches(self) -> list[str]:
        """By the e-mail addresses of customers that are spread over the whole store."""
        found = []
        for number in range(1, 900_000, 4_500):
            email = next(data.customers([number])).split(",")[3]
            body = json.dumps({"KeyName": "_email", "Values": [email]})
            found.append(self._signed("POST", f"/domains/{_DOMAIN}/profiles/search", body))
        return found

    def writes(self) -> list[str]:
        body = json.dumps({"FirstName": "Ada", "EmailAddress": f"ada-{time.monotonic_ns()}@example.com"})
        return [self._signed("POST", f"/domains/{_DOMAIN}/profiles", body)]

    def start_load(self, domain: str, file: Path) -> tuple[str, str]:
        """Create, upload and start an upload job in a domain of its own: domain and job id."""
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
        self.client.start_upload_job(DomainName=name, JobId=job_id)
        return name, job_id

    def status(self, job: tuple[str, str]) -> str:
        status: str = self.client.get_upload_job(DomainName=job[0], JobId=job[1])["Status"]
        return status

    def wait_for(self, job: tuple[str, str]) -> None:
        while self.status(job) == "IN_PROGRESS":
            time.sleep(0.2)

    def _signed(self, method: str, path: str, body: str = "") -> str:
        request = AWSRequest(
            method, f"http://127.0.0.1:{self._port}{path}", {"Content-Type": "application/json"}, body or None
        )
        SigV4Auth(self._credentials, "profile", _REGION).add_auth(request)
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        return (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{head}"
            f"Content-Length: {len(body.encode())}\r\n\r\n{body}"
        )


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


def _measure(
    port: int, clients: int, requests: list[str], *, seconds: float = _SECONDS, pause_seconds: float = 0.0
) -> Answer:
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
def _server(folder: Path) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "openprofiles", "serve", "--data", str(folder), "--port", "0"],
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
