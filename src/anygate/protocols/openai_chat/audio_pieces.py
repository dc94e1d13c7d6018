"""Generated sound, which comes as pieces of base64 that end anywhere -> pieces that can be appended.

Source: https://platform.openai.com/docs/guides/audio (2026-11-22): `message.audio` and `delta.audio`
{id, data, transcript, expires_at}.
"""

import base64
import binascii

from anygate.canonical.blocks import Media
from anygate.protocols.json_values import as_object, as_text
from anygate.protocols.media_type import sniff
from anygate.protocols.openai_chat.fields import as_count


class AudioPieces:
    """Keeps the bytes that do not fill a group of three until the next piece."""

    __slots__ = ("_carry", "_mime")

    def __init__(self) -> None:
        self._carry = b""
        self._mime: str | None = None

    def take(self, audio: object) -> Media | None:
        """A piece; None where it says nothing."""
        body = as_object(audio)
        data = self._aligned(as_text(body.get("data")))
        if data and self._mime is None:
            self._mime = sniff(data)
        transcript, id, expires = (
            as_text(body.get("transcript")),
            as_text(body.get("id")),
            as_count(body.get("expires_at")),
        )
        if not (data or transcript or id or expires):
            return None
        mime = (self._mime or "") if data else ""
        return Media("audio", mime, data, transcript=transcript, id=id, expires_at=expires)

    def finish(self) -> Media | None:
        """The sound is over: what is left of it."""
        carry, self._carry, self._mime = self._carry, b"", None
        return Media("audio", data=base64.b64encode(carry).decode()) if carry else None

    def _aligned(self, data: str) -> str:
        if not data or (not self._carry and not data.endswith("=") and len(data) % 4 == 0):
            return data
        try:
            whole = self._carry + base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return ""
        end = len(whole) // 3 * 3
        self._carry = whole[end:]
        return base64.b64encode(whole[:end]).decode()
