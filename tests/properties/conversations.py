"""Random conversations, requests and answers in canonical words, as clients and models can really make them."""

from typing import Any

import orjson
from hypothesis import strategies as st

from anygate.canonical.blocks import Block, Media, Signature, Text, Thinking, ToolCall, ToolResult
from anygate.canonical.chat import Chat, Format, FunctionTool, Reasoning, Role, Sampling, ToolChoice, Turn
from anygate.canonical.chat_events import Answer, Choice, Finished, StopReason
from anygate.canonical.usage import Usage
from tests.matrix.wire import PDF, PNG, SCHEMA, WAV

Draw = st.DrawFn

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=40).filter(str.strip)
names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(names, values, max_size=3).map(lambda value: orjson.dumps(value).decode())
media = st.sampled_from(
    [
        Media("image", "image/png", data=PNG),
        Media("image", "image/png", url="https://example.com/picture.png"),
        Media("file", "application/pdf", data=PDF),
        Media("audio", "audio/wav", data=WAV),
    ]
)


@st.composite
def rounds(draw: Draw, number: int, maker: str) -> list[Turn]:
    """A question with its answer; the answer may think, and call tools, whose results then follow."""
    asked: list[Block] = [Text(draw(texts))]
    if draw(st.booleans()):
        asked.append(draw(media))
    answer: list[Block] = []
    if maker and draw(st.booleans()):
        answer.append(Thinking(draw(texts), Signature(f"c2ln{number:04}", maker)))
    answer.append(Text(draw(texts)))
    called = [
        ToolCall(f"call_{number}_{index}", draw(names), draw(arguments)) for index in range(draw(st.integers(0, 2)))
    ]
    turns = [Turn("user", tuple(asked)), Turn("assistant", (*answer, *called))]
    if called:
        results = [ToolResult(call.id, (Text(draw(texts)),), call.name, draw(st.booleans())) for call in called]
        turns += [Turn("user", tuple(results)), Turn("assistant", (Text(draw(texts)),))]
    return turns


@st.composite
def chats(draw: Draw, protocol: str, maker: str = "") -> Chat:
    """A request of a client of the protocol; thoughts in its history are signed by `maker` ("": there are none)."""
    turns = [turn for number in range(draw(st.integers(0, 2))) for turn in draw(rounds(number, maker))]
    turns.append(Turn("user", (Text(draw(texts)),)))
    if draw(st.booleans()):
        turns.insert(draw(st.sampled_from([0, len(turns)])), middle(draw(texts)))
    tools = tuple(FunctionTool(name, draw(texts), SCHEMA) for name in draw(st.lists(names, max_size=2, unique=True)))
    return Chat(
        protocol=protocol,
        model="m",
        turns=tuple(turns),
        system=tuple(Text(text) for text in draw(st.lists(texts, max_size=1))),
        tools=tools,
        tool_choice=draw(choices([tool.name for tool in tools])),
        parallel_tools=draw(st.sampled_from([None, False])) if tools else None,
        output_limit=draw(st.none() | st.integers(1, 100_000)),
        stop=tuple(draw(st.lists(texts, max_size=3, unique=True))),
        sampling=draw(samplings),
        format=draw(st.sampled_from([None, Format("json"), Format("schema", SCHEMA, "place")])),
        reasoning=draw(reasonings),
        user=draw(st.just("") | names),
        stream=draw(st.booleans()),
        include_usage=True,
    )


def middle(text: str) -> Turn:
    """Instructions that are not at the beginning, or that are again."""
    role: Role = "system"
    return Turn(role, (Text(text),))


def choices(offered: list[str]) -> st.SearchStrategy[ToolChoice | None]:
    """A choice among the tools that are offered."""
    if not offered:
        return st.none()
    plain = st.sampled_from([None, ToolChoice("auto"), ToolChoice("none"), ToolChoice("required")])
    return plain | st.sampled_from(offered).map(lambda name: ToolChoice("one", (name,)))


samplings = st.builds(
    Sampling,
    temperature=st.none() | st.floats(0, 1),
    top_p=st.none() | st.floats(0.01, 1),
    top_k=st.none() | st.integers(1, 100),
    seed=st.none() | st.integers(0, 2**31 - 1),
    presence_penalty=st.none() | st.floats(-2, 2),
    frequency_penalty=st.none() | st.floats(-2, 2),
)
reasonings = st.sampled_from([None, Reasoning(False), Reasoning(True, "low"), Reasoning(True, "high", show=True)])


# Answers


@st.composite
def answers(draw: Draw, maker: str) -> Answer:
    """A complete answer of a model: thoughts, texts and calls, and what it used."""
    blocks: list[Block] = []
    if draw(st.booleans()):
        blocks.append(Thinking(draw(texts), Signature("c2lnbmF0dXJl", maker)))
    blocks += [Text(text) for text in draw(st.lists(texts, max_size=2))]
    called = [ToolCall(f"call_{index}", draw(names), draw(arguments)) for index in range(draw(st.integers(0, 2)))]
    ends: list[StopReason] = ["tool_call"] if called else ["end", "length"]
    finish = Finished(draw(st.sampled_from(ends)))
    return Answer("a1", "m", 1_700_000_000, (Choice((*blocks, *called), finish),), draw(usages))


@st.composite
def _usages(draw: Draw) -> Usage:
    count = st.integers(0, 10**9)
    output = draw(count)
    return Usage(
        input=draw(count),
        cached_input=draw(count),
        cache_write_5m=draw(count),
        output=output,
        reasoning=draw(st.integers(0, output)),
    )


usages = _usages()
