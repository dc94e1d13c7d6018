"""`[[channels]]`, checked against the provider's table; also how the console and the command line declare one."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from anygate.canonical.channel import Channel, Credential, Secret, Timeouts
from anygate.providers.auth import check_credential, credential_ways
from anygate.providers.registry import address, endpoint
from anygate.providers.table import COMMON_OPTIONS, Provider
from anygate.providers.urls import join
from anygate.settings.problems import suggestion
from anygate.settings.reader import Table

CHAT_PROTOCOLS = ("chat", "responses", "messages", "gemini")
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")

SecretSource = Callable[[str], Secret]
"""A literal, `env:NAME` or `file:PATH` -> the secret. Raises ValueError with a sentence."""

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def secret_source(environ: Mapping[str, str], directory: Path) -> SecretSource:
    """Resolves `env:NAME` in `environ` and `file:PATH` relative to `directory`; anything else is the secret itself."""

    def resolve(text: str) -> Secret:
        if text.startswith("env:"):
            value = environ.get(text[4:], "").strip()
            if not value:
                raise ValueError(f"the environment variable {text[4:]} is missing or empty")
            return Secret(value)
        if text.startswith("file:"):
            path = directory / text[5:]
            try:
                value = path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"the file {path} cannot be read: {_reason(error)}") from None
            if not value:
                raise ValueError(f"the file {path} is empty")
            return Secret(value)
        return Secret(text)

    return resolve


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8 text"


def read_secret(table: Table, name: str, resolve: SecretSource) -> Secret | None:
    """One secret of a table; None, with a problem noted, when it cannot be had."""
    text = table.text(name, required=True)
    if not text:
        return None
    try:
        return _sendable(resolve(text))
    except ValueError as error:
        table.note(name, str(error), _remedy(text))
        return None


def _remedy(text: str) -> str:
    start = "Set it where this is run, or give" if text.startswith("env:") else "Give"
    return f'{start} the secret itself, "env:NAME" or "file:PATH".'


def _sendable(secret: Secret) -> Secret:
    text = secret.reveal()
    if not text.isprintable() or not text.isascii():
        raise ValueError("the secret holds a line break or a character that no header can carry")
    return secret


def read_channel(
    table: Table, providers: Mapping[str, Provider], resolve: SecretSource, *, allow_private_network: bool
) -> Channel | None:
    """A channel as declared; None when it has no usable name or provider. Problems are noted in `table`.

    `allow_private_network` is the default: true in the file, false for channels made in the console.
    """
    name = table.text("name", required=True)
    slug = table.text("provider", required=True)
    provider = providers.get(slug)
    if provider is None:
        if slug:
            table.note("provider", f'there is no provider "{slug}"', suggestion(slug, providers))
        table.finish(_CHANNEL_KEYS)
        return None
    channel = Channel(
        id=0,
        name=name,
        provider=slug,
        base_url=_read_base_url(table, provider),
        credentials=_read_credentials(table, provider, resolve),
        models=table.texts("models"),
        model_map=table.text_map("model_map"),
        options=_read_options(table, provider),
        protocols=table.texts("protocols", choices=CHAT_PROTOCOLS),
        priority=table.integer("priority", 0, least=-(2**31), most=2**31),
        weight=table.integer("weight", 1, most=2**31),
        groups=table.texts("groups", ("default",)),
        tags=table.texts("tags"),
        proxy=_read_proxy(table),
        headers=_read_headers(table),
        set_body=_read_json(table, "set_body"),
        drop_body=table.texts("drop_body"),
        timeouts=_read_timeouts(table),
        max_concurrency=table.integer("max_concurrency", 0, most=2**31),
        on_disconnect=table.text("on_disconnect", "cancel", choices=("cancel", "drain")),
        drain_seconds=table.number("drain_seconds", 30, most=3600),
        allow_private_network=table.boolean("allow_private_network", allow_private_network),
    )
    table.finish()
    _check_addresses(table, channel, provider)
    return channel if name else None


_CHANNEL_KEYS = (
    *("base_url", "key", "keys", "credentials", "models", "model_map", "options", "protocols", "priority", "weight"),
    *("groups", "tags", "proxy", "headers", "set_body", "drop_body", "timeouts", "max_concurrency", "on_disconnect"),
    *("drain_seconds", "allow_private_network"),
)
"""What a channel can say, for one whose provider is unknown: its other keys are still checked."""


def _read_base_url(table: Table, provider: Provider) -> str:
    """The declared address; "" where the provider's own is meant."""
    declared = table.text("base_url")
    if not declared:
        if not provider.base_url and not provider.base_urls:
            table.note("base_url", f"{provider.title} has no address of its own", 'Add base_url = "https://...".')
        return ""
    try:
        join(declared, (), "/", {}, "")
    except ValueError as error:
        remedy = 'Write scheme, host and perhaps port and prefix, such as "https://api.example.com/v1".'
        table.note("base_url", str(error), remedy)
    return declared


