"""Recorded traffic in every direction: a request of one protocol written for another, an answer told to every client.

By the codecs alone, without sockets. What is lost must be refused by name, warned of, or listed with its reason.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson
import pytest

from anygate.canonical.chat_events import Answer, Failed
from anygate.canonical.errors import UnsupportedContent
from anygate.protocols.chat_codec import Source
from anygate.protocols.fold import fold
from tests.matrix.cells import (
    PROTOCOLS,
    THINKERS,
    codec,
    decode_answer,
    decode_request,
    decode_stream,
    encode_request,
    reply_to,
    target,
    told,
    with_media,
)
from tests.matrix.content import lost_answer, lost_content, lost_parameters
from tests.matrix.losses import ANSWER_LOSSES
from tests.matrix.probes import ASKING
from tests.recorded.expected_native import frames, reported
from tests.recorded.recordings import FORMS, Recording, native_recordings
from tests.specs.documents import shared_file

SPOKEN = [*dict.fromkeys(FORMS.values())]
MAKERS = {
    "openai.chat": "openai",
    "openai.responses": "openai",
    "anthropic.messages": "anthropic",
    "google.gemini": "google",
    "cohere.chat": "cohere",
}
DIRECTIONS = [(spoken, other) for spoken in SPOKEN for other in PROTOCOLS if spoken != other]
REFUSABLE = {
    "messages",
    "input",
    "contents",
    "tools",
    "modalities",
    "n",
    "tool_choice",
    "cachedContent",
    "mcp_servers",
} | {
    "generationConfig.candidateCount",
    "generationConfig.responseModalities",
}
"""Fields that hold content, or that ask for a form of answer: all that may ever be a reason to refuse."""


@cache
def recordings(protocol: str) -> list[Recording]:
    shared_file("recordings")
    return [recording for recording in native_recordings() if recording.protocol == protocol]


def answered(protocol: str) -> Iterator[tuple[Recording, Answer]]:
    """Every answer that is complete and no failure."""
    for recording in recordings(protocol):
        if recording.status != 200 or not frames(recording):
            continue
        source = Source(MAKERS[protocol])
        # An array is one body, which the plain reading takes.
        whole = not recording.is_stream
        events = (decode_answer if whole else decode_stream)(protocol, recording.body, source)
        if not any(isinstance(event, Failed) for event in events):
            yield recording, fold(events)


@pytest.mark.parametrize(("spoken", "other"), [pair for pair in DIRECTIONS if pair[0] != "cohere.chat"])
def test_a_request_loses_nothing_in_silence(spoken: str, other: str):
    wrong: dict[str, Any] = {}
    outcomes: Counter[str] = Counter()
    for recording in recordings(spoken):
        body = {**recording.client_request, "stream": recording.asks_stream}
        asked = decode_request(spoken, body, recording.model)
        try:
            encoded = encode_request(other, asked, target(other, THINKERS[other], asked.output_limit))
        except UnsupportedContent as error:
            outcomes["refused"] += 1
            if error.param not in REFUSABLE:
                wrong[recording.name] = f"refused for {error.param}: {error}"
            continue
        outcomes["warned" if encoded.dropped else "carried"] += 1
        written: dict[str, Any] = orjson.loads(orjson.dumps(encoded.document))
        chat = decode_request(other, written, THINKERS[other])
        inlines = codec(other).inlines
        fetched = with_media(asked, inlines) if inlines is not None else asked
        lost = lost_content(fetched, encoded, chat) + lost_parameters(asked, encoded, chat)
        if lost:
            wrong[recording.name] = lost
    assert wrong == {}
    assert outcomes["carried"] + outcomes["warned"] > outcomes["refused"]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(("spoken", "client"), DIRECTIONS)
def test_an_answer_is_told_whole(spoken: str, client: str, stream: bool):
    wrong: dict[str, Any] = {}
    count = 0
    for recording, answer in answered(spoken):
        count += 1
        source = Source(MAKERS[spoken])
        events = (decode_stream if recording.is_stream else decode_answer)(spoken, recording.body, source)
        reply = reply_to(client, client, ASKING[client])._replace(maker=source.maker)
        one = ("several answers", client) in ANSWER_LOSSES
        lost = lost_answer(answer, told(client, events, reply, stream=stream), one=one)
        if lost:
            wrong[recording.name] = lost
    assert wrong == {}
    assert count > 20


@pytest.mark.parametrize("spoken", SPOKEN)
def test_what_is_billed_is_what_a_native_call_is_billed(spoken: str):
    """A translated answer is metered from the same bytes by the same reading, whoever the client is."""
    metered = 0
    for recording, answer in answered(spoken):
        expected = reported(recording)
        found = answer.usage
        assert (found is None) == (expected is None), recording.name
        if found is None or expected is None:
            continue
        metered += 1
        assert {name: getattr(found, name) for name in expected} == expected, recording.name
        assert min(getattr(found, name) for name in found.__struct_fields__) >= 0, recording.name
        if not recording.is_stream:
            observed = codec(spoken).observe_answer(recording.body)
            assert observed is not None, recording.name
            assert observed.usage == found, recording.name
    assert metered > 20
