"""Bytes of one connection -> answers: heads, blocks of body, and what is left to doubt."""

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from anygate.upstream.call import Headers

HEAD_LIMIT = 64 * 1024
"""Bytes of a head, interim answers included; also of anything between body bytes (chunk extensions, trailers)."""

PARSER_ERRORS = (HttpParserError, HttpParserUpgrade)
"""What `AnswerReader.parse` may raise."""


class _NotAskedFor(Exception):
    """An answer behind a complete one. Stops the parser."""


class AnswerReader:
    """Reads the answers of one connection, one after the other. The base of `Connection`: a read is one call less.

    The parser's callbacks only collect, so that whoever reads may stop, or raise, between blocks.

    Attributes:
        status: of the final answer, once `head_done`.
        headers: names in lower case; a new list for each answer. Trailers are not among them.
        parse: takes what was read. `fault` is for what it raises, `weigh` for reads without body.
        parts: body bytes of the last read; its reader empties it.
        ended: nothing more of the answer follows: it is complete, or `broken`.
        broken: what is wrong with the answer, else "". What came before the fault is delivered first.
        reusable: another answer may follow on this connection.
        until_close: the body ends with the connection.
    """

    __slots__ = (
        "_parser",
        "broken",
        "ended",
        "head_done",
        "headers",
        "loose",
        "on_body",
        "parse",
        "parts",
        "reusable",
        "status",
        "until_close",
    )

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.on_body = self.parts.append  # body bytes without transfer coding
        self._parser = HttpResponseParser(self)
        self.parse = self._parser.feed_data
        self.status = 0
        self.headers: Headers = []
        self.broken = ""
        self.until_close = False
        self.reusable = True
        self.expect()

    def expect(self) -> None:
        """The next answer is another one. Only for who is `reusable`, so that nothing else is left to undo."""
        self.head_done = self.ended = False
        self.loose = 0  # bytes read since the answer's begin or its last body bytes

    @property
    def complete(self) -> bool:
        """The body's end was seen."""
        return self.ended and not self.broken

    def fault(self) -> None:
        """`parse` raised."""
        self.reusable = False
        if not self.ended:
            self._refuse("breaks its own framing" if self.head_done else "is not HTTP/1.1")

    def weigh(self, size: int, headless: bool) -> None:
        """After a read that found no head yet, or brought no body: bound the bytes that are not body.

        Args:
            size: bytes of the read.
            headless: the head was not done before it.
        """
        self.loose += size
        if self.loose > HEAD_LIMIT:
            if headless:
                self._measure_head()
            elif not self.ended:
                self._refuse("has too many bytes that are not body")
        if headless and self.head_done:
            self.loose = 0

    def _measure_head(self) -> None:
        """Many bytes came: were they head, or did the body's begin come in the same read?"""
        if not self.head_done or sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_LIMIT:
            self.head_done = self.reusable = False
            self._refuse("has too large a head")

    def _refuse(self, broken: str) -> None:
        self.ended = True
        self.broken = broken

    def forget_parser(self) -> None:
        """Nothing will be parsed any more. Undoes the cycle of references between the parser and its callbacks."""
        del self._parser, self.parse

    # The parser's callbacks

    def on_message_begin(self) -> None:
        """An answer begins; behind a complete one, it is one that nobody asked for."""
        if self.ended:
            raise _NotAskedFor
        self.headers = []  # those of an interim answer (100, 103) are forgotten

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after the head, a trailer."""
        if not self.head_done:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """A head is over, perhaps an interim one."""
        parser = self._parser
        status = parser.get_status_code()
        if status < 200:
            return
        self.status = status
        self.head_done = True
        if not parser.should_keep_alive():
            self.reusable = False
            self.until_close = not any(
                name == b"content-length" or (name == b"transfer-encoding" and value.lower().endswith(b"chunked"))
                for name, value in self.headers
            )

    def on_message_complete(self) -> None:
        """An answer is over; an interim one is none."""
        self.ended = self.head_done
