"""``openprofiles import --as``: load a file of profile objects."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openprofiles.cli.exit_statuses import EXIT_INTERRUPTED, CommandFault, discard_output, exit_status_of_job
from openprofiles.cli.failed_rows_file import remove_failed_rows, save_failed_rows
from openprofiles.cli.import_policies import FailureLimit
from openprofiles.cli.importer import Importer
from openprofiles.cli.job_ids import DRY_RUN_MARK
from openprofiles.cli.job_state import notice_messages, unprocessed_count
from openprofiles.cli.job_summary import describe_bad_end, fault_lines, state_members
from openprofiles.cli.job_watch import send_and_watch
from openprofiles.cli.terminal_text import shown
from openprofiles.cli.words import count_of
from openprofiles.errors import DomainError

if TYPE_CHECKING:
    from openprofiles.cli.source_file import SourceFile
    from openprofiles.uploads.job_options import JobOptions
    from openprofiles.uploads.reading.file_form import FileOptions

_DISPLAY_NAME_MAX_LENGTH = 255
# Options that say how a row becomes a profile, which the object type does.
_OF_PROFILES = (
    "unique_key", "choices", "only", "mapping_name", "save_as", "checks", "create_only", "update_only",
    "overwrite_hand_set", "data_expiry_days",
)  # fmt: skip


def check_arguments(command: click.Context) -> None:
    """Refuse options that an import of objects does not have.

    Raises:
        click.UsageError: one is given, or no domain.
    """
    given = command.params
    if given["object_type"] is None:
        return
    if given["domain"] is None:
        raise click.UsageError("--as needs --domain, the domain that has the object type.")
    names = {str(one.name): one.opts[0] for one in command.command.params}
    wrong = [names[name] for name in _OF_PROFILES if given[name]]
    wrong += ["--blank-cells"] if given["blank_cells"] != "keep" else []
    if wrong:
        raise click.UsageError(
            f"--as and {wrong[0]} can't be combined: the object type defines the fields and keys of the rows."
        )


@dataclass(kw_only=True)
class ObjectsImport:
    """One run of the command on a file of objects.

    Attributes:
        place: the options for the location of the jobs, for a command in a message.
    """

    source: SourceFile
    object_type: str
    domain_name: str
    short_rows: str | None
    failure_limit: FailureLimit | None
    display_name: str
    failed_rows_path: Path | None
    place: str
    is_json: bool
    is_dry_run: bool

    def run(self, importer: Importer, poll_seconds: float) -> int:
        """Load the file; returns the exit status."""
        started = time.monotonic()
        try:
            importer.find_domain(self.domain_name)
            self._print_plan()
            job_id, progress, interrupted = self._load(importer, poll_seconds)
        except (KeyboardInterrupt, CommandFault, DomainError):
            # A job that cannot continue is not left waiting for its file. The user sees why it cannot.
            with suppress(CommandFault, DomainError):
                importer.stop_job()
            raise
        samples = importer.read_samples() if self.is_dry_run else ()
        seconds = time.monotonic() - started
        failed_rows_file = None
        if progress["FailedRecords"] and self.failed_rows_path is not None:
            way = self._way_to_failed_rows(job_id)
            failed_rows_file = save_failed_rows(importer, self.failed_rows_path, progress["FailedRecords"], way)
        # The rows that an earlier load of this file left there are fixed.
        are_fixed = not self.is_dry_run and progress["Status"] == "SUCCEEDED"
        if are_fixed and self.failed_rows_path is not None and not remove_failed_rows(self.failed_rows_path):
            click.echo(f"{self.failed_rows_path} was changed during the import, so it was kept.", err=True)
        if self.is_dry_run:
            importer.discard_job()
        try:
            self._print_end(job_id, progress, seconds, failed_rows_file, samples)
        except BrokenPipeError:
            # The load has ended, whether anybody reads about it or not.
            discard_output()
        if interrupted and progress["Status"] == "STOPPED":
            return EXIT_INTERRUPTED
        return exit_status_of_job(progress["Status"])

    def _load(self, importer: Importer, poll_seconds: float) -> tuple[str, Mapping[str, Any], bool]:
        from openprofiles.cli.import_progress import ProgressDisplay

        name = self.display_name
        if self.is_dry_run:
            name = name[: _DISPLAY_NAME_MAX_LENGTH - len(DRY_RUN_MARK)] + DRY_RUN_MARK
        job_id = importer.create_object_job(self.object_type, display_name=name, options=self._options())
        with ProgressDisplay(lines=not self.is_json) as display:
            return job_id, *send_and_watch(importer, self.source, display, poll_seconds, is_dry_run=self.is_dry_run)

    def _options(self) -> JobOptions | None:
        from openprofiles.uploads.job_options import JUDGE, JobOptions
        from openprofiles.uploads.reading.file_form import FileOptions

        limit = self.failure_limit or FailureLimit()
        file: FileOptions | None = None if self.source.form.is_json_lines else self.source.form.to_options()
        options = JobOptions(
            file=file or FileOptions(),
            short_rows=self.short_rows or JUDGE,
            max_failed_records=limit.records,
            max_failed_percent=limit.percent,
        )
        return None if options == JobOptions() else options

    def _way_to_failed_rows(self, job_id: str) -> str:
        """Name the command that writes the failed rows; a dry run leaves none."""
        if self.is_dry_run:
            return ""
        return f" To get them: openprofiles jobs failed {job_id} --domain {self.domain_name}{self.place} -o FILE"

    def _print_plan(self) -> None:
        if self.is_json:
            return
        objects = f"{self.source.name} as objects of the type {self.object_type}"
        if self.is_dry_run:
            click.echo(f"Dry run of {objects} in the domain {self.domain_name}:")
        else:
            click.echo(f"Loading {objects} into the domain {self.domain_name}:")
        click.echo(f"  read as {self.source.describe_form()}")
        for line in (*self.source.describe_table(), *self.source.describe_lines_above()):
            click.echo(f"  {shown(line)}")
        for doubt in self.source.describe_doubts():
            click.echo(f"  {doubt}")

    def _print_end(
        self,
        job_id: str,
        progress: Mapping[str, Any],
        seconds: float,
        failed_rows_file: Path | None,
        samples: Sequence[Mapping[str, Any]],
    ) -> None:
        from openprofiles.cli.dry_run import describe_dry_run_end, sample_lines, sample_members

        bad_end = describe_dry_run_end(progress) if self.is_dry_run else describe_bad_end(job_id, progress)
        if bad_end is not None:
            click.echo(bad_end, err=True)
        if self.is_json:
            document: dict[str, Any] = {
                "domain": self.domain_name,
                "object_type": self.object_type,
                "job_id": None if self.is_dry_run else job_id,
                **state_members(progress),
                "seconds": round(seconds, 3),
                "file": self.source.form_json(),
                "failed_rows_file": str(failed_rows_file) if failed_rows_file else None,
            }
            if self.is_dry_run:
                document |= {"dry_run": True, "samples": [sample_members(sample) for sample in samples]}
            click.echo(json.dumps(document))
            return
        if self.is_dry_run:
            click.echo("Nothing was loaded. The result would be:")
        for line in (*_summary_lines(progress, seconds), *sample_lines(samples)):
            click.echo(line)
        if failed_rows_file:
            click.echo(f"The failed rows and their reasons are in {failed_rows_file}")
        elif progress["FailedRecords"]:
            click.echo(
                "To write the failed rows and their reasons to a file, use --failed-rows."
                if self.is_dry_run
                else f"The failed rows and their reasons are kept.{self._way_to_failed_rows(job_id)}"
            )


def _summary_lines(progress: Mapping[str, Any], seconds: float) -> Iterator[str]:
    """Format the counts of a job that has ended, and why rows failed."""
    created, updated = progress["CreatedRecords"], progress["UpdatedRecords"]
    parts = [f"{created:,} created a profile", f"{updated:,} joined one"]
    if progress["UnchangedRecords"]:
        parts.append(f"{progress['UnchangedRecords']:,} of these changed nothing")
    failed = f"{progress['FailedRecords']:,} failed"
    counts = f"{count_of(created + updated, 'object')} ingested ({', '.join(parts)}), {failed}"
    if unprocessed := unprocessed_count(progress):
        counts += f", {unprocessed:,} not processed"
    yield f"{counts} in {seconds:.1f} seconds."
    yield from notice_messages(progress)
    for line in fault_lines(progress, ""):
        yield f"  {line}"
