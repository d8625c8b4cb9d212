"""Edge cases of objects and their types: definitions, keys, values, standard objects, times, transactions."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from openprofiles.definitions.definitions import WholeDefinition
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.records import Profile
from openprofiles.objects import domain_object_types, type_definitions
from openprofiles.objects.dead_letters import retry_dead_letter
from openprofiles.objects.explanation import explain_object
from openprofiles.objects.lineage import Origin, read_lineage
from openprofiles.objects.objects import list_profile_objects, put_objects, put_objects_of_calls, unique_key_text
from openprofiles.objects.placement import DeadLetterCode
from openprofiles.objects.removal import remove_expired_objects_step
from openprofiles.objects.templates import templates
from openprofiles.profiles import domains, history, profiles
from openprofiles.profiles.session import Writing
from openprofiles.store import tables
from openprofiles.store.connections import Store
from openprofiles.store.removal import remove_deleted_domain_step
from store.made_rows import make_domain
from store.object_shop import CRM, ObjectShop, field, key

SMALLEST: dict[str, Any] = {"Fields": {"id": field("id")}, "Keys": {"itsId": [key("PROFILE", "UNIQUE")]}}
# Two keys that find the profile, and one of its own.
TWO_KEYS: dict[str, Any] = {
    "AllowProfileCreation": True,
    "Fields": {name: field(name) for name in ("id", "a", "b")},
    "Keys": {"a": [key("PROFILE", fields=("a",))], "b": [key("PROFILE", fields=("b",))], "u": [key("UNIQUE")]},
}
CALLS: dict[str, Any] = {
    "AllowProfileCreation": True,
    "Fields": {
        "id": field("id"),
        "who": field("who"),
        "from": field("from", None, "EMAIL_ADDRESS"),
        "cc": field("cc", None, "EMAIL_ADDRESS"),
        "phone": field("phone", None, "PHONE_NUMBER"),
    },
    "Keys": {"crmId": [key("PROFILE", fields=("who",))], "call": [key("UNIQUE")]},
}
ASSETS: dict[str, Any] = {
    "AllowProfileCreation": True,
    "Fields": {
        "id": field("id"),
        "who": field("who"),
        "serial": field("serial", "_asset.SerialNumber"),
        "name": field("name", "_asset.AssetName"),
        "model": field("model", "_asset.ModelName"),
        "status": field("status", "_asset.Status"),
    },
    "Keys": {
        "crmId": [key("PROFILE", fields=("who",))],
        "serialNo": [key("ASSET", fields=("serial",))],
        "assetName": [key("ASSET", fields=("name",))],
        "registration": [key("UNIQUE")],
    },
}
ORDERS: dict[str, Any] = {
    "AllowProfileCreation": True,
    "Fields": {
        "id": field("id"),
        "who": field("who"),
        "city": field("city", "_profile.Address.City"),
        "titles": field("lines[].title", "_order.OrderItems[].Title"),
    },
    "Keys": {"crmId": [key("PROFILE", fields=("who",))], "orderId": [key("UNIQUE", "ORDER")]},
}
JAVA_TIME = "yyyy-MM-dd'T'HH:mm:ss'Z'"


@pytest.fixture
def shop(store: Store) -> ObjectShop:
    made = ObjectShop(store, make_domain(store, "shop"))
    made.define("Crm")
    return made


def definition_of(shop: ObjectShop, name: str) -> WholeDefinition:
    return shop.at.read(shop.store, shop.domain, type_definitions.get_object_type, name)


def history_of(shop: ObjectShop, profile: Profile) -> list[tuple[str, str | None]]:
    page = shop.at.read(
        shop.store, shop.domain, history.list_history, profile.profile_id, max_results=100, next_token=None
    )
    return [(one.change.action.api_name, one.change.object_type) for one in page.records]


def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of all tables that have any."""
    with store.read() as connection:
        found = {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in tables.metadata.tables.values()
        }
    return {name: of_table for name, of_table in found.items() if of_table}


# Definitions.


def test_a_definition_is_replaced_as_a_whole_and_keeps_the_time_of_its_creation(shop: ObjectShop) -> None:
    shop.define("Small", SMALLEST, ExpirationDays=5, SourcePriority=2, MaxProfileObjectCount=9)
    first = definition_of(shop, "Small")
    later = shop.later(minutes=1)

    shop.define("Small", SMALLEST, Description="New")

    second = definition_of(shop, "Small")
    assert {member: first.body[member] for member in SMALLEST} == SMALLEST
    assert (first.body["ExpirationDays"], first.definition.created_at) == (5, first.definition.updated_at)
    assert second.body == {"Description": "New", **SMALLEST}
    assert (second.definition.created_at, second.definition.updated_at) == (first.definition.created_at, later)
    assert not {"SourcePriority", "MaxProfileObjectCount"} & second.definition.summary.keys()


