"""OpenAI Responses over a WebSocket: each `response.create` is a request, its events are messages, one at a time.

Source: https://developers.openai.com/api/reference/resources/responses/websocket-events (2026-11-22).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from hashlib import sha256
from typing import Any, cast

import orjson

from anygate.canonical.errors import GatewayError, InvalidRequest, NotFound, RequestTooLarge
from anygate.edge.exchange import Headers
from anygate.edge.keys import KEY_HEADERS, find_key
from anygate.edge.local_exchange import LocalExchange
from anygate.protocols.json_values import object_of
from anygate.protocols.sse import SseDecoder, SseEvent
from anygate.protocols.table import Protocol
from anygate.relay.gateway import Gateway
from anygate.relay.headers import value_of
from anygate.relay.serve import find_token
from anygate.relay.socket_memory import SocketMemory

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH = "/v1/responses"
MOST_WAITING_MESSAGES = 256


async def serve_socket(gateway: Gateway, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """One ASGI WebSocket connection, until the client leaves."""
    await receive()  # websocket.connect
    headers: Headers = list(scope["headers"])
    try:
        if scope["path"] != PATH:
            raise NotFound("There is no WebSocket at this path")
        key = find_key(headers, scope["query_string"])
        await find_token(gateway, sha256(key).digest())  # what it may do is looked at for each request
    except GatewayError as error:
        await _refuse(gateway, scope, send, error)
        return
    await send({"type": "websocket.accept", "subprotocol": _subprotocol(scope.get("subprotocols") or ())})
    client = scope.get("client")
    socket = _Socket(gateway, _request_headers(headers, key), client[0] if client else "", send)
    while not socket.gone:
        message = await socket.next(receive)
        if message["type"] != "websocket.receive":
            socket.leave()
        else:
            await socket.take(message.get("text") or message.get("bytes") or b"", receive)


async def _refuse(gateway: Gateway, scope: MutableMapping[str, Any], send: Send, error: GatewayError) -> None:
    """No connection is opened: an HTTP answer says why, or (where the server cannot send one) a bare 403."""
    status, headers, body = _protocol(gateway).encode_error(error, gateway.new_id())
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body})
    else:
        await send({"type": "websocket.close", "code": 4000 + status})


def _subprotocol(offered: Sequence[str]) -> str | None:
    """The one to agree on: browsers hang up if none is chosen. Those that only carry something are not chosen."""
    return next((name for name in offered if not name.startswith("openai-")), None)


def _request_headers(headers: Headers, key: bytes) -> Headers:
    """The handshake's headers as those of a request; the key stands in one place, wherever it came from."""
    dropped = KEY_HEADERS | {b"connection", b"upgrade", b"content-length", b"content-type"}
    kept = [pair for pair in headers if pair[0] not in dropped and not pair[0].startswith(b"sec-websocket-")]
    return [*kept, (b"authorization", b"Bearer " + key), (b"content-type", b"application/json")]


class _Socket:
    def __init__(self, gateway: Gateway, headers: Headers, address: str, send: Send) -> None:
        codec = _protocol(gateway).chat
        if codec is None:
            raise TypeError("the protocol of the path is no chat protocol")
        self._gateway = gateway
        self._headers = headers
        self._address = address
        self._send = send
        self._exchange: LocalExchange | None = None
        self._memory = SocketMemory(codec)
        self._early: MutableMapping[str, Any] | None = None  # came while the last answer's end was on its way
        self.gone = False

    def leave(self) -> None:
        """The client has left: whatever runs is told."""
        self.gone = True
        if self._exchange is not None:
            self._exchange.gone()

    async def next(self, receive: Receive) -> MutableMapping[str, Any]:
        """The client's next message."""
        early, self._early = self._early, None
        return early if early is not None else await receive()

    async def take(self, text: str | bytes, receive: Receive) -> None:
        """A message of the client; returns when its answer is complete."""
        try:
            fields = self._memory.continued(_request_of(text))
            body = _written({**fields, "stream": True})
            if len(body) > self._gateway.limits.max_body_bytes:  # with what the connection remembers
                raise RequestTooLarge("The conversation of this connection is too large to go on with")
            if fields.get("generate") is False:
                await self._warm_up(fields)
                return
        except GatewayError as error:
            await self._send_event(_error_event(error.status, _encoded(self._gateway, error)))
            return
        messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        answer = _Answer(messages)
        exchange = self._exchange = LocalExchange(
            self._gateway.routes.find_route("POST", PATH),
            path=PATH.encode(),
            headers=self._headers,
            body=body,
            address=self._address,
            on_begin=answer.begin,
            on_data=answer.data,
            on_finish=answer.finish,
        )
        answer.exchange = exchange
        self._gateway.begin(exchange)
        watcher = asyncio.ensure_future(self._watch(receive, answer))
        try:
            while (event := await messages.get()) is not None:
                await self._send_event(event)
                if not exchange.writable and messages.qsize() < MOST_WAITING_MESSAGES // 2:
                    exchange.resumed()
        finally:
            watcher.cancel()
            await asyncio.wait([watcher])
            if not exchange.response_complete:
                exchange.gone()
            self._exchange = None
        self._memory.remember(fields, answer.last)

    async def _warm_up(self, fields: dict[str, Any]) -> None:
        """Answer a turn that only prepares the next one."""
        created = int(self._gateway.clock())
        events = self._memory.warm_up(fields, self._gateway.new_id().replace("-", ""), created)
        self._memory.remember(fields, events[-1])
        for event in events:
            await self._send_event(event)

    async def _watch(self, receive: Receive, answer: "_Answer") -> None:
        """While an answer runs the client may leave; what else it sends is refused, for one answer runs at a time.

        A client that has seen the last event may ask on at once, before the gateway itself is done with the answer.
        """
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self.leave()
                return
            if answer.ended:
                self._early = message
                return
            busy = InvalidRequest("A response is being made on this connection; wait for its end")
            await self._send_event(_error_event(400, _encoded(self._gateway, busy)))

    async def _send_event(self, event: bytes) -> None:
        if self.gone:
            return
        try:
            await self._send({"type": "websocket.send", "text": event.decode("utf-8", "replace")})
        except OSError:  # the server has noticed before us that the client is gone
            self.leave()


