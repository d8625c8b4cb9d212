"""Whether expressions hold for a profile, why, and what texts count as numbers, dates and lists."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from openprofiles.clock import from_milliseconds
from openprofiles.expressions.evaluate import ProfileValues, Reason, explain, holds
from openprofiles.expressions.list_text import list_of
from openprofiles.expressions.moment_text import bound_of, moment_of
from openprofiles.expressions.number_text import number_of
from openprofiles.expressions.operators import OPERATORS
from openprofiles.expressions.tree import Calculated, Every, Expression, Field, InSegment, Not, Some, Test

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
NAME = Field("Attributes.a")
CALCULATED = Calculated("_total")

FOUND = (
    None, "abc", "ABC", "12", "12.0", " 7 ", "1,000", "2024-10-01", "2024-10-01T10:00:00Z", "2024-02-30", "10/01/2024",
    '["abc","12"]',
)  # fmt: skip
# For each test, for which of these texts it holds.
TRUTH_TABLE: list[tuple[str, tuple[str, ...], str]] = [
    ("INCLUSIVE", ("abc", "12"), "-T-T--------"),
    ("EXCLUSIVE", ("abc", "12"), "T-T-TTTTTTTT"),
    ("CONTAINS", ("b",), "-T---------T"),
    ("BEGINS_WITH", ("ab", "12"), "-T-TT-------"),
    ("ENDS_WITH", ("c", "0"), "-T--T-T--T--"),
    ("EQUAL", ("12",), "---TT-------"),
    ("EQUAL", ("7",), "-----T------"),
    ("GREATER_THAN", ("7",), "---TT-------"),
    ("GREATER_THAN_OR_EQUAL", ("12",), "---TT-------"),
    ("LESS_THAN", ("12",), "-----T------"),
    ("LESS_THAN_OR_EQUAL", ("7",), "-----T------"),
    ("BEFORE", ("2024-10-01T10:00:00Z",), "-------T----"),
    ("AFTER", ("2024-10-01",), "--------T---"),
    ("ON", ("2024-10-01",), "-------TT---"),
    ("BETWEEN", ("2024-10-01", "2024-10-01T10:00:00Z"), "-------TT---"),
    ("NOT_BETWEEN", ("2024-10-01T06:00:00Z", "2024-10-02"), "-------T----"),
    ("BETWEEN", ("now-3y",), "-------TT---"),
    ("LIST_CONTAINS", ("abc", "x"), "-T---------T"),
    ("LIST_CONTAINS_ALL", ("abc", "12"), "-----------T"),
    ("LIST_CONTAINS_ALL", ("abc", "x"), "------------"),
    ("EQUAL", ("abc",), "-T----------"),
]


def profile(text: str | None = None, *, now: datetime = NOW, **texts: str) -> ProfileValues:
    segments: dict[str, Expression] = {"all": Every(), "nobody": Some()}
    return ProfileValues(
        texts=texts if text is None else {**texts, NAME.path: text},
        times={},
        now=now,
        calculated={CALCULATED: "5"}.get,
        segment=segments.__getitem__,
        is_of_job=lambda _relation, _job: False,
    )


def check(name: str, *values: Any, operand: Any = NAME) -> Test:
    return Test(operand, OPERATORS[name], values)


@pytest.mark.parametrize(("name", "values", "expected"), TRUTH_TABLE)
def test_each_operator_holds_for_the_texts_of_the_table(name: str, values: tuple[str, ...], expected: str) -> None:
    found = "".join("T" if holds(check(name, *values), profile(text)) else "-" for text in FOUND)

    assert found == expected


def test_every_operator_of_the_model_is_in_the_table() -> None:
    assert {name for name, _, _ in TRUTH_TABLE} == set(OPERATORS)


@pytest.mark.parametrize(
    ("text", "number"),
    [("5.", 5), (".5", 0.5), ("+12", 12), ("-1e-2", -0.01), ("\t1\n", 1), ("0e5", 0), ("-0", 0)]
    + [
        (text, None)
        for text in ("", "1e400", "1e-400", "inf", "nan", "0x10", "1_0", "\u0663", "1,000", "12 a", "\u00a01")
    ],
)
def test_a_text_is_a_number_if_it_is_written_as_a_plain_one_that_a_double_can_hold(
    text: str, number: float | None
) -> None:
    assert number_of(text) == number


def test_a_long_text_is_found_not_to_be_a_number_at_once() -> None:
    text = "1" * 250_000 + "x"
    begin = time.process_time()

    assert number_of(text) is None
    # A pattern that tries each split of the digits takes minutes.
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-02", 86_400_000),
        ("1970/01/02 00:00", 86_400_000),
        ("1970-01-01T00:00:01.5Z", 1_500),
        ("1970-01-01T00:00:00.9999Z", 999),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1727776800", 1_727_776_800_000),
        ("1727776800000", 1_727_776_800_000),
        *((text, None) for text in ("2023-02-29", "2024-10/01", "10/01/2024", "20241001", "now", "2024-10-01T24:00Z")),
        *((text, None) for text in ("2024-10-01Z", "2024-10-01T10:00:00+15:00", "0000-01-01", "2024-13-01", "")),
    ],
)
def test_a_text_is_a_moment_if_day_and_month_cannot_be_confused(text: str, moment: int | None) -> None:
    assert moment_of(text) == moment


@pytest.mark.parametrize(
    ("text", "now", "moment"),
    [
        ("now", "2026-11-28T12:00", "2026-11-28T12:00"),
        ("now-30d", "2026-11-28T12:00", "2026-10-29T12:00"),
        ("now+2w", "2026-11-28T12:00", "2026-12-12T12:00"),
        ("now-6h/h", "2026-11-28T12:34", "2026-11-28T06:00"),
        ("now-1M", "2027-03-31T12:00", "2027-02-28T12:00"),
        ("now-1M", "2028-03-31T12:00", "2028-02-29T12:00"),
        ("now-1y", "2028-02-29T12:00", "2027-02-28T12:00"),
        ("now/d", "2026-11-28T12:00", "2026-11-28T00:00"),
        ("now/w", "2026-11-28T12:00", "2026-11-23T00:00"),
        ("now-1M/M", "2026-11-28T12:00", "2026-10-01T00:00"),
        ("now/y", "2026-11-28T12:00", "2026-01-01T00:00"),
        ("-P30D", "2026-11-28T12:00", "2026-10-29T12:00"),
        ("P2W", "2026-11-28T12:00", "2026-12-12T12:00"),
        ("-PT6H", "2026-11-28T12:00", "2026-11-28T06:00"),
        ("-P1Y", "2026-11-28T12:00", "2025-11-28T12:00"),
        ("now-99999y", "2026-11-28T12:00", None),
        ("now+99999999d", "2026-11-28T12:00", None),
        ("tomorrow", "2026-11-28T12:00", None),
        ("now-", "2026-11-28T12:00", None),
        ("P", "2026-11-28T12:00", None),
    ],
)
def test_a_relative_date_is_counted_from_now(text: str, now: str, moment: str | None) -> None:
    found = bound_of(text, datetime.fromisoformat(now).replace(tzinfo=UTC))

    expected = None if moment is None else datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert (None if found is None else from_milliseconds(found)) == expected


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ('["a", 1.50, 1e2, true, false, null, ["b"], {"c": "d"}]', ["a", "1.50", "1e2", "true", "false"]),
        ("[]", []),
        ("plain", ["plain"]),
        ('["a"', ['["a"']),
        ("[NaN]", ["[NaN]"]),
        ('["\\u0000"]', ['["\\u0000"]']),
        ('["\\u00e9"]', ["\u00e9"]),
        (' ["a"]', [' ["a"]']),
    ],
)
def test_a_json_array_is_a_list_and_any_other_text_a_list_of_itself(text: str, elements: list[str]) -> None:
    assert list_of(text) == elements


def test_what_is_missing_is_decided_in_the_test_so_that_negation_is_plain() -> None:
    nobody = profile()

    assert holds(check("EXCLUSIVE", "x"), nobody)
    assert not holds(check("NOT_BETWEEN", "2024-01-01", "2025-01-01"), nobody)
    assert holds(Not(check("BETWEEN", "2024-01-01", "2025-01-01")), nobody)


def test_a_reference_is_another_value_of_the_profile_and_a_missing_one_matches_nothing() -> None:
    same = profile("x", MiddleName="x", GenderString="x")

    assert holds(check("INCLUSIVE", NAME), same)
    assert not holds(check("EXCLUSIVE", NAME), same)
    assert holds(check("EXCLUSIVE", NAME), profile())
    assert holds(check("INCLUSIVE", Field("MiddleName")), same)
    # The deprecated field and its text are one.
    assert holds(check("INCLUSIVE", Field("Gender")), same)
    assert not holds(check("INCLUSIVE", Field("LastName")), same)
    assert holds(check("EXCLUSIVE", Field("LastName")), same)
    assert holds(check("LESS_THAN", CALCULATED), profile("4"))
    assert holds(check("GREATER_THAN", "4", operand=CALCULATED), profile())


def test_an_empty_list_of_all_holds_everywhere_and_one_of_any_nowhere() -> None:
    assert holds(Every(), profile())
    assert not holds(Some(), profile())
    assert holds(InSegment("all"), profile())
    assert not holds(InSegment("nobody"), profile())


def test_an_explanation_has_each_part_with_what_was_found_and_why_it_cannot_be_compared() -> None:
    expression = Every(
        (
            Some((check("INCLUSIVE", "a"), check("GREATER_THAN", "1"), check("BEFORE", "now"))),
            Not(check("INCLUSIVE", "b", operand=Field("LastName"))),
            InSegment("nobody"),
        )
    )

    found = explain(expression, profile("abc"))

    any_of, none_of, segment = found.parts
    assert (found.holds, any_of.holds, none_of.holds, segment.holds) == (False, False, True, False)
    assert [(one.holds, one.found, one.reason) for one in any_of.parts] == [
        (False, "abc", None),
        (False, "abc", Reason.NOT_A_NUMBER),
        (False, "abc", Reason.NOT_A_DATE),
    ]
    assert (none_of.parts[0].found, none_of.parts[0].reason) == (None, Reason.MISSING)
    assert segment.parts[0].expression == Some()
    assert explain(Every(expression.parts[1:2]), profile("abc")).holds
