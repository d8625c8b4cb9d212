"""The sentences about rows that are loaded with an outcome that the user may not expect."""

from __future__ import annotations

import re
from dataclasses import replace

import duckdb
import pytest

from openprofiles.uploads.job_options import CREATE_ONLY, JobOptions
from openprofiles.uploads.loading.other_names import (
    compared_names,
    sql_are_others,
    sql_common_words,
    sql_name_words,
)
from openprofiles.uploads.mappings.name_fields import PERSON, NameFields
from openprofiles.uploads.mappings.upload_mapping import UploadMapping, read_mapping
from openprofiles.uploads.notice_sentences import notice_sentence
from openprofiles.uploads.notices import (
    BLANK_ROWS,
    EXCHANGED_NAME_ROWS,
    MAX_LINES,
    OTHER_NAME_ROWS,
    PLACEHOLDER_VALUES,
    SHARED_KEY_ROWS,
    SHORT_ROWS,
    SKIPPED_LINES,
    WIDE_ROWS,
    Notice,
    describe_refusal,
    is_refusal,
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
        "Nothing was loaded. Many rows would overwrite values of customers with different names. Use another unique "
        "key, correct the file, import it into another domain, or confirm that they are the same customers.",
        "Nothing was loaded. Many rows would create profiles of their own, although their unique key is in a "
        "different field of another profile. Map the column of the unique key to that field, or confirm that they "
        "are different customers.",
        f"{refusals[1]} {str(refusals[0]).removeprefix('Nothing was loaded. ')}",
    ]
    assert all(map(is_refusal, refusals))
    assert describe_refusal([Notice(OTHER_NAME_ROWS, None, 20, (2,))]) is None
    assert not any(map(is_refusal, (None, "", "Nothing was loaded.", "2 rows failed (limit: 1). Nothing was loaded.")))


def test_a_sentence_about_other_names_names_both_customers_and_what_to_do() -> None:
    notice = Notice(OTHER_NAME_ROWS, None, 7, (3, 4, 5, 6, 7, 8, 9), others=("line 2", *["profile a1"] * 6))

    assert notice_sentence(notice, "Account") == (
        "7 rows overwrite values of customers with different names (line 3 and line 2; line 4 and profile a1; line 5 "
        "and profile a1; line 6 and profile a1; line 7 and profile a1; ...). The value in column 'Account' is the "
        "same, but the names share no word, or the names and the dates of birth differ. Titles and words that many "
        "names have do not count. If they are different customers, use another unique key, correct the file, or import "
        "it into another domain."
    )


@pytest.mark.parametrize("code", [SHORT_ROWS, WIDE_ROWS, BLANK_ROWS, SKIPPED_LINES, PLACEHOLDER_VALUES])
def test_sentences_fit_a_preview_that_has_loaded_nothing(code: str) -> None:
    sentences = [notice_sentence(Notice(code, "LastName", count, (3,)), "Account") for count in (1, 2)]

    assert not re.search("was|were", " ".join(sentences))


