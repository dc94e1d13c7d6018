"""Features of a request: how each protocol says it, and how to tell that an upstream reads it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from anygate.canonical.blocks import Block, Media, Text, ToolCall, ToolResult
from anygate.canonical.chat import Chat, FunctionTool, NativeTool, WebSearchTool
from tests.matrix.cells import FETCHED, MODELS, SEARCHERS, THINKERS, Sent
from tests.matrix.wire import (
    A_TOOL,
    CSV,
    MP4,
    PDF,
    PNG,
    R_TOOL,
    SCHEMA,
    URL,
    WAV,
    A,
    Body,
    C,
    G,
    R,
    call,
    chat,
    config,
    gemini,
    history,
    messages,
    mode,
    responses,
    with_tools,
)


@dataclass(frozen=True)
class Feature:
    """Something that a client can ask.

    Attributes:
        group: of rows in the document.
        said: a request for each protocol that knows it.
        seen: is it in what the upstream reads?
        models: of the upstreams.
    """

    group: str
    name: str
    said: Mapping[str, Body]
    seen: Callable[[Sent], bool]
    models: Mapping[str, str] = field(default_factory=lambda: MODELS)


def blocks(asked: Chat) -> Iterator[Block]:
    """All that the turns hold, with what tool results hold."""
    for turn in asked.turns:
        for block in turn.blocks:
            yield block
            if isinstance(block, ToolResult):
                yield from block.blocks


def texts(asked: Chat, role: str = "") -> str:
    found = [
        block.text
        for turn in asked.turns
        if role in ("", turn.role)
        for block in turn.blocks
        if isinstance(block, Text)
    ]
    return "\n".join(found)


def media(asked: Chat, kind: str) -> list[Media]:
    return [block for block in blocks(asked) if isinstance(block, Media) and block.kind == kind]


def has_data(kind: str, data: str) -> Callable[[Sent], bool]:
    return lambda sent: any(found.data == data for found in media(sent.chat, kind))


def has_url(kind: str, url: str) -> Callable[[Sent], bool]:
    return lambda sent: any(found.url == url or found.data == FETCHED for found in media(sent.chat, kind))


def has_id(kind: str) -> Callable[[Sent], bool]:
    return lambda sent: any(found.file_id == "file-1" for found in media(sent.chat, kind))


def same(read: Callable[[Chat], Any]) -> Callable[[Sent], bool]:
    """What is read of the request is the same on both sides."""
    return lambda sent: read(sent.chat) == read(sent.asked)


def functions(asked: Chat) -> list[FunctionTool]:
    return [tool for tool in asked.tools if isinstance(tool, FunctionTool)]


def calls(asked: Chat) -> list[tuple[str, str, Any]]:
    found = [block for block in blocks(asked) if isinstance(block, ToolCall)]
    return [(block.id, block.name, orjson.loads(block.arguments)) for block in found]


def results(asked: Chat) -> list[tuple[str, str]]:
    found = [block for block in blocks(asked) if isinstance(block, ToolResult)]
    return [(block.call_id, "".join(part.text for part in block.blocks if isinstance(part, Text))) for block in found]


ASK: Body = {"role": "user", "content": "Weather?"}
C1, R1, A1, G1 = call(1, "Paris")
C2, R2, A2, G2 = call(2, "Rome")
ASKED_G = {"role": "user", "parts": [{"text": "Weather?"}]}

ONE_RESULT = history(
    c=[ASK, {"role": "assistant", "tool_calls": [C1]}, {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}],
    r=[ASK, R1, {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}],
    a=[
        ASK,
        {"role": "assistant", "content": [A1]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"}]},
    ],
    g=[
        ASKED_G,
        {"role": "model", "parts": [G1]},
        {
            "role": "user",
            "parts": [{"functionResponse": {"id": "call_1", "name": "weather", "response": {"output": "sunny"}}}],
        },
    ],
)
TWO_RESULTS = history(
    c=[
        ASK,
        {"role": "assistant", "content": "I look.", "tool_calls": [C1, C2]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call_2", "content": "rainy"},
    ],
    r=[
        ASK,
        {"role": "assistant", "content": "I look."},
        R1,
        R2,
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "call_2", "output": "rainy"},
    ],
    a=[
        ASK,
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, A1, A2]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"},
                {"type": "tool_result", "tool_use_id": "call_2", "content": "rainy"},
            ],
        },
    ],
    g=[
        ASKED_G,
        {"role": "model", "parts": [{"text": "I look."}, G1, G2]},
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "call_1", "name": "weather", "response": {"output": "sunny"}}},
                {"functionResponse": {"id": "call_2", "name": "weather", "response": {"output": "rainy"}}},
            ],
        },
    ],
)
_A_IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
IMAGE_RESULT = {
    R: responses(tools=[R_TOOL])
    | {
        "input": [
            ASK,
            R1,
            {
                "type": "function_call_output",
                "call_id": "call_1",
                "output": [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}],
            },
        ]
    },
    A: messages(tools=[A_TOOL])
    | {
        "messages": [
            ASK,
            {"role": "assistant", "content": [A1]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": [_A_IMAGE]}]},
        ]
    },
    G: {
        **ONE_RESULT[G],
        "contents": [
            ASKED_G,
            {"role": "model", "parts": [G1]},
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": "call_1",
                            "name": "weather",
                            "response": {"output": "see"},
                            "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
                        }
                    }
                ],
            },
        ],
    },
}
FAILED_RESULT = {
    A: messages(tools=[A_TOOL])
    | {
        "messages": [
            ASK,
            {"role": "assistant", "content": [A1]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "no such city", "is_error": True}
                ],
            },
        ]
    },
    G: {
        **ONE_RESULT[G],
        "contents": [
            ASKED_G,
            {"role": "model", "parts": [G1]},
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "call_1", "name": "weather", "response": {"error": "no such city"}}}
                ],
            },
        ],
    },
}


def failed(sent: Sent) -> bool:
    """The model is told that the tool failed: by a flag, or in words."""
    found = [block for block in blocks(sent.chat) if isinstance(block, ToolResult)]
    said = "".join(text for _, text in results(sent.chat)).lower()
    return "no such city" in said and (any(block.is_error for block in found) or "error" in said or "fail" in said)


def marked(sent: Sent) -> bool:
    texts_ = [block for turn in sent.chat.turns for block in turn.blocks if isinstance(block, Text)]
    return any(block.cache is not None for block in texts_)


def searches(sent: Sent) -> bool:
    return any(isinstance(tool, WebSearchTool) for tool in sent.chat.tools)


def runs_code(sent: Sent) -> bool:
    return any(isinstance(tool, NativeTool) and "code" in str(tool.raw).lower() for tool in sent.chat.tools)


def stops(sent: Sent) -> bool:
    """At the upstream, or by the gateway's own watch."""
    return {*sent.chat.stop, *sent.encoded.stop} == {"END"}


