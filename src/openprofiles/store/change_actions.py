"""What can be done to profiles, as the log of changes names it."""

from __future__ import annotations

from enum import StrEnum


class ChangeAction(StrEnum):
    """What was done to the profiles of a change."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    INGESTED = "INGESTED"
    ADDED_KEY = "ADDED_PROFILE_KEY"
    DELETED_KEY = "DELETED_PROFILE_KEY"
    DELETED = "DELETED_BY_CUSTOMER"
    EXPIRED = "EXPIRED"
    # Of an object; the profile stays. The API has no names of their own for them (``api_name``).
    DELETED_OBJECT = "DELETED_OBJECT"
    EXPIRED_OBJECT = "EXPIRED_OBJECT"

    @property
    def api_name(self) -> str:
        """The ActionType of the API."""
        of_objects = {
            ChangeAction.DELETED_OBJECT: ChangeAction.DELETED,
            ChangeAction.EXPIRED_OBJECT: ChangeAction.EXPIRED,
        }
        return of_objects.get(self, self).value


# A change after which the profiles are gone.
REMOVING_ACTIONS = (ChangeAction.DELETED, ChangeAction.EXPIRED)
IS_REMOVAL_SQL = f"action IN ({', '.join(repr(action.value) for action in REMOVING_ACTIONS)})"
# A change of the keys that were added to a profile, not of its values.
KEY_ACTIONS = (ChangeAction.ADDED_KEY, ChangeAction.DELETED_KEY)
_WORDS = {
    ChangeAction.CREATED: "created",
    ChangeAction.UPDATED: "updated",
    ChangeAction.INGESTED: "updated by an import",
    ChangeAction.ADDED_KEY: "key added",
    ChangeAction.DELETED_KEY: "key deleted",
    ChangeAction.DELETED: "deleted",
    ChangeAction.EXPIRED: "expired",
}
_WORDS_OF_OBJECTS = {
    # By a scrub, or with its type.
    ChangeAction.UPDATED: "{object_type} object deleted with its fields",
    ChangeAction.INGESTED: "{object_type} object ingested",
    ChangeAction.DELETED: "{object_type} object deleted",
    ChangeAction.EXPIRED: "{object_type} object expired",
}
# Changes that leave the values of profiles as they are.
WITHOUT_VALUES = (*KEY_ACTIONS, ChangeAction.DELETED_OBJECT, ChangeAction.EXPIRED_OBJECT)


def action_words(api_name: str, object_type: str | None) -> str:
    """Return the words that people read for a change.

    Args:
        api_name: the ActionType of the API; one that is not known is returned as it is.
        object_type: the name of the type of the object that made the change; None if none did.
    """
    if api_name not in set(ChangeAction):
        return api_name
    action = ChangeAction(api_name)
    if object_type is not None and action in _WORDS_OF_OBJECTS:
        return _WORDS_OF_OBJECTS[action].format(object_type=object_type)
    return _WORDS[action]