def test_a_sentence_about_exchanged_names_describes_both_ways_out() -> None:
    notice = Notice(EXCHANGED_NAME_ROWS, None, 1, (3,), others=("line 2",))

    assert notice_sentence(notice, "Account") == (
        "1 row exchanges the first and last name of a customer: the value in column 'Account' is the same, and each of "
        "the two names was the other one before (line 3 and line 2). If the names were right before, correct the file, "
        "or map its columns the other way round."
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


COMMON = ("gmbh", "van", "ann")


@pytest.mark.parametrize(
    ("one", "other", "is_other"),
    [
        ("Ana Silva", "SILVA, ana", False),
        ("Ana Silva", "Ana Berg", False),
        ("\u00c9va O'Brien", "eva o\u2019brien", False),
        ("E\u0301va Ek", "\u00c9va Dahl", False),
        ("Jean-Luc Frey", "Luc Gray", False),
        ("D'Angelo Ek", "DANGELO Dahl", False),
        ("\u0130pek \u00c7elik", "Ipek Ek", False),
        (
            "\u0410\u043d\u043d\u0430 \u0401\u043b\u043a\u0438\u043d\u0430",
            "\u0415\u041b\u041a\u0418\u041d\u0410",
            False,
        ),
        ("\u738b \u5c0f\u660e", "\u5c0f\u660e", False),
        ("Ana Silva", "Bo Berg", True),
        ("Ana Silva", "Anabel Silvano", True),
        ("\u738b \u5c0f\u660e", "\u5f20 \u4f1f", True),
        # Titles and legal forms do not count; a name of these alone says nothing.
        ("Mr. Ann", "MR Olga", True),
        ("Acme Inc.", "Globex, Inc", True),
        ("Mr. Ann", "Ms. Ann", False),
        ("Mr.", "Ana Silva", False),
        ("Acme & Sons", "Globex & Partners", True),
        # Neither do common words, unless one of the names has no others.
        ("van Miller", "van Berg", True),
        ("Ann van Miller", "Ann Berg", True),
        ("Ann van Miller", "Miller", False),
        ("Ann van", "van", False),
        ("Ann", "van", True),
    ],
)
def test_names_without_a_word_of_their_own_in_common_are_those_of_other_customers(
    one: str, other: str, *, is_other: bool
) -> None:
    words = [sql_name_words(name) for name in ("one", "other")]
    names = f"select {words[0]} as a, {words[1]} as b from (select ? as one, ? as other)"
    query = f"select {sql_are_others('a', 'b', COMMON)} from ({names})"

    assert duckdb.execute(query, [one, other]).fetchall() == [(is_other,)]


def test_a_word_that_more_than_3_percent_and_at_least_20_of_the_different_names_have_is_common() -> None:
    def find(count: int, *names: str) -> list[str]:
        people = [f"person{number} {'shared' if number < 20 else ''}" for number in range(count)]
        names_of_rows = ", ".join(f"('{name}')" for name in [*people, *names])
        words = f"select {sql_name_words('name')} as words from (values {names_of_rows}) row (name)"
        return [word for (word,) in duckdb.execute(sql_common_words(words)).fetchall()]

    assert find(600) == ["shared"]
    assert find(700) == []
    # Rows with one and the same name are one name; a title is left out before.
    assert find(19) == []
    assert find(19, "shared person1", *["Ann Berg", "Mr. Bo Berg"] * 30) == []


@pytest.mark.parametrize(
    ("columns", "paths", "held", "instead"),
    [
        ({"FirstName": "a", "LastName": "b", "BusinessName": "c", "Attributes.Name": "Name"}, PERSON, PERSON, ()),
        ({"Attributes.Name": "Full name"}, ("Attributes.Name",), ("Attributes.Name",), PERSON),
        ({"Attributes.Name": "Full name", "LastName": "b"}, ("Attributes.Name",), ("Attributes.Name",), ()),
        ({"BusinessName": "Name"}, ("BusinessName",), ("BusinessName",), ()),
        ({"FirstName": "Name", "BusinessName": "b"}, ("FirstName",), PERSON, ()),
        ({"LastName": "a", "Attributes.Kunde": "Kunde"}, ("LastName",), PERSON, ()),
        ({"FirstName": "a", "Attributes.C": "Contact"}, ("Attributes.C",), ("Attributes.C",), ()),
        ({"FirstName": "a", "BusinessName": "b"}, ("BusinessName",), ("BusinessName",), ()),
    ],
)
def test_rows_are_compared_by_the_column_that_is_the_name_whatever_its_field(
    columns: dict[str, str], paths: tuple[str, ...], held: tuple[str, ...], instead: tuple[str, ...]
) -> None:
    mapping = mapping_of(columns)
    names = compared_names(mapping, JobOptions())

    assert names is not None
    assert (names.fields.paths, names.held, names.instead) == (paths, held, instead)
    assert names.fields.is_unsure == (columns[paths[-1]] == "Contact")
    assert compared_names(replace(mapping, matches_group=True), JobOptions()) is None
    assert compared_names(mapping, JobOptions(write_mode=CREATE_ONLY)) is None


@pytest.mark.parametrize("columns", [{"FirstName": "a"}, {"PhoneNumber": "Contact"}, {"Attributes.Name": "Key"}])
def test_rows_of_a_file_without_a_column_of_names_are_not_compared(columns: dict[str, str]) -> None:
    assert compared_names(mapping_of(columns), JobOptions()) is None
    # Nor by the column of the unique key itself.
    assert compared_names(mapping_of({}, key="Name"), JobOptions()) is None


def mapping_of(columns: dict[str, str], key: str = "Key") -> UploadMapping:
    """Return a mapping of these fields, by path their headers, and a unique key."""
    headers = {"Attributes.key": key, **columns}
    fields = {path: {"Source": f"_source.{header}", "Target": f"_profile.{path}"} for path, header in headers.items()}
    return read_mapping(fields, "Attributes.key", strict=False)


@pytest.mark.parametrize("is_unsure", [False, True])
@pytest.mark.parametrize(
    "text", ["Ana", "Ana Silva", " Ana ", "\u738b", "17", "17 18", "a@x b", "\u00a0Ana\u3000Silva"]
)
def test_numbers_and_addresses_are_not_names(text: str, *, is_unsure: bool) -> None:
    fields = NameFields(("Attributes.Name",), is_unsure=is_unsure)

    is_name = text.strip()[:3] not in ("17", "17 ", "a@x") and (not is_unsure or "Silva" in text)
    assert fields.is_name(text) is is_name
    assert duckdb.execute(f"select {fields.sql_is_name('?1')}", [text]).fetchall() == [(is_name,)]
