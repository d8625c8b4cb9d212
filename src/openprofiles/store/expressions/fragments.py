"""Parts of a statement with their parameters, which are always bound and never written into the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_PLACE = re.compile(r"\{([0-9]+)\}")
# Stands for a parameter; no statement has this character, but regular expressions have all that drivers use.
PARAMETER = "\0"
_MOST_IN_A_ROW = 50


@dataclass(frozen=True, slots=True)
class Sql:
    """A part of a statement, with its parameters in their order."""

    text: str
    parameters: tuple[object, ...] = ()

    def of_driver(self, dialect: str) -> str:
        """Return the text with the parameters as the driver of an engine expects them."""
        if dialect == "postgresql":
            return self.text.replace("%", "%%").replace(PARAMETER, "%s")
        return self.text.replace(PARAMETER, "?")


def sql(template: str, *values: object) -> Sql:
    """Fill in ``{0}``, ``{1}`` ... of a template: parts of statements as they are, other values as parameters."""
    parameters: list[object] = []

    def filled(found: re.Match[str]) -> str:
        value = values[int(found[1])]
        if isinstance(value, Sql):
            parameters.extend(value.parameters)
            return value.text
        parameters.append(value)
        return PARAMETER

    return Sql(_PLACE.sub(filled, template), tuple(parameters))


def all_of(parts: Sequence[Sql]) -> Sql:
    """Build the condition that all of some conditions hold."""
    return _balanced(" and ", parts) if parts else Sql("1 = 1")


def any_of(parts: Sequence[Sql]) -> Sql:
    """Build the condition that at least one of some conditions holds."""
    return _balanced(" or ", parts) if parts else Sql("1 = 0")


def _balanced(separator: str, parts: Sequence[Sql]) -> Sql:
    """Join parts in halves of halves, since SQLite limits how deep an expression is."""
    if len(parts) <= _MOST_IN_A_ROW:
        return joined(separator, parts)
    middle = len(parts) // 2
    return joined(separator, [_balanced(separator, parts[:middle]), _balanced(separator, parts[middle:])])


def joined(separator: str, parts: Iterable[Sql]) -> Sql:
    """Join parts of a statement, in brackets."""
    every = list(parts)
    text = f"({separator.join(part.text for part in every)})"
    return Sql(text, tuple(parameter for part in every for parameter in part.parameters))
