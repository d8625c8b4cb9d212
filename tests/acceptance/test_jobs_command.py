"""``openprofiles jobs`` as a user runs it: on a data folder, and through a server."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from acceptance.running import RunningServer, command, environment, run_command, running_server, wait_until
from acceptance.test_import import start_job
from acceptance.test_upload_flow import create, put
from openprofiles.settings import Settings
from openprofiles.store.open import open_store
from openprofiles.store.tables import failed_row, job, profile
from openprofiles.uploads.failures.own_columns import SPREADSHEET_COLUMNS

pytestmark = pytest.mark.usefixtures("quick_servers")

FAULTY = b"""Email,First Name,Phone,Notes
ada@example.com,Ada,212-555-0101,x
,Nobody,,
bob@example.com,Bob,,
ADA@example.com,,(212) 555-0102,
carl@example.com,"Ca"rl,,
"""
MESSAGE = "The unique key, column Email, is empty, so the customer can't be identified. Every row needs one."
MISSING = "0" * 32


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with three jobs in the domain demo: one each that loaded in part, whole, and not at all."""
    folder = tmp_path_factory.mktemp("jobs")
    for name, content, status in [
        ("faulty.csv", FAULTY, 1),
        ("whole.csv", b"Email\neve@example.com\n", 0),
        ("broken.csv", b'Email\n"ada\n', 2),
    ]:
        file = folder / name
        file.write_bytes(content)
        skipped = ("--map", "Notes=") if name == "faulty.csv" else ()
        answer = run_command(
            "import", file, "--domain", "demo", "--unique-key", "Email", *skipped, "--data", folder / "data"
        )
        assert answer.returncode == status, answer.stderr
    return folder / "data"


def variables_for(server: RunningServer) -> dict[str, str]:
    """What makes the commands work through the server, as its administrator."""
    access_key_id, secret = server.admin()
    return {
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "NO_PROXY": "127.0.0.1",
        "OPENPROFILES_ENDPOINT_URL": server.url,
    }


def jobs(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_command("jobs", *arguments, "--domain", "demo", **({"COLUMNS": "80"} | variables))


def jobs_json(*arguments: str | Path, **variables: str) -> Any:
    answer = jobs(*arguments, "--output", "json", **variables)
    assert (answer.returncode, answer.stderr) == (0, "")
    return json.loads(answer.stdout)


def job_ids(data: Path) -> dict[str, str]:
    """The jobs of the domain by the names of their files."""
    return {job["display_name"]: job["job_id"] for job in jobs_json("list", "--data", data)}


def shared_beginning(ids: Iterable[str]) -> str:
    """The digits that all ids begin with: those of the time, which the jobs of one test share."""
    columns = zip(*ids, strict=True)
    return "".join(digits[0] for digits in takewhile(lambda digits: len(set(digits)) == 1, columns))


def change_job(data: Path, job_id: str, **values: Any) -> None:
    store = open_store(Settings(data_folder=data))
    try:
        with store.write() as connection:
            connection.execute(update(job).where(job.c.job_id == job_id).values(**values))
    finally:
        store.close()


def status_of(data: Path, job_id: str) -> str:
    return str(jobs_json("show", job_id, "--data", data)["status"])


# list


def test_jobs_are_listed_the_newest_first_with_what_became_of_their_rows(data: Path) -> None:
    answer = jobs("list", "--data", data)

    ids = job_ids(data)
    lines = answer.stdout.splitlines()
    assert (answer.returncode, answer.stderr) == (0, "")
    assert [line.split()[0] for line in lines[2::2]] == [ids["broken.csv"], ids["whole.csv"], ids["faulty.csv"]]
    assert [line.split() for line in lines[1::2]] == [
        ["NAME", "ROWS", "CREATED", "UPDATED", "UNCHANGED", "FAILED"],
        ["broken.csv", "-", "0", "0", "0", "0"],
        ["whole.csv", "1", "1", "0", "0", "0"],
        ["faulty.csv", "5", "2", "1", "0", "2"],
    ]
    assert answer.stdout.isascii()
    assert max(map(len, lines)) <= 80


def test_the_list_as_json_has_the_times_and_the_counts(data: Path) -> None:
    listed = jobs_json("list", "--data", data, "--limit", "1", "--status", "partially_succeeded")

    created, started, completed = (
        datetime.fromisoformat(listed[0].pop(name)) for name in ("created_at", "started_at", "completed_at")
    )
    assert created <= started <= completed
    assert created.utcoffset() == timedelta(0)
    assert listed == [
        {
            "job_id": job_ids(data)["faulty.csv"],
            "display_name": "faulty.csv",
            "status": "PARTIALLY_SUCCEEDED",
            "rows": 5,
            "undo_status": None,
            "created": 2,
            "updated": 1,
            "unchanged": 0,
            "failed": 2,
        }
    ]


def test_the_list_can_be_limited_and_may_be_empty(data: Path) -> None:
    two = jobs_json("list", "--data", data, "--limit", "2")
    none = jobs("list", "--data", data, "--status", "STOPPED")

    assert [job["display_name"] for job in two] == ["broken.csv", "whole.csv"]
    assert (none.returncode, none.stdout) == (0, "")
    assert none.stderr == "The domain demo has no upload job in STOPPED status.\n"


def test_tables_have_the_width_of_the_terminal(data: Path) -> None:
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 150, 0, 0))
    variables = environment()
    variables.pop("COLUMNS", None)
    try:
        subprocess.run(
            command("jobs", "list", "--domain", "demo", "--data", data),
            env=variables, stdin=subprocess.DEVNULL, stdout=terminal, check=True, timeout=60,
        )  # fmt: skip
        told = os.read(main, 65536).decode()
    finally:
        os.close(main)
        os.close(terminal)

    lines = told.splitlines()
    assert len(lines) == 4
    assert lines[0].split()[-1] == "FAILED"
    assert all(line.isprintable() for line in lines)


