"""Recognize text that a program damaged before it wrote the file: ``JÃ¼rgen``, ``J?rgen``, ``<b>J&uuml;rgen</b>``.

The file is valid UTF-8, so its bytes show nothing. The characters do: a letter that begins a misread
character, followed by a symbol that hardly ever stands after this letter. Or the text has a question mark between two
letters, or an escape sequence of HTML, JSON, a URL, email or a database, outside of a value in which these are normal.
Or the whole value is formatted for a web page, in HTML or Markdown. Or a line break is spelled out.
"""

from __future__ import annotations

import re

from openprofiles.facts.sql_text import sql_text

# What the second bytes of UTF-8 are in windows-1252, without quotation marks, dashes and others that may end a text.
_SYMBOLS = "\x80-\x9f€‚ƒ„†‡ˆ‰Š‹ŒŽ•˜™š›œžŸ¡¢£¤¥¦§¨©ª«¬\xad®¯°±²³´µ¶·¸¹º¼½¾¿"
REPLACEMENT = "\ufffd"
_AFTER = {
    # Windows-1252, of the western languages and of their signs.
    "Ã": _SYMBOLS + "\xa0–“‘",
    "Â": _SYMBOLS + "\xa0»",
    # Of the Central European ones, and of Cyrillic.
    "Ä": "‡™›¹ºª½¾±²³¯€",
    "Å": "‚„‡›œºª¼½¾¡¢£¤¥¦§¨©¯°±²³¶·¸",
    "Ð": "\x81\x8d\x8f\x90\x9d‡†‰˜™š›œžŸ¡¢£¤¥¦§¨©ª«¬\xad®¯°±²³´µ¶·¸¹º»¼½¾¿",
    "Ñ": "\x81\x8f€‚ƒ„†‡ˆ‰Š‹Œ",
    # Windows-1250.
    "Ă": "¤¶¨©±ˇźĽłˇ",
    # Mac OS Roman and the code pages of DOS.
    "√": bytes(range(0x80, 0xC0)).decode("mac-roman"),
    "├": bytes(range(0x80, 0xC0)).decode("cp850"),
    # Quotation marks, dashes and the euro sign.
    "â": "€",
    # Which programs write for bytes that they cannot decode.
    REPLACEMENT: "",
}
MISREAD_LETTERS = tuple(_AFTER)
_LETTER_PATTERN = "|".join(f"{first}[{after}]" if after else first for first, after in _AFTER.items())

_NAMES_OF_SIGNS = "amp|lt|gt|quot|apos|nbsp|[nm]dash|[lr][sd]quo|euro"
_NAMES_OF_MARKS = "uml|acute|grave|circ|tilde|cedil|ring|caron|slash|strok|ogon|breve|macr|dot|dblac"
_ENTITY = (
    f"&(?:#[0-9]{{2,7}}|#[xX][0-9a-fA-F]{{2,6}}|{_NAMES_OF_SIGNS}|[A-Za-z](?:{_NAMES_OF_MARKS})|szlig|(?:AE|OE|ae|oe)lig"
    "|eth|ETH|thorn|THORN);"
)
# Of an accented letter, a typographic mark, or two characters in a row: not CORP\\u1234 or CORP\\ufaber, two users.
_HEX = "[0-9a-fA-F]"
_ESCAPE = rf"\\u(?:00[a-fA-F]{_HEX}|(?:01[0-7]|20[12])(?:[a-fA-F]|[0-9][a-z])|(?:[0-9a-fA-F]{{4}}\\u[0-9a-fA-F]{{4}}))"
_NEXT_BYTE = "%[89abAB][0-9a-fA-F]"
_PERCENT = f"%(?:[cC][2-9a-fA-F]|[dD]{_HEX}|[eE]{_HEX}{_NEXT_BYTE}){_NEXT_BYTE}"

# A question mark for a letter: not the question mark of an address of a web page, or of a sentence.
_QUESTION_MARK = r"[A-Za-z]\?{1,2}[A-Za-z]+"
_OF_ADDRESSES = r"A-Za-z0-9_=&/%\["
# It begins with what few texts have, which is found fastest.
_QUESTION_MARK_IN_BYTES = rf"\?(?<=[A-Za-z]\?)\??[A-Za-z]+(?![{_OF_ADDRESSES}])"
# Of email: an encoded word, and two bytes of UTF-8.
_ENCODED_WORD = r"=\?[A-Za-z0-9_-]{3,20}\?[QqBb]\?"
_QUOTED_PRINTABLE = "=C[2-9A-F]=[89AB][0-9A-F]"
# Of databases, as in O\\'Neil.
_APOSTROPHE = r"[A-Za-z]\\'[A-Za-z]"

