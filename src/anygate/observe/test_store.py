import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.records import NOON_MS, finished

from anygate.observe.rows import HOUR_MS, row_of
from anygate.observe.store import DAY_MS, LogStore, LogStoreUnavailable, open_store, read_logs
from anygate.settings.values import Settings, Storage

Opens = Callable[..., LogStore]


@pytest.fixture
def opens(database_url: str, tmp_path: Path) -> Iterator[Opens]:
    """Opens stores of one log, as several processes do, and closes them."""
    opened: list[LogStore] = []

    def open_one(now_ms: Callable[[], int] = lambda: NOON_MS, retention_days: int = 90) -> LogStore:
        opened.append(open_store(database_url, tmp_path, retention_days, now_ms=now_ms))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def ids(store: LogStore) -> list[str]:
    return [document["request_id"] for document in store.read()]


def test_an_empty_log_reads_as_nothing(opens: Opens):
    store = opens()
    assert store.read() == []
    assert store.read("01a04b1c-0000-7000-8000-000000000000") == []
    assert store.read_hours(0, NOON_MS) == []


def test_requests_come_back_newest_first(opens: Opens):
    store = opens()
    store.write([row_of(finished(number)) for number in (2, 1, 3)])
    assert ids(store) == [finished(number).request_id for number in (3, 2, 1)]


def test_one_request_is_found_by_its_id(opens: Opens):
    store = opens()
    store.write([row_of(finished(number)) for number in range(5)])
    (document,) = store.read(finished(3).request_id)
    assert document["started_ms"] == NOON_MS + 3
    assert document["attempts"] == [
        {"channel": "openai-main", "status": 200, "reason": "first", "key_id": 1, "milliseconds": 300}
    ]


@pytest.mark.parametrize("apart_ms", [0, 59_000, 40 * DAY_MS])
def test_one_request_is_found_however_far_its_beginning_is_from_the_time_in_its_id(opens: Opens, apart_ms: int):
    store = opens()
    request_id = f"{NOON_MS:012x}"[:8] + "-" + f"{NOON_MS:012x}"[8:] + "-7000-8000-000000000001"
    store.write([row_of(finished(1)), row_of(finished(2, request_id=request_id, started_ms=NOON_MS + apart_ms))])
    assert [document["started_ms"] for document in store.read(request_id)] == [NOON_MS + apart_ms]
    assert store.read("no id at all") == []


def test_a_request_that_is_written_twice_is_one_row_and_counts_once(opens: Opens):
    store = opens()
    store.write([row_of(finished(1)), row_of(finished(2)), row_of(finished(1))])
    store.write([row_of(finished(2)), row_of(finished(3))])
    store.write([row_of(finished(3))])
    assert ids(store) == [finished(number).request_id for number in (3, 2, 1)]
    ((key, hour),) = store.read_hours(0, NOON_MS)
    assert key.hour_ms == NOON_MS - NOON_MS % HOUR_MS
    assert (hour.requests, hour.cost_nanos, hour.input_tokens) == (3, 3 * 12_345, 3 * 120)