# show


def test_a_job_is_shown_with_its_whole_account(data: Path) -> None:
    job_id = job_ids(data)["faulty.csv"]

    shown = jobs_json("show", job_id, "--data", data)

    assert sum(shown[name] for name in ("created", "updated", "unchanged", "failed", "unprocessed")) == shown["rows"]
    assert list(shown["step_seconds"]) == ["stage", "plan", "report", "create", "update", "follow", "index"]
    # On a busy machine it may be less than one.
    assert shown["rows_per_second"] == pytest.approx(5 / sum(shown["step_seconds"].values()), rel=0.05, abs=1)
    volatile = ("created_at", "started_at", "completed_at", "step_seconds", "rows_per_second", "undo_until")
    assert {name: value for name, value in shown.items() if name not in volatile} == {
        "domain": "demo",
        "object_type": None,
        "job_id": job_id,
        "display_name": "faulty.csv",
        "status": "PARTIALLY_SUCCEEDED",
        "status_reason": "VALIDATION_FAILURE",
        "message": None,
        "stop_requested": False,
        "undo_status": None,
        "phase": None,
        "position": None,
        "rows": 5,
        "created": 2,
        "updated": 1,
        "unchanged": 0,
        "failed": 2,
        "unprocessed": 0,
        "repeated": 1,
        "notices": [],
        "faults": [
            {"code": "MALFORMED_QUOTES", "column": None, "count": 1},
            {"code": "MISSING_UNIQUE_KEY", "column": "Email", "count": 1},
        ],
        "data_expiry_days": 1098,
        "unique_key": "Email",
        "mapping": {"Email": "EmailAddress", "First Name": "FirstName", "Phone": "PhoneNumber"},
        "columns_not_mapped": ["Notes"],
        "file": {
            "compression": "none",
            "encoding": "utf-8",
            "has_byte_order_mark": False,
            "delimiter": ",",
            "quote": '"',
            "line_ends": "LF",
            "header_line": None,
            "first_row": None,
            "given": [],
        },
    }


def test_a_job_is_shown_to_people_in_sections(data: Path) -> None:
    answer = jobs("show", job_ids(data)["faulty.csv"], "--data", data)

    lines = answer.stdout.splitlines()
    assert (answer.returncode, answer.stderr) == (0, "")
    assert [line for line in lines if line and not line.startswith(" ")] == [
        f"Upload job {job_ids(data)['faulty.csv']}",
        "Rows",
        "Rows with the unique key of an earlier row: 1. Unless they fail, they overwrite",
        "its values.",
        "Columns",
        "Columns not mapped",
        "Why rows failed",
        "Time of each step",
    ]
    assert "  read as      utf-8, commas, LF" in lines
    assert "  all rows in the file  5" in lines
    assert "      1  MISSING_UNIQUE_KEY  Email" in lines
    speed = next(line for line in lines if line.startswith("  speed "))
    assert re.fullmatch(r"  speed +[0-9,]+ rows per second, in [0-9]+\.[0-9]{2} seconds of work", speed)


