"""Answers of any provider as a Gemini client reads them."""

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from anygate.canonical.chat import Chat, Reasoning
from anygate.canonical.chat_events import (
    Answer,
    ArgumentsDelta,
    BlockEnded,
    BlockStarted,
    ChatEvent,
    Choice,
    Failed,
    Finished,
    Signed,
    Started,
    TextDelta,
    ThinkingDelta,
    Used,
)
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Reply, Source
from anygate.protocols.fold import fold, unfold
from anygate.protocols.google_gemini.decode_answer import AnswerStreamDecoder, decode_answer
from anygate.protocols.google_gemini.decode_parts import CallIds, decode_parts
from anygate.protocols.google_gemini.encode_answer import encode_answer
from anygate.protocols.google_gemini.encode_stream import AnswerStreamEncoder
from anygate.protocols.signature_tag import tag

FOREIGN = Signature("c2lnbmVk", "anthropic")
GOOGLES = Signature("Z29vZ2xl", "google")


def reply(alt: str = "", *, show: bool = False) -> Reply:
    chat = Chat("google.gemini", "m", (), reasoning=Reasoning(show=show), extras={"alt": alt} if alt else {})
    return Reply("id1", "m", 0, chat, "anthropic")


def whole(*blocks: Block, usage: Usage | None = None, show: bool = False) -> dict[str, Any]:
    answer = Answer("a", "claude", 0, (Choice(blocks, Finished("end")),), usage)
    return orjson.loads(encode_answer(answer, reply(show=show)))


def parts(*blocks: Block, show: bool = False) -> list[Any]:
    return whole(*blocks, show=show)["candidates"][0]["content"]["parts"]


def wire(events: Sequence[ChatEvent], alt: str = "", *, show: bool = False) -> bytes:
    encoder = AnswerStreamEncoder(reply(alt, show=show))
    return b"".join(encoder.feed([event]) for event in events) + encoder.finish()


def frames(data: bytes) -> list[Any]:
    return [orjson.loads(line[6:]) for line in data.splitlines() if line.startswith(b"data: ")]


def stream_parts(events: Sequence[ChatEvent], *, show: bool = False) -> list[Any]:
    return [p for f in frames(wire(events, show=show)) for c in f.get("candidates", ()) for p in c["content"]["parts"]]


def test_calls_are_whole_and_their_arguments_objects():
    calls = [
        ToolCall("call_1", "f", ' {"a": 1.0} '),
        ToolCall("c2", "g", ""),
        ToolCall("c3", "h", '{"cut'),
        ToolCall("noid_r_0", "i", "{}"),
    ]
    assert [part["functionCall"] for part in parts(*calls)] == [
        {"id": "call_1", "name": "f", "args": {"a": 1.0}},
        {"id": "c2", "name": "g", "args": {}},
        {"id": "c3", "name": "h", "args": {"_raw": '{"cut'}},
        {"name": "i", "args": {}},
    ]


def test_arguments_that_a_model_wrote_on_several_lines_stay_within_one_event():
    call = ToolCall("c", "f", '{\n  "big": 12345678901234567890,\r\n "s": "a\\nb"}')
    events = unfold(Answer("a", "m", 0, (Choice((call,), Finished("tool_call")),), None))
    (part,) = (part for part in stream_parts(events) if "functionCall" in part)
    assert part["functionCall"]["args"] == {"big": 12345678901234567890, "s": "a\nb"}