def test_pages_follow_each_other_without_gap_or_overlap_even_within_a_millisecond(opens: Opens):
    store = opens()
    rows = [row_of(finished(number, started_ms=NOON_MS - (number // 4) * 40 * DAY_MS)) for number in range(10)]
    store.write(rows)
    seen: list[str] = []
    before: tuple[int, str] | None = None
    while page := store.read(limit=3, before=before):
        assert len(page) <= 3
        seen += (document["request_id"] for document in page)
        before = (page[-1]["started_ms"], page[-1]["request_id"])
    expected = sorted(((row.record.started_ms, row.record.request_id) for row in rows), reverse=True)
    assert seen == [request_id for _, request_id in expected]


def test_more_rows_than_one_statement_holds_are_one_batch(opens: Opens):
    store = opens()
    store.write([row_of(finished(number)) for number in range(507)])
    assert len(store.read(limit=1000)) == 507


def test_any_text_comes_back_as_it_was(opens: Opens):
    store = opens()
    text = 'quote " back \\ {brace} 中文 🎵 \x01 \x7f ‮ ' + "'; DROP TABLE requests --"
    store.write([row_of(finished(1, model=text, channel=text, user=text))])
    (document,) = store.read()
    assert (document["model"], document["channel"], document["user"]) == (text, text, text)


def test_nul_and_half_a_surrogate_do_not_hold_up_the_log(opens: Opens):
    store = opens()
    store.write([row_of(finished(1, model="a\0b")), row_of(finished(2, model="\ud83d"))])
    assert [document["model"] for document in store.read()] == ["?", "a\ufffdb"]


def test_what_is_older_than_the_retention_is_dropped_whole_and_the_rest_stays(opens: Opens):
    now = [NOON_MS]
    store = opens(lambda: now[0], retention_days=90)
    store.write([row_of(finished(1, started_ms=NOON_MS - 200 * DAY_MS)), row_of(finished(2))])
    store.maintain()
    assert ids(store) == [finished(2).request_id]
    assert [hour.requests for _, hour in store.read_hours(0, NOON_MS)] == [1]
    now[0] += 200 * DAY_MS
    store.maintain()
    assert ids(store) == []
    store.write([row_of(finished(3, started_ms=now[0]))])
    assert ids(store) == [finished(3).request_id]


def test_a_retention_of_nought_keeps_everything(opens: Opens):
    store = opens(retention_days=0)
    store.write([row_of(finished(1, started_ms=NOON_MS - 4000 * DAY_MS))])
    store.maintain()
    assert len(store.read()) == 1


def test_another_process_may_drop_what_this_one_believes_in(opens: Opens):
    here, there = opens(), opens(lambda: NOON_MS + 200 * DAY_MS)
    here.write([row_of(finished(1))])
    there.write([row_of(finished(9, started_ms=NOON_MS + 200 * DAY_MS))])
    there.maintain()
    assert ids(here) == [finished(9).request_id]
    here.write([row_of(finished(2))])  # late, but not lost
    assert ids(there) == [finished(9).request_id, finished(2).request_id]


def test_several_processes_write_one_log_at_once_from_its_first_moment_on(opens: Opens):
    start = threading.Barrier(4)
    errors: list[BaseException] = []

    def work(process: int) -> None:
        store = opens()
        start.wait()
        try:
            store.maintain()
            for batch in range(5):
                store.write([row_of(finished(process * 1000 + batch * 20 + number)) for number in range(20)])
        except LogStoreUnavailable as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(process,)) for process in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(opens().read(limit=1000)) == 400
    assert sum(hour.requests for _, hour in opens().read_hours(0, NOON_MS)) == 400


def test_read_logs_gives_what_the_command_prints(opens: Opens, database_url: str, tmp_path: Path):
    settings = Settings(config_file=None, data_dir=tmp_path, storage=Storage(database=database_url))
    assert read_logs(settings) == []
    opens().write([row_of(finished(number)) for number in range(3)])
    assert [entry["time"] for entry in read_logs(settings, limit=2)] == [
        "2026-11-22T12:00:00.125Z",
        "2026-11-22T12:00:00.124Z",
    ]
    assert [entry["user"] for entry in read_logs(settings, finished(0).request_id)] == ["alice"]


def test_sqlite_keeps_a_file_a_month_beside_the_database(tmp_path: Path):
    store = open_store("sqlite:///anygate.db", tmp_path, 90, now_ms=lambda: NOON_MS)
    store.write([row_of(finished(1)), row_of(finished(2, started_ms=NOON_MS + 10 * DAY_MS))])
    store.close()
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["logs-2026-11.db", "logs-2026-12.db"]


def test_a_file_that_vanished_is_made_again_instead_of_swallowing_rows(tmp_path: Path):
    store = open_store("sqlite:///anygate.db", tmp_path, 90, now_ms=lambda: NOON_MS)
    store.write([row_of(finished(1))])
    for path in (tmp_path / "logs").iterdir():
        path.unlink()
    store.write([row_of(finished(2))])
    assert ids(store) == [finished(2).request_id]
    store.close()


def test_a_broken_log_file_is_unavailable_not_a_crash(tmp_path: Path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "logs-2026-11.db").write_bytes(b"this is no database, however long it may be" * 100)
    store = open_store("sqlite:///anygate.db", tmp_path, 90, now_ms=lambda: NOON_MS)
    with pytest.raises(LogStoreUnavailable, match=r"logs-2026-11\.db"):
        store.write([row_of(finished(1))])
    with pytest.raises(LogStoreUnavailable):
        store.read()
    store.close()


def test_a_batch_that_failed_half_way_leaves_nothing(tmp_path: Path):
    store = open_store("sqlite:///anygate.db", tmp_path, 90, now_ms=lambda: NOON_MS)
    store.write([row_of(finished(1))])
    with closing(sqlite3.connect(tmp_path / "logs" / "logs-2026-11.db")) as other:
        other.execute("DROP TABLE request_hours")
    with pytest.raises(LogStoreUnavailable):
        store.write([row_of(finished(2))])
    assert ids(store) == [finished(1).request_id]
    store.close()


def test_postgres_comes_back_after_its_connections_were_cut(postgres_url: str, tmp_path: Path):
    store = open_store(postgres_url, tmp_path, 90, now_ms=lambda: NOON_MS)
    store.write([row_of(finished(1))])
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'anygate log' AND datname = current_database()"
        )
    with pytest.raises(LogStoreUnavailable):
        store.write([row_of(finished(2))])
    store.write([row_of(finished(2))])
    assert len(store.read()) == 2
    store.close()


def test_postgres_makes_partitions_ahead(postgres_url: str, tmp_path: Path):
    store = open_store(postgres_url.replace("postgresql:", "postgresql+psycopg:"), tmp_path, 90, now_ms=lambda: NOON_MS)
    store.maintain()
    store.close()
    with psycopg.connect(postgres_url) as other:
        made = other.execute("SELECT relname FROM pg_class WHERE relname LIKE 'request_log_2%' AND relkind = 'r'")
        assert sorted(name for (name,) in made.fetchall()) == [f"request_log_202611{day}" for day in (22, 23, 24, 25)]
