"""Servers and workers that share nothing but a database, an object store and a master key, as on hosts of their own."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from acceptance.running import RunningServer, children_of, command, environment, run_command, running_server, wait_until
from faults import loads
from postgresql_server import PostgresqlServer
from s3_server import S3Server

pytestmark = pytest.mark.usefixtures("quick_servers")

PEOPLE = b"Email,First\nann@example.com,Ann\nbob@example.com,Bob\nann@example.com,Anna\n"
FIELDS = {
    "email": {"Source": "_source.Email", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
    "first": {"Source": "_source.First", "Target": "_profile.FirstName"},
}
JOB_TIMEOUT_SECONDS = 60.0
BUCKETS = (f"hosts-{number}" for number in itertools.count())


@dataclass
class Installation:
    """What all hosts are told, and where the folders of each are."""

    folder: Path
    variables: dict[str, str]
    s3_server: S3Server
    bucket: str

    @contextmanager
    def server(self, host: str, *arguments: str, **more: str) -> Iterator[RunningServer]:
        variables = self.variables | more
        with running_server(self.folder / host, *(arguments or ("--workers", "0")), **variables) as server:
            yield server

    @contextmanager
    def worker(self, host: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / f"{host}.log").open("ab") as log:
            process = subprocess.Popen(
                command("worker", "--data", self.folder / host), env=environment(**self.variables), stderr=log
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def file_names(self) -> list[str]:
        """What the bucket holds beside the store's mark."""
        found = self.s3_server.client().list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [one["Key"] for one in found if not one["Key"].endswith("/owner")]


@pytest.fixture
def installation(tmp_path: Path, postgresql_server: PostgresqlServer, s3_server: S3Server) -> Installation:
    key = tmp_path / "shared.key"
    done = run_command("master-key", "create", key)
    assert done.returncode == 0, done.stderr
    bucket = s3_server.create_bucket(next(BUCKETS))
    variables = {
        "OPENPROFILES_STORE": postgresql_server.create_database(),
        "OPENPROFILES_FILES": f"s3://{bucket}/uploads",
        "OPENPROFILES_MASTER_KEY": str(key),
        **s3_server.environment(),
    }
    return Installation(tmp_path, variables, s3_server, bucket)


def make_client(installation: Installation, server: RunningServer) -> Any:
    """A client with a credential that was made on one host, for any of them."""
    key = json.loads((installation.folder / "one" / "admin-credential.json").read_bytes())
    return server.client(key["access_key_id"], key["secret_access_key"])


def create_job(client: Any, domain: str = "shop") -> str:
    job_id: str = client.create_upload_job(DomainName=domain, DisplayName="people", Fields=FIELDS, UniqueKey="email")[
        "JobId"
    ]
    return job_id


def put(client: Any, job_id: str, data: bytes, domain: str = "shop") -> requests.Response:
    path = client.get_upload_job_path(DomainName=domain, JobId=job_id)
    key = path["ClientToken"]
    md5 = base64.b64encode(hashlib.md5(base64.b64decode(key)).digest()).decode()
    sse = "x-amz-server-side-encryption-customer-"
    headers = {f"{sse}algorithm": "AES256", f"{sse}key": key, f"{sse}key-MD5": md5}
    with requests.Session() as session:
        session.trust_env = False
        return session.put(path["Url"], data=data, headers=headers, timeout=60)


def wait_for_end(client: Any, job_id: str, domain: str = "shop") -> Any:
    shown: dict[str, Any] = {}

    def has_ended() -> bool:
        shown.update(client.get_upload_job(DomainName=domain, JobId=job_id))
        return shown["Status"] not in ("CREATED", "IN_PROGRESS")

    wait_until(has_ended, "the job has ended", JOB_TIMEOUT_SECONDS)
    return shown


