"""`anygate check`: everything that can be wrong before a request comes, each with its place and remedy."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError

from anygate.admin.probe import probe_channel
from anygate.canonical.channel import Channel
from anygate.canonical.price import Price
from anygate.pricing.lookup import find_price
from anygate.providers.table import Provider
from anygate.settings.problems import Problem
from anygate.settings.values import Settings
from anygate.storage.bootstrap import data_dir_problem
from anygate.storage.channels import load_channels
from anygate.storage.crypto import Cipher, SecretKeyError, check_canary, has_canary, load_cipher
from anygate.storage.engine import Database, Reading, why_unusable
from anygate.storage.file_sync import strangers
from anygate.storage.migrate import SchemaError, check_schema
from anygate.storage.prices import load_prices
from anygate.storage.users import list_users
from anygate.upstream.client import UpstreamClient

Progress = Callable[[str], None]
"""Told what is looked at next."""


@dataclass(slots=True)
class CheckReport:
    """What was found; without problems the gateway can serve."""

    problems: list[Problem] = field(default_factory=list[Problem])
    notices: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class _Found:
    """What is looked through: the file's declarations and what the database adds to them."""

    channels: dict[str, Channel]
    prices: dict[str, Price]
    places: dict[str, tuple[str, str]]  # channel -> (where, key)


@dataclass(slots=True)
class _Stored:
    """What the database adds to the file; `users` are those that the file does not own."""

    channels: dict[str, Channel] = field(default_factory=dict[str, Channel])
    prices: dict[str, Price] = field(default_factory=dict[str, Price])
    users: set[str] = field(default_factory=set[str])


def check_data_dir(settings: Settings, report: CheckReport) -> bool:
    """Can the first start make the data directory, and can it be written? It is not made."""
    path = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    why = "" if path.is_dir() else f"{path} is no directory"
    if not why and not os.access(path, os.W_OK | os.X_OK):
        why = f"{path} cannot be written"
    if why:
        report.problems.append(data_dir_problem(settings.data_dir, why))
    return not why


def check_database(settings: Settings, report: CheckReport) -> _Stored | None:
    """What the database adds; None if it cannot be used. Nothing is written, made or migrated."""
    database = Database(settings.storage.database)
    where = "the database"
    if database.path is not None:
        where = str(database.path)
        if not database.path.exists():
            report.notices.append(f"{database.path} is not there yet: the first start makes it")
            return _Stored()
    try:
        with database.reading() as connection:
            return _look_into(connection, settings, report, where)
    except (SchemaError, SecretKeyError) as error:
        report.problems.append(Problem(where, "", str(error).rstrip("."), ""))
    except DBAPIError as error:
        message, remedy = why_unusable(settings.storage.database, error)
        report.problems.append(Problem(settings.where, "storage.database", message, remedy))
    finally:
        database.dispose()
    return None


def _look_into(connection: Reading, settings: Settings, report: CheckReport, where: str) -> _Stored | None:
    state = check_schema(connection)
    if state == "empty":
        report.notices.append(f"{where} is empty: the first start sets it up")
        return _Stored()
    if state == "older":
        remedy = "Run `anygate migrate`, after a backup."
        report.problems.append(Problem(where, "", "the schema is older than this version", remedy))
        return None
    stored = _Stored(prices=load_prices(connection))
    stored.users = {user.name for user in list_users(connection) if user.source != "file"}
    if has_canary(connection):
        cipher: Cipher = load_cipher(settings.data_dir, settings.secret_keys, create=False)
        check_canary(connection, cipher)
        stored.channels = {channel.name: channel for channel in load_channels(connection, cipher)}
    return stored


def _gather(settings: Settings, report: CheckReport) -> _Found:
    usable = check_data_dir(settings, report)
    stored = check_database(settings, report) if usable else None
    declared = {channel.name: channel for channel in settings.channels}
    if stored is not None:
        report.problems += strangers(settings, stored.users | {user.name for user in settings.users})
        if not stored.channels and not declared:
            report.notices.append("there is no channel yet: add [[channels]] or run `anygate channel create`")
    stored = stored or _Stored()
    places = {name: ("the database", f'channel "{name}"') for name in stored.channels}
    places |= {channel.name: (settings.where, f"channels[{at}]") for at, channel in enumerate(settings.channels)}
    return _Found({**stored.channels, **declared}, {**stored.prices, **settings.prices}, places)


def check_prices(found: _Found, providers: Mapping[str, Provider], report: CheckReport) -> None:
    """Models that are declared and have no price are not sold: each is a problem."""
    seen: set[str] = set()
    for channel in found.channels.values():
        provider = providers[channel.provider]
        names: Sequence[str] = channel.models or [model.name for model in provider.models]
        for name in (*names, *channel.model_map):
            upstream_name = channel.model_map.get(name, name)
            if "*" in name or name in seen or find_price(name, upstream_name, found.prices, provider) is not None:
                continue
            seen.add(name)
            where, key = found.places[channel.name]
            remedy = f'Add [prices.{json.dumps(name)}] with input = "..." and output = "...", or free = true.'
            report.problems.append(Problem(where, f"{key}.models", f'"{name}" has no price, so it is not sold', remedy))


async def check_channels(
    found: _Found,
    providers: Mapping[str, Provider],
    environ: Mapping[str, str],
    report: CheckReport,
    progress: Progress,
) -> None:
    """A real, minimal request through each key of each channel."""
    upstream = UpstreamClient(asyncio.get_running_loop(), environ=environ)
    try:
        for channel in found.channels.values():
            progress(f"channel {channel.name}")
            where, key = found.places[channel.name]
            try:
                probes = await probe_channel(channel, providers, upstream)
            except ValueError as error:
                report.notices.append(f'channel "{channel.name}" was not tested: {error}')
                continue
            for probe in probes:
                if not probe.ok:
                    said = f"the upstream says {probe.status}: {probe.message}" if probe.status else probe.message
                    message = f'key {probe.key}, model "{probe.model}": {said.rstrip(": .")}'
                    remedy = f"Correct its base_url, key or models; `anygate channel test {channel.name}` asks again."
                    report.problems.append(Problem(where, key, message, remedy))
    finally:
        upstream.close()


def check(
    settings: Settings,
    providers: Mapping[str, Provider],
    environ: Mapping[str, str],
    *,
    offline: bool,
    progress: Progress,
) -> CheckReport:
    """Look through database, prices and channels.

    Args:
        settings: read without a problem.
        providers: all tables.
        environ: for proxies of the environment.
        offline: leave out the requests to upstreams.
        progress: told of each step.
    """
    report = CheckReport()
    progress("database")
    found = _gather(settings, report)
    progress("prices")
    check_prices(found, providers, report)
    if not offline:
        asyncio.run(check_channels(found, providers, environ, report, progress))
    return report
