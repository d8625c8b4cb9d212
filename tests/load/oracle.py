"""The meaning of an upload job: a simple implementation that processes one record after the other, in file order.

Written from the words of the issue and of the reference, not from the pipeline: no set of rows, no SQL, no regular
expression. It shares with the pipeline the definitions that the API shares with it too (normal forms of keys, which
keys a profile has, what a change does to them) and the table of standard fields.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from openprofiles.facts.blanks import is_blank
from openprofiles.facts.keys import Key, derived_keys, field_key_name, key_changes
from openprofiles.facts.normal_forms import identity_key, normal_key
from openprofiles.facts.placeholders import is_leftover, is_placeholder, is_shortened_number
from openprofiles.facts.standard_profile import FIELD_BY_PATH, KEY_PATHS

MAX_RECORD_BYTES = 1024 * 1024
PROFILE_TYPES = ("PROFILE", "ACCOUNT_PROFILE")
ATTRIBUTE = "Attributes."
# Rows with names: what a column of whole names may be called, and one that may have numbers of customers instead.
WHOLE_NAME = "Name"
CUSTOMER = "Kunde"
TITLES = {"mr"}
# A word that so many different names have, and more than 3 of 100, does not count as a word in common.
FEWEST_COMMON = 3


# Reading CSV


class UnclosedQuote(Exception):
    """The file ends inside quotes that were opened on this line."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


@dataclass
class RawRecord:
    """One record of the file: the line it begins on, its bytes without the line end, and its cells."""

    line: int
    raw: bytes
    cells: list[bytes]
    is_malformed: bool


def read_records(data: bytes, blanks: bytes = b" \t,") -> Iterator[RawRecord]:
    """Read the records of a CSV file byte by byte, without those of blanks alone."""
    position = 3 if data[:3] == b"\xef\xbb\xbf" else 0
    line = 1
    while position < len(data):
        record_start, record_line = position, line
        quote_line = 0
        cells: list[bytes] = []
        cell = bytearray()
        state = "start of cell"
        is_malformed = False
        while True:
            if position == len(data):
                if state == "in quotes":
                    raise UnclosedQuote(quote_line)
                end = position
                break
            byte = data[position : position + 1]
            is_line_end = byte == b"\n" or data[position : position + 2] == b"\r\n"
            if byte == b"\n":
                line += 1
            if state == "in quotes":
                if byte == b'"':
                    state = "after quote"
                else:
                    cell += byte
            elif state == "after quote" and byte == b'"':
                cell += byte
                state = "in quotes"
            elif is_line_end:
                end = position
                if byte == b"\r":
                    line += 1
                    position += 1
                position += 1
                break
            elif byte == b",":
                cells.append(bytes(cell))
                cell.clear()
                state = "start of cell"
            elif state == "start of cell" and byte == b'"':
                state = "in quotes"
                quote_line = line
            else:
                if state == "after quote":
                    is_malformed = True
                cell += byte
                state = "without quotes"
            position += 1
        raw = data[record_start:end]
        if raw.strip(blanks):
            yield RawRecord(record_line, raw, [*cells, bytes(cell)], is_malformed)


# The mapping


@dataclass(frozen=True)
class Column:
    """One entry of the mapping: header of the column, path of the field."""

    header: str
    path: str

    @property
    def max_length(self) -> int:
        return 1000 if self.path == "AdditionalInformation" else 255


@dataclass(frozen=True)
class Policies:
    """The policies of a job: which rows it writes, and how it treats blank cells and edited fields."""

    creates: bool = True
    updates: bool = True
    clears_blanks: bool = False
    overwrites_hand_set: bool = False
    short_rows: str = "JUDGE"
    # By header: the only values that may stand there.
    one_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """The part of an upload job that the oracle needs."""

    upload_job_id: int
    columns: tuple[Column, ...]
    unique_key: Column
    started_at: datetime
    data_expiry_days: int
    phone_region: str = "US"
    policies: Policies = Policies()
    # As with --compat strict: the value of the unique key counts in every field of its group, whatever it is, and is
    # compared as searches compare it; one without a group exactly.
    matches_group: bool = False

    @property
    def key_name(self) -> str:
        standard = FIELD_BY_PATH.get(self.unique_key.path)
        return (standard.key_name if standard else None) or field_key_name(self.unique_key.path)

    def identity(self, text: str) -> str | None:
        """Return the form in which a unique key is compared."""
        if self.matches_group and self.key_name == field_key_name(self.unique_key.path):
            return text
        form = normal_key if self.matches_group else identity_key
        return form(self.key_name, text, self.phone_region)


