"""One run of ``openprofiles import``, whatever the rows of the file are: from the plan to the exit status."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openprofiles.cli.exit_statuses import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    CommandFault,
    discard_output,
    exit_status_of_job,
)
from openprofiles.cli.failed_rows_file import remove_failed_rows, save_failed_rows
from openprofiles.cli.importer import Importer
from openprofiles.cli.job_ids import DRY_RUN_MARK
from openprofiles.cli.job_summary import describe_bad_end, state_members
from openprofiles.cli.terminal_text import shown
from openprofiles.errors import DomainError

if TYPE_CHECKING:
    from openprofiles.cli.source_file import SourceFile

DISPLAY_NAME_MAX_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Ended:
    """An upload job, or its preview, that has ended.

    Attributes:
        progress: the document of GetProgress.
        was_interrupted: whether Ctrl-C was pressed.
    """

    job_id: str
    progress: Mapping[str, Any]
    was_interrupted: bool


@dataclass(kw_only=True)
class ImportRun(ABC):
    """One run of the command.

    Attributes:
        place: the options for the location of the jobs, for a command in a message.
    """

    source: SourceFile
    domain_name: str
    display_name: str
    failed_rows_path: Path | None
    place: str
    is_json: bool
    is_dry_run: bool

    @abstractmethod
    def load(self, importer: Importer, poll_seconds: float, at_end: ExitStack) -> Ended:
        """Print the plan, and load the file.

        Args:
            at_end: calls what has to be done once the result is known.
        """

    @abstractmethod
    def members(self, importer: Importer) -> Mapping[str, Any]:
        """Describe the import for programs, besides its result."""

    @abstractmethod
    def summary(self, progress: Mapping[str, Any], seconds: float) -> Iterable[str]:
        """Describe the result for people."""

    def notes(self) -> Iterable[str]:
        """Describe what else was done, for people."""
        return ()

    def is_refused(self, _progress: Mapping[str, Any]) -> bool:
        """Return whether the load waits, or would wait, for the decision of the user."""
        return False

    def run(self, importer: Importer, poll_seconds: float) -> int:
        """Load the file; return the exit status."""
        with ExitStack() as at_end:
            started = time.monotonic()
            try:
                ended = self.load(importer, poll_seconds, at_end)
            except (KeyboardInterrupt, CommandFault, DomainError):
                # A job that cannot continue is not left waiting for its file. The user sees why it cannot.
                with suppress(CommandFault, DomainError):
                    importer.stop_job()
                raise
            samples = importer.read_samples() if self.is_dry_run else ()
            seconds = time.monotonic() - started
            failed_rows_file = self._save_failed_rows(importer, ended)
        try:
            self._print_end(importer, ended, seconds, failed_rows_file, samples)
        except BrokenPipeError:
            # The load has ended, whether anybody reads about it or not.
            discard_output()
        status = ended.progress["Status"]
        if ended.was_interrupted and status == "STOPPED":
            return EXIT_INTERRUPTED
        return EXIT_FAILED if self.is_refused(ended.progress) else exit_status_of_job(status)

    @property
    def job_name(self) -> str:
        """Name the upload job; that of a dry run is listed as STOPPED for a day."""
        if not self.is_dry_run:
            return self.display_name
        return self.display_name[: DISPLAY_NAME_MAX_LENGTH - len(DRY_RUN_MARK)] + DRY_RUN_MARK

    def form_lines(self) -> Iterator[str]:
        """Describe how the file is read."""
        yield f"  read as {self.source.describe_form()}"
        for line in (*self.source.describe_table(), *self.source.describe_lines_above()):
            yield f"  {shown(line)}"

    def _save_failed_rows(self, importer: Importer, ended: Ended) -> Path | None:
        """Write the file of failed rows, or remove that of an earlier load."""
        path, failed_count = self.failed_rows_path, ended.progress["FailedRecords"]
        if path is None:
            return None
        if failed_count:
            return save_failed_rows(importer, path, failed_count, self._way_to_failed_rows(ended.job_id))
        # The rows that an earlier load of this file left there are fixed.
        are_fixed = not self.is_dry_run and ended.progress["Status"] == "SUCCEEDED"
        if are_fixed and not remove_failed_rows(path):
            click.echo(f"{path} was changed during the import, so it was kept.", err=True)
        return None

    def _way_to_failed_rows(self, job_id: str) -> str:
        """Name the command that writes the failed rows; a dry run leaves none."""
        if self.is_dry_run:
            return ""
        return f" To get them: openprofiles jobs failed {job_id} --domain {self.domain_name}{self.place} -o FILE"

    def _print_end(
        self,
        importer: Importer,
        ended: Ended,
        seconds: float,
        failed_rows_file: Path | None,
        samples: Sequence[Mapping[str, Any]],
    ) -> None:
        from openprofiles.cli.dry_run import describe_dry_run_end, sample_lines, sample_members

        progress = ended.progress
        bad_end = describe_dry_run_end(progress) if self.is_dry_run else describe_bad_end(ended.job_id, progress)
        if bad_end is not None:
            click.echo(bad_end, err=True)
        if self.is_refused(progress):
            click.echo(
                "Without confirmation, such an import loads nothing. To load the file anyway, use --yes.", err=True
            )
        if self.is_json:
            document: dict[str, Any] = {
                "domain": self.domain_name,
                "job_id": None if self.is_dry_run else ended.job_id,
                **state_members(progress),
                "seconds": round(seconds, 3),
                **self.members(importer),
                "failed_rows_file": str(failed_rows_file) if failed_rows_file else None,
            }
            if self.is_dry_run:
                document |= {"dry_run": True, "samples": [sample_members(sample) for sample in samples]}
            click.echo(json.dumps(document))
            return
        if self.is_dry_run:
            click.echo("Nothing was loaded. The result would be:")
        for line in (*self.summary(progress, seconds), *sample_lines(samples), *self.notes()):
            click.echo(line)
        if failed_rows_file:
            click.echo(f"The failed rows and their reasons are in {failed_rows_file}")
        elif progress["FailedRecords"] and self.failed_rows_path is None:
            click.echo(
                "To write the failed rows and their reasons to a file, use --failed-rows."
                if self.is_dry_run
                else f"The failed rows and their reasons are kept.{self._way_to_failed_rows(ended.job_id)}"
            )
