"""The words by which customers are searched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.facts.folded_words import (
    MAX_SEARCHED_WORDS,
    MAX_WORD_LENGTH,
    MAX_WORDS,
    WORD_PATHS,
    has_words,
    searched_words,
    words_of_profile,
)

ZOE = {
    "FirstName": "Zoë",
    "LastName": "Schäfer",
    "BusinessName": "Łódź & Æther GmbH",
    "EmailAddress": "Zoe.S@Mail.Example.com",
    "PhoneNumber": "+49 (0)170 1234567",
    "HomePhoneNumber": "030 555-0100",
    "AccountNumber": "C-02888",
    "Address.City": "Düsseldorf",
    "BillingAddress.City": "Αθήνα",
    "AdditionalInformation": "secret",
}


@pytest.mark.parametrize(
    "text",
    [
        "schaefer", "schafer", "SCHÄFER", "Schäf", "zoe schaefer", "schäfer zoë", "example.com", "zoe.s@mail",
        "düsseldorf", "dusseldorf", "DUESSELDORF", "lodz", "Łódź", "aether", "αθηνα", "ΑΘΉΝΑ", "c-02888", "02888",
        "0170 123", "(0170) 1234567", "+49 170 12", "0049 170", "4917012", "170/123", "030 5550", "305550100",
    ],
)  # fmt: skip
def test_a_customer_is_found_by_the_beginnings_of_words_in_any_spelling(text: str) -> None:
    assert has_words(words_of_profile(ZOE), searched_words(text))


@pytest.mark.parametrize(
    ("stored", "text", "region"),
    [("(206) 555-0100", "+1 206 555", "US"), ("0170/123456", "+49 170 123", "DE"), ("0170/123456", "0049170", "DE")],
)
def test_a_number_without_a_country_code_is_found_with_that_of_the_domain(stored: str, text: str, region: str) -> None:
    words = words_of_profile({"PhoneNumber": stored})

    assert has_words(words, searched_words(text, region))
    assert not has_words(words, searched_words(text, "FR"))


@pytest.mark.parametrize("text", ["25550192", "5550192", "00001", "0001"])
def test_digits_within_a_phone_number_do_not_find_it(text: str) -> None:
    words = words_of_profile({"PhoneNumber": "+1 212-555-0192"})

    assert not has_words(words, searched_words(text))


@pytest.mark.parametrize("text", ["chafer", "zoe smith", "example.org", "seldorf", "secret", "1234567", "0171", "c-03"])
def test_other_texts_do_not_find_the_customer(text: str) -> None:
    assert not has_words(words_of_profile(ZOE), searched_words(text))


@pytest.mark.parametrize(
    ("stored", "text"),
    [("हिन्दी", "हिन्दी"), ("ก่อน", "ก่อน"), ("مُحَمَّد", "محمد"), ("שָׁלוֹם", "שלום"), ("M̄ari", "M̄ari"),
     ("𝐀𝐝𝐚", "ada"), ("№5", "no5"), ("Ｍüller", "muller"), ("İpek", "ipek"), ("Straße", "STRASSE")],
)  # fmt: skip
def test_marks_and_forms_of_any_script_do_not_matter(stored: str, text: str) -> None:
    words = words_of_profile({"LastName": stored})

    assert has_words(words, searched_words(text))
    assert has_words(words, searched_words(stored))


@pytest.mark.parametrize(
    ("stored", "text"), [("٠١٧٠١٢٣٤٥٦", "0170 12"), ("＋４９１７０１２３", "+49 170"), ("0170 12", "٠١٧٠")]
)
def test_digits_of_any_script_are_those_of_a_phone_number(stored: str, text: str) -> None:
    assert has_words(words_of_profile({"PhoneNumber": stored}), searched_words(text))


@pytest.mark.parametrize("text", ["", "   ", "%", "* _ -", "()", "…", "\u0301"])
def test_a_text_without_letters_and_digits_has_no_words(text: str) -> None:
    assert searched_words(text) == []


def test_long_texts_are_cut() -> None:
    values = {"BusinessName": " ".join(f"w{number}" for number in range(1_000)), "LastName": "x" * 500}

    words = words_of_profile(values).split(" ")

    assert len(words) == MAX_WORDS
    assert max(map(len, words)) <= MAX_WORD_LENGTH
    assert len(searched_words("a " * 1_000)) == MAX_SEARCHED_WORDS
    assert has_words(words_of_profile({"LastName": "x" * 500}), searched_words("x" * 500))


# Letters with marks between them too, which random texts hardly have.
_TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(st.sampled_from("aBç٣दא०ı🅰\u0301\u0304\u094d\u064f\u05b8 -ﷺ½"), max_size=12),
)


@given(st.dictionaries(st.sampled_from(WORD_PATHS), _TEXTS, max_size=4))
def test_a_customer_is_found_by_each_of_the_own_values(values: dict[str, str]) -> None:
    words = words_of_profile(values)

    for text in values.values():
        assert has_words(words, searched_words(text))
    assert all(word.isalnum() for word in words.split())
