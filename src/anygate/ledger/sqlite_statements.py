"""The journal's statements on SQLite: few texts, so that each is prepared once.

Rows go in many to a statement: a step of a statement gives the interpreter away and takes it back, which costs as much
as the row. Nothing but numbers and texts is bound, because `sqlite3` looks for an adapter for everything else, None too.
"""

# ruff: noqa: S608 - put together from constants

from functools import lru_cache

from anygate.ledger.batch import CLOSING_COLUMNS

LARGEST_STATEMENT = 32
"""Rows that one statement inserts; larger batches take several."""

LARGEST_DELETE = 64
"""Rows that one statement deletes."""

AMONG = "IN (SELECT value FROM json_each(?))"
CLOSING = f"SELECT {CLOSING_COLUMNS} FROM holds WHERE subject {AMONG}"
DELETE_HOLD = "DELETE FROM holds WHERE subject = ?"
BALANCE_ONE = "SELECT id, balance FROM accounts WHERE id = ?"
BALANCE_MANY = f"SELECT id, balance FROM accounts WHERE id {AMONG}"
GROW_HOLD = "UPDATE holds SET amount = amount + ?, owner = ? WHERE subject = ?"
MOVE = "UPDATE accounts SET balance = balance + ?, spent = spent + ? WHERE id = ?"
WINDOWS = f"SELECT key, used FROM windows WHERE key {AMONG}"
COUNT_WINDOW = (
    "INSERT INTO windows (key, used, expires_ms) VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET used = used + excluded.used"
)
COUNTED = f"SELECT counted_token, count(*) FROM holds WHERE counted_token {AMONG} GROUP BY counted_token"
OPEN = f"SELECT subject, accounts FROM holds WHERE subject {AMONG}"
STEPS = f"SELECT subject, step, -amount FROM entries WHERE kind = 'hold' AND subject {AMONG}"
PAST = f"SELECT subject, account_id, step, kind, amount, detail FROM entries WHERE subject {AMONG}"
LOST = "INSERT OR IGNORE INTO lost (subject, user_id, amount, created_ms) VALUES (?, ?, ?, ?)"
LATE = "INSERT OR IGNORE INTO late (subject, cost, detail, created_ms) VALUES (?, ?, ?, ?)"
BOOK = "INSERT INTO entries (subject, account_id, step, kind, amount, created_ms) VALUES (?, ?, ?, ?, ?, ?)"
ENTER_PRICE = "INSERT OR IGNORE INTO price_snapshots (digest, document) VALUES (?, ?)"
PRICE = "SELECT id FROM price_snapshots WHERE digest = ?"

_HOLD_COLUMNS = "created_ms, owner, subject, accounts, amount, token_id, user_id, model, price_id, deadline_ms"


_ENTRY_COLUMNS = "created_ms, subject, account_id, step, kind, token_id, amount"


@lru_cache(LARGEST_STATEMENT)
def insert_held(count: int) -> str:
    """Values: the time, then 4 of each row (`HeldRow`). What is the same in each row is no value: it costs a third."""
    rows = ", ".join(["(?1, ?, ?, 'hold', 'hold', ?, ?)"] * count)
    return f"INSERT INTO entries ({_ENTRY_COLUMNS}) VALUES {rows}"


@lru_cache(LARGEST_STATEMENT)
def insert_settled(count: int) -> str:
    """Values: the time, then 6 of each row (`SettledRow`)."""
    rows = ", ".join(["(?1, ?, ?, 'close', 'settle', ?, ?, ?, ?)"] * count)
    return f"INSERT INTO entries ({_ENTRY_COLUMNS}, price_id, detail) VALUES {rows}"


@lru_cache(LARGEST_STATEMENT)
def insert_entries(count: int) -> str:
    """Values: the time, then 8 of each row (`EntryRow`)."""
    rows = ", ".join(["(?1, ?, ?, ?, ?, ?, ?, nullif(?, 0), nullif(?, ''))"] * count)
    return f"INSERT INTO entries ({_ENTRY_COLUMNS}, price_id, detail) VALUES {rows}"


@lru_cache(LARGEST_STATEMENT)
def insert_holds(count: int) -> str:
    """Values: time, owner, then 8 of each row (`HoldRow`)."""
    rows = ", ".join(["(?1, ?2, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?, 0, ?1)"] * count)
    return f"INSERT INTO holds ({_HOLD_COLUMNS}, window_tokens, dispatched_ms) VALUES {rows}"


@lru_cache(LARGEST_STATEMENT)
def insert_counted(count: int) -> str:
    """Values: time, owner, then 12 of each row (`CountedRow`)."""
    row = "(?1, ?2, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?, nullif(?, -1), ?, nullif(?, -1), nullif(?, -1))"
    columns = f"{_HOLD_COLUMNS}, window_minute, window_tokens, counted_token, dispatched_ms"
    return f"INSERT INTO holds ({columns}) VALUES {', '.join([row] * count)}"


@lru_cache(LARGEST_DELETE)
def delete_holds(count: int) -> str:
    """Values: the owner, then so many subjects. To take them out of a JSON list costs a small batch twice as much."""
    return f"DELETE FROM holds WHERE owner = ?1 AND subject IN ({', '.join(['?'] * count)})"
