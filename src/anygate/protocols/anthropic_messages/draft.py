"""A translated request while it is written: for whom, from whom, and what had to be left out."""

from collections.abc import Mapping
from typing import Any, cast

from anygate.canonical.blocks import Signature, ToolCall, ToolResult
from anygate.canonical.chat import Chat, CustomTool, FunctionTool
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.anthropic_messages.capabilities import Capabilities, capabilities
from anygate.protocols.anthropic_messages.words import LONGEST_TOOL_NAME, PROTOCOL_NAME, TOOL_LETTER
from anygate.protocols.chat_codec import Dropped, Target
from anygate.protocols.parameter_names import client_name
from anygate.protocols.tool_names import safe_names


class Draft:
    """What the parts of the encoder share.

    Attributes:
        own: the client speaks this protocol too; its request is written back as it was.
        names: the client's tool names -> the upstream's, where they differ.
        ids: the client's call ids -> the upstream's, where they differ.
        answer_names: `Encoded.names`.
        unread: what the decoder left unread, by the path of the object that it stood in.
    """

    def __init__(self, chat: Chat, target: Target) -> None:
        self.chat = chat
        self.target = target
        self.can: Capabilities = capabilities(target.model)
        self.own = chat.protocol == PROTOCOL_NAME
        self.dropped: list[Dropped] = []
        calls = [block for turn in chat.turns for block in turn.blocks if isinstance(block, ToolCall | ToolResult)]
        tools = [tool.name for tool in chat.tools if isinstance(tool, FunctionTool | CustomTool)]
        called = [block.name for block in calls if isinstance(block, ToolCall)]
        ids = [block.id if isinstance(block, ToolCall) else block.call_id for block in calls]
        self.names: Mapping[str, str] = {}
        self.ids: Mapping[str, str] = {}
        if not self.own:
            self.names = safe_names([*tools, *called], TOOL_LETTER, LONGEST_TOOL_NAME)
            self.ids = safe_names(ids, TOOL_LETTER, LONGEST_TOOL_NAME)
        self.answer_names: dict[str, str] = {self.names[name]: name for name in tools if name in self.names}
        self.unread: dict[str, dict[str, Any]] = _by_place(chat.extras) if self.own else {}

    def field(self, name: str) -> str:
        """The client's name of a canonical attribute."""
        return client_name(self.chat.protocol, name)

    def drop(self, name: str, reason: str) -> None:
        """Tell of a hint that cannot be carried, once."""
        news = Dropped(self.field(name), reason)
        if news not in self.dropped:
            self.dropped.append(news)

    def refuse(self, name: str, message: str) -> UnsupportedContent:
        """The error for content that cannot be carried."""
        return UnsupportedContent(message, param=self.field(name))

    def sendable(self, signature: Signature | None) -> bool:
        """Is this a signature that the upstream itself has made?"""
        if signature is None or not signature.value:
            return False
        return signature.maker == self.target.maker if signature.maker else self.own

    def restore(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Put back what nobody had read of the object at `path`."""
        for name, value in self.unread.get(path, {}).items():
            _put(body, name, value)
        return body


_ROOTS = ("messages", "tools", "system", "metadata", "tool_choice", "thinking", "output_config")


def _by_place(extras: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Extras by the object that they stood in ("" is the request): its path, and the rest of theirs."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in extras.items():
        steps = name.split(".")
        place, rest = "", name
        if len(steps) > 1 and steps[0] in _ROOTS:
            length = 1
            if steps[0] in ("tools", "system"):
                length = 2
            elif steps[0] == "messages":
                length = 4 if len(steps) > 4 and steps[2] == "content" else 2
            place, rest = ".".join(steps[:length]), ".".join(steps[length:])
        found.setdefault(place, {})[rest or name] = value
    return found


def _put(body: dict[str, Any], name: str, value: Any) -> None:
    """Set a member, or one further inside ("content.0.caller"); where the way there is gone it is left out."""
    if "." not in name:
        body[name] = value
        return
    *steps, last = name.split(".")
    place: Any = body
    for step in steps:
        if isinstance(place, dict):
            place = cast("dict[str, Any]", place).get(step)
        elif isinstance(place, list) and step.isdigit() and int(step) < len(cast("list[Any]", place)):
            place = cast("list[Any]", place)[int(step)]
        else:
            return
    if isinstance(place, dict):
        cast("dict[str, Any]", place)[last] = value
