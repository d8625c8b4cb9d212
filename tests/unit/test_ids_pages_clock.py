"""Ids, page tokens and times: what is written is what is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.clock import from_milliseconds, to_milliseconds, utc_now
from openprofiles.errors import InvalidRequest
from openprofiles.ids import is_id, new_job_id, new_profile_id, row_number_of
from openprofiles.pages import read_token, write_token

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@given(row_number=st.integers(0, (1 << 48) - 1))
def test_a_profile_id_carries_its_row_number(row_number: int) -> None:
    profile_id = new_profile_id(NOW, row_number)

    assert is_id(profile_id)
    assert row_number_of(profile_id) == row_number


def test_a_row_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="is too large"):
        new_profile_id(NOW, 1 << 48)


def test_ids_that_are_made_later_sort_later() -> None:
    ids = [new_job_id(NOW + timedelta(milliseconds=step)) for step in range(50)]

    assert ids == sorted(set(ids))


@pytest.mark.parametrize("text", ["", "f" * 31, "f" * 33, "F" * 32, "g" * 32, "f" * 32 + "\n"])
def test_what_is_not_32_small_hexadecimal_digits_is_no_id(text: str) -> None:
    assert not is_id(text)
    assert row_number_of(text) is None


@given(number=st.integers(-(1 << 63), (1 << 63) - 1), text=st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_a_token_gives_back_its_key(number: int, text: str) -> None:
    assert read_token("list", write_token("list", [number, text]), (int, str)) == [number, text]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "!",
        "AAAA",
        write_token("other", [1]),
        write_token("list", [1, 2]),
        write_token("list", ["1"]),
        write_token("list", [1 << 63]),
        write_token("list", [1])[:-2],
    ],
)
def test_a_token_that_this_list_did_not_give_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest, match="NextToken"):
        read_token("list", token, (int,))


@given(milliseconds=st.floats(0, 7e12))
def test_a_time_is_kept_to_the_millisecond(milliseconds: float) -> None:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)

    kept = from_milliseconds(to_milliseconds(moment))

    assert timedelta() <= moment - kept < timedelta(milliseconds=1)
    assert from_milliseconds(to_milliseconds(kept)) == kept


def test_the_zone_of_a_time_does_not_matter_and_none_is_refused() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert to_milliseconds(elsewhere) == to_milliseconds(NOW)
    with pytest.raises(ValueError, match="time zone"):
        to_milliseconds(datetime(2026, 11, 23))  # noqa: DTZ001


def test_the_present_is_whole_milliseconds_in_utc() -> None:
    now = utc_now()

    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
