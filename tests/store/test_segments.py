"""Segments: what groups mean, what is refused, and who is a member, on every engine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

import by_hand
from openprofiles.definitions.definitions import create_definition, get_definition, list_definitions
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.expressions.evaluate import holds
from openprofiles.facts.records import Domain, Profile
from openprofiles.ids import new_profile_id
from openprofiles.profiles.session import Reading
from openprofiles.segments import membership
from openprofiles.segments.definitions import (
    GROUPS,
    SEGMENT,
    create_segment,
    delete_segment,
    expression_of,
    require_valid,
)
from openprofiles.segments.estimates import read_estimate, start_estimate
from openprofiles.segments.membership import explain_membership, list_members, read_memberships
from openprofiles.segments.surroundings import ProfileReader, sql_surroundings
from openprofiles.store import row_sequence
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.connections import Store
from openprofiles.store.prepared import written_together
from openprofiles.store.profile_changes import NewChange, insert_changes
from openprofiles.store.profiles import insert_profile, read_range
from openprofiles.store.segment_rows import count_members, read_members
from openprofiles.store.tables import profile_change
from openprofiles.store.upload_job_states import UploadJobStatus
from store.made_rows import NOW, make_domain, make_job

DAY = timedelta(days=1)
JOB, OTHER_JOB = f"{1:032x}", f"{2:032x}"

# By row number.
CUSTOMERS: dict[int, dict[str, Any]] = {
    1: {"values": {"FirstName": "Ann", "Address.Country": "US"}, "attributes": {"tier": "gold", "visits": "12"}},
    2: {"values": {"FirstName": "Bob", "Address.Country": "US"}, "attributes": {"tier": "basic", "visits": "3"}},
    3: {"values": {"FirstName": "Cleo", "Address.Country": "CA"}, "attributes": {"tier": "gold"}},
    4: {"values": {"FirstName": "Dan", "BirthDate": "1990-13-45"}},
    5: {"values": {"FirstName": "Eve", "BirthDate": "2000-02-29", "ProfileType": "ACCOUNT_PROFILE"}},
    6: {},
}


@dataclass
class Shop:
    """A domain with some customers."""

    store: Store
    domain: Domain

    def members(self, groups: Mapping[str, Any] | None, *, now: datetime = NOW) -> list[int]:
        """Find the members of segment groups, by the statement of the engine and one by one; both must agree."""
        with self.store.read() as connection:
            session = Reading(connection=connection, domain=self.domain, now=now)
            expression = expression_of(session, {} if groups is None else {GROUPS: groups}, GROUPS)
            require_valid(session, expression)
            surroundings = sql_surroundings(session)
            members = read_members(
                connection,
                self.domain.domain_id,
                expression,
                surroundings,
                after_pid=0,
                upto_pid=1 << 40,
                limit=1_000,
            )
            found = [pid for pid, _ in members]
            assert count_members(connection, self.domain.domain_id, expression, surroundings) == len(found)
            reader = ProfileReader(session)
            living = [
                one for one in read_range(connection, self.domain.domain_id, 0, 1 << 40, limit=1_000)
                if one.expires_at > now
            ]  # fmt: skip
            assert [one.pid for one in living if holds(expression, reader.values_of(one))] == found
            return found

    def create(self, name: str, groups: Mapping[str, Any] | None = None, **summary: Any) -> None:
        body = {} if groups is None else {GROUPS: groups}
        by_hand.write(self.store, self.domain, create_segment, name, {"DisplayName": name, **summary}, body, {})

    def delete(self, name: str) -> None:
        by_hand.write(self.store, self.domain, delete_segment, name)

    def refusal(self, groups: Mapping[str, Any], name: str = "refused") -> str:
        with pytest.raises(InvalidRequest) as caught:
            self.create(name, groups)
        return str(caught.value)


@pytest.fixture
def shop(store: Store) -> Shop:
    made = Shop(store, make_domain(store, "shop"))
    insert(made, CUSTOMERS)
    return made


def insert(shop: Shop, customers: Mapping[int, Mapping[str, Any]], **columns: Any) -> None:
    with shop.store.write() as connection, written_together(connection) as writes:
        for pid, customer in customers.items():
            given: dict[str, Any] = {
                "values": {},
                "attributes": {},
                "created_at": NOW,
                "updated_at": NOW,
                "expires_at": NOW + 10 * DAY,
            }
            domain_id, profile_id = shop.domain.domain_id, new_profile_id(NOW, pid)
            insert_profile(
                writes, Profile(pid=pid, domain_id=domain_id, profile_id=profile_id, **given | columns | dict(customer))
            )


def one(name: str, operator: str, *values: str) -> dict[str, Any]:
    """Make a dimension with one test; ``name`` is a field's path, or that of an attribute in small letters."""
    given: Any = {"DimensionType": operator, "Values": list(values)}
    first, _, inner = name.partition(".")
    if name.startswith("_openprofiles.") or name[0].islower():
        return {"ProfileAttributes": {"Attributes": {name: given}}}
    return {"ProfileAttributes": {first: {inner: given} if inner else given}}


