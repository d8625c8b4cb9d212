"""A domain with object types, and the calls of a test on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import by_hand
from openprofiles.facts.keys import SearchKey
from openprofiles.facts.records import Domain, Profile
from openprofiles.objects import objects, type_definitions
from openprofiles.objects.objects import ObjectFilter, unique_key_text
from openprofiles.profiles import profiles, search
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store.connections import Store
from openprofiles.store.dead_letters import DeadLetter, list_dead_letters
from store.made_rows import NOW


def key(*identifiers: str, fields: tuple[str, ...] = ("id",)) -> dict[str, Any]:
    return {"StandardIdentifiers": list(identifiers), "FieldNames": list(fields)}


def field(source: str, target: str | None = None, content_type: str = "STRING") -> dict[str, str]:
    members = {"Source": f"_source.{source}", "ContentType": content_type}
    return members if target is None else {**members, "Target": target}


# A customer of a CRM, found by its number or, failing that, by its email address.
CRM: dict[str, Any] = {
    "AllowProfileCreation": True,
    "Fields": {
        "id": field("id"),
        "mail": field("mail", "_profile.EmailAddress", "EMAIL_ADDRESS"),
        "first": field("first", "_profile.FirstName", "NAME"),
        "city": field("city", "_profile.Address.City"),
        "tier": field("tier", "_profile.Attributes.Tier"),
    },
    "Keys": {"crmId": [key("PROFILE", "UNIQUE")], "_email": [key("PROFILE", "SECONDARY", fields=("mail",))]},
}


class ObjectShop:
    """A domain, at a time that a test can move."""

    def __init__(self, store: Store, domain: Domain) -> None:
        self.store = store
        self.domain = domain
        self.now = NOW

    @property
    def at(self) -> by_hand.At:
        return by_hand.At(self.now)

    def later(self, **time: float) -> datetime:
        self.now += timedelta(**time)
        return self.now

    def define(self, name: str, definition: Mapping[str, Any] = CRM, **more: Any) -> None:
        members = {"Description": name, **definition, **more}
        self.at.write(self.store, self.domain, type_definitions.put_object_type, name, members, {}, strict=False)

    def put(self, type_name: str, content: Mapping[str, Any] | str) -> str:
        """Ingest an object; return its unique key."""
        text = content if isinstance(content, str) else json.dumps(content)
        return unique_key_text(self.at.write(self.store, self.domain, objects.put_object, type_name, text))

    def find(self, name: str, *values: str) -> list[Profile]:
        """Search for profiles by a key."""
        page = self.at.read(self.store, self.domain, search.search_profiles, [SearchKey(name, values)], max_results=100)
        return [one.profile for one in page.found]

    def only(self, name: str, value: str) -> Profile:
        """Return the only profile that a key finds."""
        (found,) = self.find(name, value)
        return found

    def create(self, **values: str) -> Profile:
        return self.at.write(self.store, self.domain, profiles.create_profile, ProfileChange(values=values))

    def update(self, profile: Profile, **values: str) -> Profile:
        change = ProfileChange(values=values)
        return self.at.write(self.store, self.domain, profiles.update_profile, profile.profile_id, change)

    def objects(self, profile: Profile, type_name: str, key_name: str = "", *values: str) -> list[Any]:
        """Return the contents of a profile's objects of a type."""
        page = self.at.read(
            self.store,
            self.domain,
            objects.list_profile_objects,
            profile.profile_id,
            type_name,
            object_filter=ObjectFilter(key_name, values) if key_name else None,
            max_results=100,
        )
        return [json.loads(one.content) for one in page.objects]

    def letters(self) -> list[DeadLetter]:
        with self.store.read() as connection:
            return list_dead_letters(connection, self.domain.domain_id, self.now, after_id=0, limit=100)

    def counts(self) -> tuple[int, int]:
        """Return the numbers of profiles and of objects, as the domain has them."""
        domain = by_hand.get_domain(self.store, self.domain.name)
        return domain.profile_count, domain.object_count
