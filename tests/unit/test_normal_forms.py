"""Normal forms: what they make equal, and that their two implementations agree on every input."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import duckdb
import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets import IS_LONG
from openprofiles.bulk.sql_functions import register_sql_functions
from openprofiles.facts.blanks import is_blank, sql_is_blank
from openprofiles.facts.normal_forms import (
    _PLAIN,
    identity_key,
    normal_full_name,
    normal_key,
    normal_phone,
    search_form,
    sql_identity_key,
    sql_normal_full_name,
    sql_normal_key,
    sql_search_form,
)
from openprofiles.facts.placeholders import PLACEHOLDERS

STANDARD_KEYS = ("_email", "_phone", "_account")


@pytest.fixture(scope="module")
def duck() -> Iterator[Any]:
    connection = duckdb.connect()
    register_sql_functions(connection, "US")
    yield connection
    connection.close()


def in_sql(duck: Any, expression: str, texts: list[str]) -> list[Any]:
    duck.register("given", pa.table({"text": pa.array(texts, pa.string())}))
    answer: list[Any] = duck.sql(f"select {expression} as answer from given").to_arrow_table()["answer"].to_pylist()
    return answer


# Above the second plane stand ideographs and nothing else that has a case or a composed form, but for one block.
CODE_POINTS = [*range(1, 0xD800), *range(0xE000, 0x20000), *range(0x2F800, 0x2FA20), *range(0x20000, 0x110000, 97)]
CHARACTERS = [chr(point) for point in CODE_POINTS]
# Letters without case, such as ideographs, and what is no character yet. To Unicode, all of them are alike.
_ALIKE = ("Lo", "Cn", "Co")


def texts_with_every_code_point() -> list[str]:
    alike = [
        char for char in CHARACTERS if unicodedata.category(char) in _ALIKE and not unicodedata.decomposition(char)
    ]
    left_out = set() if IS_LONG else {*alike} - {*alike[::23]}
    return [text for char in CHARACTERS if char not in left_out for text in (f"{char}A", f"A{char}B")]


# In SQL, an account number differs from an email address only in the function for what is not plain.
@pytest.mark.parametrize("name", ["_email", "_phone"])
def test_python_and_sql_agree_on_the_key_of_every_code_point(duck: Any, name: str) -> None:
    texts = texts_with_every_code_point()

    found = in_sql(duck, sql_normal_key(name, "text", "US"), texts)

    differing = [text for text, key in zip(texts, found, strict=True) if key != normal_key(name, text, "US")]
    assert differing == []


# The other keys have one form only.
@pytest.mark.parametrize("name", ["_account", "_phone"])
def test_the_search_form_of_every_code_point_follows_from_its_identity_form(duck: Any, name: str) -> None:
    texts = texts_with_every_code_point()

    found = in_sql(duck, sql_identity_key(name, "text", "US"), texts)

    assert found == [identity_key(name, text, "US") for text in texts]
    identities = [identity for identity in found if identity is not None]
    searches = in_sql(duck, sql_search_form(name, "text"), identities)
    assert searches == [search_form(name, identity) for identity in identities]
    assert searches == [key for text in texts if (key := normal_key(name, text, "US")) is not None]


def test_python_and_sql_agree_on_which_code_points_are_blanks(duck: Any) -> None:
    texts = texts_with_every_code_point()

    found = in_sql(duck, sql_is_blank("text"), texts)

    assert [text for text, blank in zip(texts, found, strict=True) if blank != is_blank(text)] == []


def test_python_and_sql_agree_on_full_names_with_every_code_point(duck: Any) -> None:
    texts = texts_with_every_code_point()

    found = in_sql(duck, sql_normal_full_name("text", "null", "'Ada'"), texts)

    differing = [text for text, key in zip(texts, found, strict=True) if key != normal_full_name(text, None, "Ada")]
    assert differing == []


def test_python_and_sql_agree_on_full_names_with_surplus_blanks(duck: Any) -> None:
    texts = ["Ada  of", " Ada", "Ada\t", "\u00c9  \u00c9", "A\u00a0A", ""]

    found = in_sql(duck, sql_normal_full_name("text", "null", "'Of  Ada'"), texts)

    assert found == [normal_full_name(text, None, "Of  Ada") for text in texts]


def test_no_two_of_the_characters_that_sql_decides_alone_compose(duck: Any) -> None:
    plain = in_sql(duck, f"regexp_full_match(text, '[{_PLAIN}]')", CHARACTERS)
    joins_what_is_before = {
        unicodedata.normalize("NFD", char)[-1] for char in CHARACTERS if len(unicodedata.normalize("NFD", char)) > 1
    }

    chosen = [char for char, is_plain in zip(CHARACTERS, plain, strict=True) if is_plain]

    assert len(chosen) > 30_000
    assert [char for char in chosen if unicodedata.combining(char) or char in joins_what_is_before] == []
    assert [char for char in chosen if unicodedata.normalize("NFC", char) != char] == []


@given(text=st.text(alphabet=st.sampled_from("aZ\u00c9\u0131\u03a3\u0416\u304b\u3099\u0301\uac00\u11a8 ."), max_size=6))
def test_python_and_sql_agree_on_letters_beside_marks(duck: Any, text: str) -> None:
    assert in_sql(duck, sql_normal_key("_email", "text", "US"), [text]) == [normal_key("_email", text, "US")]


phone_like = st.text(alphabet="0123456789+ ().-x#;Room", max_size=18)


@given(texts=st.lists(phone_like, min_size=1, max_size=50))
def test_python_and_sql_agree_on_what_looks_like_a_phone_number(duck: Any, texts: list[str]) -> None:
    found = in_sql(duck, sql_normal_key("_phone", "text", "US"), texts)
    identities = in_sql(duck, sql_identity_key("_phone", "text", "US"), texts)

    assert found == [normal_phone(text, "US") for text in texts]
    assert identities == [identity_key("_phone", text, "US") for text in texts]
    assert in_sql(duck, sql_search_form("_phone", "text"), identities) == found


@given(text=phone_like)
def test_the_fast_path_of_phones_says_what_the_library_says(text: str) -> None:
    if re.fullmatch(r" *\+?[0-9]+\.0 *", text):
        text = text.strip()[:-2]
    try:
        number = phonenumbers.parse(text, "US")
        possible = phonenumbers.is_possible_number(number)
    except phonenumbers.NumberParseException:
        possible = False
    digits = "".join(char for char in text if char.isdigit())

    found = normal_phone(text, "US")

    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if possible else None
    assert found == (e164 or digits or None)


@given(text=st.text(), name=st.sampled_from([*STANDARD_KEYS, "_fullName"]))
def test_a_normal_form_is_its_own_normal_form(text: str, name: str) -> None:
    key = normal_key(name, text, "US")

    assert key is None or normal_key(name, key, "US") == key


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("_email", "Ada@Example.COM", " ada@example.com\u00a0"),
        ("_email", "jos\u00e9@example.com", "JOSE\u0301@example.com"),
        ("_phone", "+15551234567", "(555)-123-4567"),
        ("_phone", "555.123.4567 x89", "1 555 123 4567"),
        ("_account", "Acc-1", "ACC-1 "),
        ("_account", "Acc-1", "ACC\u200b-\u00ad1"),
        ("_email", "ada@example.com", "\u202aA\u200bda\u2060@exam\u00adple.com \ufeff\u202c"),
        ("_email", "ada@example.com", "ada\u00a0@\u2007example.\u202fcom"),
        ("_phone", "206-555-0100", "\u200e 206\u200b555\ufeff0100\u202c"),
        ("_phone", "2065550100", " 2065550100.0 "),
        ("_phone", "206555010", "206555010.0"),
        ("_phone", "+4930123456", "+4930123456.0"),
        ("_fullName", "Ada  Lovelace", " ADA LOVELACE"),
        # A capital sigma at the end of a word and inside one.
        ("_fullName", "\u039f\u03a3", "\u039f\u03a3".lower().replace("\u03c2", "\u03c3")),
    ],
)
def test_these_are_the_same_key(name: str, one: str, other: str) -> None:
    assert normal_key(name, one, "US") == normal_key(name, other, "US") is not None


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("_email", "ada@example.com", "ada@example.org"),
        ("_email", "ada@example.com", "ada @example.com"),
        ("_phone", "206.555.0", "206.555"),
        ("_fullName", "Ada Lovelace", "Ada Love\u200blace"),
        ("Loyalty", "gold", "gold\u200b"),
        ("_phone", "+15551234567", "+445551234567"),
        ("Loyalty", "Gold", "gold"),
        ("Loyalty", "gold", "gold "),
    ],
)
def test_these_are_different_keys(name: str, one: str, other: str) -> None:
    assert normal_key(name, one, "US") != normal_key(name, other, "US")


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("_account", "cus_Ab1", " cus_Ab1\u00a0"),
        ("_account", "caf\u00e9", "cafe\u0301"),
        ("_email", "ada@example.com", "ada@exam\u200bple.com"),
        ("_phone", "206 555 0100 x1\u200b1", "2065550100;ext=11"),
        ("_phone", "Room\u00ad 12", "Room 12"),
        ("_phone", "2065550100.0", "206-555-0100"),
        ("_email", "Ada@Example.COM", " ada@example.com"),
        ("_phone", "(206) 555-0100 ext. 11", "+12065550100 x11"),
        ("_phone", "2065550100#13", "+1-206-555-0100;ext=13"),
        ("_phone", "tel:206-555-0100 Ext: 14", "206.555.0100 extension 14"),
        ("_phone", "030 123456", "030/123456"),
        ("_phone", "Room 12", " ROOM 12"),
    ],
)
def test_these_are_the_same_customer(name: str, one: str, other: str) -> None:
    assert identity_key(name, one, "US") == identity_key(name, other, "US") is not None


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("_account", "cus_Ab1", "cus_aB1"),
        ("_account", "cus_1", "cus_\u200b1"),
        ("_phone", "206 555 0100 x11", "206 555 0100 x12"),
        ("_phone", "206 555 0100 x11", "206 555 0100"),
        ("_phone", "Room 12", "Desk 12"),
        ("_phone", "Room 12", "12"),
    ],
)
def test_these_are_different_customers_whom_one_search_finds(name: str, one: str, other: str) -> None:
    assert identity_key(name, one, "US") != identity_key(name, other, "US")
    assert normal_key(name, one, "US") == normal_key(name, other, "US")


PLACEHOLDER_TEXTS = [*PLACEHOLDERS, *map(str.upper, PLACEHOLDERS), " None\u00a0", "N\u200bULL", "\u00ad-", "\ufeff \t"]


@pytest.mark.parametrize("name", STANDARD_KEYS)
def test_a_placeholder_gives_no_key_but_is_a_name(duck: Any, name: str) -> None:
    nothing = [None] * len(PLACEHOLDER_TEXTS)

    assert [normal_key(name, text, "US") for text in PLACEHOLDER_TEXTS] == nothing
    assert [identity_key(name, text, "US") for text in PLACEHOLDER_TEXTS] == nothing
    assert in_sql(duck, sql_normal_key(name, "text", "US"), PLACEHOLDER_TEXTS) == nothing
    assert in_sql(duck, sql_identity_key(name, "text", "US"), PLACEHOLDER_TEXTS) == nothing
    assert normal_key("_account", "0", "US") == "0"
    assert normal_full_name("None") == normal_key("_fullName", "None", "US") == "none"
    assert normal_key("Loyalty", "none", "US") == "none"


def test_a_number_that_is_possible_nowhere_keeps_its_digits() -> None:
    assert normal_phone("ext. 12", "US") == "12"


def test_a_phone_without_any_digit_holds_no_key() -> None:
    assert normal_phone("n/a", "US") is None


def test_the_region_says_what_a_number_without_country_code_means() -> None:
    assert normal_phone("030 123456", "DE") == "+4930123456"
    assert normal_phone("030 123456", "US") == "030123456"
