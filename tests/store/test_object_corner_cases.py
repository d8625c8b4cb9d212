"""Corner cases of objects: rolled-back types, odd numbers, empty lists, limits, expired parts, times of versions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openprofiles.errors import InvalidRequest
from openprofiles.objects import attribute_values, dead_letters, type_definitions
from openprofiles.objects.explanation import explain_object
from openprofiles.objects.lineage import Origin, read_lineage
from openprofiles.objects.objects import delete_profile_object, put_objects
from openprofiles.objects.removal import remove_expired_objects_step, remove_objects_of_deleted_types_step
from openprofiles.profiles import domains
from openprofiles.store.connections import Store
from openprofiles.store.removal import remove_deleted_definitions_step
from store.made_rows import make_domain
from store.object_shop import CRM, ObjectShop, field, key

ORDERS: dict[str, Any] = {
    "AllowProfileCreation": True,
    "Fields": {
        "id": field("id"),
        "who": field("who"),
        "order": field("order"),
        "city": field("city", "_order.ShippingAddress.City"),
    },
    "Keys": {"crmId": [key("PROFILE", fields=("who",))], "u": [key("UNIQUE")], "o": [key("ORDER", fields=("order",))]},
}


@pytest.fixture
def shop(store: Store) -> ObjectShop:
    made = ObjectShop(store, make_domain(store, "shop"))
    made.define("Crm")
    return made


def test_a_type_is_not_read_by_the_mapping_of_one_that_was_rolled_back(store: Store) -> None:
    shop = ObjectShop(store, make_domain(store, "shop"))
    with pytest.raises(InvalidRequest, match="The UNIQUE key or PROFILE key"):
        shop.put("Zendesk-users", {"foo": 1})
    shop.at.write(store, shop.domain, explain_object, "Zendesk-users", '{"id": 1}')

    shop.define("Crm")
    shop.put("Crm", {"id": "7", "first": "Ada"})

    assert shop.only("crmId", "7").values == {"FirstName": "Ada"}


@pytest.mark.parametrize(
    ("content_type", "numbers"),
    [
        ("NUMBER", ["123456789012345678901234567891", "123456789012345678901234567892"]),
        ("NUMBER", ["0.1234567890123456789012345678901", "0.1234567890123456789012345678902"]),
        ("NUMBER", ["1_0", "10"]),
        ("NUMBER", ["1e99", "1e98"]),
        ("STRING", ["9007199254740993.0", "9007199254740992.0"]),
    ],
)
def test_numbers_that_differ_in_any_digit_are_different_customers(
    shop: ObjectShop, content_type: str, numbers: list[str]
) -> None:
    fields = {"id": field("id", None, content_type)}
    shop.define("N", {"AllowProfileCreation": True, "Fields": fields, "Keys": {"n": [key("PROFILE", "UNIQUE")]}})

    for number in numbers:
        shop.put("N", f'{{"id": {json.dumps(number) if "_" in number else number}}}')

    assert shop.counts() == (len(numbers), len(numbers))


def test_a_list_without_any_value_is_no_value(shop: ObjectShop) -> None:
    fields = {
        "id": field("id"),
        "who": field("lines[].who"),
        "city": field("lines[].city", "_profile.Address.City"),
    }
    keys = {"who": [key("PROFILE", fields=("who",))], "u": [key("UNIQUE")]}
    shop.define("Lines", {"AllowProfileCreation": True, "Fields": fields, "Keys": keys})

    with pytest.raises(InvalidRequest, match=r"in the profile object\. It has no value for the key who \(who\)\.$"):
        shop.put("Lines", {"id": 1, "lines": [{"a": 1}, {"who": " "}]})
    shop.put("Lines", {"id": 2, "lines": [{"who": "x"}, {}]})

    assert shop.only("who", '["x",null]').values == {}


def test_a_former_version_of_an_object_keeps_its_time_at_the_source(shop: ObjectShop) -> None:
    fields = {**CRM["Fields"], "at": field("at", "_profile.SourceLastUpdatedTimestamp")}
    for name in ("A", "B"):
        shop.define(name, {**CRM, "Fields": fields}, SourceLastUpdatedTimestampFormat="EpochMilli")

    shop.put("A", {"id": "7", "city": "Paris", "at": 10_000})
    shop.later(minutes=1)
    shop.put("A", {"id": "7", "city": "Lyon", "at": 5_000})
    shop.put("B", {"id": "7", "city": "Rome", "at": 7_000})
    profile = shop.only("crmId", "7")
    (city,) = shop.at.read(shop.store, shop.domain, read_lineage, profile.profile_id)
    shop.put("A", {"id": "7", "first": "Ada", "at": 20_000})
    shop.put("B", {"id": "7", "city": "Oslo", "at": 15_000})

    assert profile.values == {"Address.City": "Paris"}
    assert (city.origin, city.object_type) == (Origin.OBJECT, "A")
    assert shop.only("crmId", "7").values == {"Address.City": "Oslo", "FirstName": "Ada"}


def test_the_object_that_has_just_come_is_never_the_one_that_goes(
    shop: ObjectShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openprofiles.objects.removal.MAX_OBJECTS_PER_PROFILE", 5)
    shop.define("Web", CRM)
    plain = {"Fields": {"id": field("id"), "who": field("who")}, "AllowProfileCreation": True}
    shop.define("Calls", {**plain, "Keys": {"crmId": [key("PROFILE", fields=("who",))], "c": [key("UNIQUE")]}})
    for number in range(5):
        shop.put("Calls", {"id": number, "who": "7"})

    shop.put("Crm", {"id": "7"})

    profile = shop.only("crmId", "7")
    assert (len(shop.objects(profile, "Crm")), len(shop.objects(profile, "Calls"))) == (1, 5)
    assert profile.object_count == 6


def test_the_limit_holds_for_objects_with_standard_objects(shop: ObjectShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openprofiles.objects.removal.MAX_OBJECTS_PER_PROFILE", 6)
    shop.define("Orders", ORDERS)

    for number in range(20):
        shop.put("Orders", {"id": number, "who": "1", "order": str(number), "city": "Bern"})

    profile = shop.only("crmId", "1")
    assert (profile.object_count, shop.counts()[1]) == (6, 6)
    assert [one["id"] for one in shop.objects(profile, "Orders")] == [19, 18, 17]
    assert len(shop.objects(profile, "_order")) == 3


def test_a_standard_object_that_was_just_filled_is_not_the_one_that_goes(
    shop: ObjectShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openprofiles.objects.removal.MAX_OBJECTS_PER_PROFILE", 6)
    shop.define("Orders", ORDERS)
    shop.define("Other", ORDERS)
    for number in range(3):
        shop.put("Other", {"id": number, "who": "1", "order": str(number), "city": "Bern"})

    shop.put("Orders", {"id": 9, "who": "1", "order": "0", "city": "Oslo"})

    profile = shop.only("crmId", "1")
    cities = [one["ShippingAddress"]["City"] for one in shop.objects(profile, "_order")]
    assert (profile.object_count, cities.count("Oslo"), len(shop.objects(profile, "Orders"))) == (6, 1, 1)


def test_a_newer_object_removes_the_dead_letter_of_its_unique_key(shop: ObjectShop) -> None:
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})
    for _ in range(3):
        shop.put("Visits", {"id": "1", "first": "Old"})
    (letter,) = shop.letters()
    shop.define("Visits", CRM)
    shop.later(days=1)

    shop.put("Visits", {"id": "1", "first": "New"})

    assert (letter.attempts, shop.letters()) == (3, [])
    assert shop.only("crmId", "1").values == {"FirstName": "New"}


def test_an_expired_standard_object_does_not_come_back(shop: ObjectShop) -> None:
    shop.define("Orders", ORDERS, ExpirationDays=1)
    shop.put("Crm", {"id": "1"})
    shop.put("Orders", {"id": 1, "who": "1", "order": "A", "city": "Old address"})
    shop.later(days=2)

    shop.put("Orders", {"id": 1, "who": "1", "order": "A"})

    (order,) = shop.objects(shop.only("crmId", "1"), "_order")
    assert list(order) == ["OrderId"]
    with shop.store.write() as connection:
        remove_expired_objects_step(connection, shop.now, 100)
    assert len(shop.objects(shop.only("crmId", "1"), "_order")) == 1
    assert shop.only("crmId", "1").object_count == 3


def test_an_order_without_a_key_belongs_to_the_object_that_has_written_it(shop: ObjectShop) -> None:
    shop.define("Orders", ORDERS)
    for city in ("Bern", "Rome", "Oslo"):
        shop.put("Orders", {"id": 1, "who": "1", "city": city})
    shop.put("Orders", {"id": 2, "who": "1", "city": "Paris"})

    orders = shop.objects(shop.only("crmId", "1"), "_order")

    assert [order["ShippingAddress"]["City"] for order in orders] == ["Paris", "Oslo"]


def test_a_standard_object_is_found_by_its_own_id(shop: ObjectShop) -> None:
    shop.define("Orders", ORDERS)
    shop.put("Orders", {"id": 1, "who": "1", "order": "A", "city": "Bern"})
    (order,) = shop.objects(shop.only("crmId", "1"), "_order")
    keys = {
        "crmId": [key("PROFILE", fields=("who",))],
        "note": [key("UNIQUE")],
        "_orderId": [key("ORDER", "LOOKUP_ONLY", fields=("order",))],
    }
    fields = {**ORDERS["Fields"], "city": field("city", "_order.Status")}
    shop.define("Notes", {"AllowProfileCreation": True, "Fields": fields, "Keys": keys})

    shop.put("Notes", {"id": 1, "who": "1", "order": order["OrderId"], "city": "sent"})

    (after,) = shop.objects(shop.only("crmId", "1"), "_order")
    assert (after["Status"], after["OrderId"]) == ("sent", order["OrderId"])


def test_the_lineage_outlives_the_definition_of_a_type(shop: ObjectShop) -> None:
    unique_key = shop.put("Crm", {"id": "7", "city": "Paris"})
    profile = shop.only("crmId", "7")
    shop.at.write(shop.store, shop.domain, delete_profile_object, profile.profile_id, "Crm", unique_key)
    shop.at.write(shop.store, shop.domain, type_definitions.delete_object_type, "Crm")
    with shop.store.write() as connection:
        remove_objects_of_deleted_types_step(connection, shop.now, 100, keeps_replaced=True, strict=False)
        assert remove_deleted_definitions_step(connection, shop.now, 100) == 1

    (city,) = shop.at.read(shop.store, shop.domain, read_lineage, profile.profile_id)

    assert (city.origin, city.object_type) == (Origin.OBJECT, "(deleted)")


@pytest.mark.parametrize(
    "targets",
    [
        ("_order.OrderItems", "_order.OrderItems[].Title"),
        ("_order.OrderItems[]", "_order.OrderItems[].Title"),
        ("_order.ShippingAddress", "_order.ShippingAddress.City"),
        ("_order.OrderItems[].Title", "_order.OrderItems[].Title.Text"),
    ],
)
def test_a_target_that_is_a_value_and_a_list_is_refused(shop: ObjectShop, targets: tuple[str, str]) -> None:
    fields = {**ORDERS["Fields"], "a": field("a", targets[0]), "b": field("b", targets[1])}

    with pytest.raises(InvalidRequest, match=r"Fields write to _order\.\S+ both as"):
        shop.define("Orders", {**ORDERS, "Fields": fields})


def test_a_definition_that_is_changed_reads_what_an_earlier_one_has_written(shop: ObjectShop) -> None:
    fields = {**ORDERS["Fields"], "items": field("items", "_order.OrderItems")}
    shop.define("Orders", {**ORDERS, "Fields": fields})
    shop.put("Orders", {"id": 1, "who": "1", "order": "A", "items": "text"})
    shop.define("Orders", {**ORDERS, "Fields": {**fields, "items": field("items[].t", "_order.OrderItems[].Title")}})

    shop.put("Orders", {"id": 1, "who": "1", "order": "A", "items": [{"t": "Tea"}]})

    (order,) = shop.objects(shop.only("crmId", "1"), "_order")
    assert order["OrderItems"] == [{"Title": "Tea"}]


def test_attributes_are_read_of_objects_with_any_number(shop: ObjectShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribute_values, "_kept", {})
    shop.at.write(shop.store, shop.domain, domains.update_domain, config={"DataStore": {"Enabled": True}})
    shop.put("Crm", f'{{"id": "1", "n": {"9" * 5000}}}')
    for number, first in enumerate(("1e308", "1.5e308", "-1.5e308"), start=2):
        shop.put("Crm", {"id": str(number), "first": first})

    page = shop.at.read(shop.store, shop.domain, attribute_values.list_attributes, "Crm", 100, None)
    found = shop.at.read(shop.store, shop.domain, attribute_values.read_statistics, "Crm", "first")

    assert [name for name, _ in page.items] == ["first", "id"]
    assert found is not None
    assert (found.maximum, found.percentiles[50], found.percentiles[25]) == (1.5e308, 1e308, -0.25e308)
    assert abs(found.average) < found.standard_deviation < 2e308


def test_values_of_profiles_are_found_next_to_larger_domains(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribute_values, "_kept", {})
    monkeypatch.setattr(attribute_values, "SAMPLED_OBJECTS", 3)
    small, large = (ObjectShop(store, make_domain(store, name)) for name in ("small", "large"))
    small.create(FirstName="Ada")
    for _ in range(5):
        large.create(FirstName="Bob")

    assert small.at.read(store, small.domain, attribute_values.list_profile_values, "FirstName") == ["Ada"]


@pytest.mark.parametrize(
    ("source", "content"),
    [
        ("{{#each _source.a}}{{_source.b}}{{/each}}", {"a": [1] * 3000, "b": "x" * 1000}),
        ("{{#each _source.a}}{{#each _source.a}}.{{/each}}{{/each}}", {"a": [1] * 300}),
        ("_source.deep", {"deep": None}),
    ],
    ids=["output", "steps", "depth"],
)
def test_an_object_that_would_take_too_much_is_refused(shop: ObjectShop, source: str, content: Any) -> None:
    shop.define("Big", {**CRM, "Fields": {**CRM["Fields"], "big": {"Source": source}}})
    text = json.dumps({"id": "1", **content})
    if "deep" in content:
        text = text.replace("null", "[" * 50_000 + "]" * 50_000)

    with pytest.raises(InvalidRequest, match=r"field big cannot be computed|Could not parse object string into JSON"):
        shop.put("Big", text)


@pytest.mark.parametrize("depth", range(900, 1000, 3))
def test_nesting_of_any_depth_is_stored_or_refused(shop: ObjectShop, depth: int) -> None:
    shop.define("Deep", {**CRM, "Fields": {**CRM["Fields"], "deep": {"Source": "_source.deep"}}})

    (result,) = shop.at.write(
        shop.store, shop.domain, put_objects, "Deep", [f'{{"id": "1", "deep": {"[" * depth}{"]" * depth}}}']
    )

    assert result.error is None or "Could not parse" in str(result.error)


def test_a_full_name_of_several_fields_finds_the_profile_of_that_name(shop: ObjectShop) -> None:
    person = shop.create(FirstName="Ada", LastName="Lovelace")
    fields = {"id": field("id"), "first": field("first"), "last": field("last")}
    keys = {"_fullName": [key("PROFILE", fields=("first", "last"))], "u": [key("UNIQUE")]}
    shop.define("Calls", {"Fields": fields, "Keys": keys})

    shop.put("Calls", {"id": 1, "first": " ada ", "last": "LOVELACE"})

    assert len(shop.objects(person, "Calls")) == 1
    with pytest.raises(Exception, match="has no dead letter"):
        shop.at.read(shop.store, shop.domain, dead_letters.get_dead_letter, 1)