# The domain


@dataclass
class KnownProfile:
    """One profile with everything that a load can see or change; ``keys`` are those in the index."""

    values: dict[str, str]
    attributes: dict[str, str]
    expires_at: datetime
    origins: frozenset[str] = frozenset()
    keys: set[Key] = field(default_factory=set)
    added_keys: frozenset[Key] = frozenset()
    last_upload_job: int | None = None

    def derived(self, phone_region: str, indexed_paths: set[str]) -> frozenset[Key]:
        return derived_keys(self.values, self.attributes, phone_region, indexed_paths)


@dataclass
class KnownDomain:
    """The profiles of one domain by row number, and the further fields that it is indexed by.

    A profile that record r of the load creates stands under ``-r``.
    """

    profiles: dict[int, KnownProfile]
    indexed_paths: set[str]


# Code and the header of the column at fault.
Fault = tuple[str, str | None]


@dataclass(frozen=True)
class FailedRecord:
    record: int
    line: int
    faults: tuple[Fault, ...]
    content: bytes | None


@dataclass
class Outcome:
    """The result of a load. ``status`` FAILED without records means that the whole file was refused."""

    status: str
    reason: str | None = None
    record_count: int | None = None
    created_count: int = 0
    updated_count: int = 0
    # Rows that change nothing themselves, and with them all rows of profiles that are afterwards as before.
    unchanged_count: int = 0
    settled_count: int = 0
    failed: list[FailedRecord] = field(default_factory=list)
    # Rows that find their profile with a wholly different name: line, and that of the row that gave it this name, None
    # for a name from before the load.
    other_names: list[tuple[int, int | None]] = field(default_factory=list)
    # The same of rows that exchange the first and last name.
    exchanged_names: list[tuple[int, int | None]] = field(default_factory=list)
    # By id of the profile: the line of the last row that gave it a part of its name.
    name_givers: dict[int, int] = field(default_factory=dict)
    common_words: set[str] = field(default_factory=set)
    # Record, line, and those of the first record with that unique key; None if the file was never read.
    repeated: list[tuple[int, int, int, int]] | None = None
    created: set[int] = field(default_factory=set)
    # By id: the profile, its values before the load, and for each row whether it changes nothing.
    updated: dict[int, tuple[KnownProfile, tuple[dict[str, str], dict[str, str]], list[bool]]] = field(
        default_factory=dict
    )


class FileRefused(Exception):
    """The file as a whole cannot be loaded."""


def load(domain: KnownDomain, job: Job, data: bytes) -> Outcome:
    """Load the file into the domain, and return the result of each record."""
    try:
        column_count, positions, records = _open(job, data)
    except FileRefused:
        return Outcome("FAILED", "VALIDATION_FAILURE")
    _index_field(domain, job)
    outcome = Outcome("", record_count=len(records), repeated=[])
    first_of_key: dict[str, tuple[int, int]] = {}
    broken = _find_broken(records, job, column_count, positions)
    outcome.common_words = _find_common_words(records, broken, job, column_count, positions)
    for number, record in enumerate(records, start=1):
        faults = _find_faults(record, job, column_count, positions)
        if number in broken and faults != [("REPEATED_HEADER", None)]:
            faults.insert(0, ("BROKEN_ROW", None))
        if not faults:
            _note_repeated(record, job, number, positions, first_of_key, outcome)
            faults = _place(domain, job, number, record.line, _cells(record, job, positions), outcome)
        if faults:
            content = None if faults[0][0] == "RECORD_TOO_LONG" else record.raw
            outcome.failed.append(FailedRecord(number, record.line, tuple(faults), content))
    outcome.settled_count = outcome.unchanged_count
    for profile, held, are_unchanged in outcome.updated.values():
        if held == _held(profile):
            outcome.settled_count += are_unchanged.count(False)
    if len(outcome.failed) == len(records):
        outcome.status, outcome.reason = "FAILED", "VALIDATION_FAILURE"
    elif outcome.failed:
        outcome.status, outcome.reason = "PARTIALLY_SUCCEEDED", "VALIDATION_FAILURE"
    else:
        outcome.status = "SUCCEEDED"
    return outcome


