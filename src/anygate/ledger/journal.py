"""Group commit: everything that waits goes into one transaction, and while it commits the next one gathers.

No hold waits for a timer: a quiet journal commits at the end of the loop's turn, a crowded one gathers a few turns.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec
import structlog

from anygate.canonical.errors import LedgerUnavailable
from anygate.canonical.money import AccountId, Nanos
from anygate.ledger.batch import Outcomes
from anygate.ledger.home import Home, LoopHome, Unstorable, Unwritable
from anygate.ledger.types import Close, Closed, Granted, Hold, NotHeld, Refused

_log = structlog.get_logger(__name__)

LARGEST_QUEUE = 100_000
"""Closes that wait for the database before new holds are refused."""

LARGEST_BATCH = 256
"""Holds, and likewise closes, of one transaction: keeps the loop's turns short."""

GATHERING_TURNS = 3
"""Turns of the event loop that a batch gathers under load; a turn costs microseconds, a transaction tens of them."""

ENOUGH_HOLDS = 16
"""With so many waiting nothing is won by gathering more."""

CLOSE_WITHIN_SECONDS = 0.002
"""Nobody waits for a close, so it rides with the next hold's transaction, or goes alone after this time."""

_SHORTEST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 2.0

Answered = Callable[[Granted | Refused | LedgerUnavailable], None]
"""Told what became of a hold; LedgerUnavailable where the database cannot be written or this process is fenced."""

Done = Callable[[Close, Closed | NotHeld], None]
OnCommit = Callable[[int, int, float], None]
"""Told after each commit: holds, closes, seconds it took."""


class _Batch(msgspec.Struct):
    """Holds and closes, and in lists of the same order who is told of each: a pair for each would cost more."""

    holds: list[Hold] = []
    answers: list[Answered] = []
    closes: list[Close] = []
    dones: list[Done | None] = []

    def __len__(self) -> int:
        return len(self.holds) + len(self.closes)

    def refuse(self) -> None:
        """Tell every hold that there is no ledger."""
        _tell(self.holds, self.answers, [LedgerUnavailable() for _ in self.holds])


