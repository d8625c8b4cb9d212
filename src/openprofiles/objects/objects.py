"""The objects of profiles: ingested, listed and deleted."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from openprofiles.errors import DomainError, InvalidRequest, NotFound
from openprofiles.facts.typed_keys import searched_key, typed_key
from openprofiles.objects.ingestion import Ingestion
from openprofiles.objects.object_text import parse_object, value_text
from openprofiles.objects.object_types import ObjectType, compile_object_type, key_forms
from openprofiles.objects.prepared_objects import PreparedObject, UsedType, prepare_object
from openprofiles.objects.removal import remove_object, scrub_object
from openprofiles.objects.standard_objects import PROFILE, standard_objects
from openprofiles.objects.templates import templates
from openprofiles.objects.type_definitions import OBJECT_TYPE, read_type_name
from openprofiles.objects.used_types import find_used_type, with_definition
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.profiles import get_profile
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store import objects as rows
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.definitions import find_definition, read_body
from openprofiles.store.objects import ProfileObject

_LIST_NAME = "ListProfileObjects"
# Above every number of an object.
_NEWEST = (1 << 63) - 1
_OBJECTS_PER_READ = 200
_OBJECTS_PER_GROUP = 64


@dataclass(frozen=True, slots=True)
class ObjectFilter:
    """A filter of a list of objects: a key of their type, and values of which any will do."""

    key_name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """A page of a profile's objects of one type, newest first; ``next_token`` is None on the last."""

    objects: tuple[ProfileObject, ...]
    next_token: str | None


@dataclass(frozen=True, slots=True)
class PutResult:
    """What became of an object of a batch: its unique key, or why it was refused."""

    unique_key: bytes | None
    error: DomainError | None

    def result(self) -> bytes:
        """Return the unique key.

        Raises:
            DomainError: the object was refused.
        """
        if self.unique_key is None:
            assert self.error is not None
            raise self.error
        return self.unique_key


# The results of the objects of one call; or why the call is refused.
CallResult: TypeAlias = list[PutResult] | DomainError


def put_object(session: Writing, type_name: str, content: str) -> bytes:
    """Ingest an object; return its unique key, also if it became a dead letter.

    Raises:
        NotFound: there is no such object type.
        InvalidRequest: the object cannot be read, or lacks its keys.
    """
    return put_objects(session, type_name, [content])[0].result()


def put_objects(session: Writing, type_name: str, contents: Sequence[str]) -> list[PutResult]:
    """Ingest objects of one type in their order, each by itself.

    Raises:
        NotFound: there is no such object type.
        InvalidRequest: it has no mapping.
    """
    return results_of(put_objects_of_calls(session, [(type_name, contents)])[0])


def put_objects_of_calls(session: Writing, calls: Sequence[tuple[str, Sequence[str]]]) -> list[CallResult]:
    """Ingest objects of several calls in their order, each by itself.

    Args:
        calls: the name of the object type, and the JSON texts of the objects, of each call.
    """
    types: dict[str, UsedType | DomainError] = {}
    results: list[CallResult] = []
    objects: list[tuple[list[PutResult], UsedType, str]] = []
    for type_name, contents in calls:
        if type_name not in types:
            types[type_name] = _find_type(session, type_name)
        found = types[type_name]
        if isinstance(found, DomainError):
            results.append(found)
        else:
            of_call: list[PutResult] = []
            results.append(of_call)
            objects += [(of_call, found, content) for content in contents]
    ingestion = Ingestion(session)
    for start in range(0, len(objects), _OBJECTS_PER_GROUP):
        part = objects[start : start + _OBJECTS_PER_GROUP]
        prepared = [_prepare(session, object_type, content) for _, object_type, content in part]
        ingestion.read_ahead([one for one in prepared if isinstance(one, PreparedObject)])
        for (of_call, _, _), one in zip(part, prepared, strict=True):
            if isinstance(one, DomainError):
                of_call.append(PutResult(None, one))
            else:
                ingestion.ingest(one)
                of_call.append(PutResult(one.unique_key, None))
    ingestion.finish()
    return results


def results_of(call: CallResult) -> list[PutResult]:
    """Return the results of a call.

    Raises:
        DomainError: the call was refused.
    """
    if isinstance(call, DomainError):
        raise call
    return call


def list_profile_objects(
    session: Reading,
    profile_id: str,
    type_name: str,
    *,
    object_filter: ObjectFilter | None = None,
    max_results: int,
    next_token: str | None = None,
) -> ObjectPage:
    """List the objects of a profile and a type, newest first.

    Raises:
        NotFound: there is no such profile or object type.
        InvalidRequest: the token is not one of this list's, or the type has no such key to filter by.
    """
    profile = get_profile(session, profile_id)
    before_no = _NEWEST if next_token is None else int(read_token(_LIST_NAME, next_token, (int,))[0])
    listed = _listed_type(session, type_name)
    is_wanted = _matcher(session, listed, object_filter)
    found: list[ProfileObject] = []
    while listed.number is not None:
        part = rows.list_objects(
            session.connection,
            profile.domain_id,
            profile.pid,
            listed.number,
            session.now,
            before_no=before_no,
            limit=_OBJECTS_PER_READ,
        )
        for one in part:
            if is_wanted(one):
                if len(found) == max_results:
                    return ObjectPage(tuple(found), write_token(_LIST_NAME, [found[-1].object_no]))
                found.append(one)
        if len(part) < _OBJECTS_PER_READ:
            break
        before_no = part[-1].object_no
    return ObjectPage(tuple(found), None)


@dataclass(frozen=True, slots=True)
class ObjectsOfType:
    """The objects of one type that a profile has.

    Attributes:
        count: expired ones are among them until the worker has removed them.
        newest: the newest ones.
    """

    type_name: str
    count: int
    newest: tuple[ProfileObject, ...]


