"""Suggestions of object types from samples."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openprofiles.errors import InvalidRequest
from openprofiles.objects.object_text import parse_object
from openprofiles.objects.object_types import compile_object_type
from openprofiles.uploads.mappings.detect_object_type import detect_object_type


def detect(*objects: Any) -> Any:
    found = detect_object_type([json.dumps(one) for one in objects], "US")
    if found is not None:
        # What is suggested can be put.
        mapping = compile_object_type(found, strict=True)
        for one in objects:
            assert mapping.unique_key.fields[0].read(parse_object(json.dumps(one))) is not None
    return found


def test_an_order_is_identified_by_its_id_and_finds_the_customer_by_email() -> None:
    found = detect(
        {
            "order_id": "A1",
            "customer": {"email": "a@x.org", "first_name": "Ada"},
            "total": 1.5,
            "updated_at": "2026-01-02T03:04:05Z",
        },
        {
            "order_id": "A2",
            "customer": {"email": "a@x.org", "first_name": "Ada"},
            "total": 2,
            "updated_at": "2026-02-02T03:04:05Z",
        },
    )

    assert found["Keys"] == {
        "_email": [{"StandardIdentifiers": ["PROFILE"], "FieldNames": ["customer.email"]}],
        "order_id": [{"StandardIdentifiers": ["UNIQUE"], "FieldNames": ["order_id"]}],
    }
    assert found["Fields"]["customer.email"] == {
        "Source": "_source.customer.email",
        "Target": "_profile.EmailAddress",
        "ContentType": "EMAIL_ADDRESS",
    }
    assert found["Fields"]["customer.first_name"]["Target"] == "_profile.FirstName"
    assert found["Fields"]["updated_at"]["Target"] == "_profile.SourceLastUpdatedTimestamp"
    assert found["SourceLastUpdatedTimestampFormat"] == "yyyy-MM-dd'T'HH:mm:ssXXX"


def test_a_customer_number_identifies_the_object_and_the_profile() -> None:
    found = detect({"customer_id": "7", "phone": "206-345-7890"}, {"customer_id": "8", "phone": "206-345-7891"})

    assert found["Keys"]["_account"] == [{"StandardIdentifiers": ["PROFILE", "UNIQUE"], "FieldNames": ["customer_id"]}]
    assert list(found["Keys"]) == ["_account", "_phone"]
    assert "SourceLastUpdatedTimestampFormat" not in found


def test_one_object_is_enough_and_a_user_id_finds_the_profile() -> None:
    members = {"UserId": "00001", "startDate": "2020-01-19", "trialDays": "90", "status": "Expired"}

    found = detect({"id": "trial-id-1", **members})
    without_id = detect(members)

    assert found["Keys"] == {
        "_account": [{"StandardIdentifiers": ["PROFILE"], "FieldNames": ["UserId"]}],
        "id": [{"StandardIdentifiers": ["UNIQUE"], "FieldNames": ["id"]}],
    }
    assert {name: one["Target"] for name, one in found["Fields"].items()} == {
        name: f"_profile.Attributes.{name}" for name in ("id", *members)
    }
    assert without_id["Keys"] == {
        "_account": [{"StandardIdentifiers": ["PROFILE", "UNIQUE"], "FieldNames": ["UserId"]}]
    }


@pytest.mark.parametrize(
    "objects",
    [
        [{"email": "a@x.org", "first": "Ada"}],
        [{"id": "1", "total": 3}],
        [{"id": "1", "email": "a@x.org"}, {"id": "1", "email": "b@x.org"}],
        [{}],
        [{"items": [1, 2]}],
    ],
    ids=["no id", "no customer", "an id twice", "empty", "a list only"],
)
def test_without_both_keys_there_is_no_suggestion(objects: list[Any]) -> None:
    assert detect(*objects) is None


def test_too_many_members_and_what_is_not_an_object_are_refused() -> None:
    assert detect({"id": 1, "email": "a@x.org", **{f"m{number}": "x" for number in range(118)}}) is not None
    with pytest.raises(InvalidRequest, match="Breached limit of 120 attributes"):
        detect({f"m{number}": "x" for number in range(121)})
    with pytest.raises(InvalidRequest, match="Could not parse object string into JSON"):
        detect_object_type(["{"], "US")
