"""A head that a client sends again and again, known by its bytes: the parser need not read it again. Pure.

A parser that is between two messages reads the same bytes always alike. So where a head has been read on a connection,
and the next request begins with the same bytes, its meaning is known, but for the length of the body. That is taken
only as the parser would take it: written in plain digits, and all of the body here with nothing behind it.
"""

from collections.abc import Sequence

from anygate.edge.body import SPOOL_ABOVE
from anygate.edge.head import Header, KnownHead

_LENGTH = b"content-length"
_MOST_DIGITS = len(str(SPOOL_ABOVE))


class SameHead:
    """The bytes of a head, before and after the digits of its Content-Length.

    Attributes:
        known: what followed from the head when the parser had read it.
    """

    __slots__ = ("_after", "_before", "_headers", "_line", "_most", "known")

    def __init__(self, known: KnownHead, headers: Sequence[Header], line: int, wire: bytes, at: int, most: int) -> None:
        """Prefer `same_head`.

        Args:
            known: what followed from the head.
            headers: names in lower case.
            line: which of them is the Content-Length.
            wire: the head as it was sent.
            at: where the digits begin in it.
            most: a larger body is the parser's, in bytes.
        """
        self.known = known
        self._headers = list(headers)
        self._line = line
        self._before = wire[:at]
        self._after = wire[at + len(headers[line][1]) :]
        self._most = most

    def read(self, data: bytes) -> tuple[list[Header], bytes] | None:
        """The headers and the body of the one request that `data` is; None: the parser has to look at it."""
        rest = data.removeprefix(self._before)
        if len(rest) == len(data):
            return None
        digits, _, body = rest.partition(self._after)
        size = len(body)
        # Compared as a text: no sign, no space and no leading zero is the same.
        if digits != b"%d" % size or not 0 < size <= self._most:
            return None
        headers = self._headers.copy()
        headers[self._line] = (_LENGTH, digits)
        return headers, body


def same_head(
    known: KnownHead, headers: Sequence[Header], data: bytes, most_head: int, most_body: int
) -> SameHead | None:
    """What `data` begins with, if that is this head, written plainly.

    Args:
        known: what followed from the head; the parser has read it, and it speaks of neither chunks nor a 100.
        headers: names in lower case.
        data: what the client sent.
        most_head: a larger head is the parser's to count, in bytes; likewise
        most_body: a larger body.

    Returns:
        None for a head without Content-Length, one that ends the connection, wishes another protocol or is written
        otherwise than with one space behind each colon.
    """
    if not (known.distinct and known.keep_alive and known.version == "1.1") or b"upgrade" in known.named:
        return None
    start = b"%b %b HTTP/1.1\r\n" % (known.method, known.url)
    if not data.startswith(start):
        return None
    at, line, digits_at = len(start), -1, 0
    for number, (name, value) in enumerate(headers):
        written = b": %b\r\n" % value
        colon = at + len(name)
        if data[at:colon].lower() != name or not data.startswith(written, colon):
            return None
        if name == _LENGTH:
            line, digits_at = number, colon + 2
        at = colon + len(written)
    if line < 0 or not data.startswith(b"\r\n", at) or at + 2 + _MOST_DIGITS > most_head:
        return None
    return SameHead(known, headers, line, data[: at + 2], digits_at, min(most_body, SPOOL_ABOVE))
