from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from starlette.applications import Starlette
from starlette.types import Message

from openprofiles.credentials.authenticate import Authenticator
from openprofiles.master_key import MasterKey
from openprofiles.server import health
from openprofiles.server.metrics import Metrics
from openprofiles.server.services import Services
from openprofiles.settings import Settings
from openprofiles.store.open import migrate
from openprofiles.store.sqlite import SqliteStore
from openprofiles.uploads.arrival.local_files import LocalFiles


def get_readiness(store: SqliteStore, *, workers_alive: bool) -> tuple[int, dict[str, Any]]:
    key = MasterKey(bytes(32))
    services = Services(Settings(), store, key, LocalFiles(Path("nowhere")), Authenticator(store, key), Metrics())
    app = Starlette(routes=health.routes(services, lambda: workers_alive))
    scope = {"type": "http", "method": "GET", "path": "/readyz", "headers": [], "query_string": b""}
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    asyncio.run(app(scope, receive, send))
    return messages[0]["status"], json.loads(messages[1]["body"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "openprofiles.db"


def test_a_server_with_its_store_and_its_worker_is_ready(path: Path) -> None:
    store = SqliteStore(path)

    answer = get_readiness(store, workers_alive=True)

    store.close()
    assert answer == (200, {"ready": True, "faults": []})


def test_a_server_without_its_worker_is_not_ready(path: Path) -> None:
    store = SqliteStore(path)

    answer = get_readiness(store, workers_alive=False)

    store.close()
    assert answer == (503, {"ready": False, "faults": ["the worker is not running"]})


def test_a_server_that_cannot_read_its_store_is_not_ready(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)
    store = SqliteStore(path)

    answer = get_readiness(store, workers_alive=True)

    store.close()
    assert answer == (503, {"ready": False, "faults": ["the store cannot be read"]})


def test_a_server_whose_store_takes_no_writes_is_not_ready(path: Path) -> None:
    store = SqliteStore(path)
    migrate(store)
    store.close()
    event.listen(store.engine, "connect", lambda connection, _: connection.execute("pragma query_only = on"))

    answer = get_readiness(store, workers_alive=True)

    store.close()
    assert answer == (503, {"ready": False, "faults": ["the store cannot be written to"]})


@pytest.mark.parametrize(
    ("check", "fault"),
    [("check_writable", "the store cannot be written to"), ("revision_of", "the store cannot be read")],
)
def test_a_server_whose_check_fails_for_an_unknown_reason_is_not_ready(
    path: Path, monkeypatch: pytest.MonkeyPatch, check: str, fault: str
) -> None:
    def fail(_store: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(health, check, fail)
    store = SqliteStore(path)
    migrate(store)

    answer = get_readiness(store, workers_alive=True)

    store.close()
    assert answer == (503, {"ready": False, "faults": [fault]})
