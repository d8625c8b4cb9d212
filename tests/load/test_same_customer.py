"""Which profile a row belongs to: the one whose key field itself has the value, or that was given this key."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import pytest

import by_hand
from load.loading import NOW, Place, Shop
from load.oracle import Column
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.job_options import CREATE_ONLY, KEEP, OVERWRITE, REFUSE, JobOptions
from openprofiles.uploads.job_report import JobReport, read_report
from openprofiles.uploads.notices import (
    DAMAGED_VALUES,
    EXCHANGED_NAME_ROWS,
    KEY_FORM_ROWS,
    MAX_LINES,
    OTHER_NAME_ROWS,
    PLACEHOLDER_VALUES,
    SAME_ACCOUNT_ROWS,
    SAME_EMAIL_ROWS,
    SAME_NAME_ROWS,
    SAME_PHONE_ROWS,
    SHARED_KEY_ROWS,
    SHORTENED_VALUES,
    SIMILAR_KEY_ROWS,
    TAKEN_EMAIL_ROWS,
    UNLIKELY_DATES,
    Notice,
    describe_refusal,
    is_doubtful,
)

ACCOUNT = Column("Account", "AccountNumber")
EMAIL = Column("Email", "EmailAddress")
PHONE = Column("Phone", "PhoneNumber")
WORK = Column("Work email", "BusinessEmailAddress")
NAME = Column("First name", "FirstName")
LAST = Column("Last name", "LastName")
STREET = Column("Street", "Address.Address1")
PEOPLE = [b"Ana,Silva", b"Bo,Berg", b"Cy,Cruz", b"Di,Dahl", b"Ed,Ek", b"Flo,Frey", b"Gus,Gray"]
OFFICE = b"Email,First name,Work email\nana@a.example,Ana,office@a.example\noffice@a.example,Desk,\n"


def values_of(shop: Shop) -> list[dict[str, str]]:
    return sorted((profile.values for profile in shop.known().profiles.values()), key=str)


def counts(job: UploadJob) -> tuple[int, int, int, int]:
    return job.created_count, job.updated_count, job.unchanged_count, job.failed_count


def report_of(shop: Shop, job: UploadJob) -> JobReport:
    return by_hand.read(shop.store, shop.domain, read_report, job.job_id)


def test_an_address_in_another_field_does_not_identify_a_customer(shop: Shop) -> None:
    first, second = (shop.load([EMAIL, NAME, WORK], "Email", OFFICE) for _ in range(2))

    assert values_of(shop) == [
        {"EmailAddress": "ana@a.example", "FirstName": "Ana", "BusinessEmailAddress": "office@a.example"},
        {"EmailAddress": "office@a.example", "FirstName": "Desk"},
    ]
    assert (counts(first), counts(second)) == ((2, 0, 0, 0), (0, 2, 2, 0))


@pytest.mark.daily_on("sqlite")
def test_a_strict_server_identifies_a_customer_by_any_field_of_the_key(shop: Shop) -> None:
    job = shop.load([EMAIL, NAME, WORK], "Email", OFFICE, strict=True)

    assert values_of(shop) == [
        {"EmailAddress": "office@a.example", "FirstName": "Desk", "BusinessEmailAddress": "office@a.example"}
    ]
    assert counts(job) == (1, 1, 0, 0)
    assert report_of(shop, job).notices == []


@pytest.mark.daily_on("sqlite")
def test_a_phone_of_a_household_does_not_identify_those_who_share_it(shop: Shop) -> None:
    columns = [PHONE, Column("Home", "HomePhoneNumber"), NAME]
    data = b"Phone,Home,First name\n(202) 555-0101,202 555 0100,Ana\n2025550102,+12025550100,Bo\n202-555-0100,,Home\n"

    first, second = (shop.load(columns, "Phone", data) for _ in range(2))

    assert len(values_of(shop)) == 3
    assert (counts(first), counts(second)) == ((3, 0, 0, 0), (0, 3, 3, 0))


def test_a_row_that_finds_its_profile_by_a_given_key_leaves_the_key_field_as_it_is(shop: Shop) -> None:
    made = shop.make_profile({"EmailAddress": "ana@a.example"}, ingested=True)
    by_hand.add_profile_key(shop.store, shop.name, made.profile_id, "_email", ["ann@a.example"], NOW)

    job = shop.load([EMAIL, NAME], "Email", b"Email,First name\nann@a.example,Ana\nann@a.example,Ana\n")

    assert values_of(shop) == [{"EmailAddress": "ana@a.example", "FirstName": "Ana"}]
    assert counts(job) == (0, 2, 1, 0)


def test_rows_whose_key_stands_in_another_field_of_the_file_are_counted_with_their_lines(shop: Shop) -> None:
    first, second = (shop.load([EMAIL, NAME, WORK], "Email", OFFICE) for _ in range(2))

    assert report_of(shop, first).notices == [Notice(SHARED_KEY_ROWS, "BusinessEmailAddress", 1, (3,))]
    # The second load creates no profile.
    assert report_of(shop, second).notices == []


@pytest.mark.daily_on("sqlite")
def test_values_of_rows_that_are_refused_do_not_count_as_another_field(shop: Shop) -> None:
    shop.make_profile({"EmailAddress": "ana@a.example"}, ingested=True)

    options = JobOptions(write_mode=CREATE_ONLY)
    job = shop.run(shop.create_job([EMAIL, NAME, WORK], "Email", OFFICE, options=options))

    assert counts(job) == (1, 0, 0, 1)
    assert report_of(shop, job).notices == []


def test_rows_whose_key_stands_in_another_field_of_the_store_are_counted_with_what_to_do(shop: Shop) -> None:
    people = b"".join(b"p%d@a.example,P%d\n" % (number, number) for number in range(30))
    shop.load([EMAIL, NAME], "Email", b"Email,First name\n" + people)

    data = b"Work email,First name\nnew@a.example,New\n" + people
    careful = JobOptions(doubtful_rows=REFUSE)
    refused = shop.run(shop.create_job([WORK, NAME], "Work email", data, options=careful))
    job = shop.load([WORK, NAME], "Work email", data)

    report = report_of(shop, job)
    assert counts(job) == (31, 0, 0, 0)
    assert report.notices == [Notice(SHARED_KEY_ROWS, "EmailAddress", 30, tuple(range(3, 23)), is_doubtful=True)]
    # The user can decide before anything is loaded.
    assert (refused.failure_message, counts(refused)) == (describe_refusal(report.notices), (0, 0, 0, 0))
    assert report_of(shop, refused).notices == report.notices
    assert report.notice_sentences() == [
        "30 rows create profiles of their own, although the value in column 'Work email' is also in the field "
        "EmailAddress of another profile (lines 3, 4, 5, 6, 7, ...). If they are the same customers, map column "
        "'Work email' to EmailAddress."
    ]


def test_a_preview_follows_rows_where_the_history_keeps_what_is_replaced(shop: Shop) -> None:
    shop.load([EMAIL], "Email", b"Email\na@x.example\n", strict=True)
    # The second row belongs to the profile that the first one gives its address.
    data = b"Email,Work email\na@x.example,b@x.example\nb@x.example,\n"

    preview = shop.preview(shop.create_job([EMAIL, WORK], "Email", data, start=False), keeps_replaced=True, strict=True)
    job = shop.load([EMAIL, WORK], "Email", data, keeps_replaced=True, strict=True)

    assert counts(preview) == counts(job) == (0, 2, 0, 0)


def people_file(count: int, shift: int, *more: bytes) -> bytes:
    """Return a file of customers with the numbers 1 to ``count``, whose names begin at this one."""
    names = [PEOPLE[(number + shift) % len(PEOPLE)] for number in range(count)]
    rows = [b"%d,%b\n" % (number, name) for number, name in enumerate(names, start=1)]
    return b"Account,First name,Last name\n" + b"".join([*rows, *more])


def test_rows_that_overwrite_customers_with_other_names_are_counted_and_refused_if_they_are_many(shop: Shop) -> None:
    columns = [ACCOUNT, NAME, LAST]
    shop.load(columns, "Account", people_file(30, 0))
    before = shop.known().profiles
    data = people_file(30, 1)
    job = shop.create_job(columns, "Account", data, start=False)

    preview = shop.preview(job)
    refused = shop.run(shop.create_job(columns, "Account", data, options=JobOptions(doubtful_rows=REFUSE)))
    assert shop.known().profiles == before
    loaded = shop.load(columns, "Account", data)
    again = shop.load(columns, "Account", data)

    (notice,) = report_of(shop, loaded).notices
    assert (notice.code, notice.count, notice.lines) == (OTHER_NAME_ROWS, 30, tuple(range(2, 22)))
    assert (notice.is_doubtful, len({*notice.others})) == (True, MAX_LINES)
    assert [report_of(shop, one).notices for one in (preview, refused, again)] == [[notice], [notice], []]
    assert (refused.failure_message, counts(refused)) == (describe_refusal([notice]), (0, 0, 0, 0))


@pytest.mark.daily_on("sqlite")
def test_few_rows_with_other_names_among_many_are_counted_and_loaded(shop: Shop) -> None:
    others = b"".join(b"%d,Hal,Holm\n" % number for number in range(1, 22))
    data = people_file(30, 0, b"1,,\n" * 399, others)
    options = JobOptions(doubtful_rows=REFUSE)

    job = shop.run(shop.create_job([ACCOUNT, NAME, LAST], "Account", data, options=options))

    # 21 of the 420 rows that update a profile are not more than 5 percent.
    assert counts(job) == (30, 420, 399, 0)
    assert [one.count for one in report_of(shop, job).notices if one.code == OTHER_NAME_ROWS] == [21]


@pytest.mark.daily_on("sqlite")
def test_rows_of_one_file_that_share_a_key_are_counted_if_their_names_differ(shop: Shop) -> None:
    family = [b"Ana,Silva", b"Silva,Ana", b"Bo,Berg", b",", b"Bo,", b"Cy,Cruz", b"BO,CRUZ", b"\xc3\x89va,O'Brien"]
    rows = b"".join(b"info@a.example,%b\n" % name for name in [*family, b"EVA,OBrien"])

    job = shop.load([EMAIL, NAME, LAST], "Email", b"Email,First name,Last name\n" + rows)

    others = ("line 3", "line 6", "line 8")
    assert report_of(shop, job).notices == [
        Notice(OTHER_NAME_ROWS, None, 3, (4, 7, 9), others=others),
        Notice(EXCHANGED_NAME_ROWS, None, 1, (3,), others=("line 2",)),
        Notice(DAMAGED_VALUES, "LastName", 1, (8,)),
    ]


@pytest.mark.daily_on("sqlite")
def test_members_of_a_family_are_told_apart_by_their_dates_of_birth(shop: Shop) -> None:
    columns = [EMAIL, NAME, LAST, Column("Born", "BirthDate")]
    header = b"Email,First name,Last name,Born\n"
    shop.load(columns, "Email", header + b"cy@a.example,Cy,Cruz,1980-01-02\n")
    (stored,) = shop.contents().profiles.values()
    # Ana has married. The second Bo has another date of birth, but no other name; Eva has no last name.
    family = [
        b"Ana,Silva,1980-03-04",
        b"Ana,Cruz,04.03.1980",
        b"Bo,Cruz,2010-01-17",
        b"Bo,Cruz,17.01.11",
        b"Eva,,1985-02-03",
    ]
    rows = b"".join(b"ana@a.example,%b\n" % name for name in family)

    job = shop.load(columns, "Email", header + rows + b"cy@a.example,Di,Cruz,12.11.2012\n")

    others = ("line 3", f"profile {stored['profile_id']}")
    assert report_of(shop, job).notices == [Notice(OTHER_NAME_ROWS, None, 2, (4, 7), others=others)]


@pytest.mark.daily_on("sqlite")
def test_many_rows_that_exchange_first_and_last_name_are_refused(shop: Shop) -> None:
    shop.load([ACCOUNT, NAME, LAST], "Account", people_file(30, 0))
    columns = [ACCOUNT, Column(LAST.header, NAME.path), Column(NAME.header, LAST.path)]

    options = JobOptions(doubtful_rows=REFUSE)
    job = shop.run(shop.create_job(columns, "Account", people_file(30, 0), options=options))

    (notice,) = report_of(shop, job).notices
    assert (notice.code, notice.count, notice.is_doubtful) == (EXCHANGED_NAME_ROWS, 30, True)
    assert (job.failure_message, counts(job)) == (describe_refusal([notice]), (0, 0, 0, 0))


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(
    ("policy", "lines", "givers"), [(KEEP, (2, 3, 4), (None, None, None)), (OVERWRITE, (2, 3), (None, 2))]
)
def test_a_name_that_was_edited_by_hand_is_compared_with_each_row_until_a_row_overwrites_it(
    shop: Shop, policy: str, lines: tuple[int, ...], givers: tuple[int | None, ...]
) -> None:
    made = shop.make_profile({"EmailAddress": "ana@a.example", "FirstName": "Ana", "LastName": "Silva"})
    by_hand.add_profile_key(shop.store, shop.name, made.profile_id, "_email", ["all@a.example"], NOW)
    rows = b"all@a.example,Bo,Berg\nana@a.example,Cy,Cruz\nall@a.example,Cy,Cruz\n"
    data = b"Email,First name,Last name\n" + rows

    job = shop.run(shop.create_job([EMAIL, NAME, LAST], "Email", data, options=JobOptions(hand_set_fields=policy)))

    others = tuple(f"line {giver}" if giver else f"profile {made.profile_id}" for giver in givers)
    assert report_of(shop, job).notices == [Notice(OTHER_NAME_ROWS, None, len(lines), lines, others=others)]


@pytest.mark.daily_on("sqlite")
def test_rows_are_compared_by_the_column_of_names_by_the_last_name_alone_or_by_the_business(shop: Shop) -> None:
    company, whole = Column("Company", "BusinessName"), Column("Name", "Attributes.Name")
    data = b"Account,First name,Last name,Name,Company\n1,Ana,Silva,Ana Silva,Acme Inc.\n1,,Acme,Bo Berg,Globex Inc.\n"

    files = [[company], [LAST, company], [NAME, LAST], [whole, company]]
    jobs = [
        shop.load([Column("Account", f"Attributes.key{index}"), *files[index]], "Account", data) for index in range(4)
    ]

    for job in jobs:
        assert report_of(shop, job).notices == [Notice(OTHER_NAME_ROWS, None, 1, (3,), others=("line 2",))]


@pytest.mark.daily_on("sqlite")
def test_a_column_of_whole_names_is_compared_with_the_same_attribute_or_else_with_first_and_last_name(
    shop: Shop,
) -> None:
    whole = Column("Name", "Attributes.Name")
    shop.load([ACCOUNT, NAME, LAST], "Account", people_file(7, 0))
    files = [
        b"".join(b"%d,%b\n" % (number, name) for number, name in enumerate(names, start=1))
        for names in (
            [b"Silva Ana", b"Bo Berg", b"Hal Holm", b"D. Dahl", b"12", b"ida@a.example", b"Gray"],
            [b"Ana Holm", b"Ida Ivers", b"Holm", b"Dahl", b"Ed Ek", b"Flo Frey", b"Gus"],
        )
    ]

    first, second = (shop.load([ACCOUNT, whole], "Account", b"Account,Name\n" + file) for file in files)

    assert [one.lines for one in report_of(shop, first).notices] == [(4,)]
    # "12" and an address are not names, so that nothing is compared.
    assert [one.lines for one in report_of(shop, second).notices] == [(3, 8)]


@pytest.mark.daily_on("sqlite")
def test_a_word_that_many_names_of_the_file_have_is_not_a_word_in_common(shop: Shop) -> None:
    company = Column("Company", "BusinessName")
    files = [
        b"Account,Company\n" + b"".join(b"%d,Wohnpark %d%b\n" % (number, number, kind) for number in range(1, 31))
        for kind in (b"a", b"b", b"b")
    ]

    jobs = [shop.load([ACCOUNT, company], "Account", file) for file in files]

    assert [[one.count for one in report_of(shop, job).notices] for job in jobs] == [[], [30], []]


@pytest.mark.daily_on("sqlite")
def test_rows_with_a_placeholder_or_a_shortened_number_as_their_key_fail_and_keep_their_reason(shop: Shop) -> None:
    tier = Column("Tier", "Attributes.tier")
    data = b"Account,Tier,First name\nNULL,gold,A\nn/a,NULL,B\n4.91512E+11,gold,C\n12E4,NULL ,Null\n"
    columns = [ACCOUNT, tier, NAME]

    job = shop.load(columns, "Account", data)

    assert [(row.line, row.faults[0].code) for row in shop.failed_rows(job)] == [
        (2, "PLACEHOLDER_KEY"),
        (3, "PLACEHOLDER_KEY"),
        (4, "SHORTENED_NUMBER"),
    ]
    # Elsewhere, a placeholder is stored like any other value, but counted. Null and None are names, too.
    (profile,) = shop.known().profiles.values()
    assert (profile.values, profile.attributes) == ({"AccountNumber": "12E4", "FirstName": "Null"}, {"tier": "NULL "})
    assert report_of(shop, job).notices == [Notice(PLACEHOLDER_VALUES, "Attributes.tier", 1, (5,))]
    assert report_of(shop, job).notice_sentences() == [
        "1 row has a placeholder, such as NULL, #N/A or 0/0/00, as the value of Attributes.tier (line 5). It is stored "
        "like any other value; in an existing profile, it replaces the value there. If the customer has no such "
        "value, empty the cell and load the file again; if this import has already run, undo it first."
    ]
    strict = shop.load(columns, "Account", data, strict=True)
    # A placeholder has no key in the index, which all servers share.
    assert [(row.line, row.faults[0].code) for row in shop.failed_rows(strict)] == [
        (2, "PLACEHOLDER_KEY"),
        (3, "PLACEHOLDER_KEY"),
    ]


@pytest.mark.daily_on("sqlite")
def test_what_a_program_left_instead_of_values_is_counted_and_fails_as_a_key(shop: Shop) -> None:
    keys = ["1", "2", "3", "4", "5", "#BEZUG!", "{{id}}", "####", "#6", "\u3003"]
    names = ["#NV", "%FIRST_NAME%", " #REF!", '"\u3003"', "00.00.0000", "Ann", "Ann", "Ann", "Nan", "k.A."]
    data = "Account,First name\n" + "".join(f"{key},{name}\n" for key, name in zip(keys, names, strict=True))

    job = shop.load([ACCOUNT, NAME], "Account", data.encode())
    strict = shop.load([ACCOUNT, NAME], "Account", data.encode(), strict=True)

    assert [(row.line, row.faults[0].code) for row in shop.failed_rows(job)] == [
        (line, "PLACEHOLDER_KEY") for line in (7, 8, 9)
    ]
    assert report_of(shop, job).notices == [Notice(PLACEHOLDER_VALUES, "FirstName", 6, (2, 3, 4, 5, 6, 11))]
    assert (strict.failed_count, report_of(shop, strict).notices) == (0, [])


@pytest.mark.daily_on("sqlite")
def test_numbers_that_a_spreadsheet_has_shortened_are_counted_by_field(shop: Shop) -> None:
    rows = b"1,Ann,4.91512E+11\n2,6.01232E+15,555 0100\n3,12E4,4.9E+11 \n,Bo,4.9E+11\n4,a+E,+4915\n"
    data = b"Account,First name,Phone\n" + rows

    job = shop.load([ACCOUNT, NAME, PHONE], "Account", data)
    strict = shop.load([ACCOUNT, NAME, PHONE], "Account", data, strict=True)

    notices = report_of(shop, job).notices
    assert notices == [
        Notice(SHORTENED_VALUES, "PhoneNumber", 2, (2, 4)),
        Notice(SHORTENED_VALUES, "FirstName", 1, (3,)),
    ]
    sentence = report_of(shop, job).notice_sentences()[1]
    assert "or 49351 instead of 01067 or +49351, as the value of FirstName (line 3)" in sentence
    assert report_of(shop, strict).notices == []


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(("right", "lines"), [(0, range(2, 12)), (1, range(2, 12)), (2, ())])
def test_long_keys_that_nearly_all_end_in_zeros_are_counted(shop: Shop, right: int, lines: Iterable[int]) -> None:
    keys = [f"6012320000{number:05}{'0' * (number % 3 + 1)}" for number in range(10)]
    keys += [f"601232000099999{number + 1}" for number in range(right)]
    data = "Account,First name\n" + "".join(f"{key},Ann\n" for key in [*keys, "1000", "A0000000000000000"])

    job = shop.load([ACCOUNT, NAME], "Account", data.encode())

    assert [notice for notice in report_of(shop, job).notices if notice.code == SHORTENED_VALUES] == (
        [Notice(SHORTENED_VALUES, None, 10, tuple(lines))] if lines else []
    )


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(("rounded", "exact", "count"), [(40, 2, 40), (40, 3, 0), (19, 0, 0)])
def test_long_keys_that_were_nearly_all_rounded_to_floats_are_counted(
    shop: Shop, rounded: int, exact: int, count: int
) -> None:
    keys = [10**18 + 123_456_789_012_345 * number + 7 for number in range(1, 50)]
    keys = [*(int(Decimal(repr(float(key)))) for key in keys[:rounded]), *keys[rounded:][:exact]]
    data = "Account,First name\n" + "".join(f"{key},Ann\n" for key in keys)

    job = shop.load([ACCOUNT, NAME], "Account", data.encode())

    found = [(one.code, one.path, one.count) for one in report_of(shop, job).notices]
    assert found == [(SHORTENED_VALUES, None, count)][:count]


INVISIBLE = "Email,Other,First name\nana@a.example,n/a,Ana\n\u202aAna@\u200ba.example\u00a0,N/A,Ann\n".encode()


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize("strict", [False, True])
def test_characters_that_nobody_sees_in_an_email_address_do_not_count(shop: Shop, strict: bool) -> None:
    columns = [EMAIL, Column("Other", "PersonalEmailAddress"), NAME]

    first, second = (shop.load(columns, "Email", INVISIBLE, strict=strict) for _ in range(2))

    assert values_of(shop) == [
        # As they are in the file.
        {"EmailAddress": "\u202aAna@\u200ba.example\u00a0", "PersonalEmailAddress": "N/A", "FirstName": "Ann"}
    ]
    assert (counts(first), counts(second)) == ((1, 1, 0, 0), (0, 2, 2, 0))
    # A placeholder is a value, but not a key.
    (profile,) = shop.known().profiles.values()
    assert {value for name, value in profile.keys if name == "_email"} == {"ana@a.example"}


def test_rows_that_find_one_profile_by_several_keys_leave_its_own_as_it_is(shop: Shop) -> None:
    made = shop.make_profile({"EmailAddress": "ana@a.example"}, ingested=True)
    for value in ("ann@a.example", "anna@a.example"):
        by_hand.add_profile_key(shop.store, shop.name, made.profile_id, "_email", [value], NOW)
    rows = b"ann@a.example,A\nAna@A.example,B\nanna@a.example,C\nana@a.example,\nANA@a.example,\nann@a.example,D\n"

    job = shop.load([EMAIL, NAME], "Email", b"Email,First name\n" + rows)

    assert values_of(shop) == [{"EmailAddress": "ANA@a.example", "FirstName": "D"}]
    assert counts(job) == (0, 6, 0, 0)


@pytest.mark.daily_on("sqlite")
def test_a_row_that_finds_its_profile_by_a_given_key_replaces_a_placeholder_in_the_field(shop: Shop) -> None:
    made = shop.make_profile({"EmailAddress": "n/a"}, ingested=True)
    by_hand.add_profile_key(shop.store, shop.name, made.profile_id, "_email", ["ana@a.example"], NOW)

    job = shop.load([EMAIL, NAME], "Email", b"Email,First name\nana@a.example,Ana\n")

    assert (values_of(shop), counts(job)) == (
        [{"EmailAddress": "ana@a.example", "FirstName": "Ana"}],
        (0, 1, 0, 0),
    )


CASES = b"Account,First name\ncus_Ab1,Ana\ncus_aB1,Bo\n cus_Ab1 ,Ann\n"


def test_account_numbers_that_differ_in_case_are_different_customers(shop: Shop) -> None:
    first, second = (shop.load([ACCOUNT, NAME], "Account", CASES) for _ in range(2))

    assert values_of(shop) == [
        {"AccountNumber": " cus_Ab1 ", "FirstName": "Ann"},
        {"AccountNumber": "cus_aB1", "FirstName": "Bo"},
    ]
    assert (counts(first), counts(second)) == ((2, 1, 0, 0), (0, 3, 3, 0))


@pytest.mark.daily_on("sqlite")
def test_a_strict_server_compares_account_numbers_without_regard_to_case(shop: Shop) -> None:
    assert counts(shop.load([ACCOUNT, NAME], "Account", CASES, strict=True)) == (1, 2, 0, 0)


@pytest.mark.daily_on("sqlite")
def test_extensions_of_one_number_are_different_customers(shop: Shop) -> None:
    rows = b"".join(b"206 555 0100 ext. %d,P%d\n" % (number, number) for number in range(30))
    shop.load([PHONE, NAME], "Phone", b"Phone,First name\n" + rows)
    others = b"+12065550100 x7,P7\n2065550100#30,New\n2065550100,Desk\n+1-206-555-0100;ext=8,P8\n"

    job = shop.load([PHONE, NAME], "Phone", b"Phone,First name\n" + others)

    assert counts(job) == (2, 2, 0, 0)
    assert shop.profile_count() == 32


IDS = "Id,First name\nA 1,Ana\n A 1\u00a0,Ann\na 1,Bo\n\u00e9,Cy\ne\u0301,Di\n".encode()


def test_blanks_around_a_custom_attribute_and_how_its_letters_are_composed_do_not_count(shop: Shop) -> None:
    columns = [Column("Id", "Attributes.id"), NAME]
    first, second = (shop.load(columns, "Id", IDS) for _ in range(2))

    assert (counts(first), counts(second)) == ((3, 2, 0, 0), (0, 5, 5, 0))


def test_a_strict_server_compares_a_custom_attribute_exactly(shop: Shop) -> None:
    columns = [Column("Id", "Attributes.id"), NAME]
    first, second = (shop.load(columns, "Id", IDS, strict=True) for _ in range(2))

    assert (counts(first), counts(second)) == ((5, 0, 0, 0), (0, 5, 5, 0))
    assert counts(shop.load(columns, "Id", b"Id,First name\nA 1,Ana\n")) == (0, 0, 0, 1)


def test_a_given_key_counts_for_every_row_that_a_search_for_it_finds(shop: Shop) -> None:
    made = shop.make_profile({"AccountNumber": "A-1"}, ingested=True)
    by_hand.add_profile_key(shop.store, shop.name, made.profile_id, "_account", ["cus_ab1"], NOW)

    job = shop.load([ACCOUNT, NAME], "Account", b"Account,First name\ncus_Ab1,Ana\ncus_aB1,Ann\na-1,Bo\n")

    assert values_of(shop) == [
        {"AccountNumber": "A-1", "FirstName": "Ann"},
        {"AccountNumber": "a-1", "FirstName": "Bo"},
    ]
    assert counts(job) == (1, 2, 0, 0)


def test_new_customers_with_the_email_address_of_another_customer_are_counted(shop: Shop) -> None:
    ana = shop.make_profile({"EmailAddress": "ana@a.example"}).profile_id
    shared = b"".join(b"S%d,all@a.example\n" % number for number in range(6))
    rows = b"C1,ANA@a.example\nC2,bo@a.example\nC3,Bo@a.example\nC4,n/a\nC5,n/a\nC2,bo@a.example\nC6,cy@a.example\n"

    first, second = (shop.load([ACCOUNT, EMAIL], "Account", b"Account,Email\n" + rows + shared) for _ in range(2))

    assert report_of(shop, first).notices == [
        Notice(SAME_EMAIL_ROWS, "EmailAddress", 2, (2, 4), others=(f"profile {ana}", "line 3")),
        Notice(PLACEHOLDER_VALUES, "EmailAddress", 2, (5, 6)),
    ]
    assert report_of(shop, first).notice_sentences()[:1] == [
        "2 rows create profiles for customers who probably exist already: another customer has the same EmailAddress "
        f"with a different value in column 'Account' (line 2 and profile {ana}; line 4 and line 3). They are not "
        "merged. If they are the same customers, "
        "use EmailAddress as the unique key, or correct the file."
    ]
    # It creates no customers.
    assert report_of(shop, second).notices == [Notice(PLACEHOLDER_VALUES, "EmailAddress", 2, (5, 6))]


def test_new_customers_with_the_account_number_of_another_customer_are_counted(shop: Shop) -> None:
    ana = shop.make_profile({"EmailAddress": "ana@a.example", "AccountNumber": "C1", "LastName": "Silva"}).profile_id
    shop.make_profile({"EmailAddress": "acme@a.example", "AccountNumber": "C9", "LastName": "Dahl"})
    shared = b"".join(b"s%d@a.example,C8,\n" % number for number in range(6))
    rows = (
        b"ana@b.example,C1,SILVA \nbo@a.example,C2,\nbo@b.example,C2,Berg\ncy@a.example,n/a,\ncy@b.example,n/a,\n"
        b"di@a.example,Silver,\ndi@b.example,Silver,\nbo@a.example,C2,\ned@a.example,c1,\nflo@a.example,C9,Frey\n"
        b"gus@a.example,C7,Gray\nhal@a.example,C7,Holm\n"
    )
    columns = [EMAIL, ACCOUNT, LAST]

    first, second = (shop.load(columns, "Email", b"Email,Account,Last name\n" + rows + shared) for _ in range(2))

    others = (f"profile {ana}", "line 3")
    placeholders = Notice(PLACEHOLDER_VALUES, "AccountNumber", 2, (5, 6))
    assert report_of(shop, first).notices == [
        Notice(SAME_ACCOUNT_ROWS, "AccountNumber", 2, (2, 4), others=others),
        placeholders,
    ]
    assert report_of(shop, first).notice_sentences()[:1] == [
        "2 rows create profiles for customers who probably exist already: another customer has the same AccountNumber "
        f"with a different value in column 'Email' (line 2 and profile {ana}; line 4 and line 3). They are not "
        "merged. If they are the same customers, use AccountNumber as the unique key, or correct the file."
    ]
    assert report_of(shop, second).notices == [placeholders]
    strict = shop.load(columns, "Email", b"Email,Account,Last name\nx@a.example,C1,Silva\n", strict=True)
    assert report_of(shop, strict).notices == []


def test_new_customers_with_the_phone_number_and_name_of_another_customer_are_counted(shop: Shop) -> None:
    silva = {"PhoneNumber": "+1 206 555 0100", "FirstName": "ana", "LastName": "Silva "}
    ana = shop.make_profile({"EmailAddress": "ana@a.example", **silva}).profile_id
    shop.make_profile({"EmailAddress": "al@a.example", "HomePhoneNumber": "2065550107", "LastName": "Silva"})
    shared = b"".join(b"s%d@a.example,2065550108,Max,Muster\n" % number for number in range(6))
    rows = (
        b"ana@b.example,(206) 555-0100, Ana,SILVA\nbo@a.example,2065550101,Bo,Berg\n"
        b"bea@a.example,2065550101,Bea,Berg\nbo@b.example,206-555-0101,BO,berg\ncy@a.example,2065550102,,Cruz\n"
        b"cy@b.example,2065550102,,Cruz\ndi@a.example,n/a,Di,Dahl\ndi@b.example,n/a,Di,Dahl\n"
        b"al@b.example,2065550107,Al,Silva\ned@a.example,2065550103 x1,Ed,Ek\ned@b.example,2065550103 x2,Ed,Ek\n"
        b"bo@a.example,2065550101,Bo,Berg\n"
    )
    columns, header = [EMAIL, PHONE, NAME, LAST], b"Email,Phone,First name,Last name\n"

    first, second = (shop.load(columns, "Email", header + rows + shared) for _ in range(2))

    others = (f"profile {ana}", "line 3")
    placeholders = Notice(PLACEHOLDER_VALUES, "PhoneNumber", 2, (8, 9))
    assert report_of(shop, first).notices == [
        Notice(SAME_PHONE_ROWS, "PhoneNumber", 2, (2, 5), others=others),
        placeholders,
    ]
    assert report_of(shop, first).notice_sentences()[:1] == [
        "2 rows create profiles for customers who probably exist already: another customer has the same PhoneNumber, "
        f"first name and last name with a different value in column 'Email' (line 2 and profile {ana}; line 5 and "
        "line 3). They are not merged. If they are the same customers, correct the values in column 'Email', or use "
        "another unique key."
    ]
    assert report_of(shop, second).notices == [placeholders]
    strict = shop.load(columns, "Email", header + b"x@a.example,2065550100,Ana,Silva\n", strict=True)
    assert report_of(shop, strict).notices == []


def members(count: int, first: int = 0, born: str = "19{}-03-{:02}", street: str = "{} Elm") -> str:
    return "Account,First name,Last name,Born,Street,Zip\n" + "".join(
        f"{first + n},Ana,Silva{n},{born.format(50 + n, n % 28 + 1)},{street.format(n)},98{n:03}\n"
        for n in range(count)
    )


@pytest.mark.daily_on("sqlite")
def test_keys_that_lost_their_zeros_are_seen_though_new_customers_have_lower_numbers(shop: Shop) -> None:
    columns = [ACCOUNT, Column("First", "FirstName"), Column("Last", "LastName")]
    stored = "".join(f"{number:010},Ann{number},Rao\n" for number in range(50_000, 53_500))
    shop.load(columns, "Account", f"Account,First,Last\n{stored}".encode())
    lost = "".join(f"{number},Ann{number},Rao\n" for number in range(50_000, 53_500))
    new = "".join(f"{number},Bea{number},Lee\n" for number in range(10_000, 13_500))

    job = shop.load(columns, "Account", f"Account,First,Last\n{lost}{new}".encode())

    assert [(one.code, one.count) for one in report_of(shop, job).notices] == [(SIMILAR_KEY_ROWS, 3_500)]


def test_a_list_that_was_renumbered_is_counted_by_names_and_dates_of_birth_or_addresses(shop: Shop) -> None:
    columns = [ACCOUNT, NAME, LAST, Column("Born", "BirthDate"), STREET, Column("Zip", "Address.PostalCode")]
    without_dates = [column for column in columns if column.header != "Born"]
    shop.load(columns, "Account", members(30).encode())
    # One customer has no date, and two are new.
    renumbered = members(32, 100, "{1}.03.19{0}", "x").replace("Silva7,8.03.1957", "Silva7,01.01.1957")

    few, others, strict, by_address, by_date = (
        shop.load(some, "Account", data.encode(), strict=is_strict)
        for some, data, is_strict in (
            (columns, members(20, 1_000).replace("Silva3,", "Silba3,"), False),
            (columns, members(30, 2_000, "19{}-04-{:02}"), False),
            (columns, members(30, 3_000), True),
            (without_dates, members(30, 4_000, street="{} ELM"), False),
            (columns, renumbered, False),
        )
    )

    assert [report_of(shop, job).notices for job in (few, others, strict)] == [[], [], []]
    (notice,) = report_of(shop, by_address).notices
    assert (notice.code, notice.path, notice.count) == (SAME_NAME_ROWS, "Address.Address1", 30)
    (notice,) = report_of(shop, by_date).notices
    assert (notice.code, notice.path, notice.count, notice.is_doubtful) == (SAME_NAME_ROWS, "BirthDate", 29, False)
    sentence = report_of(shop, by_date).notice_sentences()[0]
    assert "another customer has the same BirthDate, first name and last name with a different value" in sentence


@pytest.mark.daily_on("sqlite")
def test_values_of_other_customers_are_found_in_a_large_file_if_many_rows_have_one(shop: Shop) -> None:
    people = [
        b"%d,a%d,20655%05d,P,Q\n" % (number, 1 + number % 54_000, 20_000 + number % 54_000) for number in range(60_000)
    ]
    columns, header = (
        [Column("Id", "Attributes.id"), ACCOUNT, PHONE, NAME, LAST],
        b"Id,Account,Phone,First name,Last name\n",
    )

    first = shop.load(columns, "Id", header + b"".join(people))
    second = shop.load(columns, "Id", header + b"".join(b"x%b" % one for one in people[:2_000]))

    for job, count in ((first, 6_000), (second, 2_000)):
        assert [(one.code, one.count) for one in report_of(shop, job).notices] == [
            (SAME_ACCOUNT_ROWS, count),
            (SAME_PHONE_ROWS, count),
            *([(KEY_FORM_ROWS, count)] if job is second else []),
        ]


def test_new_customers_with_nearly_the_number_of_another_customer_are_counted(shop: Shop) -> None:
    numbers = ("00042", "7.0", "cus_Ab1", "815", "1,234", "'0077", "C\u200b5", "3\u202f456", '="099"')
    ids = [shop.make_profile({"AccountNumber": number}, ingested=True).profile_id for number in numbers]
    rows = b"42,Ana\n7,Bo\ncus_aB1,Cy\n815.0,Di\n9,Ed\n09,Ed\n9.0,Ed\nX1,Flo\nx1,Flo\n1000,Gus\n815,Di\n"
    rows += "1234,Ida\n0077,Jo\nc5,Kim\nE\u00ad1,Lu\nE1,Lu\n'006,Max\n6,Max\n2.500,Nia\n2500,Nia\n2.50,Oz\n".encode()
    rows += "3456,Pat\n099,Quin\n4\u00a0567,Ray\n4’567,Ray\n".encode()

    job = shop.load([ACCOUNT, NAME], "Account", b"Account,First name\n" + rows)

    assert counts(job) == (24, 1, 0, 0)
    in_file = ("line 12", "line 6", "line 6", "line 9")
    others = (*(f"profile {one}" for one in ids[:3]), *in_file, *(f"profile {one}" for one in ids[4:7]))
    others += ("line 16", "line 18", "line 20", f"profile {ids[7]}", f"profile {ids[8]}", "line 25")
    lines = (2, 3, 4, 5, 7, 8, 10, 13, 14, 15, 17, 19, 21, 23, 24, 26)
    assert report_of(shop, job).notices == [Notice(SIMILAR_KEY_ROWS, "AccountNumber", 16, lines, others=others)]
    assert report_of(shop, job).notice_sentences() == [
        "16 rows create profiles for customers who probably exist already: the value in column 'Account' differs from "
        "that of another customer only in upper or lower case, leading zeros, zeros after the decimal point, thousands "
        "separators, dashes or blanks, an apostrophe or # before it, the format of a GUID or Salesforce ID, or "
        f"invisible characters (line 2 and {others[0]}; line 3 and {others[1]}; line 4 and "
        f"{others[2]}; line 5 and line 12; line 7 and line 6; ...). They are not merged. If they are the same "
        "customers, write the value the same way everywhere."
    ]
    assert shop.load([ACCOUNT], "Account", b"Account\n0042\n", strict=True).created_count == 1


GUID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
CODES = [
    *(("KD-1200", "KD\u20131200"), ("KD 1300", "KD-1300"), ("KD\u22121400", "KD 1400")),
    *((GUID, f"{{{GUID.upper()}}}"), (GUID.replace("6", "7"), GUID.replace("6", "7").replace("-", ""))),
    *(("001D000000IqhSL", "001D000000IqhSLIAZ"), ("2000", "2000,0"), ("10050,00", "10050"), ("#77", "77")),
]
# Other customers: other numbers, and an ID whose last three characters are not its checksum.
OTHER_CODES = ["KD1200", "KD-120", "2000,5", "20000", "001D000000IqhSLIAA", GUID.replace("6", "5"), "7-7"]


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize("column", [Column("Account", "AccountNumber"), Column("Account", "Attributes.id")])
@pytest.mark.parametrize("is_stored", [False, True])
@pytest.mark.parametrize("turn", [1, -1])
def test_new_customers_with_the_code_of_another_customer_in_another_spelling_are_counted(
    shop: Shop, column: Column, is_stored: bool, turn: int
) -> None:
    firsts, seconds = ([*codes] for codes in list(zip(*CODES, strict=True))[::turn])
    files = [firsts, [*seconds, *OTHER_CODES]] if is_stored else [[*firsts, *seconds, *OTHER_CODES]]

    jobs = [shop.load([column, NAME], "Account", make_file(keys)) for keys in files]

    # "#77" is also an unusual key.
    (notice,) = (notice for notice in report_of(shop, jobs[-1]).notices if notice.code == SIMILAR_KEY_ROWS)
    first = 2 if is_stored else 2 + len(CODES)
    assert notice.count == len(CODES)
    assert notice.lines == tuple(range(first, first + len(CODES)))
    if not is_stored:
        assert notice.others == tuple(f"line {2 + index}" for index in range(len(CODES)))


KEY_FORMS_LONG = pytest.mark.long(daily="test_unique_keys_of_another_form_than_those_stored_are_asked_about")


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(
    ("stored", "new"),
    [
        ("CUST-{}", "{}"),
        pytest.param("{}", "CUST-{}", marks=KEY_FORMS_LONG),
        pytest.param("CUST-{}", "CUST_{}", marks=KEY_FORMS_LONG),
        ("cust{}", "\u0441ust{}"),
        pytest.param("{}", "DE/{}/1", marks=KEY_FORMS_LONG),
    ],
)
def test_unique_keys_of_another_form_than_those_stored_are_asked_about(shop: Shop, stored: str, new: str) -> None:
    columns = [Column("Account", "Attributes.id"), NAME]
    shop.load(columns, "Account", make_file([stored.format(number) for number in range(1001, 1041)]))
    data = make_file([new.format(number) for number in range(1001, 1031)])

    preview = shop.preview(shop.create_job(columns, "Account", data, start=False))
    refused = shop.run(shop.create_job(columns, "Account", data, options=JobOptions(doubtful_rows=REFUSE)))
    shop.load(columns, "Account", data)
    again = shop.load(columns, "Account", data)

    notice = Notice(KEY_FORM_ROWS, "Attributes.id", 30, tuple(range(2, 22)), is_doubtful=True)
    assert [report_of(shop, one).notices for one in (preview, refused, again)] == [[notice], [notice], []]
    assert refused.failure_message == describe_refusal([notice])
    assert report_of(shop, preview).notice_sentences() == [
        "30 rows create profiles, and nearly all values in column 'Account' have another form than those in the "
        "domain, as CUST-1001 and 1001 have (lines 2, 3, 4, 5, 6, ...). If they are the same customers, write the "
        "values the same way everywhere; if this import has already run, undo it first."
    ]


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(
    ("stored", "new"),
    [
        # More customers in the same form; 19 rows; some are found; and keys of several forms, or of none.
        ([str(number) for number in range(1001, 1041)], [str(number) for number in range(20_001, 20_031)]),
        ([str(number) for number in range(1001, 1041)], [f"C-{number}" for number in range(19)]),
        ([str(number) for number in range(1001, 1041)], ["1001", *(f"C-{number}" for number in range(60))]),
        ([str(number) for number in range(1001, 1020)], [f"C-{number}" for number in range(30)]),
        ([str(number) for number in range(1001, 1041)], [f"{'C' * (number % 2)}-{number}" for number in range(40)]),
        ([f"{number}{'-' * (number % 4)}" for number in range(40)], [f"C-{number}" for number in range(40)]),
    ],
)
def test_other_new_unique_keys_are_not_asked_about(shop: Shop, stored: list[str], new: list[str]) -> None:
    columns = [Column("Account", "Attributes.id"), NAME]
    shop.load(columns, "Account", make_file(stored))

    job = shop.load(columns, "Account", make_file(new))

    assert KEY_FORM_ROWS not in [one.code for one in report_of(shop, job).notices]


def make_file(keys: list[str]) -> bytes:
    rows = "".join(f'"{key}",A{number}\n' for number, key in enumerate(keys))
    return f"Account,First name\n{rows}".encode()


def emails_file(*emails: bytes) -> bytes:
    """Return a file of customers with the numbers 1, 2, ... and these addresses."""
    return b"Account,Email\n" + b"".join(b"%d,%b\n" % pair for pair in enumerate(emails, start=1))


def test_many_rows_that_give_customers_the_addresses_of_others_are_counted_and_refused(shop: Shop) -> None:
    emails = [b"p%d@a.example" % number for number in range(30)]
    shop.load([ACCOUNT, EMAIL], "Account", emails_file(*emails))
    before = shop.known().profiles
    id_of = {row["email_address"]: row["profile_id"] for row in shop.contents().profiles.values()}
    data = emails_file(*emails[1:], b"new@a.example")

    preview = shop.preview(shop.create_job([ACCOUNT, EMAIL], "Account", data, start=False))
    options = JobOptions(doubtful_rows=REFUSE)
    refused = shop.run(shop.create_job([ACCOUNT, EMAIL], "Account", data, options=options))
    assert shop.known().profiles == before
    loaded = shop.load([ACCOUNT, EMAIL], "Account", data)
    again = shop.load([ACCOUNT, EMAIL], "Account", data)

    others = tuple(f"profile {id_of[email.decode()]}" for email in emails[1:21])
    notice = Notice(TAKEN_EMAIL_ROWS, "EmailAddress", 29, tuple(range(2, 22)), is_doubtful=True, others=others)
    assert [report_of(shop, one).notices for one in (preview, refused, loaded, again)] == [[notice]] * 3 + [[]]
    assert (refused.failure_message, counts(refused)) == (describe_refusal([notice]), (0, 0, 0, 0))
    assert report_of(shop, loaded).notice_sentences() == [
        "29 rows give their customers the EmailAddress of another customer ("
        + "".join(f"line {line} and {other}; " for line, other in zip(range(2, 7), others, strict=False))
        + "...). If these values belong to the other customers, for example because a column of the file was sorted "
        "alone or has moved by a row, correct the file; if this import has already run, undo it first."
    ]
    strict = shop.load([ACCOUNT, EMAIL], "Account", emails_file(*emails), strict=True)
    assert report_of(shop, strict).notices == []


@pytest.mark.daily_on("sqlite")
def test_an_address_that_is_the_own_one_or_that_of_many_or_stays_is_not_that_of_another_customer(shop: Shop) -> None:
    own = shop.make_profile({"AccountNumber": "1", "BusinessEmailAddress": "ana@a.example"}, ingested=True)
    shop.make_profile({"AccountNumber": "2", "EmailAddress": "bo@a.example"})
    shop.make_profile({"AccountNumber": "3", "EmailAddress": "cy@a.example"}, ingested=True)
    shop.make_profile({"AccountNumber": "4"}, ingested=True)
    other = shop.make_profile({"AccountNumber": "X1", "EmailAddress": "Ana@a.example"}, ingested=True).profile_id
    shop.make_profile({"AccountNumber": "X2", "BusinessEmailAddress": "di@a.example"}, ingested=True)
    for number in range(6):
        shop.make_profile({"AccountNumber": f"Y{number}", "EmailAddress": "all@a.example"}, ingested=True)
    # Its own address in another field; kept, since it was edited by hand; that of many; in another field of another.
    data = emails_file(b"ana@a.example", b"ana@a.example", b"all@a.example", b"di@a.example")

    kept = shop.load([ACCOUNT, EMAIL], "Account", data)
    options = JobOptions(hand_set_fields=OVERWRITE)
    overwritten = shop.run(shop.create_job([ACCOUNT, EMAIL], "Account", data, options=options))

    assert (counts(kept), report_of(shop, kept).notices) == ((0, 4, 1, 0), [])
    (notice,) = report_of(shop, overwritten).notices
    assert (notice.code, notice.lines, notice.is_doubtful) == (TAKEN_EMAIL_ROWS, (3,), False)
    # The first load has given the first profile this address, too.
    assert notice.others[0] in {f"profile {one}" for one in (own.profile_id, other)}


@pytest.mark.daily_on("sqlite")
def test_addresses_of_all_updated_customers_are_looked_up_if_some_belong_to_others(shop: Shop) -> None:
    emails = [b"p%d@a.example" % number for number in range(6_000)]
    shop.load([ACCOUNT, EMAIL], "Account", emails_file(*emails))

    job = shop.load(
        [ACCOUNT, EMAIL], "Account", emails_file(*emails[5:], *emails[:5], b"x@a.example") + b"1,p1@a.example\n"
    )

    assert [(one.code, one.count) for one in report_of(shop, job).notices] == [(TAKEN_EMAIL_ROWS, 6_001)]


OTHER_READINGS = pytest.mark.long(
    daily="tests/load/test_same_customer.py::test_a_phone_number_that_is_read_as_another_one_is_counted"
)


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(
    ("region", "number", "spellings"),
    [
        ("DE", "+49 171 2345678", ["491712345678", "49 (171) 2345678"]),
        ("DE", "+33 6 12 34 56 78", ["33612345678"]),
        pytest.param(
            "DE",
            "+1 206-555-0100",
            ["+1 (0)206-555-0100", "12065550100"],
            marks=OTHER_READINGS,
        ),
        pytest.param(
            "US",
            "2065550100",
            ["001 206-555-0100", "+1 (0)206-555-0100", "1 (0)206 555 0100"],
            marks=OTHER_READINGS,
        ),
        pytest.param(
            "US",
            "+49 171 2345678",
            ["491712345678", "0049 171 2345678"],
            marks=OTHER_READINGS,
        ),
        pytest.param("ES", "612 345 678", ["+34 (0)612345678"], marks=OTHER_READINGS),
        pytest.param("AU", "0412 345 678", ["0061412345678"], marks=OTHER_READINGS),
        ("MX", "55 1234 5678", ["+52 1 55 1234 5678"]),
        pytest.param("US", "+52 55 1234 5678", ["+52 (1) 55 1234 5678"], marks=OTHER_READINGS),
    ],
)
def test_a_phone_number_that_is_read_as_another_one_is_counted(
    place: Place, region: str, number: str, spellings: list[str]
) -> None:
    in_store, in_file = place.open_shop(phone_region=region), place.open_shop(phone_region=region)
    made = in_store.make_profile({"PhoneNumber": number}, ingested=True).profile_id
    rows = "\n".join([*spellings, ""])

    after = in_store.load([PHONE], "Phone", f"Phone\n{rows}".encode())
    along = in_file.load([PHONE], "Phone", f"Phone\n{rows}{number}\n{number} x7\n{number} desk\n".encode())

    count = after.created_count
    (notice,) = report_of(in_store, after).notices
    assert (notice.code, notice.path, notice.count) == (SIMILAR_KEY_ROWS, "PhoneNumber", count)
    assert notice.others[0] == f"profile {made}"
    (notice,) = report_of(in_file, along).notices
    assert (notice.code, notice.count, {*notice.others}) == (SIMILAR_KEY_ROWS, count, {"line 2"})


EARLIER_READINGS = pytest.mark.long(
    daily="tests/load/test_same_customer.py::test_a_phone_number_that_was_read_as_another_one_before_is_counted"
)


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(
    ("region", "stored", "number"),
    [
        ("DE", "491712345678", "0171 2345678"),
        ("DE", "+1 (0)206-555-0100", "+1 206 555 0100"),
        pytest.param("US", "491712345678", "+49 171 2345678", marks=EARLIER_READINGS),
        pytest.param("US", "001 206-555-0100", "2065550100", marks=EARLIER_READINGS),
        pytest.param("US", "+1 (0)206-555-0100", "2065550100", marks=EARLIER_READINGS),
        pytest.param("ES", "+34 (0)612345678", "612345678", marks=EARLIER_READINGS),
        ("US", "+52 1 55 1234 5678", "+52 55 1234 5678"),
    ],
)
def test_a_phone_number_that_was_read_as_another_one_before_is_counted(
    place: Place, region: str, stored: str, number: str
) -> None:
    shop = place.open_shop(phone_region=region)
    shop.make_profile({"PhoneNumber": "+1 206 555 0199", "HomePhoneNumber": stored}, ingested=True)
    shop.make_profile({"PhoneNumber": f"{stored} x7"}, ingested=True)
    first = shop.load([PHONE], "Phone", f"Phone\n{number}\n".encode())
    other = place.open_shop(phone_region=region)
    made = other.make_profile({"PhoneNumber": stored}, ingested=True).profile_id

    job = other.load([PHONE], "Phone", f"Phone\n{number}\n".encode())

    # A number in another field, or one with an extension, is not that of the customer.
    assert report_of(shop, first).notices == []
    notice = Notice(SIMILAR_KEY_ROWS, "PhoneNumber", 1, (2,), others=(f"profile {made}",))
    assert report_of(other, job).notices == [notice]
    assert report_of(other, job).notice_sentences() == [
        "1 row creates a profile for a customer who probably exists already: the phone number in column 'Phone' is "
        "probably that of another customer, written without a + before its country code, with an international prefix "
        "that the country of the domain does not have, with a (0), or with the former 1 of Mexican mobile phones "
        f"(line 2 and profile {made}). They are not merged. If they are the same customer, write the numbers with a + "
        "and the country code everywhere."
    ]


USUAL_NUMBERS = pytest.mark.long(
    daily="tests/load/test_same_customer.py::test_usual_phone_numbers_are_not_taken_for_others"
)


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(
    ("region", "numbers"),
    [
        ("DE", "0171 2345678\n+49 171 2345679\n0151 23456789\n04921 123456\n15123456780\n+1 712 345 6789\n"),
        ("US", "2065550100\n+1 206 555 0101\n12065550102\n011 49 171 2345678\n5550100\n+44 (0)20 7946 0958\n"),
        pytest.param(
            "BR",
            "11987654321\n+55 11 98765-4322\n5511987654323\n(11) 98765-4324\n",
            marks=USUAL_NUMBERS,
        ),
        pytest.param(
            "FR",
            "06 12 34 56 78\n+33 (0)6 12 34 56 79\n33612345670\n0033 6 12 34 56 71\n",
            marks=USUAL_NUMBERS,
        ),
    ],
)
def test_usual_phone_numbers_are_not_taken_for_others(place: Place, region: str, numbers: str) -> None:
    shop = place.open_shop(phone_region=region)

    jobs = [shop.load([PHONE], "Phone", f"Phone\n{numbers}".encode()) for _ in range(2)]

    assert [job.failed_count for job in jobs] == [0, 0]
    assert [report_of(shop, job).notices for job in jobs] == [[], []]


@pytest.mark.daily_on("sqlite")
def test_a_preview_counts_customers_who_probably_exist_already(shop: Shop) -> None:
    tier = Column("Customer", "Attributes.customer")
    job = shop.create_job([tier, EMAIL], "Customer", b"Customer,Email\n1,a@a.example\n01,a@a.example\n", start=False)

    preview = shop.preview(job)

    assert report_of(shop, preview).notices == [
        Notice(SAME_EMAIL_ROWS, "EmailAddress", 1, (3,), others=("line 2",)),
        Notice(SIMILAR_KEY_ROWS, "Attributes.customer", 1, (3,), others=("line 2",)),
    ]


def test_a_row_whose_key_its_profile_does_not_take_is_counted_as_unchanged(shop: Shop) -> None:
    made = shop.make_profile({"FirstName": "Ana"}, ingested=True)
    by_hand.add_profile_key(shop.store, shop.name, made.profile_id, "_account", ["a1"], NOW)

    job = shop.load([ACCOUNT, NAME], "Account", b"Account,First name\na1,Ana\nA1,Ana\n")

    assert values_of(shop) == [{"AccountNumber": "a1", "FirstName": "Ana"}]
    assert counts(job) == (0, 2, 1, 0)


@pytest.mark.parametrize(
    ("count", "created", "expected"), [(19, 19, False), (20, 399, True), (20, 400, False), (5_000, 99_999, True)]
)
def test_the_user_decides_about_twenty_rows_and_more_than_five_percent(
    count: int, created: int, expected: bool
) -> None:
    assert is_doubtful(count, created) == expected


def test_rows_of_one_customer_that_take_turns_are_unchanged_when_the_file_is_loaded_again(shop: Shop) -> None:
    turns = b"Email,First name\nana@a.example,Ana\nbo@a.example,Bo\nANA@a.example,Ann\nana@a.example,Anna\n"

    first, again = (shop.load([EMAIL, NAME], "Email", turns) for _ in range(2))
    changed = shop.load([EMAIL, NAME], "Email", turns + b"ana@a.example,Anne\n")

    assert counts(first) == (2, 2, 0, 0)
    assert counts(again) == (0, 4, 4, 0)
    # The profile is different afterwards, so each row counts by itself.
    assert counts(changed) == (0, 5, 1, 0)


@pytest.mark.daily_on("sqlite")
def test_dates_of_birth_that_are_numbers_or_in_the_future_are_counted(shop: Shop) -> None:
    columns = [ACCOUNT, Column("Born", "BirthDate")]
    year = NOW.year
    dates = [
        "31391",
        "1985-12-10",
        f"10.12.{year + 1}",
        f"{year}-01-02",
        f"12/10/{year + 40} 00:00",
        "",
        "123456",
        "313",
    ]
    data = "Account,Born\n" + "".join(f"{number},{date}\n" for number, date in enumerate(dates)) + ",31391\n"

    job = shop.load(columns, "Account", data.encode())
    strict = shop.load(columns, "Account", data.encode(), strict=True)

    assert report_of(shop, job).notices == [Notice(UNLIKELY_DATES, "BirthDate", 3, (2, 4, 6))]
    assert report_of(shop, job).notice_sentences() == [
        "3 rows have a BirthDate that is the number of a day, such as 31391, in the future, or with day and month "
        "exchanged, compared with other rows (lines 2, 4, 6). Spreadsheets write such dates. It is stored like any "
        "other value. Export the dates again in the form 1985-12-10; if this import has already run, undo it first."
    ]
    assert report_of(shop, strict).notices == []
