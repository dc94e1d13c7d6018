"""The official SDK reads what is encoded: plain answers, streams with their accumulator, and errors."""

from typing import Any

import httpx2
import openai
import orjson
import pytest
from pydantic import BaseModel

from anygate.canonical.blocks import Block, Citation, Signature, Text, Thinking, ToolCall, WebSearchCall
from anygate.canonical.chat import Chat
from anygate.canonical.chat_events import Answer, Choice, Failed, Finished, Started
from anygate.canonical.errors import UpstreamTimeout
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Reply
from anygate.protocols.fold import unfold
from anygate.protocols.openai_responses.answer_encode import encode_answer
from anygate.protocols.openai_responses.decode import decode_request
from anygate.protocols.openai_responses.errors import encode_stream_error
from anygate.protocols.openai_responses.request import read_request
from anygate.protocols.openai_responses.stream_encode import ResponsesStreamEncoder


class City(BaseModel):
    name: str


TOOL: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "strict": True,
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False, "required": []},
}
BLOCKS: tuple[Block, ...] = (
    Thinking("Hm", Signature("c2ln", "anthropic")),
    WebSearchCall("", "cities"),
    Text('{"name":"Ulm"}', (Citation("https://a.b", "T", start=0, end=3),)),
    ToolCall("call_1", "weather", "{}"),
)
ANSWER = Answer("", "up", 5, (Choice(BLOCKS, Finished("tool_call")),), Usage(input=3, output=4, reasoning=1))


def chat() -> Chat:
    return decode_request(read_request(orjson.dumps({"model": "m", "input": "x", "tools": [TOOL]}), {}))


def client(body: bytes, kind: str) -> openai.OpenAI:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=body, headers={"content-type": kind}))
    return openai.OpenAI(
        api_key="k", base_url="http://gateway/v1", max_retries=0, http_client=httpx2.Client(transport=transport)
    )


def stream_body() -> bytes:
    encoder = ResponsesStreamEncoder(Reply("abc", "m", 5, chat()))
    return encoder.feed(unfold(ANSWER)) + encoder.finish()


def test_a_plain_answer_is_parsed_by_schema():
    body = encode_answer(ANSWER, Reply("abc", "m", 5, chat()))
    response = client(body, "application/json").responses.parse(model="m", input="x", text_format=City)
    assert response.output_parsed == City(name="Ulm")
    assert [item.type for item in response.output] == ["reasoning", "web_search_call", "message", "function_call"]
    assert response.usage is not None
    assert (response.usage.total_tokens, response.id) == (7, "resp_abc")


def test_the_streams_accumulator_ends_with_the_answer():
    kinds: list[str] = []
    with client(stream_body(), "text/event-stream").responses.stream(model="m", input="x", text_format=City) as stream:
        for event in stream:
            kinds.append(event.type)
        final = stream.get_final_response()
    assert final.output_parsed == City(name="Ulm")
    assert final.output_text == '{"name":"Ulm"}'
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert "response.output_text.annotation.added" in kinds


def test_an_event_iterator_reads_each_event():
    events = list(client(stream_body(), "text/event-stream").responses.create(model="m", input="x", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta") == "{}"


def test_a_failed_response_is_told():
    encoder = ResponsesStreamEncoder(Reply("abc", "m", 5, chat()))
    body = encoder.feed([Started("r", "m"), Failed("gone")])
    *_, last = client(body, "text/event-stream").responses.create(model="m", input="x", stream=True)
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert last.response.error.message == "gone"


def test_an_error_event_reaches_the_client():
    body = encode_stream_error(UpstreamTimeout("Slow"), "r1")
    stream = client(body, "text/event-stream").responses.create(model="m", input="x", stream=True)
    (event,) = stream
    assert event.type == "error"
    assert event.message == "Slow (request id: r1)"


@pytest.mark.parametrize("finish", [Finished("length"), Finished("filtered")])
def test_an_incomplete_answer_is_read(finish: Finished):
    answer = Answer("", "up", 5, (Choice((Text("ab"),), finish),), None)
    body = encode_answer(answer, Reply("abc", "m", 5, chat()))
    response = client(body, "application/json").responses.create(model="m", input="x")
    assert (response.status, response.output_text) == ("incomplete", "ab")
