"""Group commit on real homes: order, cancellation, a database that fails and comes back."""

import asyncio
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.cut_link import CuttingProxy
from tests.ledgers import TestLedger, settle_of, sqlite_url, sums

from anygate.canonical.errors import LedgerUnavailable
from anygate.canonical.money import Nanos
from anygate.ledger.home import Unstorable
from anygate.ledger.journal import GroupCommit
from anygate.ledger.journal_postgres import PostgresHome
from anygate.ledger.types import Close, Closed, Granted, NotHeld, Refused

Settled = list[tuple[str, Closed | NotHeld]]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


def test_what_one_turn_of_the_loop_gathers_is_one_batch(ledger: TestLedger):
    batches: list[tuple[int, int]] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        journal = GroupCommit(ledger.home(), loop, on_commit=lambda holds, closes, _: batches.append((holds, closes)))
        poor, rich = ledger.purse(1), ledger.purse(6_300)
        holds = [ledger.hold(poor), *(ledger.hold(rich) for _ in range(63))]
        answers = await asyncio.gather(*(journal.reserve(hold) for hold in holds))
        assert answers == [Refused("insufficient_quota", free=Nanos(1)), *[Granted(Nanos(100))] * 63]
        settled: Settled = []
        for hold in holds[1:]:
            journal.close(settle_of(hold, 1), lambda close, outcome: settled.append((close.subject, outcome)))
        assert journal.pending == 63
        await journal.drain()
        assert settled == [(hold.subject, Closed(Nanos(1))) for hold in holds[1:]]
        journal.stop()

    run(work())
    assert batches == [(64, 0), (0, 63)]


def test_a_close_that_overtakes_its_hold_still_ends_it(ledger: TestLedger):
    async def work() -> None:
        journal = GroupCommit(ledger.home(), asyncio.get_running_loop())
        hold = ledger.hold(ledger.purse(100))
        granted = journal.reserve(hold)
        outcomes: list[Closed | NotHeld] = []
        journal.close(settle_of(hold, 10), lambda _, outcome: outcomes.append(outcome))
        assert await granted == Granted(Nanos(100))
        await journal.drain()
        await asyncio.sleep(0)
        assert outcomes == [Closed(Nanos(10))]
        journal.stop()

    run(work())
    assert ledger.rows("SELECT * FROM holds") == []


def test_what_was_granted_to_a_request_that_is_gone_is_given_back(ledger: TestLedger):
    purse = ledger.purse(100)

    async def work() -> None:
        journal = GroupCommit(ledger.home(), asyncio.get_running_loop())
        journal.reserve(ledger.hold(purse)).cancel()
        await journal.drain()
        journal.stop()

    run(work())
    assert ledger.balance(purse) == 100
    assert ledger.rows("SELECT kind FROM entries WHERE step = 'close'") == [("refund",)]


def test_an_answer_comes_by_a_call_in_the_loop_and_never_from_within_the_question(ledger: TestLedger):
    poor, rich = ledger.purse(1), ledger.purse(100)
    alive = True
    answers: list[Granted | Refused | LedgerUnavailable] = []

    async def work() -> None:
        nonlocal alive
        journal = GroupCommit(ledger.home(), asyncio.get_running_loop(), alive=lambda: alive)
        journal.ask(ledger.hold(poor), answers.append)
        journal.ask(ledger.hold(rich), answers.append)
        assert answers == []
        await journal.drain()
        assert answers == [Refused("insufficient_quota", free=Nanos(1)), Granted(Nanos(100))]
        alive = False
        journal.ask(ledger.hold(rich), answers.append)
        assert len(answers) == 2
        await journal.drain()
        assert isinstance(answers[2], LedgerUnavailable)
        journal.stop()

    run(work())
    assert len(answers) == 3


def test_a_callback_that_fails_is_logged_and_harms_nobody_else(ledger: TestLedger):
    purse = ledger.purse(1_000)
    answers: list[Granted | Refused | LedgerUnavailable] = []
    settled: Settled = []

    def fail(*_: object) -> None:
        raise ValueError("a defect of the caller")

    async def work() -> None:
        journal = GroupCommit(ledger.home(), asyncio.get_running_loop())
        first, second = ledger.hold(purse), ledger.hold(purse)
        journal.ask(first, fail)
        journal.ask(second, answers.append)
        await journal.drain()
        journal.close(settle_of(first, 10), fail)
        journal.close(settle_of(second, 20), lambda close, outcome: settled.append((close.subject, outcome)))
        await journal.drain()
        assert settled == [(second.subject, Closed(Nanos(20)))]
        journal.stop()

    with capture_logs() as logs:
        run(work())
    assert answers == [Granted(Nanos(100))]
    assert [line["event"] for line in logs] == ["ledger_callback_failed"] * 2
    assert ledger.balance(purse) == 970


