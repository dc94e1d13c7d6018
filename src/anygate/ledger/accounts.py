"""Purses from outside the journal: opening them, and grants, top-ups and adjustments as entries.

Each function takes the caller's transaction; the caller commits.
"""

import re
from typing import Literal

from sqlalchemy import func, select

from anygate.canonical.money import LARGEST_NANOS, AccountId, Nanos
from anygate.ledger.home import epoch_ms
from anygate.storage.engine import Reading, Writing
from anygate.storage.schema import accounts, entries
from anygate.storage.upsert import insert_or

AccountKind = Literal["wallet", "quota", "budget", "overrun"]

_SUBJECT = re.compile(r"[a-z]|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\Z")


class BelowZero(Exception):
    """The adjustment takes more than the purse has; nothing moved.

    Attributes:
        balance: nanos the purse has.
    """

    def __init__(self, balance: Nanos) -> None:
        super().__init__(f"the balance is {balance} nanos; no purse goes below zero")
        self.balance = balance


class TooMuch(Exception):
    """With this money the purse would hold more than can be counted; nothing moved."""


def open_account(
    connection: Writing, kind: AccountKind, label: str, user_id: int | None = None, *, now_ms: int | None = None
) -> AccountId:
    """The account of this label, made with a balance of 0 if there is none.

    Args:
        connection: the caller's transaction.
        kind: what sort of purse.
        label: unique: "user:alice", "token:7".
        user_id: whose it is, if anybody's.
        now_ms: milliseconds since the epoch; None: the clock.
    """
    row = {
        "kind": kind,
        "label": label,
        "user_id": user_id,
        "balance": 0,
        "spent": 0,
        "created_ms": epoch_ms() if now_ms is None else now_ms,
    }
    connection.execute(insert_or(connection, accounts).values(row).on_conflict_do_nothing(index_elements=["label"]))
    return AccountId(connection.execute(select(accounts.c.id).where(accounts.c.label == label)).scalar_one())


def balance_of(connection: Reading, account_id: AccountId) -> Nanos:
    """What the purse has beside its open holds."""
    return Nanos(connection.execute(select(accounts.c.balance).where(accounts.c.id == account_id)).scalar_one())


def grant(
    connection: Writing,
    account_id: AccountId,
    subject: str,
    amount: Nanos,
    *,
    kind: Literal["grant", "topup", "adjust"] = "grant",
    detail: str | None = None,
    now_ms: int | None = None,
) -> bool:
    """Book money on a purse, once per (account, subject, kind): whoever repeats it moves nothing.

    Args:
        connection: the caller's transaction.
        account_id: the purse.
        subject: what it is for: a UUIDv7, or a name that begins with a small letter ("file:alice").
        amount: nanos; an adjustment may be negative.
        kind: also the entry's step.
        detail: JSON or text that explains it, stored in the entry.
        now_ms: milliseconds since the epoch; None: the clock.

    Returns:
        Whether this call moved the money.

    Raises:
        BelowZero: the purse has less than a negative amount takes.
        TooMuch: it would have more than an integer of the database holds.
        ValueError: no such account, or a subject that would fall before the ledger's checkpoints.
    """
    if not _SUBJECT.match(subject):
        raise ValueError(f"{subject!r} is neither a UUIDv7 nor a name that begins with a small letter")
    locked = select(accounts.c.balance).where(accounts.c.id == account_id).with_for_update()
    balance = connection.execute(locked).scalar_one_or_none()
    if balance is None:
        raise ValueError(f"there is no account {account_id}")
    done = select(func.count()).where(
        entries.c.subject == subject, entries.c.account_id == account_id, entries.c.step == kind
    )
    if connection.execute(done).scalar_one():
        return False
    if balance + amount < 0:
        raise BelowZero(Nanos(balance))
    if balance + amount > LARGEST_NANOS:
        raise TooMuch(f"no purse holds more than {LARGEST_NANOS} nanos")
    connection.execute(
        entries.insert().values(
            subject=subject,
            account_id=account_id,
            step=kind,
            kind=kind,
            amount=amount,
            detail=detail,
            created_ms=epoch_ms() if now_ms is None else now_ms,
        )
    )
    moved = accounts.update().where(accounts.c.id == account_id).values(balance=accounts.c.balance + amount)
    connection.execute(moved)
    return True


def topup(
    connection: Writing,
    account_id: AccountId,
    subject: str,
    amount: Nanos,
    *,
    detail: str | None = None,
    now_ms: int | None = None,
) -> bool:
    """Book a payment, once per (account, subject); see `grant`."""
    return grant(connection, account_id, subject, amount, kind="topup", detail=detail, now_ms=now_ms)


def adjust(
    connection: Writing,
    account_id: AccountId,
    subject: str,
    amount: Nanos,
    *,
    detail: str | None = None,
    now_ms: int | None = None,
) -> bool:
    """Correct a balance, once per (account, subject), by an amount of either sign; see `grant`."""
    return grant(connection, account_id, subject, amount, kind="adjust", detail=detail, now_ms=now_ms)
