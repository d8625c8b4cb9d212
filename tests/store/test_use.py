"""Whether a store is in use is known by a lock, on every engine."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from acceptance.running import wait_until
from openprofiles.errors import InvalidRequest
from openprofiles.master_key import MasterKey
from openprofiles.settings import PostgresqlUrl, Settings
from openprofiles.store import postgresql_use
from openprofiles.store.use import using, using_alone
from openprofiles.worker import main
from postgresql_server import PostgresqlServer


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "sqlite":
        return Settings(data_folder=tmp_path)
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    return Settings(data_folder=tmp_path, store=PostgresqlUrl(server.create_database()))


def test_many_use_a_store_at_once_and_nobody_has_it_alone_until_the_last_has_ended(settings: Settings) -> None:
    with using(settings):
        with using(settings), pytest.raises(InvalidRequest, match="is running on the store"), using_alone(settings):
            pass
        with pytest.raises(InvalidRequest, match="Stop all of them first"), using_alone(settings):
            pass

    with using_alone(settings):
        pass


def test_who_has_a_store_alone_keeps_everyone_else_out(settings: Settings) -> None:
    with using_alone(settings):
        with pytest.raises(InvalidRequest, match="is being copied"), using(settings):
            pass
        with pytest.raises(InvalidRequest, match="is running on the store"), using_alone(settings):
            pass

    with using(settings):
        pass


def test_a_worker_reads_the_master_key_only_while_nobody_can_change_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Read(Exception):
        pass

    def read(_settings: Settings) -> MasterKey:
        with pytest.raises(InvalidRequest, match="is running on the store"), using_alone(settings):
            pass
        raise Read

    monkeypatch.setattr(main, "load_master_key", read)

    with pytest.raises(Read):
        main.run_worker(settings, threading.Event())


def test_a_lock_whose_connection_was_lost_is_taken_again(
    tmp_path: Path, postgresql_server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_use, "_CHECK_SECONDS", 0.05)
    url = postgresql_server.create_database()
    settings = Settings(data_folder=tmp_path, store=PostgresqlUrl(url))

    def holders() -> list[int]:
        query = "select pid from pg_locks where locktype = 'advisory' and granted and database = "
        rows = watcher.execute(query.encode() + b"(select oid from pg_database where datname = current_database())")
        return [pid for (pid,) in rows]

    with psycopg.connect(url, autocommit=True) as watcher, using(settings):
        (first,) = holders()
        watcher.execute("select pg_terminate_backend(%s)", [first])

        wait_until(lambda: holders() not in ([], [first]), "the lock is held by another connection")
        with pytest.raises(InvalidRequest, match="is running on the store"), using_alone(settings):
            pass