def test_a_key_has_one_form_in_a_domain_until_the_last_type_with_it_is_deleted(shop: ObjectShop) -> None:
    number = {"Fields": {"id": field("id", None, "NUMBER")}, "Keys": {"crmId": [key("PROFILE", "UNIQUE")]}}

    with pytest.raises(InvalidRequest, match=r"Keys\.crmId: the object type Crm makes this key from STRING, this one"):
        shop.define("B", number)
    shop.at.write(shop.store, shop.domain, type_definitions.delete_object_type, "Crm")
    shop.define("B", number)

    assert definition_of(shop, "B").body["Fields"] == number["Fields"]


def test_a_domain_with_all_its_types_takes_no_further_one_but_changes_of_them(
    shop: ObjectShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type_definitions, "MAX_OBJECT_TYPES", 2)
    shop.define("Small", SMALLEST)

    with pytest.raises(InvalidRequest, match="has 2 object types, and 2 are possible"):
        shop.define("Third", SMALLEST)

    shop.define("Small", SMALLEST, Description="New")
    shop.at.write(shop.store, shop.domain, type_definitions.delete_object_type, "Crm")
    shop.define("Third", SMALLEST)


def test_types_are_listed_by_name_in_pages(shop: ObjectShop) -> None:
    for name in ("Web", "Abc"):
        shop.define(name, SMALLEST)
    token: str | None = None
    pages: list[list[str]] = []
    while not pages or token is not None:
        page = shop.at.read(shop.store, shop.domain, type_definitions.list_object_types, 1, token)
        pages.append([one.name for one in page.definitions])
        token = page.next_token

    assert pages == [["Abc"], ["Crm"], ["Web"]]


def test_a_template_in_use_can_be_replaced_and_the_objects_that_came_before_stay(shop: ObjectShop) -> None:
    call = {"contactId": "c1", "customerEndpoint": {"address": "+1 206 555 0100"}}
    with pytest.raises(NotFound, match="Object type CTR does not exist"):
        definition_of(shop, "CTR")
    shop.put("CTR", call)
    used = definition_of(shop, "CTR")
    later = shop.later(minutes=1)

    members = {"Description": "Calls", "TemplateId": "CTR-NoInferred"}
    shop.at.write(
        shop.store, shop.domain, type_definitions.put_object_type, "CTR", members, {"team": "a"}, strict=False
    )
    replaced = definition_of(shop, "CTR")
    shop.put("CTR", {**call, "contactId": "c2"})

    assert (used.body["TemplateId"], used.body["Fields"]) == ("CTR", templates()["CTR"]["Fields"])
    # It is created by its first definition, and not by its first object.
    row = replaced.definition
    assert (replaced.body["TemplateId"], row.updated_at, row.created_at) == ("CTR-NoInferred", later, later)
    assert row.tags == {"team": "a"}
    assert replaced.body["Keys"] == templates()["CTR-NoInferred"]["Keys"]
    # Only the later definition finds profiles by their phone number.
    assert [one["contactId"] for one in shop.objects(shop.only("_ctrContactId", "c1"), "CTR")] == ["c2", "c1"]


def test_a_domain_object_type_needs_a_data_store_and_is_the_only_one(shop: ObjectShop) -> None:
    def put(name: str) -> None:
        members = {"Fields": {"sku": {"Source": "_source.sku", "Target": "_catalogItem.Id"}}}
        put_one = domain_object_types.put_domain_object_type
        shop.at.write(shop.store, shop.domain, put_one, name, members, {})

    with pytest.raises(InvalidRequest, match="has no data store"):
        put("Catalog")
    shop.at.write(shop.store, shop.domain, domains.update_domain, config={"DataStore": {"Enabled": True}})
    put("Catalog")
    put("Catalog")
    with pytest.raises(InvalidRequest, match="Domain shop has the domain object type Catalog"):
        put("Other")


# Keys.


def test_an_object_without_any_key_for_profiles_is_refused_with_the_names_of_the_keys(shop: ObjectShop) -> None:
    shop.define("Two", TWO_KEYS)

    with pytest.raises(InvalidRequest) as refused:
        shop.put("Two", {"id": 1, "a": " ", "b": None})

    assert str(refused.value) == (
        "The UNIQUE key or PROFILE key does not exist in the profile object. It has no value for the key a (a) or the "
        "key b (b)."
    )
    assert (shop.counts(), shop.letters()) == ((0, 0), [])


