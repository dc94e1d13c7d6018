"""Usage, text and refusals of real traffic, read by the observers alone: published answers without a request too."""

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest

from anygate.canonical.usage import Usage
from anygate.protocols.observing import FLUSH_BYTES
from anygate.protocols.openai_chat.answer import decode_error, observe_answer
from anygate.protocols.openai_chat.stream_observer import StreamObserver
from anygate.protocols.openai_chat.usage_chunk import UsageChunkFilter
from anygate.routing.failover import judge, unknown_model
from tests.recorded.expected import answers_of, classes_of, reported_usage
from tests.recorded.recordings import KINDS, Recording
from tests.recorded.watching import watch
from tests.specs.documents import shared_file


@cache
def recorded_answers() -> list[Recording]:
    """Every chat answer whose framing is known. Where they are missing the test is skipped; with CI=true it fails."""
    found: list[Recording] = []
    for path in sorted(shared_file("recordings").glob("*/chat/*.json")):
        record: dict[str, Any] = json.loads(path.read_bytes())
        response: dict[str, Any] = record["response"]
        kind = next((kind for kind in KINDS if kind in response), "")
        if kind:
            given: Any = response[kind]
            text = {"json": json.dumps, "sse": "\n".join, "text": str}[kind](given)
            name, company = f"{record['provider']}/{path.stem}", record["provider"]
            found.append(Recording(name, company, "", {}, response["status"], (), text.encode(), kind == "sse"))
    return found


def served() -> list[Recording]:
    return [recording for recording in recorded_answers() if recording.status == 200]


def streams() -> list[Recording]:
    return [recording for recording in served() if recording.is_stream]


def observed_usage(recording: Recording) -> Usage | None:
    if recording.is_stream:
        return watch(StreamObserver(), recording.body, FLUSH_BYTES).usage
    observed = observe_answer(recording.body)
    assert observed is not None, f"{recording.name} counts as nonsense"
    return observed.usage


def figures(usage: Usage | None) -> dict[str, int] | None:
    if usage is None:
        return None
    searches = {"searches": usage.searches} if usage.searches else {}
    return {
        "input": usage.input,
        "cached_input": usage.cached_input,
        "cache_write_5m": usage.cache_write_5m,
        "audio_input": usage.audio_input,
        "output": usage.output + usage.image_output,
        "audio_output": usage.audio_output,
        "reasoning": usage.reasoning,
        **searches,
    }


def test_the_usage_of_every_recorded_answer_is_what_the_recording_reports():
    wrong: dict[str, Any] = {}
    metered = 0
    for recording in served():
        reported = reported_usage(answers_of(recording))
        expected = classes_of(reported) if reported is not None else None
        metered += expected is not None
        found = figures(observed_usage(recording))
        if found != expected:
            wrong[recording.name] = (found, expected)
    assert wrong == {}
    assert metered > 300


@pytest.mark.parametrize("step", [97, 1500])
def test_the_cuts_between_blocks_of_a_recorded_stream_change_nothing(step: int):
    for recording in streams():
        cut, whole = (
            watch(StreamObserver(), recording.body, step),
            watch(StreamObserver(), recording.body, len(recording.body)),
        )
        assert (cut.usage, cut.text_bytes, cut.error) == (whole.usage, whole.text_bytes, whole.error), recording.name


def test_recorded_text_is_counted_where_there_is_some():
    for recording in streams():
        observer = watch(StreamObserver(), recording.body, FLUSH_BYTES)
        choices = [choice for event in answers_of(recording) for choice in event.get("choices") or ()]
        contents = [choice.get("delta", {}).get("content") for choice in choices]
        text = "".join(content for content in contents if isinstance(content, str))
        assert observer.text_bytes >= len(text.encode()), recording.name
        assert observer.tokens_seen or not text, recording.name


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_the_usage_chunk_is_taken_out_of_a_recorded_stream(end: str):
    taken = 0
    for recording in streams():
        wire = recording.body.decode().replace("\n", end)
        events = wire.split(end + end)
        kept = [event for event in events if not _is_usage_chunk(event)]
        taken += len(events) - len(kept)
        sent, strip = wire.encode(), UsageChunkFilter()
        out = b"".join(strip.feed(sent[at : at + 700]) for at in range(0, len(sent), 700))
        assert out + strip.finish() == (end + end).join(kept).encode(), recording.name
    assert taken > 10


def _is_usage_chunk(event: str) -> bool:
    if not event.startswith("data: {"):
        return False
    document: dict[str, Any] = json.loads(event.removeprefix("data:"))
    return document.get("choices") == [] and bool(document.get("usage"))


def test_recorded_refusals_pass_or_go_on_to_the_next_channel():
    verdicts: Counter[tuple[int, str]] = Counter()
    for recording in recorded_answers():
        if recording.status != 200:
            error = decode_error(recording.body)
            assert error, recording.name
            verdicts[recording.status, judge(recording.status, error)] += 1
            # Each recorded 404 names a model that does not exist; no recorded 400 does.
            assert unknown_model(recording.status, error) == (recording.status == 404), recording.name
    assert set(verdicts) == {(400, "pass"), (401, "next"), (404, "next"), (429, "next")}
    assert sum(verdicts.values()) > 20
