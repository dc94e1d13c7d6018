"""Tool calls of a choice, whose pieces come by index - or, from some upstreams, without one.

Sources: https://platform.openai.com/docs/guides/function-calling#streaming (2026-11-22); recorded answers of Mistral (no
index), Google (empty ids) and of servers that give every call the index 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from anygate.canonical.blocks import Signature
from anygate.canonical.chat_events import ArgumentsDelta, BlockEnded, BlockStarted, ChatEvent, Signed
from anygate.protocols.json_values import Object, as_object, as_text
from anygate.protocols.openai_chat.details import google_signature
from anygate.protocols.openai_chat.fields import json_text


@dataclass(slots=True)
class _Call:
    """A call while it grows; its block begins with the first arguments, for a name may come in pieces."""

    id: str
    name: str = ""
    custom: bool = False
    block: int = -1
    signature: Signature | None = None
    signed: bool = False


class CallReader:
    """The tool calls of one choice.

    Attributes:
        any: a call came.
    """

    __slots__ = ("_calls", "_index", "_last", "_maker", "_names", "_order", "_prefix", "any")

    def __init__(self, index: int, names: Mapping[str, str], prefix: str, maker: str) -> None:
        self._index = index
        self._names = names
        self._prefix = prefix
        self._maker = maker
        self._calls: dict[int, _Call] = {}
        self._order: list[_Call] = []
        self._last: _Call | None = None
        self.any = False

    def take(self, piece: Object, next_block: int, events: list[ChatEvent]) -> int:
        """A piece of a call. Gives the number of the next block."""
        inner = as_object(piece.get("function")) or as_object(piece.get("custom"))
        name = as_text(inner.get("name"))
        call = self._find(piece, name)
        if call is not self._last and self._last is not None:
            next_block = self._begin(self._last, next_block, events)
        self._last = call
        if name and call.block < 0 and name != call.name:
            call.name += name
        if piece.get("type") == "custom" or "custom" in piece:
            call.custom = True
        call.signature = google_signature(piece, self._maker) or call.signature
        given = inner.get("input") if call.custom else inner.get("arguments")
        arguments = json_text(given) if given is not None else ""
        if arguments:
            next_block = self._begin(call, next_block, events)
            events.append(ArgumentsDelta(call.block, arguments, self._index))
        if call.signature is not None and call.block >= 0 and not call.signed:
            self._sign(call, events)
        return next_block

    def end(self, next_block: int, events: list[ChatEvent]) -> int:
        """All calls are complete. Gives the number of the next block."""
        for call in self._order:
            next_block = self._begin(call, next_block, events)
            if call.signature is not None and not call.signed:
                self._sign(call, events)
            events.append(BlockEnded(call.block, self._index))
        return next_block

    def _find(self, piece: Object, name: str) -> _Call:
        """By index; without one by id. A new id under a known index, with a name, is a new call."""
        index, id = piece.get("index"), as_text(piece.get("id"))
        if type(index) is int:
            known = self._calls.get(index)
        else:
            known = next((call for call in self._order if id and call.id == id), None if id or name else self._last)
        if known is not None and not (id and id != known.id and name):
            return known
        self.any = True
        call = _Call(id or f"{self._prefix}{len(self._order)}")
        self._order.append(call)
        if type(index) is int:
            self._calls[index] = call
        return call

    def _begin(self, call: _Call, next_block: int, events: list[ChatEvent]) -> int:
        if call.block >= 0:
            return next_block
        call.block = next_block
        name = self._names.get(call.name, call.name)
        events.append(BlockStarted(next_block, "tool", self._index, call.id, name, call.custom))
        return next_block + 1

    def _sign(self, call: _Call, events: list[ChatEvent]) -> None:
        if call.signature is not None:
            call.signed = True
            events.append(Signed(call.block, call.signature, self._index))
