"""Blocks and messages of a stream while they grow."""

from anygate.canonical.blocks import Citation, Media, Signature, TokenLogprob
from anygate.canonical.chat_events import BlockStarted
from anygate.protocols.openai_responses.output_items import Item


class OpenBlock:
    """A block while it grows, and the item that it stands in."""

    __slots__ = (
        "citations",
        "head",
        "index",
        "item_id",
        "logprobs",
        "media",
        "part",
        "shown",
        "signature",
        "start",
        "tail",
        "texts",
    )

    def __init__(self, start: BlockStarted) -> None:
        self.start = start
        self.shown = False  # its item has been announced
        self.index = 0
        self.item_id = ""
        self.part = 0
        self.head = b""  # the bytes of a delta's frame before its text, and after it
        self.tail = b""
        self.texts: list[str] = []
        self.citations: list[Citation] = []
        self.logprobs: list[TokenLogprob] = []
        self.signature: Signature | None = None
        self.media: Media | None = None


class OpenMessage:
    """A message while it grows."""

    __slots__ = ("content", "growing", "index", "item_id", "sealed", "signature")

    def __init__(self, index: int, item_id: str) -> None:
        self.index, self.item_id = index, item_id
        self.content: list[Item] = []
        self.growing = 0
        self.sealed = False  # something else has begun
        self.signature: Signature | None = None


def joined(held: Media | None, piece: Media) -> Media:
    """Media that comes in pieces of base64."""
    if held is None:
        return piece
    return Media(
        held.kind,
        held.mime or piece.mime,
        held.data + piece.data,
        held.url or piece.url,
        transcript=held.transcript + piece.transcript,
        id=held.id or piece.id,
        signature=held.signature or piece.signature,
    )