def group(*dimensions: Mapping[str, Any], sources: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"Dimensions": list(dimensions), **more}
    if sources:
        made["SourceSegments"] = [{"SegmentDefinitionName": name} for name in sources]
    return made


def groups(*every: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"Groups": list(every), **more}


GOLD = one("tier", "INCLUSIVE", "gold")
US = one("Address.Country", "INCLUSIVE", "US")
ALL = list(CUSTOMERS)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ALL),
        ({}, ALL),
        (groups(), ALL),
        (groups(Include="NONE"), ALL),
        (groups({}), ALL),
        (groups(group(Type="ANY")), ALL),
        (groups(group(Type="NONE")), ALL),
        (groups(group(GOLD, US)), [1]),
        (groups(group(GOLD, US, Type="ANY")), [1, 2, 3]),
        (groups(group(GOLD, US, Type="NONE")), [4, 5, 6]),
        (groups(group(GOLD), group(US)), [1]),
        (groups(group(GOLD), group(US), Include="ANY"), [1, 2, 3]),
        (groups(group(GOLD), group(US), Include="NONE"), [4, 5, 6]),
        (groups(group(US), group(GOLD, Type="NONE")), [2]),
        (groups(group(one("tier", "INCLUSIVE", "__no_records__"))), []),
        # The tests of one dimension all hold, whatever joins the dimensions.
        (
            groups(group(
                {"ProfileAttributes": {
                    "Address": {"Country": {"DimensionType": "INCLUSIVE", "Values": ["US"]}},
                    "Attributes": {"tier": {"DimensionType": "INCLUSIVE", "Values": ["gold"]}},
                }},
                Type="ANY",
            )),
            [1],
        ),
        (groups(group(one("tier", "EXCLUSIVE", "gold"))), [2, 4, 5, 6]),
        (groups(group(one("tier", "INCLUSIVE", "GOLD"))), []),
        (groups(group(one("visits", "GREATER_THAN", "3"))), [1]),
        (groups(group(one("visits", "EQUAL", "12.0"))), [1]),
        (groups(group(one("BirthDate", "BEFORE", "2100-01-01"))), [5]),
        (groups(group(one("BirthDate", "ON", "2000-02-29T23:59:59Z"))), [5]),
        (groups(group(one("BirthDate", "NOT_BETWEEN", "2010-01-01", "2011-01-01"))), [5]),
        (groups(group(one("BirthDate", "BETWEEN", "1999-01-01", "2001-01-01"), Type="NONE")), [1, 2, 3, 4, 6]),
        (groups(group(one("ProfileType", "INCLUSIVE", "PROFILE"))), []),
        (groups(group(one("ProfileType", "EXCLUSIVE", "ACCOUNT_PROFILE"))), [1, 2, 3, 4, 6]),
        (groups(group(one("FirstName", "INCLUSIVE", "{{_profile.FirstName}}"))), [1, 2, 3, 4, 5]),
        (groups(group(one("FirstName", "EXCLUSIVE", "{{_profile.FirstName}}"))), [6]),
        (groups(group(one("FirstName", "INCLUSIVE", "{{x}}"))), []),
    ],
)  # fmt: skip
def test_groups_find_these_members(shop: Shop, given: Any, expected: list[int]) -> None:
    assert shop.members(given) == expected


