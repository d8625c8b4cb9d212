"""The country of phone numbers without a country code: what the first rows of a file say of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from openprofiles.uploads.mappings.phone_country import PhoneCountry, country_name, weigh_phone_country
from openprofiles.uploads.mappings.suggest import suggest_mapping


def weigh(headers: Sequence[str], rows: Sequence[Sequence[str]], region: str = "US") -> PhoneCountry | None:
    suggestion = suggest_mapping(headers, None, rows, region)
    return weigh_phone_country(suggestion.fields, headers, rows, region)


@pytest.mark.parametrize(
    ("headers", "row", "region"),
    [
        # By the language, the form of postal codes, the addresses and the countries.
        (["Kunden-Nr.", "Telefon", "PLZ"], ["K1", "0211 98765{}", "40213"], "DE"),
        (["Email", "Phone"], ["a{}@x.de", "0171 123456{}"], "DE"),
        (["Email", "Telefon", "PLZ"], ["a{}@x.com", "0660 123456{}", "1010"], "AT"),
        (["Email", "Phone", "Country"], ["a{}@x.com", "0660 123456{}", "Österreich"], "AT"),
        (["Email", "Phone", "Country"], ["a{}@x.com", "044 668 18 0{}", "CH"], "CH"),
        (["Email", "Phone", "Postcode"], ["a{}@x.com", "020 7946 095{}", "SW1A 1AA"], "GB"),
        (["Prénom", "Téléphone", "Code postal"], ["Zoé", "06 12 34 56 7{}", "75001"], "FR"),
        (["Nombre", "Apellidos", "Teléfono"], ["Eva", "Gil", "612 34 56 7{}"], "ES"),
        (["Email", "Telefoon", "Postcode"], ["a{}@x.com", "06 1234567{}", "1012 AB"], "NL"),
        (["Email", "Telefon"], ["a{}@x.com.pl", "512 345 67{}"], "PL"),
    ],
)
def test_a_file_whose_numbers_are_not_of_the_country_suggests_its_own(
    headers: list[str], row: list[str], region: str
) -> None:
    found = weigh(headers, [[cell.format(number) for cell in row] for number in range(10)])

    assert found is not None
    assert (found.valid_count, found.suggested) == (0, region)
    assert found.describe_doubt() == (
        f"Valid in the United States (US): 0 of 10 such numbers in the first rows; 10 in {country_name(region)}."
    )


def test_a_decimal_that_a_spreadsheet_added_is_not_part_of_a_number() -> None:
    found = weigh(["Email", "Phone"], [[f"a{number}@x.com", f"206555010{number}.0"] for number in range(3)])

    assert found is not None
    assert (found.number_count, found.valid_count, found.likely) == (3, 3, ())


def test_of_several_countries_none_is_suggested() -> None:
    rows = [[f"a{number}@x.com", f"041 23456{number}", "FI" if number < 8 else "SE"] for number in range(10)]

    found = weigh(["Email", "Phone", "Country"], rows)

    assert found is not None
    assert (found.has_several, found.likely, found.suggested) == (True, (), None)
    assert found.describe_doubt() == (
        "Valid in the United States (US): 0 of 10 such numbers in the first rows. The file has customers from "
        "several countries: write their numbers with the country code."
    )
    alone = weigh(["Email", "Phone", "Country"], [[*row[:2], "FI"] for row in rows])
    assert alone is not None
    assert alone.suggested == "FI"


def test_numbers_with_a_country_code_say_which_country_the_others_are_of() -> None:
    rows = [["a@x.com", "+41 44 668 18 00"], ["b@x.com", "0041446681801"], ["c@x.com", "044 668 18 02"]]

    found = weigh(["Email", "Phone"], rows)

    assert found is not None
    assert (found.number_count, found.suggested) == (1, "CH")


@pytest.mark.parametrize(
    ("phone", "region"),
    [
        ("(802) 555-010{}", "US"),
        ("1-802-555-010{} x12", "US"),
        # Without an area code.
        ("555-010{}", "US"),
        ("0211 98765{}", "DE"),
        ("020 7946 095{}", "GB"),
    ],
)
def test_numbers_of_the_country_are_not_doubted(phone: str, region: str) -> None:
    found = weigh(["E-Mail", "Telefon"], [[f"{number}@x.de", phone.format(number)] for number in range(10)], region)

    assert found == PhoneCountry(region, 10, 10)
    assert found.describe() == (
        f"Phone numbers without a country code are treated as numbers from {country_name(region)}."
    )


def test_without_other_evidence_no_country_is_suggested() -> None:
    found = weigh(["Email", "Phone"], [[f"{number}@x.com", f"0171 123456{number}"] for number in range(10)])

    assert found is not None
    assert (found.suggested, found.is_clear, len(found.likely)) == (None, False, 3)


def test_a_file_with_country_codes_alone_or_without_numbers_has_no_country() -> None:
    assert weigh(["Email", "Phone"], [["a@x.com", "+49 171 1234567"]]) is None
    assert weigh(["Email", "Phone"], [["a@x.com", ""], ["b@x.com", "ask Bob"]]) is None
    assert weigh(["Email"], [["a@x.com"]]) is None
