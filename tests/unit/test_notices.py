"""The sentences about rows that are loaded with an outcome that the user may not expect."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from openprofiles.uploads.job_options import CREATE_ONLY, JobOptions
from openprofiles.uploads.loading.other_names import name_paths, sql_name_words
from openprofiles.uploads.mappings.upload_mapping import read_mapping
from openprofiles.uploads.notices import (
    MAX_LINES,
    OTHER_NAME_ROWS,
    SHARED_KEY_ROWS,
    SHORT_ROWS,
    Notice,
    describe_refusal,
    is_refusal,
    notice_sentence,
    with_more,
)


def test_a_sentence_names_the_option_where_its_reader_has_it() -> None:
    notice = Notice(SHORT_ROWS, None, 2, (3, 5))

    assert notice_sentence(notice, "Email").endswith("(lines 3, 5). To reject such rows, use --short-rows reject.")
    assert notice_sentence(notice, "Email", short_rows_option="choose “They fail”").endswith(
        "To reject such rows, choose “They fail”."
    )


def test_a_refusal_names_each_kind_of_rows_and_what_to_do() -> None:
    names = Notice(OTHER_NAME_ROWS, None, 20, (2,), is_doubtful=True)
    keys = [Notice(SHARED_KEY_ROWS, path, 20, (2,), is_doubtful=True) for path in ("EmailAddress", "PhoneNumber")]

    refusals = [describe_refusal(notices) for notices in ([names], keys, [*keys, names])]

    assert refusals == [
        "Nothing was loaded. Many rows would overwrite values of customers with other names. Use another unique key, "
        "correct the file, import it into another domain, or confirm that they are the same customers.",
        "Nothing was loaded. Many rows would create profiles of their own, although their unique key is in another "
        "field of another profile. Map the column of the unique key to that field, or confirm that they are different "
        "customers.",
        f"{refusals[1]} {str(refusals[0]).removeprefix('Nothing was loaded. ')}",
    ]
    assert all(map(is_refusal, refusals))
    assert describe_refusal([Notice(OTHER_NAME_ROWS, None, 20, (2,))]) is None
    assert not any(map(is_refusal, (None, "", "Nothing was loaded.", "2 rows failed (limit: 1). Nothing was loaded.")))


def test_a_sentence_about_other_names_names_both_customers_and_what_to_do() -> None:
    notice = Notice(OTHER_NAME_ROWS, None, 7, (3, 4, 5, 6, 7, 8, 9), others=("line 2", *["profile a1"] * 6))

    assert notice_sentence(notice, "Account") == (
        "7 rows overwrite values of customers with other names: the value in column 'Account' is the same, but the "
        "names have no word in common (line 3 and line 2; line 4 and profile a1; line 5 and profile a1; line 6 and "
        "profile a1; line 7 and profile a1; ...). If they are different customers, use another unique key, correct the "
        "file, or import it into another domain."
    )


def test_later_rows_join_the_notice_of_their_code_with_their_other_customers() -> None:
    first = Notice(OTHER_NAME_ROWS, None, 2, (3, 9), is_doubtful=True, others=("line 2", "line 8"))
    short = Notice(SHORT_ROWS, None, 1, (4,))
    many = Notice(OTHER_NAME_ROWS, None, 30, tuple(range(4, 24)), others=tuple(f"line {n}" for n in range(103, 123)))

    joined, other, new = with_more([first, short], [many, Notice(SHARED_KEY_ROWS, "EmailAddress", 1, (5,))])

    assert (joined.count, joined.is_doubtful, len(joined.lines)) == (32, True, MAX_LINES)
    others = dict(zip(joined.lines, joined.others, strict=True))
    assert (others[3], others[4], others[9]) == ("line 2", "line 103", "line 8")
    assert (other, new) == (short, Notice(SHARED_KEY_ROWS, "EmailAddress", 1, (5,)))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("Ana Silva", "SILVA, ana", True),
        ("Ana Silva", "Ana Berg", True),
        ("\u00c9va O'Brien", "eva o\u2019brien", True),
        ("E\u0301va Ek", "\u00c9va Dahl", True),
        ("Jean-Luc Frey", "Luc Gray", True),
        ("D'Angelo Ek", "DANGELO Dahl", True),
        ("\u0130pek \u00c7elik", "Ipek Ek", True),
        ("\u0410\u043d\u043d\u0430 \u0401\u043b\u043a\u0438\u043d\u0430", "\u0415\u041b\u041a\u0418\u041d\u0410", True),
        ("\u738b \u5c0f\u660e", "\u5c0f\u660e", True),
        ("Ana Silva", "Bo Berg", False),
        ("Ana Silva", "Anabel Silvano", False),
        ("\u738b \u5c0f\u660e", "\u5f20 \u4f1f", False),
    ],
)
def test_names_with_a_word_in_common_are_those_of_one_customer(one: str, other: str, *, is_same: bool) -> None:
    words = [sql_name_words([f"part.{name}"]) for name in ("one", "other")]
    query = f"select list_has_any({', '.join(words)}) from (select ? as one, ? as other) part"

    assert duckdb.execute(query, [one, other]).fetchall() == [(is_same,)]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("FirstName", "LastName", "BusinessName"), ("FirstName", "LastName")),
        (("BusinessName",), ("BusinessName",)),
        (("LastName", "BusinessName"), ()),
        (("FirstName",), ()),
    ],
)
def test_people_are_compared_by_first_and_last_name_and_businesses_where_no_person_is_named(
    paths: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    fields = {path: {"Source": f"_source.{path}", "Target": f"_profile.{path}"} for path in ("EmailAddress", *paths)}
    mapping = read_mapping(fields, "EmailAddress", strict=False)

    assert name_paths(mapping, JobOptions()) == expected
    assert name_paths(replace(mapping, matches_group=True), JobOptions()) == ()
    assert name_paths(mapping, JobOptions(write_mode=CREATE_ONLY)) == ()
