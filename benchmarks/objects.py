"""Measure how fast objects are ingested: in the store, in groups, and over HTTP next to GetUploadJob."""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.api import Caller, Place, measure, running_server
from benchmarks.loads import DOMAIN, OPENPROFILES, first_file, import_command
from benchmarks.postgresql import SETTINGS
from benchmarks.processes import run
from openprofiles.clock import utc_now
from openprofiles.objects.objects import put_objects
from openprofiles.objects.type_definitions import put_object_type
from openprofiles.profiles.session import writing
from openprofiles.settings import PostgresqlUrl, Settings
from openprofiles.store.connections import Store
from openprofiles.store.open import open_store
from postgresql_server import PostgresqlServer

_PROFILES = 1_000_000
_GROUPS = 100
_ROUNDS = 3
# An open loop: objects arrive at random times, whether or not those before have been written.
_ARRIVALS_PER_SECOND = (1_500, 2_500)
_ARRIVAL_SECONDS = 10
_GROUP_LIMIT = 32
_SYNC_SECONDS = 0.001
_CLIENTS = (1, 16)
_BATCH = 10
# A fifth of the million rows of the goal.
_FILE_ROWS = 200_000
_TYPE = "Customer"
_FIELDS = ("First", "Last", "City", "Street", "Zip", "Country", "Tier", "Note")
_DEFINITION: dict[str, Any] = {
    "Description": "Customers",
    "AllowProfileCreation": True,
    "Fields": {
        "id": {"Source": "_source.id"},
        "mail": {"Source": "_source.mail", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
        **{name: {"Source": f"_source.{name}", "Target": f"_profile.Attributes.{name}"} for name in _FIELDS},
    },
    "Keys": {
        "benchId": [{"StandardIdentifiers": ["PROFILE", "UNIQUE"], "FieldNames": ["id"]}],
        "_email": [{"StandardIdentifiers": ["PROFILE", "SECONDARY"], "FieldNames": ["mail"]}],
    },
}


def measure_table() -> str:
    """Measure all of it; return the tables of benchmarks/README.md."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108
        data_folder = Path(folder) / "data"
        run(import_command(first_file(Path(folder), _PROFILES), "--data", data_folder))
        stored: list[str] = []
        arrived: list[str] = []
        with closing(open_store(Settings(data_folder=data_folder))) as store:
            _measure_store("SQLite, memory", store, stored, arrived)
        with closing(PostgresqlServer(SETTINGS)) as server, closing(_postgresql_store(server, Path(folder))) as store:
            _measure_store("PostgreSQL", store, stored, arrived)
        requests = list(_measure_requests(data_folder))
        files = list(_measure_files(Path(folder)))
    return "\n".join(
        [
            f"| Objects a second, {_PROFILES:,} profiles | group | create | replace |",
            "| --- | --- | --- | --- |",
            *stored,
            "",
            "| Open loop, a sync of 1 ms | objects a second | p50, ms | p99, ms | longest, ms |",
            "| --- | --- | --- | --- | --- |",
            *arrived,
            "",
            "| Requests a second over HTTP | clients | per second | of GetUploadJob |",
            "| --- | --- | --- | --- |",
            *requests,
            "",
            f"| {_FILE_ROWS:,} rows by file, SQLite | seconds | rows a second | of the first load | peak, MB |",
            "| --- | --- | --- | --- | --- |",
            *files,
        ]
    )


def _postgresql_store(server: PostgresqlServer, folder: Path) -> Store:
    url = server.create_database()
    run(import_command(first_file(folder, _PROFILES), "--data", folder / "data-postgresql", "--store", url))
    return open_store(Settings(data_folder=folder / "data-postgresql", store=PostgresqlUrl(url)))


def _measure_store(name: str, store: Store, stored: list[str], arrived: list[str]) -> None:
    """Measure a store, and add its rows to both tables."""
    with writing(store, DOMAIN, utc_now(), "benchmark") as session:
        put_object_type(session, _TYPE, _DEFINITION, {}, strict=False)
    number = 0
    for size in (1, _GROUP_LIMIT):
        rates: dict[str, list[float]] = {"create": [], "replace": []}
        for _ in range(_ROUNDS):
            contents = [_object(number + at) for at in range(size * _GROUPS)]
            number += len(contents)
            rates["create"].append(_rate(store, contents, size))
            rates["replace"].append(_rate(store, [one.replace("Ann", "Bea") for one in contents], size))
        create, replace = (statistics.median(rates[kind]) for kind in ("create", "replace"))
        stored.append(f"| {name} | {size} | {create:,.0f} | {replace:,.0f} |")
    for per_second in _ARRIVALS_PER_SECOND:
        # Half of them are new, the others replace an object of before.
        count = per_second * _ARRIVAL_SECONDS // 2
        pairs = (
            (_object(number + at), _object(at % number).replace("Ann", f"Ann {per_second}")) for at in range(count)
        )
        contents = [one for pair in pairs for one in pair]
        number += count
        waits = sorted(_arrive(store, contents, per_second))
        p50, p99 = (waits[int(len(waits) * part)] * 1000 for part in (0.5, 0.99))
        arrived.append(f"| {name} | {per_second:,} | {p50:.1f} | {p99:.1f} | {waits[-1] * 1000:.1f} |")


def _arrive(store: Store, contents: list[str], per_second: int) -> list[float]:
    """Ingest objects that arrive at random times; return how long each took from its arrival, in seconds.

    Those that wait are written together, as the server does, and each commit takes a simulated sync longer.
    """
    # The same times in each run.
    chance = random.Random(1)
    at, arrivals = time.perf_counter(), []
    for _ in contents:
        at += chance.expovariate(per_second)
        arrivals.append(at)
    waits: list[float] = []
    while len(waits) < len(contents):
        first, now = len(waits), time.perf_counter()
        if arrivals[first] > now:
            time.sleep(arrivals[first] - now)
            now = time.perf_counter()
        upto = first + 1
        while upto < min(len(contents), first + _GROUP_LIMIT) and arrivals[upto] <= now:
            upto += 1
        _put_group(store, contents[first:upto])
        time.sleep(_SYNC_SECONDS)
        done = time.perf_counter()
        waits += [done - arrival for arrival in arrivals[first:upto]]
    return waits


def _rate(store: Store, contents: list[str], size: int) -> float:
    started = time.perf_counter()
    for start in range(0, len(contents), size):
        _put_group(store, contents[start : start + size])
    return len(contents) / (time.perf_counter() - started)


def _put_group(store: Store, contents: list[str]) -> None:
    with writing(store, DOMAIN, utc_now(), "benchmark") as session:
        results = put_objects(session, _TYPE, contents)
    assert all(one.error is None for one in results)


def _measure_requests(data_folder: Path) -> Iterator[str]:
    with running_server(Place(data_folder), "--workers", "0") as port:
        caller = Caller(data_folder, port)
        makers: dict[str, Callable[[], list[str]]] = {
            "GetUploadJob": lambda: [caller.get_upload_job()],
            "PutProfileObject": lambda: [_put(caller, number) for number in range(200)],
            f"BatchPutProfileObject of {_BATCH}": lambda: [_batch(caller, number) for number in range(200)],
        }
        for clients in _CLIENTS:
            found = {
                name: statistics.median(measure(port, clients, make())["per_second"] for _ in range(_ROUNDS))
                for name, make in makers.items()
            }
            base = found["GetUploadJob"]
            for name, rate in found.items():
                objects = rate * _BATCH if name.startswith("Batch") else rate
                yield f"| {name} | {clients} | {rate:,.0f} | {objects / base:.2f}x in objects |"


def _measure_files(folder: Path) -> Iterator[str]:
    """Measure files of objects next to a first load of as many profiles; two thirds of the objects join a profile."""
    data, file, definition = folder / "data-files", folder / "objects.jsonl", folder / "type.json"
    first = run(import_command(first_file(folder, _FILE_ROWS), "--data", folder / "data-first"))
    run(import_command(first_file(folder, _FILE_ROWS // 5), "--data", data))
    definition.write_text(json.dumps(_DEFINITION))
    run((*OPENPROFILES, "object-types", "put", _TYPE, definition, "--domain", DOMAIN, "--data", data))
    with file.open("w", encoding="utf-8") as lines:
        for number in range(_FILE_ROWS):
            customer = number % (_FILE_ROWS * 3 // 10)
            lines.write(_object(number).replace(f"object-{number}@", f"object-{customer}@") + "\n")
    load = (*OPENPROFILES, "import", file, "--as", _TYPE, "--domain", DOMAIN, "--data", data)
    for name, found in (("first load of profiles", first), ("objects", run(load)), ("the same objects", run(load))):
        rate, ratio, peak = _FILE_ROWS / found.seconds, found.seconds / first.seconds, found.peak_bytes / 1e6
        yield f"| {name} | {found.seconds:,.1f} | {rate:,.0f} | {ratio:.1f}x | {peak:,.0f} |"


def _object(number: int) -> str:
    values = {name: f"{name} {number}" for name in _FIELDS}
    return json.dumps({"id": str(number), "mail": f"object-{number}@example.com", **values, "First": "Ann"})


def _put(caller: Caller, number: int) -> str:
    body = json.dumps({"ObjectTypeName": _TYPE, "Object": _object(1_000_000 + number)})
    return caller.signed("PUT", f"/domains/{DOMAIN}/profiles/objects", body)


def _batch(caller: Caller, number: int) -> str:
    items = [{"Id": str(at), "Object": _object(2_000_000 + number * _BATCH + at)} for at in range(_BATCH)]
    body = json.dumps({"ObjectTypeName": _TYPE, "Items": items})
    return caller.signed("PUT", f"/domains/{DOMAIN}/profiles/objects/batch-put-profile-object", body)
