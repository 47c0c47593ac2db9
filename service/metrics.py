"""Counters for operators, in Prometheus' form. Like the log, they could be published: nothing names a document or a caller.

They are served on a loopback port of their own (`serve run --metrics-port`), so that what is put before the service for callers
cannot expose them by mistake. Several workers of one service keep theirs in files of one folder, whose name the library takes
from the environment when it is imported, and the process that watches over them adds them up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

SHARED_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_LOOPBACK = "127.0.0.1"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

_REQUESTS = Counter(
    "tradeveil_requests",
    "Requests answered, by route and, where refused, by problem.",
    ["method", "route", "status", "problem"],
)
_REQUEST_SECONDS = Histogram("tradeveil_request_seconds", "From request to answer.", ["method", "route"], buckets=_SECONDS)
_TRANSACTION_SECONDS = Histogram(
    "tradeveil_transaction_seconds", "Database transactions, waiting for a connection included.", ["name"], buckets=_SECONDS
)
_OVERTAKEN = Counter("tradeveil_commits_overtaken", "Commits that were verified anew, because what they rest on had moved.")


def count_request(method: str, route: str | None, status: int, problem: str | None, seconds: float) -> None:
    """A request was answered. What callers choose freely is not counted by what they chose: a label lives as long as we do."""
    method, route = method if method in _METHODS else "other", route or "none"
    _REQUESTS.labels(method, route, str(status), problem or "").inc()
    _REQUEST_SECONDS.labels(method, route).observe(seconds)


def count_overtaken(count: int) -> None:
    """So many commits have to be verified anew."""
    _OVERTAKEN.inc(count)


@contextmanager
def transaction(name: str) -> Iterator[None]:
    """Time a transaction, whether it succeeds or fails."""
    started = time.perf_counter()
    try:
        yield
    finally:
        _TRANSACTION_SECONDS.labels(name).observe(time.perf_counter() - started)


def serve_metrics(port: int, shared: Path | None = None) -> None:
    """Serve them on loopback from now on, in a thread. Raises OSError when the port is taken.

    shared: where the workers of one service keep theirs, which are then added up, over those that have ended, too
    """
    if shared is None:
        start_http_server(port, addr=_LOOPBACK)
        return
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(shared))  # type: ignore[no-untyped-call]
    start_http_server(port, addr=_LOOPBACK, registry=registry)