def test_why_a_job_failed_is_shown(data: Path) -> None:
    answer = jobs("show", job_ids(data)["broken.csv"], "--data", data)

    assert "  message      The double quote that opens a value on line 2 is never closed" in answer.stdout


# failed


def test_failed_rows_are_shown_a_line_for_each_fault(data: Path) -> None:
    answer = jobs("failed", job_ids(data)["faulty.csv"], "--data", data)
    in_a_pipe = jobs("failed", job_ids(data)["faulty.csv"], "--data", data, COLUMNS="")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines() == [
        "ROW  LINE  COLUMN  CODE                MESSAGE",
        f"  2     3  Email   MISSING_UNIQUE_KEY  {MESSAGE[:39].rstrip()}…",
        "  5     6          MALFORMED_QUOTES    Unexpected quotation mark: after a closi…",
    ]
    assert in_a_pipe.stdout.splitlines()[1] == f"  2     3  Email   MISSING_UNIQUE_KEY  {MESSAGE}"


def test_failed_rows_as_json_have_the_whole_message(data: Path) -> None:
    job_id = job_ids(data)["faulty.csv"]

    told = jobs_json("failed", job_id, "--data", data, "--limit", "1")

    assert told == {
        "domain": "demo",
        "job_id": job_id,
        "status": "PARTIALLY_SUCCEEDED",
        "failed": 2,
        "rows": [
            {
                "record": 2,
                "line": 3,
                "faults": [{"code": "MISSING_UNIQUE_KEY", "column": "Email", "message": MESSAGE}],
            }
        ],
        "failed_rows_file": None,
    }


def test_where_not_all_failed_rows_are_shown_it_says_so(data: Path) -> None:
    answer = jobs("failed", job_ids(data)["faulty.csv"], "--data", data, "--limit", "1")

    assert len(answer.stdout.splitlines()) == 2
    assert answer.stderr == (
        "These are the first 1 of 2 failed rows. --limit shows more; --output-file writes them all.\n"
    )


def test_the_failed_rows_are_written_as_a_file_that_can_be_mended_and_loaded_again(data: Path, tmp_path: Path) -> None:
    job_id = job_ids(data)["faulty.csv"]

    answer = jobs("failed", job_id, "--data", data, "-o", tmp_path / "fix.csv", "--limit", "1")
    told = jobs_json("failed", job_id, "--data", data, "--output-file", tmp_path / "again.csv")

    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr == f"The failed rows and their reasons are in {tmp_path / 'fix.csv'}\n"
    assert (told["rows"], told["failed_rows_file"]) == (None, str(tmp_path / "again.csv"))
    left_by_import = (data.parent / "faulty.failed-rows.csv").read_bytes()
    assert (tmp_path / "fix.csv").read_bytes() == (tmp_path / "again.csv").read_bytes() == left_by_import
    with (tmp_path / "fix.csv").open(newline="", encoding="utf-8-sig") as file:
        assert next(csv.reader(file)) == ["Email", "First Name", "Phone", "Notes", *SPREADSHEET_COLUMNS]


def test_a_file_that_cannot_be_written_is_told_and_nothing_is_left(data: Path, tmp_path: Path) -> None:
    answer = jobs("failed", job_ids(data)["faulty.csv"], "--data", data, "-o", tmp_path / "missing" / "fix.csv")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "cannot be written to" in answer.stderr
    assert "No such file or directory" in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_failed_rows_no_file_is_written(data: Path, tmp_path: Path) -> None:
    answer = jobs("failed", job_ids(data)["whole.csv"], "--data", data, "-o", tmp_path / "fix.csv")

    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr == "No row failed. No file was written.\n"
    assert list(tmp_path.iterdir()) == []


