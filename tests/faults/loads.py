"""A load with all kinds of rows, generated from a seed, and comparisons of the stores that it leaves."""

from __future__ import annotations

import csv
import io
import random
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table
from sqlalchemy import select as select_rows

import by_hand
from budgets import IS_LONG
from load.loading import Place, Shop
from load.oracle import Column
from openprofiles.clock import utc_now
from openprofiles.settings import PostgresqlUrl, Settings
from openprofiles.store import tables
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs
from postgresql_server import PostgresqlServer

COLUMNS = (
    Column("Email", "EmailAddress"),
    Column("Personal", "PersonalEmailAddress"),
    Column("Phone", "PhoneNumber"),
    Column("First", "FirstName"),
    Column("Last", "LastName"),
    Column("City", "Address.City"),
    Column("Notes", "AdditionalInformation"),
    Column("Kind", "ProfileType"),
    Column("tier", "Attributes.tier"),
)

# How many records of a chunk go to one profile depends on where the chunk ends, and they are one change of it. So the
# revisions of profiles whose records are followed one by one are not compared; their addresses say which those are.
ENTANGLED = "entangled.example"

_NAMES = ("Ana", "Łukasz", "Zoë", "李雷", "Дарья", "O'Neil", "Nguyễn", "😀 Smile", "Ünal")
_NOTES = ('said "hello"\nand left', "a, b;\r\nc", "", "", "", "plain", "“typographic”", " blanks around ")
_TIERS = ("gold", "silver", "", "")


@dataclass(frozen=True)
class LoadSize:
    """The number of rows of each kind in the second file."""

    new: int = 30_000
    updates: int = 15_000
    repeats: int = 2_000
    entangled: int = 3_000
    failing: int = 400

    @property
    def record_count(self) -> int:
        return self.new + self.updates + self.repeats + self.entangled + self.failing // 10 * 3 + self.failing


# Each of its phases takes long enough for something to happen in it.
MEDIUM = LoadSize(new=12_000, updates=8_000, repeats=1_000, entangled=1_500, failing=200)
SMALL = MEDIUM if IS_LONG else LoadSize(new=5_000, updates=3_500, repeats=400, entangled=600, failing=100)
SIZE = LoadSize() if IS_LONG else SMALL

# A process that is killed between its claim of a job and the opening of the scratch database leaves one that is two
# claims old. The next loader makes a new one and follows the remaining rows one by one: more changes of a profile, and
# fewer keys to write.
CHANGED_BY_A_NEW_SCRATCH = ("revision", "position")


@dataclass(frozen=True, slots=True)
class Installation:
    """A data folder, with a store in it or in a PostgreSQL database."""

    data_folder: Path
    server: PostgresqlServer | None = None
    store: PostgresqlUrl | None = None

    @property
    def options(self) -> tuple[str | Path, ...]:
        """Return the options with which a program finds it."""
        return ("--data", self.data_folder, *(("--store", self.store.text) if self.store else ()))

    def copy(self, data_folder: Path) -> Installation:
        """Copy it to another place, which may be an empty folder; it must not be in use."""
        shutil.copytree(self.data_folder, data_folder, dirs_exist_ok=True)
        if self.server is None or self.store is None:
            return Installation(data_folder)
        store = PostgresqlUrl(self.server.create_database(self.store.text))
        # A folder of uploads bears the name of the database to which it belongs.
        uploads = Settings(data_folder=data_folder, store=self.store).uploads_folder
        uploads.rename(Settings(data_folder=data_folder, store=store).uploads_folder)
        return Installation(data_folder, self.server, store)

    def remove(self) -> None:
        shutil.rmtree(self.data_folder)
        if self.server is not None and self.store is not None:
            self.server.drop_database(self.store.text)


def new_installation(data_folder: Path, server: PostgresqlServer | None) -> Installation:
    """Create an empty one, on PostgreSQL if a server is given."""
    return Installation(data_folder, server, PostgresqlUrl(server.create_database()) if server else None)


def prepare_load(installation: Installation, seed: int, size: LoadSize) -> None:
    """Load one file, and leave the next one waiting for a worker."""
    dice, now = random.Random(seed), utc_now()
    place = Place(installation.data_folder, installation.store)
    try:
        shop = place.open_shop()
        shop.load(COLUMNS, "Email", make_csv(_first_rows(dice, size)), now=now)
        _make_profiles_by_hand(shop, size, now)
        shop.create_job(COLUMNS, "Email", make_csv(_second_rows(dice, size)), now=now)
    finally:
        place.close()


