"""The line that every relayed request walks. This is the file to read to understand the gateway."""

import hashlib
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from anygate.canonical.chat import Reasoning
from anygate.canonical.errors import (
    ClientGoneError,
    InsufficientQuota,
    InvalidApiKey,
    ModelNotFound,
    ModelNotPriced,
)
from anygate.canonical.price import Price
from anygate.canonical.token import Token
from anygate.edge.addresses import inside, parse_address
from anygate.edge.exchange import RelayExchange
from anygate.edge.keys import find_key
from anygate.observe.record import Record
from anygate.pricing.compile import compile_price
from anygate.pricing.model import PricedModel
from anygate.protocols.chat_codec import ChatCodec
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.table import Protocol
from anygate.relay.asked import media_tokens
from anygate.relay.attempts import SILENT_OPERATIONS, Attempts, Elsewhere
from anygate.relay.background import is_wanted, prepare, start
from anygate.relay.bill import Bill
from anygate.relay.gateway import Gateway
from anygate.relay.history import bind, refers
from anygate.relay.models_asked import WHAT_IT_MAY, check_model
from anygate.routing.affinity import Place
from anygate.routing.directory import Directory, Service
from anygate.routing.patterns import matches
from anygate.routing.variants import read_variant

FREE = compile_price(Price(rates={}, free=True))
FREE_OPERATIONS = frozenset({"count_tokens"})
"""What no provider charges for, whatever the model's price."""


def serve_chat(gateway: Gateway, exchange: RelayExchange, record: Record) -> Awaitable[None] | None:
    """Serve one chat request: who asks, what, may they, can they pay. `relay.attempts` goes on once the money is held.

    Returns what must be awaited, where the database or the rest of the body must be.

    Raises:
        GatewayError: refused before any channel was asked; nothing is held.
    """
    protocol = gateway.routes.protocol_of(exchange.route)
    codec, body = chat_codec(protocol), exchange.body
    token = known_token(gateway, exchange)
    if token is None or not body.complete:
        return _serve_in_steps(gateway, exchange, record, protocol, codec)
    check_token(token, record)
    request = read_request(exchange, record, codec)
    check_model(token, request.model)
    if refers(codec, request):
        return _bind_and_ask(gateway, exchange, record, protocol, codec, request, token)
    _ask(gateway, exchange, record, protocol, codec, request, token, None, request.document)
    return None


async def _serve_in_steps(
    gateway: Gateway, exchange: RelayExchange, record: Record, protocol: Protocol, codec: ChatCodec
) -> None:
    """The same where something must be waited for."""
    token = await authenticate(gateway, exchange, record)
    if exchange.expect_continue:
        await check_purse(gateway, token)
        exchange.proceed()
    if not exchange.body.complete and not (await exchange.receive()).complete:
        raise ClientGoneError
    request = read_request(exchange, record, codec)
    check_model(token, request.model)
    await _bind_and_ask(gateway, exchange, record, protocol, codec, request, token)


async def _bind_and_ask(
    gateway: Gateway,
    exchange: RelayExchange,
    record: Record,
    protocol: Protocol,
    codec: ChatCodec,
    request: ChatRequest,
    token: Token,
) -> None:
    """The same for a request that may name what lies elsewhere."""
    said = request.document
    bound = await bind(gateway.keeper, token.user_id, codec, request)
    _ask(gateway, exchange, record, protocol, codec, bound.request, token, bound.place, said)


def _ask(
    gateway: Gateway,
    exchange: RelayExchange,
    record: Record,
    protocol: Protocol,
    codec: ChatCodec,
    request: ChatRequest,
    token: Token,
    place: Place | None,
    said: Mapping[str, Any],
) -> None:
    """Find channels and price, and ask the ledger for the hold."""
    directory, operation = gateway.directory, exchange.route.operation
    elsewhere: Elsewhere | None = None
    if codec.state is not None and operation == "chat" and is_wanted(request):
        in_background = prepare(codec, record, said, request)
        request = in_background.request
        elsewhere = partial(start, gateway, record, in_background)
    reasoning = read_name(directory, token, request)
    service = find_service(directory, token, request.model, operation, protocol.name)
    price = FREE if operation in FREE_OPERATIONS else find_price(directory, service, token, request)
    bill = estimate(gateway, service, price, request, record, operation)
    attempts = Attempts(
        gateway,
        exchange,
        record,
        protocol,
        codec,
        request,
        bill,
        service,
        token,
        reasoning,
        place,
        said,
        elsewhere,
    )
    hold = bill.hold(token, record.started_ms / 1000, record.started_ms + gateway.deadline_ms)
    gateway.asking += 1
    gateway.journal.ask(hold, attempts.granted)


# Who asks?


async def authenticate(gateway: Gateway, exchange: RelayExchange, record: Record) -> Token:
    """The token behind the request's key, which may be used.

    Raises:
        InvalidApiKey: none, unknown, disabled, expired, or the address may not use it.
        InvalidRequest: two different keys.
    """
    token = known_token(gateway, exchange)
    if token is None:
        token = await find_token(gateway, key_hash(exchange))
    check_token(token, record)
    return token


def key_hash(exchange: RelayExchange) -> bytes:
    """The hash of the request's key, by which its token is known.

    Raises:
        InvalidApiKey: there is no key.
        InvalidRequest: two different keys.
    """
    head = exchange.known
    if not head.key_hash:
        head.key_hash = hashlib.sha256(find_key(exchange.headers, exchange.query, exchange.named)).digest()
    return head.key_hash


