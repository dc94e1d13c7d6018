"""Anthropic Messages as a client protocol: its routes and how it says things.

Source: https://docs.claude.com/en/api/messages and .../messages-count-tokens (2026-11-22).
"""

from anygate.protocols.anthropic_messages.codec import CODEC
from anygate.protocols.anthropic_messages.errors import encode_error, encode_stream_error
from anygate.protocols.anthropic_messages.words import PROTOCOL_NAME
from anygate.protocols.headers import COMMON_HEADERS
from anygate.protocols.model_list import ANTHROPIC
from anygate.protocols.table import ClientRoute, Protocol

PROTOCOL = Protocol(
    name=PROTOCOL_NAME,
    title="Anthropic Messages",
    routes=(
        ClientRoute(
            id="anthropic.messages",
            method="POST",
            path="/v1/messages",
            operation="chat",
            kind="stream",
            catalogue=(
                "text.claude.messages",
                "text.claude.messages.vision",
                "text.claude.messages.thinking",
                "text.claude.messages.tools",
                "text.claude.messages.tools_multiturn",
                "text.claude.messages.web_search",
                "text.claude.messages.pdf",
            ),
        ),
        ClientRoute(
            id="anthropic.messages.count_tokens",
            method="POST",
            path="/v1/messages/count_tokens",
            operation="count_tokens",
            catalogue=("text.claude.count_tokens",),
        ),
    ),
    encode_error=encode_error,
    encode_stream_error=encode_stream_error,
    response_headers=COMMON_HEADERS,
    chat=CODEC,
    listing=ANTHROPIC,
    marks=frozenset({b"anthropic-version"}),
    content_types={"json": "application/json", "stream": "text/event-stream"},
)
