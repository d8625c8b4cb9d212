"""What commands do with the objects of a store, with the documents of ``openprofiles.client``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from openprofiles.errors import NotFound
from openprofiles.objects import dead_letters
from openprofiles.objects.explanation import explain_object
from openprofiles.objects.lineage import read_lineage
from openprofiles.objects.objects import scrub_profile_object
from openprofiles.profiles.session import Reading, Writing
from openprofiles.server.object_documents import (
    dead_letter_document,
    dead_letter_item,
    explanation_document,
    lineage_document,
    retry_document,
)

_LETTERS_PER_READ = 500


class LocalObjects:
    """The objects of a store; its methods are those of ``Client``.

    Args:
        reading: opens a session that reads a domain.
        writing: begins a session that writes to a domain.
    """

    def __init__(
        self,
        reading: Callable[[str], AbstractContextManager[Reading]],
        writing: Callable[[str], AbstractContextManager[Writing]],
    ) -> None:
        self._reading = reading
        self._writing = writing

    def explain_object(self, domain_name: str, object_type_name: str, content: str) -> Mapping[str, Any]:
        """Explain what an object would do if it were ingested now."""
        with self._writing(domain_name) as session:
            return explanation_document(explain_object(session, object_type_name, content))

    def get_lineage(self, domain_name: str, profile_id: str) -> Mapping[str, Any]:
        """Read where the value of each field of a profile comes from."""
        with self._reading(domain_name) as session:
            return lineage_document(read_lineage(session, profile_id))

    def list_dead_letters(self, domain_name: str) -> Iterator[Mapping[str, Any]]:
        """Yield the objects that found no profile, oldest first, without their content."""
        token = None
        while True:
            with self._reading(domain_name) as session:
                page = dead_letters.list_dead_letters(session, _LETTERS_PER_READ, token)
            yield from map(dead_letter_item, page.letters)
            token = page.next_token
            if token is None:
                return

    def get_dead_letter(self, domain_name: str, dead_letter_id: str) -> Mapping[str, Any]:
        """Read an object that found no profile."""
        with self._reading(domain_name) as session:
            return dead_letter_document(dead_letters.get_dead_letter(session, _number_of(domain_name, dead_letter_id)))

    def retry_dead_letter(self, domain_name: str, dead_letter_id: str, content: str | None = None) -> Mapping[str, Any]:
        """Ingest an object again that found no profile, perhaps as it was fixed."""
        number = _number_of(domain_name, dead_letter_id)
        with self._writing(domain_name) as session:
            return retry_document(dead_letters.retry_dead_letter(session, number, content))

    def scrub_profile_object(self, domain_name: str, profile_id: str, object_type_name: str, unique_key: str) -> None:
        """Delete an object with the fields that it has given its profile."""
        with self._writing(domain_name) as session:
            scrub_profile_object(session, profile_id, object_type_name, unique_key, falls_back=True)

    def delete_dead_letter(self, domain_name: str, dead_letter_id: str) -> None:
        """Delete an object that found no profile."""
        with self._writing(domain_name) as session:
            dead_letters.delete_dead_letter(session, _number_of(domain_name, dead_letter_id))


def _number_of(domain_name: str, dead_letter_id: str) -> int:
    """Read the id of a dead letter.

    Raises:
        NotFound: no dead letter has such an id.
    """
    if not (dead_letter_id.isascii() and dead_letter_id.isdigit() and len(dead_letter_id) < 19):
        raise NotFound(f"Domain {domain_name} has no dead letter {dead_letter_id}.")
    return int(dead_letter_id)