def test_an_object_that_comes_again_is_in_the_history_again(shop: ObjectShop) -> None:
    for city in ("Bern", "Rome"):
        shop.put("Crm", {"id": "7", "city": city})
        shop.later(minutes=1)

    profile = shop.only("crmId", "7")

    assert history_of(shop, profile) == [("INGESTED", "Crm"), ("INGESTED", "Crm")]
    assert shop.objects(profile, "Crm") == [{"id": "7", "city": "Rome"}]


def test_objects_of_three_types_with_one_account_number_fill_one_profile(shop: ObjectShop) -> None:
    for name in ("Trial", "Subscription", "Offer"):
        fields = {
            "user": field("UserId", "_profile.AccountNumber"),
            "status": field("status", f"_profile.Attributes.{name}Status"),
        }
        keys = {"_account": [key("PROFILE", "UNIQUE", fields=("user",))]}
        shop.define(name, {"AllowProfileCreation": True, "Fields": fields, "Keys": keys})
        shop.put(name, {"UserId": "00001", "status": f"{name} is on"})

    profile = shop.only("_account", "00001")

    assert profile.values == {"AccountNumber": "00001"}
    assert profile.attributes == {f"{name}Status": f"{name} is on" for name in ("Trial", "Subscription", "Offer")}
    assert shop.counts() == (1, 3)


def test_a_dead_letter_has_the_unique_key_of_its_object_and_is_found_by_nothing(shop: ObjectShop) -> None:
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})
    bystander = shop.create(FirstName="Bob")

    rejected = shop.put("Visits", {"id": "9", "mail": "a@x.org"})
    found = (shop.find("crmId", "9"), shop.find("_email", "a@x.org"), shop.objects(bystander, "Visits"))
    shop.define("Visits", CRM)
    accepted = shop.put("Visits", {"id": "9", "mail": "a@x.org"})

    assert found == ([], [], [])
    assert rejected == accepted
    assert len(shop.find("crmId", "9")) == 1


def test_an_object_without_targets_gives_the_profile_that_it_creates_an_address_and_a_number(shop: ObjectShop) -> None:
    shop.define("Calls", CALLS)

    shop.put("Calls", {"id": 1, "who": "1", "from": " ", "cc": "cc@x.org", "phone": "206 555 0100"})
    shop.put("Calls", {"id": 2, "who": "2", "from": "from@x.org", "cc": "second@x.org"})

    # The first field of the definition that has a value.
    assert shop.only("_email", "CC@x.org").values == {"EmailAddress": "cc@x.org", "PhoneNumber": "206 555 0100"}
    assert shop.only("_phone", "+12065550100").pid == shop.only("crmId", "1").pid
    assert shop.only("crmId", "2").values == {"EmailAddress": "from@x.org"}
    assert shop.find("_email", "second@x.org") == []


def test_an_object_without_targets_changes_no_field_of_a_profile_that_it_joins(shop: ObjectShop) -> None:
    shop.define("Calls", CALLS)
    shop.put("Crm", {"id": "1", "first": "Ada"})
    before = shop.only("crmId", "1")

    shop.put("Calls", {"id": 1, "who": "1", "from": "from@x.org", "phone": "206 555 0100"})

    after = shop.only("crmId", "1")
    assert (after.values, after.attributes, after.sources) == (before.values, before.attributes, before.sources)
    assert (after.object_count, shop.find("_email", "from@x.org")) == (2, [])


def test_an_object_whose_keys_all_find_several_profiles_creates_none(shop: ObjectShop) -> None:
    shop.define("Two", TWO_KEYS)
    for _ in range(2):
        profile = shop.create()
        for name in ("a", "b"):
            shop.at.write(shop.store, shop.domain, profiles.add_profile_key, profile.profile_id, name, ["x"])

    shop.put("Two", {"id": 1, "a": "x"})
    shop.put("Two", {"id": 2, "a": "x", "b": "x"})

    codes = [DeadLetterCode(one.code) for one in shop.letters()]
    assert [one.message for one in codes] == ["All keys of this object are binding to more than one profiles"] * 2
    assert shop.counts() == (2, 0)


def test_an_object_with_one_key_that_finds_several_profiles_and_one_that_finds_none_creates_one(
    shop: ObjectShop,
) -> None:
    shop.define("Two", TWO_KEYS)
    for _ in range(2):
        profile = shop.create()
        shop.at.write(shop.store, shop.domain, profiles.add_profile_key, profile.profile_id, "a", ["x"])

    shop.put("Two", {"id": 1, "a": "x", "b": "y"})

    assert len(shop.find("a", "x")) == 3
    assert shop.objects(shop.only("b", "y"), "Two") == [{"id": 1, "a": "x", "b": "y"}]


