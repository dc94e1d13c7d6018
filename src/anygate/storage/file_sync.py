"""What the file declares is written to the database, in one transaction, and what it no longer declares is switched off.

Rows made by hand are left alone, unless the file names them: then they are the file's. Switches set by hand stay.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import insert, select

from anygate.canonical.money import usd_text
from anygate.ledger.accounts import grant
from anygate.settings.problems import ConfigError, Problem
from anygate.settings.values import DeclaredToken, DeclaredUser, Settings
from anygate.storage.channels import find_channel, list_channels, remove_channel, store_channel
from anygate.storage.crypto import Cipher
from anygate.storage.engine import Reading
from anygate.storage.groups import remove_group, store_group
from anygate.storage.hashes import hash_key, key_hint
from anygate.storage.prices import list_prices, remove_price, store_price
from anygate.storage.quota import add_user, set_quota
from anygate.storage.revision import Change
from anygate.storage.schema import groups, meta
from anygate.storage.tokens import (
    StoredToken,
    encode_limits,
    find_token_row,
    insert_token,
    list_tokens,
    remove_token,
    same_settings,
    update_token,
)
from anygate.storage.users import User, find_user, list_users, update_user

_SYNCED = "file_synced"


@dataclass(slots=True)
class SyncReport:
    """What a sync did, as sentences for the operator."""

    changes: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])


def was_synced(connection: Reading) -> bool:
    """Has a file ever been written to this database?"""
    return connection.execute(select(meta.c.value).where(meta.c.key == _SYNCED)).first() is not None


def sync_file(change: Change, settings: Settings, cipher: Cipher) -> SyncReport:
    """Make the database say what the file says; the revision is bumped only if that changed something.

    Raises:
        ConfigError: a token names an unknown user, or a key that another token has.
    """
    report = SyncReport()
    _sync_groups(change, settings, report)
    _sync_prices(change, settings, report)
    _sync_channels(change, settings, cipher, report)
    _sync_users(change, settings, report)
    _sync_tokens(change, settings, report)
    if not was_synced(change.connection):
        change.connection.execute(insert(meta).values(key=_SYNCED, value="1"))
    return report


def _sync_groups(change: Change, settings: Settings, report: SyncReport) -> None:
    for name, multiplier in settings.groups.items():
        if store_group(change, name, multiplier, "file"):
            report.changes.append(f'group "{name}" has the multiplier {multiplier}')
    held = change.connection.execute(select(groups.c.name).where(groups.c.source == "file")).scalars().all()
    for name in held:
        if name not in settings.groups and remove_group(change, name, "file"):
            report.changes.append(f'group "{name}" is no longer declared')


def _sync_prices(change: Change, settings: Settings, report: SyncReport) -> None:
    for model, price in settings.prices.items():
        if store_price(change, model, price, "file"):
            report.changes.append(f'price of "{model}" is set')
    for model, source, _ in list_prices(change.connection):
        if source == "file" and model not in settings.prices and remove_price(change, model, "file"):
            report.changes.append(f'price of "{model}" is no longer declared')


def _sync_channels(change: Change, settings: Settings, cipher: Cipher, report: SyncReport) -> None:
    for channel in settings.channels:
        found = find_channel(change.connection, channel.name)
        if found is not None and found.source != "file" and not found.removed:
            report.warnings.append(f'channel "{channel.name}" was made by hand and is the file\'s from now on')
        if store_channel(change, channel, cipher, "file"):
            report.changes.append(f'channel "{channel.name}" is {"new" if found is None else "changed"}')
    declared = {channel.name for channel in settings.channels}
    for held in list_channels(change.connection):
        if held.source == "file" and held.name not in declared:
            remove_channel(change, held.id)
            report.changes.append(f'channel "{held.name}" is no longer declared: no request uses it')


def _sync_users(change: Change, settings: Settings, report: SyncReport) -> None:
    for declared in settings.users:
        _sync_user(change, declared, report)
    names = {user.name for user in settings.users}
    for held in list_users(change.connection):
        if held.source == "file" and held.name not in names:
            update_user(change, held.id, removed=True)
            report.changes.append(f'user "{held.name}" is no longer declared: its tokens are refused')


def _sync_user(change: Change, declared: DeclaredUser, report: SyncReport) -> None:
    user = find_user(change.connection, declared.name)
    if user is None:
        add_user(change, name=declared.name, role=declared.role, group=declared.group, source="file")
        user = find_user(change.connection, declared.name)
        report.changes.append(f'user "{declared.name}" is new')
    elif (user.role, user.group, user.source, user.removed) != (declared.role, declared.group, "file", False):
        if user.source != "file" and not user.removed:
            report.warnings.append(f'user "{user.name}" was made by hand and is the file\'s from now on')
        update_user(change, user.id, role=declared.role, group=declared.group, source="file", removed=False)
        report.changes.append(f'user "{declared.name}" is changed')
    if user is not None:
        _grant_once(change, user, declared, report)


def _grant_once(change: Change, user: User, declared: DeclaredUser, report: SyncReport) -> None:
    if user.granted_by_file is None and declared.balance > 0:
        grant(change.connection, user.account_id, "file:balance", declared.balance, now_ms=change.now_ms)
        update_user(change, user.id, granted_by_file=declared.balance)
        report.changes.append(f'user "{user.name}" is granted {usd_text(declared.balance)} USD')
    elif user.granted_by_file is not None and user.granted_by_file != declared.balance:
        report.warnings.append(
            f'user "{user.name}": balance_usd is {usd_text(declared.balance)} now, but {usd_text(user.granted_by_file)} '
            f"were granted and that happens once; use `anygate user grant {user.name} USD` for more"
        )


def _sync_tokens(change: Change, settings: Settings, report: SyncReport) -> None:
    user_ids = {user.name: user.id for user in list_users(change.connection)}
    if problems := strangers(settings, user_ids):
        raise ConfigError(problems)
    declared = {(user_ids[token.user], token.name): token for token in settings.tokens}
    hashes = {identity: hash_key(token.key) for identity, token in declared.items()}
    for held in list_tokens(change.connection, removed=True):
        identity = (held.user_id, held.name)
        if held.source == "file" and not held.removed and identity not in declared:
            remove_token(change, held, keep_name=True)
            report.changes.append(f'token "{held.name}" of "{held.user}" is no longer declared: its key is refused')
        elif identity in declared and held.key_hash != hashes[identity]:
            # The old key ends first: two tokens may exchange their keys.
            update_token(change, held.id, key_hash=sha256(f"replaced:{held.id}".encode()).digest())
    _refuse_foreign_keys(change, settings, user_ids)
    for identity, token in declared.items():
        _sync_token(change, identity[0], token, hashes[identity], report)


def _sync_token(change: Change, user_id: int, declared: DeclaredToken, key_hash: bytes, report: SyncReport) -> None:
    values: dict[str, Any] = {
        "key_hash": key_hash,
        "group": declared.group,
        "models": list(declared.models),
        "expires_ms": declared.expires_ms,
        "allow_ips": [str(network) for network in declared.allow_ips],
        "limits": encode_limits(declared.limits),
    }
    hint = key_hint(declared.key)
    title = f'token "{declared.name}" of "{declared.user}"'
    held = find_token_row(change.connection, user_id, declared.name)
    if held is None:
        named = {"user_id": user_id, "name": declared.name, "key_hint": hint, "source": "file"}
        token_id = insert_token(change, {**values, **named})
        report.changes.append(f"{title} is new")
    else:
        token_id = held.id
        if held.source != "file" and not held.removed:
            report.warnings.append(f"{title} was made by hand and is the file's from now on")
        if held.removed or held.source != "file" or not same_settings(held, values):
            update_token(change, token_id, **values, key_hint=hint, removed=False, source="file")
            report.changes.append(f"{title} is changed")
    if set_quota(change, token_id, user_id, declared.quota):
        report.changes.append(f"{title} has {'a new quota' if declared.quota is not None else 'no quota any more'}")


def strangers(settings: Settings, users: Container[str]) -> list[Problem]:
    """Tokens of the file whose user is none of `users`."""
    return [
        Problem(
            settings.where, f"tokens[{at}].user", f'there is no user "{token.user}"', "Add [[users]] with this name."
        )
        for at, token in enumerate(settings.tokens)
        if token.user not in users
    ]


def _refuse_foreign_keys(change: Change, settings: Settings, user_ids: Mapping[str, int]) -> None:
    owners: dict[bytes, StoredToken] = {token.key_hash: token for token in list_tokens(change.connection, removed=True)}
    problems: list[Problem] = []
    for at, token in enumerate(settings.tokens):
        owner = owners.get(hash_key(token.key))
        if owner is not None and (owner.user_id, owner.name) != (user_ids[token.user], token.name):
            message = f'token "{owner.name}" of "{owner.user}" has this key already'
            problems.append(Problem(settings.where, f"tokens[{at}].key", message, "Give each token a key of its own."))
    if problems:
        raise ConfigError(problems)
