"""What operators do, as functions."""

from decimal import Decimal
from pathlib import Path

import pytest

from anygate.admin import channels, groups, tokens, users
from anygate.admin.errors import Ambiguous, DeclaredInFile, InvalidInput, NameTaken, UnknownName
from anygate.canonical.channel import Secret
from anygate.canonical.money import LARGEST_NANOS, Nanos
from anygate.providers.registry import all_providers
from anygate.settings.channels import secret_source
from anygate.storage.channels import load_channels
from anygate.storage.crypto import Cipher
from anygate.storage.engine import Database
from anygate.storage.hashes import hash_key
from anygate.storage.migrate import prepare_schema
from anygate.storage.revision import changing, read_revision
from anygate.storage.tokens import find_token, update_token
from anygate.storage.users import find_by_access_token, update_user

ONE = Nanos(1_000_000_000)
CHANNEL = {"name": "main", "provider": "openai", "key": "sk-up", "models": ["gpt-4o"]}


@pytest.fixture
def database(database_url: str):
    database = Database(database_url)
    prepare_schema(database)
    yield database
    database.dispose()


@pytest.fixture
def cipher() -> Cipher:
    return Cipher([Secret("a key that only tests use")])


def revision(database: Database) -> int:
    with database.reading() as connection:
        return read_revision(connection)


def test_a_user_is_made_granted_and_listed(database: Database):
    users.create_user(database, "alice", balance=ONE)
    users.grant_user(database, "alice", ONE, subject="invoice-7")
    users.grant_user(database, "alice", ONE, subject="invoice-7")
    assert [users.user_row(user) for user in users.list_users(database)] == [
        {
            "id": 1,
            "name": "alice",
            "role": "user",
            "group": "default",
            "balance_nanos": 2_000_000_000,
            "spent_nanos": 0,
        }
    ]


def test_a_name_is_taken_once_and_the_nearest_is_named(database: Database):
    users.create_user(database, "alice")
    with pytest.raises(NameTaken):
        users.create_user(database, "alice")
    with pytest.raises(UnknownName, match='Did you mean "alice"'):
        users.grant_user(database, "alise", ONE)
    for wrong in ("", " a", "a/b", "a\nb", "a" * 101):
        with pytest.raises(InvalidInput):
            users.create_user(database, wrong)
    with pytest.raises(InvalidInput):
        users.create_user(database, "bob", role="root")
    with pytest.raises(InvalidInput):
        users.grant_user(database, "alice", Nanos(0))
    users.grant_user(database, "alice", ONE)
    with pytest.raises(InvalidInput, match="too large"):
        users.grant_user(database, "alice", Nanos(LARGEST_NANOS))


def test_a_new_access_token_revokes_the_old(database: Database):
    users.create_user(database, "alice")
    old, new = users.renew_access_token(database, "alice"), users.renew_access_token(database, "alice")
    with database.reading() as connection:
        assert find_by_access_token(connection, hash_key(old)) is None
        found = find_by_access_token(connection, hash_key(new))
    assert found is not None
    users.switch_user(database, "alice", disabled=True)
    with database.reading() as connection:
        assert find_by_access_token(connection, hash_key(new)) is None


def test_what_the_file_declares_is_read_only_but_for_its_switch(database: Database):
    users.create_user(database, "alice")
    tokens.create_token(database, "alice", "ci")
    with changing(database) as change:
        update_user(change, 1, source="file")
        update_token(change, 1, source="file")
    with pytest.raises(DeclaredInFile):
        users.change_user(database, "alice", group="vip")
    with pytest.raises(DeclaredInFile):
        tokens.delete_token(database, "ci")
    with pytest.raises(DeclaredInFile):
        tokens.change_quota(database, "ci", ONE)
    assert users.switch_user(database, "alice", disabled=True).disabled
    assert not users.switch_user(database, "alice", disabled=False).disabled
    assert users.grant_user(database, "alice", ONE).balance == ONE


def test_a_user_gone_from_the_file_comes_back_by_hand(database: Database):
    users.create_user(database, "alice")
    with changing(database) as change:
        update_user(change, 1, source="file", removed=True)
    assert users.list_users(database) == []
    with pytest.raises(NameTaken, match="user enable alice"):
        users.create_user(database, "alice")
    back = users.switch_user(database, "alice", disabled=False)
    assert (back.source, back.removed) == ("database", False)


