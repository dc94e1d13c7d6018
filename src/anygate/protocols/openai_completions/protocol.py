"""OpenAI's legacy Completions as a client protocol. Its answers are read as those of Chat Completions are: the usage is
the same object, and a choice's `text` counts as generated text.

Source: https://platform.openai.com/docs/api-reference/completions (2026-11-22).
"""

import re

from anygate.protocols.chat_codec import ChatCodec
from anygate.protocols.openai_chat.answer import decode_error, observe_answer, observe_tail
from anygate.protocols.openai_chat.protocol import PROTOCOL as CHAT
from anygate.protocols.openai_chat.stream_observer import StreamObserver
from anygate.protocols.openai_chat.usage_chunk import UsageChunkFilter
from anygate.protocols.openai_completions.request import edit, read_request
from anygate.protocols.openai_errors import encode_error, encode_stream_error
from anygate.protocols.table import ClientRoute, Protocol

CODEC = ChatCodec(
    read=lambda raw, parameters: read_request(raw),
    edit=edit,
    observe_answer=observe_answer,
    observe_tail=observe_tail,
    observer=StreamObserver,
    decode_error=decode_error,
    usage_filter=UsageChunkFilter,
    done=re.compile(rb"data: \[DONE\]\s*\Z"),
)

PROTOCOL = Protocol(
    name="openai.completions",
    title="OpenAI Completions (legacy)",
    routes=(
        ClientRoute(
            id="openai.completions",
            method="POST",
            path="/v1/completions",
            operation="completions",
            kind="stream",
            catalogue=("text.openai.completions",),
        ),
    ),
    encode_error=encode_error,
    encode_stream_error=encode_stream_error,
    response_headers=CHAT.response_headers,
    chat=CODEC,
    content_types=CHAT.content_types,
)
