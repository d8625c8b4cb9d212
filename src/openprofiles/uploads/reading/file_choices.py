"""What was chosen about reading a file, as a saved mapping keeps it for the next file of its kind."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from openprofiles.member_names import attribute_name, member_name
from openprofiles.uploads.reading.file_form import NO_HEADER, FileOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChoices:
    """Choices about reading a file; what is None was not chosen.

    Attributes:
        file: the form of a text file.
        sheet: the sheet of a workbook.
        short_rows: what happens to rows with fewer cells than the header.
        checks: as ``COLUMN=CHECK``; a later one of a column replaces an earlier one.
    """

    file: FileOptions = field(default_factory=FileOptions)
    sheet: str | None = None
    short_rows: str | None = None
    checks: tuple[str, ...] = ()

    def over(self, kept: FileChoices) -> FileChoices:
        """Fill in what was not chosen from the choices that a mapping keeps."""
        return FileChoices(
            file=replace(kept.file, **_given(self.file)),
            sheet=self.sheet if self.sheet is not None else kept.sheet,
            short_rows=self.short_rows if self.short_rows is not None else kept.short_rows,
            checks=tuple(dict.fromkeys((*kept.checks, *self.checks))),
        )

    def to_json(self) -> dict[str, Any]:
        """Write the choices as one object; what was not chosen is left out."""
        more = {"sheet": self.sheet, "short_rows": self.short_rows, "checks": list(self.checks) or None}
        return _given(self.file) | {name: value for name, value in more.items() if value is not None}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> FileChoices:
        """Read the result of ``to_json``."""
        of_file = {one.name for one in fields(FileOptions)}
        rest = {name: value for name, value in document.items() if name not in of_file}
        if "checks" in rest:
            rest["checks"] = tuple(rest["checks"])
        return cls(file=FileOptions(**{name: document[name] for name in of_file if name in document}), **rest)

    def to_document(self) -> dict[str, Any]:
        """Write the choices with the names of members of the API."""
        return {member_name(name): value for name, value in self.to_json().items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FileChoices:
        """Read the result of ``to_document``."""
        return cls.from_json({attribute_name(member): value for member, value in document.items()})

    def to_arguments(self) -> str:
        """Write the choices as arguments of ``openprofiles import``, for people."""
        return shlex.join(self._arguments())

    def _arguments(self) -> Iterator[str]:
        for name, value in self.to_json().items():
            values = value if isinstance(value, list) else [value]
            if name == "header_line" and value == NO_HEADER:
                yield "--no-header"
                continue
            for one in values:
                # Its values are in lower case there.
                text = str(one).lower() if name == "short_rows" else str(one)
                yield from (f"--{'check' if name == 'checks' else name.replace('_', '-')}", text)


def _given(options: FileOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in options.given}
