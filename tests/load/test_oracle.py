"""The pipeline against the oracle: what a load leaves behind is what a reading of the file row by row leaves.

Files are small and their values few, so that people repeat, keys collide and values move between fields.
"""

from __future__ import annotations

import random
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import true

import budgets
import by_hand
from load import oracle
from load.change_log import assert_log_is_right
from load.loading import DAY, NOW, Place, Shop
from load.oracle import Column, KnownDomain, Policies
from openprofiles.facts.keys import Key
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store import tables
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs
from openprofiles.uploads.job_options import (
    CLEAR,
    CREATE_ONLY,
    OVERWRITE,
    UPDATE_ONLY,
    JobOptions,
)
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.notices import EXCHANGED_NAME_ROWS, MAX_LINES, OTHER_NAME_ROWS
from openprofiles.uploads.value_checks import ONE_OF, ValueCheck
from openprofiles.wire.model import load_own_model

EMAILS = ["a@x", "A@X", " a@x", "b@x", "c@x", "d@x", "\u00e9@x", "E\u0301@x"]
PHONES = ["2025550101", "(202) 555-0101", "+12025550101 x7", "202-555-0101 ext. 7", "2025550102", "Room 5", "5", "n/a"]
ACCOUNTS = ["1", "A", "a", " a ", "\u00e9", "E\u0301", "4.9E+11"]
NAMES = ["Ann", "ann", "Bo", "de la  Cruz", "\u00c9va", "Mr. Bo", "17", "a@x"]
TIERS = ["gold", "Gold", "a,b", 'say "hi"', '"', "two\nlines", "two\r\nlines", "\\", "x\ry", "NULL", "\u00a0gold"]
BLANK = ["", "", " ", "\t", "\u00a0\ufeff"]
ODD_ATTRIBUTE = 'Attributes.it\'s~1/"o.dd" \U0001f600'

COUNTS = ("created_count", "updated_count", "unchanged_count", "failed_count")
VALUES = {
    "EmailAddress": EMAILS,
    "PersonalEmailAddress": EMAILS,
    "BusinessEmailAddress": EMAILS,
    "PhoneNumber": PHONES,
    "MobilePhoneNumber": PHONES,
    "AccountNumber": ACCOUNTS,
    "FirstName": NAMES,
    "LastName": NAMES,
    "BusinessName": NAMES,
    "AdditionalInformation": TIERS,
    "ProfileType": ["PROFILE", "ACCOUNT_PROFILE", "profile"],
    "BillingAddress.City": NAMES,
    "Attributes.tier": TIERS,
    "Attributes.Name": NAMES,
    "Attributes.Kunde": NAMES,
    ODD_ATTRIBUTE: TIERS,
}
HEADERS = {path: path.removeprefix("Attributes.") for path in VALUES}
EMAIL_PATHS = ("EmailAddress", "PersonalEmailAddress", "BusinessEmailAddress")
PHONE_PATHS = ("PhoneNumber", "MobilePhoneNumber")
FEW_EMAILS = ["p@x", "q@x", "r@x", "s@x", "p\u200b@\u00a0x", "n/a"]
FEW_PHONES = ["2025550101", "2025550102", "2025550102 x1", "Room 4", "4", "2025550101.0"]
FEW_ACCOUNTS = ["a1", "A1", "b2", "B2", "c3", "a\u200b1", "n/a"]
FEW_TIERS = ["a1", " a1", "A1", "\u00e9", "e\u0301\u00a0"]

rarely = st.integers(0, 19).map(lambda number: number == 7)
sometimes = st.integers(0, 3).map(lambda number: number == 2)


@dataclass
class StartingProfile:
    """A profile that is there before the first load."""

    values: dict[str, str]
    is_ingested: bool
    age_days: int
    removed_fields: list[str] = field(default_factory=list)
    added_keys: list[tuple[str, str]] = field(default_factory=list)
    deleted_keys: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class File:
    """One load: mapping, unique key, file, and how many days after the first one it starts."""

    columns: list[Column]
    unique_key: Column
    data: bytes
    expiry_days: int
    day: int
    options: JobOptions = JobOptions()  # noqa: RUF009 (it is frozen)

    @property
    def policies(self) -> Policies:
        """The options as the oracle has them."""
        return Policies(
            creates=self.options.write_mode != UPDATE_ONLY,
            updates=self.options.write_mode != CREATE_ONLY,
            clears_blanks=self.options.blank_cells == CLEAR,
            overwrites_hand_set=self.options.hand_set_fields == OVERWRITE,
            short_rows=self.options.short_rows,
            one_of={
                column.header: self.options.checks[f"field {index}"].values
                for index, column in enumerate(self.columns)
                if f"field {index}" in self.options.checks
            },
        )


