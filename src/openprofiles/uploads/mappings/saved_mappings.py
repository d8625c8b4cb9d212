"""Mappings that a domain keeps by name, for files that come again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from openprofiles.definitions.definitions import (
    DefinitionKind,
    DefinitionPage,
    WholeDefinition,
    change_definition,
    create_definition,
    list_definitions,
)
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store import definitions as rows
from openprofiles.store.definitions import Definition
from openprofiles.uploads.mappings.likely_names import did_you_mean, names_like
from openprofiles.uploads.mappings.upload_mapping import read_mapping
from openprofiles.uploads.reading.file_choices import FileChoices

MAPPING = DefinitionKind(name="mapping", noun="mapping")

DEFAULT_MAPPINGS_PER_PAGE = 1000
_NAMES_IN_MESSAGE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMapping:
    """A mapping to save.

    Attributes:
        fields, unique_key: as in CreateUploadJob, and held to the same rules.
        columns: the names of all columns of the file that it is made for; a later file's header is compared with them.
        reading: what was chosen about reading the file.
        strict: accept only what AWS accepts.

    Raises:
        InvalidRequest: the mapping cannot be used; the message says why.
    """

    name: str
    fields: Mapping[str, Mapping[str, str]]
    unique_key: str
    columns: Sequence[str]
    reading: FileChoices = field(default_factory=FileChoices)
    strict: bool

    def __post_init__(self) -> None:
        known = set(self.columns)
        for mapped in read_mapping(self.fields, self.unique_key, strict=self.strict).fields:
            if mapped.header not in known:
                raise InvalidRequest(
                    f"Field {mapped.name} has a Source that is not in Columns. Columns must contain the whole header "
                    "of the file."
                )


@dataclass(frozen=True, slots=True)
class SavedMapping:
    """A mapping that is kept by name.

    Attributes:
        fields: as in CreateUploadJob: ``{field name: {"Source": ..., "Target": ..., "ContentType": ...}}``.
        unique_key: as in CreateUploadJob.
        columns: the names of all columns of the file that it was made for, in their order.
        reading: what was chosen about reading the file, as JSON; empty: nothing.
    """

    name: str
    fields: Mapping[str, Mapping[str, str]]
    unique_key: str
    columns: Sequence[str]
    created_at: datetime
    updated_at: datetime
    reading: Mapping[str, Any] = field(default_factory=dict)


def put_mapping(session: Writing, given: NewMapping) -> SavedMapping:
    """Save a mapping; it replaces one of the same name."""
    body = {
        "fields": {key: dict(one) for key, one in given.fields.items()},
        "unique_key": given.unique_key,
        "columns": list(given.columns),
        "reading": given.reading.to_json(),
    }
    before = rows.find_definition(session.connection, session.domain.domain_id, MAPPING.name, given.name)
    if before is None:
        return _mapping_of(create_definition(session, MAPPING, given.name, body=body))
    return _mapping_of(change_definition(session, MAPPING, before, body=body))


def get_mapping(session: Reading, name: str) -> SavedMapping:
    """Return the mapping of this name.

    Raises:
        NotFound: the domain has none.
    """
    found = _find(session, name)
    return _mapping_of(WholeDefinition(found, rows.read_body(session.connection, found)))


def list_mappings(
    session: Reading, *, max_results: int = DEFAULT_MAPPINGS_PER_PAGE, next_token: str | None = None
) -> DefinitionPage:
    """List the mappings of a domain, by name.

    Raises:
        InvalidRequest: the token is not one of this list's.
    """
    return list_definitions(session, MAPPING, list_name="ListMappings", max_results=max_results, next_token=next_token)


def delete_mapping(session: Writing, name: str) -> None:
    """Delete a mapping; jobs that were made from it stay as they are.

    Raises:
        NotFound: the domain has none of this name.
    """
    rows.mark_definition_deleted(session.connection, _find(session, name), session.now)


def _mapping_of(found: WholeDefinition) -> SavedMapping:
    definition, body = found.definition, found.body
    return SavedMapping(
        definition.name,
        body["fields"],
        body["unique_key"],
        body["columns"],
        definition.created_at,
        definition.updated_at,
        body["reading"],
    )


def _find(session: Reading, name: str) -> Definition:
    connection, domain = session.connection, session.domain
    found = rows.find_definition(connection, domain.domain_id, MAPPING.name, name)
    if found is not None:
        return found
    first = rows.list_definitions(
        connection, domain.domain_id, MAPPING.name, after_name="", limit=_NAMES_IN_MESSAGE + 1
    )
    known = [one.name for one in first[:_NAMES_IN_MESSAGE]]
    rest = " and more" if len(first) > _NAMES_IN_MESSAGE else ""
    others = f"It has: {', '.join(known)}{rest}." if known else "It has no saved mappings."
    raise NotFound(f"The domain {domain.name} has no mapping {name}.{did_you_mean(names_like(name, known))} {others}")
