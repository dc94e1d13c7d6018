"""`anygate serve --demo`: a channel for every provider, all leading to the sandbox; a user and a token to try them."""

import os
import secrets
from pathlib import Path

import msgspec

from anygate.admin.channels import create_channel, delete_channel, list_channels, replace_channel
from anygate.admin.errors import NameTaken, UnknownName
from anygate.admin.tokens import create_token, delete_token, list_tokens
from anygate.admin.users import create_user, renew_access_token
from anygate.canonical.channel import Channel, Credential, Secret
from anygate.canonical.money import nanos_from_usd
from anygate.canonical.price import Price
from anygate.pricing.document import parse_price
from anygate.providers.auth import credential_ways
from anygate.providers.registry import all_providers
from anygate.providers.table import Provider
from anygate.settings.values import Settings
from anygate.storage import users
from anygate.storage.bootstrap import OpenStorage
from anygate.storage.hashes import hash_key, hash_password
from anygate.storage.prices import store_price
from anygate.storage.revision import changing

_USER = "demo"
_TOKEN = "demo"  # noqa: S105 - a name
_TAG = "demo"
_BALANCE = nanos_from_usd("100")
_MODEL = "gpt-4o-mini"
_FIRST = "openai"


class Demo(msgspec.Struct):
    """The content of `demo.json`."""

    base_url: str
    api_key: str
    user_id: int
    access_token: str
    console_url: str
    console_user: str
    console_password: str

    def greeting(self, file: Path) -> str:
        """A curl and a Python call to paste; `file` is where the demonstration was written."""
        return (
            f"A demonstration: every upstream is simulated, no account is needed. The key is also in {file}.\n\n"
            f"curl {self.base_url}/v1/chat/completions -H 'Authorization: Bearer {self.api_key}' \\\n"
            f"  -H 'Content-Type: application/json' \\\n"
            f'  -d \'{{"model": "{_MODEL}", "messages": [{{"role": "user", "content": "Hello"}}]}}\'\n\n'
            f"# pip install openai\n"
            f"from openai import OpenAI\n"
            f'client = OpenAI(base_url="{self.base_url}/v1", api_key="{self.api_key}")\n'
            f'answer = client.chat.completions.create(model="{_MODEL}", messages=[{{"role": "user", "content": "Hello"}}])\n'
            f"print(answer.choices[0].message.content)\n"
        )


def prepare_demo(settings: Settings, opened: OpenStorage, sandbox_url: str, origin: str) -> Demo:
    """Store the channels, the prices, the user and the token; write `demo.json`.

    What a former start made is used again, so keys that were pasted somewhere keep working.

    Args:
        settings: as read.
        opened: the database.
        sandbox_url: base URL of the simulated upstreams.
        origin: where the gateway is reached.
    """
    database = opened.database
    for provider in all_providers().values():
        channel = demo_channel(provider, sandbox_url)
        try:
            create_channel(database, opened.cipher, channel)
        except NameTaken:
            replace_channel(database, opened.cipher, channel.name, channel)
    with changing(database) as change:
        for model, price in _PRICES.items():
            store_price(change, model, price, "database")
    file = demo_file(settings)
    demo = _former(file, opened) or _new(opened)
    demo.base_url = origin
    demo.console_url = f"{origin}/console"
    _write(file, demo)
    return demo


def demo_file(settings: Settings) -> Path:
    """Where the demonstration is written."""
    return settings.data_dir / "demo.json"


def end_demo(opened: OpenStorage) -> bool:
    """Remove the channels of a former demonstration: their upstreams do not run, and they would stand in the way of
    real ones. User and token stay, so that the next demonstration has the same key.

    Returns:
        Were there any?
    """
    left = [
        channel.name
        for channel, _ in list_channels(opened.database)
        if channel.source == "database"
        and channel.name == f"demo-{channel.provider}"
        and channel.document.get("tags") == [_TAG]
    ]
    for name in left:
        delete_channel(opened.database, name)
    return bool(left)


_PRICES: dict[str, Price] = {
    "sandbox-*": parse_price({"input": "1", "output": "2"}, "database"),
    "demo/*": parse_price({"free": True}, "database"),
}
"""Of names that no provider sells: the sandbox's own models, and those of providers that take any name."""


def demo_channel(provider: Provider, sandbox_url: str) -> Channel:
    """The maker of a model leads those who resell it: a name that several serve goes to OpenAI's table first."""
    models: tuple[str, ...] = ()
    if provider.wildcard_models:
        models = (f"demo/{provider.slug}",)
    elif provider.slug == _FIRST:
        models = (*(model.name for model in provider.models), "sandbox-*")
    return Channel(
        id=0,
        name=f"demo-{provider.slug}",
        provider=provider.slug,
        base_url=f"{sandbox_url.rstrip('/')}/{provider.slug}",
        credentials=(Credential(0, {name: Secret("sk-sandbox") for name in _values(provider)}),),
        options={name: "demo" for name in provider.options if name in ("project", "region")},
        models=models,
        priority=1 if provider.slug == _FIRST else 0,
        tags=(_TAG,),
        allow_private_network=True,
    )


def _values(provider: Provider) -> tuple[str, ...]:
    """The values of the simplest credential that every endpoint of the provider takes: ready-made where there is one."""
    ways = credential_ways(provider)
    if provider.auth.scheme == "header":
        return provider.auth.required
    return next((way for way in reversed(ways) if len(way) == 1), ways[0])


def _former(file: Path, opened: OpenStorage) -> Demo | None:
    """The demonstration of a former start, if its user and its token are still there."""
    try:
        demo = msgspec.json.decode(file.read_bytes(), type=Demo)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    try:
        held = [token.key_hash for token in list_tokens(opened.database, user=_USER)]
    except UnknownName:
        return None
    return demo if hash_key(demo.api_key) in held else None


def _new(opened: OpenStorage) -> Demo:
    database = opened.database
    try:
        user = create_user(database, _USER, role="admin", balance=_BALANCE)
    except NameTaken:
        with database.reading() as connection:
            found = users.find_user(connection, _USER)
        assert found is not None  # noqa: S101 - the name is taken, so somebody has it
        user = found
        for token in list_tokens(database, user=_USER):
            if token.name == _TOKEN:
                delete_token(database, f"{_USER}/{_TOKEN}")
    created = create_token(database, _USER, _TOKEN)
    password = Secret(secrets.token_urlsafe(12))
    with changing(database) as change:
        users.update_user(change, user.id, password_hash=hash_password(password))
    return Demo(
        base_url="",
        api_key=created.key.reveal(),
        user_id=user.id,
        access_token=renew_access_token(database, _USER).reveal(),
        console_url="",
        console_user=_USER,
        console_password=password.reveal(),
    )


def _write(file: Path, demo: Demo) -> None:
    """In one step and for the owner's eyes only: it holds secrets."""
    temporary = file.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(demo)) + b"\n")
    temporary.replace(file)
