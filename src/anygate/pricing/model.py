"""A price, ready for arithmetic: integers of one scale, one rounding up at the very end."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

import msgspec
from msgspec.structs import astuple

from anygate.canonical.money import LARGEST_NANOS, Nanos
from anygate.canonical.usage import Usage

LARGEST_OUTPUT = 2**31 - 1
"""Output tokens that any hold pays for when output costs nothing."""


class Scaled(msgspec.Struct, frozen=True, gc=False):
    """One nano amount per unit of each class, times the model's scale, so that all are integers."""

    input: int
    cached_input: int
    cache_write_5m: int
    cache_write_1h: int
    audio_input: int
    output: int
    audio_output: int
    image_output: int
    image: int
    second: int
    song: int
    characters: int
    search: int
    request: int


@dataclass(frozen=True, slots=True)
class Worst:
    """The dearest rates that a request can meet with input tokens above a threshold, times the model's scale.

    Attributes:
        above: the threshold.
        input: of the classes that an input token can fall into which is no sound.
        any_input: of those of any input token.
        output: of an output token that is text.
        audio_output: of one that may be sound.
        image_output: of one that may be an image.
        any_output: of one that may be either.
    """

    above: int
    input: int
    any_input: int
    output: int
    audio_output: int
    image_output: int
    any_output: int
    image: int
    second: int
    song: int
    characters: int
    search: int
    request: int


_UNITS: Mapping[str, str] = {
    "image": "images",
    "second": "seconds",
    "song": "songs",
    "search": "searches",
    "request": "requests",
}
"""Rate name -> usage class, where they differ."""

_COUNTED = tuple(_UNITS.get(name, name) for name in Scaled.__struct_fields__)
_REQUEST = Scaled.__struct_fields__.index("request")
_quantities = attrgetter(*_COUNTED)


