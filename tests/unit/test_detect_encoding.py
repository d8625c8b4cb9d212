"""The encoding of a file is detected, or the file is refused; it is never read with wrong letters."""

from __future__ import annotations

import io
import re
import time

import pytest
from benchmarks.encodings import make_file, read_outcome
from benchmarks.encodings_names import NAMES, WESTERN_LANGUAGES

from budgets import IS_LONG
from openprofiles.errors import InvalidRequest
from openprofiles.uploads.reading.detect_encoding import EncodingGuess, EncodingsMixed, EncodingUnclear, StrangeWords
from openprofiles.uploads.reading.detect_form import detect_form
from openprofiles.uploads.reading.file_form import FileForm, FileOptions, canonical_encoding

_MAX_BYTES = 1 << 24
_WHEREVER_A_PART_ENDS = "test_the_only_strange_word_is_found_wherever_a_part_of_the_file_ends"


def _detect(content: bytes, **more: object) -> FileForm:
    return detect_form(io.BytesIO(content), FileOptions(), None, max_unpacked_bytes=_MAX_BYTES, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", NAMES)
def test_files_of_50_rows_are_read_in_each_usual_encoding_of_the_language(language: str) -> None:
    encodings = NAMES[language][0]

    outcomes = [read_outcome(make_file(language, 50, seed), encoding) for encoding in encodings for seed in (101, 102)]

    assert set(outcomes) == {"read"}


@pytest.mark.parametrize("language", NAMES)
def test_files_of_5_rows_are_never_read_wrong(language: str) -> None:
    encodings = NAMES[language][0]

    outcomes = [read_outcome(make_file(language, 5, seed), encoding) for encoding in encodings for seed in (103, 104)]

    assert "wrong" not in outcomes


@pytest.mark.parametrize("language", WESTERN_LANGUAGES)
def test_windows_1252_files_of_5_rows_are_read_without_being_told(language: str) -> None:
    assert read_outcome(make_file(language, 5, 105), "cp1252") == "read"


def test_an_unclear_encoding_is_refused_with_names_and_the_candidates_have_examples() -> None:
    content = "Name\nŁukasz\n".encode("cp1250")

    with pytest.raises(EncodingUnclear) as refused:
        _detect(content)

    assert "windows-1250, windows-1252" in str(refused.value)
    # The message may be stored with a job, so it has no name of a customer.
    assert "ukasz" not in str(refused.value)
    assert {one.encoding: one.examples for one in refused.value.candidates}["windows-1250"] == ("Łukasz",)


def test_the_country_of_the_domain_makes_its_usual_encodings_likelier() -> None:
    content = "Name\nWróbel\nPaweł\n".encode("cp1250")

    with pytest.raises(EncodingUnclear):
        _detect(content, region="US")
    assert _detect(content, region="PL").encoding == "windows-1250"


def test_a_decision_that_rests_on_little_is_reported_with_two_encodings() -> None:
    doubts: list[EncodingGuess] = []

    form = _detect("Name\nSøren\n".encode("cp1252"), on_doubt=doubts.append)

    assert form.encoding == "windows-1252"
    assert doubts[0].candidates[0].examples == ("Søren",)
    assert len(doubts[0].candidates) == 2


@pytest.mark.parametrize("text", ["100 €", "O’Neil", "Acme® Ltd – “Best” ©"])
def test_symbols_alone_are_read_as_windows_1252(text: str) -> None:
    assert _detect(f"Name;Note\nBob;{text}\n".encode("cp1252")).encoding == "windows-1252"


def test_one_stray_byte_does_not_change_a_file_that_is_utf_8() -> None:
    assert _detect("Name\nZoë\nRenée\nJürgen\n".encode() + b"Ren\xe9\n").encoding == "utf-8"


def test_a_rare_letter_late_in_the_file_decides_between_encodings_that_were_equal() -> None:
    beginning = "Name\n" + "Müller\nSchäfer\nGröger\nPlain\n" * 20_000
    text = beginning + "Łukasz Wiśniewski\nStanisław Żak\nPaweł Święcicki\n"

    assert _detect(text.encode("cp1250")).encoding == "windows-1250"


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "gb18030", "cp949", "utf-8"])
def test_a_file_cut_in_the_middle_of_a_character_is_still_detected(encoding: str) -> None:
    language = {"gb18030": "Chinese", "cp949": "Korean"}.get(encoding, "Japanese")
    content = make_file(language, 50, 106).encode(encoding)
    last = content.rstrip(b"\r\n")

    assert _detect(last[:-1]).encoding == _detect(content).encoding


