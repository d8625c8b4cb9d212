"""The tables that the query of an SQL segment may read: the profiles of the domain, and the objects of each type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from openprofiles.definitions.definitions import list_all_definitions
from openprofiles.facts.standard_profile import FIELDS
from openprofiles.objects.type_definitions import OBJECT_TYPE
from openprofiles.objects.used_types import read_used_type
from openprofiles.profiles.session import Reading

PROFILE = "profile"
PROFILE_ID = "profile_id"
CREATED_AT, UPDATED_AT = "created_at", "updated_at"
# Of every table, whatever its fields are called.
OWN_COLUMNS = (PROFILE_ID, CREATED_AT, UPDATED_AT)
TEXT, MOMENT = "VARCHAR", "TIMESTAMP"

# AWS does not say what its tables are called.
_NAMES_OF_PROFILE = (PROFILE, "_profile", "profile_standard", "customer_profiles")


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A table as queries see it.

    Attributes:
        names: by which it can be called, the first of them in messages.
        columns: where each column comes from, by its name: the path of a field of profiles, the name of a field of
            objects, or the column itself.
        types: of the columns that are not texts.
        object_type: the name of the object type; None: the profiles.
        number: of the tables of the domain.
    """

    names: tuple[str, ...]
    columns: Mapping[str, str]
    types: Mapping[str, str]
    object_type: str | None = None
    number: int = 0

    @property
    def duckdb_name(self) -> str:
        """What it is called in DuckDB, which ignores the case of names."""
        return f"t{self.number}"

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.names[0]


def plain(name: str) -> str:
    """Return a name as it is compared: without case, underscores, hyphens and dots."""
    return re.sub(r"[-_. ]", "", name).lower()


def list_tables(session: Reading) -> list[SqlTable]:
    """List the tables of a domain."""
    times = {CREATED_AT: MOMENT, UPDATED_AT: MOMENT}
    fields = {snake(field.path): field.path for field in FIELDS}
    own = {PROFILE_ID: PROFILE_ID, CREATED_AT: CREATED_AT, UPDATED_AT: UPDATED_AT}
    tables = [SqlTable(_NAMES_OF_PROFILE, own | fields, times)]
    for number, definition in enumerate(list_all_definitions(session, OBJECT_TYPE), start=1):
        mapping = read_used_type(session, definition, None).mapping
        # A field of the same name as one of these cannot be asked for.
        columns = {field.name: field.name for field in mapping.fields.values()} | {
            PROFILE_ID: PROFILE_ID,
            UPDATED_AT: UPDATED_AT,
        }
        names = (definition.name.lower().replace("-", "_"), definition.name)
        tables.append(SqlTable(names, columns, {UPDATED_AT: MOMENT}, definition.name, number))
    return tables


def snake(path: str) -> str:
    """Return the column of a field: ``address_postal_code`` for ``Address.PostalCode``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path.replace(".", "_")).lower()
