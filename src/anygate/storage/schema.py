"""The tables, on SQLite and PostgreSQL alike. Amounts in nanos, times in milliseconds since the epoch, UTC.

The journal (ledger/) writes `accounts`, `entries`, `holds`, `price_snapshots`, `windows`, `processes` and `checkpoints` in raw SQL;
nobody else writes them, except that `ledger.accounts` opens an account and books grants.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

_Id = BigInteger().with_variant(Integer, "sqlite")
_Subject = Text().with_variant(Text(collation="C"), "postgresql")  # ordered by bytes, as on SQLite

meta = Table(  # canary of the encryption key, and other single facts of the installation
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

config_revision = Table(  # one row; each change of configuration bumps it in the change's transaction
    "config_revision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),  # "user" | "admin"
    Column("group", Text, nullable=False),
    Column("password_hash", Text),
    Column("access_token_hash", LargeBinary, unique=True),
    Column("disabled", Boolean, nullable=False),  # by hand
    Column("removed", Boolean, nullable=False),  # gone from the file; kept for its money and logs
    Column("source", Text, nullable=False),  # "file" | "database"
    Column("granted_by_file", BigInteger),  # nanos that the file granted, once
    Column("account_id", _Id, nullable=False),  # the wallet
    Column("created_ms", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("user_id", _Id, ForeignKey("users.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True),  # SHA-256
    Column("key_hint", Text, nullable=False),  # "sk-abcd...wxyz"
    Column("group", Text, nullable=False),  # "": the user's
    Column("models", JSON, nullable=False),
    Column("quota_account_id", _Id),  # null: the wallet is the only limit
    Column("quota", BigInteger),  # nanos that the quota was set to; what is left is the account's balance
    Column("expires_ms", BigInteger),
    Column("allow_ips", JSON, nullable=False),
    Column("limits", JSON, nullable=False),  # rpm, tpm, concurrency, nanos_per_day
    Column("disabled", Boolean, nullable=False),  # by hand
    Column("removed", Boolean, nullable=False),  # gone from the file or deleted; its key opens nothing any more
    Column("source", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
    UniqueConstraint("user_id", "name"),
)

channels = Table(
    "channels",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("provider", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("document", JSON, nullable=False),  # every other setting of [[channels]], no secret
    Column("disabled", Boolean, nullable=False),  # switched off by hand: stays off
    Column("removed", Boolean, nullable=False),  # gone from the file or deleted; kept for logs and tasks
    Column("source", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

credentials = Table(  # immutable rows; a new key is a new row, the old one is retired
    "credentials",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("channel_id", _Id, ForeignKey("channels.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),  # keyed hash, to see an unchanged secret without decrypting
    Column("created_ms", BigInteger, nullable=False),
    Column("retired_ms", BigInteger),
)

prices = Table(
    "prices",
    metadata,
    Column("model", Text, nullable=False),  # a name or a wildcard
    Column("source", Text, nullable=False),  # the file's row hides the database's
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("model", "source"),
)

groups = Table(
    "groups",
    metadata,
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("multiplier", Text, nullable=False),  # exact decimal
    Column("disabled", Boolean, nullable=False),  # by hand: tokens of the group are refused
    PrimaryKeyConstraint("name", "source"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),  # "wallet" | "quota" | "budget" | "overrun"
    Column("label", Text, nullable=False, unique=True),  # "user:alice", "token:7", "budget:7:2026-11-22", "overrun"
    Column("user_id", _Id, index=True),
    Column("balance", BigInteger, nullable=False),  # the running sum of entries; changed nowhere else
    Column("spent", BigInteger, nullable=False),  # what closes have charged
    Column("created_ms", BigInteger, nullable=False),
)

entries = Table(  # append-only; the key begins with the subject, so new rows of all accounts lie together at the end
    "entries",
    metadata,
    Column("subject", _Subject, nullable=False),  # UUIDv7; of grants also a name that begins with a letter
    Column("account_id", _Id, nullable=False),
    Column("step", Text, nullable=False),  # "hold", "hold-2", ..., "close"; "grant", "topup", "adjust"
    Column("kind", Text, nullable=False),  # "hold" | "settle" | "refund" | "grant" | "topup" | "adjust" | "overrun"
    Column("token_id", _Id),
    Column("amount", BigInteger, nullable=False),
    Column("price_id", _Id),  # price_snapshots.id: what the amount of a close follows from
    Column("detail", Text),
    Column("created_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("subject", "account_id", "step"),
    sqlite_with_rowid=False,
)

holds = Table(  # one row per open subject
    "holds",
    metadata,
    Column("subject", _Subject, primary_key=True),
    Column("accounts", Text, nullable=False),  # ids, the wallet first: "12" or "12,45,77"
    Column("amount", BigInteger, nullable=False),  # the sum of all steps, the same on every account
    Column("token_id", _Id, nullable=False),
    Column("user_id", _Id, nullable=False),
    Column("model", Text, nullable=False),
    Column("price_id", _Id),  # price_snapshots.id
    Column("owner", Text),  # processes.id; null: a task owns it
    Column("task_id", Text),
    Column("window_minute", BigInteger),  # the minute whose tpm window was charged
    Column("window_tokens", BigInteger, nullable=False),
    Column("counted_token", _Id),  # the token, if it had a concurrency limit; null keeps the row out of the index
    Column("deadline_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("dispatched_ms", BigInteger),
    sqlite_with_rowid=False,
)
_counted = holds.c.counted_token.is_not(None)
_holds_counted = Index("holds_counted", holds.c.counted_token, sqlite_where=_counted)

price_snapshots = Table(  # each price that was ever held or paid, once; never changed, never deleted
    "price_snapshots",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("digest", Text, nullable=False, unique=True),  # SHA-256 of the document, hexadecimal
    Column("document", Text, nullable=False),  # JSON: rates and multiplier (`PricedModel.snapshot`)
)

windows = Table(  # rate counters
    "windows",
    metadata,
    Column("key", Text, primary_key=True),  # "rpm:7:29384756", "tpm:7:29384756"
    Column("used", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

processes = Table(
    "processes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("heartbeat_ms", BigInteger, nullable=False),
)

checkpoints = Table(  # whole days closed: the sums of all entries whose subject is a UUIDv7 of before `until_ms`
    "checkpoints",
    metadata,
    Column("account_id", _Id, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),  # the part of it that holds and closes moved
    PrimaryKeyConstraint("account_id", "until_ms"),
)

lost = Table(  # holds that a dead process left after it had called the upstream
    "lost",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("user_id", _Id, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

late = Table(  # settles that came after the sweep: nothing moved
    "late",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("cost", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

kept = Table(  # what a user's later requests may refer to: signatures, stored answers, and whose channel made an id
    "kept",
    metadata,
    Column("user_id", _Id, nullable=False),
    Column("kind", Text, nullable=False),  # "signature" | "pin" | "answer"
    Column("key", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
    PrimaryKeyConstraint("user_id", "kind", "key"),
)


def create_tables(connection: Connection) -> None:
    """Make all tables in an empty database."""
    if connection.dialect.name == "postgresql":
        # Said here, not above: PostgreSQL's dialect brings every driver's, 3 MB that a process on SQLite has no use for.
        _holds_counted.dialect_options["postgresql"]["where"] = _counted
    metadata.create_all(connection)
