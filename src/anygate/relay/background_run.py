"""One answer that is made in the background, from its first event to its last, and who watches it being made."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, cast

import orjson

from anygate.canonical.errors import LedgerUnavailable
from anygate.edge.exchange import Headers, RelayExchange
from anygate.edge.local_exchange import LocalExchange
from anygate.observe.record import Record
from anygate.protocols.json_values import object_of
from anygate.protocols.sse import SseDecoder, frame
from anygate.relay.gateway import Gateway
from anygate.relay.history import MOST_BYTES, keep_answer

RUN, CANCELLED = "run", "cancelled"
"""Kinds of what is kept: that an answer is being made, until that expires; that it was cancelled."""

LEASE_SECONDS = 60.0
"""A run that was not renewed for so long has died with its process."""

ENDED = frozenset({"completed", "incomplete", "failed", "cancelled"})
_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})

logger = logging.getLogger("anygate.relay")


class Run:
    """One answer while it is made. The relay's bytes come to `begin`, `data` and `finish`."""

    def __init__(self, gateway: Gateway, record: Record, document: dict[str, Any], answer: dict[str, Any]) -> None:
        self.place = record.user_id, str(answer["id"])
        self.answer: dict[str, Any] = answer
        self.events: list[tuple[int, bytes]] = []
        self.ended = False
        self.changed = asyncio.Event()
        self._gateway = gateway
        self._record = record
        self._document = document
        self._decoder = SseDecoder()
        self._is_plain = False
        self._plain = bytearray()
        self._bytes = 0
        self._error: Mapping[str, Any] = {}
        self._native = ""
        self._was_cancelled = False
        self._exchange: LocalExchange | None = None
        self._beating: asyncio.Task[None] | None = None

    def keep(self) -> None:
        """Keep the answer as it is, and the mark that it is being made."""
        keeper, (user_id, name) = self._gateway.keeper, self.place
        keep_answer(keeper, user_id, {**self._document, "background": True}, self.answer, self._native)
        if not self.ended:
            keeper.keep(user_id, RUN, name, self.answer["status"].encode(), LEASE_SECONDS)

    def start(self, exchange: RelayExchange) -> LocalExchange:
        """The exchange that takes what the relay makes."""
        local = self._exchange = LocalExchange(
            exchange.route,
            path=exchange.path,
            headers=exchange.headers,
            query=exchange.query,
            body=b"",
            address=exchange.peer,
            on_begin=self._begun,
            on_data=self._data,
            on_finish=self._finish,
        )
        local.request_id = self._record.request_id
        self._beating = asyncio.get_running_loop().create_task(self._beat())
        return local

    def cancel(self) -> None:
        """Stop."""
        if not self.ended and self._exchange is not None:
            self._was_cancelled = True
            self._exchange.gone()

    async def _beat(self) -> None:
        user_id, name = self.place
        keeper = self._gateway.keeper
        while not self.ended:
            await asyncio.sleep(LEASE_SECONDS / 3)
            keeper.keep(user_id, RUN, name, self.answer["status"].encode(), LEASE_SECONDS)
            try:
                if await keeper.find(user_id, CANCELLED, name) is not None:  # asked for at another process
                    self.cancel()
            except LedgerUnavailable as error:
                logger.warning("whether a background response was cancelled cannot be seen: %s", error)

    def _begun(self, status: int, headers: Headers) -> None:
        kind = next((value for name, value in headers if name == b"content-type"), b"")
        self._is_plain = status != 200 or not kind.startswith(b"text/event-stream")

    def _data(self, data: bytes) -> None:
        if self._bytes > MOST_BYTES:
            return
        self._bytes += len(data)
        if self._bytes > MOST_BYTES and self._exchange is not None:
            self._error = {"message": "The answer is too large to be made in the background", "code": "server_error"}
            asyncio.get_running_loop().call_soon(self._exchange.gone)  # not in the midst of a block
            return
        if self._is_plain:
            self._plain += data
            return
        for event in self._decoder.feed(data):
            self._take(event.data)
        self.changed.set()

    def _take(self, data: bytes) -> None:
        event = object_of(data)
        kind = event.get("type")
        if kind == "error":
            self._error = _error_of(event)
        if not kind or kind == "error":  # nothing: what an upstream left unfinished when it broke off
            return
        response = event.get("response")
        if isinstance(response, dict):
            answer = cast("dict[str, Any]", response)
            if answer.get("id") != self.answer["id"] and isinstance(answer.get("id"), str):
                self._native = answer["id"]
            shown = {**answer, "id": self.answer["id"], "background": True}
            shown["previous_response_id"] = self.answer.get("previous_response_id")
            event["response"] = shown
            if kind in _LAST:
                self.answer = shown
            elif self.answer["status"] == "queued":
                self.answer = {**self.answer, "status": "in_progress"}
                user_id, name = self.place
                self._gateway.keeper.keep(user_id, RUN, name, b"in_progress", LEASE_SECONDS)
        self._tell(event)

    def _tell(self, event: Mapping[str, Any]) -> None:
        number = event.get("sequence_number")
        place = number if isinstance(number, int) else len(self.events)
        self.events.append((place, frame(orjson.dumps(event), str(event.get("type") or ""))))

    def _finish(self, complete: bool) -> None:
        """The relay is done with it, well or not."""
        for event in self._decoder.finish() if complete else ():
            self._take(event.data)
        if self._was_cancelled:
            self.answer = cancelled(self.answer)
            self._tell({"type": "response.cancelled", "sequence_number": self._next, "response": self.answer})
        elif self.answer["status"] not in ENDED:
            self._fail()
        self.ended = True
        if self._beating is not None:
            self._beating.cancel()
        self.keep()
        self._gateway.runs.pop(self.place, None)
        self.changed.set()

    def _fail(self) -> None:
        document = object_of(bytes(self._plain))
        if document.get("object") == "response":  # a whole answer, where a stream was asked for
            self.answer = {**document, "id": self.answer["id"], "background": True}
            kind = f"response.{self.answer.get('status')}"
        else:
            error = self._error or _error_of(document)
            self.answer = failed(self.answer, str(error.get("message") or "The answer broke off"), error.get("code"))
            kind = "response.failed"
        self._tell({"type": kind, "sequence_number": self._next, "response": self.answer})

    @property
    def _next(self) -> int:
        return self.events[-1][0] + 1 if self.events else 0


async def follow_run(run: Run, exchange: RelayExchange, after: int) -> None:
    """Send a run's events to a client, at its pace; its leaving changes nothing."""
    sent = 0
    exchange.on_writable = exchange.on_gone = run.changed.set
    while not exchange.disconnected:
        run.changed.clear()
        while sent < len(run.events) and exchange.writable and not exchange.disconnected:
            number, event = run.events[sent]
            sent += 1
            if number > after:
                exchange.block(event)
        if run.ended and sent == len(run.events):
            exchange.end()
            break
        await run.changed.wait()
    exchange.body.discard()


def cancelled(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer, stopped; with as much of it as was complete."""
    return {**answer, "status": "cancelled", "output": answer.get("output") or [], "completed_at": None}


def failed(answer: Mapping[str, Any], message: str, code: object = None) -> dict[str, Any]:
    """The answer, failed for this reason."""
    shown = code if isinstance(code, str) and code else "server_error"
    return {**answer, "status": "failed", "error": {"code": shown, "message": message}, "completed_at": None}


def _error_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an `error` event says, or the body of a refusal."""
    error = document.get("error")
    return cast("dict[str, Any]", error) if isinstance(error, dict) else document
