"""The names of the fields of a profile that the console shows to people."""

from __future__ import annotations

import re

from openprofiles.facts.field_labels import full_label_of, label_of
from openprofiles.facts.standard_profile import FIELDS
from openprofiles.server.console.profile_fields import GROUPS


def test_fields_have_the_names_that_people_use() -> None:
    paths = ("EmailAddress", "Address.PostalCode", "BillingAddress.Address1", "GenderString", "Attributes.Loyalty tier")

    assert [full_label_of(path) for path in paths] == [
        "Email",
        "Postal code (home address)",
        "Address line 1 (billing address)",
        "Gender",
        "Loyalty tier",
    ]
    assert label_of("BillingAddress.City") == "City"


def test_a_name_for_people_and_a_name_of_the_api_each_mean_one_field() -> None:
    def folded(text: str) -> str:
        # As upload_columns.js compares them.
        return re.sub(r"\W", "", text.lower())

    names = [name for field in FIELDS for name in {folded(field.path), folded(full_label_of(field.path))}]

    assert len(names) == len(set(names))


def test_each_field_is_in_one_group_of_the_form() -> None:
    assert sorted(path for group in GROUPS for path in group.paths) == sorted(field.path for field in FIELDS)
