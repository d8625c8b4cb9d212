"""Files that are not CSV are named for what they are; CSV files never are."""

from __future__ import annotations

import time

import pytest

from openprofiles.uploads.reading.other_kinds import find_other_kind
from workbooks import workbook


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"<html>\n<body><table>", "a web page (HTML)"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html>", "a web page (HTML)"),
        (b'<?xml version="1.0"?>\n<html xmlns="x">', "a web page (HTML)"),
        (b"<!-- exported --><table border=0>", "a web page (HTML)"),
        ("<TABLE>".encode("utf-16"), "a web page (HTML)"),
        (b'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>', "an XML spreadsheet (Excel 2003)"),
        (b'<?xml version="1.0"?><ss:Workbook xmlns:ss="x">', "an XML spreadsheet (Excel 2003)"),
        (b'<?xml version="1.0"?><customers>', "an XML file"),
        (b"<customers>\n  <customer>", "an XML file"),
        (b"BEGIN:VCARD\r\nVERSION:3.0", "an address book (vCard)"),
        (b"begin:vcard\n", "an address book (vCard)"),
        (b"BEGIN:VCALENDAR\n", "a calendar"),
        (b"version: 1\ndn: cn=Ada,o=x\n", "a directory export (LDIF)"),
        (b"-- MySQL dump 10.13  Distrib 8.0.36\n--\n", "an SQL dump"),
        (b"--\n-- PostgreSQL database dump\n--\n\n", "an SQL dump"),
        (b"-- Export\n\nDROP TABLE IF EXISTS `c`;\n", "an SQL dump"),
        (b"INSERT INTO customers (id, email) VALUES (1, 'a@x.com');\n", "an SQL dump"),
        (b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n", "an SQL dump"),
        (b"/*!40101 SET NAMES utf8 */;\n", "an SQL dump"),
        (b"%PDF-1.7\n", "a PDF document"),
        (rb"{\rtf1\ansi", "a text document (RTF)"),
        (b'[{"a": 1}]', "JSON"),
        (b'{\n "a" : 1}', "JSON"),
        (b"PK\x03\x04" + bytes(50), "a ZIP archive or an Excel workbook"),
        (b"PK\x03\x04" + bytes(26) + b"customers.csv", "a ZIP archive"),
        (b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument", "an OpenDocument file (.ods)"),
        (b"PK\x03\x04[Content_Types].xml" + bytes(99) + b"xl/workbook.bin", "a binary Excel workbook (.xlsb)"),
        (workbook({"A": ""}), "an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls), or one with a password"),
        (b"customers.csv" + bytes(244) + b"ustar\x0000", "a tar archive"),
    ],
)  # fmt: skip
def test_a_file_is_named_for_what_it_is(head: bytes, name: str) -> None:
    kind = find_other_kind(head)

    assert kind is not None
    assert kind.name == name
    assert kind.advice.endswith(".")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"Email,Name\n",
        b"PARENT,Name\n",
        b"ORCID,Name\n",
        b"GIF8,Name\n",
        b"BZh,Name\n",
        b"<Email>,<Name>\n<a@example.com>,<Ada>\n",
        b"<Email>\t<Name>\n",
        b"<b>Email</b>;Name\n",
        b"xml,html\n",
        b"[Email],[Name]\n",
        b"{Email},{Name}\n",
        b'"{""a"": 1}",b\n',
        b"BEGIN:VCARDS,Name\n",
        b"dn,cn\n",
        b"Insert into,Name\n",
        b"-- Customers of May --\nEmail,Name\n",
        "Größe;Straße\n".encode("windows-1252"),
    ],
)
def test_a_header_of_csv_is_not_mistaken(head: bytes) -> None:
    assert find_other_kind(head) is None


@pytest.mark.parametrize(
    "head",
    [
        b"<!---->" * 10_000,
        b"<?xml " * 10_000,
        b"<a " + b"a='" * 10_000,
        b"{" * 10_000,
        b"--\n " * 10_000,
        b'{"' + b"\\" * 10_000,
    ],
)
def test_recognizing_a_file_takes_no_time(head: bytes) -> None:
    started = time.process_time()

    find_other_kind(head)

    assert time.process_time() - started < 0.5
