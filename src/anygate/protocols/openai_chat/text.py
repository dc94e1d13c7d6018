"""How much text a chat answer delivered, for bills that nobody's `usage` settles: UTF-8 bytes, counted as they come."""

from typing import Any, cast

from anygate.protocols.json_values import utf8_size

_TEXT_FIELDS = frozenset({"content", "reasoning_content", "reasoning", "refusal"})
_PART_FIELDS = ("text", "thinking", "content")


def text_of_choices(choices: Any, part: str) -> int:
    """UTF-8 bytes of generated text in `choices`, of any shape.

    Args:
        choices: as decoded; what is no list of objects counts nothing.
        part: "message" for a plain answer, "delta" for a chunk.
    """
    if not isinstance(choices, list):
        return 0
    total = 0
    for choice in cast("list[Any]", choices):
        if isinstance(choice, dict):
            choice = cast("dict[str, Any]", choice)
            total += _text_of_message(choice.get(part)) + _text(choice.get("text"))
    return total


def holds_media(choices: list[dict[str, Any]]) -> bool:
    """Does a chunk deliver sound or images? They are generated too, though they are no text."""
    for choice in choices:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            delta = cast("dict[str, Any]", delta)
            audio = delta.get("audio")
            if delta.get("images") or (isinstance(audio, dict) and cast("dict[str, Any]", audio).get("data")):
                return True
    return False


def _text_of_message(message: Any) -> int:
    if not isinstance(message, dict):
        return 0
    total = 0
    for name, value in cast("dict[str, Any]", message).items():
        if name in _TEXT_FIELDS:
            total += _text(value)
        elif name == "tool_calls" and isinstance(value, list):
            total += sum(_text_of_call(call) for call in cast("list[Any]", value))
        elif name == "function_call":
            total += _text_of_call({"function": value})
        elif name == "audio" and isinstance(value, dict):
            total += _text(cast("dict[str, Any]", value).get("transcript"))
    return total


def _text_of_call(call: Any) -> int:
    function = cast("dict[str, Any]", call).get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return 0
    function = cast("dict[str, Any]", function)
    return _text(function.get("name")) + _text(function.get("arguments"))


def _text(value: Any) -> int:
    if isinstance(value, str):
        return utf8_size(value)
    total = 0
    waiting = [value]  # content in parts; a list of our own, because an upstream may nest deeper than Python's stack
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            total += utf8_size(item)
        elif isinstance(item, list):
            waiting += cast("list[Any]", item)
        elif isinstance(item, dict):
            item = cast("dict[str, Any]", item)
            waiting += [item[name] for name in _PART_FIELDS if name in item]
    return total
