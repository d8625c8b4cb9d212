"""What a caller wants of an upload job beyond its mapping, as it is kept with the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from openprofiles.uploads.file_form import FileOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The options of one job. AWS's API has none of them, so a job that it makes has the defaults.

    Attributes:
        file: the form of the file, as far as it is not to be detected.
    """

    file: FileOptions = field(default_factory=FileOptions)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> JobOptions:
        """What ``to_json`` made; None stands for the defaults."""
        return cls() if stored is None else cls(file=FileOptions(**stored["file"]))
