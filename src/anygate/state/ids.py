"""Request ids: UUIDv7, in time order, also within one millisecond of one process."""

import os
from collections.abc import Callable

_BATCH = 256
_TAILS = b" ".join(b"-7%03x-vrrr-rrrrrrrrrrrr" % count for count in reversed(range(_BATCH)))  # v, r: to be drawn
_WIDTH = _TAILS.index(b" ") + 1
_DIGITS = [place for place, sign in enumerate(_TAILS[:_WIDTH]) if sign in b"vr"]
_VARIANTS = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)


class RequestIds:
    """Makes UUIDv7 (RFC 9562): 48 bits of milliseconds, a 12-bit counter, 62 random bits.

    Args:
        clock: seconds since the epoch.
        random_bytes: unpredictable bytes.
    """

    def __init__(self, clock: Callable[[], float], random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._ms = 0
        self._until = 0.0  # seconds: the end of the millisecond; as a float it is compared without being converted
        self._head = ""
        self._tails: list[str] = []  # the next one last

    def __call__(self) -> str:
        """The next id, in the usual 36 characters."""
        now = self._clock()
        if now >= self._until or not self._tails:
            self._advance(now)
        return self._head + self._tails.pop()

    def _advance(self, now: float) -> None:
        """Enter a later millisecond: that of `now`, or where the counter is used up before it is over, the next."""
        ms = int(now * 1000)
        if ms <= self._ms:
            ms = self._ms + 1
        self._ms = ms
        self._until = (ms + 1) / 1000
        self._head = ms.to_bytes(6, "big").hex("-", -4)
        if not self._tails:  # else the counter goes on: it orders what one millisecond makes, wherever it begins
            self._tails = _draw(self._random_bytes(8 * _BATCH))


def _draw(drawn: bytes) -> list[str]:
    """Tails for the next ids; a digit of all of them at a time, for one by one they would cost most of an id."""
    digits = drawn.hex().encode()
    tails = bytearray(_TAILS)
    for number, place in enumerate(_DIGITS):
        tails[place::_WIDTH] = digits[number::16]
    tails[_DIGITS[0] :: _WIDTH] = digits[::16].translate(_VARIANTS)
    return tails.decode().split(" ")
