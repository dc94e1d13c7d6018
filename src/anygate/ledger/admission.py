"""Who is paid, and what a close costs: pure decisions over the purses that a batch has locked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from anygate.canonical.money import AccountId, Nanos
from anygate.ledger.types import Budget, Granted, Hold, Refused, Windows

MINUTE_MS = 60_000
DAY_MS = 86_400_000

LARGEST_OVERRUN = 10**15
"""Nanos (a million USD) booked to `overrun` for one request at most: an absurd usage must not overflow a column."""

NOTHING = Nanos(0)  # to call a NewType costs as much as the arithmetic

_NOTHING_DRAWN: tuple[AccountId, ...] = ()


@dataclass(frozen=True, slots=True)
class Counters:
    """What the rate windows count, read in the batch's transaction after its closes.

    Attributes:
        used: `rpm_key` or `tpm_key` -> count.
        open_holds: token id -> open holds that count for its concurrency limit.
    """

    used: Mapping[str, int] = field(default_factory=dict[str, int])
    open_holds: Mapping[int, int] = field(default_factory=dict[int, int])


_NO_COUNTERS = Counters()


class Admission(msgspec.Struct, frozen=True, gc=False):
    """The decision about one batch.

    Attributes:
        outcomes: one for each ask, in the order of the asks.
        drawn: the purses that each granted ask draws on; empty for one that moves nothing.
        deltas: change of each purse's balance; none is taken below zero.
    """

    outcomes: list[Granted | Refused]
    drawn: list[tuple[AccountId, ...]]
    deltas: dict[AccountId, int]


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """What a close moves: the change of each purse, in the order of the purses, and what none could pay."""

    deltas: tuple[int, ...]
    charged: Nanos
    overrun: Nanos


def rpm_key(windows: Windows) -> str:
    """Key of the counter of requests."""
    return f"rpm:{windows.token_id}:{windows.minute}"


def tpm_key(token_id: int, minute: int) -> str:
    """Key of the counter of tokens."""
    return f"tpm:{token_id}:{minute}"


def admit(
    balances: Mapping[AccountId, int],
    asks: Sequence[Hold],
    *,
    now_ms: int = 0,
    counters: Counters | None = None,
    budgets: Mapping[Budget, AccountId] | None = None,
    open_purses: Mapping[str, tuple[AccountId, ...]] | None = None,
    known: Mapping[tuple[str, str], Nanos] | None = None,
) -> Admission:
    """Which asks of one batch can be paid, in order of arrival.

    A hold draws on every purse it names or on none; a refused large ask never refuses a smaller one behind it.
    No balance in `deltas` ever takes a purse below zero. Less than the ceiling is granted down to the minimum.

    Args:
        balances: what each touched purse has; a purse that is not there pays nothing, not even a free hold.
        asks: the holds and extensions, in order of arrival.
        now_ms: for `retry_after`.
        counters: the rate windows, where an ask has any.
        budgets: the purse of each budget that an ask names.
        open_purses: subject -> purses of the open holds that extensions (and repeated asks) name.
        known: (subject, step) -> amount of steps that the ledger holds already; None where nobody looked.
    """
    desk = _Desk(balances, now_ms, counters or _NO_COUNTERS, budgets or {}, dict(open_purses) if open_purses else {})
    decide, seen = desk.decide, None if known is None else dict(known)
    outcomes: list[Granted | Refused] = []
    drawn: list[tuple[AccountId, ...]] = []
    for ask in asks:
        if seen is not None and (ask.subject, ask.step) in seen:
            held = ask.subject in desk.open_purses
            outcomes.append(Granted(seen[ask.subject, ask.step]) if held else Refused("duplicate"))
            drawn.append(_NOTHING_DRAWN)
            continue
        outcome, purses = decide(ask)
        outcomes.append(outcome)
        drawn.append(purses)
        if seen is not None and type(outcome) is Granted:
            seen[ask.subject, ask.step] = outcome.amount
    deltas = {purse: free - balances[purse] for purse, free in desk.free.items() if free != balances[purse]}
    return Admission(outcomes, drawn, deltas)


class _Desk:
    """The state of one admission: what is free, counted and open so far."""

    __slots__ = ("_budgets", "_counted", "_counters", "_now_ms", "_opened", "free", "open_purses")

    def __init__(
        self,
        balances: Mapping[AccountId, int],
        now_ms: int,
        counters: Counters,
        budgets: Mapping[Budget, AccountId],
        open_purses: dict[str, tuple[AccountId, ...]],
    ) -> None:
        self.free = dict(balances)
        self._counted: dict[str, int] = {}
        self.open_purses = open_purses
        self._opened: dict[int, int] = {}
        self._now_ms = now_ms
        self._counters = counters
        self._budgets = budgets

    def decide(self, ask: Hold) -> tuple[Granted | Refused, tuple[AccountId, ...]]:
        """Grant or refuse one ask and remember what it took."""
        windows = None
        if ask.step == "hold":
            purses, windows = ask.purses, ask.windows
            if ask.budget is not None:
                purses = (*purses, self._budgets[ask.budget])
            if windows is not None and (refusal := self._over(windows)) is not None:
                return refusal, _NOTHING_DRAWN
        else:  # an extension draws on the purses of its hold, whatever it names
            purses = self.open_purses.get(ask.subject, _NOTHING_DRAWN)
            if not purses:
                return Refused("no_hold"), _NOTHING_DRAWN
        free, amount, poorest = self.free, ask.ceiling, None
        for purse in purses:
            has = free.get(purse, -1)
            if has < amount:
                amount, poorest = Nanos(has), purse
        if amount < ask.minimum or amount < 0 or not purses:
            return self._too_poor(ask, poorest, amount), _NOTHING_DRAWN
        for purse in purses:
            free[purse] -= amount
        if windows is not None:
            self._count(windows)
        self.open_purses[ask.subject] = purses
        return Granted(amount), purses

    def _too_poor(self, ask: Hold, poorest: AccountId | None, amount: Nanos) -> Refused:
        if ask.budget is not None and poorest == self._budgets.get(ask.budget):
            until_tomorrow = -(-(DAY_MS - self._now_ms % DAY_MS) // 1000)
            return Refused("daily_budget", until_tomorrow, max(amount, Nanos(0)))
        return Refused("insufficient_quota", free=max(amount, Nanos(0)))

    def _over(self, windows: Windows) -> Refused | None:
        next_minute = max(1, -(-((windows.minute + 1) * MINUTE_MS - self._now_ms) // 1000))
        if windows.rpm and self._used(rpm_key(windows)) >= windows.rpm:
            return Refused("rpm", next_minute)
        if windows.tpm and self._used(tpm_key(windows.token_id, windows.minute)) + windows.tokens > windows.tpm:
            return Refused("tpm", next_minute)
        token = windows.token_id
        running = self._counters.open_holds.get(token, 0) + self._opened.get(token, 0)
        if windows.concurrency and running >= windows.concurrency:
            return Refused("concurrency", 1)
        return None

    def _used(self, key: str) -> int:
        return self._counters.used.get(key, 0) + self._counted.get(key, 0)

    def _count(self, windows: Windows) -> None:
        for key, amount in window_counts(windows):
            self._counted[key] = self._counted.get(key, 0) + amount
        if windows.concurrency:
            self._opened[windows.token_id] = self._opened.get(windows.token_id, 0) + 1


def window_counts(windows: Windows) -> Iterable[tuple[str, int]]:
    """The counters that a granted hold moves, and by how much."""
    if windows.rpm:
        yield rpm_key(windows), 1
    if windows.tpm:
        yield tpm_key(windows.token_id, windows.minute), windows.tokens


def settle(held: int, cost: Nanos, purses: Sequence[AccountId], balances: Mapping[AccountId, int]) -> Settlement:
    """Charge `cost` against a hold of `held` on each of `purses`, the wallet first.

    No purse goes below zero: a cost beyond the hold is drawn from what each purse has. What the wallet
    cannot pay is the overrun; a quota or a budget stops at zero.

    Args:
        held: nanos held on each purse.
        cost: nanos, 0 or more.
        purses: the hold's accounts.
        balances: what they have beside the hold; read only where the cost is beyond the hold.
    """
    if cost <= held:
        return Settlement((held - cost,) * len(purses), cost, NOTHING)
    deltas = tuple(held - min(cost, held + balances[purse]) for purse in purses)
    charged = held - deltas[0]
    return Settlement(deltas, Nanos(charged), Nanos(min(cost - charged, LARGEST_OVERRUN)))
