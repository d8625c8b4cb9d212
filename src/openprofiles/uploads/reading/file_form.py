"""The form of a customers' file: compression, encoding, delimiter, quoting and line ends; as given, and as found."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.reading.dialect import Dialect

# CRCRLF: what becomes of CRLF where it is written as text a second time.
NO_QUOTE = "none"
# As many as the widest spreadsheets have. A header of a million commas would cost a minute and gigabytes.
MAX_COLUMNS = 16_384

# The ``header_line`` of a file without a header.
NO_HEADER = 0
# The only column of a file of JSON objects, and what no JSON text has, which stands for its delimiter.
OBJECT_COLUMN = "Object"
_NO_DELIMITER = "\x1f"

UTF_8 = "utf-8"
WINDOWS_1252 = "windows-1252"

# By the names that Python's codecs give themselves. Latin-1 is read as Windows-1252, as browsers do: what it has in
# other places are control characters, which nobody means.
_ENCODINGS = {
    "ascii": UTF_8,
    "utf-8": UTF_8,
    "utf-8-sig": UTF_8,
    "utf-16": "utf-16",
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be",
    "cp1252": WINDOWS_1252,
    "iso8859-1": WINDOWS_1252,
    **{f"cp{number}": f"windows-{number}" for number in (1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258)},
    **{f"iso8859-{number}": f"iso-8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)},
    **{f"cp{number}": f"cp{number}" for number in (437, 737, 775, 850, 852, 857, 862, 866, 874, 932, 949)},
    **{name: name for name in ("mac-roman", "mac-latin2", "mac-cyrillic", "koi8-r", "koi8-u", "utf-7", "hz")},
    **{name: name for name in ("shift_jis", "gb18030", "big5")},
    **{f"euc_{language}": f"euc-{language}" for language in ("jp", "kr")},
    **{f"iso2022_{language}": f"iso-2022-{language}" for language in ("jp", "kr")},
}

# Python calls them text encodings, but they encode names of hosts and source code, not files.
_NOT_OF_FILES = frozenset(("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"))

DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", "^": "carets", "~": "tildes"}


def encodings() -> list[str]:
    """List the names of the usual encodings; Python's other text encodings can be named, too."""
    return sorted({*_ENCODINGS.values()})


