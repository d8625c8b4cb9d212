"""``openprofiles import``: one file, one command, from the file on the disk to its profiles."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from openprofiles.cli.endpoint import check_endpoint_url, needs_client_packages
from openprofiles.cli.exit_statuses import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    CommandFault,
    exit_status_of_job,
    exit_statuses,
)
from openprofiles.cli.import_policies import FailureLimit, ImportPolicies
from openprofiles.cli.importer import ImportDomain, Importer, ImportFault
from openprofiles.cli.job_state import JobState
from openprofiles.cli.job_summary import describe_bad_end, state_members, summary_lines
from openprofiles.cli.options import domain_option, endpoint_url_option, output_option, settings_options
from openprofiles.cli.terminal_text import shown
from openprofiles.settings import Settings

if TYPE_CHECKING:
    from openprofiles.cli.import_progress import ProgressDisplay
    from openprofiles.cli.source_file import SourceFile
    from openprofiles.uploads.suggest import SuggestedField, Suggestion

_LOCAL_POLL_SECONDS = 0.05
_REMOTE_POLL_SECONDS = 0.25
_DISPLAY_NAME_MAX_LENGTH = 255
_LIMIT = re.compile(r"(?P<number>[0-9]{1,9}(\.[0-9]{1,4})?)(?P<percent>%?)")


class _FailureLimit(click.ParamType[FailureLimit]):
    """A number of rows, or a share of them."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> FailureLimit:
        match = _LIMIT.fullmatch(str(value))
        if match is None or (match["percent"] and float(match["number"]) > 100):
            self.fail(f"{value!r} is neither a number of rows nor a percentage, like 100 or 5%.", param, ctx)
        if match["percent"]:
            return FailureLimit(percent=float(match["number"]))
        if "." in match["number"]:
            self.fail(f"{value!r} is no whole number of rows.", param, ctx)
        return FailureLimit(records=int(match["number"]))


