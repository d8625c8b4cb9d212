"""What a job may write, what blank cells and hand-set fields come to, and how many rows may fail: one example each.

Random files under random policies are compared with a reading row by row in ``test_oracle``.
"""

from __future__ import annotations

import csv
from typing import Any

import pytest

import by_hand
from load.loading import NOW, Shop
from load.oracle import Column
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store.upload_jobs import RowFault, UploadJob
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv
from openprofiles.uploads.job_options import CLEAR, CREATE_ONLY, JUDGE, LOAD, OVERWRITE, REJECT, UPDATE_ONLY, JobOptions
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.jobs import read_file_columns
from openprofiles.uploads.value_checks import ValueCheck

EMAIL = Column("Email", "EmailAddress")
PERSONAL = Column("Personal", "PersonalEmailAddress")
FIRST = Column("First", "FirstName")
TIER = Column("Tier", "Attributes.tier")
COLUMNS = (EMAIL, FIRST, TIER)


def load(shop: Shop, data: bytes, *columns: Column, unique_key: str = "Email", **options: Any) -> UploadJob:
    return shop.run(shop.create_job(columns or COLUMNS, unique_key, data, options=JobOptions(**options)))


def people(shop: Shop) -> list[tuple[str | None, str | None, str | None]]:
    profiles = shop.known().profiles
    return [
        (profile.values.get("EmailAddress"), profile.values.get("FirstName"), profile.attributes.get("tier"))
        for _, profile in sorted(profiles.items())
    ]


def counts(job: UploadJob) -> tuple[int, int, int, int]:
    return job.created_count, job.updated_count, job.unchanged_count, job.failed_count


def codes(shop: Shop, job: UploadJob) -> list[tuple[int, str]]:
    return [(row.record, fault.code) for row in shop.failed_rows(job) for fault in row.faults]


def notices(shop: Shop, job: UploadJob) -> list[tuple[str, int, tuple[int, ...]]]:
    found = by_hand.read(shop.store, shop.domain, read_report, job.job_id).notices
    return [(notice.code, notice.count, notice.lines) for notice in found]


def test_create_only_fails_rows_of_known_customers_and_second_rows_of_new_ones(shop: Shop) -> None:
    load(shop, b"Email,First,Tier\na@x,Ann,gold\n")

    job = load(shop, b"Email,First,Tier\nb@x,Bo,\nA@x,Anna,\nB@x,Bob,\n", write_mode=CREATE_ONLY)

    assert counts(job) == (1, 0, 0, 2)
    assert codes(shop, job) == [(2, "PROFILE_EXISTS"), (3, "PROFILE_EXISTS")]
    assert people(shop) == [("a@x", "Ann", "gold"), ("b@x", "Bo", None)]


def test_update_only_fails_rows_of_unknown_customers(shop: Shop) -> None:
    load(shop, b"Email,First,Tier\na@x,Ann,gold\n")

    job = load(shop, b"Email,First,Tier\nb@x,Bo,\nA@x,Anna,\na@x,,silver\n", write_mode=UPDATE_ONLY)

    assert counts(job) == (0, 2, 0, 1)
    assert codes(shop, job) == [(1, "NO_PROFILE")]
    assert people(shop) == [("a@x", "Anna", "silver")]


def test_a_blank_cell_clears_its_field_where_that_is_asked_for(shop: Shop) -> None:
    load(shop, b"Email,First,Tier\na@x,Ann,gold\nb@x,Bo,\n")

    job = load(shop, b"Email,First,Tier\na@x, ,\nb@x,,\nc@x,,\n", blank_cells=CLEAR)

    assert counts(job) == (1, 2, 0, 0)
    assert people(shop) == [("a@x", None, None), ("b@x", None, None), ("c@x", None, None)]
    assert counts(load(shop, b"Email,First,Tier\na@x,,\nb@x,,\nc@x,,\n", blank_cells=CLEAR)) == (0, 3, 3, 0)


@pytest.mark.parametrize("row", [b"a@x,", b"a@x,\rAnn"], ids=["clean", "odd"])
def test_a_cell_that_the_row_does_not_have_never_clears_its_field(shop: Shop, row: bytes) -> None:
    load(shop, b"Email,First,Tier\na@x,Ann,gold\n")

    job = load(shop, b"Email,First,Tier\n" + row + b"\nb@x,Bo,\n", blank_cells=CLEAR)

    assert counts(job)[1] == 1
    assert people(shop)[0][2] == "gold"


