"""What a file may be, what is refused as a whole, and what is wrong with single rows: each rule by its name.

Every file here is also read by the oracle, which must agree.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, true

import by_hand
from budgets import IS_LONG
from load import oracle
from load.loading import Shop
from load.oracle import Column, FailedRecord
from openprofiles.errors import InvalidRequest
from openprofiles.store import tables
from openprofiles.store.upload_jobs import RowFault, UploadJob
from openprofiles.uploads.job_options import LOAD, JobOptions
from openprofiles.uploads.job_report import FaultCount, read_report
from openprofiles.uploads.jobs import list_failed_rows, start_job, stop_job
from openprofiles.uploads.reading.file_form import STRICT_OPTIONS, FileOptions
from openprofiles.uploads.reading.records import MAX_RECORD_BYTES

EMAIL = Column("Email", "EmailAddress")
FIRST = Column("First", "FirstName")
COLUMNS = (EMAIL, FIRST)
BOM = b"\xef\xbb\xbf"

# How a file is read does not depend on the engine.
pytestmark = pytest.mark.parametrize("place", ["sqlite"], indirect=True)


def load(shop: Shop, data: bytes, *columns: Column, block_bytes: int | None = None) -> UploadJob:
    """Load the file, by the first of the columns; the job at its end."""
    used = columns or COLUMNS
    expected = shop.known()
    job = shop.load(used, used[0].header, data, block_bytes=block_bytes)
    outcome = oracle.load(expected, shop.oracle_job(job, used, used[0]), data)
    assert (job.status, job.status_reason) == (outcome.status, outcome.reason)
    assert shop.failed_records(job) == outcome.failed
    assert (job.created_count, job.updated_count) == (outcome.created_count, outcome.updated_count)
    assert job.unchanged_count == outcome.settled_count
    assert shop.repeated_rows(job) == outcome.repeated
    return job


def rows(shop: Shop) -> list[tuple[str | None, ...]]:
    """E-mail and first name of the profiles, in the order in which they were made."""
    profiles = shop.known().profiles
    return [
        (profiles[pid].values.get("EmailAddress"), profiles[pid].values.get("FirstName")) for pid in sorted(profiles)
    ]


def failures(shop: Shop, job: UploadJob) -> list[tuple[int, int, str]]:
    return [(row.record, row.line, fault.code) for row in shop.failed_rows(job) for fault in row.faults]


def notices(shop: Shop, job: UploadJob) -> list[tuple[str, int, tuple[int, ...]]]:
    report = by_hand.read(shop.store, shop.domain, read_report, job.job_id)
    return [(notice.code, notice.count, notice.lines) for notice in report.notices]


def assert_refused(shop: Shop, job: UploadJob, *words: str) -> None:
    """The file was refused as a whole: nothing written, nothing counted, nothing left, and the reason told."""
    assert (job.status, job.status_reason) == ("FAILED", "VALIDATION_FAILURE")
    assert job.failure_message is not None
    for word in words:
        assert word in job.failure_message
    assert (job.created_count, job.updated_count, job.failed_count) == (0, 0, 0)
    assert shop.known().profiles == {}
    assert shop.failed_rows(job) == []
    assert shop.place.left_files(job) == []


# The file as a whole


def test_an_empty_file_is_refused(shop: Shop) -> None:
    assert_refused(shop, load(shop, b""), "empty")


@pytest.mark.parametrize("data", [b"\n", b"\r\n \n\t\n", BOM, BOM + b"\n\n"])
def test_a_file_of_blank_lines_has_no_header_and_is_refused(shop: Shop, data: bytes) -> None:
    assert_refused(shop, load(shop, data), "header")


@pytest.mark.parametrize(
    "data", [b"Email,First", b"Email,First\n", b"Email,First\r\n\r\n  \n", BOM + b"\nEmail,First\n"]
)
def test_a_file_with_a_header_alone_is_refused(shop: Shop, data: bytes) -> None:
    assert_refused(shop, load(shop, data), "no rows")


def test_a_file_without_a_mapped_column_is_refused_and_the_column_named(shop: Shop) -> None:
    assert_refused(shop, load(shop, b"Email,Name\na@x,Ann\n"), "'First'", "no column")


def test_headers_match_exactly_upper_and_lower_case_and_blanks_too(shop: Shop) -> None:
    assert_refused(shop, load(shop, b"email,First\na@x,Ann\n"), "'Email'")
    assert_refused(shop, load(shop, b"Email, First\na@x,Ann\n"), "'First'")


def test_a_mapped_header_that_stands_twice_is_refused_and_the_column_named(shop: Shop) -> None:
    assert_refused(shop, load(shop, b"Email,First,First\na@x,Ann,Bo\n"), "2 columns", "'First'")


def test_an_unmapped_header_may_stand_twice_or_be_empty(shop: Shop) -> None:
    job = load(shop, b"note,Email,note,,First,\n1,a@x,2,3,Ann,4\n")

    assert job.status == "SUCCEEDED"
    assert rows(shop) == [("a@x", "Ann")]


def test_a_header_that_is_not_utf8_is_refused(shop: Shop) -> None:
    assert_refused(shop, load(shop, b"Email,First,Stra\xdfe\na@x,Ann,B\n"), "UTF-8")


def test_a_file_of_two_byte_characters_that_is_to_be_read_as_utf_8_is_refused_with_a_hint(shop: Shop) -> None:
    assert_refused(shop, load(shop, "Email,First\na@x,Ann\n".encode("utf-16-le")), "NUL", "encoding")


def test_a_header_with_a_misplaced_quote_is_refused(shop: Shop) -> None:
    assert_refused(shop, load(shop, b'Email,"First"x\na@x,Ann\n'), "quote", "header")


def test_a_header_of_more_than_one_mebibyte_is_refused(shop: Shop) -> None:
    assert_refused(shop, load(shop, b"Email,First," + b"x" * MAX_RECORD_BYTES + b"\na@x,Ann\n"), "1 MiB")


def test_a_refused_header_tells_what_the_file_was_read_as(shop: Shop) -> None:
    assert_refused(shop, load(shop, b"Email,First\ra@x,Ann\rb@x,Bo\n,\n"), "read as: utf-8, commas, LF")


@pytest.mark.parametrize("block_bytes", [None, 16])
def test_a_quote_that_is_never_closed_refuses_the_file_and_names_its_line(shop: Shop, block_bytes: int | None) -> None:
    data = b'Email,First\na@x,"Ann\nof two lines"\n\nb@x,"Bo\nc@x,Cy\nd@x,Di\n'

    assert_refused(shop, load(shop, data, block_bytes=block_bytes), "line 5")


def test_an_unclosed_quote_at_the_end_of_the_file_names_its_line(shop: Shop) -> None:
    assert_refused(shop, load(shop, b'Email,First\na@x,Ann\nb@x,"'), "line 3")


def test_an_unclosed_quote_in_the_header_names_its_line(shop: Shop) -> None:
    assert_refused(shop, load(shop, b'\nEmail,"First\na@x,Ann\n'), "line 2")


def test_a_job_whose_rows_all_fail_has_failed_and_reports_each_row(shop: Shop) -> None:
    job = load(shop, b"Email,First\n,Ann\n,Bo\n")

    assert (job.status, job.status_reason, job.record_count, job.failed_count) == ("FAILED", "VALIDATION_FAILURE", 2, 2)
    assert shop.failed_records(job) == [
        FailedRecord(1, 2, (("MISSING_UNIQUE_KEY", "Email"),), b",Ann"),
        FailedRecord(2, 3, (("MISSING_UNIQUE_KEY", "Email"),), b",Bo"),
    ]
    assert rows(shop) == []
    assert shop.place.left_files(job) == []


# Records and lines


def test_a_byte_order_mark_is_no_part_of_the_first_header(shop: Shop) -> None:
    assert load(shop, BOM + b"Email,First\na@x,Ann\n").status == "SUCCEEDED"


def test_a_byte_order_mark_before_a_quoted_header_is_skipped(shop: Shop) -> None:
    assert load(shop, BOM + b'"Email","First"\n"a@x","Ann"\n').status == "SUCCEEDED"


def test_what_joining_files_leaves_is_no_part_of_a_value(shop: Shop) -> None:
    data = BOM + BOM + b"Email,First\na@x,Ann\n\x1a" + BOM + b'"b@x",Bo\nc@x,Cy\x1a\r\n\x1a'

    job = load(shop, data)

    assert (job.status, rows(shop)) == ("SUCCEEDED", [("a@x", "Ann"), ("b@x", "Bo"), ("c@x", "Cy")])


def test_as_aws_reads_a_file_a_byte_order_mark_in_the_middle_is_data(shop: Shop) -> None:
    shop.load([EMAIL, FIRST], "Email", b"Email,First\na@x,Ann\n" + BOM + b"b@x,Bo\x1a\n", strict=True)

    assert rows(shop) == [("a@x", "Ann"), ("\ufeffb@x", "Bo\x1a")]


def test_blank_lines_are_skipped_before_the_header_and_after_it_and_count_as_lines(shop: Shop) -> None:
    job = load(shop, b"\n \t\r\nEmail,First\n\na@x,Ann\r\n   \n\t\n,lost\n\n")

    assert rows(shop) == [("a@x", "Ann")]
    assert failures(shop, job) == [(2, 8, "MISSING_UNIQUE_KEY")]


def test_blank_lines_in_a_file_of_one_column_are_no_records_but_quoted_blanks_are(shop: Shop) -> None:
    job = load(shop, b'Email\na@x\n\n""\n \nb@x\n', EMAIL)

    assert job.record_count == 3
    assert rows(shop) == [("a@x", None), ("b@x", None)]
    assert failures(shop, job) == [(2, 4, "MISSING_UNIQUE_KEY")]


def test_rows_of_delimiters_alone_are_skipped_and_counted_with_their_lines(shop: Shop) -> None:
    job = load(shop, b",\n\nEmail,First\na@x,Ann\n,\n , \r\nb@x,Bo\n,")

    assert rows(shop) == [("a@x", "Ann"), ("b@x", "Bo")]
    assert notices(shop, job) == [("BlankRows", 4, (1, 5, 6, 8))]


def test_rows_that_a_stray_quotation_mark_has_joined_are_counted_with_their_line(shop: Shop) -> None:
    data = b'Email,First,Notes\na@x,Ann,\nb@x,Bo,"the best\nc@x,Cy,\nd@x,Di,55"\n'
    columns = [EMAIL, FIRST, Column("Notes", "AdditionalInformation")]

    job = shop.run(shop.create_job(columns, "Email", data, file=FileOptions()))
    named = shop.load(columns, "Email", data)

    assert notices(shop, job) == [("SwallowedRows", 1, (3,))]
    # The user has named the quotation mark.
    assert notices(shop, named) == []


def test_as_aws_reads_a_file_a_row_of_delimiters_alone_is_a_record(shop: Shop) -> None:
    job = shop.run(shop.create_job(COLUMNS, "Email", b"Email,First\na@x,Ann\n,\n"), strict=True)

    assert failures(shop, job) == [(2, 3, "MISSING_UNIQUE_KEY")]
    assert notices(shop, job) == []


@pytest.mark.parametrize("block_bytes", [None, 11])
def test_line_ends_may_be_mixed_beside_quoted_newlines_and_short_rows(shop: Shop, block_bytes: int | None) -> None:
    data = b'Email,First\r\na@x,"Ann\nB."\nb@x\r\nc@x,"Cy\r\n\r\nD."\r\n\r\nd@x,Di\n,x\r\ne@x,"E"'

    job = load(shop, data, block_bytes=block_bytes)

    assert rows(shop) == [
        ("a@x", "Ann\nB."),
        ("b@x", None),
        ("c@x", "Cy\r\n\r\nD."),
        ("d@x", "Di"),
        ("e@x", "E"),
    ]
    assert failures(shop, job) == [(5, 10, "MISSING_UNIQUE_KEY")]


def test_the_last_line_needs_no_line_end(shop: Shop) -> None:
    load(shop, b"Email,First\na@x,Ann\nb@x,Bo")

    assert rows(shop) == [("a@x", "Ann"), ("b@x", "Bo")]


def test_a_lone_carriage_return_is_data(shop: Shop) -> None:
    load(shop, b'Email,First\na@x,An\rn\nb@x,"B\ro"\nc@x,\rCy\n')

    assert rows(shop) == [("a@x", "An\rn"), ("b@x", "B\ro"), ("c@x", "\rCy")]


def test_many_faulty_rows_between_good_ones_lose_no_good_row(shop: Shop) -> None:
    bad = [b'"x"y,1', b'a"b,"', b"\xff,2", b"n\0,3"]
    lines = [b"Email,First"]
    for number in range(2000):
        lines.append(b"%d@x,Row" % number)
        lines.append(bad[number % 4] if number % 4 != 1 else b'q"%d@x,"a""b"' % number)

    job = load(shop, b"\n".join(lines), block_bytes=5000)

    assert (job.record_count, job.created_count, job.failed_count) == (4000, 2500, 1500)


# Cells


def test_a_quote_inside_an_unquoted_cell_is_data(shop: Shop) -> None:
    load(shop, b'Email,First\na@x,5" disk\nb@x,a"b"c\n')

    assert rows(shop) == [("a@x", '5" disk'), ("b@x", 'a"b"c')]


def test_a_leading_blank_before_a_quote_is_kept_and_the_quote_is_data(shop: Shop) -> None:
    load(shop, b'Email,First\na@x, "Ann"\n')

    assert rows(shop) == [("a@x", ' "Ann"')]


def test_a_quoted_comma_after_a_leading_blank_splits_the_cell(shop: Shop) -> None:
    job = load(shop, b'Email,First\na@x, "Ann,B"\n')

    assert failures(shop, job) == [(1, 2, "TOO_MANY_CELLS")]


def test_text_after_a_closing_quote_fails_its_row_alone(shop: Shop) -> None:
    job = load(shop, b'Email,First\na@x,Ann\nb@x,"Bo"x\nc@x,"Cy" \nd@x,"Di"\n')

    assert rows(shop) == [("a@x", "Ann"), ("d@x", "Di")]
    assert failures(shop, job) == [(2, 3, "MALFORMED_QUOTES"), (3, 4, "MALFORMED_QUOTES")]


def test_values_are_kept_verbatim(shop: Shop) -> None:
    load(shop, 'Email,First\n A@X ,"  ""Ann"", NULL \\N\t"\nb@x,e\u0301 \U0001f600\n'.encode())

    assert rows(shop) == [(" A@X ", '  "Ann", NULL \\N\t'), ("b@x", "e\u0301 \U0001f600")]


def test_a_nul_fails_its_row_alone(shop: Shop) -> None:
    job = load(shop, b"Email,First,note\na@x,Ann,\nb@x,B\0o,\nc@x,Cy,\0\nd@x,Di,\n")

    assert rows(shop) == [("a@x", "Ann"), ("d@x", "Di")]
    assert failures(shop, job) == [(2, 3, "NUL_BYTE"), (3, 4, "NUL_BYTE")]


@pytest.mark.parametrize("bytes_", [b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
def test_bytes_that_are_not_utf8_fail_their_row_alone(shop: Shop, bytes_: bytes) -> None:
    job = load(shop, b'Email,First\na@x,Ann\nb@x,"B' + bytes_ + b'"\nc@x,Cy\n')

    assert rows(shop) == [("a@x", "Ann"), ("c@x", "Cy")]
    assert failures(shop, job) == [(2, 3, "INVALID_UTF8")]


def test_too_few_cells_are_empty_ones(shop: Shop) -> None:
    job = load(shop, b"First,Email,Extra\nAnn,a@x\nBo\n")

    assert rows(shop) == [("a@x", "Ann")]
    assert failures(shop, job) == [(2, 3, "BROKEN_ROW"), (2, 3, "MISSING_UNIQUE_KEY")]
    assert notices(shop, job) == [("ShortRows", 1, (2,))]


@pytest.mark.parametrize("surplus", [b",", b',"", ', b",,,,,,,,,,", b",\xc2\xa0", b',"\n"'])
def test_surplus_cells_that_are_blank_are_ignored(shop: Shop, surplus: bytes) -> None:
    job = load(shop, b"Email,First\na@x,Ann" + surplus + b"\n")

    assert job.status == "SUCCEEDED"
    assert rows(shop) == [("a@x", "Ann")]


@pytest.mark.parametrize("surplus", [b",x", b",,,,x", b",,,,,,,,x", b',"x,y"', b"," * 100_000 + b"x"])
def test_surplus_cells_that_are_not_blank_fail_the_row(shop: Shop, surplus: bytes) -> None:
    job = load(shop, b"Email,First\na@x,Ann" + surplus + b"\nb@x,Bo\n")

    assert rows(shop) == [("b@x", "Bo")]
    assert failures(shop, job) == [(1, 2, "TOO_MANY_CELLS")]


@pytest.mark.parametrize("surplus", [b",x", b",x,,", b",,,,,,,x", b",,,,,,,x,"])
def test_a_row_with_surplus_cells_is_told_which_cell_is_the_last_filled(shop: Shop, surplus: bytes) -> None:
    job = load(shop, b"Email,First\na@x,Ann" + surplus + b"\nb@x,Bo\n")

    assert [row.faults[0].detail for row in shop.failed_rows(job)] == [2 + surplus.index(b"x")]


def test_a_blank_cell_never_overwrites(shop: Shop) -> None:
    load(shop, b"Email,First\na@x,Ann\n")

    job = load(shop, 'Email,First\na@x,\na@x,"  "\nA@X,\u2003\n'.encode())

    assert (job.created_count, job.updated_count) == (0, 3)
    assert rows(shop) == [("A@X", "Ann")]


def test_a_value_may_have_as_many_characters_as_its_field_takes_and_no_more(shop: Shop) -> None:
    more = Column("More", "AdditionalInformation")
    tier = Column("Tier", "Attributes.tier")
    data = "Email,First,More,Tier\n" + "".join(
        f"{number}@x,{'é' * first},{'😀' * info},{'x' * attribute}\n"
        for number, (first, info, attribute) in enumerate([(255, 1000, 255), (256, 1, 1), (1, 1001, 1), (1, 1, 256)])
    )

    job = load(shop, data.encode(), EMAIL, FIRST, more, tier)

    assert [(row.record, *row.faults) for row in shop.failed_rows(job)] == [
        (2, RowFault("VALUE_TOO_LONG", "First", 256)),
        (3, RowFault("VALUE_TOO_LONG", "More", 1001)),
        (4, RowFault("VALUE_TOO_LONG", "Tier", 256)),
    ]
    assert job.created_count == 1


def test_a_value_too_long_in_a_column_that_is_not_mapped_does_not_matter(shop: Shop) -> None:
    assert load(shop, b"Email,First,note\na@x,Ann," + b"x" * 2000 + b"\n").status == "SUCCEEDED"


def test_a_profile_type_that_is_none_fails_its_row(shop: Shop) -> None:
    job = load(shop, b"Email,Type\na@x,PROFILE\nb@x,profile\nc@x,\n", EMAIL, Column("Type", "ProfileType"))

    assert shop.failed_records(job) == [FailedRecord(2, 3, (("VALUE_NOT_ALLOWED", "Type"),), b"b@x,profile")]
    assert job.created_count == 2


def test_a_row_is_told_everything_that_is_wrong_with_it(shop: Shop) -> None:
    kind, tier = Column("Type", "ProfileType"), Column("Tier", "Attributes.tier")
    long, longer = "x" * 256, "y" * 300
    wide = ",".join(["", "", "none", longer, *[""] * 9, "surplus"])
    data = f'Email,First,Type,Tier\n,"{long}",none,ok\na@x,Ann,PROFILE,gold\n  ,Bo,PROFILE,{longer},surplus\n{wide}\n'

    job = load(shop, data.encode(), EMAIL, FIRST, kind, tier)

    assert [(row.record, row.line, row.faults) for row in shop.failed_rows(job)] == [
        (
            1,
            2,
            (
                RowFault("MISSING_UNIQUE_KEY", "Email", None),
                RowFault("VALUE_TOO_LONG", "First", 256),
                RowFault("VALUE_NOT_ALLOWED", "Type", None),
            ),
        ),
        (
            3,
            4,
            (
                RowFault("TOO_MANY_CELLS", None, 5),
                RowFault("MISSING_UNIQUE_KEY", "Email", None),
                RowFault("VALUE_TOO_LONG", "Tier", 300),
            ),
        ),
        (
            4,
            5,
            (
                RowFault("TOO_MANY_CELLS", None, 14),
                RowFault("MISSING_UNIQUE_KEY", "Email", None),
                RowFault("VALUE_NOT_ALLOWED", "Type", None),
                RowFault("VALUE_TOO_LONG", "Tier", 300),
            ),
        ),
    ]
    assert (job.created_count, job.failed_count) == (1, 3)
    assert by_hand.read(shop.store, shop.domain, read_report, job.job_id).fault_counts == [
        FaultCount("MISSING_UNIQUE_KEY", "Email", 3, first_record=1),
        FaultCount("TOO_MANY_CELLS", None, 2, first_record=3),
        FaultCount("VALUE_NOT_ALLOWED", "Type", 2, first_record=1),
        FaultCount("VALUE_TOO_LONG", "Tier", 2, first_record=3),
        FaultCount("VALUE_TOO_LONG", "First", 1, first_record=1),
    ]


def test_failed_rows_are_kept_as_they_stand_in_the_file_and_not_readable_in_the_store(shop: Shop) -> None:
    lines = [b',"two\r\nlines"', b'"a"b,c', b"Ren\xe9,d", b",nul\0", b", lone\rreturn", b'  ,"quo""te"']
    data = b"\xef\xbb\xbfEmail,First\r\n" + b"\r\n\r\n".join([b"a@x,Ann", *lines]) + b"\r\n"

    job = load(shop, data)

    assert [row.content for row in shop.failed_rows(job)] == lines
    with shop.store.read() as connection:
        stored = connection.execute(
            select(tables.failed_row.c.content).where(tables.failed_row.c.upload_job_id == job.job_number)
        ).scalars()
        assert not [one for one in stored for line in lines if line[2:] in one]


def test_a_page_of_failed_rows_has_some_megabytes_however_long_they_are(shop: Shop) -> None:
    note = "x" * 1_000_000
    data = "Email,First,note\n" + "".join(f",{number},{note}\n" for number in range(9)) + "a@x,Ann,\n"
    job = load(shop, data.encode())

    tokens: list[str | None] = [None]
    sizes = []
    while True:
        page = by_hand.read(
            shop.store,
            shop.domain,
            list_failed_rows,
            shop.place.master_key,
            job.job_id,
            max_results=15,
            next_token=tokens[-1],
        )
        sizes.append(len(page.items))
        if page.next_token is None:
            break
        tokens.append(page.next_token)

    assert sizes == [7, 2]


@pytest.mark.parametrize("excess", [0, 1])
def test_a_record_may_have_one_mebibyte_and_no_more(shop: Shop, excess: int) -> None:
    start = b"a@x,Ann,"
    record = start + b"x" * (MAX_RECORD_BYTES - len(start) + excess)

    job = load(shop, b"Email,First,note\n" + record + b"\r\nb@x,Bo,\n")

    assert failures(shop, job) == ([(1, 2, "RECORD_TOO_LONG")] if excess else [])
    assert ("b@x", "Bo") in rows(shop)


def test_a_record_of_one_mebibyte_may_be_made_of_quoted_newlines(shop: Shop) -> None:
    record = b'a@x,Ann,"' + b"\n" * (MAX_RECORD_BYTES - 10) + b'"'

    job = load(shop, b"Email,First,note\n" + record + b"\nb@x,Bo,\n,Cy,\n")

    assert job.created_count == 2
    assert failures(shop, job) == [(3, 4 + MAX_RECORD_BYTES - 10, "MISSING_UNIQUE_KEY")]


@pytest.mark.parametrize(
    "header", ["e.mail", "_source.Email", 'the "mail"', "E,mail", "É-mail 😀", "mail\nbox", " Email ", "'"]
)
def test_a_header_may_hold_any_characters(shop: Shop, header: str) -> None:
    quoted = '"' + header.replace('"', '""') + '"'

    job = load(shop, f"{quoted},First\na@x,Ann\n,Bo\n".encode(), Column(header, "EmailAddress"), FIRST)

    assert rows(shop) == [("a@x", "Ann")]
    assert [row.faults[0].column_name for row in shop.failed_rows(job)] == [header]


def test_a_phone_number_without_a_digit_is_no_unique_key(shop: Shop) -> None:
    job = load(shop, b"Phone\ncall me\n(202) 555-0101\n", Column("Phone", "PhoneNumber"))

    assert failures(shop, job) == [(1, 2, "MISSING_UNIQUE_KEY")]
    assert job.created_count == 1


@pytest.mark.parametrize("path", ["Attributes.a.b/c~d 'e' \"f\"", "FirstName", "BillingAddress.City", "GenderString"])
def test_any_field_can_be_the_unique_key_and_finds_profiles_that_were_there_before(shop: Shop, path: str) -> None:
    # In two lots: those that the first job creates, and those that were made by hand before the field was indexed.
    is_attribute = path.startswith("Attributes.")
    value = {path.removeprefix("Attributes."): "gold"}
    shop.make_profile({} if is_attribute else value, value if is_attribute else None)

    column = Column("Key", path)

    job = load(shop, b"Key,Email\ngold,a@x\nGold,b@x\nGold,c@x\n gold,d@x\n", column, EMAIL)
    again = load(shop, b"Key,Email\nGold,e@x\ngold,f@x\n", column, EMAIL)

    # Surrounding blanks do not make another key.
    assert (job.created_count, job.updated_count) == (1, 3)
    assert (again.created_count, again.updated_count) == (0, 2)


# The states of a job


def test_a_job_without_a_failed_row_has_succeeded(shop: Shop) -> None:
    job = load(shop, b"Email,First\na@x,Ann\n")

    assert (job.status, job.status_reason, job.failure_message) == ("SUCCEEDED", None, None)
    assert job.client_token is None


def test_a_job_with_some_failed_rows_has_partially_succeeded(shop: Shop) -> None:
    job = load(shop, b"Email,First\na@x,Ann\n,Bo\n")

    assert (job.status, job.status_reason) == ("PARTIALLY_SUCCEEDED", "VALIDATION_FAILURE")


def test_a_job_is_stopped_before_it_is_started(shop: Shop) -> None:
    job = shop.create_job(COLUMNS, "Email", b"Email,First\na@x,Ann\n", start=False)

    by_hand.At(job.created_at).write(shop.store, shop.domain, stop_job, job.job_id)

    assert shop.job(job).status == "STOPPED"
    with pytest.raises(InvalidRequest, match="STOPPED"):
        by_hand.At(job.created_at).write(shop.store, shop.domain, start_job, job.job_id)


@pytest.mark.parametrize("data", [b"Email,First\na@x,Ann\n", b"Email,First\n,Ann\n", b"Email,First\n,Ann\na@x,Bo\n"])
def test_a_job_that_has_ended_can_be_neither_started_nor_stopped(shop: Shop, data: bytes) -> None:
    job = load(shop, data)

    with pytest.raises(InvalidRequest, match=job.status):
        by_hand.At(job.created_at).write(shop.store, shop.domain, start_job, job.job_id)
    with pytest.raises(InvalidRequest, match=job.status):
        by_hand.At(job.created_at).write(shop.store, shop.domain, stop_job, job.job_id)
    assert shop.count(tables.pending_keys, true()) == 0


def test_a_header_with_more_columns_than_a_spreadsheet_has_is_refused(shop: Shop) -> None:
    header = b"Email" + b"," * 16_384

    job = shop.load(COLUMNS[:1], "Email", header + b"\na@x\n")

    assert (job.status, job.status_reason) == ("FAILED", "VALIDATION_FAILURE")
    assert job.failure_message == "The header has 16385 columns; a file may have at most 16384."
    assert rows(shop) == []


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(b'a"b', id="odd"),
        pytest.param(
            b"ab",
            id="clean",
            marks=pytest.mark.long(daily="test_many_short_rows_under_a_wide_mapping_stay_within_the_memory_limit"),
        ),
    ],
)
def test_many_short_rows_under_a_wide_mapping_stay_within_the_memory_limit(shop: Shop, cell: bytes) -> None:
    # In proportion; DuckDB's work for each statement grows faster than its columns.
    width, limit_bytes = (400, 256_000_000) if IS_LONG else (150, 96_000_000)
    columns = [Column(f"c{number}", f"Attributes.a{number}") for number in range(width)]
    header = b",".join(column.header.encode() for column in columns)

    data = header + b"\n" + (cell + b"\n") * 30_000
    options = JobOptions(short_rows=LOAD)
    job = shop.run(shop.create_job(columns, "c0", data, options=options), memory_limit_bytes=limit_bytes)

    assert (job.status, job.created_count, job.updated_count) == ("SUCCEEDED", 1, 29_999)


@pytest.mark.long(daily="test_many_short_rows_under_a_wide_mapping_stay_within_the_memory_limit")
def test_a_second_load_with_a_few_changes_under_a_wide_mapping_stays_within_the_memory_limit(shop: Shop) -> None:
    width, row_count, limit_bytes = 480, 1_000, 256_000_000
    columns = [Column(f"c{number}", f"Attributes.a{number}") for number in range(width)]

    def run(changed: str) -> UploadJob:
        lines = [",".join(column.header for column in columns)]
        for row in range(row_count):
            first = f"key {row},{changed if row % 50 == 0 else 'same'}"
            lines.append(",".join([first, *(f"value {row} {number}" for number in range(width - 2))]))
        job = shop.create_job(columns, "c0", "\n".join(lines).encode())
        return shop.run(job, memory_limit_bytes=limit_bytes)

    run("before")
    job = run("after")

    assert (job.status, job.updated_count) == ("SUCCEEDED", row_count)
    assert job.unchanged_count == row_count - row_count // 50


def test_a_header_that_stands_again_inside_the_file_fails_as_that_alone(shop: Shop) -> None:
    data = b"Email,First\na@x,Ann\nEmail,First\nb@x,First\nEmail,Bo\n"

    job = shop.load([EMAIL, FIRST], "Email", data)

    assert failures(shop, job) == [(2, 3, "REPEATED_HEADER")]
    assert job.created_count == 3


@pytest.mark.parametrize("again", [b"email,FIRST", b"\xef\xbb\xbfEmail,First", b"E-Mail, first ", b"e_mail,First"])
def test_a_header_that_stands_again_in_another_spelling_fails_too(shop: Shop, again: bytes) -> None:
    job = shop.load([EMAIL, FIRST], "Email", b"Email,First\na@x,Ann\n" + again + b"\nb@x,Bo\n")

    assert failures(shop, job) == [(2, 3, "REPEATED_HEADER")]


def test_a_header_that_stands_again_in_another_order_fails_the_job(shop: Shop) -> None:
    data = b"Email,First\na@x,Ann\nFirst,Email\nBo,b@x\n"

    job = shop.load([EMAIL, FIRST], "Email", data)
    strict = shop.load([EMAIL, FIRST], "Email", data, strict=True)

    assert (job.status, job.created_count) == ("FAILED", 0)
    assert "Line 3 repeats the column names in a different order." in (job.failure_message or "")
    assert (strict.status, strict.created_count) == ("SUCCEEDED", 3)


def test_the_value_of_a_text_formula_is_loaded_unless_aws_reads_the_file(shop: Shop) -> None:
    account, zip_code = Column("No", "AccountNumber"), Column("Zip", "Address.PostalCode")
    data = b'="No",Zip\n="007",="00501"\n"=""008""","=""0,5"""\n'

    job = shop.load([account, zip_code], "No", data)
    strict = shop.load([Column('="No"', "AccountNumber"), zip_code], '="No"', data, strict=True)

    known = [profile.values for _, profile in sorted(shop.known().profiles.items())]
    assert (job.created_count, strict.created_count) == (2, 2)
    assert [(one["AccountNumber"], one["Address.PostalCode"]) for one in known] == [
        ("007", "00501"),
        ("008", "0,5"),
        ('="007"', '="00501"'),
        ('="008"', '="0,5"'),
    ]


def test_the_values_of_a_table_are_loaded_as_they_are(shop: Shop) -> None:
    account, note = Column("No", "AccountNumber"), Column("Note", "AdditionalInformation")
    data = b'No,Note\n"=""007""","a\n\x1ab"\n'

    job = shop.create_job([account, note], "No", data, file=replace(STRICT_OPTIONS, first_row=1))
    shop.run(job)

    (profile,) = shop.known().profiles.values()
    assert (profile.values["AccountNumber"], profile.values["AdditionalInformation"]) == ('="007"', "a\n\x1ab")
