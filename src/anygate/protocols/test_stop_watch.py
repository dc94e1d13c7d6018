"""Stop sequences that the gateway watches for: the text is cut where a model would have stopped, however it came."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from anygate.canonical.blocks import TokenLogprob
from anygate.canonical.chat_events import (
    BlockEnded,
    BlockStarted,
    ChatEvent,
    Failed,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    Used,
)
from anygate.canonical.usage import Usage
from anygate.protocols.stop_watch import StopWatch

LETTERS = st.text("abc", max_size=12)
SEQUENCES = st.lists(st.text("abc", min_size=1, max_size=4), max_size=3)


def cut(text: str, sequences: list[str]) -> tuple[str, str]:
    """The law, by letters: a model that writes one after the other stops as soon as the text ends with a sequence."""
    for end in range(len(text) + 1):
        met = [sequence for sequence in sequences if text[:end].endswith(sequence)]
        if met:
            longest = max(met, key=len)
            return text[: end - len(longest)], longest
    return text, ""


def watched(pieces: list[str], sequences: list[str], *, blocks: bool = True) -> list[ChatEvent]:
    watch = StopWatch(sequences)
    events: list[ChatEvent] = [Started("1"), BlockStarted(0, "text"), *(TextDelta(0, piece) for piece in pieces)]
    events += [BlockEnded(0)] if blocks else []
    events += [Finished("end"), Used(Usage(input=1))]
    return [passed for event in events for passed in watch.feed([event])]


def text_of(events: list[ChatEvent], choice: int = 0) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta) and event.choice == choice)


@given(LETTERS, SEQUENCES, st.lists(st.integers(0, 12)), st.booleans())
def test_any_splitting_equals_cutting_the_joined_text(text: str, sequences: list[str], cuts: list[int], blocks: bool):
    edges = [0, *sorted(place for place in cuts if place < len(text)), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    events = watched(pieces, sequences, blocks=blocks)
    kept, met = cut(text, sequences)
    assert text_of(events) == kept
    (finish,) = [event for event in events if isinstance(event, Finished)]
    assert (finish.reason, finish.stop_sequence) == (("stop_sequence", met) if met else ("end", ""))
    assert events[-1] == Used(Usage(input=1))
    assert sum(isinstance(event, BlockEnded) for event in events) == (1 if blocks or met else 0)


def test_text_that_cannot_begin_a_sequence_is_not_held_back():
    watch = StopWatch(["END"])
    assert watch.feed([TextDelta(0, "abc")]) == [TextDelta(0, "abc")]
    assert watch.feed([TextDelta(0, "dE")]) == [TextDelta(0, "d")]
    assert watch.feed([TextDelta(0, "x")]) == [TextDelta(0, "Ex")]


def test_one_choice_is_cut_and_the_other_goes_on():
    watch = StopWatch(["!"])
    events = watch.feed([TextDelta(0, "a!b", 0), TextDelta(0, "c", 1), TextDelta(0, "d", 0)])
    assert not watch.stopped
    events += watch.feed([ThinkingDelta(1, "hidden", 0), TextDelta(0, "e", 1), Finished("length", 1)])
    assert (text_of(events, 0), text_of(events, 1)) == ("a", "ce")
    assert [event for event in events if isinstance(event, Finished)] == [
        Finished("stop_sequence", 0, "!"),
        Finished("length", 1),
    ]
    assert watch.stopped
    assert not any(isinstance(event, ThinkingDelta) for event in events)


def test_a_failure_after_the_end_is_nobodys_concern_and_one_before_it_is_told_after_all_text():
    watch = StopWatch(["END"])
    assert watch.feed([TextDelta(0, "aE"), Failed("broken off")]) == [
        TextDelta(0, "a"),
        TextDelta(0, "E"),
        Failed("broken off"),
    ]
    watch = StopWatch(["END"])
    watch.feed([TextDelta(0, "aEND")])
    assert watch.feed([Failed("broken off")]) == []


def test_the_log_probabilities_of_held_text_wait_with_it():
    one, two, three = (TokenLogprob(token, -0.5) for token in ("a", "E", "N"))
    watch = StopWatch(["END"])
    assert watch.feed([TextDelta(0, "a", logprobs=(one,))]) == [TextDelta(0, "a", logprobs=(one,))]
    assert watch.feed([TextDelta(0, "E", logprobs=(two,))]) == []
    assert watch.feed([TextDelta(0, "N", logprobs=(three,))]) == []
    assert watch.feed([BlockEnded(0)]) == [TextDelta(0, "EN", logprobs=(two, three)), BlockEnded(0)]
    watch = StopWatch(["EN"])
    tokens = (one, two, three)
    assert watch.feed([TextDelta(0, "aEN", logprobs=tokens)])[0] == TextDelta(0, "a", logprobs=(one,))


def test_without_sequences_everything_passes():
    events: list[ChatEvent] = [BlockStarted(0, "text"), TextDelta(0, "abc"), Finished("end"), Failed("x")]
    assert StopWatch(["", ""]).feed(events) == events