ADDRESSES = b"Email,First,Tier,City\na@x.example,Ann,gold,Rome\nb@x.example,Bo,red\nblue,Oslo\n"


def test_a_row_that_line_breaks_have_broken_fails_in_all_its_parts(shop: Shop) -> None:
    more = b"c@x.example,C\n\ny,1\n2,3\nd@x.example,Di,,\ne@x.example,E\ne,gold,Bonn\nf@x.example,Fay,x\ny,Graz\n"

    job = load(shop, ADDRESSES + more)

    assert codes(shop, job) == [(record, "BROKEN_ROW") for record in (2, 3, 4, 5, 6, 8, 9, 10, 11)]
    assert [first for _, first, _ in people(shop)] == ["Ann", "Di"]


def test_a_broken_row_next_to_a_short_one_is_recognized_by_the_looks_of_its_key(shop: Shop) -> None:
    account = Column("Account", "AccountNumber")
    whole = b"Account,First,Tier,City\n" + b"".join(b"C%d,Ann,gold,Rome\n" % number for number in range(3))
    rows = b"C10,Zed,Main St\nApt 4,Rome\nC11,Bob,High St\nC12,Bo\nC13,Di,red\n"

    job = load(shop, whole + rows, account, FIRST, TIER, unique_key="Account")

    assert codes(shop, job) == [(4, "BROKEN_ROW"), (5, "BROKEN_ROW")]
    assert counts(job) == (6, 0, 0, 2)


def test_short_rows_are_loaded_if_their_keys_look_like_those_of_whole_rows_or_their_cells_are_not_one_row(
    shop: Shop,
) -> None:
    account = Column("Account", "AccountNumber")
    whole = b"Account,First,Tier,City\n" + b"".join(b"C%d,Ann,gold,Rome\n" % number for number in range(3))
    rows = b"C10,Zed,red\nC11,Bo\nC12,Bob,x\n" + b"C3,Cy,gold,Rome\nC13,Zed\nVIP,Bo\n"

    job = load(shop, whole + rows, account, FIRST, TIER, unique_key="Account")

    assert counts(job) == (9, 0, 0, 0)


def test_rows_without_their_last_delimiters_are_loaded_and_counted_with_their_lines(shop: Shop) -> None:
    rows = b"a@x,Ann,gold,Rome\n" + b"".join(b"q%d@x,Q\n" % number for number in range(16)) + b"z@x,Zoe,,\nb@x,Bo\n"

    job = load(shop, b"Email,First,Tier,City\n" + rows)

    assert counts(job) == (19, 0, 0, 0)
    (notice,) = by_hand.read(shop.store, shop.domain, read_report, job.job_id).notices
    assert (notice.code, notice.path, notice.count, notice.lines) == ("ShortRows", None, 17, (*range(3, 19), 20))


def test_a_short_row_is_broken_if_it_is_one_cell_or_the_check_of_its_key_refuses_it(shop: Shop) -> None:
    check = {"field 0": ValueCheck(kind="EMAIL_ADDRESS")}
    rows = b"a@x.example,Ann\nb@x.example,Bo,gold,Oslo\nnot known,Cy\nc@x.example,Cy,,\nd@x.example\n"

    job = load(shop, b"Email,First,Tier,City\n" + rows, checks=check)

    assert codes(shop, job) == [(3, "BROKEN_ROW"), (3, "NOT_AN_EMAIL_ADDRESS"), (5, "BROKEN_ROW")]
    assert counts(job) == (3, 0, 0, 2)


def test_short_rows_are_all_loaded_or_all_rejected_where_that_is_asked_for(shop: Shop) -> None:
    rejected = load(shop, b"Email,First,Tier\na@x,Ann,\nb@x,Bo\n", short_rows=REJECT)
    loaded = load(shop, ADDRESSES, short_rows=LOAD)

    assert codes(shop, rejected) == [(2, "BROKEN_ROW")]
    assert counts(loaded) == (3, 0, 0, 0)


def test_as_aws_reads_a_file_short_rows_are_all_loaded(shop: Shop) -> None:
    job = shop.run(shop.create_job(COLUMNS, "Email", ADDRESSES), strict=True)

    assert counts(job) == (3, 0, 0, 0)
    assert by_hand.read(shop.store, shop.domain, read_report, job.job_id).notices == []


