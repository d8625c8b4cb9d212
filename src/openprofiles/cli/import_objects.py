"""``openprofiles import --as``: load a file of profile objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from openprofiles.cli.import_policies import FailureLimit
from openprofiles.cli.import_run import Ended, ImportRun
from openprofiles.cli.importer import Importer
from openprofiles.cli.job_state import notice_messages, unprocessed_count
from openprofiles.cli.job_summary import fault_lines
from openprofiles.cli.job_watch import send_and_watch
from openprofiles.cli.words import count_of

if TYPE_CHECKING:
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
class ObjectsImport(ImportRun):
    """One run of the command on a file of objects."""

    object_type: str
    short_rows: str | None
    failure_limit: FailureLimit | None

    def load(self, importer: Importer, poll_seconds: float, at_end: ExitStack) -> Ended:
        """Print the plan, and load the file."""
        from openprofiles.cli.import_progress import ProgressDisplay

        importer.find_domain(self.domain_name)
        if not self.is_json:
            objects = f"{self.source.name} as objects of the type {self.object_type}"
            verb, into = ("Dry run of", "in") if self.is_dry_run else ("Loading", "into")
            click.echo(f"{verb} {objects} {into} the domain {self.domain_name}:")
            for line in (*self.form_lines(), *(f"  {doubt}" for doubt in self.source.describe_doubts())):
                click.echo(line)
        job_id = importer.create_object_job(self.object_type, display_name=self.job_name, options=self._options())
        if self.is_dry_run:
            at_end.callback(importer.discard_job)
        with ProgressDisplay(lines=not self.is_json) as display:
            watched = send_and_watch(importer, self.source, display, poll_seconds, is_dry_run=self.is_dry_run)
        return Ended(job_id, *watched)

    def members(self, _importer: Importer) -> Mapping[str, Any]:
        """Describe the import for programs, besides its result."""
        return {"object_type": self.object_type, "file": self.source.form_json()}

    def summary(self, progress: Mapping[str, Any], seconds: float) -> Iterator[str]:
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
