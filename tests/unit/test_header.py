"""Where the header of a file is, whether its first row is one, and the delimiter that its names suggest."""

from __future__ import annotations

from pathlib import Path

import pytest

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.mappings.header_evidence import doubt_header
from openprofiles.uploads.reading.detect_header import RowAboveHeader
from openprofiles.uploads.reading.file_form import NO_HEADER, STRICT_OPTIONS, FileForm, FileOptions
from openprofiles.uploads.reading.file_sample import FileSample, sample_beginning

ROWS = "ada@example.com,Ada,Rome\nbo@example.com,Bo,Oslo\ncy@example.com,Cy,Bonn\n"
HEADER = "Email,First name,City\n"


def read(text: str, **given: str | int) -> tuple[FileForm, FileSample]:
    return sample_beginning(text.encode(), FileOptions(**given), is_whole=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("above", "line"),
    [
        ("", None),
        ("\n , ,\n", None),
        ("Customer export\nDate: 2026-01-01\n\n", 4),
        ("Report,Customers\nDate,2026-01-01\n", 3),
        ("Report,,\n,,\n", 3),
        (",Person,Address\n", 2),
        ("Period,01.10.25 - 31.10.25\n", 2),
        ('Exported by "ACME, 5" disks\n', 2),
        ("Report\n" * 19, 20),
        ('Notes:\n"When exporting, some addresses are missing. See ""Settings"", ""Privacy""."\n\n', 4),
    ],
)
def test_lines_above_the_header_are_skipped_and_kept_for_people(above: str, line: int | None) -> None:
    form, sample = read(above + HEADER + 9 * ROWS)

    assert form.header_line == line
    assert (sample.headers, len(sample.rows)) == (["Email", "First name", "City"], 27)
    assert list(sample.lines_above.values()) == ([one for one in above.split("\n") if one.strip(" ,")] if line else [])


COLUMNS = {"Email", "First name", "City", "Zip"}
WIDE = "Email,First name,City,Zip\nada@example.com,Ada,Rome,00118\nbo@example.com,Bo,Oslo,0150\n"


@pytest.mark.parametrize(
    ("above", "line"),
    [
        ("zed@example.com,Zed,,\n", 1),
        ("Report\n,,,\nZed,Oslo,+47 22 12 34 56,\n", 3),
        ("-,Zed,Oslo,0151\n", 1),
    ],
)
def test_a_row_above_the_header_that_has_the_columns_of_the_mapping_is_refused(above: str, line: int) -> None:
    with pytest.raises(RowAboveHeader, match=f"line {line} above it seems to be a row"):
        sample_beginning((above + WIDE).encode(), FileOptions(), columns=COLUMNS)
    form, _ = sample_beginning((above + WIDE).encode(), FileOptions(header_line=line + 1), columns=COLUMNS)

    assert form.header_line == line + 1


@pytest.mark.parametrize(
    "above",
    [
        "Customer export,2026\n",
        "Export,Rome,May 2026,\n",
        "E-Mail,Vorname,Ort,PLZ\n",
        "Export,Rome,Ada,2026-05-01\n",
        "Period,01.10.25 - 31.10.25\n",
    ],
)
def test_a_title_above_the_header_that_has_the_columns_of_the_mapping_is_skipped(above: str) -> None:
    form, _ = sample_beginning((above + WIDE).encode(), FileOptions(), columns=COLUMNS)

    assert form.header_line == 2


@pytest.mark.parametrize(
    "text",
    [
        "Customer export\nCode,Label,Place\n1,a,x\n2,b,y\n",
        "Customer export\nEmail,First name\n" + ROWS,
        "Customer export\nEmail,First name,2026\n" + ROWS,
        "Report\n" * 20 + HEADER + ROWS,
        "Foo,Bar,Baz\n" + HEADER + ROWS,
        "Email,2025,City,\n1,2,3,4\n" + HEADER,
        HEADER.replace("\n", ",\n") + 3 * ROWS + HEADER + 3 * ROWS,
        "Email,First name,City,Street\nAda,Rome,x\n" + HEADER + ROWS,
        "Foo,Bar\n" + ROWS + HEADER + ROWS,
        "Foo,Bar\nAda,+49 30 123456\n" + HEADER + ROWS,
    ],
    ids=[
        "unknown names",
        "fewer cells than the rows",
        "a number",
        "line 21",
        "a first row as wide",
        "known names first",
        "a last name is blank",
        "known names first, more than cells",
        "an email address above",
        "a phone number above",
    ],
)
def test_no_line_is_skipped_above_a_row_that_may_not_be_the_header(text: str) -> None:
    assert read(text)[0].header_line is None


