"""`anygate channel ...`."""

import asyncio

from anygate.admin import channels
from anygate.admin.shell import CommandError, Shell, flag, read_names
from anygate.providers.registry import all_providers
from anygate.settings.channels import secret_source
from anygate.settings.reader import Given


def create_channel(shell: Shell) -> None:
    """`channel create NAME --provider P ...`. Who types here may name private addresses, as who writes the file may."""
    given = shell.arguments
    document: dict[str, object] = {
        "name": given.name,
        "provider": given.provider,
        "base_url": given.base_url,
        "keys": given.key,
        "credentials": _pairs("--credential", given.credential),
        "models": list(read_names(given.models)),
        "model_map": _pairs("--model-map", read_names(given.model_map)),
        "options": {name: Given(text, "--option") for name, text in _pairs("--option", given.option).items()},
        "groups": list(read_names(given.groups)) or None,
        "tags": list(read_names(given.tags)),
        "proxy": given.proxy,
    }
    for name in ("priority", "weight", "max_concurrency"):
        text = getattr(given, name)
        document[name] = None if text is None else Given(text, flag(name))
    resolve = secret_source(shell.environ, shell.cwd)
    channel = channels.parse_channel(document, all_providers(), resolve, allow_private_network=not given.public_only)
    with shell.storage() as storage:
        stored = channels.create_channel(storage.database, storage.cipher, channel)
    if given.json:
        shell.json(channels.channel_row(stored, len(channel.credentials)))
    else:
        shell.say(f'channel "{stored.name}" is made; `anygate channel test {stored.name}` asks its upstream')


def list_channels(shell: Shell) -> None:
    """`channel list`."""
    with shell.storage() as storage:
        rows = [channels.channel_row(channel, keys) for channel, keys in channels.list_channels(storage.database)]
    for row in rows if not shell.arguments.json else ():
        row |= {name: row[name] or "the provider's" for name in ("base_url", "models")}
    columns = (
        "id",
        "name",
        "provider",
        "base_url",
        "models",
        "groups",
        "priority",
        "weight",
        "keys",
        "enabled",
        "source",
    )
    shell.listing(rows, columns, "There is no channel yet: anygate channel create NAME --provider P --key K")


def test_channel(shell: Shell) -> int:
    """`channel test NAME`: 0 if every key was served."""
    from anygate.admin.probe import Probe, probe_channel
    from anygate.upstream.client import UpstreamClient

    with shell.storage() as storage:
        channel = channels.load_channel(storage.database, storage.cipher, shell.arguments.name)

    async def probe() -> list[Probe]:
        upstream = UpstreamClient(asyncio.get_running_loop(), environ=shell.environ)
        try:
            return await probe_channel(channel, all_providers(), upstream, shell.arguments.model)
        finally:
            upstream.close()

    try:
        probes = asyncio.run(probe())
    except ValueError as error:
        raise CommandError(f'Channel "{channel.name}" cannot be tested: {error}.') from None
    rows = [
        {
            "channel": probe.channel,
            "key": probe.key,
            "model": probe.model,
            "ok": probe.ok,
            "status": probe.status or None,
            "milliseconds": probe.milliseconds,
            "message": probe.message,
        }
        for probe in probes
    ]
    shell.listing(rows, ("key", "model", "ok", "status", "milliseconds", "message"), "The channel has no key.")
    return 0 if all(probe.ok for probe in probes) else 1


def delete_channel(shell: Shell) -> None:
    """`channel delete NAME`."""
    with shell.storage() as storage:
        channels.delete_channel(storage.database, shell.arguments.name)
    shell.say(f'channel "{shell.arguments.name}" is gone: no request uses it any more')


def disable_channel(shell: Shell) -> None:
    """`channel disable NAME`."""
    with shell.storage() as storage:
        channels.switch_channel(storage.database, shell.arguments.name, disabled=True)
    shell.say(f'channel "{shell.arguments.name}" is switched off')


def enable_channel(shell: Shell) -> None:
    """`channel enable NAME`."""
    with shell.storage() as storage:
        channels.switch_channel(storage.database, shell.arguments.name, disabled=False)
    shell.say(f'channel "{shell.arguments.name}" is switched on')


def _pairs(flag: str, texts: "list[str] | tuple[str, ...] | None") -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise CommandError(f'{flag} takes NAME=VALUE, not "{text}".')
        pairs[name] = value
    return pairs
