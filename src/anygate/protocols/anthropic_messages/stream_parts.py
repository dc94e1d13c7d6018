"""Pieces of a stream's decoder: the usual event, and a block while it is open."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from anygate.protocols.anthropic_messages.encode_blocks import decode_arguments
from anygate.protocols.json_spans import shallow

MOST_PIECES = 1 << 24
"""Characters of an input that are kept where it must be whole; what is longer is no call that a model makes."""


class Delta(msgspec.Struct, gc=False):
    """A piece of a block."""

    type: str
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    signature: str = ""


class BlockDelta(msgspec.Struct, gc=False, tag_field="type", tag="content_block_delta"):
    """The usual event; all others are read as objects."""

    index: int
    delta: Delta


decode_delta = msgspec.json.Decoder(BlockDelta).decode


class OpenBlock:
    """A block of the stream while it is open.

    Attributes:
        number: of the canonical block.
        kind: "text", "thinking", "call", "custom", "answer" (a call that is text), "native" or "search".
        raw: of a native block, as it began.
        pieces: JSON text of an input that cannot be passed on piece by piece.
        given: the whole input of a call, where its first event brought it.
    """

    __slots__ = ("given", "kind", "number", "pieces", "raw", "size")

    def __init__(self, number: int, kind: str, raw: dict[str, Any]) -> None:
        self.number = number
        self.kind = kind
        self.raw = raw
        self.pieces: list[str] = []
        self.size = 0
        self.given = ""


def whole(raw: dict[str, Any]) -> dict[str, Any]:
    """A block as it begins, with the members that are still to come."""
    match raw["type"]:
        case "text":
            return {**raw, "text": text_of(raw, "text")}
        case "thinking":
            return {**raw, "thinking": text_of(raw, "thinking"), "signature": text_of(raw, "signature")}
        case "tool_use":
            return {**raw, "input": object_of(raw, "input")}
        case _:
            return raw


def with_input(held: OpenBlock) -> dict[str, Any]:
    """A native block with the input that came in pieces."""
    if not held.pieces:
        return held.raw
    text = "".join(held.pieces)
    given = decode_arguments(text)
    return {**held.raw, "input": given if shallow(given) else {"_raw": text}}


def object_of(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A member that is an object, {} where it is none."""
    value = body.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def text_of(body: Mapping[str, Any], name: str) -> str:
    """A member that is a string, "" where it is none."""
    value = body.get(name)
    return value if isinstance(value, str) else ""
