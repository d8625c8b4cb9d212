"""Rows whose values are probably worse than those that they replace are counted before they are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import pytest

import by_hand
from load.loading import Shop
from load.oracle import Column
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.job_options import CLEAR, KEEP, OVERWRITE, REFUSE, JobOptions
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.notices import (
    DAMAGED_VALUES,
    EXCHANGED_VALUES,
    MIXED_ADDRESSES,
    OLDER_ROWS,
    OTHER_CUSTOMER_ROWS,
    REVERSED_NAME_ROWS,
    SHORTENED_VALUES,
    TAKEN_VALUES,
    Notice,
    describe_refusal,
)

pytestmark = pytest.mark.daily_on("sqlite")

ACCOUNT = Column("Account", "AccountNumber")
EMAIL = Column("Email", "EmailAddress")
PHONE = Column("Phone", "PhoneNumber")
BORN = Column("Born", "BirthDate")
STREET = Column("Street", "Address.Address1")
CITY = Column("City", "Address.City")
CHANGED = Column("Last modified", "Attributes.changed")
ZIP = Column("Zip", "Address.PostalCode")
UNIT = Column("Unit", "Address.Address2")
STATE = Column("State", "Address.State")
ROUTE = Column("Route", "Attributes.route ~/1")


def csv(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> bytes:
    lines = [[column.header for column in columns], *rows]
    return "".join(",".join(map(str, line)) + "\n" for line in lines).encode()


def notices_of(shop: Shop, job: UploadJob) -> list[Notice]:
    return by_hand.read(shop.store, shop.domain, read_report, job.job_id).notices


def test_many_numbers_that_would_lose_their_leading_zeros_are_refused(shop: Shop) -> None:
    columns = [ACCOUNT, ZIP, ROUTE]
    shop.load(columns, "Account", csv(columns, [(number, f"0{1000 + number}", f"00{number}") for number in range(30)]))
    before = shop.known().profiles
    # The route of the first customer was 000, which is not another number without zeros; that of the second is new.
    data = csv(columns, [(number, 1000 + number, [0, 17, 2, ""][min(number, 3)]) for number in range(30)])
    job = shop.create_job(columns, "Account", data, start=False)

    preview = shop.preview(job)
    refused = shop.run(shop.create_job(columns, "Account", data, options=JobOptions(doubtful_rows=REFUSE)))
    assert shop.known().profiles == before
    loaded = shop.load(columns, "Account", data)
    again = shop.load(columns, "Account", data)

    notices = [
        Notice(SHORTENED_VALUES, ZIP.path, 30, tuple(range(2, 22)), is_doubtful=True),
        Notice(SHORTENED_VALUES, ROUTE.path, 1, (4,)),
    ]
    assert [notices_of(shop, one) for one in (preview, refused, loaded, again)] == [notices] * 3 + [[]]
    assert refused.failure_message == describe_refusal(notices)
    strict = shop.load(columns, "Account", csv(columns, [(1, 1, 1), (1, "01", 1), (1, 1, 1)]), strict=True)
    assert notices_of(shop, strict) == []


def test_a_value_of_an_earlier_row_can_lose_its_zeros_too(shop: Shop) -> None:
    columns = [ACCOUNT, ZIP]

    job = shop.load(columns, "Account", csv(columns, [(1, "01067"), (1, ""), (1, 1067), (1, 1067), (2, 1067)]))

    assert notices_of(shop, job) == [Notice(SHORTENED_VALUES, ZIP.path, 1, (4,))]


@pytest.mark.parametrize(("policy", "count"), [(KEEP, 0), (OVERWRITE, 1)])
def test_a_value_that_was_edited_by_hand_and_stays_does_not_lose_its_zeros(shop: Shop, policy: str, count: int) -> None:
    shop.make_profile({"AccountNumber": "1", ZIP.path: "01067"})
    columns = [ACCOUNT, ZIP]

    options = JobOptions(hand_set_fields=policy)
    job = shop.run(shop.create_job(columns, "Account", csv(columns, [(1, 1067)]), options=options))

    assert [one.count for one in notices_of(shop, job)] == [count] * count


def test_all_rows_of_a_large_file_are_compared_if_some_lose_their_zeros(shop: Shop) -> None:
    columns = [ACCOUNT, ZIP, ROUTE]
    shop.load(columns, "Account", csv(columns, [(number, f"0{1000 + number}", number) for number in range(20_000)]))

    rows = [(number, f"{'' if number % 10 == 9 else '0'}{1000 + number}", number) for number in range(20_000)]
    job = shop.load(columns, "Account", csv(columns, [*rows, (0, 1000, 0), (0, 1000, 0)]))

    (notice,) = notices_of(shop, job)
    assert (notice.code, notice.path, notice.count, notice.is_doubtful) == (SHORTENED_VALUES, ZIP.path, 2_001, True)
    assert notice.lines == tuple(range(11, 211, 10))


def test_many_rows_that_would_replace_newer_values_by_older_ones_are_refused(shop: Shop) -> None:
    columns = [ACCOUNT, CITY, CHANGED]
    shop.load(columns, "Account", csv(columns, [(number, "Bonn", "2026-03-01") for number in range(30)]))
    id_of = {row["account_number"]: row["profile_id"] for row in shop.contents().profiles.values()}
    data = csv(columns, [(number, "Ulm", "01.03.2024" if number else "02.03.2026 10:00") for number in range(30)])

    refused = shop.run(shop.create_job(columns, "Account", data, options=JobOptions(doubtful_rows=REFUSE)))
    loaded = shop.load(columns, "Account", data)
    again = shop.load(columns, "Account", data)

    others = tuple(f"profile {id_of[str(number)]}" for number in range(1, 21))
    notice = Notice(OLDER_ROWS, CHANGED.path, 29, tuple(range(3, 23)), is_doubtful=True, others=others)
    assert [notices_of(shop, one) for one in (refused, loaded, again)] == [[notice], [notice], []]
    assert refused.failure_message == describe_refusal([notice])


def test_a_file_that_is_sorted_newest_first_has_older_rows(shop: Shop) -> None:
    columns = [ACCOUNT, CITY, CHANGED]
    rows = [(1, "Bonn", "2026-03-01"), (1, "Ulm", ""), (1, "Kiel", "2025-03-01"), (1, "Jena", "2025-04-01")]

    job = shop.load(columns, "Account", csv(columns, rows))

    assert notices_of(shop, job) == [Notice(OLDER_ROWS, CHANGED.path, 1, (4,), others=("line 2",))]
    (sentence,) = by_hand.read(shop.store, shop.domain, read_report, job.job_id).notice_sentences()
    assert sentence == (
        "1 row is older than the values that it replaces, according to Attributes.changed (line 4 and line 2). If the "
        "newer values are right, sort the file so that the newest row of a customer is the last one, and leave out "
        "customers who have changed since; if this import has already run, undo it first."
    )


ORDER_LONG = pytest.mark.long(daily="test_other_dates_and_marks_show_the_order_of_the_rows_of_one_file")


@pytest.mark.parametrize(
    ("header", "newer", "older"),
    [
        ("valid_from", "2026-03-01", "2025-03-01"),
        pytest.param("Effective Date", "03/13/2026", "01/13/2026", marks=ORDER_LONG),
        pytest.param("Bestelldatum", "01.03.2026", "01.03.2025", marks=ORDER_LONG),
        ("is_current", "Y", "N"),
        pytest.param("Aktuell", "ja", "nein", marks=ORDER_LONG),
    ],
)
def test_other_dates_and_marks_show_the_order_of_the_rows_of_one_file(
    shop: Shop, header: str, newer: str, older: str
) -> None:
    columns = [ACCOUNT, CITY, Column(header, "Attributes.mark")]
    shop.load(columns, "Account", csv(columns, [(1, "Bonn", newer), (2, "Bonn", newer)]))

    newest_first = shop.load(columns, "Account", csv(columns, [(1, "Ulm", newer), (1, "Bonn", older)]))
    newest_last = shop.load(columns, "Account", csv(columns, [(2, "Bonn", older), (2, "Ulm", newer)]))

    assert notices_of(shop, newest_first) == [Notice(OLDER_ROWS, "Attributes.mark", 1, (3,), others=("line 2",))]
    assert notices_of(shop, newest_last) == []


def customer(number: int, who: int) -> tuple[object, ...]:
    return number, f"p{who}@a.example", f"+1 206 555 {1000 + who}", f"19{50 + who % 40}-01-17"


def test_rows_of_a_file_without_names_that_overwrite_other_customers_are_refused_if_they_are_many(shop: Shop) -> None:
    columns = [ACCOUNT, EMAIL, PHONE, BORN]
    shop.load(columns, "Account", csv(columns, [customer(number, number) for number in range(30)]))
    data = csv(columns, [customer(number, number + 101) for number in range(30)])

    refused = shop.run(shop.create_job(columns, "Account", data, options=JobOptions(doubtful_rows=REFUSE)))
    loaded = shop.load(columns, "Account", data)

    (notice,) = notices_of(shop, loaded)
    assert (notice.code, notice.count, notice.lines) == (OTHER_CUSTOMER_ROWS, 30, tuple(range(2, 22)))
    assert (notice.is_doubtful, notices_of(shop, refused)) == (True, [notice])
    assert refused.failure_message == describe_refusal([notice])


def test_few_rows_count_as_those_of_other_customers_only_if_the_dates_of_birth_differ(shop: Shop) -> None:
    columns = [ACCOUNT, EMAIL, PHONE, BORN]
    shop.load(columns, "Account", csv(columns, [customer(number, number) for number in range(6)]))
    rows = [
        (0, "new@a.example", "", "1950-01-18"),
        # Another address and number; another address and date of birth, but the same number; another address alone.
        (1, "new@b.example", "+1 206 555 2000", ""),
        (2, "new@c.example", "(206) 555-1002", "1950-01-18"),
        (3, "new@d.example", "", ""),
        # The same date and address in another form.
        (4, "P4@a.example", "+1 206 555 2000", "17.01.1954"),
        (5, "", "+1 206 555 2000", "17.01.55"),
    ]

    job = shop.load(columns, "Account", csv(columns, rows))

    notice, without_century = notices_of(shop, job)
    assert (notice.code, notice.lines, notice.is_doubtful) == (OTHER_CUSTOMER_ROWS, (2,), False)
    assert without_century == Notice(DAMAGED_VALUES, BORN.path, 1, (7,))
    assert (
        "but at least two of the email address"
        in by_hand.read(shop.store, shop.domain, read_report, job.job_id).notice_sentences()[0]
    )


def email_rows(form: str, count: int, first: int = 0) -> list[tuple[object, ...]]:
    return [(number, form.format(number), f"Town {number % 7}") for number in range(first, count)]


def test_a_file_of_another_system_that_replaces_nearly_all_email_addresses_is_refused(shop: Shop) -> None:
    columns = [ACCOUNT, EMAIL, CITY]
    shop.load(columns, "Account", csv(columns, email_rows("a{}@a.example", 30)))
    data = csv(columns, [*email_rows("a{}@a.example", 6), *email_rows("b{}@a.example", 40, 6)])

    refused = shop.run(shop.create_job(columns, "Account", data, options=JobOptions(doubtful_rows=REFUSE)))

    (notice,) = notices_of(shop, refused)
    assert (notice.code, notice.path, notice.count) == (OTHER_CUSTOMER_ROWS, EMAIL.path, 24)
    assert (notice.lines, notice.is_doubtful) == (tuple(range(8, 28)), True)
    assert refused.failure_message == describe_refusal([notice])
    (sentence,) = by_hand.read(shop.store, shop.domain, read_report, refused.job_id).notice_sentences()
    assert sentence.startswith("24 rows replace the EmailAddress of their customer, although the value in column")


@pytest.mark.parametrize(
    ("form", "unchanged"),
    [
        # A company has renamed its domain, or fewer than four fifths have changed.
        ("a{}@b.example", 0),
        ("A{}@a.example", 0),
        ("b{}@a.example", 7),
    ],
)
def test_email_addresses_that_change_in_ordinary_files_are_not_counted(shop: Shop, form: str, unchanged: int) -> None:
    columns = [ACCOUNT, EMAIL, CITY]
    shop.load(columns, "Account", csv(columns, email_rows("a{}@a.example", 30)))

    rows = [*email_rows("a{}@a.example", unchanged), *email_rows(form, 30, unchanged)]
    job = shop.load(columns, "Account", csv(columns, rows))

    assert notices_of(shop, job) == []


def test_customers_with_the_same_phone_number_may_all_have_other_email_addresses(shop: Shop) -> None:
    columns = [ACCOUNT, EMAIL, PHONE]
    rows = [customer(number, number)[:3] for number in range(30)]
    shop.load(columns, "Account", csv(columns, rows))

    job = shop.load(columns, "Account", csv(columns, [(key, f"new{key}@b.example", phone) for key, _, phone in rows]))

    assert notices_of(shop, job) == []


def test_many_values_that_would_be_replaced_by_damaged_forms_of_them_are_refused(shop: Shop) -> None:
    columns = [ACCOUNT, CITY, BORN, ROUTE]
    rows = [(number, "Köln", "1985-12-10", f"0{number + 1}") for number in range(30)]
    shop.load(columns, "Account", csv(columns, rows))
    damaged = [(0, "Koln", "1985-10-12", 1), (1, "Kln", "", "02")]
    data = csv(columns, [*damaged, *[(number, "Koln", born, route) for number, _, born, route in rows[2:]]])

    refused = shop.run(shop.create_job(columns, "Account", data, options=JobOptions(doubtful_rows=REFUSE)))
    loaded = shop.load(columns, "Account", data)

    notices = [
        Notice(DAMAGED_VALUES, CITY.path, 30, tuple(range(2, 22)), is_doubtful=True),
        Notice(DAMAGED_VALUES, BORN.path, 1, (2,)),
        Notice(SHORTENED_VALUES, ROUTE.path, 1, (2,)),
    ]
    assert [notices_of(shop, one) for one in (refused, loaded)] == [notices] * 2
    assert refused.failure_message == describe_refusal(notices)
    assert by_hand.read(shop.store, shop.domain, read_report, loaded.job_id).notice_sentences()[1] == (
        "1 row replaces a value of BirthDate by a damaged form of it, or by one that says less (line 2). Examples are "
        "a text without its accents, in capital letters, cut off or masked, a date as a number, without its century or "
        "in another one, -, 0 or 0/0/00, a phone number without its area code, and a whole name as a first name. "
        "Export the values again, or leave the column out; if this import has already run, undo it first."
    )


@pytest.mark.parametrize(
    ("form", "days", "count"),
    [
        ("%Y-%m-%d", -1, 30),
        ("%Y-%m-%dT%H:%M:%SZ", 1, 30),
        ("%d.%m.%Y", 1462, 30),
        ("%m/%d/%Y", -1, 30),
        ("%d/%m/%Y", -1462, 30),
        # Corrected by hand, each by other days, and fewer than 20.
        ("%Y-%m-%d", 0, 0),
        ("%Y-%m-%d %H:%M", -1, 0),
    ],
)
def test_dates_of_birth_that_all_move_by_the_same_days_are_refused(
    shop: Shop, form: str, days: int, count: int
) -> None:
    columns, of_all = [ACCOUNT, BORN], 30 if count or not days else 19
    dates = [date(1950, 1, 1) + timedelta(days=341 * number) for number in range(of_all)]
    shop.load(columns, "Account", csv(columns, [(number, f"{one:{form}}") for number, one in enumerate(dates)]))
    moved = [one + timedelta(days=days or 3 + number) for number, one in enumerate(dates)]
    data = csv(columns, [(number, f"{one:{form}}") for number, one in enumerate(moved)])

    refused = shop.run(shop.create_job(columns, "Account", data, options=JobOptions(doubtful_rows=REFUSE)))

    found = [(one.code, one.path, one.count, one.is_doubtful) for one in notices_of(shop, refused)]
    assert found == [(DAMAGED_VALUES, BORN.path, count, True)][: bool(count)]


def test_places_in_capitals_are_counted_without_a_question_and_codes_are_not(shop: Shop) -> None:
    columns = [ACCOUNT, CITY, ROUTE]
    shop.load(columns, "Account", csv(columns, [(number, "New Haven", "Gold") for number in range(30)]))

    capitals = shop.load(columns, "Account", csv(columns, [(number, "NEW HAVEN", "GOLD") for number in range(30)]))
    back = shop.load(columns, "Account", csv(columns, [(number, "New Haven", "Gold") for number in range(30)]))

    assert notices_of(shop, capitals) == [Notice(DAMAGED_VALUES, CITY.path, 30, tuple(range(2, 22)))]
    assert notices_of(shop, back) == []


def test_values_of_standard_fields_that_say_less_are_counted_and_refused_but_not_attributes(shop: Shop) -> None:
    columns = [ACCOUNT, CITY, PHONE, ROUTE]
    stored = [(number, "Berlin", f"+1 206-555-01{number:02}", "7 North") for number in range(30)]
    shop.load(columns, "Account", csv(columns, stored))
    data = csv(columns, [(number, "-", f"555-01{number:02}", "-") for number in range(30)])

    refused = shop.run(shop.create_job(columns, "Account", data, options=JobOptions(doubtful_rows=REFUSE)))

    assert refused.status == "FAILED"
    assert [(one.code, one.path, one.count, one.is_doubtful) for one in notices_of(shop, refused)] == [
        (DAMAGED_VALUES, CITY.path, 30, True),
        (DAMAGED_VALUES, PHONE.path, 30, True),
    ]


def test_whole_numbers_with_a_decimal_point_are_counted_in_a_first_load_too_but_not_as_attributes(shop: Shop) -> None:
    columns = [ACCOUNT, ZIP, ROUTE]
    shop.load(columns, "Account", csv(columns, [("a", "01067", "7")]))
    data = csv(columns, [("b", "10115.0", "100.0"), ("c", "99084", "200.0"), ("d", "1.0", ""), ("e", "20095.0", "")])

    first = shop.load(columns, "Account", data)
    # Numbers without zeros are counted in this field, and each only once.
    second = shop.load(columns, "Account", csv(columns, [("a", "1067.0", "7")]))

    assert notices_of(shop, first) == [Notice(SHORTENED_VALUES, ZIP.path, 2, (2, 5))]
    assert notices_of(shop, second) == [Notice(SHORTENED_VALUES, ZIP.path, 1, (2,))]


def test_rows_whose_names_are_in_each_others_columns_are_counted(shop: Shop) -> None:
    columns = [ACCOUNT, Column("First", "FirstName"), Column("Last", "LastName")]
    firsts, lasts = ("Ana", "Ben", "Cleo", "Thomas"), ("Miller", "Rao", "Okafor", "Thomas")
    rows = [(number, firsts[number % 4], lasts[number // 4 % 4]) for number in range(256)]
    # Thomas is both, Dora and Swift are neither, and a name without the other one shows nothing.
    rows += [
        (570, "Miller", "Ana"),
        (571, "RAO", "ben"),
        (572, "Thomas", "Ana"),
        (573, "Swift", "Dora"),
        (574, "Miller", ""),
    ]
    data = csv(columns, rows)

    job = shop.load(columns, "Account", data)
    strict = shop.load(columns, "Account", data, strict=True)
    without_others = shop.load(columns, "Account", csv(columns, [(900, "Miller", "Ana")]))

    (notice,) = [one for one in notices_of(shop, job) if one.code == REVERSED_NAME_ROWS]
    assert (notice.count, notice.lines, notice.is_doubtful) == (2, (258, 259), False)
    assert notices_of(shop, strict) == notices_of(shop, without_others) == []


def test_names_are_compared_in_all_rows_of_a_large_file_if_some_show_it(shop: Shop) -> None:
    columns = [ACCOUNT, Column("First", "FirstName"), Column("Last", "LastName")]
    # Names are counted in every second row.
    rows = [(number, *(("Miller", "Ana") if number % 700 < 2 else ("Ana", "Miller"))) for number in range(21_000)]

    job = shop.load(columns, "Account", csv(columns, rows))

    assert [(one.code, one.count) for one in notices_of(shop, job)] == [(REVERSED_NAME_ROWS, 60)]


def test_many_rows_that_would_exchange_the_values_of_two_fields_are_refused(shop: Shop) -> None:
    columns = [ACCOUNT, CITY, ZIP, ROUTE]
    rows = [(number, "Ulm", 89000 + number, "x") for number in range(30)]
    shop.load(columns, "Account", csv(columns, rows))
    exchanged = [ACCOUNT, Column(CITY.header, ZIP.path), Column(ZIP.header, CITY.path), ROUTE]
    data = csv(columns, [*rows[:29], (29, "Bonn", 89029, "x")])

    refused = shop.run(shop.create_job(exchanged, "Account", data, options=JobOptions(doubtful_rows=REFUSE)))
    loaded = shop.load(exchanged, "Account", data)
    again = shop.load(exchanged, "Account", data)

    notices = [
        Notice(EXCHANGED_VALUES, path, 29, tuple(range(2, 22)), is_doubtful=True) for path in (ZIP.path, CITY.path)
    ]
    assert [notices_of(shop, one) for one in (refused, loaded, again)] == [notices, notices, []]
    assert refused.failure_message == describe_refusal(notices)
    (sentence, _) = by_hand.read(shop.store, shop.domain, read_report, loaded.job_id).notice_sentences()
    assert sentence.startswith(
        "29 rows exchange the value of a field, Address.PostalCode, with that of another one (line"
    )


def test_fields_of_few_values_may_exchange_them(shop: Shop) -> None:
    columns = [ACCOUNT, Column("Email wanted", "Attributes.email"), Column("Calls wanted", "Attributes.calls")]
    shop.load(columns, "Account", csv(columns, [(number, "yes", "no") for number in range(30)]))

    job = shop.load(columns, "Account", csv(columns, [(number, "no", "yes") for number in range(30)]))

    assert (job.updated_count, notices_of(shop, job)) == (30, [])


def test_many_rows_that_would_give_customers_the_values_of_others_are_refused(shop: Shop) -> None:
    columns = [ACCOUNT, PHONE, STREET, ZIP]
    rows = [(number, f"+1206555{number * 37 % 100:04}", f"{number * 7 % 30} Elm", 98101) for number in range(30)]
    shop.load(columns, "Account", csv(columns, rows))
    # The phone numbers were sorted alone, and the streets have moved by a row.
    phones = sorted(row[1] for row in rows)
    streets = [*(row[2] for row in rows[1:]), "1 New"]
    data = csv(columns, zip(range(30), phones, streets, [98101] * 30, strict=True))

    preview = shop.preview(shop.create_job(columns, "Account", data, start=False))
    refused = shop.run(shop.create_job(columns, "Account", data, options=JobOptions(doubtful_rows=REFUSE)))
    loaded = shop.load(columns, "Account", data)
    again = shop.load(columns, "Account", data)

    changed = [line for line, (row, phone) in enumerate(zip(rows, phones, strict=True), start=2) if row[1] != phone]
    notices = [
        Notice(TAKEN_VALUES, PHONE.path, len(changed), tuple(changed[:20]), is_doubtful=True),
        Notice(TAKEN_VALUES, STREET.path, 29, tuple(range(2, 22)), is_doubtful=True),
    ]
    assert [notices_of(shop, one) for one in (preview, refused, loaded, again)] == [notices] * 3 + [[]]
    assert refused.failure_message == describe_refusal(notices)
    (_, sentence) = by_hand.read(shop.store, shop.domain, read_report, loaded.job_id).notice_sentences()
    assert sentence.startswith(
        "29 rows give their customers a value of Address.Address1 that another customer of the file had before (lines 2"
    )


def test_a_column_that_was_sorted_alone_is_seen_in_a_large_file(shop: Shop) -> None:
    columns = [ACCOUNT, BORN, CITY]
    rows = [(number, f"19{number % 61 + 30}-{number % 12 + 1:02}-{number % 28 + 1:02}", "x") for number in range(9_000)]
    shop.load(columns, "Account", csv(columns, rows))
    days = sorted(row[1] for row in rows)

    job = shop.load(columns, "Account", csv(columns, zip(range(9_000), days, ["x"] * 9_000, strict=True)))

    (notice,) = notices_of(shop, job)
    assert (notice.code, notice.path, notice.is_doubtful) == (TAKEN_VALUES, BORN.path, True)
    assert notice.count == sum(row[1] != day for row, day in zip(rows, days, strict=True))


def test_new_values_and_those_of_few_kinds_are_not_those_of_other_customers(shop: Shop) -> None:
    position = Column("No.", "Attributes.position")
    columns = [ACCOUNT, PHONE, STREET, CITY, ZIP, position]
    # Two of a household each; the customers of some cities move among them.
    rows = [
        (number, f"+1206555{number // 2:04}", f"{number // 2} Elm", f"c{number % 9}", 98000 + number % 40, number)
        for number in range(400)
    ]
    shop.load(columns, "Account", csv(columns, rows))
    moved = [
        (
            number,
            f"+1425555{number:04}" if number % 3 else phone,
            f"{number} Oak" if number % 2 else street,
            f"c{(number + number // 7) % 9}",
            98000 + number * number % 40 if number % 5 == 0 else code,
            # A list whose order has changed.
            (position + 1) % 400,
        )
        for number, phone, street, _, code, position in rows
    ]

    sorted_again = shop.load(columns, "Account", csv(columns, reversed(rows)))
    updated = shop.load(columns, "Account", csv(columns, moved))

    assert (sorted_again.unchanged_count, notices_of(shop, sorted_again)) == (400, [])
    assert (updated.updated_count, notices_of(shop, updated)) == (400, [])


def test_several_rows_of_a_customer_may_have_values_in_turn(shop: Shop) -> None:
    columns = [ACCOUNT, STREET]
    data = csv(columns, [(number // 2, f"{number} Elm") for number in range(100)])
    shop.load(columns, "Account", data)

    again = shop.load(columns, "Account", data)

    assert (again.unchanged_count, notices_of(shop, again)) == (100, [])


@pytest.mark.long(daily="test_all_rows_of_a_large_file_are_compared_if_some_lose_their_zeros")
def test_damage_in_any_twentieth_of_a_long_file_is_seen(shop: Shop) -> None:
    columns = [ACCOUNT, ZIP, *(Column(f"c{number}", f"Attributes.c{number}") for number in range(18))]
    rows = [(number, f"0{1000 + number}", *(["x"] * 18)) for number in range(4_000)]
    shop.load(columns, "Account", csv(columns, rows))
    rows[1_000:1_200] = [(number, f"{1000 + number}", *(["x"] * 18)) for number in range(1_000, 1_200)]

    job = shop.load(columns, "Account", csv(columns, rows))

    assert [(notice.code, notice.count) for notice in notices_of(shop, job)] == [(SHORTENED_VALUES, 200)]


def households(count: int) -> list[tuple[object, ...]]:
    return [(number, f"{number} Elm St", f"Apt {number}", "Austin", "TX", 78701) for number in range(count)]


def test_addresses_that_become_half_old_and_half_new_are_counted(shop: Shop) -> None:
    whole = [ACCOUNT, STREET, UNIT, CITY, STATE, ZIP]
    shop.load(whole, "Account", csv(whole, households(9)))
    columns = [ACCOUNT, STREET, UNIT, CITY]
    rows = [(number, f"{number + 100} Oak St", "" if number else "B", "Seattle") for number in range(9)]
    # A customer who moves twice.
    data = csv(columns, [*rows, (9, "1 Elm St", "Apt 9", "Austin"), (9, "2 Oak St", "", "Seattle")])

    strict = shop.preview(shop.create_job(columns, "Account", data, start=False), strict=True)
    job = shop.load(columns, "Account", data)
    again = shop.load(columns, "Account", data)

    assert notices_of(shop, strict) == notices_of(shop, again) == []
    assert notices_of(shop, job) == [
        Notice(MIXED_ADDRESSES, UNIT.path, 9, (*range(3, 11), 12)),
        Notice(MIXED_ADDRESSES, STATE.path, 9, tuple(range(2, 11))),
        Notice(MIXED_ADDRESSES, ZIP.path, 9, tuple(range(2, 11))),
    ]
    with shop.reading() as session:
        report = read_report(session, job.job_id)
    assert report.notice_sentences()[1] == (
        "9 rows change the street and the city or postal code of an address, but have no value for Address.State, "
        "which keeps the one of the old address (lines 2, 3, 4, 5, 6, ...). If this is wrong, map the column that is "
        "missing, or load the file with the option that blank cells clear fields; if this import has already run, undo "
        "it first."
    )


def test_addresses_in_another_spelling_and_whole_new_ones_are_not_mixed(shop: Shop) -> None:
    columns = [ACCOUNT, STREET, UNIT, CITY, STATE, ZIP]
    shop.load(columns, "Account", csv(columns, households(12)))
    moved = [(number, f"{number + 100} Oak St", "", "Dallas", "TX", 75201) for number in range(12)]

    # Some have only a new city or a new street, or another spelling, and fewer than five have moved.
    spelled = [(key, f"{key} Elm Street", "", "Bonn", "", 53111) for key in range(4)]
    plus_4 = [(key, f"{key + 50} ELM ST", "", "AUSTIN TX", "", "78701-1234") for key in range(4, 8)]
    respelled = shop.load(columns, "Account", csv(columns, [*spelled, *plus_4, *moved[8:]]))
    cleared = shop.run(shop.create_job(columns, "Account", csv(columns, moved), options=JobOptions(blank_cells=CLEAR)))

    assert [(job.updated_count, notices_of(shop, job)) for job in (respelled, cleared)] == [(12, []), (12, [])]
