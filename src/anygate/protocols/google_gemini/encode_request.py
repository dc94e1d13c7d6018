"""Canonical words -> the body of a generateContent request.

Model and streaming stand in the path. Source: https://ai.google.dev/api/generate-content (2026-11-22).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from anygate.canonical.blocks import Text
from anygate.canonical.chat import Chat, Turn
from anygate.protocols.chat_codec import Encoded, Target
from anygate.protocols.google_gemini.encode_config import MAX_STOPS, encode_config
from anygate.protocols.google_gemini.encode_parts import TurnEncoder
from anygate.protocols.google_gemini.encode_tools import encode_choice, encode_tools, upstream_names
from anygate.protocols.google_gemini.generations import generation_of
from anygate.protocols.google_gemini.losses import Losses
from anygate.protocols.leftovers import SILENT, dropped_extras

_TIERS = {
    "default": "standard",
    "standard": "standard",
    "standard_only": "standard",
    "flex": "flex",
    "priority": "priority",
}
_INDEXED = re.compile(r"(contents|tools)\[(\d+)\]\.(.+)")


def encode_request(chat: Chat, target: Target) -> Encoded:
    """The body for an upstream.

    Raises:
        UnsupportedContent: a part of the request has no form here; names the client's field.
    """
    losses = Losses(chat)
    generation = generation_of(target.model)
    names = upstream_names(chat, losses)
    turns = TurnEncoder(chat, target, generation, losses, names)
    system, rest = _split(chat)
    document: dict[str, Any] = {}
    instruction = [part for part in map(turns.part, (block for turn in system for block in turn.blocks)) if part]
    contents = turns.contents(rest)
    if not contents and instruction:
        contents = [{"role": "user", "parts": [instruction.pop()]}]  # instructions alone: the last one is the question
    if not contents:
        raise losses.refusal("turns", "The conversation holds no turn that can be sent")
    document["contents"] = contents
    if instruction:
        document["systemInstruction"] = {"parts": instruction}
    tools = encode_tools(chat, generation, names, losses)
    if tools:
        document["tools"] = tools
    choice = encode_choice(chat, names, losses)
    if choice:
        document["toolConfig"] = {"functionCallingConfig": choice}
    config = encode_config(chat, target, generation, losses)
    if config:
        document["generationConfig"] = config
    _drop_hints(chat, document, losses)
    if losses.own:
        _restore(document, chat.extras)
    else:
        losses.add(dropped_extras(chat))
    stop = () if losses.own else chat.stop[MAX_STOPS:]
    return Encoded(document, losses.all(), {changed: name for name, changed in names.items()}, stop)


def _split(chat: Chat) -> tuple[Sequence[Turn], Sequence[Turn]]:
    """Instructions that open the conversation, and the rest."""
    opening = 0
    while opening < len(chat.turns) and chat.turns[opening].role == "system":
        opening += 1
    blocks: tuple[Text, ...] = chat.system
    return [Turn("system", blocks), *chat.turns[:opening]], chat.turns[opening:]


def _drop_hints(chat: Chat, document: dict[str, Any], losses: Losses) -> None:
    if chat.service_tier and chat.service_tier != "auto":
        tier = _TIERS.get(chat.service_tier)
        if tier is not None:
            document["serviceTier"] = tier
        else:
            losses.drop("service_tier", "the provider has no such tier")
    for name, value in (
        ("verbosity", chat.verbosity),
        ("user", chat.user),
        ("metadata", chat.metadata),
        ("cache_key", chat.cache_key),
    ):
        if value:
            losses.drop(name, "the provider has no such field")


def _restore(document: dict[str, Any], extras: Mapping[str, Any]) -> None:
    """Put fields that have no canonical words back where the client of this protocol had them."""
    for path, value in extras.items():
        if path in SILENT:
            continue
        indexed = _INDEXED.fullmatch(path)
        if indexed is not None:
            _restore_indexed(document, indexed[1], int(indexed[2]), indexed[3], value)
            continue
        node = document
        *owners, name = path.split(".")
        for owner in owners:
            node = node.setdefault(owner, {})
        node[name] = value


def _restore_indexed(document: dict[str, Any], owner: str, index: int, path: str, value: Any) -> None:
    items = document.get(owner, [])
    if owner == "contents" and index < len(items):
        items[index][path] = value
        return
    tool, _, name = path.partition(".")
    for item in items:
        if tool in item:
            item[tool][name] = value
