"""Calls of free text tools come back as what they were called for."""

import pytest

from anygate.canonical.chat import CustomTool, FunctionTool
from anygate.canonical.chat_events import ArgumentsDelta, BlockEnded, BlockStarted, ChatEvent, Finished, TextDelta
from anygate.protocols.free_text_calls import FreeTextCalls, free_text_tools, unwrapped

NAMES = free_text_tools((CustomTool("patch"), FunctionTool("f")))


def test_a_wrapped_call_is_unwrapped_at_its_end():
    calls = FreeTextCalls(NAMES)
    began = calls.feed([BlockStarted(0, "tool", id="c", name="patch"), ArgumentsDelta(0, '{"inp')])
    assert began == [BlockStarted(0, "tool", id="c", name="patch", custom=True)]
    assert calls.feed([ArgumentsDelta(0, 'ut":"*** \\"x\\""}'), TextDelta(1, "so")]) == [TextDelta(1, "so")]
    assert calls.feed([BlockEnded(0)]) == [ArgumentsDelta(0, '*** "x"'), BlockEnded(0)]


def test_a_call_that_never_ended_is_told_before_the_answer_does():
    calls = FreeTextCalls(NAMES)
    calls.feed([BlockStarted(0, "tool", id="c", name="patch"), ArgumentsDelta(0, '{"input":"cut o')])
    assert calls.feed([Finished("length")]) == [ArgumentsDelta(0, '{"input":"cut o'), Finished("length")]
    assert calls.feed([BlockEnded(0)]) == [BlockEnded(0)]


def test_other_calls_pass():
    events: list[ChatEvent] = [
        BlockStarted(0, "tool", id="c", name="f"),
        ArgumentsDelta(0, '{"input":"x"}'),
        BlockEnded(0),
        BlockStarted(1, "tool", id="d", name="patch", custom=True),
        ArgumentsDelta(1, '{"input":"x"}'),
        BlockEnded(1),
    ]
    assert FreeTextCalls(NAMES).feed(events) == events


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input":"x"}', "x"),
        ('{"input":1}', '{"input":1}'),
        ("[]", "[]"),
        ("", ""),
        ('{"inp', '{"inp'),
        ('"x"', '"x"'),
    ],
)
def test_what_is_not_wrapped_is_the_text(arguments: str, text: str):
    assert unwrapped(arguments) == text
