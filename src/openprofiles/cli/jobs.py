"""``openprofiles jobs list | show | failed | stop | undo | watch``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.exit_statuses import EXIT_DONE, EXIT_INCOMPLETE, CommandFault, exit_status_of_job
from openprofiles.cli.interrupts import counted_interrupts
from openprofiles.cli.job_ids import find_job_id
from openprofiles.cli.job_place import (
    JobAccount,
    KeptProfile,
    ListedJob,
    UndoState,
    list_failed_rows,
    list_jobs,
    list_kept_profiles,
    read_account,
    read_undo,
)
from openprofiles.cli.job_state import state_of_progress
from openprofiles.cli.job_summary import count_members, describe_bad_end, state_members, summary_lines
from openprofiles.cli.job_undo import describe_bad_undo, kept_profile_lines, loaded_word, undo_lines, undo_members
from openprofiles.cli.options import UpperCaseChoice, domain_command, print_json
from openprofiles.cli.place import Place, open_place
from openprofiles.cli.terminal_text import terminal_width
from openprofiles.settings import Settings

if TYPE_CHECKING:
    from openprofiles.cli.job_state import JobState

_POLL_SECONDS = 0.25
_JOBS_LISTED = 20
_FAILED_ROWS_LISTED = 100
_KEPT_PROFILES_LISTED = 100
_UNDO_POLL_SECONDS = 0.05
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
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_JOBS_LISTED,
    show_default=True,
    metavar="N",
    help="Maximum number of jobs.",
)
@_of_a_domain
def list_(
    settings: Settings, domain: str, endpoint_url: str | None, output: str, status: str | None, limit: int
) -> None:
    """List upload jobs, the newest first, with the results of their rows.

    Times are in UTC. On a narrow terminal each job takes two lines or more; in a pipe it is always one line.

    \b
    Example, the last load that failed:
      openprofiles jobs list --domain demo --status FAILED --limit 1
    """
    from openprofiles.cli.job_tables import job_lines

    with closing(open_place(settings, endpoint_url)) as place:
        found = list_jobs(place, domain, status, limit)
        if output == "json":
            print_json([_listed_members(job) | count_members(job.state) for job in found])
        elif found:
            click.echo("\n".join(job_lines(found, terminal_width())))
        else:
            of_status = f" in {status} status" if status else ""
            click.echo(f"The domain {domain} has no upload job{of_status}.", err=True)


@jobs.command()
@_job
@_of_a_domain
def show(settings: Settings, domain: str, endpoint_url: str | None, output: str, job: str) -> None:
    """Show the details of an upload job.

    These are its status and why it failed, how the file was read, where the columns went, the results of the rows, why
    rows failed, and how long each step took. Created, updated, unchanged, failed and not processed add up to the rows
    in the file.

    \b
    Example:
      openprofiles jobs show last --domain demo
    """
    from openprofiles.cli.job_tables import account_lines

    with closing(open_place(settings, endpoint_url)) as place:
        account = read_account(place, domain, find_job_id(place, domain, job))
        if output == "json":
            print_json({"domain": domain, **_account_members(account)})
        else:
            click.echo("\n".join(account_lines(account, domain, terminal_width())))


@jobs.command()
@_job
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_FAILED_ROWS_LISTED,
    show_default=True,
    metavar="N",
    help="Maximum number of failed rows to show. --output-file writes all of them.",
)
@click.option(
    "--output-file",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Write the failed rows to this file instead, which you can fix and load again: an Excel workbook if its name "
    "ends in .xlsx, otherwise CSV.",
)
@_of_a_domain
def failed(
    settings: Settings,
    domain: str,
    endpoint_url: str | None,
    output: str,
    job: str,
    limit: int,
    output_file: Path | None,
) -> None:
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

    with closing(open_place(settings, endpoint_url)) as place:
        job_id = find_job_id(place, domain, job)
        state = state_of_progress(place.get_progress(domain, job_id))
        rows = list_failed_rows(place, domain, job_id, 1 if output_file else limit)
        if state.failed_count and not rows and not state.is_running:
            raise CommandFault(
                f"The {state.failed_count:,} failed rows of upload job {job_id} are no longer kept. To see how many "
                f"failed for each reason: openprofiles jobs show {job_id} --domain {domain}"
            )
        has_file = output_file is not None and bool(rows)
        if output_file is not None and rows:
            _write_file(output_file, place, domain, job_id)
        if output == "json":
            print_json(
                {
                    "domain": domain,
                    "job_id": job_id,
                    "status": state.status,
                    "failed": state.failed_count,
                    "rows": None if output_file else [asdict(row) for row in rows],
                    "failed_rows_file": str(output_file) if has_file else None,
                }
            )
            return
        if output_file is None and rows:
            click.echo("\n".join(failed_row_lines(rows, terminal_width())))
        for note in _notes_on_failed(state, len(rows), output_file):
            click.echo(note, err=True)


@jobs.command()
@_job
@_of_a_domain
def stop(settings: Settings, domain: str, endpoint_url: str | None, output: str, job: str) -> None:
    """Stop an upload job. Rows that are already loaded are kept.

    A job that has not begun is stopped at once. A running job loads no more rows; its worker indexes the rows that are
    already loaded, and then the job is STOPPED. You cannot stop a job that has already succeeded or failed.

    \b
    Example:
      openprofiles jobs stop last --domain demo
    """
    with closing(open_place(settings, endpoint_url)) as place:
        job_id = find_job_id(place, domain, job)
        was_stopped = state_of_progress(place.get_progress(domain, job_id)).status == "STOPPED"
        place.stop_upload_job(domain, job_id)
        state = state_of_progress(place.get_progress(domain, job_id))
    if output == "json":
        print_json({"domain": domain, "job_id": job_id, "status": state.status, **count_members(state)})
    else:
        click.echo(f"Upload job {job_id} {_describe_stop(state, was_stopped=was_stopped)}")


@jobs.command()
@_job
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_KEPT_PROFILES_LISTED,
    show_default=True,
    metavar="N",
    help="Maximum number of kept profiles to list.",
)
@_of_a_domain_to_work_on
def undo(settings: Settings, domain: str, endpoint_url: str | None, output: str, job: str, limit: int) -> None:
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
    with closing(open_place(settings, endpoint_url)) as place:
        job_id = find_job_id(place, domain, job)
        was_undone = "CompletedAt" in place.start_undo(domain, job_id)
        state = _follow_undo(place, domain, job_id, shows_lines=not is_json)
        kept = list_kept_profiles(place, domain, job_id, limit) if state.kept_count else []
        unchanged_count = state_of_progress(place.get_progress(domain, job_id)).unchanged_count
    if is_json:
        print_json({"domain": domain, "job_id": job_id, **undo_members(state), "kept_profiles": _members(kept)})
    else:
        for line in undo_lines(job_id, state, unchanged_count, was_undone=was_undone):
            click.echo(line)
        if kept:
            click.echo("\n".join(kept_profile_lines(kept, terminal_width())))
    if state.status != "SUCCEEDED":
        raise CommandFault(describe_bad_undo(job_id, state))
    if state.kept_count and not kept:
        click.echo("The list of these profiles is no longer kept.", err=True)
    elif len(kept) < state.kept_count:
        click.echo(f"These are the first {len(kept):,} of {state.kept_count:,}. --limit shows more.", err=True)
    raise SystemExit(EXIT_INCOMPLETE if state.kept_count else EXIT_DONE)


@jobs.command()
@_job
@_of_a_domain
def watch(settings: Settings, domain: str, endpoint_url: str | None, output: str, job: str) -> None:
    """Follow an upload job to its end, then print its results.

    The command changes nothing: it waits for a job that has not begun, and Ctrl-C does not stop the job.

    The exit status is 0 when every row was loaded, 1 when some failed, 2 when the job failed or was stopped or cannot
    be watched, and 130 after Ctrl-C.

    \b
    Example:
      openprofiles jobs watch last --domain demo
    """
    is_json = output == "json"
    with closing(open_place(settings, endpoint_url)) as place:
        job_id = find_job_id(place, domain, job)
        _follow(place, domain, job_id, shows_lines=not is_json)
        account = read_account(place, domain, job_id)
    _print_end(account, domain, is_json=is_json)
    raise SystemExit(exit_status_of_job(account.state.status))


def _follow(place: Place, domain: str, job_id: str, *, shows_lines: bool) -> None:
    from openprofiles.cli.import_progress import ProgressDisplay

    with counted_interrupts() as interrupts, ProgressDisplay(lines=shows_lines) as display:
        while not interrupts.count and (state := state_of_progress(place.get_progress(domain, job_id))).is_running:
            display.show_job(state)
            time.sleep(_POLL_SECONDS)
    if interrupts.count:
        click.echo(f"Upload job {job_id} continues.", err=True)
        raise KeyboardInterrupt


def _follow_undo(place: Place, domain: str, job_id: str, *, shows_lines: bool) -> UndoState:
    from openprofiles.cli.import_progress import ProgressDisplay

    with counted_interrupts() as interrupts, ProgressDisplay(lines=shows_lines) as display:
        while (state := read_undo(place, domain, job_id)).is_running:
            if interrupts.count:
                click.echo(
                    f"The undo of upload job {job_id} has not ended. To continue it, run the command again.", err=True
                )
                raise KeyboardInterrupt
            display.show_undo(state.done_count, state.profile_count)
            time.sleep(_UNDO_POLL_SECONDS)
    return state


def _members(kept: Sequence[KeptProfile]) -> list[dict[str, str]]:
    return [{"profile_id": one.profile_id, "loaded": loaded_word(one)} for one in kept]


def _print_end(account: JobAccount, domain: str, *, is_json: bool) -> None:
    state = account.state
    if (bad_end := describe_bad_end(account.job_id, state)) is not None:
        click.echo(bad_end, err=True)
    if is_json:
        print_json(
            {
                "domain": domain,
                "job_id": account.job_id,
                **state_members(state),
                "seconds": round(account.seconds, 3),
            }
        )
        return
    for line in summary_lines(state, account.seconds):
        click.echo(line)
    if state.failed_count:
        click.echo(f"To see the failed rows: openprofiles jobs failed {account.job_id} --domain {domain}")


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


def _notes_on_failed(state: JobState, row_count: int, output_file: Path | None) -> list[str]:
    """List the notes that people need in addition to the rows."""
    notes = []
    if not state.failed_count and not row_count:
        notes.append("No row failed." + (" No file was written." if output_file else ""))
    elif output_file and row_count:
        notes.append(f"The failed rows and their reasons are in {output_file}")
    elif 0 < row_count < state.failed_count:
        notes.append(
            f"These are the first {row_count:,} of {state.failed_count:,} failed rows. --limit shows more; "
            "--output-file writes them all."
        )
    if state.is_running:
        notes.append("The job has not ended; more rows may fail.")
    return notes


def _describe_stop(state: JobState, *, was_stopped: bool) -> str:
    if was_stopped:
        return "was already stopped. The rows it had loaded are kept."
    if state.status == "STOPPED":
        return (
            "has been stopped. No row was loaded."
            if not state.done_count
            else "has been stopped. The rows it loaded are kept."
        )
    if state.is_running:
        return (
            "is being stopped. It loads no more rows; those already loaded are kept, and the job ends once they are "
            "indexed. To wait for that: openprofiles jobs watch"
        )
    return f"ended as {state.status} before it could be stopped."


def _listed_members(job: ListedJob) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "display_name": job.display_name,
        "status": job.state.status,
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "completed_at": _iso(job.completed_at),
        "rows": job.state.record_count,
        "undo_status": job.undo_status,
    }


def _account_members(account: JobAccount) -> dict[str, Any]:
    state = account.state
    mapping: dict[str, str | list[str]] = {}
    for header in dict(account.mapping):
        fields = [field for of_header, field in account.mapping if of_header == header]
        # An import maps a column once; another caller may map it to several fields.
        mapping[header] = fields[0] if len(fields) == 1 else fields
    return {
        **_listed_members(account),
        **state_members(state),
        "status_reason": account.status_reason,
        "stop_requested": account.stop_requested,
        "undo_until": _iso(account.undo_until),
        "phase": state.phase if state.is_running else None,
        "position": state.position if state.is_running and state.phase is not None else None,
        "rows_per_second": account.rows_per_second,
        "data_expiry_days": account.data_expiry_days,
        "unique_key": account.unique_key,
        "object_type": account.object_type,
        "file": None if account.file_form is None else account.file_form.to_document(),
        "mapping": mapping,
        "columns_not_mapped": None if account.columns_not_mapped is None else list(account.columns_not_mapped),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