class GroupCommit:
    """The journal of one process.

    Args:
        home: where batches are committed; used by this object alone.
        loop: the event loop that all methods are called on.
        alive: whether this process may hold money (`Heart.alive`); a fenced process refuses.
        on_commit: for the metrics.
    """

    def __init__(
        self,
        home: Home,
        loop: asyncio.AbstractEventLoop,
        *,
        alive: Callable[[], bool] = lambda: True,
        on_commit: OnCommit | None = None,
    ) -> None:
        self._home = home
        self._on_loop = home if isinstance(home, LoopHome) else None
        self._loop = loop
        self._alive = alive
        self._on_commit = on_commit
        self._waiting = _Batch()
        self._repeats: deque[_Batch] = deque()  # closes of failed batches: perhaps committed
        self._single: deque[_Batch] = deque()  # parts of an unstorable batch
        self._scheduled = False
        self._turns = 0
        self._crowded = False  # the last batch held more than one: others are about to ask
        self._closing_soon: asyncio.TimerHandle | None = None
        self._in_flight = 0
        self._available = True
        self._stopped = False
        self._backoff_seconds = 0.0
        self._idle: list[asyncio.Future[None]] = []
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    @property
    def available(self) -> bool:
        """Whether the database took the last batch."""
        return self._available

    @property
    def pending(self) -> int:
        """Holds and closes that are not durable yet."""
        return len(self._waiting) + sum(map(len, self._repeats)) + sum(map(len, self._single)) + self._in_flight

    def ask(self, hold: Hold, done: Answered) -> None:
        """Ask for money. `done` is called on the loop, once and never from in here, when the answer is durable.

        Who does not need a grant any more closes it. An exception of `done` is logged and harms nobody else.
        """
        waiting = self._waiting
        if not self._available or len(waiting.closes) >= LARGEST_QUEUE:
            self._loop.call_soon(done, LedgerUnavailable())
            return
        waiting.holds.append(hold)
        waiting.answers.append(done)
        if not self._scheduled:
            self._scheduled = True
            self._turns = GATHERING_TURNS if self._crowded else 1
            self._loop.call_soon(self._gather_more)

    def reserve(self, hold: Hold) -> asyncio.Future[Granted | Refused]:
        """Ask for money. The future has the answer once it is durable.

        It fails with LedgerUnavailable where the database cannot be written or this process is fenced. When the
        future is cancelled, what was granted to it is given back.
        """
        future: asyncio.Future[Granted | Refused] = self._loop.create_future()

        def answer(outcome: Granted | Refused | LedgerUnavailable) -> None:
            if future.done():
                if hold.step == "hold" and type(outcome) is Granted:
                    self.close(refund_of(hold))  # nobody waits for it any more
            elif isinstance(outcome, LedgerUnavailable):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.ask(hold, answer)
        return future

    def close(self, close: Close, done: Done | None = None) -> None:
        """End a hold. Returns at once; `done` is called on the loop when it is durable, however long that takes.

        An exception of `done` is logged and harms nobody else.
        """
        self._waiting.closes.append(close)
        self._waiting.dones.append(done)
        if not self._scheduled and self._closing_soon is None:
            self._closing_soon = self._loop.call_later(CLOSE_WITHIN_SECONDS, self._close_now)

    async def drain(self) -> None:
        """Return when nothing is pending. While the database is gone that does not happen: set a limit."""
        while self.pending:
            self._close_now()
            idle: asyncio.Future[None] = self._loop.create_future()
            self._idle.append(idle)
            await idle

    def stop(self) -> None:
        """Let thread and home go. Drain first: what is still pending is left to the sweeper."""
        self._stopped = True
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._home.close()

    def _close_now(self) -> None:
        if self._closing_soon is not None:
            self._closing_soon.cancel()
            self._closing_soon = None
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _gather_more(self) -> None:
        """Let the loop turn once or twice more while few wait: who is about to ask comes along."""
        self._turns -= 1
        if self._turns > 0 and len(self._waiting.holds) < ENOUGH_HOLDS:
            self._loop.call_soon(self._gather_more)
        else:
            self._flush()

    def _flush(self) -> None:
        self._scheduled = False
        if self._closing_soon is not None:
            self._closing_soon.cancel()
            self._closing_soon = None
        if self._in_flight or not self._available or self._stopped:
            return  # the landing of that batch, or the next probe, comes back here
        if self._repeats:
            self._commit(self._repeats.popleft(), replay=True)
        elif self._single:
            self._commit(self._single.popleft(), replay=True)
        elif self._waiting:
            batch = self._gather()
            if batch:
                self._commit(batch, replay=False)
            else:
                self._go_on()

    def _gather(self) -> _Batch:
        """The next batch; holds that are refused here are no part of it."""
        batch, self._waiting = self._waiting, _Batch()
        self._crowded = len(batch.holds) > 1
        if len(batch.holds) > LARGEST_BATCH:
            later = self._waiting
            later.holds, batch.holds = batch.holds[LARGEST_BATCH:], batch.holds[:LARGEST_BATCH]
            later.answers, batch.answers = batch.answers[LARGEST_BATCH:], batch.answers[:LARGEST_BATCH]
        if batch.holds and not self._alive():
            refused = _Batch(batch.holds, batch.answers)
            batch.holds, batch.answers = [], []
            refused.refuse()
        if batch.closes:
            self._postpone(batch)
        return batch

    def _postpone(self, batch: _Batch) -> None:
        """Leave the closes that are too many or too early for the next batch.

        A close is decided before the holds of its batch: one that overtook its own hold waits.
        """
        asked = {hold.subject for hold in batch.holds}
        asked.update([hold.subject for hold in self._waiting.holds])
        if len(batch.closes) <= LARGEST_BATCH and asked.isdisjoint([close.subject for close in batch.closes]):
            return
        closes, dones, later = batch.closes, batch.dones, self._waiting
        batch.closes, batch.dones = [], []
        place = 0
        while place < len(closes) and len(batch.closes) < LARGEST_BATCH:
            into = later if closes[place].subject in asked else batch
            into.closes.append(closes[place])
            into.dones.append(dones[place])
            place += 1
        later.closes += closes[place:]
        later.dones += dones[place:]

    def _commit(self, batch: _Batch, *, replay: bool) -> None:
        self._in_flight = len(batch)
        started = time.perf_counter()
        try:
            outcomes = self._home.commit_now(batch.holds, batch.closes, replay=replay)
        except (Unwritable, Unstorable) as error:
            self._failed(batch, error)
            return
        if outcomes is not None:
            self._landed(batch, outcomes, started)
            return

        def ended(outcomes: Outcomes | None, uncertain: bool) -> None:
            if outcomes is None:
                self._commit_in_thread(batch, started, replay=uncertain)
            else:
                self._landed(batch, outcomes, started)

        if replay or self._on_loop is None or not self._on_loop.begin(self._loop, batch.holds, batch.closes, ended):
            self._commit_in_thread(batch, started, replay=replay)

    def _commit_in_thread(self, batch: _Batch, started: float, *, replay: bool) -> None:
        def landed(future: Future[Outcomes]) -> None:
            self._loop.call_soon_threadsafe(self._returned, batch, future, started)

        if self._on_loop is not None:
            self._on_loop.release()
        self._worker.submit(self._home.commit, batch.holds, batch.closes, replay=replay).add_done_callback(landed)

    def _returned(self, batch: _Batch, future: Future[Outcomes], started: float) -> None:
        error = future.exception()
        if error is None:
            self._landed(batch, future.result(), started)
        elif isinstance(error, Unwritable | Unstorable):
            self._failed(batch, error)
        else:
            self._failed(batch, Unwritable(repr(error)))
            raise error

    def _landed(self, batch: _Batch, outcomes: Outcomes, started: float) -> None:
        self._in_flight = 0
        self._backoff_seconds = 0.0
        if not self._available:
            self._available = True
            _log.info("ledger_available")
        if self._on_commit is not None:
            self._on_commit(len(batch.holds), len(batch.closes), time.perf_counter() - started)
        _tell(batch.holds, batch.answers, outcomes[0])
        for close, done, outcome in zip(batch.closes, batch.dones, outcomes[1], strict=True):
            if done is not None:
                try:
                    done(close, outcome)
                except Exception:  # noqa: BLE001 - the defect of one caller must not cost the others their answer
                    _log.exception("ledger_callback_failed", subject=close.subject)
        self._go_on()

    def _failed(self, batch: _Batch, error: Unwritable | Unstorable) -> None:
        self._in_flight = 0
        if isinstance(error, Unstorable):
            self._split(batch, error)
            return
        if self._available:
            _log.error("ledger_unavailable", error=str(error))
        self._available = False
        if batch.closes:
            self._repeats.append(_Batch(closes=batch.closes, dones=batch.dones))
        waiting = self._waiting
        refused = _Batch(batch.holds + waiting.holds, batch.answers + waiting.answers)
        waiting.holds, waiting.answers = [], []
        for hold in batch.holds:
            if hold.step == "hold":  # its commit may have reached the database before the link broke
                waiting.closes.append(refund_of(hold, purses=hold.purses))
                waiting.dones.append(None)
        self._backoff_seconds = min(max(self._backoff_seconds * 2, _SHORTEST_BACKOFF_SECONDS), _LONGEST_BACKOFF_SECONDS)
        self._loop.call_later(self._backoff_seconds, self._probe)
        refused.refuse()

    def _probe(self) -> None:
        if self._available or self._in_flight or self._stopped:
            return
        self._in_flight = 1
        self._commit_in_thread(_Batch(), time.perf_counter(), replay=False)

    def _split(self, batch: _Batch, error: Unstorable) -> None:
        """Find the one whose value cannot be stored; the others are innocent."""
        if len(batch) > 1:
            pairs = zip(batch.holds, batch.answers, strict=True)
            self._single.extend(_Batch([hold], [answer]) for hold, answer in pairs)
            ends = zip(batch.closes, batch.dones, strict=True)
            self._single.extend(_Batch(closes=[close], dones=[done]) for close, done in ends)
        else:
            for hold in batch.holds:
                _log.error("ledger_unstorable_hold", subject=hold.subject, error=str(error))
            for close in batch.closes:
                _log.error("ledger_unstorable_close", subject=close.subject, cost=close.cost, error=str(error))
            batch.refuse()
        self._go_on()

    def _go_on(self) -> None:
        if self.pending:
            if not self._scheduled:
                self._scheduled = True
                self._loop.call_soon(self._flush)
        elif self._idle:
            idle, self._idle = self._idle, []
            for future in idle:
                if not future.done():
                    future.set_result(None)


def refund_of(hold: Hold, *, purses: tuple[AccountId, ...] = ()) -> Close:
    """The close that gives back a hold which was never used; see `Close` for `purses`."""
    return Close(hold.subject, Nanos(0), '{"evidence":"none"}', kind="refund", purses=purses)


def _tell(
    holds: Sequence[Hold], answers: Sequence[Answered], outcomes: Sequence[Granted | Refused | LedgerUnavailable]
) -> None:
    for hold, answer, outcome in zip(holds, answers, outcomes, strict=True):
        try:
            answer(outcome)
        except Exception:  # noqa: BLE001 - as for the closes
            _log.exception("ledger_callback_failed", subject=hold.subject)
