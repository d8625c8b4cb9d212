"""Why the values of a column fail their check."""

from __future__ import annotations

import pytest

from openprofiles.cli.value_forms import describe_form
from openprofiles.uploads.failures.faults import NOT_A_PHONE_NUMBER, NOT_AN_EMAIL_ADDRESS


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["Ann <ann@x.com>", '"Berg, Bo" <bo@x.com>', "<cy@x.com>"], "as in Name <name@example.com>"),
        (["mailto:ann@x.com", "MAILTO:bo@x.com"], "begin with mailto:"),
        (["ann@x.com ::: a@x.com"], "separated by :::"),
        (["ann@x.com, a@x.com", "bo@x.com;b@x.com"], "have several addresses. "),
        (["a***@x.com"], "masked with asterisks"),
        (["hidden", "n/a"], "have no @"),
        (["ann @x.com", "bo@ x.com"], "have blanks"),
    ],
)
def test_what_invalid_addresses_have_in_common_is_described_without_them(values: list[str], words: str) -> None:
    described = describe_form(
        NOT_AN_EMAIL_ADDRESS, "E-Mail", [*values, "valid@x.com", " ", " also.valid@mail.x-y.com "]
    )

    assert described is not None
    assert described.startswith("The values in the column 'E-Mail' that are not valid email addresses ")
    assert words in described
    assert not any(value in described for value in values)


@pytest.mark.parametrize("values", [[], ["ann@x.com"], ["hidden", "Ann <ann@x.com>"], ["ann@x"]])
def test_without_anything_in_common_nothing_is_said(values: list[str]) -> None:
    assert describe_form(NOT_AN_EMAIL_ADDRESS, "Email", values) is None


def test_phone_numbers_after_an_apostrophe_are_described_unless_others_are_wrong_too() -> None:
    values = ["'+49 171 2345678", " '030 123456", "+49 171 2345678", ""]

    described = describe_form(NOT_A_PHONE_NUMBER, "Phone", values)

    assert described == (
        "The values in the column 'Phone' that are not valid phone numbers begin with an apostrophe, which "
        "spreadsheets put before text. Remove it."
    )
    marked = describe_form(NOT_A_PHONE_NUMBER, "Phone", ["p:+12065550100", "p:+12065550101", "206 555 0102"])
    assert marked is not None
    assert marked.endswith("begin with a mark such as p:, which a program has put before them. Remove it.")
    assert describe_form(NOT_A_PHONE_NUMBER, "Phone", [*values, "n/a"]) is None
    assert describe_form("VALUE_TOO_LONG", "Phone", values) is None
