"""Corner cases of segments made of groups: unusual names and values, ends of ranges, and limits, on every engine."""

from __future__ import annotations

from typing import Any

import pytest

import by_hand
from openprofiles.calculated.defaults import DEFAULTS
from openprofiles.definitions.definitions import get_definition
from openprofiles.errors import InvalidRequest
from openprofiles.segments.definitions import SEGMENT, SEGMENT_TYPE
from openprofiles.segments.estimates import start_estimate
from openprofiles.segments.snapshots import start_snapshot
from openprofiles.store.connections import Store
from store.made_rows import make_domain
from store.test_segments import ALL, CUSTOMERS, GOLD, US, Shop, group, groups, insert, one
from unit.test_expression_rules import FOUND, TRUTH_TABLE


@pytest.fixture
def empty_shop(store: Store) -> Shop:
    return Shop(store, make_domain(store, "shop"))


@pytest.fixture
def shop(empty_shop: Shop) -> Shop:
    insert(empty_shop, CUSTOMERS)
    return empty_shop


def attribute(name: str, operator: str, *values: str) -> dict[str, Any]:
    """Make a group with one test of a custom attribute, whatever its name looks like."""
    given = {"DimensionType": operator, "Values": list(values)}
    return groups(group({"ProfileAttributes": {"Attributes": {name: given}}}))


def test_a_segment_without_conditions_is_a_classic_one_of_everybody(shop: Shop) -> None:
    shop.create("all")

    found = by_hand.read(shop.store, shop.domain, get_definition, SEGMENT, "all")

    assert (found.body, found.definition.summary[SEGMENT_TYPE]) == ({}, "CLASSIC")
    assert shop.members(groups(group(sources=["all"]))) == ALL


@pytest.mark.parametrize(
    "dimension",
    [
        one("tier", "INCLUSIVE", "gold"),
        one("tier", "EXCLUSIVE", "gold"),
        one("visits", "LESS_THAN", "10"),
        one("BirthDate", "AFTER", "1900-01-01"),
        one("BirthDate", "NOT_BETWEEN", "1900-01-01", "1901-01-01"),
        one("FirstName", "EXCLUSIVE", "{{_profile.Attributes.tier}}"),
        one("_openprofiles.created_at", "BEFORE", "now-1d"),
    ],
    ids=str,
)
def test_each_profile_is_in_a_segment_or_in_its_complement(shop: Shop, dimension: dict[str, Any]) -> None:
    members = shop.members(groups(group(dimension)))
    others = shop.members(groups(group(dimension), Include="NONE"))

    assert sorted(members + others) == ALL


def test_each_operator_holds_on_every_engine_for_the_texts_of_the_table(empty_shop: Shop) -> None:
    insert(empty_shop, {pid: {"attributes": {"a": text} if text else {}} for pid, text in enumerate(FOUND, 1)})

    for name, values, expected in TRUTH_TABLE:
        members = empty_shop.members(attribute("a", name, *values))

        assert "".join("T" if pid in members else "-" for pid in range(1, len(FOUND) + 1)) == expected, (name, values)


def test_a_custom_attribute_is_found_by_its_exact_name(empty_shop: Shop) -> None:
    names = ["a.b", "a", "A", 'q"n', "q", "back\\slash", "with blank", "with", "\U0001f600", "x" * 255, "x" * 254]
    insert(empty_shop, {pid: {"attributes": {name: "here"}} for pid, name in enumerate(names, 1)})

    for pid, name in enumerate(names, 1):
        assert empty_shop.members(attribute(name, "INCLUSIVE", "here")) == [pid], name
        assert empty_shop.members(attribute(name, "CONTAINS", "er")) == [pid], name


def test_a_dot_in_the_name_of_an_attribute_does_not_lead_into_json(empty_shop: Shop) -> None:
    insert(empty_shop, {1: {"attributes": {"a": '{"b":"x"}'}}, 2: {"attributes": {"a.b": "x"}}})

    assert empty_shop.members(attribute("a.b", "INCLUSIVE", "x")) == [2]
    assert empty_shop.members(attribute("a", "INCLUSIVE", '{"b":"x"}')) == [1]


def test_a_time_with_an_offset_is_on_its_day_in_utc(empty_shop: Shop) -> None:
    insert(empty_shop, {1: {"values": {"BirthDate": "2024-10-02 01:30:00+02:00"}}})

    assert empty_shop.members(groups(group(one("BirthDate", "ON", "2024-10-01")))) == [1]
    assert empty_shop.members(groups(group(one("BirthDate", "ON", "2024-10-02")))) == []


def test_a_range_has_both_of_its_ends_and_not_a_millisecond_more(empty_shop: Shop) -> None:
    times = ["2024-10-01T09:59:59.999Z", "2024-10-01T10:00:00Z", "2024-10-02T00:00:00Z", "2024-10-02T00:00:00.001Z"]
    insert(empty_shop, {pid: {"attributes": {"at": time}} for pid, time in enumerate(times, 1)})
    ends = "2024-10-01T10:00:00Z", "2024-10-02"

    assert empty_shop.members(attribute("at", "BETWEEN", *ends)) == [2, 3]
    assert empty_shop.members(attribute("at", "NOT_BETWEEN", *ends)) == [1, 4]


def test_a_value_that_the_profile_lacks_is_equal_to_nothing(shop: Shop) -> None:
    absent = "{{_profile.Attributes.absent}}"

    assert shop.members(groups(group(one("FirstName", "INCLUSIVE", absent)))) == []
    assert shop.members(groups(group(one("FirstName", "EXCLUSIVE", absent)))) == ALL


def test_calculated_attributes_are_counted_through_the_segments_that_one_builds_on(shop: Shop) -> None:
    names = list(DEFAULTS)[:11]

    def having(some: list[str]) -> dict[str, Any]:
        test = {"DimensionType": "EQUAL", "Values": ["1"]}
        return {"CalculatedAttributes": dict.fromkeys(some, test)}

    shop.create("first", groups(group(having(names[:6]))))
    shop.create("second", groups(group(having(names[6:10]), sources=["first"])))

    shop.create("ten", groups(group(sources=["first", "second"])))
    refusal = shop.refusal(groups(group(having(names[10:]), sources=["ten"])))

    assert "11 unique calculated attributes, those of its source segments included." in refusal


def test_a_segment_that_builds_on_a_deleted_one_is_neither_counted_nor_exported(shop: Shop) -> None:
    shop.create("gold", groups(group(GOLD)))
    shop.create("rich", groups(group(sources=["gold"])))
    shop.delete("gold")
    query = {"SegmentQuery": groups(group(US, sources=["rich"]))}
    request = {"DataFormat": "CSV", "DestinationUri": "s3://bucket"}

    with pytest.raises(InvalidRequest, match="uses segment definition gold, which does not exist in domain shop"):
        by_hand.write(shop.store, shop.domain, start_estimate, query)
    with pytest.raises(InvalidRequest, match="uses segment definition gold, which does not exist in domain shop"):
        by_hand.write(shop.store, shop.domain, start_snapshot, "rich", request, export_folder=None, strict=False)

    shop.create("gold", groups(group(GOLD)))
    assert by_hand.write(shop.store, shop.domain, start_estimate, query)
    assert by_hand.write(shop.store, shop.domain, start_snapshot, "rich", request, export_folder=None, strict=False)