def _open(job: Job, data: bytes) -> tuple[int, dict[Column, int], list[RawRecord]]:
    try:
        # AWS's own rules know only blank lines.
        records = list(read_records(data, b" \t") if job.matches_group else read_records(_without_stray_marks(data)))
    except UnclosedQuote as error:
        raise FileRefused from error
    if len(records) < 2:
        raise FileRefused
    header = records[0]
    if header.is_malformed or b"\0" in header.raw or len(header.raw) > MAX_RECORD_BYTES:
        raise FileRefused
    try:
        names = [cell.decode("utf-8") for cell in header.cells]
    except UnicodeDecodeError as error:
        raise FileRefused from error
    positions = {}
    for column in job.columns:
        if names.count(column.header) != 1:
            raise FileRefused
        positions[column] = names.index(column.header)
    return len(names), positions, records[1:]


def _index_field(domain: KnownDomain, job: Job) -> None:
    """Index a field that is not a standard key when a job first needs it."""
    path = job.unique_key.path
    if job.key_name != field_key_name(path) or path in domain.indexed_paths:
        return
    domain.indexed_paths.add(path)
    for profile in domain.profiles.values():
        profile.keys |= {key for key in profile.derived(job.phone_region, {path}) if key.name == job.key_name}


def _find_broken(records: list[RawRecord], job: Job, column_count: int, positions: Mapping[Column, int]) -> set[int]:
    """Find the records that are parts of broken ones, by number."""
    if job.matches_group or job.policies.short_rows == "LOAD":
        return set()
    short = [
        number
        for number, record in enumerate(records, start=1)
        if len(record.cells) < column_count and not _is_unreadable(record)
    ]
    if job.policies.short_rows == "REJECT":
        return set(short)
    broken = {number for number in short if len(records[number - 1].cells) == 1 and column_count > 2}
    runs: list[list[int]] = []
    for number in short:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    is_unusual = _are_short_unusual(records, short, column_count)
    strange = _find_strange(short, records, job, column_count, positions)
    for run in runs:
        widths = [len(records[number - 1].cells) for number in run]
        count = _count_whole(widths, column_count)
        if count == 1 or (count > 1 and len(set(widths)) > 1):
            broken |= set(run)
        broken |= _find_broken_parts(run, records, strange, column_count, is_unusual=is_unusual)
    for number in short:
        text = _cells(records[number - 1], job, positions).get(job.unique_key.path)
        allowed = job.policies.one_of.get(job.unique_key.header)
        width = len(records[number - 1].cells)
        is_refused = text and allowed is not None and text.strip() not in allowed
        is_refused = is_refused or (number in strange and is_unusual)
        if is_refused:
            broken.add(number)
        if is_refused or (width == 1 and column_count > 2):
            # The row before may be its first part.
            is_short = number - 1 in short
            before = len(records[number - 2].cells) if is_short else 0
            if is_short and before + width - 1 <= column_count and is_unusual:
                broken.add(number - 1)
    return broken


def _are_short_unusual(records: list[RawRecord], short: list[int], column_count: int) -> bool:
    whole = sum(len(one.cells) >= column_count and not _is_unreadable(one) for one in records)
    return whole >= 10 and whole > len(short)


def _find_strange(
    short: list[int], records: list[RawRecord], job: Job, column_count: int, positions: Mapping[Column, int]
) -> set[int]:
    """Find the short records whose keys do not look like those of whole records."""

    def look(record: RawRecord) -> tuple[bool, ...] | None:
        text = _cells(record, job, positions).get(job.unique_key.path)
        if not text:
            return None
        has_letter = any(one.isascii() and one.isalpha() for one in text)
        return " " in text.strip(" "), "@" in text, any(one in text for one in "0123456789"), has_letter

    whole = [one for one in records if len(one.cells) >= column_count and not _is_unreadable(one)]
    looks = [found for one in whole if (found := look(one)) is not None]
    if len(looks) < 3:
        return set()
    return {
        number
        for number in short
        if (found := look(records[number - 1])) is not None
        and any(
            len(set(seen)) == 1 and one != seen[0] for one, seen in zip(found, zip(*looks, strict=True), strict=True)
        )
    }


