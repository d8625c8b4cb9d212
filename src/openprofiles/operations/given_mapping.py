"""The mapping in a request: as AWS has it, or by the headers of the columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

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
        checks = {self.by_header.find_unique_key(header).name: check for header, check in options.checks.items()}
        return replace(options, checks=checks)


def read_given_mapping(request: Mapping[str, Any]) -> GivenMapping:
    """Read Fields or Targets, and UniqueKey.

    Raises:
        WireError: one of them is missing.
        InvalidRequest: a target is not possible, or the unique key is not a column that is loaded.
    """
    targets = request.get("Targets")
    needed = ("UniqueKey",) if targets is not None else ("Fields", "UniqueKey")
    if missing := [name for name in needed if name not in request]:
        # In the words that AWS has for members that it always requires.
        raise bad_request(describe_violations([Violation(name, "Member must not be null") for name in missing]))
    if targets is None:
        return GivenMapping(request["Fields"], request["UniqueKey"])
    columns = request.get("Columns", list(targets))
    # Columns without a target are left out.
    suggestion = suggest_mapping(columns, dict.fromkeys(columns, "") | targets)
    key = suggestion.find_unique_key(request["UniqueKey"])
    return GivenMapping(suggestion.to_fields(), key.name, suggestion)
