"""When the date of a row's last change is before that of the values that it replaces."""

from __future__ import annotations

import duckdb
import pytest

from openprofiles.uploads.loading.older_rows import sql_is_older
from openprofiles.uploads.mappings.header_names import words_of
from openprofiles.uploads.mappings.header_words import CHANGE_DATES, CURRENT_FLAGS, ROW_DATES


@pytest.mark.parametrize(
    ("new", "old", "is_older"),
    [
        ("2024-03-01", "2026-03-01", True),
        ("2026-03-01", "2024-03-01", False),
        ("2024-03-01T10:00:00Z", "2024-03-01T11:00:00Z", True),
        # A date without a time may be of any time of the day.
        ("2024-03-01", "2024-03-01 10:00", False),
        ("01.03.2024", "2026-01-02 10:00", True),
        ("2.1.2026 10:00", "2.1.2026 9:00", False),
        # The fourth of March, or the third of April.
        ("3/4/2024", "4/3/2024", False),
        ("1/2/2024", "5/6/2025", True),
        ("3/13/2024", "4/13/2024", True),
        ("13/3/2024 1:00 PM", "13/4/2024", True),
        ("1700000000", "1800000000", True),
        ("1700000000", "1800000000123", False),
        ("new", "old", False),
        ("2024-03-01", "never", False),
        ("2024-03-01", None, False),
    ],
)
def test_a_date_is_before_another_one_however_both_are_written(new: str, old: str | None, is_older: bool) -> None:
    (found,) = duckdb.execute(
        f"select coalesce({sql_is_older('$new', '$old')}, false)", {"new": new, "old": old}
    ).fetchall()

    assert found == (is_older,)


@pytest.mark.parametrize(
    "header", ["Last Modified Date", "updated_at", "UpdatedAt", "Geändert am", "Dernière mise à jour"]
)
def test_a_date_of_the_last_change_is_known_by_its_name(header: str) -> None:
    assert "".join(words_of(header)) in CHANGE_DATES


@pytest.mark.parametrize(
    ("header", "words"),
    [
        *((header, ROW_DATES) for header in ("valid_from", "Start Date", "Gültig ab", "Date de début", "Ważny od")),
        *((header, CURRENT_FLAGS) for header in ("IsCurrent", "current_flag", "Aktuell", "Atual")),
    ],
)
def test_dates_and_marks_that_order_rows_are_known_by_their_names(header: str, words: frozenset[str]) -> None:
    assert "".join(words_of(header)) in words


@pytest.mark.parametrize("header", ["Created at", "Last order", "Update notes", "Current balance"])
def test_other_dates_are_not_those_of_the_last_change(header: str) -> None:
    assert "".join(words_of(header)) not in CHANGE_DATES | ROW_DATES | CURRENT_FLAGS
