"""Recognize text that a program decoded with the wrong encoding before it wrote the file: ``JÃ¼rgen``, ``J�rgen``.

The file is valid UTF-8, so its bytes show nothing. The characters do: a letter that begins a misread
character, followed by a symbol that hardly ever stands after this letter.
"""

from __future__ import annotations

import re

from openprofiles.uploads.sql_text import sql_text

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
_PATTERN = "|".join(f"{first}[{after}]" if after else first for first, after in _AFTER.items())
find_misread = re.compile(_PATTERN).search


def sql_is_misread(value: str) -> str:
    """Build SQL (DuckDB) that finds values with such text; null gives null."""
    return f"regexp_matches({value}, {sql_text(_PATTERN)})"
