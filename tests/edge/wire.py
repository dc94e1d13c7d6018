"""A client that sends exactly the bytes it is told, and reads what comes."""

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """One answer, its body without chunk framing. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """`error.code`."""
        return json.loads(self.body)["error"]["code"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A socket to the gateway. A reset is an exception, so tests that read to the end prove a clean close."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.socket.close()

    def send(self, data: bytes) -> Self:
        """Send all of it."""
        self.socket.sendall(data)
        return self

    def send_while_open(self, data: bytes) -> Self:
        """Send as much as the other side takes before it closes."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)
        return self

    def answer(self, *, method: str = "GET") -> Answer:
        """Read one answer; interim ones (100) come as answers of their own."""
        head = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = b"" if method == "HEAD" or status in (100, 204, 304) else self._body(headers)
        return Answer(status, headers, body)

    def until(self, mark: bytes) -> bytes:
        """Read up to a mark, which is included."""
        while mark not in self._buffer:
            if not self._more():
                raise EOFError(f"the connection ended after {self._buffer!r}")
        at = self._buffer.index(mark) + len(mark)
        return self._take(at)

    def exactly(self, count: int) -> bytes:
        """Read so many bytes."""
        while len(self._buffer) < count:
            if not self._more():
                raise EOFError(f"the connection ended after {self._buffer!r}")
        return self._take(count)

    def rest(self) -> bytes:
        """Read until the other side closes."""
        while self._more():
            pass
        return self._take(len(self._buffer))

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.until(b"\r\n"), 16):
                body += self.exactly(size + 2)[:-2]
            self.exactly(2)
            return body
        if "content-length" in headers:
            return self.exactly(int(headers["content-length"]))
        return self.rest()

    def _more(self) -> bool:
        data = self.socket.recv(1 << 16)
        self._buffer += data
        return bool(data)

    def _take(self, count: int) -> bytes:
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken


def request(
    method: str, path: str, *lines: str, body: bytes = b"", key: str | None = None, version: str = "HTTP/1.1"
) -> bytes:
    """One request. A body gets its Content-Length unless a line frames it."""
    head = [f"{method} {path} {version}", "Host: gateway", *lines]
    if key is not None:
        head.append(f"Authorization: Bearer {key}")
    if body and not any(line.lower().startswith(("content-length:", "transfer-encoding:")) for line in lines):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def chunked(*pieces: bytes) -> bytes:
    """A chunked body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def prompt(text: str = "Hello", **fields: Any) -> bytes:
    """The body of a chat request."""
    document = {"model": "gpt-4o-mini", "max_tokens": 50, "messages": [{"role": "user", "content": text}], **fields}
    return json.dumps(document).encode()


def chat(*lines: str, key: str, text: str = "Hello", version: str = "HTTP/1.1", **fields: Any) -> bytes:
    """A whole chat request."""
    return request("POST", "/v1/chat/completions", *lines, body=prompt(text, **fields), key=key, version=version)
