from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.errors import InvalidRequest
from openprofiles.profiles.standard_profile import FIELD_BY_PATH
from openprofiles.uploads.mapping import read_mapping
from openprofiles.uploads.suggest import suggest_mapping


def targets(*headers: str, **chosen: str) -> list[str]:
    return [field.target for field in suggest_mapping(headers, chosen).fields]


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("First Name", "FirstName"),
        ("first_name", "FirstName"),
        ("firstname", "FirstName"),
        ("FIRST-NAME", "FirstName"),
        ("Given name", "FirstName"),
        ("Surname", "LastName"),
        ("E-mail", "EmailAddress"),
        ("Email", "EmailAddress"),
        ("email address", "EmailAddress"),
        ("Customer Email", "EmailAddress"),
        ("work_email", "BusinessEmailAddress"),
        ("Zip", "Address.PostalCode"),
        ("Postal Code", "Address.PostalCode"),
        ("Mobile", "MobilePhoneNumber"),
        ("cell", "MobilePhoneNumber"),
        ("Phone", "PhoneNumber"),
        ("Home phone", "HomePhoneNumber"),
        ("company", "BusinessName"),
        ("DOB", "BirthDate"),
        ("Date of birth", "BirthDate"),
        ("street", "Address.Address1"),
        ("Address", "Address.Address1"),
        ("Address Line 2", "Address.Address2"),
        ("address2", "Address.Address2"),
        ("City", "Address.City"),
        ("State", "Address.State"),
        ("country", "Address.Country"),
        ("Gender", "GenderString"),
        ("Account No.", "AccountNumber"),
        ("customer_id", "AccountNumber"),
        ("Billing Zip", "BillingAddress.PostalCode"),
        ("Ship to City", "ShippingAddress.City"),
        ("billing_address_line_2", "BillingAddress.Address2"),
        ("Mailing Street", "MailingAddress.Address1"),
        ("shippingAddressCity", "ShippingAddress.City"),
        ("ShippingAddress.City", "ShippingAddress.City"),
        ("Home City", "Address.City"),
        ("\u3000Ｅｍａｉｌ", "EmailAddress"),
        ("Loyalty tier", "Attributes.Loyalty tier"),
        ("Name", "Attributes.Name"),
        ("Bill", "Attributes.Bill"),
        ("Körpergröße [cm]", "Attributes.Korpergro_e _cm"),
        ("% off", "Attributes.off"),
        ("会員番号", "Attributes.会員番号"),
    ],
)
def test_a_header_says_where_its_column_goes(header: str, target: str) -> None:
    assert targets(header) == [target]


@pytest.mark.parametrize("path", FIELD_BY_PATH)
def test_the_name_of_a_standard_field_means_that_field(path: str) -> None:
    assert targets(path) == [path]


def test_of_two_columns_for_one_target_the_better_match_wins_and_the_other_becomes_an_attribute() -> None:
    assert targets("Customer mail", "E-mail", "EmailAddress") == [
        "Attributes.Customer mail",
        "Attributes.E-mail",
        "EmailAddress",
    ]


def test_of_two_equal_matches_the_first_column_wins() -> None:
    assert targets("mobile", "cell") == ["MobilePhoneNumber", "Attributes.cell"]


def test_a_chosen_target_is_not_suggested_for_another_column() -> None:
    suggestion = suggest_mapping(["Email", "Login"], {"Login": "_profile.EmailAddress"})

    assert [field.target for field in suggestion.fields] == ["Attributes.Email", "EmailAddress"]


def test_an_empty_target_leaves_the_column_out() -> None:
    suggestion = suggest_mapping(["Email", "Secret"], {"Secret": ""})

    assert [field.header for field in suggestion.fields] == ["Email"]
    assert [(column.column_number, column.header) for column in suggestion.left_out] == [(2, "Secret")]


def test_columns_without_a_name_or_with_the_name_of_another_are_left_out_with_the_reason() -> None:
    suggestion = suggest_mapping(["Email", "", "City", "City", " "])

    assert [field.header for field in suggestion.fields] == ["Email"]
    assert [(column.column_number, column.reason) for column in suggestion.left_out] == [
        (2, "it has no name in the header"),
        (3, "2 columns have this name; rename all but one"),
        (4, "2 columns have this name; rename all but one"),
        (5, "it has no name in the header"),
    ]


@pytest.mark.parametrize(
    ("headers", "chosen", "message"),
    [
        (["Email"], {"Mail": "EmailAddress"}, "'Mail' is not in the header of the file. Its columns are: 'Email'."),
        (["Email", "Email"], {"Email": "EmailAddress"}, "has 2 columns 'Email'"),
        ([""], {}, "No column of the file is left"),
        (["Email"], {"Email": ""}, "No column of the file is left"),
    ],
)
def test_a_choice_that_cannot_be_kept_is_refused(headers: list[str], chosen: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        suggest_mapping(headers, chosen)


def test_fields_are_named_after_their_headers_as_far_as_the_pattern_lets_them() -> None:
    suggestion = suggest_mapping(["First Name", "First_Name", "E-mail", "会員番号", "Prénom"])

    assert [field.name for field in suggestion.fields] == ["First_Name_2", "First_Name", "E-mail", "column_4", "Prenom"]


@pytest.mark.parametrize("unique_key", ["First Name", "First_Name", "FirstName", "_profile.FirstName"])
def test_the_unique_key_is_a_header_a_field_name_or_a_target(unique_key: str) -> None:
    suggestion = suggest_mapping(["Id", "First Name"])

    assert suggestion.find_unique_key(unique_key).header == "First Name"


@pytest.mark.parametrize(
    ("unique_key", "message"),
    [
        ("Mail", "The unique key 'Mail' is no column of the file. Its columns are: 'Email'."),
        ("City", "The unique key 'City' cannot be used: 2 columns have this name; rename all but one."),
    ],
)
def test_a_unique_key_that_no_column_gives_is_refused(unique_key: str, message: str) -> None:
    suggestion = suggest_mapping(["Email", "City", "City"])

    with pytest.raises(InvalidRequest, match=re.escape(message)):
        suggestion.find_unique_key(unique_key)


def test_the_content_type_follows_from_the_target() -> None:
    fields = suggest_mapping(["Email", "Phone", "First name", "City", "tier"]).to_fields()

    assert fields["Email"] == {
        "Source": "_source.Email",
        "Target": "_profile.EmailAddress",
        "ContentType": "EMAIL_ADDRESS",
    }
    assert [field["ContentType"] for field in fields.values()] == [
        "EMAIL_ADDRESS",
        "PHONE_NUMBER",
        "NAME",
        "STRING",
        "STRING",
    ]


@given(st.lists(st.text(min_size=1, max_size=80) | st.sampled_from(["Email", "mail", "e mail", "Zip"]), min_size=1))
def test_any_header_gives_a_mapping_that_an_upload_job_takes(headers: list[str]) -> None:
    try:
        suggestion = suggest_mapping(headers)
    except InvalidRequest:
        # Nothing but blank or repeated names.
        assert all(not header.strip() or headers.count(header) > 1 for header in headers)
        return
    fields = suggestion.to_fields()

    mapping = read_mapping(fields, suggestion.fields[0].name, strict=False)

    assert len(mapping.fields) == len(suggestion.fields) == len(fields)
    assert all(re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name) for name in fields)
    assert len(suggestion.fields) + len(suggestion.left_out) == len(headers)
