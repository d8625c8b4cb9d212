"""Objects find their profiles, or create them, and fill their fields."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.objects import objects, type_definitions
from openprofiles.profiles import profiles
from openprofiles.store import tables
from openprofiles.store.connections import Store
from openprofiles.store.definition_names import OBJECT_TYPES
from openprofiles.store.definitions import find_definition
from store.made_rows import make_domain
from store.object_shop import CRM, ObjectShop, field, key

ORDERS: dict[str, Any] = {
    "AllowProfileCreation": True,
    "Fields": {
        "id": field("id"),
        "customer": field("customer"),
        "total": field("total", "_order.TotalPrice"),
        "titles": field("lines[].title", "_order.OrderItems[].Title"),
        "prices": field("lines[].price", "_order.OrderItems[].Price"),
        "city": field("ship.city", "_order.ShippingAddress.City"),
    },
    "Keys": {"crmId": [key("PROFILE", fields=("customer",))], "orderId": [key("UNIQUE", "ORDER")]},
}
TICKETS: dict[str, Any] = {
    "AllowProfileCreation": True,
    "Fields": {"id": field("id"), "mail": field("mail", None, "EMAIL_ADDRESS")},
    "Keys": {
        "_email": [key("PROFILE", "LOOKUP_ONLY", fields=("mail",))],
        "ticketEmail": [key("PROFILE", "SECONDARY", "NEW_ONLY", fields=("mail",))],
        "ticket": [key("UNIQUE")],
    },
}


@pytest.fixture
def shop(store: Store) -> ObjectShop:
    made = ObjectShop(store, make_domain(store, "shop"))
    made.define("Crm")
    return made


def test_an_object_creates_its_profile_and_the_next_one_joins_it(shop: ObjectShop) -> None:
    first = shop.put("Crm", {"id": "7", "mail": "Ada@Example.com", "first": "Ada", "tier": "gold"})
    shop.later(minutes=1)
    again = shop.put("Crm", {"id": "7", "mail": "ada@lovelace.org", "city": "London"})

    profile = shop.only("crmId", "7")
    assert (first, len(first)) == (again, 44)
    assert profile.values == {"EmailAddress": "ada@lovelace.org", "FirstName": "Ada", "Address.City": "London"}
    assert profile.attributes == {"Tier": "gold"}
    assert (profile.revision, profile.object_count, profile.origins) == (2, 1, frozenset())
    assert shop.counts() == (1, 1)
    # The former address finds it no more, since nothing else gives it that key.
    assert (shop.find("_email", "ADA@example.com"), len(shop.find("_email", "ADA@lovelace.org"))) == ([], 1)
    assert shop.objects(profile, "Crm") == [{"id": "7", "mail": "ada@lovelace.org", "city": "London"}]


def test_objects_of_several_types_meet_by_keys_of_one_name(shop: ObjectShop) -> None:
    shop.define("Orders", ORDERS)
    shop.put("Crm", {"id": "7", "first": "Ada"})
    shop.put("Orders", {"id": "A1", "customer": "7", "total": 12})
    shop.put("Orders", {"id": "A2", "customer": 7, "total": 30})

    profile = shop.only("crmId", "7")
    assert shop.objects(profile, "Orders") == [
        {"id": "A2", "customer": 7, "total": 30},
        {"id": "A1", "customer": "7", "total": 12},
    ]
    assert [order["TotalPrice"] for order in shop.objects(profile, "_order")] == ["30", "12"]
    assert shop.only("orderId", "A2").pid == profile.pid
    assert (profile.object_count, shop.counts()) == (5, (1, 5))


@pytest.mark.parametrize(
    ("content_type", "first", "second", "count"),
    [
        ("STRING", "A1", "a1", 2),
        ("EMAIL_ADDRESS", "A@x.org", " a@X.org", 1),
        ("NUMBER", "1", 1.0, 1),
        ("NUMBER", "01", "1", 1),
        ("NUMBER", "1e3", "1000", 1),
        ("NUMBER", "x", "X", 2),
        ("NAME", "Ada  Lovelace", "ada lovelace", 1),
        ("PHONE_NUMBER", "+1 (206) 345-7890", "2063457890", 1),
    ],
)
def test_unique_keys_compare_by_the_content_type_of_their_field(
    shop: ObjectShop, content_type: str, first: object, second: object, count: int
) -> None:
    fields = {"id": field("id", None, content_type)}
    shop.define(
        "Typed", {"AllowProfileCreation": True, "Fields": fields, "Keys": {"typed": [key("PROFILE", "UNIQUE")]}}
    )

    shop.put("Typed", {"id": first})
    shop.put("Typed", {"id": second})

    assert shop.counts() == (count, count)
    assert len(shop.find("typed", str(second))) == 1


def test_the_published_example_of_tickets_keeps_later_tickets_together(shop: ObjectShop) -> None:
    shop.define("Ticket", TICKETS)
    shop.put("Ticket", {"id": 1, "mail": "new@x.org"})
    one = shop.create(EmailAddress="one@x.org")
    shop.put("Ticket", {"id": 2, "mail": "one@x.org"})
    for _ in range(3):
        shop.create(EmailAddress="many@x.org")
    shop.put("Ticket", {"id": 3, "mail": "many@x.org"})
    shop.put("Ticket", {"id": 4, "mail": "many@x.org"})

    inferred = shop.only("ticketEmail", "many@x.org")
    assert shop.only("_email", "new@x.org").values == {"EmailAddress": "new@x.org"}
    assert shop.objects(one, "Ticket") == [{"id": 2, "mail": "one@x.org"}]
    assert shop.find("ticketEmail", "one@x.org") == []
    assert [ticket["id"] for ticket in shop.objects(inferred, "Ticket")] == [4, 3]
    assert shop.counts() == (6, 4)


def test_an_object_that_finds_no_profile_or_several_is_kept_as_a_dead_letter(shop: ObjectShop) -> None:
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})
    shop.define("Phones", {"Fields": {"id": field("id")}, "Keys": {"_phone": [key("PROFILE")], "p": [key("UNIQUE")]}})
    for _ in range(2):
        shop.create(PhoneNumber="+12065550100")

    lonely = shop.put("Visits", {"id": "9"})
    shop.put("Phones", {"id": "206 555 0100"})

    assert len(lonely) == 44
    assert shop.counts() == (2, 0)
    assert [(one.object_type, one.code, one.attempts) for one in shop.letters()] == [
        ("Visits", "NO_PROFILE", 1),
        ("Phones", "AMBIGUOUS_KEYS", 1),
    ]
    assert shop.letters()[0].content == '{"id": "9"}'


def test_the_first_key_of_the_definition_that_finds_one_profile_decides(shop: ObjectShop) -> None:
    fields = {name: field(name) for name in ("id", "a", "b")}
    keys = {"b": [key("PROFILE", fields=("b",))], "a": [key("PROFILE", fields=("a",))], "u": [key("UNIQUE")]}
    shop.define("Two", {"AllowProfileCreation": True, "Fields": fields, "Keys": keys})
    shop.put("Two", {"id": 1, "a": "x"})
    shop.put("Two", {"id": 2, "b": "y"})

    shop.put("Two", {"id": 3, "a": "x", "b": "y"})

    found = shop.only("b", "y")
    assert [one["id"] for one in shop.objects(found, "Two")] == [3, 2]
    # From now on the other key is ambiguous, so it decides nothing.
    assert len(shop.find("a", "x")) == 2
    shop.put("Two", {"id": 4, "a": "x"})
    assert [one.code for one in shop.letters()] == ["AMBIGUOUS_KEYS"]


def test_a_profile_id_finds_its_own_profile_only(store: Store, shop: ObjectShop) -> None:
    fields = {"id": field("id"), "profile": field("profile"), "first": field("first", "_profile.FirstName")}
    keys = {"_profileId": [key("PROFILE", "LOOKUP_ONLY", fields=("profile",))], "note": [key("UNIQUE")]}
    shop.define("Notes", {"Fields": fields, "Keys": keys})
    profile, other = shop.create(), ObjectShop(store, make_domain(store, "other")).create()

    shop.put("Notes", {"id": 1, "profile": profile.profile_id, "first": "Ada"})
    shop.put("Notes", {"id": 2, "profile": other.profile_id})
    shop.put("Notes", {"id": 3, "profile": "f" * 32})
    # The row number of the profile, with another beginning.
    shop.put("Notes", {"id": 4, "profile": "0" * 16 + profile.profile_id[16:]})

    assert shop.only("_profileId", profile.profile_id).values == {"FirstName": "Ada"}
    assert len(shop.objects(profile, "Notes")) == 1
    assert [one.code for one in shop.letters()] == ["NO_PROFILE"] * 3


def test_a_value_set_by_hand_stays_unless_the_type_has_a_priority(shop: ObjectShop) -> None:
    shop.put("Crm", {"id": "7", "first": "Ada"})
    profile = shop.update(shop.only("crmId", "7"), FirstName="Augusta")
    shop.put("Crm", {"id": "7", "first": "Ada"})
    kept = shop.only("crmId", "7")

    shop.define("Crm", SourcePriority=1)
    shop.put("Crm", {"id": "7", "first": "Ada"})
    replaced = shop.only("crmId", "7")
    shop.update(replaced, FirstName="Countess")
    by_hand = shop.only("crmId", "7")
    shop.put("Crm", {"id": "7", "first": "Ada"})
    again = shop.only("crmId", "7")

    assert (profile.origins, profile.sources) == (frozenset({"FirstName"}), ())
    assert (kept.values["FirstName"], kept.origins) == ("Augusta", frozenset({"FirstName"}))
    assert (replaced.values["FirstName"], replaced.origins) == ("Ada", frozenset())
    assert [source.paths for source in replaced.sources] == [("FirstName",)]
    assert (by_hand.values["FirstName"], by_hand.origins, by_hand.sources) == ("Countess", frozenset({"FirstName"}), ())
    assert (again.values["FirstName"], again.origins) == ("Ada", frozenset())


def test_the_type_with_the_better_priority_wins_even_if_it_gets_that_later(shop: ObjectShop) -> None:
    shop.define("Crm", SourcePriority=2)
    shop.define("Erp", CRM, SourcePriority=1)
    shop.define("Web", CRM)

    def first_name() -> str:
        return shop.only("crmId", "7").values["FirstName"]

    names = []
    for type_name, first in (("Crm", "two"), ("Erp", "one"), ("Crm", "two"), ("Web", "none"), ("Erp", "one again")):
        shop.put(type_name, {"id": "7", "first": first})
        names.append(first_name())
    shop.define("Web", CRM, SourcePriority=1)
    shop.define("Erp", CRM)
    shop.put("Web", {"id": "7", "first": "now best"})
    shop.put("Erp", {"id": "7", "first": "now worst"})

    assert names == ["two", "one", "one", "one", "one again"]
    assert first_name() == "now best"


@pytest.mark.parametrize(
    ("times", "first_name"),
    [((10, 5), "first"), ((5, 10), "second"), ((None, 5), "second"), ((10, None), "second"), ((5, 5), "second")],
)
def test_of_two_objects_of_one_priority_the_one_with_the_later_time_at_its_source_wins(
    shop: ObjectShop, times: tuple[int | None, int | None], first_name: str
) -> None:
    fields = {**CRM["Fields"], "at": field("at", "_profile.SourceLastUpdatedTimestamp")}
    for name in ("A", "B"):
        shop.define(name, {**CRM, "Fields": fields}, SourceLastUpdatedTimestampFormat="EpochMilli")

    shop.put("A", {"id": "7", "first": "first", "at": times[0]})
    shop.put("B", {"id": "7", "first": "second", "at": times[1]})

    assert shop.only("crmId", "7").values == {"FirstName": first_name}


def test_a_blank_value_changes_nothing(shop: ObjectShop) -> None:
    shop.put("Crm", {"id": "7", "first": "Ada", "city": "London"})
    shop.put("Crm", {"id": "7", "first": " ", "city": None})

    assert shop.only("crmId", "7").values == {"FirstName": "Ada", "Address.City": "London"}


def test_a_key_that_something_else_gives_stays_when_an_object_gives_it_no_more(shop: ObjectShop) -> None:
    shop.define("Other", CRM)
    shop.put("Crm", {"id": "7", "mail": "a@x.org"})
    profile = shop.only("crmId", "7")
    shop.put("Other", {"id": "7", "mail": "b@x.org"})
    shop.at.write(shop.store, shop.domain, profiles.add_profile_key, profile.profile_id, "_email", ["c@x.org"])

    shop.put("Crm", {"id": "7", "mail": "d@x.org"})
    shop.put("Other", {"id": "7", "mail": "d@x.org"})

    assert [len(shop.find("_email", f"{letter}@x.org")) for letter in "abcd"] == [0, 0, 1, 1]
    shop.put("Crm", {"id": "7", "mail": "b@x.org"})
    assert [len(shop.find("_email", f"{letter}@x.org")) for letter in "abcd"] == [0, 1, 1, 1]


def test_an_object_whose_key_finds_a_different_profile_moves_there(shop: ObjectShop) -> None:
    shop.define("Orders", ORDERS)
    shop.put("Crm", {"id": "1"})
    shop.put("Crm", {"id": "2"})
    shop.put("Orders", {"id": "A", "customer": "1"})

    shop.put("Orders", {"id": "A", "customer": "2"})

    one, two = shop.only("crmId", "1"), shop.only("crmId", "2")
    assert (shop.objects(one, "Orders"), len(shop.objects(two, "Orders"))) == ([], 1)
    assert shop.only("orderId", "A").pid == two.pid
    # The standard object stays with the customer that it was about.
    assert (one.object_count, two.object_count, shop.counts()) == (2, 3, (2, 5))


def test_an_expired_profile_counts_as_none(shop: ObjectShop) -> None:
    shop.put("Crm", {"id": "7"})
    before = shop.only("crmId", "7")
    shop.later(days=31)

    shop.put("Crm", {"id": "7", "first": "Ada"})

    after = shop.only("crmId", "7")
    assert after.pid != before.pid
    assert shop.objects(after, "Crm") == [{"id": "7", "first": "Ada"}]


def test_a_type_says_how_long_its_objects_and_profiles_are_kept(shop: ObjectShop) -> None:
    shop.define("Short", CRM, ExpirationDays=1)
    shop.put("Short", {"id": "1"})
    shop.put("Crm", {"id": "2"})
    shop.put("Short", {"id": "2"})
    made, joined = shop.only("crmId", "1"), shop.only("crmId", "2")

    assert (made.expires_at - shop.now).days == 1
    assert (joined.expires_at - shop.now).days == 30
    shop.later(days=2)
    assert (shop.find("crmId", "1"), shop.objects(joined, "Short"), len(shop.objects(joined, "Crm"))) == ([], [], 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no JSON", "Could not parse object string into JSON"),
        ("[1]", "Object must be a JSON object"),
        ('"x"', "Object must be a JSON object"),
        ('{"id": "1", "x": "' + "x" * 255_981 + '"}', "profile object larger than 256000 bytes"),
        ('{"mail": "a@x.org"}', "The UNIQUE key or PROFILE key does not exist in the profile object"),
        ('{"id": null}', "The UNIQUE key or PROFILE key does not exist"),
        ('{"id": ""}', "The UNIQUE key or PROFILE key does not exist"),
        ('{"id": "  "}', "The UNIQUE key or PROFILE key does not exist"),
        ('{"id": "N/A"}', "The UNIQUE key or PROFILE key does not exist"),
        ('{"id": "1", "first": "' + "x" * 256 + '"}', "The value of field first is longer than 255 characters."),
        ('{"id": "' + "x" * 256 + '"}', "The value of the key crmId is longer than 255 characters."),
        ('{"id": "1", "first": "a\\u0000"}', "The value of field first contains the character U\\+0000"),
        ('{"id": "1", "first": "a\\ud800"}', "The value of field first contains half of a surrogate pair."),
    ],
)
def test_an_object_that_cannot_be_read_is_refused_and_nothing_is_written(
    shop: ObjectShop, content: str, message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        shop.put("Crm", content)

    assert (shop.counts(), shop.letters()) == ((0, 0), [])


def test_objects_of_unknown_types_and_of_standard_objects_are_refused(shop: ObjectShop) -> None:
    with pytest.raises(NotFound, match="Object type Nothing does not exist"):
        shop.put("Nothing", {"id": "1"})
    with pytest.raises(InvalidRequest, match="_order is a standard object"):
        shop.put("_order", {"id": "1"})
    with pytest.raises(InvalidRequest, match="Campaign-Email has no mapping here"):
        shop.put("Campaign-Email", {"id": "1"})


def test_a_template_is_an_object_type_from_its_first_object_on(shop: ObjectShop) -> None:
    def is_defined() -> bool:
        with shop.store.read() as connection:
            return find_definition(connection, shop.domain.domain_id, OBJECT_TYPES, "Zendesk-users") is not None

    before = is_defined()
    shop.put("Zendesk-users", {"id": 35436, "email": "a@x.org"})

    assert (before, is_defined()) == (False, True)
    assert shop.only("_zendeskUserId", "35436").object_count == 1


def test_an_order_keeps_its_fields_and_its_list_is_replaced_as_a_whole(shop: ObjectShop) -> None:
    shop.define("Orders", ORDERS)
    lines = [{"title": "Tea", "price": 4.5}, {"price": 2}, {"title": "Milk"}]
    shop.put("Orders", {"id": "A", "customer": "1", "total": 9, "ship": {"city": "Bern"}, "lines": lines})
    (first,) = shop.objects(shop.only("crmId", "1"), "_order")
    shop.put("Orders", {"id": "A", "customer": "1", "lines": [{"title": "Coffee"}]})
    (second,) = shop.objects(shop.only("crmId", "1"), "_order")

    assert first["OrderItems"] == [{"Title": "Tea", "Price": "4.5"}, {"Price": "2"}, {"Title": "Milk"}]
    assert second == {
        "OrderId": first["OrderId"],
        "TotalPrice": "9",
        "ShippingAddress": {"City": "Bern"},
        "OrderItems": [{"Title": "Coffee"}],
    }
    assert len(first["OrderId"]) == 32


def test_a_standard_object_belongs_to_one_profile(shop: ObjectShop) -> None:
    fields = {"id": field("id"), "owner": field("owner"), "serial": field("serial", "_asset.SerialNumber")}
    keys = {
        "crmId": [key("PROFILE", fields=("owner",))],
        "serialNo": [key("ASSET", fields=("serial",))],
        "registration": [key("UNIQUE")],
    }
    shop.define("Devices", {"AllowProfileCreation": True, "Fields": fields, "Keys": keys})
    shop.put("Devices", {"id": 1, "owner": "1", "serial": "S"})
    shop.put("Devices", {"id": 2, "owner": "1", "serial": "S"})
    shop.put("Devices", {"id": 3, "owner": "2", "serial": "S"})

    one, two = shop.only("crmId", "1"), shop.only("crmId", "2")
    (asset,) = shop.objects(one, "_asset")
    assert (asset["SerialNumber"], asset["DataSource"]) == ("S", "Devices")
    assert len(shop.objects(two, "_asset")) == 1
    assert len(shop.objects(one, "_asset", "_assetId", asset["AssetId"])) == 1
    assert shop.objects(one, "_asset", "_serialNumber", "T") == []


def test_a_deleted_profile_takes_its_objects_along(shop: ObjectShop) -> None:
    shop.define("Orders", ORDERS)
    for total in (3, 4):
        shop.put("Orders", {"id": "A", "customer": "1", "total": total})
    profile = shop.only("crmId", "1")

    shop.at.write(shop.store, shop.domain, profiles.delete_profile, profile.profile_id)

    with shop.store.read() as connection:
        left = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (
                tables.profile_object,
                tables.object_list,
                tables.object_unique,
                tables.held_key,
                tables.profile_key,
                tables.change_content,
            )
        ]
    assert (left, shop.counts()) == ([0] * 6, (0, 0))
    shop.put("Orders", {"id": "A", "customer": "1"})
    assert shop.counts() == (1, 3 - 1)


def test_an_object_that_is_deleted_leaves_the_fields_and_takes_its_keys(shop: ObjectShop) -> None:
    unique_key = shop.put("Crm", {"id": "7", "mail": "a@x.org"})
    profile, other = shop.only("crmId", "7"), shop.create()

    def delete(profile_id: str, type_name: str, key_text: str) -> None:
        shop.at.write(shop.store, shop.domain, objects.delete_profile_object, profile_id, type_name, key_text)

    shop.define("Other", CRM)
    for arguments in (
        (other.profile_id, "Crm", unique_key),
        (profile.profile_id, "Other", unique_key),
        (profile.profile_id, "Crm", "A" * 44),
        (profile.profile_id, "Crm", "?"),
    ):
        with pytest.raises(NotFound, match="has no object of the type"):
            delete(*arguments)
    delete(profile.profile_id, "Crm", unique_key)
    with pytest.raises(NotFound, match="has no object of the type Crm"):
        delete(profile.profile_id, "Crm", unique_key)

    after = shop.only("_email", "a@x.org")
    assert (after.pid, after.values, after.object_count) == (profile.pid, {"EmailAddress": "a@x.org"}, 0)
    assert (shop.find("crmId", "7"), shop.objects(profile, "Crm"), shop.counts()) == ([], [], (2, 0))
    # What finds it still is the field, which the object no longer holds.
    shop.update(after, EmailAddress="b@x.org")
    assert (shop.find("_email", "a@x.org"), len(shop.find("_email", "b@x.org"))) == ([], 1)


def test_objects_are_filtered_by_the_keys_of_their_type_in_any_spelling(shop: ObjectShop) -> None:
    fields = {"id": field("id"), "phone": field("phone", None, "PHONE_NUMBER"), "who": field("who")}
    keys = {"crmId": [key("PROFILE", fields=("who",))], "call": [key("UNIQUE")], "line": [key(fields=("phone",))]}
    shop.define("Calls", {"AllowProfileCreation": True, "Fields": fields, "Keys": keys})
    for number, phone in enumerate(["206 345 7890", "206 345 7891", "+1-206-345-7890"]):
        shop.put("Calls", {"id": number, "who": "1", "phone": phone})
    profile = shop.only("crmId", "1")

    found = shop.objects(profile, "Calls", "line", "(206) 345-7890", "1")

    assert [one["id"] for one in found] == [2, 0]
    assert [one["id"] for one in shop.objects(profile, "Calls", "call", "1")] == [1]
    with pytest.raises(InvalidRequest, match=r"has no key other\. Its keys are call, crmId, line\."):
        shop.objects(profile, "Calls", "other", "1")


def test_a_list_of_objects_has_pages(shop: ObjectShop) -> None:
    shop.define("Orders", ORDERS)
    for number in range(5):
        shop.put("Orders", {"id": number, "customer": "1"})
    profile = shop.only("crmId", "1")
    token: str | None = None
    pages: list[list[int]] = []
    while not pages or token is not None:
        page = shop.at.read(
            shop.store,
            shop.domain,
            objects.list_profile_objects,
            profile.profile_id,
            "Orders",
            max_results=2,
            next_token=token,
        )
        token = page.next_token
        pages.append([json.loads(one.content)["id"] for one in page.objects])

    assert pages == [[4, 3], [2, 1], [0]]
    assert shop.objects(profile, "CTR") == []
    with pytest.raises(NotFound, match="Object type Nothing does not exist"):
        shop.objects(profile, "Nothing")


def test_the_oldest_object_of_the_type_that_is_furthest_over_its_limit_goes(
    shop: ObjectShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openprofiles.objects.removal.MAX_OBJECTS_PER_PROFILE", 5)
    calls = {"Fields": {"id": field("id"), "who": field("who")}, "AllowProfileCreation": True}
    keys = [key("PROFILE", fields=("who",))]
    shop.define("A", {**calls, "Keys": {"crmId": keys, "a": [key("UNIQUE")]}}, MaxProfileObjectCount=2)
    shop.define("B", {**calls, "Keys": {"crmId": keys, "b": [key("UNIQUE")]}})
    for number in range(4):
        shop.put("A", {"id": number, "who": "1"})
    shop.put("B", {"id": 0, "who": "1"})

    def left() -> tuple[list[int], list[int]]:
        profile = shop.only("crmId", "1")
        return tuple([one["id"] for one in shop.objects(profile, name)] for name in "AB")  # type: ignore[return-value]

    before = left()
    shop.put("B", {"id": 1, "who": "1"})
    one_over = left()
    shop.put("B", {"id": 2, "who": "1"})
    shop.put("B", {"id": 3, "who": "1"})

    assert before == ([3, 2, 1, 0], [0])
    assert one_over == ([3, 2, 1], [1, 0])
    assert left() == ([3, 2], [3, 2, 1])
    assert (shop.only("crmId", "1").object_count, shop.counts()) == (5, (1, 5))
    assert shop.find("a", "0") == []


def test_a_key_of_several_fields_is_found_by_its_parts(shop: ObjectShop) -> None:
    fields = {"id": field("id"), "b": field("b")}
    keys = {"pair": [key("PROFILE", "UNIQUE", fields=("id", "b"))], "one": [key("PROFILE")]}
    shop.define("Pairs", {"AllowProfileCreation": True, "Fields": fields, "Keys": keys})
    shop.put("Pairs", {"id": "x y", "b": "z"})
    shop.put("Pairs", {"id": "p", "b": "q"})
    shop.put("Pairs", {"id": "lonely"})

    assert [len(shop.find("pair", text)) for text in ('["x y", "z"]', "p q", "x y z", '["p"]')] == [1, 1, 0, 0]
    assert shop.counts() == (3, 3)


def test_a_type_that_is_deleted_and_defined_again_does_not_show_former_objects(shop: ObjectShop) -> None:
    shop.put("Crm", {"id": "7", "first": "Ada"})
    profile = shop.only("crmId", "7")

    shop.at.write(shop.store, shop.domain, type_definitions.delete_object_type, "Crm")
    with pytest.raises(NotFound, match="Object type Crm does not exist"):
        shop.put("Crm", {"id": "7"})
    shop.define("Crm")

    assert shop.objects(profile, "Crm") == []
    shop.put("Crm", {"id": "7", "first": "Eve"})
    assert shop.objects(shop.only("crmId", "7"), "Crm") == [{"id": "7", "first": "Eve"}]
