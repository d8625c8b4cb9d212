"""The options of an upload job, as they are stored with the job."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.facts.precedence import FILE, OVERWRITING_FILE, Source
from openprofiles.uploads.reading.file_form import FileOptions
from openprofiles.uploads.value_checks import ValueCheck
from openprofiles.uploads.webhook_url import parse_webhook_url

CREATE_AND_UPDATE = "CREATE_AND_UPDATE"
CREATE_ONLY = "CREATE_ONLY"
UPDATE_ONLY = "UPDATE_ONLY"

KEEP = "KEEP"
CLEAR = "CLEAR"
OVERWRITE = "OVERWRITE"
LOAD = "LOAD"
REFUSE = "REFUSE"

JUDGE = "JUDGE"
REJECT = "REJECT"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The options of one job. AWS's API does not have them, so a job that it creates has the defaults.

    Attributes:
        file: the form of the file, as far as it is not to be detected.
        write_mode: whether rows may make profiles, change them, or both. A row that may not do what it would fails.
        blank_cells: whether a blank cell leaves the field as it is, or clears it.
        short_rows: whether rows with fewer cells than the header are judged one by one, all loaded, or all rejected.
        hand_set_fields: whether what was set by hand stays, or is overwritten (and counts as loaded from then on).
        doubtful_rows: whether the job fails before anything is written if it has many rows that the user should decide
            about first (see ``uploads.notices``).
        max_failed_records, max_failed_percent: with more failed rows the job fails, before anything is written if
            they are known by then; None: no limit. 0 means all or nothing.
        checks: of values, by the name of the field in ``Fields``.
        webhook_url: called at the job's end instead of the domain's webhook; None: that one. May hold a token.

    Raises:
        InvalidRequest: the URL of the webhook is not possible.
    """

    file: FileOptions = field(default_factory=FileOptions)
    write_mode: str = CREATE_AND_UPDATE
    blank_cells: str = KEEP
    short_rows: str = JUDGE
    hand_set_fields: str = KEEP
    doubtful_rows: str = LOAD
    max_failed_records: int | None = None
    max_failed_percent: float | None = None
    checks: Mapping[str, ValueCheck] = field(default_factory=dict)
    webhook_url: str | None = None

    def __post_init__(self) -> None:
        if self.webhook_url is not None:
            parse_webhook_url(self.webhook_url)

    @property
    def source(self) -> Source:
        """What the values of the file are when they meet others."""
        return OVERWRITING_FILE if self.hand_set_fields == OVERWRITE else FILE

    def too_many_failed(self, failed_count: int, record_count: int) -> str | None:
        """Describe the limit that the failed rows exceed in a sentence; None if they exceed none."""
        if self.max_failed_records is not None and failed_count > self.max_failed_records:
            return f"{failed_count} {'row' if failed_count == 1 else 'rows'} failed (limit: {self.max_failed_records})."
        if self.max_failed_percent is not None and failed_count * 100 > self.max_failed_percent * record_count:
            return f"{failed_count} of {record_count} rows failed (limit: {self.max_failed_percent:g}%)."
        return None

    def require_fields(self, names: Collection[str]) -> None:
        """Hold the checks to the fields of a job.

        Raises:
            InvalidRequest: a check is for another field.
        """
        for name in self.checks:
            if name not in names:
                raise InvalidRequest(f"There is a check for the field {name}, which is not one of the Fields.")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> JobOptions:
        """Read the result of ``to_json``; None stands for the defaults."""
        if stored is None:
            return cls()
        checks = {
            name: ValueCheck(kind=check["kind"], values=tuple(check["values"]), pattern=check["pattern"])
            for name, check in stored.get("checks", {}).items()
        }
        return cls(**{**stored, "file": FileOptions(**stored["file"]), "checks": checks})
