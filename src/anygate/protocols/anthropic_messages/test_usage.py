"""The protocol's usage -> classes that never overlap, and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.usage import Usage
from anygate.protocols.anthropic_messages.usage import decode_usage, encode_final_usage, encode_usage

COUNTS = st.integers(0, 2000)
ANY = (
    st.none() | st.booleans() | st.text(max_size=5) | st.floats() | st.integers() | st.lists(st.integers(), max_size=2)
)
NAMES = st.sampled_from(
    [
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation",
        "output_tokens_details",
        "iterations",
    ]
)


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({"input_tokens": 12, "output_tokens": 8}, Usage(input=12, output=8)),
        (
            {
                "input_tokens": 10,
                "cache_read_input_tokens": 200,
                "cache_creation_input_tokens": 70,
                "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 40},
                "output_tokens": 50,
                "output_tokens_details": {"thinking_tokens": 20},
                "server_tool_use": {"web_search_requests": 3},
            },
            Usage(
                input=10, cached_input=200, cache_write_5m=30, cache_write_1h=40, output=50, reasoning=20, searches=3
            ),
        ),
        ({"input_tokens": 1, "cache_creation_input_tokens": 70}, Usage(input=1, cache_write_5m=70)),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 40}}, Usage(cache_write_1h=40)),
        (
            {"cache_creation_input_tokens": 30, "cache_creation": {"ephemeral_1h_input_tokens": 40}},
            Usage(cache_write_1h=30),
        ),
        ({"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 9}}, Usage(output=5, reasoning=5)),
        ({"input_tokens": True, "output_tokens": "8", "cache_read_input_tokens": -3, "cache_creation": []}, Usage()),
        ({"input_tokens": 2**62}, Usage()),
        (
            {
                "input_tokens": 10,
                "output_tokens": 5,
                "iterations": [
                    {"type": "compaction", "input_tokens": 100, "output_tokens": 50},
                    {"type": "message", "input_tokens": 10, "output_tokens": 5},
                    {"type": "advisor_message", "input_tokens": 900, "output_tokens": 90},
                    None,
                ],
            },
            Usage(input=110, output=55),
        ),
    ],
)
def test_usage_is_read(body: dict[str, Any], usage: Usage):
    assert decode_usage(body) == usage


@given(st.dictionaries(NAMES, ANY))
def test_nonsense_is_never_negative(body: dict[str, Any]):
    usage = decode_usage(body)
    assert min(usage.input, usage.cached_input, usage.cache_write_5m, usage.cache_write_1h, usage.output) >= 0
    assert 0 <= usage.reasoning <= usage.output


@given(st.builds(Usage, input=COUNTS, cached_input=COUNTS, cache_write_5m=COUNTS, cache_write_1h=COUNTS, output=COUNTS))
def test_what_is_written_is_read_back(usage: Usage):
    assert decode_usage(encode_usage(usage)) == usage
    assert decode_usage(encode_final_usage(usage)) == usage


def test_tokens_that_the_protocol_has_no_class_for_are_still_counted():
    written = encode_usage(Usage(input=5, audio_input=7, output=3, audio_output=2, image_output=1))
    assert (written["input_tokens"], written["output_tokens"]) == (12, 6)