@pytest.mark.parametrize("encoding", ["utf-16le", "utf-16be"])
@pytest.mark.parametrize(
    "text",
    [
        "Name,City\r\nAnn,Rome\r\nBob,Oslo\r\n",
        "Name,City\rAnn,Rome\rBob,Oslo\r",
        "名前,都市\n佐藤上,東京\n鈴木不,大阪\n",
        "Name\n😀😀\n🎉 Ann\n",
    ],
)
def test_utf_16_without_a_mark_is_detected(encoding: str, text: str) -> None:
    assert _detect(text.encode(encoding)).encoding == encoding
    # Cut in the middle of a character.
    assert _detect(text.encode(encoding)[:-1]).encoding == encoding


def test_stray_nuls_do_not_make_a_file_utf_16() -> None:
    assert _detect(b"Name,City\nAnn\0,Rome\nBob,Oslo\0\0\n").encoding == "utf-8"


@pytest.mark.parametrize("name", ["cp1006", "mac-iceland", "hz", "iso2022_jp", "utf-32", "utf-7", "cp858"])
def test_every_text_encoding_of_python_can_be_named(name: str) -> None:
    assert FileOptions(encoding=name).encoding


@pytest.mark.parametrize("name", ["base64", "rot13", "zip", "idna", "unicode_escape", "undefined", "nothing"])
def test_codecs_that_are_not_encodings_of_files_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="is not supported"):
        FileOptions(encoding=name)


def test_a_mebibyte_is_decided_quickly() -> None:
    content = (make_file("Russian", 300, 107) * 60).encode("cp1251")[: 1 << 20]
    _detect(content)

    began = time.process_time()
    _detect(content)

    # 50 ms on a machine that does nothing else.
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("parts", "region"),
    [
        (1, None),
        (2, "PL"),
        pytest.param(1, "PL", marks=pytest.mark.long(daily=f"{_WHEREVER_A_PART_ENDS}[2-PL]")),
        pytest.param(2, None, marks=pytest.mark.long(daily=f"{_WHEREVER_A_PART_ENDS}[1-None]")),
    ],
)
def test_the_only_strange_word_is_found_wherever_a_part_of_the_file_ends(parts: int, region: str | None) -> None:
    before = (256 << 10) + (parts - 1 << 20)
    row = "Łukasz,Żółć,Świętosława,Grażyna,Wałęsa\n".encode("cp1250")
    # Each word cut once; in the long form at every byte.
    for offset in range(-len(row) - 1, 2, 1 if IS_LONG else 6):
        start = before + offset
        data = b"First,Last\n" + b"x" * (start - 12) + b"\n"
        assert len(data) == start
        data = data + row + b"Ann,Lee\n" * 10

        assert _detect(data, region=region).encoding == "windows-1250"


@pytest.mark.parametrize(
    ("codec", "text", "encoding"),
    [
        ("iso2022_jp", "Email,City\na@x.example,東京\n", "iso-2022-jp"),
        ("iso2022_jp_ext", "Email,City\na@x.example,ﾄｳｷｮｳ\n", "iso2022_jp_ext"),
        ("iso2022_kr", "Email,City\na@x.example,서울\n", "iso-2022-kr"),
    ],
)
@pytest.mark.parametrize("before", [0, 262_120, 262_121, 262_122])
def test_seven_bit_files_of_japan_and_korea_are_read_in_their_encoding(
    codec: str, text: str, encoding: str, before: int
) -> None:
    header, row, _ = text.split("\n")
    content = f"{header}\n{'a' * before}\n{row}\n"

    assert _detect(content.encode(codec)).encoding == encoding


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"Email,Last\na@x.example,J+APw-rgen\n", "utf-7, utf-8"),
        ("Email,Last\na@x.example,王小明\n".encode("hz"), "hz, utf-8"),
        (b"Email,Last\na@x.example,\x1b$B!\n", "iso-2022-jp"),
    ],
)
def test_ascii_that_may_be_a_seven_bit_encoding_is_refused_with_its_names(content: bytes, names: str) -> None:
    with pytest.raises(EncodingUnclear, match=f"it is ASCII.* Likely encodings: {names}"):
        _detect(content)


