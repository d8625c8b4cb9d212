"""Why the email addresses of a column fail their check."""

from __future__ import annotations

import pytest

from openprofiles.cli.email_forms import describe_email_form


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
    described = describe_email_form("E-Mail", [*values, "valid@x.com", " ", " also.valid@mail.x-y.com "])

    assert described is not None
    assert described.startswith("The values in the column 'E-Mail' that are not valid email addresses ")
    assert words in described
    assert not any(value in described for value in values)


@pytest.mark.parametrize("values", [[], ["ann@x.com"], ["hidden", "Ann <ann@x.com>"], ["ann@x"]])
def test_without_anything_in_common_nothing_is_said(values: list[str]) -> None:
    assert describe_email_form("Email", values) is None
