"""The form in which a profile is edited: what stood in it, what was typed, and what has to be changed.

The form carries what each field held when it was made. So only what a person has changed is written (and counts as set
by hand), and what somebody else has changed meanwhile is told from it.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.operations.profile_shapes import members_of_values
from openprofiles.profiles.normal_forms import BLANKS
from openprofiles.profiles.records import Profile
from openprofiles.profiles.standard_profile import FIELD_BY_PATH, FIELDS, GENDERS, PARTY_TYPES
from openprofiles.server.console.profile_fields import GROUPS, full_label_of, label_of
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
        was: what the profile held when the form was made; empty for nothing.
        text: what stands in the control.
        note: what somebody else has made of it meanwhile, for the reader; None if they left it alone.
    """

    was: str = ""
    text: str = ""
    note: str | None = None

    @property
    def new_text(self) -> str | None:
        """The text to be written; None if nothing was changed. Blanks around it do not count."""
        if _lines(self.text) == _lines(self.was):
            return None
        text = _lines(self.text).strip(BLANKS)
        return None if text == self.was else text

    def after(self, stored: str) -> Entry:
        """The same field for a profile that somebody else has changed, with what was typed kept."""
        if _lines(stored) == _lines(self.was):
            return dataclasses.replace(self, note=None)
        if self.new_text is None:
            return Entry(stored, stored, "Somebody else has changed this; here is the new value.")
        if self.new_text == stored:
            return Entry(stored, stored)
        return Entry(stored, self.text, f"Stored now: {stored}" if stored else "Somebody else has removed the value.")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One custom attribute of the form.

    Attributes:
        is_new: its name was typed too.
    """

    name: str
    entry: Entry
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """The content of the form.

    Attributes:
        revision: of the profile that it was made from.
        fields: by path, all of the standard profile.
    """

    revision: int
    fields: Mapping[str, Entry]
    attributes: tuple[Attribute, ...]

    def request(self, domain_name: str, profile_id: str) -> dict[str, Any]:
        """What was changed, as a request of UpdateProfile."""
        values = {path: text for path, entry in self.fields.items() if (text := entry.new_text) is not None}
        attributes = {one.name: text for one in self.attributes if (text := one.entry.new_text) is not None}
        request = {"DomainName": domain_name, "ProfileId": profile_id} | members_of_values(values)
        return request | ({"Attributes": attributes} if attributes else {})

    def after(self, profile: Profile) -> Draft:
        """The form for a profile that somebody else has changed, with what was typed kept."""
        fields = {path: entry.after(profile.values.get(path, "")) for path, entry in self.fields.items()}
        attributes = []
        for one in self.attributes:
            stored = profile.attributes.get(one.name, "")
            entry = one.entry.after(stored)
            # One that is gone and that nobody touched here is gone; a new one may be there already.
            if one.is_new or entry.text or entry.was:
                attributes.append(Attribute(one.name, entry, one.is_new and not stored))
        known = {one.name for one in attributes}
        attributes += [
            Attribute(name, Entry(text, text, "Somebody else has added this."))
            for name, text in sorted(profile.attributes.items())
            if name not in known
        ]
        return Draft(profile.revision, fields, tuple(attributes))


def draft_of(profile: Profile) -> Draft:
    """The form for a profile as it stands."""
    return Draft(
        profile.revision,
        {field.path: Entry(text := profile.values.get(field.path, ""), text) for field in FIELDS},
        tuple(Attribute(name, Entry(text, text)) for name, text in sorted(profile.attributes.items())),
    )


def read_draft(form: Mapping[str, str]) -> Draft:
    """What a browser has sent.

    Raises:
        InvalidRequest: it is not this form.
    """
    revision = form.get("revision", "")
    if not (revision.isascii() and revision.isdigit() and len(revision) <= 18):
        raise InvalidRequest("The form lacks the revision of the profile. Open the profile again.")
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
    """What is wrong with the form, by the id of the control, in the order of the form; by the rules of UpdateProfile.

    Args:
        request: of the draft.

    Raises:
        InvalidRequest: something is wrong that no control has.
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
            faults[f"attribute.{number}.name"] = "There is another attribute of this name."
        elif one.is_new and not one.entry.text.strip(BLANKS):
            faults[f"attribute.{number}.value"] = "This attribute has a name but no value."
        elif any("Map keys" in violation.message for violation in mine):
            faults[f"attribute.{number}.name"] = f"The name is too long: {len(one.name)} characters of 255."
        elif mine:
            faults[f"attribute.{number}.value"] = (
                f"This is too long: {len(one.entry.new_text or '')} characters of 255."
            )
    if broken and not faults:
        raise InvalidRequest(describe_violations(broken))
    return faults


def form_groups(draft: Draft, faults: Mapping[str, str]) -> list[dict[str, Any]]:
    """The standard fields for the template: each group with what stands open and what is folded away."""
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
    """The custom attributes for the template, and some empty rows."""
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
    """The field that a control belongs to, for a list of what is wrong."""
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
        return f"This is one of {' and '.join(field.allowed_values)}, and cannot be removed once it is set."
    return f"This is too long: {len(text)} characters of {field.max_length}."


def _is_long(entry: Entry) -> bool:
    # An input of one line would swallow line ends.
    return any(len(text) > _LONG_FROM or "\n" in text or "\r" in text for text in (entry.was, entry.text))


def _lines(text: str) -> str:
    """With the line ends that browsers change in their forms made alike."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
