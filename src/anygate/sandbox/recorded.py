"""What the sandbox remembers of the requests that it was sent."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote

import orjson

from anygate.sandbox.json_values import Json

Outcome = Literal["open", "answered", "cut", "gone"]


@dataclass(slots=True)
class Recorded:
    """One request, and what became of it.

    Attributes:
        number: 1 for the first; the order in which requests were complete.
        time: seconds since 1970.
        target: path and query as sent.
        headers: as sent, in order; names in lower case.
        provider, model: "" while unknown.
        status: of the answer; 0 while there is none, or where a script answered.
        sent_bytes: bytes of the answer handed to the socket, head included.
        outcome: `open`; `answered`; `cut`: the sandbox broke off; `gone`: the client did.
        messages: text messages that came over a WebSocket which this request opened.
        keep_alive: may another request follow on this connection?
    """

    number: int
    time: float
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    keep_alive: bool = True
    provider: str = ""
    model: str = ""
    status: int = 0
    sent_bytes: int = 0
    outcome: Outcome = "open"
    messages: list[str] = field(default_factory=list[str])

    @property
    def path(self) -> str:
        """The path, percent-decoded, without the query."""
        raw = self.target.partition("?")[0]
        return unquote(raw) if "%" in raw else raw

    @property
    def query(self) -> str:
        """The query string, as sent."""
        return self.target.partition("?")[2]

    @property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: it is none.
        """
        return orjson.loads(self.body)

    def header(self, name: str) -> str:
        """The first header of the name (in lower case), "" where there is none."""
        for found, value in self.headers:
            if found == name:
                return value
        return ""

    def as_json(self) -> Json:
        """For the control endpoint; a body that is no UTF-8 comes with replacement characters."""
        return {
            "number": self.number,
            "time": self.time,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": self.body.decode(errors="replace"),
            "provider": self.provider,
            "model": self.model,
            "status": self.status,
            "sent_bytes": self.sent_bytes,
            "outcome": self.outcome,
            "messages": self.messages,
        }


@dataclass(slots=True)
class Log:
    """The last requests, bounded in number and in bytes of bodies. `count` also counts those that were dropped."""

    most: int = 1024
    most_bytes: int = 128 * 1024 * 1024
    count: int = 0
    _requests: deque[Recorded] = field(default_factory=deque[Recorded])
    _bytes: int = 0

    def add(self, recorded: Recorded) -> None:
        """Remember a request."""
        self._requests.append(recorded)
        self._bytes += len(recorded.body)
        while len(self._requests) > self.most or (self._bytes > self.most_bytes and len(self._requests) > 1):
            self._bytes -= len(self._requests.popleft().body)

    def clear(self) -> None:
        """Forget all; numbers go on."""
        self._requests.clear()
        self._bytes = 0

    def __iter__(self) -> Iterator[Recorded]:
        return iter(tuple(self._requests))

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, index: int) -> Recorded:
        return self._requests[index]