class _Delimiter(click.ParamType[str]):
    """A character that separates cells; the tab by its name, since it is hard to type."""

    name = "delimiter"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        delimiter = {"tab": "\t", "\\t": "\t"}.get(str(value), str(value))
        if delimiter not in (",", ";", "\t", "|"):
            self.fail(f"{value!r} is none of , ; | and tab.", param, ctx)
        return delimiter


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@domain_option("Domain that the profiles go to. A missing one is created.")
@click.option(
    "--unique-key",
    required=True,
    metavar="COLUMN",
    help="Column that tells customers apart. A row whose value a profile has already changes that profile.",
)
@click.option(
    "--map",
    "choices",
    multiple=True,
    metavar="COLUMN=TARGET",
    help="Where a column goes, such as 'Login=EmailAddress' or 'Tier=Attributes.tier'; 'Notes=' leaves it out. The "
    "other columns go where their names suggest. Can be given several times.",
)
@click.option(
    "--encoding",
    metavar="NAME",
    help="Encoding of the file, such as utf-8, utf-16, windows-1252 or latin-1.  [default: detected]",
)
@click.option(
    "--delimiter",
    type=_Delimiter(),
    metavar="CHAR",
    help="What separates the cells: a comma, a semicolon, a vertical bar, or the word tab.  [default: detected]",
)
@click.option(
    "--quote",
    type=click.Choice(['"', "'", "none"]),
    help="What stands around cells that hold a delimiter; none: quotes are data.  [default: detected]",
)
@click.option(
    "--line-ends",
    type=click.Choice(["LF", "CRLF", "CR"], case_sensitive=False),
    help="How lines end. LF and CRLF are both read, whichever is said.  [default: detected]",
)
@click.option("--sheet", metavar="NAME", help="Sheet of an Excel workbook.  [default: the first]")
@click.option(
    "--check",
    "checks",
    multiple=True,
    metavar="COLUMN=CHECK",
    help="What the values of a column must be: email, phone, number, date, one-of:a|b, pattern:REGEX or none. Can be "
    "given several times.  [default: email and phone for columns that go to such fields]",
)
@click.option("--create-only", "write_mode", flag_value="CREATE_ONLY", help="Rows of known customers fail.")
@click.option("--update-only", "write_mode", flag_value="UPDATE_ONLY", help="Rows of unknown customers fail.")
@click.option(
    "--blank-cells",
    type=click.Choice(["keep", "clear"]),
    default="keep",
    show_default=True,
    help="Whether a blank cell leaves the field as it is, or clears it.",
)
@click.option(
    "--overwrite-hand-set", is_flag=True, help="Overwrite fields that were set through the API, which else stay."
)
@click.option(
    "--max-failed",
    type=_FailureLimit(),
    metavar="N|N%",
    help="Load nothing when more rows than that would fail.",
)
@click.option("--all-or-nothing", is_flag=True, help="The same as --max-failed 0.")
@click.option(
    "--data-expiry",
    "data_expiry_days",
    type=click.IntRange(1, 1098),
    metavar="DAYS",
    help="Days until profiles expire that no later import touches.  [default: those of the domain]",
)
@click.option("--display-name", metavar="TEXT", help="Name of the upload job.  [default: the name of the file]")
@click.option(
    "--failed-rows",
    "failed_rows_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Where rows go that could not be loaded, if there are any.  [default: FILE with the ending .failed-rows.csv]",
)
@endpoint_url_option("Load through")
@output_option
@settings_options("data_folder", "store", "files", "master_key", "phone_region", "memory_limit_bytes")
def import_file(
    settings: Settings,
    file: Path,
    domain: str,
    unique_key: str,
    choices: tuple[str, ...],
    encoding: str | None,
    delimiter: str | None,
    quote: str | None,
    line_ends: str | None,
    sheet: str | None,
    checks: tuple[str, ...],
    write_mode: str | None,
    blank_cells: str,
    overwrite_hand_set: bool,
    max_failed: FailureLimit | None,
    all_or_nothing: bool,
    data_expiry_days: int | None,
    display_name: str | None,
    failed_rows_path: Path | None,
    endpoint_url: str | None,
    output: str,
) -> None:
    """Load a file of customers into profiles: CSV, Excel workbook, Parquet or JSON lines.

    It needs no server and no set-up: without --endpoint-url it works on the data folder directly, also while a server
    runs on it. It finds out encoding, delimiter, quotes and compression of the file, suggests from the header where
    each column goes, and prints that. Rows that cannot be loaded go to a file of their own, each with the reason.
    Ctrl-C stops the job; what was loaded stays.

    The exit status is 0 when every row was loaded, 1 when some were not, 2 when the import failed, and 130 after
    Ctrl-C.

    \b
    Examples:
      openprofiles import customers.csv --domain demo --unique-key Email
      openprofiles import leads.csv --domain sales --unique-key 'Lead no' \\
        --map 'Lead no=AccountNumber' --map 'Internal notes='
    """
    from openprofiles.cli.source_file import open_source
    from openprofiles.uploads.file_form import FileOptions

    with ExitStack() as at_end:
        # 1 means that some rows failed, so whatever else goes wrong ends with 2.
        at_end.enter_context(exit_statuses(EXIT_FAILED))
        given = FileOptions(encoding=encoding, delimiter=delimiter, quote=quote, line_ends=line_ends)
        source = at_end.enter_context(open_source(file, given, sheet, settings.max_upload_size_bytes))
        status = _Import(
            source,
            domain=domain,
            unique_key=unique_key,
            choices=choices,
            policies=ImportPolicies(
                checks=checks,
                write_mode=write_mode,
                clears_blanks=blank_cells == "clear",
                overwrites_hand_set=overwrite_hand_set,
                failure_limit=FailureLimit(records=0) if all_or_nothing else max_failed,
            ),
            data_expiry_days=data_expiry_days,
            display_name=(display_name or file.name)[:_DISPLAY_NAME_MAX_LENGTH],
            failed_rows_path=_check_failed_rows_path(failed_rows_path, file),
            is_json=output == "json",
        ).run(settings, endpoint_url)
    raise SystemExit(status)


