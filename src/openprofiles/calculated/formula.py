"""What a calculated attribute is computed from: one or two fields of one object type.

Source: service model, AttributeDetails; administrator guide, "Calculated attributes".
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass

from openprofiles.errors import InvalidRequest
from openprofiles.expressions.moment_text import moment_of
from openprofiles.expressions.number_text import number_of

_FIELD = r"\{\s*([^{}.\s]+)\.([^{}\s]+)\s*\}"
_FORMULA = re.compile(rf"\s*{_FIELD}\s*(?:([-+*/])\s*{_FIELD}\s*)?\Z")
_REFERENCE = re.compile(rf"{_FIELD}\Z")


@dataclass(frozen=True, slots=True)
class Formula:
    """A field of an object type, or two with an operator between them.

    Attributes:
        type_name: the object type.
        fields: the names of one or two fields, or the paths of members of an object.
        operator: ``+``, ``-``, ``*`` or ``/``; None for one field.
    """

    type_name: str
    fields: tuple[str, ...]
    operator: str | None = None

    def value(self, texts: tuple[str, ...]) -> str | float | None:
        """Compute the value of an object from the texts of its fields; None if they do not give one.

        Two moments can be subtracted, which gives milliseconds.
        """
        if self.operator is None:
            return texts[0]
        first, second = number_of(texts[0]), number_of(texts[1])
        if first is None or second is None:
            moments = moment_of(texts[0]), moment_of(texts[1])
            if self.operator != "-" or moments[0] is None or moments[1] is None:
                return None
            return float(moments[0] - moments[1])
        result = self._combined(first, second)
        return result if result is not None and math.isfinite(result) else None

    def _combined(self, first: float, second: float) -> float | None:
        if self.operator == "+":
            return first + second
        if self.operator == "-":
            return first - second
        if self.operator == "*":
            return first * second
        return first / second if second else None


def read_formula(expression: str, names: Collection[str]) -> Formula:
    """Read the expression of a definition.

    Args:
        names: its attributes, each as ``Type.path`` or ``path``.

    Raises:
        InvalidRequest: the expression has another form, uses two object types, or other attributes than these.
    """
    found = _FORMULA.match(expression)
    if found is None:
        raise InvalidRequest(
            "AttributeDetails.Expression must be a field as {ObjectType.field}, or two fields with one of + - * / "
            "between them."
        )
    type_name, first, operator, other_type, second = found.groups()
    if other_type is not None and other_type != type_name:
        raise InvalidRequest(
            f"AttributeDetails.Expression must use the fields of one object type, not of {type_name} and {other_type}."
        )
    formula = Formula(type_name, (first,) if second is None else (first, second), operator)
    for field in formula.fields:
        if field not in names and f"{type_name}.{field}" not in names:
            raise InvalidRequest(f"AttributeDetails.Attributes must list {field}, which the expression uses.")
    for name in names:
        if name.removeprefix(f"{type_name}.") not in formula.fields and name not in formula.fields:
            raise InvalidRequest(f"AttributeDetails.Attributes lists {name}, which the expression does not use.")
    return formula


def read_reference(text: str, member: str, type_name: str) -> str:
    """Read a member such as TimestampSource, ``{ObjectType.field}``; return the field.

    Raises:
        InvalidRequest: it has another form, or is of another object type.
    """
    found = _REFERENCE.match(text.strip())
    if found is None or found[1] != type_name:
        raise InvalidRequest(f"{member} must be a field of the object type as {{{type_name}.field}}.")
    return found[2]
