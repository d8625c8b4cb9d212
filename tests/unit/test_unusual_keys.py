"""Rows whose unique key looks unlike nearly all others are found; lists with several kinds of keys are left alone."""

from __future__ import annotations

import random
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets import FILES
from openprofiles.bulk.scratch import Scratch
from openprofiles.uploads.loading.unusual_keys import find_unusual_keys
from openprofiles.uploads.mappings.upload_mapping import read_mapping
from openprofiles.uploads.notice_sentences import notice_sentence
from openprofiles.uploads.notices import Notice

MAPPING = read_mapping({"a": {"Source": "_source.A", "Target": "_profile.AccountNumber"}}, "a", strict=False)
NUMBERS = [str(number) for number in range(1001, 1201)]
CODES = [f"C-{number}" for number in NUMBERS]
EMAILS = [f"ann{number}@example.com" for number in NUMBERS]
NAMES = ["Ann Orlova", "Bo", "3M", "7-Eleven", "Forever 21", "Jean-Luc Ng", "ACME (Ltd.)", "Zoë", "user_1", "x"] * 20

# Of unusual keys in the first rows, of usual ones, and of unusual ones below them.
COUNTS = [(0, 190, 10), (0, 189, 10), (3, 20, 0), (3, 19, 0), (3, 20, 2)]


def find(scratch: Scratch, keys: list[str], *, is_checked: bool = False) -> list[str]:
    """Return the keys that are found unusual; of records that fail or that are sparse, none."""
    scratch.expect_records(len(keys), 1)
    scratch.put("given", pa.table({"record": range(1, len(keys) + 1), "v0": keys}))
    scratch.run("create or replace temp table staged as select record, record as line, v0 as key, v0 from given")
    scratch.run("create or replace temp table failed as select record from given where v0 = 'failed'")
    scratch.run("create or replace temp table sparse_row as select record from given where v0 = 'Total'")
    notices = find_unusual_keys(scratch, MAPPING, is_checked=is_checked)
    assert all(notice.count == len(notice.lines) for notice in notices)
    return [keys[line - 1] for notice in notices for line in notice.lines]


@pytest.mark.parametrize(
    ("usual", "others"),
    [
        (NUMBERS, ["int", "varchar(50)", '{"ImportId":"_recordId"}']),
        (NUMBERS, ["(text)", "mandatory", "e.g. 12345"]),
        (CODES, ["Customer No", "e.g. C-1001", "int"]),
        (EMAILS, ["varchar(255)", "#ann9@example.com", ";ann8@example.com"]),
        (NAMES, ["(text)", '{"ImportId":"name"}']),
        (NUMBERS, ["#20", "//3", "--4", ";5", "/* 6", "<!-- 7 -->", "%8", "* 9"]),
        (CODES, ["#C-20", "//C-3", "--C-4", ";C-5"]),
        (NUMBERS, ["1001 Ann", "-5", "ann@example.com"]),
    ],
)
def test_keys_unlike_nearly_all_others_are_found_wherever_they_stand(
    scratch: Scratch, usual: list[str], others: list[str]
) -> None:
    assert find(scratch, others + usual) == others
    assert find(scratch, usual + others) == others


def test_from_two_of_twenty_keys_on_both_kinds_are_normal_except_directly_below_the_header(
    scratch: Scratch,
) -> None:
    found = [
        find(scratch, [*(["int"] * above), *NUMBERS[:usual], *(["int"] * below)]) for above, usual, below in COUNTS
    ]

    assert found == [["int"] * 10, [], ["int"] * 3, [], []]


def _random_keys(characters: str, length: int) -> list[str]:
    rng = random.Random(length)
    return ["".join(rng.choices(characters, k=length)) for _ in range(2_000)]


LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    "keys",
    [
        NAMES,
        NUMBERS + CODES[:20],
        [*NUMBERS, "+1002", "'1003", "00104", " 1005", "(206) 555-0100"],
        [*CODES, *(f"K-{number}" for number in NUMBERS[:5])],
        *(_random_keys(LETTERS + LETTERS.upper() + "0123456789-_", length) for length in (8, 12, 28)),
        *(_random_keys(LETTERS + "0123456789", length) for length in (8, 9, 12)),
        *(_random_keys("0123456789abcdef", length) for length in (6, 8, 10)),
        [f"cus_{key}" for key in _random_keys(LETTERS + "0123456789", 14)],
        [f"{number}{'AB'[: index % 2]}" for index, number in enumerate(NUMBERS)],
        [f"206-555-01{index:02}{' ext. 12' * (index % 30 == 0)}" for index in range(100)],
        [*NUMBERS, "failed #1", "Total", "failed"],
    ],
)
def test_lists_with_several_kinds_of_keys_are_left_alone(scratch: Scratch, keys: list[str]) -> None:
    assert find(scratch, keys) in ([], ["failed #1"])


def test_of_keys_with_a_check_only_those_that_are_commented_out_are_found(scratch: Scratch) -> None:
    others = ["#ann9@example.com", "--ann8@example.com"]

    assert find(scratch, [*EMAILS, *others, "ann"], is_checked=True) == others


_PATTERNS = {
    "digit first": r" *[+'\"‘’“”(]*[0-9]",
    "letter first": r" *[^\W\d_]",
    "word first": r" *[^0-9 ]*[^\W\d_][^0-9 ]* +[^ ]",
    "digit last": r".*[0-9] *\Z",
}


@FILES
@given(
    st.lists(st.text("ab1 2#-(", min_size=1, max_size=5), min_size=10, max_size=10),
    st.sampled_from([NUMBERS, CODES, [f"Kd {number}" for number in NUMBERS], [f"_{number}x" for number in NUMBERS]]),
)
def test_a_key_is_unusual_exactly_if_it_lacks_a_look_that_all_others_have(
    scratch: Scratch, others: list[str], usual: list[str]
) -> None:
    def looks(key: str) -> list[bool]:
        signs = [bool(re.match(pattern, key)) for pattern in (r" *(#|\([^0-9])", r" *--")]
        # Dashes at the beginning mean nothing where keys have dashes inside.
        signs[1] &= "-" not in usual[0][1:]
        return [*signs, *(bool(re.match(pattern, key)) for pattern in _PATTERNS.values())]

    assert find(scratch, usual + others) == [key for key in others if looks(key) != looks(usual[0])]


def test_the_sentence_says_what_to_do() -> None:
    assert notice_sentence(Notice("UnusualKeyRows", None, 1, (2,)), "No") == (
        "1 row has a value in column 'No' that looks unlike nearly all others (line 2). If it is not a customer but, "
        "for example, descriptions of the columns or rows that are commented out, remove this line from the file."
    )
