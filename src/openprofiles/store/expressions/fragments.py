"""Parts of a statement with their parameters, which are always bound and never written into the text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PLACE = re.compile(r"\{([0-9]+)\}")
# Stands for a parameter; no statement has this character, but regular expressions have all that drivers use.
PARAMETER = "\0"


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


def joined(separator: str, parts: Iterable[Sql]) -> Sql:
    """Join parts of a statement, in brackets."""
    every = list(parts)
    text = f"({separator.join(part.text for part in every)})"
    return Sql(text, tuple(parameter for part in every for parameter in part.parameters))
