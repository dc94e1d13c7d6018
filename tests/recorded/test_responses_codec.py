"""Every recorded Responses call through the codec: request, answer and stream, there and back."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, cast

import orjson
import pytest

from anygate.canonical.blocks import NativeBlock, Text, Thinking, WebSearchCall
from anygate.canonical.chat_events import Answer, ChatEvent, Choice, Cited, Failed
from anygate.canonical.usage import Usage
from anygate.protocols.chat_codec import Reply, Source, Target
from anygate.protocols.fold import fold
from anygate.protocols.lenient_json import load_object, unwrap
from anygate.protocols.observing import FLUSH_BYTES
from anygate.protocols.openai_responses.answer import StreamObserver, decode_error, observe_answer
from anygate.protocols.openai_responses.answer_decode import decode_answer
from anygate.protocols.openai_responses.answer_encode import encode_answer
from anygate.protocols.openai_responses.decode import decode_request
from anygate.protocols.openai_responses.encode import encode_request
from anygate.protocols.openai_responses.request import read_request
from anygate.protocols.openai_responses.stream_decode import ResponsesStreamDecoder
from anygate.protocols.openai_responses.stream_encode import ResponsesStreamEncoder
from anygate.protocols.sse import frame
from tests.recorded.expected_native import kind_of_action
from tests.recorded.recordings import KINDS, Recording
from tests.recorded.watching import watch
from tests.specs.documents import shared_file
from tests.specs.responses import response_events, validate_response

MODELS_OWN = {"parameters", "schema"}
"""Members whose content is the client's own JSON: a null in there means something."""

SAYS_NOTHING: tuple[tuple[str, Any], ...] = (
    ("description", ""),
    ("instructions", ""),
    ("stream", False),
    ("annotations", []),
    ("logprobs", []),
    ("include", []),
    ("tools", []),
)


@cache
def calls() -> list[Recording]:
    """Every recorded creation of a response. Where they are missing the test is skipped; with CI=true it fails."""
    return [
        call
        for path in sorted(shared_file("recordings").glob("*/responses/*.json"))
        for call in read(path.read_bytes())
    ]


def read(content: bytes) -> Iterator[Recording]:
    record: dict[str, Any] = orjson.loads(content)
    method, _, target = str(record["endpoint"]).partition(" ")
    response: dict[str, Any] = record["response"]
    request: dict[str, Any] = record["request"].get("json") or {} if record["request"] else {}
    kind = next((kind for kind in (*KINDS, "chunks") if kind in response), "")
    if method != "POST" or "compact" in target or not kind:
        return
    given = response[kind]
    match kind:
        case "json":
            body = orjson.dumps(given)
        case "sse":
            body = "\n".join(given).encode()
        case "chunks":  # the framing was lost at the source, the events were not
            if not all(isinstance(event, dict) for event in given):
                return  # events cut off at the source
            if sum(event["type"] == "response.created" for event in given) > 1:
                return  # several calls in one
            body = b"".join(frame(orjson.dumps(event), event["type"]) for event in given)
        case _:
            body = str(given).encode()
    yield Recording(
        name=f"{record['provider']}/{record['id']}",
        company=record["provider"],
        target=target,
        request=request,
        status=response["status"],
        headers=(),
        body=body,
        is_stream=kind in ("sse", "chunks"),
    )


def plain(call: Recording) -> bytes:
    """The body, taken out of base64 where it was recorded so."""
    return unwrap(call.body.strip()) or call.body


def answered(*, stream: bool | None = None) -> list[Recording]:
    """Served calls; without plain answers that were cut off at the source."""
    return [
        call
        for call in calls()
        if call.status == 200 and stream in (None, call.is_stream) and (call.is_stream or load_object(plain(call)))
    ]


def finished() -> list[Recording]:
    """Served calls whose response is complete, not one that runs in the background."""
    return [call for call in answered() if response_of(call).get("status") in ("completed", "incomplete")]


def asked() -> list[Recording]:
    return [call for call in calls() if call.request]


def normal(value: Any) -> Any:
    """A request with one spelling for what has several: nulls, empty texts and lists are as good as absent."""
    if isinstance(value, list):
        return [normal(entry) for entry in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value).items()
    return {
        name: entry if name in MODELS_OWN else normal(entry)
        for name, entry in members
        if entry is not None and (name, entry) not in SAYS_NOTHING
    }