class _Import:
    """One run of the command."""

    def __init__(
        self,
        source: SourceFile,
        *,
        domain: str,
        unique_key: str,
        choices: Sequence[str],
        policies: ImportPolicies,
        data_expiry_days: int | None,
        display_name: str,
        failed_rows_path: Path,
        is_json: bool,
    ) -> None:
        from openprofiles.uploads.mapping import read_mapping
        from openprofiles.uploads.suggest import suggest_mapping

        self._source = source
        self._domain_name = domain
        self._suggestion = suggest_mapping(source.headers, _read_choices(choices, source.headers))
        self._unique_key = self._suggestion.find_unique_key(unique_key)
        self._fields = self._suggestion.to_fields()
        # Checked before anything is made; a server would say the same.
        read_mapping(self._fields, self._unique_key.name, strict=False)
        self._data_expiry_days = data_expiry_days
        self._display_name = display_name
        self._failed_rows_path = failed_rows_path
        form = source.form.to_options()
        self._options = policies.to_options(self._suggestion.fields, form)
        self._needs_options = form is not None or not policies.is_default
        self._is_json = is_json

    def run(self, settings: Settings, endpoint_url: str | None) -> int:
        """Load the file; the exit status."""
        from openprofiles.cli.import_progress import ProgressDisplay

        importer = _open_importer(settings, endpoint_url)
        poll_seconds = _REMOTE_POLL_SECONDS if endpoint_url else _LOCAL_POLL_SECONDS
        try:
            started = time.monotonic()
            try:
                domain = importer.find_or_create_domain(self._domain_name)
                days = self._data_expiry_days or domain.expiration_days
                self._tell_plan(domain, days)
                job_id = importer.create_job(
                    domain.name,
                    display_name=self._display_name,
                    fields=self._fields,
                    unique_key=self._unique_key.name,
                    data_expiry_days=days,
                    options=self._options,
                    needs_options=self._needs_options,
                )
                with ProgressDisplay(lines=not self._is_json) as display:
                    self._send(importer, display)
                    importer.start_job()
                    state, interrupted = _watch(importer, display, poll_seconds)
            except (KeyboardInterrupt, CommandFault):
                # What cannot go on is not left waiting for its file; why it cannot is what the user is told.
                with suppress(CommandFault):
                    importer.stop_job()
                raise
            seconds = time.monotonic() - started
            failed_rows_file = self._write_failed_rows(importer, state) if state.failed_count else None
            if state.status == "SUCCEEDED":
                # What an earlier load of this file left there is mended.
                self._failed_rows_path.unlink(missing_ok=True)
        finally:
            importer.close()
        self._tell_end(domain, job_id, days, state, seconds, failed_rows_file)
        if interrupted and state.status == "STOPPED":
            return EXIT_INTERRUPTED
        return exit_status_of_job(state.status)

    def _send(self, importer: Importer, display: ProgressDisplay) -> None:
        display.show_sending(0, self._source.size_bytes)
        importer.send_file(
            self._source.file, lambda sent_bytes: display.show_sending(sent_bytes, self._source.size_bytes)
        )

    def _write_failed_rows(self, importer: Importer, state: JobState) -> Path | None:
        from openprofiles.cli.failed_rows_file import write_failed_rows

        try:
            write_failed_rows(self._failed_rows_path, importer.read_failed_rows())
        except OSError as error:
            # The load itself is done, and its counts must still be told.
            click.echo(
                f"The {state.failed_count:,} failed rows cannot be written to {self._failed_rows_path}: "
                f"{error.strerror}. Give another place with --failed-rows.",
                err=True,
            )
            return None
        return self._failed_rows_path

    def _tell_plan(self, domain: ImportDomain, days: int) -> None:
        if self._is_json:
            return
        if domain.was_created:
            click.echo(
                f"Created the domain {domain.name}. Its profiles expire after {domain.expiration_days} days without a "
                "change."
            )
        click.echo(f"Loading {self._source.path} into the domain {domain.name}:")
        click.echo(f"  read as {self._source.describe_form()}")
        for line in _describe_mapping(self._suggestion, self._unique_key):
            click.echo(f"  {line}")
        click.echo(
            f"The profiles of this import expire on {_expiry_date(days)} ({days} days), if none touches them later."
        )

    def _tell_end(
        self,
        domain: ImportDomain,
        job_id: str,
        days: int,
        state: JobState,
        seconds: float,
        failed_rows_file: Path | None,
    ) -> None:
        if (bad_end := describe_bad_end(job_id, state)) is not None:
            click.echo(bad_end, err=True)
        if self._is_json:
            document: dict[str, Any] = {
                "domain": domain.name,
                "domain_created": domain.was_created,
                "job_id": job_id,
                **state_members(state),
                "seconds": round(seconds, 3),
                "data_expiry_days": days,
                "expires_on": _expiry_date(days),
                "unique_key": self._unique_key.header,
                "file": {"kind": self._source.kind or "text", **self._source.form.to_json()},
                "mapping": {field.header: field.target for field in self._suggestion.fields},
                "failed_rows_file": str(failed_rows_file) if failed_rows_file else None,
            }
            click.echo(json.dumps(document))
            return
        for line in summary_lines(state, seconds):
            click.echo(line)
        if failed_rows_file:
            click.echo(f"The failed rows and their reasons are in {failed_rows_file}")