def test_a_secondary_key_decides_only_if_no_primary_key_does(shop: ObjectShop) -> None:
    shop.put("Crm", {"id": "1"})
    by_mail = shop.create(EmailAddress="a@x.org")
    # The secondary key is the first of the definition.
    keys = {"_email": CRM["Keys"]["_email"], "crmId": CRM["Keys"]["crmId"]}
    shop.define("Web", {**CRM, "Keys": keys})

    shop.put("Web", {"id": "2", "mail": "A@x.org", "city": "Rome"})
    shop.put("Web", {"id": "1", "mail": "a@x.org", "city": "Bern"})

    assert shop.only("crmId", "2").pid == by_mail.pid
    assert shop.only("crmId", "1").values == {"EmailAddress": "a@x.org", "Address.City": "Bern"}
    assert shop.counts() == (2, 3)


def test_keys_that_are_only_looked_up_or_only_for_new_profiles_are_not_stored_otherwise(shop: ObjectShop) -> None:
    fields = {name: field(name) for name in ("id", "who", "nick", "code")}
    keys = {
        "crmId": [key("PROFILE", fields=("who",))],
        "nick": [key("PROFILE", "SECONDARY", "LOOKUP_ONLY", fields=("nick",))],
        "code": [key("PROFILE", "SECONDARY", "NEW_ONLY", fields=("code",))],
        "memo": [key("UNIQUE")],
    }
    shop.define("Memos", {"AllowProfileCreation": True, "Fields": fields, "Keys": keys})
    shop.put("Crm", {"id": "1"})

    def found() -> list[int]:
        return [len(shop.find(name, f"{name}{number}")) for number in (1, 2, 3) for name in ("nick", "code")]

    shop.put("Memos", {"id": "m1", "who": "1", "nick": "nick1", "code": "code1"})
    shop.put("Memos", {"id": "m2", "who": "2", "nick": "nick2", "code": "code2"})
    at_first = found()
    shop.put("Memos", {"id": "m1", "who": "1", "nick": "nick1", "code": "code1"})
    shop.put("Memos", {"id": "m2", "who": "2", "nick": "nick2", "code": "code2"})
    again = found()
    shop.put("Memos", {"id": "m2", "who": "2", "code": "code3"})

    assert at_first == again == [0, 0, 0, 1, 0, 0]
    assert found() == [0, 0, 0, 0, 0, 1]


def test_an_object_with_an_unknown_profile_id_is_found_by_its_other_key(shop: ObjectShop) -> None:
    fields = {"id": field("id"), "profile": field("profile"), "who": field("who")}
    keys = {
        "_profileId": [key("PROFILE", "LOOKUP_ONLY", fields=("profile",))],
        "crmId": [key("PROFILE", fields=("who",))],
        "note": [key("UNIQUE")],
    }
    shop.define("Notes", {"Fields": fields, "Keys": keys})
    shop.put("Crm", {"id": "1"})

    shop.put("Notes", {"id": 1, "profile": "f" * 32, "who": "1"})

    assert len(shop.objects(shop.only("crmId", "1"), "Notes")) == 1


def test_an_object_that_moves_leaves_its_fields_and_takes_its_keys_along(shop: ObjectShop) -> None:
    for number in ("1", "2"):
        shop.put("Crm", {"id": number})
    fields = {**ORDERS["Fields"], "badge": field("badge")}
    keys = {**ORDERS["Keys"], "badge": [key(fields=("badge",))]}
    shop.define("Orders", {**ORDERS, "Fields": fields, "Keys": keys})
    moved = {"id": "A", "city": "Bern", "badge": "B"}
    first = shop.put("Orders", {**moved, "who": "1"})

    again = shop.put("Orders", {**moved, "who": "2"})

    one, two = shop.only("crmId", "1"), shop.only("crmId", "2")
    (left,) = shop.at.read(shop.store, shop.domain, read_lineage, one.profile_id)
    (taken,) = shop.at.read(shop.store, shop.domain, read_lineage, two.profile_id)
    assert (first, shop.only("badge", "B").pid, shop.only("orderId", "A").pid) == (again, two.pid, two.pid)
    assert (one.values, two.values) == ({"Address.City": "Bern"}, {"Address.City": "Bern"})
    # Of the first customer, it is only known that there was an object.
    assert (left.origin, left.object_type, left.unique_key) == (Origin.OBJECT, "Orders", None)
    assert taken.unique_key is not None
    assert unique_key_text(taken.unique_key) == first