@dataclass(frozen=True, slots=True)
class PricedModel:
    """A model's price for requests that match one condition (or none), times a group's multiplier.

    Amounts are exact; each result is rounded up once to a nano.

    Attributes:
        free: the model costs nothing by declaration.
        snapshot: compact JSON of everything that the amounts follow from, for the hold and the close entry.
        snapshot_json: the same, to be put into the log's JSON as it is.
        scale: what the integers of `rates` are multiplied by.
        rates: without any tier.
        tiers: (more input tokens than this, rates), ascending.
        worst: for no tier and each further one, ascending.
        shown: per entry of (no tier, *tiers) each class's rate in USD as a text, for `lines`.
    """

    free: bool
    snapshot: str
    snapshot_json: msgspec.Raw
    scale: int
    rates: Scaled
    tiers: tuple[tuple[int, Scaled], ...]
    worst: tuple[Worst, ...]
    shown: tuple[tuple[str, ...], ...]

    def cost(self, usage: Usage) -> Nanos:
        """What `usage` costs."""
        rates = self._rates(usage.input_tokens)[1] if self.tiers else self.rates
        exact = usage.input * rates.input + usage.output * rates.output + (usage.requests or 1) * rates.request
        # Of the other classes a request uses one or two: to ask is cheaper than to multiply and add.
        if usage.cached_input:
            exact += usage.cached_input * rates.cached_input
        if usage.cache_write_5m:
            exact += usage.cache_write_5m * rates.cache_write_5m
        if usage.cache_write_1h:
            exact += usage.cache_write_1h * rates.cache_write_1h
        if usage.audio_input or usage.audio_output or usage.image_output:
            exact += usage.audio_input * rates.audio_input
            exact += usage.audio_output * rates.audio_output + usage.image_output * rates.image_output
        if usage.images or usage.seconds or usage.songs or usage.characters:
            exact += usage.images * rates.image + usage.seconds * rates.second
            exact += usage.songs * rates.song + usage.characters * rates.characters
        if usage.searches:
            exact += usage.searches * rates.search
        return self._rounded(exact)

    def ceiling(
        self,
        input_tokens: int,
        output_tokens: int,
        *,
        audio_in: bool = False,
        audio_out: bool = False,
        image_out: bool = False,
        images: int = 0,
        seconds: int = 0,
        songs: int = 0,
        characters: int = 0,
        searches: int = 0,
        requests: int = 1,
    ) -> Nanos:
        """The most that a request within these bounds can cost, whatever classes its tokens fall into.

        Args:
            input_tokens: bound of all input tokens.
            output_tokens: bound of all output tokens, of all choices together.
            audio_in: input tokens may be audio tokens.
            audio_out: output tokens may be audio tokens.
            image_out: output tokens may be image tokens.
            images: bound of images made.
            seconds: bound of seconds made or read.
            songs: bound of songs made.
            characters: bound of characters read.
            searches: bound of searches made.
            requests: how many requests are priced.
        """
        worst = self._worst(input_tokens)
        exact = (
            input_tokens * (worst.any_input if audio_in else worst.input)
            + output_tokens * _output_rate(worst, audio_out, image_out)
            + images * worst.image
            + seconds * worst.second
            + songs * worst.song
            + characters * worst.characters
            + searches * worst.search
            + requests * worst.request
        )
        return self._rounded(exact)

    def bounds(
        self,
        input_tokens: int,
        output_tokens: int,
        least_output: int,
        audio_in: bool = False,
        audio_out: bool = False,
    ) -> tuple[Nanos, Nanos]:
        """The ceiling of a chat request, and the ceiling of the same with `least_output` output tokens only."""
        worst = self._worst(input_tokens) if self.tiers else self.worst[0]
        rate = worst.audio_output if audio_out else worst.output
        read = input_tokens * (worst.any_input if audio_in else worst.input) + worst.request
        least = read + least_output * rate
        most = read + output_tokens * rate
        if self.scale != 1:
            least = -(-least // self.scale)
            most = -(-most // self.scale)
        if most > LARGEST_NANOS:
            most, least = LARGEST_NANOS, min(least, LARGEST_NANOS)
        return most, least  # type: ignore[return-value]  # a call of Nanos for each would cost as much again

    def output_affordable(
        self,
        nanos: int,
        input_tokens: int,
        *,
        audio_in: bool = False,
        audio_out: bool = False,
        image_out: bool = False,
        requests: int = 1,
    ) -> int:
        """The most output tokens whose ceiling with `input_tokens` is within `nanos`; -1: not even the input is.

        At most LARGEST_OUTPUT.
        """
        worst = self._worst(input_tokens)
        left = nanos * self.scale - input_tokens * (worst.any_input if audio_in else worst.input)
        left -= requests * worst.request
        if left < 0:
            return -1
        rate = _output_rate(worst, audio_out, image_out)
        return min(left // rate, LARGEST_OUTPUT) if rate else LARGEST_OUTPUT

    def within(self, other: "PricedModel") -> bool:
        """Is nothing dearer than at the `other` price, however much is used?"""
        steps = (0, *(above + 1 for above, _ in (*self.tiers, *other.tiers)))
        pairs = [(self._rates(step)[1], other._rates(step)[1]) for step in steps]
        return all(
            mine * other.scale <= theirs * self.scale
            for ours, others in pairs
            for mine, theirs in zip(astuple(ours), astuple(others), strict=True)
        )

    def lines(self, usage: Usage) -> list[dict[str, str | int]]:
        """The bill in lines, for the log, one for each class that was used.

        Each is `{"class", "quantity", "usd", "nanos"}`: the usage class, how many, the rate in USD before the
        multiplier (per million, or each for images, seconds, songs and requests) and the exact share after it, both as
        decimal strings. `cost` is the sum of the shares, rounded up.
        """
        step, rates = self._rates(usage.input_tokens)
        usd, nanos = self.shown[step], astuple(rates)
        quantities = _quantities(usage)
        lines: list[dict[str, str | int]] = [
            {
                "class": _COUNTED[place],
                "quantity": quantity,
                "usd": usd[place],
                "nanos": self._share(quantity * nanos[place]),
            }
            for place, quantity in enumerate(quantities)
            if quantity and (place != _REQUEST or rates.request)
        ]
        if rates.request and not usage.requests:
            lines.append(
                {"class": "requests", "quantity": 1, "usd": usd[_REQUEST], "nanos": self._share(rates.request)}
            )
        return lines

    def _share(self, exact: int) -> str:
        """`exact / scale` as a decimal string; the scale is a power of ten."""
        whole, part = divmod(exact, self.scale)
        return str(whole) if not part else f"{whole}.{str(self.scale + part)[1:].rstrip('0')}"

    def _rates(self, input_tokens: int) -> tuple[int, Scaled]:
        """The rates of a request with so many input tokens and their place in `shown`."""
        step, rates = 0, self.rates
        for place, (above, tier) in enumerate(self.tiers, 1):
            if input_tokens <= above:
                break
            step, rates = place, tier
        return step, rates

    def _worst(self, input_tokens: int) -> Worst:
        worst = self.worst[0]
        for further in self.worst[1:]:
            if input_tokens <= further.above:
                break
            worst = further
        return worst

    def _rounded(self, exact: int) -> Nanos:
        """Up to a whole nano; never more than 64 bits hold, which no request is worth."""
        nanos = exact if self.scale == 1 else -(-exact // self.scale)
        return nanos if nanos <= LARGEST_NANOS else LARGEST_NANOS  # type: ignore[return-value]  # as in `bounds`


def _output_rate(worst: Worst, audio: bool, image: bool) -> int:
    if image:
        return worst.any_output if audio else worst.image_output
    return worst.audio_output if audio else worst.output