def canonical_encoding(name: str) -> str:
    """Return the usual name of an encoding.

    Raises:
        InvalidRequest: Python has no text encoding of this name.
    """
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        codec = None
    # Python also has codecs that do not encode text, such as base64 and zip.
    if codec is None or not codec._is_text_encoding or codec.name.replace("_", "-") in _NOT_OF_FILES:
        known = ", ".join(encodings())
        raise InvalidRequest(
            f"The encoding {name!r} is not supported. Use one of these, or another of Python's text encodings: {known}."
        )
    return _ENCODINGS.get(codec.name, codec.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """What a caller says of the form of the file; what is None is detected.

    Attributes:
        header_line: the line on which the header begins, or after which it does if that line is blank; NO_HEADER if
            there is none.
        first_row: for a file that was made from a table whose cells may have several lines: the rows are numbered
            instead of the lines, blank ones too, and this is the number of the first one.

    Raises:
        InvalidRequest: Python has no such encoding; the message names the usual ones.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    line_ends: str | None = None
    header_line: int | None = None
    first_row: int | None = None

    def __post_init__(self) -> None:
        if self.encoding is not None:
            object.__setattr__(self, "encoding", canonical_encoding(self.encoding))

    @property
    def given(self) -> tuple[str, ...]:
        """The names of those that are given."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) is not None)


# The only form that AWS accepts.
STRICT_OPTIONS = FileOptions(encoding=UTF_8, delimiter=",", quote='"', line_ends="LF")
# The form of the CSV that a sheet of a workbook is turned into.
TABLE_OPTIONS = FileOptions(encoding=UTF_8, delimiter=",", quote='"', line_ends="LF", first_row=1)


_READER_ATTRIBUTES = ("joins_lines", "column_count", "skips_blanks", "skips_blank_rows", "is_json_lines")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileForm:
    """What a file is read as.

    Attributes:
        compression: none, gzip or zstd.
        encoding: by its usual name.
        has_byte_order_mark: whether it begins with one.
        delimiter: the character between cells.
        quote: the character around cells, or ``none``.
        line_ends: LF, CRLF, CR or CRCRLF, as at the beginning of the file. LF and CRLF are both read, whichever it is.
        joins_lines: whether detected single quotes may hold line ends, since they do so in the beginning of the file.
        header_line: as in ``FileOptions``; None: the header is the first row that is not blank.
        column_count: of a file without a header; else 0.
        skips_blanks: whether blanks after delimiters and around quotes do not belong to the cells.
        skips_blank_rows: whether rows of delimiters alone are skipped; AWS reads them.
        first_row: as in ``FileOptions``.
        is_json_lines: whether each line is a JSON object, which is the only cell of its row.
        given: those of ``FileOptions`` that were not detected.
    """

    compression: str = "none"
    encoding: str = UTF_8
    has_byte_order_mark: bool = False
    delimiter: str = ","
    quote: str = '"'
    line_ends: str = "LF"
    joins_lines: bool = False
    header_line: int | None = None
    column_count: int = 0
    skips_blanks: bool = False
    skips_blank_rows: bool = False
    first_row: int | None = None
    given: tuple[str, ...] = ()
    is_json_lines: bool = False

    @classmethod
    def json_lines(cls, compression: str) -> FileForm:
        """Make the form of a file with a JSON object on each line."""
        return cls(
            compression=compression,
            delimiter=_NO_DELIMITER,
            quote=NO_QUOTE,
            header_line=NO_HEADER,
            column_count=1,
            skips_blank_rows=True,
            is_json_lines=True,
        )

    def to_options(self) -> FileOptions | None:
        """Convert the form to a job's options; None if the job would detect it, strict or not."""
        is_usual = (
            self.encoding == UTF_8
            and self.line_ends in ("LF", "CRLF")
            and (self.delimiter, self.quote, self.header_line) == (",", '"', None)
        )
        if not self.given and is_usual:
            return None
        return FileOptions(
            encoding=self.encoding,
            delimiter=self.delimiter,
            # Where it is given, blanks belong to the cells.
            quote=None if self.skips_blanks else self.quote,
            line_ends=self.line_ends,
            header_line=self.header_line,
            first_row=self.first_row,
        )

    @property
    def is_plain(self) -> bool:
        """Whether its bytes can be read as they are."""
        is_changed = self.line_ends not in ("LF", "CRLF") or self.skips_blanks or self.is_cleaned
        return self.compression == "none" and self.encoding == UTF_8 and not is_changed

    @property
    def is_cleaned(self) -> bool:
        """Whether stray marks and text formulas, which programs leave in CSV files, are removed.

        A file that was made from a table has only values.
        """
        return not self.is_strict and self.first_row is None and not self.is_json_lines

    @property
    def is_strict(self) -> bool:
        """Whether it is read as AWS reads it."""
        return not self.skips_blank_rows

    @property
    def dialect(self) -> Dialect:
        quote = None if self.quote == NO_QUOTE else self.quote
        return Dialect(self.delimiter, quote, self.skips_blank_rows, self.first_row)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "given": list(self.given)}

    def to_document(self) -> dict[str, Any]:
        """Make the document for programs, without what only the reader needs."""
        return {name: value for name, value in self.to_json().items() if name not in _READER_ATTRIBUTES}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> FileForm:
        """Read the result of ``to_json``; for a job of an earlier version, return the form all had."""
        return cls() if stored is None else cls(**{**stored, "given": tuple(stored["given"])})

    def describe(self) -> str:
        """Describe the form for people, as part of a sentence: ``windows-1252, semicolons, CRLF``."""
        if self.is_json_lines:
            return ", ".join(["JSON lines", *([self.compression] if self.compression != "none" else [])])
        parts = [self.encoding, DELIMITER_NAMES[self.delimiter]]
        if self.quote != '"':
            parts.append("single quotes" if self.quote == "'" else "no quoting")
        if self.skips_blanks:
            parts.append("blanks after delimiters")
        parts.append(self.line_ends)
        if self.has_byte_order_mark:
            parts.append("byte order mark")
        if self.header_line == NO_HEADER:
            parts.append("no header")
        elif self.header_line is not None:
            parts.append(f"header on line {self.header_line}")
        if self.compression != "none":
            parts.append(self.compression)
        return ", ".join(parts)
