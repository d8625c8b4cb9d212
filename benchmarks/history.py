"""Measure how long a page of the history of a profile takes after many loads, and the room that the log takes."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import text

from acceptance.running import running_server
from load.loading import Place, Shop
from load.oracle import Column
from openprofiles.uploads.reading.file_form import FileOptions

_COLUMNS = [
    Column("Email", "EmailAddress"),
    Column("First", "FirstName"),
    Column("Last", "LastName"),
    Column("City", "Address.City"),
]
_LOADS, _ROWS = 300, 20_000
_PAGES, _PER_PAGE = 30, 50
_DAYS, _DAILY_ROWS, _DAILY_CHANGES = 30, 100_000, 10_000


def measure_table() -> str:
    """Measure both; return the tables of benchmarks/README.md."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108
        pages = _measure_pages(Path(folder) / "pages")
        room = _measure_room(Path(folder) / "room")
    return f"{pages}\n\n{room}"


def _measure_pages(data_folder: Path) -> str:
    place = Place(data_folder)
    shop = place.open_shop(expiration_days=1098)
    for number in range(_LOADS + 1):
        _load(shop, _ROWS, number, lambda row: row == 7)
    place.close()
    with running_server(data_folder, "--workers", "0") as server:
        client = server.client()
        found = client.search_profiles(DomainName=shop.name, KeyName="_email", Values=["a7@example.com"])["Items"]
        request: dict[str, Any] = {"DomainName": shop.name, "ProfileId": found[0]["ProfileId"], "MaxResults": _PER_PAGE}
        client.list_profile_history_records(**request)
        taken = []
        for _ in range(_PAGES):
            started = time.perf_counter()
            page = client.list_profile_history_records(**request)
            taken.append(1000 * (time.perf_counter() - started))
            assert len(page["ProfileHistoryRecords"]) == _PER_PAGE
    return (
        f"| Page of {_PER_PAGE} records, after {_LOADS} loads of {_ROWS:,} rows | p50, ms | (least to most) |\n"
        f"| --- | --- | --- |\n"
        f"| over HTTP, from a warm server | {statistics.median(taken):.0f} | {min(taken):.0f} to {max(taken):.0f} |"
    )


def _measure_room(data_folder: Path) -> str:
    place = Place(data_folder)
    shop = place.open_shop(expiration_days=1098)
    _load(shop, _DAILY_ROWS, 0, lambda _row: False)
    before = _room(place, data_folder)
    for day in range(_DAYS):
        _load(shop, _DAILY_ROWS, day + 1, lambda row, day=day: row % (_DAILY_ROWS // _DAILY_CHANGES) == day % 10)
    after = _room(place, data_folder)
    place.close()
    lines = [f"| {name} | {before[name]:,.1f} | {after[name]:,.1f} |" for name in after]
    return "\n".join(
        [
            f"| MB, {_DAILY_ROWS:,} rows with {_DAILY_CHANGES:,} changes each | first load | after {_DAYS} more |",
            "| --- | --- | --- |",
            *lines,
        ]
    )


def _room(place: Place, data_folder: Path) -> dict[str, float]:
    with place.store.read() as connection:
        log = connection.execute(text("select coalesce(sum(length(pids) + 120), 0) from profile_change")).scalar_one()
        images = connection.execute(text("select coalesce(sum(length(content)), 0) from undo_image")).scalar_one()
    files = sum(path.stat().st_size for path in data_folder.glob("openprofiles.db*"))
    return {"the log of changes": log / 1e6, "values before, kept for 7 days": images / 1e6, "the store": files / 1e6}


def _load(shop: Shop, rows: int, number: int, is_changed: Any) -> None:
    lines = "".join(
        f"a{row}@example.com,Ann{row},Rao,{f'City {number}' if is_changed(row) else 'Rome'}\n" for row in range(rows)
    )
    job = shop.create_job(
        _COLUMNS, "Email", f"Email,First,Last,City\n{lines}".encode(), expiry_days=1098, file=FileOptions()
    )
    shop.run(job)
