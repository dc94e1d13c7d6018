"""A request for a thing in an upstream account: let in, sent there, answered. It is free, and nothing of it is translated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from urllib.parse import quote, urlencode

from anygate.canonical.channel import Channel, Credential
from anygate.canonical.errors import (
    ClientGoneError,
    GatewayError,
    NotFound,
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefusedKey,
)
from anygate.canonical.token import Token
from anygate.edge.exchange import RelayExchange
from anygate.observe.record import Attempt, Record
from anygate.providers import registry
from anygate.relay.bill import Bill
from anygate.relay.gateway import Gateway
from anygate.relay.headers import Headers, answer_headers, default_lines, request_lines
from anygate.relay.pages import pairs_of
from anygate.relay.passing import pass_on
from anygate.relay.pins import channel_at
from anygate.relay.serve import FREE, authenticate
from anygate.relay.targets import Targets
from anygate.routing.affinity import Place
from anygate.routing.directory import Candidate, Line
from anygate.routing.failover import REFUSED_KEY, judge
from anygate.upstream.ask import Whole, ask

MOST_ANSWER_BYTES = 512 << 20
_SECONDS = 600.0
_PASSED_ON = frozenset({"files.content"})
"""What is not kept whole on its way: many slow readers would fill the memory."""


def unlogged(_: Record) -> None:
    """The refusal is logged by who answers it."""


async def admit(gateway: Gateway, exchange: RelayExchange, record: Record) -> tuple[Token, Bill]:
    """The token, and a hold of nothing: these requests are free, but they count for the token's limits."""
    token = await authenticate(gateway, exchange, record)
    exchange.proceed()
    body = exchange.body if exchange.body.complete else await exchange.receive()
    if not body.complete:
        raise ClientGoneError
    record.request_bytes = body.size
    bill = Bill(gateway.journal, record, FREE, 0, 0, audio_in=False, audio_out=False)
    await bill.reserve(token, gateway.clock(), record.started_ms + gateway.deadline_ms)
    return token, bill


def channels_serving(gateway: Gateway, token: Token, operation: str) -> list[tuple[Channel, Credential]]:
    """Channels of the token's group whose provider has the operation, the highest priority first."""
    snapshot = gateway.configuration.snapshot
    found = [
        (channel, credential)
        for channel in snapshot.channels
        if token.group in channel.groups
        and (table := gateway.providers.get(channel.provider)) is not None
        and registry.endpoint(table, operation, channel.options) is not None
        for credential in channel.credentials
    ]
    return sorted(found, key=lambda pair: -pair[0].priority)


async def call(
    gateway: Gateway,
    exchange: RelayExchange,
    record: Record,
    places: Sequence[Place],
    query: Mapping[str, str] | None = None,
) -> tuple[Whole, Place]:
    """The first answer that may pass; of answers that may not, the last, unless it concerns the operator's key."""
    failure: GatewayError = NotFound("The channel that made this is gone")
    refusal: tuple[Whole, Place] | None = None
    reason = "pinned" if len(places) == 1 else "first"
    for place in places:
        found = channel_at(gateway.configuration.snapshot, place)
        if found is None:
            continue
        channel, credential = found
        record.attempts.append(Attempt(channel=channel.name, status=0, reason=reason, key_id=credential.id))
        record.channel, record.provider = channel.name, channel.provider
        began = perf_counter()
        refusal = None
        try:
            whole = await _ask(gateway, exchange, record, channel, credential, query)
        except UpstreamError as error:
            failure, reason = error, f"failover: {error.code}"
            continue
        record.attempts[-1].status = whole.status
        record.attempts[-1].milliseconds = int((perf_counter() - began) * 1000)
        if judge(whole.status, None) == "pass" or (len(places) == 1 and whole.status == 404):
            return whole, place
        failure, refusal = UpstreamRefusedKey(), (whole, place) if whole.status not in REFUSED_KEY else None
        reason = f"failover: {whole.status}"
    if refusal is not None:
        return refusal
    raise failure


async def _ask(
    gateway: Gateway,
    exchange: RelayExchange,
    record: Record,
    channel: Channel,
    credential: Credential,
    query: Mapping[str, str] | None,
) -> Whole:
    table = gateway.providers[channel.provider]
    endpoint = registry.endpoint(table, exchange.route.operation, channel.options)
    if endpoint is None:
        raise UpstreamError("The channel does not serve this any more")
    path = endpoint.path
    for name, value in exchange.parameters.items():
        path = path.replace("{" + name + "}", quote(value, safe=""))
    pairs = pairs_of(exchange.query) if query is None else [*query.items()]
    line = Line(channel, table, replace(endpoint, path=path, query=_joined(endpoint.query, pairs)), "")
    target = Targets().find(Candidate(line, credential))
    head = (
        target.head + request_lines(exchange.headers, target.taken) + default_lines(exchange.headers, target.defaults)
    )
    body = exchange.body
    pieces = [memoryview(body.buffer())] if body.size else []
    if target.auth is not None:
        head += await gateway.signer.lines(target, target.auth, credential, pieces)
    if exchange.route.operation in _PASSED_ON and exchange.method != "HEAD":
        begin = partial(_begin, gateway, exchange, record)
        return await pass_on(gateway.upstream, target.origin, head, pieces, exchange, begin)
    whole = await ask(gateway.upstream, target.origin, head, pieces, most_bytes=MOST_ANSWER_BYTES, seconds=_SECONDS)
    if whole.cut:
        raise UpstreamInvalid("The upstream's answer is too large")
    return whole


def _begin(gateway: Gateway, exchange: RelayExchange, record: Record, status: int, headers: Headers) -> None:
    allowed = gateway.routes.protocol_of(exchange.route).response_headers
    exchange.head(status, answer_headers(headers, allowed) + gateway.own_headers(exchange, record, 0.0))


def _joined(fixed: str, pairs: Sequence[tuple[str, str]]) -> str:
    """The endpoint's own query and the client's."""
    return "&".join(filter(None, (fixed, urlencode(pairs, quote_via=quote, safe=""))))


def answer(gateway: Gateway, exchange: RelayExchange, record: Record, whole: Whole) -> None:
    """The upstream's whole answer to the client, and what the record says of it."""
    record.status = 499 if exchange.disconnected else whole.status
    if whole.status >= 400:
        record.error = "upstream_refused"
    allowed = gateway.routes.protocol_of(exchange.route).response_headers
    headers = answer_headers(whole.headers, allowed) + gateway.own_headers(exchange, record, 0.0)
    exchange.answer(whole.status, headers, whole.body)
    record.latency_ms = (perf_counter() - exchange.started_at) * 1000
    record.response_bytes = exchange.bytes_sent
    exchange.body.discard()
