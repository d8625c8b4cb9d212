"""Read JSON as rows: objects one after another, usually one on each line, or an array of objects.

Numbers are taken as they are written, since not every one of them is a float: ``1e400``, or an id of 20 digits.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from openprofiles.uploads.reading.file_form import MAX_COLUMNS
from openprofiles.uploads.reading.tables.cell_texts import plain_number
from openprofiles.uploads.reading.tables.table import (
    JSON_ARRAY,
    JSON_LINES,
    MAX_ROW_CHARACTERS,
    TableAccount,
    TableUnreadable,
)

_READ_BYTES = 1 << 20
# A row may have a megabyte; its JSON, somewhat more.
_MAX_OBJECT_CHARACTERS = 16 << 20
_BLANKS = " \t\r\n"
_MARK = "\ufeff"


class _Number(str):
    """A number as the file has it."""

    __slots__ = ()


class _NotANumber(_Number):
    """NaN, which programs write although JSON does not have it."""

    __slots__ = ()


class _Refused(Exception):
    """An object that is valid JSON but cannot be a row; the message says why, as the end of a sentence."""


def json_kind(head: bytes) -> str | None:
    """Find out from the first bytes of a file whether it is JSON objects; ``JSON lines`` or ``JSON array``, or None."""
    text = _decode_head(head).removeprefix(_MARK).lstrip(_BLANKS)
    kind = JSON_LINES
    if text.startswith("["):
        kind = JSON_ARRAY
        text = text[1:].lstrip(_BLANKS)
        if text.startswith(("[", "]", '"')):
            # An array of other values, which is refused when it is read.
            return kind
    after_brace = text[1:].lstrip(_BLANKS)
    # In a CSV file, a quote within a name would be doubled.
    return kind if text.startswith("{") and after_brace.startswith(('"', "}")) else None


def has_object_line(head: bytes) -> bool:
    """Return whether the first line that is not blank is a JSON object."""
    if _find_encoding(head) != "utf-8":
        return False
    line = head.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")[0]
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


class JsonRows:
    """JSON objects as rows: a column for each member of any object, in the order of their appearance.

    Members of an object within one are columns such as ``address.city``; lists are kept as JSON.

    Args:
        open_bytes: returns a function that reads the next bytes, from the first one on; called twice.
        head: the first bytes.
    """

    def __init__(self, open_bytes: Callable[[], Callable[[int], bytes]], head: bytes) -> None:
        self._open_bytes = open_bytes
        self._encoding = _find_encoding(head)
        kind = json_kind(head)
        assert kind is not None, "otherwise the file is read as something else"
        self.account = TableAccount(kind=kind, first_row=0)

    def rows(self) -> Iterator[Sequence[str]]:
        """Read the header and a row for each object. ``account`` is complete at the end.

        Raises:
            TableUnreadable: the file has something else; the message names the line.
        """
        names: dict[str, None] = {}
        # Rows have the numbers of lines, unless there are several on a line.
        last_line, are_lines = 0, True
        names_size = 0
        for count, (line, row) in enumerate(self._objects(), start=1):
            last_line, are_lines = line, are_lines and line > last_line
            self.account.is_single_object = count == 1
            self.account.inner_list = _find_inner_list(row) if count == 1 else None
            for name in row:
                if name not in names:
                    _check_name(name, line)
                    names[name] = None
                    names_size += len(name)
            if names_size > MAX_ROW_CHARACTERS:
                raise TableUnreadable(
                    f"The names of the members up to line {line} have more than {MAX_ROW_CHARACTERS:,} characters. "
                    "Shorten them."
                )
            if len(names) > MAX_COLUMNS:
                raise TableUnreadable(
                    f"The objects up to line {line} have more than {MAX_COLUMNS:,} different members. A file can have "
                    f"at most {MAX_COLUMNS:,} columns."
                )
        if not names:
            raise TableUnreadable("The file has no JSON object with members, so there is nothing to load.")
        columns = list(names)
        yield columns
        written = 0
        for line, row in self._objects():
            while are_lines and written < line - 1:
                written += 1
                yield ()
            written += 1
            if len(row) < len(columns):
                self.account.absent_columns.update(index for index, name in enumerate(columns) if name not in row)
            yield [self._cell(row.get(name)) for name in columns]

    def _cell(self, value: Any) -> str:
        if isinstance(value, _NotANumber):
            self.account.not_a_number += 1
            return ""
        if value is None:
            return ""
        if isinstance(value, _Number):
            return plain_number(value)
        return value if isinstance(value, str) else _json_text(value)

    def lines(self) -> Iterator[str]:
        """Read each object as a line of JSON.

        Blank lines between them keep the numbers of the lines on which they begin.

        Raises:
            TableUnreadable: the file has something else; the message names the line.
        """
        written = 0
        for line, found in self._read():
            # Several on a line, or an array with a bracket of its own, cannot all keep their lines.
            yield from [""] * max(line - 1 - written, 0)
            yield _json_text(found)
            written = max(written + 1, line)

    def _objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read each object as a row, and the line on which it begins."""
        for line, found in self._read(refuses_rows=True):
            yield line, dict(self._flatten(found, line))

    def _read(self, *, refuses_rows: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read each object, and the line on which it begins.

        Args:
            refuses_rows: whether one object whose members seem to be the rows is refused.
        """
        text = _Text(self._open_bytes(), self._encoding)
        is_array = self.account.kind == JSON_ARRAY
        text.skip_blanks(_MARK)
        if is_array:
            text.take("[")
        is_first = True
        while True:
            text.skip_blanks()
            if is_array:
                if text.take("]"):
                    text.skip_blanks()
                    if not text.is_at_end():
                        raise TableUnreadable(f"Line {text.line} of the file has text after the end of the JSON array.")
                    return
                if not is_first and not text.is_at_end() and not text.take(","):
                    raise TableUnreadable(_describe(text.line, text.line, "is not valid JSON: a comma is missing"))
                text.skip_blanks()
            if text.is_at_end():
                if is_array:
                    raise TableUnreadable(
                        f"The JSON array is not closed on line {text.line}, the last line of the file."
                    )
                return
            if not is_array and not is_first and text.take(","):
                raise TableUnreadable(
                    f"Line {text.line} of the file has a comma after a JSON object. Remove the commas between the "
                    "objects, or put [ and ] around all of them."
                )
            line = text.line
            found = text.read_object()
            text.skip_blanks()
            if refuses_rows and is_first and not is_array and text.is_at_end() and _are_rows(list(found.values())):
                raise TableUnreadable(
                    "The file is one JSON object, and its members seem to be the rows. Turn it into an array: "
                    "jq '[to_entries[] | {key} + .value]' FILE | openprofiles import - --domain NAME. If it is one "
                    "row, put [ and ] around it."
                )
            is_first = False
            yield line, found

    def _flatten(self, found: dict[str, Any], line: int) -> Iterator[tuple[str, Any]]:
        taken: set[str] = set()
        # Each member of an inner object has the whole name of the outer one.
        size = 0
        try:
            for name, value in _members(found, ""):
                if name in taken:
                    raise TableUnreadable(_describe(line, line, f"has the member {name!r} twice"))
                taken.add(name)
                size += len(name)
                if size > MAX_ROW_CHARACTERS:
                    raise TableUnreadable(_describe(line, line, "has members whose names are too long"))
                yield name, value
        except RecursionError:
            raise TableUnreadable(_describe(line, line, "has objects nested too deeply")) from None


class _Text:
    """A JSON text that is read in pieces.

    Attributes:
        line: the line of the current position.
    """

    def __init__(self, read: Callable[[int], bytes], encoding: str) -> None:
        self._read = read
        # A byte that is not valid becomes half of a surrogate pair, so that its row fails.
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape" if encoding == "utf-8" else "strict")
        self._decode_json = json.JSONDecoder(
            object_pairs_hook=_unique_members,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_read_constant,
        ).raw_decode
        self._text = ""
        self._position = 0
        self._is_complete = False
        self.line = 1

    def is_at_end(self) -> bool:
        """Check whether nothing is left."""
        return self._position == len(self._text) and not self._read_more(1)

    def skip_blanks(self, more: str = "") -> None:
        """Move to the next character that is not a blank, nor one of ``more``."""
        blanks = _BLANKS + more
        while not self.is_at_end():
            rest = self._text[self._position : self._position + 64]
            skipped = len(rest) - len(rest.lstrip(blanks))
            self._move(self._position + skipped)
            if skipped < len(rest):
                return

    def take(self, character: str) -> bool:
        """Move past a character if it is the next one."""
        if self.is_at_end() or self._text[self._position] != character:
            return False
        self._move(self._position + 1)
        return True

    def read_object(self) -> dict[str, Any]:
        """Read the object at the current position.

        Raises:
            TableUnreadable: there is none; the message names the line.
        """
        line = self.line
        wanted = _READ_BYTES
        while True:
            try:
                found, end = self._decode_json(self._text, self._position)
            except json.JSONDecodeError as error:
                place = self.line + self._text.count("\n", self._position, error.pos)
                # Perhaps the object continues after what was read.
                if len(self._text) - self._position < _MAX_OBJECT_CHARACTERS and self._read_more(wanted):
                    wanted *= 2
                    continue
                raise TableUnreadable(_describe(line, place, "is not valid JSON")) from None
            except (_Refused, RecursionError) as error:
                reason = str(error) if isinstance(error, _Refused) else "has objects nested too deeply"
                raise TableUnreadable(_describe(line, line, reason)) from None
            break
        if not isinstance(found, dict):
            raise TableUnreadable(_describe(line, line, "is not a JSON object"))
        self._move(end)
        return found

    def _move(self, position: int) -> None:
        self.line += self._text.count("\n", self._position, position)
        self._position = position

    def _read_more(self, size_bytes: int) -> bool:
        """Read at least this much more, and forget what is before the position."""
        if self._is_complete:
            return False
        part = self._read(max(size_bytes, _READ_BYTES))
        self._is_complete = not part
        try:
            more = self._decoder.decode(part, self._is_complete)
        except UnicodeDecodeError as error:
            place = self.line + self._text.count("\n", self._position)
            raise TableUnreadable(
                f"The file has characters on line {place} or after it that are not valid UTF-16."
            ) from error
        self._text = self._text[self._position :] + more
        self._position = 0
        return bool(more) or self._read_more(size_bytes)


def _describe(line: int, place: int, reason: str) -> str:
    if place == line:
        return f"The object on line {line} of the file {reason}."
    return f"The object that begins on line {line} of the file {reason} (on line {place})."


def _are_rows(values: Sequence[Any]) -> bool:
    """Return whether all values are objects, of which two share a member name."""
    if not all(isinstance(value, dict) for value in values):
        return False
    return len(set().union(*values)) < sum(map(len, values))


def _find_inner_list(row: dict[str, Any]) -> str | None:
    for name, value in row.items():
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            return name
    return None


def _check_name(name: str, line: int) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise TableUnreadable(
            _describe(line, line, "has a member whose name has characters that are not valid")
        ) from None


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(f"has the member {twice!r} twice")
    return found


def _read_constant(name: str) -> str:
    if name != "NaN":
        raise _Refused(f"has the number {name}, which is not valid JSON")
    return _NotANumber("null")


def _members(found: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in found.items():
        if isinstance(value, dict):
            yield from _members(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _json_text(value: Any) -> str:
    """Write a value as JSON, with its numbers as they were."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_json_text(name)}: {_json_text(one)}' for name, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_json_text, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _find_encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # The first character of JSON is ASCII.
    if head[1:2] == b"\0":
        return "utf-16le"
    return "utf-16be" if head[:1] == b"\0" else "utf-8"


def _decode_head(head: bytes) -> str:
    encoding = _find_encoding(head)
    return codecs.getincrementaldecoder(encoding)("replace").decode(head)