def test_failed_rows_that_are_no_longer_kept_are_not_told_as_none(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(FAULTY)
    folder = tmp_path / "data"
    run_command("import", file, "--domain", "demo", "--unique-key", "Email", "--data", folder)
    store = open_store(Settings(data_folder=folder))
    with store.write() as connection:
        connection.execute(delete(failed_row))
    store.close()

    answer = jobs("failed", job_ids(folder)["a.csv"], "--data", folder, "-o", tmp_path / "fix.csv")

    assert answer.returncode == 2
    assert "are no longer kept" in answer.stderr
    assert not (tmp_path / "fix.csv").exists()


# stop


def test_a_job_that_nobody_has_begun_with_is_stopped_at_once(tmp_path: Path) -> None:
    job_id = start_job(tmp_path / "data", b"Email\nada@example.com\n")

    first = jobs("stop", job_id, "--data", tmp_path / "data")
    second = jobs("stop", job_id, "--data", tmp_path / "data")
    watched = jobs("watch", job_id, "--data", tmp_path / "data")

    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout == f"Upload job {job_id} has been stopped. No row was loaded.\n"
    assert second.stdout == f"Upload job {job_id} was already stopped. The rows it had loaded are kept.\n"
    assert watched.returncode == 2
    assert watched.stdout.startswith("0 created, 0 updated, 0 failed in ")
    assert watched.stderr == f"Upload job {job_id} was stopped. The rows it had loaded are kept.\n"


def test_stopping_a_job_that_runs_says_what_that_means(tmp_path: Path) -> None:
    job_id = start_job(tmp_path / "data", b"Email\nada@example.com\n")
    # As after a worker has taken it up.
    change_job(tmp_path / "data", job_id, epoch=1)

    answer = jobs("stop", job_id, "--data", tmp_path / "data")

    shown = jobs_json("show", job_id, "--data", tmp_path / "data")
    assert answer.returncode == 0
    assert answer.stdout.startswith(f"Upload job {job_id} is being stopped. It loads no more rows; those")
    assert (shown["status"], shown["stop_requested"]) == ("IN_PROGRESS", True)


def test_a_job_that_has_ended_cannot_be_stopped(data: Path) -> None:
    job_id = job_ids(data)["whole.csv"]

    answer = jobs("stop", job_id, "--data", data)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f"Error: Upload job {job_id} is in SUCCEEDED status and can no longer be stopped.\n"


# watch


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("whole.csv", 0, "1 created, 0 updated, 0 failed in "),
        ("faulty.csv", 1, "2 created, 1 updated, 2 failed in "),
        ("broken.csv", 2, "0 created, 0 updated, 0 failed in "),
    ],
)
def test_watching_a_job_that_has_ended_tells_its_end_with_the_exit_status_of_import(
    data: Path, name: str, status: int, told: str
) -> None:
    answer = jobs("watch", job_ids(data)[name], "--data", data)

    assert answer.returncode == status
    assert answer.stdout.startswith(told)
    assert ("jobs failed" in answer.stdout) == (name == "faulty.csv")
    assert ("The double quote that opens a value on line 2 is never closed" in answer.stderr) == (name == "broken.csv")


def test_a_job_that_nobody_works_on_is_waited_for_until_a_worker_comes(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    job_id = start_job(folder, b"Email\nada@example.com\nn/a\n")
    with (tmp_path / "told").open("w+") as told:
        process = subprocess.Popen(
            command("jobs", "watch", job_id, "--domain", "demo", "--data", folder, "--output", "json"),
            env=environment(), stdout=told, text=True,
        )  # fmt: skip
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2)
            waiting_status = status_of(folder, job_id)
            with running_server(folder, "--workers", "1"):
                exit_status = process.wait(60)
        finally:
            process.kill()
            process.wait()
        told.seek(0)
        document = json.load(told)

    assert (waiting_status, exit_status) == ("IN_PROGRESS", 1)
    assert (document["job_id"], document["status"]) == (job_id, "PARTIALLY_SUCCEEDED")
    assert (document["created"], document["failed"], document["unprocessed"]) == (1, 1, 0)
    assert document["seconds"] > 0


def test_ctrl_c_leaves_the_job_that_is_watched_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    job_id = start_job(folder, b"Email\nada@example.com\n")
    log = tmp_path / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command("jobs", "watch", job_id, "--domain", "demo", "--data", folder),
            env=environment(), stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
        )  # fmt: skip
        try:
            wait_until(lambda: "Waiting for the worker" in log.read_text(), "the job is watched", 60)
            os.killpg(process.pid, signal.SIGINT)
            exit_status = process.wait(60)
        finally:
            process.kill()
            process.wait()

    shown = jobs_json("show", job_id, "--data", folder)
    assert exit_status == 130
    assert log.read_text().splitlines() == [
        "Waiting for the worker",
        f"Upload job {job_id} continues.",
        "Interrupted.",
    ]
    assert (shown["status"], shown["stop_requested"]) == ("IN_PROGRESS", False)