# Values.


def test_a_priority_that_is_changed_counts_for_values_that_were_given_before(shop: ObjectShop) -> None:
    shop.put("Crm", {"id": "7", "first": "Crm"})
    shop.define("Crm", SourcePriority=1)
    shop.define("Web", CRM, SourcePriority=2)

    shop.put("Web", {"id": "7", "first": "Web"})
    kept = shop.only("crmId", "7").values
    shop.define("Crm", SourcePriority=3)
    shop.put("Web", {"id": "7", "first": "Web"})

    assert (kept, shop.only("crmId", "7").values) == ({"FirstName": "Crm"}, {"FirstName": "Web"})


def test_a_time_that_does_not_fit_its_format_leaves_the_time_of_the_ingestion(shop: ObjectShop) -> None:
    fields = {**CRM["Fields"], "at": field("at", "_profile.SourceLastUpdatedTimestamp")}
    for name in ("A", "B"):
        shop.define(name, {**CRM, "Fields": fields}, SourceLastUpdatedTimestampFormat=JAVA_TIME)

    shop.put("A", {"id": "7", "first": "A", "city": "Bern", "at": "2026-01-02T03:04:05Z"})
    # As isoformat() of Python writes it: the format has no fraction, but a Z.
    shop.put("B", {"id": "7", "first": "B", "at": "2025-01-02T03:04:05.123456"})
    shop.put("B", {"id": "7", "city": "Rome", "at": "2025-01-02T03:04:05Z"})
    explained = [
        shop.at.write(shop.store, shop.domain, explain_object, "B", json.dumps({"id": "7", "at": at})).unread_time
        for at in ("2025-01-02T03:04:05Z", "2025-01-02")
    ]

    assert explained == [None, "at"]
    profile = shop.only("crmId", "7")
    assert profile.values == {"FirstName": "B", "Address.City": "Bern"}
    assert len(shop.objects(profile, "B")) == 1


def test_the_length_of_a_value_is_limited_by_its_target(shop: ObjectShop) -> None:
    fields = {**CRM["Fields"], "more": field("more", "_profile.AdditionalInformation"), "note": field("note")}
    shop.define("Long", {**CRM, "Fields": fields})

    with pytest.raises(InvalidRequest, match=r"The value of field more is longer than 1000 characters\."):
        shop.put("Long", {"id": "1", "more": "x" * 1001})
    with pytest.raises(InvalidRequest, match=r"The value of field tier is longer than 255 characters\."):
        shop.put("Long", {"id": "1", "tier": "x" * 256})
    assert shop.counts() == (0, 0)
    shop.put("Long", {"id": "1", "more": "x" * 1000, "tier": "x" * 255, "note": "x" * 300})

    profile = shop.only("crmId", "1")
    assert (profile.values, profile.attributes) == ({"AdditionalInformation": "x" * 1000}, {"Tier": "x" * 255})


def test_values_of_all_kinds_become_texts(shop: ObjectShop) -> None:
    names = ("yes", "price", "power", "nested", "list")
    fields = {name: field(name, f"_profile.Attributes.{name}") for name in names}
    both = {"Source": "{{_source.first}} {{_source.last}}", "Target": "_profile.Attributes.both"}
    trimmed = {"Source": f"{{{{#removeExtraSpace}}}}{both['Source']}{{{{/removeExtraSpace}}}}"}
    fields |= {"id": field("id"), "both": both, "trimmed": {**trimmed, "Target": "_profile.Attributes.trimmed"}}
    shop.define("Kinds", {**SMALLEST, "AllowProfileCreation": True, "Fields": fields})

    shop.put(
        "Kinds",
        '{"id": 1, "yes": true, "price": 449.00, "power": 1e3, "nested": {"a": {"b": null}}, "list": [1, "x", 2.50],'
        ' "first": "x"}',
    )

    assert shop.only("itsId", "1").attributes == {
        "yes": "true",
        "price": "449.0",
        "power": "1000.0",
        "nested": '{"a":{"b":null}}',
        "list": '[1,"x",2.5]',
        "both": "x ",
        "trimmed": "x",
    }


