"""Events of an answer <-> the complete answer."""

from collections.abc import Iterable, Sequence

import msgspec

from anygate.canonical.blocks import (
    Block,
    Citation,
    Media,
    NativeBlock,
    Refusal,
    Signature,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
    ToolResult,
    WebSearchCall,
)
from anygate.canonical.chat_events import (
    Answer,
    ArgumentsDelta,
    BlockEnded,
    BlockPiece,
    BlockStarted,
    ChatEvent,
    Choice,
    Cited,
    Failed,
    Finished,
    MediaDelta,
    NativeItem,
    RefusalDelta,
    Signed,
    Started,
    TextDelta,
    ThinkingDelta,
    Used,
)
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage


class _Open:
    """A block while it grows."""

    def __init__(self, start: BlockStarted) -> None:
        self.start = start
        self.texts: list[str] = []
        self.citations: list[Citation] = []
        self.logprobs: list[TokenLogprob] = []
        self.signature: Signature | None = None
        self.media: Media | None = None
        self.item: NativeBlock | WebSearchCall | None = None

    def take_media(self, piece: Media) -> None:
        held = self.media
        if held is None:
            self.media = piece
            return
        self.media = Media(
            kind=held.kind,
            mime=held.mime or piece.mime,
            data=held.data + piece.data,
            url=held.url or piece.url,
            transcript=held.transcript + piece.transcript,
            id=held.id or piece.id,
            expires_at=held.expires_at or piece.expires_at,
            signature=held.signature or piece.signature,
        )

    def done(self) -> Block | None:
        start, text = self.start, "".join(self.texts)
        match start.kind:
            case "text":
                return Text(text, tuple(self.citations), None, self.signature, tuple(self.logprobs))
            case "thinking":
                return Thinking(text, self.signature, start.redacted, start.id)
            case "tool":
                return ToolCall(start.id, start.name, text, start.custom, self.signature)
            case "refusal":
                return Refusal(text)
            case "media":
                if self.media is None or self.signature is None:
                    return self.media
                return msgspec.structs.replace(self.media, signature=self.signature)
            case "native":
                return self.item


def fold(events: Iterable[ChatEvent]) -> Answer:
    """The answer that the events make. Blocks stand in the order of their numbers.

    Raises:
        ProtocolViolation: the events hold a `Failed`; or they, or those of one choice, never finish.
    """
    started = Started()
    usage: Usage | None = None
    blocks: dict[int, dict[int, _Open]] = {}
    finishes: dict[int, Finished] = {}
    for event in events:
        if isinstance(event, Started):
            started = event
            usage = event.usage or usage
            continue
        if isinstance(event, Used):
            usage = event.usage
            continue
        if isinstance(event, Failed):
            raise ProtocolViolation(event.message)
        if isinstance(event, Finished):
            finishes[event.choice] = event
            continue
        if isinstance(event, BlockStarted):
            blocks.setdefault(event.choice, {})[event.block] = _Open(event)
            continue
        held = blocks.get(event.choice, {}).get(event.block)
        if held is None:
            raise ProtocolViolation("an event names a block that never began")
        _grow(held, event)
    if not finishes or not finishes.keys() >= blocks.keys():
        raise ProtocolViolation("the answer has no end")
    choices: list[Choice] = []
    for index in sorted(finishes):
        opened = blocks.get(index, {})
        done = (opened[number].done() for number in sorted(opened))
        choices.append(Choice(tuple(block for block in done if block is not None), finishes[index]))
    return Answer(started.id, started.model, started.created, tuple(choices), usage)


def _grow(held: _Open, event: BlockPiece) -> None:
    match event:
        case TextDelta():
            held.texts.append(event.text)
            held.logprobs += event.logprobs
        case ThinkingDelta() | ArgumentsDelta() | RefusalDelta():
            held.texts.append(event.text)
        case Signed():
            held.signature = event.signature
        case Cited():
            held.citations.append(event.citation)
        case MediaDelta():
            held.take_media(event.media)
        case NativeItem():
            held.item = event.item
        case BlockEnded():
            pass


def unfold(answer: Answer) -> list[ChatEvent]:
    """Events that fold to the answer: to all of it that an answer's events can say.

    What only a request's blocks have (cache marks, a call's `item_id`, `Thinking.summary`) is not said.
    """
    events: list[ChatEvent] = [Started(answer.id, answer.model, answer.created)]
    for choice in answer.choices:
        index = choice.finish.choice
        for number, block in enumerate(choice.blocks):
            events += block_events(block, number, index)
        events.append(choice.finish)
    if answer.usage is not None:
        events.append(Used(answer.usage))
    return events


def block_events(block: Block, number: int, choice: int = 0) -> Sequence[ChatEvent]:
    """A complete block as events."""
    if isinstance(block, ToolResult):
        raise TypeError("an answer holds no tool results")
    start, body = _opened(block, number, choice)
    if not isinstance(block, Refusal | NativeBlock | WebSearchCall) and block.signature is not None:
        body.append(Signed(number, block.signature, choice))
    return [start, *body, BlockEnded(number, choice)]


def _opened(
    block: Text | Media | Thinking | ToolCall | Refusal | NativeBlock | WebSearchCall, number: int, choice: int
) -> tuple[BlockStarted, list[ChatEvent]]:
    """How a block begins, and what fills it."""
    match block:
        case Text():
            filling: list[ChatEvent] = []
            if block.text or block.logprobs:
                filling.append(TextDelta(number, block.text, choice, block.logprobs))
            filling += [Cited(number, citation, choice) for citation in block.citations]
            return BlockStarted(number, "text", choice), filling
        case Thinking():
            start = BlockStarted(number, "thinking", choice, block.id, redacted=block.redacted)
            return start, [ThinkingDelta(number, block.text, choice)] if block.text else []
        case ToolCall():
            start = BlockStarted(number, "tool", choice, block.id, block.name, block.custom)
            return start, [ArgumentsDelta(number, block.arguments, choice)] if block.arguments else []
        case Media():
            return BlockStarted(number, "media", choice), [MediaDelta(number, block, choice)]
        case Refusal():
            return BlockStarted(number, "refusal", choice), [RefusalDelta(number, block.text, choice)]
        case NativeBlock() | WebSearchCall():
            return BlockStarted(number, "native", choice), [NativeItem(number, block, choice)]