# How many rows are written at a time.
CHUNK_SIZES = st.sampled_from([None, 1, 3])


@dataclass
class Scenario:
    profiles: list[StartingProfile]
    files: list[File]
    rows_per_chunk: int | None
    block_bytes: int | None
    # As with --compat strict: the value of the unique key counts in every field of its group.
    strict: bool = False


@st.composite
def csv_files(draw: st.DrawFn, headers: list[str], rows: list[list[str]], *, with_faults: bool) -> bytes:
    """The rows as CSV, in one of the many ways to write them, some of them faulty."""
    lines = [",".join(_quoted(header, draw(st.booleans())) for header in headers).encode()]
    for row in rows:
        cells = [_quoted(cell, draw(st.booleans())).encode() for cell in row]
        if with_faults and draw(rarely):
            cells = cells[: draw(st.integers(1, len(cells)))]
        if with_faults and draw(rarely):
            cells += draw(st.lists(st.sampled_from([b"", b" ", b"surplus", b'""']), max_size=7))
        if with_faults and draw(rarely):
            place = draw(st.integers(0, len(cells) - 1))
            cells[place] = draw(
                st.sampled_from(
                    [
                        b"\xff",
                        b"a\xc3",
                        b"a\0b",
                        b'"a"b',
                        b'a"b',
                        b'"a" ',
                        b' "a"',
                        b"a\rb",
                        b'"a"\r',
                        b"a\nb",
                        b"y" * 256,
                    ]
                )
            )
        lines.append(b",".join(cells))
        if with_faults and draw(rarely):
            lines.append(draw(st.sampled_from([b"", b" ", b" \t", b"\r", b",", b", ,,"])))
    ends = [draw(st.sampled_from([b"\n", b"\n", b"\r\n"])) for _ in lines]
    if draw(st.booleans()):
        ends[-1] = b""
    start = b"\xef\xbb\xbf" if draw(sometimes) else b""
    if with_faults and draw(rarely):
        start += draw(st.sampled_from([b"\n", b" \r\n\n"]))
    end = draw(st.sampled_from([b'"', b'"a,', b"\r", b"\n\n"])) if with_faults and draw(rarely) else b""
    return start + b"".join(line + line_end for line, line_end in zip(lines, ends, strict=True)) + end


