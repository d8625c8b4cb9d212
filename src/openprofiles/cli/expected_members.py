"""Which customers should be in a segment, as a person wrote it down, and which are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.find_profile import NotOneProfile, find_profile_id
from openprofiles.cli.text_source import read_text
from openprofiles.cli.words import source_name

if TYPE_CHECKING:
    from openprofiles.cli.place import Place

_CUSTOMER, _MEMBER = "customer", "member"
_ANSWERS = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class ExpectedMember:
    """A line of the file: whether a customer should be in the segment."""

    line: int
    customer: str
    is_member: bool


@dataclass(frozen=True, slots=True)
class FoundMember:
    """What was found for a line.

    Attributes:
        explanation: of ExplainSegmentMembership; None: the customer was not found.
        fault: why the customer was not found.
    """

    expected: ExpectedMember
    explanation: Mapping[str, Any] | None
    fault: str | None = None

    @property
    def is_as_expected(self) -> bool:
        """Whether the customer was found, and is in the segment or is not, as expected."""
        return self.explanation is not None and self.explanation["IsMember"] is self.expected.is_member


def read_expected_members(file: Path) -> list[ExpectedMember]:
    """Read a CSV file with the columns customer and member; other columns are ignored.

    Raises:
        CommandFault: it cannot be read, has not these columns, no line, or another word than yes and no.
    """
    source = source_name(file)
    reader = csv.DictReader(io.StringIO(read_text(file).removeprefix("\ufeff"), newline=""))
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        if not {_CUSTOMER, _MEMBER} <= set(reader.fieldnames):
            raise CommandFault(
                f"{source} must be a CSV file with commas, and with the columns {_CUSTOMER} and {_MEMBER} (yes or no)."
            )
        expected = [_expected_member(row, reader.line_num, source) for row in reader]
    except csv.Error as error:
        raise CommandFault(f"Line {reader.line_num + 1} of {source} cannot be read as CSV: {error}.") from None
    if not expected:
        raise CommandFault(f"{source} has no customer below its header.")
    return expected


def _expected_member(row: Mapping[str, str | None], line: int, source: str) -> ExpectedMember:
    customer, answer = (row[_CUSTOMER] or "").strip(), (row[_MEMBER] or "").strip().lower()
    if not customer or answer not in _ANSWERS:
        raise CommandFault(f"Line {line} of {source} must have a {_CUSTOMER}, and yes or no as {_MEMBER}.")
    return ExpectedMember(line, customer, _ANSWERS[answer])


def find_members(place: Place, domain: str, segment: str, expected: Sequence[ExpectedMember]) -> Iterator[FoundMember]:
    """Find for each customer whether it is in a segment."""
    for one in expected:
        try:
            profile_id = find_profile_id(place, domain, one.customer)
        except NotOneProfile as fault:
            yield FoundMember(one, None, str(fault))
            continue
        explanation = place.own(
            "ExplainSegmentMembership", DomainName=domain, SegmentDefinitionName=segment, ProfileId=profile_id
        )
        yield FoundMember(one, explanation)