def _check_addresses(table: Table, channel: Channel, provider: Provider) -> None:
    """Every endpoint's address can be made of the base URL and the options."""
    if table.faulty:
        return  # what is wrong has been said
    for operation in provider.endpoints:
        found = endpoint(provider, operation, channel.options)
        if found is None or _PLACE.search(found.path):
            continue
        try:
            for stream in (False, True):
                address(provider, found, channel.base_url, channel.options, "model", stream=stream)
        except ValueError as error:
            table.note("options", str(error), "Complete options = { ... }; `anygate check` looks again.")
            return


_PLACE = re.compile(r"\{\w+_id\}")  # of a thing that a request names, not of the channel


def _read_credentials(table: Table, provider: Provider, resolve: SecretSource) -> tuple[Credential, ...]:
    ways = [way for way in ("key", "keys", "credentials") if table.values.get(way)]
    if len(ways) > 1:
        table.note(ways[1], f"{' and '.join(ways)} exclude one another", f"Keep {ways[0]} only.")
    found: list[dict[str, Secret]] = []
    if table.has("credentials"):
        inner = table.table("credentials")
        values = {name: read_secret(inner, name, resolve) for name in inner.values}
        found += [{name: value for name, value in values.items() if value is not None}] if values else []
    if table.has("key"):
        key = read_secret(table, "key", resolve)
        found += [{"key": key}] if key is not None else []
    for text in table.texts("keys"):
        try:
            found.append({"key": _sendable(resolve(text))})
        except ValueError as error:
            table.note("keys", str(error), _remedy(text))
    for values in found:
        try:
            check_credential(provider, values)
        except ValueError as error:
            table.note(ways[0] if ways else "key", f"{provider.title}: {error}", _sample(provider))
            break
    if not ways and provider.auth.required and not provider.auth.optional:
        table.note("key", f"{provider.title} asks for a key", _sample(provider))
    # A channel without a secret still has one credential, so that (channel, key) always names a way.
    return tuple(Credential(0, values) for values in found or [{}])


def _sample(provider: Provider) -> str:
    """How a credential is written, in each way that the provider takes."""
    ways = [
        'key = "env:NAME"' if way == ("key",) else f"credentials = {{ {', '.join(f'{name} = ...' for name in way)} }}"
        for way in credential_ways(provider)
    ]
    return f"Add {' or '.join(ways)}."


def _read_options(table: Table, provider: Provider) -> dict[str, Any]:
    inner = table.table("options")
    known = {**COMMON_OPTIONS, **provider.options}
    read: dict[str, Any] = {}
    for name in inner.values:
        option = known.get(name)
        if option is None:
            inner.note(name, f"{provider.title} has no option of this name", suggestion(name, known))
        elif option.kind == "bool":
            read[name] = inner.boolean(name, bool(option.default))
        elif option.kind == "int":
            read[name] = inner.integer(name, int(option.default or 0))
        else:
            read[name] = inner.text(name, str(option.default or ""), choices=option.choices)
    return read


def _read_proxy(table: Table) -> str:
    proxy = table.text("proxy")
    if proxy and proxy != "direct":
        try:
            parts = urlsplit(proxy)
            usable = parts.scheme in PROXY_SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            usable = False
        if not usable:
            remedy = f'Write one of {", ".join(f"{scheme}://host:port" for scheme in PROXY_SCHEMES)}, or "direct".'
            table.note("proxy", "this is not the address of a proxy", remedy)
    return proxy


def _read_headers(table: Table) -> dict[str, str]:
    headers = table.text_map("headers")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or "\r" in value or "\n" in value or "\0" in value:
            table.note("headers", f"no header can be named or hold {name!r}", "Remove it.")
    return headers


def _read_timeouts(table: Table) -> Timeouts:
    inner, default = table.table("timeouts"), Timeouts()
    timeouts = Timeouts(
        connect=inner.number("connect", default.connect),
        first_byte=inner.number("first_byte", default.first_byte),
        idle=inner.number("idle", default.idle),
        total=inner.number("total", default.total),
    )
    inner.finish()
    return timeouts


def _read_json(table: Table, name: str) -> dict[str, Any]:
    inner = table.table(name)
    read: dict[str, Any] = {}
    for key, value in inner.values.items():
        try:
            read[key] = plain_json(value)
        except ValueError as error:
            inner.note(key, str(error), "Use text, numbers, true, false, lists and tables.")
    return read


def plain_json(value: object) -> Any:
    """A TOML value as JSON has it.

    Raises:
        ValueError: a date or time, which JSON lacks.
    """
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {key: plain_json(inner) for key, inner in cast(Mapping[str, object], value).items()}
    if isinstance(value, list):
        return [plain_json(inner) for inner in cast(list[object], value)]
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(f"{value} cannot be said in JSON")
