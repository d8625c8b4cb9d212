"""Which object owns which field of a profile, and what a write does to that."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence

from openprofiles.facts.records import FieldSource


def owner_of(sources: Iterable[FieldSource], path: str) -> FieldSource | None:
    """Return the object that has given a field its value, if any has."""
    return next((source for source in sources if path in source.paths), None)


def without_paths(sources: Iterable[FieldSource], paths: Collection[str]) -> tuple[FieldSource, ...]:
    """Return the sources of a profile after something else has written these fields."""
    left = []
    for source in sources:
        kept = tuple(path for path in source.paths if path not in paths)
        if kept == source.paths:
            left.append(source)
        elif kept:
            left.append(dataclasses.replace(source, paths=kept))
    return tuple(left)


def with_source(sources: Sequence[FieldSource], written: FieldSource) -> tuple[FieldSource, ...]:
    """Return the sources of a profile after an object has written fields.

    What an earlier version of the object has given, and this one has not, stays its own, with its former times.
    """
    left = without_paths(sources, written.paths) if sources else ()
    paths = tuple(sorted(written.paths))
    return (*left, dataclasses.replace(written, paths=paths)) if paths else left