def test_an_order_without_items_has_no_list_of_them(shop: ObjectShop) -> None:
    shop.define("Orders", ORDERS)

    shop.put("Orders", {"id": "A", "who": "1", "lines": []})
    (none,) = shop.objects(shop.only("crmId", "1"), "_order")
    shop.put("Orders", {"id": "A", "who": "1", "lines": [{"title": "Tea"}]})
    shop.put("Orders", {"id": "A", "who": "1", "lines": []})

    (one,) = shop.objects(shop.only("crmId", "1"), "_order")
    assert list(none) == ["OrderId"]
    # An empty list is no value, so it changes nothing.
    assert one["OrderItems"] == [{"Title": "Tea"}]


@pytest.mark.parametrize(
    "text",
    [
        '{ "z": 1,\t"id" : "7",\n "a": [1.50, null, "\\u00fc\\/ ü"],  "z": 2, "": "\U0001f642" }',
        '{"id": "7", "x": "' + "x" * 255_980 + '"}',
    ],
    ids=["odd", "as large as possible"],
)
def test_an_object_is_listed_byte_for_byte(shop: ObjectShop, text: str) -> None:
    shop.put("Crm", text)
    profile = shop.only("crmId", "7")

    page = shop.at.read(shop.store, shop.domain, list_profile_objects, profile.profile_id, "Crm", max_results=1)

    assert [one.content for one in page.objects] == [text]
    with pytest.raises(NotFound, match=r"Profile f+ does not exist in domain shop\."):
        shop.at.read(shop.store, shop.domain, list_profile_objects, "f" * 32, "Crm", max_results=1)


# Standard objects.


def test_types_with_a_key_of_one_name_fill_one_asset(shop: ObjectShop) -> None:
    shop.define("Registrations", ASSETS)
    shop.define("Repairs", ASSETS)

    shop.put("Registrations", {"id": 1, "who": "1", "serial": "S", "model": "Kettle"})
    shop.put("Registrations", {"id": 2, "who": "1", "serial": "S", "name": "Mine"})
    shop.put("Repairs", {"id": 1, "who": "1", "serial": "S", "status": "repaired", "model": "Kettle 2"})

    (asset,) = shop.objects(shop.only("crmId", "1"), "_asset")
    del asset["AssetId"]
    assert asset == {
        "SerialNumber": "S",
        "ModelName": "Kettle 2",
        "DataSource": "Registrations",
        "AssetName": "Mine",
        "Status": "repaired",
    }


def test_an_object_whose_keys_find_two_assets_of_its_profile_is_rejected(shop: ObjectShop) -> None:
    shop.define("Registrations", ASSETS)
    shop.put("Registrations", {"id": 1, "who": "1", "serial": "S"})
    shop.put("Registrations", {"id": 2, "who": "1", "name": "N"})
    before = shop.counts()

    shop.put("Registrations", {"id": 3, "who": "1", "serial": "S", "name": "N", "model": "Kettle"})

    (letter,) = shop.letters()
    assert (letter.code, shop.counts()) == ("AMBIGUOUS_STANDARD_OBJECT", before)
    assert [one.get("ModelName") for one in shop.objects(shop.only("crmId", "1"), "_asset")] == [None, None]


