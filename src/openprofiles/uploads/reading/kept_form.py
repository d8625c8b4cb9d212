"""What a saved mapping keeps about reading a file, as far as it applies to another file."""

from __future__ import annotations

import codecs
from dataclasses import replace

from openprofiles.uploads.reading.detect_failed_rows import find_failed_rows_form
from openprofiles.uploads.reading.file_choices import FileChoices
from openprofiles.uploads.reading.file_form import FileOptions

# How much of a file is looked at.
HEAD_BYTES = 256 * 1024


def fill_in_kept(head: bytes, given: FileOptions, kept: FileChoices) -> FileOptions:
    """Fill in what a mapping keeps, as far as it applies to the file.

    Args:
        head: the first bytes of the file, decompressed.
        given: what is said of this file; it is not changed.
    """
    if find_failed_rows_form(head) is not None:
        # It is written in a form of its own, whatever the file was that the rows come from.
        return given
    filled = FileChoices(file=given).over(kept).file
    return replace(filled, encoding=None) if given.encoding is None and _shows_unicode(head) else filled


def _shows_unicode(head: bytes) -> bool:
    """Check whether a text is plainly UTF-8 or UTF-16; one that is ASCII is not plain."""
    if head.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in head:
        return True
    try:
        # The last character may be cut off.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not head.isascii()
