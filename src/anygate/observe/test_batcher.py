import asyncio
import contextlib
import io
import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from tests.records import NOON_MS, finished

from anygate.observe.batcher import LogBatcher
from anygate.observe.labels import ModelLabels
from anygate.observe.logging import configure_logging
from anygate.observe.metrics import Metrics
from anygate.observe.rows import Row, row_of
from anygate.observe.store import DAY_MS, LogStore, LogStoreRefused, LogStoreUnavailable, open_store

SOLD = frozenset({"gpt-4o"})


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def metrics() -> Metrics:
    return Metrics(ModelLabels(lambda: SOLD))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LogStore]:
    store = open_store("sqlite:///anygate.db", tmp_path, 90, now_ms=lambda: NOON_MS)
    yield store
    store.close()


class Ports:
    """A store whose port to a real one can be shut, or refuse single requests."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self.shut = False
        self.refused: set[str] = set()
        self.read, self.read_hours = store.read, store.read_hours
        self.maintain, self.close = store.maintain, store.close

    def write(self, rows: Sequence[Row]) -> None:
        if self.shut:
            raise LogStoreUnavailable("shut")
        if self.refused & {row.record.request_id for row in rows}:
            raise LogStoreRefused("unsound")
        self._store.write(rows)


def test_records_are_stored_in_the_order_they_ended(store: LogStore):
    async def work() -> None:
        batcher = LogBatcher(store)
        for number in range(450):
            batcher.add(finished(number))
        assert batcher.waiting == 450
        assert await batcher.flush()
        assert batcher.waiting == 0
        assert [document["started_ms"] for document in store.read(limit=2)] == [NOON_MS + 449, NOON_MS + 448]
        assert await batcher.drain() == 0

    run(work())


class Told(Ports):
    """Sets `written` in the loop after each write."""

    def __init__(self, store: LogStore) -> None:
        super().__init__(store)
        self.written = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def write(self, rows: Sequence[Row]) -> None:
        super().write(rows)
        self._loop.call_soon_threadsafe(self.written.set)


def test_the_running_batcher_writes_by_itself_and_drains_the_rest(store: LogStore):
    async def work() -> None:
        told = Told(store)
        batcher = LogBatcher(told, interval=0.01)
        batcher.start()
        batcher.add(finished(1))
        async with asyncio.timeout(20):
            await told.written.wait()
        batcher.add(finished(2))
        assert await batcher.drain() == 0
        assert len(store.read()) == 2

    run(work())


def test_a_crowd_is_written_before_the_interval_ends(store: LogStore):
    async def work() -> None:
        told = Told(store)
        batcher = LogBatcher(told, interval=3600, capacity=10)  # the crowd begins at the capacity, at the latest
        batcher.start()
        for number in range(10):
            batcher.add(finished(number))
        async with asyncio.timeout(20):
            await told.written.wait()
        assert len(store.read()) == 10
        assert await batcher.drain() == 0

    run(work())


def test_the_running_batcher_tends_its_store(store: LogStore, tmp_path: Path):
    store.write([row_of(finished(0, started_ms=NOON_MS - 400 * DAY_MS))])

    async def work() -> None:
        tended = asyncio.Event()
        loop = asyncio.get_running_loop()
        port = Ports(store)

        def maintain() -> None:
            store.maintain()
            loop.call_soon_threadsafe(tended.set)

        port.maintain = maintain
        batcher = LogBatcher(port, interval=0.01)
        batcher.start()
        async with asyncio.timeout(20):
            await tended.wait()
        await batcher.drain()

    run(work())
    assert list((tmp_path / "logs").iterdir()) == []


def test_every_request_prints_one_json_line(store: LogStore):
    async def work() -> None:
        reading, writing = os.pipe()
        batcher = LogBatcher(store, stdout=writing)
        for number in range(3):
            batcher.add(finished(number))
        await batcher.drain()
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            lines = pipe.read().splitlines()
        assert [orjson.loads(line)["request_id"] for line in lines] == [finished(n).request_id for n in range(3)]

    run(work())


def test_when_nobody_reads_our_output_requests_are_logged_all_the_same(store: LogStore):
    async def work() -> None:
        reading, writing = os.pipe()
        os.close(reading)
        counted = metrics()
        batcher = LogBatcher(store, stdout=writing, metrics=counted)
        batcher.add(finished(1))
        assert await batcher.drain() == 0
        os.close(writing)
        assert len(store.read()) == 1
        assert b"anygate_log_lines_dropped_total 1.0" in counted.render()[0]

    run(work())


def test_when_our_output_is_held_but_not_read_requests_are_logged_all_the_same(store: LogStore):
    async def work() -> None:
        reading, writing = os.pipe()
        counted = metrics()
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, bytes(4096))
        os.set_blocking(writing, True)
        batcher = LogBatcher(store, stdout=writing, metrics=counted, patience=0.01)
        batcher.add(finished(1))
        assert await batcher.flush()  # its line waits for the reader
        batcher.add(finished(2))
        assert await batcher.drain() == 0
        assert len(store.read()) == 2
        assert b"anygate_log_lines_dropped_total 1.0" in counted.render()[0]
        os.close(reading)  # the thread that waits is told
        os.close(writing)

    run(work())


def test_a_store_that_is_down_keeps_records_waiting_and_is_tried_again_later(store: LogStore):
    async def work() -> None:
        now = 0.0
        port, counted = Ports(store), metrics()
        batcher = LogBatcher(port, metrics=counted, clock=lambda: now)
        port.shut = True
        batcher.add(finished(1))
        assert not await batcher.flush()
        port.shut = False
        batcher.add(finished(2))
        assert not await batcher.flush()  # not yet: it backs off
        assert store.read() == []
        now = 60.0
        assert await batcher.flush()
        assert len(store.read()) == 2
        text = counted.render()[0]
        assert b"anygate_log_write_failures_total 1.0" in text
        assert b'evidence="reported",model="gpt-4o",protocol="chat",status="2xx"} 2.0' in text  # each counted once
        await batcher.drain()

    run(work())


def test_beyond_its_capacity_the_oldest_are_dropped_and_counted(store: LogStore):
    async def work() -> None:
        port, counted = Ports(store), metrics()
        now = 0.0
        batcher = LogBatcher(port, metrics=counted, capacity=10, clock=lambda: now)
        port.shut = True
        for number in range(25):
            batcher.add(finished(number))
            if number % 7 == 0:
                await batcher.flush()
        assert batcher.waiting <= 20
        port.shut = False
        assert await batcher.drain() == 0
        assert [document["started_ms"] - NOON_MS for document in store.read()] == list(range(24, 14, -1))
        assert batcher.dropped == 15
        assert b"anygate_log_records_dropped_total 15.0" in counted.render()[0]

    run(work())


def test_one_unsound_record_does_not_hold_up_the_others(store: LogStore):
    async def work() -> None:
        port = Ports(store)
        port.refused = {finished(2).request_id}
        batcher = LogBatcher(port)
        for number in range(5):
            batcher.add(finished(number))
        assert await batcher.drain() == 0
        assert [document["started_ms"] - NOON_MS for document in store.read()] == [4, 3, 1, 0]
        assert batcher.dropped == 1

    run(work())


def test_draining_gives_a_store_that_is_down_its_chances_within_the_time(store: LogStore):
    async def work() -> None:
        port = Ports(store)
        port.shut = True

        async def comes_back(_seconds: float) -> None:
            port.shut = False

        batcher = LogBatcher(port, sleep=comes_back)
        batcher.add(finished(1))
        assert await batcher.drain() == 0
        assert len(store.read()) == 1

    run(work())


def test_draining_says_what_was_lost(store: LogStore):
    async def work() -> None:
        port = Ports(store)
        port.shut = True
        batcher = LogBatcher(port)
        batcher.add(finished(1))
        assert await batcher.drain(timeout=0.01) == 1

    run(work())


def test_a_mistake_of_ours_is_reported_and_the_log_goes_on(store: LogStore, keeps_logging: None):
    stream = io.StringIO()
    configure_logging(stream=stream)

    async def work() -> None:
        stumbled, written = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        events = [stumbled, written]

        class Stumbles(Ports):
            def write(self, rows: Sequence[Row]) -> None:
                loop.call_soon_threadsafe(events.pop(0).set)
                if len(events) == 1:
                    raise ZeroDivisionError
                super().write(rows)

        batcher = LogBatcher(Stumbles(store))
        batcher.start()
        batcher.add(finished(1))
        async with asyncio.timeout(20):
            await stumbled.wait()
            await written.wait()
        await batcher.drain()
        assert len(store.read()) == 1

    run(work())
    assert "ZeroDivisionError" in stream.getvalue()


def test_it_writes_to_postgres_too_and_outlives_its_restarts(postgres_url: str, tmp_path: Path):
    store = open_store(postgres_url, tmp_path, 90, now_ms=lambda: NOON_MS)

    async def work() -> None:
        now = 0.0
        clock: Callable[[], float] = lambda: now  # noqa: E731
        batcher = LogBatcher(store, clock=clock)
        batcher.add(finished(1))
        assert await batcher.flush()
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'anygate log' AND datname = current_database()"
            )
        batcher.add(finished(2))
        assert not await batcher.flush()
        now = 10.0
        assert await batcher.flush()
        assert len(store.read()) == 2
        await batcher.drain()

    run(work())
