"""Flag, environment, file, default: one `Settings`, or every problem that could be found."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import cast

from anygate.canonical.channel import Channel, Secret
from anygate.providers.table import Provider
from anygate.settings.channels import SecretSource, read_channel, secret_source
from anygate.settings.declared import read_groups, read_prices, read_tokens, read_users
from anygate.settings.problems import ConfigError, Problem, suggestion
from anygate.settings.reader import Given, Table, refuse_repeated
from anygate.settings.sections import (
    read_billing,
    read_limits,
    read_logs,
    read_security,
    read_server,
    read_storage,
)
from anygate.settings.values import Settings

SECTIONS = ("server", "limits", "storage", "security", "logs", "billing")
"""Sections whose every key the environment can set."""

DECLARATIONS = ("groups", "channels", "users", "tokens", "prices")

PREFIX = "ANYGATE_"
DEFAULT_FILE = "anygate.toml"
DEFAULT_DATA = "anygate-data"
SHORTEST_SECRET_KEY = 16


def load_settings(
    flags: Mapping[str, str | int | None],
    environ: Mapping[str, str],
    cwd: Path,
    *,
    providers: Mapping[str, Provider] | None = None,
) -> Settings:
    """Read the whole configuration.

    Args:
        flags: `config`, `data`, and dotted settings such as `server.port`; None: not given.
        environ: the environment; only `ANYGATE_CONFIG`, `ANYGATE_DATA`, `ANYGATE_SECRET_KEY`, names with `__`,
            and what `env:NAME` names are read.
        cwd: where a relative `config` and `data` begin; paths inside the file begin at the data directory.
        providers: the tables to check channels against; default: all.

    Raises:
        ConfigError: with every problem found.
    """
    problems: list[Problem] = []
    config_file = _config_file(flags, environ, cwd, problems)
    data_dir = (cwd / str(flags.get("data") or environ.get("ANYGATE_DATA") or DEFAULT_DATA)).resolve()
    document = _read_file(config_file, problems)
    _overlay_environment(document, environ, problems)
    _overlay_flags(document, flags)

    root = Table(document, str(config_file or "(defaults)"), problems)
    resolve = secret_source(environ, data_dir)
    settings = Settings(
        config_file=config_file,
        data_dir=data_dir,
        secret_keys=_secret_keys(environ, problems),
        server=read_server(root.table("server")),
        limits=read_limits(root.table("limits")),
        storage=read_storage(root.table("storage"), data_dir),
        security=read_security(root.table("security")),
        logs=read_logs(root.table("logs")),
        billing=read_billing(root.table("billing")),
        groups=read_groups(root.table("groups")),
        channels=_read_channels(root.tables("channels"), providers, resolve),
        users=read_users(root.tables("users")),
        tokens=read_tokens(root.tables("tokens"), resolve),
        prices=read_prices(root.table("prices")),
    )
    root.finish()
    if problems:
        raise ConfigError(problems)
    return settings


def _read_channels(
    tables: list[Table], providers: Mapping[str, Provider] | None, resolve: SecretSource
) -> tuple[Channel, ...]:
    refuse_repeated(tables, "a channel of this name is declared twice", "name")
    if not tables:
        return ()
    if providers is None:
        # All tables are only read when a channel has to be checked: commands stay quick to start.
        from anygate.providers.registry import all_providers

        providers = all_providers()
    read = (read_channel(table, providers, resolve, allow_private_network=True) for table in tables)
    return tuple(channel for channel in read if channel is not None)


def _config_file(
    flags: Mapping[str, str | int | None], environ: Mapping[str, str], cwd: Path, problems: list[Problem]
) -> Path | None:
    named = flags.get("config") or environ.get("ANYGATE_CONFIG")
    path = (cwd / str(named or DEFAULT_FILE)).resolve()
    if path.is_file():
        return path
    if named:
        remedy = "Name a file that is there; `anygate init` writes one to begin with."
        message = "this is no file" if path.exists() else "there is no such file"
        problems.append(Problem(str(path), "", message, remedy))
    return None


def _read_file(path: Path | None, problems: list[Problem]) -> dict[str, object]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        problems.append(Problem(str(path), "", f"this is not TOML: {error}", "Repair the file at that place."))
    except UnicodeDecodeError:
        problems.append(Problem(str(path), "", "the file is not UTF-8 text", "Save it as UTF-8."))
    except OSError as error:
        problems.append(Problem(str(path), "", f"the file cannot be read: {error.strerror}", "Check its permissions."))
    # The rest is still checked against the environment and the flags, so that one run shows all.
    return {}


def _overlay_environment(document: dict[str, object], environ: Mapping[str, str], problems: list[Problem]) -> None:
    """`ANYGATE_SECTION__KEY[__KEY]=text` replaces a setting of the file."""
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or "__" not in variable:
            continue
        section, *rest = variable.removeprefix(PREFIX).lower().split("__")
        if section in SECTIONS and rest and all(rest):
            _put(document, (section, *rest), Given(text, variable))
        elif section in DECLARATIONS:
            remedy = "Move it there; a secret can stay in the environment as env:NAME."
            problems.append(Problem(variable, "", f"{section} are declared in the file only", remedy))
        else:
            names = [f"{PREFIX}{known.upper()}__" for known in SECTIONS]
            remedy = (
                suggestion(variable, names) if section not in SECTIONS else f"Write {PREFIX}{section.upper()}__KEY."
            )
            problems.append(Problem(variable, "", "this variable names no setting", remedy))


def _overlay_flags(document: dict[str, object], flags: Mapping[str, str | int | None]) -> None:
    for name, value in flags.items():
        if value is not None and "." in name:
            _put(document, name.split("."), Given(str(value), f"--{name.rpartition('.')[2]}"))


def _put(document: dict[str, object], path: "tuple[str, ...] | list[str]", value: Given) -> None:
    table = document
    for part in path[:-1]:
        inner = table.get(part)
        if not isinstance(inner, dict):
            if inner is not None:
                return  # not a table in the file: the reader reports that
            inner = table[part] = {}
        table = cast(dict[str, object], inner)
    table[path[-1]] = value


def _secret_keys(environ: Mapping[str, str], problems: list[Problem]) -> tuple[Secret, ...]:
    keys = [part.strip() for part in environ.get("ANYGATE_SECRET_KEY", "").split(",") if part.strip()]
    if any(len(key) < SHORTEST_SECRET_KEY for key in keys):
        remedy = "Use a long random text, such as the output of `openssl rand -base64 32`."
        message = f"a key is shorter than {SHORTEST_SECRET_KEY} characters"
        problems.append(Problem("ANYGATE_SECRET_KEY", "", message, remedy))
    return tuple(map(Secret, keys))
