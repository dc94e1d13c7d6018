"""Keeps things for a user's later requests: at hand in this process at once, in the database a moment later."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from anygate.canonical.errors import LedgerUnavailable
from anygate.state.kept_reader import KeptReader
from anygate.storage.engine import Database
from anygate.storage.kept import Kept, KeptKey, delete_expired, delete_kept, put_kept

MOST_BYTES_AT_HAND = 32 << 20
MOST_WAITING = 20_000
MOST_BYTES_WAITING = 128 << 20
EXPIRE_SECONDS = 600.0
LONGEST_KEY = 512

_UNAVAILABLE = (DBAPIError, PoolTimeout)

logger = logging.getLogger("anygate.keeper")


class Keeper:
    """Keeps, finds and forgets. One per process; its methods run in the loop's thread.

    What is kept is found by this process at once and by others as soon as it is written, which takes one batch's time.
    `settled` waits for that. From then on the database is asked, so that what one process forgets is gone for all; only
    what was kept as `lasting` is found at hand for as long as there is room. A database that fails delays the writing;
    when too much waits, the oldest is given up.
    """

    def __init__(self, database: Database, clock: Callable[[], float], *, retry_seconds: float = 1.0) -> None:
        """Nothing is at hand yet.

        Args:
            database: set up.
            clock: seconds since 1970.
            retry_seconds: the pause after a failure of the database.
        """
        self._database = database
        self._reader = KeptReader(database)
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._at_hand: OrderedDict[KeptKey, Kept] = OrderedDict()
        self._bytes = 0
        self._waiting: OrderedDict[KeptKey, Kept] = OrderedDict()
        self._waiting_bytes = 0
        self._writing: dict[KeptKey, Kept] = {}
        self._writer: asyncio.Task[None] | None = None
        self._trying: list[asyncio.Future[bool]] = []  # who waits for the attempt that runs
        self._next: list[asyncio.Future[bool]] = []  # who waits for the one after it
        self._expire_at = 0.0

    def keep(self, user_id: int, kind: str, key: str, value: bytes, seconds: float, *, lasting: bool = False) -> None:
        """Keep a value for so many seconds.

        Args:
            user_id: whose it is.
            kind: of what it is.
            key: its name; any text.
            value: replaces what was kept under the name.
            seconds: until it expires.
            lasting: the value of this name never changes and is never forgotten.
        """
        thing = Kept(_name(user_id, kind, key), value, int((self._clock() + seconds) * 1000))
        self._drop(thing.name)
        if lasting:
            self._hold(thing)
        self._wait(thing)
        self._bound()
        self._begin()

    async def find(self, user_id: int, kind: str, key: str) -> bytes | None:
        """The value, or None if there is none (any more).

        Raises:
            LedgerUnavailable: the database cannot be read.
        """
        return (await self.find_all(user_id, kind, [key])).get(key)

    async def find_all(self, user_id: int, kind: str, keys: Sequence[str]) -> dict[str, bytes]:
        """The values of those keys that are there.

        Raises:
            LedgerUnavailable: the database cannot be read.
        """
        now_ms = int(self._clock() * 1000)
        found: dict[str, bytes] = {}
        missing: dict[str, str] = {}
        for key in keys:
            name = _name(user_id, kind, key)
            thing = self._waiting.get(name) or self._writing.get(name) or self._at_hand.get(name)
            if thing is None:
                missing[name.key] = key
            elif thing.expires_ms > now_ms:
                found[key] = thing.value
        if missing:
            try:
                stored = await self._reader.find(user_id, kind, list(missing), now_ms)
            except _UNAVAILABLE:
                raise LedgerUnavailable("What earlier requests left cannot be read. Repeat the request later") from None
            found |= {missing[name]: value for name, value in stored.items()}
        return found

    async def forget(self, user_id: int, kind: str, key: str) -> None:
        """Forget it, here and in the database.

        Raises:
            LedgerUnavailable: the database cannot be written.
        """
        name = _name(user_id, kind, key)
        if name in self._writing:  # what is on its way must not arrive after it was deleted
            await self.settled()
        self._drop(name)
        self._unwait(name)
        try:
            await asyncio.to_thread(self._delete, name)
        except _UNAVAILABLE:
            raise LedgerUnavailable("What is kept cannot be deleted now. Repeat the request later") from None

    async def settled(self) -> bool:
        """Wait until everything kept so far is written (True), or until writing it has failed once more."""
        if not self._waiting and not self._writing:
            return True
        tried: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        (self._next if self._waiting else self._trying).append(tried)
        self._begin()
        return await tried

    async def drain(self) -> None:
        """Before the process ends: write what waits, in one attempt more."""
        await self.settled()
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])
        if self._waiting:
            logger.error("%d things that were to be kept are lost", len(self._waiting))

    def _begin(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="anygate-keeper")

    async def _write(self) -> None:
        while self._waiting:
            self._writing, self._trying, self._next = dict(self._waiting), self._next, []
            self._waiting.clear()
            self._waiting_bytes = 0
            failed: Sequence[Kept] = list(self._writing.values())
            try:
                failed = await asyncio.to_thread(self._put, failed)
            finally:
                self._writing = {}
                self._return(failed)
                for future in self._trying:
                    if not future.done():
                        future.set_result(not failed)
            if failed:
                await asyncio.sleep(self._retry_seconds)

    def _put(self, batch: Sequence[Kept]) -> Sequence[Kept]:
        """Write a batch; what could not be written, but may be later, is returned."""
        try:
            self._put_together(batch)
        except (DataError, IntegrityError):
            return self._put_each(batch)
        except _UNAVAILABLE as error:
            logger.warning("what is to be kept could not be written: %s", type(error).__name__)
            return batch
        return ()

    def _put_together(self, batch: Sequence[Kept]) -> None:
        now = self._clock()
        with self._database.writing() as connection:
            put_kept(connection, batch)
            if now >= self._expire_at:
                delete_expired(connection, int(now * 1000))
        if now >= self._expire_at:
            self._expire_at = now + EXPIRE_SECONDS

    def _put_each(self, batch: Sequence[Kept]) -> Sequence[Kept]:
        """One after the other: a thing that the database will never take must not keep out the others."""
        left: list[Kept] = []
        for thing in batch:
            try:
                with self._database.writing() as connection:
                    put_kept(connection, [thing])
            except (DataError, IntegrityError) as error:
                logger.error("a %s cannot be kept: %s", thing.name.kind, type(error).__name__)
            except _UNAVAILABLE:
                left.append(thing)
        return left

    def _delete(self, name: KeptKey) -> None:
        with self._database.writing() as connection:
            delete_kept(connection, name)

    # What waits to be written

    def _wait(self, thing: Kept) -> None:
        self._unwait(thing.name)
        self._waiting[thing.name] = thing
        self._waiting_bytes += len(thing.value)

    def _unwait(self, name: KeptKey) -> None:
        known = self._waiting.pop(name, None)
        if known is not None:
            self._waiting_bytes -= len(known.value)

    def _return(self, failed: Sequence[Kept]) -> None:
        """What was not written waits again, before all that has come since."""
        for thing in reversed(failed):
            if thing.name not in self._waiting:
                self._waiting[thing.name] = thing
                self._waiting.move_to_end(thing.name, last=False)
                self._waiting_bytes += len(thing.value)
        self._bound()

    def _bound(self) -> None:
        given_up = 0
        while len(self._waiting) > MOST_WAITING or (
            self._waiting_bytes > MOST_BYTES_WAITING and len(self._waiting) > 1
        ):
            self._unwait(next(iter(self._waiting)))
            given_up += 1
        if given_up:
            logger.error("the database does not take what is to be kept: the %d oldest are given up", given_up)

    # What is at hand

    def _hold(self, thing: Kept) -> None:
        if len(thing.value) > MOST_BYTES_AT_HAND // 8:
            return
        self._at_hand[thing.name] = thing
        self._bytes += len(thing.value)
        while self._bytes > MOST_BYTES_AT_HAND:
            _, dropped = self._at_hand.popitem(last=False)
            self._bytes -= len(dropped.value)

    def _drop(self, name: KeptKey) -> None:
        held = self._at_hand.pop(name, None)
        if held is not None:
            self._bytes -= len(held.value)


def _name(user_id: int, kind: str, key: str) -> KeptKey:
    """The name under which it is stored; a text that not every database takes is told by its hash."""
    if len(key) > LONGEST_KEY or "\x00" in key or not key.isprintable():
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
        return KeptKey(user_id, kind, f"\x7f{digest}")
    return KeptKey(user_id, kind, key)
