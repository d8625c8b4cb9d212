"""``openprofiles import``: load one file into profiles."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openprofiles.cli.exit_statuses import (
    EXIT_FAILED,
    CommandFault,
    discard_output,
)
from openprofiles.cli.failed_rows_file import (
    check_failed_rows_path,
    check_unchanged,
    default_failed_rows_path,
    has_folder,
)
from openprofiles.cli.import_objects import ObjectsImport, check_arguments
from openprofiles.cli.import_policies import FailureLimit, ImportPolicies
from openprofiles.cli.import_run import DISPLAY_NAME_MAX_LENGTH, Ended, ImportRun
from openprofiles.cli.importer import Importer, ImportFault, KeptMapping, read_kept_mapping
from openprofiles.cli.job_state import columns_of_other_values, notice_messages
from openprofiles.cli.job_summary import describe_way_past_check, summary_lines
from openprofiles.cli.job_watch import send_and_watch
from openprofiles.cli.options import (
    Name,
    UpperCaseChoice,
    domain_option,
    endpoint_url_option,
    output_option,
    settings_options,
)
from openprofiles.cli.phone_country_check import (
    GivenPhoneRegion,
    check_phone_country,
    phone_country_lines,
    weigh_phones,
)
from openprofiles.cli.place import ImportDomain, open_place
from openprofiles.cli.terminal_text import shown
from openprofiles.errors import DomainError
from openprofiles.settings import PostgresqlUrl, Settings

if TYPE_CHECKING:
    from openprofiles.cli.import_mapping import ImportMapping
    from openprofiles.cli.source_file import SourceFile
    from openprofiles.uploads.job_options import JobOptions
    from openprofiles.uploads.mappings.phone_country import PhoneCountry
    from openprofiles.uploads.reading.file_choices import FileChoices

_LOCAL_POLL_SECONDS = 0.05
_REMOTE_POLL_SECONDS = 0.25
_ARGUMENTS = "openprofiles.arguments"
_LIMIT = re.compile(r"(?P<number>[0-9]{1,9}(\.[0-9]{1,4})?)(?P<percent>%?)")


class _FailureLimit(click.ParamType[FailureLimit]):
    """A number of rows, or a share of them."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> FailureLimit:
        match = _LIMIT.fullmatch(str(value))
        if match is None or (match["percent"] and float(match["number"]) > 100):
            self.fail(f"{value!r} is neither a number of rows nor a percentage, such as 100 or 5%.", param, ctx)
        if match["percent"]:
            return FailureLimit(percent=float(match["number"]))
        if "." in match["number"]:
            self.fail(f"{value!r} is not a whole number of rows.", param, ctx)
        return FailureLimit(records=int(match["number"]))


class _Delimiter(click.ParamType[str]):
    """A character that separates cells; the tab by its name, since it is hard to type."""

    name = "delimiter"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        delimiter = {"tab": "\t", "\\t": "\t"}.get(str(value), str(value))
        if delimiter not in (",", ";", "\t", "|", "^", "~"):
            self.fail(f"{value!r} is not a delimiter. Use one of , ; | ^ ~ and tab.", param, ctx)
        return delimiter


# The options of the help, in groups; all others come last.
_OPTION_GROUPS = {
    "Columns": ("unique_key", "choices", "only", "mapping_name", "save_as", "object_type"),
    "File format": ("encoding", "delimiter", "quote", "line_ends", "header_line", "no_header", "sheet"),
    "Import rules": (
        "is_dry_run", "checks", "create_only", "update_only", "blank_cells", "short_rows", "overwrite_hand_set",
        "max_failed", "all_or_nothing", "loads_doubtful", "data_expiry_days",
    ),
    "Destination": (
        "domain", "display_name", "failed_rows_path", "endpoint_url", "data_folder", "store", "files", "master_key",
        "phone_region", "memory_limit_bytes", "undo_days", "history_content_days",
    ),
}  # fmt: skip


