"""The events of an answer as it streams, and the complete answer.

A plain answer is the fold of the same events (`protocols.fold`), so there is one path.
"""

from typing import Literal

import msgspec

from anygate.canonical.blocks import Block, Citation, Media, NativeBlock, Signature, TokenLogprob, WebSearchCall
from anygate.canonical.usage import Usage

StopReason = Literal["end", "stop_sequence", "length", "window", "tool_call", "filtered", "refusal", "paused", "other"]


class Started(msgspec.Struct, gc=False):
    """The first event. `usage`: what the upstream says of the input already, for protocols that open with it."""

    id: str = ""
    model: str = ""
    created: int = 0
    usage: Usage | None = None


BlockKind = Literal["text", "thinking", "tool", "media", "refusal", "native"]


class BlockStarted(msgspec.Struct, gc=False):
    """A block opens. `block` numbers the blocks of a choice from 0, upwards; several may be open at once."""

    block: int
    kind: BlockKind
    choice: int = 0
    id: str = ""  # of a tool call, or of a thinking item
    name: str = ""
    custom: bool = False
    redacted: bool = False


class TextDelta(msgspec.Struct, gc=False):
    """More text of a text block."""

    block: int
    text: str
    choice: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


class ThinkingDelta(msgspec.Struct, gc=False):
    """More text of a thinking block."""

    block: int
    text: str
    choice: int = 0


class ArgumentsDelta(msgspec.Struct, gc=False):
    """More of a tool call's arguments, as JSON text."""

    block: int
    text: str
    choice: int = 0


class RefusalDelta(msgspec.Struct, gc=False):
    """More of a refusal's text."""

    block: int
    text: str
    choice: int = 0


class MediaDelta(msgspec.Struct):
    """A piece of generated media: base64 that can be appended (audio) or a whole (image)."""

    block: int
    media: Media
    choice: int = 0


class Signed(msgspec.Struct):
    """The signature of a thinking block, tool call, text or media block."""

    block: int
    signature: Signature
    choice: int = 0


class Cited(msgspec.Struct):
    """A citation of a text block."""

    block: int
    citation: Citation
    choice: int = 0


class NativeItem(msgspec.Struct):
    """The whole of a native block: a NativeBlock or a WebSearchCall."""

    block: int
    item: NativeBlock | WebSearchCall
    choice: int = 0


class BlockEnded(msgspec.Struct, gc=False):
    """A block is complete."""

    block: int
    choice: int = 0


class Finished(msgspec.Struct):
    """A choice is complete. `stop_sequence`: which one ended it; `detail`: what the upstream said of it, in words."""

    reason: StopReason
    choice: int = 0
    stop_sequence: str = ""
    detail: str = ""


class Used(msgspec.Struct):
    """What the request has consumed so far; the last one counts."""

    usage: Usage


class Failed(msgspec.Struct):
    """The upstream broke off with an error. `kind` is its own type or code, `message` its words."""

    message: str
    kind: str = ""
    status: int = 0


BlockPiece = (
    TextDelta | ThinkingDelta | ArgumentsDelta | RefusalDelta | MediaDelta | Signed | Cited | NativeItem | BlockEnded
)
"""What may come of a block that has started."""

ChatEvent = Started | BlockStarted | BlockPiece | Finished | Used | Failed


class Choice(msgspec.Struct, frozen=True):
    """One complete answer."""

    blocks: tuple[Block, ...]
    finish: Finished


class Answer(msgspec.Struct, frozen=True):
    """A complete answer: one or several choices, in order. `usage` is None where the upstream reported none."""

    id: str
    model: str
    created: int
    choices: tuple[Choice, ...]
    usage: Usage | None
