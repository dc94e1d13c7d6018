"""What a WebSocket of OpenAI Responses remembers between its turns: the last answer, while nobody else keeps it.

A turn may name the one before it by `previous_response_id` though nothing was stored (`store: false`), and a turn with
`generate: false` only prepares the next. Whatever upstream serves the turns, it gets the whole conversation.

Source: https://developers.openai.com/api/docs/guides/websocket-mode (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, cast

import orjson

from anygate.canonical.chat_events import Finished, Started, Used
from anygate.canonical.errors import UnsupportedContent
from anygate.canonical.usage import NO_USAGE
from anygate.protocols.chat_codec import ChatCodec, Reply
from anygate.protocols.json_values import as_object, as_objects, object_of
from anygate.protocols.sse import SseDecoder


class SocketMemory:
    """The last answer of one connection, with the conversation that it ended."""

    def __init__(self, codec: ChatCodec) -> None:
        self._codec = codec
        self._id = ""
        self._conversation: list[dict[str, Any]] = []

    def continued(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A turn with its history in place of the id that stood for it, where it is the one remembered here.

        Args:
            fields: the request's document.
        """
        state = self._codec.state
        if state is None or not self._id or fields.get("previous_response_id") != self._id:
            return dict(fields)
        kept = {name: value for name, value in fields.items() if name != "previous_response_id"}
        given: Any = fields.get("input")
        if given is None or isinstance(given, str | list):  # anything else is refused where it is read
            new = cast("list[Any]", given) if isinstance(given, list) else state.conversation_of(given, [])
            kept["input"] = [*self._conversation, *new]
        return kept

    def remember(self, fields: Mapping[str, Any], ending: bytes) -> None:
        """A turn is over.

        Args:
            fields: what was asked, its history included.
            ending: the answer's last event; what failed cannot be continued.
        """
        self._id = ""
        self._conversation = []
        state = self._codec.state
        answer = _answer_in(ending)
        if state is None or not answer:
            return
        if state.wants_keeping(fields) and fields.get("generate") is not False:
            return  # it is kept under its id, by the upstream or by the gateway
        self._id = str(answer.get("id") or "")
        self._conversation = state.conversation_of(fields.get("input"), _continuable(answer.get("output")))

    def warm_up(self, fields: Mapping[str, Any], name: str, created: int) -> list[bytes]:
        """The events of an answer to a turn that generates nothing; no upstream is asked, and nothing is charged.

        Args:
            fields: the request's document.
            name: a new id, letters and digits.
            created: unix seconds.

        Raises:
            InvalidRequest: what was asked cannot be read.
        """
        codec = self._codec
        if codec.decode_request is None or codec.stream_encoder is None:
            raise UnsupportedContent("`generate` is not supported", param="generate")
        asked = {field: value for field, value in fields.items() if field != "generate"}
        request = codec.read(orjson.dumps(asked), {})
        encoder = codec.stream_encoder(Reply(name, request.model, created, codec.decode_request(request)))
        decoder = SseDecoder()
        body = encoder.feed([Started("", request.model, created), Finished("end"), Used(NO_USAGE)]) + encoder.finish()
        return [event.data for event in (*decoder.feed(body), *decoder.finish())]


def _answer_in(ending: bytes) -> dict[str, Any]:
    """The answer with which a turn ended well; {} of any other event, and of what an upstream should not have sent."""
    event = object_of(ending)
    well = event.get("type") in ("response.completed", "response.incomplete")
    return as_object(event.get("response")) if well else {}


def _continuable(output: Any) -> list[dict[str, Any]]:
    """The items that an upstream takes which has stored nothing: reasoning only with what it was encrypted to."""
    return [item for item in as_objects(output) if item.get("type") != "reasoning" or item.get("encrypted_content")]