# Which job


def test_a_job_is_named_by_last_or_by_the_beginning_of_its_id(data: Path) -> None:
    ids = job_ids(data)
    start = shared_beginning(ids.values())
    shortest = min(
        (ids["whole.csv"][:size] for size in range(1, 33)),
        key=lambda beginning: (sum(one.startswith(beginning) for one in ids.values()), len(beginning)),
    )

    last = jobs_json("show", "last", "--data", data)
    by_beginning = jobs_json("show", shortest.upper(), "--data", data)
    ambiguous = jobs("show", start, "--data", data)

    assert last["job_id"] == ids["broken.csv"]
    assert by_beginning["job_id"] == ids["whole.csv"]
    assert ambiguous.returncode == 2
    assert ambiguous.stderr.splitlines() == [
        f"Error: Several upload jobs have an id that begins with {start}. Give more digits:",
        *(f"  {ids[name]}  {name}" for name in ("broken.csv", "whole.csv", "faulty.csv")),
    ]


# What cannot be done


@pytest.mark.parametrize(
    ("arguments", "exit_status", "message"),
    [
        (["list", "--domain", "other"], 2, "There is no domain other. The domains are: demo."),
        (["show", MISSING, "--domain", "demo"], 2, f"Upload job {MISSING} does not exist in domain demo."),
        (["failed", MISSING, "--domain", "demo"], 2, f"Upload job {MISSING} does not exist in domain demo."),
        (["stop", MISSING, "--domain", "demo"], 2, f"Upload job {MISSING} does not exist in domain demo."),
        (["watch", MISSING, "--domain", "demo"], 2, f"Upload job {MISSING} does not exist in domain demo."),
        (["list", "--domain", "dmo"], 2, "There is no domain dmo. Did you mean 'demo'?"),
        (["undo", MISSING, "--domain", "other"], 2, "There is no domain other."),
        (
            ["show", "first", "--domain", "demo"],
            2,
            "'first' is not a valid upload job id. Give the id, its first digits",
        ),
        (["show", "fff", "--domain", "demo"], 2, "No upload job of the domain demo has an id that begins with fff."),
        (["list"], 2, "Missing option '--domain'"),
        (["show", "--domain", "demo"], 2, "Missing argument 'JOB'"),
        (["list", "--domain", "my domain"], 2, "'my domain' is not a valid domain name"),
        (["list", "--domain", "demo", "--status", "DONE"], 2, "'DONE' is not one of 'CREATED', 'IN_PROGRESS'"),
        (
            ["list", "--domain", "demo", "--status", "created"],
            0,
            "The domain demo has no upload job in CREATED status.",
        ),
        (["list", "--domain", "demo", "--limit", "0"], 2, "0 is not in the range x>=1"),
        (
            ["list", "--domain", "demo", "--endpoint-url", "nonsense"],
            2,
            "--endpoint-url nonsense is not a valid address",
        ),
        (["watch", MISSING, "--domain", "demo", "--endpoint-url", "ftp://x"], 2, "is not a valid address"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    data: Path, arguments: list[str], exit_status: int, message: str
) -> None:
    answer = run_command("jobs", *arguments, OPENPROFILES_DATA=str(data))

    assert (answer.returncode, answer.stdout) == (exit_status, "")
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_mistyped_data_folder_is_not_made(tmp_path: Path) -> None:
    answer = jobs("list", "--data", tmp_path / "typo")

    assert answer.returncode == 2
    assert answer.stderr.startswith(f"Error: There is no store {tmp_path / 'typo' / 'openprofiles.db'}.")
    assert not (tmp_path / "typo").exists()


# undo


@pytest.fixture
def updated(tmp_path: Path) -> Path:
    """A data folder with two jobs in the domain demo; the second has changed two profiles and made two."""
    for name, content in [
        ("first.csv", b"Email,First Name\nada@example.com,Ada\nbob@example.com,Bob\n"),
        ("second.csv", b"Email,First Name\nada@example.com,A.\nBOB@example.com,B.\nc@example.com,C\nd@example.com,D\n"),
    ]:
        (tmp_path / name).write_bytes(content)
        answer = run_command(
            "import", tmp_path / name, "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data"
        )
        assert answer.returncode == 0, answer.stderr
    return tmp_path / "data"


def first_names(data: Path) -> dict[str, str]:
    store = open_store(Settings(data_folder=data))
    try:
        with store.read() as connection:
            return {row.email_address.lower(): row.first_name for row in connection.execute(select(profile))}
    finally:
        store.close()


def test_a_load_is_taken_back_without_a_server(updated: Path) -> None:
    job_id = job_ids(updated)["second.csv"]
    until = datetime.fromisoformat(jobs_json("show", job_id, "--data", updated)["undo_until"])

    answer = jobs("undo", job_id, "--data", updated)

    assert (answer.returncode, answer.stdout) == (
        0,
        f"Upload job {job_id} has been undone. Profiles: 2 removed, 2 restored, 0 kept because they have been changed "
        "since.\n",
    )
    assert first_names(updated) == {"ada@example.com": "Ada", "bob@example.com": "Bob"}
    shown = jobs_json("show", job_id, "--data", updated)
    assert (shown["status"], shown["undo_status"], shown["undo_until"]) == ("SUCCEEDED", "SUCCEEDED", None)
    assert timedelta(days=6, hours=23) < until - datetime.now(UTC) < timedelta(days=7)
    assert "undone" in jobs("show", job_id, "--data", updated).stdout
    listed = run_command("jobs", "list", "--domain", "demo", "--data", updated).stdout.splitlines()
    assert [line.endswith("undone") for line in listed[1:]] == [True, False]
    assert [one["undo_status"] for one in jobs_json("list", "--data", updated)] == ["SUCCEEDED", None]
    assert list((updated / "scratch").iterdir()) == []


def test_what_stays_is_listed_and_the_exit_status_says_so(updated: Path) -> None:
    job_id = job_ids(updated)["first.csv"]

    answer = jobs("undo", job_id, "--data", updated, "--limit", "1")
    told = json.loads(jobs("undo", job_id, "--data", updated, "--output", "json").stdout)

    again = jobs("undo", job_id, "--data", updated)
    ended_at = datetime.fromisoformat(told.pop("completed_at"))

    assert again.stdout.startswith(f"Upload job {job_id} was already undone at {ended_at:%Y-%m-%dT%H:%M:%SZ}. Profiles")
    assert answer.returncode == 1
    assert answer.stdout.splitlines()[0] == (
        f"Upload job {job_id} has been undone. Profiles: 0 removed, 0 restored, 2 kept because they have been "
        "changed since."
    )
    assert answer.stdout.splitlines()[1].split() == ["PROFILE", "ID", "LOADED", "AS"]
    assert "These are the first 1 of 2. --limit shows more." in answer.stderr
    kept = told.pop("kept_profiles")
    assert answer.stdout.splitlines()[2].split() == [kept[0]["profile_id"], "created"]
    assert told == {
        "domain": "demo", "job_id": job_id, "status": "SUCCEEDED", "message": None,
        "removed": 0, "restored": 0, "kept": 2, "gone": 0,
    }  # fmt: skip
    assert (len(kept), {one["loaded"] for one in kept}) == (2, {"created"})
    assert first_names(updated)["ada@example.com"] == "A."


def test_the_undo_of_unchanged_rows_restores_no_values_and_says_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "a.csv").write_text("Email\na@example.com\nb@example.com\n")
    for _ in range(2):
        run_command("import", tmp_path / "a.csv", "--domain", "demo", "--unique-key", "Email", "--data", data)

    answer = jobs("undo", "last", "--data", data)

    assert answer.returncode == 0
    assert answer.stdout.splitlines()[1] == (
        "Rows of the import that had changed no values: 2. Of their profiles, only the expiry and the date of the last "
        "update are restored."
    )


def test_a_job_that_cannot_be_taken_back_is_refused_with_the_reason(data: Path, tmp_path: Path) -> None:
    nothing = jobs("undo", job_ids(data)["broken.csv"], "--data", data)
    missing = jobs("undo", MISSING, "--data", data)
    (tmp_path / "kept.csv").write_text("Email\na@example.com\n")
    run_command(
        "import", tmp_path / "kept.csv", "--domain", "demo", "--unique-key", "Email", "--data", tmp_path / "data",
        "--undo-days", "0",
    )  # fmt: skip
    unkept = jobs("undo", job_ids(tmp_path / "data")["kept.csv"], "--data", tmp_path / "data")

    assert (nothing.returncode, missing.returncode, unkept.returncode) == (2, 2, 2)
    assert "changed no profiles, so there is nothing to undo" in nothing.stderr
    assert f"Upload job {MISSING} does not exist in domain demo." in missing.stderr
    assert "its worker ran with --undo-days 0" in unkept.stderr


# Through a server


@pytest.mark.long(daily="tests/acceptance/test_client.py::test_a_job_is_taken_back_once_and_what_stays_is_listed")
def test_through_a_server_a_load_is_taken_back_by_its_worker(updated: Path) -> None:
    second = job_ids(updated)["second.csv"]
    with running_server(updated, "--workers", "1") as server:
        variables = variables_for(server)
        answer = jobs("undo", second, **variables)
        again = jobs("undo", second, **variables)
        listed = jobs_json("list", **variables)
        first = json.loads(jobs("undo", job_ids(updated)["first.csv"], "--output", "json", **variables).stdout)
        shown = jobs_json("show", second, **variables)

    assert (answer.returncode, answer.stdout) == (
        0,
        f"Upload job {second} has been undone. Profiles: 2 removed, 2 restored, 0 kept because they have been changed "
        "since.\n",
    )
    assert again.stdout.startswith(f"Upload job {second} was already undone at 20")
    assert [one["undo_status"] for one in listed] == ["SUCCEEDED", None]
    assert (first["status"], first["removed"], first["kept_profiles"]) == ("SUCCEEDED", 2, [])
    assert (shown["undo_status"], first_names(updated)) == ("SUCCEEDED", {})


def test_ctrl_c_leaves_taking_back_to_the_server(updated: Path) -> None:
    job_id = job_ids(updated)["second.csv"]
    with running_server(updated, "--workers", "0") as server:
        undoing = subprocess.Popen(
            command("jobs", "undo", job_id, "--domain", "demo"),
            env=environment(**variables_for(server)), stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert undoing.stderr is not None
        assert undoing.stderr.readline() == "Waiting for the worker\n"
        undoing.send_signal(signal.SIGINT)
        told = undoing.stderr.read()
        undoing.stderr.close()
        exit_status = undoing.wait(60)

    assert exit_status == 130
    assert told == (
        f"The undo of upload job {job_id} has not ended. To continue it, run the command again.\nInterrupted.\n"
    )
    assert jobs("undo", job_id, "--data", updated).returncode == 0
    assert first_names(updated) == {"ada@example.com": "Ada", "bob@example.com": "Bob"}


def test_through_a_server_every_command_tells_the_same(data: Path, tmp_path: Path) -> None:
    job_id = job_ids(data)["faulty.csv"]
    calls: list[list[str | Path]] = [
        ["list", "--limit", "2"],
        ["list", "--status", "SUCCEEDED"],
        ["show", job_id],
        ["failed", job_id],
        ["watch", job_id],
        ["show", "last"],
        ["show", shared_beginning(job_ids(data).values())],
    ]
    told: dict[str, list[tuple[int, str, str]]] = {"here": [], "there": []}
    with running_server(data, "--workers", "0") as server:
        variables = variables_for(server)
        for where, given in (("here", {"OPENPROFILES_DATA": str(data)}), ("there", variables)):
            for call in calls:
                for form in ("text", "json"):
                    answer = jobs(*call, "--output", form, **given)
                    told[where].append((answer.returncode, answer.stdout, answer.stderr))
            jobs("failed", job_id, "-o", tmp_path / f"{where}.csv", **given)
        missing = jobs("show", MISSING, **variables)
        ended = jobs("stop", job_id, **variables)
        wrong = jobs("list", **(variables | {"AWS_SECRET_ACCESS_KEY": "wrong"}))
        unknown = jobs("list", **(variables | {"AWS_ACCESS_KEY_ID": "AKIDX"}))
        mistyped = run_command("jobs", "show", "last", "--domain", "dmo", **variables)
        https = server.url.replace("http:", "https:")
        no_tls = jobs("list", **(variables | {"OPENPROFILES_ENDPOINT_URL": https}))
        pages = [jobs("list", **(variables | {"OPENPROFILES_ENDPOINT_URL": f"{server.url}/console"}))]
        pages += [jobs("show", job_id, **(variables | {"OPENPROFILES_ENDPOINT_URL": f"{server.url}/console"}))]

    assert told["here"] == told["there"]
    assert (tmp_path / "here.csv").read_bytes() == (tmp_path / "there.csv").read_bytes()
    assert {one.returncode for one in (missing, ended, wrong, unknown, mistyped, no_tls, *pages)} == {2}
    assert f"Upload job {MISSING} does not exist in domain demo." in missing.stderr
    assert ended.stderr == (
        f"Error: The server refused StopUploadJob: Upload job {job_id} is in PARTIALLY_SUCCEEDED status and can no "
        "longer be stopped.\n"
    )
    assert "The secret does not belong to the access key " in wrong.stderr
    assert f"The server at {server.url} does not know the access key AKIDX." in unknown.stderr
    assert mistyped.stderr == "Error: There is no domain dmo. Did you mean 'demo'?\n"
    assert no_tls.stderr == f"Error: The server at {https} does not speak HTTPS. Use {server.url}\n"
    assert {page.stderr for page in pages} == {
        f"Error: The response from {server.url}/console (HTTP status 404) did not come from the openprofiles API. Try "
        f"--endpoint-url {server.url}\n"
    }


@pytest.mark.long(daily="test_a_job_that_nobody_works_on_is_waited_for_until_a_worker_comes")
def test_through_a_server_a_job_is_watched_from_before_its_start_to_its_stop(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--workers", "1") as server, (tmp_path / "log").open("w") as log:
        variables = variables_for(server)
        server.client().create_domain(DomainName="demo", DefaultExpirationDays=30)
        job_id = create(server, "demo")
        watching = subprocess.Popen(
            command("jobs", "watch", job_id, "--domain", "demo"),
            env=environment(**variables), stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
        try:
            wait_until(
                lambda: "Waiting for the job to be started" in (tmp_path / "log").read_text(), "it is watched", 60
            )
            row = "user{},Name," + "x" * 200 + "\n"
            put(server, "demo", job_id, ("Email,First,Tier\n" + "".join(map(row.format, range(600_000)))).encode())
            server.client().start_upload_job(DomainName="demo", JobId=job_id)
            wait_until(lambda: "Reading" in (tmp_path / "log").read_text(), "it is read", 60)
            stopped = jobs_json("stop", job_id, **variables)
            exit_status = watching.wait(60)
        finally:
            watching.kill()
            watching.wait()
        shown = jobs_json("show", job_id, **variables)

    assert stopped["status"] in ("IN_PROGRESS", "STOPPED")
    assert exit_status == 2
    assert (shown["status"], shown["stop_requested"]) == ("STOPPED", True)
    assert f"Upload job {job_id} was stopped. The rows it had loaded are kept." in (tmp_path / "log").read_text()


def test_the_name_of_a_job_cannot_steer_the_terminal(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--workers", "0") as server:
        variables = variables_for(server)
        server.client().create_domain(DomainName="demo", DefaultExpirationDays=30)
        name = "\x1b]0;owned\x07\x1b[2Jcustomers" + "x" * 200
        job_id = server.client().create_upload_job(
            DomainName="demo",
            DisplayName=name,
            Fields={
                "a": {"Source": "_source.E\x1b[31mmail", "Target": "_profile.EmailAddress"},
                "b": {"Source": "_source.E\x1b[31mmail", "Target": "_profile.Attributes.copy"},
            },
            UniqueKey="a",
        )["JobId"]
        answers = [
            jobs(*call, **given)
            for call in (("list",), ("show", job_id))
            for given in (variables, {"OPENPROFILES_DATA": str(tmp_path / "data")})
        ]
        shown = jobs_json("show", job_id, **variables)

    for answer in answers:
        assert (answer.returncode, answer.stderr) == (0, "")
        assert all(line.isprintable() and len(line) <= 80 for line in answer.stdout.splitlines())
    assert answers[0].stdout == answers[1].stdout
    assert answers[2].stdout == answers[3].stdout
    assert shown["display_name"] == name
    assert shown["mapping"] == {"E\x1b[31mmail": ["EmailAddress", "Attributes.copy"]}
