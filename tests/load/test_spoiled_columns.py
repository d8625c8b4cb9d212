"""Columns of a first load that a program or a spreadsheet has spoiled are counted, and ordinary ones are not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from load.loading import Place, Shop
from load.oracle import Column
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.notices import (
    DAMAGED_VALUES,
    MISREAD_ROWS,
    PLACEHOLDER_VALUES,
    REVERSED_NAME_ROWS,
    SHORTENED_VALUES,
    Notice,
)

pytestmark = pytest.mark.daily_on("sqlite")

Cells = dict[str, Sequence[object]]


def load_columns(shop: Shop, cells: Cells, *, strict: bool = False) -> list[Notice]:
    """Load a row for each number, with the cells of the other columns by path in turn; return the notices."""
    columns = [Column("Key", "Attributes.key"), *(Column(path, path) for path in cells)]
    count = max(len(values) for values in cells.values())
    rows = [[f"c{number}", *(values[number % len(values)] for values in cells.values())] for number in range(count)]
    lines: list[list[object]] = [[column.header for column in columns], *rows]
    data = "".join(",".join(f"{cell}" for cell in line) + "\n" for line in lines).encode()
    job = shop.load(columns, "Key", data, strict=strict)
    with shop.reading() as session:
        return read_report(session, job.job_id).notices


def postal_codes(kind: str, short: Sequence[int], whole: int, *, state: str | None = None) -> Cells:
    """Postal codes, a third of them short, with the state of the short ones."""
    codes: list[object] = [*short, *(f"{whole + number}" for number in range(2 * len(short)))]
    cells: Cells = {f"{kind}.PostalCode": codes}
    if state is not None:
        cells[f"{kind}.State"] = [*[state] * len(short), *["TX"] * 2 * len(short)]
    return cells


MASSACHUSETTS, SAXONY, TYROL, SALZBURG = range(2101, 2113), range(1067, 1079), range(6020, 6032), range(5020, 5032)
# Of one region, and of six.
NEAR, FAR = range(80331, 80371), range(30331, 90331, 1500)


@pytest.mark.parametrize(
    ("region", "cells", "paths"),
    [
        (
            "FR",
            {
                **postal_codes("Address", MASSACHUSETTS, 78701, state="MA"),
                **postal_codes("BillingAddress", range(901, 913), 78701, state="Puerto Rico"),
                **postal_codes("ShippingAddress", MASSACHUSETTS, 78701),
                # A state without such codes.
                **postal_codes("MailingAddress", MASSACHUSETTS, 78701, state="Wien"),
            },
            ["Address.PostalCode", "BillingAddress.PostalCode"],
        ),
        (
            "DE",
            {
                "Address.PostalCode": [*SAXONY, *FAR],
                "ShippingAddress.PostalCode": [*TYROL, *FAR],
                "ShippingAddress.Country": [*["Austria"] * 12, *["Deutschland"] * 40],
                "BillingAddress.PostalCode": [*SALZBURG, *FAR],
                # There are zeros.
                "MailingAddress.PostalCode": [*TYROL, *["01067"] * 3, *FAR[:37]],
            },
            ["Address.PostalCode"],
        ),
        (
            "US",
            {
                "Address.PostalCode": [*MASSACHUSETTS, *FAR],
                "Address.Country": ["USA"],
                # A third of the codes is short, there are few short ones, and most are.
                "ShippingAddress.PostalCode": [*MASSACHUSETTS, *FAR[:24]],
                "BillingAddress.PostalCode": [*MASSACHUSETTS[:9], *range(78701, 78744)],
                "BillingAddress.State": [*["MA"] * 9, *["TX"] * 43],
                "MailingAddress.PostalCode": [*range(1000, 1040), *range(78701, 78713)],
                "MailingAddress.State": ["MA"],
            },
            ["Address.PostalCode"],
        ),
        # Bavarians have neighbours in Austria.
        ("DE", {"Address.PostalCode": [*TYROL, *NEAR]}, []),
        ("AT", {"Address.PostalCode": [*TYROL, *FAR]}, []),
    ],
)
def test_postal_codes_without_their_zeros_are_counted_in_a_first_load(
    place: Place, region: str, cells: Cells, paths: Sequence[str]
) -> None:
    notices = load_columns(place.open_shop(phone_region=region), cells)

    assert notices == [Notice(SHORTENED_VALUES, path, 12, tuple(range(2, 14))) for path in paths]


def test_postal_codes_that_replace_those_with_zeros_are_counted_once(shop: Shop) -> None:
    cells = postal_codes("Address", MASSACHUSETTS, 78701, state="MA")
    load_columns(
        shop, {**cells, "Address.PostalCode": [f"{code:05}" for code in (*MASSACHUSETTS, *range(78701, 78725))]}
    )

    assert load_columns(shop, cells) == [Notice(SHORTENED_VALUES, "Address.PostalCode", 12, tuple(range(2, 14)))]


def test_dates_of_birth_that_stand_for_none_are_counted_in_a_first_load_and_where_they_replace_others(
    shop: Shop,
) -> None:
    zeros = ["0/0/00", "00/00/0000", "NULL", "30.12.1899 00:00:00", "1753-01-01"]
    dates = [f"19{50 + number}-05-01" for number in range(30)]

    first = load_columns(shop, {"BirthDate": [*dates, *zeros], "Attributes.joined": ["1899-12-30"]})
    second = load_columns(shop, {"BirthDate": ["0/0/00"] * 30, "GenderString": ["Unspecified"]})

    assert first == [Notice(PLACEHOLDER_VALUES, "BirthDate", 5, (32, 33, 34, 35, 36))]
    lines = tuple(range(2, 22))
    assert second == [
        Notice(PLACEHOLDER_VALUES, "BirthDate", 30, lines),
        Notice(DAMAGED_VALUES, "BirthDate", 30, lines, is_doubtful=True),
    ]


def names(first: str, last: str, *, count: int = 30) -> Cells:
    """Names, with the first and last one of each customer in ``{f}`` and ``{l}``."""
    people = [(f"Ann{number}", f"Berg{number}") for number in range(count)]
    return {
        path: [form.format(f=one, l=other) for one, other in people]
        for path, form in (("FirstName", first), ("LastName", last))
    }


NAMES_LONG = pytest.mark.long(
    daily="test_whole_names_in_place_of_one_name_are_counted_and_asked_about_where_they_replace_it"
)


@pytest.mark.parametrize(
    ("first", "last", "path"),
    [
        ("{f} {l}", "", "FirstName"),
        pytest.param("{f} {l}", "{l}", "FirstName", marks=NAMES_LONG),
        pytest.param("{l} {f}", "{l}", "FirstName", marks=NAMES_LONG),
        pytest.param("{f}", "{f} {l}", "LastName", marks=NAMES_LONG),
        ("{f}", '"{l}, {f}"', "LastName"),
    ],
)
def test_whole_names_in_place_of_one_name_are_counted_and_asked_about_where_they_replace_it(
    place: Place, first: str, last: str, path: str
) -> None:
    used, new = place.open_shop(), place.open_shop()
    load_columns(used, names("{f}", "{l}"))

    replacing = load_columns(used, names(first, last))
    of_new = load_columns(new, names(first, last))

    lines = tuple(range(2, 22))
    whole = Notice(REVERSED_NAME_ROWS, path, 30, lines)
    assert (of_new, replacing) == ([whole], [Notice(DAMAGED_VALUES, path, 30, lines, is_doubtful=True), whole])


def test_first_names_of_two_words_and_longer_last_names_are_ordinary(shop: Shop) -> None:
    forms = [("{f}", "{l}"), ("{f}", ""), ("Maria {f}", "{l} {f}ez"), ("{f}-{l}", "van {l}")]

    assert [load_columns(shop, names(*form)) for form in forms] == [[]] * 4


def test_few_whole_names_and_names_that_were_split_in_the_wrong_place_are_ordinary(shop: Shop) -> None:
    few = names("{f} {l}", "{l}", count=4)
    first = load_columns(shop, {path: [*values, *names("Ann", "Berg")[path]] for path, values in few.items()})
    load_columns(shop, names("{f}", "{l}"))

    assert (first, load_columns(shop, names("{f} {l}", "Smith"))) == ([], [])


def test_marks_before_nearly_all_values_of_a_column_are_counted(shop: Shop) -> None:
    numbers = range(10000, 10040)
    cells: Cells = {
        "AccountNumber": [f"'{number}" for number in numbers],
        "PhoneNumber": [f"p:+1206555{number}" for number in numbers],
        "Address.PostalCode": [*(f"z:{number}" for number in numbers[1:]), "10115"],
        "Attributes.lead": [f"ag:{number}" for number in numbers],
        # Fewer than 95%, marks that differ, no number, another kind of field, and few values.
        "ShippingAddress.PostalCode": [*(f"z:{number}" for number in numbers[3:]), "1", "2", "3"],
        "Attributes.seat": [f"{'abcd'[number % 4]}:{number}" for number in numbers],
        "Attributes.link": ["x:y"],
        "Address.Address1": ["c:1"],
        "Attributes.few": [*(f"a:{number}" for number in range(19)), *[""] * 21],
    }

    notices = load_columns(shop, cells)

    lines = tuple(range(2, 22))
    paths = ("AccountNumber", "PhoneNumber", "Address.PostalCode", "Attributes.lead")
    assert notices == [Notice(MISREAD_ROWS, path, 40 - (path == paths[2]), lines) for path in paths]


def test_a_single_attribute_may_have_a_prefix(shop: Shop) -> None:
    assert load_columns(shop, {"Attributes.seat": [f"a:{number}" for number in range(40)]}) == []


def test_line_breaks_that_are_spelled_out_are_counted(shop: Shop) -> None:
    # Each in rows of its own: tags in names and addresses, escapes in all texts, carriage returns anywhere.
    streets = ["Pine Rd 12<br>Apt 4", "Pine Rd 12<BR />Apt 4", *["Elm St 1"] * 3]
    notes = [*[""] * 10, *(rf"Called on day {number}\r\nwants\ninvoices" for number in range(5)), *["-"] * 5]
    cities = [*["Ulm"] * 20, *[r"Ulm\nGermany"] * 5, *["Ulm"] * 10]
    remarks = [*["<br>"] * 29, "paid_x000D_", *["<br>"] * 5]

    notices = load_columns(
        shop,
        {
            "Address.Address1": [*streets, *["Elm St 1"] * 30],
            "Address.City": cities,
            "AdditionalInformation": [*notes, *["-"] * 15],
            "Attributes.remark": remarks,
        },
    )

    assert notices == [Notice(MISREAD_ROWS, None, 13, (2, 3, *range(12, 17), *range(22, 27), 31))]


def test_backslashes_and_tags_are_no_line_breaks_elsewhere(shop: Shop) -> None:
    cells: Cells = {
        # Users of a domain, files, attributes, few values, and notes in HTML.
        "FirstName": [rf"CORP\{name}" for name in ("nina", "ann", "bo", "ned", "cy", "di", "ed") * 5],
        "Address.Address1": [r"C:\data\new", r"\\host\new"],
        "Attributes.note": [r"one\ntwo<br>three"],
        "Address.City": [*[r"Ulm\nGermany"] * 4, *["Ulm"] * 31],
        "AdditionalInformation": ["<p>one<br>two</p>"],
    }

    assert load_columns(shop, cells) == []


def test_nothing_of_this_is_counted_with_strict_compatibility(shop: Shop) -> None:
    cells: Cells = {
        **postal_codes("Address", MASSACHUSETTS, 78701, state="MA"),
        "BirthDate": ["0/0/00"],
        **names("{f} {l}", "{l}", count=36),
        "PhoneNumber": ["p:+12065550100"],
        "Address.Address1": ["Pine Rd 12<br>Apt 4_x000D_"],
    }
    load_columns(shop, {**cells, "BirthDate": ["1985-12-10"], **names("{f}", "{l}", count=36)}, strict=True)

    assert load_columns(shop, cells, strict=True) == []
