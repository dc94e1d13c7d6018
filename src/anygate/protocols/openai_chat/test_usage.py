"""Usage of OpenAI and its dialects -> classes that never overlap."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.json_texts import JSON_VALUES

from anygate.canonical.usage import Usage
from anygate.protocols.openai_chat.answer import observe_answer
from anygate.protocols.openai_chat.stream_observer import StreamObserver
from anygate.protocols.openai_chat.usage import decode_usage

COUNTS = st.integers(0, 2000)
DETAILS = st.dictionaries(
    st.sampled_from(["cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens"]), COUNTS
)
USAGES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), COUNTS),
        **dict.fromkeys(("prompt_cache_hit_tokens", "cached_tokens", "cache_creation_input_tokens"), COUNTS),
        **dict.fromkeys(("prompt_tokens_details", "completion_tokens_details"), st.none() | DETAILS),
        "reasoning_tokens": COUNTS,
    },
)


@given(USAGES)
def test_each_token_is_in_one_class_and_none_is_lost(body: dict[str, Any]):
    usage = decode_usage(body)
    prompt, total = body.get("prompt_tokens", 0), body.get("total_tokens", 0)
    assert usage.input_tokens == prompt
    assert usage.output_tokens == max(body.get("completion_tokens", 0), total - prompt)
    figures = (usage.input, usage.cached_input, usage.cache_write_5m, usage.audio_input, usage.output, usage.reasoning)
    assert min(*figures, usage.audio_output, usage.image_output) >= 0
    assert usage.reasoning <= usage.output


@given(
    USAGES | st.dictionaries(st.sampled_from(["prompt_tokens", "total_tokens", "prompt_tokens_details"]), JSON_VALUES)
)
def test_an_answer_is_billed_by_its_usage_however_it_is_read(body: dict[str, Any]):
    expected = decode_usage(body) if body else None
    observed = observe_answer(orjson.dumps({"choices": [{"message": {"content": "Hi"}}], "usage": body}))
    assert observed is not None
    assert observed.usage == expected
    observer = StreamObserver()
    events: list[dict[str, Any]] = [{"choices": [{"delta": {"content": "Hi"}}]}, {"choices": [], "usage": body}]
    for event in events:
        observer.feed(b"data: " + orjson.dumps(event) + b"\n\n")
        observer.flush()
    observer.finish()
    assert observer.usage == expected


@given(USAGES)
def test_figures_written_as_fractions_count_the_same(body: dict[str, Any]):
    fractions = {name: float(value) if type(value) is int else value for name, value in body.items()}
    assert decode_usage(fractions) == decode_usage(body)


NONSENSE: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.text(), st.floats(), st.integers(), st.lists(st.integers()), DETAILS
)


@given(
    st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens"]), NONSENSE)
)
def test_nonsense_never_becomes_negative_or_too_large_for_the_ledger(body: dict[str, Any]):
    usage = decode_usage(body)
    assert 0 <= usage.input_tokens <= 2**41
    assert 0 <= usage.output_tokens <= 2**41


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        pytest.param(
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 10, "cache_write_tokens": 5},
                "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 7, "image_tokens": 3},
            },
            Usage(
                input=25,
                cached_input=60,
                cache_write_5m=5,
                audio_input=10,
                output=40,
                reasoning=20,
                audio_output=7,
                image_output=3,
            ),
            id="every class of OpenAI",
        ),
        pytest.param(
            {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 303}
            | {"completion_tokens_details": {"reasoning_tokens": 290}},
            Usage(input=12, output=291, reasoning=290),
            id="xAI: completion_tokens without the reasoning",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
            | {"prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 4},
            Usage(input=4, cached_input=6, output=2),
            id="DeepSeek",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "cached_tokens": 6},
            Usage(input=4, cached_input=6, output=2),
            id="Moonshot",
        ),
        pytest.param(
            {"prompt_tokens": 371, "completion_tokens": 40, "prompt_tokens_details": {"cached_tokens": 493}},
            Usage(cached_input=371, output=40),
            id="more cached than read",
        ),
        pytest.param(
            {"prompt_tokens": 4, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 9}},
            Usage(input=4, output=3, reasoning=3),
            id="more thought than written",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}, Usage(input=10, output=4), id="plain"
        ),
        pytest.param(
            {"prompt_tokens": 10, "total_tokens": 10, "cached_tokens": 5}, Usage(5, 5), id="three other fields"
        ),
        pytest.param({"prompt_tokens": 10.0, "completion_tokens": 4.0}, Usage(input=10, output=4), id="floats"),
        pytest.param({"prompt_tokens": -5, "completion_tokens": True, "total_tokens": "9"}, Usage(), id="wrong types"),
        pytest.param({"prompt_tokens": 2**62, "completion_tokens": 1e300}, Usage(), id="beyond all sense"),
        pytest.param({"prompt_tokens_details": None, "completion_tokens_details": []}, Usage(), id="no details"),
        pytest.param({}, Usage(), id="nothing"),
    ],
)
def test_a_dialect_is_read(body: dict[str, Any], usage: Usage):
    assert decode_usage(body) == usage