def _quoted(cell: str, needlessly: bool) -> str:
    if needlessly or any(char in cell for char in ',"\n\r'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


@st.composite
def files(draw: st.DrawFn, paths: list[str], values: dict[str, list[str]], *, with_faults: bool) -> File:
    columns = [Column(HEADERS[path], path) for path in paths]
    unmapped = ["note"] if draw(sometimes) else []
    order = draw(st.permutations([*paths, *unmapped]))
    row = st.tuples(
        *(st.sampled_from(values[path] * 8 + BLANK) if path in values else st.just("unmapped") for path in order)
    ).map(list)
    # Lists of a size left to Hypothesis are mostly short.
    row_count = 0 if with_faults and draw(rarely) else draw(st.integers(1, 12))
    rows = draw(st.lists(row, min_size=row_count, max_size=row_count))
    data = draw(csv_files([HEADERS.get(path, path) for path in order], rows, with_faults=with_faults))
    return File(
        columns,
        draw(st.sampled_from(columns)),
        data,
        draw(st.sampled_from([1, 14, 40])),
        draw(st.sampled_from([0, 0, 20])),
    )


def starting_profiles(paths: list[str], values: dict[str, list[str]]) -> st.SearchStrategy[StartingProfile]:
    standard = [
        path for path in paths if path.startswith(("Email", "Personal", "BusinessE", "Phone", "Mobile", "Account"))
    ]
    names = {"mail": "_email", "Phone": "_phone", "Account": "_account"}
    keys = [
        (next(name for part, name in names.items() if part in path), value)
        for path in standard
        for value in values[path]
        if value != "n/a"
    ]
    some_keys = st.lists(st.sampled_from(keys), max_size=2) if keys else st.just([])
    return st.builds(
        StartingProfile,
        st.fixed_dictionaries({}, optional={path: st.sampled_from(values[path]) for path in paths}),
        st.sampled_from([True, True, False]),
        st.sampled_from([0, 0, 0, 15, 29, 30, 31]),
        st.lists(st.sampled_from(paths), max_size=1),
        some_keys,
        st.one_of(st.just([]), st.just([]), some_keys),
    )


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Any fields, any faults."""
    choice = st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=6, unique=True)
    paths = draw(choice)
    loads = [
        draw(files(draw(st.one_of(st.just(paths), choice)), VALUES, with_faults=True))
        for _ in range(draw(st.integers(1, 3)))
    ]
    loads.sort(key=lambda file: file.day)
    profiles = draw(st.lists(starting_profiles(paths, VALUES), max_size=4))
    return Scenario(profiles, loads, draw(CHUNK_SIZES), draw(st.sampled_from([None, 7, 64])))


@st.composite
def entangled_scenarios(draw: st.DrawFn) -> Scenario:
    """Values that move between the fields of one key, within a file, and meet in profiles that hold several."""
    group, few = draw(
        st.sampled_from(
            [
                (EMAIL_PATHS, FEW_EMAILS),
                (PHONE_PATHS, FEW_PHONES),
                (("AccountNumber",), FEW_ACCOUNTS),
                (("Attributes.tier",), FEW_TIERS),
            ]
        )
    )
    whole, customer, person = ("Attributes.Name",), ("Attributes.Kunde",), ("FirstName", "LastName")
    names = draw(st.sampled_from([("FirstName",), ("LastName",), whole, customer, person, person]))
    values = {**dict.fromkeys(group, few), **dict.fromkeys((*names, *person), NAMES)}
    loads = []
    for _ in range(draw(st.integers(1, 2))):
        paths = draw(st.lists(st.sampled_from(group), min_size=min(2, len(group)), max_size=3, unique=True))
        file = draw(files([*paths, *names], values, with_faults=False))
        loads.append(
            File(file.columns, draw(st.sampled_from(file.columns[: len(paths)])), file.data, file.expiry_days, file.day)
        )
    loads.sort(key=lambda file: file.day)
    paths = list(dict.fromkeys((*group, *names, *person)))
    profiles = draw(st.lists(starting_profiles(paths, values), max_size=4))
    # Under --compat strict, larger chunks have a known limit: see ARCHITECTURE.md, and the last test of this file.
    strict = draw(st.booleans())
    if strict:
        # It refuses a byte order mark.
        for file in loads:
            file.data = file.data.removeprefix(BOM_UTF8)
    has_limit = strict and any(profile.deleted_keys for profile in profiles)
    return Scenario(profiles, loads, 1 if has_limit else draw(CHUNK_SIZES), None, strict)


@pytest.mark.daily_on("sqlite", "postgresql")
@budgets.LOADS
@given(scenario=scenarios())
def test_a_load_leaves_what_a_reading_row_by_row_leaves(place: Place, scenario: Scenario) -> None:
    check(place, scenario)


@st.composite
def options(draw: st.DrawFn, file: File) -> JobOptions:
    """Any policies, and checks that some of the file's values may not pass."""
    checks = {
        f"field {index}": ValueCheck(kind=ONE_OF, values=tuple(VALUES[column.path][: draw(st.integers(1, 3))]))
        for index, column in enumerate(file.columns)
        if column.path in VALUES and draw(rarely)
    }
    return JobOptions(
        write_mode=draw(st.sampled_from(load_own_model().enums["WriteMode"].allowed or ())),
        blank_cells=draw(st.sampled_from(load_own_model().enums["BlankCells"].allowed or ())),
        short_rows=draw(st.sampled_from(load_own_model().enums["ShortRows"].allowed or ())),
        hand_set_fields=draw(st.sampled_from(load_own_model().enums["HandSetFields"].allowed or ())),
        checks=checks,
    )


@st.composite
def scenarios_with_policies(draw: st.DrawFn) -> Scenario:
    scenario = draw(st.one_of(scenarios(), entangled_scenarios()))
    for file in scenario.files:
        file.options = draw(options(file))
    return scenario


@pytest.mark.daily_on("sqlite")
@budgets.LOADS
@given(scenario=scenarios_with_policies())
def test_any_policies_leave_what_a_reading_row_by_row_leaves_and_a_preview_counts_the_same_and_writes_nothing(
    place: Place, scenario: Scenario
) -> None:
    def preview_and_run(shop: Shop, job: UploadJob) -> UploadJob:
        before = shop.known()
        preview = shop.preview(job, block_bytes=scenario.block_bytes, strict=scenario.strict)
        assert _comparable(shop.known()) == _comparable(before)
        found = (shop.failed_records(preview), shop.repeated_rows(preview))
        by_hand.At(job.created_at).write(shop.store, shop.domain, jobs.start_job, job.job_id)
        ended = run_as(shop, job, scenario)
        for name in (*COUNTS, "status", "status_reason", "failure_message", "record_count"):
            assert getattr(preview, name) == getattr(ended, name), name
        # Only what fails while records are followed stands there without its content.
        assert [replace(row, content=None) for row in found[0]] == [
            replace(row, content=None) for row in shop.failed_records(ended)
        ]
        assert found[1] == shop.repeated_rows(ended)
        return ended

    check(place, scenario, preview_and_run, starts=False)


# What is entangled is found out before the store is written, so that one engine tells.
@budgets.ENTANGLED_LOADS
@given(scenario=entangled_scenarios())
def test_values_that_move_between_the_fields_of_a_key_go_where_a_reading_row_by_row_puts_them(
    place: Place, scenario: Scenario
) -> None:
    check(place, scenario)


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize("paths", [("FirstName", "LastName"), ("Attributes.Name",), ("Attributes.Kunde",)])
def test_names_that_share_words_are_compared_as_a_reading_row_by_row_compares_them(
    place: Place, paths: tuple[str, ...]
) -> None:
    chosen = random.Random(str(paths))
    firsts, lasts = (
        ["Ann", "Mr. Bo", "C\u00e9", "", "17"],
        ["Berg", "van Ek", "Ann", "D'Ur Oak", "Fox Gray", "van Hay", "", "x@y"],
    )

    def write(count: int) -> bytes:
        rows = [",".join([HEADERS[path] for path in ("AccountNumber", *paths)])]
        for _ in range(count):
            first, last = chosen.choice(firsts), chosen.choice(lasts)
            names = [first, last] if len(paths) == 2 else [f"{first} {last}"]
            rows.append(",".join([f"a{chosen.randrange(40)}", *names]))
        return "\n".join(rows).encode()

    columns = [Column(HEADERS[path], path) for path in ("AccountNumber", *paths)]
    profiles = [
        StartingProfile(
            {
                "AccountNumber": f"a{number}",
                "FirstName": chosen.choice(["Ann", "Ole"]),
                "LastName": chosen.choice(lasts),
            },
            is_ingested=True,
            age_days=0,
        )
        for number in range(20)
    ]
    profiles = [replace(one, values={path: text for path, text in one.values.items() if text}) for one in profiles]
    file = File(columns, columns[0], write(60), 40, 0)

    check(place, Scenario(profiles, [file, replace(file, data=write(150))], None, None))


def check(
    place: Place,
    scenario: Scenario,
    run: Callable[[Shop, UploadJob], UploadJob] | None = None,
    *,
    starts: bool = True,
    follows_rows: bool = False,
) -> None:
    """Compare after each load of the scenario.

    Args:
        run: how to run a job; None: as always.
        starts: whether it is started by then.
        follows_rows: whether rows may be followed one by one, since the scratch database was lost.
    """
    shop = place.open_shop(expiration_days=30)
    for profile in scenario.profiles:
        make_profile(shop, profile)
    for file in scenario.files:
        expected = shop.known()
        job = shop.create_job(
            file.columns,
            file.unique_key.header,
            file.data,
            expiry_days=file.expiry_days,
            now=NOW + file.day * DAY,
            options=file.options,
            start=starts,
        )

        job = run_as(shop, job, scenario) if run is None else run(shop, job)

        oracle_job = shop.oracle_job(job, file.columns, file.unique_key, file.policies)
        # Rows that may be followed one by one are compared one by one.
        is_planned = not (follows_rows or scenario.strict) and not any(
            profile.added_keys for profile in expected.profiles.values()
        )
        outcome = oracle.load(expected, replace(oracle_job, matches_group=scenario.strict), file.data)
        assert_log_is_right(shop)
        assert shop.failed_records(job) == outcome.failed
        fewest = outcome.settled_count if is_planned else outcome.unchanged_count
        assert fewest <= job.unchanged_count <= outcome.settled_count
        assert shop.repeated_rows(job) == outcome.repeated
        for code, rows in (
            (OTHER_NAME_ROWS, outcome.other_names),
            (EXCHANGED_NAME_ROWS, outcome.exchanged_names),
        ):
            assert _other_names(shop, job, code) == (len(rows), rows[:MAX_LINES])
        assert (job.created_count, job.updated_count, job.failed_count) == (
            outcome.created_count,
            outcome.updated_count,
            len(outcome.failed),
        )
        assert (job.status, job.status_reason) == (outcome.status, outcome.reason)
        assert job.completed_at is not None
        assert job.client_token is None
        found = shop.known()
        assert _comparable(found) == _comparable(_with_row_numbers(expected, job.pid_base))
        assert shop.profile_count() == len(found.profiles)
        assert place.left_files(job) == []
    assert shop.count(tables.pending_keys, true()) == 0


def _other_names(shop: Shop, job: UploadJob, code: str) -> tuple[int, list[tuple[int, int | None]]]:
    """Return the count and the examples of the notice, as the oracle has them."""
    for notice in by_hand.read(shop.store, shop.domain, read_report, job.job_id).notices:
        if notice.code == code:
            givers = [int(one.removeprefix("line ")) if one.startswith("line ") else None for one in notice.others]
            return notice.count, list(zip(notice.lines, givers, strict=True))
    return 0, []


def run_as(shop: Shop, job: UploadJob, scenario: Scenario) -> UploadJob:
    return shop.run(
        job, rows_per_chunk=scenario.rows_per_chunk, block_bytes=scenario.block_bytes, strict=scenario.strict
    )


def make_profile(shop: Shop, start: StartingProfile) -> None:
    now = NOW - start.age_days * DAY
    standard = {path: text for path, text in start.values.items() if not path.startswith("Attributes.")}
    attributes = {
        path.removeprefix("Attributes."): text for path, text in start.values.items() if path.startswith("Attributes.")
    }
    profile = shop.make_profile(standard, attributes, now=now, ingested=start.is_ingested)
    for path in start.removed_fields:
        if path in start.values:
            is_attribute = path.startswith("Attributes.")
            empty = {path.removeprefix("Attributes."): ""}
            by_hand.update_profile(
                shop.store,
                shop.name,
                profile.profile_id,
                ProfileChange(attributes=empty) if is_attribute else ProfileChange(values=empty),
                now,
            )
    for name, value in start.added_keys:
        by_hand.add_profile_key(shop.store, shop.name, profile.profile_id, name, [value], now)
    for name, value in start.deleted_keys:
        by_hand.delete_profile_key(shop.store, shop.name, profile.profile_id, name, [value], now)


def _with_row_numbers(domain: KnownDomain, pid_base: int | None) -> KnownDomain:
    """Row number of the profile that record r created: pid_base + r."""
    return KnownDomain(
        {(pid if pid > 0 else (pid_base or 0) - pid): profile for pid, profile in domain.profiles.items()},
        domain.indexed_paths,
    )


def _comparable(domain: KnownDomain) -> dict[object, object]:
    # One entry per fact, so that a difference is told in a line.
    facts: dict[object, object] = {"indexed": domain.indexed_paths}
    for pid, profile in sorted(domain.profiles.items()):
        facts[pid, "values"] = profile.values
        facts[pid, "attributes"] = profile.attributes
        facts[pid, "expires_at"] = profile.expires_at
        facts[pid, "origins"] = profile.origins
        facts[pid, "keys"] = {Key(*key) for key in profile.keys}
        facts[pid, "added_keys"] = profile.added_keys
        facts[pid, "last_upload_job"] = profile.last_upload_job
    return facts


@pytest.mark.parametrize(
    "strict",
    [
        False,
        pytest.param(
            True,
            marks=pytest.mark.xfail(
                reason="a known limit, see ARCHITECTURE.md: the records of a chunk are folded before keys are compared"
            ),
        ),
    ],
)
def test_a_key_deleted_by_hand_that_leaves_its_profile_and_comes_back_in_one_load_is_found_again(
    place: Place, strict: bool
) -> None:
    start = StartingProfile(
        {"PhoneNumber": "2025550101"},
        is_ingested=True,
        age_days=0,
        added_keys=[("_phone", "2025550104")],
        deleted_keys=[("_phone", "2025550101")],
    )
    columns = [Column("Phone", "PhoneNumber"), Column("Mobile", "MobilePhoneNumber")]
    data = b"Phone,Mobile\n2025550104,2025550102\n2025550102,2025550101\n"

    check(place, Scenario([start], [File(columns, columns[0], data, 14, 0)], None, None, strict))
