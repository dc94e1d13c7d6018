"""What must survive a translation, whatever the protocols: the content of a conversation, and its parameters."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson

from anygate.canonical.blocks import (
    Block,
    Media,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from anygate.canonical.chat import Chat, CustomTool, FunctionTool
from anygate.canonical.chat_events import Answer
from anygate.protocols.chat_codec import Encoded
from anygate.protocols.leftovers import SILENT
from anygate.protocols.parameter_names import client_name
from tests.matrix.cells import FETCHED


def all_blocks(chat: Chat) -> Iterator[Block]:
    """In order; what tool results hold comes after them."""
    yield from chat.system
    for turn in chat.turns:
        for block in turn.blocks:
            yield block
            if isinstance(block, ToolResult):
                yield from block.blocks


def said(blocks: Iterable[Block]) -> list[str]:
    """Every text, but those that say nothing."""
    found = [block.text for block in blocks if isinstance(block, Text | Refusal)]
    return [text for text in found if text.strip()]


def canonical_json(text: str) -> bytes:
    """A text that is a JSON object, in one spelling: results of tools travel as text here, as objects there."""
    value = parsed(text)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if isinstance(value, dict) else text.encode()


def parsed(arguments: str) -> Any:
    """Arguments as a value; {} where there are none, and what is no JSON as it is."""
    if not arguments:
        return {}
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments


def lost_content(asked: Chat, encoded: Encoded, chat: Chat) -> list[str]:
    """What of the conversation is missing at the upstream, in words.

    Args:
        asked: of the client.
        encoded: for the upstream.
        chat: as an upstream of that protocol reads it.
    """
    lost: list[str] = []
    found = said(all_blocks(chat))
    heard, values = "\n".join(found), {canonical_json(text) for text in found}
    for text in said(all_blocks(asked)):
        if text.strip() not in heard and canonical_json(text) not in values:
            lost.append(f"text {text[:60]!r}")
    names = {own: theirs for theirs, own in encoded.names.items()}
    before, after = calls(asked, names), calls(chat, {})
    lost += [f"call {call}" for call in before if call not in after]
    answered, told = results(asked), results(chat)
    lost += [f"result of {number}" for number in range(len(answered)) if number >= len(told)]
    sent = media(chat)
    for kept in media(asked) - sent:
        if kept not in heard and base64.b64encode(kept.encode()).decode() not in sent:
            lost.append(f"media {kept[:40]}")
    offered = tools(chat, {})
    choice = asked.tool_choice
    shut = choice is not None and choice.mode == "subset"  # the others may be left out where that is how it is said
    for name, shape in tools(asked, names).items():
        if offered.get(name) != shape and not (shut and choice is not None and name not in choice.names):
            lost.append(f"tool {name}")
    return lost


def calls(chat: Chat, names: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Name and arguments of each call; free text counts as its wrapping."""
    found = [block for block in all_blocks(chat) if isinstance(block, ToolCall)]
    return [
        (names.get(call.name, call.name), {"input": call.arguments} if call.custom else parsed(call.arguments))
        for call in found
    ]


def results(chat: Chat) -> list[ToolResult]:
    return [block for block in all_blocks(chat) if isinstance(block, ToolResult)]


def media(chat: Chat) -> set[str]:
    """What identifies each medium; one that was fetched has no identity of its own."""
    found = [block for block in all_blocks(chat) if isinstance(block, Media)]
    return {block.data or block.url or block.file_id or block.text for block in found} - {FETCHED, ""}


def tools(chat: Chat, names: Mapping[str, str]) -> dict[str, str]:
    """Name -> description, of the client's own tools."""
    found = [tool for tool in chat.tools if isinstance(tool, FunctionTool | CustomTool)]
    return {names.get(tool.name, tool.name): tool.description for tool in found}


def _calls_nothing(chat: Chat) -> bool:
    return not chat.tools or (chat.tool_choice is not None and chat.tool_choice.mode == "none")