def normal_form(document: dict[str, Any]) -> dict[str, Any]:
    """A message by its long spelling, `include` in alphabetical order, the summary by its new name."""
    form = normal(document)
    if isinstance(form["input"], str):
        form["input"] = [{"role": "user", "content": form["input"]}]
    form["input"] = [long_message(item) if "role" in item and "content" in item else item for item in form["input"]]
    if "include" in form:
        form["include"].sort()
    if "generate_summary" in form.get("reasoning", {}):
        form["reasoning"]["summary"] = form["reasoning"].pop("generate_summary")
    return form


def long_message(item: dict[str, Any]) -> dict[str, Any]:
    kind = "output_text" if item["role"] == "assistant" else "input_text"
    content = item["content"]
    return {
        **item,
        "type": "message",
        "content": [{"type": kind, "text": content}] if isinstance(content, str) else content,
    }


def decode(call: Recording) -> list[ChatEvent]:
    if not call.is_stream:
        return decode_answer(call.body, Source())
    decoder = ResponsesStreamDecoder(Source())
    return [*decoder.feed(call.body), *decoder.finish()]


def reply(call: Recording) -> Reply:
    request = read_request(orjson.dumps({"model": "m", "input": "", **call.request}), {})
    return Reply(id="abc123", model="m", created=1_700_000_000, chat=decode_request(request))


def response_of(call: Recording) -> dict[str, Any]:
    """The response as the recording itself tells it."""
    body = plain(call)
    if not call.is_stream:
        return orjson.loads(body)
    events = [orjson.loads(line[5:]) for line in body.splitlines() if line.startswith(b"data: {")]
    return next(event["response"] for event in reversed(events) if "response" in event)


def comparable(answer: Answer) -> Answer:
    """Without what the client's side makes anew: ids that do not look like OpenAI's, and the time."""
    choice = answer.choices[0]
    blocks = tuple(
        Thinking(block.text, block.signature) if isinstance(block, Thinking) else block for block in choice.blocks
    )
    return Answer("", answer.model, 0, (Choice(blocks, choice.finish),), answer.usage)


def test_every_recorded_request_comes_back_as_it_was():
    wrong: dict[str, Any] = {}
    for call in asked():
        chat = decode_request(read_request(orjson.dumps(call.request), {}))
        encoded = encode_request(chat, Target(call.request["model"], limit=call.request.get("max_output_tokens")))
        if normal_form(encoded.document) != normal_form(call.request) or encoded.dropped:
            wrong[call.name] = encoded
    assert wrong == {}
    assert len(asked()) > 200


def test_every_recorded_answer_gives_events_without_a_failure():
    for call in answered():
        events = decode(call)
        assert not [event for event in events if isinstance(event, Failed)], call.name
        assert len(fold(events).choices) == 1, call.name
    assert len(answered(stream=True)) > 60


def test_a_recorded_text_is_the_text_of_the_events():
    texts = 0
    for call in answered():
        answer = fold(decode(call))
        output = response_of(call)["output"]
        parts = [part for item in output if item["type"] == "message" for part in item["content"]]
        expected = [part["text"] for part in parts if part.get("text")]
        found = [block.text for block in answer.choices[0].blocks if isinstance(block, Text)]
        assert found == expected, call.name
        texts += len(found)
    assert texts > 150


def test_a_recorded_stream_folds_to_the_response_that_it_ends_with():
    for call in answered(stream=True):
        response = response_of(call)
        if not response["output"]:
            continue  # this upstream does not repeat what it streamed
        whole = fold(decode_answer(orjson.dumps(response), Source()))
        streamed = fold(decode(call))
        assert summary(streamed) == summary(whole), call.name


def summary(answer: Answer) -> Any:
    """Without log probabilities, which a stream tells with less detail, and what is encrypted anew each time it is told."""
    blocks: list[Any] = []
    for block in answer.choices[0].blocks:
        match block:
            case Text():
                blocks.append(Text(block.text, block.citations))
            case Thinking():
                blocks.append((block.text, block.signature is not None))
            case NativeBlock():
                blocks.append((block.raw["type"], block.raw.get("id")))
            case _:
                blocks.append(block)
    return blocks, answer.choices[0].finish, answer.usage, answer.model