def test_a_call_leaves_a_stream_only_when_it_is_complete():
    encoder = AnswerStreamEncoder(reply())
    assert (
        encoder.feed([Started("a", "m"), BlockStarted(0, "tool", id="c", name="f"), ArgumentsDelta(0, '{"a"')]) == b""
    )
    assert encoder.feed([ArgumentsDelta(0, ":1}")]) == b""
    (frame,) = frames(encoder.feed([BlockEnded(0)]))
    assert frame["candidates"][0]["content"]["parts"] == [{"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}}]


def test_googles_signature_stays_and_a_foreign_one_is_tagged_and_comes_back():
    shown = parts(Text("a", signature=GOOGLES), ToolCall("c", "f", "{}", signature=FOREIGN))
    assert [part["thoughtSignature"] for part in shown] == ["Z29vZ2xl", tag(FOREIGN)]
    text, call = decode_parts({"parts": shown}, "contents[0]", CallIds())
    assert isinstance(text, Text)
    assert isinstance(call, ToolCall)
    assert text.signature == Signature("Z29vZ2xl")
    assert call.signature == FOREIGN


def test_unsigned_thoughts_are_shown_to_those_who_ask():
    thinking = Thinking("hm")
    assert parts(thinking, Text("a")) == [{"text": "a"}]
    assert parts(thinking, Text("a"), show=True) == [{"text": "hm", "thought": True}, {"text": "a"}]
    events = unfold(Answer("a", "m", 0, (Choice((thinking, Text("a")), Finished("end")),), None))
    assert stream_parts(events) == [{"text": "a"}, {"text": ""}]
    assert stream_parts(events, show=True) == [{"text": "hm", "thought": True}, {"text": "a"}, {"text": ""}]


@pytest.mark.parametrize("show", [False, True])
@pytest.mark.parametrize("batch", [False, True])
def test_signed_thoughts_come_back_whole_however_they_were_shown(show: bool, batch: bool):
    events: list[ChatEvent] = [
        Started("a", "m"),
        BlockStarted(0, "thinking"),
        ThinkingDelta(0, "one "),
        ThinkingDelta(0, "two"),
        Signed(0, FOREIGN),
        BlockEnded(0),
        BlockStarted(1, "text"),
        TextDelta(1, "a"),
        BlockEnded(1),
        Finished("end"),
    ]
    encoder = AnswerStreamEncoder(reply(show=show))
    data = encoder.feed(events) + encoder.finish() if batch else wire(events, show=show)
    shown = [part for frame in frames(data) for c in frame["candidates"] for part in c["content"]["parts"]]
    history = decode_parts({"parts": shown}, "contents[0]", CallIds())
    assert history[:2] == (Thinking("one two", FOREIGN), Text("a"))


def test_redacted_thoughts_come_back():
    shown = parts(Thinking("", FOREIGN, redacted=True))
    assert decode_parts({"parts": shown}, "c", CallIds()) == (Thinking("", FOREIGN, redacted=True),)


def test_usage_goes_with_the_last_frame():
    usage = Usage(input=5, cached_input=2, output=7, reasoning=3, audio_output=1)
    expected = {
        "promptTokenCount": 7,
        "candidatesTokenCount": 5,
        "totalTokenCount": 15,
        "cachedContentTokenCount": 2,
        "thoughtsTokenCount": 3,
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 4}, {"modality": "AUDIO", "tokenCount": 1}],
    }
    assert whole(Text("a"), usage=usage)["usageMetadata"] == expected
    events = unfold(Answer("a", "m", 0, (Choice((Text("a"),), Finished("length")),), usage))
    *others, last = frames(wire(events))
    assert last["usageMetadata"] == expected
    assert last["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert not any("usageMetadata" in frame or "finishReason" in frame["candidates"][0] for frame in others)


@pytest.mark.parametrize(
    ("reason", "detail", "expected"),
    [
        ("end", "", {"finishReason": "STOP"}),
        ("stop_sequence", "", {"finishReason": "STOP"}),
        (
            "tool_call",
            "Model generated function call(s).",
            {"finishReason": "STOP", "finishMessage": "Model generated function call(s)."},
        ),
        ("window", "", {"finishReason": "MAX_TOKENS"}),
        ("filtered", "", {"finishReason": "SAFETY"}),
        ("filtered", "RECITATION: too close", {"finishReason": "RECITATION", "finishMessage": "too close"}),
        ("refusal", "", {"finishReason": "SAFETY"}),
        ("paused", "", {"finishReason": "STOP"}),
        ("other", "NO_IMAGE", {"finishReason": "NO_IMAGE"}),
        ("other", "", {"finishReason": "OTHER"}),
    ],
)
def test_every_end_has_googles_word(reason: Any, detail: str, expected: dict[str, str]):
    answer = Answer("a", "m", 0, (Choice((Text("a"),), Finished(reason, detail=detail)),), None)
    candidate = orjson.loads(encode_answer(answer, reply()))["candidates"][0]
    assert {name: candidate[name] for name in candidate if name.startswith("finish")} == expected
    last = frames(wire(unfold(answer)))[-1]["candidates"][0]
    assert {name: last[name] for name in last if name.startswith("finish")} == expected


def test_citations_of_others_become_grounding_in_bytes():
    text = Text("é: Spain won", (Citation("https://a", "A", start=3, end=8), Citation("https://a", "A")))
    search = WebSearchCall("s", "euro", "anthropic.messages", {"type": "web_search"})
    answer = Answer("a", "m", 0, (Choice((Text("0"), text, search), Finished("end")),), None)
    grounding = orjson.loads(encode_answer(answer, reply()))["candidates"][0]["groundingMetadata"]
    assert grounding["groundingChunks"] == [{"web": {"uri": "https://a", "title": "A"}}]
    assert grounding["webSearchQueries"] == ["euro"]
    assert [support["segment"] for support in grounding["groundingSupports"]] == [
        {"partIndex": 1, "startIndex": 4, "endIndex": 9, "text": "Spain"},
        {"partIndex": 1, "startIndex": 0, "endIndex": 13, "text": "é: Spain won"},
    ]
    streamed = frames(wire(unfold(answer)))[-1]["candidates"][0]["groundingMetadata"]
    assert streamed["groundingSupports"][0]["segment"] == {"startIndex": 5, "endIndex": 10, "text": "Spain"}


def test_refusals_media_and_native_blocks_are_shown_as_far_as_they_can():
    blocks: list[Block] = [
        Refusal("No."),
        Media("image", url="data:image/png;base64,AAAA"),
        Media("image", "image/png", url="https://x/y.png"),
        Media("audio", id="a1", transcript="said"),
        NativeBlock("anthropic.messages", {"type": "x"}, "shown"),
        NativeBlock("anthropic.messages", {"type": "x"}),
        NativeBlock("google.gemini", {"executableCode": {"code": "1"}}),
    ]
    expected = [
        {"text": "No."},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://x/y.png"}},
        {"text": "said"},
        {"text": "shown"},
        {"executableCode": {"code": "1"}},
    ]
    assert parts(*blocks) == expected
    assert stream_parts(unfold(Answer("", "", 0, (Choice(tuple(blocks), Finished("end")),), None))) == [
        *expected,
        {"text": ""},
    ]


def test_the_array_form_is_one_json_array():
    answer = Answer("a", "m", 0, (Choice((Text("a"), ToolCall("c", "f", "{}")), Finished("end")),), Usage(output=1))
    data = wire(unfold(answer), "array")
    assert data.startswith(b"[{")
    assert len(orjson.loads(data)) == 3
    assert orjson.loads(wire([], "array")) == []
    failed = wire([Started("a", "m"), TextDelta(0, "x"), Failed("busy", "", 503)], "array")
    assert orjson.loads(failed)[-1] == {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}


def test_after_a_failure_nothing_more_is_sent():
    encoder = AnswerStreamEncoder(reply())
    data = encoder.feed(
        [Started("a", "m"), TextDelta(0, "x"), Failed("busy", "RESOURCE_EXHAUSTED", 429), TextDelta(0, "y")]
    )
    assert frames(data)[-1] == {"error": {"code": 429, "message": "busy", "status": "RESOURCE_EXHAUSTED"}}
    assert encoder.feed([TextDelta(0, "z")]) + encoder.finish() == b""


def test_a_blocked_prompt_is_told_as_google_tells_it():
    failed = Failed("The prompt was blocked: BLOCKLIST", "content_filter", 400)
    (frame,) = frames(wire([Started("a", "m"), Used(Usage(input=3)), failed]))
    assert frame["promptFeedback"] == {"blockReason": "BLOCKLIST"}
    assert frame["usageMetadata"]["promptTokenCount"] == 3


def test_names_come_from_the_upstream_or_else_from_the_request():
    (frame, _) = frames(wire([Started(), TextDelta(0, "x"), Finished("end")]))
    assert (frame["modelVersion"], frame["responseId"]) == ("m", "id1")
    (frame, _) = frames(wire([Started("up", "claude"), TextDelta(0, "x"), Finished("end")]))
    assert (frame["modelVersion"], frame["responseId"]) == ("claude", "up")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
SIGNATURES = st.sampled_from([None, GOOGLES])
BLOCKS: st.SearchStrategy[Block] = st.one_of(
    st.builds(Text, TEXTS, signature=SIGNATURES),
    st.builds(Thinking, TEXTS, SIGNATURES),
    st.builds(
        ToolCall,
        st.sampled_from(["c1", "call_2"]),
        st.just("f"),
        st.sampled_from(["{}", '{"a":[1]}']),
        signature=SIGNATURES,
    ),
    st.builds(Media, st.just("image"), st.just("image/png"), st.sampled_from(["AAAA", "QUJD"]), signature=SIGNATURES),
    st.just(NativeBlock("google.gemini", {"toolResponse": {"id": "1"}})),
)


def merged(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Neighbours that Google's parts cannot tell from one: unsigned text, and thoughts up to a signature."""
    made: list[Block] = []
    for block in blocks:
        last = made[-1] if made else None
        if isinstance(block, Text) and isinstance(last, Text) and block.signature is None and last.signature is None:
            made[-1] = Text(last.text + block.text)
        elif isinstance(block, Thinking) and isinstance(last, Thinking) and last.signature is None:
            made[-1] = Thinking(last.text + block.text, block.signature)
        else:
            made.append(block)
    return tuple(made)


@given(st.lists(st.lists(BLOCKS, max_size=5), min_size=1, max_size=3), st.booleans(), st.sampled_from(["", "array"]))
def test_what_is_encoded_and_decoded_is_the_same_answer(choices: list[list[Block]], batch: bool, alt: str):
    made = tuple(
        Choice(merged(blocks), Finished("tool_call" if any(isinstance(b, ToolCall) for b in blocks) else "end", number))
        for number, blocks in enumerate(choices)
    )
    answer = Answer("a", "m", 0, made, Usage(input=4, output=5, reasoning=2))
    source = Source("google")
    assert fold(decode_answer(encode_answer(answer, reply(show=True)), source)) == answer
    encoder = AnswerStreamEncoder(reply(alt, show=True))
    events = unfold(answer)
    data = encoder.feed(events) if batch else b"".join(encoder.feed([event]) for event in events)
    decoder = AnswerStreamDecoder(source)
    again = fold(decoder.feed(data + encoder.finish()) + decoder.finish())
    if batch:
        assert again == answer
    else:  # a signature that comes alone stands on an empty part behind its text
        assert _texts(again) == _texts(answer)


def _texts(answer: Answer) -> list[str]:
    """All that was said, without the signatures."""
    return ["".join(map(_said, choice.blocks)) for choice in answer.choices]


def _said(block: Block) -> str:
    return block.text if isinstance(block, Text) else str(msgspec.to_builtins(block) | {"signature": None})
