"""Signatures that have no field in this protocol: of a call, a text or an image that another provider signed.

They travel as a `redacted_thinking` block beside the block that they belong to, because clients hand such blocks back
untouched. Its data is the tagged signature, whose maker's name says which block is meant.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from anygate.canonical.blocks import Block, Media, Signature, Text, ToolCall
from anygate.protocols.signature_tag import tag

Place = Literal["next", "previous", "alone"]
_PLACES = ("next", "previous", "alone")


def carrier(signature: Signature, place: Place) -> dict[str, Any]:
    """The block that carries the signature of its next or previous neighbour, or of a text that was empty."""
    return {"type": "redacted_thinking", "data": tag(Signature(signature.value, f"{signature.maker}/{place}"))}


def carried(signature: Signature) -> tuple[Signature, str]:
    """(the signature with its real maker, where it belongs) of an untagged `data`; "" where it is thinking of its own."""
    maker, _, place = signature.maker.rpartition("/")
    return (Signature(signature.value, maker), place) if maker and place in _PLACES else (signature, "")


def reattach(blocks: Sequence[Block | tuple[Signature, str]]) -> list[Block]:
    """Blocks with carried signatures among them -> blocks that have them back; one without an owner is left out."""
    whole: list[Block] = []
    waiting: Signature | None = None
    for block in blocks:
        if not isinstance(block, tuple):
            whole.append(block if waiting is None else _sign(block, waiting))
            waiting = None
            continue
        signature, place = block
        if place == "next":
            waiting = signature
        elif place == "previous" and whole:
            whole[-1] = _sign(whole[-1], signature)
        elif place == "alone":
            whole.append(Text("", signature=signature))
    return whole


def _sign(block: Block, signature: Signature) -> Block:
    if isinstance(block, Text | Media | ToolCall):
        return msgspec.structs.replace(block, signature=signature)
    return block