def list_newest_objects(session: Reading, pid: int, *, per_type: int) -> list[ObjectsOfType]:
    """List the newest objects of a profile, by the name of their type."""
    counts = rows.count_by_type(session.connection, pid)
    found = [
        ObjectsOfType(
            read_type_name(session.connection, number),
            count,
            tuple(
                rows.list_objects(
                    session.connection,
                    session.domain.domain_id,
                    pid,
                    number,
                    session.now,
                    before_no=_NEWEST,
                    limit=per_type,
                )
            ),
        )
        for number, count in counts.items()
    ]
    return sorted((one for one in found if one.newest), key=lambda one: one.type_name)


def delete_profile_object(session: Writing, profile_id: str, type_name: str, unique_key_text: str) -> None:
    """Remove an object with the keys that only it gave; the fields of its profile stay.

    Raises:
        NotFound: the profile has no such object.
    """
    found = _find_object(session, profile_id, type_name, unique_key_text)
    remove_object(session, found, ChangeAction.DELETED_OBJECT, type_name)


def scrub_profile_object(
    session: Writing, profile_id: str, type_name: str, unique_key_text: str, *, falls_back: bool
) -> None:
    """Remove an object with its keys, and the fields that it has given its profile.

    Args:
        falls_back: whether a field gets the value of the best object that is left.

    Raises:
        NotFound: the profile has no such object.
        InvalidRequest: it is a standard object, which gives a profile no fields.
    """
    if type_name in standard_objects():
        raise InvalidRequest(f"{type_name} is a standard object, which gives a profile no fields. Delete it instead.")
    found = _find_object(session, profile_id, type_name, unique_key_text)
    definition = find_definition(session.connection, session.domain.domain_id, OBJECT_TYPE.name, type_name)
    assert definition is not None, "otherwise it has no objects"
    scrub_object(session, found, definition, falls_back=falls_back)


def unique_key_text(unique_key: bytes) -> str:
    """Return a unique key as the API shows it: 44 characters of base64."""
    return base64.b64encode(unique_key).decode()


def _find_object(session: Writing, profile_id: str, type_name: str, unique_key_text: str) -> ProfileObject:
    profile = get_profile(session, profile_id)
    number = _listed_type(session, type_name).number
    unique_key = _unique_key_of(unique_key_text)
    found = None
    if number is not None and unique_key is not None:
        found = rows.find_by_unique_key(session.connection, session.domain.domain_id, number, unique_key)
    if found is None or found.pid != profile.pid or found.expires_at <= session.now:
        raise NotFound(f"Profile {profile_id} has no object of the type {type_name} with this ProfileObjectUniqueKey.")
    return found


def _find_type(session: Writing, name: str) -> UsedType | DomainError:
    try:
        return with_definition(session, find_used_type(session, name))
    except DomainError as error:
        return error


def _prepare(session: Writing, object_type: UsedType, content: str) -> PreparedObject | DomainError:
    domain = session.domain
    try:
        return prepare_object(object_type, content, salt=domain.object_salt, phone_region=domain.phone_region)
    except DomainError as error:
        return error


@dataclass(frozen=True, slots=True)
class _ListedType:
    """A type whose objects are listed.

    Attributes:
        number: of its definition, or of the standard object; None: a template that was never used.
        mapping: None if it has none.
        members: of its definition.
    """

    name: str
    number: int | None
    mapping: ObjectType | None = None
    members: Mapping[str, Any] | None = None


def _listed_type(session: Reading, name: str) -> _ListedType:
    standard = standard_objects().get(name)
    if standard is not None:
        return _ListedType(name, standard.number)
    definition = find_definition(session.connection, session.domain.domain_id, OBJECT_TYPE.name, name)
    if definition is not None:
        body = read_body(session.connection, definition)
        return _ListedType(
            name, definition.definition_id, compile_object_type(body) if body.get("Keys") else None, body
        )
    if name not in templates() or name == PROFILE:
        raise NotFound(f"Object type {name} does not exist in domain {session.domain.name}.")
    return _ListedType(name, None)


def _matcher(
    session: Reading, listed: _ListedType, object_filter: ObjectFilter | None
) -> Callable[[ProfileObject], bool]:
    if object_filter is None or listed.number is None:
        return lambda _one: True
    name, values = object_filter.key_name, object_filter.values
    standard = standard_objects().get(listed.name)
    if standard is not None:
        field = standard.keys.get(name)
        if field is None:
            raise _no_such_key(listed.name, name, sorted(standard.keys))
        return lambda one: value_text(json.loads(one.content).get(field)) in values
    keys = [] if listed.mapping is None else [key for key in listed.mapping.keys if key.name == name]
    if not keys:
        known = {key.name for key in listed.mapping.keys} if listed.mapping else ()
        raise _no_such_key(listed.name, name, sorted(known))
    region = session.domain.phone_region
    forms = key_forms(listed.members or {})
    wanted = {searched_key(name, text, forms, region) for text in values}

    def matches(one: ProfileObject) -> bool:
        source = parse_object(one.content)
        for key in keys:
            texts = [
                value_text(value) if isinstance(value := field.read(source), list) else value for field in key.fields
            ]
            if (found := typed_key(name, key.form, texts, region)) is not None and found in wanted:
                return True
        return False

    return matches


def _no_such_key(type_name: str, key_name: str, known: Sequence[str]) -> InvalidRequest:
    return InvalidRequest(
        f"ObjectFilter.KeyName: the object type {type_name} has no key {key_name}. "
        f"{'Its keys are ' + ', '.join(known) + '.' if known else 'It has no keys.'}"
    )


def _unique_key_of(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