def test_a_hundred_and_twenty_five_values_in_three_dimensions_find_exactly_their_profiles(shop: Shop) -> None:
    insert(shop, {pid: {"attributes": {"id": f"c{pid}"}} for pid in range(100, 300)})
    wanted = [f"c{pid}" for pid in range(100, 225)]

    parts = [one("id", "INCLUSIVE", *wanted[start : start + 50]) for start in (0, 50, 100)]

    assert shop.members(groups(group(*parts, Type="ANY"))) == list(range(100, 225))


def test_expired_profiles_and_those_of_other_domains_are_members_of_nothing(shop: Shop) -> None:
    insert(shop, {50: {"attributes": {"tier": "gold"}}}, expires_at=NOW)
    insert(Shop(shop.store, make_domain(shop.store, "other")), {60: {"attributes": {"tier": "gold"}}})

    assert shop.members(groups(group(GOLD))) == [1, 3]
    assert shop.members(None) == ALL


def test_a_relative_date_means_another_moment_each_time(shop: Shop) -> None:
    insert(shop, {50: {"attributes": {"seen": "2026-05-28"}}})
    recent = groups(group(one("seen", "BETWEEN", "now-2d")))

    found = [shop.members(recent, now=NOW + days * DAY) for days in (-2, 0, 1, 3)]

    assert found == [[], [50], [50], []]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            groups(group(one("visits", "GREATER_THAN", "abc"))),
            "SegmentGroups.Groups[0].Dimensions[0].ProfileAttributes.Attributes.visits.Values[0] must be a number for "
            "GREATER_THAN.",
        ),
        (groups(group(one("BirthDate", "BEFORE", "tomorrow"))), "or a relative one, such as 2024-10-01,"),
        (groups(group(one("BirthDate", "BETWEEN", "2024-10-01"))), "must be the first and the last moment of a range"),
        (groups(group(one("BirthDate", "BETWEEN", "now", "now", "now"))), "must be the first and the last moment"),
        (groups(group(one("BirthDate", "BETWEEN", "2024-10-02", "2024-10-01"))), "must begin with the earlier end"),
        (groups(group(one("BirthDate", "BETWEEN", "now", "now-1d"))), "must begin with the earlier end"),
        (groups(group(one("tier", "INCLUSIVE", "Hello {{_profile.FirstName}}"))), "must be a reference as a whole"),
        (groups(group(one("tier", "INCLUSIVE", "{{_profile.Shoe}}"))), "a profile has no field Shoe"),
        (groups(group(one("tier", "INCLUSIVE", "{{_calculated_attribute.no}}"))), "no calculated attribute no in"),
        (groups(group(sources=["absent"])), "uses segment definition absent, which does not exist in domain shop"),
        (groups(group(sources=["a"] * 6)), "SourceSegments has 6 segments; at most 5 are allowed in a group."),
        (groups({"SourceSegments": [{}]}), "SourceSegments[0] must have a SegmentDefinitionName."),
        # What is left of a misspelt member.
        (groups(group({"ProfileAttributes": {}})), "SegmentGroups.Groups[0].Dimensions[0] must have a condition."),
        (
            groups(group({"ProfileAttributes": {"Attributes": {}}})),
            "ProfileAttributes.Attributes must have a condition",
        ),
        (groups(group(one("_openprofiles.made_by_upload_job", "INCLUSIVE", "x"))), "there is no upload job x"),
        (groups(group(one("_openprofiles.made_by_upload_job", "CONTAINS", "x"))), "INCLUSIVE and EXCLUSIVE only"),
        (groups(group(one("_openprofiles.created_at", "INCLUSIVE", "x"))), "BETWEEN and NOT_BETWEEN only"),
        (groups(group(one("_openprofiles.made", "INCLUSIVE", "x"))), "Those of openprofiles are _openprofiles.made_by"),
        (groups(group(*(one(f"a{number}", "INCLUSIVE", "x") for number in range(61)))), "limit of 60 unique"),
    ],
)
def test_a_segment_that_means_nothing_is_refused_naming_the_place(shop: Shop, given: Any, message: str) -> None:
    assert message in shop.refusal(given)


