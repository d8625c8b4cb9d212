"""What the worker removes of objects: expired ones, those of deleted types, and dead letters."""

from __future__ import annotations

from functools import partial

import pytest

from openprofiles.objects import type_definitions
from openprofiles.objects.removal import remove_expired_objects_step, remove_objects_of_deleted_types_step
from openprofiles.profiles.profiles import remove_expired_profiles_step
from openprofiles.store.connections import Store
from openprofiles.store.dead_letters import remove_expired_dead_letters_step
from openprofiles.store.removal import remove_deleted_definitions_step
from store.made_rows import make_domain
from store.object_shop import CRM, ObjectShop

scrub = partial(remove_objects_of_deleted_types_step, keeps_replaced=True, strict=False)
scrub_strictly = partial(remove_objects_of_deleted_types_step, keeps_replaced=True, strict=True)


@pytest.fixture
def shop(store: Store) -> ObjectShop:
    made = ObjectShop(store, make_domain(store, "shop"))
    made.define("Crm")
    return made


def run(shop: ObjectShop, step: object, limit: int = 100) -> list[int]:
    """Run a step until it finds nothing more; return the numbers of rows."""
    counts: list[int] = []
    while not counts or counts[-1]:
        with shop.store.write() as connection:
            counts.append(step(connection, shop.now, limit))  # type: ignore[operator]
    return counts


def delete_type(shop: ObjectShop, name: str) -> None:
    shop.at.write(shop.store, shop.domain, type_definitions.delete_object_type, name)


def test_an_expired_object_goes_with_its_keys_and_its_profile_stays(shop: ObjectShop) -> None:
    shop.define("Short", CRM, ExpirationDays=1)
    for number in range(5):
        shop.put("Crm", {"id": number, "mail": f"{number}@x.org"})
        shop.put("Short", {"id": number, "mail": f"short{number}@x.org"})
    shop.later(days=2)

    counts = run(shop, remove_expired_objects_step, limit=3)

    profile = shop.only("crmId", "3")
    assert (counts, shop.counts()) == ([3, 2, 0], (5, 5))
    assert (profile.object_count, shop.objects(profile, "Short")) == (1, [])
    # The field stays, so its key does; the type of the object that is left still holds its own address.
    assert profile.values == {"EmailAddress": "short3@x.org"}
    assert [len(shop.find("_email", mail)) for mail in ("3@x.org", "short3@x.org")] == [1, 1]


def test_an_expired_profile_goes_with_its_objects(shop: ObjectShop) -> None:
    shop.put("Crm", {"id": "7"})
    shop.later(days=31)

    run(shop, remove_expired_profiles_step)

    assert shop.counts() == (0, 0)
    assert run(shop, remove_expired_objects_step) == [0]


def test_the_fields_of_a_deleted_type_get_the_value_of_the_best_object_that_is_left(shop: ObjectShop) -> None:
    shop.define("Erp", CRM, SourcePriority=2)
    shop.define("Web", CRM)
    shop.put("Web", {"id": "7", "first": "Web", "city": "Webtown"})
    shop.put("Crm", {"id": "7", "first": "Crm", "city": "Crmtown", "tier": "gold"})
    shop.put("Erp", {"id": "7", "first": "Erp"})
    shop.define("Best", CRM, SourcePriority=1)
    shop.put("Best", {"id": "7", "first": "Best", "city": "Bestown", "tier": "platinum", "mail": "best@x.org"})
    shop.update(shop.only("crmId", "7"), **{"Address.City": "By hand"})

    delete_type(shop, "Best")
    assert run(shop, scrub) == [1, 0]

    profile = shop.only("crmId", "7")
    assert profile.values == {"FirstName": "Erp", "Address.City": "By hand"}
    assert profile.attributes == {"Tier": "gold"}
    assert profile.origins == {"Address.City"}
    assert (profile.object_count, shop.counts(), shop.find("_email", "best@x.org")) == (3, (1, 3), [])
    assert sorted(path for source in profile.sources for path in source.paths) == ["Attributes.Tier", "FirstName"]

    delete_type(shop, "Erp")
    run(shop, scrub_strictly)
    assert "FirstName" not in shop.only("crmId", "7").values


def test_no_field_falls_back_to_a_type_that_is_deleted_as_well(shop: ObjectShop) -> None:
    shop.define("Web", CRM)
    shop.put("Web", {"id": "7", "first": "Web"})
    shop.put("Crm", {"id": "7", "first": "Crm"})
    profile_id = shop.update(shop.only("crmId", "7"), LastName="Byron").profile_id
    delete_type(shop, "Crm")
    delete_type(shop, "Web")

    with shop.store.write() as connection:
        # That of the type that was defined first.
        scrub(connection, shop.now, 1)
    halfway = shop.only("crmId", "7").values
    run(shop, scrub)

    assert halfway == shop.only("_profileId", profile_id).values == {"LastName": "Byron"}
    assert (shop.find("crmId", "7"), shop.counts()) == ([], (1, 0))


def test_fields_fall_back_to_the_mapping_by_which_an_object_was_ingested(shop: ObjectShop) -> None:
    shop.define("Web", CRM)
    shop.put("Crm", {"id": "7", "first": "Crm", "name": "Later"})
    shop.put("Web", {"id": "7", "first": "Web"})
    fields = {**CRM["Fields"], "first": {"Source": "_source.name", "Target": "_profile.FirstName"}}
    shop.define("Crm", {**CRM, "Fields": fields})

    delete_type(shop, "Web")
    run(shop, scrub)

    assert shop.only("crmId", "7").values == {"FirstName": "Crm"}


def test_a_deleted_type_stays_until_its_objects_are_gone_and_its_name_is_free(shop: ObjectShop) -> None:
    for number in range(5):
        shop.put("Crm", {"id": number, "first": "Ada"})
    delete_type(shop, "Crm")
    shop.define("Crm")

    assert run(shop, remove_deleted_definitions_step) == [0]
    shop.put("Crm", {"id": 0, "first": "Eve"})
    assert run(shop, scrub, limit=2) == [2, 2, 1, 0]
    assert run(shop, remove_deleted_definitions_step) == [1, 0]

    assert (shop.counts(), shop.only("crmId", "0").values) == ((5, 1), {"FirstName": "Eve"})
    assert shop.objects(shop.only("crmId", "0"), "Crm") == [{"id": 0, "first": "Eve"}]
    assert shop.find("crmId", "1") == []


def test_a_dead_letter_is_kept_for_14_days(shop: ObjectShop) -> None:
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})
    shop.put("Visits", {"id": "9"})
    shop.later(days=13)
    shop.put("Visits", {"id": "10"})
    shop.later(days=1)

    assert run(shop, remove_expired_dead_letters_step) == [1, 0]
    assert [one.content for one in shop.letters()] == ['{"id": "10"}']


def test_the_dead_letters_of_a_deleted_type_go_with_it(shop: ObjectShop) -> None:
    for name in ("Visits", "Calls"):
        shop.define(name, {**CRM, "AllowProfileCreation": False})
        shop.put(name, {"id": "9"})

    delete_type(shop, "Visits")

    assert [one.object_type for one in shop.letters()] == ["Calls"]