def test_plus_signs_tildes_and_codes_for_terminals_do_not_make_another_encoding() -> None:
    rows = ["ann+Abo-x@x.example", "+150-555", "+49-30-12345", "A+B-C", "C++-Fan", "Ann+Abc-Bo", "~{~}", "~{x}"]

    assert _detect("\n".join(["Text", *rows, "\x1b[1mbold\x1b(B\x1b[m", ""]).encode()).encoding == "utf-8"


def test_a_mebibyte_of_plus_signs_is_decided_quickly() -> None:
    content = b"Text\n" + b"a+" * (1 << 19)
    started = time.process_time()

    assert _detect(content).encoding == "utf-8"
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("language", "first", "second"),
    [
        ("German", "cp1252", "mac-roman"),
        ("German", "cp850", "cp1252"),
        ("French", "utf-8", "cp850"),
        ("Polish", "cp1250", "iso8859-2"),
        ("Russian", "cp1251", "koi8-r"),
        ("Spanish", "cp1252", "mac-roman"),
    ],
)
def test_a_file_whose_parts_have_different_encodings_is_refused_with_the_line_of_each(
    language: str, first: str, second: str
) -> None:
    more = make_file(language, 60, 102).partition("\r\n")[2]
    content = make_file(language, 50, 101).encode(first) + (more if first != "utf-8" else 9 * more).encode(second)

    with pytest.raises(EncodingsMixed) as refused:
        _detect(content)

    found = re.findall(r"([\w-]+) \(line (\d+)\)", str(refused.value))
    names = [canonical_encoding(one) for one in (first, second)]
    assert [name for name, _ in found] == names
    lines = [int(line) for _, line in found]
    assert (lines[0] < 10, 51 < lines[1] < 70) == (True, True)
    assert [one.encoding for one in refused.value.candidates] == names


def test_the_lines_and_the_words_of_both_encodings_are_those_of_their_parts() -> None:
    names = ["Jürgen", "Köln", "Jörg", "Münster", "Grünheide", "Düsseldorf", "Änne", "Größe", "Bärbel", "Würzburg"]
    rows = "".join(f"Street {number},{name}\n" for number, name in enumerate(names, 1))
    # The first part of the file ends within a line, the next one is ASCII, and the rest comes after it.
    plain = "Street 10,Ann\n" * 110_000

    with pytest.raises(EncodingsMixed) as refused:
        _detect(("Street,Name\n" + rows).encode("cp1252") + plain.encode() + (rows + "x,y").encode("mac-roman"))

    assert re.findall(r"([\w-]+) \(line ([\d,]+)\)", str(refused.value)) == [
        ("windows-1252", "2"),
        ("mac-roman", "110,012"),
    ]
    assert [one.examples for one in refused.value.candidates] == [("Jürgen", "Köln"), ("Jürgen", "Köln")]


def test_a_word_that_begins_at_the_end_of_a_part_is_found_whole_after_parts_without_strange_words() -> None:
    words = StrangeWords()
    words.add(b"First,Last\nAnn,Lee\nBo,", first_line=1)
    words.add(b"Di\nCy,Lee\nM", first_line=3)
    words.add("üller,Bö\nX".encode("cp1252"), first_line=5)
    words.add(b"y\n", first_line=6, is_last=True)

    assert dict(words.lines) == {"Müller".encode("cp1252"): 5, "Bö".encode("cp1252"): 5}


def test_a_file_of_one_encoding_with_sections_of_other_languages_is_not_taken_for_a_mixed_one() -> None:
    sections = [make_file(language, 40, 107) for language in ("German", "Spanish", "Danish", "French", "Portuguese")]
    text = "".join(sections) + "Acme® Ltd – “Best”;20°C;5 m²;Nataša;Šime;Žan;œuvre;½\r\n" * 3

    assert _detect(text.encode("cp1252")).encoding == "windows-1252"


@pytest.mark.parametrize("text", ["JÃ¼rgen;KÃ¶ln\nJürgen;Köln\nJörg;Münster\n" * 3])
def test_text_that_was_misread_before_is_refused_in_a_file_that_is_not_utf_8(text: str) -> None:
    with pytest.raises(EncodingsMixed, match="windows-1252"):
        _detect(("First;City\n" + text + "Märta;Grünheide\n" * 9).encode("cp1252"))