def thinks(sent: Sent) -> bool:
    found = sent.chat.reasoning
    return found is not None and found.enabled is not False and bool(found.effort or found.budget or found.adaptive)


def forbidden_thoughts(sent: Sent) -> bool:
    """Said, or so by default: an upstream of that model does not think unless it is asked to."""
    found = sent.chat.reasoning
    return (found is not None and found.enabled is False) or (found is None and sent.chat.protocol == A)


def sampled(name: str) -> Callable[[Sent], bool]:
    return same(lambda asked: getattr(asked.sampling, name))


_A_MARKED = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
_INSTRUCTED = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Go on"},
]
_STEP: Body = {"type": "text", "text": "Hi"}
_FORMAT = {"name": "place", "schema": SCHEMA, "strict": True}
_LOCATION = {"type": "approximate", "country": "FR"}

FEATURES: tuple[Feature, ...] = (
    Feature(
        "Conversation",
        "system instructions",
        {
            C: chat() | {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
            R: responses(instructions="Be brief."),
            A: messages(system="Be brief."),
            G: gemini(systemInstruction={"parts": [{"text": "Be brief."}]}),
        },
        lambda sent: (
            "Be brief." in [block.text for block in sent.chat.system] or "Be brief." in texts(sent.chat, "system")
        ),
    ),
    Feature(
        "Conversation",
        "developer instructions",
        {
            C: chat()
            | {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
            R: responses()
            | {"input": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
        },
        lambda sent: (
            "Be brief." in [block.text for block in sent.chat.system] or "Be brief." in texts(sent.chat, "system")
        ),
    ),
    Feature(
        "Conversation",
        "instructions in the middle",
        {
            C: chat() | {"messages": _INSTRUCTED},
            R: responses() | {"input": _INSTRUCTED},
            A: messages() | {"messages": _INSTRUCTED},
        },
        lambda sent: (
            texts(sent.chat).find("Hello") < texts(sent.chat).find("Be brief.") < texts(sent.chat).find("Go on")
        ),
    ),
    Feature(
        "Conversation",
        "text",
        {C: chat(), R: responses(), A: messages(), G: gemini()},
        lambda sent: texts(sent.chat, "user") == "Hi",
    ),
    Feature(
        "Conversation",
        "name of a speaker",
        {C: chat() | {"messages": [{"role": "user", "content": "Hi", "name": "Ada"}]}},
        lambda sent: "Ada" in (sent.chat.turns[0].name + texts(sent.chat)),
    ),
    Feature(
        "Media",
        "image, base64",
        {
            C: chat({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}),
            R: responses({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}),
            A: messages(_A_IMAGE),
            G: gemini({"inlineData": {"mimeType": "image/png", "data": PNG}}),
        },
        has_data("image", PNG),
    ),
    Feature(
        "Media",
        "image, URL",
        {
            C: chat({"type": "image_url", "image_url": {"url": URL}}),
            R: responses({"type": "input_image", "image_url": URL}),
            A: messages({"type": "image", "source": {"type": "url", "url": URL}}),
            G: gemini({"fileData": {"mimeType": "image/png", "fileUri": URL}}),
        },
        has_url("image", URL),
    ),
    Feature(
        "Media",
        "image, file id",
        {
            R: responses({"type": "input_image", "file_id": "file-1"}),
            A: messages({"type": "image", "source": {"type": "file", "file_id": "file-1"}}),
        },
        has_id("image"),
    ),
    Feature(
        "Media",
        "image detail",
        {
            C: chat({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}),
            R: responses({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"}),
        },
        lambda sent: any(found.detail == "low" for found in media(sent.chat, "image")),
    ),
    Feature(
        "Media",
        "PDF, base64",
        {
            C: chat({"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}),
            R: responses(
                {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
            ),
            A: messages(
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}
            ),
            G: gemini({"inlineData": {"mimeType": "application/pdf", "data": PDF}}),
        },
        has_data("file", PDF),
    ),
    Feature(
        "Media",
        "PDF, URL",
        {
            R: responses({"type": "input_file", "file_url": "https://example.com/a.pdf"}),
            A: messages({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}),
            G: gemini({"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.com/a.pdf"}}),
        },
        has_url("file", "https://example.com/a.pdf"),
    ),
    Feature(
        "Media",
        "file, file id",
        {
            C: chat({"type": "file", "file": {"file_id": "file-1"}}),
            R: responses({"type": "input_file", "file_id": "file-1"}),
            A: messages({"type": "document", "source": {"type": "file", "file_id": "file-1"}}),
        },
        has_id("file"),
    ),
    Feature(
        "Media",
        "other files",
        {
            C: chat({"type": "file", "file": {"filename": "a.csv", "file_data": f"data:text/csv;base64,{CSV}"}}),
            R: responses({"type": "input_file", "filename": "a.csv", "file_data": f"data:text/csv;base64,{CSV}"}),
            A: messages(
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b\n1,2\n"}}
            ),
            G: gemini({"inlineData": {"mimeType": "text/csv", "data": CSV}}),
        },
        lambda sent: (
            any(found.data == CSV or "a,b" in found.text for found in media(sent.chat, "file"))
            or "a,b" in texts(sent.chat)
        ),
    ),
    Feature(
        "Media",
        "sound in",
        {
            C: chat({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}),
            G: gemini({"inlineData": {"mimeType": "audio/wav", "data": WAV}}),
        },
        has_data("audio", WAV),
    ),
    Feature(
        "Media",
        "video in",
        {
            C: chat({"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{MP4}"}}),
            G: gemini({"inlineData": {"mimeType": "video/mp4", "data": MP4}}),
        },
        has_data("video", MP4),
    ),
    Feature(
        "Media",
        "spoken answer asked for",
        {
            C: chat(modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"}),
            G: config(
                responseModalities=["AUDIO"],
                speechConfig={"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
            ),
        },
        lambda sent: "audio" in sent.chat.modalities and sent.chat.speech is not None,
    ),
    Feature(
        "Media",
        "images asked for",
        {C: chat(modalities=["text", "image"]), G: config(responseModalities=["TEXT", "IMAGE"])},
        lambda sent: "image" in sent.chat.modalities,
        {**MODELS, G: "gemini-2.5-flash-image"},
    ),
    Feature(
        "Tools",
        "tool with schema",
        with_tools({}, {}, {}, {}),
        same(lambda asked: [(tool.name, tool.description, tool.schema) for tool in functions(asked)]),
    ),
    Feature(
        "Tools",
        "strict schema",
        {
            C: chat(tools=[{"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": True}}]),
            R: responses(tools=[{"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}]),
            A: messages(tools=[{"name": "f", "input_schema": SCHEMA, "strict": True}]),
        },
        lambda sent: [tool.strict for tool in functions(sent.chat)] == [True],
    ),
    Feature(
        "Tools",
        "tool that takes free text",
        {
            C: chat(tools=[{"type": "custom", "custom": {"name": "shell", "description": "Runs."}}]),
            R: responses(tools=[{"type": "custom", "name": "shell", "description": "Runs."}]),
        },
        lambda sent: [getattr(tool, "name", "") for tool in sent.chat.tools] == ["shell"],
        THINKERS,
    ),
    Feature(
        "Tools",
        "choice: none",
        with_tools({"tool_choice": "none"}, {"tool_choice": "none"}, {"tool_choice": {"type": "none"}}, mode("NONE")),
        lambda sent: (
            (sent.chat.tool_choice is not None and sent.chat.tool_choice.mode == "none") or not sent.chat.tools
        ),
    ),
    Feature(
        "Tools",
        "choice: some tool must be called",
        with_tools(
            {"tool_choice": "required"}, {"tool_choice": "required"}, {"tool_choice": {"type": "any"}}, mode("ANY")
        ),
        lambda sent: sent.chat.tool_choice is not None and sent.chat.tool_choice.mode == "required",
    ),
    Feature(
        "Tools",
        "choice: this tool must be called",
        with_tools(
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {"tool_choice": {"type": "function", "name": "weather"}},
            {"tool_choice": {"type": "tool", "name": "weather"}},
            mode("ANY", "weather"),
        ),
        lambda sent: sent.chat.tool_choice is not None and sent.chat.tool_choice.names == ("weather",),
    ),
    Feature(
        "Tools",
        "one call at a time",
        with_tools(
            {"parallel_tool_calls": False},
            {"parallel_tool_calls": False},
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        lambda sent: sent.chat.parallel_tools is False,
    ),
    Feature(
        "Tools",
        "call and result",
        ONE_RESULT,
        lambda sent: calls(sent.chat) == calls(sent.asked) and results(sent.chat) == results(sent.asked),
    ),
    Feature(
        "Tools",
        "parallel calls with text",
        TWO_RESULTS,
        lambda sent: (
            calls(sent.chat) == calls(sent.asked)
            and results(sent.chat) == results(sent.asked)
            and "I look." in texts(sent.chat, "assistant")
        ),
    ),
    Feature("Tools", "image in a result", IMAGE_RESULT, has_data("image", PNG)),
    Feature("Tools", "result of a failed tool", FAILED_RESULT, failed),
    Feature(
        "Thinking",
        "effort",
        {
            C: chat(reasoning_effort="high"),
            R: responses(reasoning={"effort": "high"}),
            A: messages(output_config={"effort": "high"}, thinking={"type": "adaptive"}, max_tokens=64000),
            G: config(thinkingConfig={"thinkingLevel": "HIGH"}),
        },
        thinks,
        THINKERS,
    ),
    Feature(
        "Thinking",
        "budget in tokens",
        {
            A: messages(thinking={"type": "enabled", "budget_tokens": 2048}),
            G: config(thinkingConfig={"thinkingBudget": 2048}),
        },
        thinks,
        THINKERS,
    ),
    Feature(
        "Thinking",
        "off",
        {
            C: chat(reasoning_effort="none"),
            R: responses(reasoning={"effort": "none"}),
            A: messages(thinking={"type": "disabled"}),
            G: config(thinkingConfig={"thinkingBudget": 0}),
        },
        forbidden_thoughts,
        THINKERS,
    ),
    Feature(
        "Thinking",
        "thoughts shown",
        {
            R: responses(reasoning={"effort": "low", "summary": "auto"}),
            G: config(thinkingConfig={"includeThoughts": True}),
        },
        lambda sent: (
            sent.chat.reasoning is not None
            and (
                bool(sent.chat.reasoning.show or sent.chat.reasoning.summary)
                or (sent.chat.reasoning.enabled is True and sent.chat.protocol == A)
            )
        ),
        THINKERS,
    ),
    Feature(
        "Form",
        "JSON",
        {
            C: chat(response_format={"type": "json_object"}),
            R: responses(text={"format": {"type": "json_object"}}),
            G: config(responseMimeType="application/json"),
        },
        lambda sent: sent.chat.format is not None or "JSON" in "".join(block.text for block in sent.chat.system),
    ),
    Feature(
        "Form",
        "JSON by schema",
        {
            C: chat(response_format={"type": "json_schema", "json_schema": _FORMAT}),
            R: responses(text={"format": {"type": "json_schema", **_FORMAT}}),
            A: messages(output_config={"format": {"type": "json_schema", "schema": SCHEMA}}),
            G: config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
        },
        lambda sent: sent.chat.format is not None and sent.chat.format.schema == SCHEMA,
    ),
    Feature(
        "Form",
        "verbosity",
        {C: chat(verbosity="low"), R: responses(text={"verbosity": "low"})},
        same(lambda asked: asked.verbosity),
    ),
    Feature(
        "Form",
        "stop sequences",
        {C: chat(stop=["END"]), A: messages(stop_sequences=["END"]), G: config(stopSequences=["END"])},
        stops,
    ),
    Feature(
        "Form",
        "several answers (n)",
        {C: chat(n=2), G: config(candidateCount=2)},
        same(lambda asked: asked.choices),
    ),
    Feature(
        "Sampling",
        "output limit",
        {
            C: chat(max_completion_tokens=77),
            R: responses(max_output_tokens=77),
            A: messages(max_tokens=77),
            G: config(maxOutputTokens=77),
        },
        lambda sent: sent.chat.output_limit == 77,
    ),
    Feature(
        "Sampling",
        "temperature",
        {
            C: chat(temperature=0.3),
            R: responses(temperature=0.3),
            A: messages(temperature=0.3),
            G: config(temperature=0.3),
        },
        sampled("temperature"),
    ),
    Feature(
        "Sampling",
        "top_p",
        {C: chat(top_p=0.3), R: responses(top_p=0.3), A: messages(top_p=0.3), G: config(topP=0.3)},
        sampled("top_p"),
    ),
    Feature("Sampling", "top_k", {C: chat(top_k=7), A: messages(top_k=7), G: config(topK=7)}, sampled("top_k")),
    Feature("Sampling", "seed", {C: chat(seed=7), G: config(seed=7)}, sampled("seed")),
    Feature(
        "Sampling",
        "presence penalty",
        {C: chat(presence_penalty=0.5), G: config(presencePenalty=0.5)},
        sampled("presence_penalty"),
    ),
    Feature(
        "Sampling",
        "frequency penalty",
        {C: chat(frequency_penalty=0.5), G: config(frequencyPenalty=0.5)},
        sampled("frequency_penalty"),
    ),
    Feature("Sampling", "logit bias", {C: chat(logit_bias={"50256": -100})}, sampled("logit_bias")),
    Feature(
        "Sampling",
        "log probabilities",
        {
            C: chat(logprobs=True, top_logprobs=2),
            R: responses(include=["message.output_text.logprobs"], top_logprobs=2),
            G: config(responseLogprobs=True, logprobs=2),
        },
        lambda sent: sent.chat.sampling.logprobs and sent.chat.sampling.top_logprobs == 2,
    ),
    Feature(
        "Around",
        "service tier",
        {
            C: chat(service_tier="flex"),
            R: responses(service_tier="flex"),
            A: messages(service_tier="standard_only"),
            G: gemini(serviceTier="flex"),
        },
        lambda sent: (
            sent.chat.service_tier in (sent.asked.service_tier, {"default": "standard"}.get(sent.asked.service_tier))
        ),
    ),
    Feature(
        "Around",
        "end user's id",
        {C: chat(user="u1"), R: responses(user="u1"), A: messages(metadata={"user_id": "u1"})},
        same(lambda asked: asked.user),
    ),
    Feature(
        "Around",
        "metadata",
        {C: chat(metadata={"a": "b"}), R: responses(metadata={"a": "b"}), G: gemini(labels={"a": "b"})},
        same(lambda asked: asked.metadata),
    ),
    Feature("Around", "cache marks", {A: messages(_A_MARKED)}, marked),
    Feature(
        "Around",
        "cache key",
        {C: chat(prompt_cache_key="k"), R: responses(prompt_cache_key="k")},
        same(lambda asked: asked.cache_key),
    ),
    Feature(
        "Around",
        "cached content by name",
        {G: gemini(cachedContent="cachedContents/1")},
        lambda sent: sent.encoded.document.get("cachedContent") == "cachedContents/1",
    ),
    Feature(
        "Around",
        "safety settings",
        {G: gemini(safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}])},
        lambda sent: "safetySettings" in sent.encoded.document,
    ),
    Feature(
        "Around",
        "stored answer continued by its id",
        {R: responses(previous_response_id="resp_1")},
        lambda sent: sent.encoded.document.get("previous_response_id") == "resp_1",
    ),
    Feature(
        "Around",
        "prediction",
        {C: chat(prediction={"type": "content", "content": "x"})},
        lambda sent: "prediction" in sent.encoded.document,
    ),
    Feature(
        "Server tools",
        "web search",
        {
            C: chat(web_search_options={"search_context_size": "low"}),
            R: responses(tools=[{"type": "web_search"}]),
            A: messages(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
            G: gemini(tools=[{"googleSearch": {}}]),
        },
        searches,
        SEARCHERS,
    ),
    Feature(
        "Server tools",
        "web search near a place",
        {
            C: chat(web_search_options={"user_location": {"type": "approximate", "approximate": {"country": "FR"}}}),
            R: responses(tools=[{"type": "web_search", "user_location": _LOCATION}]),
            A: messages(tools=[{"type": "web_search_20250305", "name": "web_search", "user_location": _LOCATION}]),
        },
        lambda sent: any(
            isinstance(tool, WebSearchTool) and tool.location.get("country") == "FR" for tool in sent.chat.tools
        ),
        SEARCHERS,
    ),
    Feature(
        "Server tools",
        "web search in some domains",
        {
            R: responses(tools=[{"type": "web_search", "filters": {"allowed_domains": ["a.org"]}}]),
            A: messages(tools=[{"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["a.org"]}]),
        },
        lambda sent: any(
            isinstance(tool, WebSearchTool) and tool.allowed_domains == ("a.org",) for tool in sent.chat.tools
        ),
        SEARCHERS,
    ),
    Feature(
        "Server tools",
        "number of web searches",
        {A: messages(tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}])},
        lambda sent: any(isinstance(tool, WebSearchTool) and tool.max_uses == 3 for tool in sent.chat.tools),
        SEARCHERS,
    ),
    Feature(
        "Server tools",
        "code execution",
        {
            R: responses(tools=[{"type": "code_interpreter", "container": {"type": "auto"}}]),
            A: messages(tools=[{"type": "code_execution_20250825", "name": "code_execution"}]),
            G: gemini(tools=[{"codeExecution": {}}]),
        },
        runs_code,
    ),
    Feature(
        "Server tools",
        "drawing tool",
        {R: responses(tools=[{"type": "image_generation"}])},
        lambda sent: any(isinstance(tool, NativeTool) for tool in sent.chat.tools),
    ),
    Feature(
        "Server tools",
        "reading of URLs",
        {
            A: messages(tools=[{"type": "web_fetch_20250910", "name": "web_fetch"}]),
            G: gemini(tools=[{"urlContext": {}}]),
        },
        lambda sent: any(isinstance(tool, NativeTool) for tool in sent.chat.tools),
    ),
)
