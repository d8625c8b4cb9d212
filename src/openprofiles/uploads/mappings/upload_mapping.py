"""The mapping of an upload job: which column of the file goes to which field of the profile.

Checked when the job is created, so that a job that starts can only be wrong in its file.

Source: service model 2020-08-15, CreateUploadJob; reference, sections 2.3, 2.4 and U15 to U17.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass
from typing import NoReturn

from openprofiles.errors import InvalidRequest
from openprofiles.facts.keys import field_key_name
from openprofiles.facts.normal_forms import (
    has_finer_identity,
    identity_key,
    normal_key,
    search_form,
    sql_identity_key,
    sql_normal_key,
    sql_search_form,
)
from openprofiles.facts.standard_profile import (
    ADDRESSES,
    KEY_PATHS,
    MAX_ATTRIBUTE_NAME_LENGTH,
    MAX_VALUE_LENGTH,
    StandardField,
    attribute_of_target,
    field_of_target,
)

SOURCE_PREFIX = "_source."
TARGET_PREFIX = "_profile."

STRICT_MAX_FIELDS = 25
MAX_FIELDS = 500


@dataclass(frozen=True, slots=True)
class MappedField:
    """One entry of ``Fields``.

    Attributes:
        name: the name that the caller gave the field.
        header: the column's header, exactly as in the file.
        path: the field of the profile, twins resolved: ``EmailAddress``, ``GenderString``, ``Attributes.tier``.
    """

    name: str
    header: str
    path: str

    @property
    def standard(self) -> StandardField | None:
        """The standard field it writes to, or None for a custom attribute."""
        return field_of_target(self.path)

    @property
    def attribute(self) -> str | None:
        """The custom attribute it writes to, or None for a standard field."""
        return attribute_of_target(self.path)

    @property
    def max_length(self) -> int:
        """The longest value it takes, in code points."""
        return self.standard.max_length if self.standard else MAX_VALUE_LENGTH


@dataclass(frozen=True, slots=True)
class UploadMapping:
    """All fields of a job, in the order given, no two on one path, and the unique key.

    Attributes:
        matches_group: whether a row also belongs to a profile that has the value of its unique key in another field of
            the key's group, such as BusinessEmailAddress for EmailAddress, and values are compared as searches compare
            them, those of other fields exactly. It is inferred that AWS does this.
    """

    fields: tuple[MappedField, ...]
    unique_key: MappedField
    matches_group: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """The fields of the profile, in the order of ``fields``."""
        return tuple(field.path for field in self.fields)

    @property
    def key_name(self) -> str:
        """The key under which the store finds a profile by this job's unique key."""
        standard = self.unique_key.standard
        return (standard and standard.key_name) or field_key_name(self.unique_key.path)

    @property
    def identity_paths(self) -> tuple[str, ...]:
        """The fields in which a profile that a row belongs to has the row's unique key."""
        path = self.unique_key.path
        return KEY_PATHS.get(self.key_name, (path,)) if self.matches_group else (path,)

    @property
    def is_finer_than_search(self) -> bool:
        """Whether different unique keys may be found by the same search."""
        return not self.can_be_given if self.matches_group else has_finer_identity(self.key_name)

    def identity(self, text: str, phone_region: str) -> str | None:
        """Return the form in which the unique key is compared; None if the text gives no key."""
        if self.matches_group:
            return normal_key(self.key_name, text, phone_region) if self.can_be_given else text
        return identity_key(self.key_name, text, phone_region)

    def sql_identity(self, value: str, phone_region: str) -> str:
        """Build SQL (DuckDB) for ``identity`` of a text expression; null gives null."""
        if self.matches_group:
            return sql_normal_key(self.key_name, value, phone_region) if self.can_be_given else f"nullif({value}, '')"
        return sql_identity_key(self.key_name, value, phone_region)

    def search_form(self, identity: str) -> str:
        """Return what the index holds of a unique key in its identity form."""
        return search_form(self.key_name, identity) if self.is_finer_than_search else identity

    def sql_search_form(self, identity: str) -> str:
        """Build SQL (DuckDB) for ``search_form`` of a text expression; null gives null."""
        return sql_search_form(self.key_name, identity) if self.is_finer_than_search else identity

    @property
    def needs_key(self) -> bool:
        """Whether a row without a unique key fails."""
        return True

    @property
    def keeps_texts(self) -> bool:
        """Whether the values of rows are staged; if not, only whether they are blank."""
        return True

    @property
    def can_be_given(self) -> bool:
        """Whether AddProfileKey can give a profile the unique key."""
        return self.key_name in KEY_PATHS