def test_who_asks_while_the_database_is_gone_is_told_in_a_later_turn(tmp_path: Path):
    ledger = TestLedger(sqlite_url(tmp_path))
    purse = ledger.purse(100)
    other = sqlite3.connect(tmp_path / "anygate.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers: list[Granted | Refused | LedgerUnavailable] = []

    async def work() -> None:
        journal = GroupCommit(ledger.home(patience_seconds=0.01), asyncio.get_running_loop())
        with pytest.raises(LedgerUnavailable):
            await journal.reserve(ledger.hold(purse))
        journal.ask(ledger.hold(purse), answers.append)
        assert answers == []
        await asyncio.sleep(0)
        assert isinstance(answers[0], LedgerUnavailable)
        other.execute("COMMIT")
        await journal.drain()
        journal.stop()

    run(work())
    assert len(answers) == 1
    other.close()
    ledger.close()


def test_a_fenced_process_holds_nothing_but_still_settles(ledger: TestLedger):
    purse = ledger.purse(1_000)
    alive = True

    async def work() -> None:
        nonlocal alive
        journal = GroupCommit(ledger.home(), asyncio.get_running_loop(), alive=lambda: alive)
        hold = ledger.hold(purse)
        await journal.reserve(hold)
        alive = False
        refused = journal.reserve(ledger.hold(purse))
        journal.close(settle_of(hold, 30))
        with pytest.raises(LedgerUnavailable):
            await refused
        await journal.drain()
        alive = True
        assert await journal.reserve(ledger.hold(purse)) == Granted(Nanos(100))
        journal.stop()

    run(work())
    assert ledger.balance(purse) == 870


def test_more_than_one_batch_can_hold_is_committed_in_order(ledger: TestLedger):
    purse = ledger.purse(300)

    async def work() -> None:
        journal = GroupCommit(ledger.home(), asyncio.get_running_loop())
        holds = [ledger.hold(purse, ceiling=1) for _ in range(600)]
        answers = await asyncio.gather(*(journal.reserve(hold) for hold in holds))
        assert [type(answer) for answer in answers] == [Granted] * 300 + [Refused] * 300
        for hold in holds[:300]:
            journal.close(settle_of(hold, 0))
        await journal.drain()
        journal.stop()

    run(work())
    assert ledger.balance(purse) == 300


def test_a_value_that_cannot_be_stored_harms_only_its_own_request(ledger: TestLedger):
    purse = ledger.purse(1_000)

    async def work() -> None:
        journal = GroupCommit(ledger.home(), asyncio.get_running_loop())
        good, bad = ledger.hold(purse), ledger.hold(purse, price="\0\ud800", deadline_ms=2**70)
        first, second = journal.reserve(good), journal.reserve(bad)
        assert await first == Granted(Nanos(100))
        with pytest.raises(LedgerUnavailable):
            await second
        assert journal.available
        await journal.drain()
        journal.stop()

    with pytest.raises(Unstorable):
        ledger.home("process-2").commit([ledger.hold(purse, deadline_ms=2**70)], ())
    run(work())
    assert ledger.balance(purse) == 900


def test_a_locked_sqlite_never_blocks_the_loop(tmp_path: Path):
    ledger = TestLedger(sqlite_url(tmp_path))
    purse = ledger.purse(100)
    home = ledger.home()
    other = sqlite3.connect(tmp_path / "anygate.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert home.commit_now([ledger.hold(purse)], ()) is None

    async def work() -> None:
        journal = GroupCommit(home, asyncio.get_running_loop())
        granted = journal.reserve(ledger.hold(purse))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the loop turns while the batch waits in its thread
        assert not granted.done()
        other.execute("COMMIT")
        assert await granted == Granted(Nanos(100))
        journal.stop()

    run(work())
    other.close()
    ledger.close()


def test_a_sqlite_that_stays_locked_is_unavailable_until_it_answers_again(tmp_path: Path):
    ledger = TestLedger(sqlite_url(tmp_path))
    purse = ledger.purse(1_000)
    home = ledger.home(patience_seconds=0.01)
    other = sqlite3.connect(tmp_path / "anygate.db", isolation_level=None)

    async def work() -> None:
        journal = GroupCommit(home, asyncio.get_running_loop())
        hold = ledger.hold(purse)
        await journal.reserve(hold)
        other.execute("BEGIN IMMEDIATE")
        journal.close(settle_of(hold, 40))
        with pytest.raises(LedgerUnavailable):
            await journal.reserve(ledger.hold(purse))
        assert not journal.available
        with pytest.raises(LedgerUnavailable):
            await journal.reserve(ledger.hold(purse))
        other.execute("COMMIT")
        await journal.drain()
        assert journal.available
        journal.stop()

    run(work())
    assert ledger.balance(purse) == 960
    assert ledger.rows("SELECT * FROM holds") == []
    assert not sums(ledger)
    other.close()
    ledger.close()


def test_a_commit_whose_answer_was_lost_is_answered_again_and_moves_nothing_twice(postgres_url: str):
    ledger = TestLedger(postgres_url)
    wallet, quota = ledger.purse(1_000), ledger.purse(150, "quota")
    with CuttingProxy(postgres_url) as proxy:
        home = PostgresHome(proxy.url, owner="process-1")
        old, new = ledger.hold(wallet), ledger.hold(wallet, quota, ceiling=200, minimum=10)
        home.commit([old], ())
        proxy.cut_commits = 1
        answer = home.commit([new], [settle_of(old, 70)])
        assert answer == ([Granted(Nanos(150))], [Closed(Nanos(70))])
        assert proxy.cuts == 1
        proxy.cut_commits = 1
        assert home.commit((), [settle_of(new, 700)]) == ([], [Closed(Nanos(700))])
        assert proxy.cuts == 2
        home.close()
    assert (ledger.balance(wallet), ledger.balance(quota)) == (230, 0)
    assert ledger.rows("SELECT * FROM late") == []
    assert not sums(ledger)
    ledger.close()


def test_a_postgres_that_goes_away_loses_no_close_and_leaves_no_hold(postgres_url: str):
    ledger = TestLedger(postgres_url)
    purse = ledger.purse(1_000)

    async def work(proxy: CuttingProxy) -> None:
        journal = GroupCommit(PostgresHome(proxy.url, owner="process-1"), asyncio.get_running_loop())
        hold = ledger.hold(purse)
        assert await journal.reserve(hold) == Granted(Nanos(100))
        proxy.refuse = True
        proxy.cut_commits = 1
        settled: list[tuple[Close, Closed | NotHeld]] = []
        doubtful = journal.reserve(ledger.hold(purse))  # committed, but nobody will ever say so
        journal.close(settle_of(hold, 40), lambda close, outcome: settled.append((close, outcome)))
        with pytest.raises(LedgerUnavailable):
            await doubtful
        assert proxy.cuts == 1
        proxy.refuse = False
        await journal.drain()
        await asyncio.sleep(0)
        assert settled == [(settle_of(hold, 40), Closed(Nanos(40)))]
        assert journal.available
        journal.stop()

    with CuttingProxy(postgres_url) as proxy:
        run(work(proxy))
    assert ledger.balance(purse) == 960
    assert ledger.rows("SELECT * FROM holds") == []
    assert not sums(ledger)
    ledger.close()


def test_a_hold_that_is_committed_long_after_its_link_broke_is_given_back_all_the_same(postgres_url: str):
    ledger = TestLedger(postgres_url)
    purse = ledger.purse(1_000)
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    async def work(proxy: CuttingProxy) -> None:
        journal = GroupCommit(PostgresHome(proxy.url, owner="process-1"), asyncio.get_running_loop())
        await journal.reserve(ledger.hold(purse))  # the link is made
        proxy.delay_commits, proxy.refuse = 1, True
        with pytest.raises(LedgerUnavailable):
            await journal.reserve(ledger.hold(purse))
        proxy.refuse = False
        drained = asyncio.create_task(journal.drain())
        while not drained.done() and ledger.rows(blocked) == [(0,)]:  # noqa: ASYNC110 - PostgreSQL tells nobody
            await asyncio.sleep(0)
        proxy.delivery.set()
        await drained
        journal.stop()

    with CuttingProxy(postgres_url) as proxy:
        run(work(proxy))
    assert ledger.balance(purse) == 900
    assert ledger.rows("SELECT count(*) FROM holds") == [(1,)]
    assert not sums(ledger)
    ledger.close()
