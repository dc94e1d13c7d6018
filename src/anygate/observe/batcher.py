"""The way of a record into the log: gathered by the event loop, written by a thread, apart from the money.

A request pays for one list append. Every half second, or when many wait, what has gathered is encoded and folded into
the metrics, a few records at a turn of the loop; a thread prints one JSON line each and stores them in one transaction. When the store is down the encoded
rows wait, up to a bound; then the oldest are dropped and counted. Charges never depend on it: the ledger's entries
carry model, price, usage and evidence themselves.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import structlog

from anygate.observe.line_writer import LineWriter
from anygate.observe.metrics import Metrics
from anygate.observe.record import Record
from anygate.observe.rows import Row, log_lines, rows_of
from anygate.observe.store import LogStore, LogStoreRefused, LogStoreUnavailable

_INTERVAL_SECONDS = 0.5
_MAINTENANCE_SECONDS = 3600.0
_CROWD = 500  # more than these would cost memory, not save time
_CHUNK = 100
_BATCH = 2_000
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0

_log = structlog.get_logger("anygate.log")


class LogBatcher:
    """Takes finished records; `start` it once, `drain` it at the end.

    Args:
        store: where rows go.
        stdout: file descriptor for the request lines; None prints none.
        patience: seconds in which the reader of the lines is waited for.
        metrics: what the records are folded into.
        capacity: records held in memory at most in each stage, not yet encoded and not yet stored.
        interval: seconds between two writes when nobody hurries.
        clock: monotonic seconds; None: the loop's.
        sleep: waits so many seconds between two attempts of `drain`.
    """

    def __init__(
        self,
        store: LogStore,
        *,
        stdout: int | None = None,
        patience: float = 1.0,
        metrics: Metrics | None = None,
        capacity: int = 50_000,
        interval: float = _INTERVAL_SECONDS,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._lines = LineWriter(stdout, patience) if stdout is not None else None
        self._metrics = metrics
        self._capacity = capacity
        self._interval = interval
        self._clock = clock
        self._sleep = sleep
        self._waiting: list[Record] = []
        self._rows: deque[Row] = deque()  # encoded, printed and counted, not yet stored; the thread's own
        self._dropped = 0
        self._crowd = min(_CROWD, capacity)
        self._wake = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._worker = ThreadPoolExecutor(1, "anygate-log")
        self._task: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self._pause = 0.0
        self._maintain_at = 0.0
        self._stopping = False
        if metrics is not None:
            metrics.gauge("anygate_log_records_waiting", lambda: self.waiting)

    @property
    def waiting(self) -> int:
        """Records that are not stored yet."""
        return len(self._waiting) + len(self._rows)

    @property
    def dropped(self) -> int:
        """Records given up so far."""
        return self._dropped

    def add(self, record: Record) -> None:
        """Take a finished record; it must not change afterwards. Called in the event loop, returns at once."""
        waiting = self._waiting
        waiting.append(record)
        if len(waiting) >= self._crowd:
            self._crowded()

    def start(self) -> None:
        """Begin to write, in the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="anygate-log")
        self._task.add_done_callback(self._ended)

    async def flush(self) -> bool:
        """Write all that waits, now. False if the store did not take it; it is tried again later."""
        async with self._flushing:
            records, self._waiting = self._waiting, []
            lines = await self._encode(records)
            now = self._now()
            write = now >= self._retry_at
            try:
                await self._in_thread(lambda: self._work(lines, len(records), write=write))
            except LogStoreUnavailable as error:
                self._failed(error, now)
                return False
            if write and self._pause:
                _log.info("request log is written again")
                self._pause = 0.0
            return write

    async def _encode(self, records: Sequence[Record]) -> bytes:
        """Rows and lines of the records. Done on the loop, a few at a turn: a thread would fight it for the interpreter
        all the while, which costs more than the work itself.
        """
        lines: list[str] = []
        for start in range(0, len(records), _CHUNK):
            if start:
                await asyncio.sleep(0)
            chunk = records[start : start + _CHUNK]
            rows = rows_of(chunk)
            self._rows.extend(rows)
            if self._metrics is not None:
                self._metrics.fold(chunk)
            if self._lines is not None:
                lines.append(log_lines(rows))
        return "".join(lines).encode()

    async def drain(self, timeout: float = 10.0) -> int:  # noqa: ASYNC109  # the shutdown's bound, part of the contract
        """Write what is left, close the store and end. How many records were lost."""
        self._stopping = True
        self._wake.set()
        try:
            async with asyncio.timeout(timeout):
                if self._task is not None:
                    await asyncio.wait([self._task])
                self._retry_at = 0.0
                while not await self.flush():
                    await self._sleep(self._pause)
                    self._retry_at = 0.0
                await self._in_thread(self._store.close)
        except TimeoutError:
            _log.error("request log could not be written before the end", records_lost=self.waiting)
            if self._task is not None:
                self._task.cancel()
        self._worker.shutdown(wait=False)
        return self.waiting

    async def _run(self) -> None:
        while not self._stopping:
            try:
                async with asyncio.timeout(self._interval):
                    await self._wake.wait()
            except TimeoutError:
                pass  # the usual case: the interval is over
            self._wake.clear()
            if await self.flush() and self._now() >= self._maintain_at:
                await self._maintain()

    async def _maintain(self) -> None:
        pause = _MAINTENANCE_SECONDS
        try:
            await self._in_thread(self._store.maintain)
        except LogStoreUnavailable as error:
            _log.warning("request log could not be tended", reason=str(error))
            pause = _LONGEST_PAUSE_SECONDS
        self._maintain_at = self._now() + pause

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A mistake of ours must not end the log for good: say so and begin again."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("request log stumbled", exc_info=error)
            if not self._stopping:
                self.start()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        # Shielded: work that has begun goes to its end, whoever stops waiting for it.
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._worker, work))

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    def _crowded(self) -> None:
        self._wake.set()
        excess = len(self._waiting) - self._capacity
        if excess > 0:  # the thread is stuck: give up the oldest that it has not begun
            lump = excess + self._capacity // 100
            del self._waiting[:lump]
            self._drop(lump)

    def _drop(self, count: int) -> None:
        self._dropped += count
        if self._metrics is not None:
            self._metrics.count("anygate_log_records_dropped", count)

    def _failed(self, error: LogStoreUnavailable, now: float) -> None:
        if not self._pause:
            _log.warning("request log cannot be written, records wait", reason=str(error))
        self._pause = min(self._pause * 2 or _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        self._retry_at = now + self._pause
        if self._metrics is not None:
            self._metrics.count("anygate_log_write_failures")

    # From here on: in the thread.

    def _work(self, lines: bytes, count: int, *, write: bool) -> None:
        if self._lines is not None and lines:
            self._print(self._lines, lines, count)
        excess = len(self._rows) - self._capacity
        if excess > 0:
            for _ in range(excess):
                self._rows.popleft()
            self._drop(excess)
        self._publish()
        if not write:
            return
        while self._rows:
            batch = list(islice(self._rows, _BATCH))
            self._write(batch)
            for _ in batch:
                self._rows.popleft()

    def _write(self, batch: Sequence[Row]) -> None:
        try:
            self._store.write(batch)
        except LogStoreRefused as refusal:
            if len(batch) == 1:
                self._drop(1)
                _log.error("request log refused a record", request_id=batch[0].record.request_id, reason=str(refusal))
                return
            for row in batch:  # one unsound row must not hold up the others
                self._write([row])

    def _print(self, writer: LineWriter, lines: bytes, count: int) -> None:
        try:
            writer.write(lines)
        except OSError as error:  # the reader of our output is gone, or does not read; requests go on
            if self._metrics is not None:
                self._metrics.count("anygate_log_lines_dropped", count)
            else:
                _log.warning("request lines cannot be written", reason=str(error))

    def _publish(self) -> None:
        if self._metrics is None:
            return
        try:
            self._metrics.publish()
        except OSError as error:
            _log.warning("metrics cannot be shared with the other workers", reason=str(error))
