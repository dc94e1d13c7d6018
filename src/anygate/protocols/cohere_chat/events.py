"""An answer's stream -> its JSON events."""

from collections.abc import Sequence

from anygate.protocols.json_values import Object
from anygate.protocols.lenient_json import load_object
from anygate.protocols.sse import SseEvent
from anygate.protocols.wrapped_sse import WrappedSseDecoder


class EventReader:
    """Fed in any slices; what is no JSON object (the `[DONE]` at the end) is passed over."""

    __slots__ = ("_sse",)

    def __init__(self) -> None:
        self._sse = WrappedSseDecoder()

    def feed(self, block: bytes) -> list[Object]:
        """The events that are complete now."""
        return _objects(self._sse.feed(block))

    def finish(self) -> list[Object]:
        """The body is over: a last event without its empty line counts too."""
        return _objects(self._sse.finish())


def _objects(events: Sequence[SseEvent]) -> list[Object]:
    found = (load_object(event.data) for event in events if event.data != b"[DONE]")
    return [event for event in found if event is not None]
