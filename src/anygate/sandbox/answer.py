"""What the sandbox sends: an answer, and the steps that it becomes on the wire. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson

from anygate.sandbox.json_values import Json

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Send nothing until the sandbox is released."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the connection here: in order (FIN), or with a reset (RST)."""

    reset: bool = False


Step = bytes | Pause | Stop | Cut
"""One thing to do on the wire. Bytes are sent exactly as they are."""


def sse(event: Json) -> bytes:
    """A server-sent event that bears the name of its `type`."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer before it is framed.

    Attributes:
        status: the HTTP status.
        blocks: the body. A plain answer's bytes are joined under one content-length; of a stream each block is one
            chunk of its own. Pauses and stops between blocks are kept.
        headers: without those that frame the body.
        stream: chunked, block by block.
        until_close: framed by the end of the connection (HTTP/1.0 style) instead of chunks or a length.
    """

    status: int
    blocks: Iterable[Step]
    headers: Headers = ()
    stream: bool = False
    until_close: bool = False


_UNNAMED: Final = {529: "Overloaded", 499: "Client Closed Request"}


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return _UNNAMED.get(status, "Unknown")


STATUS_LINES: Final = {status: f"HTTP/1.1 {status} {_reason(status)}\r\n".encode() for status in range(100, 600)}


def head_bytes(status: int, headers: Headers, framing: bytes) -> bytes:
    """Status line and headers with the empty line; `framing` is a header line with its CRLF, or empty."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return b"%b%b%b\r\n" % (STATUS_LINES[status], lines.encode("latin-1"), framing)


def frame(block: bytes) -> bytes:
    """One block as one chunk."""
    return b"%x\r\n%b\r\n" % (len(block), block)


def framed(answer: Answer) -> Iterator[Step]:
    """The answer as HTTP/1.1 bytes. The head of a plain answer travels with the first of its body."""
    if answer.until_close:
        yield head_bytes(answer.status, answer.headers, b"connection: close\r\n")
        yield from answer.blocks
        yield Cut()
    elif answer.stream:
        yield head_bytes(answer.status, answer.headers, b"transfer-encoding: chunked\r\n")
        for block in answer.blocks:
            yield frame(block) if isinstance(block, bytes) else block
        yield b"0\r\n\r\n"
    else:
        blocks = tuple(answer.blocks)
        length = sum([len(block) for block in blocks if isinstance(block, bytes)])
        head = head_bytes(answer.status, answer.headers, b"content-length: %d\r\n" % length)
        if len(blocks) == 1 and isinstance(blocks[0], bytes):
            yield head + blocks[0]
            return
        yield head
        yield from blocks
