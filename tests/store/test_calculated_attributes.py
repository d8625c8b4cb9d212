"""Calculated attributes: their definitions, and their values from objects, on every engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from openprofiles.calculated import definitions
from openprofiles.calculated.defaults import DEFAULTS
from openprofiles.calculated.profile_values import calculate_for
from openprofiles.calculated.values import CalculatedValue, DayRange
from openprofiles.clock import from_milliseconds
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.expressions.evaluate import holds
from openprofiles.profiles.profiles import get_profiles
from openprofiles.profiles.session import reading
from openprofiles.segments.definitions import GROUPS, expression_of, require_valid
from openprofiles.segments.surroundings import ProfileReader, sql_surroundings
from openprofiles.store.calculated_objects import read_objects
from openprofiles.store.connections import Store
from openprofiles.store.segment_rows import count_members, read_members
from store.made_rows import make_domain
from store.object_shop import ObjectShop, field, key

VISITS: dict[str, Any] = {
    "AllowProfileCreation": True,
    "Fields": {
        "id": field("id"),
        "mail": field("mail", "_profile.EmailAddress", "EMAIL_ADDRESS"),
        "price": field("cost.amount"),
        "at": field("at"),
    },
    "Keys": {
        "visitId": [key("UNIQUE")],
        "_email": [key("PROFILE", fields=("mail",))],
    },
}


class Visits(ObjectShop):
    """A shop whose customers come with visits."""

    def visit(self, number: int, mail: str = "ada@x.org", **members: Any) -> None:
        self.put("Visits", {"id": str(number), "mail": mail, **members})

    def calculate(self, name: str = "value", **members: Any) -> definitions.CalculatedDefinition:
        given = definition(**members)
        return self.at.write(self.store, self.domain, definitions.create_calculated, name, {}, given, {})

    def refusal(self, **members: Any) -> str:
        with pytest.raises(InvalidRequest) as caught:
            self.calculate("refused", **members)
        return str(caught.value)

    def value(self, name: str = "value", mail: str = "ada@x.org", days: DayRange | None = None) -> CalculatedValue:
        (profile,) = self.find("_email", mail)
        with reading(self.store, self.domain.name, self.now) as session:
            found = definitions.get_calculated(session, name)
            ((_, _, value),) = calculate_for(session, [profile], [found], days)
        return value

    def text(self, name: str = "value", mail: str = "ada@x.org", **members: Any) -> str | None:
        """Create a definition, unless no member is given, and return its value."""
        if members:
            self.calculate(name, **members)
        return self.value(name, mail).text

    def members(self, dimension: Mapping[str, Any]) -> list[str]:
        """Find the members of a segment by the statement and one by one; both must agree."""
        groups = {"Groups": [{"Dimensions": [{"CalculatedAttributes": dimension}]}]}
        with reading(self.store, self.domain.name, self.now) as session:
            expression = expression_of(session, {GROUPS: groups}, GROUPS)
            require_valid(session, expression)
            surroundings = sql_surroundings(session)
            connection, domain_id = session.connection, session.domain.domain_id
            found = read_members(
                connection, domain_id, expression, surroundings, after_pid=0, upto_pid=1 << 40, limit=1_000
            )
            assert count_members(connection, domain_id, expression, surroundings) == len(found)
            everybody = [one for mail in ("ada@x.org", "bob@x.org", "eve@x.org") for one in self.find("_email", mail)]
            reader = ProfileReader(session)
            profiles = get_profiles(session, [str(one.profile_id) for one in everybody]).profiles
            one_by_one = {str(one.profile_id) for one in profiles if holds(expression, reader.values_of(one))}
        assert {profile_id for _, profile_id in found} == one_by_one
        return sorted(one.values["EmailAddress"][:3] for one in everybody if str(one.profile_id) in one_by_one)


def definition(
    expression: str = "{Visits.price}", statistic: str = "SUM", names: tuple[str, ...] | None = None, **more: Any
) -> dict[str, Any]:
    if names is None:
        names = tuple(part.partition("}")[0].partition(".")[2] for part in expression.split("{")[1:])
    conditions = {name: more.pop(name) for name in ("Range", "ObjectCount", "Threshold") if name in more}
    return {
        "AttributeDetails": {"Expression": expression, "Attributes": [{"Name": name} for name in names]},
        "Statistic": statistic,
        **({"Conditions": conditions} if conditions else {}),
        **more,
    }


def only(name: str, operator: str, *values: str, **more: Any) -> dict[str, Any]:
    tests = {name: {"DimensionType": operator, "Values": list(values)}}
    return {"Include": "ALL", "Groups": [{"Type": "ALL", "Dimensions": [{"Attributes": tests}]}], **more}


@pytest.fixture
def shop(store: Store) -> Visits:
    made = Visits(store, make_domain(store, "shop"))
    made.define("Visits", VISITS)
    made.calculate("seen", expression="{Visits.id}", statistic="COUNT", UseHistoricalData=True)
    return made


@pytest.mark.parametrize(
    ("statistic", "expression", "expected"),
    [
        ("COUNT", "{Visits.price}", "3"),
        ("SUM", "{Visits.price}", "30.6"),
        ("AVERAGE", "{Visits.price}", "10.2"),
        ("MINIMUM", "{Visits.price}", "0.3"),
        ("MAXIMUM", "{Visits.price}", "20"),
        ("FIRST_OCCURRENCE", "{Visits.channel}", "web"),
        ("LAST_OCCURRENCE", "{Visits.channel}", "shop"),
        ("MAX_OCCURRENCE", "{Visits.channel}", "web"),
        ("RECENT_OCCURRENCES", "{Visits.channel}", '["shop","web"]'),
        ("SUM", "{Visits.price} * {Visits.tax}", "61.2"),
        ("SUM", "{Visits.price} / {Visits.tax}", "15.3"),
        ("MAXIMUM", "{Visits.price} + {Visits.tax}", "22"),
        ("MAXIMUM", "{Visits.end} - {Visits.start}", "90000"),
        ("COUNT", "{Visits.lines.sku}", "4"),
        ("MAX_OCCURRENCE", "{Visits.lines.sku}", "tea"),
        ("LAST_OCCURRENCE", "{Visits.absent}", None),
        ("COUNT", "{Visits.absent}", None),
        ("SUM", "{Visits.channel}", None),
        ("COUNT", "{Absent.id}", None),
    ],
)
def test_each_statistic_is_computed_from_the_objects_of_the_profile(
    shop: Visits, statistic: str, expression: str, expected: str | None
) -> None:
    for number, (price, channel) in enumerate([("10.3", "web"), ("20", "web"), (0.3, "shop"), (None, None)]):
        shop.later(minutes=1)
        shop.visit(
            number, cost={"amount": price}, channel=channel, tax=2,
            start="2024-10-01T10:00:00Z", end="2024-10-01T10:01:30Z", lines=[{"sku": "tea"}, {"sku": f"s{number}"}],
        )  # fmt: skip
    shop.visit(9, mail="bob@x.org", cost={"amount": 5}, channel="phone")

    found = shop.text(statistic=statistic, expression=expression, UseHistoricalData=True)

    assert found == expected


def test_an_object_counts_within_its_range_both_ends_included(shop: Visits) -> None:
    shop.calculate("week", statistic="COUNT", Range={"Value": 7, "Unit": "DAYS"}, UseHistoricalData=True)
    shop.visit(1, cost={"amount": 1})

    shop.later(days=7)
    at_the_edge = shop.text("week")
    shop.later(milliseconds=1)

    assert (at_the_edge, shop.text("week")) == ("1", None)


def test_a_range_may_reach_into_the_future_by_the_time_of_the_object(shop: Visits) -> None:
    shop.calculate(
        "soon", statistic="COUNT", UseHistoricalData=True,
        Range={"ValueRange": {"Start": 0, "End": -30}, "Unit": "DAYS", "TimestampSource": "{Visits.at}"},
    )  # fmt: skip
    for number, days in enumerate((-1, 1, 29, 31)):
        shop.visit(number, cost={"amount": 1}, at=(shop.now + timedelta(days=days)).isoformat(timespec="seconds"))
    shop.visit(8, cost={"amount": 1}, at="someday")

    found = shop.value("soon")

    assert found.text == "2"
    assert found.last_object_at_ms is not None
    assert from_milliseconds(found.last_object_at_ms) == (shop.now + timedelta(days=29)).replace(microsecond=0)


def test_a_range_without_days_only_says_where_the_time_comes_from(shop: Visits) -> None:
    shop.visit(1, cost={"amount": 1}, at="2024-01-01")
    shop.visit(2, cost={"amount": 2}, at="2020-01-01")

    found = shop.text(
        statistic="LAST_OCCURRENCE", UseHistoricalData=True, Range={"Unit": "DAYS", "TimestampSource": "{Visits.at}"}
    )

    assert found == "1"


def test_the_newest_objects_that_pass_the_filter_count(shop: Visits) -> None:
    for number in range(6):
        shop.visit(number, cost={"amount": number}, kind=["a", "b"][number % 2], tags=["x", f"t{number}"])

    newest = shop.text("newest", ObjectCount=2, Filter=only("kind", "INCLUSIVE", "a"), UseHistoricalData=True)
    none = shop.text("none", Filter=only("kind", "INCLUSIVE", "a", Include="NONE"), UseHistoricalData=True)
    some = shop.text("some", Filter=only("tags", "INCLUSIVE", "t3"), UseHistoricalData=True)
    without = shop.text("without", Filter=only("tags", "EXCLUSIVE", "t3"), UseHistoricalData=True)
    large = shop.text("large", Filter=only("price", "GREATER_THAN", "3"), UseHistoricalData=True)

    assert (newest, none, some, without, large) == ("6", "9", "3", "12", "9")


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("GREATER_THAN", "5", "false"), ("GREATER_THAN", "4.5", "true"), ("LESS_THAN", "10", "true"),
        ("EQUAL_TO", "5.0", "true"), ("NOT_EQUAL_TO", "x", "true"), ("LESS_THAN", "x", "true"),
    ],
)  # fmt: skip
def test_a_threshold_makes_the_value_true_or_false(shop: Visits, operator: str, value: str, expected: str) -> None:
    shop.visit(1, cost={"amount": 5})
    threshold = {"Operator": operator, "Value": value}

    assert shop.text(Threshold=threshold, UseHistoricalData=True) == expected
    assert shop.text("nothing", expression="{Visits.absent}", Threshold=threshold) is None


def test_without_historical_data_only_later_objects_count(shop: Visits) -> None:
    shop.visit(1, cost={"amount": 1})
    shop.later(days=1)
    shop.calculate("later")
    shop.calculate("all", UseHistoricalData=True)

    before = shop.text("later"), shop.text("all")
    shop.visit(2, cost={"amount": 2})
    after = shop.text("later"), shop.text("all")
    # An object that is put again under its key is ingested again.
    shop.visit(1, cost={"amount": 4})

    assert (before, after, (shop.text("later"), shop.text("all"))) == ((None, "1"), ("2", "3"), ("6", "6"))


def test_a_wider_range_does_not_reach_back_to_objects_that_were_too_old(shop: Visits) -> None:
    shop.calculate("week", Range={"Value": 7, "Unit": "DAYS"}, UseHistoricalData=True)
    shop.visit(1, cost={"amount": 1})
    shop.later(days=8)
    shop.visit(2, cost={"amount": 2})

    changed = shop.at.write(
        shop.store, shop.domain, definitions.update_calculated, "week", {"DisplayName": "Month"},
        {"Range": {"Value": 30, "Unit": "DAYS"}},
    )  # fmt: skip

    assert changed.members["Conditions"]["Range"]["Value"] == 30
    assert changed.summary == {"DisplayName": "Month"}
    assert shop.text("week") == "2"


def test_data_is_partial_until_the_range_has_passed_or_enough_objects_are_there(shop: Visits) -> None:
    shop.calculate("ranged", Range={"Value": 7, "Unit": "DAYS"})
    shop.calculate("counted", ObjectCount=2)
    shop.calculate("whole")
    shop.visit(1, cost={"amount": 1})

    first = [shop.value(name).is_partial for name in ("ranged", "counted", "whole")]
    shop.visit(2, cost={"amount": 1})
    shop.later(days=7)

    assert first == [True, True, False]
    assert [shop.value(name).is_partial for name in ("ranged", "counted", "whole")] == [False, False, False]


def test_another_range_holds_for_one_call(shop: Visits) -> None:
    shop.calculate("week", Range={"Value": 7, "Unit": "DAYS"}, UseHistoricalData=True)
    shop.visit(1, cost={"amount": 1})
    shop.later(days=20)
    shop.visit(2, cost={"amount": 2})

    assert (shop.value("week").text, shop.value("week", days=DayRange(60)).text) == ("2", "3")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"expression": "price"}, "must be a field as {ObjectType.field}"),
        ({"expression": "{Visits.price} % {Visits.tax}"}, "must be a field as"),
        ({"expression": "{Visits.price} + {Orders.tax}"}, "of one object type, not of Visits and Orders."),
        ({"names": ("price", "tax")}, "lists tax, which the expression does not use."),
        ({"names": ("tax",)}, "must list price, which the expression uses."),
        ({"Range": {"Value": 367, "Unit": "DAYS"}}, "can reach 366 days at most."),
        ({"Range": {"ValueRange": {"Start": 1, "End": 2}, "Unit": "DAYS"}}, "at least as many days ago as End"),
        ({"ObjectCount": 101}, "Conditions.ObjectCount must be 1 to 100."),
        ({"Range": {"Unit": "DAYS", "TimestampSource": "{Orders.at}"}}, "as {Visits.field}."),
        ({"Filter": only("price", "GREATER_THAN", "x")}, "Filter.Groups[0].Dimensions[0].Attributes.price.Values[0]"),
        ({"Filter": only("price", "INCLUSIVE", "{{_profile.FirstName}}")}, "cannot be references"),
    ],
)
def test_a_definition_that_means_nothing_is_refused(shop: Visits, members: dict[str, Any], message: str) -> None:
    assert message in shop.refusal(**members)


def test_every_domain_has_the_defaults_until_they_are_deleted(shop: Visits) -> None:
    def names() -> list[str]:
        with reading(shop.store, "shop", shop.now) as session:
            return [one.name for one in definitions.list_calculated(session)]

    assert names() == sorted([*DEFAULTS, "seen"])
    assert len(DEFAULTS) == 32
    with reading(shop.store, "shop", shop.now) as session:
        default = definitions.get_calculated(session, "_orders_count")
    assert (default.created_at, default.updated_at, default.members["Statistic"]) == (None, None, "COUNT")
    with pytest.raises(InvalidRequest, match="definition with name _orders_count already exists"):
        shop.calculate("_orders_count")

    shop.at.write(shop.store, shop.domain, definitions.delete_calculated, "_orders_count")
    with pytest.raises(NotFound, match="Calculated attribute definition _orders_count does not exist"):
        shop.at.write(shop.store, shop.domain, definitions.delete_calculated, "_orders_count")
    assert "_orders_count" not in names()
    made = shop.calculate("_orders_count", expression="{_order.OrderId}", statistic="COUNT")

    assert made.created_at == shop.now
    assert "_orders_count" in names()


def test_a_default_can_be_changed_and_then_has_times(shop: Visits) -> None:
    shop.at.write(
        shop.store,
        shop.domain,
        definitions.update_calculated,
        "_call_count",
        {},
        {"Range": {"Value": 3, "Unit": "DAYS"}},
    )

    with reading(shop.store, "shop", shop.now) as session:
        found = definitions.get_calculated(session, "_call_count")
    assert (found.members["Conditions"], found.created_at) == ({"Range": {"Value": 3, "Unit": "DAYS"}}, shop.now)
    with pytest.raises(InvalidRequest, match="TimestampSource cannot be changed"):
        shop.at.write(
            shop.store, shop.domain, definitions.update_calculated, "_call_count", {},
            {"Range": {"Value": 3, "Unit": "DAYS", "TimestampSource": "{CTR.x}"}},
        )  # fmt: skip


def test_a_domain_has_at_most_a_hundred_of_its_own(shop: Visits) -> None:
    for number in range(99):
        shop.calculate(f"c{number}")

    assert "at most 100 are allowed" in shop.refusal()


def test_a_new_customer_is_younger_than_thirty_days(shop: Visits) -> None:
    shop.visit(1)

    new = shop.text("_new_customer")
    # Otherwise it would expire.
    shop.later(days=20)
    shop.visit(2)
    shop.later(days=10)

    assert (new, shop.text("_new_customer")) == ("true", "false")


@pytest.mark.parametrize(
    ("operator", "by_age"),
    [("GREATER_THAN", "false false true"), ("EQUAL_TO", "false true false"), ("NOT_EQUAL_TO", "true false true")],
)
def test_the_age_of_a_customer_is_compared_as_the_threshold_says(shop: Visits, operator: str, by_age: str) -> None:
    threshold = {"Threshold": {"Operator": operator, "Value": "2"}}
    shop.at.write(shop.store, shop.domain, definitions.update_calculated, "_new_customer", {}, threshold)
    shop.visit(1)
    found = []
    for _ in range(3):
        shop.later(days=1)
        found.append(shop.text("_new_customer"))
        among = {"_new_customer": {"DimensionType": "INCLUSIVE", "Values": ["true"]}}
        assert shop.members(among) == (["ada"] if found[-1] == "true" else [])

    assert " ".join(map(str, found)) == by_age
    with pytest.raises(InvalidRequest, match=r"Conditions\.Threshold\.Value must be a whole number of days"):
        shop.at.write(
            shop.store, shop.domain, definitions.update_calculated, "_new_customer", {},
            {"Threshold": {"Operator": operator, "Value": "abc"}},
        )  # fmt: skip


@pytest.mark.parametrize("statistic", ["SUM", "AVERAGE"])
@pytest.mark.parametrize("expression", ["{Visits.price}", "{Visits.price} * {Visits.price}"])
def test_a_total_beyond_the_largest_number_is_no_value(shop: Visits, statistic: str, expression: str) -> None:
    for number in range(3):
        shop.visit(number, cost={"amount": 1.5e308})

    assert shop.text(expression=expression, statistic=statistic, UseHistoricalData=True) is None


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_the_objects_of_a_profile_are_found_by_their_list_not_among_all_of_the_domain(shop: Visits) -> None:
    with reading(shop.store, "shop", shop.now) as session:
        plans: list[str] = []

        def explain(_: Any, cursor: Any, statement: str, parameters: Any, *_more: object) -> None:
            plans.append(cursor.execute(f"explain query plan {statement}", parameters).fetchone()[3])

        event.listen(session.connection, "before_cursor_execute", explain)
        list(read_objects(session.connection, session.domain.domain_id, 1, shop.now, pids=[1]))

    assert plans == ["SEARCH object_list USING PRIMARY KEY (pid=? AND object_type_id=?)"]


def test_a_segment_compares_calculated_attributes(shop: Visits) -> None:
    for number, (mail, price) in enumerate([("ada@x.org", 5), ("ada@x.org", 7), ("bob@x.org", 3)]):
        shop.visit(number, mail=mail, cost={"amount": price})
    shop.define("Others", {**VISITS, "Keys": {**VISITS["Keys"], "visitId": [key("UNIQUE")]}})
    shop.put("Others", {"id": "1", "mail": "eve@x.org"})
    shop.calculate("spent", UseHistoricalData=True)
    shop.calculate("rich", UseHistoricalData=True, Threshold={"Operator": "GREATER_THAN", "Value": "10"})

    def test(name: str, operator: str, *values: str, **more: Any) -> list[str]:
        return shop.members({name: {"DimensionType": operator, "Values": list(values), **more}})

    assert test("spent", "GREATER_THAN", "3") == ["ada"]
    assert test("spent", "LESS_THAN_OR_EQUAL", "3") == ["bob"]
    assert test("spent", "EXCLUSIVE", "3") == ["ada", "eve"]
    assert test("rich", "INCLUSIVE", "true") == ["ada"]
    assert test("rich", "EXCLUSIVE", "true") == ["bob", "eve"]
    assert test("_new_customer", "INCLUSIVE", "true") == ["ada", "bob", "eve"]
    assert test("_new_customer", "EXCLUSIVE", "true") == []
    # Otherwise they would expire.
    shop.later(days=20)
    for number, mail in ((7, "ada@x.org"), (8, "bob@x.org")):
        shop.visit(number, mail=mail)
    shop.put("Others", {"id": "2", "mail": "eve@x.org"})
    shop.later(days=10)
    shop.visit(9, mail="bob@x.org", cost={"amount": 1})
    assert test("_new_customer", "INCLUSIVE", "true") == []
    overridden = {"ConditionOverrides": {"Range": {"Start": 7, "Unit": "DAYS"}}}
    assert test("spent", "GREATER_THAN", "0", **overridden) == ["bob"]


def test_a_segment_with_a_calculated_attribute_that_is_not_there_is_refused(shop: Visits) -> None:
    with pytest.raises(InvalidRequest, match="there is no calculated attribute absent in domain shop"):
        shop.members({"absent": {"DimensionType": "INCLUSIVE", "Values": ["x"]}})
    with pytest.raises(InvalidRequest, match="references to and from calculated attributes are not supported"):
        shop.members({"seen": {"DimensionType": "INCLUSIVE", "Values": ["{{_profile.FirstName}}"]}})
