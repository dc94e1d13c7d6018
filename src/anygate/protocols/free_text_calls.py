"""Calls of free text tools that came back wrapped, because the upstream knows only tools with a schema."""

from collections.abc import Iterable, Sequence

import msgspec
import orjson

from anygate.canonical.chat import CustomTool, Tool
from anygate.canonical.chat_events import ArgumentsDelta, BlockEnded, BlockStarted, ChatEvent, Failed, Finished

INPUT = "input"
"""The one property of the function that stands for a tool of free text."""


def free_text_tools(tools: Iterable[Tool]) -> frozenset[str]:
    """The names of the tools that take free text."""
    return frozenset(tool.name for tool in tools if isinstance(tool, CustomTool))


class FreeTextCalls:
    """Events in, events out: a call of one of these tools becomes a call with free text, in one piece.

    Where the upstream has such tools its calls say so themselves, and pass.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._held: dict[tuple[int, int], list[str]] = {}

    def feed(self, events: Sequence[ChatEvent]) -> list[ChatEvent]:
        """The events, with calls unwrapped; what a call's arguments will be is known at its end."""
        out: list[ChatEvent] = []
        for event in events:
            match event:
                case BlockStarted(kind="tool", custom=False) if event.name in self._names:
                    self._held[event.choice, event.block] = []
                    out.append(msgspec.structs.replace(event, custom=True))
                case ArgumentsDelta() if (event.choice, event.block) in self._held:
                    self._held[event.choice, event.block].append(event.text)
                case BlockEnded():
                    self._release((event.choice, event.block), out)
                    out.append(event)
                case Finished() | Failed():
                    for place in list(self._held):
                        self._release(place, out)
                    out.append(event)
                case _:
                    out.append(event)
        return out

    def _release(self, place: tuple[int, int], out: list[ChatEvent]) -> None:
        pieces = self._held.pop(place, None)
        if pieces:
            choice, block = place
            out.append(ArgumentsDelta(block, unwrapped("".join(pieces)), choice))


def unwrapped(arguments: str) -> str:
    """The free text in a function's arguments; arguments of another shape (cut off by a limit) are the text."""
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    value = given.get(INPUT) if isinstance(given, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return value if isinstance(value, str) else arguments
