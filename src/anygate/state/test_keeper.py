"""What is kept for later requests: found at once, found by others, forgotten by all, and bounded when the database fails."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from anygate.canonical.errors import LedgerUnavailable
from anygate.state import keeper as keeper_module
from anygate.state import kept_reader
from anygate.state.keeper import Keeper
from anygate.storage.engine import Database, Reading
from anygate.storage.kept import get_kept
from anygate.storage.migrate import prepare_schema


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Place:
    """A database and the keepers of several processes on it."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.clock = Clock()
        prepare_schema(self.database)

    def keeper(self) -> Keeper:
        return Keeper(self.database, self.clock, retry_seconds=0)

    def rows(self) -> int:
        with self.database.reading() as connection:
            return connection.execute(text("SELECT count(*) FROM kept")).scalar_one()

    @contextmanager
    def broken(self) -> Generator[None]:
        """While the block runs, the table cannot be read nor written."""
        self._run("ALTER TABLE kept RENAME TO elsewhere")
        try:
            yield
        finally:
            self._run("ALTER TABLE elsewhere RENAME TO kept")

    def _run(self, statement: str) -> None:
        with self.database.writing() as connection:
            connection.execute(text(statement))


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    """Each test runs on SQLite and on PostgreSQL."""
    place = Place(database_url)
    yield place
    place.database.dispose()


async def written(keeper: Keeper) -> None:
    """Return when an attempt has gone well; one that began before the database recovered may still fail."""
    while not await keeper.settled():
        pass


Scenario = Callable[[Place], Coroutine[Any, Any, None]]


def on_each_database(scenario: Scenario) -> Callable[[Place], None]:
    """Run an async test; a task that nobody heard fail fails it."""

    def run(place: Place) -> None:
        accidents: list[dict[str, Any]] = []

        async def watched() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: accidents.append(context))
            await asyncio.wait_for(scenario(place), 30)

        asyncio.run(watched())
        assert accidents == []

    run.__name__, run.__doc__, run.__module__ = scenario.__name__, scenario.__doc__, scenario.__module__
    return run


@on_each_database
async def test_what_is_kept_is_found_at_once_and_by_another_when_it_is_written(place: Place):
    one, other = place.keeper(), place.keeper()
    one.keep(1, "pin", "a", b"1", 60)
    assert await one.find(1, "pin", "a") == b"1"
    await one.settled()
    assert await other.find_all(1, "pin", ["a", "b", "a"]) == {"a": b"1"}
    assert await other.find(2, "pin", "a") is None
    assert await other.find(1, "answer", "a") is None


@on_each_database
async def test_the_newest_value_counts_in_every_stage(place: Place):
    one, other = place.keeper(), place.keeper()
    for value in (b"1", b"2"):
        one.keep(1, "pin", "a", value, 60)
        assert await one.find(1, "pin", "a") == value
    await one.settled()
    assert await one.find(1, "pin", "a") == b"2"
    other.keep(1, "pin", "a", b"3", 60)
    await other.settled()
    assert await one.find(1, "pin", "a") == b"3"


@on_each_database
async def test_what_one_process_forgets_is_gone_for_all(place: Place):
    one, other = place.keeper(), place.keeper()
    one.keep(1, "answer", "a", b"1", 60)
    one.keep(1, "answer", "b", b"2", 60)
    await one.settled()
    assert await other.find(1, "answer", "a") == b"1"
    await other.forget(1, "answer", "a")
    assert await one.find_all(1, "answer", ["a", "b"]) == {"b": b"2"}
    await one.forget(1, "answer", "nothing of this name")


@on_each_database
async def test_what_is_forgotten_while_it_is_written_does_not_come_back(place: Place):
    one = place.keeper()
    one.keep(1, "answer", "a", b"1", 60)
    await asyncio.sleep(0)  # the writer has begun
    one.keep(1, "answer", "a", b"2", 60)
    await one.forget(1, "answer", "a")
    await one.settled()
    assert await one.find(1, "answer", "a") is None
    assert place.rows() == 0


@on_each_database
async def test_what_has_expired_is_not_found_and_is_deleted_in_time(place: Place):
    one, other = place.keeper(), place.keeper()
    one.keep(1, "pin", "short", b"1", 10)
    one.keep(1, "signature", "short", b"1", 10, lasting=True)
    one.keep(1, "pin", "long", b"1", 5_000)
    place.clock.now += 10
    assert await one.find(1, "pin", "short") is None  # it still waits
    await one.settled()
    assert await one.find_all(1, "pin", ["short", "long"]) == {"long": b"1"}
    assert await one.find(1, "signature", "short") is None
    assert await other.find(1, "pin", "short") is None
    place.clock.now += keeper_module.EXPIRE_SECONDS
    one.keep(1, "pin", "newer", b"1", 5_000)
    await one.settled()
    assert place.rows() == 2


@on_each_database
async def test_a_database_that_fails_delays_the_writing(place: Place):
    one, other = place.keeper(), place.keeper()
    with place.broken():
        one.keep(1, "pin", "a", b"1", 60)
        one.keep(1, "pin", "b", b"1", 60)
        await one.settled()  # an attempt has failed
        one.keep(1, "pin", "a", b"2", 60)
        await one.settled()
        assert await one.find_all(1, "pin", ["a", "b"]) == {"a": b"2", "b": b"1"}
        with pytest.raises(LedgerUnavailable):
            await one.find(1, "pin", "c")
        with pytest.raises(LedgerUnavailable):
            await one.forget(1, "pin", "b")
        assert await one.find(1, "pin", "a") == b"2"
    await written(one)
    assert await other.find(1, "pin", "a") == b"2"