class _Answer:
    """From the relay's bytes to messages.

    Attributes:
        last: the last event.
        ended: it is one that ends an answer.
    """

    exchange: LocalExchange

    def __init__(self, messages: "asyncio.Queue[bytes | None]") -> None:
        self._messages = messages
        self._decoder = SseDecoder()
        self._status = 200
        self._plain = bytearray()
        self._is_plain = False
        self.last = b""
        self.ended = False

    def begin(self, status: int, headers: Headers) -> None:
        self._status = status
        self._is_plain = status != 200 or not value_of(headers, b"content-type").startswith(b"text/event-stream")

    def data(self, data: bytes) -> None:
        if self._is_plain:
            self._plain += data
            return
        self._tell(self._decoder.feed(data))
        if self._messages.qsize() > MOST_WAITING_MESSAGES and self.exchange.writable:
            self.exchange.paused()

    def finish(self, complete: bool) -> None:
        if self._is_plain and self._status != 200:
            self._put(_error_event(self._status, bytes(self._plain)), ends=True)
        elif self._is_plain:
            self._put(b'{"type":"response.completed","sequence_number":0,"response":%b}' % self._plain, ends=True)
        else:
            self._tell(self._decoder.finish() if complete else [])
            if not self.ended:
                self._put(_BROKEN_OFF, ends=True)
        self._messages.put_nowait(None)

    def _tell(self, events: Sequence[SseEvent]) -> None:
        for _, data in events:
            try:
                document = orjson.loads(data)
            except orjson.JSONDecodeError:
                continue  # what an upstream left unfinished when it broke off; an error follows
            if not isinstance(document, dict):
                continue
            event = cast("dict[str, Any]", document)
            kind = event.get("type")
            self._put(data if kind != "error" else _error_message(event), ends=kind == "error" or kind in _LAST)

    def _put(self, event: bytes, *, ends: bool) -> None:
        self.last = event
        self.ended = self.ended or ends
        self._messages.put_nowait(event)


_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_BROKEN_OFF = orjson.dumps(
    {
        "type": "error",
        "status": 502,
        "error": {"type": "server_error", "code": "upstream_error", "message": "The answer broke off", "param": None},
    }
)


def _error_message(event: Mapping[str, Any]) -> bytes:
    """An `error` event of a stream as one of a socket, where the error is an object and has a status."""
    if isinstance(event.get("error"), dict):
        return orjson.dumps({"status": 500, **event})
    error = {"type": "server_error", **{name: event.get(name) for name in ("code", "message", "param")}}
    error["message"] = error["message"] or "The request failed"
    status = 429 if error["code"] in ("rate_limit_exceeded", "insufficient_quota") else 500
    kept = {name: event[name] for name in ("sequence_number",) if name in event}
    return orjson.dumps({"type": "error", "status": status, "error": error, **kept})


def _request_of(text: str | bytes) -> dict[str, Any]:
    """A client's message -> the document of the request that it stands for.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidRequest("The message is not valid JSON") from None
    if not isinstance(message, dict):
        raise InvalidRequest("The message must be a JSON object")
    fields = cast("dict[str, Any]", message)
    if fields.get("type") != "response.create":
        raise InvalidRequest("`type` must be response.create", param="type")
    if fields.get("background"):
        raise InvalidRequest("`background` cannot be used over a WebSocket", param="background")
    nested = fields.get("response")
    source = cast("dict[str, Any]", nested) if isinstance(nested, dict) and "model" not in fields else fields
    return {name: value for name, value in source.items() if name not in ("type", "event_id", "background")}


def _written(fields: dict[str, Any]) -> bytes:
    """The document as a request's body; that something shall be generated goes without saying there.

    Raises:
        InvalidRequest: it is nested too deeply.
    """
    try:
        return orjson.dumps({name: value for name, value in fields.items() if name != "generate"})
    except orjson.JSONEncodeError:
        raise InvalidRequest("The message is nested too deeply") from None


def _protocol(gateway: Gateway) -> Protocol:
    return gateway.routes.protocol_of(gateway.routes.find_route("POST", PATH))


def _encoded(gateway: Gateway, error: GatewayError) -> bytes:
    return _protocol(gateway).encode_error(error, gateway.new_id())[2]


def _error_event(status: int, body: bytes) -> bytes:
    """`{"type": "error", "status", "error"}`."""
    error = object_of(body).get("error") or {"message": "The request failed"}
    return orjson.dumps({"type": "error", "status": status, "error": error})
