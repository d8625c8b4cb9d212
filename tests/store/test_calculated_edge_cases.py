"""Calculated attributes where it is easy to be wrong: edges, gaps, ties, and what segments make of values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from openprofiles.calculated import definitions, profile_values
from openprofiles.calculated.defaults import DEFAULTS
from openprofiles.calculated.formula import read_formula
from openprofiles.calculated.object_values import ObjectValues
from openprofiles.calculated.profile_values import calculate_for
from openprofiles.calculated.values import Calculation, CountedObject, calculate
from openprofiles.errors import InvalidRequest
from openprofiles.profiles.session import reading
from openprofiles.segments.definitions import GROUPS, create_segment
from openprofiles.segments.estimates import start_estimate
from openprofiles.segments.membership import list_members, read_memberships
from openprofiles.store.calculated_objects import read_objects
from openprofiles.store.connections import Store
from store.made_rows import NOW, make_domain
from store.object_shop import field, key
from store.test_calculated_attributes import VISITS, Visits

CONTACTS: dict[str, Any] = {
    "AllowProfileCreation": True,
    "Fields": {"id": field("contactId"), "mail": field("mail", "_profile.EmailAddress", "EMAIL_ADDRESS")},
    "Keys": {"contactId": [key("UNIQUE")], "_email": [key("PROFILE", fields=("mail",))]},
}


@pytest.fixture
def shop(store: Store) -> Visits:
    made = Visits(store, make_domain(store, "shop"))
    made.define("Visits", VISITS)
    return made


def test_without_objects_there_is_no_value_and_the_data_is_partial_until_the_range_has_passed(shop: Visits) -> None:
    shop.visit(1)
    shop.define("Orders", VISITS)
    shop.calculate("week", expression="{Orders.id}", statistic="COUNT", Range={"Value": 7, "Unit": "DAYS"})
    shop.calculate("ever", expression="{Orders.id}", statistic="COUNT")

    at_once = [shop.value(name) for name in ("week", "ever")]
    shop.later(days=7)
    after_a_week = shop.value("week")

    assert [(one.text, one.last_object_at_ms, one.is_partial) for one in (*at_once, after_a_week)] == [
        (None, None, True), (None, None, False), (None, None, False)
    ]  # fmt: skip


def test_an_object_counts_at_the_nearer_end_of_its_range_and_not_after_it(shop: Visits) -> None:
    shop.visit(1)
    shop.calculate(
        "earlier", expression="{Visits.id}", statistic="COUNT", UseHistoricalData=True,
        Range={"ValueRange": {"Start": 10, "End": 3}, "Unit": "DAYS"},
    )  # fmt: skip

    shop.later(days=3, milliseconds=-1)
    too_new = shop.text("earlier")
    shop.later(milliseconds=1)

    assert (too_new, shop.text("earlier")) == (None, "1")


def test_an_object_is_left_out_if_a_number_is_missing_or_would_be_divided_by_zero(shop: Visits) -> None:
    shop.visit(1, cost={"amount": 6}, tax=2)
    shop.visit(2, cost={"amount": 5}, tax=0)
    shop.visit(3, cost={"amount": 7})
    shop.visit(4, cost={"amount": "x"}, tax=3)

    found = {
        operator: [
            shop.text(
                f"{statistic}-{number}", expression=f"{{Visits.price}} {operator} {{Visits.tax}}", statistic=statistic,
                UseHistoricalData=True,
            )
            for statistic in ("SUM", "COUNT")
        ]
        for number, operator in enumerate("+-*/")
    }  # fmt: skip

    assert found == {"+": ["13", "2"], "-": ["9", "2"], "*": ["12", "2"], "/": ["3", "1"]}


def test_the_attributes_of_aws_are_computed_from_contact_records(shop: Visits) -> None:
    shop.define("CTR", CONTACTS)
    for number in range(5):
        shop.later(minutes=1)
        call(shop, number, channel="VOICE", agent={"id": f"a{number}", "customerHoldDurationMillis": 1_000 * number})
    names = (
        "_call_count", "_frequent_caller", "_average_call_duration", "_average_hold_time", "_maximum_hold_time",
        "_last_agent_id", "_last_channel", "_most_frequent_channel",
    )  # fmt: skip

    five = [shop.text(name) for name in names]
    shop.later(minutes=1)
    call(shop, 5, channel="CHAT", agent={"id": "b"})
    six = [shop.text(name) for name in names]

    assert five == ["5", "false", "90500", "2500", "4500", "a4", "VOICE", "VOICE"]
    # The sixth was never on hold.
    assert six == ["6", "true", "90500", "2500", "4500", "b", "CHAT", "VOICE"]


def call(shop: Visits, number: int, **members: Any) -> None:
    times = {"initiationTimestamp": "2026-05-28T10:00:00Z", "disconnectTimestamp": "2026-05-28T12:01:30.500+02:00"}
    record = {"contactId": str(number), "mail": "ada@x.org", "queue": {"durationMillis": 500}, **times, **members}
    shop.put("CTR", record)


@pytest.mark.parametrize(
    ("statistic", "numbers", "expected"),
    [
        ("SUM", [0.1, 0.2], "0.3"),
        ("SUM", [0.01] * 1_000, "10"),
        ("SUM", [118_976.4, 0.5], "118976.9"),
        ("SUM", ["5", " 5.0 "], "10"),
        ("SUM", [1e16, 1, -1e16], "1"),
        ("SUM", [0.1, -0.1], "0"),
        ("AVERAGE", [1, 2, 2], "1.66666666666667"),
        ("AVERAGE", [1, "x", 2], "1.5"),
        ("MINIMUM", [2, "10", -0.0], "0"),
        ("MAXIMUM", ["9", "10"], "10"),
        ("MAXIMUM", [999_999_999_999_999], "999999999999999"),
        ("MAXIMUM", [1e15], "1e+15"),
        ("MAXIMUM", [1e-7], "0.0000001"),
        ("MAXIMUM", [True, "1,000"], None),
    ],
)
def test_a_number_is_written_with_up_to_15_digits_and_without_trailing_zeros(
    statistic: str, numbers: Sequence[Any], expected: str | None
) -> None:
    calculation = Calculation(formula=read_formula("{Visits.price}", {"price"}), statistic=statistic)
    objects = [CountedObject(n, 0, ObjectValues(json.dumps({"price": one}), {})) for n, one in enumerate(numbers)]

    assert calculate(calculation, objects, NOW).text == expected


@pytest.mark.parametrize(
    ("channels", "expected"),
    [("web shop", "shop"), ("web web shop shop tea", "shop"), ("web web shop", "web")],
)
def test_of_equally_frequent_values_the_more_recent_one_counts(shop: Visits, channels: str, expected: str) -> None:
    for number, channel in enumerate(channels.split()):
        shop.later(minutes=1)
        shop.visit(number, channel=channel)

    found = shop.text(expression="{Visits.channel}", statistic="MAX_OCCURRENCE", UseHistoricalData=True)

    assert found == expected


def test_a_threshold_compares_texts_as_they_are(shop: Visits) -> None:
    shop.visit(1, channel="web")
    expected = {
        ("EQUAL_TO", "web"): "true", ("EQUAL_TO", "Web"): "false", ("NOT_EQUAL_TO", "web"): "false",
        ("NOT_EQUAL_TO", "shop"): "true", ("GREATER_THAN", "shop"): "true", ("LESS_THAN", "10"): "false",
    }  # fmt: skip

    found = {
        (operator, value): shop.text(
            f"{operator}-{value}", expression="{Visits.channel}", statistic="LAST_OCCURRENCE", UseHistoricalData=True,
            Threshold={"Operator": operator, "Value": value},
        )
        for operator, value in expected
    }  # fmt: skip

    assert found == expected


def test_a_segment_with_another_range_has_the_members_of_a_definition_with_that_range(shop: Visits) -> None:
    for name, days in (("week", 7), ("two-months", 60)):
        shop.calculate(name, Range={"Value": days, "Unit": "DAYS"}, UseHistoricalData=True)
    shop.visit(1, mail="ada@x.org", cost={"amount": 5})
    shop.visit(2, mail="bob@x.org", cost={"amount": 1})
    shop.later(days=20)
    shop.visit(3, mail="bob@x.org", cost={"amount": 2})
    test = {"DimensionType": "GREATER_THAN", "Values": ["2"]}
    override = {"ConditionOverrides": {"Range": {"Start": 60, "Unit": "DAYS"}}}

    found = [
        shop.members(dimension) for dimension in ({"week": test}, {"week": {**test, **override}}, {"two-months": test})
    ]

    assert found == [[], ["ada", "bob"], ["ada", "bob"]]


@pytest.mark.parametrize("operator", ["GREATER_THAN", "LESS_THAN"])
def test_true_and_false_are_neither_greater_nor_less_than_a_number(shop: Visits, operator: str) -> None:
    shop.visit(1, mail="ada@x.org", cost={"amount": 50})
    shop.visit(2, mail="bob@x.org", cost={"amount": 5})
    rich = shop.calculate("rich", UseHistoricalData=True, Threshold={"Operator": "GREATER_THAN", "Value": "10"})

    as_numbers = shop.members({rich.name: {"DimensionType": operator, "Values": ["0"]}})
    as_text = shop.members({rich.name: {"DimensionType": "INCLUSIVE", "Values": ["true"]}})

    assert (as_numbers, as_text) == ([], ["ada"])


@pytest.mark.parametrize("name", ["spent", "_orders_count"])
def test_a_segment_whose_calculated_attribute_was_deleted_fails_naming_it_until_it_is_created_again(
    shop: Visits, name: str
) -> None:
    shop.visit(1, cost={"amount": 50})
    if name not in DEFAULTS:
        shop.calculate(name, UseHistoricalData=True)
    test = {name: {"DimensionType": "GREATER_THAN", "Values": ["10"]}}
    groups = {"Groups": [{"Dimensions": [{"CalculatedAttributes": test}]}]}
    shop.at.write(shop.store, shop.domain, create_segment, "rich", {"DisplayName": "Rich"}, {GROUPS: groups}, {})

    shop.at.write(shop.store, shop.domain, definitions.delete_calculated, name)
    message = f"there is no calculated attribute {name} in domain shop"
    with pytest.raises(InvalidRequest, match=message):
        shop.at.read(shop.store, shop.domain, read_memberships, "rich", [])
    with pytest.raises(InvalidRequest, match=message):
        shop.at.write(shop.store, shop.domain, start_estimate, {"SegmentQuery": groups})
    shop.calculate(name, UseHistoricalData=True)

    (ada,) = shop.find("_email", "ada@x.org")
    assert shop.at.read(shop.store, shop.domain, list_members, "rich", max_results=5).profile_ids == [ada.profile_id]


def test_the_objects_of_each_type_are_read_once_for_all_values_of_a_profile(
    shop: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.define("CTR", CONTACTS)
    call(shop, 1, channel="VOICE")
    read: list[int] = []

    def read_and_note(connection: Any, domain_id: int, object_type_id: int, *arguments: Any, **more: Any) -> Any:
        read.append(object_type_id)
        return read_objects(connection, domain_id, object_type_id, *arguments, **more)

    monkeypatch.setattr(profile_values, "read_objects", read_and_note)
    with reading(shop.store, "shop", shop.now) as session:
        every = definitions.list_calculated(session)
        values = list(calculate_for(session, shop.find("_email", "ada@x.org"), every))

    assert len(values) == len(DEFAULTS)
    # CTR, and orders, assets, cases and communication records.
    assert len(read) == len(set(read)) == 5
