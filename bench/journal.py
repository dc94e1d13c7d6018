"""What the ledger and the request log cost per request, apart from the rest of the gateway.

Run: python -m bench.journal                      CPU microseconds, as the clock of the process has them
     python -m bench.journal --instructions       the same work counted in instructions, by valgrind: load changes nothing
     python -m bench.journal --postgres URL       on PostgreSQL too; wants an empty database

One request is one hold and one close, or one log record. `commit` is the home alone, at batches of a size; `group` is
`GroupCommit` with so many coroutines as clients, on asyncio's own loop; `ask` the same with clients that are told by a
call, on uvloop, as the relay and the server do it; `log` is the batcher with metrics, lines and store, at so many records a flush.
Instructions are the difference of two runs, so the start and the making of the input's first part fall out of it.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from anygate.canonical.errors import LedgerUnavailable
from anygate.canonical.money import AccountId, Nanos
from anygate.canonical.usage import Usage
from anygate.ledger.home import Home
from anygate.ledger.journal import GroupCommit
from anygate.ledger.journal_sqlite import SqliteHome
from anygate.ledger.types import Close, Granted, Hold, Refused
from anygate.observe.batcher import LogBatcher
from anygate.observe.labels import ModelLabels
from anygate.observe.metrics import Metrics
from anygate.observe.record import Attempt, Record
from anygate.observe.store import open_store
from anygate.state.ids import RequestIds

PRICE = '{"rates":{"input":"2.50","output":"10.00"},"multiplier":"1"}'
DETAIL = '{"model":"gpt-4o","usage":{"input":12,"output":33},"evidence":"reported"}'
SHAPES = (
    "nothing:1",
    "commit:1",
    "commit:16",
    "commit:64",
    "group:1",
    "group:16",
    "group:64",
    "ask:1",
    "ask:16",
    "ask:64",
    "log:50",
    "log:500",
)
FEW, MANY = 320, 1280
PURSE = AccountId(1)


@dataclass(frozen=True)
class Bench:
    """One kind of work, at one size."""

    kind: str
    size: int
    url: str
    folder: Path

    def work(self, count: int) -> float:
        """Do it for so many requests; CPU seconds of the process, without the making of the input."""
        if self.kind == "log":
            return self._log(count)
        home = open_home(self.url)
        pairs = list(make(count))
        started = time.process_time()
        match self.kind:
            case "commit":
                self._commit(home, pairs)
            case "group":
                asyncio.run(self._group(home, pairs))
            case "ask":
                uvloop.run(self._ask(home, pairs))
            case _:
                pass
        spent = time.process_time() - started
        home.close()
        return spent

    def _commit(self, home: Home, pairs: list[tuple[Hold, Close]]) -> None:
        closes: list[Close] = []
        for start in range(0, len(pairs), self.size):
            batch = pairs[start : start + self.size]
            holds = [hold for hold, _ in batch]
            if home.commit_now(holds, closes) is None:
                home.commit(holds, closes)
            closes = [close for _, close in batch]
        home.commit((), closes)

    async def _group(self, home: Home, pairs: list[tuple[Hold, Close]]) -> None:
        journal = GroupCommit(home, asyncio.get_running_loop())
        waiting = iter(pairs)

        async def client() -> None:
            for hold, close in waiting:
                assert isinstance(await journal.reserve(hold), Granted)
                journal.close(close, None)

        await asyncio.gather(*(client() for _ in range(self.size)))
        await journal.drain()

    async def _ask(self, home: Home, pairs: list[tuple[Hold, Close]]) -> None:
        journal = GroupCommit(home, asyncio.get_running_loop())
        waiting = iter(pairs)
        for _ in range(self.size):
            Client(journal, waiting).ask()
        await journal.drain()

    def _log(self, count: int) -> float:
        async def run() -> float:
            names = frozenset({"gpt-4o"})
            with open(os.devnull, "wb") as lines:  # noqa: ASYNC230, PTH123 - opens at once
                batcher = LogBatcher(
                    open_store(self.url, self.folder, 90),
                    stdout=lines.fileno(),
                    metrics=Metrics(ModelLabels(lambda: names)),
                )
                spent = 0.0
                for start in range(0, count, self.size):
                    records = [record(new_id()) for _ in range(min(self.size, count - start))]
                    started = time.process_time()
                    for one in records:
                        batcher.add(one)
                    await batcher.flush()
                    spent += time.process_time() - started
                await batcher.drain()
            return spent

        new_id = RequestIds(time.time)
        return asyncio.run(run())


class Client:
    """Asks, closes and asks again until there are no more pairs; told by a call, as the relay is."""

    def __init__(self, journal: GroupCommit, waiting: Iterator[tuple[Hold, Close]]) -> None:
        self._journal = journal
        self._waiting = waiting
        self._close: Close | None = None

    def ask(self) -> None:
        """Ask for the next hold, if there is one."""
        pair = next(self._waiting, None)
        if pair is not None:
            hold, self._close = pair
            self._journal.ask(hold, self._answered)

    def _answered(self, outcome: Granted | Refused | LedgerUnavailable) -> None:
        assert isinstance(outcome, Granted)
        assert self._close is not None
        self._journal.close(self._close)
        self.ask()


def make(count: int) -> Iterator[tuple[Hold, Close]]:
    """Holds and their closes."""
    new_id = RequestIds(time.time)
    for _ in range(count):
        subject = new_id()
        hold = Hold(subject, 7, 1, (PURSE,), Nanos(1000), Nanos(100), model="gpt-4o", price=PRICE)
        yield hold, Close(subject, Nanos(500), DETAIL, price=PRICE)


def record(request_id: str) -> Record:
    """A finished request."""
    return Record(
        request_id,
        int(time.time() * 1000),
        "POST",
        "/v1/chat/completions",
        "openai_chat",
        3,
        "alice",
        7,
        "ci",
        "default",
        "gpt-4o",
        "gpt-4o",
        "main",
        "openai",
        status=200,
        usage=Usage(input=12, output=33),
        cost_nanos=12_345,
        evidence="reported",
        attempts=[Attempt("main", 200, "first", 1, 300)],
        client_ip="192.0.2.7",
        latency_ms=312.5,
        overhead_ms=0.25,
    )


def open_home(url: str) -> Home:
    """The journal's home for a database."""
    if url.startswith("sqlite"):
        return SqliteHome(Path(url.removeprefix("sqlite:///")), owner="bench")
    from anygate.ledger.journal_postgres import PostgresHome

    return PostgresHome(url, owner="bench")


