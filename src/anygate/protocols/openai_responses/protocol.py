"""OpenAI Responses as a client protocol: its route and how it says things.

Source: https://platform.openai.com/docs/api-reference/responses (2026-11-22).
"""

from anygate.protocols.headers import OPENAI_HEADERS
from anygate.protocols.openai_errors import encode_error
from anygate.protocols.openai_responses.codec import CODEC
from anygate.protocols.openai_responses.errors import encode_stream_error
from anygate.protocols.table import ClientRoute, Protocol

_RESPONSE = "/v1/responses/{response_id}"

PROTOCOL = Protocol(
    name="openai.responses",
    title="OpenAI Responses",
    routes=(
        ClientRoute(
            id="openai.responses",
            method="POST",
            path="/v1/responses",
            operation="chat",
            kind="stream",
            socket=True,
            catalogue=(
                "text.openai.codex",
                "text.responses.basic",
                "text.responses.image_input",
                "text.responses.web_search",
                "text.responses.file_search",
                "text.responses.stream",
                "text.responses.deep_research",
                "text.responses.functions",
                "text.responses.reasoning",
            ),
        ),
        ClientRoute(
            id="openai.responses.compact",
            method="POST",
            path="/v1/responses/compact",
            operation="responses.compact",
            catalogue=("text.responses.compact",),
        ),
        ClientRoute(
            id="openai.responses.retrieve",
            method="GET",
            path=_RESPONSE,
            operation="responses.retrieve",
            catalogue=("text.responses.retrieve",),
        ),
        ClientRoute(id="openai.responses.delete", method="DELETE", path=_RESPONSE, operation="responses.delete"),
        ClientRoute(
            id="openai.responses.cancel",
            method="POST",
            path=f"{_RESPONSE}/cancel",
            operation="responses.cancel",
            catalogue=("text.responses.cancel",),
        ),
        ClientRoute(
            id="openai.responses.input_items",
            method="GET",
            path=f"{_RESPONSE}/input_items",
            operation="responses.input_items",
        ),
    ),
    encode_error=encode_error,
    encode_stream_error=encode_stream_error,
    response_headers=OPENAI_HEADERS,
    chat=CODEC,
    content_types={"json": "application/json", "stream": "text/event-stream"},
)