def test_a_token_opens_with_its_key_until_it_is_deleted(database: Database):
    users.create_user(database, "alice")
    created = tokens.create_token(database, "alice", "ci", quota=ONE, models=["gpt-*"], group="vip")
    with database.reading() as connection:
        token = find_token(connection, hash_key(created.key))
    assert token is not None
    assert (token.group, token.models, token.quota) == ("vip", ("gpt-*",), created.token.quota_account_id)
    assert tokens.change_quota(database, "ci", Nanos(5)).quota == 5
    tokens.delete_token(database, "alice/ci")
    with database.reading() as connection:
        assert find_token(connection, hash_key(created.key)) is None
    assert tokens.list_tokens(database) == []
    again = tokens.create_token(database, "alice", "ci")
    assert again.token.id != created.token.id


def test_a_token_name_of_several_users_asks_for_the_user(database: Database):
    for name in ("alice", "bob"):
        users.create_user(database, name)
        tokens.create_token(database, name, "ci")
    with pytest.raises(Ambiguous, match="alice/ci, bob/ci"):
        tokens.switch_token(database, "ci", disabled=True)
    assert tokens.switch_token(database, "bob/ci", disabled=True).user == "bob"
    with pytest.raises(UnknownName, match='Did you mean "bob/ci"'):
        tokens.switch_token(database, "bob/co", disabled=True)
    with pytest.raises(UnknownName):
        tokens.create_token(database, "carol", "ci")
    assert [token.name for token in tokens.list_tokens(database, user="bob")] == ["ci"]


def test_a_channel_is_checked_stored_switched_and_deleted(database: Database, cipher: Cipher, tmp_path: Path):
    resolve = secret_source({"UP": "sk-env"}, tmp_path)
    channel = channels.parse_channel({**CHANNEL, "key": "env:UP"}, all_providers(), resolve)
    assert not channel.allow_private_network
    channels.create_channel(database, cipher, channel)
    with pytest.raises(NameTaken):
        channels.create_channel(database, cipher, channel)
    with database.reading() as connection:
        [loaded] = load_channels(connection, cipher)
    assert loaded.credentials[0].values["key"].reveal() == "sk-env"
    [(stored, keys)] = channels.list_channels(database)
    assert "sk-env" not in str(channels.channel_row(stored, keys))
    channels.switch_channel(database, "main", disabled=True)
    with database.reading() as connection:
        assert load_channels(connection, cipher) == ()
    channels.delete_channel(database, "main")
    with pytest.raises(UnknownName):
        channels.switch_channel(database, "main", disabled=False)
    channels.create_channel(database, cipher, channel)


def test_a_channel_with_mistakes_names_each_field():
    with pytest.raises(InvalidInput) as raised:
        channels.parse_channel(
            {"name": "x", "provider": "opnai", "modles": []}, all_providers(), channels.literal_secret
        )
    assert [problem.key for problem in raised.value.problems] == ["provider", "modles"]
    with pytest.raises(InvalidInput) as raised:
        channels.parse_channel({**CHANNEL, "key": "env:UP"}, all_providers(), channels.literal_secret)
    assert raised.value.problems[0].key == "key"


def test_groups_have_multipliers_and_switches(database: Database):
    users.create_user(database, "alice", group="vip")
    key = tokens.create_token(database, "alice", "ci").key
    assert [group.name for group in groups.list_groups(database)] == ["default", "vip"]
    groups.create_group(database, "vip", Decimal("0.8"))
    with pytest.raises(NameTaken):
        groups.create_group(database, "vip", Decimal(1))
    assert groups.group_row(groups.set_group(database, "vip", Decimal("0.70")))["multiplier"] == "0.7"
    groups.switch_group(database, "vip", disabled=True)
    with database.reading() as connection:
        token = find_token(connection, hash_key(key))
    assert token is not None
    assert not token.enabled
    with pytest.raises(UnknownName, match='Did you mean "vip"'):
        groups.switch_group(database, "vp", disabled=True)
    with pytest.raises(InvalidInput):
        groups.set_group(database, "vip", Decimal(-1))


def test_prices_are_set_and_taken_away(database: Database):
    groups.set_price(database, "m", {"input": "1"})
    before = revision(database)
    groups.set_price(database, "m", {"input": "1"})
    assert revision(database) == before
    groups.remove_price(database, "m")
    with pytest.raises(UnknownName):
        groups.remove_price(database, "m")
    with pytest.raises(InvalidInput):
        groups.set_price(database, "m", {"imput": "1"})
