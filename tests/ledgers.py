"""A ledger on a real database, for tests: homes of several processes, and what the tables say."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from anygate.canonical.money import AccountId, Nanos
from anygate.ledger.accounts import AccountKind, grant, open_account
from anygate.ledger.home import Home
from anygate.ledger.journal_postgres import PostgresHome
from anygate.ledger.journal_sqlite import SqliteHome
from anygate.ledger.types import Close, Closed, Granted, Hold, NotHeld, Refused
from anygate.state.ids import RequestIds
from anygate.storage.engine import Database
from anygate.storage.schema import accounts, create_tables

NOW_MS = 1_763_800_000_000  # 2025-11-22, UTC; a minute begins 20 s later


class TestLedger:
    """One database and any number of homes on it. The clock stands until it is set."""

    __test__ = False

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url)
        self.now_ms = NOW_MS
        self.new_id = RequestIds(lambda: self.now_ms / 1000)
        self._labels = itertools.count(1)
        self._homes: list[Home] = []
        with self.database.writing() as connection:
            create_tables(connection)

    def home(self, owner: str = "process-1", **options: Any) -> Home:
        """The connection of one process; closed with the ledger."""
        home: Home
        if self.database.path is not None:
            home = SqliteHome(self.database.path, owner=owner, clock=lambda: self.now_ms, **options)
        else:
            home = PostgresHome(self.url, owner=owner, clock=lambda: self.now_ms, **options)
        self._homes.append(home)
        return home

    def purse(self, balance: int, kind: AccountKind = "wallet") -> AccountId:
        """A new account with money on it."""
        with self.database.writing() as connection:
            account = open_account(connection, kind, f"{kind}:{next(self._labels)}", 1, now_ms=self.now_ms)
            if balance:
                grant(connection, account, "start", Nanos(balance), now_ms=self.now_ms)
        return account

    def hold(self, *purses: AccountId, ceiling: int = 100, minimum: int | None = None, **fields: Any) -> Hold:
        """A hold with a new subject, by default for its whole ceiling or nothing."""
        least = Nanos(ceiling if minimum is None else minimum)
        subject = fields.pop("subject", None) or self.new_id()
        fields.setdefault("token_id", 7)
        return Hold(subject, user_id=1, purses=purses, ceiling=Nanos(ceiling), minimum=least, **fields)

    def balance(self, account: AccountId) -> int:
        """What `accounts` says."""
        with self.database.reading() as connection:
            return connection.execute(select(accounts.c.balance).where(accounts.c.id == account)).scalar_one()

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        with self.database.reading() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def execute(self, statement: str, **values: object) -> None:
        """Do what no product code does: plant a fault."""
        with self.database.writing() as connection:
            connection.execute(text(statement), values)

    def close(self) -> None:
        """Close every connection."""
        for home in self._homes:
            home.close()
        self.database.dispose()


def commit_holds(home: Home, *holds: Hold) -> list[Granted | Refused]:
    """Commit one batch of holds."""
    return home.commit(holds, ())[0]


def commit_closes(home: Home, *closes: Close) -> list[Closed | NotHeld]:
    """Commit one batch of closes."""
    return home.commit((), closes)[1]


def settle_of(hold: Hold, cost: int, **fields: Any) -> Close:
    """A settle of a hold."""
    return Close(hold.subject, Nanos(cost), '{"evidence":"reported"}', **fields)


def sums(ledger: TestLedger) -> Sequence[tuple[Any, ...]]:
    """Accounts whose balance is not the sum of their entries, or is below zero: none, ever."""
    return ledger.rows(
        "SELECT a.label, a.balance, coalesce(sum(e.amount), 0) FROM accounts a"
        " LEFT JOIN entries e ON e.account_id = a.id GROUP BY a.id, a.label, a.balance, a.kind"
        " HAVING a.balance <> coalesce(sum(e.amount), 0) OR (a.balance < 0 AND a.kind <> 'overrun')"
    )


def sqlite_url(folder: Path) -> str:
    """A database file in a folder."""
    return f"sqlite:///{folder / 'anygate.db'}"
