"""Which keys a profile's fields give it, and what a change does to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.facts.keys import Key, derived_keys, key_changes

DERIVED = [
    pytest.param({"EmailAddress": " Ada@Example.COM "}, {("_email", "ada@example.com")}, id="e-mail in normal form"),
    pytest.param(
        {"EmailAddress": "a@x.de", "PersonalEmailAddress": "b@x.de", "BusinessEmailAddress": "A@x.de"},
        {("_email", "a@x.de"), ("_email", "b@x.de")},
        id="three e-mail fields, two e-mails",
    ),
    pytest.param(
        {"PhoneNumber": "(206) 555-0100", "MobilePhoneNumber": "+12065550100", "HomePhoneNumber": "206 555 0101"},
        {("_phone", "+12065550100"), ("_phone", "+12065550101")},
        id="phones in any format",
    ),
    pytest.param({"BusinessPhoneNumber": "ask for Ada"}, set(), id="a phone without digits is no key"),
    pytest.param({"AccountNumber": "A-1"}, {("_account", "a-1")}, id="account"),
    pytest.param(
        {"FirstName": "Ada", "LastName": "King  Lovelace"}, {("_fullName", "ada king lovelace")}, id="no middle"
    ),
    pytest.param({"LastName": "Lovelace"}, {("_fullName", "lovelace")}, id="last name alone"),
    pytest.param({"ShippingAddress.City": "London", "BirthDate": "1815-12-10"}, set(), id="other fields are no keys"),
]


@pytest.mark.parametrize(("values", "expected"), DERIVED)
def test_the_standard_keys_come_from_any_of_their_fields(
    values: dict[str, str], expected: set[tuple[str, str]]
) -> None:
    keys = derived_keys(values, {}, "US", ())

    assert keys == expected


def test_a_field_that_jobs_find_profiles_by_is_a_key_without_surrounding_blanks_and_composed() -> None:
    values = {"BillingAddress.City": " Ko\u0308ln "}
    attributes = {"Loyalty.Id": "L 7", "Other": "x"}

    keys = derived_keys(values, attributes, "US", ["BillingAddress.City", "Attributes.Loyalty.Id", "Attributes.Absent"])

    assert keys == {("_profile.BillingAddress.City", "Köln"), ("_profile.Attributes.Loyalty.Id", "L 7")}


def test_a_placeholder_is_a_key_only_of_a_name() -> None:
    values = {"EmailAddress": "NULL", "PhoneNumber": "#DIV/0!", "AccountNumber": "-", "LastName": "None"}

    assert derived_keys(values, {}, "US", ["AccountNumber"]) == {("_fullName", "none"), ("_profile.AccountNumber", "-")}


def test_an_attribute_is_not_taken_for_a_standard_field_of_its_name() -> None:
    keys = derived_keys({}, {"EmailAddress": "ada@example.com"}, "US", ["EmailAddress"])

    assert keys == frozenset()


key_sets = st.frozensets(st.builds(Key, st.sampled_from(["_email", "_phone"]), st.sampled_from("abcd")))


@given(key_sets, key_sets, key_sets)
def test_a_change_takes_what_went_away_but_nothing_added_by_hand(
    before: frozenset[Key], after: frozenset[Key], by_hand: frozenset[Key]
) -> None:
    changes = key_changes(before, after, by_hand)

    index = ((before | by_hand) - changes.removed) | changes.added
    assert index == after | by_hand
    assert not changes.removed & changes.added
