"""Read the metrics of the store, the disk, the workers and the connections for each scrape.

A scrape looks through the upload jobs, which takes some 60 ms for 20,000 of them. Nothing grows with the number of
profiles.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from openprofiles.clock import utc_now
from openprofiles.errors import StoreUnreachable
from openprofiles.logs import EventLogger
from openprofiles.server.connections import Connections
from openprofiles.settings import Settings
from openprofiles.store.connections import Connection, Store, StoreError
from openprofiles.store.feeds import read_feed_health
from openprofiles.store.segment_subscriptions import (
    SubscriptionCounts,
    read_failed_notifications,
    read_subscription_counts,
)
from openprofiles.store.statistics import (
    RowCounts,
    count_jobs_by_status,
    oldest_waiting_since,
    read_row_counts,
    store_size_bytes,
)
from openprofiles.worker.heartbeat import last_beat

logger = EventLogger("openprofiles.server.metrics")


class StateMetrics(Collector):
    """Collect the metrics of one installation, as one server process sees it."""

    def __init__(self, settings: Settings, store: Store, connections: Connections) -> None:
        self._settings = settings
        self._store = store
        self._connections = connections
        self._loaded_rows = _LoadedRows()

    def describe(self) -> Iterator[Metric]:
        """Name nothing, so that registering asks nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Read all metrics, except those that cannot be read now."""
        try:
            yield from self._collect_store()
        except (StoreError, StoreUnreachable):
            logger.exception("store_unreadable")
        try:
            yield from self._collect_data_folder()
        except OSError as error:
            logger.error("data_folder_unreadable", fault=error.strerror)  # noqa: TRY400 (no traceback at each scrape)
        yield _gauge("connections", "Open connections of this server.", self._connections.open_count)
        ended = CounterMetricFamily(
            "openprofiles_connections_ended", "Connections that this server closed, by reason.", labels=["reason"]
        )
        for reason, count in sorted(self._connections.ended.items()):
            ended.add_metric([reason], count)
        yield ended

    def _collect_data_folder(self) -> Iterator[Metric]:
        free_bytes = shutil.disk_usage(self._settings.data_folder).free
        yield _gauge("disk_free_bytes", "Free space on the disk of the data folder.", free_bytes)
        beat = last_beat(self._settings.heartbeat_path)
        if beat is not None:
            age_seconds = max(0.0, time.time() - beat)
            yield _gauge("worker_heartbeat_age_seconds", "Seconds since a worker last looked for jobs.", age_seconds)

    def _collect_store(self) -> Iterator[Metric]:
        with self._store.read() as connection:
            by_status = count_jobs_by_status(connection)
            size_bytes = store_size_bytes(connection)
            waiting_since = oldest_waiting_since(connection, utc_now())
            rows = self._loaded_rows.read(connection)
            health = read_feed_health(connection)
            subscriptions = read_subscription_counts(connection)
            failed_notifications = read_failed_notifications(connection)
        jobs = GaugeMetricFamily("openprofiles_upload_jobs", "Upload jobs in the store, by status.", labels=["status"])
        for status, count in sorted(by_status.items()):
            jobs.add_metric([status], count)
        yield jobs
        yield _gauge("store_bytes", "Size of the store.", size_bytes)
        yield _gauge(
            "oldest_waiting_job_age_seconds",
            "Seconds since the job that has waited longest was started.",
            _age_seconds(waiting_since),
        )
        lag = GaugeMetricFamily(
            "openprofiles_feed_lag_seconds", "Seconds that the oldest row of a feed has waited.", labels=["feed"]
        )
        failing = GaugeMetricFamily(
            "openprofiles_failing_feeds", "Feeds whose last attempt failed and that retry.", labels=["feed"]
        )
        for name, feeds in health.items():
            lag.add_metric([name], _age_seconds(feeds.waiting_since))
            failing.add_metric([name], feeds.failing)
        yield from (lag, failing)
        family = CounterMetricFamily(
            "openprofiles_loaded_rows",
            "Rows of upload jobs processed since this server started, by result.",
            labels=["result"],
        )
        for result, count in rows._asdict().items():
            family.add_metric([result], count)
        yield family
        yield from _segment_metrics(subscriptions, failed_notifications)


def _segment_metrics(
    subscriptions: Sequence[SubscriptionCounts], failed_notifications: Mapping[str, int]
) -> Iterator[Metric]:
    """Build the metrics that AWS has of subscriptions to segments."""
    labels = ["domain", "segment"]
    joined = CounterMetricFamily("openprofiles_profiles_joined", "Profiles that joined a segment.", labels=labels)
    left = CounterMetricFamily("openprofiles_profiles_left", "Profiles that left a segment.", labels=labels)
    scheduled = CounterMetricFamily(
        "openprofiles_scheduled_runs_succeeded", "Scheduled looks at all profiles of a segment.", labels=labels
    )
    failed = CounterMetricFamily(
        "openprofiles_notifications_failed", "Attempts to send events of segments that failed.", labels=["domain"]
    )
    for one in subscriptions:
        names = [one.domain_name, one.segment_name]
        joined.add_metric(names, one.joined_count)
        left.add_metric(names, one.left_count)
        scheduled.add_metric(names, one.scheduled_count)
    for domain_name, count in failed_notifications.items():
        failed.add_metric([domain_name], count)
    yield from (joined, left, scheduled, failed)


class _LoadedRows:
    """Add up the progress of all upload jobs. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[int, RowCounts] | None = None
        self._newest = 0
        self._total = RowCounts(0, 0, 0, 0)

    def read(self, connection: Connection) -> RowCounts:
        """Count the rows processed since the first call."""
        with self._lock:
            open_jobs, others = read_row_counts(connection, after=self._newest, known=self._last or {})
            if self._last is not None:
                for job, counts in (open_jobs | others).items():
                    before = self._last.get(job, RowCounts(0, 0, 0, 0))
                    # A load that lost its scratch database may begin to count again.
                    self._total = RowCounts(
                        *(
                            total + max(0, now - then)
                            for total, now, then in zip(self._total, counts, before, strict=True)
                        )
                    )
            self._last = open_jobs
            self._newest = max([self._newest, *open_jobs, *others])
            return self._total


def _age_seconds(since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (utc_now() - since).total_seconds())


def _gauge(name: str, description: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"openprofiles_{name}", description, value=value)
