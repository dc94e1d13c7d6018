"""Looks up what is kept in the database: everything that is asked while one look-up runs shares the next one."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from anygate.storage.engine import Database
from anygate.storage.kept import get_kept


class _Asked(NamedTuple):
    user_id: int
    kind: str
    keys: Sequence[str]
    now_ms: int
    found: asyncio.Future[dict[str, bytes]]


class KeptReader:
    """One look-up at a time, in one thread: several would mostly wait for each other and for the loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: list[_Asked] = []
        self._reader: asyncio.Task[None] | None = None

    async def find(self, user_id: int, kind: str, keys: Sequence[str], now_ms: int) -> dict[str, bytes]:
        """The values of those keys that are there and have not expired.

        Raises:
            sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError: the database cannot be read.
        """
        found: asyncio.Future[dict[str, bytes]] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(user_id, kind, keys, now_ms, found))
        if self._reader is None or self._reader.done():
            self._reader = asyncio.get_running_loop().create_task(self._read_on(), name="anygate-kept-reader")
        return await found

    async def _read_on(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, []
            outcome = (await asyncio.gather(asyncio.to_thread(self._read, asked), return_exceptions=True))[0]
            for place, one in enumerate(asked):
                if one.found.done():
                    continue  # who asked is gone
                if isinstance(outcome, BaseException):
                    one.found.set_exception(outcome)
                else:
                    one.found.set_result(outcome[place])

    def _read(self, asked: Sequence[_Asked]) -> list[dict[str, bytes]]:
        together: dict[tuple[int, str], set[str]] = {}
        for one in asked:
            together.setdefault((one.user_id, one.kind), set()).update(one.keys)
        now_ms = max(one.now_ms for one in asked)
        with self._database.reading() as connection:
            found = {
                (user_id, kind): get_kept(connection, user_id, kind, sorted(keys), now_ms)
                for (user_id, kind), keys in together.items()
            }
        answers: list[dict[str, bytes]] = []
        for one in asked:
            values = found[one.user_id, one.kind]
            answers.append({key: values[key] for key in one.keys if key in values})
        return answers
