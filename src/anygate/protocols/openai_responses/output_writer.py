"""The items of a stream while they grow, and the frames that tell of them.

An item opens with its first content. Adjacent texts share a message; a message stays open until something else begins and all
its texts have ended.
Source: https://platform.openai.com/docs/api-reference/responses-streaming (2026-11-22).
"""

from anygate.canonical.blocks import Signature
from anygate.canonical.chat_events import (
    ArgumentsDelta,
    BlockEnded,
    BlockStarted,
    Cited,
    MediaDelta,
    NativeItem,
    RefusalDelta,
    Signed,
    TextDelta,
    ThinkingDelta,
)
from anygate.protocols.openai_responses.carrier import MADE, Of
from anygate.protocols.openai_responses.frames import Frames, delta_head
from anygate.protocols.openai_responses.growing import OpenBlock, OpenMessage, joined
from anygate.protocols.openai_responses.output_items import (
    CallNaming,
    Item,
    carrier_item,
    media_item,
    media_text,
    message_item,
    native_item,
    reasoning_item,
    refusal_part,
    text_part,
)
from anygate.protocols.openai_responses.parts import encode_annotation

Growth = (
    TextDelta | ThinkingDelta | ArgumentsDelta | RefusalDelta | MediaDelta | Signed | Cited | NativeItem | BlockEnded
)


