"""Mappings that a domain keeps by name, for files that come again and again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.records import Domain
from openprofiles.store import saved_mappings as rows
from openprofiles.store.connections import Connection, Store
from openprofiles.store.domains import read_domain
from openprofiles.store.saved_mappings import SavedMapping, SavedMappingName
from openprofiles.uploads.jobs import Page
from openprofiles.uploads.mappings.likely_names import did_you_mean, names_like
from openprofiles.uploads.mappings.upload_mapping import read_mapping
from openprofiles.uploads.reading.file_choices import FileChoices

DEFAULT_MAPPINGS_PER_PAGE = 1000
_NAMES_IN_MESSAGE = 10

_LIST_NAME = "ListMappings"
# As the name of a domain.
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)


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
    for field in mapping.fields:
        if field.header not in known:
            raise InvalidRequest(
                f"Field {field.name} has a Source that is not in Columns. Columns must contain the whole header of the "
                "file."
            )
    with store.write() as connection:
        _hold(connection, domain)
        rows.write_mapping(
            connection,
            domain.domain_id,
            name,
            fields=fields,
            unique_key=unique_key,
            columns=columns,
            reading={} if reading is None else reading.to_json(),
            now=now,
        )
        return _find(connection, domain, name)


def get_mapping(store: Store, domain: Domain, name: str) -> SavedMapping:
    """Return the mapping of this name.

    Raises:
        NotFound: the domain has none.
    """
    with store.read() as connection:
        return _find(connection, domain, name)


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
        found = rows.list_mapping_names(connection, domain.domain_id, after_name=after, limit=limit + 1)
    token = write_token(_LIST_NAME, [found[limit - 1].name]) if len(found) > limit else None
    return Page(found[:limit], token)


def delete_mapping(store: Store, domain: Domain, name: str) -> None:
    """Keep it no longer; jobs that were made from it stay as they are.

    Raises:
        NotFound: the domain has none of this name.
    """
    with store.write() as connection:
        if not rows.delete_mapping(connection, domain.domain_id, name):
            raise _not_found(connection, domain, name)


def _hold(connection: Connection, domain: Domain) -> None:
    """Lock the domain; it was read before this transaction and may have been deleted since."""
    if read_domain(connection, domain.name, for_change=True).domain_id != domain.domain_id:
        raise NotFound(f"Domain {domain.name} was just deleted.")


def _find(connection: Connection, domain: Domain, name: str) -> SavedMapping:
    found = rows.find_mapping(connection, domain.domain_id, name)
    if found is None:
        raise _not_found(connection, domain, name)
    return found


def _not_found(connection: Connection, domain: Domain, name: str) -> NotFound:
    found = rows.list_mapping_names(connection, domain.domain_id, after_name="", limit=_NAMES_IN_MESSAGE + 1)
    known = [one.name for one in found[:_NAMES_IN_MESSAGE]]
    rest = " and more" if len(found) > _NAMES_IN_MESSAGE else ""
    others = f"It has: {', '.join(known)}{rest}." if known else "It has no saved mappings."
    return NotFound(f"The domain {domain.name} has no mapping {name}.{did_you_mean(names_like(name, known))} {others}")
