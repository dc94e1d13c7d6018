"""Real Chat Completions traffic through the codec: requests and answers survive the way through canonical words."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import msgspec
import orjson
import pytest

from anygate.canonical.blocks import Block, Text
from anygate.canonical.chat import Chat
from anygate.canonical.chat_events import Answer, ChatEvent, Failed
from anygate.canonical.errors import ProtocolViolation, UnsupportedContent
from anygate.protocols.chat_codec import Reply, Source, Target
from anygate.protocols.fold import fold, unfold
from anygate.protocols.openai_chat.answer import observe_answer
from anygate.protocols.openai_chat.protocol import CODEC
from anygate.protocols.openai_chat.request import read_request
from anygate.protocols.openai_chat.stream_observer import StreamObserver
from tests.recorded.expected import answers_of
from tests.recorded.recordings import Recording, chat_recordings
from tests.recorded.test_usage import recorded_answers
from tests.recorded.watching import watch
from tests.specs.documents import shared_file
from tests.specs.openai import chat_chunks, validate_chat_request, validate_chat_response

DIALECTS: Mapping[str, frozenset[str]] = {
    "openrouter": frozenset({"reasoning_object", "cache_control"}),
    "vercel-gateway": frozenset({"reasoning_object", "cache_control"}),
    "zhipu": frozenset({"thinking_object", "reasoning_content"}),
    "mistral": frozenset({"thinking_parts"}),
    "openai": frozenset({"developer_role"}),
}
PLAIN = frozenset({"reasoning_content"})
SOURCE = Source("maker")
ASKED = Chat("openai.chat", "m", (), include_usage=True)
REPLY = Reply("r1", "m", 1_700_000_000, ASKED, "maker")
Json = dict[str, Any]


def sent_again(recording: Recording) -> Json:
    request = read_request(orjson.dumps(recording.request))
    assert CODEC.decode_request is not None
    assert CODEC.encode_request is not None
    chat = CODEC.decode_request(request)
    traits = DIALECTS.get(recording.company, PLAIN)
    encoded = CODEC.encode_request(chat, Target(chat.model, limit=chat.output_limit, traits=traits))
    assert (encoded.dropped, encoded.stop, encoded.names) == ((), (), {})
    return encoded.document


def normal(document: Json) -> Json:
    """One spelling for what means the same: nulls and empty lists are absent, and so is `stream: false`."""
    body = {name: value for name, value in document.items() if value not in (None, [])}
    if not body.get("stream"):
        body.pop("stream", None)
    options = cast("Json", body.pop("stream_options", {}))
    options.pop("include_usage", None)  # always asked for: a translated stream is metered
    if options:
        body["stream_options"] = options
    if "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    if body.get("max_tokens") == 0:  # no limit
        del body["max_tokens"]
    if isinstance(body.get("stop"), str):
        body["stop"] = [body["stop"]]
    if body.get("tool_choice") == "any":
        body["tool_choice"] = "required"
    if "functions" in body:
        body["tools"] = [{"type": "function", "function": function} for function in body.pop("functions")]
        body["tool_choice"] = body.pop("function_call", None)
    if body.get("n") == 1:
        del body["n"]
    if "tools" in body:
        body["tools"] = [_normal_tool(tool) for tool in body["tools"]]
    _settle_formats(body)
    body["messages"] = _normal_messages(body.get("messages", []))
    return body


def _settle_formats(body: Json) -> None:
    form = cast("Json", body.get("response_format", {}))
    if form.get("type") == "json_schema":
        form["json_schema"].setdefault("name", "answer")  # required by OpenAI
    if form.get("type") == "text":
        del body["response_format"]
    reasoning = cast("Json", body.get("reasoning", {}))
    if "effort" in reasoning:
        reasoning.pop("enabled", None)
    if "reasoning_effort" in body and body.get("thinking") == {"type": "enabled"}:  # an effort implies it
        del body["thinking"]


def _normal_tool(tool: Json) -> Json:
    tool = {"type": "function"} | tool
    if "function" in tool:
        function = {name: value for name, value in tool["function"].items() if value is not None}
        if not function.get("description"):
            function.pop("description", None)
        tool["function"] = function
    return tool


def _normal_messages(messages: list[Json]) -> list[Json]:
    normal = [_normal_message(message) for message in messages]
    leading = 0
    while leading < len(normal) and normal[leading]["role"] == "system":
        leading += 1
    if leading > 1:  # system messages in a row are one
        parts: list[Json] = []
        for message in normal[:leading]:
            content: Any = message["content"]
            parts += content if isinstance(content, list) else [{"type": "text", "text": content}]
        whole: Any = "\n\n".join(part["text"] for part in parts)
        if any("cache_control" in part for part in parts):
            whole = parts
        normal = [{"role": "system", "content": whole}, *normal[leading:]]
    return normal


def _normal_message(message: Json) -> Json:
    body = {name: value for name, value in message.items() if value not in (None, [], "")}
    if body["role"] == "developer":
        body["role"] = "system"
    parts = body.get("content")
    if isinstance(parts, str):
        parts = [{"type": "text", "text": parts}]
    if parts:
        parts = [_normal_part(part) for part in cast("list[Json]", parts)]
        mark = body.pop("cache_control", None)
        if mark is not None:  # a mark on a message is one on its last part
            parts[-1]["cache_control"] = mark
        plain = len(parts) == 1 and parts[0].keys() == {"type", "text"}
        body["content"] = parts[0]["text"] if plain else parts
    thoughts = body.pop("reasoning", None) or body.pop("reasoning_content", None)
    body.pop("reasoning_content", None)
    details = [
        {name: value for name, value in entry.items() if value != ""} for entry in body.pop("reasoning_details", [])
    ]
    if details:
        body["reasoning_details"] = details
    elif thoughts:
        body["thoughts"] = thoughts
    if "tool_calls" in body:
        body["tool_calls"] = [
            {name: value for name, value in call.items() if name != "index"} | {"type": "function"}
            for call in body["tool_calls"]
        ]
        last = body["tool_calls"][-1]
        mark = body.pop("cache_control", None)
        if mark is not None:
            last["cache_control"] = mark
    return body


def _normal_part(part: Json) -> Json:
    body = {name: value for name, value in part.items() if value is not None}
    if body.get("type") == "thinking":
        text = "".join(piece["text"] for piece in body["thinking"])
        return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
    return body


def test_every_recorded_request_comes_out_as_it_went_in():
    shared_file("recordings")
    wrong: dict[str, Any] = {}
    recordings = chat_recordings()
    for recording in recordings:
        expected = normal(json.loads(json.dumps(recording.request)))
        found = normal(json.loads(json.dumps(sent_again(recording))))
        if found != expected:
            names = sorted({*found, *expected})
            wrong[recording.name] = [
                (name, found.get(name), expected.get(name)) for name in names if found.get(name) != expected.get(name)
            ]
    assert wrong == {}
    assert len(recordings) > 350


def events_of(recording: Recording) -> list[ChatEvent]:
    assert CODEC.decode_answer is not None
    assert CODEC.stream_decoder is not None
    if not recording.is_stream:
        return CODEC.decode_answer(recording.body, SOURCE)
    decoder = CODEC.stream_decoder(SOURCE)
    events = [event for piece in recording.pieces() for event in decoder.feed(piece)]
    return events + decoder.finish()


def refuses(recording: Recording) -> bool:
    """The recording itself holds an error, or lost its end when it was published."""
    answers = answers_of(recording)
    return not answers or any(answer.get("error") for answer in answers)


@cache
def answered() -> list[tuple[Recording, list[ChatEvent]]]:
    found: list[tuple[Recording, list[ChatEvent]]] = []
    for recording in recorded_answers():
        if recording.status == 200 and not refuses(recording):
            found.append((recording, events_of(recording)))
    return found


def test_every_recorded_answer_is_understood():
    assert [
        recording.name for recording, events in answered() if any(isinstance(event, Failed) for event in events)
    ] == []
    assert len(answered()) > 300


def test_a_recorded_error_within_an_answer_is_told():
    failed = 0
    for recording in recorded_answers():
        if recording.status == 200 and any(answer.get("error") for answer in answers_of(recording)):
            failed += 1
            try:
                events = events_of(recording)
            except ProtocolViolation:
                continue
            assert isinstance(events[-1], Failed), recording.name
    assert failed > 2


def test_the_text_of_every_recorded_answer_is_all_there():
    for recording, events in answered():
        said: dict[int, str] = {}
        for answer in answers_of(recording):
            for choice in answer.get("choices") or ():
                piece = choice.get("message") if not recording.is_stream else choice.get("delta")
                content = cast("Json", piece or {}).get("content")
                if isinstance(content, str):
                    said[choice.get("index", 0)] = said.get(choice.get("index", 0), "") + content
        found = {
            choice.finish.choice: "".join(block.text for block in choice.blocks if isinstance(block, Text))
            for choice in fold(events).choices
        }
        for index, text in said.items():
            assert found[index] == text, recording.name


def test_the_usage_of_every_recorded_answer_is_as_observed():
    for recording, events in answered():
        observed = (
            watch(StreamObserver(), recording.body, 4096) if recording.is_stream else observe_answer(recording.body)
        )
        assert observed is not None
        assert fold(events).usage == observed.usage, recording.name


def again(answer: Answer) -> Answer:
    assert CODEC.encode_answer is not None
    assert CODEC.decode_answer is not None
    return fold(CODEC.decode_answer(CODEC.encode_answer(answer, REPLY), SOURCE))


def again_streamed(answer: Answer) -> Answer:
    assert CODEC.stream_encoder is not None
    assert CODEC.stream_decoder is not None
    encoder, decoder = CODEC.stream_encoder(REPLY), CODEC.stream_decoder(SOURCE)
    events = [event for sent in unfold(answer) for event in decoder.feed(encoder.feed([sent]))]
    return fold([*events, *decoder.feed(encoder.finish()), *decoder.finish()])


@pytest.mark.parametrize("way", [again, again_streamed])
def test_every_recorded_answer_comes_out_as_it_went_in(way: Any):
    for recording, events in answered():
        answer = fold(events)
        assert comparable(way(answer)) == comparable(answer), recording.name


def comparable(answer: Answer) -> Answer:
    """A citation of a whole block is one of all its characters."""
    choices = [msgspec.structs.replace(choice, blocks=tuple(map(_placed, choice.blocks))) for choice in answer.choices]
    return msgspec.structs.replace(answer, choices=tuple(choices))


def _placed(block: Block) -> Block:
    if not isinstance(block, Text) or not block.citations:
        return block
    placed = [
        found if found.start >= 0 else msgspec.structs.replace(found, start=0, end=len(block.text))
        for found in block.citations
    ]
    return msgspec.structs.replace(block, citations=tuple(placed))


@pytest.mark.parametrize("step", [1, 61])
def test_the_cuts_between_blocks_change_no_event(step: int):
    assert CODEC.stream_decoder is not None
    for recording, events in answered():
        if recording.is_stream and len(recording.body) < 40_000:
            decoder, body = CODEC.stream_decoder(SOURCE), recording.body
            cut = [event for at in range(0, len(body), step) for event in decoder.feed(body[at : at + step])]
            assert cut + decoder.finish() == events, recording.name


def test_what_is_sent_to_openai_for_other_clients_is_valid():
    """Every recorded conversation, as if a client of another protocol had asked for it."""
    shared_file("specs/openai/openapi.yaml")
    assert CODEC.decode_request is not None
    assert CODEC.encode_request is not None
    traits = frozenset({"openai_models", "developer_role"})
    refused: set[str | None] = set()
    sent = 0
    for recording in chat_recordings():
        chat = CODEC.decode_request(read_request(orjson.dumps(recording.request)))
        foreign = msgspec.structs.replace(chat, protocol="google.gemini")
        target = Target("gpt-4o", "openai", 9, "max_completion_tokens", traits=traits)
        try:
            encoded = CODEC.encode_request(foreign, target)
        except UnsupportedContent as error:
            refused.add(error.param)
            continue
        validate_chat_request(orjson.dumps(encoded.document))
        sent += 1
    assert sent > 300
    assert refused == {"contents", "tools"}


def test_what_clients_are_told_is_valid():
    shared_file("specs/openai/openapi.yaml")
    assert CODEC.encode_answer is not None
    assert CODEC.stream_encoder is not None
    for recording, events in answered():
        validate_chat_response(CODEC.encode_answer(fold(events), REPLY))
        if len(events) < 200:
            encoder = CODEC.stream_encoder(REPLY)
            assert list(chat_chunks(encoder.feed(events) + encoder.finish())), recording.name
