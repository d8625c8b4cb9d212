"""Share what the steps need that write values into profiles.

A *target* is a row of ``pid`` and the values for the fields, in columns ``v0``, ``v1`` ... in their order: null leaves
a field as it is, and an empty text clears it if the work clears fields. ``attributes`` is the JSON object of those
values that go to custom attributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from openprofiles.bulk.leased_work import LeasedWork
from openprofiles.facts.precedence import Source
from openprofiles.facts.sql_text import sql_text
from openprofiles.facts.standard_profile import FIELD_BY_PATH, attribute_of_target
from openprofiles.store.bulk_protocols import ProfileWrite


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileWork(LeasedWork):
    """Work that writes values into profiles.

    Attributes:
        source: what its values are when they meet others.
        clears: whether an empty value, unlike a null, clears its field.
        expires_at: when what it writes expires, at the earliest.
        keeps_images: whether what is changed is kept, for an undo or for the history of profiles.
    """

    source: Source
    clears: bool
    expires_at: datetime
    keeps_images: bool

    @property
    def value_names(self) -> list[str]:
        """The columns of targets that have the values."""
        return [f"v{index}" for index in range(len(self.paths))]

    @property
    def standard_columns(self) -> dict[str, str]:
        """The columns of targets whose values go to columns of the table ``profile``, and these."""
        paths = {f"v{index}": path for index, path in enumerate(self.paths)}
        return {name: FIELD_BY_PATH[path].column for name, path in paths.items() if path in FIELD_BY_PATH}

    @property
    def attributes(self) -> dict[str, str]:
        """The columns of targets whose values go to custom attributes, and the names of these."""
        names = {f"v{index}": attribute_of_target(path) for index, path in enumerate(self.paths)}
        return {value: name for value, name in names.items() if name is not None}

    def attributes_sql(self, of_empty: str | None = "null") -> str:
        """Build SQL for a JSON object of the attributes, as the store spells it; null if there are none.

        Args:
            of_empty: what stands for an empty value, which clears; None leaves it out.
        """
        # Profiles with the same attributes are recognized by the text.
        colon, comma, attributes = ":", ",", list(self.attributes.items())
        if self.store.SPELLS_AS_JSONB:
            colon, comma = ": ", ", "
            attributes.sort(key=lambda one: (len(one[1].encode()), one[1].encode()))
        members = []
        for value_name, name in attributes:
            value = f"to_json({value_name})"
            if self.clears and of_empty is not None:
                value = f"case when {value_name} = '' then '{of_empty}' else {value} end"
            has_value = f"{value_name} <> ''" if self.clears and of_empty is None else f"{value_name} is not null"
            members.append(f"case when {has_value} then to_json({sql_text(name)}::varchar) || '{colon}' || {value} end")
        if not members:
            return "null::varchar"
        joined = f"concat_ws('{comma}', {', '.join(members)})"
        return f"case when {joined} <> '' then '{{' || {joined} || '}}' end"

    def profile_write(self, image: bytes | None = None) -> ProfileWrite:
        """Describe how a chunk writes profiles now."""
        columns = list(self.standard_columns.values())
        return ProfileWrite(columns, self.clock(), self.expires_at, self.clears, image)
