"""What is refused in requests on segments before anything is looked up."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from openprofiles.errors import InvalidRequest
from openprofiles.expressions.from_segment import from_segment_groups
from openprofiles.wire.check import violations
from openprofiles.wire.codec import read
from openprofiles.wire.model import load_model

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
MODEL = load_model()
TEST = {"DimensionType": "INCLUSIVE", "Values": ["x"]}
NOT_ONE = "Member must have exactly one of these set: [CalculatedAttributes, ProfileAttributes]"
NO_LONGER = "Member must have length less than or equal to"
DIMENSION = "SegmentGroups.Groups[0].Dimensions[0]"
PROFILE = f"{DIMENSION}.ProfileAttributes"
CREATE, MEMBERSHIP, SNAPSHOT = "CreateSegmentDefinition", "GetSegmentMembership", "CreateSegmentSnapshot"


def request_of(operation: str, members: dict[str, Any]) -> dict[str, Any]:
    """Read a request as the server does."""
    labels = {"DomainName": b"shop", "SegmentDefinitionName": b"gold"}
    return read(MODEL.operations[operation], labels, b"", json.dumps(members).encode())


def dimension(given: Any) -> dict[str, Any]:
    return {"DisplayName": "x", "SegmentGroups": {"Groups": [{"Dimensions": [given]}]}}


def of_profile(name: str, test: Any) -> dict[str, Any]:
    return dimension({"ProfileAttributes": {name: test}})


def ids(*profile_ids: str) -> dict[str, Any]:
    return {"ProfileIds": list(profile_ids)}


@pytest.mark.parametrize(
    ("operation", "members", "expected"),
    [
        (CREATE, dimension({"ProfileAttributes": {"FirstName": TEST}}), []),
        (
            CREATE,
            dimension({"ProfileAttributes": {"FirstName": TEST}, "CalculatedAttributes": {"_call_count": TEST}}),
            [(DIMENSION, NOT_ONE)],
        ),
        (CREATE, dimension({}), [(DIMENSION, NOT_ONE)]),
        (CREATE, of_profile("FirstName", {**TEST, "Values": ["x"] * 50}), []),
        (
            CREATE,
            of_profile("FirstName", {**TEST, "Values": ["x"] * 51}),
            [(f"{PROFILE}.FirstName.Values", f"{NO_LONGER} 50")],
        ),
        (CREATE, of_profile("ProfileType", {**TEST, "Values": ["PROFILE"]}), []),
        (
            CREATE,
            of_profile("ProfileType", {**TEST, "Values": ["PROFILE", "ACCOUNT_PROFILE"]}),
            [(f"{PROFILE}.ProfileType.Values", f"{NO_LONGER} 1")],
        ),
        (CREATE, of_profile("Address", {"City": TEST}), []),
        (MEMBERSHIP, ids(*(f"{number:032x}" for number in range(100))), []),
        (
            MEMBERSHIP,
            ids(*(f"{number:032x}" for number in range(101))),
            [("ProfileIds", f"{NO_LONGER} 100")],
        ),
        (
            MEMBERSHIP,
            ids("F" * 32, "f" * 31, "f" * 33),
            [
                (f"ProfileIds[{place}]", "Member must satisfy regular expression pattern: [a-f0-9]{32}")
                for place in range(3)
            ],
        ),
        (
            SNAPSHOT,
            {"DataFormat": "PARQUET", "DestinationUri": "s3://bucket"},
            [("DataFormat", "Member must satisfy enum value set: [CSV, JSONL, ORC]")],
        ),
    ],
)
def test_a_request_on_segments_is_held_to_the_limits_of_the_model(
    operation: str, members: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = violations(MODEL.operations[operation].input, request_of(operation, members))

    assert [(one.path, one.message) for one in found] == expected


def test_an_address_of_which_only_an_unknown_field_is_compared_is_refused() -> None:
    given = request_of(CREATE, of_profile("Address", {"Address1": TEST}))

    # Otherwise everybody would be a member.
    with pytest.raises(InvalidRequest, match=rf"^{re.escape(PROFILE)}\.Address must have a condition\."):
        from_segment_groups(given["SegmentGroups"], "SegmentGroups", NOW)
