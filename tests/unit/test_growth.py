"""The growth of a domain by day, and its picture."""

from __future__ import annotations

from datetime import UTC, date, datetime

from openprofiles.server.console.growth_picture import HEIGHT, WIDTH, draw_growth
from openprofiles.store.upload_jobs import Creation
from openprofiles.uploads.growth import Day, Growth, sum_by_day

TODAY = date(2026, 5, 10)


def made(day: int, profiles: int, hour: int = 12) -> Creation:
    return Creation(datetime(2026, 5, day, hour, tzinfo=UTC), profiles)


def test_what_jobs_have_made_is_summed_by_day_in_the_order_of_the_days() -> None:
    days = sum_by_day([made(7, 5), made(3, 10, 23), made(3, 2, 0), made(5, 0)])

    assert days == (Day(date(2026, 5, 3), 12, 12), Day(date(2026, 5, 7), 5, 17))


def test_what_an_undo_has_removed_is_taken_off() -> None:
    days = sum_by_day([made(4, -10), made(3, 10), made(2, 1), made(6, -1), made(6, 1)])

    assert [(day.made, day.total) for day in days] == [(1, 1), (10, 11), (-10, 1)]


def test_the_picture_goes_from_the_first_day_to_the_end_of_today_in_steps() -> None:
    days = sum_by_day([made(1, 5), made(6, 5)])

    picture = draw_growth(Growth(days, is_whole=True), TODAY)

    assert picture is not None
    assert (picture.top, picture.first_day, picture.last_day) == (10, date(2026, 5, 1), TODAY)
    assert picture.line == "0.0,160.0 0.0,160.0 0.0,80.0 320.0,80.0 320.0,0.0 640.0,0.0"
    assert picture.area == f"{picture.line} {WIDTH},{HEIGHT}"


def test_the_first_load_of_today_is_a_picture_too() -> None:
    picture = draw_growth(Growth(sum_by_day([made(10, 3)]), is_whole=True), TODAY)

    assert picture is not None
    assert picture.line.endswith("0.0,0.0 640.0,0.0")


def test_nothing_made_and_everything_taken_back_are_no_picture() -> None:
    assert draw_growth(Growth((), is_whole=True), TODAY) is None
    assert draw_growth(Growth(sum_by_day([made(3, -10)]), is_whole=False), TODAY) is None


def test_a_total_below_nothing_stays_in_the_picture() -> None:
    picture = draw_growth(Growth(sum_by_day([made(3, -10), made(4, 15)]), is_whole=False), TODAY)

    assert picture is not None
    assert picture.top == 5
    assert "-" not in picture.line
