"""Events and complete answers: one makes the other, and nothing is lost on the way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.blocks import (
    Citation,
    Media,
    NativeBlock,
    Refusal,
    Signature,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
    ToolResult,
    WebSearchCall,
)
from anygate.canonical.chat_events import (
    Answer,
    BlockEnded,
    BlockStarted,
    ChatEvent,
    Choice,
    Failed,
    Finished,
    MediaDelta,
    Signed,
    Started,
    StopReason,
    TextDelta,
    Used,
)
from anygate.canonical.errors import ProtocolViolation
from anygate.canonical.usage import Usage
from anygate.protocols.fold import block_events, fold, unfold

TEXT = st.text(max_size=6)
SIGNATURES = st.none() | st.builds(Signature, TEXT, st.sampled_from(["", "anthropic", "gemini"]))
LOGPROBS = st.lists(st.builds(TokenLogprob, TEXT, st.floats(-9, 0)), max_size=2).map(tuple)
CITATIONS = st.lists(st.builds(Citation, TEXT, TEXT, TEXT, st.integers(-1, 9), st.integers(-1, 9)), max_size=2)
BLOCKS = st.one_of(
    st.builds(Text, TEXT, citations=CITATIONS.map(tuple), cache=st.none(), signature=SIGNATURES, logprobs=LOGPROBS),
    st.builds(Thinking, TEXT, SIGNATURES, st.booleans(), TEXT, summary=st.just(True)),
    st.builds(ToolCall, TEXT, TEXT, TEXT, st.booleans(), SIGNATURES, item_id=st.just(""), cache=st.none()),
    st.builds(Refusal, TEXT),
    st.builds(
        Media,
        st.sampled_from(["image", "audio"]),
        TEXT,
        data=TEXT,
        url=TEXT,
        transcript=TEXT,
        id=TEXT,
        expires_at=st.integers(0, 9),
        cache=st.none(),
        signature=SIGNATURES,
    ),
    st.builds(NativeBlock, TEXT, st.just({"type": "x"}), TEXT),
    st.builds(WebSearchCall, TEXT, TEXT, TEXT, st.just({"results": []})),
)
REASONS: st.SearchStrategy[StopReason] = st.sampled_from(
    ["end", "stop_sequence", "length", "tool_call", "refusal", "other"]
)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """An answer with one choice or several."""
    choices = tuple(
        Choice(tuple(draw(st.lists(BLOCKS, max_size=4))), Finished(draw(REASONS), index, draw(TEXT), draw(TEXT)))
        for index in range(draw(st.integers(1, 3)))
    )
    usage = draw(st.none() | st.builds(Usage, input=st.integers(0, 9), output=st.integers(0, 9)))
    return Answer(draw(TEXT), draw(TEXT), draw(st.integers(0, 9)), choices, usage)


@given(answers())
def test_what_was_unfolded_folds_to_the_same_answer(answer: Answer):
    assert fold(unfold(answer)) == answer


@given(answers(), st.randoms(use_true_random=False))
def test_choices_may_come_mixed(answer: Answer, random: Any):
    """Of each choice the order is kept; which one speaks next is chance."""
    rest: dict[int, list[ChatEvent]] = {}
    for event in unfold(answer):
        rest.setdefault(getattr(event, "choice", -1), []).append(event)
    mixed: list[ChatEvent] = []
    while rest:
        choice = random.choice(sorted(rest))
        mixed.append(rest[choice].pop(0))
        if not rest[choice]:
            del rest[choice]
    assert fold(mixed) == answer


def test_pieces_of_text_and_of_sound_are_joined():
    sound = Media("audio", "audio/mpeg", id="a", expires_at=5)
    events: list[ChatEvent] = [
        Started("1", "m", 2, Usage(input=3)),
        BlockStarted(1, "text"),
        BlockStarted(0, "media"),
        TextDelta(1, "Hel"),
        MediaDelta(0, Media("audio", data="QUJD", transcript="a")),
        TextDelta(1, "lo"),
        MediaDelta(0, Media("audio", "audio/mpeg", data="REVG", transcript="b", id="a", expires_at=5)),
        BlockEnded(1),
        Finished("end"),
    ]
    (choice,) = fold(events).choices
    (heard, said) = choice.blocks
    assert isinstance(heard, Media)
    assert (heard.data, heard.transcript, heard.mime, heard.id, heard.expires_at) == (
        "QUJDREVG",
        "ab",
        sound.mime,
        "a",
        5,
    )
    assert said == Text("Hello")
    assert fold(events).usage == Usage(input=3)
    assert fold([*events, Used(Usage(input=4, output=1))]).usage == Usage(input=4, output=1)


BROKEN: list[list[ChatEvent]] = [
    [],
    [Started()],
    [BlockStarted(0, "text"), TextDelta(0, "x"), BlockEnded(0)],
    [BlockStarted(0, "text"), Finished("end"), BlockStarted(0, "text", 1)],
    [TextDelta(0, "x"), Finished("end")],
    [BlockStarted(0, "text"), Signed(1, Signature("s")), Finished("end")],
    [Finished("end"), Failed("broken off")],
]


@pytest.mark.parametrize("events", BROKEN)
def test_events_that_make_no_answer_are_refused(events: list[ChatEvent]):
    with pytest.raises(ProtocolViolation):
        fold(events)


def test_an_answer_holds_no_results_of_tools():
    with pytest.raises(TypeError):
        block_events(ToolResult("c"), 0)