def test_a_segment_builds_on_others_joined_as_its_group_says(shop: Shop) -> None:
    shop.create("gold", groups(group(GOLD)))
    shop.create("us", groups(group(US)))
    both = ["gold", "us"]

    found = [
        shop.members(groups(group(sources=both, **({"SourceType": kind} if kind else {}))))
        for kind in (None, "ANY", "ALL", "NONE")
    ]

    assert found == [[1, 2, 3], [1, 2, 3], [1], [4, 5, 6]]
    assert shop.members(groups(group(US, sources=["gold"]))) == [1]


def test_segments_build_on_each_other_to_a_depth_of_five(shop: Shop) -> None:
    shop.create("s0", groups(group(GOLD)))
    for depth in range(1, 6):
        shop.create(f"s{depth}", groups(group(sources=[f"s{depth - 1}"])))

    assert shop.members(groups(group(sources=["s4"]))) == [1, 3]
    assert "depth of starting audiences" in shop.refusal(groups(group(sources=["s5"])))


def test_groups_in_their_thousands_have_the_same_members_on_every_engine(shop: Shop) -> None:
    assert shop.members(groups(*(group(one("tier", "INCLUSIVE", "gold")) for _ in range(3_000)))) == [1, 3]
    # Each is one condition with one value.
    assert "The segment has 10,003 groups, conditions and values" in shop.refusal(
        groups(*(group(one("tier", "INCLUSIVE", "gold")) for _ in range(5_001)))
    )


def test_segments_that_build_on_the_same_ones_again_and_again_are_checked_once_and_refused(shop: Shop) -> None:
    shop.create("s0", groups(group(GOLD)))
    for depth in (1, 2):
        # Each has the one before 25 times.
        shop.create(f"s{depth}", groups(*(group(sources=[f"s{depth - 1}"] * 5) for _ in range(5))))

    with pytest.raises(InvalidRequest, match="those of the segments that it builds on included each time"):
        shop.create("s3", groups(*(group(sources=["s2"] * 5) for _ in range(5))))


def test_a_chain_of_segments_that_grew_too_long_is_refused_when_it_is_used(shop: Shop) -> None:
    # Each could be created, since those before it could be deleted and created again, longer.
    for number in range(1_001):
        body = {GROUPS: groups(group(sources=[f"s{number - 1}"]))} if number else {}
        by_hand.write(shop.store, shop.domain, create_definition, SEGMENT, f"s{number}", summary={}, body=body)

    with pytest.raises(InvalidRequest, match="to a depth of more than 5"):
        by_hand.read(shop.store, shop.domain, read_memberships, "s1000", [])


def test_attributes_are_counted_through_the_segments_that_it_builds_on(shop: Shop) -> None:
    for part in range(3):
        names = [f"a{number}" for number in range(part * 20, part * 20 + 20)]
        shop.create(f"part{part}", groups(group(*(one(name, "INCLUSIVE", "x") for name in names))))
    sources = ["part0", "part1", "part2"]

    shop.create("sixty", groups(group(sources=sources)))

    assert "61 unique attributes" in shop.refusal(groups(group(GOLD, sources=sources)))


def test_a_segment_that_builds_on_a_deleted_one_fails_until_that_is_created_again(shop: Shop) -> None:
    shop.create("gold", groups(group(GOLD)))
    shop.create("rich", groups(group(sources=["gold"])))

    shop.delete("gold")
    with pytest.raises(InvalidRequest, match="uses segment definition gold, which does not exist"):
        by_hand.read(shop.store, shop.domain, read_memberships, "rich", [])
    circle = shop.refusal(groups(group(sources=["rich"])), "gold")
    shop.create("gold", groups(group(US)))

    assert circle.endswith("the segment would be built on itself (gold > rich > gold).")
    assert shop.members(groups(group(sources=["rich"]))) == [1, 2]
    assert "(self > self)" in shop.refusal(groups(group(sources=["self"])), "self")


