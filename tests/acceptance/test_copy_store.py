"""``openprofiles copy-store`` as a user runs it: killed, run again, and a server on what it made."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from acceptance.running import command, environment, is_running, run_command, running_server, wait_until
from faults.loads import Installation, LoadSize, prepare_load
from postgresql_server import PostgresqlServer
from s3_server import S3Server

pytestmark = pytest.mark.usefixtures("quick_loaders")

SIZE = LoadSize(new=500, updates=12_000, repeats=100, entangled=40, failing=20)
KILLED_AT = (("profile", 1), ("profile", 6_000), ("profile_key", 1), ("profile_key", 20_000))
JOB_TIMEOUT_SECONDS = 120.0


def count_rows(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        try:
            row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
    assert row is not None
    return int(row[0])


@pytest.mark.long(daily="tests/store/test_store_copies.py::test_an_interrupted_copy_cannot_be_used_and_goes_on")
def test_a_copy_killed_again_and_again_ends_whole_and_its_jobs_go_on(
    tmp_path: Path, postgresql_server: PostgresqlServer
) -> None:
    data, url = tmp_path / "data", postgresql_server.create_database()
    prepare_load(Installation(data), 1, SIZE)
    arguments = ("copy-store", "--data", data, "--from", data / "openprofiles.db")

    refusals = []
    for table, row_count in KILLED_AT:
        process = subprocess.Popen(
            command(*arguments), env=environment(OPENPROFILES_TO=url), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        wait_until(lambda: count_rows(url, table) >= row_count, f"{table} has {row_count} rows")  # noqa: B023
        process.kill()
        _, errors = process.communicate()
        assert process.returncode == -9, errors.decode()
        refused = run_command("credentials", "list", "--data", data, "--store", url)
        refusals.append((refused.returncode, "an unfinished copy" in refused.stderr))
    done = run_command(*arguments, OPENPROFILES_TO=url)
    again = run_command(*arguments, OPENPROFILES_TO=url)

    assert refusals == [(2, True)] * len(KILLED_AT)
    assert done.returncode == 0, done.stderr
    assert "All rows were compared: " in done.stdout
    assert again.returncode == 2
    assert "already contains a store" in again.stderr
    with running_server(data, "--store", url, "--workers", "1") as server:
        client = server.client()
        (waiting, _) = client.list_upload_jobs(DomainName="shop-1")["Items"]
        found = client.search_profiles(DomainName="shop-1", KeyName="_email", Values=["old-7@x.example"])["Items"]
        wait_until(
            lambda: client.get_upload_job(DomainName="shop-1", JobId=waiting["JobId"])["Status"] != "IN_PROGRESS",
            "the job that waited has ended",
            JOB_TIMEOUT_SECONDS,
        )
        ended = client.get_upload_job(DomainName="shop-1", JobId=waiting["JobId"])
    assert len(found) == 1
    assert ended["Status"] == "PARTIALLY_SUCCEEDED"
    assert ended["ResultsSummary"]["CreatedRecords"] == SIZE.new


def test_files_of_waiting_jobs_come_along_to_a_bucket_and_the_jobs_go_on(
    tmp_path: Path, postgresql_server: PostgresqlServer, s3_server: S3Server
) -> None:
    data, bucket, url = tmp_path / "data", s3_server.create_bucket("copied"), postgresql_server.create_database()
    place = {"OPENPROFILES_STORE": url, "OPENPROFILES_FILES": f"s3://{bucket}/files", **s3_server.environment()}
    prepare_load(Installation(data), 1, LoadSize(new=100, updates=100, repeats=5, entangled=5, failing=5))

    done = run_command(
        *(
            "copy-store",
            "--data",
            data,
            "--from",
            data / "openprofiles.db",
            "--to",
            url,
        ),
        *("--to-files", f"s3://{bucket}/files"),
        **s3_server.environment(),
    )

    assert done.returncode == 0, done.stderr
    assert "Uploaded files of unfinished jobs: 1" in done.stdout
    copied = {
        one["Key"]: s3_server.client().get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
        for one in s3_server.client().list_objects_v2(Bucket=bucket)["Contents"]
        if one["Key"] != "files/owner"
    }
    assert copied == {f"files/{path.name}": path.read_bytes() for path in (data / "uploads").iterdir()}
    with running_server(data, "--workers", "1", **place) as server:
        client = server.client()
        (waiting, _) = client.list_upload_jobs(DomainName="shop-1")["Items"]
        job = {"DomainName": "shop-1", "JobId": waiting["JobId"]}
        wait_until(
            lambda: client.get_upload_job(**job)["Status"] != "IN_PROGRESS",
            "the job that waited has ended",
            JOB_TIMEOUT_SECONDS,
        )
        ended = client.get_upload_job(**job)
    assert ended["Status"] == "PARTIALLY_SUCCEEDED"


@pytest.mark.parametrize("is_there", [False, True], ids=["source is used", "target is used"])
def test_a_store_on_which_something_runs_is_not_copied(
    tmp_path: Path, postgresql_server: PostgresqlServer, is_there: bool
) -> None:
    data, url = tmp_path / "data", postgresql_server.create_database()
    run_command("credentials", "create", "--data", data, "--name", "me")
    folder, options = (tmp_path / "other", ("--store", url)) if is_there else (data, ())
    arguments = ("copy-store", "--data", data, "--from", data / "openprofiles.db")

    # Killed in the end: what it leaves behind is not in the way.
    with running_server(folder, *options, "--workers", "1") as server:
        workers = server.children()
        refused = run_command(*arguments, OPENPROFILES_TO=url)
        server.stop(signal.SIGKILL)
    wait_until(lambda: not any(map(is_running, workers)), "the worker has followed its server")
    after = run_command(*arguments, OPENPROFILES_TO=url)

    assert refused.returncode == 2
    assert "Error: A server, worker, import or other command is running on the store " in refused.stderr
    assert "Stop all of them first." in refused.stderr
    if is_there:
        # Its own first start has filled it.
        assert "already contains a store" in after.stderr
    else:
        assert after.returncode == 0, after.stderr


def test_a_copy_between_nothing_and_something_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"

    missing = run_command("copy-store", "--data", data, "--from", tmp_path / "no.db", "--to", tmp_path / "new.db")
    same = run_command("copy-store", "--data", data, "--from", tmp_path / "no.db", "--to", tmp_path / "no.db")

    assert (missing.returncode, f"There is no store {tmp_path / 'no.db'}" in missing.stderr) == (2, True)
    assert (same.returncode, "name the same store" in same.stderr) == (2, True)
    assert not (tmp_path / "no.db").exists()
