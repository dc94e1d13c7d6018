"""Names of tools that an upstream does not take, mapped to names that it takes, and back by the same table."""

import re
from collections.abc import Iterable

from anygate.canonical.blocks import ToolCall
from anygate.canonical.chat import Chat, CustomTool, FunctionTool


def safe_names(names: Iterable[str], allowed: re.Pattern[str], longest: int) -> dict[str, str]:
    """The client's name -> one for the upstream, of those names that must change; no two become the same.

    Args:
        names: all tool names of the request.
        allowed: matches one character that may stay; underscores and digits may.
        longest: characters that the upstream takes; enough to number the names.
    """
    taken = set(names)
    changed: dict[str, str] = {}
    numbers: dict[str, int] = {}  # where the search for a free number goes on: thousands of names may look alike
    for name in sorted(taken):
        clean = "".join(letter if allowed.fullmatch(letter) else "_" for letter in name)[:longest] or "_"
        if clean == name:
            continue
        candidate, count = clean, numbers.get(clean, 2)
        while candidate in taken:
            ending = f"_{count}"
            candidate, count = clean[: longest - len(ending)] + ending, count + 1
        numbers[clean] = count
        taken.add(candidate)
        changed[name] = candidate
    return changed


def names_in(chat: Chat) -> set[str]:
    """The names of all tools that are offered and of all that were called."""
    offered = {tool.name for tool in chat.tools if isinstance(tool, FunctionTool | CustomTool)}
    return offered | {block.name for turn in chat.turns for block in turn.blocks if isinstance(block, ToolCall)}
