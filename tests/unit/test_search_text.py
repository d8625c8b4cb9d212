"""What a text in the console's search box is looked up as."""

from __future__ import annotations

import pytest

from openprofiles.facts.normal_forms import normal_key
from openprofiles.profiles.search_text import MAX_TEXT_LENGTH, likely_keys

ID = "0197f0c2a1b27c3d8e4f000000000001"


def kinds(text: str) -> dict[str, tuple[str, ...]]:
    return {key.name: key.values for key in likely_keys(text)}


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("ada@example.com", "_email", "ada@example.com"),
        ("  ADA@example.com\u00a0", "_email", "ADA@example.com"),
        ("Ada Lovelace <ada@example.com>", "_email", "ada@example.com"),
        ("mailto:ada@example.com", "_email", "ada@example.com"),
        ("+1 (206) 555-0100", "_phone", "+1 (206) 555-0100"),
        ("206.555.0100", "_phone", "206.555.0100"),
        ("+49\u00a030\u00a01234\u20135678", "_phone", "+49\u00a030\u00a01234\u20135678"),
        ("tel:+12065550100", "_phone", "tel:+12065550100"),
        ("206-555-0100 ext. 12", "_phone", "206-555-0100 ext. 12"),
        ("٠٣٠١٢٣٤٥", "_phone", "٠٣٠١٢٣٤٥"),
        ("Ada Lovelace", "_fullName", "Ada Lovelace"),
        ("李雷", "_fullName", "李雷"),
        (ID, "_profileId", ID),
        (ID.upper(), "_profileId", ID),
        ("0197F0C2-a1b2-7c3d-8e4f-000000000001", "_profileId", ID),
    ],
)
def test_a_text_is_looked_up_as_what_it_looks_like_and_as_an_account_number(text: str, name: str, value: str) -> None:
    found = kinds(text)

    assert found[name] == (value,)
    assert set(found) == {name, "_account"}


def test_letters_with_digits_are_an_account_or_a_name_and_no_phone_number() -> None:
    assert set(kinds("C-02888")) == {"_fullName", "_account"}


def test_a_few_digits_are_an_account_number_alone() -> None:
    assert set(kinds("123")) == {"_account"}
    assert set(kinds("#123-4/5")) == {"_account"}
    assert set(kinds("1" * 21)) == {"_account"}


def test_the_last_name_may_stand_first() -> None:
    assert kinds("Lovelace, Ada")["_fullName"] == ("Lovelace, Ada", "Ada Lovelace")
    assert kinds("a, b, c")["_fullName"] == ("a, b, c",)


def test_fields_that_upload_jobs_find_profiles_by_are_looked_up_too() -> None:
    keys = likely_keys("Ada", ["LastName", "Attributes.member"])

    assert [(key.name, key.values) for key in keys[2:]] == [
        ("_profile.Attributes.member", ("Ada",)),
        ("_profile.LastName", ("Ada",)),
    ]


@pytest.mark.parametrize("text", ["", " \t\u2003", "x" * (MAX_TEXT_LENGTH + 1)])
def test_nothing_and_too_much_are_no_key(text: str) -> None:
    assert likely_keys(text) == ()


@pytest.mark.parametrize(
    "text", ["tel:+12065550100", "206-555-0100 ext. 12", "(206) 5550100", "\u202a206\u200b-555-0100 \u202c"]
)
def test_a_phone_number_is_found_in_each_of_these_forms(text: str) -> None:
    (phone, _) = likely_keys(text)

    assert normal_key(phone.name, phone.values[0], "US") == "+12065550100"


@pytest.mark.parametrize(
    "text", ["+" * 1000, "(" * 1000, "1" + " " * 998 + "x", "<" * 500 + "@", "," * 1000, "a " * 499]
)
def test_a_hostile_text_costs_no_time(text: str) -> None:
    assert len(likely_keys(text)) <= 3
