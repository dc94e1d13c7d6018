"""What clients are told of an answer: as a whole and as a stream."""

import base64
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from anygate.canonical.blocks import (
    Block,
    Citation,
    Media,
    NativeBlock,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    WebSearchCall,
)
from anygate.canonical.chat import Chat, CustomTool, Speech
from anygate.canonical.chat_events import Answer, BlockEnded, BlockStarted, Choice, Failed, Finished, Signed, Started
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Reply
from anygate.protocols.fold import unfold
from anygate.protocols.openai_chat.answer_encode import encode_answer
from anygate.protocols.openai_chat.stream_encode import StreamEncoder
from anygate.protocols.signature_tag import tag

ASKED = Chat("openai.chat", "m", (), include_usage=True)
REPLY = Reply("r1", "m", 1_700_000_000, ASKED, "up")
PNG = "iVBORw0KGgoAAAANSUhEUgAA"


def told(*given: Block, reply: Reply = REPLY, reason: Any = "end", usage: Usage | None = None) -> Any:
    answer = Answer("c1", "m1", 5, (Choice(given, Finished(reason)),), usage)
    return orjson.loads(encode_answer(answer, reply))


def told_streamed(*given: Block, reply: Reply = REPLY, reason: Any = "end", usage: Usage | None = None) -> list[Any]:
    encoder = StreamEncoder(reply)
    answer = Answer("c1", "m1", 5, (Choice(given, Finished(reason)),), usage)
    wire = encoder.feed(unfold(answer)) + encoder.finish()
    assert wire.endswith(b"data: [DONE]\n\n")
    return [orjson.loads(line[6:]) for line in wire.split(b"\n") if line.startswith(b"data: {")]


def test_an_answer_in_full():
    signed = Thinking("hm", Signature("s", "anthropic"), id="t1")
    body = told(signed, Text("Hi"), ToolCall("c", "f", "{}"), reason="tool_call", usage=Usage(3, 2, 1, 1, 5, 4, 1))
    assert body == {
        "id": "c1",
        "object": "chat.completion",
        "created": 5,
        "model": "m1",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hi",
                    "refusal": None,
                    "reasoning_content": "hm",
                    "reasoning_details": [
                        {
                            "type": "reasoning.text",
                            "text": "hm",
                            "signature": tag(Signature("s", "anthropic")),
                            "id": "t1",
                            "provider": "anthropic",
                            "index": 0,
                        }
                    ],
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 8,
            "completion_tokens": 5,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 2, "audio_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 0},
        },
    }


def test_what_the_upstream_did_not_name_is_named_by_the_gateway():
    body = orjson.loads(encode_answer(Answer("", "", 0, (), None), REPLY))
    assert (body["id"], body["model"], body["created"]) == ("chatcmpl-r1", "m", 1_700_000_000)


@pytest.mark.parametrize(
    ("reason", "given", "expected"),
    [
        ("stop_sequence", (Text("x"),), "stop"),
        ("window", (Text("x"),), "length"),
        ("filtered", (), "content_filter"),
        ("refusal", (Refusal("No."),), "stop"),
        ("refusal", (), "content_filter"),
        ("paused", (), "stop"),
        ("other", (), "stop"),
    ],
)
def test_every_end_has_a_word_of_the_protocol(reason: Any, given: tuple[Block, ...], expected: str):
    assert told(*given, reason=reason)["choices"][0]["finish_reason"] == expected
    assert told_streamed(*given, reason=reason)[-1]["choices"][0]["finish_reason"] == expected


def test_images_stand_in_the_text_and_beside_it():
    image = Media("image", "image/png", PNG)
    message = told(Text("Look: "), image)["choices"][0]["message"]
    url = f"data:image/png;base64,{PNG}"
    assert message["content"] == f"Look: ![image]({url})"
    assert message["images"] == [{"type": "image_url", "image_url": {"url": url}}]
    delta = told_streamed(image)[1]["choices"][0]["delta"]
    assert delta == {"content": f"![image]({url})", "images": message["images"]}


def test_bare_samples_become_the_wav_file_that_was_asked_for():
    samples = base64.b64encode(b"\1\0\2\0").decode()
    spoken = Media("audio", "audio/L16;codec=pcm;rate=16000", samples, transcript="Hi")
    audio = told(spoken)["choices"][0]["message"]["audio"]
    file = base64.b64decode(audio["data"])
    assert (file[:4], file[8:16], file[24:28], file[-4:]) == (
        b"RIFF",
        b"WAVEfmt ",
        (16000).to_bytes(4, "little"),
        b"\1\0\2\0",
    )
    assert (audio["transcript"], audio["id"]) == ("Hi", "audio_r1")
    raw = REPLY._replace(chat=replace(ASKED, speech=Speech("alloy", "pcm16")))
    assert told(spoken, reply=raw)["choices"][0]["message"]["audio"]["data"] == samples