@pytest.mark.parametrize("step", [61, 1700])
def test_the_cuts_between_blocks_change_nothing(step: int):
    for call in answered(stream=True):
        decoder = ResponsesStreamDecoder(Source())
        events = [event for at in range(0, len(call.body), step) for event in decoder.feed(call.body[at : at + step])]
        assert [*events, *decoder.finish()] == decode(call), call.name


def classes(reported: dict[str, Any], items: list[dict[str, Any]]) -> Usage:
    """What is reported, in our classes: told by hand, apart from the code."""
    given: dict[str, int] = reported.get("input_tokens_details") or {}
    made: dict[str, int] = reported.get("output_tokens_details") or {}
    cached, written = given.get("cached_tokens") or 0, given.get("cache_write_tokens") or 0
    counted: dict[str, int] = reported.get("server_side_tool_usage_details") or {}
    calls = [
        item
        for item in items
        if item["type"] in ("web_search_call", "x_search_call") and kind_of_action(item) == "search"
    ]
    return Usage(
        input=reported["input_tokens"] - cached - written,
        cached_input=cached,
        cache_write_5m=written,
        output=reported["output_tokens"],
        reasoning=made.get("reasoning_tokens") or 0,
        searches=counted["web_search_calls"] + counted["x_search_calls"] if counted else len(calls),
    )


def test_the_usage_of_every_recorded_answer_is_what_it_reports():
    metered = 0
    for call in answered():
        response = response_of(call)
        reported = response.get("usage")
        expected = classes(reported, response["output"]) if reported else None
        if call.is_stream:
            found = watch(StreamObserver(), call.body, FLUSH_BYTES).usage
            assert watch(StreamObserver(), call.body, 97).usage == found, call.name
        else:
            observed = observe_answer(call.body)
            assert observed is not None, call.name
            found = observed.usage
        assert found == expected, call.name
        assert fold(decode(call)).usage == expected, call.name
        metered += expected is not None
    assert metered > 200


def test_recorded_text_is_counted():
    for call in answered(stream=True):
        observer = watch(StreamObserver(), call.body, FLUSH_BYTES)
        lines = [line for line in plain(call).splitlines() if line.startswith(b"data: {")]
        deltas = [orjson.loads(line[6:]).get("delta") for line in lines]
        expected = sum(len(delta.encode()) for delta in deltas if isinstance(delta, str))
        assert observer.text_bytes == expected, call.name
        assert observer.tokens_seen, call.name
        assert observer.error is None, call.name


def test_every_recorded_answer_survives_being_encoded_again():
    for call in finished():
        answer = fold(decode(call))
        again = fold(decode_answer(encode_answer(answer, reply(call)), Source()))
        assert comparable(again) == comparable(answer), call.name


def test_every_recorded_answer_survives_being_streamed_again():
    for call in finished():
        events = decode(call)
        wire = stream(events, call)
        decoder = ResponsesStreamDecoder(Source())
        again = fold([*decoder.feed(wire), *decoder.finish()])
        assert comparable(again) == comparable(fold(events)), call.name


def stream(events: Sequence[ChatEvent], call: Recording) -> bytes:
    encoder = ResponsesStreamEncoder(reply(call))
    return encoder.feed(events) + encoder.finish()


def test_what_is_encoded_satisfies_the_official_document():
    for call in finished():
        try:
            events = [event for event in decode(call) if not unofficial(event)]
            for _ in response_events(stream(events, call)):
                pass
            validate_response(encode_answer(fold(events), reply(call)))
        except AssertionError as error:
            raise AssertionError(call.name) from error


def unofficial(event: ChatEvent) -> bool:
    """What travels as it came: where the upstream is not OpenAI it is not the document's."""
    if isinstance(event, Cited):
        return bool(event.citation.raw)
    return isinstance(getattr(event, "item", None), NativeBlock | WebSearchCall)


def test_recorded_refusals_are_read():
    refused = [call for call in calls() if call.status != 200]
    for call in refused:
        error = decode_error(call.body)
        assert error is not None, call.name
        assert error["message"], call.name
    assert len(refused) > 8
