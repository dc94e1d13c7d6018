"""What an operation of the JSON API is given and gives back; and who may ask."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anygate.admin.errors import AdminError, InvalidInput
from anygate.observe.store import LogStore
from anygate.settings.reader import Table
from anygate.storage.crypto import Cipher
from anygate.storage.engine import Database
from anygate.storage.hashes import hash_key
from anygate.storage.users import User, find_by_access_token


class AccessTokenRefused(AdminError):
    """Send the system access token of an administrator as `Authorization: Bearer TOKEN`."""

    status, code = 401, "invalid_access_token"


class AdministratorsOnly(AdminError):
    """This access token belongs to a user who is no administrator."""

    status, code = 403, "permission_denied"


@dataclass(frozen=True, slots=True)
class Administration:
    """What the API works on.

    Attributes:
        database: configuration and ledger.
        cipher: for the keys of channels.
        logs: the request log.
        audit: (full) -> the ledger's report, as `anygate audit --json` prints it.
    """

    database: Database
    cipher: Cipher
    logs: LogStore
    audit: Callable[[bool], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation.

    Attributes:
        path: the names in the path.
        values: the body's JSON object; of a GET the query, all texts.
        idempotency_key: the header of this name, "" without it.
    """

    path: Mapping[str, str]
    values: Mapping[str, object]
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a long list. `before` asks for the next part; None: this is the end."""

    data: Sequence[Any]
    before: str | None


Perform = Callable[[Administration, Call], Any]
"""Answers the `data` of the answer, or a `Page` of it. Blocks, so it is called in a thread. Raises AdminError."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the API. `path` is relative to its root; `status` is that of a good answer."""

    method: str
    path: str
    perform: Perform
    status: int = 200


class Input(Table):
    """A call's values, read as the configuration file's are: both doors refuse the same with the same words."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.values, "", [])

    def missing(self, name: str, remedy: str) -> None:
        """Note that a key is missing, unless it was wrong."""
        if not any(problem.key == name for problem in self.problems):
            self.note(name, "this key is missing", remedy)

    def done(self) -> None:
        """End the reading.

        Raises:
            InvalidInput: names every field that is wrong, missing or unknown.
        """
        self.finish()
        if self.problems:
            raise InvalidInput(self.problems)


def nothing_more(call: Call) -> None:
    """The operation takes no values.

    Raises:
        InvalidInput: the call has some.
    """
    Input(call).done()


def authenticate(administration: Administration, access_token: str) -> User:
    """The administrator whom a system access token belongs to.

    Raises:
        AccessTokenRefused: it belongs to nobody who is switched on.
        AdministratorsOnly: it belongs to a user.
    """
    if not access_token:
        raise AccessTokenRefused(AccessTokenRefused.__doc__)
    with administration.database.reading() as connection:
        user = find_by_access_token(connection, hash_key(access_token))
    if user is None:
        raise AccessTokenRefused(f"The access token is not known. {AccessTokenRefused.__doc__}")
    if user.role != "admin":
        raise AdministratorsOnly(AdministratorsOnly.__doc__)
    return user
