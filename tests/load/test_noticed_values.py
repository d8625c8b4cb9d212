"""Rows whose values a program or a spreadsheet has spoiled, or that a list of changes deletes, are counted."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

import by_hand
from load.loading import Shop
from load.oracle import Column
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.notices import (
    CODE_DATES,
    CUT_OFF_VALUES,
    DELETED_ROWS,
    MISREAD_ROWS,
    UNLIKELY_DATES,
    UNUSUAL_KEY_ROWS,
    Notice,
)

pytestmark = pytest.mark.daily_on("sqlite")

ACCOUNT = Column("Account", "AccountNumber")
COMPANY = Column("Company", "BusinessName")
CITY = Column("City", "Address.City")
PART = Column("Part", "Attributes.part")


def notices_of(shop: Shop, job: UploadJob) -> list[Notice]:
    return by_hand.read(shop.store, shop.domain, read_report, job.job_id).notices


def load_values(shop: Shop, column: Column, values: Sequence[str]) -> list[Notice]:
    """Load a customer for each value, and return the notices."""
    rows = "".join(f"{number},{value}\n" for number, value in enumerate(values, 1))
    return notices_of(shop, shop.load([ACCOUNT, column], "Account", f"Account,{column.header}\n{rows}".encode()))


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("op", "c u d r D"),
        ("__op", "I U D U D"),
        ("CDC_Operation", "insert update delete insert Deleted"),
        ("Änderungsart", "neu geändert gelöscht neu Gelöscht"),
        ("acción", "alta modificado baja alta eliminado"),
        ("row_status", "added changed removed active removed"),
        ("_fivetran_deleted", "false FALSE true false TRUE"),
        ("IsDeleted", "0 0 1 0 1"),
    ],
)
def test_rows_that_a_list_of_changes_marks_as_deleted_are_counted(shop: Shop, header: str, values: str) -> None:
    column = Column(header, "Attributes.change")

    notices = load_values(shop, column, values.split())

    assert notices == [Notice(DELETED_ROWS, "Attributes.change", 2, (4, 6))]


def test_the_notice_of_deleted_rows_says_that_they_are_loaded(shop: Shop) -> None:
    job = shop.load([ACCOUNT, Column("op", "Attributes.op")], "Account", b"Account,op\n1,I\n2,D\n")

    assert job.created_count == 2
    assert by_hand.read(shop.store, shop.domain, read_report, job.job_id).notice_sentences() == [
        "1 row is marked as deleted by Attributes.op (line 3), but is loaded like the others: a file creates and "
        "updates customers and deletes none. Remove this line from the file, and delete the customer in another way; "
        "if this import has already run, undo it first."
    ]


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("Status", "active deleted"),
        ("op", "I U"),
        ("Operation", "knee delete"),
        ("Action", "call d"),
        ("IsDeleted", "false false"),
        ("Deleted", "2026-01-01 1"),
    ],
)
def test_other_words_do_not_mark_rows_as_deleted(shop: Shop, header: str, values: str) -> None:
    assert load_values(shop, Column(header, "Attributes.change"), values.split()) == []


@pytest.mark.parametrize(
    ("dates", "lines"),
    [
        ([*(f"{day}/11/1967" for day in range(13, 19)), "1/2/1967", *("11/20/67" for _ in range(5))], range(9, 14)),
        ([*(f"11-{day}-1967" for day in range(13, 23)), *("20-11-67" for _ in range(5))], range(12, 17)),
        # Two lists that were put together.
        ([*("20/11/1967" for _ in range(1_100)), *("11/20/1967" for _ in range(900))], range(1_102, 1_122)),
        # A spreadsheet has read those that have such a month, with the days as months.
        (
            [*(f"{day}/0{day % 9 + 1}/1967" for day in range(13, 32)), "20/09/67", *["2/5/1967", "10/4/1967"] * 10],
            range(22, 42),
        ),
        (
            [*(f"1967-0{day % 9 + 1}-{day % 12 + 1:02}" for day in range(20)), *(["20/09/67", "13/12/1967"] * 20)],
            range(2, 22),
        ),
        (
            [*(f"{day % 9 + 1}/{day % 12 + 13}/67" for day in range(20)), *(["02/05/1967", "10/04/1967"] * 10)],
            range(22, 42),
        ),
        # All days in each form, or in one of them; all in one form; and fewer than twenty.
        ([f"{day}/0{day % 9 + 1}/1967" if day > 12 else f"0{day % 9 + 1}/04/67" for day in range(1, 31)] * 2, ()),
        ([*(f"1967-04-{day:02}" for day in range(1, 31)), *(["20/09/67"] * 30)], ()),
        ([*(f"1967-04-{day:02}" for day in range(1, 13)), *(["20/09/67"] * 30)], ()),
        # In one order; fewer than five; and those with points always begin with the day.
        ([*(f"{day}/11/1967" for day in range(13, 29)), "1/2/1967", "11/12/1967"], ()),
        ([*(f"{day}/11/1967" for day in range(13, 29)), *("11/20/67" for _ in range(4))], ()),
        ([*(f"{day}.11.1967" for day in range(13, 29)), *("11/20/67" for _ in range(9))], ()),
        (["1967-11-20", "1967-20-11", "19/1967", "20/11/19671"] * 9, ()),
    ],
)
def test_dates_of_birth_with_day_and_month_in_both_orders_are_counted(
    shop: Shop, dates: Sequence[str], lines: Sequence[int]
) -> None:
    notices = load_values(shop, Column("Born", "BirthDate"), dates)

    assert [(one.code, one.lines) for one in notices] == [(UNLIKELY_DATES, tuple(lines))][: len(lines)]


@pytest.mark.parametrize("marks", ["“”", "„“", "„”", "«»", "»«", "””"])
def test_many_values_in_typographic_quotation_marks_are_counted(shop: Shop, marks: str) -> None:
    names = ["Ana", *(f"{marks[0]}Name {number}{marks[1]}" for number in range(5)), "Ben"]

    assert load_values(shop, CITY, names) == [Notice(MISREAD_ROWS, None, 5, (3, 4, 5, 6, 7))]


def test_unique_keys_in_typographic_quotation_marks_are_counted(shop: Shop) -> None:
    rows = "".join(f"“C{number}”,\n" for number in range(5))

    job = shop.load([ACCOUNT, PART], "Account", f"Account,Part\n{rows}".encode())

    assert notices_of(shop, job) == [Notice(MISREAD_ROWS, None, 5, (2, 3, 4, 5, 6))]


def test_few_values_and_titles_may_have_typographic_quotation_marks(shop: Shop) -> None:
    quoted = [f"«Name {number}»" for number in range(40)]

    assert load_values(shop, COMPANY, quoted) == load_values(shop, PART, quoted) == []
    assert load_values(shop, CITY, ["«Ana»", "“Ben”", "“Cem” Rao", "O”Neil", "“", "Ann"]) == []


@pytest.mark.parametrize("date", ["1-Mar", "Mar-01", "01. Mrz", "02-dic"])
def test_codes_that_a_spreadsheet_has_turned_into_dates_are_counted(shop: Shop, date: str) -> None:
    codes = [f"{name}{number}" for name in ("KD", "SE-", "ABC-") for number in range(10, 20)]

    notices = load_values(shop, PART, [*codes, date, "ABC-12"])

    assert notices == [Notice(CODE_DATES, PART.path, 1, (32,))]


def test_unique_keys_that_a_spreadsheet_has_turned_into_dates_are_counted(shop: Shop) -> None:
    keys = [*(f"KD{number}" for number in range(30)), "1-Mar", "Mar-01"]

    job = shop.load([ACCOUNT, PART], "Account", "".join(["Account,Part\n", *(f"{key},\n" for key in keys)]).encode())
    strict = shop.load(
        [ACCOUNT], "Account", "".join(["Account\n", *(f"{key}\n" for key in keys)]).encode(), strict=True
    )

    notices = notices_of(shop, job)
    assert [one for one in notices if one.code != UNUSUAL_KEY_ROWS] == [Notice(CODE_DATES, ACCOUNT.path, 2, (32, 33))]
    assert notices_of(shop, strict) == []


@pytest.mark.parametrize(
    "values",
    [
        ["Mar-01", "Apr-02"] * 20,
        [*(f"2026-03-{day:02}" for day in range(1, 29)), "1-Mar"],
        [*(f"note {number} of Ana" for number in range(30)), "1-Mar"],
        [*(f"{name}-{number}" for name in ("KD", "ABC", "MAR") for number in range(10, 20))],
        ["gold", "silver"] * 15 + ["1-Mar"],
        ["1-Mar", "KD1", "KD2"],
    ],
    ids=["months", "dates", "texts", "capital letters", "words", "few rows"],
)
def test_dates_among_other_values_are_not_codes(shop: Shop, values: Sequence[str]) -> None:
    assert load_values(shop, PART, values) == []


def company_names(count: int) -> list[str]:
    chance = random.Random(1)
    words = ("Gesellschaft", "fuer", "angewandte", "Technik", "und", "Beratung", "im", "Mittelstand", "GmbH", "Berlin")
    return [f"{' '.join(chance.sample(words, chance.randint(1, 8)))} {number}" for number in range(count)]


def test_texts_that_were_cut_off_at_the_same_length_are_counted(shop: Shop) -> None:
    names = [name[:40].strip() for name in company_names(6_000)]

    (notice,) = load_values(shop, COMPANY, names)

    lines = [line for line, name in enumerate(names, 2) if len(name) == 40]
    assert notice == Notice(CUT_OFF_VALUES, COMPANY.path, len(lines), tuple(lines[:20]))


def test_the_notice_of_texts_that_were_cut_off_says_what_to_do(shop: Shop) -> None:
    rows = "".join(f"{number},{name[:30]}\n" for number, name in enumerate(company_names(100)))
    job = shop.load([ACCOUNT, COMPANY], "Account", f"Account,Company\n{rows}".encode())

    (sentence,) = by_hand.read(shop.store, shop.domain, read_report, job.job_id).notice_sentences()

    assert " rows have a value of BusinessName that is exactly as long as the longest one (lines " in sentence
    assert sentence.endswith(
        "and few are nearly as long: a program with short fields seems to have cut them off. They are loaded as they "
        "are. If text is missing, export the whole values; if this import has already run, undo it first."
    )


@pytest.mark.parametrize(
    "values",
    [
        company_names(2_000),
        [*(name[:15] for name in company_names(200))],
        # A longer text shows that the others are whole.
        [*(name[:40].strip() for name in company_names(200)), "x" * 41],
        [f"p{'x' * (number % 20)}@mail{'y' * (number % 7)}.example" for number in range(200)],
        [*("a" * (number % 11) for number in range(100)), *(f"{number:08}-abcd-efgh-ijkl" for number in range(100))],
        [
            *("a" * (number % 11) for number in range(100)),
            *(f"DE{number} 3704 0044 0532 0130 00" for number in range(10, 90)),
        ],
        [*("b c" * (number % 9) for number in range(100)), *(["Preferred customer since the beginning"] * 50)],
        [f"Created on 2026-01-{number % 28 + 1:02} by the import" for number in range(200)],
    ],
    ids=["whole", "short", "longer", "emails", "ids", "account numbers", "one of a list", "one form"],
)
def test_values_of_other_lengths_were_not_cut_off(shop: Shop, values: Sequence[str]) -> None:
    assert load_values(shop, COMPANY, values) == []
