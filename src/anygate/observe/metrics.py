"""Prometheus metrics. Folded from the request log's batches, so a request pays nothing for them.

Each worker adds to its own `Tally`; `/metrics` in any worker shows the sum of the node (see `node_tallies`).
Labels are bounded: protocols and channels are ours, models go through `ModelLabels`, codes are stable.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple, Protocol

from msgspec.structs import astuple
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from anygate import __version__
from anygate.canonical.usage import Usage
from anygate.observe.labels import OTHER, ModelLabels
from anygate.observe.record import Record
from anygate.observe.tally import Labels, Tally

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_OVERHEAD_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1.0)
_LARGEST_SETS = 5_000
"""Label sets per metric and worker; beyond it the model label is `other`."""

_USAGE_CLASSES = Usage.__struct_fields__
_Kind = tuple[str, str, str, int, str, bool]
"""What requests are counted together by: protocol, model, channel, status, evidence, is it a stream."""


class Definition(NamedTuple):
    """One metric."""

    kind: Literal["counter", "histogram", "gauge"]
    help: str
    labels: Labels = ()
    bounds: tuple[float, ...] = ()


METRICS: Mapping[str, Definition] = {
    "anygate_requests": Definition(
        "counter",
        "Requests by the status class that the client saw (499: it was gone) and the evidence of their usage.",
        ("protocol", "model", "channel", "status", "evidence"),
    ),
    "anygate_errors": Definition("counter", "Requests that ended in an error, by its stable code.", ("code",)),
    "anygate_tokens": Definition(
        "counter", "Usage by class: tokens, and images, seconds, characters, requests.", ("model", "channel", "class")
    ),
    "anygate_cost_nanos": Definition("counter", "Money charged, in 1e-9 USD.", ("model", "channel")),
    "anygate_attempts": Definition(
        "counter", "Calls to channels, by the status class of the answer.", ("channel", "status")
    ),
    "anygate_failovers": Definition("counter", "Calls made because another channel had failed.", ("channel",)),
    "anygate_request_duration_seconds": Definition(
        "histogram", "From the first byte of the request to the last of the answer.", ("protocol", "stream"), _SECONDS
    ),
    "anygate_first_token_seconds": Definition(
        "histogram",
        "From the first byte of the request to the first token of a stream.",
        ("protocol", "model"),
        _SECONDS,
    ),
    "anygate_overhead_seconds": Definition(
        "histogram", "Time until the head is sent, waiting for the upstream excluded.", ("protocol",), _OVERHEAD_SECONDS
    ),
    "anygate_overrun": Definition("counter", "Requests that used more than any purse could pay."),
    "anygate_overrun_nanos": Definition("counter", "Money that no purse could pay, in 1e-9 USD."),
    "anygate_settled_late": Definition("counter", "Requests whose hold was swept before they were settled."),
    "anygate_unpriced": Definition("counter", "Requests refused because their model has no price."),
    "anygate_log_records_dropped": Definition(
        "counter", "Request records that could not be kept until they were stored."
    ),
    "anygate_log_write_failures": Definition("counter", "Batches that the request log did not take at once."),
    "anygate_log_lines_dropped": Definition("counter", "Request lines that could not be written to the process log."),
    "anygate_requests_in_flight": Definition("gauge", "Requests that are being served."),
    "anygate_ledger_pending_closes": Definition("gauge", "Closes that wait for the ledger."),
    "anygate_log_records_waiting": Definition("gauge", "Request records that wait to be stored."),
    "anygate_workers": Definition("gauge", "Worker processes of this node."),
}


class Neighbours(Protocol):
    """The other workers of the node (`node_tallies.NodeTallies`)."""

    def publish(self, tally: Tally) -> None:
        """Show our tally."""
        ...

    def others(self) -> Tally:
        """The sum of the others."""
        ...


class Metrics:
    """One worker's metrics. Every method may be called from any thread.

    Args:
        labels: model name -> label.
        neighbours: the other workers; None where there is one process only.
    """

    def __init__(self, labels: ModelLabels, *, neighbours: Neighbours | None = None) -> None:
        self._label = labels
        self._neighbours = neighbours
        self._tally = Tally()
        self._lock = threading.Lock()
        self._gauges: dict[str, Callable[[], float]] = {"anygate_workers": lambda: 1}

    def gauge(self, metric: str, read: Callable[[], float]) -> None:
        """Name the source of a gauge of `METRICS`; it is asked in any thread and must only look."""
        if METRICS[metric].kind != "gauge":
            raise ValueError(f"{metric} is no gauge")
        self._gauges[metric] = read

    def count(self, metric: str, amount: int = 1) -> None:
        """Add to a counter of `METRICS` that has no labels."""
        if METRICS[metric].kind != "counter" or METRICS[metric].labels:
            raise ValueError(f"{metric} is no counter without labels")
        with self._lock:
            self._tally.count(metric, (), amount)

    def fold(self, records: Sequence[Record]) -> None:
        """Add finished requests; best many at once, for what they have in common is counted once."""
        alike: defaultdict[_Kind, list[Record]] = defaultdict(list)
        for record in records:
            alike[record.protocol, record.model, record.channel, record.status, record.evidence, record.stream].append(
                record
            )
        with self._lock:
            for (protocol, model, channel, status, evidence, _), group in alike.items():
                label = self._label(model)
                if len(self._tally.counters.get("anygate_requests", ())) >= _LARGEST_SETS:
                    label = OTHER
                labels = (protocol, label, channel, status_class(status), evidence)
                self._tally.count("anygate_requests", labels, len(group))
                self._fold_usage(label, channel, group)
                times = [record.first_token_ms for record in group if record.first_token_ms]
                self._tally.observe("anygate_first_token_seconds", (protocol, label), _SECONDS, times)
            self._fold_times(alike)
            self._fold_attempts(records)
            self._fold_trouble(records)

    def publish(self) -> None:
        """Show the present counts to the other workers.

        Raises:
            OSError: the folder of the node cannot be written.
        """
        if self._neighbours is not None:
            with self._lock:
                self._sample()
                self._neighbours.publish(self._tally)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The node's metrics and their content type, in the format that an `Accept` header prefers. Reads files.

        Raises:
            OSError: the folder of the node cannot be read.
        """
        total = Tally()
        with self._lock:
            self._sample()
            total.add(self._tally)
        if self._neighbours is not None:
            total.add(self._neighbours.others())
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(total))
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    def _sample(self) -> None:
        for metric, read in self._gauges.items():
            self._tally.gauges[metric] = read()

    def _fold_times(self, alike: Mapping[_Kind, Sequence[Record]]) -> None:
        """The times whose labels many kinds of requests share."""
        latencies: defaultdict[tuple[str, bool], list[float]] = defaultdict(list)
        overheads: defaultdict[str, list[float]] = defaultdict(list)
        for (protocol, *_, stream), group in alike.items():
            latencies[protocol, stream] += [record.latency_ms for record in group]
            overheads[protocol] += [record.overhead_ms for record in group if record.overhead_ms]
        for (protocol, stream), times in latencies.items():
            labels = (protocol, "true" if stream else "false")
            self._tally.observe("anygate_request_duration_seconds", labels, _SECONDS, times)
        for protocol, times in overheads.items():
            self._tally.observe("anygate_overhead_seconds", (protocol,), _OVERHEAD_SECONDS, times)

    def _fold_usage(self, model: str, channel: str, group: Sequence[Record]) -> None:
        used = [astuple(record.usage) for record in group]
        for name, amount in zip(_USAGE_CLASSES, map(sum, zip(*used, strict=True)), strict=True):
            if amount:
                self._tally.count("anygate_tokens", (model, channel, name), amount)
        if cost := sum([record.cost_nanos for record in group]):
            self._tally.count("anygate_cost_nanos", (model, channel), cost)

    def _fold_attempts(self, records: Sequence[Record]) -> None:
        made = Counter([(attempt.channel, attempt.status) for record in records for attempt in record.attempts])
        for (channel, status), amount in made.items():
            self._tally.count("anygate_attempts", (channel, status_class(status)), amount)
        for record in records:
            if len(record.attempts) > 1:
                for attempt in record.attempts[1:]:
                    self._tally.count("anygate_failovers", (attempt.channel,))

    def _fold_trouble(self, records: Sequence[Record]) -> None:
        tally = self._tally
        for record in records:
            if record.error:
                tally.count("anygate_errors", (record.error,))
                if record.error == "model_not_priced":
                    tally.count("anygate_unpriced")
            if record.overrun_nanos:
                tally.count("anygate_overrun")
                tally.count("anygate_overrun_nanos", (), record.overrun_nanos)
            if record.settled_late:
                tally.count("anygate_settled_late")