def _watch(importer: Importer, display: ProgressDisplay, poll_seconds: float) -> tuple[JobState, bool]:
    """Follow the job to its end; its last state, and whether Ctrl-C was pressed.

    The first Ctrl-C stops the job, the second raises KeyboardInterrupt.
    """
    interrupts = 0

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        is_stopping = False
        while True:
            state = importer.read_state()
            if not state.is_running:
                return state, interrupts > 0
            if interrupts and not is_stopping:
                is_stopping = True
                click.echo("Stopping the job. Press Ctrl-C again to leave at once.", err=True)
                importer.stop_job()
            display.show_job(state)
            time.sleep(poll_seconds)
    finally:
        signal.signal(signal.SIGINT, before)


def _open_importer(settings: Settings, endpoint_url: str | None) -> Importer:
    if endpoint_url is None:
        import logging

        from openprofiles.cli.import_local import LocalImporter
        from openprofiles.logs import set_up_logs

        # The worker tells each start and end of a load; here the command itself does.
        set_up_logs("text")
        logging.getLogger().setLevel(logging.WARNING)
        return LocalImporter(settings)
    with needs_client_packages():
        from openprofiles.cli.import_remote import RemoteImporter
    return RemoteImporter(check_endpoint_url(endpoint_url))


def _check_failed_rows_path(given: Path | None, file: Path) -> Path:
    from openprofiles.cli.failed_rows_file import default_failed_rows_path

    path = given or default_failed_rows_path(file)
    if path.exists() and path.samefile(file):
        raise ImportFault(f"--failed-rows names the file to load itself, {file}. Name another.")
    return path


def _read_choices(choices: Sequence[str], headers: Sequence[str]) -> dict[str, str]:
    """``COLUMN=TARGET`` taken apart; a header may hold an equals sign itself."""
    read: dict[str, str] = {}
    for choice in choices:
        if "=" not in choice:
            raise ImportFault(f"--map {choice!r} is not of the form COLUMN=TARGET, such as 'Login=EmailAddress'.")
        known = [header for header in headers if choice.startswith(f"{header}=")]
        header = max(known, key=len) if known else choice.partition("=")[0]
        if header in read:
            raise ImportFault(f"--map is given twice for the column {header!r}.")
        read[header] = choice[len(header) + 1 :]
    return read


def _describe_mapping(suggestion: Suggestion, unique_key: SuggestedField) -> Iterator[str]:
    width = max(len(field.header) for field in suggestion.fields)
    for field in suggestion.fields:
        note = "  (unique key)" if field is unique_key else ""
        yield f"{shown(field.header):<{width}}  ->  {field.target}{note}"
    for column in suggestion.left_out:
        yield f"column {column.column_number} {shown(column.header)!r} is not loaded: {column.reason}"


def _expiry_date(days: int) -> str:
    from openprofiles.clock import utc_now

    return (utc_now() + timedelta(days=days)).date().isoformat()
