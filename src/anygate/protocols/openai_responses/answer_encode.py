"""A complete answer -> the response object."""

from typing import Any

from anygate.canonical.chat_events import Answer
from anygate.protocols.chat_codec import Reply
from anygate.protocols.fold import unfold
from anygate.protocols.openai_responses.json_values import dumps
from anygate.protocols.openai_responses.stream_encode import ResponsesStreamEncoder


def encode_answer(answer: Answer, reply: Reply) -> bytes:
    """The body of a plain answer; the same response with which a stream of it would end."""
    return dumps(answer_object(answer, reply))


def answer_object(answer: Answer, reply: Reply) -> dict[str, Any]:
    """The response object of a complete answer."""
    encoder = ResponsesStreamEncoder(reply)
    encoder.feed(unfold(answer))
    encoder.finish()
    return encoder.response
