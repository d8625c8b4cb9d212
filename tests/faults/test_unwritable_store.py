"""A store that cannot be written: on a full disk, or on one that is read-only. What can be read is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from acceptance.running import RunningServer, run_command, running_server, wait_until
from faults.processes import kill_all
from faults.small_disk import SmallDisk
from openprofiles.settings import Settings
from openprofiles.store.open import open_store

# More than a write-ahead log has left of room that it had before.
MANY = 500


def refusal_of_a_write(client: Any) -> dict[str, Any]:
    """What a write is answered that the store has no room for."""

    def write_many() -> None:
        for _ in range(MANY):
            client.create_profile(DomainName="shop", FirstName="Ann" * 80)

    with pytest.raises(ClientError) as refused:
        write_many()
    return dict(refused.value.response)


def readiness(server: RunningServer) -> tuple[int, list[str]]:
    status, _, body = server.get("/readyz")
    return status, json.loads(body)["faults"]


def test_on_a_full_disk_reads_are_served_and_writes_are_refused_until_there_is_room(disk: SmallDisk) -> None:
    with running_server(disk.data_folder, "--workers", "1") as server:
        client = server.client()
        client.create_domain(DomainName="shop", DefaultExpirationDays=30)
        profile_id = client.create_profile(DomainName="shop", AccountNumber="A-1")["ProfileId"]
        wait_until(lambda: readiness(server) == (200, []), "the server is ready")
        disk.fill()

        refused = refusal_of_a_write(client)
        wait_until(lambda: readiness(server) == (503, ["the disk is full"]), "the server says that the disk is full")
        found = client.search_profiles(DomainName="shop", KeyName="_profileId", Values=[profile_id])["Items"]
        disk.make_room()
        wait_until(lambda: readiness(server) == (200, []), "the server is ready again")
        client.create_profile(DomainName="shop", FirstName="Ann")

        assert refused["Error"]["Code"] == "InternalServerException"
        assert refused["Error"]["Message"] == "The store's disk is full. Free some space, then try again."
        # Which every SDK repeats.
        assert refused["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert [one["AccountNumber"] for one in found] == ["A-1"]


def test_a_start_on_a_disk_that_is_full_or_read_only_says_so(disk: SmallDisk) -> None:
    new, made = disk.data_folder / "new", disk.data_folder / "made"
    new.mkdir(mode=0o700)
    open_store(Settings(data_folder=made)).close()

    def start(folder: Path) -> str:
        ended = run_command("serve", "--data", folder, "--port", "0")
        assert ended.returncode == 2
        return ended.stderr

    disk.make_read_only()
    on_read_only = start(made)
    disk.make_writable()
    disk.fill()
    on_full = [start(made), start(new)]

    assert on_read_only.startswith(
        "Error: The store cannot be written to (unable to open database file). Make its file"
    )
    assert on_full == [
        "Error: The store's disk is full. Free some space, then try again.\n",
        "Error: The disk is full. Free some space, then try again.\n",
    ]


def test_a_store_that_is_read_only_is_served_and_its_worker_waits_until_it_can_be_written(disk: SmallDisk) -> None:
    with running_server(disk.data_folder, "--workers", "1") as server:
        client = server.client()
        client.create_domain(DomainName="shop", DefaultExpirationDays=30)
        profile_id = client.create_profile(DomainName="shop", AccountNumber="A-1")["ProfileId"]
        secrets = server.admin()
        wait_until(lambda: readiness(server) == (200, []), "the worker runs")
        # The write-ahead log stays, as after a crash that a disk has caused; without one, SQLite reads nothing here.
        kill_all([*server.children(), server.process.pid])
    disk.make_read_only()
    with running_server(disk.data_folder, "--workers", "1") as server:
        client = server.client(*secrets)
        wait_until(lambda: "store_not_writable" in server.log(), "the worker says that it cannot write")
        workers = server.children()
        found = client.search_profiles(DomainName="shop", KeyName="_profileId", Values=[profile_id])["Items"]
        refused = refusal_of_a_write(client)
        wait_until(lambda: readiness(server) == (503, ["the store cannot be written to"]), "the server says so")
        disk.make_writable()
        wait_until(lambda: "work_resumed" in server.log(), "the worker goes on")
        wait_until(lambda: readiness(server) == (200, []), "the server is ready again")
        client.create_profile(DomainName="shop", FirstName="Ann")

        assert [one["AccountNumber"] for one in found] == ["A-1"]
        assert refused["Error"]["Code"] == "InternalServerException"
        assert "The store cannot be written to (attempt to write a readonly database)" in refused["Error"]["Message"]
        assert server.children() == workers
        assert server.log().count("] store_not_writable") == 1
