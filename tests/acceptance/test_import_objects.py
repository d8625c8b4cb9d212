"""``openprofiles import --as``: files of objects through the real command, on a data folder and through a server."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet
import pytest
import requests

from acceptance.aws_scenario_uploads import headers_for
from acceptance.running import RunningServer, run_command, running_server, wait_until
from acceptance.test_object_commands import CUSTOMERS
from openapi_document import validator
from openprofiles.client import Client
from workbooks import sheet_xml, text_rows, workbook

pytestmark = pytest.mark.usefixtures("quick_servers")

Run = Callable[..., CompletedProcess[str]]

ADA = {"id": "1", "mail": "ada@x.org", "first": "Ada"}
BOB = {"id": "2", "mail": "bob@x.org", "first": "Bob"}
ROWS = [["id", "mail", "first"], ["3", "cy@x.org", "Cy"], ["4", "dan@x.org", "Dan"]]
PARQUET = pa.BufferOutputStream()
_MORE = [{"id": 5, "mail": "eve@x.org", "first": "Eve"}, {"id": 6, "mail": "flo@x.org", "first": "Flo"}]
pyarrow.parquet.write_table(pa.Table.from_pylist(_MORE), PARQUET)

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("objects") / "data", "--workers", "1") as running:
        yield running


def make_run(server: RunningServer | None, folder: Path) -> Run:
    """Return what runs a command on a new domain that has the object type Customers."""
    domain = f"shop-{next(_numbers)}"
    if server is not None:
        server.client().create_domain(DomainName=domain, DefaultExpirationDays=30)
        where = server.variables()
    else:
        (folder / "first.csv").write_text("Email\nzoe@x.org\n")
        where = {"OPENPROFILES_DATA": str(folder / "data")}
        run_command("import", folder / "first.csv", "--unique-key", "Email", "--domain", domain, **where)

    def run(*arguments: str | Path) -> CompletedProcess[str]:
        return run_command(*arguments, "--domain", domain, **where)

    (folder / "customers.json").write_text(json.dumps(CUSTOMERS))
    run("object-types", "put", "Customers", folder / "customers.json")
    return run


@pytest.fixture(scope="module")
def local_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a command on a data folder."""
    return make_run(None, tmp_path_factory.mktemp("local"))


def newest_object(run: Run, mail: str) -> Any:
    return json.loads(run("objects", "list", "Customers", mail, "--output", "json").stdout)[0]["object"]


def test_a_file_is_tried_loaded_mended_and_undone(server: RunningServer, tmp_path: Path) -> None:
    run = make_run(server, tmp_path)
    file = tmp_path / "customers.jsonl"
    file.write_text(f'{json.dumps(ADA)}\n{{"id": "", "mail": "bob@x.org", "first": "Bob"}}\nno object\n')

    tried = run("import", file, "--as", "Customers", "--dry-run")
    loaded = run("import", file, "--as", "Customers")
    failed_rows = tmp_path / "customers.jsonl.failed-rows.csv"
    first, bob, _ = failed_rows.read_text(encoding="utf-8-sig").splitlines()
    mended = tmp_path / "mended.csv"
    with_id = bob.replace('""id"": """"', '""id"": ""2""')
    mended.write_text(f"{first}\n{with_id}\n")
    again = run("import", mended, "--as", "Customers")

    assert tried.returncode == loaded.returncode == 1
    assert "Dry run of" in tried.stdout
    counts = "1 object ingested (1 created a profile, 0 joined one), 2 failed in "
    assert counts in tried.stdout, tried.stderr
    assert counts in loaded.stdout, loaded.stderr
    assert "  1  MISSING_KEY in id\n  1  NOT_AN_OBJECT\n" in loaded.stdout
    assert (again.returncode, again.stderr.count("Error")) == (0, 0), again.stderr
    assert newest_object(run, "bob@x.org") == BOB

    listed = json.loads(run("jobs", "list", "--output", "json").stdout)
    shown = run("jobs", "show", listed[0]["job_id"])
    assert "  object type  Customers\n" in shown.stdout
    assert json.loads(run("jobs", "show", listed[0]["job_id"], "--output", "json").stdout)["object_type"] == "Customers"
    undone = run("jobs", "undo", listed[0]["job_id"])
    assert "Profiles: 1 removed, 0 restored" in undone.stdout, undone.stderr
    assert "No profile" in run("objects", "list", "Customers", "bob@x.org").stderr


