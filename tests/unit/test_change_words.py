"""The words that people read for the changes of a profile."""

from __future__ import annotations

import pytest

from openprofiles.store.change_actions import ChangeAction, action_words


@pytest.mark.parametrize(
    ("action", "object_type", "words"),
    [
        (ChangeAction.CREATED, None, "created"),
        (ChangeAction.INGESTED, None, "updated by an import"),
        (ChangeAction.INGESTED, "Orders", "Orders object ingested"),
        (ChangeAction.DELETED, None, "deleted"),
        (ChangeAction.DELETED_OBJECT, "Orders", "Orders object deleted"),
        (ChangeAction.EXPIRED_OBJECT, "_order", "_order object expired"),
        (ChangeAction.UPDATED, None, "updated"),
        (ChangeAction.UPDATED, "Orders", "Orders object deleted with its fields"),
    ],
)
def test_a_change_that_an_object_made_names_its_type(action: ChangeAction, object_type: str | None, words: str) -> None:
    assert action_words(action.api_name, object_type) == words


def test_an_action_of_a_newer_server_is_shown_as_it_is() -> None:
    assert action_words("MERGED", None) == "MERGED"


@pytest.mark.parametrize("action", list(ChangeAction))
def test_every_action_has_words(action: ChangeAction) -> None:
    assert action_words(action.api_name, None) != action.api_name
