"""Sends one real, minimal request through each key of a channel: what `anygate channel test` does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter, time
from typing import cast

from anygate.canonical.blocks import Text
from anygate.canonical.channel import Channel
from anygate.canonical.chat import Chat, Turn
from anygate.canonical.errors import GatewayError
from anygate.protocols.registry import chat_codecs
from anygate.providers.table import Provider
from anygate.relay.headers import default_lines
from anygate.relay.signing import Signer
from anygate.relay.targets import Targets
from anygate.relay.translation import write_request
from anygate.routing.directory import Candidate, Directory, Line
from anygate.routing.snapshot import Snapshot
from anygate.upstream.ask import Whole, ask, post_form
from anygate.upstream.call import Upstream
from anygate.upstream.google_token import GoogleTokens

OPERATION = "chat"
OUTPUT_LIMIT = 16
"""Tokens asked for; some models refuse a smaller limit."""

LONGEST_ANSWER = 256 << 10
LONGEST_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of one key. `key` counts from 1; `status` is 0 where no answer came."""

    channel: str
    model: str
    key: int
    status: int
    milliseconds: int
    message: str

    @property
    def ok(self) -> bool:
        """Did the upstream serve the request?"""
        return 200 <= self.status < 300


def probe_model(channel: Channel, provider: Provider) -> str | None:
    """A model to ask for: the first that the channel names without a wildcard."""
    names = (*channel.models, *channel.model_map, *(model.name for model in provider.models))
    return next((name for name in names if "*" not in name), None)


async def probe_channel(
    channel: Channel, providers: Mapping[str, Provider], upstream: Upstream, model: str | None = None
) -> list[Probe]:
    """Ask the channel's upstream for a few tokens with each of its keys. The operator pays for them.

    Args:
        channel: complete and decrypted.
        providers: all tables.
        upstream: the client to send with.
        model: the client's name of a model; default: the first that the channel names.

    Raises:
        ValueError: nothing can be asked of this channel; the text says why.
    """
    provider = providers[channel.provider]
    wanted = model or probe_model(channel, provider)
    if wanted is None:
        raise ValueError(
            f"it names no model without a wildcard; try `anygate channel test {channel.name} --model MODEL`"
        )
    lines = Directory(Snapshot(0, (channel,)), providers).service(wanted, OPERATION, (*channel.groups, "default")[0])
    if lines is None:
        raise ValueError(f'it does not serve the operation {OPERATION} for the model "{wanted}"')
    line = lines.lines[0]
    signer = Signer(GoogleTokens(partial(post_form, upstream), time), time)
    return [
        await _probe(Candidate(line, credential), upstream, signer, number)
        for number, credential in enumerate(channel.credentials, 1)
    ]


async def _probe(candidate: Candidate, upstream: Upstream, signer: Signer, number: int) -> Probe:
    line, began = candidate.line, perf_counter()
    status, message = 0, ""
    try:
        target = Targets().find(candidate)
        _, body = write_request(chat_codecs()[line.endpoint.protocol], _question(line), line, OUTPUT_LIMIT)
        head = target.head + default_lines([], target.defaults)
        head += b"content-type: application/json\r\naccept: application/json\r\n"
        if target.auth is not None:
            head += await signer.lines(target, target.auth, candidate.credential, [body])
        seconds = min(line.channel.timeouts.first_byte or LONGEST_SECONDS, LONGEST_SECONDS)
        answer = await ask(upstream, target.origin, head, [body], most_bytes=LONGEST_ANSWER, seconds=seconds)
        status, message = answer.status, _said(answer)
    except GatewayError as error:
        message = str(error)
    spent = int((perf_counter() - began) * 1000)
    return Probe(line.channel.name, line.model, number, status, spent, _hide(message, candidate))


def _question(line: Line) -> Chat:
    return Chat(line.endpoint.protocol, line.model, (Turn("user", (Text("ping"),)),), output_limit=OUTPUT_LIMIT)


def _said(answer: Whole) -> str:
    """The upstream's own words on a failure, on one line; nothing on success."""
    if 200 <= answer.status < 300:
        return ""
    text = answer.body.decode("utf-8", "replace")
    try:
        found = cast(object, json.loads(text))
    except ValueError:
        found = text
    while isinstance(found, dict):
        inner = cast(dict[str, object], found)
        found = inner.get("error") or inner.get("message") or inner.get("detail") or text
    return " ".join(str(found).split())[:300]


def _hide(message: str, candidate: Candidate) -> str:
    """Upstreams like to repeat the key that they refuse."""
    for value in candidate.credential.values.values():
        if len(value) >= 4:
            message = message.replace(value.reveal(), "***")
    return message
