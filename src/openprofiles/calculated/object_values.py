"""The values of one object, for formulas and filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openprofiles.expressions.evaluate import ProfileValues, holds
from openprofiles.expressions.tree import Every, Expression, Field, InSegment, Not, Some, Test
from openprofiles.objects.field_sources import ReadField
from openprofiles.objects.object_text import parse_object, value_text


class ObjectValues:
    """What an object has.

    Args:
        content: its JSON text.
        fields: what reads the fields of its type, by name.
    """

    def __init__(self, content: str, fields: Mapping[str, ReadField]) -> None:
        self._document = parse_object(content)
        self._fields = fields

    def texts(self, name: str) -> list[str]:
        """List the texts of a field, or else at a path of the object; one for each item of a list."""
        read = self._fields.get(name)
        if read is not None:
            return list(_flat(read(self._document)))
        if name in self._document:
            return list(_items(self._document[name], ()))
        return list(_items(self._document, tuple(name.split("."))))


def object_holds(expression: Expression, values: ObjectValues, profile: ProfileValues) -> bool:
    """Return whether an expression of a filter holds for an object.

    A test of a field with several texts holds if one of them does; a negated one, if none is among its values.

    Args:
        profile: only for the time of the test.
    """
    if isinstance(expression, Every):
        return all(object_holds(part, values, profile) for part in expression.parts)
    if isinstance(expression, Some):
        return any(object_holds(part, values, profile) for part in expression.parts)
    if isinstance(expression, Not):
        return not object_holds(expression.part, values, profile)
    if isinstance(expression, InSegment) or not isinstance(expression.operand, Field):
        raise TypeError("Filters have tests of fields only.")
    return _test_holds(expression, expression.operand.path, values, profile)


def _test_holds(test: Test, path: str, values: ObjectValues, profile: ProfileValues) -> bool:
    texts = values.texts(path)
    if not texts:
        return test.operator.is_negated
    each = (holds(test, _with_text(profile, path, text)) for text in texts)
    return all(each) if test.operator.is_negated else any(each)


def _with_text(profile: ProfileValues, path: str, text: str) -> ProfileValues:
    return ProfileValues(
        texts={path: text},
        times=profile.times,
        now=profile.now,
        calculated=profile.calculated,
        segment=profile.segment,
        is_of_job=profile.is_of_job,
    )


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    elif value is not None:
        yield str(value)


def _items(value: Any, steps: tuple[str, ...]) -> Iterator[str]:
    """Yield the texts at a path; objects and null have none."""
    if isinstance(value, list):
        for item in value:
            yield from _items(item, steps)
    elif steps:
        if isinstance(value, dict):
            yield from _items(value.get(steps[0]), steps[1:])
    elif value is not None and not isinstance(value, dict):
        text = value_text(value)
        if text is not None:
            yield text
