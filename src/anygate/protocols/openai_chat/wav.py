"""Raw PCM in a WAV file, for clients that asked for one where the upstream gives bare samples.

Sources: RFC 2586 (`audio/L16;rate=24000`), https://ai.google.dev/gemini-api/docs/speech-generation (2026-11-22: 16 bit,
little endian, one channel), https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html.
"""

import base64
import binascii
import re
import struct

import msgspec

from anygate.canonical.blocks import Media

_RATE = re.compile(r"rate=(\d{4,6})\b")
_DEFAULT_RATE = 24_000


def as_wav(media: Media) -> Media:
    """Sound of the type `audio/L16` or `audio/pcm` as `audio/wav`; any other as it is."""
    plain = media.mime.partition(";")[0].strip().lower()
    if plain not in ("audio/l16", "audio/pcm"):
        return media
    try:
        samples = base64.b64decode(media.data, validate=True)
    except (binascii.Error, ValueError):
        return media
    found = _RATE.search(media.mime)
    rate = int(found[1]) if found else _DEFAULT_RATE
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(samples),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        rate,
        rate * 2,
        2,
        16,
        b"data",
        len(samples),
    )
    return msgspec.structs.replace(media, mime="audio/wav", data=base64.b64encode(head + samples).decode())