def test_a_definition_is_kept_as_it_came_and_its_name_is_taken(shop: Shop) -> None:
    given = groups(group(GOLD, Type="ANY"), Include="ANY")

    shop.create("gold", given, Description="Gold ones")

    found = by_hand.read(shop.store, shop.domain, get_definition, SEGMENT, "gold")
    assert found.body == {GROUPS: given}
    assert found.definition.summary == {"DisplayName": "gold", "Description": "Gold ones", "SegmentType": "CLASSIC"}
    assert shop.refusal(given, "gold") == "Segment definition with name gold already exists"
    assert "is reserved" in shop.refusal(given, "_default-vip")
    listed = by_hand.read(shop.store, shop.domain, list_definitions, SEGMENT, list_name="x", max_results=5)
    assert [one.name for one in listed.definitions] == ["gold"]
    shop.delete("gold")
    with pytest.raises(NotFound, match="Segment definition gold does not exist in domain shop"):
        shop.delete("gold")


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ({"Name": "spent", "Type": "CALCULATED"}, "sorting by calculated attributes is not supported by this version"),
        ({"Name": "Shoe"}, "SegmentSort.Attributes[0]: a profile has no field Shoe."),
    ],
)
def test_a_segment_is_sorted_by_fields_that_a_profile_has(
    shop: Shop, attribute: Mapping[str, Any], message: str
) -> None:
    body = {"SegmentSort": {"Attributes": [{"Order": "ASC", **attribute}]}}

    with pytest.raises(InvalidRequest, match=re.escape(message)):
        by_hand.write(shop.store, shop.domain, create_segment, "sorted", {"DisplayName": "x"}, body, {})


def test_a_segment_of_aws_is_neither_created_nor_deleted(shop: Shop) -> None:
    for change in (shop.create, shop.delete):
        with pytest.raises(InvalidRequest, match="begin with _default"):
            change("_defaultCustomers")


def test_groups_and_an_sql_query_are_not_given_together(shop: Shop) -> None:
    with pytest.raises(InvalidRequest, match="either SegmentQuery or SegmentSqlQuery, not both"):
        by_hand.write(shop.store, shop.domain, start_estimate, {"SegmentQuery": {}, "SegmentSqlQuery": "select 1"})


def test_each_profile_is_answered_once_in_the_order_of_the_request(shop: Shop) -> None:
    shop.create("gold", groups(group(GOLD)))
    with shop.store.read() as connection:
        stored = {one.pid: str(one.profile_id) for one in read_range(connection, shop.domain.domain_id, 0, 3, limit=9)}
    # The row exists, but its profile has another id.
    forged = "0" * 20 + stored[1][20:]

    found = by_hand.read(
        shop.store, shop.domain, read_memberships, "gold", [stored[3], stored[2], forged, stored[3], "f" * 32]
    )

    assert [(one.profile_id, one.profile is not None, one.is_member) for one in found] == [
        (stored[3], True, True),
        (stored[2], True, False),
        (forged, False, False),
        ("f" * 32, False, False),
    ]
    explained = by_hand.read(shop.store, shop.domain, explain_membership, "gold", stored[2])
    assert (explained.holds, explained.found) == (False, "basic")
    with pytest.raises(NotFound, match="does not exist in domain shop"):
        by_hand.read(shop.store, shop.domain, explain_membership, "gold", "f" * 32)
    with pytest.raises(NotFound, match="Segment definition absent"):
        by_hand.read(shop.store, shop.domain, read_memberships, "absent", [])