def test_native_blocks_are_shown_by_their_text_and_searches_leave_no_trace():
    found = told(NativeBlock("x", {}, "```py\n1\n```"), WebSearchCall("w"), Text("a"))
    assert found["choices"][0]["message"]["content"] == "```py\n1\n```a"


def test_citations_are_placed_in_the_whole_message():
    cited = Text("cd", (Citation("https://x.y", "X", "", 1, 2), Citation("https://x.y")))
    places = [entry["url_citation"] for entry in told(Text("ab"), cited)["choices"][0]["message"]["annotations"]]
    assert [(place["start_index"], place["end_index"]) for place in places] == [(3, 4), (2, 4)]
    last = [
        delta
        for chunk in told_streamed(Text("ab"), cited)
        for delta in [chunk["choices"][0]["delta"]]
        if "annotations" in delta
    ]
    assert [entry["url_citation"] for delta in last for entry in delta["annotations"]] == places


def test_only_addresses_can_be_cited():
    pages = Text("ab", (Citation(title="A book", protocol="anthropic.messages", raw={"type": "page_location"}),))
    assert "annotations" not in told(pages)["choices"][0]["message"]
    assert not any("annotations" in chunk["choices"][0]["delta"] for chunk in told_streamed(pages))


def test_a_client_of_functions_is_answered_with_a_function_call():
    reply = REPLY._replace(chat=replace(ASKED, extras={"functions": None}))
    call = ToolCall("c", "f", "{}")
    choice = told(call, reply=reply, reason="tool_call")["choices"][0]
    assert (choice["message"]["function_call"], choice["finish_reason"]) == (
        {"name": "f", "arguments": "{}"},
        "function_call",
    )
    pieces = [
        chunk["choices"][0]["delta"].get("function_call")
        for chunk in told_streamed(call, reply=reply, reason="tool_call")
    ]
    assert [piece for piece in pieces if piece] == [{"name": "f", "arguments": ""}, {"arguments": "{}"}]


def test_a_tool_of_free_text_that_travelled_as_a_function_is_unwrapped():
    reply = REPLY._replace(chat=replace(ASKED, tools=(CustomTool("free"),)))
    call = ToolCall("c", "free", '{"input":"te\\nxt"}')
    (sent,) = told(call, reply=reply)["choices"][0]["message"]["tool_calls"]
    assert sent == {"id": "c", "type": "custom", "custom": {"name": "free", "input": "te\nxt"}}
    pieces = [
        piece
        for chunk in told_streamed(call, reply=reply)
        for piece in chunk["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert [piece["custom"] for piece in pieces] == [{"name": "free", "input": ""}, {"input": "te\nxt"}]


def test_a_stream_begins_with_its_role_and_ends_with_usage_only_if_asked():
    used = Usage(1, output=2)
    first, text, end, usage = told_streamed(Text("Hi"), usage=used)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert (text["choices"][0]["delta"], text["usage"]) == ({"content": "Hi"}, None)
    assert (end["choices"][0]["delta"], end["choices"][0]["finish_reason"]) == ({}, "stop")
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 3)
    silent = REPLY._replace(chat=replace(ASKED, include_usage=False))
    chunks = told_streamed(Text("Hi"), reply=silent, usage=used)
    assert len(chunks) == 3
    assert not any("usage" in chunk for chunk in chunks)


def test_after_a_failure_there_is_an_error_frame_and_nothing_more():
    encoder = StreamEncoder(REPLY)
    wire = encoder.feed([Failed("Overloaded", "x", 529), Finished("end")])
    assert orjson.loads(wire.removeprefix(b"data: "))["error"]["message"] == "Overloaded"
    assert (encoder.feed([Finished("end")]), encoder.finish()) == (b"", b"")


@pytest.mark.parametrize(
    ("custom", "empty"), [(False, {"function": {"arguments": ""}}), (True, {"custom": {"input": ""}})]
)
def test_the_piece_that_signs_a_streamed_call_has_the_call_s_kind(custom: bool, empty: dict[str, Any]):
    """The helper of OpenAI's SDK breaks off on a piece of a call without it."""
    encoder = StreamEncoder(REPLY)
    encoder.feed([Started(), BlockStarted(0, "tool", id="c1", name="f", custom=custom)])
    wire = encoder.feed([Signed(0, Signature("s", "google")), BlockEnded(0)])
    (call,) = orjson.loads(wire.removeprefix(b"data: "))["choices"][0]["delta"]["tool_calls"]
    extra = {"google": {"thought_signature": tag(Signature("s", "google"))}}
    assert call == {"index": 0, **empty, "extra_content": extra}