def test_an_airline_has_one_profile_of_a_member_with_all_standard_objects(shop: ObjectShop) -> None:
    member = field("LoyaltyId", "_profile.Attributes.LoyaltyId")
    account = field("LoyaltyId", "_profile.AccountNumber")
    shop.define(
        "Loyalty",
        {
            "AllowProfileCreation": True,
            "SourceLastUpdatedTimestampFormat": JAVA_TIME,
            "Fields": {
                "member": member,
                "account": account,
                "membership": field("LoyaltyId", "_loyalty.MembershipId"),
                "tier": field("Tier", "_loyalty.Tier.CurrentTier"),
            },
            "Keys": {"LoyaltyId": [key("UNIQUE", "PROFILE", "LOYALTY", fields=("member",))]},
        },
    )
    shop.define(
        "Preferences",
        {
            "SourceLastUpdatedTimestampFormat": JAVA_TIME,
            "Fields": {
                "member": field("LoyaltyId"),
                "preference": field("PreferenceId", "_airPreference.Attributes.AirPreferenceId"),
                "cabin": field("CabinDescription", "_airPreference.Seat.ClassOfService"),
                "fare": field("FareTypeDescription", "_airPreference.Seat.ClassOfService"),
            },
            "Keys": {
                "LoyaltyId": [key("PROFILE", fields=("member",))],
                "PreferenceId": [key("UNIQUE", "AIR_PREFERENCE", fields=("preference",))],
            },
        },
    )
    shop.define(
        "Booking",
        {
            "AllowProfileCreation": True,
            "SourceLastUpdatedTimestampFormat": JAVA_TIME,
            "Fields": {
                "member": member,
                "account": account,
                "booking": field("BookingId", "_airBooking.Attributes.BookingId"),
                "pnr": field("PNR", "_airBooking.Attributes.PNR"),
                "segmentPnr": field("PNR", "_airSegment.BookingRef"),
                "segment": field("SegmentId", "_airSegment.Attributes.SegmentId"),
                "heavy": field("BagOverweight", "_airSegment.Baggage.IsHeavy"),
            },
            "Keys": {
                "LoyaltyId": [key("PROFILE", fields=("member",))],
                "ObjectId": [key("UNIQUE", "AIR_BOOKING", fields=("booking",))],
                "SegmentId": [key("AIR_SEGMENT", fields=("segment",))],
                # As it is published: without identifiers.
                "PNR": [{"FieldNames": ["pnr"]}],
            },
        },
    )
    preferences = {"LoyaltyId": "L1", "PreferenceId": "P1", "CabinDescription": "First", "FareTypeDescription": "Low"}

    shop.put("Preferences", preferences)
    (letter,) = shop.letters()
    shop.put("Loyalty", {"LoyaltyId": "L1", "Tier": "Gold", "LastUpdated": "2026-01-02T03:04:05.123456"})
    retried = shop.at.write(shop.store, shop.domain, retry_dead_letter, letter.dead_letter_id)
    for number in range(3):
        booking = {"BookingId": f"B{number}", "PNR": f"R{number}", "SegmentId": f"S{number}", "BagOverweight": False}
        shop.put("Booking", {"LoyaltyId": "L1", **booking})

    profile = shop.only("_account", "L1")
    found = [
        shop.only(name, value).pid
        for name, value in (("LoyaltyId", "L1"), ("ObjectId", "B1"), ("PNR", "R2"), ("SegmentId", "S0"))
    ]
    (preference,), (loyalty,) = shop.objects(profile, "_airPreference"), shop.objects(profile, "_loyalty")
    segments = shop.objects(profile, "_airSegment")
    assert (letter.object_type, letter.code, retried, shop.letters()) == ("Preferences", "NO_PROFILE", None, [])
    assert (found, profile.attributes) == ([profile.pid] * 4, {"LoyaltyId": "L1"})
    assert (loyalty["MembershipId"], loyalty["Tier"]) == ("L1", {"CurrentTier": "Gold"})
    # Of two fields with one target, the later one of the definition that has a value.
    assert preference["Seat"] == {"ClassOfService": "Low"}
    assert [(one["BookingRef"], one["Baggage"]) for one in segments] == [
        (f"R{number}", {"IsHeavy": "false"}) for number in (2, 1, 0)
    ]
    assert [one["Attributes"]["BookingId"] for one in shop.objects(profile, "_airBooking")] == ["B2", "B1", "B0"]
    assert shop.counts() == (1, 5 + 1 + 1 + 3 + 3)


# Times.


def test_objects_keep_the_expiration_with_which_they_came(shop: ObjectShop) -> None:
    shop.define("Short", CRM, ExpirationDays=2)
    shop.put("Crm", {"id": "1"})
    shop.put("Short", {"id": "1", "city": "Bern"})
    shop.define("Short", CRM, ExpirationDays=9)
    shop.put("Short", {"id": "2"})
    profile, other = shop.only("crmId", "1"), shop.only("crmId", "2")

    shop.later(days=2)

    assert (shop.objects(profile, "Short"), len(shop.objects(other, "Short"))) == ([], 1)


def test_the_keys_that_only_an_expired_object_has_given_go_with_it(shop: ObjectShop) -> None:
    fields = {**CRM["Fields"], "badge": field("badge")}
    keys = {**CRM["Keys"], "badge": [key(fields=("badge",))]}
    shop.define("Short", {**CRM, "Fields": fields, "Keys": keys}, ExpirationDays=1)
    shop.put("Crm", {"id": "1"})
    shop.put("Short", {"id": "1", "badge": "B", "mail": "a@x.org"})
    shop.later(days=1)

    with shop.store.write() as connection:
        removed = remove_expired_objects_step(connection, shop.now, 100)

    profile = shop.only("crmId", "1")
    assert (removed, shop.find("badge", "B"), shop.objects(profile, "Short")) == (1, [], [])
    assert (profile.values, shop.only("_email", "a@x.org").pid) == ({"EmailAddress": "a@x.org"}, profile.pid)


# Transactions.


