"""Recognize files that are not CSV from their first bytes, and say what to do with them."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from openprofiles.errors import InvalidRequest

_SAVE_AS_CSV = (
    "An upload job needs a text file: save it as CSV. The command openprofiles import also reads Excel workbooks "
    "(.xlsx), Parquet files and JSON."
)
_READ_BY_IMPORT = "An upload job needs a CSV file. The command openprofiles import reads this file as it is."
_SAVE_IN_EXCEL = "Open it in Excel or LibreOffice, and save it as a workbook (.xlsx) or as CSV."
_SAVE_UNLOCKED = "Open it in Excel or LibreOffice, and save it as a workbook (.xlsx) without a password, or as CSV."
_UNPACK = "Unpack it, and import the files in it one by one."
_PACK_AGAIN = "Unpack it first. Only gzip and zstd are unpacked while a file is read."
_EXPORT_AS_CSV = "Export the data as CSV from the program that made it."
_CONTACTS = "Import it into an address book or a spreadsheet, and export the contacts from there as CSV."
_EXPORT_TABLE = "Export the customer table from the database as CSV."
_TABLE_ONLY = "Open it in a spreadsheet, and save the table as CSV."


@dataclass(frozen=True, slots=True)
class OtherKind:
    """A kind of file that is not CSV.

    Attributes:
        name: with its article, such as ``a PDF document``.
        advice: what to do with it, in a sentence.
    """

    name: str
    advice: str = _SAVE_AS_CSV


_ZIP = b"PK\x03\x04"
# What the first kilobytes of a ZIP archive show of its content.
_IN_ZIP = (
    (re.compile(rb"mimetypeapplication/vnd\.oasis"), OtherKind("an OpenDocument file (.ods)", _SAVE_IN_EXCEL)),
    (re.compile(rb"xl/workbook\.bin"), OtherKind("a binary Excel workbook (.xlsb)", _SAVE_IN_EXCEL)),
    (re.compile(rb"word/document\.xml"), OtherKind("a Word document", _TABLE_ONLY)),
    (re.compile(rb"Index/Document\.iwa"), OtherKind("a Numbers spreadsheet", "Export it from Numbers as CSV.")),
    (re.compile(rb"\[Content_Types\]\.xml|xl/"), OtherKind("an Excel workbook", _SAVE_AS_CSV)),
    (re.compile(rb"\.csv|\.txt|\.tsv", re.IGNORECASE), OtherKind("a ZIP archive", _UNPACK)),
)
_BY_MAGIC = (
    (_ZIP, OtherKind("a ZIP archive or an Excel workbook")),
    (b"PAR1", OtherKind("a Parquet file")),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        OtherKind("an old Excel workbook (.xls), or one with a password", _SAVE_UNLOCKED),
    ),
    (b"%PDF-", OtherKind("a PDF document", _EXPORT_AS_CSV)),
    (rb"{\rtf", OtherKind("a text document (RTF)", _TABLE_ONLY)),
    (b"\x89PNG\r\n", OtherKind("a picture (PNG)", _EXPORT_AS_CSV)),
    (b"\xff\xd8\xff", OtherKind("a picture (JPEG)", _EXPORT_AS_CSV)),
    (b"GIF87a", OtherKind("a picture (GIF)", _EXPORT_AS_CSV)),
    (b"GIF89a", OtherKind("a picture (GIF)", _EXPORT_AS_CSV)),
    (b"BZh91AY&SY", OtherKind("compressed with bzip2", _PACK_AGAIN)),
    (b"\xfd7zXZ\x00", OtherKind("compressed with xz", _PACK_AGAIN)),
    (b"7z\xbc\xaf\x27\x1c", OtherKind("a 7z archive", _UNPACK)),
    (b"Rar!\x1a\x07", OtherKind("a RAR archive", _UNPACK)),
    (b"SQLite format 3\x00", OtherKind("a SQLite database", _EXPORT_AS_CSV)),
    (b"Obj\x01", OtherKind("an Avro file", "Write it as Parquet or CSV.")),
    (b"ARROW1\x00\x00", OtherKind("an Arrow file", "Write it as Parquet or CSV.")),
)
_TAR = OtherKind("a tar archive", _UNPACK)
# A header of CSV may begin with such a word, but not with the punctuation around it.
_BY_TEXT = (
    (re.compile(r"<\?xml[^>]*\?>\s*(?><!--.*?-->\s*)*+(<\?mso-application|<(\w+:)?Workbook\b)", re.DOTALL),
     OtherKind("an XML spreadsheet (Excel 2003)", _SAVE_IN_EXCEL)),
    (re.compile(r"(<\?xml[^>]*\?>\s*)?(?><!--.*?-->\s*)*+<(!doctype html|html|head|body|meta|style|table|div)\b",
                re.IGNORECASE | re.DOTALL),
     OtherKind("a web page (HTML)", _SAVE_IN_EXCEL)),
    (re.compile(r"<\?xml\b|<[A-Za-z_][\w.:-]*(\s[^<>]*)?>(\s*\n\s*)?<"), OtherKind("an XML file", _EXPORT_AS_CSV)),
    (re.compile(r"BEGIN:VCARD\s", re.IGNORECASE), OtherKind("an address book (vCard)", _CONTACTS)),
    (re.compile(r"BEGIN:VCALENDAR\s", re.IGNORECASE), OtherKind("a calendar", _EXPORT_AS_CSV)),
    (re.compile(r"(version: 1\s+)?dn: \w+=", re.IGNORECASE), OtherKind("a directory export (LDIF)", _CONTACTS)),
    (re.compile(r"(--\s*)?-- (MySQL|MariaDB|PostgreSQL database|phpMyAdmin SQL) dump\b|/\*!\d{5}"
                r"|(?:--[^\n]*\n|\s)*+((INSERT INTO|(CREATE|DROP) TABLE) [`\"\[\w]|BEGIN TRANSACTION;|PRAGMA \w+ ?=)",
                re.IGNORECASE),
     OtherKind("an SQL dump", _EXPORT_TABLE)),
    (re.compile(r'\[?\s*\{\s*(\}|"([^"\\\n]|\\.)*"\s*:)'), OtherKind("JSON", _READ_BY_IMPORT)),
)  # fmt: skip
_HEAD_BYTES = 4096
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16le", codecs.BOM_UTF16_BE: "utf-16be"}


def find_other_kind(head: bytes) -> OtherKind | None:
    """Find the kind of a file that is not CSV; None if it may be.

    Args:
        head: its first bytes, decompressed.
    """
    head = head[:_HEAD_BYTES]
    if head.startswith(_ZIP):
        for pattern, kind in _IN_ZIP:
            if pattern.search(head):
                return kind
    for magic, kind in _BY_MAGIC:
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar":
        return _TAR
    text = head.decode(_UTF_16.get(head[:2], "utf-8"), "replace").lstrip("\ufeff \t\r\n")
    for text_pattern, kind in _BY_TEXT:
        if text_pattern.match(text):
            return kind
    return None


def refuse_other_kinds(head: bytes) -> None:
    """Refuse a file that is not CSV.

    Raises:
        InvalidRequest: it is not; the message names its kind and what to do.
    """
    if (kind := find_other_kind(head)) is not None:
        raise InvalidRequest(f"The content of the file shows that it is {kind.name}. {kind.advice}")
