"""What ``openprofiles import`` is told about what a load may do, as options of an upload job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openprofiles.cli.importer import ImportFault

if TYPE_CHECKING:
    from openprofiles.uploads.job_options import JobOptions
    from openprofiles.uploads.mappings.suggest import SuggestedField
    from openprofiles.uploads.reading.file_form import FileOptions
    from openprofiles.uploads.value_checks import ValueCheck

_KINDS = {"email": "EMAIL_ADDRESS", "phone": "PHONE_NUMBER", "number": "NUMBER", "date": "DATE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureLimit:
    """How many rows may fail: a number of them, or percent."""

    records: int | None = None
    percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPolicies:
    """The policies of one import, as they were given.

    Attributes:
        checks: as ``COLUMN=CHECK``.
        write_mode: as in ``JobOptions``, None for the default.
    """

    checks: Sequence[str] = ()
    write_mode: str | None = None
    clears_blanks: bool = False
    overwrites_hand_set: bool = False
    failure_limit: FailureLimit | None = None

    @property
    def is_default(self) -> bool:
        """Whether nothing was asked for."""
        return self == ImportPolicies()

    def to_options(self, fields: Sequence[SuggestedField], file: FileOptions | None) -> JobOptions | None:
        """The options of the job; None when there are none but the defaults.

        Raises:
            ImportFault: a check is for no column that is loaded, or there is no such check.
            InvalidRequest: a check cannot be made as it is given.
        """
        from openprofiles.uploads.job_options import CLEAR, CREATE_AND_UPDATE, KEEP, OVERWRITE, JobOptions
        from openprofiles.uploads.reading.file_form import FileOptions

        limit = self.failure_limit or FailureLimit()
        options = JobOptions(
            file=file or FileOptions(),
            write_mode=self.write_mode or CREATE_AND_UPDATE,
            blank_cells=CLEAR if self.clears_blanks else KEEP,
            hand_set_fields=OVERWRITE if self.overwrites_hand_set else KEEP,
            max_failed_records=limit.records,
            max_failed_percent=limit.percent,
            checks=_read_checks(self.checks, fields),
        )
        return None if options == JobOptions() else options


def _read_checks(given: Iterable[str], fields: Sequence[SuggestedField]) -> dict[str, ValueCheck]:
    """The checks by name of the field; those of e-mail addresses and phone numbers without being asked."""
    from openprofiles.uploads.value_checks import ValueCheck

    checks = {field.name: ValueCheck(kind=check) for field in fields if (check := field.usual_check)}
    for text in given:
        # A header may hold an equals sign itself.
        known = [field for field in fields if text.startswith(f"{field.header}=")]
        if not known:
            raise ImportFault(
                f"--check {text!r} is not COLUMN=CHECK with a column that is loaded, such as 'Points=number'."
            )
        field = max(known, key=lambda field: len(field.header))
        kind, colon, detail = text[len(field.header) + 1 :].partition(":")
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
                f"--check {text!r} names no check. There are: email, phone, number, date, one-of:a|b, pattern:REGEX, "
                "none."
            )
    return checks
