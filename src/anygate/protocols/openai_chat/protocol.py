"""OpenAI Chat Completions as a client protocol: its routes and how it says things.

Source: https://platform.openai.com/docs/api-reference/chat (2026-11-20).
"""

import re

from anygate.protocols.chat_codec import ChatCodec
from anygate.protocols.headers import OPENAI_HEADERS
from anygate.protocols.model_list import OPENAI
from anygate.protocols.openai_chat.answer import decode_error, observe_answer, observe_tail
from anygate.protocols.openai_chat.answer_encode import encode_answer
from anygate.protocols.openai_chat.answer_reader import StreamDecoder, decode_answer
from anygate.protocols.openai_chat.decode import decode_request
from anygate.protocols.openai_chat.encode import encode_request
from anygate.protocols.openai_chat.encode_parts import inlines
from anygate.protocols.openai_chat.request import LIMIT_FIELDS, edit_request, read_request, references
from anygate.protocols.openai_chat.stream_encode import StreamEncoder
from anygate.protocols.openai_chat.stream_observer import StreamObserver
from anygate.protocols.openai_chat.usage_chunk import UsageChunkFilter
from anygate.protocols.openai_errors import encode_error, encode_stream_error
from anygate.protocols.signature_tag import holds_tag
from anygate.protocols.table import ClientRoute, Protocol

CODEC = ChatCodec(
    read=lambda raw, parameters: read_request(raw),
    edit=edit_request,
    observe_answer=observe_answer,
    observe_tail=observe_tail,
    observer=StreamObserver,
    decode_error=decode_error,
    usage_filter=UsageChunkFilter,
    limit_fields=LIMIT_FIELDS,
    holds_foreign=holds_tag,
    done=re.compile(rb"data: \[DONE\]\s*\Z"),
    references=references,
    inlines=inlines,
    decode_request=decode_request,
    encode_request=encode_request,
    decode_answer=decode_answer,
    stream_decoder=StreamDecoder,
    encode_answer=encode_answer,
    stream_encoder=StreamEncoder,
)

PROTOCOL = Protocol(
    name="openai.chat",
    title="OpenAI Chat Completions",
    routes=(
        ClientRoute(
            id="openai.chat",
            method="POST",
            path="/v1/chat/completions",
            operation="chat",
            kind="stream",
            catalogue=(
                "text.openai.chat",
                "text.openai.chat.stream",
                "text.openai.chat.vision",
                "text.openai.chat.functions",
                "text.openai.chat.logprobs",
                "text.openai.chat.response_format",
                "text.openai.chat.n",
                "text.openai.chat.pdf",
                "text.openai.chat.web_search",
                "text.openai.gpt4all.vision",
                "text.openai.gpt4all.image",
                "text.gpts.chat",
                "text.gpts.search",
                "text.gpts.detail",
                "text.gpts.batch_detail",
                "text.claude.chat",
                "text.claude.chat.vision",
                "text.claude.chat.thinking",
                "text.claude.chat.tools",
                "text.claude.chat.tools_multiturn",
                "text.claude.chat.web_search",
                "text.gemini.openai.chat",
                "text.gemini.openai.thinking",
                "text.gemini.openai.vision",
                "text.gemini.openai.functions",
                "text.gemini.openai.omni",
                "text.gemini.openai.web_search",
                "text.gemini.openai.tts",
                "text.gemini.openai.audio",
                "text.gemini.openai.video",
                "text.gemini.openai.image",
                "text.xai.web_search",
                "audio.chat.input",
                "audio.chat.output",
            ),
        ),
        ClientRoute(
            id="openai.chat.groq_path",
            method="POST",
            path="/openai/v1/chat/completions",
            operation="chat",
            kind="stream",
            catalogue=("companion.groq.chat",),
        ),
        ClientRoute(
            id="openai.chat.zhipu_path",
            method="POST",
            path="/api/paas/v4/chat/completions",
            operation="chat",
            kind="stream",
            catalogue=("companion.zhipu.chat",),
        ),
        ClientRoute(
            id="openai.chat.ark_path",
            method="POST",
            path="/api/v3/chat/completions",
            operation="chat",
            kind="stream",
            catalogue=("companion.ark.chat",),
        ),
        ClientRoute(
            id="openai.models.list",
            method="GET",
            path="/v1/models",
            operation="models.list",
            kind="local",
            shared=True,
            catalogue=("system.models.list",),
        ),
        ClientRoute(
            id="openai.models.retrieve",
            method="GET",
            path="/v1/models/{model:path}",
            operation="models.retrieve",
            kind="local",
            shared=True,
        ),
    ),
    encode_error=encode_error,
    encode_stream_error=encode_stream_error,
    response_headers=OPENAI_HEADERS,
    chat=CODEC,
    listing=OPENAI,
    content_types={"json": "application/json", "stream": "text/event-stream"},
)