def _find_broken_parts(
    run: list[int], records: list[RawRecord], strange: set[int], column_count: int, *, is_unusual: bool
) -> set[int]:
    """Find the records that are one with the next ones, whose keys do not look like those of whole records."""
    parts: list[list[int]] = []
    for number in run:
        if number in strange and parts:
            parts[-1].append(number)
        elif number not in strange:
            parts.append([number])
    broken = set()
    for part in parts:
        delimiters = sum(len(records[number - 1].cells) - 1 for number in part)
        if len(part) > 1 and (delimiters == column_count - 1 or (delimiters < column_count - 1 and is_unusual)):
            broken |= set(part)
    return broken


def _count_whole(widths: list[int], column_count: int) -> int:
    """Count the whole records that rows of these widths make in succession; 0 if anything is left over."""
    whole = cells = 0
    for width in widths:
        # The last cell of a row and the first of the next one are one.
        cells = cells + width - 1 if cells else width
        if cells > column_count:
            return 0
        if cells == column_count:
            whole += 1
            cells = 1
    return whole if cells in (0, 1) else 0


def _is_unreadable(record: RawRecord) -> bool:
    try:
        record.raw.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return b"\0" in record.raw or record.is_malformed or len(record.raw) > MAX_RECORD_BYTES


def _without_stray_marks(data: bytes) -> bytes:
    """Leave out byte order marks and Ctrl-Z at the beginning of lines, and Ctrl-Z at the end."""
    lines = []
    for line in data.split(b"\n"):
        while line.startswith((b"\xef\xbb\xbf", b"\x1a")):
            line = line.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\x1a")
        lines.append(line)
    text = b"\n".join(lines)
    end = len(text.rstrip(b"\x1a \t\r\n"))
    return text[:end] + text[end:].replace(b"\x1a", b"")


def _repeats_header(record: RawRecord, job: Job, positions: Mapping[Column, int]) -> bool:
    """Return whether the mapped cells that are filled are names of mapped columns, at least two if there are two."""
    cells = [
        record.cells[at].decode() if (at := positions[column]) < len(record.cells) else "" for column in job.columns
    ]
    filled = [_name_form(cell) for cell in cells if cell]
    return len(filled) >= min(len(cells), 2) and {_name_form(column.header) for column in job.columns} >= set(filled)


def _name_form(name: str) -> str:
    return name.lower().translate(str.maketrans("", "", " _-"))


def _find_faults(record: RawRecord, job: Job, column_count: int, positions: Mapping[Column, int]) -> list[Fault]:
    if len(record.raw) > MAX_RECORD_BYTES:
        return [("RECORD_TOO_LONG", None)]
    try:
        record.raw.decode("utf-8")
    except UnicodeDecodeError:
        return [("INVALID_UTF8", None)]
    if b"\0" in record.raw:
        return [("NUL_BYTE", None)]
    if record.is_malformed:
        return [("MALFORMED_QUOTES", None)]
    faults: list[Fault] = []
    if not job.matches_group and _repeats_header(record, job, positions):
        return [("REPEATED_HEADER", None)]
    if any(not is_blank(cell.decode()) for cell in record.cells[column_count:]):
        faults.append(("TOO_MANY_CELLS", None))
    cells = _cells(record, job, positions)
    text = cells.get(job.unique_key.path)
    is_standard = job.key_name in KEY_PATHS
    is_left = text is not None and not job.matches_group and is_leftover(text)
    if is_left or (text is not None and (is_standard or not job.matches_group) and is_placeholder(text)):
        faults.append(("PLACEHOLDER_KEY", job.unique_key.header))
    elif text is not None and not job.matches_group and is_shortened_number(text):
        faults.append(("SHORTENED_NUMBER", job.unique_key.header))
    elif text is None or job.identity(text) is None:
        faults.append(("MISSING_UNIQUE_KEY", job.unique_key.header))
    for column in job.columns:
        text = cells.get(column.path)
        if text is None:
            continue
        if len(text) > column.max_length:
            faults.append(("VALUE_TOO_LONG", column.header))
        if column.path == "ProfileType" and text not in (*PROFILE_TYPES, ""):
            faults.append(("VALUE_NOT_ALLOWED", column.header))
        if text and text.strip() not in job.policies.one_of.get(column.header, (text.strip(),)):
            faults.append(("NOT_ONE_OF", column.header))
    return faults


