"""The form that edits a profile: the values it was opened with, what was typed, and what has to be saved.

The form carries the value that each field had when it was opened. So only what a person has changed is saved (and
counts as edited by hand), and changes that somebody else has made in the meantime are noticed.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.facts.blanks import BLANKS
from openprofiles.facts.field_labels import full_label_of, label_of
from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import FIELD_BY_PATH, FIELDS, GENDERS, PARTY_TYPES
from openprofiles.operations.profile_shapes import members_of_values
from openprofiles.server.console.profile_fields import GROUPS
from openprofiles.wire.check import Violation, describe_violations, violations
from openprofiles.wire.model import load_model

_NEW_ROWS = 2
_LONG_FROM = 80
_ATTRIBUTE = re.compile(r"attribute\.(0|[1-9]\d{0,5})\.value", re.ASCII)
_SUGGESTED = {"GenderString": GENDERS, "PartyTypeString": PARTY_TYPES}


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of the form.

    Attributes:
        was: the value when the form was opened; empty for none.
        text: the text in the control.
        note: for the reader, a change that somebody else has made in the meantime; None without one.
    """

    was: str = ""
    text: str = ""
    note: str | None = None

    @property
    def new_text(self) -> str | None:
        """The text to save; None if nothing was changed. Surrounding blanks do not count."""
        if _lines(self.text) == _lines(self.was):
            return None
        text = _lines(self.text).strip(BLANKS)
        return None if text == self.was else text

    def after(self, stored: str) -> Entry:
        """Return this field for a profile that somebody else has changed."""
        if _lines(stored) == _lines(self.was):
            return dataclasses.replace(self, note=None)
        if self.new_text is None:
            return Entry(stored, stored, "Someone else changed this. The new value is shown.")
        if self.new_text == stored:
            return Entry(stored, stored)
        return Entry(
            stored,
            self.text,
            f"Someone else changed this to: {stored}" if stored else "Someone else removed this value.",
        )


@dataclass(frozen=True, slots=True)
class Attribute:
    """One custom attribute of the form.

    Attributes:
        is_new: whether its name was typed too.
    """

    name: str
    entry: Entry
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """The content of the form.

    Attributes:
        revision: the revision of the profile that it was opened with.
        fields: all fields of the standard profile, by path.
    """

    revision: int
    fields: Mapping[str, Entry]
    attributes: tuple[Attribute, ...]

    def request(self, domain_name: str, profile_id: str) -> dict[str, Any]:
        """Return the changes as a request of UpdateProfile."""
        values = {path: text for path, entry in self.fields.items() if (text := entry.new_text) is not None}
        attributes = {one.name: text for one in self.attributes if (text := one.entry.new_text) is not None}
        request = {"DomainName": domain_name, "ProfileId": profile_id} | members_of_values(values)
        return request | ({"Attributes": attributes} if attributes else {})

    def after(self, profile: Profile) -> Draft:
        """Return the form for a profile that somebody else has changed."""
        fields = {path: entry.after(profile.values.get(path, "")) for path, entry in self.fields.items()}
        attributes = []
        for one in self.attributes:
            stored = profile.attributes.get(one.name, "")
            entry = one.entry.after(stored)
            # An attribute that was removed and not edited here is dropped; a new one may exist already.
            if one.is_new or entry.text or entry.was:
                attributes.append(Attribute(one.name, entry, one.is_new and not stored))
        known = {one.name for one in attributes}
        attributes += [
            Attribute(name, Entry(text, text, "Someone else added this."))
            for name, text in sorted(profile.attributes.items())
            if name not in known
        ]
        return Draft(profile.revision, fields, tuple(attributes))


def draft_of(profile: Profile) -> Draft:
    """Make the form for a profile."""
    return Draft(
        profile.revision,
        {field.path: Entry(text := profile.values.get(field.path, ""), text) for field in FIELDS},
        tuple(Attribute(name, Entry(text, text)) for name, text in sorted(profile.attributes.items())),
    )


def read_draft(form: Mapping[str, str]) -> Draft:
    """Read the form that a browser has sent.

    Raises:
        InvalidRequest: this is not the form of a profile.
    """
    revision = form.get("revision", "")
    if not (revision.isascii() and revision.isdigit() and len(revision) <= 18):
        raise InvalidRequest("The form is incomplete: the revision of the profile is missing. Open the profile again.")
    fields = {}
    for field in FIELDS:
        was = form.get(f"was.{field.path}", "")
        fields[field.path] = Entry(was, form.get(f"value.{field.path}", was))
    attributes = []
    for number in sorted(int(found[1]) for name in form if (found := _ATTRIBUTE.fullmatch(name))):
        is_new = f"attribute.{number}.was" not in form
        name = form.get(f"attribute.{number}.name", "")
        entry = Entry(form.get(f"attribute.{number}.was", ""), form[f"attribute.{number}.value"])
        if is_new:
            name = name.strip(BLANKS)
        if not is_new or name or entry.text:
            attributes.append(Attribute(name, entry, is_new))
    return Draft(int(revision), fields, tuple(attributes))


