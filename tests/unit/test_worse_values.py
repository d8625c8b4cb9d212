"""Values of standard fields that say less than those that they replace."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

from openprofiles.bulk.sql_functions import register_sql_functions
from openprofiles.uploads.loading.worse_values import sql_is_masked, sql_is_plainer, sql_is_worse

CITY, STATE, STREET, TIER = "Address.City", "Address.State", "BillingAddress.Address1", "Attributes.tier"


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    register_sql_functions(connection, "US")
    return connection


def fulfils(
    duck: duckdb.DuckDBPyConnection, sql: Callable[[str, str, str], str], path: str, new: str, old: str
) -> bool:
    row = duck.execute(f"select {sql(path, 'new', 'old')} from (select ? as new, ? as old)", [new, old]).fetchone()
    assert row is not None
    return bool(row[0])


@pytest.mark.parametrize(
    ("path", "new", "old"),
    [
        *((CITY, filler, "Berlin") for filler in ("-", "--", ".", "unknown", "None", "TBD", "Please select", "xxx")),
        *((CITY, zeros, "Berlin") for zeros in ("0", "00000")),
        ("Address.PostalCode", "00000", "10115"),
        ("Address.PostalCode", "'01067", "01067"),
        ("Address.PostalCode", "z:01067", "01067"),
        ("PhoneNumber", "0", "555-0100"),
        ("FirstName", "ann@a.example", "Ann"),
        *(("FirstName", name, "Ann") for name in ("Friend", "there", "Mrs.", "Frau", "unknown")),
        ("EmailAddress", "ann@a.example.invalid", "ann@a.example"),
        ("PhoneNumber", "555-0100", "+1 206-555-0100"),
        ("PhoneNumber", "4000001", "+49 351 4000001"),
        (STREET, "Pine Rd", "Pine Rd 12"),
        (STREET, "Pine Rd", "Pine Rd, 12 b"),
        (STREET, "High St", "168 High St"),
        ("BirthDate", "1900-01-01", "1985-12-10"),
        ("BirthDate", "9999-12-31T00:00:00", "1985-12-10"),
        *(("BirthDate", zero, "1985-12-10") for zero in ("0/0/00", "0000-00-00", "01/01/1753")),
        *(("GenderString", gender, "F") for gender in ("Unspecified", "UNKNOWN", "keine Angabe")),
        ("LastName", "B.", "Berg"),
        ("LastName", "\u00d6", "\u00d6zil"),
        *(("BirthDate", shorter, "1967-11-20") for shorter in ("1967", "1967-11", "20-Nov-67", "11/20/67", "20.11.")),
    ],
)
def test_a_value_that_says_less_is_found(duck: duckdb.DuckDBPyConnection, path: str, new: str, old: str) -> None:
    assert fulfils(duck, sql_is_worse, path, new, old)


@pytest.mark.parametrize(
    ("path", "new", "old"),
    [
        (CITY, "Berlin", "-"),
        # Fillers, all of them.
        (CITY, "none", "-"),
        (CITY, "-", "00000"),
        ("FirstName", "Guest", "guest"),
        ("FirstName", "Mr.", "Mr"),
        ("BirthDate", "01/01/1900", "1900-01-01"),
        ("BirthDate", "1985-12-10", "1900-01-01"),
        ("BirthDate", "00.00.0000", "1900-01-01"),
        ("BirthDate", "1985-12-10", "30.12.1899"),
        ("GenderString", "Unspecified", "unknown"),
        ("GenderString", "Female", "Unspecified"),
        (TIER, "Unspecified", "gold"),
        # Counted as a stored placeholder.
        (CITY, "NULL", "Berlin"),
        (CITY, "Xi'an", "Berlin"),
        (CITY, "to:Berlin:", "Berlin"),
        (STATE, "NA", "Navarra"),
        ("Address.Country", "NA", "Namibia"),
        ("LastName", "Na", "Kim"),
        ("FirstName", "Nan", "Ann"),
        ("Address.PostalCode", "10115", "00000"),
        ("LastName", "Friendly", "Ann"),
        (CITY, "Friend", "Berlin"),
        (TIER, "-", "gold"),
        (TIER, "0", "gold"),
        ("EmailAddress", "ann@b.example", "ann@a.example"),
        # The same numbers in another form, one of two, and another one.
        ("PhoneNumber", "206-555-0100", "+1 206-555-0100"),
        ("PhoneNumber", "55 1234 5678", "+52 1 55 1234 5678"),
        ("PhoneNumber", "600 123 456", "0034 600 123 456"),
        ("PhoneNumber", "5550199", "2125550100 / 5550199"),
        ("PhoneNumber", "555-0199", "+1 206-555-0100"),
        ("PhoneNumber", "+1 206-555-0100", "555-0100"),
        (STREET, "Pine Rd 12", "Pine Rd"),
        (STREET, "Pine Rd", "Pine Rd East"),
        # An apartment that is in another field now.
        (STREET, "5 Main St", "5 Main St 5B"),
        (STREET, "Calle Mayor 12", "Calle Mayor 12, 3"),
        (CITY, "Berlin", "Berlin 12"),
        ("LastName", "B.", "Meyer"),
        ("LastName", "O", "Oh"),
        ("BirthDate", "20 Nov 1967", "1967-11-20"),
        ("BirthDate", "19671120", "1967-11-20"),
        ("BirthDate", "1967-11-20", "1967-11-20T00:00:00"),
        ("BirthDate", "20-Nov-67", "11/20/67"),
        ("BirthDate", "1968", "1967"),
        ("BirthDate", "21.11.67", "1967-11-20"),
    ],
)
def test_other_changes_do_not_say_less(duck: duckdb.DuckDBPyConnection, path: str, new: str, old: str) -> None:
    assert not fulfils(duck, sql_is_worse, path, new, old)


@pytest.mark.parametrize(
    ("path", "new", "old", "is_plainer"),
    [
        ("LastName", "Mueller", "M\u00fcller", True),
        (STREET, "Hauptstrasse 1", "Hauptstra\u00dfe 1", True),
        ("LastName", "M\u00fcller", "Mueller", False),
        ("FirstName", "A.", "Ann", True),
        ("MiddleName", "J", "James", True),
        ("LastName", "A.", "Ann", False),
        ("FirstName", "B.", "Ann", False),
        ("FirstName", "A", "Al", False),
        ("FirstName", "Ann", "A.", False),
        ("LastName", "MILLER", "Miller", True),
        ("LastName", "miller", "Miller", True),
        ("LastName", "M\u00dcLLER", "M\u00fcller", True),
        (CITY, "\u041c\u041e\u0421\u041a\u0412\u0410", "\u041c\u043e\u0441\u043a\u0432\u0430", True),
        ("BusinessName", "\u682a\u5f0f\u4f1a\u793eABC", "\u682a\u5f0f\u4f1a\u793eabc", False),
        ("LastName", "Miller", "MILLER", False),
        (CITY, "NY", "Ny", False),
        (STATE, "TEXAS", "Texas", False),
        ("LastName", "Mcdonald", "McDonald", False),
        (TIER, "GOLD", "Gold", False),
    ],
)
def test_a_plainer_form_is_found(
    duck: duckdb.DuckDBPyConnection, path: str, new: str, old: str, is_plainer: bool
) -> None:
    assert fulfils(duck, sql_is_plainer, path, new, old) == is_plainer


@pytest.mark.parametrize(
    ("new", "old", "is_masked"),
    [
        ("484 ****", "484 555-0100", True),
        ("XXXX1234", "206 555 1234", True),
        ("972**", "97201", True),
        ("B\u2022\u2022\u2022", "Berg", True),
        ("Bxxx", "Berg", True),
        # A footnote, a mask that was there before, and one asterisk.
        ("Berlin **", "Berlin", False),
        ("206 *** 0101", "206 *** 0100", False),
        ("206 555 0100", "206 *** 0100", False),
        ("Pine Rd * 12", "Elm St 12", False),
    ],
)
def test_a_masked_value_is_found(duck: duckdb.DuckDBPyConnection, new: str, old: str, is_masked: bool) -> None:
    assert fulfils(duck, lambda _, *both: sql_is_masked(*both), CITY, new, old) == is_masked
