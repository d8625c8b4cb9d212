"""The check of phone numbers, measured, and that its two implementations agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.bulk.sql_functions import register_sql_functions
from openprofiles.uploads.loading.phone_function import register_phone_function
from openprofiles.uploads.phone_check import looks_like_phone, sql_looks_like_phone
from unit.phone_strings import RIGHT, WRONG

# A number of four digits is a service number in France.
REFUSED = [("FR", "3639")]
PASSED = {
    # A customer's number and a time in seconds of ten digits, two postal codes of seven, and a book.
    "US": {"2023-000123", "1673778153", "100-0001", "1234-567", "978-3-16-148410-0"},
}
# In Germany, a valid number may have nearly any length.
MOST_PASSED_IN_GERMANY = 17


@pytest.fixture(scope="module", params=["US", "DE"])
def region(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def duck(region: str) -> Iterator[Any]:
    connection = duckdb.connect()
    register_sql_functions(connection, region)
    register_phone_function(connection, region)
    yield connection
    connection.close()


def wrong_that_pass(region: str) -> set[str]:
    return {text for texts in WRONG.values() for text in texts if looks_like_phone(text, region)}


def test_hardly_a_right_number_of_any_country_is_refused() -> None:
    numbers = [(region, text) for region, texts in RIGHT.items() for text in texts]

    assert len(numbers) > 200
    assert [(region, text) for region, text in numbers if not looks_like_phone(text, region)] == REFUSED


def test_few_values_of_other_columns_pass_for_phone_numbers() -> None:
    assert sum(map(len, WRONG.values())) > 200
    assert wrong_that_pass("US") == PASSED["US"]
    assert len(wrong_that_pass("DE")) <= MOST_PASSED_IN_GERMANY


@pytest.mark.parametrize(
    "text", ["2023-01-15", "15.01.2023 10.22", "000-000-0000", "+1 222 222 2222", "call 2065550100"]
)
def test_dates_one_repeated_digit_and_words_are_never_phone_numbers(text: str) -> None:
    assert [region for region in RIGHT if looks_like_phone(text, region)] == []


def test_digits_alone_and_postal_codes_are_phone_numbers_only_where_they_are_possible() -> None:
    texts = ["100234", "10001-1234", "447700900011", "5550122"]

    assert [text for text in texts if looks_like_phone(text, "US")] == ["5550122"]
    assert [text for text in texts if looks_like_phone(text, "LU")] == ["100234", "10001-1234", "5550122"]


@pytest.mark.parametrize("text", ["15123456789", "3023125001", "49 3023125001", "116117", "4930-23125001"])
def test_digits_without_the_leading_zero_of_a_country_are_phone_numbers_if_they_are_valid(text: str) -> None:
    assert looks_like_phone(text, "DE")


@pytest.mark.parametrize("text", ["100234", "1673778153", "1234-567", "12-3456", "151515151515"])
def test_digits_of_a_possible_length_only_are_not_phone_numbers_of_a_country_with_a_leading_zero(text: str) -> None:
    assert [region for region in ("DE", "FR", "CN") if looks_like_phone(text, region)] == []


def agrees(duck: Any, region: str, texts: list[str]) -> bool:
    duck.register("given", pa.table({"text": pa.array(texts, pa.string())}))
    found = duck.sql(f"select {sql_looks_like_phone('text', region)} as answer from given").fetchall()
    differing = [text for text, (answer,) in zip(texts, found, strict=True) if answer != looks_like_phone(text, region)]
    assert differing == []
    return True


def test_python_and_sql_agree_on_the_measured_strings(duck: Any, region: str) -> None:
    assert agrees(duck, region, [text for texts in (*RIGHT.values(), *WRONG.values()) for text in texts])


parts = st.lists(st.from_regex(r"[0-9]{1,4}", fullmatch=True), min_size=1, max_size=6)
phone_like = st.builds(
    lambda start, parts, blank: start + blank.join(parts),
    st.sampled_from(["", "+", "(", "0", "+1", "1", "1-", "+49 "]),
    parts,
    st.sampled_from(["", " ", "-", ".", "/", ") "]),
)


@given(texts=st.lists(st.one_of(phone_like, st.text(alphabet="0123456789+ ()./-x#", max_size=18)), max_size=50))
def test_python_and_sql_agree_on_anything_like_a_phone_number(duck: Any, region: str, texts: list[str]) -> None:
    assert agrees(duck, region, texts)