@on_each_database
async def test_the_end_of_a_process_does_not_wait_for_a_database_that_fails(place: Place):
    one, other = place.keeper(), place.keeper()
    one.keep(1, "pin", "a", b"1", 60)
    await one.drain()
    assert await other.find(1, "pin", "a") == b"1"
    with place.broken():
        one.keep(1, "pin", "b", b"1", 60)
        await one.drain()
    await place.keeper().drain()


@on_each_database
async def test_a_name_that_a_database_does_not_take_is_kept_all_the_same(place: Place):
    one, other = place.keeper(), place.keeper()
    names = ["\x00", "a\x00b", "x" * 5_000, "é世", "\ud800", "a\nb", ""]
    for number, name in enumerate(names):
        one.keep(1, "signature", name, b"%d" % number, 60)
    await one.settled()
    found = await other.find_all(1, "signature", [*names, "a\x00c"])
    assert found == {name: b"%d" % number for number, name in enumerate(names)}
    await other.forget(1, "signature", "\x00")
    assert await one.find(1, "signature", "\x00") is None


@on_each_database
async def test_what_lasts_is_found_without_the_database_as_long_as_there_is_room(place: Place):
    one = place.keeper()
    one.keep(1, "signature", "a", b"1", 60, lasting=True)
    one.keep(1, "pin", "a", b"1", 60)
    await one.settled()
    with place.broken():
        assert await one.find(1, "signature", "a") == b"1"
        with pytest.raises(LedgerUnavailable):
            await one.find(1, "pin", "a")


def test_what_is_at_hand_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keeper_module, "MOST_BYTES_AT_HAND", 80)

    async def scenario() -> None:
        one = place.keeper()
        for number in range(12):
            one.keep(1, "signature", str(number), bytes(10), 60, lasting=True)
        one.keep(1, "signature", "large", bytes(11), 60, lasting=True)
        await one.settled()
        with place.broken():
            assert await one.find(1, "signature", "11") == bytes(10)
            for gone in ("0", "3", "large"):
                with pytest.raises(LedgerUnavailable):
                    await one.find(1, "signature", gone)
        assert len(await one.find_all(1, "signature", [str(number) for number in range(12)])) == 12

    asyncio.run(scenario())


@pytest.mark.parametrize(("count", "size"), [(3, 1), (100, 40)])
def test_while_the_database_fails_the_oldest_is_given_up(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, count: int, size: int
):
    monkeypatch.setattr(keeper_module, "MOST_WAITING", count)
    monkeypatch.setattr(keeper_module, "MOST_BYTES_WAITING", 120)

    async def scenario() -> None:
        one, other = place.keeper(), place.keeper()
        with place.broken():
            for name in ("a", "b"):
                one.keep(1, "pin", name, bytes(size), 60)
            await one.settled()
            for name in ("c", "d", "e"):
                one.keep(1, "pin", name, bytes(size), 60)
            await one.settled()
        await written(one)
        assert sorted(await other.find_all(1, "pin", list("abcde"))) == ["c", "d", "e"]

    with caplog.at_level(logging.ERROR, "anygate.keeper"):
        asyncio.run(scenario())
    assert "given up" in caplog.text


@on_each_database
async def test_many_may_wait_for_the_same_writing(place: Place):
    one = place.keeper()
    assert await one.settled()  # nothing to wait for
    one.keep(1, "pin", "a", b"1", 60)
    waiting = [asyncio.create_task(one.settled()) for _ in range(3)]
    waiting[0].cancel()
    await asyncio.wait(waiting)
    assert place.rows() == 1


def test_who_asks_while_a_look_up_runs_shares_the_next_one(place: Place, monkeypatch: pytest.MonkeyPatch):
    looked_up: list[list[str]] = []

    def watched(connection: Reading, user_id: int, kind: str, keys: Sequence[str], now_ms: int) -> dict[str, bytes]:
        looked_up.append([f"{user_id} {key}" for key in keys])
        return get_kept(connection, user_id, kind, keys, now_ms)

    async def scenario() -> None:
        one, other = place.keeper(), place.keeper()
        for user_id in (1, 2):
            one.keep(user_id, "signature", "a", b"%d" % user_id, 60)
        await one.settled()
        first = asyncio.create_task(other.find(1, "signature", "a"))
        await asyncio.sleep(0)  # it is under way
        asks = [other.find_all(user_id, "signature", ["a", name]) for user_id in (1, 2) for name in "bcd"]
        found = await asyncio.gather(*asks)
        assert await first == b"1"
        assert found == [{"a": b"1"}] * 3 + [{"a": b"2"}] * 3

    monkeypatch.setattr(kept_reader, "get_kept", watched)
    asyncio.run(scenario())
    assert looked_up == [["1 a"], ["1 a", "1 b", "1 c", "1 d"], ["2 a", "2 b", "2 c", "2 d"]]


@on_each_database
async def test_all_who_share_a_look_up_that_fails_hear_of_it(place: Place):
    keeper = place.keeper()
    with place.broken():
        found = await asyncio.gather(*(keeper.find(1, "pin", name) for name in "abc"), return_exceptions=True)
    assert [type(error) for error in found] == [LedgerUnavailable] * 3
    assert await keeper.find(1, "pin", "a") is None