@contextmanager
def opened(installation: Installation) -> Iterator[tuple[Shop, UploadJob]]:
    """Return the domain and the second job of a prepared load."""
    place = Place(installation.data_folder, installation.store)
    try:
        shop = Shop(place, by_hand.get_domain(place.store, "shop-1"))
        yield shop, by_hand.read(place.store, shop.domain, jobs.list_jobs, max_results=2).items[0]
    finally:
        place.close()


def _first_rows(dice: random.Random, size: LoadSize) -> list[list[str]]:
    return [make_row(dice, f"old-{n}@x.example", f"before-{n}@x.example") for n in range(size.updates)]


def _make_profiles_by_hand(shop: Shop, size: LoadSize, now: datetime) -> None:
    for n in range(size.failing // 10):
        for _ in range(2):
            shop.make_profile({"EmailAddress": f"twice-{n}@x.example"}, now=now)
        shop.make_profile({"EmailAddress": f"Hand-{n}@{ENTANGLED}", "FirstName": "By hand"}, now=now)
    # Each is found by ten unique keys of the second file.
    for n in range(size.entangled // 10):
        made = shop.make_profile({"EmailAddress": f"pair-{n}@{ENTANGLED}"}, now=now, ingested=True)
        given = [f"other-{n}@{ENTANGLED}", *(f"chain-{8 * n + more}@{ENTANGLED}" for more in range(8))]
        by_hand.add_profile_key(shop.store, shop.name, made.profile_id, "_email", given, now)


def _second_rows(dice: random.Random, size: LoadSize) -> list[list[str]]:
    rows = [make_row(dice, f"new-{n}@x.example", f"new-{n}@y.example") for n in range(size.new)]
    for n in range(size.updates):
        # Some keep their second address, some change it, some take one that another profile gives up.
        personal = dice.choice(("", f"before-{n}@x.example", f"after-{n}@x.example", f"before-{n + 1}@x.example"))
        rows.append(make_row(dice, dice.choice((f"old-{n}@x.example", f" OLD-{n}@X.example")), personal))
    rows += [make_row(dice, f"new-{dice.randrange(size.new)}@x.example", "") for _ in range(size.repeats // 2)]
    rows += [make_row(dice, f"old-{dice.randrange(size.updates)}@x.example", "") for _ in range(size.repeats // 2)]
    for n in range(size.entangled // 10):
        rows.append(make_row(dice, f"pair-{n}@{ENTANGLED}", ""))
        rows.append(make_row(dice, f"other-{n}@{ENTANGLED}", f"pair-{n}@{ENTANGLED}"))
    for n in range(size.entangled - 2 * (size.entangled // 10)):
        rows.append(make_row(dice, f"chain-{n}@{ENTANGLED}", f"chain-{n + dice.choice((1, 1, 7))}@{ENTANGLED}"))
    for n in range(size.failing // 10):
        rows += [make_row(dice, f"hand-{n}@{ENTANGLED}", "") for _ in range(2)]
        rows.append(make_row(dice, f"twice-{n}@x.example", ""))
    for n in range(size.failing):
        rows.append(make_failing_row(dice, n))
    dice.shuffle(rows)
    return rows


def make_row(dice: random.Random, email: str, personal: str) -> list[str]:
    return [
        email,
        personal,
        dice.choice(("", f"({dice.randrange(201, 989)}) 555-{dice.randrange(10_000):04}")),
        dice.choice(_NAMES),
        dice.choice(("", f"Family {dice.randrange(500)}")),
        dice.choice(("", " ", "München", "Seattle")),
        dice.choice(_NOTES),
        dice.choice(("", "PROFILE")),
        dice.choice(_TIERS),
    ]


def make_failing_row(dice: random.Random, number: int) -> list[str]:
    row = make_row(dice, f"failing-{number}@x.example", "")
    column, value = dice.choice(((0, " "), (0, "x" * 300 + "@x.example"), (3, "é" * 256), (7, "ROBOT")))
    row[column] = value
    return [*row, "one cell too many"] if number % 5 == 0 else row


def make_csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([column.header for column in COLUMNS])
    writer.writerows(rows)
    return text.getvalue().encode()


Rows = dict[object, Mapping[str, Any]]

# What differs between two loads of one file into two copies of one store. How many chunks, and so changes, a load makes
# depends on how long they take.
_DIFFERS = {
    "profile": {"profile_id", "created_at", "updated_at", "revision"},
    "domain": {"created_at", "updated_at", "change_number"},
    "failed_row": {"content"},
    "job": {
        "change_count",
        "completed_at",
        "lease_owner",
        "lease_until",
        "epoch",
        "failed_attempts",
        "step_milliseconds",
        "step_started_at",
    },
}
_COMPARED = (
    (tables.profile, ("pid",)),
    (tables.profile_key, ("domain_id", "name", "value", "pid")),
    (tables.held_key, ("pid", "name", "value")),
    (tables.indexed_field, ("domain_id", "path")),
    (tables.failed_row, ("upload_job_id", "record", "fault")),
    (tables.job, ("job_number",)),
    (tables.upload_job, ("job_number",)),
    (tables.domain, ("domain_id",)),
    (tables.row_sequence, ("name",)),
    # Where a load keeps notes for itself.
    (tables.pending_keys, ("pending_keys_id",)),
    (tables.ordered_record, ("upload_job_id", "record")),
)


def read_store(shop: Shop) -> dict[str, Rows]:
    """Return all rows that a load writes, without values that differ in each load."""
    (first, *_) = by_hand.read(shop.store, shop.domain, jobs.list_jobs, max_results=1).items
    return {table.name: _read_table(shop, table, key, first.pid_base or 0) for table, key in _COMPARED}


def _read_table(shop: Shop, table: Table, key: tuple[str, ...], pid_base: int) -> Rows:
    with shop.store.read() as connection:
        read = [dict(row) for row in connection.execute(select_rows(table)).mappings()]
    rows: Rows = {}
    for row in read:
        kept = {name: value for name, value in row.items() if name not in _DIFFERS.get(table.name, ())}
        if table is tables.profile:
            if row["pid"] <= pid_base:
                kept |= {"profile_id": row["profile_id"], "created_at": row["created_at"]}
            if ENTANGLED not in (row["email_address"] or ""):
                kept["revision"] = row["revision"]
        rows[tuple(row[name] for name in key)] = kept
    return rows


def differences(expected: dict[str, Rows], found: dict[str, Rows], *, without: Collection[str] = ()) -> list[str]:
    """List the first differences of each table.

    Args:
        without: columns that may differ.
    """
    told = []
    for name in expected:
        rows, others = _without(expected[name], without), _without(found[name], without)
        wrong = [key for key in {**rows, **others} if rows.get(key) != others.get(key)]
        told += [f"{len(wrong)} rows of {name} differ"] if wrong else []
        for key in wrong[:3]:
            mine, theirs = rows.get(key), others.get(key)
            if mine is None or theirs is None:
                told.append(f"{name} {key}: {'missing' if theirs is None else 'too many'}")
            else:
                cells = {column: (mine[column], theirs[column]) for column in mine if mine[column] != theirs[column]}
                told.append(f"{name} {key}: {cells}")
    return told


def _without(rows: Rows, names: Collection[str]) -> Rows:
    return {key: {name: value for name, value in row.items() if name not in names} for key, row in rows.items()}


def assert_row_numbers_are_used_once(shop: Shop) -> None:
    """Check that row numbers come from the sequence, and that ids are unique and match them."""
    profile, sequence = tables.profile, tables.row_sequence
    with shop.store.read() as connection:
        rows = connection.execute(select_rows(profile.c.pid, profile.c.profile_id)).all()
        next_value = connection.execute(select_rows(sequence.c.next_value)).scalar_one()
    assert max(row.pid for row in rows) < next_value
    assert len({row.profile_id for row in rows}) == len(rows)
    assert [row.pid for row in rows if int(row.profile_id[-12:], 16) != row.pid] == []


def assert_store_is_whole(shop: Shop) -> None:
    """Check the file with SQLite. On PostgreSQL there is nothing to check."""
    if shop.place.settings.store is not None:
        return
    with shop.store.read() as connection:
        assert connection.exec_driver_sql("pragma integrity_check").scalars().all() == ["ok"]
