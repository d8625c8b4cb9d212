"""What a scrape of the metrics gives beyond requests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from openprofiles.clock import utc_now
from openprofiles.server.connections import Connections, Limits
from openprofiles.server.metrics import Metrics
from openprofiles.server.state_metrics import StateMetrics
from openprofiles.settings import Settings
from openprofiles.store import tables
from openprofiles.store.feeds import claim_feed, move_feed, record_failure
from openprofiles.store.sqlite import SqliteStore
from openprofiles.store.tables import metadata
from openprofiles.store.webhooks import insert_delivery
from openprofiles.worker.heartbeat import Heartbeat
from store.made_rows import make_domain, make_job


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "openprofiles.db")
    with made.write() as connection:
        metadata.create_all(connection)
    yield made
    made.close()


def scrape(metrics: Metrics) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in metrics.write().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines if name.startswith("openprofiles_")}


def test_rows_are_counted_from_the_first_scrape_on(store: SqliteStore, tmp_path: Path) -> None:
    metrics = Metrics(StateMetrics(Settings(data_folder=tmp_path), store, Connections(Limits(10))))
    domain = make_domain(store, "shop")
    make_job(store, domain, 1, created_count=1000)
    running = make_job(store, domain, 2, status="IN_PROGRESS", created_count=10)
    first = scrape(metrics)
    with store.write() as connection:
        connection.execute(
            update(tables.upload_job).where(tables.upload_job.c.job_number == running).values(created_count=25)
        )
        connection.execute(update(tables.job).where(tables.job.c.job_number == running).values(status="SUCCEEDED"))
    make_job(store, domain, 3, failed_count=4)

    second, third = scrape(metrics), scrape(metrics)

    created = 'openprofiles_loaded_rows_total{result="created"}'
    failed = 'openprofiles_loaded_rows_total{result="failed"}'
    assert (first[created], second[created], third[created]) == (0, 15, 15)
    assert (first[failed], second[failed], third[failed]) == (0, 4, 4)


def test_a_scrape_has_the_disk_the_store_the_jobs_the_workers_and_the_connections(
    store: SqliteStore, tmp_path: Path
) -> None:
    settings = Settings(data_folder=tmp_path)
    connections = Connections(Limits(10))
    connections.note_end("idle")
    settings.slots_folder.mkdir()
    metrics = Metrics(StateMetrics(settings, store, connections))

    without_worker = scrape(metrics)
    Heartbeat(settings.heartbeat_path).beat()
    os.utime(settings.heartbeat_path, (0, 0))
    with_worker = scrape(metrics)

    assert "openprofiles_worker_heartbeat_age_seconds" not in without_worker
    assert with_worker["openprofiles_worker_heartbeat_age_seconds"] > 1_000_000
    assert with_worker["openprofiles_disk_free_bytes"] > 0
    assert with_worker["openprofiles_store_bytes"] > 10_000
    assert with_worker["openprofiles_oldest_waiting_job_age_seconds"] == 0
    assert with_worker["openprofiles_connections"] == 0
    assert with_worker['openprofiles_connections_ended_total{reason="idle"}'] == 1
    assert with_worker['openprofiles_upload_jobs{status="FAILED"}'] == 0


def test_a_scrape_has_the_lag_and_the_failures_of_feeds(store: SqliteStore, tmp_path: Path) -> None:
    metrics = Metrics(StateMetrics(Settings(data_folder=tmp_path), store, Connections(Limits(10))))
    domain = make_domain(store, "shop")
    before = scrape(metrics)
    ages = [timedelta(hours=1), timedelta(hours=2)]
    with store.write() as connection:
        for number, age in enumerate(ages):
            now = utc_now() - age
            insert_delivery(connection, number, domain_id=domain.domain_id, url="https://hooks.example/", now=now)
        held = claim_feed(connection, owner="w", now=utc_now())
        assert held is not None
        record_failure(connection, held, "The response was 500.", next_attempt_at=utc_now(), now=utc_now())
    failing = scrape(metrics)
    with store.write() as connection:
        move_feed(connection, held, 1, now=utc_now())
    moved = scrape(metrics)

    lag, count = 'openprofiles_feed_lag_seconds{feed="webhook"}', 'openprofiles_failing_feeds{feed="webhook"}'
    assert [scraped[count] for scraped in (before, failing, moved)] == [0, 1, 0]
    assert [scraped[lag] // 3600 for scraped in (before, failing, moved)] == [0, 2, 1]


def test_a_store_that_cannot_be_read_does_not_hide_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "openprofiles.db"
    path.write_bytes(b"no database at all" * 1000)
    store = SqliteStore(path)

    found = scrape(Metrics(StateMetrics(Settings(data_folder=tmp_path), store, Connections(Limits(10)))))

    store.close()
    assert "openprofiles_disk_free_bytes" in found
    assert "openprofiles_store_bytes" not in found


def test_a_worker_marks_its_time_every_few_seconds_and_survives_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    heartbeat = Heartbeat(tmp_path / "heartbeat")
    heartbeat.beat()
    (tmp_path / "heartbeat").unlink()
    heartbeat.beat()

    Heartbeat(tmp_path / "missing" / "heartbeat").beat()

    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_is_gone_does_not_hide_the_rest(store: SqliteStore, tmp_path: Path) -> None:
    metrics = Metrics(StateMetrics(Settings(data_folder=tmp_path / "gone"), store, Connections(Limits(10))))

    scraped = scrape(metrics)

    assert "openprofiles_disk_free_bytes" not in scraped
    assert scraped["openprofiles_store_bytes"] > 10_000
    assert scraped["openprofiles_connections"] == 0
