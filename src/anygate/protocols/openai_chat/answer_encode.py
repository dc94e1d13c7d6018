"""A canonical answer -> the body of a Chat Completions answer.

Source: https://platform.openai.com/docs/api-reference/chat/object (2026-11-22).
"""

import orjson

from anygate.canonical.blocks import Refusal
from anygate.canonical.chat_events import Answer, Choice
from anygate.protocols.chat_codec import Reply
from anygate.protocols.json_values import Object
from anygate.protocols.openai_chat.finish import encode_finish
from anygate.protocols.openai_chat.live_search import cited_urls, lists_citations
from anygate.protocols.openai_chat.message_encode import Message, is_legacy
from anygate.protocols.openai_chat.usage import encode_usage


def encode_answer(answer: Answer, reply: Reply) -> bytes:
    """The body for the client."""
    body: Object = {
        "id": answer.id or f"chatcmpl-{reply.id}",
        "object": "chat.completion",
        "created": answer.created or reply.created,
        "model": answer.model or reply.model,
        "choices": [_choice(choice, reply) for choice in answer.choices],
    }
    if answer.usage is not None:
        body["usage"] = encode_usage(answer.usage)
    if lists_citations(reply.chat):
        urls = (url for choice in answer.choices for url in cited_urls(choice.blocks))
        body["citations"] = list(dict.fromkeys(urls))
    return orjson.dumps(body)


def _choice(choice: Choice, reply: Reply) -> Object:
    message = Message(reply)
    for block in choice.blocks:
        message.add(block)
    refusal_said = any(isinstance(block, Refusal) for block in choice.blocks)
    return {
        "index": choice.finish.choice,
        "message": message.done(),
        "logprobs": {"content": message.logprobs, "refusal": None} if message.logprobs else None,
        "finish_reason": encode_finish(choice.finish, refusal_said=refusal_said, legacy=is_legacy(reply)),
    }
