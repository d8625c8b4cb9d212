"""Metrics for Prometheus. Labels are operations, statuses and states: no domain, credential or customer's value."""

from __future__ import annotations

import platform

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

import openprofiles

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The metrics of one server process.

    Args:
        state: asked at each scrape.
    """

    def __init__(self, state: Collector | None = None) -> None:
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
            "Seconds from the head of a request to the end of its response.",
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
        if state is not None:
            self._registry.register(state)
        ProcessCollector(registry=self._registry)

    def count_request(self, operation: str, status: int, duration_seconds: float) -> None:
        """Count an answered request.

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
        """Format all metrics in Prometheus's text format (``CONTENT_TYPE``)."""
        return generate_latest(self._registry)
