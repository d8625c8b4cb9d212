"""The attributes of objects and profiles: names, values and statistics."""

from __future__ import annotations

import pytest

from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.objects import attribute_values
from openprofiles.profiles import domains
from openprofiles.store.connections import Store
from store.made_rows import make_domain
from store.object_shop import CRM, ObjectShop, field, key

ORDERS = {
    "AllowProfileCreation": True,
    "Fields": {"id": field("id"), "who": field("who"), "total": field("total", "_order.TotalPrice")},
    "Keys": {"crmId": [key("PROFILE", fields=("who",))], "order": [key("UNIQUE", "ORDER")]},
}


@pytest.fixture
def shop(store: Store, monkeypatch: pytest.MonkeyPatch) -> ObjectShop:
    monkeypatch.setattr(attribute_values, "_kept", {})
    made = ObjectShop(store, make_domain(store, "shop"))
    made.define("Crm", CRM)
    made.define("Orders", ORDERS)
    for number, total in enumerate((10, 20, "x", 30.5)):
        made.put("Orders", {"id": number, "who": "1", "total": total})
        made.later(minutes=1)
    made.put("Crm", {"id": "1", "first": "Ada", "tier": "gold"})
    return made


def names(shop: ObjectShop, type_name: str) -> list[str]:
    page = shop.at.read(shop.store, shop.domain, attribute_values.list_attributes, type_name, 100, None)
    return [name for name, _ in page.items]


def values(shop: ObjectShop, type_name: str, attribute: str) -> list[str]:
    page = shop.at.read(shop.store, shop.domain, attribute_values.list_values, type_name, attribute, 100, None)
    return [text for text, _ in page.items]


def test_attributes_are_the_fields_of_a_mapping_that_have_values(shop: ObjectShop) -> None:
    assert names(shop, "Orders") == ["id", "total", "who"]
    assert names(shop, "Crm") == ["first", "id", "tier"]
    assert names(shop, "_order") == ["OrderId", "TotalPrice"]
    assert names(shop, "_profile") == ["Attributes.Tier", "FirstName"]
    assert names(shop, "CTR") == names(shop, "_asset") == []
    with pytest.raises(NotFound, match="Object type Nothing does not exist"):
        names(shop, "Nothing")


def test_values_are_distinct_with_the_newest_first_and_in_pages(shop: ObjectShop) -> None:
    shop.put("Orders", {"id": 9, "who": "1", "total": 10})

    assert values(shop, "Orders", "total") == ["10", "30.5", "x", "20"]
    assert values(shop, "_order", "TotalPrice") == ["10", "30.5", "x", "20"]
    page = shop.at.read(shop.store, shop.domain, attribute_values.list_values, "Orders", "total", 3, None)
    rest = shop.at.read(shop.store, shop.domain, attribute_values.list_values, "Orders", "total", 3, page.next_token)
    assert [text for text, _ in (*page.items, *rest.items)] == ["10", "30.5", "x", "20"]
    assert rest.next_token is None
    with pytest.raises(InvalidRequest, match="Orders has no attribute other"):
        values(shop, "Orders", "other")
    # A list that pages show again and again is kept for a minute.
    shop.put("Orders", {"id": 10, "who": "1", "total": 99})
    assert "99" not in values(shop, "Orders", "total")


def test_the_values_of_profiles_are_listed_by_field(shop: ObjectShop) -> None:
    def of(attribute: str) -> list[str]:
        return shop.at.read(shop.store, shop.domain, attribute_values.list_profile_values, attribute)

    assert (of("FirstName"), of("Attributes.Tier"), of("LastName"), of("Gender")) == (["Ada"], ["gold"], [], [])
    with pytest.raises(InvalidRequest, match="AttributeName Foo is neither a field of profiles"):
        of("Foo")


def test_statistics_need_a_data_store_and_are_over_numbers(shop: ObjectShop) -> None:
    def of(attribute: str) -> attribute_values.NumberStatistics | None:
        return shop.at.read(shop.store, shop.domain, attribute_values.read_statistics, "Orders", attribute)

    with pytest.raises(InvalidRequest, match="has no data store"):
        of("total")
    shop.at.write(shop.store, shop.domain, domains.update_domain, config={"DataStore": {"Enabled": True}})

    found = of("total")
    assert found is not None
    assert (found.minimum, found.maximum, round(found.average, 3)) == (10, 30.5, 20.167)
    assert (found.percentiles[50], found.percentiles[25]) == (20, 15)
    assert round(found.standard_deviation, 3) == 8.370
    assert of("id") is not None
    shop.define("Texts", ORDERS)
    for type_name, attribute in (("Texts", "id"), ("Crm", "first")):
        assert shop.at.read(shop.store, shop.domain, attribute_values.read_statistics, type_name, attribute) is None
    with pytest.raises(InvalidRequest, match="has no attribute other"):
        of("other")
