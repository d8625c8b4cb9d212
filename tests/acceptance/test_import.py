"""``openprofiles import`` as a user runs it: the real program, its store, its loader, and a server."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import by_hand
from acceptance.running import command, environment, run_command, running_server
from openprofiles.cli.main import openprofiles
from openprofiles.clock import utc_now
from openprofiles.master_key import load_master_key
from openprofiles.profiles.domains import create_domain
from openprofiles.settings import Settings
from openprofiles.store.open import open_store
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs
from openprofiles.uploads.arrival.files import open_own_files
from openprofiles.uploads.arrival.receive import receive_local
from openprofiles.uploads.failures.own_columns import SPREADSHEET_COLUMNS
from openprofiles.uploads.jobs import JobRequest

pytestmark = pytest.mark.usefixtures("quick_servers")

EXAMPLE = Path(__file__).parents[2] / "examples" / "customers.csv"

FAULTY = b"""Email,First Name,Phone,Tier,
ada@example.com,Ada,212-555-0101,gold,
,Nobody,,,
bob@example.com,Bob,,,
ADA@example.com,,(212) 555-0102,,
carl@example.com,"Ca"rl,,,
"""


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def import_json(*arguments: str | Path, **variables: str) -> tuple[int, dict[str, Any]]:
    answer = run_command("import", *arguments, "--output", "json", **variables)
    assert answer.stderr == ""
    return answer.returncode, json.loads(answer.stdout)


def read_csv(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.reader(file, delimiter=delimiter))


def list_jobs(data: Path) -> list[UploadJob]:
    store = open_store(Settings(data_folder=data))
    try:
        return by_hand.read(store, by_hand.get_domain(store, "demo"), jobs.list_jobs).items
    finally:
        store.close()


def start_job(data: Path, content: bytes) -> str:
    """A job of the domain demo that was started and that nobody runs, as one that was interrupted."""
    settings = Settings(data_folder=data)
    store = open_store(settings)
    try:
        key = load_master_key(settings)
        domain = create_domain(
            store, "demo", default_expiration_days=30, config={}, tags={}, phone_region="US", now=utc_now()
        )
        fields = {"Email": {"Source": "_source.Email", "Target": "_profile.EmailAddress"}}
        request = JobRequest(display_name="interrupted", fields=fields, unique_key="Email")
        job = by_hand.create_job(store, domain, key, request, utc_now())
        path = write(data / "interrupted.csv", content)
        with path.open("rb") as file:
            receive_local(store, key, open_own_files(settings, key), job, file, lambda _: None)
        by_hand.At(utc_now()).write(store, domain, jobs.start_job, job.job_id)
        return job.job_id
    finally:
        store.close()


@pytest.mark.parametrize("url", ["nonsense", "http://localhost:99999", "ftp://example.com", "http://"])
def test_an_address_that_is_none_is_refused_in_a_sentence(tmp_path: Path, url: str) -> None:
    file = write(tmp_path / "customers.csv", b"Email\nada@example.com\n")

    answer = run_command("import", file, "--domain", "demo", "--unique-key", "Email", "--endpoint-url", url)

    assert answer.returncode == 2
    assert f"--endpoint-url {url} is not a valid address. Write an address such as" in answer.stderr


# On the store directly


def test_the_failed_rows_of_an_earlier_load_are_gone_when_the_mended_file_loads_whole(tmp_path: Path) -> None:
    options = ("--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data")
    file = write(tmp_path / "customers.csv", b"Email,Name\nada@example.com,Ada\n,Bo\n")
    failed_rows = tmp_path / "customers.failed-rows.csv"
    assert run_command("import", file, *options).returncode == 1
    assert failed_rows.exists()

    write(file, b"Email,Name\nada@example.com,Ada\nbo@example.com,Bo\n")
    answer = run_command("import", file, *options)

    assert answer.returncode == 0
    assert not failed_rows.exists()


def test_a_file_of_failed_rows_is_replaced_only_as_long_as_nobody_has_changed_it(tmp_path: Path) -> None:
    options = ("--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data")
    file = write(tmp_path / "customers.csv", b"Email,Name\nada@example.com,Ada\n,Bo\n")
    failed_rows = tmp_path / "customers.failed-rows.csv"
    run_command("import", file, *options)
    written = failed_rows.read_bytes()

    write(file, b"Email,Name\nada@example.com,Ada\n,Bo\n,Cy\n")
    again = run_command("import", file, *options)
    replaced = failed_rows.read_bytes()
    write(failed_rows, replaced.replace(b",Bo", b"bo@example.com,Bo"))
    fixed = failed_rows.read_bytes()
    refused = run_command("import", file, *options)
    write(file, b"Email,Name\ndan@example.com,Dan\n")
    also_refused = run_command("import", file, *options)
    elsewhere = run_command("import", file, *options, "--failed-rows", tmp_path / "other.csv")

    assert again.returncode == 1
    assert replaced.count(b"\n") == written.count(b"\n") + 1
    assert (refused.returncode, also_refused.returncode, elsewhere.returncode) == (2, 2, 0)
    assert f"{failed_rows} was changed after openprofiles wrote it" in refused.stderr
    assert "Move or remove it, or name another file with --failed-rows. Nothing was loaded." in refused.stderr
    assert failed_rows.read_bytes() == fixed
    assert len(list_jobs(tmp_path / "data")) == 3


def test_a_file_is_loaded_without_a_server_or_any_set_up(tmp_path: Path) -> None:
    file = write(tmp_path / "customers.csv", FAULTY)

    answer = run_command("import", file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data")

    expiry = datetime.now(UTC).date() + timedelta(days=1098)
    lines = answer.stdout.splitlines()
    assert lines[:-5] == [
        "Created the domain demo. Its profiles expire 1,098 days after their last change.",
        f"Loading {file} into the domain demo:",
        "  read as utf-8, commas, LF",
        "  Email       ->  EmailAddress  (unique key)",
        "  First Name  ->  FirstName",
        "  Phone       ->  PhoneNumber",
        "  Tier        ->  Attributes.Tier",
        "  column 5 '' is not loaded: it has no name in the header",
        "Phone numbers without a country code are treated as numbers from the United States (US).",
        "Unique key Email:",
        "  Filled in 3 of 4 rows of the sample; 1 row repeats an earlier value. Rows with the same Email become one "
        "customer, and later files update this customer. Rows without Email fail.",
        f"Profiles from this import expire on {expiry} (1,098 days) unless a later import updates them.",
    ]
    assert lines[-5].startswith("2 created, 1 updated, 2 failed in ")
    assert lines[-4] == "Rows with the unique key of an earlier row: 1. Unless they fail, they overwrite its values."
    assert lines[-3:-1] == ["  1  MALFORMED_QUOTES", "  1  MISSING_UNIQUE_KEY in column Email"]
    assert lines[-1] == f"The failed rows and their reasons are in {tmp_path / 'customers.failed-rows.csv'}"
    assert answer.returncode == 1
    assert answer.stderr.startswith("Copying: 0.0 of 0.0 MB\n")
    # Which steps are seen depends on how fast they are.
    assert re.search(r"^\w.* \(step [1-4] of 4\)", answer.stderr, re.MULTILINE)
    header, *rows = read_csv(tmp_path / "customers.failed-rows.csv")
    assert header == ["Email", "First Name", "Phone", "Tier", "", *SPREADSHEET_COLUMNS]
    assert [row[:9] for row in rows] == [
        ["", "Nobody", "", "", "", "", "3", "Email", "MISSING_UNIQUE_KEY"],
        ["", "", "", "", "", 'carl@example.com,"Ca"rl,,,', "6", "", "MALFORMED_QUOTES"],
    ]


def test_the_failed_rows_are_mended_and_loaded_by_the_same_command(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"Email,First Name,Tier\n,Ann,gold\nbo@x.de,Bo,gold,oops\ncy@x.de,Cy,\n")
    arguments = ("--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data")
    first_status, first = import_json(file, *arguments)
    failed_rows = tmp_path / "a.failed-rows.csv"

    # What has no key fails again, and what had too many cells is whole without them.
    text = failed_rows.read_text(encoding="utf-8")
    failed_rows.write_text(text.replace(",oops,", ",,"), encoding="utf-8")
    again_status, again = import_json(failed_rows, *arguments)
    left = tmp_path / "a.failed-rows.failed-rows.csv"
    text = left.read_text(encoding="utf-8")
    left.write_text(text.replace(",Ann,gold,", "ann@x.de,Ann,gold,"), encoding="utf-8")
    mended_status, mended = import_json(left, *arguments)

    assert (first_status, first["created"], first["failed"]) == (1, 1, 2)
    assert (again_status, again["created"], again["failed"]) == (1, 1, 1)
    assert text.splitlines()[0] == "\ufeff" + ",".join(["Email", "First Name", "Tier", *SPREADSHEET_COLUMNS])
    assert (mended_status, mended["created"], mended["failed"]) == (0, 1, 0)
    assert mended["mapping"] == {"Email": "EmailAddress", "First Name": "FirstName", "Tier": "Attributes.Tier"}


def test_the_example_is_loaded_as_the_readme_says(tmp_path: Path) -> None:
    status, told = import_json(
        EXAMPLE, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data",
        "--failed-rows", tmp_path / "failed.csv",
    )  # fmt: skip

    assert status == 1
    assert (told["created"], told["updated"], told["failed"]) == (2900, 100, 7)
    assert told["failed_rows_file"] == str(tmp_path / "failed.csv")
    assert told["faults"][0] == {"code": "MISSING_UNIQUE_KEY", "column": "Email", "count": 3}
    assert sum(one["count"] for one in told["faults"]) == 7
    assert [row[-3] for row in read_csv(tmp_path / "failed.csv")[1:]] == [
        "MISSING_UNIQUE_KEY",
        "MISSING_UNIQUE_KEY",
        "TOO_MANY_CELLS",
        "VALUE_TOO_LONG",
        "MALFORMED_QUOTES",
        "INVALID_UTF8",
        "MISSING_UNIQUE_KEY",
    ]


def test_a_file_without_a_fault_ends_with_0_and_leaves_no_report(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"\xef\xbb\xbfLogin,Tier\nada@example.com,gold\nbob@example.com,\n")
    arguments: list[str | Path] = [
        file, "--domain", "demo", "--unique-key", "_profile.EmailAddress", "--map", "Login=EmailAddress",
        "--map", "Tier=", "--data-expiry", "30", "--display-name", "spring", "--data", tmp_path / "data",
    ]  # fmt: skip

    first_status, first = import_json(*arguments)
    second_status, second = import_json(*arguments)

    assert (first_status, second_status) == (0, 0)
    assert list(first["step_seconds"]) == ["stage", "plan", "report", "create", "update", "follow", "index"]
    assert 0 < sum(first["step_seconds"].values()) < first["seconds"]
    assert first | {"job_id": None, "seconds": None, "step_seconds": None} == {
        "domain": "demo",
        "domain_created": True,
        "job_id": None,
        "status": "SUCCEEDED",
        "message": None,
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "failed": 0,
        "unprocessed": 0,
        "repeated": 0,
        "notices": [],
        "seconds": None,
        "step_seconds": None,
        "data_expiry_days": 30,
        "expires_on": str(datetime.now(UTC).date() + timedelta(days=30)),
        "unique_key": "Login",
        "file": {
            "kind": "text",
            "compression": "none",
            "encoding": "utf-8",
            "has_byte_order_mark": True,
            "delimiter": ",",
            "quote": '"',
            "line_ends": "LF",
            "header_line": None,
            "first_row": None,
            "given": [],
        },
        "mapping": {"Login": "EmailAddress"},
        "values_checked": True,
        "faults": [],
        "failed_rows_file": None,
    }
    # The same file again changes nothing.
    assert (second["domain_created"], second["created"], second["updated"], second["unchanged"]) == (False, 0, 0, 2)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.csv"]
    assert [(job.job_id, job.display_name, job.data_expiry_days) for job in list_jobs(tmp_path / "data")] == [
        (second["job_id"], "spring", 30),
        (first["job_id"], "spring", 30),
    ]
    # The loader has removed what it needed.
    assert [*(tmp_path / "data" / "uploads").iterdir(), *(tmp_path / "data" / "scratch").iterdir()] == []


@pytest.mark.parametrize(
    ("content", "message", "failed_count"),
    [
        (
            b'Email,Note\na@example.com,"x\nb@example.com,y\n',
            "The double quote that opens a value on line 2 is never",
            0,
        ),
        (b"Email,Note\n,x\n,y\n", "All 2 rows failed.", 2),
    ],
)
def test_a_job_that_fails_ends_with_2_and_says_why(
    tmp_path: Path, content: bytes, message: str, failed_count: int
) -> None:
    file = write(tmp_path / "a.csv", content)

    answer = run_command("import", file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data")

    assert answer.returncode == 2
    assert message in answer.stderr
    assert (tmp_path / "a.failed-rows.csv").exists() == (failed_count > 0)


def test_no_load_is_suggested_for_a_file_without_rows(tmp_path: Path) -> None:
    answer = run_command("import", write(tmp_path / "header.csv", b"Email,Name\n"), "--domain", "demo")

    assert answer.stdout.endswith("Nothing was loaded: the file has a header but no rows.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.csv"], "The file missing.csv cannot be read: No such file or directory."),
        (["missing.csv", "--mapping", "crm"], "The file missing.csv cannot be read: No such file or directory."),
        (["."], "cannot be read: Is a directory"),
        (["/dev/null"], "The file is empty"),
        (
            ["a.csv", "--unique-key", "Mail"],
            "The unique key 'Mail' is not a column of the file. Did you mean 'Email'? Its columns are: 'Email', ",
        ),
        (["a.csv", "--map", "Tier"], "--map 'Tier' is not of the form COLUMN=TARGET"),
        (["a.csv", "--map", "Tear=Attributes.x"], "The file has no column 'Tear'. Did you mean 'Tier'?"),
        (
            ["a.csv", "--map", "Tier=Tier"],
            "'Tier' is not a field of a profile. To keep the column as a custom attribute, use "
            "--map Tier=Attributes.Tier. All fields: "
            "docs/csv-files.md#targets",
        ),
        (
            ["a.csv", "--map", "TIER=Company"],
            "--map 'Tier=Company': 'Company' is not a field of a profile. Did you mean",
        ),
        (
            ["a.csv", "--map", "Tier=Atributes.level"],
            "To keep the column as a custom attribute, use --map Tier=Attributes.level.",
        ),
        (["a.csv", "--map", "email="], "The unique key 'Email' cannot be used: it is excluded by --map Email="),
        (
            ["a.csv", "--map", "Tier=EmailAddress", "--map", "Email=EmailAddress"],
            "Fields Email and Tier have the same Target",
        ),
        (["a.csv", "--map", "Tier=", "--map", "Tier=City"], "--map is given twice for the column 'Tier'"),
        (["a.csv", "--domain", "my domain"], "'my domain' is not a valid domain name"),
        (["a.csv", "--data-expiry", "1099"], "1099 is not in the range 1<=x<=1098"),
        (["a.csv", "--failed-rows", "a.csv"], "the file that is being loaded. Name another file."),
        (["a.csv", "--failed-rows", "nowhere/x.csv"], "--failed-rows: there is no folder nowhere. Nothing was loaded."),
        (["header.csv"], "header.csv has a header but no rows. Nothing was loaded."),
        (["a.csv", "--mapping", "crm", "--domain", ""], "'' is not a valid domain name"),
        (["broken.csv"], "The header on line 1 contains characters that are not valid"),
        (["a.csv", "--encoding", "klingon"], "The encoding 'klingon' is not supported. Use one of these, or another "),
        (["a.csv", "--delimiter", ":"], "':' is not a delimiter. Use one of , ; | ^ ~ and tab"),
        (["a.csv", "--sheet", "People"], "is not an Excel workbook, so it has no sheet 'People'"),
        (["empty.csv"], "The file is empty"),
    ],
)
def test_what_cannot_work_is_told_with_status_2_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.csv", FAULTY)
    write(tmp_path / "broken.csv", b"Email,Pr\xe9nom\n" + "Zoë,Loïc\n".encode())
    write(tmp_path / "empty.csv", b"")
    write(tmp_path / "header.csv", b"Email,Name\n\n")
    given = ["--domain", "demo", "--unique-key", "Email", *arguments]

    answer = CliRunner().invoke(openprofiles, ["import", *given], env={"OPENPROFILES_DATA": str(tmp_path / "data")})

    assert answer.exit_code == 2
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "data").exists()


def test_a_pipe_that_ends_before_the_load_is_reported(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", FAULTY)
    reader, writer = os.pipe()
    os.close(reader)

    ended = subprocess.run(
        command("import", file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data"),
        env=environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)

    assert ended.returncode == 2
    assert ended.stderr == "Error: Nothing was loaded: the program that reads the output has exited.\n"
    assert list_jobs(tmp_path / "data") == []


def test_a_pipe_that_is_closed_during_the_load_does_not_change_its_status(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", FAULTY)
    with subprocess.Popen(
        command("import", file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while not process.stdout.readline().startswith("Profiles from this import expire"):
            pass
        process.stdout.close()
        told = process.stderr.read()

    assert process.returncode == 1
    assert "Error" not in told
    assert "Exception" not in told
    assert [job.status.value for job in list_jobs(tmp_path / "data")] == ["PARTIALLY_SUCCEEDED"]


def test_other_commands_end_quietly_like_any_program_when_their_pipe_is_closed() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    ended = subprocess.run(command("version"), env=environment(), stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)

    assert (ended.returncode, ended.stderr) == (141, "")


def test_a_column_may_be_named_in_another_case(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"Email,Tier,Points\nada@example.com,gold,7\n")

    status, told = import_json(
        file, "--domain", "demo", "--unique-key", "EMAIL", "--map", "TIER=address.city", "--check", "points=number",
        "--data", tmp_path / "data",
    )  # fmt: skip

    assert (status, told["unique_key"]) == (0, "Email")
    assert told["mapping"] == {"Email": "EmailAddress", "Tier": "Address.City", "Points": "Attributes.Points"}


def test_a_file_without_a_domain_is_only_looked_at(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"Email,Tier\na@example.com,gold\nb@example.com,gold\n")
    data = tmp_path / "data"

    bare = run_command("import", file, OPENPROFILES_DATA=str(data))
    with_key = run_command("import", file, "--unique-key", "email", OPENPROFILES_DATA=str(data))
    with_mapping = run_command("import", file, "--mapping", "crm", OPENPROFILES_DATA=str(data))

    assert (bare.returncode, with_key.returncode, with_mapping.returncode) == (2, 2, 2)
    assert bare.stdout.endswith(f"  openprofiles import {file} --domain NAME --unique-key Email\n")
    assert with_key.stdout.endswith(f"  openprofiles import {file} --unique-key email --domain NAME\n")
    assert "--mapping needs --domain" in with_mapping.stderr
    assert not data.exists()


def test_a_new_domain_is_noted_where_its_name_is_like_that_of_another(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"Email\nada@example.com\n")
    arguments: list[str | Path] = ["import", file, "--unique-key", "Email", "--data", tmp_path / "data", "--dry-run"]

    assert run_command(*arguments[:-1], "--domain", "customers").returncode == 0
    mistyped = run_command(*arguments, "--domain", "custmers")
    known = run_command(*arguments, "--domain", "customers")

    assert "Note: custmers is a new domain. Similar names: customers.\n" in mistyped.stderr
    assert "Note:" not in known.stderr


def test_the_domain_may_come_from_a_variable(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"Email\nada@example.com\n")

    status, told = import_json(file, "--unique-key", "Email", "--data", tmp_path / "data", OPENPROFILES_DOMAIN="sales")

    assert (status, told["domain"]) == (0, "sales")


def test_a_dash_loads_standard_input_and_its_failed_rows_are_kept_for_jobs_failed(tmp_path: Path) -> None:
    answer = subprocess.run(
        command("import", "-", "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data"),
        input=FAULTY, cwd=tmp_path, env=environment(), capture_output=True, timeout=60,
    )  # fmt: skip

    output = answer.stdout.decode()
    (job,) = list_jobs(tmp_path / "data")
    assert (answer.returncode, job.display_name) == (1, "standard input")
    assert "Loading standard input into the domain demo:" in output
    assert "2 created, 1 updated, 2 failed in " in output
    assert f"openprofiles jobs failed {job.job_id} --domain demo --data {tmp_path / 'data'} -o FILE" in output
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_header_may_hold_an_equals_sign(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", b"Email,a=b\nada@example.com,x\n")

    status, told = import_json(
        file, "--domain", "demo", "--unique-key", "Email", "--map", "a=b=Attributes.ab", "--data", tmp_path / "data"
    )

    assert (status, told["mapping"]) == (0, {"Email": "EmailAddress", "a=b": "Attributes.ab"})


def test_a_report_that_cannot_be_written_does_not_hide_the_result(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", FAULTY)
    (tmp_path / "a.failed-rows.csv").mkdir()

    answer = run_command("import", file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data")

    (job,) = list_jobs(tmp_path / "data")
    assert answer.returncode == 1
    assert "2 created, 1 updated, 2 failed in " in answer.stdout
    assert "The 2 failed rows cannot be written to " in answer.stderr
    assert f"To get them: openprofiles jobs failed {job.job_id} --domain demo" in answer.stderr


def test_a_job_that_was_interrupted_is_ended_first(tmp_path: Path) -> None:
    interrupted = start_job(tmp_path / "data", b"Email\nada@example.com\n")
    file = write(tmp_path / "a.csv", b"Email\nADA@example.com\nbob@example.com\n")

    status, told = import_json(file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data")

    assert (status, told["created"], told["updated"]) == (0, 1, 1)
    assert {job.job_id: job.status for job in list_jobs(tmp_path / "data")} == {
        interrupted: "SUCCEEDED",
        told["job_id"]: "SUCCEEDED",
    }


# Ctrl-C


def interrupted_import(tmp_path: Path, *, times: int) -> tuple[int, str]:
    """Presses Ctrl-C in the terminal of an import that reads its file; exit status and standard error."""
    rows = "".join(f"user{number}@example.com,{'x' * 100}\n" for number in range(400_000))
    file = write(tmp_path / "big.csv", f"Email,Note\n{rows}".encode())
    process = subprocess.Popen(
        command("import", file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data"),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A terminal sends Ctrl-C to the whole group, hence to the loader too.
        start_new_session=True,
    )
    timer = threading.Timer(60, process.kill)
    timer.start()
    try:
        assert process.stderr is not None
        told = ""
        for line in process.stderr:
            told += line
            if line.startswith("Reading") or (times > 1 and line.startswith("Stopping")):
                os.killpg(process.pid, signal.SIGINT)
        return process.wait(), told
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def test_ctrl_c_stops_the_job_and_waits_for_its_end(tmp_path: Path) -> None:
    status, told = interrupted_import(tmp_path, times=1)

    [job] = list_jobs(tmp_path / "data")
    assert status == 130
    assert job.status == "STOPPED"
    assert "Stopping the job. Press Ctrl-C again to exit immediately." in told
    assert f"Upload job {job.job_id} was stopped. The rows it had loaded are kept." in told
    # Ctrl-C is not for the loader.
    assert "loader_died" not in told
    assert "Traceback" not in told


def test_a_second_ctrl_c_leaves_at_once_and_the_next_import_goes_on(tmp_path: Path) -> None:
    status, told = interrupted_import(tmp_path, times=2)
    [job] = list_jobs(tmp_path / "data")
    file = write(tmp_path / "a.csv", b"Email\nada@example.com\n")

    next_status, _ = import_json(file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data")

    assert (status, next_status) == (130, 0)
    assert told.endswith("Interrupted.\n")
    assert job.stop_requested_at is not None
    assert {each.job_id: each.status for each in list_jobs(tmp_path / "data")}[job.job_id] == "STOPPED"


# With a server


def test_a_server_on_the_same_data_folder_does_no_harm(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", FAULTY)
    with running_server(tmp_path / "data", "--workers", "1") as server:
        status, told = import_json(file, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data")
        found = server.client().search_profiles(DomainName="demo", KeyName="_email", Values=["ada@example.com"])

    assert (status, told["created"], told["updated"], told["failed"]) == (1, 2, 1, 2)
    assert [(each["FirstName"], each["PhoneNumber"]) for each in found["Items"]] == [("Ada", "(212) 555-0102")]


def test_through_a_server_the_same_command_does_the_same(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", FAULTY)
    arguments: list[str | Path] = [file, "--domain", "demo", "--unique-key", "Email"]
    with running_server(tmp_path / "data", "--workers", "1") as server:
        access_key_id, secret = server.admin()
        variables = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret, "NO_PROXY": "127.0.0.1"}
        there_status, there = import_json(
            *arguments, "--endpoint-url", server.url, "--failed-rows", tmp_path / "there.csv", **variables
        )
        job = server.client().get_upload_job(DomainName="demo", JobId=there["job_id"])
    here_status, here = import_json(*arguments, "--data", tmp_path / "other", "--failed-rows", tmp_path / "here.csv")

    different = {"job_id": None, "seconds": None, "step_seconds": None, "failed_rows_file": None}
    assert list(there["step_seconds"]) == list(here["step_seconds"])
    assert (there_status, there | different) == (here_status, here | different)
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    assert (job["DisplayName"], job["DataExpiry"], job["UniqueKey"]) == ("a.csv", 1098, "Email")
    assert job["Fields"]["Phone"] == {
        "Source": "_source.Phone",
        "Target": "_profile.PhoneNumber",
        "ContentType": "PHONE_NUMBER",
    }


def test_what_a_server_refuses_is_told_in_a_sentence_with_status_2(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", FAULTY)
    with running_server(tmp_path / "data", "--workers", "0", "--compat", "strict") as server:
        access_key_id, secret = server.admin()
        keys = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret, "NO_PROXY": "127.0.0.1"}
        arguments: list[str | Path] = [
            "import",
            file,
            "--domain",
            "demo",
            "--unique-key",
            "Email",
            "--endpoint-url",
            server.url,
        ]
        too_long = run_command(*arguments, **keys)
        wrong_key = run_command(*arguments, **(keys | {"AWS_SECRET_ACCESS_KEY": "wrong"}))
        no_key = run_command(*arguments, NO_PROXY="127.0.0.1", HOME=str(tmp_path), AWS_EC2_METADATA_DISABLED="true")

    assert (too_long.returncode, wrong_key.returncode, no_key.returncode) == (2, 2, 2)
    assert "DataExpiry is 1098 days; AWS allows at most 90" in too_long.stderr
    assert wrong_key.stderr == (
        f"Error: The secret does not belong to the access key {access_key_id}. Check AWS_SECRET_ACCESS_KEY.\n"
    )
    assert 'No credentials were found. On the server\'s machine use: eval "$(openprofiles env)"' in no_key.stderr


def test_without_the_client_packages_it_says_how_to_install_them(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", FAULTY)
    program = "import sys; sys.modules['boto3'] = None; from openprofiles.cli.main import main; main()"

    answer = subprocess.run(
        [sys.executable, "-c", program, "import", file, "--domain", "demo", "--unique-key", "Email",
         "--endpoint-url", "http://127.0.0.1:9"],
        env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert answer.returncode == 2
    assert answer.stderr == (
        "Error: This needs the Python package boto3, which is not installed. It comes with the extra client of "
        "openprofiles.\n"
    )
