"""xAI's `search_parameters`: read as the tools that took its place, told where they have no twin, its sources listed."""

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from anygate.canonical.blocks import Citation
from anygate.canonical.chat import Chat, NativeTool, WebSearchTool
from anygate.canonical.chat_events import BlockEnded, BlockStarted, Cited, Finished, Started, TextDelta
from anygate.canonical.errors import InvalidRequest
from anygate.protocols.chat_codec import Reply, Target
from anygate.protocols.fold import fold
from anygate.protocols.leftovers import dropped_extras
from anygate.protocols.openai_chat.answer_encode import encode_answer
from anygate.protocols.openai_chat.decode import decode_request
from anygate.protocols.openai_chat.encode import encode_request
from anygate.protocols.openai_chat.request import read_request
from anygate.protocols.openai_chat.stream_encode import StreamEncoder

X = {"type": "x_search"}


def decoded(search: Any, **fields: Any) -> Chat:
    body = {"model": "m", "messages": [{"role": "user", "content": "News?"}], "search_parameters": search}
    return decode_request(read_request(orjson.dumps(body | fields)))


def told(chat: Chat) -> list[str]:
    return sorted(dropped.parameter.removeprefix("search_parameters.") for dropped in dropped_extras(chat))


@pytest.mark.parametrize(
    ("search", "tools"),
    [
        (None, ()),
        ({"mode": "off", "sources": [{"type": "x"}], "max_search_results": 3}, ()),
        ({}, (WebSearchTool(),)),
        ({"mode": "auto", "sources": []}, (WebSearchTool(),)),
        ({"sources": [{"type": "news"}]}, (WebSearchTool(),)),
        (
            {"sources": [{"type": "web", "allowed_websites": ["a.example"], "country": "CH"}]},
            (WebSearchTool("", ("a.example",), (), {"country": "CH"}),),
        ),
        (
            {"sources": [{"type": "web", "excluded_websites": ["b.example"]}, {"type": "x"}]},
            (WebSearchTool("", (), ("b.example",)), NativeTool("openai.responses", X)),
        ),
        (
            {
                "from_date": "2025-01-01",
                "sources": [
                    {"type": "x", "included_x_handles": ["xai"]},
                    {"type": "x", "x_handles": ["grok"], "excluded_x_handles": ["spam"]},
                ],
            },
            (
                NativeTool(
                    "openai.responses",
                    X
                    | {
                        "allowed_x_handles": ["xai", "grok"],
                        "excluded_x_handles": ["spam"],
                        "from_date": "2025-01-01",
                    },
                ),
            ),
        ),
    ],
)
def test_the_field_is_read_as_tools_of_which_nothing_needs_telling(search: Any, tools: tuple[Any, ...]):
    chat = decoded(search)
    assert chat.tools == tools
    assert told(chat) == []


def test_what_no_tool_can_say_is_told():
    feed = {"type": "rss", "links": ["https://example.com/feed"]}
    web = {"type": "web", "safe_search": False}
    posts = {"type": "x", "post_view_count": 9}
    search = {"mode": "on", "max_search_results": 5, "to_date": "2025-02-01", "sources": [feed, web, posts]}
    chat = decoded(search)
    assert chat.tools == (WebSearchTool(), NativeTool("openai.responses", {**X, "to_date": "2025-02-01"}))
    names = ["max_search_results", "mode", "sources[0]", "sources[1].safe_search", "sources[2].post_view_count"]
    assert told(chat) == [*names, "to_date"]  # the web cannot be kept to the date
    only_feeds = decoded({"sources": [feed]})
    assert (only_feeds.tools, told(only_feeds)) == ((), ["sources[0]"])


def test_other_ways_to_ask_for_a_search_give_way_where_the_field_asks_for_one():
    assert decoded({"mode": "off"}, web_search_options={"search_context_size": "low"}).tools == (WebSearchTool("low"),)
    chat = decoded({}, web_search_options={"search_context_size": "low"})
    assert chat.tools == (WebSearchTool(),)
    assert told(chat) == ["web_search_options"]


def test_for_an_upstream_of_the_same_protocol_it_goes_back_as_it_came():
    search = {"mode": "on", "sources": [{"type": "x", "post_view_count": 9}, {"type": "web", "safe_search": False}]}
    fields: dict[str, Any] = {"web_search_options": {"search_context_size": "low"}, "google": {"a": {"b": 1}}}
    document = encode_request(decoded(search, **fields), Target("m")).document
    assert document["search_parameters"] == search
    assert {name: document[name] for name in fields} == fields
    assert "tools" not in document


@pytest.mark.parametrize(
    ("param", "search"),
    [
        ("search_parameters", "on"),
        ("search_parameters.mode", {"mode": "always"}),
        ("search_parameters.mode", {"mode": 1}),
        ("search_parameters.return_citations", {"return_citations": "yes"}),
        ("search_parameters.sources", {"sources": {}}),
        ("search_parameters.sources[0]", {"sources": ["web"]}),
        ("search_parameters.sources[0].type", {"sources": [{"type": 1}]}),
        ("search_parameters.sources[0].country", {"sources": [{"type": "web", "country": 1}]}),
        ("search_parameters.sources[0].allowed_websites", {"sources": [{"type": "web", "allowed_websites": [1]}]}),
        ("search_parameters.sources[0].x_handles", {"sources": [{"type": "x", "x_handles": "a"}]}),
        ("search_parameters.from_date", {"from_date": 2025, "sources": [{"type": "x"}]}),
    ],
)
def test_a_wrong_shape_is_refused_by_its_name(param: str, search: Any):
    with pytest.raises(InvalidRequest) as caught:
        decoded(search)
    assert caught.value.param == param


EVENTS = [
    Started("a1", "grok-4", 1),
    BlockStarted(0, "text"),
    TextDelta(0, "So it is."),
    Cited(0, Citation("https://b.example", "B")),
    Cited(0, Citation("https://a.example", "A")),
    Cited(0, Citation("https://b.example", "B", start=1, end=2)),
    BlockEnded(0),
    Finished("end"),
]


@pytest.mark.parametrize(
    ("search", "listed"),
    [
        ({}, ["https://b.example", "https://a.example"]),
        ({"return_citations": False}, None),
        ({"mode": "off"}, None),
        (None, None),
    ],
)
def test_the_sources_stand_beside_the_choices_each_once(search: Any, listed: list[str] | None):
    reply = Reply("r1", "grok-4", 1, decoded(search))
    answer = orjson.loads(encode_answer(fold(EVENTS), reply))
    assert answer.get("citations") == listed
    assert len(answer["choices"][0]["message"]["annotations"]) == 3
    encoder = StreamEncoder(reply._replace(chat=replace(reply.chat, stream=True)))
    frames = (encoder.feed(EVENTS) + encoder.finish()).decode().split("\n\n")
    chunks = [orjson.loads(frame.removeprefix("data: ")) for frame in frames if frame and "[DONE]" not in frame]
    assert [chunk.get("citations") for chunk in chunks] == [*[None] * (len(chunks) - 1), listed]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_an_answer_without_sources_lists_none():
    events = [event for event in EVENTS if not isinstance(event, Cited)]
    assert orjson.loads(encode_answer(fold(events), Reply("r1", "m", 1, decoded({}))))["citations"] == []