def test_the_line_of_the_header_can_be_named_and_blank_lines_after_it_do_not_matter() -> None:
    text = 'Name;"broken\n\n' + "Email;First name\nada@example.com;Ada\n"

    for line in (2, 3):
        form, sample = read(text, header_line=line)

        assert (form.header_line, form.delimiter, sample.headers) == (line, ";", ["Email", "First name"])
        assert sample.rows == [["ada@example.com", "Ada"]]
    assert read(HEADER + ROWS, header_line=2)[1].headers == ["ada@example.com", "Ada", "Rome"]
    with pytest.raises(InvalidRequest, match="no row on line 9 or below"):
        read(HEADER + ROWS, header_line=9)


def test_a_file_without_a_header_has_numbered_columns_as_many_as_most_of_its_rows() -> None:
    form, sample = read("zoe@example.com,Zoe\n" + ROWS, header_line=NO_HEADER)

    assert sample.headers == ["Column 1", "Column 2", "Column 3"]
    assert [row[0] for row in sample.rows] == ["zoe@example.com", "ada@example.com", "bo@example.com", "cy@example.com"]
    assert (form.describe(), form.to_options()) == (
        "utf-8, commas, LF, no header",
        FileOptions(encoding="utf-8", delimiter=",", quote='"', line_ends="LF", header_line=NO_HEADER),
    )


@pytest.mark.parametrize("given", [{}, {"header_line": 1}, {"header_line": 2}])
@pytest.mark.parametrize("line", ["sep=;\n", '"SEP=;"\r\n', "sep=; \n\n"])
def test_a_line_that_names_the_delimiter_is_not_the_header(line: str, given: dict[str, int]) -> None:
    form, sample = read(line + "E-Mail;Name, First\nada@example.com;Ada\n", **given)

    assert (form.delimiter, form.header_line, sample.headers) == (";", 2, ["E-Mail", "Name, First"])
    assert sample.lines_above == {}


def test_a_line_that_names_a_delimiter_precedes_rows_without_a_header_and_lines_above_one() -> None:
    assert read("sep=;\na@x;A\n", header_line=NO_HEADER)[1].rows == [["a@x", "A"]]
    assert read("sep=;\nReport\nEmail;Name\na@x.example;A\n")[0].header_line == 3
    assert read("sep=^\nEmail^Name\na@x.example^A\n")[0].delimiter == "^"
    with pytest.raises(InvalidRequest, match="Line 1 of the file names ':' as its delimiter"):
        read("sep=:\nEmail:Name\n")


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("E-Mail;Name, Vorname\na@x.example;Meier, Ann\nb@x.example;Beck, Bo\n", ";"),
        ("Email,Notes;Remarks\na@x.example,a;b\nb@x.example,c;d\n", ","),
        ("Report, of customers\nE-Mail;Name;Ort\na@x.example;Ann;Bonn\nb@x.example;Bo;Ulm\n", ";"),
        ("Email\na;b@x.example\nc;d@x.example\n", ","),
    ],
)
def test_the_delimiter_is_the_one_whose_header_makes_sense(text: str, delimiter: str) -> None:
    assert read(text)[0].delimiter == delimiter


@pytest.mark.parametrize("delimiter", ["^", "~"])
def test_a_caret_and_a_tilde_are_delimiters_if_they_are_named(delimiter: str) -> None:
    text = f"Email{delimiter}Name\na@x.example{delimiter}Ann\n"

    assert read(text)[1].headers == [text.partition("\n")[0]]
    assert read(text, delimiter=delimiter)[1].rows == [["a@x.example", "Ann"]]


def test_with_the_rules_of_aws_the_first_row_is_the_header_whatever_stands_there() -> None:
    for text in ("Customer export\n" + HEADER + ROWS, "sep=;\n" + HEADER + ROWS):
        form, sample = sample_beginning(text.encode(), STRICT_OPTIONS, strict=True)

        assert form.header_line is None
        assert sample.headers == [text.partition("\n")[0]]


# Whether the first row is a header


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ROWS, "its cell 1 is an email address"),
        ("Ada,+49 30 1234567\nBo,+49 30 1234568\n", "its cell 2 is a phone number"),
        ("Email,Name,info@example.com\na@example.com,A,\n", "its cell 3 is an email address"),
        ("a@example.com\n", "its cell 1 is an email address"),
        ("10001,Ada,2026-01-01\n10002,Bo,2026-02-01\n", "its cells look like the values below them"),
        ("C-1001,Ada,\nC-1002,Bo,x\nC-1003,Cy,y\n", "its cells look like the values below them"),
        ("Ada,Rome,gold\nBo,Oslo,gold\nCy,Bonn,silver\n", "its cells look like the values below them"),
        ("Mobile,1\nMobile,2\nHome,3\n", "its cells look like the values below them"),
        ("Shop,2025,2026\nRome,5,6\nOslo,7,8\n", "its cells look like the values below them"),
    ],
)
def test_a_first_row_that_looks_like_values_is_doubted(text: str, reason: str) -> None:
    _, sample = read(text)

    assert doubt_header(sample.headers, sample.rows) == reason