class OutputWriter:
    """Takes the events of blocks, appends frames to a list.

    Attributes:
        refused: a refusal was among the blocks.
    """

    def __init__(self, frames: Frames, naming: CallNaming, reply_id: str) -> None:
        self.refused = False
        self._make = frames
        self._naming = naming
        self._reply_id = reply_id
        self._blocks: dict[int, OpenBlock] = {}
        self._messages: dict[int, OpenMessage] = {}  # open ones, by output index
        self._output: dict[int, Item] = {}
        self._next_index = 0

    @property
    def output(self) -> list[Item]:
        """The items that are complete, in order."""
        return [self._output[index] for index in sorted(self._output)]

    def usual(self, event: TextDelta) -> bytes | None:
        """The frame of the usual event, more text of a block that is known; None: it is none of these."""
        held = self._blocks.get(event.block)
        if held is None or not held.shown or event.logprobs or held.start.kind != "text":
            return None
        held.texts.append(event.text)
        return self._make.delta(held.head, held.tail, event.text)

    def start(self, event: BlockStarted, frames: list[bytes]) -> None:
        """A block begins."""
        self._blocks[event.block] = held = OpenBlock(event)
        if event.kind == "tool" and not self._naming.native_kind(event.name):
            self._show(held, frames)

    def grow(self, event: Growth, frames: list[bytes]) -> None:
        """A block goes on or ends; one that never began is skipped."""
        held = self._blocks.get(event.block)
        if held is None:
            return
        match event:
            case TextDelta() | ThinkingDelta() | ArgumentsDelta() | RefusalDelta():
                self._text(held, event, frames)
            case Signed():
                held.signature = event.signature
            case Cited():
                held.citations.append(event.citation)
            case MediaDelta():
                held.media = joined(held.media, event.media)
            case NativeItem():
                self._native(held, event, frames)
            case BlockEnded():
                self._end(held, frames)

    def close(self, frames: list[bytes]) -> None:
        """End all that is open."""
        for held in list(self._blocks.values()):
            self._end(held, frames)
        self._seal(frames)

    def _new_id(self, prefix: str, index: int) -> str:
        return f"{prefix}_{self._reply_id}{index:02x}"

    def _announce(self, prefix: str, item_id: str = "") -> tuple[int, str]:
        """The place and id of a new item; messages that were open are not added to any more."""
        index = self._next_index
        self._next_index += 1
        return index, item_id or self._new_id(prefix, index)

    def _seal(self, frames: list[bytes]) -> None:
        for message in list(self._messages.values()):
            message.sealed = True
            if not message.growing:
                self._end_message(message, frames)

    def _show(self, held: OpenBlock, frames: list[bytes]) -> None:
        """Announce the item, or the part of a message, of a block."""
        held.shown = True
        start = held.start
        match start.kind:
            case "tool":
                self._seal(frames)
                held.index, held.item_id = self._announce(self._naming.prefix(start.name, custom=start.custom))
                item = self._naming.item(held.item_id, start.id, start.name, "", custom=start.custom, done=False)
                frames.append(self._make.make("response.output_item.added", output_index=held.index, item=item))
            case "thinking":
                self._seal(frames)
                held.index, held.item_id = self._announce(MADE, start.id if start.id.startswith("rs_") else "")
                item = reasoning_item(held.item_id, "", None)
                frames.append(self._make.make("response.output_item.added", output_index=held.index, item=item))
            case _:
                self._show_part(held, frames)
        held.head, held.tail = delta_head(start, held.item_id, held.index, held.part)

    def _show_part(self, held: OpenBlock, frames: list[bytes]) -> None:
        message = next((message for message in self._messages.values() if not message.sealed), None)
        if message is None:
            index, item_id = self._announce("msg")
            message = self._messages[index] = OpenMessage(index, item_id)
            item = message_item(item_id, (), done=False)
            frames.append(self._make.make("response.output_item.added", output_index=index, item=item))
        held.index, held.item_id, held.part = message.index, message.item_id, len(message.content)
        part = refusal_part("") if held.start.kind == "refusal" else text_part("", (), ())
        message.content.append(part)
        message.growing += 1
        frames.append(
            self._make.make(
                "response.content_part.added",
                item_id=held.item_id,
                output_index=held.index,
                content_index=held.part,
                part=part,
            )
        )

    def _text(
        self, held: OpenBlock, event: TextDelta | ThinkingDelta | ArgumentsDelta | RefusalDelta, frames: list[bytes]
    ) -> None:
        logprobs = event.logprobs if isinstance(event, TextDelta) else ()
        if not event.text and not logprobs:
            return
        first = not held.texts
        held.texts.append(event.text)
        if held.start.kind == "tool" and not held.shown:
            return  # a native call is told when it is complete
        if not held.shown:
            self._show(held, frames)
        if first and held.start.kind == "thinking":
            frames.append(self._summary_part(held, "added", ""))
        held.logprobs += logprobs
        frames.append(self._make.delta(held.head, held.tail, event.text, logprobs))

    def _summary_part(self, held: OpenBlock, what: str, text: str) -> bytes:
        return self._make.make(
            f"response.reasoning_summary_part.{what}",
            item_id=held.item_id,
            output_index=held.index,
            summary_index=0,
            part={"type": "summary_text", "text": text},
        )

    def _native(self, held: OpenBlock, event: NativeItem, frames: list[bytes]) -> None:
        index = self._next_index
        item = native_item(self._new_id("ws", index), event.item)
        if item is not None:
            self._seal(frames)
            self._next_index += 1
            self._whole(index, item, frames)
            return
        shown = getattr(event.item, "text", "")
        if shown:
            held.start = BlockStarted(held.start.block, "text")
            self._text(held, TextDelta(held.start.block, shown), frames)

    def _whole(self, index: int, item: Item, frames: list[bytes]) -> None:
        """An item that comes complete; one of a web search with the events that its readers wait for."""
        frames.append(self._make.make("response.output_item.added", output_index=index, item=item))
        if item.get("type") == "web_search_call":
            for stage in ("in_progress", "searching", "completed"):
                kind = f"response.web_search_call.{stage}"
                frames.append(self._make.make(kind, output_index=index, item_id=item.get("id") or ""))
        self._done(index, item, frames)

    def _done(self, index: int, item: Item, frames: list[bytes]) -> None:
        self._output[index] = item
        frames.append(self._make.make("response.output_item.done", output_index=index, item=item))

    def _end(self, held: OpenBlock, frames: list[bytes]) -> None:
        """The block is complete."""
        self._blocks.pop(held.start.block, None)
        match held.start.kind:
            case "text" | "refusal":
                self._end_part(held, frames)
            case "thinking":
                self._end_thinking(held, frames)
            case "tool":
                self._end_call(held, frames)
            case "media":
                self._end_media(held, frames)
            case "native":
                pass

    def _end_part(self, held: OpenBlock, frames: list[bytes]) -> None:
        if not held.shown:
            if held.signature is not None:
                self._carry("text", held.signature, frames)
            return
        message = self._messages[held.index]
        text = "".join(held.texts)
        where = {"item_id": held.item_id, "output_index": held.index, "content_index": held.part}
        if held.start.kind == "refusal":
            self.refused = True
            part = refusal_part(text)
            frames.append(self._make.make("response.refusal.done", **where, refusal=text))
        else:
            part = text_part(text, held.citations, held.logprobs)
            for number, citation in enumerate(held.citations):  # only now is it known how far the text goes
                note = {"annotation_index": number, "annotation": encode_annotation(citation, text)}
                frames.append(self._make.make("response.output_text.annotation.added", **where, **note))
            frames.append(self._make.make("response.output_text.done", **where, text=text, logprobs=part["logprobs"]))
        frames.append(self._make.make("response.content_part.done", **where, part=part))
        message.content[held.part] = part
        message.growing -= 1
        message.signature = held.signature or message.signature
        if message.sealed and not message.growing:
            self._end_message(message, frames)

    def _end_message(self, message: OpenMessage, frames: list[bytes]) -> None:
        del self._messages[message.index]
        self._done(message.index, message_item(message.item_id, message.content), frames)
        if message.signature is not None:
            self._carry("text", message.signature, frames)

    def _end_thinking(self, held: OpenBlock, frames: list[bytes]) -> None:
        if not held.shown:
            if held.signature is None:
                return
            self._show(held, frames)
        text = "".join(held.texts)
        if text:
            where = {"item_id": held.item_id, "output_index": held.index, "summary_index": 0}
            frames.append(self._make.make("response.reasoning_summary_text.done", **where, text=text))
            frames.append(self._summary_part(held, "done", text))
        item = reasoning_item(held.item_id, text, held.signature, redacted=held.start.redacted)
        self._done(held.index, item, frames)

    def _end_call(self, held: OpenBlock, frames: list[bytes]) -> None:
        start, arguments = held.start, "".join(held.texts)
        if not held.shown:
            self._show(held, frames)
        elif start.custom:
            where = {"item_id": held.item_id, "output_index": held.index}
            frames.append(self._make.make("response.custom_tool_call_input.done", **where, input=arguments))
        else:
            arguments = arguments or "{}"
            item = self._naming.item(held.item_id, start.id, start.name, arguments, custom=False)
            where = {"item_id": held.item_id, "output_index": held.index, "name": item["name"]}
            frames.append(self._make.make("response.function_call_arguments.done", **where, arguments=arguments))
        item = self._naming.item(held.item_id, start.id, start.name, arguments, custom=start.custom)
        self._done(held.index, item, frames)
        if held.signature is not None:
            self._carry("call", held.signature, frames, start.id)

    def _end_media(self, held: OpenBlock, frames: list[bytes]) -> None:
        media = held.media
        if media is None:
            return
        item = media_item(self._new_id("ig", self._next_index), media)
        if item is not None:
            self._seal(frames)
            self._next_index += 1
            self._whole(self._next_index - 1, item, frames)
        else:
            held.start = BlockStarted(held.start.block, "text")
            self._text(held, TextDelta(held.start.block, media_text(media)), frames)
            self._end_part(held, frames)
        signature = held.signature or media.signature
        if signature is not None and item is not None:
            self._carry("media", signature, frames)

    def _carry(self, of: Of, signature: Signature, frames: list[bytes], call_id: str = "") -> None:
        index, item_id = self._announce("rs")
        self._whole(index, carrier_item(item_id, of, signature, call_id), frames)
