import pytest
from tests.ledgers import TestLedger

from anygate.canonical.money import LARGEST_NANOS, AccountId, Nanos
from anygate.ledger.accounts import BelowZero, TooMuch, adjust, balance_of, grant, open_account, topup


def test_an_account_is_opened_once(ledger: TestLedger):
    with ledger.database.writing() as connection:
        first = open_account(connection, "wallet", "user:alice", 1)
        assert open_account(connection, "wallet", "user:alice", 1) == first
        assert balance_of(connection, first) == 0


def test_money_is_granted_once_for_a_subject_and_kind(ledger: TestLedger):
    purse = ledger.purse(0)
    payment = ledger.new_id()
    with ledger.database.writing() as connection:
        assert grant(connection, purse, "file:balance", Nanos(100), detail="{}")
        assert not grant(connection, purse, "file:balance", Nanos(500))
        assert topup(connection, purse, payment, Nanos(50))
        assert adjust(connection, purse, payment, Nanos(-30))
        assert not adjust(connection, purse, payment, Nanos(-30))
    assert ledger.balance(purse) == 120
    assert ledger.rows("SELECT step, kind, amount FROM entries ORDER BY amount") == [
        ("adjust", "adjust", -30),
        ("topup", "topup", 50),
        ("grant", "grant", 100),
    ]


def test_no_adjustment_takes_a_purse_below_zero(ledger: TestLedger):
    purse = ledger.purse(10)
    with ledger.database.writing() as connection:
        with pytest.raises(BelowZero) as refusal:
            adjust(connection, purse, "correction", Nanos(-11))
        assert adjust(connection, purse, "correction", Nanos(-10))
    assert refusal.value.balance == 10
    assert ledger.balance(purse) == 0


@pytest.mark.parametrize("subject", ["", "17", "Order-1", "00000000-0000-4000-8000-000000000000"])
def test_a_subject_that_checkpoints_would_miss_is_refused(subject: str, ledger: TestLedger):
    purse = ledger.purse(0)
    with ledger.database.writing() as connection, pytest.raises(ValueError, match="neither a UUIDv7"):
        grant(connection, purse, subject, Nanos(1))


def test_an_account_that_is_not_there_takes_nothing(ledger: TestLedger):
    with ledger.database.writing() as connection, pytest.raises(ValueError, match="no account"):
        grant(connection, AccountId(99), "start", Nanos(1))


def test_no_purse_holds_more_than_can_be_counted(ledger: TestLedger):
    with ledger.database.writing() as connection:
        purse = open_account(connection, "wallet", "user:rich")
        grant(connection, purse, "first", Nanos(LARGEST_NANOS))
        with pytest.raises(TooMuch):
            grant(connection, purse, "second", Nanos(1))
        assert balance_of(connection, purse) == LARGEST_NANOS
