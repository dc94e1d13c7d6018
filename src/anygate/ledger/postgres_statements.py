"""The journal's statements on PostgreSQL. Each is prepared once for a connection.

Lists and rows travel as one JSON text: building arrays in Python costs more than parsing JSON in the server.
"""

# ruff: noqa: S608 - put together from constants

_SETTINGS = (
    # a process that is stopped in mid-batch must not keep its purses locked
    "SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '5s'; SET statement_timeout = '10s';"
    " SET client_encoding = 'UTF8'"
)


def settings(durability: str) -> tuple[str, ...]:
    """What a new session is told: with durability "process" a commit does not wait for the server's disk.

    Source: https://www.postgresql.org/docs/18/wal-async-commit.html (2026-11-22).
    """
    return (_SETTINGS,) if durability == "power" else (_SETTINGS, "SET synchronous_commit = off")


BEGIN, COMMIT, ROLLBACK = b"BEGIN", b"COMMIT", b"ROLLBACK"

_SUBJECTS = "ANY (ARRAY(SELECT jsonb_array_elements_text({}::jsonb)))"
_AMONG = _SUBJECTS.format("$1")

LOCK = f"""
SELECT id, balance FROM accounts WHERE id = ANY (ARRAY(
    SELECT jsonb_array_elements_text($1::jsonb)::bigint
    UNION SELECT unnest(string_to_array(accounts, ',')::bigint[]) FROM holds WHERE subject = {_SUBJECTS.format("$2")}
)) ORDER BY id FOR NO KEY UPDATE
"""
TAKE_OUT = f"""
DELETE FROM holds WHERE subject = {_AMONG}
RETURNING subject, accounts, amount, token_id, user_id, window_minute, window_tokens
"""
WINDOWS = f"SELECT key, used FROM windows WHERE key = {_AMONG}"
COUNTED = """
SELECT counted_token, count(*) FROM holds
WHERE counted_token = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) GROUP BY counted_token
"""
OPEN = f"SELECT subject, accounts FROM holds WHERE subject = {_AMONG}"
STEPS = f"SELECT subject, step, -amount FROM entries WHERE kind = 'hold' AND subject = {_AMONG}"
PAST = f"SELECT subject, account_id, step, kind, amount, detail FROM entries WHERE subject = {_AMONG}"
WRITE = """
WITH entry AS (
    INSERT INTO entries (subject, account_id, step, kind, token_id, amount, price_id, detail, created_ms)
    SELECT r->>0, (r->>1)::bigint, r->>2, r->>3, (r->>4)::bigint, (r->>5)::bigint, nullif((r->>6)::bigint, 0),
        nullif(r->>7, ''), $1::bigint
    FROM jsonb_array_elements($3::jsonb) r
    UNION ALL
    SELECT r->>0, (r->>1)::bigint, 'hold', 'hold', (r->>2)::bigint, (r->>3)::bigint, NULL, NULL, $1::bigint
    FROM jsonb_array_elements($6::jsonb) r
    UNION ALL
    SELECT r->>0, (r->>1)::bigint, 'close', 'settle', (r->>2)::bigint, (r->>3)::bigint, (r->>4)::bigint, r->>5,
        $1::bigint
    FROM jsonb_array_elements($7::jsonb) r
), hold AS (
    INSERT INTO holds (subject, accounts, amount, token_id, user_id, model, price_id, deadline_ms,
        window_minute, window_tokens, counted_token, dispatched_ms, created_ms, owner)
    SELECT r->>0, r->>1, (r->>2)::bigint, (r->>3)::bigint, (r->>4)::bigint, r->>5, nullif((r->>6)::bigint, 0),
        (r->>7)::bigint, nullif((r->>8)::bigint, -1), (r->>9)::bigint, nullif((r->>10)::bigint, -1),
        nullif((r->>11)::bigint, -1), $1::bigint, $2::text
    FROM jsonb_array_elements($4::jsonb) r
)
UPDATE accounts SET balance = balance + (r->>0)::bigint, spent = spent + (r->>1)::bigint
FROM jsonb_array_elements($5::jsonb) r WHERE id = (r->>2)::bigint
"""
# Whoever extends a hold takes it over: a process may believe only what it remembers of holds that are still its own.
GROW = """
UPDATE holds SET amount = amount + g.by, owner = $1::text FROM (
    SELECT r->>1 AS grown, sum((r->>0)::bigint) AS by FROM jsonb_array_elements($2::jsonb) r GROUP BY r->>1
) g WHERE subject = g.grown
"""
COUNT = """
INSERT INTO windows (key, used, expires_ms)
SELECT r->>0, (r->>1)::bigint, (r->>2)::bigint FROM jsonb_array_elements($1::jsonb) r
ON CONFLICT (key) DO UPDATE SET used = windows.used + excluded.used
"""
LOST = """
INSERT INTO lost (subject, user_id, amount, created_ms)
SELECT r->>0, (r->>1)::bigint, (r->>2)::bigint, (r->>3)::bigint FROM jsonb_array_elements($1::jsonb) r
ON CONFLICT DO NOTHING
"""
LATE = """
INSERT INTO late (subject, cost, detail, created_ms)
SELECT r->>0, (r->>1)::bigint, r->>2, (r->>3)::bigint FROM jsonb_array_elements($1::jsonb) r
ON CONFLICT DO NOTHING
"""
OPEN_ACCOUNT = """
INSERT INTO accounts (kind, label, balance, spent, created_ms) VALUES ($1, $2, 0, 0, $3) ON CONFLICT DO NOTHING
"""
ACCOUNT = "SELECT id, balance FROM accounts WHERE label = $1 FOR NO KEY UPDATE"
GRANTED = "SELECT coalesce(sum(amount), 0)::bigint, count(*) FROM entries WHERE subject = $1 AND account_id = $2"
BOOK = "INSERT INTO entries (subject, account_id, step, kind, amount, created_ms) VALUES ($1, $2, $3, $4, $5, $6)"
MOVE = "UPDATE accounts SET balance = balance + $1 WHERE id = $2"
ENTER_PRICE = "INSERT INTO price_snapshots (digest, document) VALUES ($1, $2) ON CONFLICT DO NOTHING"
PRICE = "SELECT id FROM price_snapshots WHERE digest = $1"
