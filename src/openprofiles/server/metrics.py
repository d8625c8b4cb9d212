"""Metrics for Prometheus. Labels are operations, statuses and states: no domain, credential or customer's value."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

import openprofiles
from openprofiles.store.upload_job_states import UploadJobStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What one server process counts.

    Args:
        upload_jobs_by_status: asked at each scrape.
    """

    def __init__(self, upload_jobs_by_status: Callable[[], Mapping[UploadJobStatus, int]]) -> None:
        self._registry = CollectorRegistry()
        self._series: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "openprofiles_requests",
            "Requests answered, by operation and status code.",
            ("operation", "status"),
            registry=self._registry,
        )
        self._durations = Histogram(
            "openprofiles_request_duration_seconds",
            "Seconds from the head of a request to the end of its answer.",
            ("operation",),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
            registry=self._registry,
        )
        Gauge(
            "openprofiles_build_info",
            "Always 1; its labels say which program runs.",
            ("version", "python"),
            registry=self._registry,
        ).labels(openprofiles.__version__, platform.python_version()).set(1)
        self._registry.register(_UploadJobs(upload_jobs_by_status))
        ProcessCollector(registry=self._registry)

    def count_request(self, operation: str, status: int, duration_seconds: float) -> None:
        """Counts an answered request.

        Args:
            operation: of the API, or the template of one of our own paths; never a path as sent.
        """
        # To find the series by its labels takes longer than to count.
        series = self._series.get((operation, status))
        if series is None:
            series = self._requests.labels(operation, str(status)), self._durations.labels(operation)
            self._series[operation, status] = series
        series[0].inc()
        series[1].observe(duration_seconds)

    def write(self) -> bytes:
        """All metrics in Prometheus's text format, to be sent as ``CONTENT_TYPE``."""
        return generate_latest(self._registry)


class _UploadJobs(Collector):
    def __init__(self, by_status: Callable[[], Mapping[UploadJobStatus, int]]) -> None:
        self._by_status = by_status

    def describe(self) -> Iterator[GaugeMetricFamily]:
        # Told apart from collect(), which asks the store, so that registering asks nothing.
        yield self._family()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = self._family()
        for status, count in sorted(self._by_status().items()):
            family.add_metric([status], count)
        yield family

    @staticmethod
    def _family() -> GaugeMetricFamily:
        return GaugeMetricFamily("openprofiles_upload_jobs", "Upload jobs in the store, by status.", labels=["status"])
