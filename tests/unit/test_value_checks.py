"""Checks of values, as DuckDB runs them."""

from __future__ import annotations

import duckdb
import pytest

from openprofiles.bulk.sql_functions import register_sql_functions
from openprofiles.errors import InvalidRequest
from openprofiles.uploads.loading.phone_function import register_phone_function
from openprofiles.uploads.value_checks import ValueCheck


def passes(check: ValueCheck, values: list[str], region: str = "US") -> list[str]:
    """Those of the values that pass."""
    with duckdb.connect() as connection:
        register_sql_functions(connection, region)
        register_phone_function(connection, region)
        query = f"select not {check.sql_violation('v', region)} from (select unnest(?) as v)"
        answers = [row[0] for row in connection.execute(query, [values]).fetchall()]
    return [value for value, answer in zip(values, answers, strict=True) if answer]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (
            "EMAIL_ADDRESS",
            [
                "ada@example.com",
                " ADA+list@mail.example.co.uk\u00a0",
                "o'neil_1@x-y.de",
                "jürgen@bücher.example",
                "用户@例え.jp",
                "a@1.2.example",
                "a**b@example.com",
                "müller@bücher.example",
                "用户@例子.example",
                "иван@почта.example",
                "νίκος@παράδειγμα.example",
                "ivan@почта.example",
                "иван.smith@example.com",
                "a.b@www2.example.com",
                "ada@wwwx.example",
            ],
            [
                "ada",
                "ada@",
                "@example.com",
                "ada@example",
                "ada@@example.com",
                "a b@example.com",
                "ada@exa mple.com",
                "ada@.com",
                "ada@example..com",
                "ada@-x.com",
                "ada@example.com, bob@example.com",
                "ada@example.com\nbob@example.com",
                "x" * 65 + "@example.com",
                "a\u200bda@example.com",
                "a\u00a0da@example.com",
                "a\u00adda@example.com",
                "ada@example.com\u200e",
                "a***@example.com",
                "***@example.com",
                "a..b@example.com",
                "jürgen..b@example.com",
                "ada@x-.example",
                "ada@mail.-x.example",
                "ada@www.example.com",
                "jürgen@Www.example.com",
                "ada@WWW.example.com",
                "o\ufb03ce@example.com",
                "ada@\uff45xample.com",
                "\uff41da@example.com",
                "a\u2013b@example.com",
                "ada@x\u2011y.example",
                "\u0430da@example.com",
                "ada@ex\u0430mple.com",
                "ada@\u03bfxford.example",
            ],
        ),
        (
            "PHONE_NUMBER",
            ["212-555-0101", "(212) 555 0101", "+49 30 123456", " 2125550101 ", "030/123 45-6", "212-555-0101 ext. 5"],
            ["12", "n/a", "555", "call me", "0" * 25],
        ),
        ("NUMBER", ["0", "-1", "+12.50", "3,14", " 7 "], ["", "1.", ".5", "1e5", "1 000", "1.000,00", "0x1f", "١"]),
        (
            "DATE",
            ["1985-12-10", "10.12.1985", "12/31/1985", "31/12/1985", "2024-02-29"],
            ["1985-13-01", "2023-02-29", "1985", "10 Dec 1985", "1985-12-10T00:00", "31.04.2020"],
        ),
    ],
)
def test_a_kind_passes_what_it_means_and_nothing_else(kind: str, good: list[str], bad: list[str]) -> None:
    check = ValueCheck(kind=kind)

    assert passes(check, [*good, *bad]) == good


def test_a_list_passes_its_values_exactly() -> None:
    check = ValueCheck(kind="ONE_OF", values=("gold", "it's"))

    assert passes(check, ["gold", " it's ", "Gold", "gold|it's", "silver"]) == ["gold", " it's "]


def test_a_pattern_is_for_the_whole_value() -> None:
    check = ValueCheck(kind="PATTERN", pattern=r"[A-Z]{2}'?\d+")

    assert passes(check, ["DE1", "DE'22", "xDE1", "DE1x", "de1"]) == ["DE1", "DE'22"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "ONE_OF"}, "The check ONE_OF needs Values"),
        ({"kind": "PATTERN"}, "PATTERN needs a Pattern"),
        ({"kind": "DATE", "pattern": "x"}, "the other checks accept neither"),
        ({"kind": "PATTERN", "pattern": "(["}, "is not a valid RE2 regular expression"),
        ({"kind": "PATTERN", "pattern": "(?=a)"}, "is not a valid RE2 regular expression"),
    ],
)
def test_a_check_that_cannot_be_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ValueCheck(**given)  # type: ignore[arg-type]

    assert message in str(refused.value)
