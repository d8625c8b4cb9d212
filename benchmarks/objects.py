"""Measure how fast objects are ingested: in the store, in groups, and over HTTP next to GetUploadJob."""

from __future__ import annotations

import json
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
        stored = list(_measure_store("SQLite, memory", open_store(Settings(data_folder=data_folder))))
        with closing(PostgresqlServer(SETTINGS)) as server:
            stored += _measure_postgresql(server, Path(folder))
        requests = list(_measure_requests(data_folder))
        files = list(_measure_files(Path(folder)))
    return "\n".join(
        [
            f"| Objects a second, {_PROFILES:,} profiles | group | create | replace |",
            "| --- | --- | --- | --- |",
            *stored,
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


def _measure_postgresql(server: PostgresqlServer, folder: Path) -> Iterator[str]:
    url = server.create_database()
    run(import_command(first_file(folder, _PROFILES), "--data", folder / "data-postgresql", "--store", url))
    settings = Settings(data_folder=folder / "data-postgresql", store=PostgresqlUrl(url))
    yield from _measure_store("PostgreSQL", open_store(settings))


def _measure_store(name: str, store: Store) -> Iterator[str]:
    with writing(store, DOMAIN, utc_now(), "benchmark") as session:
        put_object_type(session, _TYPE, _DEFINITION, {}, strict=False)
    number = 0
    for size in (1, 32):
        rates: dict[str, list[float]] = {"create": [], "replace": []}
        for _ in range(_ROUNDS):
            contents = [_object(number + at) for at in range(size * _GROUPS)]
            number += len(contents)
            rates["create"].append(_rate(store, contents, size))
            rates["replace"].append(_rate(store, [one.replace("Ann", "Bea") for one in contents], size))
        create, replace = (statistics.median(rates[kind]) for kind in ("create", "replace"))
        yield f"| {name} | {size} | {create:,.0f} | {replace:,.0f} |"
    store.close()


def _rate(store: Store, contents: list[str], size: int) -> float:
    started = time.perf_counter()
    for start in range(0, len(contents), size):
        with writing(store, DOMAIN, utc_now(), "benchmark") as session:
            results = put_objects(session, _TYPE, contents[start : start + size])
        assert all(one.error is None for one in results)
    return len(contents) / (time.perf_counter() - started)


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
