"""Stop sequences for an upstream that has none: the gateway watches the text and ends the answer where one appears."""

from collections.abc import Sequence

from anygate.canonical.blocks import TokenLogprob
from anygate.canonical.chat_events import BlockEnded, ChatEvent, Failed, Finished, Started, TextDelta, Used

_Place = tuple[int, int]  # block, choice


class _Held:
    """Text that may be the beginning of a sequence, with the tokens that were told for it."""

    __slots__ = ("logprobs", "text")

    def __init__(self, text: str, logprobs: tuple[TokenLogprob, ...]) -> None:
        self.text = text
        self.logprobs = logprobs


class StopWatch:
    """Events in, events out, cut before the first stop sequence in the text of a choice.

    The first is the one that is complete first, as if the model had been stopped at its last letter; of those that are
    complete at once, the longest. Text that may be the beginning of a sequence is held back until it is decided. After
    a cut nothing of the choice passes but usage, nor does an error where every choice was cut.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = [sequence for sequence in sequences if sequence]
        self._held: dict[_Place, _Held] = {}
        self._open: set[int] = set()
        self._cut: set[int] = set()

    @property
    def stopped(self) -> bool:
        """Has a sequence been met, and does no other choice go on? Then the upstream need not go on."""
        return bool(self._cut) and not self._open

    def feed(self, events: Sequence[ChatEvent]) -> list[ChatEvent]:
        """The events that may go on."""
        passed: list[ChatEvent] = []
        for event in events:
            match event:
                case Started() | Used():
                    passed.append(event)
                case Failed():
                    if not self.stopped:
                        passed += [*self._release_all(), event]
                case _ if event.choice in self._cut:
                    pass
                case TextDelta():
                    self._open.add(event.choice)
                    passed += self._text(event)
                case BlockEnded():
                    passed += [*self._release((event.block, event.choice)), event]
                case Finished():
                    self._open.discard(event.choice)
                    passed += [*self._release_all(event.choice), event]
                case _:
                    self._open.add(event.choice)
                    passed.append(event)
        return passed

    def _text(self, event: TextDelta) -> list[ChatEvent]:
        place = (event.block, event.choice)
        held = self._held.pop(place, None)
        text = held.text + event.text if held is not None else event.text
        logprobs = held.logprobs + event.logprobs if held is not None else event.logprobs
        met = self._first(text)
        if met is not None:
            start, sequence = met
            self._cut.add(event.choice)
            self._open.discard(event.choice)
            before = _delta(place, text[:start], _within(logprobs, start))
            end = BlockEnded(event.block, event.choice)
            return [*before, end, Finished("stop_sequence", event.choice, sequence)]
        kept = self._undecided(text)
        if kept:
            told = len(text) - kept
            passing = _within(logprobs, told)
            self._held[place] = _Held(text[told:], logprobs[len(passing) :])
            text, logprobs = text[:told], passing
        return _delta(place, text, logprobs)

    def _first(self, text: str) -> tuple[int, str] | None:
        """Where the first sequence begins, and which it is."""
        places = [(text.find(sequence), sequence) for sequence in self._sequences]
        met = [(start + len(sequence), start, sequence) for start, sequence in places if start >= 0]
        if not met:
            return None
        _, start, sequence = min(met)
        return start, sequence

    def _undecided(self, text: str) -> int:
        """How many characters at the end may begin a sequence."""
        longest = 0
        for sequence in self._sequences:
            for size in range(min(len(sequence) - 1, len(text)), longest, -1):
                if text.endswith(sequence[:size]):
                    longest = size
                    break
        return longest

    def _release(self, place: _Place) -> list[ChatEvent]:
        held = self._held.pop(place, None)
        return _delta(place, held.text, held.logprobs) if held is not None else []

    def _release_all(self, choice: int | None = None) -> list[ChatEvent]:
        places = [place for place in sorted(self._held) if choice is None or place[1] == choice]
        return [event for place in places for event in self._release(place)]


def _delta(place: _Place, text: str, logprobs: tuple[TokenLogprob, ...]) -> list[ChatEvent]:
    return [TextDelta(place[0], text, place[1], logprobs)] if text or logprobs else []


def _within(logprobs: tuple[TokenLogprob, ...], characters: int) -> tuple[TokenLogprob, ...]:
    """The tokens that end within so many characters."""
    count = 0
    for number, token in enumerate(logprobs):
        count += len(token.token)
        if count > characters:
            return logprobs[:number]
    return logprobs