def read_mapping(fields: Dict[str, Dict[str, str]], unique_key: str, *, strict: bool) -> UploadMapping:
    """Check ``Fields`` and ``UniqueKey`` of CreateUploadJob and make the mapping of them.

    Args:
        strict: apply AWS's own limit of 25 fields.

    Raises:
        InvalidRequest: naming the field at fault and what it should be. Sources and targets, which the model marks as
            sensitive, are not repeated.
    """
    if not fields:
        raise InvalidRequest("Fields is empty. Map at least the column that is the unique key.")
    if strict and len(fields) > STRICT_MAX_FIELDS:
        raise InvalidRequest(f"Fields maps {len(fields)} columns; AWS allows at most {STRICT_MAX_FIELDS}.")
    if len(fields) > MAX_FIELDS:
        raise InvalidRequest(
            f"Fields maps {len(fields)} columns; the limit is {MAX_FIELDS}. Leave out those not needed."
        )
    mapped = tuple(_read_field(name, field) for name, field in fields.items())
    by_path: dict[str, MappedField] = {}
    for field in mapped:
        other = by_path.setdefault(field.path, field)
        if other is not field:
            raise InvalidRequest(
                f"Fields {other.name} and {field.name} have the same Target. Give each a different Target."
            )
    return UploadMapping(mapped, _find_unique_key(mapped, unique_key))


def _read_field(name: str, field: Dict[str, str]) -> MappedField:
    def fail(reason: str) -> NoReturn:
        raise InvalidRequest(f"Field {name}: {reason}")

    source = field.get("Source", "")
    target = field.get("Target", "")
    # A column may have such a name, where a template was not filled.
    if "{{" in source and not source.startswith(SOURCE_PREFIX):
        fail("Source is a macro; upload jobs accept only a column, as _source.<header>.")
    if not source.startswith(SOURCE_PREFIX) or source == SOURCE_PREFIX:
        fail("Source must be _source.<header>, with the header exactly as in the file.")
    if not target.startswith(TARGET_PREFIX):
        fail("Target must begin with _profile., for example _profile.EmailAddress or _profile.Attributes.tier.")
    path = target.removeprefix(TARGET_PREFIX)
    attribute = attribute_of_target(path)
    if attribute is not None:
        if not 1 <= len(attribute) <= MAX_ATTRIBUTE_NAME_LENGTH:
            fail(f"the attribute's name in Target must have 1 to {MAX_ATTRIBUTE_NAME_LENGTH} characters.")
        return MappedField(name, source.removeprefix(SOURCE_PREFIX), path)
    if path == "ProfileId":
        fail("Target _profile.ProfileId is assigned by the service and cannot be loaded.")
    if path.split(".")[0] == "EngagementPreferences":
        fail("Target _profile.EngagementPreferences cannot be loaded by an upload job yet.")
    if path in ADDRESSES:
        fail("Target is a whole address; name one of its members, for example _profile.Address.City.")
    if path == "Attributes":
        fail("Target _profile.Attributes needs a name, for example _profile.Attributes.tier.")
    standard = field_of_target(path)
    if standard is None:
        fail("Target is not a field of the standard profile. For a custom attribute use _profile.Attributes.<name>.")
    return MappedField(name, source.removeprefix(SOURCE_PREFIX), standard.path)


def _find_unique_key(fields: tuple[MappedField, ...], unique_key: str) -> MappedField:
    standard = field_of_target(unique_key.removeprefix(TARGET_PREFIX))
    path = standard.path if standard else unique_key.removeprefix(TARGET_PREFIX)
    for candidates in (
        [field for field in fields if field.name == unique_key],
        [field for field in fields if field.path == path],
        [field for field in fields if field.header in (unique_key, unique_key.removeprefix(SOURCE_PREFIX))],
    ):
        if len(candidates) > 1:
            names = ", ".join(field.name for field in candidates)
            raise InvalidRequest(f"UniqueKey names a column that fields {names} share. Name one of these fields.")
        if candidates:
            return candidates[0]
    raise InvalidRequest(
        f"UniqueKey {unique_key} is not one of the Fields. Name one of: {', '.join(field.name for field in fields)}."
    )
