"""Mappings that a domain keeps by name, for files that come again and again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from openprofiles.definitions.definitions import DefinitionKind, WholeDefinition, Writing, writing
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.records import Domain
from openprofiles.store import definitions as rows
from openprofiles.store.connections import Connection, Store
from openprofiles.store.definitions import Definition
from openprofiles.uploads.jobs import Page
from openprofiles.uploads.mappings.likely_names import did_you_mean, names_like
from openprofiles.uploads.mappings.upload_mapping import read_mapping
from openprofiles.uploads.reading.file_choices import FileChoices

MAPPING = DefinitionKind(name="mapping", noun="mapping")

DEFAULT_MAPPINGS_PER_PAGE = 1000
_NAMES_IN_MESSAGE = 10

_LIST_NAME = "ListMappings"
# As the name of a domain.
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)


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


@dataclass(frozen=True, slots=True)
class SavedMappingName:
    """A saved mapping in a list."""

    name: str
    created_at: datetime
    updated_at: datetime


def put_mapping(
    store: Store,
    domain: Domain,
    name: str,
    *,
    fields: Mapping[str, Mapping[str, str]],
    unique_key: str,
    columns: Sequence[str],
    strict: bool,
    now: datetime,
    reading: FileChoices | None = None,
) -> SavedMapping:
    """Save a mapping; it replaces one of the same name.

    Args:
        fields, unique_key: as in CreateUploadJob, and held to the same rules.
        columns: the names of all columns of the file that it is made for; a later file's header is compared with them.
        strict: accept only what AWS accepts.
        reading: what was chosen about reading the file.

    Raises:
        InvalidRequest: the name or the mapping cannot be used; the message says why.
        NotFound: the domain was deleted.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{name!r} is not a valid mapping name. Use 1 to 64 letters, digits, _ and -.")
    mapping = read_mapping(fields, unique_key, strict=strict)
    known = set(columns)
    for mapped in mapping.fields:
        if mapped.header not in known:
            raise InvalidRequest(
                f"Field {mapped.name} has a Source that is not in Columns. Columns must contain the whole header of "
                "the file."
            )
    body = {
        "fields": {key: dict(one) for key, one in fields.items()},
        "unique_key": unique_key,
        "columns": list(columns),
        "reading": {} if reading is None else reading.to_json(),
    }
    with _writing(store, domain, now) as work:
        before = rows.find_definition(work.connection, domain.domain_id, MAPPING.name, name)
        if before is None:
            return _mapping_of(work.create(name, summary={}, body=body, tags={}))
        return _mapping_of(work.change(before, body=body))


def get_mapping(store: Store, domain: Domain, name: str) -> SavedMapping:
    """Return the mapping of this name.

    Raises:
        NotFound: the domain has none.
    """
    with store.read() as connection:
        found = _find(connection, domain, name)
        return _mapping_of(WholeDefinition(found, rows.read_body(connection, found)))


def list_mappings(
    store: Store, domain: Domain, *, max_results: int | None, next_token: str | None
) -> Page[SavedMappingName]:
    """List the mappings of a domain, by name.

    Raises:
        InvalidRequest: the token is not one of this list's.
    """
    after = "" if next_token is None else str(read_token(_LIST_NAME, next_token, (str,))[0])
    limit = max_results or DEFAULT_MAPPINGS_PER_PAGE
    with store.read() as connection:
        found = rows.list_definitions(connection, domain.domain_id, MAPPING.name, after_name=after, limit=limit + 1)
    token = write_token(_LIST_NAME, [found[limit - 1].name]) if len(found) > limit else None
    return Page([SavedMappingName(one.name, one.created_at, one.updated_at) for one in found[:limit]], token)


def delete_mapping(store: Store, domain: Domain, name: str, now: datetime) -> None:
    """Delete a mapping; jobs that were made from it stay as they are.

    Raises:
        NotFound: the domain has none of this name.
    """
    with _writing(store, domain, now) as work:
        rows.mark_definition_deleted(work.connection, _find(work.connection, domain, name), now)


@contextmanager
def _writing(store: Store, domain: Domain, now: datetime) -> Iterator[Writing]:
    """Hold the domain; it was read before this transaction and may have been deleted since."""
    with writing(store, domain.name, MAPPING, now) as work:
        if work.domain.domain_id != domain.domain_id:
            raise NotFound(f"Domain {domain.name} was just deleted.")
        yield work


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


def _find(connection: Connection, domain: Domain, name: str) -> Definition:
    found = rows.find_definition(connection, domain.domain_id, MAPPING.name, name)
    if found is None:
        raise _not_found(connection, domain, name)
    return found


def _not_found(connection: Connection, domain: Domain, name: str) -> NotFound:
    limit = _NAMES_IN_MESSAGE + 1
    found = rows.list_definitions(connection, domain.domain_id, MAPPING.name, after_name="", limit=limit)
    known = [one.name for one in found[:_NAMES_IN_MESSAGE]]
    rest = " and more" if len(found) > _NAMES_IN_MESSAGE else ""
    others = f"It has: {', '.join(known)}{rest}." if known else "It has no saved mappings."
    return NotFound(f"The domain {domain.name} has no mapping {name}.{did_you_mean(names_like(name, known))} {others}")
