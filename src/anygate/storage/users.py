"""The table `users`. Wallets are the ledger's: `account_id` names one, and only listings read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, insert, select, update

from anygate.canonical.money import AccountId, Nanos
from anygate.storage.engine import Reading
from anygate.storage.revision import Change
from anygate.storage.schema import accounts, users


@dataclass(frozen=True, slots=True)
class User:
    """One row, with what is in the wallet. `source` is "file" or "database"."""

    id: int
    name: str
    role: str
    group: str
    account_id: AccountId
    balance: Nanos
    spent: Nanos
    disabled: bool
    removed: bool
    source: str
    granted_by_file: Nanos | None
    created_ms: int
    has_access_token: bool


def _users() -> Select[Any]:
    return (
        select(users, accounts.c.balance, accounts.c.spent)
        .join(accounts, accounts.c.id == users.c.account_id)
        .order_by(users.c.id)
    )


def _user(row: Row[Any]) -> User:
    return User(
        id=row.id,
        name=row.name,
        role=row.role,
        group=row.group,
        account_id=AccountId(row.account_id),
        balance=Nanos(row.balance),
        spent=Nanos(row.spent),
        disabled=row.disabled,
        removed=row.removed,
        source=row.source,
        granted_by_file=None if row.granted_by_file is None else Nanos(row.granted_by_file),
        created_ms=row.created_ms,
        has_access_token=row.access_token_hash is not None,
    )


def list_users(connection: Reading, *, removed: bool = False) -> list[User]:
    """All users in the order they were made; with those gone from the file where `removed`."""
    query = _users() if removed else _users().where(~users.c.removed)
    return [_user(row) for row in connection.execute(query)]


def find_user(connection: Reading, name: str) -> User | None:
    """The user of a name, removed or not."""
    row = connection.execute(_users().where(users.c.name == name)).first()
    return None if row is None else _user(row)


def find_by_access_token(connection: Reading, token_hash: bytes) -> User | None:
    """The user whose system access token has this hash, unless switched off or removed."""
    usable = (users.c.access_token_hash == token_hash) & ~users.c.disabled & ~users.c.removed
    row = connection.execute(_users().where(usable)).first()
    return None if row is None else _user(row)


def insert_user(change: Change, *, name: str, role: str, group: str, account_id: AccountId, source: str) -> int:
    """Add a user whose wallet is open, and return the id.

    Raises:
        sqlalchemy.exc.IntegrityError: the name is taken.
    """
    values: dict[str, Any] = {
        "name": name,
        "role": role,
        "group": group,
        "account_id": account_id,
        "source": source,
        "disabled": False,
        "removed": False,
        "created_ms": change.now_ms,
        "revision": change.revision,
    }
    return int(change.connection.execute(insert(users).values(values).returning(users.c.id)).scalar_one())


def update_user(change: Change, user_id: int, **values: Any) -> None:
    """Set columns of a user; tokens of the user are reread everywhere."""
    stamped = {**values, "revision": change.revision}
    change.connection.execute(update(users).where(users.c.id == user_id).values(stamped))


def set_access_token(change: Change, user_id: int, token_hash: bytes | None) -> None:
    """Store a new system access token; the old one opens nothing from now on. None: no token."""
    update_user(change, user_id, access_token_hash=token_hash)


def names_in_use(connection: Reading) -> Sequence[str]:
    """Names of the users that are not removed, for suggestions."""
    return connection.execute(select(users.c.name).where(~users.c.removed)).scalars().all()