def prepare(url: str) -> None:
    """Tables and a rich purse. SQLAlchemy stays out of the processes that are measured."""
    from anygate.ledger.accounts import grant, open_account
    from anygate.storage.engine import Database
    from anygate.storage.schema import accounts, entries, holds, metadata

    database = Database(url)
    with database.writing() as connection:
        metadata.create_all(connection)
        for table in (holds, entries, accounts):
            connection.execute(table.delete())
        account = open_account(connection, "wallet", "user:bench")
        connection.execute(accounts.update().where(accounts.c.id == account).values(id=PURSE))
        grant(connection, PURSE, "start", Nanos(10**15))
    database.dispose()


def run(shape: str, url: str, count: int, *, counted: bool) -> float:
    """One measurement in a process of its own: instructions, or CPU microseconds."""
    with tempfile.TemporaryDirectory(prefix="anygate-bench-") as folder:
        if url.startswith("sqlite"):
            url = f"sqlite:///{folder}/anygate.db"
        prepare(url)
        command = [sys.executable, "-m", "bench.journal", "--work", shape, "--count", str(count)]
        command += ["--url", url, "--folder", folder]
        if counted:
            command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind", *command]
        environ = os.environ | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
        if not counted:
            return float(done.stdout)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if found is None:
            raise SystemExit(f"valgrind did not say what it counted: {done.stderr}")
        return float(found[1])


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instructions", action="store_true", help="count with valgrind")
    parser.add_argument("--postgres", default="", help="postgresql://user@host/empty_database")
    parser.add_argument("--shapes", nargs="*", default=SHAPES, help=f"of {' '.join(SHAPES)}")
    parser.add_argument("--work", default="", help=argparse.SUPPRESS)  # in the process that is measured
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=Path(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        kind, _, size = options.work.partition(":")
        bench = Bench(kind, int(size), options.url, options.folder)
        print(1e6 * bench.work(options.count))
        return
    unit = "instructions" if options.instructions else "microseconds"
    for url in ("sqlite", *([options.postgres] if options.postgres else [])):
        for shape in options.shapes:
            few, many = (FEW, MANY) if options.instructions else (0, 20 * MANY)
            less = run(shape, url, few, counted=True) if few else 0.0
            each = (run(shape, url, many, counted=options.instructions) - less) / (many - few)
            print(f"{url.partition(':')[0]:10} {shape:10} {each:10.1f} {unit} a request", flush=True)


if __name__ == "__main__":
    main()