def test_a_part_of_a_broken_row_fails_again_until_it_is_fixed(shop: Shop) -> None:
    job = load(shop, ADDRESSES)
    headers, dialect = by_hand.read(shop.store, shop.domain, read_file_columns, job.job_id)

    file = b"".join(failed_rows_csv(headers, shop.failed_rows(job), dialect))

    assert b'\n,,,,"b@x.example,Bo,red",3,' in file
    assert [code for _, code in codes(shop, load(shop, file))] == ["BROKEN_ROW"] * 2


def test_a_cleared_address_finds_its_customer_no_more(shop: Shop) -> None:
    columns = (EMAIL, PERSONAL, FIRST)
    load(shop, b"Email,Personal,First\na@x,q@x,Ann\n", *columns)

    job = load(shop, b"Email,Personal,First\na@x,,\nq@x,,Quin\n", *columns, blank_cells=CLEAR)

    # Row by row: the first takes q@x away, so the second makes a customer of its own.
    assert counts(job) == (1, 1, 0, 0)
    assert people(shop) == [("a@x", None, None), ("q@x", "Quin", None)]


def test_what_was_set_by_hand_is_overwritten_where_that_is_asked_for_and_is_loaded_from_then_on(shop: Shop) -> None:
    profile = shop.make_profile({"EmailAddress": "a@x", "FirstName": "Ann"}, {}, now=NOW, ingested=True)
    (pid,) = shop.known().profiles
    change = ProfileChange(values={"FirstName": "By hand", "LastName": "Too"}, attributes={"tier": "by hand"})
    by_hand.update_profile(shop.store, shop.name, profile.profile_id, change, NOW)
    kept = load(shop, b"Email,First,Tier\na@x,Anna,silver\n")

    job = load(shop, b"Email,First,Tier\na@x,Anna,\n", hand_set_fields=OVERWRITE)

    assert (counts(kept), counts(job)) == ((0, 1, 1, 0), (0, 1, 0, 0))
    assert people(shop) == [("a@x", "Anna", "by hand")]
    assert shop.known().profiles[pid].origins == {"LastName", "Attributes.tier"}
    assert counts(load(shop, b"Email,First,Tier\na@x,Annabel,\n")) == (0, 1, 0, 0)
    assert people(shop) == [("a@x", "Annabel", "by hand")]


FAILING = b"Email,First,Tier\na@x,Ann,\n,Nobody,\nb@x,Bo,\n,Nemo,\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_failed_records": 1}, "2 rows failed (limit: 1). Nothing was loaded."),
        ({"max_failed_records": 0}, "2 rows failed (limit: 0). Nothing was loaded."),
        ({"max_failed_percent": 49.9}, "2 of 4 rows failed (limit: 49.9%). Nothing was loaded."),
    ],
)
def test_nothing_is_loaded_if_more_rows_fail_than_allowed(shop: Shop, options: dict[str, Any], message: str) -> None:
    job = load(shop, FAILING, **options)

    assert (job.status, job.status_reason, job.failure_message) == ("FAILED", "VALIDATION_FAILURE", message)
    assert (counts(job), job.record_count) == ((0, 0, 0, 2), 4)
    assert people(shop) == []
    assert codes(shop, job) == [(2, "MISSING_UNIQUE_KEY"), (4, "MISSING_UNIQUE_KEY")]


@pytest.mark.parametrize("options", [{"max_failed_records": 2}, {"max_failed_percent": 50.0}])
def test_the_other_rows_are_loaded_if_no_more_fail_than_allowed(shop: Shop, options: dict[str, Any]) -> None:
    job = load(shop, FAILING, **options)

    assert (job.status, counts(job)) == ("PARTIALLY_SUCCEEDED", (2, 0, 0, 2))


def test_rows_that_fail_while_others_are_written_end_the_job_and_keep_what_was_written(shop: Shop) -> None:
    columns = (EMAIL, PERSONAL)
    load(shop, b"Email,Personal\na@x,q@x\n", *columns)
    load(shop, b"Email,Personal\nb@x,\n", *columns)
    (b,) = [pid for pid, profile in shop.known().profiles.items() if profile.values["EmailAddress"] == "b@x"]
    # From the first row on two profiles hold q@x, and whether they do is only known when that row is written.
    data = b"Email,Personal\nb@x,q@x\nq@x,\n"

    started = shop.create_job(columns, "Email", data, options=JobOptions(max_failed_records=0))
    job = shop.run(started, strict=True)

    assert shop.known().profiles[b].values["PersonalEmailAddress"] == "q@x"
    assert (job.status, counts(job)) == ("FAILED", (0, 1, 0, 1))
    assert job.failure_message == "1 row failed (limit: 0). The rows that were already loaded are kept."


