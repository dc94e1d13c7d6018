"""Counted facts of one worker as plain data: added up, sent between workers, summed over a node."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

Labels = tuple[str, ...]


@dataclass(slots=True)
class Distribution:
    """Observations by bucket. `counts` has one more element than the bounds: what lies above the last."""

    counts: list[int]
    total: float = 0.0


@dataclass(slots=True)
class Tally:
    """Counters and distributions by (metric, label values), gauges by metric.

    Counters only grow; a gauge is the last value seen.
    """

    counters: dict[str, dict[Labels, int]] = field(default_factory=dict[str, dict[Labels, int]])
    distributions: dict[str, dict[Labels, Distribution]] = field(default_factory=dict[str, dict[Labels, Distribution]])
    gauges: dict[str, float] = field(default_factory=dict[str, float])

    def count(self, metric: str, labels: Labels = (), amount: int = 1) -> None:
        """Add to a counter."""
        kept = self.counters.get(metric)
        if kept is None:
            kept = self.counters[metric] = {}
        kept[labels] = kept.get(labels, 0) + amount

    def observe(self, metric: str, labels: Labels, bounds: tuple[float, ...], milliseconds: Sequence[float]) -> None:
        """Add times. A metric's `bounds` are always the same, in seconds, and so is the total."""
        if not milliseconds:
            return
        kept = self.distributions.setdefault(metric, {})
        distribution = kept.get(labels)
        if distribution is None:
            distribution = kept[labels] = Distribution([0] * (len(bounds) + 1))
        counts = distribution.counts
        ascending = sorted(milliseconds)  # so that each bound is looked for once, not each time
        counted = 0
        for place, bound in enumerate(bounds):
            below = bisect_right(ascending, bound * 1000, counted)
            counts[place] += below - counted
            counted = below
            if counted == len(ascending):
                break
        counts[-1] += len(ascending) - counted
        distribution.total += sum(ascending) / 1000

    def add(self, other: "Tally", *, gauges: bool = True) -> None:
        """Add another worker's tally; `gauges=False` for a worker that is no more, whose present is nothing."""
        for metric, values in other.counters.items():
            for labels, amount in values.items():
                self.count(metric, labels, amount)
        for metric, distributions in other.distributions.items():
            kept = self.distributions.setdefault(metric, {})
            for labels, distribution in distributions.items():
                known = kept.get(labels)
                if known is None or len(known.counts) != len(distribution.counts):
                    kept[labels] = Distribution(list(distribution.counts), distribution.total)
                    continue
                known.counts = [mine + theirs for mine, theirs in zip(known.counts, distribution.counts, strict=True)]
                known.total += distribution.total
        if gauges:
            for metric, value in other.gauges.items():
                self.gauges[metric] = self.gauges.get(metric, 0) + value


class _Wire(msgspec.Struct, frozen=True):
    counters: list[tuple[str, list[tuple[Labels, int]]]]
    distributions: list[tuple[str, list[tuple[Labels, list[int], float]]]]
    gauges: dict[str, float]


def encode_tally(tally: Tally) -> bytes:
    """A tally as JSON, for the other workers."""
    wire = _Wire(
        [(metric, list(values.items())) for metric, values in tally.counters.items()],
        [
            (metric, [(labels, kept.counts, kept.total) for labels, kept in values.items()])
            for metric, values in tally.distributions.items()
        ],
        tally.gauges,
    )
    return msgspec.json.encode(wire)


def decode_tally(data: bytes) -> Tally:
    """The tally that another worker encoded.

    Raises:
        msgspec.DecodeError: not a tally.
    """
    wire = msgspec.json.decode(data, type=_Wire)
    return Tally(
        {metric: dict(values) for metric, values in wire.counters},
        {
            metric: {labels: Distribution(counts, total) for labels, counts, total in values}
            for metric, values in wire.distributions
        },
        dict(wire.gauges),
    )


def sum_tallies(tallies: Iterable[tuple[Tally, bool]]) -> Tally:
    """The sum of (tally, is its worker alive)."""
    total = Tally()
    for tally, alive in tallies:
        total.add(tally, gauges=alive)
    return total
