"""A client's Messages request -> canonical.

What has no canonical word goes to `Chat.extras`: top-level fields by name, fields inside by their path
("messages.2.content.0.caller", numbered as the canonical turns and blocks are).
Source: https://docs.claude.com/en/api/messages (2026-11-22).
"""

from collections.abc import Mapping
from typing import Any, cast, get_args

from anygate.canonical.blocks import Text
from anygate.canonical.chat import Chat, Effort, Format, Reasoning, Role, Sampling, Turn
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.anthropic_messages.decode_blocks import decode_content
from anygate.protocols.anthropic_messages.decode_tools import decode_tool_choice, decode_tools
from anygate.protocols.anthropic_messages.fields import (
    Raw,
    as_object,
    leftovers,
    optional_count,
    optional_number,
    optional_object,
    optional_text,
    text,
    texts,
)
from anygate.protocols.anthropic_messages.words import PROTOCOL_NAME
from anygate.protocols.chat_codec import Source
from anygate.protocols.chat_request import ChatRequest

TIERS: Mapping[str, str] = {"auto": "auto", "standard_only": "default"}
"""Service tiers, and what they are called in canonical requests (OpenAI's words)."""

_READ = frozenset(
    {
        "model",
        "messages",
        "system",
        "max_tokens",
        "stream",
        "tools",
        "tool_choice",
        "stop_sequences",
        "temperature",
        "top_p",
        "top_k",
        "thinking",
        "output_config",
        "output_format",
        "service_tier",
        "metadata",
    }
)
_ROLES: Mapping[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_REQUEST = Source()


def decode_request(request: ChatRequest) -> Chat:
    """The request in canonical words.

    Raises:
        InvalidRequest: a field is missing or of a wrong type; it is named by its path.
    """
    document = request.document
    extras: dict[str, Any] = leftovers(document, _READ)
    turns: list[Turn] = []
    for number, message in enumerate(request.opening):
        _decode_message(as_object(message, f"messages.{number}"), f"messages.{number}", turns, extras)
    choice, parallel = decode_tool_choice(document.get("tool_choice"), extras)
    tier = optional_text(document, "service_tier", "")
    if tier not in TIERS and tier:
        extras["service_tier"] = tier
    reasoning, form = _decode_output(document, extras)
    metadata = optional_object(document, "metadata", "") or {}
    extras.update({f"metadata.{name}": value for name, value in leftovers(metadata, frozenset({"user_id"})).items()})
    return Chat(
        protocol=PROTOCOL_NAME,
        model=request.model,
        turns=tuple(turns),
        system=_decode_system(document.get("system"), extras),
        tools=decode_tools(document.get("tools"), extras),
        tool_choice=choice,
        parallel_tools=parallel,
        output_limit=optional_count(document, "max_tokens"),
        stop=texts(document, "stop_sequences", ""),
        sampling=Sampling(
            temperature=optional_number(document, "temperature"),
            top_p=optional_number(document, "top_p"),
            top_k=optional_count(document, "top_k"),
        ),
        format=form,
        reasoning=reasoning,
        service_tier=TIERS.get(tier, ""),
        user=optional_text(metadata, "user_id", "metadata"),
        stream=request.stream,
        include_usage=True,
        extras=extras,
    )


def _decode_system(value: Any, extras: dict[str, Any]) -> tuple[Text, ...]:
    if value is None:
        return ()
    decoded = decode_content(value, "system", _REQUEST)
    found = tuple(block for block in decoded.blocks if isinstance(block, Text))
    if len(found) != len(decoded.blocks):
        raise InvalidRequest("`system` must be text or a list of text blocks", param="system")
    for number, fields in decoded.left.items():
        extras.update({f"system.{number}.{name}": value for name, value in fields.items()})
    return found


def _decode_message(raw: Raw, path: str, turns: list[Turn], extras: dict[str, Any]) -> None:
    """One message -> a turn; or several, where instructions stand in the middle of its content."""
    role = _ROLES.get(text(raw, "role", path))
    if role is None:
        raise InvalidRequest(f"`{path}.role` must be user, assistant or system", param=f"{path}.role")
    for name, value in leftovers(raw, frozenset({"role", "content"})).items():
        extras[f"messages.{len(turns)}.{name}"] = value
    content = raw.get("content")
    if isinstance(content, list) and any(_is_instruction(block) for block in cast("list[Any]", content)):
        _decode_pieces(role, cast("list[Any]", content), path, turns, extras)
    else:
        turns.append(_turn(role, content, f"{path}.content", len(turns), extras))


def _turn(role: Role, content: Any, path: str, place: int, extras: dict[str, Any]) -> Turn:
    if content is None:
        raise InvalidRequest(f"`{path}` must be text or a list of blocks", param=path)
    decoded = decode_content(content, path, _REQUEST)
    for number, fields in decoded.left.items():
        extras.update({f"messages.{place}.content.{number}.{name}": value for name, value in fields.items()})
    return Turn(role, tuple(decoded.blocks))


def _decode_pieces(role: Role, content: list[Any], path: str, turns: list[Turn], extras: dict[str, Any]) -> None:
    """`mid_conv_system` blocks are another spelling of a message whose role is system."""
    piece: list[Any] = []
    for number, block in enumerate(content):
        if not _is_instruction(block):
            piece.append(block)
            continue
        if piece:
            turns.append(_turn(role, piece, f"{path}.content", len(turns), extras))
            piece = []
        turns.append(
            _turn("system", cast("Raw", block).get("content"), f"{path}.content.{number}.content", len(turns), extras)
        )
    if piece:
        turns.append(_turn(role, piece, f"{path}.content", len(turns), extras))


def _is_instruction(block: Any) -> bool:
    return isinstance(block, dict) and cast("Raw", block).get("type") == "mid_conv_system"


def _decode_output(document: Raw, extras: dict[str, Any]) -> tuple[Reasoning | None, Format | None]:
    """`thinking`, `output_config` and its older form `output_format`."""
    output = optional_object(document, "output_config", "") or {}
    effort = optional_text(output, "effort", "output_config")
    if effort not in get_args(Effort):
        extras["output_config.effort"], effort = effort, ""
    extras.update(
        {f"output_config.{name}": value for name, value in leftovers(output, frozenset({"effort", "format"})).items()}
    )
    older = optional_object(document, "output_format", "")
    given = optional_object(output, "format", "output_config")
    if older is not None and given is not None:
        extras["output_format"] = older
    return (
        _decode_thinking(optional_object(document, "thinking", ""), cast("Effort", effort), extras),
        _decode_format(given or older, "output_config.format", extras),
    )


def _decode_format(raw: Raw | None, path: str, extras: dict[str, Any]) -> Format | None:
    if raw is None:
        return None
    if raw.get("type") != "json_schema":
        raise InvalidRequest(f"`{path}.type` must be json_schema", param=f"{path}.type")
    unread = leftovers(raw, frozenset({"type", "schema"}))
    extras.update({f"{path}.{name}": value for name, value in unread.items()})
    return Format("schema", as_object(raw.get("schema"), f"{path}.schema"), strict=True)


def _decode_thinking(raw: Raw | None, effort: Effort, extras: dict[str, Any]) -> Reasoning | None:
    if raw is None:
        return Reasoning(effort=effort) if effort else None
    kind = text(raw, "type", "thinking")
    display = optional_text(raw, "display", "thinking")
    show = {"summarized": True, "omitted": False}.get(display)
    known = {"type", "budget_tokens"} if show is None else {"type", "budget_tokens", "display"}
    if kind not in ("enabled", "adaptive", "disabled"):
        extras["thinking"] = raw
        return Reasoning(effort=effort) if effort else None
    extras.update({f"thinking.{name}": value for name, value in leftovers(raw, frozenset(known)).items()})
    return Reasoning(
        enabled=kind != "disabled",
        effort=effort,
        budget=optional_count(raw, "budget_tokens", "thinking"),
        adaptive=kind == "adaptive",
        show=show,
    )
