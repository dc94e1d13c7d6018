"""The journal on SQLite: WAL, `BEGIN IMMEDIATE`, batches that cost microseconds.

A batch runs on the event loop itself when the write lock is free; when another process writes, it moves to
a thread. Durability "process" survives kill -9; "power" waits for the disk with each batch, in the thread.
"""

import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from anygate.canonical.money import AccountId, Nanos
from anygate.ledger import sqlite_statements as sql
from anygate.ledger.admission import Counters
from anygate.ledger.batch import (
    Facts,
    OpenHold,
    Outcomes,
    PastEntry,
    Questions,
    Writes,
    open_hold,
    purses_of,
    questions_of,
    write_batch,
)
from anygate.ledger.budgets import OwnPurses
from anygate.ledger.home import StepKnown, Unstorable, Unwritable, epoch_ms
from anygate.ledger.prices import PriceIds
from anygate.ledger.sqlite_checkpoints import Checkpointer
from anygate.ledger.sqlite_connection import connect
from anygate.ledger.types import Close, Hold

_SHORTEST_WAIT_SECONDS = 0.0002
_LONGEST_WAIT_SECONDS = 0.005

_LARGEST_MEMORY = 100_000
"""Open holds that are remembered; beyond it they are read again."""


class SqliteHome:
    """One connection to the database file, used by one thread at a time.

    Args:
        path: the database file; its tables exist.
        owner: `processes.id`, written into each hold.
        durability: "process" or "power".
        clock: milliseconds since the epoch.
        patience_seconds: how long `commit` waits for another process's write.
    """

    def __init__(
        self,
        path: Path,
        *,
        owner: str,
        durability: str = "process",
        clock: Callable[[], int] = epoch_ms,
        patience_seconds: float = 10.0,
    ) -> None:
        self._owner = owner
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._power = durability == "power"
        self._connection = connect(path, synchronous="FULL" if self._power else "NORMAL")
        self._connection.execute("PRAGMA busy_timeout = 0")  # from here on a lock is our own affair
        self._cursor = self._connection.cursor()
        self._purses = OwnPurses()
        self._prices = PriceIds()
        self._opened: dict[str, OpenHold] = {}
        self._checkpointer = Checkpointer(path)

    def commit_now(self, holds: Sequence[Hold], closes: Sequence[Close], *, replay: bool = False) -> Outcomes | None:
        """Commit on the caller's thread; None when another process writes, or when the disk would be waited for."""
        checkpointer = self._checkpointer
        if self._power or checkpointer.take_restart() or not checkpointer.enter(wait=False):
            return None
        try:
            if not self._begin(wait=False):
                return None
            return self._finish(holds, closes, careful=replay, replay=replay)
        except (StepKnown, sqlite3.IntegrityError):
            return None  # `commit` looks closer
        finally:
            checkpointer.leave()

    def commit(self, holds: Sequence[Hold], closes: Sequence[Close], *, replay: bool = False) -> Outcomes:
        """Commit one batch, waiting for the lock."""
        self._checkpointer.enter(wait=True)
        try:
            return self._commit(holds, closes, replay=replay)
        finally:
            self._checkpointer.leave()

    def _commit(self, holds: Sequence[Hold], closes: Sequence[Close], *, replay: bool) -> Outcomes:
        self._begin(wait=True)
        try:
            return self._finish(holds, closes, careful=replay, replay=replay)
        except (StepKnown, sqlite3.IntegrityError):
            self._begin(wait=True)
        try:
            return self._finish(holds, closes, careful=True, replay=replay)
        except sqlite3.IntegrityError as error:
            raise Unstorable(str(error)) from error

    def wait_for_checkpoint(self) -> None:
        """Return when no checkpoint is running."""
        self._checkpointer.wait()

    def close(self) -> None:
        """Close the connection; the last one of all processes copies the WAL back and deletes it."""
        self._checkpointer.wait()
        self._connection.close()

    def open_account(self, kind: str, label: str) -> tuple[AccountId, int]:
        """See `Books`."""
        execute = self._connection.execute
        execute(
            "INSERT OR IGNORE INTO accounts (kind, label, balance, spent, created_ms) VALUES (?, ?, 0, 0, ?)",
            (kind, label, self._clock()),
        )
        account, balance = execute("SELECT id, balance FROM accounts WHERE label = ?", (label,)).fetchone()
        return AccountId(account), balance

    def granted(self, account: AccountId, subject: str) -> tuple[int, int]:
        """See `Books`."""
        query = "SELECT coalesce(sum(amount), 0), count(*) FROM entries WHERE subject = ? AND account_id = ?"
        total, entries = self._connection.execute(query, (subject, account)).fetchone()
        return total, entries

    def book(self, account: AccountId, subject: str, step: str, kind: str, amount: int) -> None:
        """See `Books`."""
        self._connection.execute(sql.BOOK, (subject, account, step, kind, amount, self._clock()))
        self._connection.execute(sql.MOVE, (amount, 0, account))

    def enter_price(self, digest: str, document: str) -> int:
        """See `PriceBooks`."""
        self._connection.execute(sql.ENTER_PRICE, (digest, document))
        return self._connection.execute(sql.PRICE, (digest,)).fetchone()[0]

    def _begin(self, *, wait: bool) -> bool:
        deadline = 0.0
        pause = _SHORTEST_WAIT_SECONDS
        while True:
            try:
                self._cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise Unwritable(str(error)) from error
                if not wait:
                    return False
                now = time.monotonic()
                deadline = deadline or now + self._patience_seconds
                if now > deadline:
                    raise Unwritable(str(error)) from error
                # SQLite's own busy handler sleeps up to 100 ms; the others' batches last a few hundred microseconds
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the waiting processes
                pause = min(pause * 1.5, _LONGEST_WAIT_SECONDS)
            else:
                return True

    def _finish(self, holds: Sequence[Hold], closes: Sequence[Close], *, careful: bool, replay: bool) -> Outcomes:
        """The rest of a begun transaction. An IntegrityError leaves nothing behind."""
        execute = self._cursor.execute
        try:
            facts = self._read(holds, closes, careful=careful, replay=replay)
            writes = write_batch(facts, holds, closes)
            if writes.refused and not careful:
                known = execute(sql.STEPS, (_json([subject for subject, _ in writes.refused]),)).fetchall()
                if writes.refused_again(known):
                    raise StepKnown
            self._write(writes, facts.now_ms)
            execute("COMMIT")
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError) as error:
            raise Unstorable(str(error)) from error
        except (OverflowError, UnicodeError, orjson.JSONEncodeError) as error:
            raise Unstorable(str(error)) from error
        except sqlite3.Error as error:
            raise Unwritable(str(error)) from error
        finally:
            if self._connection.in_transaction:
                self._roll_back()
        self._purses.committed()
        self._prices.committed()
        self._remember(writes, closes)
        self._checkpointer.committed(len(holds) + len(closes))
        return writes.holds, writes.closes

    def _roll_back(self) -> None:
        self._purses.rolled_back()
        self._prices.rolled_back()
        try:
            self._cursor.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise Unwritable(str(error)) from error

    def _remember(self, writes: Writes, closes: Sequence[Close]) -> None:
        """What this connection has committed of its own open holds: their closes need not read them.

        Only a hold that a request waits with is remembered, because its close will come here too.
        """
        opened = self._opened
        for close in closes:
            opened.pop(close.subject, None)
        opened.update(writes.opened)
        for _, subject in writes.grown:
            opened.pop(subject, None)
        if len(opened) > _LARGEST_MEMORY:
            opened.clear()

    def _read(self, holds: Sequence[Hold], closes: Sequence[Close], *, careful: bool, replay: bool) -> Facts:
        execute = self._cursor.execute
        facts = Facts(self._clock(), {}, self._prices.find(self, holds, closes), replay=replay)
        questions = questions_of(holds, careful=careful)
        if closes:
            self._take_out(facts, questions, closes)
        if questions.extended:
            self._look_up(facts, questions)
        if questions.budgets:
            facts.budgets = self._purses.budgets(self, questions.budgets)
            questions.purses.update(facts.budgets.values())
        if questions.windows or questions.counted:
            used = execute(sql.WINDOWS, (_json(questions.windows),)).fetchall() if questions.windows else ()
            counted = execute(sql.COUNTED, (_json(questions.counted),)).fetchall() if questions.counted else ()
            facts.counters = Counters(dict(used), dict(counted))
        purses = questions.purses
        if len(purses) == 1:
            facts.balances = dict(execute(sql.BALANCE_ONE, [*purses]).fetchall())
        elif purses:
            facts.balances = dict(execute(sql.BALANCE_MANY, (_json([*purses]),)).fetchall())
        return facts

    def _take_out(self, facts: Facts, questions: Questions, closes: Sequence[Close]) -> None:
        """Read the closing holds, or remember them, and delete them: with the write lock held the two are as one.

        What was remembered counts only if the row is still there and still this process's: the sweeper of another may
        have deleted it, another process may have extended it and taken it over.

        Raises:
            StepKnown: what was remembered is not so any more.
        """
        execute, closing, opened = self._cursor.execute, facts.closing, self._opened
        unknown: list[str] = []
        for close in closes:
            remembered = None if questions.careful else opened.get(close.subject)
            if remembered is None:
                unknown.append(close.subject)
            else:
                closing[close.subject] = remembered
        if closing and self._delete([*closing]) != len(closing):
            raise StepKnown
        if unknown:
            rows = execute(sql.CLOSING, (_json(unknown),)).fetchall()
            self._cursor.executemany(sql.DELETE_HOLD, [(row[0],) for row in rows])
            for row in rows:
                closing[row[0]] = open_hold(row)
        self._look_after(facts, questions, closes)

    def _look_after(self, facts: Facts, questions: Questions, closes: Sequence[Close]) -> None:
        """The rare questions: what became of holds that are gone, and who bears a cost beyond the hold."""
        closing, missing = facts.closing, list[str]()
        for close in closes:
            row = closing.get(close.subject)
            if row is None:
                if facts.replay or close.cost > 0:
                    missing.append(close.subject)
            elif close.cost > row[2]:
                questions.purses.update(row[1])
                facts.overrun = self._purses.overrun(self)
        if missing:
            past: dict[str, list[PastEntry]] = {}
            for subject, *entry in self._connection.execute(sql.PAST, (_json(missing),)):
                past.setdefault(subject, []).append(PastEntry(*entry))
            facts.past = past

    def _delete(self, subjects: list[str]) -> int:
        """Delete open holds of this process; how many there were."""
        deleted = 0
        for start in range(0, len(subjects), sql.LARGEST_DELETE):
            chunk = subjects[start : start + sql.LARGEST_DELETE]
            deleted += self._cursor.execute(sql.delete_holds(len(chunk)), [self._owner, *chunk]).rowcount
        return deleted

    def _look_up(self, facts: Facts, questions: Questions) -> None:
        subjects = (_json(questions.extended),)
        facts.open_purses = {
            subject: purses_of(accounts) for subject, accounts in self._connection.execute(sql.OPEN, subjects)
        }
        for purses in facts.open_purses.values():
            questions.purses.update(purses)
        if questions.careful:
            steps = self._connection.execute(sql.STEPS, subjects)
            facts.known = {(subject, step): Nanos(amount) for subject, step, amount in steps}

    def _write(self, writes: Writes, now_ms: int) -> None:
        cursor, owner = self._cursor, self._owner
        self._insert(sql.insert_held, [now_ms], writes.held_rows)
        self._insert(sql.insert_settled, [now_ms], writes.settled_rows)
        if writes.entry_rows:
            self._insert(sql.insert_entries, [now_ms], writes.entry_rows)
        moves = writes.account_rows()
        if len(moves) == 1:
            cursor.execute(sql.MOVE, moves[0])
        elif moves:
            cursor.executemany(sql.MOVE, moves)
        self._insert(sql.insert_holds, [now_ms, owner], writes.hold_rows)
        if writes.counted_rows:
            self._insert(sql.insert_counted, [now_ms, owner], writes.counted_rows)
        if writes.grown:
            cursor.executemany(sql.GROW_HOLD, [(amount, owner, subject) for amount, subject in writes.grown])
        if writes.windows:
            windows = [(key, count, expires) for key, (count, expires) in writes.windows.items()]
            cursor.executemany(sql.COUNT_WINDOW, windows)
        if writes.lost:
            cursor.executemany(sql.LOST, writes.lost)
        if writes.late:
            cursor.executemany(sql.LATE, writes.late)

    def _insert(
        self, statement: Callable[[int], str], common: Sequence[object], rows: Sequence[tuple[object, ...]]
    ) -> None:
        for start in range(0, len(rows), sql.LARGEST_STATEMENT):
            chunk = rows[start : start + sql.LARGEST_STATEMENT]
            values = [*common]
            for row in chunk:
                values += row
            self._cursor.execute(statement(len(chunk)), values)


def _json(values: Sequence[str] | Sequence[int]) -> str:
    return orjson.dumps(values).decode()
