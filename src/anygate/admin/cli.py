"""The command line: `anygate COMMAND ...`. Commands live in `admin.commands`, imported when they are called."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from anygate import __version__

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 it could not, 2 the command was mistyped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that the terminal cannot show is shown as \u5f20
            stream.reconfigure(errors="backslashreplace")
    if any("\udc80" <= char <= "\udcff" for word in argv or sys.argv for char in word):  # bytes that are no text here
        sys.stderr.write("The command is not text in this locale. Type it in a UTF-8 one, such as LC_ALL=C.UTF-8.\n")
        return MISUSED
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return int(stop.code or 0)
    try:
        return _run(arguments, os.environ if environ is None else environ, cwd or Path.cwd())
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (`| head`) has gone; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _run(arguments: argparse.Namespace, environ: Mapping[str, str], cwd: Path) -> int:
    from sqlalchemy.exc import DBAPIError

    from anygate.admin.errors import AdminError
    from anygate.admin.shell import CommandError, open_shell
    from anygate.settings import ConfigError
    from anygate.storage.crypto import SecretKeyError
    from anygate.storage.engine import why_unusable
    from anygate.storage.migrate import SchemaError

    shell = open_shell(arguments, environ, cwd)
    module, function = arguments.run
    try:
        command: Callable[..., int | None] = getattr(import_module(f"anygate.admin.commands.{module}"), function)
        return command(shell) or 0
    except (ConfigError, AdminError, CommandError, SecretKeyError, SchemaError) as error:
        shell.note(str(error))
    except DBAPIError as error:
        message, remedy = why_unusable(shell.settings().storage.database, error)
        shell.note(f"{message}. {remedy}".rstrip())
    except OSError as error:
        shell.note(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
    return FAILED


def build_parser() -> argparse.ArgumentParser:
    """Every command with its flags; `run` names the function that does it."""
    parser = argparse.ArgumentParser(
        prog="anygate",
        description="Anygate, a self-hosted AI API gateway. Begin with: anygate serve --demo",
        parents=[_places(default=None)],
    )
    parser.add_argument("--version", action="version", version=f"anygate {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_serving(commands)
    _add_upkeep(commands)
    _add_users(commands)
    _add_groups(commands)
    _add_tokens(commands)
    _add_channels(commands)
    return parser


Commands = Any  # argparse names the type of `add_subparsers` in private only


def _places(default: object = argparse.SUPPRESS) -> argparse.ArgumentParser:
    """`--config` and `--data`, which every command takes, before it or after it."""
    places = argparse.ArgumentParser(add_help=False)
    places.add_argument("--config", metavar="FILE", default=default, help="default: ./anygate.toml if it is there")
    places.add_argument("--data", metavar="DIR", default=default, help="default: ./anygate-data")
    return places


def _add(commands: Commands, name: str, run: str, help: str, *, json: bool = False) -> argparse.ArgumentParser:
    """One command; `run` is `module.function` of `admin.commands`."""
    added: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help, parents=[_places()])
    added.set_defaults(run=tuple(run.split(".")))
    if json:
        added.add_argument("--json", action="store_true", help="the result as JSON")
    return added


def _add_family(commands: Commands, name: str, help: str) -> Commands:
    family: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help, parents=[_places()])
    return family.add_subparsers(metavar="ACTION", required=True)


def _add_switches(family: Commands, module: str, kind: str, name: str = "NAME") -> None:
    for action, said in (("disable", "switch it off; it stays off"), ("enable", "switch it on again")):
        _add(family, action, f"{module}.{action}_{kind}", said).add_argument("name", metavar=name)


def _add_serving(commands: Commands) -> None:
    serve = _add(commands, "serve", "serving.serve", "run the gateway")
    serve.add_argument("--host", help="default: 127.0.0.1")
    serve.add_argument("--port", type=int, help="default: 8080")
    serve.add_argument("--workers", type=int, help="processes; default: 1")
    serve.add_argument("--demo", action="store_true", help="with simulated upstreams, a user and a key to try it")
    serve.add_argument("--migrate", action="store_true", help="bring a PostgreSQL schema up to date first")
    init = _add(commands, "init", "serving.init", "write a commented anygate.toml, never over an existing one")
    init.add_argument("file", metavar="FILE", nargs="?", help="default: --config, else ./anygate.toml")
    sandbox = _add(commands, "sandbox", "serving.sandbox", "run only the simulated upstreams")
    sandbox.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    sandbox.add_argument("--port", type=int, default=8081, help="default: 8081; 0 takes a free one")
    _add(commands, "endpoints", "serving.endpoints", "list every route that is served", json=True)


def _add_upkeep(commands: Commands) -> None:
    help = "look through configuration, database, prices and channels without serving"
    check = _add(commands, "check", "upkeep.check", help, json=True)
    check.add_argument("--offline", action="store_true", help="send nothing to the channels")
    _add(commands, "migrate", "upkeep.migrate", "bring the database's schema up to date")
    audit = _add(commands, "audit", "upkeep.audit", "prove that the ledger balances", json=True)
    audit.add_argument("--full", action="store_true", help="from the first entry on, without the checkpoints")
    logs = _add(commands, "logs", "upkeep.logs", "show the request log, newest first", json=True)
    logs.add_argument("--request-id", metavar="ID", help="all that is known of this request")
    logs.add_argument("--limit", type=int, default=50, metavar="N", help="default: 50")


def _add_users(commands: Commands) -> None:
    family = _add_family(commands, "user", "users and their money")
    create = _add(family, "create", "users.create_user", "make a user", json=True)
    create.add_argument("name", metavar="NAME")
    create.add_argument("--role", default="user", help="user (default) or admin")
    create.add_argument("--group", default="default", help="default: default")
    create.add_argument("--balance-usd", metavar="USD", help="money to begin with")
    _add(family, "list", "users.list_users", "list the users", json=True)
    grant = _add(family, "grant", "users.grant_user", "add money to a user's balance", json=True)
    grant.add_argument("name", metavar="NAME")
    grant.add_argument("usd", metavar="USD")
    token = _add(family, "access-token", "users.access_token", "make a new system access token and revoke the old")
    token.add_argument("name", metavar="NAME")
    _add_switches(family, "users", "user")


def _add_groups(commands: Commands) -> None:
    family = _add_family(commands, "group", "groups and their price multipliers")
    for action, said in (("create", "make a group"), ("set", "change a group's multiplier")):
        change = _add(family, action, f"groups.{action}_group", said, json=True)
        change.add_argument("name", metavar="NAME")
        change.add_argument("multiplier", metavar="MULTIPLIER", nargs="?" if action == "create" else None, default="1")
    _add(family, "list", "groups.list_groups", "list the groups", json=True)
    _add_switches(family, "groups", "group")


def _add_tokens(commands: Commands) -> None:
    family = _add_family(commands, "token", "client keys")
    create = _add(family, "create", "tokens.create_token", "make a key; it is shown this once", json=True)
    create.add_argument("user", metavar="USER")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--quota-usd", metavar="X", help="what it may spend in all; default: what the user has")
    create.add_argument("--models", metavar="A,B", help="names or wildcards; default: all")
    create.add_argument("--group", default="", help="default: the user's")
    create.add_argument("--expires", metavar="TIME", help='RFC 3339, such as "2027-01-31T23:59:59Z"')
    create.add_argument("--allow-ips", metavar="A,B", help="addresses or blocks; default: everywhere")
    for limit in ("rpm", "tpm", "concurrency"):
        create.add_argument(f"--{limit}", metavar="N", help="0 (default): no limit")
    create.add_argument("--usd-per-day", metavar="USD", help="per UTC day; default: no limit")
    listed = _add(family, "list", "tokens.list_tokens", "list the tokens, without their keys", json=True)
    listed.add_argument("--user", metavar="USER", help="only this user's")
    quota = _add(family, "quota", "tokens.change_quota", "set what a token may spend in all")
    quota.add_argument("name", metavar="[USER/]NAME")
    quota.add_argument("usd", metavar="USD", help='"none": no limit of its own')
    _add(family, "delete", "tokens.delete_token", "end a key for good").add_argument("name", metavar="[USER/]NAME")
    _add_switches(family, "tokens", "token", "[USER/]NAME")


def _add_channels(commands: Commands) -> None:
    family = _add_family(commands, "channel", "ways to upstreams")
    create = _add(family, "create", "channels.create_channel", "make a channel", json=True)
    create.add_argument("name", metavar="NAME")
    create.add_argument("--provider", required=True, metavar="P", help="such as openai, or openai_compatible")
    create.add_argument("--base-url", metavar="U", help="default: the provider's own")
    create.add_argument("--key", action="append", metavar="K", help="the key, env:NAME or file:PATH; several times too")
    create.add_argument("--credential", action="append", metavar="NAME=VALUE", help="where one key is not enough")
    create.add_argument("--models", metavar="A,B", help="names or wildcards; default: the provider's")
    create.add_argument("--model-map", metavar="A=B,C=D", help="client name = upstream name")
    create.add_argument("--option", action="append", metavar="NAME=VALUE", help="an option of the provider")
    create.add_argument("--groups", metavar="A,B", help="default: default")
    create.add_argument("--tags", metavar="A,B")
    create.add_argument("--priority", metavar="N", help="higher goes first; default: 0")
    create.add_argument("--weight", metavar="N", help="share among equals; default: 1")
    create.add_argument("--proxy", metavar="URL", help="http(s)://, socks5:// or direct")
    create.add_argument("--max-concurrency", metavar="N", help="0 (default): no limit")
    create.add_argument("--public-only", action="store_true", help="refuse private and local addresses")
    _add(family, "list", "channels.list_channels", "list the channels, without their keys", json=True)
    test = _add(family, "test", "channels.test_channel", "send a real, minimal request with each key", json=True)
    test.add_argument("name", metavar="NAME")
    test.add_argument("--model", metavar="M", help="default: the first that the channel names")
    _add(family, "delete", "channels.delete_channel", "remove it for good").add_argument("name", metavar="NAME")
    _add_switches(family, "channels", "channel")
