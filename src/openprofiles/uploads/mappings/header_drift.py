"""Compare the header of a file with that of the file which a saved mapping was made for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from openprofiles.facts.blanks import is_blank
from openprofiles.uploads.failures.own_columns import SPREADSHEET_COLUMNS


@dataclass(frozen=True, slots=True)
class HeaderDrift:
    """The differences between two headers; the order of the columns does not count.

    Attributes:
        missing_mapped: mapped columns that the file has not; it cannot be loaded with the mapping.
        missing_other: other columns that the earlier file had and this one has not.
        new: columns that the earlier file had not.
    """

    missing_mapped: tuple[str, ...]
    missing_other: tuple[str, ...]
    new: tuple[str, ...]

    def __bool__(self) -> bool:
        """Return whether there is any difference."""
        return bool(self.missing_mapped or self.missing_other or self.new)


def compare_headers(mapped: Collection[str], before: Sequence[str], now: Sequence[str]) -> HeaderDrift:
    """Compare two headers; names are compared exactly, as a load does.

    Columns without a name do not count, nor those that the file of failed rows adds: a fixed one is loaded
    under the mapping of the file it came from.

    Args:
        mapped: the columns that are loaded.
        before: the header of the file that the mapping was made for.
        now: the header of the file at hand.
    """
    known, found = dict.fromkeys([*before, *mapped]), dict.fromkeys(now)
    missing = [header for header in known if header not in found]
    return HeaderDrift(
        missing_mapped=tuple(header for header in missing if header in mapped),
        missing_other=tuple(header for header in missing if header not in mapped and _counts(header)),
        new=tuple(header for header in found if header not in known and _counts(header)),
    )


def _counts(header: str) -> bool:
    return not is_blank(header) and header not in SPREADSHEET_COLUMNS