def test_a_row_tells_every_check_that_it_does_not_pass(shop: Shop) -> None:
    columns = (
        EMAIL,
        Column("Phone", "PhoneNumber"),
        Column("Born", "BirthDate"),
        Column("Points", "Attributes.p"),
        TIER,
    )
    kinds = {"field 0": "EMAIL_ADDRESS", "field 1": "PHONE_NUMBER", "field 2": "DATE", "field 3": "NUMBER"}
    checks = {name: ValueCheck(kind=kind) for name, kind in kinds.items()}
    checks["field 4"] = ValueCheck(kind="ONE_OF", values=("gold", "silver"))
    data = (
        b"Email,Phone,Born,Points,Tier\n"
        b"ada@example.com,212-555-0101,1985-12-10,5,gold\n"
        b"bob@example.com,,,,\n"
        b"carl,n/a,soon,many,bronze\n"
        b"dora@example.com,,,,bronze\n"
    )

    job = load(shop, data, *columns, checks=checks)

    assert [(row.record, row.faults) for row in shop.failed_rows(job)] == [
        (
            3,
            (
                RowFault("NOT_AN_EMAIL_ADDRESS", "Email", None),
                RowFault("NOT_A_PHONE_NUMBER", "Phone", None),
                RowFault("NOT_A_DATE", "Born", None),
                RowFault("NOT_A_NUMBER", "Points", None),
                RowFault("NOT_ONE_OF", "Tier", None),
            ),
        ),
        (4, (RowFault("NOT_ONE_OF", "Tier", None),)),
    ]
    assert counts(job) == (2, 0, 0, 2)


WIDE = b"Account,First,Tier,City\n" + b"".join(b"C%d,Ann,gold,Rome\n" % number for number in range(20))
ACCOUNT = Column("Account", "AccountNumber")
CITY = Column("City", "Address.City")


def test_rows_with_blank_surplus_cells_are_counted_and_fail_if_their_values_are_in_the_wrong_columns(
    shop: Shop,
) -> None:
    rows = b"C80,Bob,red,Oslo,\nC81,Miller, Jr.,Ana,\nC82,Bob,12,,\nC83,Bo,red,Bonn,,\n"
    columns = (ACCOUNT, FIRST, TIER, CITY)

    job = load(shop, WIDE + rows, *columns, unique_key="Account")
    usual = load(shop, WIDE.replace(b"\n", b",\n").replace(b"City,", b"City"), *columns, unique_key="Account")

    assert codes(shop, job) == [(22, "SHIFTED_CELLS"), (23, "SHIFTED_CELLS")]
    assert notices(shop, job) == [("WideRows", 2, (22, 25))]
    headers, dialect = by_hand.read(shop.store, shop.domain, read_file_columns, job.job_id)
    assert b'\n,,,,"C81,Miller, Jr.,Ana,",23,' in b"".join(failed_rows_csv(headers, shop.failed_rows(job), dialect))
    assert (usual.status, notices(shop, usual)) == ("SUCCEEDED", [])


@pytest.mark.parametrize("for_spreadsheet", [True, False])
def test_rows_that_are_whole_in_their_surplus_fail_for_the_same_reasons_until_they_are_fixed(
    shop: Shop, for_spreadsheet: bool
) -> None:
    def load_rows(data: bytes) -> tuple[UploadJob, bytes]:
        job = load(shop, data, ACCOUNT, FIRST, TIER, CITY, unique_key="Account")
        headers, dialect = by_hand.read(shop.store, shop.domain, read_file_columns, job.job_id)
        parts = failed_rows_csv(headers, shop.failed_rows(job), dialect, for_spreadsheet=for_spreadsheet)
        return job, b"".join(parts)

    rows = b'C80,"Bob" B,red,Oslo\nC81,Miller, Jr.,Ana,\nC82,"Bo\r" B,red,Oslo\nC10,Zed,Main St\nApt 4,Rome\n'
    first, first_file = load_rows(WIDE + rows)

    again, second_file = load_rows(first_file)

    assert [code for _, code in codes(shop, first)] == [
        "MALFORMED_QUOTES", "SHIFTED_CELLS", "MALFORMED_QUOTES", "BROKEN_ROW", "BROKEN_ROW",
    ]  # fmt: skip
    assert [code for _, code in codes(shop, again)] == [code for _, code in codes(shop, first)]
    surplus = [[row[:5] for row in csv.reader(file.decode().splitlines(True))] for file in (first_file, second_file)]
    assert surplus[0] == surplus[1]
    fixed, _ = load_rows(second_file.replace(b"\n,,,,", b"\nC90,Eve,red,Rome,"))
    assert (fixed.created_count, fixed.failed_count) == (1, 0)