PARAMETERS: Mapping[str, Callable[[Chat], Any]] = {
    "output_limit": lambda chat: chat.output_limit or None,
    "choices": lambda chat: chat.choices,
    "stop": lambda chat: frozenset(chat.stop),
    "temperature": lambda chat: None if chat.sampling.temperature == 1 else chat.sampling.temperature,
    "top_p": lambda chat: None if chat.sampling.top_p == 1 else chat.sampling.top_p,
    "top_k": lambda chat: chat.sampling.top_k,
    "seed": lambda chat: chat.sampling.seed,
    "presence_penalty": lambda chat: chat.sampling.presence_penalty or None,
    "frequency_penalty": lambda chat: chat.sampling.frequency_penalty or None,
    "logit_bias": lambda chat: chat.sampling.logit_bias,
    "logprobs": lambda chat: chat.sampling.logprobs,
    "format": lambda chat: None if chat.format is None else chat.format.kind,
    "verbosity": lambda chat: chat.verbosity,
    "user": lambda chat: chat.user,
    "metadata": lambda chat: dict(chat.metadata),
    "cache_key": lambda chat: chat.cache_key,
    "image": lambda chat: dict(chat.image),
    "modalities": lambda chat: frozenset(chat.modalities) - {"text"},
    "parallel_tools": lambda chat: chat.parallel_tools is False and not _calls_nothing(chat),
}
"""Name in `Chat` or `Sampling` -> its value, one spelling for what means the same."""


def lost_parameters(asked: Chat, encoded: Encoded, chat: Chat) -> list[str]:
    """Parameters that differ at the upstream, and of which the client is not told."""
    told = {dropped.parameter for dropped in encoded.dropped}
    lost: list[str] = []
    for name, read in PARAMETERS.items():
        before, after = read(asked), read(chat)
        if name == "stop":
            after = after | frozenset(encoded.stop)
            before = frozenset(text for text in before if text.strip())
        if before not in (None, "", False, frozenset(), {}) and before != after:
            parameter = client_name(asked.protocol, name)
            if parameter not in told:
                lost.append(f"{parameter}: {before!r} became {after!r}")
    carried = str(encoded.document)
    for name, value in asked.extras.items():
        kept_here = name == "store" and (value is False or asked.protocol == "openai.responses")
        if value is None or name in SILENT or kept_here:
            continue
        if name not in told and name.rpartition(".")[2] not in carried:
            lost.append(f"{name}: left out")
    return lost


def lost_answer(before: Answer, after: Answer, *, one: bool = False) -> list[str]:
    """What of an answer a client does not read, in words. `one`: its protocol knows but one answer."""
    lost: list[str] = []
    for number, choice in enumerate(before.choices[:1] if one else before.choices):
        if number >= len(after.choices):
            return [*lost, "a choice"]
        found = after.choices[number].blocks
        heard = "".join(said(found))
        lost += [f"text {text[:60]!r}" for text in said(choice.blocks) if text not in heard]
        lost += [f"call {call}" for call in called(choice.blocks) if call not in called(found)]
        whole = "".join(block.text for block in found if isinstance(block, Thinking))
        held = [block.text for block in choice.blocks if isinstance(block, Thinking)]
        lost += [f"thought {text[:60]!r}" for text in held if text not in whole]
        drawn = [block.data for block in choice.blocks if isinstance(block, Media) and block.kind == "image"]
        lost += ["an image" for data in drawn if data not in heard and data not in str(found)]
        ends = (ENDS.get(choice.finish.reason, "end"), ENDS.get(after.choices[number].finish.reason, "end"))
        if ends[0] != ends[1]:
            lost.append(f"the end: {ends[0]} became {ends[1]}")
    if before.usage is not None:
        told = after.usage
        totals = (before.usage.input_tokens, before.usage.output_tokens)
        if told is None or (told.input_tokens, told.output_tokens) != totals:
            lost.append(f"usage: {totals} became {told}")
        elif min(getattr(told, name) for name in told.__struct_fields__) < 0:
            lost.append(f"usage below zero: {told}")
    return lost


ENDS = {"length": "length", "window": "length", "tool_call": "tool_call", "filtered": "filtered", "refusal": "filtered"}
"""Reasons that every protocol tells apart; the others are an end."""


def called(blocks: Iterable[Block]) -> list[tuple[str, str, Any]]:
    found = [block for block in blocks if isinstance(block, ToolCall)]
    return [
        (call.id, call.name, {"input": call.arguments} if call.custom else parsed(call.arguments)) for call in found
    ]
