from __future__ import annotations

import pytest

from openprofiles.cli.missing_domain import describe_missing_domain
from openprofiles.uploads.mappings.likely_names import did_you_mean, fields_like, find_name, names_like

HEADERS = ["Customer ID", "Email", "First name", "Birth date", "Loyalty tier", "Company", "email 2"]


@pytest.mark.parametrize(
    ("text", "likely"),
    [
        ("E-mail", ["Email"]),
        ("Mail", ["Email"]),
        ("Birthdate", ["Birth date"]),
        ("Geburtstag", ["Birth date"]),
        ("Loyality Tier", ["Loyalty tier"]),
        ("tier", ["Loyalty tier"]),
        ("Kundennummer", ["Customer ID"]),
        ("Login", []),
        ("x", []),
        ("?", []),
    ],
)
def test_a_column_is_found_by_its_spelling_its_meaning_or_a_part_of_its_name(text: str, likely: list[str]) -> None:
    assert names_like(text, HEADERS) == likely


@pytest.mark.parametrize(
    ("text", "likely"),
    [
        ("zip", ["Address.PostalCode"]),
        ("Birthday", ["BirthDate"]),
        ("Company", ["BusinessName"]),
        ("Email", ["EmailAddress"]),
        ("Adress.City", ["Address.City"]),
        ("billing city", ["BillingAddress.City"]),
        ("FistName", ["FirstName"]),
        ("tier", []),
    ],
)
def test_a_field_is_found_by_the_names_that_a_mapping_is_suggested_from(text: str, likely: list[str]) -> None:
    assert fields_like(text) == likely


def test_a_name_in_another_case_is_found_if_it_is_the_only_one() -> None:
    assert find_name("loyalty TIER", HEADERS) == "Loyalty tier"
    assert find_name("E-mail", HEADERS) is None
    assert find_name("city", ["City", "CITY"]) is None
    assert find_name("CITY", ["City", "CITY"]) == "CITY"
    assert find_name("postal code", ["City", "Postal\r\ncode"]) == "Postal\r\ncode"


def test_the_question_names_one_or_several() -> None:
    assert did_you_mean([]) == ""
    assert did_you_mean(["Postal\ncode"]) == " Did you mean 'Postal code'?"
    assert did_you_mean(["a"]) == " Did you mean 'a'?"
    assert did_you_mean(["a", "b"]) == " Did you mean 'a' or 'b'?"


def test_a_missing_domain_names_the_one_that_is_meant_or_those_that_there_are() -> None:
    assert describe_missing_domain("dmo", ["demo", "shop"]) == "There is no domain dmo. Did you mean 'demo'?"
    assert describe_missing_domain("x", ["demo", "shop"]) == "There is no domain x. The domains are: demo, shop."
    assert describe_missing_domain("x", []) == "There is no domain x."
    assert describe_missing_domain("x", [f"d{n}" for n in range(11)]).endswith("d8, d9 and more.")
