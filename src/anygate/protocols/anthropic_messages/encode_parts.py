"""What an answer's two encoders share: how canonical things of other makers look to a client of this protocol."""

from collections.abc import Iterator, Mapping
from typing import Any

from anygate.canonical.blocks import Citation, Media, NativeBlock, Signature, WebSearchCall
from anygate.canonical.chat_events import Finished
from anygate.protocols.anthropic_messages.encode_blocks import FOREIGN_ID
from anygate.protocols.anthropic_messages.words import OWN_MAKER, PROTOCOL_NAME, REFUSAL_CATEGORIES, STOP_WORDS
from anygate.protocols.chat_codec import Reply
from anygate.protocols.media_type import data_uri
from anygate.protocols.signature_tag import tag


def message_id(given: str, reply: Reply) -> str:
    """The upstream's id where it is one of this protocol, else one of ours."""
    return given if given.startswith("msg_") else f"msg_{reply.id}"


def shown(signature: Signature | None) -> str:
    """A signature as text: raw in its maker's own protocol, tagged anywhere else, "" for none."""
    if signature is None or not signature.value:
        return ""
    return tag(signature) if is_foreign(signature) else signature.value


def is_foreign(signature: Signature) -> bool:
    """Was this made by a provider of another protocol?"""
    return signature.maker not in ("", OWN_MAKER)


def encode_stop(finish: Finished | None, called: bool) -> dict[str, Any]:
    """`stop_reason`, `stop_sequence` and `stop_details`.

    Args:
        finish: None where the upstream gave no reason.
        called: the answer holds calls of the client's tools, whatever reason was given.
    """
    if finish is None:
        finish = Finished("end")
    word = STOP_WORDS[finish.reason]
    if called and word == "end_turn":
        word = "tool_use"
    details = None
    if word == "refusal" and finish.detail:
        named = finish.detail in REFUSAL_CATEGORIES
        details = {
            "type": "refusal",
            "category": finish.detail if named else None,
            "explanation": None if named else finish.detail,
        }
    return {"stop_reason": word, "stop_sequence": finish.stop_sequence or None, "stop_details": details}


def encode_citation(citation: Citation, maker: str) -> dict[str, Any] | None:
    """A citation: its own, or a web page as a result of this protocol's web search; None where it names no page."""
    if citation.protocol == PROTOCOL_NAME:
        return dict(citation.raw)
    if not citation.url:
        return None
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title or None,
        "cited_text": citation.quote,
        "encrypted_index": tag(Signature("", maker or "other")),
    }


def encode_item(item: NativeBlock | WebSearchCall, reply: Reply, number: int) -> Iterator[dict[str, Any]]:
    """The content blocks of a native item; another protocol's search as a search without results, other things as text."""
    if item.protocol == PROTOCOL_NAME:
        pieces: list[Mapping[str, Any]] = item.raw.get("blocks", []) if isinstance(item, WebSearchCall) else [item.raw]
        for piece in pieces:
            yield dict(piece)
    elif isinstance(item, NativeBlock):
        if item.text:
            yield {"type": "text", "text": item.text}
    else:
        made = f"{FOREIGN_ID}_{''.join(letter for letter in reply.id if letter.isalnum())}_{number}"
        yield {"type": "server_tool_use", "id": made, "name": "web_search", "input": {"query": item.query}}
        yield {"type": "web_search_tool_result", "tool_use_id": made, "content": []}


def media_as_text(media: Media) -> str:
    """Generated media for a protocol that has none: a picture as Markdown, speech by its words."""
    if media.kind == "image":
        address = media.url or (data_uri(media.mime or "image/png", media.data) if media.data else "")
        return f"![image]({address})" if address else ""
    return media.transcript or media.text
