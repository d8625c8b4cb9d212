"""What people see of objects: why one would do what, where values come from, and what found no profile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.objects import dead_letters
from openprofiles.objects.dead_letters import retry_dead_letter
from openprofiles.objects.explanation import Explanation, explain_object
from openprofiles.objects.lineage import FieldLineage, Origin, read_lineage
from openprofiles.objects.objects import scrub_profile_object, unique_key_text
from openprofiles.objects.placement import DeadLetterCode
from openprofiles.objects.type_definitions import delete_object_type
from openprofiles.store import tables
from openprofiles.store.connections import Store
from store.made_rows import make_domain
from store.object_shop import CRM, ObjectShop


@pytest.fixture
def shop(store: Store) -> ObjectShop:
    made = ObjectShop(store, make_domain(store, "shop"))
    made.define("Crm", SourcePriority=1)
    made.define("Web", CRM)
    return made


def explain(shop: ObjectShop, type_name: str, content: Any) -> Explanation:
    return shop.at.write(shop.store, shop.domain, explain_object, type_name, json.dumps(content))


def lineage(shop: ObjectShop, key_name: str, value: str) -> dict[str, FieldLineage]:
    found = shop.at.read(shop.store, shop.domain, read_lineage, shop.only(key_name, value).profile_id)
    return {one.path: one for one in found}


def fields(explanation: Explanation) -> list[tuple[str, str, str | None, str, str | None]]:
    return [(one.path, one.effect.value, one.before, one.given, one.reason) for one in explanation.fields]


def test_an_object_is_explained_and_nothing_is_written(shop: ObjectShop) -> None:
    shop.put("Crm", {"id": "7", "first": "Ada"})
    shop.update(shop.only("crmId", "7"), **{"Address.City": "By hand"})
    shop.put("Web", {"id": "w", "mail": "w@x.org"})

    def numbers() -> list[int]:
        with shop.store.read() as connection:
            return [
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in tables.metadata.tables.values()
            ] + list(connection.execute(select(tables.row_sequence.c.next_value)).scalars())

    before = numbers()
    joins = explain(shop, "Web", {"id": "7", "first": "Eve", "city": "Rome", "tier": "gold"})
    replaces = explain(shop, "Crm", {"id": "7", "first": "Ada"})
    creates = explain(shop, "Web", {"id": "8", "mail": "new@x.org"})

    assert numbers() == before
    assert (joins.outcome, joins.profile_id, joins.overwrites) == (
        "WOULD_JOIN",
        shop.only("crmId", "7").profile_id,
        False,
    )
    assert [(one.key.name, one.profile_count, one.decided) for one in joins.tried] == [("crmId", 1, True)]
    assert fields(joins) == [
        (
            "FirstName",
            "KEEP",
            "Ada",
            "Eve",
            "An object of the type Crm, which has the SourcePriority 1, has given it.",
        ),
        (
            "Address.City",
            "KEEP",
            "By hand",
            "Rome",
            "It was edited by hand, and the object type has no SourcePriority.",
        ),
        ("Attributes.Tier", "WRITE", None, "gold", None),
    ]
    assert joins.missing == ("mail",)
    assert (replaces.overwrites, fields(replaces)) == (True, [("FirstName", "SAME", "Ada", "Ada", None)])
    assert (creates.outcome, creates.profile_id) == ("WOULD_CREATE", None)
    assert [(one.key.name, one.profile_count) for one in creates.tried] == [("crmId", 0), ("_email", 0)]
    assert fields(creates) == [("EmailAddress", "WRITE", None, "new@x.org", None)]


def test_an_explanation_says_why_an_object_would_be_rejected(shop: ObjectShop) -> None:
    for _ in range(3):
        shop.create(EmailAddress="many@x.org")
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})

    found = explain(shop, "Visits", {"id": "9", "mail": "many@x.org"})

    assert (found.outcome, found.rejection) == ("WOULD_BE_REJECTED", DeadLetterCode.NO_PROFILE)
    assert [(one.key.name, one.profile_count, one.decided) for one in found.tried] == [
        ("crmId", 0, False),
        ("_email", 2, False),
    ]
    assert (found.fields, shop.letters()) == ((), [])


def test_a_template_is_not_defined_by_an_explanation(shop: ObjectShop) -> None:
    explain(shop, "Zendesk-users", {"id": 1})

    with pytest.raises(NotFound):
        shop.at.write(shop.store, shop.domain, delete_object_type, "Zendesk-users")


def test_the_lineage_of_a_profile_says_where_each_value_comes_from(shop: ObjectShop) -> None:
    shop.put("Web", {"id": "7", "first": "Web", "city": "Webtown", "tier": "silver"})
    shop.later(minutes=1)
    at = shop.now
    unique_key = shop.put("Crm", {"id": "7", "first": "Crm", "city": "Crmtown"})
    shop.update(shop.only("crmId", "7"), **{"Address.City": "By hand"})

    found = lineage(shop, "crmId", "7")

    first = found["FirstName"]
    assert (first.origin, first.object_type, first.mapping_field, first.priority) == (Origin.OBJECT, "Crm", "first", 1)
    assert first.unique_key is not None
    assert (unique_key_text(first.unique_key), first.ingested_at, first.next_object_type) == (unique_key, at, "Web")
    assert (found["Address.City"].origin, found["Address.City"].next_object_type) == (Origin.MANUAL, "Crm")
    tier = found["Attributes.Tier"]
    assert (tier.origin, tier.object_type, tier.priority, tier.next_object_type) == (Origin.OBJECT, "Web", None, None)


def test_the_lineage_outlives_the_object(shop: ObjectShop) -> None:
    shop.define("Short", CRM, ExpirationDays=1)
    shop.put("Short", {"id": "7", "first": "Short"})
    shop.put("Web", {"id": "7", "city": "Webtown"})
    shop.later(days=2)

    first = lineage(shop, "crmId", "7")["FirstName"]

    assert (first.origin, first.object_type, first.unique_key) == (Origin.OBJECT, "Short", None)


def test_a_dead_letter_is_listed_tried_again_and_deleted(shop: ObjectShop) -> None:
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})
    for number in range(3):
        shop.put("Visits", {"id": str(number)})
    page = shop.at.read(shop.store, shop.domain, dead_letters.list_dead_letters, 2)
    rest = shop.at.read(shop.store, shop.domain, dead_letters.list_dead_letters, 2, page.next_token)
    first, second, third = (one.dead_letter_id for one in (*page.letters, *rest.letters))

    def retry(letter: int) -> DeadLetterCode | None:
        return shop.at.write(shop.store, shop.domain, dead_letters.retry_dead_letter, letter)

    shop.later(minutes=1)
    still = retry(first)
    shop.put("Crm", {"id": "0"})
    joined = retry(first)
    shop.define("Visits", CRM)
    created = retry(second)
    shop.at.write(shop.store, shop.domain, dead_letters.delete_dead_letter, third)

    assert (still, joined, created, rest.next_token) == (DeadLetterCode.NO_PROFILE, None, None, None)
    assert shop.letters() == []
    assert len(shop.objects(shop.only("crmId", "0"), "Visits")) == 1
    assert shop.only("crmId", "1").object_count == 1
    with pytest.raises(NotFound, match=f"Domain shop has no dead letter {first}"):
        retry(first)


def test_a_dead_letter_that_is_rejected_again_counts_the_attempt(shop: ObjectShop) -> None:
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})
    shop.put("Visits", {"id": "1"})
    (letter,) = shop.letters()
    later = shop.later(minutes=5)

    shop.at.write(shop.store, shop.domain, dead_letters.retry_dead_letter, letter.dead_letter_id)

    (after,) = shop.letters()
    assert (after.attempts, after.updated_at, after.created_at) == (2, later, letter.created_at)
    assert after.dead_letter_id == letter.dead_letter_id


def test_a_dead_letter_is_fixed_and_tried_again(shop: ObjectShop) -> None:
    shop.define("Crm")
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})
    shop.put("Crm", {"id": "1", "mail": "a@x.org"})
    shop.put("Visits", {"id": "9", "mail": "b@x.org", "first": "Ada"})
    (letter,) = shop.letters()

    def retry(content: str) -> DeadLetterCode | None:
        number = shop.letters()[0].dead_letter_id
        return shop.at.write(shop.store, shop.domain, retry_dead_letter, number, content)

    with pytest.raises(InvalidRequest, match="Could not parse object string into JSON"):
        retry("{")
    assert retry('{"id": "9", "mail": "c@x.org"}') is DeadLetterCode.NO_PROFILE
    assert [(one.dead_letter_id, one.content, one.attempts) for one in shop.letters()] == [
        (letter.dead_letter_id, '{"id": "9", "mail": "c@x.org"}', 2)
    ]
    with pytest.raises(InvalidRequest, match="another unique key, so it is a different object"):
        retry('{"id": "8", "mail": "a@x.org"}')
    assert [one.content for one in shop.letters()] == ['{"id": "9", "mail": "c@x.org"}']
    assert retry('{"id": "9", "mail": "A@x.org", "first": "Ada"}') is None
    assert shop.letters() == []
    assert shop.only("_email", "a@x.org").values["FirstName"] == "Ada"


def test_a_scrubbed_object_takes_its_fields_along_unless_another_has_a_value(shop: ObjectShop) -> None:
    shop.define("Crm")
    shop.define("Web", CRM)
    shop.put("Web", {"id": "1", "mail": "a@x.org", "first": "Web"})
    unique_key = shop.put("Crm", {"id": "2", "mail": "a@x.org", "first": "Crm", "city": "Bern", "tier": "gold"})
    profile = shop.only("_email", "a@x.org")

    def scrub(type_name: str) -> None:
        shop.at.write(
            shop.store, shop.domain, scrub_profile_object, profile.profile_id, type_name, unique_key, falls_back=True
        )

    with pytest.raises(InvalidRequest, match="_order is a standard object"):
        scrub("_order")
    with pytest.raises(NotFound, match="has no object of the type Web"):
        scrub("Web")
    scrub("Crm")

    left = shop.only("_email", "a@x.org")
    assert (left.values, left.attributes) == ({"EmailAddress": "a@x.org", "FirstName": "Web"}, {})
    assert (shop.find("crmId", "2"), shop.counts()) == ([], (1, 1))
    with pytest.raises(NotFound, match="has no object of the type Crm"):
        scrub("Crm")