def _cells(record: RawRecord, job: Job, positions: Mapping[Column, int]) -> dict[str, str]:
    """Return the values of mapped fields by path: blank ones are missing, or empty to clear."""
    cells = {}
    for column in job.columns:
        position = positions[column]
        text = record.cells[position].decode() if position < len(record.cells) else ""
        if not is_blank(text):
            cells[column.path] = text
        elif (
            job.policies.clears_blanks
            and column != job.unique_key
            and (position < len(record.cells) or job.matches_group)
        ):
            cells[column.path] = ""
    return cells


def _note_repeated(
    record: RawRecord,
    job: Job,
    number: int,
    positions: Mapping[Column, int],
    first_of_key: dict[str, tuple[int, int]],
    outcome: Outcome,
) -> None:
    value = job.identity(_cells(record, job, positions)[job.unique_key.path])
    assert value is not None
    assert outcome.repeated is not None
    first = first_of_key.setdefault(value, (number, record.line))
    if first[0] != number:
        outcome.repeated.append((number, record.line, *first))


def _place(
    domain: KnownDomain, job: Job, number: int, line: int, cells: dict[str, str], outcome: Outcome
) -> list[Fault]:
    """Create or update the profile of the unique key; return an error if several have it."""
    value = job.identity(cells[job.unique_key.path])
    searched = normal_key(job.key_name, cells[job.unique_key.path], job.phone_region)
    assert value is not None
    assert searched is not None
    # A given key is known only as a search would compare it.
    wanted = Key(job.key_name, searched)
    holders = [
        profile
        for profile in domain.profiles.values()
        if profile.expires_at > job.started_at
        and wanted in profile.keys
        and (
            (job.matches_group and job.key_name in KEY_PATHS)
            or wanted in profile.added_keys
            or _own_key(profile, job) == value
        )
    ]
    if len(holders) > 1:
        return [("AMBIGUOUS_UNIQUE_KEY", job.unique_key.header)]
    if holders and not job.policies.updates:
        return [("PROFILE_EXISTS", job.unique_key.header)]
    if not holders and not job.policies.creates:
        return [("NO_PROFILE", job.unique_key.header)]
    if holders:
        profile = holders[0]
        outcome.updated_count += 1
    else:
        profile = domain.profiles[-number] = KnownProfile({}, {}, job.started_at)
        outcome.created.add(id(profile))
        outcome.created_count += 1
    before = profile.derived(job.phone_region, domain.indexed_paths)
    held = _held(profile)
    _note_other_name(profile, job, line, cells, outcome)
    keeps_own_key = not job.matches_group and _own_key(profile, job) not in (value, None)
    for path, text in cells.items():
        if path in profile.origins and not job.policies.overwrites_hand_set:
            continue
        if path == job.unique_key.path and keeps_own_key:
            continue
        profile.origins -= {path}
        if path in _name_of_rows(job):
            outcome.name_givers[id(profile)] = line
        place, name = (
            (profile.attributes, path.removeprefix(ATTRIBUTE)) if path.startswith(ATTRIBUTE) else (profile.values, path)
        )
        if text:
            place[name] = text
        else:
            place.pop(name, None)
    if holders:
        is_unchanged = held == _held(profile)
        outcome.unchanged_count += is_unchanged
        if id(profile) not in outcome.created:
            outcome.updated.setdefault(id(profile), (profile, held, []))[2].append(is_unchanged)
    changes = key_changes(before, profile.derived(job.phone_region, domain.indexed_paths), profile.added_keys)
    profile.keys = (profile.keys - changes.removed) | changes.added
    profile.expires_at = max(profile.expires_at, job.started_at + timedelta(days=job.data_expiry_days))
    profile.last_upload_job = job.upload_job_id
    return []