def test_objects_come_in_files_of_any_kind(local_run: Run, tmp_path: Path) -> None:
    run = local_run
    for name, content, read_as, mail in (
        ("array.json", json.dumps([ADA, BOB], indent=1).encode(), "JSON lines", "ada@x.org"),
        ("book.xlsx", workbook({"All": sheet_xml(text_rows(ROWS))}), "Excel workbook, sheet 'All'", "cy@x.org"),
        ("table.parquet", PARQUET.getvalue().to_pybytes(), "Parquet", "eve@x.org"),
    ):
        (tmp_path / name).write_bytes(content)

        loaded = run("import", tmp_path / name, "--as", "Customers")

        assert loaded.returncode == 0, loaded.stderr
        assert f"  read as {read_as}" in loaded.stdout
        assert "2 objects ingested (2 created a profile, 0 joined one), 0 failed" in loaded.stdout
        assert newest_object(run, mail)["mail"] == mail


def test_an_import_of_objects_has_no_mapping_and_needs_a_type(local_run: Run, tmp_path: Path) -> None:
    run = local_run
    jobs_before = run("jobs", "list").stdout
    file = tmp_path / "customers.jsonl"
    file.write_text(json.dumps(ADA))
    broken = tmp_path / "broken.json"
    broken.write_text("[" + json.dumps(ADA) + "\n{")

    for arguments, status, message in (
        ((file, "--as", "Customers", "--unique-key", "id"), 2, "--as and --unique-key can't be combined"),
        ((file, "--as", "Customers", "--blank-cells", "clear"), 2, "--as and --blank-cells can't be combined"),
        ((file, "--as", "Customers", "--delimiter", ";"), 2, "has JSON objects, so it has no encoding"),
        ((file, "--as", "Nothing"), 2, "Object type Nothing does not exist in domain"),
        ((broken, "--as", "Customers"), 2, "is not valid JSON"),
    ):
        refused = run("import", *arguments)
        assert (refused.returncode, message in refused.stderr) == (status, True), refused.stderr
    assert run("jobs", "list").stdout == jobs_before


def test_the_paths_take_a_file_of_objects_and_describe_it(server: RunningServer, tmp_path: Path) -> None:
    make_run(server, tmp_path)
    domain = f"shop-{next(_numbers) - 1}"
    key_id, secret = server.admin()
    session = boto3.Session(key_id, secret, region_name="us-east-1")
    aws = server.client()
    with closing(Client(session, server.url)) as client:
        job_id = client.create_upload_job(domain, display_name="objects", object_type="Customers")
        path = aws.get_upload_job_path(DomainName=domain, JobId=job_id)
        data = b"\n".join(json.dumps(one).encode() for one in (ADA, BOB))
        requests.put(path["Url"], data=data, headers=headers_for(path["ClientToken"]), timeout=30).raise_for_status()
        aws.start_upload_job(DomainName=domain, JobId=job_id)
        job: dict[str, Any] = {}

        def has_ended() -> bool:
            job.update(aws.get_upload_job(DomainName=domain, JobId=job_id))
            return bool(job["Status"] == "SUCCEEDED")

        wait_until(has_ended, "the load of the objects")
        progress = client.get_progress(domain, job_id)

    assert (progress["ObjectType"], progress["CreatedRecords"]) == ("Customers", 2)
    assert progress["File"]["JsonLines"] is True
    validator("Progress").validate(progress)
    assert (job["Fields"], job["UniqueKey"]) == ({}, "shopId")
    with requests.Session() as browser:
        browser.trust_env = False
        form = {"access_key_id": key_id, "secret_access_key": secret}
        browser.post(f"{server.url}/console/sign-in", data=form, timeout=30).raise_for_status()
        for page in ("", "/undo"):
            answer = browser.get(f"{server.url}/console/domains/{domain}/jobs/{job_id}{page}", timeout=30)
            assert (answer.status_code, "objects" in answer.text) == (200, True)
        listed = browser.get(f"{server.url}/console/domains/{domain}/jobs", timeout=30)
        assert (listed.status_code, job_id in listed.text) == (200, True)
