"""Counting a request's input tokens: asked of the provider where it can be, else estimated."""

from anygate.canonical.errors import ClientGoneError
from anygate.edge.exchange import RelayExchange
from anygate.observe.record import Record
from anygate.relay.asked import media_tokens
from anygate.relay.gateway import Gateway
from anygate.relay.local import answer_json
from anygate.relay.serve import authenticate, chat_codec, check_model, find_service, route_parameters, serve_chat


async def count_tokens(gateway: Gateway, exchange: RelayExchange, record: Record) -> None:
    """`POST /v1/messages/count_tokens` and its like; free.

    A channel that counts in the client's own protocol is asked. For a model that is served through another protocol
    the answer is the gateway's estimate (a quarter of the text's bytes, and a figure per media part), and a warning says so.
    """
    token = await authenticate(gateway, exchange, record)
    exchange.proceed()
    body = exchange.body if exchange.body.complete else await exchange.receive()
    if not body.complete:
        raise ClientGoneError
    protocol = gateway.routes.protocol_of(exchange.route)
    codec = chat_codec(protocol)
    request = codec.read(body.buffer(), route_parameters(exchange))
    directory = gateway.directory
    counting = directory.service(request.model, exchange.route.operation, token.group, protocol.name)
    if counting is not None or codec.encode_count is None:
        rest = serve_chat(gateway, exchange, record)
        if rest is not None:
            await rest
        return
    check_model(token, request.model)
    service = find_service(directory, token, request.model, "chat", protocol.name)
    record.model, record.request_bytes = request.model, body.size
    record.warnings = "input_tokens;estimated by the gateway"
    answer_json(
        gateway, exchange, record, codec.encode_count((request.text_bytes + 3) // 4 + media_tokens(service, request))
    )