def _note_other_name(profile: KnownProfile, job: Job, line: int, cells: Mapping[str, str], outcome: Outcome) -> None:
    """Note a row whose name has no word of its own in common with that of its profile, where both are given."""
    paths = _name_of_rows(job)
    if not paths or not cells.get(paths[-1]):
        return
    if {"FirstName", "LastName"} & set(paths):
        held_paths = ["FirstName", "LastName"] if _value(profile, paths[-1]) else []
    elif _value(profile, paths[-1]) or not paths[-1].startswith(ATTRIBUTE):
        held_paths = [*paths]
    else:
        # The name may have been loaded from a file of another form.
        is_alone = {"FirstName", "LastName"}.isdisjoint(column.path for column in job.columns)
        held_paths = ["FirstName", "LastName"] if is_alone and _value(profile, "LastName") else []
    words = _words([cells.get(path) for path in paths], job)
    held_words = _words([_value(profile, path) for path in held_paths], job)
    if not words or not held_words:
        return
    if len(paths) == 2:
        first, last = (_value(profile, path) for path in paths)
        if first != last and [cells.get(path) for path in paths] == [last, first]:
            outcome.exchanged_names.append((line, outcome.name_givers.get(id(profile))))
    has_own, is_common = words - held_words and held_words - words, words & held_words <= outcome.common_words
    if has_own and is_common:
        outcome.other_names.append((line, outcome.name_givers.get(id(profile))))


def _value(profile: KnownProfile, path: str) -> str | None:
    values = profile.attributes if path.startswith(ATTRIBUTE) else profile.values
    return values.get(path.removeprefix(ATTRIBUTE))


def _name_of_rows(job: Job) -> tuple[str, ...]:
    """Return the fields with the name of a row, the last of which must be given: of the person, or of the business."""
    header_of = {column.path: column.header for column in job.columns if column != job.unique_key}
    if job.matches_group:
        return ()
    if "FirstName" in header_of and "LastName" in header_of:
        return ("FirstName", "LastName")
    whole = [path for path, header in header_of.items() if header == WHOLE_NAME]
    last = [path for path in header_of if path == "LastName"]
    customer = [path for path, header in header_of.items() if header == CUSTOMER]
    business = [path for path in header_of if path == "BusinessName"]
    return tuple([*whole, *last, *customer, *business][:1])


def _words(names: list[str | None], job: Job) -> set[str]:
    """Return the words of a name in lower case, without accents and titles; none if it is a number or an address."""
    name = " ".join(name for name in names if name)
    paths = _name_of_rows(job)
    is_customer = any(column.path in paths and column.header == CUSTOMER for column in job.columns)
    if "@" in name or not any(char.isalpha() for char in name) or (is_customer and len(name.split()) < 2):
        return set()
    letters = []
    for char in unicodedata.normalize("NFD", name.lower()):
        if not unicodedata.combining(char):
            letters.append(char if char.isalnum() else " ")
    return set("".join(letters).split()) - TITLES


def _find_common_words(
    records: list[RawRecord], broken: set[int], job: Job, column_count: int, positions: Mapping[Column, int]
) -> set[str]:
    """Find the words that many different names of the file have."""
    paths = _name_of_rows(job)
    names = set()
    for number, record in enumerate(records, start=1):
        if paths and number not in broken and not _find_faults(record, job, column_count, positions):
            cells = _cells(record, job, positions)
            if cells.get(paths[-1]) and (words := _words([cells.get(path) for path in paths], job)):
                names.add(frozenset(words))
    counts: dict[str, int] = {}
    for word in (word for name in names for word in name):
        counts[word] = counts.get(word, 0) + 1
    return {word for word, count in counts.items() if count >= FEWEST_COMMON and count > 0.03 * len(names)}


def _held(profile: KnownProfile) -> tuple[dict[str, str], dict[str, str]]:
    return dict(profile.values), dict(profile.attributes)


def _own_key(profile: KnownProfile, job: Job) -> str | None:
    """Return the identity form of what the profile holds in the field of the unique key."""
    path = job.unique_key.path
    is_attribute = path.startswith(ATTRIBUTE)
    text = profile.attributes.get(path.removeprefix(ATTRIBUTE)) if is_attribute else profile.values.get(path)
    return job.identity(text) if text else None