class _ImportCommand(click.Command):
    """A command whose help has its options in groups, and that keeps the arguments it was called with."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {
            str(param.name): record
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx))
        }
        for title, names in _OPTION_GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([records.pop(name) for name in names])
        with formatter.section("Other"):
            formatter.write_dl(list(records.values()))


@click.command("import", cls=_ImportCommand)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@domain_option(
    "Domain to import into, created if it does not exist. Without it the command only prints its suggestions.",
    required=False,
)
@click.option(
    "--unique-key",
    metavar="COLUMN",
    help="Column that identifies a customer. A row updates the profile with the same value, or creates one. Without "
    "this option the command only prints its suggestions; with --mapping the default is the unique key of the mapping.",
)
@click.option(
    "--map",
    "choices",
    multiple=True,
    metavar="COLUMN=TARGET",
    help="Load a column into this field, such as 'Login=EmailAddress' or 'Tier=Attributes.tier'; 'Notes=' excludes the "
    "column. Other columns are mapped as in --mapping or, without it, as their names and values suggest. Can be "
    "repeated.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="COLUMN,...",
    help="Load only these columns, the ones in --map, and the unique key. Can be repeated. Put a name that contains a "
    "comma in double quotes.",
)
@click.option(
    "--mapping",
    "mapping_name",
    type=Name("mapping"),
    metavar="NAME",
    help="Use the mapping saved in the domain under this name. Warns if the header has changed since.",
)
@click.option(
    "--save-mapping",
    "save_as",
    type=Name("mapping"),
    metavar="NAME",
    help="Save the mapping in the domain under this name, for the next file of its kind.",
)
@click.option(
    "--as",
    "object_type",
    metavar="TYPE",
    help="Load the rows as profile objects of this type, which defines their fields and keys. A CSV row is an object "
    "of its headers; a JSON object stays as it is.",
)
@click.option(
    "--encoding",
    metavar="NAME",
    help="Encoding of the file, such as utf-8, windows-1252 or any other of Python's text encodings.  [default: "
    "detected]",
)
@click.option(
    "--delimiter",
    type=_Delimiter(),
    metavar="CHAR",
    help="Delimiter between cells: a comma, a semicolon, a vertical bar, a caret, a tilde, or the word tab.  "
    "[default: detected]",
)
@click.option(
    "--quote",
    type=click.Choice(['"', "'", "none"]),
    help="Quotation mark around cells that contain a delimiter; none reads quotation marks as data.  "
    "[default: detected]",
)
@click.option(
    "--line-ends",
    type=UpperCaseChoice(["LF", "CRLF", "CR", "CRCRLF"]),
    help="Line endings. LF and CRLF are both accepted, whichever you choose.  [default: detected]",
)
@click.option(
    "--header-line",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Line of the header. The lines above it are skipped.  [default: detected]",
)
@click.option(
    "--no-header", is_flag=True, help="The file has no header. Its columns are called 'Column 1', 'Column 2' and so on."
)
@click.option("--sheet", metavar="NAME", help="Sheet of an Excel workbook.  [default: the first that is not hidden]")
@click.option(
    "--check",
    "checks",
    multiple=True,
    metavar="COLUMN=CHECK",
    help="Check the values in a column: email, phone, number, date, one-of:a|b, pattern:REGEX or none. Rows with other "
    "values fail. Can be repeated.  [default: email and phone for columns loaded into email and phone fields]",
)
@click.option("--create-only", is_flag=True, help="Only create profiles: rows for existing customers fail.")
@click.option("--update-only", is_flag=True, help="Only update profiles: rows for new customers fail.")
@click.option(
    "--blank-cells",
    type=click.Choice(["keep", "clear"]),
    default="keep",
    show_default=True,
    help="Whether a blank cell keeps the value of the field or clears it.",
)
@click.option(
    "--short-rows",
    type=click.Choice(["load", "reject"]),
    help="Load all rows with fewer cells than the header, or reject them all.  [default: reject those that seem to be "
    "parts of a row split by a line break, load the others]",
)
@click.option(
    "--overwrite-hand-set",
    is_flag=True,
    help="Overwrite fields that were set through the API; otherwise they are kept.",
)
@click.option(
    "--max-failed",
    type=_FailureLimit(),
    metavar="N|N%",
    help="Load nothing if more rows than this fail.",
)
@click.option("--all-or-nothing", is_flag=True, help="The same as --max-failed 0.")
@click.option(
    "--yes",
    "loads_doubtful",
    is_flag=True,
    help="Do not ask before loading many rows that overwrite customers with different names, that give customers the "
    "email addresses of others, or that may create duplicate profiles for existing customers.",
)
@click.option(
    "--dry-run",
    "is_dry_run",
    is_flag=True,
    help="Load nothing. Print what the import would do, and exit with the status it would return.",
)
@click.option(
    "--data-expiry",
    "data_expiry_days",
    type=click.IntRange(1, 1098),
    metavar="DAYS",
    help="Days until profiles expire, unless a later import updates them.  [default: as set in the domain]",
)
@click.option("--display-name", metavar="TEXT", help="Name of the upload job.  [default: the file name]")
@click.option(
    "--failed-rows",
    "failed_rows_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="File to write failed rows to, if there are any: an Excel workbook if its name ends in .xlsx, otherwise CSV.  "
    "[default: FILE.failed-rows.csv, without the .csv of FILE itself]",
)
@endpoint_url_option("Load through")
@output_option
@settings_options(
    "data_folder",
    "store",
    "files",
    "master_key",
    "phone_region",
    "memory_limit_bytes",
    "undo_days",
    "history_content_days",
)
def import_file(
    settings: Settings,
    file: Path,
    domain: str | None,
    unique_key: str | None,
    choices: tuple[str, ...],
    only: tuple[str, ...],
    mapping_name: str | None,
    save_as: str | None,
    object_type: str | None,
    encoding: str | None,
    delimiter: str | None,
    quote: str | None,
    line_ends: str | None,
    header_line: int | None,
    no_header: bool,
    sheet: str | None,
    checks: tuple[str, ...],
    create_only: bool,
    update_only: bool,
    blank_cells: str,
    short_rows: str | None,
    overwrite_hand_set: bool,
    max_failed: FailureLimit | None,
    all_or_nothing: bool,
    loads_doubtful: bool,
    is_dry_run: bool,
    data_expiry_days: int | None,
    display_name: str | None,
    failed_rows_path: Path | None,
    endpoint_url: str | None,
    output: str,
) -> None:
    """Load a customer file into profiles: CSV, Excel workbook, Parquet or JSON.

    FILE can be - for standard input. The command needs no server and no set-up: without --endpoint-url it works on the
    data folder directly, even while a server runs on it. It detects the encoding, delimiter, quotes and compression of
    the file, and suggests a field for each column from the header and the first rows. Without --domain, or without
    --unique-key or --mapping, it prints these suggestions and loads nothing. Failed rows are written to a separate
    file, each with the reason. Ctrl-C stops the job; rows that were loaded by then are kept.

    The exit status is 0 when every row was loaded, 1 when some failed, 2 when nothing was loaded or the job failed, and
    130 after Ctrl-C.

    \b
    Examples:
      openprofiles import customers.csv
      openprofiles import customers.csv --domain demo --unique-key Email --save-mapping crm
      openprofiles import customers-may.csv --domain demo --mapping crm
      openprofiles import orders.jsonl --domain demo --as Orders
      openprofiles import leads.csv --domain sales --unique-key 'Lead no' \\
        --map 'Lead no=AccountNumber' --map 'Internal notes='
    """
    from openprofiles.cli.import_mapping import choices_of_only, describe_drift, use_saved, use_suggested
    from openprofiles.cli.source_file import check_exists, open_source
    from openprofiles.uploads.reading.file_choices import FileChoices
    from openprofiles.uploads.reading.file_form import NO_HEADER, FileOptions

    for one, other, are_given in (
        ("--create-only", "--update-only", create_only and update_only),
        ("--only", "--mapping", only and mapping_name is not None),
        ("--no-header", "--header-line", no_header and header_line is not None),
        ("--all-or-nothing", "--max-failed", all_or_nothing and max_failed is not None),
        ("--dry-run", "--save-mapping", is_dry_run and save_as is not None),
    ):
        if are_given:
            raise click.UsageError(f"{one} and {other} can't be combined.")
    if domain is None and mapping_name is not None:
        raise click.UsageError("--mapping needs --domain, the domain in which the mapping is saved.")

    check_arguments(click.get_current_context())
    if failed_rows_path is not None:
        check_failed_rows_path(failed_rows_path, file)
    with ExitStack() as at_end:
        given = FileOptions(
            encoding=encoding,
            delimiter=delimiter,
            quote=quote,
            line_ends=line_ends,
            header_line=NO_HEADER if no_header else header_line,
        )
        chosen = FileChoices(
            file=given, sheet=sheet, short_rows=None if short_rows is None else short_rows.upper(), checks=checks
        )
        open_importer = cache(
            lambda: Importer(at_end.enter_context(closing(open_place(settings, endpoint_url, for_import=True))))
        )
        check_exists(file)
        # It may keep how the file is read.
        saved = read_kept_mapping(open_importer().place, domain, mapping_name) if domain and mapping_name else None
        kept = FileChoices() if saved is None else saved.reading
        region = None
        find_attributes: Callable[[], Iterable[str]] = tuple
        if domain is not None and (endpoint_url is not None or _has_store(settings)):
            place = open_importer().place
            known = place.find_domain(domain)
            region = None if known is None else known.phone_region
            find_attributes = partial(place.list_attributes, domain)
        source = at_end.enter_context(
            open_source(
                file,
                given,
                sheet,
                settings.max_upload_size_bytes,
                kept,
                [] if saved is None else saved.columns_to_find(choices),
                region or settings.phone_region,
                as_objects=object_type is not None,
            )
        )
        chosen = chosen.over(kept)
        choices = (*choices, *choices_of_only(only, choices, unique_key, source.headers))
        if object_type is None and (domain is None or (unique_key is None and mapping_name is None)):
            arguments = click.get_current_context().meta[_ARGUMENTS]
            _print_suggestion(
                source,
                choices,
                arguments,
                unique_key,
                settings.phone_region,
                find_attributes,
                checks=checks,
                has_domain=domain is not None,
                is_json=output == "json",
            )
            raise SystemExit(EXIT_FAILED)
        if mapping_name is None:
            source.require_header()
        if not source.sample.has_rows:
            notes = "".join(f" {shown(note)}" for note in source.describe_table())
            raise ImportFault(f"{source.name} has a header but no rows. Nothing was loaded.{notes}")
        # A dry run does not replace the rows of a load; a pipe has no folder.
        if failed_rows_path is None and not is_dry_run and has_folder(file):
            failed_rows_path = default_failed_rows_path(file)
        if failed_rows_path is not None:
            check_unchanged(failed_rows_path)
        poll_seconds = _REMOTE_POLL_SECONDS if endpoint_url else _LOCAL_POLL_SECONDS
        failure_limit = FailureLimit(records=0) if all_or_nothing else max_failed
        name = (display_name or Path(source.name).name)[:DISPLAY_NAME_MAX_LENGTH]
        assert domain is not None, "without it nothing is loaded"
        if object_type is not None:
            status = ObjectsImport(
                source=source,
                object_type=object_type,
                domain_name=domain,
                short_rows=chosen.short_rows,
                failure_limit=failure_limit,
                display_name=name,
                failed_rows_path=failed_rows_path,
                place=_place_arguments(settings, endpoint_url),
                is_json=output == "json",
                is_dry_run=is_dry_run,
            ).run(open_importer(), poll_seconds)
            raise SystemExit(status)
        given_region = GivenPhoneRegion.of_command(settings.phone_region)
        if saved is None or mapping_name is None:
            assert unique_key is not None, "without it nothing is loaded"
            mapping = use_suggested(source, choices, unique_key, given_region.region, find_attributes)
        else:
            mapping = use_saved(source, mapping_name, saved, choices, unique_key, given_region.region)
            if mapping.drift:
                click.echo(f"Warning: {describe_drift(source, mapping_name, mapping.drift)}", err=True)
        status = _Import(
            source=source,
            mapping=mapping,
            domain_name=domain,
            phone_region=given_region,
            policies=ImportPolicies(
                kept_checks=kept.checks,
                checks=checks,
                write_mode="CREATE_ONLY" if create_only else "UPDATE_ONLY" if update_only else None,
                clears_blanks=blank_cells == "clear",
                short_rows=chosen.short_rows,
                overwrites_hand_set=overwrite_hand_set,
                failure_limit=failure_limit,
                loads_doubtful=loads_doubtful,
            ),
            mapping_name=mapping_name,
            saved=saved,
            chosen=chosen,
            save_as=save_as,
            data_expiry_days=data_expiry_days,
            display_name=name,
            failed_rows_path=failed_rows_path,
            place=_place_arguments(settings, endpoint_url),
            is_json=output == "json",
            is_dry_run=is_dry_run,
        ).run(open_importer(), poll_seconds)
    raise SystemExit(status)


def _print_suggestion(
    source: SourceFile,
    choices: Sequence[str],
    arguments: Sequence[str],
    unique_key: str | None,
    phone_region: str,
    find_attributes: Callable[[], Iterable[str]],
    *,
    checks: Sequence[str],
    has_domain: bool,
    is_json: bool,
) -> None:
    from openprofiles.cli.import_mapping import (
        describe_displaced,
        describe_keys,
        describe_mapping,
        describe_too_many_columns,
        next_command,
        suggest_for,
        suggestion_json,
    )
    from openprofiles.cli.import_policies import read_checks

    suggestion = suggest_for(source, choices, phone_region, unique_key, find_attributes)
    country = weigh_phones(source, suggestion.fields, phone_region)
    is_given = GivenPhoneRegion.of_command(phone_region).is_given
    suggested_region = None if country is None or is_given else country.suggested
    # It is part of the command below, so it has to be right.
    chosen = None if unique_key is None else suggestion.find_unique_key(unique_key)
    command = next_command(
        arguments, suggestion, unique_key=unique_key, has_domain=has_domain, phone_region=suggested_region
    )
    if is_json:
        document = suggestion_json(source, suggestion, command)
        click.echo(json.dumps(document | {"suggested_phone_region": suggested_region}))
        return
    click.echo(f"Suggested for {source.name}, read as {source.describe_form()}:")
    for line in (*source.describe_table(), *source.describe_lines_above()):
        click.echo(f"  {shown(line)}")
    for doubt in source.describe_doubts():
        click.echo(f"  {doubt}")
    checked = read_checks(suggestion, checks)
    for line in describe_mapping(suggestion, None, checked):
        click.echo(f"  {line}")
    for field in suggestion.fields:
        check = checked.get(field.name)
        if field.is_doubtful and check is not None and check.kind == field.usual_check:
            click.echo(describe_way_past_check(check.code, field.header, is_key=field is chosen))
    for line in describe_displaced(suggestion):
        click.echo(line)
    for line in phone_country_lines(country):
        click.echo(line)
    for line in describe_keys(suggestion, chosen):
        click.echo(line)
    if not source.sample.has_rows:
        click.echo("Nothing was loaded: the file has a header but no rows.")
        return
    if (too_many := describe_too_many_columns(suggestion)) is not None:
        click.echo(f"Nothing was loaded. {too_many}")
        return
    click.echo(f"Nothing was loaded. To load it:\n  {command}")


@dataclass(kw_only=True)
class _Import(ImportRun):
    """One run of the command on a file of profiles."""

    mapping: ImportMapping
    phone_region: GivenPhoneRegion
    policies: ImportPolicies
    mapping_name: str | None
    saved: KeptMapping | None
    chosen: FileChoices
    save_as: str | None
    data_expiry_days: int | None
    phone_country: PhoneCountry | None = None
    was_saved: bool = False
    domain: ImportDomain | None = None

    def __post_init__(self) -> None:
        # Checked before anything is created; a server would say the same.
        self._options = self._make_options()

    def _make_options(self) -> JobOptions | None:
        return self.policies.to_options(self.mapping, self.source.form.to_options())

    def load(self, importer: Importer, poll_seconds: float, at_end: ExitStack) -> Ended:
        """Print the plan, and load the file."""
        self.source.check_clearing(self._options, [one.header for one in self.mapping.columns.fields])
        self.domain = domain = importer.find_or_create_domain(self.domain_name, is_dry_run=self.is_dry_run)
        if self.is_dry_run:
            at_end.callback(importer.discard, domain)
        self._check_phones(importer, domain)
        try:
            self._print_plan(domain)
        except BrokenPipeError:
            # Not silently: "import ... | head" closes the pipe before the load.
            discard_output()
            raise ImportFault("Nothing was loaded: the program that reads the output has exited.") from None
        if domain.was_created and not self.is_json:
            self._print_similar_domains(importer, domain)
        ended = self._run_job(importer, poll_seconds)
        asks = self.is_refused(ended.progress) and not self.is_dry_run and not self.is_json
        if asks and _confirm_doubtful(ended.progress):
            self.policies = replace(self.policies, loads_doubtful=True)
            self._options = self._make_options()
            ended = self._run_job(importer, poll_seconds)
        if not self.is_dry_run and not self.is_refused(ended.progress):
            self._save_mapping(importer)
        return ended

    @property
    def _days(self) -> int:
        assert self.domain is not None, "it is found before anything else"
        return self.data_expiry_days or self.domain.expiration_days

    def _run_job(self, importer: Importer, poll_seconds: float) -> Ended:
        """Run one upload job, or its preview."""
        from openprofiles.cli.import_progress import ProgressDisplay

        job_id = importer.create_job(
            self.mapping,
            display_name=self.job_name,
            data_expiry_days=self._days,
            options=self._options,
            needs_options=self.source.needs_options or not self.policies.is_default,
        )
        if importer.place.left_out_options and self._has_checks and not self.is_json:
            with suppress(BrokenPipeError):
                click.echo("This server does not support checks, so email addresses and phone numbers are not checked.")
        with ProgressDisplay(lines=not self.is_json) as display:
            watched = send_and_watch(importer, self.source, display, poll_seconds, is_dry_run=self.is_dry_run)
        return Ended(job_id, *watched)

    def _check_phones(self, importer: Importer, domain: ImportDomain) -> None:
        self.phone_country = weigh_phones(self.source, self.mapping.columns.fields, domain.phone_region)
        try:
            check_phone_country(self.phone_country, self.phone_region, domain)
        except ImportFault:
            if not self.is_dry_run:
                importer.discard(domain)
            raise

    def _print_phones(self) -> None:
        for line in phone_country_lines(self.phone_country):
            if not self.is_json or line.startswith("Warning"):
                click.echo(line, err=self.is_json)

    @property
    def _has_checks(self) -> bool:
        return self._options is not None and bool(self._options.checks)

    def is_refused(self, progress: Mapping[str, Any]) -> bool:
        """Return whether the load waits, or would wait, for the decision of the user."""
        if not any(one["Doubtful"] for one in progress.get("Notices", ())) or self.policies.loads_doubtful:
            return False
        from openprofiles.uploads.notices import is_refusal

        return self.is_dry_run or is_refusal(progress.get("Message"))

    def _save_mapping(self, importer: Importer) -> None:
        """Save the mapping if requested; if it cannot be saved, the import continues."""
        if self.save_as is None:
            return
        mapping = KeptMapping(self.mapping.fields, self.mapping.unique_key.name, self.source.headers, self.chosen)
        try:
            importer.save_mapping(self.save_as, mapping)
        except (CommandFault, DomainError) as error:
            click.echo(f"The mapping could not be saved as {self.save_as}: {error}", err=True)
        else:
            self.was_saved = True

    def _print_plan(self, domain: ImportDomain) -> None:
        from openprofiles.cli.import_mapping import describe_displaced, describe_key, describe_mapping

        if self.is_json:
            for line in describe_displaced(self.mapping.columns):
                click.echo(line, err=True)
            self._print_phones()
            return
        if self.is_dry_run:
            missing = ", which does not exist and would be created" if domain.was_created else ""
            click.echo(f"Dry run of {self.source.name} into the domain {self.domain_name}{missing}:")
        elif domain.was_created:
            click.echo(
                f"Created the domain {domain.name}. Its profiles expire {domain.expiration_days:,} days after their "
                "last change."
            )
        if not self.is_dry_run:
            click.echo(f"Loading {self.source.name} into the domain {domain.name}:")
        for line in self.form_lines():
            click.echo(line)
        if self.saved is not None and (arguments := self.saved.reading.to_arguments()):
            click.echo(f"  as saved with the mapping {self.mapping_name}, unless it does not apply: {shown(arguments)}")
        for doubt in self.source.describe_doubts():
            click.echo(f"  {doubt}")
        checked = self._options.checks if self._options is not None else {}
        for line in describe_mapping(self.mapping.columns, self.mapping.unique_key, checked):
            click.echo(f"  {line}")
        for line in describe_displaced(self.mapping.columns):
            click.echo(line)
        self._print_phones()
        click.echo(f"Unique key {shown(self.mapping.unique_key.header)}:")
        for line in describe_key(self.mapping.columns, self.mapping.unique_key):
            click.echo(f"  {line}")
        click.echo(
            f"Profiles from this import expire on {_expiry_date(self._days)} ({self._days:,} days) unless a later "
            "import updates them."
        )

    def _print_similar_domains(self, importer: Importer, created: ImportDomain) -> None:
        """Print the domains with names like that of a new one, which may be mistyped."""
        from openprofiles.uploads.mappings.likely_names import names_like

        others = [name for name in importer.place.transport.domain_names() if name != created.name]
        if like := names_like(self.domain_name, others):
            click.echo(f"Note: {self.domain_name} is a new domain. Similar names: {', '.join(like)}.", err=True)

    def members(self, importer: Importer) -> Mapping[str, Any]:
        """Describe the import for programs, besides its result."""
        assert self.domain is not None, "it is found before anything else"
        members: dict[str, Any] = {
            "domain_created": self.domain.was_created and not self.is_dry_run,
            "data_expiry_days": self._days,
            "expires_on": _expiry_date(self._days),
            "values_checked": self._has_checks and not importer.place.left_out_options,
            "unique_key": self.mapping.unique_key.header,
            "file": self.source.form_json(),
            "mapping": {field.header: field.target for field in self.mapping.columns.fields},
        }
        if self.phone_country is not None:
            members["phone_region"] = self.phone_country.region
        if self.mapping_name is not None:
            drift = self.mapping.drift
            members["header_drift"] = {"new": drift.new, "missing": drift.missing_other}
        if self.save_as is not None and not self.is_dry_run:
            members["saved_mapping"] = self.save_as if self.was_saved else None
        return members

    def notes(self) -> Iterator[str]:
        """Describe what else was done, for people."""
        if self.was_saved:
            yield (
                f"The mapping was saved as {self.save_as}. Load the next file of this kind with --mapping "
                f"{self.save_as}."
            )

    def summary(self, progress: Mapping[str, Any], seconds: float) -> Iterator[str]:
        """Describe the result for people, and how to load the values that a check refused."""
        from openprofiles.cli.value_forms import describe_form

        yield from summary_lines(progress, seconds)
        for one in progress.get("Faults", ()):
            column = one.get("Column")
            form = column and describe_form(one["Code"], column, self.source.values_of(column))
            if form:
                yield shown(form)
        for code, column in columns_of_other_values(progress):
            yield describe_way_past_check(code, column, is_key=column == self.mapping.unique_key.header)


def _confirm_doubtful(progress: Mapping[str, Any]) -> bool:
    """Ask whether to load doubtful rows; without a terminal the answer is no."""
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        return False
    for notice in notice_messages(progress):
        click.echo(notice, err=True)
    with suppress(click.Abort):
        return click.confirm("Load the file anyway?", err=True)
    return False


def _has_store(settings: Settings) -> bool:
    """Return whether there is a store. If not, looking for a domain would create one."""
    return isinstance(settings.store, PostgresqlUrl) or settings.store_path.exists()


def _place_arguments(settings: Settings, endpoint_url: str | None) -> str:
    """Repeat the options for the location of the jobs, for a command in a message."""
    if endpoint_url is not None:
        return f" --endpoint-url {shlex.quote(endpoint_url)}"
    if settings.data_folder == Settings().data_folder:
        return ""
    return f" --data {shlex.quote(str(settings.data_folder))}"


def _expiry_date(days: int) -> str:
    from openprofiles.clock import utc_now

    return (utc_now() + timedelta(days=days)).date().isoformat()
