"""Decide which source wins a field: whether a writer may replace the value that another one has set.

A source wins a field unless the value in it comes from a source of a higher rank. Among equal ranks the last one wins.
A profile names the fields that a person has set (``Profile.origins``), and those that objects have given
(``Profile.sources``); every other value counts as loaded from a file, and a load writes nothing per field.

For files, the rule has two implementations, for one profile in Python and for many in SQL (DuckDB). A test compares
them. They take one list of fields: those that were set by hand by their paths, and those of objects whose type has a
SourcePriority, which no file replaces, with ``PROTECTED`` before their paths.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from openprofiles.facts.sql_text import sql_text

# Before the path of a field that no file replaces. No path begins with it.
PROTECTED = "="


@dataclass(frozen=True, slots=True)
class Source:
    """A source of values, as it takes part in a write.

    Attributes:
        rank: the higher one wins.
        is_hand: whether the fields that it gives a value are set by hand from then on.
    """

    rank: int
    is_hand: bool = False

    @property
    def always_wins(self) -> bool:
        """Whether it wins every field."""
        return self.rank >= _PERSON

    @property
    def replaces_set_by_hand(self) -> bool:
        """Whether it wins fields that were set by hand."""
        return self.rank >= _BY_HAND

    def wins(self, path: str, set_by_hand: Set[str]) -> bool:
        """Return whether it may write a field.

        Args:
            set_by_hand: the fields of the profile that were set by hand, or are protected.
        """
        if PROTECTED + path in set_by_hand:
            return self.always_wins
        return self.replaces_set_by_hand or path not in set_by_hand

    def sql_wins(self, path: str, set_by_hand: str) -> str:
        """Build an SQL condition that is equal to ``wins``.

        Args:
            set_by_hand: SQL of ``sql_set_by_hand``, or a column with it.
        """
        if self.always_wins:
            return "true"
        is_protected = f"list_contains({set_by_hand}, {sql_text(PROTECTED + path)})"
        if self.replaces_set_by_hand:
            return f"not {is_protected}"
        return f"not list_has_any({set_by_hand}, [{sql_text(path)}, {sql_text(PROTECTED + path)}])"

    def leaves_set_by_hand(self, written: Mapping[str, bool], set_by_hand: Set[str]) -> frozenset[str]:
        """Return the fields that are set by hand once it has written.

        Args:
            written: whether each field that it was to write gets a value; otherwise it is cleared.
        """
        won = {path for path in written if self.wins(path, set_by_hand)}
        return frozenset(set_by_hand - won).union(path for path in won if self.is_hand and written[path])

    def sql_leaves_set_by_hand(self, is_written: Mapping[str, str], set_by_hand: str) -> str:
        """Build SQL that is equal to ``leaves_set_by_hand`` for a source that sets nothing by hand.

        Args:
            is_written: an SQL condition for each field that it may write.
            set_by_hand: as of ``sql_wins``.
        """
        won = ", ".join(
            f"case when {condition} and {self.sql_wins(path, set_by_hand)} then {sql_text(path)} end"
            for path, condition in is_written.items()
        )
        return f"list_filter({set_by_hand}, lambda path: not list_contains([{won}], path))"


# The ranks of values that were set by hand, and of a person, who replaces everything.
_BY_HAND = 1
_PERSON = 2

# A person's value may be removed or replaced by a person, and by a job that overwrites what was set by hand.
HAND = Source(rank=_PERSON, is_hand=True)
FILE = Source(rank=0)
OVERWRITING_FILE = Source(rank=_BY_HAND)


def sql_without_protected(set_by_hand: str) -> str:
    """Build SQL for the part of a list that a profile itself keeps."""
    return f"list_filter({set_by_hand}, lambda path: not starts_with(path, {sql_text(PROTECTED)}))"


def sql_set_by_hand(origins: str) -> str:
    """Build SQL for the list of fields that a column ``origins`` names; empty if there are none."""
    return f"coalesce(from_json({origins}, '[\"VARCHAR\"]'), [])"


@dataclass(frozen=True, slots=True)
class ObjectSource:
    """An object as a source of values.

    Attributes:
        priority: the SourcePriority of its type, 1 is the best; None: it has none.
        source_at_ms: when its source has changed it last, if known.
    """

    priority: int | None
    source_at_ms: int | None

    def wins(self, path: str, set_by_hand: Set[str], owner: ObjectSource | None) -> bool:
        """Return whether it may write a field.

        Source: admin guide, "Profile matching" and "Troubleshooting"; design page of objects, O4 and O5.

        Args:
            set_by_hand: the fields of the profile that were set by hand.
            owner: the object that has given the field its value, with the present priority of its type; None: a file,
                a person, or none has.
        """
        if path in set_by_hand:
            return self.priority is not None
        if owner is None:
            return True
        if self.priority != owner.priority:
            return owner.priority is None or (self.priority is not None and self.priority < owner.priority)
        if self.source_at_ms is None or owner.source_at_ms is None:
            return True
        return self.source_at_ms >= owner.source_at_ms