def test_objects_of_one_new_customer_that_come_at_once_make_one_profile(shop: ObjectShop) -> None:
    at_once = threading.Barrier(20)

    def put(_: int) -> str:
        at_once.wait(30)
        return shop.put("Crm", {"id": "7", "mail": "a@x.org"})

    with ThreadPoolExecutor(20) as threads:
        keys = set(threads.map(put, range(20)))

    assert (len(keys), shop.counts()) == (1, (1, 1))
    assert shop.only("crmId", "7").pid == shop.only("_email", "a@x.org").pid


def test_an_object_of_a_batch_that_is_refused_takes_no_other_with_it(shop: ObjectShop) -> None:
    contents = [f'{{"id": "{number}", "first": "{number}"}}' for number in range(10)]
    contents[2], contents[5], contents[8] = "no JSON", '{"mail": "a@x.org"}', '{"id": "1", "first": "again"}'

    results = shop.at.write(shop.store, shop.domain, put_objects, "Crm", contents)

    assert [number for number, one in enumerate(results) if one.error is not None] == [2, 5]
    assert results[1].unique_key == results[8].unique_key
    assert shop.only("crmId", "1").values == {"FirstName": "again"}
    assert shop.counts() == (7, 7)


def test_of_a_group_of_calls_only_the_one_that_fails_is_not_stored(shop: ObjectShop) -> None:
    calls = [("Crm", [f'{{"id": "{number}"}}' if number != 30 else '{"id": ""}']) for number in range(64)]

    results = shop.at.write(shop.store, shop.domain, put_objects_of_calls, calls)

    refused = [number for number, one in enumerate(results) if isinstance(one, Sequence) and one[0].error is not None]
    assert (len(results), refused, shop.counts()) == (64, [30], (63, 63))
    assert [len(shop.find("crmId", number)) for number in ("29", "30", "31")] == [1, 0, 1]


def test_an_object_that_is_not_committed_leaves_nothing_and_can_be_sent_again(shop: ObjectShop) -> None:
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})
    shop.put("Crm", {"id": "1", "first": "Ada"})
    before = rows(shop.store)
    contents = ['{"id": "1", "first": "Eve"}', '{"id": "2", "mail": "a@x.org"}']

    def put_and_die(session: Writing) -> None:
        put_objects_of_calls(session, [("Crm", contents), ("Visits", ['{"id": "3"}'])])
        raise ConnectionAbortedError

    def put() -> list[bytes | None]:
        return [one.unique_key for one in shop.at.write(shop.store, shop.domain, put_objects, "Crm", contents)]

    with pytest.raises(ConnectionAbortedError):
        shop.at.write(shop.store, shop.domain, put_and_die)
    after = rows(shop.store)
    first = put()
    once = shop.counts()
    again = put()

    assert after == before
    assert (first, once) == (again, shop.counts())
    assert (once, shop.only("crmId", "1").values) == ((2, 2), {"FirstName": "Eve"})


def test_an_explanation_changes_no_row(shop: ObjectShop) -> None:
    shop.define("Orders", ORDERS)
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})
    shop.put("Orders", {"id": "A", "who": "1", "city": "Bern", "lines": [{"title": "Tea"}]})
    before = rows(shop.store)

    outcomes = [
        shop.at.write(shop.store, shop.domain, explain_object, name, json.dumps(content)).outcome.value
        for name, content in (
            ("Orders", {"id": "A", "who": "1", "city": "Rome"}),
            ("Orders", {"id": "B", "who": "2", "lines": [{"title": "Milk"}]}),
            ("Visits", {"id": "3"}),
            ("Zendesk-users", {"id": 4}),
        )
    ]

    assert outcomes == ["WOULD_JOIN", "WOULD_CREATE", "WOULD_BE_REJECTED", "WOULD_CREATE"]
    assert rows(shop.store) == before


def test_a_deleted_domain_takes_everything_of_its_objects_along(shop: ObjectShop) -> None:
    shop.define("Orders", ORDERS)
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})
    for city in ("Bern", "Rome"):
        shop.put("Orders", {"id": "A", "who": "1", "city": city, "lines": [{"title": "Tea"}]})
    shop.put("Visits", {"id": "9"})
    filled = rows(shop.store).keys()

    shop.at.write(shop.store, shop.domain, domains.delete_domain)
    removed = 1
    while removed:
        with shop.store.write() as connection:
            removed = remove_deleted_domain_step(connection, shop.now, 100)

    of_objects = {"profile_object", "object_list", "object_unique", "held_key", "dead_letter", "definition_body"}
    assert filled > of_objects | {"profile", "profile_key", "profile_change", "change_content", "definition"}
    assert rows(shop.store).keys() == {"row_sequence"}