def test_members_are_listed_in_pages_and_a_short_page_may_have_another_after_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop.store.write() as connection:
        row_sequence.reserve(connection, 500)
    insert(shop, {pid: {"attributes": {"tier": "gold"}} for pid in (100, 101, 102, 500)})
    shop.create("gold", groups(group(GOLD)))
    # Each page looks at 50 row numbers.
    monkeypatch.setattr(membership, "_ROW_NUMBERS_AT_ONCE", 50)
    monkeypatch.setattr(membership, "_SECONDS_PER_PAGE", 0.0)

    pages, token = [], None
    while True:
        page = by_hand.read(shop.store, shop.domain, list_members, "gold", max_results=2, next_token=token)
        pages.append([int(one[-12:], 16) for one in page.profile_ids])
        token = page.next_token
        if token is None:
            break

    assert [pid for page in pages for pid in page] == [1, 3, 100, 101, 102, 500]
    assert max(map(len, pages)) == 2
    assert [] in pages
    with pytest.raises(InvalidRequest, match="NextToken is not valid here"):
        by_hand.read(shop.store, shop.domain, list_members, "gold", max_results=2, next_token="x")


def test_a_job_has_made_the_profiles_of_its_rows_and_touched_those_it_changed(shop: Shop) -> None:
    first = make_job(shop.store, shop.domain, 1, pid_base=1, record_count=3)
    second = make_job(shop.store, shop.domain, 2, pid_base=10, record_count=1)
    insert(shop, {11: {}}, last_upload_job=second)
    with shop.store.write() as connection:
        log(connection, shop, first, ChangeAction.CREATED, [2, 3, 4])
        log(connection, shop, first, ChangeAction.INGESTED, [1, 6])
        log(connection, shop, second, ChangeAction.INGESTED, [2, 4, 5])
        log(connection, shop, second, ChangeAction.DELETED, [3])

    def of(kind: str, *jobs: str, operator: str = "INCLUSIVE") -> list[int]:
        return shop.members(groups(group(one(f"_openprofiles.{kind}_by_upload_job", operator, *jobs))))

    assert of("made", JOB) == [2, 3, 4]
    assert of("made", OTHER_JOB) == [11]
    assert of("made", JOB, OTHER_JOB) == [2, 3, 4, 11]
    assert of("made", JOB, operator="EXCLUSIVE") == [1, 5, 6, 11]
    # The second job has changed two of them since.
    assert of("touched", JOB) == [1, 2, 3, 4, 6]
    assert of("touched", OTHER_JOB) == [2, 4, 5, 11]
    assert of("touched", JOB, operator="EXCLUSIVE") == [5, 11]


def test_a_job_that_has_not_begun_has_made_nothing(shop: Shop) -> None:
    make_job(shop.store, shop.domain, 1, status="CREATED")

    assert shop.members(groups(group(one("_openprofiles.made_by_upload_job", "INCLUSIVE", JOB)))) == []


def log(connection: Any, shop: Shop, job_number: int, action: ChangeAction, pids: list[int]) -> None:
    insert_changes(
        connection,
        shop.domain.domain_id,
        [NewChange(action=action, pids=pids, changed_at=NOW, actor="x")],
    )
    last = select(func.max(profile_change.c.number)).scalar_subquery()
    connection.execute(update(profile_change).where(profile_change.c.number == last).values(job_number=job_number))


def test_the_times_of_a_profile_can_be_compared(shop: Shop) -> None:
    insert(shop, {50: {}}, created_at=NOW - 5 * DAY, updated_at=NOW - DAY)

    assert shop.members(groups(group(one("_openprofiles.created_at", "BEFORE", "now-3d")))) == [50]
    assert shop.members(groups(group(one("_openprofiles.updated_at", "BETWEEN", "now-2d", "now-1h")))) == [50]
    assert shop.members(groups(group(one("_openprofiles.created_at", "ON", "now")))) == ALL


def test_an_estimate_waits_for_a_worker_and_belongs_to_its_domain(shop: Shop) -> None:
    other = make_domain(shop.store, "other")

    estimate_id = by_hand.write(shop.store, shop.domain, start_estimate, {"SegmentQuery": groups(group(GOLD))})

    found = by_hand.read(shop.store, shop.domain, read_estimate, estimate_id)
    assert (found.status, found.member_count) == (UploadJobStatus.IN_PROGRESS, None)
    with pytest.raises(NotFound, match="does not exist in domain other"):
        by_hand.read(shop.store, other, read_estimate, estimate_id)
