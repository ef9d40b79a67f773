"""What the server counts about itself, for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

disable_created_metrics()  # type: ignore[no-untyped-call]

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds that most things here should take a small part of."""
_SHARES: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1)


class Metrics:
    """Counters since the server started, by their names without `normscope_`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, meaning: str) -> Counter:
            return Counter(f"normscope_{name}", meaning, registry=self.registry)

        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"normscope_{name}", meaning, registry=self.registry)

        self.frames = counter("frames", "Frames received from training processes.")
        self.frame_bytes = counter("frame_bytes", "Bytes of those frames.")
        self.committed = counter("committed", "Frames committed to the store.")
        self.repeated = counter("repeated", "Frames received that were committed before.")
        self.refused = counter("refused", "Connections of training processes closed with a reason.")
        self.delivered = counter("delivered", "Frames sent to viewers.")
        self.skipped = counter("skipped", "Frames that viewers were told to ask for, since they had fallen behind.")
        self.webhooks_sent = counter("webhooks_sent", "Messages to webhooks that were taken.")
        self.webhooks_failed = counter("webhooks_failed", "Messages to webhooks that were given up.")
        self.webhooks_dropped = counter("webhooks_dropped", "Messages to webhooks that found no room.")
        self.limited = counter("limited", "Requests and connections turned away, since one client had too many.")
        self.trainers = gauge("trainers", "Training processes connected now.")
        self.viewers = gauge("viewers", "Viewers connected now.")
        self.on_duty = gauge(
            "on_duty", "Whether this server launches what waits: one of those that share a store does."
        )
        self.bus_dropped = gauge("bus_dropped", "News that found no room while the bus was away.")
        self.commit = Histogram(
            "normscope_commit_seconds", "From frames taken in to frames committed.", buckets=_FAST,
            registry=self.registry,
        )  # fmt: skip
        self.lag = Histogram(
            "normscope_lag_seconds", "From the end of a step, by the trainer's clock, to its commit.",
            buckets=(*_FAST, 30, 60, 300), registry=self.registry,
        )  # fmt: skip
        self.watch_cost = Histogram(
            "normscope_watch_cost_ratio", "Share of training time that watching takes, as trainers tell it.",
            buckets=_SHARES, registry=self.registry,
        )  # fmt: skip
        self.requests = Histogram(
            "normscope_request_seconds", "How long requests took.", ("method", "route", "status"), buckets=_FAST,
            registry=self.registry,
        )  # fmt: skip

    def text(self) -> bytes:
        """In Prometheus' text format, version 0.0.4."""
        return generate_latest(self.registry)


CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

metrics = Metrics()
