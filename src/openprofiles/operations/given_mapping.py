"""The mapping in a request: as AWS has it, or by the headers of the columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.mappings.suggest import Suggestion, suggest_mapping
from openprofiles.wire.check import Violation, describe_violations
from openprofiles.wire.errors import bad_request


@dataclass(frozen=True, slots=True)
class GivenMapping:
    """A mapping as CreateUploadJob takes it.

    Attributes:
        by_header: what it was made of, if the request names columns by their headers.
    """

    fields: Mapping[str, Mapping[str, str]]
    unique_key: str
    by_header: Suggestion | None = None

    def name_checks(self, options: JobOptions) -> JobOptions:
        """Name the checks of options by fields.

        Raises:
            InvalidRequest: there is a check for a column that is not loaded.
        """
        if self.by_header is None:
            return options
        names = {field.header: field.name for field in self.by_header.fields}
        for header in options.checks:
            if header not in names:
                raise InvalidRequest(f"Options.Checks has a check for {header!r}, which is not a column in Targets.")
        return replace(options, checks={names[header]: check for header, check in options.checks.items()})


def read_given_mapping(request: Mapping[str, Any], *, is_of_objects: bool = False) -> GivenMapping:
    """Read Fields or Targets, and UniqueKey.

    Args:
        is_of_objects: they are not required.

    Raises:
        WireError: one of them is missing.
        InvalidRequest: both are given, a target is not possible, or the unique key is not a column that is loaded.
    """
    targets = request.get("Targets")
    if targets is not None and "Fields" in request:
        raise InvalidRequest("Send either Fields or Targets.")
    if targets == {}:
        raise InvalidRequest("Targets is empty. It must name the columns to load.")
    needed = ("UniqueKey",) if targets is not None else ("Fields", "UniqueKey")
    if not is_of_objects and (missing := [name for name in needed if name not in request]):
        # In the words that AWS has for members that it always requires.
        raise bad_request(describe_violations([Violation(name, "Member must not be null") for name in missing]))
    if targets is None or is_of_objects:
        return GivenMapping(request.get("Fields", targets or {}), request.get("UniqueKey", ""))
    columns = request.get("Columns", list(targets))
    # Columns without a target are left out.
    suggestion = suggest_mapping(columns, dict.fromkeys(columns, "") | targets)
    key = suggestion.find_unique_key(request["UniqueKey"])
    return GivenMapping(suggestion.to_fields(), key.name, suggestion)