def test_a_file_sent_to_one_host_is_started_on_another_and_loaded_on_a_third(installation: Installation) -> None:
    with ExitStack() as hosts:
        one = hosts.enter_context(installation.server("one"))
        two = hosts.enter_context(installation.server("two"))
        here, there = make_client(installation, one), make_client(installation, two)
        here.create_domain(DomainName="shop", DefaultExpirationDays=30)
        job_id = create_job(here)
        # Through the other server's URL, with a key that the first one made.
        answer = put(there, job_id, PEOPLE)
        (name,) = installation.file_names()
        stored = installation.s3_server.client().get_object(Bucket=installation.bucket, Key=name)["Body"].read()
        there.start_upload_job(DomainName="shop", JobId=job_id)

        hosts.enter_context(installation.worker("three"))
        ended = wait_for_end(here, job_id)
        found = here.search_profiles(DomainName="shop", KeyName="_email", Values=["ANN@example.com"])
        wait_until(lambda: installation.file_names() == [], "the file is removed")
        # No host keeps a file of a customer's in its own folder.
        wait_until(lambda: not list(installation.folder.rglob(f"{job_id}*")), "nothing of the job is left")

    assert answer.status_code == 200, answer.text
    assert b"example.com" not in stored
    assert ended["Status"] == "SUCCEEDED"
    assert ended["ResultsSummary"] == {"UpdatedRecords": 1, "CreatedRecords": 2, "FailedRecords": 0}
    assert [item["FirstName"] for item in found["Items"]] == ["Anna"]


@pytest.mark.usefixtures("unforked_servers")
def test_a_load_goes_on_by_itself_when_the_object_store_is_back(installation: Installation) -> None:
    with installation.server("one") as server:
        client = make_client(installation, server)
        client.create_domain(DomainName="shop", DefaultExpirationDays=30)
        job_id = create_job(client)
        put(client, job_id, PEOPLE)
        (name,) = installation.file_names()
        content = installation.s3_server.client().get_object(Bucket=installation.bucket, Key=name)["Body"].read()
        with installation.worker("two") as worker:
            log = installation.folder / "two.log"
            # Its first loader waits for orders when it has looked at everything.
            wait_until(lambda: bool(children_of(worker.pid)), "the worker has started")
            installation.s3_server.stop()
            try:
                client.start_upload_job(DomainName="shop", JobId=job_id)
                wait_until(lambda: b"files_unreachable" in log.read_bytes(), "the loader says so", JOB_TIMEOUT_SECONDS)
                meanwhile = client.get_upload_job(DomainName="shop", JobId=job_id)
                refused = put(client, create_job(client), PEOPLE)
            finally:
                installation.s3_server.start()
                # The object store of the tests keeps nothing when it ends.
                installation.s3_server.create_bucket(installation.bucket)
            installation.s3_server.client().put_object(Bucket=installation.bucket, Key=name, Body=content)
            ended = wait_for_end(client, job_id)

    assert meanwhile["Status"] == "IN_PROGRESS"
    assert (refused.status_code, "<Code>SlowDown</Code>" in refused.text) == (503, True)
    assert ended["Status"] == "SUCCEEDED"


def test_a_host_without_the_master_key_is_told_what_to_do(installation: Installation) -> None:
    missing = installation.folder / "missing.key"

    done = run_command(
        *("worker", "--data", installation.folder / "one"),
        **(installation.variables | {"OPENPROFILES_MASTER_KEY": str(missing)}),
    )

    assert done.returncode != 0
    assert f"There is no master key {missing}" in done.stderr
    assert not missing.exists()


