"""Rows whose values are probably worse than those that they replace are counted before they are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from load.loading import Shop
from load.oracle import Column
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.job_options import KEEP, OVERWRITE, REFUSE, JobOptions
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.notices import (
    DAMAGED_VALUES,
    EXCHANGED_VALUES,
    OLDER_ROWS,
    OTHER_CUSTOMER_ROWS,
    SHORTENED_VALUES,
    Notice,
    describe_refusal,
)

pytestmark = pytest.mark.daily_on("sqlite")

ACCOUNT = Column("Account", "AccountNumber")
EMAIL = Column("Email", "EmailAddress")
PHONE = Column("Phone", "PhoneNumber")
BORN = Column("Born", "BirthDate")
CITY = Column("City", "Address.City")
CHANGED = Column("Last modified", "Attributes.changed")
ZIP = Column("Zip", "Address.PostalCode")
ROUTE = Column("Route", "Attributes.route ~/1")


def csv(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> bytes:
    lines = [[column.header for column in columns], *rows]
    return "".join(",".join(map(str, line)) + "\n" for line in lines).encode()


def notices_of(shop: Shop, job: UploadJob) -> list[Notice]:
    return read_report(shop.store, shop.domain, job.job_id).notices


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
    (sentence,) = read_report(shop.store, shop.domain, job.job_id).notice_sentences()
    assert sentence == (
        "1 row is older than the values that it replaces, according to Attributes.changed (line 4 and line 2). If the "
        "newer values are right, sort the file by this date, the oldest first, and leave out customers who have "
        "changed since; if this import has already run, undo it first."
    )


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

    (notice,) = notices_of(shop, job)
    assert (notice.code, notice.lines, notice.is_doubtful) == (OTHER_CUSTOMER_ROWS, (2,), False)
    assert (
        "but at least two of the email address"
        in read_report(shop.store, shop.domain, job.job_id).notice_sentences()[0]
    )


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
    assert read_report(shop.store, shop.domain, loaded.job_id).notice_sentences()[1] == (
        "1 row replaces a value of BirthDate by a damaged form of it (line 2): a text without its accents, with "
        "question marks instead of letters or cut off within a word, or a date as a number, with day and month "
        "exchanged or in another century. Export the values again, or leave the column out; if this import has already "
        "run, undo it first."
    )


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
    (sentence, _) = read_report(shop.store, shop.domain, loaded.job_id).notice_sentences()
    assert sentence.startswith(
        "29 rows exchange the value of a field, Address.PostalCode, with that of another one (line"
    )


def test_fields_of_few_values_may_exchange_them(shop: Shop) -> None:
    columns = [ACCOUNT, Column("Email wanted", "Attributes.email"), Column("Calls wanted", "Attributes.calls")]
    shop.load(columns, "Account", csv(columns, [(number, "yes", "no") for number in range(30)]))

    job = shop.load(columns, "Account", csv(columns, [(number, "no", "yes") for number in range(30)]))

    assert (job.updated_count, notices_of(shop, job)) == (30, [])


def test_damage_in_any_twentieth_of_a_long_file_is_seen(shop: Shop) -> None:
    columns = [ACCOUNT, ZIP, *(Column(f"c{number}", f"Attributes.c{number}") for number in range(18))]
    rows = [(number, f"0{1000 + number}", *(["x"] * 18)) for number in range(4_000)]
    shop.load(columns, "Account", csv(columns, rows))
    rows[1_000:1_200] = [(number, f"{1000 + number}", *(["x"] * 18)) for number in range(1_000, 1_200)]

    job = shop.load(columns, "Account", csv(columns, rows))

    assert [(notice.code, notice.count) for notice in notices_of(shop, job)] == [(SHORTENED_VALUES, 200)]
