"""Things that live in one upstream account: files, vector stores, kept answers. Made at a channel, reached by their ids."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple, cast
from urllib.parse import quote, urlencode

import orjson

from anygate.canonical.channel import Channel, Credential
from anygate.canonical.errors import (
    ClientGoneError,
    GatewayError,
    InvalidRequest,
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
from anygate.relay.headers import answer_headers, default_lines, request_lines
from anygate.relay.pages import page, query_of
from anygate.relay.pins import channel_at, common_place, find_pin, find_pins, pin, unpin
from anygate.relay.serve import FREE, authenticate
from anygate.relay.targets import Targets
from anygate.routing.affinity import Place
from anygate.routing.directory import Candidate, Line
from anygate.routing.failover import REFUSED_KEY, judge
from anygate.upstream.ask import Whole, ask

MOST_ANSWER_BYTES = 512 << 20
MOST_PAGES = 100
"""Of an account's list that are looked through for a user's own things, 100 each."""

_SECONDS = 600.0
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,255}")


class Resource(NamedTuple):
    """How a route of this kind is served.

    Attributes:
        holder: the path parameter that names the thing whose place serves the request; "": a new thing, at any place.
        references: members of the JSON body that name things which must lie at the same place; "files.file_id" is the
            member `file_id` of each object in the list `files`.
        gone: the thing that the path names is deleted by it.
    """

    holder: str = ""
    references: tuple[str, ...] = ()
    gone: bool = False


async def serve_resource(gateway: Gateway, exchange: RelayExchange, record: Record) -> None:
    """Hand a request on to the place where its thing lies, or to any for a new thing.

    Raises:
        NotFound: the user has no such thing.
        GatewayError: no channel serves this, or the upstream failed.
    """
    token, bill = await _admit(gateway, exchange, record)
    told = _told
    try:
        resource = RESOURCES[exchange.route.operation]
        places = await _places(gateway, exchange, token, resource)
        whole, place = await _try(gateway, exchange, record, places)
        if 200 <= whole.status < 300:
            await _remember(gateway, exchange, token, resource, place, whole)
        _answer(gateway, exchange, record, whole)
        told = gateway.finished
    finally:
        bill.refund(told)


async def list_resources(gateway: Gateway, exchange: RelayExchange, record: Record) -> None:
    """A list of the user's own things: those of the accounts' whose ids the user was given here.

    Raises:
        InvalidRequest: the page that is asked for is none.
        GatewayError: an upstream failed.
    """
    token, bill = await _admit(gateway, exchange, record)
    told = _told
    try:
        query = query_of(exchange.query)
        documents: list[dict[str, Any]] = []
        for channel, credential in _channels(gateway, token, exchange.route.operation):
            place = channel.id, credential.id
            async for data in _listed(gateway, exchange, record, place, query):
                pins = await find_pins(gateway.keeper, token.user_id, [str(item.get("id")) for item in data])
                documents += (
                    item for item in data if (known := pins.get(str(item.get("id")))) and known.place == place
                )
        documents.sort(key=_created, reverse=query.get("order", "desc") == "desc")
        files = exchange.route.operation == "files.list"
        shown = page(documents, query, limit=10_000 if files else 20, most=10_000 if files else 100)
        headers = [(b"content-type", b"application/json")]
        _answer(gateway, exchange, record, Whole(200, headers, orjson.dumps(shown), False))
        told = gateway.finished
    finally:
        bill.refund(told)


async def _listed(
    gateway: Gateway, exchange: RelayExchange, record: Record, place: Place, query: Mapping[str, str]
) -> AsyncIterator[list[dict[str, Any]]]:
    """All that one account has, page by page; nothing where it has no such list."""
    asked = {**{name: value for name, value in query.items() if name not in _PAGING}, "limit": "100"}
    for _ in range(MOST_PAGES):
        whole, _ = await _try(gateway, exchange, record, [place], asked)
        if whole.status == 404:
            return
        if whole.status != 200:
            raise UpstreamError
        data = _data(whole)
        yield data
        if not data or not _document(whole).get("has_more"):
            return
        asked["after"] = str(data[-1].get("id"))
    record.warnings = "list;more than can be looked through"


_PAGING = frozenset({"limit", "after", "before"})


def _created(item: Mapping[str, Any]) -> float:
    moment = item.get("created_at")
    return moment if isinstance(moment, int | float) else 0


def _told(_: Record) -> None:
    """The refusal is logged by who answers it."""


async def _admit(gateway: Gateway, exchange: RelayExchange, record: Record) -> tuple[Token, Bill]:
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


async def _places(gateway: Gateway, exchange: RelayExchange, token: Token, resource: Resource) -> Sequence[Place]:
    """Where the request may go."""
    keeper, place = gateway.keeper, None
    for name, value in exchange.parameters.items():
        if not _ID.fullmatch(value):  # "..", and all else that a path could mistake
            raise NotFound(f"There is no {value!r}", param=name)
    if resource.holder:
        name = exchange.parameters[resource.holder]
        found = await find_pin(keeper, token.user_id, name)
        if found is None:
            raise NotFound(f"There is no {name!r}", param=resource.holder)
        place = found.place
    if names := _named(exchange, resource):
        other = await common_place(keeper, token.user_id, names, resource.references[0])
        if None not in (place, other) and place != other:
            raise InvalidRequest("The files and stores of one request must have been made in one place")
        place = place or other
    if place is not None:
        return [place]
    places = [(channel.id, key.id) for channel, key in _channels(gateway, token, exchange.route.operation)]
    if not places:
        raise NotFound("No channel serves this")
    return places


def _named(exchange: RelayExchange, resource: Resource) -> list[str]:
    """The ids that the body's members name."""
    if not resource.references:
        return []
    try:
        document: Any = orjson.loads(bytes(exchange.body.buffer()) or b"{}")
    except orjson.JSONDecodeError:
        return []  # the upstream says what is wrong with it
    return [name for path in resource.references for name in _texts(document, path.split("."))]


