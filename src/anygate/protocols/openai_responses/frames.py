"""Frames of a Responses stream, numbered as they are made.

Source: https://platform.openai.com/docs/api-reference/responses-streaming (2026-11-22).
"""

from collections.abc import Sequence
from typing import Any

from anygate.canonical.blocks import TokenLogprob
from anygate.canonical.chat_events import BlockStarted
from anygate.protocols.openai_responses.json_values import dumps
from anygate.protocols.openai_responses.parts import encode_logprobs
from anygate.protocols.sse import frame

_DELTAS = {
    "text": "response.output_text.delta",
    "refusal": "response.refusal.delta",
    "thinking": "response.reasoning_summary_text.delta",
    "tool": "response.function_call_arguments.delta",
}
_INDEXES = {"text": b"content_index", "refusal": b"content_index", "thinking": b"summary_index"}


class Frames:
    """Makes frames; `sequence_number` rises by one from 0."""

    __slots__ = ("_sequence",)

    def __init__(self) -> None:
        self._sequence = 0

    def make(self, kind: str, **members: Any) -> bytes:
        """The frame of an event."""
        body = {"type": kind, "sequence_number": self._sequence, **members}
        self._sequence += 1
        return frame(dumps(body), kind)

    def delta(self, head: bytes, tail: bytes, text: str, logprobs: Sequence[TokenLogprob] = ()) -> bytes:
        """The frame of a delta, whose bytes around the text were made once (`delta_head`)."""
        sequence = self._sequence
        self._sequence = sequence + 1
        if logprobs:
            tail = b',"logprobs":%b,"sequence_number":' % dumps(encode_logprobs(logprobs))
        return b"%b%b%b%d}\n\n" % (head, dumps(text), tail, sequence)


def delta_head(start: BlockStarted, item_id: str, index: int, part: int) -> tuple[bytes, bytes]:
    """The bytes of a block's deltas before the text and after it.

    Args:
        start: of the block.
        item_id: of its item.
        index: of its item in `output`.
        part: of its content in the item; 0 where there is one only.
    """
    kind = ("response.custom_tool_call_input.delta" if start.custom else _DELTAS[start.kind]).encode()
    place = b',"%b":%d' % (_INDEXES[start.kind], part) if start.kind in _INDEXES else b""
    head = b'event: %b\ndata: {"type":"%b","item_id":%b,"output_index":%d%b,"delta":' % (
        kind,
        kind,
        dumps(item_id),
        index,
        place,
    )
    return head, b',"logprobs":[],"sequence_number":' if start.kind == "text" else b',"sequence_number":'
