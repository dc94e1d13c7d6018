"""One snapshot, swapped within a poll; tokens in memory for as long as nothing changed them."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import text

from anygate.admin.groups import set_group, switch_group
from anygate.admin.tokens import CreatedToken, create_token, delete_token, switch_token
from anygate.admin.users import create_user, switch_user
from anygate.canonical.channel import Secret
from anygate.canonical.errors import LedgerUnavailable
from anygate.state.configuration import MISS, Configuration
from anygate.storage.crypto import Cipher
from anygate.storage.engine import Database
from anygate.storage.hashes import hash_key
from anygate.storage.migrate import prepare_schema


class Place:
    """A database, a configuration that follows it, and one token."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        prepare_schema(self.database)
        create_user(self.database, "alice")
        self.created: CreatedToken = create_token(self.database, "alice", "ci")
        self.hash = hash_key(self.created.key)
        self.configuration = Configuration(self.database, Cipher([Secret("a key that only tests use")]))


@pytest.fixture
def place(database_url: str):
    place = Place(database_url)
    yield place
    place.database.dispose()


def test_a_change_swaps_the_snapshot(place: Place):
    async def scenario() -> None:
        configuration = place.configuration
        with pytest.raises(LedgerUnavailable):
            _ = configuration.snapshot
        await configuration.start()
        before = configuration.snapshot
        assert not await configuration.refresh()
        assert configuration.snapshot is before
        await asyncio.to_thread(set_group, place.database, "vip", Decimal("0.5"))
        assert await configuration.refresh()
        assert configuration.snapshot.groups == {"vip": Decimal("0.5")}

    asyncio.run(scenario())


def test_the_loop_follows_by_itself_and_survives_a_database_that_fails(place: Place):
    turns: list[float] = []
    failing = text("ALTER TABLE config_revision RENAME TO gone")
    healed = text("ALTER TABLE gone RENAME TO config_revision")

    async def scenario() -> None:
        seen = asyncio.Event()

        async def sleep(seconds: float) -> None:
            turns.append(seconds)
            statement = {2: failing, 4: healed}.get(len(turns))
            if statement is not None:
                with place.database.writing() as connection:
                    connection.execute(statement)
            if len(turns) == 5:
                set_group(place.database, "vip", Decimal(2))
            if configuration.snapshot.groups:
                seen.set()
            await asyncio.sleep(0)

        configuration = Configuration(place.database, Cipher([Secret("k" * 20)]), interval_seconds=0.5, sleep=sleep)
        await configuration.start()
        task = asyncio.create_task(configuration.run())
        await seen.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert configuration.snapshot.groups == {"vip": Decimal(2)}

    asyncio.run(scenario())
    assert set(turns) == {0.5}


def test_a_token_is_found_once_and_then_known(place: Place):
    async def scenario() -> None:
        configuration = place.configuration
        await configuration.start()
        assert configuration.cached_token(place.hash) is MISS
        found = await asyncio.gather(*(configuration.load_token(place.hash) for _ in range(5)))
        assert found[0] is not None
        assert all(token is found[0] for token in found)
        assert configuration.cached_token(place.hash) is found[0]

    asyncio.run(scenario())


def test_a_key_that_opens_nothing_is_known_until_a_token_changes(place: Place):
    async def scenario() -> None:
        configuration = place.configuration
        await configuration.start()
        assert await configuration.load_token(b"nothing") is None
        assert configuration.cached_token(b"nothing") is None
        await asyncio.to_thread(set_group, place.database, "vip", Decimal(2))
        await configuration.refresh()
        assert configuration.cached_token(b"nothing") is None
        await asyncio.to_thread(create_token, place.database, "alice", "other")
        await configuration.refresh()
        assert configuration.cached_token(b"nothing") is MISS

    asyncio.run(scenario())


@pytest.mark.parametrize("change", ["token", "user", "group", "deleted"])
def test_whatever_ends_a_token_ends_it_at_the_next_look(place: Place, change: str):
    async def scenario() -> None:
        configuration = place.configuration
        other = create_token(place.database, "alice", "other") if change in ("token", "deleted") else None
        await configuration.start()
        token = await configuration.load_token(place.hash)
        assert token is not None
        assert token.enabled
        if other is not None:
            await configuration.load_token(hash_key(other.key))
        match change:
            case "token":
                switch_token(place.database, "ci", disabled=True)
            case "user":
                switch_user(place.database, "alice", disabled=True)
            case "group":
                switch_group(place.database, "default", disabled=True)
            case _:
                delete_token(place.database, "ci")
        await configuration.refresh()
        assert configuration.cached_token(place.hash) is MISS
        if other is not None:
            assert configuration.cached_token(hash_key(other.key)) is not MISS
        again = await configuration.load_token(place.hash)
        assert again is None if change == "deleted" else again is not None and not again.enabled

    asyncio.run(scenario())


def test_an_answer_older_than_the_snapshot_is_not_kept(place: Place):
    async def scenario() -> None:
        configuration = place.configuration
        await configuration.start()
        read = place.configuration._find  # pyright: ignore[reportPrivateUsage] the moment between read and keep

        def find(key_hash: bytes):
            answer = read(key_hash)
            switch_token(place.database, "ci", disabled=True)
            asyncio.run_coroutine_threadsafe(configuration.refresh(), loop).result(10)
            return answer

        loop = asyncio.get_running_loop()
        configuration._find = find  # pyright: ignore[reportPrivateUsage]
        stale = await configuration.load_token(place.hash)
        assert stale is not None
        assert stale.enabled
        assert configuration.cached_token(place.hash) is MISS

    asyncio.run(scenario())


def test_both_caches_are_bounded(place: Place):
    keys = [hash_key(create_token(place.database, "alice", f"t{number}").key) for number in range(3)]

    async def scenario() -> None:
        cipher = Cipher([Secret("k" * 20)])
        configuration = Configuration(place.database, cipher, known_limit=2, unknown_limit=2)
        await configuration.start()
        for key in (*keys, b"a", b"b", b"c"):
            await configuration.load_token(key)
        known = [configuration.cached_token(key) is not MISS for key in (*keys, b"a", b"b", b"c")]
        assert known == [False, True, True, False, True, True]

    asyncio.run(scenario())


def test_a_database_that_fails_is_a_refusal_that_clients_understand(place: Place):
    async def scenario() -> None:
        await place.configuration.start()
        with place.database.writing() as connection:
            connection.execute(text("ALTER TABLE tokens RENAME TO gone"))
        with pytest.raises(LedgerUnavailable):
            await place.configuration.load_token(b"x")

    asyncio.run(scenario())