def test_a_host_with_another_master_key_is_refused(installation: Installation) -> None:
    other = installation.folder / "other.key"
    run_command("master-key", "create", other)
    with installation.server("one"):
        pass

    variables = installation.variables | {"OPENPROFILES_MASTER_KEY": str(other)}
    server = run_command("serve", "--port", "0", "--data", installation.folder / "two", **variables)
    worker = run_command("worker", "--data", installation.folder / "two", **variables)

    assert "does not belong to the store" in server.stderr
    assert "does not belong to the store" in worker.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("credentials", "create", "--name", "x", "--action", "*"), id="credentials"),
        pytest.param(
            ("worker",),
            id="worker",
            marks=pytest.mark.long(
                daily="test_a_host_that_was_not_given_the_key_writes_nothing_with_one_of_its_own[credentials]"
            ),
        ),
    ],
)
def test_a_host_that_was_not_given_the_key_writes_nothing_with_one_of_its_own(
    installation: Installation, arguments: tuple[str, ...]
) -> None:
    with installation.server("one"):
        pass
    without_key = {name: value for name, value in installation.variables.items() if "MASTER_KEY" not in name}

    refused = run_command(*arguments, "--data", installation.folder / "two", **without_key)
    listed = run_command("credentials", "list", "--data", installation.folder / "one", **installation.variables)

    assert refused.returncode != 0
    assert "does not belong to the store" in refused.stderr
    assert listed.stdout.count("allows") == 1


@pytest.mark.long(daily="test_the_key_of_a_data_folder_is_changed_in_its_place")
def test_credentials_and_waiting_jobs_go_on_under_a_changed_master_key(installation: Installation) -> None:
    with installation.server("one") as server:
        client = make_client(installation, server)
        client.create_domain(DomainName="shop", DefaultExpirationDays=30)
        job_id = create_job(client)
        put(client, job_id, PEOPLE)
    new = installation.folder / "new.key"
    run_command("master-key", "create", new)

    changed = run_command(
        *("master-key", "change", "--new", new, "--data", installation.folder / "one"), **installation.variables
    )
    again = run_command(
        *("master-key", "change", "--new", new, "--data", installation.folder / "one"), **installation.variables
    )
    old = run_command("serve", "--port", "0", "--data", installation.folder / "one", **installation.variables)
    installation.variables["OPENPROFILES_MASTER_KEY"] = str(new)
    with installation.server("one", "--workers", "1") as server:
        client = make_client(installation, server)
        client.start_upload_job(DomainName="shop", JobId=job_id)
        ended = wait_for_end(client, job_id)

    assert changed.returncode == 0, changed.stderr
    assert again.returncode == 0, again.stderr
    assert f"--master-key {new}" in changed.stdout
    assert "does not belong to the store" in old.stderr
    assert ended["Status"] == "SUCCEEDED"


def test_the_key_of_a_data_folder_is_changed_in_its_place(tmp_path: Path) -> None:
    data = tmp_path / "data"
    # With a job that waits for a worker.
    loads.prepare_load(
        loads.Installation(data), 1, loads.LoadSize(new=100, updates=100, repeats=10, entangled=10, failing=10)
    )
    made = run_command("credentials", "create", "--name", "one", "--data", data)
    old = (data / "master.key").read_bytes()
    new = tmp_path / "new.key"
    run_command("master-key", "create", new)

    changed = run_command("master-key", "change", "--new", new, "--data", data)

    assert made.returncode == 0, made.stderr
    assert changed.returncode == 0, changed.stderr
    assert (data / "master.key").read_bytes() == new.read_bytes() != old
    assert (data / "master.key").stat().st_mode & 0o777 == 0o600
    with running_server(data, "--workers", "1") as server:
        client = server.client()
        (waiting, _) = client.list_upload_jobs(DomainName="shop-1")["Items"]
        ended = wait_for_end(client, waiting["JobId"], "shop-1")
    assert (ended["Status"], ended["ResultsSummary"]["CreatedRecords"]) == ("PARTIALLY_SUCCEEDED", 100)


def test_a_master_key_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    first = run_command("master-key", "create", file)
    content = file.read_bytes()

    second = run_command("master-key", "create", file)

    assert first.returncode == 0
    assert second.returncode != 0
    assert f"The file {file} already exists" in second.stderr
    assert file.read_bytes() == content
    assert file.stat().st_mode & 0o777 == 0o600