def test_rows_with_a_value_that_a_delimiter_has_split_fail_if_others_are_in_the_wrong_columns(shop: Shop) -> None:
    columns = (ACCOUNT, Column("Company", "BusinessName"), CITY, Column("Zip", "Address.PostalCode"), FIRST)
    usual = b"".join(b"C%d,Rao Ltd,Rome,%05d,Ann\n" % (number, number) for number in range(30))
    data = b"Account,Company,City,Zip,First\n" + usual + b"C80,Novak, Inc.,Rome,00187\nC81,Novak, Inc.,00187,Bo\n"

    job = shop.run(shop.create_job(columns, "Account", data))
    strict = shop.run(shop.create_job(columns, "Account", data), strict=True)

    assert (codes(shop, job), notices(shop, job)) == ([(31, "SHIFTED_CELLS")], [("SplitValueRows", 1, (33,))])
    assert (strict.failed_count, notices(shop, strict)) == (0, [])


def test_rows_in_which_a_cell_was_deleted_fail(shop: Shop) -> None:
    columns = (ACCOUNT, FIRST, CITY, Column("Zip", "Address.PostalCode"))
    usual = b"".join(b"C%d,Ann,Rome,%05d\n" % (number, number) for number in range(30))
    data = b"Account,First,City,Zip\n" + usual + b"C80,Rome,00187,\nC81,Rome,00187\nC82,Bo,Rome,\nC83,Bo,Rome\n"

    job, loaded = (
        shop.run(shop.create_job(columns, "Account", data, options=JobOptions(short_rows=policy)))
        for policy in (JUDGE, LOAD)
    )
    strict = shop.run(shop.create_job(columns, "Account", data), strict=True)

    assert codes(shop, job) == [(31, "SHIFTED_CELLS"), (32, "SHIFTED_CELLS")]
    assert (codes(shop, loaded), strict.failed_count) == ([(31, "SHIFTED_CELLS")], 0)


def test_a_file_in_which_the_columns_change_their_order_is_refused(shop: Shop) -> None:
    columns = (ACCOUNT, FIRST, CITY, Column("Zip", "Address.PostalCode"))
    rows = [b"C%d,Ann,Rome,%05d\n" % (number, number) for number in range(10)]
    rows += [b"C%d,Ann,%05d,Rome\n" % (number, number) for number in range(10, 20)]
    data = b"Account,First,City,Zip\n" + b"".join(rows)

    job = shop.run(shop.create_job(columns, "Account", data))
    strict = shop.run(shop.create_job(columns, "Account", data), strict=True)

    assert (job.status, job.failure_message) == (
        "FAILED",
        "From line 12 on, the columns 'City' and 'Zip' have values like those of other columns before, so the columns "
        "seem to have a different order there. The rows would be loaded into the wrong fields. Split the file at this "
        "line, or put its columns in the same order.",
    )
    assert strict.created_count == 20


def test_a_short_row_whose_key_looks_like_no_other_has_lost_a_delimiter(shop: Shop) -> None:
    rows = b"C80 Zed,red,Rome\nBo,C81,Rome\nC82,Cy\n"

    job = load(shop, WIDE + rows, ACCOUNT, FIRST, TIER, unique_key="Account")
    loaded = load(shop, WIDE + rows, ACCOUNT, FIRST, TIER, unique_key="Account", short_rows=LOAD)

    assert codes(shop, job) == [(21, "BROKEN_ROW"), (22, "BROKEN_ROW")]
    assert notices(shop, job) == [("ShortRows", 1, (24,))]
    assert codes(shop, loaded) == []


