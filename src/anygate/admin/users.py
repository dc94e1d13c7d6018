"""What operators do with users."""

from typing import Any
from uuid import uuid4

from anygate.admin.errors import DeclaredInFile, InvalidInput, NameTaken, UnknownName, check_name
from anygate.canonical.channel import Secret
from anygate.canonical.money import Nanos
from anygate.ledger.accounts import TooMuch, grant
from anygate.storage import users as table
from anygate.storage.engine import Database, Reading
from anygate.storage.hashes import hash_key, new_access_token
from anygate.storage.quota import add_user
from anygate.storage.revision import changing
from anygate.storage.users import User

ROLES = ("user", "admin")


def user_row(user: User) -> dict[str, Any]:
    """The user as listings in JSON show it (design section 1)."""
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role,
        "group": user.group,
        "balance_nanos": int(user.balance),
        "spent_nanos": int(user.spent),
    }


def list_users(database: Database) -> list[User]:
    """All users but those gone from the file, in the order they were made."""
    with database.reading() as connection:
        return table.list_users(connection)


def get_user(connection: Reading, name: str, *, removed: bool = False) -> User:
    """The user of a name.

    Raises:
        UnknownName: there is none.
    """
    user = table.find_user(connection, name)
    if user is None or (user.removed and not removed):
        raise UnknownName("user", name, table.names_in_use(connection))
    return user


def create_user(
    database: Database, name: str, *, role: str = "user", group: str = "default", balance: Nanos | None = None
) -> User:
    """A new user, with money where `balance` says so.

    Raises:
        InvalidInput: no name, role or amount.
        NameTaken: there is one.
    """
    check_name("name", name)
    check_name("group", group)
    if role not in ROLES:
        raise InvalidInput.of("role", f'"{role}" is no role', "Use user or admin.")
    with changing(database) as change:
        found = table.find_user(change.connection, name)
        if found is not None:
            gone = f"The file declared it once: `anygate user enable {name}` brings it back." if found.removed else ""
            raise NameTaken("user", name, gone)
        add_user(change, name=name, role=role, group=group, source="database")
        user = get_user(change.connection, name)
        if balance is not None and balance != 0:
            _check_amount(balance)
            grant(change.connection, user.account_id, "start", balance)
        return get_user(change.connection, name)


def grant_user(database: Database, name: str, amount: Nanos, *, subject: str | None = None) -> User:
    """Add money to a user's wallet.

    Args:
        database: where.
        name: the user, declared in the file or not.
        amount: above zero.
        subject: what it is for; the same subject grants once. Default: a new one.

    Raises:
        UnknownName: there is no such user.
        InvalidInput: not above zero, or more than a balance can be.
    """
    _check_amount(amount)
    with database.writing() as connection:
        user = get_user(connection, name)
        named = subject or f"grant:{uuid4()}"
        try:
            grant(connection, user.account_id, named, amount)
        except TooMuch:
            raise InvalidInput.of("usd", "the balance would be too large", "Grant less.") from None
        return get_user(connection, name)


def _check_amount(amount: Nanos) -> None:
    if amount <= 0:
        raise InvalidInput.of("usd", "an amount above zero is wanted", 'Write USD such as "10.00".')


def switch_user(database: Database, name: str, *, disabled: bool) -> User:
    """Switch a user off or on by hand. On brings back one that the file no longer declares.

    Raises:
        UnknownName: there is no such user.
    """
    with changing(database) as change:
        user = get_user(change.connection, name, removed=not disabled)
        if user.removed:
            table.update_user(change, user.id, disabled=False, removed=False, source="database")
        elif user.disabled != disabled:
            table.update_user(change, user.id, disabled=disabled)
        return get_user(change.connection, name)


def change_user(database: Database, name: str, *, role: str | None = None, group: str | None = None) -> User:
    """Give a user another role or group.

    Raises:
        UnknownName: there is no such user.
        DeclaredInFile: the file says what it is.
        InvalidInput: no such role, or no name for a group.
    """
    if role is not None and role not in ROLES:
        raise InvalidInput.of("role", f'"{role}" is no role', "Use user or admin.")
    if group is not None:
        check_name("group", group)
    with changing(database) as change:
        user = get_user(change.connection, name)
        if user.source == "file":
            raise DeclaredInFile("user", name)
        wanted = (role or user.role, group or user.group)
        if wanted != (user.role, user.group):
            table.update_user(change, user.id, role=wanted[0], group=wanted[1])
        return get_user(change.connection, name)


def renew_access_token(database: Database, name: str) -> Secret:
    """A new system access token, shown this once; the old one opens nothing any more.

    Raises:
        UnknownName: there is no such user.
    """
    token = new_access_token()
    with changing(database) as change:
        table.set_access_token(change, get_user(change.connection, name).id, hash_key(token))
    return token
