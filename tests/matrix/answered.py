"""Features of an answer: what each upstream says, and how to tell that a client reads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from anygate.canonical.blocks import Media, NativeBlock, Refusal, Text, Thinking, ToolCall, WebSearchCall
from anygate.canonical.chat_events import Answer
from tests.matrix.wire import PNG, WAV, A, Body, C, G, R

Read = Callable[[Answer], Any]


@dataclass(frozen=True)
class Told:
    """Something that an upstream can answer.

    Attributes:
        group: of rows in the document.
        name: of the row.
        said: a plain answer of each protocol that knows it.
        read: what a client must read, whatever its protocol.
    """

    group: str
    name: str
    said: Mapping[str, Body]
    read: Read


# The envelope in each protocol


def c(message: Body, finish: str = "stop", **more: Any) -> Body:
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
    choice = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "finish_reason": finish,
        **more.pop("choice", {}),
    }
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": usage,
        **more,
    }


def r(*output: Body, **more: Any) -> Body:
    usage: Body = {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    body: Body = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
    return {**body, "error": None, "incomplete_details": None, "output": list(output), "usage": usage, **more}


def a(*content: Body, stop: str = "end_turn", **more: Any) -> Body:
    usage = {"input_tokens": 9, "output_tokens": 5}
    body: Body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": list(content)}
    return {**body, "stop_reason": stop, "stop_sequence": None, "usage": usage, **more}


def g(*parts: Body, finish: str = "STOP", candidate: Body | None = None, **more: Any) -> Body:
    found = {
        "content": {"role": "model", "parts": list(parts)},
        "finishReason": finish,
        "index": 0,
        **(candidate or {}),
    }
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 14}
    return {"candidates": [found], "usageMetadata": usage, "modelVersion": "m", "responseId": "r1", **more}


def r_message(*content: Body) -> Body:
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": list(content)}


def r_text(text: str, *annotations: Body, **more: Any) -> Body:
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": [], **more}


def c_used(**details: Any) -> Body:
    return c({"content": "x"}, usage={"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14, **details})


def r_used(**details: Any) -> Body:
    return r(r_message(r_text("x")), usage={"input_tokens": 9, "output_tokens": 5, "total_tokens": 14, **details})


def a_used(**usage: Any) -> Body:
    return a({"type": "text", "text": "x"}, usage=usage)


def g_used(**usage: Any) -> Body:
    return g({"text": "x"}, usageMetadata={"promptTokenCount": 9, "totalTokenCount": 14, **usage})


def tool(number: int, city: str) -> tuple[Body, Body, Body, Body]:
    arguments = f'{{"city":"{city}"}}'
    name = f"call_{number}"
    return (
        {"id": name, "type": "function", "function": {"name": "weather", "arguments": arguments}},
        {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": name,
            "name": "weather",
            "arguments": arguments,
            "status": "completed",
        },
        {"type": "tool_use", "id": name, "name": "weather", "input": {"city": city}},
        {"functionCall": {"id": name, "name": "weather", "args": {"city": city}}},
    )


# What is read


def text(answer: Answer) -> list[str]:
    return ["".join(block.text for block in choice.blocks if isinstance(block, Text)) for choice in answer.choices]


def calls(answer: Answer) -> list[tuple[str, str, Any]]:
    found = [block for block in answer.choices[0].blocks if isinstance(block, ToolCall)]
    return [(block.id, block.name, orjson.loads(block.arguments)) for block in found]


def thoughts(answer: Answer) -> str:
    return "".join(block.text for block in answer.choices[0].blocks if isinstance(block, Thinking))


def refused(answer: Answer) -> str:
    """The words, in whatever form."""
    return "".join(block.text for block in answer.choices[0].blocks if isinstance(block, Refusal | Text))


def ended(answer: Answer) -> str:
    return answer.choices[0].finish.reason


def cited(answer: Answer) -> list[tuple[str, str]]:
    found = [block for block in answer.choices[0].blocks if isinstance(block, Text)]
    return [(citation.url, citation.title) for block in found for citation in block.citations]


def searched(answer: Answer) -> list[str]:
    return [block.query for block in answer.choices[0].blocks if isinstance(block, WebSearchCall)]


def native(answer: Answer) -> bool:
    """The code that ran: as it is, or in words."""
    blocks = answer.choices[0].blocks
    return any(isinstance(block, NativeBlock) for block in blocks) or "print(6*7)" in "".join(text(answer))


def pictures(answer: Answer) -> list[str]:
    return [block.data for block in answer.choices[0].blocks if isinstance(block, Media) and block.kind == "image"]


def sounds(answer: Answer) -> list[str]:
    return [block.data for block in answer.choices[0].blocks if isinstance(block, Media) and block.kind == "audio"]


def logprobs(answer: Answer) -> list[tuple[str, float]]:
    found = [block for block in answer.choices[0].blocks if isinstance(block, Text)]
    return [(token.token, token.logprob) for block in found for token in block.logprobs]


def tokens(answer: Answer) -> tuple[int, int]:
    assert answer.usage is not None
    return answer.usage.input_tokens, answer.usage.output_tokens


def usage_of(*names: str) -> Read:
    return lambda answer: tuple(getattr(answer.usage, name) for name in names)


C1, R1, A1, G1 = tool(1, "Paris")
C2, R2, A2, G2 = tool(2, "Rome")
PROOF = "c2lnbmF0dXJl"
_URL = {"url": "https://a.org/", "title": "A", "start_index": 0, "end_index": 5}
_R_REASONING: Body = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
_A_CITATION = {
    "type": "web_search_result_location",
    "url": "https://a.org/",
    "title": "A",
    "cited_text": "quote",
    "encrypted_index": "x",
}
_GROUNDED = {
    "groundingMetadata": {
        "webSearchQueries": ["who"],
        "groundingChunks": [{"web": {"uri": "https://a.org/", "title": "A"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 0, "endIndex": 5, "text": "Hello"}, "groundingChunkIndices": [0]}
        ],
    }
}
_TOP = [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}]
_STOPPED_BY = {"stop_sequence": "END"}
_SEARCH_RESULT = {"type": "web_search_result", "url": "https://a.org/", "title": "A", "encrypted_content": "x"}

SIGNED: Mapping[str, Mapping[str, Body]] = {
    "signature of thoughts": {
        R: r({**_R_REASONING, "encrypted_content": PROOF}, r_message(r_text("Hello"))),
        A: a({"type": "thinking", "thinking": "Hm.", "signature": PROOF}, {"type": "text", "text": "Hello"}),
    },
    "redacted thoughts": {
        R: r(
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": PROOF}, r_message(r_text("Hello"))
        ),
        A: a({"type": "redacted_thinking", "data": PROOF}, {"type": "text", "text": "Hello"}),
    },
    "signature of a call": {G: g({**G1, "thoughtSignature": PROOF})},
    "signature of a text": {G: g({"text": "Hello", "thoughtSignature": PROOF})},
}
"""What must go back to its maker, byte for byte, with the next request."""

ANSWERS: tuple[Told, ...] = (
    Told(
        "Content",
        "text",
        {
            C: c({"content": "Hello"}),
            R: r(r_message(r_text("Hello"))),
            A: a({"type": "text", "text": "Hello"}),
            G: g({"text": "Hello"}),
        },
        text,
    ),
    Told(
        "Content",
        "several answers",
        {
            C: c({"content": "one"})
            | {
                "choices": [
                    {"index": number, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
                    for number, said in enumerate(("one", "two"))
                ]
            },
            G: g()
            | {
                "candidates": [
                    {"index": number, "content": {"role": "model", "parts": [{"text": said}]}, "finishReason": "STOP"}
                    for number, said in enumerate(("one", "two"))
                ]
            },
        },
        text,
    ),
    Told(
        "Content",
        "tool call",
        {
            C: c({"content": None, "tool_calls": [C1]}, "tool_calls"),
            R: r(R1),
            A: a(A1, stop="tool_use"),
            G: g(G1),
        },
        calls,
    ),
    Told(
        "Content",
        "parallel calls after text",
        {
            C: c({"content": "I look.", "tool_calls": [C1, C2]}, "tool_calls"),
            R: r(r_message(r_text("I look.")), R1, R2),
            A: a({"type": "text", "text": "I look."}, A1, A2, stop="tool_use"),
            G: g({"text": "I look."}, G1, G2),
        },
        lambda answer: (text(answer), calls(answer), ended(answer)),
    ),
    Told(
        "Content",
        "refusal",
        {C: c({"content": None, "refusal": "No."}), R: r(r_message({"type": "refusal", "refusal": "No."}))},
        refused,
    ),
    Told(
        "Content",
        "image",
        {
            C: c(
                {"content": "", "images": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]}
            ),
            R: r({"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG}),
            G: g({"inlineData": {"mimeType": "image/png", "data": PNG}}),
        },
        lambda answer: PNG in "".join((*pictures(answer), *text(answer), str(answer.choices[0].blocks))),
    ),
    Told(
        "Content",
        "sound",
        {
            C: c({"content": None, "audio": {"id": "audio_1", "data": WAV, "expires_at": 9, "transcript": "Hello"}}),
            G: g({"inlineData": {"mimeType": "audio/wav", "data": WAV}}),
        },
        lambda answer: bool(sounds(answer)),
    ),
    Told(
        "Content",
        "log probabilities",
        {
            C: c({"content": "Hi"}, choice={"logprobs": {"content": _TOP, "refusal": None}}),
            R: r(r_message(r_text("Hi", logprobs=_TOP))),
            G: g(
                {"text": "Hi"},
                candidate={
                    "logprobsResult": {"chosenCandidates": [{"token": "Hi", "logProbability": -0.1, "tokenId": 1}]}
                },
            ),
        },
        logprobs,
    ),
    Told(
        "Thinking",
        "thoughts",
        {
            C: c({"content": "Hello", "reasoning_content": "Hm."}),
            R: r(_R_REASONING, r_message(r_text("Hello"))),
            A: a({"type": "thinking", "thinking": "Hm.", "signature": PROOF}, {"type": "text", "text": "Hello"}),
            G: g({"text": "Hm.", "thought": True}, {"text": "Hello"}),
        },
        lambda answer: (thoughts(answer), text(answer)),
    ),
    Told(
        "Server tools",
        "citations",
        {
            C: c({"content": "Hello", "annotations": [{"type": "url_citation", "url_citation": _URL}]}),
            R: r(r_message(r_text("Hello", {"type": "url_citation", **_URL}))),
            A: a({"type": "text", "text": "Hello", "citations": [_A_CITATION]}),
            G: g({"text": "Hello"}, candidate=_GROUNDED),
        },
        lambda answer: (text(answer), cited(answer)),
    ),
    Told(
        "Server tools",
        "web search",
        {
            R: r(
                {
                    "type": "web_search_call",
                    "id": "ws_1",
                    "status": "completed",
                    "action": {"type": "search", "query": "who"},
                },
                r_message(r_text("Hello")),
            ),
            A: a(
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "who"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [_SEARCH_RESULT]},
                {"type": "text", "text": "Hello"},
            ),
            G: g({"text": "Hello"}, candidate=_GROUNDED),
        },
        searched,
    ),
    Told(
        "Server tools",
        "code execution",
        {
            R: r(
                {
                    "type": "code_interpreter_call",
                    "id": "ci_1",
                    "status": "completed",
                    "container_id": "cntr_1",
                    "code": "print(6*7)",
                    "outputs": [{"type": "logs", "logs": "42"}],
                },
                r_message(r_text("Hello")),
            ),
            A: a(
                {
                    "type": "server_tool_use",
                    "id": "srvtoolu_1",
                    "name": "code_execution",
                    "input": {"code": "print(6*7)"},
                },
                {
                    "type": "code_execution_tool_result",
                    "tool_use_id": "srvtoolu_1",
                    "content": {
                        "type": "code_execution_result",
                        "stdout": "42",
                        "stderr": "",
                        "return_code": 0,
                        "content": [],
                    },
                },
                {"type": "text", "text": "Hello"},
            ),
            G: g(
                {"executableCode": {"language": "PYTHON", "code": "print(6*7)"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42"}},
                {"text": "Hello"},
            ),
        },
        native,
    ),
    Told(
        "Stop reasons",
        "end",
        {
            C: c({"content": "Hello"}),
            R: r(r_message(r_text("Hello"))),
            A: a({"type": "text", "text": "Hello"}),
            G: g({"text": "Hello"}),
        },
        ended,
    ),
    Told(
        "Stop reasons",
        "stop sequence",
        {A: a({"type": "text", "text": "Hello"}, stop="stop_sequence", **_STOPPED_BY)},
        ended,
    ),
    Told(
        "Stop reasons",
        "output limit",
        {
            C: c({"content": "Hello"}, "length"),
            R: r(r_message(r_text("Hello")), status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            A: a({"type": "text", "text": "Hello"}, stop="max_tokens"),
            G: g({"text": "Hello"}, finish="MAX_TOKENS"),
        },
        ended,
    ),
    Told(
        "Stop reasons",
        "context window full",
        {A: a({"type": "text", "text": "Hello"}, stop="model_context_window_exceeded")},
        lambda answer: {"window": "length"}.get(ended(answer), ended(answer)),
    ),
    Told(
        "Stop reasons",
        "tool call",
        {C: c({"content": None, "tool_calls": [C1]}, "tool_calls"), R: r(R1), A: a(A1, stop="tool_use"), G: g(G1)},
        ended,
    ),
    Told(
        "Stop reasons",
        "filtered",
        {
            C: c({"content": "Hello"}, "content_filter"),
            R: r(r_message(r_text("Hello")), status="incomplete", incomplete_details={"reason": "content_filter"}),
            A: a({"type": "text", "text": "Hello"}, stop="refusal"),
            G: g({"text": "Hello"}, finish="SAFETY"),
        },
        lambda answer: {"refusal": "filtered"}.get(ended(answer), ended(answer)),
    ),
    Told(
        "Stop reasons",
        "paused server tool",
        {A: a({"type": "text", "text": "Hello"}, stop="pause_turn")},
        ended,
    ),
    Told(
        "Usage",
        "input and output tokens",
        {
            C: c({"content": "Hello"}),
            R: r(r_message(r_text("Hello"))),
            A: a({"type": "text", "text": "Hello"}),
            G: g({"text": "Hello"}),
        },
        tokens,
    ),
    Told(
        "Usage",
        "tokens read from a cache",
        {
            C: c_used(prompt_tokens_details={"cached_tokens": 4}),
            R: r_used(input_tokens_details={"cached_tokens": 4}),
            A: a_used(input_tokens=5, cache_read_input_tokens=4, output_tokens=5),
            G: g_used(cachedContentTokenCount=4, candidatesTokenCount=5),
        },
        lambda answer: (tokens(answer), usage_of("cached_input")(answer)),
    ),
    Told(
        "Usage",
        "tokens written to a cache",
        {A: a_used(input_tokens=5, cache_creation_input_tokens=4, output_tokens=5)},
        lambda answer: (tokens(answer), usage_of("cache_write_5m")(answer)),
    ),
    Told(
        "Usage",
        "tokens of thoughts",
        {
            C: c_used(completion_tokens_details={"reasoning_tokens": 3}),
            R: r_used(output_tokens_details={"reasoning_tokens": 3}),
            A: a_used(input_tokens=9, output_tokens=5, output_tokens_details={"thinking_tokens": 3}),
            G: g_used(candidatesTokenCount=2, thoughtsTokenCount=3),
        },
        lambda answer: (tokens(answer), usage_of("reasoning")(answer)),
    ),
    Told(
        "Usage",
        "tokens of sound",
        {
            C: c_used(prompt_tokens_details={"audio_tokens": 4}, completion_tokens_details={"audio_tokens": 2}),
            G: g_used(
                candidatesTokenCount=5,
                promptTokensDetails=[
                    {"modality": "AUDIO", "tokenCount": 4},
                    {"modality": "TEXT", "tokenCount": 5},
                ],
                candidatesTokensDetails=[
                    {"modality": "AUDIO", "tokenCount": 2},
                    {"modality": "TEXT", "tokenCount": 3},
                ],
            ),
        },
        lambda answer: (tokens(answer), usage_of("audio_input", "audio_output")(answer)),
    ),
)
