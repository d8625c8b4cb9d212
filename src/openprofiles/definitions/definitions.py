"""Create, read, update, delete and list the definitions of a domain, of any kind, and tag them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.domains import MAX_TAGS
from openprofiles.profiles.records import Domain
from openprofiles.store import definitions as rows
from openprofiles.store.connections import Connection, Store
from openprofiles.store.definitions import Definition, NameTaken
from openprofiles.store.domains import read_domain


def _never(_connection: Connection, _definition: Definition) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionKind:
    """A kind of definition.

    Attributes:
        name: in the store.
        noun: for people, in the singular.
        arn_part: of its ARNs, ``domains/<domain>/<arn_part>/<name>``; None: it has no ARN, so no tags either.
        is_body_needed: whether something refers to the present body, so that it is kept when another one replaces it.
    """

    name: str
    noun: str
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


@dataclass(frozen=True, slots=True)
class Writing:
    """A transaction that holds a domain's row, in which definitions of one kind are written."""

    connection: Connection
    domain: Domain
    kind: DefinitionKind
    now: datetime

    def create(
        self, name: str, *, summary: Mapping[str, Any], body: Mapping[str, Any], tags: Mapping[str, str]
    ) -> WholeDefinition:
        """Create a definition.

        Raises:
            InvalidRequest: there is one of this name.
        """
        try:
            made = rows.insert_definition(
                self.connection,
                self.domain.domain_id,
                self.kind.name,
                name,
                summary=summary,
                body=body,
                tags=tags,
                now=self.now,
            )
        except NameTaken as error:
            raise InvalidRequest(f"{self.kind.noun.capitalize()} {name} already exists") from error
        return WholeDefinition(made, body)

    def find(self, name: str) -> Definition:
        """Find a definition.

        Raises:
            NotFound: there is none of this name.
        """
        return _find(self.connection, self.domain, self.kind, name)

    def change(
        self, before: Definition, *, summary: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> WholeDefinition:
        """Change what is given, and add 1 to the version."""
        old_body = rows.read_body(self.connection, before)
        after = replace(
            before,
            summary=before.summary if summary is None else summary,
            version=before.version + 1,
            updated_at=self.now,
        )
        new_body = old_body if body is None else body
        rows.write_definition(
            self.connection, after, new_body, keeps_older=self.kind.is_body_needed(self.connection, before)
        )
        return WholeDefinition(after, new_body)

    def set_summary(self, definition: Definition, summary: Mapping[str, Any]) -> None:
        """Change what lists show of a definition because of a change of another one; its version stays."""
        rows.write_definition(self.connection, replace(definition, summary=summary), None)

    def list_all(self) -> list[Definition]:
        """List all definitions of the kind."""
        return rows.list_definitions(
            self.connection, self.domain.domain_id, self.kind.name, after_name="", limit=_MOST_DEFINITIONS
        )


# Those of one kind in a domain are few.
_MOST_DEFINITIONS = 100_000


@contextmanager
def writing(store: Store, domain_name: str, kind: DefinitionKind, now: datetime) -> Iterator[Writing]:
    """Hold a domain's row in a transaction.

    Raises:
        NotFound: the domain does not exist.
    """
    with store.write() as connection:
        yield Writing(connection, read_domain(connection, domain_name, for_change=True), kind, now)


def get_definition(store: Store, domain_name: str, kind: DefinitionKind, name: str) -> WholeDefinition:
    """Return a definition with its body.

    Raises:
        NotFound: the domain does not exist, or has none of this name.
    """
    with store.read() as connection:
        found = _find(connection, read_domain(connection, domain_name), kind, name)
        return WholeDefinition(found, rows.read_body(connection, found))


def list_definitions(
    store: Store, domain_name: str, kind: DefinitionKind, *, list_name: str, max_results: int, next_token: str | None
) -> DefinitionPage:
    """List definitions by name, without their bodies.

    Args:
        list_name: that of the operation, to which the tokens belong.

    Raises:
        NotFound: the domain does not exist.
        InvalidRequest: the token is not one of this list's.
    """
    after = "" if next_token is None else str(read_token(list_name, next_token, (str,))[0])
    with store.read() as connection:
        domain = read_domain(connection, domain_name)
        found = rows.list_definitions(connection, domain.domain_id, kind.name, after_name=after, limit=max_results + 1)
    token = write_token(list_name, [found[max_results - 1].name]) if len(found) > max_results else None
    return DefinitionPage(tuple(found[:max_results]), token)


def delete_definition(store: Store, domain_name: str, kind: DefinitionKind, name: str, now: datetime) -> None:
    """Delete a definition; its name is free at once.

    Raises:
        NotFound: the domain does not exist, or has none of this name.
    """
    with writing(store, domain_name, kind, now) as work:
        rows.mark_definition_deleted(work.connection, work.find(name), now)


def tags_of(store: Store, domain_name: str, kind: DefinitionKind, name: str) -> Mapping[str, str]:
    """Return the tags of a definition.

    Raises:
        NotFound: the domain does not exist, or has none of this name.
    """
    with store.read() as connection:
        return _find(connection, read_domain(connection, domain_name), kind, name).tags


def tag(store: Store, domain_name: str, kind: DefinitionKind, name: str, tags: Mapping[str, str]) -> None:
    """Add tags, or change the values of existing ones.

    Raises:
        NotFound: the domain does not exist, or has none of this name.
        InvalidRequest: it would have more than 50 tags.
    """
    _change_tags(store, domain_name, kind, name, lambda before: {**before, **tags})


def untag(store: Store, domain_name: str, kind: DefinitionKind, name: str, tag_keys: Collection[str]) -> None:
    """Remove tags; unknown keys are ignored.

    Raises:
        NotFound: the domain does not exist, or has none of this name.
    """
    _change_tags(
        store,
        domain_name,
        kind,
        name,
        lambda before: {key: value for key, value in before.items() if key not in tag_keys},
    )


def _change_tags(
    store: Store,
    domain_name: str,
    kind: DefinitionKind,
    name: str,
    change: Callable[[Mapping[str, str]], dict[str, str]],
) -> None:
    with store.write() as connection:
        found = _find(connection, read_domain(connection, domain_name, for_change=True), kind, name)
        tags = change(found.tags)
        if len(tags) > MAX_TAGS:
            raise InvalidRequest(
                f"{kind.noun.capitalize()} {name} would have {len(tags)} tags; a resource has at most {MAX_TAGS}. "
                "Remove some first."
            )
        rows.write_definition(connection, replace(found, tags=tags), None)


def _find(connection: Connection, domain: Domain, kind: DefinitionKind, name: str) -> Definition:
    found = rows.find_definition(connection, domain.domain_id, kind.name, name)
    if found is None:
        raise NotFound(f"{kind.noun.capitalize()} {name} does not exist in domain {domain.name}.")
    return found