# A carriage return, as it is in a workbook.
_CARRIAGE_RETURN = "_x000D_"
# Line breaks in a value of a single line, for DuckDB: those of a web page, and of a database or a program.
BREAK_TAG = "(?i:<br ?/?>)"
BREAK_ESCAPE = r"[^ \\](\\[rn])*\\n[^ \\]"

# Between the values of a row that are searched together. Hardly any value has it.
SEPARATOR = "\x1f"

# All of a value: a paragraph of HTML is normal in a note, and a link to a page in a column of pages.
_INLINE_TAG = "(?:b|i|u|em|strong|font|span)"
_TAGS = rf"<{_INLINE_TAG}(?: [^<>{SEPARATOR}]*)?>[^<>{SEPARATOR}]*</{_INLINE_TAG}>"
_MAIL = (
    rf"<a href=[\"']?mailto:[^<>{SEPARATOR}]*>[^<>{SEPARATOR}]*</a>"
    rf"|\[[^\[\]{SEPARATOR}]+\]\(mailto:[^ (){SEPARATOR}]+\)"
)
_MARKUP = f"(?i:{_TAGS}|{_MAIL})"


def _in_value_without(characters: str, pattern: str, followed_by: str = "") -> str:
    others = f"[^{characters}{SEPARATOR}]*"
    after = f"(?:{followed_by}{others})?" if followed_by else others
    return f"(?:^|{SEPARATOR}){others}(?:{pattern}){after}(?:{SEPARATOR}|$)"


_PATTERN = "|".join(
    (
        _LETTER_PATTERN,
        # Text with tags is HTML, and needs its entities.
        _in_value_without("<", _ENTITY),
        # JSON.
        _in_value_without(r"{\[\"", _ESCAPE),
        # An address, or a part of one.
        _in_value_without("/=?", _PERCENT),
        _in_value_without("/=&", _QUESTION_MARK, f"[^{_OF_ADDRESSES}{SEPARATOR}]"),
        _ENCODED_WORD,
        _CARRIAGE_RETURN,
        _in_value_without("/?&", _QUOTED_PRINTABLE),
        _in_value_without(r"{\[\"", _APOSTROPHE),
        f"(?:^|{SEPARATOR})(?:{_MARKUP})(?:{SEPARATOR}|$)",
    )
)
# The first byte alone is found fastest, and few texts have it; then what is fast to find, then the sequence itself.
_ESCAPES_IN_BYTES = (
    (b"&", rb"&[#A-Za-z][0-9A-Za-z]{1,7};", _ENTITY.encode()),
    (b"\\", rb"\\u[0-9A-Fa-f]{4}", _ESCAPE.encode()),
    (b"\\", rb"\\'", _APOSTROPHE.encode()),
    (b"%", rb"%[C-Ec-e].%", _PERCENT.encode()),
    (b"?", rb"\?\??[A-Za-z]", _QUESTION_MARK_IN_BYTES.encode()),
    (b"?", rb"=\?", _ENCODED_WORD.encode()),
    (b"=", rb"=C.=", _QUOTED_PRINTABLE.encode()),
    (b"_", _CARRIAGE_RETURN.encode(), _CARRIAGE_RETURN.encode()),
    (b"<", rb"<[/A-Za-z]", rf"(?i:</{_INLINE_TAG}>|<a href=)".encode()),
    (b"]", rb"\]\([A-Za-z]", rb"\]\((?i:mailto:)"),
)


def find_misread(value: str) -> re.Match[str] | None:
    """Find such text in a value."""
    # Not compiled when the module is imported, since that takes some milliseconds and few loads need it.
    return re.search(_PATTERN, value)


def has_escapes(data: bytes) -> bool:
    """Return whether a part of a file has such an escape sequence, in whatever value."""
    return any(
        first in data and re.search(simple, data) is not None and re.search(exact, data) is not None
        for first, simple, exact in _ESCAPES_IN_BYTES
    )


def may_have_breaks(data: bytes) -> bool:
    """Return whether a part of a file may have line breaks that are spelled out."""
    return (b"\\" in data and rb"\n" in data) or (b"<" in data and re.search(b"<[bB][rR]", data) is not None)


def sql_is_misread(value: str) -> str:
    """Build SQL (DuckDB) that finds texts of values with a separator between them; null gives null."""
    return f"regexp_matches({value}, {sql_text(_PATTERN)})"
