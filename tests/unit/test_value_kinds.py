"""What the values of a column look like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.uploads.mappings.value_kinds import ValueKind, find_column_kind, share_that_may_be


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("ada@example.com", ValueKind.EMAIL_ADDRESS),
        (" Zoë.O'Neil+x@mail.example.co.uk\u00a0", ValueKind.EMAIL_ADDRESS),
        ("ada@localhost", None),
        ("@ada", None),
        ("ada@example.com; bob@example.com", None),
        ("+49 30 123456", ValueKind.PHONE_NUMBER),
        ("+1 (212) 555-0101 ext. 12", ValueKind.PHONE_NUMBER),
        ("(+49) 30 123456", ValueKind.PHONE_NUMBER),
        ("(212) 555-0101", ValueKind.PHONE_NUMBER),
        ("212-555-0101", ValueKind.PHONE_NUMBER),
        ("212.555.0101", ValueKind.PHONE_NUMBER),
        ("0171/1234567", ValueKind.PHONE_NUMBER),
        ("06 12 34 56 78", ValueKind.PHONE_NUMBER),
        ("0049 30 123456", ValueKind.PHONE_NUMBER),
        ("2125550101", ValueKind.NUMBER),
        ("100000000012345678", ValueKind.NUMBER),
        ("4111 1111 1111 1111", ValueKind.NUMBER),
        ("02134-1234", None),
        ("123-45-6789", None),
        ("192.168.10.100", ValueKind.NUMBER),
        ("1985-12-10", ValueKind.DATE),
        ("1985-12-10T08:00:00Z", ValueKind.DATE),
        ("10.12.1985", ValueKind.DATE),
        ("12/31/85", ValueKind.DATE),
        ("31/31/1985", None),
        ("19851210", ValueKind.NUMBER),
        ("-12.5", ValueKind.NUMBER),
        ("1.234,56", ValueKind.NUMBER),
        ("n/a", None),
        ("C-100234", None),
        ("7b2f6a1e-0d3c-4d0e-9d7a-1234567890ab", None),
    ],
)
def test_a_value_is_clearly_of_a_kind_or_of_none(value: str, kind: ValueKind | None) -> None:
    assert find_column_kind([value, ""]).kind is kind


@pytest.mark.parametrize(
    ("kind", "value", "may_be"),
    [
        (ValueKind.PHONE_NUMBER, "2125550101", True),
        (ValueKind.PHONE_NUMBER, "123456", True),
        (ValueKind.PHONE_NUMBER, "'+12125550101", True),
        (ValueKind.DATE, "04/13", True),
        (ValueKind.DATE, "31.12.", True),
        (ValueKind.DATE, "13/13", False),
        (ValueKind.PHONE_NUMBER, "1234567890123456", False),
        (ValueKind.PHONE_NUMBER, "1985-12-10", False),
        (ValueKind.PHONE_NUMBER, "ada@example.com", False),
        (ValueKind.EMAIL_ADDRESS, "ada@localhost", True),
        (ValueKind.EMAIL_ADDRESS, "Ada", False),
        (ValueKind.DATE, "1985", True),
        (ValueKind.DATE, "19851210", True),
        (ValueKind.DATE, "10 December 1985", True),
        (ValueKind.DATE, "Dec 10, 1985", True),
        (ValueKind.DATE, "10. März 1985", True),
        (ValueKind.DATE, "gold", False),
    ],
)
def test_a_value_may_be_what_the_name_of_its_column_says(kind: ValueKind, value: str, may_be: bool) -> None:
    assert share_that_may_be(kind, [value]) == (1.0 if may_be else 0.0)


def test_the_share_is_that_of_the_values_which_are_not_blank() -> None:
    found = find_column_kind(["a@x.example", "b@x.example", "", " ", "c@x.example", "none"])

    assert (found.kind, found.share, found.filled_count) == (ValueKind.EMAIL_ADDRESS, 0.75, 4)
    assert share_that_may_be(ValueKind.EMAIL_ADDRESS, ["", " "]) is None


@given(st.lists(st.text() | st.from_regex(r"[+(]*[0-9 ()./-]{0,40}", fullmatch=True)))
def test_whatever_a_column_holds_its_share_is_between_0_and_1(values: list[str]) -> None:
    found = find_column_kind(values)

    assert 0 <= found.share <= 1
    assert (found.kind is None) == (found.share == 0)
    for kind in ValueKind:
        share = share_that_may_be(kind, values)
        assert share is None or 0 <= share <= 1
        if found.kind is kind:
            # What it clearly is it may be.
            assert share is not None
            assert share >= found.share