@pytest.mark.parametrize(
    "text",
    [
        HEADER + ROWS,
        HEADER,
        HEADER + HEADER + ROWS,
        "PRODUCT,PRICE,SOLD\nC-1,5.00,7\nC-2,6.00,8\nPRODUCT,PRICE\nC-3,7.00\n",
        "PRODUCT,PRICE,SOLD\nC-1,5.00,7\nC-2,6.00,8\nPRODUCT,PRICE,SOLD,LEFT\nC-3,7.00,1,2\n",
        "Name,2025,2026\nAda,5,6\nBo,7,8\n",
        "Code,Label\nC-1,x\nC-2,y\n",
        "Address 1,Address 2\nMain Street 5,\nHigh Street 7,\n",
        "a,b\nc,d\ne,f\n",
        "1st,2nd\nx,y\nz,w\n",
    ],
)
def test_a_first_row_of_names_is_not_doubted(text: str) -> None:
    _, sample = read(text)

    assert doubt_header(sample.headers, sample.rows) is None


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "exports").glob("*.csv")), ids=lambda path: path.stem)
def test_the_headers_of_known_exports_are_found_and_not_doubted(path: Path) -> None:
    form, sample = sample_beginning(path.read_bytes(), is_whole=True)

    assert doubt_header(sample.headers, sample.rows) is None
    assert form.header_line is None


HTML_WARNING = "<br />\n<b>Warning</b>:  Undefined variable $x in <b>/var/www/export.php</b> on line <b>12</b><br />\n"


@pytest.mark.parametrize(
    "above",
    [
        HTML_WARNING,
        "\n" + 3 * HTML_WARNING,
        "PHP Notice:  Undefined index: a in /var/www/x.php on line 3\n\nWarning: b in /var/www/x.php on line 4\n",
        "<font size='1'><table class='xdebug-error'>\n<tr><th>( ! ) Notice: a in /x.php on line <i>3</i></th></tr>\n"
        "</table></font>\n" + HTML_WARNING,
        "+------+-------+\n",
        "\n|------|-------|\n",
    ],
)
def test_messages_of_a_program_above_the_table_are_skipped(above: str) -> None:
    form, sample = read(above + "code|label\n1|a\n2|b\n")

    assert form.header_line == above.count("\n") + 1
    assert (sample.headers, len(sample.rows)) == (["code", "label"], 2)
    assert list(sample.lines_above.values()) == [line for line in above.split("\n") if line]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (HTML_WARNING, "an XML file"),
        (HTML_WARNING + "<table><tr><td>a,b</td></tr></table>\n", "an XML file"),
        (HTML_WARNING + "Some text, more text.</p>\n", "an XML file"),
        ("<html>\n" + HTML_WARNING + "</html>", "a web page"),
    ],
)
def test_a_web_page_with_messages_of_a_program_is_not_a_table(text: str, kind: str) -> None:
    with pytest.raises(InvalidRequest, match=kind):
        read(text)


@pytest.mark.parametrize("rule", ["|---:|:------|", "----+-------", "+----+-------+"])
def test_a_ruled_line_below_the_header_is_skipped(rule: str) -> None:
    form, sample = read(f"| code | label |\n{rule}\n| C1 | a |\n| C2 | b |\n| C3 | c |\n")
    other = read(f"code,label\n{rule},\n")[1]

    assert (form.header_line, form.skips_blanks) == (None, True)
    assert [cells[1].strip() for cells in sample.rows] == ["C1", "C2", "C3"]
    assert len(other.rows) == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("rule", [["----------", "---------", "-----"], ["--        ", "---      ", "-    "]])
def test_a_line_of_dashes_below_the_header_is_skipped_whatever_the_delimiter_is(
    delimiter: str, rule: list[str]
) -> None:
    lines = [["CustomerID", "FirstName", "Email"], rule, ["1", "Ana", "a@a.example"], ["2", "Bo", "b@a.example"]]

    form, sample = read("".join(delimiter.join(cells) + "\n" for cells in lines))

    assert (form.delimiter, form.header_line) == (delimiter, None)
    assert (sample.headers, [cells[1].strip() for cells in sample.rows]) == (lines[0], ["Ana", "Bo"])


@pytest.mark.parametrize("row", ["-,-,-", "--,Ana,--", "---", "--,,-5"])
def test_a_row_with_some_dashes_below_the_header_is_a_row(row: str) -> None:
    assert len(read(f"CustomerID,FirstName,Email\n{row}\n2,Bo,b@a.example\n")[1].rows) == 2


def test_as_aws_reads_a_file_messages_above_the_table_are_not_skipped() -> None:
    with pytest.raises(InvalidRequest, match="an XML file"):
        sample_beginning((HTML_WARNING + HEADER + ROWS).encode(), STRICT_OPTIONS, strict=True)
