"""A sheet with two lists side by side is refused, and told from other sheets with an empty column."""

from __future__ import annotations

import pytest

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.mappings.side_by_side import describe_side_by_side
from openprofiles.uploads.mappings.suggest import suggest_mapping


@pytest.mark.parametrize(
    "header",
    [
        "Name,Email,Phone,,Name,Email,Phone",
        "ID,Name,Email,,ID,Name,Mail",
        "Name,Email,,,name,EMAIL",
        # As programs name columns without a name, and second ones with the same name.
        "Kunden-Nr.,Ort,Unnamed: 2,Kunden-Nr..1,Ort.1",
        "Email,City,_3,Email_2,City_2",
    ],
)
def test_two_lists_side_by_side_are_refused(header: str) -> None:
    headers = header.split(",")

    with pytest.raises(InvalidRequest, match="two lists side by side"):
        suggest_mapping(
            headers, sample=[["x" if name[:1].isalpha() and "Unnamed" not in name else "" for name in headers]]
        )


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Name,Email,,Phone,City", "Ana,a@a.example,,1,Bonn"),
        # A second address, and one name alone.
        ("Email,Street,City,,Street,City", "a@a.example,High St,Ulm,,Low St,Bonn"),
        ("Email,Phone,,Phone", "a@a.example,1,,2"),
        ("Email 1,Phone 1,,Email 2,Phone 2", "a@a.example,1,,b@a.example,2"),
        # The column without a name is not empty.
        ("Name,Email,,Name,Email", "Ana,a@a.example,x,Bo,b@a.example"),
        (",Name,Email,", ",Ana,a@a.example,"),
    ],
)
def test_other_sheets_with_a_column_without_a_name_are_one_list(header: str, row: str) -> None:
    assert describe_side_by_side(header.split(","), [row.split(",")], {}) is None


def test_a_user_who_names_the_columns_of_the_second_list_knows_what_they_are() -> None:
    headers = ["Name", "Email", "Phone", "", "Email2", "Phone2"]
    chosen = {"Email2": "_profile.BusinessEmailAddress"}

    assert describe_side_by_side(headers, [[""] * 6], {}) is not None
    assert describe_side_by_side(headers, [[""] * 6], chosen) is None


def test_the_message_names_the_columns_and_says_what_to_do() -> None:
    headers = ["Name", "Email", "Phone", "", "Name", "Email", "Phone"]

    assert describe_side_by_side(headers, [[""] * 7], {}) == (
        "The file seems to have two lists side by side: the names 'Name' and 'Email' in its header are repeated after "
        "column 4, which is empty. Each row would be loaded as one customer. Put each list into a file of its own, or "
        "one below the other."
    )
    assert describe_side_by_side(headers, [[""] * 7], {"Name": "", "Email": ""}) is None
