"""Objects that found no profile: listed, tried again, and deleted."""

from __future__ import annotations

from dataclasses import dataclass

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.objects.ingestion import Ingestion
from openprofiles.objects.placement import DeadLetterCode
from openprofiles.objects.prepared_objects import prepare_object
from openprofiles.objects.used_types import find_used_type, with_definition
from openprofiles.pages import read_token, write_token
from openprofiles.profiles.session import Reading, Writing
from openprofiles.store import dead_letters as rows
from openprofiles.store.dead_letters import DeadLetter

_LIST_NAME = "ListDeadLetters"


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """A page of dead letters, oldest first; ``next_token`` is None on the last."""

    letters: tuple[DeadLetter, ...]
    next_token: str | None


def list_dead_letters(session: Reading, max_results: int, next_token: str | None = None) -> DeadLetterPage:
    """List the dead letters of a domain.

    Raises:
        InvalidRequest: the token is not one of this list's.
    """
    after_id = 0 if next_token is None else int(read_token(_LIST_NAME, next_token, (int,))[0])
    found = rows.list_dead_letters(
        session.connection, session.domain.domain_id, session.now, after_id=after_id, limit=max_results + 1
    )
    page = found[:max_results]
    token = write_token(_LIST_NAME, [page[-1].dead_letter_id]) if len(found) > max_results else None
    return DeadLetterPage(tuple(page), token)


def get_dead_letter(session: Reading, dead_letter_id: int) -> DeadLetter:
    """Return a dead letter.

    Raises:
        NotFound: the domain has no such dead letter.
    """
    found = rows.find_dead_letter(session.connection, session.domain.domain_id, dead_letter_id, session.now)
    if found is None:
        raise NotFound(f"Domain {session.domain.name} has no dead letter {dead_letter_id}.")
    return found


def has_dead_letter(session: Reading, dead_letter_id: int) -> bool:
    """Return whether the domain has this dead letter."""
    return rows.find_dead_letter(session.connection, session.domain.domain_id, dead_letter_id, session.now) is not None


def retry_dead_letter(session: Writing, dead_letter_id: int, content: str | None = None) -> DeadLetterCode | None:
    """Ingest the object of a dead letter again, by its type as it is now.

    A newer object of its unique key has removed the letter, so that it does not replace that one.

    Args:
        content: the object as it was fixed, with the same unique key; None: as it is.

    Returns:
        why it is still a dead letter; None if it has found its profile, and the letter is gone.

    Raises:
        NotFound: the domain has no such dead letter, or no longer its object type.
        InvalidRequest: the object cannot be read by its type any more, or is a different one.
    """
    letter = get_dead_letter(session, dead_letter_id)
    object_type = with_definition(session, find_used_type(session, letter.object_type))
    domain = session.domain
    try:
        prepared = prepare_object(
            object_type,
            letter.content if content is None else content,
            salt=domain.object_salt,
            phone_region=domain.phone_region,
        )
    except InvalidRequest as error:
        raise InvalidRequest(f"Dead letter {dead_letter_id}: {error}") from None
    if content is not None and prepared.unique_key != letter.unique_key:
        raise InvalidRequest(
            f"Dead letter {dead_letter_id}: The object that is given has another unique key, so it is a different "
            "object. Give the object of the dead letter, or ingest this one with PutProfileObject."
        )
    ingestion = Ingestion(session)
    rejection = ingestion.ingest(prepared).rejection
    ingestion.finish()
    if prepared.unique_key != letter.unique_key:
        # The type has another unique key now: the object has gone, or is a letter of its own.
        rows.delete_dead_letter(session.connection, dead_letter_id)
    return rejection


def delete_dead_letter(session: Writing, dead_letter_id: int) -> None:
    """Remove a dead letter with its object.

    Raises:
        NotFound: the domain has no such dead letter.
    """
    rows.delete_dead_letter(session.connection, get_dead_letter(session, dead_letter_id).dead_letter_id)