def _texts(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(item, path)
    elif path and isinstance(value, dict):
        yield from _texts(cast("dict[str, Any]", value).get(path[0]), path[1:])
    elif not path and isinstance(value, str):
        yield value


def _channels(gateway: Gateway, token: Token, operation: str) -> list[tuple[Channel, Credential]]:
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


async def _try(
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
            whole = await _ask(gateway, exchange, channel, credential, query)
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
    pairs = query_of(exchange.query) if query is None else query
    line = Line(channel, table, replace(endpoint, path=path, query=_joined(endpoint.query, pairs)), "")
    target = Targets().find(Candidate(line, credential))
    head = (
        target.head + request_lines(exchange.headers, target.taken) + default_lines(exchange.headers, target.defaults)
    )
    body = exchange.body
    pieces = [memoryview(body.buffer())] if body.size else []
    if target.auth is not None:
        head += await gateway.signer.lines(target, target.auth, credential, pieces)
    whole = await ask(gateway.upstream, target.origin, head, pieces, most_bytes=MOST_ANSWER_BYTES, seconds=_SECONDS)
    if whole.cut:
        raise UpstreamInvalid("The upstream's answer is too large")
    return whole


def _joined(fixed: str, pairs: Mapping[str, str]) -> str:
    """The endpoint's own query and the client's."""
    return "&".join(filter(None, (fixed, urlencode(pairs, quote_via=quote, safe=""))))


async def _remember(
    gateway: Gateway, exchange: RelayExchange, token: Token, resource: Resource, place: Place, whole: Whole
) -> None:
    keeper = gateway.keeper
    if resource.gone:
        await unpin(keeper, token.user_id, exchange.parameters[resource.holder])
        return
    made = _document(whole).get("id")
    if not resource.holder and isinstance(made, str) and made:  # what only joins a store was made elsewhere
        pin(keeper, token.user_id, made, place)
        await keeper.settled()


def _answer(gateway: Gateway, exchange: RelayExchange, record: Record, whole: Whole) -> None:
    record.status = 499 if exchange.disconnected else whole.status
    if whole.status >= 400:
        record.error = "upstream_refused"
    allowed = gateway.routes.protocol_of(exchange.route).response_headers
    headers = answer_headers(whole.headers, allowed) + gateway.own_headers(exchange, record, 0.0)
    exchange.answer(whole.status, headers, whole.body)
    record.latency_ms = (perf_counter() - exchange.started_at) * 1000
    record.response_bytes = exchange.bytes_sent
    exchange.body.discard()


def _document(whole: Whole) -> Mapping[str, Any]:
    try:
        document = orjson.loads(whole.body)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


def _data(whole: Whole) -> list[dict[str, Any]]:
    data = _document(whole).get("data")
    return [
        cast("dict[str, Any]", item)
        for item in cast("list[Any]", data if isinstance(data, list) else [])
        if isinstance(item, dict)
    ]


RESOURCES: Mapping[str, Resource] = {
    "files.create": Resource(),
    "files.retrieve": Resource("file_id"),
    "files.delete": Resource("file_id", gone=True),
    "files.content": Resource("file_id"),
    "vector_stores.create": Resource(references=("file_ids",)),
    "vector_stores.retrieve": Resource("vector_store_id"),
    "vector_stores.modify": Resource("vector_store_id"),
    "vector_stores.delete": Resource("vector_store_id", gone=True),
    "vector_stores.search": Resource("vector_store_id"),
    "vector_stores.files.create": Resource("vector_store_id", references=("file_id",)),
    "vector_stores.files.list": Resource("vector_store_id"),
    "vector_stores.files.retrieve": Resource("vector_store_id"),
    "vector_stores.files.modify": Resource("vector_store_id"),
    "vector_stores.files.delete": Resource("vector_store_id"),
    "vector_stores.files.content": Resource("vector_store_id"),
    "vector_stores.file_batches.create": Resource("vector_store_id", references=("file_ids", "files.file_id")),
    "vector_stores.file_batches.retrieve": Resource("vector_store_id"),
    "vector_stores.file_batches.cancel": Resource("vector_store_id"),
    "vector_stores.file_batches.list_files": Resource("vector_store_id"),
    "responses.retrieve": Resource("response_id"),
    "responses.delete": Resource("response_id", gone=True),
    "responses.cancel": Resource("response_id"),
    "responses.input_items": Resource("response_id"),
}
"""Operation -> how it is served."""
