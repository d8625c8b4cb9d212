"""Create, read, update, delete and list the definitions of a domain, of any kind, and tag them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.domains import MAX_TAGS
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store import definitions as rows
from openprofiles.store.connections import Connection
from openprofiles.store.definitions import Definition, NameTaken

# Those of one kind in a domain are few.
_MOST_DEFINITIONS = 100_000


def _never(_connection: Connection, _definition: Definition) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionKind:
    """A kind of definition.

    Attributes:
        name: in the store.
        noun: for people, in the singular.
        exists_message: of the error for a name that is taken, with ``{name}``; None: in our words.
        arn_part: of its ARNs, ``domains/<domain>/<arn_part>/<name>``; None: it has no ARN, so no tags either.
        is_body_needed: whether something refers to the present body, so that it is kept when another one replaces it.
    """

    name: str
    noun: str
    exists_message: str | None = None
    arn_part: str | None = None
    is_body_needed: Callable[[Connection, Definition], bool] = _never


@dataclass(frozen=True, slots=True)
class WholeDefinition:
    """A definition with its body."""

    definition: Definition
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DefinitionPage:
    """One page of a list, by name."""

    definitions: tuple[Definition, ...]
    next_token: str | None


def create_definition(
    session: Writing,
    kind: DefinitionKind,
    name: str,
    *,
    summary: Mapping[str, Any] = MappingProxyType({}),
    body: Mapping[str, Any],
    tags: Mapping[str, str] = MappingProxyType({}),
) -> WholeDefinition:
    """Create a definition.

    Raises:
        InvalidRequest: the domain has one of this name.
    """
    try:
        made = rows.insert_definition(
            session.connection,
            session.domain.domain_id,
            kind.name,
            name,
            summary=summary,
            body=body,
            tags=tags,
            now=session.now,
        )
    except NameTaken as error:
        message = kind.exists_message or f"{kind.noun.capitalize()} {{name}} already exists"
        raise InvalidRequest(message.format(name=name)) from error
    return WholeDefinition(made, body)


def find_definition(session: Reading, kind: DefinitionKind, name: str) -> Definition:
    """Find a definition, without its body.

    Raises:
        NotFound: the domain has none of this name.
    """
    found = rows.find_definition(session.connection, session.domain.domain_id, kind.name, name)
    if found is None:
        raise NotFound(f"{kind.noun.capitalize()} {name} does not exist in domain {session.domain.name}.")
    return found


def get_definition(session: Reading, kind: DefinitionKind, name: str) -> WholeDefinition:
    """Return a definition with its body.

    Raises:
        NotFound: the domain has none of this name.
    """
    found = find_definition(session, kind, name)
    return WholeDefinition(found, rows.read_body(session.connection, found))


def list_definitions(
    session: Reading,
    kind: DefinitionKind,
    *,
    list_name: str,
    max_results: int,
    next_token: str | None = None,
) -> DefinitionPage:
    """List definitions by name, without their bodies.

    Args:
        list_name: that of the operation, to which the tokens belong.

    Raises:
        InvalidRequest: the token is not one of this list's.
    """
    after = "" if next_token is None else str(read_token(list_name, next_token, (str,))[0])
    found = rows.list_definitions(
        session.connection, session.domain.domain_id, kind.name, after_name=after, limit=max_results + 1
    )
    token = write_token(list_name, [found[max_results - 1].name]) if len(found) > max_results else None
    return DefinitionPage(tuple(found[:max_results]), token)


def list_all_definitions(session: Reading, kind: DefinitionKind) -> list[Definition]:
    """List all definitions of a kind, without their bodies."""
    domain_id = session.domain.domain_id
    return rows.list_definitions(session.connection, domain_id, kind.name, after_name="", limit=_MOST_DEFINITIONS)


def change_definition(
    session: Writing,
    kind: DefinitionKind,
    before: Definition,
    *,
    summary: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    created_with: Mapping[str, str] | None = None,
) -> WholeDefinition:
    """Change what is given, and add 1 to the version.

    Args:
        created_with: the tags of a definition that counts as created now.
    """
    connection = session.connection
    after = replace(
        before,
        tags=before.tags if created_with is None else created_with,
        created_at=before.created_at if created_with is None else session.now,
        summary=before.summary if summary is None else summary,
        version=before.version + 1,
        updated_at=session.now,
    )
    new_body = rows.read_body(connection, before) if body is None else body
    rows.write_definition(connection, after, new_body, keeps_older=kind.is_body_needed(connection, before))
    return WholeDefinition(after, new_body)


def set_summary(session: Writing, definition: Definition, summary: Mapping[str, Any]) -> None:
    """Change what lists show of a definition because of a change of another one; its version stays."""
    rows.write_definition(session.connection, replace(definition, summary=summary), None)


def delete_definition(session: Writing, kind: DefinitionKind, name: str) -> None:
    """Delete a definition; its name is free at once.

    Raises:
        NotFound: the domain has none of this name.
    """
    rows.mark_definition_deleted(session.connection, find_definition(session, kind, name), session.now)


def tag(session: Writing, kind: DefinitionKind, name: str, tags: Mapping[str, str]) -> None:
    """Add tags, or change the values of existing ones.

    Raises:
        NotFound: the domain has none of this name.
        InvalidRequest: it would have more than 50 tags.
    """
    found = find_definition(session, kind, name)
    merged = {**found.tags, **tags}
    if len(merged) > MAX_TAGS:
        raise InvalidRequest(
            f"{kind.noun.capitalize()} {name} would have {len(merged)} tags; a resource has at most {MAX_TAGS}. "
            "Remove some first."
        )
    rows.write_definition(session.connection, replace(found, tags=merged), None)


def untag(session: Writing, kind: DefinitionKind, name: str, tag_keys: Collection[str]) -> None:
    """Remove tags; unknown keys are ignored.

    Raises:
        NotFound: the domain has none of this name.
    """
    found = find_definition(session, kind, name)
    kept = {key: value for key, value in found.tags.items() if key not in tag_keys}
    rows.write_definition(session.connection, replace(found, tags=kept), None)