def known_token(gateway: Gateway, exchange: RelayExchange) -> Token | None:
    """The token behind the request's key, whatever it may do; None: the database must be asked.

    Raises:
        InvalidApiKey: there is no key, or it is known to be nobody's.
        InvalidRequest: two different keys.
    """
    configuration = gateway.configuration
    token = configuration.cached_token(key_hash(exchange))
    return None if token is configuration.MISS else _checked(token)


async def find_token(gateway: Gateway, key_hash: bytes) -> Token:
    """The token with this key, whatever it may do.

    Raises:
        InvalidApiKey: there is none.
    """
    configuration = gateway.configuration
    token = configuration.cached_token(key_hash)
    return _checked(await configuration.load_token(key_hash) if token is configuration.MISS else token)


def _checked(token: object) -> Token:
    if not isinstance(token, Token):
        raise InvalidApiKey("The API key is unknown. Is it a key of this gateway, and copied whole?")
    return token


def check_token(token: Token, record: Record) -> None:
    """Note whose request it is, and whether the token may be used.

    Raises:
        InvalidApiKey: it is disabled, expired, or the address may not use it.
    """
    record.user_id, record.user = token.user_id, token.user
    record.token_id, record.token, record.group = token.id, token.name, token.group
    if not token.enabled:
        raise InvalidApiKey("The API key is disabled. Use another, or have it enabled")
    if token.expires_ms is not None and token.expires_ms <= record.started_ms:
        raise InvalidApiKey("The API key has expired. Ask for a new one")
    if token.allow_ips and not inside(parse_address(record.client_ip), token.allow_ips):
        raise InvalidApiKey(
            f"The API key may not be used from {record.client_ip}. Have the address allowed, or use another key"
        )


async def check_purse(gateway: Gateway, token: Token) -> None:
    """Is there any money at all? Asked before a client is told to send its body.

    Raises:
        InsufficientQuota: a purse is empty.
    """
    if min(await gateway.balances(token.purses)) <= 0:
        raise InsufficientQuota("The balance behind this key, or its own quota, is used up. Top it up to go on")


# What is asked, and may they?


def chat_codec(protocol: Protocol) -> ChatCodec:
    """The protocol's chat half."""
    codec = protocol.chat
    if codec is None:
        raise TypeError(f"{protocol.name} is no chat protocol")
    return codec


def read_request(exchange: RelayExchange, record: Record, codec: ChatCodec) -> ChatRequest:
    """What the complete body asks for.

    Raises:
        InvalidRequest: it cannot be read.
    """
    body, parameters = exchange.body, exchange.parameters
    request = codec.read(body.buffer(), route_parameters(exchange) if parameters else parameters)
    record.model, record.stream, record.request_bytes = request.model, request.stream, body.size
    return request


def route_parameters(exchange: RelayExchange) -> dict[str, str]:
    """What path and query say of a request whose body does not say all: the path's parts, `method` and `alt`."""
    query = parse_qs(exchange.query.decode("latin-1"))
    method = exchange.path.decode("latin-1").rpartition(":")[2]
    return {**exchange.parameters, "method": method, "alt": query.get("alt", [""])[0]}


def read_name(directory: Directory, token: Token, request: ChatRequest) -> Reasoning | None:
    """What the ending of the model's name asks for; the request's model is then the name without it.

    A name that is listed or priced as it stands has no ending.
    """
    if directory.lists(request.model, token.group):
        return None
    variant = read_variant(request.model)
    if variant is None or not directory.has_variant(variant.model, request.model, token.group):
        return None
    request.model = variant.model
    return variant.reasoning


def find_service(directory: Directory, token: Token, model: str, operation: str, protocol: str) -> Service:
    """The channels that serve the model to the token's group.

    Raises:
        ModelNotFound: none does; the message lists the nearest names.
    """
    service = directory.service(model, operation, token.group, protocol)
    if service is not None:
        return service
    if directory.lists(model, token.group):
        raise ModelNotFound(f"No channel that has the model {model!r} serves this kind of request", param="model")
    near = [name for name in directory.nearest(model, token.group) if not token.models or _allowed(token, name)]
    hint = f". Did you mean {', '.join(near)}?" if near else f". {WHAT_IT_MAY}"
    raise ModelNotFound(f"No channel serves the model {model!r}{hint}", param="model")


def find_price(directory: Directory, service: Service, token: Token, request: ChatRequest) -> PricedModel:
    """The price that the request will pay, whatever channel serves it.

    Raises:
        ModelNotPriced: there is none; the message names the line to add.
    """
    price = service.price
    if service.conditional:
        price = directory.price_for(request.model, token.group, service.lines[0], request.document)
    if price is None:
        raise ModelNotPriced(
            f'The model {request.model!r} has no price. The operator can add a [prices."{request.model}"] table with '
            "`input` and `output` in USD per million tokens, or `free = true`",
            param="model",
        )
    return price


def _allowed(token: Token, model: str) -> bool:
    return any(matches(pattern, model) for pattern in token.models)


# What may it cost?


def estimate(
    gateway: Gateway, service: Service, price: PricedModel, request: ChatRequest, record: Record, operation: str
) -> Bill:
    """The bill's bounds: input by bytes of text and a figure per media part, output by the limit that holds."""
    tokens = (request.text_bytes + 1) // 2
    if request.media:
        tokens += media_tokens(service, request)
    limit = request.limit if operation not in SILENT_OPERATIONS else 0
    if limit is None:
        limit = gateway.assumed_output
        if service.max_output:
            limit = min(limit, service.max_output)
    return Bill(
        gateway.journal,
        record,
        price,
        tokens,
        limit * request.choices,
        "audio" in request.media,
        request.audio_output,
    )
