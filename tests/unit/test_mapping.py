"""The mapping of an upload job: what CreateUploadJob takes and refuses."""

from __future__ import annotations

import pytest

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.mappings.upload_mapping import read_mapping

EMAIL = {"Source": "_source.E-mail", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"}
TIER = {"Source": "_source.Tier", "Target": "_profile.Attributes.tier"}


def test_fields_are_read_in_the_order_given() -> None:
    mapping = read_mapping({"Email": EMAIL, "Tier": TIER}, "Email", strict=False)

    assert [(field.name, field.header, field.path) for field in mapping.fields] == [
        ("Email", "E-mail", "EmailAddress"),
        ("Tier", "Tier", "Attributes.tier"),
    ]


def test_a_header_may_hold_dots() -> None:
    fields = {"Email": {"Source": "_source.contact.e.mail", "Target": "_profile.EmailAddress"}}

    assert read_mapping(fields, "Email", strict=False).fields[0].header == "contact.e.mail"


@pytest.mark.parametrize("unique_key", ["Mail", "_profile.EmailAddress", "EmailAddress", "_source.E-mail", "E-mail"])
def test_the_unique_key_may_be_named_by_field_target_or_header(unique_key: str) -> None:
    mapping = read_mapping({"Mail": EMAIL, "Tier": TIER}, unique_key, strict=False)

    assert mapping.unique_key.name == "Mail"
    assert mapping.key_name == "_email"


def test_a_field_name_comes_before_a_target_and_a_header() -> None:
    fields = {"EmailAddress": TIER, "Tier": EMAIL}

    assert read_mapping(fields, "EmailAddress", strict=False).unique_key.path == "Attributes.tier"


@pytest.mark.parametrize(
    ("path", "key_name"),
    [
        ("BusinessEmailAddress", "_email"),
        ("HomePhoneNumber", "_phone"),
        ("AccountNumber", "_account"),
        ("FirstName", "_profile.FirstName"),
        ("Attributes.tier", "_profile.Attributes.tier"),
        ("Gender", "_profile.GenderString"),
    ],
)
def test_the_unique_key_is_looked_for_under_the_key_of_its_target(path: str, key_name: str) -> None:
    fields = {"Key": {"Source": "_source.K", "Target": f"_profile.{path}"}}

    assert read_mapping(fields, "Key", strict=False).key_name == key_name


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"Target": "_profile.EmailAddress"}, "_source.<header>"),
        ({"Source": "E-mail", "Target": "_profile.EmailAddress"}, "_source.<header>"),
        ({"Source": "_source.", "Target": "_profile.EmailAddress"}, "_source.<header>"),
        ({"Source": "{{_source.a}} {{_source.b}}", "Target": "_profile.FirstName"}, "macro"),
        ({"Source": "_source.a"}, "must begin with _profile."),
        ({"Source": "_source.a", "Target": "EmailAddress"}, "must begin with _profile."),
        ({"Source": "_source.a", "Target": "_profile.Email"}, "not a field of the standard profile"),
        ({"Source": "_source.a", "Target": "_profile.ProfileId"}, "assigned by the service"),
        ({"Source": "_source.a", "Target": "_profile.Address"}, "_profile.Address.City"),
        ({"Source": "_source.a", "Target": "_profile.Attributes"}, "needs a name"),
        ({"Source": "_source.a", "Target": "_profile.Attributes."}, "1 to 255"),
        ({"Source": "_source.a", "Target": "_profile.Attributes." + "x" * 256}, "1 to 255"),
        ({"Source": "_source.a", "Target": "_profile.EngagementPreferences.Email"}, "cannot be loaded"),
    ],
)
def test_a_field_that_cannot_be_loaded_is_named_with_the_reason(field: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidRequest, match="Field Broken") as refusal:
        read_mapping({"Email": EMAIL, "Broken": field}, "Email", strict=False)

    assert said in str(refusal.value)


@pytest.mark.parametrize(("one", "other"), [("EmailAddress", "EmailAddress"), ("Gender", "GenderString")])
def test_two_fields_on_one_target_are_refused_with_both_names(one: str, other: str) -> None:
    fields = {
        "First": {"Source": "_source.a", "Target": f"_profile.{one}"},
        "Second": {"Source": "_source.b", "Target": f"_profile.{other}"},
    }

    with pytest.raises(InvalidRequest, match="First and Second"):
        read_mapping(fields, "First", strict=False)


def test_a_unique_key_that_is_none_of_the_fields_is_refused_with_their_names() -> None:
    with pytest.raises(InvalidRequest, match=r"UniqueKey Phone is not one of the Fields.*Email, Tier"):
        read_mapping({"Email": EMAIL, "Tier": TIER}, "Phone", strict=False)


def test_a_unique_key_by_a_header_that_two_fields_share_is_refused() -> None:
    fields = {"One": EMAIL, "Two": {**TIER, "Source": "_source.E-mail"}}

    with pytest.raises(InvalidRequest, match="One, Two share"):
        read_mapping(fields, "E-mail", strict=False)


def test_no_fields_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="Fields is empty"):
        read_mapping({}, "Email", strict=False)


def test_strict_takes_25_fields_and_no_more() -> None:
    fields = {
        f"f{number}": {"Source": f"_source.c{number}", "Target": f"_profile.Attributes.a{number}"}
        for number in range(26)
    }

    read_mapping(dict(list(fields.items())[:25]), "f0", strict=True)
    read_mapping(fields, "f0", strict=False)
    with pytest.raises(InvalidRequest, match="26 columns; AWS allows at most 25"):
        read_mapping(fields, "f0", strict=True)


def test_more_than_500_fields_are_refused() -> None:
    fields = {
        f"f{number}": {"Source": f"_source.c{number}", "Target": f"_profile.Attributes.a{number}"}
        for number in range(501)
    }

    with pytest.raises(InvalidRequest, match="501 columns; the limit is 500"):
        read_mapping(fields, "f0", strict=False)
