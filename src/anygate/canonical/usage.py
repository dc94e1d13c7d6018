"""What a request consumed, in classes that never overlap."""

from typing import Literal

import msgspec

Evidence = Literal["reported", "drained", "counted", "none", "lost"]


class Usage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Measured consumption; every figure is >= 0 and each unit is counted in one class only.

    `input` is without the cached, cache-written and audio tokens; `output` includes reasoning and
    excludes audio and image tokens; `reasoning` is the part of `output` that was thought, for information only;
    `searches` are those of the web that the upstream made and asks a fee for.
    """

    input: int = 0
    cached_input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    image_output: int = 0
    images: int = 0
    seconds: int = 0
    characters: int = 0
    requests: int = 0
    songs: int = 0
    searches: int = 0

    @property
    def input_tokens(self) -> int:
        """All input tokens, whatever their class."""
        return self.input + self.cached_input + self.cache_write_5m + self.cache_write_1h + self.audio_input

    @property
    def output_tokens(self) -> int:
        """All output tokens, whatever their class."""
        return self.output + self.audio_output + self.image_output

    @property
    def total_tokens(self) -> int:
        """Input and output tokens."""
        # Written out: asked of each answer whose token is limited, and a property costs more than five sums.
        given = self.input + self.cached_input + self.cache_write_5m + self.cache_write_1h + self.audio_input
        return given + self.output + self.audio_output + self.image_output


NO_USAGE = Usage()
USAGE_CLASSES = (
    "input",
    "cached_input",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
    "audio_input",
    "audio_output",
    "images",
    "seconds",
    "characters",
    "requests",
)
"""The keys of `usage` in `anygate logs --json`, in this order."""
