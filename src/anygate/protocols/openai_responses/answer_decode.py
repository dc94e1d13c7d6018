"""A complete response -> events.

Source: https://platform.openai.com/docs/api-reference/responses/object (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any

from anygate.canonical.chat_events import BlockStarted, ChatEvent, Started
from anygate.canonical.errors import ProtocolViolation
from anygate.protocols.chat_codec import Source
from anygate.protocols.json_values import as_objects, as_text
from anygate.protocols.lenient_json import load_object
from anygate.protocols.openai_responses.json_values import whole
from anygate.protocols.openai_responses.output import end_events, item_events


def decode_answer(body: bytes, source: Source) -> list[ChatEvent]:
    """The events of a plain answer; one that failed ends with `Failed`.

    Raises:
        ProtocolViolation: it is no response object.
    """
    document = load_object(body)
    if document is None or not isinstance(document.get("output"), list | None):
        raise ProtocolViolation("The upstream's answer is no response object")
    if "output" not in document and "status" not in document and "error" not in document:
        raise ProtocolViolation("The upstream's answer is no response object")
    events: list[ChatEvent] = [started(document)]
    if not document.get("status"):  # some upstreams leave it out of what is complete
        document = {**document, "status": "failed" if document.get("error") else "completed"}
    block = 0
    for item in as_objects(document.get("output")):
        added = item_events(item, block, source)
        events += added
        block += sum(isinstance(event, BlockStarted) for event in added)
    kinds = {event.kind for event in events if isinstance(event, BlockStarted)}
    return [*events, *end_events(document, called="tool" in kinds, refused="refusal" in kinds)]


def started(response: Mapping[str, Any]) -> Started:
    """How the events of a response begin."""
    return Started(as_text(response.get("id")), as_text(response.get("model")), whole(response.get("created_at")))
