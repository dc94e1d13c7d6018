"""The request of one attempt: in the client's own words where the upstream takes them, else translated; signed if need be."""

import msgspec

from anygate.canonical.chat import Chat, Reasoning
from anygate.canonical.errors import UnsupportedContent
from anygate.edge.exchange import RelayExchange
from anygate.protocols.chat_codec import Edits, Reply
from anygate.relay.asked import Asked
from anygate.relay.headers import default_lines, request_lines
from anygate.relay.inline import inline_media
from anygate.relay.models_asked import check_further_models
from anygate.relay.prepared import Prepared
from anygate.relay.signatures import SignatureWatch, restore
from anygate.relay.targets import Target
from anygate.relay.translation import Translation, warning_text
from anygate.routing.directory import Candidate


def prepare(asked: Asked, candidate: Candidate, limit: int | None) -> Prepared | None:
    """The request in the client's own protocol, its bytes but for the usual edits; None: it must be written anew.

    Args:
        asked: the request.
        candidate: whom it is for.
        limit: of the output, to be written into it.

    Raises:
        UpstreamError: the channel is not configured rightly.
        ModelNotAllowed, InvalidRequest: as `check_further_models`.
    """
    line, request, codec = candidate.line, asked.request, asked.codec
    if line.endpoint.other_models:
        check_further_models(asked, line)
    if not line.native or asked.reasoning is not None or asked.foreign:
        return None
    channel, endpoint, exchange = line.channel, line.endpoint, asked.exchange
    target = asked.gateway.targets.find(candidate, request.stream, request.stream_form)
    set_body, drop_body = channel.set_body, channel.drop_body
    if endpoint.set_body or endpoint.drop_body:
        set_body, drop_body = {**endpoint.set_body, **set_body}, (*endpoint.drop_body, *drop_body)
    if (
        limit is None
        and drop_body
        and request.limit is not None
        and not set(drop_body).isdisjoint(request.limit_fields)
    ):
        limit = request.limit  # the hold covers no more: what the channel drops is said in another field
    ask_usage = request.stream and target.stream_usage and codec.usage_filter is not None and not request.include_usage
    field = line.provider.limit_field if codec.limit_fields else ""
    pieces = codec.edit(request, Edits(line.model, limit, field, ask_usage, set_body, drop_body))
    return Prepared(target, _native_head(exchange, target), pieces, codec, ask_usage)


def _native_head(exchange: RelayExchange, target: Target) -> bytes:
    """The head of a request in the client's own protocol: with its own headers."""
    head = target.head + request_lines(exchange.headers, target.taken, exchange.named)
    return head + default_lines(exchange.headers, target.defaults) if target.defaults else head


async def write_anew(asked: Asked, candidate: Candidate, limit: int | None) -> Prepared:
    """The request in another protocol, or in the client's own with a body that is written anew.

    Raises:
        GatewayError: it cannot be said there, or what it holds cannot be had.
    """
    line, request, gateway, record = candidate.line, asked.request, asked.gateway, asked.record
    codec = gateway.codecs[line.endpoint.protocol]
    if asked.chat is None:
        asked.chat = await restore(gateway.keeper, asked.token.user_id, canonical(asked))
    chat = asked.chat
    if codec.inlines is not None:
        chat = await inline_media(gateway.upstream, gateway.client_networks, chat, codec.inlines)
    reply = Reply(
        id=record.request_id.replace("-", ""),
        model=record.model,
        created=record.started_ms // 1000,
        chat=state.echoing(chat, asked.said) if (state := asked.codec.state) is not None else chat,
        estimate=asked.text_tokens,
    )
    watch = SignatureWatch(gateway.keeper, asked.token.user_id, chat)
    translation = Translation(asked.codec, codec, chat, line, limit, reply, watch)
    form = request.stream_form if line.native else ""
    target = gateway.targets.find(candidate, request.stream, form)
    record.warnings = warning_text(translation.dropped)
    # An answer in the client's own protocol passes as it is, but for usage that only we have asked for.
    if not line.native:
        return Prepared(target, _foreign_head(target), [translation.body], codec, False, translation)
    strip = request.stream and codec.usage_filter is not None and not request.include_usage
    return Prepared(target, _native_head(asked.exchange, target), [translation.body], codec, strip)


async def sign(asked: Asked, candidate: Candidate, prepared: Prepared) -> None:
    """Add the header that the credential makes for this very request.

    Raises:
        UpstreamError: it makes none.
    """
    target = prepared.target
    if target.auth is not None:
        lines = await asked.gateway.signer.lines(target, target.auth, candidate.credential, prepared.body)
        prepared.head += lines


def _foreign_head(target: Target) -> bytes:
    """The head of a request in another protocol: the client's headers would mean nothing there."""
    return target.head + _TRANSLATED_HEADERS + default_lines([], target.defaults)


_TRANSLATED_HEADERS = b"content-type: application/json\r\naccept: */*\r\nuser-agent: anygate\r\n"


def canonical(asked: Asked) -> Chat:
    """The request in canonical words.

    Raises:
        InvalidRequest: it cannot be read.
        UnsupportedContent: the client's protocol is served natively only.
    """
    if asked.codec.decode_request is None:
        raise UnsupportedContent(f"No channel serves the model {asked.request.model!r} in this protocol", param="model")
    chat = asked.codec.decode_request(asked.request)
    wanted = asked.reasoning
    if wanted is None:
        return chat
    said = chat.reasoning or Reasoning()
    return msgspec.structs.replace(
        chat,
        model=asked.request.model,
        reasoning=msgspec.structs.replace(
            wanted, show=said.show or wanted.show, summary=said.summary, encrypted=said.encrypted
        ),
    )
