"""Which profile a row belongs to: the one whose key field itself has the value, or that was given this key."""

from __future__ import annotations

import pytest

from load.loading import NOW, Place, Shop
from load.oracle import Column
from openprofiles.profiles.profiles import add_profile_key

EMAIL, NAME, BUSINESS = (
    Column("Email", "EmailAddress"),
    Column("First name", "FirstName"),
    Column("Business email", "BusinessEmailAddress"),
)
OFFICE = b"Email,First name,Business email\nana@a.example,Ana,office@a.example\noffice@a.example,Desk,\n"


def values_of(shop: Shop) -> list[dict[str, str]]:
    return sorted((profile.values for profile in shop.known().profiles.values()), key=str)


@pytest.mark.parametrize("strict", [False, True])
def test_an_address_of_another_field_does_not_identify_a_customer_unless_the_server_is_strict(
    place: Place, strict: bool
) -> None:
    shop = place.open_shop()

    jobs = [shop.load([EMAIL, NAME, BUSINESS], "Email", OFFICE, strict=strict) for _ in range(2)]

    ana = {"EmailAddress": "ana@a.example", "FirstName": "Ana", "BusinessEmailAddress": "office@a.example"}
    desk = {"EmailAddress": "office@a.example", "FirstName": "Desk"}
    if strict:
        assert values_of(shop) != [ana, desk]
    else:
        assert values_of(shop) == [ana, desk]
        assert [(job.created_count, job.updated_count, job.unchanged_count) for job in jobs] == [(2, 0, 0), (0, 2, 2)]


def test_a_row_that_finds_its_profile_by_a_given_key_leaves_the_key_field_as_it_is(place: Place) -> None:
    shop = place.open_shop()
    made = shop.make_profile({"EmailAddress": "ana@a.example"}, ingested=True)
    add_profile_key(shop.store, shop.name, made.profile_id, "_email", ["ann@a.example"], NOW)

    job = shop.load([EMAIL, NAME], "Email", b"Email,First name\nann@a.example,Ana\nann@a.example,Ana\n")

    assert values_of(shop) == [{"EmailAddress": "ana@a.example", "FirstName": "Ana"}]
    assert (job.created_count, job.updated_count, job.unchanged_count) == (0, 2, 1)