def faults_of(draft: Draft, request: Mapping[str, Any]) -> dict[str, str]:
    """Find errors by control id, in the order of the form, by UpdateProfile's rules.

    Args:
        request: the request of the draft.

    Raises:
        InvalidRequest: something is wrong that belongs to no control.
    """
    broken = violations(load_model().operations["UpdateProfile"].input, request)
    positions = {name: position for position, name in enumerate(request.get("Attributes", {}))}
    paths = {one.path for one in broken}
    by_path: dict[str, list[Violation]] = {}
    for violation in broken:
        by_path.setdefault(violation.path, []).append(violation)
    faults = {}
    for group in GROUPS:
        for path in group.paths:
            if path in paths:
                faults[f"value.{path}"] = _fault_of(path, draft.fields[path].new_text or "")
    counts = Counter(one.name for one in draft.attributes)
    for number, one in enumerate(draft.attributes):
        mine = by_path.get(f"Attributes[{positions.get(one.name)}]", [])
        if not one.name:
            faults[f"attribute.{number}.name"] = "This attribute has a value but no name."
        elif counts[one.name] > 1 and one.is_new:
            faults[f"attribute.{number}.name"] = "Another attribute has this name."
        elif one.is_new and not one.entry.text.strip(BLANKS):
            faults[f"attribute.{number}.value"] = "This attribute has a name but no value."
        elif any("Map keys" in violation.message for violation in mine):
            faults[f"attribute.{number}.name"] = f"The name is too long: {len(one.name)} characters (limit: 255)."
        elif mine:
            faults[f"attribute.{number}.value"] = (
                f"This is too long: {len(one.entry.new_text or '')} characters (limit: 255)."
            )
    if broken and not faults:
        raise InvalidRequest(describe_violations(broken))
    return faults


def form_groups(draft: Draft, faults: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the groups of standard fields for the template, open and folded."""
    groups = []
    for group in GROUPS:
        controls = [_control(path, draft.fields[path], faults.get(f"value.{path}")) for path in group.paths]
        is_open = [
            bool(
                one["entry"].was or one["entry"].text or one["entry"].note or one["fault"] or one["path"] in group.usual
            )
            for one in controls
        ]
        groups.append(
            {
                "title": group.title,
                "open": [one for one, shown in zip(controls, is_open, strict=True) if shown],
                "folded": [one for one, shown in zip(controls, is_open, strict=True) if not shown],
            }
        )
    return groups


def attribute_rows(draft: Draft, faults: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the custom attributes for the template, with some empty rows."""
    rows = [*draft.attributes, *(Attribute("", Entry(), is_new=True) for _ in range(_NEW_ROWS))]
    return [
        {
            "number": number,
            "name": one.name,
            "entry": one.entry,
            "is_new": one.is_new,
            "is_long": _is_long(one.entry),
            "name_fault": faults.get(f"attribute.{number}.name"),
            "fault": faults.get(f"attribute.{number}.value"),
        }
        for number, one in enumerate(rows)
    ]


def label_of_control(control_id: str, draft: Draft) -> str:
    """Name the field of a control, for the list of errors."""
    kind, _, rest = control_id.partition(".")
    if kind == "value":
        return full_label_of(rest)
    return f"Attribute {draft.attributes[int(rest.partition('.')[0])].name}".strip()


def _control(path: str, entry: Entry, fault: str | None) -> dict[str, Any]:
    field = FIELD_BY_PATH[path]
    return {
        "path": path,
        "id": f"value.{path}",
        "label": label_of(path),
        "entry": entry,
        "allowed": field.allowed_values,
        "suggested": _SUGGESTED.get(path),
        "is_long": field.max_length > 255 or _is_long(entry),
        "fault": fault,
    }


def _fault_of(path: str, text: str) -> str:
    field = FIELD_BY_PATH[path]
    if field.allowed_values is not None:
        return f"Choose {' or '.join(field.allowed_values)}. Once set, this can't be removed."
    return f"This is too long: {len(text)} characters (limit: {field.max_length})."


def _is_long(entry: Entry) -> bool:
    # A single-line input would drop line breaks.
    return any(len(text) > _LONG_FROM or "\n" in text or "\r" in text for text in (entry.was, entry.text))


def _lines(text: str) -> str:
    """Normalise line endings, which browsers change in forms."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
