"""Which keys a profile is found by: those derived from its fields, and what a change of its fields does to them.

A key is a pair of name and value in normal form. The API and the upload job share this meaning; the upload job
computes it for many profiles at a time, with the same normal forms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from openprofiles.facts.normal_forms import FIELD_KEY_PREFIX, normal_full_name, normal_key
from openprofiles.facts.standard_profile import FULL_NAME_KEY, FULL_NAME_PATHS, KEY_PATHS, attribute_of_target


class Key(NamedTuple):
    """One key: its name and its value in normal form."""

    name: str
    value: str


class SearchKey(NamedTuple):
    """A key to search by: any of its values, as the caller sent them, will do. No values find nothing."""

    name: str
    values: tuple[str, ...]


class KeyChanges(NamedTuple):
    """What a write takes from the index of one profile, and what it puts there."""

    removed: frozenset[Key]
    added: frozenset[Key]


def field_key_name(path: str) -> str:
    """Return the name of the key that indexes one field, for upload jobs."""
    return FIELD_KEY_PREFIX + path


def derived_keys(
    values: Mapping[str, str], attributes: Mapping[str, str], phone_region: str, indexed_paths: Iterable[str]
) -> frozenset[Key]:
    """Derive the keys of a profile from its fields.

    Args:
        values: by path of the standard profile.
        attributes: the custom attributes by name.
        indexed_paths: further fields that upload jobs of the domain find profiles by (``Attributes.<name>`` too).
    """
    candidates = [(name, values.get(path)) for name, paths in KEY_PATHS.items() for path in paths]
    keys = {Key(name, key) for name, text in candidates if text and (key := normal_key(name, text, phone_region))}
    if full_name := normal_full_name(*(values.get(path) for path in FULL_NAME_PATHS)):
        keys.add(Key(FULL_NAME_KEY, full_name))
    for path in indexed_paths:
        attribute = attribute_of_target(path)
        text = values.get(path) if attribute is None else attributes.get(attribute)
        if text and (key := normal_key(field_key_name(path), text, phone_region)):
            keys.add(Key(field_key_name(path), key))
    return frozenset(keys)


def key_changes(before: Set[Key], after: Set[Key], added_by_hand: Set[Key]) -> KeyChanges:
    """Compute how a change of a profile's fields changes the index.

    A key that stood before and after is left alone, even if ``DeleteProfileKey`` took it from the index: it
    comes back when its field changes. A key put in by ``AddProfileKey`` is not taken away.

    Args:
        before: the derived keys before the change.
        after: the derived keys after it.
        added_by_hand: the keys that ``AddProfileKey`` gave this profile.
    """
    return KeyChanges(removed=frozenset(before - after - added_by_hand), added=frozenset(after - before))
