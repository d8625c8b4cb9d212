"""``openprofiles jobs list | show | failed | stop | segment | undo | watch``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.exit_statuses import EXIT_DONE, EXIT_INCOMPLETE, CommandFault, exit_status_of_job
from openprofiles.cli.interrupts import counted_interrupts
from openprofiles.cli.job_ids import find_job_id
from openprofiles.cli.job_state import is_running
from openprofiles.cli.job_summary import (
    count_members,
    describe_bad_end,
    fault_members,
    fields_by_header,
    state_members,
    summary_lines,
)
from openprofiles.cli.job_undo import describe_bad_undo, kept_profile_lines, undo_lines, undo_members
from openprofiles.cli.options import Name, UpperCaseChoice, domain_command, limit_option, print_json
from openprofiles.cli.terminal_text import terminal_width
from openprofiles.cli.words import iso_text

if TYPE_CHECKING:
    from openprofiles.cli.place import Place
    from openprofiles.uploads.mappings.upload_mapping import UploadMapping

_POLL_SECONDS = 0.25
_JOBS_LISTED = 20
_JOBS_PER_PAGE = 100
_ROWS_PER_PAGE = 1000
_FAILED_ROWS_LISTED = 100
_KEPT_PROFILES_LISTED = 100
_UNDO_POLL_SECONDS = 0.05
_UNDO_RESULTS = ("RemovedProfiles", "RestoredProfiles", "KeptProfiles", "GoneProfiles")
_STATUSES = ("CREATED", "IN_PROGRESS", "SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "STOPPED")


_of_a_domain = domain_command("Domain of the upload jobs.", "master_key")
# With the settings of a loader that the command may run itself.
_of_a_domain_to_work_on = domain_command(
    "Domain of the upload jobs.", "master_key", "files", "memory_limit_bytes", "undo_days", "history_content_days"
)
_job = click.argument("job", metavar="JOB")


@click.group(cls=CommandGroup)
def jobs() -> None:
    """List, follow, stop and undo upload jobs.

    JOB is the id of a job, its first digits, if no other id begins with them, or `last` for the newest job of the
    domain.

    Without --endpoint-url the commands work on the data folder directly, whether or not a server runs on it. They do
    not load files: the worker of a server or `openprofiles import` does. The exception is `undo` without a server,
    which first finishes earlier loads of the domain.

    \b
    Examples:
      openprofiles jobs list --domain demo
      openprofiles jobs show last --domain demo
    """


@jobs.command("list")
@click.option(
    "--status",
    type=UpperCaseChoice(_STATUSES),
    metavar="STATUS",
    help=f"Only jobs in this status: {', '.join(_STATUSES[:-1])} or {_STATUSES[-1]}.",
)
@limit_option(_JOBS_LISTED, "Maximum number of jobs.")
@_of_a_domain
def list_(place: Place, domain: str, output: str, status: str | None, limit: int) -> None:
    """List upload jobs, the newest first, with the results of their rows.

    Times are in UTC. On a narrow terminal each job takes two lines or more; in a pipe it is always one line.

    \b
    Example, the last load that failed:
      openprofiles jobs list --domain demo --status FAILED --limit 1
    """
    from openprofiles.cli.job_tables import job_lines

    items = place.own_items("ListProgress", DomainName=domain, MaxResults=min(limit, _JOBS_PER_PAGE))
    found = list(islice((item for item in items if status in (None, item["Status"])), limit))
    if output == "json":
        print_json([_listed_members(job) | count_members(job) for job in found])
    elif found:
        click.echo("\n".join(job_lines(found, terminal_width())))
    else:
        of_status = f" in {status} status" if status else ""
        click.echo(f"The domain {domain} has no upload job{of_status}.", err=True)


@jobs.command()
@_job
@_of_a_domain
def show(place: Place, domain: str, output: str, job: str) -> None:
    """Show the details of an upload job.

    These are its status and why it failed, how the file was read, where the columns went, the results of the rows, why
    rows failed, and how long each step took. Created, updated, unchanged, failed and not processed add up to the rows
    in the file.

    \b
    Example:
      openprofiles jobs show last --domain demo
    """
    from openprofiles.cli.job_tables import account_lines

    account, mapping = _read_account(place, domain, find_job_id(place, domain, job))
    if output == "json":
        print_json({"domain": domain, **_account_members(account, mapping)})
    else:
        click.echo("\n".join(account_lines(account, mapping, domain, terminal_width())))


@jobs.command()
@_job
@limit_option(_FAILED_ROWS_LISTED, "Maximum number of failed rows to show. --output-file writes all of them.")
@click.option(
    "--output-file",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Write the failed rows to this file instead, which you can fix and load again: an Excel workbook if its name "
    "ends in .xlsx, otherwise CSV.",
)
@_of_a_domain
def failed(place: Place, domain: str, output: str, job: str, limit: int, output_file: Path | None) -> None:
    """Show the failed rows of an upload job, and why they failed.

    There is one line for each error in a row: the row number, the line of the file on which the row begins, the
    column with the error, a code and a message. On a terminal, messages are truncated to fit its width; in a pipe
    or a file, or with --output json, they are complete.

    \b
    Examples:
      openprofiles jobs failed last --domain demo
      openprofiles jobs failed last --domain demo -o fix.csv
    """
    from openprofiles.cli.job_tables import failed_row_lines

    of_job = {"DomainName": domain, "JobId": find_job_id(place, domain, job)}
    progress = place.own("GetProgress", **of_job)
    failed_count = progress["FailedRecords"]
    limit = 1 if output_file else limit
    rows = list(islice(place.own_items("ListFailedRows", **of_job, MaxResults=min(limit, _ROWS_PER_PAGE)), limit))
    if failed_count and not rows and not is_running(progress):
        raise CommandFault(
            f"The {failed_count:,} failed rows of upload job {of_job['JobId']} are no longer kept. To see how many "
            f"failed for each reason: openprofiles jobs show {of_job['JobId']} --domain {domain}"
        )
    if output_file is not None and rows:
        _write_file(output_file, place, domain, of_job["JobId"])
    if output == "json":
        members = [
            {
                "record": row["Record"],
                "line": row["Line"],
                "faults": fault_members(row["Faults"], "Code", "Column", "Message"),
            }
            for row in rows
        ]
        print_json(
            {
                "domain": domain,
                "job_id": of_job["JobId"],
                "status": progress["Status"],
                "failed": failed_count,
                "rows": None if output_file else members,
                "failed_rows_file": str(output_file) if output_file and rows else None,
            }
        )
        return
    if output_file is None and rows:
        click.echo("\n".join(failed_row_lines(rows, terminal_width())))
    for note in _notes_on_failed(progress, len(rows), output_file):
        click.echo(note, err=True)


@jobs.command()
@_job
@_of_a_domain
def stop(place: Place, domain: str, output: str, job: str) -> None:
    """Stop an upload job. Rows that are already loaded are kept.

    A job that has not begun is stopped at once. A running job loads no more rows; its worker indexes the rows that are
    already loaded, and then the job is STOPPED. You cannot stop a job that has already succeeded or failed.

    \b
    Example:
      openprofiles jobs stop last --domain demo
    """
    of_job = {"DomainName": domain, "JobId": find_job_id(place, domain, job)}
    was_stopped = place.own("GetProgress", **of_job)["Status"] == "STOPPED"
    place.call("StopUploadJob", **of_job)
    found = place.own("GetProgress", **of_job)
    if output == "json":
        print_json({"domain": domain, "job_id": found["JobId"], "status": found["Status"], **count_members(found)})
    else:
        click.echo(f"Upload job {found['JobId']} {_describe_stop(found, was_stopped=was_stopped)}")


@jobs.command()
@_job
@click.option("--name", type=Name("segment"), metavar="NAME", help="Name of the segment.  [default: import-JOB]")
@_of_a_domain
def segment(place: Place, domain: str, output: str, job: str, name: str | None) -> None:
    """Create a segment of the profiles that an upload job has created.

    \b
    Example:
      openprofiles jobs segment last --domain demo --name spring-leads
    """
    from openprofiles.segments.condition_text import made_by, name_of_import

    job_id = find_job_id(place, domain, job)
    imported = place.call("GetUploadJob", DomainName=domain, JobId=job_id)
    name = name or name_of_import(job_id)
    made = place.call(
        "CreateSegmentDefinition",
        DomainName=domain,
        SegmentDefinitionName=name,
        DisplayName=imported["DisplayName"],
        SegmentGroups=made_by(job_id),
    )
    if output == "json":
        print_json(made)
    else:
        click.echo(f"Segment {name} has been created. To count it: openprofiles segments estimate {name}")


@jobs.command()
@_job
@limit_option(_KEPT_PROFILES_LISTED, "Maximum number of kept profiles to list.")
@_of_a_domain_to_work_on
def undo(place: Place, domain: str, output: str, job: str, limit: int) -> None:
    """Undo an upload job, as if its file had never been loaded.

    Profiles that the job created are removed. Profiles that it updated are restored, with all their keys. A profile
    that has been changed since is kept as it is, and is listed. A later load of the same profile is such a change too,
    so undo the last load first. For a job that was stopped or that failed,
    the rows that it loaded are undone.

    You can undo a job once, for some days after its end (--undo-days of the server or the import, 7 by default). After
    Ctrl-C a server continues the undo; without a server it continues when you run the command again. If the
    job was the first to use a field as its unique key, that field stays indexed.

    The exit status is 0 when everything is as it was before, 1 when profiles were kept, 2 when the undo failed or is
    not possible, and 130 after Ctrl-C.

    \b
    Example:
      openprofiles jobs undo last --domain demo
    """
    is_json = output == "json"
    job_id = find_job_id(place, domain, job)
    of_job = {"DomainName": domain, "JobId": job_id}
    was_undone = "CompletedAt" in place.own("UndoUploadJob", **of_job)
    found = _follow_undo(place, of_job, shows_lines=not is_json)
    kept_count = found["KeptProfiles"]
    kept = list(islice(place.own_items("ListKeptProfiles", **of_job), limit)) if kept_count else []
    unchanged_count = place.own("GetProgress", **of_job)["UnchangedRecords"]
    if is_json:
        members = [{"profile_id": one["ProfileId"], "loaded": one["Loaded"].lower()} for one in kept]
        print_json({"domain": domain, "job_id": job_id, **undo_members(found), "kept_profiles": members})
    else:
        for line in undo_lines(job_id, found, unchanged_count, was_undone=was_undone):
            click.echo(line)
        if kept:
            click.echo("\n".join(kept_profile_lines(kept, terminal_width())))
    if found["Status"] != "SUCCEEDED":
        raise CommandFault(describe_bad_undo(job_id, found))
    if kept_count and not kept:
        click.echo("The list of these profiles is no longer kept.", err=True)
    elif len(kept) < kept_count:
        click.echo(f"These are the first {len(kept):,} of {kept_count:,}. --limit shows more.", err=True)
    raise SystemExit(EXIT_INCOMPLETE if kept_count else EXIT_DONE)


@jobs.command()
@_job
@_of_a_domain
def watch(place: Place, domain: str, output: str, job: str) -> None:
    """Follow an upload job to its end, then print its results.

    The command changes nothing: it waits for a job that has not begun, and Ctrl-C does not stop the job.

    The exit status is 0 when every row was loaded, 1 when some failed, 2 when the job failed or was stopped or cannot
    be watched, and 130 after Ctrl-C.

    \b
    Example:
      openprofiles jobs watch last --domain demo
    """
    is_json = output == "json"
    progress = _follow(place, domain, find_job_id(place, domain, job), shows_lines=not is_json)
    _print_end(progress, domain, is_json=is_json)
    raise SystemExit(exit_status_of_job(progress["Status"]))


def _follow(place: Place, domain: str, job_id: str, *, shows_lines: bool) -> Mapping[str, Any]:
    from openprofiles.cli.import_progress import ProgressDisplay

    with counted_interrupts() as interrupts, ProgressDisplay(lines=shows_lines) as display:
        while not interrupts.count:
            progress = place.own("GetProgress", DomainName=domain, JobId=job_id)
            if not is_running(progress):
                return progress
            display.show_job(progress)
            time.sleep(_POLL_SECONDS)
    click.echo(f"Upload job {job_id} continues.", err=True)
    raise KeyboardInterrupt


def _follow_undo(place: Place, of_job: Mapping[str, str], *, shows_lines: bool) -> Mapping[str, Any]:
    """Follow an undo to its end, and run it if there is no server."""
    from openprofiles.cli.import_progress import ProgressDisplay

    with counted_interrupts() as interrupts, ProgressDisplay(lines=shows_lines) as display:
        while True:
            found = place.own("GetUndo", **of_job)
            place.transport.run_undo(of_job["DomainName"], of_job["JobId"], found["Status"])
            if found["Status"] != "IN_PROGRESS":
                return found
            if interrupts.count:
                click.echo(
                    f"The undo of upload job {of_job['JobId']} has not ended. To continue it, run the command again.",
                    err=True,
                )
                raise KeyboardInterrupt
            display.show_undo(sum(found[name] for name in _UNDO_RESULTS), found.get("ProfileCount"))
            time.sleep(_UNDO_POLL_SECONDS)


def _print_end(progress: Mapping[str, Any], domain: str, *, is_json: bool) -> None:
    job_id = progress["JobId"]
    # Waiting for a worker included. A job that was stopped before it was started has no start.
    seconds = progress["CompletedAt"] - progress.get("StartedAt", progress["CompletedAt"])
    if (bad_end := describe_bad_end(job_id, progress)) is not None:
        click.echo(bad_end, err=True)
    if is_json:
        print_json({"domain": domain, "job_id": job_id, **state_members(progress), "seconds": round(seconds, 3)})
        return
    for line in summary_lines(progress, seconds):
        click.echo(line)
    if progress["FailedRecords"]:
        click.echo(f"To see the failed rows: openprofiles jobs failed {job_id} --domain {domain}")


def _write_file(path: Path, place: Place, domain: str, job_id: str) -> None:
    from openprofiles.cli.failed_rows_file import (
        FailedRowsFileChanged,
        describe_changed,
        is_workbook,
        write_failed_rows,
    )
    from openprofiles.uploads.failures.text_workbook import TooLargeForWorkbook

    try:
        write_failed_rows(path, place.read_failed_rows_file(domain, job_id, for_spreadsheet=not is_workbook(path)))
    except TooLargeForWorkbook as error:
        raise CommandFault(f"The failed rows cannot be written to {path}: {error}. Name a CSV file.") from None
    except FailedRowsFileChanged:
        raise CommandFault(f"{describe_changed(path)} or name another file with --output-file.") from None
    except OSError as error:
        raise CommandFault(
            f"The failed rows cannot be written to {path}: {error.strerror or error}. Name another file with "
            "--output-file."
        ) from error


def _notes_on_failed(progress: Mapping[str, Any], row_count: int, output_file: Path | None) -> list[str]:
    """List the notes that people need in addition to the rows."""
    notes, failed_count = [], progress["FailedRecords"]
    if not failed_count and not row_count:
        notes.append("No row failed." + (" No file was written." if output_file else ""))
    elif output_file and row_count:
        notes.append(f"The failed rows and their reasons are in {output_file}")
    elif 0 < row_count < failed_count:
        notes.append(
            f"These are the first {row_count:,} of {failed_count:,} failed rows. --limit shows more; "
            "--output-file writes them all."
        )
    if is_running(progress):
        notes.append("The job has not ended; more rows may fail.")
    return notes


def _describe_stop(progress: Mapping[str, Any], *, was_stopped: bool) -> str:
    if was_stopped:
        return "was already stopped. The rows it had loaded are kept."
    if progress["Status"] == "STOPPED":
        return (
            "has been stopped. No row was loaded."
            if not progress["ProcessedRecords"]
            else "has been stopped. The rows it loaded are kept."
        )
    if is_running(progress):
        return (
            "is being stopped. It loads no more rows; those already loaded are kept, and the job ends once they are "
            "indexed. To wait for that: openprofiles jobs watch"
        )
    return f"ended as {progress['Status']} before it could be stopped."


def _read_account(place: Place, domain: str, job_id: str) -> tuple[Mapping[str, Any], UploadMapping | None]:
    """Read all that is known of a job, and its mapping; None if its rows are profile objects."""
    from openprofiles.uploads.mappings.upload_mapping import read_mapping

    job = place.call("GetUploadJob", DomainName=domain, JobId=job_id)
    # Without the times, which are of another type there.
    account = {name: job[name] for name in ("DisplayName", "UniqueKey", "DataExpiry")}
    account |= place.own("GetProgress", DomainName=domain, JobId=job_id)
    has_mapping = "ObjectType" not in account
    return account, read_mapping(job["Fields"], job["UniqueKey"], strict=False) if has_mapping else None


def _listed_members(job: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "job_id": job["JobId"],
        "display_name": job["DisplayName"],
        "status": job["Status"],
        "created_at": iso_text(job["CreatedAt"]),
        "started_at": iso_text(job.get("StartedAt")),
        "completed_at": iso_text(job.get("CompletedAt")),
        "rows": job.get("RecordCount"),
        "undo_status": job.get("UndoStatus"),
    }


def _account_members(job: Mapping[str, Any], mapping: UploadMapping | None) -> dict[str, Any]:
    from openprofiles.operations.job_options import read_form

    shows_phase = is_running(job) and "Phase" in job
    return {
        **_listed_members(job),
        **state_members(job),
        "status_reason": job.get("StatusReason"),
        "stop_requested": job["StopRequested"],
        "undo_until": iso_text(job.get("UndoUntil")),
        "phase": job["Phase"] if shows_phase else None,
        "position": job["Position"] if shows_phase else None,
        "rows_per_second": job.get("RecordsPerSecond"),
        "data_expiry_days": job["DataExpiry"],
        "unique_key": job["UniqueKey"] if mapping is None else mapping.unique_key.header,
        "object_type": job.get("ObjectType"),
        "file": read_form(job["File"]).to_document() if "File" in job else None,
        "mapping": {} if mapping is None else fields_by_header(mapping),
        "columns_not_mapped": job.get("ColumnsNotMapped"),
    }
