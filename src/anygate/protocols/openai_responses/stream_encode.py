"""Events -> a Responses stream; it ends with the whole response, as clients that ignore deltas expect.

Source: https://platform.openai.com/docs/api-reference/responses-streaming (2026-11-22).
"""

from collections.abc import Sequence

from anygate.canonical.chat_events import BlockStarted, ChatEvent, Failed, Finished, Started, TextDelta, Used
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Reply
from anygate.protocols.openai_responses.ending import encode_failure, ending
from anygate.protocols.openai_responses.frames import Frames
from anygate.protocols.openai_responses.output_items import CallNaming, Item
from anygate.protocols.openai_responses.output_writer import OutputWriter
from anygate.protocols.openai_responses.response_object import response_object


class ResponsesStreamEncoder:
    """See chat_codec.StreamEncoder. Choices but the first one are left out: this protocol has one.

    Attributes:
        response: the whole response, once the stream has ended.
    """

    def __init__(self, reply: Reply) -> None:
        self.response: Item = {}
        self._reply = reply
        self._make = Frames()
        self._writer = OutputWriter(self._make, CallNaming(reply.chat.tools), reply.id)
        self._model = reply.model
        self._created = reply.created
        self._begun = False
        self._usage: Usage | None = None
        self._finished: Finished | None = None

    def feed(self, events: Sequence[ChatEvent]) -> bytes:
        """Frames for the events; may be empty. After a `Failed` the protocol's error event, and nothing more."""
        frames: list[bytes] = []
        for event in events:
            if self.response:
                break
            if type(event) is TextDelta and not event.choice:
                usual = self._writer.usual(event)
                if usual is not None:
                    frames.append(usual)
                    continue
            self._take(event, frames)
        return b"".join(frames)

    def finish(self) -> bytes:
        """The events are over: terminal frames with finish reason and usage, if they were not sent yet."""
        frames: list[bytes] = []
        if self.response:
            return b""
        if self._finished is None:
            self._fail(Failed("The answer ended before it was complete"), frames)
            return b"".join(frames)
        self._begin(frames)
        self._writer.close(frames)
        status, reason = ending(self._finished, refused=self._writer.refused)
        self.response = self._respond(status, incomplete=reason)
        frames.append(self._make.make(f"response.{status}", response=self.response))
        return b"".join(frames)

    def _take(self, event: ChatEvent, frames: list[bytes]) -> None:
        match event:
            case Started():
                self._model = event.model or self._model
                self._created = self._created or event.created
                self._begin(frames)
            case Used():
                self._usage = event.usage
            case Failed():
                self._fail(event, frames)
            case _ if event.choice:
                pass
            case Finished():
                self._finished = event
                self._writer.close(frames)
            case BlockStarted():
                self._begin(frames)
                self._writer.start(event, frames)
            case _:
                self._writer.grow(event, frames)

    def _begin(self, frames: list[bytes]) -> None:
        if self._begun:
            return
        self._begun = True
        response = self._respond("in_progress")
        frames.append(self._make.make("response.created", response=response))
        frames.append(self._make.make("response.in_progress", response=response))

    def _fail(self, failed: Failed, frames: list[bytes]) -> None:
        self._begin(frames)
        self._writer.close(frames)
        self.response = self._respond("failed", error=encode_failure(failed))
        frames.append(self._make.make("response.failed", response=self.response))

    def _respond(self, status: str, incomplete: str = "", error: Item | None = None) -> Item:
        return response_object(
            self._reply.chat,
            response_id=f"resp_{self._reply.id}",
            model=self._model,
            created=self._created,
            status=status,
            output=self._writer.output,
            usage=self._usage,
            error=error,
            incomplete=incomplete,
            completed=self._created if status == "completed" else 0,
        )