def test_a_short_row_before_one_that_is_not_a_row_is_its_first_part(shop: Shop) -> None:
    rows = b"C80,Zed,Main St\nApt 4\nC81,Cy,,\nC82,Bo\nC83,Cy,,\nC84,Di\nHigh St,Oslo\nC85,Ed,,\n"

    job = load(shop, WIDE + rows, ACCOUNT, FIRST, TIER, unique_key="Account")

    assert codes(shop, job) == [(record, "BROKEN_ROW") for record in (21, 22, 26, 27)]


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        (b"Total,,,99\nC3,Bo,,\nCount: 11,,,\nRegion North,,,\n", (22, 24, 25)),
        (b"C80,,,\n", (22,)),
        (b"C80,Bo,,\n", ()),
    ],
)
def test_rows_that_are_probably_not_customers_are_loaded_and_counted(
    shop: Shop, rows: bytes, lines: tuple[int, ...]
) -> None:
    job = load(shop, WIDE + rows, ACCOUNT, FIRST, TIER, CITY, unique_key="Account")

    assert (job.failed_count, notices(shop, job)) == (0, [("SparseRows", len(lines), lines)] if lines else [])


@pytest.mark.parametrize(
    ("end", "lines"),
    [
        (b"Ann,gold,c99@example.co", (22,)),
        (b"Ann,gold,c99@example.co\n", ()),
        (b"Ann,gold,c99@example.com", ()),
        (b"Ann,gold,c99@example.org", ()),
        (b"Ann,gold,c@example.com", (22,)),
    ],
)
def test_a_file_that_may_be_cut_off_in_its_last_key_is_loaded_and_counted(
    shop: Shop, end: bytes, lines: tuple[int, ...]
) -> None:
    rows = b"".join(b"Ann,gold,c%d@example.com\n" % number for number in range(10, 30))

    job = load(shop, b"First,Tier,Email\n" + rows + end)

    assert (job.created_count, notices(shop, job)) == (21, [("CutOffFile", 1, lines)] if lines else [])


def test_rows_with_text_that_was_misread_before_are_loaded_and_counted(shop: Shop) -> None:
    rows = "c1,JÃ¼rgen,KÃ¶ln\nc2,Jürgen,Köln\nc3,J\ufffdrgen,x\n,JÃ¼rgen,no key\nc5,Ann,don’t\n"
    quoted = 'c6,"JÃ¼rgen ""J""",\nc7,Ann,"â€œx"\nc8,Ann,SÃO\n'

    job = load(shop, ("Account,First,City\n" + rows + quoted).encode(), ACCOUNT, FIRST, CITY, unique_key="Account")
    strict = shop.load([ACCOUNT], "Account", b"Account\nJ\xc3\x83\xc2\xbcrgen\n", strict=True)

    assert (notices(shop, job), notices(shop, strict)) == ([("MisreadRows", 4, (2, 4, 7, 8))], [])


def test_rows_with_escaped_text_are_loaded_and_counted(shop: Shop) -> None:
    rows = [
        "c1,O&#39;Neil,",
        "c2,J&uuml;rgen,",
        "c3,,K\\u00f6ln",
        "c4,J%C3%BCrgen,Bonn",
        "c5,R&D,https://x.example/%C3%BC",
    ]
    rows += ["c6,AT&T;,CORP\\u1234", 'c7,<p>&amp;</p>,"{""a"": ""\\u00fc""}"', 'c8,"O&#39;Neil, Jr.",']

    job = load(shop, "\n".join(["Account,First,City", *rows]).encode(), ACCOUNT, FIRST, CITY, unique_key="Account")

    assert notices(shop, job) == [("MisreadRows", 5, (2, 3, 4, 5, 9))]


def test_rows_whose_unique_key_is_unlike_nearly_all_others_are_loaded_and_counted(shop: Shop) -> None:
    header, rows = WIDE.split(b"\n", 1)
    data = header + b"\nint,text,text,text\n" + rows + b"#C19,Bo,red,Oslo\nTotal,,,99\n"

    job = shop.run(shop.create_job([ACCOUNT, FIRST, TIER, CITY], "Account", data))
    strict = shop.run(shop.create_job([ACCOUNT, FIRST, TIER, CITY], "Account", data), strict=True)

    assert (job.created_count, notices(shop, job)) == (
        23,
        [("SimilarKeyRows", 1, (23,)), ("SparseRows", 1, (24,)), ("UnusualKeyRows", 2, (2, 23))],
    )
    assert (strict.failed_count, notices(shop, strict)) == (0, [])


def test_rows_whose_unique_key_is_checked_are_customers_however_little_is_known_of_them(shop: Shop) -> None:
    check = {"field 0": ValueCheck(kind="PATTERN", pattern="[A-Z][0-9]+")}

    job = load(shop, WIDE + b"C80,,,\n", ACCOUNT, FIRST, TIER, CITY, unique_key="Account", checks=check)

    assert (job.status, notices(shop, job)) == ("SUCCEEDED", [])
