"""When a value is a damaged form of the one that it replaces."""

from __future__ import annotations

import duckdb
import pytest

from openprofiles.bulk.sql_functions import register_sql_functions
from openprofiles.uploads.loading.damaged_values import sql_is_damaged, sql_lost_zeros


def fulfils(condition: str, new: str, old: str, phone_region: str = "DE") -> bool:
    connection = duckdb.connect()
    register_sql_functions(connection, phone_region)
    query = f"select {condition} from (select $new as new, $old as old)"
    return connection.execute(query, {"new": new, "old": old}).fetchone() == (True,)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("Muller", "Müller"),
        ("M?ller", "Müller"),
        ("M??ller", "Müller"),
        ("Mller", "Müller"),
        ("????", "Иван"),
        ("Friedrichstraße 1", "Friedrichstraße 100"),
        ("Friedrichstraße ", "Friedrichstraße 100"),
        ("31391", "1985-12-10"),
        ("31391", "10.12.1985 00:00"),
        ("1985-10-12", "1985-12-10"),
        ("12/10/1985", "10/12/1985"),
        ("2035-12-10", "1935-12-10"),
        ("10.12.2035", "10.12.1935"),
    ],
)
def test_a_damaged_form_of_a_value_is_found(new: str, old: str) -> None:
    assert fulfils(sql_is_damaged("new", "old"), new, old)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("Müller", "Muller"),
        ("Mueller", "Müller"),
        ("Ann", "Anna"),
        # Shortened by hand.
        ("Friedrichstraße", "Friedrichstraße 100"),
        ("Friedrichstraße 100", "Friedrichstraße 1"),
        ("31391", "99084"),
        ("2024-01-15", "2024-01-15T10:30:00Z"),
        ("12345678.9", "12345678.90"),
        ("0171 2345678", "0171 23456789"),
        ("1985-12-11", "1985-12-10"),
        ("1985-12-10", "10.12.1985"),
        ("1935-12-10", "2035-12-10"),
    ],
)
def test_other_changes_are_not_damage(new: str, old: str) -> None:
    assert not fulfils(sql_is_damaged("new", "old"), new, old)


@pytest.mark.parametrize(
    ("new", "old", "is_found"),
    [
        ("1067", "01067", True),
        ("1067.0", "01067", True),
        ("1067.0", "1067", True),
        ("01067", "1067", False),
        ("1067", "01068", False),
        ("0", "00", False),
        ("1067", "1067.0", False),
        ("351400", "0351 400", True),
        ("351400", "(0351) 4-00", True),
        ("351400", "0351 401", False),
        # In Germany, these are other numbers.
        ("493514000001", "+49 351 4000001", True),
        ("493514000001", "004935140000010", False),
        ("493514000002", "+49 351 4000001", False),
    ],
)
def test_a_number_that_has_lost_its_zeros_is_found(new: str, old: str, is_found: bool) -> None:
    assert fulfils(sql_lost_zeros("new", "old", "DE"), new, old) == is_found


def test_a_number_that_means_the_same_in_its_country_without_a_plus_has_lost_nothing() -> None:
    assert not fulfils(sql_lost_zeros("new", "old", "US"), "12065550100", "+1 206 555 0100", "US")