def status_class(status: int) -> str:
    """`2xx`, `4xx`, ...; `499` (the client was gone) and `none` (no answer came) stand for themselves."""
    if status == 499:
        return "499"
    return _CLASSES.get(status // 100, "none")


_CLASSES = {hundreds: f"{hundreds}xx" for hundreds in range(1, 6)}


class _Collected(Collector):
    """A tally in prometheus-client's terms."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        for name, definition in METRICS.items():
            match definition.kind:
                case "counter":
                    yield self._counter(name, definition)
                case "gauge":
                    yield GaugeMetricFamily(name, definition.help, value=self._tally.gauges.get(name, 0))
                case "histogram":
                    yield self._histogram(name, definition)
        build = GaugeMetricFamily("anygate_build_info", "The version that runs.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build

    def _counter(self, name: str, definition: Definition) -> Metric:
        family = CounterMetricFamily(name, definition.help, labels=list(definition.labels))
        kept = self._tally.counters.get(name, {})
        if not definition.labels:
            family.add_metric([], kept.get((), 0))  # shown at 0, so that an alert can see the first one
            return family
        for labels, amount in kept.items():
            family.add_metric(list(labels), amount)
        return family

    def _histogram(self, name: str, definition: Definition) -> Metric:
        family = HistogramMetricFamily(name, definition.help, labels=list(definition.labels))
        edges = [*map(str, definition.bounds), "+Inf"]
        for labels, kept in self._tally.distributions.get(name, {}).items():
            family.add_metric(list(labels), list(zip(edges, accumulate(kept.counts), strict=True)), kept.total)
        return family
