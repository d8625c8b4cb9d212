"""Domains: created, read, changed, listed, tagged and deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import by_hand
from openprofiles.clock import from_milliseconds
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.records import Domain
from openprofiles.pages import write_token
from openprofiles.profiles import domains
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store.connections import Store

NOW = from_milliseconds(1_780_000_000_123)
LATER = NOW + timedelta(days=2)


def make_domain(store: Store, name: str = "shop", **given: Any) -> Domain:
    arguments: dict[str, Any] = {
        "default_expiration_days": 30,
        "config": {},
        "tags": {},
        "phone_region": "US",
        "now": NOW,
    } | given
    return domains.create_domain(store, name, **arguments)


def change_domain(store: Store, name: str = "shop", **given: Any) -> Domain:
    return by_hand.At(LATER).write(store, name, domains.update_domain, **given)


def test_a_domain_is_read_as_it_was_made(store: Store) -> None:
    config = {"DeadLetterQueueUrl": "https://queue.example/1", "DataStore": {"Enabled": False}}

    made = make_domain(store, config=config, tags={"team": "a"}, phone_region="DE")

    assert by_hand.get_domain(store, "shop") == made
    assert (made.config, made.tags, made.phone_region) == (config, {"team": "a"}, "DE")
    assert (made.created_at, made.updated_at) == (NOW, NOW)


def test_a_name_is_taken_once_and_upper_case_is_another_name(store: Store) -> None:
    first = make_domain(store, "shop")
    make_domain(store, "Shop")

    with pytest.raises(InvalidRequest, match=r"^Domain shop already exists$"):
        make_domain(store, "shop", default_expiration_days=5)

    assert by_hand.get_domain(store, "shop") == first


def test_the_name_of_a_deleted_domain_is_free_at_once(store: Store) -> None:
    old = make_domain(store)
    by_hand.create_profile(store, "shop", ProfileChange(values={"FirstName": "Ada"}), NOW)

    by_hand.write(store, "shop", domains.delete_domain)

    with pytest.raises(NotFound, match=r"^Domain shop does not exist\.$"):
        by_hand.get_domain(store, "shop")
    new = make_domain(store)
    assert new.domain_id != old.domain_id
    assert by_hand.get_domain(store, "shop") == new
    assert by_hand.read(store, "shop", domains.count_profiles) == 0


ACTS: list[Any] = [
    pytest.param(lambda store: by_hand.read(store, "shop", domains.count_profiles), id="get"),
    pytest.param(change_domain, id="change"),
    pytest.param(lambda store: by_hand.write(store, "shop", domains.delete_domain), id="delete"),
    pytest.param(lambda store: by_hand.write(store, "shop", domains.tag_domain, {"a": "b"}), id="tag"),
    pytest.param(lambda store: by_hand.write(store, "shop", domains.untag_domain, ["a"]), id="untag"),
]


@pytest.mark.parametrize("act", ACTS)
def test_a_domain_that_does_not_exist_is_named(store: Store, act: Callable[[Store], object]) -> None:
    other = make_domain(store, "other")

    with pytest.raises(NotFound, match=r"^Domain shop does not exist\.$"):
        act(store)

    assert by_hand.get_domain(store, "other") == other


def test_an_update_changes_what_is_given_and_keeps_the_rest(store: Store) -> None:
    before = make_domain(
        store,
        config={"DefaultEncryptionKey": "key", "DeadLetterQueueUrl": "url", "Matching": {"Enabled": True}},
        tags={"team": "a"},
    )
    other = make_domain(store, "other", tags={"team": "b"})

    after = change_domain(store, config={"DeadLetterQueueUrl": "", "Matching": {"Enabled": False}}, tags={"new": "t"})

    assert after.config == {"DefaultEncryptionKey": "key", "Matching": {"Enabled": False}}
    assert (after.tags, after.default_expiration_days, after.updated_at) == ({"new": "t"}, 30, LATER)
    assert after.created_at == before.created_at
    assert by_hand.get_domain(store, "shop") == after
    assert by_hand.get_domain(store, "other") == other


def test_rules_are_active_in_a_new_domain_and_wait_in_one_that_had_none(store: Store) -> None:
    rules = {"Enabled": True, "MatchingRules": [{"Rule": ["EmailAddress"]}]}

    made = make_domain(store, config={"RuleBasedMatching": rules})
    changed = change_domain(store, config={"RuleBasedMatching": rules | {"MaxAllowedRuleLevelForMatching": 1}})
    off = change_domain(store, config={"RuleBasedMatching": {"Enabled": False}})

    assert made.config["RuleBasedMatching"] == rules | {"Status": "ACTIVE"}
    assert changed.config["RuleBasedMatching"]["Status"] == "PENDING"
    assert off.config["RuleBasedMatching"] == {"Enabled": False}


TWO_RULES = [{"Rule": ["EmailAddress"]}, {"Rule": ["PhoneNumber", "LastName"]}]
CONTRADICTIONS = [
    pytest.param(
        {
            "RuleBasedMatching": {
                "Enabled": True,
                "MaxAllowedRuleLevelForMerging": 2,
                "MaxAllowedRuleLevelForMatching": 1,
            }
        },
        "MaxAllowedRuleLevelForMerging is 2, above MaxAllowedRuleLevelForMatching, which is 1",
        id="merging above matching",
    ),
    pytest.param(
        {"RuleBasedMatching": {"Enabled": True, "MatchingRules": TWO_RULES, "MaxAllowedRuleLevelForMatching": 3}},
        "MaxAllowedRuleLevelForMatching is 3, but MatchingRules has only 2",
        id="matching above the rules",
    ),
    pytest.param(
        {"RuleBasedMatching": {"Enabled": True, "MatchingRules": TWO_RULES, "MaxAllowedRuleLevelForMerging": 3}},
        "MaxAllowedRuleLevelForMerging is 3, but MatchingRules has only 2",
        id="merging above the rules",
    ),
    pytest.param(
        {"RuleBasedMatching": {"Enabled": True, "ConflictResolution": {"ConflictResolvingModel": "SOURCE"}}},
        "RuleBasedMatching.ConflictResolution.SourceName is required",
        id="rules, source without a name",
    ),
    pytest.param(
        {
            "Matching": {
                "Enabled": True,
                "AutoMerging": {"Enabled": True, "ConflictResolution": {"ConflictResolvingModel": "SOURCE"}},
            }
        },
        "Matching.AutoMerging.ConflictResolution.SourceName is required",
        id="matching, source without a name",
    ),
]


@pytest.mark.parametrize(("config", "message"), CONTRADICTIONS)
def test_a_configuration_that_contradicts_itself_is_refused(store: Store, config: dict[str, Any], message: str) -> None:
    before = make_domain(store, "other")

    with pytest.raises(InvalidRequest, match=message):
        make_domain(store, config=config)
    with pytest.raises(InvalidRequest, match=message):
        change_domain(store, "other", config=config)

    assert by_hand.get_domain(store, "other") == before


def test_the_data_store_cannot_be_switched_off(store: Store) -> None:
    before = make_domain(store, config={"DataStore": {"Enabled": True}})

    with pytest.raises(InvalidRequest, match=r"DataStore\.Enabled"):
        change_domain(store, config={"DataStore": {"Enabled": False}})

    assert by_hand.get_domain(store, "shop") == before


def test_a_list_is_full_of_the_domains_that_the_caller_may_see(store: Store) -> None:
    for number in range(12):
        make_domain(store, f"{'mine' if number % 3 == 0 else 'other'}-{number:02}")
    by_hand.write(store, "mine-03", domains.delete_domain)

    pages: list[list[str]] = []
    token = None
    while not pages or token is not None:
        page = domains.list_domains(store, is_visible=lambda name: name[:4] == "mine", max_results=2, next_token=token)
        pages.append([domain.name for domain in page.domains])
        token = page.next_token

    assert pages == [["mine-00", "mine-06"], ["mine-09"]]


TOKENS = [
    pytest.param(write_token("SearchProfiles", ["a"]), id="of another list"),
    pytest.param(write_token("ListDomains", [1]), id="a number for a name"),
    pytest.param(write_token("ListDomains", ["\ud800"]), id="half a surrogate pair"),
    pytest.param("not a token", id="not a token"),
]


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_that_this_list_did_not_give_is_refused(store: Store, token: str) -> None:
    with pytest.raises(InvalidRequest, match="NextToken"):
        domains.list_domains(store, is_visible=lambda _: True, max_results=2, next_token=token)


def test_tags_are_added_replaced_and_removed(store: Store) -> None:
    before = make_domain(store, tags={"team": "a", "stage": "test"})
    other = make_domain(store, "other", tags={"team": "z"})

    by_hand.write(store, "shop", domains.tag_domain, {"team": "b", "cost": "7"})
    by_hand.write(store, "shop", domains.untag_domain, ["stage", "absent"])

    after = by_hand.get_domain(store, "shop")
    assert after.tags == {"team": "b", "cost": "7"}
    assert after.updated_at == before.updated_at
    assert by_hand.get_domain(store, "other") == other


def test_the_51st_tag_is_refused(store: Store) -> None:
    fifty = {f"tag{'x' * number}": "" for number in range(50)}
    make_domain(store, tags=fifty)

    by_hand.write(store, "shop", domains.tag_domain, {"tag": "again"})
    with pytest.raises(InvalidRequest, match="51 tags"):
        by_hand.write(store, "shop", domains.tag_domain, {"one-more": ""})

    assert by_hand.get_domain(store, "shop").tags == fifty | {"tag": "again"}
