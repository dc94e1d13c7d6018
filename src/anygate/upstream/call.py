"""The interface between the relay and the upstream client: one call, answered by plain callbacks."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

import msgspec

from anygate.canonical.channel import Timeouts
from anygate.canonical.errors import UpstreamError

Headers = list[tuple[bytes, bytes]]


class Origin(msgspec.Struct, frozen=True, cache_hash=True):
    """Where a channel's sockets go. Calls of equal origins share connections. Looked up for each call: hashed once.

    `host` is a name or a literal address without brackets; `limit` bounds open connections (0: none); `proxy` is ""
    (use the environment's), "direct", or a URL http://, https://, socks5:// or socks5h:// with optional user and
    password; `networks` are those that may be reached beside public addresses where private ones may not.
    """

    scheme: str  # "http" | "https"
    host: str
    port: int
    proxy: str = ""
    limit: int = 0
    allow_private: bool = False
    channel: str = ""  # pools are per channel
    timeouts: Timeouts = Timeouts()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


class Sink(Protocol):
    """What the relay offers to the client for one call. All methods run in the event loop and return at once.

    Order: `on_head` once, `on_block` any number of times, then exactly one of `on_end` and `on_fail`.
    `on_fail` may come first. After `Call.cancel()` nothing is called any more.
    """

    def on_head(self, status: int, headers: Headers) -> None:
        """The final answer's status and headers (names in lower case); 1xx answers are swallowed."""
        ...

    def on_block(self, data: bytes) -> None:
        """Body bytes as they came, transfer coding removed, content coding untouched."""
        ...

    def on_end(self) -> None:
        """The body is complete."""
        ...

    def on_fail(self, error: UpstreamError) -> None:
        """The call failed; nothing more follows."""
        ...


class Call(Protocol):
    """The relay's hand on a running call."""

    def pause(self) -> None:
        """Stop reading from the upstream (a slow client). What was read already may still come: a block, and the end.

        The total timeout still runs; the idle timeout begins anew at `resume`.
        """
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def cancel(self) -> None:
        """Drop the call and its connection; the sink hears nothing more."""
        ...


class Upstream(Protocol):
    """The client. One per process."""

    def send(self, origin: Origin, head: bytes, body: Sequence[bytes | memoryview], sink: Sink) -> Call:
        """Start a call and return at once; a pooled connection is written to before this returns.

        Args:
            origin: where to.
            head: request line and all headers but the final empty line and `content-length`; ends with CRLF.
                It holds `host`. The client adds `content-length` and the empty line.
            body: the body's pieces, together its bytes; written with backpressure, never copied together when large.
            sink: who is told.
        """
        ...

    def close(self) -> None:
        """Close every connection."""
        ...
