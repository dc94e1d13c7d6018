"""The journal on PostgreSQL: one connection, two round trips a batch.

The first locks the touched purses in id order and takes out the closing holds, the second writes and commits. A batch
that needs nothing else runs on the event loop, which waits for the socket like for any other; a rare one, and whatever
went wrong, runs in the group commit's thread, where it may block.
"""

import asyncio
import select
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import orjson
import psycopg
import structlog
from psycopg import errors

from anygate.canonical.money import AccountId, Nanos
from anygate.ledger import postgres_statements as sql
from anygate.ledger.admission import Counters
from anygate.ledger.batch import (
    Facts,
    Outcomes,
    PastEntry,
    Writes,
    open_hold,
    purses_of,
    questions_of,
    write_batch,
)
from anygate.ledger.budgets import OwnPurses
from anygate.ledger.home import Landed, StepKnown, Unstorable, Unwritable, epoch_ms
from anygate.ledger.postgres_lane import Lane
from anygate.ledger.postgres_session import Exchange, Rows, Session
from anygate.ledger.prices import PriceIds
from anygate.ledger.types import Close, Hold

_log = structlog.get_logger(__name__)

_REPLAYS = 5


class _MustBlock(Exception):
    """This batch asks something that is answered in the thread."""


class PostgresHome:
    """One connection, made when first needed and again when lost.

    Args:
        url: postgresql://user@host/db, as libpq reads it.
        owner: `processes.id`, written into each hold.
        durability: "process": a commit survives the death of this process, and the server writes it to the disk a moment
            later; "power": each commit waits for the server's disk.
        clock: milliseconds since the epoch.
    """

    def __init__(
        self, url: str, *, owner: str, durability: str = "process", clock: Callable[[], int] = epoch_ms
    ) -> None:
        self._url = url
        self._owner = owner
        self._setup = sql.settings(durability)
        self._clock = clock
        self._purses = OwnPurses()
        self._prices = PriceIds()
        self._open: Session | None = None
        self._lane: Lane[Outcomes] | None = None
        self._committing = False

    def commit_now(self, holds: Sequence[Hold], closes: Sequence[Close], *, replay: bool = False) -> Outcomes | None:
        """A server is always waited for: None."""
        return None

    def begin(
        self, loop: asyncio.AbstractEventLoop, holds: Sequence[Hold], closes: Sequence[Close], landed: Landed
    ) -> bool:
        """See `LoopHome`."""
        session = self._open
        if session is None or session.broken or session.dirty or not hasattr(select, "epoll"):
            return False
        if not (self._prices.know(holds, closes) and self._purses.know(holds)):
            return False
        if self._lane is None:
            self._lane = Lane(loop, session, (_MustBlock, StepKnown, Unstorable, psycopg.Error, UnicodeError))
        self._committing = False
        work = self._transact(session, holds, closes, careful=False, replay=False, may_block=False)
        self._lane.run(work, lambda outcomes: landed(outcomes, self._committing))
        return True

    def release(self) -> None:
        """See `LoopHome`."""
        if self._lane is not None:
            self._lane.stop()
            self._lane = None

    def commit(self, holds: Sequence[Hold], closes: Sequence[Close], *, replay: bool = False) -> Outcomes:
        """Commit one batch; see `Home`."""
        careful = replay
        for remaining in reversed(range(_REPLAYS)):
            try:
                session = self._clean_session()
                work = self._transact(session, holds, closes, careful=careful, replay=replay, may_block=True)
                return session.wait(work)
            except (StepKnown, errors.UniqueViolation) as error:
                if careful and not remaining:
                    raise Unstorable(str(error)) from error
                careful = True
            except (errors.DeadlockDetected, errors.SerializationFailure) as error:
                if not remaining:
                    raise Unwritable(str(error)) from error
            except (errors.LockNotAvailable, errors.QueryCanceled) as error:  # waited long enough already
                raise Unwritable(str(error)) from error
            except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, UnicodeError) as error:
                raise Unstorable(str(error)) from error
            except psycopg.Error as error:  # the link broke, perhaps while the COMMIT was answered
                self._disconnect()
                if not remaining or not (holds or closes):  # a probe is made again soon, with longer and longer pauses
                    raise Unwritable(str(error)) from error
                _log.warning("ledger_connection_lost", error=str(error))
                careful = replay = True
            finally:
                self._leave()
        raise Unwritable("the batch was replayed too often")

    def close(self) -> None:
        """Close the connection."""
        self.release()
        self._disconnect()

    def open_account(self, kind: str, label: str) -> tuple[AccountId, int]:
        """See `Books`."""
        session = self._session()
        session.send(sql.OPEN_ACCOUNT, kind, label, self._clock())
        account, balance = _numbers(session.ask(sql.ACCOUNT, label))[0]
        return AccountId(account), balance

    def granted(self, account: AccountId, subject: str) -> tuple[int, int]:
        """See `Books`."""
        total, entries = _numbers(self._session().ask(sql.GRANTED, subject, account))[0]
        return total, entries

    def book(self, account: AccountId, subject: str, step: str, kind: str, amount: int) -> None:
        """See `Books`."""
        session = self._session()
        session.send(sql.BOOK, subject, account, step, kind, amount, self._clock())
        session.ask(sql.MOVE, amount, account)

    def enter_price(self, digest: str, document: str) -> int:
        """See `PriceBooks`."""
        session = self._session()
        session.send(sql.ENTER_PRICE, digest, document)
        return _numbers(session.ask(sql.PRICE, digest))[0][0]

    def _transact(
        self,
        session: Session,
        holds: Sequence[Hold],
        closes: Sequence[Close],
        *,
        careful: bool,
        replay: bool,
        may_block: bool,
    ) -> Exchange[Outcomes]:
        session.command(sql.BEGIN)
        facts = yield from self._read(session, holds, closes, careful=careful, replay=replay, may_block=may_block)
        writes = write_batch(facts, holds, closes)
        if writes.refused and not careful:
            session.send(sql.STEPS, _json([subject for subject, _ in writes.refused]))
            (known,) = yield from session.exchange()
            if writes.refused_again((str(subject), str(step), 0) for subject, step, _ in known):
                raise StepKnown
        self._write(session, writes, facts.now_ms)
        self._committing = True
        session.command(sql.COMMIT)
        yield from session.exchange()
        session.dirty = False
        self._purses.committed()
        self._prices.committed()
        return writes.holds, writes.closes

    def _read(
        self,
        session: Session,
        holds: Sequence[Hold],
        closes: Sequence[Close],
        *,
        careful: bool,
        replay: bool,
        may_block: bool,
    ) -> Exchange[Facts]:
        facts = Facts(self._clock(), {}, self._prices.find(self, holds, closes), replay=replay)
        questions = questions_of(holds, careful=careful)
        if questions.budgets:
            facts.budgets = self._purses.budgets(self, questions.budgets)
            questions.purses.update(facts.budgets.values())
        for close in closes:
            if close.purses:
                questions.purses.update(close.purses)
        subjects = [close.subject for close in closes]
        extended = questions.extended
        asked: tuple[tuple[str, Sequence[object]], ...] = (
            (sql.TAKE_OUT, subjects),
            (sql.WINDOWS, questions.windows),
            (sql.COUNTED, questions.counted),
            (sql.OPEN, extended),
            (sql.STEPS, extended if careful else ()),
        )
        # Everything is sent before the first answer is read: one round trip.
        session.send(sql.LOCK, _json([*questions.purses]), _json(subjects + extended))
        for statement, values in asked:
            if values:
                session.send(statement, _json(values))
        answers = iter((yield from session.exchange()))
        facts.balances = dict(_numbers(next(answers)))
        gone, used, counted, opened, steps = [next(answers) if values else [] for _, values in asked]
        for row in gone:
            subject, accounts, held, token_id, user_id, minute, tokens = row
            facts.closing[str(subject)] = open_hold(
                (subject, accounts, _int(held), _int(token_id), _int(user_id), minute and int(minute), _int(tokens))
            )
        if used or counted or questions.windows or questions.counted:
            facts.counters = Counters(
                {str(key): _int(count) for key, count in used}, {_int(token): _int(count) for token, count in counted}
            )
        facts.open_purses = {str(subject): purses_of(str(accounts)) for subject, accounts in opened}
        if careful:
            facts.known = {(str(subject), str(step)): Nanos(_int(amount)) for subject, step, amount in steps}
        self._look_after(session, facts, closes, may_block=may_block)
        return facts

    def _look_after(self, session: Session, facts: Facts, closes: Sequence[Close], *, may_block: bool) -> None:
        """The rare questions: what became of holds that are gone, and where an overrun is booked."""
        missing: list[str] = []
        for close in closes:
            row = facts.closing.get(close.subject)
            if row is None:
                if facts.replay or close.cost > 0:
                    missing.append(close.subject)
            elif close.cost > row[2] and facts.overrun is None:
                if not may_block:
                    raise _MustBlock
                facts.overrun = self._purses.overrun(self)
        if not missing:
            return
        if not may_block:
            raise _MustBlock
        past: dict[str, list[PastEntry]] = {}
        for subject, account, step, kind, amount, detail in session.ask(sql.PAST, _json(missing)):
            entry = PastEntry(_int(account), str(step), str(kind), _int(amount), detail)
            past.setdefault(str(subject), []).append(entry)
        facts.past = past

    def _write(self, session: Session, writes: Writes, now_ms: int) -> None:
        if writes.held_rows or writes.settled_rows or writes.entry_rows:
            opened: list[object] = [(*row, -1, 0, -1, now_ms) for row in writes.hold_rows]
            opened += writes.counted_rows
            entries, moves = _json(writes.entry_rows), _json(writes.account_rows())
            held, settled = _json(writes.held_rows), _json(writes.settled_rows)
            session.send(sql.WRITE, now_ms, self._owner, entries, _json(opened), moves, held, settled)
        if writes.grown:
            session.send(sql.GROW, self._owner, _json(writes.grown))
        if writes.windows:
            windows = [(key, count, expires) for key, (count, expires) in writes.windows.items()]
            session.send(sql.COUNT, _json(windows))
        if writes.lost:
            session.send(sql.LOST, _json(writes.lost))
        if writes.late:
            session.send(sql.LATE, _json(writes.late))

    def _session(self) -> Session:
        if self._open is None or self._open.broken:
            self._disconnect()
            try:
                self._open = Session(self._url, *self._setup)
            except psycopg.Error as error:
                raise Unwritable(str(error)) from error
        return self._open

    def _clean_session(self) -> Session:
        session = self._session()
        if session.dirty:  # the loop gave its batch up
            session.roll_back()
        return session

    def _leave(self) -> None:
        """After a batch, whatever became of it: no transaction stays open."""
        session = self._open
        if session is None or not session.dirty:
            return
        self._purses.rolled_back()
        self._prices.rolled_back()
        try:
            session.roll_back()
        except psycopg.Error as error:  # then the server rolls back
            _log.debug("ledger_connection_close", error=str(error))
            self._disconnect()

    def _disconnect(self) -> None:
        session, self._open = self._open, None
        if session is not None:
            self._purses.rolled_back()
            self._prices.rolled_back()
            session.close()


def _json(rows: Sequence[object]) -> str:
    try:
        return orjson.dumps(rows).decode()
    except orjson.JSONEncodeError as error:
        raise Unstorable(str(error)) from error


def _int(value: str | None) -> int:
    if value is None:
        _no_null()
    return int(value)


def _no_null() -> NoReturn:
    raise Unwritable("the database answered NULL where there is none")


def _numbers(rows: Rows) -> list[tuple[Any, ...]]:
    return [tuple([_int(value) for value in row]) for row in rows]
