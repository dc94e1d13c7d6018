"""A client's generateContent request -> canonical words.

Source: https://ai.google.dev/api/generate-content#method:-models.generatecontent (2026-11-22).
"""

from collections.abc import Sequence
from typing import Any, cast

from anygate.canonical.blocks import Text
from anygate.canonical.chat import Chat, Role, Turn
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.chat_request import ChatRequest
from anygate.protocols.google_gemini.decode_config import decode_config
from anygate.protocols.google_gemini.decode_parts import CallIds, decode_parts, is_foreign, join_thoughts
from anygate.protocols.google_gemini.decode_tools import decode_tool_config, decode_tools
from anygate.protocols.google_gemini.names import PROTOCOL_NAME
from anygate.protocols.google_gemini.wire import message, text_of

_READ = frozenset({"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "serviceTier", "model"})
_ROLES: dict[str, Role] = {"": "user", "user": "user", "function": "user", "tool": "user", "model": "assistant"}


def decode_request(request: ChatRequest) -> Chat:
    """The request in canonical words.

    Fields without such words stand in `extras` under their path ("safetySettings", "generationConfig.mediaResolution"), and
    "alt": "array" where the stream shall be a JSON array.

    Raises:
        InvalidRequest: a field has a wrong type or stands there in both spellings.
    """
    top = message(request.document, "")
    extras: dict[str, Any] = {name: value for name, value in top.items() if name not in _READ}
    if request.stream_form == "array":
        extras["alt"] = "array"
    ids = CallIds()
    system, turns = _system(top.get("systemInstruction"))
    turns += _turns(request.opening, ids, extras)
    config = decode_config(top.get("generationConfig", {}))
    tools = decode_tools(top.get("tools"), extras)
    choice = decode_tool_config(top["toolConfig"], extras) if "toolConfig" in top else None
    tier = top.get("serviceTier", "")
    if not isinstance(tier, str):
        raise InvalidRequest("`serviceTier` must be a string", param="serviceTier")
    return Chat(
        protocol=PROTOCOL_NAME,
        model=request.model,
        turns=tuple(turns),
        system=system,
        tools=tools,
        tool_choice=choice,
        output_limit=config.limit,
        stop=config.stop,
        choices=request.choices,
        sampling=config.sampling,
        format=config.format,
        reasoning=config.reasoning,
        modalities=config.modalities,
        speech=config.speech,
        image=config.image,
        service_tier=tier.lower() if tier.lower() != "unspecified" else "",
        stream=request.stream,
        include_usage=True,
        extras=extras | config.extras,
    )


def _system(given: Any) -> tuple[tuple[Text, ...], list[Turn]]:
    """The instructions; those that are more than text open the conversation as a turn of their own."""
    if given is None:
        return (), []
    blocks = decode_parts(message(given, "systemInstruction"), "systemInstruction", CallIds())
    if all(isinstance(block, Text) and block.signature is None for block in blocks):
        return cast("tuple[Text, ...]", blocks), []
    return (), [Turn("system", blocks)]


def _turns(contents: Sequence[Any], ids: CallIds, extras: dict[str, Any]) -> list[Turn]:
    """One turn for each content, but neighbouring ones of the model are one.

    A chat of the SDK keeps each frame of a streamed answer as a content of its own: thoughts apart from the signature that
    covers them, and from the call that they led to.
    """
    turns: list[Turn] = []
    for index, content in enumerate(contents):
        turn = _turn(content, index, ids, extras)
        if turn.role == "assistant" and turns and turns[-1].role == "assistant":
            before, after = list(turns.pop().blocks), list(turn.blocks)
            if after and is_foreign(first := after[0]):
                after[0] = join_thoughts(before, first)
            turn = Turn("assistant", (*before, *after))
        turns.append(turn)
    return turns


def _turn(given: Any, index: int, ids: CallIds, extras: dict[str, Any]) -> Turn:
    place = f"contents[{index}]"
    content = message(given, place)
    role = _ROLES.get(text_of(content, "role", place))
    if role is None:
        raise InvalidRequest(f"`{place}.role` must be user or model", param=f"{place}.role")
    for name, value in content.items():
        if name not in ("role", "parts"):
            extras[f"{place}.{name}"] = value
    return Turn(role, decode_parts(content, place, ids))
