"""One call whose whole answer is wanted, bounded in bytes and time."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from anygate.canonical.errors import UpstreamError, UpstreamTimeout
from anygate.upstream.call import Headers, Origin, Upstream


class Whole(NamedTuple):
    """An answer. `cut`: it was longer than asked for, and its rest was not read."""

    status: int
    headers: Headers
    body: bytes
    cut: bool


class _Sink:
    def __init__(self, most_bytes: int) -> None:
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.status = 0
        self.headers: Headers = []
        self.body = bytearray()
        self._most = most_bytes

    def on_head(self, status: int, headers: Headers) -> None:
        self.status, self.headers = status, headers

    def on_block(self, data: bytes) -> None:
        room = self._most - len(self.body)
        self.body += data[:room]
        if len(data) > room and not self.done.done():
            self.done.set_result(True)

    def on_end(self) -> None:
        if not self.done.done():
            self.done.set_result(False)

    def on_fail(self, error: UpstreamError) -> None:
        if not self.done.done():
            self.done.set_exception(error)


async def ask(
    upstream: Upstream,
    origin: Origin,
    head: bytes,
    body: Sequence[bytes | memoryview] = (),
    *,
    most_bytes: int,
    seconds: float,
) -> Whole:
    """Send a request and wait for all of its answer.

    Args:
        upstream: the client.
        origin: where to.
        head: request line and headers, as `Upstream.send` takes them.
        body: in pieces.
        most_bytes: of the answer's body; what is longer is cut.
        seconds: for all of it.

    Raises:
        UpstreamError: no answer came, or not in time.
    """
    sink = _Sink(most_bytes)
    call = upstream.send(origin, head, body, sink)
    try:
        async with asyncio.timeout(seconds):
            cut = await sink.done
    except TimeoutError:
        raise UpstreamTimeout from None
    finally:
        call.cancel()
    return Whole(sink.status, sink.headers, bytes(sink.body), cut)


async def post_form(upstream: Upstream, url: str, form: bytes) -> tuple[int, bytes]:
    """Send a form to an address that the operator's own credential names -> status and body.

    Raises:
        UpstreamError: no answer came.
    """
    parts = urlsplit(url)
    origin = Origin(
        scheme=parts.scheme,
        host=(parts.hostname or "").lower(),
        port=parts.port or (443 if parts.scheme == "https" else 80),
        allow_private=True,
        channel="credentials",
    )
    head = (
        f"POST {parts.path or '/'} HTTP/1.1\r\nhost: {parts.netloc}\r\naccept: application/json\r\n"
        "content-type: application/x-www-form-urlencoded\r\n"
    )
    got = await ask(upstream, origin, head.encode("latin-1"), [form], most_bytes=1 << 16, seconds=20)
    return got.status, got.body
