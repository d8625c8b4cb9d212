"""Turn the policies of ``openprofiles import`` into options of an upload job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from openprofiles.cli.importer import ImportFault

if TYPE_CHECKING:
    from openprofiles.cli.import_mapping import ImportMapping
    from openprofiles.uploads.job_options import JobOptions
    from openprofiles.uploads.mappings.suggest import Suggestion
    from openprofiles.uploads.reading.file_form import FileOptions
    from openprofiles.uploads.value_checks import ValueCheck

_KINDS = {"email": "EMAIL_ADDRESS", "phone": "PHONE_NUMBER", "number": "NUMBER", "date": "DATE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureLimit:
    """The number of rows that may fail, or their percentage."""

    records: int | None = None
    percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPolicies:
    """The policies of one import, as they were given.

    Attributes:
        checks: as ``COLUMN=CHECK``.
        kept_checks: those that a saved mapping keeps; one of a column that is not loaded does not matter.
        write_mode, short_rows: as in ``JobOptions``, None for the default.
        loads_doubtful: whether rows are loaded that the user should decide about first.
    """

    checks: Sequence[str] = ()
    kept_checks: Sequence[str] = ()
    write_mode: str | None = None
    clears_blanks: bool = False
    short_rows: str | None = None
    overwrites_hand_set: bool = False
    loads_doubtful: bool = False
    failure_limit: FailureLimit | None = None

    @property
    def is_default(self) -> bool:
        """Whether a server that supports no options can load the file."""
        return replace(self, loads_doubtful=False) == ImportPolicies()

    def to_options(self, mapping: ImportMapping, file: FileOptions | None) -> JobOptions | None:
        """Make the options of the job; None for the defaults.

        Raises:
            ImportFault: a check is for a column that is not loaded, or there is no such check.
            InvalidRequest: a check cannot be made as it is given.
        """
        from openprofiles.uploads.job_options import (
            CLEAR,
            CREATE_AND_UPDATE,
            JUDGE,
            KEEP,
            LOAD,
            OVERWRITE,
            REFUSE,
            JobOptions,
        )
        from openprofiles.uploads.reading.file_form import FileOptions

        limit = self.failure_limit or FailureLimit()
        options = JobOptions(
            file=file or FileOptions(),
            write_mode=self.write_mode or CREATE_AND_UPDATE,
            blank_cells=CLEAR if self.clears_blanks else KEEP,
            short_rows=self.short_rows or JUDGE,
            hand_set_fields=OVERWRITE if self.overwrites_hand_set else KEEP,
            doubtful_rows=LOAD if self.loads_doubtful else REFUSE,
            max_failed_records=limit.records,
            max_failed_percent=limit.percent,
            checks=read_checks(mapping.columns, self.checks, self.kept_checks),
        )
        return None if options == JobOptions() else options


def read_checks(columns: Suggestion, given: Iterable[str], kept: Iterable[str] = ()) -> dict[str, ValueCheck]:
    """Read the checks by field name, with the default ones for emails and phone numbers.

    Args:
        given, kept: as ``checks`` and ``kept_checks`` of ``ImportPolicies``.

    Raises:
        ImportFault, InvalidRequest: as ``ImportPolicies.to_options``.
    """
    from openprofiles.cli.import_mapping import split_at_header
    from openprofiles.uploads.mappings.likely_names import find_name
    from openprofiles.uploads.mappings.suggest import describe_missing_column
    from openprofiles.uploads.value_checks import ValueCheck

    fields = {field.header: field for field in columns.fields}
    left_out = {column.header: column for column in columns.left_out}
    headers = [*fields, *left_out]
    checks = {field.name: ValueCheck(kind=check) for field in columns.fields if (check := field.usual_check)}
    for text, is_kept in [*((one, True) for one in kept), *((one, False) for one in given)]:
        if "=" not in text:
            raise ImportFault(f"--check {text!r} is not of the form COLUMN=CHECK, such as 'Points=number'.")
        name, check = split_at_header(text, headers)
        header = find_name(name, headers)
        if is_kept and header not in fields:
            continue
        if header is None:
            raise ImportFault(f"--check {text!r}: {describe_missing_column(name, headers)}")
        if header not in fields:
            raise ImportFault(f"--check {text!r}: the column {header!r} is not loaded: {left_out[header].reason}.")
        field = fields[header]
        kind, colon, detail = check.partition(":")
        if kind == "none" and not colon:
            checks.pop(field.name, None)
        elif kind == "one-of" and colon:
            checks[field.name] = ValueCheck(kind="ONE_OF", values=tuple(detail.split("|")))
        elif kind == "pattern" and colon:
            checks[field.name] = ValueCheck(kind="PATTERN", pattern=detail)
        elif kind in _KINDS and not colon:
            checks[field.name] = ValueCheck(kind=_KINDS[kind])
        else:
            raise ImportFault(
                f"--check {text!r}: {check!r} is not a check. The checks are: email, phone, number, date, one-of:a|b, "
                "pattern:REGEX, none."
            )
    return checks
