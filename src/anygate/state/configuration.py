"""The configuration in this process: one immutable snapshot, swapped when the database's revision moves.

Tokens are looked up by the hash of their key, in a dictionary on the hot path and in the database behind it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum

import structlog
from sqlalchemy.exc import SQLAlchemyError

from anygate.canonical.errors import LedgerUnavailable
from anygate.canonical.token import Token
from anygate.routing.snapshot import Snapshot
from anygate.storage.crypto import Cipher, SecretKeyError
from anygate.storage.engine import Database
from anygate.storage.revision import RevisionPoll, read_revision
from anygate.storage.snapshot import changed_tokens, find_token, load_snapshot

log = structlog.get_logger(__name__)


class Miss(Enum):
    """The type of `MISS`: the cache does not know whether there is such a token."""

    MISS = 0


MISS = Miss.MISS

Changed = list[tuple[int, bytes]]


class Configuration:
    """What this process knows of the configuration. Its methods run in the event loop; the database in threads."""

    MISS: object = Miss.MISS  # for callers that hold a configuration and not this module

    def __init__(
        self,
        database: Database,
        cipher: Cipher,
        *,
        interval_seconds: float = 0.5,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        known_limit: int = 50_000,
        unknown_limit: int = 10_000,
    ) -> None:
        """Nothing is read yet.

        Args:
            database: where the configuration is.
            cipher: opens the channels' secrets.
            interval_seconds: between two looks at the revision.
            sleep: waits that long.
            known_limit: tokens kept; the oldest goes first.
            unknown_limit: hashes kept that open nothing.
        """
        self._database = database
        self._cipher = cipher
        self._interval = interval_seconds
        self._sleep = sleep
        self._known_limit = known_limit
        self._unknown_limit = unknown_limit
        self._snapshot: Snapshot | None = None
        self._poll = RevisionPoll(database)
        self._known: dict[bytes, Token] = {}
        self._hash_of: dict[int, bytes] = {}
        self._unknown: dict[bytes, None] = {}
        self._loading: dict[bytes, asyncio.Task[Token | None]] = {}
        self._refreshing = asyncio.Lock()
        self._trouble = ""

    @property
    def snapshot(self) -> Snapshot:
        """The current one; a request keeps the one it began with.

        Raises:
            LedgerUnavailable: none has been read yet.
        """
        if self._snapshot is None:
            raise LedgerUnavailable("The configuration has not been read yet. Repeat the request.")
        return self._snapshot

    @property
    def ready(self) -> bool:
        """Is there a snapshot?"""
        return self._snapshot is not None

    async def start(self) -> None:
        """Read the first snapshot.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be read.
            SecretKeyError: a channel's secret cannot be decrypted.
        """
        await self.refresh()

    async def run(self) -> None:
        """Follow the revision until cancelled. While the database fails, the last snapshot stays in use."""
        try:
            while True:
                await self._sleep(self._interval)
                try:
                    await self.refresh()
                except (SQLAlchemyError, SecretKeyError) as error:
                    if self._trouble != str(error):
                        self._trouble = str(error)
                        log.error("configuration cannot be read; the last one stays in use", error=str(error))
                else:
                    self._trouble = ""
        finally:
            self._poll.close()

    async def refresh(self) -> bool:
        """Look at the revision now; returns whether a new snapshot was swapped in."""
        async with self._refreshing:
            before = self._snapshot
            if before is not None and self._poll.read() == before.revision:
                return False
            found = await asyncio.to_thread(self._read, None if before is None else before.revision)
            if found is None:
                return False
            snapshot, changed = found
            self._snapshot = snapshot
            self._forget(changed)
        return True

    def _read(self, known: int | None) -> tuple[Snapshot, Changed | None] | None:
        """In a thread: the new snapshot and the tokens that changed (None: any may have), all of one revision."""
        with self._database.reading() as connection:
            revision = read_revision(connection)
            if revision == known:
                return None
            # A revision that went back is another database's, restored under us.
            follows = known is not None and revision > known
            changed = changed_tokens(connection, known) if follows and known is not None else None
            return load_snapshot(connection, self._cipher), changed

    def _forget(self, changed: Changed | None) -> None:
        if changed is None:
            self._known.clear()
            self._hash_of.clear()
            self._unknown.clear()
            return
        for token_id, key_hash in changed:
            held = self._hash_of.pop(token_id, None)
            if held is not None:
                self._known.pop(held, None)
            self._known.pop(key_hash, None)
        if changed:
            self._unknown.clear()

    def cached_token(self, key_hash: bytes) -> Token | Miss | None:
        """The token of a key's hash, None if there is no such key, or MISS: ask `load_token`.

        Whether the token is enabled, expired or allowed from an address is for the caller to judge.
        """
        token = self._known.get(key_hash)
        if token is not None:
            return token
        return None if key_hash in self._unknown else MISS

    async def load_token(self, key_hash: bytes) -> Token | None:
        """The token of a key's hash from the database, once for all who ask at the same time.

        Raises:
            LedgerUnavailable: the database cannot be read.
        """
        task = self._loading.get(key_hash)
        if task is None:
            task = asyncio.create_task(self._load(key_hash))
            self._loading[key_hash] = task
            task.add_done_callback(lambda done: self._loaded(key_hash, done))
        return await asyncio.shield(task)

    def _loaded(self, key_hash: bytes, task: asyncio.Task[Token | None]) -> None:
        self._loading.pop(key_hash, None)
        if not task.cancelled():
            task.exception()  # seen here too: everyone who asked may be gone

    async def _load(self, key_hash: bytes) -> Token | None:
        try:
            revision, token = await asyncio.to_thread(self._find, key_hash)
        except SQLAlchemyError as error:
            log.error("tokens cannot be read", error=str(error))
            raise LedgerUnavailable from error
        # An answer older than the snapshot may have been changed since: it serves this request and is not kept.
        if self._snapshot is not None and revision >= self._snapshot.revision:
            self._keep(key_hash, token)
        return token

    def _find(self, key_hash: bytes) -> tuple[int, Token | None]:
        with self._database.reading() as connection:
            return read_revision(connection), find_token(connection, key_hash)

    def _keep(self, key_hash: bytes, token: Token | None) -> None:
        if token is None:
            if len(self._unknown) >= self._unknown_limit:
                self._unknown.pop(next(iter(self._unknown)))
            self._unknown[key_hash] = None
            return
        if len(self._known) >= self._known_limit:
            oldest = self._known.pop(next(iter(self._known)))
            self._hash_of.pop(oldest.id, None)
        self._known[key_hash] = token
        self._hash_of[token.id] = key_hash
