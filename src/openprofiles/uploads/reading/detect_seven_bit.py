"""Recognize the encodings that write all letters with ASCII bytes: ISO-2022-JP and ISO-2022-KR, UTF-7 and HZ.

A file in one of them looks like ASCII, so it would be read as UTF-8 with wrong values. The escape sequences of ISO 2022
do not occur in other texts. What UTF-7 and HZ write may be meant as it stands, so such a file is refused.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress

from openprofiles.uploads.reading.detect_encoding import Candidate, EncodingUnclear
from openprofiles.uploads.reading.file_form import UTF_8, canonical_encoding

# ESC and what names a set of characters. ESC ( B, which is ASCII, is also written by programs for terminals.
_DESIGNATION = re.compile(rb"\x1b(?:\$|\([IJ])")
_MOST_SEQUENCE_BYTES = 4
_KOREAN_HEADER = b"\x1b$)C"
_KOREAN = ("iso2022_kr",)
# The one with the fewest sets of characters first.
_JAPANESE = ("iso2022_jp", "iso2022_jp_ext", "iso2022_jp_2", "iso2022_jp_3", "iso2022_jp_2004")
_DECODED_BYTES = 16 << 20

# A plus and a digit begin a phone number.
_UTF_7 = re.compile(rb"\+[A-Za-z][A-Za-z0-9+/]{1,60}+-")
_HZ = re.compile(rb"~\{(?:[\x21-\x77][\x21-\x7e]){1,50}~\}")
_BEFORE = re.compile(rb"[^\s,;|\"]*\Z")
_AFTER = re.compile(rb"[^\s,;|\"]*")
_MOST_WORD_BYTES = 60
_USUAL_LATIN = re.compile("[\u00c0-\u017f\u0218-\u021b\u1e00-\u1eff]")
_MOST_WORDS = 250
_EXAMPLES = 2


class SevenBitText:
    """What the parts of an ASCII file show of 7-bit encodings."""

    def __init__(self) -> None:
        self._end = b""
        self._decoders: dict[str, codecs.IncrementalDecoder] | None = None
        self._likely: tuple[str, ...] = ()
        self._decoded_bytes = 0
        self._words: dict[str, dict[bytes, None]] = {"utf-7": {}, "hz": {}}

    def add(self, part: bytes) -> None:
        """Look at the next part of the file."""
        if self._decoders is None and b"\x1b" in self._end + part and _DESIGNATION.search(self._end + part):
            # What the last part ends with may be the first half of the sequence.
            part = self._end + part
            names = _KOREAN if _KOREAN_HEADER in part else _JAPANESE
            self._likely = names[:1]
            self._decoders = {name: codecs.getincrementaldecoder(name)() for name in names}
        self._end = part[-_MOST_SEQUENCE_BYTES:]
        if self._decoders is not None:
            self._decode(self._decoders, part)
            return
        for found in _UTF_7.finditer(part):
            if len(self._words["utf-7"]) >= _MOST_WORDS:
                break
            word = _word_around(part, found.start(), found.end())
            # The part of an email address after a plus is a tag.
            if b"@" not in word:
                self._words["utf-7"][word] = None
        for found in _HZ.finditer(part):
            if len(self._words["hz"]) >= _MOST_WORDS:
                break
            self._words["hz"][found[0]] = None

    def find_encoding(self) -> str:
        """Find the encoding of the file; UTF-8 if nothing shows another one.

        Raises:
            EncodingUnclear: it may be a 7-bit encoding.
        """
        if self._decoders is not None:
            for name in self._decoders:
                return canonical_encoding(name)
            # Without examples, since no candidate decodes the whole text.
            raise EncodingUnclear(
                tuple(Candidate(canonical_encoding(name), ()) for name in self._likely), is_ascii=True
            )
        for name, words in self._words.items():
            decoded = {word: text for word in words if (text := _decode_word(word, name)) is not None}
            if decoded and 2 * len(decoded) >= len(words):
                shown = list(decoded)[:_EXAMPLES]
                raise EncodingUnclear(
                    (
                        Candidate(canonical_encoding(name), tuple(decoded[word][:40] for word in shown)),
                        Candidate(UTF_8, tuple(word.decode()[:40] for word in shown)),
                    ),
                    is_ascii=True,
                )
        return UTF_8

    def _decode(self, decoders: dict[str, codecs.IncrementalDecoder], part: bytes) -> None:
        if self._decoded_bytes >= _DECODED_BYTES:
            return
        self._decoded_bytes += len(part)
        for name, decoder in list(decoders.items()):
            try:
                decoder.decode(part)
            except UnicodeDecodeError:
                del decoders[name]


def _word_around(text: bytes, start: int, end: int) -> bytes:
    before = _BEFORE.search(text[max(0, start - _MOST_WORD_BYTES) : start])
    after = _AFTER.match(text[end : end + _MOST_WORD_BYTES])
    return (before[0] if before else b"") + text[start:end] + (after[0] if after else b"")


def _decode_word(word: bytes, encoding: str) -> str | None:
    """Decode a word; None if what comes out is not a word of a name."""
    text = None
    with suppress(UnicodeDecodeError):
        text = word.decode(encoding)
    if text is None or text.isascii():
        return None
    letters = [one for one in text if not one.isascii()]
    if not all(one.isalpha() for one in letters):
        return None
    # Next to ASCII letters only usual Latin ones make sense: a random sequence gives letters of any script.
    has_ascii_letters = any(one.isascii() and one.isalpha() for one in text)
    is_plausible = not has_ascii_letters or encoding == "hz" or all(map(_USUAL_LATIN.match, letters))
    return text if is_plausible else None
