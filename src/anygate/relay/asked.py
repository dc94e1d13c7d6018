"""One request that may be served: all that is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anygate.canonical.chat import Chat, Reasoning
from anygate.canonical.token import Token
from anygate.edge.exchange import RelayExchange
from anygate.observe.record import Record
from anygate.protocols.chat_codec import ChatCodec
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.table import Protocol
from anygate.relay.bill import Bill
from anygate.relay.gateway import Gateway
from anygate.routing.affinity import Place
from anygate.routing.directory import Service


@dataclass(slots=True, eq=False)
class Asked:
    """What is asked, by whom, of whom, and at what price.

    Attributes:
        reasoning: what the ending of the model's name asks for.
        place: the only channel and key that can serve it, if it names what lies there.
        said: the request's document as the client wrote it, before its history was put in.
        foreign: the history holds signatures that this protocol's own providers would refuse.
        chat: the request in canonical words, once they were needed.
        text_tokens: input tokens by the gateway's own count.
    """

    gateway: Gateway
    exchange: RelayExchange
    record: Record
    protocol: Protocol
    codec: ChatCodec
    request: ChatRequest
    bill: Bill
    service: Service
    token: Token
    reasoning: Reasoning | None
    place: Place | None
    said: Mapping[str, Any]
    chat: Chat | None = field(default=None, init=False)
    foreign: bool = field(init=False)
    text_tokens: int = field(init=False)

    def __post_init__(self) -> None:
        request, holds_foreign = self.request, self.codec.holds_foreign
        self.foreign = holds_foreign is not None and holds_foreign(request)
        self.text_tokens = (request.text_bytes + 3) // 4
        if request.media:
            self.text_tokens += media_tokens(self.service, request)


def media_tokens(service: Service, request: ChatRequest) -> int:
    """Input tokens held for the request's media parts."""
    figures = service.lines[0].provider.media_tokens
    return sum(figures.get(kind, 0) * count for kind, count in request.media.items())
